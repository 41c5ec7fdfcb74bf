/* The words of commands that check them themselves (`own_words`): image and manifest. */
#ifndef GANTRY_TUI_OWN_WORDS_H
#define GANTRY_TUI_OWN_WORDS_H

#include <stdbool.h>

#include "base/err.h"
#include "base/vec.h"
#include "manifest/manifest.h"

/* What is left after options were taken: plain words; and where reading stands. */
struct own_words {
    int argc;
    char **argv;
    int next;
};

/* If the next word is the option `name` ("--fs", or "-o"), takes it with its value: `--fs=V`,
 * `--fs V`, `-oV`, `-o V`. 1: taken; 0: it is another word; -1: the value is missing (err). */
int own_option(struct own_words *words, const char *name, const char **value, struct err *err);
/* The error for an option that nobody took. */
int own_unknown(const char *command, const char *word, struct err *err);

/* Where manifests are looked up, filled by -D NAME=VALUE and --dir DIR. */
struct own_scope {
    VEC(struct manifest_variable) variables;
    VEC(const char *) dirs;
    str_list kept; /* what the above point to */
};
/* As own_option, for -D and --dir. */
int own_scope_option(struct own_words *words, struct own_scope *scope, struct err *err);
/* The scope: the --dir's, else the current directory and then the manifests' own. */
struct manifest_scope own_scope_of(struct own_scope *scope, const char *const *manifests,
                                   size_t count);
void own_scope_free(struct own_scope *scope);

#endif

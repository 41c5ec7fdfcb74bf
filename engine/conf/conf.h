/*
 * Configuration: the conf dialect (make's assignment syntax), every value with the place it came
 * from, and the selection (arch, mode, image, ...). gantry-conf(5) is the user's view.
 * One struct conf belongs to one thread.
 */
#ifndef GANTRY_CONF_CONF_H
#define GANTRY_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"

/* Weakest first; DESIGN.md section 4: screen, command line, environment, saved, tree, stock. */
enum origin_kind {
    ORIGIN_STOCK,
    ORIGIN_TREE,
    ORIGIN_SAVED,
    ORIGIN_ENVIRONMENT,
    ORIGIN_COMMAND_LINE,
    ORIGIN_SCREEN,
    ORIGIN_BUILTIN, /* set by Gantry itself: src, out, host_arch */
};

struct origin {
    enum origin_kind kind;
    const char *file; /* of a conf file, else NULL; the conf's */
    unsigned line;
};

/* One NAME=VALUE from outside the files. */
struct assignment {
    const char *name, *value;
    enum origin_kind kind;
};

struct conf;

/* One value of a name: the one in force first, then those that it overrides. */
struct conf_value {
    const char *text; /* as written, not expanded, but for values that := expanded at once */
    struct origin origin;
};

/*
 * Reads a tree's configuration: stock and tree conf files, image, module.mk files (where they
 * exist), under the given overrides. `root` is the tree. An unknown arch, mode or image is an error
 * that lists those which exist and the nearest spelling; so is a syntax error (file:line).
 * The environment (ARCH mode image CROSS_PREFIX HOST_CC fs cmdline) and the saved selection are
 * read here; `overrides` are those of command line and screen.
 * A NULL root is no tree at all: the stock arch and mode files alone.
 */
struct conf *conf_load(const char *root, const struct assignment *overrides, size_t count,
                       struct err *err);
void conf_free(struct conf *conf);

/* The tree, as conf_load was given it. */
const char *conf_root(const struct conf *conf);

/* The expanded value, "" where unset; valid until conf_free. A failed expansion (unknown function)
 * was reported by conf_load, which expands everything once. */
const char *conf_get(struct conf *conf, const char *name);
/* The same with target-specific variables of `target` in force; may be NULL for none. */
const char *conf_get_for(struct conf *conf, const char *target, const char *name);
/* Expands any text ("$(out)/x"). The caller frees; NULL and err on a syntax error. */
char *conf_expand(struct conf *conf, const char *target, const char *text, struct err *err);
/* The same with names that are bound for this once, as $@ and $< in a command. */
struct conf_local {
    const char *name, *value;
};
char *conf_expand_with(struct conf *conf, const char *target, const struct conf_local *locals,
                       size_t count, const char *text, struct err *err);
/* The values of a name, the one in force first; NULL and 0 where unset. */
const struct conf_value *conf_values(struct conf *conf, const char *name, size_t *count);
/* All names, sorted. */
void conf_names(struct conf *conf, str_list *names);
/* The boot arguments of the picked image: `cmdline` where it was given from outside the files, else
 * the saved `cmdline-<image>`, else the image's own. Valid until conf_free. */
const char *conf_cmdline(struct conf *conf);
/* Where a target's value of a name was written; where `word` is given, the line that put that word
 * in. ORIGIN_BUILTIN without a file where it is unset. */
struct origin conf_origin(struct conf *conf, const char *target, const char *name,
                          const char *word);
/* All targets and patterns that have values of their own, in order of reading. */
void conf_target_names(struct conf *conf, str_list *names);
const char *origin_name(enum origin_kind kind);
/* The origin for people: "conf/base.mk:3", "command line". */
void origin_text(const struct origin *origin, struct str *out);
/* What $(warning) said while the files were read, with file:line. */
const str_list *conf_warnings(const struct conf *conf);
/* Every file that was read, and looked for in vain, for state: loading again is needed on change. */
const str_list *conf_files(const struct conf *conf);

/* Stands for a tree that has no files. */
#define CONF_STOCK "/dev/null"

/* What a tree offers, sorted: names of conf/<arch>.mk, modes, images (with their summaries). */
enum choice_kind { CHOICE_ARCH, CHOICE_MODE, CHOICE_IMAGE };
void conf_choices(const char *root, enum choice_kind kind, str_list *names);

/* Whether the tree is one of OSv that is driven: scripts/module.py, and scripts/build or, as in 2014,
 * build.mk. */
bool conf_is_osv(const char *root);
/* What scripts/module.py of an OSv tree is to be told of `image`, or of `modules` where that is set, and
 * of the module `more` besides ("" for none): "!cli,httpserver.conf,libext", new. NULL and err, one
 * line, where a name is none. */
char *conf_osv_modules(struct conf *conf, const char *more, struct err *err);

/* Writes NAME = VALUE into the tree's saved selection (value NULL removes it), atomically. */
int conf_save(const char *root, const char *name, const char *value, struct err *err);

/* Named profiles, kept in the saved selection as `profile-NAME = arch=x64 mode=debug`: their names,
 * sorted; and what one assigns, as NAME=VALUE words (added; an error where there is none of that name,
 * or it cannot be read). An override `profile=NAME` of conf_load stands for these words, and is weaker
 * than what is given beside it. */
void conf_profiles(const char *root, str_list *names);
int conf_profile(const char *root, const char *name, str_list *words, struct err *err);
/* The words of such a value. */
void conf_profile_words(const char *text, str_list *words);

/* The variables of the environment that a conf takes over, NULL-ended. */
const char *const *conf_environment_names(void);

#endif

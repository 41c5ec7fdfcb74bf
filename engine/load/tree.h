/*
 * The room's own: the native loader's state while it turns a conf into a graph. tree.c owns targets
 * and words, tree_compile.c what compilers and binutils make, tree_tool.c commands, tree_image.c
 * what is composed in-process.
 */
#ifndef GANTRY_LOAD_TREE_H
#define GANTRY_LOAD_TREE_H

#include "load/load.h"

/* A word of `targets` or `image-targets`. */
struct declared {
    const char *name; /* as the tree says it */
    const char *list; /* "targets" or "image-targets" */
    const char *rule; /* "" for an object that is compiled */
    file_id file;
};

typedef VEC(const char *) word_list;
typedef VEC(file_id) file_list;

struct loader {
    struct graph *graph;
    struct conf *conf;
    const struct toolchain *tools;
    struct err *err;
    char *root; /* absolute */
    int root_fd;
    const char *out, *image_out;
    struct map declared; /* struct declared, by name and by path; in the graph's arena */
    VEC(struct declared *) targets; /* in order of declaration */
    struct map objects; /* file names of objects that have their step */
    file_list generated; /* generated-headers */
    const struct manifest_variable *variables; /* of manifests: all of the conf */
    size_t variables_count;
};

/* A step in the making; lists are freed by step_end. */
struct making {
    struct loader *loader;
    const char *target; /* whose attributes count: a declared target's name, or an object's */
    const char *path; /* the output */
    struct origin origin;
    word_list argv;
    file_list inputs, order;
    struct step step;
};

/* Starts a step; `attribute` is the one whose line counts as the step's place. */
void step_begin(struct making *making, struct loader *loader, const char *target, file_id output,
                const char *attribute);
/* Adds the step to the graph, unless `result` is -1 already, and frees the lists. */
int step_end(struct making *making, int result);

/* An attribute, expanded; "" where unset. tree_need fails where it is empty. */
const char *tree_get(const struct making *making, const char *name);
int tree_need(const struct making *making, const char *name, const char **text);
/* An error at the line that gave the target this attribute, or this word of it. Returns -1. */
int tree_fail(const struct making *making, const char *attribute, const char *word,
              const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Words of an attribute as make splits them; the strings live in the graph. */
void tree_words(const struct making *making, const char *text, word_list *words);
/* Adds the words of a command or of flags to argv; quotes and backslashes as in a shell. */
int tree_add_words(struct making *making, const char *attribute, const char *text);
void tree_add_word(struct making *making, const char *word);
const char *tree_copy(struct loader *loader, const char *text);

/* The file that a word of an attribute names: a declared target, an object, or a file of the tree. */
int tree_resolve(struct making *making, const char *attribute, const char *word, file_id *file);
/* Resolves all words of an attribute into inputs, and their paths into `paths` (may be NULL). */
int tree_add_inputs(struct making *making, const char *attribute, word_list *paths);
/* Adds every declared target whose file is among the words: a command's own programs. */
void tree_add_mentioned(struct making *making, const word_list *words);
void tree_add_input(struct making *making, file_id file);
bool tree_exists(const struct loader *loader, const char *path);

/* The rules. Each makes the step of one target. */
struct rule {
    const char *name;
    int (*make)(struct making *making);
};
extern const struct rule tree_compile_rules[], tree_tool_rules[], tree_image_rules[];
/* The object of a name, its step made on first call. */
int tree_object(struct making *user, const char *attribute, const char *name, file_id *file);

#endif

/*
 * The room's own: variables as the conf dialect knows them, the reader that fills them, and
 * expansion. A name has at most one value from each place outside the files (saved, environment,
 * command line, screen, built in), of which the strongest counts, and beneath those the one that the
 * files gave it last. Target-specific values hang at their target or pattern.
 */
#ifndef GANTRY_CONF_DIALECT_H
#define GANTRY_CONF_DIALECT_H

#include "base/arena.h"
#include "base/map.h"
#include "conf/conf.h"

/* What one line added to a value. */
struct piece {
    char *text; /* expanded already where the value is not lazy */
    struct origin origin;
};

/* One value. A lazy one (=) is expanded at each use, the others (:=) were when they were read. */
struct binding {
    VEC(struct piece) pieces; /* joined by one space */
    struct binding *beneath; /* what it replaced, or NULL */
    char *joined; /* the pieces as one text, made on demand */
    bool lazy;
};

struct variable {
    const char *name;
    struct binding *outside[ORIGIN_BUILTIN + 1]; /* by origin, ORIGIN_SAVED and stronger */
    struct binding *file; /* of the files: the last one */
    struct binding *stock; /* of stock files that the tree has its own of; weakest */
    const char *expanded; /* cache, once the conf is sealed */
    VEC(struct conf_value) values; /* made by conf_values */
};

/* A target-specific value: `NAME: VARIABLE op VALUE`. */
struct specific {
    struct variable *variable;
    struct binding binding;
    bool append; /* follows the more general value instead of replacing it */
};

/* The target-specific values of one target or pattern; each variable at most once. */
struct scope {
    const char *target; /* with one % for a pattern */
    VEC(struct specific) specifics;
};

struct conf {
    char *root;
    struct arena arena; /* names of files, expanded texts */
    struct map variables; /* struct variable */
    struct map scopes; /* struct scope, by target */
    VEC(struct scope *) patterns; /* in order of reading; freed with `scopes` */
    struct map modules_read; /* by name */
    str_list files; /* read, or looked for in vain */
    struct map files_known;
    str_list warnings;
    bool sealed; /* loading is over: values do not change any more */
    bool checking; /* $(error) and $(word) do not fail: an expansion that only looks for faults */
    size_t budget; /* work that one expansion may do before it is called endless */
};

/* ---- values ---- */

struct variable *variable_find(const struct conf *conf, const char *name, size_t length);
struct variable *variable_make(struct conf *conf, const char *name);
/* The binding in force, or NULL where the variable is unset. */
struct binding *variable_binding(const struct variable *variable);
/* Gives a value from outside the files. */
void variable_outside(struct conf *conf, const char *name, const char *text,
                      const struct origin *origin);
void binding_add(struct binding *binding, const char *text, const struct origin *origin);
const char *binding_text(struct binding *binding);
void binding_free(struct binding *binding); /* and those beneath */
struct scope *scope_make(struct conf *conf, const char *target);
struct specific *scope_find(const struct scope *scope, const struct variable *variable);
/* Remembers a file that was read or looked for. The name lives as long as the conf. */
const char *conf_note_file(struct conf *conf, const char *path);

/* ---- reading ---- */

/* Assignments of a file of kind ORIGIN_SAVED go to the variables' outside values. */
struct source {
    const char *name; /* as errors and origins show it */
    const char *text;
    size_t length;
    enum origin_kind kind;
    unsigned depth; /* of includes */
    bool weak; /* a stock file beneath the tree's own of that name */
};
int conf_read_text(struct conf *conf, const struct source *source, struct err *err);
/* Reads a file of the tree (`path` relative to the root), or else the stock one of that name.
 * 1 where neither exists, -1 on errors. */
int conf_read_file(struct conf *conf, const char *path, unsigned depth, struct err *err);

/* Where `line` is an assignment: its parts. */
enum assign_op { ASSIGN_LAZY, ASSIGN_NOW, ASSIGN_APPEND, ASSIGN_UNSET, ASSIGN_SHELL };
struct assign_parts {
    const char *name;
    size_t name_length;
    enum assign_op op;
    const char *value; /* to the end of the line */
};
/* The end of the reference whose dollar sign is before `at`. */
const char *conf_skip_reference(const char *at);
bool conf_parse_assign(const char *line, struct assign_parts *parts);

/* ---- expansion ---- */

/* A name that is bound only while something is expanded: of foreach, and $@ of commands. */
struct local {
    const char *name, *value;
    const struct local *up;
};

/* The variables whose values are being expanded, innermost first. */
struct frame {
    const struct variable *variable;
    const struct frame *up;
};

struct expansion {
    struct conf *conf;
    const char *target; /* whose specific values are in force, or NULL */
    const struct local *locals;
    const struct frame *frames;
    struct origin at; /* for messages */
    unsigned depth;
    size_t work; /* against conf->budget */
    struct err *err;
};

/* Appends the expanded text. 0, or -1 with err. */
int expand_text(struct expansion *x, struct str *out, const char *text, size_t length);
/* Appends the value of a name. */
int expand_name(struct expansion *x, struct str *out, const char *name, size_t length);
/* Whether a text is well formed, without expanding it. 0, or -1 with err. */
int expand_check(struct expansion *x, const char *text, size_t length);
/* Counts work; -1 with err where it is too much. */
int expand_work(struct expansion *x, size_t amount);
int expand_fail(struct expansion *x, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct slice {
    const char *at;
    size_t len;
};
enum { FUNCTION_ARGS_MAX = 64 };
struct function {
    const char *name;
    unsigned min_args, max_args; /* max 0: any number */
    bool raw; /* expands its arguments itself */
    int (*run)(struct expansion *x, struct str *out, const struct slice *args, unsigned count);
};
const struct function *function_find(const char *name, size_t length);
/* All names, for spell-checking; returns how many. */
enum { FUNCTION_NAMES_MAX = 32 };
size_t function_names(const char *names[static FUNCTION_NAMES_MAX]);
/* $(NAME:PATTERN=REPLACEMENT) and patsubst. */
void function_patsubst(struct str *out, struct slice pattern, struct slice replacement,
                       struct slice text);
/* Appends what is before a pattern's %, or all of it where it has none (then false), unquoted. */
bool pattern_unquote(struct str *out, struct slice pattern);
/* The next word of a slice, which is advanced; false where there is none. */
bool slice_word(struct slice *rest, struct slice *word);
/* Whether a name matches a pattern with at most one %; *stem may be NULL. */
bool slice_match(struct slice pattern, struct slice name, struct slice *stem);
int function_wildcard(struct expansion *x, struct str *out, const struct slice *args,
                      unsigned count);

#endif

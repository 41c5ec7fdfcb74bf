/*
 * Boot arguments as a kernel reads them: options, then a program and its own words. The options are
 * those of OSv's loader.cc (usage(), parse_options()); the bundled kernel knows a few of them. Pure;
 * any thread.
 */
#ifndef GANTRY_IMAGE_BOOT_ARGS_H
#define GANTRY_IMAGE_BOOT_ARGS_H

#include <stdbool.h>

#include "base/str.h"
#include "base/vec.h"

struct boot_option {
    const char *name; /* without the dashes */
    const char *argument; /* "FS": it needs one; NULL: it takes none */
    const char *values; /* those that there are, separated by blanks; NULL: any */
    const char *help;
    bool many; /* may stand more than once */
};

enum boot_word_kind {
    BOOT_OPTION, /* begins with two dashes, before the program */
    BOOT_PROGRAM,
    BOOT_ARGUMENT, /* the program's own */
};

/* A word of a text: bytes `start` up to `start + length`. */
struct boot_word {
    enum boot_word_kind kind;
    size_t start, length;
    const struct boot_option *option; /* of an OPTION: the known one, else NULL */
    bool open; /* a quote that is not closed */
};

struct boot_args {
    VEC(struct boot_word) words;
};

/* The known options, sorted by name. */
const struct boot_option *boot_options(size_t *count);
/* Splits a text: blanks separate words, but for those between double quotes. `args` is zeroed by the
 * caller, who frees it with boot_args_free. */
void boot_args_read(const char *text, struct boot_args *args);
void boot_args_free(struct boot_args *args);
/* Appends what is wrong with a word, a sentence with its remedy; false where nothing is. */
bool boot_args_problem(const char *text, const struct boot_args *args, size_t word,
                       struct str *out);
/* The options, or values of one, that continue the word before the cursor (bytes `at`); new strings
 * are added to words, `*from` is where they begin. Nothing where the word is the program's. */
void boot_args_complete(const char *text, size_t at, size_t *from, str_list *words);

#endif

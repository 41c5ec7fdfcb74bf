/* The command line: options of the kernel, then the program and its arguments. */
#ifndef KERNEL_OPTIONS_H
#define KERNEL_OPTIONS_H

#include <stdbool.h>

enum {
    ARGUMENTS_MAX = 1024, /* bytes of the command line, with its NUL; as in OSv */
    WORDS_MAX = 64, /* words, with the NULL behind them */
};

enum root_type { ROOT_RAMFS, ROOT_ROFS };

struct options {
    enum root_type root;
    bool mount; /* false with --nomount: the disk stays unread, the root is bootfs */
    bool verbose;
    int argc; /* the program and its arguments; 0 if none is named */
    char **argv;
};

/* Prints what is wrong, if so, in one line and returns false. Called once: words are kept here. */
bool options_parse(const char *arguments, struct options *options);

#endif

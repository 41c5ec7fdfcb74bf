/*
 * What a configuration needs of this machine before anything runs: the toolchain's programs, those that
 * its declared commands start, and what conf lists in `needs` and `host-needs` (gantry-conf(5)).
 * Nothing is built for it; compilers are asked where headers and libraries are. Any thread.
 */
#ifndef GANTRY_TOOLCHAIN_NEEDS_H
#define GANTRY_TOOLCHAIN_NEEDS_H

#include "base/vec.h"
#include "conf/conf.h"
#include "toolchain/toolchain.h"

enum need_kind {
    NEED_COMPILER, /* a program of the toolchain */
    NEED_DECLARED, /* of a command, `needs` or `host-needs` */
    NEED_BOOT, /* the build goes without it; nothing can be booted */
};

/* Something that is not there. */
struct need {
    enum need_kind kind;
    char *what; /* "python3", "boost/version.hpp", "-lz": as conf says it */
    char *text; /* "header boost/version.hpp" */
    char *packages; /* Debian's that bring it; "" where nobody said which */
    char *command; /* what brings it where no package does ("git submodule update --init"); or "" */
};
typedef VEC(struct need) need_list;

/* Adds what is missing, each once. Of `tools` only the names count: they may be unresolved. Returns how
 * many there are in all, found or not. */
size_t needs_missing(struct conf *conf, const struct toolchain *tools, need_list *missing);
void need_list_free(need_list *list);
/* "python3, header boost/version.hpp"; new. */
char *needs_text(const need_list *missing);
/* The line for a shell that brings all of them: "apt-get install python3 libboost-dev && git ...";
 * new, "" where nobody said how. */
char *needs_command(const need_list *missing);

#endif

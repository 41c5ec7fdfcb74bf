/* Inside of reading make's data base: shared by make_database.c, which reads it, and make_goals.c. */
#ifndef GANTRY_LOAD_MAKE_DATABASE_H
#define GANTRY_LOAD_MAKE_DATABASE_H

#include <string.h>
#include <time.h>

#include "load/make_internal.h"

#define NO_ENTRY UINT32_MAX

struct slice {
    const char *at;
    size_t length;
};

struct entry {
    uint32_t name; /* id of names; entries are by it */
    uint32_t step; /* EVENT_NONE: it has no recipe, or was not considered */
    uint32_t makes_it; /* the entry whose recipe makes this one as well, or NO_ENTRY */
    bool known; /* an entry of the data base, and not only a prerequisite */
    bool considered, has_recipe, phony;
    bool depends; /* something of it is more than order-only */
    bool forced; /* and is phony, or no file */
    bool asked, missing; /* whether it is no file: looked at once */
    bool succeeded; /* make's verdict: made, or up to date */
    /* Of make_times.c: what has become of it; whether its file was looked at, is there, and since when. */
    uint8_t aged;
    bool looked, there, regular;
    struct timespec mtime;
    struct slice place; /* of its recipe: "'Makefile', line 4):" */
    uint32_t seen; /* by the walk of which step, + 1 */
    uint32_t needs, needs_count; /* slice of links */
};

/* One rule line: several may be for one name (double-colon rules). */
struct rule {
    uint32_t entry;
    struct slice prerequisites;
};

/* "target: NAME += value", which all that the target needs inherits, too. */
struct own_variable {
    uint32_t entry;
    struct slice name;
};

struct database {
    struct make_build *make;
    uint32_t number;
    struct intern names;
    VEC(struct entry) entries;
    VEC(struct rule) rules;
    VEC(struct rule) also; /* "Also makes" lines */
    VEC(uint32_t) links;
    VEC(unsigned char) soft; /* by link: order-only */
    VEC(struct own_variable) own;
};

static inline bool next_line(struct slice *rest, struct slice *line)
{
    if (!rest->length)
        return false;
    const char *end = memchr(rest->at, '\n', rest->length);
    *line = (struct slice){rest->at, end ? (size_t)(end - rest->at) : rest->length};
    size_t used = line->length + (end != NULL);
    rest->at += used;
    rest->length -= used;
    return true;
}

static inline bool line_starts(struct slice line, const char *text)
{
    size_t length = strlen(text);
    return line.length >= length && memcmp(line.at, text, length) == 0;
}

/* What was passed over is as new as what it is made of now, and whatever that concerns: so that the
 * next make finds nothing to do there. */
void database_times(struct database *base);

/* Records the recipes whose command depends on the goal that reached them first: they use a variable
 * that one of their users sets for all it needs, and have another user that does not. */
void database_goals(struct database *base, struct slice all);

#endif

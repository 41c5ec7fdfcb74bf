/*
 * From uses of paths (plan/uses.h) to versions of the state: what steps and makes have in common
 * when they are recorded. Private to the make loader, in the coordinator's thread.
 */
#ifndef GANTRY_LOAD_MAKE_TAKING_H
#define GANTRY_LOAD_MAKE_TAKING_H

#include "load/make_state.h"

/* What was used by a step (or a make) while it is turned into versions. */
struct taking {
    struct make_state *kept;
    int64_t since_ns; /* files with a later stamp changed while they were used */
    VEC(version_id) used, looked;
    VEC(version_id) made;
    const struct step_record *old;
};

/* The version of a marked path as it is now. */
version_id taking_version(struct taking *taking, const char *path);
/* The same of a path that is not marked yet. */
version_id taking_marked(struct taking *taking, char mark, const char *path);
/* The version of an unmarked path that the step itself wrote: it is what it is, however late. */
version_id taking_written(struct taking *taking, const char *path);
/* The version of a path that was looked for in vain. */
version_id taking_absent(struct taking *taking, const char *path);

/* What a program is, added to both: one of the tree; one that tells what no file tells. */
void taking_program(const char *path, const char *root, bool *own, bool *oracle);
/* The same of all that the processes of a trace ran. */
void taking_programs(const struct trace *trace, const char *root, bool *own, bool *oracle);

#endif

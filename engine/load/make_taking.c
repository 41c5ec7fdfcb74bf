#include "load/make_taking.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "trace/trace.h"

static bool is_known(const struct state *state, version_id version)
{
    return version != VERSION_NONE && !hash_equal(state->versions.at[version].hash, hash_unknown);
}

/* `late_counts`: what changed while it was used is not known. */
static version_id take(struct taking *taking, const char *path, bool late_counts)
{
    struct make_state *kept = taking->kept;
    struct state *state = &kept->state;
    text_id text = state_text(state, path);
    struct identity id = now_identity(kept->now.root_fd, path);
    version_id version =
        identity_absent(&id) ? VERSION_NONE : state_find_version(state, text, &id, NULL);
    if (!is_known(state, version)) {
        struct hash hash = now_hash(kept->now.root_fd, path, &id, make_state_counts, kept);
        static const struct identity nobody;
        bool late = late_counts && id.ctime_ns >= taking->since_ns;
        if (late)
            hash = hash_unknown;
        version = state_version(state, text, late ? &nobody : &id, hash);
    }
    if (is_known(state, version))
        now_set(&kept->now, text, version);
    return version;
}

version_id taking_version(struct taking *taking, const char *path)
{
    struct make_state *kept = taking->kept;
    text_id text = state_text(&kept->state, path);
    bool outside = now_plain(path)[0] == '/';
    while (kept->system.len <= text)
        vec_push(&kept->system, VERSION_NONE);
    if (outside && kept->system.at[text] != VERSION_NONE)
        return kept->system.at[text];
    bool late_counts = path[0] != PATH_LIST && intern_find(&kept->products, path) == INTERN_NONE;
    version_id version = take(taking, path, late_counts);
    if (outside)
        kept->system.at[text] = version;
    return version;
}

version_id taking_written(struct taking *taking, const char *path)
{
    version_id version = take(taking, path, false);
    now_set(&taking->kept->now, taking->kept->state.versions.at[version].path, version);
    return version;
}

version_id taking_marked(struct taking *taking, char mark, const char *path)
{
    char *marked = mem_format("%c%s", mark, path);
    version_id version = taking_version(taking, marked);
    free(marked);
    return version;
}

version_id taking_absent(struct taking *taking, const char *path)
{
    static const struct identity nobody;
    text_id text = state_text(&taking->kept->state, path);
    now_review(&taking->kept->now, text);
    return state_version(&taking->kept->state, text, &nobody, hash_absent);
}

void taking_program(const char *path, const char *root, bool *own, bool *oracle)
{
    static const char *const oracles[] = {"date",   "nproc", "hostname", "uptime",
                                          "whoami", "id",    "curl",     "wget",
                                          "ssh",    "scp",   "rsync",    "uuidgen"};
    static const char *const interpreters[] = {"python", "perl",  "ruby", "node",
                                               "lua",    "tclsh", "php"};
    size_t root_length = strlen(root);
    const char *name = path_base(path);
    *own |= strncmp(path, root, root_length) == 0 && path[root_length] == '/';
    for (size_t k = 0; k < sizeof interpreters / sizeof *interpreters; k++)
        *own |= str_starts(name, interpreters[k]);
    for (size_t k = 0; k < sizeof oracles / sizeof *oracles; k++)
        *oracle |= strcmp(name, oracles[k]) == 0;
}

void taking_programs(const struct trace *trace, const char *root, bool *own, bool *oracle)
{
    for (size_t i = 0; i < trace->accesses.len; i++) {
        const struct access *access = &trace->accesses.at[i];
        if ((access->kinds & ACCESS_EXEC) && access->found)
            taking_program(name_text(access->path), root, own, oracle);
    }
}

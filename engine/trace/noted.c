#include "trace/noted.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "trace/common.h"

/* A record as it is understood. */
struct noted {
    const struct ring_record *record;
    bool done; /* its result is known */
    int error; /* of the call, or 0 */
    size_t at; /* of server->paths: its path */
    struct common_query query;
};

/* ---- where it leads ---- */

/* Where a path leads, and what stands there; the links on the way are held. */
static void find_out(struct trace_server *server, pid_t pid, struct noted *noted)
{
    struct resolver *resolver = &server->resolver;
    struct common_query *query = &noted->query;
    struct common_note *where = &query->note;
    if (!query->found)
        common_find_notes(&query, 1, resolver);
    if (!query->found) {
        resolver->told = query->told;
        where->kind =
            resolve_path_anew(resolver, pid, query->path, query->follow_last, &server->canonical);
        resolver->told = RESOLVE_NOT_TOLD;
        where->name = resolver->name;
        where->systems = false;
        return;
    }
    for (uint32_t i = 0; i < where->links_count; i++)
        hold_name(server, where->links[i], where->systems, ACCESS_LINK, true);
}

/* The same where the program has found out by itself, name by name, that there is nothing: no link is. */
static void find_nothing(struct trace_server *server, struct noted *noted)
{
    struct common_query *query = &noted->query;
    if (!query->found)
        common_find_notes(&query, 1, &server->resolver);
    if (query->found)
        return;
    query->note =
        (struct common_note){.name = name_id_n(query->path, query->length), .kind = RESOLVE_ABSENT};
    common_keep_note(query, &server->resolver);
}

static bool path_is_below(const char *path, const char *directory)
{
    size_t length = strlen(directory);
    return !strncmp(path, directory, length) && (path[length] == '/' || length == 1);
}

/* realpath(3) asks of each directory on the way, from where it starts, whether it is a link. */
static void hold_parents(struct trace_server *server, uint32_t name, const char *from)
{
    enum { DEPTH = PATH_MAX / 2 };
    uint32_t parents[DEPTH];
    size_t depth = 0;
    if (from && !path_is_below(name_text(name), from))
        from = NULL;
    for (name = name_parent(name); name != INTERN_NONE && depth < DEPTH; name = name_parent(name)) {
        if (from && !path_is_below(name_text(name), from))
            break;
        parents[depth++] = name;
    }
    while (depth)
        hold_name(server, parents[--depth], false, ACCESS_STAT, true);
}

/* ---- what it did ---- */

/* A file is made, written or removed. */
static bool is_change(const struct ring_record *record)
{
    const uint32_t changing = O_ACCMODE | O_CREAT | O_TRUNC;
    return record->op == RING_UNLINK || (record->op == RING_OPEN && (record->flags & changing));
}

/* The same; its last name is none of a link. */
static void keep_change(struct trace_server *server, struct guest *guest, const struct noted *noted)
{
    const struct ring_record *record = noted->record;
    bool unlink = record->op == RING_UNLINK;
    bool there = unlink || (record->flags & RING_WAS_THERE);
    uint32_t kinds =
        unlink ? ACCESS_REMOVE
               : open_kinds(record->flags & ~RING_WAS_THERE, there ? RESOLVE_FILE : RESOLVE_ABSENT);
    resolve_path_anew(&server->resolver, guest->pid, noted->query.path, false, &server->canonical);
    if (unlink)
        resolve_forget_files(&server->resolver);
    hold_name(server, server->resolver.name, false, kinds, there);
}

static uint32_t look_kinds(const struct ring_record *record, enum resolve_kind kind, bool found)
{
    if (record->op == RING_EXEC)
        return ACCESS_READ | ACCESS_EXEC;
    if (record->op == RING_OPEN)
        return found && kind == RESOLVE_DIRECTORY ? ACCESS_STAT : ACCESS_READ;
    if (record->op == RING_READLINK && record->result >= 0)
        return ACCESS_LINK;
    return ACCESS_STAT;
}

static void keep_look(struct trace_server *server, struct guest *guest, struct noted *noted)
{
    const struct ring_record *record = noted->record;
    if (record->op == RING_REALPATH_END && noted->error == ENOENT)
        find_nothing(server, noted);
    else
        find_out(server, guest->pid, noted);
    bool there = noted->query.note.kind != RESOLVE_ABSENT;
    bool told = noted->done && noted->error != ENOTDIR && noted->error != ELOOP;
    bool found = told ? noted->error != ENOENT : there;
    bool walked = record->op == RING_REALPATH || record->op == RING_REALPATH_END;
    if (walked && !(record->flags & RING_PARENTS_KNOWN))
        hold_parents(server, noted->query.note.name,
                     record->flags & RING_RELATIVE ? guest->directory : NULL);
    bool kept = noted->query.found && server->ignored.len == 1; /* RING_PLACE */
    hold_name(server, noted->query.note.name, noted->query.note.systems || kept,
              look_kinds(record, noted->query.note.kind, found), found);
}

/* ---- records ---- */

/* A path of a record, as an absolute one, goes behind server->paths. False where there is none. */
static bool add_path(struct trace_server *server, struct guest *guest, struct noted *noted)
{
    const struct ring_record *record = noted->record;
    struct str *paths = &server->paths;
    size_t room = record->size - sizeof *record, length = strnlen(record->path, room);
    if (!length || length == room || record->op == RING_NOTHING)
        return false;
    if (record->path[0] != '/' && !guest->directory) {
        guest->trace->flaws |= TRACE_UNREADABLE;
        return false;
    }
    noted->at = paths->len;
    if (record->path[0] != '/') {
        str_add(paths, guest->directory);
        str_add_char(paths, '/');
    }
    str_add_n(paths, record->path, length);
    noted->query.length = paths->len - noted->at;
    str_add_char(paths, '\0');
    return true;
}

/* What it says. False where it says nothing. */
static bool understand(struct trace_server *server, struct guest *guest,
                       const struct ring_record *record, struct noted *noted)
{
    noted->record = record;
    noted->done = atomic_load(&record->state) == RECORD_DONE;
    noted->error = noted->done && record->result < 0 ? -record->result : 0;
    if (record->op == RING_REALPATH && noted->error)
        return false; /* its end comes as a record of its own */
    bool nowhere = record->op == RING_REALPATH_END && noted->error == ENOENT;
    bool stays = record->op == RING_REALPATH_END || record->op == RING_LSTAT ||
                 record->op == RING_READLINK ||
                 (record->op == RING_OPEN && (record->flags & O_NOFOLLOW));
    noted->query.follow_last = nowhere || !stays;
    noted->query.told = !noted->done             ? RESOLVE_NOT_TOLD
                        : noted->error == ENOENT ? RESOLVE_TOLD_ABSENT
                        : !noted->error          ? RESOLVE_TOLD_THERE
                                                 : RESOLVE_NOT_TOLD;
    if (is_change(record))
        noted->query.told = RESOLVE_NOT_TOLD; /* nothing is known beforehand */
    return add_path(server, guest, noted);
}

void noted_keep(struct trace_server *server, struct guest *guest,
                const struct ring_record *const *records, size_t count)
{
    struct noted noted[NOTED_BATCH];
    struct common_query *queries[NOTED_BATCH];
    size_t len = 0;
    str_cut(&server->paths, 0);
    for (size_t i = 0; i < count && guest->trace; i++)
        len += understand(server, guest, records[i], &noted[len]);
    for (size_t i = 0; i < len; i++) {
        noted[i].query.path = server->paths.at + noted[i].at;
        queries[i] = &noted[i].query;
    }
    common_find_notes(queries, len, &server->resolver);
    server->trace = guest->trace;
    for (size_t i = 0; i < len; i++)
        if (noted[i].query.found)
            ids_prepare(&guest->trace->private->paths, noted[i].query.note.name);
    for (size_t i = 0; i < len; i++) {
        server->pending.len = 0;
        if (is_change(noted[i].record))
            keep_change(server, guest, &noted[i]);
        else
            keep_look(server, guest, &noted[i]);
        for (size_t k = 0; k < server->pending.len; k++)
            keep_access(guest->trace, &server->pending.at[k], guest->process,
                        noted[i].record->time_ns);
        guest->trace->noted++;
    }
}

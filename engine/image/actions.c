#include "image/actions.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/path.h"
#include "image/sink.h"

static bool stopped(void *data)
{
    struct action_io *io = data;
    return io->stopped && io->stopped(io);
}

static void progress(void *data, uint64_t done_bytes, uint64_t total_bytes)
{
    struct action_io *io = data;
    if (io->progress && total_bytes)
        io->progress(io, done_bytes, total_bytes);
}

/* What the writers are given. */
static struct image_io io_of(struct action_io *io)
{
    return (struct image_io){.data = io, .stopped = stopped, .progress = progress};
}

/* Where the machine finds a path of the tree; the caller frees. */
static char *in_root(const struct action_io *io, const char *path)
{
    return path_join(io->root ? io->root : ".", path);
}

static void tell_size(struct action_io *io, const char *file)
{
    struct stat st;
    if (io->compose && stat(file, &st) == 0)
        io->compose(io, io->outputs[0], (uint64_t)st.st_size);
}

typedef int fs_write(const char *, const struct manifest_list *, const struct image_io *,
                     struct err *);

/* One that another can take the place of in what is linked with it. */
static int write_reserve(const char *path, const struct manifest_action *action,
                         const struct manifest_list *list, const struct image_io *io,
                         struct err *err)
{
    const struct image_pack pack = {
        .volumes = {{.fs = IMAGE_RAMFS, .list = list, .size_bytes = action->reserve_bytes}},
        .volumes_count = 1};
    return image_pack(path, &pack, io, err);
}

static int write_fs(const struct manifest_action *action, struct action_io *io, fs_write *write,
                    struct err *err)
{
    struct manifest_list list = {0};
    struct manifest_scope scope = action->scope;
    struct image_io image_io = io_of(io);
    char *output = in_root(io, io->outputs[0]);
    scope.root = io->root;
    int status = manifest_resolve(&list, action->manifests, action->manifests_count, &scope,
                                  MANIFEST_STRICT, err);
    if (!status)
        status = action->reserve_bytes ? write_reserve(output, action, &list, &image_io, err)
                                       : write(output, &list, &image_io, err);
    for (size_t i = 0; !status && io->needs && i < list.looked_at.len; i++)
        io->needs(io, list.looked_at.at[i]);
    if (!status)
        tell_size(io, output);
    manifest_list_free(&list);
    free(output);
    return status;
}

int action_bootfs(const void *data, struct action_io *io, struct err *err)
{
    return write_fs(data, io, bootfs_write, err);
}

int action_rofs(const void *data, struct action_io *io, struct err *err)
{
    return write_fs(data, io, rofs_write, err);
}

/* True where a step makes the file, or something that a wildcard or a directory of that name takes
 * in; or where a command's own directory holds it, since commands make more than they declare. */
static bool may_be_made(const struct graph *graph, const char *path)
{
    size_t fixed = strcspn(path, "*?[");
    for (file_id file = 0; file < graph->files.len; file++) {
        step_id step = graph->files.at[file].producer;
        if (step == STEP_NONE)
            continue;
        const char *made = graph_path(graph, file);
        if (strncmp(made, path, fixed) == 0)
            return true;
        char *dir = path_dir(made);
        bool inside = !graph->steps.at[step].action && strchr(dir, '/') &&
                      (strcmp(graph->steps.at[step].rule, "tool") == 0 ||
                       strcmp(graph->steps.at[step].rule, "ant") == 0) &&
                      strncmp(path, dir, strlen(dir)) == 0 && path[strlen(dir)] == '/' &&
                      strchr(path + strlen(dir) + 1, '/');
        free(dir);
        if (inside)
            return true;
    }
    return false;
}

/* Whether an entry is hopeless now, before anything was built. */
static bool is_hopeless(const struct manifest_entry *entry, const struct manifest_scope *scope,
                        const struct graph *graph)
{
    if (!entry->problem || !entry->missing)
        return entry->problem != NULL;
    bool hope = false;
    for (size_t i = 0; i < scope->dirs_count && !hope; i++) {
        char *path = path_join(scope->dirs[i], entry->source ? entry->source : entry->wanted);
        hope = may_be_made(graph, path);
        free(path);
    }
    return !hope;
}

int manifest_check(const void *data, const struct graph *graph, const char *root, struct err *err)
{
    const struct manifest_action *action = data;
    struct manifest_list list = {0};
    struct manifest_scope scope = action->scope;
    const struct manifest_entry *first = NULL;
    scope.root = root;
    int status = manifest_resolve(&list, action->manifests, action->manifests_count, &scope,
                                  MANIFEST_MARK, err);
    for (size_t i = 0; !status && i < list.entries.len; i++) {
        const struct manifest_entry *entry = &list.entries.at[i];
        if ((!first || entry->order < first->order) && is_hopeless(entry, &scope, graph))
            first = entry;
    }
    if (first)
        status =
            err_at(err, first->file, first->line, 0, "%.200s: %s", first->guest, first->problem);
    manifest_list_free(&list);
    return status;
}

int action_disk(const void *data, struct action_io *io, struct err *err)
{
    struct disk_layout layout = *(const struct disk_layout *)data;
    struct image_io image_io = io_of(io);
    char *files[DISK_PARTS_MAX] = {0};
    for (unsigned i = 0; i < layout.parts_count; i++)
        layout.parts[i].file = files[i] = in_root(io, layout.parts[i].file);
    char *output = in_root(io, io->outputs[0]);
    int status = disk_write(output, &layout, &image_io, err);
    if (!status)
        tell_size(io, output);
    for (unsigned i = 0; i < layout.parts_count; i++)
        free(files[i]);
    free(output);
    return status;
}

int action_embed(const void *data, struct action_io *io, struct err *err)
{
    char *program = in_root(io, io->inputs[0]), *file = in_root(io, io->inputs[1]);
    char *output = in_root(io, io->outputs[0]);
    const struct image_embed embed = {.program = program, .file = file, .symbol = data};
    int status = image_embed(output, &embed, err);
    if (!status)
        tell_size(io, output);
    free(program);
    free(file);
    free(output);
    return status;
}

int action_compress(const void *data, struct action_io *io, struct err *err)
{
    (void)data;
    char *input = in_root(io, io->inputs[0]), *output = in_root(io, io->outputs[0]);
    int status = loader_compress(input, output, err);
    if (!status)
        tell_size(io, output);
    free(input);
    free(output);
    return status;
}

int action_copy(const void *data, struct action_io *io, struct err *err)
{
    (void)data;
    struct sink sink;
    struct stat st;
    struct image_io image_io = io_of(io);
    char *input = in_root(io, io->inputs[0]), *output = in_root(io, io->outputs[0]);
    int status = -1;
    if (stat(input, &st) < 0) {
        err_errno(err, "cannot read %s", input);
    } else if (sink_open(&sink, output, DISK_RAW, (uint64_t)st.st_size, &image_io, err) == 0) {
        sink.total_bytes = (uint64_t)st.st_size;
        if (sink_file(&sink, input, (uint64_t)st.st_size, err) == 0) {
            fchmod(sink.out.fd, st.st_mode & 0777);
            status = sink_finish(&sink, sink_at(&sink), err);
        } else {
            sink_abandon(&sink);
        }
    }
    free(input);
    free(output);
    return status;
}

#include "vfs.h"

#include "kernel.h"

enum { MOUNTS_MAX = 4, LINKS_MAX = 16 };

struct mount {
    const struct file_system *type;
    void *instance;
    struct file root;
    char name[32]; /* of the directory in "/" that it stands for; "" for "/" itself */
};

static struct mount mounts[MOUNTS_MAX];
static uint32_t mount_count;

int vfs_mount(const char *path, const struct file_system *type, void *instance,
              const struct file *root)
{
    struct mount *mount = &mounts[mount_count];

    if (mount_count == MOUNTS_MAX)
        return ERROR_TOO_MANY;
    if (*path++ != '/' || strchr(path, '/') || !text_copy(mount->name, path, sizeof mount->name))
        return ERROR_NAME;
    mount->type = type;
    mount->instance = instance;
    mount->root = *root;
    mount->root.mount = mount_count++;
    log_line("mounted %s on /%s", type->type, mount->name);
    return 0;
}

/* The latest mount called name, or NULL. */
static const struct mount *find_mount(const char *name, size_t length)
{
    for (uint32_t i = mount_count; i-- > 0;)
        if (strlen(mounts[i].name) == length && memcmp(mounts[i].name, name, length) == 0)
            return &mounts[i];
    return NULL;
}

static bool is_root(const struct file *file)
{
    const struct mount *root = find_mount("", 0);

    return root && file->mount == root->root.mount && file->node == root->root.node;
}

/* One step of a walk: name in directory. Mount points come before what they hide. */
static int step(const struct file *directory, const char *name, size_t length, struct file *file)
{
    const struct mount *mount = is_root(directory) && length ? find_mount(name, length) : NULL;

    if (mount) {
        *file = mount->root;
        return 0;
    }
    if (directory->type != FILE_DIRECTORY)
        return ERROR_NOT_DIRECTORY;
    if (length > NAME_MAX_BYTES)
        return ERROR_NAME;
    mount = &mounts[directory->mount];
    file->mount = directory->mount;
    return mount->type->look_up(mount->instance, directory->node, name, length, file);
}

/*
 * A walk keeps the directories it came through, for "..": a symlink's target goes on from its own
 * directory, and file systems know no parents.
 */
struct walk {
    char path[PATH_MAX_BYTES + 1]; /* what is left to walk */
    struct file trail[64]; /* from the root to where we are */
    int depth; /* index of the last of them */
    int links; /* followed so far */
};

/* Puts the target of link before rest, which lies inside walk->path. */
static int follow(struct walk *walk, const struct file *link, const char *rest)
{
    char joined[sizeof walk->path];
    int64_t length = vfs_read(link, 0, joined, sizeof joined - 1);

    if (length < 0)
        return (int)length;
    if (++walk->links > LINKS_MAX)
        return ERROR_LOOP;
    joined[length] = '\0';
    if (*joined == '/')
        walk->depth = 0;
    if ((size_t)length + 1 + strlen(rest) + 1 > sizeof joined)
        return ERROR_NAME;
    format_text(joined + length, sizeof joined - (size_t)length, "/%s", rest);
    memcpy(walk->path, joined, sizeof joined);
    return 0;
}

static int walk_path(struct walk *walk, bool follow_last)
{
    const char *at = walk->path;

    for (;;) {
        while (*at == '/')
            at++;
        if (!*at)
            return 0;

        const char *end = strchr(at, '/');
        size_t length = end ? (size_t)(end - at) : strlen(at);
        struct file file, *here = &walk->trail[walk->depth];

        if (length == 1 && at[0] == '.' && here->type == FILE_DIRECTORY) {
            at += length;
            continue;
        }
        if (length == 2 && at[0] == '.' && at[1] == '.' && here->type == FILE_DIRECTORY) {
            walk->depth -= walk->depth > 0;
            at += length;
            continue;
        }
        int error = step(here, at, length, &file);

        if (error)
            return error;
        at += length;
        if (file.type == FILE_SYMLINK && (follow_last || *at)) {
            error = follow(walk, &file, at);
            if (error)
                return error;
            at = walk->path;
            continue;
        }
        if (walk->depth + 1 == sizeof walk->trail / sizeof walk->trail[0])
            return ERROR_NAME;
        walk->trail[++walk->depth] = file;
    }
}

static int look_up(const char *path, bool follow_last, struct file *file)
{
    const struct mount *root = find_mount("", 0);
    int error = ERROR_NOT_FOUND;

    /* Too large for the stack of a program that runs a program. */
    struct walk *walk = memory_allocate(sizeof *walk);

    if (!walk)
        return ERROR_MEMORY;
    if (root && *path == '/') {
        walk->trail[0] = root->root;
        walk->depth = walk->links = 0;
        error = text_copy(walk->path, path, sizeof walk->path) ? walk_path(walk, follow_last)
                                                               : ERROR_NAME;
    }
    if (!error)
        *file = walk->trail[walk->depth];
    memory_release(walk);
    trace_event(error ? "lookup failed" : "lookup", (uint64_t)-error, error ? 0 : file->node);
    return error;
}

int vfs_look_up(const char *path, struct file *file)
{
    return look_up(path, true, file);
}

int vfs_look_up_link(const char *path, struct file *file)
{
    return look_up(path, false, file);
}

int64_t vfs_read(const struct file *file, uint64_t offset, void *buffer, size_t size)
{
    const struct mount *mount = &mounts[file->mount];

    ASSERT(file->mount < mount_count);
    if (file->type == FILE_DIRECTORY)
        return ERROR_IS_DIRECTORY;
    if (offset >= file->size)
        return 0;
    if (size > file->size - offset)
        size = (size_t)(file->size - offset);
    return mount->type->read(mount->instance, file, offset, buffer, size);
}

/* Mount points that the root's own file system does not have are listed behind its entries. */
static int list_mounts(const struct file *root, uint64_t index, struct directory_entry *entry)
{
    for (uint32_t i = 0; i < mount_count; i++) {
        const char *name = mounts[i].name;
        struct file hidden;

        if (!*name || mounts[root->mount].type->look_up(mounts[root->mount].instance, root->node,
                                                        name, strlen(name), &hidden) == 0)
            continue;
        if (index-- > 0)
            continue;
        text_copy(entry->name, name, sizeof entry->name);
        entry->file = mounts[i].root;
        return 0;
    }
    return ERROR_RANGE;
}

int vfs_list(const struct file *directory, uint64_t index, struct directory_entry *entry)
{
    const struct mount *mount = &mounts[directory->mount];

    if (directory->type != FILE_DIRECTORY)
        return ERROR_NOT_DIRECTORY;
    if (index >= directory->size)
        return is_root(directory) ? list_mounts(directory, index - directory->size, entry)
                                  : ERROR_RANGE;
    entry->file.mount = directory->mount;
    return mount->type->list(mount->instance, directory, index, entry);
}

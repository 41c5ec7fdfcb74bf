/*
 * The tree of files: a table of mounted file systems and the walk along a path. File systems are
 * read-only, and look up one name in one directory; symbolic links and mount points are dealt with
 * here.
 */
#ifndef KERNEL_VFS_H
#define KERNEL_VFS_H

#include "kernel_api.h"

/* What a file system does; instance is its own. All may fail with an enum error. */
struct file_system {
    const char *type;
    /* Fills all of *file but its mount. */
    int (*look_up)(void *instance, uint64_t directory, const char *name, size_t length,
                   struct file *file);
    int64_t (*read)(void *instance, const struct file *file, uint64_t offset, void *buffer,
                    size_t size);
    /* ERROR_RANGE behind the last entry. */
    int (*list)(void *instance, const struct file *directory, uint64_t index,
                struct directory_entry *entry);
};

/* path is "/" or "/NAME"; it needs not exist in the file system below. A later mount hides. */
int vfs_mount(const char *path, const struct file_system *type, void *instance,
              const struct file *root);

int vfs_look_up(const char *path, struct file *file);
int vfs_look_up_link(const char *path, struct file *file);
/* A symlink is read as a file that holds its target, without NUL. */
int64_t vfs_read(const struct file *file, uint64_t offset, void *buffer, size_t size);
int vfs_list(const struct file *directory, uint64_t index, struct directory_entry *entry);

/* bootfs.c: the file system inside the kernel. */
int bootfs_mount(const char *path);

/* rofs.c: from the first disk or partition that holds one; *name tells which. */
int rofs_mount(const char *path, const char **name);

#endif

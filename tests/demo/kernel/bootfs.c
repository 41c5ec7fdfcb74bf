/*
 * bootfs: the files inside the kernel. The format is that of OSv's scripts/mkbootfs.py at HEAD:
 * records of 128 bytes, ended by one that is all zero, then the data; a name that ends in "/" is
 * a directory, a symlink's data is its target and a NUL. Names are whole paths and parents need
 * not be listed, so the tree is made here, once.
 */
#include "kernel.h"
#include "vfs.h"

struct record {
    uint64_t size, offset; /* of the data, from the start of the blob */
    int8_t type; /* 0 file (or directory), 1 symlink */
    char name[111];
} __attribute__((packed));

_Static_assert(sizeof(struct record) == 128, "as in the format");

/* A file's node number is the address of its struct. */
struct node {
    struct node *next; /* in the same directory */
    struct node *child; /* first of a directory's, in the order of the blob */
    const char *data; /* of files and symlinks: inside the blob */
    uint64_t size; /* as in struct file */
    uint32_t type; /* enum file_type */
    uint32_t name_length;
    const char *name; /* inside the blob, not ended by NUL */
};

/* bootfs_blob.S */
extern const char bootfs_blob[], bootfs_blob_end[];

static struct node *find_child(const struct node *parent, const char *name, size_t length)
{
    for (struct node *child = parent->child; child; child = child->next)
        if (child->name_length == length && memcmp(child->name, name, length) == 0)
            return child;
    return NULL;
}

/* The child called name, made as an empty directory if there is none. NULL if memory is out. */
static struct node *get_child(struct node *parent, const char *name, size_t length)
{
    struct node *child = find_child(parent, name, length), **last = &parent->child;

    if (child)
        return child;
    child = memory_allocate(sizeof *child);
    if (!child)
        return NULL;
    *child = (struct node){.type = FILE_DIRECTORY, .name = name, .name_length = (uint32_t)length};
    while (*last)
        last = &(*last)->next;
    *last = child;
    parent->size++;
    return child;
}

static int add_record(struct node *root, const struct record *record)
{
    uint64_t blob_size = (uint64_t)(bootfs_blob_end - bootfs_blob);
    struct node *node = root;
    const char *at = record->name;
    bool directory = false;

    if (record->name[sizeof record->name - 1] || record->offset > blob_size ||
        record->size > blob_size - record->offset)
        return ERROR_FORMAT;
    for (;;) {
        while (*at == '/')
            at++;
        if (!*at)
            break;
        const char *end = strchr(at, '/');
        size_t length = end ? (size_t)(end - at) : strlen(at);

        if (node->type != FILE_DIRECTORY)
            return ERROR_FORMAT;
        node = get_child(node, at, length);
        if (!node)
            return ERROR_MEMORY;
        directory = end != NULL;
        at += length;
    }
    if (directory || node == root)
        return 0;
    node->type = record->type == 1 ? FILE_SYMLINK : FILE_REGULAR;
    node->data = bootfs_blob + record->offset;
    /* Without the NUL that ends a symlink's target. */
    node->size = record->size - (record->type == 1 && record->size > 0);
    return 0;
}

static void fill(const struct node *node, struct file *file)
{
    file->type = node->type;
    file->node = (uintptr_t)node;
    file->size = node->size;
}

static int bootfs_look_up(void *instance, uint64_t directory, const char *name, size_t length,
                          struct file *file)
{
    const struct node *node = find_child((struct node *)(uintptr_t)directory, name, length);

    (void)instance;
    if (!node)
        return ERROR_NOT_FOUND;
    fill(node, file);
    return 0;
}

static int64_t bootfs_read(void *instance, const struct file *file, uint64_t offset, void *buffer,
                           size_t size)
{
    const struct node *node = (struct node *)(uintptr_t)file->node;

    (void)instance;
    memcpy(buffer, node->data + offset, size);
    return (int64_t)size;
}

static int bootfs_list(void *instance, const struct file *directory, uint64_t index,
                       struct directory_entry *entry)
{
    const struct node *node = ((struct node *)(uintptr_t)directory->node)->child;

    (void)instance;
    while (node && index-- > 0)
        node = node->next;
    if (!node)
        return ERROR_RANGE;
    memcpy(entry->name, node->name, node->name_length);
    entry->name[node->name_length] = '\0';
    fill(node, &entry->file);
    return 0;
}

int bootfs_mount(const char *path)
{
    static const struct file_system bootfs = {"bootfs", bootfs_look_up, bootfs_read, bootfs_list};
    static struct node *root;
    struct file file;

    if (!root) {
        const struct record *record = (const struct record *)bootfs_blob;

        root = memory_allocate(sizeof *root);
        if (!root)
            return ERROR_MEMORY;
        *root = (struct node){.type = FILE_DIRECTORY, .name = ""};
        for (; record->name[0]; record++) {
            int error = (const char *)(record + 2) > bootfs_blob_end ? ERROR_FORMAT
                                                                     : add_record(root, record);

            if (error)
                return error;
        }
    }
    fill(root, &file);
    return vfs_mount(path, &bootfs, NULL, &file);
}

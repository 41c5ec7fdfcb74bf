/* Two images side by side: files that came, went or changed. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "image/read_image.h"

struct side {
    struct disk_file disk;
    struct fs_reader reader;
};

static int open_side(struct side *side, const char *path, struct err *err)
{
    side->reader = (struct fs_reader){0};
    if (disk_open(&side->disk, path, DISK_READ, err) < 0)
        return -1;
    return image_open_fs(&side->disk, &side->reader, err);
}

static void close_side(struct side *side)
{
    fs_reader_free(&side->reader);
    disk_close(&side->disk);
}

/* 1: equal; 0: not; -1: cannot be read. Sizes are equal. */
static int same_bytes(struct side *a, const struct fs_file *x, struct side *b,
                      const struct fs_file *y)
{
    enum { PIECE_BYTES = 256 * 1024 };
    unsigned char *bytes = mem_alloc(2 * PIECE_BYTES);
    int result = 1;
    for (uint64_t at = 0; at < x->file.size_bytes && result == 1; at += PIECE_BYTES) {
        uint64_t left = x->file.size_bytes - at;
        size_t length = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
        if (fs_file_read(&a->reader, x, at, bytes, length) < 0 ||
            fs_file_read(&b->reader, y, at, bytes + PIECE_BYTES, length) < 0)
            result = -1;
        else if (memcmp(bytes, bytes + PIECE_BYTES, length) != 0)
            result = 0;
    }
    free(bytes);
    return result;
}

static void add_change(struct image_changes *changes, enum image_change_kind kind,
                       const struct fs_file *x, const struct fs_file *y)
{
    const struct fs_file *named = x ? x : y;
    vec_push(&changes->changes,
             (struct image_change){arena_copy(&changes->arena, named->file.path), kind,
                                   x ? x->file.size_bytes : 0, y ? y->file.size_bytes : 0});
}

static int compare_files(struct side *a, const struct fs_file *x, struct side *b,
                         const struct fs_file *y, struct image_changes *changes)
{
    if (x->file.kind != y->file.kind) {
        add_change(changes, CHANGE_KIND, x, y);
    } else if (x->file.kind == ENTRY_SYMLINK) {
        if (strcmp(x->file.target, y->file.target) != 0)
            add_change(changes, CHANGE_CONTENT, x, y);
    } else if (x->file.kind == ENTRY_FILE && x->file.size_bytes != y->file.size_bytes) {
        add_change(changes, CHANGE_SIZE, x, y);
    } else if (x->file.kind == ENTRY_FILE) {
        int same = same_bytes(a, x, b, y);
        if (same < 0)
            return -1;
        if (!same)
            add_change(changes, CHANGE_CONTENT, x, y);
    }
    if (x->file.kind == y->file.kind && x->file.mode && y->file.mode &&
        x->file.mode != y->file.mode)
        add_change(changes, CHANGE_MODE, x, y);
    return 0;
}

int image_compare(const char *a, const char *b, struct image_changes *changes, struct err *err)
{
    struct side old = {0}, new = {0};
    old.disk.fd = new.disk.fd = -1;
    int status = open_side(&old, a, err);
    if (!status)
        status = open_side(&new, b, err);
    size_t i = 0, k = 0;
    while (!status && (i < old.reader.files.len || k < new.reader.files.len)) {
        const struct fs_file *x = i < old.reader.files.len ? &old.reader.files.at[i] : NULL;
        const struct fs_file *y = k < new.reader.files.len ? &new.reader.files.at[k] : NULL;
        int order = !x ? 1 : !y ? -1 : strcmp(x->file.path, y->file.path);
        if (order < 0)
            add_change(changes, CHANGE_GONE, x, NULL);
        else if (order > 0)
            add_change(changes, CHANGE_ADDED, NULL, y);
        else
            status = compare_files(&old, x, &new, y, changes);
        i += order <= 0;
        k += order >= 0;
    }
    close_side(&old);
    close_side(&new);
    return status;
}

void image_changes_free(struct image_changes *changes)
{
    vec_free(&changes->changes);
    arena_free(&changes->arena);
}

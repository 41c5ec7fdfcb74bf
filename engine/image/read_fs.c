#include "image/read_fs.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES_MAX = 8192, ALL_PATHS_MAX = 512 << 20 };

static const char *const kind_names[FS_KINDS] = {
    [FS_NONE] = "unknown", [FS_ROFS] = "rofs", [FS_BOOTFS] = "bootfs",
    [FS_EXT] = "ext",      [FS_ZFS] = "zfs",
};

const char *fs_kind_name(enum fs_kind kind)
{
    return kind_names[kind];
}

enum fs_kind fs_probe(struct disk_file *disk, uint64_t start, uint64_t size_bytes)
{
    unsigned char bytes[8];
    if (size_bytes >= 512 && disk_read(disk, start, bytes, 8, NULL) == 0 &&
        get_le(bytes, 8) == 0xDEADBEAD)
        return FS_ROFS;
    if (size_bytes >= 2048 && disk_read(disk, start + 1024 + 56, bytes, 2, NULL) == 0 &&
        get_le(bytes, 2) == 0xEF53)
        return FS_EXT;
    /* ZFS: an uberblock slot of either label at the front, by its magic. */
    for (uint64_t slot = 0; slot < 256 && size_bytes > 512 * 1024; slot++) {
        uint64_t at = slot / 128 * 256 * 1024 + 128 * 1024 + slot % 128 * 1024;
        if (disk_read(disk, start + at, bytes, 8, NULL) == 0 &&
            (get_le(bytes, 8) == 0x00bab10c || get_be(bytes, 8) == 0x00bab10c))
            return FS_ZFS;
    }
    return bootfs_extent(disk, start, size_bytes) ? FS_BOOTFS : FS_NONE;
}

uint64_t fs_extent(struct disk_file *disk, enum fs_kind kind, uint64_t start)
{
    unsigned char bytes[64];
    uint64_t left = disk->virtual_bytes - start;
    if (kind == FS_BOOTFS)
        return bootfs_extent(disk, start, left);
    if (kind != FS_ROFS || disk_read(disk, start, bytes, 64, NULL) < 0)
        return 0;
    uint64_t first = get_le(bytes + 24, 8), blocks = get_le(bytes + 32, 8);
    if (first > left / 512 || blocks > left / 512 - first)
        return 0;
    return (first + blocks) * 512;
}

int fs_finding(struct fs_reader *reader, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!reader->report)
        return err_set(reader->err, ERR_INPUT, "%s: %s", reader->disk->path, text);
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
    str_addf(reader->report, "%s\n", text);
    return 0;
}

bool fs_inside(const struct fs_reader *reader, uint64_t at, uint64_t length)
{
    return at <= reader->size_bytes && length <= reader->size_bytes - at;
}

int fs_bytes(struct fs_reader *reader, uint64_t at, void *bytes, size_t length)
{
    if (!fs_inside(reader, at, length))
        return err_set(reader->err, ERR_INPUT, "%s: the file system is cut off",
                       reader->disk->path);
    return disk_read(reader->disk, reader->start + at, bytes, length, reader->err);
}

static int by_path(const void *a, const void *b)
{
    const struct fs_file *x = a, *y = b;
    int order = strcmp(x->file.path, y->file.path);
    if (order)
        return order;
    return x->at < y->at ? -1 : x->at > y->at;
}

int fs_read(struct fs_reader *reader, enum fs_kind kind)
{
    int status;
    if (kind == FS_ROFS)
        status = rofs_read(reader);
    else if (kind == FS_BOOTFS)
        status = bootfs_read(reader);
    else if (kind == FS_EXT)
        status = ext_read(reader);
    else if (kind == FS_ZFS)
        status = zfs_read(reader);
    else
        return err_set(reader->err, ERR_INPUT, "%s: a file system of kind %s is not read here",
                       reader->disk->path, kind_names[kind]);
    if (reader->files.len)
        qsort(reader->files.at, reader->files.len, sizeof *reader->files.at, by_path);
    for (size_t i = 1; i < reader->files.len && !status && reader->report; i++)
        if (strcmp(reader->files.at[i - 1].file.path, reader->files.at[i].file.path) == 0)
            status = fs_finding(reader, "%s: is there twice", reader->files.at[i].file.path);
    return status;
}

int fs_file_read(struct fs_reader *reader, const struct fs_file *file, uint64_t offset, void *bytes,
                 size_t length)
{
    if (reader->read_at)
        return reader->read_at(reader, file, offset, bytes, length);
    return disk_read(reader->disk, file->at + offset, bytes, length, reader->err);
}

const char *fs_path(struct fs_reader *reader, const char *dir, const char *name, size_t length,
                    int *status)
{
    const char *why = NULL;
    *status = 0;
    if (!length || memchr(name, '/', length) || memchr(name, '\0', length))
        why = "a name that is none";
    else if (strlen(dir) + length > PATH_BYTES_MAX)
        why = "directories that are too deep";
    if (why) {
        *status = fs_finding(reader, "%.200s/: %s", dir, why);
        return NULL;
    }
    reader->path_bytes += strlen(dir) + length + 2;
    if (reader->path_bytes > ALL_PATHS_MAX) {
        *status = err_set(reader->err, ERR_INPUT, "%s: its paths take more than %d MiB",
                          reader->disk->path, ALL_PATHS_MAX >> 20);
        return NULL;
    }
    return arena_format(&reader->arena, "%s/%.*s", dir, (int)length, name);
}

void fs_reader_free(struct fs_reader *reader)
{
    if (reader->close)
        reader->close(reader);
    reader->close = NULL;
    vec_free(&reader->files);
    arena_free(&reader->arena);
}

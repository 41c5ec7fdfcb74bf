/*
 * bootfs as unpack_bootfs of OSv's fs/vfs/main.cc reads it: 128-byte records up to one without a
 * name. 2014: u64 size, u64 offset, char name[112]; HEAD: a type byte before name[111]. The byte at
 * 16 tells them apart: a type is 0 or 1, a name begins with a printable character.
 */
#include <string.h>

#include "image/read_fs.h"

enum { RECORD_BYTES = 128, TYPE_AT = 16, RECORDS_MAX = 4 * 1024 * 1024 };

static bool is_end(const unsigned char *record)
{
    for (size_t i = 0; i < RECORD_BYTES; i++)
        if (record[i])
            return false;
    return true;
}

/* The name of a record, NUL-ended in `name`; NULL where it has none or no end. */
static const char *record_name(const unsigned char *record, char name[RECORD_BYTES])
{
    size_t at = record[TYPE_AT] <= 1 ? TYPE_AT + 1 : TYPE_AT;
    memcpy(name, record + at, RECORD_BYTES - at);
    if (!memchr(name, '\0', RECORD_BYTES - at) || !*name)
        return NULL;
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p < ' ')
            return NULL;
    return name;
}

uint64_t bootfs_extent(struct disk_file *disk, uint64_t start, uint64_t size_bytes)
{
    unsigned char record[RECORD_BYTES];
    char name[RECORD_BYTES];
    uint64_t count = 0, end = 0;
    for (;; count++) {
        if ((count + 1) * RECORD_BYTES > size_bytes || count > RECORDS_MAX ||
            disk_read(disk, start + count * RECORD_BYTES, record, sizeof record, NULL) < 0)
            return 0;
        if (is_end(record))
            break;
        uint64_t size = get_le(record, 8), offset = get_le(record + 8, 8);
        if (!record_name(record, name) || offset > size_bytes || size > size_bytes - offset)
            return 0;
        if (!count)
            end = offset; /* the first data follows the table */
        if (offset < end)
            return 0;
        end = offset + size;
    }
    /* Zeros are an empty bootfs only where they are the whole file. */
    if (!count)
        return size_bytes == RECORD_BYTES ? RECORD_BYTES : 0;
    return end < (count + 1) * RECORD_BYTES ? 0 : end;
}

static int take_record(struct fs_reader *r, uint64_t index, const unsigned char *record)
{
    char name[RECORD_BYTES], target[4096];
    uint64_t size = get_le(record, 8), offset = get_le(record + 8, 8);
    if (!record_name(record, name))
        return fs_finding(r, "bootfs: record %llu has no name", (unsigned long long)index);
    if (!fs_inside(r, offset, size))
        return fs_finding(r, "%s: its data lies outside of the file system", name);
    size_t length = strlen(name);
    struct fs_file file = {.at = r->start + offset};
    file.file.size_bytes = size;
    if (record[TYPE_AT] == 1) {
        file.file.kind = ENTRY_SYMLINK;
        if (!size || size > sizeof target)
            return fs_finding(r, "%s: its link has %llu bytes", name, (unsigned long long)size);
        if (fs_bytes(r, offset, target, (size_t)size) < 0)
            return -1;
        if (strnlen(target, (size_t)size) != size - 1)
            return fs_finding(r, "%s: its link does not end with one NUL", name);
        file.file.target = arena_copy(&r->arena, target);
        file.file.size_bytes = size - 1;
    } else if (length > 1 && name[length - 1] == '/' && !size) {
        file.file.kind = ENTRY_DIRECTORY;
        name[length - 1] = '\0';
    }
    const char *slash = name[0] == '/' ? "" : "/";
    file.file.path = arena_format(&r->arena, "%s%s", slash, name);
    vec_push(&r->files, file);
    return 0;
}

int bootfs_read(struct fs_reader *reader)
{
    unsigned char record[RECORD_BYTES];
    for (uint64_t i = 0; i < RECORDS_MAX; i++) {
        if (fs_bytes(reader, i * RECORD_BYTES, record, sizeof record) < 0)
            return -1;
        if (is_end(record))
            return 0;
        if (take_record(reader, i, record) < 0)
            return -1;
    }
    return err_set(reader->err, ERR_INPUT, "bootfs: its table has no end");
}

/*
 * bootfs: a table of 128-byte records with an all-zero one at its end, then the data, packed to the
 * byte (unpack_bootfs in fs/vfs/main.cc and scripts/mkbootfs.py of OSv HEAD):
 * u64 size, u64 offset from the start, i8 type (0 file or directory, 1 link), char name[111].
 */
#include <string.h>

#include "image/bytes.h"
#include "image/fs.h"

enum { RECORD = 128, NAME_AT = 17, NAME_MAX_BYTES = RECORD - NAME_AT - 1 };

int fs_total(const struct manifest_list *list, uint64_t *total_bytes, struct err *err)
{
    *total_bytes = 0;
    for (size_t i = 0; list && i < list->entries.len; i++) {
        const struct manifest_entry *entry = &list->entries.at[i];
        if (entry->duplicate)
            continue;
        if (entry->problem)
            return err_at(err, entry->file, entry->line, 0, "%s: %s", entry->guest, entry->problem);
        *total_bytes += entry->size_bytes;
    }
    return 0;
}

int fs_blame(const struct manifest_entry *entry, const struct err *why, struct err *err)
{
    if (why->kind == ERR_INPUT)
        return err_at(err, entry->file, entry->line, 0, "%s: %s", entry->guest, why->text);
    if (err)
        *err = *why;
    return -1;
}

int fs_put_file(struct sink *sink, const struct manifest_entry *entry, struct err *err)
{
    struct err why = {0};
    if (sink_file(sink, entry->host, entry->size_bytes, &why) == 0)
        return 0;
    return fs_blame(entry, &why, err);
}

/* Bytes of data that a record has behind the table. */
static uint64_t data_bytes(const struct manifest_entry *entry)
{
    return entry->kind == ENTRY_DIRECTORY ? 0 : entry->size_bytes + (entry->kind == ENTRY_SYMLINK);
}

static int put_record(struct sink *sink, const struct manifest_entry *entry, uint64_t offset,
                      struct err *err)
{
    unsigned char record[RECORD] = {0};
    size_t length = strlen(entry->guest), slash = entry->kind == ENTRY_DIRECTORY;
    if (length + slash > NAME_MAX_BYTES)
        return err_at(err, entry->file, entry->line, 0,
                      "%s: a name in bootfs has at most %d bytes, this one has %zu", entry->guest,
                      NAME_MAX_BYTES, length + slash);
    put_le(record, data_bytes(entry), 8);
    put_le(record + 8, offset, 8);
    record[16] = entry->kind == ENTRY_SYMLINK;
    memcpy(record + NAME_AT, entry->guest, length);
    if (slash)
        record[NAME_AT + length] = '/';
    return sink_write(sink, record, sizeof record, err);
}

int bootfs_put(struct sink *sink, const struct manifest_list *list, struct err *err)
{
    static const unsigned char end[RECORD];
    size_t count = 0;
    for (size_t i = 0; list && i < list->entries.len; i++)
        count += !list->entries.at[i].duplicate;
    uint64_t offset = (count + 1) * (uint64_t)RECORD;
    for (size_t i = 0; list && i < list->entries.len; i++) {
        const struct manifest_entry *entry = &list->entries.at[i];
        if (entry->duplicate)
            continue;
        if (put_record(sink, entry, offset, err) < 0)
            return -1;
        offset += data_bytes(entry);
    }
    if (sink_write(sink, end, sizeof end, err) < 0)
        return -1;
    for (size_t i = 0; list && i < list->entries.len; i++) {
        const struct manifest_entry *entry = &list->entries.at[i];
        int status = 0;
        if (entry->duplicate || entry->kind == ENTRY_DIRECTORY)
            continue;
        if (entry->kind == ENTRY_SYMLINK)
            status = sink_write(sink, entry->host, entry->size_bytes + 1, err);
        else
            status = fs_put_file(sink, entry, err);
        if (status)
            return -1;
    }
    return 0;
}

uint64_t bootfs_most(const struct manifest_list *list, uint64_t size_bytes)
{
    uint64_t most = RECORD;
    for (size_t i = 0; list && i < list->entries.len; i++)
        most += RECORD + list->entries.at[i].size_bytes + 1;
    return most > size_bytes ? most : size_bytes;
}

int bootfs_put_reserve(struct sink *sink, const struct manifest_list *list, uint64_t size_bytes,
                       struct err *err)
{
    uint64_t start = sink_at(sink);
    if (bootfs_put(sink, list, err) < 0)
        return -1;
    uint64_t used = sink_at(sink) - start;
    if (!size_bytes)
        return 0;
    if (used > size_bytes)
        return err_set(err, ERR_INPUT, "%s: the files take %llu bytes of bootfs, not %llu",
                       sink->out.path, (unsigned long long)used, (unsigned long long)size_bytes);
    return sink_zero_to(sink, start + size_bytes, err);
}

int bootfs_write(const char *path, const struct manifest_list *list, const struct image_io *io,
                 struct err *err)
{
    struct sink sink;
    uint64_t total;
    if (fs_total(list, &total, err) < 0 || sink_open(&sink, path, DISK_RAW, 0, io, err) < 0)
        return -1;
    sink.total_bytes = total;
    if (bootfs_put(&sink, list, err) < 0) {
        sink_abandon(&sink);
        return -1;
    }
    return sink_finish(&sink, sink_at(&sink), err);
}

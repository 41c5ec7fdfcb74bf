/*
 * bootfs: a table of 128-byte records with an all-zero one at its end, then the data, packed to the
 * byte (unpack_bootfs in fs/vfs/main.cc and scripts/mkbootfs.py of OSv HEAD):
 * u64 size, u64 offset from the start, i8 type (0 file or directory, 1 link), char name[111]. Its
 * kernels of 2014 read a name[112] where the type is, and know no links.
 */
#include <string.h>

#include "image/bytes.h"
#include "image/fs.h"
#include "image/reserve.h"

enum { RECORD = 128, TYPE_AT = 16 };
/* Where the name stands in a record. */
enum records { RECORDS_2014 = TYPE_AT, RECORDS_HEAD = TYPE_AT + 1 };

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
                      enum records records, struct err *err)
{
    const size_t most = RECORD - records - 1;
    unsigned char record[RECORD] = {0};
    size_t length = strlen(entry->guest), slash = entry->kind == ENTRY_DIRECTORY;
    if (length + slash > most)
        return err_at(err, entry->file, entry->line, 0,
                      "%s: a name in bootfs has at most %zu bytes, this one has %zu", entry->guest,
                      most, length + slash);
    if (records == RECORDS_2014 && entry->kind == ENTRY_SYMLINK)
        return err_at(err, entry->file, entry->line, 0, "%s: the bootfs of 2014 has no links",
                      entry->guest);
    put_le(record, data_bytes(entry), 8);
    put_le(record + 8, offset, 8);
    if (records == RECORDS_HEAD)
        record[TYPE_AT] = entry->kind == ENTRY_SYMLINK;
    memcpy(record + records, entry->guest, length);
    if (slash)
        record[records + length] = '/';
    return sink_write(sink, record, sizeof record, err);
}

static int put_all(struct sink *sink, const struct manifest_list *list, enum records records,
                   struct err *err)
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
        if (put_record(sink, entry, offset, records, err) < 0)
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

int bootfs_put(struct sink *sink, const struct manifest_list *list, struct err *err)
{
    return put_all(sink, list, RECORDS_HEAD, err);
}

int bootfs_put_volume(struct sink *sink, const struct image_volume *volume, struct err *err)
{
    uint64_t start = sink_at(sink), size = volume->size_bytes;
    if (put_all(sink, volume->list, volume->records_2014 ? RECORDS_2014 : RECORDS_HEAD, err) < 0)
        return -1;
    uint64_t used = sink_at(sink) - start + RESERVE_MARK;
    if (size && used > size)
        return err_set(err, ERR_INPUT, "%s: the files take %llu bytes of bootfs, not %llu",
                       sink->out.path, (unsigned long long)used, (unsigned long long)size);
    return size ? reserve_end(sink, start, size, err) : 0;
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

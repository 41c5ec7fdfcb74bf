/*
 * vmdk, one file of kind monolithicSparse ("Virtual Disk Format 5.0", VMware, and block/vmdk.c of
 * QEMU): header, descriptor, grains of 64 KiB, then grain tables of 512 entries and their directory,
 * which the header points at. Numbers are little endian, places in sectors of 512 bytes.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "image/bytes.h"
#include "image/sink.h"

enum {
    SECTOR = 512,
    GRAIN = 64 * 1024,
    TABLE_ENTRIES = 512,
    TABLE_BYTES = TABLE_ENTRIES * 4,
    DESCRIPTOR_SECTORS = 20,
    FIRST_GRAIN = 64 * 1024,
};

static int begin(struct sink *sink, uint64_t most_bytes, struct err *err)
{
    (void)most_bytes, (void)err;
    sink->next = FIRST_GRAIN;
    return 0;
}

/* The text that says what the disk is. */
static void describe(const struct sink *sink, uint64_t size_bytes, struct str *text)
{
    uint64_t sectors = size_bytes / SECTOR, cylinders = sectors / 63 / 16;
    str_addf(text,
             "# Disk DescriptorFile\nversion=1\nCID=%08x\nparentCID=ffffffff\n"
             "createType=\"monolithicSparse\"\n\n# Extent description\n"
             "RW %llu SPARSE \"%s\"\n\n# The Disk Data Base\n#DDB\n\n"
             "ddb.virtualHWVersion = \"4\"\nddb.geometry.cylinders = \"%llu\"\n"
             "ddb.geometry.heads = \"16\"\nddb.geometry.sectors = \"63\"\n"
             "ddb.adapterType = \"ide\"\n",
             (unsigned)(sink_id(sink, 0) & 0x7fffffff), (unsigned long long)sectors,
             path_base(sink->out.path),
             (unsigned long long)(cylinders < 65535 ? cylinders : 65535));
}

/* Writes the tables that have grains; `directory` gets where they are. */
static int put_tables(struct sink *sink, unsigned char *directory, uint64_t tables, struct err *err)
{
    unsigned char bytes[TABLE_BYTES];
    for (uint64_t t = 0; t < tables; t++) {
        bool used = false;
        for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
            uint64_t grain = t * TABLE_ENTRIES + i, at = 0;
            if (grain / SINK_TABLE < sink->tables.len && sink->tables.at[grain / SINK_TABLE])
                at = sink->tables.at[grain / SINK_TABLE][grain % SINK_TABLE];
            put_le(bytes + 4 * (size_t)i, at / SECTOR, 4);
            used |= at != 0;
        }
        /* An empty table is there, too: VMware knows no directory entries of 0. */
        put_le(directory + 4 * t, sink->next / SECTOR, 4);
        if (file_pwrite(sink->fd, sink->out.path, bytes, used ? TABLE_BYTES : 1, sink->next, err) <
            0)
            return -1;
        sink->next += TABLE_BYTES;
    }
    return 0;
}

static int put_head(struct sink *sink, uint64_t size_bytes, uint64_t directory_at, struct err *err)
{
    unsigned char head[SECTOR * (1 + DESCRIPTOR_SECTORS)] = "KDMV";
    struct str text = {0};
    describe(sink, size_bytes, &text);
    put_le(head + 4, 1, 4); /* version */
    put_le(head + 8, 1, 4); /* flags: line ends can be checked */
    put_le(head + 12, size_bytes / SECTOR, 8);
    put_le(head + 20, GRAIN / SECTOR, 8);
    put_le(head + 28, 1, 8); /* descriptor */
    put_le(head + 36, DESCRIPTOR_SECTORS, 8);
    put_le(head + 44, TABLE_ENTRIES, 4);
    put_le(head + 56, directory_at / SECTOR, 8);
    put_le(head + 64, FIRST_GRAIN / SECTOR, 8);
    memcpy(head + 73, "\n \r\n", 4);
    memcpy(head + SECTOR, text.at, text.len);
    str_free(&text);
    return file_pwrite(sink->fd, sink->out.path, head, sizeof head, 0, err);
}

static int end(struct sink *sink, uint64_t size_bytes, struct err *err)
{
    uint64_t grains = (size_bytes + GRAIN - 1) / GRAIN;
    uint64_t tables = (grains + TABLE_ENTRIES - 1) / TABLE_ENTRIES;
    if (sink->next / SECTOR + tables * (TABLE_BYTES / SECTOR + 1) > UINT32_MAX)
        return err_set(err, ERR_INPUT, "%s: a vmdk holds 2 TiB at most", sink->out.path);
    size_t directory_bytes = (size_t)round_up(tables * 4, SECTOR);
    unsigned char *directory = mem_zero(1, directory_bytes + SECTOR);
    int status = put_tables(sink, directory, tables, err);
    uint64_t at = sink->next;
    if (!status)
        status = file_pwrite(sink->fd, sink->out.path, directory, directory_bytes, at, err);
    free(directory);
    if (!status)
        status = put_head(sink, size_bytes, at, err);
    if (!status && ftruncate(sink->fd, (off_t)(at + directory_bytes)) < 0)
        status = err_errno(err, "cannot write %s", sink->out.path);
    return status;
}

const struct sink_format format_vmdk = {.cluster_bytes = GRAIN, .begin = begin, .end = end};

/*
 * Disks: files at offsets, the partition table as OSv's scripts/imgedit.py writes it, a size field
 * and boot arguments. Everything is placed and checked first (struct plan), then written front to
 * back; sector 0 and the arguments are patched last.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "image/bytes.h"
#include "image/disk.h"

enum {
    SECTOR = 512,
    SIGNATURE_AT = 510,
    TABLE_AT = 0x1be,
    ENTRY_BYTES = 16,
    PARTITION_TYPE = 0x83,
    ALIGN_DEFAULT = 2 * 1024 * 1024,
    ARGUMENTS_ROOM = 63 * SECTOR, /* what boot16.S of OSv reads behind sector 0 */
};

/* One placed part. */
struct place {
    uint64_t offset, size_bytes;
};
struct plan {
    struct place places[DISK_PARTS_MAX];
    uint64_t size_bytes; /* of the disk */
};

int disk_file_size(const char *path, uint64_t *size_bytes, struct err *err)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return err_set(err, ERR_INPUT, "cannot read %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_INPUT, "%s is no file", path);
    *size_bytes = (uint64_t)st.st_size;
    return 0;
}

static int make_plan(const struct disk_layout *layout, struct plan *plan, struct err *err)
{
    uint64_t align = layout->align ? layout->align : ALIGN_DEFAULT, end = 0;
    if (align % SECTOR)
        return err_set(err, ERR_INPUT, "partitions are aligned to multiples of 512 bytes, not %llu",
                       (unsigned long long)align);
    for (unsigned i = 0; i < layout->parts_count; i++) {
        const struct disk_part *part = &layout->parts[i];
        struct place *place = &plan->places[i];
        if (disk_file_size(part->file, &place->size_bytes, err) < 0)
            return -1;
        place->offset = part->offset;
        if (part->offset == UINT64_MAX)
            place->offset = round_up(end > align ? end : align, align);
        if (place->offset < end)
            return err_set(err, ERR_INPUT,
                           "%s at 0x%llx overlaps what is before it and ends at 0x%llx", part->file,
                           (unsigned long long)place->offset, (unsigned long long)end);
        if (part->partition > 4 || (part->partition && place->offset % SECTOR))
            return err_set(err, ERR_INPUT,
                           "%s: partitions are 1 to 4 and start at multiples of 512", part->file);
        if (layout->cmdline_at && layout->cmdline && (i || part->partition) &&
            place->offset <= layout->cmdline_at + IMAGE_CMDLINE_MAX &&
            place->offset + place->size_bytes > layout->cmdline_at)
            return err_set(err, ERR_INPUT, "%s lies where the boot arguments go (0x%llx)",
                           part->file, (unsigned long long)layout->cmdline_at);
        end = place->offset + place->size_bytes;
        /* The padding follows the last part before the first partition, or ends the disk. */
        if (i + 1 == layout->parts_count || layout->parts[i + 1].partition)
            end = round_up(end, !part->partition && layout->pad ? layout->pad : 1);
    }
    plan->size_bytes = round_up(end, SECTOR);
    return 0;
}

/* Cylinder, head and sector of a disk with 255 heads and 63 sectors; past its end the last ones. */
static void put_chs(unsigned char *entry, uint64_t sector, enum image_table table)
{
    uint64_t cylinder = sector / 63 / 255, head = sector / 63 % 255, in_track = sector % 63 + 1;
    if (cylinder > 1023)
        cylinder = 1023, head = 254, in_track = 63;
    entry[0] = (unsigned char)head;
    if (table == IMAGE_TABLE_OSV) { /* as imgedit.py packs them */
        put_le(entry + 1, cylinder << 6 | in_track, 2);
    } else {
        entry[1] = (unsigned char)(in_track | (cylinder >> 8) << 6);
        entry[2] = (unsigned char)cylinder;
    }
}

int disk_put_partition(struct sink *sink, const struct disk_entry *what, struct err *err)
{
    uint64_t start = what->start / SECTOR, sectors = what->size_bytes / SECTOR;
    if (start + sectors > UINT32_MAX)
        return err_set(err, ERR_INPUT, "a partition ends at 2 TiB at the latest");
    unsigned char entry[ENTRY_BYTES - 1];
    put_chs(entry, start, what->table);
    entry[3] = PARTITION_TYPE;
    /* imgedit.py tells the sector behind the end. */
    uint64_t last = start + sectors;
    if (what->table == IMAGE_TABLE_STANDARD && sectors)
        last--;
    put_chs(entry + 4, last, what->table);
    put_le(entry + 7, start, 4);
    put_le(entry + 11, sectors, 4);
    return sink_patch(sink, TABLE_AT + ENTRY_BYTES * (what->number - 1) + 1, entry, sizeof entry,
                      err);
}

/* Bytes of `file` at `at`, zeros behind its end. */
static int peek(const char *file, uint64_t at, unsigned char *bytes, size_t length, struct err *err)
{
    memset(bytes, 0, length);
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : pread(fd, bytes, length, (off_t)at);
    if (got < 0)
        err_set(err, ERR_INPUT, "cannot read %s: %s", file, strerror(errno));
    if (fd >= 0)
        close(fd);
    return got < 0 ? -1 : 0;
}

int disk_put_signature(struct sink *sink, const char *first, struct err *err)
{
    static const unsigned char signature[2] = {0x55, 0xAA};
    unsigned char there[SECTOR - TABLE_AT] = {0};
    if (first && peek(first, TABLE_AT, there, sizeof there, err) < 0)
        return -1;
    if (memcmp(there + sizeof there - 2, signature, 2) == 0)
        return 0;
    for (size_t i = 0; i < sizeof there; i++)
        if (there[i])
            return err_set(err, ERR_INPUT,
                           "%s has something else where the partition table goes (0x1be)", first);
    return sink_patch(sink, SIGNATURE_AT, signature, sizeof signature, err);
}

int disk_put_cmdline(struct sink *sink, uint64_t at, const char *cmdline, const char *first,
                     struct err *err)
{
    size_t length = strlen(cmdline);
    if (length > IMAGE_CMDLINE_MAX)
        return err_set(err, ERR_INPUT,
                       "the boot arguments have %zu bytes; the kernel takes at most %d", length,
                       IMAGE_CMDLINE_MAX);
    char *text = mem_zero(1, ARGUMENTS_ROOM + 1);
    int status = first ? peek(first, at, (unsigned char *)text, ARGUMENTS_ROOM, err) : 0;
    size_t old = strlen(text), all = (old > length ? old : length) + 1;
    memset(text, 0, all);
    memcpy(text, cmdline, length);
    if (!status)
        status = sink_patch(sink, at, text, all, err);
    free(text);
    return status;
}

static int put_size_field(struct sink *sink, const struct disk_layout *layout,
                          const struct plan *plan, struct err *err)
{
    unsigned char bytes[8];
    uint64_t size = layout->size_of < layout->parts_count ? plan->places[layout->size_of].size_bytes
                                                          : plan->size_bytes;
    uint64_t unit = layout->size_unit ? layout->size_unit : 1;
    uint64_t value = (size + unit - 1) / unit;
    if (layout->size_width > 8 || layout->size_field + layout->size_width > plan->size_bytes)
        return err_set(err, ERR_INPUT, "the size field lies outside of the disk");
    if (layout->size_width < 8 && value >> (8 * layout->size_width))
        return err_set(err, ERR_INPUT,
                       "the loader is too large: %llu units of %llu bytes do not fit %u bytes",
                       (unsigned long long)value, (unsigned long long)unit, layout->size_width);
    put_le(bytes, value, layout->size_width);
    return sink_patch(sink, layout->size_field, bytes, layout->size_width, err);
}

static int put_parts(struct sink *sink, const struct disk_layout *layout, const struct plan *plan,
                     struct err *err)
{
    const char *first =
        layout->parts_count && !plan->places[0].offset ? layout->parts[0].file : NULL;
    bool table = false;
    for (unsigned i = 0; i < layout->parts_count; i++)
        if (sink_zero_to(sink, plan->places[i].offset, err) < 0 ||
            sink_file(sink, layout->parts[i].file, plan->places[i].size_bytes, err) < 0)
            return -1;
    if (sink_zero_to(sink, plan->size_bytes, err) < 0)
        return -1;
    for (unsigned i = 0; i < layout->parts_count; i++) {
        if (!layout->parts[i].partition)
            continue;
        if (!table && disk_put_signature(sink, first, err) < 0)
            return -1;
        table = true;
        const struct disk_entry entry = {.number = layout->parts[i].partition,
                                         .start = plan->places[i].offset,
                                         .size_bytes =
                                             round_up(plan->places[i].size_bytes, SECTOR)};
        if (disk_put_partition(sink, &entry, err) < 0)
            return -1;
    }
    if (layout->size_width && put_size_field(sink, layout, plan, err) < 0)
        return -1;
    if (!layout->cmdline_at || !layout->cmdline)
        return 0;
    return disk_put_cmdline(sink, layout->cmdline_at, layout->cmdline, first, err);
}

int disk_write(const char *path, const struct disk_layout *layout, const struct image_io *io,
               struct err *err)
{
    struct sink sink;
    struct plan plan;
    if (make_plan(layout, &plan, err) < 0 ||
        sink_open(&sink, path, layout->format, plan.size_bytes, io, err) < 0)
        return -1;
    sink.total_bytes = plan.size_bytes;
    if (put_parts(&sink, layout, &plan, err) < 0) {
        sink_abandon(&sink);
        return -1;
    }
    return sink_finish(&sink, plan.size_bytes, err);
}

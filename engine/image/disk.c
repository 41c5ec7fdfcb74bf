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
#include "image/fs.h"
#include "image/sink.h"

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

static int file_size(const char *path, uint64_t *size_bytes, struct err *err)
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
        if (file_size(part->file, &place->size_bytes, err) < 0)
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

/* Cylinder, head and sector as imgedit.py computes and packs them (not the standard packing). */
static void put_chs(unsigned char *entry, uint64_t sector)
{
    uint64_t cylinder = sector / 63 / 255, head = sector / 63 % 255, in_track = sector % 63 + 1;
    if (cylinder > 1023)
        cylinder = 1023, head = 254, in_track = 63;
    entry[0] = (unsigned char)head;
    put_le(entry + 1, cylinder << 6 | in_track, 2);
}

/* Entry `number` (1 to 4) of the table in sector 0, all but its boot flag. */
static int put_partition(struct sink *sink, unsigned number, uint64_t start, uint64_t size,
                         struct err *err)
{
    if ((start + size) / SECTOR > UINT32_MAX)
        return err_set(err, ERR_INPUT, "a partition ends at 2 TiB at the latest");
    unsigned char entry[ENTRY_BYTES - 1];
    put_chs(entry, start / SECTOR);
    entry[3] = PARTITION_TYPE;
    put_chs(entry + 4, (start + size) / SECTOR);
    put_le(entry + 7, start / SECTOR, 4);
    put_le(entry + 11, size / SECTOR, 4);
    return sink_patch(sink, TABLE_AT + ENTRY_BYTES * (number - 1) + 1, entry, sizeof entry, err);
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

/* Marks sector 0 as having a table, where no code stands there that must be left alone. `first` is
 * what lies at offset 0, or NULL. */
static int put_signature(struct sink *sink, const char *first, struct err *err)
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

/* The arguments, and NULs over what the loader had there. */
static int put_cmdline(struct sink *sink, uint64_t at, const char *cmdline, const char *first,
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
        if (!table && put_signature(sink, first, err) < 0)
            return -1;
        table = true;
        if (put_partition(sink, layout->parts[i].partition, plan->places[i].offset,
                          round_up(plan->places[i].size_bytes, SECTOR), err) < 0)
            return -1;
    }
    if (layout->size_width && put_size_field(sink, layout, plan, err) < 0)
        return -1;
    if (!layout->cmdline_at || !layout->cmdline)
        return 0;
    return put_cmdline(sink, layout->cmdline_at, layout->cmdline, first, err);
}

int disk_write(const char *path, const struct disk_layout *layout, const struct image_io *io,
               struct err *err)
{
    struct sink sink;
    struct plan plan;
    if (make_plan(layout, &plan, err) < 0 || sink_open(&sink, path, layout->format, io, err) < 0)
        return -1;
    sink.total_bytes = plan.size_bytes;
    if (put_parts(&sink, layout, &plan, err) < 0) {
        sink_abandon(&sink);
        return -1;
    }
    return sink_finish(&sink, plan.size_bytes, err);
}

static int put_pack(struct sink *sink, const struct image_pack *pack, uint64_t loader_bytes,
                    struct err *err)
{
    uint64_t align = pack->align ? pack->align : ALIGN_DEFAULT;
    uint64_t start = round_up(loader_bytes ? loader_bytes : 1, align);
    if (pack->loader && sink_file(sink, pack->loader, loader_bytes, err) < 0)
        return -1;
    if (sink_zero_to(sink, start, err) < 0 || rofs_put(sink, pack->list, err) < 0)
        return -1;
    uint64_t size = sink_at(sink) - start;
    if (put_signature(sink, pack->loader, err) < 0 || put_partition(sink, 2, start, size, err) < 0)
        return -1;
    return pack->cmdline ? put_cmdline(sink, IMAGE_CMDLINE_AT, pack->cmdline, pack->loader, err)
                         : 0;
}

int image_pack(const char *path, const struct image_pack *pack, const struct image_io *io,
               struct err *err)
{
    struct sink sink;
    uint64_t total, loader_bytes = 0;
    if (pack->loader && file_size(pack->loader, &loader_bytes, err) < 0)
        return -1;
    if (pack->align % SECTOR)
        return err_set(err, ERR_INPUT, "a partition starts at a multiple of 512 bytes");
    if (fs_total(pack->list, &total, err) < 0 || sink_open(&sink, path, pack->format, io, err) < 0)
        return -1;
    sink.total_bytes = loader_bytes + total;
    if (put_pack(&sink, pack, loader_bytes, err) < 0) {
        sink_abandon(&sink);
        return -1;
    }
    return sink_finish(&sink, sink_at(&sink), err);
}

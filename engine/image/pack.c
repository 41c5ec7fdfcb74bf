/*
 * Whole images from manifests: the loader, a partition table, and volumes one behind the other, each
 * written straight from its manifest. Sizes are settled first, so that every format knows how large
 * the disk may come to be.
 */
#include <string.h>

#include "image/bytes.h"
#include "image/disk.h"
#include "image/ext.h"
#include "image/fs.h"
#include "image/zfs.h"

enum { SECTOR = 512, ALIGN_DEFAULT = 2 * 1024 * 1024 };

/* Where a volume lies, and how large it may be at most. */
struct placed {
    uint64_t start, size_bytes;
};
struct packing {
    const struct image_pack *pack;
    uint64_t loader_bytes, total_bytes;
    struct placed volumes[IMAGE_VOLUMES_MAX];
    uint64_t end; /* of the last volume at most */
};

static uint64_t room(const struct image_volume *volume, uint64_t size_bytes)
{
    switch (volume->fs) {
    case IMAGE_ZFS:
        return zfs_size(volume->list, size_bytes);
    case IMAGE_EXT:
        return ext_size(volume->list, size_bytes);
    case IMAGE_ROFS:
        return rofs_most(volume);
    case IMAGE_RAMFS:
    case IMAGE_FS_KINDS:
        break;
    }
    /* With a loader, the files are in the loader: the partition is empty, as OSv's build has it. */
    return volume->partition ? 0 : bootfs_most(volume->list, size_bytes);
}

static int place(struct packing *p, struct err *err)
{
    const struct image_pack *pack = p->pack;
    uint64_t align = pack->align ? pack->align : ALIGN_DEFAULT;
    bool bare = pack->volumes_count == 1 && !pack->volumes[0].partition;
    uint64_t at = bare ? 0 : round_up(p->loader_bytes ? p->loader_bytes : 1, align);
    for (unsigned i = 0; i < pack->volumes_count; i++) {
        const struct image_volume *volume = &pack->volumes[i];
        uint64_t size = volume->size_bytes, total;
        if (fs_total(volume->list, &total, err) < 0)
            return -1;
        if (i + 1 == pack->volumes_count && pack->size_bytes && volume->fs != IMAGE_ROFS) {
            if (pack->size_bytes <= at)
                return err_set(
                    err, ERR_INPUT,
                    "a disk of %llu bytes ends before its last file system begins (%llu)",
                    (unsigned long long)pack->size_bytes, (unsigned long long)at);
            size = pack->size_bytes - at;
        }
        p->total_bytes += total;
        p->volumes[i] = (struct placed){at, room(volume, size)};
        at = round_up(at + p->volumes[i].size_bytes, SECTOR);
    }
    p->end = at > pack->size_bytes ? at : pack->size_bytes;
    return 0;
}

static int put_volume(struct sink *sink, const struct image_volume *volume, uint64_t size_bytes,
                      struct err *err)
{
    /* OSv numbers devices from 0: partition 2 is vblk0.1. */
    char device[] = "/dev/vblk0.0";
    device[sizeof device - 2] = (char)('0' + (volume->partition ? volume->partition - 1 : 1));
    const struct zfs_options zfs = {.dataset = volume->dataset,
                                    .device = device,
                                    .size_bytes = size_bytes,
                                    .compression = volume->compress ? ZFS_LZ4 : ZFS_PLAIN};
    switch (volume->fs) {
    case IMAGE_ZFS:
        return zfs_put(sink, volume->list, &zfs, err);
    case IMAGE_EXT:
        return ext_put(sink, volume->list, size_bytes, err);
    case IMAGE_ROFS:
        return rofs_put_volume(sink, volume, err);
    case IMAGE_RAMFS:
    case IMAGE_FS_KINDS:
        break;
    }
    if (volume->partition)
        return 0;
    return bootfs_put_volume(sink, volume, err);
}

/* A volume's entry; the first one marks the table. */
static int put_entry(struct sink *sink, const struct packing *p, unsigned index,
                     uint64_t size_bytes, struct err *err)
{
    const struct image_pack *pack = p->pack;
    const struct disk_entry entry = {.number = pack->volumes[index].partition,
                                     .start = p->volumes[index].start,
                                     .size_bytes = size_bytes,
                                     .table = pack->table};
    if (!entry.number)
        return 0;
    if (!index && disk_put_signature(sink, pack->loader, err) < 0)
        return -1;
    return disk_put_partition(sink, &entry, err);
}

static int put_all(struct sink *sink, struct packing *p, struct err *err)
{
    const struct image_pack *pack = p->pack;
    if (pack->loader && sink_file(sink, pack->loader, p->loader_bytes, err) < 0)
        return -1;
    for (unsigned i = 0; i < pack->volumes_count; i++) {
        struct placed *placed = &p->volumes[i];
        /* What is before may have come out smaller than it might have. */
        if (i)
            placed->start = round_up(sink_at(sink), SECTOR);
        uint64_t size = placed->size_bytes;
        if (i + 1 == pack->volumes_count && pack->size_bytes > placed->start)
            size = room(&pack->volumes[i], pack->size_bytes - placed->start);
        if (sink_zero_to(sink, placed->start, err) < 0 ||
            put_volume(sink, &pack->volumes[i], size, err) < 0 ||
            sink_zero_to(sink, round_up(sink_at(sink), pack->volumes[i].partition ? SECTOR : 1),
                         err) < 0 ||
            put_entry(sink, p, i, sink_at(sink) - placed->start, err) < 0)
            return -1;
    }
    if (pack->size_bytes && sink_at(sink) > pack->size_bytes)
        return err_set(err, ERR_INPUT, "%s: the files need a disk of %llu bytes, not %llu",
                       sink->out.path, (unsigned long long)sink_at(sink),
                       (unsigned long long)pack->size_bytes);
    uint64_t first = p->volumes[0].start;
    if (!pack->cmdline || (pack->volumes_count && first <= IMAGE_CMDLINE_AT))
        return 0;
    if (sink_zero_to(sink, IMAGE_CMDLINE_AT + IMAGE_CMDLINE_MAX + 1, err) < 0)
        return -1;
    return disk_put_cmdline(sink, IMAGE_CMDLINE_AT, pack->cmdline, pack->loader, err);
}

static int check_pack(const struct image_pack *pack, struct err *err)
{
    if (pack->align % SECTOR)
        return err_set(err, ERR_INPUT, "a partition starts at a multiple of 512 bytes");
    if (!pack->volumes_count && !pack->loader)
        return err_set(err, ERR_INPUT, "an image without a loader and without files is none");
    bool bare = pack->volumes_count == 1 && !pack->volumes[0].partition;
    if (bare && pack->loader)
        return err_set(err, ERR_INPUT,
                       "a file system alone has no loader; leave out --loader or pick a layout");
    return 0;
}

int image_pack(const char *path, const struct image_pack *pack, const struct image_io *io,
               struct err *err)
{
    struct sink sink;
    struct packing p = {.pack = pack};
    if (check_pack(pack, err) < 0 ||
        (pack->loader && disk_file_size(pack->loader, &p.loader_bytes, err) < 0) ||
        place(&p, err) < 0)
        return -1;
    if (p.end < p.loader_bytes + SECTOR)
        p.end = p.loader_bytes + SECTOR;
    if (sink_open(&sink, path, pack->format, p.end, io, err) < 0)
        return -1;
    sink.total_bytes = p.loader_bytes + p.total_bytes;
    if (put_all(&sink, &p, err) < 0) {
        sink_abandon(&sink);
        return -1;
    }
    uint64_t end = sink_at(&sink);
    return sink_finish(&sink, pack->size_bytes > end ? pack->size_bytes : end, err);
}

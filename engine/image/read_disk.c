/* Sources: docs/interop/qcow2.txt and block/file-posix.c (locks) of QEMU. */
#include "image/read_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "vm/vm.h"

enum {
    HEADER_V2 = 72,
    HEADER_V3 = 104,
    LEVEL1_MAX = 4 * 1024 * 1024, /* entries; QEMU takes no more either */
    LOCK_FIRST =
        100, /* QEMU locks bytes 100 and up for what it does, 200 and up for what it bars */
    LOCK_LENGTH = 200,
};
#define OFFSET_MASK UINT64_C(0x00fffffffffffe00)
#define L2_COMPRESSED (UINT64_C(1) << 62)
#define COPIED_ONCE (UINT64_C(1) << 63)
#define L2_ZERO UINT64_C(1)
#define FEATURE_DIRTY UINT64_C(1)

/* Reads bytes of the file itself. */
int disk_file_read(const struct disk_file *disk, uint64_t at, void *bytes, size_t length,
                   struct err *err)
{
    char *to = bytes;
    while (length) {
        ssize_t got = pread(disk->fd, to, length, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(err, "cannot read %s", disk->path);
        if (got == 0)
            return err_set(err, ERR_INPUT, "%s ends too early: nothing at byte %llu", disk->path,
                           (unsigned long long)at);
        to += got;
        at += (uint64_t)got;
        length -= (size_t)got;
    }
    return 0;
}

static int bad_qcow2(const struct disk_file *disk, const char *what, struct err *err)
{
    return err_set(err, ERR_INPUT, "%s: qcow2 with %s", disk->path, what);
}

static int read_level1(struct disk_file *disk, uint64_t at, struct err *err)
{
    size_t bytes = (size_t)disk->level1_count * 8;
    unsigned char *raw = mem_alloc(bytes + 1);
    disk->level1 = mem_zero(disk->level1_count + (size_t)1, sizeof *disk->level1);
    int status = disk_file_read(disk, at, raw, bytes, err);
    for (uint32_t i = 0; i < disk->level1_count && !status; i++)
        disk->level1[i] = get_be(raw + 8 * (size_t)i, 8);
    free(raw);
    return status;
}

static disk_find find_qcow2;

static int open_qcow2(struct disk_file *disk, const unsigned char *header, struct err *err)
{
    disk->format = DISK_QCOW2;
    disk->find = find_qcow2;
    disk->version = (unsigned)get_be(header + 4, 4);
    if (disk->version != 2 && disk->version != 3)
        return bad_qcow2(disk, "a version other than 2 and 3", err);
    if (disk->file_bytes < (disk->version == 2 ? HEADER_V2 : HEADER_V3))
        return bad_qcow2(disk, "a header that is cut off", err);
    if (get_be(header + 8, 8))
        return bad_qcow2(disk, "a backing file; flatten it first: qemu-img convert -O qcow2", err);
    if (get_be(header + 32, 4))
        return bad_qcow2(disk, "encryption, which is not read here", err);
    if (disk->version == 3 && get_be(header + 72, 8) & ~FEATURE_DIRTY)
        return bad_qcow2(disk, "features that are not known here", err);
    disk->cluster_bits = (unsigned)get_be(header + 20, 4);
    if (disk->cluster_bits < 9 || disk->cluster_bits > 21)
        return bad_qcow2(disk, "clusters of a size that QEMU refuses", err);
    disk->virtual_bytes = get_be(header + 24, 8);
    disk->counts_at = get_be(header + 48, 8);
    disk->counts_clusters = (uint32_t)get_be(header + 56, 4);
    uint64_t order = disk->version == 3 ? get_be(header + 96, 4) : 4;
    if (order > 6)
        return bad_qcow2(disk, "reference counts of more than 64 bits", err);
    disk->count_bits = 1u << order;
    uint64_t per_table = UINT64_C(1) << (disk->cluster_bits * 2 - 3);
    uint64_t needed = disk->virtual_bytes / per_table + (disk->virtual_bytes % per_table != 0);
    disk->level1_count = (uint32_t)get_be(header + 36, 4);
    if (disk->level1_count > LEVEL1_MAX || needed > disk->level1_count ||
        disk->level1_count * UINT64_C(8) > disk->file_bytes)
        return bad_qcow2(disk, "an L1 table that does not fit the disk", err);
    disk->level2 = mem_alloc((size_t)1 << disk->cluster_bits);
    return read_level1(disk, get_be(header + 40, 8), err);
}

/* Takes what QEMU, and a run of our own (vm_image_held), see as "in use", and sees what they took.
 * A file system without locks has none to offend. */
static int lock(struct disk_file *disk, struct err *err)
{
    pid_t holder;
    if (vm_image_held(disk->path, &holder)) {
        if (holder)
            return err_set(err, ERR_INPUT,
                           "%s is in use by pid %ld (a run holds it); stop it first", disk->path,
                           (long)holder);
        return err_set(err, ERR_INPUT, "%s is in use by a run; stop it first", disk->path);
    }
    struct flock range = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = LOCK_FIRST, .l_len = LOCK_LENGTH};
    bool taken = flock(disk->fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    if (!taken && fcntl(disk->fd, F_OFD_SETLK, &range) < 0)
        taken = errno == EAGAIN || errno == EACCES;
    if (!taken)
        return 0;
    return err_set(err, ERR_INPUT, "%s is in use by a running VM or another edit; stop it first",
                   disk->path);
}

int disk_open(struct disk_file *disk, const char *path, enum disk_access access, struct err *err)
{
    unsigned char header[HEADER_V3] = {0};
    struct stat st;
    *disk = (struct disk_file){.path = path};
    disk->fd = open(path, (access == DISK_EDIT ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
    if (disk->fd < 0)
        return err_set(err, ERR_INPUT, "cannot open %s: %s", path, strerror(errno));
    if (fstat(disk->fd, &st) < 0)
        return err_errno(err, "%s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_INPUT, "%s is no image file", path);
    if (access == DISK_EDIT && lock(disk, err) < 0)
        return -1;
    disk->virtual_bytes = disk->file_bytes = (uint64_t)st.st_size;
    size_t length = st.st_size < HEADER_V3 ? (size_t)st.st_size : HEADER_V3;
    if (disk_file_read(disk, 0, header, length, err) < 0)
        return -1;
    if (memcmp(header, "QFI\xfb", 4) == 0)
        return open_qcow2(disk, header, err);
    if (disk_open_other(disk, header, err) < 0)
        return -1;
    if (disk->format == DISK_GCE && access == DISK_EDIT)
        return err_set(err, ERR_INPUT, "%s is packed; change the disk that it was made from", path);
    return 0;
}

void disk_close(struct disk_file *disk)
{
    if (disk->fd >= 0 && disk->path)
        close(disk->fd);
    free(disk->level1);
    free(disk->level2);
    *disk = (struct disk_file){.fd = -1};
}

static int find_qcow2(struct disk_file *disk, uint64_t offset, struct disk_mapped *mapped,
                      struct err *err)
{
    uint64_t cluster = UINT64_C(1) << disk->cluster_bits;
    uint64_t within = offset & (cluster - 1), number = offset >> disk->cluster_bits;
    unsigned table_bits = disk->cluster_bits - 3;
    *mapped = (struct disk_mapped){0, cluster - within, false};
    uint64_t first = disk->level1[number >> table_bits] & OFFSET_MASK;
    if (!first)
        return 0;
    if (first != disk->level2_at) {
        disk->level2_at = 0;
        if (first & (cluster - 1))
            return bad_qcow2(disk, "an L2 table at an odd place", err);
        if (disk_file_read(disk, first, disk->level2, (size_t)cluster, err) < 0)
            return -1;
        disk->level2_at = first;
    }
    uint64_t entry = get_be(disk->level2 + 8 * (number & ((1u << table_bits) - 1)), 8);
    if (entry & L2_COMPRESSED)
        return bad_qcow2(disk, "compressed clusters; unpack it first: qemu-img convert -O qcow2",
                         err);
    if (!(entry & OFFSET_MASK) || (disk->version == 3 && entry & L2_ZERO))
        return 0;
    if (entry & OFFSET_MASK & (cluster - 1))
        return bad_qcow2(disk, "a cluster at an odd place", err);
    mapped->at = (entry & OFFSET_MASK) + within;
    mapped->own = entry & COPIED_ONCE;
    return 0;
}

static int map(struct disk_file *disk, uint64_t offset, struct disk_mapped *mapped, struct err *err)
{
    *mapped = (struct disk_mapped){offset, disk->virtual_bytes - offset, true};
    return disk->find ? disk->find(disk, offset, mapped, err) : 0;
}

static int check_range(const struct disk_file *disk, uint64_t offset, size_t length,
                       struct err *err)
{
    if (offset <= disk->virtual_bytes && length <= disk->virtual_bytes - offset)
        return 0;
    return err_set(err, ERR_INPUT, "%s ends at byte %llu; %zu bytes at %llu lie outside",
                   disk->path, (unsigned long long)disk->virtual_bytes, length,
                   (unsigned long long)offset);
}

/* A file may end inside of its last cluster: what is missing is zero. */
static int read_mapped(const struct disk_file *disk, uint64_t at, unsigned char *bytes,
                       size_t length, struct err *err)
{
    if (disk->find) {
        uint64_t there = at < disk->file_bytes ? disk->file_bytes - at : 0;
        if (!there)
            return err_set(err, ERR_INPUT, "%s: a cluster lies behind the end of the file",
                           disk->path);
        if (there < length) {
            memset(bytes + there, 0, length - (size_t)there);
            length = (size_t)there;
        }
    }
    return disk_file_read(disk, at, bytes, length, err);
}

int disk_read(struct disk_file *disk, uint64_t offset, void *bytes, size_t length, struct err *err)
{
    unsigned char *to = bytes;
    if (check_range(disk, offset, length, err) < 0)
        return -1;
    while (length) {
        struct disk_mapped mapped;
        if (map(disk, offset, &mapped, err) < 0)
            return -1;
        size_t piece = length < mapped.length ? length : (size_t)mapped.length;
        if (!mapped.at && disk->find)
            memset(to, 0, piece);
        else if (read_mapped(disk, mapped.at, to, piece, err) < 0)
            return -1;
        to += piece;
        offset += piece;
        length -= piece;
    }
    return 0;
}

int disk_overwrite(struct disk_file *disk, uint64_t offset, const void *bytes, size_t length,
                   struct err *err)
{
    const unsigned char *from = bytes;
    if (check_range(disk, offset, length, err) < 0)
        return -1;
    while (length) {
        struct disk_mapped mapped;
        if (map(disk, offset, &mapped, err) < 0)
            return -1;
        size_t piece = length < mapped.length ? length : (size_t)mapped.length;
        unsigned char *old = mem_alloc(piece);
        int status = disk_read(disk, offset, old, piece, err);
        bool equal = !status && memcmp(old, from, piece) == 0;
        free(old);
        if (!status && !equal && !mapped.own)
            status = err_set(err, ERR_INPUT,
                             "%s has a snapshot that shares these bytes, or no place for them; "
                             "copy it first: qemu-img convert -O qcow2",
                             disk->path);
        if (!status && !equal)
            status = file_pwrite(disk->fd, disk->path, from, piece, mapped.at, err);
        if (status)
            return -1;
        from += piece;
        offset += piece;
        length -= piece;
    }
    return 0;
}

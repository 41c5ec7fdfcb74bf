/*
 * vmdk, vdi and vhd as arrays of bytes: each is a table of blocks, looked up where it lies. And the
 * tar.gz that Google Compute Engine takes, unpacked into a file without a name. Sources: "Virtual
 * Disk Format 5.0" (VMware), VDICore.h of VirtualBox, the VHD specification (Microsoft 2006), and
 * block/vmdk.c, vdi.c, vpc.c of QEMU; GNU tar's manual, "Storing Sparse Files".
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/vec.h"
#include "image/read_disk.h"

enum { SECTOR = 512, BLOCK_LEAST = 512, BLOCK_MOST = 256 << 20 };

static int refuse(const struct disk_file *disk, const char *what, struct err *err)
{
    return err_set(err, ERR_INPUT, "%s: %s", disk->path, what);
}

/* Bytes of a block from `within` on. */
static void found(struct disk_mapped *mapped, uint64_t at, uint64_t within, uint64_t block)
{
    mapped->at = at ? at + within : 0;
    mapped->length = block - within;
    mapped->own = at != 0;
}

/* ---- vmdk ---- */

static int find_vmdk(struct disk_file *disk, uint64_t offset, struct disk_mapped *mapped,
                     struct err *err)
{
    unsigned char word[4];
    uint64_t grain = offset / disk->block_bytes, table = grain / disk->table_entries;
    if (disk_file_read(disk, disk->table_at + table * 4, word, 4, err) < 0)
        return -1;
    uint64_t at = get_le(word, 4) * SECTOR;
    if (at && disk_file_read(disk, at + grain % disk->table_entries * 4, word, 4, err) < 0)
        return -1;
    /* 1 is a grain of zeros. */
    uint64_t sector = at ? get_le(word, 4) : 0;
    found(mapped, sector > 1 ? sector * SECTOR : 0, offset % disk->block_bytes, disk->block_bytes);
    return 0;
}

static int open_vmdk(struct disk_file *disk, struct err *err)
{
    unsigned char head[SECTOR];
    if (disk_file_read(disk, 0, head, sizeof head, err) < 0)
        return -1;
    uint64_t sectors = get_le(head + 12, 8), grain = get_le(head + 20, 8);
    disk->table_entries = (uint32_t)get_le(head + 44, 4);
    disk->table_at = get_le(head + 56, 8);
    if (get_le(head + 8, 4) & 0x10000)
        return refuse(disk, "a vmdk of packed grains; unpack it: qemu-img convert -O qcow2", err);
    if (!grain || grain > BLOCK_MOST / SECTOR || !disk->table_entries || !sectors ||
        sectors > UINT64_C(1) << 42 || disk->table_at > disk->file_bytes / SECTOR)
        return refuse(disk, "a vmdk with a header that cannot be right", err);
    disk->block_bytes = (uint32_t)grain * SECTOR;
    disk->table_at *= SECTOR;
    disk->virtual_bytes = sectors * SECTOR;
    disk->find = find_vmdk;
    return 0;
}

/* ---- vdi ---- */

static int find_vdi(struct disk_file *disk, uint64_t offset, struct disk_mapped *mapped,
                    struct err *err)
{
    unsigned char word[4];
    uint64_t block = offset / disk->block_bytes;
    if (disk_file_read(disk, disk->table_at + block * 4, word, 4, err) < 0)
        return -1;
    uint64_t number = get_le(word, 4);
    /* The two largest numbers: never written, and zeros. */
    uint64_t at = number >= 0xfffffffe ? 0 : disk->data_at + number * disk->block_bytes;
    found(mapped, at, offset % disk->block_bytes, disk->block_bytes);
    return 0;
}

static int open_vdi(struct disk_file *disk, struct err *err)
{
    unsigned char head[SECTOR];
    if (disk_file_read(disk, 0, head, sizeof head, err) < 0)
        return -1;
    disk->table_at = get_le(head + 340, 4);
    disk->data_at = get_le(head + 344, 4);
    disk->virtual_bytes = get_le(head + 368, 8);
    disk->block_bytes = (uint32_t)get_le(head + 376, 4);
    uint64_t blocks = get_le(head + 384, 4);
    if (get_le(head + 64, 4) != 0xbeda107f || get_le(head + 68, 2) != 1 ||
        disk->block_bytes < BLOCK_LEAST || disk->block_bytes > BLOCK_MOST ||
        disk->virtual_bytes / disk->block_bytes > blocks || !disk->data_at)
        return refuse(disk, "a vdi with a header that cannot be right", err);
    disk->find = find_vdi;
    return 0;
}

/* ---- vhd ---- */

static int find_vhd(struct disk_file *disk, uint64_t offset, struct disk_mapped *mapped,
                    struct err *err)
{
    unsigned char word[4];
    uint64_t block = offset / disk->block_bytes;
    if (disk_file_read(disk, disk->table_at + block * 4, word, 4, err) < 0)
        return -1;
    uint64_t sector = get_be(word, 4);
    /* A bitmap of the block's sectors stands before it; what it has as unwritten is zero there. */
    uint64_t bitmap = (disk->block_bytes / SECTOR / 8 + SECTOR - 1) / SECTOR * SECTOR;
    found(mapped, sector == UINT32_MAX ? 0 : sector * SECTOR + bitmap, offset % disk->block_bytes,
          disk->block_bytes);
    return 0;
}

static int open_vhd(struct disk_file *disk, struct err *err)
{
    unsigned char footer[SECTOR], head[1024];
    if (disk_file_read(disk, 0, footer, sizeof footer, err) < 0)
        return -1;
    if (get_be(footer + 60, 4) != 3)
        return refuse(disk, "a vhd that is not dynamic, which is not read here", err);
    uint64_t at = get_be(footer + 16, 8);
    if (at > disk->file_bytes || disk_file_read(disk, at, head, sizeof head, err) < 0)
        return refuse(disk, "a vhd whose header is not there", err);
    disk->virtual_bytes = get_be(footer + 48, 8);
    disk->table_at = get_be(head + 16, 8);
    disk->block_bytes = (uint32_t)get_be(head + 32, 4);
    uint64_t blocks = get_be(head + 28, 4);
    if (memcmp(head, "cxsparse", 8) != 0 || disk->block_bytes < BLOCK_LEAST ||
        disk->block_bytes > BLOCK_MOST || disk->block_bytes % SECTOR ||
        disk->virtual_bytes / disk->block_bytes > blocks || disk->table_at > disk->file_bytes)
        return refuse(disk, "a vhd with a header that cannot be right", err);
    disk->find = find_vhd;
    return 0;
}

/* ---- tar.gz ---- */

enum { TAR_BLOCK = 512, GZIP = 15 + 16, PIECE = 256 * 1024 };
#define UNPACKED_MOST (UINT64_C(1) << 44)

struct unpacker {
    struct disk_file *disk;
    z_stream z;
    unsigned char *in;
    uint64_t at; /* of the packed file */
    struct err *err;
};

/* The next `length` unpacked bytes. */
static int next_bytes(struct unpacker *u, void *out, size_t length)
{
    u->z.next_out = out;
    u->z.avail_out = (uInt)length;
    while (u->z.avail_out) {
        if (!u->z.avail_in) {
            uint64_t left = u->disk->file_bytes - u->at;
            size_t piece = left < PIECE ? (size_t)left : PIECE;
            if (!piece)
                return refuse(u->disk, "a tar.gz that is cut off", u->err);
            if (disk_file_read(u->disk, u->at, u->in, piece, u->err) < 0)
                return -1;
            u->at += piece;
            u->z.next_in = u->in;
            u->z.avail_in = (uInt)piece;
        }
        int status = inflate(&u->z, Z_NO_FLUSH);
        if (status != Z_OK && !(status == Z_STREAM_END && !u->z.avail_out))
            return refuse(u->disk, "a tar.gz that cannot be unpacked", u->err);
    }
    return 0;
}

static uint64_t tar_number(const unsigned char *at)
{
    if (at[0] & 0x80)
        return get_be(at + 4, 8);
    uint64_t value = 0;
    for (unsigned i = 0; i < 12 && at[i] >= '0' && at[i] <= '7'; i++)
        value = value << 3 | (unsigned)(at[i] - '0');
    return value;
}

struct tar_extent {
    uint64_t start, length;
};
typedef VEC(struct tar_extent) tar_extents;

/* The places of data from sparse entries at `at`. */
static void take_extents(const unsigned char *at, unsigned count, tar_extents *extents)
{
    for (; count && *at; count--, at += 24)
        vec_push(extents, (struct tar_extent){tar_number(at), tar_number(at + 12)});
}

static int copy_extent(struct unpacker *u, int to, const struct tar_extent *extent,
                       unsigned char *piece)
{
    for (uint64_t done = 0; done < extent->length;) {
        uint64_t left = extent->length - done;
        size_t length = left < PIECE ? (size_t)left : PIECE;
        if (next_bytes(u, piece, length) < 0 ||
            file_pwrite(to, u->disk->path, piece, length, extent->start + done, u->err) < 0)
            return -1;
        done += length;
    }
    return 0;
}

/* The first member, which must be a disk, into `to`. */
static int unpack_member(struct unpacker *u, int to, unsigned char *piece)
{
    enum { EXTENTS_MOST = 1 << 20 };
    unsigned char block[TAR_BLOCK];
    if (next_bytes(u, block, TAR_BLOCK) < 0)
        return -1;
    bool sparse = block[156] == 'S';
    if (memcmp(block + 257, "ustar", 5) != 0 || (!sparse && block[156] != '0' && block[156]) ||
        strncmp((char *)block, "disk.raw", 9) != 0)
        return refuse(u->disk, "packed, but no tar with disk.raw as its first member", u->err);
    uint64_t size = tar_number(block + (sparse ? 483 : 124));
    tar_extents extents = {0};
    int status = 0;
    if (sparse) {
        take_extents(block + 386, 4, &extents);
        for (bool more = block[482]; more && !status; more = block[504]) {
            status = extents.len < EXTENTS_MOST
                         ? next_bytes(u, block, TAR_BLOCK)
                         : refuse(u->disk, "a tar of too many pieces", u->err);
            if (!status)
                take_extents(block, 21, &extents);
        }
    } else {
        vec_push(&extents, (struct tar_extent){0, size});
    }
    if (size > UNPACKED_MOST)
        status = refuse(u->disk, "a disk of more than 16 TiB", u->err);
    for (size_t i = 0; i < extents.len && !status; i++) {
        const struct tar_extent *extent = &extents.at[i];
        if (extent->start > size || extent->length > size - extent->start)
            status = refuse(u->disk, "a tar with data behind its end", u->err);
        else
            status = copy_extent(u, to, extent, piece);
    }
    vec_free(&extents);
    if (!status && ftruncate(to, (off_t)size) < 0)
        status = err_errno(u->err, "cannot unpack %s", u->disk->path);
    u->disk->virtual_bytes = size;
    return status;
}

static int open_packed(struct disk_file *disk, struct err *err)
{
    const char *directory = getenv("TMPDIR");
    int to = open(directory ? directory : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (to < 0)
        return err_errno(err, "cannot unpack %s into %s", disk->path,
                         directory ? directory : "/tmp");
    struct unpacker u = {.disk = disk, .err = err, .in = mem_alloc(PIECE)};
    unsigned char *piece = mem_alloc(PIECE);
    int status = inflateInit2(&u.z, GZIP) == Z_OK ? 0 : refuse(disk, "zlib does not start", err);
    if (!status)
        status = unpack_member(&u, to, piece);
    inflateEnd(&u.z);
    free(u.in);
    free(piece);
    if (status) {
        close(to);
        return -1;
    }
    close(disk->fd);
    disk->fd = to; /* from here on it is a raw disk; file_bytes stays the packed file's */
    return 0;
}

int disk_open_other(struct disk_file *disk, const unsigned char *head, struct err *err)
{
    static const struct {
        const char *magic;
        enum disk_format format;
        int (*open)(struct disk_file *disk, struct err *err);
    } kinds[] = {{"KDMV", DISK_VMDK, open_vmdk},
                 {"conectix", DISK_VHD, open_vhd},
                 {"<<< ", DISK_VDI, open_vdi},
                 {"\x1f\x8b", DISK_GCE, open_packed}};
    if (memcmp(head, "vhdxfile", 8) == 0)
        return refuse(disk, "a vhdx, which is not read here: qemu-img convert -O qcow2", err);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (memcmp(head, kinds[i].magic, strlen(kinds[i].magic)) != 0)
            continue;
        disk->format = kinds[i].format;
        return kinds[i].open(disk, err);
    }
    return 0;
}

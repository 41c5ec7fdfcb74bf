/*
 * An image with other boot arguments, without a byte of it changed: a qcow2 in memory that has the disk's
 * first cluster and whose backing file is the image (docs/interop/qcow2.txt of QEMU). It is six clusters:
 * header, reference counts (table and block), L1, L2, data.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "image/image.h"
#include "image/read_disk.h"

enum {
    CLUSTER_BITS = 16,
    CLUSTER = 1 << CLUSTER_BITS,
    HEADER = 104, /* of version 3 */
    BACKING_FORMAT = (int)0xE2792ACA,
    TABLE_ENTRIES = CLUSTER / 8,
    AT_COUNTS = 1,
    AT_COUNT_BLOCK = 2,
    AT_LEVEL1 = 3,
    AT_LEVEL2 = 4,
    AT_DATA = 5,
    CLUSTERS = 6,
};
#define COPIED (UINT64_C(1) << 63)

static void put_be(unsigned char *at, unsigned width, uint64_t value)
{
    for (unsigned i = 0; i < width; i++)
        at[i] = (unsigned char)(value >> 8 * (width - 1 - i));
}

/* Fields as qcow2.txt numbers them. */
static int put_header(unsigned char *at, const struct disk_file *disk, const char *backing,
                      struct err *err)
{
    const char *format = disk->format == DISK_QCOW2 ? "qcow2" : "raw";
    size_t length = strlen(backing), format_length = strlen(format);
    uint64_t per_table = (uint64_t)TABLE_ENTRIES * CLUSTER;
    uint64_t level1 = (disk->virtual_bytes + per_table - 1) / per_table;
    if (length > 1023)
        return err_set(err, ERR_INPUT, "%s: the path is too long for a backing file", backing);
    if (level1 > TABLE_ENTRIES)
        return err_set(err, ERR_INPUT, "%s: the disk is too large to lay other arguments over it",
                       backing);
    memcpy(at, "QFI\xfb", 4);
    put_be(at + 4, 4, 3);
    put_be(at + 8, 8, HEADER + 24); /* the name, behind one extension and the end of them */
    put_be(at + 16, 4, length);
    put_be(at + 20, 4, CLUSTER_BITS);
    put_be(at + 24, 8, disk->virtual_bytes);
    put_be(at + 36, 4, level1);
    put_be(at + 40, 8, (uint64_t)AT_LEVEL1 * CLUSTER);
    put_be(at + 48, 8, (uint64_t)AT_COUNTS * CLUSTER);
    put_be(at + 56, 4, 1);
    put_be(at + 96, 4, 4); /* counts of 16 bits */
    put_be(at + 100, 4, HEADER);
    put_be(at + HEADER, 4, (uint32_t)BACKING_FORMAT);
    put_be(at + HEADER + 4, 4, format_length);
    memcpy(at + HEADER + 8, format, format_length); /* padded to 8; then an all-zero end */
    memcpy(at + HEADER + 24, backing, length);
    return 0;
}

static int put_arguments(unsigned char *data, struct disk_file *disk, const char *cmdline,
                         struct err *err)
{
    size_t length = strlen(cmdline);
    size_t whole = disk->virtual_bytes < CLUSTER ? (size_t)disk->virtual_bytes : CLUSTER;
    if (length > IMAGE_CMDLINE_MAX)
        return err_set(err, ERR_INPUT,
                       "the boot arguments have %zu bytes; the kernel takes at most %d", length,
                       IMAGE_CMDLINE_MAX);
    if (disk_read(disk, 0, data, whole, err) < 0)
        return -1;
    char *old = image_args(disk->path, err); /* says where there can be none */
    if (!old)
        return -1;
    memset(data + IMAGE_CMDLINE_AT, 0, strlen(old) + 1);
    memcpy(data + IMAGE_CMDLINE_AT, cmdline, length + 1);
    free(old);
    return 0;
}

static int put_all(unsigned char *bytes, struct disk_file *disk, const char *cmdline,
                   struct err *err)
{
    char *backing = path_absolute(disk->path);
    int status = put_header(bytes, disk, backing, err);
    free(backing);
    if (status < 0 || put_arguments(bytes + AT_DATA * CLUSTER, disk, cmdline, err) < 0)
        return -1;
    put_be(bytes + AT_COUNTS * CLUSTER, 8, (uint64_t)AT_COUNT_BLOCK * CLUSTER);
    for (size_t i = 0; i < CLUSTERS; i++)
        put_be(bytes + AT_COUNT_BLOCK * CLUSTER + 2 * i, 2, 1);
    put_be(bytes + AT_LEVEL1 * CLUSTER, 8, COPIED | (uint64_t)AT_LEVEL2 * CLUSTER);
    put_be(bytes + AT_LEVEL2 * CLUSTER, 8, COPIED | (uint64_t)AT_DATA * CLUSTER);
    return 0;
}

int image_overlay(const char *path, const char *cmdline, struct err *err)
{
    struct disk_file disk = {0};
    unsigned char *bytes = mem_zero(CLUSTERS, CLUSTER);
    int fd = -1, status = disk_open(&disk, path, DISK_READ, err);
    if (!status && disk.format != DISK_RAW && disk.format != DISK_QCOW2)
        status = err_set(err, ERR_INPUT, "%s is neither raw nor qcow2", path);
    if (!status)
        status = put_all(bytes, &disk, cmdline, err);
    if (!status && (fd = memfd_create("gantry-arguments", MFD_CLOEXEC)) < 0)
        status = err_errno(err, "memory for an image");
    if (!status &&
        file_pwrite(fd, "an image in memory", bytes, (size_t)CLUSTERS * CLUSTER, 0, err) < 0) {
        close(fd);
        fd = -1;
    }
    disk_close(&disk);
    free(bytes);
    return fd;
}

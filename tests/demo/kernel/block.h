/* Disks and their partitions. A driver registers a disk; its MBR is read at once. */
#ifndef KERNEL_BLOCK_H
#define KERNEL_BLOCK_H

#include "kernel_api.h"

/*
 * Reads count sectors; the range has been checked, buffer is any address. Returns 0 or an error.
 * count is at most what the disk was registered with.
 */
typedef int block_read_function(void *disk, uint64_t sector, uint32_t count, void *buffer);

struct block_driver {
    const char *name;
    block_read_function *read;
    uint32_t batch_sectors; /* the most that one call of read may ask for */
};

/* disk and driver stay where they are. An empty disk is refused. */
int block_register(const struct block_driver *driver, void *disk, uint64_t sectors);

int block_info(unsigned device, struct block_info *info);
int block_read(unsigned device, uint64_t sector, uint32_t count, void *buffer);

#endif

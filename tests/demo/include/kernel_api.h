/*
 * What a program gets from the kernel: one table of functions, handed to its entry point
 *     int program_entry(const struct kernel_api *kernel, int argc, char **argv)
 * (lib/program.c). A program is an ET_DYN file with RELATIVE relocations only; it runs in the
 * kernel's address space and on its stack, and ends by returning its exit status.
 */
#ifndef KERNEL_API_H
#define KERNEL_API_H

#include "tiny.h"

/* Raised when a member changes its meaning; new members go to the end. */
enum { KERNEL_API_VERSION = 1 };

enum { NAME_MAX_BYTES = 255, PATH_MAX_BYTES = 1023, SECTOR_BYTES = 512 };

enum file_type { FILE_REGULAR, FILE_DIRECTORY, FILE_SYMLINK };

/* A file that was looked up. Valid until power off: nothing is ever unmounted. */
struct file {
    uint32_t mount;
    uint32_t type; /* enum file_type */
    uint64_t node; /* meaningful to its file system only */
    uint64_t size; /* in bytes; a directory's in entries; a symlink's is that of its target */
};

struct directory_entry {
    struct file file; /* a symlink is not followed */
    char name[NAME_MAX_BYTES + 1];
};

struct block_info {
    char name[16]; /* vblk0; its partitions vblk0.0, vblk0.1, ... */
    uint64_t first_sector; /* 0 for a whole disk */
    uint64_t sectors;
    uint8_t type; /* of a partition, from its table */
    char driver[24]; /* virtio-pci, virtio-mmio, ... */
};

/* Where a call can fail it returns an enum error. Pointers to out are untouched then. */
struct kernel_api {
    uint32_t version;

    void (*console_write)(const char *text, size_t length);
    int (*console_read)(void); /* the next byte, or -1 if none has come */

    uint64_t (*uptime_ns)(void);
    void (*power_off)(void) __attribute__((noreturn));
    /* version, arch, mode, kernel_base, arguments, root, options; NULL if there is no such. */
    const char *(*fact)(const char *name);

    void *(*allocate)(size_t size); /* 16-byte aligned, or NULL */
    void (*release)(void *memory); /* NULL is allowed */
    size_t (*memory_free)(void);

    /* Paths are absolute. look_up follows a symlink at the end, look_up_link does not. */
    int (*look_up)(const char *path, struct file *file);
    int (*look_up_link)(const char *path, struct file *file);
    /* Reads up to size bytes; the count is short only at the end of the file. */
    int64_t (*read)(const struct file *file, uint64_t offset, void *buffer, size_t size);
    /* Entry number index, in the file system's order; ERROR_RANGE behind the last. */
    int (*list)(const struct file *directory, uint64_t index, struct directory_entry *entry);

    /* Disks and partitions, numbered from 0; ERROR_RANGE behind the last, or past the end. */
    int (*block_info)(unsigned device, struct block_info *info);
    int (*block_read)(unsigned device, uint64_t sector, uint32_t count, void *buffer);

    /* Runs the program at path argv[0]; *status is what it returned. */
    int (*run)(int argc, char **argv, int *status);

    /* Line number index of the trace, oldest first; ERROR_RANGE behind the last. */
    int (*trace_line)(unsigned index, char *line, size_t size);
};

#endif

/*
 * Boot arguments in place: one NUL-ended string at 0x200 of the disk. OSv's boot16.S reads 63
 * sectors from there, its kernel takes 1,023 bytes and a NUL (include/osv/commands.hh). An edit
 * touches the bytes of the old and the new string and nothing else.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "image/image.h"
#include "image/read_disk.h"

enum { SECTOR = 512, ROOM = 63 * SECTOR, LOADER_AT = 0x10000 };

/* Whether sector 0 is one that a loader with arguments starts with: a boot sector or a partition
 * table (55AA), the header of a Linux Image for 64-bit ARM, with or without its magic, or, whatever
 * an arch's own first stage looks like, code with the loader's ELF file at 64 KiB. */
static bool takes_arguments(struct disk_file *disk, const unsigned char *sector)
{
    unsigned char magic[4] = {0};
    if ((sector[510] == 0x55 && sector[511] == 0xAA) || memcmp(sector + 56, "ARM\x64", 4) == 0 ||
        get_le(sector + 8, 8) == 0x80000)
        return true;
    return disk->virtual_bytes >= LOADER_AT + sizeof magic &&
           disk_read(disk, LOADER_AT, magic, sizeof magic, NULL) == 0 &&
           memcmp(magic,
                  "\x7f"
                  "ELF",
                  4) == 0 &&
           memcmp(sector, magic, 4) != 0;
}

/* Whether a partition begins where arguments would stand: a disk beside a kernel that is loaded
 * otherwise, and its file system's own first bytes. */
static bool is_partition(const unsigned char *sector)
{
    bool found = false;
    for (const unsigned char *entry = sector + 0x1be; entry < sector + 510; entry += 16)
        found |= sector[510] == 0x55 && sector[511] == 0xAA && entry[4] &&
                 get_le(entry + 8, 4) == IMAGE_CMDLINE_AT / SECTOR;
    return found;
}

/* The string that is there, new, and the bytes that may be written. */
static char *read_arguments(struct disk_file *disk, size_t *room, struct err *err)
{
    unsigned char sector[SECTOR];
    if (disk->virtual_bytes <= IMAGE_CMDLINE_AT || disk_read(disk, 0, sector, SECTOR, err) < 0 ||
        !takes_arguments(disk, sector)) {
        err_set(err, ERR_INPUT,
                "%s is no disk that takes boot arguments: sector 0 is neither a "
                "boot sector nor an Image header, and no loader is at 64 KiB",
                disk->path);
        return NULL;
    }
    if (is_partition(sector)) {
        err_set(err, ERR_INPUT,
                "%s has a partition where boot arguments stand: its kernel is loaded from another "
                "file, and gets them from there",
                disk->path);
        return NULL;
    }
    uint64_t left = disk->virtual_bytes - IMAGE_CMDLINE_AT;
    *room = left < ROOM ? (size_t)left : ROOM;
    char *text = mem_zero(1, *room + 1);
    if (disk_read(disk, IMAGE_CMDLINE_AT, text, *room, err) < 0) {
        free(text);
        return NULL;
    }
    bool fine = strlen(text) < *room && strncmp(text, "EFI PART", 8) != 0;
    for (const char *p = text; *p && fine; p++)
        fine = (unsigned char)*p >= ' ' || *p == '\t' || *p == '\n';
    if (fine)
        return text;
    err_set(err, ERR_INPUT, "%s has something other than boot arguments at 0x%x", disk->path,
            IMAGE_CMDLINE_AT);
    free(text);
    return NULL;
}

char *image_args(const char *path, struct err *err)
{
    struct disk_file disk;
    size_t room;
    char *text = NULL;
    if (disk_open(&disk, path, DISK_READ, err) == 0)
        text = read_arguments(&disk, &room, err);
    disk_close(&disk);
    return text;
}

int image_set_args(const char *path, const char *cmdline, struct err *err)
{
    size_t length = strlen(cmdline), room;
    if (length > IMAGE_CMDLINE_MAX)
        return err_set(err, ERR_INPUT,
                       "the boot arguments have %zu bytes; the kernel takes at most %d", length,
                       IMAGE_CMDLINE_MAX);
    for (const char *p = cmdline; *p; p++)
        if ((unsigned char)*p < ' ' && *p != '\t' && *p != '\n')
            return err_set(err, ERR_INPUT, "boot arguments must not have control characters");
    struct disk_file disk;
    char *text = NULL;
    int status = disk_open(&disk, path, DISK_EDIT, err);
    if (!status && !(text = read_arguments(&disk, &room, err)))
        status = -1;
    if (!status && length >= room)
        status = err_set(err, ERR_INPUT, "%s ends before the arguments would", path);
    if (!status) {
        size_t old = strlen(text), all = (old > length ? old : length) + 1;
        memset(text, 0, all);
        memcpy(text, cmdline, length);
        status = disk_overwrite(&disk, IMAGE_CMDLINE_AT, text, all, err);
    }
    disk_close(&disk);
    free(text);
    return status;
}

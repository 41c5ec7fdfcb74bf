/* What may be wrong with an image: its tables, its parts against each other, its arguments, and its
 * file systems. Findings are lines; reading goes on after each. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "image/read_image.h"

static void check_parts(const struct disk_file *disk, const struct part_list *list,
                        struct str *report)
{
    const struct part *before = NULL;
    for (size_t i = 0; i < list->parts.len; i++) {
        const struct image_part *part = &list->parts.at[i].shown;
        if (part->offset > disk->virtual_bytes ||
            part->size_bytes > disk->virtual_bytes - part->offset)
            str_addf(report, "%s ends at byte %llu, the disk at %llu\n", part->name,
                     (unsigned long long)(part->offset + part->size_bytes),
                     (unsigned long long)disk->virtual_bytes);
        if (before && part->offset < before->shown.offset + before->shown.size_bytes)
            str_addf(report, "%s begins at byte %llu, inside of %s\n", part->name,
                     (unsigned long long)part->offset, before->shown.name);
        before = &list->parts.at[i];
    }
    if (list->cmdline && strlen(list->cmdline) > IMAGE_CMDLINE_MAX)
        str_addf(report, "the boot arguments have %zu bytes; the kernel takes at most %d\n",
                 strlen(list->cmdline), IMAGE_CMDLINE_MAX);
}

static void check_fs(struct disk_file *disk, const struct part *part, struct str *report)
{
    struct err err = {0};
    uint64_t left = disk->virtual_bytes - part->shown.offset;
    struct fs_reader reader = {.disk = disk,
                               .start = part->shown.offset,
                               .size_bytes =
                                   part->shown.size_bytes < left ? part->shown.size_bytes : left,
                               .report = report,
                               .err = &err};
    size_t before = report->len;
    if (fs_read(&reader, part->fs) < 0)
        str_addf(report, "%s\n", err.text);
    fs_reader_free(&reader);
    if (report->len == before)
        return;
    /* Name the part in front of its findings. */
    char *lines = mem_copy(report->at + before);
    str_cut(report, before);
    for (char *p = lines; *p;) {
        size_t length = strcspn(p, "\n");
        str_addf(report, "%s: %.*s\n", part->shown.name, (int)length, p);
        p += length + (p[length] != '\0');
    }
    free(lines);
}

/* The loader and, in a file of its own, the program. */
static int check_loader(struct disk_file *disk, const struct part *part, const char *stripped,
                        struct str *report, struct err *err)
{
    char *directory = path_dir(disk->path);
    char *beside = path_join(directory, "loader-stripped.elf");
    struct loader_place place = {.offset = part->shown.offset,
                                 .size_bytes = part->shown.size_bytes,
                                 .stripped = stripped,
                                 .must = stripped != NULL};
    if (!stripped && access(beside, R_OK) == 0)
        place.stripped = beside;
    int status = loader_check(disk, &place, report, err);
    free(beside);
    free(directory);
    return status;
}

int image_check(const char *path, const char *stripped, struct str *report, struct err *err)
{
    struct disk_file disk;
    struct part_list list = {0};
    int status = disk_open(&disk, path, DISK_READ, err);
    if (!status)
        status = disk_check_tables(&disk, report, err);
    if (!status)
        status = image_parts(&disk, &list, err);
    if (!status)
        check_parts(&disk, &list, report);
    bool loader = false;
    for (size_t i = 0; i < list.parts.len && !status; i++) {
        const struct part *part = &list.parts.at[i];
        if (part->fs != FS_NONE && part->shown.offset < disk.virtual_bytes)
            check_fs(&disk, part, report);
        if (strcmp(part->shown.kind, "elf") == 0) {
            loader = true;
            status = check_loader(&disk, part, stripped, report, err);
        }
    }
    if (!status && stripped && !loader)
        str_addf(report, "there is no loader to compare with %s\n", stripped);
    image_parts_free(&list);
    disk_close(&disk);
    return status;
}

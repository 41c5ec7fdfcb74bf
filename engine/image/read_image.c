/* Whole images: what they are made of, and their files. */
#include "image/read_image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"

enum {
    SECTOR_BYTES = 512,
    TABLE_OFFSET = 0x1be,
    LOADER_AT = 0x10000,
    PIECE = 256 * 1024,
    LINKS_MAX = 16,
};

static struct part *add_part(struct part_list *list, const char *name, const char *kind,
                             uint64_t offset, uint64_t size_bytes)
{
    struct part *part = vec_new(&list->parts);
    snprintf(part->shown.name, sizeof part->shown.name, "%s", name);
    snprintf(part->shown.kind, sizeof part->shown.kind, "%s", kind);
    part->shown.offset = offset;
    part->shown.size_bytes = size_bytes;
    return part;
}

/* Bytes of an ELF file by its headers: the end of its section headers, else of its segments. 0 where
 * the bytes are no ELF. */
static uint64_t elf_size(struct disk_file *disk, uint64_t at)
{
    unsigned char head[64];
    if (at >= disk->virtual_bytes || disk->virtual_bytes - at < sizeof head ||
        disk_read(disk, at, head, sizeof head, NULL) < 0 ||
        memcmp(head,
               "\x7f"
               "ELF",
               4) != 0)
        return 0;
    bool wide = head[4] == 2;
    uint64_t sections = wide ? get_le(head + 40, 8) : get_le(head + 32, 4);
    uint64_t end = sections ? sections + get_le(head + (wide ? 58 : 46), 2) *
                                             get_le(head + (wide ? 60 : 48), 2)
                            : 0;
    uint64_t segments = wide ? get_le(head + 32, 8) : get_le(head + 28, 4);
    uint64_t count = get_le(head + (wide ? 56 : 44), 2), each = wide ? 56 : 32;
    uint64_t left = disk->virtual_bytes - at;
    if (segments > left || count * each > left - segments)
        count = 0; /* damaged: no table there */
    unsigned char *table = mem_alloc((size_t)(count * each) + 1);
    if (disk_read(disk, at + segments, table, (size_t)(count * each), NULL) < 0)
        count = 0;
    for (uint64_t i = 0; i < count; i++) {
        const unsigned char *segment = table + i * each;
        uint64_t bytes = wide ? get_le(segment + 8, 8) + get_le(segment + 32, 8)
                              : get_le(segment + 4, 4) + get_le(segment + 16, 4);
        end = bytes > end ? bytes : end;
    }
    free(table);
    return end < sizeof head ? sizeof head : end > left ? left : end;
}

static void add_partitions(struct disk_file *disk, struct part_list *list,
                           const unsigned char *sector)
{
    for (unsigned i = 1; i <= 4; i++) {
        const unsigned char *entry = sector + TABLE_OFFSET + 16 * (size_t)(i - 1);
        uint64_t start = get_le(entry + 8, 4) * SECTOR_BYTES;
        uint64_t size = get_le(entry + 12, 4) * SECTOR_BYTES;
        if (!entry[4] || !start)
            continue;
        char name[32];
        snprintf(name, sizeof name, "partition %u", i);
        uint64_t left = start < disk->virtual_bytes ? disk->virtual_bytes - start : 0;
        enum fs_kind fs = left ? fs_probe(disk, start, size < left ? size : left) : FS_NONE;
        struct part *part = add_part(list, name, fs_kind_name(fs), start, size);
        part->fs = fs;
        part->partition = i;
    }
}

/* Whether a string stands at 0x200, as in a disk with a loader. */
static void add_cmdline(struct disk_file *disk, struct part_list *list)
{
    struct err ignored;
    list->cmdline = image_args(disk->path, &ignored);
    if (list->cmdline)
        add_part(list, "command line", "text", IMAGE_CMDLINE_AT, strlen(list->cmdline) + 1);
}

static int by_offset(const void *a, const void *b)
{
    const struct part *x = a, *y = b;
    return x->shown.offset < y->shown.offset ? -1 : x->shown.offset > y->shown.offset;
}

int image_parts(struct disk_file *disk, struct part_list *list, struct err *err)
{
    unsigned char sector[SECTOR_BYTES] = {0};
    size_t length = disk->virtual_bytes < SECTOR_BYTES ? (size_t)disk->virtual_bytes : SECTOR_BYTES;
    if (disk_read(disk, 0, sector, length, err) < 0)
        return -1;
    bool table = sector[510] == 0x55 && sector[511] == 0xAA;
    bool arm = memcmp(sector + 56, "ARM\x64", 4) == 0 || get_le(sector + 8, 8) == 0x80000;
    enum fs_kind bare = table || arm ? FS_NONE : fs_probe(disk, 0, disk->virtual_bytes);
    if (bare != FS_NONE) {
        uint64_t size = fs_extent(disk, bare, 0);
        add_part(list, "file system", fs_kind_name(bare), 0, size ? size : disk->virtual_bytes)
            ->fs = bare;
        return 0;
    }
    uint64_t elf = elf_size(disk, 0);
    if (elf) {
        add_part(list, "program", "elf", 0, elf);
        return 0;
    }
    /* Whatever an arch's own first stage looks like: the loader is where loaders are. */
    uint64_t loader = elf_size(disk, LOADER_AT);
    if (!table && !arm && !loader)
        return err_set(err, ERR_INPUT, "%s is no image that is known here", disk->path);
    bool code = get_le(sector, 8) != 0;
    add_part(list, !table ? "image header" : "boot sector", code ? "code" : "table", 0,
             SECTOR_BYTES);
    add_cmdline(disk, list);
    if (loader)
        add_part(list, "loader", "elf", LOADER_AT, loader);
    if (table)
        add_partitions(disk, list, sector);
    qsort(list->parts.at, list->parts.len, sizeof *list->parts.at, by_offset);
    return 0;
}

void image_parts_free(struct part_list *list)
{
    vec_free(&list->parts);
    free(list->cmdline);
}

int image_info(const char *path, struct image_info *info, struct err *err)
{
    struct disk_file disk;
    struct part_list list = {0};
    int status = disk_open(&disk, path, DISK_READ, err);
    if (!status)
        status = image_parts(&disk, &list, err);
    if (!status) {
        info->format = disk.format;
        info->virtual_bytes = disk.virtual_bytes;
        info->file_bytes = disk.file_bytes;
        info->cmdline = list.cmdline;
        list.cmdline = NULL;
        for (size_t i = 0; i < list.parts.len; i++) {
            const struct image_part *part = &list.parts.at[i].shown;
            vec_push(&info->parts, *part);
            if (strcmp(part->kind, "elf") == 0)
                loader_limits(
                    &disk,
                    &(struct loader_place){.offset = part->offset, .size_bytes = part->size_bytes},
                    &info->kernel_bytes, &info->kernel_most);
        }
    }
    image_parts_free(&list);
    disk_close(&disk);
    return status;
}

void image_info_free(struct image_info *info)
{
    free(info->cmdline);
    vec_free(&info->parts);
}

int image_open_fs(struct disk_file *disk, struct fs_reader *reader, struct err *err)
{
    struct part_list list = {0};
    const struct part *found = NULL;
    int status = image_parts(disk, &list, err);
    for (size_t i = 0; i < list.parts.len && !status && !found; i++) {
        const struct part *part = &list.parts.at[i];
        if (part->fs != FS_NONE)
            found = part;
    }
    if (!status && !found)
        status = err_set(err, ERR_INPUT, "%s has no file system that is known here", disk->path);
    if (!status) {
        uint64_t left = disk->virtual_bytes - found->shown.offset;
        reader->disk = disk;
        reader->start = found->shown.offset;
        reader->size_bytes = found->shown.size_bytes < left ? found->shown.size_bytes : left;
        reader->err = err;
        status = fs_read(reader, found->fs);
    }
    image_parts_free(&list);
    return status;
}

int image_list(const char *path, struct image_listing *listing, struct err *err)
{
    struct disk_file disk;
    struct fs_reader reader = {0};
    int status = disk_open(&disk, path, DISK_READ, err);
    if (!status)
        status = image_open_fs(&disk, &reader, err);
    if (!status) {
        for (size_t i = 0; i < reader.files.len; i++)
            vec_push(&listing->files, reader.files.at[i].file);
        listing->arena = reader.arena; /* the strings go with it */
        reader.arena = (struct arena){0};
    }
    fs_reader_free(&reader);
    disk_close(&disk);
    return status;
}

void image_listing_free(struct image_listing *listing)
{
    vec_free(&listing->files);
    arena_free(&listing->arena);
}

static const struct fs_file *find(const struct fs_reader *reader, const char *path)
{
    size_t low = 0, high = reader->files.len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(reader->files.at[middle].file.path, path);
        if (order == 0)
            return &reader->files.at[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* The path with its first part that is a link put in its place; NULL where no part is one. */
static char *follow_once(const struct fs_reader *reader, const char *path)
{
    for (size_t end = 1;; end++) {
        if (path[end] != '/' && path[end] != '\0')
            continue;
        char *head = mem_copy_n(path, end);
        const struct fs_file *file = find(reader, head);
        if (file && file->file.kind == ENTRY_SYMLINK) {
            char *dir = path_dir(head);
            char *target = mem_format("%s%s", file->file.target, path + end);
            char *next = path_join(dir, target);
            free(dir);
            free(target);
            free(head);
            return next;
        }
        free(head);
        if (!path[end])
            return NULL;
    }
}

static const struct fs_file *find_file(const struct fs_reader *reader, const char *guest,
                                       struct err *err)
{
    char *path = path_join("/", guest);
    for (int links = 0; links <= LINKS_MAX; links++) {
        char *next = follow_once(reader, path);
        if (!next) {
            const struct fs_file *file = find(reader, path);
            if (!file || file->file.kind != ENTRY_FILE)
                err_set(err, ERR_INPUT, "%s: %s %s", reader->disk->path, path,
                        file ? "is a directory" : "is not in the image");
            free(path);
            return file && file->file.kind == ENTRY_FILE ? file : NULL;
        }
        free(path);
        path = next;
    }
    err_set(err, ERR_INPUT, "%s: %s leads through more than %d links", reader->disk->path, guest,
            LINKS_MAX);
    free(path);
    return NULL;
}

int image_read_file(struct fs_reader *reader, const struct fs_file *file, image_take *take,
                    void *data, struct err *err)
{
    unsigned char *piece = mem_alloc(PIECE);
    int status = 0;
    for (uint64_t at = 0; at < file->file.size_bytes && !status; at += PIECE) {
        uint64_t left = file->file.size_bytes - at;
        size_t length = left < PIECE ? (size_t)left : PIECE;
        status = fs_file_read(reader, file, at, piece, length);
        if (!status)
            status = take(data, piece, length, err);
    }
    free(piece);
    return status;
}

int image_get(const char *path, const char *guest, image_take *take, void *data, struct err *err)
{
    struct disk_file disk;
    struct fs_reader reader = {0};
    const struct fs_file *file = NULL;
    int status = disk_open(&disk, path, DISK_READ, err);
    if (!status)
        status = image_open_fs(&disk, &reader, err);
    if (!status && !(file = find_file(&reader, guest, err)))
        status = -1;
    if (!status)
        status = image_read_file(&reader, file, take, data, err);
    fs_reader_free(&reader);
    disk_close(&disk);
    return status;
}

static int take_text(void *data, const void *bytes, size_t length, struct err *err)
{
    (void)err;
    str_add_n(data, bytes, length);
    return 0;
}

int image_cat(const char *path, const char *guest, struct str *out, struct err *err)
{
    return image_get(path, guest, take_text, out, err);
}

#include "image/layout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/stock.h"

static const char *const fs_names[IMAGE_FS_KINDS] = {
    [IMAGE_ROFS] = "rofs", [IMAGE_ZFS] = "zfs", [IMAGE_EXT] = "ext", [IMAGE_RAMFS] = "ramfs"};
static const char *const format_names[DISK_FORMATS] = {
    [DISK_RAW] = "raw", [DISK_QCOW2] = "qcow2", [DISK_VMDK] = "vmdk",
    [DISK_VDI] = "vdi", [DISK_VHD] = "vhd",     [DISK_GCE] = "gce"};

const char *image_fs_name(enum image_fs fs)
{
    return fs_names[fs];
}

const char *image_format_name(enum disk_format format)
{
    return format_names[format];
}

int image_size(const char *text, uint64_t *bytes, struct err *err)
{
    static const char units[] = "KMGT";
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 0);
    const char *unit = *end ? strchr(units, *end) : NULL;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    if (text[0] < '0' || text[0] > '9' || errno || (*end && !unit) || (unit && end[1]) ||
        value > UINT64_MAX >> 1 >> shift)
        return err_set(err, ERR_INPUT, "%s is no size: a number, and K, M, G or T behind it", text);
    *bytes = value << shift;
    return 0;
}

/* The words of the line `<prefix><name> = words`; NULL where it is not there. The names that are
 * there are added to `known`. */
static char *find_line(const char *text, const char *prefix, const char *name, struct str *known)
{
    char *found = NULL;
    size_t length = strlen(prefix);
    for (const char *line = text; *line;) {
        size_t bytes = strcspn(line, "\n");
        const char *equal = memchr(line, '=', bytes);
        if (strncmp(line, prefix, length) == 0 && equal) {
            size_t key = strcspn(line, " =");
            str_addf(known, "%s%.*s", known->len ? ", " : "", (int)(key - length), line + length);
            if (key - length == strlen(name) && memcmp(line + length, name, key - length) == 0) {
                free(found);
                found = mem_copy_n(equal + 1, bytes - (size_t)(equal + 1 - line));
            }
        }
        line += bytes + (line[bytes] != '\0');
    }
    return found;
}

static char *need_line(const char *text, const char *what, const char *name, struct err *err)
{
    struct str known = {0};
    char *prefix = mem_format("%s-", what);
    char *words = find_line(text, prefix, name, &known);
    if (!words)
        err_set(err, ERR_INPUT, "--%s=%s: there are %s", what, name, str_text(&known));
    str_free(&known);
    free(prefix);
    return words;
}

struct reading {
    struct image_pack *pack;
    str_list *texts;
    const char *layout;
    uint64_t first;
    bool loader, records_2014;
    const char *dataset;
};

static int take_word(struct reading *r, char *word, struct err *err)
{
    char *value = strchr(word, '=');
    uint64_t number;
    if (strcmp(word, "loader") == 0) {
        r->loader = true;
        return 0;
    }
    if (value)
        *value++ = '\0';
    if (value && strcmp(word, "dataset") == 0) {
        r->dataset = mem_copy(value);
        vec_push(r->texts, (char *)(uintptr_t)r->dataset);
        return 0;
    }
    if (value && strcmp(word, "bootfs") == 0 && strcmp(value, "2014") == 0) {
        r->records_2014 = true;
        return 0;
    }
    if (value && strcmp(word, "table") == 0 &&
        (!strcmp(value, "osv") || !strcmp(value, "standard"))) {
        r->pack->table = value[0] == 'o' ? IMAGE_TABLE_OSV : IMAGE_TABLE_STANDARD;
        return 0;
    }
    if (!value || image_size(value, &number, err) < 0)
        return err_set(err, ERR_INPUT, "conf/layouts.conf: layout-%s: '%s' is not known", r->layout,
                       word);
    if (strcmp(word, "first") == 0 && number <= 4)
        r->first = number;
    else if (strcmp(word, "align") == 0 && number && number % 512 == 0)
        r->pack->align = number;
    else if (strcmp(word, "size") == 0)
        r->pack->size_bytes = number;
    else
        return err_set(err, ERR_INPUT, "conf/layouts.conf: layout-%s: %s=%s is not known",
                       r->layout, word, value);
    return 0;
}

static int take_fs(struct reading *r, const char *word, struct err *err)
{
    struct image_pack *pack = r->pack;
    for (unsigned kind = 0; kind < IMAGE_FS_KINDS; kind++) {
        if (strcmp(word, fs_names[kind]) != 0)
            continue;
        unsigned partition = r->first ? (unsigned)r->first + pack->volumes_count : 0;
        if (pack->volumes_count == IMAGE_VOLUMES_MAX || partition > 4 ||
            (!partition && pack->volumes_count))
            return err_set(err, ERR_INPUT, "layout %s has no room for so many file systems",
                           r->layout);
        pack->volumes[pack->volumes_count++] =
            (struct image_volume){.fs = (enum image_fs)kind,
                                  .partition = partition,
                                  .dataset = r->dataset,
                                  .records_2014 = r->records_2014};
        return 0;
    }
    return err_set(err, ERR_INPUT, "conf/layouts.conf: there is no file system '%s'", word);
}

int image_layout(struct image_pack *pack, const char *declaration, const char *layout,
                 const char *fs, str_list *texts, struct err *err)
{
    const struct stock_file *stock = stock_find("conf/layouts.conf");
    const char *text = declaration ? declaration : stock ? stock->bytes : "";
    struct reading r = {.pack = pack, .texts = texts, .layout = layout, .dataset = ""};
    char *words = need_line(text, "layout", layout, err), *next = NULL;
    char *systems = words ? need_line(text, "fs", fs, err) : NULL;
    int status = systems ? 0 : -1;
    for (char *word = words ? strtok_r(words, " \t", &next) : NULL; word && !status;
         word = strtok_r(NULL, " \t", &next))
        status = take_word(&r, word, err);
    next = NULL;
    for (char *word = systems ? strtok_r(systems, " \t", &next) : NULL; word && !status;
         word = strtok_r(NULL, " \t", &next))
        status = take_fs(&r, word, err);
    if (!status && pack->loader && !r.loader)
        status = err_set(err, ERR_INPUT, "layout %s has no loader; leave out --loader", layout);
    free(words);
    free(systems);
    return status;
}

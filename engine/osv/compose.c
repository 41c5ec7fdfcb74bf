/*
 * usr.img (disk.img beside a kernel that QEMU loads) as scripts/build lays it out for each file system:
 * sizes, partitions and arguments are those of its last hundred lines. What goes in is known by a key
 * over all of it, so that an image that is as it should be is left alone.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "image/layout.h"
#include "osv/private.h"

enum { MIB = 1 << 20 };

struct composing {
    const char *root;
    struct conf *conf;
    char *loader; /* absolute; NULL: none in the image */
    char *cmdline, *path;
    struct manifest_list list;
    str_list texts;
    struct image_pack pack;
};

/* ---- arguments ---- */

char *osv_cmdline(const char *root, struct conf *conf, struct err *err)
{
    const char *given = conf_cmdline(conf);
    char *path = mem_format("%s/%s/cmdline", root, conf_get(conf, "out"));
    char *text = *given ? mem_copy(given) : file_read(path, NULL, NULL);
    if (!text)
        err_set(err, ERR_INPUT, "%s is not there; `gantry build` makes it", path);
    free(path);
    if (!text)
        return NULL;
    for (size_t length = strlen(text); length && text[length - 1] == '\n';)
        text[--length] = '\0';
    if (strstr(text, "--rootfs=") || *conf_get(conf, "osv-goals"))
        return text; /* the kernel of 2014 knows one file system */
    char *whole = mem_format("--rootfs=%s %s", conf_get(conf, "fs"), text);
    free(text);
    return whole;
}

/* ---- sizes and places ---- */

/* A size that was given, in units of `unit` bytes; 0 where it was not. */
static int read_size(struct conf *conf, const char *name, uint64_t unit, uint64_t *bytes,
                     struct err *err)
{
    const char *value = conf_get(conf, name);
    char *end;
    *bytes = 0;
    if (!*value)
        return 0;
    unsigned long long number = strtoull(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end || !number || number > (UINT64_MAX >> 16) / unit)
        return err_set(err, ERR_INPUT, "%s=%.100s: a number of %s is wanted", name, value,
                       unit == 1 ? "bytes" : "MiB");
    *bytes = number * unit;
    return 0;
}

/* The default size grows with what goes in; a size that was given does not. */
static int image_bytes(struct composing *c, uint64_t start, uint64_t *bytes, struct err *err)
{
    uint64_t mib, total = 0;
    size_t count;
    const struct conf_value *values = conf_values(c->conf, "fs_size_mb", &count);
    if (read_size(c->conf, "fs_size", 1, bytes, err) < 0 ||
        read_size(c->conf, "fs_size_mb", MIB, &mib, err) < 0)
        return -1;
    bool given = *bytes || (count && values[0].origin.kind != ORIGIN_STOCK);
    *bytes = *bytes ? *bytes & ~UINT64_C(511) : mib;
    for (size_t i = 0; i < c->list.entries.len; i++)
        total += c->list.entries.at[i].size_bytes + 4096;
    uint64_t wants = start + total + total / 8 + 32 * (uint64_t)MIB;
    if (!given && wants > *bytes)
        *bytes = (wants + MIB - 1) / MIB * MIB;
    return 0;
}

/* Kernels before 2026-08-17 look for their files in osv/zfs: loader.cc says which. */
static const char *dataset(const char *root)
{
    char *path = path_join(root, "loader.cc"), *text = file_read(path, NULL, NULL);
    bool old = text && strstr(text, "\"osv/zfs\"");
    free(text);
    free(path);
    return old ? "zfs" : "";
}

static uint64_t partition_start(const struct composing *c, struct err *err)
{
    struct stat st = {0};
    uint64_t align = c->pack.align ? c->pack.align : 2 * MIB;
    if (!c->loader)
        return align;
    if (stat(c->loader, &st) < 0) {
        err_set(err, ERR_INPUT, "%s is not there; `gantry build` makes it", c->loader);
        return 0;
    }
    return ((uint64_t)st.st_size + align - 1) / align * align;
}

static int lay_out(struct composing *c, struct err *err)
{
    struct conf *conf = c->conf;
    const char *fs = osv_of_fs(conf, "pack");
    struct image_pack *pack = &c->pack;
    uint64_t bytes;
    pack->loader = c->loader;
    if (image_layout(pack, NULL, conf_get(conf, "osv-layout"), *fs ? fs : conf_get(conf, "fs"),
                     &c->texts, err) < 0)
        return -1;
    uint64_t start = partition_start(c, err);
    if (!start || image_bytes(c, start, &bytes, err) < 0)
        return -1;
    const char *own = conf_get(conf, "osv-dataset"), *set = *own ? own : dataset(c->root);
    for (unsigned i = 0; i < pack->volumes_count; i++)
        pack->volumes[i].dataset = set;
    bool in_loader = pack->volumes[0].fs == IMAGE_RAMFS;
    pack->volumes[0].list = in_loader ? NULL : &c->list;
    if (in_loader)
        pack->size_bytes = 0; /* an empty partition, where the loader ends */
    else if (pack->volumes_count == 1)
        pack->size_bytes = bytes;
    else if (bytes <= start)
        return err_set(err, ERR_INPUT,
                       "the size of the image ends before its first file system "
                       "begins; give a larger fs_size_mb");
    else
        pack->volumes[1].size_bytes = bytes - start;
    pack->cmdline = c->cmdline;
    const char *format = conf_get(conf, "img_format");
    for (unsigned i = 0; i < DISK_FORMATS; i++)
        if (strcmp(format, image_format_name((enum disk_format)i)) == 0) {
            pack->format = (enum disk_format)i;
            return 0;
        }
    return err_set(err, ERR_INPUT, "img_format=%s: there are raw, qcow2, vmdk, vdi, vhd and gce",
                   format);
}

/* ---- what went in ---- */

static void add_file(struct str *text, const char *path)
{
    struct stat st;
    if (!path || stat(path, &st) < 0)
        return;
    str_addf(text, "%" PRIu64 " %" PRIu64 " %lld.%09ld %o %" PRIu64 "\n", (uint64_t)st.st_dev,
             (uint64_t)st.st_ino, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
             (unsigned)st.st_mode, (uint64_t)st.st_size);
}

static char *key_of(const struct composing *c)
{
    struct str text = {0};
    str_addf(&text, "%s\n%d %" PRIu64 " %" PRIu64 " %d\n%s\n", GANTRY_VERSION, (int)c->pack.format,
             c->pack.size_bytes, c->pack.volumes[1].size_bytes, (int)c->pack.volumes[0].fs,
             c->cmdline);
    for (unsigned i = 0; i < c->pack.volumes_count; i++)
        str_addf(&text, "%d %s\n", (int)c->pack.volumes[i].fs, c->pack.volumes[i].dataset);
    add_file(&text, c->loader);
    for (size_t i = 0; c->pack.volumes[0].list && i < c->list.entries.len; i++) {
        const struct manifest_entry *entry = &c->list.entries.at[i];
        if (entry->duplicate)
            continue;
        str_addf(&text, "%s\n%s\n", entry->guest, entry->host);
        if (entry->kind == ENTRY_FILE)
            add_file(&text, entry->host);
    }
    XXH128_hash_t hash = XXH3_128bits(str_text(&text), text.len);
    str_free(&text);
    return mem_format("%016" PRIx64 "%016" PRIx64, (uint64_t)hash.high64, (uint64_t)hash.low64);
}

static int gather(struct composing *c, unsigned lanes, struct err *err)
{
    struct toolchain tools = {0};
    struct conf *conf = c->conf;
    const char *fs = osv_of_fs(conf, "pack");
    bool in_loader = strcmp(*fs ? fs : conf_get(conf, "fs"), image_fs_name(IMAGE_RAMFS)) == 0;
    int status = toolchain_resolve(&tools, conf, err);
    if (!*conf_get(conf, "osv-beside"))
        c->loader = mem_format("%s/%s/loader.img", c->root, conf_get(conf, "out"));
    if (!status && !in_loader)
        status = osv_entries(&c->list, c->root, conf, &tools, err);
    if (!status && !in_loader && !*conf_get(conf, "osv-goals"))
        status = osv_strip(&c->list, c->root, conf, &tools, lanes, err);
    if (!status && !(c->cmdline = osv_cmdline(c->root, conf, err)))
        status = -1;
    if (!status && strlen(c->cmdline) > IMAGE_CMDLINE_MAX)
        status =
            err_set(err, ERR_INPUT, "the boot arguments have %zu bytes, and the guest takes %d",
                    strlen(c->cmdline), IMAGE_CMDLINE_MAX);
    toolchain_free(&tools);
    return status;
}

int osv_compose(const char *root, struct conf *conf, unsigned lanes, const struct image_io *io,
                struct osv_made *made, struct err *err)
{
    struct composing c = {.root = root, .conf = conf};
    struct osv_record old = {0};
    char *key = NULL;
    made->path = mem_format("%s/%s", conf_get(conf, "out"), conf_get(conf, "boot-image"));
    if (strcmp(conf_get(conf, "boot-image"), "loader.img") == 0) {
        made->fresh = true; /* all is in the kernel, its arguments too */
        return 0;
    }
    c.path = path_join(root, made->path);
    int status = gather(&c, lanes, err);
    if (!status)
        status = lay_out(&c, err);
    if (!status) {
        key = key_of(&c);
        osv_record_read(&old, root, conf);
        made->fresh = old.key && strcmp(old.key, key) == 0;
        made->files = c.list.entries.len;
        if (!made->fresh)
            osv_foreign(&c.list, root, conf, &made->warnings);
        if (!made->fresh)
            status = image_pack(c.path, &c.pack, io, err);
    }
    if (!status && !made->fresh) {
        const char *what = *conf_get(conf, "modules") ? "modules" : "image";
        struct osv_record now = {(char *)(uintptr_t)conf_get(conf, what),
                                 (char *)(uintptr_t)conf_get(conf, "fs"), key};
        status = osv_record_write(&now, root, conf, err);
    }
    osv_record_free(&old);
    manifest_list_free(&c.list);
    str_list_free(&c.texts);
    free(key);
    free(c.cmdline);
    free(c.loader);
    free(c.path);
    return status;
}

void osv_made_free(struct osv_made *made)
{
    free(made->path);
    str_list_free(&made->warnings);
    *made = (struct osv_made){0};
}

/* ---- the record ---- */

static char *record_path(const char *root, struct conf *conf)
{
    return mem_format("%s/.gantry/osv/%s.%s.image", root, conf_get(conf, "mode"),
                      conf_get(conf, "arch"));
}

/* The image as a text; "" where it is not there. */
static void image_identity(const char *root, struct conf *conf, struct str *text)
{
    char *path = mem_format("%s/%s/%s", root, conf_get(conf, "out"), conf_get(conf, "boot-image"));
    add_file(text, path);
    free(path);
}

/* The file's lines: key, image, file system, and the identity of the file that was composed. */
void osv_record_read(struct osv_record *record, const char *root, struct conf *conf)
{
    char *path = record_path(root, conf), *text = file_read(path, NULL, NULL), *at = text;
    struct str now = {0};
    char **const fields[] = {&record->key, &record->image, &record->fs};
    image_identity(root, conf, &now);
    for (size_t i = 0; at && i < 3; i++) {
        size_t length = strcspn(at, "\n");
        *fields[i] = mem_copy_n(at, length);
        at += length + (at[length] == '\n');
    }
    if (!at || strcmp(at, str_text(&now)) != 0)
        osv_record_free(record);
    str_free(&now);
    free(text);
    free(path);
}

int osv_record_write(const struct osv_record *record, const char *root, struct conf *conf,
                     struct err *err)
{
    char *path = record_path(root, conf);
    struct str text = {0};
    str_addf(&text, "%s\n%s\n%s\n", record->key, record->image, record->fs);
    image_identity(root, conf, &text);
    int status =
        file_make_parents(path, err) < 0 ? -1 : file_write(path, text.at, text.len, 0666, err);
    str_free(&text);
    free(path);
    return status;
}

void osv_record_free(struct osv_record *record)
{
    free(record->image);
    free(record->fs);
    free(record->key);
    *record = (struct osv_record){0};
}

#include "tui/image_words.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/text.h"
#include "image/image.h"
#include "image/layout.h"
#include "tui/cli.h"
#include "tui/own_words.h"
#include "tui/stop.h"

const char *image_words_format(enum disk_format format)
{
    return image_format_name(format);
}

void image_words_print(const char *path, const struct image_info *info)
{
    char disk[16], file[16], size[16];
    text_size(disk, info->virtual_bytes);
    text_size(file, info->file_bytes);
    printf("%s: %s, a disk of %s in a file of %s\n", path, image_words_format(info->format), disk,
           file);
    for (size_t i = 0; i < info->parts.len; i++) {
        text_size(size, info->parts.at[i].size_bytes);
        printf("  %#12llx %8s  %-14s %s\n", (unsigned long long)info->parts.at[i].offset, size,
               info->parts.at[i].name, info->parts.at[i].kind);
    }
    if (info->kernel_bytes) {
        text_size(size, info->kernel_bytes);
        text_size(file, info->kernel_most);
        printf("  kernel: %s unpacked%s%s\n", size, info->kernel_most ? " of at most " : "",
               info->kernel_most ? file : "");
    }
    if (info->cmdline)
        printf("  args: %s\n", info->cmdline);
}

/* What was asked for. */
struct pack_words {
    VEC(const char *) manifests;
    VEC(const char *) data; /* manifests of the second file system */
    struct own_scope scope;
    const char *output, *loader, *args, *fs, *format, *layout, *size, *root_size, *dataset, *align,
        *table;
    bool compress, dedup;
};

static bool take_flag(struct pack_words *pack, struct own_words *words)
{
    const char *word = words->argv[words->next];
    bool *flag = strcmp(word, "--compress") == 0 ? &pack->compress
                 : strcmp(word, "--dedup") == 0  ? &pack->dedup
                                                 : NULL;
    if (!flag)
        return false;
    *flag = true;
    words->next++;
    return true;
}

static int read_words(struct pack_words *pack, int argc, char **argv, struct err *err)
{
    struct own_words words = {argc, argv, 1};
    const struct {
        const char *name;
        const char **value;
    } options[] = {
        {"-o", &pack->output},     {"--loader", &pack->loader},       {"--args", &pack->args},
        {"--fs", &pack->fs},       {"--format", &pack->format},       {"--layout", &pack->layout},
        {"--size", &pack->size},   {"--root-size", &pack->root_size}, {"--dataset", &pack->dataset},
        {"--align", &pack->align}, {"--table", &pack->table}};
    while (words.next < argc) {
        const char *word = argv[words.next], *value;
        if (take_flag(pack, &words))
            continue;
        int taken = own_scope_option(&words, &pack->scope, err);
        if (!taken && (taken = own_option(&words, "--manifest", &value, err)) > 0)
            vec_push(&pack->manifests, value);
        if (!taken && (taken = own_option(&words, "--data", &value, err)) > 0)
            vec_push(&pack->data, value);
        for (unsigned i = 0; i < sizeof options / sizeof *options && !taken; i++)
            taken = own_option(&words, options[i].name, options[i].value, err);
        if (taken < 0)
            return -1;
        if (!taken && word[0] == '-')
            return own_unknown("image", word, err);
        if (!taken)
            return err_set(err, ERR_INPUT,
                           "%s: manifests are given with --manifest, the image "
                           "with -o",
                           word);
    }
    if (!pack->output)
        return err_set(err, ERR_INPUT, "-o FILE is missing: where the image goes");
    return 0;
}

static int pick(const char *word, const char *const *names, unsigned count, const char *option,
                struct err *err)
{
    for (unsigned i = 0; word && i < count; i++)
        if (strcmp(word, names[i]) == 0)
            return (int)i;
    if (!word)
        return 0;
    struct str all = {0};
    for (unsigned i = 0; i < count; i++)
        str_addf(&all, "%s%s", i ? ", " : "", names[i]);
    err_set(err, ERR_INPUT, "%s=%s: there are %s", option, word, str_text(&all));
    str_free(&all);
    return -1;
}

/* The arguments of the image: those given, else the loader's, after what names the root. */
static char *arguments(const struct pack_words *words, const char *fs, struct err *err)
{
    char *own = NULL;
    if (!words->args && words->loader && !(own = image_args(words->loader, err)))
        return NULL;
    const char *text = words->args ? words->args : own ? own : "";
    char *all = strstr(text, "--rootfs=") ? mem_copy(text) : mem_format("--rootfs=%s %s", fs, text);
    free(own);
    return all;
}

/* While an image is packed. */
struct packing {
    unsigned shown; /* per cent, on the terminal */
    atomic_bool stopped; /* by a signal */
};

static void progress(void *data, uint64_t done_bytes, uint64_t total_bytes)
{
    struct packing *packing = data;
    unsigned percent = total_bytes ? (unsigned)(done_bytes * 100 / total_bytes) : 0;
    if (percent > 99 || percent < packing->shown + 5)
        return;
    packing->shown = percent;
    fprintf(stderr, "\rcomposing %u %%", percent);
}

static void stop_packing(void *data, unsigned times)
{
    (void)times;
    atomic_store(&((struct packing *)data)->stopped, true);
}

static bool stopped(void *data)
{
    return atomic_load(&((struct packing *)data)->stopped);
}

/* With the signals watched, so that nothing half-made stays. */
static int pack_watched(const char *output, const struct image_pack *pack, int *signal,
                        struct err *err)
{
    struct packing packing = {0};
    struct image_io io = {
        .data = &packing, .stopped = stopped, .progress = isatty(STDERR_FILENO) ? progress : NULL};
    struct stop *stop = stop_watch(stop_packing, &packing, err);
    if (!stop)
        return -1;
    int status = image_pack(output, pack, &io, err);
    *signal = stop_end(stop);
    if (packing.shown)
        fprintf(stderr, "\r              \r");
    return status;
}

static void print_notes(const struct manifest_list *list)
{
    for (size_t i = 0; i < list->entries.len; i++) {
        const struct manifest_entry *entry = &list->entries.at[i];
        if (entry->duplicate && entry->kind != ENTRY_DIRECTORY)
            fprintf(stderr, "gantry: note: %s:%u: %s is replaced by %s:%u\n", entry->file,
                    entry->line, entry->guest, entry[1].file, entry[1].line);
    }
}

static int tell(struct cli *cli, const char *output, const struct image_info *info)
{
    if (cli->output != OUTPUT_JSON && !cli->json_to) {
        char size[16];
        text_size(size, info->virtual_bytes);
        printf("%s: %s", output, size);
        for (size_t i = 0; i < info->parts.len; i++) {
            const struct image_part *part = &info->parts.at[i];
            if (!str_starts(part->name, "partition") && !str_starts(part->name, "file system"))
                continue;
            text_size(size, part->size_bytes);
            printf(", %s in %s %s", size, part->name, part->kind);
        }
        if (info->cmdline)
            printf(", args: %s", info->cmdline);
        puts("");
        return 0;
    }
    struct str doc = {0};
    json_put_object(&doc, NULL);
    json_put_text(&doc, "path", output);
    json_put_text(&doc, "format", image_words_format(info->format));
    json_put_uint(&doc, "virtual_bytes", info->virtual_bytes);
    json_put_uint(&doc, "file_bytes", info->file_bytes);
    json_put_text(&doc, "args", info->cmdline);
    json_put_object_end(&doc);
    int status = cli_print_json(cli, str_text(&doc));
    str_free(&doc);
    return status;
}

/* The layout from conf/layouts.conf of this directory, or the stock one; then what options change. */
static int lay_out(const struct pack_words *words, struct image_pack *pack, str_list *texts,
                   struct err *err)
{
    const char *const own = "conf/layouts.conf";
    char *declared = access(own, R_OK) == 0 ? file_read(own, NULL, err) : NULL;
    int status = image_layout(pack, declared, words->layout ? words->layout : "osv",
                              words->fs ? words->fs : "rofs", texts, err);
    free(declared);
    uint64_t align = 0, root = 0;
    if (!status && words->size)
        status = image_size(words->size, &pack->size_bytes, err);
    if (!status && words->align)
        status = image_size(words->align, &align, err);
    if (!status && words->root_size)
        status = image_size(words->root_size, &root, err);
    if (!status && words->table) {
        static const char *const tables[] = {"osv", "standard"};
        int table = pick(words->table, tables, 2, "--table", err);
        status = table < 0 ? -1 : 0;
        pack->table = (enum image_table)table;
    }
    for (unsigned i = 0; i < pack->volumes_count && !status; i++) {
        struct image_volume *volume = &pack->volumes[i];
        volume->align = (uint32_t)(align < UINT32_MAX ? align : UINT32_MAX);
        volume->compress = words->compress;
        volume->dedup = words->dedup;
        volume->size_bytes = i ? 0 : root;
        if (words->dataset)
            volume->dataset = words->dataset;
        /* A bootfs in a file of its own has --size as its reserve. */
        if (volume->fs == IMAGE_RAMFS && !volume->partition && pack->size_bytes)
            volume->size_bytes = pack->size_bytes;
    }
    return status;
}

/* What goes into the file systems: the first has the manifests, the second those of --data. */
static int resolve_all(struct pack_words *words, struct manifest_list lists[2],
                       struct image_pack *pack, struct err *err)
{
    bool in_loader =
        pack->volumes_count && pack->volumes[0].fs == IMAGE_RAMFS && pack->volumes[0].partition;
    if (in_loader && words->manifests.len)
        return err_set(
            err, ERR_INPUT,
            "the files of a ramfs are inside of the loader; for the bootfs that is linked "
            "into it: --layout=bare");
    if (!in_loader && !words->manifests.len)
        return err_set(err, ERR_INPUT, "--manifest FILE is missing: what goes into the image");
    if (words->data.len && pack->volumes_count < 2)
        return err_set(err, ERR_INPUT, "--data is for a second file system; --fs=%s has one",
                       words->fs ? words->fs : "rofs");
    struct manifest_scope scope =
        own_scope_of(&words->scope, words->manifests.at, words->manifests.len);
    if (words->manifests.len &&
        manifest_resolve(&lists[0], words->manifests.at, words->manifests.len, &scope,
                         MANIFEST_STRICT, err) < 0)
        return -1;
    if (words->data.len && manifest_resolve(&lists[1], words->data.at, words->data.len, &scope,
                                            MANIFEST_STRICT, err) < 0)
        return -1;
    for (unsigned i = 0; i < pack->volumes_count && i < 2; i++) {
        pack->volumes[i].list = &lists[i];
        print_notes(&lists[i]);
    }
    return 0;
}

static int pack_all(struct cli *cli, struct pack_words *words, struct err *err)
{
    const char *format_names[DISK_FORMATS];
    for (unsigned i = 0; i < DISK_FORMATS; i++)
        format_names[i] = image_format_name((enum disk_format)i);
    int format = pick(words->format, format_names, DISK_FORMATS, "--format", err);
    if (format < 0)
        return -1;
    struct manifest_list lists[2] = {0};
    str_list texts = {0};
    int signal = 0;
    struct image_pack pack = {.loader = words->loader, .format = (enum disk_format)format};
    char *args = NULL;
    int status = lay_out(words, &pack, &texts, err);
    if (!status)
        status = resolve_all(words, lists, &pack, err);
    bool bare = pack.volumes_count == 1 && !pack.volumes[0].partition;
    if (!status && !bare) {
        args = arguments(words, image_fs_name(pack.volumes[0].fs), err);
        status = args ? 0 : -1;
    } else if (!status && words->args) {
        status = err_set(err, ERR_INPUT, "a file system alone has no boot arguments: --args");
    }
    pack.cmdline = args;
    if (!status)
        status = pack_watched(words->output, &pack, &signal, err);
    struct image_info info = {0};
    if (!status)
        status = image_info(words->output, &info, err);
    if (!status)
        status = tell(cli, words->output, &info);
    image_info_free(&info);
    manifest_list_free(&lists[0]);
    manifest_list_free(&lists[1]);
    str_list_free(&texts);
    free(args);
    return signal && status ? 128 + signal : status;
}

int image_words_pack(struct cli *cli, int argc, char **argv)
{
    struct pack_words words = {0};
    struct err err = {0};
    int status = read_words(&words, argc, argv, &err);
    if (!status)
        status = pack_all(cli, &words, &err);
    vec_free(&words.manifests);
    vec_free(&words.data);
    own_scope_free(&words.scope);
    return status < 0 ? cli_fail(&err) : status;
}

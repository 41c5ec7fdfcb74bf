#include "tui/image_words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/text.h"
#include "image/image.h"
#include "tui/cli.h"
#include "tui/own_words.h"

const char *image_words_format(enum disk_format format)
{
    return format == DISK_QCOW2 ? "qcow2" : "raw";
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
    if (info->cmdline)
        printf("  args: %s\n", info->cmdline);
}

/* What was asked for. */
struct pack_words {
    VEC(const char *) manifests;
    struct own_scope scope;
    const char *output, *loader, *args, *fs, *format;
};

static int read_words(struct pack_words *pack, int argc, char **argv, struct err *err)
{
    struct own_words words = {argc, argv, 1};
    const struct {
        const char *name;
        const char **value;
    } options[] = {{"-o", &pack->output},
                   {"--loader", &pack->loader},
                   {"--args", &pack->args},
                   {"--fs", &pack->fs},
                   {"--format", &pack->format}};
    while (words.next < argc) {
        const char *word = argv[words.next], *value;
        int taken = own_scope_option(&words, &pack->scope, err);
        if (!taken && (taken = own_option(&words, "--manifest", &value, err)) > 0)
            vec_push(&pack->manifests, value);
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
    if (!pack->manifests.len)
        return err_set(err, ERR_INPUT, "--manifest FILE is missing: what goes into the image");
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

static void progress(void *data, uint64_t done_bytes, uint64_t total_bytes)
{
    unsigned *shown = data;
    unsigned percent = total_bytes ? (unsigned)(done_bytes * 100 / total_bytes) : 0;
    if (percent > 99 || percent < *shown + 5)
        return;
    *shown = percent;
    fprintf(stderr, "\rcomposing %u %%", percent);
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
        char size[16], partition[16] = "";
        text_size(size, info->virtual_bytes);
        for (size_t i = 0; i < info->parts.len; i++)
            if (strcmp(info->parts.at[i].name, "partition 2") == 0)
                text_size(partition, info->parts.at[i].size_bytes);
        printf("%s: %s, %s in partition 2, args: %s\n", output, size, partition,
               info->cmdline ? info->cmdline : "");
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

static int pack_all(struct cli *cli, struct pack_words *words, struct err *err)
{
    static const char *const fs_names[] = {"rofs"}, *const format_names[] = {"raw", "qcow2"};
    int fs = pick(words->fs, fs_names, 1, "--fs", err);
    int format = pick(words->format, format_names, 2, "--format", err);
    char *args = fs < 0 || format < 0 ? NULL : arguments(words, fs_names[fs], err);
    if (!args)
        return -1;
    struct manifest_list list = {0};
    struct manifest_scope scope =
        own_scope_of(&words->scope, words->manifests.at, words->manifests.len);
    unsigned shown = 0;
    bool terminal = isatty(STDERR_FILENO);
    struct image_io io = {.data = &shown, .progress = terminal ? progress : NULL};
    struct image_pack pack = {.loader = words->loader,
                              .list = &list,
                              .fs = (enum image_fs)fs,
                              .cmdline = args,
                              .format = (enum disk_format)format};
    int status = manifest_resolve(&list, words->manifests.at, words->manifests.len, &scope,
                                  MANIFEST_STRICT, err);
    if (!status) {
        print_notes(&list);
        status = image_pack(words->output, &pack, &io, err);
    }
    if (shown)
        fprintf(stderr, "\r              \r");
    struct image_info info = {0};
    if (!status)
        status = image_info(words->output, &info, err);
    if (!status)
        status = tell(cli, words->output, &info);
    image_info_free(&info);
    manifest_list_free(&list);
    free(args);
    return status;
}

int image_words_pack(struct cli *cli, int argc, char **argv)
{
    struct pack_words words = {0};
    struct err err = {0};
    int status = read_words(&words, argc, argv, &err);
    if (!status)
        status = pack_all(cli, &words, &err);
    vec_free(&words.manifests);
    own_scope_free(&words.scope);
    return status < 0 ? cli_fail(&err) : status;
}

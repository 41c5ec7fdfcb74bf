/* `gantry image ...`: images made, shown and changed anywhere; needs no tree. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "base/text.h"
#include "image/image.h"
#include "image/inventory.h"
#include "image/layout.h"
#include "tui/cli.h"
#include "tui/commands.h"
#include "tui/image_words.h"

static const char *const kind_names[] = {
    [ENTRY_FILE] = "file", [ENTRY_DIRECTORY] = "directory", [ENTRY_SYMLINK] = "link"};

static bool json(const struct cli *cli)
{
    return cli->output == OUTPUT_JSON || cli->json_to;
}

static int print_document(const struct cli *cli, struct str *doc)
{
    int status = cli_print_json(cli, str_text(doc));
    str_free(doc);
    return status;
}

/* Refuses options and a wrong number of words; words are those after the subcommand. */
static int check_words(int argc, char **argv, int least, int most, const char *usage)
{
    for (int i = 1; i < argc; i++)
        if (argv[i][0] == '-' && argv[i][1] && strcmp(argv[0], "set-args") != 0)
            return cli_usage("unknown option %s (gantry help image)", argv[i]);
    if (argc - 1 < least || argc - 1 > most)
        return cli_usage("usage: gantry image %s", usage);
    return 0;
}

static int run_info(struct cli *cli, int argc, char **argv)
{
    struct image_info info = {0};
    struct err err;
    int bad = check_words(argc, argv, 1, 1, "info FILE");
    if (bad)
        return bad;
    if (image_info(argv[1], &info, &err) < 0) {
        image_info_free(&info);
        return cli_fail(&err);
    }
    int status = 0;
    if (json(cli)) {
        struct str doc = {0};
        json_put_object(&doc, NULL);
        json_put_text(&doc, "path", argv[1]);
        json_put_text(&doc, "format", image_words_format(info.format));
        json_put_uint(&doc, "virtual_bytes", info.virtual_bytes);
        json_put_uint(&doc, "file_bytes", info.file_bytes);
        json_put_text(&doc, "args", info.cmdline);
        if (info.kernel_bytes)
            json_put_uint(&doc, "kernel_bytes", info.kernel_bytes);
        if (info.kernel_most)
            json_put_uint(&doc, "kernel_most", info.kernel_most);
        json_put_array(&doc, "parts");
        for (size_t i = 0; i < info.parts.len; i++) {
            json_put_object(&doc, NULL);
            json_put_text(&doc, "name", info.parts.at[i].name);
            json_put_text(&doc, "kind", info.parts.at[i].kind);
            json_put_uint(&doc, "offset", info.parts.at[i].offset);
            json_put_uint(&doc, "bytes", info.parts.at[i].size_bytes);
            json_put_object_end(&doc);
        }
        json_put_array_end(&doc);
        json_put_object_end(&doc);
        status = print_document(cli, &doc);
    } else {
        image_words_print(argv[1], &info);
    }
    image_info_free(&info);
    return status;
}

static void list_json(struct str *doc, const struct image_listing *listing)
{
    json_put_array(doc, NULL);
    for (size_t i = 0; i < listing->files.len; i++) {
        const struct image_file *file = &listing->files.at[i];
        json_put_object(doc, NULL);
        json_put_text(doc, "path", file->path);
        json_put_text(doc, "kind", kind_names[file->kind]);
        json_put_uint(doc, "bytes", file->size_bytes);
        if (file->kind == ENTRY_SYMLINK)
            json_put_text(doc, "target", file->target);
        json_put_object_end(doc);
    }
    json_put_array_end(doc);
}

static int run_ls(struct cli *cli, int argc, char **argv)
{
    struct image_listing listing = {0};
    struct err err;
    int bad = check_words(argc, argv, 1, 1, "ls FILE");
    if (bad)
        return bad;
    int status = 0;
    if (image_list(argv[1], &listing, &err) < 0) {
        status = cli_fail(&err);
    } else if (json(cli)) {
        struct str doc = {0};
        list_json(&doc, &listing);
        status = print_document(cli, &doc);
    } else {
        for (size_t i = 0; i < listing.files.len; i++) {
            const struct image_file *file = &listing.files.at[i];
            if (file->kind == ENTRY_SYMLINK)
                printf("%10s  %s -> %s\n", "link", file->path, file->target);
            else if (file->kind == ENTRY_DIRECTORY)
                printf("%10s  %s/\n", "", file->path);
            else
                printf("%10llu  %s\n", (unsigned long long)file->size_bytes, file->path);
        }
    }
    image_listing_free(&listing);
    return status;
}

static int to_stdout(void *data, const void *bytes, size_t length, struct err *err)
{
    (void)data;
    if (fwrite(bytes, 1, length, stdout) == length)
        return 0;
    return err_errno(err, "standard output");
}

static int run_cat(struct cli *cli, int argc, char **argv)
{
    (void)cli;
    struct err err;
    int bad = check_words(argc, argv, 2, 2, "cat FILE GUEST");
    if (bad)
        return bad;
    if (image_get(argv[1], argv[2], to_stdout, NULL, &err) < 0)
        return cli_fail(&err);
    return 0;
}

static int to_file(void *data, const void *bytes, size_t length, struct err *err)
{
    return file_out_write(data, bytes, length, err);
}

static int run_get(struct cli *cli, int argc, char **argv)
{
    (void)cli;
    struct err err;
    int bad = check_words(argc, argv, 2, 3, "get FILE GUEST [HOST]");
    if (bad)
        return bad;
    struct stat st;
    const char *name = path_base(argv[2]);
    char *host = argc < 4                                         ? mem_copy(name)
                 : stat(argv[3], &st) == 0 && S_ISDIR(st.st_mode) ? path_join(argv[3], name)
                                                                  : mem_copy(argv[3]);
    struct file_out out;
    int status = file_out_open(&out, host, 0666, &err);
    if (!status && image_get(argv[1], argv[2], to_file, &out, &err) < 0) {
        file_out_abandon(&out);
        status = -1;
    } else if (!status) {
        status = file_out_commit(&out, &err);
    }
    free(host);
    return status ? cli_fail(&err) : 0;
}

static int run_args(struct cli *cli, int argc, char **argv)
{
    struct err err;
    int bad = check_words(argc, argv, 1, 1, "args FILE");
    if (bad)
        return bad;
    char *text = image_args(argv[1], &err);
    if (!text)
        return cli_fail(&err);
    int status = 0;
    if (json(cli)) {
        struct str doc = {0};
        json_put_object(&doc, NULL);
        json_put_text(&doc, "path", argv[1]);
        json_put_text(&doc, "args", text);
        json_put_object_end(&doc);
        status = print_document(cli, &doc);
    } else {
        puts(text);
    }
    free(text);
    return status;
}

static int run_set_args(struct cli *cli, int argc, char **argv)
{
    struct err err;
    if (argc < 2 || (argc == 2 && !cli->after))
        return cli_usage("usage: gantry image set-args FILE TEXT...");
    struct str text = {0};
    for (int i = 2; i < argc; i++)
        str_addf(&text, "%s%s", text.len ? " " : "", argv[i]);
    for (char **word = cli->after; word && *word; word++)
        str_addf(&text, "%s%s", text.len ? " " : "", *word);
    int status = image_change_args(argv[1], str_text(&text), &err);
    str_free(&text);
    return status ? cli_fail(&err) : 0;
}

static int run_check(struct cli *cli, int argc, char **argv)
{
    struct str report = {0};
    struct err err;
    int bad = check_words(argc, argv, 1, 2, "check FILE [loader-stripped.elf]");
    if (bad)
        return bad;
    if (image_check(argv[1], argc > 2 ? argv[2] : NULL, &report, &err) < 0) {
        str_free(&report);
        return cli_fail(&err);
    }
    int status = report.len ? 1 : 0;
    if (json(cli)) {
        struct str doc = {0};
        json_put_object(&doc, NULL);
        json_put_text(&doc, "path", argv[1]);
        json_put_bool(&doc, "ok", !report.len);
        json_put_array(&doc, "findings");
        for (const char *p = str_text(&report); *p;) {
            size_t length = strcspn(p, "\n");
            json_put_text_n(&doc, NULL, p, length);
            p += length + (p[length] != '\0');
        }
        json_put_array_end(&doc);
        json_put_object_end(&doc);
        int printed = print_document(cli, &doc);
        status = printed ? printed : status;
    } else if (report.len) {
        fputs(str_text(&report), stdout);
    } else {
        printf("%s: nothing wrong found\n", argv[1]);
    }
    str_free(&report);
    return status;
}

static void print_change(const struct image_change *change)
{
    switch (change->kind) {
    case CHANGE_ADDED:
        printf("+ %s (%llu bytes)\n", change->path, (unsigned long long)change->new_bytes);
        break;
    case CHANGE_GONE:
        printf("- %s (%llu bytes)\n", change->path, (unsigned long long)change->old_bytes);
        break;
    case CHANGE_KIND:
        printf("~ %s is of another kind\n", change->path);
        break;
    case CHANGE_SIZE:
        printf("~ %s: %llu bytes, now %llu\n", change->path, (unsigned long long)change->old_bytes,
               (unsigned long long)change->new_bytes);
        break;
    case CHANGE_CONTENT:
        printf("~ %s: other content\n", change->path);
        break;
    case CHANGE_MODE:
        printf("~ %s: other mode\n", change->path);
        break;
    }
}

static int run_diff(struct cli *cli, int argc, char **argv)
{
    static const char *const names[] = {"added", "gone", "kind", "size", "content", "mode"};
    struct image_changes changes = {0};
    struct err err;
    int bad = check_words(argc, argv, 2, 2, "diff FILE FILE");
    if (bad)
        return bad;
    if (image_compare(argv[1], argv[2], &changes, &err) < 0) {
        image_changes_free(&changes);
        return cli_fail(&err);
    }
    int status = changes.changes.len ? 1 : 0;
    struct str doc = {0};
    json_put_array(&doc, NULL);
    for (size_t i = 0; i < changes.changes.len; i++) {
        const struct image_change *change = &changes.changes.at[i];
        if (!json(cli)) {
            print_change(change);
            continue;
        }
        json_put_object(&doc, NULL);
        json_put_text(&doc, "path", change->path);
        json_put_text(&doc, "change", names[change->kind]);
        json_put_uint(&doc, "old_bytes", change->old_bytes);
        json_put_uint(&doc, "new_bytes", change->new_bytes);
        json_put_object_end(&doc);
    }
    json_put_array_end(&doc);
    int printed = json(cli) ? cli_print_json(cli, str_text(&doc)) : 0;
    str_free(&doc);
    image_changes_free(&changes);
    return printed ? printed : status;
}

static int run_history(struct cli *cli, int argc, char **argv)
{
    struct image_history history = {0};
    struct err err;
    struct str doc = {0};
    int bad = check_words(argc, argv, 1, 1, "history FILE");
    if (bad)
        return bad;
    int status = image_args_history(argv[1], &history, &err) < 0 ? cli_fail(&err) : 0;
    json_put_array(&doc, NULL);
    for (size_t i = 0; i < history.past.len; i++) {
        const struct image_past *past = &history.past.at[i];
        time_t at = (time_t)past->at_s;
        struct tm tm;
        char text[32] = "";
        if (localtime_r(&at, &tm))
            strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
        if (!json(cli))
            printf("%s  %s\n", text, past->args);
        json_put_object(&doc, NULL);
        json_put_int(&doc, "replaced_s", past->at_s);
        json_put_text(&doc, "args", past->args);
        json_put_object_end(&doc);
    }
    json_put_array_end(&doc);
    if (!status && json(cli))
        status = cli_print_json(cli, str_text(&doc));
    str_free(&doc);
    image_history_free(&history);
    return status;
}

static int run_undo(struct cli *cli, int argc, char **argv)
{
    struct err err;
    int bad = check_words(argc, argv, 1, 1, "undo FILE");
    if (bad)
        return bad;
    if (image_undo_args(argv[1], &err) < 0)
        return cli_fail(&err);
    return run_args(cli, argc, argv);
}

/* The files with their hashes, or a bill of materials. */
static int run_list(struct cli *cli, int argc, char **argv)
{
    struct inventory inventory = {0};
    struct err err;
    struct str doc = {0};
    int bad = check_words(argc, argv, 1, 2, "list FILE [spdx|cyclonedx]");
    if (bad)
        return bad;
    const char *form = argc > 2 ? argv[2] : "";
    if (*form && strcmp(form, "spdx") != 0 && strcmp(form, "cyclonedx") != 0)
        return cli_usage("gantry image list: '%s'; there are spdx and cyclonedx", form);
    int status = inventory_make(&inventory, argv[1], &err) < 0 ? cli_fail(&err) : 0;
    const char *name = path_base(argv[1]);
    if (!status && form[0] == 's') {
        inventory_spdx(&inventory, name, &doc);
    } else if (!status && form[0] == 'c') {
        inventory_cyclonedx(&inventory, name, &doc);
    } else if (!status) {
        json_put_array(&doc, NULL);
        for (size_t i = 0; i < inventory.files.len; i++) {
            const struct inventory_file *file = &inventory.files.at[i];
            const struct image_file *what = &file->file;
            if (!json(cli))
                printf("%-64s %12llu  %s%s%s\n", file->sha256, (unsigned long long)what->size_bytes,
                       what->path, what->target ? " -> " : "", what->target ? what->target : "");
            json_put_object(&doc, NULL);
            json_put_text(&doc, "path", what->path);
            json_put_text(&doc, "kind", kind_names[what->kind]);
            json_put_uint(&doc, "bytes", what->size_bytes);
            if (what->kind == ENTRY_FILE)
                json_put_text(&doc, "sha256", file->sha256);
            if (what->target)
                json_put_text(&doc, "target", what->target);
            json_put_object_end(&doc);
        }
        json_put_array_end(&doc);
    }
    if (!status && (*form || json(cli)))
        status = cli_print_json(cli, str_text(&doc));
    str_free(&doc);
    inventory_free(&inventory);
    return status;
}

static int run_convert(struct cli *cli, int argc, char **argv)
{
    (void)cli;
    struct err err = {0};
    int bad = check_words(argc, argv, 3, 3, "convert FILE raw|qcow2|vmdk|vdi|vhd|gce NEW");
    if (bad)
        return bad;
    for (int i = 0; i < DISK_FORMATS; i++)
        if (strcmp(argv[2], image_format_name((enum disk_format)i)) == 0)
            return image_convert(argv[1], argv[3], (enum disk_format)i, NULL, &err) < 0
                       ? cli_fail(&err)
                       : 0;
    return cli_usage("gantry image convert: '%s'; there are raw, qcow2, vmdk, vdi, vhd and gce",
                     argv[2]);
}

static int run_embed(struct cli *cli, int argc, char **argv)
{
    (void)cli;
    struct err err = {0};
    int bad = check_words(argc, argv, 2, 3, "embed PROGRAM BOOTFS [SYMBOL]");
    if (bad)
        return bad;
    const struct image_embed embed = {
        .program = argv[1], .file = argv[2], .symbol = argc > 3 ? argv[3] : "bootfs_start"};
    return image_embed(argv[1], &embed, &err) < 0 ? cli_fail(&err) : 0;
}

static int run_compress(struct cli *cli, int argc, char **argv)
{
    (void)cli;
    static const char *const names[] = {
        [LOADER_LZ4] = "lz4", [LOADER_FASTLZ] = "fastlz", [LOADER_FASTLZ_2014] = "fastlz-2014"};
    struct err err = {0};
    int bad = check_words(argc, argv, 2, 3, "compress KERNEL FILE [fastlz|fastlz-2014|lz4]");
    if (bad)
        return bad;
    int format = LOADER_FASTLZ;
    for (int i = 0; argc > 3 && i < 3; i++)
        if (strcmp(argv[3], names[i]) == 0)
            format = i;
    if (argc > 3 && strcmp(argv[3], names[format]) != 0)
        return cli_usage("gantry image compress: '%s'; there are fastlz, fastlz-2014 and lz4",
                         argv[3]);
    int status = format == LOADER_LZ4
                     ? loader_compress(argv[1], argv[2], &err)
                     : loader_fastlz(argv[1], argv[2], (enum loader_format)format, &err);
    return status ? cli_fail(&err) : 0;
}

static const struct {
    const char *name;
    int (*run)(struct cli *cli, int argc, char **argv);
} actions[] = {
    {"args", run_args},         {"cat", run_cat},           {"check", run_check},
    {"compress", run_compress}, {"convert", run_convert},   {"diff", run_diff},
    {"embed", run_embed},       {"get", run_get},           {"history", run_history},
    {"info", run_info},         {"list", run_list},         {"ls", run_ls},
    {"pack", image_words_pack}, {"set-args", run_set_args}, {"undo", run_undo},
};
enum { ACTIONS = sizeof actions / sizeof *actions };

int cmd_image(struct cli *cli, int argc, char **argv)
{
    const char *names[ACTIONS];
    if (argc < 2)
        return cli_usage("usage: gantry image "
                         "pack|info|ls|list|cat|get|args|set-args|history|undo|check|diff|convert|"
                         "embed|compress ...");
    if (strcmp(cli->directory, ".") != 0 && chdir(cli->directory) < 0)
        return cli_usage("-C %s: %s", cli->directory, strerror(errno));
    for (unsigned i = 0; i < ACTIONS; i++) {
        names[i] = actions[i].name;
        if (strcmp(argv[1], names[i]) == 0)
            return actions[i].run(cli, argc - 1, argv + 1);
    }
    const char *near = text_nearest(argv[1], names, ACTIONS);
    return cli_usage("gantry image: unknown action '%s'%s%s%s", argv[1],
                     near ? ", did you mean '" : " (gantry help image lists them)",
                     near ? near : "", near ? "'?" : "");
}

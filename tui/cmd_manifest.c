/* `gantry manifest ...`: what goes into images, checked, shown and edited line by line. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "base/text.h"
#include "manifest/manifest.h"
#include "tui/cli.h"
#include "tui/commands.h"
#include "tui/own_words.h"

static const char *const kind_names[] = {
    [ENTRY_FILE] = "file", [ENTRY_DIRECTORY] = "directory", [ENTRY_SYMLINK] = "link"};

/* Words of an action: options taken out. */
struct manifest_words {
    struct own_scope scope;
    VEC(const char *) plain;
};

static int read_words(struct manifest_words *out, int argc, char **argv, struct err *err)
{
    struct own_words words = {argc, argv, 1};
    while (words.next < argc) {
        const char *word = argv[words.next];
        int taken = own_scope_option(&words, &out->scope, err);
        if (taken < 0)
            return -1;
        if (taken)
            continue;
        if (word[0] == '-' && word[1] && word[1] != '>')
            return own_unknown("manifest", word, err);
        vec_push(&out->plain, word);
        words.next++;
    }
    return 0;
}

static void free_words(struct manifest_words *words)
{
    own_scope_free(&words->scope);
    vec_free(&words->plain);
}

static bool json(const struct cli *cli)
{
    return cli->output == OUTPUT_JSON || cli->json_to;
}

/* Resolves all plain words as manifests, marking what is wrong. */
static int resolve(struct manifest_words *words, struct manifest_list *list, struct err *err)
{
    if (!words->plain.len)
        return err_set(err, ERR_INPUT, "name a manifest (gantry help manifest)");
    struct manifest_scope scope = own_scope_of(&words->scope, words->plain.at, words->plain.len);
    return manifest_resolve(list, words->plain.at, words->plain.len, &scope, MANIFEST_MARK, err);
}

/* Counts of what would go in. */
struct totals {
    size_t files, links, directories, problems, replaced;
    uint64_t size_bytes;
};

static struct totals count(const struct manifest_list *list)
{
    struct totals totals = {0};
    for (size_t i = 0; i < list->entries.len; i++) {
        const struct manifest_entry *entry = &list->entries.at[i];
        totals.problems += entry->problem != NULL;
        totals.replaced += entry->duplicate;
        if (entry->duplicate || entry->problem)
            continue;
        totals.files += entry->kind == ENTRY_FILE;
        totals.links += entry->kind == ENTRY_SYMLINK;
        totals.directories += entry->kind == ENTRY_DIRECTORY;
        totals.size_bytes += entry->size_bytes;
    }
    return totals;
}

static int by_line(const void *a, const void *b)
{
    const struct manifest_entry *x = *(const struct manifest_entry *const *)a,
                                *y = *(const struct manifest_entry *const *)b;
    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    return strcmp(x->guest, y->guest);
}

static void put_entry(struct str *doc, const struct manifest_entry *entry)
{
    json_put_object(doc, NULL);
    json_put_text(doc, "guest", entry->guest);
    json_put_text(doc, "kind", kind_names[entry->kind]);
    json_put_text(doc, entry->kind == ENTRY_SYMLINK ? "target" : "host", entry->host);
    json_put_text(doc, "wanted", entry->wanted);
    json_put_uint(doc, "bytes", entry->size_bytes);
    json_put_text(doc, "file", entry->file);
    json_put_uint(doc, "line", entry->line);
    json_put_bool(doc, "missing", entry->missing);
    json_put_bool(doc, "duplicate", entry->duplicate);
    json_put_text(doc, "problem", entry->problem);
    json_put_object_end(doc);
}

static int check_json(struct cli *cli, const struct manifest_list *list,
                      const struct totals *totals)
{
    struct str doc = {0};
    json_put_object(&doc, NULL);
    json_put_bool(&doc, "ok", !totals->problems);
    json_put_uint(&doc, "files", totals->files);
    json_put_uint(&doc, "links", totals->links);
    json_put_uint(&doc, "directories", totals->directories);
    json_put_uint(&doc, "bytes", totals->size_bytes);
    json_put_array(&doc, "problems");
    for (size_t i = 0; i < list->entries.len; i++)
        if (list->entries.at[i].problem)
            put_entry(&doc, &list->entries.at[i]);
    json_put_array_end(&doc);
    json_put_object_end(&doc);
    int status = cli_print_json(cli, str_text(&doc));
    str_free(&doc);
    return status ? status : totals->problems ? 2 : 0;
}

/* Problems and replaced lines, in the order of the lines. */
static void print_problems(const struct manifest_list *list)
{
    VEC(const struct manifest_entry *) wrong = {0};
    for (size_t i = 0; i < list->entries.len; i++) {
        const struct manifest_entry *entry = &list->entries.at[i];
        if (entry->problem || (entry->duplicate && entry->kind != ENTRY_DIRECTORY))
            vec_push(&wrong, entry);
    }
    if (wrong.len)
        qsort(wrong.at, wrong.len, sizeof *wrong.at, by_line);
    for (size_t i = 0; i < wrong.len; i++) {
        const struct manifest_entry *entry = wrong.at[i];
        if (entry->problem)
            fprintf(stderr, "%s:%u: %s: %s\n", entry->file, entry->line, entry->guest,
                    entry->problem);
        else
            printf("%s:%u: note: %s is replaced by %s:%u\n", entry->file, entry->line, entry->guest,
                   entry[1].file, entry[1].line);
    }
    vec_free(&wrong);
}

static int run_check(struct cli *cli, struct manifest_words *words, struct err *err)
{
    struct manifest_list list = {0};
    int status = resolve(words, &list, err);
    if (!status) {
        struct totals totals = count(&list);
        if (json(cli)) {
            status = check_json(cli, &list, &totals);
        } else {
            char size[16];
            text_size(size, totals.size_bytes);
            print_problems(&list);
            printf("%zu files (%s), %zu links, %zu directories; %zu wrong\n", totals.files, size,
                   totals.links, totals.directories, totals.problems);
            status = totals.problems ? 2 : 0;
        }
    }
    manifest_list_free(&list);
    return status;
}

static void print_entry(const struct manifest_entry *entry)
{
    char size[16] = "";
    if (entry->kind == ENTRY_FILE && !entry->problem)
        text_size(size, entry->size_bytes);
    const char *mark = entry->problem ? "!" : entry->duplicate ? "=" : " ";
    printf("%s %8s  %-40s %s%s  (%s:%u)\n", mark, size, entry->guest,
           entry->kind == ENTRY_SYMLINK ? "->" : "", entry->host ? entry->host : entry->source,
           entry->file, entry->line);
}

static int run_show(struct cli *cli, struct manifest_words *words, struct err *err)
{
    struct manifest_list list = {0};
    struct str doc = {0};
    int status = resolve(words, &list, err);
    if (!status) {
        json_put_array(&doc, NULL);
        for (size_t i = 0; i < list.entries.len; i++) {
            if (json(cli))
                put_entry(&doc, &list.entries.at[i]);
            else
                print_entry(&list.entries.at[i]);
        }
        json_put_array_end(&doc);
        status = json(cli) ? cli_print_json(cli, str_text(&doc)) : 0;
    }
    str_free(&doc);
    manifest_list_free(&list);
    return status;
}

static int edit_words(const struct manifest_words *words, size_t count_wanted, const char *usage,
                      struct err *err)
{
    if (words->plain.len == count_wanted)
        return 0;
    return err_set(err, ERR_INPUT, "usage: gantry manifest %s", usage);
}

/* Ends an edit: saves where it succeeded, and tells the change. */
static int end_edit(struct cli *cli, struct manifest_edit *edit, int status, struct err *err)
{
    char *diff = status ? NULL : manifest_edit_diff(edit);
    if (!status && !cli->dry_run)
        status = manifest_edit_save(edit, err);
    if (!status)
        fputs(diff, stdout);
    free(diff);
    manifest_edit_close(edit);
    return status;
}

static int run_add(struct cli *cli, struct manifest_words *words, struct err *err)
{
    struct manifest_edit edit = {0};
    if (edit_words(words, 3, "add FILE GUEST HOST", err) < 0)
        return -1;
    int status = manifest_edit_open(&edit, words->plain.at[0], err);
    if (!status)
        status = manifest_edit_add(&edit, words->plain.at[1], words->plain.at[2], err);
    return end_edit(cli, &edit, status, err);
}

static int run_rm(struct cli *cli, struct manifest_words *words, struct err *err)
{
    struct manifest_edit edit = {0};
    if (edit_words(words, 2, "rm FILE GUEST", err) < 0)
        return -1;
    int status = manifest_edit_open(&edit, words->plain.at[0], err);
    if (!status)
        status = manifest_edit_remove(&edit, words->plain.at[1], err);
    return end_edit(cli, &edit, status, err);
}

static int run_mv(struct cli *cli, struct manifest_words *words, struct err *err)
{
    struct manifest_edit edit = {0};
    if (edit_words(words, 3, "mv FILE GUEST GUEST", err) < 0)
        return -1;
    int status = manifest_edit_open(&edit, words->plain.at[0], err);
    if (!status)
        status = manifest_edit_set(&edit, words->plain.at[1], words->plain.at[2], NULL, err);
    return end_edit(cli, &edit, status, err);
}

static int move(struct cli *cli, struct manifest_words *words, bool later, struct err *err)
{
    struct manifest_edit edit = {0};
    if (edit_words(words, 2, later ? "down FILE GUEST" : "up FILE GUEST", err) < 0)
        return -1;
    int status = manifest_edit_open(&edit, words->plain.at[0], err);
    unsigned line = status ? 0 : manifest_edit_line(&edit, words->plain.at[1]);
    if (!status && !line)
        status = err_set(err, ERR_INPUT, "%s: no line is for %s", words->plain.at[0],
                         words->plain.at[1]);
    if (!status)
        status = manifest_edit_move(&edit, line, later, err);
    return end_edit(cli, &edit, status, err);
}

static int run_up(struct cli *cli, struct manifest_words *words, struct err *err)
{
    return move(cli, words, false, err);
}

static int run_down(struct cli *cli, struct manifest_words *words, struct err *err)
{
    return move(cli, words, true, err);
}

/* What an entry brings, for comparing. */
static bool same_entry(const struct manifest_entry *a, const struct manifest_entry *b)
{
    const char *x = a->host ? a->host : a->source, *y = b->host ? b->host : b->source;
    return a->kind == b->kind && strcmp(x, y) == 0;
}

static size_t skip_replaced(const struct manifest_list *list, size_t i)
{
    while (i < list->entries.len && list->entries.at[i].duplicate)
        i++;
    return i;
}

static void put_difference(struct str *doc, bool as_json, const struct manifest_entry *old,
                           const struct manifest_entry *new)
{
    const struct manifest_entry *one = old ? old : new;
    const char *from = old ? (old->host ? old->host : old->source) : NULL;
    const char *to = new ? (new->host ? new->host : new->source) : NULL;
    if (!as_json) {
        if (old && new)
            printf("~ %s: %s, now %s\n", one->guest, from, to);
        else
            printf("%c %s: %s\n", old ? '-' : '+', one->guest, old ? from : to);
        return;
    }
    json_put_object(doc, NULL);
    json_put_text(doc, "guest", one->guest);
    json_put_text(doc, "old", from);
    json_put_text(doc, "new", to);
    json_put_object_end(doc);
}

static int run_diff(struct cli *cli, struct manifest_words *words, struct err *err)
{
    if (edit_words(words, 2, "diff FILE FILE", err) < 0)
        return -1;
    struct manifest_list a = {0}, b = {0};
    struct manifest_scope scope = own_scope_of(&words->scope, words->plain.at, 2);
    struct str doc = {0};
    size_t differences = 0, i = 0, k = 0;
    int status = manifest_resolve(&a, words->plain.at, 1, &scope, MANIFEST_MARK, err);
    if (!status)
        status = manifest_resolve(&b, words->plain.at + 1, 1, &scope, MANIFEST_MARK, err);
    json_put_array(&doc, NULL);
    while (!status) {
        i = skip_replaced(&a, i), k = skip_replaced(&b, k);
        const struct manifest_entry *old = i < a.entries.len ? &a.entries.at[i] : NULL;
        const struct manifest_entry *new = k < b.entries.len ? &b.entries.at[k] : NULL;
        if (!old && !new)
            break;
        int order = !old ? 1 : !new ? -1 : strcmp(old->guest, new->guest);
        if (order || !same_entry(old, new)) {
            put_difference(&doc, json(cli), order <= 0 ? old : NULL, order >= 0 ? new : NULL);
            differences++;
        }
        i += order <= 0, k += order >= 0;
    }
    json_put_array_end(&doc);
    if (!status && json(cli))
        status = cli_print_json(cli, str_text(&doc));
    str_free(&doc);
    manifest_list_free(&a);
    manifest_list_free(&b);
    return status ? status : differences ? 1 : 0;
}

static const struct {
    const char *name;
    int (*run)(struct cli *cli, struct manifest_words *words, struct err *err);
} actions[] = {
    {"add", run_add}, {"check", run_check}, {"diff", run_diff}, {"down", run_down},
    {"mv", run_mv},   {"rm", run_rm},       {"show", run_show}, {"up", run_up},
};
enum { ACTIONS = sizeof actions / sizeof *actions };

int cmd_manifest(struct cli *cli, int argc, char **argv)
{
    const char *names[ACTIONS];
    if (argc < 2)
        return cli_usage("usage: gantry manifest check|show|add|rm|mv|up|down|diff ...");
    if (strcmp(cli->directory, ".") != 0 && chdir(cli->directory) < 0)
        return cli_usage("-C %s: %s", cli->directory, strerror(errno));
    for (unsigned i = 0; i < ACTIONS; i++) {
        names[i] = actions[i].name;
        if (strcmp(argv[1], names[i]) != 0)
            continue;
        struct manifest_words words = {0};
        struct err err = {0};
        int status = read_words(&words, argc - 1, argv + 1, &err);
        if (!status)
            status = actions[i].run(cli, &words, &err);
        free_words(&words);
        return status < 0 ? cli_fail(&err) : status;
    }
    const char *near = text_nearest(argv[1], names, ACTIONS);
    return cli_usage("gantry manifest: unknown action '%s'%s%s%s", argv[1],
                     near ? ", did you mean '" : " (gantry help manifest lists them)",
                     near ? near : "", near ? "'?" : "");
}

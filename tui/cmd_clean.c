/*
 * `gantry clean` removes what builds of this configuration made, and nothing else: the outputs that
 * the state records and those that the tree declares (a build that was killed has not recorded its
 * last ones), inside of the build directory, the links that name them, and what Gantry knows of them.
 * What somebody else put there stays, and is told. With --orphans only outputs go that no image of the
 * tree makes any more; in a tree of make, those that no goal wants any more that was ever built.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "load/load.h"
#include "plan/plan.h"
#include "tui/commands.h"
#include "tui/native.h"

struct cleaning {
    struct cli *cli;
    struct native_tree tree;
    const char *out; /* build/<mode>.<arch> */
    struct state state;
    struct str notes;
    struct map is_declared; /* paths that some image of the tree makes, */
    str_list declared; /* and the same as a list */
    bool orphans;
    str_list removed; /* files, relative to the root */
    uint64_t size_bytes;
};

static bool json(const struct cli *cli)
{
    return cli->output == OUTPUT_JSON || cli->json_to;
}

/* True for a file of the build directory: nothing else is ever removed. */
static bool is_inside(const struct cleaning *c, const char *path)
{
    size_t length = strlen(c->out);
    return strncmp(path, c->out, length) == 0 && path[length] == '/' && !strstr(path, "/../") &&
           !str_ends(path, "/..");
}

/* Removes a file or a link (told, unless it was gone) and the directories that become empty. */
static int remove_output(struct cleaning *c, const char *path, struct err *err)
{
    char *full = path_join(c->tree.root, path);
    struct stat st;
    int status = 0;
    bool there = lstat(full, &st) == 0 && !S_ISDIR(st.st_mode);
    if (there && !c->cli->dry_run && unlink(full) < 0 && errno != ENOENT)
        status = err_errno(err, "cannot remove %s", full);
    if (there && status == 0) {
        vec_push(&c->removed, mem_copy(path));
        c->size_bytes += S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    }
    while (status == 0 && !c->cli->dry_run) {
        char *dir = path_dir(full);
        size_t root = strlen(c->tree.root);
        bool up = is_inside(c, dir + root + 1) && rmdir(dir) == 0;
        free(full);
        full = dir;
        if (!up)
            break;
    }
    free(full);
    return status;
}

/* Removes the outputs of one recorded step, and the step's record. */
static int clean_step(struct cleaning *c, const struct step_record *record, struct err *err)
{
    text_id target = record->target;
    for (uint32_t i = 0; i < record->outputs; i++) {
        version_id made = record_outputs(record)[i];
        const char *path = intern_text(&c->state.texts, c->state.versions.at[made].path);
        if ((c->orphans && map_get(&c->is_declared, path)) || !is_inside(c, path))
            return 0;
    }
    for (uint32_t i = 0; i < record->outputs; i++) {
        version_id made = record_outputs(record)[i];
        char *path = mem_copy(intern_text(&c->state.texts, c->state.versions.at[made].path));
        int status = remove_output(c, path, err);
        free(path);
        if (status < 0)
            return -1;
    }
    if (!c->cli->dry_run)
        state_forget(&c->state, target);
    return 0;
}

static void declare(struct cleaning *c, const char *path)
{
    if (map_get(&c->is_declared, path))
        return;
    vec_push(&c->declared, mem_copy(path));
    map_put(&c->is_declared, path, c);
}

/* Takes note of all that an image makes. */
static int declare_image(struct cleaning *c, const char *image, struct err *err)
{
    struct native_tree tree = {0};
    struct cli cli = *c->cli;
    struct assignment pick = {"image", image, ORIGIN_SCREEN};
    memset(&cli.assigns, 0, sizeof cli.assigns);
    for (size_t i = 0; i < c->cli->assigns.len; i++)
        vec_push(&cli.assigns, c->cli->assigns.at[i]);
    vec_push(&cli.assigns, pick);
    int status = native_open(&tree, &cli, err);
    if (status == 0)
        status = native_load_graph(&tree, err);
    for (file_id file = 0; status == 0 && file < tree.graph.files.len; file++)
        if (tree.graph.files.at[file].producer != STEP_NONE)
            declare(c, graph_path(&tree.graph, file));
    native_close(&tree);
    vec_free(&cli.assigns);
    return status;
}

/* The same of all images. What cannot be loaded matters only where the rest is to be removed. */
static int declare_all(struct cleaning *c, struct err *err)
{
    str_list images = {0};
    int status = 0;
    conf_choices(c->tree.root, CHOICE_IMAGE, &images);
    for (size_t i = 0; status == 0 && i < images.len; i++)
        status = declare_image(c, images.at[i], err);
    str_list_free(&images);
    return c->orphans ? status : 0;
}

/* True for a link that load_publish made: into the images/ of the build directory. */
static bool is_published(const char *path)
{
    char text[4096];
    ssize_t length = readlink(path, text, sizeof text - 1);
    if (length < 0)
        return false;
    text[length] = '\0';
    const char *at = text;
    while (str_starts(at, "../"))
        at += 3;
    return str_starts(at, "images/");
}

/* Removes the published links: all, or those that lead nowhere any more. */
static int clean_links(struct cleaning *c, struct err *err)
{
    char *dir = path_join(c->tree.root, c->out);
    char *const dirs[] = {dir, NULL};
    int status = 0;
    FTS *walk = access(dir, F_OK) < 0 ? NULL : fts_open(dirs, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    str_list links = {0};
    for (const FTSENT *entry; walk && (entry = fts_read(walk)) != NULL;) {
        bool link = entry->fts_info == FTS_SL || entry->fts_info == FTS_SLNONE;
        if (link && is_published(entry->fts_path) &&
            (!c->orphans || access(entry->fts_path, F_OK) < 0))
            vec_push(&links, mem_copy(entry->fts_path + strlen(c->tree.root) + 1));
    }
    if (walk)
        fts_close(walk);
    for (size_t i = 0; status == 0 && i < links.len; i++)
        status = remove_output(c, links.at[i], err);
    str_list_free(&links);
    free(dir);
    return status;
}

/* Removes what Gantry keeps for the configuration, and build/<mode> where it names it. */
static int clean_own(struct cleaning *c, struct err *err)
{
    char *out = path_join(c->tree.root, c->out);
    char *link = mem_format("%s/build/%s", c->tree.root, conf_get(c->tree.conf, "mode"));
    char text[4096];
    ssize_t length = readlink(link, text, sizeof text - 1);
    text[length > 0 ? length : 0] = '\0';
    int status = file_remove_tree(c->tree.state_dir, err);
    if (status == 0)
        rmdir(out);
    if (status == 0 && length > 0 && strcmp(text, path_base(c->out)) == 0 &&
        access(out, F_OK) < 0 && unlink(link) < 0)
        status = err_errno(err, "cannot remove %s", link);
    free(link);
    free(out);
    return status;
}

/* How many files are left that no step has made. */
static size_t count_left(const struct cleaning *c, char **first)
{
    char *dir = path_join(c->tree.root, c->out);
    char *const dirs[] = {dir, NULL};
    FTS *walk = access(dir, F_OK) < 0 ? NULL : fts_open(dirs, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    size_t count = 0;
    *first = NULL;
    for (FTSENT *entry; walk && (entry = fts_read(walk)) != NULL;) {
        if (strcmp(entry->fts_path, c->tree.state_dir) == 0)
            fts_set(walk, entry, FTS_SKIP);
        else if (entry->fts_info != FTS_D && entry->fts_info != FTS_DP && !count++)
            *first = mem_copy(entry->fts_path + strlen(c->tree.root) + 1);
    }
    if (walk)
        fts_close(walk);
    free(dir);
    return count;
}

static int tell(const struct cleaning *c)
{
    char size[16], *first = NULL;
    size_t left = c->orphans || c->cli->dry_run ? 0 : count_left(c, &first);
    int status = 0;
    text_size(size, c->size_bytes);
    if (json(c->cli)) {
        struct str doc = {0};
        json_put_object(&doc, NULL);
        json_put_text(&doc, "dir", c->out);
        json_put_uint(&doc, "bytes", c->size_bytes);
        json_put_uint(&doc, "left", left);
        json_put_array(&doc, "removed");
        for (size_t i = 0; i < c->removed.len; i++)
            json_put_text(&doc, NULL, c->removed.at[i]);
        json_put_array_end(&doc);
        json_put_object_end(&doc);
        status = cli_print_json(c->cli, str_text(&doc));
        str_free(&doc);
        free(first);
        return status;
    }
    for (size_t i = 0; (c->orphans || c->cli->verbose || c->cli->dry_run) && i < c->removed.len;
         i++)
        printf("%s%s\n", c->cli->dry_run ? "would remove " : "", c->removed.at[i]);
    printf("%s: %s%zu files, %s\n", c->out, c->cli->dry_run ? "would remove " : "removed ",
           c->removed.len, size);
    if (left)
        printf("left: %s%s; no step says that it makes %s\n", first, left > 1 ? " and others" : "",
               left > 1 ? "them" : "it");
    free(first);
    return status;
}

static int clean(struct cleaning *c, struct err *err)
{
    if (native_open(&c->tree, c->cli, err) < 0)
        return -1;
    c->out = conf_get(c->tree.conf, "out");
    char *out = path_join(c->tree.root, c->out);
    bool nothing = access(out, F_OK) < 0;
    free(out);
    if (nothing)
        return tell(c);
    int lock = build_lock(c->tree.state_dir, err);
    if (lock < 0)
        return -1;
    int status = state_open(&c->state, c->tree.state_dir, STATE_WRITE, &c->notes, err);
    if (c->notes.len)
        fprintf(stderr, "gantry: warning: %s\n", str_text(&c->notes));
    if (status == 0)
        status = declare_all(c, err);
    for (size_t i = 0; status == 0 && i < c->state.records.len; i++)
        if (c->state.records.at[i])
            status = clean_step(c, c->state.records.at[i], err);
    for (size_t i = 0; status == 0 && !c->orphans && i < c->declared.len; i++)
        if (is_inside(c, c->declared.at[i]))
            status = remove_output(c, c->declared.at[i], err);
    if (status == 0)
        status = clean_links(c, err);
    if (status == 0 && !c->cli->dry_run)
        status = c->orphans ? state_commit(&c->state, err) : clean_own(c, err);
    close(lock);
    return status == 0 ? tell(c) : -1;
}

/* ---- trees of make ---- */

/* An orphan, to be removed when all are known. */
struct orphan {
    text_id step;
    char *path;
};
typedef VEC(struct orphan) orphan_list;

static void take_orphan(void *data, uint32_t step, const char *path)
{
    orphan_list *orphans = data;
    vec_push(orphans, (struct orphan){step, mem_copy(path)});
}

static int remove_orphans(struct cleaning *c, struct err *err)
{
    orphan_list orphans = {0};
    int status = 0, root = open(c->tree.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return err_errno(err, "%s", c->tree.root);
    load_make_orphans(&c->state, root, take_orphan, &orphans);
    close(root);
    for (size_t i = 0; i < orphans.len; i++) {
        if (status == 0)
            status = remove_output(c, orphans.at[i].path, err);
        if (status == 0 && !c->cli->dry_run)
            state_forget(&c->state, orphans.at[i].step);
        free(orphans.at[i].path);
    }
    vec_free(&orphans);
    return status < 0 || c->cli->dry_run ? status : state_commit(&c->state, err);
}

/* What make has made, it removes by rules of its own, if it has any; only what it forgot is ours. */
static int clean_make_tree(struct cleaning *c, struct err *err)
{
    if (!c->orphans)
        return err_set(err, ERR_INPUT,
                       "%s is built by make, which cleans up by its own rules: %s clean; gantry "
                       "clean --orphans removes what nothing makes any more",
                       c->tree.root, conf_is_osv(c->tree.root) ? "scripts/build" : "make");
    c->out = c->tree.root;
    c->tree.state_dir = path_join(c->tree.root, ".gantry");
    if (access(c->tree.state_dir, F_OK) < 0)
        return tell(c);
    int lock = build_lock(c->tree.state_dir, err);
    if (lock < 0)
        return -1;
    int status = state_open(&c->state, c->tree.state_dir, STATE_WRITE, &c->notes, err);
    if (c->notes.len)
        fprintf(stderr, "gantry: warning: %s\n", str_text(&c->notes));
    if (status == 0)
        status = remove_orphans(c, err);
    close(lock);
    return status == 0 ? tell(c) : -1;
}

static bool is_of_make(enum tree_kind kind)
{
    return kind == TREE_MAKE || kind == TREE_OSV;
}

int cmd_clean(struct cli *cli, int argc, char **argv)
{
    struct err err = {0};
    struct cleaning c = {.cli = cli, .state = {.fd = -1}};
    c.orphans = argc == 2 && strcmp(argv[1], "--orphans") == 0;
    if (argc > 1 && !c.orphans)
        return cli_usage("%s: clean takes no targets (gantry help clean)", argv[1]);
    enum tree_kind kind = load_find_tree(cli->directory, &c.tree.root, &err);
    bool of_make = is_of_make(kind);
    if (!of_make) {
        free(c.tree.root);
        c.tree.root = NULL;
    }
    int status = of_make ? clean_make_tree(&c, &err) : clean(&c, &err);
    state_close(&c.state);
    str_free(&c.notes);
    map_free(&c.is_declared);
    str_list_free(&c.declared);
    str_list_free(&c.removed);
    native_close(&c.tree);
    return status < 0 ? cli_fail(&err) : status;
}

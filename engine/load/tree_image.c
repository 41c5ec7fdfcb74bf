/* What is composed in-process: bootfs, rofs, disks, embedded, compressed and copied files. */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "conf/stock.h"
#include "image/actions.h"
#include "load/tree.h"

/* ---- numbers ---- */

static int parse_number(const struct making *making, const char *attribute, const char *text,
                        uint64_t *number)
{
    char *end;

    errno = 0;
    *number = strtoull(text, &end, 0);
    if (errno == 0 && end != text && *end == '\0' && *text != '-')
        return 0;
    return tree_fail(making, attribute, NULL, "'%s' in '%s' is no number", text, attribute);
}

/* A number that may be left out. */
static int get_number(const struct making *making, const char *attribute, uint64_t *number)
{
    const char *text = tree_get(making, attribute);

    return *text ? parse_number(making, attribute, text, number) : 0;
}

/* ---- manifests ---- */

/* All variables of the conf, for %(name)s. */
static void collect_variables(struct loader *loader)
{
    struct arena *arena = &loader->graph->arena;
    str_list names = {0};

    if (loader->variables)
        return;
    conf_names(loader->conf, &names);
    struct manifest_variable *variables =
        arena_alloc(arena, (names.len + 1) * sizeof(struct manifest_variable));
    for (size_t i = 0; i < names.len; i++)
        variables[i] = (struct manifest_variable){arena_copy(arena, names.at[i]),
                                                  conf_get(loader->conf, names.at[i])};
    loader->variables = variables;
    loader->variables_count = names.len;
    str_list_free(&names);
}

static const char *find_variable(const struct loader *loader, const char *name, size_t length)
{
    for (size_t i = 0; i < loader->variables_count; i++)
        if (strlen(loader->variables[i].name) == length &&
            memcmp(loader->variables[i].name, name, length) == 0)
            return loader->variables[i].value;
    return NULL;
}

/* Copies text with %(name)s replaced; each that is used goes into the signature, since a change of
 * it changes the image. */
static void expand_percent(const struct loader *loader, const char *text, size_t length,
                           struct str *out, struct str *signature)
{
    const char *end = text + length;

    while (text < end) {
        const char *close = str_starts(text, "%(") ? memchr(text, ')', (size_t)(end - text)) : NULL;
        if (close == NULL || close + 1 >= end || close[1] != 's') {
            str_add_char(out, *text++);
            continue;
        }
        size_t name = (size_t)(close - text) - 2;
        const char *value = find_variable(loader, text + 2, name);
        str_add(out, value ? value : "");
        str_addf(signature, "%.*s=%s\n", (int)name, text + 2, value ? value : "");
        text = close + 2;
    }
}

/* Makes the declared targets that a host path of a manifest names inputs of the step. */
static void add_host(struct making *making, const char *host)
{
    struct loader *loader = making->loader;
    const struct declared *declared = map_get(&loader->declared, host);

    if (declared)
        tree_add_input(making, declared->file);
    size_t fixed = strcspn(host, "*?");
    if (host[fixed] == '\0')
        return;
    for (size_t i = 0; i < loader->targets.len; i++) {
        const struct declared *target = loader->targets.at[i];
        const char *path = graph_path(loader->graph, target->file);
        if (strncmp(target->name, host, fixed) == 0 || strncmp(path, host, fixed) == 0)
            tree_add_input(making, target->file);
    }
}

/* Reads the lines "guest: host" of a manifest. What is wrong with it, the action says. */
static void add_hosts(struct making *making, const char *text, struct str *signature)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        const char *colon = text, *end = text + length;
        do
            colon = memchr(colon + 1, ':', (size_t)(end - colon - 1));
        while (colon && colon + 1 < end && colon[1] != ' ' && colon[1] != '\t');
        if (length > 1 && colon && *text != '#') {
            struct str host = {0};
            const char *from = colon + 1 + strspn(colon + 1, " \t");
            while (end > from && strchr(" \t\r", end[-1]))
                end--;
            expand_percent(making->loader, text, (size_t)(colon - text), &host, signature);
            str_cut(&host, 0);
            if (from < end)
                expand_percent(making->loader, from, (size_t)(end - from), &host, signature);
            add_host(making, str_text(&host));
            str_free(&host);
        }
        text += length + (text[length] == '\n');
    }
}

/* A manifest that only the stock has is put into the build directory, where it can be read. */
static const char *place_stock(struct making *making, const char *path)
{
    struct loader *loader = making->loader;
    const struct stock_file *stock = str_starts(path, "manifests/") ? stock_find(path) : NULL;

    if (stock == NULL) {
        tree_fail(making, "manifests", path, "there is no manifest %s", path);
        return NULL;
    }
    const char *copy = arena_format(&loader->graph->arena, "build/.gantry/stock/%s", path);
    char *full = path_join(loader->root, copy);
    size_t length;
    char *old = file_read(full, &length, NULL);
    int result = 0;
    if (old == NULL || length != stock->length || memcmp(old, stock->bytes, length) != 0) {
        result = file_make_parents(full, loader->err);
        if (result == 0)
            result = file_write(full, stock->bytes, stock->length, 0666, loader->err);
    }
    free(old);
    free(full);
    return result == 0 ? copy : NULL;
}

/* Adds a manifest to the step. 0 also where it does not exist and need not (`path` stays looked
 * for), -1 on errors. */
static int add_manifest(struct making *making, const char *path, bool must, word_list *manifests,
                        struct str *signature)
{
    struct loader *loader = making->loader;
    struct err failed = {0};
    size_t length;

    vec_push(&loader->graph->read_files, mem_copy(path));
    if (!tree_exists(loader, path)) {
        if (!must)
            return 0;
        path = place_stock(making, path);
        if (path == NULL)
            return -1;
    }
    char *full = path_join(loader->root, path);
    char *text = file_read(full, &length, &failed);
    free(full);
    if (text == NULL)
        return err_set(loader->err, failed.kind, "%s", failed.text);
    vec_push(manifests, path);
    tree_add_input(making, graph_file(loader->graph, path));
    str_addf(signature, "%s\n", path);
    add_hosts(making, text, signature);
    free(text);
    return 0;
}

/* The skeletons that the target names, then each module's own. */
static int add_manifests(struct making *making, const char *own, word_list *manifests,
                         struct str *signature)
{
    word_list skeletons = {0}, modules = {0};
    int result = 0;

    tree_words(making, tree_get(making, "manifests"), &skeletons);
    tree_words(making, conf_get(making->loader->conf, "modules"), &modules);
    for (size_t i = 0; result == 0 && i < skeletons.len; i++)
        result = add_manifest(making, skeletons.at[i], true, manifests, signature);
    for (size_t i = 0; result == 0 && i < modules.len; i++) {
        const char *path = arena_format(&making->loader->graph->arena, "%s/%s", modules.at[i], own);
        bool seen = false;
        for (size_t k = 0; k < i; k++)
            seen = seen || strcmp(modules.at[k], modules.at[i]) == 0;
        if (!seen)
            result = add_manifest(making, path, false, manifests, signature);
    }
    vec_free(&skeletons);
    vec_free(&modules);
    return result;
}

/* What a bootfs is padded to. */
static int get_reserve(struct making *making, struct manifest_action *data, struct str *signature)
{
    if (get_number(making, "reserve", &data->reserve_bytes) != 0)
        return -1;
    if (data->reserve_bytes)
        str_addf(signature, "reserve %#lx\n", data->reserve_bytes);
    return 0;
}

static int make_from_manifests(struct making *making, const char *own, action_fn *action)
{
    struct loader *loader = making->loader;
    struct arena *arena = &loader->graph->arena;
    struct manifest_action *data = arena_alloc(arena, sizeof *data);
    const char **dirs = arena_alloc(arena, 3 * sizeof *dirs);
    struct str signature = {0};
    word_list manifests = {0};

    collect_variables(loader);
    int result = add_manifests(making, own, &manifests, &signature);
    if (result == 0)
        result = tree_add_inputs(making, "inputs", NULL);
    const char **kept = arena_alloc(arena, (manifests.len + 1) * sizeof *kept);
    if (manifests.len > 0)
        memcpy(kept, manifests.at, manifests.len * sizeof *kept);
    dirs[0] = loader->image_out;
    dirs[1] = loader->out;
    dirs[2] = ".";
    *data = (struct manifest_action){
        .manifests = kept,
        .manifests_count = manifests.len,
        .scope = {.variables = loader->variables,
                  .variables_count = loader->variables_count,
                  .dirs = dirs,
                  .dirs_count = 3},
    };
    if (result == 0 && action == action_bootfs)
        result = get_reserve(making, data, &signature);
    making->step.action = action;
    making->step.data = data;
    making->step.check = manifest_check;
    making->step.signature = tree_copy(loader, str_text(&signature));
    str_free(&signature);
    vec_free(&manifests);
    return result;
}

static int make_bootfs(struct making *making)
{
    return make_from_manifests(making, "bootfs.manifest", action_bootfs);
}

/* An empty one, to be linked: rule embed fills it. */
static int make_reserve(struct making *making)
{
    struct manifest_action *data = arena_alloc(&making->loader->graph->arena, sizeof *data);
    struct str signature = {0};
    const char *text;
    int result = tree_need(making, "reserve", &text);

    *data = (struct manifest_action){0};
    if (result == 0)
        result = get_reserve(making, data, &signature);
    making->step.action = action_bootfs;
    making->step.data = data;
    making->step.signature = tree_copy(making->loader, str_text(&signature));
    str_free(&signature);
    return result;
}

static int make_rofs(struct making *making)
{
    return make_from_manifests(making, "usr.manifest", action_rofs);
}

/* ---- disks ---- */

/* FILE@OFFSET or FILE@p1 ... FILE@p4. */
static int add_part(struct making *making, struct disk_layout *disk, const char *word)
{
    struct loader *loader = making->loader;
    const char *at = strrchr(word, '@');
    file_id file;

    if (at == NULL || at == word)
        return tree_fail(making, "parts", word, "'%s' in 'parts' is not FILE@OFFSET or FILE@p1",
                         word);
    if (disk->parts_count == DISK_PARTS_MAX)
        return tree_fail(making, "parts", word, "more than %d parts", DISK_PARTS_MAX);
    const char *name = arena_copy_n(&loader->graph->arena, word, (size_t)(at - word));
    if (tree_resolve(making, "parts", name, &file) != 0)
        return -1;
    struct disk_part *part = &disk->parts[disk->parts_count++];
    part->file = graph_path(loader->graph, file);
    tree_add_input(making, file);
    if (at[1] != 'p')
        return parse_number(making, "parts", at + 1, &part->offset);
    if (at[2] < '1' || at[2] > '4' || at[3] != '\0')
        return tree_fail(making, "parts", word, "'%s': partitions are p1 to p4", word);
    part->offset = UINT64_MAX;
    part->partition = (unsigned)(at[2] - '0');
    return 0;
}

/* OFFSET:WIDTH:UNIT, and whose size it is. */
static int parse_size_field(struct making *making, struct disk_layout *disk)
{
    const char *text = tree_get(making, "size-field"), *of = tree_get(making, "size-of");
    uint64_t numbers[3];
    char *copy = mem_copy(text), *at = copy;
    int result = 0;

    for (size_t i = 0; *text && result == 0 && i < 3; i++) {
        const char *word = strsep(&at, i < 2 ? ":" : "");
        if (word == NULL)
            result = tree_fail(making, "size-field", NULL, "'size-field' is OFFSET:WIDTH:UNIT");
        else
            result = parse_number(making, "size-field", word, &numbers[i]);
    }
    free(copy);
    if (result != 0 || !*text)
        return result;
    if (numbers[1] < 1 || numbers[1] > 8 || numbers[2] == 0)
        return tree_fail(making, "size-field", NULL,
                         "'size-field': WIDTH is 1 to 8 bytes, UNIT is not 0");
    disk->size_field = numbers[0];
    disk->size_width = (unsigned)numbers[1];
    disk->size_unit = numbers[2];
    if (strcmp(of, making->target) == 0) {
        disk->size_of = DISK_SIZE_OF_WHOLE;
        return 0;
    }
    const struct declared *declared = map_get(&making->loader->declared, of);
    const char *path = declared ? graph_path(making->loader->graph, declared->file) : of;
    for (unsigned i = 0; i < disk->parts_count; i++) {
        if (strcmp(disk->parts[i].file, path) == 0) {
            disk->size_of = i;
            return 0;
        }
    }
    return tree_fail(making, "size-of", NULL, "'size-of' names none of the parts, nor %s itself",
                     making->target);
}

static int parse_disk(struct making *making, struct disk_layout *disk)
{
    const char *text, *format = tree_get(making, "format");
    word_list parts = {0};
    int result = tree_need(making, "parts", &text);

    if (result == 0)
        tree_words(making, text, &parts);
    for (size_t i = 0; result == 0 && i < parts.len; i++)
        result = add_part(making, disk, parts.at[i]);
    vec_free(&parts);
    if (result != 0 || parse_size_field(making, disk) != 0 ||
        get_number(making, "align", &disk->align) != 0 ||
        get_number(making, "pad", &disk->pad) != 0 ||
        get_number(making, "cmdline-at", &disk->cmdline_at) != 0)
        return -1;
    if (strcmp(format, "qcow2") == 0)
        disk->format = DISK_QCOW2;
    else if (*format && strcmp(format, "raw") != 0)
        return tree_fail(making, "format", NULL, "format '%s'; a disk is raw or qcow2", format);
    return tree_add_inputs(making, "inputs", NULL);
}

/* Only the image that is booted carries the boot arguments. */
static int set_cmdline(struct making *making, struct disk_layout *disk)
{
    struct conf *conf = making->loader->conf;

    disk->cmdline = "";
    if (disk->cmdline_at == 0 || strcmp(conf_get(conf, "boot-image"), making->target) != 0)
        return 0;
    disk->cmdline = conf_cmdline(conf);
    if (strlen(disk->cmdline) <= IMAGE_CMDLINE_MAX)
        return 0;
    return err_set(making->loader->err, ERR_INPUT,
                   "the boot arguments (cmdline) have %zu bytes; an image holds %d",
                   strlen(disk->cmdline), IMAGE_CMDLINE_MAX);
}

static int make_disk(struct making *making)
{
    struct loader *loader = making->loader;
    struct disk_layout *disk = arena_alloc(&loader->graph->arena, sizeof *disk);
    struct str signature = {0};

    if (parse_disk(making, disk) != 0 || set_cmdline(making, disk) != 0)
        return -1;
    str_addf(&signature, "format %d align %#lx pad %#lx size %#lx:%u:%#lx of %u cmdline %#lx %s",
             (int)disk->format, disk->align, disk->pad, disk->size_field, disk->size_width,
             disk->size_unit, disk->size_of, disk->cmdline_at, disk->cmdline);
    for (unsigned i = 0; i < disk->parts_count; i++)
        str_addf(&signature, "\n%s@%#lx p%u", disk->parts[i].file, disk->parts[i].offset,
                 disk->parts[i].partition);
    making->step.action = action_disk;
    making->step.data = disk;
    making->step.signature = tree_copy(loader, str_text(&signature));
    str_free(&signature);
    return 0;
}

/* ---- one file from another ---- */

static int make_from_one(struct making *making, action_fn *action)
{
    const char *text;
    int result = tree_need(making, "inputs", &text);

    if (result == 0)
        result = tree_add_inputs(making, "inputs", NULL);
    if (result == 0 && making->inputs.len != 1)
        result = tree_fail(making, "inputs", NULL, "rule '%s' takes one input, here are %zu",
                           making->step.rule, making->inputs.len);
    making->step.action = action;
    making->step.signature = making->step.rule;
    return result;
}

static int make_compress(struct making *making)
{
    const char *format = tree_get(making, "format");

    if (*format && strcmp(format, "lz4") != 0)
        return tree_fail(making, "format", NULL, "format '%s'; rule 'compress' knows lz4", format);
    return make_from_one(making, action_compress);
}

/* A program, and the bootfs that goes to a symbol of it. */
static int make_embed(struct making *making)
{
    const char *symbol = tree_get(making, "symbol"), *text;
    int result = tree_need(making, "inputs", &text);

    if (result == 0)
        result = tree_add_inputs(making, "inputs", NULL);
    if (result == 0 && making->inputs.len != 2)
        result = tree_fail(making, "inputs", NULL,
                           "rule 'embed' takes a program and a bootfs, here are %zu inputs",
                           making->inputs.len);
    symbol = tree_copy(making->loader, *symbol ? symbol : "bootfs_start");
    making->step.action = action_embed;
    making->step.data = symbol;
    making->step.signature = arena_format(&making->loader->graph->arena, "embed %s", symbol);
    return result;
}

static int make_copy(struct making *making)
{
    return make_from_one(making, action_copy);
}

const struct rule tree_image_rules[] = {
    {"bootfs", make_bootfs},   {"rofs", make_rofs},   {"disk", make_disk},
    {"reserve", make_reserve}, {"embed", make_embed}, {"compress", make_compress},
    {"copy", make_copy},       {NULL, NULL},
};

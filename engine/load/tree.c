/*
 * The native loader: declared targets and their attributes become steps. Everything that decides an
 * output is in its step's words or signature, and everything it reads is an input, a line of its
 * depfile, or told by the action while it runs.
 */
#include "load/tree.h"
#include "base/look.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"

/* ---- words ---- */

const char *tree_copy(struct loader *loader, const char *text)
{
    return arena_copy(&loader->graph->arena, text);
}

bool tree_exists(const struct loader *loader, const char *path)
{
    look_for_below(loader->root, path);
    return faccessat(loader->root_fd, path, F_OK, 0) == 0;
}

const char *tree_get(const struct making *making, const char *name)
{
    return conf_get_for(making->loader->conf, making->target, name);
}

int tree_fail(const struct making *making, const char *attribute, const char *word,
              const char *format, ...)
{
    struct origin origin = conf_origin(making->loader->conf, making->target, attribute, word);
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (origin.file == NULL)
        origin = making->origin;
    if (origin.file == NULL)
        return err_set(making->loader->err, ERR_INPUT, "%s (%s): %s", making->target,
                       origin_name(origin.kind), text);
    return err_at(making->loader->err, origin.file, origin.line, 0, "%s: %s", making->target, text);
}

int tree_need(const struct making *making, const char *name, const char **text)
{
    *text = tree_get(making, name);
    if ((*text)[strspn(*text, " \t")] != '\0')
        return 0;
    return tree_fail(making, "rule", NULL, "rule '%s' needs '%s'; say '%s: %s = ...'",
                     making->step.rule, name, making->target, name);
}

void tree_words(const struct making *making, const char *text, word_list *words)
{
    while (*(text += strspn(text, " \t\n"))) {
        size_t length = strcspn(text, " \t\n");
        vec_push(words, arena_copy_n(&making->loader->graph->arena, text, length));
        text += length;
    }
}

void tree_add_word(struct making *making, const char *word)
{
    vec_push(&making->argv, word);
}

/* Takes one word from the text, quotes and backslashes undone. NULL where a quote is not closed. */
static const char *take_word(const char *text, struct str *word)
{
    char quote = '\0';

    for (; *text && (quote || !strchr(" \t\n", *text)); text++) {
        if (quote ? *text == quote : *text == '"' || *text == '\'') {
            quote = quote ? '\0' : *text;
        } else if (*text == '\\' && quote != '\'' && text[1]) {
            str_add_char(word, *++text);
        } else {
            str_add_char(word, *text);
        }
    }
    return quote ? NULL : text;
}

int tree_add_words(struct making *making, const char *attribute, const char *text)
{
    while (*(text += strspn(text, " \t\n"))) {
        struct str word = {0};
        text = take_word(text, &word);
        if (text)
            tree_add_word(making, tree_copy(making->loader, str_text(&word)));
        str_free(&word);
        if (text == NULL)
            return tree_fail(making, attribute, NULL, "a quote in '%s' is not closed", attribute);
    }
    return 0;
}

/* ---- files ---- */

void tree_add_input(struct making *making, file_id file)
{
    for (size_t i = 0; i < making->inputs.len; i++)
        if (making->inputs.at[i] == file)
            return;
    vec_push(&making->inputs, file);
}

/* The nearest name of a target, for messages; NULL where none is near. */
static const char *nearest_target(const struct loader *loader, const char *word)
{
    VEC(const char *) names = {0};

    for (size_t i = 0; i < loader->targets.len; i++)
        vec_push(&names, loader->targets.at[i]->name);
    const char *nearest = text_nearest(word, names.at, names.len);
    vec_free(&names);
    return nearest;
}

int tree_resolve(struct making *making, const char *attribute, const char *word, file_id *file)
{
    struct loader *loader = making->loader;
    const struct declared *declared = map_get(&loader->declared, word);

    if (str_ends(word, ".o") && (declared == NULL || !*declared->rule))
        return tree_object(making, attribute, word, file);
    if (declared) {
        *file = declared->file;
        return 0;
    }
    if (tree_exists(loader, word)) {
        *file = graph_file(loader->graph, word);
        return 0;
    }
    const char *nearest = nearest_target(loader, word);
    return tree_fail(making, attribute, word,
                     "'%s' in '%s' is neither a target nor a file of the tree%s%s%s", word,
                     attribute, nearest ? "; did you mean '" : "", nearest ? nearest : "",
                     nearest ? "'?" : "");
}

int tree_add_inputs(struct making *making, const char *attribute, word_list *paths)
{
    word_list words = {0};
    int result = 0;

    tree_words(making, tree_get(making, attribute), &words);
    for (size_t i = 0; result == 0 && i < words.len; i++) {
        file_id file;
        result = tree_resolve(making, attribute, words.at[i], &file);
        if (result != 0)
            break;
        tree_add_input(making, file);
        if (paths)
            vec_push(paths, graph_path(making->loader->graph, file));
    }
    vec_free(&words);
    return result;
}

void tree_add_mentioned(struct making *making, const word_list *words)
{
    for (size_t i = 0; i < words->len; i++) {
        const struct declared *declared = map_get(&making->loader->declared, words->at[i]);
        if (declared == NULL)
            continue;
        const char *path = graph_path(making->loader->graph, declared->file);
        if (strcmp(path, making->path) != 0 && strcmp(path, words->at[i]) == 0)
            tree_add_input(making, declared->file);
    }
}

/* ---- steps ---- */

void step_begin(struct making *making, struct loader *loader, const char *target, file_id output,
                const char *attribute)
{
    *making = (struct making){
        .loader = loader,
        .target = target,
        .path = graph_path(loader->graph, output),
        .origin = conf_origin(loader->conf, target, attribute, NULL),
    };
}

int step_end(struct making *making, int result)
{
    struct loader *loader = making->loader;
    file_id output = graph_file(loader->graph, making->path);

    if (result == 0) {
        struct step_spec spec = {
            .step = making->step,
            .outputs = &output,
            .outputs_count = 1,
            .inputs = making->inputs.at,
            .inputs_count = (uint32_t)making->inputs.len,
            .order = making->order.at,
            .order_count = (uint32_t)making->order.len,
        };
        spec.step.origin = making->origin.file;
        spec.step.origin_line = making->origin.line;
        if (making->argv.len > 0) {
            size_t bytes = making->argv.len * sizeof(char *);
            const char **argv = arena_alloc(&loader->graph->arena, bytes + sizeof(char *));
            memcpy(argv, making->argv.at, bytes);
            spec.step.argv = argv;
        }
        if (graph_add_step(loader->graph, &spec, loader->err) == STEP_NONE)
            result = -1;
    }
    vec_free(&making->argv);
    vec_free(&making->inputs);
    vec_free(&making->order);
    return result;
}

/* ---- targets ---- */

static int declare(struct loader *loader, const char *list, const char *dir)
{
    struct making making = {.loader = loader, .target = list};
    word_list words = {0};
    int result = 0;

    tree_words(&making, conf_get(loader->conf, list), &words);
    for (size_t i = 0; result == 0 && i < words.len; i++) {
        const struct declared *known = map_get(&loader->declared, words.at[i]);
        if (known) {
            if (strcmp(known->list, list) != 0)
                result = tree_fail(&making, list, words.at[i],
                                   "'%s' is in both targets and image-targets", words.at[i]);
            continue;
        }
        struct declared *declared = arena_alloc(&loader->graph->arena, sizeof *declared);
        char *path = path_join(dir, words.at[i]);
        *declared = (struct declared){
            .name = words.at[i],
            .list = list,
            .rule = conf_get_for(loader->conf, words.at[i], "rule"),
            .file = graph_file(loader->graph, path),
        };
        free(path);
        map_put(&loader->declared, declared->name, declared);
        map_put(&loader->declared, graph_path(loader->graph, declared->file), declared);
        vec_push(&loader->targets, declared);
    }
    vec_free(&words);
    return result;
}

/* A rule that is given to something undeclared is a word misspelt. */
static int check_undeclared(struct loader *loader)
{
    str_list names = {0};
    int result = 0;

    conf_target_names(loader->conf, &names);
    for (size_t i = 0; result == 0 && i < names.len; i++) {
        const char *name = names.at[i];
        struct making making = {.loader = loader, .target = name};
        if (strchr(name, '%') || map_get(&loader->declared, name) || !*tree_get(&making, "rule"))
            continue;
        const char *nearest = nearest_target(loader, name);
        result = tree_fail(
            &making, "rule", NULL, "has a rule but is in neither targets nor image-targets%s%s%s",
            nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
    }
    str_list_free(&names);
    return result;
}

static const struct rule *find_rule(const char *name, word_list *names)
{
    const struct rule *const tables[] = {tree_compile_rules, tree_tool_rules, tree_image_rules};

    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        for (const struct rule *rule = tables[i]; rule->name; rule++) {
            if (strcmp(rule->name, name) == 0)
                return rule;
            vec_push(names, rule->name);
        }
    }
    return NULL;
}

static int unknown_rule(const struct making *making, const char *name, const word_list *names)
{
    const char *nearest = text_nearest(name, names->at, names->len);
    struct str list = {0};

    for (size_t i = 0; i < names->len; i++)
        str_addf(&list, " %s", names->at[i]);
    int result = tree_fail(making, "rule", NULL, "unknown rule '%s'; there are:%s%s%s%s", name,
                           str_text(&list), nearest ? "; did you mean '" : "",
                           nearest ? nearest : "", nearest ? "'?" : "");
    str_free(&list);
    return result;
}

static int make_target(struct loader *loader, const struct declared *target)
{
    struct making making;
    word_list names = {0};
    int result;

    step_begin(&making, loader, target->name, target->file, "rule");
    const struct rule *rule = find_rule(target->rule, &names);
    if (rule) {
        making.step.rule = rule->name;
        result = step_end(&making, rule->make(&making));
    } else if (*target->rule) {
        result = unknown_rule(&making, target->rule, &names);
    } else if (str_ends(target->name, ".o")) {
        file_id file;
        making.target = target->list;
        result = tree_object(&making, target->list, target->name, &file);
    } else {
        struct origin origin = conf_origin(loader->conf, NULL, target->list, target->name);
        result =
            err_at(loader->err, origin.file, origin.line, 0,
                   "target '%s' has no rule; say '%s: rule = ...'", target->name, target->name);
    }
    vec_free(&names);
    return result;
}

/* Resolves the words of a global variable that names targets. */
static int resolve_global(struct loader *loader, const char *name, file_list *files)
{
    struct making making = {.loader = loader, .target = name};
    word_list words = {0};
    int result = 0;

    tree_words(&making, conf_get(loader->conf, name), &words);
    for (size_t i = 0; result == 0 && i < words.len; i++) {
        file_id file;
        result = tree_resolve(&making, name, words.at[i], &file);
        if (result == 0)
            vec_push(files, file);
    }
    vec_free(&words);
    return result;
}

static int set_goals(struct loader *loader)
{
    file_list goals = {0};
    int result = resolve_global(loader, "goals", &goals);

    for (size_t i = 0; result == 0 && i < goals.len; i++)
        vec_push(&loader->graph->goals, goals.at[i]);
    for (size_t i = 0; result == 0 && goals.len == 0 && i < loader->targets.len; i++)
        vec_push(&loader->graph->goals, loader->targets.at[i]->file);
    vec_free(&goals);
    return result;
}

static int load(struct loader *loader)
{
    int result = declare(loader, "targets", loader->out);

    if (result == 0)
        result = declare(loader, "image-targets", loader->image_out);
    if (result == 0)
        result = check_undeclared(loader);
    if (result == 0)
        result = resolve_global(loader, "generated-headers", &loader->generated);
    for (size_t i = 0; result == 0 && i < loader->targets.len; i++)
        result = make_target(loader, loader->targets.at[i]);
    if (result == 0)
        result = set_goals(loader);
    const str_list *files = conf_files(loader->conf);
    for (size_t i = 0; i < files->len; i++)
        vec_push(&loader->graph->read_files, mem_copy(files->at[i]));
    return result == 0 ? graph_finish(loader->graph, loader->err) : -1;
}

int load_native(struct graph *graph, const char *root, struct conf *conf,
                const struct toolchain *tools, struct err *err)
{
    struct loader loader = {
        .graph = graph,
        .conf = conf,
        .tools = tools,
        .err = err,
        .root = path_absolute(root),
        .out = conf_get(conf, "out"),
        .image_out = conf_get(conf, "image-out"),
    };
    int result;

    loader.root_fd = open(loader.root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (loader.root_fd < 0) {
        result = err_errno(err, "%s", loader.root);
    } else {
        result = load(&loader);
        close(loader.root_fd);
    }
    map_free(&loader.declared);
    map_free(&loader.objects);
    vec_free(&loader.targets);
    vec_free(&loader.generated);
    free(loader.root);
    return result;
}

file_id load_find_target(const struct graph *graph, const struct load_facts *facts,
                         const char *word)
{
    const char *const dirs[] = {"", facts->out, facts->image_out};

    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        char *path = *dirs[i] ? path_join(dirs[i], word) : mem_copy(word);
        file_id file = graph_find_file(graph, path);
        free(path);
        if (file != FILE_NONE)
            return file;
    }
    return FILE_NONE;
}

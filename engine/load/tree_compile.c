/* What compilers and binutils make: objects, programs, archives, stripped and flat binaries. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/path.h"
#include "load/tree.h"

/* ---- objects ---- */

struct language {
    const char *suffix, *rule;
    bool cxx;
    const char *flags[5]; /* variables, in order */
};
static const struct language languages[] = {
    {".c", "cc", false, {"cppflags", "cflags", "arch-cflags", "conf-opt", "conf-defines"}},
    {".S", "as", false, {"cppflags", "asflags", "arch-cflags", "conf-defines", NULL}},
    {".cc", "cxx", true, {"cppflags", "cxxflags", "arch-cflags", "conf-opt", "conf-defines"}},
};
enum { LANGUAGES = sizeof languages / sizeof languages[0] };

/* The source of an object: a file of the tree, or a target of that name. */
static const struct language *find_source(struct making *making, const char *object,
                                          file_id *source)
{
    struct loader *loader = making->loader;
    int stem = (int)strlen(object) - 2;

    for (size_t i = 0; i < LANGUAGES; i++) {
        const char *suffix = languages[i].suffix;
        const char *name = arena_format(&loader->graph->arena, "%.*s%s", stem, object, suffix);
        const struct declared *declared = map_get(&loader->declared, name);
        if (tree_exists(loader, name))
            *source = graph_file(loader->graph, name);
        else if (declared)
            *source = declared->file;
        else
            continue;
        return &languages[i];
    }
    return NULL;
}

/* The words of a compilation. */
static int compile_words(struct making *making, const struct language *language, file_id source)
{
    struct loader *loader = making->loader;
    const char *path = graph_path(loader->graph, source);
    const char *compiler = language->cxx ? loader->tools->cxx : loader->tools->cc;
    int result = tree_add_words(making, "CC", compiler);

    for (size_t i = 0; result == 0 && i < 5 && language->flags[i]; i++)
        result = tree_add_words(making, language->flags[i], tree_get(making, language->flags[i]));
    /* What debuggers read must not say where the tree happens to be. */
    tree_add_word(making,
                  arena_format(&loader->graph->arena, "-fdebug-prefix-map=%s=.", loader->root));
    making->step.depfile = arena_format(&loader->graph->arena, "%s.d", making->path);
    const char *const rest[] = {"-MMD",       "-MF", making->step.depfile, "-c", "-o",
                                making->path, path};
    for (size_t i = 0; i < sizeof rest / sizeof rest[0]; i++)
        tree_add_word(making, rest[i]);
    return result;
}

static int make_object(struct making *user, const char *attribute, const char *name, file_id object)
{
    struct loader *loader = user->loader;
    struct making making;
    file_id source;
    const struct language *language = find_source(user, name, &source);

    if (language == NULL) {
        int stem = (int)strlen(name) - 2;
        return tree_fail(user, attribute, name,
                         "no source for '%s': there is no %.*s.c, .S or .cc, nor a target of such "
                         "a name",
                         name, stem, name);
    }
    step_begin(&making, loader, name, object, "inputs");
    making.origin = conf_origin(loader->conf, user->target, attribute, name);
    making.step.rule = language->rule;
    making.step.signature = loader->tools->identity;
    tree_add_input(&making, source);
    int result = compile_words(&making, language, source);
    if (result == 0 && language->cxx) {
        char *compiler = toolchain_find(loader->tools->cxx);
        if (compiler == NULL)
            result = tree_fail(user, attribute, name, "%s is needed for %s and is not on PATH",
                               loader->tools->cxx, graph_path(loader->graph, source));
        free(compiler);
    }
    if (result == 0)
        result = tree_add_inputs(&making, "inputs", NULL);
    for (size_t i = 0; i < loader->generated.len; i++)
        vec_push(&making.order, loader->generated.at[i]);
    return step_end(&making, result);
}

int tree_object(struct making *user, const char *attribute, const char *name, file_id *file)
{
    struct loader *loader = user->loader;
    const struct declared *declared = map_get(&loader->declared, name);
    char *path = path_join(loader->out, name);

    *file = declared ? declared->file : graph_file(loader->graph, path);
    free(path);
    if (map_get(&loader->objects, name))
        return 0;
    map_put(&loader->objects, name, loader);
    return make_object(user, attribute, declared ? declared->name : name, *file);
}

/* ---- links and archives ---- */

static void add_paths(struct making *making, word_list *paths)
{
    for (size_t i = 0; i < paths->len; i++)
        tree_add_word(making, paths->at[i]);
    vec_free(paths);
}

static int make_link(struct making *making)
{
    word_list objects = {0}, libraries = {0}, scripts = {0};
    const char *ignored;
    int result = tree_need(making, "objects", &ignored);

    if (result == 0)
        result = tree_add_inputs(making, "objects", &objects);
    if (result == 0)
        result = tree_add_inputs(making, "libraries", &libraries);
    if (result == 0)
        result = tree_add_inputs(making, "scripts", &scripts);
    if (result == 0)
        result = tree_add_inputs(making, "inputs", NULL);
    if (result == 0)
        result = tree_add_words(making, "LD", making->loader->tools->ld);
    if (result == 0)
        result = tree_add_words(making, "ldflags", tree_get(making, "ldflags"));
    for (size_t i = 0; i < scripts.len; i++) {
        tree_add_word(making, "-T");
        tree_add_word(making, scripts.at[i]);
    }
    tree_add_word(making, "-o");
    tree_add_word(making, making->path);
    add_paths(making, &objects);
    add_paths(making, &libraries);
    vec_free(&scripts);
    making->step.signature = making->loader->tools->identity;
    return result;
}

/* An archive is made afresh: ar would keep members that are no longer listed. */
static int make_archive(struct making *making)
{
    word_list objects = {0};
    const char *ignored;
    int result = tree_need(making, "objects", &ignored);

    if (result == 0)
        result = tree_add_inputs(making, "objects", &objects);
    if (result == 0)
        result = tree_add_words(making, "AR", making->loader->tools->ar);
    tree_add_word(making, "rcsD");
    tree_add_word(making, making->path);
    add_paths(making, &objects);
    making->step.flags = STEP_AFRESH;
    making->step.signature = making->loader->tools->identity;
    return result;
}

/* ---- one file from another ---- */

/* The only word of `inputs`. */
static int only_input(struct making *making, const char **path)
{
    word_list paths = {0};
    const char *text;
    int result = tree_need(making, "inputs", &text);

    if (result == 0)
        result = tree_add_inputs(making, "inputs", &paths);
    if (result == 0 && paths.len != 1)
        result = tree_fail(making, "inputs", NULL, "rule '%s' takes one input, here are %zu",
                           making->step.rule, paths.len);
    *path = result == 0 ? paths.at[0] : NULL;
    vec_free(&paths);
    return result;
}

static int make_strip(struct making *making)
{
    const char *input;
    int result = only_input(making, &input);

    if (result == 0)
        result = tree_add_words(making, "STRIP", making->loader->tools->strip);
    if (result == 0)
        result = tree_add_words(making, "stripflags", tree_get(making, "stripflags"));
    tree_add_word(making, "-o");
    tree_add_word(making, making->path);
    tree_add_word(making, input);
    making->step.signature = making->loader->tools->identity;
    return result;
}

static int make_binary(struct making *making)
{
    const char *input;
    int result = only_input(making, &input);

    if (result == 0)
        result = tree_add_words(making, "OBJCOPY", making->loader->tools->objcopy);
    if (result == 0)
        result = tree_add_words(making, "objcopyflags", tree_get(making, "objcopyflags"));
    tree_add_word(making, "-O");
    tree_add_word(making, "binary");
    tree_add_word(making, input);
    tree_add_word(making, making->path);
    making->step.signature = making->loader->tools->identity;
    return result;
}

/* ---- programs of the build machine ---- */

/* One source compiled by HOST_CC, to an object or, with `link`, to the program itself. */
static int host_words(struct making *making, const char *source, bool link)
{
    struct loader *loader = making->loader;
    int result = tree_add_words(making, "HOST_CC", loader->tools->host_cc);

    if (result == 0)
        result = tree_add_words(making, "host-cflags", tree_get(making, "host-cflags"));
    making->step.depfile = arena_format(&loader->graph->arena, "%s.d", making->path);
    const char *const rest[] = {"-MMD", "-MF", making->step.depfile, "-o", making->path, source};
    for (size_t i = 0; i < sizeof rest / sizeof rest[0]; i++)
        tree_add_word(making, rest[i]);
    if (!link)
        tree_add_word(making, "-c");
    making->step.signature = loader->tools->host_identity;
    return result;
}

static int host_object(struct making *program, const char *source, file_id file, file_id *object)
{
    struct loader *loader = program->loader;
    struct making making;
    char *path = mem_format("%s.objects/%s.o", program->path, source);

    *object = graph_file(loader->graph, path);
    free(path);
    step_begin(&making, loader, program->target, *object, "sources");
    making.step.rule = "host-cc";
    tree_add_input(&making, file);
    return step_end(&making, host_words(&making, source, false));
}

static int make_host(struct making *making)
{
    struct loader *loader = making->loader;
    word_list sources = {0};
    const char *text;
    int result = tree_need(making, "sources", &text);

    if (result == 0)
        result = tree_add_inputs(making, "sources", &sources);
    if (result == 0 && sources.len == 1) {
        result = host_words(making, sources.at[0], true);
    } else if (result == 0) {
        result = tree_add_words(making, "HOST_CC", loader->tools->host_cc);
        tree_add_word(making, "-o");
        tree_add_word(making, making->path);
        making->step.signature = loader->tools->host_identity;
        for (size_t i = 0; result == 0 && i < sources.len; i++) {
            file_id object;
            result = host_object(making, sources.at[i], making->inputs.at[i], &object);
            making->inputs.at[i] = object;
            tree_add_word(making, graph_path(loader->graph, object));
        }
    }
    if (result == 0)
        result = tree_add_words(making, "host-libs", tree_get(making, "host-libs"));
    if (result == 0)
        result = tree_add_inputs(making, "inputs", NULL);
    vec_free(&sources);
    return result;
}

const struct rule tree_compile_rules[] = {
    {"link", make_link},     {"archive", make_archive}, {"strip", make_strip},
    {"binary", make_binary}, {"host", make_host},       {NULL, NULL},
};

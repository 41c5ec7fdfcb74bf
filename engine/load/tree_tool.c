/* Declared commands: generated headers, tools, ant. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/path.h"
#include "load/tree.h"

static void join(struct str *out, const word_list *words)
{
    for (size_t i = 0; i < words->len; i++) {
        if (i > 0)
            str_add_char(out, ' ');
        str_add(out, words->at[i]);
    }
}

/* Expands an attribute with $@ $< $^ $(@D) $(@F) bound, into the graph's arena. */
static int expand_command(struct making *making, const char *attribute, const word_list *inputs,
                          const char **text)
{
    struct loader *loader = making->loader;
    struct str all = {0};
    char *dir = path_dir(making->path), *reference = mem_format("$(%s)", attribute);

    join(&all, inputs);
    const struct conf_local locals[] = {
        {"@", making->path}, {"<", inputs->len ? inputs->at[0] : ""}, {"^", str_text(&all)},
        {"@D", dir},         {"@F", path_base(making->path)},
    };
    char *expanded = conf_expand_with(loader->conf, making->target, locals,
                                      sizeof locals / sizeof locals[0], reference, loader->err);
    *text = expanded ? tree_copy(loader, expanded) : NULL;
    free(expanded);
    free(reference);
    free(dir);
    str_free(&all);
    return *text ? 0 : -1;
}

static int make_tool(struct making *making)
{
    const char *text, *shell = tree_get(making, "shell");
    word_list inputs = {0}, words = {0};
    int result = tree_need(making, "command", &text);

    if (result == 0)
        result = tree_add_inputs(making, "inputs", &inputs);
    if (result == 0)
        result = expand_command(making, "command", &inputs, &text);
    if (result == 0 && strcmp(shell, "1") == 0) {
        making->step.shell = text;
        tree_words(making, text, &words);
        tree_add_mentioned(making, &words);
    } else if (result == 0) {
        result = tree_add_words(making, "command", text);
        tree_add_mentioned(making, &making->argv);
    }
    if (result == 0 && *tree_get(making, "depfile"))
        result = expand_command(making, "depfile", &inputs, &making->step.depfile);
    vec_free(&inputs);
    vec_free(&words);
    return result;
}

static int make_ant(struct making *making)
{
    struct loader *loader = making->loader;
    const char *dir, *file = tree_get(making, "antfile");
    int result = tree_need(making, "dir", &dir);

    if (result != 0)
        return -1;
    if (!*file)
        file = arena_format(&loader->graph->arena, "%s/build.xml", dir);
    if (!tree_exists(loader, file))
        return tree_fail(making, "dir", NULL, "there is no %s", file);
    char *out = path_dir(making->path);
    const char *define = arena_format(&loader->graph->arena, "-Dout=%s/%s", loader->root, out);
    const char *const words[] = {"ant", "-q", "-f", file, define};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        tree_add_word(making, words[i]);
    free(out);
    tree_add_input(making, graph_file(loader->graph, file));
    return tree_add_inputs(making, "inputs", NULL);
}

const struct rule tree_tool_rules[] = {
    {"tool", make_tool},
    {"header", make_tool},
    {"ant", make_ant},
    {NULL, NULL},
};

/* Questions to a finished graph: chains of prerequisites, and export for other programs. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "graph/graph.h"

int graph_find_path(const struct graph *graph, file_id from, file_id to, file_id **path,
                    uint32_t *count)
{
    /* Breadth first from `from` to what it needs; `via` remembers who asked. The way is short. */
    size_t files = graph->files.len;
    file_id *via = mem_alloc(files * sizeof *via);
    memset(via, 0xff, files * sizeof *via);
    VEC(file_id) queue = {0};
    vec_push(&queue, from);
    via[from] = from;
    for (size_t head = 0; head < queue.len && via[to] == FILE_NONE; head++) {
        file_id file = queue.at[head];
        step_id step = graph->files.at[file].producer;
        if (step == STEP_NONE)
            continue;
        const struct step *maker = &graph->steps.at[step];
        for (uint32_t i = 0; i < maker->inputs_count + maker->order_count; i++) {
            file_id next = i < maker->inputs_count
                               ? graph->links.at[maker->inputs + i]
                               : graph->links.at[maker->order + i - maker->inputs_count];
            if (via[next] != FILE_NONE)
                continue;
            via[next] = file;
            vec_push(&queue, next);
        }
    }
    vec_free(&queue);
    int status = -1;
    if (via[to] != FILE_NONE) {
        uint32_t length = 1;
        for (file_id at = to; at != from; at = via[at])
            length++;
        *path = mem_grow(*path, (*count + length) * sizeof **path);
        file_id at = to;
        for (uint32_t i = length; i-- > 0; at = via[at])
            (*path)[*count + i] = at;
        *count += length;
        status = 0;
    }
    free(via);
    return status;
}

/* Marks the steps that a file needs, its own included. */
static void mark_cone(const struct graph *graph, file_id goal, uint8_t *in_cone)
{
    VEC(step_id) stack = {0};
    step_id step = graph->files.at[goal].producer;
    if (step != STEP_NONE) {
        in_cone[step] = 1;
        vec_push(&stack, step);
    }
    while (stack.len) {
        const struct step *maker = &graph->steps.at[stack.at[--stack.len]];
        for (uint32_t i = 0; i < maker->inputs_count + maker->order_count; i++) {
            file_id file = i < maker->inputs_count
                               ? graph->links.at[maker->inputs + i]
                               : graph->links.at[maker->order + i - maker->inputs_count];
            step = graph->files.at[file].producer;
            if (step == STEP_NONE || in_cone[step])
                continue;
            in_cone[step] = 1;
            vec_push(&stack, step);
        }
    }
    vec_free(&stack);
}

static void add_words(const struct graph *graph, struct str *out, const file_id *ids,
                      uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        str_add_char(out, ' ');
        text_shell_quote(out, graph_path(graph, ids[i]));
    }
}

static void add_text_step(const struct graph *graph, step_id id, struct str *out)
{
    const struct step *step = &graph->steps.at[id];
    for (uint32_t i = 0; i < step->outputs_count; i++) {
        if (i)
            str_add_char(out, ' ');
        text_shell_quote(out, graph_path(graph, graph->links.at[step->outputs + i]));
    }
    str_add_char(out, ':');
    add_words(graph, out, graph->links.at + step->inputs, step->inputs_count);
    if (step->order_count)
        str_add(out, " |");
    add_words(graph, out, graph->links.at + step->order, step->order_count);
    str_add_char(out, '\n');
}

static void add_dot_name(struct str *out, const char *name)
{
    str_add_char(out, '"');
    for (; *name; name++) {
        if (*name == '"' || *name == '\\')
            str_add_char(out, '\\');
        str_add_char(out, *name);
    }
    str_add_char(out, '"');
}

static void add_dot_edges(const struct graph *graph, step_id step, struct str *out)
{
    const char *target = graph_step_target(graph, step);
    uint32_t inputs_count, order_count;
    const file_id *inputs = graph_inputs(graph, step, &inputs_count);
    const file_id *order = graph_order(graph, step, &order_count);
    for (uint32_t i = 0; i < inputs_count + order_count; i++) {
        file_id file = i < inputs_count ? inputs[i] : order[i - inputs_count];
        step_id maker = graph->files.at[file].producer;
        str_add(out, "  ");
        add_dot_name(out, target);
        str_add(out, " -> ");
        add_dot_name(out, maker == STEP_NONE ? graph_path(graph, file)
                                             : graph_step_target(graph, maker));
        str_add(out, i < inputs_count ? ";\n" : " [style=dashed];\n");
    }
}

static void put_files(const struct graph *graph, struct str *out, const char *key,
                      const file_id *ids, uint32_t count)
{
    json_put_array(out, key);
    for (uint32_t i = 0; i < count; i++)
        json_put_text(out, NULL, graph_path(graph, ids[i]));
    json_put_array_end(out);
}

static void add_json_step(const struct graph *graph, step_id id, struct str *out)
{
    const struct step *step = &graph->steps.at[id];
    json_put_object(out, NULL);
    json_put_uint(out, "step", id);
    json_put_text(out, "target", graph_step_target(graph, id));
    json_put_text(out, "rule", step->rule);
    put_files(graph, out, "outputs", graph->links.at + step->outputs, step->outputs_count);
    put_files(graph, out, "inputs", graph->links.at + step->inputs, step->inputs_count);
    put_files(graph, out, "order", graph->links.at + step->order, step->order_count);
    if (step->argv) {
        json_put_array(out, "argv");
        for (const char *const *word = step->argv; *word; word++)
            json_put_text(out, NULL, *word);
        json_put_array_end(out);
    } else if (step->shell) {
        json_put_text(out, "shell", step->shell);
    }
    if (step->origin) {
        json_put_text(out, "origin", step->origin);
        json_put_uint(out, "line", step->origin_line);
    }
    json_put_object_end(out);
}

/* clang.llvm.org/docs/JSONCompilationDatabase.html: one entry a compiled source. */
static void add_compdb_step(const struct graph *graph, const char *root, step_id id,
                            struct str *out)
{
    const struct step *step = &graph->steps.at[id];
    bool compiles = step->rule && (!strcmp(step->rule, "cc") || !strcmp(step->rule, "cxx") ||
                                   !strcmp(step->rule, "as"));
    if (!compiles || !step->argv || !step->inputs_count)
        return;
    json_put_object(out, NULL);
    json_put_text(out, "directory", root);
    json_put_text(out, "file", graph_path(graph, graph->links.at[step->inputs]));
    json_put_text(out, "output", graph_step_target(graph, id));
    json_put_array(out, "arguments");
    for (const char *const *word = step->argv; *word; word++)
        json_put_text(out, NULL, *word);
    json_put_array_end(out);
    json_put_object_end(out);
}

void graph_export(const struct graph *graph, const char *root, enum graph_format format,
                  file_id cone, struct str *out)
{
    uint8_t *in_cone = mem_zero(graph->steps.len, 1);
    if (cone == FILE_NONE)
        memset(in_cone, 1, graph->steps.len);
    else
        mark_cone(graph, cone, in_cone);
    if (format == GRAPH_DOT) {
        str_add(out, "digraph gantry {\n  rankdir=LR;\n  node [shape=box];\n");
    } else if (format == GRAPH_JSON) {
        json_put_object(out, NULL);
        json_put_text(out, "tree", root);
        json_put_array(out, "steps");
    } else if (format == GRAPH_COMPDB) {
        json_put_array(out, NULL);
    }
    for (step_id step = 0; step < graph->steps.len; step++) {
        if (!in_cone[step])
            continue;
        if (format == GRAPH_DOT)
            add_dot_edges(graph, step, out);
        else if (format == GRAPH_TEXT)
            add_text_step(graph, step, out);
        else if (format == GRAPH_JSON)
            add_json_step(graph, step, out);
        else
            add_compdb_step(graph, root, step, out);
    }
    if (format == GRAPH_DOT) {
        str_add(out, "}\n");
    } else if (format != GRAPH_TEXT) {
        json_put_array_end(out);
        if (format == GRAPH_JSON)
            json_put_object_end(out);
        str_add(out, "\n");
    }
    free(in_cone);
}

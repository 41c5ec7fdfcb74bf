#include "graph/graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"

/* True where path_clean would change nothing, so that most paths need no copy. */
static bool is_clean(const char *path)
{
    if (!*path || (path[0] == '.' && (path[1] == '/' || path[1] == '\0')))
        return false;
    for (const char *p = path; (p = strchr(p, '/')); p++)
        if (*++p == '/' || *p == '\0' || *p == '.')
            return false;
    return true;
}

file_id graph_file(struct graph *graph, const char *path)
{
    uint32_t name;
    if (is_clean(path)) {
        name = intern_id(&graph->names, path);
    } else {
        char *clean = path_clean(path);
        name = intern_id(&graph->names, clean);
        free(clean);
    }
    while (graph->file_of_name.len <= name)
        vec_push(&graph->file_of_name, FILE_NONE);
    if (graph->file_of_name.at[name] == FILE_NONE) {
        graph->file_of_name.at[name] = (file_id)graph->files.len;
        vec_push(&graph->files, (struct file){.name = name, .producer = STEP_NONE});
    }
    return graph->file_of_name.at[name];
}

file_id graph_find_file(const struct graph *graph, const char *path)
{
    char *clean = path_clean(path);
    uint32_t name = intern_find(&graph->names, clean);
    free(clean);
    return name < graph->file_of_name.len ? graph->file_of_name.at[name] : FILE_NONE;
}

const char *graph_path(const struct graph *graph, file_id file)
{
    return intern_text(&graph->names, graph->files.at[file].name);
}

/* Appends a slice to links and gives its start. */
static uint32_t add_links(struct graph *graph, const file_id *ids, uint32_t count)
{
    uint32_t start = (uint32_t)graph->links.len;
    vec_reserve(&graph->links, graph->links.len + count);
    if (count)
        memcpy(graph->links.at + start, ids, count * sizeof *ids);
    graph->links.len += count;
    return start;
}

static const char *origin_of(const struct step *step)
{
    return step->origin ? step->origin : "the tree";
}

step_id graph_add_step(struct graph *graph, const struct step_spec *spec, struct err *err)
{
    const struct step *given = &spec->step;
    if (!spec->outputs_count) {
        err_at(err, given->origin, given->origin_line, 0, "a step without outputs (%s)",
               given->rule ? given->rule : "no rule");
        return STEP_NONE;
    }
    for (uint32_t i = 0; i < spec->outputs_count; i++) {
        step_id other = graph->files.at[spec->outputs[i]].producer;
        if (other == STEP_NONE)
            continue;
        const struct step *first = &graph->steps.at[other];
        err_at(err, given->origin, given->origin_line, 0,
               "%s is made here and by %s:%u; one file has one step",
               graph_path(graph, spec->outputs[i]), origin_of(first), first->origin_line);
        return STEP_NONE;
    }
    step_id id = (step_id)graph->steps.len;
    struct step step = *given;
    step.outputs = add_links(graph, spec->outputs, spec->outputs_count);
    step.outputs_count = spec->outputs_count;
    step.inputs = add_links(graph, spec->inputs, spec->inputs_count);
    step.inputs_count = spec->inputs_count;
    step.order = add_links(graph, spec->order, spec->order_count);
    step.order_count = spec->order_count;
    vec_push(&graph->steps, step);
    for (uint32_t i = 0; i < spec->outputs_count; i++)
        graph->files.at[spec->outputs[i]].producer = id;
    return id;
}

/* One step that the search for cycles is in the middle of. */
struct visit {
    step_id step;
    uint32_t next; /* index of the prerequisite to look at next */
    file_id through; /* the file by which the search came here */
};

/* The prerequisite `index` of a step: inputs first, then order-only; FILE_NONE past the end. */
static file_id prerequisite(const struct graph *graph, const struct step *step, uint32_t index)
{
    if (index < step->inputs_count)
        return graph->links.at[step->inputs + index];
    index -= step->inputs_count;
    return index < step->order_count ? graph->links.at[step->order + index] : FILE_NONE;
}

/* Says the cycle that closes at `file`, which a step on the stack makes. */
static int report_cycle(const struct graph *graph, const struct visit *stack, size_t depth,
                        file_id file, struct err *err)
{
    step_id closing = graph->files.at[file].producer;
    size_t from = depth;
    while (stack[from - 1].step != closing)
        from--;
    struct str path = {0};
    str_add(&path, graph_path(graph, file));
    for (size_t i = from; i < depth; i++)
        str_addf(&path, " -> %s", graph_path(graph, stack[i].through));
    str_addf(&path, " -> %s", graph_path(graph, file));
    const struct step *step = &graph->steps.at[closing];
    err_at(err, step->origin, step->origin_line, 0, "a cycle: %s", str_text(&path));
    str_free(&path);
    return -1;
}

/* Depth first over producers, without recursion: graphs may be deeper than the stack. */
static int find_cycle(const struct graph *graph, struct err *err)
{
    enum { NEW, OPEN, DONE };
    uint8_t *mark = mem_zero(graph->steps.len, 1);
    VEC(struct visit) stack = {0};
    int status = 0;
    for (step_id root = 0; root < graph->steps.len && !status; root++) {
        if (mark[root] != NEW)
            continue;
        mark[root] = OPEN;
        vec_push(&stack, (struct visit){.step = root, .through = FILE_NONE});
        while (stack.len && !status) {
            struct visit *top = &stack.at[stack.len - 1];
            file_id file = prerequisite(graph, &graph->steps.at[top->step], top->next++);
            if (file == FILE_NONE) {
                mark[top->step] = DONE;
                stack.len--;
                continue;
            }
            step_id maker = graph->files.at[file].producer;
            if (maker == STEP_NONE || mark[maker] == DONE)
                continue;
            if (mark[maker] == OPEN) {
                status = report_cycle(graph, stack.at, stack.len, file, err);
                continue;
            }
            mark[maker] = OPEN;
            vec_push(&stack, (struct visit){.step = maker, .through = file});
        }
    }
    vec_free(&stack);
    free(mark);
    return status;
}

/* The consumers' index: count, sum up, fill. A step that names a file twice is entered once; steps
 * come in ascending order, so the last entry tells. */
static void index_uses(struct graph *graph)
{
    size_t files = graph->files.len;
    uint32_t *start = mem_zero(files + 2, sizeof *start);
    step_id *last = mem_alloc(files * sizeof *last);
    memset(last, 0xff, files * sizeof *last);
    for (step_id s = 0; s < graph->steps.len; s++) {
        file_id file;
        for (uint32_t i = 0; (file = prerequisite(graph, &graph->steps.at[s], i)) != FILE_NONE; i++)
            if (last[file] != s) {
                last[file] = s;
                start[file + 2]++;
            }
    }
    for (size_t f = 2; f <= files + 1; f++)
        start[f] += start[f - 1];
    step_id *uses = mem_alloc(start[files + 1] * sizeof *uses);
    memset(last, 0xff, files * sizeof *last);
    for (step_id s = 0; s < graph->steps.len; s++) {
        file_id file;
        for (uint32_t i = 0; (file = prerequisite(graph, &graph->steps.at[s], i)) != FILE_NONE; i++)
            if (last[file] != s) {
                last[file] = s;
                uses[start[file + 1]++] = s;
            }
    }
    free(last);
    free(graph->use_start);
    free(graph->uses);
    graph->use_start = start;
    graph->uses = uses;
}

int graph_finish(struct graph *graph, struct err *err)
{
    if (find_cycle(graph, err) < 0)
        return -1;
    index_uses(graph);
    return 0;
}

void graph_free(struct graph *graph)
{
    arena_free(&graph->arena);
    intern_free(&graph->names);
    vec_free(&graph->files);
    vec_free(&graph->steps);
    vec_free(&graph->links);
    vec_free(&graph->file_of_name);
    vec_free(&graph->goals);
    vec_free(&graph->pools);
    str_list_free(&graph->read_files);
    free(graph->use_start);
    free(graph->uses);
    free(graph->packed);
    *graph = (struct graph){0};
}

const char *graph_step_target(const struct graph *graph, step_id step)
{
    return graph_path(graph, graph->links.at[graph->steps.at[step].outputs]);
}

const file_id *graph_inputs(const struct graph *graph, step_id step, uint32_t *count)
{
    *count = graph->steps.at[step].inputs_count;
    return graph->links.at + graph->steps.at[step].inputs;
}

const file_id *graph_order(const struct graph *graph, step_id step, uint32_t *count)
{
    *count = graph->steps.at[step].order_count;
    return graph->links.at + graph->steps.at[step].order;
}

const file_id *graph_outputs(const struct graph *graph, step_id step, uint32_t *count)
{
    *count = graph->steps.at[step].outputs_count;
    return graph->links.at + graph->steps.at[step].outputs;
}

const step_id *graph_uses(const struct graph *graph, file_id file, uint32_t *count)
{
    *count = graph->use_start[file + 1] - graph->use_start[file];
    return graph->uses + graph->use_start[file];
}

/* From names on the command line to files of the graph. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "plan/plan.h"

/* The one made file whose path ends in "/name"; FILE_NONE where there is none or several, which are
 * then listed. */
static file_id by_ending(const struct graph *graph, const char *name, struct str *several)
{
    file_id found = FILE_NONE;
    unsigned count = 0;
    char *ending = mem_format("/%s", name);
    for (file_id file = 0; file < graph->files.len; file++) {
        const char *path = graph_path(graph, file);
        if (graph->files.at[file].producer == STEP_NONE || !str_ends(path, ending))
            continue;
        found = file;
        str_addf(several, "%s%s", count++ ? ", " : "", path);
    }
    free(ending);
    return count == 1 ? found : FILE_NONE;
}

/* What can be built, under the shortest name that means it. */
static const char *nearest(const struct graph *graph, const char *out, const char *name)
{
    VEC(const char *) names = {0};
    size_t prefix = strlen(out);
    for (file_id file = 0; file < graph->files.len; file++) {
        const char *path = graph_path(graph, file);
        if (graph->files.at[file].producer == STEP_NONE)
            continue;
        if (prefix && !strncmp(path, out, prefix) && path[prefix] == '/')
            path += prefix + 1;
        vec_push(&names, path);
        const char *base = strrchr(path, '/');
        if (base)
            vec_push(&names, base + 1);
    }
    const char *hit = text_nearest(name, names.at, names.len);
    vec_free(&names);
    return hit;
}

static int find_goal(const struct graph *graph, const char *out, const char *name, file_id *goal,
                     struct err *err)
{
    *goal = graph_find_file(graph, name);
    if ((*goal == FILE_NONE || graph->files.at[*goal].producer == STEP_NONE) && *out) {
        char *inside = mem_format("%s/%s", out, name);
        file_id there = graph_find_file(graph, inside);
        free(inside);
        if (there != FILE_NONE)
            *goal = there;
    }
    if (*goal != FILE_NONE && graph->files.at[*goal].producer != STEP_NONE)
        return 0;
    struct str several = {0};
    file_id ending = by_ending(graph, name, &several);
    int status = 0;
    if (ending != FILE_NONE) {
        *goal = ending;
    } else if (several.len) {
        status = err_set(err, ERR_INPUT, "'%s' may mean %s; say which", name, str_text(&several));
    } else if (*goal != FILE_NONE) {
        status = err_set(err, ERR_INPUT, "%s is a source: nothing makes it", name);
    } else {
        const char *near = nearest(graph, out, name);
        status = err_set(err, ERR_INPUT, "nothing makes '%s'%s%s%s", name,
                         near ? "; did you mean " : "; `gantry graph` lists what there is",
                         near ? near : "", near ? "?" : "");
    }
    str_free(&several);
    return status;
}

int plan_goals(const struct graph *graph, const char *out, const char *const *names, size_t count,
               file_list *goals, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        file_id goal;
        if (find_goal(graph, out, names[i], &goal, err) < 0)
            return -1;
        vec_push(goals, goal);
    }
    for (size_t i = 0; !count && i < graph->goals.len; i++)
        vec_push(goals, graph->goals.at[i]);
    return 0;
}

#include "run/results.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/path.h"
#include "plan/uses.h"

struct system_files {
    pthread_mutex_t lock;
    struct intern paths; /* with their marks */
    VEC(struct seen) seen; /* by path id; `path` is NULL */
};

struct system_files *system_files_new(void)
{
    struct system_files *files = mem_zero(1, sizeof *files);
    pthread_mutex_init(&files->lock, NULL);
    return files;
}

void system_files_free(struct system_files *files)
{
    if (!files)
        return;
    pthread_mutex_destroy(&files->lock);
    intern_free(&files->paths);
    vec_free(&files->seen);
    free(files);
}

/* ---- what was used ---- */

void results_add_file(struct results *results, const char *path)
{
    const char *root = results->job->build->options.root;
    size_t length = strlen(root);
    char *clean = path_clean(path);
    bool inside = !strncmp(clean, root, length) && clean[length] == '/';
    intern_id(&results->used, inside ? clean + length + 1 : clean);
    free(clean);
}

void results_add_missed(struct results *results, const char *path)
{
    intern_id(&results->absent, path);
}

static void add_marked(struct results *results, char mark, const char *path)
{
    char *marked = mem_format("%c%s", mark, path);
    intern_id(&results->used, marked);
    free(marked);
}

static bool is_declared(const struct results *results, const char *path)
{
    const struct graph *graph = results->job->graph;
    const struct step *step = &graph->steps.at[results->job->step];
    file_id file = graph_find_file(graph, path);
    return (file != FILE_NONE && graph->files.at[file].producer != STEP_NONE) ||
           (step->depfile && !strcmp(step->depfile, path));
}

static void add_use(void *data, const char *path, unsigned uses)
{
    struct results *results = data;
    if (uses & USE_MADE) {
        /* What any step declares as its output is not taken away from it. */
        if (is_declared(results, path))
            return;
        uint32_t before = intern_count(&results->made);
        if (intern_id(&results->made, path) == before)
            vec_push(&results->was_there, (uses & USE_WAS_THERE) != 0);
        return;
    }
    if (uses & USE_CONTENT)
        intern_id(&results->used, path);
    if (uses & USE_ABSENT)
        intern_id(&results->absent, path);
    if (uses & USE_EXISTS)
        add_marked(results, PATH_EXISTS, path);
    if (uses & USE_LINK)
        add_marked(results, PATH_LINK, path);
    if (uses & USE_LIST)
        add_marked(results, PATH_LIST, path);
}

void results_add_trace(struct results *results, const struct trace *trace)
{
    struct use_place place = {results->job->build->options.root, results->job->settings->state_dir};
    uses_of_trace(trace, &place, add_use, results);
}

void results_free(struct results *results)
{
    intern_free(&results->used);
    intern_free(&results->absent);
    intern_free(&results->made);
    vec_free(&results->was_there);
    free(results->before);
}

/* ---- looking ---- */

static struct hash hash_of(const struct job *job, const char *path, const struct identity *id,
                           bool *known)
{
    struct hash hash;
    *known = state_known_hash(job->state, path, id, &hash);
    return *known ? hash : now_hash(job->root_fd, path, id, product_counts, job->products);
}

static bool is_directory(const struct job *job, const char *path)
{
    struct stat st;
    return fstatat(job->root_fd, now_plain(path), &st, 0) == 0 && S_ISDIR(st.st_mode);
}

/* A file as it is now that the step has ended; `before`, where not NULL, is its content noted when
 * the step began. */
static struct seen see(const struct results *results, const char *path, const struct hash *before)
{
    const struct job *job = results->job;
    struct seen seen = {.id = now_identity(job->root_fd, path)};
    bool known;
    seen.hash = hash_of(job, path, &seen.id, &known);
    if (before && !hash_equal(*before, hash_unknown)) {
        if (!hash_equal(*before, seen.hash))
            seen.hash = hash_unknown;
        return seen;
    }
    /* What a step made and recorded carries a time of this build; the clock that stamps files is
     * coarse, so for all else the step's own tick counts as "during". The names in a directory may
     * change while we write beside them: there the content alone counts. */
    int64_t limit = known ? results->start_ns + 1 : results->start_coarse_ns;
    if (seen.id.ctime_ns >= limit && !is_directory(job, path))
        seen.hash = hash_unknown;
    return seen;
}

/* The same for what is used beyond the declared inputs. Outside of the tree nothing changes often:
 * one look a build is enough, and a file that changes after it is found by the next build. */
static struct seen see_used(const struct results *results, const char *path)
{
    struct system_files *files = results->job->system_files;
    if (now_plain(path)[0] != '/')
        return see(results, path, NULL);
    pthread_mutex_lock(&files->lock);
    uint32_t id = intern_find(&files->paths, path);
    struct seen seen = {0};
    if (id != INTERN_NONE)
        seen = files->seen.at[id];
    pthread_mutex_unlock(&files->lock);
    if (id != INTERN_NONE)
        return seen;
    seen = see(results, path, NULL);
    pthread_mutex_lock(&files->lock);
    if (intern_id(&files->paths, path) == files->seen.len)
        vec_push(&files->seen, seen);
    pthread_mutex_unlock(&files->lock);
    return seen;
}

static void keep(struct job *job, struct seen seen, const char *path)
{
    seen.path = mem_copy(path);
    job->seen[job->seen_count++] = seen;
}

static struct seen see_output(const struct job *job, const char *path)
{
    struct seen seen = {.id = identity_at(job->root_fd, path)};
    bool known;
    seen.hash = hash_of(job, path, &seen.id, &known);
    return seen;
}

/* All that was used but the declared inputs; their number. */
static uint32_t look_at_used(struct results *results, const file_id *inputs, uint32_t inputs_count)
{
    struct job *job = results->job;
    struct intern declared = {0};
    uint32_t kept = 0;
    for (uint32_t i = 0; i < inputs_count; i++)
        intern_id(&declared, graph_path(job->graph, inputs[i]));
    for (uint32_t i = 0; i < intern_count(&results->used); i++) {
        const char *path = intern_text(&results->used, i);
        /* Read after it was written by itself, or whether an input is there: known otherwise. */
        if (intern_find(&declared, path) != INTERN_NONE ||
            (path[0] == PATH_EXISTS && (intern_find(&declared, path + 1) != INTERN_NONE ||
                                        intern_find(&results->used, path + 1) != INTERN_NONE)))
            continue;
        keep(job, see_used(results, path), path);
        kept++;
    }
    for (uint32_t i = 0; i < intern_count(&results->absent); i++, kept++)
        keep(job, (struct seen){.hash = hash_absent}, intern_text(&results->absent, i));
    intern_free(&declared);
    return kept;
}

/* What it made beyond its outputs; their number. */
static uint32_t look_at_made(struct results *results)
{
    struct job *job = results->job;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < intern_count(&results->made); i++) {
        const char *path = intern_text(&results->made, i);
        struct seen seen = see_output(job, path);
        if (identity_absent(&seen.id) || is_directory(job, path))
            continue; /* a temporary file */
        seen.was_there = results->was_there.at[i];
        keep(job, seen, path);
        kept++;
    }
    return kept;
}

const char *results_look(struct results *results)
{
    struct job *job = results->job;
    const struct graph *graph = job->graph;
    uint32_t inputs_count, outputs_count;
    const file_id *inputs = graph_inputs(graph, job->step, &inputs_count);
    const file_id *outputs = graph_outputs(graph, job->step, &outputs_count);
    const char *missing = NULL;
    job->seen = mem_alloc((inputs_count + outputs_count + intern_count(&results->used) +
                           intern_count(&results->absent) + intern_count(&results->made)) *
                          sizeof *job->seen);
    for (uint32_t i = 0; i < inputs_count; i++) {
        const char *path = graph_path(graph, inputs[i]);
        keep(job, see(results, path, &results->before[i]), path);
    }
    job->ran.headers_count = look_at_used(results, inputs, inputs_count);
    for (uint32_t i = 0; i < outputs_count; i++) {
        const char *path = graph_path(graph, outputs[i]);
        struct seen seen = see_output(job, path);
        if (identity_absent(&seen.id))
            missing = path;
        keep(job, seen, path);
    }
    job->ran.outputs_count = outputs_count + look_at_made(results);
    job->ran.inputs = job->seen;
    job->ran.inputs_count = inputs_count;
    job->ran.headers = job->seen + inputs_count;
    job->ran.outputs = job->ran.headers + job->ran.headers_count;
    return missing;
}

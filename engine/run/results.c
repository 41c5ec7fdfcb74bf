#include "run/results.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/path.h"
#include "plan/uses.h"

/* What a name of a trace is called in a record: from the root where it is below, and with a mark. */
enum called { CALLED_PLAIN, CALLED_EXISTS, CALLED_LINK, CALLED_LIST, CALLED };

struct system_files {
    pthread_mutex_t lock;
    name_memo called[CALLED]; /* of a trace's name: the name with the mark + 1 */
    name_memo seen_of; /* of a name with its mark: place in `seen` + 1 */
    VEC(struct seen) seen; /* `path` is NULL */
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
    for (enum called how = 0; how < CALLED; how++)
        vec_free(&files->called[how]);
    vec_free(&files->seen_of);
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
    ids_add(&results->used, name_id(inside ? clean + length + 1 : clean));
    free(clean);
}

void results_add_missed(struct results *results, const char *path)
{
    ids_add(&results->absent, name_id(path));
}

/* Under the lock of system_files. */
static uint32_t called(struct system_files *files, uint32_t name, const char *path, enum called how)
{
    static const char marks[CALLED] = {
        [CALLED_EXISTS] = PATH_EXISTS, [CALLED_LINK] = PATH_LINK, [CALLED_LIST] = PATH_LIST};
    if (how == CALLED_PLAIN && path[0] == '/')
        return name;
    uint32_t *known = name_memo_at(&files->called[how], name);
    if (!*known && how == CALLED_PLAIN) {
        *known = name_id(path) + 1;
    } else if (!*known) {
        char *marked = mem_format("%c%s", marks[how], path);
        *known = name_id(marked) + 1;
        free(marked);
    }
    return *known - 1;
}

static bool is_declared(const struct results *results, const char *path)
{
    const struct graph *graph = results->job->graph;
    const struct step *step = &graph->steps.at[results->job->step];
    file_id file = graph_find_file(graph, path);
    return (file != FILE_NONE && graph->files.at[file].producer != STEP_NONE) ||
           (step->depfile && !strcmp(step->depfile, path));
}

static void add_use(void *data, uint32_t name, const char *path, unsigned uses)
{
    struct results *results = data;
    struct system_files *files = results->job->system_files;
    if (uses & USE_MADE) {
        /* What any step declares as its output is not taken away from it. */
        if (is_declared(results, path))
            return;
        uint32_t place = ids_add(&results->made, called(files, name, path, CALLED_PLAIN));
        if (place == results->was_there.len)
            vec_push(&results->was_there, (uses & USE_WAS_THERE) != 0);
        return;
    }
    if (uses & USE_CONTENT)
        ids_add(&results->used, called(files, name, path, CALLED_PLAIN));
    if (uses & USE_ABSENT)
        ids_add(&results->absent, called(files, name, path, CALLED_PLAIN));
    if (uses & USE_EXISTS)
        ids_add(&results->used, called(files, name, path, CALLED_EXISTS));
    if (uses & USE_LINK)
        ids_add(&results->used, called(files, name, path, CALLED_LINK));
    if (uses & USE_LIST)
        ids_add(&results->used, called(files, name, path, CALLED_LIST));
}

void results_add_trace(struct results *results, const struct trace *trace)
{
    struct use_place place = {results->job->build->options.root, results->job->settings->state_dir};
    pthread_mutex_lock(&results->job->system_files->lock);
    uses_of_trace(trace, &place, add_use, results);
    pthread_mutex_unlock(&results->job->system_files->lock);
}

void results_free(struct results *results)
{
    ids_free(&results->used);
    ids_free(&results->absent);
    ids_free(&results->made);
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
static struct seen see_used(const struct results *results, uint32_t name)
{
    struct system_files *files = results->job->system_files;
    const char *path = name_text(name);
    if (now_plain(path)[0] != '/')
        return see(results, path, NULL);
    pthread_mutex_lock(&files->lock);
    uint32_t place = *name_memo_at(&files->seen_of, name);
    struct seen seen = {0};
    if (place)
        seen = files->seen.at[place - 1];
    pthread_mutex_unlock(&files->lock);
    if (place)
        return seen;
    seen = see(results, path, NULL);
    pthread_mutex_lock(&files->lock);
    vec_push(&files->seen, seen);
    *name_memo_at(&files->seen_of, name) = (uint32_t)files->seen.len;
    pthread_mutex_unlock(&files->lock);
    return seen;
}

/* A path of the graph. */
static void keep(struct job *job, struct seen seen, const char *path)
{
    seen.path = path;
    seen.name = INTERN_NONE;
    job->seen[job->seen_count++] = seen;
}

static void keep_name(struct job *job, struct seen seen, uint32_t name)
{
    seen.path = name_text(name);
    seen.name = name;
    job->seen[job->seen_count++] = seen;
}

static struct seen see_output(const struct job *job, const char *path)
{
    struct seen seen = {.id = identity_at(job->root_fd, path)};
    bool known;
    seen.hash = hash_of(job, path, &seen.id, &known);
    return seen;
}

/* Whether a path is among these, which have no marks. */
static bool has(const struct ids *names, const char *path)
{
    uint32_t name = name_find(path);
    return name != INTERN_NONE && ids_find(names, name) != IDS_NONE;
}

/* All that was used but the declared inputs; their number. */
static uint32_t look_at_used(struct results *results, const file_id *inputs, uint32_t inputs_count)
{
    struct job *job = results->job;
    struct ids declared = {0};
    uint32_t kept = 0;
    for (uint32_t i = 0; i < inputs_count; i++)
        ids_add(&declared, name_id(graph_path(job->graph, inputs[i])));
    for (size_t i = 0; i < results->used.at.len; i++) {
        uint32_t name = results->used.at.at[i];
        const char *path = name_text(name);
        /* Read after it was written by itself, or whether an input is there: known otherwise. */
        if (ids_find(&declared, name) != IDS_NONE ||
            (path[0] == PATH_EXISTS && (has(&declared, path + 1) || has(&results->used, path + 1))))
            continue;
        keep_name(job, see_used(results, name), name);
        kept++;
    }
    for (size_t i = 0; i < results->absent.at.len; i++, kept++)
        keep_name(job, (struct seen){.hash = hash_absent}, results->absent.at.at[i]);
    ids_free(&declared);
    return kept;
}

/* What it made beyond its outputs; their number. */
static uint32_t look_at_made(struct results *results)
{
    struct job *job = results->job;
    uint32_t kept = 0;
    for (size_t i = 0; i < results->made.at.len; i++) {
        uint32_t name = results->made.at.at[i];
        struct seen seen = see_output(job, name_text(name));
        if (identity_absent(&seen.id) || is_directory(job, name_text(name)))
            continue; /* a temporary file */
        seen.was_there = results->was_there.at[i];
        keep_name(job, seen, name);
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
    job->seen = mem_alloc((inputs_count + outputs_count + results->used.at.len +
                           results->absent.at.len + results->made.at.len) *
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

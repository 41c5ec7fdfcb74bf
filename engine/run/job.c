#include "run/job.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/path.h"
#include "race/record.h"
#include "run/depfile.h"
#include "run/locale.h"
#include "run/program.h"
#include "run/results.h"
#include "run/spawn.h"

/* What a lane knows while it runs a job. */
struct work {
    struct action_io io; /* first: actions get a pointer to it */
    struct job *job;
    const struct step *step;
    struct steplog log;
    struct results results;
    uint64_t told_ns; /* when progress was told last */
    bool failed;
};

static int64_t wall_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

__attribute__((format(printf, 2, 3))) static void fail(struct work *work, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    steplog_write(&work->log, "gantry: ", 8);
    steplog_write(&work->log, text, strlen(text));
    steplog_write(&work->log, "\n", 1);
    free(text);
    work->failed = true;
}

static const char *path_of(const struct work *work, file_id file)
{
    return graph_path(work->job->graph, file);
}

static char *absolute(const struct work *work, const char *path)
{
    return path_join(work->job->build->options.root, path);
}

/* The directories of what will be written. */
static void make_parents(struct work *work)
{
    uint32_t count;
    const file_id *outputs = graph_outputs(work->job->graph, work->job->step, &count);
    for (uint32_t i = 0; i <= count && !work->failed; i++) {
        const char *name = i < count ? path_of(work, outputs[i]) : work->step->depfile;
        if (!name)
            continue;
        char *path = absolute(work, name);
        char *parent = path_dir(path);
        struct err err;
        if (access(parent, F_OK) < 0 && file_make_dirs(parent, &err) < 0)
            fail(work, "%s", err.text);
        free(parent);
        free(path);
    }
}

/* A source that is not there is told before anything runs. One that was saved within this tick of
 * the clock has its content noted, since its times cannot tell later whether it changed again. */
static void look_at_inputs(struct work *work)
{
    uint32_t count;
    const file_id *inputs = graph_inputs(work->job->graph, work->job->step, &count);
    struct hash *before = work->results.before = mem_zero(count, sizeof *before);
    for (uint32_t i = 0; i < count && !work->failed; i++) {
        if (work->job->graph->files.at[inputs[i]].producer != STEP_NONE)
            continue;
        const char *path = path_of(work, inputs[i]);
        struct identity id = identity_at(work->job->root_fd, path);
        if (identity_absent(&id))
            fail(work, "%s needs %s, which is not there, and nothing makes it%s%s",
                 graph_step_target(work->job->graph, work->job->step), path,
                 work->step->origin ? "; see " : "", work->step->origin ? work->step->origin : "");
        else if (id.ctime_ns >= work->results.start_coarse_ns)
            before[i] = identity_hash(work->job->root_fd, path, &id);
    }
}

/* The step's in-process work. */

static void io_print(struct action_io *io, const char *text)
{
    struct work *work = (struct work *)io;
    steplog_write(&work->log, text, strlen(text));
    steplog_write(&work->log, "\n", 1);
    steplog_tell(&work->log);
}

static bool io_stopped(struct action_io *io)
{
    return build_stopping(((struct work *)io)->job->build) >= STOP_KILL;
}

static void io_compose(struct action_io *io, const char *part, uint64_t size_bytes)
{
    struct event event = {.kind = EVENT_COMPOSE, .part = part, .bytes = size_bytes};
    build_send(((struct work *)io)->job->build, &event);
}

/* Ten times a second is enough for eyes and journals. */
static void io_progress(struct action_io *io, uint64_t done_bytes, uint64_t total_bytes)
{
    enum { EVERY_NS = 100 * 1000 * 1000 };
    struct work *work = (struct work *)io;
    uint64_t now = clock_ns();
    if (now - work->told_ns < EVERY_NS)
        return;
    work->told_ns = now;
    build_send(work->job->build,
               &(struct event){.kind = EVENT_STEP_PROGRESS,
                               .step = work->job->step,
                               .bytes = done_bytes < total_bytes ? done_bytes : total_bytes,
                               .total = total_bytes});
}

static void io_needs(struct action_io *io, const char *path)
{
    results_add_file(&((struct work *)io)->results, path);
}

static const char **paths_of(const struct work *work, const file_id *files, uint32_t count)
{
    const char **paths = mem_alloc((count + 1) * sizeof *paths);
    for (uint32_t i = 0; i < count; i++)
        paths[i] = path_of(work, files[i]);
    paths[count] = NULL;
    return paths;
}

static uint64_t thread_cpu_ns(void)
{
    return (uint64_t)wall_ns(CLOCK_THREAD_CPUTIME_ID);
}

static void run_action(struct work *work)
{
    struct job *job = work->job;
    uint32_t inputs_count, outputs_count;
    const file_id *inputs = graph_inputs(job->graph, job->step, &inputs_count);
    const file_id *outputs = graph_outputs(job->graph, job->step, &outputs_count);
    const char **in = paths_of(work, inputs, inputs_count);
    const char **out = paths_of(work, outputs, outputs_count);
    work->io = (struct action_io){.root = job->build->options.root,
                                  .inputs = in,
                                  .inputs_count = inputs_count,
                                  .outputs = out,
                                  .outputs_count = outputs_count,
                                  .print = io_print,
                                  .stopped = io_stopped,
                                  .compose = io_compose,
                                  .needs = io_needs,
                                  .progress = io_progress};
    uint64_t start = clock_ns(), cpu = thread_cpu_ns();
    work->told_ns = start;
    struct err err = {0};
    if (work->step->action(work->step->data, &work->io, &err) < 0) {
        fail(work, "%s", err.kind == ERR_NONE ? "stopped" : err.text);
        job->exit = 1;
        if (err.kind == ERR_SYSTEM && err.number == ENOSPC)
            job->err = err;
    }
    job->ran.wall_ns = clock_ns() - start;
    job->ran.cpu_ns = thread_cpu_ns() - cpu;
    free(in);
    free(out);
}

/* What a step did that cannot work as it is traced, where it failed; and how it is to be run then.
 * False: nothing. */
static bool fails_traced(const struct work *work, const struct child_end *end,
                         struct child_spec *spec, const char **did)
{
    if (!end->exit || !end->trace || build_stopping(work->job->build) >= STOP_KILL)
        return false;
    unsigned flaws = end->trace->flaws;
    *did = flaws & TRACE_PRIVILEGE      ? "runs a set-user-ID program"
           : flaws & TRACE_OWN_TRACER   ? "traces a process itself"
           : flaws & TRACE_OWN_LISTENER ? "supervises system calls itself"
                                        : NULL;
    bool by_stops = flaws & TRACE_OWN_LISTENER && !(flaws & (TRACE_PRIVILEGE | TRACE_OWN_TRACER)) &&
                    spec->way != TRACE_BY_STOPS;
    spec->way = by_stops ? TRACE_BY_STOPS : spec->way;
    spec->untraced = !by_stops;
    return *did != NULL;
}

static void run_child(struct work *work)
{
    struct job *job = work->job;
    const char *root = job->build->options.root;
    char *dir = work->step->dir ? path_join(root, work->step->dir) : mem_copy(root);
    str_list missed = {0};
    char *program = work->step->argv ? program_find(work->step->argv[0], root, &missed) : NULL;
    const struct launcher *launcher = &job->build->launcher;
    const char **launched = work->step->argv && launcher_takes(launcher, work->step->rule)
                                ? launcher_argv(launcher, work->step->argv)
                                : NULL;
    if (launched) { /* which finds the compiler itself */
        free(program);
        program = mem_copy(launched[0]);
    }
    struct child_spec spec = {.argv = launched ? launched : work->step->argv,
                              .shell = work->step->shell,
                              .dir = dir,
                              .real_dir = work->step->dir ? NULL : job->real_root,
                              .environment = job->environment,
                              .way = TRACE_BY_ANY,
                              .lane = job->lane,
                              .step = job->step,
                              .program = program};
    struct child_end end = {0};
    struct err err = {0};
    int status = spawn_run(&spec, job->build, &work->log, &end, &err);
    const char *did;
    while (status == 0 && fails_traced(work, &end, &spec, &did)) {
        char *text = mem_format("gantry: it %s, which is not for a traced step: once more, %s\n",
                                did, spec.untraced ? "untraced" : "traced by ptrace");
        steplog_write(&work->log, text, strlen(text));
        free(text);
        trace_free(end.trace);
        end = (struct child_end){0};
        status = spawn_run(&spec, job->build, &work->log, &end, &err);
    }
    if (status < 0) {
        fail(work, "%s", err.text);
        end.exit = 1;
    }
    for (size_t i = 0; i < missed.len; i++)
        results_add_missed(&work->results, missed.at[i]);
    str_list_free(&missed);
    free(program);
    free(launched);
    free(dir);
    job->exit = end.exit;
    job->signal = end.signal;
    job->ran.wall_ns = end.wall_ns;
    job->ran.cpu_ns = end.cpu_ns;
    job->ran.rss_kib = end.rss_kib;
    job->trace = end.trace;
    if (end.trace) {
        record_trace(job->build->races, job->step, end.trace);
        build_tell_touched(job->build, job->step, end.trace);
    }
    if (end.exit)
        work->failed = true;
}

/* What the command says that it read. */
static void read_depfile(struct work *work)
{
    if (!work->step->depfile)
        return;
    char *path = absolute(work, work->step->depfile);
    struct err err;
    char *text = file_read(path, NULL, &err);
    if (!text) {
        fail(work, "the command wrote no depfile %s, so what it read is not known",
             work->step->depfile);
    } else {
        str_list paths = {0};
        depfile_parse(text, &paths);
        for (size_t i = 0; i < paths.len; i++) {
            char *from = work->step->dir ? path_join(work->step->dir, paths.at[i]) : NULL;
            results_add_file(&work->results, from ? from : paths.at[i]);
            free(from);
        }
        str_list_free(&paths);
        unlink(path);
    }
    free(text);
    free(path);
}

/* Looks at all that the step read and made, for the record. */
static void look_at_results(struct work *work)
{
    struct job *job = work->job;
    if (job->trace) {
        results_add_trace(&work->results, job->trace);
        job->ran.traced = !job->trace->flaws;
        job->ran.any_locale =
            !locale_matters(job->trace, work->step->shell ? work->step->shell : "*");
    }
    if (!job->trace && work->step->action) /* our own work, without any program */
        job->ran.any_locale = true;
    const char *missing = results_look(&work->results);
    if (missing)
        fail(work, "the command ended well but did not make %s", missing);
}

/* Nothing half-made stays to be taken for whole. */
static void remove_outputs(struct work *work)
{
    uint32_t count;
    const file_id *outputs = graph_outputs(work->job->graph, work->job->step, &count);
    for (uint32_t i = 0; i < count; i++)
        unlinkat(work->job->root_fd, path_of(work, outputs[i]), 0);
    if (work->step->depfile)
        unlinkat(work->job->root_fd, work->step->depfile, 0);
}

void job_run(struct job *job)
{
    struct work work = {.job = job, .step = &job->graph->steps.at[job->step]};
    work.results.job = job;
    work.results.start_coarse_ns = wall_ns(CLOCK_REALTIME_COARSE);
    work.results.start_ns = wall_ns(CLOCK_REALTIME);
    steplog_open(&work.log, job->build, job->step, job->settings->state_dir, job->settings->out,
                 graph_step_target(job->graph, job->step));
    look_at_inputs(&work);
    if (!work.failed)
        make_parents(&work);
    if (work.step->flags & STEP_AFRESH)
        remove_outputs(&work);
    if (!work.failed) {
        if (work.step->action)
            run_action(&work);
        else
            run_child(&work);
    } else {
        job->exit = 1;
    }
    if (!work.failed)
        read_depfile(&work);
    if (!work.failed)
        look_at_results(&work);
    job->outcome = OUTCOME_RAN;
    if (work.failed) {
        remove_outputs(&work);
        bool killed = build_stopping(job->build) >= STOP_KILL;
        job->outcome = killed ? OUTCOME_CANCELLED : OUTCOME_FAILED;
        if (!job->exit)
            job->exit = 1;
    }
    if (work.log.number && job->err.kind == ERR_NONE) {
        errno = work.log.number;
        err_errno(&job->err, "cannot write %s", work.log.path);
    }
    steplog_close(&work.log);
    results_free(&work.results);
}

void job_free(struct job *job)
{
    free(job->seen);
    trace_free(job->trace);
    free(job);
}

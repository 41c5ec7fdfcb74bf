#include "run/build.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/path.h"
#include "race/record.h"
#include "run/build_internal.h"
#include "run/diag.h"
#include "run/guard.h"
#include "run/meter.h"
#include "trace/trace.h"

void build_send(struct build *build, const struct event *event)
{
    struct event *copy = event_copy(event);
    copy->t_ns = clock_ns() - build->start_ns;
    journal_add(build->journal, copy);
    queue_push(build->events, copy);
}

void build_show(struct build *build, const struct event *event)
{
    struct event *copy = event_copy(event);
    copy->t_ns = clock_ns() - build->start_ns;
    queue_push(build->events, copy);
}

void build_say(struct build *build, enum severity severity, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    struct event event = {.kind = EVENT_MESSAGE, .severity = severity, .text = text};
    build_send(build, &event);
    free(text);
}

int build_open_journal(struct build *build, const char *state_dir, struct err *err)
{
    char *directory = path_join(state_dir, "journal");
    int status = journal_start(build->journal, build->options.journal, directory, err);
    free(directory);
    return status;
}

enum stop_state build_stopping(const struct build *build)
{
    return (enum stop_state)atomic_load(&build->stop);
}

static void *run_build(void *data)
{
    struct build *build = data;
    if (build->options.metered)
        build->meter = meter_new(build);
    int exit_status = build->runner(build, build->runner_data);
    meter_free(build->meter);
    guard_free(build->guard);
    build->guard = NULL;
    if (build->totals.untraced)
        build_say(build, SEVERITY_WARNING,
                  "%llu of the %llu steps that ran are not known by what they touched: they ran "
                  "untraced (gantry doctor)",
                  (unsigned long long)build->totals.untraced,
                  (unsigned long long)build->totals.run);
    if (exit_status == 0 && build->options.fail_on_races && build->totals.findings)
        exit_status = 1;
    bool stopped = build_stopping(build) != STOP_NO && exit_status == 1;
    struct event end = {.kind = EVENT_BUILD_END,
                        .status = stopped       ? BUILD_CANCELLED
                                  : exit_status ? BUILD_FAILED
                                                : BUILD_OK,
                        .exit = stopped ? 128 + SIGINT : exit_status,
                        .steps_total = build->totals.total,
                        .steps_run = build->totals.run,
                        .steps_unchanged = build->totals.unchanged,
                        .steps_failed = build->totals.failed,
                        .findings = build->totals.findings,
                        .wall_ns = clock_ns() - build->start_ns,
                        .cpu_ns = build->totals.cpu_ns,
                        .t_ns = clock_ns() - build->start_ns};
    journal_add(build->journal, &end);
    struct err err = {0};
    if (journal_close(build->journal, &err) < 0) {
        struct event message = {.kind = EVENT_MESSAGE,
                                .severity = SEVERITY_WARNING,
                                .text = err.text,
                                .t_ns = end.t_ns};
        queue_push(build->events, event_copy(&message));
    }
    build->journal = NULL;
    queue_push(build->events, event_copy(&end));
    return (void *)(intptr_t)end.exit;
}

static const char *const *copy_words(struct arena *arena, const char *const *words, size_t count)
{
    if (!words)
        return NULL;
    const char **copy = arena_alloc(arena, (count + 1) * sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = arena_copy(arena, words[i]);
    return copy;
}

/* The options outlive the caller's. */
static void copy_options(struct build *build, const struct build_options *options)
{
    struct arena *arena = &build->arena;
    struct build_options *own = &build->options;
    *own = *options;
    own->root = arena_copy(arena, options->root);
    struct assignment *assigns = arena_alloc(arena, (options->assigns_count + 1) * sizeof *assigns);
    for (size_t i = 0; i < options->assigns_count; i++)
        assigns[i] = (struct assignment){arena_copy(arena, options->assigns[i].name),
                                         arena_copy(arena, options->assigns[i].value),
                                         options->assigns[i].kind};
    own->assigns = assigns;
    own->targets = copy_words(arena, options->targets, options->targets_count);
    size_t words = 0;
    while (options->command && options->command[words])
        words++;
    own->command = copy_words(arena, options->command, words);
    own->directory = options->directory ? arena_copy(arena, options->directory) : NULL;
    own->journal = options->journal ? arena_copy(arena, options->journal) : NULL;
}

static void build_free(struct build *build)
{
    guard_free(build->guard);
    journal_close(build->journal, NULL);
    if (build->wake_fd >= 0)
        close(build->wake_fd);
    if (build->kill_fd >= 0)
        close(build->kill_fd);
    if (build->now_fd >= 0)
        close(build->now_fd);
    diag_free(build->diag);
    record_free(build->races);
    launcher_free(&build->launcher);
    touched_free(build->touched);
    pthread_mutex_destroy(&build->diag_lock);
    arena_free(&build->arena);
    free(build);
    names_release();
}

static struct build *build_new(const struct build_options *options, struct queue *events,
                               struct err *err)
{
    struct build *build = mem_zero(1, sizeof *build);
    build->events = events;
    build->start_ns = clock_ns();
    build->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    build->kill_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    build->now_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    build->journal = journal_new();
    trace_begin();
    names_hold();
    build->races = record_new(options->root);
    build->touched = touched_new(options->root);
    pthread_mutex_init(&build->diag_lock, NULL);
    if (build->wake_fd < 0 || build->kill_fd < 0 || build->now_fd < 0 || !build->journal) {
        err_errno(err, "cannot start a build");
        build_free(build);
        return NULL;
    }
    copy_options(build, options);
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    build->lanes = options->lanes ? options->lanes : processors > 0 ? (unsigned)processors : 1;
    return build;
}

struct build *build_start_with(const struct build_options *options, struct queue *events,
                               build_runner *runner, void *data, struct err *err)
{
    struct build *build = build_new(options, events, err);
    if (!build)
        return NULL;
    build->runner = runner;
    build->runner_data = data;
    /* Signals are the front end's; the build's threads inherit a full mask. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int number = pthread_create(&build->thread, NULL, run_build, build);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (number) {
        errno = number;
        err_errno(err, "cannot start a thread");
        build_free(build);
        return NULL;
    }
    return build;
}

void build_command(struct build *build, enum build_command command)
{
    int now = atomic_load(&build->stop), wanted;
    do
        wanted = command == BUILD_DRAIN ? (now > STOP_DRAIN ? now : STOP_DRAIN)
                 : now >= STOP_KILL     ? STOP_NOW
                                        : STOP_KILL;
    while (!atomic_compare_exchange_weak(&build->stop, &now, wanted));
    eventfd_write(build->wake_fd, 1);
    if (wanted >= STOP_KILL)
        eventfd_write(build->kill_fd, 1);
    if (wanted == STOP_NOW)
        eventfd_write(build->now_fd, 1);
}

int build_finish(struct build *build)
{
    void *status;
    pthread_join(build->thread, &status);
    build_free(build);
    return (int)(intptr_t)status;
}

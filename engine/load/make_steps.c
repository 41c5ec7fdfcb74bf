#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "load/make_internal.h"
#include "load/make_state.h"
#include "race/live.h"
#include "race/record.h"
#include "run/diag.h"
#include "run/meter.h"
#include "run/steplog.h"

enum { SHELL_DEPTH = 32 }; /* processes between a make and one that its $(shell) runs, at most */

/* How much of a log that has `size` bytes can be told before another's text. A make writes a line in
 * pieces ("rm a", " b\n"): a line that it has not ended waits for its end, but no longer than a
 * person who is asked something would. */
static uint64_t whole_lines(struct step_log *log, uint64_t size)
{
    enum { PIECE = 4096 };
    static const uint64_t patience_ns = 1000000000;
    int fd = open(log->path, O_RDONLY | O_CLOEXEC);
    uint64_t end = size;
    for (bool found = fd < 0; !found && end > log->told;) {
        char piece[PIECE];
        size_t length = end - log->told < PIECE ? (size_t)(end - log->told) : PIECE;
        ssize_t got = pread(fd, piece, length, (off_t)(end - length));
        const char *newline = got == (ssize_t)length ? memrchr(piece, '\n', length) : NULL;
        found = newline || got != (ssize_t)length;
        end = newline ? end - length + (size_t)(newline - piece) + 1 : found ? size : end - length;
    }
    if (fd >= 0)
        close(fd);
    if (end == size)
        return size;
    if (log->stands_at != size) {
        log->stands_at = size;
        log->stands_since_ns = clock_ns();
    }
    return clock_ns() - log->stands_since_ns < patience_ns ? end : size;
}

/* Tells what a log has grown by: all of it, or but its whole lines, where others write beside it. */
static void tell_growth(struct make_build *make, const struct make_step *step, struct step_log *log,
                        const char *stream, bool all)
{
    struct stat status;
    if (!log->path || stat(log->path, &status) != 0 || (uint64_t)status.st_size <= log->told)
        return;
    uint64_t size = (uint64_t)status.st_size, end = all ? size : whole_lines(log, size);
    if (end <= log->told)
        return;
    build_send(make->build, &(struct event){.kind = EVENT_STEP_OUTPUT,
                                            .step = step ? step->id : EVENT_NONE,
                                            .state = step && step->recursive ? "recursive" : NULL,
                                            .stream = stream,
                                            .path = log->path,
                                            .offset = log->told,
                                            .length = end - log->told});
    log->told = end;
}

static void tell_step_growth(struct make_build *make, struct make_step *step)
{
    bool all = !step->recursive || step->ended;
    tell_growth(make, step, &step->log, "out", all);
    tell_growth(make, step, &step->error_log, "err", all);
}

/* What the makes said themselves; `all` of it once they have ended. */
static void tell_own_growth(struct make_build *make, bool all)
{
    tell_growth(make, NULL, &make->output, "out", all);
    tell_growth(make, NULL, &make->error_output, "err", all);
}

/* ---- makes ---- */

static struct make_process *process(struct make_build *make, uint32_t number)
{
    return number < make->makes.len ? make->makes.at[number] : NULL;
}

struct make_step *steps_find(struct make_build *make, uint32_t number, uint32_t step)
{
    struct make_process *owner = process(make, number);
    return owner && step && step < owner->steps.len ? make->steps.at[owner->steps.at[step]] : NULL;
}

/* "MAKE.STEP" to a step, or NULL. */
static struct make_step *step_of_key(struct make_build *make, const char *key)
{
    char *end;
    unsigned long number = strtoul(key, &end, 10);
    if (end == key || *end != '.')
        return NULL;
    return steps_find(make, (uint32_t)number, (uint32_t)strtoul(end + 1, NULL, 10));
}

static char *relative_to_root(const struct make_build *make, const char *path)
{
    const char *root = make->build->options.root;
    size_t length = strlen(root);
    if (strncmp(path, root, length) == 0 && (!path[length] || path[length] == '/'))
        return path_relative(path, root);
    return mem_copy(path);
}

/* The make whose $(shell) runs a process: the nearest one above it, if no gate stands between; or
 * EVENT_NONE. */
static uint32_t shell_owner(const struct make_build *make, const struct make_step *parent,
                            pid_t pid)
{
    for (int i = 0; i < SHELL_DEPTH && (pid = make_trace_parent(pid)) > 1; i++) {
        if (parent && pid == parent->gate_pid)
            break;
        for (size_t k = make->makes.len; k-- > 0;)
            if (make->makes.at[k]->alive && make->makes.at[k]->pid == pid)
                return (uint32_t)k;
    }
    return EVENT_NONE;
}

uint32_t steps_add_make(struct make_build *make, const char *step, const char *directory,
                        int32_t pid)
{
    struct make_process *owner = mem_zero(1, sizeof *owner);
    struct make_step *parent = step_of_key(make, step);
    owner->alive = true;
    owner->parent = parent ? parent->id : EVENT_NONE;
    owner->directory = relative_to_root(make, directory);
    uint32_t shell_of = shell_owner(make, parent, pid);
    vec_push(&owner->steps, EVENT_NONE);
    vec_push(&make->makes, owner);
    record_make(make->build->races, (uint32_t)make->makes.len - 1, owner->parent, pid,
                owner->directory);
    if (shell_of != EVENT_NONE)
        record_make_shell(make->build->races, (uint32_t)make->makes.len - 1, shell_of);
    owner->pid = pid;
    if (make_trace_works(make->trace)) {
        owner->trace = trace_new();
        owner->below = trace_new();
        make_trace_mark(make->trace, pid, owner->trace, owner->below);
    }
    if (parent)
        parent->recursive = true;
    if (parent && parent->nested++ == 0 && parent->lane != EVENT_NONE) {
        /* It only waits for its make now: the lane is free for that one's steps. */
        meter_set(make->build->meter, parent->lane, parent->id, 0);
        lanes_release(&make->lanes, parent->lane);
        parent->lane = EVENT_NONE;
        steps_give_lanes(make);
    }
    return (uint32_t)make->makes.len - 1;
}

void steps_end_make(struct make_build *make, uint32_t number)
{
    struct make_process *owner = process(make, number);
    if (!owner || !owner->alive)
        return;
    owner->alive = false;
    record_make_end(make->build->races, number);
    struct trace *const traces[] = {owner->trace, owner->below};
    for (size_t i = 0; i < 2; i++)
        make_trace_drop(make->trace, traces[i]);
    if (owner->trace) {
        trace_merge(owner->trace, owner->below);
        if (!make_trace_sees_all(make->trace))
            owner->trace->flaws |= TRACE_UNREADABLE;
        record_make_trace(make->build->races, number, owner->trace);
    }
    for (uint32_t i = 1; i < owner->steps.len; i++) {
        struct make_step *step = make->steps.at[owner->steps.at[i]];
        if (!step->ended && step->command)
            steps_end(make, number, i, step->status != 0);
    }
    if (owner->parent == EVENT_NONE)
        return;
    struct make_step *parent = make->steps.at[owner->parent];
    if (--parent->nested == 0 && parent->begun && !parent->ended && parent->gate)
        parent->lane = lanes_acquire(&make->lanes, parent->id);
}

/* ---- steps ---- */

/* The target as events name it: what the make says, seen from the root. */
static char *name_of(const struct make_process *owner, const char *target)
{
    if (strcmp(owner->directory, ".") == 0 && target[0] != '/')
        return mem_copy(target);
    char *joined = path_join(owner->directory, target), *clean = path_clean(joined);
    free(joined);
    return clean;
}

static struct make_step *new_step(struct make_build *make, uint32_t number, const char *target)
{
    struct make_step *step = mem_zero(1, sizeof *step);
    struct make_process *owner = process(make, number);
    step->id = (uint32_t)make->steps.len;
    step->make = number;
    step->lane = EVENT_NONE;
    char *name = name_of(owner, target);
    char *absolute = NULL;
    if (name[0] == '/') { /* as a Makefile with absolute names has it */
        absolute = name;
        name = relative_to_root(make, absolute);
    }
    free(absolute);
    step->target = name;
    step->rule = "gen";
    vec_push(&make->steps, step);
    record_step(make->build->races,
                &(struct record_spec){
                    .step = step->id, .make = number, .target = step->target, .goal = target});
    map_put(&owner->by_name, target, (void *)(uintptr_t)(step->id + 1));
    return step;
}

struct make_step *steps_add_idle(struct make_build *make, uint32_t number, const char *target)
{
    struct make_step *step = new_step(make, number, target);
    step->ended = true;
    return step;
}

static char *log_beside(const char *log)
{
    size_t stem = strlen(log) - strlen(".log");
    return mem_format("%.*s.err.log", (int)stem, log);
}

/* Logs of its own for each step, however many are named alike. */
static void open_log(struct make_build *make, struct make_step *step)
{
    if (!make->output.path)
        return;
    char *name = mem_copy(step->target);
    for (unsigned count = 2;; count++) {
        step->log.path = steplog_path(make->state_dir, "", name);
        if (!map_put(&make->logs, step->log.path, make))
            break;
        free(step->log.path);
        free(name);
        name = mem_format("%s.%u", step->target, count);
    }
    free(name);
    file_make_parents(step->log.path, NULL);
    unlink(step->log.path);
    if (make->error_output.path) {
        step->error_log.path = log_beside(step->log.path);
        unlink(step->error_log.path);
    }
}

/* `line` is a line of its recipe that tells more than those before, or null. */
static void tell_step(struct make_build *make, const struct make_step *step, const char *line)
{
    build_send(make->build, &(struct event){.kind = EVENT_STEP_ADD,
                                            .step = step->id,
                                            .target = step->target,
                                            .rule = step->rule,
                                            .expect_ns = make_state_expect_ns(make->kept, step),
                                            .text = line});
}

/* A recipe of the makefile that drives an OSv tree (engine/osv), which the first make reads. */
static bool is_stage(const struct make_build *make, uint32_t number)
{
    return make->build->options.osv && number == 0;
}

void steps_add_line(struct make_build *make, uint32_t number, uint32_t serial, const char *target,
                    size_t target_length, const char *command, size_t command_length)
{
    struct make_process *owner = process(make, number);
    if (!owner || serial == 0 || serial > owner->steps.len)
        return;
    if (serial < owner->steps.len) { /* one more line of a recipe */
        struct make_step *step = steps_find(make, number, serial);
        char *text = mem_copy_n(command, command_length);
        const char *rule = is_stage(make, number) ? step->rule : make_rule_with(step->rule, text);
        if (rule != step->rule) { /* `mkdir -p` came first, now comes the compiler */
            step->rule = rule;
            tell_step(make, step, text);
        }
        record_step(make->build->races,
                    &(struct record_spec){.step = step->id, .line_of_command = text});
        make_state_line(make->kept, step, text);
        free(text);
        return;
    }
    char *name = mem_copy_n(target, target_length);
    struct make_step *step = new_step(make, number, name);
    free(name);
    vec_push(&owner->steps, step->id);
    make_holds_came(make->holds, step);
    step->command = mem_copy_n(command, command_length);
    step->rule = is_stage(make, number) ? "stage" : make_rule_of(step->command);
    make_state_line(make->kept, step, step->command);
    record_step(make->build->races,
                &(struct record_spec){.step = step->id, .line_of_command = step->command});
    open_log(make, step);
    /* What make itself said before comes before. */
    tell_own_growth(make, false);
    make->build->totals.total++;
    tell_step(make, step, NULL);
    struct event ready = {.kind = EVENT_STEP_READY,
                          .step = step->id,
                          .target = step->target,
                          .rule = step->rule,
                          .reason = "make"};
    char *copy;
    make_stale_explain(make->kept, step, &ready, &copy);
    build_send(make->build, &ready);
    free(copy);
}

void steps_echo(struct make_build *make, uint32_t number, uint32_t serial, bool error,
                const char *text, size_t length)
{
    struct make_step *step = steps_find(make, number, serial);
    if (step)
        str_add_n(&step->echoed, text, length);
    const char *log = !step ? NULL : error ? step->error_log.path : step->log.path;
    int fd = log ? open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644) : -1;
    if (fd < 0)
        return;
    while (length) {
        ssize_t written = write(fd, text, length);
        if (written <= 0)
            break;
        text += written;
        length -= (size_t)written;
    }
    close(fd);
}

/* ---- lanes ---- */

/* A lane for a step, or EVENT_NONE. */
static uint32_t acquire(struct make_build *make, uint32_t step)
{
    if (make->unlimited && make->lanes.busy == make->lanes.count)
        lanes_add(&make->lanes);
    return lanes_acquire(&make->lanes, step);
}

/* Steps that ask the user, by the names that such targets go by: nothing else can tell beforehand. */
static bool needs_terminal(const struct make_step *step)
{
    static const char *const names[] = {"menuconfig", "nconfig", "config", "oldconfig",
                                        "edit-conf"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(path_base(step->target), names[i]) == 0)
            return true;
    return false;
}

/* Lines that were passed over, each in a shell of its own, as a file that a shell can read; new. NULL
 * where it cannot be written. */
static char *write_script(const struct make_build *make, const struct make_step *step)
{
    struct str script = {0};
    const char *at = str_text(&step->lines), *last = strrchr(at, '\1');
    for (const char *end; last && at < last; at = end + 1) {
        end = strchr(at, '\1');
        str_add(&script, "(\n:\n"); /* the line may be a comment alone */
        str_add_n(&script, at, (size_t)(end - at));
        str_add(&script, "\n) || exit $?\n");
    }
    char *path = mem_format("%s/before/%u", make->state_dir, step->id);
    struct err err = {0};
    if (file_make_parents(path, &err) < 0 ||
        file_write(path, str_text(&script), script.len, 0666, &err) < 0) {
        build_say(make->build, SEVERITY_ERROR, "%s", err.text);
        free(path);
        path = NULL;
    }
    str_free(&script);
    return path;
}

static void remove_script(const struct make_build *make, const struct make_step *step)
{
    char *path = mem_format("%s/before/%u", make->state_dir, step->id);
    unlink(path);
    free(path);
}

static void begin(struct make_build *make, struct make_step *step)
{
    char *script = NULL;
    if (!step->begun && step->passed && !(script = write_script(make, step))) {
        gate_send_refuse(step->gate, 1);
        return;
    }
    if (!step->begun) {
        step->begun = true;
        make_holds_begun(make->holds, step);
        step->begin_ns = clock_ns();
        record_begin(make->build->races, step->id, step->lane);
        uint64_t expect_ns = make_state_expect_ns(make->kept, step);
        make_state_begin(make->kept, step);
        build_send(make->build,
                   &(struct event){.kind = EVENT_STEP_BEGIN,
                                   .step = step->id,
                                   .expect_ns = expect_ns,
                                   .target = step->target,
                                   .lane = step->lane,
                                   .host = launcher_takes(&make->build->launcher, step->rule)
                                               ? make->build->launcher.name
                                               : NULL,
                                   .text = step->command});
    }
    meter_set(make->build->meter, step->lane, step->id, step->gate_pid);
    step->lent = make->terminal && needs_terminal(step);
    if (step->lent)
        gate_send_go(step->gate, "/dev/tty", NULL, script);
    else
        gate_send_go(step->gate, step->log.path, step->error_log.path, script);
    free(script);
}

struct make_step *gate_step(struct connection *gate);

/* How long a step is held back: by its name and the seed, so that a schedule can be asked for again. */
static uint64_t shuffle_delay_ns(const struct make_build *make, const struct make_step *step)
{
    const uint64_t most_ns = 40000000;
    char *key = mem_format("%u %s", make->build->options.shuffle, step->target);
    uint64_t delay_ns = hash_bytes(key, strlen(key)).low % most_ns;
    free(key);
    return delay_ns;
}

void steps_gate_arrives(struct make_build *make, struct make_step *step, struct connection *gate,
                        int32_t pid)
{
    if (make->kept && !step->gate_pid)
        step->added = make_environment_added(make, pid);
    step->gate = gate;
    step->gate_pid = pid;
    if (make->build->options.shuffle && !step->begun)
        step->due_ns = clock_ns() + shuffle_delay_ns(make, step);
    if (make_trace_works(make->trace)) {
        if (!step->trace) {
            step->trace = trace_new();
            live_watch(make->build->live, step->id, make_trace_server(make->trace), step->trace);
        }
        make_trace_mark(make->trace, pid, NULL, step->trace);
    }
    vec_push(&make->waiting, gate);
    for (size_t i = make->waiting.len - 1; i && step->due_ns; i--) { /* by when they are due */
        if (gate_step(make->waiting.at[i - 1])->due_ns <= step->due_ns)
            break;
        make->waiting.at[i] = make->waiting.at[i - 1];
        make->waiting.at[i - 1] = gate;
    }
    steps_give_lanes(make);
}

void steps_give_lanes(struct make_build *make)
{
    size_t kept = 0;
    uint64_t now_ns = make->build->options.shuffle ? clock_ns() : UINT64_MAX;
    bool stop = build_stopping(make->build) != STOP_NO;
    for (size_t i = 0; i < make->waiting.len; i++) {
        struct make_step *step = gate_step(make->waiting.at[i]);
        if (stop) {
            gate_send_refuse(step->gate, 130);
            continue;
        }
        if (step->skipped || make_stale_skips(make->kept, step)) {
            gate_send_refuse(step->gate, 0);
            continue;
        }
        if (step->due_ns > now_ns || make_holds_back(make->holds, step)) {
            make->waiting.at[kept++] = make->waiting.at[i];
            continue;
        }
        if (step->lane == EVENT_NONE && (step->begun || lanes_load_allows(&make->lanes)))
            step->lane = acquire(make, step->id);
        if (step->lane == EVENT_NONE)
            make->waiting.at[kept++] = make->waiting.at[i];
        else
            begin(make, step);
    }
    make->waiting.len = kept;
}

void steps_gate_exits(struct make_build *make, struct make_step *step, const struct wire *wire)
{
    struct make_process *owner = process(make, step->make);
    uint64_t cpu_ns = (uint64_t)wire->b;
    step->status = (int)wire->a;
    step->cpu_ns += cpu_ns;
    if ((uint64_t)wire->c > step->rss_kib)
        step->rss_kib = (uint64_t)wire->c;
    if (owner->parent != EVENT_NONE)
        make->steps.at[owner->parent]->nested_cpu_ns += cpu_ns;
}

void steps_gate_leaves(struct make_build *make, struct make_step *step, struct connection *gate)
{
    for (size_t i = 0; i < make->waiting.len; i++)
        if (make->waiting.at[i] == gate) {
            memmove(&make->waiting.at[i], &make->waiting.at[i + 1],
                    (make->waiting.len - i - 1) * sizeof *make->waiting.at);
            make->waiting.len--;
            break;
        }
    if (step->gate == gate) {
        meter_set(make->build->meter, step->lane, step->id, 0);
        step->gate = NULL;
        make_trace_unmark(make->trace, step->gate_pid);
    }
}

/* ---- output ---- */

void steps_tell_output(struct make_build *make)
{
    tell_own_growth(make, false);
    for (unsigned i = 0; i < make->lanes.count; i++) {
        uint32_t id = make->lanes.lane[i].step;
        if (id < make->steps.len && !make->steps.at[id]->ended)
            tell_step_growth(make, make->steps.at[id]);
    }
}

static void send_diagnostic(void *context, const struct event *event)
{
    build_send(context, event);
}

static void scan_log(struct make_build *make, const struct make_step *step,
                     const struct step_log *log)
{
    struct build *build = make->build;
    size_t length = 0;
    char *text = log->told ? file_read(log->path, &length, NULL) : NULL;
    if (!text)
        return;
    pthread_mutex_lock(&build->diag_lock);
    if (!build->diag)
        build->diag = diag_new();
    diag_scan(build->diag, step->id, text, length, send_diagnostic, build);
    pthread_mutex_unlock(&build->diag_lock);
    free(text);
}

/* The steps in which this one's make runs speak before it. */
static void tell_ancestors(struct make_build *make, const struct make_step *step)
{
    uint32_t parent = make->makes.at[step->make]->parent;
    if (parent == EVENT_NONE)
        return;
    tell_ancestors(make, make->steps.at[parent]);
    tell_step_growth(make, make->steps.at[parent]);
}

static void close_log(struct make_build *make, struct make_step *step)
{
    tell_ancestors(make, step);
    tell_step_growth(make, step);
    scan_log(make, step, &step->log);
    scan_log(make, step, &step->error_log);
}

/* At the very end: what was printed after a step was over (by what it left behind) is still told,
 * and empty logs go. */
static void finish_log(struct make_build *make, struct make_step *step, struct step_log *log,
                       const char *stream)
{
    if (log->path)
        tell_growth(make, step, log, stream, true);
    if (log->path && !log->told)
        unlink(log->path);
}

/* ---- the end of a step ---- */

static enum outcome outcome_of(const struct make_build *make, const struct make_step *step)
{
    if (!step->failed)
        return OUTCOME_RAN;
    return !step->begun || build_stopping(make->build) >= STOP_KILL ? OUTCOME_CANCELLED
                                                                    : OUTCOME_FAILED;
}

/* What cannot work while it is traced, and what to try. A make cannot be run once more. */
static void warn_of_flaws(struct make_build *make, const struct make_step *step)
{
    unsigned flaws = step->trace->flaws;
    if (!step->failed || !(flaws & (TRACE_PRIVILEGE | TRACE_OWN_LISTENER | TRACE_OWN_TRACER)))
        return;
    bool listener = !(flaws & (TRACE_PRIVILEGE | TRACE_OWN_TRACER));
    build_say(make->build, SEVERITY_WARNING,
              "%s %s, which is not for a step that is traced so: try %s -- ...", step->target,
              flaws & TRACE_PRIVILEGE    ? "runs a set-user-ID program"
              : flaws & TRACE_OWN_TRACER ? "traces a process itself"
                                         : "supervises system calls itself",
              listener ? "GANTRY_TRACE=ptrace gantry build" : "gantry build --trace=off");
}

/* What the step's processes touched is complete: it goes where it is wanted. Returns how much. */
static size_t close_trace(struct make_build *make, struct make_step *step)
{
    if (!step->trace)
        return 0;
    live_unwatch(make->build->live, step->id);
    record_trace(make->build->races, step->id, step->trace);
    build_tell_touched(make->build, step->id, step->trace);
    warn_of_flaws(make, step);
    size_t accesses = step->trace->accesses.len;
    trace_free(step->trace);
    step->trace = NULL;
    return accesses;
}

void steps_end(struct make_build *make, uint32_t number, uint32_t serial, bool failed)
{
    struct make_step *step = steps_find(make, number, serial);
    if (!step || step->ended)
        return;
    step->ended = true;
    step->failed = failed;
    if (step->passed && step->begun)
        remove_script(make, step);
    make_trace_drop(make->trace, step->trace); /* from here on it is complete */
    if (step->trace && !make_trace_sees_all(make->trace))
        step->trace->flaws |= TRACE_UNREADABLE;
    make_state_end(make->kept, step);
    bool traced = step->trace && !(step->trace->flaws & TRACE_PARTIAL);
    size_t accesses = close_trace(make, step);
    record_end(make->build->races, step->id, failed);
    if (step->lane != EVENT_NONE)
        lanes_release(&make->lanes, step->lane);
    step->lane = EVENT_NONE;
    close_log(make, step);
    tell_own_growth(make, false);
    if (step->skipped && !failed) { /* make called for it, and nothing else did */
        build_send(make->build, &(struct event){.kind = EVENT_STEP,
                                                .step = step->id,
                                                .target = step->target,
                                                .state = "fresh"});
        steps_give_lanes(make);
        return;
    }
    struct totals *totals = &make->build->totals;
    enum outcome outcome = outcome_of(make, step);
    totals->run += outcome == OUTCOME_RAN || outcome == OUTCOME_FAILED;
    totals->failed += outcome == OUTCOME_FAILED;
    totals->untraced += outcome == OUTCOME_RAN && !traced && !make->build->options.untraced;
    uint64_t cpu_ns = step->cpu_ns > step->nested_cpu_ns ? step->cpu_ns - step->nested_cpu_ns : 0;
    build_send(make->build,
               &(struct event){.kind = EVENT_STEP_END,
                               .step = step->id,
                               .target = step->target,
                               .outcome = outcome,
                               .exit = WIFEXITED(step->status) ? WEXITSTATUS(step->status) : 0,
                               .signal = WIFSIGNALED(step->status) ? WTERMSIG(step->status) : 0,
                               .wall_ns = step->begun ? clock_ns() - step->begin_ns : 0,
                               .cpu_ns = cpu_ns,
                               .rss_kib = step->rss_kib,
                               .accesses = accesses,
                               .traced = traced});
    steps_give_lanes(make);
}

void steps_finish(struct make_build *make)
{
    for (uint32_t i = (uint32_t)make->makes.len; i-- > 0;)
        steps_end_make(make, i);
    tell_own_growth(make, true);
    for (size_t i = 0; i < make->steps.len; i++) {
        finish_log(make, make->steps.at[i], &make->steps.at[i]->log, "out");
        finish_log(make, make->steps.at[i], &make->steps.at[i]->error_log, "err");
    }
    make->build->totals.total = make->steps.len;
    build_send(make->build, &(struct event){.kind = EVENT_GRAPH,
                                            .steps = make->steps.len,
                                            .files = make->files,
                                            .edges = make->edges,
                                            .complete = true});
}

void steps_free(struct make_build *make)
{
    for (size_t i = 0; i < make->steps.len; i++) {
        struct make_step *step = make->steps.at[i];
        free(step->target);
        free(step->command);
        str_free(&step->lines);
        str_free(&step->echoed);
        free(step->log.path);
        free(step->error_log.path);
        trace_free(step->trace);
        free(step);
    }
    for (size_t i = 0; i < make->makes.len; i++) {
        struct make_process *owner = make->makes.at[i];
        free(owner->directory);
        trace_free(owner->trace);
        trace_free(owner->below);
        vec_free(&owner->steps);
        make_shell_free(owner);
        map_free(&owner->by_name);
        free(owner);
    }
    vec_free(&make->steps);
    vec_free(&make->makes);
    vec_free(&make->waiting);
    map_free(&make->logs);
}

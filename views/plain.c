#include "views/plain.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/vec.h"
#include "views/sanitize.h"
#include "views/shell_cost.h"

enum {
    CHUNK_BYTES = 1 << 16, /* of a log, read at a time: a log of any size takes this much memory */
    REPEAT_BYTES = 4096, /* of a failed step's output, repeated at the end */
    REPEAT_LINES = 20,
};

/* A stretch of a log. */
struct range {
    char *path;
    uint64_t offset, length;
    bool err; /* standard error's */
};

struct plain_step {
    char *target, *rule, *command;
    char *cause; /* its first error diagnostic, "file:line: text" */
    VEC(struct range) ranges;
    bool counted; /* in plain->total */
    bool ended;
};

struct plain {
    struct plain_options options;
    struct plain_io io;
    VEC(struct plain_step) steps; /* by step id */
    VEC(uint32_t) failed; /* step ids, in the order of their ends */
    uint64_t done, total, graph_steps;
    unsigned held; /* orders that the build keeps */
    struct shell_costs shell;
    bool begun, complete;
    struct sanitize console; /* of the guest's console, from its begin to its end */
    bool console_through; /* see plain_console */
    bool console_open; /* its last line has no end yet */
    struct str line; /* being put together */
};

struct plain *plain_new(const struct plain_options *options, const struct plain_io *io)
{
    struct plain *plain = mem_zero(1, sizeof *plain);
    plain->options = *options;
    plain->io = *io;
    plain->complete = true;
    return plain;
}

static void forget_ranges(struct plain_step *step)
{
    for (size_t i = 0; i < step->ranges.len; i++)
        free(step->ranges.at[i].path);
    vec_free(&step->ranges);
}

void plain_free(struct plain *plain)
{
    for (size_t i = 0; i < plain->steps.len; i++) {
        struct plain_step *step = &plain->steps.at[i];
        forget_ranges(step);
        free(step->target);
        free(step->rule);
        free(step->command);
        free(step->cause);
    }
    vec_free(&plain->steps);
    vec_free(&plain->failed);
    str_free(&plain->line);
    shell_costs_free(&plain->shell);
    free(plain);
}

void plain_duration(char out[static 24], uint64_t ns)
{
    uint64_t s = ns / 1000000000;
    if (s >= 3600)
        snprintf(out, 24, "%" PRIu64 ":%02u:%02u", s / 3600, (unsigned)(s / 60 % 60),
                 (unsigned)(s % 60));
    else if (s >= 60)
        snprintf(out, 24, "%u:%02u", (unsigned)(s / 60), (unsigned)(s % 60));
    else
        snprintf(out, 24, "%u.%us", (unsigned)s, (unsigned)(ns / 100000000 % 10));
}

const char *plain_reason(const char *reason)
{
    static const struct {
        const char *reason, *sentence;
    } known[] = {
        {"new", "it was never built"},
        {"command", "its command or settings changed"},
        {"environment", "a variable of the environment changed"},
        {"input", "an input changed"},
        {"header", "a header that it read changed"},
        {"output", "its output is missing or was changed by something else"},
        {"forced", "it is always built"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].reason, reason) == 0)
            return known[i].sentence;
    return reason;
}

/* The line in `plain->line` is whole: print and forget it. */
static void put_line(struct plain *plain, enum plain_to to)
{
    str_add_char(&plain->line, '\n');
    plain->io.write(plain->io.data, to, plain->line.at, plain->line.len);
    str_cut(&plain->line, 0);
}

static void start_color(struct plain *plain, const char *sgr)
{
    if (plain->options.color)
        str_addf(&plain->line, "\033[%sm", sgr);
}

static void end_color(struct plain *plain)
{
    if (plain->options.color)
        str_add(&plain->line, "\033[0m");
}

static const char *glyph_failed(const struct plain *plain)
{
    return plain->options.ascii ? "x" : "✗";
}

/* The record of a step, made where it is new; valid until the next call. */
static struct plain_step *step_of(struct plain *plain, uint32_t id)
{
    while (plain->steps.len <= id)
        (void)vec_new(&plain->steps);
    return &plain->steps.at[id];
}

static void keep(char **slot, const char *text)
{
    if (text) {
        free(*slot);
        *slot = mem_copy(text);
    }
}

static void count_step(struct plain *plain, struct plain_step *step)
{
    if (!step->counted)
        plain->total++;
    step->counted = true;
}

/* A record of the graph: what waits counts; what turns out to be fresh after all does not. */
static void on_step(struct plain *plain, const struct event *event)
{
    bool fresh = event->state && strcmp(event->state, "fresh") == 0;
    struct plain_step *step = step_of(plain, event->step);
    keep(&step->target, event->target);
    keep(&step->rule, event->rule);
    if (fresh && step->counted)
        plain->total--;
    if (fresh)
        step->counted = false;
    else if (event->state)
        count_step(plain, step);
}

/* Prints a stretch of a log; `state` carries over where a sequence is cut by a chunk's end. Returns
 * the last byte printed, or '\n' for none. */
static char print_range(struct plain *plain, const struct range *range, struct sanitize *state)
{
    struct str in = {0}, out = {0};
    bool raw = plain->options.raw;
    char last = '\n';
    for (uint64_t at = 0; at < range->length; at += CHUNK_BYTES) {
        uint64_t left = range->length - at;
        str_cut(&in, 0);
        str_cut(&out, 0);
        plain->io.read(plain->io.data, range->path, range->offset + at,
                       left < CHUNK_BYTES ? left : CHUNK_BYTES, &in);
        if (!in.len)
            break;
        if (!raw)
            sanitize_text(state, in.at, in.len, &out);
        struct str *text = raw ? &in : &out;
        if (text->len) {
            plain->io.write(plain->io.data, raw && range->err ? PLAIN_ERR : PLAIN_OUT, text->at,
                            text->len);
            last = text->at[text->len - 1];
        }
    }
    str_free(&in);
    str_free(&out);
    return last;
}

/* Prints everything that a step said. */
static void print_output(struct plain *plain, const struct plain_step *step)
{
    struct sanitize state = {.colors = plain->options.color};
    char last = '\n';
    for (size_t i = 0; i < step->ranges.len; i++)
        last = print_range(plain, &step->ranges.at[i], &state);
    if (plain->options.raw)
        return;
    if (last != '\n' || state.colored) {
        if (state.colored)
            str_add(&plain->line, "\033[0m");
        put_line(plain, PLAIN_OUT);
    }
}

static void on_output(struct plain *plain, const struct event *event)
{
    bool err = event->stream && strcmp(event->stream, "err") == 0;
    struct range range = {.path = mem_copy(event->path ? event->path : ""),
                          .offset = event->offset,
                          .length = event->length,
                          .err = err};
    if (event->step == EVENT_NONE) { /* make's own words belong to no step */
        struct sanitize state = {.colors = plain->options.color};
        print_range(plain, &range, &state);
        free(range.path);
        return;
    }
    struct plain_step *step = step_of(plain, event->step);
    /* As make prints it: what makes run inside of a step is not kept for its end. And what comes
     * after the end has nothing to wait for. */
    if (step->ended || (plain->options.raw && event->state)) {
        struct sanitize state = {.colors = plain->options.color};
        print_range(plain, &range, &state);
        free(range.path);
        return;
    }
    struct range *last = step->ranges.len ? &step->ranges.at[step->ranges.len - 1] : NULL;
    if (last && strcmp(last->path, range.path) == 0 && last->err == err &&
        last->offset + last->length == range.offset) {
        last->length += range.length;
        free(range.path);
    } else {
        vec_push(&step->ranges, range);
    }
}

static void on_diagnostic(struct plain *plain, const struct event *event)
{
    if (event->severity != SEVERITY_ERROR || event->step == EVENT_NONE)
        return;
    struct plain_step *step = step_of(plain, event->step);
    if (step->cause)
        return;
    if (event->path && event->line)
        step->cause =
            mem_format("%s:%u: %s", event->path, event->line, event->text ? event->text : "");
    else
        step->cause = mem_copy(event->text ? event->text : "");
}

static void add_rule(struct plain *plain, const struct plain_step *step)
{
    for (const char *c = step->rule; c && *c; c++)
        str_add_char(&plain->line, (char)toupper((unsigned char)*c));
    if (step->rule && *step->rule)
        str_add_char(&plain->line, ' ');
}

/* How a failed step ended, in words. */
static void add_failure(struct plain *plain, const struct event *event)
{
    if (event->signal)
        str_addf(&plain->line, "  killed by signal %d", event->signal);
    else
        str_addf(&plain->line, "  exit %d", event->exit);
}

static void print_end(struct plain *plain, const struct plain_step *step, const struct event *event)
{
    char took[24];
    bool failed = event->outcome == OUTCOME_FAILED;
    str_addf(&plain->line, "[%" PRIu64 "/%s%" PRIu64 "] ", plain->done,
             plain->complete ? "" : (plain->options.ascii ? ">=" : "≥"), plain->total);
    if (failed) {
        start_color(plain, "1;31");
        str_addf(&plain->line, "%s ", glyph_failed(plain));
    }
    add_rule(plain, step);
    str_add(&plain->line, step->target ? step->target : "?");
    if (failed) {
        add_failure(plain, event);
        end_color(plain);
    }
    if (event->wall_ns >= 100000000) {
        plain_duration(took, event->wall_ns);
        str_addf(&plain->line, "  %s", took);
    }
    if (event->outcome == OUTCOME_UNCHANGED)
        str_add(&plain->line, "  same bytes");
    else if (event->outcome == OUTCOME_RESTORED)
        str_add(&plain->line, "  restored");
    else if (event->outcome == OUTCOME_CANCELLED)
        str_add(&plain->line, "  cancelled");
    put_line(plain, PLAIN_OUT);
    if (plain->options.verbose && step->command) {
        str_addf(&plain->line, "  $ %s", step->command);
        put_line(plain, PLAIN_OUT);
    }
}

static void on_end(struct plain *plain, const struct event *event)
{
    struct plain_step *step = step_of(plain, event->step);
    keep(&step->target, event->target);
    count_step(plain, step);
    plain->done++;
    step->ended = true;
    bool failed = event->outcome == OUTCOME_FAILED;
    if (failed || !plain->options.quiet) {
        if (!plain->options.raw)
            print_end(plain, step, event);
        print_output(plain, step);
    }
    if (failed)
        vec_push(&plain->failed, event->step);
    else
        forget_ranges(step);
    free(step->command);
    step->command = NULL;
}

static void on_ready(struct plain *plain, const struct event *event)
{
    struct plain_step *step = step_of(plain, event->step);
    keep(&step->target, event->target);
    keep(&step->rule, event->rule);
    count_step(plain, step);
    if (!plain->options.dry_run || plain->options.raw)
        return;
    str_add(&plain->line, "would run ");
    add_rule(plain, step);
    str_add(&plain->line, step->target ? step->target : "?");
    if (event->reason)
        str_addf(&plain->line, "  (%s%s%s)", event->reason, event->path ? ": " : "",
                 event->path ? event->path : "");
    put_line(plain, PLAIN_OUT);
}

/* What is ours starts on a line of its own. */
static void end_console_line(struct plain *plain)
{
    if (plain->console_open)
        plain->io.write(plain->io.data, PLAIN_OUT, "\n", 1);
    plain->console_open = false;
}

static void on_message(struct plain *plain, const struct event *event)
{
    if (plain->options.raw && event->severity != SEVERITY_ERROR)
        return;
    end_console_line(plain);
    str_addf(&plain->line, "gantry: %s%s", event->severity == SEVERITY_WARNING ? "warning: " : "",
             event->text);
    put_line(plain, event->severity == SEVERITY_NOTE ? PLAIN_OUT : PLAIN_ERR);
}

/* An order that the makefiles lack, and that this build keeps; or does not. */
static void on_hold(struct plain *plain, const struct event *event)
{
    bool let_go = event->state && strcmp(event->state, "let-go") == 0;
    plain->held += !let_go;
    if (plain->options.raw)
        return;
    end_console_line(plain);
    str_addf(&plain->line, "gantry: %s %s: %s", let_go ? "let go" : "held", event->id, event->text);
    if (!let_go && event->witnesses > 1)
        str_addf(&plain->line, ", and %" PRIu64 " more", event->witnesses - 1);
    put_line(plain, PLAIN_OUT);
}

/* The tail of what a failed step said, indented. */
static void repeat_output(struct plain *plain, const struct plain_step *step)
{
    struct str in = {0}, text = {0};
    struct sanitize state = {.colors = false};
    for (size_t i = 0; i < step->ranges.len; i++) {
        const struct range *range = &step->ranges.at[i];
        uint64_t skip = range->length > REPEAT_BYTES ? range->length - REPEAT_BYTES : 0;
        str_cut(&in, 0);
        plain->io.read(plain->io.data, range->path, range->offset + skip, range->length - skip,
                       &in);
        sanitize_text(&state, str_text(&in), in.len, &text);
    }
    while (text.len && text.at[text.len - 1] == '\n')
        str_cut(&text, text.len - 1);
    const char *start = str_text(&text) + text.len;
    for (int lines = 0; start > str_text(&text); start--)
        if (start[-1] == '\n' && ++lines == REPEAT_LINES)
            break;
    while (*start) {
        size_t length = strcspn(start, "\n");
        str_add(&plain->line, "    ");
        str_add_n(&plain->line, start, length);
        put_line(plain, PLAIN_OUT);
        start += length + (start[length] == '\n');
    }
    str_free(&in);
    str_free(&text);
}

static bool same_cause(const struct plain_step *a, const struct plain_step *b)
{
    return a->cause && b->cause && strcmp(a->cause, b->cause) == 0;
}

/* Prints one cause with the steps that died of it; marks those as told. */
static void print_cause(struct plain *plain, size_t first, bool *told)
{
    const struct plain_step *step = &plain->steps.at[plain->failed.at[first]];
    size_t more = 0;
    for (size_t i = first + 1; i < plain->failed.len; i++) {
        if (same_cause(step, &plain->steps.at[plain->failed.at[i]])) {
            told[i] = true;
            more++;
        }
    }
    start_color(plain, "1;31");
    str_addf(&plain->line, "%s ", glyph_failed(plain));
    add_rule(plain, step);
    str_add(&plain->line, step->target ? step->target : "?");
    if (more)
        str_addf(&plain->line, " and %zu more", more);
    if (step->cause)
        str_addf(&plain->line, ": %s", step->cause);
    end_color(plain);
    put_line(plain, PLAIN_OUT);
    repeat_output(plain, step);
}

static void on_build_end(struct plain *plain, const struct event *event)
{
    char took[24];
    bool nothing = event->status == BUILD_OK && event->steps_run == 0;
    /* Input that is no good was told in one line; there is nothing to sum up. */
    bool refused = event->status == BUILD_FAILED && event->exit == 2 && event->steps_total == 0;
    if (plain->options.raw || !plain->begun || refused || (plain->options.quiet && nothing))
        return;
    bool *told = mem_zero(plain->failed.len + 1, sizeof *told);
    if (plain->failed.len)
        put_line(plain, PLAIN_OUT);
    for (size_t i = 0; i < plain->failed.len; i++)
        if (!told[i])
            print_cause(plain, i, told);
    free(told);
    plain_duration(took, event->wall_ns);
    if (plain->options.dry_run) {
        str_addf(&plain->line, "%" PRIu64 " to run of %" PRIu64, plain->total, event->steps_total);
    } else if (nothing) {
        str_addf(&plain->line, "nothing to do: %" PRIu64 " steps are up to date, %s",
                 event->steps_total, took);
    } else {
        start_color(plain, event->steps_failed ? "1;31" : "1");
        if (event->status != BUILD_OK)
            str_addf(&plain->line, "%s: ", build_status_name(event->status));
        str_addf(&plain->line,
                 "ran %" PRIu64 ", %" PRIu64 " rewrote the same bytes, %" PRIu64 " failed, %s",
                 event->steps_run, event->steps_unchanged, event->steps_failed, took);
        end_color(plain);
    }
    put_line(plain, PLAIN_OUT);
    struct str costs = {0};
    shell_costs_tell(&plain->shell, event->wall_ns, &costs);
    if (costs.len)
        plain->io.write(plain->io.data, PLAIN_OUT, costs.at, costs.len);
    str_free(&costs);
    if (event->findings) {
        str_addf(&plain->line, "%" PRIu64 " race%s", event->findings,
                 event->findings == 1 ? "" : "s");
        if (plain->held)
            str_addf(&plain->line, ", %u held", plain->held);
        str_add(&plain->line, ": gantry races");
        put_line(plain, PLAIN_OUT);
    }
}

static void on_console(struct plain *plain, const char *text)
{
    struct str out = {0};
    if (plain->console_through)
        str_add(&out, text);
    else
        sanitize_text(&plain->console, text, strlen(text), &out);
    if (out.len) {
        plain->io.write(plain->io.data, PLAIN_OUT, out.at, out.len);
        plain->console_open = out.at[out.len - 1] != '\n';
    }
    str_free(&out);
}

static void on_vm(struct plain *plain, const struct event *event)
{
    char took[24];
    if (event->kind == EVENT_VM_OUTPUT) {
        on_console(plain, event->text);
        return;
    }
    if (event->kind == EVENT_VM_BEGIN)
        plain->console = (struct sanitize){.colors = plain->options.color};
    end_console_line(plain);
    if (plain->options.raw)
        return;
    if (event->kind == EVENT_VM_BEGIN) {
        str_addf(&plain->line, "boot: %s%s", event->text ? event->text : "",
                 plain->console_through ? "  (^] ends it)" : "");
        if (plain->options.verbose && event->argv)
            str_addf(&plain->line, "\n  $ %s", event->argv);
    } else {
        plain_duration(took, event->wall_ns);
        str_addf(&plain->line, "boot ended: %s, %s", event->verdict ? event->verdict : "?", took);
    }
    put_line(plain, PLAIN_OUT);
}

void plain_console(struct plain *plain, bool through)
{
    plain->console_through = through;
}

void plain_event(struct plain *plain, const struct event *event)
{
    struct plain_step *step;
    switch (event->kind) {
    case EVENT_BUILD_BEGIN:
        plain->begun = true;
        break;
    case EVENT_GRAPH:
        plain->graph_steps = event->steps;
        plain->complete = event->complete;
        break;
    case EVENT_STEP:
        if (!event->forecast)
            on_step(plain, event);
        break;
    case EVENT_STEP_ADD:
        if (event->forecast)
            break;
        step = step_of(plain, event->step);
        keep(&step->target, event->target);
        keep(&step->rule, event->rule);
        if (plain->options.verbose && event->text)
            keep(&step->command, event->text);
        count_step(plain, step);
        break;
    case EVENT_STEP_READY:
        on_ready(plain, event);
        break;
    case EVENT_STEP_BEGIN:
        step = step_of(plain, event->step);
        keep(&step->target, event->target);
        if (plain->options.verbose)
            keep(&step->command, event->text);
        break;
    case EVENT_SHELL_CALL:
        shell_costs_add(&plain->shell, event);
        break;
    case EVENT_STEP_OUTPUT:
        on_output(plain, event);
        break;
    case EVENT_STEP_END:
        on_end(plain, event);
        break;
    case EVENT_DIAGNOSTIC:
        on_diagnostic(plain, event);
        break;
    case EVENT_MESSAGE:
        on_message(plain, event);
        break;
    case EVENT_VM_BEGIN:
    case EVENT_VM_OUTPUT:
    case EVENT_VM_END:
        on_vm(plain, event);
        break;
    case EVENT_BUILD_END:
        on_build_end(plain, event);
        break;
    case EVENT_HOLD:
        on_hold(plain, event);
        break;
    default:
        break;
    }
}

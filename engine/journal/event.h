/*
 * Events: what the engine tells, once, to everyone (console, plain, json, journal). DESIGN.md 9a.
 *
 * One flat struct serves all kinds; the table in event.c says which fields a kind has and under
 * which JSON name, and copying, freeing, writing and reading are driven by it. An event is
 * immutable once sent and owned by whoever popped it. Field names are fixed once released.
 */
#ifndef GANTRY_JOURNAL_EVENT_H
#define GANTRY_JOURNAL_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/queue.h"
#include "base/str.h"

#define EVENT_NONE UINT32_MAX /* no step, no lane */

enum event_kind {
    EVENT_BUILD_BEGIN, /* tree head dirty loader arch mode image lanes argv selection */
    EVENT_GRAPH, /* steps files edges complete */
    EVENT_STEP, /* step target rule path(source dir) needs[] forecast state(fresh|waiting): one
                 graph record; sent again as fresh where a waiting one need not run after all */
    EVENT_STEP_ADD, /* step target rule forecast; told again when a later line of a recipe says more
                     of it, with text(that line) */
    EVENT_STEP_READY, /* step target rule why{reason path was now} */
    EVENT_STEP_BEGIN, /* step target lane host expect_ns text(command) */
    EVENT_STEP_OUTPUT, /* step stream path(log file) offset length: read the text from the log;
                        state "recursive": of a step in which a make runs, whose own steps speak */
    EVENT_STEP_PROGRESS, /* step bytes total: of what it writes, where that is known */
    EVENT_STEP_END, /* step target outcome exit signal wall_ns cpu_ns rss_kib accesses traced */
    EVENT_SHELL_CALL, /* make(its directory) path(makefile) line command wall_ns repeated */
    EVENT_FINDING, /* id class severity path first first_target second second_target witnesses
                    verdict text(a sentence) evidence first_place first_access first_at_ns
                    second_place ...: a race, or what was found out about one */
    EVENT_HOLD, /* id first_target second_target witnesses(edges) state(held|released|let-go) text: an
                 order that the makefiles lack and that the build keeps all the same, by finding */
    EVENT_LANE, /* lane state(idle|running) step host cpu_ns(so far) rss_kib idle_why */
    EVENT_COMPOSE, /* part bytes hash */
    EVENT_VM_BEGIN, /* argv text(boot arguments) */
    EVENT_VM_OUTPUT, /* text */
    EVENT_VM_END, /* verdict wall_ns exit */
    EVENT_PATH, /* file path: the number by which touched events name it. In journals alone */
    EVENT_TOUCHED, /* step needs[]: threes of file, enum touch_kind, and milliseconds since build-begin
                    of the first time. In journals alone */
    EVENT_DIAGNOSTIC, /* step path line column severity text: a compiler's message, parsed */
    EVENT_MESSAGE, /* severity text: a sentence of Gantry's own (error, warning, note) */
    EVENT_BUILD_END, /* status exit steps_total steps_run steps_unchanged steps_failed findings ... */
    EVENT_KINDS
};

enum outcome {
    OUTCOME_RAN, /* ran, and its outputs differ */
    OUTCOME_UNCHANGED, /* ran, and rewrote the same bytes */
    OUTCOME_RESTORED, /* not run: a recorded result was put in place */
    OUTCOME_FAILED,
    OUTCOME_CANCELLED,
    OUTCOMES
};

enum build_status { BUILD_OK, BUILD_FAILED, BUILD_CANCELLED, BUILD_STATUSES };

/* How a step touched a path, all that were seen; what only looked whether a file is there, and it
 * was, is not told. */
enum touch_kind {
    TOUCH_READ = 1, /* its content, its link, its entries */
    TOUCH_WRITE = 2, /* it came to be, or was changed */
    TOUCH_ABSENT = 4, /* when first touched it was not there */
    TOUCH_REMOVE = 8,
};

enum severity { SEVERITY_NOTE, SEVERITY_WARNING, SEVERITY_ERROR, SEVERITIES };

/* Fields that a kind does not have are 0 or NULL. Ids are unique in the run. */
struct event {
    enum event_kind kind;
    uint64_t t_ns; /* since build-begin, monotonic; set by event_send */

    uint32_t step, lane;
    const char *target; /* as the tree names it */
    const char *rule; /* cc, cxx, as, link, bootfs, ...; for make trees guessed from the command */
    const char *path; /* a file: source, log, place of a diagnostic */
    const char *text; /* command, sentence, console text */
    const char *reason; /* why ready: "new", "command", "environment", "input", "output", "header",
                           "forced", "make" */
    const char *was, *now;
    const char *host; /* the launcher before its compiler (ccache, distcc@MACHINE); or NULL */
    const uint32_t *needs; /* step ids of prerequisites; of touched: see there */
    uint32_t needs_count;
    bool forecast, complete, traced, repeated;

    const char *stream; /* "out" or "err" */
    uint64_t offset, length; /* of the log, bytes */
    enum outcome outcome;
    int exit, signal;
    uint64_t expect_ns, wall_ns, cpu_ns, rss_kib, accesses;

    const char *tree, *head, *loader, *arch, *mode, *image, *argv, *selection;
    uint32_t dirty, lanes;
    uint64_t steps, files, edges;

    const char *id, *class, *first_target, *second_target;
    uint32_t first, second; /* steps of a finding */
    const char *first_place, *second_place; /* of their recipes: "Makefile:12"; or NULL */
    const char *first_access, *second_access; /* what each did with the path: "created"; or NULL */
    uint64_t first_at_ns, second_at_ns; /* and when, in the build */
    const char *evidence; /* what experiments showed, several lines; or NULL */
    uint64_t witnesses;

    const char *make, *command, *state, *idle_why, *part, *verdict, *hash;
    uint32_t line, column, file;
    uint64_t bytes, total;
    enum severity severity;

    enum build_status status;
    uint64_t steps_total, steps_run, steps_unchanged, steps_failed, findings;
};

/* A copy of the template with its strings and arrays, in one allocation; free() frees it. */
struct event *event_copy(const struct event *event);

/* Stamps a copy with the time since `start_ns` (clock_ns of build-begin) and pushes it. Any thread. */
void event_send(struct queue *queue, uint64_t start_ns, const struct event *event);

/* The event's name ("step-begin"); and back, EVENT_KINDS where it is none. */
const char *event_name(enum event_kind kind);
enum event_kind event_kind_of(const char *name);
const char *outcome_name(enum outcome outcome);
const char *severity_name(enum severity severity);
const char *build_status_name(enum build_status status);

/* Appends one JSON object, without newline. `text_of_output`, where not NULL, is written as the
 * `text` of a step-output (the event itself only says where in the log it stands). */
void event_to_json(const struct event *event, const char *text_of_output, struct str *out);
/* Reads one JSON object (unknown fields are passed over). NULL and err where it is none of ours;
 * free() frees it. */
struct event *event_from_json(const char *json, size_t length, struct err *err);

#endif

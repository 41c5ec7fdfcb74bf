#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "journal/event_fields.h"

#define K(kind) (1u << EVENT_##kind)
#define NAMED(name, member, type, kinds)                                                           \
    {                                                                                              \
        name, sizeof name - 1, FIELD_##type, offsetof(struct event, member), kinds                 \
    }
#define F(member, type, kinds) NAMED(#member, member, type, kinds)

const struct field event_fields[] = {
    F(tree, TEXT, K(BUILD_BEGIN)),
    F(head, TEXT, K(BUILD_BEGIN)),
    F(dirty, U32, K(BUILD_BEGIN)),
    F(loader, TEXT, K(BUILD_BEGIN)),
    F(arch, TEXT, K(BUILD_BEGIN)),
    F(mode, TEXT, K(BUILD_BEGIN)),
    F(image, TEXT, K(BUILD_BEGIN)),
    F(selection, TEXT, K(BUILD_BEGIN)),
    F(lanes, U32, K(BUILD_BEGIN)),
    F(argv, TEXT, K(BUILD_BEGIN) | K(VM_BEGIN)),
    F(steps, U64, K(GRAPH)),
    F(files, U64, K(GRAPH)),
    F(edges, U64, K(GRAPH)),
    F(complete, BOOL, K(GRAPH)),
    F(id, TEXT, K(FINDING) | K(HOLD)),
    F(class, TEXT, K(FINDING)),
    F(first, U32, K(FINDING)),
    F(first_target, TEXT, K(FINDING) | K(HOLD)),
    F(second, U32, K(FINDING)),
    F(second_target, TEXT, K(FINDING) | K(HOLD)),
    F(first_place, TEXT, K(FINDING)),
    F(first_access, TEXT, K(FINDING)),
    F(first_at_ns, U64, K(FINDING)),
    F(second_place, TEXT, K(FINDING)),
    F(second_access, TEXT, K(FINDING)),
    F(second_at_ns, U64, K(FINDING)),
    F(evidence, TEXT, K(FINDING)),
    F(witnesses, U64, K(FINDING) | K(HOLD)),
    F(step, U32,
      K(STEP) | K(STEP_ADD) | K(STEP_READY) | K(STEP_BEGIN) | K(STEP_OUTPUT) | K(STEP_PROGRESS) |
          K(STEP_END) | K(LANE) | K(DIAGNOSTIC) | K(TOUCHED)),
    F(file, U32, K(PATH)),
    F(target, TEXT, K(STEP) | K(STEP_ADD) | K(STEP_READY) | K(STEP_BEGIN) | K(STEP_END)),
    F(rule, TEXT, K(STEP) | K(STEP_ADD) | K(STEP_READY)),
    F(forecast, BOOL, K(STEP) | K(STEP_ADD)),
    F(needs, IDS, K(STEP)),
    NAMED("touched", needs, IDS, K(TOUCHED)),
    F(reason, TEXT, K(STEP_READY)),
    F(was, TEXT, K(STEP_READY)),
    F(now, TEXT, K(STEP_READY)),
    F(lane, U32, K(STEP_BEGIN) | K(LANE)),
    F(host, TEXT, K(STEP_BEGIN) | K(LANE)),
    F(expect_ns, U64, K(STEP_ADD) | K(STEP_BEGIN)),
    F(stream, TEXT, K(STEP_OUTPUT)),
    F(path, TEXT,
      K(STEP) | K(STEP_READY) | K(STEP_OUTPUT) | K(SHELL_CALL) | K(DIAGNOSTIC) | K(FINDING) |
          K(PATH)),
    F(offset, U64, K(STEP_OUTPUT)),
    F(length, U64, K(STEP_OUTPUT)),
    F(outcome, OUTCOME, K(STEP_END)),
    F(make, TEXT, K(SHELL_CALL)),
    F(line, U32, K(SHELL_CALL) | K(DIAGNOSTIC)),
    F(column, U32, K(DIAGNOSTIC)),
    F(command, TEXT, K(SHELL_CALL)),
    F(severity, SEVERITY, K(DIAGNOSTIC) | K(MESSAGE) | K(FINDING)),
    F(state, TEXT, K(LANE) | K(STEP) | K(STEP_OUTPUT) | K(HOLD)),
    F(idle_why, TEXT, K(LANE)),
    F(part, TEXT, K(COMPOSE)),
    F(bytes, U64, K(COMPOSE) | K(STEP_PROGRESS)),
    F(total, U64, K(STEP_PROGRESS)),
    F(hash, TEXT, K(COMPOSE)),
    F(verdict, TEXT, K(VM_END) | K(FINDING)),
    F(text, TEXT,
      K(STEP_ADD) | K(STEP_BEGIN) | K(VM_BEGIN) | K(VM_OUTPUT) | K(DIAGNOSTIC) | K(MESSAGE) |
          K(FINDING) | K(HOLD)),
    F(status, STATUS, K(BUILD_END)),
    F(exit, INT, K(STEP_END) | K(VM_END) | K(BUILD_END)),
    F(signal, INT, K(STEP_END)),
    F(wall_ns, U64, K(STEP_END) | K(SHELL_CALL) | K(VM_END) | K(BUILD_END)),
    F(cpu_ns, U64, K(STEP_END) | K(LANE) | K(BUILD_END)),
    F(rss_kib, U64, K(STEP_END) | K(LANE)),
    F(accesses, U64, K(STEP_END)),
    F(traced, BOOL, K(STEP_END)),
    F(repeated, BOOL, K(SHELL_CALL)),
    F(steps_total, U64, K(BUILD_END)),
    F(steps_run, U64, K(BUILD_END)),
    F(steps_unchanged, U64, K(BUILD_END)),
    F(steps_failed, U64, K(BUILD_END)),
    F(findings, U64, K(BUILD_END)),
};
#undef F
#undef NAMED
#undef K

enum { FIELDS = sizeof event_fields / sizeof *event_fields, JOURNAL_VERSION = 1 };
const unsigned event_fields_count = FIELDS;

static const char *const kind_names[EVENT_KINDS] = {
    "build-begin", "graph",         "step",     "step-add",   "step-ready", "step-begin",
    "step-output", "step-progress", "step-end", "shell-call", "finding",    "hold",
    "lane",        "compose",       "vm-begin", "vm-output",  "vm-end",     "path",
    "touched",     "diagnostic",    "message",  "build-end",
};
static const char *const outcome_names[OUTCOMES] = {"ran", "unchanged", "restored", "failed",
                                                    "cancelled"};
static const char *const status_names[BUILD_STATUSES] = {"ok", "failed", "cancelled"};
static const char *const severity_names[SEVERITIES] = {"note", "warning", "error"};

const char *event_name(enum event_kind kind)
{
    return kind_names[kind];
}

/* The index of a name, or count where it is none of them. */
static unsigned index_of(const char *name, const char *const *names, unsigned count)
{
    unsigned i = 0;
    while (i < count && strcmp(names[i], name) != 0)
        i++;
    return i;
}

enum event_kind event_kind_of(const char *name)
{
    return (enum event_kind)index_of(name, kind_names, EVENT_KINDS);
}

const char *outcome_name(enum outcome outcome)
{
    return outcome_names[outcome];
}

const char *severity_name(enum severity severity)
{
    return severity_names[severity];
}

const char *build_status_name(enum build_status status)
{
    return status_names[status];
}

enum outcome event_outcome_of(const char *name)
{
    unsigned number = index_of(name, outcome_names, OUTCOMES);
    return number < OUTCOMES ? (enum outcome)number : OUTCOME_FAILED;
}

enum build_status event_status_of(const char *name)
{
    unsigned number = index_of(name, status_names, BUILD_STATUSES);
    return number < BUILD_STATUSES ? (enum build_status)number : BUILD_FAILED;
}

enum severity event_severity_of(const char *name)
{
    unsigned number = index_of(name, severity_names, SEVERITIES);
    return number < SEVERITIES ? (enum severity)number : SEVERITY_ERROR;
}

static bool has_field(const struct event *event, const struct field *field)
{
    return field_of(field, event->kind);
}

struct event *event_copy(const struct event *event)
{
    size_t ids_bytes = event->needs_count * sizeof *event->needs;
    size_t size = sizeof *event + ids_bytes;
    for (size_t i = 0; i < FIELDS; i++) {
        const char *text;
        memcpy(&text, (const char *)event + event_fields[i].offset, sizeof text);
        if (event_fields[i].type == FIELD_TEXT && has_field(event, &event_fields[i]) && text)
            size += strlen(text) + 1;
    }
    struct event *copy = mem_alloc(size);
    *copy = *event;
    char *at = (char *)(copy + 1);
    if (ids_bytes)
        memcpy(at, event->needs, ids_bytes);
    copy->needs = ids_bytes ? (uint32_t *)(void *)at : NULL;
    at += ids_bytes;
    for (size_t i = 0; i < FIELDS; i++) {
        if (event_fields[i].type != FIELD_TEXT)
            continue;
        char *slot = (char *)copy + event_fields[i].offset;
        const char *text = NULL;
        if (has_field(event, &event_fields[i]))
            memcpy(&text, slot, sizeof text);
        if (text) {
            size_t length = strlen(text) + 1;
            memcpy(at, text, length);
            text = at;
            at += length;
        }
        memcpy(slot, &text, sizeof text);
    }
    return copy;
}

void event_send(struct queue *queue, uint64_t start_ns, const struct event *event)
{
    struct event *copy = event_copy(event);
    copy->t_ns = clock_ns() - start_ns;
    queue_push(queue, copy);
}

static void field_to_json(const struct event *event, const struct field *field, struct str *out)
{
    const void *slot = (const char *)event + field->offset;
    const char *text;
    unsigned number;
    memcpy(&number, slot, sizeof number);
    switch (field->type) {
    case FIELD_TEXT:
        memcpy(&text, slot, sizeof text);
        if (text)
            json_put_text(out, field->name, text);
        break;
    case FIELD_U32:
        if (number != EVENT_NONE)
            json_put_uint(out, field->name, number);
        break;
    case FIELD_U64:
        json_put_uint(out, field->name, *(const uint64_t *)slot);
        break;
    case FIELD_INT:
        json_put_int(out, field->name, *(const int *)slot);
        break;
    case FIELD_BOOL:
        json_put_bool(out, field->name, *(const bool *)slot);
        break;
    case FIELD_IDS:
        json_put_uints(out, field->name, event->needs, event->needs_count);
        break;
    case FIELD_OUTCOME:
        json_put_text(out, field->name, outcome_names[number]);
        break;
    case FIELD_STATUS:
        json_put_text(out, field->name, status_names[number]);
        break;
    case FIELD_SEVERITY:
        json_put_text(out, field->name, severity_names[number]);
        break;
    }
}

void event_to_json(const struct event *event, const char *text_of_output, struct str *out)
{
    json_put_object(out, NULL);
    json_put_text(out, "event", kind_names[event->kind]);
    if (event->kind == EVENT_BUILD_BEGIN)
        json_put_uint(out, "v", JOURNAL_VERSION);
    json_put_uint(out, "t_ns", event->t_ns);
    for (size_t i = 0; i < FIELDS; i++) {
        /* `why` is one object of three fields that follow each other in the table. */
        bool why = event->kind == EVENT_STEP_READY &&
                   event_fields[i].offset == offsetof(struct event, reason);
        if (why) {
            json_put_object(out, "why");
            json_put_text(out, "reason", event->reason);
            json_put_text(out, "path", event->path);
            json_put_text(out, "was", event->was);
            json_put_text(out, "now", event->now);
            json_put_object_end(out);
            break;
        }
        if (has_field(event, &event_fields[i]))
            field_to_json(event, &event_fields[i], out);
    }
    if (event->kind == EVENT_STEP_OUTPUT && text_of_output)
        json_put_text(out, "text", text_of_output);
    json_put_object_end(out);
}

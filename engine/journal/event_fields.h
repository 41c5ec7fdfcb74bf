/* Which fields an event has, under which name, in lines of JSON. Private to journal/event*.c. */
#ifndef GANTRY_JOURNAL_EVENT_FIELDS_H
#define GANTRY_JOURNAL_EVENT_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "journal/event.h"

enum field_type {
    FIELD_TEXT,
    FIELD_U32,
    FIELD_U64,
    FIELD_INT,
    FIELD_BOOL,
    FIELD_IDS,
    FIELD_OUTCOME,
    FIELD_STATUS,
    FIELD_SEVERITY
};

struct field {
    const char *name;
    size_t name_length;
    enum field_type type;
    size_t offset;
    uint32_t kinds; /* bit per event kind that has it */
};

/* In the order in which they are written. */
extern const struct field event_fields[];
extern const unsigned event_fields_count;

static inline bool field_of(const struct field *field, enum event_kind kind)
{
    return field->kinds >> kind & 1;
}

/* The value of a name: what is none of them is the worst. */
enum outcome event_outcome_of(const char *name);
enum build_status event_status_of(const char *name);
enum severity event_severity_of(const char *name);

#endif

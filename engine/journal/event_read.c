/*
 * Reading an event: one JSON object (RFC 8259) in one pass, into one allocation. A journal of 100,000
 * steps has 600,000 of them, so no tree of values is made: what is read goes where it belongs.
 *
 * Strings and numbers of ids never take more room than their JSON, so the allocation is sized by the
 * line: the event, then ids, then texts. Fields come in the order in which they were written, so each
 * is looked for behind the one before.
 */
#include <endian.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "base/mem.h"
#include "journal/event_fields.h"

enum { NESTED_MAX = 64 };

struct reader {
    const char *at, *end;
    const char *wrong; /* what is no JSON; NULL so far */
};

/* A string as it stands between its quotes. */
struct span {
    const char *at;
    size_t length;
    bool escaped; /* has a backslash */
};

static bool fail(struct reader *reader, const char *what)
{
    if (!reader->wrong)
        reader->wrong = what;
    return false;
}

static void blanks(struct reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\t' ||
                                        *reader->at == '\n' || *reader->at == '\r'))
        reader->at++;
}

/* The next byte that counts, or NUL at the end. */
static char peek(struct reader *reader)
{
    blanks(reader);
    return reader->at < reader->end ? *reader->at : '\0';
}

static bool take(struct reader *reader, char c)
{
    if (peek(reader) != c)
        return false;
    reader->at++;
    return true;
}

/* ---- strings ---- */

static int hex(const char *at, const char *end)
{
    int value = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

/* The code point of "\uXXXX" (or a pair of them) at `at`, just behind the u; -1: none. NUL is none,
 * since texts are C strings. */
static int32_t escape_point(const char **at, const char *end)
{
    int32_t point = hex(*at, end);
    if (point <= 0 || (point >= 0xDC00 && point <= 0xDFFF))
        return -1;
    *at += 4;
    if (point < 0xD800 || point > 0xDBFF)
        return point;
    if (end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
        return -1;
    int32_t low = hex(*at + 2, end);
    if (low < 0xDC00 || low > 0xDFFF)
        return -1;
    *at += 6;
    return 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
}

static bool take_escape(struct reader *reader)
{
    char c = reader->at < reader->end ? *reader->at++ : '\0';
    if (c == 'u')
        return escape_point(&reader->at, reader->end) >= 0 || fail(reader, "a wrong \\u");
    return (c && strchr("\"\\/bfnrt", c)) || fail(reader, "a wrong escape");
}

/* How many of eight bytes are plain, up to the first quote, backslash, control or high byte. A byte of
 * 0 from which one is taken, or a control from which a blank is, has its top bit set then; what that
 * borrows from are bytes behind it only. */
static unsigned plain_bytes(const char *at)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    uint64_t bytes;
    memcpy(&bytes, at, sizeof bytes);
    bytes = le64toh(bytes);
    uint64_t quotes = bytes ^ ones * '"', slashes = bytes ^ ones * '\\';
    uint64_t special = bytes | (bytes - ones * 0x20) | (quotes - ones) | (slashes - ones);
    special &= tops;
    return special ? (unsigned)__builtin_ctzll(special) / 8 : 8;
}

static bool take_string(struct reader *reader, struct span *span)
{
    if (!take(reader, '"'))
        return fail(reader, "no string");
    *span = (struct span){.at = reader->at};
    while (reader->at < reader->end) {
        if (reader->end - reader->at >= 8) {
            unsigned plain = plain_bytes(reader->at);
            reader->at += plain;
            if (plain == 8)
                continue;
        }
        unsigned char c = (unsigned char)*reader->at;
        if (c == '"') {
            span->length = (size_t)(reader->at++ - span->at);
            return true;
        }
        if (c < 0x20)
            return fail(reader, "a control character in a string");
        reader->at++;
        if (c == '\\') {
            span->escaped = true;
            if (!take_escape(reader))
                return false;
        } else if (c >= 0x80) {
            utf8proc_int32_t point;
            utf8proc_ssize_t used = utf8proc_iterate((const utf8proc_uint8_t *)reader->at - 1,
                                                     reader->end - reader->at + 1, &point);
            if (used <= 0)
                return fail(reader, "no UTF-8");
            reader->at += used - 1;
        }
    }
    return fail(reader, "a string without end");
}

/* Writes a string as it is meant, NUL-ended; returns what follows it. */
static char *decode(const struct span *span, char *to)
{
    static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
    const char *at = span->at, *end = at + span->length;
    if (!span->escaped) {
        memcpy(to, at, span->length);
        to[span->length] = '\0';
        return to + span->length + 1;
    }
    while (at < end) {
        if (*at != '\\') {
            *to++ = *at++;
            continue;
        }
        char c = at[1];
        const char *letter = strchr(letters, c);
        at += 2;
        if (c == 'u')
            to += utf8proc_encode_char(escape_point(&at, end), (utf8proc_uint8_t *)to);
        else
            *to++ = letter ? meant[letter - letters] : c;
    }
    *to = '\0';
    return to + 1;
}

static bool is(const struct span *span, const char *name, size_t length)
{
    return !span->escaped && span->length == length && memcmp(span->at, name, length) == 0;
}

/* ---- other values ---- */

static bool take_word(struct reader *reader, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0)
        return fail(reader, "no value");
    reader->at += length;
    return true;
}

static void digits(struct reader *reader)
{
    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
        reader->at++;
}

/* A number; what has a fraction or an exponent says nothing here: 0. */
static bool take_number(struct reader *reader, int64_t *value)
{
    bool minus = take(reader, '-'), whole = true;
    const char *first = reader->at;
    digits(reader);
    const char *last = reader->at;
    if (first == last || (*first == '0' && last - first > 1))
        return fail(reader, "no number");
    if (reader->at < reader->end && *reader->at == '.') {
        const char *fraction = ++reader->at;
        digits(reader);
        whole = false;
        if (reader->at == fraction)
            return fail(reader, "no number");
    }
    if (reader->at < reader->end && (*reader->at == 'e' || *reader->at == 'E')) {
        reader->at++;
        if (reader->at < reader->end && (*reader->at == '+' || *reader->at == '-'))
            reader->at++;
        const char *exponent = reader->at;
        digits(reader);
        whole = false;
        if (reader->at == exponent)
            return fail(reader, "no number");
    }
    int64_t sum = 0;
    for (; whole && first < last; first++) {
        if (sum > (INT64_MAX - 9) / 10)
            return fail(reader, "a number that is too large");
        sum = sum * 10 + (*first - '0');
    }
    *value = whole ? (minus ? -sum : sum) : 0;
    return true;
}

static bool skip_value(struct reader *reader, int depth);

/* Objects and arrays that are none of ours. */
static bool skip_nested(struct reader *reader, int depth)
{
    char open = *reader->at++, close = open == '{' ? '}' : ']';
    if (depth >= NESTED_MAX)
        return fail(reader, "too deep");
    if (take(reader, close))
        return true;
    do {
        struct span key;
        if (open == '{' && (!take_string(reader, &key) ||
                            !(take(reader, ':') || fail(reader, "no ':' behind a name"))))
            return false;
        if (!skip_value(reader, depth + 1))
            return false;
    } while (take(reader, ','));
    return take(reader, close) || fail(reader, "no end of an object");
}

static bool skip_value(struct reader *reader, int depth)
{
    struct span text;
    int64_t number;
    switch (peek(reader)) {
    case '"':
        return take_string(reader, &text);
    case '{':
    case '[':
        return skip_nested(reader, depth);
    case 't':
        return take_word(reader, "true");
    case 'f':
        return take_word(reader, "false");
    case 'n':
        return take_word(reader, "null");
    default:
        return take_number(reader, &number);
    }
}

/* ---- the event ---- */

struct filling {
    struct reader reader;
    struct event *event;
    uint32_t *ids; /* the next free */
    char *text; /* the next free */
    unsigned next; /* the field to look for first */
};

static bool take_ids(struct filling *filling)
{
    struct reader *reader = &filling->reader;
    struct event *event = filling->event;
    if (peek(reader) != '[')
        return skip_value(reader, 1);
    reader->at++;
    uint32_t *first = filling->ids;
    if (!take(reader, ']')) {
        do {
            int64_t number = 0;
            char c = peek(reader);
            bool is_number = c == '-' || (c >= '0' && c <= '9');
            if (!(is_number ? take_number(reader, &number) : skip_value(reader, 1)))
                return false;
            *filling->ids++ = (uint32_t)number;
        } while (take(reader, ','));
        if (!take(reader, ']'))
            return fail(reader, "no end of an array");
    }
    event->needs_count = (uint32_t)(filling->ids - first);
    event->needs = event->needs_count ? first : NULL;
    return true;
}

static void put_number(struct event *event, const struct field *field, int64_t number)
{
    void *slot = (char *)event + field->offset;
    unsigned narrow = (unsigned)number;
    uint64_t wide = number > 0 ? (uint64_t)number : 0; /* negative: damage, which says nothing */
    if (field->type == FIELD_U64)
        memcpy(slot, &wide, sizeof wide);
    else if (field->type == FIELD_U32 || field->type == FIELD_INT)
        memcpy(slot, &narrow, sizeof narrow);
}

static void put_text(struct filling *filling, const struct field *field, const struct span *span)
{
    struct event *event = filling->event;
    const char *text = filling->text;
    filling->text = decode(span, filling->text);
    if (field->type == FIELD_TEXT)
        memcpy((char *)event + field->offset, &text, sizeof text);
    else if (field->type == FIELD_OUTCOME)
        event->outcome = event_outcome_of(text);
    else if (field->type == FIELD_STATUS)
        event->status = event_status_of(text);
    else if (field->type == FIELD_SEVERITY)
        event->severity = event_severity_of(text);
}

/* One value of a field; of another type than the field's it is left out, as an unknown field is. */
static bool take_field(struct filling *filling, const struct field *field)
{
    struct reader *reader = &filling->reader;
    struct span span;
    int64_t number;
    char c = peek(reader);
    if (field->type == FIELD_IDS)
        return take_ids(filling);
    if (c == '"') {
        if (!take_string(reader, &span))
            return false;
        put_text(filling, field, &span);
        return true;
    }
    if (c == '-' || (c >= '0' && c <= '9')) {
        if (!take_number(reader, &number))
            return false;
        put_number(filling->event, field, number);
        return true;
    }
    if (field->type == FIELD_BOOL)
        *((bool *)((char *)filling->event + field->offset)) = c == 't';
    return skip_value(reader, 1);
}

/* Each kind's fields, in the order of the table; made once. */
static struct kind_fields {
    const struct field *at[64];
    unsigned count;
} fields_of_kind[EVENT_KINDS + 1];
static pthread_once_t fields_made = PTHREAD_ONCE_INIT;

static void make_fields(void)
{
    for (unsigned kind = 0; kind < EVENT_KINDS; kind++)
        for (unsigned i = 0; i < event_fields_count; i++)
            if (field_of(&event_fields[i], (enum event_kind)kind) &&
                fields_of_kind[kind].count < 64)
                fields_of_kind[kind].at[fields_of_kind[kind].count++] = &event_fields[i];
}

/* The field of a name that the event's kind has, or NULL. */
static const struct field *find_field(struct filling *filling, const struct span *name)
{
    const struct kind_fields *fields = &fields_of_kind[filling->event->kind];
    for (unsigned i = 0; i < fields->count; i++) {
        unsigned at = filling->next + i;
        if (at >= fields->count)
            at -= fields->count;
        if (!is(name, fields->at[at]->name, fields->at[at]->name_length))
            continue;
        filling->next = at + 1 < fields->count ? at + 1 : 0;
        return fields->at[at];
    }
    return NULL;
}

/* The members of an object up to its end; `why` holds fields of the event as the top does. */
static bool take_members(struct filling *filling, bool top)
{
    struct reader *reader = &filling->reader;
    if (!take(reader, '{'))
        return fail(reader, "no object");
    if (take(reader, '}'))
        return true;
    do {
        struct span name;
        int64_t t_ns;
        if (!take_string(reader, &name) || !(take(reader, ':') || fail(reader, "no ':'")))
            return false;
        char c = peek(reader);
        const struct field *field = NULL;
        bool good;
        if (top && is(&name, "t_ns", 4) && (c == '-' || (c >= '0' && c <= '9'))) {
            good = take_number(reader, &t_ns);
            filling->event->t_ns = good && t_ns > 0 ? (uint64_t)t_ns : 0;
        } else if (top && is(&name, "event", 5)) {
            good = skip_value(reader, 1); /* find_kind has read it */
        } else if (top && is(&name, "why", 3) && c == '{') {
            good = take_members(filling, false);
        } else if ((field = find_field(filling, &name))) {
            good = take_field(filling, field);
        } else {
            good = skip_value(reader, 1);
        }
        if (!good)
            return false;
    } while (take(reader, ','));
    return take(reader, '}') || fail(reader, "no end of the object");
}

/* The value of "event", wherever it stands; its kind, or EVENT_KINDS. */
static enum event_kind find_kind(struct reader reader, char name[static 32])
{
    bool found = false;
    if (!take(&reader, '{'))
        return EVENT_KINDS;
    do {
        struct span key, value;
        if (!take_string(&reader, &key) || !take(&reader, ':'))
            return EVENT_KINDS;
        found = is(&key, "event", 5) && peek(&reader) == '"';
        if (!found && !skip_value(&reader, 1))
            return EVENT_KINDS;
        if (found && take_string(&reader, &value) && value.length < 32) {
            decode(&value, name);
            return event_kind_of(name);
        }
    } while (!found && take(&reader, ','));
    return EVENT_KINDS;
}

struct event *event_from_json(const char *json, size_t length, struct err *err)
{
    struct filling filling = {.reader = {json, json + length, NULL}};
    char name[32] = "";
    pthread_once(&fields_made, make_fields);
    enum event_kind kind = find_kind(filling.reader, name);
    /* An id takes two bytes of JSON at least, and four of ours; a decoded text less than its JSON. */
    size_t ids = kind == EVENT_STEP || kind == EVENT_TOUCHED ? length / 2 + 1 : 0;
    struct event *event = mem_alloc(sizeof *event + ids * sizeof *event->needs + length + 1);
    *event = (struct event){
        .kind = kind == EVENT_KINDS ? EVENT_MESSAGE : kind, .step = EVENT_NONE, .lane = EVENT_NONE};
    filling.event = event;
    filling.ids = (uint32_t *)(void *)(event + 1);
    filling.text = (char *)(filling.ids + ids);
    if (take_members(&filling, true) && peek(&filling.reader))
        fail(&filling.reader, "more behind the object");
    if (filling.reader.wrong)
        err_set(err, ERR_INPUT, "no JSON: %s", filling.reader.wrong);
    else if (kind == EVENT_KINDS)
        err_set(err, ERR_INPUT, "no event of ours: %s", *name ? name : "'event' is missing");
    if (!filling.reader.wrong && kind != EVENT_KINDS)
        return event;
    free(event);
    return NULL;
}

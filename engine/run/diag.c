#include "run/diag.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/re.h"
#include "base/str.h"

/* Which group of a pattern holds what; 0: none. */
struct form {
    const char *pattern;
    unsigned path, line, column, severity, text;
};

#define LD "(?:\\S*\\bld(?:\\.\\w+)?: )?"

/* Tried in order, line by line. */
static const struct form forms[] = {
    /* gcc, clang, javac, also behind ant's "[javac] " */
    {"^\\s*(?:\\[\\w+\\] )?([^\\s:][^:]*):(\\d+):(?:(\\d+):)? (fatal error|error|warning|note): "
     "(.+)$",
     1, 2, 3, 4, 5},
    /* ld with debug information, and without */
    {"^" LD "([^\\s:][^:]*):(\\d+): ((?:undefined reference|multiple definition).*)$", 1, 2, 0, 0,
     3},
    {"^" LD "([^\\s:][^:]*):\\([^)]*\\): ((?:undefined reference|multiple definition).*)$", 1, 0, 0,
     0, 2},
    {"^\\S*\\bld(?:\\.\\w+)?: (?:([^\\s:]+): )?(warning|error): (.+)$", 1, 0, 0, 2, 3},
    {"^\\S*\\bld(?:\\.\\w+)?: (?:([^\\s:]+):(\\d+): )?(?!.*: in function )(.+)$", 1, 2, 0, 0, 3},
    {"^(?:clang|gcc|g\\+\\+|cc1|cc1plus|as|\\S*-gcc(?:-\\d+)?|\\S*-g\\+\\+(?:-\\d+)?): "
     "(fatal error|error|warning): (.+)$",
     0, 0, 0, 1, 2},
    /* make: a failed recipe, and a broken makefile */
    {"^(?:\\S*/)?g?make(?:\\[\\d+\\])?: \\*\\*\\* (?:\\[([^:\\]]+):(\\d+): )?(.+?)(?:\\.  "
     "Stop\\.)?$",
     1, 2, 0, 0, 3},
    {"^([^\\s:][^:]*):(\\d+): \\*\\*\\* (.+?)(?:\\.  Stop\\.)?$", 1, 2, 0, 0, 3},
};

enum { FORMS = sizeof forms / sizeof *forms };

struct diag {
    struct re *re[FORMS];
    struct str line; /* without escape sequences */
    struct str path, text;
};

struct diag *diag_new(void)
{
    struct diag *diag = mem_zero(1, sizeof *diag);
    for (unsigned i = 0; i < FORMS; i++)
        diag->re[i] = re_compile(forms[i].pattern, RE_DEFAULT, NULL);
    return diag;
}

void diag_free(struct diag *diag)
{
    if (!diag)
        return;
    for (unsigned i = 0; i < FORMS; i++)
        re_free(diag->re[i]);
    str_free(&diag->line);
    str_free(&diag->path);
    str_free(&diag->text);
    free(diag);
}

/* A line without colours (CSI ... letter), carriage returns and what else is no text. */
static void plain_line(struct str *out, const char *at, const char *end)
{
    str_cut(out, 0);
    while (at < end) {
        if (*at == '\033' && at + 1 < end && at[1] == '[') {
            at += 2;
            while (at < end && !(*at >= '@' && *at <= '~'))
                at++;
            at += at < end;
        } else if ((unsigned char)*at < ' ' && *at != '\t') {
            at++;
        } else {
            str_add_char(out, *at++);
        }
    }
}

static const char *group_text(struct str *out, const struct str *line, const struct re_match *match,
                              unsigned group)
{
    str_cut(out, 0);
    if (!group || group >= match->count || match->start[group] == SIZE_MAX)
        return NULL;
    str_add_n(out, line->at + match->start[group], match->end[group] - match->start[group]);
    return str_text(out);
}

static uint32_t group_number(const struct str *line, const struct re_match *match, unsigned group)
{
    if (!group || group >= match->count || match->start[group] == SIZE_MAX)
        return 0;
    return (uint32_t)strtoul(line->at + match->start[group], NULL, 10);
}

static enum severity severity_of(const struct str *line, const struct re_match *match,
                                 unsigned group)
{
    if (!group || group >= match->count || match->start[group] == SIZE_MAX)
        return SEVERITY_ERROR;
    char first = line->at[match->start[group]];
    return first == 'n' ? SEVERITY_NOTE : first == 'w' ? SEVERITY_WARNING : SEVERITY_ERROR;
}

void diag_scan(struct diag *diag, uint32_t step, const char *text, size_t length,
               void (*found)(void *context, const struct event *event), void *context)
{
    enum { LINE_BYTES = 4096 };
    const char *end = text + length;
    for (const char *at = text; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop ? stop : end;
        /* Every form has a colon; most lines of long output have none. */
        if (stop - at < LINE_BYTES && memchr(at, ':', (size_t)(stop - at))) {
            plain_line(&diag->line, at, stop);
            struct re_match match;
            unsigned i = 0;
            while (i < FORMS &&
                   !re_find(diag->re[i], str_text(&diag->line), diag->line.len, 0, &match))
                i++;
            if (i < FORMS) {
                const struct form *form = &forms[i];
                struct event event = {.kind = EVENT_DIAGNOSTIC, .step = step};
                event.path = group_text(&diag->path, &diag->line, &match, form->path);
                event.line = group_number(&diag->line, &match, form->line);
                event.column = group_number(&diag->line, &match, form->column);
                event.severity = severity_of(&diag->line, &match, form->severity);
                event.text = group_text(&diag->text, &diag->line, &match, form->text);
                found(context, &event);
            }
        }
        at = stop + 1;
    }
}

#include "race/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "race/report.h"

static const char *const verdict_names[] = {"suspected", "proved", "harmless", "undecided"};
enum { VERDICTS = sizeof verdict_names / sizeof *verdict_names };

const char *race_verdict_name(enum race_verdict verdict)
{
    return verdict_names[verdict];
}

static void free_entry(struct ledger_entry *entry)
{
    if (!entry)
        return;
    free(entry->evidence);
    free(entry->script);
    free(entry);
}

void ledger_free(struct ledger *ledger)
{
    for (size_t i = 0; i < ledger->reasons.values.len; i++)
        free(ledger->reasons.values.at[i]);
    for (size_t i = 0; i < ledger->verdicts.values.len; i++)
        free_entry(ledger->verdicts.values.at[i]);
    holds_free(&ledger->holds);
    map_free(&ledger->reasons);
    map_free(&ledger->verdicts);
}

const char *ledger_reason(const struct ledger *ledger, const char *id)
{
    return map_get(&ledger->reasons, id);
}

bool ledger_is_held(const struct ledger *ledger, const char *id)
{
    return holds_find(&ledger->holds, id) != NULL;
}

const struct ledger_entry *ledger_verdict(const struct ledger *ledger, const char *id)
{
    static const struct ledger_entry none = {VERDICT_SUSPECTED, NULL, NULL};
    const struct ledger_entry *entry = map_get(&ledger->verdicts, id);
    return entry ? entry : &none;
}

/* ---- excuses: "ID what it is: reason", '#' begins a comment ---- */

static bool is_id(const char *text, size_t length)
{
    return length == 8 && strspn(text, "0123456789abcdef") >= 8;
}

int ledger_read_excuses(struct ledger *ledger, const char *path, struct err *err)
{
    char *text = file_read(path, NULL, err);
    if (!text)
        return -1;
    unsigned number = 0;
    int status = 0;
    for (char *rest = text, *line; status == 0 && (line = strsep(&rest, "\n"));) {
        number++;
        size_t length = strcspn(line, " \t");
        if (!*line || *line == '#')
            continue;
        const char *reason = strstr(line, ": ");
        if (!is_id(line, length) || !reason)
            status = err_at(err, path, number, 0,
                            "expected an id of 8 hex digits, what it is, a colon and the reason");
        line[length] = '\0';
        if (status == 0)
            free(map_put(&ledger->reasons, line, mem_copy(reason + 2)));
    }
    free(text);
    return status;
}

void ledger_excuse_line(const struct race_report *report, const struct report_finding *finding,
                        const char *reason, struct str *out)
{
    str_addf(out, "%s %s of %s by %s and %s: ", finding->id, race_class_name(finding->class),
             race_path(report->record, finding->path), race_target(report->record, finding->first),
             race_target(report->record, finding->second));
    for (const char *at = reason; *at; at++)
        str_add_char(out, *at == '\n' ? ' ' : *at);
    str_add_char(out, '\n');
}

int ledger_excuse(const char *path, const char *line, struct err *err)
{
    static const char head[] =
        "# Races that were looked at and left alone; written by gantry races.\n";
    struct str text = {0};
    char *old = access(path, F_OK) == 0 ? file_read(path, NULL, err) : mem_copy(head);
    int status = old ? 0 : -1;
    if (old) {
        str_add(&text, old);
        if (text.len && text.at[text.len - 1] != '\n')
            str_add_char(&text, '\n');
        str_add(&text, line);
        status = file_write(path, text.at, text.len, 0666, err);
    }
    free(old);
    str_free(&text);
    return status;
}

/* ---- verdicts: id, verdict, script, evidence; tabs between; "\n" for a line's end ---- */

static char *verdicts_path(const char *state_dir)
{
    return path_join(state_dir, "races.verdicts");
}

static void put_escaped(struct str *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\n')
            str_add(out, "\\n");
        else if (*text == '\\')
            str_add(out, "\\\\");
        else
            str_add_char(out, *text == '\t' ? ' ' : *text);
    }
}

static char *unescaped(const char *text)
{
    struct str out = {0};
    for (; *text; text++) {
        if (*text == '\\' && text[1]) {
            text++;
            str_add_char(&out, *text == 'n' ? '\n' : *text);
        } else {
            str_add_char(&out, *text);
        }
    }
    return str_take(&out);
}

/* A line that is none of ours is passed over: the file can be made anew at any time. */
static void read_verdict(struct ledger *ledger, char *line)
{
    const char *id = strsep(&line, "\t"), *verdict = strsep(&line, "\t"),
               *script = strsep(&line, "\t");
    for (unsigned i = 0; script && line && i < VERDICTS; i++) {
        if (strcmp(verdict, verdict_names[i]) != 0)
            continue;
        struct ledger_entry *entry = mem_zero(1, sizeof *entry);
        *entry = (struct ledger_entry){(enum race_verdict)i, unescaped(line), mem_copy(script)};
        free_entry(map_put(&ledger->verdicts, id, entry));
    }
}

static void read_verdicts(struct ledger *ledger, const char *state_dir)
{
    char *path = verdicts_path(state_dir), *text = file_read(path, NULL, NULL);
    for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
        if (*line)
            read_verdict(ledger, line);
    free(text);
    free(path);
}

int ledger_read(struct ledger *ledger, const char *root, const char *state_dir, struct err *err)
{
    *ledger = (struct ledger){0};
    read_verdicts(ledger, state_dir);
    char *path = path_join(root, LEDGER_EXCUSES);
    int status = access(path, F_OK) == 0 ? ledger_read_excuses(ledger, path, err) : 0;
    free(path);
    return status == 0 ? holds_read(&ledger->holds, root, err) : status;
}

int ledger_set_verdict(const char *state_dir, const char *id, enum race_verdict verdict,
                       const char *evidence, const char *script, struct err *err)
{
    char *path = verdicts_path(state_dir), *old = file_read(path, NULL, NULL);
    struct str text = {0};
    for (char *rest = old, *line; (line = strsep(&rest, "\n"));)
        if (*line && strncmp(line, id, strlen(id)) != 0)
            str_addf(&text, "%s\n", line);
    str_addf(&text, "%s\t%s\t%s\t", id, verdict_names[verdict], script ? script : "");
    put_escaped(&text, evidence ? evidence : "");
    str_add_char(&text, '\n');
    int status = file_write(path, text.at, text.len, 0666, err);
    str_free(&text);
    free(old);
    free(path);
    return status;
}

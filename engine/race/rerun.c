#include "race/rerun.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "race/record.h"

extern char **environ;

/* ---- from a process's words ---- */

static void add_word(struct str *out, const char *word)
{
    if (out->len)
        str_add_char(out, ' ');
    text_shell_quote(out, word);
}

/* Words of make that take another one, if it does not follow at once (make manual, "Options"). */
static bool takes_next(const char *word)
{
    static const char *const names[] = {"-f",         "-I",        "-o",         "-W",
                                        "-E",         "--file",    "--makefile", "--include-dir",
                                        "--old-file", "--what-if", "--eval"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(word, names[i]) == 0)
            return true;
    return false;
}

/* What must not be said again: where it starts, how many jobs. `skip`: the next word belongs to it. */
static bool is_left_out(const char *word, bool *skip)
{
    *skip = strcmp(word, "-C") == 0 || strcmp(word, "--directory") == 0;
    return *skip || strncmp(word, "-C", 2) == 0 || strncmp(word, "-j", 2) == 0 ||
           str_starts(word, "--directory=") || str_starts(word, "--jobs") ||
           str_starts(word, "--jobserver");
}

static bool is_number(const char *word)
{
    return *word && strspn(word, "0123456789") == strlen(word);
}

static bool is_assignment(const char *word)
{
    const char *equals = strchr(word, '=');
    return equals && equals != word;
}

static const char *next_word(const char *word, const char *end)
{
    return word + strnlen(word, (size_t)(end - word)) + 1;
}

static void take_words(const char *words, size_t length, struct str *command)
{
    const char *end = words + length;
    const char *program = words;
    add_word(command, length ? path_base(program) : "make");
    bool skip = false, keep = false;
    for (const char *word = next_word(words, end); word < end; word = next_word(word, end)) {
        bool jobs = strcmp(word, "-j") == 0;
        if (skip) {
            skip = false;
            continue;
        }
        if (keep || is_assignment(word)) {
            add_word(command, word);
            keep = false;
        } else if (is_left_out(word, &skip)) {
            const char *next = next_word(word, end);
            skip |= jobs && next < end && is_number(next);
        } else if (word[0] == '-' && word[1]) {
            add_word(command, word);
            keep = takes_next(word);
        }
    }
}

bool rerun_asks_one_job(const char *words, size_t length)
{
    const char *end = words + length;
    bool one = false, value = false; /* the last says it; a number may be the next word */
    for (const char *word = next_word(words, end); word < end; word = next_word(word, end)) {
        if (value && is_number(word))
            one = strcmp(word, "1") == 0;
        value = strcmp(word, "-j") == 0 || strcmp(word, "--jobs") == 0;
        if (value || str_starts(word, "-j") || str_starts(word, "--jobs="))
            one = strcmp(word, "-j1") == 0 || strcmp(word, "--jobs=1") == 0;
    }
    return one;
}

/* Variables that a make was given by the makes above it: in MAKEFLAGS after " -- ", a blank or a
 * backslash in them behind a backslash. */
static void take_overrides(const char *flags, struct str *command)
{
    const char *at = strstr(flags, "-- ");
    if (!at)
        return;
    struct str word = {0};
    for (at += 3;; at++) {
        if (*at == '\\' && at[1]) {
            str_add_char(&word, *++at);
        } else if (*at && *at != ' ') {
            str_add_char(&word, *at);
        } else {
            struct str quoted = {0};
            text_shell_quote(&quoted, str_text(&word));
            if (is_assignment(str_text(&word)) && !strstr(str_text(command), str_text(&quoted)))
                add_word(command, str_text(&word));
            str_free(&quoted);
            str_cut(&word, 0);
            if (!*at)
                break;
        }
    }
    str_free(&word);
}

static bool is_ours(const char *variable)
{
    static const char *const names[] = {
        "MAKEFLAGS=", "MFLAGS=", "MAKEOVERRIDES=", "MAKELEVEL=", "LD_PRELOAD=", "PWD=",
        "OLDPWD=",    "_=",      "SHLVL=",         "PATH=",      "GANTRY_",     "MAKE_TERM",
        "BASH_FUNC_"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_starts(variable, names[i]))
            return true;
    return !isalpha((unsigned char)variable[0]) && variable[0] != '_';
}

static bool is_in_ours(const char *variable)
{
    for (char **at = environ; *at; at++)
        if (strcmp(*at, variable) == 0)
            return true;
    return false;
}

void rerun_words(const char *words, size_t words_length, const char *environment,
                 size_t environment_length, struct str *command, struct str *variables)
{
    take_words(words, words_length, command);
    const char *end = environment + environment_length;
    for (const char *at = environment; at < end; at = next_word(at, end)) {
        if (str_starts(at, "MAKEFLAGS="))
            take_overrides(at, command);
        if (!is_assignment(at) || is_ours(at) || is_in_ours(at))
            continue;
        size_t name = strcspn(at, "=") + 1;
        char *prefix = mem_copy_n(at, name);
        if (variables->len)
            str_add_char(variables, ' ');
        str_add(variables, prefix);
        text_shell_quote(variables, at + name);
        free(prefix);
    }
}

/* ---- a step again ---- */

static const struct record_make *make_of(const struct record *record, uint32_t step)
{
    uint32_t number = record->steps.at[step].make;
    return number < record->makes.len ? &record->makes.at[number] : NULL;
}

static void start_line(const struct record *record, const struct record_make *make,
                       const char *options, struct str *out)
{
    const char *directory = record_text(record, make->directory);
    str_add(out, "(cd ");
    text_shell_quote(out, *directory ? directory : ".");
    str_addf(out, " && %s%s%s", record_text(record, make->variables),
             make->variables == INTERN_NONE ? "" : " ", record_text(record, make->command));
    if (*options)
        str_addf(out, " %s", options);
}

static void add_goal(const struct record *record, uint32_t step, struct str *out)
{
    str_add_char(out, ' ');
    text_shell_quote(out, record_text(record, record->steps.at[step].goal));
}

bool rerun_line(const struct record *record, uint32_t step, const char *options, struct str *out)
{
    const struct record_step *of = &record->steps.at[step];
    const struct record_make *make = make_of(record, step);
    if (make && make->command != INTERN_NONE && of->goal != INTERN_NONE) {
        start_line(record, make, options, out);
        add_goal(record, step, out);
        str_add_char(out, ')');
        return true;
    }
    if (of->goal != INTERN_NONE || of->command == INTERN_NONE)
        return false;
    str_addf(out, "(%s)", record_text(record, of->command));
    return true;
}

bool rerun_both(const struct record *record, uint32_t a, uint32_t b, const char *options,
                struct str *out)
{
    const struct record_make *make = make_of(record, a);
    if (!make || make != make_of(record, b) || make->command == INTERN_NONE)
        return false;
    start_line(record, make, options, out);
    add_goal(record, a, out);
    add_goal(record, b, out);
    str_add_char(out, ')');
    return true;
}

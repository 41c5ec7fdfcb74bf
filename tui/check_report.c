#include "tui/check_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* "name ok" or "name FAIL: reason". */
static void take_test(struct check_report *report, const char *text)
{
    size_t name = strcspn(text, " ");
    const char *rest = text + name;
    if (!name)
        return;
    if (strcmp(rest, " ok") == 0)
        vec_push(&report->tests, (struct check_test){.name = mem_copy_n(text, name)});
    else if (str_starts(rest, " FAIL"))
        vec_push(&report->tests,
                 (struct check_test){.name = mem_copy_n(text, name),
                                     .reason = mem_copy(str_starts(rest, " FAIL: ")
                                                            ? rest + strlen(" FAIL: ")
                                                            : "no reason given")});
}

static void take_line(struct check_report *report, const char *line)
{
    if (str_starts(line, "TEST "))
        take_test(report, line + strlen("TEST "));
    else if (sscanf(line, "TESTS passed=%u failed=%u", &report->passed, &report->failed) == 2)
        report->complete = true;
}

void check_report_feed(struct check_report *report, const char *text)
{
    for (; *text; text++) {
        if (*text == '\n') {
            take_line(report, str_text(&report->line));
            str_cut(&report->line, 0);
        } else if (*text != '\r') {
            str_add_char(&report->line, *text);
        }
    }
}

bool check_report_good(const struct check_report *report)
{
    unsigned passed = 0;
    for (size_t i = 0; i < report->tests.len; i++)
        passed += !report->tests.at[i].reason;
    return report->complete && !report->failed && passed && passed == report->tests.len &&
           passed == report->passed;
}

void check_report_free(struct check_report *report)
{
    for (size_t i = 0; i < report->tests.len; i++) {
        free(report->tests.at[i].name);
        free(report->tests.at[i].reason);
    }
    vec_free(&report->tests);
    str_free(&report->line);
}

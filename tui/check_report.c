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

/* The test that runs has ended: what was said of it last counts. `otherwise`: that nothing was. */
static void end_running(struct check_report *report, const char *otherwise)
{
    if (report->running) {
        const char *reason = report->said == SAID_OK       ? NULL
                             : report->said == SAID_FAILED ? "it returned an error"
                                                           : otherwise;
        vec_push(&report->tests,
                 (struct check_test){report->running, reason ? mem_copy(reason) : NULL});
    }
    report->running = NULL;
    report->said = SAID_NOTHING;
}

/* The runner's word may stand behind what a test printed without an end of line; and a test may say the
 * same words, but the runner has the last. */
static void take_osv(struct check_report *report, const char *line)
{
    static const char running[] = "running /tests/", no_word[] = "it ended without a verdict";
    unsigned failed, all;
    if (str_starts(line, running)) {
        end_running(report, no_word);
        report->running = mem_copy(line + sizeof running - 1);
    } else if (sscanf(line, "All tests complete - %u/%u failures", &failed, &all) == 2) {
        end_running(report, no_word);
        report->failed = failed;
        report->passed = all >= failed ? all - failed : 0;
        report->complete = true;
    } else if (str_ends(line, "failed.")) {
        report->said = SAID_FAILED;
    } else if (str_ends(line, "ok.")) {
        report->said = SAID_OK;
    }
}

void check_report_end(struct check_report *report)
{
    if (report->said == SAID_OK && !report->complete)
        report->said =
            SAID_NOTHING; /* nobody came after it to show that the word was the runner's */
    end_running(report, "the guest ended before it did");
}

static void take_line(struct check_report *report, const char *line)
{
    take_osv(report, line);
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
    free(report->running);
}

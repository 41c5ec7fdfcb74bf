#include "tui/shell_report.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/path.h"
#include "journal/journal.h"

void shell_report_read(struct shell_report *report, const char *state_dir)
{
    struct err err = {0};
    *report = (struct shell_report){0};
    char *dir = path_join(state_dir, "journal"), *path = journal_newest(dir);
    struct journal_reader *reader = path ? journal_read_open(path, &err) : NULL;
    free(path);
    free(dir);
    if (!reader)
        return;
    journal_pass_over_touched(reader);
    for (struct event *event; (event = journal_next(reader)) != NULL; free(event)) {
        if (event->kind == EVENT_SHELL_CALL)
            shell_costs_add(&report->costs, event);
        if (event->kind == EVENT_BUILD_END)
            report->build_ns = event->wall_ns;
    }
    journal_read_close(reader);
    shell_costs_tell(&report->costs, report->build_ns, &report->text);
}

static void put(void *data, const struct shell_cost *cost)
{
    struct str *doc = data;
    json_put_object(doc, NULL);
    json_put_text(doc, "command", cost->command);
    json_put_text(doc, "from", cost->from);
    json_put_uint(doc, "calls", cost->calls);
    json_put_uint(doc, "repeated", cost->repeated);
    json_put_uint(doc, "wall_ns", cost->wall_ns);
    json_put_object_end(doc);
}

void shell_report_put(const struct shell_report *report, struct str *doc, const char *key)
{
    json_put_array(doc, key);
    shell_costs_each(&report->costs, report->build_ns, put, doc);
    json_put_array_end(doc);
}

void shell_report_free(struct shell_report *report)
{
    shell_costs_free(&report->costs);
    str_free(&report->text);
}

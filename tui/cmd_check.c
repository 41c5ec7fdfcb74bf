/* `gantry check`: the image of the tree's tests is built and booted, and each test reported. Of a tree of
 * OSv that is image=tests with its testrunner, and nothing of its own check target, which ends every QEMU of
 * the machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "osv/osv.h"
#include "tui/check_report.h"
#include "tui/commands.h"
#include "tui/native.h"
#include "tui/stream.h"
#include "views/plain.h"
#include "views/sanitize.h"

enum { CHECK_SECONDS = 600, TAIL_LINES = 20 };

struct check {
    const struct cli *cli;
    struct check_report report;
    size_t told; /* tests that were printed */
    struct str console; /* all of it, for a bad end */
    char verdict[16]; /* of the boot; "" where there was none */
    uint64_t wall_ns;
};

static bool json(const struct cli *cli)
{
    return cli->output == OUTPUT_JSON || cli->json_to;
}

/* A test's line, as soon as it is known. */
static void print_tests(struct check *check)
{
    for (; check->told < check->report.tests.len; check->told++) {
        const struct check_test *test = &check->report.tests.at[check->told];
        if (test->reason)
            printf("FAILED  %s: %s\n", test->name, test->reason);
        else
            printf("ok      %s\n", test->name);
    }
    fflush(stdout);
}

/* Takes what the guest prints in place of showing it. */
static bool see(void *data, const struct event *event)
{
    struct check *check = data;
    bool quiet = json(check->cli);
    if (event->kind == EVENT_VM_OUTPUT) {
        check_report_feed(&check->report, event->text);
        str_add(&check->console, event->text);
        if (!quiet && !check->cli->verbose)
            print_tests(check);
        return check->cli->verbose && !quiet;
    }
    if (event->kind == EVENT_VM_END) {
        check_report_end(&check->report);
        snprintf(check->verdict, sizeof check->verdict, "%s", event->verdict);
        check->wall_ns = event->wall_ns;
    }
    return event->kind == EVENT_MESSAGE || check->cli->verbose;
}

/* The last lines of the guest's console: where it went wrong. */
static void print_tail(const struct check *check)
{
    struct sanitize state = {0};
    struct str text = {0};
    sanitize_text(&state, str_text(&check->console), check->console.len, &text);
    while (text.len && text.at[text.len - 1] == '\n')
        str_cut(&text, text.len - 1);
    const char *start = str_text(&text) + text.len;
    for (int lines = 0; start > str_text(&text); start--)
        if (start[-1] == '\n' && ++lines == TAIL_LINES)
            break;
    for (; *start; start += strcspn(start, "\n"), start += *start == '\n')
        printf("    %.*s\n", (int)strcspn(start, "\n"), start);
    str_free(&text);
}

static void count(const struct check_report *report, unsigned *passed, unsigned *failed)
{
    *passed = *failed = 0;
    for (size_t i = 0; i < report->tests.len; i++)
        *(report->tests.at[i].reason ? failed : passed) += 1;
}

static int tell_json(struct check *check, struct native_tree *tree, bool good)
{
    struct str doc = {0};
    unsigned passed, failed;
    count(&check->report, &passed, &failed);
    json_put_object(&doc, NULL);
    json_put_bool(&doc, "ok", good);
    json_put_text(&doc, "arch", conf_get(tree->conf, "arch"));
    json_put_text(&doc, "mode", conf_get(tree->conf, "mode"));
    json_put_text(&doc, "image", conf_get(tree->conf, "image"));
    json_put_text(&doc, "verdict", *check->verdict ? check->verdict : NULL);
    json_put_bool(&doc, "complete", check->report.complete);
    json_put_uint(&doc, "passed", passed);
    json_put_uint(&doc, "failed", failed);
    json_put_uint(&doc, "wall_ns", check->wall_ns);
    json_put_array(&doc, "tests");
    for (size_t i = 0; i < check->report.tests.len; i++) {
        const struct check_test *test = &check->report.tests.at[i];
        json_put_object(&doc, NULL);
        json_put_text(&doc, "name", test->name);
        json_put_bool(&doc, "ok", !test->reason);
        json_put_text(&doc, "reason", test->reason);
        json_put_object_end(&doc);
    }
    json_put_array_end(&doc);
    json_put_object_end(&doc);
    int status = cli_print_json(check->cli, str_text(&doc));
    str_free(&doc);
    return status;
}

static void tell_people(struct check *check, struct native_tree *tree, bool good)
{
    char took[24];
    unsigned passed, failed;
    count(&check->report, &passed, &failed);
    print_tests(check);
    if (!check->report.complete && *check->verdict) {
        printf("the tests did not end; the guest's last words:\n");
        print_tail(check);
    }
    plain_duration(took, check->wall_ns);
    printf("%s: %s %s: %u passed, %u failed%s, %s\n", good ? "ok" : "FAILED",
           conf_get(tree->conf, "arch"), conf_get(tree->conf, "mode"), passed, failed,
           check->report.complete ? "" : ", and more did not run", took);
}

/* Builds and boots. The streams of both print only what goes wrong where a document is wanted. */
static int run_check(struct check *check, struct cli *cli, struct native_tree *tree)
{
    struct err err = {0};
    struct cli lines = *cli;
    if (json(cli)) {
        lines.output = OUTPUT_PLAIN;
        lines.json_to = NULL;
        lines.quiet = lines.to_stderr = true;
    }
    struct stream *stream = stream_open(&lines, &err);
    if (!stream)
        return cli_fail(&err);
    struct build_options options = native_build_options(tree, cli);
    struct vm_options vm = {
        .root = tree->root, .conf = tree->conf, .timeout_s = CHECK_SECONDS, .crash_ends = true};
    struct osv_boot boot = {0};
    int status = stream_run_build(stream, &options);
    if (!status && !cli->dry_run && tree->osv &&
        osv_boot_fill(&boot, &vm, conf_get(tree->conf, "osv-check"), false, &err) < 0)
        status = cli_fail(&err);
    else if (!status && !cli->dry_run)
        status = stream_boot(stream, &vm, see, check);
    osv_boot_free(&boot);
    int written = stream_close(stream);
    return status ? status : written;
}

static int check_tree(struct cli *cli, struct native_tree *tree)
{
    struct check check = {.cli = cli};
    int status = run_check(&check, cli, tree);
    bool good = status == 0 && check_report_good(&check.report);
    bool booted = *check.verdict != '\0';
    if (status == 0 && booted && !good)
        status = 1;
    if (json(cli)) {
        int written = tell_json(&check, tree, good);
        status = status ? status : written;
    } else if (booted) {
        tell_people(&check, tree, good);
    }
    check_report_free(&check.report);
    str_free(&check.console);
    return status;
}

int cmd_check(struct cli *cli, int argc, char **argv)
{
    struct err err = {0};
    struct native_tree tree = {0};
    bool picked = false;
    if (argc > 1)
        return cli_usage("%s: check takes no words; ARCH=NAME says where the tests run", argv[1]);
    for (size_t i = 0; i < cli->assigns.len; i++)
        picked = picked || strcmp(cli->assigns.at[i].name, "image") == 0;
    if (!picked)
        vec_push(&cli->assigns, (struct assignment){"image", "tests", ORIGIN_COMMAND_LINE});
    int status = native_open_driven(&tree, cli, &err) < 0 ? cli_fail(&err) : check_tree(cli, &tree);
    native_close(&tree);
    return status;
}

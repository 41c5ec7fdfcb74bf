/* `gantry races ...`: what the last build showed of races; see gantry-race(7). Each action works on
 * the record that the build left, so nothing is built to show, list or excuse. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "base/text.h"
#include "load/load.h"
#include "race/export.h"
#include "race/ledger.h"
#include "race/mend.h"
#include "race/prove.h"
#include "race/report.h"
#include "race/since.h"
#include "run/build.h"
#include "tui/cli.h"
#include "tui/commands.h"
#include "tui/hints.h"
#include "tui/own_words.h"
#include "tui/race_origin.h"
#include "tui/stream.h"

enum { WITNESSES_SHOWN = 12 };

/* What an action works on. */
struct races {
    struct cli *cli;
    char *root, *state_dir;
    struct record *record;
    struct race_report report;
    struct ledger ledger;
    bool *keep; /* by finding: not excused, not in the baseline, new since --since */
    unsigned kept, excused;
    const char *id, *reason, *baseline, *write_baseline, *since;
    bool sarif, apply, all;
};

static bool json(const struct cli *cli)
{
    return cli->output == OUTPUT_JSON || cli->json_to;
}

/* ---- opening ---- */

static int choose(struct races *r, struct err *err)
{
    size_t count = r->report.findings.len;
    r->keep = mem_zero(count + 1, sizeof *r->keep);
    struct ledger baseline = {0};
    if (r->baseline && ledger_read_excuses(&baseline, r->baseline, err) < 0) {
        ledger_free(&baseline);
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        const char *id = r->report.findings.at[i].id;
        bool excused = ledger_reason(&r->ledger, id) != NULL;
        r->keep[i] = !excused && !ledger_reason(&baseline, id);
        r->excused += excused;
    }
    ledger_free(&baseline);
    if (r->since && race_since(&r->report, r->since, r->keep, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        r->kept += r->keep[i];
    return 0;
}

static int open_races(struct races *r, struct err *err)
{
    r->state_dir = hints_state_dir(r->cli, &r->root, err);
    if (!r->state_dir)
        return -1;
    r->record = record_read(r->state_dir, err);
    if (!r->record)
        return -1;
    race_report_make(&r->report, r->record);
    if (ledger_read(&r->ledger, r->root, r->state_dir, err) < 0)
        return -1;
    return choose(r, err);
}

static void close_races(struct races *r)
{
    if (r->record) {
        race_report_free(&r->report);
        ledger_free(&r->ledger);
    }
    record_free(r->record);
    free(r->keep);
    free(r->root);
    free(r->state_dir);
}

static const struct report_finding *wanted(const struct races *r, struct err *err)
{
    if (r->id)
        return race_report_find(&r->report, r->id, err);
    err_set(err, ERR_INPUT, "name a finding; gantry races list shows their ids");
    return NULL;
}

/* ---- list ---- */

static const char *glyph_of(enum severity severity)
{
    static const char *const glyphs[] = {"-", "?", "!"};
    return glyphs[severity];
}

static void print_finding(const struct races *r, const struct report_finding *finding)
{
    struct str sentence = {0};
    race_sentence(&r->report, finding, &sentence);
    const struct ledger_entry *entry = ledger_verdict(&r->ledger, finding->id);
    printf("%s %s  %-17s  %s", glyph_of(finding->severity), finding->id,
           race_class_name(finding->class), str_text(&sentence));
    if (finding->witnesses_count > 1)
        printf(" (and %u more)", finding->witnesses_count - 1);
    bool held = ledger_is_held(&r->ledger, finding->id);
    if (entry->verdict != VERDICT_SUSPECTED || held)
        printf("  [%s%s]",
               entry->verdict != VERDICT_SUSPECTED ? race_verdict_name(entry->verdict) : "",
               !held                                 ? ""
               : entry->verdict != VERDICT_SUSPECTED ? ", held"
                                                     : "held");
    putchar('\n');
    str_free(&sentence);
}

static void print_total(const struct races *r)
{
    unsigned long long ran = 0, traced = 0, partly = 0, steps = 0;
    for (size_t i = 0; i < r->record->steps.len; i++) {
        if (r->record->steps.at[i].flags & RECORD_MAKE)
            continue;
        steps++;
        ran += (r->record->steps.at[i].flags & RECORD_RAN) != 0;
        traced += (r->record->steps.at[i].flags & RECORD_TRACED) != 0;
        partly += (r->record->steps.at[i].flags & RECORD_FLAWED) != 0;
    }
    time_t built = (time_t)(r->record->wall_ns / 1000000000u);
    struct tm tm;
    char when[32] = "";
    if (localtime_r(&built, &tm))
        strftime(when, sizeof when, "%Y-%m-%d %H:%M", &tm);
    printf("%u finding%s", r->kept, r->kept == 1 ? "" : "s");
    if (r->excused)
        printf(", %u excused in %s", r->excused, LEDGER_EXCUSES);
    if (r->ledger.holds.list.len)
        printf(", %zu held in %s", r->ledger.holds.list.len, HOLDS_FILE);
    printf("; built %s: %llu steps, %llu ran then, %llu traced", when, steps, ran, traced);
    if (partly)
        printf(", %llu of them not wholly", partly);
    putchar('\n');
}

/* What is held though the last build showed no such finding: mended by hand, perhaps. */
static void print_needless_holds(const struct races *r)
{
    for (size_t i = 0; i < r->ledger.holds.list.len; i++) {
        const struct hold *hold = &r->ledger.holds.list.at[i];
        bool there = false;
        for (size_t k = 0; k < r->report.findings.len; k++)
            there |= strcmp(r->report.findings.at[k].id, hold->id) == 0;
        if (!there)
            printf(
                "  %s is held, and was not seen in the last build: gantry races release %s (%s)\n",
                hold->id, hold->id, hold->what);
    }
}

static int write_baseline(const struct races *r, struct err *err)
{
    struct str text = {0};
    str_add(&text, "# A baseline of gantry races: what is listed here is not told as new.\n");
    for (size_t i = 0; i < r->report.findings.len; i++)
        ledger_excuse_line(&r->report, &r->report.findings.at[i], "baseline", &text);
    int status = file_write(r->write_baseline, text.at, text.len, 0666, err);
    str_free(&text);
    return status;
}

static int run_list(struct races *r, struct err *err)
{
    struct str doc = {0};
    struct race_hints hints = {0};
    int status = 0;
    if (r->write_baseline)
        return write_baseline(r, err);
    if (r->all)
        race_hints_find(&r->report, &hints);
    if (r->sarif)
        race_export_sarif(&r->report, &r->ledger, r->keep, &doc);
    else if (json(r->cli))
        race_export_json(&r->report, &r->ledger, r->keep, r->all ? &hints : NULL, &doc);
    if (doc.len) {
        status = cli_print_json(r->cli, str_text(&doc));
    } else {
        for (size_t i = 0; i < r->report.findings.len; i++)
            if (r->keep[i])
                print_finding(r, &r->report.findings.at[i]);
        print_needless_holds(r);
        for (size_t i = 0; i < hints.list.len; i++)
            hints_print(&r->report, &hints, &hints.list.at[i]);
        print_total(r);
    }
    race_hints_free(&hints);
    str_free(&doc);
    if (!status && r->cli->fail_on_races)
        status = r->kept != 0;
    return status;
}

/* ---- show ---- */

static void print_side(const struct races *r, const char *name, uint32_t step, uint32_t path)
{
    const struct record *record = r->record;
    const struct record_step *of = &record->steps.at[step];
    const char *program = "";
    const struct race_access *access = race_access_of(record, step, path, &program);
    uint32_t line = 0;
    char *file = race_recipe_file(record, step, &line);
    printf("  %-7s%s", name, race_target(record, step));
    if (file)
        printf("  (%s:%u)", file, line);
    putchar('\n');
    if (of->flags & RECORD_MAKE)
        printf("         the make itself, from %.3f s of the build on\n",
               (double)of->begin_ns / 1e9);
    else if (of->flags & RECORD_RAN)
        printf("         lane %u, %.3f s to %.3f s of the build\n", of->lane + 1,
               (double)of->begin_ns / 1e9, (double)(of->begin_ns + of->wall_ns) / 1e9);
    else
        printf("         did not run in the last build\n");
    if (access) {
        struct str words = {0};
        race_access_words(access, &words);
        printf("         %s", str_text(&words));
        printf(" at %.3f s", (double)access->when * RECORD_TICK_NS / 1e9);
        printf("%s%s\n", *program ? " by " : "", program);
        str_free(&words);
    }
    free(file);
}

static void print_command(const struct races *r, uint32_t step)
{
    const char *command = record_text(r->record, r->record->steps.at[step].command);
    printf("  %s:\n", race_target(r->record, step));
    for (unsigned lines = 0; *command && lines < 12; lines++) {
        size_t length = strcspn(command, "\n");
        printf("      %.*s\n", (int)(length > 200 ? 200 : length), command);
        command += length + (command[length] == '\n');
    }
}

static void print_rules(const struct races *r, const struct report_finding *finding)
{
    for (size_t i = 0; i < r->report.result.suppressed.len; i++) {
        const struct race_suppressed *one = &r->report.result.suppressed.at[i];
        uint32_t a = one->witness.first, b = one->witness.second;
        bool same = (a == finding->first || b == finding->first) &&
                    (a == finding->second || b == finding->second);
        if (same)
            printf("  no race by the rule \"%s\": %s\n", race_rule_name(one->rule),
                   race_path(r->record, one->witness.path));
    }
}

static void print_held(const struct races *r, const char *id)
{
    const struct hold *hold = holds_find(&r->ledger.holds, id);
    for (size_t i = 0; hold && i < hold->edges.len; i++) {
        if (i == WITNESSES_SHOWN) {
            printf("      and %zu more\n", hold->edges.len - i);
            break;
        }
        printf("%s%s starts when %s has ended\n", i ? "      " : "held: ", hold->edges.at[i].second,
               hold->edges.at[i].first);
    }
}

static int run_show(struct races *r, struct err *err)
{
    const struct report_finding *finding = wanted(r, err);
    if (!finding)
        return -1;
    if (json(r->cli)) {
        struct str doc = {0};
        race_export_finding(&r->report, &r->ledger, finding, NULL, &doc);
        int status = cli_print_json(r->cli, str_text(&doc));
        str_free(&doc);
        return status;
    }
    struct str sentence = {0};
    race_sentence(&r->report, finding, &sentence);
    printf("%s %s (%s)\n%s.\n\n", finding->id, race_class_name(finding->class),
           severity_name(finding->severity), str_text(&sentence));
    str_free(&sentence);
    print_side(r, "first", finding->first, finding->path);
    print_side(r, "second", finding->second, finding->path);
    for (uint32_t i = 0; i < finding->witnesses_count; i++) {
        const struct race_witness *w = &finding->witnesses[i];
        if (i == 0 && finding->witnesses_count > 1)
            printf("\nseen at:\n");
        if (i == WITNESSES_SHOWN) {
            printf("  and %u more\n", finding->witnesses_count - i);
            break;
        }
        if (finding->witnesses_count > 1)
            printf("  %s: %s, %s (%s)\n", race_path(r->record, w->path),
                   race_target(r->record, w->first), race_target(r->record, w->second),
                   race_class_name(w->class));
    }
    printf("\ncommands:\n");
    print_command(r, finding->first);
    print_command(r, finding->second);
    print_rules(r, finding);
    const struct ledger_entry *entry = ledger_verdict(&r->ledger, finding->id);
    const char *reason = ledger_reason(&r->ledger, finding->id);
    printf("\n");
    race_origin_print_likelihood(&r->report, finding);
    printf("verdict: %s\n", race_verdict_name(entry->verdict));
    if (entry->evidence && *entry->evidence)
        printf("%s\n", entry->evidence);
    if (entry->script && *entry->script)
        printf("repeat it: sh %s\n", entry->script);
    print_held(r, finding->id);
    if (reason)
        printf("excused: %s\n", reason);
    fflush(stdout); /* a long history takes its time */
    race_origin_print_blame(&r->report, r->root, finding);
    return 0;
}

/* ---- blame ---- */

static int run_blame(struct races *r, struct err *err)
{
    const struct report_finding *finding = wanted(r, err);
    if (!finding)
        return -1;
    if (json(r->cli)) {
        struct str doc = {0};
        race_origin_json(&r->report, r->root, finding, &doc);
        int status = cli_print_json(r->cli, str_text(&doc));
        str_free(&doc);
        return status;
    }
    race_origin_print_likelihood(&r->report, finding);
    fflush(stdout); /* a long history takes its time */
    if (!race_origin_print_blame(&r->report, r->root, finding))
        printf("no commit is known: the rules stand in no file of a git work tree\n");
    return 0;
}

/* ---- suppress ---- */

static int run_suppress(struct races *r, struct err *err)
{
    const struct report_finding *finding = wanted(r, err);
    if (!finding)
        return -1;
    if (!r->reason || !*r->reason)
        return err_set(err, ERR_INPUT, "say why it is none: --reason TEXT");
    if (ledger_reason(&r->ledger, finding->id))
        return err_set(err, ERR_INPUT, "%s is excused already: %s", finding->id,
                       ledger_reason(&r->ledger, finding->id));
    struct str line = {0};
    char *path = path_join(r->root, LEDGER_EXCUSES);
    ledger_excuse_line(&r->report, finding, r->reason, &line);
    int status = ledger_excuse(path, str_text(&line), err);
    if (!status)
        printf("%s: %s", path, str_text(&line));
    str_free(&line);
    free(path);
    return status;
}

/* ---- hold, release ---- */

static int run_hold(struct races *r, struct err *err)
{
    const struct report_finding *finding = wanted(r, err);
    if (!finding || holds_add(r->root, &r->report, finding, err) < 0)
        return -1;
    struct ledger now;
    if (ledger_read(&now, r->root, r->state_dir, err) < 0)
        return -1;
    ledger_free(&r->ledger);
    r->ledger = now;
    print_held(r, finding->id);
    printf("every build keeps that until it is mended (gantry races mend %s) or released (gantry "
           "races release %s)\n",
           finding->id, finding->id);
    return 0;
}

static int run_release(struct races *r, struct err *err)
{
    char id[9] = "";
    if (!r->id)
        return err_set(err, ERR_INPUT, "name what is to be released; gantry races list shows it");
    int dropped = holds_drop(r->root, r->id, id, err);
    if (dropped == 0)
        return err_set(err, ERR_INPUT, "%s is not held", r->id);
    if (dropped < 0)
        return -1;
    printf("%s is held no more\n", id);
    return 0;
}

/* What is mended need not be held. */
static int drop_hold(const struct races *r, const char *id, struct err *err)
{
    int dropped = ledger_is_held(&r->ledger, id) ? holds_drop(r->root, id, NULL, err) : 0;
    if (dropped > 0 && !json(r->cli))
        printf("%s is held no more\n", id);
    return dropped < 0 ? -1 : 0;
}

/* ---- prove ---- */

static void show_progress(void *data, unsigned done, unsigned of, const char *experiment)
{
    const struct races *r = data;
    if (!json(r->cli))
        fprintf(stderr, "%u/%u  %s\n", done + 1, of, experiment);
}

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    interrupted = number;
}

static int prove_one(struct races *r, const struct report_finding *finding, struct err *err)
{
    struct proof proof;
    int status =
        race_prove(&r->report, finding, r->state_dir, &interrupted, show_progress, r, &proof, err);
    if (status == 0 && !interrupted) {
        printf("%s %s\n", finding->id, str_text(&proof.evidence));
        if (proof.script)
            printf("repeat it: sh %s\n", proof.script);
    }
    proof_free(&proof);
    return status;
}

static int run_prove(struct races *r, struct err *err)
{
    bool all = r->id && strcmp(r->id, "all") == 0;
    const struct report_finding *one = all ? NULL : wanted(r, err);
    if (!all && !one)
        return -1;
    /* Views are taken away again, whatever happens. */
    const struct sigaction action = {.sa_handler = interrupt};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    int status = 0;
    for (size_t i = 0; i < r->report.findings.len && status == 0 && !interrupted; i++)
        if (all ? r->keep[i] : one == &r->report.findings.at[i])
            status = prove_one(r, &r->report.findings.at[i], err);
    return status < 0 ? status : interrupted ? 128 + interrupted : 0;
}

/* ---- mend, undo ---- */

static int mend_json(const struct races *r, const struct report_finding *finding,
                     const struct mend *mend)
{
    struct str doc = {0};
    json_put_object(&doc, NULL);
    json_put_text(&doc, "id", finding->id);
    json_put_text(&doc, "file", mend->file);
    json_put_uint(&doc, "line", mend->line);
    json_put_text(&doc, "diff", str_text(&mend->diff));
    json_put_text(&doc, "advice", str_text(&mend->advice));
    json_put_bool(&doc, "applied", r->apply);
    json_put_object_end(&doc);
    int status = cli_print_json(r->cli, str_text(&doc));
    str_free(&doc);
    return status;
}

static int run_mend(struct races *r, struct err *err)
{
    const struct report_finding *finding = wanted(r, err);
    if (!finding)
        return -1;
    struct mend mend;
    int status = race_mend(&r->report, finding, &mend, err);
    if (status == 0 && r->apply)
        status = mend_apply(&mend, r->state_dir, finding->id, err);
    if (status == 0 && r->apply)
        status = drop_hold(r, finding->id, err);
    if (status == 0 && json(r->cli)) {
        status = mend_json(r, finding, &mend);
    } else if (status == 0) {
        fputs(str_text(&mend.diff), stdout);
        printf("%s%s\n", mend.diff.len ? "\n" : "", str_text(&mend.advice));
        if (r->apply)
            printf("applied; gantry races verify %s builds again, gantry races undo %s takes it "
                   "back\n",
                   finding->id, finding->id);
        else if (mend.file)
            printf("gantry races mend %s --apply edits %s\n", finding->id, path_base(mend.file));
    }
    mend_free(&mend);
    return status;
}

static int run_undo(struct races *r, struct err *err)
{
    char *file = NULL;
    if (!r->id)
        return err_set(err, ERR_INPUT, "name the finding whose mend is to be taken back");
    int status = mend_undo(r->state_dir, r->id, &file, err);
    if (status == 0)
        printf("%s is as it was\n", file);
    free(file);
    return status;
}

/* ---- verify ---- */

/* Builds as the recorded build was started; its findings then are compared with those before. */
static int build_again(struct races *r, struct err *err)
{
    str_list words = {0};
    const char *argv = record_text(r->record, r->record->argv);
    if (*argv) {
        vec_push(&words, mem_copy("sh"));
        vec_push(&words, mem_copy("-c"));
        vec_push(&words, mem_copy(argv));
    }
    vec_push(&words, NULL);
    struct build_options options = {
        .root = r->root,
        .assigns = r->cli->assigns.at,
        .assigns_count = r->cli->assigns.len,
        .command = *argv ? (const char *const *)words.at : NULL,
        .directory = *argv ? record_text(r->record, r->record->directory) : NULL,
        .lanes = r->cli->lanes,
        .keep_going = r->cli->keep_going,
    };
    int status = stream_build(r->cli, &options);
    str_list_free(&words);
    return status ? err_set(err, ERR_FAILED, "the build failed; the mend is not verified") : 0;
}

static int compare(const struct races *before, const struct races *after, const char *id,
                   struct err *err)
{
    unsigned fresh = 0;
    bool there = false;
    for (size_t i = 0; i < after->report.findings.len; i++) {
        const struct report_finding *now = &after->report.findings.at[i];
        bool known = false;
        for (size_t k = 0; k < before->report.findings.len; k++)
            known |= strcmp(before->report.findings.at[k].id, now->id) == 0;
        there |= str_starts(now->id, id);
        if (!known) {
            printf("new: ");
            print_finding(after, now);
            fresh++;
        }
    }
    if (there)
        return err_set(err, ERR_FAILED, "%s is still there", id);
    if (fresh)
        return err_set(err, ERR_FAILED, "%s is gone, but %u more came", id, fresh);
    printf("%s is gone, and nothing new came\n", id);
    return 0;
}

static int run_verify(struct races *r, struct err *err)
{
    if (!r->id)
        return err_set(err, ERR_INPUT, "name the finding that was mended");
    struct races after = {.cli = r->cli};
    int status = build_again(r, err);
    if (status == 0)
        status = open_races(&after, err);
    if (status == 0)
        status = compare(r, &after, r->id, err);
    for (size_t i = 0; status == 0 && i < after.ledger.holds.list.len; i++)
        if (str_starts(after.ledger.holds.list.at[i].id, r->id)) {
            char id[9];
            memcpy(id, after.ledger.holds.list.at[i].id, sizeof id);
            status = drop_hold(&after, id, err);
        }
    close_races(&after);
    return status;
}

/* ---- the words ---- */

static const struct {
    const char *name;
    int (*run)(struct races *r, struct err *err);
} actions[] = {
    {"list", run_list},         {"prove", run_prove}, {"mend", run_mend},
    {"verify", run_verify},     {"undo", run_undo},   {"show", run_show},
    {"suppress", run_suppress}, {"hold", run_hold},   {"release", run_release},
    {"blame", run_blame},
};
enum { ACTIONS = sizeof actions / sizeof *actions };

static int read_words(struct races *r, int argc, char **argv, const char **action, struct err *err)
{
    struct own_words words = {argc, argv, 1};
    const char *plain[3] = {"list", NULL, NULL};
    unsigned count = 0;
    const struct {
        const char *name, **value;
    } options[] = {{"--reason", &r->reason},
                   {"--baseline", &r->baseline},
                   {"--write-baseline", &r->write_baseline},
                   {"--since", &r->since}};
    while (words.next < argc) {
        int taken = 0;
        for (size_t i = 0; i < sizeof options / sizeof *options && !taken; i++)
            taken = own_option(&words, options[i].name, options[i].value, err);
        if (taken < 0)
            return -1;
        if (taken)
            continue;
        char *word = argv[words.next++], *equals = strchr(word, '=');
        if (equals && word[0] != '-') {
            *equals = '\0'; /* which configuration's build is meant */
            vec_push(&r->cli->assigns, (struct assignment){word, equals + 1, ORIGIN_COMMAND_LINE});
        } else if (strcmp(word, "--sarif") == 0)
            r->sarif = true;
        else if (strcmp(word, "--apply") == 0)
            r->apply = true;
        else if (strcmp(word, "--all") == 0)
            r->all = true;
        else if (word[0] == '-')
            return own_unknown("races", word, err);
        else if (count == 2)
            return err_set(err, ERR_INPUT, "too many words: %s (gantry help races)", word);
        else
            plain[count++] = word;
    }
    *action = plain[0];
    r->id = plain[1];
    return 0;
}

int cmd_races(struct cli *cli, int argc, char **argv)
{
    struct err err = {0};
    struct races r = {.cli = cli};
    const char *action = NULL;
    int status = read_words(&r, argc, argv, &action, &err);
    int (*run)(struct races * r, struct err * err) = NULL;
    for (size_t i = 0; status == 0 && i < ACTIONS; i++)
        if (strcmp(action, actions[i].name) == 0)
            run = actions[i].run;
    if (status == 0 && !run) {
        const char *names[ACTIONS];
        for (size_t i = 0; i < ACTIONS; i++)
            names[i] = actions[i].name;
        const char *near = text_nearest(action, names, ACTIONS);
        status = err_set(&err, ERR_INPUT, "unknown action '%s'%s%s%s (gantry help races)", action,
                         near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    if (status == 0)
        status = open_races(&r, &err);
    if (status == 0)
        status = run(&r, &err);
    close_races(&r);
    return status < 0 ? cli_fail(&err) : status;
}

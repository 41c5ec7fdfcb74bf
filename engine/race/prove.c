/*
 * Experiments. Each is a piece of shell that works in the root of the tree; the same pieces make the
 * script that repeats the proof. What is tried must be the beginning of a legal schedule: all that
 * the second step is declared to need is there, what the first one makes is not.
 */
#include "race/prove.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "race/report.h"
#include "race/rerun.h"
#include "race/view.h"
#include "trace/trace.h"

enum {
    PAIRS_TRIED = 3, /* witnesses of one finding, until one is proved */
    TIME_LEAST_MS = 20000,
    TIME_MOST_MS = 300000, /* on an idle machine; */
    TIME_BUSY_MS = 1200000, /* and on one that is so busy that we get next to nothing */
    LONG_MS = 80000, /* then a thing is not tried again and again */
    EVIDENCE_LINES = 12,
};

/* One try: a pair of steps, and what they make. */
struct trial {
    const struct race_report *report;
    const struct record *record;
    enum race_class class;
    uint32_t first, second, path;
    str_list made_by_first, made_by_second; /* relative to the tree; of the first without sources */
    str_list watched; /* what is compared */
    bool unsteady; /* its bytes differ from run to run: they say nothing */
    const volatile sig_atomic_t *stop;
    struct proof *proof;
    proof_progress *progress;
    void *data;
    unsigned done, of;
    struct str good; /* the pieces that were run for the control and for the failure */
    struct str bad;
};

/* ---- what a step makes ---- */

static bool is_in_list(const str_list *list, const char *text)
{
    for (size_t i = 0; i < list->len; i++)
        if (strcmp(list->at[i], text) == 0)
            return true;
    return false;
}

static bool is_outside(const struct record *record, uint32_t path)
{
    return race_path(record, path)[0] == '/';
}

static bool is_output(const struct record *record, const struct record_step *step,
                      const struct race_access *access)
{
    uint32_t kinds = access->kinds;
    if (is_outside(record, access->path) || !access->left)
        return false;
    if (kinds & (ACCESS_CREATE | ACCESS_MKDIR))
        return true;
    if (!(kinds & ACCESS_WRITE))
        return false;
    /* Written where it was there: made by an earlier build, unless it is edited in place. */
    bool target = strcmp(race_path(record, access->path), record_text(record, step->target)) == 0;
    return target || !(kinds & ACCESS_READ);
}

static void list_outputs(const struct record *record, uint32_t id, str_list *out)
{
    const struct record_step *step = &record->steps.at[id];
    for (uint32_t i = 0; i < step->accesses_count; i++) {
        const struct race_access *access = &record->accesses.at[step->accesses + i];
        if (is_output(record, step, access))
            vec_push(out, mem_copy(race_path(record, access->path)));
    }
}

/* A step that changes what is outside of the tree (an installation) is not run again. */
static const char *reaches_out(const struct record *record, uint32_t id)
{
    static const char *const free_places[] = {"/tmp/", "/var/tmp/", "/dev/", "/proc/"};
    const struct record_step *step = &record->steps.at[id];
    for (uint32_t i = 0; i < step->accesses_count; i++) {
        const struct race_access *access = &record->accesses.at[step->accesses + i];
        const char *path = record_text(record, access->path);
        bool fine = !is_outside(record, access->path) || !access->left ||
                    !(access->kinds & (ACCESS_CREATE | ACCESS_WRITE | ACCESS_MKDIR)) ||
                    strstr(path, "/.cache/") || strstr(path, "/.ccache/");
        for (size_t k = 0; k < sizeof free_places / sizeof *free_places; k++)
            fine |= str_starts(path, free_places[k]);
        if (!fine)
            return path;
    }
    return NULL;
}

/* ---- pieces of shell ---- */

static void put_removal(struct str *out, const str_list *paths)
{
    if (!paths->len)
        return;
    str_add(out, "rm -rf --");
    for (size_t i = 0; i < paths->len; i++) {
        str_add_char(out, ' ');
        text_shell_quote(out, paths->at[i]);
    }
    str_add_char(out, '\n');
}

static bool put_run(const struct trial *trial, uint32_t step, struct str *out)
{
    bool known = rerun_line(trial->record, step, "", out);
    str_add_char(out, '\n');
    return known;
}

/* Both steps at once, by one make where they are of one. */
static bool put_both(const struct trial *trial, struct str *out)
{
    if (rerun_both(trial->record, trial->first, trial->second, "-j4", out)) {
        str_add_char(out, '\n');
        return true;
    }
    bool known = rerun_line(trial->record, trial->first, "", out);
    str_add(out, " & one=$!\n");
    known &= rerun_line(trial->record, trial->second, "", out);
    str_add(out, " & other=$!\nwait $one; status=$?; wait $other || status=$?; (exit $status)\n");
    return known;
}

/* Tools that take their time: what comes between two file operations of a recipe. */
static const char slow_tools[] =
    "slow=$(mktemp -d -p \"${GANTRY_VIEW:-${TMPDIR:-/tmp}}\"); trap 'rm -rf \"$slow\"' EXIT\n"
    "for tool in mv cp rm ln mkdir install sed cat touch ar ranlib; do\n"
    "    real=$(command -v $tool) || continue\n"
    "    printf '#!/bin/sh\\nsleep 0.3\\nexec %s \"$@\"\\n' \"$real\" >\"$slow/$tool\"\n"
    "    chmod +x \"$slow/$tool\"\n"
    "done\n"
    "PATH=$slow:$PATH; export PATH\n";

/* ---- running them ---- */

/* How long the make of a step took until its first recipe: it reads its makefiles each time. */
static uint64_t reading_ns(const struct record *record, uint32_t step)
{
    uint32_t number = record->steps.at[step].make;
    uint64_t first_ns = UINT64_MAX;
    if (number >= record->makes.len)
        return 0;
    for (size_t i = 0; i < record->steps.len; i++) {
        const struct record_step *other = &record->steps.at[i];
        bool ran = (other->flags & (RECORD_RAN | RECORD_MAKE)) == RECORD_RAN;
        if (ran && other->make == number && other->begin_ns < first_ns)
            first_ns = other->begin_ns;
    }
    uint64_t begin_ns = record->makes.at[number].begin_ns;
    return first_ns != UINT64_MAX && first_ns > begin_ns ? first_ns - begin_ns : 0;
}

static uint64_t time_needed_ms(const struct trial *trial)
{
    const struct record *record = trial->record;
    uint64_t ns = record->steps.at[trial->first].wall_ns + record->steps.at[trial->second].wall_ns +
                  reading_ns(record, trial->first) + reading_ns(record, trial->second);
    uint64_t ms = TIME_LEAST_MS + ns / 1000000u * 10;
    return ms > TIME_MOST_MS ? TIME_MOST_MS : ms;
}

/* We run when nobody else wants to: the busier the machine is, the longer it takes. */
static unsigned time_allowed(const struct trial *trial)
{
    double load = 0;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t ms = time_needed_ms(trial);
    if (getloadavg(&load, 1) == 1 && processors > 0)
        ms += (uint64_t)((double)ms * 2 * load / (double)processors);
    return (unsigned)(ms > TIME_BUSY_MS ? TIME_BUSY_MS : ms);
}

static int run(struct trial *trial, const char *what, const char *script,
               struct view_result *result, struct err *err)
{
    if (trial->progress)
        trial->progress(trial->data, trial->done, trial->of, what);
    trial->done++;
    const struct view_job job = {.root = record_text(trial->record, trial->record->root),
                                 .script = script,
                                 .timeout_ms = time_allowed(trial),
                                 .stop = trial->stop,
                                 .paths = (const char *const *)trial->watched.at,
                                 .paths_count = trial->watched.len};
    return view_run(&job, result, err);
}

/* The last lines of what was printed, indented. */
static void put_tail(struct str *out, const struct str *text)
{
    const char *start = str_text(text), *at = start + text->len;
    for (unsigned lines = 0; at > start; at--)
        if (at[-1] == '\n' && at < start + text->len && ++lines == EVIDENCE_LINES)
            break;
    while (*at) {
        size_t length = strcspn(at, "\n");
        if (length)
            str_addf(out, "    %.*s\n", (int)(length > 300 ? 300 : length), at);
        at += length + (at[length] == '\n');
    }
}

/* The first watched file that differs between two runs, or NULL. */
static const char *difference(const struct trial *trial, const struct view_result *a,
                              const struct view_result *b)
{
    for (size_t i = 0; i < trial->watched.len && !trial->unsteady; i++)
        if (a->there[i] != b->there[i] || !hash_equal(a->hashes[i], b->hashes[i]))
            return trial->watched.at[i];
    return NULL;
}

static void say(struct trial *trial, enum race_verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void say(struct trial *trial, enum race_verdict verdict, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    trial->proof->verdict = verdict;
    str_cut(&trial->proof->evidence, 0);
    str_addf(&trial->proof->evidence, "%s\n", text);
    free(text);
}

/* The undisturbed run, twice: false where nothing can be said by it. `first` is kept for comparing. */
static bool controls(struct trial *trial, struct view_result *first)
{
    struct err err = {0};
    struct view_result second;
    if (run(trial, "as it should be", str_text(&trial->good), first, &err) < 0) {
        say(trial, VERDICT_UNDECIDED, "undecided: %s", err.text);
        return false;
    }
    if (first->timed_out) {
        say(trial, VERDICT_UNDECIDED,
            "undecided: undisturbed it did not end within the %u s that it was given",
            time_allowed(trial) / 1000);
        return false;
    }
    if (first->status != 0) {
        say(trial, VERDICT_UNDECIDED,
            "undecided: run by itself and undisturbed it ends with %d already:", first->status);
        put_tail(&trial->proof->evidence, &first->output);
        return false;
    }
    if (run(trial, "the same again", str_text(&trial->good), &second, &err) < 0) {
        say(trial, VERDICT_UNDECIDED, "undecided: %s", err.text);
        return false;
    }
    bool fine = second.status == 0;
    const char *differs = fine ? difference(trial, first, &second) : NULL;
    if (!fine)
        say(trial, VERDICT_UNDECIDED, "undecided: undisturbed it went well once, then not (%d)",
            second.status);
    if (differs) /* bytes say nothing then; that it fails may say something */
        trial->unsteady = true;
    view_free(&second);
    return fine;
}

/* Judges one disturbed run by its end and its bytes. True where that decides. */
static bool judge(struct trial *trial, const char *what, const struct view_result *good,
                  const struct view_result *bad)
{
    if (bad->timed_out) {
        say(trial, VERDICT_UNDECIDED, "undecided: %s: it did not end in time", what);
        return false;
    }
    if (bad->status != 0) {
        say(trial, VERDICT_PROVED, "proved: %s, it ends with %d:", what, bad->status);
        put_tail(&trial->proof->evidence, &bad->output);
        return true;
    }
    const char *differs = difference(trial, good, bad);
    if (differs)
        say(trial, VERDICT_PROVED, "proved: %s, it ends well, but %s has other bytes", what,
            differs);
    return differs != NULL;
}

/* ---- the experiments ---- */

/* A file that the first step edits in place: what it was before is known to git, or to nobody. */
static bool is_edited(const struct trial *trial)
{
    const char *path = race_path(trial->record, trial->path);
    return trial->class == RACE_OVERWRITE && !is_in_list(&trial->made_by_first, path);
}

static void put_restoring(const struct trial *trial, struct str *out)
{
    struct str path = {0};
    text_shell_quote(&path, race_path(trial->record, trial->path));
    str_addf(out, "git show HEAD:./%s >%s || { echo 'not in git'; exit 3; }\n", str_text(&path),
             str_text(&path));
    str_free(&path);
}

/* The second step, without what the first one makes. */
static void try_before(struct trial *trial)
{
    struct view_result good = {0}, bad = {0};
    struct err err = {0};
    if (is_edited(trial))
        put_restoring(trial, &trial->bad);
    put_removal(&trial->good, &trial->made_by_second);
    bool known = put_run(trial, trial->second, &trial->good);
    put_removal(&trial->bad, &trial->made_by_first);
    put_removal(&trial->bad, &trial->made_by_second);
    put_run(trial, trial->second, &trial->bad);
    if (!known) {
        say(trial, VERDICT_UNDECIDED, "undecided: nobody knows how %s is run by itself",
            race_target(trial->record, trial->second));
        return;
    }
    if (!trial->made_by_first.len && !is_edited(trial)) {
        say(trial, VERDICT_UNDECIDED, "undecided: what %s was before %s changed it is not known",
            race_path(trial->record, trial->path), race_target(trial->record, trial->first));
        return;
    }
    if (controls(trial, &good)) {
        vec_push(&trial->watched,
                 mem_copy(trial->made_by_first.len ? trial->made_by_first.at[0]
                                                   : race_path(trial->record, trial->path)));
        char *what = mem_format("%s before %s", race_target(trial->record, trial->second),
                                race_target(trial->record, trial->first));
        if (run(trial, what, str_text(&trial->bad), &bad, &err) < 0) {
            say(trial, VERDICT_UNDECIDED, "undecided: %s", err.text);
        } else {
            bool again = bad.there[trial->watched.len - 1];
            free(trial->watched.at[--trial->watched.len]);
            if (is_edited(trial) && bad.status == 3 &&
                strstr(str_text(&bad.output), "not in git")) {
                say(trial, VERDICT_UNDECIDED,
                    "undecided: what %s was before %s changed it is not known",
                    race_path(trial->record, trial->path),
                    race_target(trial->record, trial->first));
            } else if (!judge(trial, what, &good, &bad) && !bad.timed_out) {
                if (again && !is_edited(trial))
                    say(trial, VERDICT_UNDECIDED, "undecided: make ran %s again by itself",
                        race_target(trial->record, trial->first));
                else if (trial->unsteady)
                    say(trial, VERDICT_UNDECIDED, "undecided: its bytes differ from run to run");
                else
                    say(trial, VERDICT_HARMLESS, "harmless: %s, the same bytes come out", what);
            }
        }
        free(what);
    }
    view_free(&good);
    view_free(&bad);
}

/* Both in this order, from clean: "A, then B". */
static bool put_order(struct trial *trial, uint32_t a, uint32_t b, struct str *out)
{
    put_removal(out, &trial->made_by_first);
    put_removal(out, &trial->made_by_second);
    str_add(out, "set -e\n");
    bool known = put_run(trial, a, out);
    return put_run(trial, b, out) && known;
}

static void put_at_once(struct trial *trial, bool slow, struct str *out)
{
    str_add(out, slow ? slow_tools : "");
    bool is_long = time_needed_ms(trial) > LONG_MS;
    str_addf(out, "for try in %s; do\n", slow || is_long ? "1" : "1 2 3 4 5 6");
    put_removal(out, &trial->made_by_first);
    put_removal(out, &trial->made_by_second);
    put_both(trial, out);
    str_add(out, "    [ $? = 0 ] || exit 1\ndone\n");
}

/* Two steps that use one name: the other order, then at once, then at once with slow tools. */
static void try_together(struct trial *trial)
{
    struct view_result good = {0}, bad = {0};
    struct err err = {0};
    bool decided = false, ran = true;
    if (!put_order(trial, trial->first, trial->second, &trial->good)) {
        say(trial, VERDICT_UNDECIDED, "undecided: nobody knows how they are run by themselves");
        return;
    }
    if (!controls(trial, &good)) {
        view_free(&good);
        return;
    }
    static const char *const names[] = {"in the other order", "at once, with slow tools",
                                        "at once"};
    for (unsigned i = 0; i < 3 && !decided && ran; i++) {
        str_cut(&trial->bad, 0);
        if (i == 0)
            put_order(trial, trial->second, trial->first, &trial->bad);
        else
            put_at_once(trial, i == 1, &trial->bad);
        char *what = mem_format("%s and %s %s", race_target(trial->record, trial->first),
                                race_target(trial->record, trial->second), names[i]);
        ran = run(trial, what, str_text(&trial->bad), &bad, &err) == 0;
        if (!ran)
            say(trial, VERDICT_UNDECIDED, "undecided: %s", err.text);
        else
            decided = judge(trial, what, &good, &bad);
        view_free(&bad);
        free(what);
    }
    if (ran && !decided) {
        if (!trial->unsteady)
            say(trial, VERDICT_HARMLESS,
                "harmless: in either order and at once, the same bytes come out");
        else
            say(trial, VERDICT_UNDECIDED,
                "undecided: it went well in either order and at once, but its bytes "
                "differ from run to run");
    }
    view_free(&good);
}

static bool is_together(enum race_class class)
{
    return class == RACE_WRITE_WRITE || class == RACE_SCRATCH || class == RACE_DOUBLE_WORK ||
           class == RACE_CHECK_THEN_CREATE;
}

/* Whether what the first step removed is absent since: the tree is as after it. */
static bool is_gone(const struct trial *trial)
{
    return access(record_text(trial->record, trial->path), F_OK) != 0;
}

/* The recorded build is the good run: the second step went well while the path was there. Now it is
 * run without; that it complains of this very name decides. */
static void try_gone(struct trial *trial)
{
    struct view_result now = {0};
    struct err err = {0};
    const char *name = path_base(race_path(trial->record, trial->path));
    char *what = mem_format("%s after %s", race_target(trial->record, trial->second),
                            race_target(trial->record, trial->first));
    if (run(trial, what, str_text(&trial->good), &now, &err) < 0)
        say(trial, VERDICT_UNDECIDED, "undecided: %s", err.text);
    else if (now.status != 0 && strstr(str_text(&now.output), name))
        judge(trial, what, &now, &now);
    else
        say(trial, VERDICT_UNDECIDED, "undecided: %s is gone, and what it was is not known",
            race_path(trial->record, trial->path));
    view_free(&now);
    free(what);
}

/* The first step takes away: it first, then the second. */
static void try_removal(struct trial *trial)
{
    struct view_result good = {0}, bad = {0};
    struct err err = {0};
    put_removal(&trial->good, &trial->made_by_second);
    bool known = put_run(trial, trial->second, &trial->good);
    str_add(&trial->bad, "rm -rf -- ");
    text_shell_quote(&trial->bad, race_path(trial->record, trial->path));
    str_add_char(&trial->bad, '\n');
    put_removal(&trial->bad, &trial->made_by_second);
    put_run(trial, trial->second, &trial->bad);
    if (!known)
        say(trial, VERDICT_UNDECIDED, "undecided: nobody knows how %s is run by itself",
            race_target(trial->record, trial->second));
    else if (is_gone(trial))
        try_gone(trial);
    else if (controls(trial, &good)) {
        char *what = mem_format("%s after %s", race_target(trial->record, trial->second),
                                race_target(trial->record, trial->first));
        if (run(trial, what, str_text(&trial->bad), &bad, &err) < 0)
            say(trial, VERDICT_UNDECIDED, "undecided: %s", err.text);
        else if (!judge(trial, what, &good, &bad) && !bad.timed_out)
            say(trial, VERDICT_HARMLESS, "harmless: %s, the same bytes come out", what);
        free(what);
    }
    view_free(&good);
    view_free(&bad);
}

static void try_pair(struct trial *trial)
{
    const char *out = reaches_out(trial->record, trial->first);
    if (!out)
        out = reaches_out(trial->record, trial->second);
    list_outputs(trial->record, trial->first, &trial->made_by_first);
    list_outputs(trial->record, trial->second, &trial->made_by_second);
    bool together = is_together(trial->class);
    for (size_t i = 0; i < trial->made_by_second.len; i++)
        vec_push(&trial->watched, mem_copy(trial->made_by_second.at[i]));
    for (size_t i = 0; together && i < trial->made_by_first.len; i++)
        if (!is_in_list(&trial->watched, trial->made_by_first.at[i]))
            vec_push(&trial->watched, mem_copy(trial->made_by_first.at[i]));
    trial->of = together ? 5 : 3;
    if (trial->class == RACE_GOAL_DEPENDENT)
        say(trial, VERDICT_UNDECIDED,
            "undecided: build it for one goal, then from clean for the other, and compare");
    else if (out)
        say(trial, VERDICT_UNDECIDED, "undecided: it changes what is outside of the tree: %s", out);
    else if (together)
        try_together(trial);
    else if (trial->class == RACE_REMOVAL)
        try_removal(trial);
    else
        try_before(trial);
}

/* ---- the script ---- */

static char *write_script(const struct trial *trial, const struct report_finding *finding,
                          const char *state_dir, struct err *err)
{
    struct str text = {0}, sentence = {0};
    const char *root = record_text(trial->record, trial->record->root);
    race_sentence(trial->report, finding, &sentence);
    str_addf(
        &text,
        "#!/bin/sh\n"
        "# %s (%s).\n"
        "# It works in a copy of the tree and needs nothing but a shell and what the build needs.\n"
        "# Usage: sh %s.sh [TREE]\n"
        "set -u\n"
        "tree=${1:-",
        str_text(&sentence), race_class_name(finding->class), finding->id);
    text_shell_quote(&text, root);
    str_addf(&text,
             "}\n"
             "copy=$(mktemp -d) || exit 2\n"
             "trap 'rm -rf \"$copy\"' EXIT\n"
             "unset MAKEFLAGS MAKELEVEL MFLAGS\n"
             "try() {\n"
             "    rm -rf \"$copy/tree\"\n"
             "    cp -a \"$tree\" \"$copy/tree\" && cd \"$copy/tree\" || exit 2\n"
             "}\n\n"
             "echo '== as it should be: this ends well'\n"
             "try\n(\n%s) || { echo 'it does not'; exit 2; }\n\n"
             "echo '== in another order that the makefiles allow'\n"
             "try\n(\n%s)\n"
             "status=$?\n"
             "echo \"== it ended with $status\"\n"
             "exit $status\n",
             str_text(&trial->good), str_text(&trial->bad));
    char *path = mem_format("%s/prove/%s.sh", state_dir, finding->id);
    if (file_make_parents(path, err) < 0 || file_write(path, text.at, text.len, 0777, err) < 0) {
        free(path);
        path = NULL;
    }
    str_free(&text);
    str_free(&sentence);
    return path;
}

static void free_trial(struct trial *trial)
{
    str_list_free(&trial->made_by_first);
    str_list_free(&trial->made_by_second);
    str_list_free(&trial->watched);
    str_free(&trial->good);
    str_free(&trial->bad);
}

/* The pairs that are tried: that which is told first, then others with another second step. */
static unsigned choose_pairs(const struct report_finding *finding, struct race_witness *pairs)
{
    unsigned count = 1;
    pairs[0] =
        (struct race_witness){finding->first, finding->second, finding->path, finding->class};
    for (uint32_t i = 0; i < finding->witnesses_count && count < PAIRS_TRIED; i++) {
        const struct race_witness *one = &finding->witnesses[i];
        bool other = true;
        for (unsigned k = 0; k < count; k++)
            other &= pairs[k].second != one->second || pairs[k].first != one->first;
        if (other)
            pairs[count++] = *one;
    }
    return count;
}

int race_prove(const struct race_report *report, const struct report_finding *finding,
               const char *state_dir, const volatile sig_atomic_t *stop, proof_progress *progress,
               void *data, struct proof *proof, struct err *err)
{
    *proof = (struct proof){0};
    struct race_witness pairs[PAIRS_TRIED];
    unsigned count = choose_pairs(finding, pairs);
    int status = 0;
    for (unsigned i = 0; i < count && proof->verdict != VERDICT_PROVED && !(stop && *stop); i++) {
        struct proof one = {0};
        struct trial trial = {.report = report,
                              .record = report->record,
                              .class = pairs[i].class,
                              .first = pairs[i].first,
                              .second = pairs[i].second,
                              .path = pairs[i].path,
                              .stop = stop,
                              .proof = &one,
                              .progress = progress,
                              .data = data};
        try_pair(&trial);
        bool better = i == 0 || one.verdict == VERDICT_PROVED ||
                      (one.verdict == VERDICT_UNDECIDED && proof->verdict == VERDICT_HARMLESS);
        if (better) {
            proof_free(proof);
            *proof = one;
            if (one.verdict != VERDICT_UNDECIDED) {
                proof->script = write_script(&trial, finding, state_dir, err);
                status = proof->script ? 0 : -1;
            }
        } else {
            proof_free(&one);
        }
        free_trial(&trial);
    }
    bool stopped = stop && *stop && proof->verdict != VERDICT_PROVED; /* then nothing is known */
    if (status == 0 && !stopped)
        status = ledger_set_verdict(state_dir, finding->id, proof->verdict,
                                    str_text(&proof->evidence), proof->script, err);
    return status;
}

void proof_free(struct proof *proof)
{
    str_free(&proof->evidence);
    free(proof->script);
    *proof = (struct proof){0};
}

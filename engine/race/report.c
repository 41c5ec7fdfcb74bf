#include "race/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "trace/trace.h"

const char *race_target(const struct record *record, uint32_t step)
{
    return step < record->steps.len ? record_text(record, record->steps.at[step].target) : "";
}

const char *race_path(const struct record *record, uint32_t path)
{
    const char *root = record_text(record, record->root), *text = record_text(record, path);
    size_t length = strlen(root);
    if (strncmp(text, root, length) != 0)
        return text;
    return text[length] == '/' ? text + length + 1 : text[length] ? text : ".";
}

const struct race_access *race_access_of(const struct record *record, uint32_t step, uint32_t path,
                                         const char **program)
{
    if (step >= record->steps.len)
        return NULL;
    const struct record_step *of = &record->steps.at[step];
    uint32_t low = of->accesses, high = low + of->accesses_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (record->accesses.at[middle].path < path)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == of->accesses + of->accesses_count || record->accesses.at[low].path != path)
        return NULL;
    if (program)
        *program = record_text(record, record->programs.at[low]);
    return &record->accesses.at[low];
}

/* ---- findings ---- */

static bool is_shared_name(enum race_class class)
{
    return class == RACE_WRITE_WRITE || class == RACE_SCRATCH || class == RACE_DOUBLE_WORK ||
           class == RACE_CHECK_THEN_CREATE;
}

/* What the id of a finding goes by in place of its class, which differs with the order in which the
 * steps happened to run. */
static const char *kind_of(enum race_class class)
{
    bool edge = class == RACE_MISSING_EDGE || class == RACE_OVERWRITE || class == RACE_SHADOW;
    return edge ? "edge" : is_shared_name(class) ? "shared" : race_class_name(class);
}

/* Which of two witnesses tells more: by path, then by target, as texts. */
static int compare_witnesses(const struct record *record, const struct race_witness *a,
                             const struct race_witness *b)
{
    int by_path = strcmp(record_text(record, a->path), record_text(record, b->path));
    if (by_path)
        return by_path;
    int by_first = strcmp(race_target(record, a->first), race_target(record, b->first));
    return by_first ? by_first
                    : strcmp(race_target(record, a->second), race_target(record, b->second));
}

/* The step whose make a step is of, or ORDER_TOP. */
static uint32_t parent_of(const struct record *record, uint32_t step)
{
    uint32_t make = record->steps.at[step].make;
    return make < record->makes.len ? record->makes.at[make].parent : ORDER_TOP;
}

/* The first path by name of all that show a finding. */
static uint32_t least_path(const struct record *record, const struct report_finding *finding)
{
    uint32_t least = finding->path;
    for (uint32_t i = 0; i < finding->witnesses_count; i++)
        if (strcmp(record_text(record, finding->witnesses[i].path), record_text(record, least)) < 0)
            least = finding->witnesses[i].path;
    return least;
}

/* What the id is made of: the kind, the path that is shared or the step that one edit concerns, and the
 * step that runs its make. */
static char *key_of(const struct record *record, const struct report_finding *finding)
{
    enum race_class class = finding->class;
    if (is_shared_name(class) || class == RACE_DIRECTORY)
        return mem_format("%s|%s|", kind_of(class), race_path(record, least_path(record, finding)));
    uint32_t step = class == RACE_LISTING ? finding->second : finding->first;
    uint32_t runs = parent_of(record, step);
    return mem_format("%s|%s|%s", kind_of(class), race_target(record, step),
                      runs == ORDER_TOP ? "" : race_target(record, runs));
}

static bool is_id_taken(const struct race_report *report, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(report->findings.at[i].id, id) == 0)
            return true;
    return false;
}

static void put_id(struct report_finding *finding, const char *key)
{
    static const char digits[] = "0123456789abcdef";
    struct hash hash = hash_bytes(key, strlen(key));
    for (unsigned i = 0; i < 8; i++)
        finding->id[i] = digits[hash.low >> (4 * i) & 15];
}

/* Names the finding at `index`; those before it have their ids. */
static void name_finding(struct race_report *report, size_t index)
{
    struct report_finding *finding = &report->findings.at[index];
    char *key = key_of(report->record, finding);
    put_id(finding, key);
    for (unsigned more = 0; is_id_taken(report, index, finding->id); more++) {
        char *longer = mem_format("%s|%s|%s|%u", key, race_target(report->record, finding->first),
                                  race_target(report->record, finding->second), more);
        put_id(finding, longer);
        free(longer);
    }
    free(key);
}

static void add_finding(struct race_report *report, const struct race_finding *from)
{
    static const enum severity severities[] = {SEVERITY_ERROR, SEVERITY_WARNING, SEVERITY_NOTE};
    const struct race_witness *all = report->result.witnesses.at + from->witnesses, *best = NULL;
    for (uint32_t i = 0; i < from->witnesses_count; i++)
        if (all[i].class == from->class &&
            (!best || compare_witnesses(report->record, &all[i], best) < 0))
            best = &all[i];
    struct report_finding finding = {.class = from->class,
                                     .severity = severities[race_class_grade(from->class)],
                                     .first = best->first,
                                     .second = best->second,
                                     .path = best->path,
                                     .witnesses = all,
                                     .witnesses_count = from->witnesses_count};
    vec_push(&report->findings, finding);
}

static int by_weight(const void *left, const void *right, void *data)
{
    const struct report_finding *a = left, *b = right;
    const struct record *record = data;
    if (a->severity != b->severity)
        return a->severity > b->severity ? -1 : 1;
    int by_target = strcmp(race_target(record, a->first), race_target(record, b->first));
    if (by_target)
        return by_target;
    int by_path = strcmp(record_text(record, a->path), record_text(record, b->path));
    return by_path ? by_path : (a->class > b->class) - (a->class < b->class);
}

static void name_findings(struct race_report *report)
{
    for (size_t i = 0; i < report->result.findings.len; i++)
        add_finding(report, &report->result.findings.at[i]);
    if (report->findings.len)
        qsort_r(report->findings.at, report->findings.len, sizeof *report->findings.at, by_weight,
                (void *)(uintptr_t)report->record);
    for (size_t i = 0; i < report->findings.len; i++)
        name_finding(report, i);
}

void race_report_make(struct race_report *report, const struct record *record)
{
    *report = (struct race_report){.record = record};
    record_input(record, &report->input);
    if (race_detect(&report->input.input, &report->result) == 0) /* record_input leaves no rings */
        name_findings(report);
}

void race_report_of(struct race_report *report, const struct record *record,
                    const struct race_result *result)
{
    *report = (struct race_report){.record = record, .result = *result};
    name_findings(report);
}

void race_report_free(struct race_report *report)
{
    record_input_free(&report->input);
    race_result_free(&report->result);
    vec_free(&report->findings);
}

const struct report_finding *race_report_find(const struct race_report *report, const char *id,
                                              struct err *err)
{
    const struct report_finding *found = NULL;
    for (size_t i = 0; i < report->findings.len; i++) {
        if (!str_starts(report->findings.at[i].id, id))
            continue;
        if (found) {
            err_set(err, ERR_INPUT, "%s is the beginning of several findings' ids; say more of it",
                    id);
            return NULL;
        }
        found = &report->findings.at[i];
    }
    if (!found)
        err_set(err, ERR_INPUT, "there is no finding %s; gantry races list shows them", id);
    return found;
}

/* ---- words ---- */

static char *name_with_place(const struct record *record, uint32_t step)
{
    uint32_t runs = parent_of(record, step);
    return runs == ORDER_TOP
               ? mem_format("%s (of the first make)", race_target(record, step))
               : mem_format("%s (run by %s)", race_target(record, step), race_target(record, runs));
}

void race_sentence(const struct race_report *report, const struct report_finding *finding,
                   struct str *out)
{
    const struct record *record = report->record;
    const char *first = race_target(record, finding->first),
               *second = race_target(record, finding->second),
               *path = race_path(record, finding->path);
    char *names[2] = {NULL, NULL};
    if (strcmp(first, second) == 0) { /* of two makes: say where each runs */
        first = names[0] = name_with_place(record, finding->first);
        second = names[1] = name_with_place(record, finding->second);
    }
    switch (finding->class) {
    case RACE_MISSING_EDGE:
        str_addf(out, "%s reads %s, which %s makes, and nothing says that it comes after", second,
                 path, first);
        break;
    case RACE_WRITE_WRITE:
        str_addf(out, "%s and %s both write %s", first, second, path);
        break;
    case RACE_OVERWRITE:
        str_addf(out, "%s changes %s in place while %s may read it", first, path, second);
        break;
    case RACE_SHADOW:
        str_addf(out, "%s looked for %s in vain; %s makes it, before or after", second, path,
                 first);
        break;
    case RACE_LISTING:
        str_addf(out, "%s lists %s, in which %s makes or removes names", second, path, first);
        break;
    case RACE_DIRECTORY:
        str_addf(out, "%s needs the directory %s, which only %s makes, in no declared order",
                 second, path, first);
        break;
    case RACE_SCRATCH:
        str_addf(out, "%s and %s both use the temporary name %s", first, second, path);
        break;
    case RACE_CHECK_THEN_CREATE:
        str_addf(out, "%s and %s both look for %s and make it where it is absent", first, second,
                 path);
        break;
    case RACE_REMOVAL:
        str_addf(out, "%s removes %s, which %s uses", first, path, second);
        break;
    case RACE_DOUBLE_WORK:
        str_addf(out, "one recipe runs for %s and again for %s, and writes %s each time", first,
                 second, path);
        break;
    case RACE_GOAL_DEPENDENT:
        for (size_t i = 0; i < record->goals.len; i++) {
            const struct record_goal *goal = &record->goals.at[i];
            if (goal->step != finding->first)
                continue;
            str_addf(out,
                     "the command of %s uses %s, which %s sets for what it needs; %s needs it too, "
                     "and the first that comes decides",
                     race_target(record, goal->step), record_text(record, goal->variable),
                     record_text(record, goal->owner), record_text(record, goal->other));
            break;
        }
        break;
    default:
        break;
    }
    free(names[0]);
    free(names[1]);
}

void race_access_words(const struct race_access *access, struct str *out)
{
    static const struct {
        uint32_t kind;
        const char *word;
    } words[] = {
        {ACCESS_CREATE, "created"},  {ACCESS_WRITE, "wrote"},   {ACCESS_REMOVE, "removed"},
        {ACCESS_MKDIR, "made"},      {ACCESS_RMDIR, "removed"}, {ACCESS_ENSURE, "found there"},
        {ACCESS_EXEC, "executed"},   {ACCESS_LIST, "listed"},   {ACCESS_LINK, "followed"},
        {ACCESS_META, "touched up"},
    };
    size_t before = out->len;
    uint32_t reads = access->kinds & (ACCESS_READ | ACCESS_EXEC);
    if (reads == ACCESS_READ)
        str_add(out, access->found ? "read" : "looked up in vain");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (access->kinds & words[i].kind)
            str_addf(out, "%s%s", out->len > before ? ", " : "", words[i].word);
    if (out->len == before)
        str_add(out, access->found ? "looked at" : "looked at, absent");
}

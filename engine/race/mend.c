/*
 * The places: a recipe is known by its first line (make's data base says it); the rule's own line is
 * the nearest one above that is no recipe line and does not go on from one before. New rules are put
 * after the end of that recipe, so that no default goal changes and conditionals keep what they hold.
 */
#include "race/mend.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "race/export.h"
#include "race/report.h"

enum { CONTEXT = 3, LINE_WIDTH = 90 };

/* A makefile as lines, and where one recipe stands in it. */
struct place {
    char *path; /* absolute */
    char *text;
    VEC(const char *) lines; /* starts; one more at the end */
    size_t rule, recipe, end; /* indexes: rule's first line, first of the recipe, after its last */
};

static void split(struct place *place)
{
    for (const char *at = place->text; *at;) {
        vec_push(&place->lines, at);
        at += strcspn(at, "\n");
        at += *at == '\n';
    }
    vec_push(&place->lines, place->text + strlen(place->text));
}

static size_t lines_count(const struct place *place)
{
    return place->lines.len - 1;
}

static size_t length_of(const struct place *place, size_t line)
{
    size_t length = (size_t)(place->lines.at[line + 1] - place->lines.at[line]);
    while (length && strchr("\r\n", place->lines.at[line][length - 1]))
        length--;
    return length;
}

static bool goes_on(const struct place *place, size_t line)
{
    size_t length = length_of(place, line);
    return length && place->lines.at[line][length - 1] == '\\';
}

static bool is_recipe(const struct place *place, size_t line)
{
    return place->lines.at[line][0] == '\t' ||
           (line && goes_on(place, line - 1) && is_recipe(place, line - 1));
}

static void place_free(struct place *place)
{
    free(place->path);
    free(place->text);
    vec_free(&place->lines);
    *place = (struct place){0};
}

/* Finds a step's rule. False (and nothing to free) where it stands in no file. */
static bool find_place(const struct record *record, uint32_t step, struct place *place)
{
    uint32_t number = 0;
    char *file = race_recipe_file(record, step, &number);
    *place = (struct place){0};
    if (!file)
        return false;
    place->path = path_join(record_text(record, record->root), file);
    free(file);
    place->text = file_read(place->path, NULL, NULL);
    if (place->text)
        split(place);
    size_t count = place->text ? lines_count(place) : 0;
    if (!number || number > count) {
        place_free(place);
        return false;
    }
    size_t line = place->recipe = number - 1;
    /* "target: prerequisites ; recipe" stands on the rule's own line. */
    while (line && is_recipe(place, line))
        line--;
    while (line && (goes_on(place, line - 1) || place->lines.at[line][0] == '#' ||
                    length_of(place, line) == 0 ||
                    !memchr(place->lines.at[line], ':', length_of(place, line))))
        line--;
    place->rule = line;
    for (place->end = number; place->end < count && is_recipe(place, place->end);)
        place->end++;
    return memchr(place->lines.at[line], ':', length_of(place, line)) != NULL;
}

/* ---- the edit ---- */

/* Replaces `removed` lines from `at` on by `text` (whole lines). */
static void edit(struct mend *mend, const struct place *place, size_t at, size_t removed,
                 const char *text)
{
    struct str after = {0};
    str_add_n(&after, place->text, (size_t)(place->lines.at[at] - place->text));
    if (at && after.len && after.at[after.len - 1] != '\n')
        str_add_char(&after, '\n');
    str_add(&after, text);
    str_add(&after, place->lines.at[at + removed]);
    mend->file = mem_copy(place->path);
    mend->line = (unsigned)at + 1;
    mend->before = mem_copy(place->text);
    mend->after = str_take(&after);
}

static void put_lines(struct str *out, char mark, const struct place *place, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        str_addf(out, "%c%.*s\n", mark, (int)length_of(place, i), place->lines.at[i]);
}

static void make_diff(const struct record *record, struct mend *mend, const struct place *place,
                      size_t at, size_t removed, const char *text)
{
    const char *root = record_text(record, record->root);
    char *name = path_relative(place->path, root);
    size_t count = lines_count(place), from = at > CONTEXT ? at - CONTEXT : 0;
    size_t to = at + removed + CONTEXT < count ? at + removed + CONTEXT : count, added = 0;
    for (const char *c = text; *c; c++)
        added += *c == '\n';
    str_addf(&mend->diff, "--- a/%s\n+++ b/%s\n@@ -%zu,%zu +%zu,%zu @@\n", name, name, from + 1,
             to - from, from + 1, to - from - removed + added);
    put_lines(&mend->diff, ' ', place, from, at);
    put_lines(&mend->diff, '-', place, at, at + removed);
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        str_addf(&mend->diff, "+%.*s\n", (int)length, line);
        line += length + (line[length] == '\n');
    }
    put_lines(&mend->diff, ' ', place, at + removed, to);
    free(name);
}

static void put_edit(const struct record *record, struct mend *mend, const struct place *place,
                     size_t at, size_t removed, const char *text)
{
    bool crlf = place->lines.len > 1 && strstr(place->text, "\r\n");
    struct str lines = {0};
    for (const char *c = text; *c; c++) {
        if (crlf && *c == '\n')
            str_add_char(&lines, '\r');
        str_add_char(&lines, *c);
    }
    edit(mend, place, at, removed, str_text(&lines));
    make_diff(record, mend, place, at, removed, text);
    str_free(&lines);
}

/* ---- which edge ---- */

static uint32_t parent_of(const struct record *record, uint32_t step)
{
    uint32_t make = record->steps.at[step].make;
    return make < record->makes.len ? record->makes.at[make].parent : ORDER_TOP;
}

static unsigned depth_of(const struct record *record, uint32_t step)
{
    unsigned depth = 0;
    for (uint32_t up = parent_of(record, step); up != ORDER_TOP && depth < 1000;
         up = parent_of(record, up))
        depth++;
    return depth;
}

/* Climbs to two steps of one make: there the order can be declared. False where there are none. */
static bool meet(const struct record *record, uint32_t *a, uint32_t *b)
{
    while (record->steps.at[*a].make != record->steps.at[*b].make) {
        uint32_t *deeper = depth_of(record, *a) >= depth_of(record, *b) ? a : b;
        *deeper = parent_of(record, *deeper);
        if (*deeper == ORDER_TOP)
            return false;
    }
    return *a != *b;
}

static const char *goal_of(const struct record *record, uint32_t step)
{
    const struct record_step *of = &record->steps.at[step];
    return record_text(record, of->goal != INTERN_NONE ? of->goal : of->target);
}

/* Whether the recipe speaks of all of its prerequisites, or of those that are new. */
static bool uses_prerequisites(const struct place *place)
{
    for (size_t i = place->recipe; i < place->end; i++) {
        static const char *const names[] = {"$^", "$+", "$?", "$(^", "$(+", "$(?", "$|"};
        for (size_t k = 0; k < sizeof names / sizeof *names; k++)
            if (memmem(place->lines.at[i], length_of(place, i), names[k], strlen(names[k])))
                return true;
    }
    return false;
}

static void put_name(struct str *out, const char *name)
{
    for (; *name; name++) { /* as make wants it in a rule */
        if (strchr(" #%:", *name))
            str_add_char(out, '\\');
        if (*name == '$')
            str_add_char(out, '$');
        str_add_char(out, *name);
    }
}

/* The readers' targets in one make, without repetition, as "a b \\\n    c". */
static void put_targets(const struct race_report *report, const struct report_finding *finding,
                        uint32_t first, uint32_t make, struct str *out)
{
    const struct record *record = report->record;
    struct intern names = {0};
    size_t width = 0;
    for (uint32_t i = 0; i < finding->witnesses_count; i++) {
        uint32_t a = finding->witnesses[i].first, b = finding->witnesses[i].second;
        if (!meet(record, &a, &b) || a != first || record->steps.at[b].make != make)
            continue;
        const char *name = goal_of(record, b);
        if (intern_find(&names, name) != INTERN_NONE)
            continue;
        intern_id(&names, name);
        size_t length = strlen(name);
        if (width && width + length > LINE_WIDTH) {
            str_add(out, " \\\n    ");
            width = 4;
        } else if (width) {
            str_add_char(out, ' ');
        }
        put_name(out, name);
        width += length + 1;
    }
    intern_free(&names);
}

/* The name that a line of a module.mk gives its target: what stands before the colon; or "". */
static void name_at(const struct record *record, uint32_t step, struct place *place,
                    struct str *name)
{
    uint32_t number = 0;
    char *file = race_recipe_file(record, step, &number);
    *place = (struct place){0};
    if (file) {
        place->path = path_join(record_text(record, record->root), file);
        place->text = file_read(place->path, NULL, NULL);
        free(file);
    }
    if (place->text)
        split(place);
    if (!place->text || !number || number > lines_count(place))
        return;
    place->rule = number - 1;
    const char *line = place->lines.at[place->rule];
    const char *colon = memchr(line, ':', length_of(place, place->rule));
    if (colon && colon[1] != '=' && !memchr(line, ' ', (size_t)(colon - line)))
        str_add_n(name, line, (size_t)(colon - line));
}

/* The last line that says something of a target: what comes after it is not replaced any more. */
static size_t last_of(const struct place *place, const char *name)
{
    size_t last = place->rule, length = strlen(name);
    for (size_t i = place->rule; i < lines_count(place); i++)
        if (length_of(place, i) > length && memcmp(place->lines.at[i], name, length) == 0 &&
            place->lines.at[i][length] == ':')
            last = i;
    while (last + 1 < lines_count(place) && goes_on(place, last))
        last++;
    return last;
}

/* In a module.mk: "SECOND: inputs += FIRST" behind what it says of the second. */
static void mend_native(const struct race_report *report, const struct report_finding *finding,
                        struct mend *mend)
{
    const struct record *record = report->record;
    struct place first, second;
    struct str first_name = {0}, second_name = {0};
    name_at(record, finding->first, &first, &first_name);
    name_at(record, finding->second, &second, &second_name);
    if (first_name.len && second_name.len) {
        char *text =
            mem_format("%s: inputs += %s\n", str_text(&second_name), str_text(&first_name));
        put_edit(record, mend, &second, last_of(&second, str_text(&second_name)) + 1, 0, text);
        free(text);
    }
    str_addf(&mend->advice, "%s then comes after %s, and is made again when that changes",
             race_target(record, finding->second), race_target(record, finding->first));
    if (!mend->file) {
        str_cut(&mend->advice, 0);
        str_addf(&mend->advice, "name %s among the inputs of %s",
                 race_target(record, finding->first), race_target(record, finding->second));
    }
    str_free(&first_name);
    str_free(&second_name);
    place_free(&first);
    place_free(&second);
}

/* Of a pattern rule "$(out)/%.o: %.c" and what it made of a source, what "$(out)" stands for: the stem is
 * what names a source that is there. False where none does. */
static bool find_pattern_prefix(const struct place *place, const char *goal, const char *directory,
                                struct str *meant)
{
    const char *line = place->lines.at[place->rule], *end = line + length_of(place, place->rule);
    const char *percent = memchr(line, '%', (size_t)(end - line)),
               *colon = memchr(line, ':', (size_t)(end - line));
    if (!percent || !colon || percent > colon || percent[-1] != '/')
        return false;
    size_t tail = strcspn(percent + 1, " \t:"), length = strlen(goal);
    const char *source = colon + 1 + strspn(colon + 1, ": \t");
    if (source >= end || *source != '%' || tail >= length ||
        memcmp(goal + length - tail, percent + 1, tail) != 0)
        return false;
    size_t ending = strcspn(source + 1, " \t|\r\n");
    for (const char *slash = strchr(goal, '/'); slash; slash = strchr(slash + 1, '/')) {
        char *name = mem_format("%.*s%.*s", (int)(length - tail - (size_t)(slash + 1 - goal)),
                                slash + 1, (int)ending, source + 1);
        char *path = path_join(directory, name);
        bool there = access(path, F_OK) == 0;
        free(path);
        free(name);
        if (!there)
            continue;
        str_add_n(meant, goal, (size_t)(slash - goal));
        return true;
    }
    return false;
}

/* A rule says "$(out)/lib.so" of what is build/lib.so: what is said before the slash, and what it
 * stands for, where both are told apart by the same end. False where the rule says it plainly. */
static bool find_prefix(const struct place *place, const char *goal, const char *directory,
                        struct str *said, struct str *meant)
{
    const char *line = place->lines.at[place->rule];
    const char *close = memchr(line, ')', length_of(place, place->rule));
    if (line[0] != '$' || (line[1] != '(' && line[1] != '{') || !close || close[1] != '/')
        return false;
    size_t rest = strcspn(close + 1, " \t:\n");
    size_t length = strlen(goal);
    if (close[2] == '%' && find_pattern_prefix(place, goal, directory, meant)) {
        str_add_n(said, line, (size_t)(close + 1 - line));
        return true;
    }
    if (memchr(close + 1, '%', rest) || memchr(close + 1, '$', rest) || rest >= length ||
        memcmp(goal + length - rest, close + 1, rest) != 0)
        return false;
    str_add_n(said, line, (size_t)(close + 1 - line));
    str_add_n(meant, goal, length - rest);
    return true;
}

/* Says names of the line as the rule does. */
static void say_prefix(struct str *line, const struct place *place, const char *goal,
                       const char *directory)
{
    struct str said = {0}, meant = {0}, plain = {0}, out = {0};
    if (find_prefix(place, goal, directory, &said, &meant)) {
        put_name(&plain, str_text(&meant));
        for (const char *at = str_text(line); *at;) {
            bool starts = at == line->at || at[-1] == ' ' || at[-1] == '\n';
            if (starts && strncmp(at, plain.at, plain.len) == 0 && at[plain.len] == '/') {
                str_add(&out, str_text(&said));
                at += plain.len;
            } else {
                str_add_char(&out, *at++);
            }
        }
        str_cut(line, 0);
        str_add(line, str_text(&out));
    }
    str_free(&said);
    str_free(&meant);
    str_free(&plain);
    str_free(&out);
}

/* Where the make of a step works; new, absolute. */
static char *make_directory(const struct record *record, uint32_t step)
{
    uint32_t make = record->steps.at[step].make;
    const char *directory =
        make < record->makes.len ? record_text(record, record->makes.at[make].directory) : ".";
    return path_join(record_text(record, record->root), *directory ? directory : ".");
}

/* All else that is to come before the second: of what takes a file away, whoever uses it. */
static void put_other_needs(const struct record *record, const struct report_finding *finding,
                            uint32_t first, uint32_t second, struct str *out)
{
    struct intern names = {0};
    intern_id(&names, goal_of(record, first));
    for (uint32_t i = 0; finding->class == RACE_REMOVAL && i < finding->witnesses_count; i++) {
        uint32_t a = finding->witnesses[i].first, b = finding->witnesses[i].second;
        if (!meet(record, &a, &b) || b != second)
            continue;
        uint32_t known = intern_count(&names);
        if (intern_id(&names, goal_of(record, a)) < known)
            continue;
        str_add_char(out, ' ');
        put_name(out, goal_of(record, a));
    }
    intern_free(&names);
}

/* "SECOND...: [|] FIRST" after the rule of the second, or of the first where that has none. */
static void mend_edge(const struct race_report *report, const struct report_finding *finding,
                      bool order_only, struct mend *mend)
{
    const struct record *record = report->record;
    uint32_t first = finding->first, second = finding->second;
    struct place place;
    if (record->argv == INTERN_NONE && record->steps.at[first].goal == INTERN_NONE) {
        mend_native(report, finding, mend);
        return;
    }
    if (!meet(record, &first, &second)) {
        str_addf(&mend->advice,
                 "%s and %s run in makes that one recipe starts side by side: start "
                 "one after the other there",
                 race_target(record, finding->first), race_target(record, finding->second));
        return;
    }
    bool own = find_place(record, second, &place);
    if (!own && !find_place(record, first, &place)) {
        str_addf(&mend->advice, "let %s depend on %s; neither rule stands in a makefile",
                 goal_of(record, second), goal_of(record, first));
        return;
    }
    if (own && memmem(place.lines.at[place.rule], length_of(&place, place.rule), "::", 2)) {
        str_addf(
            &mend->advice,
            "name %s among the prerequisites of the rule of %s itself: of a double-colon rule no "
            "other line can say it",
            goal_of(record, first), goal_of(record, second));
        place_free(&place);
        return;
    }
    bool phony = record->steps.at[first].flags & RECORD_PHONY;
    order_only |= phony || (own && uses_prerequisites(&place));
    struct str line = {0};
    put_targets(report, finding, first, record->steps.at[second].make, &line);
    str_add(&line, order_only ? ": | " : ": ");
    put_name(&line, goal_of(record, first));
    put_other_needs(record, finding, first, second, &line);
    str_add_char(&line, '\n');
    char *directory = make_directory(record, own ? second : first);
    say_prefix(&line, &place, goal_of(record, own ? second : first), directory);
    free(directory);
    bool gap = place.end < lines_count(&place) && length_of(&place, place.end) != 0;
    char *text = mem_format("\n%s%s", str_text(&line), gap ? "\n" : "");
    put_edit(record, mend, &place, place.end, 0, text);
    str_addf(&mend->advice,
             order_only ? "%s then comes after %s, and is not made again because of it"
                        : "%s then comes after %s, and is made again when that changes",
             goal_of(record, second), goal_of(record, first));
    free(text);
    str_free(&line);
    place_free(&place);
}

/* ---- one recipe for several targets ---- */

/* The first make that knows "&:" is 4.3. */
static bool make_groups(void)
{
    FILE *pipe = popen("make --version 2>/dev/null", "re");
    unsigned major = 0, minor = 0;
    if (pipe) {
        if (fscanf(pipe, "GNU Make %u.%u", &major, &minor) != 2)
            major = 0;
        pclose(pipe);
    }
    return major > 4 || (major == 4 && minor >= 3);
}

/* Makes the rule's targets a group: "a b: c" becomes "a b &: c". */
static void mend_group(const struct race_report *report, const struct report_finding *finding,
                       struct mend *mend)
{
    const struct record *record = report->record;
    struct place place;
    bool one_make = record->steps.at[finding->first].make == record->steps.at[finding->second].make;
    if (!one_make || !find_place(record, finding->first, &place)) {
        mend_edge(report, finding, true, mend);
        return;
    }
    if (!make_groups()) {
        str_addf(&mend->advice, "one recipe makes them all: give it one target, a stamp, on which "
                                "the others depend (make 4.3 and later: \"&:\" for \":\")");
        place_free(&place);
        return;
    }
    const char *rule = place.lines.at[place.rule];
    size_t length = length_of(&place, place.rule), colon = 0;
    while (colon < length && (rule[colon] != ':' || (colon && rule[colon - 1] == '\\'))) {
        if (rule[colon] == '$' && (rule[colon + 1] == '(' || rule[colon + 1] == '{')) {
            char close = rule[colon + 1] == '(' ? ')' : '}';
            while (colon < length && rule[colon] != close)
                colon++;
        }
        colon += colon < length;
    }
    bool blank = colon && rule[colon - 1] == ' ';
    char *text = mem_format("%.*s%s&%.*s\n", (int)colon, rule, blank ? "" : " ",
                            (int)(length - colon), rule + colon);
    put_edit(record, mend, &place, place.rule, 1, text);
    str_add(&mend->advice,
            "the recipe then runs once for all of its targets (grouped targets, make 4.3)");
    free(text);
    place_free(&place);
}

static void add_name_advice(const struct race_report *report, const struct report_finding *finding,
                            struct mend *mend)
{
    str_addf(&mend->advice, "%s; better, where the tools can be told: names of their own for %s",
             mend->advice.len ? "" : "", race_path(report->record, finding->path));
}

/* A file that is taken away after it was used is to be taken away after it is used: then the pairs are the
 * other way round. */
static void mend_removal(const struct race_report *report, const struct report_finding *finding,
                         struct mend *mend)
{
    const struct race_access *removal =
        race_access_of(report->record, finding->first, finding->path, NULL);
    const struct race_access *use =
        race_access_of(report->record, finding->second, finding->path, NULL);
    if (!removal || !use || removal->when < use->when) {
        mend_edge(report, finding, true, mend);
        return;
    }
    struct report_finding turned = *finding;
    VEC(struct race_witness) pairs = {0};
    for (uint32_t i = 0; i < finding->witnesses_count; i++) {
        struct race_witness pair = finding->witnesses[i];
        vec_push(&pairs, (struct race_witness){pair.second, pair.first, pair.path, pair.class});
    }
    turned.first = finding->second;
    turned.second = finding->first;
    turned.witnesses = pairs.at;
    mend_edge(report, &turned, true, mend);
    vec_free(&pairs);
}

int race_mend(const struct race_report *report, const struct report_finding *finding,
              struct mend *mend, struct err *err)
{
    (void)err;
    *mend = (struct mend){0};
    switch (finding->class) {
    case RACE_DOUBLE_WORK:
        mend_group(report, finding, mend);
        break;
    case RACE_REMOVAL:
        mend_removal(report, finding, mend);
        break;
    case RACE_DIRECTORY:
    case RACE_LISTING:
        mend_edge(report, finding, true, mend);
        break;
    case RACE_SCRATCH:
    case RACE_WRITE_WRITE:
    case RACE_CHECK_THEN_CREATE:
        mend_edge(report, finding, true, mend);
        add_name_advice(report, finding, mend);
        break;
    case RACE_GOAL_DEPENDENT:
        str_addf(&mend->advice,
                 "set the variable for %s itself, or say \"private\" before it where "
                 "only the goal's own recipe is meant",
                 race_target(report->record, finding->first));
        break;
    default:
        mend_edge(report, finding, false, mend);
        break;
    }
    return 0;
}

void mend_free(struct mend *mend)
{
    free(mend->file);
    free(mend->before);
    free(mend->after);
    str_free(&mend->diff);
    str_free(&mend->advice);
    *mend = (struct mend){0};
}

/* ---- applying and taking back ---- */

static char *kept_path(const char *state_dir, const char *id, const char *what)
{
    return mem_format("%s/mend/%s.%s", state_dir, id, what);
}

static int write_like(const char *path, const char *text, struct err *err)
{
    struct stat status;
    mode_t mode = stat(path, &status) == 0 ? status.st_mode & 07777 : 0666;
    char *real = realpath(path, NULL); /* a link stays one */
    int result = file_write(real ? real : path, text, strlen(text), mode, err);
    free(real);
    return result;
}

static int keep(const char *state_dir, const char *id, const char *what, const char *text,
                struct err *err)
{
    char *path = kept_path(state_dir, id, what);
    int status =
        file_make_parents(path, err) < 0 ? -1 : file_write(path, text, strlen(text), 0666, err);
    free(path);
    return status;
}

int mend_apply(const struct mend *mend, const char *state_dir, const char *id, struct err *err)
{
    if (!mend->file)
        return err_set(err, ERR_INPUT, "there is no edit for %s; %s", id, str_text(&mend->advice));
    char *now = file_read(mend->file, NULL, err);
    if (!now)
        return -1;
    bool same = strcmp(now, mend->before) == 0;
    free(now);
    if (!same)
        return err_set(err, ERR_INPUT, "%s has changed meanwhile; try again", mend->file);
    if (keep(state_dir, id, "file", mend->file, err) < 0 ||
        keep(state_dir, id, "before", mend->before, err) < 0 ||
        keep(state_dir, id, "after", mend->after, err) < 0)
        return -1;
    return write_like(mend->file, mend->after, err);
}

bool mend_is_applied(const char *state_dir, const char *id)
{
    char *path = kept_path(state_dir, id, "after");
    bool applied = access(path, F_OK) == 0;
    free(path);
    return applied;
}

/* The whole id of a kept mend that begins so, new; or NULL. */
static char *find_kept(const char *state_dir, const char *id)
{
    char *pattern = mem_format("%s/mend/%s*.after", state_dir, id), *found = NULL;
    glob_t names = {0};
    if (strspn(id, "0123456789abcdef") == strlen(id) && glob(pattern, 0, NULL, &names) == 0 &&
        names.gl_pathc == 1)
        found =
            mem_copy_n(path_base(names.gl_pathv[0]), strcspn(path_base(names.gl_pathv[0]), "."));
    globfree(&names);
    free(pattern);
    return found;
}

int mend_undo(const char *state_dir, const char *prefix, char **file, struct err *err)
{
    char *id = find_kept(state_dir, prefix);
    *file = NULL;
    if (!id)
        return err_set(err, ERR_INPUT, "%s was not mended by an edit that can be taken back",
                       prefix);
    static const char *const parts[] = {"file", "before", "after"};
    char *texts[3] = {NULL, NULL, NULL}, *now = NULL;
    int status = 0;
    for (size_t i = 0; i < 3; i++) {
        char *path = kept_path(state_dir, id, parts[i]);
        texts[i] = file_read(path, NULL, NULL);
        free(path);
    }
    if (!texts[0] || !texts[1] || !texts[2])
        status = err_set(err, ERR_INPUT, "%s was not mended by an edit that can be taken back", id);
    else if (!(now = file_read(texts[0], NULL, err)))
        status = -1;
    else if (strcmp(now, texts[2]) != 0)
        status = err_set(err, ERR_INPUT,
                         "%s was changed after it was mended; take the edit back "
                         "by hand",
                         texts[0]);
    else
        status = write_like(texts[0], texts[1], err);
    for (size_t i = 0; i < 3 && status == 0; i++) {
        char *path = kept_path(state_dir, id, parts[i]);
        remove(path);
        free(path);
    }
    if (status == 0) {
        *file = texts[0];
        texts[0] = NULL;
    }
    for (size_t i = 0; i < 3; i++)
        free(texts[i]);
    free(id);
    free(now);
    return status;
}

#include "race/record.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "base/text.h"
#include "race/rerun.h"
#include "trace/trace.h"

static const uint32_t CHANGES =
    ACCESS_WRITE | ACCESS_CREATE | ACCESS_REMOVE | ACCESS_RMDIR | ACCESS_MKDIR;

struct record *record_new(const char *root)
{
    struct record *record = mem_zero(1, sizeof *record);
    pthread_mutex_init(&record->lock, NULL);
    char *real = realpath(root, NULL);
    record->root = intern_id(&record->texts, real ? real : root);
    free(real);
    record->argv = record->directory = INTERN_NONE;
    record->start_ns = clock_ns();
    record->declares = true;
    return record;
}

void record_free(struct record *record)
{
    if (!record)
        return;
    intern_free(&record->texts);
    vec_free(&record->makes);
    vec_free(&record->steps);
    vec_free(&record->needs);
    vec_free(&record->declared);
    vec_free(&record->goals);
    vec_free(&record->accesses);
    vec_free(&record->programs);
    vec_free(&record->of_makes.accesses);
    vec_free(&record->of_makes.programs);
    vec_free(&record->text_of);
    pthread_mutex_destroy(&record->lock);
    free(record);
}

const char *record_text(const struct record *record, uint32_t id)
{
    return id == INTERN_NONE ? "" : intern_text(&record->texts, id);
}

/* ---- while the build runs ---- */

static struct record_make *make_at(struct record *record, uint32_t number)
{
    while (record->makes.len <= number)
        vec_push(&record->makes, (struct record_make){.parent = ORDER_TOP,
                                                      .shell_of = ORDER_TOP,
                                                      .directory = INTERN_NONE,
                                                      .command = INTERN_NONE,
                                                      .variables = INTERN_NONE});
    return &record->makes.at[number];
}

static struct record_step *step_at(struct record *record, uint32_t step)
{
    while (record->steps.len <= step)
        vec_push(&record->steps, (struct record_step){.target = INTERN_NONE,
                                                      .goal = INTERN_NONE,
                                                      .command = INTERN_NONE,
                                                      .file = INTERN_NONE});
    return &record->steps.at[step];
}

void record_command(struct record *record, const char *const *words, const char *directory)
{
    struct str text = {0};
    for (; *words; words++) {
        if (text.len)
            str_add_char(&text, ' ');
        text_shell_quote(&text, *words);
    }
    pthread_mutex_lock(&record->lock);
    record->argv = intern_id(&record->texts, str_text(&text));
    record->directory = intern_id(&record->texts, directory);
    pthread_mutex_unlock(&record->lock);
    str_free(&text);
}

static char *read_process(int32_t pid, const char *what, size_t *length)
{
    char *path = mem_format("/proc/%ld/%s", (long)pid, what);
    char *text = file_read(path, length, NULL);
    free(path);
    return text;
}

static void ask_process(struct record *record, struct record_make *make)
{
    size_t words_length = 0, environment_length = 0;
    char *words = read_process(make->pid, "cmdline", &words_length),
         *environment = read_process(make->pid, "environ", &environment_length);
    struct str command = {0}, variables = {0};
    if (words && environment && words_length) {
        rerun_words(words, words_length, environment, environment_length, &command, &variables);
        make->asked_one_job = rerun_asks_one_job(words, words_length);
        make->command = intern_id(&record->texts, str_text(&command));
        if (variables.len)
            make->variables = intern_id(&record->texts, str_text(&variables));
    }
    str_free(&command);
    str_free(&variables);
    free(words);
    free(environment);
}

void record_make(struct record *record, uint32_t number, uint32_t parent, int32_t pid,
                 const char *directory)
{
    pthread_mutex_lock(&record->lock);
    struct record_make *make = make_at(record, number);
    make->parent = parent;
    make->pid = pid;
    make->begin_ns = clock_ns();
    if (directory)
        make->directory = intern_id(&record->texts, directory);
    if (pid > 0)
        ask_process(record, make);
    pthread_mutex_unlock(&record->lock);
}

void record_make_shell(struct record *record, uint32_t number, uint32_t of)
{
    pthread_mutex_lock(&record->lock);
    make_at(record, number)->shell_of = of;
    pthread_mutex_unlock(&record->lock);
}

void record_make_end(struct record *record, uint32_t number)
{
    pthread_mutex_lock(&record->lock);
    make_at(record, number)->end_ns = clock_ns();
    pthread_mutex_unlock(&record->lock);
}

void record_make_jobs(struct record *record, uint32_t number, bool not_parallel, bool one_job)
{
    pthread_mutex_lock(&record->lock);
    make_at(record, number)->serial = not_parallel;
    make_at(record, number)->one_job = one_job;
    pthread_mutex_unlock(&record->lock);
}

static void add_line(struct record *record, struct record_step *step, const char *line)
{
    if (step->command == INTERN_NONE) {
        step->command = intern_id(&record->texts, line);
        return;
    }
    char *all = mem_format("%s\n%s", record_text(record, step->command), line);
    step->command = intern_id(&record->texts, all);
    free(all);
}

void record_step(struct record *record, const struct record_spec *spec)
{
    pthread_mutex_lock(&record->lock);
    struct record_step *step = step_at(record, spec->step);
    if (spec->make)
        step->make = spec->make;
    if (spec->target)
        step->target = intern_id(&record->texts, spec->target);
    if (spec->goal)
        step->goal = intern_id(&record->texts, spec->goal);
    if (spec->line_of_command)
        add_line(record, step, spec->line_of_command);
    if (spec->file) {
        step->file = intern_id(&record->texts, spec->file);
        step->line = spec->line;
    }
    if (spec->phony)
        step->flags |= RECORD_PHONY;
    pthread_mutex_unlock(&record->lock);
}

void record_needs(struct record *record, uint32_t id, const uint32_t *needs, uint32_t count)
{
    pthread_mutex_lock(&record->lock);
    struct record_step *step = step_at(record, id);
    step->needs = (uint32_t)record->needs.len;
    step->needs_count = count;
    step->flags |= RECORD_ORDERED;
    for (uint32_t i = 0; i < count; i++)
        vec_push(&record->needs, needs[i]);
    pthread_mutex_unlock(&record->lock);
}

void record_declare(struct record *record, uint32_t id, const char *name)
{
    pthread_mutex_lock(&record->lock);
    struct record_step *step = step_at(record, id);
    const char *directory = step->make < record->makes.len
                                ? record_text(record, record->makes.at[step->make].directory)
                                : ".";
    char *place = path_join(record_text(record, record->root), *directory ? directory : "."),
         *joined = path_join(place, name), *clean = path_clean(joined);
    if (!step->declared_count)
        step->declared = (uint32_t)record->declared.len;
    if (step->declared + step->declared_count == record->declared.len) {
        vec_push(&record->declared, intern_id(&record->texts, clean));
        step->declared_count++;
    }
    free(clean);
    free(joined);
    free(place);
    pthread_mutex_unlock(&record->lock);
}

void record_goal(struct record *record, const struct record_goal_spec *spec)
{
    pthread_mutex_lock(&record->lock);
    const struct record_step *step = step_at(record, spec->step);
    char *path = path_join(record_text(record, record->root), record_text(record, step->target));
    vec_push(&record->goals,
             (struct record_goal){.step = spec->step,
                                  .path = intern_id(&record->texts, path),
                                  .owner = intern_id(&record->texts, spec->owner),
                                  .other = intern_id(&record->texts, spec->other),
                                  .variable = intern_id(&record->texts, spec->variable)});
    free(path);
    pthread_mutex_unlock(&record->lock);
}

void record_begin(struct record *record, uint32_t id, uint32_t lane)
{
    pthread_mutex_lock(&record->lock);
    struct record_step *step = step_at(record, id);
    step->flags |= RECORD_RAN;
    step->begin_ns = clock_ns();
    step->lane = lane;
    pthread_mutex_unlock(&record->lock);
}

void record_end(struct record *record, uint32_t id, bool failed)
{
    pthread_mutex_lock(&record->lock);
    struct record_step *step = step_at(record, id);
    if (step->begin_ns)
        step->wall_ns = clock_ns() - step->begin_ns;
    if (failed)
        step->flags |= RECORD_FAILED;
    pthread_mutex_unlock(&record->lock);
}

/* Whether a make became another by executing itself again. */
static bool goes_on(const struct record *record, uint32_t number)
{
    int32_t pid = record->makes.at[number].pid;
    for (uint32_t i = number + 1; i < record->makes.len; i++)
        if (pid > 0 && record->makes.at[i].pid == pid)
            return true;
    return false;
}

void record_loosen(struct record *record)
{
    pthread_mutex_lock(&record->lock);
    bool *told = mem_zero(record->makes.len + 1, sizeof *told);
    for (uint32_t i = 0; i < record->makes.len; i++)
        told[i] = goes_on(record, i);
    for (size_t i = 0; i < record->steps.len; i++) {
        const struct record_step *step = &record->steps.at[i];
        if ((step->flags & RECORD_ORDERED) && step->make < record->makes.len)
            told[step->make] = true;
    }
    for (size_t i = 0; i < record->steps.len; i++) {
        struct record_step *step = &record->steps.at[i];
        if (step->make < record->makes.len && !told[step->make] && !(step->flags & RECORD_ORDERED))
            step->flags |= RECORD_LOOSE;
    }
    free(told);
    pthread_mutex_unlock(&record->lock);
}

static bool is_there(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

static bool is_make(const char *program)
{
    const char *name = path_base(program);
    return strcmp(name, "make") == 0 || strcmp(name, "gmake") == 0;
}

/* A call that was seen may have failed: what came of it decides. And make lists directories only to
 * learn which files are there. */
static uint16_t kinds_of(const struct access *access, const char *program, bool left)
{
    uint32_t kinds = access->kinds;
    if ((kinds & ACCESS_LIST) && is_make(program))
        kinds = (kinds & ~(uint32_t)ACCESS_LIST) | ACCESS_STAT;
    const uint32_t removes = ACCESS_REMOVE | ACCESS_RMDIR;
    if (!left && !(kinds & removes) && (kinds & (ACCESS_CREATE | ACCESS_MKDIR)))
        kinds = (kinds & ~(uint32_t)(ACCESS_CREATE | ACCESS_MKDIR)) | ACCESS_STAT;
    return (uint16_t)kinds;
}

uint32_t record_text_of(struct record *record, uint32_t name)
{
    uint32_t *text = name_memo_at(&record->text_of, name);
    if (!*text)
        *text = intern_id(&record->texts, name_text(name)) + 1;
    return *text - 1;
}

static struct race_access access_of(struct record *record, uint32_t id, const struct trace *trace,
                                    const struct access *access, uint32_t *program_text)
{
    const char *path = name_text(access->path);
    bool left = (access->kinds & CHANGES) && is_there(path);
    uint32_t program = access->process < trace->processes.len
                           ? trace->processes.at[access->process].program
                           : INTERN_NONE;
    const char *name = program == INTERN_NONE ? "" : name_text(program);
    uint64_t when = access->first_ns > record->start_ns ? access->first_ns - record->start_ns : 0;
    *program_text = program == INTERN_NONE ? INTERN_NONE : record_text_of(record, program);
    return (struct race_access){.step = id,
                                .path = record_text_of(record, access->path),
                                .when = (uint32_t)(when / RECORD_TICK_NS),
                                .kinds = kinds_of(access, name, left),
                                .found = access->found,
                                .left = left};
}

void record_trace(struct record *record, uint32_t id, const struct trace *trace)
{
    pthread_mutex_lock(&record->lock);
    struct record_step *step = step_at(record, id);
    step->flags |= RECORD_TRACED | (trace->flaws ? RECORD_FLAWED : 0);
    for (size_t i = 0; i < trace->accesses.len; i++) {
        uint32_t program;
        vec_push(&record->accesses, access_of(record, id, trace, &trace->accesses.at[i], &program));
        vec_push(&record->programs, program);
    }
    pthread_mutex_unlock(&record->lock);
}

void record_make_trace(struct record *record, uint32_t number, const struct trace *trace)
{
    pthread_mutex_lock(&record->lock);
    make_at(record, number);
    for (size_t i = 0; i < trace->accesses.len; i++) {
        uint32_t program;
        vec_push(&record->of_makes.accesses,
                 access_of(record, number, trace, &trace->accesses.at[i], &program));
        vec_push(&record->of_makes.programs, program);
    }
    pthread_mutex_unlock(&record->lock);
}

/* ---- at its end ---- */

/* The later of two accesses of one step to one path is folded into the earlier. */
static void fold(struct race_access *into, const struct race_access *later)
{
    const uint32_t writes = ACCESS_WRITE | ACCESS_CREATE;
    bool plain = ((into->kinds & writes) && !(into->kinds & ACCESS_APPEND)) ||
                 ((later->kinds & writes) && !(later->kinds & ACCESS_APPEND));
    into->kinds |= later->kinds;
    if (plain)
        into->kinds &= (uint16_t)~ACCESS_APPEND;
    if (later->kinds & CHANGES)
        into->left = later->left;
}

struct place {
    uint32_t path, at;
};

static int by_path(const void *a, const void *b)
{
    const struct place *one = a, *other = b;
    if (one->path != other->path)
        return one->path < other->path ? -1 : 1;
    return one->at < other->at ? -1 : one->at > other->at;
}

/* Puts the accesses of each step together, one a path, by path. */
static void settle(struct record *record)
{
    size_t steps = record->steps.len, count = record->accesses.len;
    uint32_t *start = mem_zero(steps + 2, sizeof *start);
    struct place *places = mem_alloc((count + 1) * sizeof *places);
    struct race_access *old = record->accesses.at;
    uint32_t *old_programs = record->programs.at;
    for (size_t i = 0; i < count; i++)
        start[old[i].step + 2]++;
    for (size_t step = 0; step < steps; step++)
        start[step + 2] += start[step + 1];
    for (size_t i = 0; i < count; i++)
        places[start[old[i].step + 1]++] = (struct place){old[i].path, (uint32_t)i};
    memset(&record->accesses, 0, sizeof record->accesses);
    memset(&record->programs, 0, sizeof record->programs);
    for (size_t step = 0; step < steps; step++) {
        struct record_step *of = &record->steps.at[step];
        of->accesses = (uint32_t)record->accesses.len;
        qsort(places + start[step], start[step + 1] - start[step], sizeof *places, by_path);
        for (uint32_t i = start[step]; i < start[step + 1]; i++) {
            const struct race_access *access = &old[places[i].at];
            if (i > start[step] && places[i].path == places[i - 1].path) {
                fold(&record->accesses.at[record->accesses.len - 1], access);
                continue;
            }
            vec_push(&record->accesses, *access);
            vec_push(&record->programs, old_programs[places[i].at]);
        }
        of->accesses_count = (uint32_t)record->accesses.len - of->accesses;
    }
    free(start);
    free(places);
    free(old);
    free(old_programs);
}

/* ---- taking over from the build before ---- */

/* A step over builds is told by the directory of its make and what that calls its target: both as
 * texts of the new record, in one number. */
struct known_step {
    uint64_t key;
    uint32_t step; /* of the record before, + 1; 0: free */
};

struct carry {
    struct record *record;
    const struct record *before;
    uint32_t *texts; /* by text of the one before: the new one's, or INTERN_NONE: not looked up */
    struct known_step *known; /* open addressing */
    unsigned known_bits; /* log2 of its size */
};

static uint32_t carried(struct carry *carry, uint32_t text)
{
    if (text == INTERN_NONE)
        return INTERN_NONE;
    uint32_t *to = &carry->texts[text];
    if (*to == INTERN_NONE)
        *to = intern_id_n(&carry->record->texts, intern_text(&carry->before->texts, text),
                          carry->before->texts.lengths_of.at[text]);
    return *to;
}

/* The key of a step of `record`; its texts are ids of `record`, too. */
static uint64_t key_of(const struct record *record, const struct record_step *step,
                       uint32_t texts[2])
{
    texts[0] =
        step->make < record->makes.len ? record->makes.at[step->make].directory : INTERN_NONE;
    texts[1] = step->goal != INTERN_NONE ? step->goal : step->target;
    return (uint64_t)texts[0] << 32 | texts[1];
}

/* The slot of a key, or the free one where it belongs. */
static struct known_step *known_slot(const struct carry *carry, uint64_t key)
{
    size_t mask = ((size_t)1 << carry->known_bits) - 1;
    size_t at = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - carry->known_bits));
    while (carry->known[at].step && carry->known[at].key != key)
        at = (at + 1) & mask;
    return &carry->known[at];
}

/* Where a text of the one before is not known in the new record, nothing there can match. */
static bool find_text(struct carry *carry, uint32_t *text)
{
    if (*text == INTERN_NONE)
        return true;
    uint32_t *to = &carry->texts[*text];
    if (*to == INTERN_NONE)
        *to = intern_find(&carry->record->texts, intern_text(&carry->before->texts, *text));
    *text = *to;
    return *to != INTERN_NONE;
}

static void note_known(struct carry *carry)
{
    const struct record *before = carry->before;
    carry->known_bits = 4;
    while ((size_t)1 << carry->known_bits < 2 * before->steps.len)
        carry->known_bits++;
    carry->known = mem_zero((size_t)1 << carry->known_bits, sizeof *carry->known);
    for (uint32_t i = 0; i < before->steps.len; i++) {
        uint32_t texts[2];
        key_of(before, &before->steps.at[i], texts);
        if (!find_text(carry, &texts[0]) || !find_text(carry, &texts[1]))
            continue;
        uint64_t key = (uint64_t)texts[0] << 32 | texts[1];
        *known_slot(carry, key) = (struct known_step){key, i + 1};
    }
}

static void take_over_step(struct carry *carry, uint32_t id, const struct record_step *then)
{
    struct record *record = carry->record;
    const struct record *before = carry->before;
    struct record_step *now = &record->steps.at[id];
    now->flags |= then->flags & (RECORD_TRACED | RECORD_FLAWED | RECORD_FAILED);
    now->wall_ns = then->wall_ns;
    if (now->command == INTERN_NONE)
        now->command = carried(carry, then->command);
    if (now->file == INTERN_NONE && then->file != INTERN_NONE) {
        now->file = carried(carry, then->file);
        now->line = then->line;
    }
    for (uint32_t i = then->accesses; i < then->accesses + then->accesses_count; i++) {
        struct race_access access = before->accesses.at[i];
        access.step = id;
        access.path = carried(carry, access.path);
        vec_push(&record->accesses, access);
        vec_push(&record->programs, carried(carry, before->programs.at[i]));
    }
}

/* What is known of steps that did not run this time. */
static void take_over(struct record *record, const struct record *before)
{
    struct carry carry = {.record = record, .before = before};
    size_t bytes = (intern_count(&before->texts) + (size_t)1) * sizeof *carry.texts;
    carry.texts = mem_alloc(bytes);
    memset(carry.texts, 0xff, bytes);
    note_known(&carry);
    for (uint32_t i = 0; i < record->steps.len; i++) {
        uint32_t texts[2];
        if (record->steps.at[i].flags & RECORD_RAN)
            continue;
        uint64_t key = key_of(record, &record->steps.at[i], texts);
        uint32_t found = known_slot(&carry, key)->step;
        if (found)
            take_over_step(&carry, i, &before->steps.at[found - 1]);
    }
    free(carry.texts);
    free(carry.known);
}

/* Drops what cannot matter: reads outside of the tree of what nobody changed. */
static void thin(struct record *record)
{
    const char *root = record_text(record, record->root);
    size_t length = strlen(root), kept = 0;
    uint32_t count = intern_count(&record->texts);
    bool *matters = mem_alloc((count + (size_t)1) * sizeof *matters);
    for (uint32_t i = 0; i < count; i++) {
        const char *text = intern_text(&record->texts, i);
        matters[i] = strncmp(text, root, length) == 0 && (text[length] == '/' || !text[length]);
    }
    for (size_t i = 0; i < record->accesses.len; i++)
        if (record->accesses.at[i].kinds & CHANGES)
            matters[record->accesses.at[i].path] = true;
    for (size_t i = 0; i < record->accesses.len; i++) {
        if (!matters[record->accesses.at[i].path])
            continue;
        record->accesses.at[kept] = record->accesses.at[i];
        record->programs.at[kept++] = record->programs.at[i];
    }
    record->accesses.len = record->programs.len = kept;
    free(matters);
}

/* What makes did themselves becomes a step of each: only now is it known how many there are. */
static void add_steps_of_makes(struct record *record)
{
    uint32_t recipes = (uint32_t)record->steps.len, last = UINT32_MAX, id = 0;
    for (size_t i = 0; i < record->of_makes.accesses.len; i++) {
        struct race_access access = record->of_makes.accesses.at[i];
        const struct record_make *make = &record->makes.at[access.step];
        if (access.step != last) {
            const char *directory = record_text(record, make->directory);
            bool root = !*directory || strcmp(directory, ".") == 0;
            char *name = root ? mem_copy("make") : mem_format("make -C %s", directory);
            id = recipes++;
            last = access.step;
            *step_at(record, id) = (struct record_step){.target = intern_id(&record->texts, name),
                                                        .goal = INTERN_NONE,
                                                        .command = INTERN_NONE,
                                                        .file = INTERN_NONE,
                                                        .make = last,
                                                        .flags = RECORD_RAN | RECORD_MAKE,
                                                        .begin_ns = make->begin_ns};
            free(name);
        }
        access.step = id;
        vec_push(&record->accesses, access);
        vec_push(&record->programs, record->of_makes.programs.at[i]);
    }
    record->of_makes.accesses.len = record->of_makes.programs.len = 0;
}

static char *file_of(const char *state_dir)
{
    return path_join(state_dir, "races.zst");
}

void record_take_over(struct record *record, const char *state_dir)
{
    pthread_mutex_lock(&record->lock);
    struct record *before = record_read(state_dir, NULL);
    if (before)
        take_over(record, before);
    record_free(before);
    pthread_mutex_unlock(&record->lock);
}

void record_settle(struct record *record)
{
    pthread_mutex_lock(&record->lock);
    settle(record);
    pthread_mutex_unlock(&record->lock);
}

int record_write(struct record *record, const char *state_dir, struct err *err)
{
    pthread_mutex_lock(&record->lock);
    record->wall_ns = clock_wall_ns();
    add_steps_of_makes(record);
    thin(record);
    settle(record);
    struct str bytes = {0};
    record_encode(record, &bytes);
    char *path = file_of(state_dir);
    int status = file_write(path, bytes.at, bytes.len, 0666, err);
    free(path);
    str_free(&bytes);
    pthread_mutex_unlock(&record->lock);
    return status;
}

struct record *record_read(const char *state_dir, struct err *err)
{
    char *path = file_of(state_dir);
    size_t length = 0;
    char *bytes = file_read(path, &length, NULL);
    struct record *record = bytes ? record_decode(bytes, length) : NULL;
    if (!bytes)
        err_set(err, ERR_INPUT, "%s: no traced build is recorded here; build first (gantry build)",
                path);
    else if (!record)
        err_set(err, ERR_INPUT, "%s is damaged; remove it and build again", path);
    free(bytes);
    free(path);
    return record;
}

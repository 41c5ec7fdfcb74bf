#include "load/make_state.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "plan/plan.h"

static int64_t coarse_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* ---- what was asked for ---- */

/* Goals that are deeds: nobody who says `make install` or `make test` wants to hear that it was done
 * once. */
static bool is_deed(const char *goal)
{
    static const char *const beginnings[] = {"install", "uninstall", "test", "check", "clean",
                                             "run",     "bench",     "dist", "help",  "mrproper"};
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
        if (str_starts(path_base(goal), beginnings[i]))
            return true;
    return str_ends(goal, "clean") || str_ends(goal, "config") || str_ends(goal, "check") ||
           str_ends(goal, "test") || str_ends(goal, "install");
}

/* What a word of the command says: an option that makes another thing of the build? */
enum word { WORD_PLAIN, WORD_OTHER, WORD_DEED };

static enum word look_at_word(const char *word, bool *argument)
{
    *argument = false;
    if (str_starts(word, "--")) {
        static const char *const others[] = {
            "--just-print",  "--dry-run",         "--recon",   "--question", "--touch",
            "--always-make", "--print-data-base", "--what-if", "--new-file", "--assume-new",
            "--old-file",    "--assume-old",      "--version", "--help"};
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            if (str_starts(word, others[i]))
                return WORD_OTHER;
        return WORD_PLAIN;
    }
    if (word[0] != '-')
        return !strchr(word, '=') && is_deed(word) ? WORD_DEED : WORD_PLAIN;
    for (const char *at = word + 1; *at; at++) {
        if (strchr("nqtBpvhWo", *at))
            return WORD_OTHER;
        if (strchr("CfIEjlO", *at)) {
            *argument = !at[1] && strchr("CfIE", *at);
            return WORD_PLAIN;
        }
    }
    return WORD_PLAIN;
}

static struct make_state *new_state(struct make_build *make, bool answers, struct str *asked)
{
    const struct build_options *options = &make->build->options;
    struct make_state *kept = mem_zero(1, sizeof *kept);
    kept->make = make;
    kept->answers = answers;
    kept->place = (struct use_place){options->root, make->state_dir};
    const char *flags = getenv("MAKEFLAGS");
    str_addf(asked, "%s\n%s", options->directory ? options->directory : options->root,
             flags ? flags : "");
    fresh_open(&kept->fresh, make->build, make->state_dir, str_text(asked));
    kept->goal = mem_copy(str_text(asked));
    kept->start_coarse_ns = coarse_ns();
    return kept;
}

struct make_state *make_state_new(struct make_build *make)
{
    const struct build_options *options = &make->build->options;
    const char *program = path_base(options->command[0]);
    if (options->dry_run || options->untraced || options->verbatim ||
        (strcmp(program, "make") != 0 && strcmp(program, "gmake") != 0))
        return NULL;
    struct str asked = {0};
    bool answers = true, argument = false, other = false;
    for (const char *const *word = options->command; *word; word++) {
        str_addf(&asked, "%s\n", *word);
        if (word == options->command || argument) {
            argument = false;
            continue;
        }
        enum word kind = look_at_word(*word, &argument);
        other |= kind == WORD_OTHER;
        answers &= kind == WORD_PLAIN;
    }
    struct make_state *kept = other ? NULL : new_state(make, answers, &asked);
    str_free(&asked);
    return kept;
}

bool make_state_is_fresh(struct make_state *kept, const struct event *begin)
{
    return kept && kept->answers && fresh_answers(&kept->fresh, begin);
}

text_id make_state_key(struct make_state *kept, enum make_key key)
{
    char *text = mem_format("%c%s", (char)key, key >= KEY_VARIABLES ? "" : kept->goal);
    text_id id = state_text(&kept->state, text);
    free(text);
    return id;
}

text_id make_state_step(struct make_state *kept, const struct make_step *step)
{
    const char *dir = kept->make->makes.at[step->make]->directory;
    size_t length = strlen(dir);
    if (strncmp(step->target, dir, length) != 0 || step->target[length] != '/')
        return state_text(&kept->state, step->target);
    char *name = mem_format("%s/%s", dir, step->target + length);
    text_id text = state_text(&kept->state, name);
    free(name);
    return text;
}

/* ---- products ---- */

void make_state_add_product(struct make_state *kept, const char *path)
{
    uint32_t before = intern_count(&kept->products);
    if (intern_id(&kept->products, path) < before)
        return;
    const char *slash = path + strlen(path);
    while ((slash = memrchr(path, '/', (size_t)(slash - path)))) {
        before = intern_count(&kept->product_dirs);
        if (intern_id_n(&kept->product_dirs, path, (size_t)(slash - path)) < before)
            break;
    }
}

/* A name_filter. */
static bool counts(const void *data, const char *path)
{
    const struct make_state *kept = data;
    return intern_find(&kept->products, path) == INTERN_NONE &&
           intern_find(&kept->product_dirs, path) == INTERN_NONE &&
           strcmp(path_base(path), ".gantry") != 0;
}

/* All variables that a makefile names, by their values now. */
static uint64_t hash_variables(struct make_state *kept)
{
    const struct text_list *names = state_list(&kept->state, make_state_key(kept, KEY_VARIABLES));
    struct str all = {0};
    for (uint32_t i = 0; names && i < names->count; i++) {
        const char *name = intern_text(&kept->state.texts, names->texts[i]);
        const char *value = getenv(name);
        if (value)
            str_addf(&all, "%s=%s\n", name, value);
    }
    uint64_t hash = XXH3_64bits(str_text(&all), all.len) + kept->environment;
    str_free(&all);
    return hash ? hash : 1;
}

static void commit(struct make_state *kept)
{
    struct err err = {0};
    if (state_commit(&kept->state, &err) == 0)
        return;
    build_say(kept->make->build, SEVERITY_WARNING, "%s; nothing more is kept of this build",
              err.text);
    kept->open = false;
}

/* Records went with a damaged or foreign log: what they knew and make does not is known no more. Each
 * goal is made anew once, all of it. */
static void note_loss(struct make_state *kept)
{
    struct state *state = &kept->state;
    text_id key = make_state_key(kept, KEY_LOST);
    for (text_id target = 0; target < state->records.len; target++)
        if (intern_text(&state->texts, target)[0] == KEY_READ)
            state_forget(state, target);
    state_put_list(state, key, &key, 1);
}

void make_state_open(struct make_state *kept)
{
    struct err err = {0};
    struct str notes = {0};
    if (!kept)
        return;
    struct build *build = kept->make->build;
    int status = state_open(&kept->state, kept->make->state_dir, STATE_WRITE, &notes, &err);
    bool lost = notes.len > 0;
    if (lost)
        build_say(build, SEVERITY_WARNING, "%s", str_text(&notes));
    str_free(&notes);
    if (status < 0 || kept->fresh.root_fd < 0) {
        build_say(build, SEVERITY_WARNING,
                  "%s; nothing is kept of this build, and all is made anew", err.text);
        kept->make->anew = true;
        state_close(&kept->state);
        return;
    }
    kept->open = true;
    now_open(&kept->now, &kept->state, kept->fresh.root_fd);
    kept->now.counts = counts;
    kept->now.counts_data = kept;
    for (size_t i = 0; i < kept->state.records.len; i++) {
        const struct step_record *record = kept->state.records.at[i];
        for (uint32_t k = 0; record && k < record->outputs; k++) {
            text_id path = kept->state.versions.at[record_outputs(record)[k]].path;
            make_state_add_product(kept, intern_text(&kept->state.texts, path));
        }
    }
    if (lost)
        note_loss(kept);
    kept->make->anew = state_list(&kept->state, make_state_key(kept, KEY_LOST)) &&
                       !state_record(&kept->state, make_state_key(kept, KEY_READ));
    commit(kept);
    kept->environment = fresh_environment();
    kept->all_environment = hash_variables(kept);
}

/* ---- a step ---- */

void make_state_line(struct make_state *kept, struct make_step *step, const char *command)
{
    if (step->lines.len)
        str_add_char(&step->lines, '\1');
    str_add(&step->lines, command);
    if (!kept || !step->skipped)
        return;
    text_id target = make_state_step(kept, step);
    const struct step_record *record = state_record(&kept->state, target);
    const char *was = record ? intern_text(&kept->state.texts, record->command) : "";
    size_t length = step->lines.len;
    if (strncmp(was, str_text(&step->lines), length) == 0 &&
        (was[length] == '\0' || was[length] == '\1'))
        return;
    /* What was passed over did nothing that is not in place (make_stale_skips): from here on it runs. */
    state_forget(&kept->state, target);
    commit(kept);
    step->skipped = false;
}

void make_state_begin(struct make_state *kept, struct make_step *step)
{
    if (!kept || !kept->open)
        return;
    step->begin_coarse_ns = coarse_ns();
    state_begin(&kept->state, make_state_step(kept, step));
    commit(kept);
}

/* What was used by a step (or a make) while it is turned into versions. */
struct taking {
    struct make_state *kept;
    int64_t since_ns; /* files with a later stamp changed while they were used */
    VEC(version_id) used, looked;
    VEC(version_id) made;
    const struct step_record *old;
};

static bool is_known(const struct state *state, version_id version)
{
    return version != VERSION_NONE && !hash_equal(state->versions.at[version].hash, hash_unknown);
}

/* The version of a marked path as it is now. */
static version_id take(struct taking *taking, const char *path)
{
    struct make_state *kept = taking->kept;
    struct state *state = &kept->state;
    text_id text = state_text(state, path);
    bool outside = now_plain(path)[0] == '/';
    while (kept->system.len <= text)
        vec_push(&kept->system, VERSION_NONE);
    if (outside && kept->system.at[text] != VERSION_NONE)
        return kept->system.at[text];
    struct identity id = now_identity(kept->now.root_fd, path);
    version_id version =
        identity_absent(&id) ? VERSION_NONE : state_find_version(state, text, &id, NULL);
    if (!is_known(state, version)) {
        struct hash hash = now_hash(kept->now.root_fd, path, &id, counts, kept);
        bool late = path[0] != PATH_LIST && id.ctime_ns >= taking->since_ns &&
                    intern_find(&kept->products, path) == INTERN_NONE;
        static const struct identity nobody;
        if (late)
            hash = hash_unknown;
        version = state_version(state, text, late ? &nobody : &id, hash);
    }
    if (outside)
        kept->system.at[text] = version;
    if (is_known(state, version))
        now_set(&kept->now, text, version);
    return version;
}

static version_id take_marked(struct taking *taking, char mark, const char *path)
{
    char *marked = mem_format("%c%s", mark, path);
    version_id version = take(taking, marked);
    free(marked);
    return version;
}

static bool made_before(const struct taking *taking, const char *path)
{
    const struct state *state = &taking->kept->state;
    text_id text = intern_find(&state->texts, path);
    for (uint32_t i = 0; taking->old && text != INTERN_NONE && i < taking->old->outputs; i++)
        if (state->versions.at[record_outputs(taking->old)[i]].path == text)
            return true;
    return false;
}

static version_id take_absent(struct taking *taking, const char *path)
{
    static const struct identity nobody;
    text_id text = state_text(&taking->kept->state, path);
    now_review(&taking->kept->now, text);
    return state_version(&taking->kept->state, text, &nobody, hash_absent);
}

static void forget_marked(struct make_state *kept, char mark, const char *path)
{
    char *marked = mem_format("%c%s", mark, path);
    text_id text = intern_find(&kept->state.texts, marked);
    if (text != INTERN_NONE)
        now_set(&kept->now, text, NOW_UNSEEN);
    free(marked);
}

/* What was known of a path that a step changed is so no longer. */
static void forget_now(struct make_state *kept, const char *path)
{
    text_id text = intern_find(&kept->state.texts, path);
    if (text != INTERN_NONE)
        now_set(&kept->now, text, NOW_UNSEEN);
    forget_marked(kept, PATH_EXISTS, path);
    forget_marked(kept, PATH_LINK, path);
    char *dir = path_dir(path);
    forget_marked(kept, PATH_LIST, dir);
    free(dir);
}

/* An output: it is what it is, however late. */
static void take_made(struct taking *taking, const char *path, bool was_there, const char *target)
{
    struct make_state *kept = taking->kept;
    struct stat st;
    forget_now(kept, path);
    if (fstatat(kept->now.root_fd, path, &st, 0) < 0 || !S_ISREG(st.st_mode))
        return;
    if (was_there && strcmp(path, target) != 0 && !made_before(taking, path) &&
        intern_find(&kept->products, path) != INTERN_NONE)
        return; /* another step's: this one only wrote to it as well */
    make_state_add_product(kept, path);
    version_id version = take(taking, path);
    now_set(&kept->now, kept->state.versions.at[version].path, version);
    vec_push(&taking->made, version);
}

struct step_taking {
    struct taking taking;
    const char *target;
};

static void use_of_step(void *data, const char *path, unsigned uses)
{
    struct step_taking *step = data;
    struct taking *taking = &step->taking;
    if (uses & USE_MADE)
        take_made(taking, path, uses & USE_WAS_THERE, step->target);
    if (uses & USE_ABSENT)
        vec_push(&taking->used, take_absent(taking, path));
    if (uses & USE_CONTENT)
        vec_push(&taking->used, take(taking, path));
    if (uses & USE_EXISTS)
        vec_push(&taking->used, take_marked(taking, PATH_EXISTS, path));
    if (uses & USE_LINK)
        vec_push(&taking->used, take_marked(taking, PATH_LINK, path));
    if (uses & USE_LIST)
        vec_push(&taking->used, take_marked(taking, PATH_LIST, path));
}

/* What the processes of a trace ran: programs of the tree; programs that tell what no file tells. */
static void look_at_programs(const struct trace *trace, const char *root, bool *own, bool *oracle)
{
    static const char *const oracles[] = {"date",  "nproc",  "hostname", "uptime", "whoami",
                                          "id",    "curl",   "wget",     "ssh",    "scp",
                                          "rsync", "mktemp", "uuidgen"};
    static const char *const interpreters[] = {"python", "perl",  "ruby", "node",
                                               "lua",    "tclsh", "php"};
    size_t root_length = strlen(root);
    for (size_t i = 0; i < trace->accesses.len; i++) {
        const struct access *access = &trace->accesses.at[i];
        if (!(access->kinds & ACCESS_EXEC) || !access->found)
            continue;
        const char *path = intern_text(&trace->paths, access->path), *name = path_base(path);
        *own |= strncmp(path, root, root_length) == 0 && path[root_length] == '/';
        for (size_t k = 0; k < sizeof interpreters / sizeof *interpreters; k++)
            *own |= str_starts(name, interpreters[k]);
        for (size_t k = 0; k < sizeof oracles / sizeof *oracles; k++)
            *oracle |= strcmp(name, oracles[k]) == 0;
    }
}

/* Whether a step said something of its own: lines that make did not echo. */
static bool speaks(const struct make_step *step)
{
    const char *const paths[] = {step->log.path, step->error_log.path};
    bool own = step->lent;
    for (size_t i = 0; i < 2 && !own; i++) {
        char *text = paths[i] ? file_read(paths[i], NULL, NULL) : NULL;
        for (char *at = text; at && *at && !own;) {
            char *end = strchrnul(at, '\n');
            bool more = *end;
            *end = '\0';
            own = *at && !str_starts(at, "make[") && !str_starts(at, "make: ") &&
                  !strstr(str_text(&step->echoed), at);
            at = more ? end + 1 : end;
        }
        free(text);
    }
    return own;
}

static uint32_t flags_of(struct make_state *kept, const struct make_step *step)
{
    struct stat st;
    bool own = false, oracle = false;
    look_at_programs(step->trace, kept->place.root, &own, &oracle);
    uint32_t flags = RUN_TRACED;
    if (fstatat(kept->now.root_fd, step->target, &st, 0) < 0)
        flags |= RUN_ALWAYS | (speaks(step) ? RUN_SPEAKS : 0);
    if (step->recursive)
        flags |= RUN_NESTS;
    if (own || strchr(str_text(&step->lines), '$'))
        flags |= RUN_ENV_ANY;
    if (oracle)
        flags |= RUN_OUTSIDE;
    return flags;
}

static void record(struct make_state *kept, struct make_step *step, struct step_taking *data,
                   text_id target, uint32_t more_flags)
{
    struct taking *taking = &data->taking;
    struct state *state = &kept->state;
    uint32_t flags = flags_of(kept, step) | more_flags;
    id_list ids = {0};
    state_add_sets(state, taking->used.at, taking->used.len, &ids);
    uint32_t sets = (uint32_t)ids.len;
    for (size_t i = 0; i < taking->made.len; i++)
        vec_push(&ids, taking->made.at[i]);
    struct step_record record = {
        .target = target,
        .command = state_text(state, str_text(&step->lines)),
        .why = make_stale_why(kept, target),
        .rss_kib = (uint32_t)step->rss_kib,
        .sets = sets,
        .outputs = (uint32_t)taking->made.len,
        .flags = flags,
        .command_hash = XXH3_64bits(str_text(&step->lines), step->lines.len),
        .environment_hash = flags & RUN_ENV_ANY ? kept->all_environment : kept->environment,
        .ended_ns = (uint64_t)coarse_ns(),
        .cpu_ns = step->cpu_ns,
        .wall_ns = clock_ns() - step->begin_ns,
    };
    state_put(state, &record, ids.at);
    vec_free(&ids);
}

/* What the runs before in this build used and made. */
static void take_again(struct taking *taking)
{
    const struct step_record *old = taking->old;
    for (uint32_t i = 0; old && i < old->sets; i++) {
        struct set_walk walk = state_set(&taking->kept->state, old->ids[i]);
        for (version_id version; set_next(&walk, &version);)
            vec_push(&taking->used, version);
    }
    for (uint32_t i = 0; old && i < old->outputs; i++) {
        version_id made = record_outputs(old)[i];
        bool again = false;
        for (size_t k = 0; k < taking->made.len; k++)
            again |= taking->kept->state.versions.at[taking->made.at[k]].path ==
                     taking->kept->state.versions.at[made].path;
        if (!again)
            vec_push(&taking->made, made);
    }
}

void make_state_end(struct make_state *kept, struct make_step *step)
{
    if (!kept || !kept->open || !step->begun || step->skipped)
        return;
    if (step->failed) {
        kept->unseen = true;
        return; /* it stays begun: what it left is not to be trusted */
    }
    text_id target = make_state_step(kept, step);
    while (kept->recorded.len <= target)
        vec_push(&kept->recorded, 0);
    bool twice = kept->recorded.at[target];
    kept->recorded.at[target] = 1;
    if (!step->trace || step->trace->flaws) {
        /* Not all is known: never to be passed over, and no build is answered on its account. */
        kept->unseen = true;
        state_forget(&kept->state, target);
        commit(kept);
        return;
    }
    struct step_taking data = {.taking = {.kept = kept,
                                          .since_ns = step->begin_coarse_ns,
                                          .old = state_record(&kept->state, target)},
                               .target = step->target};
    uses_of_trace(step->trace, &kept->place, use_of_step, &data);
    if (twice)
        take_again(&data.taking);
    record(kept, step, &data, target, twice ? RUN_TWICE : 0);
    vec_free(&data.taking.used);
    vec_free(&data.taking.made);
    commit(kept);
}

/* ---- the goal ---- */

static void use_of_make(void *data, const char *path, unsigned uses)
{
    struct taking *taking = data;
    struct make_state *kept = taking->kept;
    struct stat st;
    bool there = fstatat(kept->now.root_fd, path, &st, 0) == 0;
    bool product = intern_find(&kept->products, path) != INTERN_NONE;
    if (uses & USE_LIST)
        vec_push(&taking->used, take_marked(taking, PATH_LIST, path));
    if (uses & USE_LINK)
        vec_push(&taking->used, take_marked(taking, PATH_LINK, path));
    if (!there) {
        if (uses & (USE_ABSENT | USE_EXISTS | USE_CONTENT))
            vec_push(&taking->used, take_absent(taking, path));
        return;
    }
    if (S_ISDIR(st.st_mode)) {
        if (uses & (USE_EXISTS | USE_ABSENT))
            vec_push(&taking->looked, take_marked(taking, PATH_EXISTS, path));
        return;
    }
    /* What it only looked at are prerequisites, whose times it compares: those it knows of. */
    bool read = uses & (USE_CONTENT | USE_MADE);
    if (read && !(product && (str_ends(path, ".d") || (uses & USE_MADE))))
        vec_push(&taking->used, take(taking, path));
    else
        vec_push(&taking->looked, take(taking, path));
}

/* What the makes wrote themselves, by $(shell) or $(file), they write anew each time: its change is
 * theirs, and no news to them. */
static void product_of_make(void *data, const char *path, unsigned uses)
{
    struct make_state *kept = data;
    if ((uses & USE_MADE) && path[0] != '/')
        make_state_add_product(kept, path);
}

static void put_goal(struct make_state *kept, enum make_key key, version_id *versions, size_t count)
{
    id_list ids = {0};
    state_add_sets(&kept->state, versions, count, &ids);
    struct step_record record = {.target = make_state_key(kept, key),
                                 .command = make_state_key(kept, KEY_STEPS),
                                 .why = TEXT_NONE,
                                 .sets = (uint32_t)ids.len,
                                 .flags = RUN_TRACED,
                                 .environment_hash = kept->all_environment,
                                 .ended_ns = (uint64_t)coarse_ns()};
    const struct step_record *old = state_record(&kept->state, record.target);
    if (!old || old->sets != record.sets || old->environment_hash != record.environment_hash ||
        (ids.len && memcmp(old->ids, ids.at, ids.len * sizeof *ids.at) != 0))
        state_put(&kept->state, &record, ids.at);
    vec_free(&ids);
}

static int by_number(const void *a, const void *b)
{
    uint32_t one = *(const uint32_t *)a, two = *(const uint32_t *)b;
    return one < two ? -1 : one > two;
}

/* Names that a makefile has are names of variables, perhaps. */
static void add_variables(struct make_state *kept, const char *path, id_list *names)
{
    enum { LONGEST = 64, LARGEST = 1 << 20 };
    size_t length;
    char *full = path_join(kept->place.root, path), *text = file_read(full, &length, NULL);
    free(full);
    for (char *at = text; at && length <= LARGEST && *at;) {
        if (!isalpha((unsigned char)*at) && *at != '_') {
            at++;
            continue;
        }
        size_t word = 1;
        while (isalnum((unsigned char)at[word]) || at[word] == '_')
            word++;
        char kept_byte = at[word];
        at[word] = '\0';
        if (word < LONGEST)
            vec_push(names, state_text(&kept->state, at));
        at[word] = kept_byte;
        at += word;
    }
    free(text);
}

/* More names count than were known when this build's steps ended: they had today's values. */
static void renew_environment(struct make_state *kept, uint64_t before)
{
    for (text_id target = 0; target < kept->recorded.len; target++) {
        const struct step_record *record = state_record(&kept->state, target);
        if (!kept->recorded.at[target] || !record || record->environment_hash != before)
            continue;
        struct step_record renewed = *record;
        renewed.environment_hash = kept->all_environment;
        state_put(&kept->state, &renewed, record->ids);
    }
}

/* The variables' names of all makefiles that were read, with those known before. */
static void take_variables(struct make_state *kept)
{
    text_id key = make_state_key(kept, KEY_VARIABLES);
    const struct text_list *old = state_list(&kept->state, key);
    id_list names = {0};
    for (uint32_t i = 0; old && i < old->count; i++)
        vec_push(&names, old->texts[i]);
    for (size_t i = 0; i < kept->make->makes.len; i++) {
        const struct trace *trace = kept->make->makes.at[i]->trace;
        for (size_t k = 0; trace && k < trace->accesses.len; k++) {
            const struct access *access = &trace->accesses.at[k];
            const char *path = intern_text(&trace->paths, access->path);
            size_t root = strlen(kept->place.root);
            if ((access->kinds & ACCESS_READ) && access->found && !str_ends(path, ".d") &&
                strncmp(path, kept->place.root, root) == 0 && path[root] == '/')
                add_variables(kept, path + root + 1, &names);
        }
    }
    if (names.len)
        qsort(names.at, names.len, sizeof *names.at, by_number);
    size_t count = 0;
    for (size_t i = 0; i < names.len; i++)
        if (!count || names.at[i] != names.at[count - 1])
            names.at[count++] = names.at[i];
    state_put_list(&kept->state, key, names.at, count);
    vec_free(&names);
    uint64_t before = kept->all_environment;
    kept->all_environment = hash_variables(kept);
    if (kept->all_environment != before)
        renew_environment(kept, before);
}

/* The steps that this goal's makes considered. */
static void take_steps(struct make_state *kept)
{
    id_list steps = {0};
    for (size_t i = 0; i < kept->make->steps.len; i++)
        vec_push(&steps, make_state_step(kept, kept->make->steps.at[i]));
    if (steps.len)
        qsort(steps.at, steps.len, sizeof *steps.at, by_number);
    size_t count = 0;
    for (size_t i = 0; i < steps.len; i++)
        if (!count || steps.at[i] != steps.at[count - 1])
            steps.at[count++] = steps.at[i];
    state_put_list(&kept->state, make_state_key(kept, KEY_STEPS), steps.at, count);
    vec_free(&steps);
}

/* What nothing is declared for can only be made again where it is not there. */
static void take_sources(struct make_state *kept)
{
    for (size_t i = 0; i < kept->make->steps.len; i++) {
        const struct make_step *step = kept->make->steps.at[i];
        const struct step_record *record = state_record(&kept->state, make_state_step(kept, step));
        uint32_t flag = step->depends ? 0 : RUN_SOURCE;
        if (!record || (record->flags & RUN_SOURCE) == flag)
            continue;
        struct step_record renewed = *record;
        renewed.flags = (record->flags & ~(uint32_t)RUN_SOURCE) | flag;
        state_put(&kept->state, &renewed, record->ids);
    }
}

/* Whether make may be left out next time: nothing in it does something each time. */
static bool is_quiet(struct make_state *kept)
{
    bool own = false, oracle = false;
    for (size_t i = 0; i < kept->make->makes.len; i++) {
        const struct trace *trace = kept->make->makes.at[i]->trace;
        if (!trace || trace->flaws)
            return false;
        look_at_programs(trace, kept->place.root, &own, &oracle);
    }
    return !oracle && kept->make->makes.len;
}

static void add_record(struct make_state *kept, const struct step_record *record)
{
    for (uint32_t i = 0; i < record->sets; i++) {
        struct set_walk walk = state_set(&kept->state, record->ids[i]);
        for (version_id version; set_next(&walk, &version);)
            plan_snapshot_version(&kept->state, &kept->fresh.snapshot, version);
    }
    for (uint32_t i = 0; i < record->outputs; i++)
        plan_snapshot_version(&kept->state, &kept->fresh.snapshot, record_outputs(record)[i]);
}

/* Everything that decides the goal, if all of it is as recorded. */
static bool take_snapshot(struct make_state *kept)
{
    const struct text_list *steps = state_list(&kept->state, make_state_key(kept, KEY_STEPS));
    for (uint32_t i = 0; steps && i < steps->count; i++) {
        const struct step_record *record = state_record(&kept->state, steps->texts[i]);
        if (!record)
            continue; /* made before anybody watched: make knows what it depends on */
        bool speaks_always = (record->flags & RUN_ALWAYS) && (record->flags & RUN_SPEAKS);
        if (speaks_always || (record->flags & RUN_OUTSIDE) || !make_stale_holds(kept, record, NULL))
            return false;
        add_record(kept, record);
    }
    for (enum make_key key = KEY_READ; key <= KEY_LOOKED; key++) {
        const struct step_record *record = state_record(&kept->state, make_state_key(kept, key));
        if (!record || !make_stale_holds(kept, record, NULL))
            return false;
        add_record(kept, record);
    }
    const struct text_list *names = state_list(&kept->state, make_state_key(kept, KEY_VARIABLES));
    for (uint32_t i = 0; names && i < names->count; i++)
        snapshot_add_variable(&kept->fresh.snapshot,
                              intern_text(&kept->state.texts, names->texts[i]));
    return true;
}

static void finish_goal(struct make_state *kept)
{
    struct taking taking = {.kept = kept, .since_ns = kept->start_coarse_ns};
    take_variables(kept);
    for (size_t i = 0; i < kept->make->makes.len; i++)
        if (kept->make->makes.at[i]->trace)
            uses_of_trace(kept->make->makes.at[i]->trace, &kept->place, product_of_make, kept);
    for (size_t i = 0; i < kept->make->makes.len; i++)
        if (kept->make->makes.at[i]->trace)
            uses_of_trace(kept->make->makes.at[i]->trace, &kept->place, use_of_make, &taking);
    put_goal(kept, KEY_READ, taking.used.at, taking.used.len);
    put_goal(kept, KEY_LOOKED, taking.looked.at, taking.looked.len);
    vec_free(&taking.used);
    vec_free(&taking.looked);
    take_steps(kept);
    take_sources(kept);
    bool whole = kept->answers && !kept->unseen && is_quiet(kept) && take_snapshot(kept);
    commit(kept);
    if (!whole || !kept->open)
        return;
    fresh_add_file(&kept->fresh, kept->state.path);
    uint64_t count = 0;
    for (size_t i = 0; i < kept->make->steps.len; i++)
        count++;
    kept->fresh.facts = (struct fresh_facts){
        .steps = count, .files = kept->make->files, .edges = kept->make->edges};
    kept->fresh.complete = true;
}

void make_state_close(struct make_state *kept, bool good)
{
    if (!kept)
        return;
    if (kept->open && good)
        finish_goal(kept);
    if (kept->fresh.complete)
        fresh_keep(&kept->fresh);
    else if (kept->state.path)
        fresh_drop(&kept->fresh);
    if (kept->state.path) {
        now_close(&kept->now);
        state_close(&kept->state);
    }
    intern_free(&kept->products);
    intern_free(&kept->product_dirs);
    vec_free(&kept->system);
    vec_free(&kept->recorded);
    vec_free(&kept->whys);
    fresh_close(&kept->fresh);
    free(kept->goal);
    free(kept);
}

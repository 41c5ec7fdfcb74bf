/* What is kept of a step: its commands, all that it used and made. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <xxhash.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "load/make_taking.h"
#include "run/locale.h"

/* Where an `echo` of plain words ends, behind its semicolon; NULL where it is more than that. */
static const char *end_of_echo(const char *at)
{
    char quote = '\0';
    for (; *at; at++) {
        if (*at == '`' || *at == '\\' || (*at == '$' && at[1] == '('))
            return NULL;
        if (quote) {
            if (*at == quote)
                quote = '\0';
        } else if (*at == '"' || *at == '\'') {
            quote = *at;
        } else if (*at == ';') {
            return at + 1;
        } else if (strchr("|&<>()\n#", *at)) {
            return NULL;
        }
    }
    return quote ? NULL : at;
}

/* What a command does but to announce itself: `echo "  CC x.o"; cc ...` is `cc ...`. */
static const char *deed_of(const char *command)
{
    for (;;) {
        command += strspn(command, " \t");
        const char *end = str_starts(command, "echo ") ? end_of_echo(command) : NULL;
        if (!end)
            return command;
        command = end;
    }
}

void make_state_deeds(struct str *out, const char *lines)
{
    for (const char *end; lines; lines = end ? end + 1 : NULL) {
        end = strchr(lines, '\1');
        char *line = mem_copy_n(lines, end ? (size_t)(end - lines) : strlen(lines));
        const char *deed = deed_of(line);
        if (*deed && out->len)
            str_add_char(out, '\1');
        str_add(out, deed);
        free(line);
    }
}

bool make_state_is_as_recorded(struct make_state *kept, const struct make_step *step,
                               const struct step_record *record)
{
    struct str was = {0}, now = {0};
    make_state_deeds(&was, record ? intern_text(&kept->state.texts, record->command) : "");
    make_state_deeds(&now, str_text(&step->lines));
    const char *text = str_text(&was);
    bool same = !now.len || (strncmp(text, now.at, now.len) == 0 &&
                             (text[now.len] == '\0' || text[now.len] == '\1'));
    str_free(&was);
    str_free(&now);
    return same;
}

void make_state_line(struct make_state *kept, struct make_step *step, const char *command)
{
    if (step->lines.len)
        str_add_char(&step->lines, '\1');
    str_add(&step->lines, command);
    if (!kept || !step->skipped)
        return;
    text_id target = make_state_step(kept, step);
    if (make_state_is_as_recorded(kept, step, state_record(&kept->state, target)))
        return;
    /* From here on it runs, what was passed over first. */
    state_forget(&kept->state, target);
    make_state_commit(kept);
    step->skipped = false;
}

void make_state_begin(struct make_state *kept, struct make_step *step)
{
    if (!kept || !kept->open)
        return;
    step->begin_coarse_ns = clock_files_ns();
    text_id target = make_state_step(kept, step);
    make_age_wanted(kept, target);
    state_begin(&kept->state, target);
    make_state_commit(kept);
}

/* A step while what it touched is turned into versions. */
struct step_taking {
    struct taking taking;
    const char *target;
    bool each_time; /* its target is no file: make runs it each time */
    VEC(version_id) appended; /* of what it made: others made it first, and may append as well */
};

static bool made_before(const struct taking *taking, const char *path)
{
    const struct state *state = &taking->kept->state;
    text_id text = intern_find(&state->texts, path);
    for (uint32_t i = 0; taking->old && text != INTERN_NONE && i < taking->old->outputs; i++)
        if (state->versions.at[record_outputs(taking->old)[i]].path == text)
            return true;
    return false;
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

/* An output, if it is one. Of a file that was there before and that no step is known to make (a
 * source that a step edits) only the content counts: it is never made to look old, nor taken away. */
static void take_made(struct step_taking *step, const char *path, bool was_there)
{
    struct taking *taking = &step->taking;
    struct make_state *kept = taking->kept;
    struct stat st;
    forget_now(kept, path);
    bool there = fstatat(kept->now.root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (!there && was_there && step->each_time)
        vec_push(&taking->used, taking_absent(taking, path));
    if (!there || (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode)))
        return;
    bool own = !was_there || strcmp(path, step->target) == 0 || made_before(taking, path) ||
               make_claims_has(kept, path);
    char *marked = S_ISLNK(st.st_mode) ? mem_format("%c%s", PATH_LINK, path) : mem_copy(path);
    version_id version = taking_written(taking, marked);
    free(marked);
    if (own) {
        make_state_add_product(kept, path);
        vec_push(&taking->made, version);
    } else {
        vec_push(&taking->used, version);
    }
}

static void use_of_step(void *data, uint32_t name, const char *path, unsigned uses)
{
    (void)name;
    struct step_taking *step = data;
    struct taking *taking = &step->taking;
    size_t made = taking->made.len;
    if ((uses & USE_APPENDED) && make_claims_has(taking->kept, path))
        take_made(step, path, true);
    while (made < taking->made.len)
        vec_push(&step->appended, taking->made.at[made++]);
    if (uses & USE_MADE)
        take_made(step, path, uses & USE_WAS_THERE);
    if (uses & USE_ABSENT)
        vec_push(&taking->used, taking_absent(taking, path));
    if (uses & USE_CONTENT)
        vec_push(&taking->used, taking_version(taking, path));
    if (uses & USE_EXISTS)
        vec_push(&taking->used, taking_marked(taking, PATH_EXISTS, path));
    if (uses & USE_LINK)
        vec_push(&taking->used, taking_marked(taking, PATH_LINK, path));
    if (uses & USE_LIST)
        vec_push(&taking->used, taking_marked(taking, PATH_LIST, path));
}

/* The directories that a step made or wanted to be there. */
static void take_directories(struct taking *taking, const struct trace *trace)
{
    const struct use_place *place = &taking->kept->place;
    size_t root = strlen(place->root);
    for (size_t i = 0; i < trace->accesses.len; i++) {
        const struct access *access = &trace->accesses.at[i];
        const char *path = name_text(access->path);
        struct stat st;
        if ((access->kinds & (ACCESS_MKDIR | ACCESS_ENSURE)) &&
            strncmp(path, place->root, root) == 0 && path[root] == '/' && stat(path, &st) == 0 &&
            S_ISDIR(st.st_mode))
            vec_push(&taking->used, taking_marked(taking, PATH_EXISTS, path + root + 1));
    }
}

static bool is_in(const struct taking *taking, const char *path, const version_id *versions,
                  size_t count)
{
    const struct state *state = &taking->kept->state;
    for (size_t i = 0; i < count; i++)
        if (strcmp(now_plain(intern_text(&state->texts, state->versions.at[versions[i]].path)),
                   path) == 0)
            return true;
    return false;
}

/* What it made before and only looked at now (`cmp -s new x || mv new x`) is still what it makes. */
static void take_kept(struct step_taking *step)
{
    struct taking *taking = &step->taking;
    const struct state *state = &taking->kept->state;
    for (uint32_t i = 0; taking->old && i < taking->old->outputs; i++) {
        text_id text = state->versions.at[record_outputs(taking->old)[i]].path;
        const char *path = intern_text(&state->texts, text);
        struct stat st;
        bool looked_at = strcmp(path, step->target) == 0 ||
                         is_in(taking, path, taking->used.at, taking->used.len);
        if (path == now_plain(path) && looked_at &&
            !is_in(taking, path, taking->made.at, taking->made.len) &&
            fstatat(taking->kept->now.root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode))
            vec_push(&taking->made, taking_written(taking, path));
    }
}

/* ---- what kind of step it is ---- */

/* For comparing what was printed with what a recipe says: without quotes and backslashes, and with one
 * blank for many. */
static void put_bare(struct str *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        bool blank = text[i] == ' ' || text[i] == '\t' || text[i] == '\1';
        bool after_blank = out->len && out->at[out->len - 1] == ' ';
        if (!strchr("\"'\\", text[i]) && !(blank && after_blank))
            str_add_char(out, blank ? ' ' : text[i]);
    }
}

/* Whether each line was echoed by make, or stands in the recipe word for word (`echo "  CC x.o"`). */
static bool is_announced(const struct make_step *step, const char *recipe, const char *text,
                         size_t length)
{
    struct str bare = {0};
    bool announced = true;
    for (const char *end = text + length, *next; announced && text < end; text = next) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        next = stop ? stop + 1 : end;
        str_cut(&bare, 0);
        put_bare(&bare, text, (size_t)((stop ? stop : end) - text));
        const char *line = str_text(&bare);
        size_t first = strspn(line, " ");
        announced = !line[first] || str_starts(line, "make[") || str_starts(line, "make: ") ||
                    strstr(recipe, line + first) != NULL;
        char *whole = announced ? NULL : mem_copy_n(text, (size_t)((stop ? stop : end) - text));
        announced = announced || strstr(str_text(&step->echoed), whole);
        free(whole);
    }
    str_free(&bare);
    return announced;
}

/* Whether a step printed more than announcements: what cannot be known without running it. */
static bool speaks(const struct make_step *step)
{
    enum { LONGEST = 64 * 1024 };
    const char *const paths[] = {step->log.path, step->error_log.path};
    struct str recipe = {0};
    bool own = step->lent;
    put_bare(&recipe, str_text(&step->lines), step->lines.len);
    for (size_t i = 0; i < 2 && !own; i++) {
        size_t length = 0;
        char *text = paths[i] ? file_read(paths[i], &length, NULL) : NULL;
        own = text && length &&
              (length > LONGEST || !is_announced(step, str_text(&recipe), text, length));
        free(text);
    }
    str_free(&recipe);
    return own;
}

/* Whether a part of a target's name (between dashes and the like) is a deed's: `run-tests`. */
static bool is_named_as_deed(const char *target)
{
    static const char *const deeds[] = {"install", "uninstall", "test",  "tests",  "check",
                                        "run",     "bench",     "dist",  "clean",  "deploy",
                                        "upload",  "publish",   "flash", "release"};
    const char *at = path_base(target);
    while (*at) {
        size_t length = strcspn(at, "-_.+");
        for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++)
            if (strlen(deeds[i]) == length && memcmp(at, deeds[i], length) == 0)
                return true;
        at += length + (at[length] != '\0');
    }
    return false;
}

static uint32_t flags_of(struct make_state *kept, const struct make_step *step, bool each_time)
{
    bool own = false, oracle = false;
    taking_programs(step->trace, kept->place.root, &own, &oracle);
    uint32_t flags = RUN_TRACED;
    if (each_time)
        flags |= RUN_ALWAYS;
    /* The stages of an OSv tree, which its first make is there for, only tell what they do. */
    bool stage = kept->make->build->options.osv && step->make == 0;
    if (!stage && speaks(step))
        flags |= RUN_SPEAKS;
    if (step->recursive)
        flags |= RUN_NESTS;
    if (own || strchr(str_text(&step->lines), '$'))
        flags |= RUN_ENV_ANY;
    else if (!locale_matters(step->trace, str_text(&step->lines)))
        flags |= RUN_ANY_LOCALE;
    if (oracle || step->trace->network)
        flags |= RUN_OUTSIDE;
    if ((each_time && is_named_as_deed(step->target)) ||
        uses_reach_outside(step->trace, &kept->place))
        flags |= RUN_EFFECTS;
    return flags;
}

/* What is known of a file before this run of a step, which made it, is recorded. */
static struct claimed claimed_before(const struct step_taking *step, version_id made, bool twice)
{
    const struct make_state *kept = step->taking.kept;
    text_id path = kept->state.versions.at[made].path;
    struct claimed claimed = {.appended = VERSION_NONE};
    for (size_t i = 0; i < step->appended.len; i++)
        if (step->appended.at[i] == made)
            claimed.appended = make_claims_last(kept, path);
    if (!twice && made_before(&step->taking, intern_text(&kept->state.texts, path)))
        claimed.ended_ns = step->taking.old->ended_ns;
    return claimed;
}

static void record(struct make_state *kept, struct make_step *step, struct step_taking *data,
                   text_id target, uint32_t more_flags)
{
    struct taking *taking = &data->taking;
    struct state *state = &kept->state;
    uint32_t flags = flags_of(kept, step, data->each_time) | more_flags;
    if (flags & RUN_TWICE) /* what the other runs did is not looked at */
        flags &= ~(uint32_t)RUN_ANY_LOCALE;
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
        .command_hash = XXH3_64bits(str_text(&step->lines), step->lines.len) ^
                        (flags & RUN_ENV_ANY ? step->added.any : step->added.always),
        .environment_hash = flags & RUN_ENV_ANY      ? kept->all_environment
                            : flags & RUN_ANY_LOCALE ? kept->any_locale
                                                     : kept->environment,
        .ended_ns = (uint64_t)clock_files_ns(),
        .cpu_ns = step->cpu_ns,
        .wall_ns = clock_ns() - step->begin_ns,
    };
    VEC(struct claimed) before = {0};
    for (size_t i = 0; i < taking->made.len; i++)
        vec_push(&before, claimed_before(data, taking->made.at[i], more_flags & RUN_TWICE));
    state_put(state, &record, ids.at);
    vec_free(&ids);
    for (size_t i = 0; i < taking->made.len; i++)
        make_claims_add(kept, target, taking->made.at[i], &before.at[i]);
    vec_free(&before);
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

uint64_t make_state_expect_ns(struct make_state *kept, const struct make_step *step)
{
    if (!kept || !kept->open)
        return 0;
    const struct step_record *record = state_record(&kept->state, make_state_step(kept, step));
    return record && !(record->flags & RUN_TWICE) ? record->wall_ns : 0;
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
        make_state_commit(kept);
        return;
    }
    struct step_taking data = {.taking = {.kept = kept,
                                          .since_ns = step->begin_coarse_ns,
                                          .old = state_record(&kept->state, target)},
                               .target = step->target};
    struct stat st;
    data.each_time = fstatat(kept->now.root_fd, step->target, &st, 0) < 0;
    uses_of_trace(step->trace, &kept->place, use_of_step, &data);
    if (data.each_time)
        take_directories(&data.taking, step->trace);
    if (twice)
        take_again(&data.taking);
    else
        take_kept(&data);
    record(kept, step, &data, target, twice ? RUN_TWICE : 0);
    vec_free(&data.taking.used);
    vec_free(&data.taking.made);
    vec_free(&data.appended);
    make_state_commit(kept);
}

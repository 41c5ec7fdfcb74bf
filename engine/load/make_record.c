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
    make_state_commit(kept);
    step->skipped = false;
}

void make_state_begin(struct make_state *kept, struct make_step *step)
{
    if (!kept || !kept->open)
        return;
    step->begin_coarse_ns = clock_files_ns();
    state_begin(&kept->state, make_state_step(kept, step));
    make_state_commit(kept);
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
    version_id version = taking_version(taking, path);
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
    taking_programs(step->trace, kept->place.root, &own, &oracle);
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
        .ended_ns = (uint64_t)clock_files_ns(),
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
        make_state_commit(kept);
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
    make_state_commit(kept);
}

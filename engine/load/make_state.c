#include "load/make_state.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/path.h"
#include "plan/libraries.h"

/* ---- what was asked for ---- */

/* Nobody who says `make install` or `make test` wants to hear that it was done once. */
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
    kept->goal = mem_copy(str_text(asked));
    if (make->build->also_asked)
        str_add(asked, make->build->also_asked);
    fresh_open(&kept->fresh, make->build, make->state_dir, str_text(asked));
    kept->start_coarse_ns = clock_files_ns();
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
    bool of_all = key == KEY_VARIABLES || key == KEY_LOST || key == KEY_PATHS;
    char *text = mem_format("%c%s", (char)key, of_all ? "" : kept->goal);
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

/* What editors leave beside a file while it is open, or of the one before. */
static bool is_of_editor(const char *name)
{
    size_t length = strlen(name);
    bool swap = name[0] == '.' && length > 4 && memcmp(name + length - 4, ".sw", 3) == 0;
    return swap || str_ends(name, "~") || str_starts(name, ".#") || strcmp(name, "4913") == 0 ||
           (name[0] == '#' && length > 1 && name[length - 1] == '#');
}

bool make_state_counts(const void *data, const char *path)
{
    const struct make_state *kept = data;
    return intern_find(&kept->products, path) == INTERN_NONE &&
           intern_find(&kept->product_dirs, path) == INTERN_NONE &&
           !str_starts(path_base(path), ".gantry") && !is_of_editor(path_base(path));
}

void make_state_commit(struct make_state *kept)
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

/* What the records say besides. */
static void learn(struct make_state *kept, int root_fd)
{
    now_open(&kept->now, &kept->state, root_fd);
    libraries_check(&kept->now, &kept->state);
    kept->now.counts = make_state_counts;
    kept->now.counts_data = kept;
    for (size_t i = 0; i < kept->state.records.len; i++) {
        const struct step_record *record = kept->state.records.at[i];
        for (uint32_t k = 0; record && k < record->outputs; k++) {
            text_id path = kept->state.versions.at[record_outputs(record)[k]].path;
            make_state_add_product(kept, now_plain(intern_text(&kept->state.texts, path)));
        }
    }
    make_claims_open(kept);
}

static void learn_environment(struct make_state *kept)
{
    kept->environment = make_environment_always(true);
    kept->any_locale = make_environment_always(false);
    kept->all_environment = make_environment_all(kept);
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
    learn(kept, kept->fresh.root_fd);
    if (lost)
        note_loss(kept);
    kept->make->anew = state_list(&kept->state, make_state_key(kept, KEY_LOST)) &&
                       !state_record(&kept->state, make_state_key(kept, KEY_READ));
    make_state_commit(kept);
    make_environment_open(kept);
    learn_environment(kept);
}

struct make_state *make_state_read(const char *root, const char *state_dir, struct err *err)
{
    struct make_state *kept = mem_zero(1, sizeof *kept);
    struct str notes = {0}; /* of damage: the next build tells it */
    int root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    kept->place = (struct use_place){root, state_dir};
    kept->goal = mem_copy("");
    kept->state.fd = -1;
    int status = root_fd < 0 ? err_errno(err, "%s", root)
                             : state_open(&kept->state, state_dir, STATE_READ, &notes, err);
    str_free(&notes);
    if (status == 0 && !kept->state.steps)
        status = err_set(err, ERR_INPUT,
                         "nothing is known of %s: no build of it was traced yet "
                         "(gantry build -- make)",
                         root);
    if (status < 0) {
        state_close(&kept->state);
        free(kept->goal);
        free(kept);
        if (root_fd >= 0)
            close(root_fd);
        return NULL;
    }
    learn(kept, root_fd);
    learn_environment(kept);
    return kept;
}

/* All but what belongs to a goal. */
static void free_known(struct make_state *kept)
{
    intern_free(&kept->products);
    intern_free(&kept->product_dirs);
    vec_free(&kept->system);
    vec_free(&kept->recorded);
    make_environment_close(kept);
    vec_free(&kept->makers);
    vec_free(&kept->shared);
    vec_free(&kept->aged);
    vec_free(&kept->aged_of);
    vec_free(&kept->wanted);
    vec_free(&kept->whys);
    make_read_free(kept);
    free(kept->stale);
    free(kept->goal);
    free(kept);
}

void make_state_unread(struct make_state *kept)
{
    if (!kept)
        return;
    close(kept->now.root_fd);
    now_close(&kept->now);
    state_close(&kept->state);
    free_known(kept);
}

void make_state_close(struct make_state *kept, bool good)
{
    if (!kept)
        return;
    if (kept->open) {
        make_age_end(kept, good);
        if (good)
            make_state_finish_goal(kept);
        else
            make_state_keep_steps(kept);
        make_state_commit(kept);
    }
    if (kept->fresh.complete)
        fresh_keep(&kept->fresh);
    else if (kept->state.path)
        fresh_drop(&kept->fresh);
    if (kept->state.path) {
        now_close(&kept->now);
        state_close(&kept->state);
    }
    fresh_close(&kept->fresh);
    free_known(kept);
}

/* What the console does when a screen asks: builds, guests, picks, logs, the editor, the clipboard. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "osv/osv.h"
#include "tui/check_report.h"
#include "tui/console.h"

#define NO_TREE "no tree here: gantry demo DIR writes one, gantry -C DIR goes to one"

static void say_error(struct console *console, const struct err *err)
{
    app_say(&console->app, SEVERITY_ERROR, err->text);
}

/* ---- selection ---- */

static struct conf *op_conf(void *app, struct err *err)
{
    struct console *console = app;
    if (!console->conf && console->root)
        console->conf = conf_load(console->root, console->assigns.at, console->assigns.len, err);
    else if (!console->root)
        err_set(err, ERR_INPUT, NO_TREE);
    return console->conf;
}

void actions_refresh(struct console *console)
{
    struct app_state *state = &console->app.state;
    struct err err = {0};
    if (state->tree != APP_TREE_NATIVE && state->tree != APP_TREE_OSV)
        return;
    struct conf *conf = op_conf(console, &err);
    if (!conf) {
        say_error(console, &err);
        return;
    }
    state->arch = conf_get(conf, "arch");
    state->mode = conf_get(conf, "mode");
    state->image = conf_get(conf, "image");
}

/* Whether a value can be picked at all: a misspelt name of an image is told, and not picked. */
static bool may_select(struct console *console, const char *name, const char *value)
{
    struct err err = {0};
    if (!value || !console->conf || console->app.state.tree != APP_TREE_OSV)
        return true;
    vec_push(&console->assigns, (struct assignment){name, value, ORIGIN_SCREEN});
    struct conf *conf = conf_load(console->root, console->assigns.at, console->assigns.len, &err);
    console->assigns.len--;
    if (!conf)
        say_error(console, &err);
    conf_free(conf);
    return conf != NULL;
}

static void op_select(void *app, const char *name, const char *value)
{
    struct console *console = app;
    size_t at = 0;
    if (!may_select(console, name, value))
        return;
    while (at < console->assigns.len && (console->assigns.at[at].kind != ORIGIN_SCREEN ||
                                         strcmp(console->assigns.at[at].name, name) != 0))
        at++;
    if (at < console->assigns.len) {
        free((char *)(uintptr_t)console->assigns.at[at].name);
        free((char *)(uintptr_t)console->assigns.at[at].value);
        console->assigns.at[at] = console->assigns.at[--console->assigns.len];
    }
    if (value)
        vec_push(&console->assigns,
                 (struct assignment){mem_copy(name), mem_copy(value), ORIGIN_SCREEN});
    actions_changed(console);
}

void actions_changed(struct console *console)
{
    struct app_state *state = &console->app.state;
    state->arch = state->mode = state->image = NULL; /* conf's own strings */
    conf_free(console->conf);
    console->conf = NULL;
    target_screen_forget(console);
    compose_screen_forget(console);
    edges_screen_forget(console);
    actions_refresh(console);
}

/* ---- builds ---- */

static bool may_start(struct console *console)
{
    struct app *app = &console->app;
    if (!console->root) {
        app_say(app, SEVERITY_ERROR, app->state.tree_error ? app->state.tree_error : NO_TREE);
        return false;
    }
    if (console->player) {
        app_say(app, SEVERITY_NOTE, "this build is only looked at: nothing is built here");
        return false;
    }
    if (console->build) {
        app_say_of_build(app, "a build is running: x stops it");
        return false;
    }
    return true;
}

/* Starts a build; `pick`, where not NULL, goes over what is picked. */
static bool start_build_of(struct console *console, const char *target, enum then then,
                           const struct batch_pick *pick)
{
    struct err err = {0};
    const char *targets[] = {target};
    static const char *const make[] = {"make", NULL};
    VEC(struct assignment) assigns = {0};
    if (!may_start(console))
        return false;
    console->then = then;
    bool native = console->app.state.tree == APP_TREE_NATIVE;
    bool driven = console->app.state.tree == APP_TREE_OSV;
    char **after = console->cli->after;
    const char *const *said =
        console->command.len ? (const char *const *)console->command.at : NULL;
    target_screen_stop(console);
    edges_screen_forget(console);
    logs_forget(console->logs);
    for (size_t i = 0; i < console->assigns.len; i++)
        vec_push(&assigns, console->assigns.at[i]);
    if (pick) {
        vec_push(&assigns, (struct assignment){"arch", pick->arch, ORIGIN_SCREEN});
        vec_push(&assigns, (struct assignment){"mode", pick->mode, ORIGIN_SCREEN});
        vec_push(&assigns, (struct assignment){"image", pick->image, ORIGIN_SCREEN});
    }
    struct build_options options = {.root = console->root,
                                    .assigns = assigns.at,
                                    .assigns_count = assigns.len,
                                    .targets = targets,
                                    .targets_count = target ? 1 : 0,
                                    .command = native   ? NULL
                                               : said   ? said
                                               : driven ? NULL
                                               : after  ? (const char *const *)after
                                                        : make,
                                    .osv = !driven || said       ? OSV_NOT
                                           : console->image_only ? OSV_COMPOSE
                                                                 : OSV_BUILD,
                                    .lanes = console->cli->lanes,
                                    .load_limit = console->cli->load_limit,
                                    .keep_going = console->cli->keep_going,
                                    .dry_run = console->cli->dry_run,
                                    .untraced = console->cli->untraced,
                                    .fail_on_races = console->cli->fail_on_races,
                                    .unabridged = true,
                                    .metered = true,
                                    .no_input = true,
                                    .journal = console->cli->journal};
    console->build_ns = clock_ns();
    console->stops = 0;
    console->build = build_start(&options, console->events, &err);
    vec_free(&assigns);
    if (!console->build) {
        say_error(console, &err);
        return false;
    }
    console->app.state.building = true;
    console->app.state.stopping = console->app.state.killing = false;
    return true;
}

/* `image_only` of an OSv tree: its kernel is taken as it is, where that fits. */
static void start_build(struct console *console, const char *target, bool image_only,
                        enum then then)
{
    console->image_only = image_only;
    start_build_of(console, target, then, NULL);
}

/* ---- several, one after the other ---- */

static void free_pick(struct batch_pick *pick)
{
    free(pick->arch);
    free(pick->mode);
    free(pick->image);
}

void actions_forget_batch(struct console *console)
{
    for (size_t i = 0; i < console->batch.len; i++)
        free_pick(&console->batch.at[i]);
    vec_free(&console->batch);
    free(console->batch_failures);
    console->batch_failures = NULL;
    console->batch_built = console->batch_failed = 0;
}

/* Starts the first of those that wait; those that cannot start are told and passed over. */
static void start_next(struct console *console)
{
    while (console->batch.len && !console->build) {
        struct batch_pick pick = console->batch.at[0];
        memmove(console->batch.at, console->batch.at + 1, --console->batch.len * sizeof pick);
        console->image_only = false;
        bool started = start_build_of(console, NULL, THEN_NOTHING, &pick);
        free_pick(&pick);
        if (!started)
            break;
    }
}

/* One of several has ended: the next one, or what came of all. */
static void go_on_with_batch(struct console *console, const struct event *end)
{
    const struct model *model = &console->app.model;
    if (!console->batching)
        return;
    console->batch_built += end->status == BUILD_OK;
    if (end->status == BUILD_FAILED) {
        char *before = console->batch_failures;
        console->batch_failures =
            mem_format("%s%s%s %s %s", before ? before : "", before ? ", " : "",
                       model_text(model, model->arch), model_text(model, model->mode),
                       model_text(model, model->image));
        free(before);
        console->batch_failed++;
    }
    if (end->status != BUILD_CANCELLED && console->batch.len) {
        start_next(console);
        if (console->build)
            return;
    }
    char *text = mem_format("%u built%s%s%s", console->batch_built,
                            console->batch_failures ? "; failed: " : "",
                            console->batch_failures ? console->batch_failures : "",
                            console->batch_failures ? "; pick it, and b shows why" : "");
    app_say(&console->app, console->batch_failed ? SEVERITY_ERROR : SEVERITY_NOTE, text);
    free(text);
    console->batching = false;
    actions_forget_batch(console);
}

/* Kept NULL-ended, as builds take it. */
static void op_set_command(void *app, const char *text)
{
    struct console *console = app;
    struct app_state *state = &console->app.state;
    str_list words = {0};
    conf_profile_words(text, &words);
    if (!words.len || !state->command) {
        str_list_free(&words);
        app_say(&console->app, SEVERITY_ERROR, "a command is wanted, as: make all");
        return;
    }
    vec_push(&words, NULL);
    str_list_free(&console->command);
    console->command.at = words.at;
    console->command.len = words.len;
    console->command.cap = words.cap;
    free((char *)(uintptr_t)state->command);
    state->command = mem_copy(text);
}

static void op_build_each(void *app, const char *const (*picks)[3], size_t count)
{
    struct console *console = app;
    if (!may_start(console))
        return;
    actions_forget_batch(console);
    for (size_t i = 0; i < count; i++)
        vec_push(&console->batch, (struct batch_pick){mem_copy(picks[i][0]), mem_copy(picks[i][1]),
                                                      mem_copy(picks[i][2])});
    console->batching = true;
    start_next(console);
    console->batching = console->build != NULL;
}

static void op_build(void *app, const char *target)
{
    start_build(app, target, false, THEN_NOTHING);
}

/* Composing is building the image's steps: they are part of the goals. */
static void op_compose(void *app)
{
    start_build(app, NULL, true, THEN_NOTHING);
}

static void op_boot(void *app)
{
    struct console *console = app;
    if (console->vm)
        app_say(&console->app, SEVERITY_NOTE, "a guest is running: x ends it");
    else
        start_build(console, NULL, true, THEN_BOOT);
}

/* What was picked before the tests is picked again. */
static void end_tests(struct console *console)
{
    char *before = console->image_before;
    console->testing = false;
    console->image_before = NULL;
    op_select(console, "image", before);
    free(before);
}

/* The tree's tests are an image: it is picked, built and booted, once. */
static void op_tests(void *app)
{
    struct console *console = app;
    if (console->vm || !may_start(console))
        return;
    if (console->app.state.tree != APP_TREE_NATIVE) {
        app_say(&console->app, SEVERITY_NOTE, "this tree has no image of tests");
        return;
    }
    for (size_t i = 0; i < console->assigns.len; i++)
        if (console->assigns.at[i].kind == ORIGIN_SCREEN &&
            strcmp(console->assigns.at[i].name, "image") == 0)
            console->image_before = mem_copy(console->assigns.at[i].value);
    console->testing = true;
    op_select(console, "image", "tests");
    if (console->conf)
        start_build(console, NULL, true, THEN_BOOT);
    if (!console->build)
        end_tests(console);
}

/* Of what the tests' guest printed: "33 tests passed", or which failed. */
static void say_tests(struct console *console)
{
    struct check_report report = {0};
    struct str text = {0};
    unsigned failed = 0;
    check_report_feed(&report, str_text(&console->app.model.vm.console));
    for (size_t i = 0; i < report.tests.len; i++)
        if (report.tests.at[i].reason)
            str_addf(&text, "%s %s", failed++ ? "," : "", report.tests.at[i].name);
    char *sentence =
        check_report_good(&report) ? mem_format("all %zu tests passed", report.tests.len)
        : failed
            ? mem_format("%u of %zu tests failed:%s; 8 has what they printed", failed,
                         report.tests.len, str_text(&text))
            : mem_format("the tests did not come to their end: %zu passed; 8 has what they printed",
                         report.tests.len);
    app_say(&console->app, check_report_good(&report) ? SEVERITY_NOTE : SEVERITY_ERROR, sentence);
    free(sentence);
    str_free(&text);
    check_report_free(&report);
}

static void start_vm(struct console *console)
{
    struct err err = {0};
    struct conf *conf = op_conf(console, &err);
    struct vm_options options = {.root = console->root, .conf = conf};
    struct osv_boot boot = {0};
    bool driven = console->app.state.tree == APP_TREE_OSV;
    if (conf && (!driven || osv_boot_fill(&boot, &options, NULL, false, &err) == 0))
        console->vm = vm_start(&options, console->events, &err);
    osv_boot_free(&boot);
    if (!console->vm) {
        say_error(console, &err);
        return;
    }
    console->app.state.booting = true;
    compose_screen_forget(console); /* the image is held */
    app_go(&console->app, "boot");
}

static void op_stop(void *app)
{
    struct console *console = app;
    if (console->build) {
        console->then = THEN_NOTHING;
        for (size_t i = 0; i < console->batch.len; i++)
            free_pick(&console->batch.at[i]);
        console->batch.len = 0; /* nor does any other of them begin */
        console->app.state.stopping = true;
        console->app.state.killing = console->stops > 0;
        build_command(console->build, console->stops++ ? BUILD_KILL : BUILD_DRAIN);
        app_say_of_build(&console->app,
                         console->stops == 1
                             ? "stopping: the running steps end first; x again kills them"
                             : "killing the running steps; ^C again leaves at once");
    } else if (console->vm) {
        vm_stop(console->vm);
    } else {
        app_say(&console->app, SEVERITY_NOTE, "nothing runs");
    }
}

void actions_ended(struct console *console, const struct event *event)
{
    if (event->kind == EVENT_BUILD_END && console->build) {
        console->status = build_finish(console->build);
        console->build = NULL;
        compare_forget(console);
        console->app.state.building = console->app.state.stopping = false;
        console->app.state.killing = false;
        enum then then = console->then;
        console->then = THEN_NOTHING;
        if (console->watch && console->app.state.tree != APP_TREE_NATIVE)
            watch_take(console->watch); /* what make wrote is no edit */
        actions_changed(console);
        if (then == THEN_BOOT && console->status == 0)
            start_vm(console);
        if (console->testing && !console->vm)
            end_tests(console);
        go_on_with_batch(console, event);
    } else if (event->kind == EVENT_VM_END && console->vm) {
        console->status = vm_finish(console->vm);
        console->vm = NULL;
        console->app.state.booting = false;
        actions_changed(console);
        if (console->testing) {
            say_tests(console);
            end_tests(console);
        }
    }
}

void actions_end_all(struct console *console)
{
    if (console->vm) {
        vm_stop(console->vm);
        console->status = vm_finish(console->vm);
        console->vm = NULL;
    }
    if (console->build) {
        build_command(console->build, BUILD_KILL);
        console->status = build_finish(console->build);
        console->build = NULL;
    }
    for (struct event *event; (event = queue_pop(console->events));) {
        model_event(&console->app.model, event);
        free(event);
    }
}

static void op_watch(void *app)
{
    struct console *console = app;
    struct err err = {0};
    bool on = console->watch != NULL;
    if (on) {
        watch_close(console->watch);
        console->watch = NULL;
    } else if (console->root && !console->player) {
        console->watch = watch_open(console->root, &err);
    } else {
        err_set(&err, ERR_INPUT,
                console->player ? "a recorded build has no files to watch: open its tree"
                                : NO_TREE);
    }
    console->changed_ns = 0;
    console->app.state.watching = console->watch != NULL;
    app_say(&console->app, on || console->watch ? SEVERITY_NOTE : SEVERITY_ERROR,
            on               ? "files are watched no more"
            : console->watch ? "watching: a build starts whenever a file is saved"
                             : err.text);
}

static void op_vm_type(void *app, const char *bytes, size_t length)
{
    struct console *console = app;
    if (console->vm)
        vm_type(console->vm, bytes, length);
}

/* ---- editor, clipboard, logs ---- */

/* Runs a shell command on the terminal, which is the console's again afterwards. Its exit status, -1
 * where there is none. */
static int run_on_terminal(struct console *console, const char *line, const char *name)
{
    char self[4096];
    if (strcmp(name, "/proc/self/exe") == 0) {
        ssize_t length = readlink(name, self, sizeof self - 1);
        self[length > 0 ? length : 0] = '\0';
        name = self;
    }
    terminal_suspend(console->terminal);
    pid_t pid = fork();
    if (pid == 0) {
        if (chdir(console->root) == 0)
            execl("/bin/sh", "sh", "-c", line, name, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    terminal_resume(console->terminal);
    return pid < 0 || !WIFEXITED(status) ? -1 : WEXITSTATUS(status);
}

/* vi and its kin, emacs, nano: "+LINE FILE". */
static void op_edit(void *app, const char *path, unsigned line)
{
    struct console *console = app;
    const char *editor = getenv("VISUAL");
    if (!editor || !*editor)
        editor = getenv("EDITOR");
    if (!editor || !*editor)
        editor = "vi";
    if (!console->terminal || !console->root)
        return;
    char *whole = path_join(console->root, path);
    struct str command = {0};
    str_addf(&command, "%s ", editor);
    if (line)
        str_addf(&command, "+%u ", line);
    text_shell_quote(&command, whole);
    if (run_on_terminal(console, str_text(&command), "sh") != 0) {
        char text[200];
        snprintf(text, sizeof text, "the editor (%s) failed: set VISUAL or EDITOR", editor);
        app_say(&console->app, SEVERITY_ERROR, text);
    }
    actions_changed(console);
    str_free(&command);
    free(whole);
}

/* What says little, or takes its time, does not need the terminal. */
static bool is_asked_beside(const char *const *words)
{
    static const char *const verbs[] = {"prove",   "mend",  "undo",    "hold",
                                        "release", "blame", "suppress"};
    if (strcmp(words[0], "races") != 0 || !words[1] || !words[2])
        return false;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(words[1], verbs[i]) == 0)
            return true;
    return false;
}

/* Runs ourselves with what is picked here, and waits for Enter, so that it can be read. */
static void op_command(void *app, const char *const *words)
{
    struct console *console = app;
    struct app *front = &console->app;
    if (!console->terminal || !console->root)
        return;
    if (is_asked_beside(words)) {
        asking_start(console, words);
        return;
    }
    const struct command *command = command_find(words[0]);
    if (!command || (words[1] && !strstr(command->usage, words[1]))) {
        char text[100];
        snprintf(text, sizeof text, "`gantry %s` cannot %s", words[0], words[1] ? words[1] : "run");
        app_say(front, SEVERITY_ERROR, text);
        return;
    }
    struct str line = {0};
    str_add(&line, "\"$0\" -C ");
    text_shell_quote(&line, console->root);
    for (size_t i = 0; i < console->assigns.len; i++) {
        char *word = mem_format("%s=%s", console->assigns.at[i].name, console->assigns.at[i].value);
        str_add_char(&line, ' ');
        text_shell_quote(&line, word);
        free(word);
    }
    for (size_t i = 0; words[i]; i++) {
        str_add_char(&line, ' ');
        text_shell_quote(&line, words[i]);
    }
    str_add(&line, "; printf '\\n[Enter comes back] '; read -r line");
    run_on_terminal(console, str_text(&line), "/proc/self/exe");
    str_free(&line);
    if (strcmp(words[0], "races") == 0)
        findings_refresh(console, words[1] && strcmp(words[1], "verify") == 0);
    actions_changed(console);
}

static void op_play(void *app, uint64_t from_ns)
{
    struct console *console = app;
    struct app_state *state = &console->app.state;
    if (!console->player || console->follow || console->loading) {
        app_say(&console->app, SEVERITY_NOTE, "only a recorded build is played: gantry replay");
        return;
    }
    state->playing = !state->playing;
    if (!state->playing)
        return;
    if (player_at_end(console->player) && from_ns >= player_at(console->player))
        from_ns = 0; /* at the end: once more */
    player_seek(console->player, &console->app, from_ns);
    model_tick(&console->app.model, from_ns);
    console->played_from_ns = from_ns;
    console->played_at_ns = clock_ns();
}

static void op_speed(void *app)
{
    struct console *console = app;
    char text[64];
    console->speed = console->speed >= 64 ? 1 : console->speed * 4;
    console->app.state.speed = console->speed;
    snprintf(text, sizeof text, "%u times as fast as it was", console->speed);
    app_say(&console->app, SEVERITY_NOTE, text);
    console->played_from_ns = console->app.model.now_ns;
    console->played_at_ns = clock_ns();
}

static void op_copy(void *app, const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct console *console = app;
    struct str out = {0};
    size_t length = strlen(text);
    const unsigned char *in = (const unsigned char *)text;
    str_add(&out, "\033]52;c;");
    for (size_t i = 0; i < length; i += 3) {
        unsigned bits = (unsigned)in[i] << 16 | (i + 1 < length ? (unsigned)in[i + 1] << 8 : 0) |
                        (i + 2 < length ? in[i + 2] : 0);
        str_add_char(&out, digits[bits >> 18]);
        str_add_char(&out, digits[bits >> 12 & 63]);
        str_add_char(&out, i + 1 < length ? digits[bits >> 6 & 63] : '=');
        str_add_char(&out, i + 2 < length ? digits[bits & 63] : '=');
    }
    str_add(&out, "\033\\");
    if (console->terminal)
        terminal_send(console->terminal, str_text(&out), out.len);
    str_free(&out);
}

static struct log_view *op_log(void *app, uint32_t step)
{
    struct console *console = app;
    return console->logs ? logs_get(console->logs, &console->app.model, step) : NULL;
}

void actions_fill(struct app_ops *ops)
{
    ops->build = op_build;
    ops->build_each = op_build_each;
    ops->set_command = op_set_command;
    ops->compose = op_compose;
    ops->boot = op_boot;
    ops->tests = op_tests;
    ops->stop = op_stop;
    ops->watch = op_watch;
    ops->vm_type = op_vm_type;
    ops->select = op_select;
    ops->conf = op_conf;
    ops->edit = op_edit;
    ops->play = op_play;
    ops->speed = op_speed;
    ops->command = op_command;
    ops->copy = op_copy;
    ops->log = op_log;
    ops->log_lines = log_view_lines;
    ops->log_grows = log_view_grows;
    ops->log_line = log_view_line;
    target_screen_fill(ops);
    edges_screen_fill(ops);
    compose_screen_fill(ops);
    compare_fill(ops);
}

#include "tests/support/screen.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <vterm.h>

#include "base/file.h"
#include "base/mem.h"
#include "journal/compare.h"
#include "tui/keymap.h"
#include "tui/screen.h"

struct log_view {
    uint32_t step;
    str_list lines;
};

struct test_screen {
    struct app app; /* first: ops get it as theirs */
    struct grid grid;
    struct screen *screen;
    VTerm *term;
    struct str text, asked, asked_before;
    VEC(struct log_view *) logs;
    size_t bytes;
    const struct target_data *targets;
    const struct compose_data *composition;
    struct compare *compare;
    const char *incomparable;
};

static void note(void *app, const char *what, const char *text)
{
    struct test_screen *screen = app;
    str_addf(&screen->asked, "%s%s(%s)", screen->asked.len ? " " : "", what, text ? text : "");
}

static void op_build(void *app, const char *target)
{
    note(app, "build", target);
}
static void op_compose(void *app)
{
    note(app, "compose", NULL);
}
static void op_boot(void *app)
{
    note(app, "boot", NULL);
}
static void op_tests(void *app)
{
    note(app, "tests", NULL);
}
static void op_stop(void *app)
{
    note(app, "stop", NULL);
}
static void op_watch(void *app)
{
    note(app, "watch", NULL);
}
static void op_vm_type(void *app, const char *bytes, size_t length)
{
    char *text = mem_copy_n(bytes, length);
    note(app, "type", text);
    free(text);
}
static void op_select(void *app, const char *name, const char *value)
{
    char *text = mem_format("%s=%s", name, value ? value : "");
    note(app, "select", text);
    free(text);
}
static struct conf *op_conf(void *app, struct err *err)
{
    (void)app;
    err_set(err, ERR_INPUT, "no conf in tests");
    return NULL;
}
static void op_edit(void *app, const char *path, unsigned line)
{
    char *text = mem_format("%s:%u", path, line);
    note(app, "edit", text);
    free(text);
}
static void op_command(void *app, const char *const *words)
{
    struct str text = {0};
    for (size_t i = 0; words[i]; i++)
        str_addf(&text, "%s%s", i ? " " : "", words[i]);
    note(app, "command", str_text(&text));
    str_free(&text);
}
static void op_play(void *app, uint64_t from_ns)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)from_ns);
    note(app, "play", text);
}
static void op_speed(void *app)
{
    note(app, "speed", NULL);
}
static void op_copy(void *app, const char *text)
{
    note(app, "copy", text);
}
static struct log_view *op_log(void *app, uint32_t step)
{
    struct test_screen *screen = app;
    for (size_t i = 0; i < screen->logs.len; i++)
        if (screen->logs.at[i]->step == step)
            return screen->logs.at[i];
    return NULL;
}
static uint64_t op_log_lines(struct log_view *log)
{
    return log->lines.len;
}
static bool op_log_grows(const struct log_view *log)
{
    (void)log;
    return false;
}
static const char *op_log_line(struct log_view *log, uint64_t line, size_t *length)
{
    *length = strlen(log->lines.at[line]);
    return log->lines.at[line];
}

static const struct target_data *op_targets(void *app)
{
    return ((struct test_screen *)app)->targets;
}
static void op_set_command(void *app, const char *text)
{
    struct test_screen *screen = app;
    note(app, "command-line", text);
    screen->app.state.command = text; /* the view's own copy lives as long */
}
static void op_build_each(void *app, const char *const (*picks)[3], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *text = mem_format("%s %s %s", picks[i][0], picks[i][1], picks[i][2]);
        note(app, "each", text);
        free(text);
    }
}
static void op_pick_profile(void *app, const char *name)
{
    note(app, "pick", name);
}
static void op_save_profile(void *app, const char *name)
{
    note(app, "name", name);
}
static void op_drop_profile(void *app, const char *name)
{
    note(app, "drop", name);
}
static void op_save_selection(void *app)
{
    note(app, "save", NULL);
}
static const struct compose_data *op_composition(void *app)
{
    return ((struct test_screen *)app)->composition;
}
static void op_stage_add(void *app, size_t tab, const char *guest, const char *wanted,
                         const char *beside)
{
    char *text = mem_format("%zu, %s: %s, %s", tab, guest, wanted, beside ? beside : "");
    note(app, "add", text);
    free(text);
}
static void op_stage_remove(void *app, size_t tab, const char *guest)
{
    (void)tab;
    note(app, "remove", guest);
}
static void op_stage_change(void *app, size_t tab, const char *guest, const char *to,
                            const char *wanted)
{
    char *text = mem_format("%zu, %s, %s: %s", tab, guest, to, wanted);
    note(app, "change", text);
    free(text);
}
static void op_stage_args(void *app, const char *args)
{
    note(app, "args", args);
}
static const struct edge_data *op_edges(void *app, uint32_t step)
{
    (void)app;
    static const struct edge_note notes[] = {
        {false, "include/list.h: read, and no rule names it"},
        {true, "gen/names.h: waited for, and nothing that it makes is used"},
    };
    static const struct edge_data found = {
        .notes = notes, .notes_count = 2, .declared = 3, .used = 2};
    static const struct edge_data clean = {.declared = 3, .used = 3};
    static const struct edge_data pending = {.pending = true};
    return step % 3 == 0 ? &pending : step % 3 == 1 ? &clean : &found;
}
static void op_stage_move(void *app, const char *file, unsigned line, bool later)
{
    char *text = mem_format("%s:%u %s", file, line, later ? "down" : "up");
    note(app, "move", text);
    free(text);
}
static char *op_preview_entry(void *app, size_t tab, const char *guest, const char *wanted,
                              const char *changing)
{
    (void)app;
    return mem_format("%zu %s, of %s%s%s", tab, guest, wanted, changing ? ", was " : "",
                      changing ? changing : "");
}
static void op_apply_args(void *app)
{
    note(app, "apply", NULL);
}
static void op_stage_undo(void *app)
{
    note(app, "undo", NULL);
}
static void op_stage_redo(void *app)
{
    note(app, "redo", NULL);
}
static char *op_staged_diff(void *app)
{
    (void)app;
    return mem_copy("--- manifests/usr.manifest.skel\n+++ manifests/usr.manifest.skel\n"
                    "@@ -3,2 +3,3 @@\n [manifest]\n /etc/motd: data/disk/motd\n"
                    "+/data/hello.txt: hello.txt\n");
}
static bool op_write_staged(void *app)
{
    note(app, "write", NULL);
    return true;
}
static void op_complete_host(void *app, const char *typed, str_list *words)
{
    (void)app;
    vec_push(words, mem_format("%s-one", typed));
    vec_push(words, mem_format("%s-two", typed));
}

static const struct compare *op_comparison(void *app, const char **why)
{
    const struct test_screen *screen = app;
    *why = screen->incomparable ? screen->incomparable : "reading both journals";
    return screen->compare;
}

static const struct app_ops ops = {
    .comparison = op_comparison,
    .build = op_build,
    .compose = op_compose,
    .boot = op_boot,
    .tests = op_tests,
    .stop = op_stop,
    .watch = op_watch,
    .vm_type = op_vm_type,
    .select = op_select,
    .conf = op_conf,
    .edit = op_edit,
    .command = op_command,
    .play = op_play,
    .speed = op_speed,
    .copy = op_copy,
    .log = op_log,
    .log_lines = op_log_lines,
    .log_grows = op_log_grows,
    .log_line = op_log_line,
    .targets = op_targets,
    .build_each = op_build_each,
    .set_command = op_set_command,
    .pick_profile = op_pick_profile,
    .save_profile = op_save_profile,
    .drop_profile = op_drop_profile,
    .save_selection = op_save_selection,
    .composition = op_composition,
    .stage_add = op_stage_add,
    .stage_remove = op_stage_remove,
    .stage_change = op_stage_change,
    .stage_args = op_stage_args,
    .edges = op_edges,
    .stage_move = op_stage_move,
    .preview_entry = op_preview_entry,
    .apply_args = op_apply_args,
    .stage_undo = op_stage_undo,
    .stage_redo = op_stage_redo,
    .staged_diff = op_staged_diff,
    .write_staged = op_write_staged,
    .complete_host = op_complete_host,
};

struct test_screen *test_screen_open(int w, int h, enum test_look look)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    struct err err = {0};
    struct test_screen *screen = mem_zero(1, sizeof *screen);
    app_init(&screen->app, &ops);
    screen->app.state.root = "/src/demo";
    screen->app.state.tree = APP_TREE_NATIVE;
    screen->app.state.arch = "x64";
    screen->app.state.mode = "release";
    screen->app.state.image = "default";
    screen->app.state.head = "master@0e34e4d";
    screen->app.state.dirty = 3;
    screen->screen = screen_open("xterm-256color", look == TEST_COLOR, &err);
    if (!screen->screen)
        fail_msg("%s", err.text);
    screen->grid.ascii = look == TEST_ASCII;
    screen->term = vterm_new(h, w);
    vterm_set_utf8(screen->term, 1);
    vterm_screen_reset(vterm_obtain_screen(screen->term), 1);
    grid_reset(&screen->grid, w, h);
    return screen;
}

void test_screen_close(struct test_screen *screen)
{
    app_free(&screen->app);
    grid_free(&screen->grid);
    screen_close(screen->screen);
    vterm_free(screen->term);
    str_free(&screen->text);
    str_free(&screen->asked);
    str_free(&screen->asked_before);
    for (size_t i = 0; i < screen->logs.len; i++) {
        str_list_free(&screen->logs.at[i]->lines);
        free(screen->logs.at[i]);
    }
    vec_free(&screen->logs);
    compare_free(screen->compare);
    free(screen);
}

void test_screen_data(struct test_screen *screen, const struct target_data *targets,
                      const struct compose_data *composition)
{
    screen->targets = targets;
    screen->composition = composition;
}

void test_screen_compare(struct test_screen *screen, struct compare *compare, const char *why)
{
    compare_free(screen->compare);
    screen->compare = compare;
    screen->incomparable = why;
}

struct app *test_screen_app(struct test_screen *screen)
{
    return &screen->app;
}

void test_screen_resize(struct test_screen *screen, int w, int h)
{
    vterm_set_size(screen->term, h, w);
    grid_reset(&screen->grid, w, h);
}

void test_screen_keys(struct test_screen *screen, const char *keys)
{
    while (*keys) {
        char word[128];
        struct key key;
        keys += strspn(keys, " ");
        bool typed = *keys == '\'';
        keys += typed;
        size_t length = strcspn(keys, typed ? "'" : " ");
        snprintf(word, sizeof word, "%.*s", (int)length, keys);
        keys += length;
        keys += typed && *keys;
        for (const char *c = word; typed && *c; c++)
            app_key(&screen->app, &(struct key){.code = (unsigned char)*c});
        if (!typed && *word) {
            if (!key_parse(word, &key))
                fail_msg("no key is called '%s'", word);
            app_key(&screen->app, &key);
        }
    }
}

static void draw(struct test_screen *screen)
{
    grid_reset(&screen->grid, screen->grid.w, screen->grid.h);
    app_draw(&screen->app, &screen->grid);
    const char *frame =
        screen_render(screen->screen, &screen->grid, screen->app.redraw, &screen->bytes);
    screen->app.redraw = false;
    vterm_input_write(screen->term, frame, screen->bytes);
    vterm_screen_flush_damage(vterm_obtain_screen(screen->term));
}

static void add_utf8(struct str *out, uint32_t ch)
{
    char bytes[16];
    str_add_n(out, bytes, key_bytes(&(struct key){.code = ch}, bytes));
}

/* One letter for what a cell looks like. */
static char mark_of(const VTermScreenCell *cell)
{
    if (cell->attrs.reverse)
        return 'r';
    if (VTERM_COLOR_IS_INDEXED(&cell->fg) && !VTERM_COLOR_IS_DEFAULT_FG(&cell->fg))
        return (char)('0' + cell->fg.indexed.idx % 10);
    if (cell->attrs.bold)
        return 'b';
    return cell->attrs.underline ? 'u' : ' ';
}

static void trim(struct str *out)
{
    while (out->len && out->at[out->len - 1] == ' ')
        str_cut(out, out->len - 1);
}

static const char *render(struct test_screen *screen, bool marks)
{
    draw(screen);
    VTermScreen *cells = vterm_obtain_screen(screen->term);
    str_cut(&screen->text, 0);
    for (int y = 0; y < screen->grid.h; y++) {
        for (int pass = 0; pass <= (marks ? 1 : 0); pass++) {
            for (int x = 0; x < screen->grid.w; x++) {
                VTermScreenCell cell;
                vterm_screen_get_cell(cells, (VTermPos){y, x}, &cell);
                if (pass)
                    str_add_char(&screen->text, mark_of(&cell));
                else
                    add_utf8(&screen->text, cell.chars[0] ? cell.chars[0] : ' ');
                if (cell.width > 1)
                    x++;
            }
            trim(&screen->text);
            str_add_char(&screen->text, '\n');
        }
    }
    return str_text(&screen->text);
}

const char *test_screen_text(struct test_screen *screen)
{
    return render(screen, false);
}

const char *test_screen_marked(struct test_screen *screen)
{
    return render(screen, true);
}

const char *test_screen_afresh(struct test_screen *screen)
{
    vterm_free(screen->term);
    screen->term = vterm_new(screen->grid.h, screen->grid.w);
    vterm_set_utf8(screen->term, 1);
    vterm_screen_reset(vterm_obtain_screen(screen->term), 1);
    screen->app.redraw = true;
    return render(screen, false);
}

const char *test_screen_asked(struct test_screen *screen)
{
    str_free(&screen->asked_before);
    screen->asked_before = screen->asked;
    screen->asked = (struct str){0};
    return str_text(&screen->asked_before);
}

size_t test_screen_bytes(const struct test_screen *screen)
{
    return screen->bytes;
}

void test_screen_log(struct test_screen *screen, uint32_t step, const char *text)
{
    struct log_view *log = op_log(screen, step);
    if (!log) {
        log = mem_zero(1, sizeof *log);
        log->step = step;
        vec_push(&screen->logs, log);
    }
    while (*text) {
        size_t length = strcspn(text, "\n");
        vec_push(&log->lines, mem_copy_n(text, length));
        text += length + (text[length] == '\n');
    }
}

void test_golden(const char *name, const char *text)
{
    char path[256];
    struct err err = {0};
    snprintf(path, sizeof path, "tests/goldens/%s.txt", name);
    if (getenv("UPDATE_GOLDENS")) {
        if (file_write(path, text, strlen(text), 0644, &err) < 0)
            fail_msg("%s", err.text);
        return;
    }
    size_t length;
    char *golden = file_read(path, &length, &err);
    if (!golden)
        fail_msg("%s (UPDATE_GOLDENS=1 writes it)", err.text);
    const char *a = golden, *b = text;
    for (unsigned line = 1; *a || *b; line++) {
        size_t an = strcspn(a, "\n"), bn = strcspn(b, "\n");
        if (an != bn || memcmp(a, b, an) != 0) {
            print_error("whole screen:\n%s", text);
            fail_msg("%s:%u:\n  golden: %.*s\n  screen: %.*s", path, line, (int)an, a, (int)bn, b);
        }
        a += an + (a[an] == '\n');
        b += bn + (b[bn] == '\n');
    }
    free(golden);
}

static const struct {
    int w, h;
} sizes[] = {{20, 5}, {40, 10}, {80, 24}, {120, 40}, {200, 60}};

/* A prepared screen that was drawn once, as a console's is before keys come. */
static struct test_screen *prepared(size_t size, enum test_look look,
                                    void (*prepare)(struct test_screen *), const char *keys)
{
    struct test_screen *screen = test_screen_open(sizes[size].w, sizes[size].h, look);
    if (prepare)
        prepare(screen);
    test_screen_text(screen);
    test_screen_keys(screen, keys);
    return screen;
}

/* The text in one look, compared with its golden where `infix` is not NULL. The caller frees. */
static char *golden_text(const char *name, size_t size, enum test_look look, const char *infix,
                         void (*prepare)(struct test_screen *), const char *keys)
{
    char file[96];
    struct test_screen *screen = prepared(size, look, prepare, keys);
    char *text = mem_copy(test_screen_text(screen));
    test_screen_close(screen);
    snprintf(file, sizeof file, "%s%s-%dx%d", name, infix ? infix : "", sizes[size].w,
             sizes[size].h);
    if (infix)
        test_golden(file, text);
    return text;
}

static void golden_marks(const char *name, size_t size, enum test_look look,
                         void (*prepare)(struct test_screen *), const char *keys)
{
    char file[96];
    struct test_screen *screen = prepared(size, look, prepare, keys);
    snprintf(file, sizeof file, "%s-%s-%dx%d", name, look == TEST_COLOR ? "color" : "nocolor",
             sizes[size].w, sizes[size].h);
    test_golden(file, test_screen_marked(screen));
    test_screen_close(screen);
}

void test_goldens(const char *name, void (*prepare)(struct test_screen *), const char *keys)
{
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *text = golden_text(name, i, TEST_COLOR, "", prepare, keys);
        char *plain = golden_text(name, i, TEST_NO_COLOR, NULL, prepare, keys);
        assert_string_equal(text, plain);
        char *ascii = golden_text(name, i, TEST_ASCII, "-ascii", prepare, keys);
        for (const char *c = ascii; *c; c++)
            if ((unsigned char)*c >= 0x80)
                fail_msg("%s: not ASCII: %.20s", name, c);
        free(text);
        free(plain);
        free(ascii);
        golden_marks(name, i, TEST_COLOR, prepare, keys);
        golden_marks(name, i, TEST_NO_COLOR, prepare, keys);
    }
}

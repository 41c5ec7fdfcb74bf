/*
 * Declared against used edges: the record of the last traced build, read by a thread of its own when
 * the graph screen asks first, since that of a large tree takes a second. Kept until something
 * changes.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/mem.h"
#include "race/hint.h"
#include "race/report.h"
#include "tui/console.h"
#include "tui/screen_data.h"

struct edges_screen {
    pthread_t thread;
    int fd; /* eventfd: the thread is done; -1: there is none */
    char *state_dir;
    /* The thread's until it is joined. */
    struct record *record;
    struct race_report report;
    struct race_asker *asker;
    struct err err;
    /* Ours. */
    bool reading, known, asked;
    uint32_t step; /* what `data` is of */
    struct edge_data data;
    struct arena arena; /* of data */
};

static void *read_record(void *data)
{
    struct edges_screen *edges = data;
    edges->record = record_read(edges->state_dir, &edges->err);
    if (edges->record) {
        race_report_make(&edges->report, edges->record);
        edges->asker = race_asker_new(&edges->report);
    }
    eventfd_write(edges->fd, 1);
    return NULL;
}

/* Starts the thread; false and err where that cannot be. */
static bool start(struct console *console, struct edges_screen *edges)
{
    struct err *err = &edges->err;
    *err = (struct err){0};
    edges->state_dir =
        build_state_dir(console->root, console->assigns.at, console->assigns.len, err);
    if (!edges->state_dir)
        return false;
    edges->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (edges->fd < 0 || pthread_create(&edges->thread, NULL, read_record, edges) != 0) {
        err_errno(err, "cannot read the record");
        return false;
    }
    edges->reading = true;
    return true;
}

static void join(struct edges_screen *edges)
{
    if (edges->reading)
        pthread_join(edges->thread, NULL);
    if (edges->fd >= 0)
        close(edges->fd);
    edges->fd = -1;
    edges->reading = false;
}

int edges_screen_fd(const struct console *console)
{
    return console->edges && console->edges->reading ? console->edges->fd : -1;
}

void edges_screen_take(struct console *console)
{
    join(console->edges);
    console->edges->known = true;
}

/* ---- one step ---- */

static void add_note(struct edges_screen *edges, struct race_hints *hints,
                     const struct race_hint *hint, struct edge_note *note)
{
    struct str text = {0};
    note->declared = hint->class == HINT_UNUSED_EDGE;
    if (note->declared)
        str_addf(&text, "%s: waited for, and nothing that it makes is used",
                 race_target(edges->record, hint->other));
    else if (hint->class == HINT_UNDECLARED_INPUT)
        str_addf(&text, "%s: read, and no rule names it", race_path(edges->record, hint->path));
    else
        race_hint_sentence(&edges->report, hints, hint, &text);
    note->text = arena_copy(&edges->arena, str_text(&text));
    str_free(&text);
}

static void ask(struct edges_screen *edges, uint32_t step)
{
    struct race_hints hints = {0};
    struct edge_data *data = &edges->data;
    arena_free(&edges->arena);
    *data = (struct edge_data){0};
    if (!edges->asker) {
        data->problem = edges->err.text[0] ? edges->err.text : "the record has no order of steps";
        return;
    }
    if (!race_hints_of(edges->asker, step, &hints)) {
        data->problem = "what it used is not known: it was not traced, failed, or only runs a "
                        "make, or Gantry did it itself";
        return;
    }
    const struct record_step *of = &edges->record->steps.at[step];
    struct edge_note *notes = arena_alloc(&edges->arena, (hints.list.len + 1) * sizeof *notes);
    size_t unused = 0;
    for (size_t i = 0; i < hints.list.len; i++) {
        add_note(edges, &hints, &hints.list.at[i], &notes[i]);
        unused += notes[i].declared;
    }
    data->notes = notes;
    data->notes_count = hints.list.len;
    data->declared = of->needs_count;
    data->used = data->declared > unused ? data->declared - unused : 0;
    race_hints_free(&hints);
}

static const struct edge_data *op_edges(void *app, uint32_t step)
{
    struct console *console = app;
    static const struct edge_data pending = {.pending = true};
    static const struct edge_data nothing = {.problem = "there is no build here to look at"};
    if (!console->root || console->player)
        return &nothing;
    if (!console->edges) {
        console->edges = mem_zero(1, sizeof *console->edges);
        console->edges->fd = -1;
    }
    struct edges_screen *edges = console->edges;
    if (!edges->known && !edges->reading && !start(console, edges))
        edges->known = true; /* the reason is in err */
    if (!edges->known)
        return &pending;
    if (!edges->asked || edges->step != step)
        ask(edges, step);
    edges->asked = true;
    edges->step = step;
    return &edges->data;
}

void edges_screen_fill(struct app_ops *ops)
{
    ops->edges = op_edges;
}

void edges_screen_forget(struct console *console)
{
    struct edges_screen *edges = console->edges;
    if (!edges)
        return;
    join(edges);
    race_asker_free(edges->asker);
    if (edges->record)
        race_report_free(&edges->report);
    record_free(edges->record);
    arena_free(&edges->arena);
    free(edges->state_dir);
    free(edges);
    console->edges = NULL;
}

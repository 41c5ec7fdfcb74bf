#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "views/build_view.h"

enum { CELLS_MIN = 4, GAP = 2, LABEL_MAX = 6 };

static const char *const labels[STAGES] = {"gen", "cc", "link", "image"};

static const struct model *sorting; /* qsort has no argument; the loop's thread only */

static int by_directory(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    const struct model_step *x = &sorting->steps.at[a], *y = &sorting->steps.at[b];
    if (x->dir != y->dir) {
        int order = strcmp(model_text(sorting, x->dir), model_text(sorting, y->dir));
        if (order)
            return order;
    }
    return a < b ? -1 : a > b;
}

static void add_step(struct map_stage *stage, uint32_t step)
{
    stage->order = vec_room(stage->order, &stage->cap, stage->count + 1, sizeof *stage->order);
    stage->order[stage->count++] = step;
}

/* Rebuilds the orders from all steps, by directory where the graph is known. */
static void rebuild(struct build_map *map, const struct model *model)
{
    for (int i = 0; i < STAGES; i++)
        map->stages[i].count = 0;
    for (size_t i = 0; i < model->steps.len; i++)
        if (*model_text(model, model->steps.at[i].rule))
            add_step(&map->stages[model->steps.at[i].stage], (uint32_t)i);
    if (model->complete) {
        sorting = model;
        for (int i = 0; i < STAGES; i++)
            if (map->stages[i].count)
                qsort(map->stages[i].order, map->stages[i].count, sizeof(uint32_t), by_directory);
    }
}

static int cells_of(const struct build_map *map, const struct map_stage *stage)
{
    return stage->columns * map->h;
}

/* Shares the width out among the stages by the square root of their steps. */
static void lay_out(struct build_map *map)
{
    double roots = 0;
    int fixed = 1, shown = 0;
    for (int i = 0; i < STAGES; i++) {
        struct map_stage *stage = &map->stages[i];
        stage->room = map->complete ? stage->count : stage->count + stage->count / 2 + 16;
        if (!stage->count)
            continue;
        roots += sqrt((double)stage->count);
        fixed += (int)strlen(labels[i]) + 1 + GAP;
        shown++;
    }
    int avail = map->w - fixed + (shown ? GAP : 0), x = 1;
    int spare = avail - shown * CELLS_MIN;
    for (int i = 0; i < STAGES; i++) {
        struct map_stage *stage = &map->stages[i];
        stage->columns = 0;
        if (!stage->count)
            continue;
        int columns = CELLS_MIN;
        if (spare > 0)
            columns += (int)(spare * sqrt((double)stage->count) / roots);
        int enough = ((int)(stage->room > 100000 ? 100000 : stage->room) + map->h - 1) / map->h;
        if (columns > enough)
            columns = enough > CELLS_MIN ? enough : CELLS_MIN;
        stage->x = x + (int)strlen(labels[i]) + 1;
        stage->columns = columns;
        x = stage->x + columns + GAP;
    }
    map->laid_out = true;
}

void build_map_update(struct build_map *map, const struct model *model, int w, int h)
{
    bool resized = w != map->w || h != map->h;
    bool regrown = model->steps.len < map->seen || model->complete != map->complete;
    if (!resized && !regrown && map->shape == model->shape)
        return;
    map->w = w;
    map->h = h > 0 ? h : 1;
    map->complete = model->complete;
    map->shape = model->shape;
    map->seen = model->steps.len;
    rebuild(map, model);
    bool full = false;
    for (int i = 0; i < STAGES; i++)
        full |= map->stages[i].count > map->stages[i].room;
    if (resized || regrown || full || !map->laid_out)
        lay_out(map);
}

/* The run of the order that a cell stands for. */
static void cell_run(const struct build_map *map, const struct map_stage *stage, int cell,
                     size_t *first, size_t *count)
{
    size_t cells = (size_t)cells_of(map, stage), at = (size_t)cell;
    size_t room = stage->room > cells ? stage->room : cells;
    size_t from = at * room / cells, to = (at + 1) * room / cells;
    if (from > stage->count)
        from = stage->count;
    if (to > stage->count)
        to = stage->count;
    *first = from;
    *count = to - from;
}

struct tally {
    size_t count, done, states[STEP_STATES];
    uint8_t worst;
    bool forecast, raced;
};

static struct tally tally_of(const struct build_map *map, const struct model *model, int stage_id,
                             int cell)
{
    const struct map_stage *stage = &map->stages[stage_id];
    struct tally tally = {.forecast = true};
    size_t first;
    cell_run(map, stage, cell, &first, &tally.count);
    for (size_t i = first; i < first + tally.count; i++) {
        const struct model_step *step = &model->steps.at[stage->order[i]];
        tally.states[step->state]++;
        tally.done += step->state == STEP_STATE_FRESH || step->state == STEP_STATE_DONE;
        tally.forecast &= step->forecast;
        tally.raced |= step->raced;
        if (step->state > tally.worst)
            tally.worst = step->state;
    }
    return tally;
}

static void draw_cell(const struct canvas *canvas, int x, int y, const struct tally *tally)
{
    static const enum style styles[STEP_STATES] = {STYLE_TEXT,    STYLE_TEXT,  STYLE_FAINT,
                                                   STYLE_WARNING, STYLE_READY, STYLE_RUNNING,
                                                   STYLE_FAILED};
    if (!tally->count)
        return;
    const char *glyph = tally->done == tally->count           ? "█"
                        : tally->done * 3 >= tally->count * 2 ? "▓"
                        : tally->done * 3 >= tally->count     ? "▒"
                                                              : "░";
    enum style style = styles[tally->worst];
    if (tally->worst == STEP_STATE_FAILED)
        glyph = "✗";
    else if (tally->raced)
        glyph = "⚑", style = STYLE_RACE;
    else if (tally->worst == STEP_STATE_RUNNING && !tally->done)
        glyph = "▒";
    else if (tally->worst == STEP_STATE_CANCELLED)
        glyph = "⊘";
    else if (tally->forecast)
        glyph = "┄";
    canvas_put(canvas, x, y, style, glyph);
}

void build_map_draw(const struct build_map *map, const struct model *model,
                    const struct canvas *canvas, bool focus)
{
    for (int i = 0; i < STAGES; i++) {
        const struct map_stage *stage = &map->stages[i];
        if (!stage->columns)
            continue;
        canvas_put(canvas, stage->x - (int)strlen(labels[i]) - 1, 0, STYLE_TEXT, labels[i]);
        for (int cell = 0; cell < cells_of(map, stage); cell++) {
            struct tally tally = tally_of(map, model, i, cell);
            int x = stage->x + cell % stage->columns, y = cell / stage->columns;
            draw_cell(canvas, x, y, &tally);
            if (focus && i == map->stage && cell == map->cell)
                canvas_reverse(canvas, x, y, 1);
        }
    }
}

/* The last cell of a stage that holds steps. */
static int last_cell(const struct build_map *map, int stage_id)
{
    const struct map_stage *stage = &map->stages[stage_id];
    int cell = cells_of(map, stage) - 1;
    for (; cell > 0; cell--) {
        size_t first, count;
        cell_run(map, stage, cell, &first, &count);
        if (count)
            break;
    }
    return cell;
}

static void move_stage(struct build_map *map, int by)
{
    int row = map->stages[map->stage].columns ? map->cell / map->stages[map->stage].columns : 0;
    for (int i = map->stage + by; i >= 0 && i < STAGES; i += by) {
        const struct map_stage *stage = &map->stages[i];
        if (!stage->columns)
            continue;
        map->stage = i;
        map->cell = row * stage->columns + (by < 0 ? stage->columns - 1 : 0);
        return;
    }
}

bool build_map_request(struct build_map *map, enum request request, int x, int y)
{
    const struct map_stage *stage = &map->stages[map->stage];
    int columns = stage->columns ? stage->columns : 1, column = map->cell % columns;
    switch (request) {
    case REQ_LEFT:
        if (column == 0)
            move_stage(map, -1);
        else
            map->cell--;
        break;
    case REQ_RIGHT:
        if (column == columns - 1)
            move_stage(map, 1);
        else
            map->cell++;
        break;
    case REQ_UP:
        if (map->cell >= columns)
            map->cell -= columns;
        break;
    case REQ_DOWN:
        if (map->cell + columns < cells_of(map, stage))
            map->cell += columns;
        break;
    case REQ_HOME:
        map->cell = 0;
        break;
    case REQ_END:
        map->cell = cells_of(map, stage);
        break;
    case REQ_CLICK:
        for (int i = 0; i < STAGES; i++) {
            const struct map_stage *hit = &map->stages[i];
            if (x >= hit->x && x < hit->x + hit->columns && y >= 0 && y < map->h) {
                map->stage = i;
                map->cell = y * hit->columns + x - hit->x;
            }
        }
        break;
    default:
        return false;
    }
    int last = last_cell(map, map->stage);
    if (map->cell > last)
        map->cell = last < 0 ? 0 : last;
    return true;
}

/* The cursor's cell; false where the map is empty. */
static bool cursor_cell(const struct build_map *map, size_t *first, size_t *count)
{
    const struct map_stage *stage = &map->stages[map->stage];
    *count = 0;
    if (stage->columns && map->cell < cells_of(map, stage))
        cell_run(map, stage, map->cell, first, count);
    return *count > 0;
}

void build_map_describe(const struct build_map *map, const struct model *model, struct str *out)
{
    size_t first, count;
    if (!cursor_cell(map, &first, &count))
        return;
    const struct map_stage *stage = &map->stages[map->stage];
    struct tally tally = tally_of(map, model, map->stage, map->cell);
    const struct model_step *from = &model->steps.at[stage->order[first]],
                            *to = &model->steps.at[stage->order[first + count - 1]];
    if (count == 1)
        str_addf(out, "%s %s  %s", model_text(model, from->rule),
                 model_short(model_text(model, from->target)), model_state_word(from));
    else
        str_addf(out, "%s %s%s%s  %zu/%zu", labels[map->stage],
                 model_short(model_text(model, from->dir)), from->dir == to->dir ? "" : " … ",
                 from->dir == to->dir ? "" : model_short(model_text(model, to->dir)), tally.done,
                 count);
    if (count > 1 && tally.states[STEP_STATE_RUNNING])
        str_addf(out, "  %zu running", tally.states[STEP_STATE_RUNNING]);
    if (count > 1 && tally.states[STEP_STATE_FAILED])
        str_addf(out, "  %zu failed", tally.states[STEP_STATE_FAILED]);
}

uint32_t build_map_step(const struct build_map *map, const struct model *model)
{
    size_t first, count;
    uint32_t best = MODEL_NONE;
    if (!cursor_cell(map, &first, &count))
        return best;
    const uint32_t *order = map->stages[map->stage].order;
    for (size_t i = first; i < first + count; i++)
        if (best == MODEL_NONE || model->steps.at[order[i]].state > model->steps.at[best].state)
            best = order[i];
    return best;
}

void build_map_free(struct build_map *map)
{
    for (int i = 0; i < STAGES; i++)
        free(map->stages[i].order);
}

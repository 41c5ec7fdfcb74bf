#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "views/build_view.h"

enum { CELLS_MIN = 4, GAP = 2, LABEL_MAX = 6 };

static const char *const labels[STAGES] = {"gen", "cc", "link", "image"};

enum { COUNTED_FORECAST = 0x40, COUNTED_RACED = 0x80, COUNTED_STATE = 0x3f };

static const struct model *sorting; /* qsort has no argument; the loop's thread only */

static int by_name(const void *left, const void *right)
{
    return strcmp(model_text(sorting, *(const uint32_t *)left),
                  model_text(sorting, *(const uint32_t *)right));
}

static void add_step(struct map_stage *stage, uint32_t step)
{
    stage->order = vec_room(stage->order, &stage->cap, stage->count + 1, sizeof *stage->order);
    stage->order[stage->count++] = step;
}

/* The rank of every directory among the names of all, by interned id, new; *count is how many there
 * are. */
static uint32_t *rank_directories(const struct model *model, size_t *count)
{
    VEC(uint32_t) dirs = {0};
    uint32_t *ranks = mem_zero(intern_count(&model->texts) + 1, sizeof *ranks);
    for (size_t i = 0; i < model->steps.len; i++) {
        uint32_t dir = model->steps.at[i].dir;
        if (!ranks[dir])
            vec_push(&dirs, dir);
        ranks[dir] = 1;
    }
    sorting = model;
    if (dirs.len)
        qsort(dirs.at, dirs.len, sizeof *dirs.at, by_name);
    for (size_t i = 0; i < dirs.len; i++)
        ranks[dirs.at[i]] = (uint32_t)i;
    *count = dirs.len;
    vec_free(&dirs);
    return ranks;
}

/* Sorts the stages' steps by directory, within one in the order in which they were heard of: a
 * counting sort, as names need to be compared once a directory and not once a step. */
static void sort_by_directory(struct build_map *map, const struct model *model)
{
    size_t count;
    uint32_t *ranks = rank_directories(model, &count);
    size_t *starts = mem_zero(count + 1, sizeof *starts);
    for (int stage = 0; stage < STAGES; stage++) {
        struct map_stage *at = &map->stages[stage];
        uint32_t *sorted = mem_zero(at->cap + 1, sizeof *sorted);
        memset(starts, 0, (count + 1) * sizeof *starts);
        for (size_t i = 0; i < at->count; i++)
            starts[ranks[model->steps.at[at->order[i]].dir] + 1]++;
        for (size_t i = 0; i < count; i++)
            starts[i + 1] += starts[i];
        for (size_t i = 0; i < at->count; i++)
            sorted[starts[ranks[model->steps.at[at->order[i]].dir]]++] = at->order[i];
        free(at->order);
        at->order = sorted;
    }
    free(starts);
    free(ranks);
}

/* Rebuilds the orders from all steps, by directory where the graph is known. */
static void rebuild(struct build_map *map, const struct model *model)
{
    for (int i = 0; i < STAGES; i++)
        map->stages[i].count = 0;
    for (size_t i = 0; i < model->steps.len; i++)
        if (*model_text(model, model->steps.at[i].rule))
            add_step(&map->stages[model->steps.at[i].stage], (uint32_t)i);
    if (model->complete)
        sort_by_directory(map, model);
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

/* ---- tallies ---- */

static void count_step(struct map_tally *tally, uint8_t counted, uint32_t by)
{
    tally->states[counted & COUNTED_STATE] += by;
    tally->forecast += counted & COUNTED_FORECAST ? by : 0;
    tally->raced += counted & COUNTED_RACED ? by : 0;
}

static uint8_t what_counts(const struct model_step *step)
{
    return (uint8_t)(step->state | (step->forecast ? COUNTED_FORECAST : 0) |
                     (step->raced ? COUNTED_RACED : 0));
}

/* Counts all steps anew, after a layout. */
static void count_all(struct build_map *map, const struct model *model)
{
    vec_reserve(&map->cells, model->steps.len + 1);
    vec_reserve(&map->counted, model->steps.len + 1);
    map->cells.len = map->counted.len = model->steps.len;
    memset(map->cells.at, 0xff, model->steps.len * sizeof *map->cells.at); /* MODEL_NONE: nowhere */
    for (int i = 0; i < STAGES; i++) {
        struct map_stage *stage = &map->stages[i];
        int cells = cells_of(map, stage);
        stage->tallies = vec_room(stage->tallies, &stage->tallies_cap, (size_t)cells + 1,
                                  sizeof *stage->tallies);
        for (int cell = 0; cell < cells; cell++) {
            struct map_tally *tally = &stage->tallies[cell];
            size_t first, count;
            cell_run(map, stage, cell, &first, &count);
            *tally = (struct map_tally){.count = (uint32_t)count};
            for (size_t at = first; at < first + count; at++) {
                uint32_t step = stage->order[at];
                map->cells.at[step] = (uint32_t)cell;
                map->counted.at[step] = what_counts(&model->steps.at[step]);
                count_step(tally, map->counted.at[step], 1);
            }
        }
    }
    map->changes = model->changed.len;
    map->builds = model->builds;
}

static void count_changes(struct build_map *map, const struct model *model)
{
    for (; map->changes < model->changed.len; map->changes++) {
        uint32_t step = model->changed.at[map->changes];
        if (map->cells.at[step] == MODEL_NONE)
            continue;
        const struct model_step *at = &model->steps.at[step];
        struct map_tally *tally = &map->stages[at->stage].tallies[map->cells.at[step]];
        count_step(tally, map->counted.at[step], UINT32_MAX); /* one less */
        map->counted.at[step] = what_counts(at);
        count_step(tally, map->counted.at[step], 1);
    }
}

void build_map_update(struct build_map *map, const struct model *model, int w, int h)
{
    bool resized = w != map->w || h != map->h;
    bool regrown = model->steps.len < map->seen || model->complete != map->complete;
    if (!resized && !regrown && map->shape == model->shape && map->builds == model->builds) {
        count_changes(map, model);
        return;
    }
    map->w = w;
    map->h = h > 0 ? h : 1;
    map->complete = model->complete;
    map->shape = model->shape;
    map->seen = model->steps.len;
    rebuild(map, model);
    bool full = false;
    for (int i = 0; i < STAGES; i++)
        full |= map->stages[i].count > map->stages[i].room ||
                (map->stages[i].count && !map->stages[i].columns);
    if (resized || regrown || full || !map->laid_out)
        lay_out(map);
    count_all(map, model);
}

static uint32_t tally_done(const struct map_tally *tally)
{
    return tally->states[STEP_STATE_FRESH] + tally->states[STEP_STATE_DONE];
}

static void draw_cell(const struct canvas *canvas, int x, int y, const struct map_tally *tally)
{
    static const enum style styles[STEP_STATES] = {STYLE_TEXT,    STYLE_TEXT,  STYLE_FAINT,
                                                   STYLE_WARNING, STYLE_READY, STYLE_RUNNING,
                                                   STYLE_FAILED};
    if (!tally->count)
        return;
    uint32_t done = tally_done(tally);
    const char *glyph = done == tally->count           ? "█"
                        : done * 3 >= tally->count * 2 ? "▓"
                        : done * 3 >= tally->count     ? "▒"
                                                       : "░";
    int worst = STEP_STATES - 1;
    while (worst > 0 && !tally->states[worst])
        worst--;
    enum style style = styles[worst];
    if (worst == STEP_STATE_FAILED)
        glyph = "✗";
    else if (tally->raced)
        glyph = "⚑", style = STYLE_RACE;
    else if (tally->critical)
        glyph = "◆", style = worst == STEP_STATE_RUNNING ? STYLE_RUNNING : STYLE_STRONG;
    else if (worst == STEP_STATE_RUNNING && !done)
        glyph = "▒";
    else if (worst == STEP_STATE_CANCELLED)
        glyph = "⊘";
    else if (tally->forecast == tally->count)
        glyph = "┄";
    canvas_put(canvas, x, y, style, glyph);
}

/* Sets or takes away the marks of a path; a step that came since the layout has no cell. */
static void mark_path(const struct build_map *map, const struct model *model, const uint32_t *path,
                      size_t count, bool critical)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t step = path[i];
        uint32_t cell = step < map->cells.len ? map->cells.at[step] : MODEL_NONE;
        uint8_t state = step < model->steps.len ? model->steps.at[step].state : STEP_STATE_DONE;
        if (cell != MODEL_NONE && state != STEP_STATE_DONE && state != STEP_STATE_FRESH)
            map->stages[model->steps.at[step].stage].tallies[cell].critical = critical;
    }
}

void build_map_draw(const struct build_map *map, const struct model *model, const uint32_t *path,
                    size_t path_count, const struct canvas *canvas, bool focus)
{
    mark_path(map, model, path, path_count, true);
    for (int i = 0; i < STAGES; i++) {
        const struct map_stage *stage = &map->stages[i];
        if (!stage->columns)
            continue;
        canvas_put(canvas, stage->x - (int)strlen(labels[i]) - 1, 0, STYLE_TEXT, labels[i]);
        for (int cell = 0; cell < cells_of(map, stage); cell++) {
            int x = stage->x + cell % stage->columns, y = cell / stage->columns;
            draw_cell(canvas, x, y, &stage->tallies[cell]);
            if (focus && i == map->stage && cell == map->cell)
                canvas_reverse(canvas, x, y, 1);
        }
    }
    mark_path(map, model, path, path_count, false);
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
    const struct map_tally *tally = &stage->tallies[map->cell];
    const struct model_step *from = &model->steps.at[stage->order[first]],
                            *to = &model->steps.at[stage->order[first + count - 1]];
    if (count == 1)
        str_addf(out, "%s %s  %s", model_text(model, from->rule),
                 model_short(model_text(model, from->target)), model_state_word(from));
    else
        str_addf(out, "%s %s%s%s  %u/%zu", labels[map->stage],
                 model_short(model_text(model, from->dir)), from->dir == to->dir ? "" : " … ",
                 from->dir == to->dir ? "" : model_short(model_text(model, to->dir)),
                 tally_done(tally), count);
    if (count > 1 && tally->states[STEP_STATE_RUNNING])
        str_addf(out, "  %u running", tally->states[STEP_STATE_RUNNING]);
    if (count > 1 && tally->states[STEP_STATE_FAILED])
        str_addf(out, "  %u failed", tally->states[STEP_STATE_FAILED]);
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
    for (int i = 0; i < STAGES; i++) {
        free(map->stages[i].order);
        free(map->stages[i].tallies);
    }
    vec_free(&map->cells);
    vec_free(&map->counted);
}

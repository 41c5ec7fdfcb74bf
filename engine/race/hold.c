#include "race/hold.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "race/report.h"
#include "run/build_internal.h"
#include "trace/trace.h"

enum { RING_EDGES_MAX = 2000 }; /* of those that are held: more are not looked through for rings */

static void free_hold(struct hold *hold)
{
    for (size_t i = 0; i < hold->edges.len; i++) {
        free(hold->edges.at[i].first);
        free(hold->edges.at[i].second);
    }
    vec_free(&hold->edges);
    free(hold->what);
}

void holds_free(struct holds *holds)
{
    for (size_t i = 0; i < holds->list.len; i++)
        free_hold(&holds->list.at[i]);
    vec_free(&holds->list);
}

const struct hold *holds_find(const struct holds *holds, const char *id)
{
    for (size_t i = 0; i < holds->list.len; i++)
        if (strcmp(holds->list.at[i].id, id) == 0)
            return &holds->list.at[i];
    return NULL;
}

/* ---- the file ---- */

static bool read_id(struct holds *holds, const char *line)
{
    if (strspn(line, "0123456789abcdef") != 8 || line[8] != ' ')
        return false;
    struct hold *hold = vec_new(&holds->list);
    memcpy(hold->id, line, 8);
    hold->what = mem_copy(line + 9);
    return true;
}

static bool read_edge(struct holds *holds, const char *line)
{
    const char *tab = strchr(line + 1, '\t');
    if (!holds->list.len || !tab || tab == line + 1 || !tab[1])
        return false;
    vec_push(&holds->list.at[holds->list.len - 1].edges,
             (struct hold_edge){mem_copy_n(line + 1, (size_t)(tab - line - 1)), mem_copy(tab + 1)});
    return true;
}

int holds_read(struct holds *holds, const char *root, struct err *err)
{
    *holds = (struct holds){0};
    char *path = path_join(root, HOLDS_FILE);
    char *text = access(path, F_OK) == 0 ? file_read(path, NULL, err) : mem_copy("");
    int status = text ? 0 : -1;
    unsigned number = 0;
    for (char *rest = text, *line; status == 0 && (line = strsep(&rest, "\n"));) {
        number++;
        if (!*line || *line == '#')
            continue;
        if (!(line[0] == '\t' ? read_edge(holds, line) : read_id(holds, line)))
            status = err_at(err, path, number, 0,
                            "expected an id of 8 hex digits and what it is, or a tab, a target, a "
                            "tab, and the target that is to come after it");
    }
    free(text);
    free(path);
    return status;
}

static int write_holds(const struct holds *holds, const char *root, struct err *err)
{
    struct str text = {0};
    char *path = path_join(root, HOLDS_FILE);
    str_add(&text, "# Orders that builds keep until the makefiles do; written by gantry races.\n");
    for (size_t i = 0; i < holds->list.len; i++) {
        const struct hold *hold = &holds->list.at[i];
        str_addf(&text, "%s %s\n", hold->id, hold->what);
        for (size_t k = 0; k < hold->edges.len; k++)
            str_addf(&text, "\t%s\t%s\n", hold->edges.at[k].first, hold->edges.at[k].second);
    }
    int status = holds->list.len ? file_write(path, text.at, text.len, 0666, err)
                 : unlink(path)  ? err_errno(err, "%s", path)
                                 : 0;
    free(path);
    str_free(&text);
    return status;
}

/* ---- which order ---- */

/* A pair in the order in which it went well. Where one makes what the other wants, that one comes first;
 * of two that share a name, or where one takes away what the other uses, the one that came first. */
static void put_in_order(const struct record *record, const struct race_witness *w, uint32_t *first,
                         uint32_t *second)
{
    bool either = w->class == RACE_WRITE_WRITE || w->class == RACE_SCRATCH ||
                  w->class == RACE_CHECK_THEN_CREATE || w->class == RACE_DOUBLE_WORK ||
                  w->class == RACE_REMOVAL;
    const struct race_access *a = race_access_of(record, w->first, w->path, NULL),
                             *b = race_access_of(record, w->second, w->path, NULL);
    bool other = either && a && b && b->when < a->when;
    *first = other ? w->second : w->first;
    *second = other ? w->first : w->second;
}

static bool has_edge(const struct hold *hold, const char *first, const char *second)
{
    for (size_t i = 0; i < hold->edges.len; i++)
        if (strcmp(hold->edges.at[i].first, first) == 0 &&
            strcmp(hold->edges.at[i].second, second) == 0)
            return true;
    return false;
}

static bool may_be_named(const char *target)
{
    return *target && !strpbrk(target, "\t\n");
}

static void add_edges(struct hold *hold, const struct race_report *report,
                      const struct report_finding *finding)
{
    const struct record *record = report->record;
    for (uint32_t i = 0; i < finding->witnesses_count; i++) {
        uint32_t a, b;
        put_in_order(record, &finding->witnesses[i], &a, &b);
        bool recipes = !((record->steps.at[a].flags | record->steps.at[b].flags) & RECORD_MAKE);
        const char *first = race_target(record, a), *second = race_target(record, b);
        if (recipes && may_be_named(first) && may_be_named(second) &&
            !has_edge(hold, first, second))
            vec_push(&hold->edges, (struct hold_edge){mem_copy(first), mem_copy(second)});
    }
}

/* ---- rings ---- */

static uint32_t step_of(const struct record *record, const char *target)
{
    for (uint32_t i = 0; i < record->steps.len; i++)
        if (strcmp(race_target(record, i), target) == 0)
            return i;
    return ORDER_TOP;
}

struct known_edge {
    uint32_t first, second; /* steps */
};

/* Whether edges, each from its first to its second step, close a ring with the declared order. */
static bool close_ring(struct order *order, const struct known_edge *edges, size_t count)
{
    size_t left = count;
    bool *gone = mem_zero(count + 1, sizeof *gone), any = true;
    while (any && left) { /* takes away those before which no other must come */
        any = false;
        for (size_t i = 0; i < count; i++) {
            bool waits = gone[i];
            for (size_t k = 0; k < count && !waits; k++)
                waits = k != i && !gone[k] &&
                        (edges[k].second == edges[i].first ||
                         order_strictly_before(order, edges[k].second, edges[i].first));
            if (waits)
                continue;
            gone[i] = any = true;
            left--;
        }
    }
    free(gone);
    return left != 0;
}

static bool makes_ring(const struct race_report *report, const struct holds *holds)
{
    VEC(struct known_edge) edges = {0};
    for (size_t i = 0; i < holds->list.len; i++)
        for (size_t k = 0; k < holds->list.at[i].edges.len; k++) {
            const struct hold_edge *edge = &holds->list.at[i].edges.at[k];
            uint32_t first = step_of(report->record, edge->first),
                     second = step_of(report->record, edge->second);
            if (first != ORDER_TOP && second != ORDER_TOP && first != second)
                vec_push(&edges, (struct known_edge){first, second});
        }
    struct order *order = edges.len > RING_EDGES_MAX ? NULL : order_new(&report->input.input.order);
    bool ring = order && close_ring(order, edges.at, edges.len);
    order_free(order);
    vec_free(&edges);
    return ring;
}

/* ---- holding and dropping ---- */

static int add(struct holds *holds, const struct race_report *report,
               const struct report_finding *finding, struct err *err)
{
    if (holds_find(holds, finding->id))
        return err_set(err, ERR_INPUT, "%s is held already", finding->id);
    if (finding->class == RACE_GOAL_DEPENDENT)
        return err_set(err, ERR_INPUT, "no order mends %s: the command itself differs",
                       finding->id);
    struct hold *hold = vec_new(&holds->list);
    memcpy(hold->id, finding->id, sizeof hold->id);
    hold->what = mem_format("%s of %s by %s and %s", race_class_name(finding->class),
                            race_path(report->record, finding->path),
                            race_target(report->record, finding->first),
                            race_target(report->record, finding->second));
    for (char *at = hold->what; *at; at++)
        if (*at == '\n')
            *at = ' ';
    add_edges(hold, report, finding);
    if (!hold->edges.len)
        return err_set(err, ERR_INPUT,
                       "%s cannot be held: it is about what a make does itself, before all recipes",
                       finding->id);
    if (makes_ring(report, holds))
        return err_set(err, ERR_INPUT,
                       "%s cannot be held: with what is held already the order would go in a ring",
                       finding->id);
    return 0;
}

int holds_add(const char *root, const struct race_report *report,
              const struct report_finding *finding, struct err *err)
{
    struct holds holds;
    int status = holds_read(&holds, root, err);
    if (status == 0)
        status = add(&holds, report, finding, err);
    if (status == 0)
        status = write_holds(&holds, root, err);
    holds_free(&holds);
    return status;
}

int holds_drop(const char *root, const char *prefix, char id[9], struct err *err)
{
    struct holds holds;
    int dropped = holds_read(&holds, root, err);
    size_t kept = 0;
    for (size_t i = 0; dropped >= 0 && i < holds.list.len; i++) {
        struct hold *hold = &holds.list.at[i];
        if (strncmp(hold->id, prefix, strlen(prefix)) != 0) {
            holds.list.at[kept++] = *hold;
            continue;
        }
        if (id)
            memcpy(id, hold->id, sizeof hold->id);
        free_hold(hold);
        dropped++;
    }
    if (dropped >= 0)
        holds.list.len = kept;
    if (dropped > 0 && write_holds(&holds, root, err) < 0)
        dropped = -1;
    holds_free(&holds);
    return dropped;
}

/* ---- in a build ---- */

void holds_open(struct build *build, struct holds *holds)
{
    struct err err = {0};
    if (holds_read(holds, build->options.root, &err) < 0) {
        build_say(build, SEVERITY_WARNING, "no order is held: %s", err.text);
        holds_free(holds);
        *holds = (struct holds){0};
    }
    for (size_t i = 0; i < holds->list.len; i++) {
        const struct hold *hold = &holds->list.at[i];
        if (!hold->edges.len)
            continue;
        char *text = mem_format("%s starts when %s has ended", hold->edges.at[0].second,
                                hold->edges.at[0].first);
        build_send(build, &(struct event){.kind = EVENT_HOLD,
                                          .id = hold->id,
                                          .first_target = hold->edges.at[0].first,
                                          .second_target = hold->edges.at[0].second,
                                          .witnesses = hold->edges.len,
                                          .state = "held",
                                          .text = text});
        free(text);
    }
}

void holds_tell_let_go(struct build *build, const struct hold *hold, const struct hold_edge *edge,
                       const char *why)
{
    build_send(build, &(struct event){.kind = EVENT_HOLD,
                                      .id = hold->id,
                                      .first_target = edge->first,
                                      .second_target = edge->second,
                                      .witnesses = hold->edges.len,
                                      .state = "let-go",
                                      .text = why});
}

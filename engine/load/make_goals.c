#include <stdlib.h>

#include "base/mem.h"
#include "load/make_database.h"
#include "race/record.h"

struct goals {
    struct database *base;
    struct intern names; /* of variables */
    VEC(struct slice) values; /* by name: unexpanded */
    VEC(unsigned char) known; /* by name: whether it refers to the variable in question */
    bool *owns; /* by entry: sets any variable */
    uint32_t *mark; /* by entry: reached from the target of this number + 1 */
    uint32_t *user_start, *users; /* by entry: who needs it */
};

/* "NAME = value" of the global variables: all before "# Files". */
static void read_variables(struct goals *goals, struct slice all)
{
    struct slice line;
    while (next_line(&all, &line) && !line_starts(line, "# Files")) {
        const char *equals = line.length && line.at[0] != '#' && line.at[0] != '\t'
                                 ? memchr(line.at, '=', line.length)
                                 : NULL;
        const char *blank = equals ? memchr(line.at, ' ', line.length) : NULL;
        if (!blank || blank > equals)
            continue;
        uint32_t id = intern_id_n(&goals->names, line.at, (size_t)(blank - line.at));
        while (goals->values.len <= id)
            vec_push(&goals->values, (struct slice){NULL, 0});
        goals->values.at[id] =
            (struct slice){equals + 1, (size_t)(line.at + line.length - equals - 1)};
    }
}

static bool refers(struct goals *goals, struct slice text, struct slice name);

/* Whether the value of a variable refers to another; each is looked at once for one name. */
static bool value_refers(struct goals *goals, uint32_t id, struct slice name)
{
    enum { UNKNOWN, NO, YES };
    if (goals->known.at[id] == UNKNOWN) {
        goals->known.at[id] = NO; /* where it refers to itself, that adds nothing */
        goals->known.at[id] = refers(goals, goals->values.at[id], name) ? YES : NO;
    }
    return goals->known.at[id] == YES;
}

/* Whether a text refers to a variable, itself or through others. */
static bool refers(struct goals *goals, struct slice text, struct slice name)
{
    for (size_t i = 0; i + 2 < text.length; i++) {
        if (text.at[i] != '$' || (text.at[i + 1] != '(' && text.at[i + 1] != '{'))
            continue;
        const char *start = text.at + i + 2;
        size_t room = text.length - i - 2, length = 0;
        while (length < room && !memchr(" :)},", start[length], 5))
            length++;
        if (length == name.length && memcmp(start, name.at, length) == 0)
            return true;
        uint32_t id = intern_find_n(&goals->names, start, length);
        if (id != INTERN_NONE && value_refers(goals, id, name))
            return true;
    }
    return false;
}

/* The recipe's text: the lines with a tab behind the one that tells where it stands. */
static bool recipe_refers(struct goals *goals, const struct entry *entry, struct slice name,
                          struct slice all)
{
    const char *end = all.at + all.length;
    if (!entry->place.at)
        return false;
    struct slice rest = {entry->place.at, (size_t)(end - entry->place.at)}, line;
    next_line(&rest, &line);
    while (next_line(&rest, &line) && line.length && line.at[0] == '\t')
        if (refers(goals, line, name))
            return true;
    return false;
}

static void index_users(struct goals *goals)
{
    const struct database *base = goals->base;
    size_t count = base->entries.len;
    goals->user_start = mem_zero(count + 2, sizeof *goals->user_start);
    goals->users = mem_zero(base->links.len + 1, sizeof *goals->users);
    for (size_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < base->entries.at[i].needs_count; k++)
            goals->user_start[base->links.at[base->entries.at[i].needs + k] + 2]++;
    for (size_t i = 0; i < count; i++)
        goals->user_start[i + 2 > count + 1 ? count + 1 : i + 2] += goals->user_start[i + 1];
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < base->entries.at[i].needs_count; k++)
            goals->users[goals->user_start[base->links.at[base->entries.at[i].needs + k] + 1]++] =
                i;
}

static bool has_own(const struct goals *goals, uint32_t entry, struct slice name)
{
    const struct database *base = goals->base;
    for (size_t i = 0; goals->owns[entry] && i < base->own.len; i++)
        if (base->own.at[i].entry == entry && base->own.at[i].name.length == name.length &&
            memcmp(base->own.at[i].name.at, name.at, name.length) == 0)
            return true;
    return false;
}

/* Another user of an entry, which is not below the target that sets the variable. */
static uint32_t other_user(const struct goals *goals, uint32_t entry, uint32_t owner,
                           struct slice name)
{
    for (uint32_t i = goals->user_start[entry]; i < goals->user_start[entry + 1]; i++) {
        uint32_t user = goals->users[i];
        if (user != owner && goals->mark[user] != owner + 1 &&
            goals->base->entries.at[user].considered && !has_own(goals, user, name))
            return user;
    }
    return NO_ENTRY;
}

static void look_below(struct goals *goals, const struct own_variable *own, struct slice all)
{
    struct database *base = goals->base;
    VEC(uint32_t) reached = {0};
    vec_push(&reached, own->entry);
    goals->mark[own->entry] = own->entry + 1;
    for (size_t i = 0; i < reached.len; i++) {
        const struct entry *entry = &base->entries.at[reached.at[i]];
        for (uint32_t k = 0; k < entry->needs_count; k++) {
            uint32_t need = base->links.at[entry->needs + k];
            if (goals->mark[need] == own->entry + 1 || has_own(goals, need, own->name))
                continue;
            goals->mark[need] = own->entry + 1;
            vec_push(&reached, need);
        }
    }
    for (size_t i = 1; i < reached.len; i++) {
        uint32_t id = reached.at[i];
        const struct entry *entry = &base->entries.at[id];
        if (entry->step == EVENT_NONE || !recipe_refers(goals, entry, own->name, all))
            continue;
        uint32_t user = other_user(goals, id, own->entry, own->name);
        if (user == NO_ENTRY)
            continue;
        char *name = mem_copy_n(own->name.at, own->name.length);
        record_goal(base->make->build->races,
                    &(struct record_goal_spec){
                        .step = entry->step,
                        .owner = intern_text(&base->names, base->entries.at[own->entry].name),
                        .other = intern_text(&base->names, base->entries.at[user].name),
                        .variable = name});
        free(name);
    }
    vec_free(&reached);
}

void database_goals(struct database *base, struct slice all)
{
    if (!base->own.len)
        return;
    struct goals goals = {.base = base};
    goals.mark = mem_zero(base->entries.len + 1, sizeof *goals.mark);
    read_variables(&goals, all);
    index_users(&goals);
    goals.owns = mem_zero(base->entries.len + 1, sizeof *goals.owns);
    for (size_t i = 0; i < base->own.len; i++)
        goals.owns[base->own.at[i].entry] = true;
    while (goals.known.len < goals.values.len)
        vec_push(&goals.known, 0);
    for (size_t i = 0; i < base->own.len; i++) {
        if (base->entries.at[base->own.at[i].entry].considered) {
            if (goals.known.len)
                memset(goals.known.at, 0, goals.known.len);
            memset(goals.mark, 0, (base->entries.len + 1) * sizeof *goals.mark);
            look_below(&goals, &base->own.at[i], all);
        }
    }
    intern_free(&goals.names);
    vec_free(&goals.values);
    vec_free(&goals.known);
    free(goals.owns);
    free(goals.mark);
    free(goals.user_start);
    free(goals.users);
}

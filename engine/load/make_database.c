/*
 * GNU make's data base (`make -p`; print_data_base and print_file in make's source are its only
 * description). Of its section "# Files" each entry is
 *     name: prerequisite... | order-only...        ("::" for double-colon rules)
 *     #  File has been updated.                     (make considered it in this run)
 *     #  Also makes: name...                        (the recipe's other targets)
 *     #  recipe to execute (from 'Makefile', line 4):
 * and ends with an empty line. Names stand there as they are, blanks and all.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "load/make_database.h"
#include "race/record.h"

static uint32_t entry_of(struct database *base, const char *name, size_t length)
{
    uint32_t id = intern_id_n(&base->names, name, length);
    if (id == base->entries.len)
        vec_push(&base->entries,
                 (struct entry){.name = id, .step = EVENT_NONE, .makes_it = NO_ENTRY});
    return id;
}

/* ---- reading ---- */

/* The rest of the text after a line that begins with `heading`. */
static struct slice section(struct slice all, const char *heading)
{
    struct slice line;
    while (next_line(&all, &line))
        if (line_starts(line, heading))
            return all;
    return (struct slice){NULL, 0};
}

/* Where the name of a rule line ends: its first colon (or two) before a blank or the end. */
static size_t name_length(struct slice line, size_t *after)
{
    for (size_t i = 0; i < line.length; i++) {
        if (line.at[i] != ':')
            continue;
        size_t next = i + 1;
        if (next < line.length && line.at[next] == ':')
            next++;
        if (next == line.length || line.at[next] == ' ') {
            *after = next;
            return i;
        }
    }
    return 0;
}

/* The word at `at`, which is moved behind it. */
static struct slice next_word(struct slice line, size_t *at)
{
    while (*at < line.length && line.at[*at] == ' ')
        (*at)++;
    size_t start = *at;
    while (*at < line.length && line.at[*at] != ' ')
        (*at)++;
    return (struct slice){line.at + start, *at - start};
}

static bool is_word(struct slice word, const char *text)
{
    return word.length == strlen(text) && memcmp(word.at, text, word.length) == 0;
}

/* Whether "target: NAME := value" stands there: variables of a target come before its rule. */
static bool is_variable(struct slice line, size_t after, struct slice *name, bool *defines)
{
    static const char *const modifiers[] = {"override", "private", "export", "unexport"};
    static const char *const operators[] = {"=", ":=", "::=", ":::=", "?=", "+=", "!="};
    struct slice word = next_word(line, &after);
    for (size_t i = 0; i < sizeof modifiers / sizeof *modifiers; i++)
        if (is_word(word, modifiers[i])) {
            word = next_word(line, &after);
            i = SIZE_MAX; /* from the first again */
        }
    *defines = is_word(word, "define");
    if (*defines)
        return true;
    *name = word;
    word = next_word(line, &after);
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (is_word(word, operators[i]))
            return true;
    return false;
}

static void read_entry_line(struct database *base, struct slice line, uint32_t current)
{
    static const char recipe[] = "#  recipe to execute (";
    struct entry *entry = &base->entries.at[current];
    if (line_starts(line, "#  File has been updated.") ||
        line_starts(line, "#  Needs to be updated"))
        entry->considered = true;
    else if (line_starts(line, "#  Successfully updated."))
        entry->succeeded = true;
    else if (line_starts(line, "#  Phony target"))
        entry->phony = true;
    else if (line_starts(line, recipe)) {
        entry->has_recipe = true;
        entry->place = (struct slice){line.at + strlen(recipe), line.length - strlen(recipe)};
    } else if (line_starts(line, "#  Also makes:"))
        vec_push(&base->also, (struct rule){current,
                                            {line.at + strlen("#  Also makes:"),
                                             line.length - strlen("#  Also makes:")}});
}

static void read_files(struct database *base, struct slice rest)
{
    struct slice line;
    uint32_t current = NO_ENTRY;
    bool at_start = true, in_define = false, is_private = false;
    while (next_line(&rest, &line)) {
        if (in_define) {
            in_define = !line_starts(line, "endef");
        } else if (line_starts(line, "# files hash-table stats:")) {
            return;
        } else if (line.length == 0) {
            at_start = true;
            current = NO_ENTRY;
        } else if (line.at[0] == '#') {
            if (current != NO_ENTRY)
                read_entry_line(base, line, current);
            in_define = line_starts(line, "# define ");
            is_private = line_starts(line, "# makefile private ");
        } else if (at_start && line.at[0] != '\t') {
            size_t after = 0, length = name_length(line, &after);
            struct slice name = {NULL, 0};
            if (length && is_variable(line, after, &name, &in_define)) {
                if (name.length && name.at[0] != '.' && !is_private)
                    vec_push(&base->own,
                             (struct own_variable){entry_of(base, line.at, length), name});
                continue; /* the rule's line is still to come */
            }
            at_start = false;
            if (!length)
                continue;
            current = entry_of(base, line.at, length);
            base->entries.at[current].known = true;
            vec_push(&base->rules, (struct rule){current, {line.at + after, line.length - after}});
        }
    }
}

/* The next name of a list; names that have blanks are found by trying longer ones. */
static uint32_t next_name(struct database *base, struct slice *list)
{
    while (list->length && *list->at == ' ')
        list->at++, list->length--;
    const char *start = list->at;
    size_t first = 0, length = 0;
    for (int words = 0; words < 12 && length < list->length; words++) {
        const char *blank = memchr(start + length, ' ', list->length - length);
        length = blank ? (size_t)(blank - start) : list->length;
        if (!first)
            first = length;
        uint32_t id = intern_find_n(&base->names, start, length);
        if (id != INTERN_NONE && base->entries.at[id].known) {
            list->at += length;
            list->length -= length;
            return id;
        }
        length += length < list->length;
    }
    if (!first)
        return NO_ENTRY;
    list->at += first;
    list->length -= first;
    return entry_of(base, start, first);
}

/* Whether what waits for this is made each time: it is phony, or there is no such file. */
static bool is_no_file(struct database *base, uint32_t id)
{
    struct entry *entry = &base->entries.at[id];
    if (entry->asked || entry->phony)
        return entry->missing || entry->phony;
    const struct make_process *owner = base->make->makes.at[base->number];
    char *directory = path_join(base->make->build->options.root, owner->directory);
    char *path = path_join(directory, intern_text(&base->names, id));
    entry->asked = true;
    entry->missing = access(path, F_OK) < 0;
    free(path);
    free(directory);
    return entry->missing;
}

/* Prerequisites as entries, in links; rules of one name follow one another in make's table. */
static void link_rules(struct database *base)
{
    for (size_t i = 0; i < base->rules.len; i++) {
        struct slice list = base->rules.at[i].prerequisites;
        uint32_t owner = base->rules.at[i].entry, first = (uint32_t)base->links.len;
        struct entry *entry = &base->entries.at[owner];
        if (entry->needs_count && entry->needs + entry->needs_count != first) {
            for (uint32_t k = 0; k < entry->needs_count; k++) {
                vec_reserve(&base->links, base->links.len + 1);
                base->links.at[base->links.len++] = base->links.at[entry->needs + k];
                vec_reserve(&base->soft, base->soft.len + 1);
                base->soft.at[base->soft.len++] = base->soft.at[entry->needs + k];
            }
            entry->needs = first;
        } else if (!entry->needs_count)
            entry->needs = first;
        bool order = false;
        for (uint32_t id; (id = next_name(base, &list)) != NO_ENTRY;) {
            bool bar = strcmp(intern_text(&base->names, id), "|") == 0;
            if (!bar) {
                vec_push(&base->links, id);
                vec_push(&base->soft, order);
            }
            order |= bar;
            base->entries.at[owner].depends |= !order;
            if (base->make) /* NULL: only the order is read */
                base->entries.at[owner].forced |= !order && is_no_file(base, id);
        }
        entry = &base->entries.at[owner]; /* it may have moved */
        entry->needs_count = (uint32_t)base->links.len - entry->needs;
    }
}

/* ---- telling ---- */

static const char *rule_of_name(const char *target)
{
    const char *dot = strrchr(path_base(target), '.');
    static const char *const rules[][2] = {
        {".o", "cc"}, {".a", "ar"}, {".so", "link"}, {".elf", "link"}, {".jar", "javac"}};
    for (size_t i = 0; dot && i < sizeof rules / sizeof *rules; i++)
        if (strcmp(dot, rules[i][0]) == 0)
            return rules[i][1];
    return "gen";
}

/* Of the targets that one recipe makes together: `ran`, those whose recipe ran are made by the one
 * for which it did; else by the one that is named first. */
static void give_groups(struct database *base, const struct map *by_name, bool ran)
{
    for (size_t i = 0; i < base->also.len; i++) {
        struct slice list = base->also.at[i].prerequisites;
        uint32_t maker = base->also.at[i].entry;
        bool has_run = map_get(by_name, intern_text(&base->names, maker)) != NULL;
        if (has_run != ran || base->entries.at[maker].makes_it != NO_ENTRY)
            continue;
        for (uint32_t id; (id = next_name(base, &list)) != NO_ENTRY;)
            if (id != maker && base->entries.at[id].makes_it == NO_ENTRY &&
                !map_get(by_name, intern_text(&base->names, id)))
                base->entries.at[id].makes_it = maker;
    }
}

/* Gives each recipe that make considered its step: the one that ran, or a new one that did not. */
static void give_steps(struct database *base)
{
    struct make_process *owner = base->make->makes.at[base->number];
    give_groups(base, &owner->by_name, true);
    give_groups(base, &owner->by_name, false);
    for (uint32_t i = 0; i < base->entries.len; i++) {
        struct entry *entry = &base->entries.at[i];
        const char *name = intern_text(&base->names, i);
        uintptr_t ran = (uintptr_t)map_get(&owner->by_name, name);
        if (ran) {
            entry->considered = true;
            entry->step = (uint32_t)ran - 1;
        } else if (entry->considered && entry->has_recipe && entry->makes_it == NO_ENTRY) {
            struct make_step *step = steps_add_idle(base->make, base->number, name);
            step->rule = rule_of_name(name);
            entry->step = step->id;
        }
        if (entry->step == EVENT_NONE)
            continue;
        base->make->steps.at[entry->step]->depends |= entry->depends;
        base->make->steps.at[entry->step]->forced |= entry->forced;
    }
}

typedef VEC(uint32_t) id_list;

/* The steps that an entry needs, through those that have no recipe; the latter, too. */
static void find_needs(struct database *base, uint32_t from, id_list *stack, id_list *out,
                       id_list *leaves)
{
    const struct entry *start = &base->entries.at[from];
    uint32_t mark = from + 1;
    base->entries.at[from].seen = mark;
    stack->len = out->len = leaves->len = 0;
    for (uint32_t k = 0; k < start->needs_count; k++)
        vec_push(stack, base->links.at[start->needs + k]);
    while (stack->len) {
        uint32_t id = stack->at[--stack->len];
        if (base->entries.at[id].makes_it != NO_ENTRY)
            id = base->entries.at[id].makes_it;
        struct entry *entry = &base->entries.at[id];
        if (entry->seen == mark)
            continue;
        entry->seen = mark;
        if (entry->step != EVENT_NONE) {
            vec_push(out, entry->step);
            continue;
        }
        vec_push(leaves, id);
        for (uint32_t k = 0; k < entry->needs_count; k++)
            vec_push(stack, base->links.at[entry->needs + k]);
    }
}

/* Where the recipe stands, from "from 'Makefile', line 4):", and what its step needs. */
static void record_entry(struct database *base, const struct entry *entry, const id_list *needs,
                         const id_list *leaves)
{
    static const char from[] = "from '", line[] = "', line ";
    struct record *record = base->make->build->races;
    struct record_spec spec = {.step = entry->step, .phony = entry->phony};
    const char *end = memmem(entry->place.at, entry->place.length, line, strlen(line));
    char *file = NULL;
    if (end && line_starts(entry->place, from)) {
        const char *start = entry->place.at + strlen(from);
        file = mem_copy_n(start, (size_t)(end - start));
        spec.file = file;
        spec.line = (uint32_t)strtoul(end + strlen(line), NULL, 10);
    }
    record_step(record, &spec);
    record_needs(record, entry->step, needs->at, (uint32_t)needs->len);
    for (size_t i = 0; i < leaves->len; i++)
        record_declare(record, entry->step, intern_text(&base->names, leaves->at[i]));
    free(file);
}

/* How this make runs recipes. */
static void record_jobs(struct database *base, struct slice all)
{
    struct slice line;
    bool one_job = false;
    uint32_t id = intern_find(&base->names, ".NOTPARALLEL");
    while (next_line(&all, &line) && !line_starts(line, "# Files"))
        if (line_starts(line, "MAKEFLAGS =") || line_starts(line, "MAKEFLAGS :="))
            one_job = memmem(line.at, line.length, " -j1", 4) == line.at + line.length - 4 ||
                      memmem(line.at, line.length, " -j1 ", 5);
    record_make_jobs(base->make->build->races, base->number,
                     id != INTERN_NONE && base->entries.at[id].known, one_job);
}

static void tell_steps(struct database *base)
{
    id_list stack = {0}, needs = {0}, leaves = {0};
    for (uint32_t i = 0; i < base->entries.len; i++) {
        if (base->entries.at[i].step == EVENT_NONE)
            continue;
        const struct make_step *step = base->make->steps.at[base->entries.at[i].step];
        find_needs(base, i, &stack, &needs, &leaves);
        char *directory = path_dir(step->target);
        record_entry(base, &base->entries.at[i], &needs, &leaves);
        build_send(base->make->build, &(struct event){.kind = EVENT_STEP,
                                                      .step = step->id,
                                                      .target = step->target,
                                                      .rule = step->rule,
                                                      .path = directory,
                                                      .state = step->command ? NULL : "fresh",
                                                      .needs = needs.at,
                                                      .needs_count = (uint32_t)needs.len});
        free(directory);
    }
    vec_free(&stack);
    vec_free(&needs);
    vec_free(&leaves);
}

static void free_database(struct database *base)
{
    intern_free(&base->names);
    vec_free(&base->entries);
    vec_free(&base->rules);
    vec_free(&base->also);
    vec_free(&base->links);
    vec_free(&base->soft);
    vec_free(&base->own);
}

void database_read_rules(const char *text, size_t length, const struct map *steps, live_needs *tell,
                         void *data)
{
    struct database base = {0};
    id_list stack = {0}, needs = {0}, leaves = {0};
    read_files(&base, section((struct slice){text, length}, "# Files"));
    link_rules(&base);
    give_groups(&base, steps, true);
    for (uint32_t i = 0; i < base.entries.len; i++) {
        uintptr_t step = (uintptr_t)map_get(steps, intern_text(&base.names, i));
        base.entries.at[i].step = step ? (uint32_t)step - 1 : EVENT_NONE;
    }
    for (uint32_t i = 0; i < base.entries.len; i++)
        if (base.entries.at[i].step != EVENT_NONE) {
            find_needs(&base, i, &stack, &needs, &leaves);
            tell(data, base.entries.at[i].step, needs.at, (uint32_t)needs.len);
        }
    vec_free(&stack);
    vec_free(&needs);
    vec_free(&leaves);
    free_database(&base);
}

void database_merge(struct make_build *make, uint32_t number, const char *text, size_t length)
{
    struct database base = {.make = make, .number = number};
    read_files(&base, section((struct slice){text, length}, "# Files"));
    link_rules(&base);
    give_steps(&base);
    database_times(&base);
    for (size_t i = 0; i < base.entries.len; i++)
        if (base.entries.at[i].considered) {
            make->files++;
            make->edges += base.entries.at[i].needs_count;
        }
    build_send(make->build, &(struct event){.kind = EVENT_GRAPH,
                                            .steps = make->steps.len,
                                            .files = make->files,
                                            .edges = make->edges});
    tell_steps(&base);
    record_jobs(&base, (struct slice){text, length});
    database_goals(&base, (struct slice){text, length});
    free_database(&base);
}

/* What a comparison says, in words: for the command and the screen. */
#include <stdio.h>
#include <string.h>

#include "journal/compare.h"

const char *compare_target(const struct compare *compare,
                           const struct compare_difference *difference)
{
    int side = difference->step[0] == COMPARE_NONE ? 1 : 0;
    return compare_text(compare, compare->build[side].steps.at[difference->step[side]].target);
}

static const struct compare_step *
step_on(const struct compare *compare, const struct compare_difference *difference, unsigned side)
{
    uint32_t step = difference->step[side];
    return step == COMPARE_NONE ? NULL : &compare->build[side].steps.at[step];
}

void compare_outcome_text(const struct compare *compare,
                          const struct compare_difference *difference, unsigned side,
                          struct str *out)
{
    const struct compare_step *step = step_on(compare, difference, side);
    if (!step)
        str_add(out, "did not run");
    else if (step->outcome != OUTCOME_FAILED)
        str_add(out, outcome_name(step->outcome));
    else if (step->signal)
        str_addf(out, "failed, signal %d", step->signal);
    else
        str_addf(out, "failed, exit %d", step->exit);
}

static void add_time(struct str *out, uint64_t ms)
{
    str_addf(out, "%llu.%03llu s", (unsigned long long)(ms / 1000),
             (unsigned long long)(ms % 1000));
}

/* ", before lib/a.so was made (12.644 s)" */
static void add_order(const struct compare *compare, const struct compare_difference *difference,
                      unsigned side, struct str *out)
{
    const struct compare_build *build = &compare->build[side];
    if (difference->order[side] == COMPARE_UNMADE)
        return;
    const struct compare_step *maker = &build->steps.at[difference->maker[side]];
    const char *target = compare_text(compare, maker->target);
    static const char *const words[] = {"", "before", "while", "after"};
    str_addf(out, ", %s %s %s made (", words[difference->order[side]], target,
             difference->order[side] == COMPARE_WHILE ? "was being" : "was");
    add_time(out, maker->begin_ns / 1000000);
    str_add(out, " to ");
    add_time(out, maker->end_ns / 1000000);
    str_add(out, ")");
}

void compare_touch_text(const struct compare *compare, const struct compare_difference *difference,
                        unsigned side, struct str *out)
{
    const struct compare_touch *touch = &difference->touch[side];
    if (difference->path == COMPARE_NONE)
        return;
    const char *path = compare_text(compare, difference->path);
    if (!touch->touch) {
        str_addf(out, "did not touch %s", path);
        return;
    }
    if ((touch->touch & TOUCH_ABSENT) && !(touch->touch & TOUCH_WRITE))
        str_addf(out, "looked for %s in vain", path);
    else
        str_addf(out, "%s %s",
                 touch->touch & TOUCH_WRITE    ? "wrote"
                 : touch->touch & TOUCH_REMOVE ? "removed"
                                               : "read",
                 path);
    str_add(out, " at ");
    add_time(out, touch->when_ms);
    add_order(compare, difference, side, out);
}

/* The next word of a command that a shell reads, as it stands; quotes hold blanks together. */
static size_t word_length(const char *at)
{
    size_t length = 0;
    char quote = '\0';
    for (; at[length] && (quote || (at[length] != ' ' && at[length] != '\n')); length++) {
        if (quote)
            quote = at[length] == quote ? '\0' : quote;
        else if (at[length] == '\'' || at[length] == '"')
            quote = at[length];
        else if (at[length] == '\\' && at[length + 1])
            length++;
    }
    return length;
}

static bool has_word(const char *text, const char *word, size_t length)
{
    while (*text) {
        text += strspn(text, " \n");
        size_t own = word_length(text);
        if (own == length && memcmp(text, word, length) == 0)
            return true;
        text += own;
    }
    return false;
}

void compare_command_text(const struct compare *compare,
                          const struct compare_difference *difference, unsigned side,
                          struct str *out)
{
    const struct compare_step *own = step_on(compare, difference, side),
                              *other = step_on(compare, difference, 1 - side);
    size_t before = out->len;
    if (!(difference->what & COMPARE_COMMAND) || !own || !other)
        return;
    const char *theirs = compare_text(compare, other->command);
    for (const char *at = compare_text(compare, own->command); *at;) {
        at += strspn(at, " \n");
        size_t length = word_length(at);
        if (length && !has_word(theirs, at, length)) {
            str_add(out, out->len > before ? " " : "");
            str_add_n(out, at, length);
        }
        at += length;
    }
    if (out->len == before)
        str_add(out,
                own->command == COMPARE_NONE ? "(no command)" : "(no word that the other has not)");
}

void compare_what_text(const struct compare_difference *difference, struct str *out)
{
    static const char *const names[] = {"outcome", "access", "order", "command"};
    bool first = true;
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (difference->what >> i & 1) {
            str_addf(out, "%s%s", first ? "" : ", ", names[i]);
            first = false;
        }
}

/* The side on which the step of the path stands, for its name. */
static const char *maker_name(const struct compare *compare,
                              const struct compare_difference *difference)
{
    for (unsigned side = 0; side < 2; side++)
        if (difference->maker[side] != COMPARE_NONE)
            return compare_text(compare,
                                compare->build[side].steps.at[difference->maker[side]].target);
    return NULL;
}

static bool is_outside(const char *path)
{
    return path[0] == '/';
}

static void path_conclusion(const struct compare *compare,
                            const struct compare_difference *difference, struct str *out)
{
    const char *target = compare_target(compare, difference),
               *path = compare_text(compare, difference->path),
               *maker = maker_name(compare, difference);
    bool moved = difference->order[0] && difference->order[1] &&
                 difference->order[0] != difference->order[1];
    if (maker && !difference->ordered)
        str_addf(out,
                 "nothing orders %s after %s%s%s: it is a race; `gantry races` proves and mends it",
                 target, maker, strcmp(maker, path) == 0 ? "" : ", which makes ",
                 strcmp(maker, path) == 0 ? "" : path);
    else if (maker && moved)
        str_addf(out,
                 "%s declares that it comes after %s in one of them, and touched %s on another "
                 "side of it: `gantry explain %s` tells which makefile says so",
                 target, maker, path, target);
    else if (maker)
        str_addf(out, "%s makes %s: what that did differs, or it was made otherwise before", maker,
                 path);
    else if (is_outside(path))
        str_addf(out,
                 "%s is no file of the tree: the two machines differ; `gantry doctor` on both "
                 "tells their compilers",
                 path);
    else
        str_addf(out, "no step makes %s: the sources differ; git tells how (`git log -- %s`)", path,
                 path);
}

void compare_conclusion(const struct compare *compare, const struct compare_difference *difference,
                        struct str *out)
{
    const struct compare_step *one = step_on(compare, difference, 0),
                              *other = step_on(compare, difference, 1);
    if (difference->path != COMPARE_NONE && difference->order[0] != difference->order[1])
        path_conclusion(compare, difference, out);
    else if (difference->what & COMPARE_COMMAND)
        str_add(out, "its command is another: `gantry config` tells where each value came from");
    else if (difference->path != COMPARE_NONE)
        path_conclusion(compare, difference, out);
    else if (!one || !other)
        str_add(out, "it did not run in the other: nothing to compare with; build it there, too");
    else if (!one->touched || !other->touched)
        str_add(out, "what it touched is not in both journals: build with tracing on, and by this "
                     "version, to compare that");
    else
        str_add(out, "same command, same files by name: their contents differ, or what it does is "
                     "left to chance; its log says more (`gantry log`)");
}

/* ---- both builds ---- */

static void put_result(const struct compare_build *build, char out[static 160])
{
    struct str time = {0};
    add_time(&time, build->wall_ns / 1000000);
    if (!build->complete)
        snprintf(out, 160, "stops in the middle");
    else
        snprintf(out, 160, "%s, %llu ran, %llu failed, %s", build_status_name(build->status),
                 (unsigned long long)build->steps_run, (unsigned long long)build->steps_failed,
                 str_text(&time));
    str_free(&time);
}

size_t compare_facts(const struct compare *compare, struct compare_fact facts[COMPARE_FACTS])
{
    static const char *const names[COMPARE_FACTS] = {"result", "tree",  "head",
                                                     "target", "lanes", "command"};
    for (int i = 0; i < COMPARE_FACTS; i++)
        facts[i] = (struct compare_fact){.name = names[i]};
    for (int side = 0; side < 2; side++) {
        const struct compare_build *build = &compare->build[side];
        put_result(build, facts[0].value[side]);
        snprintf(facts[1].value[side], 160, "%s", compare_text(compare, build->tree));
        if (build->dirty)
            snprintf(facts[2].value[side], 160, "%s+%u", compare_text(compare, build->head),
                     build->dirty);
        else
            snprintf(facts[2].value[side], 160, "%s", compare_text(compare, build->head));
        snprintf(facts[3].value[side], 160, "%s %s %s", compare_text(compare, build->arch),
                 compare_text(compare, build->mode), compare_text(compare, build->image));
        snprintf(facts[4].value[side], 160, "%u", build->lanes);
        snprintf(facts[5].value[side], 160, "%s", compare_text(compare, build->argv));
    }
    size_t kept = 0;
    for (int i = 0; i < COMPARE_FACTS; i++) {
        struct compare_fact *fact = &facts[i];
        bool empty = strspn(fact->value[0], " ") == strlen(fact->value[0]) &&
                     strspn(fact->value[1], " ") == strlen(fact->value[1]);
        fact->differs = strcmp(fact->value[0], fact->value[1]) != 0;
        if (!empty)
            facts[kept++] = *fact;
    }
    return kept;
}

#include "plan/command.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/mem.h"
#include "base/text.h"

static void add_part(struct str *out, char kind, const char *text)
{
    if (!text)
        return;
    str_add_char(out, kind);
    str_add_n(out, text, strlen(text) + 1);
}

uint64_t command_hash(const struct step *step, struct str *scratch)
{
    str_cut(scratch, 0);
    for (const char *const *word = step->argv; word && *word; word++)
        str_add_n(scratch, *word, strlen(*word) + 1);
    add_part(scratch, 's', step->shell);
    add_part(scratch, 'n', step->signature);
    add_part(scratch, 'd', step->dir);
    add_part(scratch, 'f', step->depfile);
    if (step->action)
        add_part(scratch, 'r', step->rule);
    return XXH3_64bits(str_text(scratch), scratch->len);
}

/* The target without its suffix. */
static size_t stem_length(const char *target)
{
    const char *slash = strrchr(target, '/'), *dot = strrchr(target, '.');
    return dot && dot > target && (!slash || dot > slash + 1) ? (size_t)(dot - target)
                                                              : strlen(target);
}

static const char *first_input(const struct graph *graph, step_id step)
{
    uint32_t count;
    const file_id *inputs = graph_inputs(graph, step, &count);
    return count ? graph_path(graph, inputs[0]) : "";
}

/* Appends a word with each `from` replaced by one character. */
static void add_replaced(struct str *out, const char *text, const char *from, size_t length,
                         char by)
{
    while (length) {
        const char *hit = memmem(text, strlen(text), from, length);
        if (!hit)
            break;
        str_add_n(out, text, (size_t)(hit - text));
        str_add_char(out, by);
        text = hit + length;
    }
    str_add(out, text);
}

static void add_line(const struct step *step, struct str *out)
{
    for (const char *const *word = step->argv; word && *word; word++) {
        if (out->len)
            str_add_char(out, ' ');
        text_shell_quote(out, *word);
    }
    if (step->shell)
        str_add(out, step->shell);
    if (step->signature && !step->argv && !step->shell)
        str_add(out, step->signature);
}

void command_text(const struct graph *graph, step_id step, bool as_template, struct str *out)
{
    str_cut(out, 0);
    if (!as_template) {
        add_line(&graph->steps.at[step], out);
        return;
    }
    const char *target = graph_step_target(graph, step), *input = first_input(graph, step);
    struct str line = {0}, half = {0};
    add_line(&graph->steps.at[step], &line);
    add_replaced(&half, str_text(&line), target, stem_length(target), '\1');
    add_replaced(out, str_text(&half), input, strlen(input), '\2');
    str_free(&half);
    str_free(&line);
}

void command_expand(const struct graph *graph, step_id step, const char *text, struct str *out)
{
    const char *target = graph_step_target(graph, step), *input = first_input(graph, step);
    for (; *text; text++) {
        if (*text == '\1')
            str_add_n(out, target, stem_length(target));
        else if (*text == '\2')
            str_add(out, input);
        else
            str_add_char(out, *text);
    }
}

#include "plan/why.h"

#include <string.h>

#include "plan/command.h"

enum { SHOWN = 400 }; /* bytes of a command's difference */

void why_contents(struct plan *plan, struct why *why, const struct version *was)
{
    str_cut(&plan->was, 0);
    str_cut(&plan->now_text, 0);
    identity_put_hash(&plan->was, was->hash);
    const char *path = intern_text(&plan->state->texts, was->path);
    struct identity id = now_identity(plan->root_fd, path);
    identity_put_hash(&plan->now_text,
                      now_hash(plan->root_fd, path, &id, plan->now.counts, plan->now.counts_data));
    why->was = str_text(&plan->was);
    why->now = str_text(&plan->now_text);
}

/* True where the line has the word, as a word. */
static bool has_word(const char *line, const char *word, size_t length)
{
    const char *end = line + strlen(line);
    for (const char *at = line; (size_t)(end - at) >= length;) {
        const char *hit = memmem(at, (size_t)(end - at), word, length);
        if (!hit)
            return false;
        if ((hit == line || hit[-1] == ' ') && (hit[length] == ' ' || hit[length] == '\0'))
            return true;
        at = hit + 1;
    }
    return false;
}

/* The words of `line` that `other` does not have. */
static void put_difference(struct str *out, const char *line, const char *other)
{
    str_cut(out, 0);
    while (*line && out->len < SHOWN) {
        size_t length = strcspn(line, " ");
        if (length && !has_word(other, line, length)) {
            if (out->len)
                str_add_char(out, ' ');
            str_add_n(out, line, length);
        }
        line += length + (line[length] == ' ');
    }
    if (out->len > SHOWN)
        str_cut(out, SHOWN);
}

void why_command(struct plan *plan, struct why *why, step_id step, const struct step_record *record)
{
    struct str old = {0}, present = {0};
    command_expand(plan->graph, step, intern_text(&plan->state->texts, record->command), &old);
    command_text(plan->graph, step, false, &present);
    put_difference(&plan->was, str_text(&old), str_text(&present));
    put_difference(&plan->now_text, str_text(&present), str_text(&old));
    if (!plan->was.len && !plan->now_text.len && strcmp(str_text(&old), str_text(&present)) != 0) {
        str_add(&plan->was, "another order of words");
        str_add(&plan->now_text, "this order");
    }
    why->was = str_text(&plan->was);
    why->now = str_text(&plan->now_text);
    str_free(&old);
    str_free(&present);
}

void why_inputs(struct plan *plan, struct why *why, step_id step, const struct step_record *record)
{
    uint32_t count;
    const file_id *inputs = graph_inputs(plan->graph, step, &count);
    const struct version *versions = plan->state->versions.at;
    const char *path = NULL;
    for (uint32_t i = 0; i < count && !path; i++) {
        uint32_t k = 0;
        while (k < record->inputs && versions[record->ids[k]].path != plan->text_of_file[inputs[i]])
            k++;
        if (k == record->inputs) {
            path = graph_path(plan->graph, inputs[i]);
            why->was = "not an input";
            why->now = "an input";
        }
    }
    for (uint32_t k = 0; k < record->inputs && !path; k++) {
        uint32_t i = 0;
        while (i < count && versions[record->ids[k]].path != plan->text_of_file[inputs[i]])
            i++;
        if (i == count) {
            path = intern_text(&plan->state->texts, versions[record->ids[k]].path);
            why->was = "an input";
            why->now = "not an input";
        }
    }
    if (!path) {
        path = count ? graph_path(plan->graph, inputs[0]) : "";
        why->was = "another order of inputs";
        why->now = "this order";
    }
    str_cut(&plan->why_path, 0);
    str_add(&plan->why_path, path);
    why->path = str_text(&plan->why_path);
}

text_id why_text(struct plan *plan, const struct why *why)
{
    if (!why || !why->reason)
        return TEXT_NONE;
    str_cut(&plan->text, 0);
    str_addf(&plan->text, "%s\t%s\t%s\t%s", why->reason, why->path ? why->path : "",
             why->was ? why->was : "", why->now ? why->now : "");
    return state_text(plan->state, str_text(&plan->text));
}

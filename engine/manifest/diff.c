/* A unified diff of two texts: equal ends are cut off, the middle is compared by the longest common
 * subsequence of its lines; a middle that is too large for that is shown as replaced. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "manifest/manifest.h"

enum { CONTEXT = 3, TABLE_MAX = 4 * 1024 * 1024 };

struct text_line {
    const char *at;
    size_t length;
};
struct text_lines {
    VEC(struct text_line) lines;
};

/* One line of the edit script. */
struct script_line {
    char mark; /* ' ', '-' or '+' */
    struct text_line line;
};
struct script {
    VEC(struct script_line) lines;
};

static void split(struct text_lines *out, const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        vec_push(&out->lines, (struct text_line){text, length});
        text += length + (text[length] != '\0');
    }
}

static bool equal(struct text_line a, struct text_line b)
{
    return a.length == b.length && memcmp(a.at, b.at, a.length) == 0;
}

static void put(struct script *script, char mark, const struct text_line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        vec_push(&script->lines, (struct script_line){mark, lines[i]});
}

static void compare_middle(struct script *script, const struct text_line *a, size_t a_count,
                           const struct text_line *b, size_t b_count)
{
    if ((a_count + 1) * (b_count + 1) > TABLE_MAX) {
        put(script, '-', a, a_count);
        put(script, '+', b, b_count);
        return;
    }
    size_t width = b_count + 1;
    unsigned *longest = mem_zero((a_count + 1) * width, sizeof *longest);
    for (size_t i = a_count; i-- > 0;)
        for (size_t k = b_count; k-- > 0;) {
            unsigned down = longest[(i + 1) * width + k], right = longest[i * width + k + 1];
            longest[i * width + k] = equal(a[i], b[k]) ? longest[(i + 1) * width + k + 1] + 1
                                     : down > right    ? down
                                                       : right;
        }
    size_t i = 0, k = 0;
    while (i < a_count || k < b_count) {
        if (i < a_count && k < b_count && equal(a[i], b[k])) {
            put(script, ' ', &a[i++], 1);
            k++;
        } else if (i < a_count &&
                   (k == b_count || longest[(i + 1) * width + k] >= longest[i * width + k + 1])) {
            put(script, '-', &a[i++], 1);
        } else {
            put(script, '+', &b[k++], 1);
        }
    }
    free(longest);
}

/* Puts the hunk of script lines [from, end) out; old_line and new_line are where it starts. */
static void put_hunk(struct str *out, const struct script *script, size_t from, size_t end,
                     size_t old_line, size_t new_line)
{
    size_t old_count = 0, new_count = 0;
    for (size_t i = from; i < end; i++) {
        old_count += script->lines.at[i].mark != '+';
        new_count += script->lines.at[i].mark != '-';
    }
    str_addf(out, "@@ -%zu,%zu +%zu,%zu @@\n", old_line + (old_count != 0), old_count,
             new_line + (new_count != 0), new_count);
    for (size_t i = from; i < end; i++) {
        const struct script_line *line = &script->lines.at[i];
        str_add_char(out, line->mark);
        str_add_n(out, line->line.at, line->line.length);
        str_add_char(out, '\n');
    }
}

static void put_hunks(struct str *out, const struct script *script)
{
    size_t old_line = 0, new_line = 0, at = 0;
    while (at < script->lines.len) {
        size_t first = at;
        while (first < script->lines.len && script->lines.at[first].mark == ' ')
            first++;
        if (first == script->lines.len)
            return;
        size_t from = first - at > CONTEXT ? first - CONTEXT : at;
        size_t end = first, equal_run = 0;
        while (end < script->lines.len && equal_run <= 2 * CONTEXT) {
            equal_run = script->lines.at[end].mark == ' ' ? equal_run + 1 : 0;
            end++;
        }
        if (equal_run > CONTEXT)
            end -= equal_run - CONTEXT;
        old_line += from - at;
        new_line += from - at;
        put_hunk(out, script, from, end, old_line, new_line);
        for (at = from; at < end; at++) {
            old_line += script->lines.at[at].mark != '+';
            new_line += script->lines.at[at].mark != '-';
        }
    }
}

char *manifest_edit_diff(const struct manifest_edit *edit)
{
    struct text_lines old = {0}, new = {0};
    struct script script = {0};
    struct str out = {0};
    split(&old, edit->on_disk);
    split(&new, edit->text);
    size_t a = old.lines.len, b = new.lines.len, head = 0, tail = 0;
    while (head < a && head < b && equal(old.lines.at[head], new.lines.at[head]))
        head++;
    while (tail < a - head && tail < b - head &&
           equal(old.lines.at[a - 1 - tail], new.lines.at[b - 1 - tail]))
        tail++;
    if (head < a || head < b) {
        put(&script, ' ', old.lines.at, head);
        compare_middle(&script, old.lines.at + head, a - head - tail, new.lines.at + head,
                       b - head - tail);
        put(&script, ' ', old.lines.at + a - tail, tail);
        str_addf(&out, "--- %s\n+++ %s\n", edit->path, edit->path);
        put_hunks(&out, &script);
    }
    vec_free(&old.lines);
    vec_free(&new.lines);
    vec_free(&script.lines);
    return str_take(&out);
}

#include "tui/field.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void forget_words(struct field *field)
{
    str_list_free(&field->words);
}

void field_begin(struct field *field, const char *text)
{
    char *copy = mem_copy(text);
    free(field->before);
    field->before = copy;
    str_cut(&field->text, 0);
    str_add(&field->text, copy);
    field->at = field->text.len;
    field->scroll = 0;
    field->back = 0;
    forget_words(field);
}

const char *field_text(const struct field *field)
{
    return str_text(&field->text);
}

static bool continues(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

static size_t step_left(const struct field *field, size_t at)
{
    const char *text = field_text(field);
    while (at > 0 && continues(text[--at]))
        ;
    return at;
}

static size_t step_right(const struct field *field, size_t at)
{
    const char *text = field_text(field);
    if (at < field->text.len)
        at++;
    while (at < field->text.len && continues(text[at]))
        at++;
    return at;
}

/* The beginning of the word before the cursor, as ^W deletes it. */
static size_t word_left(const struct field *field)
{
    const char *text = field_text(field);
    size_t at = field->at;
    while (at > 0 && text[at - 1] == ' ')
        at--;
    while (at > 0 && text[at - 1] != ' ')
        at--;
    return at;
}

/* Replaces the bytes from..to by `with`; the cursor stands behind it. */
static void replace(struct field *field, size_t from, size_t to, const char *with, size_t length)
{
    struct str next = {0};
    str_add_n(&next, field_text(field), from);
    str_add_n(&next, with, length);
    str_add_n(&next, field_text(field) + to, field->text.len - to);
    str_free(&field->text);
    field->text = next;
    field->at = from + length;
}

void field_remember(struct field *field, const char *text)
{
    enum { PAST_MAX = 50 };
    char *copy = mem_copy(text);
    size_t kept = 0;
    for (size_t i = 0; i < field->past.len; i++) {
        bool drop = strcmp(field->past.at[i], copy) == 0 ||
                    (i == 0 && field->past.len == PAST_MAX); /* the oldest */
        if (drop)
            free(field->past.at[i]);
        else
            field->past.at[kept++] = field->past.at[i];
    }
    field->past.len = kept;
    vec_push(&field->past, copy);
}

/* Up and Down: another of the texts before, or back to the one that was being typed. */
static void go_back(struct field *field, int by)
{
    if (by < 0 ? field->back == 0 : field->back == field->past.len)
        return;
    if (field->back == 0) {
        free(field->typed);
        field->typed = mem_copy(field_text(field));
    }
    field->back += (size_t)by;
    const char *text = field->back ? field->past.at[field->past.len - field->back] : field->typed;
    replace(field, 0, field->text.len, text, strlen(text));
}

static void offer(struct field *field)
{
    if (!field->complete)
        return;
    if (field->words.len > 1) { /* Tab again: the next word */
        field->word = (field->word + 1) % field->words.len;
    } else {
        forget_words(field);
        field->word_from = field->at;
        field->complete(field->data, field_text(field), field->at, &field->word_from,
                        &field->words);
        field->word = 0;
    }
    if (!field->words.len || field->word_from > field->at)
        return;
    const char *word = field->words.at[field->word];
    replace(field, field->word_from, field->at, word, strlen(word));
    if (field->words.len == 1)
        forget_words(field);
}

static void insert(struct field *field, const struct key *key)
{
    char bytes[16];
    if (key->code == KEY_PASTE) {
        for (size_t i = 0; i < key->length; i++) {
            char c = key->text[i];
            if ((unsigned char)c >= 0x20 && c != 0x7f)
                replace(field, field->at, field->at, &c, 1);
        }
    } else {
        size_t length = key_bytes(key, bytes);
        replace(field, field->at, field->at, bytes, length);
    }
}

static void ctrl_key(struct field *field, uint32_t code)
{
    switch (code) {
    case 'a':
        field->at = 0;
        break;
    case 'e':
        field->at = field->text.len;
        break;
    case 'u':
        replace(field, 0, field->at, "", 0);
        break;
    case 'k':
        str_cut(&field->text, field->at);
        break;
    case 'w':
        replace(field, word_left(field), field->at, "", 0);
        break;
    default:
        break;
    }
}

enum field_result field_key(struct field *field, const struct key *key)
{
    if (key->code == KEY_TAB && !key->mods) {
        offer(field);
        return FIELD_EDITING;
    }
    forget_words(field);
    if ((key->mods & KEY_CTRL) && key->code < 0x80) {
        ctrl_key(field, key->code);
        return FIELD_EDITING;
    }
    switch (key->code) {
    case KEY_ENTER:
        return FIELD_ACCEPTED;
    case KEY_ESC:
        str_cut(&field->text, 0);
        str_add(&field->text, field->before ? field->before : "");
        field->at = field->text.len;
        return FIELD_REVERTED;
    case KEY_UP:
        go_back(field, 1);
        break;
    case KEY_DOWN:
        go_back(field, -1);
        break;
    case KEY_LEFT:
        field->at = step_left(field, field->at);
        break;
    case KEY_RIGHT:
        field->at = step_right(field, field->at);
        break;
    case KEY_HOME:
        field->at = 0;
        break;
    case KEY_END:
        field->at = field->text.len;
        break;
    case KEY_BACKSPACE:
        replace(field, step_left(field, field->at), field->at, "", 0);
        break;
    case KEY_DELETE: {
        size_t at = field->at;
        replace(field, at, step_right(field, at), "", 0);
        break;
    }
    default:
        if (key_is_text(key) || key->code == KEY_PASTE)
            insert(field, key);
    }
    return FIELD_EDITING;
}

/* Columns of the bytes from..to. */
static int columns_between(const struct field *field, size_t from, size_t to)
{
    char *part = mem_copy_n(field_text(field) + from, to - from);
    int columns = canvas_columns(part);
    free(part);
    return columns;
}

void field_draw(struct field *field, const struct canvas *canvas, int x, int y, int w)
{
    if (field->scroll > field->at)
        field->scroll = field->at;
    while (field->scroll < field->at && columns_between(field, field->scroll, field->at) >= w)
        field->scroll = step_right(field, field->scroll);
    struct canvas part = canvas_part(canvas, (struct rect){x, y, w, 1});
    canvas_fill(&part, (struct rect){0, 0, part.w, 1}, STYLE_FIELD, ' ');
    canvas_put(&part, 0, 0, STYLE_FIELD, field_text(field) + field->scroll);
    canvas_cursor(&part, columns_between(field, field->scroll, field->at), 0);
}

void field_hint(const struct field *field, struct str *out)
{
    for (size_t i = 0; field->words.len > 1 && i < field->words.len; i++) {
        str_add(out, i ? "  " : "");
        str_add(out, field->words.at[i]);
    }
}

void field_free(struct field *field)
{
    str_free(&field->text);
    free(field->before);
    free(field->typed);
    str_list_free(&field->past);
    forget_words(field);
    *field = (struct field){0};
}

/* An edit line: text, cursor, completion, and what was typed before. The owner draws it where it
 * likes. */
#ifndef GANTRY_TUI_FIELD_H
#define GANTRY_TUI_FIELD_H

#include <stddef.h>

#include "base/str.h"
#include "base/vec.h"
#include "tui/canvas.h"
#include "tui/key.h"

struct field {
    struct str text;
    size_t at; /* the cursor, bytes */
    size_t scroll; /* first byte shown */
    char *before; /* what Esc reverts to */
    /* Completion: the words that fit (new strings) where the cursor stands; `*from` is the byte
     * where the word begins. May be NULL. */
    void (*complete)(void *data, const char *text, size_t at, size_t *from, str_list *words);
    void *data;
    str_list words; /* what Tab offered last, shown by field_hint */
    size_t word; /* which of them stands in the text */
    size_t word_from; /* and where */
    str_list past; /* what Up goes back to, the newest last; stays from one editing to the next */
    size_t back; /* how far it went; 0: the text is what is being typed */
    char *typed; /* that text meanwhile */
};

enum field_result { FIELD_EDITING, FIELD_ACCEPTED, FIELD_REVERTED };

/* Begins editing `text`, cursor at its end. A zeroed field is ready for it. */
void field_begin(struct field *field, const char *text);
enum field_result field_key(struct field *field, const struct key *key);
/* Draws w columns and places the terminal's cursor. */
void field_draw(struct field *field, const struct canvas *canvas, int x, int y, int w);
/* The words that Tab offered, in one line; "" where there are none. */
void field_hint(const struct field *field, struct str *out);
const char *field_text(const struct field *field);
/* Puts a text where Up finds it first; what is there already moves there. */
void field_remember(struct field *field, const char *text);
void field_free(struct field *field);

#endif

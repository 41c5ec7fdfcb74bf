/*
 * The keymap: which key asks for what. Data, so that help and palette show it as it is. The keys of a
 * request are those of request.h, or the user's own, read from a file of lines "word key key"; an
 * own key is taken from whatever had it before. The loop's thread only.
 */
#ifndef GANTRY_TUI_KEYMAP_H
#define GANTRY_TUI_KEYMAP_H

#include "base/err.h"
#include "base/str.h"
#include "tui/key.h"
#include "tui/request.h"

/* The request of a key, REQ_NONE where it has none. */
enum request keymap_find(const struct key *key);
/* The keys of a request, separated by blanks, "" where it has none; the first is the one to show. */
const char *keymap_keys(enum request request);
/* The first of them. */
void keymap_first(enum request request, char out[static 16]);
/* The whole table, as a file that keymap_load reads: "build             b         # build what is
 * stale". */
void keymap_dump(struct str *out);
/* Takes the keys of a file's text (`path` is for messages). A word alone takes all keys away. -1 and
 * err, naming the line, where a word or a key is unknown; then nothing is changed. */
int keymap_load(const char *text, const char *path, struct err *err);
/* Back to the keys of request.h. */
void keymap_reset(void);

#endif

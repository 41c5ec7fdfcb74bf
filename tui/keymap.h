/* The keymap: which key asks for what. Data, so that help and palette show it as it is. */
#ifndef GANTRY_TUI_KEYMAP_H
#define GANTRY_TUI_KEYMAP_H

#include "base/str.h"
#include "tui/key.h"
#include "tui/request.h"

/* The request of a key, REQ_NONE where it has none. */
enum request keymap_find(const struct key *key);
/* The keys of a request, separated by blanks, "" where it has none; the first is the one to show. */
const char *keymap_keys(enum request request);
/* The first of them. */
void keymap_first(enum request request, char out[static 16]);
/* The whole table as text, one request a line: "build  b  build what is stale". */
void keymap_dump(struct str *out);

#endif

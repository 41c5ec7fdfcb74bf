/* Makes text of unknown programs safe for a terminal: control characters and escape sequences are
 * dropped, colours (SGR) kept where wanted. Any thread. */
#ifndef GANTRY_VIEWS_SANITIZE_H
#define GANTRY_VIEWS_SANITIZE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* Where a stream stands between two calls; zeroed (but for `colors`) at its start. */
struct sanitize {
    bool colors; /* keep SGR sequences */
    bool colored; /* an SGR other than reset is in force */
    enum { SANITIZE_TEXT, SANITIZE_ESC, SANITIZE_CSI, SANITIZE_STRING, SANITIZE_STRING_ESC } state;
    bool after_c2, after_cr;
    char csi[32]; /* parameters of the sequence being read */
    unsigned csi_length;
};

/* Appends what may be shown of `bytes`. A lone CR becomes a line end. */
void sanitize_text(struct sanitize *state, const char *bytes, size_t length, struct str *out);

#endif

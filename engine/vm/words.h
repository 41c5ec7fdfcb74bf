/*
 * What a kernel says of a program that it could not start. A guest that powers off has ended well as far as
 * QEMU knows, and OSv powers off, too, where its program is not there; it says so in its last line. Which
 * words these are stands in conf (guest-failed, guest-refused, guest-begins); a program's own words, before
 * its last, are not taken for the kernel's. Private to the room and its tests.
 */
#ifndef GANTRY_VM_WORDS_H
#define GANTRY_VM_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Regular expressions; NULL or "": nothing is looked for. */
struct vm_texts {
    char *failed; /* of the last line: the program did not start */
    char *refused; /* of any line before `begins`: the arguments are not what the kernel takes */
    char *begins; /* of the line behind which programs speak */
};

struct words;
/* NULL and err where an expression is none. The same thread uses it all along. */
struct words *words_new(const struct vm_texts *texts, struct err *err);
void words_feed(struct words *words, const char *bytes, size_t length);
/* The kernel's line, where the text so far is that of a guest that ran nothing; else NULL. It lives until the
 * next call. `words` may be NULL. */
const char *words_complaint(struct words *words);
void words_free(struct words *words);

#endif

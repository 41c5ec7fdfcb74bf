/* One line of a manifest, for the two readers of this room (resolve.c, edit.c). Any thread. */
#ifndef GANTRY_MANIFEST_LINE_H
#define GANTRY_MANIFEST_LINE_H

#include <stddef.h>

enum line_kind {
    LINE_NOTHING, /* blank, a comment, [manifest] */
    LINE_ENTRY,
    LINE_BAD,
};

/* Where the two sides stand in the line, white space around them left out. */
struct line_sides {
    size_t guest, guest_length, host, host_length;
    const char *problem; /* of LINE_BAD */
};

/* Takes a line apart; `length` is without its newline. As OSv's read_manifest: the sides are parted
 * by the first colon that white space follows. */
enum line_kind manifest_line_split(const char *text, size_t length, struct line_sides *sides);

/* A guest name as the image has it: absolute, without "//", "." and a slash at its end. NULL where
 * it has "..", a control character or nothing at all; the caller frees. */
char *manifest_guest_clean(const char *guest, size_t length, const char **problem);

#endif

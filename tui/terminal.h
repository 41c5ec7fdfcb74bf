/*
 * The terminal: the only room that writes to the tty. Frames (screen.h) are sent without ever
 * blocking, each wrapped in synchronised output (DEC mode 2026); while one is not yet taken, newer
 * ones are skipped, so a slow line costs frames and nothing else. What the kernel keeps for a slow
 * line would be seconds of old frames: so a terminal that answers is asked for its status (DSR 5)
 * behind each frame, and the next waits for the answer. It sets raw mode, the alternate
 * screen, mouse (1006) and bracketed paste, and gives all of it back on close, on suspend and in a
 * crash. Signals reach the loop as bytes of a pipe. One terminal a process; the loop's thread.
 */
#ifndef GANTRY_TUI_TERMINAL_H
#define GANTRY_TUI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "tui/canvas.h"

struct terminal;

struct terminal_options {
    const char *path; /* "/dev/tty"; a test's pseudo terminal */
    const char *type; /* NULL: $TERM */
    bool color, mouse;
};

/* Takes over the terminal. Without one, or with a type that can't do it: err says what to use. */
struct terminal *terminal_open(const struct terminal_options *options, struct err *err);
/* Gives it back as it was. */
void terminal_close(struct terminal *terminal);

int terminal_fd(const struct terminal *terminal);
/* Signals that came (SIGWINCH SIGTERM SIGHUP SIGINT SIGTSTP SIGCONT), one a byte. */
int terminal_signal_fd(const struct terminal *terminal);
void terminal_size(const struct terminal *terminal, int *w, int *h);

/* Bytes from the keyboard; 0: none now; -1: the terminal is gone. */
int terminal_read(struct terminal *terminal, char *bytes, size_t size);

/* Shows a grid; false where the frame before is not yet taken (try again when it is). */
bool terminal_show(struct terminal *terminal, const struct grid *grid);
/* True while the last frame is not taken: terminal_show would refuse. */
bool terminal_busy(const struct terminal *terminal);
/* True while bytes wait for the terminal: poll for POLLOUT, then terminal_flush. -1: gone. */
bool terminal_unsent(const struct terminal *terminal);
int terminal_flush(struct terminal *terminal);
/* The terminal's answer came (KEY_ANSWER of the input). */
void terminal_answered(struct terminal *terminal);
/* When a terminal that does not answer is busy no more (clock_ns); 0: nothing is waited for. */
uint64_t terminal_deadline(const struct terminal *terminal);
/* The next frame draws everything anew. */
void terminal_forget(struct terminal *terminal);
/* Bytes that are no frame (OSC 52, the bell), sent with the next one. */
void terminal_send(struct terminal *terminal, const char *bytes, size_t length);
void terminal_mouse(struct terminal *terminal, bool on);

/* Gives the terminal back for a while ($EDITOR, ^Z), and takes it again. */
void terminal_suspend(struct terminal *terminal);
void terminal_resume(struct terminal *terminal);

#endif

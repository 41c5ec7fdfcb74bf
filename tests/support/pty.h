/*
 * A program on a terminal of our own: a pseudo terminal whose other end is libvterm, so that a test
 * types, resizes, looks at the picture, and decides how fast the terminal takes what it is sent.
 * Time passes only in pty_run and in what waits by it.
 */
#ifndef GANTRY_TESTS_SUPPORT_PTY_H
#define GANTRY_TESTS_SUPPORT_PTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

struct pty;

/* Starts a program (argv NULL-ended) in a directory, on a terminal of that size. `environment`:
 * NAME=VALUE or NAME alone (unset), NULL-ended, or NULL. Ends the process with a sentence where the
 * machine refuses. */
struct pty *pty_start(const char *const *argv, const char *directory,
                      const char *const *environment, int w, int h);
/* Kills what still runs, and frees. */
void pty_close(struct pty *pty);
/* Hangs up: the terminal is gone. */
void pty_hang_up(struct pty *pty);

/* Bytes a second that the terminal takes; 0: none; UINT64_MAX: all at once, as at first. */
void pty_drain(struct pty *pty, uint64_t bytes_per_s);
/* Lets time pass, and takes in what is sent. False once the program has ended. */
bool pty_run(struct pty *pty, unsigned ms);
void pty_type(struct pty *pty, const char *bytes, size_t length);
void pty_keys(struct pty *pty, const char *bytes); /* the same of a C string */
void pty_resize(struct pty *pty, int w, int h);

/* The rows of the screen, without trailing blanks. Valid until the next call. */
const char *pty_text(struct pty *pty);
/* Until the screen has a text; false after `ms`, or at the program's end. */
bool pty_wait_for(struct pty *pty, const char *text, unsigned ms);
/* Until it ends; its status as of waitpid, -1 where it does not within `ms`. */
int pty_wait(struct pty *pty, unsigned ms);

pid_t pty_pid(const struct pty *pty);
/* All that was sent so far. */
const struct str *pty_sent(const struct pty *pty);
/* When the terminal took the byte at an offset of that (clock_ns); 0: it has not. */
uint64_t pty_taken_ns(const struct pty *pty, size_t offset);
/* Whether the terminal's settings and modes are those of the beginning: cooked, the normal screen,
 * the cursor shown, no mouse, no paste marks. NULL, or what is not. */
const char *pty_spoiled(struct pty *pty);

#endif

/*
 * The journal: a build's events as JSON Lines under zstd. gantry-journal(5) is the format.
 * The writer has a thread of its own, so a slow disk never slows a build; what is written reaches
 * the file within a second, so that a reader can follow. The reader is for one thread.
 */
#ifndef GANTRY_JOURNAL_JOURNAL_H
#define GANTRY_JOURNAL_JOURNAL_H

#include <stdbool.h>

#include "base/err.h"
#include "journal/event.h"

struct journal;

/* A journal without a place: it keeps what it is given until journal_start. */
struct journal *journal_new(void);
/* Starts writing to `path`, or, where that is NULL, to <directory>/<n>.jsonl.zst, of which the last
 * ten are kept; there the file is made when the first step is ready or a sentence is said, so that
 * builds that have nothing to do leave none. */
int journal_start(struct journal *journal, const char *path, const char *directory,
                  struct err *err);
/* Adds an event. Any thread. */
void journal_add(struct journal *journal, const struct event *event);
/* Lines as a zstd frame of their own, new: what many journals say alike need be compressed but once. */
char *journal_frame(const char *lines, size_t length, size_t *frame_bytes);
/* Adds such a frame, which is taken over (malloc), behind what was added so far. */
void journal_add_frame(struct journal *journal, char *frame, size_t length);
/* Writes what is left, ends the thread and frees. -1 and err where anything was not written. */
int journal_close(struct journal *journal, struct err *err);

struct journal_reader;

/* Opens a journal; err names the remedy where it is none. */
struct journal_reader *journal_read_open(const char *path, struct err *err);
/* The next event (free() frees it), or NULL at the present end: call again later to follow a
 * journal that grows. Lines that are no events of ours are passed over and counted. */
struct event *journal_next(struct journal_reader *reader);
/* From now on paths and what steps touched are passed over unread: most of a journal, and of no use to
 * who only looks at the build. */
void journal_pass_over_touched(struct journal_reader *reader);
/* At the end: false where the journal stops in the middle (a build that was killed, or runs). */
bool journal_is_complete(const struct journal_reader *reader);
unsigned journal_bad_lines(const struct journal_reader *reader);
void journal_read_close(struct journal_reader *reader);

/* The newest journal of a directory, new; NULL where there is none. */
char *journal_newest(const char *directory);
/* The newest but `before` others. */
char *journal_recent(const char *directory, unsigned before);

#endif

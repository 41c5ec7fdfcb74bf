/*
 * Log files as lines, however long: an index of every 64th line's offset, made as far as the file
 * goes and on as it grows; text is read where it is asked for. A cleaned line has no control
 * characters: tabs are blanks, escape sequences are gone, of what a carriage return overwrote the
 * last is kept. The whole build's log is the steps' logs in the order in which they ended, each
 * behind a line that names it. The loop's thread only.
 */
#ifndef GANTRY_TUI_LOGS_H
#define GANTRY_TUI_LOGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "views/model.h"

struct log_view;
struct logs;

/* Paths of logs that are not absolute lie under root (copied). */
struct logs *logs_new(const char *root);
void logs_free(struct logs *logs);
/* Closes all: another build begins. */
void logs_forget(struct logs *logs);

/* The log of a step (event id), EVENT_NONE the whole build's; NULL where it printed nothing. Valid
 * until logs_forget. */
struct log_view *logs_get(struct logs *logs, const struct model *model, uint32_t step);
/* Lines as far as they are indexed; each call goes on, by a bounded amount of work. */
uint64_t log_view_lines(struct log_view *log);
/* Whether the next call would find more, though nothing new was printed. */
bool log_view_grows(const struct log_view *log);
/* A cleaned line, from 0; valid until the next call. */
const char *log_view_line(struct log_view *log, uint64_t line, size_t *length);

#endif

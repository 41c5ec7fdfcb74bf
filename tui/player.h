/*
 * A recorded build in the console: its journal is read, and the events go to the app. A journal that
 * is complete can be played: time runs in it as it ran in the build; going back reads it anew. One
 * that grows is followed. The loop's thread only.
 */
#ifndef GANTRY_TUI_PLAYER_H
#define GANTRY_TUI_PLAYER_H

#include "base/err.h"
#include "tui/app.h"

struct player;

/* Opens a journal; its path is copied. NULL and err where it cannot be read. */
struct player *player_open(const char *path, struct err *err);
void player_close(struct player *player);
/* Hands on what the journal has, until the clock says `deadline_ns`. True where nothing more is there
 * now. */
bool player_read(struct player *player, struct app *app, uint64_t deadline_ns);
/* Hands on what the journal has up to a time of the build (UINT64_MAX: all), from the beginning
 * where that is over already. True at the build's end. */
bool player_seek(struct player *player, struct app *app, uint64_t t_ns);
/* Nothing more will come: where the journal stops in the middle, that is the build's end from now on,
 * and a sentence says so. */
void player_cut(struct player *player);
/* True where nobody builds any more in the configuration that a journal belongs to: its place is
 * <state>/journal/<n>. A journal that lies elsewhere cannot be told from one that is silent. */
bool player_builder_is_gone(const char *journal);
const char *player_path(const struct player *player);
/* The time of the last event that was handed on. */
uint64_t player_at(const struct player *player);
/* True where the build's end was handed on. */
bool player_at_end(const struct player *player);

#endif

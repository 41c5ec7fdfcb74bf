#include "tui/player.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/path.h"
#include "journal/journal.h"
#include "run/build.h"

struct player {
    char *path;
    struct journal_reader *reader;
    struct event *next; /* read, but later than what was asked for */
    uint64_t at_ns;
    bool end; /* the build's end was handed on */
    bool cut; /* what is there is all */
};

struct player *player_open(const char *path, struct err *err)
{
    struct journal_reader *reader = journal_read_open(path, err);
    if (!reader)
        return NULL;
    journal_pass_over_touched(reader);
    struct player *player = mem_zero(1, sizeof *player);
    player->path = mem_copy(path);
    player->reader = reader;
    return player;
}

static void close_reader(struct player *player)
{
    if (player->reader)
        journal_read_close(player->reader);
    player->reader = NULL;
    free(player->next);
    player->next = NULL;
}

void player_close(struct player *player)
{
    if (!player)
        return;
    close_reader(player);
    free(player->path);
    free(player);
}

/* From the beginning: the build-begin makes the model forget. */
static void rewind_reader(struct player *player)
{
    struct journal_reader *reader = journal_read_open(player->path, NULL);
    if (!reader) /* it is gone: what is shown stays */
        return;
    journal_pass_over_touched(reader);
    close_reader(player);
    player->reader = reader;
    player->at_ns = 0;
    player->end = false;
}

/* The end of a build that did not tell its own. */
static void end_cut(struct player *player, struct app *app)
{
    if (!player->cut || player->end)
        return;
    app_event(app, &(struct event){.kind = EVENT_MESSAGE,
                                   .t_ns = player->at_ns,
                                   .severity = SEVERITY_ERROR,
                                   .text = "that build was killed: its journal stops here; gantry "
                                           "build goes on with what is left"});
    app_event(app, &(struct event){.kind = EVENT_BUILD_END,
                                   .t_ns = player->at_ns,
                                   .status = BUILD_CANCELLED,
                                   .exit = 1,
                                   .wall_ns = player->at_ns});
    player->end = true;
}

/* Hands on one event; false where none is there now, or it is later than t. */
static bool hand_on(struct player *player, struct app *app, uint64_t t_ns)
{
    struct event *event = player->next ? player->next : journal_next(player->reader);
    player->next = NULL;
    if (!event) {
        end_cut(player, app);
        return false;
    }
    if (event->t_ns > t_ns && event->kind != EVENT_BUILD_BEGIN) {
        player->next = event;
        return false;
    }
    app_event(app, event);
    if (event->t_ns > player->at_ns)
        player->at_ns = event->t_ns;
    player->end = event->kind == EVENT_BUILD_END;
    free(event);
    return true;
}

bool player_read(struct player *player, struct app *app, uint64_t deadline_ns)
{
    enum { BETWEEN_LOOKS = 256 };
    for (unsigned i = 1; hand_on(player, app, UINT64_MAX); i++)
        if (i % BETWEEN_LOOKS == 0 && clock_ns() >= deadline_ns)
            return false;
    return true;
}

bool player_seek(struct player *player, struct app *app, uint64_t t_ns)
{
    if (t_ns < player->at_ns)
        rewind_reader(player);
    while (hand_on(player, app, t_ns))
        ;
    return player->end;
}

void player_cut(struct player *player)
{
    player->cut = true;
}

bool player_builder_is_gone(const char *journal)
{
    char *directory = path_dir(journal);
    bool gone = false;
    if (strcmp(path_base(directory), "journal") == 0) {
        char *state = path_dir(directory);
        gone = !build_is_locked(state);
        free(state);
    }
    free(directory);
    return gone;
}

const char *player_path(const struct player *player)
{
    return player->path;
}

uint64_t player_at(const struct player *player)
{
    return player->at_ns;
}

bool player_at_end(const struct player *player)
{
    return player->end;
}

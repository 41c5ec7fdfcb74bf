/*
 * The console's own struct: the app, and the world that it acts upon. Private to tui/loop.c and
 * tui/actions.c and tui/screen_*.c; an app_ops function gets it as its `app`. The loop's thread only.
 */
#ifndef GANTRY_TUI_CONSOLE_H
#define GANTRY_TUI_CONSOLE_H

#include "base/queue.h"
#include "run/build.h"
#include "tui/app.h"
#include "tui/cli.h"
#include "tui/comparison.h"
#include "tui/input.h"
#include "tui/logs.h"
#include "tui/player.h"
#include "tui/terminal.h"
#include "tui/watch.h"
#include "vcs/vcs.h"
#include "vm/vm.h"

/* A combination that waits for its turn, its strings ours. */
struct batch_pick {
    char *arch, *mode, *image;
};

/* What follows a build that went well. */
enum then { THEN_NOTHING, THEN_BOOT };

struct console {
    struct app app; /* first */
    struct cli *cli;
    struct terminal *terminal;
    struct input input;
    struct grid grid;
    struct queue *events; /* of builds and guests */
    str_list command; /* what a build of a make tree runs, where it was said on the screen */
    struct build *build;
    VEC(struct batch_pick) batch; /* what is built after it, in order */
    bool batching; /* several are built one after the other */
    unsigned batch_built, batch_failed; /* of them so far */
    char *batch_failures; /* names of those that failed, or NULL */
    struct player *player; /* a recorded build is shown; NULL: none */
    bool loading; /* it is being read: the screen lives meanwhile */
    bool follow; /* its journal grows */
    bool gone; /* nobody builds there any more, as of the last look */
    uint64_t shown_ns; /* clock_ns of the last frame */
    uint64_t news_ns; /* clock_ns when it grew last, or was looked for its builder */
    struct watch *watch; /* of the tree's files; NULL: none */
    uint64_t changed_ns; /* when one of them was saved last, not built yet; 0: none was */
    unsigned speed; /* times as fast as it was */
    uint64_t played_from_ns, played_at_ns; /* of the build; clock_ns then */
    struct vm *vm;
    uint64_t build_ns; /* clock_ns at its begin */
    unsigned stops; /* how often it was asked to stop */
    enum then then;
    bool
        image_only; /* the build is of an OSv tree's image, and of its kernel only where it must be */
    bool testing; /* the image of the tests is picked for one boot */
    char *image_before; /* what was picked on the screen before that; NULL: nothing */
    char *root;
    struct conf *conf; /* with what is picked; NULL: not read yet, or not readable */
    VEC(struct assignment)
    assigns; /* the command line's, then the screen's; the latter's strings
                                       are ours */
    struct target_screen *target; /* what target and compose show; NULL: not asked for yet */
    struct compose_screen *compose;
    struct comparison *comparison; /* of two journals; NULL: not asked for since the last build */
    char *compare_first, *compare_second; /* those; NULL: the last two of this tree */
    struct err compare_err; /* why there are not two */
    struct edges_screen *edges; /* what steps declare and use; NULL: not asked for yet */
    struct asking *asking; /* what `gantry races` is asked beside the screen; NULL: nothing */
    struct logs *logs;
    struct vcs_state vcs;
    char head[160];
    int status; /* of the last build or guest */
    int signal; /* that ended the console, or 0 */
    bool dirty; /* a frame is due */
    bool unseen; /* the terminal said that another window is in front */
};

/* The table of actions (the members of views' own are set by the files that implement them). */
void actions_fill(struct app_ops *ops);
/* Reads what the header shows: selection, head. */
void actions_refresh(struct console *console);
/* Something may have changed on disk or in the selection (a pick, the end of a build or a guest, an
 * editor that came back): what was read is read again. */
void actions_changed(struct console *console);
/* What happens when a build or a guest has ended. */
void actions_ended(struct console *console, const struct event *event);
/* Tells the model what `gantry races` found out since the build: verdicts, excuses, and, where it
 * built again, which findings are gone. */
void findings_refresh(struct console *console, bool built);
/* Asks `gantry WORDS` ("races", a verb, an id, ...) beside the screen; what it says is told in
 * app.state.races. False where something else is asked still. Its descriptors to wait for (-1: none),
 * what to do then (true: something to show), and its end before its time. */
bool asking_start(struct console *console, const char *const *words);
void asking_fds(const struct console *console, int fds[2]);
bool asking_take(struct console *console);
void asking_end(struct console *console);
/* The table's rows for the screens target and compose; what is read for them is kept until it is
 * forgotten. What is staged stays, unless it was written. */
void target_screen_fill(struct app_ops *ops);
void target_screen_forget(struct console *console);
/* What a build would do is found out by a dry run in the background: its descriptor to wait for (-1:
 * none runs), what it told so far (true: something to show), and its end before a real build. */
int target_screen_fd(const struct console *console);
bool target_screen_take(struct console *console);
void target_screen_stop(struct console *console);
void target_screen_free(struct console *console);
/* What steps declare against what they use: the descriptor to wait for while the record is read (-1:
 * it is not), what to do then, and its end. */
void edges_screen_fill(struct app_ops *ops);
int edges_screen_fd(const struct console *console);
void edges_screen_take(struct console *console);
void edges_screen_forget(struct console *console);
void compose_screen_fill(struct app_ops *ops);
void compose_screen_forget(struct console *console);
void compose_screen_free(struct console *console);
/* Two builds beside each other (tui/actions_compare.c); once a build has ended they are others. */
void compare_fill(struct app_ops *ops);
void compare_forget(struct console *console);
/* Forgets what was to be built one after the other. */
void actions_forget_batch(struct console *console);
/* Ends what runs (drains for nothing: kills) and waits for it. */
void actions_end_all(struct console *console);

#endif

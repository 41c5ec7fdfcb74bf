/*
 * What is kept of a make tree between builds (DESIGN.md section 9 and "Null builds" of section 5): for
 * each step its commands, all it used and made; for a goal what its makes read, listed and looked for.
 * From it a build that has nothing to do is answered without make, make is told what it cannot know
 * is stale, and what it wants although nothing calls for it is passed over.
 *
 * make_state.c opens and closes, make_record.c records steps (make_claims.c: who makes what) and
 * make_goal.c goals; make_stale.c judges, make_forecast.c says what that brings, make_age.c tells make.
 * All in the coordinator's thread. NULL for the state: nothing is kept, every function does nothing.
 */
#ifndef GANTRY_LOAD_MAKE_STATE_H
#define GANTRY_LOAD_MAKE_STATE_H

#include <time.h>

#include "load/make_internal.h"
#include "plan/now.h"
#include "plan/uses.h"
#include "run/fresh.h"
#include "state/state.h"

/* A second step that makes a file. */
struct claim {
    text_id path, target;
};

/* An output that was made to look old. */
struct aged {
    text_id target, path;
    struct timespec mtime; /* before */
    bool aside; /* it was put aside instead */
    bool stale; /* its step is; else its command is to be compared */
};

/* What is known of a change of PATH from the one of this hash. */
struct path_change {
    uint32_t old_hash;
    struct intern old_dirs; /* of the old PATH, and what they are links to */
    struct intern dirs, names;
    VEC(uint8_t) along; /* by dir: whether it is one of the old PATH */
    VEC(uint8_t) verdicts; /* by name: whether it is the same program */
    VEC(uint8_t) sets; /* by set id: whether all in it are */
};

/* What is known of what the goal's first make read (make_read.c). */
struct reading {
    bool changed; /* something that its makes read is another now */
    bool doubt; /* only makefiles that the first make alone reads: do they come to other rules? */
    bool first; /* nothing was known of the goal */
    bool all_old; /* every command is compared */
    char *path; /* what it was that changed */
    char *digest; /* of what it read in this build; NULL: not told */
    str_list makefiles; /* that it read, */
    struct intern names; /* and the same as the state names them; filled when first asked for */
};

struct make_state {
    struct make_build *make;
    struct fresh fresh;
    bool open; /* the log is */
    bool answers; /* a build may be answered without make: the goals are files, not deeds */
    bool unseen; /* something of this build was not traced: it cannot be answered next time */
    struct state state;
    struct now now;
    struct use_place place;
    char *goal; /* what was asked for, as a text */
    struct intern products, product_dirs; /* what recorded steps made, and the directories above */
    VEC(version_id) system; /* by text id: the version of a path outside of the tree, seen once */
    VEC(uint8_t) recorded; /* by text id: steps of this build */
    VEC(text_id) makers; /* by path's text id: the step that makes it, or TEXT_NONE */
    VEC(struct claim) shared; /* further makers */
    VEC(struct aged) aged; /* by target, one after the other */
    VEC(uint32_t) aged_of; /* by target: its first of these + 1, or 0 */
    VEC(uint8_t) wanted; /* by target: a make wanted it in this build */
    VEC(text_id) whys; /* by text id of a stale step: why, or TEXT_NONE */
    uint8_t *stale; /* by text id of a step, of those recorded before make started */
    size_t stale_count;
    uint64_t environment, all_environment; /* hashes: of the variables that always count; of all */
    uint64_t any_locale; /* of those that always count without the locale */
    bool path_named; /* a makefile speaks of PATH */
    struct path_change path_change;
    int64_t start_coarse_ns; /* of the build */
    struct reading reading;
};

/* What was asked for is put together; NULL where it is none of ours (a dry run, no make). */
struct make_state *make_state_new(struct make_build *make);
/* True where nothing is to be done: told already. */
bool make_state_is_fresh(struct make_state *kept, const struct event *begin);
/* Opens the log; the lock is held. Trouble with it is told as a warning, then nothing is kept. */
void make_state_open(struct make_state *kept);
/* Ends it; `good`: the command ended with status 0. */
void make_state_close(struct make_state *kept, bool good);

/* The state alone, to look at: of no goal, and no build. make_state_unread closes it. NULL and err where
 * nothing was recorded, or that cannot be read. */
struct make_state *make_state_read(const char *root, const char *state_dir, struct err *err);
void make_state_unread(struct make_state *kept);

/* ---- make_record.c ---- */

/* One more line of a step is known. Where the step was passed over and the line is not the one
 * recorded, the step is passed over no more: with that line those before it run. */
void make_state_line(struct make_state *kept, struct make_step *step, const char *command);
/* Adds what commands, divided by '\1', do but to announce themselves: by that they are compared. */
void make_state_deeds(struct str *out, const char *lines);
/* Whether the commands of a step so far are those recorded. */
bool make_state_is_as_recorded(struct make_state *kept, const struct make_step *step,
                               const struct step_record *record);
void make_state_begin(struct make_state *kept, struct make_step *step);
/* What it took when it ran last; 0 where that is not known. */
uint64_t make_state_expect_ns(struct make_state *kept, const struct make_step *step);
/* With step->trace, if any, still there. */
void make_state_end(struct make_state *kept, struct make_step *step);

/* ---- make_stale.c ---- */

/* What a pass over the records finds. */
struct make_judgement {
    size_t records;
    uint8_t *stale; /* by target */
    uint8_t *dirty; /* by path's text id: a stale step makes it */
};
/* `all`: what make reads has changed, so that what no goal wanted last time may be wanted now. */
void make_stale_judge(struct make_state *kept, bool all, struct make_judgement *judgement);
void make_judgement_free(struct make_judgement *judgement);
/* Before make starts: what is stale is made to look so, whether make knows or not. */
void make_stale_prepare(struct make_state *kept);
/* Makes all that is recorded look old that does not yet, and ran in this build not yet, so that every
 * command is compared. */
void make_stale_age_all(struct make_state *kept);
/* Whether a step, as events name it, may run in this build: false where it is known to be as recorded. */
bool make_stale_may_run(const struct make_state *kept, const char *target);
/* Tells what make will run as far as it is known: of `records` targets those in `stale`, and their
 * users (make_forecast.c). */
void make_forecast_tell(struct make_state *kept, const uint8_t *stale, size_t records);
/* A step that make wants: true where nothing calls for it. Its outputs are touched then. */
bool make_stale_skips(struct make_state *kept, struct make_step *step);
/* Whether a recorded step is as it was; why not, where `why` is not NULL, as a text. */
bool make_stale_holds(struct make_state *kept, const struct step_record *record, text_id *why);
/* Reason, path, was, now, tab-separated, of a step that make_stale_prepare found stale; or
 * TEXT_NONE. */
text_id make_stale_why(const struct make_state *kept, text_id target);

/* Puts the reason why a step that make wants is stale into its step-ready, where it is known; the
 * texts are in *copy, which the caller frees. */
struct event;
void make_stale_explain(struct make_state *kept, const struct make_step *step, struct event *event,
                        char **copy);

/* Texts under which a goal's own things are kept. */
enum make_key {
    KEY_READ = 4, /* what its makes read, listed, looked for in vain */
    KEY_LOOKED, /* what they only looked at */
    KEY_STEPS, /* a list: the steps that they considered */
    KEY_VARIABLES, /* a list, of all goals: names that makefiles have */
    KEY_LOST = 14, /* a list that is there once records were lost; of all goals */
    KEY_PATHS = 16, /* a list, of all goals: values of PATH, the present one last */
    KEY_RULES =
        17, /* a list: a digest of what its first make read, then the makefiles that it alone
                       read; of a goal's last good build */
    KEY_COMMANDS = 15 /* a list: of each of its steps the command, as its makes left it */
};
text_id make_state_key(struct make_state *kept, enum make_key key);
/* How the state names a step: DIRECTORY//TARGET where its make runs in a directory below the root,
 * which is the path of its target, and yet not the name of another make's step for the same file. */
text_id make_state_step(struct make_state *kept, const struct make_step *step);
void make_state_add_product(struct make_state *kept, const char *path);
/* A name_filter (identity.h): false for products. `data` is a struct make_state. */
bool make_state_counts(const void *data, const char *path);
/* Writes what is pending; trouble is told once, and nothing more is kept then. */
void make_state_commit(struct make_state *kept);

/* ---- make_read.c ---- */

/* Looks whether anything that the goal's makes read has changed; says so, where every command is to be
 * compared for it, and returns true then. */
bool make_read_changed(struct make_state *kept);
/* Whether a make has read it as a makefile in this build: then it is to stay in its place. */
bool make_read_has(struct make_state *kept, const char *path);
/* The build ended well: keeps what its first make read. */
void make_read_keep(struct make_state *kept);
void make_read_free(struct make_state *kept);

/* ---- make_environment.c ---- */

/* Notes the present PATH. */
void make_environment_open(struct make_state *kept);
void make_environment_close(struct make_state *kept);
/* What the makes above a gate added to the environment, changed in it or took from it. */
struct make_added make_environment_added(const struct make_build *make, int32_t pid);
/* Hashes of the values now: of the variables that always count; of these and all that makefiles name. */
uint64_t make_environment_always(bool locale);
uint64_t make_environment_all(struct make_state *kept);
/* Whether what a step or a goal's makes had is as good as the present one's hash. */
bool make_environment_holds(struct make_state *kept, const struct step_record *record,
                            uint64_t present);

/* ---- make_claims.c ---- */

/* Learns who makes what from the records. */
void make_claims_open(struct make_state *kept);
/* Whether a step is known to make a file. */
bool make_claims_has(const struct make_state *kept, const char *path);
/* What was known of a file and its makers before a step made it again. */
struct claimed {
    uint64_t ended_ns; /* of the step in an earlier build in which it made the file; 0: in none */
    version_id appended; /* what it only appended to; or VERSION_NONE */
};
/* The version that whoever made a path last left; or VERSION_NONE. */
version_id make_claims_last(const struct make_state *kept, text_id path);
/* A step, which has just been recorded, left this version of a file, which others may make, too. */
void make_claims_add(struct make_state *kept, text_id target, version_id version,
                     const struct claimed *before);
/* The same for one record, of a step that did not run: a user edited the file (RUN_EDITED). */
void make_claims_adopt(struct make_state *kept, text_id target, version_id version);

/* ---- make_age.c ---- */

/* Takes what users edited for what their steps made. */
void make_age_adopt(struct make_state *kept);
/* Makes a step's outputs look old. `stale`: it is; else its command is to be compared. */
void make_age_outputs(struct make_state *kept, const struct step_record *record, bool stale);
/* Whether they do already. */
bool make_age_is_old(const struct make_state *kept, text_id target);
/* A make wants a step: it runs or is passed over. */
void make_age_wanted(struct make_state *kept, text_id target);
/* What was put aside of a step comes back to be judged; and goes again, to be made. */
void make_age_bring_back(struct make_state *kept, text_id target);
void make_age_send_off(struct make_state *kept, text_id target);
/* What was passed over gets the times that it had before. */
void make_age_restore(struct make_state *kept, text_id target);
/* Looks at a file of the root; sets its time, which leaves its content as it was known. */
struct stat;
bool make_age_stat(const struct make_state *kept, const char *path, struct stat *st);
bool make_age_set(struct make_state *kept, const char *path, struct timespec mtime);
/* The build ended: what nobody wanted is as it was, and where it is stale it is left so (RUN_LEFT). */
void make_age_end(struct make_state *kept, bool good);

/* ---- make_goal.c ---- */

/* The build ended well: records its goal, and completes the snapshot where the next build may be
 * answered from it. */
void make_state_finish_goal(struct make_state *kept);
/* The build did not end well: the steps that it ran are steps of the goal as well. */
void make_state_keep_steps(struct make_state *kept);

#endif

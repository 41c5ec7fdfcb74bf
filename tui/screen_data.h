/*
 * What the screens target and compose show beside the events: pure data, gathered by the console
 * (tui/screen_*.c) and given to views by struct app_ops. Owned by the console; valid until the
 * next call of the loop, so views ask again at each draw and keep nothing.
 */
#ifndef GANTRY_TUI_SCREEN_DATA_H
#define GANTRY_TUI_SCREEN_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- target: what can be picked, and what exists ---- */

struct target_arch {
    const char *name;
    const char *problem; /* why it cannot be built here ("… apt-get install …"); NULL: it can */
    const char *missing; /* what it needs of this machine and is not there; NULL: nothing */
    const char *install; /* the command that brings it; NULL: nobody said */
};

struct target_image {
    const char *name, *summary;
};

/* One combination. */
struct target_cell {
    bool made; /* its boot image exists */
    char when[8]; /* "08:14" today, "Nov 21", "2025" */
    uint64_t size_bytes;
    const char *what; /* a word about it (of an OSv tree, its file system); NULL: none */
};

/* "CC", "aarch64-linux-gnu-gcc 12.2", "PATH": a fact about the build, and where it came from. */
struct target_fact {
    const char *name, *value, *origin;
};

/* A value of conf that can be picked. */
struct target_option {
    const char *name, *value, *origin;
    const char *instead; /* the value that it overrides, NULL: none */
    bool is_switch; /* 0 or 1 */
    bool picked; /* on the screen */
};

/* A saved selection with a name. */
struct target_profile {
    const char *name, *text; /* "arch=x64 mode=debug" */
    bool current; /* all that it assigns is in force */
};

/* A step that a build of what is picked would run. */
struct target_stale {
    char *target, *rule, *reason; /* reason: "header"; or "" */
    char *path; /* of the reason; or "" */
};

struct target_data {
    const struct target_arch *archs;
    const char *const *modes;
    const struct target_image *images;
    const struct target_cell *cells; /* [arch][mode][image] */
    const struct target_fact *facts;
    const struct target_option *options;
    const struct target_profile *profiles;
    size_t profiles_count;
    size_t archs_count, modes_count, images_count, facts_count, options_count;
    bool free_image; /* the image is a list that can be typed: rows are those that exist */
    const char
        *would; /* what a build of what is picked would do, a sentence; NULL: not known yet */
    const struct target_stale *stale; /* the first of the steps that it would run */
    size_t stale_count;
    const char *problem; /* conf of what is picked cannot be read: why; else NULL */
};

/* ---- graph: what a step declares against what it was seen to use ---- */

struct edge_note {
    bool declared; /* declared and not used; else used and not declared */
    const char *text; /* a sentence */
};

struct edge_data {
    bool pending; /* the record is being read: ask again */
    const char *problem; /* why nothing is known; else NULL */
    const struct edge_note *notes;
    size_t notes_count;
    size_t declared; /* steps that it waits for, and how many of them it has used */
    size_t used;
};

/* ---- compose: manifests, boot arguments, image ---- */

enum row_stage { ROW_SAME, ROW_ADDED, ROW_CHANGED, ROW_REMOVED };

struct compose_row {
    uint64_t id; /* stays with the guest name */
    const char *guest;
    const char *wanted; /* the right side as written: "data/motd", "->/etc" */
    const char *from; /* "usr.manifest.skel:4" */
    const char *file; /* the manifest, relative to the tree, and the line in it */
    unsigned line;
    uint64_t size_bytes;
    bool missing, duplicate, is_link, is_directory;
    bool unbuilt; /* a step makes the host file, and has not yet */
    enum row_stage stage;
};

struct compose_tab {
    const char *name; /* "bootfs", "usr" */
    const struct compose_row *rows; /* sorted by guest name */
    size_t rows_count, missing_count, staged_count;
    uint64_t size_bytes;
    int64_t change_bytes; /* of size_bytes, by what is staged */
    const char *reordered; /* a manifest of which only the order is staged; NULL: none */
    const char *problem; /* a manifest that cannot be read: why; else NULL */
    bool composed; /* it was, and `since` says what the next compose changes in it */
    const struct compose_note *since;
    size_t since_count;
};

/* One of the largest files that the next compose puts in. */
struct compose_big {
    const char *guest;
    uint64_t size_bytes;
};

/* What the guest or its loader takes no more than. */
struct compose_limit {
    const char *name; /* "kernel", "arguments" */
    uint64_t is, most; /* most 0: no limit that is known */
    bool is_size; /* bytes for people: 6.4M; else as they are */
};

/* Something checked, or a part of what the next compose changes. */
struct compose_note {
    char mark; /* '+' '-' '~'; 'y' is right, 'n' is wrong */
    const char *text;
};

struct compose_part {
    const char *name;
    uint64_t size_bytes;
};

struct compose_data {
    const struct compose_tab *tabs;
    size_t tabs_count;
    const char *args_next; /* what the next compose puts in, staged edits included */
    const char *args_image; /* what the image has; NULL: no image yet */
    const char *args_origin; /* of args_next: "conf/images/uush.mk:6" */
    bool args_staged;
    unsigned args_max; /* bytes that the guest takes */
    const char *const *args_past; /* what the image had before, the newest first */
    size_t args_past_count;
    const char *image_path; /* relative to the tree; NULL: conf names no boot image */
    const char *image_format, *image_when; /* NULL: no image yet */
    uint64_t image_bytes;
    const struct compose_part *parts;
    size_t parts_count;
    const struct compose_note *next; /* what the next compose changes */
    size_t next_count;
    const struct compose_limit *limits;
    size_t limits_count;
    const struct compose_big *largest; /* the largest first */
    size_t largest_count;
    const char *held; /* a run holds the image: who; else NULL */
    const char *problem; /* nothing can be composed: why; else NULL */
    size_t staged_count; /* edits not written yet, everything together */
    bool can_undo, can_redo;
};

#endif

/*
 * What the files of the hook share. One thread, make's own: all state is plain. Nothing here is seen
 * outside of the library, since make exports all of its own names.
 *
 *   hook.c         how it gets in, whom it talks to
 *   hook_steps.c   recipes, and where make waits
 *   hook_shell.c   $(shell)
 *   hook_says.c    what make prints: echoes, failures, its data base
 *   hook_copy.c    copies of make that tell its rules meanwhile, or once they are read
 */
#ifndef GANTRY_LOAD_HOOK_H
#define GANTRY_LOAD_HOOK_H

#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/select.h>
#include <sys/types.h>
#include <time.h>

#include "load/gate_wire.h"

extern char **environ;

#pragma GCC visibility push(hidden)

/* Where make is reading, or where the variable stands that it expands (its floc, in gnumake.h). */
struct place {
    const char *file;
    unsigned long line, offset;
};
extern const struct place *const *const *make_place; /* exported by most makes; else NULL */

struct job {
    pid_t pid;
    uint32_t step, line; /* step 0: a $(shell) */
    char *target; /* or, of a $(shell): the makefile, NUL, the command */
    size_t length; /* of that text; `line` is the makefile's then */
    uint64_t start_ns;
    bool repeated; /* a $(shell) whose command did not run: its output is known */
};

struct hook {
    bool on; /* connected, and in a GNU make */
    bool ready; /* has greeted, and the export of GANTRY_T was evaluated */
    bool repeats; /* the engine sees what $(shell) looks at: it can say when it is the same again */
    bool owns_output, owns_error; /* descriptors 1 and 2 are files that the engine gave, */
    bool apart; /* and 2 is the one for standard error */
    int *
        prints; /* make's own flag of -p, which we set; NULL where -p is the user's wish, or unknown */
    int engine;
    uint32_t make, steps;
    char gate[PATH_MAX];
    char preload[PATH_MAX]; /* "LD_PRELOAD=..." for a make that executes itself again */
    struct job *jobs;
    size_t jobs_count, jobs_room;
    struct job ended; /* the last recipe line that was reaped, until make moves on */
    bool ended_is_set, ended_failed;
    char *pending; /* printed by make, not yet written: an echo, if a recipe line follows */
    bool in_line; /* what make printed last had no newline at its end: no echo follows */
    const char *translated; /* the English of what make had translated last: a literal */
    int base_fd, saved_fd; /* while the data base is printed; else -1 */
    bool base_began; /* its first line was printed */
    bool swallow; /* the line after the data base is its own end mark */
    bool news; /* recipes were started that no copy has told of */
    pid_t copy; /* a copy of this make that prints its rules, or 0 */
    uint64_t copied_ns; /* when the last copy was made; at first, when the first recipe started */
    uint64_t *copy_cost_ns; /* of the last copy, which writes it itself; NULL: none is wanted */
};
extern struct hook hook;

/* The C library's own functions. */
struct real {
    int (*spawn)(pid_t *, const char *, const posix_spawn_file_actions_t *,
                 const posix_spawnattr_t *, char *const[], char *const[]);
    int (*execvp)(const char *, char *const[]);
    pid_t (*waitpid)(pid_t, int *, int);
    int (*pselect)(int, fd_set *, fd_set *, fd_set *, const struct timespec *, const sigset_t *);
    void (*exit)(int);
    char *(*ctime)(const time_t *);
    char *(*dcgettext)(const char *, const char *, int);
    FILE *(*fopen)(const char *, const char *);
    DIR *(*opendir)(const char *);
    int (*fputs)(const char *, FILE *);
    ssize_t (*write)(int, const void *, size_t);
    ssize_t (*read)(int, void *, size_t);
};
extern struct real real;

/* ---- hook.c ---- */

/* Sends a packet; text that does not fit is cut. An engine that is gone turns the hook off. */
void send_packet(struct wire *wire, const char *text, size_t length, int descriptor);

/* ---- hook_steps.c ---- */

/* Called wherever make may wait or end: nothing that was printed or ended may be kept back. */
void settle(void);
/* The environment that a child is to see, new: without GANTRY_T, and with `step`, where it is not
 * NULL, in the place of GANTRY_STEP. One place at its end stays free. */
char **child_env(char *const from[], char *step);

uint64_t now_ns(void);
/* What a person would call a command: the text that a shell is given, or the words. New, or NULL. */
char *command_text(char *const argv[]);
/* A child is waited for: a copy is kept, of which the target becomes the hook's. */
void note_job(const struct job *job);

/* ---- hook_shell.c ---- */

/* posix_spawn of what is no recipe's line. */
int spawn_shell(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const argv[], char *const env[]);
/* One has ended. */
void shell_reaped(const struct job *job, int status);

/* ---- hook_copy.c ---- */

extern void (*make_print_files)(void); /* make's own: prints its section of files; or NULL */
/* The engine wants copies. */
void copy_prepare(void);
/* A recipe was started. */
void copy_news(void);
/* Ns until a copy is due; UINT64_MAX: none is. */
uint64_t copy_due_ns(void);
void copy_make(void);
/* Before make waits for a job without end: waits for one or for the time of a copy, which is made. */
void copy_before_wait(void);
/* The copy that still prints is ended. */
void copy_end(void);

/* Whether this make can tell its rules once it has read them. */
bool copy_can_tell(void);
/* The engine wants that. */
void copy_tell_when_read(void);
/* make opens a file: perhaps a makefile. */
void copy_opens(const char *path);
/* make starts a recipe: the latest time to tell. */
void copy_tell_at_last(void);

/* ---- hook_says.c ---- */

/* Prints what was kept back. */
void write_pending(void);
/* What is pending when a recipe line starts is its echo. */
void send_pending(uint32_t step);

#pragma GCC visibility pop

#endif

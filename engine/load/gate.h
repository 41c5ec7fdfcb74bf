/* What the files of the gate share: gate.c runs one command, gate_make.c is the make in front of PATH. */
#ifndef GANTRY_LOAD_GATE_H
#define GANTRY_LOAD_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENV_MAX 8192 /* variables of a make's environment that the shim hands on */

/* What GANTRY_GATE says (gate_wire.h). */
struct place {
    const char *socket;
    size_t socket_length;
    char *files; /* in the environment: DEV and INO of both files stand there */
    uint64_t dev[2], ino[2]; /* of what standard output and error were given as */
    const char *dir;
};
/* False where there is none, or none that is whole. */
bool read_place(struct place *place, char **env);

/* The environment with the hook in LD_PRELOAD; `room` holds the variable, `list` the pointers. */
char **with_hook(char **env, const char *dir, char *room, size_t size, char **list);

/* As make says it when it cannot start a command. */
void complain(const char *path, long error);
_Noreturn void leave(int status);

/* gate_make.c: executes the next make on PATH. */
_Noreturn void run_next_make(char **argv, char **env);

#endif

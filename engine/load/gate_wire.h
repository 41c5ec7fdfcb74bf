/*
 * What the engine, the gate and the hook say to each other: packets on a SOCK_SEQPACKET unix socket
 * in the abstract namespace. All three are built together and the two programs are unpacked under a
 * name that is their hash, so there is no version to agree on. Included by all three: no libc here.
 *
 * The environment variable GANTRY_GATE tells a gate, a hook and the `make` in front of PATH where
 * they are: "SOCKET:DEV:INO:DEV:INO:DIR". SOCKET is the abstract name; DEV and INO (16 hex digits
 * each) are the files that standard output and standard error were given as, which may be the same
 * one: the engine's at first, below a step its logs (the gate writes them anew), and zeros where
 * output is none of our business; DIR holds gate, hook.so and path/make, and has neither colon nor
 * blank.  GANTRY_STEP ("MAKE.STEP") tells a make which step it runs in.
 */
#ifndef GANTRY_LOAD_GATE_WIRE_H
#define GANTRY_LOAD_GATE_WIRE_H

#include <stdint.h>

/* The gate of the whole command holds the configuration's lock under this number: where Gantry is
 * killed, nobody builds before all that it started has ended. */
#define LOCK_FD 197

#define WIRE_PACKET 65536 /* the largest packet, header included */
#define WIRE_TEXT (WIRE_PACKET - (uint32_t)sizeof(struct wire))

enum wire_kind {
    /* gate to engine */
    WIRE_GATE = 1, /* make, step, line: wants a lane; step 0 of make 0 is the whole command */
    WIRE_EXIT, /* a: wait status, b: CPU ns, c: peak KiB of its processes */
    /* engine to gate */
    WIRE_GO, /* text: the logs of standard output and error, and a script to run before the command;
                each NUL-ended, empty where there is none */
    WIRE_REFUSE, /* a: exit status to end with, silently */
    WIRE_KILL, /* end the command: SIGTERM, and SIGKILL a while later */
    /* hook to engine; all of one make come by one connection */
    WIRE_MAKE, /* a: pid, b: 1 where it can send WIRE_READ; text: GANTRY_STEP or "", directory; each
                  NUL-ended */
    WIRE_JOB, /* step, line, a: bytes of target; text: target, then command */
    WIRE_ECHO, /* step, a: 1 on standard error; text: what make printed of this line, in pieces */
    WIRE_STEP_END, /* step, a: 1 where make said that it failed */
    WIRE_SHELL, /* $(shell). a: ns, b: 1 + status where it failed, c: 1 where its command did not run
                   again, line; text: makefile, NUL, command */
    /* step: a $(shell)'s place among those that are remembered, from 0 up; answered */
    WIRE_SHELL_BEGIN, /* one is about to start: is what it looks at seen? */
    WIRE_SHELL_SEEN, /* it has ended: can be told when it is the same again? a: when it began, in ns by
                        the clock of files */
    WIRE_SHELL_AGAIN, /* is it? */
    WIRE_DATABASE, /* a descriptor comes along: what -p printed */
    WIRE_RULES, /* the same in the middle of the build: the section of files alone */
    WIRE_READ, /* the same where all makefiles are read, and no file was looked at for its time yet:
                  variables, rules, files; the make waits for WIRE_HEARD */
    /* engine to hook */
    WIRE_WELCOME, /* make: its number, a: 1 where WIRE_RULES is wanted, b: 1 where WIRE_SHELL_SEEN
                     is answered, c: 1 where WIRE_READ is wanted */
    WIRE_SHELL_ANSWER, /* a: 1 yes, 0 no */
    WIRE_HEARD, /* what was read is known: go on */
};

struct wire {
    uint32_t kind;
    uint32_t make, step, line;
    int64_t a, b, c;
};

#endif

/*
 * How the accelerator gets into a program that has just been executed, before its dynamic linker opens
 * anything (accelerator_enter.c is the other side). The linker's first call asks whether there is an
 * /etc/ld.so.preload. While it stands in that call, a few instructions are written into the last page of
 * the linker's code, where nothing is, and the place that it goes on at becomes a jump to them: they map
 * the region, call RING_ENTER, and go back. The places where the linker opens files, and its
 * _dl_debug_state, become jumps at the same time: written from here they cost the program neither two
 * mprotect nor the faults. Where the region cannot be mapped, they do what stood there. Nothing is in the
 * program's environment or among its libraries.
 *
 * Where a linker is not as we know them, or this is not a machine that we know this for, the accelerator is
 * preloaded instead. Private to the room; any thread.
 */
#ifndef GANTRY_TRACE_INJECT_H
#define GANTRY_TRACE_INJECT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/seccomp.h>

#include "trace/image.h"
#include "trace/ring.h"

enum { INJECT_ACCESSES = 4, INJECT_OPENS = 4 };
struct inject_places {
    uint32_t debug; /* its _r_debug */
    uint32_t debug_state; /* its _dl_debug_state, a function that does nothing */
    uint32_t opens[INJECT_OPENS]; /* where it calls openat: a system call and a comparison */
    uint32_t accesses[INJECT_ACCESSES]; /* where it goes on after a call of access; 0: no more */
    uint32_t room, room_end; /* in its code that nothing uses */
};
/* Finds in a dynamic linker what is to be known of it; false where it is not as we know them. */
bool inject_look_at(const struct image *image, struct inject_places *places);

/* The number, from 1 up, by which a dynamic linker (as a program names it) is known from now on; 0: it
 * cannot be used so. */
unsigned inject_linker(const char *path);
/* Whether a thread stands in that first call, if it has made none since it executed its program. */
bool inject_stands(unsigned linker, const struct seccomp_notif *notice);
/* Where a linker is loaded, of which a thread stands in that first call. 0: it is not as it was, does not
 * stand there, or nothing may be written to it. */
uint64_t inject_base(unsigned linker, const struct seccomp_notif *notice);
/* Writes into the thread's memory what makes it enter, with `fd`, its descriptor of the region, and
 * `number`, which is for take_number. False where it cannot be written: the program goes on as if nothing
 * were. */
bool inject(unsigned linker, const struct seccomp_notif *notice, uint64_t base, int fd,
            uint32_t number);

#endif

/*
 * What the accelerator (accelerator.c, a guest in traced programs) and the server share: a region of
 * memory, a memfd of the server's, in which the accelerator notes calls that it makes without being
 * stopped. No libc here. Every name is the engine's own, none is configurable: both are built
 * together.
 *
 * The region: code, that begins with `syscall; ret`, whose calls the filter lets pass; the header, with
 * what is said of each chunk (no process touches the pages of chunks but its own); pages of a libc; then
 * chunks. A process owns the chunks it notes in; a record is complete before its call is made and gets the
 * result after it. What does not fit is called in the seen way. Before the region a process may have pages
 * of its own.
 */
#ifndef GANTRY_TRACE_RING_H
#define GANTRY_TRACE_RING_H

#include <stdatomic.h>
#include <stdint.h>

/* Where the region lies in every traced program: far from where Linux puts anything by itself, and
 * inside of what the sanitizers think to be a program's memory. */
#define RING_ADDRESS UINT64_C(0x7e9f67610000)
#define RING_CODE RING_ADDRESS
/* Where the server has a program call or jump to: accelerator_enter.c. */
#define RING_ENTER (RING_ADDRESS + 8)
#define RING_OPENS (RING_ADDRESS + 16)
#define RING_LOADED (RING_ADDRESS + 24)
/* Pages of a process's own, beside the rest: what lies within 2 MiB shares a page of the system's. */
#define RING_OWN (RING_ADDRESS - RING_OWN_PAGES * RING_PAGE)
#if defined(__x86_64__)
#define RING_CODE_AFTER (RING_ADDRESS + 2) /* the instruction pointer that the filter sees */
#else
#define RING_CODE_AFTER (RING_ADDRESS + 4)
#endif

enum {
    RING_PAGE = 4096,
    RING_CHUNK = 64 * 1024,
    RING_CHUNKS = 256,
    RING_LINE = 64, /* of the cache */
    RING_OWN_PAGES = 2, /* who a process is, and variables */
    RING_CODE_BYTES = 8 * RING_PAGE,
    RING_LIBC_PAGES = 16, /* of a libc, that can be kept, */
    RING_LIBC_PARTS = 4, /* in so many stretches */
    RING_LIBC_BEGINS = 1024, /* bytes at its beginning: headers, and its linker's note */
    RING_LIBC = RING_CODE_BYTES + 5 * RING_PAGE, /* code and header; then a libc's pages, */
    RING_HEAD = RING_LIBC + RING_LIBC_PAGES * RING_PAGE, /* then chunks */
    RING_BYTES = RING_HEAD + RING_CHUNKS * RING_CHUNK,
};

/* What the dynamic linker and the accelerator ask for by name; no such files exist. */
#define RING_PRELOAD "/etc/ld.so.preload"
#define RING_PLACE "/.gantry-trace/"
#define RING_LIBRARY RING_PLACE "accelerator.so"
/* Opened with the address of a uint32_t as mode, where the server writes the caller's number. */
#define RING_NAME RING_PLACE "ring"
/* In that number: the program changes no directories, and lives shortly (a compiler's own). */
#define RING_LOOKS_ONLY 0x80000000u
/* It looks by open and stat alone (an assembler). */
#define RING_OPENS_ONLY 0x20000000u
/* It may note that it makes, writes and removes files: where it stands is not the system's. */
#define RING_NOTES_CHANGES 0x40000000u
/* Memory that it will fill is there at once: a fault a page costs more than all that is done for us. */
#define RING_POPULATES 0x10000000u

enum ring_chunk_state { CHUNK_FREE, CHUNK_TAKEN };

/* What is said of a chunk. */
struct ring_slot {
    _Alignas(RING_LINE) _Atomic uint32_t state; /* enum ring_chunk_state */
    _Atomic uint32_t owner; /* the number that the server gave, from 1 up; 0: being taken */
    _Atomic uint32_t used; /* bytes that are given out; more than fit: full */
};

/*
 * A libc whose functions begin with jumps to ours: who has changed one keeps the pages for those who come
 * after it, which need not copy and change theirs. Offsets are from where it is loaded.
 */
enum ring_libc_state { LIBC_NONE, LIBC_BEGUN, LIBC_THERE };
struct ring_libc {
    _Atomic uint32_t state; /* enum ring_libc_state */
    uint32_t errno_location, clock_gettime; /* of functions */
    struct ring_libc_part {
        uint32_t page, count; /* offset of the first, and how many; they stand from RING_LIBC on */
        uint32_t whose; /* who has use of what is there: accelerator_enter.c */
    } parts[RING_LIBC_PARTS]; /* a count of 0: no more */
    unsigned char begins[RING_LIBC_BEGINS]; /* its first bytes, which tell it from any other */
};

struct ring_head {
    _Alignas(RING_LINE) _Atomic uint32_t off; /* no call may be made unseen any more */
    _Atomic uint32_t top; /* chunks in use are below this */
    struct ring_libc libc;
    struct ring_slot slots[RING_CHUNKS];
};

_Static_assert(RING_CODE_BYTES + sizeof(struct ring_head) <= RING_LIBC, "it has its place");

enum ring_op {
    RING_OPEN,
    RING_STAT,
    RING_LSTAT,
    RING_ACCESS,
    RING_READLINK,
    RING_REALPATH,
    RING_REALPATH_END, /* where one ended that failed: real but for its last name */
    RING_EXEC, /* of what is not there */
    RING_UNLINK, /* of a file */
    RING_NOTHING, /* it is called in the seen way */
};

enum ring_realpath {
    RING_RELATIVE = 1, /* the path that was given is */
    RING_PARENTS_KNOWN = 2, /* no directory on the way was looked at: all were before */
};

/* In the flags of an open that may make or write: a file was there. Else nothing was. */
#define RING_WAS_THERE 0x80000000u

enum ring_record_state { RECORD_NOT_YET, RECORD_BEGUN, RECORD_DONE };

/* Aligned to 8; the path follows, NUL-ended. */
struct ring_record {
    _Atomic uint32_t state; /* enum ring_record_state */
    uint16_t size; /* with path and padding */
    uint8_t op;
    uint8_t unused;
    int32_t result; /* of the call: negative errno, or not negative */
    uint32_t flags; /* of an open; of a realpath: enum ring_realpath */
    uint64_t time_ns; /* monotonic */
    char path[];
};

#endif

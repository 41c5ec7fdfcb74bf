/*
 * What is run, told apart from why: a spec is made of conf by boot.c and run by vm.c. Private to the
 * room and its tests.
 */
#ifndef GANTRY_VM_SPEC_H
#define GANTRY_VM_SPEC_H

#include "base/err.h"
#include "base/queue.h"
#include "base/str.h"
#include "base/vec.h"
#include "vm/vm.h"
#include "vm/words.h"

enum { VM_PROBE_SECONDS = 2, VM_SECTOR = 512 };

/* A guest of a few instructions, which prints "OK" on its console where the arguments work. */
struct vm_probe {
    str_list argv; /* whole; %(disk) and %(format) stand for the guest */
    struct str guest; /* a boot sector, or what -kernel takes */
};

/* What addresses of the guest mean. */
struct vm_symbols {
    char *addr2line; /* NULL: nothing is resolved */
    char *kernel, *program; /* ELF files, or NULL */
    uint64_t base; /* where a program that can lie anywhere does */
    char *root; /* source files below it are told relative to it */
};

/* Every member is owned by the spec. */
struct vm_spec {
    str_list argv; /* the program first, by path or by name on PATH */
    str_list with_kvm, without_kvm; /* appended when the probe has spoken */
    struct vm_probe *probe; /* NULL: no KVM */
    char *package; /* that has the program; NULL: not known */
    char *image; /* held while it runs; NULL: none */
    int overlay; /* descriptor of what stands for the image, which QEMU reads by /proc; 0: none */
    str_list
        helper; /* a program that must run beside QEMU, and listen before it starts; may be empty */
    char *helper_dir, *helper_socket; /* a directory of its own, and where it listens */
    struct vm_symbols symbols;
    struct vm_texts texts; /* by which a guest that ran nothing is known */
    char *arguments; /* what the kernel is booted with, for vm-begin; may be NULL */
    char *expect; /* as in vm_options */
    unsigned timeout_s;
    bool crash_ends; /* as in vm_options */
};

/* A zeroed spec, filled from conf. On error it is to be freed all the same. */
int vm_spec_fill(struct vm_spec *spec, const struct vm_options *options, struct err *err);
void vm_spec_free(struct vm_spec *spec);
/* What stands for the placeholders of a word: "nic", "0", "forwards", "", NULL. */
char *vm_fill_word(const char *word, const char *const *values);
/* A word of conf with %(disk) and %(format) replaced, new. A comma in the disk's path is doubled
 * within an option list ("file=a,,b"), as QEMU's syntax wants it. */
char *vm_word(const char *word, const char *disk, const char *format);

/* Runs a spec, which is taken over (and freed on error too). */
struct vm *vm_start_spec(struct vm_spec *spec, struct queue *events, struct err *err);

/* Starts what the spec wants to run beside QEMU, and waits until it listens; *helper is 0 where that is
 * nothing. It is to be ended by vm_helper_end, after an error too. */
int vm_helper_start(struct vm_spec *spec, pid_t *helper, struct err *err);
void vm_helper_end(pid_t *helper);

/* ---- crash.c: addresses of a backtrace, told by file and line ---- */

struct crash;
/* NULL where there is nothing to resolve by. `symbols` must outlive it. */
struct crash *crash_new(const struct vm_symbols *symbols);
void crash_feed(struct crash *crash, const char *bytes, size_t length);
/* Whether a backtrace is whole: after it came something else, or `quiet`, nothing for a while. */
bool crash_waits(const struct crash *crash, bool quiet);
/* One line for each address that could be resolved, appended; takes the time of addr2line. */
void crash_resolve(struct crash *crash, struct str *out);
void crash_free(struct crash *crash);

/* Whether the probe's guest runs under KVM: asked once in each boot of the machine and kept in the
 * user's cache directory. Blocks for up to VM_PROBE_SECONDS. */
bool vm_kvm_works(const struct vm_probe *probe);

/* Takes the image for a run; the descriptor holds it. -1 and err where another run does. */
int vm_hold(const char *path, struct err *err);

#endif

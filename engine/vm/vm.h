/*
 * Booting an image in QEMU: arguments, the serial console, the verdict. Runs in a thread of its own
 * and tells by events (vm-begin, vm-output, message, vm-end). Called by the front end's thread.
 *
 * A boot never changes what was composed: QEMU writes to a snapshot that is thrown away, unless
 * conf says `qemu-writable = 1`. While it runs, the image is held (flock), and whoever wants to
 * write into it is told by whom.
 */
#ifndef GANTRY_VM_VM_H
#define GANTRY_VM_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/queue.h"
#include "conf/conf.h"

struct vm_options {
    const char *root; /* the tree, absolute */
    struct conf *conf; /* read in vm_start only */
    unsigned memory_mib; /* 0: what conf's qemu-machine says */
    unsigned processors; /* 0: the same */
    const char *expect; /* text (PCRE2) whose appearance is success; NULL: a clean power-off */
    unsigned timeout_s; /* 0: none */
    bool tcg; /* never KVM */
    bool by_kernel; /* QEMU loads conf's qemu-kernel, though the disk could start itself */
    bool wait; /* for a debugger, before the first instruction */
    bool crash_ends; /* a crash whose addresses were told ends the guest, which has failed then */
    unsigned gdb_port; /* of this machine, where a debugger may come in; 0: none */
    bool own_nics; /* `nics` counts, not conf's qemu-nics */
    unsigned nics; /* network cards, as conf's qemu-nic has one */
    const char *const
        *forwards; /* "tcp::8080-:80", QEMU's syntax, for the first card; may be NULL */
    const char *image; /* to boot in place of the composed one; NULL: none */
    const char *const *disks; /* more disks, behind the image's; NULL-ended; may be NULL */
    const char *arguments; /* to boot with; NULL: the image's own. The image is not changed */
    const char *before; /* what stands before the arguments; NULL: nothing */
    const char *share_dir, *share_tag; /* a directory of the host, by virtio-fs; or NULL */
    /* Addresses of a crash are resolved where addr2line (a program) is not NULL: those of the kernel by
     * conf's `symbols`, those of `program` (a host's file; may be NULL) by where conf's symbols-base
     * says that it is loaded. */
    const char *addr2line, *program;
    const char *const *extra; /* more arguments for QEMU, NULL-ended; may be NULL */
};

struct vm;

/*
 * Boots the composed image of the configuration (what conf's qemu-* say). KVM is used only where a
 * probe that runs something worked. A missing QEMU names its package; a missing image the command
 * that composes it; an image that another run holds names that run.
 *
 * Sent: one vm-begin, vm-output (at most 30 a second, whole UTF-8 sequences, no NUL), perhaps a
 * message that says why the verdict is bad, and, last, vm-end with the verdict: "ok" (the expected
 * text came, or the guest powered off and none was expected), "failed", "timeout", "stopped".
 */
struct vm *vm_start(const struct vm_options *options, struct queue *events, struct err *err);
/* The command line of such a run as a shell would take it, new; nothing is started but the probe for KVM. It
 * names files as they are, so that arguments that lie over an image (`arguments`, `before`) are told as what
 * they would be in *note, new, or NULL. NULL and err as vm_start. */
char *vm_command(const struct vm_options *options, char **note, struct err *err);
/* Bytes typed at the guest's serial console. Never blocks. */
void vm_type(struct vm *vm, const char *bytes, size_t length);
/* Ends the guest: SIGTERM to QEMU, SIGKILL two seconds later. Never blocks. */
void vm_stop(struct vm *vm);
/* Waits for the end, frees. 0: the verdict was good; 1: it was not. */
int vm_finish(struct vm *vm);

/* The boot image of a configuration, and what it is booted with: a new path (the caller frees), or
 * NULL where conf names none. */
char *vm_image_path(const char *root, struct conf *conf);

/* Whether guests of a configuration run under KVM here, told by running one (two seconds at most; the
 * answer is kept until the machine boots again). */
enum vm_kvm {
    VM_KVM_FOREIGN, /* no: conf names no machine of this kind, or no guest to try */
    VM_KVM_NO_DEVICE,
    VM_KVM_FAILS,
    VM_KVM_WORKS,
};
enum vm_kvm vm_kvm(struct conf *conf);

/* Whether a run holds an image, by its path. *holder is its pid, 0 where that is not to be known. */
bool vm_image_held(const char *path, pid_t *holder);

#endif

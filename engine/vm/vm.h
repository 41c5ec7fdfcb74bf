/*
 * Booting an image in QEMU: arguments, the serial console, the verdict. Runs in a thread of its own
 * and tells by events (vm-begin, vm-output, vm-end). Called by the front end's thread.
 */
#ifndef GANTRY_VM_VM_H
#define GANTRY_VM_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/queue.h"
#include "conf/conf.h"

struct vm_options {
    const char *root; /* the tree */
    struct conf *conf; /* read in vm_start only */
    unsigned memory_mib; /* 0: 512 */
    unsigned processors; /* 0: 1 */
    const char *expect; /* text (PCRE2) whose appearance is success; NULL: a clean power-off */
    unsigned timeout_s; /* 0: none */
    bool tcg; /* never KVM */
};

struct vm;

/*
 * Boots the composed image of the configuration (what conf's qemu-* say). KVM is used only where a
 * probe that runs something worked. A missing QEMU names its package; a missing image the command
 * that composes it.
 */
struct vm *vm_start(const struct vm_options *options, struct queue *events, struct err *err);
/* Bytes typed at the guest's serial console. */
void vm_type(struct vm *vm, const char *bytes, size_t length);
void vm_stop(struct vm *vm);
/* Waits for the end, frees. 0: the verdict was good; 1: it was not. */
int vm_finish(struct vm *vm);

#endif

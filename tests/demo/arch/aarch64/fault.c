/* Exceptions: each is told on the console with where it happened, then power goes off. */
#include "kernel/kernel.h"

_Noreturn void fault_report(void);

/* Reached by a branch from the vectors in start.S, on the stack of what was interrupted. */
void fault_report(void)
{
    uint64_t syndrome, where, address;

    __asm__("mrs %0, esr_el1" : "=r"(syndrome));
    __asm__("mrs %0, elr_el1" : "=r"(where));
    __asm__("mrs %0, far_el1" : "=r"(address));
    panic("exception (syndrome %#lx) at %#lx, address %#lx", (unsigned long)syndrome,
          (unsigned long)where, (unsigned long)address);
}

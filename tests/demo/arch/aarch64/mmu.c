/*
 * One table of 512 entries of 1 GiB (Arm ARM DDI 0487, D8). Without it all memory would be of
 * device type: uncached, unaligned accesses faulting, and not coherent with a hypervisor's view.
 */
#include "mmu.h"

enum {
    ENTRIES = 512,
    GIB_SHIFT = 30,

    BLOCK = 1 << 0,
    ATTRIBUTE_SHIFT = 2, /* index into MAIR */
    INNER_SHAREABLE = 3 << 8,
    ACCESSED = 1 << 10,

    ATTRIBUTE_DEVICE = 0,
    ATTRIBUTE_NORMAL = 1,
};

static const uint64_t MAIR = 0xff00; /* 0: device nGnRnE, 1: normal, write back */
static const uint64_t NEVER_EXECUTE = 3ULL << 53; /* at EL1 and EL0 */
static const uint64_t TCR = 25 /* addresses of 39 bits */
                            | 1 << 8 | 1 << 10 /* tables are read through write-back caches */
                            | 3 << 12 /* and inner shareable */
                            | 1 << 23 /* none by TTBR1 */
                            | 2ULL << 32; /* outputs of 40 bits */

static uint64_t table[ENTRIES] __attribute__((aligned(4096)));

void mmu_start(uint64_t ram_start, uint64_t ram_end)
{
    uint64_t control;

    for (uint64_t i = 0; i < ENTRIES; i++) {
        uint64_t start = i << GIB_SHIFT, end = (i + 1) << GIB_SHIFT;

        if (start < ram_end && end > ram_start)
            table[i] =
                start | BLOCK | ATTRIBUTE_NORMAL << ATTRIBUTE_SHIFT | INNER_SHAREABLE | ACCESSED;
        else
            table[i] =
                start | BLOCK | ATTRIBUTE_DEVICE << ATTRIBUTE_SHIFT | ACCESSED | NEVER_EXECUTE;
    }
    __asm__ volatile("msr mair_el1, %0" : : "r"(MAIR));
    __asm__ volatile("msr tcr_el1, %0" : : "r"(TCR));
    __asm__ volatile("msr ttbr0_el1, %0" : : "r"(table));
    __asm__ volatile("dsb sy; tlbi vmalle1; ic iallu; dsb sy; isb" : : : "memory");
    __asm__ volatile("mrs %0, sctlr_el1" : "=r"(control));
    control |= 1 << 0 | 1 << 2 | 1 << 12; /* MMU, data cache, instruction cache */
    __asm__ volatile("msr sctlr_el1, %0; isb" : : "r"(control) : "memory");
}

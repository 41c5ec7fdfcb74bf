/* The MMU: everything mapped to itself, RAM with caches, the rest as devices. */
#ifndef AARCH64_MMU_H
#define AARCH64_MMU_H

#include <stdint.h>

/* ram_start and ram_end are rounded to whole GiB. */
void mmu_start(uint64_t ram_start, uint64_t ram_end);

#endif

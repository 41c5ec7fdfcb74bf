#include "fault.h"

#include "arch_defs.h"
#include "kernel/kernel.h"

enum { EXCEPTIONS = 32, ENTRY_BYTES = 16 };

/* What fault_entry.S and the processor push. */
struct frame {
    uint64_t number, code, rip, cs, flags, rsp, ss;
};

struct gate {
    uint16_t offset_low, segment;
    uint8_t stack, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};

extern const char fault_entries[];
_Noreturn void fault_report(const struct frame *frame);

static struct gate gates[EXCEPTIONS];

void fault_start(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = {sizeof gates - 1, (uintptr_t)gates};

    for (int i = 0; i < EXCEPTIONS; i++) {
        uintptr_t entry = (uintptr_t)fault_entries + (uintptr_t)i * ENTRY_BYTES;

        gates[i] = (struct gate){
            .offset_low = (uint16_t)entry,
            .segment = CODE64,
            .type = 0x8e, /* present, interrupt gate */
            .offset_middle = (uint16_t)(entry >> 16),
            .offset_high = (uint32_t)(entry >> 32),
        };
    }
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

void fault_report(const struct frame *frame)
{
    uint64_t address;

    __asm__("movq %%cr2, %0" : "=r"(address));
    panic("exception %u (code %#lx) at %#lx, address %#lx", (unsigned)frame->number,
          (unsigned long)frame->code, (unsigned long)frame->rip, (unsigned long)address);
}

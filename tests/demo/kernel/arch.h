/*
 * What an arch gives to the kernel. All of it lives in arch/<arch>/ and conf/<arch>.mk; the kernel,
 * the drivers and the programs know no arch by name.
 *
 * To bring up a new arch, in the order in which it pays:
 *  1. conf/<arch>.mk: cross prefix, kernel_base, elf-machine, how QEMU is called.
 *  2. arch/<arch>/module.mk: the objects that it adds to loader.elf, and KERNEL_ELF_OFFSET (how far
 *     behind kernel_base the ELF file stands: its file image is its memory image, see
 *     kernel/loader.ld); then loader.img, as the machine's firmware wants it.
 *  3. arch/<arch>/arch_defs.h: ARCH_RELOCATION_RELATIVE, the type of its RELATIVE relocation.
 *  4. arch/<arch>/start.S: the entry point (_start). A stack, .bss (__bss_start to __bss_end)
 *     cleared, then kernel_main() with the struct filled. Never returns.
 *  5. The functions below. The console first, for everything that goes wrong later is told there.
 *     arch_find_devices() may be empty until uush answers: image=uush asks for no device.
 * Some 60 lines will do (each of the two here has more, for its firmware and for faults).
 *
 * The kernel takes its machines to be 64-bit and little endian. It needs no interrupts, no second
 * processor, and memory whose addresses are those that devices use. Caches should be on, since
 * devices are expected to see what the processor writes.
 */
#ifndef KERNEL_ARCH_H
#define KERNEL_ARCH_H

#include <stdint.h>

/* What the start-up code found out. */
struct boot {
    const char *arguments; /* the command line as given; stays where it is */
    uintptr_t memory_end; /* end of the RAM that the kernel stands in and may use */
    const void *device_tree; /* flattened, or NULL where the machine has none */
};

__attribute__((noreturn)) void kernel_main(const struct boot *boot);

/* One byte to the serial console; waits until it is taken. Works from the first instruction on. */
void arch_console_put(char byte);

/* A byte that has come in, or -1. Never waits. */
int arch_console_get(void);

/* Time since some moment before kernel_main, never going back. */
uint64_t arch_time_ns(void);

__attribute__((noreturn)) void arch_power_off(void);

/*
 * Finds what the machine has and registers it (virtio_mmio_probe, pci_probe). Called only if the
 * command line asks for a root file system on a disk. The device tree is that of struct boot.
 */
void arch_find_devices(const void *device_tree);

/* Code was written to memory: make the processor fetch it from there. */
void arch_sync_code(void *start, void *end);

#endif

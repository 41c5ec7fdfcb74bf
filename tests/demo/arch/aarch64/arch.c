/* What kernel/arch.h asks of an arch, for QEMU's virt board: PL011, generic timer, PSCI. */
#include "kernel/arch.h"

#include "arch_defs.h"
#include "drivers/pci.h"
#include "drivers/virtio.h"
#include "kernel/fdt.h"
#include "kernel/kernel.h"
#include "mmu.h"

/* kernel/loader.ld */
extern char KERNEL_BASE[];

/*
 * PL011 (Arm DDI 0183). Its address is fixed on this board, and wanted before the device tree can
 * be read; QEMU has it ready for use.
 */
static volatile uint32_t *const uart = (uint32_t *)0x9000000;
enum { UART_DATA = 0, UART_FLAGS = 0x18 / 4, FLAG_RECEIVE_EMPTY = 0x10, FLAG_SEND_FULL = 0x20 };

void arch_console_put(char byte)
{
    while (uart[UART_FLAGS] & FLAG_SEND_FULL)
        ;
    uart[UART_DATA] = (unsigned char)byte;
}

int arch_console_get(void)
{
    return uart[UART_FLAGS] & FLAG_RECEIVE_EMPTY ? -1 : (int)(uart[UART_DATA] & 0xff);
}

uint64_t arch_time_ns(void)
{
    uint64_t ticks, hz;

    __asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(ticks));
    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hz));
    return ticks / hz * 1000000000 + ticks % hz * 1000000000 / hz;
}

static bool psci_by_smc;

/* SYSTEM_OFF (Arm DEN 0022); who answers it, and by which call, is in the device tree. */
void arch_power_off(void)
{
    register uint64_t function __asm__("x0") = 0x84000008;

    if (psci_by_smc)
        __asm__ volatile("smc #0" : : "r"(function) : "memory");
    else
        __asm__ volatile("hvc #0" : : "r"(function) : "memory");
    for (;;)
        __asm__ volatile("wfi");
}

void arch_sync_code(void *start, void *end)
{
    enum { SMALLEST_LINE = 16 };

    for (char *at = start; at < (char *)end; at += SMALLEST_LINE)
        __asm__ volatile("dc cvau, %0" : : "r"(at) : "memory");
    __asm__ volatile("dsb ish; ic ialluis; dsb ish; isb" : : : "memory");
}

/* Enhanced configuration access (PCI Express 5.0, 7.2.2): 4 KiB for each function. */
static volatile uint32_t *pci_configuration;

static volatile uint32_t *configuration(struct pci_address at, unsigned offset)
{
    return pci_configuration + ((uint32_t)at.bus << 20 | (uint32_t)at.device << 15 |
                                (uint32_t)at.function << 12 | offset) /
                                   4;
}

static uint32_t pci_config_read(struct pci_address at, unsigned offset)
{
    return *configuration(at, offset);
}

static void pci_config_write(struct pci_address at, unsigned offset, uint32_t value)
{
    *configuration(at, offset) = value;
}

/* The 32-bit memory window in "ranges": 3 cells of PCI address, 2 of the processor's, 2 of size. */
static void find_window(const void *tree, int node, struct pci_host *host)
{
    enum { CELL = 4, ENTRY = 7 * CELL, SPACE_MASK = 3 << 24, SPACE_MEMORY32 = 2 << 24 };
    uint32_t size;
    const char *ranges = fdt_property(tree, node, "ranges", &size);

    for (uint32_t at = 0; ranges && at + ENTRY <= size; at += ENTRY) {
        if ((fdt_number(ranges + at, 1) & SPACE_MASK) != SPACE_MEMORY32)
            continue;
        host->window = fdt_number(ranges + at + 3 * CELL, 2);
        host->window_end = host->window + fdt_number(ranges + at + 5 * CELL, 2);
    }
}

static void find_pci(const void *tree)
{
    static struct pci_host host = {.buses = 1, .read = pci_config_read, .write = pci_config_write};
    int node = fdt_find_compatible(tree, -1, "pci-host-ecam-generic");
    uint64_t address, size;

    if (node < 0 || !fdt_reg(tree, node, 0, &address, &size))
        return;
    pci_configuration = (volatile uint32_t *)address;
    find_window(tree, node, &host);
    pci_probe(&host);
}

void arch_find_devices(const void *tree)
{
    uint64_t address, size;

    if (!tree)
        return;
    for (int node = -1; (node = fdt_find_compatible(tree, node, "virtio,mmio")) >= 0;)
        if (fdt_reg(tree, node, 0, &address, &size))
            virtio_mmio_probe(address);
    find_pci(tree);
}

/* "bootargs" of /chosen, if there are any, or what loader.img holds. */
static const char *find_arguments(const void *tree)
{
    int chosen = fdt_find_child(tree, "chosen");
    uint32_t size = 0;
    const char *arguments = chosen >= 0 ? fdt_property(tree, chosen, "bootargs", &size) : NULL;

    return arguments && *arguments ? arguments : KERNEL_BASE + IMAGE_ARGUMENTS;
}

_Noreturn void aarch64_start(const void *tree);

void aarch64_start(const void *tree)
{
    uint64_t here = (uintptr_t)aarch64_start, start, size;
    struct boot boot = {.device_tree = tree};
    uint32_t length;

    if (!fdt_good(tree))
        panic("there is no device tree at %p", tree);

    int memory = fdt_find_child(tree, "memory"), psci = fdt_find_compatible(tree, -1, "arm,psci");
    const char *method = psci >= 0 ? fdt_property(tree, psci, "method", &length) : NULL;

    psci_by_smc = method && strcmp(method, "smc") == 0;
    if (memory < 0 || !fdt_reg(tree, memory, 0, &start, &size) || here < start ||
        here >= start + size)
        panic("the device tree's memory does not have the kernel");
    mmu_start(start, start + size);
    /* The tree lies somewhere behind the kernel, and is needed further. */
    boot.memory_end = start + size;
    if ((uintptr_t)tree > here && (uintptr_t)tree < boot.memory_end)
        boot.memory_end = (uintptr_t)tree;
    boot.arguments = find_arguments(tree);
    kernel_main(&boot);
}

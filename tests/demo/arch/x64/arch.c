/* What kernel/arch.h asks of an arch, for PCs: 16550 serial port, TSC, ACPI power off. */
#include "kernel/arch.h"

#include "arch_defs.h"
#include "drivers/pci.h"
#include "fault.h"
#include "io.h"
#include "kernel/kernel.h"

/* From Xen, include/public/arch-x86/hvm/start_info.h. Version 1 has the memory map. */
struct start_info {
    uint32_t magic, version, flags, modules;
    uint64_t modules_at, arguments_at, rsdp_at;
    uint64_t map_at; /* entries of struct map_entry */
    uint32_t map_entries;
};

static const uint32_t START_INFO_MAGIC = 0x336ec578;

/* int 15h E820h (ACPI 6.5, chapter 15) and start_info agree in it. */
struct map_entry {
    uint64_t start, size;
    uint32_t type; /* 1: RAM */
    uint32_t attributes;
};

static uint64_t tsc_hz;
static uint64_t tsc_start;

/* 16550: registers of the first serial port. */
enum { DATA_PORT = COM1, INTERRUPTS, FIFO, LINE, MODEM, STATUS };
enum { STATUS_RECEIVED = 0x01, STATUS_CAN_SEND = 0x20 };

static void serial_start(void)
{
    io_write8(INTERRUPTS, 0);
    io_write8(LINE, 0x80); /* the divisor's turn */
    io_write8(DATA_PORT, 1); /* 115200 baud */
    io_write8(INTERRUPTS, 0);
    io_write8(LINE, 0x03); /* 8 bits, no parity, 1 stop bit */
    io_write8(FIFO, 0x01); /* on; what has come in already is kept */
    io_write8(MODEM, 0x03);
}

void arch_console_put(char byte)
{
    while (!(io_read8(STATUS) & STATUS_CAN_SEND))
        ;
    io_write8(DATA_PORT, (uint8_t)byte);
}

int arch_console_get(void)
{
    return io_read8(STATUS) & STATUS_RECEIVED ? io_read8(DATA_PORT) : -1;
}

static uint64_t read_tsc(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

/* Counts TSC ticks while the PIT's channel 2 runs down from a known number (Intel 8254). */
static void measure_tsc(void)
{
    enum { GATE = 0x61, PIT_MODE = 0x43, PIT_CHANNEL2 = 0x42, PIT_HZ = 1193182, TICKS = 11932 };

    io_write8(GATE, (uint8_t)((io_read8(GATE) & 0xfc) | 1)); /* count, speaker off */
    io_write8(PIT_MODE, 0xb0); /* channel 2, both bytes, mode 0 */
    io_write8(PIT_CHANNEL2, TICKS & 0xff);
    io_write8(PIT_CHANNEL2, TICKS >> 8);
    tsc_start = read_tsc();
    while (!(io_read8(GATE) & 0x20)) /* its output rises at zero */
        ;
    tsc_hz = (read_tsc() - tsc_start) * PIT_HZ / TICKS;
    if (tsc_hz == 0)
        tsc_hz = 1000000000;
}

uint64_t arch_time_ns(void)
{
    uint64_t ticks = read_tsc() - tsc_start;

    /* In two parts, since ticks * 10^9 overflows after seconds. */
    return ticks / tsc_hz * 1000000000 + ticks % tsc_hz * 1000000000 / tsc_hz;
}

/*
 * ACPI S5 as QEMU's machines have it: SLP_TYP 0 and SLP_EN to PM1a_CNT, at 0x604. Then the port of
 * its older ACPI (0xb004), its debug exit, and the reset line of the keyboard controller.
 */
void arch_power_off(void)
{
    enum { SLEEP_ENABLE = 0x2000 };

    io_write16(0x604, SLEEP_ENABLE);
    io_write16(0xb004, SLEEP_ENABLE);
    io_write8(0x501, 0);
    io_write8(0x64, 0xfe);
    for (;;)
        __asm__ volatile("cli; hlt");
}

/* Configuration mechanism #1 (PCI Local Bus 3.0, 3.2.2.3.2). */
static uint32_t pci_config_read(struct pci_address at, unsigned offset)
{
    io_write32(0xcf8, 0x80000000u | (uint32_t)at.bus << 16 | (uint32_t)at.device << 11 |
                          (uint32_t)at.function << 8 | (offset & 0xfc));
    return io_read32(0xcfc);
}

static void pci_config_write(struct pci_address at, unsigned offset, uint32_t value)
{
    pci_config_read(at, offset); /* leaves the address in place */
    io_write32(0xcfc, value);
}

void arch_find_devices(const void *device_tree)
{
    /* The firmware has given the devices their addresses. */
    static const struct pci_host host = {
        .buses = 1, .read = pci_config_read, .write = pci_config_write};

    (void)device_tree;
    pci_probe(&host);
}

/* Instruction fetches see what was stored. */
void arch_sync_code(void *start, void *end)
{
    (void)start, (void)end;
}

/* The end of the RAM that holds the kernel; memory behind 4 GiB is not mapped. */
static uintptr_t find_memory_end(const struct map_entry *map, uint32_t entries)
{
    const uint64_t limit = UINT64_C(1) << 32;
    uintptr_t here = (uintptr_t)find_memory_end;

    for (uint32_t i = 0; i < entries; i++) {
        uint64_t end = map[i].start + map[i].size;

        if (map[i].type == 1 && here >= map[i].start && here < end)
            return end < limit ? end : limit;
    }
    panic("the memory map does not have the kernel");
}

_Noreturn void x64_start(const struct start_info *info);

void x64_start(const struct start_info *info)
{
    struct boot boot = {.arguments = (const char *)LOW_ARGUMENTS};
    const struct map_entry *map = (const struct map_entry *)LOW_MAP;
    uint32_t entries = *(const volatile uint32_t *)LOW_MAP_COUNT;

    serial_start();
    measure_tsc();
    fault_start();
    if (info) {
        if (info->magic != START_INFO_MAGIC || info->version < 1)
            panic("started by a protocol that is not PVH with a memory map");
        boot.arguments = info->arguments_at ? (const char *)info->arguments_at : "";
        map = (const struct map_entry *)info->map_at;
        entries = info->map_entries;
    }
    boot.memory_end = find_memory_end(map, entries);
    kernel_main(&boot);
}

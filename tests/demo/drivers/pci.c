#include "pci.h"

#include "kernel/kernel.h"
#include "virtio.h"

enum {
    IDS = 0x00,
    COMMAND = 0x04,
    CLASS = 0x08,
    HEADER = 0x0c,
    FIRST_BAR = 0x10,
    CAPABILITIES = 0x34,

    COMMAND_MEMORY = 0x2,
    COMMAND_MASTER = 0x4,
    STATUS_HAS_CAPABILITIES = 0x100000, /* of the register that COMMAND is the low half of */
    HEADER_MANY_FUNCTIONS = 0x800000,
    HEADER_TYPE = 0x7f0000,
    BAR_IO = 0x1,
    BAR_64 = 0x4,
    BAR_FLAGS = 0xf,
};

static uint32_t read32(const struct pci_function *function, unsigned offset)
{
    return function->host->read(function->at, offset);
}

static void write32(const struct pci_function *function, unsigned offset, uint32_t value)
{
    function->host->write(function->at, offset, value);
}

uint32_t pci_read32(const struct pci_function *function, unsigned offset)
{
    return read32(function, offset);
}

uint8_t pci_read8(const struct pci_function *function, unsigned offset)
{
    return (uint8_t)(read32(function, offset & ~3u) >> (offset & 3) * 8);
}

void pci_enable(const struct pci_function *function)
{
    write32(function, COMMAND, read32(function, COMMAND) | COMMAND_MEMORY | COMMAND_MASTER);
}

uint64_t pci_bar(const struct pci_function *function, unsigned bar)
{
    uint32_t low = bar < PCI_BARS ? read32(function, FIRST_BAR + bar * 4) : BAR_IO;
    uint64_t high = 0;

    if (low & BAR_IO)
        return 0;
    if (low & BAR_64 && bar + 1 < PCI_BARS)
        high = read32(function, FIRST_BAR + (bar + 1) * 4);
    return high << 32 | (low & ~(uint32_t)BAR_FLAGS);
}

unsigned pci_capability(const struct pci_function *function, unsigned after, uint8_t id)
{
    unsigned at = 0;

    if (after)
        at = pci_read8(function, after + 1);
    else if (read32(function, COMMAND) & STATUS_HAS_CAPABILITIES)
        at = pci_read8(function, CAPABILITIES);
    /* The list is in 256 bytes and each entry has 4 at least: a longer one is a loop. */
    for (int left = 64; at && left; left--, at = pci_read8(function, at + 1))
        if (pci_read8(function, at) == id)
            return at;
    return 0;
}

/*
 * Places the memory registers of a function that no firmware has placed, each on a multiple of its
 * size, which is found by writing ones and looking which of them stick.
 */
static void place(const struct pci_function *function, uint64_t *window, uint64_t window_end)
{
    for (unsigned bar = 0; bar < PCI_BARS; bar++) {
        unsigned offset = FIRST_BAR + bar * 4;
        uint32_t flags = read32(function, offset) & BAR_FLAGS;
        bool wide = !(flags & BAR_IO) && flags & BAR_64;

        if (flags & BAR_IO || pci_bar(function, bar) != 0)
            continue;
        write32(function, offset, UINT32_MAX);
        uint32_t mask = read32(function, offset) & ~(uint32_t)BAR_FLAGS;
        uint32_t size = ~mask + 1;
        uint64_t start = size ? (*window + size - 1) & ~(uint64_t)(size - 1) : 0;

        if (!mask || start + size > window_end)
            start = 0;
        else
            *window = start + size;
        write32(function, offset, (uint32_t)start);
        if (wide)
            write32(function, FIRST_BAR + ++bar * 4, (uint32_t)(start >> 32));
    }
}

void pci_probe(const struct pci_host *host)
{
    uint64_t window = host->window;

    for (unsigned slot = 0; slot < host->buses * 32; slot++)
        for (uint8_t number = 0; number < 8; number++) {
            struct pci_address at = {(uint8_t)(slot / 32), (uint8_t)(slot % 32), number};
            struct pci_function function = {.host = host, .at = at};
            uint32_t ids = read32(&function, IDS), header = read32(&function, HEADER);

            if ((ids & 0xffff) == 0xffff) {
                if (number == 0)
                    break;
                continue;
            }
            function.vendor = (uint16_t)ids;
            function.device = (uint16_t)(ids >> 16);
            log_line("pci %u:%02u.%u: %04x:%04x, class %06x", at.bus, at.device, at.function,
                     function.vendor, function.device, read32(&function, CLASS) >> 8);
            if (host->window && !(header & HEADER_TYPE))
                place(&function, &window, host->window_end);
            virtio_pci_probe(&function);
            if (number == 0 && !(header & HEADER_MANY_FUNCTIONS))
                break;
        }
}

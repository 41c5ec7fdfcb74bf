/*
 * PCI: walks the buses that an arch's host bridge gives access to, and hands each function to the
 * driver that knows it. (PCI Local Bus Specification 3.0, chapter 6.)
 */
#ifndef DRIVERS_PCI_H
#define DRIVERS_PCI_H

#include <stdbool.h>
#include <stdint.h>

struct pci_address {
    uint8_t bus, device, function;
};

/* How an arch reaches configuration space. offset is a multiple of 4. Stays where it is. */
struct pci_host {
    unsigned buses;
    uint32_t (*read)(struct pci_address at, unsigned offset);
    void (*write)(struct pci_address at, unsigned offset, uint32_t value);
    /* Memory for devices whose registers no firmware has placed; 0, 0 if one has. */
    uint64_t window, window_end;
};

struct pci_function {
    const struct pci_host *host;
    struct pci_address at;
    uint16_t vendor, device;
};

enum { PCI_BARS = 6 };

/* Finds all functions and starts their drivers. */
void pci_probe(const struct pci_host *host);

/* Turns on memory access and bus mastering. */
void pci_enable(const struct pci_function *function);

/* Address that base address register number bar stands for; 0 if it is none of memory. */
uint64_t pci_bar(const struct pci_function *function, unsigned bar);

uint8_t pci_read8(const struct pci_function *function, unsigned offset);
uint32_t pci_read32(const struct pci_function *function, unsigned offset);

/* Offset of the first capability (after: 0) or of the next one behind after; 0 if there is none. */
unsigned pci_capability(const struct pci_function *function, unsigned after, uint8_t id);

#endif

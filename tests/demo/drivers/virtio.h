/*
 * virtio (OASIS, Virtual I/O Device 1.2): one queue of a device, filled and waited for without
 * interrupts. A transport finds a device, says how its registers are reached, and hands it to the
 * driver for its kind.
 */
#ifndef DRIVERS_VIRTIO_H
#define DRIVERS_VIRTIO_H

#include "kernel_api.h"

struct pci_function;
struct virtio_device;

enum { VIRTIO_BLOCK = 2 };

/* Where the parts of a queue are; the same block in the order that devices before 1.0 demand. */
struct virtio_rings {
    uint16_t size; /* entries, a power of two */
    struct virtio_descriptor *descriptors;
    struct virtio_available *available;
    struct virtio_used *used;
};

struct virtio_transport {
    const char *name;
    void (*set_status)(struct virtio_device *device, uint8_t status);
    uint8_t (*get_status)(struct virtio_device *device);
    /* Features are words of 32 bits. A device of before 1.0 has no word 1. */
    uint32_t (*get_features)(struct virtio_device *device, unsigned word);
    void (*set_features)(struct virtio_device *device, unsigned word, uint32_t features);
    /* The largest size that queue 0 can have; 0 if there is none. */
    uint16_t (*queue_max)(struct virtio_device *device);
    void (*set_queue)(struct virtio_device *device, const struct virtio_rings *rings);
    void (*notify)(struct virtio_device *device);
    uint32_t (*get_config)(struct virtio_device *device, unsigned offset);
};

struct virtio_device {
    const struct virtio_transport *transport;
    bool legacy; /* of before 1.0 */
    /* The transport's own: addresses of registers. */
    volatile uint32_t *registers;
    volatile unsigned char *common, *config;
    volatile uint16_t *notify;
    struct virtio_rings rings;
    uint16_t used_seen; /* how far the used ring has been read */
};

/* A piece of memory that the device reads, or writes. */
struct virtio_buffer {
    void *memory;
    uint32_t size;
    bool device_writes;
};

/* Resets the device, agrees on no features but 1.0 itself, and sets queue 0 up. */
int virtio_start(struct virtio_device *device);

/* Hands a chain of buffers to the device and waits until it is done with them. */
int virtio_transfer(struct virtio_device *device, const struct virtio_buffer *buffers, int count);

/* Transports. A device that is none, or of no known kind, is passed over. */
void virtio_mmio_probe(uint64_t registers);
void virtio_pci_probe(const struct pci_function *function);

/* Drivers. device is copied. */
void virtio_block_start(const struct virtio_device *device);

#endif

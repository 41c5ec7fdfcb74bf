/*
 * virtio over PCI (virtio 1.2, 4.1), by the capabilities of 1.0. QEMU's default devices carry them
 * beside the ports of before 1.0, so those are not needed.
 */
#include "kernel/kernel.h"
#include "pci.h"
#include "virtio.h"

enum {
    VENDOR = 0x1af4,
    DEVICE_OLD_BLOCK = 0x1001, /* of a device that knows the old ports as well */
    DEVICE_FIRST = 0x1040, /* plus the kind */

    CAPABILITY_VENDOR = 9,
    /* Of such a capability. */
    CAPABILITY_TYPE = 3,
    CAPABILITY_BAR = 4,
    CAPABILITY_OFFSET = 8,
    CAPABILITY_MULTIPLIER = 16,
    TYPE_COMMON = 1,
    TYPE_NOTIFY = 2,
    TYPE_DEVICE = 4,

    /* Of the common structure. */
    DEVICE_FEATURES_WORD = 0x00,
    DEVICE_FEATURES = 0x04,
    DRIVER_FEATURES_WORD = 0x08,
    DRIVER_FEATURES = 0x0c,
    STATUS = 0x14,
    QUEUE = 0x16,
    QUEUE_SIZE = 0x18,
    QUEUE_ENABLE = 0x1c,
    QUEUE_NOTIFY_OFFSET = 0x1e,
    QUEUE_DESCRIPTORS = 0x20,
    QUEUE_AVAILABLE = 0x28,
    QUEUE_USED = 0x30,
};

static volatile uint16_t *common16(struct virtio_device *device, unsigned offset)
{
    return (volatile uint16_t *)(device->common + offset);
}

static volatile uint32_t *common32(struct virtio_device *device, unsigned offset)
{
    return (volatile uint32_t *)(device->common + offset);
}

static void set_status(struct virtio_device *device, uint8_t status)
{
    device->common[STATUS] = status;
}

static uint8_t get_status(struct virtio_device *device)
{
    return device->common[STATUS];
}

static uint32_t get_features(struct virtio_device *device, unsigned word)
{
    *common32(device, DEVICE_FEATURES_WORD) = word;
    return *common32(device, DEVICE_FEATURES);
}

static void set_features(struct virtio_device *device, unsigned word, uint32_t features)
{
    *common32(device, DRIVER_FEATURES_WORD) = word;
    *common32(device, DRIVER_FEATURES) = features;
}

static uint16_t queue_max(struct virtio_device *device)
{
    *common16(device, QUEUE) = 0;
    return *common16(device, QUEUE_SIZE);
}

/* 64-bit fields are written in two halves, as the specification allows to demand. */
static void set_address(struct virtio_device *device, unsigned offset, const void *address)
{
    *common32(device, offset) = (uint32_t)(uintptr_t)address;
    *common32(device, offset + 4) = (uint32_t)((uint64_t)(uintptr_t)address >> 32);
}

static void set_queue(struct virtio_device *device, const struct virtio_rings *rings)
{
    *common16(device, QUEUE_SIZE) = rings->size;
    set_address(device, QUEUE_DESCRIPTORS, rings->descriptors);
    set_address(device, QUEUE_AVAILABLE, rings->available);
    set_address(device, QUEUE_USED, rings->used);
    *common16(device, QUEUE_ENABLE) = 1;
}

static void notify(struct virtio_device *device)
{
    *device->notify = 0;
}

static uint32_t get_config(struct virtio_device *device, unsigned offset)
{
    return *(volatile uint32_t *)(device->config + offset);
}

/* The memory that a capability points to; NULL if the processor cannot reach it. */
static volatile unsigned char *capability_memory(const struct pci_function *function, unsigned at)
{
    uint64_t bar = pci_bar(function, pci_read8(function, at + CAPABILITY_BAR));

    return bar ? (volatile unsigned char *)(uintptr_t)(bar +
                                                       pci_read32(function, at + CAPABILITY_OFFSET))
               : NULL;
}

static void find_structures(struct virtio_device *device, const struct pci_function *function)
{
    unsigned at = 0;
    volatile unsigned char *notify_memory = NULL;
    uint32_t multiplier = 0;

    while ((at = pci_capability(function, at, CAPABILITY_VENDOR)) != 0) {
        switch (pci_read8(function, at + CAPABILITY_TYPE)) {
        case TYPE_COMMON:
            device->common = capability_memory(function, at);
            break;
        case TYPE_NOTIFY:
            notify_memory = capability_memory(function, at);
            multiplier = pci_read32(function, at + CAPABILITY_MULTIPLIER);
            break;
        case TYPE_DEVICE:
            device->config = capability_memory(function, at);
            break;
        default:
            break;
        }
    }
    if (!device->common || !notify_memory)
        return;
    *common16(device, QUEUE) = 0;
    device->notify =
        (volatile uint16_t *)(notify_memory + *common16(device, QUEUE_NOTIFY_OFFSET) * multiplier);
}

void virtio_pci_probe(const struct pci_function *function)
{
    static const struct virtio_transport transport = {
        "virtio-pci", set_status, get_status, get_features, set_features,
        queue_max,    set_queue,  notify,     get_config,
    };
    struct virtio_device device = {.transport = &transport};

    if (function->vendor != VENDOR ||
        (function->device != DEVICE_OLD_BLOCK && function->device != DEVICE_FIRST + VIRTIO_BLOCK))
        return;
    pci_enable(function);
    find_structures(&device, function);
    if (device.notify && device.config)
        virtio_block_start(&device);
    else
        console_print("kernel: a virtio-pci disk has no registers of virtio 1.0 in reach\n");
}

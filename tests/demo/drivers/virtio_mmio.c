/*
 * virtio over memory-mapped registers (virtio 1.2, 4.2), both versions: QEMU's default is the old.
 */
#include "kernel/kernel.h"
#include "virtio.h"

/* Numbers of 32-bit registers. */
enum {
    MAGIC = 0x000 / 4,
    VERSION = 0x004 / 4,
    DEVICE = 0x008 / 4,
    DEVICE_FEATURES = 0x010 / 4,
    DEVICE_FEATURES_WORD = 0x014 / 4,
    DRIVER_FEATURES = 0x020 / 4,
    DRIVER_FEATURES_WORD = 0x024 / 4,
    LEGACY_PAGE_SIZE = 0x028 / 4,
    QUEUE = 0x030 / 4,
    QUEUE_MAX = 0x034 / 4,
    QUEUE_SIZE = 0x038 / 4,
    LEGACY_QUEUE_ALIGN = 0x03c / 4,
    LEGACY_QUEUE_PAGE = 0x040 / 4,
    QUEUE_READY = 0x044 / 4,
    QUEUE_NOTIFY = 0x050 / 4,
    STATUS = 0x070 / 4,
    QUEUE_DESCRIPTORS = 0x080 / 4,
    QUEUE_AVAILABLE = 0x090 / 4,
    QUEUE_USED = 0x0a0 / 4,
    CONFIG = 0x100 / 4,

    VERSION_LEGACY = 1,
    VERSION_1 = 2,
    PAGE = 4096,
};

static const uint32_t MAGIC_VALUE = 0x74726976; /* "virt" */

static void set_status(struct virtio_device *device, uint8_t status)
{
    device->registers[STATUS] = status;
}

static uint8_t get_status(struct virtio_device *device)
{
    return (uint8_t)device->registers[STATUS];
}

static uint32_t get_features(struct virtio_device *device, unsigned word)
{
    device->registers[DEVICE_FEATURES_WORD] = word;
    return device->registers[DEVICE_FEATURES];
}

static void set_features(struct virtio_device *device, unsigned word, uint32_t features)
{
    device->registers[DRIVER_FEATURES_WORD] = word;
    device->registers[DRIVER_FEATURES] = features;
}

static uint16_t queue_max(struct virtio_device *device)
{
    device->registers[QUEUE] = 0;
    return (uint16_t)device->registers[QUEUE_MAX];
}

static void set_address(struct virtio_device *device, unsigned low, const void *address)
{
    device->registers[low] = (uint32_t)(uintptr_t)address;
    device->registers[low + 1] = (uint32_t)((uint64_t)(uintptr_t)address >> 32);
}

static void set_queue(struct virtio_device *device, const struct virtio_rings *rings)
{
    device->registers[QUEUE_SIZE] = rings->size;
    if (device->legacy) {
        device->registers[LEGACY_PAGE_SIZE] = PAGE;
        device->registers[LEGACY_QUEUE_ALIGN] = PAGE;
        device->registers[LEGACY_QUEUE_PAGE] = (uint32_t)((uintptr_t)rings->descriptors / PAGE);
        return;
    }
    set_address(device, QUEUE_DESCRIPTORS, rings->descriptors);
    set_address(device, QUEUE_AVAILABLE, rings->available);
    set_address(device, QUEUE_USED, rings->used);
    device->registers[QUEUE_READY] = 1;
}

static void notify(struct virtio_device *device)
{
    device->registers[QUEUE_NOTIFY] = 0;
}

static uint32_t get_config(struct virtio_device *device, unsigned offset)
{
    return device->registers[CONFIG + offset / 4];
}

void virtio_mmio_probe(uint64_t address)
{
    static const struct virtio_transport transport = {
        "virtio-mmio", set_status, get_status, get_features, set_features,
        queue_max,     set_queue,  notify,     get_config,
    };
    struct virtio_device device = {
        .transport = &transport,
        .registers = (volatile uint32_t *)(uintptr_t)address,
    };
    uint32_t version = device.registers[VERSION];

    if (device.registers[MAGIC] != MAGIC_VALUE ||
        (version != VERSION_LEGACY && version != VERSION_1) || !device.registers[DEVICE])
        return;
    device.legacy = version == VERSION_LEGACY;
    log_line("virtio-mmio at %#lx: device %u, version %u", (unsigned long)address,
             device.registers[DEVICE], version);
    if (device.registers[DEVICE] == VIRTIO_BLOCK)
        virtio_block_start(&device);
}

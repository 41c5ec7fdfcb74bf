#include "virtio.h"

#include "kernel/kernel.h"

enum {
    STATUS_ACKNOWLEDGE = 1,
    STATUS_DRIVER = 2,
    STATUS_DRIVER_OK = 4,
    STATUS_FEATURES_OK = 8,

    FEATURE_VERSION_1 = 1, /* bit 32: the first of word 1 */

    DESCRIPTOR_NEXT = 1,
    DESCRIPTOR_WRITE = 2,

    QUEUE_SIZE = 8,
    QUEUE_ALIGN = 4096, /* of the used ring, for devices of before 1.0 */
    TIMEOUT_S = 30,
};

struct virtio_descriptor {
    uint64_t address;
    uint32_t size;
    uint16_t flags, next;
};

struct virtio_available {
    uint16_t flags, index;
    uint16_t ring[QUEUE_SIZE];
};

struct virtio_used {
    uint16_t flags, index;
    struct {
        uint32_t id, size;
    } ring[QUEUE_SIZE];
};

/* The device reads and writes the rings at any time: nothing may be moved across. */
static void fence(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static int make_queue(struct virtio_device *device)
{
    struct virtio_rings *rings = &device->rings;
    uint16_t max = device->transport->queue_max(device);
    char *memory = max >= QUEUE_SIZE ? memory_allocate_aligned(2 * QUEUE_ALIGN, QUEUE_ALIGN) : NULL;

    if (!memory)
        return max >= QUEUE_SIZE ? ERROR_MEMORY : ERROR_IO;
    memset(memory, 0, 2 * QUEUE_ALIGN);
    rings->size = QUEUE_SIZE;
    rings->descriptors = (struct virtio_descriptor *)memory;
    rings->available =
        (struct virtio_available *)(memory + QUEUE_SIZE * sizeof(struct virtio_descriptor));
    rings->used = (struct virtio_used *)(memory + QUEUE_ALIGN);
    device->used_seen = 0;
    device->transport->set_queue(device, rings);
    return 0;
}

int virtio_start(struct virtio_device *device)
{
    const struct virtio_transport *transport = device->transport;
    uint8_t status = STATUS_ACKNOWLEDGE | STATUS_DRIVER;
    int error;

    transport->set_status(device, 0);
    while (transport->get_status(device) != 0)
        ;
    transport->set_status(device, status);
    transport->set_features(device, 0, 0);
    if (!device->legacy) {
        if (!(transport->get_features(device, 1) & FEATURE_VERSION_1))
            return ERROR_IO;
        transport->set_features(device, 1, FEATURE_VERSION_1);
        status |= STATUS_FEATURES_OK;
        transport->set_status(device, status);
        if (!(transport->get_status(device) & STATUS_FEATURES_OK))
            return ERROR_IO;
    }
    error = make_queue(device);
    if (!error)
        transport->set_status(device, status | STATUS_DRIVER_OK);
    return error;
}

int virtio_transfer(struct virtio_device *device, const struct virtio_buffer *buffers, int count)
{
    struct virtio_rings *rings = &device->rings;
    uint64_t limit = kernel_api.uptime_ns() + TIMEOUT_S * UINT64_C(1000000000);

    ASSERT(count > 0 && count <= QUEUE_SIZE);
    for (int i = 0; i < count; i++)
        rings->descriptors[i] = (struct virtio_descriptor){
            .address = (uintptr_t)buffers[i].memory,
            .size = buffers[i].size,
            .flags = (uint16_t)((buffers[i].device_writes ? DESCRIPTOR_WRITE : 0) |
                                (i + 1 < count ? DESCRIPTOR_NEXT : 0)),
            .next = (uint16_t)(i + 1),
        };
    /* One chain at a time, so it always begins at descriptor 0. */
    rings->available->ring[rings->available->index % QUEUE_SIZE] = 0;
    fence();
    rings->available->index++;
    fence();
    device->transport->notify(device);
    while (*(volatile uint16_t *)&rings->used->index == device->used_seen)
        if (kernel_api.uptime_ns() > limit)
            return ERROR_IO;
    fence();
    device->used_seen++;
    return 0;
}

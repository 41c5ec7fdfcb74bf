/* Block devices (virtio 1.2, 5.2): reading only, one request at a time. */
#include "kernel/block.h"
#include "kernel/kernel.h"
#include "virtio.h"

enum { REQUEST_READ = 0, STATUS_OK = 0, CONFIG_CAPACITY = 0, BATCH_SECTORS = 128 };

struct request {
    uint32_t type, reserved;
    uint64_t sector;
};

static int read_sectors(void *disk, uint64_t sector, uint32_t count, void *buffer)
{
    struct virtio_device *device = disk;
    struct request request = {.type = REQUEST_READ, .sector = sector};
    uint8_t status = 0xff;
    struct virtio_buffer chain[] = {
        {&request, sizeof request, false},
        {buffer, count * SECTOR_BYTES, true},
        {&status, sizeof status, true},
    };
    int error = virtio_transfer(device, chain, 3);

    return error ? error : *(volatile uint8_t *)&status == STATUS_OK ? 0 : ERROR_IO;
}

void virtio_block_start(const struct virtio_device *found)
{
    struct block_driver *driver = memory_allocate(sizeof *driver);
    struct virtio_device *device = memory_allocate(sizeof *device);
    int error = driver && device ? 0 : ERROR_MEMORY;

    if (!error) {
        *device = *found;
        *driver = (struct block_driver){found->transport->name, read_sectors, BATCH_SECTORS};
        error = virtio_start(device);
    }
    if (!error) {
        uint64_t low = device->transport->get_config(device, CONFIG_CAPACITY);
        uint64_t high = device->transport->get_config(device, CONFIG_CAPACITY + 4);

        error = block_register(driver, device, high << 32 | low);
    }
    if (error)
        console_print("kernel: a %s disk: %s\n", found->transport->name, error_text(error));
}

/*
 * Disks and partitions in one table. The partition table is the classic one: four entries of 16
 * bytes at 0x1be of sector 0, 55AA at its end. As in OSv an entry counts if its type and its first
 * sector are not 0, and partitions are numbered from 0: number 2 of the table is vblk0.1.
 */
#include "block.h"

#include "kernel.h"

enum { DEVICES_MAX = 16, TABLE_AT = 0x1be, SIGNATURE_AT = 0x1fe, ENTRIES = 4 };

struct entry {
    uint8_t flag, first_chs[3], type, last_chs[3];
    uint32_t first_sector, sectors;
} __attribute__((packed));

struct device {
    struct block_info info;
    const struct block_driver *driver;
    void *disk;
};

static struct device devices[DEVICES_MAX];
static unsigned device_count;
static unsigned disk_count;

static struct device *add(const struct block_driver *driver, void *disk)
{
    struct device *device = &devices[device_count];

    if (device_count == DEVICES_MAX)
        return NULL;
    device->driver = driver;
    device->disk = disk;
    text_copy(device->info.driver, driver->name, sizeof device->info.driver);
    device_count++;
    return device;
}

static int add_partitions(const struct device *disk, unsigned number)
{
    unsigned char sector[SECTOR_BYTES];
    int error = disk->driver->read(disk->disk, 0, 1, sector);

    if (error)
        return error;
    if (sector[SIGNATURE_AT] != 0x55 || sector[SIGNATURE_AT + 1] != 0xaa)
        return 0;
    for (unsigned i = 0; i < ENTRIES; i++) {
        struct entry entry;

        memcpy(&entry, sector + TABLE_AT + i * sizeof entry, sizeof entry);
        if (!entry.type || !entry.first_sector)
            continue;
        if ((uint64_t)entry.first_sector + entry.sectors > disk->info.sectors) {
            log_line("partition %u ends behind the disk; left out", i + 1);
            continue;
        }
        struct device *partition = add(disk->driver, disk->disk);

        if (!partition)
            return ERROR_TOO_MANY;
        partition->info.first_sector = entry.first_sector;
        partition->info.sectors = entry.sectors;
        partition->info.type = entry.type;
        format_text(partition->info.name, sizeof partition->info.name, "vblk%u.%u", number, i);
    }
    return 0;
}

int block_register(const struct block_driver *driver, void *disk, uint64_t sectors)
{
    struct device *device = sectors ? add(driver, disk) : NULL;

    if (!device)
        return sectors ? ERROR_TOO_MANY : ERROR_RANGE;
    device->info.sectors = sectors;
    format_text(device->info.name, sizeof device->info.name, "vblk%u", disk_count);
    log_line("%s: %lu sectors by %s", device->info.name, (unsigned long)sectors, driver->name);
    return add_partitions(device, disk_count++);
}

int block_info(unsigned device, struct block_info *info)
{
    if (device >= device_count)
        return ERROR_RANGE;
    *info = devices[device].info;
    return 0;
}

int block_read(unsigned number, uint64_t sector, uint32_t count, void *buffer)
{
    const struct device *device = &devices[number];
    char *to = buffer;

    if (number >= device_count || sector > device->info.sectors ||
        count > device->info.sectors - sector)
        return ERROR_RANGE;
    trace_event("block read", sector + device->info.first_sector, count);
    while (count) {
        uint32_t batch = count;

        if (batch > device->driver->batch_sectors)
            batch = device->driver->batch_sectors;
        int error =
            device->driver->read(device->disk, device->info.first_sector + sector, batch, to);

        if (error)
            return error;
        to += (size_t)batch * SECTOR_BYTES;
        sector += batch;
        count -= batch;
    }
    return 0;
}

/* Disks, their edges, and the partition table. */
#include "selftest.h"

enum { DISK = 0, TABLE_AT = 0x1be, ENTRY_BYTES = 16 };

static const char *test_disk_edges(void)
{
    static unsigned char sectors[2 * SECTOR_BYTES];
    struct block_info info;

    EXPECT_NUMBER(kernel->block_info(DISK, &info), 0);
    EXPECT_TEXT(info.name, "vblk0");
    EXPECT(info.sectors > 4096);
    EXPECT_NUMBER(kernel->block_read(DISK, 0, 1, sectors), 0);
    EXPECT(sectors[510] == 0x55 && sectors[511] == 0xaa);
    EXPECT_NUMBER(kernel->block_read(DISK, info.sectors - 1, 1, sectors), 0);
    EXPECT_NUMBER(kernel->block_read(DISK, info.sectors, 0, sectors), 0);
    EXPECT_NUMBER(kernel->block_read(DISK, info.sectors, 1, sectors), ERROR_RANGE);
    EXPECT_NUMBER(kernel->block_read(DISK, info.sectors - 1, 2, sectors), ERROR_RANGE);
    EXPECT_NUMBER(kernel->block_read(DISK, UINT64_MAX, 2, sectors), ERROR_RANGE);
    EXPECT_NUMBER(kernel->block_info(1000, &info), ERROR_RANGE);
    EXPECT_NUMBER(kernel->block_read(1000, 0, 1, sectors), ERROR_RANGE);
    return NULL;
}

/* One large read and many small ones agree; the large one is of more than one request. */
static const char *test_disk_batches(void)
{
    enum { SECTORS = 300 };
    static unsigned char one[SECTOR_BYTES];
    unsigned char *all = kernel->allocate(SECTORS * SECTOR_BYTES);
    const uint64_t first = 4096;

    EXPECT(all);
    EXPECT_NUMBER(kernel->block_read(DISK, first, SECTORS, all), 0);
    for (unsigned i = 0; i < SECTORS; i++) {
        EXPECT_NUMBER(kernel->block_read(DISK, first + i, 1, one), 0);
        EXPECT(memcmp(one, all + i * SECTOR_BYTES, SECTOR_BYTES) == 0);
    }
    kernel->release(all);
    return NULL;
}

/* A buffer at any address will do, and nothing beside it is written. */
static const char *test_disk_buffer(void)
{
    static unsigned char aligned[SECTOR_BYTES], odd[SECTOR_BYTES + 16];

    EXPECT_NUMBER(kernel->block_read(DISK, 4096, 1, aligned), 0);
    memset(odd, 0x77, sizeof odd);
    EXPECT_NUMBER(kernel->block_read(DISK, 4096, 1, odd + 3), 0);
    EXPECT(memcmp(odd + 3, aligned, SECTOR_BYTES) == 0);
    EXPECT(odd[2] == 0x77 && odd[3 + SECTOR_BYTES] == 0x77);
    return NULL;
}

static uint32_t number_at(const unsigned char *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static const char *test_partition(void)
{
    static unsigned char table[SECTOR_BYTES], by_disk[SECTOR_BYTES], by_partition[SECTOR_BYTES];
    struct block_info info = {.name = ""};
    unsigned number = 0;

    while (kernel->block_info(number, &info) == 0 && strcmp(info.name, "vblk0.1") != 0)
        number++;
    EXPECT_TEXT(info.name, "vblk0.1");
    EXPECT_NUMBER(kernel->block_read(DISK, 0, 1, table), 0);

    const unsigned char *entry = table + TABLE_AT + ENTRY_BYTES;

    EXPECT_NUMBER(info.type, 0x83);
    EXPECT_NUMBER(info.type, entry[4]);
    EXPECT_NUMBER(info.first_sector, number_at(entry + 8));
    EXPECT_NUMBER(info.sectors, number_at(entry + 12));
    EXPECT_NUMBER(kernel->block_read(DISK, info.first_sector, 1, by_disk), 0);
    EXPECT_NUMBER(kernel->block_read(number, 0, 1, by_partition), 0);
    EXPECT(memcmp(by_disk, by_partition, SECTOR_BYTES) == 0);
    EXPECT_NUMBER(kernel->block_read(number, info.sectors, 1, by_partition), ERROR_RANGE);
    EXPECT_TEXT(kernel->fact("root"), "vblk0.1");
    return NULL;
}

const struct test disk_tests[] = {
    {"disk-edges", test_disk_edges},
    {"disk-batches", test_disk_batches},
    {"disk-buffer", test_disk_buffer},
    {"partition", test_partition},
    {NULL, NULL},
};

/* lsdev: the disks and partitions that the kernel found. */
#include "program.h"

int program_main(int argc, char **argv)
{
    struct block_info info;
    unsigned count = 0;

    (void)argc, (void)argv;
    for (; kernel->block_info(count, &info) == 0; count++)
        print("%-10s %10lu sectors from %-10lu type %02x  %s\n", info.name,
              (unsigned long)info.sectors, (unsigned long)info.first_sector, info.type,
              info.driver);
    if (!count)
        print("no disk (none is looked for unless --rootfs asks for one)\n");
    return 0;
}

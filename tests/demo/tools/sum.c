/* sum FILE...: CRC-32 and length of each file. */
#include "program.h"

struct sum {
    uint32_t crc;
    uint64_t bytes;
};

static bool add(void *context, const void *bytes, size_t size)
{
    struct sum *sum = context;

    sum->crc = crc32(sum->crc, bytes, size);
    sum->bytes += size;
    return true;
}

int program_main(int argc, char **argv)
{
    int status = 0;

    if (argc < 2) {
        print("usage: sum FILE...\n");
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        struct sum sum = {0, 0};

        if (for_each_piece(argv[i], add, &sum) == 0)
            print("%08x %10lu  %s\n", sum.crc, (unsigned long)sum.bytes, argv[i]);
        else
            status = 1;
    }
    return status;
}

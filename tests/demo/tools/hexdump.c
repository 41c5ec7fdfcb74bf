/* hexdump FILE [OFFSET [BYTES]]: bytes in hexadecimal and as text, 16 a line. */
#include "program.h"

enum { ROW = 16 };

static void print_row(uint64_t offset, const unsigned char *bytes, size_t count)
{
    char text[ROW + 1];

    print("%08lx ", (unsigned long)offset);
    for (size_t i = 0; i < ROW; i++) {
        if (i < count)
            print(" %02x", bytes[i]);
        else
            print("   ");
        text[i] = i < count && bytes[i] >= ' ' && bytes[i] <= '~' ? (char)bytes[i] : '.';
    }
    text[count] = '\0';
    print("  %s\n", text);
}

int program_main(int argc, char **argv)
{
    unsigned char row[ROW];
    uint64_t offset = 0, left = 256;
    struct file file;
    int64_t count;
    int error;

    if (argc < 2 || argc > 4 || (argc > 2 && !text_number(argv[2], &offset)) ||
        (argc > 3 && !text_number(argv[3], &left))) {
        print("usage: hexdump FILE [OFFSET [BYTES]]\n");
        return 2;
    }
    error = kernel->look_up(argv[1], &file);
    if (error)
        return complain(argv[1], error);
    while (left > 0 && (count = kernel->read(&file, offset, row, left < ROW ? left : ROW)) != 0) {
        if (count < 0)
            return complain(argv[1], (int)count);
        print_row(offset, row, (size_t)count);
        offset += (uint64_t)count;
        left -= (uint64_t)count;
    }
    return 0;
}

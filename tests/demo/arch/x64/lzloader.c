/* Unpacks the kernel to where it is linked to run. What failed goes to the serial port. */
#include "arch_defs.h"
#include "io.h"
#include "tiny.h"

/* loader-stripped.elf.lz4: a header, then one LZ4 block. */
struct blob {
    uint32_t size, packed_size;
    unsigned char block[];
};

extern const struct blob lz_blob;

uint64_t lzloader_main(void);

static uint64_t fail(const char *reason)
{
    for (const char *prefix = "lzloader: "; *prefix; prefix++)
        io_write8(COM1, (uint8_t)*prefix);
    while (*reason)
        io_write8(COM1, (uint8_t)*reason++);
    return 0;
}

/* Returns the kernel's entry point, or 0. */
uint64_t lzloader_main(void)
{
    enum { ELF_ENTRY_AT = 0x18 };
    unsigned char *kernel = (unsigned char *)KERNEL_BASE;
    uint64_t entry;

    if (lz_blob.size > LZLOADER_BASE - KERNEL_BASE)
        return fail("the kernel does not fit below the unpacker\r\n");
    if (lz4_unpack(kernel, lz_blob.size, lz_blob.block, lz_blob.packed_size) != lz_blob.size)
        return fail("the compressed kernel is damaged\r\n");
    memcpy(&entry, kernel + ELF_ENTRY_AT, sizeof entry);
    return entry;
}

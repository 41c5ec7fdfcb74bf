/* Constants of x64 that portable code asks for, and where its boot stages leave things. */
#ifndef ARCH_DEFS_H
#define ARCH_DEFS_H

#define ARCH_RELOCATION_RELATIVE 8 /* R_X86_64_RELATIVE, System V psABI for AMD64 */

/*
 * Low memory after the boot sector ran (arch/x64/boot16.S). The memory map is as the BIOS's
 * int 15h, AX=E820h gives it; the arguments are the disk's sectors 1 and 2.
 */
#define LOW_MAP_COUNT 0x5000 /* u32 */
#define LOW_MAP 0x5010 /* entries of LOW_MAP_ENTRY bytes */
#define LOW_MAP_ENTRY 24
#define LOW_MAP_MAX 64
#define LOW_ARGUMENTS 0x7e00
#define LOW_ARGUMENTS_SIZE 1024

/* Where the disk holds lzloader.elf. */
#define LZLOADER_SECTOR 128
#define LZLOADER_BLOCK_SECTORS 64

/* Segments, in every GDT of ours: boot16.S and longmode.inc. */
#define CODE64 0x08
#define DATA 0x10
#define CODE32 0x18

#define COM1 0x3f8

#endif

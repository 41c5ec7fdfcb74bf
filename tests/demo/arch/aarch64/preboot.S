/*
 * The first bytes of loader.img: a Linux Image header (Documentation/arch/arm64/booting.rst of
 * Linux), for firmware that loads such images. Entered with x0 = the device tree, which stays there.
 */
#include "arch_defs.h"

        .text
        .globl  _start
_start:
        b       1f
        .long   0
        .quad   0x80000                 /* how far behind the start of RAM */
        .quad   0                       /* size of the image; written by the build */
        .quad   0x02                    /* flags: little endian, 4 KiB pages */
        .quad   0, 0, 0
        .ascii  "ARMd"
        .long   0
1:
        adr     x1, _start
        add     x1, x1, #IMAGE_ELF
        ldr     x1, [x1, #0x18]         /* e_entry of the ELF header */
        br      x1

        .section .note.GNU-stack, "", %progbits

/* The compressed kernel; found by the assembler's -I. */
        .section .rodata
        .balign 16
        .globl  lz_blob
        .hidden lz_blob
lz_blob:
        .incbin "loader-stripped.elf.lz4"
        .section .note.GNU-stack, "", %progbits

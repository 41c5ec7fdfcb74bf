/* bootfs.bin as the build composed it; found by the assembler's -I. */
        .section .rodata
        .balign 64
        .globl bootfs_blob, bootfs_blob_end
        .hidden bootfs_blob, bootfs_blob_end
bootfs_blob:
        .incbin "bootfs.bin"
bootfs_blob_end:
        .byte 0

        .section .note.GNU-stack, "", %progbits

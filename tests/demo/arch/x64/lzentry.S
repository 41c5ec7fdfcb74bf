/* Entered by the boot sector in 32 bit mode: to long mode, unpack, on to the kernel. */
#include "longmode.inc"

        .section .text.start, "ax"
        .code32
        .globl  _start
_start:
        cli
        identity_map tables
        enter_long_mode tables, gdt_pointer, start64

        .code64
start64:
        load_data_segments
        leaq    stack_end(%rip), %rsp
        call    lzloader_main           /* the kernel's entry point, or 0 */
        xorl    %edi, %edi              /* no start_info: low memory tells (arch.c) */
        testq   %rax, %rax
        jz      1f
        jmp     *%rax
1:      hlt
        jmp     1b

        .section .rodata
        long_mode_gdt

        .section .noinit, "aw", %nobits
        .balign 4096
tables: .skip   TABLES_SIZE
        .skip   16384
stack_end:
        .section .note.GNU-stack, "", %progbits

/*
 * The kernel's first instructions. Entered at _start in long mode by lzloader.elf, with rdi = 0; or
 * at start32 in 32 bit mode by whoever knows the PVH boot protocol (Xen, docs/misc/pvh.pandoc;
 * QEMU's -kernel), with ebx = the address of its start_info.
 */
#include "longmode.inc"

#define STACK_SIZE 65536

        .section .note.Xen, "a", %note
        .balign 4
        .long   4, 8, 18                /* sizes of name and value; PHYS32_ENTRY */
        .asciz  "Xen"
        .quad   start32

        .section .text.start, "ax"
        .code64
        .globl  _start
_start:
        cli
        movl    %edi, %ebx
        identity_map tables             /* the unpacker's own will be overwritten */
        movl    $tables, %eax
        movq    %rax, %cr3
        lgdt    gdt_pointer
        pushq   $CODE64
        leaq    start64(%rip), %rax
        pushq   %rax
        lretq

        .code32
start32:
        cli
        identity_map tables
        enter_long_mode tables, gdt_pointer, start64

        .code64
start64:
        load_data_segments
        leaq    stack_end(%rip), %rsp
        movl    $__bss_start, %edi
        movl    $__bss_end, %ecx
        subl    %edi, %ecx
        xorl    %eax, %eax
        rep stosb
        movl    %ebx, %edi
        call    x64_start

        .section .rodata
        long_mode_gdt

        .section .noinit, "aw", %nobits
        .balign 4096
tables: .skip   TABLES_SIZE
        .skip   STACK_SIZE
stack_end:
        .section .note.GNU-stack, "", %progbits

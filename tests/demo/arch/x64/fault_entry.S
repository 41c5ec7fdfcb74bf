/*
 * One entry for each of the 32 exceptions (AMD64 manual 2, chapter 8), 16 bytes apart. Those that
 * bring no error code push a 0, so that all leave the same frame (struct frame in fault.c).
 */
#define WITH_CODE 0x60227d00 /* 8, 10 to 14, 17, 21, 29, 30 */

        .text
        .globl  fault_entries
        .hidden fault_entries
        .balign 16
fault_entries:
        .set    number, 0
        .rept   32
        .balign 16
        .if     ((WITH_CODE >> number) & 1) == 0
        pushq   $0
        .endif
        pushq   $number
        movq    %rsp, %rdi
        andq    $-16, %rsp
        call    fault_report
        .set    number, number + 1
        .endr
        .section .note.GNU-stack, "", %progbits

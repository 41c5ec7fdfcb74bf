/*
 * The kernel's first instructions, with the MMU off and x0 = the device tree. At EL2 (a machine
 * with virtualization=on) it goes down to EL1 first.
 */
#define STACK_SIZE 65536

        .section .text.start, "ax"
        .globl  _start
_start:
        mrs     x1, CurrentEL
        cmp     x1, #2 << 2
        b.ne    1f
        mov     x1, #1 << 31            /* HCR_EL2.RW: EL1 is AArch64 */
        msr     hcr_el2, x1
        mov     x1, #3                  /* the counter is EL1's to read */
        msr     cnthctl_el2, x1
        msr     cntvoff_el2, xzr
        mov     x1, #0x3c5              /* EL1h, interrupts masked */
        msr     spsr_el2, x1
        adr     x1, 1f
        msr     elr_el2, x1
        eret
1:
        adrp    x1, stack_end
        add     x1, x1, :lo12:stack_end
        mov     sp, x1

        adrp    x1, __bss_start
        add     x1, x1, :lo12:__bss_start
        adrp    x2, __bss_end
        add     x2, x2, :lo12:__bss_end
1:      cmp     x1, x2                  /* both are multiples of 64 */
        b.eq    2f
        stp     xzr, xzr, [x1], #16
        b       1b
2:
        adrp    x1, fault_vectors
        add     x1, x1, :lo12:fault_vectors
        msr     vbar_el1, x1
        bl      aarch64_start

/* 16 vectors, 128 bytes apart: none is expected, so all do the same. */
        .balign 2048
fault_vectors:
        .rept   16
        .balign 128
        b       fault_report
        .endr

        .section .noinit, "aw", %nobits
        .balign 4096
        .skip   STACK_SIZE
stack_end:
        .section .note.GNU-stack, "", %progbits

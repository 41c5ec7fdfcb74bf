/* Reads the sector of the boot arguments, prints it and what a crash of OSv looks like on the serial
 * line, and resets: QEMU ends with -no-reboot. */
    .code16
    .globl _start
_start:
    ljmp $0x7c0, $(begin - _start)
    .fill 0x10 - (. - _start), 1, 0
    .word 0
begin:
    mov %cs, %ax
    mov %ax, %ds
    mov %ax, %es
    mov $0x0201, %ax        /* one sector */
    mov $0x0002, %cx        /* the second */
    mov $0x0080, %dx        /* of the first disk, head 0 */
    mov $0x0200, %bx        /* behind us */
    int $0x13
    mov $(starting - _start), %si
    call print
    mov $0x0200, %si
    call print
    mov $(crash - _start), %si
    call print
    mov $0xfe, %al
    out %al, $0x64
1:  hlt
    jmp 1b
print:
    lodsb
    test %al, %al
    jz 3f
    mov %al, %bl
    mov $0x3fd, %dx
2:  in %dx, %al
    test $0x20, %al
    jz 2b
    mov %bl, %al
    mov $0x3f8, %dx
    out %al, %dx
    jmp print
3:  ret
starting: .asciz "Cmdline: "
crash: .ascii "\n\n[backtrace]\n"
    .ascii "0x0000000040200004 <fall_over(int)+4>\n"
    .asciz "0x0000100000001004 <???+4100>\n\n"
    .fill 0x1fe - (. - _start), 1, 0
    .word 0xaa55

/*
 * The boot sector. The build writes the number of 32 KiB blocks of lzloader.elf to offset 0x10, the
 * command line to the disk's offset 0x200, and the partition table to 0x1be. Here: read both from
 * the disk by the BIOS's extensions (int 13h AH=42h, EDD), ask it for the memory map, and go to
 * protected mode and lzloader.elf, whose file image is its memory image at LZLOADER_BASE.
 */
#include "arch_defs.h"

#define BUFFER 0x10000 /* where the BIOS puts a block, before it is copied up */

        .code16
        .text
        .globl _start
_start:
        jmp     start
        .org    0x10
blocks: .word   0                       /* patched by the build */

start:
        cli
        ljmp    $0, $1f
1:      xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    $0x7c00, %sp
        movb    %dl, drive
        sti
        cld

        /* Address line 20, by the BIOS and by the fast gate: either will do. */
        movw    $0x2401, %ax
        int     $0x15
        inb     $0x92, %al
        orb     $2, %al
        andb    $0xfe, %al
        outb    %al, $0x92

        /* The command line; ended by force, since the kernel takes no more. */
        movw    $packet, %si
        call    read
        movb    $0, LOW_ARGUMENTS + LOW_ARGUMENTS_SIZE - 1

        /* The memory map: 24 bytes an entry, until EBX comes back as 0. */
        movl    $0, LOW_MAP_COUNT
        movw    $LOW_MAP, %di
        xorl    %ebx, %ebx
1:      movl    $0xe820, %eax
        movl    $0x534d4150, %edx
        movl    $LOW_MAP_ENTRY, %ecx
        movl    $1, 20(%di)             /* in case the BIOS knows entries of 20 bytes only */
        int     $0x15
        jc      2f
        addw    $LOW_MAP_ENTRY, %di
        incw    LOW_MAP_COUNT
        cmpw    $LOW_MAP_MAX, LOW_MAP_COUNT
        je      2f
        testl   %ebx, %ebx
        jnz     1b
2:
        /* lzloader.elf, block by block: to the buffer, then up. */
        movw    $LZLOADER_BLOCK_SECTORS, packet_count
        movw    $0, packet_offset
        movw    $BUFFER >> 4, packet_segment
        movl    $LZLOADER_SECTOR, packet_sector
        movl    $LZLOADER_BASE, %edi
next_block:
        cmpw    $0, blocks
        je      loaded
        movw    $packet, %si
        call    read
        call    flat_segments
        movl    $BUFFER, %esi
        movl    $LZLOADER_BLOCK_SECTORS * 512 / 4, %ecx
        addr32 rep movsl
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        sti
        addl    $LZLOADER_BLOCK_SECTORS, packet_sector
        decw    blocks
        jmp     next_block

loaded:
        call    flat_segments
        addr32 cmpl $0x464c457f, LZLOADER_BASE /* "\177ELF"; not where RAM has ended */
        jne     failed
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpl   $CODE32, $protected

/* Reads what the packet at %si says. Keeps %edi. */
read:
        pushl   %edi
        movb    drive, %dl
        movb    $0x42, %ah
        int     $0x13
        popl    %edi
        jc      failed
        ret

/*
 * Data segments of 4 GiB in real mode: a limit stays in force until protected mode loads another.
 * Done again for each block, for the BIOS may switch modes itself. Leaves interrupts off.
 */
flat_segments:
        cli
        lgdtl   gdt_pointer
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        movw    $DATA, %bx
        movw    %bx, %ds
        movw    %bx, %es
        andb    $0xfe, %al
        movl    %eax, %cr0
        xorw    %bx, %bx
        movw    %bx, %ds
        movw    %bx, %es
        ret

/* Straight to the serial port: there may be no screen. */
failed:
        movw    $message, %si
        movw    $COM1, %dx
1:      lodsb
        testb   %al, %al
        jz      2f
        outb    %al, %dx
        jmp     1b
2:      hlt
        jmp     2b

        .code32
protected:
        movw    $DATA, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movl    $LZLOADER_BASE, %eax
        jmp     *0x18(%eax)             /* e_entry of the ELF header */

        .balign 8
gdt:    .quad   0
        .quad   0                       /* CODE64: not yet */
        .quad   0x00cf93000000ffff      /* DATA: 4 GiB */
        .quad   0x00cf9b000000ffff      /* CODE32: 4 GiB */
gdt_pointer:
        .word   . - gdt - 1
        .long   gdt

        .balign 4
packet:                                 /* EDD: disk address packet */
        .byte   16, 0
packet_count:
        .word   LOW_ARGUMENTS_SIZE / 512
packet_offset:
        .word   LOW_ARGUMENTS
packet_segment:
        .word   0
packet_sector:
        .quad   1
drive:  .byte   0
message:
        .asciz  "boot: cannot load the kernel\r\n"

        .org    0x1b8                   /* an error if the code reaches behind it */
        .org    510
        .byte   0x55, 0xaa

        .section .note.GNU-stack, "", %progbits

/* Constants of aarch64 that portable code and the boot stages ask for. */
#ifndef ARCH_DEFS_H
#define ARCH_DEFS_H

#define ARCH_RELOCATION_RELATIVE 1027 /* R_AARCH64_RELATIVE, ELF for the Arm 64-bit Architecture */

/* loader.img, from its start: the arguments, then the kernel's ELF file. */
#define IMAGE_ARGUMENTS 0x200
#define IMAGE_ELF 0x10000

#endif

/*
 * The generator behind /data/noise.bin: xorshift64 (Marsaglia, "Xorshift RNGs", 2003), its top
 * byte. Used by host/mknoise.c on the build machine and by the self-tests in the guest.
 */
#ifndef NOISE_H
#define NOISE_H

#include <stdint.h>

#define NOISE_SEED UINT64_C(0x9e3779b97f4a7c15)

struct noise {
    uint64_t state; /* never 0 */
};

static inline unsigned char noise_byte(struct noise *noise)
{
    noise->state ^= noise->state << 13;
    noise->state ^= noise->state >> 7;
    noise->state ^= noise->state << 17;
    return (unsigned char)(noise->state >> 56);
}

#endif

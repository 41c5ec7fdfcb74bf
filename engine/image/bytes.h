/* Numbers in bytes, little and big endian, unaligned. For the writers of engine/image. */
#ifndef GANTRY_IMAGE_BYTES_H
#define GANTRY_IMAGE_BYTES_H

#include <stdint.h>

static inline void put_le(unsigned char *at, uint64_t value, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        at[i] = (unsigned char)(value >> (8 * i));
}

static inline void put_be(unsigned char *at, uint64_t value, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        at[width - 1 - i] = (unsigned char)(value >> (8 * i));
}

static inline uint64_t round_up(uint64_t value, uint64_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

#endif

/*
 * libtiny: what the kernel, the decompressor and the programs share. No state, no allocation, no
 * input or output; every function may be called from anywhere.
 */
#ifndef TINY_H
#define TINY_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As in C; gcc calls the first four by itself. */
void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *text);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t size);
char *strchr(const char *text, int character);

/* True if text begins with prefix; *rest (may be NULL) is then what follows it. */
bool text_starts(const char *text, const char *prefix, const char **rest);

/* Copies as much of text as fits and ends it with NUL (size > 0). False if it was cut. */
bool text_copy(char *to, const char *text, size_t size);

/* Reads a whole decimal, or 0x hexadecimal, number. False if text is anything else or too large. */
bool text_number(const char *text, uint64_t *value);

/*
 * printf's %d %i %u %x %c %s %p %%, with l, ll and z, the flags - and 0, width and precision (for
 * %s), each also as *. Writes at most size bytes including the NUL; returns the full length, as
 * snprintf does. An unknown directive is copied as it stands.
 */
size_t format_list(char *to, size_t size, const char *format, va_list arguments);
size_t format_text(char *to, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Cuts line into words in place, as a POSIX shell does without expansions: blanks separate, '...'
 * keeps everything, in "..." and outside quotes a backslash keeps the next character. words[count]
 * becomes NULL. Returns the count, or ERROR_QUOTE (a quote is not closed) or ERROR_TOO_MANY
 * (more than max - 1 words).
 */
int split_words(char *line, char **words, int max);

/*
 * Takes the next command off a list: returns *list, ended at the first ';' outside quotes, and
 * moves *list behind it (NULL after the last). Quotes stay for split_words.
 */
char *split_command(char **list);

/* CRC-32 as in ISO 3309 and zip; start with 0, feed back the result to go on. */
uint32_t crc32(uint32_t crc, const void *data, size_t size);

/*
 * Unpacks one raw LZ4 block (lz4 Block Format Description, 2022). Returns the number of bytes
 * written, or -1 if the block is damaged or does not fit; never reads or writes outside.
 */
int64_t lz4_unpack(void *to, size_t to_size, const void *from, size_t from_size);

/* What every call of the kernel and of this library fails with. */
enum error {
    ERROR_NOT_FOUND = -1,
    ERROR_NOT_DIRECTORY = -2,
    ERROR_IS_DIRECTORY = -3,
    ERROR_LOOP = -4,
    ERROR_NAME = -5,
    ERROR_IO = -6,
    ERROR_RANGE = -7,
    ERROR_FORMAT = -8,
    ERROR_MEMORY = -9,
    ERROR_QUOTE = -10,
    ERROR_TOO_MANY = -11,
};
const char *error_text(int error);

#endif

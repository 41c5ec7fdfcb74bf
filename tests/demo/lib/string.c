/* Memory and text. Plain loops: nothing here is hot enough to be clever. */
#include "tiny.h"

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    unsigned char *out = to;
    const unsigned char *in = from;

    while (size--)
        *out++ = *in++;
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    unsigned char *out = to;
    const unsigned char *in = from;

    if (out <= in)
        return memcpy(to, from, size);
    while (size--)
        out[size] = in[size];
    return to;
}

void *memset(void *to, int byte, size_t size)
{
    unsigned char *out = to;

    while (size--)
        *out++ = (unsigned char)byte;
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *left = a, *right = b;

    for (; size--; left++, right++)
        if (*left != *right)
            return *left - *right;
    return 0;
}

size_t strlen(const char *text)
{
    size_t length = 0;

    while (text[length])
        length++;
    return length;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t size)
{
    for (; size--; a++, b++)
        if (*a != *b || !*a)
            return (unsigned char)*a - (unsigned char)*b;
    return 0;
}

char *strchr(const char *text, int character)
{
    for (;; text++) {
        if (*text == (char)character)
            return (char *)text;
        if (!*text)
            return NULL;
    }
}

bool text_starts(const char *text, const char *prefix, const char **rest)
{
    size_t length = strlen(prefix);

    if (strncmp(text, prefix, length) != 0)
        return false;
    if (rest)
        *rest = text + length;
    return true;
}

bool text_copy(char *to, const char *text, size_t size)
{
    size_t length = strlen(text);
    size_t kept = length < size ? length : size - 1;

    memcpy(to, text, kept);
    to[kept] = '\0';
    return kept == length;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
}

bool text_number(const char *text, uint64_t *value)
{
    unsigned base = text_starts(text, "0x", &text) ? 16 : 10;
    uint64_t sum = 0;

    if (!*text)
        return false;
    for (; *text; text++) {
        unsigned digit = (unsigned)digit_value(*text);

        if (digit >= base || sum > (UINT64_MAX - digit) / base)
            return false;
        sum = sum * base + digit;
    }
    *value = sum;
    return true;
}

const char *error_text(int error)
{
    switch (error) {
    case ERROR_NOT_FOUND:
        return "no such file or directory";
    case ERROR_NOT_DIRECTORY:
        return "not a directory";
    case ERROR_IS_DIRECTORY:
        return "is a directory";
    case ERROR_LOOP:
        return "too many symbolic links";
    case ERROR_NAME:
        return "path or name too long";
    case ERROR_IO:
        return "the device could not be read";
    case ERROR_RANGE:
        return "out of range";
    case ERROR_FORMAT:
        return "not in the expected format";
    case ERROR_MEMORY:
        return "out of memory";
    case ERROR_QUOTE:
        return "a quote is not closed";
    case ERROR_TOO_MANY:
        return "too many";
    default:
        return "no error";
    }
}

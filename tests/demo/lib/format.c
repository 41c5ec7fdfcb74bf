/* The formatter behind every printed line: a directive is parsed into a struct, then laid out. */
#include "tiny.h"

struct sink {
    char *to;
    size_t size;
    size_t length; /* what would have been written, had there been room */
};

struct directive {
    bool left, zero, alternate;
    int width;
    int precision; /* -1: none */
    int longs; /* 0 int, 1 long, 2 long long; size_t counts as long */
};

static void put(struct sink *sink, char c)
{
    if (sink->length + 1 < sink->size)
        sink->to[sink->length] = c;
    sink->length++;
}

static void put_padded(struct sink *sink, const struct directive *how, const char *text, int length)
{
    int padding = how->width - length;

    if (!how->left)
        while (padding-- > 0)
            put(sink, ' ');
    for (int i = 0; i < length; i++)
        put(sink, text[i]);
    if (how->left)
        while (padding-- > 0)
            put(sink, ' ');
}

static void put_number(struct sink *sink, const struct directive *how, uint64_t value,
                       const char *sign, unsigned base)
{
    char reversed[24], text[96];
    int digits = 0, length = 0, prefix = (int)strlen(sign);

    do {
        reversed[digits++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    while (*sign)
        text[length++] = *sign++;
    if (how->zero && !how->left)
        for (int zeros = how->width - prefix - digits; zeros > 0 && length < 64; zeros--)
            text[length++] = '0';
    while (digits)
        text[length++] = reversed[--digits];
    put_padded(sink, how, text, length);
}

static uint64_t next_unsigned(va_list *arguments, int longs)
{
    return longs == 0   ? va_arg(*arguments, unsigned)
           : longs == 1 ? va_arg(*arguments, unsigned long)
                        : va_arg(*arguments, unsigned long long);
}

static int64_t next_signed(va_list *arguments, int longs)
{
    return longs == 0   ? va_arg(*arguments, int)
           : longs == 1 ? va_arg(*arguments, long)
                        : va_arg(*arguments, long long);
}

static int parse_count(const char **format, va_list *arguments)
{
    int count = 0;

    if (**format == '*') {
        ++*format;
        return va_arg(*arguments, int);
    }
    for (; **format >= '0' && **format <= '9'; ++*format)
        count = count * 10 + (**format - '0');
    return count;
}

/* *format stands behind the '%', and is left at the conversion's letter. */
static struct directive parse_directive(const char **format, va_list *arguments)
{
    struct directive how = {.precision = -1};

    for (;; ++*format) {
        if (**format == '-')
            how.left = true;
        else if (**format == '0')
            how.zero = true;
        else if (**format == '#')
            how.alternate = true;
        else
            break;
    }
    how.width = parse_count(format, arguments);
    if (how.width < 0) {
        how.left = true;
        how.width = -how.width;
    }
    if (**format == '.') {
        ++*format;
        how.precision = parse_count(format, arguments);
    }
    for (; **format == 'l' || **format == 'z'; ++*format)
        how.longs++;
    return how;
}

static void put_text(struct sink *sink, const struct directive *how, const char *text)
{
    int length = 0;

    if (!text)
        text = "(null)";
    while ((how->precision < 0 || length < how->precision) && text[length])
        length++;
    put_padded(sink, how, text, length);
}

size_t format_list(char *to, size_t size, const char *format, va_list list)
{
    struct sink sink = {.to = to, .size = size};
    va_list arguments;

    va_copy(arguments, list);
    for (; *format; format++) {
        if (*format != '%') {
            put(&sink, *format);
            continue;
        }
        const char *start = format++;
        struct directive how = parse_directive(&format, &arguments);
        int64_t number;

        switch (*format) {
        case 'd':
        case 'i':
            number = next_signed(&arguments, how.longs);
            put_number(&sink, &how, number < 0 ? 0 - (uint64_t)number : (uint64_t)number,
                       number < 0 ? "-" : "", 10);
            break;
        case 'u':
            put_number(&sink, &how, next_unsigned(&arguments, how.longs), "", 10);
            break;
        case 'x':
            put_number(&sink, &how, next_unsigned(&arguments, how.longs), how.alternate ? "0x" : "",
                       16);
            break;
        case 'p':
            put_number(&sink, &how, (uintptr_t)va_arg(arguments, void *), "0x", 16);
            break;
        case 'c':
            put_padded(&sink, &how, (char[]){(char)va_arg(arguments, int)}, 1);
            break;
        case 's':
            put_text(&sink, &how, va_arg(arguments, const char *));
            break;
        case '%':
            put(&sink, '%');
            break;
        default:
            for (; start < format; start++)
                put(&sink, *start);
            format--;
        }
    }
    va_end(arguments);
    if (size)
        to[sink.length < size ? sink.length : size - 1] = '\0';
    return sink.length;
}

size_t format_text(char *to, size_t size, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    size_t length = format_list(to, size, format, arguments);
    va_end(arguments);
    return length;
}

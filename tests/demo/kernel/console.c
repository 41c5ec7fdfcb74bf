/* The serial console, and what the kernel says on it. */
#include "arch.h"
#include "kernel.h"

#if CONF_logger_debug
bool log_enabled = true;
#else
bool log_enabled;
#endif

void console_write(const char *text, size_t length)
{
    for (; length--; text++) {
        if (*text == '\n')
            arch_console_put('\r');
        arch_console_put(*text);
    }
}

int console_read(void)
{
    return arch_console_get();
}

static void print_list(const char *format, va_list arguments)
{
    /* The longest line is the command line as composed. */
    char text[1280];
    size_t length = format_list(text, sizeof text, format, arguments);

    console_write(text, length < sizeof text ? length : sizeof text - 1);
}

void console_print(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    print_list(format, arguments);
    va_end(arguments);
}

void log_line(const char *format, ...)
{
    va_list arguments;
    uint64_t us = arch_time_ns() / 1000;

    if (!log_enabled)
        return;
    console_print("[%3u.%06u] ", (unsigned)(us / 1000000), (unsigned)(us % 1000000));
    va_start(arguments, format);
    print_list(format, arguments);
    va_end(arguments);
    console_print("\n");
}

void panic(const char *format, ...)
{
    va_list arguments;

    console_print("kernel: panic: ");
    va_start(arguments, format);
    print_list(format, arguments);
    va_end(arguments);
    console_print("\n");
    arch_power_off();
}

#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void fill(struct err *err, enum err_kind kind, int number, const char *prefix,
                 const char *format, va_list args)
{
    err->kind = kind;
    err->number = number;
    int used = snprintf(err->text, sizeof err->text, "%s", prefix);
    if (used < 0 || (size_t)used >= sizeof err->text)
        return;
    vsnprintf(err->text + used, sizeof err->text - (size_t)used, format, args);
    for (char *p = err->text; *p; p++)
        if (*p == '\n')
            *p = ' ';
}

int err_set(struct err *err, enum err_kind kind, const char *format, ...)
{
    if (!err)
        return -1;
    va_list args;
    va_start(args, format);
    fill(err, kind, 0, "", format, args);
    va_end(args);
    return -1;
}

int err_at(struct err *err, const char *file, unsigned line, unsigned column, const char *format,
           ...)
{
    if (!err)
        return -1;
    char prefix[600];
    if (line && column)
        snprintf(prefix, sizeof prefix, "%s:%u:%u: ", file, line, column);
    else if (line)
        snprintf(prefix, sizeof prefix, "%s:%u: ", file, line);
    else
        snprintf(prefix, sizeof prefix, "%s: ", file);
    va_list args;
    va_start(args, format);
    fill(err, ERR_INPUT, 0, prefix, format, args);
    va_end(args);
    return -1;
}

int err_errno(struct err *err, const char *format, ...)
{
    int saved = errno;
    if (err) {
        va_list args;
        va_start(args, format);
        fill(err, ERR_SYSTEM, saved, "", format, args);
        va_end(args);
        size_t used = strlen(err->text);
        snprintf(err->text + used, sizeof err->text - used, ": %s", strerror(saved));
    }
    errno = saved;
    return -1;
}

int err_exit_status(const struct err *err)
{
    return err->kind == ERR_FAILED ? 1 : 2;
}

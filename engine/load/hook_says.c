/* What make prints, as the hook sees it: echoes and failures go to their step's log, the data base to
 * the engine, all else where it went. */
#include "load/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- what make prints ---- */

void write_pending(void)
{
    if (!hook.pending)
        return;
    char *text = hook.pending;
    hook.pending = NULL;
    real.fputs(text, stdout);
    fflush(stdout);
    free(text);
}

/* "make: ..." and "make[1]: ...": make's own words, never the echo of a recipe. */
static bool is_own_message(const char *text)
{
    const char *name = program_invocation_short_name;
    size_t length = strlen(name);
    if (strncmp(text, name, length) != 0)
        return false;
    text += length;
    if (*text == '[') {
        text += strcspn(text, "]");
        text += *text == ']';
    }
    return strncmp(text, ": ", 2) == 0;
}

/* Puts text in a step's log. */
static void send_echo(uint32_t step, bool error, const char *text)
{
    size_t length = strlen(text);
    for (size_t at = 0; at < length; at += WIRE_TEXT) {
        struct wire wire = {.kind = WIRE_ECHO, .step = step, .a = error};
        send_packet(&wire, text + at, length - at, -1);
    }
}

void send_pending(uint32_t step)
{
    if (hook.pending && is_own_message(hook.pending))
        write_pending();
    if (!hook.pending)
        return;
    send_echo(step, false, hook.pending);
    free(hook.pending);
    hook.pending = NULL;
}

/* ---- what make says ---- */

/* Whether make says this in English, or had it translated just before. */
static bool is_about(const char *text, const char *english)
{
    return strstr(text, english) || (hook.translated && strstr(hook.translated, english));
}

/* What make says of a line that failed belongs to its step: "make: *** [Makefile:3: x] Error 1"
 * (where the failure is ignored there are no stars), and that it deletes what was half made. True
 * where the step's log has it now. */
static bool note_failure(const char *text)
{
    if (!hook.ended_is_set || !is_own_message(text))
        return false;
    if (strstr(text, "*** ["))
        hook.ended_failed = true;
    else if (!strstr(text, ": [") && !is_about(text, "*** Deleting file") &&
             !is_about(text, "*** Waiting for unfinished"))
        return false;
    if (!hook.owns_error || hook.engine < 0)
        return false;
    send_echo(hook.ended.step, hook.apart, text);
    return true;
}

/* -p makes make say "# make[1]: Entering directory": not so to the user. */
static const char *without_mark(const char *text)
{
    bool marked = hook.prints && strncmp(text, "# ", 2) == 0 && is_own_message(text + 2);
    return marked ? text + 2 : text;
}

int fputs(const char *text, FILE *stream)
{
    if (!hook.on || hook.base_fd >= 0)
        return real.fputs(text, stream);
    text = without_mark(text);
    if (stream == stderr && note_failure(text))
        return 1;
    write_pending();
    bool whole = *text && text[strlen(text) - 1] == '\n';
    if (stream == stdout && hook.owns_output && whole && !hook.in_line)
        hook.pending = strdup(text);
    if (stream == stdout && *text)
        hook.in_line = !whole;
    return hook.pending ? 1 : real.fputs(text, stream);
}

/* With --output-sync make writes its words to the target's temporary file. */
ssize_t write(int descriptor, const void *bytes, size_t length)
{
    if (hook.on && hook.ended_is_set && descriptor > 2 && memmem(bytes, length, "*** [", 5))
        hook.ended_failed = true;
    return real.write(descriptor, bytes, length);
}

/* ---- the data base ---- */

static void begin_data_base(void)
{
    if (hook.base_fd >= 0)
        return;
    settle();
    fflush(stdout);
    static char buffer[1 << 16];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer); /* make has it by lines: a call for each */
    hook.saved_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 200);
    hook.base_fd = memfd_create("make-data-base", MFD_CLOEXEC);
    if (hook.base_fd >= 0)
        dup2(hook.base_fd, STDOUT_FILENO);
}

/* print_data_base is the only caller of ctime in make: at its begin, and before its last line. */
char *ctime(const time_t *when)
{
    if (!hook.prints)
        return real.ctime(when);
    bool first = !hook.base_began;
    hook.base_began = true;
    begin_data_base();
    if (!first) {
        fflush(stdout);
        struct wire wire = {.kind = WIRE_DATABASE};
        send_packet(&wire, NULL, 0, hook.base_fd);
        hook.swallow = true;
    }
    return real.ctime(when);
}

static void end_data_base(void)
{
    hook.swallow = false;
    if (hook.saved_fd >= 0)
        dup2(hook.saved_fd, STDOUT_FILENO);
    else
        close(STDOUT_FILENO);
    close(hook.saved_fd);
    close(hook.base_fd);
    hook.base_fd = hook.saved_fd = -1;
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
}

/* The data base is read by a program: it is to be in make's own words. */
char *dcgettext(const char *domain, const char *text, int category)
{
    if (hook.base_fd >= 0)
        return (char *)(uintptr_t)text;
    hook.translated = text;
    return real.dcgettext(domain, text, category);
}

static int print(const char *format, va_list arguments)
{
    if (hook.swallow) {
        end_data_base();
        return 0;
    }
    if (!hook.prints || hook.base_fd >= 0)
        return vprintf(format, arguments);
    /* The data base begins with the version (not translated). */
    if (strncmp(format, "%sGNU Make ", 11) == 0)
        begin_data_base();
    else
        write_pending();
    return vprintf(format, arguments);
}

int printf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = print(format, arguments);
    va_end(arguments);
    return result;
}

int __printf_chk(int flag, const char *format, ...);
int __printf_chk(int flag, const char *format, ...)
{
    (void)flag;
    va_list arguments;
    va_start(arguments, format);
    int result = print(format, arguments);
    va_end(arguments);
    return result;
}

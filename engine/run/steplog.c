#include "run/steplog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "run/diag.h"

enum { TELL_EVERY_MS = 50 };

char *steplog_path(const char *state_dir, const char *out, const char *target)
{
    size_t prefix = strlen(out);
    if (prefix && !strncmp(target, out, prefix) && target[prefix] == '/')
        target += prefix + 1;
    /* Nothing may lead out of the log's directory. */
    struct str name = {0};
    str_addf(&name, "%s/log/", state_dir);
    while (*target) {
        size_t part = strcspn(target, "/");
        bool up = part == 2 && target[0] == '.' && target[1] == '.';
        str_add_n(&name, up ? "__" : target, part);
        target += part;
        if (*target == '/') {
            str_add_char(&name, '/');
            target++;
        }
    }
    str_add(&name, ".log");
    return str_take(&name);
}

void steplog_open(struct steplog *log, struct build *build, uint32_t step, const char *state_dir,
                  const char *out, const char *target)
{
    *log = (struct steplog){.build = build, .step = step, .fd = -1};
    log->path = steplog_path(state_dir, out, target);
    unlink(log->path);
}

void steplog_write(struct steplog *log, const char *bytes, size_t length)
{
    if (!length || log->number)
        return;
    struct err err;
    if (log->fd < 0) {
        if (file_make_parents(log->path, &err) < 0) {
            log->number = err.number ? err.number : EIO;
            return;
        }
        log->fd = open(log->path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
        if (log->fd < 0) {
            log->number = errno;
            return;
        }
    }
    while (length) {
        ssize_t done = write(log->fd, bytes, length);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0) {
            log->number = errno;
            return;
        }
        bytes += done;
        length -= (size_t)done;
        log->length += (uint64_t)done;
    }
}

static void tell(struct steplog *log)
{
    struct event event = {.kind = EVENT_STEP_OUTPUT,
                          .step = log->step,
                          .stream = "out",
                          .path = log->path,
                          .offset = log->told,
                          .length = log->length - log->told};
    build_send(log->build, &event);
    log->told = log->length;
    log->told_ns = clock_ns();
}

int steplog_tell(struct steplog *log)
{
    if (log->told == log->length)
        return -1;
    uint64_t passed_ms = (clock_ns() - log->told_ns) / 1000000;
    if (passed_ms < TELL_EVERY_MS)
        return (int)(TELL_EVERY_MS - passed_ms);
    tell(log);
    return -1;
}

static void send_diagnostic(void *context, const struct event *event)
{
    build_send(context, event);
}

/* Output that is longer than this is looked at only at its beginning: a compiler that says more
 * has said what matters. */
enum { SCAN_BYTES = 4 * 1024 * 1024 };

static void find_diagnostics(struct steplog *log)
{
    size_t length = log->length < SCAN_BYTES ? (size_t)log->length : SCAN_BYTES;
    char *text = mem_alloc(length + 1);
    ssize_t got = pread(log->fd, text, length, 0);
    if (got > 0) {
        text[got] = '\0';
        struct build *build = log->build;
        pthread_mutex_lock(&build->diag_lock);
        if (!build->diag)
            build->diag = diag_new();
        diag_scan(build->diag, log->step, text, (size_t)got, send_diagnostic, build);
        pthread_mutex_unlock(&build->diag_lock);
    }
    free(text);
}

void steplog_close(struct steplog *log)
{
    if (log->told != log->length)
        tell(log);
    if (log->fd >= 0) {
        find_diagnostics(log);
        close(log->fd);
        log->fd = -1;
    }
    free(log->path);
    log->path = NULL;
}

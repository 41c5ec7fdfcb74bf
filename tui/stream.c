#include "tui/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "views/json.h"
#include "views/plain.h"

enum { FLUSH_BYTES = 1 << 16 };

/* A descriptor with what waits to be written to it. */
struct sink {
    int fd;
    struct str waiting;
    const char *name; /* for messages */
    int error; /* errno of the first write that failed: nothing more is tried */
};

struct stream {
    struct plain *plain; /* NULL: only JSON */
    struct plain_io io;
    struct sink out, err, json; /* json.fd -1: none */
    char *root; /* of the tree, once it was told: paths of logs may be relative to it */
    char *log_path; /* of the log that is open, since its next piece is likely to follow */
    int log_fd;
    struct sigaction old_pipe;
};

static void sink_flush(struct sink *sink)
{
    size_t done = 0;
    while (!sink->error && done < sink->waiting.len) {
        ssize_t n = write(sink->fd, sink->waiting.at + done, sink->waiting.len - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR && errno != EAGAIN)
            sink->error = errno;
    }
    str_cut(&sink->waiting, 0);
}

static void sink_add(struct sink *sink, const char *bytes, size_t length)
{
    str_add_n(&sink->waiting, bytes, length);
    if (sink->waiting.len >= FLUSH_BYTES)
        sink_flush(sink);
}

static void write_plain(void *data, enum plain_to to, const char *bytes, size_t length)
{
    struct stream *stream = data;
    if (to == PLAIN_ERR) { /* in the order in which things happened, also on one terminal */
        sink_flush(&stream->out);
        sink_add(&stream->err, bytes, length);
        sink_flush(&stream->err);
    } else {
        sink_add(&stream->out, bytes, length);
    }
}

static void read_log(void *data, const char *path, uint64_t offset, uint64_t length,
                     struct str *out)
{
    struct stream *stream = data;
    if (!stream->log_path || strcmp(stream->log_path, path) != 0) {
        if (stream->log_fd >= 0)
            close(stream->log_fd);
        free(stream->log_path);
        stream->log_path = mem_copy(path);
        char *whole = path_join(stream->root ? stream->root : ".", path);
        stream->log_fd = open(whole, O_RDONLY | O_CLOEXEC);
        free(whole);
    }
    char *buffer = mem_alloc(length + 1);
    size_t got = 0;
    while (stream->log_fd >= 0 && got < length) {
        ssize_t n = pread(stream->log_fd, buffer + got, length - got, (off_t)(offset + got));
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    str_add_n(out, buffer, got);
    free(buffer);
}

static int open_json(const char *to, struct err *err)
{
    int fd;
    if (str_starts(to, "fd:"))
        fd = fcntl(atoi(to + 3), F_DUPFD_CLOEXEC, 3);
    else
        fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        err_errno(err, "--json=%s", to);
    return fd;
}

static void ignore_signal(int number)
{
    (void)number;
}

struct stream *stream_open(const struct cli *cli, struct err *err)
{
    int json_fd = -1;
    if (cli->json_to && (json_fd = open_json(cli->json_to, err)) < 0)
        return NULL;
    struct stream *stream = mem_zero(1, sizeof *stream);
    stream->out = (struct sink){.fd = STDOUT_FILENO, .name = "standard output"};
    if (cli->to_stderr)
        stream->out = (struct sink){.fd = STDERR_FILENO, .name = "standard error"};
    stream->err = (struct sink){.fd = STDERR_FILENO, .name = "standard error"};
    stream->json = (struct sink){.fd = json_fd, .name = cli->json_to};
    if (cli->output == OUTPUT_JSON)
        stream->json = (struct sink){.fd = dup(STDOUT_FILENO), .name = "standard output"};
    stream->log_fd = -1;
    stream->io = (struct plain_io){.data = stream, .write = write_plain, .read = read_log};
    struct plain_options options = {.raw = cli->output == OUTPUT_RAW,
                                    .color = cli_color(cli, stdout),
                                    .ascii = cli_ascii(cli),
                                    .dry_run = cli->dry_run,
                                    .quiet = cli->quiet,
                                    .verbose = cli->verbose};
    if (cli->output != OUTPUT_JSON)
        stream->plain = plain_new(&options, &stream->io);
    /* A handler, since what we execute would inherit an ignored signal. */
    struct sigaction action = {.sa_handler = ignore_signal, .sa_flags = SA_RESTART};
    sigaction(SIGPIPE, &action, &stream->old_pipe);
    fflush(stdout);
    return stream;
}

void stream_put(struct stream *stream, const struct event *event)
{
    if (event->kind == EVENT_BUILD_BEGIN && event->tree) {
        free(stream->root);
        stream->root = mem_copy(event->tree);
    }
    if (stream->plain)
        plain_event(stream->plain, event);
    else if (event->kind == EVENT_MESSAGE && event->severity == SEVERITY_ERROR) {
        str_addf(&stream->err.waiting, "gantry: %s\n", event->text);
        sink_flush(&stream->err);
    }
    if (stream->json.fd >= 0) {
        json_event(event, &stream->io, &stream->json.waiting);
        if (stream->json.waiting.len >= FLUSH_BYTES)
            sink_flush(&stream->json);
    }
}

bool stream_has_json(const struct stream *stream)
{
    return stream->json.fd >= 0;
}

void stream_interactive(struct stream *stream, bool interactive)
{
    if (stream->plain)
        plain_console(stream->plain, interactive);
}

void stream_flush(struct stream *stream)
{
    sink_flush(&stream->out);
    sink_flush(&stream->err);
    if (stream->json.fd >= 0)
        sink_flush(&stream->json);
}

static int sink_status(const struct sink *sink)
{
    struct err err = {0};
    if (!sink->error || sink->error == EPIPE)
        return 0;
    errno = sink->error;
    err_errno(&err, "writing to %s", sink->name);
    return cli_fail(&err);
}

int stream_close(struct stream *stream)
{
    stream_flush(stream);
    int status = sink_status(&stream->out);
    if (!status)
        status = sink_status(&stream->json);
    if (stream->plain)
        plain_free(stream->plain);
    if (stream->json.fd >= 0)
        close(stream->json.fd);
    if (stream->log_fd >= 0)
        close(stream->log_fd);
    free(stream->log_path);
    free(stream->root);
    str_free(&stream->out.waiting);
    str_free(&stream->err.waiting);
    str_free(&stream->json.waiting);
    sigaction(SIGPIPE, &stream->old_pipe, NULL);
    free(stream);
    return status;
}

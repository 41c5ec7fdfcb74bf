/* Reading a journal, also one that still grows or that was cut off. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zstd.h>

#include "base/mem.h"
#include "journal/journal.h"

enum { CHUNK = 64 * 1024 };

struct journal_reader {
    int fd;
    ZSTD_DStream *zstd;
    char raw[CHUNK]; /* as read from the file */
    ZSTD_inBuffer in;
    struct str text; /* decompressed */
    size_t at; /* of text: what is read already */
    bool broken; /* damaged from here on: nothing more comes */
    bool complete; /* build-end was read */
    bool untouched; /* journal_pass_over_touched */
    unsigned bad_lines;
};

struct journal_reader *journal_read_open(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        err_errno(err, "%s", path);
        return NULL;
    }
    struct journal_reader *reader = mem_zero(1, sizeof *reader);
    reader->fd = fd;
    reader->zstd = ZSTD_createDStream();
    reader->in.src = reader->raw;
    unsigned char magic[4] = {0};
    ssize_t got = pread(fd, magic, sizeof magic, 0);
    /* RFC 8878, 3.1.1: a frame begins with 0xFD2FB528, little endian. An empty file may yet grow. */
    if (got > 0 && memcmp(magic, "\x28\xB5\x2F\xFD", (size_t)got) != 0) {
        err_set(err, ERR_INPUT,
                "%s is no journal: it is not compressed by zstd; a journal is made by "
                "`gantry build --journal=FILE`",
                path);
        journal_read_close(reader);
        return NULL;
    }
    return reader;
}

/* Decompresses some more; false where nothing more is there now. */
static bool read_more(struct journal_reader *reader)
{
    if (reader->broken)
        return false;
    if (reader->at > CHUNK || (reader->at && reader->at == reader->text.len)) {
        memmove(reader->text.at, reader->text.at + reader->at, reader->text.len - reader->at);
        str_cut(&reader->text, reader->text.len - reader->at);
        reader->at = 0;
    }
    size_t before = reader->text.len;
    while (reader->text.len == before) {
        if (reader->in.pos == reader->in.size) {
            ssize_t got = read(reader->fd, reader->raw, sizeof reader->raw);
            if (got < 0 && errno == EINTR)
                continue;
            if (got <= 0)
                return false;
            reader->in = (ZSTD_inBuffer){reader->raw, (size_t)got, 0};
        }
        char plain[CHUNK];
        ZSTD_outBuffer out = {plain, sizeof plain, 0};
        /* Output may be left inside where the buffer was full, so go on until it is not. */
        do {
            out.pos = 0;
            size_t result = ZSTD_decompressStream(reader->zstd, &out, &reader->in);
            if (ZSTD_isError(result)) {
                reader->broken = true;
                return reader->text.len > before;
            }
            str_add_n(&reader->text, plain, out.pos);
        } while (out.pos == out.size);
    }
    return true;
}

void journal_pass_over_touched(struct journal_reader *reader)
{
    reader->untouched = true;
}

/* As event_to_json begins them. */
static bool is_touched(const char *line, size_t length)
{
    static const char path[] = "{\"event\":\"path\",", touched[] = "{\"event\":\"touched\",";
    return (length >= sizeof path && memcmp(line, path, sizeof path - 1) == 0) ||
           (length >= sizeof touched && memcmp(line, touched, sizeof touched - 1) == 0);
}

struct event *journal_next(struct journal_reader *reader)
{
    for (;;) {
        const char *line = str_text(&reader->text) + reader->at;
        const char *end = memchr(line, '\n', reader->text.len - reader->at);
        if (!end) {
            if (!read_more(reader))
                return NULL;
            continue;
        }
        reader->at += (size_t)(end - line) + 1;
        if (reader->untouched && is_touched(line, (size_t)(end - line)))
            continue;
        struct event *event = event_from_json(line, (size_t)(end - line), NULL);
        if (!event) {
            reader->bad_lines++;
            continue;
        }
        if (event->kind == EVENT_BUILD_END)
            reader->complete = true;
        return event;
    }
}

bool journal_is_complete(const struct journal_reader *reader)
{
    return reader->complete;
}

unsigned journal_bad_lines(const struct journal_reader *reader)
{
    return reader->bad_lines;
}

void journal_read_close(struct journal_reader *reader)
{
    if (!reader)
        return;
    close(reader->fd);
    ZSTD_freeDStream(reader->zstd);
    str_free(&reader->text);
    free(reader);
}

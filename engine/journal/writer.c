/*
 * Writing a journal: events become lines where they are told (a line is a fifth of an event, which
 * would have to be copied for another thread), and a thread makes a zstd frame of the lines. A frame
 * that was made before stands between two of them (RFC 8878, 3: frames follow each other).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zstd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/vec.h"
#include "journal/journal.h"

enum { KEEP = 10, FLUSH_MS = 500, CHUNK = 64 * 1024 };

/* Of zstd: a build waits for its journal, and lines so alike are small at any level. */
enum { LEVEL = 1 };

/* What stands among the lines, compressed already. */
struct piece {
    char *bytes;
    size_t length;
    size_t at; /* bytes of lines before it */
};

struct journal {
    pthread_t thread;
    bool started;
    char *path; /* NULL: the next free number in directory */
    char *directory;
    pthread_mutex_t lock; /* of the next four */
    pthread_cond_t news; /* lines where there were none, much of them, or the end */
    struct str added; /* lines */
    VEC(struct piece) frames; /* among them */
    bool wanted; /* the file is to be made: something happened */
    bool ended;
    /* The thread's own. */
    int fd;
    ZSTD_CCtx *zstd;
    struct str lines; /* being compressed */
    VEC(struct piece) pieces; /* among them */
    struct err err; /* the first failure; nothing is written after it */
    char chunk[CHUNK]; /* compressed */
};

/* The number of "<n>.jsonl.zst", or 0. */
static unsigned long number_of(const char *name)
{
    char *rest;
    unsigned long number = strtoul(name, &rest, 10);
    return rest != name && !strcmp(rest, ".jsonl.zst") ? number : 0;
}

/* The highest number in a directory; where `below` is not 0, removes those lower than it. */
static unsigned long look_through(const char *directory, unsigned long below)
{
    unsigned long highest = 0;
    DIR *dir = opendir(directory);
    if (!dir)
        return 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        unsigned long number = number_of(entry->d_name);
        if (number > highest)
            highest = number;
        if (number && number < below)
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
    return highest;
}

char *journal_newest(const char *directory)
{
    unsigned long number = look_through(directory, 0);
    return number ? mem_format("%s/%lu.jsonl.zst", directory, number) : NULL;
}

char *journal_recent(const char *directory, unsigned before)
{
    unsigned long number = look_through(directory, 0);
    for (; number; number--) {
        char *path = mem_format("%s/%lu.jsonl.zst", directory, number);
        if (access(path, F_OK) == 0 && before-- == 0)
            return path;
        free(path);
    }
    return NULL;
}

static int open_file(struct journal *journal, struct err *err)
{
    if (journal->path) {
        if (file_make_parents(journal->path, err) < 0)
            return -1;
        journal->fd = open(journal->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    } else {
        if (file_make_dirs(journal->directory, err) < 0)
            return -1;
        unsigned long number = look_through(journal->directory, 0);
        do {
            free(journal->path);
            journal->path = mem_format("%s/%lu.jsonl.zst", journal->directory, ++number);
            journal->fd = open(journal->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        } while (journal->fd < 0 && errno == EEXIST);
        if (journal->fd >= 0 && number > KEEP)
            look_through(journal->directory, number - KEEP + 1);
    }
    if (journal->fd < 0)
        return err_errno(err, "cannot write the journal %s", journal->path);
    return 0;
}

static int write_all(struct journal *journal, const char *at, size_t length)
{
    while (length) {
        ssize_t done = write(journal->fd, at, length);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return err_errno(&journal->err, "cannot write the journal %s", journal->path);
        at += done;
        length -= (size_t)done;
    }
    return 0;
}

/* Compresses lines and writes what comes out; `how` flushes or ends the frame. */
static int write_lines(struct journal *journal, const char *lines, size_t length,
                       ZSTD_EndDirective how)
{
    ZSTD_inBuffer in = {lines, length, 0};
    size_t left;
    do {
        ZSTD_outBuffer out = {journal->chunk, sizeof journal->chunk, 0};
        left = ZSTD_compressStream2(journal->zstd, &out, &in, how);
        if (write_all(journal, journal->chunk, out.pos) < 0)
            return -1;
    } while (how == ZSTD_e_continue ? in.pos < in.size : left > 0);
    return 0;
}

/* Writes what was gathered. */
static void write_gathered(struct journal *journal, ZSTD_EndDirective how)
{
    const char *lines = str_text(&journal->lines);
    size_t done = 0;
    for (size_t i = 0; i < journal->pieces.len; i++) {
        const struct piece *piece = &journal->pieces.at[i];
        if (write_lines(journal, lines + done, piece->at - done, ZSTD_e_end) < 0 ||
            write_all(journal, piece->bytes, piece->length) < 0)
            return;
        done = piece->at;
    }
    write_lines(journal, lines + done, journal->lines.len - done, how);
}

char *journal_frame(const char *lines, size_t length, size_t *frame_bytes)
{
    size_t room = ZSTD_compressBound(length);
    char *frame = mem_alloc(room);
    size_t used = ZSTD_compress(frame, room, lines, length, LEVEL);
    if (ZSTD_isError(used))
        abort();
    *frame_bytes = used;
    return mem_grow(frame, used);
}

void journal_add_frame(struct journal *journal, char *frame, size_t length)
{
    pthread_mutex_lock(&journal->lock);
    vec_push(&journal->frames, (struct piece){frame, length, journal->added.len});
    pthread_mutex_unlock(&journal->lock);
}

void journal_add(struct journal *journal, const struct event *event)
{
    pthread_mutex_lock(&journal->lock);
    size_t before = journal->added.len;
    bool wanted = journal->wanted;
    journal->wanted |= event->kind == EVENT_STEP_READY || event->kind == EVENT_STEP_BEGIN ||
                       event->kind == EVENT_MESSAGE;
    event_to_json(event, NULL, &journal->added);
    str_add_char(&journal->added, '\n');
    bool much = before <= CHUNK && journal->added.len > CHUNK;
    if (journal->wanted && (!wanted || !before || much))
        pthread_cond_signal(&journal->news);
    pthread_mutex_unlock(&journal->lock);
}

/* Waits for lines to write: many of them, or any once `flush_ns` has come, or the last ones; they are
 * journal->lines then. */
static ZSTD_EndDirective wait_for_lines(struct journal *journal, uint64_t flush_ns)
{
    const struct timespec until = {(time_t)(flush_ns / 1000000000), (long)(flush_ns % 1000000000)};
    bool late = false;
    pthread_mutex_lock(&journal->lock);
    while (!journal->ended && !(journal->wanted && journal->added.len > CHUNK) && !late) {
        if (journal->wanted && journal->added.len)
            late = pthread_cond_timedwait(&journal->news, &journal->lock, &until) == ETIMEDOUT;
        else
            pthread_cond_wait(&journal->news, &journal->lock);
    }
    struct str empty = journal->lines;
    journal->lines = journal->added;
    journal->added = empty;
    for (size_t i = 0; i < journal->frames.len; i++)
        vec_push(&journal->pieces, journal->frames.at[i]);
    journal->frames.len = 0;
    bool last = journal->ended;
    pthread_mutex_unlock(&journal->lock);
    return last ? ZSTD_e_end : late ? ZSTD_e_flush : ZSTD_e_continue;
}

static void *write_journal(void *data)
{
    const uint64_t flush_after_ns = FLUSH_MS * UINT64_C(1000000);
    struct journal *journal = data;
    uint64_t flush_ns = clock_ns(); /* the first lines at once: somebody may want to attach */
    ZSTD_EndDirective how = ZSTD_e_continue;
    while (how != ZSTD_e_end) {
        how = wait_for_lines(journal, flush_ns);
        if (how == ZSTD_e_continue && clock_ns() >= flush_ns)
            how = ZSTD_e_flush;
        if (how == ZSTD_e_flush)
            flush_ns = clock_ns() + flush_after_ns;
        bool nothing = how == ZSTD_e_end && !journal->wanted;
        if (!nothing && journal->err.kind == ERR_NONE &&
            (journal->fd >= 0 || open_file(journal, &journal->err) == 0))
            write_gathered(journal, how);
        str_cut(&journal->lines, 0);
        for (size_t i = 0; i < journal->pieces.len; i++)
            free(journal->pieces.at[i].bytes);
        journal->pieces.len = 0;
    }
    return NULL;
}

struct journal *journal_new(void)
{
    struct journal *journal = mem_zero(1, sizeof *journal);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&journal->news, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&journal->lock, NULL);
    journal->fd = -1;
    return journal;
}

int journal_start(struct journal *journal, const char *path, const char *directory, struct err *err)
{
    journal->path = path ? mem_copy(path) : NULL;
    journal->directory = directory ? mem_copy(directory) : NULL;
    journal->wanted = path != NULL;
    if (path && open_file(journal, err) < 0)
        return -1;
    journal->zstd = ZSTD_createCCtx();
    if (!journal->zstd)
        abort();
    ZSTD_CCtx_setParameter(journal->zstd, ZSTD_c_compressionLevel, LEVEL);
    if (pthread_create(&journal->thread, NULL, write_journal, journal) != 0)
        return err_set(err, ERR_SYSTEM, "cannot start a thread for the journal");
    journal->started = true;
    return 0;
}

int journal_close(struct journal *journal, struct err *err)
{
    if (!journal)
        return 0;
    int status = 0;
    if (journal->started) {
        pthread_mutex_lock(&journal->lock);
        journal->ended = true;
        pthread_cond_signal(&journal->news);
        pthread_mutex_unlock(&journal->lock);
        pthread_join(journal->thread, NULL);
        if (journal->err.kind != ERR_NONE) {
            if (err)
                *err = journal->err;
            status = -1;
        }
    }
    if (journal->fd >= 0)
        close(journal->fd);
    ZSTD_freeCCtx(journal->zstd);
    pthread_cond_destroy(&journal->news);
    pthread_mutex_destroy(&journal->lock);
    str_free(&journal->added);
    for (size_t i = 0; i < journal->frames.len; i++)
        free(journal->frames.at[i].bytes);
    vec_free(&journal->frames);
    vec_free(&journal->pieces);
    str_free(&journal->lines);
    free(journal->path);
    free(journal->directory);
    free(journal);
    return status;
}

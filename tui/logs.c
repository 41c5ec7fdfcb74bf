#include "tui/logs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"

enum {
    EVERY = 64, /* lines between two entries of the index */
    WINDOW = 128 * 1024, /* bytes of a file kept in memory */
    INDEX_AT_ONCE = 8 << 20, /* bytes indexed by one call */
    FILES_AT_ONCE = 256, /* logs that one call adds to the whole */
    LINE_MAX_BYTES = 16 * 1024, /* more of one line is not shown */
    OPEN_MAX = 64, /* files open at a time */
    TAB_COLUMNS = 8,
};

/* One file. */
struct log_file {
    char *path;
    int fd; /* -1: closed to save descriptors; opened again where needed */
    uint64_t used; /* when it was last, by the clock of struct logs */
    uint64_t size; /* bytes indexed */
    uint64_t newlines; /* in them */
    bool open_line; /* bytes follow the last newline */
    bool behind; /* there is more of it than was indexed */
    VEC(uint64_t) starts; /* of lines 0, 64, 128 ... */
    char *window; /* bytes at window_start */
    uint64_t window_start, window_length;
    uint64_t last_line, last_start; /* where the line was that was read last */
};

struct part {
    uint32_t step; /* dense index */
    uint64_t first; /* its heading's line */
    uint64_t lines; /* with the heading */
};

struct log_view {
    struct logs *logs;
    uint32_t step; /* event id; EVENT_NONE: the whole build */
    struct log_file file; /* of a step */
    VEC(struct part) parts; /* of the whole */
    size_t ended_seen;
    struct str cleaned;
};

struct logs {
    char *root;
    const struct model *model;
    VEC(struct log_view *) views;
    uint64_t clock;
};

struct logs *logs_new(const char *root)
{
    struct logs *logs = mem_zero(1, sizeof *logs);
    logs->root = mem_copy(root);
    return logs;
}

static void close_file(struct log_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
    free(file->window);
    file->window = NULL;
    file->window_length = 0;
}

void logs_forget(struct logs *logs)
{
    for (size_t i = 0; i < logs->views.len; i++) {
        struct log_view *log = logs->views.at[i];
        close_file(&log->file);
        free(log->file.path);
        vec_free(&log->file.starts);
        vec_free(&log->parts);
        str_free(&log->cleaned);
        free(log);
    }
    logs->views.len = 0;
}

void logs_free(struct logs *logs)
{
    if (!logs)
        return;
    logs_forget(logs);
    vec_free(&logs->views);
    free(logs->root);
    free(logs);
}

/* ---- one file ---- */

/* Closes the file that was used least recently where too many are open. */
static void make_room(struct logs *logs)
{
    size_t count = 0;
    struct log_file *oldest = NULL;
    for (size_t i = 0; i < logs->views.len; i++) {
        struct log_file *file = &logs->views.at[i]->file;
        if (file->fd < 0)
            continue;
        count++;
        if (!oldest || file->used < oldest->used)
            oldest = file;
    }
    if (count >= OPEN_MAX)
        close_file(oldest);
}

static bool open_file(struct logs *logs, struct log_file *file)
{
    file->used = ++logs->clock;
    if (file->fd >= 0)
        return true;
    make_room(logs);
    file->fd = open(file->path, O_RDONLY | O_CLOEXEC);
    return file->fd >= 0;
}

/* Makes the window hold the byte at `at`; false past the end. */
static bool fill_window(struct log_file *file, uint64_t at)
{
    if (at >= file->window_start && at < file->window_start + file->window_length)
        return true;
    uint64_t start = at;
    if (at < file->window_start &&
        file->window_start - at < WINDOW) /* read backwards: more of that */
        start = at > WINDOW * 3 / 4 ? at - WINDOW * 3 / 4 : 0;
    if (!file->window)
        file->window = mem_alloc(WINDOW);
    ssize_t got = pread(file->fd, file->window, WINDOW, (off_t)start);
    file->window_start = start;
    file->window_length = got > 0 ? (uint64_t)got : 0;
    return at < start + file->window_length;
}

/* Takes in bytes that were indexed: counts lines, notes where each 64th begins. */
static void index_bytes(struct log_file *file, const char *bytes, size_t length)
{
    if (file->size == 0 && length)
        vec_push(&file->starts, 0);
    const char *at = bytes, *end = bytes + length;
    while ((at = memchr(at, '\n', (size_t)(end - at)))) {
        at++;
        if (++file->newlines % EVERY == 0)
            vec_push(&file->starts, file->size + (uint64_t)(at - bytes));
        if (at == end)
            break;
    }
    file->size += length;
    file->open_line = length && bytes[length - 1] != '\n';
}

/* Goes on with the index; a file that became shorter begins anew. */
static void index_file(struct logs *logs, struct log_file *file)
{
    struct stat status;
    if (!open_file(logs, file) || fstat(file->fd, &status) < 0)
        return;
    if ((uint64_t)status.st_size < file->size) {
        close_file(file);
        file->starts.len = 0;
        file->size = file->newlines = file->last_line = file->last_start = 0;
        file->open_line = false;
        if (!open_file(logs, file))
            return;
    }
    uint64_t limit = file->size + INDEX_AT_ONCE;
    while (file->size < (uint64_t)status.st_size && file->size < limit) {
        file->window_length = 0; /* it grew */
        if (!fill_window(file, file->size))
            break;
        index_bytes(file, file->window, file->window_length);
    }
    file->behind = file->size >= limit && file->size < (uint64_t)status.st_size;
}

static uint64_t file_lines(const struct log_file *file)
{
    return file->newlines + file->open_line;
}

/* The byte at which a line begins: from the line read before it, or from the index. */
static uint64_t line_start(struct log_file *file, uint64_t line)
{
    uint64_t from = line / EVERY * EVERY, at = file->starts.at[line / EVERY];
    if (file->last_line <= line && file->last_line >= from) {
        from = file->last_line;
        at = file->last_start;
    }
    while (from < line && fill_window(file, at)) {
        uint64_t offset = at - file->window_start;
        const char *text = file->window + offset;
        const char *newline = memchr(text, '\n', file->window_length - offset);
        if (newline) {
            at += (uint64_t)(newline - text) + 1;
            from++;
        } else {
            at = file->window_start + file->window_length;
        }
    }
    file->last_line = line;
    file->last_start = at;
    return at;
}

/* What a terminal would show of the bytes, as plain text. */
static void clean(const char *bytes, size_t length, struct str *out)
{
    int column = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c == '\r') {
            if (i + 1 < length) {
                str_cut(out, 0);
                column = 0;
            }
        } else if (c == '\t') {
            do
                str_add_char(out, ' ');
            while (++column % TAB_COLUMNS);
        } else if (c == '\033') {
            bool csi = i + 1 < length && bytes[i + 1] == '[';
            i++;
            while (csi && i + 1 < length && !(bytes[i + 1] >= 0x40 && bytes[i + 1] <= 0x7e))
                i++;
            i += csi;
        } else if (c >= 0x20 && c != 0x7f) {
            str_add_char(out, (char)c);
            column += (c & 0xC0) != 0x80;
        }
    }
}

static void read_line(struct logs *logs, struct log_file *file, uint64_t line, struct str *out)
{
    str_cut(out, 0);
    if (line >= file_lines(file) || !open_file(logs, file))
        return;
    uint64_t at = line_start(file, line);
    if (!fill_window(file, at))
        return;
    uint64_t offset = at - file->window_start;
    if (file->window_length - offset < LINE_MAX_BYTES) { /* it may go on past the window */
        file->window_length = 0;
        if (!fill_window(file, at))
            return;
        offset = 0;
    }
    const char *text = file->window + offset;
    size_t room = file->window_length - offset;
    if (room > LINE_MAX_BYTES)
        room = LINE_MAX_BYTES;
    const char *newline = memchr(text, '\n', room);
    clean(text, newline ? (size_t)(newline - text) : room, out);
}

/* ---- logs ---- */

static struct log_view *add_view(struct logs *logs, uint32_t step, const char *path)
{
    struct log_view *log = mem_zero(1, sizeof *log);
    log->logs = logs;
    log->step = step;
    log->file.fd = -1;
    log->file.path = path ? path_join(logs->root, path) : NULL;
    vec_push(&logs->views, log);
    return log;
}

struct log_view *logs_get(struct logs *logs, const struct model *model, uint32_t step)
{
    logs->model = model;
    const char *path = NULL;
    if (step != EVENT_NONE) {
        uint32_t index = model_find(model, step);
        if (index == MODEL_NONE || model->steps.at[index].log == MODEL_NONE)
            return NULL;
        path = model_text(model, model->steps.at[index].log);
    }
    for (size_t i = logs->views.len; i-- > 0;)
        if (logs->views.at[i]->step == step)
            return logs->views.at[i];
    return add_view(logs, step, path);
}

/* Adds the logs of the steps that ended since. */
static void index_whole(struct log_view *log)
{
    const struct model *model = log->logs->model;
    for (unsigned i = 0; i < FILES_AT_ONCE && log->ended_seen < model->ended.len; i++) {
        uint32_t step = model->ended.at[log->ended_seen];
        struct log_view *one = logs_get(log->logs, model, model->steps.at[step].id);
        if (one)
            index_file(log->logs, &one->file);
        if (one && one->file.behind)
            return; /* the next call goes on with it */
        log->ended_seen++;
        if (!one)
            continue;
        uint64_t first = 0;
        if (log->parts.len) {
            const struct part *last = &log->parts.at[log->parts.len - 1];
            first = last->first + last->lines;
        }
        vec_push(&log->parts, (struct part){step, first, 1 + file_lines(&one->file)});
    }
}

uint64_t log_view_lines(struct log_view *log)
{
    if (log->step != EVENT_NONE) {
        index_file(log->logs, &log->file);
        return file_lines(&log->file);
    }
    index_whole(log);
    if (!log->parts.len)
        return 0;
    const struct part *last = &log->parts.at[log->parts.len - 1];
    return last->first + last->lines;
}

bool log_view_grows(const struct log_view *log)
{
    return log->step == EVENT_NONE ? log->ended_seen < log->logs->model->ended.len
                                   : log->file.behind;
}

/* The part that holds a line. */
static const struct part *part_of(const struct log_view *log, uint64_t line)
{
    size_t low = 0, high = log->parts.len;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (log->parts.at[middle].first <= line)
            low = middle;
        else
            high = middle;
    }
    return &log->parts.at[low];
}

const char *log_view_line(struct log_view *log, uint64_t line, size_t *length)
{
    const struct model *model = log->logs->model;
    if (log->step != EVENT_NONE) {
        read_line(log->logs, &log->file, line, &log->cleaned);
    } else {
        str_cut(&log->cleaned, 0);
        const struct part *part = log->parts.len ? part_of(log, line) : NULL;
        if (part && line == part->first) {
            const struct model_step *step = &model->steps.at[part->step];
            str_addf(&log->cleaned, "── %s  %s", model_text(model, step->target),
                     model_state_word(step));
        } else if (part) {
            struct log_view *one = logs_get(log->logs, model, model->steps.at[part->step].id);
            if (one)
                read_line(log->logs, &one->file, line - part->first - 1, &log->cleaned);
        }
    }
    *length = log->cleaned.len;
    return str_text(&log->cleaned);
}

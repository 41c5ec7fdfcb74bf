/*
 * Addresses of a guest's crash, by file and line. OSv prints `0x0000000040231abc <name+12>`, a line for
 * each frame, behind "[backtrace]" or among the registers; what looks so is collected until something else
 * comes, and asked of addr2line, once for each of the two ELF files it may be in: the kernel, which lies
 * where it is linked, and the program of the image, which lies at `base` if it can lie anywhere.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/path.h"
#include "vm/spec.h"

extern char **environ;

enum { FRAMES_MAX = 64, LINE_MAX_BYTES = 512, PATIENCE_MS = 30000 };

/* An ELF file of the guest: from which address to which, and what is to be taken off. */
struct image_range {
    const char *path;
    uint64_t from, to, shift;
};

struct frame {
    uint64_t address;
    char *answer; /* "name at file:line"; NULL: unknown */
};

struct crash {
    const struct vm_symbols *symbols;
    struct str line; /* what has come of the line */
    VEC(struct frame) frames;
    bool over; /* another line came after the frames */
};

struct crash *crash_new(const struct vm_symbols *symbols)
{
    if (!symbols->addr2line || !symbols->kernel)
        return NULL;
    struct crash *crash = mem_zero(1, sizeof *crash);
    crash->symbols = symbols;
    return crash;
}

static void drop_frames(struct crash *crash)
{
    for (size_t i = 0; i < crash->frames.len; i++)
        free(crash->frames.at[i].answer);
    crash->frames.len = 0;
    crash->over = false;
}

void crash_free(struct crash *crash)
{
    if (!crash)
        return;
    drop_frames(crash);
    vec_free(&crash->frames);
    str_free(&crash->line);
    free(crash);
}

/* ---- what the guest prints ---- */

/* The address of "...0x<8 to 16 digits> <name...>"; false where a line has none. */
static bool frame_address(const char *line, uint64_t *address)
{
    for (const char *at = line; (at = strstr(at, "0x")); at++) {
        size_t digits = strspn(at + 2, "0123456789abcdefABCDEF");
        if (digits >= 8 && digits <= 16 && strncmp(at + 2 + digits, " <", 2) == 0 &&
            strchr(at + 4 + digits, '>')) {
            *address = strtoull(at + 2, NULL, 16);
            return true;
        }
    }
    return false;
}

static void take_line(struct crash *crash)
{
    uint64_t address;
    const char *line = str_text(&crash->line);
    if (frame_address(line, &address)) {
        crash->over = false;
        if (crash->frames.len < FRAMES_MAX)
            vec_push(&crash->frames, (struct frame){address, NULL});
    } else if (crash->frames.len && *line) {
        /* Registers stand between the first frame and the backtrace: they end nothing. */
        crash->over = !strchr(line, ':') && line[0] != '[';
    }
    str_cut(&crash->line, 0);
}

void crash_feed(struct crash *crash, const char *bytes, size_t length)
{
    for (size_t i = 0; crash && i < length; i++) {
        if (bytes[i] == '\n')
            take_line(crash);
        else if (bytes[i] != '\r' && crash->line.len < LINE_MAX_BYTES)
            str_add_char(&crash->line, bytes[i]);
    }
}

bool crash_waits(const struct crash *crash, bool quiet)
{
    return crash && crash->frames.len && (crash->over || quiet);
}

/* ---- what the addresses mean ---- */

/* The range of an ELF file of 64 bits; `base` is added where it can lie anywhere. */
static bool read_range(struct image_range *range, const char *path, uint64_t base)
{
    Elf64_Ehdr head;
    Elf64_Phdr segment;
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    bool good = fd >= 0 && read(fd, &head, sizeof head) == (ssize_t)sizeof head &&
                memcmp(head.e_ident, ELFMAG, SELFMAG) == 0 && head.e_ident[EI_CLASS] == ELFCLASS64;
    *range = (struct image_range){path, UINT64_MAX, 0, 0};
    for (unsigned i = 0; good && i < head.e_phnum; i++) {
        off_t at = (off_t)(head.e_phoff + i * (uint64_t)head.e_phentsize);
        if (pread(fd, &segment, sizeof segment, at) != (ssize_t)sizeof segment ||
            segment.p_type != PT_LOAD)
            continue;
        if (segment.p_vaddr < range->from)
            range->from = segment.p_vaddr;
        if (segment.p_vaddr + segment.p_memsz > range->to)
            range->to = segment.p_vaddr + segment.p_memsz;
    }
    if (fd >= 0)
        close(fd);
    if (good && head.e_type == ET_DYN) {
        range->shift = base;
        range->from += base;
        range->to += base;
    }
    return good && range->from < range->to;
}

static bool is_in(const struct image_range *range, uint64_t address)
{
    return address >= range->from && address < range->to;
}

/* Starts addr2line for the frames of one file; the reading end of its output, or -1. */
static int start_addr2line(const struct crash *crash, const struct image_range *range, pid_t *pid)
{
    VEC(char *) argv = {0};
    int ends[2], fd = -1;
    static const char *const words[] = {"-a", "-p", "-f", "-C", "-e"};
    vec_push(&argv, mem_copy(crash->symbols->addr2line));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        vec_push(&argv, mem_copy(words[i]));
    vec_push(&argv, mem_copy(range->path));
    size_t before = argv.len;
    for (size_t i = 0; i < crash->frames.len; i++)
        if (is_in(range, crash->frames.at[i].address))
            vec_push(&argv, mem_format("0x%" PRIx64, crash->frames.at[i].address - range->shift));
    bool any = argv.len > before;
    vec_push(&argv, NULL);
    if (any && pipe2(ends, O_CLOEXEC) == 0) {
        posix_spawn_file_actions_t files;
        posix_spawnattr_t attributes;
        sigset_t none;
        sigemptyset(&none);
        posix_spawn_file_actions_init(&files);
        posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
        posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        posix_spawnattr_init(&attributes);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
        posix_spawnattr_setsigmask(&attributes, &none);
        bool started = posix_spawnp(pid, argv.at[0], &files, &attributes, argv.at, environ) == 0;
        posix_spawn_file_actions_destroy(&files);
        posix_spawnattr_destroy(&attributes);
        close(ends[1]);
        fd = ends[0];
        if (!started) {
            close(fd);
            fd = -1;
        }
    }
    for (size_t i = 0; i < argv.len; i++)
        free(argv.at[i]);
    vec_free(&argv);
    return fd;
}

/* All that it prints, with patience: debug information of a kernel is large. */
static void read_answers(int fd, struct str *out)
{
    uint64_t end = clock_ns() + PATIENCE_MS * UINT64_C(1000000);
    char chunk[4096];
    for (;;) {
        uint64_t now = clock_ns();
        struct pollfd pfd = {fd, POLLIN, 0};
        if (now >= end || poll(&pfd, 1, (int)((end - now) / 1000000) + 1) <= 0)
            return;
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got <= 0 && errno != EINTR)
            return;
        if (got > 0)
            str_add_n(out, chunk, (size_t)got);
    }
}

/* "0x40200004: fall_over at /src/loader.c:9" goes to each frame of that address. */
static void take_answer(struct crash *crash, const struct image_range *range, char *line)
{
    char *colon = strstr(line, ": ");
    uint64_t address = strtoull(line, NULL, 16) + range->shift;
    if (!colon || strstr(colon, "??:"))
        return;
    char *discriminator = strstr(colon, " (discriminator");
    if (discriminator)
        *discriminator = '\0';
    const char *answer = colon + 2;
    char *at = strstr(colon, " at /");
    size_t root = crash->symbols->root ? strlen(crash->symbols->root) : 0;
    char *shown = NULL;
    if (at && root && strncmp(at + 4, crash->symbols->root, root) == 0 && at[4 + root] == '/')
        shown = mem_format("%.*s%s", (int)(at + 4 - answer), answer, at + 4 + root + 1);
    for (size_t i = 0; i < crash->frames.len; i++) {
        struct frame *frame = &crash->frames.at[i];
        if (frame->address == address && !frame->answer && is_in(range, address))
            frame->answer = mem_copy(shown ? shown : answer);
    }
    free(shown);
}

static void ask(struct crash *crash, const struct image_range *range)
{
    pid_t pid = 0;
    int status, fd = start_addr2line(crash, range, &pid);
    struct str answers = {0};
    if (fd < 0)
        return;
    read_answers(fd, &answers);
    close(fd);
    kill(pid, SIGKILL); /* it has ended, or has had its time */
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    for (char *at = answers.at; at && *at;) {
        char *end = strchrnul(at, '\n');
        bool more = *end;
        *end = '\0';
        take_answer(crash, range, at);
        at = more ? end + 1 : end;
    }
    str_free(&answers);
}

void crash_resolve(struct crash *crash, struct str *out)
{
    struct image_range kernel, program;
    const struct vm_symbols *symbols = crash->symbols;
    if (read_range(&kernel, symbols->kernel, 0))
        ask(crash, &kernel);
    if (read_range(&program, symbols->program, symbols->base))
        ask(crash, &program);
    for (size_t i = 0; i < crash->frames.len; i++) {
        const struct frame *frame = &crash->frames.at[i];
        if (frame->answer)
            str_addf(out, "0x%016" PRIx64 " %s\n", frame->address, frame->answer);
    }
    drop_frames(crash);
}

/*
 * The hook: a library preloaded into GNU make and into nothing else (it takes itself out of the
 * environment that make hands on; the gate puts it back where a make starts a make). It
 *   - puts the gate before every recipe line that make starts, and names its target;
 *   - times the calls of $(shell), which are no steps;
 *   - keeps the line that make echoes apart from what else make prints, for the step's log;
 *   - tells when a recipe is over: its last line has ended and make has moved on;
 *   - has make print its data base (-p) and hands it to the engine in place of the user.
 * make is one thread, so all state here is plain. Without an engine, or in a make that is not GNU
 * make 4.0 or later (known by its exported gmk_eval), every function is the C library's own.
 */
#include "load/hook.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* What make 4 offers to its loaded objects (gnumake.h). */
static void (*make_eval)(const char *, const void *);
static char *(*make_expand)(const char *);
static void (*make_free)(char *);

const struct place *const *const *make_place;

struct hook hook = {.engine = -1, .base_fd = -1, .saved_fd = -1};
struct real real;

#define FIND(name, symbol) (*(void **)&real.name = dlsym(RTLD_NEXT, symbol))

__attribute__((constructor)) static void find_real(void)
{
    FIND(spawn, "posix_spawn");
    FIND(execvp, "execvp");
    FIND(waitpid, "waitpid");
    FIND(pselect, "pselect");
    FIND(exit, "exit");
    FIND(ctime, "ctime");
    FIND(dcgettext, "dcgettext");
    FIND(fopen, "fopen");
    FIND(opendir, "opendir");
    FIND(fputs, "fputs");
    FIND(write, "write");
    FIND(read, "read");
}

/* ---- to the engine ---- */

void send_packet(struct wire *wire, const char *text, size_t length, int descriptor)
{
    if (hook.engine < 0)
        return;
    if (length > WIRE_TEXT)
        length = WIRE_TEXT;
    struct iovec parts[2] = {{wire, sizeof *wire}, {(void *)(uintptr_t)text, length}};
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    if (descriptor >= 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = &control;
        message.msg_controllen = sizeof control.room;
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.head), &descriptor, sizeof(int));
    }
    ssize_t sent;
    do
        sent = sendmsg(hook.engine, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        close(hook.engine);
        hook.engine = -1;
    }
}

/* ---- the beginning ---- */

static bool greet(void);

/* The beginning of an entry of make's table of options (struct command_switch of its main.c). */
struct option_entry {
    int letter;
    unsigned type; /* 0: a flag */
    int *value;
    unsigned from_environment : 1;
    unsigned to_environment : 1; /* shown by MAKEFLAGS */
    unsigned others : 30;
    const void *without_argument, *unless_given;
    const char *long_name;
};

static bool lies_in(const struct dl_phdr_info *program, const void *address, size_t length)
{
    uintptr_t at = (uintptr_t)address;
    for (int i = 0; i < program->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &program->dlpi_phdr[i];
        uintptr_t start = program->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_LOAD && at >= start && at - start < segment->p_memsz &&
            segment->p_memsz - (at - start) >= length)
            return true;
    }
    return false;
}

/* The entry of -p among the data of make: its table is not exported. NULL where it is not found. */
static struct option_entry *find_option(const struct dl_phdr_info *program)
{
    static const char name[] = "print-data-base";
    for (int i = 0; i < program->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &program->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || segment->p_flags & PF_X)
            continue;
        uintptr_t at = program->dlpi_addr + segment->p_vaddr;
        uintptr_t end = at + segment->p_filesz;
        at = (at + sizeof(void *) - 1) & ~(sizeof(void *) - 1);
        for (; at + sizeof(struct option_entry) <= end; at += sizeof(void *)) {
            struct option_entry *entry = (struct option_entry *)at;
            if (entry->letter == 'p' && entry->type == 0 &&
                lies_in(program, entry->value, sizeof *entry->value) &&
                lies_in(program, entry->long_name, sizeof name) &&
                memcmp(entry->long_name, name, sizeof name) == 0)
                return entry;
        }
    }
    return NULL;
}

/* Sets the flag of -p, as the user might have, but keeps it out of MAKEFLAGS, so that no makefile
 * and no other make can tell. */
static int set_print_option(struct dl_phdr_info *program, size_t size, void *data)
{
    (void)size;
    (void)data;
    struct option_entry *entry = find_option(program);
    if (!entry || *entry->value)
        return 1;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *start = (char *)((uintptr_t)entry & ~(page - 1));
    size_t length = (size_t)((char *)(entry + 1) - start);
    if (entry->to_environment && mprotect(start, length, PROT_READ | PROT_WRITE) != 0)
        return 1;
    entry->to_environment = 0;
    hook.prints = entry->value;
    *hook.prints = 1;
    return 1; /* make itself comes first: no library is looked at */
}

static void ask_for_data_base(void)
{
    dl_iterate_phdr(set_print_option, NULL);
}

/* Says hello, and has each recipe's target named in its environment. Done as make opens its first
 * makefile or directory: it is where -C led it to then, and its variables are set up. The export is
 * evaluated in make itself, so that neither MAKEFLAGS nor the command line shows it. */
static void begin(void)
{
    static bool busy; /* what is called below comes here again */
    if (!hook.on || hook.ready || busy)
        return;
    busy = true;
    char *version = make_expand("$(MAKE_VERSION)");
    if (version && *version) {
        hook.on = greet();
        if (hook.on) {
            make_eval("export GANTRY_T = $@", NULL);
            ask_for_data_base();
        }
        hook.ready = hook.on;
    }
    if (version)
        make_free(version);
    busy = false;
}

FILE *fopen(const char *path, const char *mode)
{
    begin();
    copy_opens(path);
    return real.fopen(path, mode);
}

DIR *opendir(const char *path)
{
    begin();
    return real.opendir(path);
}

/* Which of two files, told by device and inode, is given as this descriptor: 0, 1, or -1. */
static int given(int descriptor, const unsigned long long files[4])
{
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        return -1;
    for (int i = 0; i < 2; i++)
        if (status.st_dev == files[2 * i] && status.st_ino == files[2 * i + 1])
            return i;
    return -1;
}

/* Reads GANTRY_GATE (gate_wire.h) and connects; -1 where there is no engine. */
static int connect_engine(void)
{
    const char *text = getenv("GANTRY_GATE");
    if (!text)
        return -1;
    const char *end = strchr(text, ':');
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!end || (size_t)(end - text) + 1 > sizeof address.sun_path)
        return -1;
    size_t length = (size_t)(end - text);
    memcpy(address.sun_path + 1, text, length);
    char *rest = (char *)(uintptr_t)end;
    unsigned long long files[4];
    for (int i = 0; i < 4; i++) {
        if (*rest != ':')
            return -1;
        files[i] = strtoull(rest + 1, &rest, 16);
    }
    if (*rest != ':')
        return -1;
    snprintf(hook.gate, sizeof hook.gate, "%s/gate", rest + 1);
    snprintf(hook.preload, sizeof hook.preload, "LD_PRELOAD=%s/hook.so", rest + 1);
    int output = given(STDOUT_FILENO, files), error = given(STDERR_FILENO, files);
    hook.owns_output = output == 0;
    hook.owns_error = error >= 0;
    hook.apart = error == 1;
    int low = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    int high = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, 200);
    if (high >= 0)
        close(low);
    int descriptor = high >= 0 ? high : low;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
    if (descriptor >= 0 && connect(descriptor, (struct sockaddr *)&address, size) != 0) {
        close(descriptor);
        return -1;
    }
    return descriptor;
}

/* Says which make this is, and learns its number. */
static bool greet(void)
{
    static char text[PATH_MAX + 64];
    char directory[PATH_MAX];
    const char *step = getenv("GANTRY_STEP");
    if (!getcwd(directory, sizeof directory))
        directory[0] = '\0';
    int length = snprintf(text, sizeof text, "%.40s%c%s", step ? step : "", 0, directory);
    struct wire wire = {.kind = WIRE_MAKE, .a = getpid(), .b = copy_can_tell()};
    send_packet(&wire, text, (size_t)length + 1, -1);
    ssize_t got;
    do
        got = hook.engine < 0 ? -1 : recv(hook.engine, &wire, sizeof wire, 0);
    while (got < 0 && errno == EINTR);
    hook.make = wire.make;
    if (got >= (ssize_t)sizeof wire && wire.a)
        copy_prepare();
    if (got >= (ssize_t)sizeof wire && wire.c)
        copy_tell_when_read();
    hook.repeats = got >= (ssize_t)sizeof wire && wire.b;
    return got >= (ssize_t)sizeof wire && wire.kind == WIRE_WELCOME;
}

/* Takes the hook out of what make hands on. */
static void leave_environment(void)
{
    const char *list = getenv("LD_PRELOAD");
    const char *rest = list ? strchr(list, ':') : NULL;
    if (rest)
        setenv("LD_PRELOAD", rest + 1, 1);
    else
        unsetenv("LD_PRELOAD");
}

static int (*real_main)(int, char **, char **);

static int hooked_main(int argc, char **argv, char **env)
{
    leave_environment();
    *(void **)&make_eval = dlsym(RTLD_DEFAULT, "gmk_eval");
    *(void **)&make_expand = dlsym(RTLD_DEFAULT, "gmk_expand");
    *(void **)&make_free = dlsym(RTLD_DEFAULT, "gmk_free");
    *(void **)&make_place = dlsym(RTLD_DEFAULT, "expanding_var");
    *(void **)&make_print_files = dlsym(RTLD_DEFAULT, "print_file_data_base");
    if (!make_eval || !make_expand || !make_free || argc < 1)
        return real_main(argc, argv, environ);
    hook.engine = connect_engine();
    hook.on = hook.engine >= 0;
    if (!hook.on)
        return real_main(argc, argv, environ);
    (void)env;
    return real_main(argc, argv, environ);
}

int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end);
int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
    int (*next)(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void),
                void (*)(void), void *);
    *(void **)&next = dlsym(RTLD_NEXT, "__libc_start_main");
    real_main = main;
    return next(hooked_main, argc, argv, init, fini, rtld_fini, stack_end);
}

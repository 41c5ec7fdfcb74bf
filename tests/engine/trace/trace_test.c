/* Conformance of tracing: each kind of access, done by a child, is seen exactly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "tests/support/traced.h"

static void open_all_ways(void)
{
    MUST(open("there", O_RDONLY));
    open("absent", O_RDONLY);
    MUST(open("made", O_WRONLY | O_CREAT | O_TRUNC, 0644));
    MUST(open("both", O_RDWR | O_CREAT, 0644));
    MUST(open("log", O_WRONLY | O_APPEND | O_CREAT, 0644));
    MUST(open("log", O_WRONLY | O_APPEND));
    open("there", O_WRONLY | O_CREAT | O_EXCL, 0644);
    MUST(open(traced_dir, O_PATH));
}

static void opens_are_told_apart(void **state)
{
    (void)state;
    struct trace *trace = traced_body(open_all_ways);
    traced_expect(trace, "there", ACCESS_READ | ACCESS_STAT, true);
    traced_expect(trace, "absent", ACCESS_READ, false);
    traced_expect(trace, "made", ACCESS_CREATE, false);
    traced_expect(trace, "both", ACCESS_CREATE, false);
    traced_expect(trace, "log", ACCESS_CREATE | ACCESS_WRITE | ACCESS_APPEND, false);
    traced_expect(trace, ".", ACCESS_STAT, true);
    trace_free(trace);
}

static void change_names(void)
{
    MUST(mkdir("dir", 0755));
    mkdir("dir", 0755);
    MUST(close(open("dir/a", O_WRONLY | O_CREAT, 0644)));
    MUST(rename("dir/a", "dir/b"));
    rename("dir/gone", "dir/nowhere");
    MUST(link("dir/b", "dir/c"));
    MUST(symlink("b", "dir/s"));
    MUST(unlink("dir/c"));
    unlink("dir/never");
    MUST(chmod("there", 0600));
    MUST(utimensat(AT_FDCWD, "there", NULL, 0));
    MUST(truncate("dir/b", 0));
    MUST(mkdir("empty", 0755));
    MUST(unlinkat(AT_FDCWD, "empty", AT_REMOVEDIR));
    MUST(mknod("fifo", S_IFIFO | 0600, 0));
}

static void changes_of_names_are_seen(void **state)
{
    (void)state;
    struct trace *trace = traced_body(change_names);
    traced_expect(trace, "dir", ACCESS_MKDIR | ACCESS_ENSURE, false);
    traced_expect(trace, "dir/a", ACCESS_CREATE | ACCESS_REMOVE, false);
    traced_expect(trace, "dir/b", ACCESS_CREATE | ACCESS_READ | ACCESS_WRITE, false);
    traced_expect(trace, "dir/gone", ACCESS_STAT, false);
    traced_expect(trace, "dir/nowhere", ACCESS_STAT, false);
    traced_expect(trace, "dir/c", ACCESS_CREATE | ACCESS_REMOVE, false);
    traced_expect(trace, "dir/s", ACCESS_CREATE, false);
    traced_expect(trace, "dir/never", ACCESS_STAT, false);
    traced_expect(trace, "there", ACCESS_META, true);
    traced_expect(trace, "empty", ACCESS_MKDIR | ACCESS_RMDIR, false);
    traced_expect(trace, "fifo", ACCESS_CREATE, false);
    trace_free(trace);
}

/* Connects, in vain as a rule, to where a socket may be. */
static void call_at(const struct sockaddr *address, size_t length)
{
    int sock = socket(address->sa_family, SOCK_DGRAM, 0);
    MUST(sock);
    connect(sock, address, (socklen_t)length);
    close(sock);
}

static void call_services(void)
{
    struct sockaddr_un nobody = {.sun_family = AF_UNIX, .sun_path = "nobody"};
    struct sockaddr_un names = {.sun_family = AF_UNIX, .sun_path = "/var/run/nscd/socket"};
    call_at((struct sockaddr *)&nobody, sizeof nobody);
    call_at((struct sockaddr *)&names, sizeof names);
}

static void call_a_machine(void)
{
    struct sockaddr_in machine = {.sin_family = AF_INET, .sin_port = htons(9)};
    machine.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    call_at((struct sockaddr *)&machine, sizeof machine);
}

static void call_a_neighbour(void)
{
    struct sockaddr_un hidden = {.sun_family = AF_UNIX};
    memcpy(hidden.sun_path + 1, "somebody", 8);
    call_at((struct sockaddr *)&hidden, offsetof(struct sockaddr_un, sun_path) + 9);
}

static void talk_is_noticed(void **state)
{
    (void)state;
    static const struct {
        void (*body)(void);
        bool network;
    } cases[] = {{change_names, false},
                 {call_services, false},
                 {call_a_machine, true},
                 {call_a_neighbour, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct trace *trace = traced_body(cases[i].body);
        assert_int_equal(trace->network, cases[i].network);
        trace_free(trace);
    }
}

static void walk_odd_paths(void)
{
    MUST(mkdir("real", 0755));
    MUST(close(open("real/f", O_WRONLY | O_CREAT, 0644)));
    MUST(symlink("real", "way"));
    MUST(symlink("f", "real/last"));
    struct stat st;
    MUST(stat("way/last", &st));
    MUST(stat("real/.././way/f", &st));
    int dir = open("real", O_RDONLY | O_DIRECTORY);
    MUST(dir);
    MUST(faccessat(dir, "g", F_OK, 0) < 0 ? 0 : -1);
    MUST(chdir("real"));
    MUST(close(open("h", O_WRONLY | O_CREAT, 0644)));
    MUST(fchdir(open("..", O_RDONLY | O_DIRECTORY)));
    MUST(close(open("top", O_WRONLY | O_CREAT, 0644)));
    char entries[4096];
    MUST(syscall(SYS_getdents64, dir, entries, sizeof entries));
    MUST(fstat(dir, &st)); /* names no path */
    char buffer[100];
    MUST(readlink("way", buffer, sizeof buffer));
    MUST(close(open("n\xff\x01m", O_WRONLY | O_CREAT, 0644)));
    int sock = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "sock"};
    MUST(bind(sock, (struct sockaddr *)&address, sizeof address));
}

static void links_dots_and_descriptors_are_resolved(void **state)
{
    (void)state;
    struct trace *trace = traced_body(walk_odd_paths);
    traced_expect(trace, "real/f", ACCESS_CREATE | ACCESS_STAT, false);
    traced_expect(trace, "way", ACCESS_CREATE | ACCESS_LINK, false);
    traced_expect(trace, "real/last", ACCESS_CREATE | ACCESS_LINK, false);
    traced_expect(trace, "real/g", ACCESS_STAT, false);
    traced_expect(trace, "real/h", ACCESS_CREATE, false);
    traced_expect(trace, "top", ACCESS_CREATE, false);
    traced_expect(trace, "real", ACCESS_MKDIR | ACCESS_STAT | ACCESS_LIST, false);
    traced_expect(trace, "n\xff\x01m", ACCESS_CREATE, false);
    traced_expect(trace, "sock", ACCESS_CREATE, false);
    traced_expect_unseen(trace, "way/f");
    trace_free(trace);
}

static void run_a_script(void)
{
    int fd = open("script", O_WRONLY | O_CREAT, 0755);
    MUST(fd);
    MUST(write(fd, "#!/bin/sh -e\n: > from_script\n", 29));
    MUST(close(fd));
    pid_t child = fork();
    if (child == 0) {
        execl("./script", "script", (char *)NULL);
        _exit(1);
    }
    int status;
    MUST(waitpid(child, &status, 0));
    MUST(status ? -1 : 0);
}

static void interpreters_are_seen(void **state)
{
    (void)state;
    struct trace *trace = traced_body(run_a_script);
    traced_expect(trace, "script", ACCESS_CREATE | ACCESS_READ | ACCESS_EXEC, false);
    traced_expect(trace, "from_script", ACCESS_CREATE, false);
    char shell[PATH_MAX];
    assert_non_null(realpath("/bin/sh", shell));
    const struct access *access = trace_find(trace, shell);
    assert_non_null(access);
    assert_true(access->kinds & ACCESS_EXEC);
    bool linker = false; /* of the shell: opened by the kernel, not by a call */
    for (size_t i = 0; i < trace->accesses.len; i++) {
        const char *path = name_text(trace->accesses.at[i].path);
        linker |= strstr(path, "/ld-linux") && (trace->accesses.at[i].kinds & ACCESS_EXEC);
    }
#if defined(__x86_64__)
    assert_true(linker);
#endif
    trace_free(trace);
}

#if defined(__x86_64__)
/* An i386 call out of a 64-bit process, as a 32-bit program makes it. */
static long call_i386(long number, uintptr_t a, long b, long c)
{
    long result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(a), "c"(b), "d"(c)
                     : "memory", "r8", "r9", "r10", "r11");
    return result;
}

static void make_foreign_calls(void)
{
    char *low =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (low == MAP_FAILED)
        _exit(9);
    strcpy(low, "by_i386");
    enum { I386_OPEN = 5, X32_BIT = 0x40000000, X32_OPEN = 2 };
    if (call_i386(I386_OPEN, (uintptr_t)low, O_WRONLY | O_CREAT, 0644) < 0)
        _exit(10);
    errno = 0;
    if (syscall(X32_BIT + X32_OPEN, "by_x32", O_WRONLY | O_CREAT, 0644) >= 0 || errno != ENOSYS)
        _exit(11);
    errno = 0;
    char params[120] = {0};
    if (syscall(SYS_io_uring_setup, 1, params) >= 0 || errno != ENOSYS)
        _exit(12);
}

static void calls_of_other_architectures_are_not_missed(void **state)
{
    (void)state;
    traced_needs_32_bits();
    struct trace *trace = traced_body(make_foreign_calls);
    traced_expect(trace, "by_i386", ACCESS_CREATE, false);
    assert_int_equal(access("by_x32", F_OK), -1);
    trace_free(trace);
}
#endif

enum { MANY = 2000 };

static void make_many(void)
{
    for (int i = 0; i < MANY / 10; i++) {
        pid_t child = fork();
        if (child == 0) {
            char name[32];
            for (int k = 0; k < 10; k++) {
                snprintf(name, sizeof name, "many-%d", i * 10 + k);
                MUST(close(open(name, O_WRONLY | O_CREAT, 0644)));
            }
            _exit(0);
        }
        if (i % 8 == 7)
            while (wait(NULL) > 0)
                continue;
    }
    while (wait(NULL) > 0)
        continue;
}

static void many_processes_lose_nothing(void **state)
{
    (void)state;
    struct trace *trace = traced_body(make_many);
    char name[32];
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "many-%d", i);
        traced_expect(trace, name, ACCESS_CREATE, false);
    }
    trace_free(trace);
}

static void long_and_deep(void)
{
    /* 4,095 bytes of "./././there" */
    static char path[4096];
    memset(path, '/', sizeof path);
    memcpy(path + 4095 - 5, "there", 6);
    path[0] = '.';
    MUST(close(open(path, O_RDONLY)));
    path[4094] = 'f'; /* therf */
    MUST(open(path, O_RDONLY) < 0 ? 0 : -1);
    MUST(mkdir("doomed", 0755));
    MUST(chdir("doomed"));
    MUST(rmdir("../doomed"));
    MUST(open("orphan", O_WRONLY | O_CREAT, 0644) < 0 ? 0 : -1);
}

static void the_longest_path_and_a_deleted_directory(void **state)
{
    (void)state;
    struct trace *trace = traced_body(long_and_deep);
    traced_expect(trace, "there", ACCESS_READ, true);
    traced_expect(trace, "therf", ACCESS_READ, false);
    traced_expect(trace, "doomed", ACCESS_MKDIR | ACCESS_RMDIR | ACCESS_STAT, false);
    trace_free(trace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(opens_are_told_apart, traced_setup, traced_teardown),
        cmocka_unit_test_setup_teardown(changes_of_names_are_seen, traced_setup, traced_teardown),
        cmocka_unit_test_setup_teardown(talk_is_noticed, traced_setup, traced_teardown),
        cmocka_unit_test_setup_teardown(links_dots_and_descriptors_are_resolved, traced_setup,
                                        traced_teardown),
        cmocka_unit_test_setup_teardown(interpreters_are_seen, traced_setup, traced_teardown),
#if defined(__x86_64__)
        cmocka_unit_test_setup_teardown(calls_of_other_architectures_are_not_missed, traced_setup,
                                        traced_teardown),
#endif
        cmocka_unit_test_setup_teardown(many_processes_lose_nothing, traced_setup, traced_teardown),
        cmocka_unit_test_setup_teardown(the_longest_path_and_a_deleted_directory, traced_setup,
                                        traced_teardown),
    };
    return traced_run(tests, sizeof tests / sizeof *tests);
}

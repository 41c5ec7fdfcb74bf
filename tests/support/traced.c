#include "tests/support/traced.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"

char traced_dir[PATH_MAX];
enum trace_way traced_way;

int traced_setup(void **state)
{
    (void)state;
    char dir[] = "/tmp/gantry-trace-XXXXXX";
    if (!mkdtemp(dir) || !realpath(dir, traced_dir) || chdir(traced_dir) < 0)
        return -1;
    struct err err = {0};
    return file_write("there", "x", 1, 0644, &err);
}

int traced_teardown(void **state)
{
    (void)state;
    struct err err = {0};
    return chdir("/") < 0 ? -1 : file_remove_tree(traced_dir, &err);
}

struct beside {
    traced_beside *call;
    const struct trace *trace;
    _Atomic bool served;
};

static void *stand_beside(void *data)
{
    struct beside *beside = data;
    while (!atomic_load(&beside->served))
        beside->call(beside->trace);
    return NULL;
}

static struct trace *traced(void (*body)(void), const char *const *argv, traced_beside *call)
{
    struct err err = {0};
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    const struct trace_filter *filter = trace_filter_get(traced_way);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (trace_child(filter, pair[1]) < 0)
            _exit(99);
        close(pair[0]);
        close(pair[1]);
        if (argv) {
            execvp(argv[0], (char *const *)(uintptr_t)argv);
            _exit(98);
        }
        body();
        _exit(0);
    }
    close(pair[1]);
    int listener = trace_receive(pair[0]);
    close(pair[0]);
    assert_true(listener >= 0);
    struct trace *trace = trace_open(listener, NULL);
    int status = -1;
    struct beside beside = {.call = call, .trace = trace};
    pthread_t thread;
    if (call)
        assert_int_equal(pthread_create(&thread, NULL, stand_beside, &beside), 0);
    assert_int_equal(trace_serve(trace, -1, &err), 0);
    atomic_store(&beside.served, true);
    if (call)
        assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    return trace;
}

struct trace *traced_body(void (*body)(void))
{
    return traced(body, NULL, NULL);
}

struct trace *traced_program(const char *const *argv)
{
    return traced(NULL, argv, NULL);
}

struct trace *traced_program_beside(const char *const *argv, traced_beside *beside)
{
    return traced(NULL, argv, beside);
}

void traced_expect(const struct trace *trace, const char *name, unsigned kinds, bool found)
{
    char *path = name[0] == '/' ? mem_copy(name) : path_join(traced_dir, name);
    const struct access *access = trace_find(trace, path);
    if (!access)
        fail_msg("%s was not seen", path);
    if (access->kinds != kinds || access->found != found)
        fail_msg("%s: kinds %#x found %d, expected %#x %d", path, access->kinds, access->found,
                 kinds, found);
    free(path);
}

void traced_expect_unseen(const struct trace *trace, const char *name)
{
    char *path = path_join(traced_dir, name);
    assert_null(trace_find(trace, path));
    free(path);
}

#if defined(__x86_64__)
void traced_needs_32_bits(void)
{
    enum { I386_GETPID = 20 };
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL); /* cmocka's handler would go on with its tests */
        long number = I386_GETPID;
        __asm__ volatile("int $0x80" : "+a"(number) : : "memory", "r8", "r9", "r10", "r11");
        _exit(number == getpid() ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (status == 0)
        return;
    fprintf(stderr, "no 32-bit calls here: not tested\n");
    skip();
}
#endif

static bool can_trace(enum trace_way way)
{
    static const char *const names[] = {"seccomp user notification", "ptrace",
                                        "ptrace and seccomp"};
    struct trace_features features = trace_probe();
    bool can = way == TRACE_BY_ANY ? features.notify : features.stops;
    fprintf(stderr, can ? "traced by %s:\n" : "no %s here: nothing to test\n", names[way]);
    return can;
}

int traced_run(const struct CMUnitTest *tests, size_t count)
{
    int failed = 0;
    for (traced_way = 0; traced_way < TRACE_WAYS; traced_way++)
        if (can_trace(traced_way))
            failed += _cmocka_run_group_tests("traced", tests, count, NULL, NULL);
    return failed;
}

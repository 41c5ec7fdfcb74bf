/* Conformance of tracing over kinds of programs: however a call is made, and by whom, it is seen. */
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
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "tests/support/traced.h"

/* Writes a source into the scratch directory and runs a command line that makes it a program. */
static void build(const char *source, const char *text, const char *command)
{
    struct err err = {0};
    assert_int_equal(file_write(source, text, strlen(text), 0644, &err), 0);
    assert_int_equal(system(command), 0);
}

static const char *in_dir(const char *name)
{
    static char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", traced_dir, name);
    return path;
}

static struct trace *run_in_dir(const char *name)
{
    return traced_program((const char *const[]){in_dir(name), NULL});
}

#define RUNS ACCESS_READ | ACCESS_EXEC

static const char c_program[] =
    "#include <fcntl.h>\n#include <stdio.h>\n#include <unistd.h>\n"
    "int main(void) {\n"
    "    if (open(\"there\", O_RDONLY) < 0) return 1;\n"
    "    FILE *f = fopen(\"made\", \"w\");\n"
    "    if (!f || fclose(f) || rename(\"made\", \"moved\")) return 2;\n"
    "    return access(\"absent\", F_OK) == 0;\n}\n";

static void expect_c_program(const struct trace *trace)
{
    traced_expect(trace, "program", RUNS, true);
    traced_expect(trace, "there", ACCESS_READ, true);
    traced_expect(trace, "made", ACCESS_CREATE | ACCESS_REMOVE, false);
    traced_expect(trace, "moved", ACCESS_CREATE, false);
    traced_expect(trace, "absent", ACCESS_STAT, false);
}

static void a_static_program(void **state)
{
    (void)state;
    build("program.c", c_program, "gcc -static -o program program.c");
    struct trace *trace = run_in_dir("program");
    expect_c_program(trace);
    assert_int_equal(trace->flaws, 0);
    trace_free(trace);
}

static void a_dynamic_program(void **state)
{
    (void)state;
    build("program.c", c_program, "gcc -o program program.c");
    struct trace *trace = run_in_dir("program");
    expect_c_program(trace);
    const struct access *run = trace_find(trace, in_dir("there"));
    assert_non_null(run);
    const struct trace_process *process = &trace->processes.at[run->process];
    assert_string_equal(name_text(process->program), in_dir("program"));
    assert_string_equal(intern_text(&trace->commands, process->command), in_dir("program"));
    trace_free(trace);
}

#if defined(__x86_64__)
/* Without a libc: openat(AT_FDCWD, "by_hand", O_CREAT|O_WRONLY), unlink("there"), exit. */
static void an_assembler_program(void **state)
{
    (void)state;
    build("program.s",
          ".globl _start\n_start:\n mov $257,%eax\n mov $-100,%edi\n lea made(%rip),%rsi\n"
          " mov $0101,%edx\n mov $0644,%r10d\n syscall\n test %eax,%eax\n js fail\n"
          " mov $87,%eax\n lea there(%rip),%rdi\n syscall\n mov %eax,%edi\n neg %edi\n"
          " mov $231,%eax\n syscall\nfail: mov $9,%edi\n mov $231,%eax\n syscall\n"
          "made: .asciz \"by_hand\"\nthere: .asciz \"there\"\n",
          "gcc -nostdlib -static -o program program.s");
    struct trace *trace = run_in_dir("program");
    traced_expect(trace, "by_hand", ACCESS_CREATE, false);
    traced_expect(trace, "there", ACCESS_REMOVE, true);
    trace_free(trace);
}

/* A real 32-bit program: open by int 0x80, and a socket bound by socketcall. */
static void a_32_bit_program(void **state)
{
    (void)state;
    traced_needs_32_bits();
    build(
        "program.s",
        ".globl _start\n_start:\n mov $5,%eax\n mov $made,%ebx\n mov $0101,%ecx\n mov $0644,%edx\n"
        " int $0x80\n test %eax,%eax\n js fail\n"
        " mov $102,%eax\n mov $1,%ebx\n mov $sock,%ecx\n int $0x80\n mov %eax,args\n"
        " mov $102,%eax\n mov $2,%ebx\n mov $args,%ecx\n int $0x80\n mov %eax,%ebx\n neg %ebx\n"
        " mov $252,%eax\n int $0x80\nfail: mov $9,%ebx\n mov $252,%eax\n int $0x80\n"
        ".data\nmade: .asciz \"by_32\"\n.align 4\nsock: .long 1,1,0\nargs: .long 0,address,110\n"
        "address: .word 1\n.asciz \"sock_32\"\n.fill 110\n",
        "as --32 -o program.o program.s && ld -m elf_i386 -o program program.o");
    struct trace *trace = run_in_dir("program");
    traced_expect(trace, "program", RUNS, true);
    traced_expect(trace, "by_32", ACCESS_CREATE, false);
    traced_expect(trace, "sock_32", ACCESS_CREATE, false);
    const struct access *run = trace_find(trace, in_dir("by_32"));
    assert_string_equal(intern_text(&trace->commands, trace->processes.at[run->process].command),
                        in_dir("program"));
    trace_free(trace);
}
#endif

/* The ways to start a process; each child makes a file named after it. */

static void touch(const char *name)
{
    MUST(close(open(name, O_WRONLY | O_CREAT, 0644)));
}

static int in_thread(void *name)
{
    touch(name);
    return 0;
}

static void *in_pthread(void *name)
{
    touch(name);
    return NULL;
}

static void start_in_all_ways(void)
{
    pid_t pid = vfork();
    if (pid == 0) {
        execlp("touch", "touch", "by_vfork", (char *)NULL);
        _exit(1);
    }
    char *const argv[] = {"touch", "by_spawn", NULL};
    if (posix_spawnp(&pid, "touch", NULL, NULL, argv, environ) != 0)
        _exit(2);
    struct clone_args args = {.flags = CLONE_VFORK, .exit_signal = SIGCHLD};
    long child = syscall(SYS_clone3, &args, sizeof args);
    if (child == 0) {
        touch("by_clone3");
        _exit(0);
    }
    MUST(child);
    static char stack[64 * 1024];
    MUST(clone(in_thread, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, "by_clone"));
    pthread_t thread;
    if (pthread_create(&thread, NULL, in_pthread, "by_thread") != 0)
        _exit(3);
    pthread_join(thread, NULL);
    int status;
    while (wait(&status) > 0)
        MUST(status ? -1 : 0);
}

static void however_a_process_is_started(void **state)
{
    (void)state;
    struct trace *trace = traced_body(start_in_all_ways);
    traced_expect(trace, "by_clone3", ACCESS_CREATE, false);
    traced_expect(trace, "by_clone", ACCESS_CREATE, false);
    traced_expect(trace, "by_thread", ACCESS_CREATE, false);
    /* touch sets times as well, by descriptor: no name in that */
    traced_expect(trace, "by_vfork", ACCESS_CREATE, false);
    traced_expect(trace, "by_spawn", ACCESS_CREATE, false);
    trace_free(trace);
}

/* New calls, some of which libseccomp may not know. */
static void make_new_calls(void)
{
    struct open_how how = {.flags = O_WRONLY | O_CREAT, .mode = 0644};
    MUST(syscall(SYS_openat2, AT_FDCWD, "by_openat2", &how, sizeof how));
    enum { FCHMODAT2 = 452, GETXATTRAT = 464 };
    syscall(FCHMODAT2, AT_FDCWD, "by_openat2", 0600, 0);
    char value[16];
    uint64_t get[2] = {(uintptr_t)value, sizeof value};
    syscall(GETXATTRAT, AT_FDCWD, "there", 0, "user.x", get, sizeof get);
    /* A file without a name that gets one, in both ways. */
    int fd = open(".", O_TMPFILE | O_WRONLY, 0644);
    MUST(fd);
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    MUST(linkat(AT_FDCWD, link, AT_FDCWD, "linked", AT_SYMLINK_FOLLOW));
    int root = open(".", O_RDONLY | O_DIRECTORY);
    MUST(root);
    if (linkat(fd, "", root, "linked2", AT_EMPTY_PATH) < 0 && errno != ENOENT)
        _exit(7); /* ENOENT: not privileged */
    MUST(syscall(SYS_renameat2, root, "linked", root, "linked3", RENAME_NOREPLACE));
    MUST(syscall(SYS_renameat2, root, "linked3", root, "there", RENAME_EXCHANGE));
}

static void new_calls_and_nameless_files(void **state)
{
    (void)state;
    struct trace *trace = traced_body(make_new_calls);
    traced_expect(trace, "by_openat2", ACCESS_CREATE | ACCESS_META, false);
    traced_expect(trace, "linked", ACCESS_CREATE | ACCESS_REMOVE, false);
    traced_expect(trace, "linked2", ACCESS_CREATE, false);
    traced_expect(trace, "linked3", ACCESS_CREATE | ACCESS_WRITE, false);
    traced_expect(trace, "there", ACCESS_STAT | ACCESS_WRITE, true);
    trace_free(trace);
}

/* Other roots. A machine that allows no user namespaces has nothing to test here. */

static bool namespaces_work(int flags)
{
    pid_t child = fork();
    if (child == 0)
        _exit(unshare(flags) < 0);
    int status = 1;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static void work_in_a_chroot(void)
{
    MUST(mkdir("jail", 0755));
    MUST(mkdir("jail/etc", 0755));
    MUST(symlink("/etc", "jail/conf"));
    MUST(unshare(geteuid() ? CLONE_NEWUSER : 0));
    MUST(chroot("jail"));
    MUST(chdir("/"));
    touch("/etc/inside");
    touch("/conf/by_link");
    touch("../../etc/by_dots");
}

static void a_chroot(void **state)
{
    (void)state;
    if (geteuid() != 0 && !namespaces_work(CLONE_NEWUSER))
        skip(); /* nobody may change his root here */
    struct trace *trace = traced_body(work_in_a_chroot);
    traced_expect(trace, "jail/etc/inside", ACCESS_CREATE, false);
    traced_expect(trace, "jail/etc/by_link", ACCESS_CREATE, false);
    traced_expect(trace, "jail/etc/by_dots", ACCESS_CREATE, false);
    traced_expect(trace, "jail/conf", ACCESS_CREATE | ACCESS_LINK, false);
    assert_int_equal(trace->flaws, 0);
    trace_free(trace);
}

static void write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    if (fd < 0 || write(fd, text, strlen(text)) < 0 || close(fd) < 0)
        _exit(8);
}

static void work_in_own_mounts(void)
{
    MUST(mkdir("mounted", 0755));
    char users[32], groups[32];
    snprintf(users, sizeof users, "0 %d 1", (int)geteuid());
    snprintf(groups, sizeof groups, "0 %d 1", (int)getegid());
    MUST(unshare(CLONE_NEWUSER | CLONE_NEWNS));
    write_text("/proc/self/setgroups", "deny");
    write_text("/proc/self/uid_map", users);
    write_text("/proc/self/gid_map", groups);
    MUST(mount("none", "mounted", "tmpfs", 0, NULL));
    touch("mounted/hidden");
    MUST(open("mounted/hidden", O_RDONLY)); /* found, though not by us */
    touch("seen");
}

static void own_mounts(void **state)
{
    (void)state;
    if (!namespaces_work(CLONE_NEWUSER | CLONE_NEWNS))
        skip(); /* nobody may have mounts of his own here */
    struct trace *trace = traced_body(work_in_own_mounts);
    traced_expect(trace, "mounted/hidden", ACCESS_CREATE | ACCESS_READ, false);
    traced_expect(trace, "seen", ACCESS_CREATE, false);
    assert_int_equal(trace->flaws, TRACE_FOREIGN_ROOT);
    trace_free(trace);
}

/* What cannot work while traced is told. */

static void want_a_listener(void)
{
    struct sock_filter allow = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
    struct sock_fprog program = {1, &allow};
    MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)); /* a traced step may have it, or not */
    long fd =
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    if (traced_way == TRACE_BY_ANY ? fd >= 0 || errno != EBUSY : fd < 0)
        _exit(1);
    /* a filter without a listener is nobody's business */
    MUST(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
    touch("after");
}

static void a_listener_of_ones_own(void **state)
{
    (void)state;
    struct trace *trace = traced_body(want_a_listener);
    /* where every call is stopped at, a listener is in nobody's way */
    assert_int_equal(trace->flaws, traced_way == TRACE_BY_STOPS ? 0
                                   : traced_way == TRACE_BY_ANY
                                       ? TRACE_OWN_LISTENER
                                       : TRACE_OWN_LISTENER | TRACE_UNREADABLE);
    traced_expect(trace, "after", ACCESS_CREATE, false);
    trace_free(trace);
}

/* Its number stands in the status of who is traced. */
static void kill_the_tracer(void)
{
    touch("before");
    char text[4096], *line;
    int fd = open("/proc/self/status", O_RDONLY);
    ssize_t length = read(fd, text, sizeof text - 1);
    MUST(length);
    text[length] = '\0';
    line = strstr(text, "\nTracerPid:");
    long tracer = line ? strtol(line + 11, NULL, 10) : 0;
    if (tracer <= 1 || kill((pid_t)tracer, SIGKILL) < 0)
        _exit(1);
}

static void a_tracer_that_is_killed(void **state)
{
    (void)state;
    if (traced_way == TRACE_BY_ANY)
        skip(); /* there is none */
    struct trace *trace = traced_body(kill_the_tracer);
    traced_expect(trace, "before", ACCESS_CREATE, false);
    assert_int_equal(trace->flaws, TRACE_UNREADABLE);
    trace_free(trace);
}

static void run_set_user_id(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        execl("./program", "program", (char *)NULL);
        _exit(1);
    }
    int status;
    MUST(waitpid(pid, &status, 0));
    MUST(status ? -1 : 0);
}

static void a_set_user_id_program(void **state)
{
    (void)state;
    build("program.c", c_program, "gcc -static -o program program.c && chmod 4755 program");
    struct trace *trace = traced_body(run_set_user_id);
    assert_int_equal(trace->flaws, TRACE_PRIVILEGE);
    traced_expect(trace, "moved", ACCESS_CREATE, false);
    trace_free(trace);
}

static void hide_and_open(void)
{
    MUST(prctl(PR_SET_DUMPABLE, 0));
    touch("hidden");
}

static void a_process_that_hides_its_memory(void **state)
{
    (void)state;
    struct trace *trace = traced_body(hide_and_open);
    if (geteuid() == 0)
        traced_expect(trace, "hidden", ACCESS_CREATE, false);
    else
        assert_int_equal(trace->flaws, TRACE_UNREADABLE);
    trace_free(trace);
}

static void under_strace(void **state)
{
    (void)state;
    if (system("strace -o trace.out true 2>/dev/null") != 0 || traced_way == TRACE_BY_FILTER_STOPS)
        skip(); /* no strace, or it may not trace here */
    struct trace *trace = traced_program((const char *const[]){
        "strace", "-f", "-o", "trace.out", "sh", "-c", ": >by_traced; cat there >/dev/null", NULL});
    if (traced_way == TRACE_BY_STOPS) { /* let go: it worked, unseen */
        assert_int_equal(access("by_traced", F_OK), 0);
        traced_expect_unseen(trace, "by_traced");
        traced_expect(trace, "trace.out", ACCESS_WRITE, true);
        assert_int_equal(trace->flaws, TRACE_OWN_TRACER);
    } else {
        traced_expect(trace, "by_traced", ACCESS_CREATE, false);
        traced_expect(trace, "there", ACCESS_READ, true);
        assert_int_equal(trace->flaws, 0);
    }
    trace_free(trace);
}

/* Numbers. */

enum { PROCESSES = 10000, LANES = 64, LANE_PROCESSES = 100 };

/* Starts as many processes as its argument says; every second one makes its file from a directory
 * of its own. A small static program: starting one has to cost little. */
static const char many_program[] =
    "#include <fcntl.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <sys/stat.h>\n"
    "#include <sys/wait.h>\n#include <unistd.h>\n"
    "int main(int argc, char **argv) {\n"
    "    int count = argc > 1 ? atoi(argv[1]) : 0, status, failed = 0;\n"
    "    if (mkdir(\"d0\", 0755) || mkdir(\"d1\", 0755)) return 1;\n"
    "    for (int i = 0; i < count; i++) {\n"
    "        char name[32];\n"
    "        sprintf(name, \"f%d\", i);\n"
    "        pid_t child = fork();\n"
    "        if (child < 0) return 2;\n"
    "        if (child == 0)\n"
    "            _exit(chdir(i % 2 ? \"d1\" : \"d0\") || open(name, O_CREAT | O_WRONLY, 0644) < "
    "0);\n"
    "        if (i % 16 == 15) while (wait(&status) > 0) failed |= status;\n"
    "    }\n"
    "    while (wait(&status) > 0) failed |= status;\n"
    "    return failed != 0;\n}\n";

static void start_many(const char *program, int count)
{
    char number[16], name[64];
    snprintf(number, sizeof number, "%d", count);
    struct trace *trace = traced_program((const char *const[]){program, number, NULL});
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "d%d/f%d", i % 2, i);
        traced_expect(trace, name, ACCESS_CREATE, false);
    }
    for (size_t i = 0; i < trace->accesses.len; i++) { /* and nothing of another lane */
        const char *path = name_text(trace->accesses.at[i].path);
        if (strstr(path, "/lane") && strncmp(path, traced_dir, strlen(traced_dir)) != 0)
            fail_msg("%s is of another lane", path);
    }
    trace_free(trace);
}

static void ten_thousand_processes_lose_nothing(void **state)
{
    (void)state;
    build("program.c", many_program, "gcc -static -o program program.c");
    start_many("./program", traced_way == TRACE_BY_ANY ? PROCESSES : PROCESSES / 10);
}

/* One of 64 at once, each in a directory of its own. */
static int run_lane(int lane)
{
    snprintf(traced_dir + strlen(traced_dir), 32, "/lane%d", lane);
    if (mkdir(traced_dir, 0755) < 0 || chdir(traced_dir) < 0)
        return 1;
    start_many("../program", LANE_PROCESSES);
    return 0;
}

static void sixty_four_lanes_lose_nothing(void **state)
{
    (void)state;
    build("program.c", many_program, "gcc -static -o program program.c");
    for (int lane = 0; lane < (traced_way == TRACE_BY_ANY ? LANES : LANES / 8); lane++) {
        pid_t child = fork();
        if (child == 0)
            _exit(run_lane(lane));
        assert_true(child > 0);
    }
    for (int status; wait(&status) > 0;)
        assert_int_equal(status, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, traced_setup, traced_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_static_program),
        TEST(a_dynamic_program),
#if defined(__x86_64__)
        TEST(an_assembler_program),
        TEST(a_32_bit_program),
#endif
        TEST(however_a_process_is_started),
        TEST(new_calls_and_nameless_files),
        TEST(a_chroot),
        TEST(own_mounts),
        TEST(a_listener_of_ones_own),
        TEST(a_tracer_that_is_killed),
        TEST(a_set_user_id_program),
        TEST(a_process_that_hides_its_memory),
        TEST(under_strace),
        TEST(ten_thousand_processes_lose_nothing),
        TEST(sixty_four_lanes_lose_nothing),
    };
    return traced_run(tests, sizeof tests / sizeof *tests);
}

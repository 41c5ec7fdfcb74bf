/* Conformance of tracing over rarer calls and odd ways to name a file. */
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
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "base/file.h"
#include "base/path.h"
#include "tests/support/traced.h"

static void touch(const char *name)
{
    MUST(close(open(name, O_WRONLY | O_CREAT, 0644)));
}

/* A static program in the scratch directory that reads `there` and makes `made`. */
static void build_program(void)
{
    static const char text[] = "#include <fcntl.h>\n"
                               "int main(void) { return open(\"there\", O_RDONLY) < 0 ||\n"
                               "    open(\"made\", O_WRONLY | O_CREAT, 0644) < 0; }\n";
    struct err err = {0};
    assert_int_equal(file_write("program.c", text, strlen(text), 0644, &err), 0);
    assert_int_equal(system("gcc -static -o program program.c"), 0);
}

static void expect_program(const struct trace *trace)
{
    traced_expect(trace, "program", ACCESS_READ | ACCESS_EXEC, true);
    traced_expect(trace, "there", ACCESS_READ, true);
    traced_expect(trace, "made", ACCESS_CREATE, false);
    assert_int_equal(trace->flaws, 0);
}

static const char *program_behind(const struct trace *trace, const char *name)
{
    char *path = path_join(traced_dir, name);
    const struct access *access = trace_find(trace, path);
    free(path);
    assert_non_null(access);
    uint32_t program = trace->processes.at[access->process].program;
    return program == INTERN_NONE ? "" : name_text(program);
}

static void *execute(void *unused)
{
    (void)unused;
    execl("./program", "program", (char *)NULL);
    _exit(7);
}

static void execute_in_a_thread(void)
{
    touch("before"); /* so that the first thread is known */
    pthread_t thread;
    if (pthread_create(&thread, NULL, execute, NULL) != 0)
        _exit(8);
    for (;;)
        pause();
}

static void an_exec_out_of_a_thread(void **state)
{
    (void)state;
    build_program();
    struct trace *trace = traced_body(execute_in_a_thread);
    traced_expect(trace, "before", ACCESS_CREATE, false);
    expect_program(trace);
    char *program = path_join(traced_dir, "program");
    assert_string_equal(program_behind(trace, "made"), program);
    free(program);
    trace_free(trace);
}

static void execute_a_descriptor(void)
{
    int fd = open("program", O_PATH | O_CLOEXEC);
    MUST(fd);
    char *const argv[] = {"program", NULL}, *const env[] = {NULL};
    syscall(SYS_execveat, fd, "", argv, env, AT_EMPTY_PATH);
    _exit(9);
}

static void execute_from_a_directory(void)
{
    int dir = open(traced_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    MUST(dir);
    char *const argv[] = {"program", NULL}, *const env[] = {NULL};
    syscall(SYS_execveat, dir, "program", argv, env, 0);
    _exit(9);
}

static void an_exec_by_descriptor(void **state)
{
    (void)state;
    build_program();
    struct trace *trace = traced_body(execute_a_descriptor);
    traced_expect(trace, "program", ACCESS_STAT | ACCESS_READ | ACCESS_EXEC, true);
    traced_expect(trace, "made", ACCESS_CREATE, false);
    trace_free(trace);
    assert_int_equal(unlink("made"), 0);
    trace = traced_body(execute_from_a_directory);
    expect_program(trace);
    trace_free(trace);
}

/* From memory: no file is executed, but its dynamic linker is. */
static void execute_memory(void)
{
    int from = open("/bin/true", O_RDONLY), fd = memfd_create("nowhere", MFD_CLOEXEC);
    struct stat st;
    MUST(fstat(from, &st));
    MUST(sendfile(fd, from, NULL, (size_t)st.st_size));
    char *const argv[] = {"true", NULL}, *const env[] = {NULL};
    syscall(SYS_execveat, fd, "", argv, env, AT_EMPTY_PATH);
    _exit(9);
}

static void an_exec_of_memory(void **state)
{
    (void)state;
    struct trace *trace = traced_body(execute_memory);
    bool linker = false;
    for (size_t i = 0; i < trace->accesses.len; i++)
        linker |= strstr(name_text(trace->accesses.at[i].path), "/ld-linux") &&
                  (trace->accesses.at[i].kinds & ACCESS_EXEC);
    assert_true(linker);
    assert_int_equal(trace->flaws, 0);
    trace_free(trace);
}

static void name_in_odd_ways(void)
{
    /* through an O_PATH descriptor, opened again */
    int fd = open("there", O_PATH);
    MUST(fd);
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    MUST(open(link, O_RDONLY));
    /* a link to nothing, through which something comes into being; a ring of links */
    MUST(symlink("grown", "dangling"));
    MUST(open("dangling", O_WRONLY | O_CREAT, 0644));
    MUST(symlink("ring", "ring"));
    MUST(open("ring", O_RDONLY) < 0 && errno == ELOOP ? 0 : -1);
    /* the last bytes of a mapping, and over the border of two pages */
    char *pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(pages == MAP_FAILED ? -1 : mprotect(pages + 2 * 4096, 4096, PROT_NONE));
    strcpy(pages + 2 * 4096 - 8, "at_edge");
    touch(pages + 2 * 4096 - 8);
    strcpy(pages + 4096 - 3, "across");
    touch(pages + 4096 - 3);
    /* with another root for this one call */
    MUST(mkdir("jail", 0755));
    MUST(symlink("/inner", "jail/way"));
    int jail = open("jail", O_RDONLY | O_DIRECTORY);
    struct open_how how = {.flags = O_WRONLY | O_CREAT, .mode = 0644, .resolve = RESOLVE_IN_ROOT};
    MUST(syscall(SYS_openat2, jail, "/../rooted", &how, sizeof how));
    MUST(syscall(SYS_openat2, jail, "way", &how, sizeof how));
    MUST(openat(jail, "../after", O_WRONLY | O_CREAT, 0644));
}

static void odd_ways_to_name_a_file(void **state)
{
    (void)state;
    struct trace *trace = traced_body(name_in_odd_ways);
    traced_expect(trace, "there", ACCESS_STAT | ACCESS_READ, true);
    traced_expect(trace, "dangling", ACCESS_CREATE | ACCESS_LINK, false);
    traced_expect(trace, "grown", ACCESS_CREATE, false);
    traced_expect(trace, "at_edge", ACCESS_CREATE, false);
    traced_expect(trace, "across", ACCESS_CREATE, false);
    traced_expect(trace, "jail/rooted", ACCESS_CREATE, false);
    traced_expect(trace, "jail/way", ACCESS_CREATE | ACCESS_LINK, false);
    traced_expect(trace, "jail/inner", ACCESS_CREATE, false);
    traced_expect(trace, "after", ACCESS_CREATE, false);
    traced_expect_unseen(trace, "rooted");
    assert_int_equal(trace->flaws, 0);
    trace_free(trace);
}

static void leave_a_removed_directory(void)
{
    MUST(mkdir("doomed", 0755));
    int dir = open("doomed", O_RDONLY | O_DIRECTORY);
    MUST(chdir("doomed"));
    MUST(rmdir("../doomed"));
    MUST(open("../there", O_RDONLY));
    touch(".//../by_dots");
    MUST(openat(dir, "../by_descriptor", O_WRONLY | O_CREAT, 0644));
}

static void the_way_up_from_a_removed_directory(void **state)
{
    (void)state;
    struct trace *trace = traced_body(leave_a_removed_directory);
    traced_expect(trace, "there", ACCESS_READ, true);
    traced_expect(trace, "by_dots", ACCESS_CREATE, false);
    traced_expect(trace, "by_descriptor", ACCESS_CREATE, false);
    trace_free(trace);
}

static void call_with_directories(void)
{
    MUST(mkdir("d", 0755));
    int dir = open("d", O_RDONLY | O_DIRECTORY);
    MUST(dir);
    MUST(mkdirat(dir, "sub", 0755));
    MUST(mknodat(dir, "fifo", S_IFIFO | 0600, 0));
    MUST(symlinkat("file", dir, "link"));
    MUST(openat(dir, "file", O_WRONLY | O_CREAT, 0644));
    char text[64];
    MUST(readlinkat(dir, "link", text, sizeof text));
    MUST(linkat(dir, "file", dir, "hard", 0));
    MUST(renameat(dir, "hard", AT_FDCWD, "moved"));
    MUST(fchmodat(dir, "file", 0600, 0));
    MUST(utimensat(dir, "link", NULL, AT_SYMLINK_NOFOLLOW));
    MUST(unlinkat(dir, "fifo", 0));
    MUST(unlinkat(dir, "sub", AT_REMOVEDIR));
    /* by descriptor alone: no name in any of these */
    struct stat st;
    MUST(fstatat(dir, "", &st, AT_EMPTY_PATH));
    int fd = open("moved", O_WRONLY);
    MUST(futimens(fd, NULL));
    MUST(fchmod(fd, 0600));
    MUST(ftruncate(fd, 0));
    MUST(truncate("there", 0));
}

static void calls_relative_to_directories(void **state)
{
    (void)state;
    struct trace *trace = traced_body(call_with_directories);
    traced_expect(trace, "d", ACCESS_MKDIR | ACCESS_STAT, false);
    traced_expect(trace, "d/sub", ACCESS_MKDIR | ACCESS_RMDIR, false);
    traced_expect(trace, "d/fifo", ACCESS_CREATE | ACCESS_REMOVE, false);
    traced_expect(trace, "d/link", ACCESS_CREATE | ACCESS_LINK | ACCESS_META, false);
    traced_expect(trace, "d/file", ACCESS_CREATE | ACCESS_READ | ACCESS_META, false);
    traced_expect(trace, "d/hard", ACCESS_CREATE | ACCESS_REMOVE, false);
    traced_expect(trace, "moved", ACCESS_CREATE | ACCESS_WRITE, false);
    traced_expect(trace, "there", ACCESS_WRITE, true);
    assert_int_equal(trace->flaws, 0);
    trace_free(trace);
}

static void talk_over_sockets(void)
{
    MUST(mkdir("d", 0755));
    MUST(chdir("d"));
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "sock"};
    int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    MUST(bind(server, (struct sockaddr *)&address, sizeof address));
    MUST(listen(server, 1));
    MUST(connect(client, (struct sockaddr *)&address, sizeof address));
    memcpy(address.sun_path, "\0nowhere", 8);
    MUST(bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof address));
}

static void sockets_with_names(void **state)
{
    (void)state;
    struct trace *trace = traced_body(talk_over_sockets);
    traced_expect(trace, "d/sock", ACCESS_CREATE | ACCESS_STAT, false);
    trace_free(trace);
}

static void open_by_handle(void)
{
    struct {
        struct file_handle head;
        char room[MAX_HANDLE_SZ];
    } handle = {.head.handle_bytes = MAX_HANDLE_SZ};
    int mount;
    if (name_to_handle_at(AT_FDCWD, "there", &handle.head, &mount, 0) < 0 && errno != EOPNOTSUPP)
        _exit(1);
    int dir = open(".", O_RDONLY | O_DIRECTORY);
    open_by_handle_at(dir, &handle.head, O_RDONLY); /* for the privileged alone */
}

/* Which file that was cannot be told: the trace says that it is not whole. */
static void a_file_opened_by_its_handle(void **state)
{
    (void)state;
    struct trace *trace = traced_body(open_by_handle);
    traced_expect(trace, "there", ACCESS_STAT, true);
    assert_int_equal(trace->flaws, TRACE_UNREADABLE);
    trace_free(trace);
}

#if defined(__x86_64__)
/* Listings by a 32-bit program: readdir (the oldest), getdents, getdents64. */
static void listings_of_a_32_bit_program(void **state)
{
    (void)state;
    traced_needs_32_bits();
    static const char text[] =
        ".macro list number, name\n mov $5,%eax\n mov $\\name,%ebx\n mov $0200000,%ecx\n int "
        "$0x80\n"
        " test %eax,%eax\n js fail\n mov %eax,%ebx\n mov $\\number,%eax\n mov $room,%ecx\n"
        " mov $4096,%edx\n int $0x80\n test %eax,%eax\n js fail\n.endm\n"
        ".globl _start\n_start:\n list 89 one\n list 141 two\n list 220 three\n"
        " mov $252,%eax\n xor %ebx,%ebx\n int $0x80\nfail: mov $9,%ebx\n mov $252,%eax\n int "
        "$0x80\n"
        ".data\none: .asciz \"one\"\ntwo: .asciz \"two\"\nthree: .asciz \"three\"\n.bss\n"
        ".lcomm room,4096\n";
    struct err err = {0};
    assert_int_equal(file_write("program.s", text, strlen(text), 0644, &err), 0);
    assert_int_equal(system("mkdir one two three && as --32 -o program.o program.s && "
                            "ld -m elf_i386 -o program program.o"),
                     0);
    char *program = path_join(traced_dir, "program");
    struct trace *trace = traced_program((const char *const[]){program, NULL});
    traced_expect(trace, "one", ACCESS_STAT | ACCESS_LIST, true);
    traced_expect(trace, "two", ACCESS_STAT | ACCESS_LIST, true);
    traced_expect(trace, "three", ACCESS_STAT | ACCESS_LIST, true);
    trace_free(trace);
    free(program);
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, traced_setup, traced_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_exec_out_of_a_thread),
        TEST(an_exec_by_descriptor),
        TEST(an_exec_of_memory),
        TEST(odd_ways_to_name_a_file),
        TEST(the_way_up_from_a_removed_directory),
        TEST(calls_relative_to_directories),
        TEST(sockets_with_names),
        TEST(a_file_opened_by_its_handle),
#if defined(__x86_64__)
        TEST(listings_of_a_32_bit_program),
#endif
    };
    return traced_run(tests, sizeof tests / sizeof *tests);
}

/* The accelerator: what programs do with it inside is seen as without it, and they do not notice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "tests/support/traced.h"
#include "trace/inject.h"

#define INCLUDES                                                                                   \
    "#define _GNU_SOURCE\n#include <errno.h>\n#include <fcntl.h>\n#include <limits.h>\n"           \
    "#include <pthread.h>\n#include <sched.h>\n#include <signal.h>\n#include <stdio.h>\n"          \
    "#include <stdlib.h>\n#include <string.h>\n#include <sys/stat.h>\n#include <sys/wait.h>\n"     \
    "#include <unistd.h>\n"

/* Whether it comes in before the dynamic linker opens anything; else it is preloaded. */
static bool enters(void)
{
    const char *said = getenv("GANTRY_TRACE");
    return !said && inject_linker("/lib64/ld-linux-x86-64.so.2");
}

/* A program by a name that gets the accelerator from the first time on. */
static void build(const char *text, const char *options)
{
    struct err err = {0};
    char *source = mem_format(INCLUDES "%s", text);
    assert_int_equal(file_write("program.c", source, strlen(source), 0644, &err), 0);
    char *command = mem_format("gcc -w -pthread %s -o cc1 program.c", options);
    assert_int_equal(system(command), 0);
    free(command);
    free(source);
}

static struct trace *run(const char *argument)
{
    return traced_program((const char *const[]){"./cc1", argument, NULL});
}

static void each_call_is_noted(void **state)
{
    (void)state;
    build("int main(void) {\n"
          "    struct stat st; char text[PATH_MAX];\n"
          "    mkdir(\"dir\", 0755); symlink(\"there\", \"link\"); symlink(\"dir\", \"dirlink\");\n"
          "    if (open(\"there\", O_RDONLY) < 0 || open(\"absent\", O_RDONLY) >= 0) return 1;\n"
          "    if (open(\"dir\", O_RDONLY | O_DIRECTORY) < 0) return 2;\n"
          "    if (stat(\"link\", &st) || !S_ISREG(st.st_mode)) return 3;\n"
          "    if (lstat(\"dirlink\", &st) || !S_ISLNK(st.st_mode)) return 4;\n"
          "    if (!stat(\"no_stat\", &st) || errno != ENOENT) return 5;\n"
          "    if (access(\"there\", R_OK) || !access(\"no_access\", F_OK)) return 6;\n"
          "    if (readlink(\"link\", text, sizeof text) != 5) return 7;\n"
          "    if (readlink(\"there\", text, sizeof text) >= 0 || errno != EINVAL) return 8;\n"
          "    if (!realpath(\"dirlink/../link\", text) || strcmp(text + strlen(text) - 6, "
          "\"/there\"))\n"
          "        return 9;\n"
          "    errno = 77;\n"
          "    if (stat(\"there\", &st) || errno != 77) return 10;\n"
          "    if (fstatat(AT_FDCWD, \"dir/in\", &st, 0) == 0) return 11;\n"
          "    int fd = open(\"dir/in\", O_CREAT | O_WRONLY, 0644);\n"
          "    if (fd < 0 || open(\"dir/in\", O_RDONLY) < 0) return 12;\n"
          "    if (rename(\"dir/in\", \"dir/out\") || open(\"dir/in\", O_RDONLY) >= 0) return 13;\n"
          "    return stat((char *)8, &st) == 0 || errno != EFAULT ? 14 : 0;\n}\n",
          "");
    struct trace *trace = run(NULL);
    assert_true(trace->noted >= 15);
    traced_expect(trace, "there", ACCESS_READ | ACCESS_STAT, true);
    traced_expect(trace, "absent", ACCESS_READ, false);
    traced_expect(trace, "no_stat", ACCESS_STAT, false);
    traced_expect(trace, "no_access", ACCESS_STAT, false);
    traced_expect(trace, "link", ACCESS_CREATE | ACCESS_LINK, false);
    traced_expect(trace, "dirlink", ACCESS_CREATE | ACCESS_LINK | ACCESS_STAT, false);
    traced_expect(trace, "dir", ACCESS_MKDIR | ACCESS_STAT, false);
    traced_expect(trace, "dir/in", ACCESS_STAT | ACCESS_CREATE | ACCESS_READ | ACCESS_REMOVE,
                  false);
    traced_expect(trace, "dir/out", ACCESS_CREATE, false);
    assert_int_equal(trace->flaws, 0);
    trace_free(trace);
}

/* Children, threads and directories: whose relative path it is. */
static void processes_are_told_apart(void **state)
{
    (void)state;
    build(
        "static void *look(void *name) { struct stat st; return stat(name, &st) ? NULL : name; }\n"
        "int main(void) {\n"
        "    struct stat st; int status; pthread_t thread;\n"
        "    mkdir(\"a\", 0755); mkdir(\"b\", 0755); mkdir(\"c\", 0755);\n"
        "    stat(\"top\", &st);\n"
        "    for (int i = 0; i < 50; i++) {\n"
        "        char name[32]; sprintf(name, \"child%d\", i);\n"
        "        pid_t child = fork();\n"
        "        if (child == 0) {\n"
        "            if (i % 2 && chdir(\"a\")) _exit(1);\n"
        "            stat(name, &st); raise(i % 4 ? SIGTERM : SIGKILL); }\n"
        "    }\n"
        "    while (wait(&status) > 0) ;\n"
        "    pid_t child = vfork();\n"
        "    if (child == 0) { chdir(\"b\"); stat(\"by_vfork\", &st); _exit(0); }\n"
        "    waitpid(child, &status, 0);\n"
        "    stat(\"after_vfork\", &st);\n"
        "    if (chdir(\"c\")) return 2;\n"
        "    pthread_create(&thread, NULL, look, \"by_thread\"); pthread_join(thread, NULL);\n"
        "    if (fchdir(open(\"..\", O_RDONLY))) return 3;\n"
        "    stat(\"back\", &st);\n"
        "    if (chdir(\"nowhere\") == 0) return 4;\n"
        "    stat(\"still\", &st);\n"
        "    if (unshare(CLONE_FS)) return 5;\n"
        "    stat(\"unshared\", &st);\n"
        "    return 0;\n}\n",
        "");
    struct trace *trace = run(NULL);
    assert_true(trace->noted >= 50);
    char name[64];
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, i % 2 ? "a/child%d" : "child%d", i);
        traced_expect(trace, name, ACCESS_STAT, false);
    }
    static const char *const names[] = {"top",  "b/by_vfork", "after_vfork", "c/by_thread",
                                        "back", "still",      "unshared"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        traced_expect(trace, names[i], ACCESS_STAT, false);
    traced_expect_unseen(trace, "by_vfork");
    traced_expect_unseen(trace, "by_thread");
    assert_int_equal(trace->flaws, 0);
    trace_free(trace);
}

/* realpath is our own there: it has to say the libc's words. */
static void realpath_is_the_same(void **state)
{
    (void)state;
    build(
        "int main(int argc, char **argv) {\n"
        "    FILE *out = fopen(argv[1], \"w\"); char text[PATH_MAX], longest[PATH_MAX + 10];\n"
        "    memset(longest, 'x', sizeof longest); longest[sizeof longest - 1] = 0;\n"
        "    const char *names[] = {\"\", \"/\", \"//\", \".\", \"..\", \"there\", \"there/\", "
        "\"there/.\",\n"
        "        \"there/..\", \"d\", \"d/\", \"d/.\", \"d/..\", \"d/./../d//f\", \"l\", \"l/\", "
        "\"l/f\",\n"
        "        \"abs/f\", \"loop\", \"loop/x\", \"dangling\", \"dangling/x\", \"nope\", "
        "\"nope/x\", \"nope/\",\n"
        "        \"d/nope/../f\", \"/..\", \"/../\", \"/nope\", \"chain\", \"/usr/../usr/lib\", "
        "\"locked/f\",\n"
        "        \"deep\", longest, \"/proc/self/fd/0/../..\", \"...\", \"d/...\", \"there/x\",\n"
        "        \"/usr/nope/a\", \"/usr/nope/b/c\", \"/usr/nope\", \"/usr/nope/\", "
        "\"/usr/./nope/d\", "
        "\"/usr//nope/e\", \"/usr/lib/../nope/f\", \"/nope/x\"};\n"
        "    for (int i = 0; i < sizeof names / sizeof *names; i++) {\n"
        "        errno = 0; memset(text, 0, sizeof text);\n"
        "        char *got = realpath(names[i], text);\n"
        "        fprintf(out, \"%d %s %d %s\\n\", i, got ? got : \"-\", got ? 0 : errno, i == 33 ? "
        "\"\" : "
        "text);\n"
        "        errno = 0; got = realpath(names[i], NULL);\n"
        "        fprintf(out, \"%s %d\\n\", got ? got : \"-\", got ? 0 : errno); free(got);\n"
        "    }\n"
        "    errno = 0; fprintf(out, \"%p %d\\n\", realpath(NULL, text), errno);\n"
        "    return fclose(out);\n}\n",
        "");
    assert_int_equal(
        system("mkdir d locked; : >d/f; ln -s d l; ln -s loop loop; ln -s gone dangling;"
               "ln -s \"$PWD/d\" abs; ln -s l/f chain; ln -s d/../l/../abs/../chain deep;"
               ": >locked/f"),
        0);
    struct trace *trace = run("accelerated");
    assert_true(trace->noted >= 30);
    trace_free(trace);
    /* Where it looks like a compiler's own, each directory is asked once. */
    assert_int_equal(system("./cc1 plain && cmp plain accelerated && mkdir gcc && cp cc1 gcc"), 0);
    const char *const compiler[] = {"gcc/cc1", "remembered", NULL};
    trace = traced_program(compiler);
    assert_true(trace->noted >= 30);
    traced_expect(trace, "d", ACCESS_STAT, true);
    const struct access *nowhere = trace_find(trace, "/usr/nope");
    assert_non_null(nowhere);
    assert_int_equal(nowhere->kinds, ACCESS_STAT);
    assert_false(nowhere->found);
    trace_free(trace);
    assert_int_equal(system("cmp plain remembered"), 0);
}

/* A compiler resolves where a header might be, and then opens it: that is seen as two calls, though where
 * there is nothing only one is made. What comes to be there is found. */
static void what_was_just_looked_for_is_not_asked_again(void **state)
{
    (void)state;
    build(
        "static char *in(const char *name) { static char path[PATH_MAX + 64];\n"
        "    char here[PATH_MAX]; sprintf(path, \"%s/%s\", getcwd(here, sizeof here), name);\n"
        "    return path; }\n"
        "int main(void) {\n"
        "    char text[PATH_MAX]; int status; struct stat st;\n"
        "    if (realpath(in(\"none\"), text) || open(in(\"none\"), O_RDONLY) >= 0 || errno != "
        "ENOENT)\n"
        "        return 1;\n"
        "    if (realpath(in(\"dir/none\"), text) || open(in(\"dir/none\"), O_RDONLY) >= 0)\n"
        "        return 2;\n"
        "    if (realpath(in(\"dir/other\"), text) || open(in(\"dir/other\"), O_RDONLY) >= 0)\n"
        "        return 3;\n"
        "    if (realpath(in(\"own\"), text) || open(in(\"own\"), O_CREAT | O_WRONLY, 0644) < 0 "
        "||\n"
        "        open(in(\"own\"), O_RDONLY) < 0)\n"
        "        return 4;\n"
        "    if (realpath(in(\"later\"), text)) return 5;\n"
        "    if (fork() == 0) _exit(creat(in(\"later\"), 0644) < 0);\n"
        "    wait(&status); usleep(20000);\n"
        "    if (open(in(\"later\"), O_RDONLY) < 0) return 6;\n"
        "    if (realpath(in(\"none\"), text) || open(in(\"there\"), O_RDONLY) < 0) return 7;\n"
        "    if (realpath(in(\"dangling\"), text) || open(in(\"dangling\"), O_RDONLY) >= 0) return "
        "8;\n"
        "    return stat(in(\"none\"), &st) == 0;\n}\n",
        "");
    assert_int_equal(system("mkdir gcc && cp cc1 gcc && : >there && ln -s nowhere dangling"), 0);
    struct trace *trace = traced_program((const char *const[]){"gcc/cc1", NULL});
    assert_true(trace->noted >= 10);
    traced_expect(trace, "none", ACCESS_STAT | ACCESS_READ, false);
    traced_expect(trace, "dir", ACCESS_STAT, false);
    traced_expect(trace, "dir/none", ACCESS_READ, false);
    traced_expect(trace, "dir/other", ACCESS_READ, false);
    traced_expect(trace, "own", ACCESS_STAT | ACCESS_CREATE | ACCESS_READ, false);
    traced_expect(trace, "there", ACCESS_READ, true);
    traced_expect(trace, "dangling", ACCESS_LINK, true);
    traced_expect(trace, "nowhere", ACCESS_STAT | ACCESS_READ, false);
    assert_int_equal(trace->flaws, 0);
    trace_free(trace);
}

/* Whoever looks for a program along PATH executes it everywhere: where it is not, that is noted; where it
 * is, it runs, and how it cannot be run is said as ever. */
static void programs_are_looked_for(void **state)
{
    (void)state;
    build("static int try(const char *program, char *const *argv) {\n"
          "    int status; pid_t child = vfork();\n"
          "    if (child == 0) { execvp(program, argv); _exit(errno); }\n"
          "    waitpid(child, &status, 0); return WEXITSTATUS(status); }\n"
          "int main(void) {\n"
          "    char *argv[] = {\"runs\", NULL}, *environment[] = {NULL}; pid_t child; int status;\n"
          "    setenv(\"PATH\", \"none:locked:bin:/usr/bin\", 1);\n"
          "    if (try(\"runs\", argv) != 44) return 1;\n"
          "    if (try(\"nowhere\", argv) != ENOENT) return 2;\n"
          "    if (try(\"./locked/runs\", argv) != EACCES) return 3;\n"
          "    if (try(\"bin/runs/x\", argv) != ENOTDIR) return 4;\n"
          "    if (try(\"gone\", argv) != ENOENT) return 5;\n"
          "    if (posix_spawnp(&child, \"runs\", NULL, NULL, argv, environment)) return 6;\n"
          "    if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 44) return 7;\n"
          "    errno = 0;\n"
          "    return execve(\"none\", argv, environment) == -1 && errno == ENOENT ? 0 : 8;\n}\n",
          "");
    assert_int_equal(system("mkdir bin locked && printf '#!/bin/sh\\nexit 44\\n' >bin/runs &&"
                            "chmod +x bin/runs && : >locked/runs && ln -s away bin/gone"),
                     0);
    struct trace *trace = run(NULL);
    assert_true(trace->noted >= 10);
    traced_expect(trace, "none/runs", ACCESS_READ | ACCESS_EXEC, false);
    traced_expect(trace, "locked/runs", ACCESS_READ | ACCESS_EXEC, true);
    traced_expect(trace, "bin/runs", ACCESS_READ | ACCESS_EXEC, true);
    traced_expect(trace, "bin/nowhere", ACCESS_READ | ACCESS_EXEC, false);
    traced_expect(trace, "bin/gone", ACCESS_LINK, true);
    traced_expect(trace, "bin/away", ACCESS_READ | ACCESS_EXEC, false);
    traced_expect(trace, "none", ACCESS_READ | ACCESS_EXEC, false);
    assert_non_null(trace_find(trace, "/usr/bin/nowhere"));
    assert_int_equal(trace->flaws, 0);
    trace_free(trace);
}

/* Nothing of it is to be seen by the program, but in its memory. */
static void programs_do_not_notice(void **state)
{
    (void)state;
    build(
        "int main(int argc, char **argv, char **env) {\n"
        "    struct stat st; stat(\"noticed\", &st);\n"
        "    for (; *env; env++) if (strstr(*env, \"LD_\") || strstr(*env, \"antry\")) return 1;\n"
        "    if (open(\"/etc/ld.so.preload\", O_RDONLY) >= 0) return 2;\n"
        "    if (!access(\"/etc/ld.so.preload\", F_OK)) return 3;\n"
        "    if (open(\"/.gantry-trace/accelerator.so\", O_RDONLY) >= 0) return 4;\n"
        "    int fd = open(\"there\", O_RDONLY);\n"
        "    return fd == 3 ? 0 : 5;\n}\n", /* no descriptor is left open */
        "");
    if (access("/etc/ld.so.preload", F_OK) == 0)
        skip(); /* the machine has one of its own: the program would see that */
    struct trace *trace =
        traced_program((const char *const[]){"env", "-i", "PATH=/usr/bin:/bin", "./cc1", NULL});
    assert_true(trace->noted >= 3);
    traced_expect(trace, "noticed", ACCESS_STAT, false);
    trace_free(trace);
    /* ldd would show it: it does without */
    trace = traced_program((const char *const[]){
        "sh", "-c",
        "LD_TRACE_LOADED_OBJECTS=1 ./cc1 >list; grep -q libc.so list && ! grep gantry list", NULL});
    if (!enters())
        assert_int_equal(trace->noted, 0);
    trace_free(trace);
}

/* The libraries of a program that the accelerator enters are noted, too: what is left to be stopped is its
 * execution and the linker's first call. */
static void the_linker_is_not_stopped(void **state)
{
    (void)state;
    build("int main(void) { return open(\"there\", O_RDONLY) < 0; }\n", "");
    struct trace *trace = run(NULL);
    traced_expect(trace, "there", ACCESS_READ, true);
    unsigned libraries = 0;
    for (size_t i = 0; i < trace->accesses.len; i++) {
        const struct access *access = &trace->accesses.at[i];
        libraries += access->found && strstr(name_text(access->path), "/libc.so.6") &&
                     (access->kinds & ACCESS_READ);
    }
    assert_int_equal(libraries, 1);
    assert_int_equal(trace->flaws, 0);
    if (enters())
        assert_in_range(trace->calls, 1, 3);
    trace_free(trace);
}

static bool is_temporary(const char *path)
{
    return strncmp(path, "/tmp/cc", 7) == 0 || strncmp(path, "/proc/", 6) == 0;
}

/* Where there is no room for it the program runs without. */
static void little_memory_is_enough(void **state)
{
    (void)state;
    build("int main(void) { return open(\"there\", O_RDONLY) < 0; }\n", "");
    static const char *const commands[] = {"ulimit -v 12000; exec ./cc1",
                                           "ulimit -v 30000; exec ./cc1"};
    for (unsigned i = 0; i < sizeof commands / sizeof *commands; i++) {
        struct trace *trace = traced_program((const char *const[]){"sh", "-c", commands[i], NULL});
        traced_expect(trace, "there", ACCESS_READ, true);
        assert_int_equal(trace->flaws, 0);
        if (i == 0)
            assert_int_equal(trace->noted, 0);
        trace_free(trace);
    }
}

/* Who comes first (of a test before, maybe) changes the libc's code in copies of its own; those who follow
 * have pages of what it became. All are noted alike. */
static void changed_code_is_kept_for_those_who_follow(void **state)
{
    (void)state;
    build("int main(int argc, char **argv) {\n"
          "    char line[4096]; int ours = 0; struct stat st;\n"
          "    FILE *maps = fopen(\"/proc/self/maps\", \"r\");\n"
          "    while (fgets(line, sizeof line, maps))\n"
          "        ours += strstr(line, \"r-xp\") && strstr(line, \"gantry-ring\");\n"
          "    if (open(argv[1], O_RDONLY) >= 0 || !stat(argv[1], &st)) return 1;\n"
          "    if (!realpath(\"there\", line) || realpath(argv[1], NULL)) return 2;\n"
          "    return ours == 0 ? 10 : 20;\n}\n",
          "");
    const char *command = enters() ? "./cc1 one; test $? -ge 10 && ./cc1 two; test $? = 20"
                                   : "./cc1 one; test $? = 10 && ./cc1 two; test $? = 10";
    struct trace *trace = traced_program((const char *const[]){"sh", "-c", command, NULL});
    traced_expect(trace, "one", ACCESS_READ | ACCESS_STAT, false);
    traced_expect(trace, "two", ACCESS_READ | ACCESS_STAT, false);
    traced_expect(trace, "there", ACCESS_STAT, true);
    assert_true(trace->noted >= 8);
    assert_int_equal(trace->flaws, 0);
    trace_free(trace);
}

/* A heap that grows is there, and so are the 2 MiB of a compiler's collector; all else of brk(3) and mmap(2) is
 * as ever. */
static void memory_is_there_at_once(void **state)
{
    (void)state;
    build("#include <sys/mman.h>\n#include <sys/resource.h>\n"
          "static int there(char *at, int pages) {\n"
          "    unsigned char is[512]; int count = 0;\n"
          "    if (mincore(at, pages * 4096L, is)) exit(50);\n"
          "    for (int i = 0; i < pages; i++) count += is[i] & 1;\n"
          "    return count; }\n"
          "static char *map(size_t length) {\n"
          "    return mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, "
          "0); }\n"
          "static int all_zero(char *at, int bytes) {\n"
          "    while (bytes-- && !*at) at++;\n"
          "    return bytes < 0; }\n"
          "int main(void) {\n"
          "    char *end = sbrk(0), *page = (char *)(((long)end + 4095) & -4096L);\n"
          "    if (brk(page) || sbrk(0) != page || sbrk(50 * 4096) != page) return 11;\n"
          "    int heap = there(page, 50);\n"
          "    if (!all_zero(page, 50 * 4096)) return 12;\n"
          "    memset(page, 1, 50 * 4096);\n"
          "    if (sbrk(-49 * 4096) != page + 50 * 4096 || sbrk(0) != page + 4096) return 13;\n"
          "    if (page[4095] != 1 || sbrk(10) != page + 4096 || page[4096]) return 14;\n"
          "    if (brk(page + 4096) || sbrk(200 * 4096) != page + 4096) return 15;\n"
          "    if (there(page + 4096, 200) || !all_zero(page + 4096, 200 * 4096)) return 16;\n"
          "    struct rlimit limit, low;\n"
          "    char *was = sbrk(0);\n"
          "    getrlimit(RLIMIT_DATA, &limit); low = limit; low.rlim_cur = 1 << 20;\n"
          "    if (setrlimit(RLIMIT_DATA, &low) || brk(was + (4 << 20)) != -1) return 17;\n"
          "    if (errno != ENOMEM || sbrk(0) != was || sbrk(4 << 20) != (void *)-1) return 18;\n"
          "    if (setrlimit(RLIMIT_DATA, &limit)) return 19;\n"
          "    char *quire = map(2 << 20), *other = map(1 << 20);\n"
          "    if (quire == MAP_FAILED || there(other, 256)) return 21;\n"
          "    int pages = there(quire, 512);\n"
          "    if (!all_zero(quire, 2 << 20)) return 22;\n"
          "    if (mmap(NULL, 0, 0, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) return 23;\n"
          "    if (errno != EINVAL || (heap && heap != 50) || (pages && pages != 512)) return 24;\n"
          "    return !!heap + 2 * !!pages;\n}\n",
          "");
    assert_int_equal(mkdir("gcc", 0755), 0);
    assert_int_equal(link("cc1", "gcc/cc1"), 0);
    const char *said = getenv("GANTRY_TRACE");
    const struct {
        const char *says, *command;
    } cases[] = {
        {said, "./cc1; test $? = 1 && \"$PWD/gcc/cc1\"; test $? = 3"},
        {"no-populate", "./cc1; test $? = 0 && \"$PWD/gcc/cc1\"; test $? = 0"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (cases[i].says)
            setenv("GANTRY_TRACE", cases[i].says, 1);
        const char *command = enters() ? cases[i].command : cases[1].command;
        struct trace *trace = traced_program((const char *const[]){"sh", "-c", command, NULL});
        assert_int_equal(trace->flaws, 0);
        trace_free(trace);
    }
    if (said)
        setenv("GANTRY_TRACE", said, 1);
    else
        unsetenv("GANTRY_TRACE");
}

static void count_access(void *data, const char *path, const struct access *access)
{
    (void)path;
    ++*(size_t *)data;
    assert_true(access->kinds != 0);
}

static void peek(const struct trace *trace)
{
    size_t seen = 0;
    trace_server_peek(trace_own_server(trace), trace, 0, count_access, &seen);
}

/* Who looks at a trace while it is served, as races do, takes what is noted up as the server does; at the
 * end as well. (The thread sanitizer watches over this one.) */
static void others_may_peek_to_the_end(void **state)
{
    (void)state;
    build("int main(void) {\n"
          "    char name[32]; struct stat st;\n"
          "    for (int i = 0; i < 3000; i++) {\n"
          "        sprintf(name, \"peeked%d\", i);\n"
          "        if (!stat(name, &st)) return 1;\n"
          "    }\n"
          "    return open(\"last\", O_WRONLY | O_CREAT, 0644) < 0;\n}\n",
          "");
    for (int i = 0; i < 5; i++) {
        unlink("last");
        struct trace *trace = traced_program_beside((const char *const[]){"./cc1", NULL}, peek);
        traced_expect(trace, "peeked0", ACCESS_STAT, false);
        traced_expect(trace, "peeked2999", ACCESS_STAT, false);
        traced_expect(trace, "last", ACCESS_CREATE, false);
        assert_int_equal(trace->flaws, 0);
        trace_free(trace);
    }
}

/* As many accesses, of the same kinds, with the accelerator as without. */
static void expect_same(const struct trace *with, const struct trace *without)
{
    for (int way = 0; way < 2; way++) {
        const struct trace *a = way ? without : with, *b = way ? with : without;
        for (size_t i = 0; i < a->accesses.len; i++) {
            const struct access *one = &a->accesses.at[i];
            const char *path = name_text(one->path);
            const struct access *other = trace_find(b, path);
            if (is_temporary(path))
                continue;
            if (!other || other->kinds != one->kinds || other->found != one->found)
                fail_msg("%s: %s %#x %d, %s %#x %d", path, way ? "without" : "with", one->kinds,
                         one->found, way ? "with" : "without", other ? other->kinds : 0,
                         other ? other->found : 0);
        }
    }
}

static struct trace *without_it(const char *const *argv)
{
    const char *kept = getenv("GANTRY_TRACE");
    char *before = kept ? mem_copy(kept) : NULL;
    setenv("GANTRY_TRACE", "no-accelerator", 1);
    struct trace *trace = traced_program(argv);
    if (before)
        setenv("GANTRY_TRACE", before, 1);
    else
        unsetenv("GANTRY_TRACE");
    free(before);
    return trace;
}

/* Files that are made, written and removed, and what only looks like that. */
static void changes_are_the_same(void **state)
{
    (void)state;
    build(
        "int main(void) {\n"
        "    int status;\n"
        "    if (open(\"new\", O_CREAT | O_WRONLY, 0640) < 0) return 1;\n"
        "    if (open(\"old\", O_WRONLY | O_TRUNC) < 0) return 2;\n"
        "    if (open(\"old2\", O_RDWR) < 0 || open(\"log\", O_WRONLY | O_APPEND) < 0) return 3;\n"
        "    if (open(\"there\", O_CREAT | O_EXCL | O_RDWR, 0600) >= 0 || errno != EEXIST) return "
        "4;\n"
        "    if (open(\"only\", O_CREAT | O_EXCL | O_RDWR, 0600) < 0) return 5;\n"
        "    if (open(\"missing\", O_WRONLY) >= 0 || errno != ENOENT) return 6;\n"
        "    if (open(\"link\", O_WRONLY) < 0 || open(\"dangling\", O_CREAT | O_WRONLY, 0600) < 0) "
        "return 7;\n"
        "    if (open(\"dir\", O_WRONLY) >= 0 || errno != EISDIR) return 8;\n"
        "    if (open(\"/dev/null\", O_WRONLY) < 0 || open(\"dir/../up\", O_CREAT | O_WRONLY, "
        "0600) < 0) return 9;\n"
        "    if (unlink(\"gone\") || !unlink(\"never\") || unlink(\"link2\")) return 10;\n"
        "    if (!unlink(\"dir\") || errno != EISDIR) return 11;\n"
        "    int fd = open(\"temporary\", O_CREAT | O_RDWR | O_EXCL, 0600);\n"
        "    if (fd < 0 || write(fd, \"x\", 1) != 1 || unlink(\"temporary\")) return 12;\n"
        "    if (!fopen(\"stream\", \"w\")) return 13;\n"
        "    pid_t child = vfork();\n"
        "    if (child == 0) _exit(open(\"by_child\", O_CREAT | O_WRONLY, 0600) < 0);\n"
        "    if (waitpid(child, &status, 0) != child || status) return 14;\n"
        "    if (open(\"no/way\", O_CREAT | O_WRONLY, 0600) >= 0 || errno != ENOENT) return 15;\n"
        "    struct stat st;\n"
        "    return stat(\"new\", &st) || (st.st_mode & 0777) != 0640;\n}\n",
        "");
    const char *prepare =
        "rm -rf new old old2 log only link link2 dangling gone dir up by_child aim nowhere "
        "stream; umask 0; echo 1 | tee old old2 log gone aim >/dev/null; mkdir dir;"
        "ln -s aim link; ln -s aim link2; ln -s nowhere dangling";
    umask(0);
    assert_int_equal(system(prepare), 0);
    struct trace *with = run(NULL);
    assert_int_equal(system(prepare), 0);
    struct trace *without = without_it((const char *const[]){"./cc1", NULL});
    traced_expect(with, "new", ACCESS_CREATE | ACCESS_STAT, false);
    traced_expect(with, "gone", ACCESS_REMOVE, true);
    expect_same(with, without);
    assert_true(with->calls + 10 <= without->calls);
    assert_int_equal(with->flaws, 0);
    trace_free(with);
    trace_free(without);
}

static void programs_that_cannot_have_it_go_without(void **state)
{
    (void)state;
    const char *text = "int main(void) { struct stat st; return stat(\"there\", &st); }\n";
    static const char *const options[] = {"-static", "-fsanitize=address"};
    for (unsigned i = 0; i < sizeof options / sizeof *options; i++) {
        build(text, options[i]);
        struct trace *trace = run(NULL);
        assert_int_equal(trace->noted, 0);
        traced_expect(trace, "there", ACCESS_STAT, true);
        trace_free(trace);
    }
}

/* More than the shared memory holds, from several threads and processes. */
static void nothing_is_lost_when_it_overflows(void **state)
{
    (void)state;
    enum { EACH = 40000, THREADS = 3, PROCESSES = 2 };
    build("static void *look(void *at) {\n"
          "    struct stat st; char name[64];\n"
          "    for (long i = 0; i < 40000; i++) {\n"
          "        sprintf(name, \"some-name-that-is-rather-long-%ld\", (long)at * 40000 + i);\n"
          "        stat(name, &st); }\n"
          "    return NULL; }\n"
          "int main(void) {\n"
          "    pthread_t threads[3]; pid_t child = fork(); int status; long base = child ? 0 : 3;\n"
          "    for (long i = 0; i < 3; i++) pthread_create(&threads[i], NULL, look, (void *)(base "
          "+ i));\n"
          "    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);\n"
          "    if (child) waitpid(child, &status, 0);\n"
          "    return 0;\n}\n",
          "-O1");
    struct trace *trace = run(NULL);
    assert_true(trace->noted > EACH);
    char name[64];
    for (int i = 0; i < EACH * THREADS * PROCESSES; i++) {
        snprintf(name, sizeof name, "some-name-that-is-rather-long-%d", i);
        traced_expect(trace, name, ACCESS_STAT, false);
    }
    assert_int_equal(trace->flaws, 0);
    trace_free(trace);
}

/* The real thing: a compile touches the same with it and without. */
static void a_compile_touches_the_same(void **state)
{
    (void)state;
    struct err err = {0};
    const char *text = "#include <stdio.h>\n#include <stdlib.h>\n#include \"own/own.h\"\nint x;\n";
    assert_int_equal(mkdir("own", 0755), 0);
    assert_int_equal(file_write("own/own.h", "int own;\n", 9, 0644, &err), 0);
    assert_int_equal(file_write("x.c", text, strlen(text), 0644, &err), 0);
    setenv("CCACHE_DISABLE", "1", 1); /* where gcc is ccache: the second would be no compile */
    const char *const argv[] = {"gcc", "-c", "-Iown/none", "-I.", "-MD", "-o", "x.o", "x.c", NULL};
    struct trace *with = traced_program(argv);
    assert_int_equal(system("rm x.o x.d"), 0);
    struct trace *without = without_it(argv);
    unsetenv("CCACHE_DISABLE");
    assert_int_equal(without->noted, 0);
    if (with->noted < 50)
        fail_msg("only %lu calls were noted", (unsigned long)with->noted);
    expect_same(with, without);
    trace_free(with);
    trace_free(without);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, traced_setup, traced_teardown)

int main(void)
{
    if (!trace_probe().notify) {
        fprintf(stderr, "no seccomp user notification here: nothing to test\n");
        return 0;
    }
    const struct CMUnitTest tests[] = {
        TEST(each_call_is_noted),
        TEST(processes_are_told_apart),
        TEST(realpath_is_the_same),
        TEST(what_was_just_looked_for_is_not_asked_again),
        TEST(programs_are_looked_for),
        TEST(programs_do_not_notice),
        TEST(the_linker_is_not_stopped),
        TEST(changes_are_the_same),
        TEST(little_memory_is_enough),
        TEST(changed_code_is_kept_for_those_who_follow),
        TEST(memory_is_there_at_once),
        TEST(others_may_peek_to_the_end),
        TEST(programs_that_cannot_have_it_go_without),
        TEST(nothing_is_lost_when_it_overflows),
        TEST(a_compile_touches_the_same),
    };
    unsetenv("GANTRY_TRACE");
    int failed = cmocka_run_group_tests_name("as it comes in", tests, NULL, NULL);
    if (!enters())
        return failed;
    setenv("GANTRY_TRACE", "preload", 1);
    return failed + cmocka_run_group_tests_name("as a library", tests, NULL, NULL);
}

/* Probing compilers. The cache has one line an answer: identity, tab, argument, tab, answer. */
#include "toolchain/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/look.h"
#include "base/mem.h"
#include "base/str.h"

extern char **environ;

static void read_all(int fd, struct str *out)
{
    char bytes[4096];
    ssize_t got;

    while ((got = read(fd, bytes, sizeof bytes)) > 0 || (got < 0 && errno == EINTR))
        if (got > 0)
            str_add_n(out, bytes, (size_t)got);
}

/* Starts the program with its output in a pipe and nothing else. The read end, or -1. */
static int start(char *const *argv, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    int failed = posix_spawnp(pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (failed == 0)
        return ends[0];
    close(ends[0]);
    return -1;
}

char *probe_run(const char *program, const char *argument)
{
    return probe_argv((char *[]){(char *)program, (char *)argument, NULL});
}

char *probe_argv(char *const *argv)
{
    struct str out = {0};
    int status;
    pid_t pid;
    int fd = start(argv, &pid);

    if (fd < 0)
        return NULL;
    read_all(fd, &out);
    close(fd);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    str_cut(&out, strcspn(str_text(&out), "\n"));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return str_take(&out);
    str_free(&out);
    return NULL;
}

char *probe_identity(const char *path)
{
    struct stat st;

    look_at(path);
    if (stat(path, &st) != 0)
        return mem_format("%s absent", path);
    return mem_format("%s %llu %llu %lld.%09ld %lld.%09ld", path, (unsigned long long)st.st_ino,
                      (unsigned long long)st.st_size, (long long)st.st_mtim.tv_sec,
                      st.st_mtim.tv_nsec, (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
}

/* The answer behind a key in the cache's text, or NULL. */
static char *find_answer(const char *text, const char *key)
{
    size_t length = strlen(key);

    while (text && *text) {
        const char *end = strchrnul(text, '\n');
        if ((size_t)(end - text) > length && memcmp(text, key, length) == 0)
            return mem_copy_n(text + length, (size_t)(end - text) - length);
        text = *end ? end + 1 : end;
    }
    return NULL;
}

/* Writes the cache again with one answer more; what is older than a few dozen goes. That it cannot
 * be written only means asking again. */
static void keep_answer(const char *cache, const char *old, const char *key, const char *answer)
{
    enum { CACHE_MAX = 16384 };
    struct str text = {0};

    str_addf(&text, "%s%s\n", key, answer);
    if (old && strlen(old) < CACHE_MAX)
        str_add(&text, old);
    if (file_make_parents(cache, NULL) == 0)
        file_write(cache, str_text(&text), text.len, 0666, NULL);
    str_free(&text);
}

char *probe_cached(const char *cache, const char *program, const char *argument)
{
    char *identity = probe_identity(program);
    char *key = mem_format("%s\t%s\t", identity, argument);
    size_t length;
    char *text = file_read_own(cache, &length, NULL);
    char *answer = find_answer(text, key);

    if (answer == NULL) {
        answer = probe_run(program, argument);
        if (answer)
            keep_answer(cache, text, key, answer);
    }
    free(text);
    free(key);
    free(identity);
    return answer;
}

#include "toolchain/launcher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "toolchain/toolchain.h"

int launcher_find(struct launcher *launcher, const char *command, struct err *err)
{
    str_list words = {0};
    text_split(&words, command);
    if (!words.len || (words.len == 1 && strcmp(words.at[0], "none") == 0)) {
        str_list_free(&words);
        return 0;
    }
    char *path = toolchain_find(words.at[0]);
    if (!path) {
        err_set(err, ERR_INPUT,
                "launcher=%s: it is not on PATH; install it (apt-get install %s) or say "
                "launcher=none",
                words.at[0], path_base(words.at[0]));
        str_list_free(&words);
        return -1;
    }
    launcher->name = mem_copy(path_base(words.at[0]));
    free(words.at[0]);
    words.at[0] = path_absolute(path);
    free(path);
    launcher->words.at = words.at;
    launcher->words.len = words.len;
    launcher->words.cap = words.cap;
    return 0;
}

void launcher_free(struct launcher *launcher)
{
    str_list_free(&launcher->words);
    free(launcher->name);
    *launcher = (struct launcher){0};
}

bool launcher_takes(const struct launcher *launcher, const char *rule)
{
    static const char *const rules[] = {"cc", "cxx", "host-cc"};
    for (size_t i = 0; launcher->name && rule && i < sizeof rules / sizeof *rules; i++)
        if (strcmp(rule, rules[i]) == 0)
            return true;
    return false;
}

const char **launcher_argv(const struct launcher *launcher, const char *const *argv)
{
    size_t count = 0;
    while (argv[count])
        count++;
    const char **all = mem_alloc((launcher->words.len + count + 1) * sizeof *all);
    for (size_t i = 0; i < launcher->words.len; i++)
        all[i] = launcher->words.at[i];
    memcpy(all + launcher->words.len, argv, (count + 1) * sizeof *all);
    return all;
}

bool launcher_is_cache(const char *path)
{
    static const char *const parts[] = {"/.ccache/", "/ccache/", "/.sccache/", "/.cache/",
                                        "/__pycache__"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(path, parts[i]))
            return true;
    static const char *const names[] = {"CCACHE_DIR", "DISTCC_DIR", "SCCACHE_DIR"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *dir = getenv(names[i]);
        size_t length = dir ? strlen(dir) : 0;
        while (length > 1 && dir[length - 1] == '/')
            length--;
        if (length > 1 && strncmp(path, dir, length) == 0 && (path[length] == '/' || !path[length]))
            return true;
    }
    return false;
}

/* ---- where it runs ---- */

/*
 * distcc keeps a small file for each client at work, from which its monitors (distccmon-text) tell what
 * runs where: struct dcc_task_state of its src/state.h, in the byte order of the machine. Its first
 * members are the size of the whole, a magic number and the process, 8 bytes each; then two names of
 * 128 bytes, of the file and of the host.
 */
enum { STATE_MAGIC = 0x44494800, STATE_NAMES = 24, STATE_NAME = 128 };

static bool distcc_host(pid_t pid, char out[static LAUNCHER_HOST])
{
    char bytes[STATE_NAMES + 2 * STATE_NAME];
    uint64_t head[3];
    const char *dir = getenv("DISTCC_DIR"), *home = getenv("HOME");
    char *path = dir && *dir
                     ? mem_format("%s/state/binstate_%ld", dir, (long)pid)
                     : mem_format("%s/.distcc/state/binstate_%ld", home ? home : "", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
    if (fd >= 0)
        close(fd);
    free(path);
    if (got != (ssize_t)sizeof bytes)
        return false;
    memcpy(head, bytes, sizeof head);
    const char *host = bytes + STATE_NAMES + STATE_NAME;
    size_t length = strnlen(host, STATE_NAME);
    if (head[1] != STATE_MAGIC || head[2] != (uint64_t)pid || !length || length == STATE_NAME)
        return false;
    memcpy(out, host, length + 1);
    return true;
}

bool launcher_host(const struct launcher *launcher, pid_t pid, char out[static LAUNCHER_HOST])
{
    return launcher->name && strcmp(launcher->name, "distcc") == 0 && distcc_host(pid, out);
}

/* ---- masquerade ---- */

static bool is_compiler(const char *name)
{
    static const char *const compilers[] = {"cc", "c++", "gcc", "g++", "clang", "clang++"};
    for (size_t i = 0; i < sizeof compilers / sizeof *compilers; i++)
        if (toolchain_names(name, compilers[i]))
            return true;
    return false;
}

static int link_compilers(const char *from, const char *program, const char *dir, struct err *err)
{
    DIR *entries = opendir(from);
    int status = 0;
    for (struct dirent *entry; entries && status == 0 && (entry = readdir(entries));) {
        if (!is_compiler(entry->d_name))
            continue;
        char *link = path_join(dir, entry->d_name);
        if (symlink(program, link) < 0 && errno != EEXIST)
            status = err_errno(err, "%s", link);
        free(link);
    }
    if (entries)
        closedir(entries);
    return status;
}

/* Links of an earlier build, whose compilers may have gone. */
static void empty(const char *dir)
{
    DIR *entries = opendir(dir);
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        if (entry->d_type == DT_LNK)
            unlinkat(dirfd(entries), entry->d_name, 0);
    if (entries)
        closedir(entries);
}

int launcher_masquerade(const struct launcher *launcher, const char *dir, struct err *err)
{
    static const char *const able[] = {"ccache", "distcc", "icecc"};
    bool known = false;
    for (size_t i = 0; i < sizeof able / sizeof *able; i++)
        known |= strcmp(launcher->name, able[i]) == 0;
    if (!known || launcher->words.len > 1)
        return err_set(err, ERR_INPUT,
                       "launcher=%s: make's own compile commands are not changed, so only ccache, "
                       "distcc and icecc, without options, can stand in for compilers; else give "
                       "make CC='%s ...'",
                       launcher->name, launcher->name);
    if (file_make_dirs(dir, err) < 0)
        return -1;
    empty(dir);
    int status = 0;
    const char *at = getenv("PATH");
    while (status == 0 && at && *at) {
        size_t length = strcspn(at, ":");
        char *from = mem_copy_n(at, length);
        if (length)
            status = link_compilers(from, launcher->words.at[0], dir, err);
        free(from);
        at += length + (at[length] == ':');
    }
    return status;
}

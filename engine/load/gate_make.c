/*
 * The make in front of PATH: the gate under another name. It executes the next make on PATH, and puts the
 * hook before it where the Gantry that it belongs to is the one that builds.
 */
#include <asm/stat.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "base/bare.h"
#include "load/gate.h"

/* The end of the first piece of a list with ':' between. */
static const char *piece_end(const char *at)
{
    while (*at && *at != ':')
        at++;
    return at;
}

/* Whether a path leads to this very program. */
static bool is_self(const char *path)
{
    struct stat own, other;
    return CALL(__NR_newfstatat, AT_FDCWD, "/proc/self/exe", &own, 0) == 0 &&
           CALL(__NR_newfstatat, AT_FDCWD, path, &other, 0) == 0 && own.st_dev == other.st_dev &&
           own.st_ino == other.st_ino;
}

/* DIRECTORY/NAME into `path`, for a piece of a list. */
static void join(char *path, size_t size, const char *directory, size_t length, const char *name)
{
    path[0] = '\0';
    append(path, size, directory, length);
    append(path, size, length ? "/" : "./", length ? 1 : 2);
    append(path, size, name, text_length(name));
}

/* What stands behind us in PATH, or NULL. Others like us may be there, too, of a Gantry in whose step this one
 * runs: each looks behind itself only. */
static const char *path_behind(const char *path, const char *name)
{
    static char file[8192];
    const char *behind = path;
    for (const char *at = path;;) {
        const char *end = piece_end(at);
        join(file, sizeof file, at, (size_t)(end - at), name);
        if (is_self(file))
            behind = *end ? end + 1 : NULL;
        if (!*end)
            return behind;
        at = end + 1;
    }
}

/* Whether GANTRY_GATE is of the Gantry that we belong to. */
static bool is_in_charge(char **env)
{
    static char gate[8192];
    struct place place;
    if (!read_place(&place, env))
        return false;
    join(gate, sizeof gate, place.dir, text_length(place.dir), "gate");
    return is_self(gate);
}

_Noreturn void run_next_make(char **argv, char **env)
{
    static char own[4096], path[8192], preload[8192];
    static char *list[ENV_MAX + 2];
    const char *name = base_name(argv[0]);
    long length = CALL(__NR_readlinkat, AT_FDCWD, "/proc/self/exe", own, sizeof own - 1);
    if (length > 0)
        own[length] = '\0';
    size_t dir = (size_t)(base_name(own) - own);
    if (dir)
        own[dir - 1] = '\0'; /* where gate, hook.so and path/ are */

    long error = -ENOENT;
    const char *at = variable(env, "PATH=");
    if (!at)
        at = "/usr/local/bin:/usr/bin:/bin";
    char **out = is_in_charge(env) ? with_hook(env, own, preload, sizeof preload, list) : env;
    for (at = path_behind(at, name); at;) {
        const char *end = piece_end(at);
        join(path, sizeof path, at, (size_t)(end - at), name);
        long result = CALL(__NR_execve, path, argv, out, 0);
        if (result != -ENOENT && result != -ENOTDIR)
            error = result;
        at = *end ? end + 1 : NULL;
    }
    complain(name, error);
    leave(127);
}

#include "load/payload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

/* Made by the Makefile from out/gate/gate and out/gate/hook.so. */
extern const unsigned char payload_gate[], payload_gate_end[];
extern const unsigned char payload_hook[], payload_hook_end[];

static char *hash_name(void)
{
    struct hash gate = hash_bytes(payload_gate, (size_t)(payload_gate_end - payload_gate));
    struct hash hook = hash_bytes(payload_hook, (size_t)(payload_hook_end - payload_hook));
    return mem_format("%016llx", (unsigned long long)(gate.low ^ (hook.low * 3)));
}

/* PATH is cut at colons, LD_PRELOAD at colons and blanks. */
static bool is_usable(const char *directory)
{
    struct statvfs status;
    return directory[0] == '/' && !strpbrk(directory, ": \t\n") &&
           access(directory, W_OK | X_OK) == 0 && statvfs(directory, &status) == 0 &&
           !(status.f_flag & ST_NOEXEC);
}

static int put(const char *directory, const char *name, const unsigned char *bytes,
               const unsigned char *end, struct err *err)
{
    char *path = mem_format("%s/%s", directory, name);
    struct stat status;
    bool there =
        stat(path, &status) == 0 && status.st_size == end - bytes && access(path, X_OK) == 0;
    int result = there ? 0 : file_write(path, bytes, (size_t)(end - bytes), 0755, err);
    free(path);
    return result;
}

static int link_make(const char *directory, const char *name, struct err *err)
{
    char *path = mem_format("%s/path/%s", directory, name);
    int result = symlink("../gate", path) == 0 || errno == EEXIST ? 0 : err_errno(err, "%s", path);
    free(path);
    return result;
}

/* A `gmake` of ours is in front only where there is one behind it. */
static bool on_path(const char *name)
{
    const char *at = getenv("PATH");
    bool found = false;
    while (at && *at && !found) {
        size_t length = strcspn(at, ":");
        char *path = mem_format("%.*s/%s", (int)length, at, name);
        found = access(path, X_OK) == 0;
        free(path);
        at += length + (at[length] == ':');
    }
    return found;
}

static char *unpack_below(const char *parent, const char *hash, struct err *err)
{
    if (file_make_dirs(parent, err) != 0)
        return NULL;
    if (!is_usable(parent)) {
        err_set(err, ERR_SYSTEM, "%s: programs cannot be put there and run", parent);
        return NULL;
    }
    char *directory = mem_format("%s/bin/%s", parent, hash);
    char *path = mem_format("%s/path", directory);
    int result = file_make_dirs(path, err);
    free(path);
    if (result == 0)
        result = put(directory, "gate", payload_gate, payload_gate_end, err);
    if (result == 0)
        result = put(directory, "hook.so", payload_hook, payload_hook_end, err);
    if (result == 0)
        result = link_make(directory, "make", err);
    if (result == 0 && on_path("gmake"))
        result = link_make(directory, "gmake", err);
    if (result == 0)
        return directory;
    free(directory);
    return NULL;
}

/* /tmp/gantry-UID, if it is ours alone. */
static char *private_tmp(void)
{
    char *path = mem_format("/tmp/gantry-%u", (unsigned)getuid());
    struct stat status;
    mkdir(path, 0700);
    if (lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == getuid() &&
        !(status.st_mode & (S_IWGRP | S_IWOTH)))
        return path;
    free(path);
    return NULL;
}

char *payload_unpack(const char *state_dir, struct err *err)
{
    char *hash = hash_name();
    char *directory = unpack_below(state_dir, hash, err);
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char *below = cache && *cache ? mem_format("%s/gantry", cache)
                  : home && *home ? mem_format("%s/.cache/gantry", home)
                                  : NULL;
    if (!directory && below)
        directory = unpack_below(below, hash, err);
    char *tmp = directory ? NULL : private_tmp();
    if (tmp)
        directory = unpack_below(tmp, hash, err);
    free(tmp);
    free(below);
    free(hash);
    return directory;
}

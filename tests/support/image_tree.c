#include "tests/support/image_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/support/scratch.h"

enum { BIG = 700 * 1024 + 77 };

char *image_tree_noise(size_t length, uint64_t seed)
{
    char *bytes = mem_alloc(length + 1);
    uint64_t word = seed | 1;
    for (size_t i = 0; i < length; i++) {
        word = word * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (char)(word >> 56);
    }
    return bytes;
}

static void put(const char *tree, const char *name, const void *bytes, size_t length)
{
    char *path = mem_format("%s/%s", tree, name);
    scratch_bytes(path, bytes, length);
    free(path);
}

const char *image_tree_make(const char *name, bool backwards)
{
    char *big = image_tree_noise(BIG, 7);
    memset(big + 256 * 1024, 0, 192 * 1024);
    char file[80];
    for (int i = 0; i < IMAGE_TREE_MANY; i++) {
        int number = backwards ? IMAGE_TREE_MANY - 1 - i : i;
        snprintf(file, sizeof file, "many/a-name-that-takes-more-than-two-chunks-%04d", number);
        put(name, file, file, strlen(file));
    }
    put(name, "big", big, BIG);
    put(name, "d/record", big, 131072);
    put(name, "d/block", big, 4096);
    put(name, "d/e/small", "small\n", 6);
    put(name, "empty", "", 0);
    put(name, "program", "#!/bin/sh\n", 10);
    free(big);
    char *root = mem_copy(scratch(name));
    char *program = mem_format("%s/program", root), *linked = mem_format("%s/linked", root);
    char *small = mem_format("%s/d/e/small", root), target[301];
    assert_int_equal(chmod(program, 0755), 0);
    unlink(linked);
    assert_int_equal(link(small, linked), 0);
    memset(target, 't', 300);
    target[300] = '\0';
    if (backwards)
        image_tree_run("find %s -exec touch -h -d 2001-02-03 {} +", root);
    /* Explicit lines: a tree's own order must not matter either. */
    char *text = mem_format("/**: %s/**\n/link: ->/d/e/small\n/long: ->%s\n/void: %s/d\n", root,
                            target, root);
    char *manifest = mem_format("%s.manifest", name);
    const char *path = scratch_text(manifest, text);
    free(manifest);
    free(text);
    free(program);
    free(linked);
    free(small);
    free(root);
    return path;
}

int image_tree_try(const char *manifest, const char *path, const struct image_pack *pack,
                   struct err *err)
{
    struct manifest_list list = {0};
    const struct manifest_scope scope = {0};
    struct image_pack own = *pack;
    int status = manifest_resolve(&list, &manifest, 1, &scope, MANIFEST_STRICT, err);
    if (own.volumes_count)
        own.volumes[0].list = &list;
    if (!status)
        status = image_pack(path, &own, NULL, err);
    manifest_list_free(&list);
    return status;
}

void image_tree_pack(const char *manifest, const char *path, const struct image_pack *pack)
{
    struct err err = {0};
    if (image_tree_try(manifest, path, pack, &err) < 0)
        fail_msg("%s", err.text);
}

void image_tree_prefer_memory(void)
{
    static const char memory[] = "/dev/shm";
    struct statvfs fs;
    if (!getenv("TMPDIR") && statvfs(memory, &fs) == 0 &&
        (uint64_t)fs.f_bavail * fs.f_frsize > UINT64_C(2) << 30)
        setenv("TMPDIR", memory, 1);
}

void image_tree_run(const char *format, ...)
{
    char line[4096];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    assert_in_range(length, 1, sizeof line - 1);
    char *command = mem_format("{ %s ;} >/dev/null 2>&1", line);
    if (system(command) != 0)
        fail_msg("this failed: %s", line);
    free(command);
}

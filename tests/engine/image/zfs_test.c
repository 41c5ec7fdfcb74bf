/* ZFS pools, read back by GRUB's own reader (grub-fstest), and reproducible to the bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "image/zfs.h"

static char dir[] = "/tmp/gantry-zfs-XXXXXX";
enum { MANY = 2500, BIG = 700 * 1024 + 77, TOO_BIG = 80 << 20 };
static const char long_target[] =
    "/a/target/that/is/so/long/that/it/does/not/fit/beside/the/attributes/of/its/link/and/has/to/"
    "go/into/a/spill/block/of/its/own/because/one/hundred/and/forty/four/bytes/are/the/limit";

static char *in_dir(const char *name)
{
    return path_join(dir, name);
}

static void write_text(const char *name, const void *bytes, size_t length)
{
    struct err err = {0};
    char *path = in_dir(name);
    assert_int_equal(file_make_parents(path, &err), 0);
    assert_int_equal(file_write(path, bytes, length, 0644, &err), 0);
    free(path);
}

/* Bytes that do not pack, the same each time. */
static char *noise(size_t length)
{
    char *bytes = mem_alloc(length);
    uint64_t word = 1;
    for (size_t i = 0; i < length; i++) {
        word = word * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (char)(word >> 56);
    }
    return bytes;
}

/* Files of every kind: empty, small, one block, many blocks with a hole and a short tail. */
static int make_files(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    char *big = noise(BIG);
    memset(big + 256 * 1024, 0, 128 * 1024);
    write_text("t/big", big, BIG);
    write_text("t/d/one", big, 131072);
    free(big);
    write_text("t/d/e/small", "small\n", 6);
    write_text("t/empty", "", 0);
    char name[64];
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "t/many/a-name-that-takes-more-than-two-chunks-%04d", i);
        write_text(name, name, strlen(name));
    }
    char *manifest =
        mem_format("/**: %s/t/**\n/link: ->/d/e/small\n/long: ->%s\n", dir, long_target);
    write_text("manifest", manifest, strlen(manifest));
    free(manifest);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    struct err err = {0};
    return file_remove_tree(dir, &err);
}

static int try_pack(const char *image, const struct zfs_options *options, struct err *err)
{
    struct manifest_list list = {0};
    char *manifest = in_dir("manifest"), *out = in_dir(image);
    const char *files[] = {manifest};
    const struct manifest_scope scope = {0};
    int status = manifest_resolve(&list, files, 1, &scope, MANIFEST_STRICT, err);
    if (!status)
        status = zfs_write(out, &list, options, NULL, err);
    manifest_list_free(&list);
    free(manifest);
    free(out);
    return status;
}

static void pack(const char *image, const struct zfs_options *options)
{
    struct err err = {0};
    if (try_pack(image, options, &err) < 0)
        fail_msg("%s", err.text);
}

/* GRUB reads the guest's file as the bytes of the host's. */
static void expect_equal(const char *image, const char *root, const char *name)
{
    char *command = mem_format("grub-fstest %s/%s cmp '%s/%s' %s/t/%s >/dev/null 2>&1", dir, image,
                               root, name, dir, name);
    if (system(command) != 0)
        fail_msg("%s differs: %s", name, command);
    free(command);
}

/* Among others: no byte is allocated that nothing uses. What these files take ends so that the pool's own
 * blocks lie across the end of a metaslab. */
static void expect_sound(const char *image)
{
    struct err err = {0};
    struct str report = {0};
    char *path = in_dir(image);
    if (image_check(path, NULL, &report, &err) < 0)
        fail_msg("%s", err.text);
    if (report.len)
        fail_msg("%s", report.at);
    str_free(&report);
    free(path);
}

static void pools_of_all_versions_are_read_back(void **state)
{
    (void)state;
    static const struct {
        struct zfs_options options;
        const char *root;
    } pools[] = {
        {{.version = 23, .dataset = "zfs"}, "/zfs/@"},
        {{.version = 28, .dataset = ""}, "/@"},
        {{.version = 5000, .dataset = ""}, "/@"},
        {{.version = 5000, .dataset = "zfs", .compression = ZFS_LZ4}, "/zfs/@"},
    };
    static const char *const names[] = {"big", "d/one", "d/e/small", "empty"};
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++) {
        pack("pool", &pools[i].options);
        expect_sound("pool");
        for (size_t n = 0; n < sizeof names / sizeof *names; n++)
            expect_equal("pool", pools[i].root, names[n]);
        char name[80];
        for (int k = 0; k < MANY; k += 499) {
            snprintf(name, sizeof name, "many/a-name-that-takes-more-than-two-chunks-%04d", k);
            expect_equal("pool", pools[i].root, name);
        }
    }
}

static char *bytes_of(const char *image, size_t *length)
{
    struct err err = {0};
    char *path = in_dir(image);
    char *bytes = file_read(path, length, &err);
    assert_non_null(bytes);
    free(path);
    return bytes;
}

/* zfs-fuse, where it is installed and may run: its zdb finds every block counted once, and its daemon
 * imports the pool, reads every file equal and scrubs it. It knows SPA 23. */
static void zfs_fuse_imports_it(void **state)
{
    (void)state;
    static const char script[] =
        "set -ex; mount -t tmpfs none /run; mkdir -p /run/lock /run/zfs\n"
        "cd %s; mkdir -p only mnt; mv pool only/\n"
        "zfs-fuse --no-daemon >/dev/null 2>&1 & daemon=$!; trap 'kill $daemon; wait $daemon || :' "
        "EXIT\n"
        "i=0; until zpool list >/dev/null 2>&1; do sleep 0.1; i=$((i + 1)); [ $i -lt 100 ]; done\n"
        "zdb -e -p $PWD/only -bcc osv 2>&1 | grep 'No leaks'\n"
        "zpool import -d $PWD/only -R $PWD/mnt -f osv\n"
        "zfs set mountpoint=/z osv/zfs; zfs mount osv/zfs 2>/dev/null || true\n"
        "test $(readlink mnt/z/link) = /d/e/small; rm mnt/z/link mnt/z/long; diff -r t mnt/z\n"
        "echo written >mnt/z/new; zpool scrub osv\n"
        "while zpool status osv | grep 'in progress'; do sleep 0.2; done\n"
        "zpool status osv | grep 'with 0 errors'; zpool export osv\n";
    if (geteuid() != 0 || access("/dev/fuse", W_OK) < 0 ||
        system("command -v zfs-fuse zdb zpool zfs >/dev/null && unshare -m true") != 0)
        skip(); /* no ZFS to look at the pool, or nobody may mount it */
    const struct zfs_options options = {.version = 23, .dataset = "zfs"};
    pack("pool", &options);
    char *text = mem_format(script, dir), *path = in_dir("script");
    write_text("script", text, strlen(text));
    char *command = mem_format("unshare -m timeout 100 sh %s >%s.log 2>&1 </dev/null", path, path);
    if (system(command) != 0) {
        char *said = bytes_of("script.log", NULL);
        fail_msg("%s", said);
    }
    free(command);
    free(text);
    free(path);
}

/* A number of the label's name-value list (XDR: the name's length, the name padded to 4, type 8, one
 * value, eight bytes). */
static uint64_t label_number(const char *image, const char *name)
{
    enum { LIST_AT = 16384, LIST_BYTES = 112 * 1024 };
    size_t length = strlen(name), padded = (length + 3) / 4 * 4;
    for (const char *at = image + LIST_AT; at < image + LIST_AT + LIST_BYTES - 64; at += 4) {
        uint64_t value = 0;
        if (at[0] || at[1] || at[2] || (size_t)at[3] != length || memcmp(at + 4, name, length) != 0)
            continue;
        for (size_t i = 0; i < 8; i++)
            value = value << 8 | (unsigned char)at[4 + padded + 8 + i];
        return value;
    }
    fail_msg("there is no %s", name);
    return 0;
}

static void equal_content_gives_equal_pools_and_other_content_others(void **state)
{
    (void)state;
    const struct zfs_options options = {.dataset = "zfs"};
    pack("first", &options);
    char *touched = in_dir("t/d/one");
    const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 2}};
    assert_int_equal(chmod(touched, 0600), 0);
    assert_int_equal(utimensat(AT_FDCWD, touched, times, 0), 0);
    free(touched);
    pack("second", &options);
    write_text("t/d/e/small", "other\n", 6);
    pack("third", &options);
    size_t length;
    char *first = bytes_of("first", &length), *second = bytes_of("second", NULL);
    char *third = bytes_of("third", NULL);
    assert_memory_equal(first, second, length);
    static const char *const ids[] = {"pool_guid", "guid", "top_guid"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        assert_int_equal(label_number(first, ids[i]), label_number(second, ids[i]));
        assert_int_not_equal(label_number(first, ids[i]), label_number(third, ids[i]));
    }
    free(first);
    free(second);
    free(third);
}

static void what_does_not_fit_is_refused_and_the_old_pool_stays(void **state)
{
    (void)state;
    struct err err = {0};
    write_text("kept", "old", 3);
    char *large = noise(TOO_BIG);
    write_text("t/large", large, TOO_BIG);
    free(large);
    assert_int_equal(try_pack("kept", &(struct zfs_options){.size_bytes = 64 << 20}, &err), -1);
    assert_non_null(strstr(err.text, "do not fit"));
    const struct zfs_options wrong = {.version = 28, .compression = ZFS_LZ4};
    assert_int_equal(try_pack("kept", &wrong, &err), -1);
    assert_non_null(strstr(err.text, "5000"));
    char *kept = bytes_of("kept", NULL);
    assert_string_equal(kept, "old");
    free(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pools_of_all_versions_are_read_back),
        cmocka_unit_test(zfs_fuse_imports_it),
        cmocka_unit_test(equal_content_gives_equal_pools_and_other_content_others),
        cmocka_unit_test(what_does_not_fit_is_refused_and_the_old_pool_stays),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}

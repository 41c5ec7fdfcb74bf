/*
 * Packing: every file system in every format is read back equal by readers that share nothing with
 * the writers, and by other programs (e2fsck, debugfs, GRUB, qemu-img, tar); the same content gives
 * the same bytes whatever is around it.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "image/image.h"
#include "image/layout.h"
#include "tests/support/image_tree.h"
#include "tests/support/scratch.h"

static const enum image_fs kinds[] = {IMAGE_ROFS, IMAGE_ZFS, IMAGE_EXT, IMAGE_RAMFS};
enum { KINDS = sizeof kinds / sizeof *kinds };

static struct image_pack alone(enum image_fs fs)
{
    return (struct image_pack){.volumes = {{.fs = fs, .dataset = ""}}, .volumes_count = 1};
}

static struct image_pack in_disk(enum image_fs fs, enum disk_format format)
{
    return (struct image_pack){.volumes = {{.fs = fs, .partition = 2, .dataset = "zfs"}},
                               .volumes_count = 1,
                               .cmdline = "--rootfs=x /program",
                               .format = format};
}

static void expect_sound(const char *path)
{
    struct err err = {0};
    struct str report = {0};
    if (image_check(path, NULL, &report, &err) < 0)
        fail_msg("%s", err.text);
    if (report.len)
        fail_msg("%s: %s", path, report.at);
    str_free(&report);
}

/* Everything but modes, which ROFS and bootfs have not. */
static void expect_same_files(const char *a, const char *b)
{
    struct err err = {0};
    struct image_changes changes = {0};
    if (image_compare(a, b, &changes, &err) < 0)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < changes.changes.len; i++)
        fail_msg("%s and %s: %s (kind %d)", a, b, changes.changes.at[i].path,
                 (int)changes.changes.at[i].kind);
    image_changes_free(&changes);
}

static void each_file_system_is_read_back_equal(void **state)
{
    (void)state;
    const char *manifest = image_tree_make("t", false), *first = scratch("rofs");
    for (size_t i = 0; i < KINDS; i++) {
        struct image_pack pack = alone(kinds[i]);
        const char *path = scratch(image_fs_name(kinds[i]));
        image_tree_pack(manifest, path, &pack);
        expect_sound(path);
        struct image_listing listing = {0};
        struct err err = {0};
        assert_int_equal(image_list(path, &listing, &err), 0);
        /* bootfs has no directories but those of lines that name one. */
        assert_in_range(listing.files.len, IMAGE_TREE_MANY + 8, IMAGE_TREE_MANY + 14);
        image_listing_free(&listing);
        struct str bytes = {0};
        assert_int_equal(image_cat(path, "/link", &bytes, &err), 0);
        assert_string_equal(bytes.at, "small\n");
        str_free(&bytes);
        if (kinds[i] != IMAGE_RAMFS)
            expect_same_files(first, path);
    }
}

static void options_of_rofs_and_zfs_change_no_file(void **state)
{
    (void)state;
    const char *manifest = image_tree_make("t", false);
    struct image_pack plain = alone(IMAGE_ROFS), rofs = plain, zfs = alone(IMAGE_ZFS);
    image_tree_pack(manifest, scratch("plain"), &plain);
    rofs.volumes[0].align = 4096;
    image_tree_pack(manifest, scratch("aligned"), &rofs);
    expect_sound(scratch("aligned"));
    expect_same_files(scratch("plain"), scratch("aligned"));
    rofs.volumes[0].align = 0;
    rofs.volumes[0].dedup = true;
    image_tree_pack(manifest, scratch("dedup"), &rofs);
    expect_sound(scratch("dedup"));
    expect_same_files(scratch("plain"), scratch("dedup"));
    struct stat larger, smaller;
    assert_int_equal(stat(scratch("plain"), &larger), 0);
    assert_int_equal(stat(scratch("dedup"), &smaller), 0);
    assert_true(smaller.st_size < larger.st_size);
    zfs.volumes[0].compress = true;
    image_tree_pack(manifest, scratch("lz4"), &zfs);
    expect_sound(scratch("lz4"));
    expect_same_files(scratch("plain"), scratch("lz4"));
}

static void ext4_satisfies_e2fsck_and_debugfs(void **state)
{
    (void)state;
    const char *manifest = image_tree_make("t", false), *path = scratch("ext");
    struct image_pack pack = alone(IMAGE_EXT);
    image_tree_pack(manifest, path, &pack);
    image_tree_run("e2fsck -fn %s", path);
    image_tree_run("mkdir %s/out && debugfs -R 'rdump / %s/out' %s", scratch_dir(), scratch_dir(),
                   path);
    image_tree_run("cd %s/out && rmdir lost+found void && rm link long && diff -r . %s/t",
                   scratch_dir(), scratch_dir());
    image_tree_run("debugfs -R features %s | grep -q extent", path);
    image_tree_run("! debugfs -R features %s | grep -qE '64bit|csum|journal|inline|large_dir|ea_'",
                   path);
    /* Hard links are one inode with two names. */
    image_tree_run("debugfs -R 'stat /linked' %s | grep -q 'Links: 2'", path);
}

static void grub_reads_zfs_through_a_partition(void **state)
{
    (void)state;
    const char *manifest = image_tree_make("t", false), *path = scratch("disk");
    struct image_pack pack = in_disk(IMAGE_ZFS, DISK_RAW);
    image_tree_pack(manifest, path, &pack);
    static const char *const names[] = {"big",       "d/record", "d/block",
                                        "d/e/small", "linked",   "empty"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        image_tree_run("grub-fstest %s cmp '(loop0,msdos2)/zfs/@/%s' %s/t/%s", path, names[i],
                       scratch_dir(), names[i]);
}

static void every_format_holds_the_same_disk(void **state)
{
    (void)state;
    const char *manifest = image_tree_make("t", false), *raw = scratch("raw");
    static const char *const of_qemu[DISK_FORMATS] = {
        [DISK_QCOW2] = "qcow2", [DISK_VMDK] = "vmdk", [DISK_VDI] = "vdi", [DISK_VHD] = "vpc"};
    static const enum image_fs tried[] = {IMAGE_EXT, IMAGE_ZFS};
    for (size_t k = 0; k < sizeof tried / sizeof *tried; k++) {
        struct image_pack pack = in_disk(tried[k], DISK_RAW);
        image_tree_pack(manifest, raw, &pack);
        for (int format = DISK_QCOW2; format < DISK_FORMATS; format++) {
            const char *path = scratch(image_format_name((enum disk_format)format));
            struct err err = {0};
            pack.format = (enum disk_format)format;
            image_tree_pack(manifest, path, &pack);
            expect_sound(path);
            expect_same_files(raw, path);
            char *args = image_args(path, &err);
            assert_string_equal(args, pack.cmdline);
            free(args);
            if (of_qemu[format])
                image_tree_run("qemu-img compare -f raw -F %s %s %s", of_qemu[format], raw, path);
            if (format != DISK_GCE && format != DISK_VHD)
                image_tree_run("qemu-img check -f %s %s", of_qemu[format], path);
        }
        image_tree_run("tar -C %s -xzf %s && cmp -n $(stat -c %%s %s) %s %s/disk.raw",
                       scratch_dir(), scratch("gce"), raw, raw, scratch_dir());
        image_tree_run("test $(($(stat -c %%s %s/disk.raw) %% 1073741824)) = 0", scratch_dir());
    }
}

static char *whole(const char *path, size_t *length)
{
    struct err err = {0};
    char *bytes = file_read(path, length, &err);
    if (!bytes)
        fail_msg("%s", err.text);
    return bytes;
}

static bool same_bytes(const char *a, const char *b)
{
    size_t a_length, b_length;
    char *x = whole(a, &a_length), *y = whole(b, &b_length);
    bool same = a_length == b_length && memcmp(x, y, a_length) == 0;
    free(x);
    free(y);
    return same;
}

/* Order of directories, times, umask, user's surroundings, place: none of it is in the image. */
static void equal_content_gives_equal_bytes(void **state)
{
    (void)state;
    const char *here = image_tree_make("t", false);
    const char *there = image_tree_make("elsewhere/far/away", true);
    for (size_t i = 0; i < KINDS; i++) {
        struct image_pack pack = alone(kinds[i]);
        image_tree_pack(here, scratch("first"), &pack);
        mode_t mask = umask(077);
        setenv("TZ", "Pacific/Auckland", 1);
        setenv("LC_ALL", "tr_TR.UTF-8", 1);
        image_tree_pack(there, scratch("second"), &pack);
        umask(mask);
        unsetenv("TZ");
        unsetenv("LC_ALL");
        if (!same_bytes(scratch("first"), scratch("second")))
            fail_msg("%s depends on what is around it", image_fs_name(kinds[i]));
    }
    for (int format = 0; format < DISK_FORMATS; format++) {
        struct image_pack pack = in_disk(IMAGE_EXT, (enum disk_format)format);
        scratch_text("a/keep", "");
        scratch_text("b/keep", "");
        image_tree_pack(here, scratch("a/disk"), &pack);
        image_tree_pack(there, scratch("b/disk"), &pack);
        if (!same_bytes(scratch("a/disk"), scratch("b/disk")))
            fail_msg("%s depends on what is around it",
                     image_format_name((enum disk_format)format));
    }
}

static void other_content_has_other_ids(void **state)
{
    (void)state;
    const char *manifest = image_tree_make("t", false);
    struct image_pack ext = alone(IMAGE_EXT), vdi = in_disk(IMAGE_ROFS, DISK_VDI);
    struct image_pack vhd = in_disk(IMAGE_ROFS, DISK_VHD);
    image_tree_pack(manifest, scratch("e1"), &ext);
    image_tree_pack(manifest, scratch("i1"), &vdi);
    image_tree_pack(manifest, scratch("h1"), &vhd);
    scratch_text("t/d/e/small", "other\n");
    image_tree_pack(manifest, scratch("e2"), &ext);
    image_tree_pack(manifest, scratch("i2"), &vdi);
    image_tree_pack(manifest, scratch("h2"), &vhd);
    static const struct {
        const char *a, *b;
        size_t at, length;
    } ids[] = {{"e1", "e2", 1024 + 104, 16}, {"i1", "i2", 392, 16}, {"h1", "h2", 68, 16}};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        char *a = whole(scratch(ids[i].a), NULL), *b = whole(scratch(ids[i].b), NULL);
        assert_memory_not_equal(a + ids[i].at, b + ids[i].at, ids[i].length);
        free(a);
        free(b);
    }
}

/* What OSv's own scripts write for these lines (tried by hand with its HEAD), as a hash. */
static void rofs_and_bootfs_are_what_osv_writes(void **state)
{
    (void)state;
    char *noise = image_tree_noise(5000, 3);
    scratch_bytes("h/a", noise, 5000);
    scratch_bytes("h/b", noise, 512);
    scratch_bytes("h/c", noise, 0);
    free(noise);
    const char *d = scratch_dir();
    char *text = mem_format("[manifest]\n/a: %s/h/a\n/d/b: %s/h/b\n/d/e/c: %s/h/c\n/d/l: ->e/c\n"
                            "/tmp: %s/h\n",
                            d, d, d, d);
    const char *manifest = scratch_text("m", text);
    free(text);
    static const struct {
        enum image_fs fs;
        uint64_t high, low;
    } known[] = {{IMAGE_ROFS, 0xb1830e9f81cb8dff, 0xb7cd6f7bd96f9fae},
                 {IMAGE_RAMFS, 0xb00d8e450fd83d8b, 0x655df7cf9fc2822b}};
    for (size_t i = 0; i < 2; i++) {
        struct image_pack pack = alone(known[i].fs);
        struct hash hash;
        struct err err = {0};
        image_tree_pack(manifest, scratch("image"), &pack);
        assert_int_equal(file_hash(scratch("image"), &hash, &err), 0);
        if (hash.high != known[i].high || hash.low != known[i].low)
            fail_msg("%s is %#llx, %#llx", image_fs_name(known[i].fs),
                     (unsigned long long)hash.high, (unsigned long long)hash.low);
    }
}

static void layouts_are_declared(void **state)
{
    (void)state;
    struct image_pack pack = {.loader = "loader.img"};
    struct err err = {0};
    str_list texts = {0};
    assert_int_equal(image_layout(&pack, NULL, "osv", "rofs_with_zfs", &texts, &err), 0);
    assert_int_equal(pack.volumes_count, 2);
    assert_int_equal(pack.volumes[0].fs, IMAGE_ROFS);
    assert_int_equal(pack.volumes[0].partition, 2);
    assert_int_equal(pack.volumes[1].fs, IMAGE_ZFS);
    assert_int_equal(pack.volumes[1].partition, 3);
    assert_int_equal(pack.align, 2 << 20);
    pack = (struct image_pack){0};
    assert_int_equal(image_layout(&pack, NULL, "2014", "zfs", &texts, &err), 0);
    assert_string_equal(pack.volumes[0].dataset, "zfs");
    assert_true(pack.size_bytes == UINT64_C(10) << 30);
    pack = (struct image_pack){0};
    assert_int_equal(image_layout(&pack,
                                  "layout-own = first=1 align=4K table=standard\nfs-x = ext\n",
                                  "own", "x", &texts, &err),
                     0);
    assert_int_equal(pack.volumes[0].partition, 1);
    assert_int_equal(pack.table, IMAGE_TABLE_STANDARD);
    assert_int_equal(image_layout(&pack, NULL, "ovs", "rofs", &texts, &err), -1);
    assert_non_null(strstr(err.text, "osv, "));
    assert_int_equal(
        image_layout(&pack, "layout-a = frist=1\nfs-b = rofs\n", "a", "b", &texts, &err), -1);
    assert_non_null(strstr(err.text, "frist"));
    str_list_free(&texts);
}

/* The two ways to pack a cylinder of more than 8 bits: Linux's, and OSv's imgedit.py. */
static void partition_tables_are_osvs_or_the_standard_one(void **state)
{
    (void)state;
    enum { ENTRY_2 = 0x1be + 16 };
    /* 3 GiB: sector 6,291,456 = cylinder 391 (0x187), head 159, sector 25. */
    static const unsigned char standard[] = {159, 25 | 1 << 6, 0x87}, osv[] = {159, 0xd9, 0x61};
    const char *manifest = image_tree_make("t", false);
    for (enum image_table table = IMAGE_TABLE_OSV; table <= IMAGE_TABLE_STANDARD; table++) {
        struct image_pack pack = in_disk(IMAGE_ROFS, DISK_RAW);
        unsigned char sector[512];
        pack.table = table;
        pack.align = UINT64_C(3) << 30;
        image_tree_pack(manifest, scratch("disk"), &pack);
        int fd = open(scratch("disk"), O_RDONLY);
        assert_int_equal(pread(fd, sector, sizeof sector, 0), sizeof sector);
        close(fd);
        assert_memory_equal(sector + ENTRY_2 + 1, table == IMAGE_TABLE_OSV ? osv : standard, 3);
        assert_int_equal(sector[ENTRY_2 + 4], 0x83);
        assert_memory_equal(sector + ENTRY_2 + 8, "\0\0\x60\0", 4);
        expect_sound(scratch("disk"));
    }
}

/* A loader in front, two file systems behind it, the first one's end is the second one's start. */
static void two_file_systems_follow_a_loader(void **state)
{
    (void)state;
    const char *manifest = image_tree_make("t", false);
    char *loader = image_tree_noise(3 << 20, 9);
    memset(loader + 510, 0, 1024);
    memset(loader + 0x1be, 0, 64);
    memcpy(loader + 510, "\x55\xaa", 2);
    struct image_pack pack = {.loader = scratch_bytes("loader.img", loader, 3 << 20),
                              .volumes = {{.fs = IMAGE_ROFS, .partition = 2},
                                          {.fs = IMAGE_ZFS, .partition = 3, .dataset = ""}},
                              .volumes_count = 2,
                              .cmdline = "--rootfs=rofs",
                              .size_bytes = UINT64_C(1) << 40};
    image_tree_pack(manifest, scratch("disk"), &pack);
    struct image_info info = {0};
    struct err err = {0};
    assert_int_equal(image_info(scratch("disk"), &info, &err), 0);
    assert_true(info.virtual_bytes == UINT64_C(1) << 40);
    const struct image_part *rofs = &info.parts.at[info.parts.len - 2], *zfs = rofs + 1;
    assert_string_equal(rofs->kind, "rofs");
    assert_string_equal(zfs->kind, "zfs");
    assert_int_equal(rofs->offset, 4 << 20);
    assert_int_equal(zfs->offset, rofs->offset + rofs->size_bytes);
    image_info_free(&info);
    struct stat st;
    assert_int_equal(stat(scratch("disk"), &st), 0);
    assert_true(st.st_blocks * 512 < 64 << 20); /* a tebibyte of holes */
    expect_sound(scratch("disk"));
    free(loader);
}

int main(void)
{
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(each_file_system_is_read_back_equal),
        IN_SCRATCH(options_of_rofs_and_zfs_change_no_file),
        IN_SCRATCH(ext4_satisfies_e2fsck_and_debugfs),
        IN_SCRATCH(grub_reads_zfs_through_a_partition),
        IN_SCRATCH(every_format_holds_the_same_disk),
        IN_SCRATCH(equal_content_gives_equal_bytes),
        IN_SCRATCH(other_content_has_other_ids),
        IN_SCRATCH(rofs_and_bootfs_are_what_osv_writes),
        IN_SCRATCH(layouts_are_declared),
        IN_SCRATCH(partition_tables_are_osvs_or_the_standard_one),
        IN_SCRATCH(two_file_systems_follow_a_loader),
    };
    image_tree_prefer_memory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Loaders, made here byte by byte: whether the kernel that they unpack fits where it goes, and a bootfs
 * that takes the place of another without a relink.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/mem.h"
#include "image/image.h"
#include "tests/support/elf_file.h"
#include "tests/support/image_tree.h"
#include "tests/support/scratch.h"

enum { KERNEL_BASE = 0x200000, LOADER_2014 = 0x1800000, LOADER_HEAD = 0x100000 };
enum { ROOM_2014 = LOADER_2014 - KERNEL_BASE }; /* 23,068,672 */

/* A kernel of `length` bytes, packed into a loader at `base`; returns the loader's path. */
static const char *make_loader(size_t length, enum loader_format format, uint64_t base)
{
    struct err err = {0};
    size_t made, packed_bytes, total;
    char *data = mem_zero(1, length);
    char *kernel = elf_file_make(KERNEL_BASE, NULL, NULL, data, 16, &made);
    memcpy(data, kernel, made < length ? made : length);
    scratch_bytes("kernel", data, length);
    free(data);
    free(kernel);
    const char *in = scratch("kernel"), *out = scratch("kernel.lz");
    int status = format == LOADER_LZ4 ? loader_compress(in, out, &err)
                                      : loader_fastlz(in, out, format, &err);
    if (status < 0)
        fail_msg("%s", err.text);
    char *packed = scratch_read("kernel.lz", &packed_bytes);
    bool block = format == LOADER_LZ4;
    char *loader = elf_file_make(base, block ? "lz_blob" : "_binary_loader_stripped_elf_lz_start",
                                 block ? NULL : "_binary_loader_stripped_elf_lz_end", packed,
                                 packed_bytes, &total);
    const char *path = scratch_bytes("lzloader.elf", loader, total);
    free(loader);
    free(packed);
    return path;
}

/* NULL: nothing must be found. */
static void expect_found(const char *loader, const char *finding)
{
    struct err err = {0};
    struct str report = {0};
    if (image_check(loader, scratch("kernel"), &report, &err) < 0)
        fail_msg("%s", err.text);
    if (finding ? !strstr(str_text(&report), finding) : report.len > 0)
        fail_msg("'%s' was not found, but: %s", finding ? finding : "nothing", str_text(&report));
    str_free(&report);
}

static void a_kernel_must_fit_below_its_loader(void **state)
{
    (void)state;
    static const enum loader_format formats[] = {LOADER_FASTLZ_2014, LOADER_LZ4, LOADER_FASTLZ};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        struct image_info info = {0};
        struct err err = {0};
        const char *path = make_loader(ROOM_2014, formats[i], LOADER_2014);
        expect_found(path, NULL);
        assert_int_equal(image_info(path, &info, &err), 0);
        assert_int_equal(info.kernel_bytes, ROOM_2014);
        assert_int_equal(info.kernel_most, 23068672);
        image_info_free(&info);
        expect_found(make_loader(ROOM_2014 + 1, formats[i], LOADER_2014),
                     "the kernel has 23068673 bytes; below the loader there is room for 23068672");
    }
}

static void a_loader_below_its_kernel_must_not_overwrite_what_it_reads(void **state)
{
    (void)state;
    struct image_info info = {0};
    struct err err = {0};
    enum { LENGTH = 5 << 20 };
    const char *path = make_loader(LENGTH, LOADER_FASTLZ, LOADER_HEAD);
    expect_found(path, NULL);
    assert_int_equal(image_info(path, &info, &err), 0);
    assert_int_equal(info.kernel_bytes, LENGTH);
    assert_int_equal(info.kernel_most, 0); /* it may be of any size */
    image_info_free(&info);
    expect_found(make_loader(LENGTH, LOADER_FASTLZ, KERNEL_BASE - ELF_DATA_AT),
                 "unpacking segment 0 overwrites what it is unpacked from");
}

static void damaged_loaders_are_told(void **state)
{
    (void)state;
    static const enum loader_format formats[] = {LOADER_FASTLZ_2014, LOADER_LZ4, LOADER_FASTLZ};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        size_t length;
        make_loader(3 << 20, formats[i], LOADER_HEAD);
        char *loader = scratch_read("lzloader.elf", &length);
        memset(loader + ELF_DATA_AT + 8, 0xff, 40);
        expect_found(scratch_bytes("lzloader.elf", loader, length), "loader: ");
        /* Cut off anywhere it is refused or found out, and nothing is read behind its end. */
        for (size_t cut = 1; cut < length; cut += length / 41 + 1) {
            struct err err = {0};
            struct str report = {0};
            struct image_info info = {0};
            scratch_bytes("lzloader.elf", loader, length - cut);
            image_check(scratch("lzloader.elf"), NULL, &report, &err);
            image_info(scratch("lzloader.elf"), &info, &err);
            image_info_free(&info);
            str_free(&report);
        }
        free(loader);
    }
}

/* ---- embedding ---- */

enum { RESERVE = 8192 };

/* A bootfs of one file; `reserve` 0: not padded. Returns its path. */
static const char *make_bootfs(const char *name, const char *text, uint64_t reserve)
{
    struct image_pack pack = {.volumes = {{.fs = IMAGE_RAMFS, .size_bytes = reserve}},
                              .volumes_count = 1};
    char *line = mem_format("/etc/motd: %s\n", scratch_text("source", text));
    image_tree_pack(scratch_text("manifest", line), scratch(name), &pack);
    free(line);
    return scratch(name);
}

/* As the linker would: the bootfs of a file amid other data. Returns the program's path. */
static const char *link_program(const char *name, const char *bootfs)
{
    size_t length, total;
    char *bytes = scratch_read(bootfs, &length);
    char *data = mem_alloc(length + 1000);
    memcpy(data, bytes, length);
    memset(data + length, 'd', 1000);
    char *elf = elf_file_make(KERNEL_BASE, "bootfs_start", NULL, data, length + 1000, &total);
    const char *path = scratch_bytes(name, elf, total);
    free(elf);
    free(data);
    free(bytes);
    return path;
}

static void expect_same(const char *a, const char *b)
{
    size_t x, y;
    char *left = scratch_read(a, &x), *right = scratch_read(b, &y);
    assert_int_equal(x, y);
    assert_memory_equal(left, right, x);
    free(left);
    free(right);
}

static void a_bootfs_takes_the_place_of_another(void **state)
{
    (void)state;
    struct err err = {0};
    struct stat st;
    make_bootfs("first.bin", "the first text\n", RESERVE);
    make_bootfs("second.bin", "another one, which is longer\n", RESERVE);
    make_bootfs("bare.bin", "another one, which is longer\n", 0);
    link_program("wanted.elf", "second.bin");
    static const char *const others[] = {"second.bin", "bare.bin"};
    for (size_t i = 0; i < 2; i++) {
        const char *program = link_program("loader.elf", "first.bin");
        assert_int_equal(chmod(program, 0755), 0);
        struct image_embed embed = {program, scratch(others[i]), "bootfs_start"};
        if (image_embed(program, &embed, &err) < 0)
            fail_msg("%s", err.text);
        expect_same("loader.elf", "wanted.elf");
        assert_int_equal(stat(program, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0755);
        /* And back, into another file. */
        link_program("before.elf", "first.bin");
        embed.file = scratch("first.bin");
        assert_int_equal(image_embed(scratch("back.elf"), &embed, &err), 0);
        expect_same("back.elf", "before.elf");
    }
}

static void expect_refused(const char *program, const char *file, const char *symbol,
                           const char *why)
{
    struct err err = {0};
    size_t length, now;
    struct image_embed embed = {scratch(program), scratch(file), symbol};
    char *before = scratch_read(program, &length);
    assert_int_equal(image_embed(embed.program, &embed, &err), -1);
    if (!strstr(err.text, why))
        fail_msg("'%s' is not in: %s", why, err.text);
    char *after = scratch_read(program, &now);
    assert_int_equal(now, length);
    assert_memory_equal(before, after, length);
    free(before);
    free(after);
    image_tree_run("! ls %s/*.tmp", scratch_dir());
}

static void what_cannot_be_embedded_is_refused_and_the_program_stays(void **state)
{
    (void)state;
    char *large = image_tree_noise(RESERVE, 3);
    for (size_t i = 0; i < RESERVE; i++)
        large[i] = (char)('a' + (large[i] & 15));
    large[RESERVE - 1] = '\0';
    make_bootfs("first.bin", "the first text\n", RESERVE);
    make_bootfs("bare.bin", "the first text\n", 0);
    make_bootfs("large.bin", large, 0);
    free(large);
    link_program("loader.elf", "first.bin");
    link_program("without.elf", "bare.bin");
    scratch_text("text", "no program");
    expect_refused("loader.elf", "large.bin", "bootfs_start", "link it with a larger one");
    expect_refused("without.elf", "first.bin", "bootfs_start", "without a reserve");
    expect_refused("loader.elf", "first.bin", "bootfs", "no symbol bootfs ");
    expect_refused("text", "first.bin", "bootfs_start", "no ELF file");
    struct err err = {0};
    struct image_embed embed = {scratch("loader.elf"), scratch("none"), "bootfs_start"};
    assert_int_equal(image_embed(scratch("new.elf"), &embed, &err), -1);
    image_tree_run("! ls %s/new.elf*", scratch_dir());
}

int main(void)
{
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(a_kernel_must_fit_below_its_loader),
        IN_SCRATCH(a_loader_below_its_kernel_must_not_overwrite_what_it_reads),
        IN_SCRATCH(damaged_loaders_are_told),
        IN_SCRATCH(a_bootfs_takes_the_place_of_another),
        IN_SCRATCH(what_cannot_be_embedded_is_refused_and_the_program_stays),
    };
    image_tree_prefer_memory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What image check finds: damage of each kind of volume, and loaders that unpack to something else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "image/image.h"
#include "image/inventory.h"
#include "image/read_image.h"
#include "tests/support/image_tree.h"
#include "tests/support/scratch.h"

/* Packs one file system alone, changes bytes of it, and wants the finding. */
static void expect_found(enum image_fs fs, uint64_t at, const void *bytes, size_t length,
                         const char *finding)
{
    struct image_pack pack = {.volumes = {{.fs = fs, .dataset = ""}}, .volumes_count = 1};
    struct err err = {0};
    struct str report = {0};
    size_t size;
    image_tree_pack(image_tree_make("t", false), scratch("image"), &pack);
    char *image = scratch_read("image", &size);
    assert_true(at + length <= size);
    memcpy(image + at, bytes, length);
    scratch_bytes("image", image, size);
    free(image);
    if (image_check(scratch("image"), NULL, &report, &err) < 0)
        str_add(&report, err.text);
    if (!strstr(str_text(&report), finding))
        fail_msg("'%s' was not found, but: %s", finding, str_text(&report));
    str_free(&report);
}

static void damage_is_found(void **state)
{
    (void)state;
    /* Group 0 of ext4: blocks 0 super block, 1 descriptors; then the bitmaps. */
    expect_found(IMAGE_EXT, 2 * 4096, "\xff\xff\xff\xff\xff\xff\xff\xfe", 8, "blocks");
    expect_found(IMAGE_EXT, 1024 + 12, "\1\0\0\0", 4, "free blocks are wrong");
    expect_found(IMAGE_EXT, 1024 + 96, "\x42\x82\0\0", 4, "inline_data");
    /* The first block of a pool's data, and all of a label's ring. */
    expect_found(IMAGE_ZFS, (4 << 20) + 100, "damaged!", 8, "checksum is wrong");
    char *zeros = mem_zero(1, 128 * 1024);
    expect_found(IMAGE_ZFS, 128 * 1024, zeros, 128 * 1024, "label 0 has no sound uberblock");
    free(zeros);
    expect_found(IMAGE_ROFS, 32, "\xff\xff\xff\x7f", 4, "");
}

static void pack_kernel(enum loader_format format, const char *raw, size_t length)
{
    struct err err = {0};
    scratch_bytes("kernel", raw, length);
    if (loader_fastlz(scratch("kernel"), scratch("packed"), format, &err) < 0)
        fail_msg("%s", err.text);
    size_t packed_bytes, made = 0;
    char *packed = scratch_read("packed", &packed_bytes);
    unsigned char *back = loader_unpack((unsigned char *)packed, packed_bytes, &made);
    assert_non_null(back);
    assert_int_equal(made, length);
    assert_memory_equal(back, raw, length);
    free(back);
    /* Cut off anywhere, it is refused or something else, and nothing is read behind its end. */
    for (size_t cut = 1; cut < packed_bytes; cut += packed_bytes / 37 + 1) {
        char *part = mem_alloc(packed_bytes - cut);
        memcpy(part, packed, packed_bytes - cut);
        free(loader_unpack((unsigned char *)part, packed_bytes - cut, &made));
        free(part);
    }
    free(packed);
}

static void kernels_are_packed_and_unpacked(void **state)
{
    (void)state;
    enum { LENGTH = (2 << 20) + 12345 };
    char *raw = image_tree_noise(LENGTH, 11);
    for (enum loader_format format = LOADER_FASTLZ; format <= LOADER_FASTLZ_2014; format++) {
        pack_kernel(format, raw, LENGTH); /* does not pack */
        pack_kernel(format, raw, 1);
        memset(raw, 0, LENGTH / 2); /* long matches */
        for (size_t i = LENGTH / 2; i < LENGTH; i++) /* near, far and very far ones */
            raw[i] = (char)((i % 9001) * 7 >> (i / 70000 % 5));
        pack_kernel(format, raw, LENGTH);
        free(raw);
        raw = image_tree_noise(LENGTH, 12);
    }
    free(raw);
}

/* As OSv links it: the packed kernel between two symbols of a 32-bit ELF file. */
static void a_loader_is_compared_with_its_kernel(void **state)
{
    (void)state;
    enum { LENGTH = 300 * 1000 };
    struct err err = {0};
    struct str report = {0};
    char *raw = image_tree_noise(LENGTH, 13);
    memset(raw + 1000, 'x', LENGTH / 2);
    memcpy(raw, "\177ELF", 4);
    scratch_bytes("kernel", raw, LENGTH);
    assert_int_equal(
        loader_fastlz(scratch("kernel"), scratch("loader-stripped.elf.lz"), LOADER_FASTLZ, &err),
        0);
    char *link =
        mem_format("cd %s && objcopy -B i386 -I binary -O elf32-i386 loader-stripped.elf.lz "
                   "k.o && ld -m elf_i386 -Ttext 0x1000 -e 0x1000 -o lzloader.elf k.o "
                   ">/dev/null 2>&1",
                   scratch_dir());
    int linked = system(link);
    free(link);
    if (linked != 0) {
        free(raw);
        skip(); /* binutils of another machine */
    }
    const char *loader = scratch("lzloader.elf"), *stripped = scratch("kernel");
    assert_int_equal(image_check(loader, stripped, &report, &err), 0);
    assert_string_equal(str_text(&report), "");
    raw[200 * 1000] ^= 1;
    scratch_bytes("kernel", raw, LENGTH);
    assert_int_equal(image_check(loader, stripped, &report, &err), 0);
    assert_non_null(strstr(str_text(&report), "differs"));
    assert_non_null(strstr(str_text(&report), "at byte 200000"));
    str_free(&report);
    free(raw);
}

static void arguments_are_remembered_and_taken_back(void **state)
{
    (void)state;
    struct err err = {0};
    struct image_history history = {0};
    struct image_pack pack = {.volumes = {{.fs = IMAGE_ROFS, .partition = 2}},
                              .volumes_count = 1,
                              .cmdline = "first",
                              .format = DISK_QCOW2};
    setenv("XDG_STATE_HOME", scratch("state"), 1);
    const char *image = scratch("image");
    image_tree_pack(image_tree_make("t", false), image, &pack);
    assert_int_equal(image_change_args(image, "second\twith a tab", &err), 0);
    assert_int_equal(image_change_args(image, "third", &err), 0);
    assert_int_equal(image_change_args(image, "third", &err), 0); /* no change */
    assert_int_equal(image_args_history(image, &history, &err), 0);
    assert_int_equal(history.past.len, 2);
    assert_string_equal(history.past.at[0].args, "first");
    assert_string_equal(history.past.at[1].args, "second\twith a tab");
    image_history_free(&history);
    static const char *const back[] = {"second\twith a tab", "first"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(image_undo_args(image, &err), 0);
        char *args = image_args(image, &err);
        assert_string_equal(args, back[i]);
        free(args);
    }
    assert_int_equal(image_undo_args(image, &err), -1);
    assert_non_null(strstr(err.text, "no change"));
    unsetenv("XDG_STATE_HOME");
}

static void what_is_in_an_image_is_told_with_hashes(void **state)
{
    (void)state;
    static const enum image_fs kinds[] = {IMAGE_ROFS, IMAGE_ZFS, IMAGE_EXT};
    const char *manifest = image_tree_make("t", false);
    char first[65] = "";
    for (size_t i = 0; i < 3; i++) {
        struct image_pack pack = {.volumes = {{.fs = kinds[i], .dataset = ""}}, .volumes_count = 1};
        struct inventory inventory = {0};
        struct err err = {0};
        struct str text = {0};
        image_tree_pack(manifest, scratch("image"), &pack);
        if (inventory_make(&inventory, scratch("image"), &err) < 0)
            fail_msg("%s", err.text);
        for (size_t k = 0; k < inventory.files.len; k++)
            if (strcmp(inventory.files.at[k].file.path, "/d/e/small") ==
                0) /* sha256sum of "small\n" */
                assert_string_equal(
                    inventory.files.at[k].sha256,
                    "4c47b3e816fbe7d40cef9f665ba8f0be1ae68b5e8e7ed70f5b6bab7f70528e8f");
        inventory_spdx(&inventory, "image", &text);
        assert_non_null(strstr(text.at, "\"SPDX-2.3\""));
        assert_non_null(
            strstr(text.at, "4c47b3e816fbe7d40cef9f665ba8f0be1ae68b5e8e7ed70f5b6bab7f70528e8f"));
        str_cut(&text, 0);
        inventory_cyclonedx(&inventory, "image", &text);
        assert_non_null(strstr(text.at, "\"CycloneDX\""));
        assert_non_null(
            strstr(text.at, "4c47b3e816fbe7d40cef9f665ba8f0be1ae68b5e8e7ed70f5b6bab7f70528e8f"));
        /* The content, and so its name, is that of the files and not of the file system. */
        if (i)
            assert_string_equal(inventory.sha256, first);
        memcpy(first, inventory.sha256, sizeof first);
        str_free(&text);
        inventory_free(&inventory);
    }
}

int main(void)
{
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(damage_is_found),
        IN_SCRATCH(kernels_are_packed_and_unpacked),
        IN_SCRATCH(a_loader_is_compared_with_its_kernel),
        IN_SCRATCH(arguments_are_remembered_and_taken_back),
        IN_SCRATCH(what_is_in_an_image_is_told_with_hashes),
    };
    image_tree_prefer_memory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

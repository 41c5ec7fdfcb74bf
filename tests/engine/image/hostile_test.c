/*
 * Sources and circumstances that nobody wishes for: what is no file, what changes while it is read,
 * what is too large, too many or too long, a full disk, two composes at once. The old image stays, or
 * the new one is whole.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

static const char *manifest_of(const char *text)
{
    return scratch_text("manifest", text);
}

static void expect_refused(const char *manifest, enum image_fs fs, const char *why)
{
    struct err err = {0};
    struct image_pack pack = alone(fs);
    scratch_text("image", "old");
    assert_int_equal(image_tree_try(manifest, scratch("image"), &pack, &err), -1);
    if (!strstr(err.text, why))
        fail_msg("%s: '%s' is not in: %s", image_fs_name(fs), why, err.text);
    size_t length;
    char *kept = scratch_read("image", &length);
    assert_string_equal(kept, "old");
    free(kept);
    image_tree_run("! ls %s/image.*.tmp", scratch_dir()); /* and nothing is left beside it */
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

static void names_and_sources_that_are_wrong(void **state)
{
    (void)state;
    char *fifo = mem_format("/x: %s/fifo\n", scratch_dir());
    assert_int_equal(mkfifo(scratch("fifo"), 0600), 0);
    scratch_text("there/inner", "x");
    /* A link to an absolute path is followed inside of its own tree, and nowhere else. */
    assert_int_equal(symlink("/no/such/file/anywhere", scratch("there/out")), 0);
    char *out = mem_format("/x: %s/there/out\n", scratch_dir());
    for (size_t i = 0; i < KINDS; i++) {
        expect_refused(manifest_of("/a/../../etc/passwd: /etc/hostname\n"), kinds[i], "..");
        expect_refused(manifest_of("/x: /dev/zero\n"), kinds[i], "no file");
        expect_refused(manifest_of(fifo), kinds[i], "no file");
        expect_refused(manifest_of(out), kinds[i], "/x");
        expect_refused(manifest_of("/x: /nonexistent\n"), kinds[i], "not there");
    }
    free(fifo);
    free(out);
}

/* What was a file when the manifest was read is a fifo when it is packed: nothing waits for it. */
static void a_file_becomes_a_fifo(void **state)
{
    (void)state;
    const char *path = scratch_text("source", "four");
    char *text = mem_format("/x: %s\n", path);
    const char *manifest = manifest_of(text);
    free(text);
    for (size_t i = 0; i < KINDS; i++) {
        struct manifest_list list = {0};
        const struct manifest_scope scope = {0};
        struct err err = {0};
        struct image_pack pack = alone(kinds[i]);
        scratch_text("source", "four");
        assert_int_equal(manifest_resolve(&list, &manifest, 1, &scope, MANIFEST_STRICT, &err), 0);
        pack.volumes[0].list = &list;
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkfifo(path, 0600), 0);
        assert_int_equal(image_pack(scratch("image"), &pack, NULL, &err), -1);
        assert_non_null(strstr(err.text, "manifest:1: /x:"));
        assert_int_equal(unlink(path), 0);
        manifest_list_free(&list);
    }
}

/* Grows, shrinks or rewrites a source when half of it was read. */
enum how { GROW, SHRINK, REWRITE, HOWS };
static const char *changing;
static enum how how;
static bool changed;
static void change(void *data, uint64_t done_bytes, uint64_t total_bytes)
{
    (void)data, (void)total_bytes;
    if (changed || done_bytes < 1 << 20)
        return;
    changed = true;
    int fd = open(changing, O_WRONLY);
    assert_true(fd >= 0);
    if (how == REWRITE)
        assert_int_equal(pwrite(fd, "other", 5, 0), 5);
    else
        assert_int_equal(ftruncate(fd, how == SHRINK ? 4096 : 9 << 20), 0);
    close(fd);
}

static void a_file_changes_while_it_is_read(void **state)
{
    (void)state;
    enum { SIZE = 8 << 20 };
    char *noise = image_tree_noise(SIZE, 5);
    changing = scratch("source");
    char *text = mem_format("/x: %s\n", changing);
    const char *manifest = manifest_of(text);
    free(text);
    for (size_t i = 0; i < HOWS * KINDS; i++) {
        struct manifest_list list = {0};
        const struct manifest_scope scope = {0};
        const struct image_io io = {.progress = change};
        struct err err = {0};
        struct image_pack pack = alone(kinds[i / HOWS]);
        scratch_bytes("source", noise, SIZE);
        scratch_text("image", "old");
        assert_int_equal(manifest_resolve(&list, &manifest, 1, &scope, MANIFEST_STRICT, &err), 0);
        pack.volumes[0].list = &list;
        how = (enum how)(i % HOWS);
        changed = false;
        assert_int_equal(image_pack(scratch("image"), &pack, &io, &err), -1);
        assert_true(changed);
        if (!strstr(err.text, "while it was read"))
            fail_msg("%s: %s", image_fs_name(kinds[i / HOWS]), err.text);
        char *kept = scratch_read("image", NULL);
        assert_string_equal(kept, "old");
        free(kept);
        manifest_list_free(&list);
    }
    free(noise);
}

struct counted {
    uint64_t bytes, sum;
};
static int count(void *data, const void *bytes, size_t length, struct err *err)
{
    struct counted *counted = data;
    (void)err;
    /* Words, so that a sanitizer has less to look at. */
    const uint64_t *words = bytes;
    for (size_t i = 0; i < length / 8; i++)
        for (uint64_t word = words[i]; word; word >>= 8)
            counted->sum += word & 0xff;
    for (size_t i = length / 8 * 8; i < length; i++)
        counted->sum += ((const unsigned char *)bytes)[i];
    counted->bytes += length;
    return 0;
}

static void five_gibibytes_of_holes(void **state)
{
    (void)state;
    const char *path = scratch_text("sparse", "");
    const uint64_t size = (UINT64_C(5) << 30) + 3;
    assert_int_equal(truncate(path, (off_t)size), 0);
    image_tree_run("printf middle | dd of=%s bs=1 seek=3221225479 conv=notrunc", path);
    image_tree_run("printf end | dd of=%s bs=1 seek=5368709120 conv=notrunc", path);
    uint64_t sum = 0;
    for (const char *p = "middleend"; *p; p++)
        sum += (unsigned char)*p;
    char *text = mem_format("/x: %s\n", path);
    const char *manifest = manifest_of(text);
    free(text);
    for (size_t i = 0; i < KINDS; i++) {
        struct image_pack pack = alone(kinds[i]);
        struct counted counted = {0};
        struct stat st;
        struct err err = {0};
        image_tree_pack(manifest, scratch("image"), &pack);
        assert_int_equal(stat(scratch("image"), &st), 0);
        assert_true(st.st_blocks * 512 < 128 << 20);
        assert_int_equal(image_get(scratch("image"), "/x", count, &counted, &err), 0);
        assert_true(counted.bytes == size);
        assert_true(counted.sum == sum);
        expect_sound(scratch("image"));
    }
}

static void many_files_in_one_directory(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__ /* each access is looked at: ten times fewer */
    enum { FILES = 20 * 1000 };
#else
    enum { FILES = 200 * 1000 };
#endif
    const char *source = scratch_text("source", "x"), *empty = scratch_text("empty", "");
    struct str text = {0};
    for (int i = 0; i < FILES; i++)
        str_addf(&text, "/d/name-number-%06d: %s\n", i, i % 1000 == 456 ? source : empty);
    const char *manifest = manifest_of(str_text(&text));
    str_free(&text);
    for (size_t i = 0; i < KINDS; i++) {
        struct image_pack pack = alone(kinds[i]);
        struct image_listing listing = {0};
        struct str bytes = {0};
        struct err err = {0};
        image_tree_pack(manifest, scratch("image"), &pack);
        if (image_list(scratch("image"), &listing, &err) < 0)
            fail_msg("%s", err.text);
        assert_int_equal(listing.files.len, FILES + (kinds[i] != IMAGE_RAMFS));
        char last[64];
        snprintf(last, sizeof last, "/d/name-number-%06d", FILES - 1);
        assert_string_equal(listing.files.at[listing.files.len - 1].path, last);
        image_listing_free(&listing);
        assert_int_equal(image_cat(scratch("image"), "/d/name-number-012456", &bytes, &err), 0);
        assert_string_equal(bytes.at, "x");
        str_free(&bytes);
        expect_sound(scratch("image"));
        if (kinds[i] == IMAGE_EXT)
            image_tree_run("e2fsck -fn %s", scratch("image"));
    }
}

static void long_names(void **state)
{
    (void)state;
    char name[257];
    const char *source = scratch_text("source", "x");
    for (int length = 110; length <= 256; length++) {
        if (length > 112 && length < 254)
            continue;
        memset(name, 'n', sizeof name);
        name[length] = '\0';
        name[0] = '/'; /* length counts the slash */
        char *text = mem_format("%s: %s\n", name, source);
        const char *manifest = manifest_of(text);
        free(text);
        for (size_t i = 0; i < KINDS; i++) {
            struct image_pack pack = alone(kinds[i]);
            struct str bytes = {0};
            struct err err = {0};
            if (kinds[i] == IMAGE_RAMFS && length > 110) {
                expect_refused(manifest, kinds[i], "110");
                continue;
            }
            image_tree_pack(manifest, scratch("image"), &pack);
            assert_int_equal(image_cat(scratch("image"), name, &bytes, &err), 0);
            assert_string_equal(bytes.at, "x");
            str_free(&bytes);
            expect_sound(scratch("image"));
        }
    }
}

/* As on a disk that is full: writes fail from some byte on. */
static void no_space_left(void **state)
{
    (void)state;
    const char *manifest = image_tree_make("t", false);
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 300 * 1024;
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    for (size_t i = 0; i < KINDS; i++)
        for (int format = 0; format < DISK_FORMATS; format++) {
            struct image_pack pack = {.volumes = {{.fs = kinds[i], .partition = 0, .dataset = ""}},
                                      .volumes_count = 1,
                                      .format = (enum disk_format)format};
            struct err err = {0};
            scratch_text("image", "old");
            assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
            int status = image_tree_try(manifest, scratch("image"), &pack, &err);
            assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
            if (status == 0) /* a tar.gz of it may be small enough */
                continue;
            assert_non_null(strstr(err.text, "cannot write"));
            char *kept = scratch_read("image", NULL);
            assert_string_equal(kept, "old");
            free(kept);
        }
    signal(SIGXFSZ, before);
    image_tree_run("! ls %s/image.*.tmp", scratch_dir());
}

static void an_output_on_another_file_system(void **state)
{
    (void)state;
    static const char *const places[] = {"/dev/shm", "/tmp", "/var/tmp", "/run", "."};
    const char *manifest = image_tree_make("t", false);
    char path[64] = "";
    struct stat here, there;
    assert_int_equal(stat(scratch_dir(), &here), 0);
    for (size_t i = 0; i < sizeof places / sizeof *places && !*path; i++) {
        if (stat(places[i], &there) < 0 || there.st_dev == here.st_dev)
            continue;
        snprintf(path, sizeof path, "%s/gantry-test-XXXXXX", places[i]);
        int fd = mkstemp(path);
        if (fd < 0)
            *path = '\0';
        else
            close(fd);
    }
    if (!*path)
        skip(); /* one file system only on this machine */
    for (int format = 0; format < DISK_FORMATS; format++) {
        struct image_pack pack = {.volumes = {{.fs = IMAGE_ROFS, .partition = 2}},
                                  .volumes_count = 1,
                                  .format = (enum disk_format)format};
        image_tree_pack(manifest, path, &pack);
        expect_sound(path);
    }
    unlink(path);
}

static void two_composes_at_once(void **state)
{
    (void)state;
    const char *manifest = image_tree_make("t", false);
    struct image_pack pack = alone(IMAGE_EXT);
    image_tree_pack(manifest, scratch("alone"), &pack);
    enum { BOTH = 2 };
    pid_t children[BOTH];
    for (int i = 0; i < BOTH; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            struct err err = {0};
            int bad = 0;
            for (int k = 0; k < 8; k++)
                bad |= image_tree_try(manifest, scratch("image"), &pack, &err);
            _exit(bad ? 1 : 0);
        }
    }
    for (int i = 0; i < BOTH; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    image_tree_run("cmp %s %s", scratch("alone"), scratch("image"));
    image_tree_run("! ls %s/image.*.tmp", scratch_dir());
}

/* A run that is killed leaves the old image. */
static void killed_in_the_middle(void **state)
{
    (void)state;
    const char *manifest = image_tree_make("t", false);
    scratch_text("image", "old");
    pid_t child = fork();
    if (child == 0) {
        struct manifest_list list = {0};
        const struct manifest_scope scope = {0};
        struct err err = {0};
        struct image_pack pack = alone(IMAGE_ZFS);
        struct image_io io = {.progress = (void (*)(void *, uint64_t, uint64_t))NULL};
        struct rlimit none = {0};
        setrlimit(RLIMIT_CORE, &none);
        manifest_resolve(&list, &manifest, 1, &scope, MANIFEST_STRICT, &err);
        pack.volumes[0].list = &list;
        struct rlimit small = {.rlim_cur = 4 << 20, .rlim_max = 4 << 20};
        signal(SIGXFSZ, SIG_DFL); /* ends the process inside of a write */
        setrlimit(RLIMIT_FSIZE, &small);
        image_pack(scratch("image"), &pack, &io, &err);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    char *kept = scratch_read("image", NULL);
    assert_string_equal(kept, "old");
    free(kept);
}

int main(void)
{
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(names_and_sources_that_are_wrong),
        IN_SCRATCH(a_file_becomes_a_fifo),
        IN_SCRATCH(a_file_changes_while_it_is_read),
        IN_SCRATCH(five_gibibytes_of_holes),
        IN_SCRATCH(many_files_in_one_directory),
        IN_SCRATCH(long_names),
        IN_SCRATCH(no_space_left),
        IN_SCRATCH(an_output_on_another_file_system),
        IN_SCRATCH(two_composes_at_once),
        IN_SCRATCH(killed_in_the_middle),
    };
    image_tree_prefer_memory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

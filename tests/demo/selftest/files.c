/* bootfs, ROFS, and the walk along a path. */
#include "noise.h"
#include "selftest.h"

/* The size that data/module.mk gives it. */
enum { NOISE_BYTES = 1000001 };

/* Reads a small file as text; "" if it cannot be read. */
static const char *read_text(const char *path)
{
    static char text[512];
    struct file file;
    int64_t length = 0;

    if (kernel->look_up(path, &file) == 0)
        length = kernel->read(&file, 0, text, sizeof text - 1);
    text[length > 0 ? length : 0] = '\0';
    return text;
}

static int error_of(const char *path)
{
    struct file file;

    return kernel->look_up(path, &file);
}

static const char *test_bootfs(void)
{
    EXPECT_TEXT(read_text("/boot/etc/hostname"), "gantry\n");
    EXPECT(text_starts(read_text("/boot/etc/motd"), "You are in the bootfs", NULL));
    EXPECT_NUMBER(error_of("/boot/etc/nothing"), ERROR_NOT_FOUND);
    EXPECT_NUMBER(error_of("/boot/etc/motd/x"), ERROR_NOT_DIRECTORY);
    return NULL;
}

static const char *test_bootfs_symlink(void)
{
    struct file link;

    EXPECT_TEXT(read_text("/boot/etc/fstab"), "bootfs /boot\n");
    EXPECT_NUMBER(kernel->look_up_link("/boot/etc/fstab", &link), 0);
    EXPECT_NUMBER(link.type, FILE_SYMLINK);
    EXPECT_NUMBER(link.size, strlen("/boot/etc/mounts"));
    return NULL;
}

static const char *test_rofs(void)
{
    struct file file;

    EXPECT(text_starts(read_text("/etc/motd"), "You are on the disk", NULL));
    EXPECT_TEXT(read_text("/data/tree/deep/er/three.txt"), "three levels down\n");
    EXPECT_NUMBER(kernel->look_up("/tests/empty", &file), 0);
    EXPECT_NUMBER(file.size, 0);
    EXPECT_TEXT(read_text("/tests/empty"), "");
    EXPECT_NUMBER(error_of("/data/poem"), ERROR_NOT_FOUND);
    EXPECT_NUMBER(error_of("/data/poem.txt.x"), ERROR_NOT_FOUND);
    return NULL;
}

/* Larger than one request of any driver here, and of no round size. */
static const char *test_rofs_large(void)
{
    enum { PIECE = 300007 };
    struct noise noise = {NOISE_SEED};
    struct file file;
    unsigned char *piece;
    int64_t count;
    uint64_t at = 0;

    EXPECT_NUMBER(kernel->look_up("/data/noise.bin", &file), 0);
    EXPECT_NUMBER(file.size, NOISE_BYTES);
    piece = kernel->allocate(PIECE);
    EXPECT(piece);
    while ((count = kernel->read(&file, at, piece, PIECE)) > 0) {
        for (int64_t i = 0; i < count; i++, at++)
            if (piece[i] != noise_byte(&noise))
                return failure("byte %lu of noise.bin is wrong", (unsigned long)at);
    }
    kernel->release(piece);
    EXPECT_NUMBER(count, 0);
    EXPECT_NUMBER(at, NOISE_BYTES);
    return NULL;
}

/* Every pair of ends around block borders gives the bytes that one whole read gives. */
static const char *test_rofs_borders(void)
{
    static const unsigned ends[] = {0, 1, 511, 512, 513, 1023, 1024, 1025, 2047, 2048};
    enum { ENDS = sizeof ends / sizeof ends[0], WHOLE = 2048 };
    static unsigned char whole[WHOLE], part[WHOLE + 1];
    struct file file;

    EXPECT_NUMBER(kernel->look_up("/data/noise.bin", &file), 0);
    EXPECT_NUMBER(kernel->read(&file, 0, whole, WHOLE), WHOLE);
    for (int from = 0; from < ENDS; from++)
        for (int to = from; to < ENDS; to++) {
            unsigned size = ends[to] - ends[from];

            memset(part, 0, sizeof part);
            EXPECT_NUMBER(kernel->read(&file, ends[from], part, size), size);
            EXPECT(memcmp(part, whole + ends[from], size) == 0);
            EXPECT(part[size] == 0);
        }
    return NULL;
}

static const char *test_end_of_file(void)
{
    unsigned char last[4] = {0};
    struct file file;

    EXPECT_NUMBER(kernel->look_up("/data/noise.bin", &file), 0);
    EXPECT_NUMBER(kernel->read(&file, NOISE_BYTES - 3, last, sizeof last), 3);
    EXPECT_NUMBER(kernel->read(&file, NOISE_BYTES, last, sizeof last), 0);
    EXPECT_NUMBER(kernel->read(&file, UINT64_MAX, last, sizeof last), 0);
    EXPECT_NUMBER(kernel->look_up("/data", &file), 0);
    EXPECT_NUMBER(kernel->read(&file, 0, last, sizeof last), ERROR_IS_DIRECTORY);
    return NULL;
}

/* Collects "name:type " for each entry. */
static const char *list(const char *path)
{
    static char text[512];
    static struct directory_entry entry;
    struct file directory;
    size_t length = 0;

    text[0] = '\0';
    if (kernel->look_up(path, &directory) != 0)
        return "(missing)";
    for (uint64_t i = 0; kernel->list(&directory, i, &entry) == 0 && length < sizeof text; i++)
        length +=
            format_text(text + length, sizeof text - length, "%s:%u ", entry.name, entry.file.type);
    return text;
}

static const char *test_list(void)
{
    struct file file;
    static struct directory_entry entry;

    EXPECT_TEXT(list("/data/tree/deep"), "er:1 two.txt:0 ");
    EXPECT_TEXT(list("/data"), "noise.bin:0 poem.txt:0 readme:2 tree:1 ");
    EXPECT_NUMBER(kernel->look_up("/data/tree", &file), 0);
    EXPECT_NUMBER(file.size, 2);
    EXPECT_NUMBER(kernel->list(&file, 2, &entry), ERROR_RANGE);
    EXPECT_NUMBER(kernel->look_up("/data/poem.txt", &file), 0);
    EXPECT_NUMBER(kernel->list(&file, 0, &entry), ERROR_NOT_DIRECTORY);
    return NULL;
}

static const char *test_list_mounts(void)
{
    const char *root = list("/");
    bool found = false;

    for (const char *at = root; at; at = strchr(at, ' ') ? strchr(at, ' ') + 1 : NULL)
        found |= text_starts(at, "boot:1 ", NULL);
    EXPECT(found);
    return NULL;
}

static const char *test_symlinks(void)
{
    char poem[512];

    text_copy(poem, read_text("/data/poem.txt"), sizeof poem);
    EXPECT(strlen(poem) > 10);
    EXPECT_TEXT(read_text("/tests/links/relative"), poem);
    EXPECT_TEXT(read_text("/tests/links/absolute"), poem);
    EXPECT_TEXT(read_text("/tests/links/chain"), poem);
    EXPECT_TEXT(read_text("/tests/links/directory/poem.txt"), poem);
    EXPECT_TEXT(read_text("/tests/links/directory/../data/readme"), poem);
    return NULL;
}

static const char *test_symlink_errors(void)
{
    struct file file;

    EXPECT_NUMBER(error_of("/tests/links/dangling"), ERROR_NOT_FOUND);
    EXPECT_NUMBER(error_of("/tests/links/loop"), ERROR_LOOP);
    EXPECT_NUMBER(error_of("/tests/links/relative/x"), ERROR_NOT_DIRECTORY);
    EXPECT_NUMBER(kernel->look_up_link("/tests/links/loop", &file), 0);
    EXPECT_NUMBER(file.type, FILE_SYMLINK);
    return NULL;
}

static const char *test_paths(void)
{
    char path[1200];

    EXPECT_TEXT(read_text("//etc/./../etc//hostname"), "gantry\n");
    EXPECT_TEXT(read_text("/../../etc/hostname"), "gantry\n");
    EXPECT_TEXT(read_text("/boot/../etc/hostname"), "gantry\n");
    EXPECT_NUMBER(error_of("etc/hostname"), ERROR_NOT_FOUND);
    EXPECT_NUMBER(error_of("/etc/hostname/."), ERROR_NOT_DIRECTORY);
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    EXPECT_NUMBER(error_of(path), ERROR_NAME);
    path[300] = '\0';
    EXPECT_NUMBER(error_of(path), ERROR_NAME);
    return NULL;
}

const struct test file_tests[] = {
    {"bootfs", test_bootfs},
    {"bootfs-symlink", test_bootfs_symlink},
    {"rofs", test_rofs},
    {"rofs-large", test_rofs_large},
    {"rofs-borders", test_rofs_borders},
    {"end-of-file", test_end_of_file},
    {"list", test_list},
    {"list-mounts", test_list_mounts},
    {"symlinks", test_symlinks},
    {"symlink-errors", test_symlink_errors},
    {"paths", test_paths},
    {NULL, NULL},
};

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
    EXPECT_TEXT(read_text("/boot/tests/note.txt"), "a note\n");
    EXPECT_NUMBER(error_of("/boot/tests/nothing"), ERROR_NOT_FOUND);
    EXPECT_NUMBER(error_of("/boot/tests/note.txt/x"), ERROR_NOT_DIRECTORY);
    return NULL;
}

static const char *test_bootfs_symlink(void)
{
    struct file link;

    EXPECT_TEXT(read_text("/boot/tests/link"), "a note\n");
    EXPECT_NUMBER(kernel->look_up_link("/boot/tests/link", &link), 0);
    EXPECT_NUMBER(link.type, FILE_SYMLINK);
    EXPECT_NUMBER(link.size, strlen("/boot/tests/note.txt"));
    return NULL;
}

static const char *test_rofs(void)
{
    struct file file;

    EXPECT_TEXT(read_text("/tests/files/note.txt"), "a note\n");
    EXPECT_TEXT(read_text("/tests/files/deep/er/three.txt"), "three levels down\n");
    EXPECT_NUMBER(kernel->look_up("/tests/files/empty", &file), 0);
    EXPECT_NUMBER(file.size, 0);
    EXPECT_TEXT(read_text("/tests/files/empty"), "");
    EXPECT_NUMBER(error_of("/tests/files/note"), ERROR_NOT_FOUND);
    EXPECT_NUMBER(error_of("/tests/files/note.txt.x"), ERROR_NOT_FOUND);
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
    EXPECT_NUMBER(kernel->look_up("/tests", &file), 0);
    EXPECT_NUMBER(kernel->read(&file, 0, last, sizeof last), ERROR_IS_DIRECTORY);
    return NULL;
}

/* How often the directory at path has an entry called name, of that type. */
static int count_entries(const char *path, const char *name, uint32_t type)
{
    static struct directory_entry entry;
    struct file directory;
    int count = 0;

    if (kernel->look_up(path, &directory) != 0)
        return -1;
    for (uint64_t i = 0; kernel->list(&directory, i, &entry) == 0; i++)
        count += strcmp(entry.name, name) == 0 && entry.file.type == type;
    return count;
}

static const char *test_list(void)
{
    struct file file;
    static struct directory_entry entry;

    EXPECT_NUMBER(count_entries("/tests/files/deep", "er", FILE_DIRECTORY), 1);
    EXPECT_NUMBER(count_entries("/tests/files/deep", "two.txt", FILE_REGULAR), 1);
    EXPECT_NUMBER(count_entries("/tests/links", "loop", FILE_SYMLINK), 1);
    EXPECT_NUMBER(kernel->look_up("/tests/files/deep", &file), 0);
    EXPECT_NUMBER(file.size, 2);
    EXPECT_NUMBER(kernel->list(&file, 2, &entry), ERROR_RANGE);
    EXPECT_NUMBER(kernel->look_up("/tests/files/note.txt", &file), 0);
    EXPECT_NUMBER(kernel->list(&file, 0, &entry), ERROR_NOT_DIRECTORY);
    return NULL;
}

static const char *test_list_mounts(void)
{
    EXPECT_NUMBER(count_entries("/", "boot", FILE_DIRECTORY), 1);
    EXPECT_NUMBER(count_entries("/", "tests", FILE_DIRECTORY), 1);
    EXPECT_NUMBER(count_entries("/boot", "boot", FILE_DIRECTORY), 0);
    return NULL;
}

static const char *test_symlinks(void)
{
    EXPECT_TEXT(read_text("/tests/links/relative"), "a note\n");
    EXPECT_TEXT(read_text("/tests/links/absolute"), "a note\n");
    EXPECT_TEXT(read_text("/tests/links/chain"), "a note\n");
    EXPECT_TEXT(read_text("/tests/links/directory/note.txt"), "a note\n");
    EXPECT_TEXT(read_text("/tests/links/directory/../links/chain"), "a note\n");
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

    EXPECT_TEXT(read_text("//tests/./../tests//files/note.txt"), "a note\n");
    EXPECT_TEXT(read_text("/../../tests/files/note.txt"), "a note\n");
    EXPECT_TEXT(read_text("/boot/../tests/files/note.txt"), "a note\n");
    EXPECT_NUMBER(error_of("tests/files/note.txt"), ERROR_NOT_FOUND);
    EXPECT_NUMBER(error_of("/tests/files/note.txt/."), ERROR_NOT_DIRECTORY);
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

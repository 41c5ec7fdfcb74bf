/* libtiny: text, formatting, splitting, checksums, decompression. */
#include "selftest.h"

static const char *test_memory_functions(void)
{
    char bytes[16] = "abcdefghij";

    memmove(bytes + 2, bytes, 8);
    EXPECT_TEXT(bytes, "ababcdefgh");
    memmove(bytes, bytes + 2, 9);
    EXPECT_TEXT(bytes, "abcdefgh");
    memset(bytes, 'x', 3);
    EXPECT_TEXT(bytes, "xxxdefgh");
    EXPECT(memcmp("\x01\x80", "\x01\x7f", 2) > 0);
    EXPECT(memcmp("same", "same", 4) == 0);
    return NULL;
}

static const char *test_text_functions(void)
{
    char cut[4];
    const char *rest;

    EXPECT(strcmp("abc", "abd") < 0 && strcmp("abc", "ab") > 0 && strcmp("", "") == 0);
    EXPECT(strcmp("\xff", "a") > 0);
    EXPECT(strncmp("abcX", "abcY", 3) == 0);
    EXPECT_TEXT(strchr("a/b/c", '/'), "/b/c");
    EXPECT(strchr("abc", 'x') == NULL && *strchr("abc", '\0') == '\0');
    EXPECT(text_starts("--rootfs=rofs", "--rootfs=", &rest));
    EXPECT_TEXT(rest, "rofs");
    EXPECT(!text_starts("--root", "--rootfs=", NULL));
    EXPECT(text_copy(cut, "abc", sizeof cut) && !text_copy(cut, "abcd", sizeof cut));
    EXPECT_TEXT(cut, "abc");
    return NULL;
}

static const char *test_numbers(void)
{
    uint64_t value = 7;

    EXPECT(text_number("0", &value) && value == 0);
    EXPECT(text_number("18446744073709551615", &value) && value == UINT64_MAX);
    EXPECT(!text_number("18446744073709551616", &value));
    EXPECT(text_number("0xfFfF", &value) && value == 0xffff);
    EXPECT(!text_number("0x", &value) && !text_number("", &value) && !text_number("12a", &value));
    return NULL;
}

#define EXPECT_FORMAT(wanted, ...)                                                                 \
    do {                                                                                           \
        char text_[128];                                                                           \
        EXPECT_NUMBER(format_text(text_, sizeof text_, __VA_ARGS__), strlen(wanted));              \
        EXPECT_TEXT(text_, wanted);                                                                \
    } while (0)

static const char *test_format(void)
{
    EXPECT_FORMAT("-5 5 -2147483648", "%d %u %d", -5, 5u, -2147483647 - 1);
    EXPECT_FORMAT("-9223372036854775808", "%ld", INT64_MIN);
    EXPECT_FORMAT("ffffffffffffffff", "%lx", UINT64_MAX);
    EXPECT_FORMAT("0x0000002a|    2a|2a    |", "%#010x|%6x|%-6x|", 42, 42, 42);
    EXPECT_FORMAT("-0042|  -42", "%05d|%5d", -42, -42);
    EXPECT_FORMAT("ab|   ab|ab   |a", "%s|%5s|%-5s|%.1s", "ab", "ab", "ab", "ab");
    EXPECT_FORMAT("x%  7", "%c%%%*d", 'x', 3, 7);
    EXPECT_FORMAT("1000000", "%zu", (size_t)1000000);
    return NULL;
}

static const char *test_format_cut(void)
{
    char small[5] = "....";

    EXPECT_NUMBER(format_text(small, sizeof small, "%s", "123456"), 6);
    EXPECT_TEXT(small, "1234");
    EXPECT_NUMBER(format_text(NULL, 0, "%d", 12345), 5);
    return NULL;
}

static const char *test_split_words(void)
{
    char line[] = "  /tools/uush.so -c 'cat /etc/motd; exit' \"a \\\"b\\\"\" c\\ d '' e''f ";
    char *words[12];

    EXPECT_NUMBER(split_words(line, words, 12), 7);
    EXPECT_TEXT(words[0], "/tools/uush.so");
    EXPECT_TEXT(words[1], "-c");
    EXPECT_TEXT(words[2], "cat /etc/motd; exit");
    EXPECT_TEXT(words[3], "a \"b\"");
    EXPECT_TEXT(words[4], "c d");
    EXPECT_TEXT(words[5], "");
    EXPECT_TEXT(words[6], "ef");
    EXPECT(words[7] == NULL);
    return NULL;
}

static const char *test_split_errors(void)
{
    char open[] = "echo 'never closed", many[] = "a b c", none[] = " \t ";
    char *words[3];

    EXPECT_NUMBER(split_words(open, words, 3), ERROR_QUOTE);
    EXPECT_NUMBER(split_words(many, words, 3), ERROR_TOO_MANY);
    EXPECT_NUMBER(split_words(none, words, 3), 0);
    return NULL;
}

static const char *test_split_commands(void)
{
    char text[] = "echo 'a;b'; echo \\; c;;exit";
    char *list = text;

    EXPECT_TEXT(split_command(&list), "echo 'a;b'");
    EXPECT_TEXT(split_command(&list), " echo \\; c");
    EXPECT_TEXT(split_command(&list), "");
    EXPECT_TEXT(split_command(&list), "exit");
    EXPECT(split_command(&list) == NULL);
    return NULL;
}

static const char *test_crc32(void)
{
    uint32_t crc;

    /* The check value of the CRC catalogue. */
    EXPECT(crc32(0, "123456789", 9) == 0xcbf43926);
    crc = crc32(0, "1234", 4);
    EXPECT(crc32(crc, "56789", 5) == 0xcbf43926);
    return NULL;
}

static const char *test_lz4(void)
{
    /* "ab", then 12 bytes from 2 back, then "!": written by hand from the format's description. */
    static const unsigned char block[] = {0x28, 'a', 'b', 2, 0, 0x10, '!'};
    static const unsigned char long_run[] = {0x1f, 'z', 1, 0, 255, 1, 0x00};
    static const unsigned char far_back[] = {0x10, 'a', 9, 0, 0x00};
    char text[512];

    EXPECT_NUMBER(lz4_unpack(text, sizeof text, block, sizeof block), 15);
    EXPECT(memcmp(text, "ababababababab!", 15) == 0);
    EXPECT_NUMBER(lz4_unpack(text, sizeof text, long_run, sizeof long_run), 1 + 15 + 256 + 4);
    EXPECT_NUMBER(lz4_unpack(text, 14, block, sizeof block), -1);
    EXPECT_NUMBER(lz4_unpack(text, sizeof text, block, sizeof block - 1), -1);
    EXPECT_NUMBER(lz4_unpack(text, sizeof text, far_back, sizeof far_back), -1);
    return NULL;
}

const struct test library_tests[] = {
    {"memory-functions", test_memory_functions},
    {"text-functions", test_text_functions},
    {"numbers", test_numbers},
    {"format", test_format},
    {"format-cut", test_format_cut},
    {"split-words", test_split_words},
    {"split-errors", test_split_errors},
    {"split-commands", test_split_commands},
    {"crc32", test_crc32},
    {"lz4", test_lz4},
    {NULL, NULL},
};

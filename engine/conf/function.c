/*
 * The functions of the dialect, as the GNU make manual defines them ("Functions for Transforming
 * Text"), white space of the results included.
 */
#include "conf/dialect.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/mem.h"

/* ---- words ---- */

static bool is_space(char c)
{
    return isspace((unsigned char)c) != 0;
}

bool slice_word(struct slice *rest, struct slice *word)
{
    while (rest->len > 0 && is_space(*rest->at)) {
        rest->at++;
        rest->len--;
    }
    word->at = rest->at;
    word->len = 0;
    while (word->len < rest->len && !is_space(rest->at[word->len]))
        word->len++;
    rest->at += word->len;
    rest->len -= word->len;
    return word->len > 0;
}

static struct slice slice_strip(struct slice text)
{
    while (text.len > 0 && is_space(*text.at)) {
        text.at++;
        text.len--;
    }
    while (text.len > 0 && is_space(text.at[text.len - 1]))
        text.len--;
    return text;
}

static void put(struct str *out, struct slice text)
{
    str_add_n(out, text.at, text.len);
}

/* Results are lists: each word is followed by a space, and the last space is taken off. */
static void put_word(struct str *out, struct slice word)
{
    put(out, word);
    str_add_char(out, ' ');
}

static void end_words(struct str *out, size_t start)
{
    if (out->len > start)
        str_cut(out, out->len - 1);
}

/* ---- patterns: one % that \ can quote; \\% is a backslash and a %. ---- */

/* Splits a pattern at its %, undoing quotes into `prefix`. False where it has none. */
static bool pattern_split(struct slice pattern, struct str *prefix, struct slice *suffix)
{
    for (size_t i = 0; i < pattern.len; i++) {
        if (pattern.at[i] != '%') {
            str_add_char(prefix, pattern.at[i]);
            continue;
        }
        size_t slashes = 0;
        while (slashes < i && pattern.at[i - 1 - slashes] == '\\')
            slashes++;
        str_cut(prefix, prefix->len - slashes / 2 - slashes % 2);
        if (slashes % 2 == 0) {
            *suffix = (struct slice){pattern.at + i + 1, pattern.len - i - 1};
            return true;
        }
        str_add_char(prefix, '%');
    }
    *suffix = (struct slice){"", 0};
    return false;
}

bool pattern_unquote(struct str *out, struct slice pattern)
{
    struct str prefix = {0};
    struct slice suffix;
    bool any = pattern_split(pattern, &prefix, &suffix);

    str_add_n(out, str_text(&prefix), prefix.len);
    str_free(&prefix);
    return any;
}

static bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* A pattern made ready for many words. */
struct pattern {
    struct str prefix;
    struct slice suffix;
    bool any; /* has a % */
};

static bool pattern_match(const struct pattern *pattern, struct slice name, struct slice *stem)
{
    struct slice prefix = {str_text(&pattern->prefix), pattern->prefix.len};

    if (!pattern->any) {
        *stem = name;
        return slice_equal(name, prefix);
    }
    if (name.len < prefix.len + pattern->suffix.len)
        return false;
    struct slice end = {name.at + name.len - pattern->suffix.len, pattern->suffix.len};
    *stem = (struct slice){name.at + prefix.len, name.len - prefix.len - pattern->suffix.len};
    return slice_equal((struct slice){name.at, prefix.len}, prefix) &&
           slice_equal(end, pattern->suffix);
}

bool slice_match(struct slice pattern, struct slice name, struct slice *stem)
{
    struct pattern ready = {0};
    struct slice ignored;

    ready.any = pattern_split(pattern, &ready.prefix, &ready.suffix);
    bool match = pattern_match(&ready, name, stem ? stem : &ignored);
    str_free(&ready.prefix);
    return match;
}

/* ---- subst, patsubst ---- */

/* The first place of `needle` in `text`, or NULL. */
static const char *find(struct slice text, struct slice needle)
{
    return memmem(text.at, text.len, needle.at, needle.len);
}

static int run_subst(struct expansion *x, struct str *out, const struct slice *args, unsigned count)
{
    struct slice rest = args[2];
    const char *hit;

    (void)count;
    if (args[0].len == 0) {
        put(out, rest);
        put(out, args[1]);
        return 0;
    }
    while ((hit = find(rest, args[0])) != NULL) {
        put(out, (struct slice){rest.at, (size_t)(hit - rest.at)});
        put(out, args[1]);
        if (expand_work(x, args[1].len) != 0)
            return -1;
        rest.len -= (size_t)(hit - rest.at) + args[0].len;
        rest.at = hit + args[0].len;
    }
    put(out, rest);
    return 0;
}

/* A pattern without % replaces whole words that equal it, and keeps all white space. */
static void replace_words(struct str *out, struct slice from, struct slice to, struct slice text)
{
    struct slice rest = text, word;
    const char *copied = text.at;

    while (slice_word(&rest, &word)) {
        if (!slice_equal(word, from))
            continue;
        put(out, (struct slice){copied, (size_t)(word.at - copied)});
        put(out, to);
        copied = rest.at;
    }
    put(out, (struct slice){copied, (size_t)(text.at + text.len - copied)});
}

void function_patsubst(struct str *out, struct slice pattern, struct slice replacement,
                       struct slice text)
{
    struct pattern from = {0}, to = {0};
    struct slice rest = text, word, stem;
    size_t start = out->len;

    from.any = pattern_split(pattern, &from.prefix, &from.suffix);
    to.any = pattern_split(replacement, &to.prefix, &to.suffix);
    struct slice before = {str_text(&to.prefix), to.prefix.len};
    if (!from.any) {
        struct str whole = {0};
        put(&whole, before);
        if (to.any)
            str_add_char(&whole, '%');
        put(&whole, to.suffix);
        replace_words(out, (struct slice){str_text(&from.prefix), from.prefix.len},
                      (struct slice){str_text(&whole), whole.len}, text);
        str_free(&whole);
    }
    while (from.any && slice_word(&rest, &word)) {
        size_t length = out->len;
        bool match = pattern_match(&from, word, &stem);
        put(out, match ? before : word);
        if (match && to.any) {
            put(out, stem);
            put(out, to.suffix);
        }
        /* A replacement that is empty as written takes its word away. */
        if (out->len > length || to.any)
            str_add_char(out, ' ');
    }
    if (from.any)
        end_words(out, start);
    str_free(&from.prefix);
    str_free(&to.prefix);
}

static int run_patsubst(struct expansion *x, struct str *out, const struct slice *args,
                        unsigned count)
{
    (void)x;
    (void)count;
    function_patsubst(out, args[0], args[1], args[2]);
    return 0;
}

/* ---- lists ---- */

static int run_strip(struct expansion *x, struct str *out, const struct slice *args, unsigned count)
{
    struct slice rest = args[0], word;
    size_t start = out->len;

    (void)x;
    (void)count;
    while (slice_word(&rest, &word))
        put_word(out, word);
    end_words(out, start);
    return 0;
}

/* Words that match (or, with `keep` false, do not match) one of the patterns. */
static int filter_words(struct expansion *x, struct str *out, const struct slice *args, bool keep)
{
    VEC(struct pattern) patterns = {0};
    struct slice rest = args[0], word, stem;
    size_t start = out->len;
    int result = 0;

    while (slice_word(&rest, &word)) {
        struct pattern *pattern = vec_new(&patterns);
        pattern->any = pattern_split(word, &pattern->prefix, &pattern->suffix);
    }
    for (rest = args[1]; result == 0 && slice_word(&rest, &word);) {
        bool match = false;
        for (size_t i = 0; i < patterns.len && !match; i++)
            match = pattern_match(&patterns.at[i], word, &stem);
        if (match == keep)
            put_word(out, word);
        result = expand_work(x, patterns.len);
    }
    end_words(out, start);
    for (size_t i = 0; i < patterns.len; i++)
        str_free(&patterns.at[i].prefix);
    vec_free(&patterns);
    return result;
}

static int run_filter(struct expansion *x, struct str *out, const struct slice *args,
                      unsigned count)
{
    (void)count;
    return filter_words(x, out, args, true);
}

static int run_filter_out(struct expansion *x, struct str *out, const struct slice *args,
                          unsigned count)
{
    (void)count;
    return filter_words(x, out, args, false);
}

static int compare_slices(const void *a, const void *b)
{
    const struct slice *left = a, *right = b;
    size_t length = left->len < right->len ? left->len : right->len;
    int order = memcmp(left->at, right->at, length);

    if (order != 0)
        return order;
    return left->len < right->len ? -1 : left->len > right->len;
}

static int run_sort(struct expansion *x, struct str *out, const struct slice *args, unsigned count)
{
    VEC(struct slice) words = {0};
    struct slice rest = args[0], word;
    size_t start = out->len;

    (void)x;
    (void)count;
    while (slice_word(&rest, &word))
        vec_push(&words, word);
    if (words.len > 0)
        qsort(words.at, words.len, sizeof words.at[0], compare_slices);
    for (size_t i = 0; i < words.len; i++)
        if (i == 0 || !slice_equal(words.at[i], words.at[i - 1]))
            put_word(out, words.at[i]);
    end_words(out, start);
    vec_free(&words);
    return 0;
}

/* A number that counts words; -1 with err where it is none. */
static int parse_number(struct expansion *x, struct slice text, const char *which, const char *name,
                        size_t *number)
{
    text = slice_strip(text);
    size_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!isdigit((unsigned char)text.at[i]) || value > SIZE_MAX / 100)
            text.len = 0;
        else
            value = value * 10 + (size_t)(text.at[i] - '0');
    }
    *number = value;
    if (text.len > 0)
        return 0;
    *number = SIZE_MAX;
    if (x->conf->checking)
        return 0;
    return expand_fail(x, "the %s argument of '%s' must be a number", which, name);
}

static int run_word(struct expansion *x, struct str *out, const struct slice *args, unsigned count)
{
    struct slice rest = args[1], word;
    size_t number;

    (void)count;
    if (parse_number(x, args[0], "first", "word", &number) != 0)
        return -1;
    if (number == 0 && !x->conf->checking)
        return expand_fail(x, "the first argument of 'word' must be 1 or more");
    while (number > 0 && slice_word(&rest, &word))
        if (--number == 0)
            put(out, word);
    return 0;
}

static int run_wordlist(struct expansion *x, struct str *out, const struct slice *args,
                        unsigned count)
{
    struct slice rest = args[2], word;
    size_t first, last, start = out->len;

    (void)count;
    if (parse_number(x, args[0], "first", "wordlist", &first) != 0 ||
        parse_number(x, args[1], "second", "wordlist", &last) != 0)
        return -1;
    if (first == 0 && !x->conf->checking)
        return expand_fail(x, "the first argument of 'wordlist' must be 1 or more");
    for (size_t i = 1; i <= last && slice_word(&rest, &word); i++)
        if (i >= first)
            put_word(out, word);
    end_words(out, start);
    return 0;
}

static int run_words(struct expansion *x, struct str *out, const struct slice *args, unsigned count)
{
    struct slice rest = args[0], word;
    size_t words = 0;

    (void)x;
    (void)count;
    while (slice_word(&rest, &word))
        words++;
    str_addf(out, "%zu", words);
    return 0;
}

static int run_firstword(struct expansion *x, struct str *out, const struct slice *args,
                         unsigned count)
{
    struct slice rest = args[0], word;

    (void)x;
    (void)count;
    if (slice_word(&rest, &word))
        put(out, word);
    return 0;
}

static int run_lastword(struct expansion *x, struct str *out, const struct slice *args,
                        unsigned count)
{
    struct slice rest = args[0], word, last = {"", 0};

    (void)x;
    (void)count;
    while (slice_word(&rest, &word))
        last = word;
    put(out, last);
    return 0;
}

static int run_join(struct expansion *x, struct str *out, const struct slice *args, unsigned count)
{
    struct slice left = args[0], right = args[1], a, b;
    size_t start = out->len;

    (void)x;
    (void)count;
    for (;;) {
        bool has_a = slice_word(&left, &a), has_b = slice_word(&right, &b);
        if (!has_a && !has_b)
            break;
        put(out, a);
        put_word(out, b);
    }
    end_words(out, start);
    return 0;
}

static int add_around(struct str *out, struct slice before, struct slice list, struct slice after)
{
    size_t start = out->len;
    struct slice word;

    while (slice_word(&list, &word)) {
        put(out, before);
        put(out, word);
        put_word(out, after);
    }
    end_words(out, start);
    return 0;
}

static int run_addprefix(struct expansion *x, struct str *out, const struct slice *args,
                         unsigned count)
{
    (void)count;
    if (expand_work(x, args[0].len * args[1].len / 2) != 0)
        return -1;
    return add_around(out, args[0], args[1], (struct slice){"", 0});
}

static int run_addsuffix(struct expansion *x, struct str *out, const struct slice *args,
                         unsigned count)
{
    (void)count;
    if (expand_work(x, args[0].len * args[1].len / 2) != 0)
        return -1;
    return add_around(out, (struct slice){"", 0}, args[1], args[0]);
}

static int run_findstring(struct expansion *x, struct str *out, const struct slice *args,
                          unsigned count)
{
    (void)x;
    (void)count;
    if (args[0].len == 0 || find(args[1], args[0]))
        put(out, args[0]);
    return 0;
}

/* ---- names of files ---- */

/* The bytes of a name up to and with its last slash. */
static size_t dir_length(struct slice name)
{
    while (name.len > 0 && name.at[name.len - 1] != '/')
        name.len--;
    return name.len;
}

/* Where the suffix (with its dot) of a name starts; its length where it has none. */
static size_t suffix_start(struct slice name)
{
    for (size_t i = name.len; i > 0 && name.at[i - 1] != '/'; i--)
        if (name.at[i - 1] == '.')
            return i - 1;
    return name.len;
}

static int run_dir(struct expansion *x, struct str *out, const struct slice *args, unsigned count)
{
    struct slice rest = args[0], word;
    size_t start = out->len;

    (void)x;
    (void)count;
    while (slice_word(&rest, &word)) {
        size_t length = dir_length(word);
        put_word(out, length > 0 ? (struct slice){word.at, length} : (struct slice){"./", 2});
    }
    end_words(out, start);
    return 0;
}

static int run_notdir(struct expansion *x, struct str *out, const struct slice *args,
                      unsigned count)
{
    struct slice rest = args[0], word;
    size_t start = out->len;

    (void)x;
    (void)count;
    while (slice_word(&rest, &word)) {
        size_t length = dir_length(word);
        put_word(out, (struct slice){word.at + length, word.len - length});
    }
    end_words(out, start);
    return 0;
}

static int run_suffix(struct expansion *x, struct str *out, const struct slice *args,
                      unsigned count)
{
    struct slice rest = args[0], word;
    size_t start = out->len;

    (void)x;
    (void)count;
    while (slice_word(&rest, &word)) {
        size_t at = suffix_start(word);
        if (at < word.len)
            put_word(out, (struct slice){word.at + at, word.len - at});
    }
    end_words(out, start);
    return 0;
}

static int run_basename(struct expansion *x, struct str *out, const struct slice *args,
                        unsigned count)
{
    struct slice rest = args[0], word;
    size_t start = out->len;

    (void)x;
    (void)count;
    while (slice_word(&rest, &word))
        put_word(out, (struct slice){word.at, suffix_start(word)});
    end_words(out, start);
    return 0;
}

/* ---- control: these expand their arguments themselves ---- */

static int run_foreach(struct expansion *x, struct str *out, const struct slice *args,
                       unsigned count)
{
    struct str name = {0}, list = {0};
    struct local local = {.up = x->locals};
    size_t start = out->len;

    (void)count;
    int result = expand_text(x, &name, args[0].at, args[0].len);
    if (result == 0)
        result = expand_text(x, &list, args[1].at, args[1].len);
    struct slice rest = {str_text(&list), list.len}, word;
    local.name = str_text(&name);
    while (result == 0 && slice_word(&rest, &word)) {
        char *value = mem_copy_n(word.at, word.len);
        local.value = value;
        x->locals = &local;
        result = expand_text(x, out, args[2].at, args[2].len);
        x->locals = local.up;
        str_add_char(out, ' ');
        free(value);
    }
    end_words(out, start);
    str_free(&name);
    str_free(&list);
    return result;
}

static int run_if(struct expansion *x, struct str *out, const struct slice *args, unsigned count)
{
    struct slice text = slice_strip(args[0]);
    struct str condition = {0};
    int result = expand_text(x, &condition, text.at, text.len);
    unsigned chosen = condition.len > 0 ? 1 : 2;

    str_free(&condition);
    if (result == 0 && chosen < count)
        result = expand_text(x, out, args[chosen].at, args[chosen].len);
    return result;
}

static int run_or(struct expansion *x, struct str *out, const struct slice *args, unsigned count)
{
    size_t start = out->len;

    for (unsigned i = 0; i < count && out->len == start; i++) {
        struct slice text = slice_strip(args[i]);
        if (expand_text(x, out, text.at, text.len) != 0)
            return -1;
    }
    return 0;
}

static int run_and(struct expansion *x, struct str *out, const struct slice *args, unsigned count)
{
    size_t start = out->len;

    for (unsigned i = 0; i < count; i++) {
        struct slice text = slice_strip(args[i]);
        str_cut(out, start);
        if (expand_text(x, out, text.at, text.len) != 0)
            return -1;
        if (out->len == start)
            break;
    }
    return 0;
}

/* ---- messages ---- */

static int run_error(struct expansion *x, struct str *out, const struct slice *args, unsigned count)
{
    (void)out;
    (void)count;
    if (x->conf->checking)
        return 0;
    return expand_fail(x, "%.*s", (int)(args[0].len < 1000 ? args[0].len : 1000), args[0].at);
}

static int run_warning(struct expansion *x, struct str *out, const struct slice *args,
                       unsigned count)
{
    struct str text = {0};

    (void)out;
    (void)count;
    if (x->conf->checking || x->conf->sealed)
        return 0;
    origin_text(&x->at, &text);
    str_add(&text, ": ");
    put(&text, args[0]);
    vec_push(&x->conf->warnings, str_take(&text));
    return 0;
}

static int run_info(struct expansion *x, struct str *out, const struct slice *args, unsigned count)
{
    (void)x;
    (void)out;
    (void)args;
    (void)count;
    return 0;
}

static const struct function functions[] = {
    {"addprefix", 2, 2, false, run_addprefix},
    {"addsuffix", 2, 2, false, run_addsuffix},
    {"and", 1, 0, true, run_and},
    {"basename", 1, 1, false, run_basename},
    {"dir", 1, 1, false, run_dir},
    {"error", 1, 1, false, run_error},
    {"filter", 2, 2, false, run_filter},
    {"filter-out", 2, 2, false, run_filter_out},
    {"findstring", 2, 2, false, run_findstring},
    {"firstword", 1, 1, false, run_firstword},
    {"foreach", 3, 3, true, run_foreach},
    {"if", 2, 3, true, run_if},
    {"info", 1, 1, false, run_info},
    {"join", 2, 2, false, run_join},
    {"lastword", 1, 1, false, run_lastword},
    {"notdir", 1, 1, false, run_notdir},
    {"or", 1, 0, true, run_or},
    {"patsubst", 3, 3, false, run_patsubst},
    {"sort", 1, 1, false, run_sort},
    {"strip", 1, 1, false, run_strip},
    {"subst", 3, 3, false, run_subst},
    {"suffix", 1, 1, false, run_suffix},
    {"warning", 1, 1, false, run_warning},
    {"wildcard", 1, 1, false, function_wildcard},
    {"word", 2, 2, false, run_word},
    {"wordlist", 3, 3, false, run_wordlist},
    {"words", 1, 1, false, run_words},
};
enum { FUNCTIONS = sizeof functions / sizeof functions[0] };

const struct function *function_find(const char *name, size_t length)
{
    for (size_t i = 0; i < FUNCTIONS; i++)
        if (strlen(functions[i].name) == length && memcmp(functions[i].name, name, length) == 0)
            return &functions[i];
    return NULL;
}

size_t function_names(const char *names[static FUNCTION_NAMES_MAX])
{
    _Static_assert((int)FUNCTIONS <= (int)FUNCTION_NAMES_MAX, "room for all names");
    for (size_t i = 0; i < FUNCTIONS; i++)
        names[i] = functions[i].name;
    return FUNCTIONS;
}

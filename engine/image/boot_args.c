#include "image/boot_args.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"

static const struct boot_option options[] = {
    {"assign-net", NULL, NULL, "give the virtio network to the application", false},
    {"bootchart", NULL, NULL, "print how long each part of the boot took", false},
    {"console", "DRIVER", "all serial vga pl011", "console driver", false},
    {"cwd", "DIR", NULL, "current directory of the program", false},
    {"defaultgw", "ADDRESS", NULL, "default gateway", false},
    {"delay", "SECONDS", NULL, "wait before the boot", false},
    {"disable_rofs_cache", NULL, NULL, "no memory cache for ROFS", false},
    {"env", "NAME=VALUE", NULL, "an environment variable", true},
    {"extra-zfs-pools", NULL, NULL, "import further ZFS pools", false},
    {"help", NULL, NULL, "print the options and power off", false},
    {"ip", "NIC,ADDRESS,MASK", NULL, "static address of a NIC", true},
    {"leak", NULL, NULL, "start the leak detector after the boot", false},
    {"maxnic", "NUMBER", NULL, "NICs at most", false},
    {"mount-fs", "TYPE,URL,PATH", NULL, "mount one more file system", true},
    {"nameserver", "ADDRESS", NULL, "name server", false},
    {"noinit", NULL, NULL, "do not run the commands of /init", false},
    {"nomount", NULL, NULL, "do not mount the root file system", false},
    {"nopci", NULL, NULL, "do not look for PCI devices", false},
    {"nopivot", NULL, NULL, "stay on bootfs", false},
    {"norandom", NULL, NULL, "no random device", false},
    {"noshutdown", NULL, NULL, "run on after the program returned", false},
    {"power-off-on-abort", NULL, NULL, "power off instead of halting on an abort", false},
    {"preload-zfs-library", NULL, NULL, "load the ZFS library first", false},
    {"redirect", "FILE", NULL, "standard output and error go to a file", false},
    {"rootfs", "FS", "ext ramfs rofs virtiofs zfs", "the root file system", false},
    {"sampler", "HERTZ", NULL, "start the sampling profiler", false},
    {"strace", NULL, NULL, "print tracepoints as they are met", false},
    {"trace", "NAMES", NULL, "tracepoints to enable", true},
    {"trace-backtrace", NULL, NULL, "log backtraces with tracepoints", false},
    {"trace-list", NULL, NULL, "list the tracepoints", false},
    {"verbose", NULL, NULL, "print what the boot does", false},
};
enum { OPTIONS = sizeof options / sizeof *options };

const struct boot_option *boot_options(size_t *count)
{
    *count = OPTIONS;
    return options;
}

static const struct boot_option *find_option(const char *name, size_t length)
{
    for (size_t i = 0; i < OPTIONS; i++)
        if (strlen(options[i].name) == length && strncmp(options[i].name, name, length) == 0)
            return &options[i];
    return NULL;
}

/* Bytes of the word at `text`; *open: its quote is not closed. */
static size_t word_length(const char *text, bool *open)
{
    size_t length = 0;
    *open = false;
    for (; text[length] && (*open || !strchr(" \t\r\n", text[length])); length++)
        if (text[length] == '"')
            *open = !*open;
    return length;
}

void boot_args_read(const char *text, struct boot_args *args)
{
    bool program = false;
    for (size_t at = strspn(text, " \t\r\n"); text[at]; at += strspn(text + at, " \t\r\n")) {
        struct boot_word word = {.kind = BOOT_ARGUMENT, .start = at};
        word.length = word_length(text + at, &word.open);
        if (!program && str_starts(text + at, "--")) {
            const char *equals = memchr(text + at, '=', word.length);
            size_t end = equals ? (size_t)(equals - text) - at : word.length;
            word.kind = BOOT_OPTION;
            word.option = find_option(text + at + 2, end - 2);
        } else if (!program) {
            word.kind = BOOT_PROGRAM;
            program = true;
        }
        vec_push(&args->words, word);
        at += word.length;
    }
}

void boot_args_free(struct boot_args *args)
{
    vec_free(&args->words);
}

/* ---- what is wrong ---- */

static bool is_one_of(const char *values, const char *value, size_t length)
{
    while (*values) {
        size_t one = strcspn(values, " ");
        if (one == length && strncmp(values, value, length) == 0)
            return true;
        values += one + strspn(values + one, " ");
    }
    return false;
}

static bool is_number(const char *value, size_t length)
{
    size_t digits = 0, points = 0;
    for (size_t i = 0; i < length; i++) {
        digits += value[i] >= '0' && value[i] <= '9';
        points += value[i] == '.';
    }
    return digits && points < 2 && digits + points == length;
}

static void unknown_option(const char *text, const struct boot_word *word, struct str *out)
{
    const char *names[OPTIONS];
    for (size_t i = 0; i < OPTIONS; i++)
        names[i] = options[i].name;
    char *name = mem_copy_n(text + word->start + 2, word->length - 2);
    name[strcspn(name, "=")] = '\0';
    const char *near = text_nearest(name, names, OPTIONS);
    str_addf(out, "--%s is no option that the kernel knows", name);
    if (near)
        str_addf(out, ": did you mean --%s?", near);
    free(name);
}

static unsigned commas(const char *value, size_t length)
{
    unsigned count = 0;
    for (size_t i = 0; i < length; i++)
        count += value[i] == ',';
    return count;
}

/* The value of a known option that takes one. */
static bool value_problem(const struct boot_option *option, const char *value, size_t length,
                          struct str *out)
{
    bool number = strcmp(option->argument, "NUMBER") == 0 ||
                  strcmp(option->argument, "SECONDS") == 0 ||
                  strcmp(option->argument, "HERTZ") == 0;
    if (!length)
        str_addf(out, "--%s= needs %s", option->name, option->argument);
    else if (option->values && !is_one_of(option->values, value, length))
        str_addf(out, "--%s=%.*s: there are %s", option->name, (int)length, value, option->values);
    else if (number && !is_number(value, length))
        str_addf(out, "--%s=%.*s is no number", option->name, (int)length, value);
    else if (strcmp(option->name, "env") == 0 && !memchr(value, '=', length))
        str_addf(out, "--env=%.*s: NAME=VALUE is wanted", (int)length, value);
    else if (strcmp(option->name, "mount-fs") == 0 && commas(value, length) != 2)
        str_addf(out, "--mount-fs=%.*s: TYPE,URL,PATH is wanted", (int)length, value);
    return out->len > 0;
}

static bool is_repeated(const struct boot_args *args, size_t word)
{
    for (size_t i = 0; i < word; i++)
        if (args->words.at[i].option == args->words.at[word].option)
            return true;
    return false;
}

bool boot_args_problem(const char *text, const struct boot_args *args, size_t at, struct str *out)
{
    const struct boot_word *word = &args->words.at[at];
    const struct boot_option *option = word->option;
    struct str found = {0};
    if (word->open) {
        str_add(&found, "a quote is not closed: put a \" at its end");
    } else if (word->kind == BOOT_OPTION && !option) {
        unknown_option(text, word, &found);
    } else if (option) {
        const char *start = text + word->start;
        const char *equals = memchr(start, '=', word->length);
        if (option->argument && !equals)
            str_addf(&found, "--%s needs a value: --%s=%s", option->name, option->name,
                     option->argument);
        else if (!option->argument && equals)
            str_addf(&found, "--%s takes no value", option->name);
        else if (!option->many && is_repeated(args, at))
            str_addf(&found, "--%s stands twice: one of them is ignored", option->name);
        else if (equals)
            value_problem(option, equals + 1, word->length - (size_t)(equals + 1 - start), &found);
    }
    str_add(out, str_text(&found));
    bool wrong = found.len > 0;
    str_free(&found);
    return wrong;
}

/* ---- completion ---- */

static void complete_value(const struct boot_option *option, const char *typed, size_t length,
                           str_list *words)
{
    for (const char *value = option->values; value && *value;) {
        size_t one = strcspn(value, " ");
        if (one >= length && strncmp(value, typed, length) == 0)
            vec_push(words, mem_copy_n(value, one));
        value += one + strspn(value + one, " ");
    }
}

void boot_args_complete(const char *text, size_t at, size_t *from, str_list *words)
{
    struct boot_args args = {0};
    char *before = mem_copy_n(text, at);
    boot_args_read(before, &args);
    const struct boot_word *last = args.words.len ? &args.words.at[args.words.len - 1] : NULL;
    bool here = last && last->start + last->length == at;
    if (here && last->kind == BOOT_OPTION) {
        const char *typed = before + last->start, *equals = strchr(typed, '=');
        *from = equals ? (size_t)(equals + 1 - before) : last->start;
        if (equals && last->option)
            complete_value(last->option, equals + 1, strlen(equals + 1), words);
        for (size_t i = 0; !equals && i < OPTIONS; i++)
            if (strncmp(options[i].name, typed + 2, strlen(typed + 2)) == 0)
                vec_push(words,
                         mem_format("--%s%s", options[i].name, options[i].argument ? "=" : ""));
    }
    boot_args_free(&args);
    free(before);
}

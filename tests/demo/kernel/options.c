#include "options.h"

#include "kernel.h"

struct option {
    const char *name; /* with its '=' if it takes a value */
    /* Returns false if the value is none that it knows. */
    bool (*set)(struct options *options, const char *value);
    const char *values; /* for the user */
};

static bool set_root(struct options *options, const char *value)
{
    if (strcmp(value, "ramfs") == 0)
        options->root = ROOT_RAMFS;
    else if (strcmp(value, "rofs") == 0)
        options->root = ROOT_ROFS;
    else
        return false;
    return true;
}

/* There is no other console; the option is known because command lines carry it. */
static bool set_console(struct options *options, const char *value)
{
    (void)options;
    return strcmp(value, "serial") == 0;
}

static bool set_no_mount(struct options *options, const char *value)
{
    (void)value;
    options->mount = false;
    return true;
}

static bool set_verbose(struct options *options, const char *value)
{
    (void)value;
    options->verbose = true;
    return true;
}

static const struct option table[] = {
    {"--rootfs=", set_root, "ramfs, rofs"},
    {"--console=", set_console, "serial"},
    {"--nomount", set_no_mount, NULL},
    {"--verbose", set_verbose, NULL},
};

enum { OPTIONS = sizeof table / sizeof table[0] };

static bool parse_option(const char *word, struct options *options)
{
    for (int i = 0; i < OPTIONS; i++) {
        const struct option *option = &table[i];
        const char *value;

        if (!text_starts(word, option->name, &value) || (!option->values && *value))
            continue;
        if (option->set(options, value))
            return true;
        console_print("kernel: %s: it can be %s\n", word, option->values);
        return false;
    }
    console_print("kernel: unknown option %s; known are", word);
    for (int i = 0; i < OPTIONS; i++)
        console_print(" %s", table[i].name);
    console_print("\n");
    return false;
}

bool options_parse(const char *arguments, struct options *options)
{
    static char text[ARGUMENTS_MAX];
    static char *words[WORDS_MAX];

    *options = (struct options){.root = ROOT_RAMFS, .mount = true};
    if (!text_copy(text, arguments, sizeof text)) {
        console_print("kernel: the command line has more than %d bytes\n", ARGUMENTS_MAX - 1);
        return false;
    }
    int count = split_words(text, words, WORDS_MAX);

    if (count < 0) {
        console_print("kernel: command line: %s\n",
                      count == ERROR_QUOTE ? error_text(count) : "too many words");
        return false;
    }
    int next = 0;

    for (; next < count && text_starts(words[next], "--", NULL); next++)
        if (!parse_option(words[next], options))
            return false;
    options->argc = count - next;
    options->argv = words + next;
    return true;
}

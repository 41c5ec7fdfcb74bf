#include "tui/cli.h"

#include <errno.h>
#include <langinfo.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"

/* Names that an assignment is likely to mean: a near miss of one of them is told, since make would
 * silently build something else. */
static const char *const known_names[] = {
    "ARCH",    "CROSS_PREFIX", "HOST_CC",    "CC",        "CXX",      "LD",
    "AR",      "STRIP",        "OBJCOPY",    "arch",      "mode",     "image",
    "cmdline", "fs",           "img_format", "img_align", "launcher",
};
enum { KNOWN_NAMES = sizeof known_names / sizeof *known_names };

/* What every command takes; `value`: what follows a `=` or, for letters, the next word. */
static const struct common_option {
    const char *name;
    enum { VALUE_NONE, VALUE_MAY, VALUE_MUST } value;
} common_options[] = {
    {"--help", VALUE_NONE},    {"--version", VALUE_NONE}, {"--ascii", VALUE_NONE},
    {"--plain", VALUE_MAY},    {"--json", VALUE_MAY},     {"--color", VALUE_MUST},
    {"--colour", VALUE_MUST},  {"--journal", VALUE_MUST}, {"--trace", VALUE_MUST},
    {"--fail-on", VALUE_MUST}, {"--shuffle", VALUE_MAY},  {"--launcher", VALUE_MUST},
};
enum { COMMON_OPTIONS = sizeof common_options / sizeof *common_options };

/* The words of main's argv, and how far parsing is. */
struct words {
    char **at;
    int count, next;
};

static int parse_plain(struct cli *cli, const char *value, struct err *err)
{
    if (value && strcmp(value, "raw") != 0)
        return err_set(err, ERR_INPUT, "--plain=%s: only --plain and --plain=raw exist", value);
    cli->output = value ? OUTPUT_RAW : OUTPUT_PLAIN;
    return 0;
}

static int parse_json(struct cli *cli, const char *value, struct err *err)
{
    if (value && !*value)
        return err_set(err, ERR_INPUT, "--json= wants a file or fd:N");
    cli->json_to = value;
    if (!value)
        cli->output = OUTPUT_JSON;
    return 0;
}

static int parse_color(struct cli *cli, const char *value, struct err *err)
{
    static const char *const names[] = {"auto", "always", "never"};
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(value, names[i]) == 0) {
            cli->color = (enum color_choice)i;
            return 0;
        }
    }
    return err_set(err, ERR_INPUT, "--color=%s: auto, always or never", value);
}

static int parse_trace(struct cli *cli, const char *value, struct err *err)
{
    cli->untraced = strcmp(value, "off") == 0;
    if (!cli->untraced && strcmp(value, "on") != 0)
        return err_set(err, ERR_INPUT, "--trace=%s: on or off", value);
    return 0;
}

static int parse_fail_on(struct cli *cli, const char *value, struct err *err)
{
    cli->fail_on_races = strcmp(value, "races") == 0;
    if (!cli->fail_on_races)
        return err_set(err, ERR_INPUT, "--fail-on=%s: only races", value);
    return 0;
}

static int parse_shuffle(struct cli *cli, const char *value, struct err *err)
{
    char *end = NULL;
    unsigned long seed = value ? strtoul(value, &end, 10) : (unsigned long)clock_wall_ns() | 1;
    if (value && (!*value || *end || seed == 0 || seed > UINT_MAX))
        return err_set(err, ERR_INPUT, "--shuffle=%s: a number from 1 on", value);
    cli->shuffle = (unsigned)(seed % UINT_MAX) + (seed % UINT_MAX == 0);
    return 0;
}

/* One long option that every command takes, already known to be `option`. */
static int take_common(struct cli *cli, const struct common_option *option, const char *value,
                       struct err *err)
{
    if (option->value == VALUE_MUST && (!value || !*value))
        return err_set(err, ERR_INPUT, "%s wants a value: %s=...", option->name, option->name);
    if (option->value == VALUE_NONE && value)
        return err_set(err, ERR_INPUT, "%s takes no value", option->name);
    switch (option->name[2]) {
    case 'h':
        cli->want_help = true;
        return 0;
    case 'v':
        cli->want_version = true;
        return 0;
    case 'a':
        cli->ascii = true;
        return 0;
    case 'p':
        return parse_plain(cli, value, err);
    case 'c':
        return parse_color(cli, value, err);
    case 't':
        return parse_trace(cli, value, err);
    case 's':
        return parse_shuffle(cli, value, err);
    case 'l': /* a value of conf with a short way to say it */
        vec_push(&cli->assigns, (struct assignment){"launcher", value, ORIGIN_COMMAND_LINE});
        return 0;
    case 'f':
        return parse_fail_on(cli, value, err);
    default:
        break;
    }
    if (strcmp(option->name, "--json") == 0)
        return parse_json(cli, value, err);
    cli->journal = value;
    return 0;
}

/* The value of a letter option: the rest of its word, else the next word. */
static const char *letter_value(struct words *words, char **rest)
{
    const char *value = *rest;
    *rest += strlen(*rest);
    if (!*value && words->next < words->count)
        value = words->at[words->next++];
    return *value ? value : NULL;
}

/* -j N, -jN; a bare -j is one lane a processor. Digits may stand in the next word. */
static int parse_lanes(struct cli *cli, struct words *words, char **rest, struct err *err)
{
    const char *value = NULL;
    if (**rest >= '0' && **rest <= '9')
        value = letter_value(words, rest);
    else if (!**rest && words->next < words->count && words->at[words->next][0] >= '0' &&
             words->at[words->next][0] <= '9')
        value = words->at[words->next++];
    if (!value) {
        long processors = sysconf(_SC_NPROCESSORS_ONLN);
        cli->lanes = processors > 0 ? (unsigned)processors : 1;
        return 0;
    }
    char *end;
    errno = 0;
    unsigned long lanes = strtoul(value, &end, 10);
    if (*end || errno || lanes < 1 || lanes > 4096)
        return err_set(err, ERR_INPUT, "-j %s: the number of lanes is 1 to 4096", value);
    cli->lanes = (unsigned)lanes;
    return 0;
}

static int parse_directory(struct cli *cli, const char *value, struct err *err)
{
    struct stat info;
    if (!value)
        return err_set(err, ERR_INPUT, "-C wants a directory");
    if (stat(value, &info) < 0)
        return err_set(err, ERR_INPUT, "-C %s: %s", value, strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return err_set(err, ERR_INPUT, "-C %s: this is no directory", value);
    cli->directory = value;
    return 0;
}

static int parse_load(struct cli *cli, const char *value, struct err *err)
{
    char *end = NULL;
    double limit = value ? strtod(value, &end) : -1;
    if (!value || *end || !(limit > 0))
        return err_set(err, ERR_INPUT, "-l %s: the load limit is a number above 0",
                       value ? value : "");
    cli->load_limit = limit;
    return 0;
}

/* A word of letters: -k, -j8, -kn, -C DIR. */
static int parse_letters(struct cli *cli, struct words *words, char *letters, struct err *err)
{
    char *at = letters + 1;
    int status = 0;
    while (*at && status == 0) {
        switch (*at++) {
        case 'h':
            cli->want_help = true;
            break;
        case 'k':
            cli->keep_going = true;
            break;
        case 'n':
            cli->dry_run = true;
            break;
        case 'v':
            cli->verbose++;
            break;
        case 'j':
            status = parse_lanes(cli, words, &at, err);
            break;
        case 'C':
            status = parse_directory(cli, letter_value(words, &at), err);
            break;
        case 'l':
            status = parse_load(cli, letter_value(words, &at), err);
            break;
        default:
            status = err_set(err, ERR_INPUT, "unknown option -%c (gantry help lists them)", at[-1]);
        }
    }
    return status;
}

/* True where `options` (see struct command) has the option `name`, of `length` bytes. */
static bool has_option(const char *options, const char *name, size_t length)
{
    for (const char *line = options; line && *line;) {
        size_t own = strcspn(line, " =[\n");
        if (own == length && memcmp(line, name, length) == 0)
            return true;
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return false;
}

/* Names the option that was probably meant. */
static int unknown_option(const struct command *command, const char *word, size_t length,
                          struct err *err)
{
    str_list names = {0};
    for (unsigned i = 0; i < COMMON_OPTIONS; i++)
        vec_push(&names, mem_copy(common_options[i].name));
    for (const char *line = command ? command->options : NULL; line && *line;) {
        if (*line == '-')
            vec_push(&names, mem_copy_n(line, strcspn(line, " =[\n")));
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    char *name = mem_copy_n(word, length);
    const char *near = text_nearest(name, (const char *const *)names.at, names.len);
    err_set(err, ERR_INPUT, "unknown option %s%s%s%s (gantry help%s%s)", name,
            near ? ", did you mean " : "", near ? near : "", near ? "?" : "", command ? " " : "",
            command ? command->name : "");
    free(name);
    str_list_free(&names);
    return -1;
}

/* Whether -C may be said behind a command that reads its own words: anywhere but where it may be a
 * guest's argument. */
static bool takes_directory(const struct cli *cli)
{
    const char *action = cli->words_count > 1 ? cli->words[1] : "";
    const char *before = cli->words[cli->words_count - 1];
    return strcmp(before, "--args") != 0 &&
           !(strcmp(action, "set-args") == 0 && cli->words_count > 2);
}

/* A word that begins with `-`. The command's own options are kept among its words. */
static int parse_option(struct cli *cli, struct words *words, char *word, struct err *err)
{
    const struct command *command = cli->words_count ? command_find(cli->words[0]) : NULL;
    size_t length = strcspn(word, "=");
    if (word[1] == '-') {
        for (unsigned i = 0; i < COMMON_OPTIONS; i++) {
            const char *name = common_options[i].name;
            if (strlen(name) == length && memcmp(name, word, length) == 0)
                return take_common(cli, &common_options[i], word[length] ? word + length + 1 : NULL,
                                   err);
        }
    }
    if (command && !command->options && word[1] == 'C' && takes_directory(cli)) {
        char *at = word + 2;
        return parse_directory(cli, letter_value(words, &at), err);
    }
    bool own = command && (!command->options || has_option(command->options, word, length) ||
                           (word[1] != '-' && has_option(command->options, word, 2)));
    /* A text that merely begins with a dash (boot arguments, in one word) is no option. */
    if (own || strpbrk(word, " \t\n")) {
        cli->words[cli->words_count++] = word;
        return 0;
    }
    if (word[1] == '-')
        return unknown_option(command, word, length, err);
    return parse_letters(cli, words, word, err);
}

/* The length of NAME in a NAME=VALUE word, or 0 where it is none. */
static size_t assignment_name(const char *word)
{
    size_t length = strcspn(word, "=");
    if (!word[length] || (word[0] >= '0' && word[0] <= '9'))
        return 0;
    for (size_t i = 0; i < length; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-", word[i]))
            return 0;
    return length;
}

static int parse_assignment(struct cli *cli, char *word, size_t length, struct err *err)
{
    word[length] = '\0';
    const char *near = text_nearest(word, known_names, KNOWN_NAMES);
    for (unsigned i = 0; i < KNOWN_NAMES; i++)
        if (strcmp(known_names[i], word) == 0)
            near = NULL;
    if (near && strlen(word) > 3) {
        word[length] = '=';
        return err_set(err, ERR_INPUT, "%s: nothing is called so, did you mean %s=%s?", word, near,
                       word + length + 1);
    }
    vec_push(
        &cli->assigns,
        (struct assignment){.name = word, .value = word + length + 1, .kind = ORIGIN_COMMAND_LINE});
    return 0;
}

static int check_command(const char *name, struct err *err)
{
    if (command_find(name))
        return 0;
    const char **names = mem_alloc(commands_count * sizeof *names);
    for (unsigned i = 0; i < commands_count; i++)
        names[i] = commands[i].name;
    const char *near = text_nearest(name, names, commands_count);
    if (near)
        err_set(err, ERR_INPUT, "unknown command '%s', did you mean '%s'?", name, near);
    else
        err_set(err, ERR_INPUT,
                "unknown command '%s' (gantry help lists them; a target is built "
                "by gantry build TARGET)",
                name);
    free(names);
    return -1;
}

int cli_parse(struct cli *cli, int argc, char **argv, struct err *err)
{
    struct words words = {.at = argv, .count = argc, .next = 1};
    cli->directory = ".";
    cli->words = mem_zero((size_t)argc + 1, sizeof *cli->words);
    while (words.next < argc) {
        char *word = argv[words.next++];
        const struct command *command = cli->words_count ? command_find(cli->words[0]) : NULL;
        size_t name = command && !command->options ? 0 : assignment_name(word);
        int status = 0;
        if (strcmp(word, "--") == 0) {
            cli->after = argv + words.next;
            break;
        }
        if (word[0] == '-' && word[1])
            status = parse_option(cli, &words, word, err);
        else if (name)
            status = parse_assignment(cli, word, name, err);
        else if (cli->words_count == 0 && check_command(word, err) < 0)
            status = -1;
        else
            cli->words[cli->words_count++] = word;
        if (status < 0)
            return -1;
    }
    return 0;
}

void cli_free(struct cli *cli)
{
    vec_free(&cli->assigns);
    free(cli->words);
    cli->words = NULL;
}

static bool dumb_terminal(void)
{
    const char *term = getenv("TERM");
    return !term || !*term || strcmp(term, "dumb") == 0;
}

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

bool cli_color(const struct cli *cli, FILE *to)
{
    if (cli->color != COLOR_AUTO)
        return cli->color == COLOR_ALWAYS;
    return isatty(fileno(to)) && !dumb_terminal() && !is_set("NO_COLOR") && !is_set("CI");
}

bool cli_ascii(const struct cli *cli)
{
    return cli->ascii || strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
}

bool cli_console(const struct cli *cli)
{
    return cli->output == OUTPUT_AUTO && !is_set("CI") && !dumb_terminal() &&
           isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

int cli_print_json(const struct cli *cli, const char *document)
{
    struct err err = {0};
    FILE *to = stdout;
    if (cli->json_to && str_starts(cli->json_to, "fd:"))
        to = fdopen(dup(atoi(cli->json_to + 3)), "w");
    else if (cli->json_to)
        to = fopen(cli->json_to, "we");
    if (!to) {
        err_errno(&err, "--json=%s", cli->json_to);
        return cli_fail(&err);
    }
    bool bad = fputs(document, to) < 0 || putc('\n', to) < 0 || fflush(to) < 0;
    if (bad)
        err_errno(&err, "writing JSON");
    if (to != stdout)
        fclose(to);
    return bad ? cli_fail(&err) : 0;
}

int cli_fail(const struct err *err)
{
    fprintf(stderr, "gantry: %s\n", err->text);
    return err_exit_status(err);
}

int cli_usage(const char *format, ...)
{
    va_list args;
    struct err err = {.kind = ERR_INPUT};
    va_start(args, format);
    vsnprintf(err.text, sizeof err.text, format, args);
    va_end(args);
    return cli_fail(&err);
}

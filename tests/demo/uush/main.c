/*
 * uush [-c COMMANDS] [WORD...]: prints its banner, runs COMMANDS (separated by ';'), then reads
 * commands from the console until exit. Other words are only shown, by `args`.
 */
#include "uush.h"

int shell_argc;
char **shell_argv;
bool shell_done;

/* Where the program called name is: as it says, or in /tools, or in /bin. False if nowhere. */
static bool find_program(const char *name, char *path, size_t size)
{
    static const char *const places[] = {"/tools/%s.so", "/bin/%s"};
    struct file file;

    if (strchr(name, '/'))
        return text_copy(path, name, size);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (format_text(path, size, places[i], name) < size && kernel->look_up(path, &file) == 0)
            return true;
    return false;
}

static int run_words(int argc, char **argv)
{
    char path[PATH_MAX_BYTES + 1];
    int status, error;

    for (const struct command *command = commands; command->name; command++)
        if (strcmp(command->name, argv[0]) == 0)
            return command->run(argc, argv);
    if (!find_program(argv[0], path, sizeof path)) {
        print("%s: no such command; try help\n", argv[0]);
        return 127;
    }
    argv[0] = path;
    error = kernel->run(argc, argv, &status);
    return error ? complain(path, error) : status;
}

int shell_run(char *line)
{
    char *words[SHELL_WORDS_MAX], *command;
    int status = 0;

    while (!shell_done && (command = split_command(&line)) != NULL) {
        int count = split_words(command, words, SHELL_WORDS_MAX);

        if (count < 0)
            status = complain("uush", count);
        else if (count > 0)
            status = run_words(count, words);
    }
    return status;
}

int program_main(int argc, char **argv)
{
    char line[LINE_MAX_BYTES];
    int status = 0;

    shell_argc = argc;
    shell_argv = argv;
    print("uush %s on %s: try help\n", kernel->fact("version"), kernel->fact("arch"));
    if (argc > 2 && strcmp(argv[1], "-c") == 0) {
        char *text = kernel->allocate(strlen(argv[2]) + 1);

        if (!text)
            return complain(argv[0], ERROR_MEMORY);
        memcpy(text, argv[2], strlen(argv[2]) + 1);
        status = shell_run(text);
        kernel->release(text);
    }
    while (!shell_done && line_read("uush> ", line, sizeof line))
        status = shell_run(line);
    return status;
}

#include "uush.h"

static int run_help(int argc, char **argv)
{
    (void)argc, (void)argv;
    for (const struct command *command = commands; command->name; command++)
        print("  %-22s %s\n", command->usage, command->summary);
    print("A program is run by its path, or by its name alone if it is in /tools or /bin.\n"
          "Commands are separated by ';', words are quoted by '...' and \"...\".\n");
    return 0;
}

static const char *type_mark(const struct file *file)
{
    return file->type == FILE_DIRECTORY ? "/" : file->type == FILE_SYMLINK ? " -> " : "";
}

static void print_entry(const struct directory_entry *entry)
{
    char target[PATH_MAX_BYTES + 1] = "";

    if (entry->file.type == FILE_SYMLINK) {
        int64_t length = kernel->read(&entry->file, 0, target, sizeof target - 1);

        target[length > 0 ? length : 0] = '\0';
    }
    print("%10lu  %s%s%s\n", (unsigned long)entry->file.size, entry->name, type_mark(&entry->file),
          target);
}

static int list(const char *path)
{
    struct directory_entry *entry = kernel->allocate(sizeof *entry);
    int error;

    if (!entry)
        return complain(path, ERROR_MEMORY);
    error = kernel->look_up(path, &entry->file);
    if (!error && entry->file.type != FILE_DIRECTORY) {
        text_copy(entry->name, path, sizeof entry->name);
        print_entry(entry);
    } else if (!error) {
        struct file directory = entry->file;

        for (uint64_t i = 0; (error = kernel->list(&directory, i, entry)) == 0; i++)
            print_entry(entry);
        if (error == ERROR_RANGE)
            error = 0;
    }
    kernel->release(entry);
    return error ? complain(path, error) : 0;
}

static int run_ls(int argc, char **argv)
{
    int status = 0;

    if (argc == 1)
        return list("/");
    for (int i = 1; i < argc; i++)
        status |= list(argv[i]);
    return status;
}

static bool show(void *context, const void *bytes, size_t size)
{
    (void)context;
    kernel->console_write(bytes, size);
    return true;
}

static int run_cat(int argc, char **argv)
{
    int status = 0;

    for (int i = 1; i < argc; i++)
        status |= for_each_piece(argv[i], show, NULL);
    return status;
}

static int run_echo(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        print("%s%s", i > 1 ? " " : "", argv[i]);
    print("\n");
    return 0;
}

static int run_args(int argc, char **argv)
{
    (void)argc, (void)argv;
    print("boot arguments: %s\n", kernel->fact("arguments"));
    for (int i = 0; i < shell_argc; i++)
        print("  argv[%d] = %s\n", i, shell_argv[i]);
    return 0;
}

static int run_uptime(int argc, char **argv)
{
    uint64_t ms = kernel->uptime_ns() / 1000000;

    (void)argc, (void)argv;
    print("up %lu.%03lu s\n", (unsigned long)(ms / 1000), (unsigned long)(ms % 1000));
    return 0;
}

static int run_info(int argc, char **argv)
{
    static const char *const names[] = {"version",     "arch",    "mode",
                                        "kernel_base", "options", "root"};

    (void)argc, (void)argv;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        print("%-12s %s\n", names[i], kernel->fact(names[i]));
    print("%-12s %lu KiB free\n", "memory", (unsigned long)(kernel->memory_free() / 1024));
    return 0;
}

static int run_trace(int argc, char **argv)
{
    char line[128];
    unsigned count = 0;

    (void)argc, (void)argv;
    while (kernel->trace_line(count, line, sizeof line) == 0) {
        print("%s\n", line);
        count++;
    }
    if (!count)
        print("no trace: the kernel was built with conf-tracing=0\n");
    return 0;
}

static int run_exit(int argc, char **argv)
{
    uint64_t status = 0;

    if (argc > 1 && !text_number(argv[1], &status)) {
        print("exit: %s is no number\n", argv[1]);
        return 2;
    }
    shell_done = true;
    return (int)status;
}

const struct command commands[] = {
    {"help", "help", "this list", run_help},
    {"ls", "ls [PATH...]", "what a directory holds", run_ls},
    {"cat", "cat FILE...", "files as they are", run_cat},
    {"echo", "echo [WORD...]", "its words", run_echo},
    {"args", "args", "what the kernel and the shell were started with", run_args},
    {"uptime", "uptime", "time since the start", run_uptime},
    {"info", "info", "what this kernel is", run_info},
    {"trace", "trace", "the kernel's latest events", run_trace},
    {"exit", "exit [STATUS]", "leave the shell, which powers off", run_exit},
    {NULL, NULL, NULL, NULL},
};

/*
 * `gantry races VERB ID` beside the screen: a process of its own, whose words are taken as they come.
 * What it says of its progress ("2/3  what it tries", on standard error) stands on the races screen
 * meanwhile; what it printed stands below the finding afterwards. One at a time.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "tui/console.h"

extern char **environ;

struct asking {
    pid_t pid;
    int progress, output; /* pipes; -1: at its end */
    struct str line, text; /* of progress, the last one; of output and complaints, all */
    char *verb;
};

static void begin(struct console *console, const char *verb, const char *id)
{
    struct app_races *races = &console->app.state.races;
    free(races->text);
    *races = (struct app_races){.busy = true};
    snprintf(races->verb, sizeof races->verb, "%s", verb);
    snprintf(races->id, sizeof races->id, "%s", id);
}

static int start(struct console *console, struct asking *asking, const char *const *words)
{
    VEC(char *) argv = {0};
    int progress[2] = {-1, -1}, output[2] = {-1, -1};
    if (pipe2(progress, O_CLOEXEC) < 0 || pipe2(output, O_CLOEXEC) < 0)
        return errno;
    vec_push(&argv, mem_copy("gantry"));
    vec_push(&argv, mem_copy("-C"));
    vec_push(&argv, mem_copy(console->root));
    for (size_t i = 0; i < console->assigns.len; i++)
        vec_push(&argv,
                 mem_format("%s=%s", console->assigns.at[i].name, console->assigns.at[i].value));
    for (; *words; words++)
        vec_push(&argv, mem_copy(*words));
    vec_push(&argv, NULL);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, progress[1], STDERR_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attributes, &none);
    int number =
        posix_spawn(&asking->pid, "/proc/self/exe", &actions, &attributes, argv.at, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    close(progress[1]);
    close(output[1]);
    asking->progress = progress[0];
    asking->output = output[0];
    fcntl(progress[0], F_SETFL, O_NONBLOCK);
    fcntl(output[0], F_SETFL, O_NONBLOCK);
    for (size_t i = 0; i < argv.len; i++)
        free(argv.at[i]);
    vec_free(&argv);
    return number;
}

static void free_asking(struct asking *asking)
{
    if (asking->progress >= 0)
        close(asking->progress);
    if (asking->output >= 0)
        close(asking->output);
    str_free(&asking->line);
    str_free(&asking->text);
    free(asking->verb);
    free(asking);
}

bool asking_start(struct console *console, const char *const *words)
{
    if (console->asking) {
        app_say(&console->app, SEVERITY_NOTE, "one thing at a time: it is still at the last one");
        return false;
    }
    struct asking *asking = mem_zero(1, sizeof *asking);
    asking->progress = asking->output = -1;
    asking->verb = mem_copy(words[1]);
    int number = start(console, asking, words);
    if (number) {
        free_asking(asking);
        app_say(&console->app, SEVERITY_ERROR, strerror(number));
        return false;
    }
    begin(console, words[1], words[2]);
    console->asking = asking;
    return true;
}

void asking_fds(const struct console *console, int fds[2])
{
    fds[0] = console->asking ? console->asking->progress : -1;
    fds[1] = console->asking ? console->asking->output : -1;
}

/* Appends what a pipe has; closes it at its end. */
static void take(int *fd, struct str *out)
{
    char piece[4096];
    ssize_t got = -1;
    while (*fd >= 0 && ((got = read(*fd, piece, sizeof piece)) > 0 || (got < 0 && errno == EINTR)))
        if (got > 0)
            str_add_n(out, piece, (size_t)got);
    if (*fd >= 0 && got == 0) {
        close(*fd);
        *fd = -1;
    }
}

/* "2/3  what" is how far it is; everything else it says there is a complaint. */
static bool is_progress(const char *line)
{
    char *end;
    strtoul(line, &end, 10);
    return end != line && *end == '/' && end[1] >= '0' && end[1] <= '9';
}

static void take_progress(struct console *console, struct asking *asking)
{
    struct app_races *races = &console->app.state.races;
    for (char *end; asking->line.len && (end = strchr(asking->line.at, '\n'));) {
        *end = '\0';
        if (is_progress(asking->line.at))
            snprintf(races->progress, sizeof races->progress, "%s", asking->line.at);
        else
            str_addf(&asking->text, "%s\n", asking->line.at);
        char *rest = mem_copy(end + 1);
        str_cut(&asking->line, 0);
        str_add(&asking->line, rest);
        free(rest);
    }
}

/* The last line that says something is said at once; all of it stands below the finding. */
static void finish(struct console *console)
{
    struct asking *asking = console->asking;
    struct app_races *races = &console->app.state.races;
    int status = 0;
    console->asking = NULL;
    while (waitpid(asking->pid, &status, 0) < 0 && errno == EINTR)
        ;
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    races->busy = false;
    races->failed = !good;
    races->text = mem_copy(str_text(&asking->text));
    findings_refresh(console, strcmp(asking->verb, "verify") == 0);
    const char *start = races->text, *end = start + strlen(start);
    while (end > start && end[-1] == '\n')
        end--;
    const char *last = end;
    while (last > start && last[-1] != '\n')
        last--;
    char *said = mem_copy_n(last, (size_t)(end - last));
    bool proved = good && strcmp(asking->verb, "prove") == 0;
    if (proved || *said)
        app_say(&console->app, good ? SEVERITY_NOTE : SEVERITY_ERROR,
                proved ? "tried: what came of it stands below" : said);
    free(said);
    free_asking(asking);
    actions_changed(console);
}

bool asking_take(struct console *console)
{
    struct asking *asking = console->asking;
    if (!asking)
        return false;
    take(&asking->progress, &asking->line);
    take(&asking->output, &asking->text);
    take_progress(console, asking);
    if (asking->progress < 0 && asking->output < 0)
        finish(console);
    return true;
}

void asking_end(struct console *console)
{
    struct asking *asking = console->asking;
    if (!asking)
        return;
    kill(asking->pid, SIGTERM); /* views are taken away, whatever happens */
    while (waitpid(asking->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    free_asking(asking);
    console->asking = NULL;
    console->app.state.races.busy = false;
}

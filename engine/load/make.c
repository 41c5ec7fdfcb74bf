/*
 * Builds a GNU make tree: starts the user's command behind a gate, with a make in front of PATH that
 * brings the hook along, and listens until the command has ended. make evaluates and decides; the
 * lanes are ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "load/make_internal.h"
#include "load/make_state.h"
#include "load/payload.h"
#include "race/end.h"
#include "race/hold.h"
#include "race/record.h"
#include "vcs/vcs.h"

extern char **environ;

#define TELL_MS 100 /* how often growing logs are looked at */
#define SHUFFLE_MS 3
#define SHUFFLE_JOBS 64u

/* ---- what the command is started with ---- */

static bool asks_for_jobs(const char *const *words)
{
    for (; *words; words++)
        if (strncmp(*words, "-j", 2) == 0 || str_starts(*words, "--jobs"))
            return true;
    return false;
}

/* MAKEFLAGS as if the user had given -j, -k, -n and -l to make: what is asked for already stays, and
 * without -j the command decides by itself how many jobs there are. */
static char *makeflags(const struct make_build *make)
{
    const struct build *build = make->build;
    const char *given = getenv("MAKEFLAGS");
    struct str flags = {0};
    if (given && given[0] != '-' && given[0] != ' ')
        str_add_n(&flags, given, strcspn(given, " "));
    if (build->options.keep_going)
        str_add_char(&flags, 'k');
    if (build->options.dry_run)
        str_add_char(&flags, 'n');
    if (make->anew)
        str_add_char(&flags, 'B');
    if (given)
        str_addf(&flags, "%s%s", given[0] == '-' ? " " : "",
                 given + (given[0] == '-' ? 0 : strcspn(given, " ")));
    bool jobs = given && (strstr(given, "-j") || strstr(given, "--jobserver"));
    if (build->options.shuffle && !jobs && !asks_for_jobs(build->options.command))
        str_addf(&flags, " -j%u", SHUFFLE_JOBS); /* there is to be a choice; lanes are ours */
    else if (!make->unlimited && !jobs && !asks_for_jobs(build->options.command))
        str_addf(&flags, " -j%u", build->lanes + make_holds_count(make->holds));
    if (build->options.load_limit > 0)
        str_addf(&flags, " -l%g", build->options.load_limit);
    return str_take(&flags);
}

static void put(str_list *env, const char *name, char *value)
{
    size_t length = strlen(name), out = 0;
    for (size_t i = 0; i < env->len; i++) {
        if (strncmp(env->at[i], name, length) == 0 && env->at[i][length] == '=')
            free(env->at[i]);
        else
            env->at[out++] = env->at[i];
    }
    env->len = out;
    vec_push(env, mem_format("%s=%s", name, value));
    free(value);
}

#define LAUNCHER_DIR "launcher" /* in the state directory: links named as compilers */

/* The command's environment; NULL-ended. */
static int command_env(const struct make_build *make, const struct make_server *server,
                       str_list *env, struct err *err)
{
    struct stat files[2] = {0};
    const struct step_log *logs[2] = {&make->output, &make->error_output};
    for (int i = 0; i < 2 && make->output.path; i++) {
        const char *file = logs[i]->path ? logs[i]->path : make->output.path;
        if (stat(file, &files[i]) != 0)
            return err_errno(err, "%s", file);
    }
    for (char **at = environ; *at; at++)
        if (!str_starts(*at, "GANTRY_T=") && !str_starts(*at, "GANTRY_STEP="))
            vec_push(env, mem_copy(*at));
    const char *path = getenv("PATH");
    char *own = mem_format("%s/path", make->payload);
    if (make->build->launcher.name)
        put(env, "PATH",
            mem_format("%s:%s/" LAUNCHER_DIR ":%s", own, make->state_dir,
                       path ? path : "/usr/bin:/bin"));
    else
        put(env, "PATH", mem_format("%s:%s", own, path ? path : "/usr/bin:/bin"));
    free(own);
    put(env, "GANTRY_GATE",
        mem_format("%s:%016llx:%016llx:%016llx:%016llx:%s", server_name(server),
                   (unsigned long long)files[0].st_dev, (unsigned long long)files[0].st_ino,
                   (unsigned long long)files[1].st_dev, (unsigned long long)files[1].st_ino,
                   make->payload));
    char *flags = makeflags(make);
    if (*flags || getenv("MAKEFLAGS"))
        put(env, "MAKEFLAGS", flags);
    else
        free(flags);
    vec_push(env, NULL);
    return 0;
}

static bool is_make(const char *name)
{
    const char *base = path_base(name);
    return strcmp(base, "make") == 0 || strcmp(base, "gmake") == 0;
}

/* The hook is a library: a program without a dynamic loader has none of it. */
static bool is_static(const char *path)
{
    ElfW(Ehdr) head;
    ElfW(Phdr) segment;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool elf = fd >= 0 && read(fd, &head, sizeof head) == (ssize_t)sizeof head &&
               memcmp(head.e_ident, ELFMAG, SELFMAG) == 0;
    bool loader = false;
    for (unsigned i = 0; elf && !loader && i < head.e_phnum; i++) {
        off_t at = (off_t)(head.e_phoff + i * (size_t)head.e_phentsize);
        loader = pread(fd, &segment, sizeof segment, at) == (ssize_t)sizeof segment &&
                 segment.p_type == PT_INTERP;
    }
    if (fd >= 0)
        close(fd);
    return elf && !loader;
}

static void warn_of_static(const struct make_build *make, const char *path)
{
    if (is_make(path) && is_static(path))
        build_say(
            make->build, SEVERITY_WARNING,
            "%s is a static program: it builds as ever, but as one piece, without steps, lanes, "
            "logs of their own and races, and nothing is known of it at the next build; install "
            "a make that is linked dynamically",
            path);
}

/* A make in front of PATH that a Gantry put there in whose step we run. */
static bool is_shim(const char *path)
{
    char *directory = path_dir(path), *hook = path_join(directory, "../hook.so");
    bool is = strcmp(path_base(directory), "path") == 0 && access(hook, F_OK) == 0;
    free(hook);
    free(directory);
    return is;
}

/* The program of the command as a shell would find it; new. */
static char *find_program(const struct make_build *make, const char *directory, const char *name,
                          struct err *err)
{
    if (strchr(name, '/')) {
        char *path = path_join(directory, name);
        if (access(path, X_OK) == 0) {
            warn_of_static(make, path);
            return path;
        }
        err_set(err, ERR_INPUT, "%s: %s", name, strerror(errno));
        free(path);
        return NULL;
    }
    const char *at = getenv("PATH");
    bool own = is_make(name);
    for (at = at ? at : "/usr/bin:/bin"; *at;) {
        size_t length = strcspn(at, ":");
        char *path = mem_format("%.*s/%s", (int)length, at, name);
        if (access(path, X_OK) == 0 && !(own && is_shim(path))) {
            if (!own)
                return path;
            warn_of_static(make, path);
            free(path);
            return mem_format("%s/path/%s", make->payload, name);
        }
        free(path);
        at += length + (at[length] == ':');
    }
    err_set(err, ERR_INPUT, "%s: there is no such command on PATH%s", name,
            own ? "; install make (apt-get install make)" : "");
    return NULL;
}

static void give(const char *path, int fd)
{
    int way = fd == STDIN_FILENO ? O_RDONLY : O_WRONLY | O_APPEND;
    int file = open(path, way | O_CLOEXEC);
    if (file >= 0)
        dup2(file, fd);
}

/* In the child between vfork and exec, on the parent's memory: system calls only. */
static _Noreturn void become(const struct make_build *make, const char *directory, char **argv,
                             char **env)
{
    if (make->build->options.no_input)
        give("/dev/null", STDIN_FILENO);
    if (make->output.path)
        give(make->output.path, STDOUT_FILENO);
    if (make->error_output.path)
        give(make->error_output.path, STDERR_FILENO);
    else if (make->output.path)
        dup2(STDOUT_FILENO, STDERR_FILENO);
    dup2(make->lock, LOCK_FD);
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigaction(SIGPIPE, &action, NULL);
    for (int number = 1; number < NSIG; number++) /* no handler of ours may run in the child */
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL &&
            action.sa_handler != SIG_IGN) {
            action = (struct sigaction){.sa_handler = SIG_DFL};
            sigaction(number, &action, NULL);
        }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (chdir(directory) == 0) {
        make_trace_child(make->trace);
        execve(argv[0], argv, env);
    }
    _exit(127);
}

static pid_t launch(const struct make_build *make, const char *directory, char **argv, char **env)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pid_t pid = vfork();
    if (pid == 0)
        become(make, directory, argv, env);
    int number = errno;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = number;
    return pid;
}

static pid_t start(const struct make_build *make, const struct make_server *server, struct err *err)
{
    const struct build_options *options = &make->build->options;
    const char *directory = options->directory ? options->directory : options->root;
    char *program = find_program(make, directory, options->command[0], err);
    if (!program)
        return -1;
    str_list env = {0};
    VEC(char *) argv = {0};
    char *gate = mem_format("%s/gate", make->payload);
    vec_push(&argv, gate);
    vec_push(&argv, (char *)(uintptr_t) "0.0.0");
    vec_push(&argv, program);
    for (const char *const *word = options->command; *word; word++)
        vec_push(&argv, (char *)(uintptr_t)*word);
    vec_push(&argv, NULL);
    pid_t pid = -1;
    if (command_env(make, server, &env, err) == 0) {
        pid = launch(make, directory, argv.at, env.at);
        if (pid < 0)
            err_errno(err, "%s", gate);
    }
    str_list_free(&env);
    free(gate);
    free(program);
    vec_free(&argv);
    return pid;
}

/* ---- the build ---- */

static void tell_begin(struct build *build)
{
    struct vcs_state vcs = {0};
    struct str argv = {0};
    vcs_read(build->options.root, &vcs, NULL);
    for (const char *const *word = build->options.command; *word; word++)
        str_addf(&argv, argv.len ? " %s" : "%s", *word);
    build_send(build, &(struct event){.kind = EVENT_BUILD_BEGIN,
                                      .tree = build->options.root,
                                      .head = vcs.head,
                                      .dirty = vcs.dirty,
                                      .loader = build->options.osv ? "osv" : "make",
                                      .arch = build->arch,
                                      .mode = build->mode,
                                      .image = build->image,
                                      .lanes = build->lanes,
                                      .argv = str_text(&argv)});
    str_free(&argv);
    const struct build_options *options = &build->options;
    record_command(build->races, options->command,
                   options->directory ? options->directory : options->root);
}

/* The empty file for what the command itself prints. */
static int open_output(struct make_build *make, struct step_log *log, const char *name,
                       struct err *err)
{
    log->path = mem_format("%s/%s", make->state_dir, name);
    int fd = open(log->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return err_errno(err, "%s", log->path);
    close(fd);
    return 0;
}

/* make's compile commands stay what they are: they find the launcher where the compiler was. */
static int put_launcher(struct make_build *make, struct err *err)
{
    struct build *build = make->build;
    const struct build_options *options = &build->options;
    const char *command = "";
    for (size_t i = 0; i < options->assigns_count; i++)
        if (strcmp(options->assigns[i].name, "launcher") == 0)
            command = options->assigns[i].value;
    if (!options->osv && launcher_find(&build->launcher, command, err) < 0)
        return -1;
    char *dir = mem_format("%s/" LAUNCHER_DIR, make->state_dir);
    int status = build->launcher.name ? launcher_masquerade(&build->launcher, dir, err) : 0;
    free(dir);
    return status;
}

/* The state directory at the root, with what keeps it out of git. Its lock, or -1. */
static int prepare(struct make_build *make, struct err *err)
{
    char *ignore = mem_format("%s/.gitignore", make->state_dir);
    int lock = -1;
    if (file_make_dirs(make->state_dir, err) == 0 &&
        (access(ignore, F_OK) == 0 || file_write(ignore, "*\n", 2, 0666, err) == 0))
        lock = build_lock(make->state_dir, err);
    free(ignore);
    if (lock < 0)
        return -1;
    enum capture capture = make->build->options.capture;
    bool opened = capture == CAPTURE_NOTHING ||
                  (open_output(make, &make->output, "make.log", err) == 0 &&
                   (capture == CAPTURE_TOGETHER ||
                    open_output(make, &make->error_output, "make.err.log", err) == 0));
    if (opened && build_open_journal(make->build, make->state_dir, err) == 0 &&
        put_launcher(make, err) == 0)
        make->payload = payload_unpack(make->state_dir, err);
    if (make->payload)
        return lock;
    close(lock);
    return -1;
}

static void listen_until_end(struct make_build *make, struct make_server *server)
{
    uint64_t told_ns = clock_ns();
    enum stop_state acted = STOP_NO;
    while (!make->command_ended) {
        uint64_t heard = make->heard;
        server_hear(server, make->build->options.shuffle ? SHUFFLE_MS : TELL_MS);
        make_holds_tick(make->holds, make->heard != heard);
        if (make->build->options.shuffle)
            steps_give_lanes(make); /* those whose time has come */
        enum stop_state stop = build_stopping(make->build);
        if (stop != acted) {
            acted = stop;
            steps_give_lanes(make); /* which are refused now */
            if (stop >= STOP_KILL)
                server_end_command(server);
        }
        if (clock_ns() - told_ns >= TELL_MS * 1000000ull) {
            steps_tell_output(make);
            told_ns = clock_ns();
        }
    }
    server_hear(server, 0);
}

static int run_command(struct make_build *make, struct err *err)
{
    struct make_server *server = server_open(make, err);
    if (!server)
        return -1;
    lanes_open(&make->lanes, make->build, make->build->lanes);
    make->trace = make_trace_new(make);
    pid_t pid = start(make, server, err);
    if (pid > 0) {
        make_trace_started(make->trace, pid);
        listen_until_end(make, server);
        int status = 0;
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        make->command_status = status;
        make->build->totals.cpu_ns = make->cpu_ns;
        steps_finish(make);
    }
    make_trace_end(make->trace);
    make->trace = NULL;
    server_close(server);
    lanes_close(&make->lanes);
    return pid > 0 ? 0 : -1;
}

/* Answers from what is kept where nothing has changed since the last build. */
static bool is_fresh(struct make_build *make)
{
    struct build *build = make->build;
    struct str argv = {0};
    for (const char *const *word = build->options.command; *word; word++)
        str_addf(&argv, argv.len ? " %s" : "%s", *word);
    bool fresh = make_state_is_fresh(make->kept,
                                     &(struct event){.kind = EVENT_BUILD_BEGIN,
                                                     .tree = build->options.root,
                                                     .loader = build->options.osv ? "osv" : "make",
                                                     .lanes = build->lanes,
                                                     .argv = str_text(&argv)});
    str_free(&argv);
    return fresh;
}

static void *look_for_races(void *data)
{
    struct make_build *make = data;
    race_end_of_build(make->build, make->state_dir);
    return NULL;
}

/* What is kept of the build, and the races in it: they have nothing to do with each other, and a build
 * that had little to do takes its time for these. */
static void end(struct make_build *make, bool good, bool never_ran)
{
    pthread_t races;
    bool beside = !never_ran && pthread_create(&races, NULL, look_for_races, make) == 0;
    make_state_close(make->kept, good);
    if (beside)
        pthread_join(races, NULL);
    else if (!never_ran)
        look_for_races(make);
}

/* A make that nobody asked for jobs runs one at a time, and a step that is held would keep it from going
 * on: it gets as many more as are held, and the one lane stays. */
static void open_holds(struct make_build *make)
{
    struct build *build = make->build;
    bool is_one = make->unlimited && is_make(build->options.command[0]) &&
                  !asks_for_jobs(build->options.command);
    struct holds any = {0};
    if (is_one && holds_read(&any, build->options.root, NULL) == 0 && any.list.len) {
        make->unlimited = false;
        build->lanes = 1;
    }
    holds_free(&any);
    tell_begin(build);
    make->holds = make_holds_open(make);
}

int make_build_run(struct build *build, void *data)
{
    (void)data;
    struct err err = {0};
    struct make_build make = {.build = build};
    make.terminal =
        !build->options.no_input && isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
    make.unlimited = !build->options.lanes || asks_for_jobs(build->options.command);
    make.state_dir = path_join(build->options.root, ".gantry");
    make.kept = make_state_new(&make);
    if (is_fresh(&make)) {
        make_holds_close(make_holds_open(&make));
        make_state_close(make.kept, false);
        free(make.state_dir);
        return 0;
    }
    open_holds(&make);
    int lock = make.lock = prepare(&make, &err);
    if (lock >= 0) {
        make_state_open(make.kept);
        make_stale_prepare(make.kept);
        make_holds_prepare(make.holds);
        race_begin(build, make.state_dir, database_read_rules);
    }
    int result = lock < 0 ? -1 : run_command(&make, &err);
    int status = make.command_status;
    if (result < 0)
        race_give_up(build);
    end(&make, result == 0 && status == 0, result < 0);
    if (result < 0)
        build_say(build, SEVERITY_ERROR, "%s", err.text);
    steps_free(&make);
    make_holds_close(make.holds);
    free(make.state_dir);
    free(make.output.path);
    free(make.error_output.path);
    free(make.payload);
    if (lock >= 0)
        close(lock);
    if (result < 0)
        return err_exit_status(&err);
    int exit_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    /* build.c makes of a 1 what a stopped build ends with. */
    return exit_status && build_stopping(build) != STOP_NO ? 1 : exit_status;
}

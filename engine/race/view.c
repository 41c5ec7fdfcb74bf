#include "race/view.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/path.h"

enum { OUTPUT_KEPT = 64 << 10, REPORT = 64, STOP_MS = 200 };

extern char **environ;

/* How far the child came, in `stage`; 0 and the script's wait status where all went well. */
enum stage { STAGE_RAN, STAGE_NAMESPACE, STAGE_PRIVATE, STAGE_MOUNT, STAGE_FORK };
struct outcome {
    int32_t stage, number;
};

/* All that the child needs, made before the fork: between fork and exec only system calls. */
struct plan {
    const struct view_job *job;
    char *base, *upper, *work, *copy; /* directories of ours; copy: mounted instead of an overlay */
    char *options;
    char uid_map[REPORT], gid_map[REPORT];
    bool user_namespace, copied;
    int output, report; /* write ends */
    char **environment;
    char *place; /* GANTRY_VIEW=base, in that environment */
};

/* ---- in the child ---- */

static bool write_to(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return done;
}

static void give_up(const struct plan *plan, enum stage stage)
{
    struct outcome outcome = {(int32_t)stage, errno};
    if (write(plan->report, &outcome, sizeof outcome) < 0)
        _exit(3);
    _exit(2);
}

static bool is_inside(const char *path, const char *directory)
{
    size_t length = strlen(directory);
    return strncmp(path, directory, length) == 0 && (path[length] == '/' || !path[length]);
}

/* Everything read-only, but places for temporary files, and what will lie over it afterwards. */
static void protect(const struct plan *plan)
{
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY},
                      writable = {.attr_clr = MOUNT_ATTR_RDONLY};
    static const char *const places[] = {"/tmp", "/var/tmp", "/dev/shm"};
    if (syscall(SYS_mount_setattr, -1, "/", AT_RECURSIVE, &read_only, sizeof read_only) != 0)
        return; /* before Linux 5.12 */
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        bool ours = is_inside(plan->job->root, places[i]) || is_inside(plan->base, places[i]);
        if (!ours)
            mount("tmpfs", places[i], "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
        else if (mount(places[i], places[i], NULL, MS_BIND | MS_REC, NULL) == 0)
            syscall(SYS_mount_setattr, -1, places[i], 0, &writable, sizeof writable);
    }
}

static void enter(const struct plan *plan)
{
    int flags = CLONE_NEWNS | CLONE_NEWPID | (plan->user_namespace ? CLONE_NEWUSER : 0);
    if (unshare(flags) != 0)
        give_up(plan, STAGE_NAMESPACE);
    if (plan->user_namespace && (!write_to("/proc/self/setgroups", "deny") ||
                                 !write_to("/proc/self/uid_map", plan->uid_map) ||
                                 !write_to("/proc/self/gid_map", plan->gid_map)))
        give_up(plan, STAGE_NAMESPACE);
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        give_up(plan, STAGE_PRIVATE);
    protect(plan);
    const char *root = plan->job->root;
    int done = plan->copied ? mount(plan->copy, root, NULL, MS_BIND, NULL)
                            : mount("overlay", root, "overlay", 0, plan->options);
    if (done != 0 || chdir(root) != 0)
        give_up(plan, STAGE_MOUNT);
}

static void be_modest(void)
{
    struct sched_param none = {0};
    sched_setscheduler(0, SCHED_IDLE, &none);
    setpriority(PRIO_PROCESS, 0, 19);
}

static void be_script(const struct plan *plan)
{
    const char *argv[] = {"sh", "-c", plan->job->script, NULL};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    dup2(plan->output, STDOUT_FILENO);
    dup2(plan->output, STDERR_FILENO);
    sigset_t mask;
    sigemptyset(&mask);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    execve("/bin/sh", (char *const *)(uintptr_t)argv, plan->environment);
    _exit(127);
}

static void be_child(const struct plan *plan)
{
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    be_modest();
    enter(plan);
    pid_t script = fork();
    if (script < 0)
        give_up(plan, STAGE_FORK);
    if (script == 0)
        be_script(plan);
    close(plan->output);
    int status = 0;
    while (waitpid(script, &status, 0) < 0 && errno == EINTR)
        ;
    struct outcome outcome = {STAGE_RAN, status};
    _exit(write(plan->report, &outcome, sizeof outcome) == sizeof outcome ? 0 : 3);
}

/* ---- around it ---- */

/* Reads until the child has ended or its time is up. */
static void follow(pid_t child, int output, int report, const struct view_job *job,
                   struct view_result *result, struct outcome *outcome)
{
    uint64_t end_ns = clock_ns() + (uint64_t)job->timeout_ms * 1000000u;
    bool open_output = true, reported = false;
    while (!reported) {
        uint64_t now_ns = clock_ns();
        if (now_ns >= end_ns || (job->stop && *job->stop)) {
            result->timed_out = true;
            break;
        }
        struct pollfd fds[2] = {{.fd = report, .events = POLLIN},
                                {.fd = open_output ? output : -1, .events = POLLIN}};
        uint64_t left_ms = (end_ns - now_ns) / 1000000u + 1;
        if (poll(fds, 2, left_ms > STOP_MS ? STOP_MS : (int)left_ms) < 0 && errno != EINTR)
            break;
        char piece[4096];
        ssize_t got = fds[1].revents ? read(output, piece, sizeof piece) : -1;
        if (got > 0)
            str_add_n(&result->output, piece, (size_t)got);
        open_output &= !fds[1].revents || got > 0;
        if (result->output.len > 2 * OUTPUT_KEPT) {
            memmove(result->output.at, result->output.at + result->output.len - OUTPUT_KEPT,
                    OUTPUT_KEPT);
            str_cut(&result->output, OUTPUT_KEPT);
        }
        if (fds[0].revents && !(fds[1].revents & POLLIN))
            reported = read(report, outcome, sizeof *outcome) == sizeof *outcome ||
                       (fds[0].revents & POLLHUP);
    }
    kill(child, SIGKILL); /* what is left of the name space goes with its first process */
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
}

static void look_at_paths(const struct plan *plan, struct view_result *result)
{
    const struct view_job *job = plan->job;
    result->hashes = mem_zero(job->paths_count + 1, sizeof *result->hashes);
    result->there = mem_zero(job->paths_count + 1, sizeof *result->there);
    for (size_t i = 0; i < job->paths_count; i++) {
        struct stat status;
        char *path = path_join(plan->copied ? plan->copy : plan->upper, job->paths[i]);
        bool changed = lstat(path, &status) == 0, gone = changed && S_ISCHR(status.st_mode);
        if (!changed && !plan->copied) { /* as it was; unless a directory above is new or gone */
            free(path);
            path = path_join(job->root, job->paths[i]);
            changed = lstat(path, &status) == 0;
        }
        result->there[i] = changed && !gone;
        char target[4096];
        ssize_t length =
            changed && S_ISLNK(status.st_mode) ? readlink(path, target, sizeof target) : -1;
        if (length >= 0)
            result->hashes[i] = hash_bytes(target, (size_t)length);
        else if (result->there[i] && S_ISREG(status.st_mode))
            file_hash(path, &result->hashes[i], NULL);
        free(path);
    }
}

static const char *remedy(const struct outcome *outcome)
{
    switch (outcome->stage) {
    case STAGE_NAMESPACE:
        return "name spaces are refused here (in containers: allow user name spaces, or run as "
               "root)";
    case STAGE_MOUNT:
        return "neither an overlay nor a copy can be mounted over the tree";
    default:
        return "the view could not be made";
    }
}

static int try_plan(struct plan *plan, struct view_result *result, struct outcome *outcome,
                    struct err *err)
{
    int output[2], report[2];
    if (pipe2(output, O_CLOEXEC) != 0)
        return err_errno(err, "a pipe");
    if (pipe2(report, O_CLOEXEC) != 0) {
        close(output[0]);
        close(output[1]);
        return err_errno(err, "a pipe");
    }
    plan->output = output[1];
    plan->report = report[1];
    pid_t child = fork();
    if (child == 0)
        be_child(plan);
    close(output[1]);
    close(report[1]);
    *outcome = (struct outcome){STAGE_FORK, errno};
    if (child > 0)
        follow(child, output[0], report[0], plan->job, result, outcome);
    close(output[0]);
    close(report[0]);
    return child > 0 ? 0 : err_errno(err, "a process");
}

/* A copy for where no overlay can be: shares blocks where the file system can. */
static bool copy_tree(const struct plan *plan)
{
    const char *argv[] = {"cp", "-a", "--reflink=auto", plan->job->root, plan->copy, NULL};
    pid_t child = fork();
    if (child == 0) {
        execvp("cp", (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    int status = 1;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return child > 0 && status == 0;
}

/* The environment of a script: ours without what belongs to a make above, and `more`. What a script
 * puts into GANTRY_VIEW goes with the view, however the script ends. No ccache: it answers with what
 * came of the other order where it does not see the file that the order is about. */
static char **script_environment(char *more)
{
    static const char uncached[] = "CCACHE_DISABLE=1";
    static const char *const without[] = {"MAKEFLAGS=", "MFLAGS=", "MAKELEVEL=", "GANTRY_",
                                          "MAKEOVERRIDES="};
    size_t count = 0, kept = 0;
    while (environ[count])
        count++;
    char **copy = mem_alloc((count + 3) * sizeof *copy);
    for (size_t i = 0; i < count; i++) {
        bool drop = false;
        for (size_t k = 0; k < sizeof without / sizeof *without; k++)
            drop |= str_starts(environ[i], without[k]);
        if (!drop)
            copy[kept++] = environ[i];
    }
    copy[kept++] = more;
    copy[kept++] = (char *)(uintptr_t)uncached;
    copy[kept] = NULL;
    return copy;
}

/* A place for what changes; nothing of the tree may be above or below it. */
static char *make_base(const char *root)
{
    const char *places[] = {getenv("TMPDIR"), "/var/tmp", "/tmp", "/dev/shm"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (!places[i] || is_inside(places[i], root))
            continue;
        char *name = mem_format("%s/gantry-view-XXXXXX", places[i]);
        if (mkdtemp(name))
            return name;
        free(name);
    }
    return NULL;
}

/* The kernel's own directory in the work directory is closed to all, its owner too. */
static void remove_base(const struct plan *plan)
{
    char *own = path_join(plan->work, "work");
    chmod(own, 0700);
    free(own);
    file_remove_tree(plan->base, NULL);
}

static bool overlay_fits(const char *root)
{
    return !strpbrk(root, ":,\\");
}

int view_run(const struct view_job *job, struct view_result *result, struct err *err)
{
    *result = (struct view_result){0};
    struct plan plan = {.job = job, .base = make_base(job->root)};
    if (!plan.base)
        return err_set(err, ERR_SYSTEM, "there is no directory for a view: set TMPDIR");
    plan.upper = path_join(plan.base, "upper");
    plan.work = path_join(plan.base, "work");
    plan.copy = path_join(plan.base, "copy");
    plan.user_namespace = geteuid() != 0;
    plan.options = mem_format("lowerdir=%s,upperdir=%s,workdir=%s%s", job->root, plan.upper,
                              plan.work, plan.user_namespace ? ",userxattr" : "");
    plan.place = mem_format("GANTRY_VIEW=%s", plan.base);
    plan.environment = script_environment(plan.place);
    snprintf(plan.uid_map, sizeof plan.uid_map, "%u %u 1", geteuid(), geteuid());
    snprintf(plan.gid_map, sizeof plan.gid_map, "%u %u 1", getegid(), getegid());
    struct outcome outcome = {STAGE_MOUNT, 0};
    int status = 0;
    if (mkdir(plan.upper, 0777) != 0 || mkdir(plan.work, 0777) != 0)
        status = err_errno(err, "%s", plan.upper);
    else if (overlay_fits(job->root))
        status = try_plan(&plan, result, &outcome, err);
    if (status == 0 && outcome.stage == STAGE_MOUNT && !result->timed_out && copy_tree(&plan)) {
        plan.copied = true;
        status = try_plan(&plan, result, &outcome, err);
    }
    if (status == 0 && outcome.stage != STAGE_RAN && !result->timed_out)
        status = err_set(err, ERR_SYSTEM, "no view: %s (%s)", remedy(&outcome),
                         strerror(outcome.number));
    if (status == 0) {
        result->status = result->timed_out             ? 128 + SIGKILL
                         : WIFSIGNALED(outcome.number) ? 128 + WTERMSIG(outcome.number)
                                                       : WEXITSTATUS(outcome.number);
        look_at_paths(&plan, result);
    }
    remove_base(&plan);
    free(plan.environment);
    free(plan.place);
    free(plan.options);
    free(plan.upper);
    free(plan.work);
    free(plan.copy);
    free(plan.base);
    if (status < 0)
        view_free(result);
    return status;
}

void view_free(struct view_result *result)
{
    str_free(&result->output);
    free(result->hashes);
    free(result->there);
    *result = (struct view_result){0};
}

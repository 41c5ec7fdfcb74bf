/*
 * One run: a thread that starts QEMU, carries bytes both ways, and judges.
 *
 * The thread alone touches the process and its pipes; the front end reaches it through `typed` and
 * `stopping`, both under `lock`, and an eventfd that wakes it. QEMU is started by that thread and
 * is killed by the kernel when it ends (PR_SET_PDEATHSIG), so no run outlives Gantry.
 */
#include "vm/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/re.h"
#include "base/text.h"
#include "journal/event.h"
#include "vm/spec.h"

enum {
    FLUSH_MS = 34, /* console text is told at most 30 times a second */
    FLUSH_BYTES = 64 * 1024, /* ... unless there is a lot of it */
    GRACE_MS = 2000, /* between SIGTERM and SIGKILL */
    QUIET_MS = 300, /* after a backtrace nothing more comes: the guest hangs */
    SEEN_BYTES = 64 * 1024, /* the console's end, in which the expected text is looked for */
    COMPLAINTS_BYTES = 4096,
};

enum verdict { VERDICT_NONE, VERDICT_OK, VERDICT_FAILED, VERDICT_TIMEOUT, VERDICT_STOPPED };

static const char *const verdict_names[] = {
    [VERDICT_OK] = "ok",
    [VERDICT_FAILED] = "failed",
    [VERDICT_TIMEOUT] = "timeout",
    [VERDICT_STOPPED] = "stopped",
};

struct vm {
    struct vm_spec spec;
    struct queue *events;
    struct re *expect; /* NULL: a clean power-off is what is wanted */
    struct words *words; /* whether the kernel said that it ran nothing */
    pthread_t thread;
    int hold; /* the image's lock, or -1 */
    int wake; /* eventfd: `typed` or `stopping` changed */

    pthread_mutex_t lock;
    struct str typed; /* not yet taken by the guest */
    bool stopping;

    /* The thread's own. */
    uint64_t start_ns, last_flush_ns, last_byte_ns,
        kill_ns; /* kill_ns: when SIGKILL is due; 0: not */
    pid_t pid;
    int pidfd, console_in, console_out, complaints_fd; /* -1 once closed */
    struct str text; /* console bytes not yet told */
    struct str seen; /* the console's end, carriage returns taken out */
    size_t searched; /* of seen: no match ends before */
    struct crash *crash; /* NULL: addresses stay what they are */
    pid_t helper; /* that runs beside QEMU; 0: none */
    struct str complaints; /* QEMU's own standard error */
    bool matched, crashed;
    enum verdict verdict;
    int exit; /* of QEMU; -1: ended by a signal */
};

static void tell(struct vm *vm, const struct event *event)
{
    event_send(vm->events, vm->start_ns, event);
}

static void tell_error(struct vm *vm, const char *sentence)
{
    tell(vm, &(struct event){.kind = EVENT_MESSAGE, .severity = SEVERITY_ERROR, .text = sentence});
}

/* ---- starting ---- */

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* In the child: only what is safe after fork in a process with threads. */
static void become_qemu(char *const *argv, pid_t parent, const int stdio[3], int report)
{
    sigset_t none;
    sigemptyset(&none);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < 3; i++)
        dup2(stdio[i], i);
    if (getppid() == parent)
        execvp(argv[0], argv);
    int error = errno;
    (void)!write(report, &error, sizeof error);
    _exit(127);
}

static char *const *with_accelerator(struct vm *vm)
{
    bool kvm = vm->spec.probe && vm_kvm_works(vm->spec.probe);
    str_list *more = kvm ? &vm->spec.with_kvm : &vm->spec.without_kvm;
    for (size_t i = 0; i < more->len; i++)
        vec_push(&vm->spec.argv, mem_copy(more->at[i]));
    vec_push(&vm->spec.argv, NULL);
    vm->spec.argv.len--;
    return vm->spec.argv.at;
}

static int exec_error(struct vm *vm, int error, struct err *err)
{
    const char *program = vm->spec.argv.at[0];
    if (error == ENOENT && vm->spec.package)
        return err_set(err, ERR_INPUT, "%s is not installed: apt-get install %s", program,
                       vm->spec.package);
    errno = error;
    return err_errno(err, "cannot run %s", program);
}

/* Starts QEMU with its console and its complaints on pipes. */
static int spawn(struct vm *vm, struct err *err)
{
    char *const *argv = with_accelerator(vm);
    int pipes[4][2]; /* in, out, complaints, report of a failed exec */
    for (int i = 0; i < 4; i++) {
        if (pipe2(pipes[i], O_CLOEXEC) == 0)
            continue;
        while (i-- > 0)
            close(pipes[i][0]), close(pipes[i][1]);
        return err_errno(err, "cannot make a pipe");
    }
    pid_t parent = getpid();
    vm->pid = fork();
    if (vm->pid == 0)
        become_qemu(argv, parent, (int[]){pipes[0][0], pipes[1][1], pipes[2][1]}, pipes[3][1]);
    int fork_error = errno;
    close(pipes[0][0]);
    close(pipes[1][1]);
    close(pipes[2][1]);
    close(pipes[3][1]);
    vm->console_in = pipes[0][1];
    vm->console_out = pipes[1][0];
    vm->complaints_fd = pipes[2][0];
    int error = 0;
    bool failed = vm->pid < 0 || read(pipes[3][0], &error, sizeof error) == sizeof error;
    close(pipes[3][0]);
    if (vm->pid < 0) {
        errno = fork_error;
        return err_errno(err, "cannot start a process");
    }
    if (failed) {
        waitpid(vm->pid, NULL, 0);
        vm->pid = -1;
        return exec_error(vm, error, err);
    }
    fcntl(vm->console_in, F_SETFL, O_NONBLOCK);
    fcntl(vm->console_out, F_SETFL, O_NONBLOCK);
    fcntl(vm->complaints_fd, F_SETFL, O_NONBLOCK);
    vm->pidfd = (int)syscall(SYS_pidfd_open, vm->pid, 0);
    return vm->pidfd < 0 ? err_errno(err, "cannot watch %s", argv[0]) : 0;
}

static void tell_begin(struct vm *vm)
{
    struct str argv = {0};
    for (size_t i = 0; i < vm->spec.argv.len; i++) {
        if (i)
            str_add_char(&argv, ' ');
        text_shell_quote(&argv, vm->spec.argv.at[i]);
    }
    tell(vm, &(struct event){
                 .kind = EVENT_VM_BEGIN, .argv = str_text(&argv), .text = vm->spec.arguments});
    str_free(&argv);
}

/* ---- the console ---- */

/* How much of the text ends on a whole UTF-8 sequence; what does not look like UTF-8 is whole. */
static size_t whole_length(const struct str *text)
{
    size_t back = 0;
    while (back < 3 && back < text->len &&
           ((unsigned char)text->at[text->len - 1 - back] & 0xc0) == 0x80)
        back++;
    if (back == text->len)
        return text->len;
    unsigned char lead = (unsigned char)text->at[text->len - 1 - back];
    size_t wants = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
    return wants > back ? text->len - 1 - back : text->len;
}

/* Tells the console text so far; a sequence that is cut waits for its rest. */
static void flush_console(struct vm *vm, bool at_end)
{
    vm->last_flush_ns = clock_ns();
    size_t length = at_end ? vm->text.len : whole_length(&vm->text);
    if (!length)
        return;
    char *text = mem_copy_n(vm->text.at, length);
    tell(vm, &(struct event){.kind = EVENT_VM_OUTPUT, .text = text});
    free(text);
    memmove(vm->text.at, vm->text.at + length, vm->text.len - length);
    str_cut(&vm->text, vm->text.len - length);
}

/* Looks for the expected text in what has come, which may have been cut anywhere. */
static void look_for_expected(struct vm *vm)
{
    enum { LONGEST = 4096 };
    if (!vm->expect || vm->matched || !vm->seen.len)
        return;
    size_t from = vm->searched > LONGEST ? vm->searched - LONGEST : 0;
    vm->matched = re_find(vm->expect, vm->seen.at, vm->seen.len, from, NULL);
    vm->searched = vm->seen.len;
    if (vm->seen.len > SEEN_BYTES) {
        size_t cut = vm->seen.len - LONGEST;
        memmove(vm->seen.at, vm->seen.at + cut, LONGEST);
        str_cut(&vm->seen, LONGEST);
        vm->searched = LONGEST;
    }
}

/* Takes in console bytes: NUL is padding on a serial line, and could not be told in an event. */
static void take_console(struct vm *vm, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (!bytes[i])
            continue;
        str_add_char(&vm->text, bytes[i]);
        if (vm->expect && bytes[i] != '\r')
            str_add_char(&vm->seen, bytes[i]);
    }
    crash_feed(vm->crash, bytes, length);
    words_feed(vm->words, bytes, length);
    vm->last_byte_ns = clock_ns();
    look_for_expected(vm);
}

static void take_complaint(struct vm *vm, const char *bytes, size_t length)
{
    if (vm->complaints.len < COMPLAINTS_BYTES)
        str_add_n(&vm->complaints, bytes, length);
}

/* Reads one of QEMU's pipes until it would block or has ended, but never for ever. */
static void read_pipe(struct vm *vm, int *fd, void (*take)(struct vm *, const char *, size_t))
{
    enum { CHUNKS = 16 };
    char chunk[16 * 1024];
    for (int i = 0; i < CHUNKS && *fd >= 0; i++) {
        ssize_t got = read(*fd, chunk, sizeof chunk);
        if (got > 0)
            take(vm, chunk, (size_t)got);
        else if (got == 0 || (errno != EAGAIN && errno != EINTR))
            close_fd(fd);
        else if (errno == EAGAIN)
            return;
        if (vm->text.len >= FLUSH_BYTES)
            flush_console(vm, false);
    }
}

/* Hands typed bytes to the guest, as many as it takes. */
static void write_typed(struct vm *vm)
{
    pthread_mutex_lock(&vm->lock);
    while (vm->typed.len && vm->console_in >= 0) {
        ssize_t done = write(vm->console_in, vm->typed.at, vm->typed.len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0 && errno != EAGAIN)
            close_fd(&vm->console_in);
        if (done <= 0)
            break;
        memmove(vm->typed.at, vm->typed.at + done, vm->typed.len - (size_t)done);
        str_cut(&vm->typed, vm->typed.len - (size_t)done);
    }
    pthread_mutex_unlock(&vm->lock);
}

/* Where the addresses of a crash are, in the tree: told as if the guest had said so, behind what it
 * said. */
static void tell_crash(struct vm *vm, bool at_end)
{
    bool quiet = at_end || clock_ns() >= vm->last_byte_ns + QUIET_MS * 1000000ull;
    struct str lines = {0};
    if (!crash_waits(vm->crash, quiet))
        return;
    crash_resolve(vm->crash, &lines);
    flush_console(vm, at_end);
    if (lines.len) {
        char *text = mem_format("\n[gantry] where that is:\n%s", str_text(&lines));
        tell(vm, &(struct event){.kind = EVENT_VM_OUTPUT, .text = text});
        free(text);
    }
    vm->crashed = true;
    str_free(&lines);
}

/* ---- running and judging ---- */

/* Ends QEMU, politely first. The first reason is the verdict. */
static void end_guest(struct vm *vm, enum verdict verdict)
{
    if (vm->verdict != VERDICT_NONE)
        return;
    vm->verdict = verdict;
    vm->kill_ns = clock_ns() + GRACE_MS * 1000000ull;
    kill(vm->pid, SIGTERM);
}

/* Milliseconds until something is due, -1 for never. */
static int next_due_ms(const struct vm *vm, uint64_t deadline_ns)
{
    uint64_t due = UINT64_MAX;
    if (vm->text.len)
        due = vm->last_flush_ns + FLUSH_MS * 1000000ull;
    if (vm->kill_ns && vm->kill_ns < due)
        due = vm->kill_ns;
    uint64_t quiet = vm->last_byte_ns + QUIET_MS * 1000000ull;
    if (crash_waits(vm->crash, true) && quiet < due)
        due = quiet;
    if (deadline_ns && vm->verdict == VERDICT_NONE && deadline_ns < due)
        due = deadline_ns;
    uint64_t now = clock_ns();
    if (due == UINT64_MAX)
        return -1;
    return due <= now ? 0 : (int)((due - now) / 1000000) + 1;
}

static void do_what_is_due(struct vm *vm, uint64_t deadline_ns)
{
    pthread_mutex_lock(&vm->lock);
    bool stopping = vm->stopping;
    pthread_mutex_unlock(&vm->lock);
    uint64_t now = clock_ns();
    if (vm->text.len && now >= vm->last_flush_ns + FLUSH_MS * 1000000ull)
        flush_console(vm, false);
    if (vm->matched)
        end_guest(vm, VERDICT_OK);
    if (vm->crashed && vm->spec.crash_ends)
        end_guest(vm, VERDICT_FAILED);
    if (stopping)
        end_guest(vm, VERDICT_STOPPED);
    if (deadline_ns && now >= deadline_ns)
        end_guest(vm, VERDICT_TIMEOUT);
    if (vm->kill_ns && now >= vm->kill_ns)
        kill(vm->pid, SIGKILL);
}

/* Carries bytes until QEMU has ended and all that it said was read. */
static void pump(struct vm *vm)
{
    uint64_t deadline_ns =
        vm->spec.timeout_s ? vm->start_ns + vm->spec.timeout_s * 1000000000ull : 0;
    bool ended = false;
    while (!ended) {
        pthread_mutex_lock(&vm->lock);
        short wants_in = vm->typed.len ? POLLOUT : 0;
        pthread_mutex_unlock(&vm->lock);
        struct pollfd fds[] = {
            {vm->console_out, POLLIN, 0},
            {vm->complaints_fd, POLLIN, 0},
            {vm->wake, POLLIN, 0},
            {vm->pidfd, POLLIN, 0},
            {wants_in ? vm->console_in : -1, wants_in, 0},
        };
        poll(fds, sizeof fds / sizeof *fds, next_due_ms(vm, deadline_ns));
        uint64_t count;
        if (fds[2].revents)
            (void)!read(vm->wake, &count, sizeof count);
        ended = fds[3].revents != 0;
        read_pipe(vm, &vm->console_out, take_console);
        read_pipe(vm, &vm->complaints_fd, take_complaint);
        write_typed(vm);
        tell_crash(vm, false);
        do_what_is_due(vm, deadline_ns);
    }
    flush_console(vm, true);
    tell_crash(vm, true);
}

/* The last line of what QEMU said on standard error, for a sentence; NULL where it said nothing. */
static char *last_complaint(struct vm *vm)
{
    while (vm->complaints.len && vm->complaints.at[vm->complaints.len - 1] == '\n')
        str_cut(&vm->complaints, vm->complaints.len - 1);
    if (!vm->complaints.len)
        return NULL;
    const char *newline = strrchr(vm->complaints.at, '\n');
    return mem_copy(newline ? newline + 1 : vm->complaints.at);
}

/* The verdict of a run that ended by itself or was ended, and the sentence for a bad one. */
static void judge(struct vm *vm, int status)
{
    const char *program = path_base(vm->spec.argv.at[0]);
    vm->exit = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (vm->verdict == VERDICT_NONE) {
        bool crashed = vm->crashed && vm->spec.crash_ends;
        bool ran = vm->expect ? vm->matched : !words_complaint(vm->words);
        bool good = vm->exit == 0 && ran && !crashed;
        vm->verdict = good ? VERDICT_OK : VERDICT_FAILED;
    }
    const char *ran_nothing = vm->exit == 0 ? words_complaint(vm->words) : NULL;
    char *complaint = last_complaint(vm);
    char *sentence = NULL;
    if (vm->verdict == VERDICT_TIMEOUT && vm->expect)
        sentence = mem_format("%u s are over, and \"%s\" has not appeared", vm->spec.timeout_s,
                              vm->spec.expect);
    else if (vm->verdict == VERDICT_TIMEOUT)
        sentence = mem_format("%u s are over, and the guest still runs", vm->spec.timeout_s);
    else if (vm->verdict == VERDICT_FAILED && vm->crashed && vm->spec.crash_ends)
        sentence = mem_copy("the guest crashed");
    else if (vm->verdict == VERDICT_FAILED && ran_nothing)
        sentence = mem_format("the guest gave up: %s", ran_nothing);
    else if (vm->verdict == VERDICT_FAILED && complaint)
        sentence = mem_copy(complaint);
    else if (vm->verdict == VERDICT_FAILED && WIFSIGNALED(status))
        sentence = mem_format("%s was ended by signal %d", program, WTERMSIG(status));
    else if (vm->verdict == VERDICT_FAILED && vm->exit)
        sentence = mem_format("%s ended with status %d", program, vm->exit);
    else if (vm->verdict == VERDICT_FAILED)
        sentence = mem_format("the guest ended before \"%s\" appeared", vm->spec.expect);
    if (sentence)
        tell_error(vm, sentence);
    free(sentence);
    free(complaint);
}

static void *run(void *data)
{
    struct vm *vm = data;
    struct err err = {0};
    sigset_t all; /* signals are the front end's; SIGPIPE nobody's */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    vm->crash = crash_new(&vm->spec.symbols);
    if (vm_helper_start(&vm->spec, &vm->helper, &err) == 0 && spawn(vm, &err) == 0) {
        vm->start_ns = clock_ns(); /* the probe's time is not the guest's */
        tell_begin(vm);
        int status = 0;
        pump(vm);
        waitpid(vm->pid, &status, 0);
        judge(vm, status);
    } else {
        if (vm->pid > 0) {
            kill(vm->pid, SIGKILL);
            waitpid(vm->pid, NULL, 0);
        }
        vm->verdict = VERDICT_FAILED;
        tell_error(vm, err.text);
    }
    vm_helper_end(&vm->helper);
    close_fd(&vm->hold); /* before vm-end: who hears it may boot or write again */
    tell(vm, &(struct event){.kind = EVENT_VM_END,
                             .verdict = verdict_names[vm->verdict],
                             .exit = vm->exit,
                             .wall_ns = clock_ns() - vm->start_ns});
    return NULL;
}

/* ---- what the front end calls ---- */

/* Whether a program can be run: a name is looked for on PATH. */
static bool is_program(const char *name)
{
    if (strchr(name, '/'))
        return access(name, X_OK) == 0;
    const char *path = getenv("PATH");
    while (path && *path) {
        size_t length = strcspn(path, ":");
        char *file = mem_format("%.*s/%s", (int)length, path, name);
        bool found = length && access(file, X_OK) == 0;
        free(file);
        if (found)
            return true;
        path += length + (path[length] == ':');
    }
    return false;
}

static void free_vm(struct vm *vm)
{
    close_fd(&vm->hold);
    close_fd(&vm->wake);
    close_fd(&vm->pidfd);
    close_fd(&vm->console_in);
    close_fd(&vm->console_out);
    close_fd(&vm->complaints_fd);
    pthread_mutex_destroy(&vm->lock);
    str_free(&vm->typed);
    str_free(&vm->text);
    str_free(&vm->seen);
    str_free(&vm->complaints);
    re_free(vm->expect);
    words_free(vm->words);
    crash_free(vm->crash);
    vm_spec_free(&vm->spec);
    free(vm);
}

struct vm *vm_start_spec(struct vm_spec *spec, struct queue *events, struct err *err)
{
    struct vm *vm = mem_zero(1, sizeof *vm);
    vm->spec = *spec;
    *spec = (struct vm_spec){0};
    vm->events = events;
    vm->start_ns = clock_ns();
    vm->hold = vm->wake = vm->pidfd = -1;
    vm->console_in = vm->console_out = vm->complaints_fd = -1;
    pthread_mutex_init(&vm->lock, NULL);
    if (!is_program(vm->spec.argv.at[0])) {
        exec_error(vm, ENOENT, err);
        goto fail;
    }
    if (vm->spec.expect && !(vm->expect = re_compile(vm->spec.expect, RE_DEFAULT, err)))
        goto fail;
    if (!(vm->words = words_new(&vm->spec.texts, err)))
        goto fail;
    if (vm->spec.image && (vm->hold = vm_hold(vm->spec.image, err)) < 0)
        goto fail;
    vm->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (vm->wake < 0) {
        err_errno(err, "cannot boot");
        goto fail;
    }
    int error = pthread_create(&vm->thread, NULL, run, vm);
    if (!error)
        return vm;
    errno = error;
    err_errno(err, "cannot start a thread");
fail:
    free_vm(vm);
    return NULL;
}

static void wake(struct vm *vm)
{
    (void)!write(vm->wake, &(uint64_t){1}, sizeof(uint64_t));
}

void vm_type(struct vm *vm, const char *bytes, size_t length)
{
    pthread_mutex_lock(&vm->lock);
    str_add_n(&vm->typed, bytes, length);
    pthread_mutex_unlock(&vm->lock);
    wake(vm);
}

void vm_stop(struct vm *vm)
{
    pthread_mutex_lock(&vm->lock);
    vm->stopping = true;
    pthread_mutex_unlock(&vm->lock);
    wake(vm);
}

int vm_finish(struct vm *vm)
{
    pthread_join(vm->thread, NULL);
    int status = vm->verdict == VERDICT_OK ? 0 : 1;
    free_vm(vm);
    return status;
}

/*
 * A run: output, typing, verdicts, ends. Shell scripts stand in for QEMU; one real QEMU boots a
 * sector that is written here, byte by byte.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "journal/event.h"
#include "vm/spec.h"
#include "vm/vm.h"

/* A directory of the test's own, and what one run told. */
struct fixture {
    char dir[64];
    struct queue *events;
    struct str console, messages;
    char verdict[16];
    char *argv, *arguments;
    int outputs;
};

static int set_up(void **state)
{
    struct fixture *f = mem_zero(1, sizeof *f);
    strcpy(f->dir, "/tmp/gantry-vm-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    setenv("XDG_CACHE_HOME", f->dir, 1);
    f->events = queue_new();
    *state = f;
    return 0;
}

static void forget(struct fixture *f)
{
    str_free(&f->console);
    str_free(&f->messages);
    free(f->argv);
    free(f->arguments);
    f->argv = f->arguments = NULL;
    f->verdict[0] = '\0';
    f->outputs = 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    forget(f);
    queue_free(f->events, free);
    file_remove_tree(f->dir, NULL);
    free(f);
    return 0;
}

/* A spec that runs a shell script in QEMU's place. */
static struct vm_spec script(const char *text)
{
    struct vm_spec spec = {0};
    vec_push(&spec.argv, mem_copy("/bin/sh"));
    vec_push(&spec.argv, mem_copy("-c"));
    vec_push(&spec.argv, mem_copy(text));
    return spec;
}

/* Takes one event in; true for the last one of a run. */
static bool note(struct fixture *f, struct event *event)
{
    bool last = event->kind == EVENT_VM_END;
    if (event->kind == EVENT_VM_BEGIN) {
        f->argv = mem_copy(event->argv);
        f->arguments = event->text ? mem_copy(event->text) : NULL;
    } else if (event->kind == EVENT_VM_OUTPUT) {
        str_add(&f->console, event->text);
        f->outputs++;
    } else if (event->kind == EVENT_MESSAGE) {
        str_add(&f->messages, event->text);
    } else if (last) {
        snprintf(f->verdict, sizeof f->verdict, "%s", event->verdict);
    }
    free(event);
    return last;
}

/* Waits until the console shows `text`, or the run ends. */
static void wait_for(struct fixture *f, const char *text)
{
    while (!strstr(str_text(&f->console), text))
        if (note(f, queue_wait(f->events, -1)))
            fail_msg("the run ended before '%s' came", text);
}

static int finish(struct fixture *f, struct vm *vm)
{
    while (!note(f, queue_wait(f->events, -1)))
        ;
    return vm_finish(vm);
}

static struct vm *start(struct fixture *f, struct vm_spec spec)
{
    struct err err = {0};
    forget(f);
    struct vm *vm = vm_start_spec(&spec, f->events, &err);
    if (!vm)
        fail_msg("%s", err.text);
    return vm;
}

static void a_clean_end_is_good_and_a_status_is_not(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(finish(f, start(f, script("echo booted"))), 0);
    assert_string_equal(str_text(&f->console), "booted\n");
    assert_string_equal(f->verdict, "ok");
    assert_string_equal(f->argv, "/bin/sh -c 'echo booted'");

    assert_int_equal(finish(f, start(f, script("echo some >&2; echo no machine >&2; exit 3"))), 1);
    assert_string_equal(f->verdict, "failed");
    assert_string_equal(str_text(&f->messages), "no machine");

    assert_int_equal(finish(f, start(f, script("exit 3"))), 1);
    assert_string_equal(str_text(&f->messages), "sh ended with status 3");

    assert_int_equal(finish(f, start(f, script("kill -9 $$"))), 1);
    assert_string_equal(str_text(&f->messages), "sh was ended by signal 9");
}

static void expected_text_ends_the_run_wherever_it_is_cut(void **state)
{
    struct fixture *f = *state;
    struct vm_spec spec = script("printf 'uu'; sleep 0.1; printf 'sh>\\r\\n'; exec sleep 1000");
    spec.expect = mem_copy("uush>\\n");
    assert_int_equal(finish(f, start(f, spec)), 0);
    assert_string_equal(f->verdict, "ok");
    assert_string_equal(str_text(&f->console), "uush>\r\n");

    spec = script("echo something else");
    spec.expect = mem_copy("uush>");
    assert_int_equal(finish(f, start(f, spec)), 1);
    assert_string_equal(f->verdict, "failed");
    assert_string_equal(str_text(&f->messages), "the guest ended before \"uush>\" appeared");

    /* Behind more text than is kept. */
    spec = script("yes filling | head -c 300000; printf needle; exec sleep 1000");
    spec.expect = mem_copy("needle");
    assert_int_equal(finish(f, start(f, spec)), 0);
}

static void a_guest_that_never_ends_is_ended(void **state)
{
    struct fixture *f = *state;
    struct vm_spec spec = script("echo up; exec sleep 1000");
    spec.timeout_s = 1;
    assert_int_equal(finish(f, start(f, spec)), 1);
    assert_string_equal(f->verdict, "timeout");
    assert_string_equal(str_text(&f->messages), "1 s are over, and the guest still runs");

    struct vm *vm = start(f, script("echo $$; exec sleep 1000"));
    wait_for(f, "\n");
    pid_t pid = (pid_t)atol(f->console.at);
    vm_stop(vm);
    assert_int_equal(finish(f, vm), 1);
    assert_string_equal(f->verdict, "stopped");
    assert_int_equal(kill(pid, 0), -1);

    /* One that does not listen to SIGTERM. */
    vm = start(f, script("trap '' TERM; echo up; while :; do sleep 1; done"));
    wait_for(f, "up");
    vm_stop(vm);
    assert_int_equal(finish(f, vm), 1);
    assert_string_equal(f->verdict, "stopped");
}

/* A kernel of this machine's own: the test itself has the symbols. */
static void a_crash_ends_the_guest_where_that_is_wanted(void **state)
{
    struct fixture *f = *state;
    struct vm_spec spec =
        script("printf '\\n[backtrace]\\n0x0000000000401000 <x+1>\\n\\n'; exec sleep 1000");
    spec.symbols.addr2line = mem_copy("/bin/true");
    spec.symbols.kernel = mem_copy("/proc/self/exe");
    spec.crash_ends = true;
    assert_int_equal(finish(f, start(f, spec)), 1);
    assert_string_equal(f->verdict, "failed");
    assert_string_equal(str_text(&f->messages), "the guest crashed");

    spec = script("printf '\\n[backtrace]\\n0x0000000000401000 <x+1>\\n\\n'");
    spec.symbols.addr2line = mem_copy("/bin/true");
    spec.symbols.kernel = mem_copy("/proc/self/exe");
    assert_int_equal(finish(f, start(f, spec)), 0);
}

static void typing_reaches_the_guest(void **state)
{
    struct fixture *f = *state;
    struct vm *vm = start(f, script("while read -r line; do echo \"got $line\"; "
                                    "[ \"$line\" = bye ] && exit 0; done"));
    vm_type(vm, "hello\n", 6);
    wait_for(f, "got hello");
    vm_type(vm, "by", 2);
    vm_type(vm, "e\n", 2);
    assert_int_equal(finish(f, vm), 0);
    assert_non_null(strstr(str_text(&f->console), "got bye"));

    /* Nobody reads, and then nobody is there: typing must neither block nor kill us. */
    vm = start(f, script("exec <&-; echo closed; sleep 0.2"));
    wait_for(f, "closed");
    char *much = mem_alloc(1 << 20);
    memset(much, 'x', 1 << 20);
    vm_type(vm, much, 1 << 20);
    free(much);
    assert_int_equal(finish(f, vm), 0);
}

static void text_keeps_its_characters_whole_and_loses_its_nuls(void **state)
{
    struct fixture *f = *state;
    /* "é" cut between its bytes, for longer than a flush; then a lead byte that nothing follows. */
    struct vm *vm = start(f, script("printf 'caf\\303'; sleep 0.2; printf '\\251\\000!\\303'"));
    wait_for(f, "caf");
    assert_string_equal(f->console.at, "caf");
    finish(f, vm);
    assert_string_equal(f->console.at, "caf\303\251!\303");
}

static void a_flood_is_told_in_few_events(void **state)
{
    struct fixture *f = *state;
    uint64_t start_ns = clock_ns();
    finish(f, start(f, script("yes 0123456789 | head -c 1000000")));
    uint64_t thirtieths = (clock_ns() - start_ns) * 30 / 1000000000 + 1;
    assert_int_equal(f->console.len, 1000000);
    assert_true(f->outputs <= (int)thirtieths + 1000000 / 65536 + 1);
}

static void an_image_runs_once_at_a_time(void **state)
{
    struct fixture *f = *state;
    char *image = mem_format("%s/usr.img", f->dir);
    assert_int_equal(file_write(image, "image", 5, 0600, NULL), 0);
    pid_t holder;
    assert_false(vm_image_held(image, &holder));

    struct vm_spec spec = script("echo up; read -r line");
    spec.image = mem_copy(image);
    spec.arguments = mem_copy("--rootfs=rofs");
    struct vm *vm = start(f, spec);
    wait_for(f, "up");
    assert_string_equal(f->arguments, "--rootfs=rofs");
    assert_true(vm_image_held(image, &holder));
    assert_true(holder == getpid() || holder == 0);

    spec = script("echo never");
    spec.image = mem_copy(image);
    struct err err = {0};
    assert_null(vm_start_spec(&spec, f->events, &err));
    assert_non_null(strstr(err.text, "usr.img is running already"));
    assert_int_equal(err_exit_status(&err), 2);

    vm_type(vm, "\n", 1);
    finish(f, vm);
    assert_false(vm_image_held(image, &holder));
    free(image);
}

static void what_cannot_start_says_why(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct vm_spec spec = {.package = mem_copy("qemu-system-z80")};
    vec_push(&spec.argv, mem_copy("qemu-system-z80"));
    assert_null(vm_start_spec(&spec, f->events, &err));
    assert_string_equal(err.text,
                        "qemu-system-z80 is not installed: apt-get install qemu-system-z80");

    spec = script("echo");
    spec.expect = mem_copy("(");
    assert_null(vm_start_spec(&spec, f->events, &err));
    assert_int_equal(err_exit_status(&err), 2);

    /* Found on PATH, yet not to be executed. */
    char *path = mem_format("%s/qemu", f->dir);
    assert_int_equal(file_write(path, "#!/no/such/interpreter\n", 23, 0700, NULL), 0);
    spec = (struct vm_spec){0};
    vec_push(&spec.argv, path);
    assert_int_equal(finish(f, start(f, spec)), 1);
    assert_non_null(strstr(str_text(&f->messages), "cannot run"));
}

static void the_guest_dies_with_its_console(void **state)
{
    (void)state;
    int gone[2];
    assert_int_equal(pipe2(gone, O_CLOEXEC), 0);
    pid_t front = fork();
    if (front == 0) {
        /* The guest holds the pipe's other end by its inherited descriptor 9. */
        dup2(gone[1], 9);
        struct queue *events = queue_new();
        struct vm_spec spec = script("echo up; exec sleep 1000");
        struct vm *vm = vm_start_spec(&spec, events, NULL);
        struct event *event;
        do
            event = queue_wait(events, -1);
        while (vm && event->kind != EVENT_VM_OUTPUT);
        _exit(0);
    }
    close(gone[1]);
    assert_int_equal(waitpid(front, NULL, 0), front);
    char byte;
    assert_int_equal(read(gone[0], &byte, 1), 0); /* the end: nobody holds it any more */
    close(gone[0]);
}

/* 16-bit code: writes "OK\n" to COM1, resets by the keyboard controller. */
static const unsigned char x86_sector[] = {0xba, 0xf8, 0x03, 0xb0, 'O',  0xee, 0xb0,
                                           'K',  0xee, 0xb0, '\n', 0xee, 0xb0, 0xfe,
                                           0xe6, 0x64, 0xf4, 0xeb, 0xfd};

static void a_real_qemu_boots_a_sector(void **state)
{
    struct fixture *f = *state;
    char *image = mem_format("%s/disk.img", f->dir);
    unsigned char sector[512] = {0};
    memcpy(sector, x86_sector, sizeof x86_sector);
    sector[510] = 0x55, sector[511] = 0xaa;
    assert_int_equal(file_write(image, sector, sizeof sector, 0600, NULL), 0);

    static const char *const words[] = {
        "qemu-system-x86_64", "-machine", "pc",      "-m",        "16",       "-nodefaults",
        "-display",           "none",     "-serial", "stdio",     "-monitor", "none",
        "-no-reboot",         "-accel",   "tcg",     "-snapshot", "-drive"};
    struct vm_spec spec = {.image = image};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        vec_push(&spec.argv, mem_copy(words[i]));
    vec_push(&spec.argv, vm_word("file=%(disk),format=%(format),if=ide", image, "raw"));
    spec.timeout_s = 60;
    assert_int_equal(finish(f, start(f, spec)), 0);
    assert_string_equal(str_text(&f->console), "OK\n");
    assert_string_equal(f->verdict, "ok");
}

static void placeholders_are_replaced_as_qemu_reads_them(void **state)
{
    (void)state;
    static const char *const wanted[][2] = {
        {"file=%(disk),format=%(format)", "file=/a,,b.img,format=qcow2"},
        {"%(disk)", "/a,b.img"},
        {"%(other)", "%(other)"},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        char *word = vm_word(wanted[i][0], "/a,b.img", "qcow2");
        assert_string_equal(word, wanted[i][1]);
        free(word);
    }
}

/* Whatever this machine's KVM does, the probe ends, its answer is kept, and the kept one is used. */
static void the_probe_asks_once(void **state)
{
    struct fixture *f = *state;
    if (access("/dev/kvm", R_OK | W_OK) < 0)
        skip();
    char *count = mem_format("%s/count", f->dir);
    char *program = mem_format("%s/qemu", f->dir);
    char *text = mem_format("#!/bin/sh\necho x >>%s\ncat \"$2\"\n", count);
    assert_int_equal(file_write(program, text, strlen(text), 0700, NULL), 0);
    struct vm_probe probe = {0};
    vec_push(&probe.argv, program);
    vec_push(&probe.argv, mem_copy("-kernel"));
    vec_push(&probe.argv, mem_copy("%(disk)"));
    str_add(&probe.guest, "it is OK\n");
    assert_true(vm_kvm_works(&probe));
    assert_true(vm_kvm_works(&probe));
    size_t length;
    char *runs = file_read(count, &length, NULL);
    assert_int_equal(length, 2);
    free(runs);

    /* Other arguments are another question. */
    vec_push(&probe.argv, mem_copy("-cpu"));
    str_cut(&probe.guest, 0);
    str_add(&probe.guest, "internal error\n");
    assert_false(vm_kvm_works(&probe));
    str_list_free(&probe.argv);
    str_free(&probe.guest);
    free(text);
    free(count);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_clean_end_is_good_and_a_status_is_not),
        T(expected_text_ends_the_run_wherever_it_is_cut),
        T(a_guest_that_never_ends_is_ended),
        T(a_crash_ends_the_guest_where_that_is_wanted),
        T(typing_reaches_the_guest),
        T(text_keeps_its_characters_whole_and_loses_its_nuls),
        T(a_flood_is_told_in_few_events),
        T(an_image_runs_once_at_a_time),
        T(what_cannot_start_says_why),
        T(the_guest_dies_with_its_console),
        T(a_real_qemu_boots_a_sector),
        T(placeholders_are_replaced_as_qemu_reads_them),
        T(the_probe_asks_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

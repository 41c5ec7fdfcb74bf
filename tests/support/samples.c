#include "tests/support/samples.h"

#include <stdio.h>

#include "tests/support/build_events.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct target_arch archs[] = {
    {.name = "aarch64"},
    {.name = "riscv64",
     .problem = "riscv64-linux-gnu-gcc is not on PATH; install it (apt-get install "
                "gcc-riscv64-linux-gnu) or say CROSS_PREFIX=...",
     .missing = "riscv64-linux-gnu-gcc, riscv64-linux-gnu-ld, qemu-system-riscv64 (to boot)",
     .install = "apt-get install gcc-riscv64-linux-gnu qemu-system-misc"},
    {.name = "x64"},
};
static const char *const modes[] = {"debug", "release"};
static const struct target_image images[] = {
    {"default", "the shell, tools, tests, a jar and data files on a ROFS disk"},
    {"uush", "only the shell, from RAM; needs no block device"},
};
static const struct target_cell cells[3 * 2 * 2] = {
    [3] = {true, "07:50", 112000, NULL},
    [8] = {true, "Nov 21", 3250000, NULL},
    [10] = {true, "08:14", 3250000, NULL},
};
static const struct target_fact facts[] = {
    {"machine", "x86_64 Linux, 2 processors", NULL},
    {"arch", "x64", NULL},
    {"prefix", "none", NULL},
    {"HOST_CC", "cc 12.2.0", NULL},
    {"CC", "gcc 12.2.0", NULL},
    {"CXX", "g++ 12.2.0", NULL},
    {"LD", "ld", NULL},
    {"STRIP", "strip", NULL},
    {"OBJCOPY", "objcopy", NULL},
    {"qemu", "qemu-system-x86_64", "conf/x64.mk:17"},
};
static const struct target_option options[] = {
    {"cflags", "-std=gnu17 -ffreestanding -fno-builtin-printf -fno-stack-protector",
     "conf/base.mk:22", NULL, false, false},
    {"conf-DEBUG_BUILD", "0", "conf/base.mk:14", NULL, true, false},
    {"conf-opt", "-O0", "screen", "-O2 -DNDEBUG", false, true},
    {"conf-preempt", "1", "conf/base.mk:6", NULL, true, false},
    {"fs", "rofs", "conf/base.mk:33", NULL, false, false},
    {"img_format", "raw", "conf/base.mk:29", NULL, false, false},
};
static const struct target_profile profiles[] = {
    {"arm", "arch=aarch64 mode=release image=uush", false},
    {"daily", "arch=x64 mode=release image=default conf-opt=-O0", true},
};
static struct target_stale stale[] = {
    {(char[]){"build/debug.x64/core/sched.o"}, (char[]){"cc"}, (char[]){"header"},
     (char[]){"include/osv/sched.hh"}},
    {(char[]){"build/debug.x64/loader.elf"}, (char[]){"link"}, (char[]){"input"},
     (char[]){"build/debug.x64/core/sched.o"}},
    {(char[]){"build/debug.x64/libc.a"}, (char[]){"archive"}, (char[]){"command"}, (char[]){""}},
};
static const struct target_data targets = {
    .stale = stale,
    .stale_count = COUNT(stale),
    .profiles = profiles,
    .profiles_count = COUNT(profiles),
    .archs = archs,
    .modes = modes,
    .images = images,
    .cells = cells,
    .facts = facts,
    .options = options,
    .archs_count = COUNT(archs),
    .modes_count = COUNT(modes),
    .images_count = COUNT(images),
    .facts_count = COUNT(facts),
    .options_count = COUNT(options),
    .would = "214 of 1215 steps: 180 command or options changed, 34 for include/osv/sched.hh",
};

/* A tree of OSv: lists of modules, of which one is composed, and its file system. */
static const struct target_image osv_images[] = {{.name = "cli,httpserver"},
                                                 {.name = "native-example"}};
static const struct target_cell osv_cells[2 * 2 * 2] = {
    [3] = {true, "07:50", 1120000, "rofs_with_zfs"},
    [6] = {true, "08:14", 7250000, "zfs"},
};
static const struct target_arch osv_archs[] = {
    {.name = "aarch64"},
    {.name = "x64",
     .missing = "bison, header boost/version.hpp, ./musl/include",
     .install = "apt-get install bison libboost-dev && git submodule update --init --recursive"}};
static const struct target_option osv_options[] = {
    {"conf_drivers_profile", "all", "build/release.x64/gen/config/kernel_conf.mk:23", NULL, false,
     false},
    {"conf_preempt", "1", "conf/base.mk:1", NULL, true, false},
    {"fs", "zfs", "screen", "rofs", false, true},
    {"fs_size_mb", "512", "stock conf/osv/head.mk:6", NULL, false, false},
    {"image", "cli,httpserver", "command line", NULL, false, false},
};
static const struct target_data osv_targets = {
    .archs = osv_archs,
    .modes = modes,
    .images = osv_images,
    .cells = osv_cells,
    .facts = facts,
    .options = osv_options,
    .archs_count = COUNT(osv_archs),
    .modes_count = COUNT(modes),
    .images_count = COUNT(osv_images),
    .facts_count = COUNT(facts),
    .options_count = COUNT(osv_options),
    .free_image = true,
};

void sample_osv_tree(struct test_screen *screen)
{
    struct app_state *state = &test_screen_app(screen)->state;
    state->tree = APP_TREE_OSV;
    test_screen_data(screen, &osv_targets, NULL);
    state->arch = "x64";
    state->mode = "release";
    state->image = "cli,httpserver";
}

void sample_targets(struct test_screen *screen)
{
    test_screen_data(screen, &targets, NULL);
}

/* ---- compose ---- */

static const struct compose_row bootfs_rows[] = {
    {.id = 11,
     .guest = "/etc/fstab",
     .wanted = "->/boot/etc/mounts",
     .from = "bootfs.manifest.skel:5",
     .file = "manifests/bootfs.manifest.skel",
     .line = 5,
     .is_link = true},
    {.id = 12,
     .guest = "/etc/motd",
     .wanted = "data/bootfs/motd",
     .from = "bootfs.manifest.skel:4",
     .file = "manifests/bootfs.manifest.skel",
     .line = 4,
     .size_bytes = 76},
};
static const struct compose_row usr_rows[] = {
    {.id = 21,
     .guest = "/bin/sh",
     .wanted = "->/tools/uush.so",
     .from = "uush.manifest.skel:4",
     .file = "manifests/uush.manifest.skel",
     .line = 4,
     .is_link = true},
    {.id = 22,
     .guest = "/data/hello.txt",
     .wanted = "hello.txt",
     .from = "usr.manifest.skel:5",
     .file = "manifests/usr.manifest.skel",
     .line = 5,
     .size_bytes = 12,
     .stage = ROW_ADDED},
    {.id = 23,
     .guest = "/data/noise.bin",
     .wanted = "gen/data/noise.bin",
     .from = "data/usr.manifest:2",
     .file = "data/usr.manifest",
     .line = 2,
     .unbuilt = true},
    {.id = 24,
     .guest = "/data/poem.txt",
     .wanted = "data/poem.txt",
     .from = "data/usr.manifest:1",
     .file = "data/usr.manifest",
     .line = 1,
     .size_bytes = 110,
     .stage = ROW_REMOVED},
    {.id = 25,
     .guest = "/etc/app.conf",
     .wanted = "../conf/app.conf",
     .from = "usr.manifest.skel:7",
     .file = "manifests/usr.manifest.skel",
     .line = 7,
     .missing = true},
    {.id = 26,
     .guest = "/etc/motd",
     .wanted = "data/old/motd",
     .from = "usr.manifest.skel:2",
     .file = "manifests/usr.manifest.skel",
     .line = 2,
     .size_bytes = 70,
     .duplicate = true},
    {.id = 27,
     .guest = "/etc/motd",
     .wanted = "data/disk/motd",
     .from = "usr.manifest.skel:3",
     .file = "manifests/usr.manifest.skel",
     .line = 3,
     .size_bytes = 76,
     .stage = ROW_CHANGED},
    {.id = 28,
     .guest = "/usr/lib/java/classes/com/example/deeply/nested/Thing.class",
     .wanted = "build/java/**",
     .from = "java-base/usr.manifest:12",
     .file = "java-base/usr.manifest",
     .line = 12,
     .size_bytes = 3250000},
};
static const struct compose_tab tabs[] = {
    {.name = "bootfs", .rows = bootfs_rows, .rows_count = COUNT(bootfs_rows), .size_bytes = 76},
    {.name = "usr",
     .rows = usr_rows,
     .rows_count = COUNT(usr_rows),
     .missing_count = 1,
     .staged_count = 3,
     .size_bytes = 3250274,
     .change_bytes = -98},
};
static const char *const past[] = {"--rootfs=rofs /tools/uush.so", "--verbose /tools/hello.so"};
static const struct compose_part parts[] = {
    {"boot sector", 512}, {"command line", 48}, {"loader", 21700}, {"partition 2", 3300000}};
static const struct compose_note next[] = {
    {'+', "/data/hello.txt"},  {'-', "/data/poem.txt"}, {'~', "/etc/motd"},
    {'n', "1 missing in usr"}, {'~', "boot arguments"},
};
static const struct compose_limit limits[] = {
    {"kernel", 6710000, 23068672, true},
    {"names in bootfs", 10, 110, false},
    {"arguments", 49, 1023, false},
};
static const struct compose_big largest[] = {
    {"/usr/lib/java/classes/com/example/deeply/nested/Thing.class", 3250000},
    {"/data/noise.bin", 65536},
    {"/etc/motd", 76},
    {"/data/hello.txt", 12},
};
static const struct compose_data composition = {
    .tabs = tabs,
    .tabs_count = COUNT(tabs),
    .args_next = "--rootfs=zfs --verbose /tools/uush.so hello world",
    .args_image = "--rootfs=rofs /tools/uush.so -c \"cat /etc/motd\"",
    .args_staged = true,
    .args_max = 1023,
    .args_past = past,
    .args_past_count = COUNT(past),
    .image_path = "build/release.x64/images/default/usr.img",
    .image_format = "qcow2",
    .image_when = "08:14",
    .image_bytes = 18900000,
    .parts = parts,
    .parts_count = COUNT(parts),
    .next = next,
    .next_count = COUNT(next),
    .limits = limits,
    .limits_count = COUNT(limits),
    .largest = largest,
    .largest_count = COUNT(largest),
    .held = "pid 4711",
    .staged_count = 4,
    .can_undo = true,
};
static struct compose_data free_image;

/* A manifest of many directories: two large ones, one of them with a file that is missing. */
enum { LONG_ROWS = 60 };
static struct compose_row long_rows[LONG_ROWS];
static char long_names[LONG_ROWS][2][48];
static struct compose_tab long_tab = {.name = "usr", .rows = long_rows, .rows_count = LONG_ROWS};
static struct compose_data long_composition = {
    .tabs = &long_tab,
    .tabs_count = 1,
    .args_next = "/tools/uush.so",
    .args_max = 1023,
    .image_path = "build/release.x64/usr.img",
};

static const struct compose_data uncomposed = {
    .tabs = tabs,
    .tabs_count = 1,
    .args_next = "--rootfs=ramfs /tools/uush.so",
    .args_origin = "conf/images/uush.mk:6",
    .args_max = 1023,
    .image_path = "build/release.x64/images/uush/loader.img",
};

/* More than the guest takes, and more changes than there is room for. */
static const struct compose_limit overrun[] = {
    {"kernel", 24000000, 23068672, true},
    {"names in bootfs", 131, 110, false},
    {"arguments", 1100, 1023, false},
};
static const struct compose_note many[] = {
    {'+', "/usr/share/one"},      {'+', "/usr/share/two"},
    {'~', "/etc/three"},          {'-', "/usr/lib/four.so"},
    {'~', "/usr/lib/five.so"},    {'+', "/data/six/seven/eight"},
    {'-', "/data/nine"},          {'+', "/data/ten"},
    {'~', "/tools/eleven.so"},    {'+', "/twelve"},
    {'-', "/thirteen"},           {' ', "and 142 more in usr"},
    {'n', "2 missing in bootfs"}, {'~', "boot arguments"},
};

void sample_overrun(struct test_screen *screen)
{
    static struct compose_data data;
    data = composition;
    data.limits = overrun;
    data.limits_count = COUNT(overrun);
    data.next = many;
    data.next_count = COUNT(many);
    test_screen_data(screen, NULL, &data);
}

void sample_composition(struct test_screen *screen)
{
    test_screen_data(screen, NULL, &composition);
}

void sample_free_image(struct test_screen *screen)
{
    free_image = composition;
    free_image.held = NULL;
    test_screen_data(screen, NULL, &free_image);
}

void sample_long_manifest(struct test_screen *screen)
{
    static const char *const dirs[] = {"/usr/lib", "/usr/tests", "/etc"};
    for (unsigned i = 0; i < LONG_ROWS; i++) {
        unsigned dir = i < 30 ? 0 : i < 57 ? 1 : 2;
        snprintf(long_names[i][0], sizeof long_names[i][0], "%s/file%02u.so", dirs[dir], i);
        snprintf(long_names[i][1], sizeof long_names[i][1], "build/file%02u.so", i);
        long_rows[i] = (struct compose_row){.id = 100 + i,
                                            .guest = long_names[i][0],
                                            .wanted = long_names[i][1],
                                            .from = "usr.manifest.skel:9",
                                            .file = "manifests/usr.manifest.skel",
                                            .line = 100 - i,
                                            .size_bytes = 1000 + 100 * i,
                                            .missing = i == 40};
    }
    long_tab.missing_count = 1;
    long_tab.size_bytes = 237000;
    test_screen_data(screen, NULL, &long_composition);
}

void sample_composing(struct test_screen *screen)
{
    sample_composition(screen);
    build_events_composing(screen);
}

void sample_composing_begun(struct test_screen *screen)
{
    sample_composition(screen);
    build_events_composing_begun(screen);
}

void sample_uncomposed(struct test_screen *screen)
{
    test_screen_data(screen, NULL, &uncomposed);
}

void sample_everything(struct test_screen *screen)
{
    test_screen_data(screen, &targets, &composition);
}

void sample_everything_long(struct test_screen *screen)
{
    sample_long_manifest(screen);
    test_screen_data(screen, &targets, &long_composition);
    for (unsigned i = 0; i < 100; i++) {
        char line[700];
        int length = snprintf(line, sizeof line, "src/file%u.c:%u: error: ", i, i + 1);
        for (unsigned k = 0; k < i % 60; k++)
            length += snprintf(line + length, sizeof line - (size_t)length, "wörd%u ", k);
        test_screen_log(screen, EVENT_NONE, line);
    }
}

/* ---- guests ---- */

static void vm_begin(struct test_screen *screen)
{
    app_event(test_screen_app(screen),
              &(struct event){.kind = EVENT_VM_BEGIN,
                              .argv =
                                  "qemu-system-x86_64 -machine pc -m 256 -smp 1 -no-user-config "
                                  "-nodefaults -display none -serial stdio",
                              .text = "--rootfs=rofs /tools/uush.so -c \"cat /etc/motd\""});
}

static void vm_says(struct test_screen *screen, const char *text)
{
    app_event(test_screen_app(screen), &(struct event){.kind = EVENT_VM_OUTPUT, .text = text});
}

static void vm_end(struct test_screen *screen, const char *verdict, const char *why)
{
    if (why)
        app_event(test_screen_app(screen),
                  &(struct event){.kind = EVENT_MESSAGE, .severity = SEVERITY_ERROR, .text = why});
    app_event(test_screen_app(screen),
              &(struct event){.kind = EVENT_VM_END, .verdict = verdict, .wall_ns = 2400000000});
}

static const char banner[] =
    "Gantry demo kernel 1.0, x64 release\r\nkernel base 0x200000\r\n"
    "boot arguments: --rootfs=rofs /tools/uush.so -c \"cat /etc/motd\" and a line that is longer "
    "than eighty columns are\r\nroot file system rofs on vblk0.1\r\nuush 1.0 on x64: try help\r\n";

void sample_guest_running(struct test_screen *screen)
{
    vm_begin(screen);
    vm_says(screen, banner);
    vm_says(screen, "uush> ");
    test_screen_app(screen)->state.booting = true;
}

void sample_guest_ended(struct test_screen *screen)
{
    sample_guest_running(screen);
    vm_says(screen, "exit\r\n");
    vm_end(screen, "ok", NULL);
    test_screen_app(screen)->state.booting = false;
}

void sample_guest_failed(struct test_screen *screen)
{
    sample_guest_ended(screen);
    vm_begin(screen);
    vm_says(screen, banner);
    vm_says(screen, "page fault at 0x00000000deadbeef, rip 0x0000000000201040\r\n");
    vm_end(screen, "failed", "QEMU ended with exit 1 before the guest powered off");
}

/* ---- other trees ---- */

void sample_no_tree(struct test_screen *screen)
{
    struct app_state *state = &test_screen_app(screen)->state;
    state->root = NULL;
    state->tree = APP_TREE_NONE;
    state->arch = state->mode = state->image = NULL;
    state->head = NULL;
    state->dirty = 0;
    state->tree_error = "no tree at or above /home/a: no module.mk, conf/base.mk, Makefile or "
                        "GNUmakefile; `gantry demo DIR` writes one to try";
}

void sample_make_tree(struct test_screen *screen)
{
    struct app_state *state = &test_screen_app(screen)->state;
    state->tree = APP_TREE_MAKE;
    state->command = "make all";
    state->arch = state->mode = state->image = NULL;
}

void sample_attached(struct test_screen *screen)
{
    test_screen_app(screen)->state.held_by = "attached";
}

/* The kernel from its first line of C to the program on its command line, and back to darkness. */
#include "arch.h"
#include "config.h"
#include "kernel.h"
#include "options.h"
#include "vfs.h"

/* From the linker: see kernel/loader.ld. */
extern char KERNEL_BASE[], __kernel_end[];

static void set_facts(const struct boot *boot)
{
    static char base[20];

    format_text(base, sizeof base, "%#lx", (unsigned long)KERNEL_BASE);
    fact_set("version", CONFIG_VERSION);
    fact_set("arch", CONFIG_ARCH);
    fact_set("mode", CONFIG_MODE);
    fact_set("kernel_base", base);
    fact_set("arguments", boot->arguments);
    fact_set("options", CONFIG_OPTIONS);
    console_print("Gantry demo kernel %s, %s %s\n", CONFIG_VERSION, CONFIG_ARCH, CONFIG_MODE);
    console_print("kernel base %s\n", base);
    console_print("boot arguments: %s\n", boot->arguments);
}

/* True if the root that the options ask for is there; bootfs is always readable under /boot. */
static bool mount_root(const struct boot *boot, const struct options *options)
{
    int error = bootfs_mount("/");

    fact_set("root", "bootfs");
    if (!error && options->root == ROOT_ROFS && options->mount) {
        const char *device = "";

        arch_find_devices(boot->device_tree);
        error = rofs_mount("/", &device);
        if (error) {
            console_print("kernel: no rofs root: %s\n", error == ERROR_NOT_FOUND
                                                            ? "no disk or partition holds one"
                                                            : error_text(error));
            return false;
        }
        fact_set("root", device);
        console_print("root file system rofs on %s\n", device);
    }
    if (!error)
        error = bootfs_mount("/boot");
    if (error)
        console_print("kernel: bootfs: %s\n", error_text(error));
    return !error;
}

static void run_program(const struct options *options)
{
    int status, error;

    if (options->argc == 0) {
        console_print("kernel: the command line names no program\n");
        return;
    }
    error = program_run(options->argc, options->argv, &status);
    if (error)
        console_print("kernel: %s: %s\n", options->argv[0], error_text(error));
    else
        console_print("kernel: %s ended with status %d\n", options->argv[0], status);
}

void kernel_main(const struct boot *boot)
{
    struct options options;

    set_facts(boot);
    memory_start((uintptr_t)__kernel_end, boot->memory_end);
    if (options_parse(boot->arguments, &options)) {
        log_enabled |= options.verbose;
        log_line("%lu KiB of memory are free", (unsigned long)(memory_free() / 1024));
        if (mount_root(boot, &options))
            run_program(&options);
    }
    console_print("kernel: power off\n");
    arch_power_off();
}

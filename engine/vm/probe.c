/*
 * Whether KVM works here. /dev/kvm's existence says little: nested KVM hangs, aborts or dies at
 * once on some machines. So a guest of a few instructions (conf's qemu-probe) is run, and has two
 * seconds to print its line. The answer holds until the machine boots again.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "vm/spec.h"

/* $XDG_CACHE_HOME/gantry/kvm-PROGRAM, or below ~/.cache; NULL where the user has neither. */
static char *cache_path(const char *program)
{
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    if (cache && *cache == '/')
        return mem_format("%s/gantry/kvm-%s", cache, program);
    if (home && *home == '/')
        return mem_format("%s/.cache/gantry/kvm-%s", home, program);
    return NULL;
}

/* What the answer depends on: this boot of the machine, and the arguments. False where the machine
 * has no boot id: then nothing is kept. */
static bool probe_key(const struct vm_probe *probe, struct str *key)
{
    char *boot = file_read("/proc/sys/kernel/random/boot_id", NULL, NULL);
    if (!boot)
        return false;
    str_add_n(key, boot, strcspn(boot, "\n"));
    free(boot);
    for (size_t i = 0; i < probe->argv.len; i++)
        str_addf(key, " %s", probe->argv.at[i]);
    return true;
}

/* Runs the probe's guest once, from a file in memory. */
static bool run_probe(const struct vm_probe *probe)
{
    int fd = memfd_create("gantry-probe", MFD_CLOEXEC);
    struct queue *events = queue_new();
    bool works = false;
    if (fd >= 0 && events &&
        file_pwrite(fd, "the probe", str_text(&probe->guest), probe->guest.len, 0, NULL) == 0) {
        char *disk = mem_format("/proc/%ld/fd/%d", (long)getpid(), fd);
        struct vm_spec spec = {.expect = mem_copy("OK"), .timeout_s = VM_PROBE_SECONDS};
        for (size_t i = 0; i < probe->argv.len; i++)
            vec_push(&spec.argv, vm_word(probe->argv.at[i], disk, "raw"));
        struct vm *vm = vm_start_spec(&spec, events, NULL);
        works = vm && vm_finish(vm) == 0;
        free(disk);
    }
    if (events)
        queue_free(events, free);
    if (fd >= 0)
        close(fd);
    return works;
}

bool vm_kvm_works(const struct vm_probe *probe)
{
    if (access("/dev/kvm", R_OK | W_OK) < 0)
        return false;
    struct str key = {0};
    char *path = probe_key(probe, &key) ? cache_path(path_base(probe->argv.at[0])) : NULL;
    char *kept = path ? file_read(path, NULL, NULL) : NULL;
    bool works;
    if (kept && key.len && strncmp(kept, key.at, key.len) == 0 && kept[key.len] == '\n') {
        works = strcmp(kept + key.len, "\nworks\n") == 0;
    } else {
        works = run_probe(probe);
        str_add(&key, works ? "\nworks\n" : "\nfails\n");
        /* A cache that cannot be written costs the next run two seconds, no more. */
        if (path && file_make_parents(path, NULL) == 0)
            (void)file_write(path, key.at, key.len, 0666, NULL);
    }
    free(kept);
    free(path);
    str_free(&key);
    return works;
}

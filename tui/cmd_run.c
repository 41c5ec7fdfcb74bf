/* `gantry run` builds what is stale, composes and boots. Of a tree of OSv it takes what scripts/run.py
 * takes, by the same letters where it has them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/vec.h"
#include "osv/osv.h"
#include "tui/commands.h"
#include "tui/native.h"
#include "tui/own_words.h"
#include "tui/stream.h"

struct run_words {
    struct vm_options vm;
    VEC(const char *) forwards, disks; /* NULL-ended when all words are read */
    struct str before; /* what --prepend says, in its order */
    const char *execute; /* NULL: what the image has */
    bool as_is, verbose;
};

/* A count from `least` to `most`, from an option's value. */
static int read_number(const char *option, const char *value, unsigned least, unsigned most,
                       unsigned *number, struct err *err)
{
    char *end;
    unsigned long n = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end || n < least || n > most)
        return err_set(err, ERR_INPUT, "%s=%s: a number from %u to %u is wanted", option, value,
                       least, most);
    *number = (unsigned)n;
    return 0;
}

/* "512", "512M", "2G": MiB. */
static int read_memory(const char *option, const char *value, unsigned *mib, struct err *err)
{
    char *end;
    unsigned long n = strtoul(value, &end, 10);
    if (*end == 'G' && n <= 1 << 14)
        n *= 1024;
    if (value[0] < '0' || value[0] > '9' || n < 1 || n > 1 << 24 ||
        (*end && (!strchr("MG", *end) || end[1])))
        return err_set(err, ERR_INPUT,
                       "%s=%s: a number from 1 to 16777216 is wanted, in MiB, or with M or G",
                       option, value);
    *mib = (unsigned)n;
    return 0;
}

static bool take_flag(struct run_words *run, const char *word)
{
    const struct {
        const char *name, *letter;
        bool *flag;
    } flags[] = {{"--tcg", "", &run->vm.tcg},
                 {"--as-is", "", &run->as_is},
                 {"--verbose", "-V", &run->verbose},
                 {"--kernel", "", &run->vm.by_kernel},
                 {"--wait", "-w", &run->vm.wait}};
    for (unsigned i = 0; i < sizeof flags / sizeof *flags; i++)
        if (strcmp(word, flags[i].name) == 0 || strcmp(word, flags[i].letter) == 0)
            return *flags[i].flag = true;
    return false;
}

static int take_number(struct run_words *run, struct own_words *words, struct err *err)
{
    const struct {
        const char *name;
        unsigned *number;
        unsigned least, most;
    } numbers[] = {{"--timeout", &run->vm.timeout_s, 1, 1000000},
                   {"--cpus", &run->vm.processors, 1, 4096},
                   {"-c", &run->vm.processors, 1, 4096},
                   {"--gdb", &run->vm.gdb_port, 1, 65535},
                   {"--nics", &run->vm.nics, 0, 8}};
    const char *value;
    int taken = 0;
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers && !taken; i++) {
        taken = own_option(words, numbers[i].name, &value, err);
        if (taken > 0 && read_number(numbers[i].name, value, numbers[i].least, numbers[i].most,
                                     numbers[i].number, err) < 0)
            return -1;
        run->vm.own_nics |= taken > 0 && numbers[i].number == &run->vm.nics;
    }
    for (unsigned i = 0; i < 2 && !taken; i++) {
        const char *const names[] = {"--memory", "-m"};
        if ((taken = own_option(words, names[i], &value, err)) > 0 &&
            read_memory(names[i], value, &run->vm.memory_mib, err) < 0)
            return -1;
    }
    return taken;
}

static int take_text(struct run_words *run, struct own_words *words, struct err *err)
{
    const struct {
        const char *name;
        const char **value;
    } texts[] = {{"--expect", &run->vm.expect},
                 {"--execute", &run->execute},
                 {"-e", &run->execute},
                 {"--virtiofs-tag", &run->vm.share_tag},
                 {"--virtiofs", &run->vm.share_dir},
                 {"--image", &run->vm.image},
                 {"-i", &run->vm.image}};
    const char *value;
    int taken = own_option(words, "--forward", &value, err);
    if (taken > 0)
        vec_push(&run->forwards, value);
    if (!taken && (taken = own_option(words, "--disk", &value, err)) > 0)
        vec_push(&run->disks, value);
    if (!taken && (taken = own_option(words, "--prepend", &value, err)) > 0)
        str_addf(&run->before, run->before.len ? " %s" : "%s", value);
    for (unsigned i = 0; i < sizeof texts / sizeof *texts && !taken; i++)
        taken = own_option(words, texts[i].name, texts[i].value, err);
    return taken;
}

static int read_words(struct run_words *run, int argc, char **argv, struct err *err)
{
    struct own_words words = {argc, argv, 1};
    while (words.next < argc) {
        const char *word = argv[words.next];
        if (take_flag(run, word)) {
            words.next++;
            continue;
        }
        int taken = take_number(run, &words, err);
        if (!taken)
            taken = take_text(run, &words, err);
        if (taken < 0)
            return -1;
        if (!taken)
            return err_set(err, ERR_INPUT,
                           "%s: run takes options only; the image is picked by image=NAME, and "
                           "QEMU's own options stand after --",
                           word);
    }
    vec_push(&run->forwards, NULL);
    vec_push(&run->disks, NULL);
    run->vm.forwards = run->forwards.at;
    run->vm.disks = run->disks.at;
    run->vm.before = run->before.len ? str_text(&run->before) : NULL;
    run->as_is = run->as_is || run->vm.image;
    return 0;
}

/* -n with --as-is: what would be run. */
static int print_command(const struct vm_options *options)
{
    struct err err = {0};
    char *note, *command = vm_command(options, &note, &err);
    if (!command)
        return cli_fail(&err);
    if (note)
        printf("# %s\n", note);
    printf("%s\n", command);
    free(note);
    free(command);
    return 0;
}

/* Builds, then boots what came of it. */
static int run_all(struct cli *cli, struct native_tree *tree, struct run_words *run)
{
    struct err err = {0};
    struct osv_boot boot = {0};
    struct stream *stream = stream_open(cli, &err);
    if (!stream)
        return cli_fail(&err);
    struct build_options options = native_build_options(tree, cli);
    int status = run->as_is ? 0 : stream_run_build(stream, &options);
    if (!status && (!cli->dry_run || run->as_is)) {
        bool ready =
            !tree->osv || osv_boot_fill(&boot, &run->vm, run->execute, run->verbose, &err) == 0;
        status = !ready         ? cli_fail(&err)
                 : cli->dry_run ? print_command(&run->vm)
                                : stream_boot(stream, &run->vm, NULL, NULL);
    }
    osv_boot_free(&boot);
    int written = stream_close(stream);
    return status ? status : written;
}

int cmd_run(struct cli *cli, int argc, char **argv)
{
    struct err err = {0};
    struct native_tree tree = {0};
    struct run_words run = {.vm = {.extra = (const char *const *)cli->after}};
    bool ready =
        read_words(&run, argc, argv, &err) == 0 && native_open_driven(&tree, cli, &err) == 0;
    if (ready && run.verbose && !tree.osv)
        ready = err_set(&err, ERR_INPUT, "-V is for the kernel of OSv") == 0;
    run.vm.root = tree.root;
    run.vm.conf = tree.conf;
    if (!tree.osv)
        run.vm.arguments = run.execute;
    int status = ready ? run_all(cli, &tree, &run) : cli_fail(&err);
    native_close(&tree);
    vec_free(&run.forwards);
    vec_free(&run.disks);
    str_free(&run.before);
    return status;
}

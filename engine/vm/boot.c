/*
 * From conf to QEMU's command line. No arch is known by name here: all that differs stands in
 * conf/<arch>.mk (gantry-conf(5)):
 *
 *   qemu, qemu-package        the program, and the package that has it
 *   qemu-machine              machine, processor, memory
 *   qemu-boot                 disk: the boot image starts itself; kernel: loader.img by -kernel, with
 *                             the boot image's arguments by -append
 *   qemu-disk                 how a disk is attached; %(disk) %(format)
 *   qemu-kernel-disk          the same where QEMU loads the kernel; else qemu-disk
 *   qemu-more-disk            how a further one is attached; %(number) is 1 for the first of them
 *   qemu-kvm-arch             the machine (uname -m) that can run it under KVM
 *   qemu-kvm, qemu-tcg        flags for either (-accel kvm, -accel tcg)
 *   qemu-probe                in hex, a guest that prints OK; booted as qemu-boot says
 *   qemu-writable             1: what the guest writes goes into the image
 *   qemu-kernel               what -kernel loads (below the root); else loader.img
 *   qemu-devices              more devices
 *   qemu-nics, qemu-nic       how many network cards, and how one is attached; %(nic) %(forwards)
 *   qemu-virtiofs, virtiofsd  how a directory of the host is attached, and the program that serves it;
 *                             %(socket) %(tag) %(dir) %(memory)
 *   symbols, symbols-base     the kernel's ELF file, and where programs are loaded: for crashes
 *   guest-failed, guest-refused, guest-begins   what a kernel says that could not run its program: words.h
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "image/image.h"
#include "vm/spec.h"

static void add(str_list *argv, const char *word)
{
    vec_push(argv, mem_copy(word));
}

/* Adds the words of a conf value, placeholders replaced; with disk NULL they stay. */
static void add_words(str_list *argv, const char *text, const char *disk, const char *format)
{
    str_list words = {0};
    text_split(&words, text);
    for (size_t i = 0; i < words.len; i++)
        vec_push(argv, disk ? vm_word(words.at[i], disk, format) : mem_copy(words.at[i]));
    str_list_free(&words);
}

/* Nothing that was not asked for, the console on our pipes, and an end where the guest resets. */
static void add_console(str_list *argv)
{
    add_words(argv,
              "-no-user-config -nodefaults -display none -serial stdio -monitor none -no-reboot",
              NULL, NULL);
}

/* The same with any placeholders. */
static void add_filled(str_list *argv, const char *text, const char *const *values)
{
    str_list words = {0};
    text_split(&words, text);
    for (size_t i = 0; i < words.len; i++)
        vec_push(argv, vm_fill_word(words.at[i], values));
    str_list_free(&words);
}

static const char *get_or(struct conf *conf, const char *name, const char *otherwise)
{
    const char *value = conf_get(conf, name);
    return *value ? value : otherwise;
}

static bool boots_by_kernel(struct conf *conf)
{
    return strcmp(conf_get(conf, "qemu-boot"), "kernel") == 0;
}

/* Where an output stands: with the image, if it is declared there, else with the configuration. */
static char *output_path(const char *root, struct conf *conf, const char *name)
{
    str_list words = {0};
    text_split(&words, conf_get(conf, "image-targets"));
    bool of_image = false;
    for (size_t i = 0; i < words.len; i++)
        of_image = of_image || strcmp(words.at[i], name) == 0;
    str_list_free(&words);
    char *relative = mem_format("%s/%s", conf_get(conf, of_image ? "image-out" : "out"), name);
    char *path = path_join(root, relative);
    free(relative);
    return path;
}

char *vm_image_path(const char *root, struct conf *conf)
{
    const char *name = conf_get(conf, "boot-image");
    return *name ? output_path(root, conf, name) : NULL;
}

/* The format as QEMU calls it, by the first bytes and the last: the file may be older than what conf says
 * now, or another's. */
static const char *disk_format(const char *path)
{
    enum { HEAD = 0x44, VDI_AT = 0x40, FOOTER = 512 };
    char head[HEAD] = {0}, tail[8] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd >= 0 && pread(fd, head, sizeof head, 0) > 0 && fstat(fd, &st) == 0 &&
        st.st_size >= FOOTER)
        (void)!pread(fd, tail, sizeof tail, st.st_size - FOOTER);
    if (fd >= 0)
        close(fd);
    return memcmp(head, "QFI\xfb", 4) == 0                     ? "qcow2"
           : memcmp(head, "KDMV", 4) == 0                      ? "vmdk"
           : memcmp(head + VDI_AT, "\x7f\x10\xda\xbe", 4) == 0 ? "vdi"
           : memcmp(head, "conectix", 8) == 0                  ? "vpc"
           : memcmp(tail, "conectix", 8) == 0                  ? "vpc"
                                                               : "raw";
}

static int hex_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0'
           : c >= 'a' && c <= 'f'    ? c - 'a' + 10
           : c >= 'A' && c <= 'F'    ? c - 'A' + 10
                                     : -1;
}

/* Bytes from hex digits, white space between them passed over. */
static int read_hex(const char *text, struct str *bytes, struct err *err)
{
    int high = -1;
    for (; *text; text++) {
        if (isspace((unsigned char)*text))
            continue;
        int digit = hex_digit(*text);
        if (digit < 0)
            return err_set(err, ERR_INPUT, "qemu-probe: '%c' is no hexadecimal digit", *text);
        if (high < 0) {
            high = digit;
        } else {
            str_add_char(bytes, (char)(high << 4 | digit));
            high = -1;
        }
    }
    return 0;
}

/* The probe, where this machine is one that could run the arch under KVM at all. */
static int fill_probe(struct vm_spec *spec, struct conf *conf, struct err *err)
{
    const char *hex = conf_get(conf, "qemu-probe");
    struct utsname machine;
    if (!*hex || uname(&machine) < 0 ||
        strcmp(machine.machine, conf_get(conf, "qemu-kvm-arch")) != 0)
        return 0;
    struct vm_probe *probe = spec->probe = mem_zero(1, sizeof *probe);
    if (read_hex(hex, &probe->guest, err) < 0)
        return -1;
    add(&probe->argv, conf_get(conf, "qemu"));
    add_words(&probe->argv, conf_get(conf, "qemu-machine"), NULL, NULL);
    add_console(&probe->argv);
    if (boots_by_kernel(conf)) {
        add_words(&probe->argv, "-kernel %(disk)", NULL, NULL);
    } else {
        /* A boot sector: its last two bytes say so. */
        while (probe->guest.len < VM_SECTOR - 2)
            str_add_char(&probe->guest, '\0');
        str_cut(&probe->guest, VM_SECTOR - 2);
        str_add_n(&probe->guest, "\x55\xaa", 2);
        add_words(&probe->argv, conf_get(conf, "qemu-disk"), NULL, NULL);
    }
    for (size_t i = 0; i < spec->with_kvm.len; i++)
        add(&probe->argv, spec->with_kvm.at[i]);
    return 0;
}

/* The arguments that the guest is to get. */
static int fill_arguments(struct vm_spec *spec, const struct vm_options *options, bool is_kernel,
                          struct err *err)
{
    char *text = options->arguments ? mem_copy(options->arguments) : image_args(spec->image, err);
    /* A kernel that QEMU loads need not carry arguments: then they are the conf's. */
    if (!text && is_kernel && (!err || err->kind == ERR_INPUT))
        text = mem_copy(conf_cmdline(options->conf));
    if (!text)
        return -1;
    spec->arguments = options->before ? mem_format("%s %s", options->before, text) : mem_copy(text);
    free(text);
    return 0;
}

/* The disk that starts itself, with the arguments that are wanted: new; NULL and err. */
static char *disk_with_arguments(struct vm_spec *spec, const struct vm_options *options,
                                 struct err *err)
{
    bool other = options->arguments || options->before;
    bool writable = strcmp(conf_get(options->conf, "qemu-writable"), "1") == 0;
    char *own = other ? image_args(spec->image, err) : NULL;
    bool same = !other || (own && strcmp(own, spec->arguments) == 0);
    bool failed = other && !own;
    free(own);
    if (failed)
        return NULL;
    if (same)
        return mem_copy(spec->image);
    if (writable) /* what the guest writes is to stay, so nothing can lie over it */
        return image_change_args(spec->image, spec->arguments, err) < 0 ? NULL
                                                                        : mem_copy(spec->image);
    spec->overlay = image_overlay(spec->image, spec->arguments, err);
    if (spec->overlay < 0)
        return NULL;
    return mem_format("/proc/%ld/fd/%d", (long)getpid(), spec->overlay);
}

static void add_kernel(struct vm_spec *spec, const char *loader)
{
    add(&spec->argv, "-kernel");
    add(&spec->argv, loader);
    add(&spec->argv, "-append");
    add(&spec->argv, spec->arguments);
}

/* Disks behind the image's. */
static int fill_more_disks(struct vm_spec *spec, const struct vm_options *options, struct err *err)
{
    const char *how = conf_get(options->conf, "qemu-more-disk");
    for (unsigned i = 0; options->disks && options->disks[i]; i++) {
        char number[16], *path = path_absolute(options->disks[i]);
        int status = 0;
        if (!*how)
            status = err_set(err, ERR_INPUT,
                             "nothing says how a further disk is attached; set qemu-more-disk in "
                             "conf/%s.mk",
                             conf_get(options->conf, "arch"));
        else if (access(path, R_OK) < 0)
            status = err_errno(err, "%s", options->disks[i]);
        snprintf(number, sizeof number, "%u", i + 1);
        add_filled(&spec->argv, how,
                   (const char *const[]){"disk", path, "format", disk_format(path), "number",
                                         number, NULL});
        free(path);
        if (status)
            return -1;
    }
    return 0;
}

/* The image must be there; what is booted and attached follows from qemu-boot. */
static int fill_disks(struct vm_spec *spec, const struct vm_options *options, struct err *err)
{
    struct conf *conf = options->conf;
    spec->image =
        options->image ? path_absolute(options->image) : vm_image_path(options->root, conf);
    if (!spec->image)
        return err_set(err, ERR_INPUT,
                       "image %s names no boot-image; add `boot-image = FILE` to it",
                       conf_get(conf, "image"));
    if (access(spec->image, R_OK) < 0)
        return err_set(err, ERR_INPUT, "%s: %s%s", spec->image, strerror(errno),
                       options->image ? "" : "; `gantry compose` makes it");
    bool is_kernel = boots_by_kernel(conf) || options->by_kernel;
    if (fill_arguments(spec, options, is_kernel, err) < 0)
        return -1;
    const char *kernel = conf_get(conf, "qemu-kernel");
    char *loader =
        *kernel ? path_join(options->root, kernel) : output_path(options->root, conf, "loader.img");
    char *disk = is_kernel ? mem_copy(spec->image) : disk_with_arguments(spec, options, err);
    int status = disk ? 0 : -1;
    if (!status && is_kernel && *kernel && access(loader, R_OK) < 0)
        status =
            err_set(err, ERR_INPUT, "%s: %s; `gantry build` makes it", loader, strerror(errno));
    if (!status && is_kernel)
        add_kernel(spec, loader);
    if (!status && (!is_kernel || strcmp(loader, spec->image) != 0))
        add_words(&spec->argv,
                  is_kernel ? get_or(conf, "qemu-kernel-disk", conf_get(conf, "qemu-disk"))
                            : conf_get(conf, "qemu-disk"),
                  disk, spec->overlay > 0 ? "qcow2" : disk_format(spec->image));
    free(disk);
    free(loader);
    if (!status)
        status = fill_more_disks(spec, options, err);
    if (!status && strcmp(conf_get(conf, "qemu-writable"), "1") != 0)
        add(&spec->argv, "-snapshot");
    return status;
}

/* Network cards, the first of them with the forwards. */
static int fill_nics(struct vm_spec *spec, const struct vm_options *options, struct err *err)
{
    const char *nic = conf_get(options->conf, "qemu-nic");
    const char *const *rule = options->forwards;
    bool wants = (options->own_nics && options->nics) || (rule && *rule);
    unsigned count =
        options->own_nics ? options->nics : (unsigned)atoi(conf_get(options->conf, "qemu-nics"));
    if (wants && !*nic)
        return err_set(err, ERR_INPUT,
                       "nothing says how a network card is attached; set qemu-nic in conf/%s.mk",
                       conf_get(options->conf, "arch"));
    if (rule && *rule && !count)
        return err_set(err, ERR_INPUT, "--forward=%s: there is no network card to forward to",
                       *rule);
    if (rule && *rule && !strstr(nic, "%(forwards)"))
        return err_set(err, ERR_INPUT,
                       "--forward=%s: the network card is attached otherwise than by QEMU's own "
                       "network, which forwards",
                       *rule);
    struct str forwards = {0};
    for (; rule && *rule; rule++)
        str_addf(&forwards, ",hostfwd=%s", *rule);
    for (unsigned i = 0; *nic && i < count; i++) {
        char number[16];
        snprintf(number, sizeof number, "%u", i);
        add_filled(
            &spec->argv, nic,
            (const char *const[]){"nic", number, "forwards", i ? "" : str_text(&forwards), NULL});
    }
    str_free(&forwards);
    return 0;
}

/* The guest's memory in MiB, from the last -m. */
static char *memory_of(const struct vm_spec *spec)
{
    const char *memory = "128"; /* QEMU's own */
    for (size_t i = 0; i + 1 < spec->argv.len; i++)
        if (strcmp(spec->argv.at[i], "-m") == 0)
            memory = spec->argv.at[i + 1];
    return mem_copy(memory);
}

/* A directory of the host: the program that serves it, and the device. After the memory is known. */
static int fill_share(struct vm_spec *spec, const struct vm_options *options, struct err *err)
{
    struct conf *conf = options->conf;
    if (!options->share_dir)
        return 0;
    if (!*conf_get(conf, "qemu-virtiofs") || !*conf_get(conf, "virtiofsd"))
        return err_set(err, ERR_INPUT,
                       "nothing says how a directory is shared; set qemu-virtiofs and virtiofsd");
    char template[] = "/tmp/gantry-share-XXXXXX";
    if (!mkdtemp(template))
        return err_errno(err, "a directory for a socket");
    spec->helper_dir = mem_copy(template);
    spec->helper_socket = path_join(template, "socket");
    char *memory = memory_of(spec), *dir = path_absolute(options->share_dir);
    const char *const values[] = {"socket", spec->helper_socket,
                                  "tag",    options->share_tag ? options->share_tag : "share",
                                  "dir",    dir,
                                  "memory", memory,
                                  NULL};
    int status = access(dir, R_OK | X_OK) < 0 ? err_errno(err, "%s", options->share_dir) : 0;
    add_filled(&spec->helper, conf_get(conf, "virtiofsd"), values);
    add_filled(&spec->argv, conf_get(conf, "qemu-virtiofs"), values);
    free(memory);
    free(dir);
    return status;
}

static void fill_debugger(struct vm_spec *spec, const struct vm_options *options)
{
    if (options->gdb_port) {
        add(&spec->argv, "-gdb");
        vec_push(&spec->argv, mem_format("tcp:127.0.0.1:%u,server=on,wait=off", options->gdb_port));
    }
    if (options->wait)
        add(&spec->argv, "-S");
}

static void fill_symbols(struct vm_spec *spec, const struct vm_options *options)
{
    struct conf *conf = options->conf;
    if (!options->addr2line || !*conf_get(conf, "symbols"))
        return;
    spec->symbols =
        (struct vm_symbols){.addr2line = mem_copy(options->addr2line),
                            .kernel = path_join(options->root, conf_get(conf, "symbols")),
                            .program = options->program ? mem_copy(options->program) : NULL,
                            .base = strtoull(conf_get(conf, "symbols-base"), NULL, 0),
                            .root = mem_copy(options->root)};
}

static void fill_texts(struct vm_spec *spec, struct conf *conf)
{
    spec->texts = (struct vm_texts){.failed = mem_copy(conf_get(conf, "guest-failed")),
                                    .refused = mem_copy(conf_get(conf, "guest-refused")),
                                    .begins = mem_copy(conf_get(conf, "guest-begins"))};
}

int vm_spec_fill(struct vm_spec *spec, const struct vm_options *options, struct err *err)
{
    struct conf *conf = options->conf;
    const char *program = conf_get(conf, "qemu");
    if (!*program)
        return err_set(err, ERR_INPUT,
                       "nothing says how to boot %s: set qemu = PROGRAM in conf/%s.mk",
                       conf_get(conf, "arch"), conf_get(conf, "arch"));
    add(&spec->argv, program);
    if (*conf_get(conf, "qemu-package"))
        spec->package = mem_copy(conf_get(conf, "qemu-package"));
    add_words(&spec->argv, conf_get(conf, "qemu-machine"), NULL, NULL);
    add_console(&spec->argv);
    add_words(&spec->argv, conf_get(conf, "qemu-devices"), NULL, NULL);
    if (fill_disks(spec, options, err) < 0)
        return -1;
    add_words(&spec->with_kvm, get_or(conf, "qemu-kvm", "-accel kvm"), NULL, NULL);
    add_words(&spec->without_kvm, get_or(conf, "qemu-tcg", "-accel tcg"), NULL, NULL);
    if (!options->tcg && fill_probe(spec, conf, err) < 0)
        return -1;
    /* The last -m and -smp are in force. */
    if (options->memory_mib) {
        add(&spec->argv, "-m");
        vec_push(&spec->argv, mem_format("%u", options->memory_mib));
    }
    if (options->processors) {
        add(&spec->argv, "-smp");
        vec_push(&spec->argv, mem_format("%u", options->processors));
    }
    if (fill_nics(spec, options, err) < 0 || fill_share(spec, options, err) < 0)
        return -1;
    fill_debugger(spec, options);
    fill_symbols(spec, options);
    fill_texts(spec, conf);
    for (const char *const *word = options->extra; word && *word; word++)
        add(&spec->argv, *word);
    spec->expect = options->expect ? mem_copy(options->expect) : NULL;
    spec->timeout_s = options->timeout_s;
    spec->crash_ends = options->crash_ends;
    return 0;
}

enum vm_kvm vm_kvm(struct conf *conf)
{
    struct vm_spec spec = {0};
    enum vm_kvm answer = VM_KVM_FOREIGN;
    add_words(&spec.with_kvm, get_or(conf, "qemu-kvm", "-accel kvm"), NULL, NULL);
    if (fill_probe(&spec, conf, NULL) == 0 && spec.probe)
        answer = access("/dev/kvm", R_OK | W_OK) < 0 ? VM_KVM_NO_DEVICE
                 : vm_kvm_works(spec.probe)          ? VM_KVM_WORKS
                                                     : VM_KVM_FAILS;
    vm_spec_free(&spec);
    return answer;
}

char *vm_command(const struct vm_options *options, char **note, struct err *err)
{
    struct vm_spec spec = {0};
    struct str text = {0};
    *note = NULL;
    int status = vm_spec_fill(&spec, options, err);
    if (!status) {
        bool kvm = spec.probe && vm_kvm_works(spec.probe);
        const str_list *const lists[] = {&spec.argv, kvm ? &spec.with_kvm : &spec.without_kvm};
        for (size_t i = 0; i < 2; i++)
            for (size_t word = 0; word < lists[i]->len; word++) {
                if (text.len)
                    str_add_char(&text, ' ');
                text_shell_quote(&text, lists[i]->at[word]);
            }
        if (spec.overlay > 0)
            *note = mem_format("the disk is %s with other boot arguments over it: %s", spec.image,
                               spec.arguments);
    }
    vm_spec_free(&spec);
    if (!status)
        return str_take(&text);
    str_free(&text);
    return NULL;
}

struct vm *vm_start(const struct vm_options *options, struct queue *events, struct err *err)
{
    struct vm_spec spec = {0};
    if (vm_spec_fill(&spec, options, err) == 0)
        return vm_start_spec(&spec, events, err);
    vm_spec_free(&spec);
    return NULL;
}

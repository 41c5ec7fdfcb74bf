/*
 * `gantry doctor`: what works on this machine and what to install. Every line is the answer of
 * something that was tried just now. In a native tree and in one of OSv the tree's arches are looked
 * at, and what it asks of this machine; elsewhere the stock ones.
 */
#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "conf/conf.h"
#include "load/load.h"
#include "toolchain/needs.h"
#include "toolchain/toolchain.h"
#include "trace/trace.h"
#include "tui/cli.h"
#include "tui/commands.h"
#include "vm/vm.h"

enum health {
    HEALTH_GOOD,
    HEALTH_LESS, /* works without it, but not everything or not as fast */
    HEALTH_BAD, /* the picked configuration cannot be built or booted */
};
static const char *const health_names[] = {"ok", "missing", "needed"};

struct finding {
    enum health health;
    char *what, *text; /* "x64 compiler", what was found */
    char *packages; /* that would help, or NULL */
    char *command; /* that would, where no package does; or NULL */
};

struct doctor {
    const struct cli *cli;
    const char *root; /* NULL: stock */
    char *picked; /* the arch that is selected */
    VEC(struct finding) findings;
};

static void add(struct doctor *d, enum health health, const char *what, const char *packages,
                const char *format, ...) __attribute__((format(printf, 5, 6)));
static void add(struct doctor *d, enum health health, const char *what, const char *packages,
                const char *format, ...)
{
    va_list args;
    char *text = NULL;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    bool help = health != HEALTH_GOOD && packages && *packages;
    vec_push(&d->findings, (struct finding){health, mem_copy(what), text,
                                            help ? mem_copy(packages) : NULL, NULL});
}

/* A program that is told by its version. */
static void look_for(struct doctor *d, enum health without, const char *what, const char *program,
                     const char *packages, const char *use)
{
    char *path = toolchain_find(program);
    char *version = path ? toolchain_version(program) : NULL;
    if (path)
        add(d, HEALTH_GOOD, what, NULL, "%s", version ? version : path);
    else
        add(d, without, what, packages, "%s is not on PATH%s%s", program, *use ? ": " : "", use);
    free(version);
    free(path);
}

/* ---- arches ---- */

static void look_at_compiler(struct doctor *d, struct conf *conf, enum health without)
{
    struct toolchain tools = {0};
    struct err err = {0};
    char *what = mem_format("%s compiler", conf_get(conf, "arch"));
    if (toolchain_resolve(&tools, conf, &err) == 0) {
        char *version = toolchain_version(tools.cc);
        add(d, HEALTH_GOOD, what, NULL, "%s", version ? version : tools.cc);
        free(version);
    } else {
        bool cross = tools.prefix && *tools.prefix;
        add(d, without, what, cross ? conf_get(conf, "cross-packages") : "build-essential", "%s",
            err.text);
    }
    toolchain_free(&tools);
    free(what);
}

/* What the tree asks of this machine besides a compiler and QEMU. */
static void look_at_needs(struct doctor *d, struct conf *conf, enum health without)
{
    struct toolchain tools = {0};
    need_list missing = {0};
    char *what = mem_format("%s needs", conf_get(conf, "arch"));
    toolchain_resolve(&tools, conf, NULL); /* its own line has told */
    size_t all = needs_missing(conf, &tools, &missing);
    size_t told = 0;
    for (size_t i = 0; i < missing.len; i++) {
        const struct need *need = &missing.at[i];
        if (need->kind != NEED_DECLARED)
            continue;
        add(d, without, what, need->packages, "%s is not there%s%s", need->text,
            *need->command ? ": " : "", need->command);
        if (*need->command)
            d->findings.at[d->findings.len - 1].command = mem_copy(need->command);
        told++;
    }
    if (!told && d->root)
        add(d, HEALTH_GOOD, what, NULL, "%zu programs, headers and libraries are there",
            all - missing.len);
    need_list_free(&missing);
    toolchain_free(&tools);
    free(what);
}

static void look_at_kvm(struct doctor *d, struct conf *conf)
{
    char *what = mem_format("%s KVM", conf_get(conf, "arch"));
    switch (vm_kvm(conf)) {
    case VM_KVM_FOREIGN:
        add(d, HEALTH_GOOD, what, NULL, "emulated (TCG): this machine is none of that arch");
        break;
    case VM_KVM_NO_DEVICE:
        add(d, HEALTH_LESS, what, NULL,
            "/dev/kvm cannot be opened: guests are emulated (TCG), which is slower");
        break;
    case VM_KVM_FAILS:
        add(d, HEALTH_LESS, what, NULL,
            "/dev/kvm is there, but a test guest did not run: guests are emulated (TCG)");
        break;
    case VM_KVM_WORKS:
        add(d, HEALTH_GOOD, what, NULL, "a test guest ran");
        break;
    }
    free(what);
}

static void look_at_arch(struct doctor *d, const char *arch)
{
    struct err err = {0};
    struct assignment pick = {"arch", arch, ORIGIN_COMMAND_LINE};
    struct conf *conf = conf_load(d->root, &pick, 1, &err);
    enum health without = strcmp(arch, d->picked) == 0 ? HEALTH_BAD : HEALTH_LESS;
    char *qemu = mem_format("%s QEMU", arch);
    if (!conf) {
        add(d, without, arch, NULL, "%s", err.text);
    } else {
        look_at_compiler(d, conf, without);
        look_at_needs(d, conf, without);
        if (*conf_get(conf, "qemu")) {
            look_for(d, without, qemu, conf_get(conf, "qemu"), conf_get(conf, "qemu-package"),
                     "nothing can be booted");
            look_at_kvm(d, conf);
        } else {
            add(d, HEALTH_LESS, qemu, NULL, "conf/%s.mk does not say how to boot (qemu = ...)",
                arch);
        }
        conf_free(conf);
    }
    free(qemu);
}

/* ---- the machine ---- */

static void look_at_tracing(struct doctor *d)
{
    struct trace_features features = trace_probe();
    const char *why = features.notify ? "GANTRY_TRACE asks for it"
                      : features.refused == EBUSY
                          ? "something around Gantry supervises calls itself"
                      : features.refused == EPERM || features.refused == EACCES
                          ? "seccomp user notification is not permitted here"
                          : "this Linux has no seccomp user notification";
    if (features.stops && (features.forced || !features.notify))
        add(d, HEALTH_LESS, "tracing", NULL, "by ptrace, which is slower: %s", why);
    else if (!features.notify)
        add(d, HEALTH_LESS, "tracing", NULL, "%s, nor is ptrace: builds run untraced", why);
    else if (!features.killable_wait)
        add(d, HEALTH_LESS, "tracing", NULL,
            "works; steps cannot be held, since Linux 5.19's killable wait is missing");
    else
        add(d, HEALTH_GOOD, "tracing", NULL, "seccomp user notification%s",
            features.sync_wake_up ? "" : "; without Linux 6.6's synchronous wake-up, so slower");
}

/* Tries, in a child, what proving needs: a user namespace with mounts of its own. */
static void look_at_namespaces(struct doctor *d)
{
    int status = 0;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 ? errno : 0);
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
        add(d, HEALTH_LESS, "user namespaces", NULL, "could not be tried");
    else if (WEXITSTATUS(status))
        add(d, HEALTH_LESS, "user namespaces", NULL,
            "refused (%s): races are proved in copies of the tree", strerror(WEXITSTATUS(status)));
    else
        add(d, HEALTH_GOOD, "user namespaces", NULL, "with mounts of their own");
}

static void look_at_git(struct doctor *d)
{
    static const char *const names[] = {"libgit2.so.1.5", "libgit2.so"};
    void *library = NULL;
    for (unsigned i = 0; i < 2 && !library; i++)
        library = dlopen(names[i], RTLD_LAZY);
    if (library)
        add(d, HEALTH_GOOD, "git", NULL, "libgit2");
    else
        add(d, HEALTH_LESS, "git", "libgit2-1.5",
            "libgit2 cannot be opened: branch and changes are not shown");
    if (library)
        dlclose(library);
}

static void look_at_terminal(struct doctor *d)
{
    const char *term = getenv("TERM");
    add(d, HEALTH_GOOD, "terminal", NULL, "%s, %s, %s", term && *term ? term : "TERM is not set",
        cli_ascii(d->cli) ? "ASCII" : "UTF-8",
        cli_color(d->cli, stdout) ? "colours" : "no colours");
}

static void look_at_machine(struct doctor *d)
{
    struct utsname machine;
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGE_SIZE);
    char memory[16];
    uname(&machine);
    text_size(memory,
              pages > 0 && page > 0 ? (unsigned long long)pages * (unsigned long long)page : 0);
    add(d, HEALTH_GOOD, "machine", NULL, "%s, Linux %s, %ld processors, %s of memory",
        machine.machine, machine.release, sysconf(_SC_NPROCESSORS_ONLN), memory);
}

static void look_at_tree(struct doctor *d)
{
    char *build = d->root ? mem_format("%s/build", d->root) : NULL;
    const char *place = build && access(build, F_OK) == 0 ? build : d->root;
    if (!d->root)
        add(d, HEALTH_GOOD, "tree", NULL, "none here: the stock configuration was looked at");
    else if (access(place, W_OK | X_OK) < 0)
        add(d, HEALTH_BAD, "tree", NULL, "%s cannot be written: %s", place, strerror(errno));
    else
        add(d, HEALTH_GOOD, "tree", NULL, "%s", d->root);
    free(build);
}

/* ---- telling ---- */

/* All packages that would help, once each. */
static char *packages_of(const struct doctor *d)
{
    struct str all = {0};
    for (size_t i = 0; i < d->findings.len; i++) {
        str_list words = {0};
        text_split(&words, d->findings.at[i].packages ? d->findings.at[i].packages : "");
        for (size_t k = 0; k < words.len; k++) {
            char *padded = mem_format(" %s ", words.at[k]);
            str_add_char(&all, ' ');
            if (!strstr(str_text(&all), padded))
                str_add(&all, words.at[k]);
            else
                str_cut(&all, all.len - 1);
            free(padded);
        }
        str_list_free(&words);
    }
    return str_take(&all);
}

static enum health worst(const struct doctor *d)
{
    enum health health = HEALTH_GOOD;
    for (size_t i = 0; i < d->findings.len; i++)
        if (d->findings.at[i].health > health)
            health = d->findings.at[i].health;
    return health;
}

static int tell(const struct doctor *d)
{
    char *packages = packages_of(d);
    int status = 0;
    if (d->cli->output == OUTPUT_JSON || d->cli->json_to) {
        struct str doc = {0};
        json_put_object(&doc, NULL);
        json_put_bool(&doc, "ok", worst(d) != HEALTH_BAD);
        json_put_text(&doc, "arch", d->picked);
        json_put_array(&doc, "findings");
        for (size_t i = 0; i < d->findings.len; i++) {
            json_put_object(&doc, NULL);
            json_put_text(&doc, "what", d->findings.at[i].what);
            json_put_text(&doc, "health", health_names[d->findings.at[i].health]);
            json_put_text(&doc, "text", d->findings.at[i].text);
            json_put_text(&doc, "packages", d->findings.at[i].packages);
            json_put_text(&doc, "command", d->findings.at[i].command);
            json_put_object_end(&doc);
        }
        json_put_array_end(&doc);
        json_put_text(&doc, "install", *packages ? packages + 1 : NULL);
        json_put_object_end(&doc);
        status = cli_print_json(d->cli, str_text(&doc));
        str_free(&doc);
    } else {
        for (size_t i = 0; i < d->findings.len; i++)
            printf("%-8s %-18s %s\n", health_names[d->findings.at[i].health],
                   d->findings.at[i].what, d->findings.at[i].text);
        if (*packages)
            printf("install: apt-get install%s\n", packages);
        for (size_t i = 0; i < d->findings.len; i++) {
            const char *command = d->findings.at[i].command;
            bool told = !command;
            for (size_t k = 0; k < i && !told; k++)
                told = d->findings.at[k].command && strcmp(d->findings.at[k].command, command) == 0;
            if (!told)
                printf("run: %s\n", command);
        }
    }
    free(packages);
    return status ? status : worst(d) == HEALTH_BAD ? 1 : 0;
}

/* The arch that a build here would be for: new. */
static char *pick_arch(struct doctor *d, struct err *err)
{
    struct conf *conf = conf_load(d->root, d->cli->assigns.at, d->cli->assigns.len, err);
    char *arch = conf ? mem_copy(conf_get(conf, "arch")) : NULL;
    if (conf)
        conf_free(conf);
    return arch;
}

static void look_at_all(struct doctor *d)
{
    str_list arches = {0};
    look_at_machine(d);
    look_at_tree(d);
    conf_choices(d->root ? d->root : CONF_STOCK, CHOICE_ARCH, &arches);
    for (size_t i = 0; i < arches.len; i++)
        look_at_arch(d, arches.at[i]);
    str_list_free(&arches);
    look_for(d, HEALTH_BAD, "host compiler", "cc", "build-essential", "");
    look_for(d, HEALTH_LESS, "make", "make", "make", "trees of Makefiles are not built");
    look_for(d, HEALTH_LESS, "ant", "ant", "ant default-jdk-headless", "jars are not built");
    look_at_git(d);
    look_at_tracing(d);
    look_at_namespaces(d);
    look_at_terminal(d);
}

int cmd_doctor(struct cli *cli, int argc, char **argv)
{
    struct err err = {0};
    struct doctor d = {.cli = cli};
    char *root = NULL;
    if (argc > 1)
        return cli_usage("%s: doctor takes no words", argv[1]);
    enum tree_kind kind = load_find_tree(cli->directory, &root, &err);
    if (kind == TREE_NATIVE || (kind == TREE_OSV && conf_is_osv(root)))
        d.root = root;
    d.picked = pick_arch(&d, &err);
    int status = 2;
    if (d.picked) {
        look_at_all(&d);
        status = tell(&d);
    } else {
        cli_fail(&err);
    }
    for (size_t i = 0; i < d.findings.len; i++) {
        free(d.findings.at[i].what);
        free(d.findings.at[i].text);
        free(d.findings.at[i].packages);
        free(d.findings.at[i].command);
    }
    vec_free(&d.findings);
    free(d.picked);
    free(root);
    return status;
}

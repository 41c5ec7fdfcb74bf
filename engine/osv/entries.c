/* What goes into the file systems: usr.manifest's entries, stripped where OSv strips. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "osv/private.h"

extern char **environ;

/* What %(name)s of a manifest means: libgcc_s_dir, and what osv-variables names, below the root. */
typedef VEC(struct manifest_variable) variable_list;

static void add_variable(variable_list *variables, const char *name, char *value)
{
    vec_push(variables, (struct manifest_variable){mem_copy(name), value});
}

static void read_variables(variable_list *variables, const char *root, struct conf *conf,
                           const struct toolchain *tools)
{
    str_list names = {0};
    add_variable(variables, "libgcc_s_dir", osv_libgcc_dir(root, conf, tools));
    text_split(&names, conf_get(conf, "osv-variables"));
    for (size_t i = 0; i < names.len; i++)
        add_variable(variables, names.at[i], path_join(root, conf_get(conf, names.at[i])));
    str_list_free(&names);
}

int osv_entries(struct manifest_list *list, const char *root, struct conf *conf,
                const struct toolchain *tools, struct err *err)
{
    str_list files = {0}, names = {0};
    variable_list variables = {0};
    const char *const dirs[] = {conf_get(conf, "out")};
    read_variables(&variables, root, conf, tools);
    text_split(&names, conf_get(conf, "osv-manifests"));
    for (size_t i = 0; i < names.len; i++)
        vec_push(&files, mem_format("%s/%s", dirs[0], names.at[i]));
    const struct manifest_scope scope = {.variables = variables.at,
                                         .variables_count = variables.len,
                                         .dirs = dirs,
                                         .dirs_count = 1,
                                         .root = root};
    int status = manifest_resolve(list, (const char *const *)files.at, files.len, &scope,
                                  MANIFEST_STRICT, err);
    for (size_t i = 0; i < variables.len; i++) {
        free((char *)(uintptr_t)variables.at[i].name);
        free((char *)(uintptr_t)variables.at[i].value);
    }
    vec_free(&variables);
    str_list_free(&files);
    str_list_free(&names);
    return status;
}

/* ---- strip ---- */

struct stripping {
    const char *program;
    VEC(pid_t) running;
    VEC(char *) temporary, final; /* of those that run, by index */
};

/* manifest_common.py compares texts, without a slash at the end. */
static bool is_stripped(const char *root, const char *out, const char *host)
{
    const char *const below[] = {out, "modules", "apps"};
    bool found = false;
    for (size_t i = 0; i < 3 && !found; i++) {
        char *dir = path_join(root, below[i]);
        found = str_starts(host, dir);
        free(dir);
    }
    return found && str_ends(host, ".so") && !str_ends(host, "-stripped.so");
}

static bool is_current(const char *stripped, const char *host)
{
    struct stat old, now;
    return stat(stripped, &old) == 0 && stat(host, &now) == 0 &&
           (old.st_mtim.tv_sec > now.st_mtim.tv_sec ||
            (old.st_mtim.tv_sec == now.st_mtim.tv_sec &&
             old.st_mtim.tv_nsec >= now.st_mtim.tv_nsec));
}

/* Waits for one, and puts its file in place; one that failed leaves none, and the original goes in. */
static void wait_for_one(struct stripping *strip)
{
    int status = 0;
    pid_t pid;
    while ((pid = waitpid(strip->running.at[0], &status, 0)) < 0 && errno == EINTR)
        ;
    char *temporary = strip->temporary.at[0], *final = strip->final.at[0];
    if (pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status) || rename(temporary, final) < 0)
        unlink(temporary);
    free(temporary);
    free(final);
    size_t left = --strip->running.len;
    strip->temporary.len = strip->final.len = left;
    memmove(strip->running.at, strip->running.at + 1, left * sizeof *strip->running.at);
    memmove(strip->temporary.at, strip->temporary.at + 1, left * sizeof *strip->temporary.at);
    memmove(strip->final.at, strip->final.at + 1, left * sizeof *strip->final.at);
}

static int start_one(struct stripping *strip, const char *host, const char *final, struct err *err)
{
    char *temporary = mem_format("%s.%ld~", final, (long)getpid());
    char *argv[] = {(char *)(uintptr_t) "strip", (char *)(uintptr_t) "-o", temporary,
                    (char *)(uintptr_t)host, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    pid_t pid;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attributes, &none);
    int error = posix_spawn(&pid, strip->program, &files, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    if (error) {
        free(temporary);
        errno = error;
        return err_errno(err, "%s", strip->program);
    }
    vec_push(&strip->running, pid);
    vec_push(&strip->temporary, temporary);
    vec_push(&strip->final, mem_copy(final));
    return 0;
}

static char *stripped_name(const char *host)
{
    return mem_format("%.*s-stripped.so", (int)(strlen(host) - 3), host);
}

void osv_use_stripped(struct manifest_list *list, const char *root, struct conf *conf)
{
    const char *out = conf_get(conf, "out");
    for (size_t i = 0; i < list->entries.len; i++) {
        struct manifest_entry *entry = &list->entries.at[i];
        char *host = entry->kind == ENTRY_FILE && entry->host ? path_absolute(entry->host) : NULL;
        char *final = host && is_stripped(root, out, host) ? stripped_name(host) : NULL;
        struct stat st;
        if (final && is_current(final, host) && stat(final, &st) == 0) {
            entry->host = arena_copy(&list->arena, final);
            entry->size_bytes = (uint64_t)st.st_size;
        }
        free(final);
        free(host);
    }
}

int osv_strip(struct manifest_list *list, const char *root, struct conf *conf,
              const struct toolchain *tools, unsigned lanes, struct err *err)
{
    const char *out = conf_get(conf, "out");
    char *program = toolchain_find(tools->strip);
    struct stripping strip = {.program = program ? program : tools->strip};
    struct map asked = {0};
    int status = 0;
    for (size_t i = 0; i < list->entries.len && !status; i++) {
        const struct manifest_entry *entry = &list->entries.at[i];
        char *host = entry->kind == ENTRY_FILE && entry->host ? path_absolute(entry->host) : NULL;
        if (host && !entry->duplicate && is_stripped(root, out, host) && !map_get(&asked, host)) {
            char *final = stripped_name(host);
            map_put(&asked, host, list);
            while (strip.running.len >= (lanes ? lanes : 1))
                wait_for_one(&strip);
            if (!is_current(final, host))
                status = start_one(&strip, host, final, err);
            free(final);
        }
        free(host);
    }
    while (strip.running.len)
        wait_for_one(&strip);
    if (!status)
        osv_use_stripped(list, root, conf);
    vec_free(&strip.running);
    vec_free(&strip.temporary);
    vec_free(&strip.final);
    map_free(&asked);
    free(program);
    return status;
}

/* ---- programs of other machines ---- */

/* The machine that an ELF file is for; 0 where it is no ELF file. */
static unsigned machine_of(const char *path)
{
    unsigned char head[EI_NIDENT + 4] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = fd < 0 ? -1 : read(fd, head, sizeof head);
    if (fd >= 0)
        close(fd);
    if (got != (ssize_t)sizeof head || memcmp(head, ELFMAG, SELFMAG) != 0)
        return 0;
    unsigned low = head[EI_NIDENT + 2], high = head[EI_NIDENT + 3];
    return head[EI_DATA] == ELFDATA2MSB ? low << 8 | high : high << 8 | low;
}

void osv_foreign(const struct manifest_list *list, const char *root, struct conf *conf,
                 str_list *lines)
{
    enum { TOLD = 3 };
    char *kernel = path_join(root, conf_get(conf, "symbols"));
    unsigned wanted = *conf_get(conf, "symbols") ? machine_of(kernel) : 0;
    size_t found = 0;
    for (size_t i = 0; wanted && i < list->entries.len; i++) {
        const struct manifest_entry *entry = &list->entries.at[i];
        unsigned machine = entry->kind == ENTRY_FILE && entry->host && !entry->duplicate
                               ? machine_of(entry->host)
                               : 0;
        if (!machine || machine == wanted)
            continue;
        if (++found <= TOLD)
            vec_push(lines,
                     mem_format("%s: %s is a program for another machine than the kernel (ELF "
                                "machine %u, not %u); its module has to be cleaned and built again",
                                entry->guest, entry->host, machine, wanted));
    }
    if (found > TOLD)
        vec_push(lines, mem_format("%zu more programs are for another machine", found - TOLD));
    free(kernel);
}

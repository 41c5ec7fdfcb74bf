/* Names of the programs, whether they are there, and whether they are for the arch. */
#include "toolchain/toolchain.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/look.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "toolchain/probe.h"

#define CACHE_FILE "build/.gantry/toolchain"

static bool is_program(const char *path)
{
    struct stat st;

    look_at(path);
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

char *toolchain_find(const char *command)
{
    const char *start = command + strspn(command, " \t");
    char *name = mem_copy_n(start, strcspn(start, " \t"));
    const char *at = getenv("PATH");
    char *found = NULL;

    if (strchr(name, '/'))
        return is_program(name) ? name : (free(name), NULL);
    while (*name && at && found == NULL) {
        size_t length = strcspn(at, ":");
        found = mem_format("%.*s/%s", length ? (int)length : 1, length ? at : ".", name);
        if (!is_program(found)) {
            free(found);
            found = NULL;
        }
        at = at[length] ? at + length + 1 : NULL;
    }
    free(name);
    return found;
}

static bool has_word(const char *list, const char *word, size_t length)
{
    while (*(list += strspn(list, " \t"))) {
        size_t here = strcspn(list, " \t");
        if (here == length && memcmp(list, word, length) == 0)
            return true;
        list += here;
    }
    return false;
}

/* CROSS_PREFIX where it was given, else the conf's own where the arch is not this machine's. */
static char *find_prefix(struct conf *conf, const char *build_arch)
{
    size_t count;

    if (conf_values(conf, "CROSS_PREFIX", &count))
        return mem_copy(conf_get(conf, "CROSS_PREFIX"));
    if (has_word(conf_get(conf, "machine"), build_arch, strlen(build_arch)))
        return mem_copy("");
    return mem_copy(conf_get(conf, "cross-prefix"));
}

/* A program: the variable of its name where that was set, else prefix and default. */
static char *program_of(struct conf *conf, const char *variable, const char *prefix,
                        const char *name)
{
    const char *given = conf_get(conf, variable);

    return *given ? mem_copy(given) : mem_format("%s%s", prefix, name);
}

static int missing(struct conf *conf, const struct toolchain *tools, const char *program,
                   struct err *err)
{
    const char *packages = conf_get(conf, "cross-packages");
    size_t given;

    conf_values(conf, "CROSS_PREFIX", &given);
    if (!*tools->prefix)
        packages = "build-essential";
    if (!*packages || (given && strcmp(tools->prefix, conf_get(conf, "cross-prefix")) != 0))
        return err_set(err, ERR_INPUT, "%s is not on PATH; install it or say CROSS_PREFIX=...",
                       program);
    return err_set(err, ERR_INPUT,
                   "%s is not on PATH; install it (apt-get install %s) or say CROSS_PREFIX=...",
                   program, packages);
}

/* Finds a program and adds its identity to `identity`. */
static int find_program(struct conf *conf, const struct toolchain *tools, const char *program,
                        struct str *identity, struct err *err)
{
    char *path = toolchain_find(program);

    if (path == NULL)
        return missing(conf, tools, program, err);
    char *text = probe_identity(path);
    str_addf(identity, "%s;", text);
    free(text);
    free(path);
    return 0;
}

bool toolchain_names(const char *name, const char *tool)
{
    size_t length = strlen(name), rest = strlen(tool);
    while (length && (isdigit((unsigned char)name[length - 1]) || name[length - 1] == '.'))
        length--;
    if (length && name[length] && name[length - 1] == '-')
        length--; /* a version stands behind a dash */
    else
        length = strlen(name);
    return length >= rest && memcmp(name + length - rest, tool, rest) == 0 &&
           (length == rest || name[length - rest - 1] == '-');
}

/* Whether the compiler makes code for the arch: the machine of its triplet is one of the conf's. */
static int check_machine(struct conf *conf, const struct toolchain *tools, struct err *err)
{
    const char *machines = conf_get(conf, "machine"), *arch = conf_get(conf, "arch");
    /* Of "ccache gcc" the last word is the compiler. */
    const char *last = strrchr(tools->cc, ' ');
    char *cache = path_join(conf_root(conf), CACHE_FILE);
    char *path = toolchain_find(last ? last : tools->cc);
    char *triplet = path ? probe_cached(cache, path, "-dumpmachine") : NULL;
    int result = 0;

    if (triplet == NULL)
        result = err_set(err, ERR_INPUT, "%s -dumpmachine does not answer; is it a compiler?",
                         tools->cc);
    else if (*machines && !has_word(machines, triplet, strcspn(triplet, "-")))
        result = err_set(err, ERR_INPUT,
                         "%s builds for %s, but ARCH is %s (%s); choose another CROSS_PREFIX "
                         "(conf/%s.mk: %s) or another ARCH",
                         tools->cc, triplet, arch, machines, arch, conf_get(conf, "cross-prefix"));
    free(triplet);
    free(path);
    free(cache);
    return result;
}

int toolchain_resolve(struct toolchain *tools, struct conf *conf, struct err *err)
{
    struct str identity = {0}, host_identity = {0};

    *tools = (struct toolchain){.build_arch = mem_copy(conf_get(conf, "host_arch"))};
    tools->prefix = find_prefix(conf, tools->build_arch);
    tools->cc = program_of(conf, "CC", tools->prefix, "gcc");
    tools->cxx = program_of(conf, "CXX", tools->prefix, "g++");
    tools->ld = program_of(conf, "LD", tools->prefix, "ld");
    tools->ar = program_of(conf, "AR", tools->prefix, "ar");
    tools->strip = program_of(conf, "STRIP", tools->prefix, "strip");
    tools->objcopy = program_of(conf, "OBJCOPY", tools->prefix, "objcopy");
    tools->host_cc = program_of(conf, "HOST_CC", "", "cc");

    /* g++ is looked for by the steps that need it: a tree may have no C++ at all. */
    const char *const needed[] = {tools->cc, tools->ld, tools->ar, tools->strip, tools->objcopy};
    int result = 0;
    for (size_t i = 0; result == 0 && i < sizeof needed / sizeof needed[0]; i++)
        result = find_program(conf, tools, needed[i], &identity, err);
    char *host = toolchain_find(tools->host_cc);
    if (result == 0 && host == NULL)
        result = err_set(err, ERR_INPUT,
                         "%s, for programs of the build machine, is not on PATH; install it "
                         "(apt-get install build-essential) or say HOST_CC=...",
                         tools->host_cc);
    char *host_text = host ? probe_identity(host) : NULL;
    str_add(&host_identity, host_text ? host_text : "");
    if (result == 0)
        result = check_machine(conf, tools, err);
    free(host_text);
    free(host);
    tools->identity = str_take(&identity);
    tools->host_identity = str_take(&host_identity);
    return result;
}

void toolchain_free(struct toolchain *tools)
{
    char *const owned[] = {tools->prefix,     tools->cc,       tools->cxx,          tools->ld,
                           tools->ar,         tools->strip,    tools->objcopy,      tools->host_cc,
                           tools->build_arch, tools->identity, tools->host_identity};

    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        free(owned[i]);
    *tools = (struct toolchain){0};
}

char *toolchain_version(const char *program)
{
    char *path = toolchain_find(program);
    char *line = path ? probe_run(path, "--version") : NULL;

    free(path);
    return line;
}

#include "run/locale.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/str.h"
#include "toolchain/toolchain.h"
#include "trace/trace.h"

/* The name that a category has by the environment. */
static const char *name_of(const char *variable)
{
    const char *const names[] = {"LC_ALL", variable, "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return strcmp(value, "POSIX") == 0 ? "C" : value;
    }
    return "C";
}

void locale_put(struct str *out)
{
    static const struct {
        const char *variable;
        int mask;
    } categories[] = {{"LC_COLLATE", LC_COLLATE_MASK},
                      {"LC_CTYPE", LC_CTYPE_MASK},
                      {"LC_NUMERIC", LC_NUMERIC_MASK},
                      {"LC_TIME", LC_TIME_MASK}};
    enum { COUNT = sizeof categories / sizeof *categories };
    const char *names[COUNT];
    bool same = true;
    for (size_t i = 0; i < COUNT; i++) {
        names[i] = name_of(categories[i].variable);
        locale_t found =
            strcmp(names[i], "C") ? newlocale(categories[i].mask, names[i], NULL) : NULL;
        if (found)
            freelocale(found);
        else /* C, or one that is not here, in whose place programs go by C */
            names[i] = "C";
        same &= strcmp(names[i], names[0]) == 0;
    }
    if (same && strcmp(names[0], "C") == 0)
        return;
    for (size_t i = 0; i < (same ? 1 : COUNT); i++)
        str_addf(out, "%s=%s\n", same ? "LANG" : categories[i].variable, names[i]);
}

static bool is_alike_everywhere(const char *name)
{
    static const char *const words[] = {
        "ccache", "distcc",  "icecc",  "gcc",         "g++",      "cc",      "c++",    "cpp",
        "cc1",    "cc1plus", "lto1",   "lto-wrapper", "clang",    "clang++", "as",     "ld",
        "ld.bfd", "ld.gold", "ld.lld", "lld",         "collect2", "ar",      "ranlib", "strip",
        "nm",     "objcopy", "dash",   "mkdir",       "rmdir",    "cp",      "mv",     "rm",
        "ln",     "cat",     "touch",  "chmod",       "true",     "false",   "cmp",    "install"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (toolchain_names(name, words[i]))
            return true;
    return false;
}

bool locale_matters(const struct trace *trace, const char *command)
{
    bool any = false;
    for (size_t i = 0; trace && i < trace->accesses.len; i++) {
        const struct access *access = &trace->accesses.at[i];
        if (!(access->kinds & ACCESS_EXEC) || !access->found)
            continue;
        const char *name = path_base(name_text(access->path));
        if (str_starts(name, "ld-linux")) /* which comes with each dynamic program */
            continue;
        /* bash puts what a pattern matches in the order of the locale. */
        bool alike =
            strcmp(name, "bash") == 0 ? !strpbrk(command, "*?[") : is_alike_everywhere(name);
        if (!alike)
            return true;
        any = true;
    }
    return !any || trace->flaws;
}

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "load/make_internal.h"

/* A program's name (without directory, cross prefix and version) and what it does. The later in
 * this table, the more a command is about it: `mkdir -p x; echo CC y; gcc -c y` is a compile. */
static const struct {
    const char *program, *rule;
} programs[] = {
    {"echo", "note"},   {"printf", "note"}, {"true", "note"},   {":", "note"},
    {"mkdir", "file"},  {"rm", "file"},     {"touch", "file"},  {"ln", "file"},
    {"cp", "copy"},     {"dd", "copy"},     {"mv", "copy"},     {"install", "copy"},
    {"sed", "gen"},     {"awk", "gen"},     {"cat", "gen"},     {"python", "gen"},
    {"perl", "gen"},    {"sh", "gen"},      {"bash", "gen"},    {"m4", "gen"},
    {"bison", "gen"},   {"flex", "gen"},    {"strip", "strip"}, {"objcopy", "objcopy"},
    {"ar", "ar"},       {"ranlib", "ar"},   {"gcc-ar", "ar"},   {"ant", "ant"},
    {"mvn", "mvn"},     {"javac", "javac"}, {"cargo", "cargo"}, {"go", "go"},
    {"cmake", "cmake"}, {"ld", "link"},     {"ld.bfd", "link"}, {"ld.gold", "link"},
    {"ld.lld", "link"}, {"as", "as"},       {"cc", "cc"},       {"gcc", "cc"},
    {"clang", "cc"},    {"c99", "cc"},      {"tcc", "cc"},      {"g++", "cxx"},
    {"c++", "cxx"},     {"clang++", "cxx"}, {"gmake", "make"},  {"make", "make"},
};
#define PROGRAMS (sizeof programs / sizeof *programs)

/* x86_64-linux-gnu-gcc-12 is gcc: tries each tail after a '-', without "-12" or "3.11". */
static size_t program_rank(const char *word, size_t length)
{
    while (length && strchr("0123456789.", word[length - 1]))
        length--;
    if (length && word[length - 1] == '-')
        length--;
    for (;;) {
        for (size_t i = PROGRAMS; i-- > 0;)
            if (strlen(programs[i].program) == length &&
                memcmp(programs[i].program, word, length) == 0)
                return i + 1;
        const char *dash = memchr(word, '-', length);
        if (!dash)
            return 0;
        length -= (size_t)(dash + 1 - word);
        word = dash + 1;
    }
}

/* Whether the command has `flag` as a word of its own. */
static bool has_flag(const char *command, const char *flag)
{
    size_t length = strlen(flag);
    for (const char *at = command; (at = strstr(at, flag)); at += length)
        if (at > command && strchr(" \t", at[-1]) && (!at[length] || strchr(" \t\n;", at[length])))
            return true;
    return false;
}

static bool names_source(const char *command, const char *suffix)
{
    size_t length = strlen(suffix);
    for (const char *at = command; (at = strstr(at, suffix)); at += length)
        if (!at[length] || strchr(" \t\n;'\"&|)", at[length]))
            return true;
    return false;
}

static const char *compiler_rule(const char *rule, const char *command)
{
    if (!has_flag(command, "-c") && !has_flag(command, "-S") && !has_flag(command, "-E"))
        return names_source(command, ".c") || names_source(command, ".cc") ? rule : "link";
    if (names_source(command, ".S") || names_source(command, ".s"))
        return "as";
    if (names_source(command, ".cc") || names_source(command, ".cpp") ||
        names_source(command, ".cxx"))
        return "cxx";
    return rule;
}

const char *make_rule_of(const char *command)
{
    size_t best = 0;
    bool at_start = true; /* of a simple command */
    for (const char *at = command; *at;) {
        size_t length = strcspn(at, " \t\n;&|(){}'\"`");
        if (length && at_start && !memchr(at, '=', length)) {
            const char *slash = memrchr(at, '/', length);
            const char *word = slash ? slash + 1 : at;
            size_t rank = program_rank(word, length - (size_t)(word - at));
            if (rank > best)
                best = rank;
            static const char *const openers[] = {"then", "do", "else", "if", "!", "exec", "time"};
            at_start = false;
            for (size_t i = 0; i < sizeof openers / sizeof *openers; i++)
                at_start |= strlen(openers[i]) == length && memcmp(openers[i], at, length) == 0;
        }
        at += length;
        if (!*at)
            break;
        if (*at == '\'' || *at == '"') { /* what is quoted is no command */
            const char *end = strchr(at + 1, *at);
            at = end ? end + 1 : at + 1;
            continue;
        }
        if (strchr("\n;&|({`", *at))
            at_start = true;
        at++;
    }
    if (!best)
        return "gen";
    const char *rule = programs[best - 1].rule;
    return strcmp(rule, "cc") == 0 || strcmp(rule, "cxx") == 0 ? compiler_rule(rule, command)
                                                               : rule;
}

/* The place in the table of the last program that does this; what compilers make of it too. */
static size_t rule_rank(const char *rule)
{
    for (size_t i = PROGRAMS; i-- > 0;)
        if (strcmp(programs[i].rule, rule) == 0)
            return strcmp(rule, "gen") == 0 ? 0 : i + 1;
    return 0;
}

const char *make_rule_with(const char *rule, const char *command)
{
    const char *other = make_rule_of(command);
    bool passing = strcmp(rule, "note") == 0 || strcmp(rule, "file") == 0;
    bool vague = strcmp(other, "note") == 0 || strcmp(other, "file") == 0;
    if (passing)
        return other;
    return !vague && rule_rank(other) > rule_rank(rule) ? other : rule;
}

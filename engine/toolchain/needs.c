/* Needs by the form of their word: -lNAME and *.a libraries, ./PATH files of the tree, *.h* headers, CXX
 * the C++ compiler, anything else a program. */
#include "toolchain/needs.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/look.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "toolchain/probe.h"

struct search {
    struct conf *conf;
    const struct toolchain *tools;
    need_list *missing;
    str_list seen; /* words that were looked at */
};

static bool is_header(const char *word)
{
    return str_ends(word, ".h") || str_ends(word, ".hpp") || str_ends(word, ".hh");
}

static bool is_library(const char *word)
{
    return str_starts(word, "-l") || str_ends(word, ".a") || str_ends(word, ".so");
}

/* What `compiler argument...` prints first; the compiler may be of several words. NULL: it failed. */
static char *ask(const char *compiler, const char *const *arguments, size_t count)
{
    str_list words = {0};
    text_split(&words, compiler);
    for (size_t i = 0; i < count; i++)
        vec_push(&words, mem_copy(arguments[i]));
    vec_push(&words, NULL);
    char *answer = words.len > count + 1 ? probe_argv(words.at) : NULL;
    words.len--;
    str_list_free(&words);
    return answer;
}

static bool has_header(const char *compiler, const char *language, const char *word)
{
    const char *const arguments[] = {"-x", language, "-E", "-include", word, "/dev/null"};
    char *answer = ask(compiler, arguments, sizeof arguments / sizeof *arguments);
    bool found = answer != NULL;
    free(answer);
    return found;
}

/* A compiler that does not find a file answers with the name alone. */
static bool has_file(const char *compiler, const char *name)
{
    char *argument = mem_format("-print-file-name=%s", name);
    char *answer = ask(compiler, (const char *const[]){argument}, 1);
    bool found = answer && strchr(answer, '/');
    free(answer);
    free(argument);
    return found;
}

static bool has_library(const char *compiler, const char *word)
{
    if (!str_starts(word, "-l"))
        return has_file(compiler, word);
    char *shared = mem_format("lib%s.so", word + 2), *archive = mem_format("lib%s.a", word + 2);
    bool found = has_file(compiler, shared) || has_file(compiler, archive);
    free(shared);
    free(archive);
    return found;
}

static bool has_program(const char *word)
{
    char *path = toolchain_find(word);
    bool found = path != NULL;
    free(path);
    return found;
}

static bool has_path(const struct search *search, const char *word)
{
    char *path = path_join(conf_root(search->conf), word + 2);
    look_at(path);
    bool found = access(path, F_OK) == 0;
    free(path);
    return found;
}

/* Whether a word that conf may name twice is looked at for the first time. */
static bool is_first(struct search *search, const char *word)
{
    for (size_t i = 0; i < search->seen.len; i++)
        if (strcmp(search->seen.at[i], word) == 0)
            return false;
    vec_push(&search->seen, mem_copy(word));
    return true;
}

static void miss(struct search *search, enum need_kind kind, const char *word, char *text,
                 const char *packages)
{
    char *package = mem_format("package-%s", word), *command = mem_format("install-%s", word);
    const char *named = conf_get(search->conf, package);
    vec_push(search->missing,
             (struct need){kind, mem_copy(word), text, mem_copy(*named ? named : packages),
                           mem_copy(conf_get(search->conf, command))});
    free(package);
    free(command);
}

static void need_program(struct search *search, enum need_kind kind, const char *word,
                         const char *packages)
{
    if (is_first(search, word) && !has_program(word))
        miss(search, kind, word, mem_copy(word), packages);
}

/* ---- the toolchain ---- */

/* The packages of the target's programs. */
static const char *target_packages(const struct search *search, const char *own, const char *cross)
{
    return *search->tools->prefix ? conf_get(search->conf, cross) : own;
}

static void need_cxx(struct search *search)
{
    need_program(search, NEED_COMPILER, search->tools->cxx,
                 target_packages(search, "g++", "cross-cxx-packages"));
}

static void need_toolchain(struct search *search)
{
    const struct toolchain *tools = search->tools;
    const char *const programs[] = {tools->cc, tools->ld, tools->ar, tools->strip, tools->objcopy};
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        need_program(search, NEED_COMPILER, programs[i],
                     target_packages(search, "build-essential", "cross-packages"));
    need_program(search, NEED_COMPILER, tools->host_cc, "build-essential");
}

/* ---- what is declared ---- */

static bool has_word(struct search *search, const char *cc, const char *cxx, const char *word)
{
    if (str_starts(word, "./"))
        return has_path(search, word);
    if (is_library(word))
        return has_library(cc, word);
    if (is_header(word))
        return str_ends(word, ".h") ? has_header(cc, "c", word)
                                    : cxx && has_header(cxx, "c++", word);
    return has_program(word);
}

static void need_words(struct search *search, const char *name, const char *cc, const char *cxx)
{
    str_list words = {0};
    text_split(&words, conf_get(search->conf, name));
    for (size_t i = 0; i < words.len; i++) {
        const char *word = words.at[i];
        if (strcmp(word, "CXX") == 0) {
            need_cxx(search);
            continue;
        }
        char *of = mem_format("%s %s", name, word); /* of the host is not of the target */
        bool first = is_first(search, of);
        free(of);
        if (!first || has_word(search, cc, cxx, word))
            continue;
        const char *kind = str_starts(word, "./") ? ""
                           : is_library(word)     ? "library "
                           : is_header(word)      ? "header "
                                                  : "";
        miss(search, NEED_DECLARED, word, mem_format("%s%s", kind, word), "");
    }
    str_list_free(&words);
}

static bool is_object_of_cxx(const struct search *search, const char *object)
{
    static const char *const suffixes[] = {".c", ".S", ".cc"};
    size_t length = strlen(object);
    for (size_t i = 0; length > 2 && i < sizeof suffixes / sizeof *suffixes; i++) {
        char *name =
            mem_format("%s/%.*s%s", conf_root(search->conf), (int)length - 2, object, suffixes[i]);
        look_at(name);
        bool there = access(name, F_OK) == 0;
        free(name);
        if (there)
            return strcmp(suffixes[i], ".cc") == 0;
    }
    return false;
}

/* A target of C++ needs its compiler, which no other tree does. */
static void need_objects(struct search *search, const char *target)
{
    str_list words = {0};
    text_split(&words, conf_get_for(search->conf, target, "objects"));
    bool found = false;
    for (size_t i = 0; i < words.len && !found; i++)
        found = str_ends(words.at[i], ".o") && is_object_of_cxx(search, words.at[i]);
    if (found)
        need_cxx(search);
    str_list_free(&words);
}

/* The program that a declared command starts; those of the tree are made by the build. */
static void need_commands(struct search *search)
{
    str_list names = {0};
    conf_target_names(search->conf, &names);
    for (size_t i = 0; i < names.len; i++) {
        const char *rule = conf_get_for(search->conf, names.at[i], "rule");
        bool tool = strcmp(rule, "tool") == 0 || strcmp(rule, "header") == 0;
        bool shell = strcmp(conf_get_for(search->conf, names.at[i], "shell"), "1") == 0;
        str_list words = {0};
        text_split(&words,
                   tool && !shell ? conf_get_for(search->conf, names.at[i], "command") : "");
        if (words.len && !strpbrk(words.at[0], "/$"))
            need_program(search, NEED_DECLARED, words.at[0], "");
        if (strcmp(rule, "ant") == 0)
            need_program(search, NEED_DECLARED, "ant", "");
        str_list_free(&words);
        need_objects(search, names.at[i]);
    }
    str_list_free(&names);
}

size_t needs_missing(struct conf *conf, const struct toolchain *tools, need_list *missing)
{
    struct search search = {conf, tools, missing, {0}};
    const char *qemu = conf_get(conf, "qemu");
    need_toolchain(&search);
    need_commands(&search);
    need_words(&search, "needs", tools->cc, tools->cxx);
    need_words(&search, "host-needs", tools->host_cc, NULL);
    if (*qemu)
        need_program(&search, NEED_BOOT, qemu, conf_get(conf, "qemu-package"));
    size_t all = search.seen.len;
    str_list_free(&search.seen);
    return all;
}

void need_list_free(need_list *list)
{
    for (size_t i = 0; i < list->len; i++) {
        free(list->at[i].what);
        free(list->at[i].text);
        free(list->at[i].packages);
        free(list->at[i].command);
    }
    vec_free(list);
}

char *needs_text(const need_list *missing)
{
    struct str text = {0};
    for (size_t i = 0; i < missing->len; i++)
        str_addf(&text, "%s%s%s", i ? ", " : "", missing->at[i].text,
                 missing->at[i].kind == NEED_BOOT ? " (to boot)" : "");
    return str_take(&text);
}

/* Adds `word` to a list unless it is there. */
static void add_once(str_list *list, const char *word)
{
    for (size_t i = 0; i < list->len; i++)
        if (strcmp(list->at[i], word) == 0)
            return;
    vec_push(list, mem_copy(word));
}

char *needs_command(const need_list *missing)
{
    str_list packages = {0}, commands = {0};
    struct str text = {0};
    for (size_t i = 0; i < missing->len; i++) {
        str_list words = {0};
        text_split(&words, missing->at[i].packages);
        for (size_t k = 0; k < words.len; k++)
            add_once(&packages, words.at[k]);
        str_list_free(&words);
        if (*missing->at[i].command)
            add_once(&commands, missing->at[i].command);
    }
    for (size_t i = 0; i < packages.len; i++)
        str_addf(&text, "%s%s", i ? " " : "apt-get install ", packages.at[i]);
    for (size_t i = 0; i < commands.len; i++)
        str_addf(&text, "%s%s", text.len ? " && " : "", commands.at[i]);
    str_list_free(&packages);
    str_list_free(&commands);
    return str_take(&text);
}

/*
 * What an image of an OSv tree can be made of: scripts/module.py takes `images/NAME.py`, or a list of
 * modules, which are directories of the repositories that config.json names, each with a run
 * configuration behind a dot where its default one is not wanted. `-NAME` takes one out again; module.py
 * itself refuses that always ("Attempt to disable"), so it never comes to see it.
 */
#include "conf/select.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/file.h"
#include "base/look.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"

static bool there(const char *root, const char *path)
{
    char *full = path_join(root, path);
    look_at(full);
    bool found = access(full, F_OK) == 0;
    free(full);
    return found;
}

const char *select_osv_conf(const char *root)
{
    if (!there(root, "scripts/module.py") || !there(root, "conf/base.mk"))
        return NULL;
    return there(root, "scripts/build") ? "conf/osv/head.mk"
           : there(root, "build.mk")    ? "conf/osv/2014.mk"
                                        : NULL;
}

/* ---- config.json ---- */

/* A path of config.json: ${OSV_BASE} is the tree. New. */
static char *expand_base(const char *root, const char *path)
{
    static const char *const names[] = {"${OSV_BASE}", "$OSV_BASE"};
    for (size_t i = 0; i < 2; i++)
        if (str_starts(path, names[i])) {
            const char *rest = path + strlen(names[i]);
            char *whole = mem_format("%s%s", root, rest), *clean = path_clean(whole);
            free(whole);
            return clean;
        }
    return path_join(root, path);
}

static json_t *read_json(const char *path, struct err *err)
{
    json_error_t wrong;
    look_at(path);
    json_t *json = json_load_file(path, 0, &wrong);
    if (!json)
        err_at(err, path, wrong.line > 0 ? (unsigned)wrong.line : 0, 0, "%s", wrong.text);
    return json;
}

/* The tree's config.json with what it includes; NULL and err where one cannot be read. */
static json_t *read_config(const char *root, struct err *err)
{
    char *path = path_join(root, "config.json");
    json_t *config = read_json(path, err), *modules = json_object_get(config, "modules");
    size_t i;
    json_t *name;
    free(path);
    json_array_foreach(json_object_get(modules, "include"), i, name)
    {
        if (!json_is_string(name))
            continue;
        char *file = expand_base(root, json_string_value(name));
        json_t *more = read_json(file, err);
        free(file);
        if (!more) {
            json_decref(config);
            return NULL;
        }
        json_object_update(modules, more);
        json_decref(more);
    }
    return config;
}

/* The directory of a module, new; NULL where there is none. */
static char *module_dir(const char *root, const json_t *config, const char *name)
{
    const json_t *modules = json_object_get(config, "modules");
    const json_t *own = json_object_get(modules, name);
    size_t i;
    json_t *repository;
    if (json_is_object(own))
        return expand_base(root, json_string_value(json_object_get(own, "path"))
                                     ? json_string_value(json_object_get(own, "path"))
                                     : "");
    json_array_foreach(json_object_get(modules, "repositories"), i, repository)
    {
        if (!json_is_string(repository))
            continue;
        char *above = expand_base(root, json_string_value(repository));
        char *dir = path_join(above, name);
        struct stat st;
        free(above);
        look_at(dir);
        if (stat(dir, &st) == 0 && S_ISDIR(st.st_mode))
            return dir;
        free(dir);
    }
    return NULL;
}

static void add_dirs(const char *dir, str_list *names)
{
    look_at(dir);
    DIR *entries = opendir(dir);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        struct stat st;
        bool is_dir = entry->d_type == DT_DIR;
        if (entry->d_type == DT_UNKNOWN || entry->d_type == DT_LNK)
            is_dir = fstatat(dirfd(entries), entry->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode);
        if (is_dir && entry->d_name[0] != '.')
            vec_push(names, mem_copy(entry->d_name));
    }
    if (entries)
        closedir(entries);
}

static void add_images(const char *root, str_list *names)
{
    char *dir = path_join(root, "images");
    look_at(dir);
    DIR *entries = opendir(dir);
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        if (entry->d_name[0] != '.' && entry->d_name[0] != '_' && str_ends(entry->d_name, ".py"))
            vec_push(names, mem_copy_n(entry->d_name, strlen(entry->d_name) - 3));
    if (entries)
        closedir(entries);
    free(dir);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, and each name once, from `first` on. */
static void sort_names(str_list *names, size_t first)
{
    size_t out = first;
    if (names->len > first)
        qsort(names->at + first, names->len - first, sizeof *names->at, by_text);
    for (size_t i = first; i < names->len; i++) {
        if (out > first && strcmp(names->at[i], names->at[out - 1]) == 0)
            free(names->at[i]);
        else
            names->at[out++] = names->at[i];
    }
    names->len = out;
}

void select_osv_images(const char *root, str_list *names)
{
    size_t first = names->len, i;
    json_t *config = read_config(root, NULL), *modules = json_object_get(config, "modules"), *at;
    const char *name;
    add_images(root, names);
    json_object_foreach(modules, name, at) if (json_is_object(at)) vec_push(names, mem_copy(name));
    json_array_foreach(json_object_get(modules, "repositories"), i, at)
    {
        if (!json_is_string(at))
            continue;
        char *dir = expand_base(root, json_string_value(at));
        add_dirs(dir, names);
        free(dir);
    }
    json_decref(config);
    sort_names(names, first);
}

/* ---- the list ---- */

struct list {
    const char *root;
    const struct select_osv_list *given;
    const json_t *config;
    struct err *err;
};

static int fail_word(const struct list *list, const char *kind, const char *word,
                     const char *const *names, size_t count, const char *more)
{
    struct str from = {0};
    origin_text(list->given->origin, &from);
    const char *near = text_nearest(word, names, count);
    err_set(list->err, ERR_INPUT, "unknown %s '%.200s' (from %s)%s%s%s%s", kind, word,
            str_text(&from), near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "",
            near ? "" : more);
    str_free(&from);
    return -1;
}

static int unknown_module(const struct list *list, const char *name)
{
    str_list names = {0};
    select_osv_images(list->root, &names);
    bool empty = !there(list->root, "apps/README.md") && !there(list->root, "apps/native-example");
    fail_word(list, list->given->what, name, (const char *const *)names.at, names.len,
              empty ? "; apps/ is empty: git submodule update --init apps"
                    : "; gantry config image-names lists those there are");
    str_list_free(&names);
    return -1;
}

static bool is_word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Adds what a Python text assigns at the beginning of a line; true where it has `word` anywhere. */
static bool find_python_name(const char *text, const char *word, str_list *names)
{
    size_t length = strlen(word);
    bool found = false;
    for (const char *at = text; *at;) {
        size_t line = strcspn(at, "\n"), name = 0;
        while (name < line && is_word_char(at[name]))
            name++;
        size_t equal = name + strspn(at + name, " \t");
        if (name && at[equal] == '=' && at[equal + 1] != '=' && at[0] != '_')
            vec_push(names, mem_copy_n(at, name));
        at += line + (at[line] == '\n');
    }
    for (const char *at = text; !found && (at = strstr(at, word)); at++)
        found = (at == text || !is_word_char(at[-1])) && !is_word_char(at[length]);
    return found;
}

/* A run configuration is a name of the module's module.py. */
static int check_run_config(const struct list *list, const char *dir, const char *module,
                            const char *name)
{
    char *path = path_join(dir, "module.py");
    look_at(path);
    char *text = file_read(path, NULL, NULL);
    str_list names = {0};
    int status = 0;
    free(path);
    if (strcmp(name, "none") != 0 && strcmp(name, "*") != 0 &&
        !find_python_name(text ? text : "", name, &names)) {
        char *kind = mem_format("run configuration of %.100s", module);
        status = fail_word(list, kind, name, (const char *const *)names.at, names.len, "");
        free(kind);
    }
    str_list_free(&names);
    free(text);
    return status;
}

static int check_module(const struct list *list, const char *word)
{
    size_t length = strcspn(word, ".");
    char *name = mem_copy_n(word, length);
    bool plain = length && name[0] != '.' && !strchr(name, '/'); /* no way out of a repository */
    char *dir = plain ? module_dir(list->root, list->config, name) : NULL;
    int status = !dir                  ? unknown_module(list, word[length] && length ? name : word)
                 : word[length] == '.' ? check_run_config(list, dir, name, word + length + 1)
                                       : 0;
    free(dir);
    free(name);
    return status;
}

/* The words between commas, blanks around them left out; an empty one is an error. */
static int split_list(const struct list *list, const char *text, str_list *words)
{
    for (const char *at = text;;) {
        size_t length = strcspn(at, ",");
        const char *start = at;
        size_t size = length;
        while (size && isspace((unsigned char)*start))
            start++, size--;
        while (size && isspace((unsigned char)start[size - 1]))
            size--;
        if (!size)
            return err_set(list->err, ERR_INPUT,
                           "%s=%.200s: a name is missing; names stand between commas",
                           list->given->what, text);
        vec_push(words, mem_copy_n(start, size));
        if (!at[length])
            return 0;
        at += length + 1;
    }
}

/* Takes out what `-NAME` says, with or without a run configuration. */
static int take_out(const struct list *list, str_list *names, const char *name)
{
    size_t out = 0, length = strlen(name);
    for (size_t i = 0; i < names->len; i++) {
        char *word = names->at[i];
        if (strncmp(word, name, length) == 0 && (!word[length] || word[length] == '.'))
            free(word);
        else
            names->at[out++] = word;
    }
    bool found = out < names->len;
    names->len = out;
    if (found)
        return 0;
    return fail_word(list, "module to leave out,", name, (const char *const *)names->at, names->len,
                     ": it is not in the list, and what others require stays; name what is wanted");
}

static bool has_module(const str_list *names, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < names->len; i++)
        if (strncmp(names->at[i], name, length) == 0 &&
            (!names->at[i][length] || names->at[i][length] == '.'))
            return true;
    return false;
}

/* The list as module.py is to see it, without `-NAME`. */
static int resolve_words(const struct list *list, const str_list *words, struct str *out)
{
    bool defaults = strcmp(list->given->what, "modules") == 0;
    const char *more = list->given->more;
    str_list names = {0};
    size_t i;
    json_t *name;
    int status = 0;
    json_array_foreach(defaults ? json_object_get(list->config, "default") : NULL, i,
                       name) if (json_is_string(name))
        vec_push(&names, mem_copy(json_string_value(name)));
    for (i = 0; i < words->len && !status; i++)
        if (words->at[i][0] != '-' && (status = check_module(list, words->at[i])) == 0)
            vec_push(&names, mem_copy(words->at[i]));
    for (i = 0; i < words->len && !status; i++)
        if (words->at[i][0] == '-')
            status = take_out(list, &names, words->at[i] + 1);
    if (!names.len)
        vec_push(&names, mem_copy("empty"));
    if (*more && !has_module(&names, more))
        vec_push(&names, mem_copy(more));
    for (i = 0; i < names.len; i++)
        str_addf(out, "%s%s", i ? "," : "!", names.at[i]);
    str_list_free(&names);
    return status;
}

int select_osv_modules(const char *root, const struct select_osv_list *given, struct str *out,
                       struct err *err)
{
    struct list list = {root, given, NULL, err};
    const char *text = given->text;
    str_list words = {0};
    char *file = mem_format("images/%s.py", text);
    bool whole = *text && text[0] != '.' && !strpbrk(text, ",/") && there(root, file);
    json_t *config = read_config(root, err);
    int status = config ? 0 : -1;
    list.config = config;
    char *dir = whole && *given->more && config ? module_dir(root, config, text) : NULL;
    if (!status && whole && *given->more && !dir)
        status = err_set(err, ERR_INPUT,
                         "%s is no list of modules, and %s must be added to it; name its modules: "
                         "%s=MODULE,...",
                         file, given->more, given->what);
    else if (!status && whole && !*given->more)
        str_addf(out, "!%s", text);
    else if (!status)
        status = split_list(&list, text, &words) == 0 ? resolve_words(&list, &words, out) : -1;
    str_list_free(&words);
    json_decref(config);
    free(dir);
    free(file);
    return status;
}

/* ---- names of values ---- */

static void add_words(const char *path, const char *prefix, const char *with, str_list *names)
{
    look_at(path);
    char *text = file_read(path, NULL, NULL);
    size_t length = strlen(prefix);
    for (const char *at = text; at && (at = strstr(at, prefix)); at += length) {
        size_t word = 0;
        while (is_word_char(at[length + word]))
            word++;
        if (word && (at == text || !is_word_char(at[-1])))
            vec_push(names, mem_format("%s%.*s", with, (int)word, at + length));
    }
    free(text);
}

/* conf_NAME is what makefiles say, `config NAME` what conf/kconfig/ does. */
static void add_conf_names(const char *root, const char *arch, str_list *names)
{
    char *profiles = mem_format("conf/profiles/%s", arch);
    const char *const dirs[] = {"conf", "conf/kconfig", profiles};
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
        char *dir = path_join(root, dirs[i]);
        look_at(dir);
        DIR *entries = opendir(dir);
        for (struct dirent *entry; entries && (entry = readdir(entries));) {
            char *path = path_join(dir, entry->d_name);
            if (entry->d_name[0] != '.' && entry->d_type != DT_DIR) {
                add_words(path, "conf_", "conf_", names);
                add_words(path, "config ", "conf_", names);
            }
            free(path);
        }
        if (entries)
            closedir(entries);
        free(dir);
    }
    char *path = path_join(root, "Makefile");
    add_words(path, "conf_", "conf_", names);
    free(path);
    free(profiles);
}

int select_osv_name(const char *root, const char *arch, const char *name,
                    const struct origin *origin, struct err *err)
{
    static const char *const known[] = {
        "image",     "modules",    "fs",      "fs_size",         "fs_size_mb",
        "export",    "export_dir", "usrskel", "bootfs_manifest", "append_manifest",
        "mode",      "arch",       "cmdline", "img_format",      "app_local_exec_tls_size",
        "boot-image"};
    enum { KNOWN = sizeof known / sizeof *known };
    str_list names = {0};
    struct str from = {0};
    bool is_conf = str_starts(name, "conf_"), found = false;
    const char *near = NULL;
    if (is_conf) {
        add_conf_names(root, arch, &names);
        near = text_nearest(name, (const char *const *)names.at, names.len);
        for (size_t i = 0; i < names.len; i++)
            found = found || strcmp(names.at[i], name) == 0;
    } else if (strlen(name) > 3) {
        near = text_nearest(name, known, KNOWN);
        for (size_t i = 0; i < KNOWN; i++)
            found = found || strcmp(known[i], name) == 0;
    }
    origin_text(origin, &from);
    int status = 0;
    if (!found && (near || is_conf))
        status = err_set(err, ERR_INPUT, "%s= (from %s): nothing is called so in this tree%s%s%s",
                         name, str_text(&from), near ? ", did you mean " : "", near ? near : "",
                         near ? "?" : "");
    str_free(&from);
    str_list_free(&names);
    return status;
}

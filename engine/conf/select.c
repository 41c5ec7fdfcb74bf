/*
 * What can be picked, and the saved selection. An arch is a conf file that says which machine it is
 * for, or that has a directory arch/<name>/ beside it (OSv's do not say); images are conf/images/;
 * every other conf file but base.mk is a mode. No name of an arch stands in the code.
 */
#include "conf/select.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/look.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "conf/dialect.h"
#include "conf/stock.h"

static bool exists(const char *root, const char *dir, const char *name)
{
    char *path = mem_format("%s/%s%s", root, dir, name);
    struct stat st;
    look_at(path);
    bool found = stat(path, &st) == 0;

    free(path);
    return found;
}

enum described select_described(const char *root)
{
    if (exists(root, "", "module.mk"))
        return DESCRIBED_NATIVE;
    if (select_osv_conf(root))
        return DESCRIBED_OSV;
    return exists(root, "conf/", "base.mk") ? DESCRIBED_CONF : DESCRIBED_NOT;
}

const char *select_name(const char *name)
{
    return strcmp(name, "ARCH") == 0 ? "arch" : name;
}

/* ---- choices ---- */

static bool has_name(const str_list *names, const char *name, size_t length)
{
    for (size_t i = 0; i < names->len; i++)
        if (strlen(names->at[i]) == length && memcmp(names->at[i], name, length) == 0)
            return true;
    return false;
}

/* Adds the name of "NAME.mk". */
static void add_name(str_list *names, const char *file)
{
    size_t length = strlen(file);

    if (length <= 3 || file[0] == '.' || strcmp(file + length - 3, ".mk") != 0)
        return;
    if (!has_name(names, file, length - 3))
        vec_push(names, mem_copy_n(file, length - 3));
}

/* Names of the .mk files in a directory of the tree; false where it does not exist. */
static bool add_tree_names(const char *root, const char *dir, str_list *names)
{
    char *path = path_join(root, dir);
    look_at(path);
    DIR *entries = opendir(path);
    struct dirent *entry;

    free(path);
    if (entries == NULL)
        return false;
    while ((entry = readdir(entries)) != NULL)
        add_name(names, entry->d_name);
    closedir(entries);
    return true;
}

static void add_stock_names(const char *prefix, str_list *names)
{
    const struct stock_file *file = NULL;

    while ((file = stock_next(prefix, file)) != NULL)
        if (strchr(file->path + strlen(prefix), '/') == NULL)
            add_name(names, file->path + strlen(prefix));
}

/* The value that a text assigns to a name, without reading it as conf; NULL where it does not. */
static char *find_assigned(const char *text, const char *name)
{
    while (text && *text) {
        const char *end = strchrnul(text, '\n');
        char *line = mem_copy_n(text, (size_t)(end - text));
        struct assign_parts parts;
        char *value = NULL;
        if (conf_parse_assign(line, &parts) && parts.name_length == strlen(name) &&
            memcmp(parts.name, name, parts.name_length) == 0)
            value = mem_copy(parts.value);
        free(line);
        if (value)
            return value;
        text = *end ? end + 1 : end;
    }
    return NULL;
}

/* What conf/<arch>.mk, the tree's or the stock one, says its machines are; NULL where nothing. */
static char *find_machine(const char *root, const char *arch)
{
    char *path = mem_format("conf/%s.mk", arch), *full = path_join(root, path);
    size_t length;
    char *text = file_read(full, &length, NULL);
    const struct stock_file *stock = stock_find(path);
    char *machine = find_assigned(text, "machine");

    if (machine == NULL && stock)
        machine = find_assigned(stock->bytes, "machine");
    free(text);
    free(full);
    free(path);
    return machine;
}

static bool is_arch(const char *root, const char *name)
{
    char *machine = find_machine(root, name);
    bool found = machine || exists(root, "arch/", name);

    free(machine);
    return found;
}

/* A stock arch counts where the tree has a directory for it, or none at all. */
static bool is_offered(const char *root, const str_list *own, const char *name)
{
    return has_name(own, name, strlen(name)) || !exists(root, "arch", "") ||
           exists(root, "arch/", name);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void conf_choices(const char *root, enum choice_kind kind, str_list *names)
{
    size_t first = names->len;
    str_list own = {0}, all = {0};

    if (kind == CHOICE_IMAGE && select_described(root) == DESCRIBED_OSV) {
        select_osv_images(root, names);
    } else if (kind == CHOICE_IMAGE) {
        if (!add_tree_names(root, "conf/images", names))
            add_stock_names("conf/images/", names);
    } else {
        add_tree_names(root, "conf", &own);
        add_tree_names(root, "conf", &all);
        add_stock_names("conf/", &all);
        for (size_t i = 0; i < all.len; i++) {
            bool arch = is_arch(root, all.at[i]);
            if (strcmp(all.at[i], "base") != 0 && arch == (kind == CHOICE_ARCH) &&
                (!arch || is_offered(root, &own, all.at[i])))
                vec_push(names, mem_copy(all.at[i]));
        }
    }
    if (names->len > first)
        qsort(names->at + first, names->len - first, sizeof names->at[0], compare_names);
    str_list_free(&own);
    str_list_free(&all);
}

char *select_arch_of(const char *root, const char *machine)
{
    str_list names = {0};
    char *arch = NULL;

    conf_choices(root, CHOICE_ARCH, &names);
    for (size_t i = 0; i < names.len && arch == NULL; i++) {
        char *says = find_machine(root, names.at[i]);
        str_list machines = {0};
        text_split(&machines, says ? says : "");
        if (has_name(&machines, machine, strlen(machine)))
            arch = mem_copy(names.at[i]);
        str_list_free(&machines);
        free(says);
    }
    str_list_free(&names);
    return arch;
}

int select_check(const char *root, enum choice_kind kind, const char *name,
                 const struct origin *origin, struct err *err)
{
    static const char *const kinds[] = {"ARCH", "mode", "image"};
    str_list names = {0};
    struct str list = {0}, from = {0};
    int result = 0;

    conf_choices(root, kind, &names);
    if (!has_name(&names, name, strlen(name))) {
        for (size_t i = 0; i < names.len; i++)
            str_addf(&list, " %s", names.at[i]);
        origin_text(origin, &from);
        const char *nearest = text_nearest(name, (const char *const *)names.at, names.len);
        result =
            err_set(err, ERR_INPUT, "unknown %s '%s' (from %s); there are:%.1000s%s%s%s",
                    kinds[kind], name, str_text(&from), names.len ? str_text(&list) : " none",
                    nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
    }
    str_free(&list);
    str_free(&from);
    str_list_free(&names);
    return result;
}

/* ---- saving ---- */

static int check_name(const char *name, struct err *err)
{
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("_.-", *c))
            return err_set(err, ERR_INPUT,
                           "'%.60s' is no name to save; names have letters, digits, '_', '.', '-'",
                           name);
    if (*name == '\0')
        return err_set(err, ERR_INPUT, "a value without a name; say NAME=VALUE");
    return 0;
}

/* Checks a value as conf_load would find it. */
static int check_value(const char *root, const char *name, const char *value, struct err *err)
{
    static const char *const picks[] = {"arch", "mode", "image"};
    struct conf conf = {.budget = 1000};
    struct origin origin = {.kind = ORIGIN_SCREEN};
    struct expansion x = {.conf = &conf, .at = origin, .err = err};

    if (strpbrk(value, "\n\r"))
        return err_set(err, ERR_INPUT, "%s: a value is one line", name);
    if (expand_check(&x, value, strlen(value)) != 0)
        return -1;
    enum described described = select_described(root);
    if (described == DESCRIBED_OSV && strcmp(name, "image") == 0 && strchr(value, '$') == NULL) {
        struct str words = {0};
        const struct select_osv_list list = {name, value, "", &origin};
        int status = select_osv_modules(root, &list, &words, err);
        str_free(&words);
        return status;
    }
    if (described != DESCRIBED_NATIVE && described != DESCRIBED_OSV)
        return 0;
    for (int kind = CHOICE_ARCH; kind <= CHOICE_IMAGE; kind++)
        if (strcmp(name, picks[kind]) == 0 && strchr(value, '$') == NULL)
            return select_check(root, (enum choice_kind)kind, value, &origin, err);
    return 0;
}

/* Writes a line that reads back as the value: # is quoted, blanks at its start and a backslash at
 * its end are kept by an empty reference beside them. */
static void put_line(struct str *out, const char *name, const char *value)
{
    str_addf(out, "%s = ", name);
    if (isspace((unsigned char)*value))
        str_add(out, "$()");
    for (const char *at = value; *at;) {
        const char *end = *at == '$' ? conf_skip_reference(at + 1) : at + 1;
        size_t slashes = 0;
        while (*at == '#' && at - slashes > value && at[-1 - (ptrdiff_t)slashes] == '\\')
            slashes++;
        for (size_t i = 0; *at == '#' && i < slashes + 1; i++)
            str_add_char(out, '\\');
        str_add_n(out, at, (size_t)(end - at));
        at = end;
    }
    str_add(out, str_ends(value, "\\") ? "$()\n" : "\n");
}

/* Copies the lines of a selection that assign other names; others are not worth keeping. */
static void keep_lines(struct str *out, const char *text, const char *name)
{
    while (text && *text) {
        const char *end = strchrnul(text, '\n');
        char *line = mem_copy_n(text, (size_t)(end - text));
        struct assign_parts parts;
        if (line[0] != '#' && conf_parse_assign(line, &parts)) {
            char *old = mem_copy_n(parts.name, parts.name_length);
            if (strcmp(select_name(old), name) != 0)
                str_addf(out, "%s\n", line);
            free(old);
        }
        free(line);
        text = *end ? end + 1 : end;
    }
}

int conf_save(const char *root, const char *name, const char *value, struct err *err)
{
    struct str text = {0};
    int result;

    name = select_name(name);
    if (check_name(name, err) != 0 || (value && check_value(root, name, value, err) != 0))
        return -1;
    char *path = path_join(root, SELECTION_FILE);
    size_t length;
    char *old = file_read(path, &length, NULL);
    str_add(&text, "# What was picked for this tree: gantry config set NAME=VALUE\n");
    keep_lines(&text, old, name);
    if (value)
        put_line(&text, name, value);
    result = file_make_parents(path, err);
    if (result == 0)
        result = file_write(path, str_text(&text), text.len, 0666, err);
    str_free(&text);
    free(old);
    free(path);
    return result;
}

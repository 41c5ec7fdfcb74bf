/*
 * Loading a configuration, in this order, into one set of variables: values from outside the files;
 * conf/base.mk, conf/<arch>.mk, conf/<mode>.mk, of each the tree's own, or else the stock one (a stock
 * file that the tree has its own of gives only what no other file sets); for a native tree then conf/images/<image>.mk (one of them), module.mk and the
 * modules that it names. For a tree of OSv it is what its kernel was configured with, and beneath all
 * the stock conf/osv/.
 */
#include "conf/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/file.h"
#include "base/look.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "conf/dialect.h"
#include "conf/select.h"
#include "conf/stock.h"

enum { BUDGET = 64 << 20 }; /* bytes that one expansion may look at */

/* Names that the environment may give; the saved selection may give any. */
static const char *const environment_names[] = {"ARCH",    "mode", "image",   "CROSS_PREFIX",
                                                "HOST_CC", "fs",   "cmdline", NULL};
/* Names that nobody else may give. */
static const char *const own_names[] = {"src", "out", "image-out", "host_arch", "image-names"};

static void set_builtin(struct conf *conf, const char *name, const char *text)
{
    variable_outside(conf, name, text, &(struct origin){.kind = ORIGIN_BUILTIN});
}

/* ---- values from outside ---- */

static int add_outside(struct conf *conf, const struct assignment *assign, struct err *err)
{
    struct origin origin = {.kind = assign->kind};
    struct expansion x = {.conf = conf, .at = origin, .err = err};

    for (size_t i = 0; i < sizeof own_names / sizeof own_names[0]; i++)
        if (strcmp(assign->name, own_names[i]) == 0)
            return err_set(err, ERR_INPUT, "'%s' is set by Gantry itself and cannot be given",
                           assign->name);
    if (expand_check(&x, assign->value, strlen(assign->value)) != 0)
        return -1;
    variable_outside(conf, select_name(assign->name), assign->value, &origin);
    return 0;
}

const char *const *conf_environment_names(void)
{
    return environment_names;
}

static int read_saved(struct conf *conf, struct err *err)
{
    char *path = path_join(conf->root, SELECTION_FILE);
    struct source source = {.name = conf_note_file(conf, SELECTION_FILE), .kind = ORIGIN_SAVED};
    char *text = file_read(path, &source.length, NULL);

    free(path);
    if (text == NULL)
        return 0;
    source.text = text;
    int result = conf_read_text(conf, &source, err);
    free(text);
    return result;
}

static bool is_profile(const struct assignment *assign)
{
    return strcmp(assign->name, "profile") == 0;
}

/* What a profile assigns, as if it was given in its place. */
static int add_profile(struct conf *conf, const struct assignment *profile, struct err *err)
{
    str_list words = {0};
    int result = conf_profile(conf->root, profile->value, &words, err);
    for (size_t i = 0; i < words.len && result == 0; i++) {
        char *value = strchr(words.at[i], '=');
        *value++ = '\0';
        result = add_outside(conf, &(struct assignment){words.at[i], value, profile->kind}, err);
    }
    str_list_free(&words);
    return result;
}

static int read_outside(struct conf *conf, const struct assignment *overrides, size_t count,
                        struct err *err)
{
    struct utsname machine;

    uname(&machine);
    set_builtin(conf, "host_arch", machine.machine);
    set_builtin(conf, "src", ".");
    if (read_saved(conf, err) != 0)
        return -1;
    for (size_t i = 0; environment_names[i]; i++) {
        struct assignment assign = {environment_names[i], getenv(environment_names[i]),
                                    ORIGIN_ENVIRONMENT};
        if (assign.value && assign.value[0] && add_outside(conf, &assign, err) != 0)
            return -1;
    }
    for (size_t i = 0; i < count; i++)
        if (is_profile(&overrides[i]) && add_profile(conf, &overrides[i], err) != 0)
            return -1;
    for (size_t i = 0; i < count; i++)
        if (!is_profile(&overrides[i]) && add_outside(conf, &overrides[i], err) != 0)
            return -1;
    return 0;
}

/* ---- files ---- */

/* Reads a stock file beneath everything that the tree's files say. */
static int read_weak(struct conf *conf, const char *path, struct err *err)
{
    const struct stock_file *stock = stock_find(path);
    struct source source = {.name = arena_copy(&conf->arena, path),
                            .text = stock->bytes,
                            .length = stock->length,
                            .kind = ORIGIN_STOCK,
                            .weak = true};
    return conf_read_text(conf, &source, err);
}

/* Reads the tree's file, over the stock one; or else the stock one in its place. */
static int read_layers(struct conf *conf, const char *path, struct err *err)
{
    const struct stock_file *stock = stock_find(path);
    char *full = path_join(conf->root, path);
    look_at(full);
    bool own = access(full, F_OK) == 0;
    int result = 0;

    free(full);
    if (own && stock)
        result = read_weak(conf, path, err);
    if (result == 0)
        result = conf_read_file(conf, path, 0, err);
    return result < 0 ? -1 : 0;
}

/* The value of a pick without blanks around it; "" where it is unset. */
static int expand_pick(struct conf *conf, const char *name, struct str *value,
                       struct origin *origin, struct err *err)
{
    struct expansion x = {.conf = conf, .err = err};
    struct str text = {0};
    int result = expand_name(&x, &text, name, strlen(name));
    struct slice rest = {str_text(&text), text.len}, word;

    if (result == 0 && slice_word(&rest, &word))
        str_add_n(value, word.at, word.len);
    str_free(&text);
    *origin = conf_origin(conf, NULL, name, NULL);
    return result;
}

/* Sets the pick to what it is in the end: given and known, or `fallback`. */
static int settle(struct conf *conf, enum choice_kind kind, const char *name, const char *fallback,
                  struct str *value, struct err *err)
{
    struct origin origin;

    if (expand_pick(conf, name, value, &origin, err) != 0)
        return -1;
    if (value->len == 0) {
        str_add(value, fallback);
        set_builtin(conf, name, fallback);
        origin.kind = ORIGIN_BUILTIN;
    }
    return select_check(conf->root, kind, str_text(value), &origin, err);
}

/* Picks arch and mode, and what follows from them. */
static int settle_arch_and_mode(struct conf *conf, enum described described, struct str *arch,
                                struct str *mode, struct err *err)
{
    const char *machine = conf_get(conf, "host_arch");
    char *fallback = select_arch_of(conf->root, machine);
    struct origin origin;
    int result;

    if (described == DESCRIBED_NOT) {
        result = expand_pick(conf, "arch", arch, &origin, err);
        if (result == 0)
            result = expand_pick(conf, "mode", mode, &origin, err);
        if (arch->len == 0)
            set_builtin(conf, "arch", fallback ? fallback : machine);
        if (mode->len == 0)
            set_builtin(conf, "mode", "release");
        free(fallback);
        return result;
    }
    if (fallback == NULL && expand_pick(conf, "arch", arch, &origin, err) == 0 && arch->len == 0)
        return err_set(err, ERR_INPUT,
                       "no conf/<arch>.mk says 'machine = %s', which this machine is; say ARCH=...",
                       machine);
    str_cut(arch, 0);
    result = settle(conf, CHOICE_ARCH, "arch", fallback ? fallback : "", arch, err);
    if (result == 0)
        result = settle(conf, CHOICE_MODE, "mode", "release", mode, err);
    free(fallback);
    return result;
}

/* Of an OSv tree the stock base and modes say nothing: they are for kernels that we build. */
static int read_described(struct conf *conf, enum described described, const char *arch,
                          const char *mode, struct err *err)
{
    bool osv = described == DESCRIBED_OSV;
    struct str path = {0};
    int result =
        osv ? conf_read_file(conf, "conf/base.mk", 0, err) : read_layers(conf, "conf/base.mk", err);

    str_addf(&path, "conf/%s.mk", arch);
    if (result == 0)
        result = read_layers(conf, str_text(&path), err);
    str_cut(&path, 0);
    str_addf(&path, "conf/%s.mk", mode);
    if (result == 0)
        result = osv ? conf_read_file(conf, str_text(&path), 0, err)
                     : read_layers(conf, str_text(&path), err);
    str_free(&path);
    return result;
}

bool conf_is_osv(const char *root)
{
    return select_described(root) == DESCRIBED_OSV;
}

char *conf_osv_modules(struct conf *conf, const char *more, struct err *err)
{
    const char *what = *conf_get(conf, "modules") ? "modules" : "image";
    struct origin origin = conf_origin(conf, NULL, what, NULL);
    struct str words = {0};
    const struct select_osv_list list = {what, conf_get(conf, what), more, &origin};
    if (select_osv_modules(conf->root, &list, &words, err) == 0)
        return str_take(&words);
    str_free(&words);
    return NULL;
}

/* A value that is one of a list of words, which it must be. */
static int check_word(struct conf *conf, const char *name, const char *list, struct err *err)
{
    const char *value = conf_get(conf, name);
    struct origin origin = conf_origin(conf, NULL, name, NULL);
    struct str from = {0};
    str_list words = {0};
    bool found = false;

    text_split(&words, list);
    for (size_t i = 0; i < words.len; i++)
        found = found || strcmp(words.at[i], value) == 0;
    const char *near = text_nearest(value, (const char *const *)words.at, words.len);
    origin_text(&origin, &from);
    if (!found)
        err_set(err, ERR_INPUT, "unknown %s '%.200s' (from %s); there are: %s%s%s%s", name, value,
                str_text(&from), list, near ? "; did you mean '" : "", near ? near : "",
                near ? "'?" : "");
    str_free(&from);
    str_list_free(&words);
    return found ? 0 : -1;
}

/* Make would silently build something else where a name is misspelt. */
static int check_names(struct conf *conf, struct err *err)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < conf->variables.values.len; i++) {
        const struct variable *variable = conf->variables.values.at[i];
        struct origin origin = conf_origin(conf, NULL, variable->name, NULL);
        if (origin.kind == ORIGIN_COMMAND_LINE || origin.kind == ORIGIN_SCREEN)
            result =
                select_osv_name(conf->root, conf_get(conf, "arch"), variable->name, &origin, err);
    }
    return result;
}

static int read_osv(struct conf *conf, struct err *err)
{
    struct str path = {0}, all = {0};
    str_list names = {0};

    str_addf(&path, "%s/gen/config/kernel_conf.mk", conf_get(conf, "out"));
    int result = conf_read_file(conf, str_text(&path), 0, err) < 0 ? -1 : 0;
    if (result == 0)
        result = read_weak(conf, select_osv_conf(conf->root), err);
    select_osv_images(conf->root, &names);
    for (size_t i = 0; i < names.len; i++)
        str_addf(&all, "%s%s", i ? " " : "", names.at[i]);
    set_builtin(conf, "image-names", str_text(&all));
    conf_note_file(conf, "config.json");
    if (result == 0)
        result = check_names(conf, err);
    char *words = result == 0 ? conf_osv_modules(conf, "", err) : NULL;
    if (words == NULL)
        result = -1;
    if (result == 0)
        result = check_word(conf, "fs", conf_get(conf, "osv-fs"), err);
    if (result == 0)
        result = check_word(conf, "export", "none selected all", err);
    free(words);
    str_list_free(&names);
    str_free(&all);
    str_free(&path);
    return result;
}

/* Reads each module's file once; a module may name more of them. */
static int read_modules(struct conf *conf, struct err *err)
{
    struct expansion x = {.conf = conf, .err = err};
    struct str list = {0}, path = {0};
    int result = expand_name(&x, &list, "modules", strlen("modules"));
    struct slice rest = {str_text(&list), list.len}, word;
    bool more = false;

    while (result == 0 && slice_word(&rest, &word)) {
        char *name = mem_copy_n(word.at, word.len);
        if (map_get(&conf->modules_read, name) == NULL) {
            map_put(&conf->modules_read, name, conf);
            more = true;
            str_cut(&path, 0);
            str_addf(&path, "%s/module.mk", name);
            result = conf_read_file(conf, str_text(&path), 0, err);
        }
        if (result == 1) {
            struct origin origin = conf_origin(conf, NULL, "modules", name);
            result = err_at(err, origin.file ? origin.file : origin_name(origin.kind), origin.line,
                            0, "module '%.200s' has no %.200s", name, str_text(&path));
        }
        free(name);
    }
    str_free(&list);
    str_free(&path);
    return result != 0 ? -1 : more;
}

static int read_native(struct conf *conf, struct err *err)
{
    char *fallback = mem_copy(conf_get(conf, "default-image"));
    struct str image = {0}, path = {0};
    int result = settle(conf, CHOICE_IMAGE, "image", fallback, &image, err);

    str_addf(&path, "build/%s.%s/images/%s", conf_get(conf, "mode"), conf_get(conf, "arch"),
             str_text(&image));
    set_builtin(conf, "image-out", str_text(&path));
    str_cut(&path, 0);
    str_addf(&path, "conf/images/%s.mk", str_text(&image));
    if (result == 0)
        result = conf_read_file(conf, str_text(&path), 0, err);
    if (result == 0)
        result = conf_read_file(conf, "module.mk", 0, err);
    if (result == 0)
        do
            result = read_modules(conf, err);
        while (result == 1);
    str_free(&image);
    str_free(&path);
    free(fallback);
    return result;
}

/* Expands every value once, so that what is wrong with one is told now and not in mid-build. */
static int check_values(struct conf *conf, struct err *err)
{
    int result = 0;

    conf->checking = true;
    for (size_t i = 0; result == 0 && i < conf->variables.values.len; i++) {
        const struct variable *variable = conf->variables.values.at[i];
        struct expansion x = {.conf = conf, .err = err};
        struct str value = {0};
        result = expand_name(&x, &value, variable->name, strlen(variable->name));
        if (result == 0 && strncmp(variable->name, "values-", strlen("values-")) == 0)
            result = check_word(conf, variable->name + strlen("values-"), str_text(&value), err);
        str_free(&value);
    }
    for (size_t i = 0; result == 0 && i < conf->scopes.values.len; i++) {
        const struct scope *scope = conf->scopes.values.at[i];
        for (size_t k = 0; result == 0 && k < scope->specifics.len; k++) {
            const char *name = scope->specifics.at[k].variable->name;
            struct expansion x = {.conf = conf, .target = scope->target, .err = err};
            struct str value = {0};
            result = expand_name(&x, &value, name, strlen(name));
            str_free(&value);
        }
    }
    conf->checking = false;
    return result;
}

static int load(struct conf *conf, const struct assignment *overrides, size_t count,
                struct err *err)
{
    struct str arch = {0}, mode = {0}, out = {0};
    bool stock = strcmp(conf->root, CONF_STOCK) == 0;
    enum described described = stock ? DESCRIBED_CONF : select_described(conf->root);

    conf_note_file(conf, "module.mk");
    conf_note_file(conf, "conf");
    int result = read_outside(conf, overrides, count, err);
    if (result == 0)
        result = settle_arch_and_mode(conf, described, &arch, &mode, err);
    if (result == 0) {
        set_builtin(conf, "ARCH", conf_get(conf, "arch"));
        str_addf(&out, "build/%s.%s", conf_get(conf, "mode"), conf_get(conf, "arch"));
        set_builtin(conf, "out", str_text(&out));
    }
    if (result == 0 && described != DESCRIBED_NOT)
        result = read_described(conf, described, str_text(&arch), str_text(&mode), err);
    if (result == 0 && described == DESCRIBED_OSV)
        result = read_osv(conf, err);
    if (result == 0 && described == DESCRIBED_NATIVE)
        result = read_native(conf, err);
    if (result == 0)
        result = check_values(conf, err);
    str_free(&arch);
    str_free(&mode);
    str_free(&out);
    return result;
}

struct conf *conf_load(const char *root, const struct assignment *overrides, size_t count,
                       struct err *err)
{
    struct conf *conf = mem_zero(1, sizeof *conf);

    conf->root = mem_copy(root ? root : CONF_STOCK);
    conf->budget = BUDGET;
    if (load(conf, overrides, count, err) != 0) {
        conf_free(conf);
        return NULL;
    }
    conf->sealed = true;
    return conf;
}

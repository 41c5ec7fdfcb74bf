/* Variables, their bindings, and what the rest of Gantry asks of them. */
#include <stdlib.h>

#include "base/mem.h"
#include "conf/dialect.h"

struct variable *variable_find(const struct conf *conf, const char *name, size_t length)
{
    uint32_t id = intern_find_n(&conf->variables.keys, name, length);

    return id == INTERN_NONE ? NULL : conf->variables.values.at[id];
}

struct variable *variable_make(struct conf *conf, const char *name)
{
    struct variable *variable = map_get(&conf->variables, name);

    if (variable)
        return variable;
    variable = mem_zero(1, sizeof *variable);
    map_put(&conf->variables, name, variable);
    variable->name = intern_text(&conf->variables.keys, intern_find(&conf->variables.keys, name));
    return variable;
}

struct binding *variable_binding(const struct variable *variable)
{
    for (int kind = ORIGIN_BUILTIN; kind >= ORIGIN_SAVED; kind--)
        if (variable->outside[kind])
            return variable->outside[kind];
    return variable->file ? variable->file : variable->stock;
}

void variable_outside(struct conf *conf, const char *name, const char *text,
                      const struct origin *origin)
{
    struct variable *variable = variable_make(conf, name);
    struct binding *binding = mem_zero(1, sizeof *binding);

    binding->lazy = origin->kind != ORIGIN_BUILTIN;
    binding_add(binding, text, origin);
    binding_free(variable->outside[origin->kind]);
    variable->outside[origin->kind] = binding;
}

void binding_add(struct binding *binding, const char *text, const struct origin *origin)
{
    vec_push(&binding->pieces, (struct piece){mem_copy(text), *origin});
    free(binding->joined);
    binding->joined = NULL;
}

const char *binding_text(struct binding *binding)
{
    if (binding->pieces.len == 1)
        return binding->pieces.at[0].text;
    if (binding->joined == NULL) {
        struct str text = {0};
        for (size_t i = 0; i < binding->pieces.len; i++) {
            if (i > 0)
                str_add_char(&text, ' ');
            str_add(&text, binding->pieces.at[i].text);
        }
        binding->joined = str_take(&text);
    }
    return binding->joined;
}

static void pieces_free(struct binding *binding)
{
    for (size_t i = 0; i < binding->pieces.len; i++)
        free(binding->pieces.at[i].text);
    vec_free(&binding->pieces);
    free(binding->joined);
}

void binding_free(struct binding *binding)
{
    while (binding) {
        struct binding *beneath = binding->beneath;
        pieces_free(binding);
        free(binding);
        binding = beneath;
    }
}

struct scope *scope_make(struct conf *conf, const char *target)
{
    struct scope *scope = map_get(&conf->scopes, target);

    if (scope)
        return scope;
    scope = mem_zero(1, sizeof *scope);
    map_put(&conf->scopes, target, scope);
    scope->target = intern_text(&conf->scopes.keys, intern_find(&conf->scopes.keys, target));
    if (strchr(target, '%'))
        vec_push(&conf->patterns, scope);
    return scope;
}

struct specific *scope_find(const struct scope *scope, const struct variable *variable)
{
    for (size_t i = 0; i < scope->specifics.len; i++)
        if (scope->specifics.at[i].variable == variable)
            return &scope->specifics.at[i];
    return NULL;
}

void conf_free(struct conf *conf)
{
    if (conf == NULL)
        return;
    for (size_t i = 0; i < conf->variables.values.len; i++) {
        struct variable *variable = conf->variables.values.at[i];
        for (int kind = 0; kind <= ORIGIN_BUILTIN; kind++)
            binding_free(variable->outside[kind]);
        binding_free(variable->file);
        binding_free(variable->stock);
        vec_free(&variable->values);
        free(variable);
    }
    for (size_t i = 0; i < conf->scopes.values.len; i++) {
        struct scope *scope = conf->scopes.values.at[i];
        for (size_t k = 0; k < scope->specifics.len; k++)
            pieces_free(&scope->specifics.at[k].binding);
        vec_free(&scope->specifics);
        free(scope);
    }
    map_free(&conf->variables);
    map_free(&conf->scopes);
    map_free(&conf->modules_read);
    map_free(&conf->files_known);
    vec_free(&conf->patterns);
    str_list_free(&conf->files);
    str_list_free(&conf->warnings);
    arena_free(&conf->arena);
    free(conf->root);
    free(conf);
}

/* ---- questions ---- */

static struct expansion expansion_of(struct conf *conf, const char *target, struct err *err)
{
    return (struct expansion){.conf = conf, .target = target, .err = err};
}

const char *conf_root(const struct conf *conf)
{
    return conf->root;
}

const char *conf_cmdline(struct conf *conf)
{
    const struct variable *given = variable_find(conf, "cmdline", strlen("cmdline"));
    char *name = mem_format("cmdline-%s", conf_get(conf, "image"));
    const struct variable *saved = variable_find(conf, name, strlen(name));
    const struct binding *binding = given ? variable_binding(given) : NULL;
    bool outside = binding && binding != given->file && binding != given->stock;
    const char *text = conf_get(conf, saved && !outside ? name : "cmdline");

    free(name);
    return text;
}

const char *conf_get(struct conf *conf, const char *name)
{
    return conf_get_for(conf, NULL, name);
}

const char *conf_get_for(struct conf *conf, const char *target, const char *name)
{
    struct variable *variable = variable_find(conf, name, strlen(name));
    struct expansion x = expansion_of(conf, target, NULL);
    struct str value = {0};
    const char *text = "";

    if (variable == NULL)
        return "";
    if (target == NULL && variable->expanded)
        return variable->expanded;
    if (expand_name(&x, &value, name, strlen(name)) == 0 && value.len > 0)
        text = arena_copy_n(&conf->arena, str_text(&value), value.len);
    str_free(&value);
    return text;
}

char *conf_expand(struct conf *conf, const char *target, const char *text, struct err *err)
{
    return conf_expand_with(conf, target, NULL, 0, text, err);
}

char *conf_expand_with(struct conf *conf, const char *target, const struct conf_local *locals,
                       size_t count, const char *text, struct err *err)
{
    struct expansion x = expansion_of(conf, target, err);
    struct local *chain = mem_zero(count + 1, sizeof *chain);
    struct str out = {0};

    for (size_t i = 0; i < count; i++) {
        chain[i] = (struct local){locals[i].name, locals[i].value, x.locals};
        x.locals = &chain[i];
    }
    int result = expand_text(&x, &out, text, strlen(text));
    free(chain);
    if (result == 0)
        return str_take(&out);
    str_free(&out);
    return NULL;
}

static void add_values(struct variable *variable, struct binding *binding)
{
    for (; binding; binding = binding->beneath) {
        struct conf_value value = {
            .text = binding_text(binding),
            .origin = binding->pieces.at[binding->pieces.len - 1].origin,
        };
        vec_push(&variable->values, value);
    }
}

const struct conf_value *conf_values(struct conf *conf, const char *name, size_t *count)
{
    struct variable *variable = variable_find(conf, name, strlen(name));

    *count = 0;
    if (variable == NULL)
        return NULL;
    if (variable->values.len == 0) {
        for (int kind = ORIGIN_BUILTIN; kind >= ORIGIN_SAVED; kind--)
            add_values(variable, variable->outside[kind]);
        add_values(variable, variable->file);
        add_values(variable, variable->stock);
    }
    *count = variable->values.len;
    return variable->values.at;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void conf_names(struct conf *conf, str_list *names)
{
    size_t first = names->len;

    for (size_t i = 0; i < conf->variables.values.len; i++) {
        const struct variable *variable = conf->variables.values.at[i];
        if (variable_binding(variable))
            vec_push(names, mem_copy(variable->name));
    }
    if (names->len > first)
        qsort(names->at + first, names->len - first, sizeof names->at[0], compare_names);
}

void conf_target_names(struct conf *conf, str_list *names)
{
    for (size_t i = 0; i < conf->scopes.values.len; i++)
        vec_push(names, mem_copy(intern_text(&conf->scopes.keys, (uint32_t)i)));
}

/* Whether a list holds a word. */
static bool has_word(const struct str *list, const char *word)
{
    struct slice rest = {str_text(list), list->len}, at;
    size_t length = strlen(word);

    while (slice_word(&rest, &at))
        if (at.len == length && memcmp(at.at, word, length) == 0)
            return true;
    return false;
}

/* The piece of a binding whose expansion holds the word; without a word, the last one. */
static bool find_piece(struct conf *conf, const char *target, const struct binding *binding,
                       const char *word, struct origin *origin)
{
    for (size_t i = binding->pieces.len; i-- > 0;) {
        struct expansion x = expansion_of(conf, target, NULL);
        const char *text = binding->pieces.at[i].text;
        struct str value = {0};
        bool found = word == NULL;
        if (!found && !binding->lazy)
            str_add(&value, text);
        else if (!found && expand_text(&x, &value, text, strlen(text)) != 0)
            str_cut(&value, 0);
        found = found || has_word(&value, word);
        str_free(&value);
        if (found) {
            *origin = binding->pieces.at[i].origin;
            return true;
        }
    }
    return false;
}

struct origin conf_origin(struct conf *conf, const char *target, const char *name, const char *word)
{
    struct variable *variable = variable_find(conf, name, strlen(name));
    struct origin origin = {.kind = ORIGIN_BUILTIN};
    const struct scope *scope = target ? map_get(&conf->scopes, target) : NULL;

    if (variable == NULL)
        return origin;
    const struct specific *specific = scope ? scope_find(scope, variable) : NULL;
    if (specific && find_piece(conf, target, &specific->binding, word, &origin))
        return origin;
    for (size_t i = 0; target && i < conf->patterns.len; i++) {
        const char *pattern = conf->patterns.at[i]->target;
        if (!slice_match((struct slice){pattern, strlen(pattern)},
                         (struct slice){target, strlen(target)}, NULL))
            continue;
        specific = scope_find(conf->patterns.at[i], variable);
        if (specific && find_piece(conf, target, &specific->binding, word, &origin))
            return origin;
    }
    const struct binding *binding = variable_binding(variable);
    if (binding && !find_piece(conf, target, binding, word, &origin))
        find_piece(conf, target, binding, NULL, &origin);
    return origin;
}

const char *origin_name(enum origin_kind kind)
{
    static const char *const names[] = {
        [ORIGIN_STOCK] = "stock",
        [ORIGIN_TREE] = "tree",
        [ORIGIN_SAVED] = "saved selection",
        [ORIGIN_ENVIRONMENT] = "environment",
        [ORIGIN_COMMAND_LINE] = "command line",
        [ORIGIN_SCREEN] = "screen",
        [ORIGIN_BUILTIN] = "gantry",
    };

    return names[kind];
}

void origin_text(const struct origin *origin, struct str *out)
{
    if (origin->file == NULL) {
        str_add(out, origin_name(origin->kind));
        return;
    }
    if (origin->kind == ORIGIN_STOCK)
        str_add(out, "stock ");
    str_add(out, origin->file);
    if (origin->line > 0)
        str_addf(out, ":%u", origin->line);
}

const str_list *conf_files(const struct conf *conf)
{
    return &conf->files;
}

const str_list *conf_warnings(const struct conf *conf)
{
    return &conf->warnings;
}

const char *conf_note_file(struct conf *conf, const char *path)
{
    char *known = map_get(&conf->files_known, path);

    if (known == NULL) {
        known = mem_copy(path);
        map_put(&conf->files_known, path, known);
        vec_push(&conf->files, known);
    }
    return known;
}

/*
 * Expansion of text: $$, $x, $(name), ${name}, $(name:a=b), $(function arguments). What a reference
 * is and where it ends follows the GNU make manual ("Basics of Variable References", "Function Call
 * Syntax"); a reference that make would take for an unset variable with blanks in its name is an
 * unknown function here, and an error.
 */
#include "conf/dialect.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"

enum { DEPTH_MAX = 300 };

/* A reference in a text, found by parse_reference. */
struct reference {
    enum { REF_DOLLAR, REF_NAME, REF_FUNCTION } kind;
    const struct function *function;
    struct slice inner; /* the name, or the arguments */
    bool nested; /* the name has references of its own */
    char open, close;
    size_t end; /* offset behind the reference */
};

int expand_fail(struct expansion *x, const char *format, ...)
{
    char text[1536];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (x->at.file)
        return err_at(x->err, x->at.file, x->at.line, 0, "%s", text);
    return err_set(x->err, ERR_INPUT, "%s: %s", origin_name(x->at.kind), text);
}

int expand_work(struct expansion *x, size_t amount)
{
    x->work += amount + 1;
    if (x->work <= x->conf->budget)
        return 0;
    return expand_fail(x,
                       "this value grows without end; look for variables that double themselves");
}

static int unknown_function(struct expansion *x, const char *name, size_t length)
{
    const char *names[FUNCTION_NAMES_MAX];
    size_t count = function_names(names);
    char word[64];

    snprintf(word, sizeof word, "%.*s", (int)(length < 40 ? length : 40), name);
    const char *nearest = text_nearest(word, names, count);
    if (nearest)
        return expand_fail(x, "unknown function '%s'; did you mean '%s'?", word, nearest);
    return expand_fail(x, "unknown function '%s'; gantry-conf(5) lists those of the dialect", word);
}

/* The offset of the closing parenthesis that matches, from `from`; `length` where there is none. */
static size_t find_close(const char *text, size_t from, size_t length, char open, char close)
{
    unsigned depth = 0;

    for (size_t i = from; i < length; i++) {
        if (text[i] == open)
            depth++;
        else if (text[i] == close && depth-- == 0)
            return i;
    }
    return length;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\v' || c == '\f' || c == '\r';
}

/* Looks at the text behind a "$(". 0, or -1 with err. */
static int parse_parenthesis(struct expansion *x, const char *text, size_t from, size_t length,
                             struct reference *ref)
{
    size_t word = from;

    while (word < length && ((text[word] >= 'a' && text[word] <= 'z') || text[word] == '-'))
        word++;
    bool called = word > from && word < length && is_blank(text[word]);
    if (called) {
        ref->function = function_find(text + from, word - from);
        if (ref->function == NULL)
            return unknown_function(x, text + from, word - from);
        while (word < length && is_blank(text[word]))
            word++;
        from = word;
    }
    const char *first = memchr(text + from, ref->close, length - from);
    size_t end = first ? (size_t)(first - text) : length;
    ref->nested = memchr(text + from, '$', end - from) != NULL;
    if (called || ref->nested)
        end = find_close(text, from, length, ref->open, ref->close);
    if (end == length)
        return expand_fail(x, "'$%c' without its '%c': %.60s", ref->open, ref->close, text + from);
    ref->kind = called ? REF_FUNCTION : REF_NAME;
    ref->inner = (struct slice){text + from, end - from};
    ref->end = end + 1;
    return 0;
}

/* Parses the reference at text[from], which is a dollar sign. */
static int parse_reference(struct expansion *x, const char *text, size_t from, size_t length,
                           struct reference *ref)
{
    *ref = (struct reference){.kind = REF_DOLLAR, .end = from + 2};
    if (from + 1 >= length) {
        ref->end = length;
        return 0;
    }
    char c = text[from + 1];
    if (c == '$')
        return 0;
    if (c == '(' || c == '{') {
        ref->open = c;
        ref->close = c == '(' ? ')' : '}';
        return parse_parenthesis(x, text, from + 2, length, ref);
    }
    ref->kind = REF_NAME;
    ref->inner = (struct slice){text + from + 1, 1};
    return 0;
}

/* Splits a call's text at its commas. Returns the number of arguments; all that is too much goes
 * into the last one, as in make. */
static unsigned split_arguments(const struct reference *ref, struct slice *args)
{
    unsigned max = ref->function->max_args, count = 0, depth = 0;
    const char *at = ref->inner.at, *end = at + ref->inner.len, *start = at;

    if (max == 0)
        max = FUNCTION_ARGS_MAX;
    for (; at < end; at++) {
        if (*at == ref->open)
            depth++;
        else if (*at == ref->close)
            depth--;
        else if (*at == ',' && depth == 0 && count + 1 < max) {
            args[count++] = (struct slice){start, (size_t)(at - start)};
            start = at + 1;
        }
    }
    args[count++] = (struct slice){start, (size_t)(end - start)};
    return count;
}

static int check_count(struct expansion *x, const struct function *function, unsigned count)
{
    if (count >= function->min_args)
        return 0;
    return expand_fail(x, "'%s' needs %u arguments, here are %u", function->name,
                       function->min_args, count);
}

static int enter(struct expansion *x)
{
    if (x->depth >= DEPTH_MAX)
        return expand_fail(x, "nested deeper than %d", DEPTH_MAX);
    x->depth++;
    return 0;
}

static int call_function(struct expansion *x, struct str *out, const struct reference *ref)
{
    struct slice args[FUNCTION_ARGS_MAX];
    struct str texts[FUNCTION_ARGS_MAX] = {0};
    unsigned count = split_arguments(ref, args);
    int result = check_count(x, ref->function, count);

    if (!ref->function->raw) {
        for (unsigned i = 0; result == 0 && i < count; i++) {
            result = expand_text(x, &texts[i], args[i].at, args[i].len);
            args[i] = (struct slice){str_text(&texts[i]), texts[i].len};
            if (result == 0)
                result = expand_work(x, texts[i].len);
        }
    }
    if (result == 0)
        result = ref->function->run(x, out, args, count);
    for (unsigned i = 0; i < count; i++)
        str_free(&texts[i]);
    return result;
}

/* $(NAME) or $(NAME:PATTERN=REPLACEMENT), with nothing left to expand in it. */
static int expand_plain(struct expansion *x, struct str *out, struct slice name)
{
    const char *colon = memchr(name.at, ':', name.len), *equals = NULL;

    if (colon)
        equals = memchr(colon + 1, '=', name.len - (size_t)(colon + 1 - name.at));
    if (equals == NULL)
        return expand_name(x, out, name.at, name.len);

    struct slice pattern = {colon + 1, (size_t)(equals - colon - 1)};
    struct slice replacement = {equals + 1, name.len - (size_t)(equals + 1 - name.at)};
    struct str value = {0}, whole[2] = {{0}};
    int result = expand_name(x, &value, name.at, (size_t)(colon - name.at));
    str_add_char(&whole[0], '%');
    if (!pattern_unquote(&whole[0], pattern)) {
        str_add_char(&whole[1], '%');
        str_add_n(&whole[1], replacement.at, replacement.len);
        pattern = (struct slice){whole[0].at, whole[0].len};
        replacement = (struct slice){whole[1].at, whole[1].len};
    }
    if (result == 0)
        result = expand_work(x, value.len);
    if (result == 0)
        function_patsubst(out, pattern, replacement, (struct slice){str_text(&value), value.len});
    str_free(&value);
    str_free(&whole[0]);
    str_free(&whole[1]);
    return result;
}

static int expand_reference(struct expansion *x, struct str *out, const struct reference *ref)
{
    if (ref->kind == REF_FUNCTION)
        return call_function(x, out, ref);
    if (!ref->nested)
        return expand_plain(x, out, ref->inner);
    struct str name = {0};
    int result = expand_text(x, &name, ref->inner.at, ref->inner.len);
    if (result == 0)
        result = expand_plain(x, out, (struct slice){str_text(&name), name.len});
    str_free(&name);
    return result;
}

int expand_text(struct expansion *x, struct str *out, const char *text, size_t length)
{
    size_t at = 0;

    if (enter(x) != 0)
        return -1;
    while (at < length) {
        const char *dollar = memchr(text + at, '$', length - at);
        size_t plain = dollar ? (size_t)(dollar - text) - at : length - at;
        str_add_n(out, text + at, plain);
        at += plain;
        if (expand_work(x, plain) != 0)
            return -1;
        if (dollar == NULL)
            break;
        struct reference ref;
        if (parse_reference(x, text, at, length, &ref) != 0)
            return -1;
        if (ref.kind == REF_DOLLAR)
            str_add_char(out, '$');
        else if (expand_reference(x, out, &ref) != 0)
            return -1;
        at = ref.end;
    }
    x->depth--;
    return 0;
}

static int check_arguments(struct expansion *x, const struct reference *ref)
{
    struct slice args[FUNCTION_ARGS_MAX];
    unsigned count = split_arguments(ref, args);

    if (check_count(x, ref->function, count) != 0)
        return -1;
    for (unsigned i = 0; i < count; i++)
        if (expand_check(x, args[i].at, args[i].len) != 0)
            return -1;
    return 0;
}

int expand_check(struct expansion *x, const char *text, size_t length)
{
    size_t at = 0;

    if (enter(x) != 0)
        return -1;
    while (at < length) {
        const char *dollar = memchr(text + at, '$', length - at);
        struct reference ref;
        if (dollar == NULL)
            break;
        if (parse_reference(x, text, (size_t)(dollar - text), length, &ref) != 0)
            return -1;
        if (ref.kind == REF_FUNCTION && check_arguments(x, &ref) != 0)
            return -1;
        if (ref.kind == REF_NAME && ref.nested && expand_check(x, ref.inner.at, ref.inner.len) != 0)
            return -1;
        at = ref.end;
    }
    x->depth--;
    return 0;
}

/* ---- names ---- */

static int endless(struct expansion *x, const struct variable *variable)
{
    struct str path = {0};
    const struct frame *frames[16];
    unsigned count = 0;

    for (const struct frame *f = x->frames; f && count < 16; f = f->up) {
        frames[count++] = f;
        if (f->variable == variable)
            break;
    }
    while (count-- > 0)
        str_addf(&path, "%.60s -> ", frames[count]->variable->name);
    int result = expand_fail(x, "variable '%.60s' refers to itself: %s%.60s", variable->name,
                             str_text(&path), variable->name);
    str_free(&path);
    return result;
}

/* Appends a binding's value; pieces are joined by spaces. */
static int expand_binding(struct expansion *x, struct str *out, const struct variable *variable,
                          const struct binding *binding)
{
    struct origin at = x->at;
    struct frame frame = {variable, x->frames};

    for (const struct frame *f = x->frames; f && binding->lazy; f = f->up)
        if (f->variable == variable)
            return endless(x, variable);
    x->frames = &frame;
    for (size_t i = 0; i < binding->pieces.len; i++) {
        const struct piece *piece = &binding->pieces.at[i];
        size_t length = strlen(piece->text);
        if (i > 0)
            str_add_char(out, ' ');
        if (!binding->lazy) {
            str_add_n(out, piece->text, length);
            if (expand_work(x, length) != 0)
                return -1;
            continue;
        }
        x->at = piece->origin;
        if (expand_text(x, out, piece->text, length) != 0)
            return -1;
    }
    x->frames = frame.up;
    x->at = at;
    return 0;
}

struct match {
    const struct specific *specific;
    size_t stem; /* bytes that % stands for */
};
typedef VEC(struct match) match_list;

/* The target-specific values of a variable, the most general first: patterns with longer stems
 * before those with shorter ones, the target's own last. */
static void find_specifics(const struct expansion *x, const struct variable *variable,
                           match_list *found)
{
    struct slice target = {x->target, strlen(x->target)}, stem;

    for (size_t i = 0; i < x->conf->patterns.len; i++) {
        const struct scope *scope = x->conf->patterns.at[i];
        const struct specific *specific = scope_find(scope, variable);
        if (specific == NULL ||
            !slice_match((struct slice){scope->target, strlen(scope->target)}, target, &stem))
            continue;
        vec_push(found, (struct match){specific, stem.len});
        for (size_t at = found->len - 1; at > 0 && found->at[at - 1].stem < stem.len; at--) {
            struct match swap = found->at[at];
            found->at[at] = found->at[at - 1];
            found->at[at - 1] = swap;
        }
    }
    const struct scope *own = map_get(&x->conf->scopes, x->target);
    const struct specific *specific = own ? scope_find(own, variable) : NULL;
    if (specific)
        vec_push(found, (struct match){specific, 0});
}

static int expand_global(struct expansion *x, struct str *out, struct variable *variable)
{
    struct binding *binding = variable_binding(variable);

    return binding ? expand_binding(x, out, variable, binding) : 0;
}

/* The specific values of `found` after the last one that replaces what is more general. */
static int expand_matches(struct expansion *x, struct str *out, struct variable *variable,
                          const match_list *found)
{
    size_t first = found->len, start = out->len;

    while (first > 0 && found->at[first - 1].specific->append)
        first--;
    if (first > 0)
        first--;
    else if (expand_global(x, out, variable) != 0)
        return -1;
    for (size_t i = first; i < found->len; i++) {
        if (out->len > start)
            str_add_char(out, ' ');
        if (expand_binding(x, out, variable, &found->at[i].specific->binding) != 0)
            return -1;
    }
    return 0;
}

/* A variable with target-specific values in force; what comes from outside the files beats them. */
static int expand_specific(struct expansion *x, struct str *out, struct variable *variable)
{
    const struct binding *binding = variable_binding(variable);
    match_list found = {0};

    if (binding == NULL || binding == variable->file || binding == variable->stock)
        find_specifics(x, variable, &found);
    int result = expand_matches(x, out, variable, &found);
    vec_free(&found);
    return result;
}

int expand_name(struct expansion *x, struct str *out, const char *name, size_t length)
{
    if (expand_work(x, 0) != 0)
        return -1;
    for (const struct local *local = x->locals; local; local = local->up) {
        if (strlen(local->name) == length && memcmp(local->name, name, length) == 0) {
            str_add(out, local->value);
            return expand_work(x, strlen(local->value));
        }
    }
    struct variable *variable = variable_find(x->conf, name, length);
    if (variable == NULL)
        return 0;
    if (x->target)
        return expand_specific(x, out, variable);
    if (!x->conf->sealed || x->locals)
        return expand_global(x, out, variable);
    if (variable->expanded == NULL) {
        struct str value = {0};
        int result = expand_global(x, &value, variable);
        if (result == 0)
            variable->expanded = arena_copy_n(&x->conf->arena, str_text(&value), value.len);
        str_free(&value);
        if (result != 0)
            return -1;
    }
    str_add(out, variable->expanded);
    return expand_work(x, strlen(variable->expanded));
}

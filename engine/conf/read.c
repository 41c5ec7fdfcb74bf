/*
 * Reading a file of the dialect: logical lines, conditionals, include, assignments and
 * target-specific assignments. Line joining, comments and the rules of what is an assignment are
 * those of the GNU make manual ("Splitting Long Lines", "Setting Variables", "Conditionals").
 */
#include <errno.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "conf/dialect.h"
#include "conf/stock.h"

enum { INCLUDE_DEPTH_MAX = 32, CONDITION_DEPTH_MAX = 64 };

/* One open ifeq ... endif. */
struct condition {
    unsigned line;
    bool skipping; /* this branch is not read */
    bool done; /* a branch was read, or the whole is inside one that is not */
    bool last; /* its plain else was seen */
};

struct reader {
    struct conf *conf;
    const struct source *source;
    struct err *err;
    size_t at; /* offset of the next line */
    unsigned next_line; /* its number */
    struct origin here; /* of the logical line in hand */
    struct condition conditions[CONDITION_DEPTH_MAX];
    unsigned depth;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r';
}

static const char *skip_blanks(const char *text)
{
    while (is_blank(*text))
        text++;
    return text;
}

static int fail(struct reader *reader, const char *what)
{
    return err_at(reader->err, reader->here.file, reader->here.line, 0, "%s", what);
}

static struct expansion expansion_here(struct reader *reader)
{
    return (struct expansion){.conf = reader->conf, .at = reader->here, .err = reader->err};
}

/* ---- lines ---- */

/* Takes the next physical line into `line`; true where a backslash at its end asks for more. */
static bool take_line(struct reader *reader, struct str *line)
{
    const char *start = reader->source->text + reader->at;
    size_t left = reader->source->length - reader->at;
    const char *newline = memchr(start, '\n', left);
    size_t length = newline ? (size_t)(newline - start) : left, slashes = 0;

    reader->at += length + (newline ? 1 : 0);
    reader->next_line++;
    if (length > 0 && start[length - 1] == '\r')
        length--;
    while (slashes < length && start[length - 1 - slashes] == '\\')
        slashes++;
    if (slashes % 2 == 0 || newline == NULL) {
        str_add_n(line, start, length);
        return false;
    }
    /* Two backslashes stand for one; the odd one joins, with one space for all blanks around. */
    length -= slashes - slashes / 2;
    while (slashes == 1 && length > 0 && is_blank(start[length - 1]))
        length--;
    str_add_n(line, start, length);
    str_add_char(line, ' ');
    return true;
}

/* Cuts a comment: # outside references, not quoted by a backslash (which is then removed). */
static void cut_comment(struct str *line)
{
    size_t depth = 0, to = 0;
    char open = 0, close = 0;

    for (size_t i = 0; i < line->len; i++) {
        char c = line->at[i];
        if (depth == 0 && c == '#') {
            size_t slashes = 0;
            while (slashes < to && line->at[to - 1 - slashes] == '\\')
                slashes++;
            to -= slashes - slashes / 2;
            if (slashes % 2 == 0)
                break;
        } else if (depth == 0 && c == '$' && i + 1 < line->len) {
            char next = line->at[i + 1];
            line->at[to++] = c;
            i++;
            c = next;
            if (next == '(' || next == '{') {
                open = next;
                close = next == '(' ? ')' : '}';
                depth = 1;
            }
        } else if (depth > 0 && c == open) {
            depth++;
        } else if (depth > 0 && c == close) {
            depth--;
        }
        line->at[to++] = c;
    }
    str_cut(line, to);
}

/* The next logical line, without its comment; false at the end. */
static bool next_line(struct reader *reader, struct str *line)
{
    str_cut(line, 0);
    if (reader->at >= reader->source->length)
        return false;
    reader->here.line = reader->next_line;
    while (take_line(reader, line) && reader->at < reader->source->length) {
        while (reader->at < reader->source->length && is_blank(reader->source->text[reader->at]))
            reader->at++;
    }
    if (memchr(str_text(line), '#', line->len))
        cut_comment(line);
    return true;
}

/* ---- assignments ---- */

/* Skips a reference that starts behind a dollar sign. */
const char *conf_skip_reference(const char *at)
{
    char open = *at, close = open == '(' ? ')' : '}';
    unsigned depth = 1;

    if (open != '(' && open != '{')
        return *at ? at + 1 : at;
    for (at++; *at; at++) {
        if (*at == close && --depth == 0)
            return at + 1;
        if (*at == open)
            depth++;
    }
    return at;
}

/* The operator at `at`, with its length; 0 where there is none. */
static unsigned operator_at(const char *at, enum assign_op *op)
{
    if (*at == '=') {
        *op = ASSIGN_LAZY;
        return 1;
    }
    if (str_starts(at, "::=")) {
        *op = ASSIGN_NOW;
        return 3;
    }
    if (*at == '\0' || at[1] != '=')
        return 0;
    switch (*at) {
    case ':':
        *op = ASSIGN_NOW;
        return 2;
    case '+':
        *op = ASSIGN_APPEND;
        return 2;
    case '?':
        *op = ASSIGN_UNSET;
        return 2;
    case '!':
        *op = ASSIGN_SHELL;
        return 2;
    default:
        return 0;
    }
}

bool conf_parse_assign(const char *line, struct assign_parts *parts)
{
    const char *at = skip_blanks(line);

    parts->name = at;
    for (;;) {
        const char *end = at;
        if (*at == '\0')
            return false;
        if (*at == '$') {
            at = conf_skip_reference(at + 1);
            continue;
        }
        bool blank = is_blank(*at);
        at = skip_blanks(at);
        unsigned length = operator_at(at, &parts->op);
        if (length > 0) {
            parts->name_length = (size_t)(end - parts->name);
            parts->value = skip_blanks(at + length);
            return true;
        }
        if (blank || *at == ':' || *at == '\0')
            return false;
        at++;
    }
}

/* Expands the name of an assignment. NULL with err where it is empty. */
static char *assign_name(struct reader *reader, const struct assign_parts *parts)
{
    struct expansion x = expansion_here(reader);
    struct str name = {0};

    if (expand_text(&x, &name, parts->name, parts->name_length) == 0) {
        struct slice rest = {str_text(&name), name.len}, word, more;
        if (!slice_word(&rest, &word)) {
            fail(reader, "an assignment without a name");
        } else if (slice_word(&rest, &more)) {
            fail(reader, "a variable's name has no blanks in it");
        } else {
            char *text = mem_copy_n(word.at, word.len);
            str_free(&name);
            return text;
        }
    }
    str_free(&name);
    return NULL;
}

/* Adds a piece; empty ones leave no blank beside the others. */
static void join_piece(struct binding *binding, const char *text, const struct origin *origin)
{
    if (binding->pieces.len > 0 && *text == '\0')
        return;
    if (binding->pieces.len == 1 && binding->pieces.at[0].text[0] == '\0')
        free(binding->pieces.at[--binding->pieces.len].text);
    binding_add(binding, text, origin);
}

/* Adds a value to a binding: as it is where that is lazy, else expanded now. */
static int add_value(struct reader *reader, struct binding *binding, const char *target,
                     const char *value)
{
    struct expansion x = expansion_here(reader);
    struct str text = {0};
    int result = 0;

    x.target = target;
    if (binding->lazy)
        result = expand_check(&x, value, strlen(value));
    else
        result = expand_text(&x, &text, value, strlen(value));
    if (result == 0)
        join_piece(binding, binding->lazy ? value : str_text(&text), &reader->here);
    str_free(&text);
    return result;
}

static int assign_global(struct reader *reader, const char *name, const struct assign_parts *parts)
{
    if (reader->source->kind == ORIGIN_SAVED) {
        struct expansion x = expansion_here(reader);
        if (parts->op != ASSIGN_LAZY)
            return fail(reader, "a saved selection has lines NAME = VALUE only");
        if (expand_check(&x, parts->value, strlen(parts->value)) != 0)
            return -1;
        variable_outside(reader->conf, name, parts->value, &reader->here);
        return 0;
    }
    struct variable *variable = variable_make(reader->conf, name);
    struct binding **slot = reader->source->weak ? &variable->stock : &variable->file;
    struct binding *old = *slot, *base = old ? old : variable->stock;
    if (parts->op == ASSIGN_UNSET && old)
        return 0;
    if (parts->op == ASSIGN_APPEND && old)
        return add_value(reader, old, NULL, parts->value);
    struct binding *binding = mem_zero(1, sizeof *binding);
    binding->lazy = parts->op != ASSIGN_NOW;
    if (parts->op == ASSIGN_APPEND && base) {
        binding->lazy = base->lazy;
        for (size_t i = 0; i < base->pieces.len; i++)
            binding_add(binding, base->pieces.at[i].text, &base->pieces.at[i].origin);
    }
    if (add_value(reader, binding, NULL, parts->value) != 0) {
        binding_free(binding);
        return -1;
    }
    binding->beneath = old;
    *slot = binding;
    return 0;
}

static int assign_specific(struct reader *reader, const char *target, const char *name,
                           const struct assign_parts *parts)
{
    struct variable *variable = variable_make(reader->conf, name);
    struct scope *scope = scope_make(reader->conf, target);
    struct specific *specific = scope_find(scope, variable);
    struct binding fresh = {.lazy = parts->op != ASSIGN_NOW};

    if (parts->op == ASSIGN_UNSET && (specific || variable_binding(variable)))
        return 0;
    if (parts->op == ASSIGN_APPEND && specific)
        return add_value(reader, &specific->binding, target, parts->value);
    if (add_value(reader, &fresh, strchr(target, '%') ? NULL : target, parts->value) != 0) {
        free(fresh.pieces.at);
        return -1;
    }
    specific = scope_find(scope, variable);
    if (specific == NULL) {
        specific = vec_new(&scope->specifics);
        specific->variable = variable;
    } else {
        struct binding *old = mem_zero(1, sizeof *old);
        *old = specific->binding;
        binding_free(old);
    }
    specific->binding = fresh;
    specific->append = parts->op == ASSIGN_APPEND;
    return 0;
}

/* `targets` NULL for an assignment to all. */
static int read_assign(struct reader *reader, const char *targets, const struct assign_parts *parts)
{
    if (parts->op == ASSIGN_SHELL)
        return fail(reader, "'!=' runs a shell, which is not part of the dialect; declare a target "
                            "with 'rule = tool' instead");
    char *name = assign_name(reader, parts);
    if (name == NULL)
        return -1;
    int result = 0;
    if (targets == NULL)
        result = assign_global(reader, name, parts);
    struct slice rest = {targets, targets ? strlen(targets) : 0}, word;
    while (targets && result == 0 && slice_word(&rest, &word)) {
        char *target = mem_copy_n(word.at, word.len);
        result = assign_specific(reader, target, name, parts);
        free(target);
    }
    free(name);
    return result;
}

/* ---- conditionals ---- */

static bool skipping(const struct reader *reader)
{
    return reader->depth > 0 && reader->conditions[reader->depth - 1].skipping;
}

/* The end of a text before `stop` outside parentheses, or NULL. */
static const char *find_outside(const char *at, char stop)
{
    int depth = 0;

    for (; *at; at++) {
        if (*at == stop && depth <= 0)
            return at;
        if (*at == '(')
            depth++;
        else if (*at == ')')
            depth--;
    }
    return NULL;
}

/* Takes one side of ifeq from a quoted form; NULL on a syntax error. */
static const char *quoted_side(const char *at, struct slice *side)
{
    char quote = *at;
    const char *end = quote == '"' || quote == '\'' ? strchr(at + 1, quote) : NULL;

    if (end == NULL)
        return NULL;
    *side = (struct slice){at + 1, (size_t)(end - at - 1)};
    return end + 1;
}

/* Splits `(a,b)`, `"a" "b"` or `'a' 'b'`. False on a syntax error. */
static bool split_sides(const char *text, struct slice *left, struct slice *right)
{
    if (*text == '(') {
        const char *comma = find_outside(text + 1, ',');
        const char *second = comma ? skip_blanks(comma + 1) : NULL;
        const char *end = second ? find_outside(second, ')') : NULL;
        if (end == NULL || *skip_blanks(end + 1) != '\0')
            return false;
        *left = (struct slice){text + 1, (size_t)(comma - text - 1)};
        *right = (struct slice){second, (size_t)(end - second)};
        while (left->len > 0 && is_blank(left->at[left->len - 1]))
            left->len--;
        return true;
    }
    const char *next = quoted_side(text, left);
    next = next ? quoted_side(skip_blanks(next), right) : NULL;
    return next && *skip_blanks(next) == '\0';
}

/* Evaluates what follows ifeq: 1 equal, 0 not, -1 with err. */
static int eval_equal(struct reader *reader, const char *text)
{
    struct expansion x = expansion_here(reader);
    struct slice sides[2];
    struct str left = {0}, right = {0};
    int result = -1;

    if (!split_sides(text, &sides[0], &sides[1]))
        return fail(reader, "ifeq and ifneq take (A,B), \"A\" \"B\" or 'A' 'B'");
    if (expand_text(&x, &left, sides[0].at, sides[0].len) == 0 &&
        expand_text(&x, &right, sides[1].at, sides[1].len) == 0)
        result = strcmp(str_text(&left), str_text(&right)) == 0;
    str_free(&left);
    str_free(&right);
    return result;
}

/* Evaluates what follows ifdef: whether the variable has a value as written, expanded or not. */
static int eval_defined(struct reader *reader, const char *text)
{
    struct expansion x = expansion_here(reader);
    struct str name = {0};
    int result = -1;

    if (expand_text(&x, &name, text, strlen(text)) == 0) {
        struct slice rest = {str_text(&name), name.len}, word, more;
        if (!slice_word(&rest, &word) || slice_word(&rest, &more)) {
            fail(reader, "ifdef and ifndef take one name");
        } else {
            struct variable *variable = variable_find(reader->conf, word.at, word.len);
            struct binding *binding = variable ? variable_binding(variable) : NULL;
            result = binding && binding_text(binding)[0] != '\0';
        }
    }
    str_free(&name);
    return result;
}

/* Evaluates a condition for the newest entry of the stack. */
static int eval_condition(struct reader *reader, const char *word, size_t length, const char *text)
{
    struct condition *condition = &reader->conditions[reader->depth - 1];
    bool negative = word[2] == 'n';
    int value;

    if (condition->done) {
        condition->skipping = true;
        return 0;
    }
    value = word[length - 1] == 'q' ? eval_equal(reader, text) : eval_defined(reader, text);
    if (value < 0)
        return -1;
    condition->done = (value != 0) != negative;
    condition->skipping = !condition->done;
    return 0;
}

static bool word_is(const char *word, size_t length, const char *name)
{
    return strlen(name) == length && memcmp(word, name, length) == 0;
}

static bool opens_condition(const char *word, size_t length)
{
    return word_is(word, length, "ifeq") || word_is(word, length, "ifneq") ||
           word_is(word, length, "ifdef") || word_is(word, length, "ifndef");
}

static int read_else(struct reader *reader, const char *rest)
{
    if (reader->depth == 0)
        return fail(reader, "'else' without an ifeq, ifneq, ifdef or ifndef before it");
    struct condition *condition = &reader->conditions[reader->depth - 1];
    if (condition->last)
        return fail(reader, "a second 'else' for one condition");
    if (*rest == '\0') {
        condition->last = true;
        condition->skipping = condition->done;
        condition->done = true;
        return 0;
    }
    size_t length = strcspn(rest, " \t");
    if (!opens_condition(rest, length))
        return fail(reader, "'else' is followed by nothing or by a condition");
    return eval_condition(reader, rest, length, skip_blanks(rest + length));
}

/* A line that starts with a conditional's word: 1 done, 0 is none, -1 err. */
static int read_conditional(struct reader *reader, const char *word, size_t length)
{
    const char *rest = skip_blanks(word + length);

    if (opens_condition(word, length)) {
        if (reader->depth == CONDITION_DEPTH_MAX)
            return fail(reader, "conditions nested too deeply");
        bool outer = skipping(reader);
        reader->conditions[reader->depth++] = (struct condition){
            .line = reader->here.line,
            .skipping = true,
            .done = outer,
        };
        return eval_condition(reader, word, length, rest) == 0 ? 1 : -1;
    }
    if (word_is(word, length, "else"))
        return read_else(reader, rest) == 0 ? 1 : -1;
    if (!word_is(word, length, "endif"))
        return 0;
    if (reader->depth == 0)
        return fail(reader, "'endif' without an ifeq, ifneq, ifdef or ifndef before it");
    if (*rest != '\0')
        return fail(reader, "'endif' is followed by nothing");
    reader->depth--;
    return 1;
}

/* ---- the other lines ---- */

static int read_include(struct reader *reader, const char *text, bool must)
{
    struct expansion x = expansion_here(reader);
    struct str list = {0};
    int result = expand_text(&x, &list, text, strlen(text));
    struct slice rest = {str_text(&list), list.len}, word;

    if (result == 0 && reader->source->depth >= INCLUDE_DEPTH_MAX)
        result = fail(reader, "files include each other without end");
    while (result == 0 && slice_word(&rest, &word)) {
        char *path = mem_copy_n(word.at, word.len);
        result = conf_read_file(reader->conf, path, reader->source->depth + 1, reader->err);
        if (result == 1 && must)
            result = err_at(reader->err, reader->here.file, reader->here.line, 0,
                            "included file %.200s does not exist", path);
        else if (result == 1)
            result = 0;
        free(path);
    }
    str_free(&list);
    return result;
}

/* The colon of `NAMES: VARIABLE op VALUE`, or NULL. */
static const char *find_colon(const char *at)
{
    while (*at && *at != ':')
        at = *at == '$' ? conf_skip_reference(at + 1) : at + 1;
    return *at ? at : NULL;
}

static int read_specific(struct reader *reader, const char *line, const char *colon)
{
    struct expansion x = expansion_here(reader);
    struct assign_parts parts;
    struct str targets = {0};

    if (!conf_parse_assign(colon + 1, &parts))
        return fail(reader, "a rule; trees of Gantry have none: declare targets (targets += NAME) "
                            "and their attributes (NAME: rule = link)");
    int result = expand_text(&x, &targets, line, (size_t)(colon - line));
    if (result == 0)
        result = read_assign(reader, str_text(&targets), &parts);
    str_free(&targets);
    return result;
}

/* A line that is neither assignment nor directive. Functions like error may stand alone. */
static int read_other(struct reader *reader, const char *line)
{
    struct expansion x = expansion_here(reader);
    struct str text = {0};
    const char *colon = find_colon(line);

    if (colon)
        return read_specific(reader, line, colon);
    int result = expand_text(&x, &text, line, strlen(line));
    if (result == 0 && *skip_blanks(str_text(&text)) != '\0')
        result =
            err_at(reader->err, reader->here.file, reader->here.line, 0,
                   "'%.60s' is no assignment, condition or include; is there a '=' missing?", line);
    str_free(&text);
    return result;
}

/* Words that make knows and the dialect does not. */
static bool foreign_word(const char *word, size_t length)
{
    static const char *const words[] = {"define",  "endef",    "undefine", "override",
                                        "private", "unexport", "vpath",    "load"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (word_is(word, length, words[i]))
            return true;
    return false;
}

static int read_line(struct reader *reader, const char *line)
{
    struct assign_parts parts;
    const char *word = skip_blanks(line);
    size_t length = strcspn(word, " \t\v\f\r");

    if (length == 0)
        return 0;
    if (conf_parse_assign(word, &parts))
        return skipping(reader) ? 0 : read_assign(reader, NULL, &parts);
    int result = read_conditional(reader, word, length);
    if (result != 0 || skipping(reader))
        return result < 0 ? -1 : 0;
    const char *rest = skip_blanks(word + length);
    if (word_is(word, length, "include"))
        return read_include(reader, rest, true);
    if (word_is(word, length, "-include") || word_is(word, length, "sinclude"))
        return read_include(reader, rest, false);
    /* Steps do not get their environment from the conf, so export changes nothing. */
    if (word_is(word, length, "export")) {
        if (conf_parse_assign(rest, &parts))
            return read_assign(reader, NULL, &parts);
        return 0;
    }
    if (foreign_word(word, length))
        return err_at(reader->err, reader->here.file, reader->here.line, 0,
                      "'%.*s' is not part of the dialect; gantry-conf(5) says what is", (int)length,
                      word);
    return read_other(reader, word);
}

int conf_read_text(struct conf *conf, const struct source *source, struct err *err)
{
    struct reader reader = {
        .conf = conf,
        .source = source,
        .err = err,
        .next_line = 1,
        .here = {.kind = source->kind, .file = source->name},
    };
    struct str line = {0};
    int result = 0;
    const char *nul = memchr(source->text, '\0', source->length);

    if (nul) {
        unsigned number = 1;
        for (const char *at = source->text; at < nul; at++)
            number += *at == '\n';
        return err_at(err, source->name, number, 0, "a NUL byte; this is no text file");
    }
    if (source->length >= 3 && memcmp(source->text, "\xEF\xBB\xBF", 3) == 0)
        reader.at = 3;
    while (result == 0 && next_line(&reader, &line))
        result = read_line(&reader, str_text(&line));
    if (result == 0 && reader.depth > 0)
        result = err_at(err, source->name, reader.conditions[reader.depth - 1].line, 0,
                        "a condition without its 'endif'");
    str_free(&line);
    return result;
}

int conf_read_file(struct conf *conf, const char *path, unsigned depth, struct err *err)
{
    char *full = path_join(conf->root, path);
    struct err failed = {0};
    size_t length;
    char *text = file_read(full, &length, &failed);
    struct source source = {
        .name = conf_note_file(conf, path),
        .text = text,
        .length = length,
        .kind = ORIGIN_TREE,
        .depth = depth,
    };
    const struct stock_file *stock = text || !str_starts(path, "conf/") ? NULL : stock_find(path);
    int result;

    free(full);
    if (text == NULL && failed.number != ENOENT && failed.number != ENOTDIR)
        return err_set(err, failed.kind, "%s", failed.text);
    if (text == NULL && stock == NULL)
        return 1;
    if (stock) {
        source.text = stock->bytes;
        source.length = stock->length;
        source.kind = ORIGIN_STOCK;
    }
    result = conf_read_text(conf, &source, err);
    free(text);
    return result;
}

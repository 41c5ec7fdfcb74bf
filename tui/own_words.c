#include "tui/own_words.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"

int own_option(struct own_words *words, const char *name, const char **value, struct err *err)
{
    const char *word = words->argv[words->next];
    size_t length = strlen(name);
    if (strncmp(word, name, length) != 0)
        return 0;
    bool letter = name[1] != '-';
    if (word[length] == '=') {
        *value = word + length + 1;
    } else if (word[length]) {
        if (!letter)
            return 0;
        *value = word + length;
    } else {
        if (words->next + 1 >= words->argc)
            return err_set(err, ERR_INPUT, "%s wants a value", name);
        *value = words->argv[++words->next];
    }
    words->next++;
    return 1;
}

int own_unknown(const char *command, const char *word, struct err *err)
{
    return err_set(err, ERR_INPUT, "unknown option %s (gantry help %s)", word, command);
}

int own_scope_option(struct own_words *words, struct own_scope *scope, struct err *err)
{
    const char *value;
    int taken = own_option(words, "-D", &value, err);
    if (taken > 0) {
        const char *equal = strchr(value, '=');
        if (!equal || equal == value)
            return err_set(err, ERR_INPUT, "-D %s: expected -D NAME=VALUE", value);
        char *name = mem_copy_n(value, (size_t)(equal - value));
        vec_push(&scope->kept, name);
        vec_push(&scope->variables, (struct manifest_variable){name, equal + 1});
        return 1;
    }
    if (taken == 0 && (taken = own_option(words, "--dir", &value, err)) > 0)
        vec_push(&scope->dirs, value);
    return taken;
}

struct manifest_scope own_scope_of(struct own_scope *scope, const char *const *manifests,
                                   size_t count)
{
    if (!scope->dirs.len) {
        vec_push(&scope->dirs, ".");
        for (size_t i = 0; i < count; i++) {
            char *dir = path_dir(manifests[i]);
            bool known = false;
            for (size_t k = 0; k < scope->dirs.len; k++)
                known |= strcmp(scope->dirs.at[k], dir) == 0;
            vec_push(&scope->kept, dir);
            if (!known)
                vec_push(&scope->dirs, dir);
        }
    }
    return (struct manifest_scope){.variables = scope->variables.at,
                                   .variables_count = scope->variables.len,
                                   .dirs = scope->dirs.at,
                                   .dirs_count = scope->dirs.len};
}

void own_scope_free(struct own_scope *scope)
{
    vec_free(&scope->variables);
    vec_free(&scope->dirs);
    str_list_free(&scope->kept);
}

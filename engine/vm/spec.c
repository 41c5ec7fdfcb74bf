#include "vm/spec.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

void vm_spec_free(struct vm_spec *spec)
{
    str_list_free(&spec->argv);
    str_list_free(&spec->with_kvm);
    str_list_free(&spec->without_kvm);
    if (spec->probe) {
        str_list_free(&spec->probe->argv);
        str_free(&spec->probe->guest);
        free(spec->probe);
    }
    str_list_free(&spec->helper);
    if (spec->helper_dir)
        file_remove_tree(spec->helper_dir, NULL);
    free(spec->helper_dir);
    free(spec->helper_socket);
    if (spec->overlay > 0)
        close(spec->overlay);
    free(spec->symbols.addr2line);
    free(spec->symbols.kernel);
    free(spec->symbols.program);
    free(spec->symbols.root);
    free(spec->texts.failed);
    free(spec->texts.refused);
    free(spec->texts.begins);
    free(spec->package);
    free(spec->image);
    free(spec->arguments);
    free(spec->expect);
    *spec = (struct vm_spec){0};
}

/* The value of the placeholder that begins at `at`; NULL where there is none. */
static const char *value_at(const char *at, const char *const *values, size_t *length)
{
    if (at[0] != '%' || at[1] != '(')
        return NULL;
    for (; *values; values += 2) {
        size_t name = strlen(values[0]);
        if (strncmp(at + 2, values[0], name) == 0 && at[2 + name] == ')') {
            *length = name + 3;
            return values[1];
        }
    }
    return NULL;
}

char *vm_fill_word(const char *word, const char *const *values)
{
    struct str out = {0};
    bool in_list = strchr(word, '=') != NULL;
    while (*word) {
        size_t length;
        const char *value = value_at(word, values, &length);
        if (!value) {
            str_add_char(&out, *word++);
            continue;
        }
        /* Forwards are a list themselves; a comma of a path is doubled. */
        bool list = *value == ',';
        for (const char *p = value; *p; p++)
            str_add(&out, in_list && !list && *p == ',' ? ",," : (char[]){*p, '\0'});
        word += length;
    }
    return str_take(&out);
}

char *vm_word(const char *word, const char *disk, const char *format)
{
    return vm_fill_word(word, (const char *const[]){"disk", disk, "format", format, NULL});
}

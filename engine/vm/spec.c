#include "vm/spec.h"

#include <stdlib.h>
#include <string.h>

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
    free(spec->package);
    free(spec->image);
    free(spec->arguments);
    free(spec->expect);
    *spec = (struct vm_spec){0};
}

char *vm_word(const char *word, const char *disk, const char *format)
{
    struct str out = {0};
    bool in_list = strchr(word, '=') != NULL;
    while (*word) {
        if (str_starts(word, "%(disk)")) {
            for (const char *p = disk; *p; p++)
                str_add(&out, in_list && *p == ',' ? ",," : (char[]){*p, '\0'});
            word += strlen("%(disk)");
        } else if (str_starts(word, "%(format)")) {
            str_add(&out, format);
            word += strlen("%(format)");
        } else {
            str_add_char(&out, *word++);
        }
    }
    return str_take(&out);
}

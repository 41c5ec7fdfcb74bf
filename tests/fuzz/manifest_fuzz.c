/* Manifests: read, resolved, edited and undone, whatever the text. */
#include "tests/fuzz/fuzz.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "manifest/manifest.h"

/* A glob over this machine's own directories: right, but slow and another one on each machine. */
static bool walks_outside(const char *text)
{
    bool outside = strstr(text, "..") != NULL;
    for (const char *at = text; (at = strchr(at, ':'));) {
        at++;
        outside |= at[strspn(at, " \t!&")] == '/';
    }
    return outside && strstr(text, "**");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    char *text = mem_copy_n((const char *)data, size);
    const char *path = "fuzz.manifest";
    if (walks_outside(text)) {
        free(text);
        return 0;
    }
    const struct manifest_overlay overlay = {.path = path, .text = text};
    const struct manifest_variable variable = {.name = "src", .value = "/nonexistent"};
    const struct manifest_scope scope = {.variables = &variable,
                                         .variables_count = 1,
                                         .overlays = &overlay,
                                         .overlays_count = 1,
                                         .root = "/nonexistent"};
    for (enum manifest_mode mode = MANIFEST_STRICT; mode <= MANIFEST_MARK; mode++) {
        struct manifest_list list = {0};
        manifest_resolve(&list, &path, 1, &scope, mode, &err);
        for (size_t i = 1; i < list.entries.len; i++)
            if (strcmp(list.entries.at[i - 1].guest, list.entries.at[i].guest) > 0)
                abort(); /* the promise: sorted by guest */
        manifest_list_free(&list);
    }
    free(text);
    return 0;
}

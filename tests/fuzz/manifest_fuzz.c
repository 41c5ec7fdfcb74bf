/* Manifests: read, resolved, edited and undone, whatever the text. */
#include "tests/fuzz/fuzz.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "manifest/manifest.h"

/* A small tree of our own, as %(src)s. */
static char tree[64];

static void remove_tree(void)
{
    struct err err = {0};
    file_remove_tree(tree, &err);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    struct err err = {0};
    char path[128];
    static const char *const names[] = {"one", "d/two", "d/e/three"};
    snprintf(tree, sizeof tree, "%s/gantry-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(tree))
        abort();
    atexit(remove_tree);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", tree, names[i]);
        if (file_make_parents(path, &err) < 0 || file_write(path, "text", 4, 0600, &err) < 0)
            abort();
    }
    snprintf(path, sizeof path, "%s/d/link", tree);
    if (symlink("e/three", path) < 0)
        abort();
    return 0;
}

/* A glob over this machine's own directories: right, but slow and another one on each machine. Only
 * what lies in the small tree may be walked. */
static bool walks_outside(const char *text)
{
    for (const char *line = text, *next; *line; line = next) {
        static const char inside[] = "%(src)s";
        size_t length = strcspn(line, "\n");
        next = line + length + (line[length] == '\n');
        char *copy = mem_copy_n(line, length);
        char *glob = strstr(copy, "**"), *colon = strchr(copy, ':');
        if (colon)
            colon += 1 + strspn(colon + 1, " \t\r\v\f");
        bool outside = glob && (strstr(copy, "..") || (colon && strstr(colon, ": ")) || !colon ||
                                strncmp(colon, inside, sizeof inside - 1) != 0);
        free(copy);
        if (outside)
            return true;
    }
    return false;
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
    const struct manifest_variable variable = {.name = "src", .value = tree};
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

#include "tests/support/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/vec.h"

static char *dir;
static str_list kept;

int scratch_make(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    dir = mem_format("%s/gantry-test-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    return mkdtemp(dir) ? 0 : -1;
}

int scratch_remove(void **state)
{
    (void)state;
    int status = file_remove_tree(dir, NULL);
    free(dir);
    str_list_free(&kept);
    return status;
}

const char *scratch_dir(void)
{
    return dir;
}

const char *scratch(const char *name)
{
    vec_push(&kept, mem_format("%s/%s", dir, name));
    return kept.at[kept.len - 1];
}

const char *scratch_bytes(const char *name, const void *bytes, size_t length)
{
    struct err err = {0};
    const char *path = scratch(name);
    if (file_make_parents(path, &err) < 0 || file_write(path, bytes, length, 0644, &err) < 0)
        fail_msg("%s", err.text);
    return path;
}

const char *scratch_text(const char *name, const char *text)
{
    return scratch_bytes(name, text, strlen(text));
}

char *scratch_read(const char *name, size_t *length)
{
    struct err err = {0};
    char *bytes = file_read(scratch(name), length, &err);
    if (!bytes)
        fail_msg("%s", err.text);
    return bytes;
}

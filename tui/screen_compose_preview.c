/* What an entry would put in while it is typed: its line alone is resolved, as the manifest's reader
 * does. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "tui/screen_compose.h"

#define TYPED "(typed)" /* the manifest that there is not */

/* The row that an entry takes the place of, or NULL. */
static const struct compose_row *replaced(const struct compose_tab *tab, const char *guest,
                                          const char *changing)
{
    for (size_t i = 0; i < tab->rows_count; i++) {
        const struct compose_row *row = &tab->rows[i];
        if (strcmp(row->guest, guest) == 0 && row->stage != ROW_REMOVED && !row->duplicate &&
            (!changing || strcmp(changing, guest) != 0))
            return row;
    }
    return NULL;
}

/* A host file as one would type it in the tree. */
static const char *in_tree(const char *host, const char *root)
{
    size_t length = strlen(root);
    return strncmp(host, root, length) == 0 && host[length] == '/' ? host + length + 1 : host;
}

static void describe_one(const struct manifest_entry *entry, const char *root, struct str *out)
{
    char size[16];
    text_size(size, entry->size_bytes);
    if (entry->problem)
        str_add(out, entry->problem);
    else if (entry->kind == ENTRY_SYMLINK)
        str_addf(out, "a link to %s", entry->host);
    else if (entry->kind == ENTRY_DIRECTORY)
        str_add(out, "an empty directory");
    else
        str_addf(out, "%s%s of %s", size, entry->size_bytes < 1024 ? " bytes" : "",
                 in_tree(entry->host, root));
}

/* "12 files, 3.1M: a.class b.class ..." */
static void describe_many(const struct manifest_list *list, struct str *out)
{
    enum { NAMED = 8 };
    char size[16];
    uint64_t bytes = 0;
    size_t problems = 0;
    for (size_t i = 0; i < list->entries.len; i++) {
        bytes += list->entries.at[i].size_bytes;
        problems += list->entries.at[i].problem != NULL;
    }
    text_size(size, bytes);
    str_addf(out, "%zu entries, %s", list->entries.len, size);
    if (problems)
        str_addf(out, ", %zu that cannot be put in", problems);
    for (size_t i = 0; i < list->entries.len && i < NAMED; i++)
        str_addf(out, "%s %s", i ? "" : ":", list->entries.at[i].guest);
    if (list->entries.len > NAMED)
        str_add(out, " ...");
}

static void describe(const struct manifest_list *list, const struct compose_tab *tab,
                     const char *root, const char *changing, struct str *out)
{
    size_t replaces = 0;
    const struct compose_row *row = NULL;
    for (size_t i = 0; i < list->entries.len; i++) {
        const struct compose_row *other = replaced(tab, list->entries.at[i].guest, changing);
        row = other ? other : row;
        replaces += other != NULL;
    }
    if (!list->entries.len)
        str_add(out, "nothing matches: nothing is put in");
    else if (list->entries.len == 1)
        describe_one(&list->entries.at[0], root, out);
    else
        describe_many(list, out);
    if (replaces == 1)
        str_addf(out, "; in place of %s", row->from);
    else if (replaces)
        str_addf(out, "; in place of %zu others", replaces);
}

static char *op_preview_entry(void *app, size_t tab, const char *guest, const char *wanted,
                              const char *changing)
{
    struct compose_screen *screen = compose_screen_of(app);
    struct manifest_list list = {0};
    struct err err = {0};
    struct str out = {0};
    const char *const files[] = {TYPED};
    if (!screen || tab >= screen->data.tabs_count || !*wanted)
        return NULL;
    char *line = mem_format("%s: %s\n", guest, wanted);
    const struct manifest_overlay overlay = {TYPED, line};
    struct manifest_scope scope = screen->fs.at[tab].scope;
    scope.overlays = &overlay;
    scope.overlays_count = 1;
    scope.root = ((struct console *)app)->root;
    if (manifest_resolve(&list, files, 1, &scope, MANIFEST_MARK, &err) == 0)
        describe(&list, &screen->data.tabs[tab], scope.root, changing, &out);
    else
        str_add(&out, err.text);
    manifest_list_free(&list);
    free(line);
    return str_take(&out);
}

void compose_preview_fill(struct app_ops *ops)
{
    ops->preview_entry = op_preview_entry;
}

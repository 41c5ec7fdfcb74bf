#include "image/guest_tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/sort.h"

/* The directory of a guest path, with its parents, added where it is new. */
static uint32_t add_directory(struct guest_tree *tree, const char *path, size_t length)
{
    uint32_t id = intern_find_n(&tree->directories, path, length);
    if (id != INTERN_NONE)
        return id;
    size_t name = length;
    while (name && path[name - 1] != '/')
        name--;
    uint32_t parent = length ? add_directory(tree, path, name ? name - 1 : 0) : 0;
    id = intern_id_n(&tree->directories, path, length);
    vec_push(&tree->parent_of, parent);
    vec_push(&tree->directories_in, 0u);
    if (length)
        tree->directories_in.at[parent]++;
    return id;
}

/* The leaf that a host file is already, by another of its names; or 0. A file that the manifest takes
 * twice by one name is two files: this must not depend on what else links to it on the host. */
static uint32_t hard_link(struct guest_tree *tree, const struct stat *st, const char *host)
{
    char key[64];
    if (st->st_nlink < 2)
        return 0;
    snprintf(key, sizeof key, "%llu:%llu", (unsigned long long)st->st_dev,
             (unsigned long long)st->st_ino);
    uintptr_t known = (uintptr_t)map_get(&tree->hard_links, key);
    const struct guest_leaf *leaf = known ? &tree->leaves.at[known - 1] : NULL;
    if (leaf && leaf->links < GUEST_LINKS_MAX && strcmp(leaf->entry->host, host) != 0)
        return (uint32_t)known;
    map_put(&tree->hard_links, key, (void *)(uintptr_t)(tree->leaves.len + 1));
    return 0;
}

static int add_leaf(struct guest_tree *tree, const struct manifest_entry *entry, struct err *err)
{
    const char *slash = strrchr(entry->guest, '/');
    uint32_t directory = add_directory(tree, entry->guest, (size_t)(slash - entry->guest));
    struct guest_leaf leaf = {entry, directory, 1, S_IFLNK | 0777};
    uint32_t index = (uint32_t)tree->leaves.len;
    if (entry->kind == ENTRY_FILE) {
        struct stat st;
        if (stat(entry->host, &st) < 0)
            return err_at(err, entry->file, entry->line, 0, "cannot read %s: %s", entry->host,
                          strerror(errno));
        leaf.mode = S_IFREG | (st.st_mode & 0111 ? 0755 : 0644);
        uint32_t known = hard_link(tree, &st, entry->host);
        if (known) {
            tree->leaves.at[known - 1].links++;
            index = known - 1;
        }
    }
    if (index == tree->leaves.len)
        vec_push(&tree->leaves, leaf);
    vec_push(&tree->children,
             (struct guest_child){directory, index, slash + 1,
                                  entry->kind == ENTRY_FILE ? GUEST_FILE : GUEST_LINK});
    return 0;
}

static int by_directory(const void *left, const void *right)
{
    const struct guest_child *a = left, *b = right;
    if (a->directory != b->directory)
        return a->directory < b->directory ? -1 : 1;
    return strcmp(a->name, b->name);
}

int guest_tree_make(struct guest_tree *tree, const struct manifest_list *list, struct err *err)
{
    add_directory(tree, "", 0);
    for (size_t i = 0; list && i < list->entries.len; i++) {
        const struct manifest_entry *entry = &list->entries.at[i];
        if (entry->duplicate)
            continue;
        if (entry->missing)
            return err_at(err, entry->file, entry->line, 0, "%s is missing", entry->wanted);
        size_t length = strlen(entry->guest);
        if (entry->kind == ENTRY_DIRECTORY)
            add_directory(tree, entry->guest, length > 1 ? length : 0);
        else if (add_leaf(tree, entry, err) < 0)
            return -1;
    }
    for (uint32_t d = 1; d < intern_count(&tree->directories); d++) {
        const char *path = intern_text(&tree->directories, d);
        vec_push(&tree->children, (struct guest_child){tree->parent_of.at[d], d,
                                                       strrchr(path, '/') + 1, GUEST_DIRECTORY});
    }
    sort_array(tree->children.at, tree->children.len, sizeof *tree->children.at, by_directory);
    return 0;
}

void guest_tree_free(struct guest_tree *tree)
{
    intern_free(&tree->directories);
    map_free(&tree->hard_links);
    vec_free(&tree->parent_of);
    vec_free(&tree->directories_in);
    vec_free(&tree->children);
    vec_free(&tree->leaves);
}

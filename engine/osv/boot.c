/* What scripts/run.py tells QEMU's guest, and where the addresses of its crash are to be looked up. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "osv/private.h"
#include "vm/vm.h"

/* The host's file of a guest's path by usr.manifest, absolute and new; NULL where there is none. */
static char *host_file(const char *root, struct conf *conf, const char *guest)
{
    struct manifest_list list = {0};
    char *found = NULL, *path = mem_format("%s/usr.manifest", conf_get(conf, "out"));
    const char *const files[] = {path}, *const dirs[] = {conf_get(conf, "out")};
    const struct manifest_scope scope = {.dirs = dirs, .dirs_count = 1, .root = root};
    /* What is missing elsewhere in the manifest is nobody's business here. */
    int status = manifest_resolve(&list, files, 1, &scope, MANIFEST_MARK, NULL);
    for (size_t i = 0; status == 0 && i < list.entries.len && !found; i++) {
        const struct manifest_entry *entry = &list.entries.at[i];
        if (!entry->duplicate && entry->kind == ENTRY_FILE && entry->host &&
            strcmp(entry->guest, guest) == 0)
            found = path_absolute(entry->host);
    }
    manifest_list_free(&list);
    free(path);
    return found;
}

/* The program that the arguments name first. */
static char *find_program(const char *root, struct conf *conf, const char *arguments)
{
    str_list words = {0};
    char *found = NULL;
    text_split(&words, arguments);
    for (size_t i = 0; i < words.len && !found; i++) {
        if (words.at[i][0] == '-')
            continue;
        words.at[i][strcspn(words.at[i], ";&!,")] = '\0'; /* OSv's separators of commands */
        found = host_file(root, conf, words.at[i]);
        break;
    }
    str_list_free(&words);
    return found;
}

/* What the image has, `gantry image set-args` included; a disk beside its kernel has none. */
static char *own_arguments(const struct vm_options *options, struct err *err)
{
    struct conf *conf = options->conf;
    bool beside = *conf_get(conf, "osv-beside") != '\0';
    char *path = beside           ? NULL
                 : options->image ? mem_copy(options->image)
                                  : vm_image_path(options->root, conf);
    char *text = path ? image_args(path, options->image ? err : NULL) : NULL;
    bool failed = !text && path && options->image;
    free(path);
    return text || failed ? text : osv_cmdline(options->root, conf, err);
}

int osv_boot_fill(struct osv_boot *boot, struct vm_options *options, const char *execute,
                  bool verbose, struct err *err)
{
    struct toolchain tools = {0};
    char *text = execute ? mem_copy(execute) : own_arguments(options, err);
    if (!text)
        return -1;
    boot->arguments = mem_format("%s%s", verbose ? "--verbose " : "", text);
    free(text);
    boot->program = find_program(options->root, options->conf, boot->arguments);
    if (toolchain_resolve(&tools, options->conf, NULL) == 0) {
        char *name = mem_format("%saddr2line", tools.prefix);
        boot->addr2line = toolchain_find(name);
        free(name);
    }
    toolchain_free(&tools);
    options->arguments = boot->arguments;
    options->program = boot->program;
    options->addr2line = boot->addr2line;
    return 0;
}

void osv_boot_free(struct osv_boot *boot)
{
    free(boot->arguments);
    free(boot->program);
    free(boot->addr2line);
    *boot = (struct osv_boot){0};
}

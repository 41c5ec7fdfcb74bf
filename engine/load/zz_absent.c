/* Until the loaders come: weak, last in the library, to be deleted by run with their arrival. */
#include "load/load.h"
#include "run/build_internal.h"

#define ABSENT __attribute__((weak))
ABSENT enum tree_kind load_find_tree(const char *start, char **root, struct err *err)
{
    (void)start;
    *root = NULL;
    err_set(err, ERR_INPUT, "the loader is not in yet");
    return TREE_NONE;
}
ABSENT int load_native(struct graph *graph, const char *root, struct conf *conf,
                       const struct toolchain *tools, struct err *err)
{
    (void)graph, (void)root, (void)conf, (void)tools;
    return err_set(err, ERR_INPUT, "the loader is not in yet");
}
ABSENT int load_publish(const char *root, struct conf *conf, struct err *err)
{
    (void)root, (void)conf;
    return err_set(err, ERR_INPUT, "the loader is not in yet");
}
ABSENT int toolchain_resolve(struct toolchain *tools, struct conf *conf, struct err *err)
{
    (void)tools, (void)conf;
    return err_set(err, ERR_INPUT, "the toolchain is not in yet");
}
ABSENT void toolchain_free(struct toolchain *tools)
{
    (void)tools;
}
ABSENT int make_build_run(struct build *build, void *data)
{
    (void)data;
    build_say(build, SEVERITY_ERROR, "the make gate is not in yet");
    return 2;
}

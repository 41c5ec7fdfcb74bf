/*
 * The stages of a build as a makefile, so that they are steps like any other: traced, recorded, shown.
 * They are those of OSv's scripts/build, in its order and with its words: config, stage1, module.py with
 * the makes of the modules, the kernel. Two things are better: what usr.manifest names and nobody has made
 * is asked of make (scripts/build stops there), and files that come out with the same content keep their
 * times, so that a ramfs kernel is not linked again each time.
 */
#include <ctype.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "osv/private.h"
#include "toolchain/probe.h"

struct drive {
    const char *root, *out, *fs;
    struct conf *conf;
    const struct osv_stages *stages;
    const struct toolchain *tools;
    char *libgcc_dir, *modules;
    const char *bootfs, *usrskel;
    bool kernel; /* it is built, too */
    const char *goals; /* of a tree of 2014, in the build directory; else NULL */
    struct str args; /* NAME=VALUE for the tree's own makes, quoted */
    struct str exports; /* the same for the environment of module.py */
    struct str text;
};

const char *osv_of_fs(struct conf *conf, const char *what)
{
    char *name = mem_format("osv-%s-%s", what, conf_get(conf, "fs"));
    const char *value = conf_get(conf, name);
    free(name);
    return value;
}

char *osv_libgcc_dir(const char *root, struct conf *conf, const struct toolchain *tools)
{
    char *cache = path_join(root, "build/.gantry/toolchain"), *cc = toolchain_find(tools->cc);
    char *answer = cc ? probe_cached(cache, cc, "-print-file-name=libgcc_s.so.1") : NULL;
    free(cache);
    free(cc);
    if (!answer || !strchr(answer, '/')) {
        free(answer);
        answer = mem_format("%s/build/downloaded_packages/%s/gcc/install/lib64/libgcc_s.so.1", root,
                            conf_get(conf, "arch"));
    }
    char *real = realpath(answer, NULL), *dir = path_dir(real ? real : answer);
    free(real);
    free(answer);
    return dir;
}

/* ---- what was given ---- */

/* A shell's word for a recipe's line. */
static void add_word(struct str *out, const char *word)
{
    struct str quoted = {0};
    text_shell_quote(&quoted, word);
    for (const char *at = str_text(&quoted); *at; at++)
        str_addf(out, *at == '$' ? "$%c" : "%c", *at);
    str_free(&quoted);
}

/* Names that scripts/build keeps from make, and those that stock conf gives a meaning to. */
static bool is_ours(struct conf *conf, const char *name)
{
    static const char *const names[] = {
        "ARCH",    "arch",      "mode",           "image",     "modules", "fs",
        "usrskel", "cmdline",   "HOST_CC",        "img_align", "src",     "append_manifest",
        "out",     "host_arch", "bootfs_manifest"};
    size_t count;
    const struct conf_value *values = conf_values(conf, name, &count);
    for (size_t i = 0; i < count; i++)
        if (values[i].origin.kind == ORIGIN_STOCK)
            return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    for (const char *at = name; *at; at++)
        if (!isalnum((unsigned char)*at) && *at != '_')
            return true; /* no name of a shell's variable: qemu-..., cmdline-... */
    return false;
}

static void add_given(struct drive *drive, const char *name, const char *value)
{
    char *word = mem_format("%s=%s", name, value);
    str_add_char(&drive->args, ' ');
    add_word(&drive->args, word);
    str_add_char(&drive->exports, ' ');
    add_word(&drive->exports, word);
    free(word);
}

/* Whatever came from outside the files goes to make and, as scripts/build has it, to the modules. */
static void read_given(struct drive *drive)
{
    str_list names = {0};
    conf_names(drive->conf, &names);
    add_given(drive, "mode", conf_get(drive->conf, "mode"));
    add_given(drive, drive->goals ? "ARCH" : "arch", conf_get(drive->conf, "arch"));
    for (size_t i = 0; i < names.len; i++) {
        size_t count;
        const struct conf_value *values = conf_values(drive->conf, names.at[i], &count);
        if (count && values[0].origin.kind >= ORIGIN_SAVED &&
            values[0].origin.kind <= ORIGIN_SCREEN && !is_ours(drive->conf, names.at[i]))
            add_given(drive, names.at[i], conf_get(drive->conf, names.at[i]));
    }
    str_list_free(&names);
}

static bool there(const struct drive *drive, const char *path)
{
    char *full = path_join(drive->root, path);
    bool found = access(full, R_OK) == 0;
    free(full);
    return found;
}

static int need_file(const struct drive *drive, const char *name, const char *path, struct err *err)
{
    if (!*path || there(drive, path))
        return 0;
    return err_set(err, ERR_INPUT, "%s=%s: this tree has no such file", name, path);
}

static int read_picks(struct drive *drive, struct err *err)
{
    struct conf *conf = drive->conf;
    const char *skel = conf_get(conf, "usrskel"), *bootfs = conf_get(conf, "bootfs_manifest");
    bool append = *conf_get(conf, "append_manifest") && !strcmp(conf_get(conf, "image"), "default");
    drive->out = conf_get(conf, "out");
    drive->goals = *conf_get(conf, "osv-goals") ? conf_get(conf, "osv-goals") : NULL;
    drive->fs = conf_get(conf, "fs");
    drive->bootfs = *bootfs ? bootfs : osv_of_fs(conf, "bootfs");
    drive->usrskel = *skel ? skel : osv_of_fs(conf, "usrskel");
    bool made = str_starts(drive->bootfs, drive->out);
    if (need_file(drive, "usrskel", strcmp(skel, "none") == 0 ? "" : skel, err) < 0 ||
        need_file(drive, "bootfs_manifest", made ? "" : drive->bootfs, err) < 0)
        return -1;
    char *export_dir = path_join(drive->root, conf_get(conf, "export_dir"));
    size_t length = strlen(export_dir);
    bool above = strncmp(drive->root, export_dir, length) == 0 &&
                 (!drive->root[length] || drive->root[length] == '/' || length == 1);
    free(export_dir);
    if (above && strcmp(conf_get(conf, "export"), "none") != 0)
        return err_set(err, ERR_INPUT,
                       "export_dir=%s: what is there would be removed, and that "
                       "is this tree; name a directory of its own",
                       conf_get(conf, "export_dir"));
    drive->modules =
        append ? mem_copy("!empty") : conf_osv_modules(conf, osv_of_fs(conf, "module"), err);
    return drive->modules ? 0 : -1;
}

/* ---- the text ---- */

/* The tree's make with a goal, behind what the environment is to have. */
static void put_make(struct drive *drive, const char *environment, const char *goal)
{
    str_addf(&drive->text, "\t+%s$(MAKE)%s %s\n", environment, str_text(&drive->args), goal);
}

static void put_config(struct drive *drive)
{
    str_add(&drive->text, "osv-configured:\n");
    /* Its rules do not say all that they need: one at a time, as scripts/build has it. */
    if (there(drive, "conf/Makefile"))
        put_make(drive, "MAKEFLAGS='$(osv-flags)' ", "-f conf/Makefile -j1 config");
}

/* Puts NEW in the place of OLD where it says something else. */
static void put_replace(struct drive *drive, const char *file)
{
    str_addf(&drive->text, "\t@cd %s && { cmp -s %s.new %s && rm %s.new || mv %s.new %s; }\n",
             drive->out, file, file, file, file, file);
}

static void put_fstab(struct drive *drive)
{
    const char *from = osv_of_fs(drive->conf, "fstab"), *more = osv_of_fs(drive->conf, "mount");
    if (!*from)
        return;
    str_addf(&drive->text, "\t@{ cat %s", from);
    if (*more) {
        str_add(&drive->text, "; echo ");
        add_word(&drive->text, more);
    }
    str_addf(&drive->text, "; } >%s/fstab.new\n", drive->out);
    put_replace(drive, "fstab");
}

static bool was_given(const struct drive *drive, const char *name)
{
    size_t count;
    const struct conf_value *values = conf_values(drive->conf, name, &count);
    return count && values[0].origin.kind >= ORIGIN_SAVED && values[0].origin.kind <= ORIGIN_SCREEN;
}

/* Makefiles of modules that know of no arch say $(CC), and get the target's: scripts/build leaves them the
 * build machine's, whose programs the kernel does not start. */
static void put_cross_tools(struct drive *drive)
{
    const struct toolchain *tools = drive->tools;
    const struct {
        const char *name, *value;
    } cross[] = {{"CROSS_PREFIX", tools->prefix},
                 {"CC", tools->cc},
                 {"CXX", tools->cxx},
                 {"AR", tools->ar},
                 {"LD", tools->ld},
                 {"STRIP", tools->strip}};
    for (size_t i = 0; *tools->prefix && i < sizeof cross / sizeof *cross; i++) {
        if (was_given(drive, cross[i].name) && strcmp(cross[i].name, "CROSS_PREFIX") != 0)
            continue; /* it is exported as it was given */
        str_addf(&drive->text, " %s=", cross[i].name);
        add_word(&drive->text, cross[i].value);
    }
}

static void put_environment(struct drive *drive)
{
    const struct {
        const char *name, *value;
    } more[] = {{"fs_type", drive->fs},
                {"libgcc_s_dir", drive->libgcc_dir},
                {"ARCH", conf_get(drive->conf, "arch")},
                {"OSV_BASE", drive->root}};
    /* Python hands no descriptors on, and so no jobserver: each make below gets the number, as it does
     * from scripts/build. */
    str_addf(&drive->text, "\t$(osv-plus)export MAKEFLAGS='$(osv-flags)'%s",
             str_text(&drive->exports));
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        str_addf(&drive->text, " %s=", more[i].name);
        add_word(&drive->text, more[i].value);
    }
    put_cross_tools(drive);
    char *path = path_join(drive->root, drive->out);
    str_add(&drive->text, " OSV_BUILD_PATH=");
    add_word(&drive->text, path);
    free(path);
}

static void put_modules(struct drive *drive, const char *after)
{
    struct str *text = &drive->text;
    bool selected = strcmp(conf_get(drive->conf, "export"), "selected") == 0;
    bool append = *conf_get(drive->conf, "append_manifest") != '\0';
    str_addf(text, "osv-modules:%s\n\t@mkdir -p %s\n", after, drive->out);
    put_fstab(drive);
    str_addf(text,
             "\t@cd %s && for f in usr.manifest cmdline; do "
             "if [ -f $$f ]; then cp -p $$f $$f.was; else rm -f $$f.was; fi; done\n",
             drive->out);
    put_environment(drive);
    str_add(text, "; scripts/module.py $(filter -j%,$(MAKEFLAGS)) build -c ");
    add_word(text, drive->modules);
    if (*drive->usrskel) {
        str_add(text, " --usrskel ");
        add_word(text, drive->usrskel);
    }
    str_addf(text, "%s\n", selected ? " --no-required" : "");
    if (append)
        str_addf(
            text,
            "\t@cd %s && if [ -f append.manifest ]; then cat append.manifest >>usr.manifest; "
            "if [ -f append_cmdline ] && [ ! -s cmdline ]; then cp append_cmdline cmdline; fi; "
            "fi\n",
            drive->out);
    str_addf(text,
             "\t@cd %s && printf '%%s' \"--rootfs=%s $$(cat cmdline)\" >cmdline.new && "
             "mv cmdline.new cmdline\n"
             "\t@cd %s && for f in usr.manifest cmdline; do "
             "if cmp -s $$f.was $$f; then mv $$f.was $$f; else rm -f $$f.was; fi; done\n",
             drive->out, drive->fs, drive->out);
}

/* What usr.manifest takes from the build directory and is not there, make has to make. */
static void put_files(struct drive *drive)
{
    str_addf(
        &drive->text,
        "osv-files: osv-modules\n"
        "\t+@missing=$$(sed -n 's,^[^#[][^:]*:[ \\t][ \\t]*\\([^-!/%%&.*][^:&*%%]*\\)$$,\\1,p' "
        "%s/usr.manifest | sort -u | while read -r f; do [ -e \"%s/$$f\" ] || "
        "printf '%%s ' \"%s/$$f\"; done); [ -z \"$$missing\" ] || $(MAKE)%s $$missing\n",
        drive->out, drive->out, drive->out, str_text(&drive->args));
}

static void put_kernel(struct drive *drive, const char *after, const char *goal)
{
    struct str environment = {0};
    str_addf(&environment, "fs=%s bootfs_manifest=", drive->fs);
    add_word(&environment, drive->bootfs);
    str_add_char(&environment, ' ');
    str_addf(&drive->text, "osv-kernel:%s\n", after);
    put_make(drive, str_text(&environment), goal);
    str_free(&environment);
}

/* scripts/build's export=: the files in a directory of the host. */
static void put_export(struct drive *drive)
{
    const char *dir = conf_get(drive->conf, "export_dir");
    char *full = path_join(drive->root, dir);
    str_addf(&drive->text, "osv-export: osv-kernel\n\t@rm -rf ");
    add_word(&drive->text, full);
    str_addf(&drive->text, "\n\tcd %s && ", drive->out);
    char *script = path_join(drive->root, "scripts/export_manifest.py");
    add_word(&drive->text, script);
    str_add(&drive->text, " -m usr.manifest -e ");
    add_word(&drive->text, full);
    str_add(&drive->text, " -D libgcc_s_dir=");
    add_word(&drive->text, drive->libgcc_dir);
    str_add_char(&drive->text, '\n');
    free(script);
    free(full);
}

/* Whether the loader that is there was linked for what this file system needs in its bootfs. */
static bool kernel_fits(const struct drive *drive)
{
    char *last = mem_format("%s/%s/bootfs_manifest.last", drive->root, drive->out);
    char *loader = mem_format("%s/loader.img", drive->out), *is = file_read(last, NULL, NULL);
    bool fits = is && strcmp(is, drive->bootfs) == 0 && there(drive, loader) &&
                !str_starts(drive->bootfs, drive->out);
    free(is);
    free(loader);
    free(last);
    return fits;
}

/* As it was in 2014: the top makefile writes another one, and that one makes all the rest. */
static void put_all_2014(struct drive *drive)
{
    const char *const *target = drive->stages->targets;
    struct str goal = {0};
    str_addf(&drive->text, "# The stages of a build. Written by gantry, one for each selection.\n"
                           "unexport image modules ARCH mode cmdline\n"
                           ".PHONY: osv osv-makefile osv-kernel\nosv: osv-kernel\nosv-makefile:\n");
    drive->kernel = true;
    str_addf(&goal, "%s/Makefile", drive->out);
    put_make(drive, "", str_text(&goal));
    str_cut(&goal, 0);
    str_addf(&goal, "-r -C %s modules=", drive->out);
    add_word(&goal, drive->modules);
    for (; target && *target; target++) {
        str_add_char(&goal, ' ');
        add_word(&goal, *target);
    }
    if (!drive->stages->targets || !drive->stages->targets[0])
        str_addf(&goal, " %s", drive->goals);
    str_add(&drive->text, "osv-kernel: osv-makefile\n");
    put_make(drive, "", str_text(&goal));
    str_free(&goal);
}

static void put_all(struct drive *drive)
{
    const struct osv_stages *stages = drive->stages;
    char *loader = mem_format("%s/loader.img links", drive->out);
    bool export = strcmp(conf_get(drive->conf, "export"), "none") != 0;
    bool kernel = drive->kernel = !stages->image_only || !kernel_fits(drive);
    str_add(&drive->text,
            "# The stages of scripts/build. Written by gantry, one for each selection.\n"
            "unexport image modules fs usrskel bootfs_manifest arch ARCH mode cmdline\n"
            "osv-plus := $(if $(findstring n,$(firstword -$(MAKEFLAGS))),,+)\n"
            "osv-flags = $(filter-out -j% --jobserver%,$(MAKEFLAGS))\n"
            ".PHONY: osv osv-configured osv-stage1 osv-modules osv-files osv-kernel osv-export\n");
    if (stages->targets && stages->targets[0]) {
        struct str goals = {0};
        for (size_t i = 0; stages->targets[i]; i++) {
            str_add(&goals, i ? " " : "");
            add_word(&goals, stages->targets[i]);
        }
        str_add(&drive->text, "osv: osv-kernel\n");
        put_config(drive);
        put_kernel(drive, " osv-configured", str_text(&goals));
        str_free(&goals);
    } else {
        str_addf(&drive->text, "osv: %s\n",
                 export   ? "osv-export"
                 : kernel ? "osv-kernel"
                          : "osv-files");
        if (kernel) {
            put_config(drive);
            str_add(&drive->text, "osv-stage1: osv-configured\n");
            put_make(drive, "", "stage1");
        }
        put_modules(drive, kernel ? " osv-stage1" : "");
        put_files(drive);
        if (kernel)
            put_kernel(drive, " osv-files", stages->image_only ? loader : "");
        else
            str_add(&drive->text, "osv-kernel: osv-files\n");
        if (export)
            put_export(drive);
    }
    free(loader);
}

/* By what every command of the kernel depends on, and by which makefiles are read: the runner knows by
 * this name what was read and run before. An image or a file system is another text in the same place. */
static char *path_of(const struct drive *drive)
{
    struct str text = {0};
    const char *const *target = drive->stages->targets;
    str_add(&text, str_text(&drive->args));
    for (; target && *target; target++)
        str_addf(&text, "\n%s", *target);
    char *path = mem_format(
        ".gantry/osv/%s.%s-%08x%s.mk", conf_get(drive->conf, "mode"), conf_get(drive->conf, "arch"),
        (unsigned)hash_bytes(text.at, text.len).low, drive->kernel ? "" : "-image");
    str_free(&text);
    return path;
}

/* Writes the text, unless the file says the same already: make would think it new. */
static int write_text(const char *root, const char *path, const struct str *text, struct err *err)
{
    char *full = path_join(root, path), *old = file_read(full, NULL, NULL);
    int status = 0;
    if (!old || strcmp(old, str_text(text)) != 0)
        status = file_make_parents(full, err) < 0
                     ? -1
                     : file_write(full, text->at, text->len, 0666, err);
    free(old);
    free(full);
    return status;
}

char *osv_drive(const char *root, struct conf *conf, const struct toolchain *tools,
                const struct osv_stages *stages, struct str *text, struct err *err)
{
    struct drive drive = {.root = root, .conf = conf, .stages = stages, .tools = tools};
    char *path = NULL;
    int status = read_picks(&drive, err);
    if (!status) {
        drive.libgcc_dir = osv_libgcc_dir(root, conf, tools);
        read_given(&drive);
        if (drive.goals)
            put_all_2014(&drive);
        else
            put_all(&drive);
        path = path_of(&drive);
        status = write_text(root, path, &drive.text, err);
        str_add(text, str_text(&drive.text));
    }
    free(drive.libgcc_dir);
    free(drive.modules);
    str_free(&drive.args);
    str_free(&drive.exports);
    str_free(&drive.text);
    if (!status)
        return path;
    free(path);
    return NULL;
}

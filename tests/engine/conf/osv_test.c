/* What is picked for a tree of OSv: names of images and modules, file systems, conf_ options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "conf/conf.h"

#define TREE "tests/osv_tree"

/* The configuration with `name=value` picked and fs=rofs; NULL and err. */
static struct conf *load(const char *root, const char *name, const char *value, struct err *err)
{
    const struct assignment picks[] = {{"arch", "x64", ORIGIN_COMMAND_LINE},
                                       {"fs", "rofs", ORIGIN_COMMAND_LINE},
                                       {name, value, ORIGIN_COMMAND_LINE}};
    *err = (struct err){0};
    return conf_load(root, picks, 3, err);
}

static void says(const char *name, const char *value, const char *more, const char *wanted)
{
    struct err err;
    struct conf *conf = load(TREE, name, value, &err);
    if (!conf)
        fail_msg("%s=%s: %s", name, value, err.text);
    char *words = conf_osv_modules(conf, more, &err);
    if (!words)
        fail_msg("%s=%s: %s", name, value, err.text);
    assert_string_equal(words, wanted);
    free(words);
    conf_free(conf);
}

static void refuses(const char *name, const char *value, const char *part)
{
    struct err err;
    struct conf *conf = load(TREE, name, value, &err);
    if (conf)
        fail_msg("%s=%s was taken", name, value);
    assert_int_equal(err.kind, ERR_INPUT);
    if (!strstr(err.text, part) || strchr(err.text, '\n'))
        fail_msg("%s=%s: %s", name, value, err.text);
}

static void lists_of_modules_are_what_module_py_takes(void **state)
{
    (void)state;
    says("image", "default", "", "!default"); /* images/default.py */
    says("image", "native-example", "", "!native-example");
    says("image", " greet.loud , native-example ", "", "!greet.loud,native-example");
    says("image", "greet.none", "", "!greet.none");
    says("image", "greeter", "", "!greeter"); /* of config.json's own */
    says("image", "greet,native-example,-greet", "", "!native-example");
    says("image", "greet,-greet", "", "!empty");
    says("modules", "native-example", "", "!greet,native-example"); /* with the default */
    says("modules", "native-example,-greet", "", "!native-example");
    says("image", "native-example", "libext", "!native-example,libext");
    says("image", "libext,native-example", "libext", "!libext,native-example");
}

static void what_is_misspelt_is_told(void **state)
{
    (void)state;
    refuses("image", "native-exampel", "did you mean 'native-example'?");
    refuses("image", "greet.lout", "did you mean 'loud'?");
    refuses("image", "defualt", "did you mean 'default'?");
    refuses("image", "nothing-like-it", "gantry config image-names");
    refuses("image", "greet,", "a name is missing");
    refuses("image", "native-example,-greet", "it is not in the list");
    refuses("image", "../scripts", "unknown image");
    refuses("image", "greet/../greet", "unknown image");
    refuses("fs", "rosf", "did you mean 'rofs'?");
    refuses("conf_greting", "1", "did you mean conf_greeting?");
    refuses("conf_of_another_tree", "1", "nothing is called so");
    refuses("fs_sizemb", "1", "did you mean fs_size_mb?");
    refuses("export", "al", "did you mean 'all'?");
    refuses("image-names", "x", "set by Gantry itself");
}

static void an_image_that_is_no_list_takes_no_module(void **state)
{
    (void)state;
    struct err err;
    struct conf *conf = load(TREE, "image", "default", &err);
    assert_non_null(conf);
    assert_null(conf_osv_modules(conf, "libext", &err));
    assert_non_null(strstr(err.text, "libext must be added to it"));
    conf_free(conf);
}

static void other_names_are_for_modules(void **state)
{
    (void)state;
    struct err err;
    struct conf *conf = load(TREE, "JAVA_VERSION", "10", &err);
    assert_non_null(conf);
    conf_free(conf);
    conf = load(TREE, "conf_greeting", "7", &err);
    assert_non_null(conf);
    assert_string_equal(conf_get(conf, "conf_greeting"), "7");
    conf_free(conf);
}

static void choices_are_images_and_modules(void **state)
{
    (void)state;
    static const char *const wanted[] = {"default", "empty",  "greet",
                                         "greeter", "libext", "native-example"};
    str_list names = {0};
    assert_true(conf_is_osv(TREE));
    conf_choices(TREE, CHOICE_IMAGE, &names);
    assert_int_equal(names.len, sizeof wanted / sizeof *wanted);
    for (size_t i = 0; i < names.len; i++)
        assert_string_equal(names.at[i], wanted[i]);
    str_list_free(&names);
}

/* A tree of nothing but what tells one, with a config.json of that text. */
static void a_config_json_that_is_none_is_told_by_its_line(void **state)
{
    (void)state;
    static const char *const files[][2] = {{"scripts/build", ""},
                                           {"scripts/module.py", ""},
                                           {"conf/base.mk", ""},
                                           {"conf/x64.mk", ""},
                                           {"conf/release.mk", ""},
                                           {"arch/x64/x", ""},
                                           {"config.json", "{\n  \"modules\": [\n"}};
    char root[] = "/tmp/gantry-osv-XXXXXX";
    struct err err;
    assert_non_null(mkdtemp(root));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = path_join(root, files[i][0]);
        assert_int_equal(file_make_parents(path, &err), 0);
        assert_int_equal(file_write(path, files[i][1], strlen(files[i][1]), 0666, &err), 0);
        free(path);
    }
    assert_null(load(root, "image", "x", &err));
    assert_non_null(strstr(err.text, "config.json:3: "));
    file_remove_tree(root, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_of_modules_are_what_module_py_takes),
        cmocka_unit_test(what_is_misspelt_is_told),
        cmocka_unit_test(an_image_that_is_no_list_takes_no_module),
        cmocka_unit_test(other_names_are_for_modules),
        cmocka_unit_test(choices_are_images_and_modules),
        cmocka_unit_test(a_config_json_that_is_none_is_told_by_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

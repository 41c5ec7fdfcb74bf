/* `gantry config`: every value in force, where it came from, and what it overrides. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "base/text.h"
#include "conf/conf.h"
#include "load/load.h"
#include "tui/cli.h"
#include "tui/commands.h"

static bool json(const struct cli *cli)
{
    return cli->output == OUTPUT_JSON || cli->json_to;
}

static void put_origin(struct str *doc, const struct origin *origin)
{
    json_put_text(doc, "origin", origin_name(origin->kind));
    json_put_text(doc, "file", origin->file);
    if (origin->file)
        json_put_uint(doc, "line", origin->line);
}

static void put_json(struct str *doc, struct conf *conf, const char *name)
{
    size_t count;
    const struct conf_value *values = conf_values(conf, name, &count);
    json_put_object(doc, NULL);
    json_put_text(doc, "name", name);
    json_put_text(doc, "value", conf_get(conf, name));
    for (size_t i = 0; i < count; i++) {
        if (i == 1)
            json_put_array(doc, "overrides");
        if (i)
            json_put_object(doc, NULL);
        json_put_text(doc, "text", values[i].text);
        put_origin(doc, &values[i].origin);
        if (i)
            json_put_object_end(doc);
    }
    if (count > 1)
        json_put_array_end(doc);
    json_put_object_end(doc);
}

/* A value as one line: a blank where it has line ends. */
static void print_text(const char *text)
{
    for (; *text; text++)
        putchar(*text == '\n' ? ' ' : *text);
}

/* Where a value was given. */
static void print_origin(const struct origin *origin)
{
    struct str text = {0};
    origin_text(origin, &text);
    fputs(str_text(&text), stdout);
    str_free(&text);
}

/* NAME = value, then where from; in lines below it what is overridden, but for stock values that say
 * the same, unless `all` are wanted. */
static void print_value(struct conf *conf, const char *name, bool all)
{
    size_t count;
    const struct conf_value *values = conf_values(conf, name, &count);
    const char *value = conf_get(conf, name);
    printf("%s = ", name);
    print_text(value);
    printf("\n    ");
    for (size_t i = 0; i < count; i++) {
        bool same = strcmp(values[i].text, values[0].text) == 0;
        if (i && same && values[i].origin.kind == ORIGIN_STOCK && !all)
            continue;
        if (i)
            printf("    overrides ");
        print_origin(&values[i].origin);
        if (i || (all && strcmp(values[i].text, value) != 0)) {
            printf(": ");
            print_text(values[i].text);
        }
        putchar('\n');
    }
    if (!count)
        printf("unset\n");
}

static int unknown_name(struct conf *conf, const char *name)
{
    str_list names = {0};
    conf_names(conf, &names);
    const char *near = text_nearest(name, (const char *const *)names.at, names.len);
    int status = cli_usage("nothing is called %s here%s%s%s", name, near ? "; did you mean " : "",
                           near ? near : "", near ? "?" : "");
    str_list_free(&names);
    return status;
}

static int show_all(struct cli *cli, struct conf *conf)
{
    str_list names = {0};
    struct str doc = {0};
    int status = 0;
    conf_names(conf, &names);
    if (json(cli)) {
        json_put_object(&doc, NULL);
        json_put_text(&doc, "tree", conf_root(conf));
        json_put_array(&doc, "values");
        for (size_t i = 0; i < names.len; i++)
            put_json(&doc, conf, names.at[i]);
        json_put_array_end(&doc);
        json_put_array(&doc, "warnings");
        for (size_t i = 0; i < conf_warnings(conf)->len; i++)
            json_put_text(&doc, NULL, conf_warnings(conf)->at[i]);
        json_put_array_end(&doc);
        json_put_object_end(&doc);
        status = cli_print_json(cli, str_text(&doc));
    } else {
        for (size_t i = 0; i < names.len; i++)
            print_value(conf, names.at[i], cli->verbose);
    }
    str_free(&doc);
    str_list_free(&names);
    return status;
}

static int show_one(struct cli *cli, struct conf *conf, const char *name)
{
    size_t count;
    struct str doc = {0};
    int status = 0;
    if (!conf_values(conf, name, &count))
        return unknown_name(conf, name);
    if (json(cli)) {
        put_json(&doc, conf, name);
        status = cli_print_json(cli, str_text(&doc));
        str_free(&doc);
    } else {
        print_value(conf, name, true);
    }
    return status;
}

/* The tree's configuration; *root and *conf are new. */
static int open_conf(struct cli *cli, char **root, struct conf **conf, struct err *err)
{
    if (load_find_tree(cli->directory, root, err) == TREE_NONE)
        return -1;
    *conf = conf_load(*root, cli->assigns.at, cli->assigns.len, err);
    if (!*conf)
        return -1;
    for (size_t i = 0; i < conf_warnings(*conf)->len; i++)
        fprintf(stderr, "gantry: warning: %s\n", conf_warnings(*conf)->at[i]);
    return 0;
}

static int show(struct cli *cli, const char *name)
{
    struct err err = {0};
    char *root = NULL;
    struct conf *conf = NULL;
    int status = open_conf(cli, &root, &conf, &err) < 0 ? cli_fail(&err)
                 : name                                 ? show_one(cli, conf, name)
                                                        : show_all(cli, conf);
    if (conf)
        conf_free(conf);
    free(root);
    return status;
}

/* Saves what was assigned, or takes `names` out of what is saved. */
static int save(struct cli *cli, char **names)
{
    struct err err = {0};
    char *root = NULL;
    int status = load_find_tree(cli->directory, &root, &err) == TREE_NONE ? -1 : 0;
    for (size_t i = 0; !names && status == 0 && i < cli->assigns.len; i++)
        status = conf_save(root, cli->assigns.at[i].name, cli->assigns.at[i].value, &err);
    for (; names && *names && status == 0; names++)
        status = conf_save(root, *names, NULL, &err);
    free(root);
    return status == 0 ? 0 : cli_fail(&err);
}

int cmd_config(struct cli *cli, int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    if (strcmp(verb, "set") == 0) {
        if (argc > 2 || !cli->assigns.len)
            return cli_usage("usage: gantry config set NAME=VALUE...");
        return save(cli, NULL);
    }
    if (strcmp(verb, "unset") == 0) {
        if (argc < 3)
            return cli_usage("usage: gantry config unset NAME...");
        return save(cli, argv + 2);
    }
    if (argc > 2)
        return cli_usage("usage: gantry config [NAME | set NAME=VALUE... | unset NAME...]");
    return show(cli, argc == 2 ? verb : NULL);
}

/* `gantry compare`: two recorded builds side by side; in the console on a terminal, else as lines, or
 * with --json as one document. */
#include <stdlib.h>

#include "base/json.h"
#include "base/path.h"
#include "journal/compare.h"
#include "journal/journal.h"
#include "load/load.h"
#include "run/build.h"
#include "tui/cli.h"
#include "tui/commands.h"
#include "tui/loop.h"

enum { DETAILED = 5, LISTED = 20 };

/* The place of the journals of the tree and selection; NULL and err where there is no tree. */
static char *journals_of_tree(const struct cli *cli, struct err *err)
{
    char *root = NULL;
    if (load_find_tree(cli->directory, &root, err) == TREE_NONE)
        return NULL;
    char *state = build_state_dir(root, cli->assigns.at, cli->assigns.len, err);
    char *directory = state ? path_join(state, "journal") : NULL;
    free(state);
    free(root);
    return directory;
}

/* What is named, and what is not named from this tree: *first is the older. */
static int find_journals(const struct cli *cli, int argc, char **argv, char *paths[static 2],
                         struct err *err)
{
    paths[0] = argc > 1 ? path_join(cli->directory, argv[1]) : NULL;
    paths[1] = argc > 2 ? path_join(cli->directory, argv[2]) : NULL;
    if (argc > 3)
        return err_set(err, ERR_INPUT, "usage: gantry compare [JOURNAL [JOURNAL]]");
    if (paths[1])
        return 0;
    char *directory = journals_of_tree(cli, err);
    if (!directory)
        return -1;
    paths[1] = journal_recent(directory, 0);
    if (!paths[0])
        paths[0] = journal_recent(directory, 1);
    if (!paths[0] || !paths[1])
        err_set(err, ERR_INPUT, "%s has %s: two are compared (gantry build makes them)", directory,
                paths[1] ? "one journal" : "no journal");
    free(directory);
    return paths[0] && paths[1] ? 0 : -1;
}

/* ---- lines ---- */

static void print_side(const struct compare *compare, const struct compare_difference *difference,
                       unsigned side)
{
    struct str text = {0}, command = {0};
    uint32_t step = difference->step[side];
    compare_outcome_text(compare, difference, side, &text);
    if (difference->path != COMPARE_NONE) {
        str_add(&text, "; ");
        compare_touch_text(compare, difference, side, &text);
    }
    compare_command_text(compare, difference, side, &command);
    if (command.len)
        str_addf(&text, "; command: %s", str_text(&command));
    printf("    %c  %s\n", side ? 'B' : 'A', str_text(&text));
    if (step != COMPARE_NONE && compare->build[side].steps.at[step].diagnostic != COMPARE_NONE)
        printf("       %s\n",
               compare_text(compare, compare->build[side].steps.at[step].diagnostic));
    str_free(&text);
    str_free(&command);
}

static void print_difference(const struct compare *compare,
                             const struct compare_difference *difference, bool whole)
{
    struct str text = {0};
    compare_what_text(difference, &text);
    printf("- %s  (%s)\n", compare_target(compare, difference), str_text(&text));
    str_cut(&text, 0);
    if (whole) {
        print_side(compare, difference, 0);
        print_side(compare, difference, 1);
        compare_conclusion(compare, difference, &text);
        printf("    so %s\n", str_text(&text));
    }
    str_free(&text);
}

static void print_lines(const struct compare *compare)
{
    struct compare_fact facts[COMPARE_FACTS];
    size_t count = compare_facts(compare, facts), differ = compare->differences.len;
    for (unsigned side = 0; side < 2; side++)
        printf("%c  %s\n", side ? 'B' : 'A', compare->build[side].journal);
    for (size_t i = 0; i < count; i++) {
        if (facts[i].differs)
            printf("%-8s %s | %s\n", facts[i].name, facts[i].value[0], facts[i].value[1]);
        else
            printf("%-8s %s\n", facts[i].name, facts[i].value[0]);
    }
    printf("%zu step%s, %llu not; %llu ran in A alone, %llu in B alone\n", differ,
           differ == 1 ? " differs" : "s differ", (unsigned long long)compare->same,
           (unsigned long long)compare->alone[0], (unsigned long long)compare->alone[1]);
    for (size_t i = 0; i < differ && i < LISTED; i++)
        print_difference(compare, &compare->differences.at[i], i < DETAILED);
    if (differ > LISTED)
        printf("and %zu more: --json has them all\n", differ - LISTED);
}

/* ---- JSON ---- */

static void add_side(const struct compare *compare, const struct compare_difference *difference,
                     unsigned side, struct str *out)
{
    static const char *const orders[] = {NULL, "before", "while", "after"};
    const struct compare_build *build = &compare->build[side];
    struct str text = {0};
    uint32_t step = difference->step[side], maker = difference->maker[side];
    json_put_object(out, side ? "b" : "a");
    compare_outcome_text(compare, difference, side, &text);
    json_put_text(out, "outcome", str_text(&text));
    if (step != COMPARE_NONE) {
        json_put_uint(out, "begin_ns", build->steps.at[step].begin_ns);
        json_put_uint(out, "end_ns", build->steps.at[step].end_ns);
        if (build->steps.at[step].diagnostic != COMPARE_NONE)
            json_put_text(out, "diagnostic",
                          compare_text(compare, build->steps.at[step].diagnostic));
        if (difference->what & COMPARE_COMMAND)
            json_put_text(out, "command", compare_text(compare, build->steps.at[step].command));
    }
    if (difference->path != COMPARE_NONE) {
        str_cut(&text, 0);
        compare_touch_text(compare, difference, side, &text);
        json_put_text(out, "access", str_text(&text));
        json_put_uint(out, "when_ms", difference->touch[side].when_ms);
    }
    if (maker != COMPARE_NONE && orders[difference->order[side]]) {
        json_put_text(out, "maker", compare_text(compare, build->steps.at[maker].target));
        json_put_text(out, "order", orders[difference->order[side]]);
    }
    json_put_object_end(out);
    str_free(&text);
}

static void add_difference(const struct compare *compare,
                           const struct compare_difference *difference, struct str *out)
{
    struct str text = {0};
    json_put_object(out, NULL);
    json_put_text(out, "target", compare_target(compare, difference));
    compare_what_text(difference, &text);
    json_put_text(out, "what", str_text(&text));
    if (difference->path != COMPARE_NONE) {
        json_put_text(out, "path", compare_text(compare, difference->path));
        json_put_uint(out, "paths", difference->paths);
        json_put_bool(out, "ordered", difference->ordered);
    }
    add_side(compare, difference, 0, out);
    add_side(compare, difference, 1, out);
    str_cut(&text, 0);
    compare_conclusion(compare, difference, &text);
    json_put_text(out, "conclusion", str_text(&text));
    json_put_object_end(out);
    str_free(&text);
}

static int print_json(const struct cli *cli, const struct compare *compare)
{
    static const char *const alone[] = {"alone_a", "alone_b"};
    struct compare_fact facts[COMPARE_FACTS];
    size_t count = compare_facts(compare, facts);
    struct str out = {0};
    json_put_object(&out, NULL);
    for (unsigned side = 0; side < 2; side++) {
        json_put_object(&out, side ? "b" : "a");
        json_put_text(&out, "journal", compare->build[side].journal);
        for (size_t i = 0; i < count; i++)
            json_put_text(&out, facts[i].name, facts[i].value[side]);
        json_put_object_end(&out);
    }
    json_put_uint(&out, "same", compare->same);
    for (unsigned side = 0; side < 2; side++)
        json_put_uint(&out, alone[side], compare->alone[side]);
    json_put_array(&out, "differences");
    for (size_t i = 0; i < compare->differences.len; i++)
        add_difference(compare, &compare->differences.at[i], &out);
    json_put_array_end(&out);
    json_put_object_end(&out);
    int status = cli_print_json(cli, str_text(&out));
    str_free(&out);
    return status;
}

int cmd_compare(struct cli *cli, int argc, char **argv)
{
    struct err err = {0};
    char *paths[2];
    struct compare *compare = NULL;
    int found = find_journals(cli, argc, argv, paths, &err), status = 0;
    bool as_json = cli->output == OUTPUT_JSON || cli->json_to;
    if (found == 0 && !as_json && cli_console(cli)) {
        status = console_compare(cli, paths[0], paths[1]);
        free(paths[0]);
        free(paths[1]);
        return status;
    }
    if (found == 0)
        compare = compare_journals(paths[0], paths[1], &err);
    if (compare && as_json)
        status = print_json(cli, compare);
    else if (compare)
        print_lines(compare);
    bool good = compare != NULL;
    compare_free(compare);
    free(paths[0]);
    free(paths[1]);
    return good ? status : cli_fail(&err);
}

#include "tui/hints.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/path.h"
#include "base/str.h"
#include "load/load.h"
#include "race/export.h"
#include "run/build.h"

char *hints_state_dir(struct cli *cli, char **root, struct err *err)
{
    struct err none = {0};
    enum tree_kind kind = load_find_tree(cli->directory, root, &none);
    if (kind != TREE_NONE)
        return build_state_dir(*root, cli->assigns.at, cli->assigns.len, err);
    *root = path_absolute(cli->directory);
    return path_join(*root, ".gantry");
}

void hints_print(const struct race_report *report, const struct race_hints *hints,
                 const struct race_hint *hint)
{
    struct str sentence = {0};
    race_hint_sentence(report, hints, hint, &sentence);
    printf("- %-8s  %-17s  %s", "hint", hint_class_name(hint->class), str_text(&sentence));
    if (hint->count > 1)
        printf(" (and %u more)", hint->count - 1);
    putchar('\n');
    str_free(&sentence);
}

int hints_show_unused(struct cli *cli, struct err *err)
{
    char *root = NULL, *state_dir = hints_state_dir(cli, &root, err);
    struct record *record = state_dir ? record_read(state_dir, err) : NULL;
    struct race_report report;
    struct race_hints hints;
    struct str doc = {0};
    int status = record ? 0 : -1;
    if (record) {
        race_report_make(&report, record);
        race_hints_find(&report, &hints);
        size_t kept = 0;
        for (size_t i = 0; i < hints.list.len; i++)
            if (hints.list.at[i].class == HINT_UNUSED_EDGE)
                hints.list.at[kept++] = hints.list.at[i];
        hints.list.len = kept;
        bool as_json = cli->output == OUTPUT_JSON || cli->json_to;
        if (as_json)
            race_export_hints(&report, &hints, NULL, &doc);
        for (size_t i = 0; i < kept && !as_json; i++)
            hints_print(&report, &hints, &hints.list.at[i]);
        if (as_json)
            status = cli_print_json(cli, str_text(&doc));
        race_hints_free(&hints);
        race_report_free(&report);
    }
    record_free(record);
    str_free(&doc);
    free(root);
    free(state_dir);
    return status;
}

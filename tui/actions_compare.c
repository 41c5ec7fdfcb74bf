/* The last two builds of this tree, or the two that `gantry compare` was given, beside each other. */
#include <stdlib.h>

#include "base/path.h"
#include "journal/journal.h"
#include "tui/console.h"

/* The last two journals of what is picked. */
static bool find_journals(struct console *console, char **first, char **second, struct err *err)
{
    *first = *second = NULL;
    if (!console->root) {
        err_set(err, ERR_INPUT,
                "no tree here: gantry compare JOURNAL JOURNAL names two recorded builds");
        return false;
    }
    char *state = build_state_dir(console->root, console->assigns.at, console->assigns.len, err);
    char *directory = state ? path_join(state, "journal") : NULL;
    if (directory) {
        *second = journal_recent(directory, 0);
        *first = journal_recent(directory, 1);
        if (!*first || !*second)
            err_set(err, ERR_INPUT,
                    "two recorded builds are needed, and of this configuration there %s: b builds; "
                    "gantry compare JOURNAL JOURNAL takes those of elsewhere",
                    *second ? "is one" : "is none");
    }
    free(directory);
    free(state);
    return *first && *second;
}

static const struct compare *op_comparison(void *app, const char **why)
{
    struct console *console = app;
    struct err *err = &console->compare_err;
    if (!console->comparison) {
        char *first = console->compare_first, *second = console->compare_second;
        bool named = first != NULL;
        if (named || find_journals(console, &first, &second, err))
            console->comparison = comparison_start(first, second, err);
        if (!named) {
            free(first);
            free(second);
        }
    }
    if (console->comparison)
        return comparison_result(console->comparison, why);
    *why = err->text;
    return NULL;
}

void compare_forget(struct console *console)
{
    comparison_close(console->comparison);
    console->comparison = NULL;
}

void compare_fill(struct app_ops *ops)
{
    ops->comparison = op_comparison;
}

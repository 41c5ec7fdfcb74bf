#include "race/since.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "race/export.h"
#include "race/report.h"
#include "trace/trace.h"

/* Adds what `git WORDS` names, relative to its repository's top, as absolute paths. */
static int add_files(struct intern *files, const char *root, const char *words, struct err *err)
{
    struct str command = {0};
    str_add(&command, "git -C ");
    text_shell_quote(&command, root);
    str_addf(&command, " %s 2>/dev/null", words);
    FILE *pipe = popen(str_text(&command), "re");
    str_free(&command);
    if (!pipe)
        return err_errno(err, "git");
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    while ((length = getdelim(&line, &room, '\0', pipe)) > 0) {
        char *path = path_join(root, line);
        char *clean = path_clean(path);
        intern_id(files, clean);
        free(path);
        free(clean);
    }
    free(line);
    int status = pclose(pipe);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0
               ? 0
               : err_set(err, ERR_INPUT, "git cannot compare %s with that revision", root);
}

/* Takes away what steps of the build make: git may not know that it need not know it. */
static void leave_out_products(struct intern *files, const struct record *record)
{
    struct intern sources = {0};
    bool *made = mem_zero((size_t)intern_count(files) + 1, sizeof *made);
    for (size_t i = 0; i < record->accesses.len; i++) {
        const struct race_access *access = &record->accesses.at[i];
        bool makes = (access->kinds & ACCESS_CREATE) ||
                     ((access->kinds & ACCESS_WRITE) && !(access->kinds & ACCESS_READ));
        uint32_t file = makes ? intern_find(files, record_text(record, access->path)) : INTERN_NONE;
        if (file != INTERN_NONE)
            made[file] = true;
    }
    for (uint32_t i = 0; i < intern_count(files); i++)
        if (!made[i])
            intern_id(&sources, intern_text(files, i));
    free(made);
    intern_free(files);
    *files = sources;
}

static bool step_is_touched(const struct race_report *report, const struct intern *files,
                            uint32_t step)
{
    const struct record *record = report->record;
    uint32_t line;
    char *file = race_recipe_file(record, step, &line);
    if (file) {
        char *path = path_join(record_text(record, record->root), file);
        bool changed = intern_find(files, path) != INTERN_NONE;
        free(path);
        free(file);
        if (changed)
            return true;
    }
    const struct record_step *of = &record->steps.at[step];
    for (uint32_t i = 0; i < of->accesses_count; i++) {
        const struct race_access *access = &record->accesses.at[of->accesses + i];
        if ((access->kinds & ACCESS_READ) &&
            intern_find(files, record_text(record, access->path)) != INTERN_NONE)
            return true;
    }
    return false;
}

/* Any pair that shows it will do. */
static bool is_touched(const struct race_report *report, const struct intern *files,
                       const struct report_finding *finding)
{
    for (uint32_t i = 0; i < finding->witnesses_count; i++)
        if (step_is_touched(report, files, finding->witnesses[i].first) ||
            step_is_touched(report, files, finding->witnesses[i].second))
            return true;
    return false;
}

int race_since(const struct race_report *report, const char *revision, bool *keep, struct err *err)
{
    const char *root = record_text(report->record, report->record->root);
    struct intern files = {0};
    struct str words = {0};
    str_add(&words, "diff --name-only --relative -z ");
    text_shell_quote(&words, revision);
    str_add(&words, " --");
    int status = revision[0] == '-'
                     ? err_set(err, ERR_INPUT, "--since wants a revision, not %s", revision)
                     : add_files(&files, root, str_text(&words), err);
    if (status == 0)
        status = add_files(&files, root, "ls-files --others --exclude-standard -z", err);
    leave_out_products(&files, report->record);
    str_free(&words);
    for (size_t i = 0; status == 0 && i < report->findings.len; i++)
        keep[i] = keep[i] && is_touched(report, &files, &report->findings.at[i]);
    intern_free(&files);
    return status;
}

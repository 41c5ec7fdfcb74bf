#include "tui/race_origin.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/path.h"
#include "race/export.h"
#include "race/simulate.h"
#include "vcs/vcs.h"

enum { SIMULATED = 1000, LANES = 3 };
static const unsigned lanes[LANES] = {2, 8, 32};

void race_origin_print_likelihood(const struct race_report *report,
                                  const struct report_finding *finding)
{
    printf("shows in");
    for (unsigned i = 0; i < LANES; i++)
        printf("%s %.0f %% of -j%u", i ? "," : "",
               100 * race_likelihood(report, finding, lanes[i], SIMULATED), lanes[i]);
    printf(" builds (simulated)\n");
}

/* Where a step's rule stands and who brought that line in: true where git knows of the file. The caller
 * frees `file`, also where false. */
static bool look_up(const struct race_report *report, const char *root, uint32_t step, char **file,
                    uint32_t *line, struct vcs_blame *blame)
{
    struct err none = {0};
    *line = 0;
    *file = race_recipe_file(report->record, step, line);
    char *path = *file ? path_join(root, *file) : NULL;
    bool known = *line && vcs_blame(path, *line, blame, &none) == 0 && blame->known;
    free(path);
    return known;
}

/* The sides that count: a finding of one step with itself has one. */
static unsigned sides(const struct report_finding *finding, uint32_t steps[2])
{
    steps[0] = finding->first;
    steps[1] = finding->second;
    return finding->first == finding->second ? 1 : 2;
}

unsigned race_origin_print_blame(const struct race_report *report, const char *root,
                                 const struct report_finding *finding)
{
    uint32_t steps[2], line;
    unsigned printed = 0;
    for (unsigned i = 0, count = sides(finding, steps); i < count; i++) {
        char *file;
        struct vcs_blame blame;
        if (look_up(report, root, steps[i], &file, &line, &blame)) {
            if (*blame.commit)
                printf("%s:%u is by %s, %s, %s: %s\n", file, line, blame.commit, blame.author,
                       blame.date, blame.summary);
            else
                printf("%s:%u is in no commit yet\n", file, line);
            printed++;
        }
        free(file);
    }
    return printed;
}

void race_origin_json(const struct race_report *report, const char *root,
                      const struct report_finding *finding, struct str *out)
{
    uint32_t steps[2], line;
    json_put_object(out, NULL);
    json_put_text(out, "id", finding->id);
    json_put_array(out, "blame");
    for (unsigned i = 0, count = sides(finding, steps); i < count; i++) {
        char *file;
        struct vcs_blame blame;
        bool known = look_up(report, root, steps[i], &file, &line, &blame);
        json_put_object(out, NULL);
        json_put_text(out, "target", race_target(report->record, steps[i]));
        json_put_text(out, "file", line ? file : NULL);
        json_put_uint(out, "line", line);
        json_put_text(out, "commit", known && *blame.commit ? blame.commit : NULL);
        if (known && *blame.commit) {
            json_put_text(out, "author", blame.author);
            json_put_text(out, "date", blame.date);
            json_put_text(out, "summary", blame.summary);
        }
        json_put_object_end(out);
        free(file);
    }
    json_put_array_end(out);
    json_put_array(out, "likelihood");
    for (unsigned i = 0; i < LANES; i++) {
        json_put_object(out, NULL);
        json_put_uint(out, "lanes", lanes[i]);
        json_put_real(out, "part", race_likelihood(report, finding, lanes[i], SIMULATED));
        json_put_object_end(out);
    }
    json_put_array_end(out);
    json_put_object_end(out);
}

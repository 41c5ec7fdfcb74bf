/* What can be said of boot arguments without running them: their options, and whether the root and the
 * program that they name are in the image. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "image/boot_args.h"
#include "views/compose.h"

static void add(args_notes *notes, char mark, char *text)
{
    vec_push(notes, (struct compose_note){mark, text});
}

/* The tab that has a guest file which stays, or NULL. */
static const struct compose_tab *tab_with(const struct compose_data *data, const char *guest)
{
    for (size_t i = 0; i < data->tabs_count; i++) {
        const struct compose_tab *tab = &data->tabs[i];
        for (size_t k = 0; k < tab->rows_count; k++)
            if (tab->rows[k].stage != ROW_REMOVED && strcmp(tab->rows[k].guest, guest) == 0)
                return tab;
    }
    return NULL;
}

static void check_option(const struct compose_data *data, const char *text,
                         const struct boot_args *args, size_t at, args_notes *notes)
{
    const struct boot_word *word = &args->words.at[at];
    struct str found = {0};
    char *whole = mem_copy_n(text + word->start, word->length);
    if (boot_args_problem(text, args, at, &found))
        add(notes, 'n', mem_copy(str_text(&found)));
    else if (str_starts(whole, "--rootfs=") && strcmp(whole, "--rootfs=ramfs") != 0 &&
             data->tabs_count < 2)
        add(notes, 'n', mem_format("%s needs a disk, and this image has none", whole));
    else
        add(notes, 'y', mem_format("%s: %s", word->option->name, word->option->help));
    free(whole);
    str_free(&found);
}

static void check_program(const struct compose_data *data, const char *text,
                          const struct boot_args *args, size_t at, args_notes *notes)
{
    const struct boot_word *word = &args->words.at[at];
    struct str found = {0};
    if (boot_args_problem(text, args, at, &found)) {
        add(notes, 'n', str_take(&found));
        return;
    }
    str_free(&found);
    char *program = mem_copy_n(text + word->start, word->length);
    const struct compose_tab *tab = tab_with(data, program);
    size_t more = args->words.len - at - 1;
    char of_its_own[48] = "";
    if (more)
        snprintf(of_its_own, sizeof of_its_own, ", and gets %zu word%s", more,
                 more == 1 ? "" : "s");
    add(notes, tab ? 'y' : 'n',
        tab ? mem_format("%s is in %s%s", program, tab->name, of_its_own)
            : mem_format("%s is in no manifest of this image", program));
    free(program);
}

void args_check(const struct compose_data *data, const char *text, args_notes *notes)
{
    struct boot_args args = {0};
    struct str found = {0};
    boot_args_read(text, &args);
    for (size_t i = 0; i < args.words.len; i++) {
        if (args.words.at[i].kind == BOOT_OPTION)
            check_option(data, text, &args, i, notes);
        else if (args.words.at[i].kind == BOOT_PROGRAM)
            check_program(data, text, &args, i, notes);
        else if (boot_args_problem(text, &args, i, &found)) /* a quote */
            add(notes, 'n', str_take(&found));
    }
    str_free(&found);
    boot_args_free(&args);
}

void args_notes_free(args_notes *notes)
{
    for (size_t i = 0; i < notes->len; i++)
        free((char *)(uintptr_t)notes->at[i].text);
    vec_free(notes);
}

void args_complete(const struct compose_data *data, const char *text, size_t at, size_t *from,
                   str_list *words)
{
    size_t start = at;
    while (start > 0 && !strchr(" \t", text[start - 1]))
        start--;
    *from = start;
    boot_args_complete(text, at, from, words);
    if (text[start] != '/')
        return;
    for (size_t i = 0; i < data->tabs_count; i++)
        for (size_t k = 0; k < data->tabs[i].rows_count; k++) {
            const struct compose_row *row = &data->tabs[i].rows[k];
            if (row->stage != ROW_REMOVED && !row->duplicate &&
                strncmp(row->guest, text + start, at - start) == 0)
                vec_push(words, mem_copy(row->guest));
        }
}

/*
 * Editing one manifest file. The text is the truth: each edit makes a new text, and the lines are
 * read from it again; undo and redo keep whole texts. So order, comments, spacing and line ends of
 * all that is not edited stay as they are.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "manifest/line.h"
#include "manifest/manifest.h"

/* Fills lines from text. */
static void read_lines(struct manifest_edit *edit)
{
    struct intern disk = {0};
    for (const char *p = edit->on_disk; *p;) {
        size_t length = strcspn(p, "\n");
        intern_id_n(&disk, p, length);
        p += length + (p[length] != '\0');
    }
    arena_free(&edit->arena);
    edit->lines.len = 0;
    for (const char *p = edit->text; *p;) {
        size_t length = strcspn(p, "\n");
        struct line_sides sides;
        struct manifest_line *line = vec_new(&edit->lines);
        line->text = arena_copy_n(&edit->arena, p, length);
        line->staged = intern_find_n(&disk, p, length) == INTERN_NONE;
        if (manifest_line_split(p, length, &sides) == LINE_ENTRY) {
            const char *problem;
            char *clean = manifest_guest_clean(p + sides.guest, sides.guest_length, &problem);
            line->guest = clean ? arena_copy(&edit->arena, clean)
                                : arena_copy_n(&edit->arena, p + sides.guest, sides.guest_length);
            line->host = arena_copy_n(&edit->arena, p + sides.host, sides.host_length);
            free(clean);
        }
        p += length + (p[length] != '\0');
    }
    intern_free(&disk);
}

int manifest_edit_open(struct manifest_edit *edit, const char *path, struct err *err)
{
    size_t length;
    *edit = (struct manifest_edit){.path = mem_copy(path)};
    edit->on_disk = file_read(path, &length, err);
    if (!edit->on_disk)
        return err_set(err, ERR_INPUT, "cannot read the manifest %s: %s", path, strerror(errno));
    if (strlen(edit->on_disk) != length)
        return err_at(err, path, 0, 0, "this is no text: it has a NUL byte");
    edit->text = mem_copy(edit->on_disk);
    read_lines(edit);
    return 0;
}

/* Takes a new text; the old one can be had back by undo. */
static void change(struct manifest_edit *edit, struct str *text)
{
    vec_push(&edit->undo, edit->text);
    str_list_free(&edit->redo);
    edit->text = str_take(text);
    read_lines(edit);
}

/* A guest or host that would not come back as it was written. The clean guest is new. */
static char *check_guest(const char *guest, struct err *err)
{
    const char *problem;
    char *clean = NULL;
    if (guest[0] != '/')
        problem = "a guest name starts with /";
    else if (strstr(guest, ": ") || guest[strlen(guest) - 1] == ':')
        problem = "a guest name must not have a colon before a blank or at its end";
    else
        clean = manifest_guest_clean(guest, strlen(guest), &problem);
    if (!clean)
        err_set(err, ERR_INPUT, "%s: %s", guest, problem);
    return clean;
}

static int check_host(const char *host, struct err *err)
{
    size_t length = strlen(host);
    if (!length || strpbrk(host, "\r\n") || strchr(" \t", host[0]) ||
        strchr(" \t", host[length - 1]))
        return err_set(
            err, ERR_INPUT,
            "the right side must not be empty, begin or end in blanks, or have newlines");
    return 0;
}

static bool names(const struct manifest_line *line, const char *clean)
{
    return line->guest && strcmp(line->guest, clean) == 0;
}

/* Appends a line with its two sides replaced (NULL: kept); what is around them stays. */
static void put_line(struct str *out, const char *text, const char *guest, const char *host)
{
    struct line_sides sides;
    manifest_line_split(text, strlen(text), &sides);
    str_add_n(out, text, sides.guest);
    if (guest)
        str_add(out, guest);
    else
        str_add_n(out, text + sides.guest, sides.guest_length);
    size_t between = sides.guest + sides.guest_length;
    str_add_n(out, text + between, sides.host - between);
    str_add(out, host ? host : text + sides.host);
}

/* The text with every line of `guest` changed by put_line, or left out. Returns how many. */
enum line_change { CHANGE_SIDES, CHANGE_REMOVE };
static size_t rewrite(const struct manifest_edit *edit, const char *guest, enum line_change what,
                      const char *to, const char *host, struct str *out)
{
    size_t count = 0;
    bool ends = edit->text[0] && edit->text[strlen(edit->text) - 1] == '\n';
    for (size_t i = 0; i < edit->lines.len; i++) {
        const struct manifest_line *line = &edit->lines.at[i];
        bool hit = names(line, guest);
        count += hit;
        if (hit && what == CHANGE_REMOVE)
            continue;
        if (hit)
            put_line(out, line->text, to, host);
        else
            str_add(out, line->text);
        if (i + 1 < edit->lines.len || ends)
            str_add_char(out, '\n');
    }
    return count;
}

/* Says that no line has that guest, and whether a ** line may bring it. */
static int no_such_line(const struct manifest_edit *edit, const char *guest, struct err *err)
{
    for (size_t i = 0; i < edit->lines.len; i++) {
        const char *name = edit->lines.at[i].guest;
        if (name && str_ends(name, "/**") && strncmp(name, guest, strlen(name) - 2) == 0)
            return err_set(err, ERR_INPUT, "%s: no line is for %s alone; line %zu brings all of %s",
                           edit->path, guest, i + 1, name);
    }
    return err_set(err, ERR_INPUT, "%s: no line is for %s", edit->path, guest);
}

int manifest_edit_set(struct manifest_edit *edit, const char *guest, const char *to,
                      const char *host, struct err *err)
{
    struct str text = {0};
    char *from = check_guest(guest, err), *clean = from ? check_guest(to, err) : NULL;
    int status = clean ? 0 : -1;
    if (!status && host)
        status = check_host(host, err);
    for (size_t i = 0; i < edit->lines.len && !status && strcmp(from, clean) != 0; i++)
        if (names(&edit->lines.at[i], clean))
            status = err_at(err, edit->path, (unsigned)i + 1, 0, "%s is there already", clean);
    bool same_name = clean && from && strcmp(from, clean) == 0;
    if (!status && !rewrite(edit, from, CHANGE_SIDES, same_name ? NULL : clean, host, &text))
        status = no_such_line(edit, from, err);
    if (!status && strcmp(str_text(&text), edit->text) != 0)
        change(edit, &text);
    str_free(&text);
    free(from);
    free(clean);
    return status;
}

int manifest_edit_remove(struct manifest_edit *edit, const char *guest, struct err *err)
{
    struct str text = {0};
    char *clean = check_guest(guest, err);
    int status = clean ? 0 : -1;
    if (!status && !rewrite(edit, clean, CHANGE_REMOVE, NULL, NULL, &text))
        status = no_such_line(edit, clean, err);
    if (!status)
        change(edit, &text);
    str_free(&text);
    free(clean);
    return status;
}

int manifest_edit_add(struct manifest_edit *edit, const char *guest, const char *host,
                      struct err *err)
{
    char *clean = check_guest(guest, err);
    if (!clean || check_host(host, err) < 0) {
        free(clean);
        return -1;
    }
    int status = 0;
    bool there = false;
    for (size_t i = 0; i < edit->lines.len; i++)
        there |= names(&edit->lines.at[i], clean);
    if (there) {
        status = manifest_edit_set(edit, clean, clean, host, err);
    } else {
        struct str text = {0};
        str_add(&text, edit->text);
        if (text.len && text.at[text.len - 1] != '\n')
            str_add_char(&text, '\n');
        str_addf(&text, "%s: %s\n", clean, host);
        change(edit, &text);
    }
    free(clean);
    return status;
}

int manifest_edit_move(struct manifest_edit *edit, unsigned line, bool later, struct err *err)
{
    struct str text = {0};
    size_t count = edit->lines.len, at = line - 1, other = at;
    if (!line || line > count || !edit->lines.at[at].guest)
        return err_at(err, edit->path, line, 0, "this line is no entry");
    do
        other = later ? other + 1 : other - 1;
    while (other < count && !edit->lines.at[other].guest); /* before 0 comes SIZE_MAX */
    if (other >= count)
        return err_at(err, edit->path, line, 0, "no entry is %s it in this file",
                      later ? "after" : "before");
    bool ends = edit->text[strlen(edit->text) - 1] == '\n';
    for (size_t i = 0; i < count; i++) {
        size_t from = i == at ? other : i == other ? at : i;
        str_add(&text, edit->lines.at[from].text);
        if (i + 1 < count || ends)
            str_add_char(&text, '\n');
    }
    change(edit, &text);
    str_free(&text);
    return 0;
}

unsigned manifest_edit_line(const struct manifest_edit *edit, const char *guest)
{
    struct err none = {0};
    char *clean = check_guest(guest, &none);
    unsigned line = 0;
    for (size_t i = 0; clean && i < edit->lines.len; i++)
        if (names(&edit->lines.at[i], clean))
            line = (unsigned)i + 1;
    free(clean);
    return line;
}

static bool step(struct manifest_edit *edit, str_list *from, str_list *to)
{
    if (!from->len)
        return false;
    vec_push(to, edit->text);
    edit->text = from->at[--from->len];
    read_lines(edit);
    return true;
}

bool manifest_edit_undo(struct manifest_edit *edit)
{
    return step(edit, &edit->undo, &edit->redo);
}

bool manifest_edit_redo(struct manifest_edit *edit)
{
    return step(edit, &edit->redo, &edit->undo);
}

int manifest_edit_save(struct manifest_edit *edit, struct err *err)
{
    char *now = file_read(edit->path, NULL, err);
    if (!now)
        return -1;
    bool changed = strcmp(now, edit->on_disk) != 0;
    free(now);
    if (changed)
        return err_set(err, ERR_INPUT,
                       "%s was changed by someone else since it was read; nothing was written",
                       edit->path);
    if (strcmp(edit->text, edit->on_disk) == 0)
        return 0;
    struct stat st;
    char *real = realpath(edit->path, NULL); /* a link stays a link */
    int status = -1;
    if (!real || stat(real, &st) < 0)
        err_errno(err, "cannot write %s", edit->path);
    else
        status = file_write(real, edit->text, strlen(edit->text), st.st_mode & 0777, err);
    free(real);
    if (status)
        return -1;
    free(edit->on_disk);
    edit->on_disk = mem_copy(edit->text);
    read_lines(edit);
    return 0;
}

void manifest_edit_close(struct manifest_edit *edit)
{
    free(edit->path);
    free(edit->text);
    free(edit->on_disk);
    vec_free(&edit->lines);
    arena_free(&edit->arena);
    str_list_free(&edit->undo);
    str_list_free(&edit->redo);
    *edit = (struct manifest_edit){0};
}

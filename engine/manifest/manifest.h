/*
 * Manifests: which host file becomes which guest file (FORMATS.md, "Manifests").
 * A manifest is kept as its lines, so that editing keeps order and comments; entries are parsed from
 * lines; expansion resolves globs and variables into a flat, sorted list. Not thread-safe.
 */
#ifndef GANTRY_MANIFEST_MANIFEST_H
#define GANTRY_MANIFEST_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"

struct manifest_variable {
    const char *name, *value;
};

/* Text to be read in place of a manifest file: an edit that is not saved. */
struct manifest_overlay {
    const char *path, *text;
};

/* What variables and host paths mean: the -D values, and the directories that relative host paths
 * are tried against, in order. */
struct manifest_scope {
    const struct manifest_variable *variables;
    size_t variables_count;
    const char *const *dirs;
    size_t dirs_count;
    const struct manifest_overlay *overlays; /* may be NULL */
    size_t overlays_count;
    const char *root; /* what relative manifests, dirs and hosts are relative to; NULL: here */
};

enum entry_kind { ENTRY_FILE, ENTRY_DIRECTORY, ENTRY_SYMLINK };

/* One resolved guest name. */
struct manifest_entry {
    const char *guest; /* absolute, clean */
    const char *host; /* the file on this machine; for a symlink its target; NULL if missing */
    const char *wanted; /* the right side as written */
    const char
        *source; /* the same with variables, & and ** put in: what the dirs are searched for */
    const char *file; /* the manifest, and the line in it */
    unsigned line;
    uint32_t order; /* of its line, over all manifests */
    enum entry_kind kind;
    bool missing; /* the host file is not there */
    bool duplicate; /* a later line names the same guest file, and wins as in OSv */
    uint64_t size_bytes;
    const char *problem; /* what a strict reading stops at, or NULL */
};

struct manifest_list {
    struct arena arena;
    VEC(struct manifest_entry) entries; /* sorted by guest, bytewise; parents not added */
    VEC(const char *)
    looked_at; /* manifests, directories listed, files found or missed; once each */
};

/*
 * Reads manifest files in order and resolves them; `list` is zeroed by the caller, and freed by him
 * on error too. MANIFEST_STRICT: a missing file, an unknown variable, a name with `..`, a device as
 * source, or a file where another line needs a directory is an error (file:line).
 * MANIFEST_MARK: such an entry has its `problem`. Lines that cannot be read are errors always.
 */
enum manifest_mode { MANIFEST_STRICT, MANIFEST_MARK };
int manifest_resolve(struct manifest_list *list, const char *const *files, size_t files_count,
                     const struct manifest_scope *scope, enum manifest_mode mode, struct err *err);
void manifest_list_free(struct manifest_list *list);

/* Editing: the text of one manifest file, changed in memory; nothing is written before save. */
struct manifest_line {
    const char *text; /* the whole line */
    const char *guest; /* clean; NULL: a comment, a blank or a section line */
    const char *host;
    bool staged; /* changed or added since load or save */
};
struct manifest_edit {
    char *path;
    char *text; /* the whole, as it would be written */
    char *on_disk; /* as loaded or saved last: the diff is against it */
    VEC(struct manifest_line) lines; /* of text */
    struct arena arena; /* what lines point to; made anew with them */
    str_list undo, redo; /* whole texts: a manifest is small */
};
/* A zeroed struct is opened; close it after an error too. */
int manifest_edit_open(struct manifest_edit *edit, const char *path, struct err *err);
/* Adds a line at the end, or gives the line of a guest that is there a new right side. */
int manifest_edit_add(struct manifest_edit *edit, const char *guest, const char *host,
                      struct err *err);
/* Removes every line of that guest; none is an error. */
int manifest_edit_remove(struct manifest_edit *edit, const char *guest, struct err *err);
/* Gives the lines of `guest` another name, and another right side where `host` is not NULL, in
 * place and in one step of undo. */
int manifest_edit_set(struct manifest_edit *edit, const char *guest, const char *to,
                      const char *host, struct err *err);
/* Lets the entry of a line (from 1) change places with the entry before it, or after it where `later`;
 * comments and blank lines between them stay where they are. Of two lines for one guest the later one
 * wins. An error where there is no such entry. */
int manifest_edit_move(struct manifest_edit *edit, unsigned line, bool later, struct err *err);
/* The last line (from 1) for a guest, 0 where there is none. */
unsigned manifest_edit_line(const struct manifest_edit *edit, const char *guest);
/* False where there is nothing to undo or redo. */
bool manifest_edit_undo(struct manifest_edit *edit);
bool manifest_edit_redo(struct manifest_edit *edit);
/* A unified diff of disk against memory; the caller frees; "" where nothing changed. Removed and
 * added lines of one place stand together. */
char *manifest_edit_diff(const struct manifest_edit *edit);
/* Writes atomically; refuses where the file changed on disk since it was opened. */
int manifest_edit_save(struct manifest_edit *edit, struct err *err);
void manifest_edit_close(struct manifest_edit *edit);

#endif

#include "vcs/vcs.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <git2.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"

/* libgit2 and what it links cost 4 ms of loading and more of starting: they are opened by name when
 * they are first needed, so that `gantry --version` does not pay for them. */
#define GIT_CALLS(X)                                                                               \
    X(git_libgit2_init)                                                                            \
    X(git_libgit2_opts)                                                                            \
    X(git_repository_open_ext)                                                                     \
    X(git_repository_free)                                                                         \
    X(git_repository_head)                                                                         \
    X(git_repository_head_detached)                                                                \
    X(git_repository_head_unborn)                                                                  \
    X(git_repository_is_bare)                                                                      \
    X(git_reference_shorthand)                                                                     \
    X(git_reference_lookup)                                                                        \
    X(git_reference_symbolic_target)                                                               \
    X(git_reference_target)                                                                        \
    X(git_reference_free)                                                                          \
    X(git_reference_peel)                                                                          \
    X(git_object_short_id)                                                                         \
    X(git_object_free)                                                                             \
    X(git_buf_dispose)                                                                             \
    X(git_status_options_init)                                                                     \
    X(git_status_list_new)                                                                         \
    X(git_status_list_entrycount)                                                                  \
    X(git_status_list_free)                                                                        \
    X(git_repository_workdir)                                                                      \
    X(git_revparse_single)                                                                         \
    X(git_diff_options_init)                                                                       \
    X(git_diff_blob_to_buffer)                                                                     \
    X(git_blame_options_init)                                                                      \
    X(git_blame_file)                                                                              \
    X(git_blame_get_hunk_byindex)                                                                  \
    X(git_blame_free)                                                                              \
    X(git_commit_lookup)                                                                           \
    X(git_commit_author)                                                                           \
    X(git_commit_summary)                                                                          \
    X(git_commit_free)                                                                             \
    X(git_error_last)

static struct {
#define X(name) __typeof__(name) *name;
    GIT_CALLS(X)
#undef X
    char error[256]; /* why libgit2 cannot be used; "" where it can */
} git;
static pthread_once_t git_once = PTHREAD_ONCE_INIT;

static void open_git(void)
{
    static const char library[] = "libgit2.so." LIBGIT2_SOVERSION;
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    const char *missing = handle ? NULL : library;
#define X(name)                                                                                    \
    if (handle) {                                                                                  \
        void *call = dlsym(handle, #name);                                                         \
        memcpy(&git.name, &call, sizeof call);                                                     \
        missing = call ? missing : #name;                                                          \
    }
    GIT_CALLS(X)
#undef X
    if (missing)
        snprintf(git.error, sizeof git.error, "no git: %s is missing (apt-get install libgit2-dev)",
                 missing);
    else if (git.git_libgit2_init() > 0)
        /* Somebody else's tree may be built; libgit2 runs no hooks or programs while it reads. */
        git.git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
}

static int fail(struct err *err, const char *root)
{
    const git_error *last = git.git_error_last();
    return err_set(err, ERR_SYSTEM, "git in %s: %s", root, last ? last->message : "unknown error");
}

/* HEAD that points to a branch without commits. */
static int read_unborn(git_repository *repository, struct vcs_state *state)
{
    git_reference *head = NULL;
    if (git.git_reference_lookup(&head, repository, "HEAD") == 0) {
        const char *target = git.git_reference_symbolic_target(head);
        if (target && strncmp(target, "refs/heads/", 11) == 0)
            target += 11;
        snprintf(state->branch, sizeof state->branch, "%s", target ? target : "");
        git.git_reference_free(head);
    }
    return 0;
}

static int read_head(git_repository *repository, struct vcs_state *state)
{
    git_reference *head = NULL;
    git_object *commit = NULL;
    git_buf text = {0};
    if (git.git_repository_head_unborn(repository) == 1)
        return read_unborn(repository, state);
    if (git.git_repository_head(&head, repository) < 0)
        return -1;
    bool detached = git.git_repository_head_detached(repository) == 1;
    snprintf(state->branch, sizeof state->branch, "%s",
             detached ? "(detached)" : git.git_reference_shorthand(head));
    int status = git.git_reference_peel(&commit, head, GIT_OBJECT_COMMIT);
    if (status == 0)
        status = git.git_object_short_id(&text, commit);
    if (status == 0)
        snprintf(state->head, sizeof state->head, "%s", text.ptr);
    git.git_buf_dispose(&text);
    git.git_object_free(commit);
    git.git_reference_free(head);
    return status;
}

static int count_dirty(git_repository *repository, struct vcs_state *state)
{
    git_status_options options;
    git_status_list *list = NULL;
    git.git_status_options_init(&options, GIT_STATUS_OPTIONS_VERSION);
    options.show = GIT_STATUS_SHOW_INDEX_AND_WORKDIR;
    /* No refresh of the index: a build console writes nothing into .git. */
    options.flags = GIT_STATUS_OPT_EXCLUDE_SUBMODULES;
    if (git.git_status_list_new(&list, repository, &options) < 0)
        return -1;
    state->dirty = (unsigned)git.git_status_list_entrycount(list);
    git.git_status_list_free(list);
    return 0;
}

/* Whether a repository can hold the directory at all: libgit2 need not be opened where not. */
static bool may_be_in_repository(const char *root)
{
    char *dir = path_absolute(root);
    bool found = false;
    for (bool top = false; !found && !top;) {
        char *git_dir = path_join(dir, ".git"), *up = path_dir(dir);
        found = access(git_dir, F_OK) == 0;
        top = strcmp(up, dir) == 0;
        free(git_dir);
        free(dir);
        dir = up;
    }
    free(dir);
    return found;
}

int vcs_read(const char *root, struct vcs_state *state, struct err *err)
{
    git_repository *repository = NULL;
    memset(state, 0, sizeof *state);
    if (!may_be_in_repository(root))
        return 0;
    pthread_once(&git_once, open_git);
    if (git.error[0])
        return err_set(err, ERR_SYSTEM, "%s", git.error);
    int status = git.git_repository_open_ext(&repository, root, 0, NULL);
    if (status == GIT_ENOTFOUND)
        return 0;
    if (status < 0)
        return fail(err, root);
    status = read_head(repository, state);
    if (status == 0 && !git.git_repository_is_bare(repository))
        status = count_dirty(repository, state);
    if (status < 0)
        fail(err, root);
    git.git_repository_free(repository);
    return status < 0 ? -1 : 0;
}

/* ---- blame ---- */

/* A line of the file as it is, followed back to the file of HEAD. */
struct followed {
    int line; /* of the file as it is */
    int shift; /* to be added */
    bool fresh; /* HEAD has no such line */
};

static int follow_hunk(const git_diff_delta *delta, const git_diff_hunk *hunk, void *data)
{
    struct followed *followed = data;
    int last = hunk->new_lines ? hunk->new_start + hunk->new_lines - 1 : hunk->new_start;
    (void)delta;
    if (followed->line > last)
        followed->shift += hunk->old_lines - hunk->new_lines;
    else if (hunk->new_lines && followed->line >= hunk->new_start)
        followed->fresh = true;
    return 0;
}

/* The line of HEAD's file that a line of today's file is; 0 where it is in no commit; or -1. */
static int line_of_head(git_repository *repository, const char *inside, const char *path,
                        unsigned line, struct err *err)
{
    git_object *blob = NULL;
    git_diff_options options;
    struct followed followed = {.line = (int)line};
    size_t length = 0;
    char *spec = mem_format("HEAD:%s", inside), *text = NULL;
    int status = git.git_revparse_single(&blob, repository, spec);
    free(spec);
    if (status < 0)
        return 0; /* HEAD does not have the file, or there is no commit yet */
    text = file_read(path, &length, err);
    status = text ? git.git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION) : -1;
    options.context_lines = 0;
    if (status == 0)
        status = git.git_diff_blob_to_buffer((const git_blob *)blob, NULL, text, length, NULL,
                                             &options, NULL, NULL, follow_hunk, NULL, &followed);
    if (status < 0 && text)
        fail(err, inside);
    free(text);
    git.git_object_free(blob);
    return status < 0 ? -1 : followed.fresh ? 0 : followed.line + followed.shift;
}

static int describe(git_repository *repository, const git_oid *id, struct vcs_blame *blame)
{
    git_commit *commit = NULL;
    git_buf text = {0};
    if (git.git_commit_lookup(&commit, repository, id) < 0)
        return -1;
    const git_signature *author = git.git_commit_author(commit);
    const char *summary = git.git_commit_summary(commit);
    time_t when = (time_t)author->when.time + author->when.offset * 60;
    struct tm tm;
    int status = git.git_object_short_id(&text, (const git_object *)commit);
    if (status == 0)
        snprintf(blame->commit, sizeof blame->commit, "%s", text.ptr);
    snprintf(blame->author, sizeof blame->author, "%s", author->name);
    snprintf(blame->summary, sizeof blame->summary, "%s", summary ? summary : "");
    if (gmtime_r(&when, &tm))
        strftime(blame->date, sizeof blame->date, "%Y-%m-%d", &tm);
    git.git_buf_dispose(&text);
    git.git_commit_free(commit);
    return status;
}

/* Only the one line is followed through the history: a whole file's blame takes seconds. */
static int blame_line(git_repository *repository, const char *inside, int line,
                      struct vcs_blame *blame)
{
    git_blame_options options;
    git_blame *lines = NULL;
    git.git_blame_options_init(&options, GIT_BLAME_OPTIONS_VERSION);
    options.min_line = options.max_line = (size_t)line;
    if (git.git_blame_file(&lines, repository, inside, &options) < 0)
        return -1;
    const git_blame_hunk *hunk = git.git_blame_get_hunk_byindex(lines, 0);
    int status = hunk ? describe(repository, &hunk->final_commit_id, blame) : 0;
    git.git_blame_free(lines);
    return status;
}

int vcs_blame(const char *path, unsigned line, struct vcs_blame *blame, struct err *err)
{
    git_repository *repository = NULL;
    *blame = (struct vcs_blame){0};
    char *real = realpath(path, NULL), *directory = real ? path_dir(real) : NULL;
    int status = 0;
    if (!real) {
        status = err_errno(err, "%s", path);
    } else if (may_be_in_repository(directory)) {
        pthread_once(&git_once, open_git);
        status = git.error[0] ? err_set(err, ERR_SYSTEM, "%s", git.error) : 0;
        if (status == 0)
            status = git.git_repository_open_ext(&repository, directory, 0, NULL);
        if (status < 0 && !git.error[0])
            status = status == GIT_ENOTFOUND ? 0 : fail(err, directory);
    }
    const char *top = repository ? git.git_repository_workdir(repository) : NULL;
    if (top && strncmp(real, top, strlen(top)) == 0) {
        const char *inside = real + strlen(top);
        blame->known = true;
        status = line_of_head(repository, inside, real, line, err);
        if (status > 0 && (status = blame_line(repository, inside, status, blame)) < 0)
            fail(err, real);
    }
    if (repository)
        git.git_repository_free(repository);
    free(directory);
    free(real);
    return status < 0 ? -1 : 0;
}

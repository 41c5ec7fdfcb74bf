#include "vcs/vcs.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <git2.h>

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

/* A tree in a temporary directory, with a graph made by hand: for tests of plan, state and run. */
#ifndef GANTRY_TESTS_SUPPORT_TREE_H
#define GANTRY_TESTS_SUPPORT_TREE_H

#include <stdbool.h>

#include "base/vec.h"
#include "graph/graph.h"
#include "journal/event.h"
#include "run/build_internal.h"

struct tree {
    char root[64];
    struct graph graph; /* of the next build; rules stay until tree_forget_rules */
    struct arena texts;
    struct build_options options;
    const char *goal; /* NULL: the last rule's target */
    const char *last_target;
    /* Of the last build. */
    VEC(struct event *) events;
    char *ran; /* targets of step-end in the order of their graph, by spaces */
    struct event end; /* build-end */
};

struct tree *tree_new(void);
void tree_free(struct tree *tree);
void tree_write(struct tree *tree, const char *path, const char *text);
char *tree_read(struct tree *tree, const char *path);
bool tree_has(struct tree *tree, const char *path);
void tree_remove(struct tree *tree, const char *path);
/* A rule; inputs by spaces, those behind a "|" are order-only. The command is run by the shell. */
step_id tree_rule(struct tree *tree, const char *target, const char *inputs, const char *command);
/* The same with a depfile that the command writes. */
step_id tree_rule_dep(struct tree *tree, const char *target, const char *inputs,
                      const char *depfile, const char *command);
step_id tree_argv(struct tree *tree, const char *target, const char *inputs,
                  const char *const *argv);
step_id tree_action(struct tree *tree, const char *target, const char *inputs, action_fn *action,
                    const char *signature);
void tree_forget_rules(struct tree *tree);
void tree_goal(struct tree *tree, const char *goal);
/* Waits until files that are written now are older than a step that starts after it. */
void tree_settle(void);
/* Builds in this process, to the end; gives the exit status. */
int tree_build(struct tree *tree);
/* The same in a thread, so that commands can be sent; tree_join waits and collects. */
struct build *tree_start(struct tree *tree);
int tree_join(struct tree *tree, struct build *build);
/* The first event of a kind, of a target where not NULL; NULL where there is none. */
const struct event *tree_find_event(struct tree *tree, enum event_kind kind, const char *target);
unsigned tree_count_events(struct tree *tree, enum event_kind kind);

#endif

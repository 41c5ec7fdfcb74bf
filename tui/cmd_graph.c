/* `gantry graph`: the steps of a tree and what orders them, for people and for other programs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "state/state.h"
#include "tui/commands.h"
#include "tui/hints.h"
#include "tui/native.h"
#include "tui/own_words.h"

/* What was asked for. */
struct wanted {
    enum graph_format format;
    const char *cone, *from, *to;
    bool unused;
};

static bool json(const struct cli *cli)
{
    return cli->output == OUTPUT_JSON || cli->json_to;
}

static int read_format(const char *value, enum graph_format *format, struct err *err)
{
    static const char *const names[] = {[GRAPH_TEXT] = "text",
                                        [GRAPH_DOT] = "dot",
                                        [GRAPH_JSON] = "json",
                                        [GRAPH_COMPDB] = "compdb"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(value, names[i]) == 0) {
            *format = (enum graph_format)i;
            return 0;
        }
    return err_set(err, ERR_INPUT, "--format=%s: there are text, dot, json, compdb", value);
}

static int read_words(struct wanted *wanted, int argc, char **argv, struct err *err)
{
    struct own_words words = {argc, argv, 1};
    while (words.next < argc) {
        const char *value;
        int taken = own_option(&words, "--cone", &wanted->cone, err);
        if (!taken && (taken = own_option(&words, "--format", &value, err)) > 0 &&
            read_format(value, &wanted->format, err) < 0)
            return -1;
        if (!taken && (taken = own_option(&words, "--path", &wanted->from, err)) > 0) {
            if (words.next == argc)
                return err_set(err, ERR_INPUT, "--path wants two targets: --path FROM TO");
            wanted->to = argv[words.next++];
        }
        if (!taken && strcmp(argv[words.next], "--unused") == 0) {
            taken = 1;
            words.next++;
            wanted->unused = true;
        }
        if (taken < 0)
            return -1;
        if (!taken)
            return err_set(err, ERR_INPUT, "%s: graph takes options only (gantry help graph)",
                           argv[words.next]);
    }
    return 0;
}

/* A chain of prerequisites, each needed by the one before. */
struct chain {
    file_id *files;
    uint32_t count;
    const char *header; /* that the last one's step read; NULL: none */
};

/* True where the step that makes a file was seen to read a header. */
static bool reads(const struct state *state, const char *target, const char *header)
{
    text_id text = intern_find(&state->texts, target), path = intern_find(&state->texts, header);
    const struct step_record *record =
        text == INTERN_NONE || path == INTERN_NONE ? NULL : state_record(state, text);
    for (uint32_t i = 0; record && i < record->sets; i++) {
        struct set_walk walk = state_set(state, record->ids[record->inputs + i]);
        for (version_id version; set_next(&walk, &version);)
            if (state->versions.at[version].path == path)
                return true;
    }
    return false;
}

/* The shortest chain from a target to a step that read the header when it was built last. */
static int find_reader(struct native_tree *tree, file_id from, const char *header,
                       struct chain *chain, struct err *err)
{
    struct state state = {.fd = -1};
    struct str notes = {0};
    struct graph *graph = &tree->graph;
    int status = state_open(&state, tree->state_dir, STATE_READ, &notes, err);
    for (step_id step = 0; status == 0 && step < graph->steps.len; step++) {
        file_id *files = NULL;
        uint32_t count = 0;
        if (!reads(&state, graph_step_target(graph, step), header) ||
            graph_find_path(graph, from, graph_outputs(graph, step, &(uint32_t){0})[0], &files,
                            &count) < 0)
            continue;
        bool better = !chain->files || count < chain->count;
        free(better ? chain->files : files);
        if (better)
            *chain = (struct chain){files, count, header};
    }
    state_close(&state);
    str_free(&notes);
    return status;
}

/* Both words are targets, in either order; or the second is a header, which only builds tell. */
static int find_chain(struct native_tree *tree, const struct wanted *wanted, struct chain *chain,
                      struct err *err)
{
    file_id from, to;
    struct err unknown = {0};
    if (native_target(tree, wanted->from, &from, err) < 0)
        return -1;
    if (native_target(tree, wanted->to, &to, &unknown) < 0) {
        if (find_reader(tree, from, wanted->to, chain, err) < 0)
            return -1;
        if (chain->files)
            return 0;
        *err = unknown;
        return -1;
    }
    if (graph_find_path(&tree->graph, from, to, &chain->files, &chain->count) < 0 &&
        graph_find_path(&tree->graph, to, from, &chain->files, &chain->count) < 0)
        return err_set(err, ERR_FAILED, "neither of %s and %s needs the other",
                       graph_path(&tree->graph, from), graph_path(&tree->graph, to));
    return 0;
}

static int show_path(struct cli *cli, struct native_tree *tree, const struct wanted *wanted,
                     struct err *err)
{
    struct chain chain = {0};
    struct str doc = {0};
    int status = find_chain(tree, wanted, &chain, err);
    if (status == 0 && json(cli)) {
        json_put_array(&doc, NULL);
        for (uint32_t i = 0; i < chain.count; i++)
            json_put_text(&doc, NULL, graph_path(&tree->graph, chain.files[i]));
        if (chain.header)
            json_put_text(&doc, NULL, chain.header);
        json_put_array_end(&doc);
        status = cli_print_json(cli, str_text(&doc));
    } else if (status == 0) {
        for (uint32_t i = 0; i < chain.count; i++)
            printf("%s%s\n", i ? "needs " : "", graph_path(&tree->graph, chain.files[i]));
        if (chain.header)
            printf("reads %s\n", chain.header);
    }
    str_free(&doc);
    free(chain.files);
    return status;
}

static int show_graph(struct cli *cli, struct native_tree *tree, const struct wanted *wanted,
                      struct err *err)
{
    file_id cone = FILE_NONE;
    if (wanted->cone && native_target(tree, wanted->cone, &cone, err) < 0)
        return -1;
    struct str out = {0};
    enum graph_format format = json(cli) && !wanted->format ? GRAPH_JSON : wanted->format;
    graph_export(&tree->graph, tree->root, format, cone, &out);
    if (format != GRAPH_JSON && format != GRAPH_COMPDB) {
        fputs(str_text(&out), stdout);
        str_free(&out);
        return 0;
    }
    str_cut(&out, out.len - 1); /* its newline, which printing adds */
    int status = cli_print_json(cli, str_text(&out));
    str_free(&out);
    return status;
}

int cmd_graph(struct cli *cli, int argc, char **argv)
{
    struct err err = {0};
    struct native_tree tree = {0};
    struct wanted wanted = {0};
    int status = read_words(&wanted, argc, argv, &err);
    if (status == 0 && wanted.unused) {
        status = hints_show_unused(cli, &err);
        return status < 0 ? cli_fail(&err) : status;
    }
    if (status == 0)
        status = native_open(&tree, cli, &err);
    if (status == 0)
        status = native_load_graph(&tree, &err);
    if (status == 0)
        status = wanted.from ? show_path(cli, &tree, &wanted, &err)
                             : show_graph(cli, &tree, &wanted, &err);
    native_close(&tree);
    return status < 0 ? cli_fail(&err) : status;
}

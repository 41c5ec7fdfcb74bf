/* A graph as bytes and back: the same graph, and nothing from bytes that are not whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "graph/pack.h"

static int act(const void *data, struct action_io *io, struct err *err)
{
    (void)data;
    (void)io;
    (void)err;
    return 0;
}

static void put_number(struct packer *packer, const void *data)
{
    pack_number(packer, *(const uint64_t *)data);
}

static const void *take_number(struct unpacker *in, struct arena *arena)
{
    uint64_t *number = arena_alloc(arena, sizeof *number);
    *number = unpack_number(in);
    return number;
}

static const struct pack_action actions[] = {{"bootfs", act, NULL, put_number, take_number},
                                             {NULL, NULL, NULL, NULL, NULL}};
static const uint64_t size = UINT64_C(0x123456789abc);

static step_id add(struct graph *graph, const struct step *step, const char *output,
                   const char *input)
{
    file_id out = graph_file(graph, output), in = graph_file(graph, input),
            order = graph_file(graph, "gen.h");
    struct err err;
    return graph_add_step(graph,
                          &(struct step_spec){.step = *step,
                                              .outputs = &out,
                                              .outputs_count = 1,
                                              .inputs = &in,
                                              .inputs_count = 1,
                                              .order = &order,
                                              .order_count = strcmp(output, "gen.h") != 0},
                          &err);
}

static void fill(struct graph *graph)
{
    static const char *const argv[] = {"cc", "-c", "x y.c", "", NULL};
    struct err err;
    add(graph,
        &(struct step){.rule = "cc",
                       .argv = argv,
                       .signature = "gcc 12",
                       .depfile = "x.d",
                       .origin = "module.mk",
                       .origin_line = 7,
                       .flags = STEP_AFRESH},
        "x.o", "x y.c");
    add(graph, &(struct step){.rule = "header", .shell = "gen >gen.h", .dir = "sub"}, "gen.h",
        "gen");
    add(graph, &(struct step){.rule = "bootfs", .action = act, .data = &size, .signature = "s"},
        "image", "x.o");
    vec_push(&graph->goals, graph_find_file(graph, "image"));
    assert_int_equal(graph_finish(graph, &err), 0);
}

static char *bytes_of(const struct graph *graph, size_t *length, uint64_t *id)
{
    struct packer packer = {0};
    struct str bytes = {0};
    assert_true(graph_pack(&packer, graph, actions));
    pack_text(&packer, "and more");
    pack_text(&packer, NULL);
    *id = packer_end(&packer, &bytes);
    *length = bytes.len;
    return str_take(&bytes);
}

static void assert_same_text(const char *one, const char *other)
{
    assert_true(!one == !other);
    if (one)
        assert_string_equal(one, other);
}

static void what_comes_back_is_the_same(void **state)
{
    (void)state;
    struct graph graph = {0}, back = {0};
    struct str text = {0}, again = {0};
    struct unpacker in;
    size_t length;
    uint64_t id, same;
    fill(&graph);
    char *bytes = bytes_of(&graph, &length, &id), *twice = bytes_of(&graph, &length, &same);
    assert_int_equal(id, same);
    free(twice);
    assert_true(unpacker_begin(&in, bytes, length, id));
    assert_true(graph_unpack(&in, &back, actions));
    assert_string_equal(unpack_text(&in), "and more");
    assert_null(unpack_text(&in));
    assert_false(in.bad);
    assert_null(unpack_text(&in));
    assert_true(in.bad); /* nothing more was put */
    unpacker_free(&in);

    graph_export(&graph, "/r", GRAPH_JSON, FILE_NONE, &text);
    graph_export(&back, "/r", GRAPH_JSON, FILE_NONE, &again);
    assert_string_equal(str_text(&text), str_text(&again));
    for (step_id i = 0; i < graph.steps.len; i++) {
        const struct step *one = &graph.steps.at[i], *other = &back.steps.at[i];
        assert_same_text(one->signature, other->signature);
        assert_same_text(one->depfile, other->depfile);
        assert_same_text(one->shell, other->shell);
        assert_same_text(one->dir, other->dir);
        assert_same_text(one->origin, other->origin);
        assert_int_equal(one->origin_line, other->origin_line);
        assert_int_equal(one->flags, other->flags);
        assert_ptr_equal(one->action, other->action);
    }
    assert_int_equal(*(const uint64_t *)back.steps.at[2].data, size);
    assert_int_equal(back.goals.len, 1);
    assert_string_equal(back.steps.at[0].argv[2], "x y.c");
    assert_string_equal(back.steps.at[0].argv[3], "");
    assert_null(back.steps.at[0].argv[4]);
    uint32_t uses;
    assert_int_equal(graph_uses(&back, graph_find_file(&back, "gen.h"), &uses)[0], 0);
    assert_int_equal(uses, 2);
    assert_int_equal(graph_file(&back, "quite new"), graph.files.len); /* it can still grow */
    graph_free(&graph);
    graph_free(&back);
    str_free(&text);
    str_free(&again);
}

static void damage_gives_nothing(void **state)
{
    (void)state;
    struct graph graph = {0};
    struct unpacker in;
    size_t length;
    uint64_t id;
    fill(&graph);
    char *bytes = bytes_of(&graph, &length, &id);
    for (size_t at = 0; at < length; at++) {
        assert_false(unpacker_begin(&in, mem_copy_n(bytes, at), at, id));
        char *flipped = mem_copy_n(bytes, length);
        flipped[at] ^= (char)(1 << at % 8);
        assert_false(unpacker_begin(&in, flipped, length, id));
    }
    assert_false(unpacker_begin(&in, mem_copy_n(bytes, length), length, id + 1));
    free(bytes);
    graph_free(&graph);
}

static void an_action_that_nobody_knows_is_not_put(void **state)
{
    (void)state;
    static const struct pack_action none[] = {{NULL, NULL, NULL, NULL, NULL}};
    struct graph graph = {0};
    struct packer packer = {0};
    struct str bytes = {0};
    fill(&graph);
    assert_false(graph_pack(&packer, &graph, none));
    packer_end(&packer, &bytes);
    str_free(&bytes);
    graph_free(&graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_back_is_the_same),
        cmocka_unit_test(damage_gives_nothing),
        cmocka_unit_test(an_action_that_nobody_knows_is_not_put),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

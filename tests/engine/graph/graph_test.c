/* The graph: producers, consumers, cycles, chains and exports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "graph/graph.h"

/* Adds `output: inputs | order`, given as space-free lists ended by NULL. */
static step_id rule(struct graph *graph, const char *output, const char *const *inputs,
                    const char *const *order, struct err *err)
{
    file_id out = graph_file(graph, output), in[8], ord[8];
    uint32_t in_count = 0, ord_count = 0;
    for (; inputs && *inputs; inputs++)
        in[in_count++] = graph_file(graph, *inputs);
    for (; order && *order; order++)
        ord[ord_count++] = graph_file(graph, *order);
    static const char *const argv[] = {"cc", "-c", "x y.c", NULL};
    struct step_spec spec = {.step = {.rule = "cc", .argv = argv, .origin = "module.mk"},
                             .outputs = &out,
                             .outputs_count = 1,
                             .inputs = in,
                             .inputs_count = in_count,
                             .order = ord,
                             .order_count = ord_count};
    spec.step.origin_line = (uint32_t)graph->steps.len + 1;
    return graph_add_step(graph, &spec, err);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static void a_file_has_one_id_however_it_is_written(void **state)
{
    (void)state;
    struct graph graph = {0};
    file_id a = graph_file(&graph, "a/b.c");
    assert_int_equal(graph_file(&graph, "./a//b.c"), a);
    assert_int_equal(graph_file(&graph, "a/x/../b.c"), a);
    assert_int_equal(graph_file(&graph, "a/./b.c"), a);
    assert_int_not_equal(graph_file(&graph, "a/.b.c"), a);
    assert_int_equal(graph_find_file(&graph, "./a/b.c"), a);
    assert_int_equal(graph_find_file(&graph, "nothing"), FILE_NONE);
    assert_string_equal(graph_path(&graph, a), "a/b.c");
    graph_free(&graph);
}

static void consumers_are_found_once_each(void **state)
{
    (void)state;
    struct graph graph = {0};
    struct err err = {0};
    step_id one = rule(&graph, "a.o", LIST("a.c", "h.h", "h.h"), LIST("gen.h"), &err);
    step_id two = rule(&graph, "b.o", LIST("b.c", "h.h"), NULL, &err);
    step_id gen = rule(&graph, "gen.h", LIST("gen"), NULL, &err);
    assert_int_equal(graph_finish(&graph, &err), 0);
    uint32_t count;
    const step_id *uses = graph_uses(&graph, graph_find_file(&graph, "h.h"), &count);
    assert_int_equal(count, 2);
    assert_int_equal(uses[0], one);
    assert_int_equal(uses[1], two);
    uses = graph_uses(&graph, graph_find_file(&graph, "gen.h"), &count);
    assert_int_equal(count, 1);
    assert_int_equal(uses[0], one);
    graph_uses(&graph, graph_find_file(&graph, "b.o"), &count);
    assert_int_equal(count, 0);
    assert_int_equal(graph.files.at[graph_find_file(&graph, "gen.h")].producer, gen);
    graph_free(&graph);
}

static void one_file_has_one_step(void **state)
{
    (void)state;
    struct graph graph = {0};
    struct err err = {0};
    rule(&graph, "a.o", LIST("a.c"), NULL, &err);
    assert_int_equal(rule(&graph, "./a.o", LIST("b.c"), NULL, &err), STEP_NONE);
    assert_int_equal(err.kind, ERR_INPUT);
    assert_string_equal(err.text,
                        "module.mk:2: a.o is made here and by module.mk:1; one file has one step");
    graph_free(&graph);
}

static void cycles_are_told_as_a_path(void **state)
{
    (void)state;
    struct graph graph = {0};
    struct err err = {0};
    rule(&graph, "top", LIST("a"), NULL, &err);
    rule(&graph, "a", LIST("s", "b"), NULL, &err);
    rule(&graph, "b", NULL, LIST("c"), &err);
    rule(&graph, "c", LIST("a"), NULL, &err);
    assert_int_equal(graph_finish(&graph, &err), -1);
    assert_string_equal(err.text, "module.mk:2: a cycle: a -> b -> c -> a");
    graph_free(&graph);
    rule(&graph, "self", LIST("self"), NULL, &err);
    assert_int_equal(graph_finish(&graph, &err), -1);
    assert_string_equal(err.text, "module.mk:1: a cycle: self -> self");
    graph_free(&graph);
}

static void a_chain_as_long_as_no_stack_is_no_trouble(void **state)
{
    (void)state;
    struct graph graph = {0};
    struct err err = {0};
    char from[16], to[16];
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(from, sizeof from, "f%u", i);
        snprintf(to, sizeof to, "f%u", i + 1);
        rule(&graph, from, LIST(to), NULL, &err);
    }
    assert_int_equal(graph_finish(&graph, &err), 0);
    file_id *path = NULL;
    uint32_t count = 0;
    assert_int_equal(graph_find_path(&graph, graph_find_file(&graph, "f10"),
                                     graph_find_file(&graph, "f13"), &path, &count),
                     0);
    assert_int_equal(count, 4);
    assert_string_equal(graph_path(&graph, path[0]), "f10");
    assert_string_equal(graph_path(&graph, path[3]), "f13");
    assert_int_equal(graph_find_path(&graph, graph_find_file(&graph, "f13"),
                                     graph_find_file(&graph, "f10"), &path, &count),
                     -1);
    free(path);
    graph_free(&graph);
}

static void exports_hold_the_cone_and_nothing_else(void **state)
{
    (void)state;
    struct graph graph = {0};
    struct err err = {0};
    rule(&graph, "a.o", LIST("a.c"), LIST("gen.h"), &err);
    rule(&graph, "gen.h", LIST("gen"), NULL, &err);
    rule(&graph, "other\"", LIST("o.c"), NULL, &err);
    assert_int_equal(graph_finish(&graph, &err), 0);
    struct str out = {0};
    graph_export(&graph, "/tree", GRAPH_DOT, graph_find_file(&graph, "a.o"), &out);
    assert_non_null(strstr(str_text(&out), "\"a.o\" -> \"gen.h\" [style=dashed];"));
    assert_non_null(strstr(str_text(&out), "\"gen.h\" -> \"gen\";"));
    assert_null(strstr(str_text(&out), "other"));
    str_cut(&out, 0);
    graph_export(&graph, "/tree", GRAPH_DOT, FILE_NONE, &out);
    assert_non_null(strstr(str_text(&out), "\"other\\\"\" -> \"o.c\";"));
    str_cut(&out, 0);
    graph_export(&graph, "/tree", GRAPH_COMPDB, graph_find_file(&graph, "gen.h"), &out);
    assert_string_equal(str_text(&out),
                        "[{\"directory\":\"/tree\",\"file\":\"gen\",\"output\":\"gen.h\","
                        "\"arguments\":[\"cc\",\"-c\",\"x y.c\"]}]\n");
    str_cut(&out, 0);
    graph_export(&graph, "/tree", GRAPH_JSON, graph_find_file(&graph, "gen.h"), &out);
    assert_non_null(strstr(str_text(&out), "\"inputs\":[\"gen\"],\"order\":[]"));
    str_free(&out);
    graph_free(&graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_has_one_id_however_it_is_written),
        cmocka_unit_test(consumers_are_found_once_each),
        cmocka_unit_test(one_file_has_one_step),
        cmocka_unit_test(cycles_are_told_as_a_path),
        cmocka_unit_test(a_chain_as_long_as_no_stack_is_no_trouble),
        cmocka_unit_test(exports_hold_the_cone_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

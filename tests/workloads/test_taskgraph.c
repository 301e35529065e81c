/* GraphML task graphs: what becomes of nodes and edges, and what is refused. */
#include "test_workloads.h"

static const char path[] = "tasks.graphml";
#define HEAD                                                                                                           \
    "<?xml version='1.0'?>\n<graphml>\n<key id='p' for='node' attr.name='ps'/><key id='o' for='node' "                 \
    "attr.name='ops'/>"                                                                                                \
    "<key id='b' for='edge' attr.name='bits'/><key id='d' for='edge' attr.name='data'/><key id='x' "                   \
    "attr.name='color'/>\n"
#define GRAPH HEAD "<graph edgedefault='directed'>\n"
#define NODE(id, key, work) "<node id='" id "'><data key='" key "'>" work "</data></node>\n"
#define EDGE(from, to, bits, more)                                                                                     \
    "<edge source='" from "' target='" to "'><data key='b'>" bits "</data>" more "</edge>\n"
#define END "</graph>\n</graphml>\n"

static pp_network *opened(const char *text)
{
    pp_network *net = NULL;
    write_file(path, text, strlen(text));
    assert_ok(pp_model_open(&net, path));
    assert_false(net->has_weights);
    assert_string_equal(net->name, "tasks");
    return net;
}

static void refused(const char *text, const char *says)
{
    pp_network *net = NULL;
    write_file(path, text, strlen(text));
    assert_fails(pp_model_open(&net, path), says);
    assert_null(net);
    assert_non_null(strstr(pp_error_text(), path));
}

static void edges_have_parts_of_their_own(void **state)
{
    (void)state;
    /* b stands before a: order of execution. Common unit 4 bits; a sends 3 + 5 units and data 'm' of 2 to both. */
    pp_network *net = opened(GRAPH NODE("b", "p", "70") NODE("a", "o", "9") NODE("c", "p", "0") EDGE("a", "b", "12", "")
                                 EDGE("a", "b", "8", "<data key='d'>m</data>") EDGE("a", "c", "20", "")
                                     EDGE("a", "c", "8", "<data key='d'> m </data>") EDGE("b", "c", "4", "") END);
    assert_int_equal(net->n_ops, 4);
    const pp_op *a = &net->ops[1], *b = &net->ops[2], *c = &net->ops[3];
    assert_string_equal(a->name, "a");
    assert_int_equal(a->work.ops, 9);
    assert_int_equal(a->work.unit_bits, 4);
    assert_int_equal(a->inputs[0], 0);
    assert_int_equal(a->out.c, 10);
    assert_int_equal(b->work.ps, 70);
    assert_int_equal(b->n_inputs, 2);
    const uint32_t want[2][2] = {{2, 5}, {0, 2}};
    assert_memory_equal(b->part, want, sizeof want);
    assert_int_equal(c->n_inputs, 3);
    assert_int_equal(c->part[0][0], 5);
    assert_int_equal(c->part[0][1], 10);
    assert_int_equal(c->part[1][1], 2);
    pp_stages *stages = NULL;
    assert_ok(pp_stages_build(&stages, net));
    assert_int_equal(stages->n, 3);
    uint32_t last[1], first[1];
    pp_stage_tables(net, stages, 2, 1, (pp_patch){1, 1}, (pp_patch){1, 1}, last, first);
    assert_int_equal(last[0], 0);
    pp_stages_free(stages);
    pp_network_free(net);
}

static void several_ends_meet(void **state)
{
    (void)state;
    pp_network *net = opened(GRAPH NODE("a", "p", "1") NODE("end", "p", "2") NODE("c", "p", "3")
                                 EDGE("a", "end", "8", "") EDGE("a", "c", "8", "") END);
    assert_int_equal(net->n_ops, 5);
    assert_string_equal(net->ops[4].name, "(end)");
    assert_int_equal(net->ops[4].n_inputs, 2);
    pp_network_free(net);
    net = opened(GRAPH NODE("only &lt;one&gt;", "p", "5") END);
    assert_int_equal(net->n_ops, 2);
    assert_string_equal(net->ops[1].name, "only <one>");
    pp_network_free(net);
}

static void wrong_graphs_are_named(void **state)
{
    (void)state;
    refused("", "empty");
    refused("nodes: 3\n", "tasks.graphml:1: text outside");
    refused("<graphml>\n<graph>", "tasks.graphml:2: expected <graph edgedefault");
    refused("<graphml>\n<graph edgedefault='undirected'/></graphml>", "directed");
    refused("<graphml>\n<graph edgedefault='directed'>\n</graphml>", "closes what is not open");
    refused(GRAPH, "ends inside <graph>");
    refused(GRAPH END, "no graph of nodes");
    refused(GRAPH "<node/>" END, "tasks.graphml:5: <node> without an id");
    refused(GRAPH "<node id='a'/>" END, "node 'a': give its work");
    refused(GRAPH "<node id='a'><data key='p'>1</data><data key='o'>1</data></node>" END, "either ops or ps");
    refused("<graphml>\n<key id='d' for='edge' attr.name='Data'/>", "tasks.graphml:2: attribute Data: unknown; did you mean data?");
    refused(GRAPH NODE("a", "p", "-1") END, "found '-1'");
    refused(GRAPH NODE("a", "p", "1e99") END, "found '1e99'");
    refused(GRAPH NODE("a", "p", "1.5") END, "found '1.5'");
    refused(GRAPH NODE("a", "p", "soon") END, "found 'soon'");
    refused(GRAPH NODE("a", "p", "1") NODE("a", "p", "1") END, "tasks.graphml:6: node 'a' is defined twice");
    refused(GRAPH NODE("a", "p", "1") EDGE("a", "b", "8", "") END, "tasks.graphml:6: no node 'b'");
    refused(GRAPH NODE("a", "p", "1") EDGE("a", "a", "0", "") END, "bits");
    refused(GRAPH NODE("a", "p", "1") EDGE("a", "a", "8", "") END, "node 'a' waits for itself");
    refused(GRAPH NODE("a", "p", "1") NODE("b", "p", "1") NODE("c", "p", "1") EDGE("a", "b", "8", "")
                EDGE("b", "c", "8", "") EDGE("c", "b", "8", "") END,
            "cycle");
    refused(GRAPH NODE("a", "p", "1") NODE("b", "p", "1") "<edge source='a' target='b'/>" END, "bits are missing");
    refused(GRAPH NODE("a", "p", "1") NODE("b", "p", "1") EDGE("a", "b", "8", "<data key='d'>m</data>")
                EDGE("a", "b", "9", "<data key='d'>m</data>") END,
            "data 'm' of node 'a' has 9 bits here, 8 before");
    refused(GRAPH NODE("a", "p", "1") NODE("b", "p", "1") EDGE("a", "b", "7", "") EDGE("a", "b", "1000000000", "") END,
            "round the sizes of edges");
    refused("<!DOCTYPE x [<!ENTITY e 'x'>]><graphml/>", "document types");
    refused("<graphml a=1/>", "quotes");
    refused("<graphml a='&nbsp;'/>", "only &lt;");
    refused("<graphml a='1", "ends inside a value");
    refused("<graphml", "does not end");
    refused("<!-- never", "ends inside a comment");
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    pp_network *net = NULL;
    pp_status status = PP_ENOMEM;
    long n = 0;
    pp_network_free(opened(GRAPH NODE("a", "p", "1") NODE("b", "p", "2") NODE("c", "p", "3") EDGE("a", "b", "8", "")
                               EDGE("a", "c", "8", "<data key='d'>m</data>") END));
    for (; n < 1000 && status != PP_OK; n++) {
        pp_alloc_fail_after(n);
        status = pp_network_from_tasks(&net, path);
        pp_alloc_fail_after(-1);
        assert_true(status == PP_OK || (status == PP_ENOMEM && !net));
    }
    assert_true(n > 10 && status == PP_OK);
    pp_network_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(edges_have_parts_of_their_own),
                                       cmocka_unit_test(several_ends_meet), cmocka_unit_test(wrong_graphs_are_named),
                                       cmocka_unit_test(any_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

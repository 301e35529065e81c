/* Operator graphs: every shape, counts by hand for a small Llama, mixtures and online rotations, and bad input. */
#include "test_workloads.h"

#include "workloads/lm_graph.h"

static const pp_lm_graph_options usual = {.abits = 8, .slice = 256, .kvbits = 4, .residual_bits = 16,
                                          .online_block = "array_rows", .experts = "uniform"};

static pp_lm_graph *graph_of(const char *name, const pp_lm_graph_options *o)
{
    pp_lm_config c;
    pp_lm_graph *g = NULL;
    assert_int_equal(pp_lm_shape(&c, name), PP_OK);
    if (pp_lm_graph_new(&g, &c, o, 7) != PP_OK || pp_lm_graph_check(g) != PP_OK)
        fail_msg("%s: %s", name, pp_error_text());
    return g;
}

static const pp_lm_op *find(const pp_lm_graph *g, const char *name)
{
    for (uint32_t k = 0; k < g->n_ops; k++)
        if (strcmp(g->op[k].name, name) == 0)
            return &g->op[k];
    return NULL;
}

/* Every published shape, plain and with everything that can be asked for. */
static void every_shape_has_a_graph(void **state)
{
    (void)state;
    pp_lm_graph_options all = usual;
    all.online = PP_LM_ONLINE_BOTH;
    all.online_block = "64";
    all.act_scale = PP_LM_SCALE_TOKEN;
    all.experts = "seeded";
    const char *name, *summary;
    for (size_t i = 0; (name = pp_lm_shape_name(i, &summary)) != NULL; i++) {
        pp_lm_graph_free(graph_of(name, &usual));
        pp_lm_graph_free(graph_of(name, &all));
    }
}

static void a_llama_block_by_hand(void **state)
{
    (void)state;
    pp_lm_graph *g = graph_of("llama3-8b", &usual);
    assert_int_equal(g->n_parts, 3);
    assert_int_equal(g->n_instances, 34);
    assert_int_equal(g->part[1].instances, 32);
    assert_int_equal(g->part[1].n_ops, 14); /* q k v o gate up down, two norms, rope, attention, silu, two additions */
    assert_int_equal(g->kv_bits_token, 8192); /* 1,024 bytes */
    assert_int_equal(find(g, "q_proj")->macs, 4096 * 4096);
    assert_int_equal(find(g, "k_proj")->out, 1024);
    assert_int_equal(find(g, "attention")->units, 8);
    assert_int_equal(find(g, "attn_norm")->ops, 2 * 4096);
    assert_int_equal(find(g, "rope")->ops, 3 * 40 * 128 + 6144); /* queries and keys turned; q, k, v scaled */
    assert_int_equal(find(g, "silu_mul")->ops, 6 * 14336);
    assert_int_equal(find(g, "attn_norm")->out, 1);
    assert_null(find(g, "r4"));
    assert_int_equal(find(g, "lm_head")->out, 128256);
    char *text = NULL;
    assert_int_equal(pp_lm_graph_dump(&text, g), PP_OK);
    assert_non_null(strstr(text, "previous -> q_proj, k_proj, v_proj, attn_norm: 4096 x 8 bit"));
    assert_non_null(strstr(text, "previous -> attn_add: 4096 x 16 bit"));
    free(text);
    pp_lm_graph_free(g);
}

static void rotations_cost_additions(void **state)
{
    (void)state;
    pp_lm_graph_options o = usual;
    o.online = PP_LM_ONLINE_BOTH;
    pp_lm_graph *g = graph_of("llama3-8b", &o);
    assert_int_equal(find(g, "r3")->ops, 40 * 128 * 7);
    assert_int_equal(find(g, "r4")->ops, 14336 * 8);
    assert_int_not_equal(find(g, "r4")->at, PP_NONE);
    pp_lm_graph_free(g);
    o.online_block = "full"; /* 14,336 = 2^11 x 7: in one core of its own */
    g = graph_of("llama3-8b", &o);
    assert_int_equal(find(g, "r4")->ops, 14336 * (11 + 6));
    assert_int_equal(find(g, "r4")->at, PP_NONE);
    pp_lm_graph_free(g);
}

static void windows_make_two_kinds_of_blocks(void **state)
{
    (void)state;
    pp_lm_config c;
    pp_lm_graph *g = NULL;
    assert_int_equal(pp_lm_shape(&c, "mistral-7b"), PP_OK);
    c.window_first_layer = 12;
    assert_int_equal(pp_lm_graph_new(&g, &c, &usual, 1), PP_OK);
    assert_int_equal(g->n_parts, 4);
    assert_int_equal(g->part[1].instances, 12);
    assert_int_equal(g->part[2].instances, 20);
    assert_int_equal(g->op[g->part[2].first_op + g->part[2].attention].window, 4096);
    pp_lm_graph_free(g);
}

static double sum(const double *x, uint32_t n)
{
    double s = 0.0;
    for (uint32_t i = 0; i < n; i++)
        s += x[i];
    return s;
}

static void experts_share_the_tokens(void **state)
{
    (void)state;
    pp_lm_graph_options o = usual;
    pp_lm_graph *g = graph_of("mixtral-8x7b", &o);
    assert_true(g->expert_share[3] == 0.125);
    assert_int_equal(find(g, "expert7.down_proj")->expert, 7);
    pp_lm_graph_free(g);
    o.experts = "4,1,1,1,1,0,0,0";
    g = graph_of("mixtral-8x7b", &o);
    assert_true(g->expert_share[0] == 0.5 && g->expert_share[7] == 0.0);
    pp_lm_graph_free(g);
    o.experts = "seeded";
    g = graph_of("mixtral-8x7b", &o);
    pp_lm_graph *again = graph_of("mixtral-8x7b", &o);
    assert_memory_equal(g->expert_share, again->expert_share, 8 * sizeof(double));
    assert_true(sum(g->expert_share, 8) > 1.0 - 1e-12 && sum(g->expert_share, 8) < 1.0 + 1e-12);
    for (uint32_t e = 0; e < 8; e++)
        assert_true(g->expert_share[e] > 0.0 && g->expert_share[e] <= 0.5 + 1e-12);
    pp_lm_graph_free(again);
    pp_lm_graph_free(g);
}

static void refused(const char *name, pp_lm_graph_options o, const char *message)
{
    pp_lm_config c;
    pp_lm_graph *g = NULL;
    assert_int_equal(pp_lm_shape(&c, name), PP_OK);
    assert_int_not_equal(pp_lm_graph_new(&g, &c, &o, 1), PP_OK);
    assert_null(g);
    assert_string_equal(pp_error_text(), message);
}

static void wrong_input_is_one_line(void **state)
{
    (void)state;
    pp_lm_graph_options o = usual;
    o.experts = "1,2,3";
    refused("mixtral-8x7b", o, "workload.experts: 3 numbers, but mixtral-8x7b has 8 experts");
    o.experts = "1,2,x";
    refused("mixtral-8x7b", o, "workload.experts: expected uniform, seeded or numbers set apart by commas, found 1,2,x");
    o.experts = "9,1,1,1,1,1,1,1";
    refused("mixtral-8x7b", o, "workload.experts: one expert has 0.5625 of all choices, but each token chooses 2 different "
                               "ones: at most 0.5");
    o.experts = "0,0,0,0,0,0,0,0";
    refused("mixtral-8x7b", o, "workload.experts: the numbers add up to 0");
    o = usual;
    o.online = PP_LM_ONLINE_R4;
    o.online_block = "100";
    refused("llama3-8b", o, "quant.online_block: 100 values do not divide the 14336 of llama3-8b's feed-forward layer");
    pp_lm_config c;
    pp_lm_graph *g = NULL;
    assert_int_equal(pp_lm_shape(&c, "llama3-8b"), PP_OK);
    c.heads = 30;
    assert_int_not_equal(pp_lm_graph_new(&g, &c, &usual, 1), PP_OK);
    assert_string_equal(pp_error_text(), "llama3-8b: 30 attention heads are not a multiple of 8 key and value heads");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shape_has_a_graph),  cmocka_unit_test(a_llama_block_by_hand),
        cmocka_unit_test(rotations_cost_additions), cmocka_unit_test(windows_make_two_kinds_of_blocks),
        cmocka_unit_test(experts_share_the_tokens), cmocka_unit_test(wrong_input_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "test_workloads.h"

static pp_builder *start(uint32_t h, uint32_t c)
{
    pp_builder *b = NULL;
    assert_ok(pp_builder_new(&b, "n", (pp_shape){h, h, c}));
    return b;
}

static uint32_t conv(pp_builder *b, const char *name, uint32_t input, uint32_t cout)
{
    pp_window w = window(3, 1, 1);
    uint32_t out;
    assert_ok(pp_build_conv(b, name, input, cout, &w, 1, true, false, NULL, NULL, &out));
    return out;
}

static uint32_t relu(pp_builder *b, const char *name, uint32_t input)
{
    uint32_t out;
    assert_ok(pp_build_act(b, name, input, PP_ACT_RELU, &out));
    return out;
}

static uint32_t add(pp_builder *b, const char *name, uint32_t x, uint32_t y)
{
    uint32_t out;
    assert_ok(pp_build_join(b, name, PP_OP_ADD, (uint32_t[]){x, y}, 2, &out));
    return out;
}

static void finish(pp_builder *b, pp_network **net, pp_stages **stages)
{
    assert_ok(pp_builder_finish(net, b));
    assert_ok(pp_stages_build(stages, *net));
}

static void done(pp_network *net, pp_stages *stages)
{
    pp_stages_free(stages);
    pp_network_free(net);
}

static void a_whole_datapath_is_one_stage(void **state)
{
    (void)state;
    pp_builder *b = start(8, 4);
    pp_network *net;
    pp_stages *stages;
    uint32_t a = relu(b, "a.relu", conv(b, "a", 0, 4)), x;
    x = relu(b, "b.relu", add(b, "b.add", a, conv(b, "b", a, 4)));
    pp_window w = window(2, 2, 0);
    assert_ok(pp_build_pool(b, "pool", PP_OP_AVG_POOL, x, &w, &x));
    assert_ok(pp_build_flatten(b, "flatten", x, &x));
    assert_ok(pp_build_linear(b, "fc", x, 2, false, NULL, NULL, &x));
    finish(b, &net, &stages);
    assert_int_equal(stages->n, 3);
    const pp_stage *s = &stages->stage[1];
    assert_string_equal(s->name, "b");
    assert_int_equal(s->n_inputs, 2);
    assert_int_equal(s->inputs[0].stream, 1);
    assert_int_equal(s->inputs[0].role, PP_ROLE_MATRIX);
    assert_int_equal(s->inputs[1].stream, 1);
    assert_int_equal(s->inputs[1].role, PP_ROLE_ADD);
    assert_int_equal(s->act, PP_ACT_RELU);
    assert_int_equal(net->ops[s->pool].kind, PP_OP_AVG_POOL);
    assert_int_equal(s->result, s->pool);
    assert_int_equal(s->fire.h, 8);
    assert_int_equal(s->out.h, 4);
    /* the flatten is a view: the linear stage reads the pooled map */
    assert_int_equal(stages->stage[2].in.h, 4);
    assert_int_equal(stages->stage[2].in.c, 4);
    assert_int_equal(stages->stage_of_op[net->ops[net->output].inputs[0]], 1);
    assert_int_equal(stages->output, 2);
    done(net, stages);
}

static void order_of_the_datapath_is_kept(void **state)
{
    (void)state;
    pp_builder *b = start(8, 4);
    pp_network *net;
    pp_stages *stages;
    pp_window w = window(2, 2, 0);
    uint32_t a = relu(b, "a.relu", conv(b, "a", 0, 4)), x;
    x = add(b, "sum", a, relu(b, "b.relu", conv(b, "b", a, 4))); /* activation before the addition */
    x = conv(b, "c", x, 4);
    assert_ok(pp_build_pool(b, "pool", PP_OP_MAX_POOL, x, &w, &x));
    x = relu(b, "late", x); /* activation after pooling */
    finish(b, &net, &stages);
    assert_int_equal(stages->n, 5);
    assert_string_equal(stages->stage[2].name, "sum");
    assert_int_equal(stages->stage[2].matrix, PP_NONE);
    assert_int_equal(stages->stage[2].inputs[1].role, PP_ROLE_DATA);
    assert_string_equal(stages->stage[4].name, "late");
    assert_int_equal(stages->stage[4].act, PP_ACT_RELU);
    done(net, stages);
}

static void the_later_matrix_operand_adds(void **state)
{
    (void)state;
    pp_builder *b = start(8, 4);
    pp_network *net;
    pp_stages *stages;
    uint32_t a = conv(b, "a", 0, 4), c = conv(b, "c", 0, 4);
    (void)relu(b, "relu", add(b, "sum", c, a));
    finish(b, &net, &stages);
    assert_int_equal(stages->n, 2);
    assert_int_equal(stages->stage[0].add, PP_NONE);
    assert_int_equal(stages->stage[1].n_inputs, 2);
    assert_int_equal(stages->stage[1].inputs[1].stream, 1);
    done(net, stages);
}

static void a_result_with_two_readers_ends_its_stage(void **state)
{
    (void)state;
    pp_builder *b = start(8, 4);
    pp_network *net;
    pp_stages *stages;
    uint32_t a = conv(b, "a", 0, 4), r = relu(b, "r", a);
    (void)add(b, "sum", a, conv(b, "c", r, 4));
    finish(b, &net, &stages);
    assert_int_equal(stages->n, 3); /* a; r; c with sum */
    assert_int_equal(stages->stage[0].act, PP_ACT_NONE);
    assert_string_equal(stages->stage[1].name, "r");
    done(net, stages);
}

static void an_operand_made_later_is_not_waited_for(void **state)
{
    (void)state;
    pp_builder *b = start(8, 4);
    pp_network *net;
    pp_stages *stages;
    uint32_t a = conv(b, "a", 0, 6), s;
    assert_ok(pp_build_subsample(b, "s", 0, 1, 6, &s)); /* digital, and behind a */
    (void)add(b, "sum", a, s);
    finish(b, &net, &stages);
    assert_int_equal(stages->n, 3);
    for (uint32_t i = 0; i < stages->n; i++)
        for (uint32_t k = 0; k < stages->stage[i].n_inputs; k++)
            assert_true(stages->stage[i].inputs[k].stream <= i);
    done(net, stages);
}

static void flatten_read_by_others_is_a_stage(void **state)
{
    (void)state;
    pp_builder *b = start(4, 4);
    pp_network *net;
    pp_stages *stages;
    uint32_t x;
    assert_ok(pp_build_flatten(b, "flatten", conv(b, "a", 0, 2), &x));
    (void)relu(b, "relu", x);
    finish(b, &net, &stages);
    assert_int_equal(stages->n, 3);
    assert_string_equal(stages->stage[1].name, "flatten");
    assert_int_equal(stages->stage[1].out.c, 32);
    done(net, stages);

    b = start(4, 1); /* a flatten of the input that a linear operator reads costs nothing */
    assert_ok(pp_build_flatten(b, "flatten", 0, &x));
    assert_ok(pp_build_linear(b, "fc", x, 3, false, NULL, NULL, &x));
    finish(b, &net, &stages);
    assert_int_equal(stages->n, 1);
    assert_int_equal(stages->stage[0].in.h, 4);
    assert_int_equal(stages->stage_of_op[1], PP_NONE);
    done(net, stages);
}

static void resnet32_has_34_stages_and_48_inputs(void **state)
{
    (void)state;
    static const uint32_t widths[3] = {16, 28, 56};
    for (int from_card = 0; from_card < 2; from_card++) {
        pp_network *net;
        pp_stages *stages;
        if (from_card)
            assert_ok(pp_model_open(&net, "resnet32-cifar10"));
        else
            assert_ok(pp_resnet_cifar(&net, "r", 32, widths, true, false));
        assert_ok(pp_stages_build(&stages, net));
        uint32_t flows = 0, adds = 0;
        for (uint32_t i = 0; i < stages->n; i++) {
            assert_true(stages->stage[i].matrix != PP_NONE);
            adds += stages->stage[i].add != PP_NONE;
            for (uint32_t k = 0; k < stages->stage[i].n_inputs; k++)
                flows += stages->stage[i].inputs[k].stream > 0;
        }
        assert_int_equal(stages->n, 34);
        assert_int_equal(flows, 48);
        assert_int_equal(adds, 15);
        assert_string_equal(stages->stage[12].name, "stage2.block1.shortcut");
        assert_string_equal(stages->stage[13].name, "stage2.block1.conv2");
        assert_int_equal(stages->stage[13].inputs[1].stream, 13);
        assert_int_equal(net->ops[stages->stage[32].pool].kind, PP_OP_GLOBAL_POOL);
        assert_int_equal(stages->stage[32].out.h, 1);
        done(net, stages);
    }
}

/* Every operator is in the stage that its place in the datapath says, whatever the network. */
static void random_networks_are_covered_once(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        random_net r;
        pp_stages *stages;
        random_net_make(&r, seed);
        assert_ok(pp_stages_build(&stages, r.net));
        for (uint32_t i = 1; i < r.net->n_ops; i++) {
            bool view_of_input = r.net->ops[i].kind == PP_OP_FLATTEN && r.net->ops[i].inputs[0] == 0;
            assert_true(stages->stage_of_op[i] < stages->n || view_of_input);
        }
        for (uint32_t i = 0; i < stages->n; i++) {
            const pp_stage *s = &stages->stage[i];
            assert_int_equal(stages->stage_of_op[s->first_op], i);
            assert_int_equal(stages->stage_of_op[s->result], i);
            for (uint32_t k = 0; k < s->n_inputs; k++)
                assert_true(s->inputs[k].stream <= i);
            assert_true(s->out.c == r.net->ops[s->result].out.c);
        }
        pp_stages_free(stages);
        random_net_free(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_datapath_is_one_stage),
        cmocka_unit_test(order_of_the_datapath_is_kept),
        cmocka_unit_test(the_later_matrix_operand_adds),
        cmocka_unit_test(a_result_with_two_readers_ends_its_stage),
        cmocka_unit_test(an_operand_made_later_is_not_waited_for),
        cmocka_unit_test(flatten_read_by_others_is_a_stage),
        cmocka_unit_test(resnet32_has_34_stages_and_48_inputs),
        cmocka_unit_test(random_networks_are_covered_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

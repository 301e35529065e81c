/* The digital end on stages made by hand. */
#include "nets.h"

#include <math.h>

typedef struct hand {
    pp_op ops[3];
    pp_network net;
    pp_stage_input inputs[2];
    pp_stage stage[2];
    pp_stages stages;
    pp_qformat stream[3];
    pp_qstage q_stage[2];
    pp_qnetwork q;
    double unit[2];
    int64_t bias[2], add_mult[2], out_mult[2];
    int8_t code[2];
} hand;

/* One 1x1 convolution with residual (add_mult 3/2) and ReLU6 (unit 0.5, so 12 units) on a 3x3x2 map, out_mult 1/4;
 * pool: operator kind of a 2x2 pool of stride 2 with one row and column of padding in front, or INPUT. */
static hand *make(pp_op_kind pool, bool count_padding, pp_act act)
{
    hand *h = calloc(1, sizeof *h);
    pp_shape map = {3, 3, 2}, small = {2, 2, 2};
    bool pooled = pool != PP_OP_INPUT;
    h->ops[0] = (pp_op){.name = "in", .kind = PP_OP_INPUT, .in = map, .out = map};
    h->ops[1] = (pp_op){.name = "conv", .kind = PP_OP_CONV, .in = map, .out = map, .groups = 1,
                        .window = {.kh = 1, .kw = 1, .sh = 1, .sw = 1, .dh = 1, .dw = 1}};
    h->ops[2] = (pp_op){.name = "pool", .kind = pool, .in = map, .out = small,
                        .window = {.kh = 2, .kw = 2, .sh = 2, .sw = 2, .dh = 1, .dw = 1, .top = 1, .left = 1,
                                   .count_padding = count_padding}};
    h->net = (pp_network){.name = "hand", .n_ops = 3, .ops = h->ops};
    h->inputs[0] = (pp_stage_input){0, PP_ROLE_MATRIX};
    h->inputs[1] = (pp_stage_input){0, PP_ROLE_ADD};
    h->stage[0] = (pp_stage){.name = "conv", .matrix = 1, .first_op = 1, .add = 1, .pool = pooled ? 2 : PP_NONE,
                             .act = act, .n_inputs = 2, .inputs = h->inputs, .in = map, .fire = map,
                             .out = pooled ? small : map};
    h->stages = (pp_stages){.n = 1, .stage = h->stage, .output = 9};
    h->stream[0] = (pp_qformat){8, false, 0, 255, 1};
    h->stream[1] = (pp_qformat){4, true, -7, 7, 1};
    for (int c = 0; c < 2; c++) {
        h->unit[c] = 0.5;
        h->bias[c] = c == 0 ? 1 : -2;
        h->add_mult[c] = 3;
        h->out_mult[c] = 1 << 10;
    }
    h->q_stage[0] = (pp_qstage){.wbits = 4, .cout = 2, .krows = 1, .code = h->code, .unit = h->unit, .bias = h->bias,
                                .add_mult = h->add_mult, .add_shift = 1, .out_mult = h->out_mult, .out_shift = 12,
                                .psum_shift = 2};
    h->q = (pp_qnetwork){.net = &h->net, .stages = &h->stages, .psum_bits = 8, .stream = h->stream,
                         .stage = h->q_stage, .has_values = true};
    return h;
}

static void pixel_adds_bias_and_residual(void **state)
{
    (void)state;
    hand *h = make(PP_OP_INPUT, false, PP_ACT_NONE);
    const int64_t sum[2] = {10, -10};
    const int16_t residual[2] = {3, 5};
    int64_t act[2];
    pp_qstage_digital_pixel(&h->q, 0, sum, residual, act);
    assert_int_equal(act[0], 10 + 1 + 4);  /* 4.5 -> 4 */
    assert_int_equal(act[1], -10 - 2 + 8); /* 7.5 -> 8 */
    h->stage[0].act = PP_ACT_RELU6;
    pp_qstage_digital_pixel(&h->q, 0, sum, residual, act);
    assert_int_equal(act[0], 12); /* 6 / 0.5 */
    assert_int_equal(act[1], 0);
    free(h);
}

static void partial_sums_shift_and_saturate(void **state)
{
    (void)state;
    hand *h = make(PP_OP_INPUT, false, PP_ACT_NONE);
    assert_int_equal(pp_qstage_psum(&h->q, 0, 6), 2);
    assert_int_equal(pp_qstage_psum(&h->q, 0, -6), -2);
    assert_int_equal(pp_qstage_psum(&h->q, 0, 10), 2);
    assert_int_equal(pp_qstage_psum(&h->q, 0, 100000), 127);
    assert_int_equal(pp_qstage_psum(&h->q, 0, -100000), -128);
    int32_t map[5] = {6, -6, 10, 100000, -100000};
    pp_qstage_psum_map(&h->q, 0, map, 5);
    const int32_t want[5] = {2, -2, 2, 127, -128};
    assert_memory_equal(map, want, sizeof want);
    free(h);
}

static void requantization_saturates(void **state)
{
    (void)state;
    hand *h = make(PP_OP_INPUT, false, PP_ACT_NONE);
    assert_int_equal(pp_qstage_requant(&h->q, 0, 0, 6), 2);
    assert_int_equal(pp_qstage_requant(&h->q, 0, 0, 2), 0);
    assert_int_equal(pp_qstage_requant(&h->q, 0, 0, -6), -2);
    assert_int_equal(pp_qstage_requant(&h->q, 0, 0, 1000), 7);
    assert_int_equal(pp_qstage_requant(&h->q, 0, 0, -1000), -7);
    free(h);
}

/* act: 1 .. 9 in channel 0, ten times that in channel 1. Windows: {1}, {2, 3}, {4, 7}, {5, 6, 8, 9}. */
static void fill(int64_t act[18])
{
    for (int p = 0; p < 9; p++) {
        act[2 * p] = p + 1;
        act[2 * p + 1] = 10 * (p + 1);
    }
}

static void pools(void **state)
{
    (void)state;
    int64_t act[18];
    int16_t codes[8];
    double logits[8];
    fill(act);
    hand *h = make(PP_OP_MAX_POOL, false, PP_ACT_NONE);
    h->stream[1] = (pp_qformat){8, true, -127, 127, 1};
    pp_qstage_tail(&h->q, 0, act, codes, NULL);
    const int16_t max[8] = {0, 2, 1, 8, 2, 18, 2, 22}; /* maximum / 4: 10/4 30/4 70/4 90/4 in channel 1 */
    assert_memory_equal(codes, max, sizeof max);
    pp_qstage_tail(&h->q, 0, act, NULL, logits);
    assert_true(logits[3] == 15 && logits[7] == 45);
    free(h);
    /* the divisor is in out_mult: sum / 4 x 4 (full window, out_mult 1) -> code = sum / 4 */
    h = make(PP_OP_AVG_POOL, true, PP_ACT_NONE);
    h->stream[1] = (pp_qformat){8, true, -127, 127, 1};
    pp_qstage_tail(&h->q, 0, act, codes, NULL);
    const int16_t counted[8] = {0, 2, 1, 12, 3, 28, 7, 70}; /* sums 1 5 11 28 / 4, half to even */
    assert_memory_equal(codes, counted, sizeof counted);
    pp_qstage_tail(&h->q, 0, act, NULL, logits);
    assert_true(logits[0] == 0.125 && logits[6] == 3.5);
    free(h);
    h = make(PP_OP_AVG_POOL, false, PP_ACT_NONE);
    h->stream[1] = (pp_qformat){8, true, -127, 127, 1};
    pp_qstage_tail(&h->q, 0, act, codes, NULL);
    const int16_t inside[8] = {1, 10, 2, 25, 6, 55, 7, 70}; /* means 1, 2.5, 5.5, 7 and ten times that */
    assert_memory_equal(codes, inside, sizeof inside);
    pp_qstage_tail(&h->q, 0, act, NULL, logits);
    assert_true(logits[2] == 1.25 && logits[6] == 3.5);
    free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pixel_adds_bias_and_residual),
                                       cmocka_unit_test(partial_sums_shift_and_saturate),
                                       cmocka_unit_test(requantization_saturates), cmocka_unit_test(pools)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

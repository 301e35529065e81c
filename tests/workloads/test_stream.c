/* Stream tables against a reference that marks every needed pixel. */
#include "test_workloads.h"

/* Number of the patch of each pixel, by walking over the patches. */
static uint32_t *patch_numbers(pp_shape map, pp_patch patch, uint32_t *n)
{
    uint32_t *number = calloc((size_t)map.h * map.w, sizeof *number);
    assert_non_null(number);
    *n = 0;
    for (uint32_t y0 = 0; y0 < map.h; y0 += patch.y)
        for (uint32_t x0 = 0; x0 < map.w; x0 += patch.x, ++*n)
            for (uint32_t y = y0; y < y0 + patch.y && y < map.h; y++)
                for (uint32_t x = x0; x < x0 + patch.x && x < map.w; x++)
                    number[y * map.w + x] = *n;
    return number;
}

static bool taps(uint32_t o, uint32_t i, uint32_t kernel, uint32_t stride, uint32_t dilation, uint32_t pad)
{
    for (uint32_t k = 0; k < kernel; k++)
        if ((long)o * stride + (long)k * dilation - (long)pad == (long)i)
            return true;
    return false;
}

/* Whether output pixel (y, x) of the operator reads input pixel (iy, ix). */
static bool needs(const pp_op *op, uint32_t k, pp_role role, uint32_t y, uint32_t x, uint32_t iy, uint32_t ix,
                  pp_shape map)
{
    const bool one_pixel = map.h == 1 && map.w == 1;
    const pp_window *w = &op->window;
    if (role == PP_ROLE_ADD)
        return y == iy && x == ix;
    switch (op->kind) {
    case PP_OP_CONV:
    case PP_OP_MAX_POOL:
    case PP_OP_AVG_POOL:
        return taps(y, iy, w->kh, w->sh, w->dh, w->top) && taps(x, ix, w->kw, w->sw, w->dw, w->left);
    case PP_OP_SUBSAMPLE:
        return iy == y * w->sh && ix == x * w->sw;
    case PP_OP_SLICE:
        return iy == y + op->offset.h && ix == x + op->offset.w;
    case PP_OP_UPSAMPLE:
    case PP_OP_PIXEL_SHUFFLE:
        return y >= iy * w->sh && y < (iy + 1) * w->sh && x >= ix * w->sw && x < (ix + 1) * w->sw;
    case PP_OP_MUL:
        return (k == 1 && one_pixel) || (y == iy && x == ix);
    case PP_OP_PRODUCT:
        return k == 0 ? y == iy && x == ix : op->whole || y == iy;
    case PP_OP_ARRANGE: {
        const pp_source *from = &op->from[(size_t)y * op->out.w + x];
        return from->input == k && from->pixel == iy * map.w + ix;
    }
    case PP_OP_LINEAR:
    case PP_OP_FLATTEN:
    case PP_OP_GLOBAL_POOL:
    case PP_OP_GROUP_NORM:
        return true;
    default:
        return y == iy && x == ix;
    }
}

static void check_tables(const random_net *r, const pp_stages *stages, uint32_t i, uint32_t k, pp_patch fire,
                         pp_patch in)
{
    const pp_stage *s = &stages->stage[i];
    const pp_op *op = &r->net->ops[s->first_op];
    pp_shape map = pp_stream_shape(r->net, stages, s->inputs[k].stream);
    uint32_t n, n_in;
    uint32_t *fires = patch_numbers(s->fire, fire, &n), *arrives = patch_numbers(map, in, &n_in);
    assert_int_equal(pp_positions(s->fire, fire), n);
    assert_int_equal(pp_positions(map, in), n_in);
    uint32_t *last = malloc(n * sizeof *last), *first = malloc(n * sizeof *first);
    uint32_t *most = calloc(n, sizeof *most), *least = malloc(n * sizeof *least);
    for (uint32_t p = 0; p < n; p++)
        least[p] = PP_NONE;
    for (uint32_t o = 0; o < s->fire.h * s->fire.w; o++)
        for (uint32_t e = 0; e < map.h * map.w; e++) {
            if (!needs(op, k, s->inputs[k].role, o / s->fire.w, o % s->fire.w, e / map.w, e % map.w,
                       map))
                continue;
            uint32_t p = fires[o], q = arrives[e];
            most[p] = q > most[p] ? q : most[p];
            least[p] = q < least[p] ? q : least[p];
        }
    for (uint32_t p = 1; p < n; p++)
        most[p] = most[p] > most[p - 1] ? most[p] : most[p - 1];
    for (uint32_t p = n; p-- > 0;) {
        uint32_t after = p + 1 < n ? least[p + 1] : most[n - 1];
        least[p] = least[p] < after ? least[p] : after;
    }
    pp_stage_tables(r->net, stages, i, k, fire, in, last, first);
    for (uint32_t p = 0; p < n; p++) {
        assert_int_equal(last[p], most[p]);
        assert_int_equal(first[p], least[p]);
        assert_int_equal(pp_stage_work(stages, i, p), 1);
    }
    free(fires);
    free(arrives);
    free(last);
    free(first);
    free(most);
    free(least);
}

static void check_emission(const random_net *r, const pp_stages *stages, uint32_t i, pp_patch fire)
{
    const pp_stage *s = &stages->stage[i];
    uint32_t n, pixels = 0;
    uint32_t *fires = patch_numbers(s->fire, fire, &n);
    uint32_t *emitted = malloc(n * sizeof *emitted);
    pp_stage_emission(r->net, stages, i, fire, emitted);
    for (uint32_t p = 0; p < n; p++) {
        uint32_t want = p + 1;
        if (s->pool != PP_NONE) { /* leading pixels whose whole window is in patches 0 .. p */
            bool complete = true;
            for (want = 0; want < s->out.h * s->out.w; want++) {
                for (uint32_t e = 0; e < s->fire.h * s->fire.w && complete; e++)
                    complete = fires[e] <= p || !needs(&r->net->ops[s->pool], 0, PP_ROLE_DATA, want / s->out.w,
                                                       want % s->out.w, e / s->fire.w, e % s->fire.w, s->fire);
                if (!complete)
                    break;
            }
        }
        assert_int_equal(emitted[p], want);
        pixels += pp_patch_pixels(s->fire, fire, p);
    }
    assert_int_equal(pixels, s->fire.h * s->fire.w);
    pp_patch leaves = pp_stage_out_patch(stages, i, fire);
    assert_int_equal(emitted[n - 1], pp_positions(s->out, leaves));
    free(fires);
    free(emitted);
}

static void tables_of_random_networks(void **state)
{
    (void)state;
    uint32_t tables = 0, pooled = 0;
    for (uint64_t seed = 1000; seed < 1400; seed++) {
        random_net r;
        pp_stages *stages;
        pp_rng rng = pp_rng_make(seed, 5);
        random_net_make(&r, seed);
        assert_ok(pp_stages_build(&stages, r.net));
        for (uint32_t i = 0; i < stages->n; i++) {
            pp_patch fire = {1 + pp_rng_below(&rng, 4), 1 + pp_rng_below(&rng, 4)};
            for (uint32_t k = 0; k < stages->stage[i].n_inputs; k++) {
                pp_patch in = {1 + pp_rng_below(&rng, 4), 1 + pp_rng_below(&rng, 4)};
                check_tables(&r, stages, i, k, fire, in);
                check_tables(&r, stages, i, k, (pp_patch){1, 1}, (pp_patch){1, 1});
                tables += 2;
            }
            check_emission(&r, stages, i, fire);
            check_emission(&r, stages, i, (pp_patch){1, 1});
            pooled += stages->stage[i].pool != PP_NONE;
        }
        pp_stages_free(stages);
        random_net_free(&r);
    }
    assert_true(tables > 2000); /* the networks are not all trivial */
    assert_true(pooled > 50);
}

/* A 3x3 convolution on a 32x32 map by hand: firing (y, x) waits for pixel (y + 1, x + 1), clipped. */
static void a_convolution_by_hand(void **state)
{
    (void)state;
    static const uint32_t widths[3] = {16, 28, 56};
    pp_network *net;
    pp_stages *stages;
    uint32_t last[1024], first[1024];
    assert_ok(pp_resnet_cifar(&net, "r", 8, widths, true, false));
    assert_ok(pp_stages_build(&stages, net));
    pp_stage_tables(net, stages, 0, 0, (pp_patch){1, 1}, (pp_patch){1, 1}, last, first);
    assert_int_equal(last[0], 33);
    assert_int_equal(last[31], 63);
    assert_int_equal(last[32], 65);
    assert_int_equal(last[1023], 1023);
    assert_int_equal(first[0], 0);
    assert_int_equal(first[32], 0);
    assert_int_equal(first[64], 32);
    assert_int_equal(first[1023], 990);
    /* patches of 1x4 on both sides: firing 0 waits for pixel (1, 4), the second patch of row 1 */
    pp_stage_tables(net, stages, 0, 0, (pp_patch){1, 4}, (pp_patch){1, 4}, last, first);
    assert_int_equal(last[0], 9);
    assert_int_equal(last[255], 255);
    pp_stages_free(stages);
    pp_network_free(net);
}

static void operators_read_rectangles(void **state)
{
    (void)state;
    pp_builder *b = NULL;
    pp_network *net = NULL;
    pp_window w = {.kh = 2, .kw = 2, .sh = 1, .sw = 1, .dh = 3, .dw = 3, .top = 1, .left = 2, .bottom = 0, .right = 2};
    pp_rect r;
    assert_ok(pp_builder_new(&b, "n", (pp_shape){5, 5, 1}));
    assert_ok(pp_build_conv(b, "a", 0, 1, &w, 1, false, false, NULL, NULL, NULL));
    assert_ok(pp_builder_finish(&net, b));
    /* rows -1 and 2: only 2 is in the map; columns -2 and 1: only 1 */
    assert_true(pp_op_reads(net, 1, 0, (pp_rect){0, 0, 0, 0}, &r));
    assert_true(r.y0 == 2 && r.y1 == 2 && r.x0 == 1 && r.x1 == 1);
    assert_true(pp_op_reads(net, 1, 0, (pp_rect){1, 2, 2, 3}, &r));
    assert_true(r.y0 == 0 && r.y1 == 4 && r.x0 == 0 && r.x1 == 4);
    assert_false(pp_op_reads(net, 1, 1, (pp_rect){0, 0, 0, 0}, &r));
    assert_false(pp_op_reads(net, 0, 0, (pp_rect){0, 0, 0, 0}, &r));
    pp_network_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_of_random_networks),
        cmocka_unit_test(a_convolution_by_hand),
        cmocka_unit_test(operators_read_rectangles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

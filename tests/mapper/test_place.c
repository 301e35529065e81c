/* Where tiles go: ResNet-32 on the fabrics that the literature argues about. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/mapper/fabrics.h"
#include "tests/mapper/synthetic.h"

/* Bits of the heaviest map, one header a pixel included: no layout can load a channel with less. */
#define FULL_MAP (UINT64_C(1024) * (16 * 8 + 24))

typedef struct pp_case {
    const char *kind;
    int64_t rows, cols;
    const char *placement, *routing;
    bool split;
} pp_case;

static pp_status place(pp_synthetic *s, const pp_fabric *fabric, const char *placement, int64_t effort, uint64_t seed,
                       pp_pool *pool)
{
    const pp_map_options options = {.placement = placement, .effort = effort};
    return pp_map_place(&s->m, fabric, &options, seed, pool);
}

static pp_synthetic *placed(const pp_case *c, int64_t effort, uint64_t seed, pp_pool *pool)
{
    pp_synthetic *s = malloc(sizeof *s);
    pp_fabric *fabric = test_fabric(c->kind, c->rows, c->cols, "per_link", c->routing);
    assert_non_null(s);
    synthetic_resnet32(s, c->split);
    assert_int_equal(place(s, fabric, c->placement, effort, seed, pool), PP_OK);
    pp_fabric_free(fabric);
    return s;
}

static void discard(pp_synthetic *s)
{
    synthetic_free(s);
    free(s);
}

static uint64_t max_bits(const pp_mapping *m)
{
    uint64_t max = 0;
    for (uint32_t c = 0; c < m->n_channels; c++)
        max = m->channel_bits[c] > max ? m->channel_bits[c] : max;
    return max;
}

static uint32_t flows_of_hops(const pp_mapping *m, uint32_t hops)
{
    uint32_t n = 0;
    for (uint32_t f = 0; f < m->n_flows; f++)
        n += m->flow[f].hops == hops;
    return n;
}

static void assert_own_cores(const pp_mapping *m, uint32_t cores)
{
    for (uint32_t t = 0; t < m->n_tiles; t++) {
        assert_true(m->tile[t].core < cores);
        for (uint32_t u = 0; u < t; u++)
            assert_int_not_equal(m->tile[t].core, m->tile[u].core);
    }
}

static void test_one_row_of_5pp_embeds(void **state)
{
    (void)state;
    pp_synthetic *s = placed(&(pp_case){"5pp", 1, 34, "auto", "auto", false}, 200, 1, NULL);
    assert_int_equal(s->m.n_tiles, 34);
    assert_int_equal(s->m.n_flows, 48);
    assert_int_equal(s->m.certificate, PP_CERT_EMBEDDING);
    assert_int_equal(s->m.single_channel_flows, 48);
    assert_int_equal(s->m.max_hops, 1);
    assert_int_equal(s->m.cores_used, 34);
    assert_string_equal(s->m.placement, "linear");
    for (uint32_t t = 0; t < 34; t++)
        assert_int_equal(s->m.tile[t].core, t);
    discard(s);
}

/* Constructive alone: the folded row, whose shortcuts at the folds take two channels. */
static void test_folded_5pp_is_disjoint(void **state)
{
    static const pp_case c[] = {{"5pp", 5, 8, "snake", "auto", false}, {"5pp", 6, 6, "snake", "auto", false}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        pp_synthetic *s = placed(&c[i], 0, 1, NULL);
        assert_int_equal(s->m.certificate, PP_CERT_DISJOINT);
        assert_int_equal(max_bits(&s->m), FULL_MAP);
        assert_int_equal(s->m.single_channel_flows, i == 0 ? 44 : 42);
        assert_int_equal(s->m.single_channel_flows + flows_of_hops(&s->m, 2), 48);
        assert_string_equal(s->m.placement, "snake");
        discard(s);
    }
}

/* The search must not lose what the fold has: 44 and 42 flows on one channel, 52 and 55 hops in all. */
static void test_search_on_folded_5pp(void **state)
{
    static const pp_case c[] = {{"5pp", 5, 8, "auto", "auto", false}, {"5pp", 6, 6, "auto", "auto", false}};
    (void)state;
    for (size_t i = 0; i < 2; i++)
        for (uint64_t seed = 1; seed <= 2; seed++) {
            pp_synthetic *s = placed(&c[i], 200, seed, NULL);
            assert_true(s->m.certificate <= PP_CERT_DISJOINT);
            assert_true(s->m.single_channel_flows >= (i == 0 ? 44u : 42u));
            assert_true(s->m.n_hops <= (i == 0 ? 52u : 55u));
            assert_own_cores(&s->m, 40);
            discard(s);
        }
}

/* Row-split layers on a square chip: no embedding exists, channel-disjoint routes do. */
static void test_row_split_on_8x8(void **state)
{
    static const pp_case c = {"5pp", 8, 8, "auto", "auto", true};
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        pp_synthetic *s = placed(&c, 200, seed, NULL);
        assert_int_equal(s->m.n_tiles, 43);
        assert_int_equal(s->m.certificate, PP_CERT_DISJOINT);
        assert_true(s->m.single_channel_flows >= 50 && s->m.max_hops <= 5);
        assert_own_cores(&s->m, 64);
        discard(s);
    }
}

/* The published penalty: shortcut data over the channel between a and b. */
static void test_snake_with_xy_on_mesh(void **state)
{
    (void)state;
    pp_synthetic *s = placed(&(pp_case){"mesh", 6, 6, "snake", "xy", false}, 200, 1, NULL);
    uint32_t most = 0;
    for (uint32_t c = 0; c < s->m.n_channels; c++)
        most = s->m.channel_flows[c] > most ? s->m.channel_flows[c] : most;
    assert_int_equal(s->m.certificate, PP_CERT_ROUTED);
    assert_int_equal(most, 2);
    assert_int_equal(max_bits(&s->m), 2 * FULL_MAP);
    assert_string_equal(s->m.placement, "snake");
    discard(s);
}

static void test_zigzag_on_mesh_is_disjoint(void **state)
{
    static const pp_case zigzag = {"mesh", 4, 17, "zigzag", "auto", false};
    static const pp_case automatic = {"mesh", 4, 17, "auto", "auto", false};
    (void)state;
    pp_synthetic *s = placed(&zigzag, 0, 1, NULL);
    assert_int_equal(s->m.certificate, PP_CERT_DISJOINT);
    discard(s);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        s = placed(&automatic, 200, seed, NULL);
        assert_int_equal(s->m.certificate, PP_CERT_DISJOINT);
        assert_int_equal(max_bits(&s->m), FULL_MAP);
        assert_true(s->m.max_hops <= 3);
        discard(s);
    }
}

/* With YX as the only way, the places must do it: two hops a shortcut, over channels nobody else uses. */
static void test_search_with_fixed_routes(void **state)
{
    (void)state;
    pp_synthetic *s = placed(&(pp_case){"mesh", 4, 17, "search", "yx", false}, 200, 1, NULL);
    assert_int_equal(s->m.certificate, PP_CERT_DISJOINT);
    assert_string_equal(s->m.placement, "zigzag + search");
    discard(s);
}

/* A second placement replaces the first and leaks nothing. */
static void test_placing_again(void **state)
{
    pp_synthetic s;
    pp_fabric *fabric = test_fabric("5pp", 6, 6, "per_link", "auto");
    (void)state;
    synthetic_resnet32(&s, false);
    assert_int_equal(place(&s, fabric, "linear", 0, 1, NULL), PP_OK);
    assert_string_equal(s.m.placement, "linear");
    assert_int_equal(place(&s, fabric, "snake", 0, 1, NULL), PP_OK);
    assert_string_equal(s.m.placement, "snake");
    synthetic_free(&s);
    pp_fabric_free(fabric);
}

static void assert_refused(const char *kind, int64_t rows, int64_t cols, const char *placement, pp_status status,
                           const char *word)
{
    pp_synthetic s;
    pp_fabric *fabric = test_fabric(kind, rows, cols, "per_link", "auto");
    synthetic_resnet32(&s, false);
    assert_int_equal(place(&s, fabric, placement, 10, 1, NULL), status);
    assert_non_null(strstr(pp_error_text(), word));
    assert_null(strchr(pp_error_text(), '\n'));
    synthetic_free(&s);
    pp_fabric_free(fabric);
}

static void test_refusals(void **state)
{
    (void)state;
    assert_refused("5pp", 4, 8, "auto", PP_EINFEASIBLE, "34 tiles");
    assert_refused("mesh", 3, 3, "snake", PP_EINFEASIBLE, "it has 9");
    assert_refused("mesh", 6, 6, "spiral", PP_EINVAL, "spiral");
}

/* Every allocation fails once; nothing leaks (sanitizers look) and the status says so. */
static void test_out_of_memory(void **state)
{
    pp_synthetic s;
    pp_fabric *fabric = test_fabric("5pp", 6, 6, "2", "auto");
    long n = 0;
    (void)state;
    synthetic_resnet32(&s, false);
    for (;; n++) {
        pp_alloc_fail_after(n);
        pp_status status = place(&s, fabric, "auto", 2, 1, NULL);
        pp_alloc_fail_after(-1);
        if (status == PP_OK)
            break;
        assert_int_equal(status, PP_ENOMEM);
    }
    assert_true(n > 50);
    synthetic_free(&s);
    pp_fabric_free(fabric);
}

int main(void)
{
    const struct CMUnitTest mapper_place[] = {
        cmocka_unit_test(test_one_row_of_5pp_embeds),
        cmocka_unit_test(test_folded_5pp_is_disjoint),
        cmocka_unit_test(test_search_on_folded_5pp),
        cmocka_unit_test(test_row_split_on_8x8),
        cmocka_unit_test(test_snake_with_xy_on_mesh),
        cmocka_unit_test(test_zigzag_on_mesh_is_disjoint),
        cmocka_unit_test(test_search_with_fixed_routes),
        cmocka_unit_test(test_placing_again),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(mapper_place, NULL, NULL);
}

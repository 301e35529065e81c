/* Placement gives the same layout for any number of threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/mapper/fabrics.h"
#include "tests/mapper/synthetic.h"

static pp_synthetic *placed(int64_t effort, uint64_t seed, pp_pool *pool)
{
    const pp_map_options options = {.placement = "auto", .effort = effort};
    pp_synthetic *s = malloc(sizeof *s);
    pp_fabric *fabric = test_fabric("mesh", 8, 8, "per_link", "auto");
    assert_non_null(s);
    synthetic_resnet32(s, true);
    assert_int_equal(pp_map_place(&s->m, fabric, &options, seed, pool), PP_OK);
    pp_fabric_free(fabric);
    return s;
}

static void discard(pp_synthetic *s)
{
    synthetic_free(s);
    free(s);
}

static bool same_layout(const pp_mapping *a, const pp_mapping *b)
{
    bool same = a->n_hops == b->n_hops && memcmp(a->hop, b->hop, a->n_hops * sizeof *a->hop) == 0;
    for (uint32_t t = 0; t < a->n_tiles; t++)
        same = same && a->tile[t].core == b->tile[t].core;
    return same;
}

static void test_threads_change_nothing(void **state)
{
    pp_pool *pool = NULL;
    (void)state;
    assert_int_equal(pp_pool_new(&pool, 3), PP_OK);
    pp_synthetic *a = placed(60, 7, NULL), *b = placed(60, 7, pool), *other = placed(60, 8, pool);
    assert_true(same_layout(&a->m, &b->m));
    assert_false(same_layout(&a->m, &other->m));
    discard(a);
    discard(b);
    discard(other);
    pp_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads_change_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

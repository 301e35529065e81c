/* Deadlocks: found, named, and gone with the buffer that the text asks for. */
#include "sim_fixture.h"

static void residual_block(mapped *x, int64_t rows)
{
    fixture_residual(&x->f, (pp_shape){8, 8, 3});
    x->arch = fixture_arch(512);
    x->arch.rows = rows;
    pp_map_options options = fixture_options("none", "1");
    sim_map(x, sim_fabric("5pp", 4, 4, 1), &options);
}

static pp_status run_with(const mapped *x)
{
    pp_sim_options o = sim_options(3, PP_SWITCH_VCT);
    pp_run_result *r;
    pp_status status = pp_simulate(&r, &x->f.q, &x->arch, x->fabric, x->m, &o, NULL, NULL, NULL);
    pp_run_result_free(r);
    return status;
}

static pp_flow *find_flow(const mapped *x, uint8_t kind)
{
    for (uint32_t f = 0; f < x->m->n_flows; f++)
        if (x->m->flow[f].kind == kind)
            return &x->m->flow[f];
    fail();
    return NULL;
}

/* The main path u -> a -> b takes two windows before b can fire; the skip buffer holds four positions. */
static void skip_buffer(void **state)
{
    (void)state;
    mapped x;
    char cure[128];
    residual_block(&x, 512);
    for (uint32_t f = 0; f < x.m->n_flows; f++)
        x.m->flow[f].buffer = 0;
    pp_flow *skip = find_flow(&x, PP_FLOW_RESIDUAL);
    skip->buffer = 4;
    assert_int_equal(run_with(&x), PP_EDEADLOCK);
    assert_non_null(strstr(pp_error_text(), "'u' waits for room in the buffer of flow 'u' -> 'b' (4 positions)"));
    assert_non_null(strstr(pp_error_text(), "'b' waits for data from 'a'"));
    assert_non_null(strstr(pp_error_text(), "'a' waits for data from 'u'"));
    snprintf(cure, sizeof cure, "a buffer of %u positions for flow 'u' -> 'b' frees them", skip->buffer_min);
    assert_non_null(strstr(pp_error_text(), cure));
    skip->buffer = skip->buffer_min;
    must(run_with(&x));
    skip->buffer--;
    assert_int_equal(run_with(&x), PP_EDEADLOCK);
    sim_unmap(&x);
}

/* A window of 3 x 3 on rows of 8 needs 2 x 8 + 3 positions. */
static void window(void **state)
{
    (void)state;
    mapped x;
    residual_block(&x, 512);
    for (uint32_t f = 0; f < x.m->n_flows; f++)
        x.m->flow[f].buffer = 0;
    pp_flow *main_path = &x.m->flow[0];
    assert_int_equal(main_path->buffer_min, 19);
    main_path->buffer = 18;
    assert_int_equal(run_with(&x), PP_EDEADLOCK);
    assert_non_null(strstr(pp_error_text(), "(18 positions)"));
    assert_non_null(strstr(pp_error_text(), "a buffer of 19 positions"));
    main_path->buffer = 19;
    must(run_with(&x));
    sim_unmap(&x);
}

/* The smallest buffers that the mapper allows never deadlock, whatever is split. */
static void smallest(void **state)
{
    (void)state;
    static const struct {
        bool inception;
        int64_t rows, cols;
        const char *unroll, *copies;
    } row[] = {{false, 512, 512, "none", "1"}, {false, 20, 4, "none", "2"},     {false, 30, 64, "8:1x2", "3"},
               {true, 512, 512, "none", "1"},  {true, 24, 12, "8:2x2", "1"},    {true, 512, 512, "none", "2"},
               {true, 30, 64, "8:3x3", "2"},   {false, 512, 512, "8:1x4", "1"}, {true, 20, 64, "none", "3"}};
    uint32_t ran = 0;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        mapped x;
        (row[i].inception ? fixture_inception : fixture_residual)(&x.f, (pp_shape){8, 8, 3});
        x.arch = fixture_arch(512);
        x.arch.rows = row[i].rows;
        x.arch.cols = row[i].cols;
        pp_map_options options = fixture_options(row[i].unroll, row[i].copies);
        pp_fabric_options fabric = sim_fabric("mesh", 12, 12, 1);
        options.effort = 2;
        if (pp_map(&x.m, &x.fabric, &x.f.q, &x.arch, &fabric, &options, 1, NULL) != PP_OK) {
            fixture_free(&x.f);
            continue;
        }
        for (uint32_t f = 0; f < x.m->n_flows; f++)
            x.m->flow[f].buffer = x.m->flow[f].buffer_min;
        must(run_with(&x));
        ran++;
        sim_unmap(&x);
    }
    assert_true(ran >= 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(skip_buffer),
        cmocka_unit_test(window),
        cmocka_unit_test(smallest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

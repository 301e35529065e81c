/* Patches and copies: what the user may write, and what the mapper finds by itself. */
#include "fixture.h"

static pp_status try_plan(pp_mapping **m, const fixture *f, int64_t size, uint32_t lanes, const char *unroll,
                          const char *copies, int64_t budget)
{
    pp_arch arch = fixture_arch(size);
    pp_channel channel = fixture_channel(lanes);
    pp_map_options options = fixture_options(unroll, copies);
    options.core_budget = budget;
    return pp_map_plan(m, &f->q, &arch, &channel, 0, &options);
}

static uint64_t latency(const fixture *f, const pp_mapping *m, int64_t size, uint32_t lanes, uint64_t *interval)
{
    pp_arch arch = fixture_arch(size);
    pp_channel channel = fixture_channel(lanes);
    pp_recurrence_result r;
    must(pp_recurrence(&r, m, &f->q, &arch, NULL, &channel, 4, 0));
    free(r.buffer);
    *interval = r.interval_ps;
    return r.latency_ps;
}

static pp_patch patch_at(const fixture *f, const pp_mapping *m, uint32_t height)
{
    for (uint32_t s = 0; s < m->n_stages; s++)
        if (f->stages->stage[s].fire.h == height)
            return m->plan[s].patch;
    return (pp_patch){0, 0};
}

static void assert_patch(pp_patch p, uint32_t y, uint32_t x)
{
    assert_int_equal(p.y, y);
    assert_int_equal(p.x, x);
}

static void messages(void **state)
{
    (void)state;
    static const struct {
        const char *unroll, *copies, *text;
    } cases[] = {
        {"32", "1", "mapping.unroll: expected auto, none, or patches"},
        {"32:4", "1", "mapping.unroll: expected auto, none, or patches"},
        {"32:1x", "1", "mapping.unroll: expected auto, none, or patches"},
        {"32:0x1", "1", "mapping.unroll: expected auto, none, or patches"},
        {"32:1x4,", "1", "mapping.unroll: expected auto, none, or patches"},
        {"32:1x4;16:1x1", "1", "mapping.unroll: expected auto, none, or patches"},
        {"32:1x99999999999", "1", "mapping.unroll: expected auto, none, or patches"},
        {"", "1", "mapping.unroll: expected auto, none, or patches"},
        {"32:1x4,32:1x2", "1", "mapping.unroll: expected each height once, found 32 twice"},
        {"33:1x4", "1", "mapping.unroll: expected heights of output maps of resnet32 (32, 16, 8, 1), found 33"},
        {"none", "0", "mapping.copies: expected auto, a number"},
        {"none", "two", "mapping.copies: expected auto, a number"},
        {"none", "32:", "mapping.copies: expected auto, a number"},
        {"none", "7:2", "mapping.copies: expected heights of output maps"},
    };
    fixture f;
    fixture_resnet32(&f);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pp_mapping *m;
        assert_int_equal(try_plan(&m, &f, 512, 1, cases[i].unroll, cases[i].copies, 0), PP_EINVAL);
        assert_null(m);
        if (!strstr(pp_error_text(), cases[i].text))
            fail_msg("'%s' is not in '%s'", cases[i].text, pp_error_text());
    }
    fixture_free(&f);
}

static void by_hand(void **state)
{
    (void)state;
    fixture f;
    pp_mapping *m;
    fixture_resnet32(&f);
    must(try_plan(&m, &f, 512, 1, " 32 : 1x4 , 16:2x1", "16:3", 0));
    assert_patch(patch_at(&f, m, 32), 1, 4);
    assert_patch(patch_at(&f, m, 16), 2, 1);
    assert_patch(patch_at(&f, m, 8), 1, 1); /* a height that is not named */
    assert_int_equal(m->copies_max, 3);
    assert_int_equal(m->unroll_max, 4);
    assert_int_equal(m->n_tiles, 34 + 2 * 11);
    pp_mapping_free(m);
    fixture_free(&f);
}

/* The rows of the published table that are best at one and at four lanes, on the 34 cores of 1x1. */
static void finds_the_best(void **state)
{
    (void)state;
    fixture f;
    pp_mapping *m;
    uint64_t interval;
    fixture_resnet32(&f);
    must(try_plan(&m, &f, 512, 1, "auto", "auto", 0));
    assert_int_equal(m->n_tiles, 34);
    assert_true(latency(&f, m, 512, 1, &interval) <= 57830000);
    assert_int_equal(interval, 26214400);
    assert_patch(patch_at(&f, m, 32), 1, 4);
    assert_patch(patch_at(&f, m, 16), 1, 2);
    assert_patch(patch_at(&f, m, 8), 1, 1);
    pp_mapping_free(m);
    must(try_plan(&m, &f, 512, 4, "auto", "auto", 0));
    assert_int_equal(m->n_tiles, 34);
    assert_true(latency(&f, m, 512, 4, &interval) <= 35190000);
    assert_int_equal(interval, 12800000);
    assert_patch(patch_at(&f, m, 32), 1, 8);
    assert_patch(patch_at(&f, m, 16), 1, 4);
    assert_patch(patch_at(&f, m, 8), 1, 1);
    assert_int_equal(m->copies_max, 1);
    pp_mapping_free(m);
    fixture_free(&f);
}

/* Best of all patches that divide the maps, each tried by itself: interval first, then latency. */
static void brute_force(void **state)
{
    (void)state;
    fixture f;
    pp_mapping *m;
    uint64_t best_interval = UINT64_MAX, best_latency = UINT64_MAX, interval;
    fixture_resnet32(&f);
    for (uint32_t code = 0; code < 6 * 6 * 5 * 5; code++) {
        char text[64];
        uint32_t a = code % 6, b = code / 6 % 6, c = code / 36 % 5, d = code / 180;
        snprintf(text, sizeof text, "32:%ux%u,16:%ux%u", 1u << a, 1u << b, 1u << c, 1u << d);
        if (try_plan(&m, &f, 256, 4, text, "1", 0) != PP_OK)
            continue;
        if (m->n_tiles <= 43) {
            uint64_t ps = latency(&f, m, 256, 4, &interval);
            if (interval < best_interval || (interval == best_interval && ps < best_latency)) {
                best_interval = interval;
                best_latency = ps;
            }
        }
        pp_mapping_free(m);
    }
    must(try_plan(&m, &f, 256, 4, "auto", "1", 0));
    assert_int_equal(m->n_tiles, 43);
    assert_int_equal(latency(&f, m, 256, 4, &interval), best_latency);
    assert_int_equal(interval, best_interval);
    pp_mapping_free(m);
    fixture_free(&f);
}

/* A larger budget: never slower, within the budget, and the copies go where the interval needs them. */
static void more_cores(void **state)
{
    (void)state;
    fixture f;
    uint64_t before = UINT64_MAX;
    fixture_resnet32(&f);
    for (int64_t budget = 34; budget <= 150; budget += 29) {
        pp_mapping *m;
        uint64_t interval;
        must(try_plan(&m, &f, 512, 8, "auto", "auto", budget));
        assert_true(m->n_tiles <= budget);
        (void)latency(&f, m, 512, 8, &interval);
        assert_true(interval <= before);
        before = interval;
        pp_mapping_free(m);
    }
    assert_true(before < 12800000);
    fixture_free(&f);
}

/* Patches by hand and copies by the mapper: at 1x1 the 32-row layers need four copies to keep up with the
 * others, and take them when there are cores. */
static void copies_alone(void **state)
{
    (void)state;
    fixture f;
    pp_mapping *m;
    fixture_resnet32(&f);
    must(try_plan(&m, &f, 512, 4, "none", "auto", 0));
    assert_int_equal(m->copies_max, 1);
    pp_mapping_free(m);
    must(try_plan(&m, &f, 512, 4, "none", "auto", 34 + 3 * 11));
    assert_int_equal(m->n_tiles, 34 + 3 * 11);
    for (uint32_t s = 0; s < m->n_stages; s++)
        assert_int_equal(m->plan[s].copies, f.stages->stage[s].fire.h == 32 ? 4 : 1);
    pp_mapping_free(m);
    assert_int_equal(try_plan(&m, &f, 512, 4, "none", "2", 40), PP_EINFEASIBLE);
    assert_non_null(strstr(pp_error_text(), "mapping.core_budget: expected at least"));
    assert_int_equal(try_plan(&m, &f, 512, 4, "auto", "auto", 33), PP_EINFEASIBLE);
    assert_non_null(strstr(pp_error_text(), "mapping.core_budget: expected at least 34"));
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages),    cmocka_unit_test(by_hand),    cmocka_unit_test(finds_the_best),
        cmocka_unit_test(brute_force), cmocka_unit_test(more_cores), cmocka_unit_test(copies_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

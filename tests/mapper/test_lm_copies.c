/* Copies of the slowest matrix under a budget of cores, against a search through all choices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "mapper/lm_internal.h"

#include <math.h>
#include <string.h>

enum { MATRICES = 4, MOST = 9 };

static double slowest(const pp_lm_copy *c, uint32_t n)
{
    double most = 0.0;
    for (uint32_t i = 0; i < n; i++)
        most = fmax(most, pp_lm_copy_ps(&c[i]));
    return most;
}

static uint64_t cores(const pp_lm_copy *c, uint32_t n)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += c[i].cores * c[i].copies;
    return sum;
}

/* Copies of one that is no attention; units of attention are 1, 2, 4, 8. */
static uint32_t nth(const pp_lm_copy *c, uint32_t n)
{
    return c->merge_ps > 0.0 ? 1u << (n < 4 ? n : 3) : 1 + n;
}

/* Least time of the slowest within the budget, and the fewest cores for it: every choice of 1 .. MOST copies. */
static void search(const pp_lm_copy *c, uint32_t n, uint64_t budget, double *time, uint64_t *least)
{
    pp_lm_copy x[MATRICES];
    uint32_t choices = 1;
    memcpy(x, c, n * sizeof *x);
    for (uint32_t i = 0; i < n; i++)
        choices *= MOST;
    *time = INFINITY;
    for (uint32_t choice = 0; choice < choices; choice++) {
        for (uint32_t i = 0, rest = choice; i < n; i++, rest /= MOST)
            x[i].copies = nth(&x[i], rest % MOST);
        const double t = slowest(x, n);
        const uint64_t k = cores(x, n);
        if (k > budget || t > *time * (1.0 + 1e-12) || (t > *time * (1.0 - 1e-12) && k >= *least))
            continue;
        *time = t;
        *least = k;
    }
}

static void greedy_is_the_best_choice(void **state)
{
    (void)state;
    pp_rng r = pp_rng_make(7, 1);
    uint32_t odd = 0, compared = 0;
    for (int round = 0; round < 200; round++) {
        pp_lm_copy c[MATRICES];
        const uint32_t n = 1 + pp_rng_below(&r, round < 150 ? 3 : MATRICES);
        for (uint32_t i = 0; i < n; i++)
            c[i] = (pp_lm_copy){.op = i, .copies = 1, .token_ps = 100.0 * (1 + pp_rng_below(&r, 4)), .cores = 1 + pp_rng_below(&r, 9)};
        const uint64_t one = cores(c, n), budget = one + pp_rng_below(&r, 2 * (uint32_t)one);
        uint64_t used = one, least = 0;
        double time;
        bool beyond = false;
        search(c, n, budget, &time, &least);
        while (pp_lm_copy_slowest(c, n, &used, budget)) {
        }
        for (uint32_t i = 0; i < n; i++)
            beyond = beyond || c[i].copies > MOST;
        if (beyond) /* more than the search looks at */
            continue;
        compared++;
        assert_int_equal(used, cores(c, n));
        assert_true(used <= budget);
        if (fabs(slowest(c, n) - time) > 1e-9 * time || used != least)
            fail_msg("round %d: %g ps with %llu cores, the best choice %g ps with %llu", round, slowest(c, n),
                     (unsigned long long)used, time, (unsigned long long)least);
        for (uint32_t i = 0; i < n; i++)
            odd += c[i].copies == 3 || c[i].copies > 4;
    }
    assert_true(compared > 150);
    assert_true(odd > 30); /* not powers of two alone */
}

static bool is_stuck(const pp_lm_copy *c)
{
    pp_lm_copy more = *c;
    more.copies *= 2;
    return pp_lm_copy_ps(&more) >= pp_lm_copy_ps(c);
}

/* Attention among matrices: the best choice of all, until merging keeps attention from getting quicker; then it is as quick as
 * it gets, and the rest is the best choice of what its units leave. */
static void attention_doubles_until_merging_takes_as_long(void **state)
{
    (void)state;
    pp_rng r = pp_rng_make(8, 1);
    uint32_t stuck = 0, free_to_go = 0;
    for (int round = 0; round < 300; round++) {
        pp_lm_copy c[3] = {{.copies = 1, .token_ps = 100.0 * (2 + pp_rng_below(&r, 20)), .merge_ps = 5.0 * (1 + pp_rng_below(&r, 30)),
                            .cores = 1 + pp_rng_below(&r, 3)}};
        for (uint32_t i = 1; i < 3; i++)
            c[i] = (pp_lm_copy){.copies = 1, .token_ps = 100.0 * (1 + pp_rng_below(&r, 4)), .cores = 1 + pp_rng_below(&r, 9)};
        const uint64_t budget = cores(c, 3) + pp_rng_below(&r, 30);
        uint64_t used = cores(c, 3), least = 0;
        double time;
        while (pp_lm_copy_slowest(c, 3, &used, budget)) {
        }
        assert_int_equal(used, cores(c, 3));
        assert_true(used <= budget);
        if (c[0].copies > 8 || c[1].copies > MOST || c[2].copies > MOST)
            continue;
        if (is_stuck(&c[0])) {
            search(c + 1, 2, budget - c[0].cores * c[0].copies, &time, &least);
            assert_true(slowest(c + 1, 2) <= time * (1 + 1e-9));
            stuck++;
        } else {
            search(c, 3, budget, &time, &least);
            if (slowest(c, 3) > time * (1 + 1e-9) || used != least)
                fail_msg("round %d: %g ps with %llu cores, the best choice %g ps with %llu", round, slowest(c, 3),
                         (unsigned long long)used, time, (unsigned long long)least);
            free_to_go++;
        }
    }
    assert_true(stuck > 50 && free_to_go > 50);
}

static void budget_and_most_copies_end_it(void **state)
{
    (void)state;
    pp_lm_copy c[2] = {{.copies = 1, .token_ps = 300.0, .cores = 2}, {.copies = 1, .token_ps = 100.0, .cores = 10}};
    uint64_t used = 12;
    assert_false(pp_lm_copy_slowest(c, 2, &used, 13));
    assert_int_equal(c[0].copies, 1);
    assert_true(pp_lm_copy_slowest(c, 2, &used, 16));
    assert_true(pp_lm_copy_slowest(c, 2, &used, 16)); /* 100 each now: the next step takes 12 cores */
    assert_false(pp_lm_copy_slowest(c, 2, &used, 27));
    assert_true(pp_lm_copy_slowest(c, 2, &used, 28));
    assert_int_equal(c[0].copies, 4);
    assert_int_equal(c[1].copies, 2);
    c[0].copies = PP_LM_COPIES_MAX;
    c[0].token_ps = 1e6;
    assert_false(pp_lm_copy_slowest(c, 2, &used, UINT64_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(greedy_is_the_best_choice), cmocka_unit_test(budget_and_most_copies_end_it),
                                       cmocka_unit_test(attention_doubles_until_merging_takes_as_long)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

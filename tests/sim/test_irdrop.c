/* IR drop: nodal analysis against a dense solution of the same circuit and against closed forms, the fast models
 * against nodal analysis. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sim/irdrop.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROWS = 64, MAX_COLS = 64, MAX_CELLS = MAX_ROWS * MAX_COLS };

static const pp_ir_wires wires = {.row_ohm = 1.5, .col_ohm = 2.5, .driver_ohm = 20, .sense_ohm = 35};

/* Half of the cells near zero, as in differential pairs; 25 uS is PCM's g_max. */
static void random_cells(float *g, size_t n, uint64_t seed)
{
    pp_rng rng = pp_rng_make(seed, 7);
    for (size_t i = 0; i < n; i++)
        g[i] = pp_rng_u32(&rng) & 1 ? (float)(25 * pp_rng_uniform(&rng)) : 0;
}

/* sqrt(sum (a - b)^2 / sum b^2) */
static double distance(const float *a, const float *b, size_t n)
{
    double error = 0, power = 0;
    for (size_t i = 0; i < n; i++) {
        error += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        power += (double)b[i] * (double)b[i];
    }
    return sqrt(error / power);
}

/* ---- the circuit, resistor by resistor, solved densely ---- */

enum { DENSE = 2 * 5 * 6 };

typedef struct dense {
    double a[DENSE][DENSE], b[DENSE];
} dense;

static void resistor(dense *d, size_t p, size_t q, double siemens)
{
    d->a[p][p] += siemens;
    d->a[q][q] += siemens;
    d->a[p][q] -= siemens;
    d->a[q][p] -= siemens;
}

static void source(dense *d, size_t p, double siemens, double volt)
{
    d->a[p][p] += siemens;
    d->b[p] += siemens * volt;
}

static void gauss(dense *d, size_t n)
{
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < n; i++) {
            if (i == k)
                continue;
            const double f = d->a[i][k] / d->a[k][k];
            for (size_t j = k; j < n; j++)
                d->a[i][j] -= f * d->a[k][j];
            d->b[i] -= f * d->b[k];
        }
    for (size_t k = 0; k < n; k++)
        d->b[k] /= d->a[k][k];
}

static void dense_currents(double *current_ua, const double *volt, const float *g, size_t rows, size_t cols)
{
    dense *d = calloc(1, sizeof *d);
    assert_non_null(d);
    const size_t cells = rows * cols;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++) {
            const size_t row = i * cols + j, col = cells + row;
            resistor(d, row, col, 1e-6 * (double)g[row]);
            if (j == 0)
                source(d, row, 1 / (wires.row_ohm + wires.driver_ohm), volt[i]);
            else
                resistor(d, row, row - 1, 1 / wires.row_ohm);
            if (i + 1 == rows)
                source(d, col, 1 / (wires.col_ohm + wires.sense_ohm), 0);
            else
                resistor(d, col, col + cols, 1 / wires.col_ohm);
        }
    gauss(d, 2 * cells);
    for (size_t j = 0; j < cols; j++)
        current_ua[j] = 1e6 * d->b[cells + (rows - 1) * cols + j] / (wires.col_ohm + wires.sense_ohm);
    free(d);
}

static void test_nodal_is_the_circuit(void **state)
{
    (void)state;
    static const size_t size[][2] = {{1, 1}, {5, 6}, {4, 1}, {1, 6}, {3, 2}};
    for (size_t s = 0; s < sizeof size / sizeof size[0]; s++) {
        const size_t rows = size[s][0], cols = size[s][1];
        float g[30], t[30];
        double volt[5] = {0.2, -0.1, 0, 0.15, 0.05}, expected[6], found[6];
        random_cells(g, rows * cols, 10 + s);
        g[0] = 20000; /* nearly a short: the drop is no perturbation */
        unsigned iterations = 0;
        dense_currents(expected, volt, g, rows, cols);
        assert_int_equal(pp_ir_currents(found, volt, g, rows, cols, &wires, &iterations), PP_OK);
        assert_int_equal(pp_ir_effective(t, g, rows, cols, &wires, PP_IR_NODAL), PP_OK);
        assert_true(iterations > 0 && iterations < 100);
        for (size_t j = 0; j < cols; j++) {
            double folded = 0;
            for (size_t i = 0; i < rows; i++)
                folded += (double)t[i * cols + j] * volt[i];
            assert_true(fabs(found[j] - expected[j]) <= 1e-9 * fabs(expected[0]));
            assert_true(fabs(folded - expected[j]) <= 1e-6 * fabs(expected[0]));
        }
    }
}

/* ---- closed forms ---- */

static void test_one_cell(void **state)
{
    (void)state;
    const float g = 40;
    const double ohm = wires.row_ohm + wires.col_ohm + wires.driver_ohm + wires.sense_ohm;
    float t = 0;
    assert_int_equal(pp_ir_effective(&t, &g, 1, 1, &wires, PP_IR_NODAL), PP_OK);
    assert_true(fabs((double)t - 40 / (1 + 40e-6 * ohm)) < 1e-5);
    assert_int_equal(pp_ir_effective(&t, &g, 1, 1, &wires, PP_IR_FIRST_ORDER), PP_OK);
    assert_true(fabs((double)t - 40 * (1 - 40e-6 * ohm)) < 1e-5);
    assert_int_equal(pp_ir_effective(&t, &g, 1, 1, &wires, PP_IR_NONE), PP_OK);
    assert_true(t == g);
}

/* N equal cells on one wire: cell k of 1..N has V cosh((N + 1/2 - k) x) / cosh((N + 1/2) x), 2 cosh x = 2 + r G. */
static void test_one_line_of_equal_cells(void **state)
{
    (void)state;
    enum { N = 60 };
    float g[N], t[N];
    for (size_t i = 0; i < N; i++)
        g[i] = 25;
    const double ohm = 3, x = acosh(1 + ohm * 25e-6 / 2);
    const pp_ir_wires along_row = {.row_ohm = ohm}, along_column = {.col_ohm = ohm};
    for (int model = PP_IR_LINES; model <= PP_IR_NODAL; model++) {
        assert_int_equal(pp_ir_effective(t, g, 1, N, &along_row, (pp_ir_model)model), PP_OK);
        for (size_t k = 1; k <= N; k++)
            assert_true(fabs((double)t[k - 1] / (25 * cosh((N + 0.5 - (double)k) * x) / cosh((N + 0.5) * x)) - 1) < 1e-6);
        assert_int_equal(pp_ir_effective(t, g, N, 1, &along_column, (pp_ir_model)model), PP_OK);
        for (size_t k = 1; k <= N; k++) /* the last row is the nearest to the sensed end */
            assert_true(fabs((double)t[N - k] / (25 * cosh((N + 0.5 - (double)k) * x) / cosh((N + 0.5) * x)) - 1) < 1e-6);
    }
}

/* First order by its double sums. */
static void test_first_order_sums(void **state)
{
    (void)state;
    enum { R = 7, C = 9 };
    float g[R * C], t[R * C];
    random_cells(g, R * C, 3);
    assert_int_equal(pp_ir_effective(t, g, R, C, &wires, PP_IR_FIRST_ORDER), PP_OK);
    for (size_t i = 0; i < R; i++)
        for (size_t j = 0; j < C; j++) {
            double a = 0, b = 0;
            for (size_t l = 0; l < C; l++)
                a += (double)g[i * C + l] * (wires.driver_ohm + (double)((j < l ? j : l) + 1) * wires.row_ohm);
            for (size_t k = 0; k < R; k++)
                b += (double)g[k * C + j] * (wires.sense_ohm + (double)(R - (i > k ? i : k)) * wires.col_ohm);
            assert_true(fabs((double)t[i * C + j] - (double)g[i * C + j] * (1 - 1e-6 * (a + b))) < 1e-5);
        }
}

/* ---- the models against each other ---- */

/* Both closed forms are right to first order: ten times less resistance, a hundred times less error. */
static void test_order_of_the_error(void **state)
{
    (void)state;
    enum { R = 24, C = 20 };
    float g[R * C], exact[R * C], t[R * C];
    random_cells(g, R * C, 4);
    for (int model = PP_IR_FIRST_ORDER; model <= PP_IR_LINES; model++) {
        double error[2];
        for (int k = 0; k < 2; k++) {
            const double scale = k == 0 ? 10 : 1;
            const pp_ir_wires w = {.row_ohm = scale, .col_ohm = scale, .driver_ohm = scale, .sense_ohm = scale};
            assert_int_equal(pp_ir_effective(exact, g, R, C, &w, PP_IR_NODAL), PP_OK);
            assert_int_equal(pp_ir_effective(t, g, R, C, &w, (pp_ir_model)model), PP_OK);
            error[k] = distance(t, exact, R * C);
        }
        assert_true(error[0] > 1e-5);
        assert_true(error[1] < error[0] / 80 && error[1] > error[0] / 125);
    }
}

/* docs/energy.md states these errors; bench/bench_irdrop.c prints them with those of 256 x 256. */
static void test_64x64(void **state)
{
    (void)state;
    enum { N = 64 };
    const pp_ir_wires w = {.row_ohm = 1, .col_ohm = 1};
    float *g = calloc(MAX_CELLS, sizeof *g), *exact = calloc(MAX_CELLS, sizeof *g), *t = calloc(MAX_CELLS, sizeof *g);
    assert_true(g != NULL && exact != NULL && t != NULL);
    random_cells(g, N * N, 1);
    assert_int_equal(pp_ir_effective(exact, g, N, N, &w, PP_IR_NODAL), PP_OK);
    const double drop = distance(g, exact, N * N);
    assert_true(drop > 0.01); /* what ignoring the wires would cost */
    assert_int_equal(pp_ir_effective(t, g, N, N, &w, PP_IR_FIRST_ORDER), PP_OK);
    assert_true(distance(t, exact, N * N) < drop / 20);
    assert_int_equal(pp_ir_effective(t, g, N, N, &w, PP_IR_LINES), PP_OK);
    assert_true(distance(t, exact, N * N) < drop / 50);
    for (size_t i = 0; i < (size_t)N * N; i++)
        assert_true(t[i] >= 0 && t[i] <= g[i]);
    free(g);
    free(exact);
    free(t);
}

/* What the drivers give leaves at the column ends: with 1 V on all rows, the sum of T is symmetric in the two ways of
 * summing it, and no column gets more than without wires. Two solutions of one circuit agree. */
static void test_currents_are_the_sums_of_effective_conductances(void **state)
{
    (void)state;
    enum { R = 20, C = 30 };
    float g[R * C], t[R * C];
    double volt[R], current[C];
    random_cells(g, R * C, 5);
    for (size_t i = 0; i < R; i++)
        volt[i] = 0.1 + 0.01 * (double)i;
    assert_int_equal(pp_ir_effective(t, g, R, C, &wires, PP_IR_NODAL), PP_OK);
    assert_int_equal(pp_ir_currents(current, volt, g, R, C, &wires, NULL), PP_OK);
    for (size_t j = 0; j < C; j++) {
        double folded = 0, ideal = 0;
        for (size_t i = 0; i < R; i++) {
            folded += (double)t[i * C + j] * volt[i];
            ideal += (double)g[i * C + j] * volt[i];
        }
        assert_true(fabs(folded - current[j]) < 1e-5 * ideal);
        assert_true(current[j] < ideal);
    }
}

static void test_pairs_lie_side_by_side(void **state)
{
    (void)state;
    enum { R = 6, C = 5 };
    float plus[R * C], minus[R * C], both[2 * R * C];
    random_cells(plus, R * C, 8);
    random_cells(minus, R * C, 9);
    for (size_t i = 0; i < (size_t)R * C; i++) {
        both[2 * i] = plus[i];
        both[2 * i + 1] = minus[i];
    }
    assert_int_equal(pp_ir_effective_pair(plus, minus, R, C, &wires, PP_IR_NONE), PP_OK);
    assert_true(plus[3] == both[6] && minus[3] == both[7]);
    assert_int_equal(pp_ir_effective_pair(plus, minus, R, C, &wires, PP_IR_LINES), PP_OK);
    assert_int_equal(pp_ir_effective(both, both, R, (size_t)2 * C, &wires, PP_IR_LINES), PP_OK);
    for (size_t i = 0; i < (size_t)R * C; i++)
        assert_true(plus[i] == both[2 * i] && minus[i] == both[2 * i + 1]);
}

/* Shares of g_max with wires in that unit are the same circuit. */
static void test_units(void **state)
{
    (void)state;
    enum { R = 8, C = 6 };
    const pp_arch arch = {.wire_row_ohm = 1.5, .wire_col_ohm = 2.5, .driver_ohm = 20, .sense_ohm = 35};
    float us[R * C], share[R * C];
    random_cells(us, R * C, 11);
    for (size_t i = 0; i < (size_t)R * C; i++)
        share[i] = us[i] / 25;
    for (int model = PP_IR_FIRST_ORDER; model <= PP_IR_NODAL; model++) {
        const pp_ir_wires of_us = pp_ir_wires_of(&arch), of_share = {37.5, 62.5, 500, 875};
        float a[R * C], b[R * C];
        assert_int_equal(pp_ir_effective(a, us, R, C, &of_us, (pp_ir_model)model), PP_OK);
        assert_int_equal(pp_ir_effective(b, share, R, C, &of_share, (pp_ir_model)model), PP_OK);
        for (size_t i = 0; i < (size_t)R * C; i++)
            assert_true(fabsf(a[i] - 25 * b[i]) < 1e-4F);
    }
}

static void refused(const float *g, size_t rows, size_t cols, pp_ir_wires w, pp_ir_model model, const char *word)
{
    float t[4];
    assert_int_equal(pp_ir_effective(t, g, rows, cols, &w, model), PP_EINVAL);
    assert_non_null(strstr(pp_error_text(), word));
}

static void test_bad_input(void **state)
{
    (void)state;
    const float good[] = {1, 2, 3, 4}, bad[] = {1, 2, -3, 4}, nan[] = {1, NAN, 3, 4};
    refused(good, 0, 2, wires, PP_IR_LINES, "0 x 2");
    refused(bad, 2, 2, wires, PP_IR_LINES, "cell (1, 0) has -3 uS");
    refused(nan, 2, 2, wires, PP_IR_FIRST_ORDER, "cell (0, 1)");
    refused(good, 2, 2, (pp_ir_wires){.row_ohm = -1}, PP_IR_LINES, "-1 ohm");
    refused(good, 2, 2, (pp_ir_wires){.row_ohm = 1, .sense_ohm = 1}, PP_IR_NODAL, "nodal");
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    float g[4] = {1, 2, 3, 4}, other[4] = {0};
    double volt[2] = {0.1, 0.2}, current[2];
    for (int model = PP_IR_FIRST_ORDER; model <= PP_IR_NODAL; model++)
        for (long n = 0; n < (model == PP_IR_NODAL ? 2 : 3); n++) {
            pp_alloc_fail_after(n);
            assert_int_equal(pp_ir_effective_pair(g, other, 2, 2, &wires, (pp_ir_model)model), PP_ENOMEM);
            pp_alloc_fail_after(-1);
            assert_true(g[0] == 1 && g[3] == 4 && other[2] == 0);
        }
    pp_alloc_fail_after(0);
    assert_int_equal(pp_ir_currents(current, volt, g, 2, 2, &wires, NULL), PP_ENOMEM);
    pp_alloc_fail_after(-1);
}

int main(void)
{
    const struct CMUnitTest irdrop[] = {
        cmocka_unit_test(test_nodal_is_the_circuit),
        cmocka_unit_test(test_one_cell),
        cmocka_unit_test(test_one_line_of_equal_cells),
        cmocka_unit_test(test_first_order_sums),
        cmocka_unit_test(test_order_of_the_error),
        cmocka_unit_test(test_64x64),
        cmocka_unit_test(test_currents_are_the_sums_of_effective_conductances),
        cmocka_unit_test(test_pairs_lie_side_by_side),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(irdrop, NULL, NULL);
}

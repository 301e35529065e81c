/* IR drop: error and time of the fast models against nodal analysis of the same array.
 *
 * Cells are differential pairs of PCM side by side (0 to 25 uS, one of the two at zero); errors are the root of
 * sum (I - I_nodal)^2 / sum I_nodal^2 over several inputs, for the currents of the columns and for the differences
 * of the pairs, which are what a layer computes (also with one factor for the whole array taken out). The nodal solution is a solve an input.
 *
 * usage: pp_bench_irdrop [INPUTS [OHM]] */
#include "sim/irdrop.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct bench {
    size_t n;
    int inputs;
    pp_ir_wires wires;
    float *g, *t;
    double *volt, *exact;
    double nodal_s;
    unsigned iterations;
} bench;

/* Current of column j for input k less the exact one. */
static double off_by(const bench *b, const float *t, int k, size_t j)
{
    double sum = 0;
    for (size_t i = 0; i < b->n; i++)
        sum += (double)t[i * b->n + j] * b->volt[(size_t)k * b->n + i];
    return sum - b->exact[(size_t)k * b->n + j];
}

typedef struct errors {
    double currents, pairs;
    double scaled; /* of the pairs, when one factor for the whole array is taken out */
} errors;

static errors errors_of(const bench *b, const float *t)
{
    double error[2] = {0}, power[2] = {0}, own = 0, both = 0;
    for (int k = 0; k < b->inputs; k++)
        for (size_t j = 0; j < b->n; j += 2) {
            const double *exact = b->exact + (size_t)k * b->n + j;
            const double plus = off_by(b, t, k, j), minus = off_by(b, t, k, j + 1);
            error[0] += plus * plus + minus * minus;
            power[0] += exact[0] * exact[0] + exact[1] * exact[1];
            error[1] += (plus - minus) * (plus - minus);
            power[1] += (exact[0] - exact[1]) * (exact[0] - exact[1]);
            const double pair = exact[0] - exact[1], model = plus - minus + pair;
            own += model * model;
            both += model * pair;
        }
    return (errors){sqrt(error[0] / power[0]), sqrt(error[1] / power[1]), sqrt(fmax(1 - both * both / (own * power[1]), 0))};
}

static pp_status solve_nodal(bench *b)
{
    const double start = cpu_s();
    for (int k = 0; k < b->inputs; k++)
        PP_TRY(pp_ir_currents(b->exact + (size_t)k * b->n, b->volt + (size_t)k * b->n, b->g, b->n, b->n, &b->wires,
                              &b->iterations));
    b->nodal_s = (cpu_s() - start) / b->inputs;
    return PP_OK;
}

static pp_status print_model(bench *b, const char *name, pp_ir_model model)
{
    const double start = cpu_s();
    PP_TRY(pp_ir_effective(b->t, b->g, b->n, b->n, &b->wires, model));
    const double s = cpu_s() - start;
    const errors e = errors_of(b, b->t);
    printf("%3zu x %-3zu  %4.2f ohm  %-11s  error of currents %8.4f %%, of pairs %8.4f %%, but for a factor %8.4f %%   "
           "%7.3f ms, %6.1f x faster than one nodal solution (%u iterations)\n", b->n, b->n, b->wires.row_ohm, name,
           100 * e.currents, 100 * e.pairs, 100 * e.scaled, 1e3 * s, b->nodal_s / s, b->iterations);
    return PP_OK;
}

static pp_status run(size_t n, int inputs, double ohm)
{
    const size_t cells = n * n;
    bench b = {.n = n, .inputs = inputs, .wires = {.row_ohm = ohm, .col_ohm = ohm}};
    pp_rng rng = pp_rng_make(1, n);
    b.g = pp_calloc(cells, sizeof *b.g);
    b.t = pp_calloc(cells, sizeof *b.t);
    b.volt = pp_calloc((size_t)inputs * n, sizeof *b.volt);
    b.exact = pp_calloc((size_t)inputs * n, sizeof *b.exact);
    pp_status status = b.g && b.t && b.volt && b.exact ? PP_OK : PP_ENOMEM;
    for (size_t i = 0; i < cells && status == PP_OK; i += 2)
        b.g[i + (pp_rng_u32(&rng) & 1)] = (float)(25 * pp_rng_uniform(&rng));
    for (size_t i = 0; i < (size_t)inputs * n && status == PP_OK; i++)
        b.volt[i] = 0.2 * pp_rng_uniform(&rng);
    if (status == PP_OK)
        status = solve_nodal(&b);
    static const char *const name[] = {"no wires", "first_order", "lines"};
    for (int m = PP_IR_NONE; m <= PP_IR_LINES && status == PP_OK; m++)
        status = print_model(&b, name[m], (pp_ir_model)m);
    free(b.g);
    free(b.t);
    free(b.volt);
    free(b.exact);
    return status;
}

int main(int argc, char **argv)
{
    const int inputs = argc > 1 ? atoi(argv[1]) : 10;
    const double ohm = argc > 2 ? atof(argv[2]) : 1;
    pp_status status = inputs > 0 ? PP_OK : pp_fail(PP_EUSAGE, "usage: pp_bench_irdrop [INPUTS [OHM]]");
    for (size_t n = 64; n <= 256 && status == PP_OK; n *= 2)
        status = run(n, inputs, ohm);
    if (status != PP_OK)
        fprintf(stderr, "pp_bench_irdrop: %s\n", pp_error_text());
    return status == PP_OK ? 0 : 1;
}

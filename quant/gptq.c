/* GPTQ: columns are rounded one after the other, and the error of each is taken up by those not yet
 * rounded, weighted by the inverse Hessian.
 * PAPER: gptq2022 alg. 1: upper Cholesky factor of the inverse, lazy updates in blocks of 128 columns. */
#include "quant/number.h"

#include "workloads/dense.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows of one item of the pool: independent of each other. */
enum { ROWS = 64 };

pp_gptq_options pp_gptq_defaults(void)
{
    return (pp_gptq_options){.damping = 0.01, .block = 128};
}

typedef struct gptq {
    const pp_weight_options *o;
    const pp_gptq_options *g;
    float *w, *u, *scale; /* w in the order of `order` */
    uint8_t *code;
    uint32_t *order;      /* [cols] column at a place */
    size_t rows, cols, size, groups;
    float *error;         /* [rows][block] */
} gptq;

/* ---- order of columns ---- */

typedef struct ranked {
    float diagonal;
    uint32_t column;
} ranked;

static int falling(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->diagonal != y->diagonal)
        return x->diagonal > y->diagonal ? -1 : 1;
    return x->column < y->column ? -1 : 1;
}

static pp_status sort_columns(uint32_t *order, const float *h, size_t n)
{
    ranked *r = pp_alloc(n, sizeof *r);
    if (r == NULL)
        return PP_ENOMEM;
    for (size_t i = 0; i < n; i++)
        r[i] = (ranked){h[i * n + i], (uint32_t)i};
    qsort(r, n, sizeof *r, falling);
    for (size_t i = 0; i < n; i++)
        order[i] = r[i].column;
    free(r);
    return PP_OK;
}

/* Columns of each row: new j is old order[j]. */
static pp_status permute_columns(float *a, size_t rows, size_t cols, const uint32_t *order)
{
    float *row = pp_alloc(cols, sizeof *row);
    if (row == NULL)
        return PP_ENOMEM;
    for (size_t i = 0; i < rows; i++) {
        memcpy(row, a + i * cols, cols * sizeof *a);
        for (size_t j = 0; j < cols; j++)
            a[i * cols + j] = row[order[j]];
    }
    free(row);
    return PP_OK;
}

/* New row i is old row order[i], cycle by cycle, a row of memory beside. */
static pp_status permute_rows(float *a, size_t n, const uint32_t *order)
{
    float *first = pp_alloc(n, sizeof *first);
    uint8_t *done = pp_calloc(n, 1);
    const pp_status status = first != NULL && done != NULL ? PP_OK : PP_ENOMEM;
    for (size_t start = 0; start < n && status == PP_OK; start++) {
        if (done[start])
            continue;
        memcpy(first, a + start * n, n * sizeof *a);
        size_t at = start;
        for (; done[at] = 1, order[at] != start; at = order[at])
            memcpy(a + at * n, a + order[at] * n, n * sizeof *a);
        memcpy(a + at * n, first, n * sizeof *a);
    }
    free(first);
    free(done);
    return status;
}

/* ---- Hessian ---- */

/* Dead columns: 1 on the diagonal, weights 0. */
static double prepare(float *h, float *w, size_t rows, size_t n)
{
    double mean = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(h[i * n + i] > 0)) {
            h[i * n + i] = 1;
            for (size_t r = 0; r < rows; r++)
                w[r * n + i] = 0;
        }
        mean += (double)h[i * n + i] / (double)n;
    }
    return mean;
}

/* Damped inverse Cholesky in place; on failure the damping grows tenfold, up to the mean itself. */
static pp_status invert(float *h, size_t n, double mean, double damping)
{
    float *diagonal = pp_alloc(n, sizeof *diagonal);
    pp_status status = diagonal != NULL ? PP_ERANGE : PP_ENOMEM;
    for (size_t i = 0; diagonal != NULL && i < n; i++)
        diagonal[i] = h[i * n + i];
    for (double d = damping; status == PP_ERANGE && d <= fmax(1, damping); d *= 10) {
        for (size_t i = 0; i < n; i++)
            h[i * n + i] = diagonal[i] + (float)(d * mean);
        status = pp_dense_inverse_cholesky(h, n);
        if (d == 0)
            break;
    }
    free(diagonal);
    return status;
}

/* ---- columns ---- */

/* Scales of the groups of one row in the original order. */
static void all_scales(const gptq *p, size_t row)
{
    for (size_t g = 0; g < p->groups; g++) {
        const size_t first = g * p->size, n = p->cols - first < p->size ? p->cols - first : p->size;
        p->scale[row * p->groups + g] = pp_weight_scale(p->o, p->w + row * p->cols + first, n);
    }
}

static pp_status scale_rows(void *payload, size_t row, unsigned worker)
{
    (void)worker;
    all_scales(payload, row);
    return PP_OK;
}

typedef struct block_pass {
    const gptq *p;
    size_t first, end;
} block_pass;

static bool grouped_late(const gptq *p)
{
    return p->groups > 1 && !p->g->static_groups;
}

/* Rounds column c of one row and spreads its error inside the block. */
static void round_column(const gptq *p, size_t row, size_t c, size_t first, size_t end)
{
    float *w = p->w + row * p->cols;
    const size_t column = p->order[c], group = column / p->size;
    if (grouped_late(p) && c % p->size == 0) /* scales of a group as its turn comes, errors taken up */
        p->scale[row * p->groups + group] =
            pp_weight_scale(p->o, w + c, p->cols - c < p->size ? p->cols - c : p->size);
    const float s = p->scale[row * p->groups + group];
    const uint32_t code = pp_number_encode(p->o->format, s > 0 ? w[c] * (1 / s) : 0);
    const float q = pp_number_decode(p->o->format, code) * s;
    const float *u = p->u + c * p->cols, e = (w[c] - q) / u[c];
    p->code[row * p->cols + column] = (uint8_t)code;
    p->error[row * p->g->block + c - first] = e;
    w[c] = q;
    for (size_t j = c + 1; j < end; j++)
        w[j] -= e * u[j];
}

/* One block of columns for ROWS rows, and what its errors do to the columns behind. Late groups that begin
 * inside a block but end behind it see updates of this block only at its end, as in the source. */
static pp_status block_rows(void *payload, size_t item, unsigned worker)
{
    const block_pass *b = payload;
    const gptq *p = b->p;
    (void)worker;
    const size_t first = item * ROWS, rows = p->rows - first < ROWS ? p->rows - first : ROWS;
    for (size_t r = first; r < first + rows; r++)
        for (size_t c = b->first; c < b->end; c++)
            round_column(p, r, c, b->first, b->end);
    return PP_OK;
}

static pp_status run_blocks(const gptq *p, pp_pool *pool)
{
    const size_t width = p->g->block;
    for (size_t first = 0; first < p->cols; first += width) {
        const size_t end = first + width < p->cols ? first + width : p->cols;
        block_pass b = {p, first, end};
        PP_TRY(pp_pool_run(pool, (p->rows + ROWS - 1) / ROWS, block_rows, &b));
        PP_TRY(pp_dense_product(pool, false, false, p->rows, p->cols - end, end - first, -1, p->error, width,
                                p->u + first * p->cols + end, p->cols, 1, p->w + end, p->cols));
    }
    return PP_OK;
}

/* Quantized values in the original order of columns. */
static void restore(const gptq *p)
{
    pp_dequantize(p->o, p->rows, p->cols, p->code, p->scale, p->w);
}

static pp_status solve(gptq *p, pp_pool *pool, double mean)
{
    for (size_t i = 0; i < p->cols; i++)
        p->order[i] = (uint32_t)i;
    if (!grouped_late(p))
        PP_TRY(pp_pool_run(pool, p->rows, scale_rows, p));
    if (p->g->act_order) {
        PP_TRY(sort_columns(p->order, p->u, p->cols));
        PP_TRY(permute_rows(p->u, p->cols, p->order));
        PP_TRY(permute_columns(p->u, p->cols, p->cols, p->order));
        PP_TRY(permute_columns(p->w, p->rows, p->cols, p->order));
    }
    PP_TRY(invert(p->u, p->cols, mean, p->g->damping));
    PP_TRY(run_blocks(p, pool));
    restore(p);
    return PP_OK;
}

pp_status pp_quantize_gptq(const pp_weight_options *o, const pp_gptq_options *g, pp_pool *pool, float *w, size_t rows,
                           size_t cols, float *hessian, uint8_t *code, float *scale)
{
    gptq p = {.o = o, .g = g, .w = w, .u = hessian, .scale = scale, .code = code, .rows = rows, .cols = cols,
              .size = pp_weight_group_size(o, cols), .groups = pp_weight_groups(o, cols)};
    if (g->block == 0 || (grouped_late(&p) && (g->act_order || p.size % g->block != 0) && g->block % p.size != 0) ||
        (g->act_order && grouped_late(&p)))
        return pp_fail(PP_EINVAL, "GPTQ: groups of %zu with %s need static groups", p.size,
                       g->act_order ? "act-order" : "blocks of another size");
    const double mean = prepare(hessian, w, rows, cols);
    p.order = pp_alloc(cols, sizeof *p.order);
    p.error = pp_alloc(rows * g->block, sizeof *p.error);
    pp_status status = p.order != NULL && p.error != NULL ? solve(&p, pool, mean) : PP_ENOMEM;
    free(p.order);
    free(p.error);
    return status;
}

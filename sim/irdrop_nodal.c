/* IR drop by nodal analysis: the crossbar as a circuit of 2 R C nodes.
 *
 * Unknown are the voltages u[i][j] of the row wires and v[i][j] of the column wires over the cells. Kirchhoff:
 *
 *     Lr u + G (u - v) = (driver current),   Lc v + G (v - u) = (current from the sensed ends)
 *
 * with Lr, Lc the ladders' matrices, one tridiagonal block a line. The matrix is symmetric positive definite and has
 * five entries a row. Conjugate gradients take the lines themselves as preconditioner: all blocks Lr + G and Lc + G are
 * solved exactly each iteration, so that only the coupling of the two layers through the cells is left. Where that
 * is weak (the drop is a perturbation) some ten iterations reach rounding; where it is strong they are more, and
 * still exact. */
#include "sim/irdrop_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TOLERANCE 1e-12 /* of the residual, against the right-hand side */
#define MAX_ITERATIONS 10000

typedef struct nodal {
    size_t rows, cols, cells; /* vectors: u[cells], then v[cells] */
    double row_s, col_s;      /* conductance of a wire between neighbouring cells */
    double drive_s, sense_s;  /* and between the first cell and the end of the line */
    double *g;                /* [cells] siemens */
    double *pivot;            /* [2 cells] of the lines, eliminated from the far ends */
    double *x, *r, *z, *p, *q;
    void *owner;
} nodal;

/* Node l of a line, counted from its driven or sensed end. */
typedef struct line {
    size_t first, n;
    ptrdiff_t stride; /* outwards */
    double wire_s, end_s;
} line;

static line row_line(const nodal *a, size_t i)
{
    return (line){i * a->cols, a->cols, 1, a->row_s, a->drive_s};
}

static line col_line(const nodal *a, size_t j)
{
    return (line){a->cells + (a->rows - 1) * a->cols + j, a->rows, -(ptrdiff_t)a->cols, a->col_s, a->sense_s};
}

static line line_of(const nodal *a, size_t k)
{
    return k < a->rows ? row_line(a, k) : col_line(a, k - a->rows);
}

static size_t at(const line *l, size_t k)
{
    return (size_t)((ptrdiff_t)l->first + (ptrdiff_t)k * l->stride);
}

/* Pivots by elimination from the far end. pivot = wire + (conductance to ground seen outwards): a sum of positive
 * terms, so that nothing cancels however good the wires are. */
static void eliminate(const nodal *a, const line *l)
{
    double outward = 0;
    for (size_t k = l->n; k-- > 0;) {
        const size_t node = at(l, k);
        const double s = k == 0 ? l->end_s : l->wire_s;
        outward += a->g[node % a->cells];
        a->pivot[node] = s + outward;
        outward = s * outward / a->pivot[node];
    }
}

/* z = (L + G)^-1 r on one line. */
static void solve_line(const nodal *a, const line *l, const double *r, double *z)
{
    double carried = 0;
    for (size_t k = l->n; k-- > 0;) {
        const size_t node = at(l, k);
        z[node] = (r[node] + carried) / a->pivot[node];
        carried = l->wire_s * z[node];
    }
    for (size_t k = 1; k < l->n; k++) {
        const size_t node = at(l, k);
        z[node] += l->wire_s / a->pivot[node] * z[at(l, k - 1)];
    }
}

static void precondition(const nodal *a, const double *r, double *z)
{
    for (size_t k = 0; k < a->rows + a->cols; k++) {
        const line l = line_of(a, k);
        solve_line(a, &l, r, z);
    }
}

/* q = A p: currents that leave each node. */
static void apply(const nodal *a, const double *p, double *q)
{
    for (size_t i = 0; i < a->cells; i++) {
        const double through = a->g[i] * (p[i] - p[a->cells + i]);
        q[i] = through;
        q[a->cells + i] = -through;
    }
    for (size_t k = 0; k < a->rows + a->cols; k++) {
        const line l = line_of(a, k);
        q[l.first] += l.end_s * p[l.first];
        for (size_t m = 1; m < l.n; m++) {
            const double along = l.wire_s * (p[at(&l, m)] - p[at(&l, m - 1)]);
            q[at(&l, m)] += along;
            q[at(&l, m - 1)] -= along;
        }
    }
}

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* a->x from the right-hand side in a->r. */
static pp_status solve(nodal *a, unsigned *iterations)
{
    const size_t n = 2 * a->cells;
    const double limit = TOLERANCE * TOLERANCE * dot(a->r, a->r, n);
    memset(a->x, 0, n * sizeof *a->x);
    precondition(a, a->r, a->z);
    memcpy(a->p, a->z, n * sizeof *a->p);
    double rz = dot(a->r, a->z, n), rr = dot(a->r, a->r, n);
    unsigned done = 0;
    for (; rr > limit && done < MAX_ITERATIONS; done++) {
        apply(a, a->p, a->q);
        const double alpha = rz / dot(a->p, a->q, n);
        for (size_t i = 0; i < n; i++) {
            a->x[i] += alpha * a->p[i];
            a->r[i] -= alpha * a->q[i];
        }
        precondition(a, a->r, a->z);
        const double next = dot(a->r, a->z, n), beta = next / rz;
        for (size_t i = 0; i < n; i++)
            a->p[i] = a->z[i] + beta * a->p[i];
        rz = next;
        rr = dot(a->r, a->r, n);
    }
    if (iterations != NULL)
        *iterations = done;
    return rr <= limit ? PP_OK
                       : pp_fail(PP_EINTERNAL, "IR drop: the nodal solution did not settle in %d iterations", MAX_ITERATIONS);
}

static pp_status nodal_new(nodal *a, const float *g, size_t rows, size_t cols, const pp_ir_wires *w)
{
    if (w->row_ohm == 0 || w->col_ohm == 0)
        return pp_fail(PP_EINVAL, "IR drop: nodal analysis needs wires of more than 0 ohm a cell, both ways (%g and %g)",
                       w->row_ohm, w->col_ohm);
    *a = (nodal){.rows = rows, .cols = cols, .cells = rows * cols};
    a->row_s = 1 / w->row_ohm;
    a->col_s = 1 / w->col_ohm;
    a->drive_s = 1 / (w->row_ohm + w->driver_ohm);
    a->sense_s = 1 / (w->col_ohm + w->sense_ohm);
    double *all = pp_calloc(a->cells, 13 * sizeof *all);
    if (all == NULL)
        return PP_ENOMEM;
    a->owner = all;
    a->g = all;
    double **vector[] = {&a->pivot, &a->x, &a->r, &a->z, &a->p, &a->q};
    for (size_t i = 0; i < 6; i++)
        *vector[i] = all + (1 + 2 * i) * a->cells;
    for (size_t i = 0; i < a->cells; i++)
        a->g[i] = PP_IR_US * (double)g[i];
    for (size_t k = 0; k < rows + cols; k++) {
        const line l = line_of(a, k);
        eliminate(a, &l);
    }
    return PP_OK;
}

/* By reciprocity column j of T is one solve: 1 V at the sensed end of column j, and what then leaves at the drivers. */
static pp_status column(nodal *a, size_t j, float *t)
{
    const size_t n = 2 * a->cells;
    memset(a->r, 0, n * sizeof *a->r);
    a->r[col_line(a, j).first] = a->sense_s;
    PP_TRY(solve(a, NULL));
    for (size_t i = 0; i < a->rows; i++)
        t[i * a->cols + j] = (float)(a->drive_s * a->x[i * a->cols] / PP_IR_US);
    return PP_OK;
}

pp_status pp_ir_nodal(float *t, const float *g, size_t rows, size_t cols, const pp_ir_wires *w)
{
    nodal a;
    PP_TRY(nodal_new(&a, g, rows, cols, w));
    pp_status status = PP_OK;
    for (size_t j = 0; j < cols && status == PP_OK; j++)
        status = column(&a, j, t);
    free(a.owner);
    return status;
}

pp_status pp_ir_currents(double *current_ua, const double *volt, const float *g, size_t rows, size_t cols,
                         const pp_ir_wires *wires, unsigned *iterations)
{
    nodal a;
    PP_TRY(pp_ir_check(g, rows, cols, wires));
    PP_TRY(nodal_new(&a, g, rows, cols, wires));
    memset(a.r, 0, 2 * a.cells * sizeof *a.r);
    for (size_t i = 0; i < rows; i++)
        a.r[i * cols] = a.drive_s * volt[i];
    pp_status status = solve(&a, iterations);
    for (size_t j = 0; j < cols && status == PP_OK; j++)
        current_ua[j] = a.sense_s * a.x[col_line(&a, j).first] / PP_IR_US;
    free(a.owner);
    return status;
}

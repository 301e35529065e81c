/* IR drop by closed forms: first order, and the product of exact ladders. */
#include "sim/irdrop_internal.h"

#include <stdlib.h>
#include <string.h>

pp_ir_wires pp_ir_wires_of(const pp_arch *arch)
{
    return (pp_ir_wires){arch->wire_row_ohm, arch->wire_col_ohm, arch->driver_ohm, arch->sense_ohm};
}

bool pp_ir_rows_ideal(const pp_ir_wires *w)
{
    return w->row_ohm == 0 && w->driver_ohm == 0;
}

bool pp_ir_cols_ideal(const pp_ir_wires *w)
{
    return w->col_ohm == 0 && w->sense_ohm == 0;
}

pp_status pp_ir_check(const float *g, size_t rows, size_t cols, const pp_ir_wires *w)
{
    if (rows == 0 || cols == 0)
        return pp_fail(PP_EINVAL, "IR drop: an array of %zu x %zu cells; expected at least one", rows, cols);
    const double ohm[] = {w->row_ohm, w->col_ohm, w->driver_ohm, w->sense_ohm};
    for (size_t i = 0; i < 4; i++)
        if (!(ohm[i] >= 0) || ohm[i] > PP_IR_MAX_OHM)
            return pp_fail(PP_EINVAL, "IR drop: a resistance of %g ohm; expected 0 to %g", ohm[i], PP_IR_MAX_OHM);
    for (size_t i = 0; i < rows * cols; i++)
        if (!(g[i] >= 0) || g[i] > PP_IR_MAX_US)
            return pp_fail(PP_EINVAL, "IR drop: cell (%zu, %zu) has %g uS; expected 0 to %g", i / cols, i % cols,
                           (double)g[i], PP_IR_MAX_US);
    return PP_OK;
}

/* ---- first order ---- */

/* loss[l] = sum_m g[m] (end + (min(l, m) + 1) wire) along a line of n cells counted from its end, `stride` floats
 * apart. With S = all conductance and tail[l] that of the cells beyond l, loss grows by wire x tail from cell to cell. */
static void line_loss(double *loss, const float *g, size_t n, ptrdiff_t stride, double wire, double end)
{
    double tail = 0, sum;
    for (size_t l = 0; l < n; l++)
        tail += (double)g[(ptrdiff_t)l * stride];
    sum = tail * (end + wire);
    for (size_t l = 0; l < n; l++) {
        loss[l] = sum;
        tail -= (double)g[(ptrdiff_t)l * stride];
        sum += wire * (tail > 0 ? tail : 0);
    }
}

static void first_order(float *t, const float *g, size_t rows, size_t cols, const pp_ir_wires *w, double *keep,
                        double *line)
{
    const size_t n = rows * cols;
    for (size_t i = 0; i < rows; i++)
        line_loss(keep + i * cols, g + i * cols, cols, 1, w->row_ohm, w->driver_ohm);
    for (size_t j = 0; j < cols; j++) {
        /* Columns count from their sensed end, which is the last row. */
        line_loss(line, g + (rows - 1) * cols + j, rows, -(ptrdiff_t)cols, w->col_ohm, w->sense_ohm);
        for (size_t i = 0; i < rows; i++)
            keep[i * cols + j] += line[rows - 1 - i];
    }
    for (size_t i = 0; i < n; i++)
        t[i] = (float)((double)g[i] * (1 - PP_IR_US * keep[i]));
}

/* ---- ladders ---- */

/* share[l] = voltage at cell l of a line of n cells whose end is driven by 1 V and whose cells lead to ground.
 * Y[l], the conductance to ground seen from node l outwards, is summed from the far end without a difference. */
static void ladder(double *share, const float *g, size_t n, ptrdiff_t stride, double wire, double end)
{
    double y = 0, v = 1;
    for (size_t l = n; l-- > 0;) {
        y = PP_IR_US * (double)g[(ptrdiff_t)l * stride] + y;
        double r = l == 0 ? wire + end : wire;
        share[l] = 1 / (1 + r * y); /* of the voltage one node nearer to the end */
        y *= share[l];
    }
    for (size_t l = 0; l < n; l++)
        share[l] = v *= share[l];
}

static void lines(float *t, const float *g, size_t rows, size_t cols, const pp_ir_wires *w, double *keep, double *line)
{
    for (size_t i = 0; i < rows; i++)
        ladder(keep + i * cols, g + i * cols, cols, 1, w->row_ohm, w->driver_ohm);
    for (size_t j = 0; j < cols; j++) {
        ladder(line, g + (rows - 1) * cols + j, rows, -(ptrdiff_t)cols, w->col_ohm, w->sense_ohm);
        for (size_t i = 0; i < rows; i++)
            keep[i * cols + j] *= line[rows - 1 - i];
    }
    for (size_t i = 0; i < rows * cols; i++)
        t[i] = (float)((double)g[i] * keep[i]);
}

/* ---- entry ---- */

static pp_status closed_form(float *t, const float *g, size_t rows, size_t cols, const pp_ir_wires *w, bool exact_lines)
{
    double *keep = pp_calloc(rows * cols, sizeof *keep), *line = pp_calloc(rows, sizeof *line);
    pp_status status = keep != NULL && line != NULL ? PP_OK : PP_ENOMEM;
    if (status == PP_OK && exact_lines)
        lines(t, g, rows, cols, w, keep, line);
    else if (status == PP_OK)
        first_order(t, g, rows, cols, w, keep, line);
    free(keep);
    free(line);
    return status;
}

pp_status pp_ir_effective(float *t, const float *g, size_t rows, size_t cols, const pp_ir_wires *wires,
                          pp_ir_model model)
{
    PP_TRY(pp_ir_check(g, rows, cols, wires));
    if (model == PP_IR_NONE) {
        memmove(t, g, rows * cols * sizeof *t);
        return PP_OK;
    }
    /* Without resistance on one side the ladders are the circuit. */
    if (model == PP_IR_NODAL && !pp_ir_rows_ideal(wires) && !pp_ir_cols_ideal(wires))
        return pp_ir_nodal(t, g, rows, cols, wires);
    return closed_form(t, g, rows, cols, wires, model != PP_IR_FIRST_ORDER);
}

pp_status pp_ir_effective_pair(float *plus, float *minus, size_t rows, size_t cols, const pp_ir_wires *wires,
                               pp_ir_model model)
{
    if (model == PP_IR_NONE)
        return PP_OK;
    float *both = pp_calloc(rows * cols, 2 * sizeof *both);
    if (both == NULL)
        return PP_ENOMEM;
    for (size_t i = 0; i < rows * cols; i++) {
        both[2 * i] = plus[i];
        both[2 * i + 1] = minus[i];
    }
    pp_status status = pp_ir_effective(both, both, rows, 2 * cols, wires, model);
    for (size_t i = 0; i < rows * cols && status == PP_OK; i++) {
        plus[i] = both[2 * i];
        minus[i] = both[2 * i + 1];
    }
    free(both);
    return status;
}

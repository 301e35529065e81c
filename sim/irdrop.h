/* IR drop: what the resistance of a crossbar's wires leaves of its currents.
 *
 * The circuit. Row i is a wire driven at its left end by V[i] through driver_ohm; column j is a wire held at
 * ground at its lower end through sense_ohm; between neighbouring cells lie row_ohm and col_ohm, and as much
 * between the first cell and the driver, and between the last cell and the ground. Cell (i, j) is a conductance G[i][j]
 * between the two wires. Everything is linear, so the currents at the column ends are
 *
 *     I[j] = sum_i T[i][j] V[i]
 *
 * for one matrix T of effective conductances that does not depend on the inputs: a tile is programmed with T in
 * place of G and its matrix product stays as it is. (That the read voltage drops out is the linearity of the
 * devices; it sets currents and energy, not their ratio.) The models differ in how T is found:
 *
 *   first_order  T = G (1 - A - B), the first term of the expansion in the wire resistances:
 *                A[i][j] = sum_l G[i][l] (driver + (min(j, l) + 1) row),      loss along the row
 *                B[i][j] = sum_k G[k][j] (sense + (R - max(i, k)) col);       rise of the column
 *                O(R C); turns negative where the drop exceeds the signal
 *   lines        T = G a b: a[i][j] is the share of V[i] that reaches cell j of its row with all columns at ground,
 *                b[i][j] the share of a current injected at cell i of its column that leaves at the end with all
 *                rows at ground; both are resistor ladders, solved exactly. Equal to first_order in first order, exact
 *                when either side has no resistance, between 0 and G always; O(R C)
 *   nodal        the circuit itself: Kirchhoff's equations of all 2 R C nodes (sparse, symmetric positive definite)
 *                by conjugate gradients; C solves of O(R C) an iteration. The reference.
 *
 * How far apart they are: docs/energy.md, "IR drop". Units: ohm, microsiemens, volt, microampere. */
#ifndef PP_SIM_IRDROP_H
#define PP_SIM_IRDROP_H

#include "arch/arch.h"

/* In the order of pp_ir_drop, the choices of arch.ir_drop. */
typedef enum pp_ir_model { PP_IR_NONE, PP_IR_FIRST_ORDER, PP_IR_LINES, PP_IR_NODAL } pp_ir_model;

typedef struct pp_ir_wires {
    double row_ohm, col_ohm;      /* wire of one cell along a row, along a column */
    double driver_ohm, sense_ohm; /* in series at the driven end of a row, at the sensed end of a column */
} pp_ir_wires;
/* What the settings say: arch.wire_row_ohm and the three beside it. Only products of conductance and resistance count:
 * for conductances in another unit, wires are scaled by its microsiemens. */
pp_ir_wires pp_ir_wires_of(const pp_arch *arch);

/* Effective conductances of an array: t[rows][cols] from g[rows][cols], both in microsiemens, row-major, t may be g.
 * Row 0 is the farthest from the sensed ends, column 0 the nearest to the drivers. PP_EINVAL: a negative conductance
 * or resistance, an empty array, or (nodal) wires of which only the ends have resistance. */
pp_status pp_ir_effective(float *t, const float *g, size_t rows, size_t cols, const pp_ir_wires *wires,
                          pp_ir_model model);

/* Differential pairs: the columns of plus and minus lie side by side (plus 0, minus 0, plus 1 ...) on shared rows,
 * so that a row is 2 cols cells long. plus[rows][cols] and minus[rows][cols] are replaced by what they are worth. */
pp_status pp_ir_effective_pair(float *plus, float *minus, size_t rows, size_t cols, const pp_ir_wires *wires,
                               pp_ir_model model);

/* The nodal solution for one input: current_ua[cols] at the column ends for volt[rows] at the drivers. `iterations`
 * (NULL allowed): how many it took. One solve; for several inputs of one array pp_ir_effective is cheaper from
 * `cols` inputs on. */
pp_status pp_ir_currents(double *current_ua, const double *volt, const float *g, size_t rows, size_t cols,
                         const pp_ir_wires *wires, unsigned *iterations);

#endif

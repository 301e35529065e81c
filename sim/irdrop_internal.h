/* What the two files of the IR drop share. */
#ifndef PP_SIM_IRDROP_INTERNAL_H
#define PP_SIM_IRDROP_INTERNAL_H

#include "sim/irdrop.h"

#define PP_IR_US 1e-6     /* siemens in a microsiemens */
#define PP_IR_MAX_OHM 1e9
#define PP_IR_MAX_US 1e9

/* One line on what is wrong with an array or its wires. */
pp_status pp_ir_check(const float *g, size_t rows, size_t cols, const pp_ir_wires *w);
/* Whether a side drops no voltage at all. */
bool pp_ir_rows_ideal(const pp_ir_wires *w);
bool pp_ir_cols_ideal(const pp_ir_wires *w);
/* Effective conductances by nodal analysis, wires with resistance on both sides; t may be g. */
pp_status pp_ir_nodal(float *t, const float *g, size_t rows, size_t cols, const pp_ir_wires *w);

#endif

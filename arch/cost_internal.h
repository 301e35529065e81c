/* What the files of the cost table share. */
#ifndef PP_ARCH_COST_INTERNAL_H
#define PP_ARCH_COST_INTERNAL_H

#include "arch/cost.h"

typedef struct pp_cost_row {
    bool area;             /* of component `what`; else energy of action `what` */
    int what;
    double value;
    const char *source;
    int32_t year, node_nm;
} pp_cost_row;

typedef struct pp_cost_preset_table {
    const char *name, *source;
    int boundary, scope;
    uint32_t rows, cols;   /* array for which a lumped MVM is published; 0: not lumped */
    int adc_bits;          /* resolution that the converter's figure is for; 0: it holds for any */
    const pp_cost_row *row;
    size_t n;
} pp_cost_preset_table;

/* NULL for unknown names and past the end. */
const pp_cost_preset_table *pp_cost_preset_find(const char *name);
const pp_cost_preset_table *pp_cost_preset_at(size_t i);

/* Knob that holds a figure ("adc_fj"). */
const char *pp_cost_energy_knob(pp_action a);
const char *pp_cost_area_knob(pp_component c);

#endif

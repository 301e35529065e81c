/* The cost table: what one action costs in energy, what one component costs in area, and who says so.
 *
 * Counting (sim/energy.h) and pricing are apart: a mapping and a run give counts of actions, this table a figure for
 * each, with its source, year and technology node. Figures come from a preset (arch/cost_presets.c) and are overridden
 * one by one by section "cost" of a run file; what nobody gives is not priced, and reports say so.
 *
 * Two rules. An MVM is priced as a whole (MVM) or in parts (ARRAY, DAC, ADC, SHIFT_ADD), never both. Every total names
 * its boundary: only actions inside it are added up. */
#ifndef PP_ARCH_COST_H
#define PP_ARCH_COST_H

#include "arch/arch.h"

/* Boundaries, each including the one before: the analog MVM; the core around it; the chip; the memory beside it. */
typedef enum pp_boundary {
    PP_BOUNDARY_MVM,
    PP_BOUNDARY_CORE,
    PP_BOUNDARY_CHIP,
    PP_BOUNDARY_CHIP_DRAM,
    PP_BOUNDARY_COUNT
} pp_boundary;
/* Does a read of the array drive all its rows and columns, or those that the tile uses? */
typedef enum pp_cost_scope { PP_SCOPE_WHOLE, PP_SCOPE_USED } pp_cost_scope;

typedef enum pp_energy_class {
    PP_CLASS_MVM,
    PP_CLASS_DIGITAL,
    PP_CLASS_BUFFER,
    PP_CLASS_ROUTER,
    PP_CLASS_WIRE,
    PP_CLASS_STATIC,
    PP_CLASS_DRAM,
    PP_CLASS_COUNT
} pp_energy_class;

/* What is counted, and one of it:                       */
typedef enum pp_action {
    PP_ACTION_MVM,          /* read of a whole array (one input slice, one phase), everything included */
    PP_ACTION_ARRAY,        /* cell (column position) in a read */
    PP_ACTION_DAC,          /* row driven in a read */
    PP_ACTION_ADC,          /* conversion: column in a read */
    PP_ACTION_SHIFT_ADD,    /* conversion combined with others: several input slices, phases or weight slices */
    PP_ACTION_SCALE,        /* value scaled and offset: a converted column of an MVM, a batch norm alone, a product */
    PP_ACTION_ADD,          /* partial sum of another row tile, or a bias, added */
    PP_ACTION_RESIDUAL,     /* residual value rescaled and added */
    PP_ACTION_ACTIVATION,   /* value through the activation */
    PP_ACTION_POOL,         /* value taken into a pooling window */
    PP_ACTION_REQUANTIZE,   /* value brought to its stream's format */
    PP_ACTION_BUFFER_WRITE, /* bit written to a core's memory */
    PP_ACTION_BUFFER_READ,  /* bit read from it */
    PP_ACTION_ROUTER,       /* bit (headers included) switched onto a network channel */
    PP_ACTION_WIRE,         /* bit moved by one millimetre */
    PP_ACTION_STATIC_CORE,  /* nanosecond of a core of the fabric, used or not (fJ/ns = uW) */
    PP_ACTION_STATIC_CHIP,  /* nanosecond of the rest of the chip */
    PP_ACTION_DRAM,         /* bit of input or output across the chip's edge */
    PP_ACTION_COUNT
} pp_action;

typedef enum pp_component {
    PP_COMPONENT_MVM,     /* array with everything that an MVM takes */
    PP_COMPONENT_CELL,    /* column position x row */
    PP_COMPONENT_DAC,     /* driver of a row */
    PP_COMPONENT_ADC,     /* converter */
    PP_COMPONENT_DIGITAL, /* digital unit of a core */
    PP_COMPONENT_BUFFER,  /* memory of a core */
    PP_COMPONENT_ROUTER,  /* switch of a core */
    PP_COMPONENT_CORE,    /* the rest of a core */
    PP_COMPONENT_CHIP,    /* the rest of the chip, once */
    PP_COMPONENT_COUNT
} pp_component;

const char *pp_action_name(pp_action a);       /* "mvm" ... */
const char *pp_action_unit(pp_action a);       /* one of it: "read", "bit mm" ... */
pp_energy_class pp_action_class(pp_action a);
pp_boundary pp_action_boundary(pp_action a);   /* the smallest that holds it */
const char *pp_energy_class_name(pp_energy_class c);
const char *pp_component_name(pp_component c);
const char *pp_boundary_name(pp_boundary b);   /* "mvm" "core" "chip" "chip_dram" */

/* A figure and who says it. source NULL: nobody, not priced (value 0). */
typedef struct pp_figure {
    double value;          /* fJ, or um2 */
    const char *source;    /* static text; "run file" when section "cost" gives it */
    int32_t year, node_nm; /* of the source; 0 for figures of a run file */
} pp_figure;

typedef struct pp_cost {
    const char *preset, *source; /* static */
    int boundary;                /* pp_boundary */
    int scope;                   /* pp_cost_scope */
    pp_figure energy[PP_ACTION_COUNT];    /* fJ an action */
    pp_figure area[PP_COMPONENT_COUNT];   /* um2 a component */
} pp_cost;

/* Section "cost" of a run file. A figure that is not set is the preset's; 0 turns it off. */
typedef struct pp_cost_options {
    const char *preset;    /* auto: that of arch.preset where there is one, else generic */
    int boundary, scope;   /* 0: the preset's; else 1 + pp_boundary, 1 + pp_cost_scope */
    double energy[PP_ACTION_COUNT], area[PP_COMPONENT_COUNT];
} pp_cost_options;
pp_knob_table pp_cost_knobs(void);

/* Presets: name and source; NULL past the end. */
const char *pp_cost_preset(size_t i, const char **source);
/* Table of a preset alone; `arch` decides what "auto" is and whether a lumped figure fits its array. */
pp_status pp_cost_from_preset(pp_cost *out, const char *preset, const pp_arch *arch);
/* Preset with what `config` sets over it. PP_EINVAL, one line with file and line: an unknown preset, a lumped figure of
 * an array of another size, an MVM priced both ways. */
pp_status pp_cost_resolve(pp_cost *out, const pp_config *config, const pp_arch *arch);

/* Whether any component has an area. */
bool pp_cost_has_area(const pp_cost *cost);

/* Area of `cores` cores and the chip around them: count of each component x its figure, in um2. */
uint64_t pp_component_count(pp_component c, const pp_arch *arch, uint32_t cores);
double pp_cost_area_um2(const pp_cost *cost, const pp_arch *arch, uint32_t cores);

/* Actions of one MVM on the given part of an array (all of it where cost.scope is whole): adds to count[]. Array part
 * only: the digital end is the caller's. */
void pp_cost_count_mvm(double count[PP_ACTION_COUNT], const pp_cost *cost, const pp_arch *arch, uint32_t rows_used,
                       uint32_t cols_used, uint32_t in_bits, uint32_t wbits, double mvms);
/* Sum of count x figure over the actions inside the boundary, fJ. */
double pp_cost_price_fj(const pp_cost *cost, const double count[PP_ACTION_COUNT]);

/* What `cores` cores do when each starts an MVM on its whole array as soon as the one before allows: the figures that
 * papers print as peak. Energy: the MVMs and static power, inside the boundary. */
typedef struct pp_peak {
    double tops;           /* 2 x multiply-accumulates of whole weights */
    double watt, tops_per_w;
    double mvm_fj;         /* one MVM, static power left out */
    double area_mm2, tops_per_mm2; /* 0 when areas are not priced */
    double watt_of[PP_ACTION_COUNT];
} pp_peak;
pp_peak pp_cost_peak(const pp_cost *cost, const pp_arch *arch, uint32_t in_bits, uint32_t wbits, uint32_t cores);

#endif

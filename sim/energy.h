/* Energy: actions of an inference counted from a mapping and a run, priced by a cost table (docs/energy.md).
 *
 * Counting knows nothing of prices. It takes the firings of each tile and the bits of each channel from the run's
 * counters (or, without a run, from the mapping's own) and turns them into actions, stage by stage. What one
 * firing does follows from the hardware model alone, never from values: padding is read and converted like any
 * other row, and a window is read from the core's memory anew for each MVM. */
#ifndef PP_SIM_ENERGY_H
#define PP_SIM_ENERGY_H

#include "arch/cost.h"
#include "sim/sim.h"

/* Actions and energy of one stage (or of what belongs to none: static power, the chip's edge), an inference. */
typedef struct pp_energy_row {
    double count[PP_ACTION_COUNT];
    double energy_fj;                   /* inside the boundary */
    double class_fj[PP_CLASS_COUNT];
    double macs;                        /* useful multiply-accumulates */
    double digital_macs;                /* those of them that no crossbar does: products of activations */
    double kv_bits;                     /* read from the memory of attention units: their right factors */
    double cells;                       /* cells of whole arrays that its MVMs ran over, in weights: macs of crossbars / cells is
                                           how well arrays are used */
} pp_energy_row;

typedef struct pp_energy {
    const pp_cost *cost;                /* borrowed */
    uint32_t n_stages;
    pp_energy_row *stage;               /* [n_stages + 1]; the last is the chip's own */
    pp_energy_row total;
    uint64_t interval_ps;               /* of the run, or the mapping's bound */
    double power_w;                     /* total energy / interval */
    double tops, tops_per_w;            /* useful: 2 x macs of the network */
    double utilisation;                 /* useful macs of crossbars / weights of whole arrays, all MVMs */
    double area_mm2, tops_per_mm2;      /* of all cores of the fabric; 0 when no area is priced */
    bool has_area;
    bool unpriced[PP_ACTION_COUNT];     /* happened inside the boundary, and nobody gave it a figure */
} pp_energy;

/* run NULL: firings, channel bits and interval are those of the mapping (its bound). *out is the caller's:
 * pp_energy_free. O(tiles + flows + edges + pixels of pooled maps). */
pp_status pp_energy_new(pp_energy **out, const pp_cost *cost, const pp_qnetwork *q, const pp_arch *arch,
                        const pp_fabric *fabric, const pp_mapping *m, const pp_run_result *run);
void pp_energy_free(pp_energy *e);

#endif

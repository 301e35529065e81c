/* topology/normalise.h: what a fabric spends, and channels made wider or narrower until fabrics spend the same.
 *
 * Two fabrics with the same channels are not equally dear: one has more wire, more pins, larger switches. A
 * comparison says which of these it holds equal. Hardware model sec. 5. */
#ifndef PP_TOPOLOGY_NORMALISE_H
#define PP_TOPOLOGY_NORMALISE_H

#include "topology/topology.h"

/* What is the same for all fabrics: the width of a channel, the bits in and out of a core, the sum of width x
 * length, the bits across the bisection, or the area of switches and wires. */
typedef enum pp_normalise {
    PP_NORMALISE_CHANNEL,
    PP_NORMALISE_PINS,
    PP_NORMALISE_WIRE,
    PP_NORMALISE_BISECTION,
    PP_NORMALISE_AREA,
    PP_NORMALISE_COUNT
} pp_normalise;
const char *pp_normalise_name(pp_normalise n); /* "channel", "pins" ...: static */
pp_status pp_normalise_parse(pp_normalise *out, const char *text);

/* Budgets of a fabric with its present channels. A channel is (rate of all lanes / clock) bits wide. */
typedef struct pp_fabric_budget {
    uint32_t radix_max;    /* ports of the largest switch one way, local ones included; with a port a link
                              (per_link) each link that ends at a core has one */
    double pins_per_core;  /* bits in and out: the largest sum over network channels that end at a switch, by the
                              cores on that switch; switches without cores count as a share of every core */
    double wire_bit_mm;    /* sum of width x length, network channels */
    double bisection_bits; /* width of all network channels across the bisection, both ways */
    bool bisection_exact;
    double bisection_gbps;
    double switch_mm2; /* sum over switches of (radix x width x wire pitch)^2: a matrix of crossing wires */
    double wire_mm2;   /* wire_bit_mm x wire pitch */
} pp_fabric_budget;

/* clock_hz > 0 turns rates into widths; pitches in mm and um. Costs a pp_fabric_measure. */
pp_status pp_fabric_budget_of(pp_fabric_budget *out, const pp_fabric *fabric, double clock_hz, double core_pitch_mm,
                              double wire_pitch_um);
/* The same of a fabric that has been measured. */
pp_status pp_fabric_budget_from(pp_fabric_budget *out, const pp_fabric *fabric, const pp_fabric_metrics *metrics,
                                double clock_hz, double core_pitch_mm, double wire_pitch_um);

/* By how much the channels of a fabric with budget `own` must be widened to spend what `reference` spends. 1 when
 * either budget is empty (a single core has no wire). Area: the root of
 *   switch x s^2 + wire x s = reference's switch + wire. */
double pp_normalise_factor(pp_normalise n, const pp_fabric_budget *own, const pp_fabric_budget *reference);

/* Multiplies the rate of every network channel; ports stay as they are. */
void pp_fabric_scale_channels(pp_fabric *fabric, double factor);

#endif

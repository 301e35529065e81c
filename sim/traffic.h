/* Open-loop network studies: who sends to whom, when, how much, and what is measured. docs/network.md
 *
 * Rates are flits a core and cycle. A packet's latency counts from its creation (entering the source
 * queue) to the ejection of its tail; network latency from its head leaving the source. */
#ifndef PP_SIM_TRAFFIC_H
#define PP_SIM_TRAFFIC_H

#include "sim/net.h"

/* ---- destinations ---- */

typedef struct pp_pattern pp_pattern;
/* "uniform transpose bitcomp bitrev shuffle tornado neighbor hotspot1 hotspot4", "hotspot:27,28[@SHARE]" (the rest
 * uniform), "permutation:FILE" (CSV src,dst), "trace:FILE" (CSV time,src,dst,flits), "random-permutation". Fails in
 * one line when the pattern does not fit the number of cores. */
pp_status pp_pattern_new(pp_pattern **out, const pp_fabric *fabric, const char *text, uint64_t seed);
/* A traffic matrix: weight[i] of the packets of all cores go from src[i] to dst[i]. Name is for reports. */
pp_status pp_pattern_matrix(pp_pattern **out, const pp_fabric *fabric, const char *name, const uint32_t *src,
                            const uint32_t *dst, const double *weight, size_t n);
void pp_pattern_free(pp_pattern *p);
const char *pp_pattern_name(const pp_pattern *p);
/* Names of the built-in patterns, NULL past the end. */
const char *pp_pattern_builtin(size_t i, const char **text);
/* Destination of one packet; PP_NOC_TREE_NONE: this core sends nothing. */
uint32_t pp_pattern_destination(const pp_pattern *p, uint32_t src, pp_rng *rng);
/* Share of all packets that a core creates, times the number of cores (1 for the regular patterns). */
double pp_pattern_weight(const pp_pattern *p, uint32_t src);

/* ---- what is offered, what is measured ---- */

typedef enum pp_arrival {
    PP_ARRIVAL_BERNOULLI, /* each cycle a packet with probability rate / size */
    PP_ARRIVAL_POISSON,   /* exponential gaps, several packets a cycle possible; ready in the next whole cycle */
    PP_ARRIVAL_ONOFF      /* Bernoulli at `peak` in bursts of `burst` cycles on average */
} pp_arrival;

typedef struct pp_traffic_options {
    double rate;
    pp_arrival arrival;
    double peak, burst;        /* on-off: flits a cycle in a burst, cycles a burst */
    uint32_t n_sizes;          /* distribution of packet sizes */
    uint32_t flits[16];
    double share[16];          /* sums to 1 */
    uint32_t reply_flits;      /* > 0: each packet is a request that its destination answers; two message classes */
    uint64_t seed;
    uint32_t seeds;            /* runs with different seeds, averaged */
    bool booksim;              /* measuring conventions of the reference curves; else warm-up by MSER, batch means */
    uint64_t period;           /* cycles of a sample period or batch; 0: chosen by the rate */
    uint64_t warmup;           /* cycles; UINT64_MAX: chosen (booksim: 3 periods) */
    uint64_t max_cycles;       /* measured at most; 0: chosen */
    double precision;          /* stop when the 95 % interval of the latency is this share of it */
    double latency_limit;      /* mean latency above which the network counts as saturated, cycles */
} pp_traffic_options;
void pp_traffic_defaults(pp_traffic_options *o);

typedef struct pp_traffic_point {
    double rate, packet_latency, network_latency; /* means over packets created in the measured time */
    double ci95;               /* half width for the packet latency: batch means, or over the seeds */
    double p50, p95, p99;      /* packet latency, quantiles of a histogram with bins of 1/64 octave */
    double latency_min, latency_max;
    double accepted;           /* flits a core and cycle ejected in the measured time */
    double offered;            /* created in it */
    double routers;            /* mean over packets */
    double max_channel_load;   /* flits a cycle on the busiest network channel, over the whole run */
    uint64_t packets, cycles, flit_hops, warmup_cycles; /* summed over seeds; warm-up: of the first */
    uint32_t batches;          /* behind the interval */
    bool saturated;
    double wall_s;             /* never in reports */
} pp_traffic_point;

/* One load. `pool`: seeds in parallel; with one seed, network->threads partitions. */
pp_status pp_traffic_run(pp_traffic_point *out, const pp_fabric *fabric, const pp_noc_options *network,
                         const pp_noc_routing *routing, const pp_pattern *pattern, const pp_traffic_options *options,
                         pp_pool *pool);
/* Several loads; rates[n] ascending, all (load, seed) pairs in parallel. `progress` may be NULL. */
pp_status pp_traffic_sweep(pp_traffic_point *out, const double *rates, size_t n, const pp_fabric *fabric,
                           const pp_noc_options *network, const pp_noc_routing *routing, const pp_pattern *pattern,
                           const pp_traffic_options *options, pp_pool *pool, pp_progress *progress);
/* Highest rate that is not saturated, by bisection to `resolution` (share of it). */
pp_status pp_traffic_saturation(double *rate, double resolution, const pp_fabric *fabric,
                                const pp_noc_options *network, const pp_noc_routing *routing,
                                const pp_pattern *pattern, const pp_traffic_options *options, pp_progress *progress);
/* "8" or "1:0.5,8:0.5" into sizes and shares. */
pp_status pp_traffic_sizes(pp_traffic_options *o, const char *text);

#endif

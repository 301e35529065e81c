/* sim/: time (discrete events over a mapping) and values (the tiled crossbars). */
#ifndef PP_SIM_SIM_H
#define PP_SIM_SIM_H

#include "mapper/mapper.h"
#include "sim/kernel.h"

typedef enum pp_switching {
    PP_SWITCH_IDEAL, /* each flow has a private path: serialisation at channel rate, no sharing */
    PP_SWITCH_SAF,   /* store and forward: a hop starts when the whole packet is there */
    PP_SWITCH_VCT,   /* virtual cut-through: a hop starts when the head is there and the channel is free */
    PP_SWITCH_FLIT   /* wormhole with virtual channels, cycle by cycle (sim/net.h) */
} pp_switching;

/* CNN runs: true simulates every inference; auto and false let a pipeline that repeats itself be continued, equal to the bit.
 * Language models: true takes every tile on its own and simulates every token, auto does where that is cheap, or lockstep
 * (sim/tokens_way.h), false takes lockstep. */
typedef enum pp_exact { PP_EXACT_AUTO, PP_EXACT_TRUE, PP_EXACT_FALSE } pp_exact;

/* Section "simulate" of a run file (knobs: sim/knobs.c). */
typedef struct pp_sim_options {
    int64_t images;         /* inferences through the pipeline, default 100 */
    int kernel;             /* pp_kernel_kind */
    int switching;          /* pp_switching, default vct */
    int64_t execute;        /* inferences whose real values move through the buffers, default 0 */
    int exact;              /* pp_exact, default auto */
    /* flit switching alone */
    const char *router;     /* "" or keys of pp_noc_preset over its defaults */
    int64_t vcs;            /* virtual channels a port; 0: 4, or as many as the routes need */
    int64_t buffer_flits;   /* of a virtual channel; 0: the longest packet, at least 8 */
    int64_t flit_bits;      /* of a lane: a flit has lanes x flit_bits, and a cycle is what it takes */
} pp_sim_options;
pp_knob_table pp_sim_knobs(void);

/* ---- results (sim -> report); arrays owned by the result ---- */

typedef struct pp_stage_result {
    uint64_t firings;            /* all copies, all inferences */
    uint64_t first_fire_ps, first_done_ps, last_done_ps; /* first inference: first firing starts, first and last result */
    double utilisation;          /* of its busiest core, over the steady window */
    uint64_t wait_input_ps, wait_room_ps, busy_ps; /* of its busiest core */
} pp_stage_result;

/* When a stage worked on one of the first inferences: its first firing starts, its first and last result. */
typedef struct pp_stage_span {
    uint64_t first_fire_ps, first_done_ps, last_done_ps;
} pp_stage_span;

typedef struct pp_core_result {
    uint32_t tile, core;
    uint64_t firings, busy_ps;
    double utilisation;
    uint64_t memory_high_bytes;  /* input buffers and waiting outputs together, most at once */
} pp_core_result;

typedef struct pp_channel_result {
    uint64_t packets, bits, busy_ps; /* bits: payload + headers; equals inferences x channel_bits */
    double utilisation;          /* over the steady window */
    uint64_t wait_ps;            /* time that packets waited for it */
    uint32_t queue_high;         /* most packets waiting */
    uint64_t blocked_ps;         /* of the waiting: the channel was free, but nothing behind it had room (head of line) */
    uint32_t vc_high;            /* flit: most flits in one virtual channel at its far side */
    double vc_mean;              /* flit: mean flits in the buffers at its far side */
} pp_channel_result;

/* Who waits for whom, per edge of a multicast tree, that is: per net and channel. */
typedef struct pp_edge_result {
    uint64_t waited_ps;          /* its packets waited for the channel */
    uint64_t caused_ps;          /* packets waited while the channel served its packets; flit: by its share of the flits */
} pp_edge_result;

typedef struct pp_flow_result {
    uint64_t packets;
    uint32_t buffer_high;        /* most positions held */
    uint64_t latency_sum_ps, latency_max_ps; /* packet ready -> delivered */
} pp_flow_result;

typedef struct pp_run_result {
    uint32_t images;
    uint64_t *done_ps;           /* [images] when the last output of each inference is complete */
    uint64_t latency_first_ps;   /* done_ps[0] (pixels enter from time 0) */
    uint64_t interval_ps;        /* steady: (done[l] - done[f]) / (l - f), rounded, f and l a quarter of the
                                    inferences from either end; not below the busiest resource's busy time
                                    an inference; docs/timing.md */
    double throughput_ips;       /* 1e12 / interval */
    uint64_t end_ps;
    uint64_t events, trace_hash; /* of the kernel */
    double extrapolated_share;   /* of the inferences that were extrapolated, 0 when all were simulated */
    double max_channel_utilisation;
    uint32_t n_stages, n_tiles, n_channels, n_flows;
    pp_stage_result *stage;
    uint32_t span_images;        /* inferences in span: the first ones, at most 16 and none that was extrapolated */
    pp_stage_span *span;         /* [span_images x n_stages] */
    pp_core_result *core;        /* [n_tiles] */
    pp_channel_result *channel;
    pp_flow_result *flow;
    uint32_t n_edges;
    pp_edge_result *edge;        /* [n_edges] of the mapping */
    uint32_t executed;           /* inferences with values */
    double *logits;              /* [executed][classes] */
    uint32_t classes;
    double simulate_s;           /* wall clock; never in reports */
} pp_run_result;

void pp_run_result_free(pp_run_result *r);

/* A firing of a tile, or a packet on a channel. */
typedef struct pp_trace_event {
    uint64_t ready_ps; /* its inputs were complete; the packet asked for the channel */
    uint64_t start_ps, end_ps; /* array or channel busy: [start, end) */
    uint32_t object;   /* tile; channel; a flow when `flow` is set */
    bool flow;         /* ideal switching: a transfer over the flow's own path, [start, end) at its source */
    uint32_t net;      /* PP_NONE: a firing; else of the packet */
    uint32_t inference, position; /* language models: number of the token, position in its sequence */
    uint32_t sequence, copy; /* language models: of the token; of the server, which takes tokens in turn. Flit switching:
                                copy is the virtual channel, of which several take turns on a channel */
} pp_trace_event;

/* Optional observer of what happens (report/trace.h is one). Both REQUIRED. Calls come in the order of
 * events: fire at the start of a firing, packet when its start on a channel is known (with unlimited FIFOs
 * that may be ahead of time). Flit switching tells of a packet on a channel when its tail leaves it; ideal switching
 * of a transfer over each flow's path when it is sent. An observed pipeline is never extrapolated. */
typedef struct pp_trace_ops {
    void (*fire)(void *sink, const pp_trace_event *e);
    void (*packet)(void *sink, const pp_trace_event *e);
} pp_trace_ops;

/* Simulates the pipeline (docs/timing.md). *out is the caller's: pp_run_result_free. q supplies widths (and
 * values when options->execute > 0, with `data`). A deadlock is PP_EDEADLOCK: the text names the operators
 * that wait on each other and the buffer that would free them. trace may be NULL. */
pp_status pp_simulate(pp_run_result **out, const pp_qnetwork *q, const pp_arch *arch, const pp_fabric *fabric,
                      const pp_mapping *m, const pp_sim_options *options, const pp_dataset *data,
                      const pp_trace_ops *trace, void *sink);

/* A core model from outside in place of one tile's: its time from a firing to its result. How often it can be
 * fired, what it reads and what it sends stay the pipeline's. examples/systemc_module/core.cpp is one in SystemC. */
typedef struct pp_core_guest {
    uint32_t tile;
    /* OPTIONAL: once, before the first event: attaches modules (pp_kernel_attach). */
    pp_status (*attach)(void *user, pp_kernel *k);
    /* REQUIRED: the tile starts a firing at pp_kernel_now(k). When its result is there, now or later and in the
     * order of the firings, the guest schedules `reply` (payload 0), once a firing. */
    pp_status (*fire)(void *user, pp_kernel *k, uint32_t reply, uint32_t inference, uint32_t position);
    void *user;
} pp_core_guest;
/* pp_simulate with a guest; nothing is extrapolated. PP_EINVAL for a tile that is not there. A guest that never replies
 * ends as PP_EDEADLOCK. */
pp_status pp_simulate_guest(pp_run_result **out, const pp_qnetwork *q, const pp_arch *arch, const pp_fabric *fabric,
                            const pp_mapping *m, const pp_sim_options *options, const pp_core_guest *guest);

/* ---- values: the tiled crossbars ---- */

/* The numeric path of the same mapping: for each row tile the raw accumulators, the ADC, the sum, the
 * digital end. With ideal ADCs (arch.adc_bits = 0) it equals the integer reference to the bit. */
typedef struct pp_crossbar pp_crossbar;
/* Calibrates ADC ranges on `calib` (arch.adc_range, adc_scope). */
pp_status pp_crossbar_new(pp_crossbar **out, const pp_qnetwork *q, const pp_arch *arch, const pp_mapping *m,
                          const pp_dataset *calib, pp_pool *pool);
void pp_crossbar_free(pp_crossbar *x);
/* Images [first, first + n) -> logits[n][classes]; one image a worker, any thread count the same bits. */
pp_status pp_crossbar_run(pp_crossbar *x, pp_pool *pool, const pp_dataset *data, uint32_t first, uint32_t n,
                          float *logits);
/* Per tile figures for the report. */
typedef struct pp_tile_adc {
    double full_scale_min, full_scale_max; /* accumulator units over the tile's columns */
    double clipped_share;                  /* of conversions on the calibration images */
    double sqnr_db;                        /* of the converted partial sums, calibration images */
} pp_tile_adc;
const pp_tile_adc *pp_crossbar_adc(const pp_crossbar *x, uint32_t tile);
/* Slow reference of the same, one image, plain loops tile by tile: logits[classes]. */
pp_status pp_crossbar_reference(const pp_crossbar *x, const int16_t *input, double *logits);

#endif

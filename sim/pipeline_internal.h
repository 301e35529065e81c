/* The model that the event kernel drives: tiles that fire, flows with buffers, nets whose packets ride
 * channels. Flat arrays addressed by the indices of pp_mapping. docs/timing.md says what it means. */
#ifndef PP_SIM_PIPELINE_INTERNAL_H
#define PP_SIM_PIPELINE_INTERNAL_H

#include "base/term.h"
#include "sim/sim.h"

/* Events; the index of the target is a tile, an edge, a flow or a channel. */
enum {
    PP_SIM_EV_WAKE,    /* tile: its array is free, or its pixels are in */
    PP_SIM_EV_RESULT,  /* tile: the oldest firing under way has its result */
    PP_SIM_EV_EMIT,    /* tile: the digital unit is through with the oldest joined firing */
    PP_SIM_EV_HEAD,    /* edge: head of its next packet at the far side; payload: its tail comes so much later */
    PP_SIM_EV_TAIL,    /* edge: tail of its next packet at the far side, where flows end */
    PP_SIM_EV_FLOW,    /* flow: arrival over a private path (ideal switching) */
    PP_SIM_EV_CHANNEL, /* channel: free again (finite FIFOs) */
    PP_SIM_EV_CREDIT,  /* channel: a slot behind it is free again (finite FIFOs) */
    PP_SIM_EV_CYCLE,   /* 0: the flit network's cycle `payload` */
    PP_SIM_EV_COUNT
};

/* What firing j of a tile asks of one input: packets that must have arrived, and packets that may go
 * once it starts (no later firing of this tile reads them). Both count from the inference's first. */
typedef struct pp_sim_step {
    uint32_t need, drop;
} pp_sim_step;

/* Growable ring of records, oldest first. */
typedef struct pp_sim_ring {
    void *data;
    size_t size;         /* of a record */
    uint64_t head, tail; /* records [head, tail) live at data + (i & mask) x size */
    uint64_t mask;       /* capacity - 1; data == NULL: capacity 0 */
} pp_sim_ring;
void pp_sim_ring_init(pp_sim_ring *r, size_t size);
pp_status pp_sim_ring_grow(pp_sim_ring *r); /* room for one more */
static inline void *pp_sim_ring_at(const pp_sim_ring *r, uint64_t i)
{
    return (char *)r->data + (i & r->mask) * r->size;
}
static inline bool pp_sim_ring_full(const pp_sim_ring *r)
{
    return !r->data || r->tail - r->head > r->mask;
}

/* The network's input at one consumer: stream 0 is no flow. */
typedef struct pp_sim_tap {
    uint32_t tile;
    const pp_sim_step *step; /* [firings of the tile] */
    uint64_t base;           /* pixels before the inference that its tile fires next */
    uint64_t released;
} pp_sim_tap;

typedef struct pp_sim_feed {
    uint64_t pixel_ps; /* serialisation of a pixel on a network channel */
    uint32_t pixels;   /* an inference */
    uint32_t capacity; /* pixels that a tap holds; 0 = unlimited */
    uint32_t n_taps;
    pp_sim_tap *tap;      /* ordered by tile */
    uint64_t granted;     /* pixels that have, or know, their time of arrival (capacity > 0) */
    uint64_t released;    /* least over taps */
    uint64_t last_ps;     /* arrival of the last one granted */
    uint64_t *arrival_ps; /* ring of the last `mask + 1` arrivals */
    uint64_t mask;
} pp_sim_feed;

typedef struct pp_sim_tile {
    /* fixed */
    uint64_t interval_ps, result_ps; /* of a firing: array busy; start to RESULT */
    uint64_t digital_ps;             /* from the join to the packet; in result_ps when nothing is joined */
    uint32_t stage, copy, copies;
    uint32_t firings;            /* own, an inference */
    uint32_t first_in, n_in;     /* sim->in_flow: activations and residuals */
    uint32_t first_psum, n_psum; /* sim->psum_flow */
    uint32_t first_room, n_room; /* sim->room_flow: outgoing flows with finite buffers */
    uint32_t first_net, n_net;   /* mapping's net_of_tile */
    uint32_t first_tap, n_tap;
    uint32_t window;          /* own firings that may wait for partial sums; 0 = unlimited */
    const uint32_t *emission; /* positions that each firing completes; NULL: one */
    bool head, output;
    /* where it stands */
    bool queued, wants_feed;
    uint32_t missing;               /* flows of which the next firing still waits for packets */
    uint32_t next, image;           /* next firing to start */
    uint32_t done_next, done_image; /* next firing to complete */
    uint64_t fired, results, joined, completed;
    uint64_t free_ps, wake_ps; /* array free from; time of the wake under way */
    uint64_t inputs_ps;        /* when the inputs of the next firing were complete */
    /* counters */
    uint64_t busy_ps, wait_input_ps, wait_room_ps;
    uint64_t in_bytes, out_bytes, high_bytes;
} pp_sim_tile;

typedef struct pp_sim_flow {
    uint32_t src, dst, net;
    uint32_t positions;       /* packets an inference */
    uint32_t capacity, bytes; /* bytes of a position in the buffer */
    bool psum;
    const pp_sim_step *step; /* NULL for partial sums */
    uint64_t base;           /* packets before the inference that the consumer fires next */
    uint64_t need;           /* packets that the consumer's next firing waits for */
    uint64_t reserved, arrived, released;
    uint32_t high;
    uint64_t latency_sum_ps, latency_max_ps;
    /* ideal switching: its private path */
    uint64_t path_ps, path_free_ps; /* sum of latencies; free from */
    uint64_t path_serialise_ps[4];  /* on the slowest channel, by kind of patch */
} pp_sim_flow;

typedef struct pp_sim_net {
    uint32_t src, first_root, n_root; /* sim->edge_list: edges without a parent */
    uint32_t copies, copy;            /* packet i is position copy + i x copies of the map */
    const uint8_t *kind;              /* kind of patch of each position; NULL: all whole */
    uint64_t emitted;
    pp_sim_ring ready; /* time at which each packet under way was ready */
} pp_sim_net;

typedef struct pp_sim_edge {
    uint32_t channel, net, parent;
    uint32_t first_child, n_child; /* sim->edge_list */
    uint32_t first_end, n_end;     /* mapping's edge_end */
    uint32_t packets, next;        /* packets an inference; the next one's index in its inference */
    uint64_t sent;
    uint64_t waited_ps, caused_ps; /* its packets for the channel; others behind its packets */
    uint64_t serialise_ps[4]; /* payload and header, by kind of patch */
    uint32_t bits[4];
} pp_sim_edge;

/* A packet that waits. Unlimited FIFOs know its start when it comes; finite ones need its arrival. */
typedef struct pp_sim_waiting {
    uint64_t time_ps, tail_ps; /* start, or arrival of the head; arrival of the tail */
    uint32_t edge;
    uint32_t out_bytes; /* at the source: frees so much of its core's memory at the start */
} pp_sim_waiting;

typedef struct pp_sim_channel {
    uint64_t free_ps, latency_ps, wake_ps;
    pp_sim_ring queue; /* pp_sim_waiting */
    uint32_t credits;  /* free slots behind it, when FIFOs are finite */
    uint64_t packets, bits, busy_ps, wait_ps, blocked_ps;
    uint64_t since_ps; /* waiting is charged up to here */
    uint32_t serving;  /* edge whose packet started last; PP_NONE before the first */
    uint32_t queue_high;
} pp_sim_channel;

/* Finite FIFOs: a slot behind a channel, until all branches of its packet have gone on. */
typedef struct pp_sim_slot {
    uint32_t branches;
    uint64_t tail_ps; /* latest tail that has left it */
} pp_sim_slot;

/* Counters at the completion of an inference, for utilisation. */
typedef struct pp_sim_snapshot {
    uint64_t *tile_busy_ps, *channel_busy_ps;
} pp_sim_snapshot;

struct pp_exec;
struct pp_repeat;
struct pp_flits;

typedef struct pp_sim {
    const pp_qnetwork *q;
    const pp_arch *arch;
    const pp_fabric *fabric;
    const pp_mapping *m;
    const pp_sim_options *options;
    const pp_trace_ops *trace;
    void *sink;
    const pp_core_guest *guest;          /* NULL: none */
    pp_kernel *kernel;
    pp_arena *arena;                     /* owns every fixed array below */
    uint32_t images;                     /* to simulate: fewer than asked for once a repetition is found */
    uint32_t fifo_packets;               /* behind each channel; 0 = unlimited */
    uint32_t images_done, images_looked; /* completed; of these seen by repeat.c */
    uint64_t now_ps;
    pp_sim_tile *tile;
    pp_sim_flow *flow;
    pp_sim_net *net;
    pp_sim_edge *edge;
    pp_sim_channel *channel;
    pp_sim_slot *slot; /* [n_edges x fifo_packets]: packet n of an edge has slot n mod fifo_packets */
    uint32_t *in_flow, *psum_flow, *room_flow, *edge_list;
    pp_sim_feed feed;
    uint32_t *work; /* [n_tiles] tiles to look at before the next event */
    uint32_t work_head, work_n;
    uint32_t *image_left; /* [images] last firings of output tiles still to come */
    uint64_t *done_ps;    /* [images] */
    uint32_t window[2];   /* steady window: from the completion of this inference to that of this one */
    pp_sim_snapshot shot[2];
    uint32_t span_images;                /* inferences whose spans are kept */
    pp_stage_span *span;                 /* [span_images x n_stages] */
    struct pp_exec *exec;                                     /* NULL: no values */
    struct pp_repeat *repeat;                                 /* NULL: never extrapolate */
    struct pp_flits *flits;                                   /* NULL: packets, not flits */
    uint64_t schedule_hash[2]; /* of what was scheduled since the last completion (repeat.c) */
    uint64_t horizon_ps;       /* latest event scheduled since then */
    uint32_t jumped;           /* inferences that were extrapolated */
    pp_progress bar;
} pp_sim;

/* ---- building (pipeline_build.c, steps.c) ---- */

pp_status pp_sim_build(pp_sim *s);
void pp_sim_release(pp_sim *s);
/* Of the positions below `end`, those that copy i of n emits. */
static inline uint32_t pp_sim_share(uint32_t end, uint32_t i, uint32_t n)
{
    return end > i ? (end - i - 1) / n + 1 : 0;
}
pp_status pp_sim_steps_build(pp_sim *s);
pp_patch pp_sim_stream_patch(const pp_sim *s, uint32_t stream);

/* ---- tiles (core.c) ---- */

pp_status pp_sim_on_wake(void *model, pp_kernel *k, uint32_t tile, uint64_t payload);
pp_status pp_sim_on_result(void *model, pp_kernel *k, uint32_t tile, uint64_t payload);
pp_status pp_sim_on_emit(void *model, pp_kernel *k, uint32_t tile, uint64_t payload);
/* A packet of this flow is in its buffer. */
pp_status pp_sim_deliver(pp_sim *s, uint32_t flow);
/* Looks at all tiles that something has changed for. Every handler ends with it. */
pp_status pp_sim_settle(pp_sim *s);
void pp_sim_look(pp_sim *s, uint32_t tile);
/* Whether outgoing flow f has room for what the tile's next firing emits. */
bool pp_sim_has_room(const pp_sim_tile *t, const pp_sim_flow *f);

/* ---- the network's input (feed.c) ---- */

void pp_sim_feed_start(pp_sim *s);
/* When the pixels of the tile's next firing are there; PP_TIME_NEVER: not known yet. */
uint64_t pp_sim_feed_time(const pp_sim *s, const pp_sim_tile *t);
/* The tile has started a firing: its taps move on. */
void pp_sim_feed_advance(pp_sim *s, pp_sim_tile *t);

/* ---- channels (channel.c, channel_fifo.c) ---- */

pp_status pp_sim_send(pp_sim *s, uint32_t net); /* the net's next packet is ready */
pp_status pp_sim_on_head(void *model, pp_kernel *k, uint32_t edge, uint64_t lag_ps);
pp_status pp_sim_on_tail(void *model, pp_kernel *k, uint32_t edge, uint64_t payload);
pp_status pp_sim_on_flow(void *model, pp_kernel *k, uint32_t flow, uint64_t payload);
/* One packet, there since ready_ps, starts on its edge's channel now or later: books the channel and schedules its
 * arrival. */
pp_status pp_sim_ride(pp_sim *s, uint32_t edge, uint64_t ready_ps, uint64_t start_ps, uint64_t tail_in_ps,
                      uint64_t *tail_out_ps);
/* Charges the waiting up to now: to the edge that the channel serves, or, where it stands free with no room behind
 * it, to blocked_ps. For all channels: before counters are read. */
void pp_sim_charge(pp_sim *s, pp_sim_channel *c);
void pp_sim_charge_all(pp_sim *s);
/* Waiting outputs that have left by now: out_bytes is exact afterwards. */
void pp_sim_flush_outputs(pp_sim *s, pp_sim_tile *t);
pp_status pp_sim_fifo_request(pp_sim *s, uint32_t edge, uint64_t tail_in_ps);
pp_status pp_sim_on_channel(void *model, pp_kernel *k, uint32_t channel, uint64_t payload);
pp_status pp_sim_on_credit(void *model, pp_kernel *k, uint32_t channel, uint64_t payload);
static inline uint32_t pp_sim_edge_position(const pp_sim *s, const pp_sim_edge *e)
{
    return s->net[e->net].copy + e->next * s->net[e->net].copies;
}

/* A packet is charged to its edge and channel: counted, `busy_ps` added. */
void pp_sim_count_packet(pp_sim *s, pp_sim_edge *e, uint32_t kind, uint64_t busy_ps);
uint32_t pp_sim_kind_of(const pp_sim *s, const pp_sim_edge *e);

/* ---- flits (flits.c, flits_layers.c) ---- */

pp_status pp_flits_new(pp_sim *s);
void pp_flits_free(struct pp_flits *f); /* NULL allowed */
pp_status pp_flits_send(pp_sim *s, uint32_t net);
pp_status pp_sim_on_cycle(void *model, pp_kernel *k, uint32_t index, uint64_t cycle);
/* Busy time of a channel so far, and after the run its figures and those of the edges on it. */
uint64_t pp_flits_busy_ps(const pp_sim *s, uint32_t channel);
pp_status pp_flits_result(pp_run_result *r, const pp_sim *s);
/* Layer of each net, so that in no layer channels wait for each other in a cycle; the number of layers. */
pp_status pp_flits_layers(const pp_mapping *m, uint32_t n_channels, uint8_t *layer, uint32_t *n_layers);

/* ---- the rest ---- */

pp_status pp_sim_deadlock(const pp_sim *s);                    /* deadlock.c: the text */
pp_status pp_sim_result(pp_run_result **out, const pp_sim *s); /* result.c */
void pp_sim_snapshot_take(const pp_sim *s, pp_sim_snapshot *shot);

/* repeat.c */
pp_status pp_sim_repeat_new(pp_sim *s);
void pp_sim_repeat_free(struct pp_repeat *r); /* NULL allowed */
/* Right after the completion of an inference: jumps ahead when the pipeline repeats itself. */
void pp_sim_repeat_look(pp_sim *s);
/* After the run: times and counters as if the inferences jumped over had been simulated. */
void pp_sim_repeat_apply(pp_sim *s);

static inline uint64_t pp_sim_mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return h ^ (h >> 29);
}

static inline pp_status pp_sim_schedule(pp_sim *s, uint64_t time_ps, uint32_t event, uint32_t index, uint64_t payload)
{
    if (s->repeat) {
        uint64_t base = s->images_done ? s->done_ps[s->images_done - 1] : 0;
        uint64_t what = (uint64_t)PP_TARGET(event, index) << 32 ^ payload;
        s->schedule_hash[0] = pp_sim_mix(pp_sim_mix(s->schedule_hash[0], time_ps - base), what);
        s->schedule_hash[1] = pp_sim_mix(pp_sim_mix(s->schedule_hash[1], what), s->now_ps - base);
        s->horizon_ps = time_ps > s->horizon_ps ? time_ps : s->horizon_ps;
    }
    return pp_kernel_schedule(s->kernel, time_ps, PP_TARGET(event, index), payload);
}

#endif

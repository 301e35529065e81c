/* Shared by the files of mapper/ that plan, time and analyse. Placement has place_internal.h. */
#ifndef PP_MAPPER_MAPPER_INTERNAL_H
#define PP_MAPPER_MAPPER_INTERNAL_H

#include "mapper/mapper.h"

/* ---- tiling of one stage (tiling.c) ---- */

/* Crossbars of one copy of a stage. Stages without a matrix have one tile and no rows or columns. */
typedef struct pp_tiling {
    uint32_t row_tiles, col_tiles;
    uint32_t window; /* rows that one input channel takes */
    uint32_t widen;  /* columns that one output channel takes: pixels of the patch x slices */
    uint32_t kernel; /* weights that one input channel has for one output channel and pixel */
    uint32_t groups;
    uint32_t group_tiles; /* column tiles that share out the groups; 0: a group spans several tiles */
    uint32_t cols_max;    /* columns of the largest tile */
} pp_tiling;

/* False when one channel of the window, or one output channel of the patch, exceeds the array. */
bool pp_tiling_try(pp_tiling *out, const pp_qnetwork *q, const pp_arch *arch, uint32_t stage, pp_patch patch);
/* The same with a message. */
pp_status pp_tiling_find(pp_tiling *out, const pp_qnetwork *q, const pp_arch *arch, uint32_t stage, pp_patch patch);
/* Channel ranges, size and use of one tile; stage, copy and core are the caller's. */
void pp_tiling_tile(pp_tile *tile, const pp_tiling *t, const pp_stage *stage, uint32_t col, uint32_t row);
/* A patch is never larger than the map that it cuts. */
pp_patch pp_patch_clamp(pp_patch patch, pp_shape map);

/* ---- plan (plan.c) ---- */

/* What is free to choose about a stage. */
typedef struct pp_choice {
    pp_patch patch;
    uint32_t copies;
} pp_choice;

/* Plan, tiles, flows and the list of incoming flows for choice[n_stages]. Copies are made 1 where a
 * stage cannot have several. */
pp_status pp_mapping_build(pp_mapping **out, const pp_qnetwork *q, const pp_arch *arch, const pp_choice *choice,
                           int reduction);
/* Only stages with a matrix and without pooling: a pooled position needs firings of several copies. */
bool pp_stage_may_copy(const pp_stage *stage);
pp_mvm_time pp_stage_mvm(const pp_qnetwork *q, const pp_arch *arch, uint32_t stage, const pp_tiling *t);
/* Patch in which stream `stream` comes. */
pp_patch pp_stream_patch(const pp_mapping *m, uint32_t stream);
/* Index of the head of (copy, col). */
static inline uint32_t pp_head_tile(const pp_plan *plan, uint32_t copy, uint32_t col)
{
    return plan->first_tile + (copy * plan->col_tiles + col) * plan->row_tiles + plan->row_tiles - 1;
}
/* Of the positions below `end`, those that copy i of n emits. */
static inline uint32_t pp_copy_count(uint32_t end, uint32_t i, uint32_t n)
{
    return end > i ? (end - i - 1) / n + 1 : 0;
}

/* ---- choosing patches and copies (unroll.c, search.c) ---- */

/* "32:1x4,16:1x1" and "32:2,16:1" by height, parsed; n == 0: automatic. */
typedef struct pp_by_height {
    uint32_t n;
    struct {
        uint32_t height;
        pp_choice value;
    } entry[64];
} pp_by_height;

typedef struct pp_unroll_spec {
    bool auto_patch, auto_copies;
    uint32_t copies; /* for all heights that by_copies does not name */
    pp_by_height patches, by_copies;
} pp_unroll_spec;

pp_status pp_unroll_parse(pp_unroll_spec *out, const pp_qnetwork *q, const pp_map_options *options);
/* Patch and copies that the specification gives to maps of this height (1x1 and 1 where automatic). */
pp_choice pp_unroll_of(const pp_unroll_spec *spec, uint32_t height);
/* Everything automatic decided: choice[n_stages]. */
pp_status pp_unroll_search(pp_choice *choice, const pp_unroll_spec *spec, const pp_qnetwork *q, const pp_arch *arch,
                           const pp_channel *channel, uint32_t header_bits, const pp_map_options *options);

/* ---- flows (flows.c) ---- */

pp_status pp_flows_build(pp_mapping *m, const pp_qnetwork *q);
/* Stream channels that the head of this tile's column emits. */
void pp_tile_slice(const pp_stage *stage, const pp_tile *tile, uint32_t *lo, uint32_t *hi);
/* Map and patches in which a flow's packets come: of the stream, or of the firings for partial sums. */
void pp_flow_cut(const pp_mapping *m, const pp_qnetwork *q, const pp_flow *flow, pp_shape *map, pp_patch *patch);

/* ---- packets of a flow by size (packets.c) ---- */

/* Patches of a map have at most four sizes: inside, right edge, lower edge, corner. */
typedef struct pp_packet_sizes {
    uint32_t pixels[4];
    uint32_t count[4]; /* of the packets that one source copy sends */
} pp_packet_sizes;

void pp_packet_sizes_of(pp_packet_sizes *out, pp_shape map, pp_patch patch, uint32_t copy, uint32_t copies);
/* Which of the four position p is. */
uint32_t pp_packet_kind(pp_shape map, pp_patch patch, uint32_t p);
/* Time that all packets take one after the other on a channel. */
uint64_t pp_packets_ps(const pp_packet_sizes *sizes, const pp_channel *channel, uint32_t bits_per_pixel,
                       uint32_t header_bits);
/* Time that the pixels of one inference take to enter; 0 without a channel. */
uint64_t pp_feed_pixel_ps(const pp_qnetwork *q, const pp_channel *channel);
uint32_t pp_feed_pixels(const pp_qnetwork *q);

/* ---- stream tables, kept because a search asks for the same ones again and again (tables.c) ---- */

typedef struct pp_tables pp_tables;
pp_status pp_tables_new(pp_tables **out, const pp_qnetwork *q);
void pp_tables_free(pp_tables *tables);
/* Owned by the cache. */
pp_status pp_tables_get(pp_tables *tables, uint32_t stage, uint32_t k, pp_patch fire, pp_patch in,
                        const uint32_t **last, const uint32_t **first);
pp_status pp_tables_emission(pp_tables *tables, uint32_t stage, pp_patch fire, const uint32_t **emitted);

/* ---- the recurrence (recurrence.c) ---- */

typedef struct pp_timing_input {
    const pp_mapping *m;
    const pp_qnetwork *q;
    const pp_arch *arch;
    const pp_fabric *fabric;   /* NULL: one private `channel` a flow */
    const pp_channel *channel; /* of the feed, too; NULL: pixels are all there at once */
    uint32_t header_bits;
    uint32_t inferences;
    uint64_t period_ps;
    pp_tables *tables;
} pp_timing_input;

typedef struct pp_timing {
    uint64_t latency_ps, interval_ps;
    uint32_t *buffer; /* [n_flows] or NULL: record nothing; the caller's */
    uint32_t settled; /* with buffer: inference from which on all times repeat after period_ps */
} pp_timing;

pp_status pp_timing_run(pp_timing *out, const pp_timing_input *in);

/* ---- buffers (buffers.c) ---- */

/* Whether mapping.buffers is auto, unlimited or a number. */
pp_status pp_buffers_check(const char *buffers);
/* buffer_min and buffer of all flows. Needs bounds.interval_ps. */
pp_status pp_buffers_fill(pp_mapping *m, const pp_timing_input *in, const char *buffers);
/* mapping.psum_window: no psum flow holds more than `window` positions; 0: no limit. A row tile is then
 * at most so many firings ahead of its unfinished sums. */
void pp_buffers_limit_psums(pp_mapping *m, int64_t window);

/* Frees what placement filled (nets, ways, loads, the placement's name) and forgets it. */
void pp_mapping_clear_routes(pp_mapping *m);

#endif

/* What is drawn of a language model's fabric: one block on its cores, and the groups of all levels. Rows of the
 * tables that a page draws from; docs/report-format.md describes them. */
#ifndef PP_REPORT_LM_FABRIC_INTERNAL_H
#define PP_REPORT_LM_FABRIC_INTERNAL_H

#include "mapper/lm_map.h"
#include "report/h5_internal.h"

/* A core, a switch, or a group of a level (drawn as a frame around its members when width > 0). */
typedef struct pp_lm_vertex_row {
    const char *kind;          /* "core" "switch" "group" */
    const char *label;         /* "core 17", "cluster 3" */
    const char *holds;         /* operator, or blocks; "": nothing of them */
    int64_t order;             /* of what it holds, for colours; -1: nothing */
    double x, y, width, height; /* centre; core pitch */
    uint32_t cores_used;       /* that do something */
    double up_bits, up_utilisation; /* groups: its busiest way up, a token; at the run's throughput */
} pp_lm_vertex_row;

typedef struct pp_lm_channel_row {
    uint32_t channel, level;   /* of the fabric */
    uint32_t src, dst;         /* rows of the vertices */
    double rate_gbps, bits, busy_ps, utilisation; /* a token; at the run's throughput */
} pp_lm_channel_row;

typedef struct pp_lm_flow_row {
    const char *from, *to, *kind; /* "values" "sums" */
    uint64_t bits;             /* payload a token */
    uint32_t packets;
    bool exact;
} pp_lm_flow_row;

typedef struct pp_lm_hop_row {
    uint32_t flow, channel;    /* rows */
    double bits;               /* a token, headers included */
} pp_lm_hop_row;

typedef struct pp_lm_drawn {
    PP_VEC(pp_lm_vertex_row) vertices;
    PP_VEC(pp_lm_channel_row) channels;
    PP_VEC(pp_lm_flow_row) flows;
    PP_VEC(pp_lm_hop_row) hops;
    uint32_t block;
} pp_lm_drawn;

/* The groups of the innermost level that block `layer` uses, with every channel that carries something between their
 * cores and between them, and the block's flows. tokens_s: of the run. Texts live in `arena`. A block of more than
 * 65,536 cores: nothing. */
pp_status pp_lm_draw_block(pp_lm_drawn *out, const pp_lm_mapping *m, uint32_t layer, double tokens_s, pp_arena *arena);
/* All groups, and the channels between them, with the flows of all blocks. One level, or more than 20,000 groups:
 * nothing. */
pp_status pp_lm_draw_levels(pp_lm_drawn *out, const pp_lm_mapping *m, double tokens_s, pp_arena *arena);
void pp_lm_drawn_free(pp_lm_drawn *d);

/* Column and row of a group of the innermost level over all levels above, chips beside chips. */
void pp_lm_group_place(const pp_hier *h, uint32_t group, int64_t *col, int64_t *row);

/* /fabric/NAME_vertices, /fabric/NAME_channels, /mapping/NAME_flows, /mapping/NAME_hops. */
pp_status pp_lm_drawn_write(hid_t file, const pp_lm_drawn *d, const char *name, const char *what);

#endif

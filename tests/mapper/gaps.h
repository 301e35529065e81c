/* Small placement problems with the optimum found by trying every placement: what the search is measured by.
 * Routes are given (row first), so that a placement decides everything; every net's load is counted here from the
 * routes alone. */
#ifndef PP_TEST_MAPPER_GAPS_H
#define PP_TEST_MAPPER_GAPS_H

#include "mapper/mapper.h"
#include "tests/mapper/guests.h"

#include <stdlib.h>
#include <string.h>

enum { GAP_CORES = 8, GAP_POSITIONS = 16 };

typedef struct pp_gap_problem {
    pp_guest guest;
    const pp_fabric *fabric;
    uint32_t channels[GAP_CORES];         /* of the stream that a tile emits */
    uint64_t path[GAP_CORES][GAP_CORES];  /* network channels from core to core, as bits */
    uint64_t sinks_of[GAP_CORES];
} pp_gap_problem;

/* Streams of different width, so that it matters which flows share a channel. */
static inline pp_status gap_open(pp_gap_problem *p, pp_guest guest, const pp_fabric *fabric)
{
    static const uint32_t width[] = {8, 16, 24, 8, 32, 16, 8, 24};
    memset(p, 0, sizeof *p);
    p->guest = guest;
    p->fabric = fabric;
    memcpy(p->channels, width, sizeof width);
    for (uint32_t e = 0; e < guest.edges; e++)
        p->sinks_of[guest.from[e]] |= UINT64_C(1) << guest.to[e];
    for (uint32_t a = 0; a < fabric->n_cores; a++)
        for (uint32_t b = 0; b < fabric->n_cores; b++) {
            uint32_t way[64];
            size_t n = 0;
            PP_TRY(pp_route(fabric, PP_ROUTING_XY, fabric->core_switch[a], fabric->core_switch[b], way, 64, &n));
            for (size_t i = 0; i < n; i++)
                p->path[a][b] |= UINT64_C(1) << way[i];
        }
    return PP_OK;
}

static inline uint64_t gap_bits(const pp_gap_problem *p, uint32_t tile)
{
    return GAP_POSITIONS * ((uint64_t)p->channels[tile] * 8 + p->fabric->header_bits);
}

/* Bits on the busiest channel. */
static inline uint64_t gap_load(const pp_gap_problem *p, const uint32_t *core)
{
    uint64_t load[64] = {0}, most = 0;
    for (uint32_t t = 0; t < p->guest.n; t++) {
        uint64_t used = 0;
        for (uint32_t s = 0; s < p->guest.n; s++)
            if (p->sinks_of[t] >> s & 1)
                used |= p->path[core[t]][core[s]];
        for (uint32_t c = 0; c < p->fabric->n_network; c++) {
            load[c] += used >> c & 1 ? gap_bits(p, t) : 0;
            most = load[c] > most ? load[c] : most;
        }
    }
    return most;
}

static inline void gap_try(const pp_gap_problem *p, uint32_t *core, uint32_t t, uint32_t taken, uint64_t *best)
{
    if (t == p->guest.n) {
        uint64_t load = gap_load(p, core);
        *best = load < *best ? load : *best;
        return;
    }
    for (uint32_t c = 0; c < p->fabric->n_cores; c++)
        if (!(taken >> c & 1)) {
            core[t] = c;
            gap_try(p, core, t + 1, taken | 1u << c, best);
        }
}

static inline uint64_t gap_optimum(const pp_gap_problem *p)
{
    uint32_t core[GAP_CORES];
    uint64_t best = UINT64_MAX;
    gap_try(p, core, 0, 0, &best);
    return best;
}

/* What the mapper finds: busiest channel with these routes. */
static inline pp_status gap_search(const pp_gap_problem *p, uint64_t seed, uint64_t *load)
{
    pp_mapping m = {.n_tiles = p->guest.n, .n_flows = p->guest.edges};
    const pp_map_options options = {.placement = "search", .effort = 200};
    uint32_t core[GAP_CORES];
    m.tile = calloc(m.n_tiles, sizeof *m.tile);
    m.flow = calloc(m.n_flows, sizeof *m.flow);
    for (uint32_t f = 0; m.flow && f < m.n_flows; f++) {
        uint32_t src = p->guest.from[f], bits = p->channels[src] * 8;
        m.flow[f] = (pp_flow){.src = src,
                              .dst = p->guest.to[f],
                              .stream = src + 1,
                              .ch_hi = p->channels[src],
                              .bits_per_pixel = bits,
                              .positions = GAP_POSITIONS,
                              .bits = (uint64_t)bits * GAP_POSITIONS,
                              .net = PP_NONE};
    }
    pp_status status = m.tile && m.flow ? pp_map_place(&m, p->fabric, &options, seed, NULL) : PP_ENOMEM;
    for (uint32_t t = 0; status == PP_OK && t < m.n_tiles; t++)
        core[t] = m.tile[t].core;
    if (status == PP_OK)
        *load = gap_load(p, core);
    free(m.net_of_tile_first);
    free(m.net_of_tile);
    free(m.net);
    free(m.net_flow);
    free(m.edge);
    free(m.edge_end);
    free(m.hop);
    free(m.channel_bits);
    free(m.channel_flows);
    free(m.placement);
    free(m.tile);
    free(m.flow);
    return status;
}

#endif

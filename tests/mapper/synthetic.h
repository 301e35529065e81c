/* ResNet-32 as tiles and flows, written down by hand: placement tests need no network, no weights and no
 * plan. Widths 16-28-56, one pixel an MVM, 8-bit streams, 16-bit partial sums. */
#ifndef PP_TEST_MAPPER_SYNTHETIC_H
#define PP_TEST_MAPPER_SYNTHETIC_H

#include "mapper/mapper.h"

#include <stdlib.h>
#include <string.h>

typedef struct pp_synthetic {
    pp_mapping m;
    pp_tile tile[64];
    pp_flow flow[160];
    uint32_t first[65], incoming[160];
} pp_synthetic;

/* A layer of one tile, or of two row tiles of which the second sums. */
typedef struct pp_layer {
    uint32_t stage, first, n, channels, pixels;
} pp_layer;

static inline pp_layer synthetic_layer(pp_synthetic *s, uint32_t n, uint32_t channels, uint32_t pixels)
{
    pp_layer layer = {s->m.n_stages++, s->m.n_tiles, n, channels, pixels};
    for (uint32_t r = 0; r < n; r++)
        s->tile[s->m.n_tiles++] =
            (pp_tile){.stage = layer.stage, .row = r, .out_hi = channels, .head = r + 1 == n, .core = PP_NONE};
    return layer;
}

static inline void synthetic_flow(pp_synthetic *s, uint32_t src, uint32_t dst, uint8_t kind, uint32_t stream,
                                  uint32_t lo, uint32_t hi, uint32_t pixels)
{
    uint32_t width = kind == PP_FLOW_PSUM ? 16 : 8;
    s->flow[s->m.n_flows++] = (pp_flow){.src = src,
                                        .dst = dst,
                                        .kind = kind,
                                        .input = kind == PP_FLOW_RESIDUAL,
                                        .stream = stream,
                                        .ch_lo = lo,
                                        .ch_hi = hi,
                                        .bits_per_pixel = (hi - lo) * width,
                                        .positions = pixels,
                                        .bits = (uint64_t)(hi - lo) * width * pixels,
                                        .net = PP_NONE};
}

/* Matrix input of `to` from `from`: each row tile takes its share of the channels; then the sums. */
static inline void synthetic_feed(pp_synthetic *s, pp_layer from, pp_layer to)
{
    uint32_t src = from.first + from.n - 1;
    for (uint32_t r = 0; r < to.n; r++)
        synthetic_flow(s, src, to.first + r, PP_FLOW_ACTIVATION, from.stage + 1, from.channels * r / to.n,
                       from.channels * (r + 1) / to.n, from.pixels);
    for (uint32_t r = 0; r + 1 < to.n; r++)
        synthetic_flow(s, to.first + r, to.first + r + 1, PP_FLOW_PSUM, to.stage + 1, 0, to.channels, to.pixels);
}

static inline void synthetic_add(pp_synthetic *s, pp_layer from, pp_layer to)
{
    synthetic_flow(s, from.first + from.n - 1, to.first + to.n - 1, PP_FLOW_RESIDUAL, from.stage + 1, 0, from.channels,
                   from.pixels);
}

/* Pointers of the mapping, and incoming flows by tile. */
static inline void synthetic_finish(pp_synthetic *s)
{
    uint32_t n = 0;
    s->m.tile = s->tile;
    s->m.flow = s->flow;
    s->m.flow_of_tile_first = s->first;
    s->m.flow_of_tile = s->incoming;
    for (uint32_t t = 0; t < s->m.n_tiles; t++) {
        s->first[t] = n;
        for (uint32_t f = 0; f < s->m.n_flows; f++)
            if (s->flow[f].dst == t)
                s->incoming[n++] = f;
    }
    s->first[s->m.n_tiles] = n;
}

/* split: rows of the 56-channel layers do not fit one array (504 > 256): 43 tiles; else 34 and 48 flows. */
static inline void synthetic_resnet32(pp_synthetic *s, bool split)
{
    static const uint32_t width[3] = {16, 28, 56}, pixels[3] = {1024, 256, 64};
    memset(s, 0, sizeof *s);
    pp_layer u = synthetic_layer(s, 1, 16, 1024);
    for (uint32_t g = 0; g < 3; g++)
        for (uint32_t block = 0; block < 5; block++) {
            bool down = g > 0 && block == 0;
            uint32_t rows = split && g == 2 ? 2 : 1;
            pp_layer shortcut = u, a = synthetic_layer(s, down ? 1 : rows, width[g], pixels[g]);
            synthetic_feed(s, u, a);
            if (down) {
                shortcut = synthetic_layer(s, 1, width[g], pixels[g]);
                synthetic_feed(s, u, shortcut);
            }
            pp_layer b = synthetic_layer(s, rows, width[g], pixels[g]);
            synthetic_feed(s, a, b);
            synthetic_add(s, shortcut, b);
            u = b;
        }
    u.pixels = 1; /* pooled */
    synthetic_feed(s, u, synthetic_layer(s, 1, 10, 1));
    synthetic_finish(s);
}

/* Frees what placement allocated; tiles and flows are the test's own. */
static inline void synthetic_free(pp_synthetic *s)
{
    free(s->m.net_of_tile_first);
    free(s->m.net_of_tile);
    free(s->m.net);
    free(s->m.net_flow);
    free(s->m.edge);
    free(s->m.edge_end);
    free(s->m.hop);
    free(s->m.channel_bits);
    free(s->m.channel_flows);
    free(s->m.placement);
}

#endif

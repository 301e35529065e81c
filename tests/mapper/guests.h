/* Guest graphs of the embedding tables: one vertex a layer, one edge a flow. */
#ifndef PP_TEST_MAPPER_GUESTS_H
#define PP_TEST_MAPPER_GUESTS_H

#include <stdint.h>

typedef struct pp_guest {
    uint32_t n, edges;
    uint32_t from[256], to[256];
} pp_guest;

static inline uint32_t guest_vertex(pp_guest *g)
{
    return g->n++;
}

static inline void guest_edge(pp_guest *g, uint32_t a, uint32_t b)
{
    g->from[g->edges] = a;
    g->to[g->edges++] = b;
}

/* `length` vertices one after the other from a to b. */
static inline void guest_branch(pp_guest *g, uint32_t a, uint32_t b, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++) {
        uint32_t v = guest_vertex(g);
        guest_edge(g, a, v);
        a = v;
    }
    guest_edge(g, a, b);
}

static inline pp_guest guest_chain(uint32_t n)
{
    pp_guest g = {.n = n};
    for (uint32_t i = 0; i + 1 < n; i++)
        guest_edge(&g, i, i + 1);
    return g;
}

/* Residual blocks: a main path of `depth` layers, the last of which adds what came into the first; `skip` layers
 * in the shortcut. */
static inline pp_guest guest_residual(uint32_t blocks, uint32_t depth, uint32_t skip)
{
    pp_guest g = {0};
    uint32_t u = guest_vertex(&g);
    for (uint32_t i = 0; i < blocks; i++) {
        uint32_t out = guest_vertex(&g);
        guest_branch(&g, u, out, depth - 1);
        guest_branch(&g, u, out, skip);
        u = out;
    }
    return g;
}

/* Inception modules of four branches; `apart`: what joins a module's branches hands on to another core, which
 * fans out to those of the next. */
static inline pp_guest guest_inception(uint32_t modules, const uint32_t branch[4], int apart)
{
    pp_guest g = {0};
    uint32_t u = guest_vertex(&g);
    for (uint32_t i = 0; i < modules; i++) {
        uint32_t join = guest_vertex(&g);
        for (uint32_t b = 0; b < 4; b++)
            guest_branch(&g, u, join, branch[b]);
        u = join;
        if (apart && i + 1 < modules) {
            u = guest_vertex(&g);
            guest_edge(&g, join, u);
        }
    }
    return g;
}

/* Layers of two row tiles each, in residual blocks: the second tile sums. */
static inline pp_guest guest_row_split(uint32_t blocks)
{
    pp_guest g = {0};
    uint32_t u = guest_vertex(&g);
    for (uint32_t i = 0; i < blocks; i++) {
        uint32_t a1 = guest_vertex(&g), a2 = guest_vertex(&g), b1 = guest_vertex(&g), b2 = guest_vertex(&g);
        guest_edge(&g, u, a1);
        guest_edge(&g, u, a2);
        guest_edge(&g, a1, a2);
        guest_edge(&g, a2, b1);
        guest_edge(&g, a2, b2);
        guest_edge(&g, b1, b2);
        guest_edge(&g, u, b2);
        u = b2;
    }
    return g;
}

#endif

/* What the files routefn_*.c share. */
#ifndef PP_TOPOLOGY_ROUTEFN_INTERNAL_H
#define PP_TOPOLOGY_ROUTEFN_INTERNAL_H

#include "topology/routefn.h"
#include "topology/topology_internal.h"

/* A dimension of a product of lines, rings and complete graphs. */
typedef enum pp_dim_kind { PP_DIM_LINE, PP_DIM_RING, PP_DIM_CLIQUE, PP_DIM_EXPRESS } pp_dim_kind;
typedef struct pp_dim {
    uint32_t n, stride;
    uint32_t reach; /* longest step; EXPRESS: the interval */
    uint8_t kind;
    int8_t sign; /* +1: channels lead upwards only */
} pp_dim;

#define PP_MAX_DIMS PP_FABRIC_MAX_LEVELS

/* Candidates of one phase: head.dst is its end, classes count from 0. */
typedef uint32_t pp_next_function(const pp_routefn *fn, const pp_route_head *head, pp_hop *hop);

struct pp_routefn {
    pp_routefn_info info;
    const pp_fabric *f;
    pp_next_function *next;
    uint32_t base_classes; /* of a phase */
    bool box;              /* romm */
    bool reverse;          /* yx: last dimension first */
    bool spread;           /* nca: all up ports are candidates */
    /* Products. Vertex = base + sum of coordinate x stride. */
    pp_dim dim[PP_MAX_DIMS];
    uint32_t n_dims, base;
    uint32_t dor_classes; /* of dimension order */
    bool rings, alternate; /* alternate: channels along dimension 0 lead upwards in even rows, downwards in odd ones */
    /* Tables (routefn_table.c): index of the channel among those of `at`. */
    uint16_t *table[2]; /* [n_vertices x n_vertices] by (dst, at); updown: phase up, phase down */
    uint32_t *rank;     /* [n_vertices] order of the vertices */
    uint32_t *end;      /* [n_ends] vertices that serve cores */
    uint32_t n_ends;
};

/* First channel u -> v, or PP_NO_CHANNEL. */
uint32_t pp_channel_between(const pp_fabric *f, uint32_t u, uint32_t v);
/* Mask of the first n classes. */
static inline uint32_t pp_class_mask(uint32_t n)
{
    return n >= 32 ? UINT32_MAX : (UINT32_C(1) << n) - 1;
}

/* Sets a zeroed relation (with f) to xy, yx or native without memory or tables; false when it does not fit. */
bool pp_routefn_plain(pp_routefn *fn, const char *name);
/* pp_routefn_path for relations of at most PP_PLAIN_HOPS candidates. */
#define PP_PLAIN_HOPS 2
pp_status pp_routefn_walk(const pp_routefn *fn, uint32_t src, uint32_t dst, uint32_t *path, size_t cap, size_t *n);
/* Fills the dimensions; false when the fabric is no product. */
bool pp_product_of(pp_routefn *fn);
bool pp_product_minimal(const pp_routefn *fn); /* dimension order takes shortest ways */
uint32_t pp_product_mid(const pp_routefn *fn, uint32_t src, uint32_t dst, uint64_t random);
pp_next_function pp_next_dimension_order, pp_next_adaptive, pp_next_west_first, pp_next_odd_even;
pp_next_function pp_next_tree, pp_next_fattree;
pp_next_function pp_next_hex, pp_next_tri;
pp_next_function pp_next_dragonfly, pp_next_kautz, pp_next_star;
pp_next_function pp_next_one_way_rows;
pp_next_function pp_next_shortest, pp_next_updown;
/* Class of a hop over `channel` where ways rise and fall by ranks (routefn_table.c). */
uint32_t pp_turn_class(const pp_routefn *fn, const pp_route_head *head, uint32_t channel);
pp_status pp_table_shortest(pp_routefn *fn);
pp_status pp_table_updown(pp_routefn *fn);

#endif

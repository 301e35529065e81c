/* The flit engine's fast path: the usual options, and routers of at most 64 VCs on either side, so that every set
 * of VCs is one word. Each router is one record of memory, all that it needs in a few lines of cache. The same
 * decisions as net_router.c, bit for bit; tests compare the two.
 *
 * A VC of an input port is l = port << vs | vc, one of an output port o likewise, both within the router. A target
 * `to` is the record's offset with l or o in its low 6 bits, since records lie at multiples of 64 bytes. A flit
 * carries what a hop needs to know of its packet: slot << 2 | flags (30 bits), on grids y << 11 | x of its destination
 * (22 bits, the highest of each half 0) and the routers left behind (12 bits).
 *
 * Pointers of arbiters are one behind the last winner and do not wrap: from the end on, as from 0, the first requester
 * is next. */
#ifndef PP_SIM_NET_FAST_H
#define PP_SIM_NET_FAST_H

#include "sim/net_flit_internal.h"
#include "sim/net_grid_internal.h"

#define PP_FAST_SIDE_MAX 1024u /* of a grid */
#define PP_FAST_X(word) ((uint32_t)((word) >> 30) & (PP_FAST_SIDE_MAX - 1))
#define PP_FAST_Y(word) ((uint32_t)((word) >> 41) & (PP_FAST_SIDE_MAX - 1))
#define PP_FAST_PLACE(word) ((uint32_t)((word) >> 30) & ((UINT32_C(1) << 22) - 1))
#define PP_FAST_HOPS(word) ((uint32_t)((word) >> 52))
#define PP_FAST_HOP (UINT64_C(1) << 52)
#define PP_FAST_FLIT(word) ((uint32_t)(word) & ((UINT32_C(1) << 30) - 1))
#define PP_FAST_ADAPTIVE 255u /* as output port of a route: several candidates, asked again at each try */
#define PP_FAST_EJECT 4u      /* place of the ejection port behind the four ways of a grid */

typedef struct pp_fast_router {
    uint64_t sw, va;      /* input VCs that ask for the switch; for a VC */
    uint64_t active;      /* input VCs that own an output VC */
    uint64_t free;        /* output VCs that no packet owns */
    uint64_t starved;     /* output VCs whose owner has flits but no credit */
    uint32_t local;       /* number within its partition */
    uint32_t place;       /* grids: y << 11 | x */
    uint8_t turn[16];     /* grids: output port of a way, or of what pp_fast_signs says of both distances (mesh) */
} pp_fast_router;

/* How two places lie, without a branch: bit 1 to_x >= x, bit 0 to_x <= x, bits 3 and 2 of y likewise. Of two differences
 * the bit above each half is set where it is not negative. */
static inline uint32_t pp_fast_signs(uint32_t place, uint32_t to)
{
    const uint32_t above = UINT32_C(1) << 10 | UINT32_C(1) << 21;
    const uint32_t sign = (((to | above) - place) & above) | (((place | above) - to) & above) >> 1;
    return (sign >> 9 & 3) | (sign >> 18 & 12);
}

typedef struct pp_fast_vc {
    uint8_t len, head;    /* its buffer */
    uint8_t out;          /* output VC that it owns */
    uint8_t accept;       /* VA: pointer of its arbiter, over output VCs */
    uint8_t op, mask;     /* route: output port, set of VCs there (pp_fast.mask) */
    uint8_t unused[2];
} pp_fast_vc;

typedef struct pp_fast_ovc {
    uint8_t credit;
    uint8_t owner;        /* input VC; only where it is not free */
    uint8_t grant;        /* VA: pointer of its arbiter, over input VCs */
    uint8_t unused;
} pp_fast_ovc;

/* Where a port's flits (credits) go: the wheel of this partition, or another partition. */
typedef struct pp_fast_link {
    uint32_t to;
    uint16_t time;        /* cycles from the grant */
    uint16_t where;       /* first bucket of the wheel, or PP_FAST_AWAY + partition */
} pp_fast_link;
#define PP_FAST_AWAY 0x8000u

typedef struct pp_fast_in {
    pp_fast_link credit;
    uint8_t vc, accept;   /* SA: pointers over its VCs and over outputs */
    uint8_t way, unused;  /* grids: the way that flits come here, PP_FAST_EJECT from a core */
} pp_fast_in;

typedef struct pp_fast_out {
    uint64_t flits;       /* carried */
    pp_fast_link link;
    uint8_t grant, unused[7]; /* SA: pointer over inputs */
} pp_fast_out;

/* One partition's wheels: [wheel][bucket][cap]. */
typedef struct pp_fast_event {
    uint64_t word;
    uint32_t to, unused;
} pp_fast_event;
enum { PP_FAST_ARRIVE, PP_FAST_LEAVE };     /* wheels of flits */
enum { PP_FAST_ROUTER_CREDIT, PP_FAST_SOURCE_CREDIT };
typedef struct pp_fast_part {
    _Alignas(64) pp_fast_event *flits;
    uint32_t *credits, *wakes, *grants; /* wakes: heads whose route is done; grants: heads that ask for the switch next */
    pp_fast_event **flits_end;          /* [wheel][bucket] where the next goes */
    uint32_t **credits_end, *n_wakes;
    uint32_t cap, wake_cap, n_grants;
    uint64_t *va_set, *sw_set;          /* routers with requests, by local number */
} pp_fast_part;

typedef struct pp_fast {
    unsigned char *record;
    size_t stride;
    uint32_t vs, n_l, slot_mask;             /* n_l: input VCs of the largest router */
    uint32_t ovc_at, in_at, out_at, buffer_at; /* offsets in a record; its VCs stand at sizeof(pp_fast_router) */
    uint32_t head_delay, buckets;
    uint32_t eject_back;                     /* cycles of an ejected flit's credit, without the link's */
    pp_noc_grid grid;                        /* kind PP_GRID_NONE: routes are asked for */
    uint32_t *place;                         /* y << 11 | x of a core; 0 where routes are asked for */
    bool large;                              /* more than a cache holds: worth prefetching */
    uint64_t mask[256];                      /* sets of VCs: [message class << n_classes | set of classes] */
    uint8_t message_of_vc[PP_NOC_VCS_MAX];   /* message class << n_classes */
    uint8_t class_of_vc[PP_NOC_VCS_MAX], all_classes;
    uint32_t *src_to;                        /* [n_src] */
    pp_fast_part *part;
} pp_fast;

static inline uint64_t pp_bit(uint32_t i)
{
    return UINT64_C(1) << i;
}

static inline pp_fast_router *pp_fast_at(const pp_fast *f, uint32_t to)
{
    return (pp_fast_router *)(void *)(f->record + (to & ~UINT32_C(63)));
}

static inline pp_fast_vc *pp_fast_vcs(pp_fast_router *r)
{
    return (pp_fast_vc *)(void *)(r + 1);
}

static inline pp_fast_ovc *pp_fast_ovcs(const pp_fast *f, pp_fast_router *r)
{
    return (pp_fast_ovc *)(void *)((unsigned char *)r + f->ovc_at);
}

static inline pp_fast_in *pp_fast_ins(const pp_fast *f, pp_fast_router *r)
{
    return (pp_fast_in *)(void *)((unsigned char *)r + f->in_at);
}

static inline pp_fast_out *pp_fast_outs(const pp_fast *f, pp_fast_router *r)
{
    return (pp_fast_out *)(void *)((unsigned char *)r + f->out_at);
}

/* Buffers stand slot by slot, so that short queues of all VCs share lines. */
static inline uint64_t *pp_fast_slot(const pp_fast *f, pp_fast_router *r, uint32_t l, uint32_t slot)
{
    return (uint64_t *)(void *)((unsigned char *)r + f->buffer_at) + (size_t)slot * f->n_l + l;
}

static inline uint32_t pp_fast_target(const pp_fast *f, uint32_t router, uint32_t lo)
{
    return (uint32_t)(router * f->stride) | lo;
}

static inline void pp_fast_push(const pp_fast *f, pp_fast_part *q, uint32_t wheel, uint64_t time, uint32_t to, uint64_t word)
{
    *q->flits_end[wheel * f->buckets + ((uint32_t)time & (f->buckets - 1))]++ = (pp_fast_event){word, to, 0};
}

static inline void pp_fast_push_credit(const pp_fast *f, pp_fast_part *q, uint32_t wheel, uint64_t time, uint32_t to)
{
    *q->credits_end[wheel * f->buckets + ((uint32_t)time & (f->buckets - 1))]++ = to;
}

static inline pp_fast_event *pp_fast_flits_of(const pp_fast_part *q, uint32_t bucket)
{
    return q->flits + (size_t)bucket * q->cap;
}

static inline uint32_t *pp_fast_credits_of(const pp_fast_part *q, uint32_t bucket)
{
    return q->credits + (size_t)bucket * q->cap;
}

/* Whether the options and the fabric suit it; then its memory. Else *out stays NULL. */
pp_status pp_fast_new(pp_fast **out, pp_flit_engine *e);
pp_status pp_fast_new_part(pp_fast *f, const pp_flit_engine *e, const pp_part *p);
void pp_fast_free(pp_fast *f, uint32_t n_parts);
void pp_fast_cycle(pp_flit_engine *e, pp_part *p);
/* Next cycle from `from` on in which the partition's routers have something to do. */
uint64_t pp_fast_next(const pp_flit_engine *e, const pp_part *p, uint64_t from);
/* Writes its state into the arrays of pp_flit_engine, for whoever only reads: the deadlock check. */
void pp_fast_export(pp_flit_engine *e);
uint64_t pp_fast_carried(const pp_flit_engine *e, uint32_t op);
uint64_t pp_fast_inside(const pp_flit_engine *e, uint64_t *credits);

#endif

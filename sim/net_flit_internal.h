/* State of the flit engine: structures of arrays over all routers, cut into partitions of routers.
 *
 * Numbers: ivc = ip << vs | vc (a VC of an input port), ovc = op << vs | vc (a VC of an output port; those of
 * sources come last), 1 << vs being the VCs of a port rounded up to a power of two. A flit is a packet's slot and two flags. Events wait in wheels of buckets, one bucket
 * a cycle, because every delay is known when the event is made. */
#ifndef PP_SIM_NET_FLIT_INTERNAL_H
#define PP_SIM_NET_FLIT_INTERNAL_H

#include "sim/net_internal.h"

#define PP_FLIT_HEAD 1u
#define PP_FLIT_TAIL 2u
#define PP_FLIT_MAKE(item, flags) (((item) << 2) | (flags))
#define PP_FLIT_ITEM(flit) ((flit) >> 2)

typedef enum pp_ivc_state {
    PP_IVC_IDLE,   /* no packet at its front, or only the rest of one that is on its way */
    PP_IVC_ROUTE,  /* head in a stage of routing delay */
    PP_IVC_VA,     /* asks for an output VC */
    PP_IVC_WAIT,   /* has one, in a stage of switch allocation delay */
    PP_IVC_ACTIVE  /* asks for the switch whenever it has a flit and a credit */
} pp_ivc_state;

typedef struct pp_event {
    uint32_t to, flit; /* to: ivc, or n_ivc + ovc of an ejection port */
} pp_event;

/* For another partition: a flit for `to`, or a credit for it. Numbers are those of the path in use. */
typedef struct pp_mail {
    uint64_t time, word; /* the flit, or PP_MAIL_CREDIT */
    uint32_t to;
} pp_mail;
#define PP_MAIL_CREDIT UINT64_MAX
typedef PP_VEC(pp_mail) pp_mails;

/* A core's injection port. */
typedef struct pp_flit_src {
    uint32_t item, sent, flits, place; /* the packet that it sends; NO: none. place: pp_fast.place of its destination */
    uint32_t vc;                     /* used last */
    uint32_t first, last;            /* its queue */
    uint32_t core, link_time;        /* link_time: cycles from the end of sending to the arrival */
    uint32_t next_sleeper;           /* in the sleepers' wheel */
    uint8_t message_class;
    bool asleep;
    uint64_t can;                    /* fast path: VCs with a credit */
} pp_flit_src;

/* A core's open-loop stream. */
typedef struct pp_flit_core {
    pp_noc_packet packet;            /* its next, when it has one */
    uint32_t src, next_sleeper;
    bool has_packet, alone;          /* alone: src is its only port */
} pp_flit_core;

/* One branch of a packet that is being copied (net_tree.c). */
typedef struct pp_branch {
    uint32_t op, ovc; /* ovc NO: not allocated */
    uint32_t sent;    /* flits of the packet that went this way */
    uint32_t next;    /* of the same packet, or of the free list */
    uint64_t ready;   /* first cycle of switch allocation */
    bool done;        /* its tail went: what stands behind in the buffer is the next packet's */
} pp_branch;

/* Scratch of the allocators and everything that one thread writes. */
typedef struct pp_part {
    _Alignas(64) pp_noc *noc; /* partitions share no line of cache */
    struct pp_flit_engine *e;
    uint32_t index, router_lo, router_hi; /* its routers */
    uint32_t core_lo, core_hi;            /* a range that holds its cores */
    uint64_t t;
    /* wheels */
    pp_event *flits;
    uint32_t *flits_n, flits_cap;
    uint32_t *credits, *credits_n, credits_cap;
    uint32_t *wakes, *wakes_n, wakes_cap; /* ivc that leave a delay stage */
    uint64_t pending;                     /* events in all wheels */
    /* work */
    uint64_t *active;       /* routers with requests, bit router - router_lo */
    uint64_t *sending;      /* sources that may have something to send, bit s - src_lo */
    uint32_t src_lo, src_hi, n_active_words, n_sending_words;
    uint64_t *wake_bits;    /* slots of the sleepers' wheel that are not empty */
    uint32_t *wake_head;    /* [PP_CORE_SLOTS] */
    uint32_t waiting_cores;
    /* allocation scratch */
    uint64_t *req, *offer;  /* request sets */
    uint32_t *list, *asking, *winner_ivc, *winner_op, n_winners, n_asking;
    uint8_t *candidate;
    uint64_t *seen_out, *seen_in, *taken_in, *taken_out;
    uint32_t *va_op, *va_branch; /* [local ivc] output port asked for, and for which branch */
    uint64_t *va_offer;     /* [local ivc] VCs granted there */
    PP_VEC(pp_branch) branches;
    uint32_t branch_free;
    /* exchange */
    pp_mails *out[2], *mail; /* [parts] mail for the other partitions, of even and odd rounds; those being written */
    uint64_t mail_time, next[2]; /* earliest of this round; next cycle with work, for the others (0: stop) */
    PP_VEC(pp_noc_delivery) done;
    uint32_t item_free;
    uint64_t injected, ejected, copied, packets_in, packets_out, hops;
    bool failed;            /* memory ran out */
    uint32_t lost_item, lost_router; /* a packet that cannot be routed, or NO */
} pp_part;
#define PP_CORE_SLOTS 1024u

/* Where the threads wait for each other. */
typedef struct pp_meeting {
    _Atomic uint32_t here, round;
    uint32_t patience; /* turns before others are let on; 0 with more threads than processors */
} pp_meeting;

typedef struct pp_flit_engine {
    pp_noc base;
    uint32_t V, vs, depth, depth_shift, n_ivc, n_ovc;
    bool gated;              /* links that are not free every cycle */
    bool shared;
    uint32_t wheel_mask;
    uint32_t head_delay, body_delay, sa_extra; /* cycles before VA (head), before SA (body), after VA */
    uint32_t lookahead;      /* cycles that partitions may run apart */
    uint32_t x_per_port;     /* expanded inputs of a port (input speed-up) */
    uint64_t vc_all;
    uint64_t *class_mask;    /* [message class][routing class] VCs */
    uint64_t *message_mask;  /* [message class] */
    uint8_t *class_of_vc;    /* [message class][vc] routing class */
    uint64_t sub_mask[PP_NOC_VCS_MAX]; /* VCs of an expanded input */
    /* input VCs */
    uint32_t *buffer;        /* [ivc << depth_shift] */
    uint16_t *len, *head;
    uint8_t *state;
    uint32_t *ovc;           /* of an active one */
    uint32_t *route_op;      /* asked for; NO: several candidates, ask again */
    uint64_t *route_mask;
    uint32_t *in_pointer;    /* VA: input arbiters */
    uint32_t *branch;        /* first branch of a packet on a tree, or NO */
    /* output VCs */
    uint16_t *credit;
    uint16_t *debt;          /* shared buffers: flits beyond the reserved one */
    uint32_t *owner;         /* ivc, or NO */
    uint32_t *out_pointer;   /* VA: output arbiters over local ivc */
    /* ports */
    uint64_t *ip_request;    /* VCs that ask for the switch */
    uint16_t *x_vc, *x_out;  /* expanded inputs: VC chosen last + 1; accept pointer over outputs */
    uint16_t *op_in;         /* grant pointer over expanded inputs */
    uint64_t *op_free;       /* VCs that no packet owns */
    uint64_t *op_drained;    /* VCs with all credits (atomic) */
    uint32_t *op_shared;     /* shared buffers: room left */
    uint64_t *op_next;       /* first cycle in which its link is free (period, output queue) */
    uint16_t *op_part;       /* partition of the input port behind it */
    uint16_t *ip_part;       /* partition of the output port that feeds it */
    uint64_t *op_flits;      /* carried */
    uint32_t *core_router, *core_eject; /* of cores with one ejection port; else NO */
    /* routers */
    uint8_t *va_live;        /* VC allocation can change something */
    uint64_t *va, *sa;       /* local ivc that ask for a VC; local ip that ask for the switch */
    uint32_t *va_words, *sa_words; /* offsets, [n_routers + 1] */
    /* matrix arbiters: time of the last win of each requester; NULL when round robin */
    uint32_t *va_stamp_in, *va_stamp_out, *sa_stamp_in, *sa_stamp_out, *sa_stamp_vc;
    size_t *va_stamp_first, *sa_stamp_first; /* of a router */
    /* sources */
    pp_flit_src *src;
    pp_flit_core *core;
    uint16_t *part_of_router, *part_of_core;
    /* observation (NULL when off): flit-cycles in the buffers of a port, waits for an output port */
    uint64_t *ip_occupancy, *op_wait, *op_blocked;
    /* of somebody who watches, [all ovc]: when the head that holds the VC could leave, and when it left; NULL: nobody */
    uint64_t *ovc_ready, *ovc_head;
    uint16_t *ivc_high;
    uint64_t *ivc_ready, *ivc_stall; /* when the front flit could have asked; since when it lacks a VC or a credit */
    struct pp_fast *fast;    /* NULL: net_router.c serves all; else of the above sources, output ports of sources and
                                numbers are in use, the rest stands in net_fast_internal.h */
    pp_part *part;
    uint32_t n_parts;
    pp_pool *pool;
    pp_meeting meeting;
    uint64_t now, last_check, until;
} pp_flit_engine;

/* ---- shared by net_flit.c, net_router.c, net_tree.c ---- */

static inline uint32_t pp_ctz(uint64_t x)
{
    return (uint32_t)__builtin_ctzll(x);
}

static inline void pp_router_on(pp_flit_engine *e, pp_part *p, uint32_t router)
{
    (void)e;
    const uint32_t i = router - p->router_lo;
    p->active[i / 64] |= UINT64_C(1) << (i % 64);
}

static inline void pp_set_bit(uint64_t *words, uint32_t i)
{
    words[i / 64] |= UINT64_C(1) << (i % 64);
}

static inline void pp_clear_bit(uint64_t *words, uint32_t i)
{
    words[i / 64] &= ~(UINT64_C(1) << (i % 64));
}

static inline void pp_flit_push(pp_flit_engine *e, pp_part *p, uint64_t time, uint32_t to, uint32_t flit)
{
    const uint32_t bucket = (uint32_t)time & e->wheel_mask;
    p->pending++;
    p->flits[(size_t)bucket * p->flits_cap + p->flits_n[bucket]++] = (pp_event){to, flit};
}

static inline void pp_flit_push_credit(pp_flit_engine *e, pp_part *p, uint64_t time, uint32_t ovc)
{
    const uint32_t bucket = (uint32_t)time & e->wheel_mask;
    p->pending++;
    p->credits[(size_t)bucket * p->credits_cap + p->credits_n[bucket]++] = ovc;
}

static inline void pp_flit_ask_switch(pp_flit_engine *e, pp_part *p, uint32_t ivc)
{
    const pp_noc_graph *g = &e->base.g;
    const uint32_t ip = ivc >> e->vs, router = g->ip_router[ip];
    e->ip_request[ip] |= UINT64_C(1) << (ivc & ((1u << e->vs) - 1));
    pp_set_bit(e->sa + e->sa_words[router], ip - g->ip_first[router]);
    pp_router_on(e, p, router);
}

static inline void pp_flit_ask_vc(pp_flit_engine *e, pp_part *p, uint32_t ivc)
{
    const pp_noc_graph *g = &e->base.g;
    const uint32_t router = g->ip_router[ivc >> e->vs];
    e->state[ivc] = PP_IVC_VA;
    e->va_live[router] = 1;
    pp_set_bit(e->va + e->va_words[router], ivc - (g->ip_first[router] << e->vs));
    pp_router_on(e, p, router);
}

/* VCs of a hop for packets of a message class. */
static inline uint64_t pp_flit_hop_vcs(const pp_flit_engine *e, uint8_t message_class, const pp_noc_hop *hop)
{
    uint64_t vcs = 0;
    for (uint32_t set = hop->classes; set; set &= set - 1)
        vcs |= e->class_mask[message_class * e->base.routing.n_classes + pp_ctz(set)];
    return vcs;
}

/* First set bit at or behind `from` (below 64), cyclic; the set is not empty. */
static inline uint32_t pp_pick(uint64_t set, uint32_t from)
{
    const uint64_t high = set & (~UINT64_C(0) << from);
    return pp_ctz(high ? high : set);
}

/* The head at the front of an idle input VC begins its way through the router in cycle `start`. */
void pp_flit_begin(pp_flit_engine *e, pp_part *p, uint32_t ivc, uint64_t start);
void pp_flit_route(pp_flit_engine *e, pp_part *p, uint32_t ivc);
void pp_flit_post(pp_flit_engine *e, pp_part *p, uint32_t part, uint64_t time, uint32_t to, uint32_t flit);
void pp_flit_mail(pp_part *p, uint32_t part, uint64_t time, uint32_t to, uint64_t word);
/* The packet's tail is out (of a tree: at `dst`), behind `routers` more than its slot says. */
void pp_flit_deliver(pp_flit_engine *e, pp_part *p, uint32_t item, uint32_t dst, uint32_t routers);

/* ---- sources (net_source.c) ---- */
static inline void pp_flit_source_on(pp_part *p, uint32_t s)
{
    pp_set_bit(p->sending, s - p->src_lo);
}
/* Sources in cycle p->t: cores that wait for it, then a flit from each that can send one. */
void pp_flit_sources(pp_flit_engine *e, pp_part *p);
bool pp_flit_queue(pp_flit_engine *e, pp_part *p, const pp_noc_packet *packet);
/* Open loop: the core's first packet. */
void pp_flit_source_start(pp_flit_engine *e, uint32_t core);
/* A credit of a source's ovc (private buffers). */
void pp_flit_source_credit(pp_flit_engine *e, pp_part *p, uint32_t ovc);

void pp_flit_wake(pp_flit_engine *e, pp_part *p, uint64_t time, uint32_t ivc);
/* Allocation and switching of one router in cycle p->t. */
void pp_flit_router(pp_flit_engine *e, pp_part *p, uint32_t router);
/* A credit of ovc is usable now. */
void pp_flit_credit(pp_flit_engine *e, pp_part *p, uint32_t ovc);
bool pp_flit_take_credit(pp_flit_engine *e, uint32_t ovc);
static inline bool pp_flit_has_credit(const pp_flit_engine *e, uint32_t ovc)
{
    return e->credit[ovc] > 0 || (e->shared && e->op_shared[ovc >> e->vs] > 0);
}
/* Exact search for packets that can never move again: PP_EDEADLOCK names them. */
pp_status pp_flit_deadlock(const pp_flit_engine *e);

/* Copies (net_tree.c): branches of the packet at the front of ivc; NO when memory ran out. */
uint32_t pp_flit_branches(pp_flit_engine *e, pp_part *p, uint32_t ivc, const pp_noc_item *item, uint32_t tree_node);

/* A flit goes onto the channel of ovc in the cycles [begin, end); ready: as in pp_noc_crossing. */
static inline void pp_flit_tell(pp_flit_engine *e, uint32_t ovc, uint32_t flit, uint64_t ready, uint64_t begin, uint64_t end)
{
    if (flit & PP_FLIT_HEAD) {
        e->ovc_ready[ovc] = ready < begin ? ready : begin;
        e->ovc_head[ovc] = begin;
    }
    if (!(flit & PP_FLIT_TAIL))
        return;
    pp_noc *n = &e->base;
    const pp_noc_crossing c = {.tag = pp_noc_at(&n->items, PP_FLIT_ITEM(flit))->tag, .ready = e->ovc_ready[ovc],
                               .head = e->ovc_head[ovc], .tail = end, .channel = n->g.op_channel[ovc >> e->vs],
                               .vc = ovc & ((1u << e->vs) - 1)};
    n->watch(n->watch_context, &c);
}

#endif

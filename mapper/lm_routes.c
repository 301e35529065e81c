/* Ways of the nets of one edge: time to the last target, and what each channel carries.
 *
 * All packets of an edge leave together, on an idle fabric; what they wait for each other on the way is found by sending
 * them (lm_replay.c). Partial sums leave a node when all that it adds up have come. */
#include "mapper/lm_internal.h"

#include <stdlib.h>
#include <string.h>

typedef PP_VEC(uint32_t) u32_list;
typedef PP_VEC(uint64_t) u64_list;

struct pp_lm_router {
    const pp_lm_ctx *x;
    const pp_hier *h;
    const uint32_t *order;
    const pp_lm_where *w;
    uint32_t edge, phase, phases;
    pp_hier_tree tree;
    u32_list dst;
    u32_list end;
    PP_VEC(pp_lm_way) nodes;
    PP_VEC(pp_lm_arrival) arrivals;
    PP_VEC(pp_lm_packet) nets;
    /* of the phase, by channel: */
    uint64_t *ser_ps;
    uint32_t *packets;
    u32_list touched;
    /* of the edge, by channel: index in `usages` + 1 */
    uint32_t *usage_at;
    pp_lm_usages *usages;
    size_t first_usage;
    /* of the phase, by node of nodes[]: */
    u32_list hops;
    u64_list way_ps;  /* latencies of the way to its end */
    u64_list slow_ps; /* largest serialisation on it */
    u64_list adds;    /* by node of the sum */
    u64_list least_ps; /* by node of the sum: whole when nothing waits for anything */
    u32_list sends;
    uint32_t *by_channel; /* scratch of the replay */
    PP_VEC(pp_lm_reach) reach;
    pp_lm_edge_times times;
};

pp_status pp_lm_router_new(pp_lm_router **out, const pp_lm_ctx *x, const pp_hier *h, const uint32_t *order)
{
    pp_lm_router *r = pp_calloc(1, sizeof *r);
    *out = r;
    if (!r)
        return PP_ENOMEM;
    r->x = x;
    r->h = h;
    r->order = order;
    r->ser_ps = pp_calloc(h->n_channels, sizeof *r->ser_ps);
    r->packets = pp_calloc(h->n_channels, sizeof *r->packets);
    r->usage_at = pp_calloc(h->n_channels, sizeof *r->usage_at);
    r->by_channel = pp_calloc(h->n_channels, sizeof *r->by_channel);
    return r->ser_ps && r->packets && r->usage_at && r->by_channel ? PP_OK : PP_ENOMEM;
}

void pp_lm_router_free(pp_lm_router *r)
{
    if (!r)
        return;
    pp_hier_tree_free(&r->tree);
    free(r->dst.data);
    free(r->end.data);
    free(r->nodes.data);
    free(r->arrivals.data);
    free(r->nets.data);
    free(r->ser_ps);
    free(r->packets);
    free(r->touched.data);
    free(r->usage_at);
    free(r->hops.data);
    free(r->way_ps.data);
    free(r->least_ps.data);
    free(r->sends.data);
    free(r->slow_ps.data);
    free(r->by_channel);
    free(r->adds.data);
    free(r->reach.data);
    free(r);
}

/* ---- times of a phase ---- */

static bool grow_u64(u64_list *v, size_t n)
{
    uint64_t *data = n > v->cap ? pp_realloc(v->data, n, sizeof *data) : v->data;
    if (n > v->cap && !data)
        return false;
    v->data = data;
    v->cap = n > v->cap ? n : v->cap;
    v->len = n;
    return true;
}

static bool grow_u32(u32_list *v, size_t n)
{
    uint32_t *data = n > v->cap ? pp_realloc(v->data, n, sizeof *data) : v->data;
    if (n > v->cap && !data)
        return false;
    v->data = data;
    v->cap = n > v->cap ? n : v->cap;
    v->len = n;
    return true;
}

/* Ways without anybody else on them. */
static pp_status measure_ways(pp_lm_router *r)
{
    const size_t n = r->nodes.len;
    if (!grow_u32(&r->hops, n) || !grow_u64(&r->way_ps, n) || !grow_u64(&r->slow_ps, n))
        return PP_ENOMEM;
    for (size_t i = 0; i < r->nodes.len; i++) {
        const pp_lm_way *k = &r->nodes.data[i];
        const bool network = pp_hier_channel(r->h, k->channel)->kind == PP_CHANNEL_NETWORK;
        const bool root = k->parent == PP_NONE;
        const uint64_t slow = root ? 0 : r->slow_ps.data[k->parent];
        r->hops.data[i] = (root ? 0 : r->hops.data[k->parent]) + network;
        r->way_ps.data[i] = (root ? 0 : r->way_ps.data[k->parent]) + k->latency_ps;
        r->slow_ps.data[i] = k->ser_ps > slow ? k->ser_ps : slow;
    }
    return PP_OK;
}

static bool note_reach(pp_lm_router *r, uint32_t op, uint64_t total_ps, uint64_t least_ps, uint32_t hops)
{
    for (size_t i = 0; i < r->reach.len; i++)
        if (r->reach.data[i].op == op) {
            pp_lm_reach *x = &r->reach.data[i];
            x->total_ps = total_ps > x->total_ps ? total_ps : x->total_ps;
            x->least_ps = least_ps < x->least_ps ? least_ps : x->least_ps;
            x->hops = hops > x->hops ? hops : x->hops;
            return true;
        }
    return pp_push(&r->reach, (pp_lm_reach){.op = op, .total_ps = total_ps, .least_ps = least_ps, .hops = hops});
}

/* Columns of partial sums, or of partial results of attention; else a few values of every slice. */
static bool adds_columns(const pp_lm_router *r)
{
    const pp_lm_part *part = &r->x->graph->part[r->w->part];
    const uint8_t kind = pp_lm_op_of(r->x, r->w->part, r->edge - part->n_links)->kind;
    return kind == PP_LM_OP_LINEAR || kind == PP_LM_OP_ATTENTION;
}

/* An addition of the values that a packet brings, in the digital unit of its receiver. */
static uint64_t add_ps(const pp_lm_router *r, const pp_lm_packet *n)
{
    const pp_lm_part *part = &r->x->graph->part[r->w->part];
    if (r->edge < part->n_links || n->dst_node == PP_NONE)
        return 0;
    if (pp_lm_op_of(r->x, r->w->part, r->edge - part->n_links)->kind == PP_LM_OP_ATTENTION)
        return pp_arch_digital_ps(r->x->in->arch, pp_lm_merge_ops(r->x->graph));
    return pp_arch_digital_ps(r->x->in->arch, n->bits / (adds_columns(r) ? r->x->psum_bits : 32));
}

/* Nodes of sums, and what each adds up. */
static pp_status prepare_sums(pp_lm_router *r)
{
    size_t most = 0;
    for (size_t i = 0; i < r->nets.len; i++) {
        pp_lm_packet *n = &r->nets.data[i];
        n->add_ps = add_ps(r, n);
        most = n->src_node != PP_NONE && n->src_node >= most ? n->src_node + 1u : most;
        most = n->dst_node != PP_NONE && n->dst_node >= most ? n->dst_node + 1u : most;
    }
    if (!grow_u64(&r->adds, most) || !grow_u64(&r->least_ps, most) || !grow_u32(&r->sends, most))
        return PP_ENOMEM;
    for (size_t i = 0; i < most; i++)
        r->adds.data[i] = r->least_ps.data[i] = r->sends.data[i] = 0;
    return PP_OK;
}

static pp_status replay(pp_lm_router *r)
{
    const pp_lm_packets p = {.way = r->nodes.data, .arrival = r->arrivals.data, .packet = r->nets.data, .n_ways = r->nodes.len,
                             .n_arrivals = r->arrivals.len, .n_packets = r->nets.len, .n_nodes = (uint32_t)r->adds.len};
    return pp_lm_replay(&p, r->by_channel);
}

/* Of a packet that waits for nobody; sums come to it in least_of_sums. */
static uint64_t least_ps(const pp_lm_router *r, const pp_lm_arrival *a)
{
    const pp_lm_packet *n = &r->nets.data[a->packet];
    const uint64_t way = a->way == PP_NONE ? 0 : r->way_ps.data[a->way] + r->slow_ps.data[a->way];
    const bool sum = n->src_node != PP_NONE || n->dst_node != PP_NONE;
    if (n->dst_node == PP_NONE)
        return sum ? 0 : way;
    uint64_t *ready = &r->least_ps.data[n->dst_node];
    const uint64_t at = (n->src_node != PP_NONE ? r->least_ps.data[n->src_node] : 0) + way;
    *ready = (at > *ready ? at : *ready) + n->add_ps;
    if (n->src_node != PP_NONE)
        r->sends.data[n->src_node]++;
    return UINT64_MAX;
}

/* Partial sums of a matrix: of the column that is whole first. What digital stages gather leaves in parts: 0. */
static void least_of_sums(pp_lm_router *r)
{
    const pp_lm_part *part = &r->x->graph->part[r->w->part];
    if (r->edge < part->n_links || r->reach.len == 0)
        return;
    const bool columns = adds_columns(r);
    uint64_t *least = &r->reach.data[0].least_ps;
    for (size_t i = 0; i < r->nets.len; i++) {
        const uint32_t node = r->nets.data[i].dst_node;
        if (columns && node != PP_NONE && r->sends.data[node] == 0)
            *least = r->least_ps.data[node] < *least ? r->least_ps.data[node] : *least;
    }
    *least = columns ? *least : 0;
}

static pp_status arrive(pp_lm_router *r, const pp_lm_arrival *a)
{
    const pp_lm_packet *n = &r->nets.data[a->packet];
    const uint64_t least = least_ps(r, a), t = n->dst_node != PP_NONE ? n->end_ps : a->time_ps;
    uint32_t hops = 0;
    if (a->way != PP_NONE) {
        hops = r->hops.data[a->way];
        r->times.flows++;
        r->times.single += hops <= 1;
    }
    if (n->dst_node != PP_NONE) {
        uint64_t *adds = &r->adds.data[n->dst_node];
        *adds += n->add_ps;
        r->times.adder_ps = *adds > r->times.adder_ps ? *adds : r->times.adder_ps;
    }
    r->times.max_hops = hops > r->times.max_hops ? hops : r->times.max_hops;
    return note_reach(r, a->op, t, least, hops) ? PP_OK : PP_ENOMEM;
}

/* ---- loads of a phase ---- */

static double share_of(const pp_lm_router *r)
{
    const pp_lm_part *p = &r->x->graph->part[r->w->part];
    const uint32_t expert = r->edge < p->n_links ? r->x->graph->link[p->first_link + r->edge].expert
                                                 : pp_lm_op_of(r->x, r->w->part, r->edge - p->n_links)->expert;
    return pp_lm_graph_share(r->x->graph, expert);
}

static pp_status note_usage(pp_lm_router *r, uint32_t channel)
{
    if (r->usage_at[channel] == 0) {
        if (!pp_push(r->usages, (pp_lm_usage){.channel = channel, .edge = r->edge}))
            return PP_ENOMEM;
        r->usage_at[channel] = (uint32_t)r->usages->len;
    }
    pp_lm_usage *u = &r->usages->data[r->usage_at[channel] - 1];
    u->busy_ps += r->ser_ps[channel];
    u->packets = r->packets[channel] > u->packets ? r->packets[channel] : u->packets;
    if (r->ser_ps[channel] > r->times.serialisation_ps) {
        r->times.serialisation_ps = r->ser_ps[channel];
        r->times.channel = channel;
    }
    return PP_OK;
}

/* Everything that was collected for one phase. */
static pp_status end_phase(pp_lm_router *r)
{
    pp_status status = PP_OK;
    for (size_t i = 0; i < r->nodes.len; i++) {
        const pp_lm_way *n = &r->nodes.data[i];
        if (r->packets[n->channel]++ == 0 && !pp_push(&r->touched, n->channel))
            return PP_ENOMEM;
        r->ser_ps[n->channel] += n->ser_ps;
    }
    PP_TRY(measure_ways(r));
    PP_TRY(prepare_sums(r));
    PP_TRY(replay(r));
    for (size_t i = 0; status == PP_OK && i < r->arrivals.len; i++)
        status = arrive(r, &r->arrivals.data[i]);
    least_of_sums(r);
    for (size_t i = 0; status == PP_OK && i < r->touched.len; i++)
        status = note_usage(r, r->touched.data[i]);
    for (size_t i = 0; status == PP_OK && i < r->nodes.len; i++)
        r->usages->data[r->usage_at[r->nodes.data[i].channel] - 1].bits += r->nodes.data[i].bits;
    for (size_t i = 0; i < r->touched.len; i++)
        r->ser_ps[r->touched.data[i]] = r->packets[r->touched.data[i]] = 0;
    r->touched.len = r->nodes.len = r->arrivals.len = r->nets.len = 0;
    return status;
}

/* ---- collecting ---- */

static pp_status add_nodes(pp_lm_router *r, uint32_t bits)
{
    const size_t base = r->nodes.len;
    for (uint32_t i = 0; i < r->tree.n; i++) {
        const uint32_t channel = r->tree.edge[i], header = pp_hier_header_bits(r->h, channel);
        const pp_channel *c = pp_hier_channel(r->h, channel);
        const pp_lm_way n = {.channel = channel, .packet = (uint32_t)r->nets.len,
                        .parent = r->tree.parent[i] == PP_NO_EDGE ? PP_NONE : (uint32_t)base + r->tree.parent[i],
                        .latency_ps = c->latency_ps,
                        .bits = bits + header,
                        .ser_ps = pp_channel_serialise_ps(c, (uint64_t)bits + header)};
        if (!pp_push(&r->nodes, n))
            return PP_ENOMEM;
    }
    return PP_OK;
}

static pp_status collect(void *payload, const pp_lm_net_view *v)
{
    pp_lm_router *r = payload;
    if (v->phase != r->phase)
        PP_TRY(end_phase(r));
    r->phase = v->phase;
    r->phases = v->phases;
    r->dst.len = 0;
    for (uint32_t i = 0; i < v->n_ends; i++)
        if (!pp_push(&r->dst, r->order[v->end[i].place]))
            return PP_ENOMEM;
    if (!grow_u32(&r->end, v->n_ends))
        return PP_ENOMEM;
    const size_t base = r->nodes.len;
    PP_TRY(pp_hier_route_tree(&r->tree, r->h, r->order[v->src], r->dst.data, v->n_ends, r->end.data));
    PP_TRY(add_nodes(r, v->bits));
    for (uint32_t i = 0; i < v->n_ends; i++) {
        const uint32_t e = r->end.data[i];
        const pp_lm_arrival a = {.packet = (uint32_t)r->nets.len, .op = v->end[i].op,
                                 .way = e == PP_NO_EDGE ? PP_NONE : (uint32_t)base + e};
        if (!pp_push(&r->arrivals, a))
            return PP_ENOMEM;
    }
    if (v->phase == 0) {
        r->times.packets++;
        r->times.bits += v->bits;
    }
    return pp_push(&r->nets, (pp_lm_packet){.src_node = v->src_node, .dst_node = v->dst_node, .bits = v->bits}) ? PP_OK : PP_ENOMEM;
}

pp_status pp_lm_route_edge(pp_lm_router *r, const pp_lm_where *w, uint32_t edge, pp_lm_usages *usages,
                           pp_lm_edge_times *out)
{
    r->w = w;
    r->edge = edge;
    r->phase = 0;
    r->phases = 1;
    r->usages = usages;
    r->first_usage = usages->len;
    r->reach.len = 0;
    r->times = (pp_lm_edge_times){.channel = PP_NONE};
    PP_TRY(pp_lm_visit_edge(r->x, w, edge, collect, r));
    PP_TRY(end_phase(r));
    for (size_t i = r->first_usage; i < usages->len; i++) {
        pp_lm_usage *u = &usages->data[i];
        r->usage_at[u->channel] = 0;
        u->busy_ps = (u->busy_ps + r->phases - 1) / r->phases;
        u->bits *= share_of(r) / r->phases;
    }
    r->times.reach = r->reach.data;
    r->times.n_reach = (uint32_t)r->reach.len;
    *out = r->times;
    return PP_OK;
}

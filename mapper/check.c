/* All invariants of a mapping, by brute force and without the code that built it. */
#include "mapper/mapper_internal.h"

#include <stdlib.h>
#include <string.h>

typedef struct pp_checker {
    const pp_mapping *m;
    const pp_qnetwork *q;
    const pp_arch *arch;
    const pp_fabric *fabric;
} pp_checker;

static pp_status broken(const char *what, uint32_t index, const char *how)
{
    return pp_fail(PP_EINTERNAL, "mapping: %s %u %s", what, index, how);
}

/* ---- tiles ---- */

static pp_status check_stage_tiles(const pp_checker *c, uint32_t stage)
{
    const pp_plan *p = &c->m->plan[stage];
    const pp_stage *s = &c->q->stages->stage[stage];
    if (p->n_tiles != p->copies * p->col_tiles * p->row_tiles || p->copies < 1)
        return broken("stage", stage, "has a wrong number of tiles");
    for (uint32_t i = 0; i < p->n_tiles; i++) {
        const pp_tile *t = &c->m->tile[p->first_tile + i];
        if (t->stage != stage || (t->copy * p->col_tiles + t->col) * p->row_tiles + t->row != i)
            return broken("tile", p->first_tile + i, "stands at the wrong place");
        if (t->head != (t->row + 1 == p->row_tiles))
            return broken("tile", p->first_tile + i, "is a head or not, wrongly");
        if (t->in_lo >= t->in_hi || t->in_hi > s->in.c || t->out_lo >= t->out_hi || t->out_hi > s->fire.c)
            return broken("tile", p->first_tile + i, "has channels that its stage has not");
        if (t->rows_used > c->arch->rows || t->cols_used > c->arch->cols)
            return broken("tile", p->first_tile + i, "exceeds the array");
    }
    return PP_OK;
}

/* Every weight lies in exactly one tile of each copy: pairs (input, output channel) of a group. */
static pp_status check_weights(const pp_checker *c, uint32_t stage)
{
    const pp_plan *p = &c->m->plan[stage];
    const pp_stage *s = &c->q->stages->stage[stage];
    if (s->matrix == PP_NONE)
        return PP_OK;
    const pp_op *op = &c->q->net->ops[s->matrix];
    uint32_t groups = op->kind == PP_OP_CONV ? op->groups : 1, cin = s->in.c / groups, cout = s->fire.c / groups;
    for (uint32_t copy = 0; copy < p->copies; copy++)
        for (uint32_t out = 0; out < s->fire.c; out++)
            for (uint32_t i = 0; i < cin; i++) {
                uint32_t holders = 0, in = out / cout * cin + i;
                for (uint32_t k = 0; k < p->col_tiles * p->row_tiles; k++) {
                    const pp_tile *t = &c->m->tile[p->first_tile + copy * p->col_tiles * p->row_tiles + k];
                    holders += t->in_lo <= in && in < t->in_hi && t->out_lo <= out && out < t->out_hi;
                }
                if (holders != 1)
                    return broken("stage", stage, "has weights in no tile or in several");
            }
    return PP_OK;
}

static pp_status check_cores(const pp_checker *c)
{
    pp_status status = PP_OK;
    bool *taken = pp_calloc(c->fabric->n_cores, sizeof *taken);
    if (!taken)
        return PP_ENOMEM;
    for (uint32_t t = 0; t < c->m->n_tiles && status == PP_OK; t++) {
        uint32_t core = c->m->tile[t].core;
        if (core >= c->fabric->n_cores || taken[core])
            status = broken("tile", t, "has no core to itself");
        else
            taken[core] = true;
    }
    free(taken);
    return status;
}

/* ---- flows ---- */

/* Channels that a tile's flows of one input and source copy bring, each once. */
static pp_status check_input(const pp_checker *c, uint32_t tile, uint32_t k, uint32_t copy, uint32_t lo, uint32_t hi)
{
    const pp_mapping *m = c->m;
    uint32_t stream = c->q->stages->stage[m->tile[tile].stage].inputs[k].stream;
    for (uint32_t ch = lo; ch < hi; ch++) {
        uint32_t bringers = 0;
        for (uint32_t i = m->flow_of_tile_first[tile]; i < m->flow_of_tile_first[tile + 1]; i++) {
            const pp_flow *f = &m->flow[m->flow_of_tile[i]];
            uint32_t from, to;
            if (f->kind == PP_FLOW_PSUM || f->input != k || m->tile[f->src].copy != copy)
                continue;
            const pp_tile *src = &m->tile[f->src];
            pp_tile_slice(&c->q->stages->stage[src->stage], src, &from, &to);
            if (f->stream != stream || src->stage + 1 != stream || !src->head || f->ch_lo < from || f->ch_hi > to)
                return broken("flow", m->flow_of_tile[i], "carries what its source does not emit");
            bringers += f->ch_lo <= ch && ch < f->ch_hi;
        }
        if (bringers != 1)
            return broken("tile", tile, "misses a channel of an input, or gets one twice");
    }
    return PP_OK;
}

static pp_status check_inputs(const pp_checker *c, uint32_t tile)
{
    const pp_stage *s = &c->q->stages->stage[c->m->tile[tile].stage];
    for (uint32_t k = 0; k < s->n_inputs; k++) {
        uint32_t lo, hi, stream = s->inputs[k].stream;
        if (stream == 0 || !pp_tile_needs(c->q, &c->m->tile[tile], k, &lo, &hi))
            continue;
        for (uint32_t copy = 0; copy < c->m->plan[stream - 1].copies; copy++)
            PP_TRY(check_input(c, tile, k, copy, lo, hi));
    }
    return PP_OK;
}

/* Partial sums of every row tile reach the head over exactly one way. */
static pp_status check_psums(const pp_checker *c)
{
    const pp_mapping *m = c->m;
    pp_status status = PP_OK;
    uint32_t *sends = pp_calloc(m->n_tiles, sizeof *sends);
    if (!sends)
        return PP_ENOMEM;
    for (uint32_t f = 0; f < m->n_flows && status == PP_OK; f++) {
        const pp_tile *a = &m->tile[m->flow[f].src], *b = &m->tile[m->flow[f].dst];
        if (m->flow[f].kind != PP_FLOW_PSUM)
            continue;
        if (a->stage != b->stage || a->copy != b->copy || a->col != b->col || a->row >= b->row ||
            m->flow[f].ch_lo != a->out_lo || m->flow[f].ch_hi != a->out_hi)
            status = broken("flow", f, "sums what does not belong together");
        sends[m->flow[f].src]++;
    }
    for (uint32_t t = 0; t < m->n_tiles && status == PP_OK; t++)
        if (sends[t] != !m->tile[t].head)
            status = broken("tile", t, "does not send its partial sums once");
    free(sends);
    return status;
}

/* Packets and pixels that a flow's source copy sends an inference, one by one. */
static void count_packets(const pp_checker *c, const pp_flow *f, uint64_t *packets, uint64_t *pixels)
{
    const pp_tile *src = &c->m->tile[f->src];
    pp_shape map;
    pp_patch patch;
    pp_flow_cut(c->m, c->q, f, &map, &patch);
    *packets = *pixels = 0;
    for (uint32_t p = src->copy; p < pp_positions(map, patch); p += c->m->plan[src->stage].copies) {
        ++*packets;
        *pixels += pp_patch_pixels(map, patch, p);
    }
}

static uint32_t value_bits(const pp_checker *c, const pp_flow *f)
{
    return f->kind == PP_FLOW_PSUM ? c->q->psum_bits : c->q->stream[f->stream].bits;
}

static pp_status check_flow_bits(const pp_checker *c, uint32_t flow)
{
    const pp_flow *f = &c->m->flow[flow];
    uint64_t packets, pixels;
    count_packets(c, f, &packets, &pixels);
    if (f->bits_per_pixel != (f->ch_hi - f->ch_lo) * value_bits(c, f) || f->positions != packets ||
        f->bits != pixels * f->bits_per_pixel)
        return broken("flow", flow, "has wrong bits");
    if (f->buffer_min < 1 && c->m->bounds.interval_ps)
        return broken("flow", flow, "has no smallest buffer");
    return PP_OK;
}

static pp_status check_incoming(const pp_checker *c)
{
    for (uint32_t t = 0; t < c->m->n_tiles; t++)
        for (uint32_t i = c->m->flow_of_tile_first[t]; i < c->m->flow_of_tile_first[t + 1]; i++)
            if (c->m->flow[c->m->flow_of_tile[i]].dst != t)
                return broken("tile", t, "lists flows of others");
    return c->m->flow_of_tile_first[c->m->n_tiles] == c->m->n_flows ? PP_OK : broken("tile", 0, "lists too few flows");
}

/* ---- nets ---- */

/* A tree of channels: parents first, each edge starts where its parent ends, the root at the source. */
static pp_status check_tree(const pp_checker *c, uint32_t net)
{
    const pp_mapping *m = c->m;
    const pp_net *n = &m->net[net];
    for (uint32_t e = n->first_edge; e < n->first_edge + n->n_edges; e++) {
        const pp_net_edge *edge = &m->edge[e];
        bool root = edge->parent == PP_NONE;
        uint32_t from = c->fabric->core_vertex[m->tile[n->src].core];
        if (edge->channel >= c->fabric->n_channels || (!root && (edge->parent < n->first_edge || edge->parent >= e)))
            return broken("net", net, "is no tree");
        if (!root)
            from = c->fabric->channel[m->edge[edge->parent].channel].dst;
        if (c->fabric->channel[edge->channel].src != from)
            return broken("net", net, "has an edge that does not go on where the one before ends");
    }
    return PP_OK;
}

/* Channels that flows ending at or below `edge` need, each once. */
static uint32_t channels_below(const pp_checker *c, const pp_net *n, const uint32_t *end, uint32_t edge)
{
    uint32_t channels = 0, limit = 0;
    for (uint32_t i = 0; i < n->n_flows; i++) {
        uint32_t hi = c->m->flow[c->m->net_flow[n->first_flow + i]].ch_hi;
        limit = hi > limit ? hi : limit;
    }
    for (uint32_t ch = 0; ch < limit; ch++) {
        bool needed = false;
        for (uint32_t i = 0; i < n->n_flows && !needed; i++) {
            uint32_t flow = c->m->net_flow[n->first_flow + i], e = end[flow];
            const pp_flow *f = &c->m->flow[flow];
            if (ch < f->ch_lo || ch >= f->ch_hi)
                continue;
            while (e != PP_NONE && e != edge)
                e = c->m->edge[e].parent;
            needed = e == edge;
        }
        channels += needed;
    }
    return channels;
}

static pp_status check_net_bits(const pp_checker *c, uint32_t net, const uint32_t *end)
{
    const pp_net *n = &c->m->net[net];
    const pp_flow *lead = &c->m->flow[c->m->net_flow[n->first_flow]];
    uint64_t packets, pixels;
    count_packets(c, lead, &packets, &pixels);
    for (uint32_t e = n->first_edge; e < n->first_edge + n->n_edges; e++) {
        uint64_t bits = (uint64_t)channels_below(c, n, end, e) * value_bits(c, lead);
        if (c->m->edge[e].bits_per_pixel != bits ||
            c->m->edge[e].bits != bits * pixels + packets * c->fabric->header_bits)
            return broken("net", net, "has wrong bits on an edge");
    }
    return n->packets == packets ? PP_OK : broken("net", net, "has a wrong number of packets");
}

/* A flow's way from its end back to its source: at the right vertices, and the same as its hops. */
static pp_status check_way(const pp_checker *c, uint32_t flow, uint32_t end)
{
    const pp_mapping *m = c->m;
    const pp_flow *f = &m->flow[flow];
    uint32_t h = f->hops;
    if (end != PP_NONE && c->fabric->channel[m->edge[end].channel].dst != c->fabric->core_vertex[m->tile[f->dst].core])
        return broken("flow", flow, "does not end at its consumer's core");
    if (end == PP_NONE && m->tile[f->src].core != m->tile[f->dst].core)
        return broken("flow", flow, "has no way");
    for (uint32_t e = end; e != PP_NONE; e = m->edge[e].parent) {
        if (m->edge[e].channel >= c->fabric->n_network)
            continue;
        if (h == 0 || m->hop[f->first_hop + --h] != m->edge[e].channel)
            return broken("flow", flow, "has hops that are not those of its net");
    }
    return h == 0 ? PP_OK : broken("flow", flow, "has more hops than its net");
}

static pp_status check_membership(const pp_checker *c, uint32_t net, uint32_t *end)
{
    const pp_mapping *m = c->m;
    const pp_net *n = &m->net[net];
    for (uint32_t i = 0; i < n->n_flows; i++) {
        uint32_t flow = m->net_flow[n->first_flow + i];
        if (m->flow[flow].net != net || m->flow[flow].src != n->src)
            return broken("net", net, "lists a flow of another");
        end[flow] = PP_NONE;
    }
    for (uint32_t e = n->first_edge; e < n->first_edge + n->n_edges; e++)
        for (uint32_t i = 0; i < m->edge[e].n_end; i++) {
            uint32_t flow = m->edge_end[m->edge[e].first_end + i];
            if (m->flow[flow].net != net)
                return broken("net", net, "ends a flow of another");
            end[flow] = e;
        }
    return PP_OK;
}

static pp_status check_nets(const pp_checker *c)
{
    const pp_mapping *m = c->m;
    pp_status status = PP_OK;
    uint32_t listed = 0;
    uint32_t *end = pp_calloc(m->n_flows, sizeof *end);
    if (!end)
        return PP_ENOMEM;
    for (uint32_t n = 0; n < m->n_nets; n++) {
        listed += m->net[n].n_flows;
        PP_GOTO(done, status, check_membership(c, n, end));
        PP_GOTO(done, status, check_tree(c, n));
        PP_GOTO(done, status, check_net_bits(c, n, end));
    }
    if (listed != m->n_flows) {
        status = broken("net", 0, "and its like leave flows out");
        goto done;
    }
    for (uint32_t f = 0; f < m->n_flows; f++)
        PP_GOTO(done, status, check_way(c, f, end[f]));
done:
    free(end);
    return status;
}

/* ---- sums ---- */

static pp_status check_loads(const pp_checker *c)
{
    const pp_mapping *m = c->m;
    bool disjoint = true;
    for (uint32_t ch = 0; ch < m->n_channels; ch++) {
        uint64_t bits = 0;
        uint32_t nets = 0;
        for (uint32_t e = 0; e < m->n_edges; e++)
            if (m->edge[e].channel == ch) {
                bits += m->edge[e].bits;
                nets++;
            }
        if (bits != m->channel_bits[ch] || nets != m->channel_flows[ch])
            return broken("channel", ch, "has a load that does not add up");
        disjoint = disjoint && (ch >= c->fabric->n_network || nets <= 1);
    }
    uint32_t single = 0, most = 0;
    for (uint32_t f = 0; f < m->n_flows; f++) {
        single += m->flow[f].hops == 1;
        most = m->flow[f].hops > most ? m->flow[f].hops : most;
    }
    pp_certificate is = !disjoint ? PP_CERT_ROUTED : single == m->n_flows ? PP_CERT_EMBEDDING : PP_CERT_DISJOINT;
    if (single != m->single_channel_flows || most != m->max_hops || is != m->certificate)
        return pp_fail(PP_EINTERNAL, "mapping: hops or certificate are wrong");
    return PP_OK;
}

pp_status pp_mapping_check(const pp_mapping *m, const pp_qnetwork *q, const pp_arch *arch, const pp_fabric *fabric)
{
    pp_checker c = {m, q, arch, fabric};
    if (m->n_stages != q->stages->n)
        return pp_fail(PP_EINTERNAL, "mapping: has other stages than its network");
    for (uint32_t s = 0; s < m->n_stages; s++) {
        PP_TRY(check_stage_tiles(&c, s));
        PP_TRY(check_weights(&c, s));
    }
    PP_TRY(check_incoming(&c));
    for (uint32_t t = 0; t < m->n_tiles; t++)
        PP_TRY(check_inputs(&c, t));
    PP_TRY(check_psums(&c));
    for (uint32_t f = 0; f < m->n_flows; f++)
        PP_TRY(check_flow_bits(&c, f));
    if (!fabric)
        return PP_OK;
    PP_TRY(check_cores(&c));
    PP_TRY(check_nets(&c));
    return check_loads(&c);
}

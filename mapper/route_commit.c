/* From a layout to the mapping: cores, nets, edges with their exact bits, ports, hops, loads and the
 * certificate. */
#include "mapper/mapper_internal.h"
#include "mapper/place_internal.h"

#include <stdlib.h>
#include <string.h>

typedef struct pp_commit {
    const pp_layout *layout;
    pp_mapping *m;
    uint32_t *end;   /* [n_flows] edge at whose far end the flow ends */
    uint32_t *reach; /* [n_edges] channels counted so far on an edge: end of the last range */
    uint32_t *ports; /* [n_edges] edges that go through a port, for sorting */
} pp_commit;

/* ---- arrays ---- */

void pp_mapping_clear_routes(pp_mapping *m)
{
    free(m->net_of_tile_first);
    free(m->net_of_tile);
    free(m->net);
    free(m->net_flow);
    free(m->edge);
    free(m->edge_end);
    free(m->hop);
    free(m->channel_bits);
    free(m->channel_flows);
    free(m->placement);
    m->net_of_tile_first = m->net_of_tile = m->net_flow = m->edge_end = m->hop = m->channel_flows = NULL;
    m->net = NULL;
    m->edge = NULL;
    m->channel_bits = NULL;
    m->placement = NULL;
    m->n_nets = m->n_edges = m->n_hops = m->n_edge_ends = m->n_channels = 0;
}

static pp_status allocate(pp_commit *c)
{
    const pp_task *task = c->layout->task;
    pp_mapping *m = c->m;
    size_t edges = task->fabric->ports ? (size_t)task->n_nets + task->n_sinks : 0;
    for (uint32_t n = 0; n < task->n_nets; n++)
        edges += c->layout->tree[n].len;
    if (edges >= PP_NONE)
        return pp_fail(PP_EUNSUPPORTED, "fabric %s: the routes take %zu channels in all, too many", task->fabric->name,
                       edges);
    pp_mapping_clear_routes(m);
    m->net_of_tile_first = pp_calloc(m->n_tiles + 1u, sizeof *m->net_of_tile_first);
    m->net_of_tile = pp_calloc(task->n_nets, sizeof *m->net_of_tile);
    m->net = pp_calloc(task->n_nets, sizeof *m->net);
    m->net_flow = pp_calloc(m->n_flows, sizeof *m->net_flow);
    m->edge = pp_calloc(edges, sizeof *m->edge);
    m->edge_end = pp_calloc(m->n_flows, sizeof *m->edge_end);
    m->channel_bits = pp_calloc(task->fabric->n_channels, sizeof *m->channel_bits);
    m->channel_flows = pp_calloc(task->fabric->n_channels, sizeof *m->channel_flows);
    c->end = pp_calloc(m->n_flows, sizeof *c->end);
    c->reach = pp_calloc(edges, sizeof *c->reach);
    c->ports = pp_calloc(edges, sizeof *c->ports);
    bool ok = m->net_of_tile_first && m->net_of_tile && m->net && m->net_flow && m->edge && m->edge_end &&
              m->channel_bits && m->channel_flows && c->end && c->reach && c->ports;
    return ok ? PP_OK : PP_ENOMEM;
}

/* ---- edges ---- */

static uint32_t add_edge(pp_mapping *m, uint32_t channel, uint32_t parent)
{
    m->edge[m->n_edges] = (pp_net_edge){.channel = channel, .parent = parent};
    return m->n_edges++;
}

/* The tree's edges: injection, network, ejections (ports are chosen later: port 0 stands for them). */
static void add_edges(pp_commit *c, uint32_t net)
{
    const pp_task *task = c->layout->task;
    const pp_fabric *fabric = task->fabric;
    const pp_task_net *n = &task->net[net];
    const pp_net_tree *tree = &c->layout->tree[net];
    pp_mapping *m = c->m;
    uint32_t root = PP_NONE;
    m->net[net].first_edge = m->n_edges;
    if (fabric->ports)
        root = add_edge(m, fabric->inject[(size_t)c->layout->core[n->src] * fabric->ports], PP_NONE);
    uint32_t base = m->n_edges;
    for (size_t e = 0; e < tree->len; e++)
        add_edge(m, tree->data[e].channel, tree->data[e].parent == PP_NONE ? root : base + tree->data[e].parent);
    for (uint32_t s = 0; s < n->n_sinks; s++) {
        uint32_t tile = task->sink_tile[n->first_sink + s], end = c->layout->sink_end[n->first_sink + s];
        end = end == PP_NONE ? root : base + end;
        if (fabric->ports)
            end = add_edge(m, fabric->eject[(size_t)c->layout->core[tile] * fabric->ports], end);
        for (uint32_t i = 0; i < n->n_flows; i++)
            if (m->flow[task->net_flow[n->first_flow + i]].dst == tile)
                c->end[task->net_flow[n->first_flow + i]] = end;
    }
    m->net[net].n_edges = m->n_edges - m->net[net].first_edge;
}

/* Order of flows by first channel; a total order, so that qsort cannot change results. */
static int by_channel(const void *a, const void *b)
{
    const pp_flow *x = *(const pp_flow *const *)a, *y = *(const pp_flow *const *)b;
    if (x->ch_lo != y->ch_lo)
        return x->ch_lo < y->ch_lo ? -1 : 1;
    return (x > y) - (x < y);
}

/* Union of the channel ranges below every edge: ranges come by their first channel, so an edge needs to
 * remember only how far it has counted. */
static pp_status add_bits(pp_commit *c, uint32_t net)
{
    const pp_task *task = c->layout->task;
    const pp_task_net *n = &task->net[net];
    pp_mapping *m = c->m;
    const pp_flow **sorted = pp_alloc(n->n_flows, sizeof *sorted);
    if (!sorted)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < n->n_flows; i++)
        sorted[i] = &m->flow[task->net_flow[n->first_flow + i]];
    qsort(sorted, n->n_flows, sizeof *sorted, by_channel);
    for (uint32_t i = 0; i < n->n_flows; i++) {
        uint32_t lo = sorted[i]->ch_lo, hi = sorted[i]->ch_hi;
        for (uint32_t e = c->end[sorted[i] - m->flow]; e != PP_NONE; e = m->edge[e].parent) {
            uint32_t from = lo > c->reach[e] ? lo : c->reach[e];
            if (hi <= from)
                continue;
            m->edge[e].bits_per_pixel += (hi - from) * n->width;
            c->reach[e] = hi;
        }
    }
    free(sorted);
    for (uint32_t e = m->net[net].first_edge; e < m->n_edges; e++)
        m->edge[e].bits = m->edge[e].bits_per_pixel * n->pixels + task->fabric->header_bits * n->packets;
    return PP_OK;
}

/* Flows that end at each edge: counted, then listed in flow order. */
static void add_ends(pp_commit *c, uint32_t net)
{
    const pp_task_net *n = &c->layout->task->net[net];
    const uint32_t *flow = &c->layout->task->net_flow[n->first_flow];
    pp_mapping *m = c->m;
    for (uint32_t i = 0; i < n->n_flows; i++)
        if (c->end[flow[i]] != PP_NONE)
            m->edge[c->end[flow[i]]].n_end++;
    for (uint32_t e = m->net[net].first_edge; e < m->n_edges; e++) {
        m->edge[e].first_end = m->n_edge_ends;
        m->n_edge_ends += m->edge[e].n_end;
        m->edge[e].n_end = 0;
    }
    for (uint32_t i = 0; i < n->n_flows; i++) {
        if (c->end[flow[i]] == PP_NONE)
            continue;
        pp_net_edge *e = &m->edge[c->end[flow[i]]];
        m->edge_end[e->first_end + e->n_end++] = flow[i];
    }
}

static pp_status add_nets(pp_commit *c)
{
    const pp_task *task = c->layout->task;
    pp_mapping *m = c->m;
    m->n_nets = task->n_nets;
    memcpy(m->net_flow, task->net_flow, m->n_flows * sizeof *m->net_flow);
    for (uint32_t n = 0; n < task->n_nets; n++) {
        const pp_task_net *from = &task->net[n];
        m->net[n] = (pp_net){.src = from->src,
                             .kind = from->kind,
                             .first_flow = from->first_flow,
                             .n_flows = from->n_flows,
                             .packets = from->packets};
        for (uint32_t i = 0; i < from->n_flows; i++)
            m->flow[task->net_flow[from->first_flow + i]].net = n;
        add_edges(c, n);
        PP_TRY(add_bits(c, n));
        add_ends(c, n);
        m->net_of_tile[n] = n; /* nets come in the order of their source tiles */
        m->net_of_tile_first[from->src + 1]++;
    }
    for (uint32_t t = 0; t < m->n_tiles; t++)
        m->net_of_tile_first[t + 1] += m->net_of_tile_first[t];
    return PP_OK;
}

/* ---- ports ---- */

/* A port edge before its port is chosen: its core and bits decide the order of choosing. */
typedef struct pp_port_edge {
    uint32_t core, edge;
    uint64_t bits;
} pp_port_edge;

static int by_core_and_bits(const void *a, const void *b)
{
    const pp_port_edge *x = a, *y = b;
    if (x->core != y->core)
        return x->core < y->core ? -1 : 1;
    if (x->bits != y->bits)
        return x->bits > y->bits ? -1 : 1;
    return (x->edge > y->edge) - (x->edge < y->edge);
}

/* Each core's edges, heaviest first, to its least loaded port: `port` is inject[] or eject[]. */
static pp_status choose_ports(pp_mapping *m, const pp_fabric *fabric, const uint32_t *core_of_edge, uint8_t kind,
                              const uint32_t *port)
{
    uint32_t n = 0;
    pp_port_edge *list = pp_alloc(m->n_edges, sizeof *list);
    uint64_t *load = pp_calloc(fabric->n_channels, sizeof *load);
    bool ok = list && load;
    for (uint32_t e = 0; ok && e < m->n_edges; e++)
        if (fabric->channel[m->edge[e].channel].kind == kind)
            list[n++] = (pp_port_edge){core_of_edge[e], e, m->edge[e].bits};
    if (ok)
        qsort(list, n, sizeof *list, by_core_and_bits);
    for (uint32_t i = 0; ok && i < n; i++) {
        const uint32_t *mine = &port[(size_t)list[i].core * fabric->ports];
        uint32_t best = 0;
        for (uint32_t p = 1; p < fabric->ports; p++)
            if (load[mine[p]] < load[mine[best]])
                best = p;
        load[mine[best]] += list[i].bits;
        m->edge[list[i].edge].channel = mine[best];
    }
    free(list);
    free(load);
    return ok ? PP_OK : PP_ENOMEM;
}

static pp_status assign_ports(pp_commit *c)
{
    const pp_fabric *fabric = c->layout->task->fabric;
    pp_mapping *m = c->m;
    if (!fabric->ports)
        return PP_OK;
    for (uint32_t n = 0; n < m->n_nets; n++)
        c->ports[m->net[n].first_edge] = c->layout->core[m->net[n].src];
    for (uint32_t f = 0; f < m->n_flows; f++)
        c->ports[c->end[f]] = c->layout->core[m->flow[f].dst];
    PP_TRY(choose_ports(m, fabric, c->ports, PP_CHANNEL_INJECT, fabric->inject));
    return choose_ports(m, fabric, c->ports, PP_CHANNEL_EJECT, fabric->eject);
}

/* ---- hops and loads ---- */

static uint32_t flow_hops(const pp_commit *c, uint32_t flow)
{
    const pp_fabric *fabric = c->layout->task->fabric;
    uint32_t n = 0;
    for (uint32_t e = c->end[flow]; e != PP_NONE; e = c->m->edge[e].parent)
        n += fabric->channel[c->m->edge[e].channel].kind == PP_CHANNEL_NETWORK;
    return n;
}

static pp_status add_hops(pp_commit *c)
{
    const pp_fabric *fabric = c->layout->task->fabric;
    pp_mapping *m = c->m;
    size_t total = 0;
    m->max_hops = m->single_channel_flows = 0;
    for (uint32_t f = 0; f < m->n_flows; f++) {
        m->flow[f].first_hop = (uint32_t)total;
        m->flow[f].hops = flow_hops(c, f);
        total += m->flow[f].hops;
        m->max_hops = m->flow[f].hops > m->max_hops ? m->flow[f].hops : m->max_hops;
        m->single_channel_flows += m->flow[f].hops == 1;
    }
    m->hop = pp_alloc(total, sizeof *m->hop);
    if (!m->hop)
        return PP_ENOMEM;
    m->n_hops = (uint32_t)total;
    for (uint32_t f = 0; f < m->n_flows; f++) {
        uint32_t i = m->flow[f].first_hop + m->flow[f].hops;
        for (uint32_t e = c->end[f]; e != PP_NONE; e = m->edge[e].parent)
            if (fabric->channel[m->edge[e].channel].kind == PP_CHANNEL_NETWORK)
                m->hop[--i] = m->edge[e].channel;
    }
    return PP_OK;
}

static void add_loads(pp_commit *c)
{
    const pp_fabric *fabric = c->layout->task->fabric;
    pp_mapping *m = c->m;
    bool disjoint = true;
    m->n_channels = fabric->n_channels;
    for (uint32_t e = 0; e < m->n_edges; e++) {
        m->channel_bits[m->edge[e].channel] += m->edge[e].bits;
        m->channel_flows[m->edge[e].channel]++;
    }
    for (uint32_t i = 0; i < fabric->n_network; i++)
        disjoint = disjoint && m->channel_flows[i] <= 1;
    m->certificate = !disjoint                               ? PP_CERT_ROUTED
                     : m->single_channel_flows == m->n_flows ? PP_CERT_EMBEDDING
                                                             : PP_CERT_DISJOINT;
}

pp_status pp_layout_commit(const pp_layout *layout, pp_mapping *m)
{
    pp_commit c = {.layout = layout, .m = m};
    pp_status status;
    PP_GOTO(done, status, allocate(&c));
    PP_GOTO(done, status, add_nets(&c));
    PP_GOTO(done, status, assign_ports(&c));
    PP_GOTO(done, status, add_hops(&c));
    add_loads(&c);
    m->cores_used = m->n_tiles;
    for (uint32_t t = 0; t < m->n_tiles; t++)
        m->tile[t].core = layout->core[t];
done:
    free(c.end);
    free(c.reach);
    free(c.ports);
    return status;
}

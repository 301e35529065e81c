/* What placement sees of a mapping: nets with their sinks, and what their edges weigh. */
#include "mapper/place_internal.h"

#include <stdlib.h>
#include <string.h>

#define MAX_ATOMS 64u
/* Networks with more tiles are placed by distances first (place_distance.c). */
#define SMALL_TILES 160u

void pp_task_free(pp_task *task)
{
    if (!task)
        return;
    pp_metric_free(task->metric);
    free(task->net);
    free(task->net_flow);
    free(task->sink_tile);
    free(task->sink_mask);
    free(task->atom);
    free(task->touch_first);
    free(task->touch);
    free(task->leave);
    free(task->enter);
    free(task->slow);
    free(task);
}

uint64_t pp_task_bits(const pp_task *task, const pp_task_net *net, uint64_t mask)
{
    uint64_t channels = 0;
    for (uint32_t a = 0; a < net->n_atoms; a++)
        if (mask >> a & 1)
            channels += task->atom[net->first_atom + a];
    return channels * net->width * net->pixels + task->fabric->header_bits * net->packets;
}

static uint32_t scale(const pp_task *task, uint64_t bits)
{
    double w = (double)bits / (double)task->max_bits * PP_WEIGHT_FULL;
    return w < 1 ? 1u : (uint32_t)w;
}

uint32_t pp_task_weight(const pp_task *task, const pp_task_net *net, uint64_t mask)
{
    return net->n_atoms == 1 ? net->weight : scale(task, pp_task_bits(task, net, mask));
}

/* ---- grouping flows into nets ---- */

/* Flows of one source tile that may share packets. A partial sum goes to one tile and is never shared. */
static bool same_net(const pp_flow *a, const pp_flow *b)
{
    return a->src == b->src && a->kind != PP_FLOW_PSUM && b->kind != PP_FLOW_PSUM && a->stream == b->stream;
}

/* Flows by source tile, in flow order inside a tile: first[n_tiles + 1], list[n_flows]. */
static void flows_by_source(const pp_mapping *m, uint32_t *first, uint32_t *list)
{
    for (uint32_t t = 0; t <= m->n_tiles; t++)
        first[t] = 0;
    for (uint32_t f = 0; f < m->n_flows; f++)
        first[m->flow[f].src + 1]++;
    for (uint32_t t = 0; t < m->n_tiles; t++)
        first[t + 1] += first[t];
    for (uint32_t f = 0; f < m->n_flows; f++)
        list[first[m->flow[f].src]++] = f;
    for (uint32_t t = m->n_tiles; t > 0; t--)
        first[t] = first[t - 1];
    first[0] = 0;
}

/* Appends the net that begins with flow `list[i]` and marks its flows as taken. */
static void gather_net(pp_task *task, const pp_mapping *m, const uint32_t *list, uint32_t i, uint32_t end, bool *taken,
                       uint32_t *n_net_flows)
{
    const pp_flow *lead = &m->flow[list[i]];
    pp_task_net *net = &task->net[task->n_nets++];
    *net = (pp_task_net){.src = lead->src, .kind = lead->kind, .first_flow = *n_net_flows};
    for (uint32_t j = i; j < end; j++) {
        const pp_flow *f = &m->flow[list[j]];
        if (taken[list[j]] || (j != i && !same_net(lead, f)))
            continue;
        taken[list[j]] = true;
        task->net_flow[(*n_net_flows)++] = list[j];
        if (f->kind != net->kind)
            net->kind = PP_FLOW_ACTIVATION;
    }
    net->n_flows = *n_net_flows - net->first_flow;
    uint32_t channels = lead->ch_hi - lead->ch_lo;
    net->width = channels ? lead->bits_per_pixel / channels : 0;
    net->pixels = lead->bits_per_pixel ? lead->bits / lead->bits_per_pixel : 0;
    net->packets = lead->positions;
}

static pp_status gather_nets(pp_task *task, const pp_mapping *m)
{
    pp_status status = PP_ENOMEM;
    uint32_t n_net_flows = 0;
    uint32_t *first = pp_alloc(m->n_tiles + 1u, sizeof *first), *list = pp_alloc(m->n_flows, sizeof *list);
    bool *taken = pp_calloc(m->n_flows, sizeof *taken);
    task->net = pp_calloc(m->n_flows, sizeof *task->net);
    task->net_flow = pp_alloc(m->n_flows, sizeof *task->net_flow);
    if (!first || !list || !taken || !task->net || !task->net_flow)
        goto done;
    flows_by_source(m, first, list);
    for (uint32_t t = 0; t < m->n_tiles; t++)
        for (uint32_t i = first[t]; i < first[t + 1]; i++)
            if (!taken[list[i]])
                gather_net(task, m, list, i, first[t + 1], taken, &n_net_flows);
    status = PP_OK;
done:
    free(first);
    free(list);
    free(taken);
    return status;
}

/* ---- sinks and atoms ---- */

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t sort_unique(uint32_t *v, uint32_t n)
{
    uint32_t out = 0;
    qsort(v, n, sizeof *v, compare_u32);
    for (uint32_t i = 0; i < n; i++)
        if (!out || v[out - 1] != v[i])
            v[out++] = v[i];
    return out;
}

/* Thins `n` cut points to MAX_ATOMS + 1, first and last kept: atoms then are coarser than the ranges,
 * and a mask stands for at least the channels that are needed. Only the search sees that; the loads
 * of the result are computed from the ranges (route_commit.c). */
static uint32_t thin_cuts(uint32_t *cut, uint32_t n)
{
    if (n <= MAX_ATOMS + 1)
        return n;
    for (uint32_t i = 0; i <= MAX_ATOMS; i++)
        cut[i] = cut[(uint64_t)i * (n - 1) / MAX_ATOMS];
    return MAX_ATOMS + 1;
}

static uint64_t mask_of(const uint32_t *cut, uint32_t n_cuts, const pp_flow *f)
{
    uint64_t mask = 0;
    for (uint32_t a = 0; a + 1 < n_cuts; a++)
        if (cut[a] < f->ch_hi && cut[a + 1] > f->ch_lo)
            mask |= UINT64_C(1) << a;
    return mask;
}

/* Sinks and atoms of one net behind those of the nets before it; `scratch` holds 2 x n_flows. */
static void fill_net(pp_task *task, const pp_mapping *m, pp_task_net *net, uint32_t *scratch, uint32_t *n_atoms)
{
    const uint32_t *flow = &task->net_flow[net->first_flow];
    uint32_t *tile = &task->sink_tile[task->n_sinks];
    for (uint32_t i = 0; i < net->n_flows; i++) {
        tile[i] = m->flow[flow[i]].dst;
        scratch[2 * i] = m->flow[flow[i]].ch_lo;
        scratch[2 * i + 1] = m->flow[flow[i]].ch_hi;
    }
    net->first_sink = task->n_sinks;
    net->n_sinks = sort_unique(tile, net->n_flows);
    task->n_sinks += net->n_sinks;
    uint32_t cuts = thin_cuts(scratch, sort_unique(scratch, 2 * net->n_flows));
    net->first_atom = *n_atoms;
    net->n_atoms = cuts - 1;
    for (uint32_t a = 0; a + 1 < cuts; a++)
        task->atom[(*n_atoms)++] = scratch[a + 1] - scratch[a];
    uint64_t all = 0;
    for (uint32_t s = 0; s < net->n_sinks; s++) {
        uint64_t *mask = &task->sink_mask[net->first_sink + s];
        *mask = 0;
        for (uint32_t i = 0; i < net->n_flows; i++)
            if (m->flow[flow[i]].dst == tile[s])
                *mask |= mask_of(scratch, cuts, &m->flow[flow[i]]);
        all |= *mask;
    }
    net->bits = pp_task_bits(task, net, all);
}

static pp_status fill_nets(pp_task *task, const pp_mapping *m)
{
    uint32_t n_atoms = 0;
    uint32_t *scratch = pp_alloc(2 * (size_t)m->n_flows, sizeof *scratch);
    task->sink_tile = pp_alloc(m->n_flows, sizeof *task->sink_tile);
    task->sink_mask = pp_alloc(m->n_flows, sizeof *task->sink_mask);
    task->atom = pp_alloc(2 * (size_t)m->n_flows, sizeof *task->atom);
    if (!scratch || !task->sink_tile || !task->sink_mask || !task->atom) {
        free(scratch);
        return PP_ENOMEM;
    }
    task->max_bits = 1;
    for (uint32_t n = 0; n < task->n_nets; n++) {
        fill_net(task, m, &task->net[n], scratch, &n_atoms);
        if (task->net[n].bits > task->max_bits)
            task->max_bits = task->net[n].bits;
    }
    for (uint32_t n = 0; n < task->n_nets; n++)
        task->net[n].weight = scale(task, task->net[n].bits);
    free(scratch);
    return PP_OK;
}

static pp_status fill_touch(pp_task *task)
{
    uint32_t *first = task->touch_first = pp_calloc(task->n_tiles + 1u, sizeof *first);
    task->touch = pp_alloc((size_t)task->n_sinks + task->n_nets, sizeof *task->touch);
    if (!first || !task->touch)
        return PP_ENOMEM;
    for (uint32_t n = 0; n < task->n_nets; n++)
        first[task->net[n].src + 1]++;
    for (uint32_t s = 0; s < task->n_sinks; s++)
        first[task->sink_tile[s] + 1]++;
    for (uint32_t t = 0; t < task->n_tiles; t++)
        first[t + 1] += first[t];
    for (uint32_t n = 0; n < task->n_nets; n++) {
        const pp_task_net *net = &task->net[n];
        task->touch[first[net->src]++] = n;
        for (uint32_t s = 0; s < net->n_sinks; s++)
            task->touch[first[task->sink_tile[net->first_sink + s]]++] = n;
    }
    memmove(first + 1, first, task->n_tiles * sizeof *first);
    first[0] = 0;
    return PP_OK;
}

/* ---- the fabric's side ---- */

static pp_status fill_fabric(pp_task *task)
{
    const pp_fabric *fabric = task->fabric;
    task->leave = pp_alloc(fabric->n_cores, sizeof *task->leave);
    task->enter = pp_alloc(fabric->n_cores, sizeof *task->enter);
    task->slow = pp_alloc(fabric->n_network, sizeof *task->slow);
    if (!task->leave || !task->enter || !task->slow)
        return PP_ENOMEM;
    for (uint32_t c = 0; c < fabric->n_cores; c++) {
        size_t port = (size_t)c * fabric->ports;
        task->leave[c] = fabric->ports ? fabric->channel[fabric->inject[port]].dst : fabric->core_switch[c];
        task->enter[c] = fabric->ports ? fabric->channel[fabric->eject[port]].src : fabric->core_switch[c];
    }
    double fastest = 0;
    for (uint32_t c = 0; c < fabric->n_network; c++) {
        double rate = pp_channel_rate_gbps(&fabric->channel[c]);
        fastest = rate > fastest ? rate : fastest;
    }
    for (uint32_t c = 0; c < fabric->n_network; c++) {
        double ratio = 256 * fastest / pp_channel_rate_gbps(&fabric->channel[c]);
        task->slow[c] = ratio < 1e6 ? (uint32_t)(ratio + 0.5) : 1000000u;
    }
    return PP_OK;
}

/* Where hops can be counted out, each is dear: they are what an embedding does without. In large networks
 * bits and the busiest channel decide. In units of 1 / PP_WEIGHT_FULL of the heaviest net's edge; a channel
 * between source and sink prefers a star of single channels to a chain. */
static pp_status set_prices(pp_task *task)
{
    task->channel_cost = 16;
    task->depth_cost = 128;
    task->large = task->n_tiles > SMALL_TILES;
    if (task->large) {
        task->channel_cost = 4;
        task->depth_cost = 8;
    }
    return pp_metric_new(&task->metric, task, task->large);
}

static pp_status check_mapping(const pp_mapping *m, const pp_fabric *fabric)
{
    if (m->n_tiles > fabric->n_cores)
        return pp_fail(PP_EINFEASIBLE, "fabric %s is too small: %u tiles need a core each, it has %u", fabric->name,
                       m->n_tiles, fabric->n_cores);
    for (uint32_t f = 0; f < m->n_flows; f++) {
        const pp_flow *flow = &m->flow[f];
        if (flow->src >= m->n_tiles || flow->dst >= m->n_tiles || flow->src == flow->dst || flow->ch_lo >= flow->ch_hi)
            return pp_fail(PP_EINVAL, "flow %u cannot be placed: tile %u to tile %u, channels %u to %u", f, flow->src,
                           flow->dst, flow->ch_lo, flow->ch_hi);
    }
    return PP_OK;
}

pp_status pp_task_new(pp_task **out, const pp_mapping *m, const pp_fabric *fabric)
{
    pp_status status;
    *out = NULL;
    PP_TRY(check_mapping(m, fabric));
    pp_task *task = pp_calloc(1, sizeof *task);
    if (!task)
        return PP_ENOMEM;
    task->fabric = fabric;
    task->n_tiles = m->n_tiles;
    PP_GOTO(done, status, pp_routing_parse(&task->routing, fabric->routing, fabric));
    PP_GOTO(done, status, gather_nets(task, m));
    PP_GOTO(done, status, fill_nets(task, m));
    PP_GOTO(done, status, fill_touch(task));
    PP_GOTO(done, status, fill_fabric(task));
    PP_GOTO(done, status, set_prices(task));
    *out = task;
    task = NULL;
done:
    pp_task_free(task);
    return status;
}

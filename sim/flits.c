/* The pipeline on a flit network: packets of the nets go along their trees through routers, cycle by cycle.
 *
 * The kernel keeps the time; the network is simulated up to the cycle of each event that it asked for. A packet that
 * is ready between two cycles enters in the later one. Virtual channels let packets of a flow overtake each other; a
 * consumer counts them in order (a packet names its position), so an early one waits in its place of the buffer. */
#include "sim/net.h"
#include "sim/pipeline_internal.h"

#include <stdlib.h>

#define WATCHDOG_CYCLES 100000u
#define SMALLEST_BUFFER 8u
#define USUAL_VCS 4u

typedef PP_VEC(uint64_t) early_list; /* packets that came before their turn, in no order */

typedef struct flit_net {
    uint32_t tree;
    uint32_t flits[4]; /* of a packet, by kind of patch */
} flit_net;

typedef struct pp_flits {
    pp_noc *noc;
    uint64_t cycle_fs;
    uint32_t flit_bits;  /* all lanes of the fastest channel */
    uint32_t *period;    /* [n_channels] cycles a flit */
    uint8_t *layer;      /* [n_nets] */
    flit_net *net;
    early_list *early;   /* [n_flows] */
    uint32_t n_flows;
    uint64_t due;        /* cycle of the event under way; PP_NOC_NEVER: none */
} pp_flits;

void pp_flits_free(pp_flits *f)
{
    if (f == NULL)
        return;
    pp_noc_free(f->noc);
    free(f->period);
    free(f->layer);
    free(f->net);
    for (uint32_t i = 0; f->early != NULL && i < f->n_flows; i++)
        free(f->early[i].data);
    free(f->early);
    free(f);
}

/* ---- time ---- */

static uint64_t time_of(const pp_flits *f, uint64_t cycle)
{
    return (cycle * f->cycle_fs + 999) / 1000;
}

static uint64_t cycle_at(const pp_flits *f, uint64_t time_ps)
{
    return (time_ps * 1000 + f->cycle_fs - 1) / f->cycle_fs;
}

/* ---- building ---- */

/* A cycle carries a flit over the fastest network channel; a slower channel takes whole cycles more. */
static pp_status set_clock(pp_flits *f, const pp_sim *s)
{
    const pp_fabric *fabric = s->fabric;
    const pp_channel *fast = &fabric->channel[0];
    for (uint32_t c = 1; c < fabric->n_network; c++)
        if (pp_channel_rate_gbps(&fabric->channel[c]) > pp_channel_rate_gbps(fast))
            fast = &fabric->channel[c];
    f->flit_bits = fast->lanes * (uint32_t)s->options->flit_bits;
    f->cycle_fs = (uint64_t)((double)s->options->flit_bits * 1e6 / fast->lane_gbps + 0.5);
    if (f->cycle_fs == 0)
        return pp_fail(PP_ERANGE, "simulate.flit_bits: a cycle of %lld bit at %g Gbit/s a lane is below a femtosecond",
                       (long long)s->options->flit_bits, fast->lane_gbps);
    f->period = pp_calloc(fabric->n_channels, sizeof *f->period);
    if (f->period == NULL)
        return PP_ENOMEM;
    for (uint32_t c = 0; c < fabric->n_channels; c++) {
        const double cycles = pp_channel_rate_gbps(fast) / pp_channel_rate_gbps(&fabric->channel[c]);
        f->period[c] = cycles > 1.0 ? (uint32_t)(cycles + 0.999999) : 1;
    }
    return PP_OK;
}

static uint32_t flits_of(const pp_flits *f, uint32_t bits)
{
    return bits > f->flit_bits ? (bits + f->flit_bits - 1) / f->flit_bits : 1;
}

/* A packet has the size that its widest edge needs. */
static void size_packets(pp_flits *f, const pp_sim *s, uint32_t *longest)
{
    for (uint32_t n = 0; n < s->m->n_nets; n++)
        for (uint32_t e = s->m->net[n].first_edge; e < s->m->net[n].first_edge + s->m->net[n].n_edges; e++)
            for (uint32_t kind = 0; kind < 4; kind++) {
                const uint32_t flits = flits_of(f, s->edge[e].bits[kind]);
                uint32_t *most = &f->net[n].flits[kind];
                *most = flits > *most ? flits : *most;
                *longest = flits > *longest ? flits : *longest;
            }
}

/* Latency of wires and routers that the fabric states, in whole cycles on top of the router's own. */
static pp_status extra_delays(const pp_flits *f, const pp_sim *s, uint32_t **out)
{
    *out = pp_calloc(s->fabric->n_channels, sizeof **out);
    for (uint32_t c = 0; *out != NULL && c < s->fabric->n_channels; c++)
        (*out)[c] = (uint32_t)cycle_at(f, s->fabric->channel[c].latency_ps);
    return *out != NULL ? PP_OK : PP_ENOMEM;
}

/* Packets follow trees; nothing is ever routed. */
static uint32_t no_route(const void *context, const pp_noc_head *head, pp_noc_hop hop[PP_NOC_HOPS_MAX])
{
    (void)context;
    (void)head;
    (void)hop;
    return 0;
}

static pp_status choose_vcs(const pp_sim *s, uint32_t layers, uint32_t *vcs)
{
    *vcs = (uint32_t)s->options->vcs;
    if (*vcs == 0)
        *vcs = layers > USUAL_VCS ? layers : USUAL_VCS;
    if (*vcs < layers)
        return pp_fail(PP_EINFEASIBLE, "simulate.vcs is %u, but the routes of this mapping need %u virtual channels to be "
                                       "free from deadlock (0: as many as needed)", *vcs, layers);
    return PP_OK;
}

static pp_status open_noc(pp_flits *f, const pp_sim *s, uint32_t layers, uint32_t longest)
{
    static const pp_noc_routing routing = {.route = no_route, .n_classes = 1};
    pp_noc_options o;
    uint32_t *delay = NULL;
    pp_noc_defaults(&o);
    if (s->options->router != NULL && s->options->router[0] != 0)
        PP_TRY(pp_noc_preset(&o, s->options->router));
    o.switching = PP_NOC_FLIT;
    PP_TRY(choose_vcs(s, layers, &o.vcs));
    o.message_classes = layers;
    o.buffer_flits = (uint32_t)s->options->buffer_flits;
    if (o.buffer_flits == 0)
        o.buffer_flits = longest > SMALLEST_BUFFER ? longest : SMALLEST_BUFFER;
    o.watchdog = WATCHDOG_CYCLES;
    o.threads = 1;
    o.observe = true;
    PP_TRY(extra_delays(f, s, &delay));
    o.channel_delay = delay;
    o.channel_period = f->period;
    const pp_status status = pp_noc_new(&f->noc, s->fabric, &o, &routing);
    free(delay);
    return status;
}

/* The network channels of a net's tree, parents before children as the mapping has them. */
static uint32_t tree_edges(const pp_sim *s, const pp_net *net, uint32_t *channel, uint32_t *parent, uint32_t *place)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < net->n_edges; i++) {
        const pp_net_edge *e = &s->m->edge[net->first_edge + i];
        place[i] = PP_NO_EDGE;
        if (s->fabric->channel[e->channel].kind != PP_CHANNEL_NETWORK)
            continue;
        channel[n] = e->channel;
        parent[n] = e->parent == PP_NONE ? PP_NO_EDGE : place[e->parent - net->first_edge];
        place[i] = n++;
    }
    return n;
}

/* The port by which the mapper lets the net out; of several the first. */
static uint32_t inject_of(const pp_sim *s, const pp_net *net)
{
    for (uint32_t e = net->first_edge; e < net->first_edge + net->n_edges; e++)
        if (s->fabric->channel[s->m->edge[e].channel].kind == PP_CHANNEL_INJECT)
            return s->m->edge[e].channel;
    return PP_NO_CHANNEL;
}

/* The port by which a flow of the net comes in. */
static uint32_t eject_of(const pp_sim *s, const pp_net *net, uint32_t flow)
{
    for (uint32_t e = net->first_edge; e < net->first_edge + net->n_edges; e++) {
        const pp_net_edge *edge = &s->m->edge[e];
        for (uint32_t i = 0; i < edge->n_end; i++)
            if (s->m->edge_end[edge->first_end + i] == flow && s->fabric->channel[edge->channel].kind == PP_CHANNEL_EJECT)
                return edge->channel;
    }
    return PP_NO_CHANNEL;
}

static uint32_t tree_cores(const pp_sim *s, const pp_net *net, uint32_t *core, uint32_t *eject)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < net->n_flows; i++) {
        const uint32_t flow = s->m->net_flow[net->first_flow + i], dst = s->m->tile[s->m->flow[flow].dst].core;
        uint32_t k = 0;
        while (k < n && core[k] != dst)
            k++;
        if (k < n)
            continue;
        core[n] = dst;
        eject[n++] = eject_of(s, net, flow);
    }
    return n;
}

static pp_status add_trees(pp_flits *f, const pp_sim *s)
{
    const pp_mapping *m = s->m;
    const size_t most = (size_t)m->n_edges + m->n_flows + 1;
    uint32_t *channel = pp_calloc(5 * most, sizeof *channel);
    if (channel == NULL)
        return PP_ENOMEM;
    uint32_t *parent = channel + most, *place = parent + most, *core = place + most, *eject = core + most;
    pp_status status = PP_OK;
    for (uint32_t n = 0; n < m->n_nets && status == PP_OK; n++) {
        const pp_net *net = &m->net[n];
        const pp_tree tree = {tree_edges(s, net, channel, parent, place), channel, parent};
        const uint32_t n_cores = tree_cores(s, net, core, eject);
        status = pp_noc_add_tree(f->noc, &f->net[n].tree, m->tile[net->src].core, inject_of(s, net), &tree, core, eject,
                                 n_cores);
    }
    free(channel);
    return status;
}

/* ---- traces ---- */

/* Of a packet's number the inference and the position; a net sends `packets` of them an inference. */
static void show_crossing(void *context, const pp_noc_crossing *c)
{
    const pp_sim *s = context;
    const pp_flits *f = s->flits;
    const uint32_t net = (uint32_t)(c->tag >> 40);
    const uint64_t number = c->tag & 0xffffffffffu;
    const uint32_t packets = (uint32_t)s->m->net[net].packets;
    s->trace->packet(s->sink, &(pp_trace_event){.ready_ps = time_of(f, c->ready), .start_ps = time_of(f, c->head),
                                                .end_ps = time_of(f, c->tail), .object = c->channel, .net = net,
                                                .inference = (uint32_t)(number / packets),
                                                .position = s->net[net].copy + (uint32_t)(number % packets) * s->net[net].copies,
                                                .copy = c->vc});
}

/* ---- a new one ---- */

pp_status pp_flits_new(pp_sim *s)
{
    pp_flits *f = s->flits = pp_calloc(1, sizeof *f);
    uint32_t layers = 0, longest = 1;
    if (f == NULL)
        return PP_ENOMEM;
    f->due = PP_NOC_NEVER;
    f->layer = pp_calloc(s->m->n_nets, sizeof *f->layer);
    f->net = pp_calloc(s->m->n_nets, sizeof *f->net);
    f->early = pp_calloc(s->m->n_flows, sizeof *f->early);
    f->n_flows = s->m->n_flows;
    if (f->layer == NULL || f->net == NULL || f->early == NULL)
        return PP_ENOMEM;
    if (s->m->n_nets == 0)
        return PP_OK; /* a single tile: nothing will be sent */
    PP_TRY(set_clock(f, s));
    PP_TRY(pp_flits_layers(s->m, s->fabric->n_channels, f->layer, &layers));
    size_packets(f, s, &longest);
    PP_TRY(open_noc(f, s, layers, longest));
    PP_TRY(add_trees(f, s));
    return s->trace != NULL ? pp_noc_watch(f->noc, show_crossing, s) : PP_OK;
}

/* ---- running ---- */

static pp_status wake_at(pp_sim *s, uint64_t cycle)
{
    pp_flits *f = s->flits;
    if (cycle >= f->due)
        return PP_OK;
    f->due = cycle;
    const uint64_t time_ps = time_of(f, cycle);
    return pp_sim_schedule(s, time_ps > s->now_ps ? time_ps : s->now_ps, PP_SIM_EV_CYCLE, 0, cycle);
}

pp_status pp_flits_send(pp_sim *s, uint32_t index)
{
    pp_flits *f = s->flits;
    const pp_net *net = &s->m->net[index];
    const flit_net *sent = &f->net[index];
    uint32_t kind = 0;
    for (uint32_t i = 0; i < net->n_edges; i++) {
        pp_sim_edge *e = &s->edge[net->first_edge + i];
        kind = pp_sim_kind_of(s, e);
        pp_sim_count_packet(s, e, kind, 0);
    }
    const uint64_t cycle = cycle_at(f, s->now_ps), first = pp_noc_now(f->noc);
    const pp_noc_packet packet = {.time = cycle > first ? cycle : first,
                                  .tag = (uint64_t)index << 40 | ((s->net[index].emitted - 1) & 0xffffffffffu),
                                  .src = s->m->tile[net->src].core,
                                  .tree = sent->tree,
                                  .flits = sent->flits[kind],
                                  .message_class = f->layer[index]};
    PP_TRY(pp_noc_inject(f->noc, &packet));
    return wake_at(s, packet.time);
}

/* Delivers packet `sequence` of a flow, and those after it that came early; or keeps it for later. */
static pp_status arrive(pp_sim *s, uint32_t flow, uint64_t sequence)
{
    early_list *early = &s->flits->early[flow];
    if (sequence != s->flow[flow].arrived)
        return pp_push(early, sequence) ? PP_OK : PP_ENOMEM;
    PP_TRY(pp_sim_deliver(s, flow));
    for (size_t i = 0; i < early->len;) {
        if (early->data[i] != s->flow[flow].arrived) {
            i++;
            continue;
        }
        early->data[i] = early->data[--early->len];
        PP_TRY(pp_sim_deliver(s, flow));
        i = 0;
    }
    return PP_OK;
}

static pp_status take(pp_sim *s, const pp_noc_delivery *d)
{
    const pp_net *net = &s->m->net[d->tag >> 40];
    for (uint32_t i = 0; i < net->n_flows; i++) {
        const uint32_t flow = s->m->net_flow[net->first_flow + i];
        if (s->m->tile[s->m->flow[flow].dst].core == d->dst)
            PP_TRY(arrive(s, flow, d->tag & 0xffffffffffu));
    }
    return PP_OK;
}

pp_status pp_sim_on_cycle(void *model, pp_kernel *k, uint32_t index, uint64_t cycle)
{
    pp_sim *s = model;
    pp_flits *f = s->flits;
    pp_noc_delivery d;
    (void)index;
    s->now_ps = pp_kernel_now(k);
    if (cycle != f->due)
        return PP_OK; /* an earlier cycle was asked for since, and has looked further */
    f->due = PP_NOC_NEVER;
    PP_TRY(pp_noc_run(f->noc, cycle + 1, false));
    while (pp_noc_pop(f->noc, &d))
        PP_TRY(take(s, &d));
    PP_TRY(pp_sim_settle(s));
    const uint64_t next = pp_noc_next(f->noc);
    return next != PP_NOC_NEVER ? wake_at(s, next) : PP_OK;
}

/* ---- figures ---- */

static uint64_t span_ps(const pp_flits *f, uint64_t cycles)
{
    return cycles * f->cycle_fs / 1000;
}

uint64_t pp_flits_busy_ps(const pp_sim *s, uint32_t channel)
{
    const pp_flits *f = s->flits;
    pp_noc_channel_stats stats = {0};
    if (f->noc == NULL || pp_noc_get_channel(f->noc, channel, &stats) != PP_OK)
        return 0;
    return span_ps(f, stats.flits * f->period[channel]);
}

static pp_status channel_result(pp_run_result *r, const pp_sim *s, uint32_t channel)
{
    const pp_flits *f = s->flits;
    pp_noc_channel_stats stats = {0};
    pp_channel_result *to = &r->channel[channel];
    PP_TRY(pp_noc_get_channel(f->noc, channel, &stats));
    to->busy_ps = span_ps(f, stats.flits * f->period[channel]);
    to->wait_ps = span_ps(f, stats.wait_cycles);
    to->blocked_ps = span_ps(f, stats.blocked_cycles);
    to->vc_high = stats.vc_high;
    to->vc_mean = stats.vc_mean;
    return PP_OK;
}

/* Flits that wait are not told apart by net: a net's part is its part of the channel's bits. */
static void share_waiting(pp_run_result *r, const pp_sim *s)
{
    for (uint32_t e = 0; e < r->n_edges; e++) {
        const pp_channel_result *c = &r->channel[s->m->edge[e].channel];
        const double part = c->bits > 0 ? (double)(s->m->edge[e].bits * r->images) / (double)c->bits : 0.0;
        r->edge[e].waited_ps = r->edge[e].caused_ps = (uint64_t)((double)c->wait_ps * part);
    }
}

pp_status pp_flits_result(pp_run_result *r, const pp_sim *s)
{
    if (s->flits->noc == NULL)
        return PP_OK;
    for (uint32_t c = 0; c < r->n_channels; c++)
        PP_TRY(channel_result(r, s, c));
    share_waiting(r, s);
    return PP_OK;
}

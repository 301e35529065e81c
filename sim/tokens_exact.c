/* Every tile an actor, every channel a server: what lockstep is checked against, for small models.
 *
 * A node is what one stage does on one tile: an actor, and behind it one more for each partial sum that comes and is
 * added, or one of no time that waits for the whole sum where that comes back. Results of a node leave behind the last of
 * them, as the packets of the expanded mapping. */
#include "sim/tokens_lm_internal.h"

#include <stdlib.h>
#include <string.h>

typedef struct node {
    uint32_t stage, first, last; /* actors */
    uint32_t next;               /* node of the same tile */
    bool sent;                   /* has handed on its sum: what comes now is the whole one */
} node;

typedef struct owned_server {
    uint32_t key, server, next;  /* of the same tile */
} owned_server;

/* What leaves an actor: a net of the mapping, or (net PP_NONE) the way to the actor `to` behind it. */
typedef struct leaving {
    uint32_t actor, order, net, to;
} leaving;

typedef struct builder {
    const pp_lm_mapping *m;
    const pp_arch *arch;
    const pp_lm_expanded *e;
    const pp_lm_released *released;    /* results of the instance before the first one */
    uint32_t first_instance, n_instances, n_released;
    bool one_expert;                   /* a token takes one, whatever the model */
    pp_lm_actors *x;
    uint32_t psum_bits;
    uint32_t *tile_node, *tile_server; /* [n_tiles] heads of lists */
    uint32_t *channel_server;          /* [n_channels] */
    uint32_t *row;                     /* [parts] of work_ps */
    uint32_t *end_to;                  /* [n_ends] actor that takes a sum; PP_NONE: ends of other nets */
    PP_VEC(node) nodes;
    PP_VEC(owned_server) owned;
    PP_VEC(pp_token_actor) actors;
    PP_VEC(pp_lm_actor) labels;
    PP_VEC(pp_lm_tile_actor) owners;
    PP_VEC(uint32_t) expert_inputs;
    PP_VEC(pp_token_hop) hops;
    PP_VEC(leaving) leave;
    PP_VEC(uint32_t) queue;            /* hops of the expanded net whose children are to come, with our hop */
    PP_VEC(pp_lm_channel_user) users;  /* of channels, which have servers in a row */
    uint32_t n_servers;
} builder;

/* ---- servers ---- */

static pp_status server_of(builder *b, uint32_t tile, uint32_t key, uint32_t *out)
{
    for (uint32_t i = b->tile_server[tile]; i != PP_NONE; i = b->owned.data[i].next) {
        if (b->owned.data[i].key == key) {
            *out = b->owned.data[i].server;
            return PP_OK;
        }
    }
    *out = b->n_servers++;
    if (!pp_push(&b->owned, (owned_server){key, *out, b->tile_server[tile]}))
        return PP_ENOMEM;
    b->tile_server[tile] = (uint32_t)b->owned.len - 1;
    return PP_OK;
}

/* PP_NONE: no memory. The first who takes it gives it its name in reports. */
static uint32_t channel_of(builder *b, const pp_lm_net *net, uint32_t channel)
{
    const uint32_t from = b->m->edge[net->edge].from;
    const pp_lm_channel_user user = {.channel = channel, .instance = b->e->tile[net->src].instance, .from = from,
                                     .to = net->n_ends > 0 ? b->e->end[net->first_end].stage : PP_NONE};
    if (b->channel_server[channel] == PP_NONE) {
        if (!pp_push(&b->users, user))
            return PP_NONE;
        b->channel_server[channel] = b->n_servers++;
    }
    return b->channel_server[channel];
}

/* The digital unit that adds a stage's partial sums: in lockstep a share of the edge among the stages' servers. */
static uint32_t adder_key(const builder *b, uint32_t stage)
{
    const pp_lm_edge *e = &b->m->edge[b->m->stage[stage].psum_edge];
    uint32_t stages = 0;
    for (uint32_t p = 0; p < b->m->graph->n_parts; p++)
        stages = b->m->graph->part[p].n_ops > stages ? b->m->graph->part[p].n_ops : stages;
    for (uint32_t k = e->first_share; k < e->first_share + e->n_shares; k++) {
        if (b->m->share[k].server < 3 * stages && b->m->share[k].server % 3 != 0)
            return b->m->share[k].server;
    }
    return PP_NONE - 1 - stage; /* nobody shares it */
}

/* ---- actors ---- */

static pp_status add_actor(builder *b, pp_token_actor a, pp_lm_actor label, pp_lm_tile_actor owner, uint32_t *out)
{
    *out = (uint32_t)b->actors.len;
    a.label = *out;
    return pp_push(&b->actors, a) && pp_push(&b->labels, label) && pp_push(&b->owners, owner) && pp_push(&b->expert_inputs, 0) ? PP_OK
                                                                                                                       : PP_ENOMEM;
}

static pp_status new_node(builder *b, uint32_t tile, uint32_t stage, node **out)
{
    const pp_lm_stage *s = &b->m->stage[stage];
    const uint32_t instance = b->e->tile[tile].instance;
    const bool given = instance < b->first_instance; /* its result is there, when released[] says */
    const bool attends = s->kind == PP_LM_OP_ATTENTION && !given;
    pp_token_actor a = {.interval_ps = given ? 0 : s->interval_ps, .latency_ps = given ? 0 : s->latency_ps, .work = PP_NONE};
    a.order = s->expert != PP_NONE ? PP_TOKEN_SUBSTREAM : PP_TOKEN_IN_ORDER;
    if (attends) {
        a.work = b->row[b->m->instance[instance].part];
        a.order = b->x->net.encoder ? PP_TOKEN_WHOLE_SEQUENCE : a.order;
    }
    node n = {.stage = stage, .next = b->tile_node[tile]};
    PP_TRY(server_of(b, tile, s->server, &a.server));
    PP_TRY(add_actor(b, a, (pp_lm_actor){instance, stage}, (pp_lm_tile_actor){instance, stage, tile}, &n.first));
    n.last = n.first;
    if (!pp_push(&b->nodes, n))
        return PP_ENOMEM;
    b->tile_node[tile] = (uint32_t)b->nodes.len - 1;
    *out = &b->nodes.data[b->nodes.len - 1];
    return PP_OK;
}

/* Valid until the next node is made. */
static pp_status node_of(builder *b, uint32_t tile, uint32_t stage, node **out)
{
    for (uint32_t i = b->tile_node[tile]; i != PP_NONE; i = b->nodes.data[i].next) {
        if (b->nodes.data[i].stage == stage) {
            *out = &b->nodes.data[i];
            return PP_OK;
        }
    }
    return new_node(b, tile, stage, out);
}

static pp_status put_leaving(builder *b, uint32_t actor, uint32_t net, uint32_t to)
{
    return pp_push(&b->leave, (leaving){actor, (uint32_t)b->leave.len, net, to}) ? PP_OK : PP_ENOMEM;
}

/* An actor behind the node: adds what it has to the sum that comes, or waits for the whole one. */
static pp_status add_sum(builder *b, const pp_lm_net *net, uint32_t end)
{
    const uint32_t stage = b->m->edge[net->edge].from, tile = b->e->end[end].tile;
    const pp_lm_stage *s = &b->m->stage[stage];
    const uint64_t ops = s->merge_ops > 0 ? s->merge_ops : net->bits / (s->kind == PP_LM_OP_LINEAR ? b->psum_bits : 32);
    uint32_t *sum = &b->end_to[end];
    node *n;
    PP_TRY(node_of(b, tile, stage, &n));
    const uint64_t ps = n->sent ? 0 : pp_arch_digital_ps(b->arch, ops);
    pp_token_actor a = {.interval_ps = ps, .latency_ps = ps, .work = PP_NONE, .inputs = 2};
    a.order = s->expert != PP_NONE ? PP_TOKEN_SUBSTREAM : PP_TOKEN_IN_ORDER;
    if (n->sent)
        a.server = b->n_servers++;
    else
        PP_TRY(server_of(b, tile, adder_key(b, stage), &a.server));
    PP_TRY(add_actor(b, a, (pp_lm_actor){b->e->tile[tile].instance, PP_NONE},
                     (pp_lm_tile_actor){b->e->tile[tile].instance, stage, tile}, sum));
    const uint32_t before = n->last;
    n->last = *sum;
    return put_leaving(b, before, PP_NONE, *sum);
}

/* ---- hops ---- */

static pp_status push_hop(builder *b, pp_token_hop h)
{
    return pp_push(&b->hops, h) ? PP_OK : PP_ENOMEM;
}

static uint32_t expert_of(const builder *b, const pp_lm_net *net, const pp_lm_end *end)
{
    const uint32_t expert = b->m->edge[net->edge].expert;
    return expert != PP_NONE || net->sum ? expert : b->m->stage[end->stage].expert;
}

static pp_status push_end(builder *b, const pp_lm_net *net, uint32_t k, uint64_t tail_ps)
{
    const pp_lm_end *end = &b->e->end[k];
    const uint32_t expert = expert_of(b, net, end);
    uint32_t to = b->end_to[k];
    node *n;
    if (to == PP_NONE) {
        PP_TRY(node_of(b, end->tile, end->stage, &n));
        to = n->first;
        if (b->m->edge[net->edge].expert != PP_NONE && b->m->stage[end->stage].expert == PP_NONE)
            b->expert_inputs.data[to]++;
        else
            b->actors.data[to].inputs++;
    }
    return push_hop(b, (pp_token_hop){.tail_ps = tail_ps, .server = PP_NONE, .to = to, .expert = expert, .block = net->instance});
}

static uint64_t serialise_ps(const builder *b, const pp_lm_net *net, uint32_t channel)
{
    return pp_channel_serialise_ps(pp_hier_channel(b->m->fabric, channel),
                                   (uint64_t)net->bits + pp_hier_header_bits(b->m->fabric, channel));
}

/* All hops and ends below `parent` (PP_NONE: roots), side by side. A way back ends once, at `back`. */
static pp_status push_level(builder *b, const pp_lm_net *net, uint32_t parent, uint64_t tail_ps, uint32_t back)
{
    const pp_lm_expanded *e = b->e;
    for (uint32_t h = net->first_hop; h < net->first_hop + net->n_hops; h++) {
        if (e->hop[h].parent != parent)
            continue;
        const uint32_t channel = e->hop[h].channel;
        pp_token_hop hop = {.busy_ps = serialise_ps(b, net, channel), .latency_ps = pp_hier_channel(b->m->fabric, channel)->latency_ps,
                            .server = channel_of(b, net, channel), .to = PP_NONE, .block = net->instance};
        if (hop.server == PP_NONE)
            return PP_ENOMEM;
        hop.tail_ps = hop.busy_ps > tail_ps ? hop.busy_ps : tail_ps; /* complete when the slowest channel has sent all */
        hop.expert = parent == PP_NONE ? b->m->edge[net->edge].expert : PP_NONE;
        if (!pp_push(&b->queue, h) || !pp_push(&b->queue, (uint32_t)b->hops.len))
            return PP_ENOMEM;
        PP_TRY(push_hop(b, hop));
    }
    for (uint32_t k = net->first_end; k < net->first_end + net->n_ends; k++) {
        if (e->end[k].hop != parent)
            continue;
        if (back == PP_NONE)
            PP_TRY(push_end(b, net, k, tail_ps));
        else if (k == back)
            PP_TRY(push_hop(b, (pp_token_hop){.tail_ps = tail_ps, .server = PP_NONE, .to = PP_TOKEN_BACK, .expert = PP_NONE}));
    }
    return PP_OK;
}

/* The tree below the roots of a net that stand at [queue ..). */
static pp_status push_below(builder *b, const pp_lm_net *net, size_t at, uint32_t back)
{
    for (; at < b->queue.len; at += 2) {
        const uint32_t h = b->queue.data[at], mine = b->queue.data[at + 1], first = (uint32_t)b->hops.len;
        PP_TRY(push_level(b, net, h, b->hops.data[mine].tail_ps, back));
        b->hops.data[mine].child_first = first;
        b->hops.data[mine].n_children = (uint32_t)b->hops.len - first;
    }
    return PP_OK;
}

static int by_actor(const void *a, const void *b)
{
    const leaving *x = a, *y = b;
    if (x->actor != y->actor)
        return x->actor < y->actor ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* Roots of all nets of one actor side by side, then what is below each. */
static pp_status push_actor(builder *b, const leaving *l, size_t n)
{
    const uint32_t first = (uint32_t)b->hops.len;
    PP_VEC(size_t) starts = {0};
    pp_status status = PP_OK;
    b->queue.len = 0;
    for (size_t i = 0; i < n && status == PP_OK; i++) {
        if (!pp_push(&starts, b->queue.len))
            status = PP_ENOMEM;
        else if (l[i].net == PP_NONE)
            status = push_hop(b, (pp_token_hop){.server = PP_NONE, .to = l[i].to, .expert = PP_NONE});
        else
            status = push_level(b, &b->e->net[l[i].net], PP_NONE, 0, PP_NONE);
    }
    b->actors.data[l->actor].hop_first = first;
    b->actors.data[l->actor].n_hops = (uint32_t)b->hops.len - first;
    const size_t roots = b->queue.len;
    for (size_t i = 0; i < n && status == PP_OK; i++) {
        if (l[i].net == PP_NONE)
            continue;
        const size_t at = b->queue.len, end = i + 1 < n ? starts.data[i + 1] : roots;
        for (size_t k = starts.data[i]; k < end && status == PP_OK; k++) /* a copy: pushing may move the queue */
            status = pp_push(&b->queue, b->queue.data[k]) ? PP_OK : PP_ENOMEM;
        if (status == PP_OK)
            status = push_below(b, &b->e->net[l[i].net], at, PP_NONE);
    }
    free(starts.data);
    return status;
}

/* ---- putting it together ---- */

static bool is_back(const builder *b, const pp_lm_net *net)
{
    const pp_lm_instance *first = &b->m->instance[0];
    return net->instance == 0 && net->edge >= first->first_in && net->edge < first->first_in + first->n_in;
}

/* Nodes of all ends are made first: an actor's number must not depend on the order of nets. */
static pp_status make_nodes(builder *b)
{
    node *n;
    for (uint32_t t = 0; t < b->e->n_tiles; t++)
        if (b->e->tile[t].instance >= b->first_instance)
            PP_TRY(node_of(b, t, b->e->tile[t].stage, &n));
    for (uint32_t i = 0; i < b->e->n_nets; i++) {
        const pp_lm_net *net = &b->e->net[i];
        if (net->phases > 1)
            return pp_fail(PP_EUNSUPPORTED, "simulate.exact: %s has several copies; every tile on its own needs one of each",
                           b->m->stage[b->m->edge[net->edge].from].name);
        PP_TRY(node_of(b, net->src, b->m->edge[net->edge].from, &n));
        for (uint32_t k = net->first_end; k < net->first_end + net->n_ends && !is_back(b, net); k++)
            PP_TRY(node_of(b, b->e->end[k].tile, b->e->end[k].stage, &n));
    }
    return PP_OK;
}

/* Sums: in the order of the nets, which stand behind those that they wait for. */
static pp_status make_sums(builder *b)
{
    for (uint32_t i = 0; i < b->e->n_nets; i++) {
        const pp_lm_net *net = &b->e->net[i];
        node *n;
        if (!net->sum)
            continue;
        PP_TRY(node_of(b, net->src, b->m->edge[net->edge].from, &n));
        n->sent = true;
        PP_TRY(put_leaving(b, n->last, i, PP_NONE));
        for (uint32_t k = net->first_end; k < net->first_end + net->n_ends; k++)
            PP_TRY(add_sum(b, net, k));
    }
    return PP_OK;
}

static pp_status make_results(builder *b)
{
    for (uint32_t i = 0; i < b->e->n_nets; i++) {
        const pp_lm_net *net = &b->e->net[i];
        node *n;
        if (net->sum || is_back(b, net))
            continue;
        PP_TRY(node_of(b, net->src, b->m->edge[net->edge].from, &n));
        PP_TRY(put_leaving(b, n->last, i, PP_NONE));
    }
    return PP_OK;
}

/* A stage on several tiles is done when the last one is: an actor of no time behind them. */
static pp_status make_sink(builder *b)
{
    const uint32_t last = b->first_instance + b->n_instances - 1;
    const pp_lm_template *t = &b->m->template_[b->m->instance[last].template_];
    const uint32_t stage = t->first_stage + b->m->graph->part[t->part].result;
    pp_token_actor a = {.work = PP_NONE, .server = b->n_servers++};
    uint32_t sink;
    PP_TRY(add_actor(b, a, (pp_lm_actor){last, PP_NONE}, (pp_lm_tile_actor){last, PP_NONE, PP_NONE}, &sink));
    for (uint32_t tile = 0; tile < b->e->n_tiles; tile++) {
        for (uint32_t i = b->tile_node[tile]; i != PP_NONE && b->e->tile[tile].instance == last; i = b->nodes.data[i].next) {
            if (b->nodes.data[i].stage != stage)
                continue;
            b->actors.data[sink].inputs++;
            PP_TRY(put_leaving(b, b->nodes.data[i].last, PP_NONE, sink));
        }
    }
    b->x->net.sink = sink;
    return PP_OK;
}

static pp_status make_hops(builder *b)
{
    if (b->leave.len > 0)
        qsort(b->leave.data, b->leave.len, sizeof *b->leave.data, by_actor);
    for (size_t i = 0, n; i < b->leave.len; i += n) {
        for (n = 1; i + n < b->leave.len && b->leave.data[i + n].actor == b->leave.data[i].actor;)
            n++;
        PP_TRY(push_actor(b, &b->leave.data[i], n));
    }
    return PP_OK;
}

/* The sampled token goes back by the first net of that edge, to its last end. */
static pp_status make_back(builder *b)
{
    pp_token_net *net = &b->x->net;
    net->back_first = (uint32_t)b->hops.len;
    for (uint32_t i = 0; i < b->e->n_nets && net->n_back == 0; i++) {
        const pp_lm_net *back = &b->e->net[i];
        if (!is_back(b, back))
            continue;
        const uint32_t end = back->first_end + back->n_ends - 1;
        b->queue.len = 0;
        PP_TRY(push_level(b, back, PP_NONE, 0, end));
        net->n_back = (uint32_t)b->hops.len - net->back_first;
        PP_TRY(push_below(b, back, 0, end));
    }
    return PP_OK;
}

/* Actors that nothing feeds begin at once; results of the instance before have their times. */
static uint64_t released_ps(const builder *b, uint32_t actor)
{
    for (uint32_t i = 0; i < b->n_released && b->owners.data[actor].instance < b->first_instance; i++) {
        if (b->released[i].core == b->e->tile[b->owners.data[actor].tile].core)
            return b->released[i].time_ps;
    }
    return 0;
}

static pp_status make_source(builder *b)
{
    pp_token_net *net = &b->x->net;
    uint32_t source;
    PP_TRY(add_actor(b, (pp_token_actor){.work = PP_NONE, .server = b->n_servers++}, (pp_lm_actor){0, PP_NONE},
                     (pp_lm_tile_actor){0, PP_NONE, PP_NONE}, &source));
    net->source = source;
    b->actors.data[source].hop_first = (uint32_t)b->hops.len;
    for (uint32_t a = 0; a < source; a++) {
        if (b->actors.data[a].inputs > 0)
            continue;
        b->actors.data[a].inputs = 1;
        b->actors.data[source].n_hops++;
        PP_TRY(push_hop(b, (pp_token_hop){.latency_ps = released_ps(b, a), .server = PP_NONE, .to = a, .expert = PP_NONE}));
    }
    return PP_OK;
}

static pp_status put_experts(builder *b)
{
    pp_token_net *net = &b->x->net;
    PP_TRY(pp_token_net_experts(net, b->m->graph));
    net->experts_per_token = b->one_expert ? net->experts > 0 : net->experts_per_token;
    for (uint32_t a = 0; a < b->actors.len && net->experts > 0; a++)
        b->actors.data[a].inputs += b->expert_inputs.data[a] / net->experts * net->experts_per_token;
    return PP_OK;
}

static uint32_t *filled(size_t n)
{
    uint32_t *v = pp_alloc(n, sizeof *v);
    if (v != NULL)
        memset(v, 0xff, n * sizeof *v);
    return v;
}

static pp_status name_channels(builder *b)
{
    b->x->server_channel = filled(b->n_servers);
    if (b->x->server_channel == NULL)
        return PP_ENOMEM;
    for (uint32_t c = 0; c < b->m->fabric->n_channels; c++) {
        if (b->channel_server[c] != PP_NONE)
            b->x->server_channel[b->channel_server[c]] = c;
    }
    return PP_OK;
}

static pp_status take_over(builder *b)
{
    pp_token_net *net = &b->x->net;
    net->actor = b->actors.data;
    net->n_actors = (uint32_t)b->actors.len;
    b->x->actor = b->labels.data;
    b->x->user = b->users.data;
    b->x->n_channels = (uint32_t)b->users.len;
    b->users.data = NULL;
    net->hop = b->hops.data;
    net->n_hops = (uint32_t)b->hops.len;
    net->n_servers = b->n_servers;
    b->actors.data = NULL;
    b->labels.data = NULL;
    b->hops.data = NULL;
    net->server_copies = pp_calloc(net->n_servers, sizeof *net->server_copies);
    b->x->server_instance = pp_calloc(net->n_servers, sizeof *b->x->server_instance);
    if (net->server_copies == NULL || b->x->server_instance == NULL)
        return PP_ENOMEM;
    for (uint32_t s = 0; s < net->n_servers; s++)
        net->server_copies[s] = 1;
    PP_TRY(name_channels(b));
    return pp_token_net_check(net);
}

static pp_status build(builder *b)
{
    b->tile_node = filled(b->e->n_tiles);
    b->tile_server = filled(b->e->n_tiles);
    b->channel_server = filled(b->m->fabric->n_channels);
    b->end_to = filled(b->e->n_ends);
    if (b->tile_node == NULL || b->tile_server == NULL || b->channel_server == NULL || b->end_to == NULL)
        return PP_ENOMEM;
    PP_TRY(make_nodes(b));
    PP_TRY(make_sums(b));
    PP_TRY(make_results(b));
    PP_TRY(make_sink(b));
    b->x->first_channel = b->n_servers;
    PP_TRY(make_hops(b));
    PP_TRY(put_experts(b));
    PP_TRY(make_back(b));
    PP_TRY(make_source(b));
    return take_over(b);
}

static void builder_free(builder *b)
{
    pp_lm_actors_free(b->x);
    free(b->tile_node);
    free(b->tile_server);
    free(b->channel_server);
    free(b->row);
    free(b->end_to);
    free(b->nodes.data);
    free(b->owned.data);
    free(b->actors.data);
    free(b->labels.data);
    free(b->owners.data);
    free(b->expert_inputs.data);
    free(b->hops.data);
    free(b->leave.data);
    free(b->users.data);
    free(b->queue.data);
}

static pp_status make(builder *b, uint32_t max_context)
{
    b->x = pp_calloc(1, sizeof *b->x);
    if (b->x == NULL)
        return PP_ENOMEM;
    PP_TRY(pp_lm_actors_attention(b->x, b->m, max_context, &b->row));
    return build(b);
}

pp_status pp_lm_actors_exact(pp_lm_actors **out, const pp_lm_mapping *m, const pp_arch *arch, uint32_t psum_bits,
                             uint32_t max_context, uint64_t max_tiles)
{
    pp_lm_expanded *e = NULL;
    *out = NULL;
    PP_TRY(pp_lm_mapping_expand(&e, m, max_tiles));
    builder b = {.m = m, .arch = arch, .psum_bits = psum_bits, .e = e, .n_instances = m->n_instances};
    const pp_status status = make(&b, max_context);
    if (status == PP_OK) {
        *out = b.x;
        b.x = NULL;
    }
    builder_free(&b);
    pp_lm_expanded_free(e);
    return status;
}

/* ---- some instances, with what belongs to what ---- */

pp_status pp_lm_tile_net_new(pp_lm_tile_net *out, const pp_lm_mapping *m, uint32_t first, uint32_t n,
                             const pp_lm_released *released, uint32_t n_released)
{
    builder b = {.m = m, .arch = pp_lm_mapping_arch(m), .psum_bits = pp_lm_mapping_psum_bits(m), .first_instance = first,
                 .n_instances = n, .released = released, .n_released = n_released, .one_expert = true};
    *out = (pp_lm_tile_net){0};
    PP_TRY(pp_lm_mapping_expand_some(&out->expanded, m, first, n));
    b.e = out->expanded;
    const pp_status status = make(&b, 1);
    if (status == PP_OK) {
        out->x = b.x;
        out->owner = b.owners.data;
        b.x = NULL;
        b.owners.data = NULL;
    }
    builder_free(&b);
    return status;
}

void pp_lm_tile_net_free(pp_lm_tile_net *t)
{
    pp_lm_actors_free(t->x);
    pp_lm_expanded_free(t->expanded);
    free(t->owner);
    *t = (pp_lm_tile_net){0};
}

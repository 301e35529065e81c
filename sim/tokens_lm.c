/* Actors and hops of a language model's mapping, instance by instance. */
#include "sim/tokens_internal.h"
#include "sim/tokens_lm_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct builder {
    const pp_lm_mapping *m;
    pp_lm_actors *x;
    uint32_t *first_actor;       /* [instances + 1] */
    PP_VEC(pp_token_hop) hop;
    PP_VEC(uint32_t) edges;      /* of the actor at work */
    uint32_t *expert_inputs;     /* [actors] hops that only chosen experts send */
    uint32_t *row;               /* [parts] of work_ps; PP_NONE */
    pp_lm_lockstep_options options;
} builder;

static const pp_lm_template *template_of(const builder *b, uint32_t instance)
{
    return &b->m->template_[b->m->instance[instance].template_];
}

static uint32_t before(const builder *b, uint32_t instance)
{
    return instance > 0 ? instance - 1 : b->m->n_instances - 1;
}

static uint32_t actor_of(const builder *b, uint32_t instance, uint32_t stage)
{
    return b->first_actor[instance] + stage - template_of(b, instance)->first_stage;
}

static uint32_t result_stage(const builder *b)
{
    const pp_lm_template *t = template_of(b, b->m->n_instances - 1);
    return t->first_stage + b->m->graph->part[t->part].result;
}

/* ---- actors and servers ---- */

static pp_status count(builder *b)
{
    const uint32_t n = b->m->n_instances;
    b->first_actor = pp_calloc((size_t)n + 1, sizeof *b->first_actor);
    b->x->first_server = pp_calloc((size_t)n + 1, sizeof *b->x->first_server);
    if (b->first_actor == NULL || b->x->first_server == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        b->first_actor[i + 1] = b->first_actor[i] + template_of(b, i)->n_stages;
        b->x->first_server[i + 1] = b->x->first_server[i] + template_of(b, i)->n_servers;
    }
    return PP_OK;
}

static pp_status allocate(builder *b)
{
    pp_token_net *net = &b->x->net;
    const uint32_t n = b->m->n_instances;
    const uint32_t sink = b->m->stage[result_stage(b)].psum_edge != PP_NONE;
    net->n_actors = b->first_actor[n] + sink + 1; /* a source in front, dropped when it is not needed */
    net->n_servers = b->x->first_server[n] + sink + 1;
    net->actor = pp_calloc(net->n_actors, sizeof *net->actor);
    net->server_copies = pp_calloc(net->n_servers, sizeof *net->server_copies);
    b->x->actor = pp_calloc(net->n_actors, sizeof *b->x->actor);
    b->x->server_instance = pp_calloc(net->n_servers, sizeof *b->x->server_instance);
    b->expert_inputs = pp_calloc(net->n_actors, sizeof *b->expert_inputs);
    const bool ok = net->actor && net->server_copies && b->x->actor && b->x->server_instance && b->expert_inputs;
    return ok ? PP_OK : PP_ENOMEM;
}

static void put_actor(builder *b, uint32_t instance, uint32_t k)
{
    const pp_lm_template *t = template_of(b, instance);
    const pp_lm_stage *s = &b->m->stage[t->first_stage + k];
    const uint32_t a = b->first_actor[instance] + k, server = b->x->first_server[instance] + s->server;
    const bool attends = s->kind == PP_LM_OP_ATTENTION;
    pp_token_actor *actor = &b->x->net.actor[a];
    *actor = (pp_token_actor){.interval_ps = s->interval_ps, .latency_ps = s->latency_ps, .server = server, .label = a};
    actor->work = attends ? b->row[t->part] : PP_NONE;
    actor->order = s->expert != PP_NONE ? PP_TOKEN_SUBSTREAM : PP_TOKEN_IN_ORDER;
    if (attends && b->x->net.encoder)
        actor->order = PP_TOKEN_WHOLE_SEQUENCE;
    uint32_t *copies = &b->x->net.server_copies[server];
    *copies = s->copies > *copies ? s->copies : *copies;
    b->x->actor[a] = (pp_lm_actor){instance, t->first_stage + k};
}

static void put_actors(builder *b)
{
    for (uint32_t i = 0; i < b->m->n_instances; i++) {
        for (uint32_t k = 0; k < template_of(b, i)->n_stages; k++)
            put_actor(b, i, k);
        for (uint32_t s = b->x->first_server[i]; s < b->x->first_server[i + 1]; s++)
            b->x->server_instance[s] = i;
    }
    for (uint32_t s = 0; s < b->x->net.n_servers; s++) {
        if (b->x->net.server_copies[s] == 0)
            b->x->net.server_copies[s] = 1;
    }
}

/* ---- attention ---- */

/* Parts whose attention is the same share a row. */
static uint32_t row_like(const builder *b, uint32_t part)
{
    const pp_lm_attention *a = b->m->attention;
    for (uint32_t p = 0; p < part; p++) {
        if (b->row[p] != PP_NONE && memcmp(&a[p], &a[part], sizeof *a) == 0)
            return b->row[p];
    }
    return PP_NONE;
}

static pp_status put_row(builder *b, uint32_t part)
{
    const pp_lm_attention *a = &b->m->attention[part];
    pp_token_net *net = &b->x->net;
    b->row[part] = row_like(b, part);
    if (b->row[part] != PP_NONE)
        return PP_OK;
    const size_t length = (size_t)net->max_context + 1;
    uint64_t *grown = pp_realloc(net->work_ps, (net->n_works + 1) * length, sizeof *grown);
    if (grown == NULL)
        return PP_ENOMEM;
    net->work_ps = grown;
    uint64_t *row = grown + net->n_works * length;
    row[0] = 0;
    for (uint32_t c = 1; c <= net->max_context; c++)
        row[c] = pp_lm_attention_work(a, c, 1).total_ps;
    b->row[part] = net->n_works++;
    return PP_OK;
}

/* Tokens that the smallest unit's memory holds; units of all blocks fill alike. */
static void put_capacity(builder *b, uint32_t part)
{
    const pp_lm_attention *a = &b->m->attention[part];
    const uint32_t split = a->split > 1 ? a->split : 1; /* units of a head take the tokens in turn */
    pp_token_net *net = &b->x->net;
    snprintf(b->x->tier, sizeof b->x->tier, "%s", a->tier);
    net->kv_bytes_token += (uint64_t)(a->units / split) * a->kv_bits_token * b->m->graph->part[part].instances;
    if (a->kv_bytes == 0 || a->kv_bits_token == 0)
        return;
    const uint64_t tokens = a->kv_bytes * 8 / a->kv_bits_token * split, holds = tokens > 0 ? tokens : 1;
    net->kv_tokens_max = net->kv_tokens_max == 0 || holds < net->kv_tokens_max ? holds : net->kv_tokens_max;
}

static pp_status put_attention(builder *b, uint32_t max_context)
{
    b->x->net.max_context = max_context > 0 ? max_context : b->m->graph->config.positions;
    b->x->net.encoder = !b->m->graph->config.causal;
    b->row = pp_calloc(b->m->graph->n_parts, sizeof *b->row);
    if (b->row == NULL)
        return PP_ENOMEM;
    for (uint32_t p = 0; p < b->m->graph->n_parts; p++) {
        b->row[p] = PP_NONE;
        if (b->m->attention[p].units == 0)
            continue;
        PP_TRY(put_row(b, p));
        put_capacity(b, p);
    }
    b->x->net.kv_bytes_token /= 8; /* from bits */
    return PP_OK;
}

pp_status pp_lm_actors_attention(pp_lm_actors *x, const pp_lm_mapping *m, uint32_t max_context, uint32_t **row)
{
    builder b = {.m = m, .x = x};
    const pp_status status = put_attention(&b, max_context);
    *row = b.row;
    return status;
}

/* ---- edges ---- */

static uint32_t push_hop(builder *b, pp_token_hop h)
{
    h.child_first = 0;
    h.n_children = 0;
    return pp_push(&b->hop, h) ? (uint32_t)b->hop.len - 1 : PP_NONE;
}

static pp_token_hop target_hop(builder *b, const pp_lm_edge *e, uint32_t target, uint32_t instance, bool back)
{
    const pp_lm_target *t = &b->m->target[target];
    const uint32_t expert = e->expert != PP_NONE ? e->expert : b->m->stage[t->stage].expert;
    pp_token_hop h = {.latency_ps = t->latency_ps, .server = PP_NONE, .expert = expert, .block = instance};
    h.to = back ? PP_TOKEN_BACK : actor_of(b, instance, t->stage);
    if (back) {
        h.expert = PP_NONE;
        return h;
    }
    /* An expert's own stages get what belongs to their token; others get it from each chosen expert. */
    if (e->expert != PP_NONE && b->m->stage[t->stage].expert == PP_NONE)
        b->expert_inputs[h.to]++;
    else
        b->x->net.actor[h.to].inputs++;
    return h;
}

static pp_token_hop share_hop(const builder *b, const pp_lm_edge *e, uint32_t share, uint32_t instance)
{
    const pp_lm_share *s = &b->m->share[share];
    const uint32_t owner = s->previous ? before(b, instance) : instance;
    return (pp_token_hop){.busy_ps = s->busy_ps, .server = b->x->first_server[owner] + s->server, .to = PP_NONE,
                          .expert = e->expert, .block = instance};
}

/* All targets of an edge, side by side; of a way back the slowest one. */
static pp_status push_targets(builder *b, const pp_lm_edge *e, uint32_t instance, bool back)
{
    uint32_t slowest = e->first_target;
    for (uint32_t k = e->first_target; k < e->first_target + e->n_targets; k++) {
        slowest = b->m->target[k].latency_ps > b->m->target[slowest].latency_ps ? k : slowest;
        if (!back && push_hop(b, target_hop(b, e, k, instance, false)) == PP_NONE)
            return PP_ENOMEM;
    }
    return !back || push_hop(b, target_hop(b, e, slowest, instance, true)) != PP_NONE ? PP_OK : PP_ENOMEM;
}

/* What stands behind the first share: the others, one behind the other, then the targets. */
static pp_status push_rest(builder *b, const pp_lm_edge *e, uint32_t head, uint32_t instance, bool back)
{
    for (uint32_t k = 1; k < e->n_shares; k++) {
        const uint32_t next = push_hop(b, share_hop(b, e, e->first_share + k, instance));
        if (next == PP_NONE)
            return PP_ENOMEM;
        b->hop.data[head].child_first = next;
        b->hop.data[head].n_children = 1;
        head = next;
    }
    const uint32_t first = (uint32_t)b->hop.len;
    PP_TRY(push_targets(b, e, instance, back));
    b->hop.data[head].child_first = first;
    b->hop.data[head].n_children = (uint32_t)b->hop.len - first;
    return PP_OK;
}

/* Edges that begin at one place, heads side by side: *n hops from *first on. Each is {edge, receiving instance}. */
static pp_status push_edges(builder *b, bool back, uint32_t *first, uint32_t *n)
{
    PP_VEC(uint32_t) heads = {0};
    pp_status status = PP_OK;
    *first = (uint32_t)b->hop.len;
    for (size_t i = 0; i < b->edges.len && status == PP_OK; i += 2) {
        const pp_lm_edge *e = &b->m->edge[b->edges.data[i]];
        status = pp_push(&heads, (uint32_t)b->hop.len) ? PP_OK : PP_ENOMEM;
        if (status == PP_OK && e->n_shares == 0)
            status = push_targets(b, e, b->edges.data[i + 1], back);
        else if (status == PP_OK)
            status = push_hop(b, share_hop(b, e, e->first_share, b->edges.data[i + 1])) != PP_NONE ? PP_OK : PP_ENOMEM;
    }
    *n = (uint32_t)b->hop.len - *first;
    for (size_t i = 0; i < heads.len && status == PP_OK; i++) {
        const pp_lm_edge *e = &b->m->edge[b->edges.data[2 * i]];
        if (e->n_shares > 0)
            status = push_rest(b, e, heads.data[i], b->edges.data[2 * i + 1], back);
    }
    free(heads.data);
    return status;
}

static pp_status list_edge(builder *b, uint32_t edge, uint32_t instance)
{
    if (b->m->edge[edge].exact)
        b->x->exact_edges++;
    else
        b->x->bound_edges++;
    return pp_push(&b->edges, edge) && pp_push(&b->edges, instance) ? PP_OK : PP_ENOMEM;
}

/* Edges that carry the result of a stage: inside the instance and into the next one. */
static pp_status list_edges(builder *b, uint32_t instance, uint32_t stage, bool into_next)
{
    const pp_lm_template *t = template_of(b, instance);
    b->edges.len = 0;
    for (uint32_t e = t->first_edge; e < t->first_edge + t->n_edges && !into_next; e++) {
        if (b->m->edge[e].from == stage && b->m->edge[e].link != PP_NONE)
            PP_TRY(list_edge(b, e, instance));
    }
    const bool last = instance + 1 == b->m->n_instances;
    if (last && !into_next)
        return PP_OK;
    const uint32_t next = last ? 0 : instance + 1;
    const pp_lm_instance *in = &b->m->instance[next];
    for (uint32_t e = in->first_in; e < in->first_in + in->n_in; e++) {
        if (b->m->edge[e].from == stage)
            PP_TRY(list_edge(b, e, next));
    }
    return PP_OK;
}

/* Partial sums first: their tree ends where the result is whole, and the edges go on from there. */
static pp_status push_psum(builder *b, const pp_lm_edge *e, uint32_t instance)
{
    uint32_t last = PP_NONE;
    for (uint32_t k = 0; k < e->n_shares; k++) {
        const uint32_t next = push_hop(b, share_hop(b, e, e->first_share + k, instance));
        if (next == PP_NONE)
            return PP_ENOMEM;
        if (last != PP_NONE) {
                b->hop.data[last].child_first = next;
            b->hop.data[last].n_children = 1;
        }
        last = next;
    }
    const pp_token_hop whole = {.latency_ps = b->m->target[e->first_target].latency_ps,
                                .server = PP_NONE, .to = PP_NONE, .expert = PP_NONE};
    const uint32_t end = push_hop(b, whole);
    if (end == PP_NONE)
        return PP_ENOMEM;
    if (last != PP_NONE) {
        b->hop.data[last].child_first = end;
        b->hop.data[last].n_children = 1;
    }
    return PP_OK;
}

static pp_status put_edges(builder *b, uint32_t instance, uint32_t stage)
{
    pp_token_actor *actor = &b->x->net.actor[actor_of(b, instance, stage)];
    const uint32_t psum = b->m->stage[stage].psum_edge;
    uint32_t first, n;
    actor->hop_first = (uint32_t)b->hop.len;
    if (psum != PP_NONE) {
        PP_TRY(push_psum(b, &b->m->edge[psum], instance));
        actor->n_hops = 1;
        if (b->m->edge[psum].exact)
            b->x->exact_edges++;
        else
            b->x->bound_edges++;
    }
    const uint32_t whole = (uint32_t)b->hop.len - 1;
    PP_TRY(list_edges(b, instance, stage, false));
    PP_TRY(push_edges(b, false, &first, &n));
    if (psum == PP_NONE) {
        actor->n_hops = n;
        return PP_OK;
    }
    b->hop.data[whole].child_first = first;
    b->hop.data[whole].n_children = n;
    return PP_OK;
}

/* ---- experts, source, sink ---- */

pp_status pp_token_net_experts(pp_token_net *net, const pp_lm_graph *graph)
{
    const uint32_t n = graph->choices;
    net->experts = n;
    net->experts_per_token = graph->choices_per_token;
    net->first_token = graph->first_token;
    net->expert_weight = pp_calloc(n, sizeof *net->expert_weight);
    if (net->expert_weight == NULL)
        return PP_ENOMEM;
    for (uint32_t e = 0; e < n; e++)
        net->expert_weight[e] = graph->expert_share != NULL ? graph->expert_share[e] : 1;
    return PP_OK;
}

static pp_status put_experts(builder *b)
{
    pp_token_net *net = &b->x->net;
    PP_TRY(pp_token_net_experts(net, b->m->graph));
    for (uint32_t a = 0; a < net->n_actors && net->experts > 0; a++)
        net->actor[a].inputs += b->expert_inputs[a] / net->experts * net->experts_per_token;
    return PP_OK;
}

static uint32_t count_sources(const pp_token_net *net, uint32_t *one)
{
    uint32_t n = 0;
    for (uint32_t a = 0; a + 1 < net->n_actors; a++) {
        if (net->actor[a].inputs == 0) {
            *one = a;
            n++;
        }
    }
    return n;
}

/* Several stages that nothing feeds begin together: a source of no time in front of them. */
static pp_status put_source(builder *b)
{
    pp_token_net *net = &b->x->net;
    const uint32_t extra = net->n_actors - 1, n = count_sources(net, &net->source);
    if (n == 1) {
        net->n_actors--;
        net->n_servers--;
        return PP_OK;
    }
    net->source = extra;
    net->server_copies[net->n_servers - 1] = 1;
    net->actor[extra] = (pp_token_actor){.work = PP_NONE, .server = net->n_servers - 1, .hop_first = (uint32_t)b->hop.len,
                                         .n_hops = n, .label = extra};
    b->x->actor[extra] = (pp_lm_actor){0, PP_NONE};
    for (uint32_t a = 0; a < extra; a++) {
        if (net->actor[a].inputs > 0)
            continue;
        net->actor[a].inputs = 1;
        if (push_hop(b, (pp_token_hop){.server = PP_NONE, .to = a, .expert = PP_NONE}) == PP_NONE)
            return PP_ENOMEM;
    }
    return PP_OK;
}

/* What the last stage gathers from its cores is whole behind its actor: a token leaves by an actor of no time there. */
static void put_whole_sink(builder *b, uint32_t stage)
{
    pp_token_net *net = &b->x->net;
    const uint32_t last = b->m->n_instances - 1, sink = b->first_actor[last + 1], server = b->x->first_server[last + 1];
    uint32_t end = net->actor[net->sink].hop_first;
    for (uint32_t k = 0; k < b->m->edge[b->m->stage[stage].psum_edge].n_shares; k++)
        end = b->hop.data[end].child_first;
    b->hop.data[end].to = sink;
    net->actor[sink] = (pp_token_actor){.work = PP_NONE, .server = server, .inputs = 1, .label = sink};
    b->x->actor[sink] = (pp_lm_actor){last, PP_NONE};
    b->x->server_instance[server] = last;
    net->sink = sink;
}

static pp_status put_sink(builder *b)
{
    pp_token_net *net = &b->x->net;
    const uint32_t last = b->m->n_instances - 1, stage = result_stage(b);
    net->sink = actor_of(b, last, stage);
    if (b->m->stage[stage].psum_edge != PP_NONE)
        put_whole_sink(b, stage);
    PP_TRY(list_edges(b, last, stage, true));
    return push_edges(b, true, &net->back_first, &net->n_back);
}

/* Edges of all instances; the way back is one of them. */
static void count_edges(builder *b)
{
    for (uint32_t i = 0; i < b->m->n_instances; i++) {
        const pp_lm_template *t = template_of(b, i);
        const pp_lm_instance *x = &b->m->instance[i];
        for (uint32_t e = 0; e < t->n_edges + x->n_in; e++) {
            const bool exact = b->m->edge[e < t->n_edges ? t->first_edge + e : x->first_in + e - t->n_edges].exact;
            b->x->exact_edges += exact;
            b->x->bound_edges += !exact;
        }
    }
}

static pp_status build(builder *b, uint32_t max_context)
{
    pp_token_net *net = &b->x->net;
    PP_TRY(count(b));
    PP_TRY(allocate(b));
    net->together = true;
    PP_TRY(put_attention(b, max_context));
    put_actors(b);
    if (b->m->copies_max == 1) {
        count_edges(b);
        PP_TRY(pp_token_net_experts(net, b->m->graph));
        PP_TRY(pp_lm_lockstep(b->x, b->m, b->first_actor, &b->options));
        return pp_token_net_check(net);
    }
    for (uint32_t i = 0; i < b->m->n_instances; i++) {
        for (uint32_t k = 0; k < template_of(b, i)->n_stages; k++)
            PP_TRY(put_edges(b, i, template_of(b, i)->first_stage + k));
    }
    PP_TRY(put_experts(b));
    PP_TRY(put_sink(b));
    PP_TRY(put_source(b));
    net->hop = b->hop.data;
    net->n_hops = (uint32_t)b->hop.len;
    b->hop.data = NULL;
    return pp_token_net_check(net);
}

pp_status pp_lm_actors_lockstep(pp_lm_actors **out, const pp_lm_mapping *m, uint32_t max_context,
                                const pp_lm_lockstep_options *options)
{
    builder b = {.m = m};
    if (options != NULL)
        b.options = *options;
    *out = NULL;
    b.x = pp_calloc(1, sizeof *b.x);
    pp_status status = b.x != NULL ? build(&b, max_context) : PP_ENOMEM;
    if (status == PP_OK && b.options.margin > 0) {
        b.x->margin = b.options.margin;
        pp_token_net_lengthen(&b.x->net, b.options.margin);
    }
    free(b.first_actor);
    free(b.hop.data);
    free(b.edges.data);
    free(b.expert_inputs);
    free(b.row);
    if (status == PP_OK)
        *out = b.x;
    else
        pp_lm_actors_free(b.x);
    return status;
}

pp_status pp_lm_actors_new(pp_lm_actors **out, const pp_lm_mapping *m, uint32_t max_context)
{
    return pp_lm_actors_lockstep(out, m, max_context, NULL);
}

void pp_lm_actors_free(pp_lm_actors *x)
{
    if (x == NULL)
        return;
    pp_token_net_free(&x->net);
    free(x->actor);
    free(x->server_instance);
    free(x->server_channel);
    free(x->first_server);
    free(x->user);
    free(x);
}

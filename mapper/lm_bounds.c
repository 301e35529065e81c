/* Bounds: time between tokens of every stage and channel, time of one token through the whole. */
#include "mapper/lm_internal.h"

#include <math.h>
#include <stdlib.h>

/* ---- servers of one template ---- */

/* Busy time a token of every server of a template, experts by their share; edges from the instance before are taken
 * from one instance of the template. */
static void add_shares(double *busy, const pp_lm_mapping *m, const pp_lm_edge *e, bool previous)
{
    const double share = pp_lm_graph_share(m->graph, e->expert);
    for (uint32_t i = 0; i < e->n_shares; i++) {
        const pp_lm_share *s = &m->share[e->first_share + i];
        if (s->previous == previous)
            busy[s->server] += share * (double)s->busy_ps;
    }
}

static void server_times(double *busy, const pp_lm_mapping *m, uint32_t template_)
{
    const pp_lm_template *t = &m->template_[template_];
    for (uint32_t s = 0; s < t->n_servers; s++)
        busy[s] = 0.0;
    for (uint32_t k = 0; k < t->n_stages; k++) {
        const pp_lm_stage *s = &m->stage[t->first_stage + k];
        busy[s->server] += s->share * (double)s->interval_ps / s->copies;
    }
    for (uint32_t e = 0; e < t->n_edges; e++)
        add_shares(busy, m, &m->edge[t->first_edge + e], false);
    for (uint32_t i = 0; i < m->n_instances; i++) {
        if (m->instance[i].template_ != template_)
            continue;
        for (uint32_t k = 0; k < m->instance[i].n_in; k++)
            add_shares(busy, m, &m->edge[m->instance[i].first_in + k], false);
        if (i + 1 < m->n_instances)
            for (uint32_t k = 0; k < m->instance[i + 1].n_in; k++)
                add_shares(busy, m, &m->edge[m->instance[i + 1].first_in + k], true);
        return;
    }
}

/* ---- what bounds a stage ---- */

static pp_lm_binding own_binding(const pp_lm_mapping *m, const pp_lm_stage *s, uint64_t context, double *ps)
{
    if (s->kind == PP_LM_OP_LINEAR)
        return s->mvm.convert_ps > s->mvm.read_ps ? PP_LM_BIND_ADC : PP_LM_BIND_MVM;
    if (s->kind != PP_LM_OP_ATTENTION)
        return PP_LM_BIND_DIGITAL;
    for (uint32_t p = 0; p < m->graph->n_parts; p++) {
        const pp_lm_part *part = &m->graph->part[p];
        if (s->op < part->first_op || s->op >= part->first_op + part->n_ops)
            continue;
        const pp_lm_attention_time t = pp_lm_attention_work(&m->attention[p], context, 1);
        *ps += (double)t.total_ps;
        return t.memory_ps > t.compute_ps ? PP_LM_BIND_KV : PP_LM_BIND_ATTENTION;
    }
    return PP_LM_BIND_ATTENTION;
}

static bool is_port(const pp_lm_mapping *m, const pp_lm_edge *e)
{
    return e->channel != PP_NONE && pp_hier_channel(m->fabric, e->channel)->kind != PP_CHANNEL_NETWORK;
}

/* The most loaded channel of one edge bounds the stage if it is slower than what did so far. */
static void bind_edge(const pp_lm_mapping *m, pp_lm_stage *s, const pp_lm_edge *e, const double *busy,
                      uint32_t first_channel, double *ps)
{
    for (uint32_t i = 0; i < e->n_shares; i++) {
        const pp_lm_share *share = &m->share[e->first_share + i];
        const double time = share->previous ? (double)share->busy_ps : busy[share->server];
        if (time > *ps * (1.0 + 1e-12)) {
            *ps = time;
            const bool digital = share->server < first_channel && !share->previous; /* adders of partial sums */
            s->binding = (uint8_t)(digital ? PP_LM_BIND_DIGITAL : is_port(m, e) ? PP_LM_BIND_PORT : PP_LM_BIND_CHANNEL);
        }
    }
}

static bool targets(const pp_lm_mapping *m, const pp_lm_edge *e, uint32_t stage)
{
    for (uint32_t i = 0; i < e->n_targets; i++)
        if (m->target[e->first_target + i].stage == stage)
            return true;
    return false;
}

static uint32_t first_instance(const pp_lm_mapping *m, uint32_t template_)
{
    uint32_t i = 0;
    while (m->instance[i].template_ != template_)
        i++;
    return i;
}

static void bind_stage(pp_lm_mapping *m, uint32_t template_, uint32_t stage, const double *busy)
{
    const pp_lm_template *t = &m->template_[template_];
    const pp_lm_instance *x = &m->instance[first_instance(m, template_)];
    pp_lm_stage *s = &m->stage[stage];
    double ps = busy[s->server];
    s->binding = (uint8_t)own_binding(m, s, m->bounds.attention_context, &ps);
    for (uint32_t e = t->first_edge; e < t->first_edge + t->n_edges; e++)
        if (m->edge[e].from == stage || targets(m, &m->edge[e], stage))
            bind_edge(m, s, &m->edge[e], busy, 3 * t->n_stages, &ps);
    for (uint32_t e = x->first_in; e < x->first_in + x->n_in; e++)
        if (targets(m, &m->edge[e], stage))
            bind_edge(m, s, &m->edge[e], busy, 3 * t->n_stages, &ps);
    s->bound_interval_ps = (uint64_t)ceil(ps);
}

/* ---- one token ---- */

typedef struct walk {
    const pp_lm_mapping *m;
    uint64_t context;
    bool least;               /* the bound: every edge by its quickest packet */
    uint64_t *result;         /* by stage of the template */
} walk;

static uint64_t reach_ps(const walk *w, const pp_lm_target *t)
{
    return w->least ? t->least_ps : t->latency_ps;
}

static uint64_t stage_time(const walk *w, const pp_lm_stage *s, const pp_lm_template *t)
{
    const pp_lm_mapping *m = w->m;
    const bool attends = s->kind == PP_LM_OP_ATTENTION;
    const uint64_t own = attends ? pp_lm_attention_work(&m->attention[t->part], w->context, 1).total_ps : s->latency_ps;
    const pp_lm_edge *e = s->psum_edge != PP_NONE ? &m->edge[s->psum_edge] : NULL;
    return own + (e != NULL ? reach_ps(w, &m->target[e->first_target]) : 0);
}

/* A sum of experts waits for those that the token chose; the quickest of them is taken, so that no choice is faster. */
static uint64_t arrivals(const walk *w, const pp_lm_template *t, uint32_t stage, uint32_t first_in, uint32_t n_in)
{
    const pp_lm_mapping *m = w->m;
    uint64_t latest = 0, quickest = UINT64_MAX;
    for (uint32_t i = 0; i < t->n_edges + n_in; i++) {
        const pp_lm_edge *e = &m->edge[i < t->n_edges ? t->first_edge + i : first_in + i - t->n_edges];
        if (e->link == PP_NONE)
            continue;
        const uint64_t sent = i < t->n_edges ? w->result[e->from - t->first_stage] : 0;
        for (uint32_t k = 0; k < e->n_targets; k++) {
            const pp_lm_target *x = &m->target[e->first_target + k];
            const uint64_t at = sent + reach_ps(w, x);
            if (x->stage != stage)
                continue;
            if (e->expert != PP_NONE && m->stage[stage].expert == PP_NONE)
                quickest = at < quickest ? at : quickest;
            else
                latest = at > latest ? at : latest;
        }
    }
    return quickest != UINT64_MAX && quickest > latest ? quickest : latest;
}

/* Longest path through a template: stages are few, so that rounds over all of them do. */
static uint64_t token_ps(walk *w, const pp_lm_template *t, uint32_t first_in, uint32_t n_in)
{
    for (uint32_t k = 0; k < t->n_stages; k++)
        w->result[k] = 0;
    for (uint32_t round = 0; round < t->n_stages; round++) {
        bool changed = false;
        for (uint32_t k = 0; k < t->n_stages; k++) {
            const pp_lm_stage *s = &w->m->stage[t->first_stage + k];
            const uint64_t result = arrivals(w, t, t->first_stage + k, first_in, n_in) + stage_time(w, s, t);
            changed = changed || result != w->result[k];
            w->result[k] = result;
        }
        if (!changed)
            break;
    }
    return w->result[w->m->graph->part[t->part].result];
}

static uint64_t all_instances(walk *w)
{
    uint64_t ps = 0;
    for (uint32_t i = 0; i < w->m->n_instances; i++) {
        const pp_lm_instance *x = &w->m->instance[i];
        ps += token_ps(w, &w->m->template_[x->template_], x->first_in, i > 0 ? x->n_in : 0);
    }
    return ps;
}

static pp_status walk_new(walk *w, const pp_lm_mapping *m, uint64_t context)
{
    uint32_t most = 0;
    for (uint32_t t = 0; t < m->n_templates; t++)
        most = m->template_[t].n_stages > most ? m->template_[t].n_stages : most;
    *w = (walk){.m = m, .context = context, .result = pp_calloc(most, sizeof *w->result)};
    return w->result ? PP_OK : PP_ENOMEM;
}

pp_status pp_lm_latency(uint64_t *bound_ps, uint64_t *alone_ps, const pp_lm_mapping *m, uint64_t context)
{
    walk w;
    PP_TRY(walk_new(&w, m, context));
    *alone_ps = all_instances(&w);
    w.least = true;
    *bound_ps = all_instances(&w);
    free(w.result);
    return PP_OK;
}

static pp_status latencies(pp_lm_mapping *m)
{
    walk w;
    PP_TRY(walk_new(&w, m, m->bounds.attention_context));
    for (uint32_t i = 0; i < m->n_instances; i++) {
        const pp_lm_instance *x = &m->instance[i];
        pp_lm_template *t = &m->template_[x->template_];
        if (t->latency_ps == 0)
            t->latency_ps = token_ps(&w, t, x->first_in, i > 0 ? x->n_in : 0);
    }
    free(w.result);
    return pp_lm_latency(&m->bounds.latency_ps, &m->bounds.alone_ps, m, m->bounds.attention_context);
}

/* ---- channels ---- */

static void level_loads(pp_lm_mapping *m)
{
    double channel = 0.0, port = 0.0;
    m->bounds.channel = m->bounds.port = PP_NONE;
    for (uint32_t l = 0; l < m->fabric->n_levels; l++) {
        const pp_hier_level *v = &m->fabric->level[l];
        pp_lm_level_load *load = &m->level[l];
        double sum = 0.0;
        load->max_channel = PP_NONE;
        for (uint32_t id = v->first_channel; id < v->first_channel + v->channels * v->groups; id++) {
            const double bits = m->load[id];
            if (bits <= 0.0)
                continue;
            const uint32_t local = (id - v->first_channel) % v->channels;
            const pp_channel *c = pp_hier_channel(m->fabric, id);
            const double ps = bits * 1000.0 / pp_channel_rate_gbps(c);
            double *most = c->kind == PP_CHANNEL_NETWORK ? &channel : &port;
            if (ps > *most) {
                *most = ps;
                *(c->kind == PP_CHANNEL_NETWORK ? &m->bounds.channel : &m->bounds.port) = id;
            }
            if (ps > load->max_ps) {
                load->max_ps = ps;
                load->max_channel = id;
            }
            load->channels_used++;
            load->max_bits = bits > load->max_bits ? bits : load->max_bits;
            sum += bits;
            if (local >= v->unit->n_channels && local < v->unit->n_channels + v->gateways)
                load->up_bits += bits;
        }
        load->mean_bits = load->channels_used > 0 ? sum / load->channels_used : 0.0;
    }
    m->bounds.channel_ps = (uint64_t)ceil(channel);
    m->bounds.port_ps = (uint64_t)ceil(port);
}

static void stage_bounds(pp_lm_mapping *m, double *busy)
{
    m->bounds.stage = PP_NONE;
    for (uint32_t t = 0; t < m->n_templates; t++) {
        const pp_lm_template *x = &m->template_[t];
        server_times(busy, m, t);
        for (uint32_t k = x->first_stage; k < x->first_stage + x->n_stages; k++) {
            bind_stage(m, t, k, busy);
            const pp_lm_stage *s = &m->stage[k];
            const uint64_t own = (uint64_t)ceil(busy[s->server]);
            if (s->kind == PP_LM_OP_ATTENTION) {
                const uint64_t ps = pp_lm_attention_work(&m->attention[x->part], m->bounds.attention_context, 1).total_ps;
                m->bounds.attention_ps = ps > m->bounds.attention_ps ? ps : m->bounds.attention_ps;
            } else if (own > m->bounds.stage_ps) {
                m->bounds.stage_ps = own;
                m->bounds.stage = k;
            }
        }
    }
}

pp_status pp_lm_make_bounds(pp_lm_build *b)
{
    pp_lm_mapping *m = b->m;
    uint32_t most = 1;
    for (uint32_t t = 0; t < m->n_templates; t++)
        most = m->template_[t].n_servers > most ? m->template_[t].n_servers : most;
    double *busy = pp_calloc(most, sizeof *busy);
    if (!busy)
        return PP_ENOMEM;
    level_loads(m);
    stage_bounds(m, busy);
    free(busy);
    m->bounds.interval_ps = m->bounds.stage_ps;
    if (m->bounds.channel_ps > m->bounds.interval_ps)
        m->bounds.interval_ps = m->bounds.channel_ps;
    if (m->bounds.port_ps > m->bounds.interval_ps)
        m->bounds.interval_ps = m->bounds.port_ps;
    return latencies(m);
}

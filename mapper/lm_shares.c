/* Loads of all channels, which edges meet on them, and the servers that stand for them. */
#include "mapper/lm_internal.h"

#include <math.h>
#include <stdlib.h>

#define OUT_EDGE UINT32_C(0x40000000) /* + edge of the next part: demands of the instance behind */
#define FOREIGN UINT32_C(0x7fffffff)  /* demands of instances that are not neighbours */
#define SERVERS_MAX 256               /* of channels, a template */

/* ---- loads ---- */

static void add_usage(pp_lm_build *b, const pp_lm_usage *u, uint32_t channel)
{
    b->m->load[channel] += u->bits;
    const uint32_t n = b->packets[channel] + u->packets;
    b->packets[channel] = (uint16_t)(n < UINT16_MAX ? n : UINT16_MAX);
}

static void add_loads(pp_lm_build *b)
{
    for (uint32_t i = 0; i < b->m->n_instances; i++) {
        const pp_lm_frame *f = &b->frames.data[b->m->instance[i].template_];
        const int64_t delta = pp_lm_delta(b, i);
        for (size_t k = 0; k < f->own.len; k++)
            add_usage(b, &f->own.data[k], pp_lm_translate(b->m->fabric, f, delta, f->own.data[k].channel));
        for (size_t k = 0; k < b->in[i].len; k++)
            add_usage(b, &b->in[i].data[k], b->in[i].data[k].channel);
    }
}

/* ---- exact or not ---- */

static void mark_exact(pp_lm_build *b)
{
    for (uint32_t i = 0; i < b->m->n_instances; i++) {
        const pp_lm_frame *f = &b->frames.data[b->m->instance[i].template_];
        const int64_t delta = pp_lm_delta(b, i);
        for (size_t k = 0; k < f->own.len; k++) {
            const pp_lm_usage *u = &f->own.data[k];
            if (b->packets[pp_lm_translate(b->m->fabric, f, delta, u->channel)] > 1)
                b->edges.data[f->edge_at[u->edge]].exact = false;
        }
        for (size_t k = 0; k < b->in[i].len; k++)
            if (b->packets[b->in[i].data[k].channel] > 1)
                for (uint32_t e = 0; e < b->m->instance[i].n_in; e++)
                    if (b->in_local[b->m->instance[i].first_in + e] == b->in[i].data[k].edge)
                        b->edges.data[b->m->instance[i].first_in + e].exact = false;
    }
}

/* ---- demands on the channels of a template ---- */

typedef PP_VEC(pp_lm_demand) demand_list;

/* Bits a token on the channels of one instance, by channel of the template: what is left of a load is foreign. */
typedef struct tally {
    const pp_lm_build *b;
    demand_list list;
    double *own;              /* [n_channels], zero between instances */
    uint32_t *outside;        /* [n_channels] number of a channel beside the frame, of one instance; 0: none yet */
    uint32_t n_outside;
} tally;

static uint64_t load_ps(const pp_hier *h, uint32_t channel, double bits)
{
    return (uint64_t)ceil(bits * 1000.0 / pp_channel_rate_gbps(pp_hier_channel(h, channel)));
}

/* Adds what the edges inside an instance put on channels, or takes it back to zero. */
static void tally_inside(tally *t, uint32_t i, bool add)
{
    const pp_lm_mapping *m = t->b->m;
    if (i >= m->n_instances)
        return;
    const pp_lm_frame *f = &t->b->frames.data[m->instance[i].template_];
    const int64_t delta = pp_lm_delta(t->b, i);
    for (size_t k = 0; k < f->own.len; k++) {
        double *own = &t->own[pp_lm_translate(m->fabric, f, delta, f->own.data[k].channel)];
        *own = add ? *own + f->own.data[k].bits : 0.0;
    }
}

/* Edges from the instance before instance i; behind the last: the token that comes back. */
static const pp_lm_usages *links_into(const pp_lm_build *b, uint32_t i)
{
    return &b->in[i < b->m->n_instances ? i : 0];
}

static void tally_links(tally *t, uint32_t i, bool add)
{
    const pp_lm_usages *in = links_into(t->b, i);
    for (size_t k = 0; k < in->len; k++)
        t->own[in->data[k].channel] = add ? t->own[in->data[k].channel] + in->data[k].bits : 0.0;
}

static bool add_demand(tally *t, uint32_t channel, uint32_t edge, uint64_t busy_ps)
{
    return pp_push(&t->list, (pp_lm_demand){.channel = channel, .edge = edge, .busy_ps = busy_ps});
}

/* `here`: the channel; `channel`: as the template's first instance has it. */
static pp_status add_foreign(tally *t, uint32_t here, uint32_t channel)
{
    const double foreign = t->b->m->load[here] - t->own[here];
    if (foreign < 0.5)
        return PP_OK;
    return add_demand(t, channel, FOREIGN, load_ps(t->b->m->fabric, here, foreign)) ? PP_OK : PP_ENOMEM;
}

/* Channels beside the frame are numbered from here, afresh for each instance: what is one instance's way out is the
 * next one's way in, and must not meet it here. */
#define OUTSIDE UINT32_C(0x80000000)

static uint32_t beside(tally *t, uint32_t channel)
{
    if (t->outside[channel] == 0)
        t->outside[channel] = ++t->n_outside;
    return OUTSIDE + t->outside[channel];
}

/* Channel of instance i as the template's first instance has it. */
static uint32_t framed(tally *t, uint32_t i, uint32_t channel)
{
    const pp_lm_build *b = t->b;
    const pp_hier *h = b->m->fabric;
    const pp_lm_frame *f = &b->frames.data[b->m->instance[i].template_];
    const pp_hier_place p = pp_hier_place_of(h, channel);
    if (p.level > f->level)
        return beside(t, channel);
    const uint64_t group = p.group * h->level[p.level].cores / h->level[f->level].cores;
    const int64_t delta = pp_lm_delta(b, i);
    if ((int64_t)group != (int64_t)f->group + delta)
        return beside(t, channel);
    return pp_lm_translate(h, f, -delta, channel);
}

static void forget_outside(tally *t, uint32_t i)
{
    for (uint32_t j = i; j <= i + 1; j++) {
        const pp_lm_usages *in = links_into(t->b, j);
        for (size_t k = 0; k < in->len; k++)
            t->outside[in->data[k].channel] = 0;
    }
}

static pp_status add_links(tally *t, uint32_t i, uint32_t into, uint32_t edge_base)
{
    const pp_hier *h = t->b->m->fabric;
    const uint32_t level = t->b->frames.data[t->b->m->instance[i].template_].level;
    const pp_lm_usages *in = links_into(t->b, into);
    for (size_t k = 0; k < in->len; k++) {
        const uint32_t here = in->data[k].channel, channel = framed(t, i, here);
        if (!add_demand(t, channel, edge_base + in->data[k].edge, in->data[k].busy_ps))
            return PP_ENOMEM;
        /* Beside the frame the neighbour's own servers know what goes on; above it nobody does. */
        if ((channel & OUTSIDE) == 0 || pp_hier_place_of(h, here).level > level)
            PP_TRY(add_foreign(t, here, channel));
    }
    return PP_OK;
}

/* Demands of one instance's links and of strangers, on channels as in the template's first instance. */
static pp_status add_instance(tally *t, uint32_t i)
{
    const pp_lm_mapping *m = t->b->m;
    const pp_lm_frame *f = &t->b->frames.data[m->instance[i].template_];
    const int64_t delta = pp_lm_delta(t->b, i);
    pp_status status = PP_OK;
    tally_inside(t, i, true);
    tally_links(t, i, true);
    tally_links(t, i + 1, true);
    for (size_t k = 0; k < f->own.len && status == PP_OK; k++)
        status = add_foreign(t, pp_lm_translate(m->fabric, f, delta, f->own.data[k].channel), f->own.data[k].channel);
    /* What links meet of the neighbours themselves is in the neighbours' servers. */
    tally_inside(t, i > 0 ? i - 1 : PP_NONE, true);
    tally_inside(t, i + 1, true);
    if (status == PP_OK)
        status = add_links(t, i, i, 0);
    if (status == PP_OK)
        status = add_links(t, i, i + 1, OUT_EDGE);
    for (uint32_t j = i > 0 ? i - 1 : i; j <= i + 1; j++)
        tally_inside(t, j, false);
    tally_links(t, i, false);
    tally_links(t, i + 1, false);
    forget_outside(t, i);
    return status;
}

static pp_status template_demands(tally *t, uint32_t template_)
{
    const pp_lm_frame *f = &t->b->frames.data[template_];
    t->list.len = 0;
    t->n_outside = 0;
    for (size_t k = 0; k < f->own.len; k++)
        if (!add_demand(t, f->own.data[k].channel, f->own.data[k].edge, f->own.data[k].busy_ps))
            return PP_ENOMEM;
    for (uint32_t i = 0; i < t->b->m->n_instances; i++)
        if (t->b->m->instance[i].template_ == template_)
            PP_TRY(add_instance(t, i));
    return PP_OK;
}

/* ---- shares ---- */

typedef struct uses {
    pp_lm_server_use *use;
    uint32_t n, first_server;
} uses;

/* What strangers ask for is put on top of the largest demand of the server. */
static void spread_foreign(uses *u)
{
    for (uint32_t i = 0; i < u->n; i++) {
        if (u->use[i].edge != FOREIGN)
            continue;
        uint32_t best = PP_NONE;
        for (uint32_t j = 0; j < u->n; j++)
            if (u->use[j].server == u->use[i].server && u->use[j].edge != FOREIGN &&
                (best == PP_NONE || u->use[j].busy_ps > u->use[best].busy_ps))
                best = j;
        if (best != PP_NONE)
            u->use[best].busy_ps += u->use[i].busy_ps;
    }
}

static pp_status add_shares(pp_lm_build *b, pp_lm_edge *e, const uses *u, uint32_t local, bool previous)
{
    for (uint32_t i = 0; i < u->n; i++) {
        if (u->use[i].edge != local)
            continue;
        const pp_lm_share s = {.server = u->first_server + u->use[i].server, .previous = previous,
                               .busy_ps = u->use[i].busy_ps};
        if (!pp_push(&b->shares, s))
            return PP_ENOMEM;
        e->n_shares++;
    }
    return PP_OK;
}

/* Shares of an edge stand beside each other: those that it has already (adders) are copied first. */
static pp_status begin_shares(pp_lm_build *b, pp_lm_edge *e)
{
    const uint32_t first = (uint32_t)b->shares.len, old = e->first_share;
    for (uint32_t i = 0; i < e->n_shares; i++) {
        const pp_lm_share s = b->shares.data[old + i];
        if (!pp_push(&b->shares, s))
            return PP_ENOMEM;
    }
    e->first_share = first;
    return PP_OK;
}

static pp_status share_templates(pp_lm_build *b, const uses *all)
{
    for (uint32_t t = 0; t < b->templates.len; t++) {
        const pp_lm_frame *f = &b->frames.data[t];
        for (uint32_t local = 0; local < pp_lm_edges(&b->x, b->templates.data[t].part); local++) {
            if (f->edge_at[local] == PP_NONE)
                continue;
            pp_lm_edge *e = &b->edges.data[f->edge_at[local]];
            PP_TRY(begin_shares(b, e));
            PP_TRY(add_shares(b, e, &all[t], local, false));
        }
    }
    return PP_OK;
}

static pp_status share_instances(pp_lm_build *b, const uses *all)
{
    for (uint32_t i = 0; i < b->m->n_instances; i++) {
        const pp_lm_instance *x = &b->m->instance[i];
        const uint32_t before = b->m->instance[i > 0 ? i - 1 : b->m->n_instances - 1].template_;
        for (uint32_t k = 0; k < x->n_in; k++) {
            pp_lm_edge *e = &b->edges.data[x->first_in + k];
            const uint32_t local = b->in_local[x->first_in + k];
            PP_TRY(begin_shares(b, e));
            PP_TRY(add_shares(b, e, &all[before], OUT_EDGE + local, true));
            PP_TRY(add_shares(b, e, &all[x->template_], local, false));
        }
    }
    return PP_OK;
}

static pp_status find_uses(pp_lm_build *b, uses *all)
{
    tally t = {.b = b, .own = pp_calloc(b->m->fabric->n_channels, sizeof *t.own),
               .outside = pp_calloc(b->m->fabric->n_channels, sizeof *t.outside)};
    pp_status status = t.own && t.outside ? PP_OK : PP_ENOMEM;
    for (uint32_t k = 0; k < b->templates.len && status == PP_OK; k++) {
        uint32_t servers = 0;
        status = template_demands(&t, k);
        if (status == PP_OK)
            status = pp_lm_find_servers(&all[k].use, &all[k].n, &servers, t.list.data, t.list.len, SERVERS_MAX);
        all[k].first_server = b->templates.data[k].n_servers;
        b->templates.data[k].n_servers += servers;
        spread_foreign(&all[k]);
    }
    free(t.own);
    free(t.outside);
    free(t.list.data);
    return status;
}

pp_status pp_lm_make_shares(pp_lm_build *b)
{
    uses *all = pp_calloc(b->templates.len, sizeof *all);
    b->packets = pp_calloc(b->m->fabric->n_channels, sizeof *b->packets);
    pp_status status = all && b->packets ? PP_OK : PP_ENOMEM;
    if (status == PP_OK) {
        add_loads(b);
        mark_exact(b);
        status = find_uses(b, all);
    }
    if (status == PP_OK)
        status = share_templates(b, all);
    if (status == PP_OK)
        status = share_instances(b, all);
    for (uint32_t k = 0; all && k < b->templates.len; k++)
        free(all[k].use);
    free(all);
    return status;
}

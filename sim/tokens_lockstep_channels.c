/* Channels that lockstep keeps as servers: those on which somebody can wait, and of these the ones that stand for others. */
#include "sim/tokens_lockstep_internal.h"

#include <stdlib.h>

/* ---- channels that matter ---- */

typedef struct use {
    double busy_ps;           /* a token, experts by their share */
    uint32_t packets, parent; /* server before it; PP_NONE: of the first packet, none */
    bool waits;               /* found: packets from several sides, or faster than it takes them */
} use;

/* Time between two tokens of an operator, at least. */
static uint64_t pace_ps(const pp_lockstep_window *w, uint32_t actor)
{
    const uint32_t stage = w->t.owner[actor].stage;
    return stage == PP_NONE ? 0 : w->l->m->stage[stage].interval_ps;
}

/* Share of the tokens that take a hop. */
static double share_of(const pp_lockstep_window *w, const pp_token_hop *h, double share)
{
    return h->expert == PP_NONE ? share : pp_lm_graph_share(w->l->m->graph, h->expert);
}

static void note_use(pp_lockstep_window *w, use *uses, uint32_t hop, uint32_t parent_server, uint64_t pace, double share)
{
    const pp_token_hop *h = &w->net->hop[hop];
    uint32_t server = parent_server;
    share = share_of(w, h, share);
    if (h->server != PP_NONE) {
        use *u = &uses[h->server];
        u->waits |= h->busy_ps > pace || (u->packets > 0 && (parent_server == PP_NONE || parent_server != u->parent));
        u->parent = parent_server;
        u->packets++;
        u->busy_ps += share * (double)h->busy_ps;
        server = h->server;
        pace = h->busy_ps > pace ? h->busy_ps : pace;
    }
    for (uint32_t c = h->child_first; c < h->child_first + h->n_children; c++)
        note_use(w, uses, c, server, pace, share);
}

/* Whether everybody who uses the channel is in this window. */
static bool all_here(const pp_lockstep_window *w, uint32_t channel, const use *u)
{
    const double rate = pp_channel_rate_gbps(pp_hier_channel(w->l->m->fabric, channel));
    return w->l->m->load[channel] * 1000.0 / rate <= u->busy_ps + 1;
}

static pp_status find_hot(pp_lockstep_window *w)
{
    use *uses = pp_calloc(w->net->n_servers, sizeof *uses);
    if (uses == NULL)
        return PP_ENOMEM;
    for (uint32_t a = 0; a < w->net->n_actors; a++) {
        for (uint32_t i = 0; i < w->net->actor[a].n_hops; i++)
            note_use(w, uses, w->net->actor[a].hop_first + i, PP_NONE, pace_ps(w, a), 1);
    }
    for (uint32_t s = 0; s < w->net->n_servers; s++)
        w->hot[s] = uses[s].packets > 0 && (uses[s].waits || !all_here(w, w->t.x->server_channel[s], &uses[s]));
    free(uses);
    return PP_OK;
}

/* ---- channels that stand for others ---- */

/* Time a token that a group's packets, inside it or not, take on a channel. */
typedef struct demand {
    uint32_t server, key;     /* key: 2 x group + inside, and the expert for which it is */
    uint64_t busy_ps, mean_ps; /* of a token that takes it, and of any */
} demand;
typedef PP_VEC(demand) demands;

typedef struct row {
    size_t first;
    uint32_t n;
    uint64_t sum_ps;
} row;
typedef PP_VEC(row) rows;

static pp_status add_demands(pp_lockstep_window *w, demands *d, uint32_t hop, uint32_t key, double share)
{
    const pp_token_hop *h = &w->net->hop[hop];
    const uint32_t ways = w->l->m->graph->choices + 1;
    if (h->expert != PP_NONE)
        key = key / ways * ways + h->expert + 1;
    share = share_of(w, h, share);
    if (!w->sends_hot[hop])
        return PP_OK;
    if (h->server != PP_NONE && w->hot[h->server] && !pp_push(d, ((demand){h->server, key, h->busy_ps, (uint64_t)(share * (double)h->busy_ps)})))
        return PP_ENOMEM;
    for (uint32_t c = h->child_first; c < h->child_first + h->n_children; c++)
        PP_TRY(add_demands(w, d, c, key, share));
    return PP_OK;
}

static int by_server(const void *pa, const void *pb)
{
    const demand *a = pa, *b = pb;
    if (a->server != b->server)
        return a->server < b->server ? -1 : 1;
    return a->key < b->key ? -1 : a->key > b->key;
}

static pp_status make_rows(demands *d, rows *out)
{
    size_t kept = 0;
    if (d->len > 0)
        qsort(d->data, d->len, sizeof *d->data, by_server);
    for (size_t i = 0; i < d->len; i++) {
        const demand x = d->data[i];
        const bool same_server = kept > 0 && d->data[kept - 1].server == x.server;
        if (same_server && d->data[kept - 1].key == x.key)
            d->data[kept - 1].busy_ps += x.busy_ps;
        else
            d->data[kept++] = x;
        if (!same_server && !pp_push(out, ((row){.first = kept - 1})))
            return PP_ENOMEM;
        row *r = &out->data[out->len - 1];
        r->n = (uint32_t)(kept - r->first);
        r->sum_ps += x.mean_ps;
    }
    d->len = kept;
    return PP_OK;
}

/* Most groups first, then the busiest. */
static int by_weight(const void *pa, const void *pb)
{
    const row *a = pa, *b = pb;
    if (a->n != b->n)
        return a->n > b->n ? -1 : 1;
    if (a->sum_ps != b->sum_ps)
        return a->sum_ps > b->sum_ps ? -1 : 1;
    return a->first < b->first ? -1 : a->first > b->first;
}

static bool covered(const demands *d, const row *a, const row *b)
{
    uint32_t j = 0;
    if (a->n > b->n || a->sum_ps > b->sum_ps)
        return false;
    for (uint32_t i = 0; i < a->n; i++) {
        const demand *x = &d->data[a->first + i];
        while (j < b->n && d->data[b->first + j].key < x->key)
            j++;
        if (j == b->n || d->data[b->first + j].key != x->key || d->data[b->first + j].busy_ps < x->busy_ps)
            return false;
    }
    return true;
}

static int by_sum(const void *pa, const void *pb)
{
    const row *a = pa, *b = pb;
    if (a->sum_ps != b->sum_ps)
        return a->sum_ps > b->sum_ps ? -1 : 1;
    return a->first < b->first ? -1 : a->first > b->first;
}

static void mark_senders(pp_lockstep_window *w)
{
    for (uint32_t h = w->net->n_hops; h-- > 0;) { /* children stand behind their parents */
        const pp_token_hop *d = &w->net->hop[h];
        w->sends_hot[h] = d->server != PP_NONE && w->hot[d->server];
        for (uint32_t c = d->child_first; c < d->child_first + d->n_children; c++)
            w->sends_hot[h] |= w->sends_hot[c];
    }
}

static pp_status all_demands(pp_lockstep_window *w, demands *d)
{
    for (uint32_t a = 0; a < w->net->n_actors; a++) {
        for (uint32_t i = 0; i < w->net->actor[a].n_hops && pp_lockstep_sends(w, a); i++) {
            const uint32_t hop = w->net->actor[a].hop_first + i;
            const uint32_t key = 2 * w->group[a] + pp_lockstep_ends_in(w, hop, w->group[a]);
            PP_TRY(add_demands(w, d, hop, key * (w->l->m->graph->choices + 1), 1));
        }
    }
    return PP_OK;
}

/* Rows that no row before them covers stay. */
static size_t leave_out_covered(const demands *d, rows *r)
{
    size_t kept = 0;
    if (r->len > 0)
        qsort(r->data, r->len, sizeof *r->data, by_weight);
    for (size_t i = 0; i < r->len; i++) {
        bool is = false;
        for (size_t j = kept; j-- > 0 && !is;)
            is = covered(d, &r->data[i], &r->data[j]);
        if (!is)
            r->data[kept++] = r->data[i];
    }
    return kept;
}

/* Each expert's tiles are somewhere else. */
static uint64_t channels_most(const pp_lockstep_window *w)
{
    const uint32_t experts = w->l->m->graph->config.experts;
    return (uint64_t)w->l->grain.channels * w->n * (experts > 0 ? experts : 1);
}

/* Of the channels on which somebody can wait those stay on which some group needs more time than on any other that the same
 * groups use; of these the busiest. In mixtures, where other packets meet with every token, the busiest of all. */
pp_status pp_lockstep_choose_channels(pp_lockstep_window *w)
{
    demands d = {0};
    rows r = {0};
    PP_TRY(find_hot(w));
    mark_senders(w);
    pp_status status = all_demands(w, &d);
    if (status == PP_OK)
        status = make_rows(&d, &r);
    size_t kept = status != PP_OK ? 0 : w->l->m->graph->config.experts > 0 ? r.len : leave_out_covered(&d, &r);
    if (kept > 0)
        qsort(r.data, kept, sizeof *r.data, by_sum);
    kept = pp_lockstep_less(kept, channels_most(w));
    for (uint32_t s = 0; s < w->net->n_servers; s++)
        w->hot[s] = false;
    for (size_t i = 0; i < kept; i++)
        w->hot[d.data[r.data[i].first].server] = true;
    mark_senders(w);
    free(d.data);
    free(r.data);
    return status;
}

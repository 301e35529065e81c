/* Lockstep as the quotient of every tile by operators: an actor a group of an operator's tiles, packets and channels as
 * they are.
 *
 * One token goes through all tiles alone (tokens_lockstep_tiles.c), some instances at a time. What it did gives the times
 * here: a group starts (start_ps) when the last of its tiles does; packets leave, and ask for channels, as long after that
 * as they did then; a packet that came too early to matter may be late by as much. So a token alone takes what it takes
 * tile by tile; a packet that is late by more holds up its whole group, tiles that were ready included, which is what
 * lockstep adds. What it leaves out: channels that are not kept as servers (tokens_lockstep_channels.c).
 *
 * Mixtures: a token for each expert, which it takes in every block. An expert's groups, and what is sent to it, are as with
 * its token, all others as with that of expert 0, each seen from its group's start; hops of an expert are for its tokens. So
 * tokens that take several are put together from those that take one, and what their experts have to share are servers. */
#include "sim/tokens_lockstep_internal.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW_CORES 16384

/* ---- windows ---- */

static pp_status keep_released(pp_lockstep *l, uint32_t core, uint64_t time_ps)
{
    for (size_t i = 0; i < l->released.len; i++) {
        pp_lm_released *r = &l->released.data[i];
        if (r->core == core) {
            r->time_ps = time_ps > r->time_ps ? time_ps : r->time_ps;
            return PP_OK;
        }
    }
    return pp_push(&l->released, ((pp_lm_released){core, time_ps})) ? PP_OK : PP_ENOMEM;
}

/* The next window begins with the last instance of this one: it needs what comes into it, and who sends its result. */
static pp_status keep_ends(pp_lockstep_window *w)
{
    pp_lockstep *l = w->l;
    const uint32_t last = w->first + w->n - 1;
    l->released.len = l->results.len = 0;
    for (uint32_t a = 0; a < w->net->n_actors && last + 1 < l->m->n_instances; a++) {
        const pp_lm_tile_actor *o = &w->t.owner[a];
        if (o->stage == PP_NONE || o->instance + 1 < last || !pp_lockstep_is_result(l, o->instance, o->stage))
            continue;
        if (o->instance < last)
            PP_TRY(keep_released(l, pp_lockstep_core(w, a), w->frame[0].done_ps[a]));
        else if (!pp_push(&l->results, ((pp_lockstep_result){pp_lockstep_core(w, a), w->group[a]})))
            return PP_ENOMEM;
    }
    return PP_OK;
}

/* The way back of a sampled token, channel by channel where it is known: as it is in the tiles, of the channels those that
 * matter. */
static pp_status copy_back(pp_lockstep_window *w, uint32_t parent, uint32_t hop)
{
    pp_lockstep *l = w->l;
    const pp_token_hop *h = &w->net->hop[hop];
    pp_token_hop copy = *h;
    if (h->server != PP_NONE)
        copy.server = l->channel_server[w->t.x->server_channel[h->server]];
    copy.tail_ps = h->to != PP_NONE ? h->tail_ps : 0;
    copy.to = h->to != PP_NONE ? PP_TOKEN_BACK : PP_NONE;
    const uint32_t n = pp_lockstep_add_node(l, l->sink, parent, copy);
    if (n == PP_NONE)
        return PP_ENOMEM;
    for (uint32_t c = h->child_first; c < h->child_first + h->n_children; c++)
        PP_TRY(copy_back(w, n, c));
    return PP_OK;
}

static pp_status keep_back(pp_lockstep_window *w)
{
    for (uint32_t i = 0; i < w->net->n_back; i++)
        PP_TRY(copy_back(w, PP_NONE, w->net->back_first + i));
    return PP_OK;
}

static pp_status refine(pp_lockstep_window *w)
{
    PP_TRY(pp_lockstep_replay(w));
    PP_TRY(pp_lockstep_choose_channels(w));
    PP_TRY(pp_lockstep_put_groups(w));
    PP_TRY(keep_back(w));
    w->l->alone_ps = w->frame[0].start_ps[w->net->sink];
    return keep_ends(w);
}

/* ---- putting it together ---- */

/* A hop that only a delay follows goes on after it by itself. */
static void join_delays(pp_lockstep *l)
{
    for (size_t i = 0; i < l->nodes.len; i++) {
        pp_lockstep_node *n = &l->nodes.data[i];
        while (n->hop.to == PP_NONE && n->child != PP_NONE && n->child == n->last) {
            const pp_lockstep_node *c = &l->nodes.data[n->child];
            if (c->hop.server != PP_NONE || c->hop.to != PP_NONE || c->hop.latency_ps == 0)
                break;
            n->hop.latency_ps += c->hop.latency_ps;
            n->last = c->last;
            n->child = c->child;
        }
    }
}

/* Children of a node side by side; what stands in `from` is where each came from. */
static pp_status put_siblings(pp_lockstep *l, uint32_t first, uint32_t *at, uint32_t *n)
{
    *at = (uint32_t)l->hops.len;
    for (uint32_t c = first; c != PP_NONE; c = l->nodes.data[c].next) {
        pp_token_hop h = l->nodes.data[c].hop;
        h.child_first = l->nodes.data[c].child; /* a node, until its turn comes */
        if (!pp_push(&l->hops, h) || !pp_push(&l->hop_got, l->nodes.data[c].got_ps))
            return PP_ENOMEM;
    }
    *n = (uint32_t)l->hops.len - *at;
    return PP_OK;
}

static pp_status put_tree(pp_lockstep *l, uint32_t first, uint32_t *at, uint32_t *n)
{
    PP_TRY(put_siblings(l, first, at, n));
    for (uint32_t h = *at; h < l->hops.len; h++) {
        uint32_t child, children;
        PP_TRY(put_siblings(l, l->hops.data[h].child_first, &child, &children));
        l->hops.data[h].child_first = child;
        l->hops.data[h].n_children = children;
    }
    return PP_OK;
}

static pp_status put_trees(pp_lockstep *l)
{
    join_delays(l);
    for (uint32_t a = 0; a < l->actors.len; a++) {
        uint32_t first, n;
        if (a == l->sink)
            continue;
        PP_TRY(put_tree(l, l->roots.data[a].first, &first, &n));
        l->actors.data[a].hop_first = first;
        l->actors.data[a].n_hops = n;
    }
    return PP_OK;
}

/* Operators that nothing feeds begin together, behind a source of no time. */
static pp_status put_source(pp_lockstep *l)
{
    uint32_t source;
    PP_TRY(pp_lockstep_add_actor(l, (pp_token_actor){.work = PP_NONE, .server = PP_NONE}, (pp_lm_actor){0, PP_NONE}, &source));
    l->x->net.source = source;
    for (uint32_t a = 0; a < source; a++) {
        if (l->actors.data[a].inputs == 0)
            PP_TRY(pp_lockstep_end_node(l, source, PP_NONE, a, 0, (pp_lockstep_label){PP_NONE, 0}));
    }
    return PP_OK;
}

/* Where it is not: the slowest way of its edge, nobody on it. */
static pp_status plain_back(pp_lockstep *l)
{
    const pp_lm_instance *first = &l->m->instance[0];
    uint64_t back_ps = 0;
    for (uint32_t e = first->first_in; e < first->first_in + first->n_in; e++) {
        const pp_lm_edge *d = &l->m->edge[e];
        for (uint32_t k = d->first_target; k < d->first_target + d->n_targets; k++)
            back_ps = l->m->target[k].latency_ps > back_ps ? l->m->target[k].latency_ps : back_ps;
    }
    const pp_token_hop h = {.latency_ps = back_ps, .server = PP_NONE, .to = PP_TOKEN_BACK, .expert = PP_NONE};
    return first->n_in == 0 || pp_lockstep_add_node(l, l->sink, PP_NONE, h) != PP_NONE ? PP_OK : PP_ENOMEM;
}

/* The sink's tree is the way back. */
static pp_status put_back(pp_lockstep *l)
{
    pp_token_net *net = &l->x->net;
    if (l->roots.data[l->sink].first == PP_NONE)
        PP_TRY(plain_back(l));
    return put_tree(l, l->roots.data[l->sink].first, &net->back_first, &net->n_back);
}

/* Joins, source and sink have servers of their own, behind those of the channels. */
static pp_status number_servers(pp_lockstep *l)
{
    pp_token_net *net = &l->x->net;
    uint32_t n = l->first_channel + (uint32_t)l->users.len;
    for (uint32_t a = 0; a < l->actors.len; a++) {
        if (l->actors.data[a].server == PP_NONE)
            l->actors.data[a].server = n++;
    }
    net->n_servers = n;
    free(net->server_copies);
    free(l->x->server_instance);
    net->server_copies = pp_alloc(n, sizeof *net->server_copies);
    l->x->server_instance = pp_calloc(n, sizeof *l->x->server_instance);
    if (net->server_copies == NULL || l->x->server_instance == NULL)
        return PP_ENOMEM;
    for (uint32_t s = 0; s < n; s++) {
        net->server_copies[s] = 1;
        const uint32_t user = s - l->first_channel; /* beyond the channels: actors that are nobody's */
        if (s >= l->first_channel && user < l->users.len)
            l->x->server_instance[s] = l->users.data[user].instance;
    }
    for (uint32_t i = 0; i < l->m->n_instances; i++)
        for (uint32_t s = l->x->first_server[i]; s < l->x->first_server[i + 1]; s++)
            l->x->server_instance[s] = i;
    return PP_OK;
}

/* Hops that a token takes of those that carry the label, on average. */
static double taken(const pp_lockstep *l, uint32_t expert)
{
    return pp_lm_graph_share(l->m->graph, expert);
}

static void take_over(pp_lockstep *l)
{
    pp_lm_actors *x = l->x;
    for (size_t i = 0; i < l->hops.len; i++)
        x->hops_token += taken(l, l->hops.data[i].expert);
    free(x->net.actor);
    free(x->actor);
    x->net.actor = l->actors.data;
    x->net.n_actors = (uint32_t)l->actors.len;
    x->actor = l->labels.data;
    x->net.hop = l->hops.data;
    x->net.n_hops = (uint32_t)l->hops.len;
    x->net.together = true;
    x->user = l->users.data;
    x->first_channel = l->first_channel;
    x->n_channels = (uint32_t)l->users.len;
    l->actors.data = NULL;
    l->labels.data = NULL;
    l->hops.data = NULL;
    l->users.data = NULL;
}

static pp_status begin(pp_lockstep *l)
{
    const uint32_t n = l->first_actor[l->m->n_instances];
    l->channel_server = pp_alloc(l->m->fabric->n_channels, sizeof *l->channel_server);
    if (l->channel_server == NULL)
        return PP_ENOMEM;
    memset(l->channel_server, 0xff, l->m->fabric->n_channels * sizeof *l->channel_server);
    for (uint32_t a = 0; a < n; a++) {
        uint32_t at;
        pp_token_actor actor = l->x->net.actor[a];
        actor.inputs = 0;
        PP_TRY(pp_lockstep_add_actor(l, actor, l->x->actor[a], &at));
    }
    return pp_lockstep_add_actor(l, (pp_token_actor){.work = PP_NONE, .server = PP_NONE}, (pp_lm_actor){l->m->n_instances - 1, PP_NONE}, &l->sink);
}

/* Instances of a window: as many as fit, but two, the first of which was the last one of the window before. */
static uint32_t window_length(const pp_lockstep *l, uint32_t first)
{
    const pp_lm_mapping *m = l->m;
    uint64_t cores = 0;
    for (uint32_t i = first; i < m->n_instances; i++) {
        cores += m->template_[m->instance[i].template_].cores;
        if (cores > l->window_cores && i >= first + 2)
            return i - first;
    }
    return m->n_instances - first;
}

static pp_status one_window(pp_lockstep *l, uint32_t first, uint32_t n)
{
    pp_lockstep_window w = {.l = l, .first = first, .n = n};
    const pp_status status = refine(&w);
    pp_lockstep_window_free(&w);
    return status;
}

static pp_status other_windows(pp_lockstep *l)
{
    uint32_t first = 0, n = window_length(l, 0);
    while (first + n < l->m->n_instances) {
        first += n - 1;
        n = window_length(l, first);
        PP_TRY(one_window(l, first, n));
    }
    return PP_OK;
}

/* ---- how fine ---- */

static void lockstep_free(pp_lockstep *l)
{
    free(l->actors.data);
    free(l->labels.data);
    free(l->roots.data);
    free(l->nodes.data);
    free(l->hops.data);
    free(l->hop_got.data);
    free(l->users.data);
    free(l->released.data);
    free(l->channel_server);
    free(l->groups.data);
    free(l->results.data);
    free(l->joins.data);
}

static pp_lockstep_grain grain_at(const pp_lm_mapping *m, uint32_t level)
{
    const uint64_t interval_ps = m->bounds.interval_ps;
    const uint64_t by_8 = interval_ps / 8, by_32 = interval_ps / 32, by_64 = interval_ps / 64;
    const uint64_t by_128 = interval_ps / 128;
    const pp_lockstep_grain grain[PP_LM_GRAINS] = {{0, 0, 200, true, false},
                                                   {0, 0, 24, true, false},
                                                   {0, 0, 4, true, false},
                                                   {0, 0, 1, true, false},
                                                   {by_64, by_64, 24, false, true},
                                                   {by_128, by_128, 4, false, true},
                                                   {by_64, by_64, 4, false, true},
                                                   {by_128, by_64, 2, false, true},
                                                   {by_64, by_64, 2, false, true},
                                                   {by_64, by_64, 1, false, true},
                                                   {by_32, by_32, 2, false, true},
                                                   {by_32, by_32, 1, false, true},
                                                   {by_32, by_8, 1, false, true},
                                                   {by_8, by_8, 1, false, true},
                                                   {by_8, PP_LOCKSTEP_NEVER, 1, false, true}};
    return grain[level];
}

/* Hops a token of all instances, as those of the first window are. */
static double all_hops(const pp_lockstep *l)
{
    const pp_lm_mapping *m = l->m;
    double cores = 0;
    for (uint32_t i = 0; i < window_length(l, 0); i++)
        cores += m->template_[m->instance[i].template_].cores;
    double hops = 0;
    for (size_t i = 0; i < l->nodes.len; i++)
        hops += taken(l, l->nodes.data[i].hop.expert);
    return hops * m->cores_used / cores;
}

/* The one that is wanted, or the finest with which a token takes so few hops; the first window tells. */
static pp_status choose_grain(pp_lockstep *l, const pp_lm_lockstep_options *o)
{
    const uint32_t only = o->grain > PP_LM_GRAINS ? PP_LM_GRAINS : o->grain;
    const uint64_t hops_most = only > 0 ? 0 : o->hops_most;
    for (uint32_t level = only > 0 ? only - 1 : 0;; level++) {
        const pp_lockstep fresh = {.m = l->m, .x = l->x, .first_actor = l->first_actor, .first_channel = l->first_channel,
                                   .window_cores = l->window_cores, .grain = grain_at(l->m, level)};
        *l = fresh;
        l->x->grain = level;
        PP_TRY(begin(l));
        PP_TRY(one_window(l, 0, window_length(l, 0)));
        if (level + 1 == PP_LM_GRAINS || hops_most == 0 || all_hops(l) <= (double)hops_most)
            return PP_OK;
        lockstep_free(l);
    }
}

static pp_status make(pp_lockstep *l, const pp_lm_lockstep_options *o)
{
    PP_TRY(choose_grain(l, o));
    PP_TRY(other_windows(l));
    PP_TRY(pp_lockstep_put_joins(l));
    PP_TRY(put_source(l));
    PP_TRY(put_trees(l));
    PP_TRY(put_back(l));
    PP_TRY(number_servers(l));
    l->x->net.sink = l->sink;
    take_over(l);
    return PP_OK;
}

pp_status pp_lm_lockstep(pp_lm_actors *x, const pp_lm_mapping *m, const uint32_t *first_actor, const pp_lm_lockstep_options *options)
{
    pp_lockstep l = {.m = m, .x = x, .first_actor = first_actor, .first_channel = x->first_server[m->n_instances],
                     .window_cores = options->window_cores > 0 ? options->window_cores : WINDOW_CORES};
    pp_status status = make(&l, options);
    if (status == PP_OK && l.grain.settled && m->graph->config.experts == 0) /* several experts of a token: no frame is its */
        status = pp_lockstep_settle(&l);
    lockstep_free(&l);
    return status;
}

/* A network of actors: its check, and the bounds that follow from it alone. */
#include "sim/tokens_internal.h"

#include <math.h>
#include <stdlib.h>

void pp_token_net_free(pp_token_net *net)
{
    if (net == NULL)
        return;
    free(net->actor);
    free(net->hop);
    free(net->server_copies);
    free(net->work_ps);
    free(net->expert_weight);
    *net = (pp_token_net){0};
}

static void lengthen(uint64_t *ps, double margin)
{
    *ps += (uint64_t)llround((double)*ps * margin);
}

void pp_token_net_lengthen(pp_token_net *net, double margin)
{
    for (uint32_t a = 0; a < net->n_actors; a++) {
        lengthen(&net->actor[a].interval_ps, margin);
        lengthen(&net->actor[a].latency_ps, margin);
    }
    for (uint32_t h = 0; h < net->n_hops; h++) {
        pp_token_hop *d = &net->hop[h];
        uint64_t *const all[] = {&d->busy_ps, &d->latency_ps, &d->tail_ps, &d->after_ps};
        for (size_t k = 0; k < sizeof all / sizeof *all; k++)
            lengthen(all[k], margin);
    }
    for (size_t k = 0; k < (size_t)net->n_works * (net->max_context + 1); k++)
        lengthen(&net->work_ps[k], margin);
}

/* ---- checks ---- */

static pp_status bad(const char *what, uint32_t i)
{
    return pp_fail(PP_EINVAL, "network of actors: %s %u", what, i);
}

static pp_status check_hop(const pp_token_net *net, uint32_t h, uint8_t *entries)
{
    const pp_token_hop *d = &net->hop[h];
    if (d->server != PP_NONE && d->server >= net->n_servers)
        return bad("no such server: hop", h);
    if (d->to != PP_NONE && d->to != PP_TOKEN_BACK && d->to >= net->n_actors)
        return bad("no such actor: hop", h);
    if (d->expert != PP_NONE && d->expert >= net->experts)
        return bad("no such expert: hop", h);
    if (d->child_first > net->n_hops || d->n_children > net->n_hops - d->child_first)
        return bad("no such child: hop", h);
    for (uint32_t c = d->child_first; c < d->child_first + d->n_children; c++) {
        if (c <= h || entries[c]++ > 0)
            return bad("a child stands before its parent or has two: hop", c);
    }
    return PP_OK;
}

static pp_status check_roots(const pp_token_net *net, uint32_t first, uint32_t n, uint8_t *entries)
{
    if (first > net->n_hops || n > net->n_hops - first)
        return bad("no such root: hop", first);
    for (uint32_t h = first; h < first + n; h++) {
        if (entries[h]++ > 0)
            return bad("a root has another parent: hop", h);
    }
    return PP_OK;
}

static pp_status check_actor(const pp_token_net *net, uint32_t a, uint8_t *entries)
{
    const pp_token_actor *d = &net->actor[a];
    if (d->server >= net->n_servers || (d->work != PP_NONE && d->work >= net->n_works))
        return bad("no such server or work: actor", a);
    if ((d->inputs == 0) != (a == net->source))
        return bad("only the source has no input: actor", a);
    return check_roots(net, d->hop_first, d->n_hops, entries);
}

static pp_status check_all(const pp_token_net *net, uint8_t *entries)
{
    for (uint32_t i = 0; i < net->n_servers; i++) {
        if (net->server_copies[i] == 0)
            return bad("no copy: server", i);
    }
    for (uint32_t h = 0; h < net->n_hops; h++)
        PP_TRY(check_hop(net, h, entries));
    for (uint32_t a = 0; a < net->n_actors; a++)
        PP_TRY(check_actor(net, a, entries));
    PP_TRY(check_roots(net, net->back_first, net->n_back, entries));
    for (uint32_t w = 0; w < net->n_works; w++) {
        const uint64_t *ps = net->work_ps + (size_t)w * (net->max_context + 1);
        for (uint32_t c = 2; c <= net->max_context; c++) {
            if (ps[c] < ps[c - 1])
                return bad("falls with the context: work", w);
        }
    }
    for (uint32_t e = 0; e < net->experts; e++) {
        if (!(net->expert_weight[e] > 0))
            return bad("has no weight: expert", e);
    }
    return net->experts_per_token <= net->experts ? PP_OK : bad("more chosen than there are: experts", net->experts);
}

pp_status pp_token_net_check(const pp_token_net *net)
{
    if (net->n_actors == 0 || net->source >= net->n_actors || net->sink >= net->n_actors || net->max_context == 0)
        return pp_fail(PP_EINVAL, "network of actors: source, sink or longest context is missing");
    uint8_t *entries = pp_calloc(net->n_hops, sizeof *entries);
    if (entries == NULL)
        return PP_ENOMEM;
    pp_status status = check_all(net, entries);
    free(entries);
    if (status != PP_OK)
        return status;
    pp_token_bounds bounds;
    return pp_token_bounds_at(&bounds, net, 1); /* finds cycles */
}

/* ---- longest path ---- */

typedef struct walk {
    const pp_token_net *net;
    uint32_t context;
    uint64_t *ready_ps;  /* [n_actors] latest arrival */
    uint32_t *missing;   /* [n_actors] hops that have not arrived */
    uint32_t *queue, n_queue;
    double *busy_ps;     /* [n_servers] a token, its way back not counted: prompts have none */
    bool back;
    uint64_t back_ps;
} walk;

static uint64_t work_at(const pp_token_net *net, const pp_token_actor *d, uint32_t context)
{
    return d->work == PP_NONE ? 0 : net->work_ps[(size_t)d->work * (net->max_context + 1) + context];
}

static void count_arrivals(walk *w, uint32_t hop)
{
    const pp_token_hop *h = &w->net->hop[hop];
    if (h->to < w->net->n_actors)
        w->missing[h->to]++;
    for (uint32_t i = 0; i < h->n_children; i++)
        count_arrivals(w, h->child_first + i);
}

/* Of a sequence's first token the least that can be. */
static double expert_share(const pp_token_net *net, uint32_t expert)
{
    double sum = 0;
    if (net->first_token)
        return expert == 0 ? 1.0 / net->max_context : 0;
    for (uint32_t e = 0; e < net->experts; e++)
        sum += net->expert_weight[e];
    return fmin(1, net->expert_weight[expert] / sum * net->experts_per_token);
}

static void walk_hop(walk *w, uint32_t hop, uint64_t time_ps, double share);

/* A chain's servers are all there at once: what follows goes on when the last has been held long enough. */
static void walk_chain(walk *w, uint32_t hop, uint64_t time_ps, double share)
{
    const pp_token_hop *h = &w->net->hop[hop];
    uint64_t ask_ps = time_ps, latest_ps = time_ps;
    for (;; hop = h->child_first, h = &w->net->hop[hop], ask_ps += h->after_ps) {
        latest_ps = ask_ps + h->tail_ps > latest_ps ? ask_ps + h->tail_ps : latest_ps;
        if (!w->back)
            w->busy_ps[h->server] += share * (double)h->busy_ps;
        if (!pp_token_chained(w->net, h))
            break;
    }
    for (uint32_t i = 0; i < h->n_children; i++)
        walk_hop(w, h->child_first + i, latest_ps + h->latency_ps, share);
}

/* share: of the tokens that take the hop. */
static void walk_hop(walk *w, uint32_t hop, uint64_t time_ps, double share)
{
    const pp_token_hop *h = &w->net->hop[hop];
    if (h->expert != PP_NONE)
        share = expert_share(w->net, h->expert);
    if (w->net->together && pp_token_chained(w->net, h)) {
        walk_chain(w, hop, time_ps, share);
        return;
    }
    if (h->server != PP_NONE && !w->back)
        w->busy_ps[h->server] += share * (double)h->busy_ps;
    const bool held = w->net->together && h->server != PP_NONE && h->to == PP_NONE;
    const uint64_t head_ps = time_ps + (held ? h->tail_ps : 0) + h->latency_ps;
    if (h->to == PP_TOKEN_BACK) {
        w->back_ps = head_ps + h->tail_ps > w->back_ps ? head_ps + h->tail_ps : w->back_ps;
    } else if (h->to != PP_NONE) {
        uint64_t *ready_ps = &w->ready_ps[h->to];
        *ready_ps = head_ps + h->tail_ps > *ready_ps ? head_ps + h->tail_ps : *ready_ps;
        if (--w->missing[h->to] == 0)
            w->queue[w->n_queue++] = h->to;
    }
    for (uint32_t i = 0; i < h->n_children; i++)
        walk_hop(w, h->child_first + i, head_ps, share);
}

static void walk_all(walk *w)
{
    const pp_token_net *net = w->net;
    for (uint32_t a = 0; a < net->n_actors; a++) {
        for (uint32_t i = 0; i < net->actor[a].n_hops; i++)
            count_arrivals(w, net->actor[a].hop_first + i);
    }
    w->queue[w->n_queue++] = net->source;
    for (uint32_t q = 0; q < w->n_queue; q++) {
        const pp_token_actor *d = &net->actor[w->queue[q]];
        const uint64_t work = work_at(net, d, w->context);
        w->busy_ps[d->server] += (double)(d->interval_ps + work);
        for (uint32_t i = 0; i < d->n_hops; i++)
            walk_hop(w, d->hop_first + i, w->ready_ps[w->queue[q]] + d->latency_ps + work, 1);
    }
    w->back = true;
    for (uint32_t i = 0; i < net->n_back; i++)
        walk_hop(w, net->back_first + i, 0, 1);
}

/* Experts' actors count with the share of their tokens. */
static void weigh_experts(walk *w, const double *share)
{
    for (uint32_t a = 0; a < w->net->n_actors; a++) {
        const pp_token_actor *d = &w->net->actor[a];
        w->busy_ps[d->server] -= (1 - share[a]) * (double)(d->interval_ps + work_at(w->net, d, w->context));
    }
}

static void spread_share(const walk *w, uint32_t hop, double share, double *of)
{
    const pp_token_hop *h = &w->net->hop[hop];
    if (h->expert != PP_NONE)
        share = expert_share(w->net, h->expert);
    if (h->to < w->net->n_actors && w->net->actor[h->to].order == PP_TOKEN_SUBSTREAM)
        of[h->to] = share < of[h->to] ? share : of[h->to];
    for (uint32_t i = 0; i < h->n_children; i++)
        spread_share(w, h->child_first + i, share, of);
}

/* Along the order of the walk, so that an expert's later actors have their first one's share. */
static pp_status experts_share(walk *w)
{
    double *share = pp_alloc(w->net->n_actors, sizeof *share);
    if (share == NULL)
        return PP_ENOMEM;
    for (uint32_t a = 0; a < w->net->n_actors; a++)
        share[a] = 1;
    for (uint32_t q = 0; q < w->n_queue; q++) {
        const pp_token_actor *d = &w->net->actor[w->queue[q]];
        for (uint32_t i = 0; i < d->n_hops; i++)
            spread_share(w, d->hop_first + i, share[w->queue[q]], share);
    }
    weigh_experts(w, share);
    free(share);
    return PP_OK;
}

static pp_status walk_new(walk *w, const pp_token_net *net, uint32_t context)
{
    *w = (walk){.net = net, .context = context};
    w->ready_ps = pp_calloc(net->n_actors, sizeof *w->ready_ps);
    w->missing = pp_calloc(net->n_actors, sizeof *w->missing);
    w->queue = pp_calloc(net->n_actors, sizeof *w->queue);
    w->busy_ps = pp_calloc(net->n_servers, sizeof *w->busy_ps);
    return w->ready_ps != NULL && w->missing != NULL && w->queue != NULL && w->busy_ps != NULL ? PP_OK : PP_ENOMEM;
}

static void walk_free(walk *w)
{
    free(w->ready_ps);
    free(w->missing);
    free(w->queue);
    free(w->busy_ps);
}

static void read_bounds(pp_token_bounds *out, const walk *w)
{
    const pp_token_net *net = w->net;
    const pp_token_actor *sink = &net->actor[net->sink];
    double most = -1;
    for (uint32_t i = 0; i < net->n_servers; i++) {
        const double ps = w->busy_ps[i] / net->server_copies[i];
        if (ps > most) {
            most = ps;
            out->server = i;
        }
    }
    out->interval_ps = (uint64_t)floor(most);
    out->latency_ps = w->ready_ps[net->sink] + sink->latency_ps + work_at(net, sink, w->context);
    out->back_ps = w->back_ps;
}

pp_status pp_token_bounds_at(pp_token_bounds *out, const pp_token_net *net, uint32_t context)
{
    walk w;
    *out = (pp_token_bounds){0};
    pp_status status = walk_new(&w, net, context);
    if (status == PP_OK) {
        walk_all(&w);
        if (w.n_queue != net->n_actors)
            status = pp_fail(PP_EINVAL, "network of actors: a cycle, or an actor that nothing feeds");
    }
    if (status == PP_OK && net->experts > 0)
        status = experts_share(&w);
    if (status == PP_OK)
        read_bounds(out, &w);
    walk_free(&w);
    return status;
}

pp_status pp_token_fill(uint64_t *out, const pp_token_net *net, uint32_t max_context)
{
    *out = net->encoder ? 2 * (uint64_t)max_context : 1;
    for (uint32_t context = 1;; context *= 2) {
        const uint32_t at = context < max_context ? context : max_context;
        pp_token_bounds b;
        PP_TRY(pp_token_bounds_at(&b, net, at));
        const uint64_t interval_ps = b.interval_ps > 0 ? b.interval_ps : 1;
        const uint64_t fill = (b.latency_ps + interval_ps - 1) / interval_ps + 1;
        *out = fill > *out ? fill : *out;
        if (at == max_context)
            return PP_OK;
    }
}

/* ---- a whole scenario ---- */

void pp_token_contexts(uint64_t *count, const pp_token_net *net, const pp_token_setup *setup)
{
    for (uint32_t i = 0; i < setup->n_sequences; i++) {
        const pp_token_sequence *q = &setup->sequence[i];
        const uint32_t first = setup->scenario == PP_SCENARIO_DECODE ? q->prompt : 0;
        for (uint32_t p = first; p < q->prompt + q->decode; p++)
            count[net->encoder ? q->prompt : p + 1]++;
    }
}

static double total_work(const pp_token_net *net, uint32_t work, const uint64_t *count)
{
    double sum = 0;
    for (uint32_t c = 1; c <= net->max_context; c++)
        sum += (double)count[c] * (double)net->work_ps[(size_t)work * (net->max_context + 1) + c];
    return sum;
}

/* The busiest server's time for all tokens: linear in the contexts' counts, so one walk at context 1 gives
 * everything but attention, which is added row by row. */
static pp_status busiest(uint64_t *out, walk *w, const uint64_t *count)
{
    const pp_token_net *net = w->net;
    double tokens = 0, most = 0;
    for (uint32_t c = 1; c <= net->max_context; c++)
        tokens += (double)count[c];
    double *total = pp_calloc(net->n_works, sizeof *total);
    if (total == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < net->n_works; i++)
        total[i] = total_work(net, i, count);
    for (uint32_t i = 0; i < net->n_servers; i++)
        w->busy_ps[i] *= tokens;
    for (uint32_t a = 0; a < net->n_actors; a++) {
        const pp_token_actor *d = &net->actor[a];
        if (d->work != PP_NONE)
            w->busy_ps[d->server] += total[d->work] - tokens * (double)work_at(net, d, 1);
    }
    for (uint32_t i = 0; i < net->n_servers; i++)
        most = fmax(most, w->busy_ps[i] / net->server_copies[i]);
    free(total);
    *out = (uint64_t)floor(most);
    return PP_OK;
}

pp_status pp_token_sim_bound(uint64_t *out, const pp_token_net *net, const pp_token_setup *setup)
{
    walk w;
    uint64_t *count = pp_calloc((size_t)net->max_context + 1, sizeof *count);
    pp_status status = walk_new(&w, net, 1);
    *out = 0;
    if (status == PP_OK && count == NULL)
        status = PP_ENOMEM;
    if (status == PP_OK && (net->experts == 0 || net->first_token)) { /* drawn experts' sums are not known beforehand */
        pp_token_contexts(count, net, setup);
        walk_all(&w);
        status = net->first_token ? experts_share(&w) : PP_OK;
        if (status == PP_OK)
            status = busiest(out, &w, count);
    }
    walk_free(&w);
    free(count);
    return status;
}

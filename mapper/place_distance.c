/* Placement of large networks by distances: tiles move so that bits times channels become few, with
 * routes left out. A move costs as much as its tiles have partners, so that thousands of tiles are
 * placed in fractions of a second on any fabric. Routes and the busiest channel come afterwards.
 *
 * The pull between a net's source and one of its sinks is what the sink needs, lessened where sinks share:
 * of a multicast to k sinks that all want everything, the tree carries between 1 and k times its bits,
 * and their geometric mean stands for it. */
#include "mapper/place_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Pull of the heaviest net's edge, and of each edge as such. */
#define FULL_PULL 4096
#define LEAST_PULL 16

typedef struct pp_pull {
    uint32_t tile;
    uint32_t weight;
    bool out; /* the other tile is the sink */
} pp_pull;

typedef struct pp_pulls {
    uint32_t *first; /* [n_tiles + 1] */
    pp_pull *pull;
} pp_pulls;

/* ---- pulls ---- */

static uint32_t sink_bits_total(const pp_task *task, const pp_task_net *net)
{
    uint64_t sum = 0;
    for (uint32_t s = net->first_sink; s < net->first_sink + net->n_sinks; s++)
        sum += pp_task_bits(task, net, task->sink_mask[s]) * 256 / (net->bits ? net->bits : 1);
    return sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum;
}

static uint32_t pull_of(const pp_task *task, const pp_task_net *net, uint64_t mask, double shared)
{
    double w = (double)pp_task_bits(task, net, mask) / (double)task->max_bits * FULL_PULL * shared;
    return LEAST_PULL + (uint32_t)w;
}

static void pulls_free(pp_pulls *p)
{
    free(p->first);
    free(p->pull);
}

static pp_status pulls_new(pp_pulls *p, const pp_task *task)
{
    p->first = pp_calloc(task->n_tiles + 2u, sizeof *p->first);
    p->pull = pp_alloc(2 * (size_t)task->n_sinks, sizeof *p->pull);
    if (!p->first || !p->pull)
        return PP_ENOMEM;
    uint32_t *at = p->first + 1;
    for (uint32_t n = 0; n < task->n_nets; n++)
        for (uint32_t s = 0; s < task->net[n].n_sinks; s++) {
            at[task->net[n].src + 1]++;
            at[task->sink_tile[task->net[n].first_sink + s] + 1]++;
        }
    for (uint32_t t = 0; t < task->n_tiles; t++)
        at[t + 1] += at[t];
    for (uint32_t n = 0; n < task->n_nets; n++) {
        const pp_task_net *net = &task->net[n];
        double total = (double)sink_bits_total(task, net) / 256, shared = total > 1 ? 1 / sqrt(total) : 1;
        for (uint32_t s = net->first_sink; s < net->first_sink + net->n_sinks; s++) {
            uint32_t sink = task->sink_tile[s], w = pull_of(task, net, task->sink_mask[s], shared);
            p->pull[at[net->src]++] = (pp_pull){sink, w, true};
            p->pull[at[sink]++] = (pp_pull){net->src, w, false};
        }
    }
    return PP_OK;
}

/* ---- moves ---- */

typedef struct pp_mover {
    const pp_task *task;
    const pp_metric *metric;
    const pp_pulls *pulls;
    uint32_t *core;         /* [n_tiles] */
    uint32_t *tile_of_core; /* [n_cores] */
    pp_rng rng;
} pp_mover;

static uint64_t energy_of(const pp_mover *m, uint32_t tile)
{
    uint64_t e = 0;
    for (uint32_t i = m->pulls->first[tile]; i < m->pulls->first[tile + 1]; i++) {
        const pp_pull *p = &m->pulls->pull[i];
        uint32_t a = m->core[tile], b = m->core[p->tile];
        e += (uint64_t)p->weight * (p->out ? pp_metric_hops(m->metric, a, b) : pp_metric_hops(m->metric, b, a));
    }
    return e;
}

static uint64_t energy_of_all(const pp_mover *m)
{
    uint64_t e = 0;
    for (uint32_t t = 0; t < m->task->n_tiles; t++)
        e += energy_of(m, t);
    return e / 2;
}

static void exchange(pp_mover *m, uint32_t a, uint32_t b)
{
    uint32_t ta = m->tile_of_core[a], tb = m->tile_of_core[b];
    m->tile_of_core[a] = tb;
    m->tile_of_core[b] = ta;
    if (ta != PP_NONE)
        m->core[ta] = b;
    if (tb != PP_NONE)
        m->core[tb] = a;
}

/* What the exchange of two cores' tiles changes; it is made. A pull between the two counts twice before
 * and after, and is the same in both unless channels lead one way only. */
static int64_t move(pp_mover *m, uint32_t a, uint32_t b)
{
    uint32_t ta = m->tile_of_core[a], tb = m->tile_of_core[b];
    uint64_t before = energy_of(m, ta) + (tb == PP_NONE ? 0 : energy_of(m, tb));
    exchange(m, a, b);
    return (int64_t)(energy_of(m, ta) + (tb == PP_NONE ? 0 : energy_of(m, tb))) - (int64_t)before;
}

uint32_t pp_metric_propose(const pp_metric *m, pp_rng *rng, uint32_t core)
{
    if (pp_rng_below(rng, 24) == 0)
        return pp_rng_below(rng, m->fabric->n_cores);
    double u = pp_rng_uniform(rng);
    uint32_t home = m->near[(size_t)m->home[core] * m->n_near + (uint32_t)(u * u * m->n_near)];
    uint32_t first = m->core_first[home], n = m->core_first[home + 1] - first;
    return m->core[first + (n > 1 ? pp_rng_below(rng, n) : 0)];
}

/* Near one of its partners, or anywhere now and then. */
static uint32_t target(pp_mover *m, uint32_t tile)
{
    uint32_t first = m->pulls->first[tile], n = m->pulls->first[tile + 1] - first;
    if (!n)
        return m->core[tile];
    return pp_metric_propose(m->metric, &m->rng, m->core[m->pulls->pull[first + pp_rng_below(&m->rng, n)].tile]);
}

static void cool(pp_mover *m, uint64_t moves, double hot, double cold)
{
    const uint64_t epoch = 256;
    double temperature = hot, factor = pow(cold / hot, (double)epoch / (double)moves);
    uint32_t told = 0;
    for (uint64_t i = 0; i < moves; i++) {
        uint32_t tile = pp_rng_below(&m->rng, m->task->n_tiles), from = m->core[tile], to = target(m, tile);
        if (i % epoch == epoch - 1) {
            temperature *= factor;
            pp_task_tick(m->task, (double)(i + 1) / (double)moves, &told);
        }
        if (to == from)
            continue;
        int64_t delta = move(m, from, to);
        if (delta > 0 && (double)delta >= -temperature * log(pp_rng_uniform(&m->rng) + 1e-300))
            exchange(m, from, to);
    }
    pp_task_tick(m->task, 1, &told);
}

/* Mean pull of a tile: what a move by one channel is about. */
static double scale_of(const pp_mover *m)
{
    double sum = 0;
    uint32_t n = m->pulls->first[m->task->n_tiles];
    for (uint32_t i = 0; i < n; i++)
        sum += m->pulls->pull[i].weight;
    return m->task->n_tiles ? sum / m->task->n_tiles : 1;
}

pp_status pp_distance_anneal(const pp_task *task, uint32_t *core, uint64_t moves, double heat, uint64_t seed,
                             uint64_t object)
{
    pp_pulls pulls = {0};
    pp_mover m = {.task = task, .metric = task->metric, .pulls = &pulls, .core = core};
    pp_status status;
    uint32_t *first = pp_alloc(task->n_tiles, sizeof *first);
    m.tile_of_core = pp_alloc(task->fabric->n_cores, sizeof *m.tile_of_core);
    status = first && m.tile_of_core ? pulls_new(&pulls, task) : PP_ENOMEM;
    if (status == PP_OK && moves && task->n_tiles) {
        m.rng = pp_rng_make(seed, object);
        memset(m.tile_of_core, 0xff, task->fabric->n_cores * sizeof *m.tile_of_core);
        for (uint32_t t = 0; t < task->n_tiles; t++)
            m.tile_of_core[core[t]] = t;
        memcpy(first, core, task->n_tiles * sizeof *first);
        uint64_t before = energy_of_all(&m);
        cool(&m, moves, heat * scale_of(&m), 0.02 * LEAST_PULL);
        if (energy_of_all(&m) > before)
            memcpy(core, first, task->n_tiles * sizeof *first);
    }
    pulls_free(&pulls);
    free(first);
    free(m.tile_of_core);
    return status;
}

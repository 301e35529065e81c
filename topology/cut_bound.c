/* Lower bounds of the bisection width: by trying all halves of small fabrics, and by the load that shortest ways put
 * on channels. */
#include "topology/topology_internal.h"

#include <math.h>
#include <stdlib.h>

/* ---- All halves ---- */

#define TRY_MAX 18

/* Channels both ways between each two vertices. */
static void count_channels(const pp_fabric *f, uint16_t between[TRY_MAX][TRY_MAX])
{
    for (uint32_t c = 0; c < f->n_network; c++) {
        const uint32_t u = f->channel[c].src, v = f->channel[c].dst;
        between[u][v]++;
        between[v][u]++;
    }
}

static uint32_t cut_of(uint32_t set, uint32_t n, uint16_t between[TRY_MAX][TRY_MAX])
{
    uint32_t cut = 0;
    for (uint32_t u = 0; u < n; u++)
        for (uint32_t v = 0; (set >> u & 1U) && v < n; v++)
            cut += set >> v & 1U ? 0U : between[u][v];
    return cut;
}

bool pp_cut_by_trying(const pp_fabric *f, uint32_t *channels)
{
    const uint32_t n = f->n_vertices;
    uint16_t between[TRY_MAX][TRY_MAX] = {{0}};
    if (n > TRY_MAX || n != f->n_cores || n < 2)
        return false;
    for (uint32_t i = 0; i < n; i++)
        if (f->core_switch[i] != f->core_vertex[i])
            return false;
    count_channels(f, between);
    *channels = UINT32_MAX;
    /* All sets of n / 2 vertices, each the next larger number with as many bits. */
    for (uint32_t set = (1U << n / 2) - 1; set < 1U << n;) {
        const uint32_t cut = cut_of(set, n, between), low = set & (~set + 1), ripple = set + low;
        *channels = cut < *channels ? cut : *channels;
        set = ripple | ((set ^ ripple) / low >> 2);
    }
    return true;
}

/* ---- Load of shortest ways ---- */

#define LOAD_MAX 1100 /* vertices */

typedef struct loads {
    const pp_fabric *f;
    const uint32_t *cores;      /* [n_vertices] on the vertex's switch */
    uint32_t *distance, *queue; /* [n_vertices]; the queue is left in the order of the search */
    double *ways, *behind;      /* [n_vertices] shortest ways to the vertex; packets that go to it or beyond */
    double *load;               /* [n_network] packets when every core sends one to every other core, over all shortest
                                   ways alike */
} loads;

/* PAPER: brandes2001: from the far end backwards, each vertex shares what goes through it among the channels that
 * reach it by a shortest way. */
static void add_source(loads *l, uint32_t s)
{
    const pp_fabric *f = l->f;
    uint32_t n = 0;
    pp_bfs(f, s, false, PP_NO_VERTEX, l->distance, l->queue);
    for (uint32_t v = 0; v < f->n_vertices; v++) {
        l->ways[v] = v == s;
        l->behind[v] = v == s ? 0.0 : (double)l->cores[v];
        n += l->distance[v] != UINT32_MAX && (f->vertex[v].core == PP_NO_VERTEX || l->cores[v] > 0);
    }
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = f->out_first[l->queue[i]]; k < f->out_first[l->queue[i] + 1]; k++) {
            const uint32_t v = l->queue[i], w = f->channel[f->out_channel[k]].dst;
            if (l->distance[w] == l->distance[v] + 1)
                l->ways[w] += l->ways[v];
        }
    for (uint32_t i = n; i-- > 1;)
        for (uint32_t k = f->in_first[l->queue[i]]; k < f->in_first[l->queue[i] + 1]; k++) {
            const uint32_t w = l->queue[i], c = f->in_channel[k], v = f->channel[c].src;
            if (l->distance[v] == UINT32_MAX || l->distance[v] + 1 != l->distance[w])
                continue;
            const double share = l->behind[w] * l->ways[v] / l->ways[w];
            l->load[c] += (double)l->cores[s] * share;
            l->behind[v] += share;
        }
}

/* The smallest number of ordered pairs of cores on different sides. */
static double pairs_across(const pp_fabric *f, const uint32_t *cores)
{
    uint32_t most = 0, least = UINT32_MAX, ends = 0;
    for (uint32_t v = 0; v < f->n_vertices; v++) {
        if (cores[v] == 0)
            continue;
        most = cores[v] > most ? cores[v] : most;
        least = cores[v] < least ? cores[v] : least;
        ends++;
    }
    const double differ = most == least && ends % 2 == 0 ? 0.0 : (double)most, n = (double)f->n_cores;
    return (n - differ) * (n + differ) / 2.0;
}

pp_status pp_cut_by_load(const pp_fabric *f, const uint32_t *cores, uint32_t *channels)
{
    *channels = 0;
    if (f->n_vertices > LOAD_MAX || f->n_network == 0)
        return PP_OK;
    loads l = {.f = f,
               .cores = cores,
               .distance = pp_alloc((size_t)2 * f->n_vertices, sizeof *l.distance),
               .ways = pp_alloc((size_t)2 * f->n_vertices, sizeof *l.ways),
               .load = pp_calloc(f->n_network, sizeof *l.load)};
    const bool good = l.distance && l.ways && l.load;
    if (good) {
        double most = 0.0;
        l.queue = l.distance + f->n_vertices;
        l.behind = l.ways + f->n_vertices;
        for (uint32_t s = 0; s < f->n_vertices; s++)
            if (cores[s] > 0)
                add_source(&l, s);
        for (uint32_t c = 0; c < f->n_network; c++)
            most = l.load[c] > most ? l.load[c] : most;
        if (most > 0.0)
            *channels = (uint32_t)ceil(pairs_across(f, cores) / most * (1.0 - 1e-9));
    }
    free(l.distance);
    free(l.ways);
    free(l.load);
    return good ? PP_OK : PP_ENOMEM;
}

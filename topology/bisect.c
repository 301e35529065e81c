/* Bisection: the formula where there is one, else the best of some balanced halves, which a lower bound may prove. */
#include "topology/topology_internal.h"

#include <stdlib.h>

/* The spectral half is tried up to this size: the eigensolver is slow on large grids. */
#define SPECTRAL_MAX 20000
#define SWEEPS 32
#define UNDECIDED 2

typedef struct halves {
    const pp_fabric *f;
    uint32_t *order; /* [n_vertices] */
    uint32_t *cores; /* [n_vertices] served by the vertex: they stay together */
    uint8_t *side;   /* [n_vertices] 0, 1 or UNDECIDED */
} halves;

/* A switch goes where most of its neighbours are; the first of two equal sides. */
static bool settle_switch(halves *h, uint32_t v)
{
    const pp_fabric *f = h->f;
    size_t count[3] = {0, 0, 0};
    for (uint32_t i = f->out_first[v]; i < f->out_first[v + 1]; i++)
        count[h->side[f->channel[f->out_channel[i]].dst]]++;
    for (uint32_t i = f->in_first[v]; i < f->in_first[v + 1]; i++)
        count[h->side[f->channel[f->in_channel[i]].src]]++;
    if (count[0] + count[1] == 0)
        return false;
    const uint8_t side = count[1] > count[0];
    const bool moved = h->side[v] != side;
    h->side[v] = side;
    return moved;
}

static void settle_switches(halves *h)
{
    bool moved = true;
    for (int sweep = 0; moved && sweep < SWEEPS; sweep++) {
        moved = false;
        for (uint32_t v = 0; v < h->f->n_vertices; v++)
            if (h->cores[v] == 0 && settle_switch(h, v))
                moved = true;
    }
    for (uint32_t v = 0; v < h->f->n_vertices; v++)
        if (h->side[v] == UNDECIDED)
            h->side[v] = 0; /* connected to no core: crosses nothing */
}

/* Channels both ways across the cut that puts the first half of the cores, in `order`, on one side. */
static uint32_t cut(halves *h, double *gbps)
{
    const pp_fabric *f = h->f;
    uint32_t cores = 0, channels = 0;
    *gbps = 0.0;
    for (uint32_t i = 0; i < f->n_vertices; i++) {
        const uint32_t v = h->order[i];
        h->side[v] = h->cores[v] == 0 ? UNDECIDED : cores >= f->n_cores / 2;
        cores += h->cores[v];
    }
    settle_switches(h);
    for (uint32_t c = 0; c < f->n_network; c++)
        if (h->side[f->channel[c].src] != h->side[f->channel[c].dst]) {
            channels++;
            *gbps += pp_channel_rate_gbps(&f->channel[c]);
        }
    return channels;
}

/* A vertex and the keys by which it is sorted. */
typedef struct keyed {
    int32_t key[3];
    uint32_t vertex;
} keyed;

static int compare(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    for (int k = 0; k < 3; k++)
        if (x->key[k] != y->key[k])
            return x->key[k] < y->key[k] ? -1 : 1;
    return x->vertex < y->vertex ? -1 : x->vertex > y->vertex;
}

/* Order by the coordinates, `first` before the others. */
static pp_status order_by(halves *h, int first)
{
    const uint32_t n = h->f->n_vertices;
    keyed *k = pp_alloc(n, sizeof *k);
    if (!k)
        return PP_ENOMEM;
    for (uint32_t v = 0; v < n; v++) {
        const int32_t *c = h->f->vertex[v].coord;
        k[v] = (keyed){.key = {c[first], c[(first + 1) % 3], c[(first + 2) % 3]}, .vertex = v};
    }
    qsort(k, n, sizeof *k, compare);
    for (uint32_t v = 0; v < n; v++)
        h->order[v] = k[v].vertex;
    free(k);
    return PP_OK;
}

static pp_status order_spectral(halves *h)
{
    const pp_fabric *f = h->f;
    uint32_t *from = pp_alloc(f->n_network, sizeof *from), *to = pp_alloc(f->n_network, sizeof *to);
    pp_status status = from && to ? PP_OK : PP_ENOMEM;
    for (uint32_t c = 0; status == PP_OK && c < f->n_network; c++) {
        from[c] = f->channel[c].src;
        to[c] = f->channel[c].dst;
    }
    if (status == PP_OK)
        status = pp_graph_order(f->n_vertices, from, to, NULL, f->n_network, h->order);
    free(from);
    free(to);
    return status;
}

static pp_status best_half(halves *h, uint32_t *channels, double *gbps)
{
    *channels = UINT32_MAX;
    for (int first = 0; first <= 3; first++) {
        if (first == 3 && h->f->n_vertices > SPECTRAL_MAX)
            break;
        PP_TRY(first < 3 ? order_by(h, first) : order_spectral(h));
        double rate = 0.0;
        const uint32_t crossing = cut(h, &rate);
        if (crossing < *channels) {
            *channels = crossing;
            *gbps = rate;
        }
    }
    return PP_OK;
}

static pp_status search(halves *h, uint32_t *channels, bool *exact, double *gbps)
{
    uint32_t least = 0;
    PP_TRY(best_half(h, channels, gbps));
    if (pp_cut_by_trying(h->f, &least)) {
        *gbps *= *channels > 0 ? (double)least / *channels : 1.0; /* channels of small cuts are taken as alike */
        *channels = least;
        *exact = true;
        return PP_OK;
    }
    PP_TRY(pp_cut_by_load(h->f, h->cores, &least));
    *exact = least == *channels;
    return PP_OK;
}

/* Rate of a cut by formula. Only tapered trees have channels of several widths: there the cut takes links of the
 * root (even arity), or as many of each height (odd). */
static double formula_gbps(const pp_fabric *f, uint32_t links)
{
    const uint32_t heights = f->shape.levels > 1 ? f->shape.levels - 1 : 1;
    if (f->n_network == 0 || links == 0)
        return 0.0;
    if (f->shape.taper <= 1)
        return 2.0 * links * pp_channel_rate_gbps(&f->channel[0]);
    const double leaf = pp_channel_rate_gbps(&f->channel[0]), root = pp_channel_rate_gbps(&f->channel[f->n_network - 1]);
    if (f->shape.arity % 2 == 0)
        return 2.0 * links * root;
    double sum = 0.0;
    for (double rate = leaf; rate <= root * 1.000001; rate *= f->shape.taper)
        sum += 2.0 * (links / heights) * rate;
    return sum;
}

pp_status pp_fabric_bisect(const pp_fabric *fabric, uint32_t *channels, bool *exact, double *gbps)
{
    const pp_fabric_kind_row *row = NULL;
    uint32_t links = 0;
    PP_TRY(pp_kind_find(&row, fabric->kind));
    *exact = row->bisection && row->bisection(fabric, &links);
    *channels = 2 * links;
    *gbps = formula_gbps(fabric, links);
    if (*exact)
        return PP_OK;
    halves h = {.f = fabric,
                .order = pp_alloc(fabric->n_vertices, sizeof *h.order),
                .cores = pp_calloc(fabric->n_vertices, sizeof *h.cores),
                .side = pp_alloc(fabric->n_vertices, sizeof *h.side)};
    for (uint32_t i = 0; h.cores && i < fabric->n_cores; i++)
        h.cores[fabric->core_switch[i]]++;
    const pp_status status = h.order && h.cores && h.side ? search(&h, channels, exact, gbps) : PP_ENOMEM;
    free(h.cores);
    free(h.order);
    free(h.side);
    return status;
}

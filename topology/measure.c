/* Figures of a fabric. */
#include "topology/topology_internal.h"

#include <stdlib.h>

/* Steps of breadth-first search that a measurement may take: a second or two. */
#define MAX_STEPS 3.0e8
#define MIN_SOURCES 16

static void measure_channels(const pp_fabric *f, pp_fabric_metrics *m)
{
    m->cores = f->n_cores;
    m->channels = f->n_network;
    m->degree_min = UINT32_MAX;
    for (uint32_t i = 0; i < f->n_cores; i++) {
        const uint32_t v = f->core_switch[i], degree = f->out_first[v + 1] - f->out_first[v];
        m->degree_min = degree < m->degree_min ? degree : m->degree_min;
        m->degree_max = degree > m->degree_max ? degree : m->degree_max;
    }
    for (uint32_t c = 0; c < f->n_network; c++) {
        const double length = (double)f->channel[c].length;
        m->wire_pitches += length;
        m->longest_pitches = length > m->longest_pitches ? length : m->longest_pitches;
    }
}

/* A core with a port for each link has as many more at its switch. */
static pp_status measure_switches(const pp_fabric *f, pp_fabric_metrics *m)
{
    uint32_t *local = pp_calloc(f->n_vertices, sizeof *local);
    if (!local)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < f->n_cores; i++) {
        const uint32_t v = f->core_switch[i];
        local[v] += f->ports > 0 ? f->ports : f->in_first[v + 1] - f->in_first[v];
    }
    for (uint32_t v = 0; v < f->n_vertices; v++) {
        const uint32_t in = f->in_first[v + 1] - f->in_first[v], out = f->out_first[v + 1] - f->out_first[v];
        const uint32_t radix = (in > out ? in : out) + local[v];
        m->radix_max = radix > m->radix_max ? radix : m->radix_max;
    }
    free(local);
    return PP_OK;
}

/* Cores from which distances are taken: all, or every k-th of a huge fabric. */
static uint32_t source_stride(const pp_fabric *f)
{
    const double steps = (double)f->n_vertices + (double)f->n_network;
    double sources = MAX_STEPS / steps;
    if (sources < MIN_SOURCES)
        sources = MIN_SOURCES;
    return (double)f->n_cores <= sources ? 1 : (uint32_t)((double)f->n_cores / sources) + 1;
}

static pp_status measure_distances(const pp_fabric *f, pp_fabric_metrics *m)
{
    uint32_t *distance = pp_alloc((size_t)2 * f->n_vertices, sizeof *distance);
    if (!distance)
        return PP_ENOMEM;
    const uint32_t stride = source_stride(f);
    uint64_t sum = 0, pairs = 0;
    for (uint32_t s = 0; s < f->n_cores; s += stride) {
        pp_bfs(f, f->core_vertex[s], false, PP_NO_VERTEX, distance, distance + f->n_vertices);
        for (uint32_t t = 0; t < f->n_cores; t++) {
            const uint32_t d = distance[f->core_vertex[t]];
            if (t == s)
                continue;
            if (d == UINT32_MAX) {
                m->unreachable++;
                continue;
            }
            sum += d;
            pairs++;
            m->diameter = d > m->diameter ? d : m->diameter;
        }
    }
    free(distance);
    m->sampled = stride > 1;
    m->mean_distance = pairs > 0 ? (double)sum / (double)pairs : 0.0;
    return PP_OK;
}

pp_status pp_fabric_measure(const pp_fabric *fabric, pp_fabric_metrics *out)
{
    pp_fabric_metrics m = {0};
    measure_channels(fabric, &m);
    PP_TRY(measure_switches(fabric, &m));
    PP_TRY(measure_distances(fabric, &m));
    PP_TRY(pp_fabric_bisect(fabric, &m.bisection_channels, &m.bisection_exact, &m.bisection_gbps));
    *out = m;
    return PP_OK;
}

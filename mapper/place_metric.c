/* Distances on a fabric, from every vertex to every place where cores hang: what a move of a tile costs is
 * then a few look-ups, and the search for a route knows how far it still is. */
#include "mapper/place_internal.h"

#include <stdlib.h>
#include <string.h>

/* Entries of the table; a larger fabric is measured by its coordinates. */
#define MAX_ENTRIES (UINT64_C(1) << 25)
/* Homes near each home that moves choose from. */
#define NEAR 32u

void pp_metric_free(pp_metric *m)
{
    if (!m)
        return;
    free(m->home);
    free(m->home_at);
    free(m->vertex);
    free(m->hops);
    free(m->core_first);
    free(m->core);
    free(m->near);
    free(m);
}

/* Numbers the vertices at which packets leave the network, and lists the cores of each. */
static pp_status find_homes(pp_metric *m, const pp_task *task)
{
    const pp_fabric *f = task->fabric;
    uint32_t *number = m->home_at = pp_alloc(f->n_vertices, sizeof *number);
    m->home = pp_alloc(f->n_cores, sizeof *m->home);
    m->vertex = pp_alloc(f->n_cores, sizeof *m->vertex);
    m->core_first = pp_calloc(f->n_cores + 1u, sizeof *m->core_first);
    m->core = pp_alloc(f->n_cores, sizeof *m->core);
    if (!number || !m->home || !m->vertex || !m->core_first || !m->core)
        return PP_ENOMEM;
    for (uint32_t v = 0; v < f->n_vertices; v++)
        number[v] = PP_NONE;
    for (uint32_t c = 0; c < f->n_cores; c++) {
        uint32_t v = task->enter[c];
        if (number[v] == PP_NONE) {
            m->vertex[m->n_homes] = v;
            number[v] = m->n_homes++;
        }
        m->home[c] = number[v];
        m->core_first[number[v] + 1]++;
    }
    for (uint32_t h = 0; h < m->n_homes; h++)
        m->core_first[h + 1] += m->core_first[h];
    for (uint32_t c = 0; c < f->n_cores; c++)
        m->core[m->core_first[m->home[c]]++] = c;
    memmove(m->core_first + 1, m->core_first, m->n_homes * sizeof *m->core_first);
    m->core_first[0] = 0;
    return PP_OK;
}

/* Breadth first against the channels. A vertex that is a core and no switch is an end of ways only. */
static void fill_row(const pp_fabric *f, uint32_t home, uint16_t *row, uint32_t *queue)
{
    uint32_t head = 0, tail = 0;
    memset(row, 0xff, f->n_vertices * sizeof *row);
    row[home] = 0;
    queue[tail++] = home;
    while (head < tail) {
        uint32_t v = queue[head++];
        uint16_t next = row[v] < PP_FAR - 1 ? (uint16_t)(row[v] + 1) : PP_FAR - 1;
        if (v != home && f->vertex[v].kind == PP_VERTEX_CORE)
            continue;
        for (uint32_t i = f->in_first[v]; i < f->in_first[v + 1]; i++) {
            uint32_t u = f->channel[f->in_channel[i]].src;
            if (row[u] != PP_FAR)
                continue;
            row[u] = next;
            queue[tail++] = u;
        }
    }
}

static pp_status fill_table(pp_metric *m, const pp_fabric *f)
{
    if ((uint64_t)m->n_homes * f->n_vertices > MAX_ENTRIES)
        return PP_OK;
    uint32_t *queue = pp_alloc(f->n_vertices, sizeof *queue);
    m->hops = pp_alloc((size_t)m->n_homes * f->n_vertices, sizeof *m->hops);
    if (!queue || !m->hops) {
        free(queue);
        return PP_ENOMEM;
    }
    for (uint32_t h = 0; h < m->n_homes; h++)
        fill_row(f, m->vertex[h], &m->hops[(size_t)h * f->n_vertices], queue);
    free(queue);
    return PP_OK;
}

/* The nearest homes of h, itself first: those of each distance in their order, from h's number upwards, so
 * that not all look to the same ones. `count` has room for a number of each distance. */
static void nearest(const pp_metric *m, uint32_t h, uint32_t *near, uint32_t *bucket)
{
    const uint16_t *row = &m->hops[(size_t)h * m->n_vertices];
    uint32_t counts[2 * NEAR] = {0};
    for (uint32_t i = 0; i < m->n_homes; i++) {
        uint32_t o = h + i < m->n_homes ? h + i : h + i - m->n_homes, d = row[m->vertex[o]];
        if (d < 2 * NEAR && counts[d] < NEAR)
            bucket[d * NEAR + counts[d]++] = o;
    }
    uint32_t n = 0;
    for (uint32_t d = 0; d < 2 * NEAR && n < m->n_near; d++)
        for (uint32_t i = 0; i < counts[d] && n < m->n_near; i++)
            near[n++] = bucket[d * NEAR + i];
    while (n < m->n_near)
        near[n++] = h;
}

static pp_status fill_near(pp_metric *m)
{
    m->n_near = m->n_homes < NEAR ? m->n_homes : NEAR;
    uint32_t *bucket = pp_alloc(2 * (size_t)NEAR * NEAR, sizeof *bucket);
    m->near = pp_alloc((size_t)m->n_homes * m->n_near, sizeof *m->near);
    if (!bucket || !m->near) {
        free(bucket);
        return PP_ENOMEM;
    }
    for (uint32_t h = 0; h < m->n_homes; h++) {
        if (m->hops)
            nearest(m, h, &m->near[(size_t)h * m->n_near], bucket);
        else /* by number, in which neighbours on the chip are neighbours more often than not */
            for (uint32_t i = 0; i < m->n_near; i++) {
                uint32_t half = (i + 1) / 2, o = i % 2 ? h + half : h + m->n_homes - half;
                m->near[(size_t)h * m->n_near + i] = o % m->n_homes;
            }
    }
    free(bucket);
    return PP_OK;
}

pp_status pp_metric_new(pp_metric **out, const pp_task *task, bool table)
{
    pp_status status;
    pp_metric *m = pp_calloc(1, sizeof *m);
    *out = NULL;
    if (!m)
        return PP_ENOMEM;
    m->fabric = task->fabric;
    m->n_vertices = task->fabric->n_vertices;
    PP_GOTO(done, status, find_homes(m, task));
    if (table) {
        PP_GOTO(done, status, fill_table(m, task->fabric));
        PP_GOTO(done, status, fill_near(m));
    }
    *out = m;
    m = NULL;
done:
    pp_metric_free(m);
    return status;
}

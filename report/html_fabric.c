/* The fabric of a network's report: cores by stage, channels by load. */
#include "report/html_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_VERTICES 200000
#define TAU 6.283185307179586

/* ---- from the report ---- */

static const pp_content_column *column(const pp_content *c, const char *path, const char *name)
{
    return pp_content_column_of(pp_content_find(c, path), name);
}

static size_t rows_of(const pp_content *c, const char *path)
{
    const pp_content_set *set = pp_content_find(c, path);
    return set != NULL && !set->scalar ? set->n_rows : 0;
}

/* A number from the file as an index below n; PP_NONE when it is none. */
static uint32_t index_below(const pp_content_column *c, size_t row, uint32_t n)
{
    double v = pp_content_number(c, row);
    return v >= 0 && v < n ? (uint32_t)v : PP_NONE;
}

static double finite_or_0(double v)
{
    return isfinite(v) && fabs(v) < 1e6 ? v : 0;
}

/* Places of vertices as the generator drew them; reports without them: rows and columns of the cores. */
static bool take_places(pp_html_drawing *d, const pp_content *c)
{
    const pp_content_column *x = column(c, "/fabric/vertices", "x"), *y = column(c, "/fabric/vertices", "y");
    const pp_content_column *row = column(c, "/fabric/cores", "row"), *col = column(c, "/fabric/cores", "column");
    if (x != NULL && y != NULL)
        for (uint32_t v = 0; v < d->n_vertices; v++) {
            d->x[v] = finite_or_0(pp_content_number(x, v));
            d->y[v] = finite_or_0(pp_content_number(y, v));
        }
    else if (row != NULL && col != NULL)
        for (uint32_t i = 0; i < d->n_cores; i++) {
            d->x[d->core_vertex[i]] = finite_or_0(pp_content_number(col, i));
            d->y[d->core_vertex[i]] = finite_or_0(pp_content_number(row, i));
        }
    else
        return false;
    return true;
}

typedef struct place {
    double x, y;
} place;

static int by_place(const void *a, const void *b)
{
    const place *p = a, *q = b;
    return p->y != q->y ? (p->y < q->y ? -1 : 1) : (p->x > q->x) - (p->x < q->x);
}

static bool places_collide(const pp_html_drawing *d)
{
    place *p = pp_alloc(d->n_vertices, sizeof *p);
    bool collide = false;
    for (uint32_t v = 0; p != NULL && v < d->n_vertices; v++)
        p[v] = (place){d->x[v], d->y[v]};
    if (p != NULL)
        qsort(p, d->n_vertices, sizeof *p, by_place);
    for (uint32_t v = 1; p != NULL && v < d->n_vertices && !collide; v++)
        collide = by_place(&p[v - 1], &p[v]) == 0;
    free(p);
    return collide;
}

/* Fabrics without a plane of their own stand on a circle. */
static bool is_circular(const pp_content *c)
{
    static const char *const kinds[] = {"kautz", "full", "star", "dragonfly"};
    const pp_content_set *set = pp_content_find(c, "/fabric/fabric");
    const char *name = set != NULL && set->scalar ? pp_content_text(&set->column[0], 0) : "";
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strncmp(name, kinds[i], strlen(kinds[i])) == 0)
            return true;
    return false;
}

static void put_at(pp_html_drawing *d, uint32_t v, double radius, double turn)
{
    d->x[v] = radius * sin(TAU * turn);
    d->y[v] = -radius * cos(TAU * turn);
}

/* Number and mean of the cores that stand at each switch. */
static pp_status count_cores(const pp_html_drawing *d, uint32_t *cores, double *mean)
{
    uint32_t *core_of = pp_alloc(d->n_vertices, sizeof *core_of);
    if (core_of == NULL)
        return PP_ENOMEM;
    for (uint32_t v = 0; v < d->n_vertices; v++)
        core_of[v] = PP_NONE;
    for (uint32_t i = 0; i < d->n_cores; i++)
        core_of[d->core_vertex[i]] = i;
    for (uint32_t c = 0; c < d->n_channels; c++) {
        if (d->src[c] == PP_NONE || d->dst[c] == PP_NONE || core_of[d->src[c]] == PP_NONE || core_of[d->dst[c]] != PP_NONE)
            continue;
        cores[d->dst[c]]++;
        mean[d->dst[c]] += core_of[d->src[c]];
    }
    for (uint32_t v = 0; v < d->n_vertices; v++)
        mean[v] = cores[v] > 0 ? mean[v] / cores[v] : 0;
    free(core_of);
    return PP_OK;
}

/* Cores on a circle, a switch inside of it before the middle of its cores; one that has most of them in the centre. */
static pp_status make_circle(pp_html_drawing *d)
{
    double radius = fmax(1.0, 0.85 * d->n_cores / TAU);
    uint32_t *cores = pp_calloc(d->n_vertices, sizeof *cores);
    double *mean = pp_calloc(d->n_vertices, sizeof *mean);
    pp_status status = cores != NULL && mean != NULL ? count_cores(d, cores, mean) : PP_ENOMEM;
    for (uint32_t v = 0; status == PP_OK && v < d->n_vertices; v++) {
        bool middle = 2 * cores[v] > d->n_cores;
        double turn = cores[v] > 0 ? mean[v] / d->n_cores : (double)v / d->n_vertices;
        put_at(d, v, middle ? 0 : radius * (cores[v] > 0 ? 0.78 : 0.55), turn);
    }
    for (uint32_t i = 0; status == PP_OK && i < d->n_cores; i++)
        put_at(d, d->core_vertex[i], radius, (double)i / d->n_cores);
    free(cores);
    free(mean);
    return status;
}

static void take_stages(pp_html_drawing *d, const pp_content *c)
{
    const pp_content_column *core = column(c, "/mapping/tiles", "core"), *stage = column(c, "/mapping/tiles", "stage");
    size_t n = rows_of(c, "/mapping/tiles");
    d->n_stages = column(c, "/workload/stages", "name") != NULL ? (uint32_t)rows_of(c, "/workload/stages") : 0;
    d->stage_name = pp_calloc(d->n_stages, sizeof *d->stage_name);
    for (uint32_t s = 0; d->stage_name != NULL && s < d->n_stages; s++)
        d->stage_name[s] = pp_content_text(column(c, "/workload/stages", "name"), s);
    for (size_t t = 0; core != NULL && stage != NULL && t < n; t++) {
        uint32_t at = index_below(core, t, d->n_cores), s = index_below(stage, t, d->n_stages);
        if (at != PP_NONE && d->stage[at] == PP_NONE)
            d->stage[at] = s;
    }
}

static void take_loads(pp_html_drawing *d, const pp_content *c)
{
    const pp_content_column *kind = column(c, "/fabric/channels", "kind");
    const pp_content_column *load = column(c, "/timing/channels", "utilisation");
    d->load_what = "busy share, measured in the steady state";
    if (load == NULL || rows_of(c, "/timing/channels") != d->n_channels) {
        load = column(c, "/bandwidth/channels", "share");
        d->load_what = "share of its rate that is needed at the bound of the interval";
        if (load != NULL && rows_of(c, "/bandwidth/channels") != d->n_channels)
            load = NULL;
    }
    for (uint32_t i = 0; i < d->n_channels; i++) {
        bool network = kind == NULL || strcmp(pp_content_text(kind, i), "network") == 0;
        double v = load != NULL ? pp_content_number(load, i) : 0;
        d->load[i] = !network || d->src[i] == PP_NONE || d->dst[i] == PP_NONE ? NAN : isfinite(v) && v > 0 ? v : 0;
        d->max_load = d->load[i] > d->max_load ? d->load[i] : d->max_load;
    }
}

/* Counts, and whether they can be drawn. */
static bool count(pp_html_drawing *d, const pp_content *c, const pp_content_column *vertex)
{
    size_t cores = rows_of(c, "/fabric/cores"), channels = rows_of(c, "/fabric/channels"), vertices = rows_of(c, "/fabric/vertices");
    if (cores == 0 || cores > MAX_VERTICES || vertices > MAX_VERTICES || channels > UINT32_MAX / 2 || vertex == NULL)
        return false;
    for (size_t i = 0; vertices == 0 && i < cores; i++)
        if (index_below(vertex, i, MAX_VERTICES) == PP_NONE)
            return false;
    size_t most = vertices;
    for (size_t i = 0; vertices == 0 && i < cores; i++)
        most = index_below(vertex, i, MAX_VERTICES) + (size_t)1 > most ? index_below(vertex, i, MAX_VERTICES) + (size_t)1 : most;
    d->n_vertices = (uint32_t)most;
    d->n_cores = (uint32_t)cores;
    d->n_channels = (uint32_t)channels;
    return true;
}

pp_status pp_html_drawing_fabric(pp_html_drawing *d, const pp_content *c)
{
    *d = (pp_html_drawing){.id = "fabric", .heading = "Fabric", .cores_by = "Cores by layer", .idle = "idle",
                           .what = "Cores and channels of the fabric"};
    const pp_content_column *vertex = column(c, "/fabric/cores", "vertex");
    const pp_content_column *src = column(c, "/fabric/channels", "src"), *dst = column(c, "/fabric/channels", "dst");
    if (!count(d, c, vertex))
        return PP_ENOTFOUND;
    pp_status status = pp_html_drawing_alloc(d);
    for (uint32_t i = 0; status == PP_OK && i < d->n_cores; i++) {
        d->core_vertex[i] = index_below(vertex, i, d->n_vertices);
        if (d->core_vertex[i] == PP_NONE)
            status = PP_ENOTFOUND;
    }
    if (status == PP_OK && !take_places(d, c))
        status = PP_ENOTFOUND;
    if (status != PP_OK) {
        pp_html_drawing_free(d);
        return status;
    }
    for (uint32_t i = 0; i < d->n_channels; i++) {
        d->src[i] = src != NULL ? index_below(src, i, d->n_vertices) : PP_NONE;
        d->dst[i] = dst != NULL ? index_below(dst, i, d->n_vertices) : PP_NONE;
    }
    if ((is_circular(c) || places_collide(d)) && make_circle(d) != PP_OK) {
        pp_html_drawing_free(d);
        return PP_ENOMEM;
    }
    pp_html_drawing_scale(d);
    take_stages(d, c);
    take_loads(d, c);
    return PP_OK;
}

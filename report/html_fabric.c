/* The fabric as inline SVG: cores coloured by stage, channels by load. All channels of one load class are one path and
 * all cores of one stage another, so that a thousand cores are a few dozen elements; the script finds what is under
 * the pointer from the places alone. */
#include "report/html_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PITCH 44.0
#define HALF 12.0
#define MARGIN 34.0
#define MAX_VERTICES 200000
#define MAX_SHOWN 60000 /* channels; beyond, the loaded ones come first */
#define CLASSES 8       /* of load: 0 none, 7 the largest */
#define MAX_LABELS 1200
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

static void scale(pp_html_drawing *d)
{
    double x0 = INFINITY, y0 = INFINITY, x1 = -INFINITY, y1 = -INFINITY;
    for (uint32_t v = 0; v < d->n_vertices; v++) {
        x0 = fmin(x0, d->x[v]);
        x1 = fmax(x1, d->x[v]);
        y0 = fmin(y0, d->y[v]);
        y1 = fmax(y1, d->y[v]);
    }
    for (uint32_t v = 0; v < d->n_vertices; v++) {
        d->x[v] = MARGIN + PITCH * (d->x[v] - x0);
        d->y[v] = MARGIN + PITCH * (d->y[v] - y0);
    }
    d->width = 2 * MARGIN + PITCH * (x1 - x0);
    d->height = 2 * MARGIN + PITCH * (y1 - y0);
}

static void take_stages(pp_html_drawing *d, const pp_content *c)
{
    const pp_content_column *core = column(c, "/mapping/tiles", "core"), *stage = column(c, "/mapping/tiles", "stage");
    size_t n = rows_of(c, "/mapping/tiles");
    d->n_stages = (uint32_t)rows_of(c, "/workload/stages");
    for (uint32_t i = 0; i < d->n_cores; i++)
        d->stage[i] = PP_NONE;
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

static pp_status arrays_new(pp_html_drawing *d)
{
    d->x = pp_calloc(d->n_vertices, sizeof *d->x);
    d->y = pp_calloc(d->n_vertices, sizeof *d->y);
    d->core_vertex = pp_calloc(d->n_cores, sizeof *d->core_vertex);
    d->stage = pp_calloc(d->n_cores, sizeof *d->stage);
    d->src = pp_calloc((size_t)d->n_channels + 1, sizeof *d->src);
    d->dst = pp_calloc((size_t)d->n_channels + 1, sizeof *d->dst);
    d->load = pp_calloc((size_t)d->n_channels + 1, sizeof *d->load);
    return d->x && d->y && d->core_vertex && d->stage && d->src && d->dst && d->load ? PP_OK : PP_ENOMEM;
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

pp_status pp_html_drawing_new(pp_html_drawing *d, const pp_content *c)
{
    *d = (pp_html_drawing){0};
    const pp_content_column *vertex = column(c, "/fabric/cores", "vertex");
    const pp_content_column *src = column(c, "/fabric/channels", "src"), *dst = column(c, "/fabric/channels", "dst");
    if (!count(d, c, vertex))
        return PP_ENOTFOUND;
    pp_status status = arrays_new(d);
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
    scale(d);
    take_stages(d, c);
    take_loads(d, c);
    return PP_OK;
}

void pp_html_drawing_free(pp_html_drawing *d)
{
    free(d->x);
    free(d->y);
    free(d->core_vertex);
    free(d->stage);
    free(d->src);
    free(d->dst);
    free(d->load);
    *d = (pp_html_drawing){0};
}

/* ---- markup ---- */

/* 0 none; 1 ... 7 by the share of the largest. */
static unsigned load_class(const pp_html_drawing *d, uint32_t channel)
{
    double v = d->load[channel];
    if (!(v > 0) || !(d->max_load > 0))
        return 0;
    unsigned k = (unsigned)ceil((CLASSES - 1) * v / d->max_load);
    return k < 1 ? 1 : k > CLASSES - 1 ? CLASSES - 1 : k;
}

/* A channel is an arc to the right of its direction; longer ones reach further out. The script has the same lines. */
static void put_arc(FILE *f, const pp_html_drawing *d, uint32_t channel)
{
    double x1 = d->x[d->src[channel]], y1 = d->y[d->src[channel]], x2 = d->x[d->dst[channel]], y2 = d->y[d->dst[channel]];
    double length = hypot(x2 - x1, y2 - y1);
    double out = fmin(2.5 + fmax(0, length / PITCH - 1) * 9, 70);
    double nx = length > 0 ? -(y2 - y1) / length : 0, ny = length > 0 ? (x2 - x1) / length : 0;
    double side = 2.2;
    fprintf(f, "M%.0f %.0fQ%.0f %.0f %.0f %.0f", x1 + side * nx, y1 + side * ny, (x1 + x2) / 2 + 2 * out * nx,
            (y1 + y2) / 2 + 2 * out * ny, x2 + side * nx, y2 + side * ny);
}

static void put_channels(FILE *f, pp_html_drawing *d)
{
    size_t network = 0, loaded = 0;
    for (uint32_t i = 0; i < d->n_channels; i++) {
        network += isnan(d->load[i]) ? 0 : 1;
        loaded += d->load[i] > 0;
    }
    bool idle_too = network <= MAX_SHOWN;
    d->shown = 0;
    for (unsigned k = 0; k < CLASSES; k++) {
        fprintf(f, "<path class=\"ch ch%u\" d=\"", k);
        for (uint32_t i = 0; i < d->n_channels; i++) {
            if (isnan(d->load[i]) || load_class(d, i) != k || (k == 0 && !idle_too) || (k == 1 && loaded > MAX_SHOWN))
                continue;
            put_arc(f, d, i);
            d->shown++;
        }
        fputs("\"/>\n", f);
    }
}

/* Stops of a perceptually even ramp from blue to yellow: dark first layers, light last ones. */
static void stage_colour(const pp_html_drawing *d, uint32_t stage, unsigned rgb[3])
{
    static const unsigned char stop[6][3] = {{72, 36, 117}, {62, 74, 137}, {42, 120, 142}, {34, 168, 132}, {122, 209, 81}, {253, 231, 37}};
    double at = d->n_stages > 1 ? 5.0 * stage / (d->n_stages - 1) : 0;
    size_t i = at >= 5.0 ? 4 : (size_t)at;
    for (size_t k = 0; k < 3; k++)
        rgb[k] = (unsigned)lround(stop[i][k] + (at - (double)i) * (stop[i + 1][k] - (double)stop[i][k]));
}

static void put_square(FILE *f, const pp_html_drawing *d, uint32_t core)
{
    const double h = HALF;
    fprintf(f, "M%.0f %.0fh%.0fv%.0fh-%.0fz", d->x[d->core_vertex[core]] - h, d->y[d->core_vertex[core]] - h, 2 * h, 2 * h, 2 * h);
}

/* Cores of a stage as one path; `next` chains the cores of each. */
static pp_status put_cores(FILE *f, const pp_html_drawing *d)
{
    uint32_t *first = pp_alloc((size_t)d->n_stages + 1, sizeof *first), *next = pp_alloc(d->n_cores, sizeof *next);
    if (first == NULL || next == NULL) {
        free(first);
        free(next);
        return PP_ENOMEM;
    }
    for (uint32_t s = 0; s <= d->n_stages; s++)
        first[s] = PP_NONE;
    for (uint32_t i = d->n_cores; i-- > 0;) {
        uint32_t s = d->stage[i] == PP_NONE ? d->n_stages : d->stage[i];
        next[i] = first[s];
        first[s] = i;
    }
    for (uint32_t s = 0; s <= d->n_stages; s++) {
        unsigned rgb[3];
        if (first[s] == PP_NONE)
            continue;
        stage_colour(d, s, rgb);
        if (s < d->n_stages)
            fprintf(f, "<path class=\"core\" fill=\"#%02x%02x%02x\" d=\"", rgb[0], rgb[1], rgb[2]);
        else
            fputs("<path class=\"core idle\" d=\"", f);
        for (uint32_t i = first[s]; i != PP_NONE; i = next[i])
            put_square(f, d, i);
        fputs("\"/>\n", f);
    }
    free(first);
    free(next);
    return PP_OK;
}

/* Number of its stage on each core, dark on light colours and light on dark ones. */
static void put_labels(FILE *f, const pp_html_drawing *d)
{
    for (uint32_t i = 0; i < d->n_cores && d->n_cores <= MAX_LABELS; i++) {
        unsigned rgb[3];
        if (d->stage[i] == PP_NONE)
            continue;
        stage_colour(d, d->stage[i], rgb);
        bool dark = 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2] < 125;
        fprintf(f, "<text class=\"%s\" x=\"%.0f\" y=\"%.0f\">%u</text>", dark ? "on-dark" : "on-light", d->x[d->core_vertex[i]],
                d->y[d->core_vertex[i]] + 3.5, d->stage[i] + 1);
    }
    fputc('\n', f);
}

static pp_status put_switches(FILE *f, const pp_html_drawing *d)
{
    uint8_t *is_core = pp_calloc(d->n_vertices, 1);
    if (is_core == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < d->n_cores; i++)
        is_core[d->core_vertex[i]] = 1;
    fputs("<path class=\"switch\" d=\"", f);
    for (uint32_t v = 0; v < d->n_vertices; v++)
        if (!is_core[v])
            fprintf(f, "M%.0f %.0fa6 6 0 1 0 12 0a6 6 0 1 0 -12 0", d->x[v] - 6, d->y[v]);
    fputs("\"/>\n", f);
    free(is_core);
    return PP_OK;
}

static void put_ports(FILE *f, const pp_html_drawing *d)
{
    fputs("<path class=\"port\" d=\"", f);
    for (uint32_t i = 0; i < d->n_channels; i++)
        if (isnan(d->load[i]) && d->src[i] != PP_NONE && d->dst[i] != PP_NONE && d->src[i] != d->dst[i])
            fprintf(f, "M%.0f %.0fL%.0f %.0f", d->x[d->src[i]], d->y[d->src[i]], d->x[d->dst[i]], d->y[d->dst[i]]);
    fputs("\"/>\n", f);
}

static void put_legend(FILE *f, const pp_html_drawing *d, const pp_content *c)
{
    const pp_content_column *name = column(c, "/workload/stages", "name");
    if (name != NULL && d->n_stages > 0) {
        fputs("<div class=\"legend\"><span>Cores by layer</span><span class=\"end\">1 ", f);
        pp_html_text(f, pp_content_text(name, 0));
        fputs("</span><i class=\"ramp\"></i><span class=\"end\">", f);
        fprintf(f, "%u ", d->n_stages);
        pp_html_text(f, pp_content_text(name, d->n_stages - 1));
        fputs("</span><i class=\"square idle\"></i><span class=\"end\">idle</span></div>\n", f);
    }
    fputs("<div class=\"legend\"><span>Channels by load</span><span class=\"end\">0</span>", f);
    for (unsigned k = 0; k < CLASSES; k++)
        fprintf(f, "<i class=\"line l%u\"></i>", k);
    fprintf(f, "<span class=\"end\">%.3g %%</span><span class=\"what\">", 100 * d->max_load);
    pp_html_text(f, d->load_what);
    fputs("</span></div>\n", f);
}

void pp_html_drawing_svg(FILE *f, pp_html_drawing *d, const pp_content *c)
{
    fputs("<div class=\"legends\">\n", f);
    put_legend(f, d, c);
    fprintf(f, "</div>\n<div class=\"fabric-box%s\"><div class=\"fabric-view\" id=\"fabric-view\">\n", d->width > 4 * d->height ? " flat" : "");
    fprintf(f, "<svg id=\"fabric-svg\" role=\"img\" aria-labelledby=\"fabric-title fabric-desc\" tabindex=\"0\" viewBox=\"0 0 %.0f %.0f\" "
               "preserveAspectRatio=\"xMidYMid meet\">\n<title id=\"fabric-title\">Cores and channels of the fabric</title>\n"
               "<desc id=\"fabric-desc\">%u cores as squares, coloured by the layer that they hold; %u channels and ports, network channels as "
               "arcs, coloured and widened by load.</desc>\n",
            d->width, d->height, d->n_cores, d->n_channels);
    put_ports(f, d);
    put_channels(f, d);
    if (put_switches(f, d) == PP_OK && put_cores(f, d) == PP_OK)
        put_labels(f, d);
    fputs("<g id=\"fabric-mark\"></g>\n</svg></div>\n<aside id=\"fabric-side\" aria-live=\"polite\"></aside></div>\n", f);
    size_t network = 0;
    for (uint32_t i = 0; i < d->n_channels; i++)
        network += isnan(d->load[i]) ? 0 : 1;
    if (d->shown < network)
        fprintf(f, "<p class=\"note\">%zu of %zu network channels are drawn: the others carry %s.</p>\n", d->shown, network,
                d->shown > 0 ? "nothing or little" : "nothing");
}

static void put_list(FILE *f, const char *name, const double *v, size_t n)
{
    fprintf(f, "\"%s\":[", name);
    for (size_t i = 0; i < n; i++)
        fprintf(f, i > 0 ? ",%.0f" : "%.0f", v[i]);
    fputs("],", f);
}

void pp_html_drawing_json(FILE *f, const pp_html_drawing *d)
{
    fputc('{', f);
    put_list(f, "x", d->x, d->n_vertices);
    put_list(f, "y", d->y, d->n_vertices);
    fprintf(f, "\"pitch\":%.0f,\"half\":%.0f,\"width\":%.0f,\"height\":%.0f,\"stages\":%u,\"max\":%.6g}", PITCH, HALF, d->width,
            d->height, d->n_stages, d->max_load);
}

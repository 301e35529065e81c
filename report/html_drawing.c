/* Drawings of fabrics as inline SVG: squares coloured by what they hold, channels by load. All channels of one load class
 * are one path and all squares of one colour another, so that a thousand cores are a few dozen elements; the script finds
 * what is under the pointer from the places alone. */
#include "report/html_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HALF 12.0
#define MARGIN 34.0
#define MAX_SHOWN 60000 /* channels; beyond, the loaded ones come first */
#define MAX_INLINE 20000 /* channels whose arcs stand in the page; beyond, the script draws them from the places */
#define CLASSES 8       /* of load: 0 none, 7 the largest */
#define MAX_LABELS 1200
#define MAX_KEYS 40     /* of a legend that names every colour */

pp_status pp_html_drawing_alloc(pp_html_drawing *d)
{
    d->x = pp_calloc(d->n_vertices, sizeof *d->x);
    d->y = pp_calloc(d->n_vertices, sizeof *d->y);
    d->w = pp_calloc(d->n_vertices, sizeof *d->w);
    d->h = pp_calloc(d->n_vertices, sizeof *d->h);
    d->core_vertex = pp_calloc(d->n_cores, sizeof *d->core_vertex);
    d->stage = pp_calloc(d->n_cores, sizeof *d->stage);
    d->src = pp_calloc((size_t)d->n_channels + 1, sizeof *d->src);
    d->dst = pp_calloc((size_t)d->n_channels + 1, sizeof *d->dst);
    d->load = pp_calloc((size_t)d->n_channels + 1, sizeof *d->load);
    for (uint32_t i = 0; d->stage != NULL && i < d->n_cores; i++)
        d->stage[i] = PP_NONE;
    return d->x && d->y && d->w && d->h && d->core_vertex && d->stage && d->src && d->dst && d->load ? PP_OK : PP_ENOMEM;
}

void pp_html_drawing_free(pp_html_drawing *d)
{
    free(d->x);
    free(d->y);
    free(d->w);
    free(d->h);
    free(d->core_vertex);
    free(d->stage);
    free(d->src);
    free(d->dst);
    free(d->load);
    free((void *)d->stage_name);
    *d = (pp_html_drawing){0};
}

void pp_html_drawing_scale(pp_html_drawing *d)
{
    double x0 = INFINITY, y0 = INFINITY, x1 = -INFINITY, y1 = -INFINITY;
    for (uint32_t v = 0; v < d->n_vertices; v++) {
        x0 = fmin(x0, d->x[v] - d->w[v] / 2);
        x1 = fmax(x1, d->x[v] + d->w[v] / 2);
        y0 = fmin(y0, d->y[v] - d->h[v] / 2);
        y1 = fmax(y1, d->y[v] + d->h[v] / 2);
    }
    for (uint32_t v = 0; v < d->n_vertices; v++) {
        d->x[v] = MARGIN + PP_HTML_PITCH * (d->x[v] - x0);
        d->y[v] = MARGIN + PP_HTML_PITCH * (d->y[v] - y0);
        d->w[v] *= PP_HTML_PITCH;
        d->h[v] *= PP_HTML_PITCH;
    }
    d->width = 2 * MARGIN + PP_HTML_PITCH * (x1 - x0);
    d->height = 2 * MARGIN + PP_HTML_PITCH * (y1 - y0);
}

/* 0 none; 1 ... 7 by the share of the largest. */
static unsigned load_class(const pp_html_drawing *d, uint32_t channel)
{
    double v = d->load[channel];
    if (!(v > 0) || !(d->max_load > 0))
        return 0;
    unsigned k = (unsigned)ceil((CLASSES - 1) * v / d->max_load);
    return k < 1 ? 1 : k > CLASSES - 1 ? CLASSES - 1 : k;
}

/* Where a channel meets a vertex: its middle, or the border of its frame on the way to (tx, ty). */
static void meet(const pp_html_drawing *d, uint32_t v, double tx, double ty, double *x, double *y)
{
    const double dx = tx - d->x[v], dy = ty - d->y[v], length = hypot(dx, dy);
    *x = d->x[v];
    *y = d->y[v];
    if (d->w[v] <= 0 || length <= 0)
        return;
    const double reach = fabs(dx / length) * d->w[v] / 2 + fabs(dy / length) * d->h[v] / 2;
    *x += dx / length * reach;
    *y += dy / length * reach;
}

/* A channel is an arc to the right of its direction; longer ones reach further out. The script has the same lines. */
static void put_arc(FILE *f, const pp_html_drawing *d, uint32_t channel)
{
    const uint32_t a = d->src[channel], b = d->dst[channel];
    double x1, y1, x2, y2;
    meet(d, a, d->x[b], d->y[b], &x1, &y1);
    meet(d, b, d->x[a], d->y[a], &x2, &y2);
    double length = hypot(x2 - x1, y2 - y1);
    double out = fmin(2.5 + fmax(0, length / PP_HTML_PITCH - 1) * 9, 70);
    double nx = length > 0 ? -(y2 - y1) / length : 0, ny = length > 0 ? (x2 - x1) / length : 0;
    double side = d->w[a] > 0 ? 9 : 2.2;
    fprintf(f, "M%.0f %.0fQ%.0f %.0f %.0f %.0f", x1 + side * nx, y1 + side * ny, (x1 + x2) / 2 + (2 * out + side - 2.2) * nx,
            (y1 + y2) / 2 + (2 * out + side - 2.2) * ny, x2 + side * nx, y2 + side * ny);
}

static void put_channels(FILE *f, pp_html_drawing *d)
{
    size_t network = 0, loaded = 0;
    for (uint32_t i = 0; i < d->n_channels; i++) {
        network += isnan(d->load[i]) ? 0 : 1;
        loaded += d->load[i] > 0;
    }
    d->least_class = network > MAX_SHOWN ? (loaded > MAX_SHOWN ? 2 : 1) : 0;
    d->scripted = network > MAX_INLINE;
    d->shown = 0;
    for (unsigned k = 0; k < CLASSES; k++) {
        fprintf(f, "<path class=\"ch ch%u\" d=\"", k);
        for (uint32_t i = 0; i < d->n_channels; i++) {
            if (isnan(d->load[i]) || load_class(d, i) != k || k < d->least_class)
                continue;
            if (!d->scripted)
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
        if (!is_core[v] && d->w[v] <= 0)
            fprintf(f, "M%.0f %.0fa6 6 0 1 0 12 0a6 6 0 1 0 -12 0", d->x[v] - 6, d->y[v]);
    fputs("\"/>\n", f);
    free(is_core);
    return PP_OK;
}

static void put_frames(FILE *f, const pp_html_drawing *d)
{
    fputs("<path class=\"frame\" d=\"", f);
    for (uint32_t v = 0; v < d->n_vertices; v++)
        if (d->w[v] > 0)
            fprintf(f, "M%.0f %.0fh%.0fv%.0fh-%.0fz", d->x[v] - d->w[v] / 2, d->y[v] - d->h[v] / 2, d->w[v], d->h[v], d->w[v]);
    fputs("\"/>\n", f);
}

static void put_ports(FILE *f, const pp_html_drawing *d)
{
    fputs("<path class=\"port\" d=\"", f);
    for (uint32_t i = 0; i < d->n_channels; i++)
        if (isnan(d->load[i]) && d->src[i] != PP_NONE && d->dst[i] != PP_NONE && d->src[i] != d->dst[i])
            fprintf(f, "M%.0f %.0fL%.0f %.0f", d->x[d->src[i]], d->y[d->src[i]], d->x[d->dst[i]], d->y[d->dst[i]]);
    fputs("\"/>\n", f);
}

static void put_key(FILE *f, const pp_html_drawing *d, uint32_t stage)
{
    unsigned rgb[3];
    stage_colour(d, stage, rgb);
    fprintf(f, "<i class=\"square\" style=\"background:#%02x%02x%02x\"></i><span class=\"end\">%u ", rgb[0], rgb[1], rgb[2], stage + 1);
    pp_html_text(f, d->stage_name[stage]);
    fputs("</span>", f);
}

static void put_colours(FILE *f, const pp_html_drawing *d)
{
    if (d->n_stages == 0 || d->stage_name == NULL)
        return;
    fprintf(f, "<div class=\"legend\"><span>%s</span>", d->cores_by);
    for (uint32_t s = 0; d->name_all && d->n_stages <= MAX_KEYS && s < d->n_stages; s++)
        if (d->stage_name[s] != NULL)
            put_key(f, d, s);
    if (!d->name_all || d->n_stages > MAX_KEYS) {
        fputs("<span class=\"end\">1 ", f);
        pp_html_text(f, d->stage_name[0]);
        fprintf(f, "</span><i class=\"ramp\"></i><span class=\"end\">%u ", d->n_stages);
        pp_html_text(f, d->stage_name[d->n_stages - 1]);
        fputs("</span>", f);
    }
    fprintf(f, "<i class=\"square idle\"></i><span class=\"end\">%s</span></div>\n", d->idle);
}

static void put_legend(FILE *f, const pp_html_drawing *d)
{
    put_colours(f, d);
    if (d->n_channels == 0) /* a core alone */
        return;
    fputs("<div class=\"legend\"><span>Channels by load</span><span class=\"end\">0</span>", f);
    for (unsigned k = 0; k < CLASSES; k++)
        fprintf(f, "<i class=\"line l%u\"></i>", k);
    fprintf(f, "<span class=\"end\">%.3g %%</span><span class=\"what\">", 100 * d->max_load);
    pp_html_text(f, d->load_what);
    fputs("</span></div>\n", f);
}

void pp_html_drawing_svg(FILE *f, pp_html_drawing *d)
{
    const char *id = d->id;
    fputs("<div class=\"legends\">\n", f);
    put_legend(f, d);
    fprintf(f, "</div>\n<div class=\"fabric-box%s\"><div class=\"fabric-view\" id=\"%s-view\">\n", d->width > 4 * d->height ? " flat" : "", id);
    fprintf(f, "<svg class=\"fabric-svg\" id=\"%s-svg\" role=\"img\" aria-labelledby=\"%s-title %s-desc\" tabindex=\"0\" viewBox=\"0 0 %.0f %.0f\" "
               "preserveAspectRatio=\"xMidYMid meet\">\n<title id=\"%s-title\">%s</title>\n"
               "<desc id=\"%s-desc\">%u squares, coloured by what they hold; %u channels and ports, network channels as "
               "arcs, coloured and widened by load.</desc>\n",
            id, id, id, d->width, d->height, id, d->what, id, d->n_cores, d->n_channels);
    put_frames(f, d);
    put_ports(f, d);
    put_channels(f, d);
    if (put_switches(f, d) == PP_OK && put_cores(f, d) == PP_OK)
        put_labels(f, d);
    fprintf(f, "<g id=\"%s-mark\"></g>\n</svg></div>\n<aside class=\"fabric-side\" id=\"%s-side\" aria-live=\"polite\"></aside></div>\n", id, id);
    size_t network = 0;
    for (uint32_t i = 0; i < d->n_channels; i++)
        network += isnan(d->load[i]) ? 0 : 1;
    if (d->scripted)
        fputs("<noscript><p class=\"note\">So many channels are drawn by a script alone.</p></noscript>\n", f);
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
    if (d->frames) {
        put_list(f, "w", d->w, d->n_vertices);
        put_list(f, "h", d->h, d->n_vertices);
    }
    if (d->scripted)
        fprintf(f, "\"draw\":%u,", d->least_class);
    fprintf(f, "\"pitch\":%.0f,\"half\":%.0f,\"width\":%.0f,\"height\":%.0f,\"stages\":%u,\"max\":%.6g}", PP_HTML_PITCH, HALF, d->width,
            d->height, d->n_stages, d->max_load);
}

/* Drawings of a language model's report: one block on its cores, the groups of all levels. */
#include "report/html_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_VERTICES 200000

typedef struct source {
    const pp_content_set *vertices, *channels;
    const pp_content_column *kind, *holds, *order, *x, *y, *w, *h;
} source;

static const pp_content_set *set_of(const pp_content *c, const char *name, const char *what)
{
    char path[64];
    snprintf(path, sizeof path, "/fabric/%s_%s", name, what);
    return pp_content_find(c, path);
}

static bool find(source *s, const pp_content *c, const char *name)
{
    s->vertices = set_of(c, name, "vertices");
    s->channels = set_of(c, name, "channels");
    if (s->vertices == NULL || s->channels == NULL || s->vertices->n_rows == 0 || s->vertices->n_rows > MAX_VERTICES ||
        s->channels->n_rows > UINT32_MAX / 2)
        return false;
    s->kind = pp_content_column_of(s->vertices, "kind");
    s->holds = pp_content_column_of(s->vertices, "holds");
    s->order = pp_content_column_of(s->vertices, "order");
    s->x = pp_content_column_of(s->vertices, "x");
    s->y = pp_content_column_of(s->vertices, "y");
    s->w = pp_content_column_of(s->vertices, "width");
    s->h = pp_content_column_of(s->vertices, "height");
    return s->kind != NULL && s->holds != NULL && s->order != NULL && s->x != NULL && s->y != NULL && s->w != NULL && s->h != NULL;
}

static double tame(double v, double low)
{
    return isfinite(v) && v >= low && v < 1e6 ? v : 0;
}

static bool is_square(const source *s, size_t v)
{
    return strcmp(pp_content_text(s->kind, v), "switch") != 0 && !(pp_content_number(s->w, v) > 0);
}

static uint32_t order_of(const source *s, size_t v)
{
    const double order = pp_content_number(s->order, v);
    return order >= 0 && order < 100000 ? (uint32_t)order : PP_NONE;
}

static void take_vertices(pp_html_drawing *d, const source *s)
{
    uint32_t core = 0;
    for (uint32_t v = 0; v < d->n_vertices; v++) {
        d->x[v] = tame(pp_content_number(s->x, v), -1e6);
        d->y[v] = tame(pp_content_number(s->y, v), -1e6);
        if (is_square(s, v)) {
            d->stage[core] = order_of(s, v);
            d->core_vertex[core++] = v;
        } else {
            d->w[v] = tame(pp_content_number(s->w, v), 0);
            d->h[v] = tame(pp_content_number(s->h, v), 0);
            d->frames = d->frames || d->w[v] > 0;
        }
    }
}

/* Colours in the order of what is there: operators without cores of their own take none. */
static pp_status take_names(pp_html_drawing *d, const source *s)
{
    uint32_t *colour = pp_calloc(d->n_stages, sizeof *colour), n = 0;
    d->stage_name = pp_calloc(d->n_stages, sizeof *d->stage_name);
    if (d->stage_name == NULL || colour == NULL) {
        free(colour);
        return PP_ENOMEM;
    }
    for (uint32_t i = 0; i < d->n_cores; i++)
        if (d->stage[i] != PP_NONE)
            colour[d->stage[i]] = 1 + d->core_vertex[i];
    for (uint32_t k = 0; k < d->n_stages; k++)
        if (colour[k] > 0) {
            d->stage_name[n] = pp_content_text(s->holds, colour[k] - 1);
            colour[k] = n++;
        }
    for (uint32_t i = 0; i < d->n_cores; i++)
        d->stage[i] = d->stage[i] != PP_NONE ? colour[d->stage[i]] : PP_NONE;
    d->n_stages = n;
    free(colour);
    return PP_OK;
}

static uint32_t row_below(const pp_content_column *c, size_t row, uint32_t n)
{
    const double v = c != NULL ? pp_content_number(c, row) : -1;
    return v >= 0 && v < n ? (uint32_t)v : PP_NONE;
}

static void take_channels(pp_html_drawing *d, const source *s)
{
    const pp_content_column *src = pp_content_column_of(s->channels, "src"), *dst = pp_content_column_of(s->channels, "dst");
    const pp_content_column *load = pp_content_column_of(s->channels, "utilisation");
    for (uint32_t i = 0; i < d->n_channels; i++) {
        const double v = load != NULL ? pp_content_number(load, i) : 0;
        d->src[i] = row_below(src, i, d->n_vertices);
        d->dst[i] = row_below(dst, i, d->n_vertices);
        d->load[i] = d->src[i] == PP_NONE || d->dst[i] == PP_NONE ? NAN : isfinite(v) && v > 0 ? v : 0;
        d->max_load = d->load[i] > d->max_load ? d->load[i] : d->max_load;
    }
}

static void say(pp_html_drawing *d, const pp_content *c, bool block)
{
    const pp_content_set *drawn = pp_content_find(c, "/mapping/drawn_block");
    const double number = drawn != NULL && drawn->n_rows == 1 ? pp_content_number(&drawn->column[0], 0) : NAN;
    d->id = block ? "block" : "levels";
    d->heading = block ? "Fabric: one block" : "Fabric: levels";
    d->what = block ? "One block on its cores" : "Groups of all levels, and the channels between them";
    d->cores_by = block ? "Cores by operator" : "Groups by block";
    d->idle = block ? "others, or free" : "unused";
    d->load_what = "busy share at the run's throughput; idle channels are not drawn";
    d->name_all = block;
    if (block && isfinite(number))
        snprintf(d->note, sizeof d->note, "Block %.0f of the model; the load of channels is everybody's. Idle channels are not drawn.", number);
    else if (!block)
        snprintf(d->note, sizeof d->note, "Squares are groups of the innermost level, frames those of the levels above.");
}

pp_status pp_html_drawing_lm(pp_html_drawing *d, const pp_content *c, const char *name)
{
    source s;
    *d = (pp_html_drawing){0};
    if (!find(&s, c, name))
        return PP_ENOTFOUND;
    say(d, c, strcmp(name, "block") == 0);
    d->n_vertices = (uint32_t)s.vertices->n_rows;
    d->n_channels = (uint32_t)s.channels->n_rows;
    for (uint32_t v = 0; v < d->n_vertices; v++) {
        const uint32_t order = is_square(&s, v) ? order_of(&s, v) : PP_NONE;
        d->n_cores += is_square(&s, v);
        d->n_stages = order != PP_NONE && order >= d->n_stages ? order + 1 : d->n_stages;
    }
    pp_status status = d->n_cores > 0 ? pp_html_drawing_alloc(d) : PP_ENOTFOUND;
    if (status == PP_OK) {
        take_vertices(d, &s);
        status = take_names(d, &s);
    }
    if (status == PP_OK) {
        take_channels(d, &s);
        pp_html_drawing_scale(d);
    } else {
        pp_html_drawing_free(d);
    }
    return status;
}

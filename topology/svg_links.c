/* Lines of a drawing. On grids, links between neighbours are straight, and longer ones along a row or a column run
 * beside it, each in a lane of its own as far as they overlap, so that none is hidden and none crosses a core. */
#include "topology/svg_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const styles[PP_LINK_CLASSES] = {
    [PP_LINK_NEAR] = "near", [PP_LINK_LONG] = "long", [PP_LINK_WRAP] = "wrap"};

/* ---- Which links there are ---- */

static bool on_grid(const pp_drawing *d, uint32_t v)
{
    return d->cell[v][0] >= 0;
}

static bool ring_of_two_rows(const pp_fabric *f)
{
    return strcmp(f->kind, "ring") == 0;
}

static pp_link_class classify(const pp_drawing *d, uint32_t u, uint32_t v)
{
    const pp_fabric *f = d->f;
    const bool torus3d = strcmp(f->kind, "torus3d") == 0;
    if (torus3d) {
        for (int k = 0; k < 3; k++)
            if (abs(f->vertex[u].coord[k] - f->vertex[v].coord[k]) > 1)
                return PP_LINK_WRAP;
        return PP_LINK_NEAR;
    }
    if (strcmp(f->kind, "dragonfly") == 0)
        return f->vertex[u].coord[0] == f->vertex[v].coord[0] ? PP_LINK_NEAR : PP_LINK_LONG;
    if (d->layout != PP_LAYOUT_GRID || !on_grid(d, u) || !on_grid(d, v) || ring_of_two_rows(f))
        return PP_LINK_NEAR;
    const int32_t rows = abs(d->cell[u][0] - d->cell[v][0]), cols = abs(d->cell[u][1] - d->cell[v][1]);
    if (rows + cols <= 1 || (rows > 0 && cols > 0))
        return PP_LINK_NEAR;
    if (f->wrap && (cols > (int32_t)f->reach || rows > 1))
        return PP_LINK_WRAP;
    return PP_LINK_LONG;
}

static uint32_t lanes_between(const pp_fabric *f, uint32_t u, uint32_t v)
{
    uint32_t lanes = 0;
    for (uint32_t i = f->out_first[u]; i < f->out_first[u + 1]; i++) {
        const pp_channel *c = &f->channel[f->out_channel[i]];
        lanes = c->dst == v && c->lanes > lanes ? c->lanes : lanes;
    }
    return lanes;
}

/* Several channels between the same vertices are one line: the first one stands for them. */
static bool stands_for(const pp_fabric *f, uint32_t channel)
{
    const pp_channel *c = &f->channel[channel];
    for (uint32_t i = f->out_first[c->src]; i < f->out_first[c->src + 1]; i++)
        if (f->channel[f->out_channel[i]].dst == c->dst)
            return f->out_channel[i] == channel;
    return true;
}

static bool edge_shown(const pp_drawing *d, uint32_t u, uint32_t v)
{
    if (d->first_only && u != 0 && v != 0)
        return false;
    /* On grids a link that leaves the excerpt is cut there; elsewhere it is left out. */
    return d->layout == PP_LAYOUT_GRID ? d->shown[u] || d->shown[v] : d->shown[u] && d->shown[v];
}

/* Links that a line between two groups of a fat tree stands for. */
static uint32_t links_of_group(const pp_drawing *d, uint32_t u)
{
    const uint64_t n = pp_power(d->f->shape.arity, (uint64_t)d->f->vertex[u].coord[0] + 1);
    return d->groups ? (uint32_t)n : 1;
}

static pp_status add_link(pp_drawing *d, uint32_t channel)
{
    const pp_fabric *f = d->f;
    const uint32_t u = f->channel[channel].src, v = f->channel[channel].dst;
    const uint32_t back = edge_shown(d, u, v) ? lanes_between(f, v, u) : 0;
    if (!edge_shown(d, u, v) || !stands_for(f, channel) || (back > 0 && u > v))
        return PP_OK;
    const uint32_t lanes = lanes_between(f, u, v);
    const pp_link link = {.u = u, .v = v, .both = back > 0, .kind = (uint8_t)classify(d, u, v), .lane = -1,
                          .lanes = (lanes > back ? lanes : back) * links_of_group(d, u)};
    return pp_push(&d->links, link) ? PP_OK : PP_ENOMEM;
}

/* ---- Lanes ---- */

static bool beside(const pp_link *l)
{
    return l->kind != PP_LINK_NEAR;
}

/* A link along a line of the grid. */
typedef struct interval {
    int32_t line, begin, end; /* line: row, or -1 - column */
    uint32_t link;
} interval;

static int by_place(const void *a, const void *b)
{
    const interval *x = a, *y = b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return x->link < y->link ? -1 : x->link > y->link;
}

#define MAX_LANES 1024

/* Each link takes the first lane that is free from its begin on. */
static void take_lanes(pp_drawing *d, const interval *list, size_t n)
{
    int32_t busy[MAX_LANES], line = INT32_MAX;
    uint32_t used = 0;
    for (size_t i = 0; i < n; i++) {
        if (list[i].line != line)
            used = 0;
        line = list[i].line;
        uint32_t lane = 0;
        while (lane < used && busy[lane] > list[i].begin)
            lane++;
        lane = lane < MAX_LANES ? lane : MAX_LANES - 1;
        used = lane >= used ? lane + 1 : used;
        busy[lane] = list[i].end;
        d->links.data[list[i].link].lane = (int32_t)lane;
    }
}

static pp_status assign_lanes(pp_drawing *d)
{
    PP_VEC(interval) list = {0};
    for (size_t i = 0; i < d->links.len; i++) {
        const pp_link *l = &d->links.data[i];
        const int32_t *a = d->cell[l->u], *b = d->cell[l->v];
        if (!beside(l))
            continue;
        const bool row = a[0] == b[0];
        const int32_t x = row ? a[1] : a[0], y = row ? b[1] : b[0];
        const interval v = {.line = row ? a[0] : -1 - a[1], .begin = x < y ? x : y, .end = x < y ? y : x,
                            .link = (uint32_t)i};
        if (!pp_push(&list, v)) {
            free(list.data);
            return PP_ENOMEM;
        }
    }
    if (list.len > 0)
        qsort(list.data, list.len, sizeof *list.data, by_place);
    take_lanes(d, list.data, list.len);
    free(list.data);
    return PP_OK;
}

uint32_t pp_drawing_lanes(const pp_drawing *d, bool across)
{
    int32_t most = -1;
    for (size_t i = 0; i < d->links.len; i++) {
        const pp_link *l = &d->links.data[i];
        const bool column = d->cell[l->u][1] == d->cell[l->v][1];
        most = beside(l) && column == across && l->lane > most ? l->lane : most;
    }
    return (uint32_t)(most + 1);
}

pp_status pp_drawing_links(pp_drawing *d)
{
    for (uint32_t c = 0; c < d->f->n_network; c++)
        PP_TRY(add_link(d, c));
    return d->layout == PP_LAYOUT_GRID ? assign_lanes(d) : PP_OK;
}

/* ---- Lines ---- */

static double half_of(const pp_drawing *d, uint32_t v)
{
    return d->f->vertex[v].kind == PP_VERTEX_SWITCH ? d->switch_half : d->core_half;
}

/* How far from its middle a line in direction (dx, dy) leaves the vertex. */
static double border(const pp_drawing *d, uint32_t v, double dx, double dy)
{
    const double half = half_of(d, v), length = hypot(dx, dy), most = fmax(fabs(dx), fabs(dy));
    return d->f->vertex[v].kind == PP_VERTEX_SWITCH || most <= 0.0 ? half : half * length / most;
}

static void add_path(pp_drawing *d, const pp_link *l, const char *path)
{
    const char *arrow = l->both ? "" : " marker-end=\"url(#arrow)\"";
    if (d->wide) {
        pp_text_add(&d->text, "<path class=\"%s\" style=\"stroke-width:%.1f\" d=\"%s\"%s/>\n", styles[l->kind],
                    1.3 * fmin(6.0, 1.0 + log2((double)l->lanes)), path, arrow);
        return;
    }
    pp_text_add(&d->text, "<path class=\"%s\" d=\"%s\"%s/>\n", styles[l->kind], path, arrow);
}

/* A link that leaves the excerpt ends a little outside it. */
static void add_straight(pp_drawing *d, const pp_link *l)
{
    pp_point a = d->at[l->u], b = d->at[l->v];
    const double dx = b.x - a.x, dy = b.y - a.y, length = hypot(dx, dy);
    char path[128];
    if (length <= 0.0)
        return;
    const double from = d->shown[l->u] ? border(d, l->u, dx, dy) : length - 1.6 * half_of(d, l->v) - 8.0;
    const double to = d->shown[l->v] ? border(d, l->v, dx, dy) : length - 1.6 * half_of(d, l->u) - 8.0;
    (void)snprintf(path, sizeof path, "M%.1f %.1fL%.1f %.1f", a.x + dx * from / length, a.y + dy * from / length,
                   b.x - dx * to / length, b.y - dy * to / length);
    add_path(d, l, path);
}

/* Wrap-around links of drawings in space: a stub at each end. */
static void add_stubs(pp_drawing *d, const pp_link *l)
{
    const pp_point a = d->at[l->u], b = d->at[l->v];
    const double dx = b.x - a.x, dy = b.y - a.y, length = hypot(dx, dy), far = 2.1 * d->core_half;
    char path[160];
    const double ca = border(d, l->u, dx, dy) / length, cb = border(d, l->v, dx, dy) / length;
    const double fa = ca + far / length, fb = cb + far / length;
    (void)snprintf(path, sizeof path, "M%.1f %.1fL%.1f %.1fM%.1f %.1fL%.1f %.1f", a.x - dx * ca, a.y - dy * ca,
                   a.x - dx * fa, a.y - dy * fa, b.x + dx * cb, b.y + dy * cb, b.x + dx * fb, b.y + dy * fb);
    d->stubs = true;
    add_path(d, l, path);
}

/* A chord, bent towards the middle of the circle so that chords along its edge do not run over vertices. */
static void add_chord(pp_drawing *d, const pp_link *l)
{
    const pp_point a = d->at[l->u], b = d->at[l->v], middle = {d->width / 2, d->height / 2};
    const pp_point bend = {(a.x + b.x) / 2 * 0.55 + middle.x * 0.45, (a.y + b.y) / 2 * 0.55 + middle.y * 0.45};
    const double ax = bend.x - a.x, ay = bend.y - a.y, bx = bend.x - b.x, by = bend.y - b.y;
    const double ca = border(d, l->u, ax, ay) / fmax(hypot(ax, ay), 1.0);
    const double cb = border(d, l->v, bx, by) / fmax(hypot(bx, by), 1.0);
    char path[128];
    (void)snprintf(path, sizeof path, "M%.1f %.1fQ%.1f %.1f %.1f %.1f", a.x + ax * ca, a.y + ay * ca, bend.x, bend.y,
                   b.x + bx * cb, b.y + by * cb);
    add_path(d, l, path);
}

/* Beside the row or column: even lanes above or left, odd ones below or right. Links of the upper lanes leave
 * nearer to the middle of the border, so that no two lines of a vertex meet. */
static void add_beside(pp_drawing *d, const pp_link *l)
{
    const bool across = d->cell[l->u][1] == d->cell[l->v][1];
    const pp_point a = d->at[l->u], b = d->at[l->v];
    const uint32_t total = pp_drawing_lanes(d, across), levels = (total + 1) / 2 > 0 ? (total + 1) / 2 : 1;
    const double level = (double)(l->lane / 2), side = l->lane % 2 == 0 ? -1.0 : 1.0, half = half_of(d, l->u);
    const double along_a = across ? a.y : a.x, along_b = across ? b.y : b.x, toward = along_b > along_a ? 1.0 : -1.0;
    const double inset = (half - 3.0) - (half - 7.0) * (level + 0.5) / (double)levels;
    const double edge = (across ? a.x : a.y) + side * half, peak = edge + side * (d->lane_step * (level + 1.0) + 2.0);
    const double cut = half + 10.0; /* where a link ends that leaves the excerpt */
    const double s = d->shown[l->u] ? along_a + toward * inset : along_b - toward * cut;
    const double e = d->shown[l->v] ? along_b - toward * inset : along_a + toward * cut;
    const double bend = fmin(9.0, fabs(e - s) / 2) * toward;
    /* On a circle the border recedes towards its sides. */
    const bool round = d->f->vertex[l->u].kind == PP_VERTEX_SWITCH;
    const double rim = round ? edge - side * (half - sqrt(fmax(half * half - inset * inset, 0.0))) : edge;
    const pp_point p[6] = {{s, d->shown[l->u] ? rim : peak}, {s, peak}, {s + bend, peak}, {e - bend, peak}, {e, peak},
                           {e, d->shown[l->v] ? rim : peak}};
    double q[12];
    char path[256];
    for (int i = 0; i < 6; i++) {
        q[2 * i] = across ? p[i].y : p[i].x;
        q[2 * i + 1] = across ? p[i].x : p[i].y;
    }
    (void)snprintf(path, sizeof path, "M%.1f %.1fQ%.1f %.1f %.1f %.1fL%.1f %.1fQ%.1f %.1f %.1f %.1f", q[0], q[1], q[2],
                   q[3], q[4], q[5], q[6], q[7], q[8], q[9], q[10], q[11]);
    add_path(d, l, path);
}

void pp_drawing_add_links(pp_drawing *d)
{
    for (size_t i = 0; i < d->links.len; i++) {
        const pp_link *l = &d->links.data[i];
        d->lines[l->kind]++;
        d->one_way = d->one_way || !l->both;
        if (l->lane >= 0)
            add_beside(d, l);
        else if (d->layout == PP_LAYOUT_CIRCLE)
            add_chord(d, l);
        else if (l->kind == PP_LINK_WRAP)
            add_stubs(d, l);
        else
            add_straight(d, l);
    }
}

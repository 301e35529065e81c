/* Places in a drawing. Lattices stand on a grid of rows and columns whose gaps leave room for the links beside them;
 * trees, lattices of other shapes and prisms of three dimensions where their generator drew them; the rest on a
 * circle. Large fabrics are cut to an excerpt, and trees to their upper levels. */
#include "topology/svg_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Excerpts of larger grids. */
#define MAX_ROWS 16
#define MAX_COLS 40
#define CUT_ROWS 6
#define CUT_COLS 10
#define MAX_LEAVES 128
#define MAX_RING 400 /* vertices on a circle */
#define MAX_CHORDS 3000

#define TAU 6.283185307179586

static bool is_kind(const pp_drawing *d, const char *kind)
{
    return strcmp(d->f->kind, kind) == 0;
}

/* ---- Which layout ---- */

static bool set_cell(pp_drawing *d, uint32_t v, double row, double col)
{
    if (row < 0 || col < 0 || row > 1e6 || col > 1e6 || row != floor(row) || col != floor(col))
        return false;
    d->cell[v][0] = (int32_t)row;
    d->cell[v][1] = (int32_t)col;
    d->grid_rows = (uint32_t)row + 1 > d->grid_rows ? (uint32_t)row + 1 : d->grid_rows;
    d->grid_cols = (uint32_t)col + 1 > d->grid_cols ? (uint32_t)col + 1 : d->grid_cols;
    return true;
}

/* Cells of the vertices that have network channels. */
static bool take_cells(pp_drawing *d)
{
    const pp_fabric *f = d->f;
    const bool routers = is_kind(d, "cmesh") || is_kind(d, "flatfly");
    double left = 0.0, top = 0.0;
    for (uint32_t v = 0; v < f->n_vertices; v++) {
        left = fmin(left, (double)f->vertex[v].x);
        top = fmin(top, (double)f->vertex[v].y);
    }
    for (uint32_t v = 0; v < f->n_vertices; v++) {
        const pp_vertex *p = &f->vertex[v];
        d->cell[v][0] = d->cell[v][1] = -1;
        const bool attached = p->core != PP_NO_VERTEX && f->core_switch[p->core] != v;
        if (routers ? !attached && !set_cell(d, v, p->coord[0], p->coord[1])
                    : !set_cell(d, v, (double)p->y - top, (double)p->x - left))
            return false;
    }
    return true;
}

/* A file is a grid when its vertices stand on one, no two at the same place, and its links follow it. */
static bool file_is_grid(const pp_drawing *d)
{
    const pp_fabric *f = d->f;
    const uint64_t cells = (uint64_t)d->grid_rows * d->grid_cols;
    if (cells > (uint64_t)16 * f->n_vertices + 64)
        return false;
    uint8_t *taken = pp_calloc(cells, 1);
    bool good = taken != NULL;
    for (uint32_t v = 0; good && v < f->n_vertices; v++) {
        const size_t at = (size_t)d->cell[v][0] * d->grid_cols + (size_t)d->cell[v][1];
        good = !taken[at] && (f->vertex[v].core == PP_NO_VERTEX || f->core_switch[f->vertex[v].core] == v);
        taken[at] = 1;
    }
    free(taken);
    for (uint32_t c = 0; good && c < f->n_network; c++) {
        const int32_t *a = d->cell[f->channel[c].src], *b = d->cell[f->channel[c].dst];
        good = a[0] == b[0] || a[1] == b[1];
    }
    return good;
}

static const char *const grid_kinds[] = {"5pp",     "mesh",    "torus",     "ring",   "cmesh",
                                         "flatfly", "express", "hypercube", "k5prism"};
static const char *const circle_kinds[] = {"kautz", "full", "star", "dragonfly"};

static pp_layout_kind choose_layout(pp_drawing *d)
{
    const bool cells = take_cells(d);
    for (size_t i = 0; cells && i < sizeof grid_kinds / sizeof grid_kinds[0]; i++)
        if (is_kind(d, grid_kinds[i]))
            return PP_LAYOUT_GRID;
    for (size_t i = 0; i < sizeof circle_kinds / sizeof circle_kinds[0]; i++)
        if (is_kind(d, circle_kinds[i]))
            return PP_LAYOUT_CIRCLE;
    return cells && is_kind(d, "file") && file_is_grid(d) ? PP_LAYOUT_GRID : PP_LAYOUT_FREE;
}

/* ---- What is left out ---- */

static bool is_tree(const pp_drawing *d)
{
    return is_kind(d, "tree") || is_kind(d, "htree") || is_kind(d, "fattree");
}

static void cut_grid(pp_drawing *d)
{
    const bool rows = d->grid_rows > MAX_ROWS, cols = d->grid_cols > MAX_COLS;
    const uint32_t keep_rows = rows ? CUT_ROWS : d->grid_rows, keep_cols = cols ? CUT_COLS : d->grid_cols;
    if (!rows && !cols)
        return;
    (void)snprintf(d->note_text, sizeof d->note_text, "Excerpt: the upper left %u x %u of %u x %u places; links go on at its edges.",
                   keep_rows, keep_cols, d->grid_rows, d->grid_cols);
    for (uint32_t v = 0; v < d->f->n_vertices; v++) {
        const uint32_t core = d->f->vertex[v].core;
        const int32_t *cell = d->cell[core == PP_NO_VERTEX ? v : d->f->core_switch[core]];
        d->shown[v] = cell[0] < (int32_t)keep_rows && cell[1] < (int32_t)keep_cols;
    }
    d->grid_rows = keep_rows;
    d->grid_cols = keep_cols;
}

#define MAX_SWITCHES 64 /* a level of a fat tree */

/* Switches of a fat tree that share the cores below: their number in the level divided by this is the group's. */
static uint32_t group_size(const pp_drawing *d, uint32_t v)
{
    return (uint32_t)pp_power(d->f->shape.arity, (uint64_t)d->f->vertex[v].coord[0]);
}

static void cut_tree(pp_drawing *d)
{
    const pp_fabric *f = d->f;
    uint32_t leaves = f->n_cores, below = 1, height = 0;
    for (; leaves > MAX_LEAVES && height + 1 < f->shape.levels; leaves /= f->shape.arity, height++)
        below *= f->shape.arity;
    d->groups = is_kind(d, "fattree") && f->n_cores / f->shape.arity > MAX_SWITCHES;
    for (uint32_t v = 0; v < f->n_vertices; v++) {
        const bool is_switch = f->vertex[v].kind == PP_VERTEX_SWITCH;
        d->shown[v] = is_switch ? f->vertex[v].coord[0] + 1 >= (int32_t)height : height == 0;
        if (d->groups && is_switch && (uint32_t)f->vertex[v].coord[1] % group_size(d, v) != 0)
            d->shown[v] = 0;
    }
    if (d->groups)
        (void)snprintf(d->note_text, sizeof d->note_text,
                       "A circle stands for all switches above the same cores, %u at the top, a line for all links; %u cores below the lowest.",
                       f->n_cores / f->shape.arity, below);
    else if (height > 0)
        (void)snprintf(d->note_text, sizeof d->note_text, "The lowest circles stand for switches with %u cores below.", below);
}

/* Lower levels of a tree are left out until it has few leaves; or a corner of lattices. */
static void cut_free(pp_drawing *d)
{
    const pp_fabric *f = d->f;
    if (is_tree(d)) {
        cut_tree(d);
        return;
    }
    bool cut = false;
    for (uint32_t v = 0; v < f->n_vertices; v++) {
        const pp_vertex *p = &f->vertex[v];
        const bool keep = p->coord[0] < MAX_ROWS && p->coord[1] < MAX_ROWS && p->coord[2] < 6;
        cut = cut || !keep;
    }
    for (uint32_t v = 0; cut && v < f->n_vertices; v++) {
        const pp_vertex *p = &f->vertex[v];
        d->shown[v] = p->coord[0] >= 0 && p->coord[0] < 8 && p->coord[1] >= 0 && p->coord[1] < 8 && p->coord[2] < 4;
    }
    if (cut)
        (void)snprintf(d->note_text, sizeof d->note_text, "Excerpt: places below row 8, column 8 and plane 4.");
}

static void cut_circle(pp_drawing *d)
{
    const pp_fabric *f = d->f;
    const bool groups = is_kind(d, "dragonfly");
    if (f->n_vertices > MAX_RING) {
        for (uint32_t v = 0; v < f->n_vertices; v++)
            d->shown[v] = groups ? f->vertex[v].kind == PP_VERTEX_SWITCH &&
                                       f->vertex[v].coord[0] < (int32_t)(MAX_RING / f->shape.routers + 1)
                                 : v < MAX_RING || v + 1 == f->n_vertices;
        (void)snprintf(d->note_text, sizeof d->note_text, groups ? "Excerpt: routers of the first groups, without cores."
                                                                 : "Excerpt: the first vertices.");
    }
    if (f->n_network > 2 * MAX_CHORDS && !is_kind(d, "star")) {
        d->first_only = true;
        (void)snprintf(d->note_text, sizeof d->note_text, "Only the links of the first of %u vertices are drawn.", f->n_vertices);
    }
}

pp_status pp_drawing_begin(pp_drawing *d)
{
    const uint32_t n = d->f->n_vertices;
    d->at = pp_calloc(n, sizeof *d->at);
    d->shown = pp_alloc(n, 1);
    d->cell = pp_calloc(n, sizeof *d->cell);
    if (!d->at || !d->shown || !d->cell)
        return PP_ENOMEM;
    memset(d->shown, 1, n);
    d->layout = choose_layout(d);
    if (d->layout == PP_LAYOUT_GRID)
        cut_grid(d);
    else if (d->layout == PP_LAYOUT_CIRCLE)
        cut_circle(d);
    else
        cut_free(d);
    d->note = d->note_text[0] != '\0' ? d->note_text : NULL;
    for (uint32_t v = 0; v < n; v++)
        d->hidden += !d->shown[v];
    d->wide = d->f->shape.taper > 1 || d->groups;
    return PP_OK;
}

/* ---- Grids ---- */

/* Cores of a router stand at its corners, outside its lanes, in the pattern of their block. */
static void place_corner_cores(pp_drawing *d, double from_router_x, double from_router_y)
{
    const pp_fabric *f = d->f;
    const double step = 2 * d->core_half + 5.0;
    for (uint32_t i = 0; i < f->n_cores; i++) {
        const uint32_t v = f->core_vertex[i], at = f->core_switch[i];
        if (v == at)
            continue;
        const int32_t rows = (int32_t)f->shape.block_rows, cols = (int32_t)f->shape.block_cols;
        const int32_t r = f->vertex[v].coord[0] % rows, c = f->vertex[v].coord[1] % cols;
        const int32_t up = (rows + 1) / 2, left = (cols + 1) / 2;
        const double dy = r < up ? -(from_router_y + step * (up - 1 - r)) : from_router_y + step * (r - up);
        const double dx = c < left ? -(from_router_x + step * (left - 1 - c)) : from_router_x + step * (c - left);
        d->at[v] = (pp_point){d->at[at].x + dx, d->at[at].y + dy};
    }
}

static void place_grid(pp_drawing *d)
{
    const pp_fabric *f = d->f;
    const bool routers = f->core_switch[0] != f->core_vertex[0];
    const uint32_t row_lanes = pp_drawing_lanes(d, false), col_lanes = pp_drawing_lanes(d, true);
    d->lane_step = 5.5;
    d->core_half = routers ? 11.0 : 23.0;
    d->switch_half = routers ? 15.0 : 15.0;
    /* More links on a side than the border has room for: a larger core. */
    const double need = 3.2 * (double)((row_lanes > col_lanes ? row_lanes : col_lanes) + 1) / 2.0 + 8.0;
    if (routers)
        d->switch_half = fmax(d->switch_half, need);
    else
        d->core_half = fmax(d->core_half, need);
    const double half = routers ? d->switch_half : d->core_half;
    const double above = half + d->lane_step * ((double)((row_lanes + 1) / 2) + 1.0);
    const double beside = half + d->lane_step * ((double)((col_lanes + 1) / 2) + 1.0);
    double step_y = fmax(2 * above + 12.0, 2 * half + 46.0), step_x = fmax(2 * beside + 12.0, 2 * half + 46.0);
    double out_x = beside + d->core_half, out_y = above + d->core_half;
    if (routers) {
        const double block = 2 * d->core_half + 5.0;
        step_x = fmax(step_x, 2 * (out_x + d->core_half + block * ((f->shape.block_cols + 1) / 2 - 1)) + 12.0);
        step_y = fmax(step_y, 2 * (out_y + d->core_half + block * ((f->shape.block_rows + 1) / 2 - 1)) + 12.0);
    }
    for (uint32_t v = 0; v < f->n_vertices; v++)
        d->at[v] = (pp_point){((double)d->cell[v][1] + 0.5) * step_x, ((double)d->cell[v][0] + 0.5) * step_y};
    if (routers)
        place_corner_cores(d, out_x, out_y);
    d->width = d->grid_cols * step_x;
    d->height = d->grid_rows * step_y;
}

/* ---- Circles ---- */

/* Position k of n on the circle, from the top, clockwise. */
static pp_point on_circle(const pp_drawing *d, double k, double n, double radius)
{
    const double angle = TAU * k / n - TAU / 4;
    return (pp_point){d->width / 2 + radius * cos(angle), d->height / 2 + radius * sin(angle)};
}

static void place_dragonfly(pp_drawing *d, double radius)
{
    const pp_fabric *f = d->f;
    const pp_fabric_shape *s = &f->shape;
    const double slots = (double)s->groups * (s->routers + 1.5);
    for (uint32_t v = 0; v < f->n_vertices; v++) {
        const bool core = f->vertex[v].core != PP_NO_VERTEX;
        const uint32_t router = core ? v / s->nodes : v - f->n_cores, i = core ? v % s->nodes : 0;
        const double slot = (double)(router / s->routers) * (s->routers + 1.5) + router % s->routers + 0.5;
        const double share = core ? ((double)i + 0.5) / s->nodes - 0.5 : 0.0;
        d->at[v] = on_circle(d, slot + 0.8 * share, slots, core ? radius + d->switch_half + d->core_half + 12.0 : radius);
    }
}

static void place_circle(pp_drawing *d)
{
    const pp_fabric *f = d->f;
    uint32_t n = 0;
    for (uint32_t v = 0; v < f->n_vertices; v++)
        n += d->shown[v];
    const bool dragonfly = is_kind(d, "dragonfly"), star = is_kind(d, "star");
    d->core_half = dragonfly ? 5.0 : n <= 24 ? 23.0 : n <= 60 ? 14.0 : 5.0;
    d->switch_half = dragonfly ? (n <= 200 ? 10.0 : 5.0) : 26.0;
    const double around = dragonfly
                              ? (double)f->shape.groups * (f->shape.routers + 1.5) *
                                    fmax(2 * d->switch_half + 8.0, f->shape.nodes * (2 * d->core_half + 3.0) * 0.8)
                              : (double)n * (2 * d->core_half + 12.0);
    const double radius = fmax(around / TAU, 130.0), edge = dragonfly ? 60.0 : 40.0;
    d->width = d->height = 2 * (radius + edge);
    if (dragonfly) {
        place_dragonfly(d, radius);
        return;
    }
    uint32_t k = 0;
    for (uint32_t v = 0; v < f->n_vertices; v++)
        if (star && v == f->n_cores)
            d->at[v] = (pp_point){d->width / 2, d->height / 2};
        else if (d->shown[v])
            d->at[v] = on_circle(d, k++, star ? n - 1 : n, radius);
}

/* ---- Where the generator drew them ---- */

/* Planes are drawn obliquely, one behind the other; groups of switches in the middle of their cores. */
static pp_point drawn_at(const pp_drawing *d, uint32_t v)
{
    const pp_vertex *p = &d->f->vertex[v];
    const uint32_t planes = d->f->shape.planes;
    if (planes > 0) {
        const double spread = 0.42 * (planes > 6 ? 4 : planes) + 0.35;
        return (pp_point){p->coord[1] * spread + 0.42 * p->coord[2], p->coord[0] * spread - 0.42 * p->coord[2]};
    }
    if (d->groups && p->kind == PP_VERTEX_SWITCH) {
        const double span = (double)group_size(d, v) * d->f->shape.arity;
        return (pp_point){((double)p->coord[1] / (double)group_size(d, v) + 0.5) * span - 0.5, (double)p->y};
    }
    return (pp_point){(double)p->x, (double)p->y};
}

static void place_free(pp_drawing *d)
{
    const pp_fabric *f = d->f;
    const bool tree = is_kind(d, "tree") || is_kind(d, "fattree"), htree = is_kind(d, "htree");
    double left = HUGE_VAL, top = HUGE_VAL, right = -HUGE_VAL, bottom = -HUGE_VAL;
    for (uint32_t v = 0; v < f->n_vertices; v++) {
        if (!d->shown[v])
            continue;
        const pp_point p = drawn_at(d, v);
        left = fmin(left, p.x);
        right = fmax(right, p.x);
        top = fmin(top, p.y);
        bottom = fmax(bottom, p.y);
    }
    /* Trees: 17 pixels a core, or as wide as 128 of them; levels far enough apart for their lines. */
    const double span = fmax(right - left, 1.0);
    const bool fat = is_kind(d, "fattree") && !d->groups;
    double step_x = htree ? 40.0 : 62.0, step_y = step_x;
    if (tree) {
        step_x = fmax(d->hidden > 0 ? fmin(17.0, 16.0 * MAX_LEAVES / span) : 17.0, fmin(900.0, 60.0 * span) / span);
        step_y = fmax(80.0, span * step_x / (fat ? 6.0 : 14.0));
    }
    if (htree && d->hidden > 0)
        step_x = step_y = fmax(4.0, 1000.0 / span);
    d->core_half = tree ? d->hidden > 0 ? 6.0 : fmin(14.0, fmax(5.0, step_x / 2 - 3.0)) : htree ? 11.0 : is_kind(d, "file") ? 20.0 : 17.0;
    if (f->shape.planes > 0) {
        step_x = step_y = 84.0;
        d->core_half = 12.0;
    }
    d->switch_half = tree ? fmin(13.0, fmax(4.0, d->core_half)) : htree ? 4.5 : 15.0;
    for (uint32_t v = 0; v < f->n_vertices; v++)
        d->at[v] = (pp_point){(drawn_at(d, v).x - left) * step_x + 24.0, (drawn_at(d, v).y - top) * step_y + 24.0};
    d->width = (right - left) * step_x + 48.0;
    d->height = (bottom - top) * step_y + 48.0;
}

pp_status pp_drawing_place(pp_drawing *d)
{
    if (d->layout == PP_LAYOUT_GRID)
        place_grid(d);
    else if (d->layout == PP_LAYOUT_CIRCLE)
        place_circle(d);
    else
        place_free(d);
    return PP_OK;
}

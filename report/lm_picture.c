/* One transformer block on its fabric, with the load of every channel. */
#include "report/lm_picture.h"
#include "report/lm_fabric_internal.h"
#include "report/plot_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CORES_MAX 65536
#define MARGIN 26.0
#define HEAD 86.0  /* title and note */
#define LEGEND 150.0
#define GREY 0x5f6672
#define FREE 0xeceef1

/* A group of level 0 on the page. */
typedef struct island {
    uint32_t group;
    int64_t col, row;          /* on all levels above, then squeezed to ranks */
    double x, y;               /* pixels of its upper left corner */
} island;

typedef struct picture {
    const pp_lm_mapping *m;
    uint32_t instance;
    const pp_fabric *unit;
    PP_VEC(island) islands;
    double pitch, gap, wide, high; /* of an island */
    int32_t row_lo, row_hi, col_lo, col_hi; /* of the unit's cores that are drawn */
    double max_ps;             /* darkest colour */
    double width, height;
    uint32_t *place_op;        /* [n_places of the instance] */
    uint8_t *family;           /* [n_cores] 1 + colour of the core, 0: not this block's */
} picture;

/* ---- colours ---- */

typedef struct family {
    const char *label;
    uint32_t rgb;
} family;
enum { F_QKV, F_ATTENTION, F_O, F_GATE, F_UP, F_DOWN, F_DIGITAL, F_COUNT };
static const family families[F_COUNT] = {
    [F_QKV] = {"q, k, v", 0x4e79a7},      [F_ATTENTION] = {"attention unit", 0x222222}, [F_O] = {"o_proj", 0x76b7b2},
    [F_GATE] = {"gate_proj", 0xe0b13c},   [F_UP] = {"up_proj", 0xb6992d},               [F_DOWN] = {"down_proj", 0x59a14f},
    [F_DIGITAL] = {"digital", 0xb07aa1},
};

static uint8_t family_of(const pp_lm_op *op)
{
    if (op->kind == PP_LM_OP_ATTENTION)
        return F_ATTENTION;
    if (op->kind != PP_LM_OP_LINEAR)
        return F_DIGITAL;
    switch ((pp_lm_kind)op->weight) {
    case PP_LM_O:
        return F_O;
    case PP_LM_GATE:
        return F_GATE;
    case PP_LM_UP:
        return F_UP;
    case PP_LM_DOWN:
        return F_DOWN;
    default:
        return F_QKV;
    }
}

/* Light sand to dark red; x from 0 to 1. */
static uint32_t heat(double x)
{
    static const double stop[4][3] = {{0xf2, 0xd9, 0xa8}, {0xf0, 0x9a, 0x4a}, {0xcf, 0x3b, 0x2e}, {0x5c, 0x06, 0x22}};
    const double at = (x < 0.0 ? 0.0 : x > 1.0 ? 1.0 : x) * 3.0;
    const int k = at >= 3.0 ? 2 : (int)at;
    uint32_t rgb = 0;
    for (int i = 0; i < 3; i++)
        rgb = rgb << 8 | (uint32_t)lround(stop[k][i] + (stop[k + 1][i] - stop[k][i]) * (at - k));
    return rgb;
}

/* ---- what is drawn ---- */

static double channel_ps(const pp_lm_mapping *m, uint32_t id)
{
    return m->load[id] * 1000.0 / pp_channel_rate_gbps(pp_hier_channel(m->fabric, id));
}

static bool known(const picture *p, uint32_t group)
{
    for (size_t i = 0; i < p->islands.len; i++)
        if (p->islands.data[i].group == group)
            return true;
    return false;
}

static void include_core(picture *p, uint32_t core)
{
    const int32_t *at = p->unit->vertex[p->unit->core_vertex[core % p->unit->n_cores]].coord;
    p->row_lo = at[0] < p->row_lo ? at[0] : p->row_lo;
    p->row_hi = at[0] > p->row_hi ? at[0] : p->row_hi;
    p->col_lo = at[1] < p->col_lo ? at[1] : p->col_lo;
    p->col_hi = at[1] > p->col_hi ? at[1] : p->col_hi;
}

static pp_status find_islands(picture *p)
{
    const pp_lm_mapping *m = p->m;
    const pp_lm_instance *i = &m->instance[p->instance];
    const pp_lm_part *part = &m->graph->part[i->part];
    p->row_lo = p->col_lo = INT32_MAX;
    p->row_hi = p->col_hi = 0;
    for (uint32_t k = 0; k < i->n_places; k++) {
        if (p->place_op[k] == PP_NONE)
            continue;
        island x = {.group = m->order[i->first_place + k] / p->unit->n_cores};
        p->family[m->order[i->first_place + k]] = (uint8_t)(1 + family_of(&m->graph->op[part->first_op + p->place_op[k]]));
        include_core(p, m->order[i->first_place + k]);
        if (known(p, x.group))
            continue;
        pp_lm_group_place(m->fabric, x.group, &x.col, &x.row);
        if (!pp_push(&p->islands, x))
            return PP_ENOMEM;
    }
    if (m->fabric->n_levels > 1 && p->unit->core_rows > 0) { /* groups are drawn whole */
        p->row_lo = p->col_lo = 0;
        p->row_hi = (int32_t)p->unit->core_rows - 1;
        p->col_hi = (int32_t)p->unit->core_cols - 1;
    }
    return PP_OK;
}

/* Rank of a value among those of all islands: rows and columns without one take no room. */
static int64_t rank(const picture *p, int64_t value, bool col)
{
    int64_t n = 0;
    for (size_t i = 0; i < p->islands.len; i++) {
        const int64_t v = col ? p->islands.data[i].col : p->islands.data[i].row;
        bool first = v < value;
        for (size_t j = 0; j < i && first; j++)
            first = (col ? p->islands.data[j].col : p->islands.data[j].row) != v;
        n += first;
    }
    return n;
}

static void place_islands(picture *p)
{
    const int32_t rows = p->row_hi - p->row_lo + 1, cols = p->col_hi - p->col_lo + 1;
    int64_t across = 1, down = 1;
    for (size_t i = 0; i < p->islands.len; i++) {
        const int64_t c = rank(p, p->islands.data[i].col, true) + 1, r = rank(p, p->islands.data[i].row, false) + 1;
        across = c > across ? c : across;
        down = r > down ? r : down;
    }
    p->pitch = 1500.0 / ((double)cols * (double)across + 3.0 * (double)across);
    p->pitch = p->pitch > 22.0 ? 22.0 : p->pitch < 5.0 ? 5.0 : p->pitch;
    p->gap = p->islands.len > 1 ? 3.0 * p->pitch : 0.0;
    p->wide = cols * p->pitch;
    p->high = rows * p->pitch;
    for (size_t i = 0; i < p->islands.len; i++) {
        island *x = &p->islands.data[i];
        x->x = MARGIN + (double)rank(p, x->col, true) * (p->wide + p->gap);
        x->y = HEAD + (double)rank(p, x->row, false) * (p->high + p->gap);
    }
    p->width = 2.0 * MARGIN + (double)across * (p->wide + p->gap) - p->gap;
    p->width = p->width < 760.0 ? 760.0 : p->width;
    p->height = HEAD + (double)down * (p->high + p->gap) - p->gap + LEGEND;
}

/* ---- drawing ---- */

static void centre(const picture *p, const island *x, uint32_t vertex, double *cx, double *cy)
{
    const pp_vertex *v = &p->unit->vertex[vertex];
    *cx = x->x + ((double)v->x - p->col_lo + 0.5) * p->pitch;
    *cy = x->y + ((double)v->y - p->row_lo + 0.5) * p->pitch;
}

static void box(canvas *c, double x, double y, double w, double h, uint32_t rgb)
{
    const double xy[] = {x, y, x + w, y, x + w, y + h, x, y + h};
    c->area(c, xy, 4, rgb, 1.0);
}

static void draw_core(const picture *p, canvas *c, const island *x, uint32_t core)
{
    const uint32_t vertex = p->unit->core_vertex[core];
    const int32_t *at = p->unit->vertex[vertex].coord;
    if (at[0] < p->row_lo || at[0] > p->row_hi || at[1] < p->col_lo || at[1] > p->col_hi)
        return;
    const uint8_t f = p->family[x->group * p->unit->n_cores + core];
    const double half = p->pitch * 0.27;
    double cx, cy;
    centre(p, x, vertex, &cx, &cy);
    box(c, cx - half, cy - half, 2 * half, 2 * half, f > 0 ? families[f - 1].rgb : FREE);
}

static canvas_pen pen_of(const picture *p, double ps, double most)
{
    const double share = sqrt(ps / p->max_ps); /* light loads stay visible */
    return (canvas_pen){.rgb = heat(share), .width = 0.6 + most * share, .opacity = 1.0};
}

/* One direction of a channel: beside the line between the cores, farther out when it is long. */
static void draw_channel(const picture *p, canvas *c, const island *x, uint32_t local)
{
    const pp_channel *k = &p->unit->channel[local];
    const pp_hier_level *v = &p->m->fabric->level[0];
    const double ps = channel_ps(p->m, v->first_channel + x->group * v->channels + local);
    if (ps <= 0.0 || k->kind != PP_CHANNEL_NETWORK)
        return;
    double ax, ay, bx, by;
    centre(p, x, k->src, &ax, &ay);
    centre(p, x, k->dst, &bx, &by);
    const double left = x->x - 0.01, top = x->y - 0.01, right = x->x + p->wide, bottom = x->y + p->high;
    if (ax < left || bx < left || ay < top || by < top || ax > right || bx > right || ay > bottom || by > bottom)
        return;
    const double dx = bx - ax, dy = by - ay, length = hypot(dx, dy);
    const double side = p->pitch * (length > 1.5 * p->pitch ? 0.40 : 0.13);
    const double ox = -dy / length * side, oy = dx / length * side, in = p->pitch * 0.24 / length;
    const double bow = length > 1.5 * p->pitch ? 0.5 : 0.0; /* long ones leave the core and swing out */
    const double xy[] = {ax + dx * in + ox * (1 - bow), ay + dy * in + oy * (1 - bow), ax + dx * in * 1.6 + ox, ay + dy * in * 1.6 + oy,
                         bx - dx * in * 1.6 + ox,       by - dy * in * 1.6 + oy,       bx - dx * in + ox * (1 - bow), by - dy * in + oy * (1 - bow)};
    c->line(c, xy, 4, pen_of(p, ps, p->pitch * 0.16));
}

static void draw_island(const picture *p, canvas *c, const island *x)
{
    for (uint32_t k = 0; k < p->unit->n_cores; k++)
        draw_core(p, c, x, k);
    for (uint32_t k = 0; k < p->unit->n_network; k++)
        draw_channel(p, c, x, k);
    if (p->islands.len < 2)
        return;
    const double pad = p->pitch * 0.35;
    const double xy[] = {x->x - pad, x->y - pad, x->x + p->wide + pad, x->y - pad, x->x + p->wide + pad, x->y + p->high + pad,
                         x->x - pad, x->y + p->high + pad, x->x - pad, x->y - pad};
    c->line(c, xy, 5, (canvas_pen){.rgb = 0xb9bec7, .width = 1.0, .opacity = 1.0});
    char text[48];
    (void)snprintf(text, sizeof text, "%s %u", p->m->fabric->level[0].name, x->group);
    c->text(c, x->x - pad, x->y - pad - 3.0, text, (canvas_font){.size = p->pitch < 9.0 ? 9.0 : 11.0, .align = CANVAS_START, .rgb = GREY});
}

static const island *island_of(const picture *p, uint32_t group)
{
    for (size_t i = 0; i < p->islands.len; i++)
        if (p->islands.data[i].group == group)
            return &p->islands.data[i];
    return NULL;
}

/* Channels of level 1 between two drawn groups: arrows from frame to frame, one for each direction. */
static void draw_between(const picture *p, canvas *c, uint32_t chip, uint32_t local)
{
    const pp_hier_level *v = &p->m->fabric->level[1];
    const pp_channel *k = &v->unit->channel[local];
    const double ps = channel_ps(p->m, v->first_channel + chip * v->channels + local);
    if (ps <= 0.0 || k->kind != PP_CHANNEL_NETWORK || v->unit->vertex[k->src].core == PP_NO_VERTEX ||
        v->unit->vertex[k->dst].core == PP_NO_VERTEX)
        return;
    const island *a = island_of(p, chip * v->size + v->unit->vertex[k->src].core);
    const island *b = island_of(p, chip * v->size + v->unit->vertex[k->dst].core);
    if (!a || !b)
        return;
    const double dx = b->x - a->x, dy = b->y - a->y, length = hypot(dx, dy), ux = dx / length, uy = dy / length;
    const double reach = fabs(ux) * p->wide + fabs(uy) * p->high, side = p->pitch * 0.8, pad = p->pitch * 0.45;
    const double mx = a->x + p->wide / 2 - uy * side, my = a->y + p->high / 2 + ux * side;
    const double from = reach / 2 + pad, to = length - reach / 2 - pad, tip = p->pitch * 0.7;
    const canvas_pen pen = pen_of(p, ps, p->pitch * 0.45);
    const double xy[] = {mx + ux * from, my + uy * from, mx + ux * (to - tip), my + uy * (to - tip)};
    const double ex = mx + ux * to, ey = my + uy * to, w = p->pitch * 0.42 + pen.width / 2;
    const double head[] = {ex, ey, ex - ux * tip - uy * w, ey - uy * tip + ux * w, ex - ux * tip + uy * w, ey - uy * tip - ux * w};
    c->line(c, xy, 2, pen);
    c->area(c, head, 3, pen.rgb, 1.0);
}

/* ---- title and legend ---- */

static void draw_title(const picture *p, canvas *c)
{
    const pp_lm_mapping *m = p->m;
    char text[256];
    (void)snprintf(text, sizeof text, "%s, block %u on %s", m->graph->config.name, m->instance[p->instance].layer, m->fabric->name);
    c->text(c, MARGIN, 28.0, text, (canvas_font){.size = 17.0, .bold = true, .align = CANVAS_START, .rgb = 0x20242c});
    const pp_lm_template *t = &m->template_[m->instance[p->instance].template_];
    (void)snprintf(text, sizeof text, "%u cores; time that a token keeps a channel busy; the whole model: a token each %.1f ns without attention",
                   t->cores, (double)m->bounds.interval_ps * 1e-3);
    c->text(c, MARGIN, 48.0, text, (canvas_font){.size = 12.0, .align = CANVAS_START, .rgb = GREY});
}

static bool has_family(const picture *p, int f)
{
    for (uint32_t k = 0; k < p->m->fabric->n_cores; k++)
        if (p->family[k] == f + 1)
            return true;
    return false;
}

static void draw_families(const picture *p, canvas *c, double y)
{
    double x = MARGIN;
    for (int f = 0; f < F_COUNT; f++) {
        if (!has_family(p, f))
            continue;
        box(c, x, y, 14.0, 14.0, families[f].rgb);
        c->text(c, x + 20.0, y + 11.5, families[f].label, (canvas_font){.size = 12.5, .align = CANVAS_START, .rgb = 0x20242c});
        x += 38.0 + pp_plot_text_width(families[f].label, 12.5);
    }
    box(c, x, y, 14.0, 14.0, FREE);
    c->text(c, x + 20.0, y + 11.5, "other or free", (canvas_font){.size = 12.5, .align = CANVAS_START, .rgb = 0x20242c});
}

/* The bar is as the channels are: shares under a root. */
static void draw_scale(const picture *p, canvas *c, double y)
{
    const double wide = 360.0;
    for (int k = 0; k < 120; k++)
        box(c, MARGIN + wide * k / 120.0, y, wide / 120.0 + 0.4, 12.0, heat((k + 0.5) / 120.0));
    for (int k = 0; k <= 4; k++) {
        char text[40];
        const double share = k / 4.0;
        (void)snprintf(text, sizeof text, k == 4 ? "%.4g ns a token" : "%.4g", share * share * p->max_ps * 1e-3);
        c->text(c, MARGIN + wide * share, y + 28.0, text, (canvas_font){.size = 12.0, .align = k == 0 ? CANVAS_START : CANVAS_MIDDLE, .rgb = GREY});
    }
}

static void draw(const void *payload, canvas *c)
{
    const picture *p = payload;
    draw_title(p, c);
    for (uint32_t chip = 0; p->m->fabric->n_levels > 1 && chip < p->m->fabric->level[1].groups; chip++)
        for (uint32_t k = 0; k < p->m->fabric->level[1].unit->n_network; k++)
            draw_between(p, c, chip, k);
    for (size_t i = 0; i < p->islands.len; i++)
        draw_island(p, c, &p->islands.data[i]);
    draw_families(p, c, p->height - LEGEND + 38.0);
    draw_scale(p, c, p->height - LEGEND + 74.0);
}

/* The busiest of the channels that are drawn sets the scale. */
static void find_scale(picture *p)
{
    const pp_hier *h = p->m->fabric;
    p->max_ps = 1.0;
    for (size_t i = 0; i < p->islands.len; i++)
        for (uint32_t k = 0; k < p->unit->n_network; k++) {
            const double ps = channel_ps(p->m, h->level[0].first_channel + p->islands.data[i].group * h->level[0].channels + k);
            p->max_ps = ps > p->max_ps ? ps : p->max_ps;
        }
    for (uint32_t chip = 0; h->n_levels > 1 && chip < h->level[1].groups; chip++)
        for (uint32_t k = 0; k < h->level[1].unit->n_network; k++) {
            const pp_channel *x = &h->level[1].unit->channel[k];
            const uint32_t a = h->level[1].unit->vertex[x->src].core, b = h->level[1].unit->vertex[x->dst].core;
            const double ps = channel_ps(p->m, h->level[1].first_channel + chip * h->level[1].channels + k);
            if (a != PP_NO_VERTEX && b != PP_NO_VERTEX && island_of(p, chip * h->level[1].size + a) &&
                island_of(p, chip * h->level[1].size + b))
                p->max_ps = ps > p->max_ps ? ps : p->max_ps;
        }
}

static pp_status check(const pp_lm_mapping *m, uint32_t layer)
{
    if (layer >= m->graph->config.layers)
        return pp_fail(PP_ERANGE, "%s has blocks 0 to %u, not %u", m->graph->config.name, m->graph->config.layers - 1, layer);
    if (m->fabric->level[0].unit->core_rows == 0)
        return pp_fail(PP_EUNSUPPORTED, "fabric %s: its cores have no places to draw them at", m->fabric->name);
    const uint32_t n = m->instance[1 + layer].n_places;
    return n <= CORES_MAX ? PP_OK : pp_fail(PP_ERANGE, "a block of %u cores is too large to draw; at most %d", n, CORES_MAX);
}

pp_status pp_lm_picture_write(const pp_lm_mapping *m, uint32_t layer, const char *path, bool force)
{
    PP_TRY(pp_plot_check_path(path));
    PP_TRY(check(m, layer));
    picture p = {.m = m, .instance = 1 + layer, .unit = m->fabric->level[0].unit};
    p.place_op = pp_alloc(m->instance[p.instance].n_places, sizeof *p.place_op);
    p.family = pp_calloc(m->fabric->n_cores, sizeof *p.family);
    pp_status status = p.place_op && p.family ? pp_lm_mapping_operators(m, p.instance, p.place_op) : PP_ENOMEM;
    if (status == PP_OK)
        status = find_islands(&p);
    if (status == PP_OK) {
        place_islands(&p);
        find_scale(&p);
        const canvas_drawing d = {.width = p.width, .height = p.height, .draw = draw, .payload = &p};
        status = pp_drawing_write(&d, path, force);
    }
    free(p.place_op);
    free(p.family);
    free(p.islands.data);
    return status;
}

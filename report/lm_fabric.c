/* A language model's fabric, prepared for drawing: one block on its cores, and the groups of all levels. */
#include "report/lm_fabric_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_CORES_MAX 65536
#define GROUP_CORES_MAX 20000 /* of a group that is drawn whole */
#define GROUPS_MAX 20000
#define TAU 6.283185307179586

/* ---- places ---- */

void pp_lm_group_place(const pp_hier *h, uint32_t group, int64_t *col, int64_t *row)
{
    int64_t wide = 1, high = 1;
    *col = *row = 0;
    for (uint32_t l = 1; l < h->n_levels; l++) {
        const pp_fabric *f = h->level[l].unit;
        const int32_t *at = f->vertex[f->core_vertex[group % f->n_cores]].coord;
        *row += at[0] * high;
        *col += at[1] * wide;
        high *= f->core_rows > 0 ? f->core_rows : 1;
        wide *= f->core_cols > 0 ? f->core_cols : f->n_cores;
        group /= f->n_cores;
    }
}

typedef struct spot {
    double x, y;
} spot;

/* A vertex inside its unit; units without a plane of their own stand on a circle, their switches inside of it. */
static spot unit_spot(const pp_fabric *f, uint32_t v)
{
    const pp_vertex *at = &f->vertex[v];
    if (f->core_rows > 0)
        return (spot){at->x, at->y};
    const double radius = fmax(1.0, 0.85 * f->n_cores / TAU), r = at->core != PP_NO_VERTEX ? radius : 0.6 * radius;
    const double turn = at->core != PP_NO_VERTEX ? (double)at->core / f->n_cores : (double)v / f->n_vertices;
    return (spot){radius + r * sin(TAU * turn), radius - r * cos(TAU * turn)};
}

/* Room that a unit takes, in pitches of its members. */
static spot unit_room(const pp_fabric *f)
{
    spot most = {0, 0};
    for (uint32_t v = 0; v < f->n_vertices; v++) {
        const spot at = unit_spot(f, v);
        most.x = fmax(most.x, at.x);
        most.y = fmax(most.y, at.y);
    }
    return (spot){most.x + 1, most.y + 1};
}

/* ---- shared by both drawings ---- */

typedef struct drawing {
    pp_lm_drawn *out;
    const pp_lm_mapping *m;
    const pp_hier *h;
    pp_arena *arena;
    double tokens_s;
    uint32_t *row_of;          /* [n_channels] 1 + row of a channel; 0: not drawn */
} drawing;

static const char *say(drawing *d, const char *format, const char *name, uint32_t number)
{
    char text[96];
    (void)snprintf(text, sizeof text, format, name, number);
    return pp_arena_strdup(d->arena, text);
}

/* Channel `local` of a group, when it carries something, between two rows of the vertices. */
static pp_status add_channel(drawing *d, uint32_t level, uint32_t group, uint32_t local, uint32_t src, uint32_t dst)
{
    const pp_hier_level *v = &d->h->level[level];
    const uint32_t id = v->first_channel + group * v->channels + local;
    const double bits = d->m->load[id], rate = pp_channel_rate_gbps(pp_hier_channel(d->h, id));
    if (!(bits > 0) || src == PP_NONE || dst == PP_NONE)
        return PP_OK;
    const double busy_ps = bits * 1000.0 / rate;
    d->row_of[id] = 1 + (uint32_t)d->out->channels.len;
    return pp_push(&d->out->channels, (pp_lm_channel_row){id, level, src, dst, rate, bits, busy_ps, busy_ps * 1e-12 * d->tokens_s})
               ? PP_OK
               : PP_ENOMEM;
}

/* The busiest of a group's ways up. */
static void set_up(const drawing *d, uint32_t level, uint32_t group, pp_lm_vertex_row *row)
{
    const pp_hier_level *v = &d->h->level[level];
    for (uint32_t k = 0; k < v->gateways; k++) {
        const double bits = d->m->load[v->first_channel + group * v->channels + v->unit->n_channels + k];
        row->up_bits = fmax(row->up_bits, bits);
    }
    row->up_utilisation = row->up_bits > 0 ? row->up_bits * 1e-9 / pp_channel_rate_gbps(&v->up) * d->tokens_s : 0;
}

static const char *instance_name(drawing *d, uint32_t instance)
{
    const uint32_t layer = d->m->instance[instance].layer;
    return layer != PP_NONE ? say(d, "%s %u", "block", layer) : instance == 0 ? "embedding" : "end";
}

static pp_status begin(drawing *d, pp_lm_drawn *out, const pp_lm_mapping *m, double tokens_s, pp_arena *arena)
{
    *out = (pp_lm_drawn){0};
    *d = (drawing){.out = out, .m = m, .h = m->fabric, .arena = arena, .tokens_s = tokens_s};
    d->row_of = pp_calloc(m->fabric->n_channels, sizeof *d->row_of);
    return d->row_of != NULL ? PP_OK : PP_ENOMEM;
}

void pp_lm_drawn_free(pp_lm_drawn *d)
{
    free(d->vertices.data);
    free(d->channels.data);
    free(d->flows.data);
    free(d->hops.data);
    *d = (pp_lm_drawn){0};
}

/* ---- a block ---- */

typedef struct island {
    uint32_t group;
    int64_t col, row;
} island;

typedef struct block {
    drawing d;
    uint32_t instance;
    const pp_fabric *unit;
    uint32_t *place_op;        /* [n_places] */
    uint32_t *core_op;         /* [n_cores] 1 + operator of the block; 0: none */
    PP_VEC(island) islands;
    uint32_t *island_of;       /* [groups] 1 + island; 0: not drawn */
    uint32_t *vertex_row;      /* [islands x unit vertices] */
    int32_t lo[2], hi[2];      /* rows and columns of the unit that are drawn */
} block;

static uint32_t group_of(const block *b, uint32_t core)
{
    return core / b->unit->n_cores;
}

static const int32_t *coord(const block *b, uint32_t core)
{
    return b->unit->vertex[b->unit->core_vertex[core % b->unit->n_cores]].coord;
}

static pp_status find_islands(block *b)
{
    const pp_lm_instance *i = &b->d.m->instance[b->instance];
    for (uint32_t k = 0; k < i->n_places; k++) {
        const uint32_t core = b->d.m->order[i->first_place + k];
        if (b->place_op[k] == PP_NONE)
            continue;
        b->core_op[core] = 1 + b->place_op[k];
        for (int a = 0; a < 2; a++) {
            b->lo[a] = coord(b, core)[a] < b->lo[a] ? coord(b, core)[a] : b->lo[a];
            b->hi[a] = coord(b, core)[a] > b->hi[a] ? coord(b, core)[a] : b->hi[a];
        }
        island x = {.group = group_of(b, core)};
        if (b->island_of[x.group] != 0)
            continue;
        pp_lm_group_place(b->d.h, x.group, &x.col, &x.row);
        b->island_of[x.group] = 1 + (uint32_t)b->islands.len;
        if (!pp_push(&b->islands, x))
            return PP_ENOMEM;
    }
    return PP_OK;
}

static int by_value(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Columns and rows of the islands become their ranks: those without an island take no room. */
static pp_status squeeze(block *b)
{
    const size_t n = b->islands.len;
    int64_t *v = pp_alloc(n, sizeof *v);
    if (v == NULL)
        return PP_ENOMEM;
    for (int axis = 0; axis < 2; axis++) {
        size_t kinds = 0;
        for (size_t i = 0; i < n; i++)
            v[i] = axis == 0 ? b->islands.data[i].col : b->islands.data[i].row;
        qsort(v, n, sizeof *v, by_value);
        for (size_t i = 0; i < n; i++)
            if (i == 0 || v[i] != v[i - 1])
                v[kinds++] = v[i];
        for (size_t i = 0; i < n; i++) {
            int64_t *at = axis == 0 ? &b->islands.data[i].col : &b->islands.data[i].row;
            const int64_t *found = bsearch(at, v, kinds, sizeof *v, by_value);
            *at = found - v;
        }
    }
    free(v);
    return PP_OK;
}

static bool is_drawn(const block *b, uint32_t vertex)
{
    const pp_vertex *v = &b->unit->vertex[vertex];
    if (b->unit->n_cores <= GROUP_CORES_MAX || b->unit->core_rows == 0)
        return true;
    return v->coord[0] >= b->lo[0] - 1 && v->coord[0] <= b->hi[0] + 1 && v->coord[1] >= b->lo[1] - 1 && v->coord[1] <= b->hi[1] + 1;
}

static pp_status add_vertex(block *b, size_t at, uint32_t vertex, double x, double y)
{
    const pp_lm_mapping *m = b->d.m;
    const pp_vertex *v = &b->unit->vertex[vertex];
    pp_lm_vertex_row row = {.kind = "switch", .holds = "", .order = -1, .x = x, .y = y};
    if (v->core == PP_NO_VERTEX) {
        row.label = say(&b->d, "%s %u", "switch", vertex);
    } else {
        const uint32_t core = b->islands.data[at].group * b->unit->n_cores + v->core, op = b->core_op[core];
        row.kind = "core";
        row.label = say(&b->d, "%s %u", "core", core);
        if (op > 0) {
            row.order = op - 1;
            row.holds = m->graph->op[m->graph->part[m->instance[b->instance].part].first_op + op - 1].name;
            row.cores_used = 1;
        }
    }
    b->vertex_row[at * b->unit->n_vertices + vertex] = (uint32_t)b->d.out->vertices.len;
    return row.label != NULL && pp_push(&b->d.out->vertices, row) ? PP_OK : PP_ENOMEM;
}

static pp_status add_island(block *b, size_t at, spot room)
{
    const island *x = &b->islands.data[at];
    const double gap = b->islands.len > 1 ? 2.0 : 0.0;
    const double left = (double)x->col * (room.x + gap), top = (double)x->row * (room.y + gap);
    for (uint32_t v = 0; v < b->unit->n_vertices; v++) {
        const spot in = unit_spot(b->unit, v);
        b->vertex_row[at * b->unit->n_vertices + v] = PP_NONE;
        if (is_drawn(b, v))
            PP_TRY(add_vertex(b, at, v, left + in.x, top + in.y));
    }
    for (uint32_t k = 0; k < b->unit->n_network; k++) {
        const uint32_t *row = &b->vertex_row[at * b->unit->n_vertices];
        PP_TRY(add_channel(&b->d, 0, x->group, k, row[b->unit->channel[k].src], row[b->unit->channel[k].dst]));
    }
    return PP_OK;
}

/* Frames around the islands, and the channels of level 1 from one to another. */
static pp_status add_frames(block *b, spot room)
{
    const pp_hier *h = b->d.h;
    const uint32_t first = (uint32_t)b->d.out->vertices.len;
    for (size_t i = 0; i < b->islands.len; i++) {
        const island *x = &b->islands.data[i];
        pp_lm_vertex_row row = {.kind = "group", .holds = "", .order = -1, .width = room.x + 0.2, .height = room.y + 0.2,
                                .x = (double)x->col * (room.x + 2) + (room.x - 1) / 2, .y = (double)x->row * (room.y + 2) + (room.y - 1) / 2,
                                .label = say(&b->d, "%s %u", h->level[0].name, x->group)};
        set_up(&b->d, 0, x->group, &row);
        for (uint32_t c = 0; c < b->unit->n_cores; c++)
            row.cores_used += b->core_op[x->group * b->unit->n_cores + c] > 0;
        if (row.label == NULL || !pp_push(&b->d.out->vertices, row))
            return PP_ENOMEM;
    }
    const pp_hier_level *v = &h->level[1];
    for (uint32_t chip = 0; chip < v->groups; chip++)
        for (uint32_t k = 0; k < v->unit->n_network; k++) {
            const uint32_t a = v->unit->vertex[v->unit->channel[k].src].core, z = v->unit->vertex[v->unit->channel[k].dst].core;
            if (a == PP_NO_VERTEX || z == PP_NO_VERTEX)
                continue;
            const uint32_t from = b->island_of[chip * v->size + a], to = b->island_of[chip * v->size + z];
            if (from > 0 && to > 0)
                PP_TRY(add_channel(&b->d, 1, chip, k, first + from - 1, first + to - 1));
        }
    return PP_OK;
}

/* "q_proj, k_proj, v_proj", and of which block: who takes what the edge carries. */
static const char *targets_of(drawing *d, const pp_lm_edge *e, const char *of)
{
    char *text = pp_strdup("");
    for (uint32_t t = 0; t < e->n_targets && text != NULL; t++) {
        char *longer = pp_strf("%s%s%s%s%s", text, t > 0 ? ", " : "", d->m->stage[d->m->target[e->first_target + t].stage].name,
                               of[0] != 0 ? " of " : "", of);
        free(text);
        text = longer;
    }
    const char *kept = text != NULL ? pp_arena_strdup(d->arena, text) : NULL;
    free(text);
    return kept;
}

static bool is_from_before(const drawing *d, const pp_lm_edge *e)
{
    return e->link != PP_NONE && d->m->graph->link[e->link].from == PP_LM_PREVIOUS;
}

static pp_status add_flows(block *b)
{
    pp_lm_traffic *t = NULL;
    drawing *d = &b->d;
    PP_TRY(pp_lm_mapping_traffic(&t, d->m, b->instance));
    pp_status status = PP_OK;
    for (uint32_t f = 0; f < t->n_flows && status == PP_OK; f++) {
        const pp_lm_edge *e = &d->m->edge[t->flow[f].edge];
        const char *of = t->flow[f].instance != b->instance ? instance_name(d, t->flow[f].instance) : "";
        pp_lm_flow_row row = {.from = d->m->stage[e->from].name, .kind = e->link == PP_NONE ? "sums" : "values",
                              .to = of != NULL ? targets_of(d, e, of) : NULL, .bits = e->bits, .packets = e->packets, .exact = e->exact};
        status = row.to != NULL && pp_push(&d->out->flows, row) ? PP_OK : PP_ENOMEM;
    }
    for (size_t i = 0; i < t->n_uses && status == PP_OK; i++) {
        const uint32_t row = d->row_of[t->use[i].channel];
        if (row > 0)
            status = pp_push(&d->out->hops, (pp_lm_hop_row){t->use[i].flow, row - 1, t->use[i].bits}) ? PP_OK : PP_ENOMEM;
    }
    pp_lm_traffic_free(t);
    return status;
}

static pp_status draw_block(block *b)
{
    const pp_lm_mapping *m = b->d.m;
    b->place_op = pp_alloc(m->instance[b->instance].n_places, sizeof *b->place_op);
    b->core_op = pp_calloc(m->fabric->n_cores, sizeof *b->core_op);
    b->island_of = pp_calloc(m->fabric->level[0].groups, sizeof *b->island_of);
    if (b->place_op == NULL || b->core_op == NULL || b->island_of == NULL)
        return PP_ENOMEM;
    PP_TRY(pp_lm_mapping_operators(m, b->instance, b->place_op));
    PP_TRY(find_islands(b));
    PP_TRY(squeeze(b));
    b->vertex_row = pp_alloc(b->islands.len * b->unit->n_vertices, sizeof *b->vertex_row);
    if (b->vertex_row == NULL)
        return PP_ENOMEM;
    const spot room = unit_room(b->unit);
    for (size_t i = 0; i < b->islands.len; i++)
        PP_TRY(add_island(b, i, room));
    if (m->fabric->n_levels > 1)
        PP_TRY(add_frames(b, room));
    return add_flows(b);
}

pp_status pp_lm_draw_block(pp_lm_drawn *out, const pp_lm_mapping *m, uint32_t layer, double tokens_s, pp_arena *arena)
{
    block b = {.instance = 1 + layer, .unit = m->fabric->level[0].unit, .lo = {INT32_MAX, INT32_MAX}, .hi = {-1, -1}};
    pp_status status = begin(&b.d, out, m, tokens_s, arena);
    out->block = layer;
    if (status == PP_OK && m->instance[b.instance].n_places <= BLOCK_CORES_MAX)
        status = draw_block(&b);
    free(b.d.row_of);
    free(b.place_op);
    free(b.core_op);
    free(b.island_of);
    free(b.vertex_row);
    free(b.islands.data);
    return status;
}

/* ---- levels ---- */

typedef struct levels {
    drawing d;
    spot size[PP_HIER_MAX_LEVELS], pitch[PP_HIER_MAX_LEVELS]; /* of a group; of its members */
    uint32_t *first_row[PP_HIER_MAX_LEVELS]; /* [groups] row of each group's vertex */
    uint32_t *first, *last, *used; /* [groups of level 0] instances, cores that work */
} levels;

static void measure(levels *v)
{
    const pp_hier *h = v->d.h;
    v->size[0] = (spot){1, 1};
    for (uint32_t l = 1; l < h->n_levels; l++) {
        const spot room = unit_room(h->level[l].unit);
        const double gap = l == 1 ? 0 : 1.2;
        v->pitch[l] = (spot){v->size[l - 1].x + gap, v->size[l - 1].y + gap};
        v->size[l] = (spot){room.x * v->pitch[l].x, room.y * v->pitch[l].y};
    }
}

/* Upper left corner of a group of level l. */
static spot corner(const levels *v, uint32_t l, uint32_t group)
{
    const pp_hier *h = v->d.h;
    spot at = {0, 0};
    for (uint32_t k = l + 1; k < h->n_levels; k++) {
        const pp_fabric *f = h->level[k].unit;
        const spot in = unit_spot(f, f->core_vertex[group % f->n_cores]);
        at.x += in.x * v->pitch[k].x;
        at.y += in.y * v->pitch[k].y;
        group /= f->n_cores;
    }
    return at;
}

static void find_instances(levels *v)
{
    const pp_lm_mapping *m = v->d.m;
    for (uint32_t i = 0; i < m->n_instances; i++)
        for (uint32_t p = m->instance[i].first_place; p < m->instance[i].first_place + m->instance[i].n_places; p++) {
            const uint32_t g = pp_hier_group(m->fabric, 0, m->order[p]);
            v->first[g] = v->used[g] == 0 ? i : v->first[g];
            v->last[g] = i;
            v->used[g]++;
        }
}

static const char *held_by(levels *v, uint32_t group)
{
    if (v->used[group] == 0)
        return "";
    const char *first = instance_name(&v->d, v->first[group]);
    if (v->first[group] == v->last[group] || first == NULL)
        return first;
    const char *last = instance_name(&v->d, v->last[group]);
    char text[96];
    (void)snprintf(text, sizeof text, "%s to %s", first, last != NULL ? last : "");
    return pp_arena_strdup(v->d.arena, text);
}

static pp_status add_group(levels *v, uint32_t l, uint32_t group)
{
    const spot at = corner(v, l, group);
    pp_lm_vertex_row row = {.kind = "group", .holds = l == 0 ? held_by(v, group) : "", .order = -1,
                            .x = at.x + (v->size[l].x - 1) / 2, .y = at.y + (v->size[l].y - 1) / 2,
                            .label = say(&v->d, "%s %u", v->d.h->level[l].name, group)};
    if (l == 0) {
        row.cores_used = v->used[group];
        row.order = v->used[group] > 0 ? (int64_t)v->first[group] : -1;
    } else {
        row.width = v->size[l].x + 0.4;
        row.height = v->size[l].y + 0.4;
        const uint64_t inside = v->d.h->level[l].cores / v->d.h->level[0].cores;
        for (uint64_t g = group * inside; g < (group + 1) * inside; g++)
            row.cores_used += v->used[g];
    }
    set_up(&v->d, l, group, &row);
    v->first_row[l][group] = (uint32_t)v->d.out->vertices.len;
    return row.holds != NULL && row.label != NULL && pp_push(&v->d.out->vertices, row) ? PP_OK : PP_ENOMEM;
}

/* Switches of one group of level l; rows[] of all its vertices. */
static pp_status add_members(levels *v, uint32_t l, uint32_t group, uint32_t *rows)
{
    const pp_hier_level *h = &v->d.h->level[l];
    const spot at = corner(v, l, group);
    for (uint32_t k = 0; k < h->unit->n_vertices; k++) {
        const uint32_t core = h->unit->vertex[k].core;
        const spot in = unit_spot(h->unit, k);
        rows[k] = core != PP_NO_VERTEX ? v->first_row[l - 1][group * h->size + core] : (uint32_t)v->d.out->vertices.len;
        if (core != PP_NO_VERTEX)
            continue;
        const pp_lm_vertex_row row = {.kind = "switch", .holds = "", .order = -1, .label = say(&v->d, "%s %u", "switch", k),
                                      .x = at.x + in.x * v->pitch[l].x + (v->size[l - 1].x - 1) / 2,
                                      .y = at.y + in.y * v->pitch[l].y + (v->size[l - 1].y - 1) / 2};
        if (row.label == NULL || !pp_push(&v->d.out->vertices, row))
            return PP_ENOMEM;
    }
    return PP_OK;
}

static pp_status add_level_channels(levels *v, uint32_t l)
{
    const pp_hier_level *h = &v->d.h->level[l];
    uint32_t *rows = pp_alloc(h->unit->n_vertices, sizeof *rows);
    pp_status status = rows != NULL ? PP_OK : PP_ENOMEM;
    for (uint32_t g = 0; g < h->groups && status == PP_OK; g++) {
        status = add_members(v, l, g, rows);
        for (uint32_t k = 0; k < h->unit->n_network && status == PP_OK; k++)
            status = add_channel(&v->d, l, g, k, rows[h->unit->channel[k].src], rows[h->unit->channel[k].dst]);
    }
    free(rows);
    return status;
}

/* What an instance puts on the drawn channels, as two flows: inside of it, and from the one before. */
static pp_status add_instance_flows(levels *v, uint32_t instance, double *bits)
{
    drawing *d = &v->d;
    const uint32_t before = instance > 0 ? instance - 1 : d->m->n_instances - 1, first = (uint32_t)d->out->flows.len;
    const size_t n = d->out->channels.len;
    pp_lm_traffic *t = NULL;
    PP_TRY(pp_lm_mapping_traffic(&t, d->m, instance));
    pp_lm_flow_row row[2] = {{.from = instance_name(d, instance), .to = instance_name(d, instance), .kind = "inside", .exact = true},
                             {.from = instance_name(d, before), .to = instance_name(d, instance), .kind = "values", .exact = true}};
    for (size_t i = 0; i < t->n_uses; i++) {
        const pp_lm_flow *f = &t->flow[t->use[i].flow];
        const uint32_t at = d->row_of[t->use[i].channel];
        if (at == 0 || f->instance != instance)
            continue;
        const size_t k = is_from_before(d, &d->m->edge[f->edge]);
        bits[k * n + at - 1] += t->use[i].bits;
    }
    for (uint32_t f = 0; f < t->n_flows; f++) {
        const pp_lm_edge *e = &d->m->edge[t->flow[f].edge];
        if (t->flow[f].instance != instance)
            continue;
        pp_lm_flow_row *r = &row[is_from_before(d, e)];
        r->bits += e->bits;
        r->packets += e->packets;
        r->exact = r->exact && e->exact;
    }
    pp_lm_traffic_free(t);
    for (uint32_t k = 0; k < 2; k++) {
        if (row[k].from == NULL || row[k].to == NULL || !pp_push(&d->out->flows, row[k]))
            return PP_ENOMEM;
        for (size_t c = 0; c < n; c++) {
            if (bits[k * n + c] > 0 && !pp_push(&d->out->hops, (pp_lm_hop_row){first + k, (uint32_t)c, bits[k * n + c]}))
                return PP_ENOMEM;
            bits[k * n + c] = 0;
        }
    }
    return PP_OK;
}

static pp_status add_all_flows(levels *v)
{
    double *bits = pp_calloc(2 * v->d.out->channels.len, sizeof *bits);
    pp_status status = bits != NULL ? PP_OK : PP_ENOMEM;
    for (uint32_t i = 0; i < v->d.m->n_instances && status == PP_OK; i++)
        status = add_instance_flows(v, i, bits);
    free(bits);
    return status;
}

static pp_status draw_levels(levels *v)
{
    const pp_hier *h = v->d.h;
    v->first = pp_calloc(h->level[0].groups, sizeof *v->first);
    v->last = pp_calloc(h->level[0].groups, sizeof *v->last);
    v->used = pp_calloc(h->level[0].groups, sizeof *v->used);
    if (v->first == NULL || v->last == NULL || v->used == NULL)
        return PP_ENOMEM;
    for (uint32_t l = 0; l + 1 < h->n_levels; l++) {
        v->first_row[l] = pp_alloc(h->level[l].groups, sizeof *v->first_row[l]);
        if (v->first_row[l] == NULL)
            return PP_ENOMEM;
    }
    measure(v);
    find_instances(v);
    for (uint32_t l = 0; l + 1 < h->n_levels; l++)
        for (uint32_t g = 0; g < h->level[l].groups; g++)
            PP_TRY(add_group(v, l, g));
    for (uint32_t l = 1; l < h->n_levels; l++)
        PP_TRY(add_level_channels(v, l));
    return add_all_flows(v);
}

pp_status pp_lm_draw_levels(pp_lm_drawn *out, const pp_lm_mapping *m, double tokens_s, pp_arena *arena)
{
    levels v = {0};
    pp_status status = begin(&v.d, out, m, tokens_s, arena);
    if (status == PP_OK && m->fabric->n_levels > 1 && m->fabric->level[0].groups <= GROUPS_MAX)
        status = draw_levels(&v);
    free(v.d.row_of);
    free(v.first);
    free(v.last);
    free(v.used);
    for (uint32_t l = 0; l < PP_HIER_MAX_LEVELS; l++)
        free(v.first_row[l]);
    return status;
}

/* ---- tables ---- */

static const pp_h5_column vertex_columns[] = {
    PP_H5_STRING_COLUMN(pp_lm_vertex_row, kind, 8, "core, switch or group"),
    PP_H5_STRING_COLUMN(pp_lm_vertex_row, label, 16, "what it is called"),
    PP_H5_STRING_COLUMN(pp_lm_vertex_row, holds, 16, "operator on a core, blocks in a group; empty: others, or nothing"),
    PP_H5_COLUMN(pp_lm_vertex_row, order, PP_H5_I64, "", "of what it holds, in the order of the model; -1: nothing"),
    PP_H5_COLUMN(pp_lm_vertex_row, x, PP_H5_F64, "core pitch", "place of its middle in drawings, to the right"),
    PP_H5_COLUMN(pp_lm_vertex_row, y, PP_H5_F64, "core pitch", "place of its middle in drawings, downwards"),
    PP_H5_COLUMN(pp_lm_vertex_row, width, PP_H5_F64, "core pitch", "of the frame around a group's members; 0: none"),
    PP_H5_COLUMN(pp_lm_vertex_row, height, PP_H5_F64, "core pitch", "of that frame"),
    PP_H5_COLUMN(pp_lm_vertex_row, cores_used, PP_H5_U32, "", "cores in it that the drawing tells of"),
    PP_H5_COLUMN(pp_lm_vertex_row, up_bits, PP_H5_F64, "bit", "a group's busiest way up, a token, headers included"),
    PP_H5_COLUMN(pp_lm_vertex_row, up_utilisation, PP_H5_F64, "", "busy share of that way at the run's throughput"),
};
static const pp_h5_column channel_columns[] = {
    PP_H5_COLUMN(pp_lm_channel_row, channel, PP_H5_U32, "", "channel of the fabric"),
    PP_H5_COLUMN(pp_lm_channel_row, level, PP_H5_U32, "", "level of the fabric, 0 the innermost"),
    PP_H5_COLUMN(pp_lm_channel_row, src, PP_H5_U32, "", "row of the vertices where it starts"),
    PP_H5_COLUMN(pp_lm_channel_row, dst, PP_H5_U32, "", "row of the vertices where it ends"),
    PP_H5_COLUMN(pp_lm_channel_row, rate_gbps, PP_H5_F64, "Gbit/s", "rate, all lanes"),
    PP_H5_COLUMN(pp_lm_channel_row, bits, PP_H5_F64, "bit", "a token of everybody, headers included"),
    PP_H5_COLUMN(pp_lm_channel_row, busy_ps, PP_H5_F64, "ps", "time that a token keeps it busy"),
    PP_H5_COLUMN(pp_lm_channel_row, utilisation, PP_H5_F64, "", "busy share at the run's throughput"),
};
static const pp_h5_column flow_columns[] = {
    PP_H5_STRING_COLUMN(pp_lm_flow_row, from, 16, "who sends"),
    PP_H5_STRING_COLUMN(pp_lm_flow_row, to, 16, "who receives"),
    PP_H5_STRING_COLUMN(pp_lm_flow_row, kind, 8, "values, sums (partial) or inside (all of a block's own)"),
    PP_H5_COLUMN(pp_lm_flow_row, bits, PP_H5_U64, "bit", "payload a token, before it branches"),
    PP_H5_COLUMN(pp_lm_flow_row, packets, PP_H5_U32, "", "packets a token"),
    PP_H5_COLUMN(pp_lm_flow_row, exact, PP_H5_BOOL, "", "1: its packets never meet others on a channel"),
};
static const pp_h5_column hop_columns[] = {
    PP_H5_COLUMN(pp_lm_hop_row, flow, PP_H5_U32, "", "row of the flows"),
    PP_H5_COLUMN(pp_lm_hop_row, channel, PP_H5_U32, "", "row of the channels"),
    PP_H5_COLUMN(pp_lm_hop_row, bits, PP_H5_F64, "bit", "that it puts there, a token, headers included"),
};

#define WRITE(group, suffix, list, columns, text)                                                                        \
    do {                                                                                                                 \
        (void)snprintf(path, sizeof path, "/" group "/%s_" suffix, name);                                               \
        (void)snprintf(says, sizeof says, "%s: %s", what, text);                                                         \
        PP_TRY(pp_h5_table(file, path, says, columns, sizeof columns / sizeof *(columns), d->list.data,                 \
                           sizeof *d->list.data, d->list.len));                                                          \
    } while (0)

pp_status pp_lm_drawn_write(hid_t file, const pp_lm_drawn *d, const char *name, const char *what)
{
    char path[64], says[160];
    WRITE("fabric", "vertices", vertices, vertex_columns, "what is drawn");
    WRITE("fabric", "channels", channels, channel_columns, "channels that carry something");
    WRITE("mapping", "flows", flows, flow_columns, "flows");
    WRITE("mapping", "hops", hops, hop_columns, "what flows put on the channels");
    return PP_OK;
}

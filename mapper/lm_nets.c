/* Nets of a part: who sends what to whom, token by token. Places only; nothing here knows the fabric. */
#include "mapper/lm_internal.h"

#include <stdlib.h>

/* The cores among which a stage's values are spread: slot s has values [lo(s), lo(s + 1)). */
typedef struct slots {
    uint32_t part, op;        /* the stage */
    uint32_t n, values, width; /* width 0: spread evenly */
} slots;

uint32_t pp_lm_edges(const pp_lm_ctx *x, uint32_t part)
{
    return x->graph->part[part].n_links + x->graph->part[part].n_ops;
}

bool pp_lm_edge_is_in(const pp_lm_ctx *x, uint32_t part, uint32_t edge)
{
    const pp_lm_part *p = &x->graph->part[part];
    return edge < p->n_links && x->graph->link[p->first_link + edge].from == PP_LM_PREVIOUS;
}

static slots slots_of(const pp_lm_ctx *x, uint32_t part, uint32_t k, uint32_t values, bool inputs)
{
    const pp_lm_op *op = pp_lm_op_of(x, part, k);
    const pp_lm_op_plan *p = pp_lm_plan_of(x, part, k);
    const bool rows = inputs && op->kind == PP_LM_OP_LINEAR;
    slots s = {.part = part, .op = k, .values = values, .n = rows ? p->row_tiles : p->units,
               .width = rows ? (uint32_t)x->in->arch->rows : p->slot_width};
    if ((uint64_t)s.width * s.n < values || (s.n > 0 && (uint64_t)s.width * (s.n - 1) >= values))
        s.width = 0;
    return s;
}

static uint32_t slot_lo(const slots *s, uint32_t i)
{
    if (i >= s->n)
        return s->values;
    return s->width > 0 ? i * s->width : (uint32_t)((uint64_t)i * s->values / s->n);
}

/* Slot that holds value v. */
static uint32_t slot_at(const slots *s, uint32_t v)
{
    uint32_t i = s->width > 0 ? v / s->width : (uint32_t)((uint64_t)v * s->n / s->values);
    while (i + 1 < s->n && slot_lo(s, i + 1) <= v)
        i++;
    while (i > 0 && slot_lo(s, i) > v)
        i--;
    return i;
}

/* Tile of the host that works on slot i of the stage for the tokens of a phase: as a matrix' output, or as an input. */
static uint32_t tile_of(const pp_lm_op_plan *host, uint32_t phase, uint32_t col, uint32_t row)
{
    return (phase % host->copies * host->col_tiles + col) * host->row_tiles + row;
}

static uint32_t tile_at(const pp_lm_ctx *x, uint32_t part, uint32_t k, uint32_t i, uint32_t phase)
{
    const pp_lm_op_plan *p = pp_lm_plan_of(x, part, k), *host = pp_lm_plan_of(x, part, p->host);
    return p->at_inputs ? tile_of(host, phase, 0, i) : tile_of(host, phase, i, host->row_tiles - 1);
}

static uint64_t place_of(const pp_lm_ctx *x, uint32_t part, uint32_t host, uint32_t tile, uint64_t first)
{
    return first + x->layout[part].place[pp_lm_plan_of(x, part, host)->first_place + tile];
}

static uint64_t slot_place(const pp_lm_ctx *x, uint32_t part, uint32_t k, uint32_t i, uint32_t phase, uint64_t first)
{
    return place_of(x, part, pp_lm_plan_of(x, part, k)->host, tile_at(x, part, k, i, phase), first);
}

/* Slot where slices meet: the head of the first column at inputs, the middle at outputs. */
static uint32_t root_slot(const pp_lm_ctx *x, uint32_t part, uint32_t k)
{
    const pp_lm_op_plan *p = pp_lm_plan_of(x, part, k);
    return p->at_inputs ? p->units - 1 : p->units / 2;
}

/* ---- links ---- */

typedef PP_VEC(pp_lm_net_end) end_list;

typedef struct visit {
    const pp_lm_ctx *x;
    const pp_lm_where *w;
    const pp_lm_link *link;
    pp_lm_net_fn fn;
    void *payload;
    end_list ends;
    pp_lm_net_view net;
} visit;

static uint32_t copies_of(const pp_lm_ctx *x, uint32_t part, uint32_t k)
{
    return pp_lm_plan_of(x, part, pp_lm_plan_of(x, part, k)->host)->copies;
}

static bool add_end(visit *v, uint64_t place, uint32_t op, uint32_t tile)
{
    return pp_push(&v->ends, (pp_lm_net_end){.place = place, .op = op, .tile = tile});
}

/* Everybody who works on slot i of target k: of a matrix all columns, of a head whose context is split all its units (the one
 * whose turn it is keeps the token's keys and values). */
static bool add_slot(visit *v, uint32_t k, uint32_t i)
{
    const pp_lm_ctx *x = v->x;
    const uint32_t part = v->w->part, phase = v->net.phase;
    const pp_lm_op_plan *p = pp_lm_plan_of(x, part, k);
    if (pp_lm_is_split(pp_lm_op_of(x, part, k), p)) {
        for (uint32_t row = 0; row < p->row_tiles; row++) {
            const uint32_t tile = tile_of(p, phase, i, row);
            if (!add_end(v, place_of(x, part, k, tile, v->w->first), k, tile))
                return false;
        }
        return true;
    }
    if (pp_lm_op_of(x, part, k)->kind != PP_LM_OP_LINEAR)
        return add_end(v, slot_place(x, part, k, i, phase, v->w->first), k, i);
    for (uint32_t col = 0; col < p->col_tiles; col++) {
        const uint32_t tile = tile_of(p, phase, col, i);
        if (!add_end(v, place_of(x, part, k, tile, v->w->first), k, tile))
            return false;
    }
    return true;
}

static pp_status send(visit *v, uint64_t src, uint32_t values)
{
    v->net.src = src;
    v->net.bits = values * v->link->bits;
    v->net.n_ends = (uint32_t)v->ends.len;
    v->net.end = v->ends.data;
    return v->ends.len > 0 ? v->fn(v->payload, &v->net) : PP_OK;
}

/* Values [lo, hi) of one source slot: cut where any target's slots end. */
static pp_status send_slot(visit *v, uint64_t src, uint32_t lo, uint32_t hi)
{
    const pp_lm_graph *g = v->x->graph;
    while (lo < hi) {
        uint32_t end = hi;
        v->ends.len = 0;
        for (uint32_t j = 0; j < v->link->n_to; j++) {
            const uint32_t k = g->link_to[v->link->first_to + j];
            const slots s = slots_of(v->x, v->w->part, k, v->link->values, true);
            const uint32_t i = slot_at(&s, lo), stop = slot_lo(&s, i + 1);
            end = stop < end ? stop : end;
            if (!add_slot(v, k, i))
                return PP_ENOMEM;
        }
        PP_TRY(send(v, src, end - lo));
        lo = end;
    }
    return PP_OK;
}

static pp_status send_scalar(visit *v, uint64_t src)
{
    const pp_lm_graph *g = v->x->graph;
    v->ends.len = 0;
    for (uint32_t j = 0; j < v->link->n_to; j++) {
        const uint32_t k = g->link_to[v->link->first_to + j];
        const slots s = slots_of(v->x, v->w->part, k, v->link->values, true);
        for (uint32_t i = 0; i < s.n; i++)
            if (!add_slot(v, k, i))
                return PP_ENOMEM;
    }
    return send(v, src, v->link->values);
}

static pp_status visit_link(visit *v)
{
    const bool before = v->link->from == PP_LM_PREVIOUS;
    if (before && v->w->previous == PP_NONE)
        return PP_OK;
    const uint32_t part = before ? v->w->previous : v->w->part;
    const uint32_t k = before ? v->x->graph->part[part].result : v->link->from;
    const uint64_t first = before ? v->w->first_previous : v->w->first;
    const pp_lm_op *op = pp_lm_op_of(v->x, part, k);
    const bool scalar = v->link->scalar || (op->gathers && !op->spreads && op->out == 1);
    v->net.phases = (uint32_t)pp_lm_phases(v->x, v->w->part, v->w->previous, v->link);
    for (uint32_t phase = 0; phase < v->net.phases; phase++) {
        v->net.phase = phase;
        if (scalar) {
            PP_TRY(send_scalar(v, slot_place(v->x, part, k, root_slot(v->x, part, k), phase, first)));
            continue;
        }
        const slots s = slots_of(v->x, part, k, v->link->values, false);
        for (uint32_t i = 0; i < s.n; i++)
            PP_TRY(send_slot(v, slot_place(v->x, part, k, i, phase, first), slot_lo(&s, i), slot_lo(&s, i + 1)));
    }
    return PP_OK;
}

/* ---- inside an operator ---- */

/* Nodes 0 .. n - 1 of a column add up in node `root`; place and bits of each are the caller's. */
typedef struct sum {
    visit *v;
    uint32_t op, n, root, bits;
    uint32_t first_node;
    bool column;              /* row tiles of column `col`; else the operator's slots */
    uint32_t col;
} sum;

static uint32_t node_tile(const sum *s, uint32_t i)
{
    const pp_lm_ctx *x = s->v->x;
    const uint32_t part = s->v->w->part, phase = s->v->net.phase;
    if (s->column)
        return tile_of(pp_lm_plan_of(x, part, s->op), phase, s->col, i);
    return tile_at(x, part, s->op, i, phase);
}

static uint64_t node_place(const sum *s, uint32_t i)
{
    const uint32_t part = s->v->w->part, host = pp_lm_plan_of(s->v->x, part, s->op)->host;
    return place_of(s->v->x, part, host, node_tile(s, i), s->v->w->first);
}

static pp_status hand_on(const sum *s, uint32_t from, uint32_t to)
{
    visit *v = s->v;
    v->ends.len = 0;
    if (!add_end(v, node_place(s, to), s->op, s->column ? node_tile(s, to) : to))
        return PP_ENOMEM;
    v->net.src = node_place(s, from);
    v->net.src_node = s->first_node + from;
    v->net.dst_node = s->first_node + to;
    v->net.bits = s->bits;
    v->net.n_ends = 1;
    v->net.end = v->ends.data;
    return v->fn(v->payload, &v->net);
}

/* Binary tree over nodes [lo, hi): the halves add up beside each other, then one hands its sum to the other. The last
 * node of a range has its sum, or the root where the range holds it. */
static pp_status add_tree(const sum *s, uint32_t lo, uint32_t hi, uint32_t *top)
{
    *top = lo;
    if (hi - lo == 1)
        return PP_OK;
    const uint32_t mid = lo + (hi - lo) / 2;
    uint32_t left, right;
    PP_TRY(add_tree(s, lo, mid, &left));
    PP_TRY(add_tree(s, mid, hi, &right));
    *top = s->root >= lo && s->root < mid ? left : right;
    return hand_on(s, *top == left ? right : left, *top);
}

static pp_status add_up(const sum *s, uint32_t reduction)
{
    uint32_t top;
    if (reduction == PP_REDUCE_TREE)
        return add_tree(s, 0, s->n, &top);
    for (uint32_t i = 0; i + 1 < s->n; i++) /* the root is the last node */
        PP_TRY(hand_on(s, i, reduction == PP_REDUCE_STAR ? s->root : i + 1));
    return PP_OK;
}

/* Bits of a partial sum of a column, or of a partial result of a head. */
static uint32_t column_bits(const pp_lm_ctx *x, const pp_lm_op *op, uint32_t col)
{
    const uint32_t lo = col * x->slice;
    if (op->kind == PP_LM_OP_ATTENTION)
        return pp_lm_merge_bits(x->graph);
    return (op->out - lo < x->slice ? op->out - lo : x->slice) * x->psum_bits;
}

static pp_status visit_columns(visit *v, uint32_t k)
{
    const pp_lm_op *op = pp_lm_op_of(v->x, v->w->part, k);
    const pp_lm_op_plan *p = pp_lm_plan_of(v->x, v->w->part, k);
    if (p->row_tiles == 1)
        return PP_OK;
    v->net.phases = p->copies;
    for (uint32_t phase = 0; phase < p->copies; phase++)
        for (uint32_t col = 0; col < p->col_tiles; col++) {
            v->net.phase = phase;
            const sum s = {.v = v, .op = k, .n = p->row_tiles, .root = p->row_tiles - 1, .bits = column_bits(v->x, op, col),
                           .first_node = col * p->row_tiles, .column = true, .col = col};
            PP_TRY(add_up(&s, p->reduction));
        }
    return PP_OK;
}

/* A few values of every slice to one core; and back, if the operator's result is a vector. A gathered rotation gets its
 * vector by its link. */
static pp_status visit_gather(visit *v, uint32_t k)
{
    const pp_lm_op *op = pp_lm_op_of(v->x, v->w->part, k);
    const pp_lm_op_plan *p = pp_lm_plan_of(v->x, v->w->part, k);
    if (!op->gathers || op->gathered == 0 || p->units < 2)
        return PP_OK;
    v->net.phases = copies_of(v->x, v->w->part, k);
    for (uint32_t phase = 0; phase < v->net.phases; phase++) {
        v->net.phase = phase;
        const sum s = {.v = v, .op = k, .n = p->units, .root = root_slot(v->x, v->w->part, k), .bits = op->gathered * 32};
        PP_TRY(add_up(&s, PP_REDUCE_TREE));
        if (!op->spreads)
            continue;
        v->ends.len = 0;
        for (uint32_t i = 0; i < p->units; i++)
            if (i != s.root && !add_end(v, node_place(&s, i), k, i))
                return PP_ENOMEM;
        v->net.src = node_place(&s, s.root);
        v->net.src_node = s.root;
        v->net.dst_node = PP_NONE;
        v->net.bits = s.bits;
        v->net.n_ends = (uint32_t)v->ends.len;
        v->net.end = v->ends.data;
        PP_TRY(v->fn(v->payload, &v->net));
    }
    return PP_OK;
}

pp_status pp_lm_visit_edge(const pp_lm_ctx *x, const pp_lm_where *w, uint32_t edge, pp_lm_net_fn fn, void *payload)
{
    const pp_lm_part *part = &x->graph->part[w->part];
    visit v = {.x = x, .w = w, .fn = fn, .payload = payload,
               .net = {.edge = edge, .src_node = PP_NONE, .dst_node = PP_NONE, .phases = 1}};
    pp_status status;
    if (edge < part->n_links) {
        v.link = &x->graph->link[part->first_link + edge];
        status = visit_link(&v);
    } else {
        const uint32_t k = edge - part->n_links;
        const pp_lm_op *op = pp_lm_op_of(x, w->part, k);
        status = op->kind == PP_LM_OP_LINEAR || op->kind == PP_LM_OP_ATTENTION ? visit_columns(&v, k) : visit_gather(&v, k);
    }
    free(v.ends.data);
    return status;
}

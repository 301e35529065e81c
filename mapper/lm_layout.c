/* Places: the order in which the tiles of a part are laid down, and walks through the cores of a group.
 *
 * A column of row tiles stays together, so that its partial sums go from neighbour to neighbour. Columns of matrices
 * that work together alternate: q, k, v with the attention units of their heads, gate with up. */
#include "mapper/lm_internal.h"

#include <stdlib.h>

/* A column of tiles (or a digital unit) and where it belongs: stages that alternate have the same `group`; inside a
 * group columns follow by `key`, the share of the way that they have reached. */
typedef struct column {
    uint32_t group, op, col;
    double key;
} column;

static int compare_columns(const void *pa, const void *pb)
{
    const column *a = pa, *b = pb;
    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    if (a->key < b->key || a->key > b->key)
        return a->key < b->key ? -1 : 1;
    if (a->op != b->op)
        return a->op < b->op ? -1 : 1;
    return a->col < b->col ? -1 : a->col > b->col;
}

static bool is_qkv(const pp_lm_op *op)
{
    return op->kind == PP_LM_OP_LINEAR && (op->weight == PP_LM_Q || op->weight == PP_LM_K || op->weight == PP_LM_V);
}

/* The first operator that an operator alternates with. */
static uint32_t group_of(const pp_lm_ctx *x, uint32_t part, uint32_t k)
{
    const pp_lm_op *op = pp_lm_op_of(x, part, k);
    const bool attention = op->kind == PP_LM_OP_ATTENTION;
    for (uint32_t j = 0; j < k; j++) {
        const pp_lm_op *other = pp_lm_op_of(x, part, j);
        const bool pair = op->weight == PP_LM_UP && other->weight == PP_LM_GATE && op->expert == other->expert;
        if (((attention || is_qkv(op)) && is_qkv(other)) || pair)
            return j;
    }
    return k;
}

static pp_status list_columns(column **out, uint32_t *n, const pp_lm_ctx *x, uint32_t part)
{
    PP_VEC(column) list = {0};
    for (uint32_t k = 0; k < x->graph->part[part].n_ops; k++) {
        const pp_lm_op_plan *p = pp_lm_plan_of(x, part, k);
        const bool unit = pp_lm_op_of(x, part, k)->kind == PP_LM_OP_ATTENTION; /* behind the last of its heads */
        for (uint32_t c = 0; p->tiles > 0 && c < p->col_tiles; c++) {
            const column entry = {.group = group_of(x, part, k), .op = k, .col = c,
                                  .key = ((double)c + (unit ? 1.0 : 0.5)) / p->col_tiles};
            if (!pp_push(&list, entry)) {
                free(list.data);
                return PP_ENOMEM;
            }
        }
    }
    qsort(list.data, list.len, sizeof *list.data, compare_columns);
    *out = list.data;
    *n = (uint32_t)list.len;
    return PP_OK;
}

/* Where a column of `rows` tiles may begin. A run of the walk is `align` cores: columns that divide it, or that it
 * divides, begin so that their tiles keep step; others follow at once. */
static uint32_t align_up(uint32_t at, uint32_t rows, uint32_t align)
{
    const uint32_t step = align <= 1 || rows == 1 ? 1 : rows % align == 0 ? align : align % rows == 0 ? rows : 1;
    return (at + step - 1) / step * step;
}

/* Slices of a vector in cores of their own begin a run each: what they send then leaves them on channels of its own. */
static bool is_slice(const pp_lm_ctx *x, uint32_t part, uint32_t k)
{
    const pp_lm_op *op = pp_lm_op_of(x, part, k);
    return op->kind != PP_LM_OP_LINEAR && op->units == 0;
}

static void place_column(const pp_lm_ctx *x, uint32_t part, const column *c, uint32_t *at)
{
    pp_lm_layout *l = &x->layout[part];
    const pp_lm_op_plan *p = pp_lm_plan_of(x, part, c->op);
    if (is_slice(x, part, c->op))
        *at = (*at + x->align - 1) / x->align * x->align;
    for (uint32_t copy = 0; copy < p->copies; copy++) {
        *at = align_up(*at, p->row_tiles, x->align);
        for (uint32_t r = 0; r < p->row_tiles; r++)
            l->place[p->first_place + (copy * p->col_tiles + c->col) * p->row_tiles + r] = (*at)++;
    }
}

static pp_status layout_part(pp_lm_ctx *x, uint32_t part)
{
    pp_lm_layout *l = &x->layout[part];
    column *list = NULL;
    uint32_t n = 0, at = 0;
    l->n_tiles = 0;
    for (uint32_t k = 0; k < x->graph->part[part].n_ops; k++) {
        pp_lm_plan_of(x, part, k)->first_place = l->n_tiles;
        l->n_tiles += pp_lm_plan_of(x, part, k)->tiles;
    }
    free(l->place);
    l->place = pp_alloc(l->n_tiles, sizeof *l->place);
    PP_TRY(l->place ? list_columns(&list, &n, x, part) : PP_ENOMEM);
    for (uint32_t i = 0; i < n; i++)
        place_column(x, part, &list[i], &at);
    l->length = align_up(at, x->align, x->align); /* the next instance begins in step */
    free(list);
    return PP_OK;
}

pp_status pp_lm_layout_parts(pp_lm_ctx *x)
{
    if (!x->layout)
        x->layout = pp_calloc(x->graph->n_parts, sizeof *x->layout);
    if (!x->layout)
        return PP_ENOMEM;
    for (uint32_t part = 0; part < x->graph->n_parts; part++)
        PP_TRY(layout_part(x, part));
    return PP_OK;
}

/* ---- walks ---- */

/* Core at (row, col) of a grid, and the grid's size; NULL when the cores form none. */
static uint32_t *grid_of(const pp_fabric *f)
{
    const uint64_t n = (uint64_t)f->core_rows * f->core_cols;
    if (n == 0 || n != f->n_cores || f->shape.planes > 1)
        return NULL;
    uint32_t *at = pp_alloc(f->n_cores, sizeof *at);
    for (uint32_t i = 0; at && i < f->n_cores; i++) {
        const int32_t *c = f->vertex[f->core_vertex[i]].coord;
        at[(uint32_t)c[0] * f->core_cols + (uint32_t)c[1]] = i;
    }
    return at;
}

/* One block row by row; every other row backwards when it snakes. */
static void walk_block(uint32_t *out, uint32_t *n, const uint32_t *at, const pp_fabric *f, uint32_t row, uint32_t col,
                       uint32_t block, bool snake)
{
    const uint32_t high = f->core_rows - row < block ? f->core_rows - row : block;
    const uint32_t wide = f->core_cols - col < block ? f->core_cols - col : block;
    for (uint32_t r = 0; r < high; r++)
        for (uint32_t c = 0; c < wide; c++) {
            const uint32_t k = snake && r % 2 == 1 ? wide - 1 - c : c;
            out[(*n)++] = at[(row + r) * f->core_cols + col + k];
        }
}

pp_status pp_lm_walk_members(uint32_t **out, const pp_fabric *f, pp_lm_walk walk, uint32_t block)
{
    uint32_t n = 0, *at = grid_of(f), *list = pp_alloc(f->n_cores, sizeof *list);
    *out = list;
    if (!list) {
        free(at);
        return PP_ENOMEM;
    }
    if (!at) {
        for (; n < f->n_cores; n++)
            list[n] = n;
        return PP_OK;
    }
    /* Blocks go back and forth, so that one ends beside the next. */
    const uint32_t across = (f->core_cols + block - 1) / block, down = (f->core_rows + block - 1) / block;
    for (uint32_t r = 0; r < down; r++)
        for (uint32_t c = 0; c < across; c++) {
            const uint32_t k = r % 2 == 1 ? across - 1 - c : c;
            walk_block(list, &n, at, f, r * block, k * block, block, walk == PP_LM_WALK_SNAKE);
        }
    free(at);
    return PP_OK;
}

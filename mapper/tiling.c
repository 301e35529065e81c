/* A stage's matrix cut into crossbars.
 *
 * Rows of one input channel: the input pixels that a patch of uy x ux output pixels touches, of all
 * kernel positions together. Columns of one output channel: one for each pixel of the patch (and slice
 * of a weight). PAPER: joshi2020 Methods (filters flattened into columns); unrolling: docs/mapping.md. */
#include "mapper/mapper_internal.h"

#include <string.h>

/* Different input lines that `u` output lines touch with `k` taps: dilation leaves holes that other
 * outputs may fill, a stride larger than the kernel leaves holes that nobody reads. */
static uint32_t lines_touched(uint32_t u, uint32_t k, uint32_t stride, uint32_t dilation)
{
    uint32_t touched = 0, end = (u - 1) * stride + (k - 1) * dilation + 1;
    for (uint32_t line = 0; line < end; line++) {
        bool hit = false;
        for (uint32_t tap = 0; tap < k && !hit; tap++) {
            uint32_t at = tap * dilation;
            hit = line >= at && (line - at) % stride == 0 && (line - at) / stride < u;
        }
        touched += hit;
    }
    return touched;
}

static uint32_t divide_up(uint64_t a, uint64_t b)
{
    return (uint32_t)((a + b - 1) / b);
}

pp_patch pp_patch_clamp(pp_patch patch, pp_shape map)
{
    return (pp_patch){patch.y < map.h ? patch.y : map.h, patch.x < map.w ? patch.x : map.w};
}

/* Rows and columns that one channel takes; what tiles must hold. */
static void measure(pp_tiling *t, const pp_qnetwork *q, const pp_arch *arch, uint32_t stage, pp_patch patch)
{
    const pp_stage *s = &q->stages->stage[stage];
    const pp_op *op = &q->net->ops[s->matrix];
    const pp_window *w = &op->window;
    if (op->kind == PP_OP_CONV) {
        t->window = lines_touched(patch.y, w->kh, w->sh, w->dh) * lines_touched(patch.x, w->kw, w->sw, w->dw);
        t->kernel = w->kh * w->kw;
        t->groups = op->groups;
    } else {
        /* A linear layer sees the whole map that was flattened before it. */
        t->window = t->kernel = s->in.h * s->in.w;
        t->groups = 1;
    }
    t->widen = patch.y * patch.x * pp_arch_slices(arch, q->stage[stage].wbits);
}

/* Row tiles split the input channels of a group, column tiles its output channels. */
static bool split_dense(pp_tiling *t, uint32_t cin, uint32_t cout, uint32_t rows, uint32_t cols)
{
    uint32_t in_max = rows / t->window, out_max = cols / t->widen;
    if (!in_max || !out_max)
        return false;
    t->row_tiles = divide_up(cin, in_max);
    uint32_t split = divide_up(cout, out_max);
    t->col_tiles = t->groups * split;
    t->group_tiles = 0;
    t->cols_max = divide_up(cout, split) * t->widen;
    return true;
}

/* Whole groups side by side, block-diagonal, when more than the one fits. */
static bool split_groups(pp_tiling *t, uint32_t cin, uint32_t cout, uint32_t rows, uint32_t cols)
{
    uint64_t by_rows = rows / ((uint64_t)cin * t->window), by_cols = cols / ((uint64_t)cout * t->widen);
    uint64_t most = by_rows < by_cols ? by_rows : by_cols;
    if (!most)
        return false;
    t->row_tiles = 1;
    t->col_tiles = t->group_tiles = divide_up(t->groups, most);
    t->cols_max = divide_up(t->groups, t->group_tiles) * cout * t->widen;
    return true;
}

bool pp_tiling_try(pp_tiling *out, const pp_qnetwork *q, const pp_arch *arch, uint32_t stage, pp_patch patch)
{
    const pp_stage *s = &q->stages->stage[stage];
    *out = (pp_tiling){.row_tiles = 1, .col_tiles = 1, .groups = 1};
    if (s->matrix == PP_NONE) {
        const pp_patch p = pp_patch_clamp(patch, s->fire);
        out->widen = p.y * p.x;
        return true;
    }
    measure(out, q, arch, stage, pp_patch_clamp(patch, s->fire));
    uint32_t cin = s->in.c / out->groups, cout = s->fire.c / out->groups;
    uint32_t rows = (uint32_t)arch->rows, cols = (uint32_t)arch->cols;
    if (out->groups > 1 && split_groups(out, cin, cout, rows, cols))
        return true;
    return split_dense(out, cin, cout, rows, cols);
}

pp_status pp_tiling_find(pp_tiling *out, const pp_qnetwork *q, const pp_arch *arch, uint32_t stage, pp_patch patch)
{
    if (pp_tiling_try(out, q, arch, stage, patch))
        return PP_OK;
    const char *name = q->stages->stage[stage].name;
    if (out->window > arch->rows)
        return pp_fail(PP_EINFEASIBLE,
                       "layer %s: one input channel needs %u rows at %ux%u output pixels an MVM, arch.rows is %lld",
                       name, out->window, patch.y, patch.x, (long long)arch->rows);
    return pp_fail(PP_EINFEASIBLE,
                   "layer %s: one output channel needs %u columns at %ux%u output pixels an MVM, arch.cols is %lld",
                   name, out->widen, patch.y, patch.x, (long long)arch->cols);
}

static uint32_t part(uint32_t n, uint32_t i, uint32_t parts)
{
    return (uint32_t)((uint64_t)n * i / parts);
}

static void dense_tile(pp_tile *tile, const pp_tiling *t, uint32_t cin, uint32_t cout, uint32_t col, uint32_t row)
{
    uint32_t split = t->col_tiles / t->groups, group = col / split, share = col % split;
    tile->in_lo = group * cin + part(cin, row, t->row_tiles);
    tile->in_hi = group * cin + part(cin, row + 1, t->row_tiles);
    tile->out_lo = group * cout + part(cout, share, split);
    tile->out_hi = group * cout + part(cout, share + 1, split);
    tile->cells_useful = (uint64_t)(tile->in_hi - tile->in_lo) * t->kernel * (tile->out_hi - tile->out_lo) * t->widen;
}

static void group_tile(pp_tile *tile, const pp_tiling *t, uint32_t cin, uint32_t cout, uint32_t col)
{
    uint32_t lo = part(t->groups, col, t->group_tiles), hi = part(t->groups, col + 1, t->group_tiles);
    tile->in_lo = lo * cin;
    tile->in_hi = hi * cin;
    tile->out_lo = lo * cout;
    tile->out_hi = hi * cout;
    tile->cells_useful = (uint64_t)(hi - lo) * cin * t->kernel * cout * t->widen;
}

void pp_tiling_tile(pp_tile *tile, const pp_tiling *t, const pp_stage *stage, uint32_t col, uint32_t row)
{
    uint32_t cin = stage->in.c / t->groups, cout = stage->fire.c / t->groups;
    tile->col = col;
    tile->row = row;
    tile->head = row + 1 == t->row_tiles;
    if (stage->matrix == PP_NONE) {
        tile->in_hi = stage->in.c;
        tile->out_hi = stage->fire.c;
        return;
    }
    if (t->group_tiles)
        group_tile(tile, t, cin, cout, col);
    else
        dense_tile(tile, t, cin, cout, col, row);
    tile->rows_used = (tile->in_hi - tile->in_lo) * t->window;
    tile->cols_used = (tile->out_hi - tile->out_lo) * t->widen;
}

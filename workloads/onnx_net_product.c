/* Products of two computed values: MatMul and Einsum of attention. */
#include "workloads/onnx_net_internal.h"

#include <stdio.h>
#include <string.h>

/* One factor of a product as the network takes it. */
typedef struct side {
    pp_onnx_stream s;
    uint32_t rows, cols; /* dimensions of the matrix: the last two */
} side;

static pp_status refuse(pp_onnx_net *v, const char *why)
{
    return pp_net_refuse(v, why);
}

static bool batch_fits(const pp_onnx_stream *a, const pp_onnx_stream *b)
{
    for (uint32_t d = 0; d + 2 < a->ndim; d++)
        if (a->dim[d] != b->dim[d] || pp_net_holds_channels(a, d) != pp_net_holds_channels(b, d) ||
            pp_net_holds_pixels(a, d) != pp_net_holds_pixels(b, d))
            return false;
    return true;
}

/* Channels of a stream in the order of its dimensions are those of its map; *heads: how many lie before the matrix. */
static bool channels_in_order(const pp_onnx_net *v, const pp_onnx_stream *s, uint64_t *heads)
{
    uint64_t left = pp_net_shape(v, s).c;
    *heads = 1;
    for (uint32_t i = 0; i < s->n_factors; i++) {
        if (s->f[i].axis != PP_ONNX_C)
            continue;
        left /= s->f[i].size;
        if (s->f[i].stride != left)
            return false;
        *heads *= s->f[i].dim + 2u < s->ndim ? s->f[i].size : 1;
    }
    return left == 1;
}

/* Heads inside of each other part of the channels: [part][heads] -> [heads][part]. */
static pp_status order_channels(pp_onnx_net *v, pp_onnx_stream *s)
{
    pp_factor *slow = NULL, *fast = NULL;
    uint64_t heads;
    uint32_t op = 0, n = 0;
    if (channels_in_order(v, s, &heads))
        return PP_OK;
    for (uint32_t i = 0; i < s->n_factors; i++)
        if (s->f[i].axis == PP_ONNX_C) {
            slow = slow ? slow : &s->f[i];
            fast = &s->f[i];
            n++;
        }
    if (n != 2 || slow->stride != 1 || fast->stride != slow->size || slow->size * fast->size != pp_net_shape(v, s).c)
        return refuse(v, "its heads are not parts of the channels, one behind the other");
    const char *name = pp_net_name(v);
    if (!name)
        return PP_ENOMEM;
    PP_TRY(pp_build_shuffle(v->b, name, s->op, fast->size, &op));
    slow->stride = fast->size;
    fast->stride = 1;
    s->op = op;
    s->shared = false;
    s->scaled = 0;
    return PP_OK;
}

/* Whether dimension d is all pixels of the map in their order, and no other holds one. */
static bool is_whole(const pp_onnx_net *v, const pp_onnx_stream *s, uint32_t d)
{
    const pp_shape shape = pp_net_shape(v, s);
    uint64_t left = (uint64_t)shape.h * shape.w;
    for (uint32_t i = 0; i < s->n_factors; i++) {
        if (s->f[i].axis == PP_ONNX_C)
            continue;
        const uint64_t stride = (uint64_t)s->f[i].stride * (s->f[i].axis == PP_ONNX_H ? shape.w : 1);
        left /= s->f[i].size;
        if (s->f[i].dim != d || stride != left)
            return false;
    }
    return left == 1;
}

/* A factor 1 / sqrt(d) on an operand goes into the product. */
static uint32_t without_scale(const pp_onnx_net *v, uint32_t op, double *factor)
{
    double by = 1;
    const pp_op *o = pp_builder_op_(v->b, op);
    while (pp_net_uniform(o, &by, 0) && by > 1e-30) {
        *factor *= by;
        op = o->inputs[0];
        o = pp_builder_op_(v->b, op);
    }
    return op;
}

/* The result: the left factor's dimensions with those columns of the right one that it does not sum over. */
static pp_onnx_stream result_of(const side *a, const side *b, bool transposed, uint32_t op, uint64_t heads)
{
    pp_onnx_stream out = {.op = op, .ndim = a->s.ndim};
    const uint64_t n = b->s.dim[transposed ? b->rows : b->cols];
    memcpy(out.dim, a->s.dim, sizeof out.dim);
    out.dim[a->cols] = n;
    uint64_t stride = heads * n;
    for (uint32_t d = 0; d < out.ndim; d++)
        for (uint32_t i = 0; i < a->s.n_factors; i++) {
            pp_factor f = a->s.f[i];
            if (f.dim != d || (f.axis == PP_ONNX_C && d == a->cols))
                continue;
            if (f.axis == PP_ONNX_C)
                f.stride = (uint32_t)(stride /= f.size);
            out.f[out.n_factors++] = f;
        }
    if (n > 1) { /* in place of the columns, which may lie before the rows */
        uint32_t at = 0;
        while (at < out.n_factors && out.f[at].dim < a->cols)
            at++;
        for (uint32_t i = out.n_factors; i > at; i--)
            out.f[i] = out.f[i - 1];
        out.f[at] = (pp_factor){.axis = PP_ONNX_C, .dim = (uint8_t)a->cols, .size = (uint32_t)n, .stride = 1};
        out.n_factors++;
    }
    return out;
}

/* Left factor with tokens as rows and channels as columns; the right one has its tokens in `rows` (transposed: queries and
 * keys, both summed over channels) or is summed over them. */
static pp_status multiply(pp_onnx_net *v, side *a, side *b, bool transposed, pp_onnx_stream *out)
{
    const uint32_t sequence = b->rows, queries = a->rows;
    pp_op like = {.transposed = transposed, .factor = 1};
    bool fine = true;
    uint64_t heads, others;
    PP_TRY(order_channels(v, &a->s));
    PP_TRY(order_channels(v, &b->s));
    channels_in_order(v, &a->s, &heads);
    channels_in_order(v, &b->s, &others);
    if (heads != others)
        return refuse(v, "its two factors have different numbers of heads");
    like.groups = (uint32_t)heads;
    like.whole = is_whole(v, &b->s, sequence);
    for (uint32_t d = 0; d + 2 < a->s.ndim; d++)
        like.whole = like.whole && !pp_net_holds_pixels(&a->s, d);
    if (!like.whole) {
        PP_TRY(pp_net_arrange(v, &a->s, queries, &fine));
        if (fine)
            PP_TRY(pp_net_arrange(v, &b->s, sequence, &fine));
    }
    const pp_shape left = pp_net_shape(v, &a->s), right = pp_net_shape(v, &b->s);
    if (!fine || (!like.whole && (left.h != right.h || right.w != b->s.dim[sequence])))
        return refuse(v, "a product of two computed values whose tokens lie across its batch");
    const uint32_t x = without_scale(v, a->s.op, &like.factor), y = without_scale(v, b->s.op, &like.factor);
    uint32_t op = 0;
    const char *name = pp_net_name(v);
    if (!name)
        return PP_ENOMEM;
    PP_TRY(pp_build_product(v->b, name, x, y, &like, &op));
    *out = result_of(a, b, transposed, op, heads);
    return PP_OK;
}

static side side_of(const pp_onnx_stream *s, bool turned)
{
    side out = {.s = *s, .rows = s->ndim - 2, .cols = s->ndim - 1};
    if (turned) {
        out.rows = s->ndim - 1;
        out.cols = s->ndim - 2;
    }
    return out;
}

static bool tokens_or_one(const pp_onnx_stream *s, uint32_t d)
{
    return pp_net_holds_pixels(s, d) || s->dim[d] == 1;
}

static bool channels_or_one(const pp_onnx_stream *s, uint32_t d)
{
    return pp_net_holds_channels(s, d) || s->dim[d] == 1;
}

/* a [.., rows of tokens, channels] times b, with its tokens in either place; false in *done: a is not like that. */
static pp_status left_times(pp_onnx_net *v, side a, const pp_onnx_stream *b, bool flipped, pp_onnx_stream *out, bool *done)
{
    /* dimension of b that is summed over: its last but one, or (flipped) its last */
    side sums = side_of(b, flipped), keys = side_of(b, !flipped);
    *done = tokens_or_one(&a.s, a.rows) && channels_or_one(&a.s, a.cols);
    if (!*done)
        return PP_OK;
    if (channels_or_one(b, keys.cols) && tokens_or_one(b, keys.rows) && pp_net_holds_channels(b, keys.cols))
        return multiply(v, &a, &keys, true, out);
    *done = tokens_or_one(b, sums.rows) && channels_or_one(b, sums.cols);
    return *done ? multiply(v, &a, &sums, false, out) : PP_OK;
}

pp_status pp_net_product(pp_onnx_net *v, const pp_onnx_stream *x, const pp_onnx_stream *y, pp_onnx_stream *out)
{
    bool done = false;
    if (x->ndim != y->ndim || x->ndim < 2 || x->dim[x->ndim - 1] != y->dim[y->ndim - 2] || !batch_fits(x, y))
        return refuse(v, "a product of two computed values of different heads or batches");
    PP_TRY(left_times(v, side_of(x, false), y, false, out, &done));
    if (done)
        return PP_OK;
    /* The right factor may hold the rows: (x y)' = y' x', whose left factor has its tokens last. */
    PP_TRY(left_times(v, side_of(y, true), x, true, out, &done));
    return done ? PP_OK : refuse(v, "a product of two computed values that sums over the tokens of both");
}

pp_status pp_net_give_product(pp_onnx_net *v, uint32_t left, uint32_t right)
{
    const pp_onnx_stream *x, *y;
    pp_onnx_stream out;
    PP_TRY(pp_net_stream(v, left, &x));
    PP_TRY(pp_net_stream(v, right, &y));
    pp_onnx_stream a = *x, b = *y;
    const uint32_t ndim = a.ndim > b.ndim ? a.ndim : b.ndim;
    pp_net_raise(&a, ndim);
    pp_net_raise(&b, ndim);
    PP_TRY(pp_net_product(v, &a, &b, &out));
    return pp_net_give(v, 0, &out);
}

/* ---- Einsum ---- */

static bool in_part(const pp_onnx_equation *e, uint32_t part, char letter)
{
    return letter && strchr(e->part[part], letter) != NULL;
}

/* Letters of `part` that are in the other operand or not, and in the result or not. */
static uint32_t letters_of(const pp_onnx_equation *e, uint32_t part, bool other, bool result, char *out)
{
    uint32_t n = 0;
    for (const char *c = e->part[part]; *c; c++)
        if (in_part(e, 1 - part, *c) == other && in_part(e, 2, *c) == result)
            out[n++] = *c;
    out[n] = '\0';
    return n;
}

/* The dimensions of s, named by `have`, in the order of `want`. */
static bool reorder(pp_onnx_stream *s, const char *have, const char *want)
{
    uint32_t axis[PP_ONNX_DIMS];
    if (strlen(have) != s->ndim || strlen(want) != s->ndim)
        return false;
    for (uint32_t d = 0; d < s->ndim; d++) {
        const char *at = strchr(have, want[d]);
        if (!at)
            return false;
        axis[d] = (uint32_t)(at - have);
    }
    return pp_net_transpose(s, axis);
}

/* batch, then the other letters as two dimensions. */
static bool as_matrices(pp_onnx_stream *s, uint32_t batch, uint32_t rows, uint32_t cols)
{
    uint64_t dim[PP_ONNX_DIMS];
    if (batch + 2 > PP_ONNX_DIMS)
        return false;
    memcpy(dim, s->dim, batch * sizeof *dim);
    dim[batch] = dim[batch + 1] = 1;
    for (uint32_t d = 0; d < rows; d++)
        dim[batch] *= s->dim[batch + d];
    for (uint32_t d = 0; d < cols; d++)
        dim[batch + 1] *= s->dim[batch + rows + d];
    return pp_net_reshape(s, batch + 2, dim);
}

static const char odd[] = "only a product of two values that sums over what both have";

/* The constant as a matrix [sum][free]; letters in the order of those. */
static pp_status matrix_of(pp_onnx_net *v, const pp_onnx_tensor *t, const char *have, const char *sum, const char *rest,
                           pp_onnx_tensor *out)
{
    char order[2 * PP_ONNX_DIMS + 1];
    uint64_t step[2 * PP_ONNX_DIMS], size[2 * PP_ONNX_DIMS], n = pp_onnx_count(t);
    uint32_t digits = 0;
    snprintf(order, sizeof order, "%s%s", sum, rest);
    *out = (pp_onnx_tensor){.name = t->name, .type = PP_ONNX_FLOAT, .ndim = 2, .dim = {1, 1}};
    if (!t->data || !pp_onnx_is_float(t->type) || strlen(have) != t->ndim)
        return refuse(v, odd);
    for (const char *c = order; *c; c++, digits++) {
        const uint32_t d = (uint32_t)(strchr(have, *c) - have);
        size[digits] = t->dim[d];
        step[digits] = 1;
        for (uint32_t k = d + 1; k < t->ndim; k++)
            step[digits] *= t->dim[k];
        out->dim[digits < strlen(sum) ? 0 : 1] *= t->dim[d];
    }
    PP_TRY(pp_net_take_room(v, n * sizeof(float)));
    float *list = pp_arena_get(v->m->arena, n, sizeof *list);
    if (!list)
        return PP_ENOMEM;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t left = i, at = 0;
        for (uint32_t k = digits; k-- > 0;) {
            at += left % size[k] * step[k];
            left /= size[k];
        }
        list[i] = (float)pp_onnx_f64(t, at);
    }
    out->data = list;
    return PP_OK;
}

/* A stream times a constant: a linear layer for each token. */
static pp_status by_constant(pp_onnx_net *v, const pp_onnx_equation *e, uint32_t k, const pp_onnx_tensor *t)
{
    char sum[PP_ONNX_DIMS + 1], left[PP_ONNX_DIMS + 1], right[PP_ONNX_DIMS + 1], none[PP_ONNX_DIMS + 1];
    char order[2][2 * PP_ONNX_DIMS + 1];
    const pp_onnx_stream *x;
    pp_onnx_tensor matrix;
    PP_TRY(pp_net_stream(v, k, &x));
    pp_onnx_stream s = *x;
    const uint32_t n_sum = letters_of(e, k, true, false, sum), n_left = letters_of(e, k, false, true, left);
    const uint32_t n_right = letters_of(e, 1 - k, false, true, right);
    if (n_sum == 0 || letters_of(e, k, true, true, none) || letters_of(e, k, false, false, none) ||
        letters_of(e, 1 - k, false, false, none) || n_left + n_right > PP_ONNX_DIMS || strlen(e->part[2]) != n_left + n_right ||
        strlen(e->part[1 - k]) != n_sum + n_right)
        return refuse(v, odd);
    snprintf(order[0], sizeof order[0], "%s%s", left, sum);
    snprintf(order[1], sizeof order[1], "%s%s", left, right);
    PP_TRY(matrix_of(v, t, e->part[1 - k], sum, right, &matrix));
    uint64_t dim[PP_ONNX_DIMS], inner = 1;
    if (!reorder(&s, e->part[k], order[0]))
        return refuse(v, odd);
    memcpy(dim, s.dim, n_left * sizeof *dim);
    for (uint32_t d = 0; d < n_sum; d++)
        inner *= s.dim[n_left + d];
    dim[n_left] = inner;
    if (inner != matrix.dim[0] || !pp_net_reshape(&s, n_left + 1, dim))
        return refuse(v, odd);
    PP_TRY(pp_net_give_linear(v, &s, &matrix));
    pp_onnx_stream out = *v->value[v->node->out[0]].stream;
    for (uint32_t d = 0; d < n_right; d++)
        dim[n_left + d] = t->dim[strchr(e->part[1 - k], right[d]) - e->part[1 - k]];
    if (!pp_net_reshape(&out, n_left + n_right, dim) || !reorder(&out, order[1], e->part[2]))
        return refuse(v, odd);
    return pp_net_give(v, 0, &out);
}

pp_status pp_net_einsum(pp_onnx_net *v)
{
    char batch[PP_ONNX_DIMS + 1], sum[PP_ONNX_DIMS + 1], left[PP_ONNX_DIMS + 1], right[PP_ONNX_DIMS + 1], none[PP_ONNX_DIMS + 1];
    char order[3][3 * PP_ONNX_DIMS + 1];
    const pp_onnx_stream *x, *y;
    pp_onnx_stream out;
    pp_onnx_equation e;
    if (v->node->n_in != 2 || !pp_onnx_read_equation(&e, pp_onnx_attr_s(v->node, "equation", "")))
        return refuse(v, odd);
    for (uint32_t k = 0; k < 2; k++)
        if (pp_net_constant(v, k))
            return by_constant(v, &e, 1 - k, pp_net_constant(v, k));
    PP_TRY(pp_net_stream(v, 0, &x));
    PP_TRY(pp_net_stream(v, 1, &y));
    pp_onnx_stream a = *x, b = *y;
    const uint32_t n_batch = letters_of(&e, 0, true, true, batch), n_sum = letters_of(&e, 0, true, false, sum);
    const uint32_t n_left = letters_of(&e, 0, false, true, left), n_right = letters_of(&e, 1, false, true, right);
    if (letters_of(&e, 0, false, false, none) || letters_of(&e, 1, false, false, none) || n_sum == 0 ||
        n_batch + n_left + n_right > PP_ONNX_DIMS || strlen(e.part[2]) != n_batch + n_left + n_right)
        return refuse(v, odd);
    snprintf(order[0], sizeof order[0], "%s%s%s", batch, left, sum);
    snprintf(order[1], sizeof order[1], "%s%s%s", batch, sum, right);
    snprintf(order[2], sizeof order[2], "%s%s%s", batch, left, right);
    if (!reorder(&a, e.part[0], order[0]) || !reorder(&b, e.part[1], order[1]))
        return refuse(v, odd);
    uint64_t dim[PP_ONNX_DIMS];
    memcpy(dim, a.dim, (n_batch + n_left) * sizeof *dim);
    memcpy(dim + n_batch + n_left, b.dim + n_batch + n_sum, n_right * sizeof *dim);
    if (!as_matrices(&a, n_batch, n_left, n_sum) || !as_matrices(&b, n_batch, n_sum, n_right))
        return refuse(v, odd);
    PP_TRY(pp_net_product(v, &a, &b, &out));
    if (!pp_net_reshape(&out, n_batch + n_left + n_right, dim) || !reorder(&out, order[2], e.part[2]))
        return refuse(v, odd);
    return pp_net_give(v, 0, &out);
}

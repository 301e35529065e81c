/* Pixels as tokens: streams whose dimensions are not the axes of a map are brought to one, tokens are cut out, and joined. */
#include "workloads/onnx_net_internal.h"

#include <string.h>

typedef enum kind { NOTHING, PIXELS, CHANNELS, BOTH } kind;

static kind kind_of(const pp_onnx_stream *s, uint32_t d)
{
    kind k = NOTHING;
    for (uint32_t i = 0; i < s->n_factors; i++)
        if (s->f[i].dim == d)
            k |= s->f[i].axis == PP_ONNX_C ? CHANNELS : PIXELS;
    return k;
}

bool pp_net_holds_pixels(const pp_onnx_stream *s, uint32_t d)
{
    return kind_of(s, d) == PIXELS;
}

bool pp_net_holds_channels(const pp_onnx_stream *s, uint32_t d)
{
    return kind_of(s, d) == CHANNELS;
}

static bool mixes(const pp_onnx_stream *s)
{
    for (uint32_t d = 0; d < s->ndim; d++)
        if (kind_of(s, d) == BOTH)
            return true;
    return false;
}

/* Pixel of the map at which the elements of these indices lie. */
static uint32_t pixel_at(const pp_onnx_net *v, const pp_onnx_stream *s, const uint64_t *index)
{
    uint32_t at[PP_ONNX_AXES] = {0};
    uint64_t left[PP_ONNX_DIMS];
    memcpy(left, index, s->ndim * sizeof *left);
    for (uint32_t k = s->n_factors; k-- > 0;) {
        const pp_factor *f = &s->f[k];
        at[f->axis] += (uint32_t)(left[f->dim] % f->size) * f->stride;
        left[f->dim] /= f->size;
    }
    return at[PP_ONNX_H] * pp_net_shape(v, s).w + at[PP_ONNX_W];
}

/* Tokens of a result: its dimensions without channels, as H x W of a map: `token` is W, all before it H. */
typedef struct tokens {
    uint32_t ndim, token;
    uint64_t dim[PP_ONNX_DIMS]; /* 1 where channels are */
    uint64_t h, w;
} tokens;

/* Sizes of the map, once the dimensions are known. */
static void measure(tokens *t)
{
    t->h = t->w = 1;
    for (uint32_t d = 0; d < t->ndim; d++)
        *(d == t->token ? &t->w : &t->h) *= t->dim[d];
}

/* token PP_NONE: the last dimension with pixels. */
static void tokens_of(const pp_onnx_stream *s, uint32_t token, tokens *t)
{
    *t = (tokens){.ndim = s->ndim, .token = token};
    for (uint32_t d = 0; d < s->ndim; d++) {
        t->dim[d] = kind_of(s, d) == CHANNELS ? 1 : s->dim[d];
        if (token == PP_NONE && t->dim[d] > 1)
            t->token = d;
    }
    measure(t);
}

/* Indices of token i, in order of the map that results: the dimensions before `token` are slower, none is behind. */
static void indices_of(const tokens *t, uint64_t i, uint64_t *index)
{
    uint64_t column = t->token == PP_NONE ? 0 : i % t->w;
    i = t->token == PP_NONE ? i : i / t->w;
    for (uint32_t d = t->ndim; d-- > 0;) {
        index[d] = d == t->token ? column : i % t->dim[d];
        i = d == t->token ? i : i / t->dim[d];
    }
}

/* Layout of the map that results: one factor a dimension with pixels; channels as in s. */
static void relabel(const tokens *t, pp_onnx_stream *s)
{
    pp_onnx_stream old = *s;
    uint32_t stride = 1;
    pp_factor of[PP_ONNX_DIMS] = {{0}};
    for (uint32_t d = t->ndim; d-- > 0;) {
        if (t->dim[d] == 1)
            continue;
        const bool column = d == t->token;
        of[d] = (pp_factor){.axis = column ? PP_ONNX_W : PP_ONNX_H, .dim = (uint8_t)d, .size = (uint32_t)t->dim[d],
                            .stride = column ? 1 : stride};
        stride *= column ? 1 : (uint32_t)t->dim[d];
    }
    s->n_factors = 0;
    for (uint32_t d = 0; d < t->ndim; d++) {
        if (t->dim[d] > 1)
            s->f[s->n_factors++] = of[d];
        for (uint32_t i = 0; i < old.n_factors; i++)
            if (old.f[i].dim == d && old.f[i].axis == PP_ONNX_C)
                s->f[s->n_factors++] = old.f[i];
    }
}

static pp_status too_many(pp_onnx_net *v)
{
    return pp_net_fail(v, PP_ERANGE, "more tokens than are read");
}

pp_status pp_net_check_pixels(pp_onnx_net *v, uint64_t h, uint64_t w)
{
    return h > PP_DIM_MAX || w > PP_DIM_MAX || h * w > PP_ELEMENTS_MAX ? pp_net_fail(v, PP_ERANGE, "its result is too large") : PP_OK;
}

/* Takes bytes from what constants may take. */
pp_status pp_net_take_room(pp_onnx_net *v, uint64_t bytes)
{
    if (bytes > v->room)
        return pp_net_fail(v, PP_ERANGE, "its constants are larger than the file allows");
    v->room -= bytes;
    return PP_OK;
}

static pp_status arrange(pp_onnx_net *v, const uint32_t *inputs, uint32_t n, const tokens *t, const pp_source *from,
                         const pp_tensor *own, pp_onnx_stream *s)
{
    uint32_t op = 0;
    const char *name = pp_net_name(v);
    if (!name)
        return PP_ENOMEM;
    PP_TRY(pp_build_arrange(v->b, name, inputs, n, (uint32_t)t->h, (uint32_t)t->w, from, own, &op));
    relabel(t, s);
    s->op = op;
    s->shared = false;
    s->scaled = 0;
    return PP_OK;
}

static pp_status new_sources(pp_onnx_net *v, const tokens *t, pp_source **out)
{
    if (t->h > PP_DIM_MAX || t->w > PP_DIM_MAX || t->h * t->w > PP_ELEMENTS_MAX)
        return too_many(v);
    PP_TRY(pp_net_take_room(v, t->h * t->w * sizeof **out));
    *out = pp_arena_get(v->arena, t->h * t->w, sizeof **out);
    return *out ? PP_OK : PP_ENOMEM;
}

pp_status pp_net_arrange(pp_onnx_net *v, pp_onnx_stream *s, uint32_t token, bool *done)
{
    tokens t;
    tokens_of(s, token, &t);
    const pp_shape shape = pp_net_shape(v, s);
    pp_source *from = NULL;
    *done = !mixes(s);
    for (uint32_t d = 0; d < s->ndim; d++)
        *done = *done && (token == PP_NONE || d <= token || t.dim[d] == 1);
    if (!*done)
        return PP_OK;
    bool same = t.h == shape.h && t.w == shape.w;
    PP_TRY(new_sources(v, &t, &from));
    for (uint64_t i = 0; i < t.h * t.w; i++) {
        uint64_t index[PP_ONNX_DIMS];
        indices_of(&t, i, index);
        from[i] = (pp_source){0, pixel_at(v, s, index)};
        same = same && from[i].pixel == i;
    }
    if (same)
        relabel(&t, s);
    return same ? PP_OK : arrange(v, &s->op, 1, &t, from, NULL, s);
}

pp_status pp_net_to_map(pp_onnx_net *v, pp_onnx_stream *s)
{
    bool done;
    if (pp_net_is_map(v, s) || s->coded || s->pad[0] || s->pad[1] || s->pad[2] || s->pad[3])
        return PP_OK;
    PP_TRY(pp_net_vector_to_map(v, s));
    if (pp_net_is_map(v, s) || (s->ndim != 3 && s->ndim != 4) || s->dim[0] != 1 || s->dim[1] != pp_net_shape(v, s).c)
        return PP_OK;
    for (uint32_t d = 2; d < s->ndim; d++)
        if (kind_of(s, d) != PIXELS && s->dim[d] > 1)
            return PP_OK;
    return pp_net_arrange(v, s, s->ndim - 1, &done);
}

pp_status pp_net_tokens_part(pp_onnx_net *v, const pp_onnx_stream *x, uint32_t d, uint32_t start, uint32_t size,
                             pp_onnx_stream *out)
{
    pp_source *from = NULL;
    if (kind_of(x, d) != PIXELS || mixes(x))
        return pp_net_fail(v, PP_EUNSUPPORTED, "a part of dimension %u, which is no axis of a map", d);
    tokens t;
    tokens_of(x, PP_NONE, &t);
    *out = *x;
    t.dim[d] = out->dim[d] = size;
    measure(&t);
    PP_TRY(new_sources(v, &t, &from));
    for (uint64_t i = 0; i < t.h * t.w; i++) {
        uint64_t index[PP_ONNX_DIMS];
        indices_of(&t, i, index);
        index[d] += start;
        from[i] = (pp_source){0, pixel_at(v, x, index)};
    }
    return arrange(v, &x->op, 1, &t, from, NULL, out);
}

/* ---- tokens one behind the other ---- */

static bool same_channels(const pp_onnx_stream *a, const pp_onnx_stream *b)
{
    uint32_t i = 0, k = 0;
    for (;; i++, k++) {
        while (i < a->n_factors && a->f[i].axis != PP_ONNX_C)
            i++;
        while (k < b->n_factors && b->f[k].axis != PP_ONNX_C)
            k++;
        if (i == a->n_factors || k == b->n_factors)
            return i == a->n_factors && k == b->n_factors;
        if (a->f[i].dim != b->f[k].dim || a->f[i].size != b->f[k].size || a->f[i].stride != b->f[k].stride)
            return false;
    }
}

/* What is joined: a stream, or a constant whose pixels become rows `first` and on of a table. */
typedef struct piece {
    pp_onnx_stream s;
    const pp_onnx_tensor *constant;
    uint32_t input; /* of the operator that joins */
    uint64_t first, size;
} piece;

/* Row of a constant in the order of the map's channels. */
static void constant_row(const pp_onnx_stream *like, const pp_onnx_tensor *t, const uint64_t *index, uint32_t channels,
                         float *row)
{
    for (uint64_t i = 0; i < channels; i++) { /* i counts the channels in the order of the dimensions */
        uint64_t left = i, digit[PP_ONNX_FACTORS], at[PP_ONNX_DIMS] = {0}, flat = 0;
        uint32_t c = 0;
        for (uint32_t k = like->n_factors; k-- > 0;) {
            if (like->f[k].axis != PP_ONNX_C)
                continue;
            digit[k] = left % like->f[k].size;
            left /= like->f[k].size;
            c += (uint32_t)digit[k] * like->f[k].stride;
        }
        for (uint32_t k = 0; k < like->n_factors; k++)
            if (like->f[k].axis == PP_ONNX_C)
                at[like->f[k].dim] = at[like->f[k].dim] * like->f[k].size + digit[k];
        for (uint32_t d = 0; d < t->ndim; d++)
            flat = flat * t->dim[d] + (kind_of(like, d) == CHANNELS ? at[d] : index[d]);
        row[c] = (float)pp_onnx_f64(t, flat);
    }
}

/* Input k of the node; like: the first stream, whose dimensions all must have but `axis`. */
static pp_status piece_of(pp_onnx_net *v, uint32_t k, uint32_t axis, const pp_onnx_stream *like, piece *p)
{
    const pp_onnx_stream *x;
    bool fits = true;
    *p = (piece){.constant = pp_net_constant(v, k)};
    if (p->constant) {
        fits = p->constant->data && pp_onnx_is_float(p->constant->type) && p->constant->ndim == like->ndim;
        for (uint32_t d = 0; fits && d < like->ndim; d++)
            fits = d == axis || p->constant->dim[d] == like->dim[d];
        p->size = fits ? p->constant->dim[axis] : 0;
    } else {
        PP_TRY(pp_net_stream(v, k, &x));
        p->s = *x;
        fits = x->ndim == like->ndim && !mixes(x) && same_channels(x, like);
        for (uint32_t d = 0; fits && d < like->ndim; d++)
            fits = d == axis || x->dim[d] == like->dim[d];
        p->size = x->dim[axis];
    }
    return fits && p->size > 0 ? PP_OK : pp_net_refuse(v, "its inputs have different shapes or orders");
}

static pp_status fill_sources(pp_onnx_net *v, const tokens *t, uint32_t axis, const piece *list, const pp_onnx_stream *like,
                              uint32_t inputs, pp_source *from, float *table)
{
    const uint32_t channels = pp_net_shape(v, like).c;
    uint32_t rows = 0;
    for (uint64_t i = 0; i < t->h * t->w; i++) {
        uint64_t index[PP_ONNX_DIMS];
        const piece *p = list;
        indices_of(t, i, index);
        while (index[axis] >= p->first + p->size)
            p++;
        index[axis] -= p->first;
        from[i] = p->constant ? (pp_source){inputs, rows} : (pp_source){p->input, pixel_at(v, &p->s, index)};
        if (p->constant)
            constant_row(like, p->constant, index, channels, table + (size_t)rows++ * channels);
    }
    return PP_OK;
}

pp_status pp_net_join_tokens(pp_onnx_net *v, uint32_t axis, const pp_onnx_stream *first)
{
    const uint32_t n = v->node->n_in;
    piece *list = pp_arena_get(v->arena, n, sizeof *list);
    uint32_t *inputs = pp_arena_get(v->arena, n, sizeof *inputs), streams = 0;
    uint64_t total = 0, fixed = 0, others = 1;
    if (!list || !inputs)
        return PP_ENOMEM;
    for (uint32_t k = 0; k < n; k++) {
        PP_TRY(piece_of(v, k, axis, first, &list[k]));
        list[k].first = total;
        total += list[k].size;
        fixed += list[k].constant ? list[k].size : 0;
        list[k].input = streams;
        if (!list[k].constant)
            inputs[streams++] = list[k].s.op;
    }
    pp_onnx_stream out = *first;
    out.dim[axis] = total;
    tokens t;
    tokens_of(&out, PP_NONE, &t);
    t.dim[axis] = total;
    t.token = t.token == PP_NONE || t.token < axis ? axis : t.token;
    measure(&t);
    for (uint32_t d = 0; d < t.ndim; d++)
        others *= d == axis ? 1 : t.dim[d];
    const uint32_t channels = pp_net_shape(v, first).c;
    pp_source *from = NULL;
    PP_TRY(new_sources(v, &t, &from));
    if (fixed * others > PP_ELEMENTS_MAX)
        return too_many(v);
    PP_TRY(pp_net_take_room(v, fixed * others * channels * sizeof(float)));
    float *table = pp_arena_get(v->m->arena, fixed * others * channels, sizeof *table);
    if (!table)
        return PP_ENOMEM;
    PP_TRY(fill_sources(v, &t, axis, list, first, streams, from, table));
    const pp_tensor own = {.dtype = PP_DTYPE_F32, .ndim = 2, .dim = {fixed * others, channels}, .data = table};
    PP_TRY(arrange(v, inputs, streams, &t, from, fixed ? &own : NULL, &out));
    return pp_net_give(v, 0, &out);
}

/* ---- numbers that never change, one for each element ---- */

pp_status pp_net_offset(pp_onnx_net *v, const pp_onnx_stream *x, const pp_onnx_tensor *t, double factor, bool *done,
                        pp_onnx_stream *out)
{
    const pp_shape shape = pp_net_shape(v, x);
    const uint64_t n = (uint64_t)shape.h * shape.w * shape.c;
    uint32_t op = 0;
    bool any = false;
    *out = *x;
    *done = t->data && pp_onnx_is_float(t->type) && t->ndim <= x->ndim;
    for (uint32_t i = 0; *done && i < t->ndim; i++)
        *done = t->dim[t->ndim - 1 - i] == 1 || t->dim[t->ndim - 1 - i] == x->dim[x->ndim - 1 - i];
    if (!*done)
        return PP_OK;
    PP_TRY(pp_net_take_room(v, n * sizeof(float)));
    float *map = pp_arena_get(v->m->arena, n, sizeof *map);
    const char *name = pp_net_name(v);
    if (!map || !name)
        return PP_ENOMEM;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t left = i, flat = 0, step = 1;
        uint32_t at[PP_ONNX_AXES];
        pp_net_place(x, 0, i, at);
        for (uint32_t d = 0; d < t->ndim; d++) { /* from the last */
            const uint64_t index = left % x->dim[x->ndim - 1 - d], size = t->dim[t->ndim - 1 - d];
            left /= x->dim[x->ndim - 1 - d];
            flat += size == 1 ? 0 : index * step;
            step *= size;
        }
        double number = factor * pp_onnx_f64(t, flat);
        number = number < -1e30 ? -1e30 : number > 1e30 ? 1e30 : number; /* masks may be infinite */
        any |= number < 0 || number > 0;
        map[((size_t)at[PP_ONNX_H] * shape.w + at[PP_ONNX_W]) * shape.c + at[PP_ONNX_C]] = (float)number;
    }
    if (!any) {
        out->shared = true;
        return PP_OK;
    }
    const pp_tensor weight = {.dtype = PP_DTYPE_F32, .ndim = 2, .dim = {(uint64_t)shape.h * shape.w, shape.c}, .data = map};
    PP_TRY(pp_build_offset(v->b, name, x->op, &weight, &op));
    *out = pp_net_after(v, x, op);
    return PP_OK;
}

/* Windows of convolutions and pools; pools; padding; means over maps. */
#include "workloads/onnx_net_internal.h"

#include <math.h>
#include <string.h>

/* Padding of a Pad in front of it counts as its own: the window is found on the larger map. */
static pp_status find_window(pp_onnx_net *v, const pp_onnx_stream *x, const int64_t *kernel, pp_window *out,
                             bool *hangs)
{
    pp_shape shape = pp_net_shape(v, x);
    pp_onnx_window w;
    const uint32_t *pad = x->pad;
    int64_t size[2] = {(int64_t)shape.h + pad[0] + pad[2], (int64_t)shape.w + pad[1] + pad[3]};
    bool flat = x->ndim == 3;
    PP_TRY(pp_onnx_window_of(v->m->path, v->node, flat ? 1 : 2, kernel, flat ? size + 1 : size, &w));
    uint32_t n[2][5] = {{1, 1, 1, 0, 0}, {1, 1, 1, 0, 0}}; /* kernel, stride, dilation, before, after */
    *hangs = false;
    for (uint32_t i = 0; i < w.n; i++) {
        uint32_t *to = n[flat ? 1 : i];
        to[0] = (uint32_t)w.kernel[i];
        to[1] = (uint32_t)w.stride[i];
        to[2] = (uint32_t)w.dilation[i];
        to[3] = (uint32_t)w.before[i];
        to[4] = (uint32_t)(w.after[i] + w.beyond[i]);
        *hangs |= w.beyond[i] > 0;
    }
    *out = (pp_window){.kh = n[0][0],
                       .kw = n[1][0],
                       .sh = n[0][1],
                       .sw = n[1][1],
                       .dh = n[0][2],
                       .dw = n[1][2],
                       .top = n[0][3] + pad[0],
                       .left = n[1][3] + pad[1],
                       .bottom = n[0][4] + pad[2],
                       .right = n[1][4] + pad[3]};
    return PP_OK;
}

pp_status pp_net_window(pp_onnx_net *v, const pp_onnx_stream *x, const int64_t *kernel, pp_window *out)
{
    bool hangs;
    return find_window(v, x, kernel, out, &hangs);
}

static bool has_pad(const pp_onnx_stream *x)
{
    return x->pad[0] || x->pad[1] || x->pad[2] || x->pad[3];
}

static bool pads_itself(const pp_onnx_stream *x, const pp_window *w)
{
    return w->top > x->pad[0] || w->left > x->pad[1] || w->bottom > x->pad[2] || w->right > x->pad[3];
}

/* Zeros of a Pad take part in maxima and averages, those of the pool do not. */
static pp_status check_padding(pp_onnx_net *v, const pp_onnx_stream *x, bool max, bool hangs, pp_window *w)
{
    w->count_padding = !max && pp_onnx_attr_i(v->node, "count_include_pad", 0) != 0;
    if (!max && hangs && w->count_padding)
        return pp_net_refuse(v, "ceil_mode together with count_include_pad");
    if (!has_pad(x))
        return PP_OK;
    if (max)
        return pp_net_not_negative(v, x->op) ? PP_OK
                                             : pp_net_fail(v, PP_EUNSUPPORTED,
                                                           "the zeros of the Pad before it could be "
                                                           "the largest; its input may be below zero");
    if (hangs || (pads_itself(x, w) && !w->count_padding))
        return pp_net_fail(v, PP_EUNSUPPORTED, "it and the Pad before it both add padding");
    w->count_padding = true;
    return PP_OK;
}

static pp_status map_input(pp_onnx_net *v, pp_onnx_stream *x)
{
    const pp_onnx_stream *given;
    PP_TRY(pp_net_padded(v, 0, &given));
    *x = *given;
    PP_TRY(pp_net_settle(v, x));
    PP_TRY(pp_net_to_map(v, x));
    if (!pp_net_is_map(v, x))
        return pp_net_fail(v, PP_EUNSUPPORTED, "its input must be a map [N,C,H,W] or [N,C,W]");
    return PP_OK;
}

static pp_status give_pool(pp_onnx_net *v, pp_op_kind kind, const pp_onnx_stream *x, const pp_window *w)
{
    uint32_t op = 0;
    const char *name = pp_net_name(v);
    if (!name)
        return PP_ENOMEM;
    PP_TRY(pp_build_pool(v->b, name, kind, x->op, w, &op));
    pp_onnx_stream out = pp_net_map(v, op, x->ndim);
    out.coded = x->coded;
    return pp_net_give(v, 0, &out);
}

static pp_status convert_pool(pp_onnx_net *v)
{
    bool max = strcmp(v->node->op, "MaxPool") == 0, hangs;
    pp_onnx_stream x;
    pp_window w;
    PP_TRY(map_input(v, &x));
    if (v->node->n_out > 1 && v->node->out[1] != PP_NONE && v->m->value[v->node->out[1]].uses > 0)
        return pp_net_fail(v, PP_EUNSUPPORTED, "indices of the largest");
    if (x.coded && !max)
        return pp_net_fail(v, PP_EUNSUPPORTED, "it computes on codes");
    PP_TRY(find_window(v, &x, NULL, &w, &hangs));
    PP_TRY(check_padding(v, &x, max, hangs, &w));
    return give_pool(v, max ? PP_OP_MAX_POOL : PP_OP_AVG_POOL, &x, &w);
}

static pp_status convert_global(pp_onnx_net *v)
{
    bool max = strcmp(v->node->op, "GlobalMaxPool") == 0;
    pp_onnx_stream x;
    PP_TRY(map_input(v, &x));
    if (has_pad(&x) || (x.coded && !max))
        return pp_net_stream(v, 0, &(const pp_onnx_stream *){NULL});
    pp_shape s = pp_net_shape(v, &x);
    pp_window w = {.kh = s.h, .kw = s.w, .sh = 1, .sw = 1, .dh = 1, .dw = 1};
    return give_pool(v, max ? PP_OP_MAX_POOL : PP_OP_GLOBAL_POOL, &x, max ? &w : NULL);
}

/* ---- ReduceMean, ReduceMax, ReduceSum over the map ---- */

/* The result's layout: what is reduced is gone. */
static void reduced(const pp_onnx_stream *x, const bool *which, bool keep, uint32_t op, pp_onnx_stream *out)
{
    *out = (pp_onnx_stream){.op = op};
    for (uint32_t d = 0; d < x->ndim; d++) {
        if (which[d] && !keep)
            continue;
        for (uint32_t i = 0; i < x->n_factors; i++)
            if (x->f[i].dim == d && !which[d]) {
                out->f[out->n_factors] = x->f[i];
                out->f[out->n_factors++].dim = (uint8_t)out->ndim;
            }
        out->dim[out->ndim++] = which[d] ? 1 : x->dim[d];
    }
}

static pp_status convert_mean(pp_onnx_net *v)
{
    const pp_onnx_stream *x;
    const int64_t *axes;
    uint32_t n, op = 0;
    bool which[PP_ONNX_DIMS] = {0}, keep = pp_onnx_attr_i(v->node, "keepdims", 1) != 0;
    PP_TRY(pp_net_stream(v, 0, &x));
    const bool max = strcmp(v->node->op, "ReduceMax") == 0, sum = strcmp(v->node->op, "ReduceSum") == 0;
    PP_TRY(pp_net_ints(v, "axes", v->m->opset >= (sum ? 13 : 18) ? 1 : PP_NONE, &axes, &n));
    if (n == 0 && pp_onnx_attr_i(v->node, "noop_with_empty_axes", 0) != 0)
        return pp_net_give_view(v, *x);
    for (uint32_t i = 0; i < n; i++) {
        int64_t axis = axes[i] < 0 ? axes[i] + x->ndim : axes[i];
        if (axis < 0 || axis >= x->ndim)
            return pp_net_fail(v, PP_ERANGE, "axis %lld of %u dimensions", (long long)axes[i], x->ndim);
        which[axis] = true;
    }
    uint32_t part[8], parts = 0;
    double epsilon = 0;
    uint32_t last = x->ndim - 1;
    while (last > 0 && !which[last])
        last--;
    if (!max && !sum && n == 1 && pp_net_are_channels(v, x, last, last + 1) && (parts = pp_net_match_norm(v, part, &epsilon)) > 0) {
        for (uint32_t i = 1; i < parts; i++)
            v->skip[part[i]] = true;
        v->node = &v->m->node[part[parts - 1]];
        return pp_net_give_norm(v, x, epsilon, NULL, NULL);
    }
    if (v->batched && which[0])
        return pp_net_fail(v, PP_EUNSUPPORTED, "over images");
    bool gone[PP_ONNX_AXES] = {false}, left[PP_ONNX_AXES] = {false};
    for (uint32_t i = 0; i < x->n_factors; i++)
        (which[x->f[i].dim] ? gone : left)[x->f[i].axis] = true;
    if (n == 0 || gone[PP_ONNX_C] || (gone[PP_ONNX_H] && left[PP_ONNX_H]) || (gone[PP_ONNX_W] && left[PP_ONNX_W]))
        return pp_net_fail(v, PP_EUNSUPPORTED, "over other axes than H and W");
    const char *name = pp_net_name(v);
    if (!name)
        return PP_ENOMEM;
    pp_shape s = pp_net_shape(v, x);
    const pp_window w = {.kh = gone[PP_ONNX_H] ? s.h : 1, .kw = gone[PP_ONNX_W] ? s.w : 1, .sh = 1, .sw = 1, .dh = 1, .dw = 1};
    bool all = !max && !left[PP_ONNX_H] && !left[PP_ONNX_W];
    PP_TRY(pp_build_pool(v->b, name, all ? PP_OP_GLOBAL_POOL : max ? PP_OP_MAX_POOL : PP_OP_AVG_POOL, x->op, all ? NULL : &w,
                         &op));
    pp_onnx_stream out;
    reduced(x, which, keep, op, &out);
    if (sum)
        PP_TRY(pp_net_uniform_scale(v, &out, true, (double)w.kh * w.kw, 0, &out));
    return pp_net_give(v, 0, &out);
}

/* ---- Pad ---- */

static pp_status pad_lists(pp_onnx_net *v, const pp_onnx_stream *x, int64_t before[4], int64_t after[4])
{
    const int64_t *pads, *axes;
    uint32_t n, n_axes;
    PP_TRY(pp_net_ints(v, "pads", v->m->opset >= 11 ? 1 : PP_NONE, &pads, &n));
    PP_TRY(pp_net_ints(v, "axes", v->m->opset >= 18 ? 3 : PP_NONE, &axes, &n_axes));
    uint32_t each = axes ? n_axes : x->ndim;
    if (n != 2 * each)
        return pp_net_fail(v, PP_EINVAL, "%u pads for %u axes", n, each);
    for (uint32_t i = 0; i < each; i++) {
        int64_t axis = axes ? axes[i] : i;
        axis = axis < 0 ? axis + x->ndim : axis;
        if (axis < 0 || axis >= x->ndim)
            return pp_net_fail(v, PP_ERANGE, "axis %lld of %u dimensions", (long long)axis, x->ndim);
        before[axis] = pads[i];
        after[axis] = pads[each + i];
        if (before[axis] < -(int64_t)PP_DIM_MAX || before[axis] > PP_DIM_MAX || after[axis] < -(int64_t)PP_DIM_MAX ||
            after[axis] > PP_DIM_MAX)
            return pp_net_fail(v, PP_ERANGE, "pads of %lld and %lld", (long long)before[axis], (long long)after[axis]);
    }
    return PP_OK;
}

/* Channels behind the last, all zero. */
static pp_status pad_channels(pp_onnx_net *v, pp_onnx_stream *x, int64_t before, int64_t after)
{
    uint32_t c = pp_net_shape(v, x).c, op = 0;
    if (before != 0 || after < 0)
        return pp_net_fail(v, PP_EUNSUPPORTED, "channels are added behind the last only");
    const char *name = pp_net_name(v);
    if (!name)
        return PP_ENOMEM;
    PP_TRY(pp_build_subsample(v->b, name, x->op, 1, c + (uint32_t)after, &op));
    *x = pp_net_map(v, op, x->ndim);
    return PP_OK;
}

/* Negative pads cut off. */
static pp_status crop(pp_onnx_net *v, pp_onnx_stream *x, const int64_t cut[4])
{
    pp_shape s = pp_net_shape(v, x), offset = {0};
    uint32_t op = 0;
    int64_t h = s.h - cut[0] - cut[2], w = s.w - cut[1] - cut[3];
    if (h < 1 || w < 1)
        return pp_net_fail(v, PP_ERANGE, "nothing is left of a map of %ux%u", s.h, s.w);
    const char *name = pp_net_name(v);
    if (!name)
        return PP_ENOMEM;
    offset.h = (uint32_t)cut[0];
    offset.w = (uint32_t)cut[1];
    PP_TRY(pp_build_slice(v->b, name, x->op, offset, (pp_shape){(uint32_t)h, (uint32_t)w, s.c}, &op));
    *x = pp_net_map(v, op, x->ndim);
    return PP_OK;
}

/* The number that is added; NAN: it is not known. */
static double fill_of(const pp_onnx_net *v)
{
    const pp_onnx_tensor *t = v->m->opset >= 11 ? pp_net_constant(v, 2) : NULL;
    const bool given = v->m->opset >= 11 && v->node->n_in > 2 && v->node->in[2] != PP_NONE;
    if (given)
        return t && t->data && pp_onnx_count(t) == 1 ? pp_onnx_f64(t, 0) : NAN;
    return v->m->opset >= 11 ? 0 : pp_onnx_attr_f(v->node, "value", 0);
}

static bool zero_fill(const pp_onnx_net *v)
{
    return strcmp(pp_onnx_attr_s(v->node, "mode", "constant"), "constant") == 0 && fpclassify(fill_of(v)) == FP_ZERO;
}

/* Whether a node takes zeros around its input into its own window. */
static bool takes_zeros(const pp_onnx_net *v, const pp_onnx_node *n, const pp_onnx_stream *x)
{
    static const char *const always[] = {"Conv", "Pad", "Identity", "Dropout", "Cast"};
    const pp_onnx_attr *pads = pp_onnx_attr_find(n, "pads");
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        if (strcmp(n->op, always[i]) == 0)
            return true;
    if (strcmp(n->op, "MaxPool") == 0)
        return pp_net_not_negative(v, x->op);
    bool own = strncmp(pp_onnx_attr_s(n, "auto_pad", ""), "SAME", 4) == 0;
    for (uint32_t i = 0; pads && pads->ints && i < pads->n; i++)
        own |= pads->ints[i] != 0;
    return strcmp(n->op, "AveragePool") == 0 && pp_onnx_attr_i(n, "ceil_mode", 0) == 0 &&
           (!own || pp_onnx_attr_i(n, "count_include_pad", 0) != 0);
}

/* Whether all that read the Pad at hand do so; results of the network are read as they are. */
static bool readers_take_zeros(const pp_onnx_net *v, const pp_onnx_stream *x)
{
    const uint32_t value = v->node->out[0];
    for (uint32_t i = 0; i < v->m->n_nodes; i++)
        for (uint32_t k = 0; k < v->m->node[i].n_in; k++)
            if (v->m->node[i].in[k] == value && strcmp(v->m->node[i].op, "Shape") != 0 && !takes_zeros(v, &v->m->node[i], x))
                return false;
    return value != v->output;
}

/* What pixel i - before of an axis of n pixels is; -1: none of them. */
static int64_t beside(int64_t i, int64_t n, char mode)
{
    if (i >= 0 && i < n)
        return i;
    if (mode == 'e')
        return i < 0 ? 0 : n - 1;
    if (mode == 'w')
        return (i % n + n) % n;
    return mode == 'r' ? i < 0 ? -i : 2 * (n - 1) - i : -1;
}

/* The pixels around the map become pixels: numbers `fill`, or others of the map (mode reflect, edge or wrap). */
static pp_status write_border(pp_onnx_net *v, pp_onnx_stream *x, char mode, double fill)
{
    const pp_shape s = pp_net_shape(v, x);
    const uint32_t *pad = x->pad;
    const uint64_t h = (uint64_t)s.h + pad[0] + pad[2], w = (uint64_t)s.w + pad[1] + pad[3];
    const bool outside = mode == 'c';
    PP_TRY(pp_net_check_pixels(v, h, w));
    if (mode == 'r' && (pad[0] >= s.h || pad[2] >= s.h || pad[1] >= s.w || pad[3] >= s.w))
        return pp_net_fail(v, PP_ERANGE, "a border as wide as the map is not reflected");
    PP_TRY(pp_net_take_room(v, h * w * sizeof(pp_source) + s.c * sizeof(float)));
    pp_source *from = pp_arena_get(v->arena, h * w, sizeof *from);
    float *row = pp_arena_get(v->m->arena, s.c, sizeof *row);
    const char *name = pp_net_name(v);
    uint32_t op = 0;
    if (!from || !row || !name)
        return PP_ENOMEM;
    for (uint64_t i = 0; i < h * w; i++) {
        const int64_t y = beside((int64_t)(i / w) - pad[0], s.h, mode), at = beside((int64_t)(i % w) - pad[1], s.w, mode);
        from[i] = y < 0 || at < 0 ? (pp_source){1, 0} : (pp_source){0, (uint32_t)y * s.w + (uint32_t)at};
    }
    for (uint32_t c = 0; c < s.c; c++)
        row[c] = (float)fill;
    const pp_tensor own = {.dtype = PP_DTYPE_F32, .ndim = 2, .dim = {1, s.c}, .data = row};
    PP_TRY(pp_build_arrange(v->b, name, &x->op, 1, (uint32_t)h, (uint32_t)w, from, outside ? &own : NULL, &op));
    if (outside)
        pp_build_note_weights(v->b, op, s.c, false); /* no parameters of the network */
    *x = pp_net_map(v, op, x->ndim);
    return PP_OK;
}

/* Borders that are no zeros. */
static pp_status pad_otherwise(pp_onnx_net *v, pp_onnx_stream *x, const int64_t before[4], const int64_t after[4])
{
    static const char *const modes[] = {"constant", "reflect", "edge", "wrap"};
    const char *mode = pp_onnx_attr_s(v->node, "mode", "constant");
    const double fill = fill_of(v);
    bool fine = !before[0] && !after[0] && !before[1] && !after[1], known = false;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        known |= strcmp(mode, modes[i]) == 0;
    for (uint32_t d = 0; d < x->ndim; d++)
        fine &= before[d] >= 0 && after[d] >= 0;
    if (!fine || !known || x->coded || (mode[0] == 'c' && !isfinite(fill)))
        return pp_net_refuse(v, "other borders than zeros are supported around maps of numbers only, and crop nothing");
    if (has_pad(x))
        PP_TRY(write_border(v, x, 'c', 0));
    const bool wide = x->ndim == 4;
    x->pad[0] = wide ? (uint32_t)before[2] : 0;
    x->pad[1] = (uint32_t)before[wide ? 3 : 2];
    x->pad[2] = wide ? (uint32_t)after[2] : 0;
    x->pad[3] = (uint32_t)after[wide ? 3 : 2];
    PP_TRY(write_border(v, x, mode[0], fill));
    return pp_net_give(v, 0, x);
}

static pp_status convert_pad(pp_onnx_net *v)
{
    int64_t before[PP_ONNX_DIMS] = {0}, after[PP_ONNX_DIMS] = {0}, at[4], cut[4];
    bool any_cut = false;
    pp_onnx_stream x;
    PP_TRY(map_input(v, &x));
    PP_TRY(pad_lists(v, &x, before, after));
    if (!zero_fill(v))
        return pad_otherwise(v, &x, before, after);
    if (before[0] || after[0])
        return pp_net_fail(v, PP_EUNSUPPORTED, "images are added");
    bool wide = x.ndim == 4;
    const int64_t sides[4] = {wide ? before[2] : 0, before[wide ? 3 : 2], wide ? after[2] : 0, after[wide ? 3 : 2]};
    uint32_t pad[4];
    memcpy(pad, x.pad, sizeof pad);
    for (uint32_t i = 0; i < 4; i++) {
        at[i] = (int64_t)pad[i] + sides[i];
        cut[i] = at[i] < 0 ? -at[i] : 0;
        any_cut |= cut[i] > 0;
        pad[i] = at[i] > 0 ? (uint32_t)at[i] : 0;
    }
    pp_onnx_stream was = x;
    if (before[1] || after[1])
        PP_TRY(pad_channels(v, &x, before[1], after[1]));
    if (any_cut)
        PP_TRY(crop(v, &x, cut));
    x.shared = x.op == was.op && !pp_net_sole(v, 0);
    memcpy(x.pad, pad, sizeof pad);
    if (has_pad(&x) && !x.coded && !readers_take_zeros(v, &x))
        PP_TRY(write_border(v, &x, 'c', 0));
    return pp_net_give(v, 0, &x);
}

const pp_net_row pp_net_ops_window_[] = {
    {"MaxPool", convert_pool},
    {"AveragePool", convert_pool},
    {"GlobalAveragePool", convert_global},
    {"GlobalMaxPool", convert_global},
    {"ReduceMean", convert_mean},
    {"ReduceMax", convert_mean},
    {"ReduceSum", convert_mean},
    {"Pad", convert_pad},
    {NULL, NULL},
};

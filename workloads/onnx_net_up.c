/* Operators that make maps larger: transposed convolutions, channels that become pixels, resizing. */
#include "workloads/onnx_net_internal.h"

#include <math.h>
#include <string.h>

/* ---- ConvTranspose ----
 * Pixels of the result that lie s apart read the same input pixels through different taps. So one convolution of the
 * small map gives all s x s of them as channels, and those become pixels: on a crossbar one MVM an input pixel, and no
 * multiplications with inserted zeros. PAPER: shi2016 sec. 2 */

/* One axis. Place q of the small result reads inputs q - taps + 1 ... q. */
typedef struct grow {
    uint32_t factor, taps;
    uint32_t before, after; /* zeros around the small map */
    uint32_t skip, size;    /* what is kept of the large one */
    int64_t kernel, dilation;
} grow;

static grow grow_of(const pp_onnx_window *w, uint32_t i, int64_t in)
{
    int64_t s = w->stride[i], extent = (w->kernel[i] - 1) * w->dilation[i] + 1, taps = (extent + s - 1) / s;
    int64_t first = w->before[i] / s, last = (w->out[i] - 1 + w->before[i]) / s;
    int64_t before = first < taps ? taps - 1 - first : 0, after = last + 1 - in;
    return (grow){.factor = (uint32_t)s,
                  .taps = (uint32_t)taps,
                  .before = (uint32_t)before,
                  .after = after > 0 ? (uint32_t)after : 0,
                  .skip = (uint32_t)(w->before[i] - (taps - 1 - before) * s),
                  .size = (uint32_t)w->out[i],
                  .kernel = w->kernel[i],
                  .dilation = w->dilation[i]};
}

/* Tap of the kernel that tap t of the small convolution is for pixels at `corner` of a place; -1: none. */
static int64_t kernel_tap(const grow *g, uint32_t corner, uint32_t t)
{
    int64_t at = corner + (int64_t)(g->taps - 1 - t) * g->factor;
    return at % g->dilation == 0 && at / g->dilation < g->kernel ? at / g->dilation : -1;
}

/* The kernel [Cin][Cout/groups][kh][kw] as one of the small map: [Cout sh sw][Cin/groups][taps y][taps x]. */
static pp_status small_kernel(pp_onnx_net *v, const pp_onnx_tensor *t, uint32_t groups, const grow g[2], pp_tensor *out,
                              uint64_t *absent)
{
    uint64_t cin = t->dim[0] / groups, cout = t->dim[1], corners = (uint64_t)g[0].factor * g[1].factor;
    uint64_t taps = (uint64_t)g[0].taps * g[1].taps, kernel = (uint64_t)(g[0].kernel * g[1].kernel);
    *out = (pp_tensor){.dtype = PP_DTYPE_F32, .ndim = 4};
    const uint64_t dim[4] = {cout * groups * corners, cin, g[0].taps, g[1].taps};
    memcpy(out->dim, dim, sizeof dim);
    if (corners > PP_DIM_MAX || taps > PP_DIM_MAX || dim[0] > PP_DIM_MAX)
        return pp_net_fail(v, PP_ERANGE, "its weights and strides make %llu channels", (unsigned long long)dim[0]);
    uint64_t n = pp_tensor_count(out);
    if (n > v->room)
        return pp_net_fail(v, PP_ERANGE, "its weights are too large for a file of this size");
    v->room -= n;
    float *copy = pp_arena_get(v->m->arena, n, sizeof *copy);
    if (!copy)
        return PP_ENOMEM;
    *absent = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t tap = i % taps, ci = i / taps % cin, row = i / taps / cin, c = row / corners, corner = row % corners;
        int64_t ky = kernel_tap(&g[0], (uint32_t)(corner / g[1].factor), (uint32_t)(tap / g[1].taps));
        int64_t kx = kernel_tap(&g[1], (uint32_t)(corner % g[1].factor), (uint32_t)(tap % g[1].taps));
        uint64_t from = (c / cout * cin + ci) * cout + c % cout;
        bool there = ky >= 0 && kx >= 0;
        copy[i] = there ? (float)pp_onnx_f64(t, from * kernel + (uint64_t)(ky * g[1].kernel + kx)) : 0;
        *absent += !there;
    }
    out->data = copy;
    return PP_OK;
}

/* One number a channel, for all pixels that the channel becomes. */
static pp_status repeated_bias(pp_onnx_net *v, uint64_t channels, uint64_t corners, pp_tensor *out)
{
    const pp_onnx_tensor *t = pp_net_constant(v, 2);
    *out = (pp_tensor){0};
    if (v->node->n_in < 3 || v->node->in[2] == PP_NONE)
        return PP_OK;
    if (!t || !t->data || pp_onnx_count(t) != channels)
        return pp_net_fail(v, PP_EUNSUPPORTED, "its bias must be constant, one number a channel");
    float *list = pp_arena_get(v->m->arena, channels * corners, sizeof *list);
    if (!list)
        return PP_ENOMEM;
    for (uint64_t i = 0; i < channels * corners; i++)
        list[i] = (float)pp_onnx_f64(t, i / corners);
    *out = (pp_tensor){.dtype = PP_DTYPE_F32, .ndim = 1, .dim = {channels * corners}, .data = list};
    return PP_OK;
}

static pp_status cut(pp_onnx_net *v, uint32_t *op, const grow g[2])
{
    pp_shape have = pp_builder_shape(v->b, *op), from = {g[0].skip, g[1].skip, 0};
    pp_shape want = {g[0].size, g[1].size, have.c};
    const char *name;
    if (have.h == want.h && have.w == want.w)
        return PP_OK;
    if (!(name = pp_net_name(v)))
        return PP_ENOMEM;
    return pp_build_slice(v->b, name, *op, from, want, op);
}

/* The small convolution, its channels as pixels, and the part of them that counts. */
static pp_status build_transposed(pp_onnx_net *v, const pp_onnx_stream *x, const pp_onnx_tensor *w, uint32_t groups,
                                  const grow g[2])
{
    pp_tensor weight, bias;
    uint64_t absent = 0, corners = (uint64_t)g[0].factor * g[1].factor;
    uint32_t conv = 0, op = 0;
    const char *name = pp_net_name(v);
    if (!name)
        return PP_ENOMEM;
    PP_TRY(small_kernel(v, w, groups, g, &weight, &absent));
    PP_TRY(repeated_bias(v, weight.dim[0] / corners, corners, &bias));
    const pp_window window = {.kh = g[0].taps, .kw = g[1].taps, .sh = 1, .sw = 1, .dh = 1, .dw = 1, .top = g[0].before,
                              .left = g[1].before, .bottom = g[0].after, .right = g[1].after};
    PP_TRY(pp_build_conv(v->b, name, x->op, (uint32_t)weight.dim[0], &window, groups, bias.ndim > 0, false, &weight,
                         bias.ndim ? &bias : NULL, &conv));
    pp_build_note_weights(v->b, conv, absent, false);
    op = conv;
    if (corners > 1) {
        if (!(name = pp_net_name(v)))
            return PP_ENOMEM;
        PP_TRY(pp_build_pixel_shuffle(v->b, name, conv, g[0].factor, g[1].factor, &op));
    }
    PP_TRY(cut(v, &op, g));
    pp_onnx_stream out = pp_net_map(v, op, x->ndim);
    if (op != conv) {
        out.scaled = conv;
        out.scaled_times = (uint32_t)corners;
    }
    return pp_net_give(v, 0, &out);
}

static pp_status convert_transposed(pp_onnx_net *v)
{
    const pp_onnx_stream *given;
    const pp_onnx_tensor *w = pp_net_constant(v, 1);
    PP_TRY(pp_net_stream(v, 0, &given));
    pp_onnx_stream x = *given;
    PP_TRY(pp_net_settle(v, &x));
    PP_TRY(pp_net_to_map(v, &x));
    if (!w || !w->data || !pp_onnx_is_float(w->type))
        return pp_net_fail(v, PP_EUNSUPPORTED, "its weights must be constant numbers");
    if (!pp_net_is_map(v, &x) || w->ndim != x.ndim)
        return pp_net_fail(v, PP_EUNSUPPORTED, "its input must be a map [N,C,H,W] or [N,C,W]");
    pp_shape shape = pp_net_shape(v, &x);
    int64_t groups = pp_onnx_attr_i(v->node, "group", 1), size[2] = {shape.h, shape.w}, kernel[2];
    if (groups < 1 || w->dim[0] != shape.c || w->dim[0] % (uint64_t)groups != 0 || w->dim[1] < 1 ||
        w->dim[1] > PP_DIM_MAX)
        return pp_net_fail(v, PP_EINVAL, "the shape of its weights does not fit %u channels in %lld groups", shape.c,
                           (long long)groups);
    for (uint32_t i = 2; i < w->ndim; i++)
        kernel[i - 2] = (int64_t)w->dim[i];
    pp_onnx_window window;
    uint32_t n = w->ndim - 2;
    PP_TRY(pp_onnx_transposed_of(v->m->path, v->node, n, kernel, n == 1 ? size + 1 : size, &window));
    grow g[2] = {{.factor = 1, .taps = 1, .size = 1, .kernel = 1, .dilation = 1}};
    for (uint32_t i = 0; i < n; i++) {
        if (window.out[i] > PP_DIM_MAX || window.kernel[i] > PP_DIM_MAX || window.stride[i] > PP_DIM_MAX)
            return pp_net_fail(v, PP_ERANGE, "kernel, stride or result are too large");
        g[2 - n + i] = grow_of(&window, i, size[2 - n + i]);
    }
    return build_transposed(v, &x, w, (uint32_t)groups, g);
}

/* ---- DepthToSpace, SpaceToDepth ---- */

static pp_status block_input(pp_onnx_net *v, pp_onnx_stream *x, uint32_t *block)
{
    const pp_onnx_stream *given;
    int64_t n = pp_onnx_attr_i(v->node, "blocksize", 0);
    PP_TRY(pp_net_stream(v, 0, &given));
    *x = *given;
    PP_TRY(pp_net_settle(v, x));
    PP_TRY(pp_net_to_map(v, x));
    if (!pp_net_is_map(v, x) || x->ndim != 4)
        return pp_net_fail(v, PP_EUNSUPPORTED, "its input must be a map [N,C,H,W]");
    if (n < 1 || n > 1024)
        return pp_net_fail(v, PP_ERANGE, "a block size of %lld", (long long)n);
    *block = (uint32_t)n;
    return PP_OK;
}

/* Channels [c][y][x] (mode CRD) are those of the network's operator; [y][x][c] (DCR) are shuffled first. */
static pp_status convert_depth_to_space(pp_onnx_net *v)
{
    pp_onnx_stream x;
    uint32_t n = 0, op;
    PP_TRY(block_input(v, &x, &n));
    bool first = strcmp(pp_onnx_attr_s(v->node, "mode", "DCR"), "CRD") != 0;
    op = x.op;
    if (pp_net_shape(v, &x).c % (n * n) != 0)
        return pp_net_fail(v, PP_EINVAL, "%u channels do not make %ux%u pixels", pp_net_shape(v, &x).c, n, n);
    const char *name = pp_net_name(v), *second = first && name ? pp_net_name(v) : name;
    if (!second)
        return PP_ENOMEM;
    if (first)
        PP_TRY(pp_build_shuffle(v->b, name, op, n * n, &op));
    PP_TRY(pp_build_pixel_shuffle(v->b, second, op, n, n, &op));
    pp_onnx_stream out = pp_net_map(v, op, 4);
    return pp_net_give(v, 0, &out);
}

/* Every n-th pixel from each corner of a block, and these maps as channels. */
static pp_status convert_space_to_depth(pp_onnx_net *v)
{
    pp_onnx_stream x;
    uint32_t n = 0, op = 0;
    PP_TRY(block_input(v, &x, &n));
    pp_shape s = pp_net_shape(v, &x);
    if (s.h % n || s.w % n)
        return pp_net_fail(v, PP_EINVAL, "blocks of %ux%u do not tile a map of %ux%u", n, n, s.h, s.w);
    uint32_t *part = pp_arena_get(v->arena, (size_t)n * n, sizeof *part);
    if (!part)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < n * n; i++) {
        pp_shape from = {i / n, i % n, 0}, size = {s.h - i / n, s.w - i % n, s.c};
        const char *name = pp_net_name(v), *second = name ? pp_net_name(v) : NULL;
        part[i] = x.op;
        if (!second)
            return PP_ENOMEM;
        if (i > 0)
            PP_TRY(pp_build_slice(v->b, name, x.op, from, size, &part[i]));
        PP_TRY(pp_build_subsample(v->b, second, part[i], n, s.c, &part[i]));
    }
    const char *name = pp_net_name(v);
    if (!name)
        return PP_ENOMEM;
    op = part[0];
    if (n > 1)
        PP_TRY(pp_build_join(v->b, name, PP_OP_CONCAT, part, n * n, &op));
    pp_onnx_stream out = pp_net_map(v, op, 4);
    return pp_net_give(v, 0, &out);
}

/* ---- Resize ---- */

/* Size of the result by that of the input. */
static pp_status factor_of(pp_onnx_net *v, const pp_onnx_resize *r, uint32_t d, uint32_t *factor)
{
    *factor = (uint32_t)(r->out[d] / r->in[d]);
    if (r->out[d] % r->in[d] != 0 || r->out[d] > PP_DIM_MAX)
        return pp_net_fail(v, PP_EUNSUPPORTED, "it makes %llu pixels of %llu; only whole factors are supported",
                           (unsigned long long)r->out[d], (unsigned long long)r->in[d]);
    return PP_OK;
}

static bool repeats(const pp_onnx_resize *r, uint32_t d, uint32_t factor)
{
    bool same = true;
    for (uint64_t o = 0; same && o < r->out[d]; o++)
        same = pp_onnx_resize_nearest(r, d, o) == o / factor;
    return same;
}

/* Straight lines between the pixels of a map are means of repeated pixels: windows of `factor` of them, and for an even
 * factor, whose half pixels lie between, windows of two of those. Windows at the border hold fewer pixels and divide by
 * as many, which is the border's value: the same as a coordinate held inside the map. Padding in front and behind. */
typedef struct blur {
    uint32_t wide, before, after, pair;
} blur;

static bool blur_of(const pp_onnx_resize *r, uint32_t d, uint32_t factor, blur *b)
{
    const char *c = r->coordinates;
    bool half = strcmp(c, "half_pixel") == 0 || (strcmp(c, "pytorch_half_pixel") == 0 && r->out[d] > 1);
    *b = (blur){.wide = 1, .pair = 1};
    if (factor == 1)
        return true;
    if (!half && strcmp(c, "asymmetric") != 0)
        return false;
    *b = half ? (blur){factor, factor / 2, factor / 2, factor % 2 ? 1 : 2} : (blur){factor, 0, factor - 1, 1};
    return true;
}

static pp_status mean(pp_onnx_net *v, uint32_t *op, const pp_window *w)
{
    const char *name;
    if (w->kh == 1 && w->kw == 1)
        return PP_OK;
    if (!(name = pp_net_name(v)))
        return PP_ENOMEM;
    return pp_build_pool(v->b, name, PP_OP_AVG_POOL, *op, w, op);
}

static pp_status smooth(pp_onnx_net *v, uint32_t *op, const blur *y, const blur *x)
{
    pp_window w = {.kh = y->wide, .kw = x->wide, .sh = 1, .sw = 1, .dh = 1, .dw = 1, .top = y->before, .left = x->before,
                   .bottom = y->after, .right = x->after};
    PP_TRY(mean(v, op, &w));
    w = (pp_window){.kh = y->pair, .kw = x->pair, .sh = 1, .sw = 1, .dh = 1, .dw = 1};
    return mean(v, op, &w);
}

static pp_status resize_of(pp_onnx_net *v, pp_onnx_stream *s, pp_onnx_resize *r)
{
    const pp_onnx_tensor *in[4] = {0};
    const pp_onnx_stream *given;
    PP_TRY(pp_net_stream(v, 0, &given));
    *s = *given;
    PP_TRY(pp_net_settle(v, s));
    PP_TRY(pp_net_to_map(v, s));
    if (!pp_net_is_map(v, s) || v->node->n_in > 4)
        return pp_net_fail(v, PP_EUNSUPPORTED, "its input must be a map [N,C,H,W] or [N,C,W]");
    for (uint32_t k = 1; k < v->node->n_in; k++) {
        in[k] = pp_net_constant(v, k);
        if (v->node->in[k] != PP_NONE && (!in[k] || !in[k]->data))
            return pp_net_fail(v, PP_EUNSUPPORTED, "its sizes or scales must be constant");
    }
    uint64_t dim[PP_ONNX_DIMS];
    memcpy(dim, s->dim, sizeof dim);
    if (v->images > 1 && in[3] && pp_onnx_count(in[3]) == s->ndim && pp_onnx_f64(in[3], 0) > 1)
        dim[0] = v->images; /* sizes count all the images that the file was made for */
    PP_TRY(pp_onnx_resize_of(v->m->path, v->node, v->m->opset, in, s->ndim, dim, r));
    if (r->out[0] != dim[0] || r->out[1] != s->dim[1])
        return pp_net_fail(v, PP_EUNSUPPORTED, "it changes the number of channels");
    return PP_OK;
}

/* Nearest pixels of any factors: each is taken from its place. */
static pp_status take_nearest(pp_onnx_net *v, const pp_onnx_stream *s, const pp_onnx_resize *r)
{
    const uint32_t last = s->ndim - 1;
    const uint64_t w = r->out[last], h = s->ndim == 4 ? r->out[2] : 1;
    uint32_t op = 0;
    PP_TRY(pp_net_take_room(v, h * w * sizeof(pp_source)));
    pp_source *from = pp_arena_get(v->arena, h * w, sizeof *from);
    const char *name = pp_net_name(v);
    if (!from || !name)
        return PP_ENOMEM;
    for (uint64_t i = 0; i < w; i++)
        from[i] = (pp_source){0, (uint32_t)pp_onnx_resize_nearest(r, last, i)};
    for (uint64_t i = h; i-- > 0;) { /* the first row last: the others are it, lower down */
        const uint64_t y = s->ndim == 4 ? pp_onnx_resize_nearest(r, 2, i) : 0;
        for (uint64_t k = 0; k < w; k++)
            from[i * w + k] = (pp_source){0, (uint32_t)(y * r->in[last] + from[k].pixel)};
    }
    PP_TRY(pp_build_arrange(v->b, name, &s->op, 1, (uint32_t)h, (uint32_t)w, from, NULL, &op));
    const pp_onnx_stream out = pp_net_map(v, op, s->ndim);
    return pp_net_give(v, 0, &out);
}

/* Whether nearest pixels are whole blocks of the same pixel. */
static bool is_blocks(const pp_onnx_resize *r, uint32_t d)
{
    return r->out[d] % r->in[d] == 0 && repeats(r, d, (uint32_t)(r->out[d] / r->in[d]));
}

static pp_status convert_resize(pp_onnx_net *v)
{
    pp_onnx_resize r;
    pp_onnx_stream s;
    uint32_t y = 1, x = 1, op = 0;
    PP_TRY(resize_of(v, &s, &r));
    uint32_t last = s.ndim - 1;
    const bool linear = strcmp(r.mode, "linear") == 0, nearest = strcmp(r.mode, "nearest") == 0;
    blur by = {.wide = 1, .pair = 1}, bx = by;
    for (uint32_t d = 2; d < s.ndim; d++)
        if (strcmp(r.coordinates, "align_corners") == 0 && fabs(r.scale[d] * (double)r.in[d] - (double)r.out[d]) > 1e-3)
            return pp_net_refuse(v, "align_corners with a scale that leaves a part of a pixel, which runtimes read differently; give sizes");
    PP_TRY(pp_net_check_pixels(v, s.ndim == 4 ? r.out[2] : 1, r.out[last]));
    if (nearest && (!is_blocks(&r, last) || (s.ndim == 4 && !is_blocks(&r, 2))))
        return take_nearest(v, &s, &r);
    if (s.ndim == 4)
        PP_TRY(factor_of(v, &r, 2, &y));
    PP_TRY(factor_of(v, &r, last, &x));
    if (!linear && !nearest)
        return pp_net_fail(v, PP_EUNSUPPORTED, "mode '%s'; nearest and linear are supported", r.mode);
    if (linear && ((s.ndim == 4 && !blur_of(&r, 2, y, &by)) || !blur_of(&r, last, x, &bx)))
        return pp_net_fail(v, PP_EUNSUPPORTED,
                           "coordinates '%s' between pixels; half_pixel and asymmetric are supported", r.coordinates);
    const char *name = pp_net_name(v);
    if (!name)
        return PP_ENOMEM;
    PP_TRY(pp_build_upsample(v->b, name, s.op, y, x, &op));
    PP_TRY(smooth(v, &op, &by, &bx));
    pp_onnx_stream out = pp_net_map(v, op, s.ndim);
    return pp_net_give(v, 0, &out);
}

const pp_net_row pp_net_ops_up_[] = {
    {"ConvTranspose", convert_transposed},
    {"DepthToSpace", convert_depth_to_space},
    {"SpaceToDepth", convert_space_to_depth},
    {"Resize", convert_resize},
    {"Upsample", convert_resize},
    {NULL, NULL},
};

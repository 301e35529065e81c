/* ONNX convolutions and pools over any number of spatial axes. */
#include "workloads/onnx_internal.h"

#include <math.h>
#include <string.h>

enum { SIZE_LIMIT = 1 << 24 };

/* n numbers of a list attribute, `absent` when it is not there. */
static pp_status numbers(const char *path, const pp_onnx_node *node, const char *name, uint32_t n, int64_t absent,
                         int64_t least, int64_t *out)
{
    const pp_onnx_attr *a = pp_onnx_attr_find(node, name);
    for (uint32_t i = 0; i < n; i++)
        out[i] = absent;
    if (!a || a->n == 0)
        return PP_OK;
    if (a->n != n || !a->ints)
        return pp_onnx_fail(path, node, PP_EFORMAT, "%s must have %u numbers, not %u", name, n, a->n);
    for (uint32_t i = 0; i < n; i++) {
        out[i] = a->ints[i];
        if (out[i] < least || out[i] > SIZE_LIMIT)
            return pp_onnx_fail(path, node, PP_ERANGE, "%s holds %lld", name, (long long)out[i]);
    }
    return PP_OK;
}

static int64_t extent(const pp_onnx_window *w, uint32_t i)
{
    return (w->kernel[i] - 1) * w->dilation[i] + 1;
}

/* SAME: as many outputs as strides fit, the odd pixel of padding behind (UPPER) or in front. */
static void pad_same(pp_onnx_window *w, const int64_t *size, bool upper)
{
    for (uint32_t i = 0; i < w->n; i++) {
        int64_t out = (size[i] + w->stride[i] - 1) / w->stride[i];
        int64_t pad = (out - 1) * w->stride[i] + extent(w, i) - size[i];
        pad = pad < 0 ? 0 : pad;
        w->before[i] = upper ? pad / 2 : pad - pad / 2;
        w->after[i] = pad - w->before[i];
    }
}

static pp_status read_pads(const char *path, const pp_onnx_node *node, const int64_t *size, pp_onnx_window *w)
{
    const char *mode = pp_onnx_attr_s(node, "auto_pad", "NOTSET");
    int64_t pads[2 * PP_ONNX_DIMS];
    if (strcmp(mode, "SAME_UPPER") == 0 || strcmp(mode, "SAME_LOWER") == 0) {
        pad_same(w, size, mode[5] == 'U');
        return PP_OK;
    }
    if (strcmp(mode, "NOTSET") != 0 && strcmp(mode, "VALID") != 0 && *mode)
        return pp_onnx_fail(path, node, PP_EFORMAT, "auto_pad '%s'", mode);
    PP_TRY(numbers(path, node, "pads", 2 * w->n, 0, 0, pads));
    for (uint32_t i = 0; i < w->n; i++) {
        bool valid = strcmp(mode, "VALID") == 0;
        w->before[i] = valid ? 0 : pads[i];
        w->after[i] = valid ? 0 : pads[w->n + i];
    }
    return PP_OK;
}

/* Kernel, strides and dilations. */
static pp_status read_kernel(const char *path, const pp_onnx_node *node, uint32_t n, const int64_t *kernel,
                             const int64_t *size, pp_onnx_window *w)
{
    *w = (pp_onnx_window){.n = n};
    if (n < 1 || n > 6)
        return pp_onnx_fail(path, node, PP_EUNSUPPORTED, "%u spatial axes", n);
    PP_TRY(numbers(path, node, "kernel_shape", n, 0, 1, w->kernel));
    PP_TRY(numbers(path, node, "strides", n, 1, 1, w->stride));
    PP_TRY(numbers(path, node, "dilations", n, 1, 1, w->dilation));
    for (uint32_t i = 0; i < n; i++) {
        if (kernel && w->kernel[i] && w->kernel[i] != kernel[i])
            return pp_onnx_fail(path, node, PP_EINVAL, "kernel_shape says %lld, its weights %lld",
                                (long long)w->kernel[i], (long long)kernel[i]);
        if (kernel)
            w->kernel[i] = kernel[i];
        if (w->kernel[i] < 1 || w->kernel[i] > SIZE_LIMIT || size[i] > SIZE_LIMIT)
            return pp_onnx_fail(path, node, PP_ERANGE, "kernel %lld over a map of %lld", (long long)w->kernel[i],
                                (long long)size[i]);
    }
    return PP_OK;
}

pp_status pp_onnx_window_of(const char *path, const pp_onnx_node *node, uint32_t n, const int64_t *kernel,
                            const int64_t *size, pp_onnx_window *w)
{
    PP_TRY(read_kernel(path, node, n, kernel, size, w));
    PP_TRY(read_pads(path, node, size, w));
    bool ceiling = pp_onnx_attr_i(node, "ceil_mode", 0) != 0;
    for (uint32_t i = 0; i < n; i++) {
        int64_t room = size[i] + w->before[i] + w->after[i] - extent(w, i);
        if (room < 0)
            return pp_onnx_fail(path, node, PP_ERANGE, "a kernel of %lld does not fit a map of %lld",
                                (long long)extent(w, i), (long long)size[i]);
        w->out[i] = room / w->stride[i] + 1;
        /* A window may hang over the end, but not begin behind it. */
        if (ceiling && room % w->stride[i] && w->out[i] * w->stride[i] < size[i] + w->before[i])
            w->out[i]++;
        int64_t over = (w->out[i] - 1) * w->stride[i] - room;
        w->beyond[i] = over > 0 ? over : 0;
    }
    return PP_OK;
}

/* Padding that makes the result `out` long, the odd pixel behind (SAME_UPPER) or in front. A longer result than the
 * kernel makes ends with what no tap reaches. */
static void pad_to(uint32_t i, int64_t whole, bool upper, pp_onnx_window *w)
{
    int64_t pad = whole > w->out[i] ? whole - w->out[i] : 0;
    w->before[i] = upper ? pad / 2 : pad - pad / 2;
    w->after[i] = pad - w->before[i];
}

pp_status pp_onnx_transposed_of(const char *path, const pp_onnx_node *node, uint32_t n, const int64_t *kernel,
                                const int64_t *size, pp_onnx_window *w)
{
    const char *mode = pp_onnx_attr_s(node, "auto_pad", "NOTSET");
    const pp_onnx_attr *shape = pp_onnx_attr_find(node, "output_shape");
    int64_t more[PP_ONNX_DIMS], given[PP_ONNX_DIMS];
    bool same = strncmp(mode, "SAME_", 5) == 0, upper = strcmp(mode, "SAME_UPPER") == 0;
    PP_TRY(read_kernel(path, node, n, kernel, size, w));
    PP_TRY(numbers(path, node, "output_padding", n, 0, 0, more));
    PP_TRY(numbers(path, node, "output_shape", n, 0, 1, given));
    if (!same && !(shape && shape->n))
        PP_TRY(read_pads(path, node, size, w));
    for (uint32_t i = 0; i < n; i++) {
        int64_t whole = (size[i] - 1) * w->stride[i] + extent(w, i) + more[i];
        w->out[i] = shape && shape->n ? given[i] : same ? size[i] * w->stride[i] : whole - w->before[i] - w->after[i];
        if (same || (shape && shape->n))
            pad_to(i, whole, upper, w);
        if (w->out[i] < 1 || more[i] > w->stride[i] * w->dilation[i])
            return pp_onnx_fail(path, node, PP_ERANGE, "its padding leaves %lld pixels", (long long)w->out[i]);
    }
    return PP_OK;
}

/* Digits of i in a mixed base, last axis fastest. */
static void digits(uint64_t i, uint32_t n, const int64_t *base, int64_t *out)
{
    for (uint32_t d = n; d-- > 0;) {
        out[d] = (int64_t)(i % (uint64_t)base[d]);
        i /= (uint64_t)base[d];
    }
}

/* At most 2^60, which no work limit allows. */
static uint64_t product(uint32_t n, const int64_t *v)
{
    uint64_t p = 1;
    for (uint32_t i = 0; i < n; i++)
        p = v[i] && p > (UINT64_C(1) << 60) / (uint64_t)v[i] ? UINT64_C(1) << 60 : p * (uint64_t)v[i];
    return p;
}

/* Pixel of the map that tap `k` of output `o` reads; false: padding. */
static bool tap(const pp_onnx_window *w, const int64_t *size, const int64_t *o, const int64_t *k, uint64_t *pixel)
{
    *pixel = 0;
    for (uint32_t d = 0; d < w->n; d++) {
        int64_t at = o[d] * w->stride[d] + k[d] * w->dilation[d] - w->before[d];
        if (at < 0 || at >= size[d])
            return false;
        *pixel = *pixel * (uint64_t)size[d] + (uint64_t)at;
    }
    return true;
}

typedef struct map {
    const pp_onnx_tensor *x;
    uint32_t n;
    int64_t size[PP_ONNX_DIMS];
    uint64_t batch, channels, pixels;
} map;

static pp_status map_of(pp_onnx_call *c, map *m)
{
    m->x = pp_onnx_in(c, 0);
    if (!m->x || m->x->ndim < 3 || pp_onnx_count(m->x) == 0)
        return pp_onnx_fail(c->path, c->node, PP_EUNSUPPORTED, "its input must be a map [N,C,...]");
    m->n = m->x->ndim - 2;
    for (uint32_t i = 0; i < m->n; i++)
        m->size[i] = (int64_t)m->x->dim[i + 2];
    m->batch = m->x->dim[0];
    m->channels = m->x->dim[1];
    m->pixels = product(m->n, m->size);
    return PP_OK;
}

static pp_status window_result(pp_onnx_call *c, const map *m, const pp_onnx_window *w, uint64_t channels, void **data)
{
    uint64_t dim[PP_ONNX_DIMS] = {m->batch, channels};
    for (uint32_t i = 0; i < w->n; i++)
        dim[i + 2] = (uint64_t)w->out[i];
    PP_TRY(pp_onnx_result(c, 0, m->x->type, m->x->ndim, dim, data));
    uint64_t outputs = pp_onnx_count(&c->out[0]), taps = product(w->n, w->kernel);
    return outputs > UINT64_MAX / taps ? pp_onnx_charge(c, UINT64_MAX) : pp_onnx_charge(c, outputs * taps);
}

/* Inputs of a convolution, and the sizes of its kernel. */
typedef struct filter {
    map m;
    const pp_onnx_tensor *weight, *bias;
    uint64_t groups, taps;
    int64_t kernel[PP_ONNX_DIMS];
} filter;

static pp_status filter_of(pp_onnx_call *c, filter *f)
{
    PP_TRY(map_of(c, &f->m));
    f->weight = pp_onnx_in(c, 1);
    f->bias = pp_onnx_in(c, 2);
    int64_t groups = pp_onnx_attr_i(c->node, "group", 1);
    if (!f->weight || f->weight->ndim != f->m.x->ndim || groups < 1 || groups > SIZE_LIMIT)
        return pp_onnx_fail(c->path, c->node, PP_EINVAL, "the shapes of its inputs do not fit");
    f->groups = (uint64_t)groups;
    for (uint32_t i = 0; i < f->m.n; i++)
        f->kernel[i] = (int64_t)f->weight->dim[i + 2];
    f->taps = product(f->m.n, f->kernel);
    return PP_OK;
}

static pp_status run_conv(pp_onnx_call *c)
{
    filter f;
    pp_onnx_window w;
    void *data = NULL;
    PP_TRY(filter_of(c, &f));
    const map m = f.m;
    const pp_onnx_tensor *weight = f.weight, *bias = f.bias;
    if (weight->dim[0] % f.groups != 0 || weight->dim[1] > m.channels || weight->dim[1] * f.groups != m.channels ||
        (bias && pp_onnx_count(bias) != weight->dim[0]))
        return pp_onnx_fail(c->path, c->node, PP_EINVAL, "the shapes of its inputs do not fit");
    PP_TRY(pp_onnx_window_of(c->path, c->node, m.n, f.kernel, m.size, &w));
    PP_TRY(window_result(c, &m, &w, weight->dim[0], &data));
    uint64_t cin = weight->dim[1], cout = weight->dim[0], pixels = product(m.n, w.out);
    for (uint64_t i = 0; i < m.batch * cout * pixels; i++) {
        uint64_t co = i / pixels % cout,
                 base = (i / pixels / cout * m.channels + co / (cout / f.groups) * cin) * m.pixels;
        double sum = bias ? pp_onnx_f64(bias, co) : 0;
        int64_t o[PP_ONNX_DIMS], k[PP_ONNX_DIMS];
        digits(i % pixels, m.n, w.out, o);
        PP_TRY(pp_onnx_charge(c, cin));
        for (uint64_t t = 0; t < f.taps; t++) {
            uint64_t pixel;
            digits(t, m.n, f.kernel, k);
            for (uint64_t ci = 0; ci < cin && tap(&w, m.size, o, k, &pixel); ci++)
                sum += pp_onnx_f64(m.x, base + ci * m.pixels + pixel) * pp_onnx_f64(weight, (co * cin + ci) * f.taps + t);
        }
        pp_onnx_store(data, m.x->type, i, sum);
    }
    return PP_OK;
}

/* Pixel of the map that reaches output `o` through tap `k`; false: none. */
static bool source(const pp_onnx_window *w, const int64_t *size, const int64_t *o, const int64_t *k, uint64_t *pixel)
{
    *pixel = 0;
    for (uint32_t d = 0; d < w->n; d++) {
        int64_t at = o[d] + w->before[d] - k[d] * w->dilation[d];
        if (at < 0 || at % w->stride[d] != 0 || at / w->stride[d] >= size[d])
            return false;
        *pixel = *pixel * (uint64_t)size[d] + (uint64_t)(at / w->stride[d]);
    }
    return true;
}

static pp_status run_transposed(pp_onnx_call *c)
{
    filter f;
    pp_onnx_window w;
    void *data = NULL;
    PP_TRY(filter_of(c, &f));
    const map m = f.m;
    const pp_onnx_tensor *weight = f.weight, *bias = f.bias;
    if (weight->dim[0] != m.channels || weight->dim[1] < 1 || weight->dim[1] > SIZE_LIMIT || m.channels % f.groups != 0 ||
        (bias && pp_onnx_count(bias) != weight->dim[1] * f.groups))
        return pp_onnx_fail(c->path, c->node, PP_EINVAL, "the shapes of its inputs do not fit");
    PP_TRY(pp_onnx_transposed_of(c->path, c->node, m.n, f.kernel, m.size, &w));
    uint64_t each = weight->dim[1], cin = m.channels / f.groups, cout = each * f.groups;
    PP_TRY(window_result(c, &m, &w, cout, &data));
    uint64_t pixels = product(m.n, w.out);
    for (uint64_t i = 0; i < m.batch * cout * pixels; i++) {
        uint64_t co = i / pixels % cout, first = co / each * cin, base = (i / pixels / cout * m.channels + first) * m.pixels;
        double sum = bias ? pp_onnx_f64(bias, co) : 0;
        int64_t o[PP_ONNX_DIMS], k[PP_ONNX_DIMS];
        digits(i % pixels, m.n, w.out, o);
        PP_TRY(pp_onnx_charge(c, cin));
        for (uint64_t t = 0; t < f.taps; t++) {
            uint64_t pixel;
            digits(t, m.n, f.kernel, k);
            for (uint64_t ci = 0; ci < cin && source(&w, m.size, o, k, &pixel); ci++)
                sum += pp_onnx_f64(m.x, base + ci * m.pixels + pixel) *
                       pp_onnx_f64(weight, ((first + ci) * each + co % each) * f.taps + t);
        }
        pp_onnx_store(data, m.x->type, i, sum);
    }
    return PP_OK;
}

/* Positions of a window that are inside the map or its padding: what an average divides by. */
static uint64_t padded_taps(const pp_onnx_window *w, const int64_t *size, const int64_t *o)
{
    uint64_t n = 1;
    for (uint32_t d = 0; d < w->n; d++) {
        uint64_t inside = 0;
        for (int64_t k = 0; k < w->kernel[d]; k++)
            inside += o[d] * w->stride[d] + k * w->dilation[d] < size[d] + w->before[d] + w->after[d];
        n *= inside;
    }
    return n;
}

static pp_status run_pool(pp_onnx_call *c)
{
    map m;
    pp_onnx_window w;
    void *data = NULL;
    bool max = strcmp(c->node->op, "MaxPool") == 0, padding = pp_onnx_attr_i(c->node, "count_include_pad", 0) != 0;
    PP_TRY(map_of(c, &m));
    PP_TRY(pp_onnx_window_of(c->path, c->node, m.n, NULL, m.size, &w));
    PP_TRY(window_result(c, &m, &w, m.channels, &data));
    uint64_t taps = product(m.n, w.kernel), pixels = product(m.n, w.out);
    for (uint64_t i = 0; i < m.batch * m.channels * pixels; i++) {
        double best = -INFINITY, sum = 0, count = 0;
        int64_t o[PP_ONNX_DIMS], k[PP_ONNX_DIMS];
        digits(i % pixels, m.n, w.out, o);
        for (uint64_t t = 0; t < taps; t++) {
            uint64_t pixel;
            digits(t, m.n, w.kernel, k);
            if (!tap(&w, m.size, o, k, &pixel))
                continue;
            double v = pp_onnx_f64(m.x, i / pixels * m.pixels + pixel);
            best = v > best ? v : best;
            sum += v;
            count++;
        }
        count = padding ? (double)padded_taps(&w, m.size, o) : count;
        pp_onnx_store(data, m.x->type, i, max ? best : sum / count);
    }
    return PP_OK;
}

static pp_status run_global(pp_onnx_call *c)
{
    map m;
    uint64_t dim[PP_ONNX_DIMS];
    void *data = NULL;
    bool max = strcmp(c->node->op, "GlobalMaxPool") == 0;
    PP_TRY(map_of(c, &m));
    for (uint32_t i = 0; i < m.x->ndim; i++)
        dim[i] = i < 2 ? m.x->dim[i] : 1;
    PP_TRY(pp_onnx_result(c, 0, m.x->type, m.x->ndim, dim, &data));
    for (uint64_t i = 0; i < m.batch * m.channels; i++) {
        double best = -INFINITY, sum = 0;
        for (uint64_t p = 0; p < m.pixels; p++) {
            double v = pp_onnx_f64(m.x, i * m.pixels + p);
            best = v > best ? v : best;
            sum += v;
        }
        pp_onnx_store(data, m.x->type, i, max ? best : sum / (double)m.pixels);
    }
    return PP_OK;
}

const pp_onnx_row pp_onnx_ops_window_[] = {
    {"Conv", run_conv},
    {"ConvTranspose", run_transposed},
    {"MaxPool", run_pool},
    {"AveragePool", run_pool},
    {"GlobalAveragePool", run_global},
    {"GlobalMaxPool", run_global},
    {NULL, NULL},
};

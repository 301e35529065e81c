/* ONNX operators that reduce or normalise along axes. */
#include "workloads/network_internal.h"
#include "workloads/onnx_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Reduce* ---- */

typedef enum fold_kind {
    FOLD_SUM,
    FOLD_MEAN,
    FOLD_MAX,
    FOLD_MIN,
    FOLD_PROD,
    FOLD_L1,
    FOLD_L2,
    FOLD_SQUARE,
    FOLD_LOGSUM
} fold_kind;

static const struct {
    const char *op;
    fold_kind kind;
    int64_t axes_input_from; /* opset from which axes are an input */
} reductions[] = {{"ReduceSum", FOLD_SUM, 13}, {"ReduceMean", FOLD_MEAN, 18},        {"ReduceMax", FOLD_MAX, 18},
                  {"ReduceMin", FOLD_MIN, 18}, {"ReduceProd", FOLD_PROD, 18},        {"ReduceL1", FOLD_L1, 18},
                  {"ReduceL2", FOLD_L2, 18},   {"ReduceSumSquare", FOLD_SQUARE, 18}, {"ReduceLogSum", FOLD_LOGSUM, 18}};

static double start_of(fold_kind kind)
{
    return kind == FOLD_MAX ? -INFINITY : kind == FOLD_MIN ? INFINITY : kind == FOLD_PROD ? 1 : 0;
}

static double step(fold_kind kind, double acc, double v)
{
    switch (kind) {
    case FOLD_MAX:
        return v > acc ? v : acc;
    case FOLD_MIN:
        return v < acc ? v : acc;
    case FOLD_PROD:
        return acc * v;
    case FOLD_L1:
        return acc + fabs(v);
    case FOLD_L2:
    case FOLD_SQUARE:
        return acc + v * v;
    default:
        return acc + v;
    }
}

static double finish(fold_kind kind, double acc, double n)
{
    return kind == FOLD_MEAN ? acc / n : kind == FOLD_L2 ? sqrt(acc) : kind == FOLD_LOGSUM ? log(acc) : acc;
}

/* which[d]: axis d is reduced. No axes: all of them, or none with noop_with_empty_axes. */
static pp_status reduced_axes(pp_onnx_call *c, uint32_t ndim, int64_t axes_input_from, bool *which)
{
    const int64_t *axes;
    uint32_t n, axis;
    PP_TRY(pp_onnx_ints(c, "axes", c->opset >= axes_input_from ? 1 : PP_NONE, &axes, &n));
    bool all = n == 0 && !pp_onnx_attr_i(c->node, "noop_with_empty_axes", 0);
    for (uint32_t d = 0; d < ndim; d++)
        which[d] = all;
    for (uint32_t i = 0; i < n; i++) {
        PP_TRY(pp_onnx_axis(c, axes[i], ndim, &axis));
        which[axis] = true;
    }
    return PP_OK;
}

/* Result element of element i, the reduced axes left out. */
static uint64_t reduced_place(const pp_onnx_tensor *x, const bool *which, uint64_t i)
{
    uint64_t at = 0, stride = 1;
    for (uint32_t d = x->ndim; d-- > 0;) {
        if (!which[d]) {
            at += i % x->dim[d] * stride;
            stride *= x->dim[d];
        }
        i /= x->dim[d];
    }
    return at;
}

static pp_status run_reduce(pp_onnx_call *c)
{
    const pp_onnx_tensor *x = pp_onnx_in(c, 0);
    size_t row = 0;
    bool which[PP_ONNX_DIMS], keep = pp_onnx_attr_i(c->node, "keepdims", 1) != 0;
    uint64_t dim[PP_ONNX_DIMS], n = 1;
    uint32_t ndim = 0;
    void *data = NULL;
    while (strcmp(reductions[row].op, c->node->op) != 0)
        row++;
    if (!x)
        return pp_onnx_fail(c->path, c->node, PP_EFORMAT, "no input");
    PP_TRY(reduced_axes(c, x->ndim, reductions[row].axes_input_from, which));
    for (uint32_t d = 0; d < x->ndim; d++) {
        n *= which[d] ? x->dim[d] : 1;
        if (!which[d] || keep)
            dim[ndim++] = which[d] ? 1 : x->dim[d];
    }
    PP_TRY(pp_onnx_result(c, 0, x->type, ndim, dim, &data));
    uint64_t results = pp_onnx_count(&c->out[0]), count = pp_onnx_count(x);
    fold_kind kind = reductions[row].kind;
    double *acc = pp_alloc(results, sizeof *acc);
    if (!acc)
        return PP_ENOMEM;
    for (uint64_t i = 0; i < results; i++)
        acc[i] = start_of(kind);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t to = reduced_place(x, which, i);
        acc[to] = step(kind, acc[to], pp_onnx_f64(x, i));
    }
    for (uint64_t i = 0; i < results; i++)
        pp_onnx_store(data, x->type, i, finish(kind, acc[i], (double)n));
    free(acc);
    return PP_OK;
}

/* ---- along one axis ---- */

/* A tensor as [outer][n][inner] around an axis. */
typedef struct lines {
    uint64_t outer, n, inner;
} lines;

static lines lines_of(const pp_onnx_tensor *x, uint32_t axis, bool rest)
{
    lines l = {1, 1, 1};
    for (uint32_t d = 0; d < x->ndim; d++) {
        if (d < axis)
            l.outer *= x->dim[d];
        else if (d == axis || rest)
            l.n *= x->dim[d];
        else
            l.inner *= x->dim[d];
    }
    return l;
}

static pp_status run_softmax(pp_onnx_call *c)
{
    const pp_onnx_tensor *x = pp_onnx_in(c, 0);
    bool is_log = strcmp(c->node->op, "LogSoftmax") == 0, rest = c->opset < 13;
    uint32_t axis = 0;
    void *data = NULL;
    if (!x || x->ndim == 0)
        return pp_onnx_fail(c->path, c->node, PP_EFORMAT, "needs a tensor");
    PP_TRY(pp_onnx_axis(c, pp_onnx_attr_i(c->node, "axis", rest ? (x->ndim > 1 ? 1 : 0) : -1), x->ndim, &axis));
    PP_TRY(pp_onnx_result(c, 0, x->type, x->ndim, x->dim, &data));
    lines l = lines_of(x, axis, rest);
    for (uint64_t o = 0; o < l.outer; o++)
        for (uint64_t i = 0; i < l.inner; i++) {
            uint64_t at = o * l.n * l.inner + i;
            double top = -INFINITY, sum = 0;
            for (uint64_t k = 0; k < l.n; k++)
                top = fmax(top, pp_onnx_f64(x, at + k * l.inner));
            for (uint64_t k = 0; k < l.n; k++)
                sum += exp(pp_onnx_f64(x, at + k * l.inner) - top);
            for (uint64_t k = 0; k < l.n; k++) {
                double v = pp_onnx_f64(x, at + k * l.inner) - top;
                pp_onnx_store(data, x->type, at + k * l.inner, is_log ? v - log(sum) : exp(v) / sum);
            }
        }
    return PP_OK;
}

static pp_status run_arg(pp_onnx_call *c)
{
    const pp_onnx_tensor *x = pp_onnx_in(c, 0);
    bool max = strcmp(c->node->op, "ArgMax") == 0, keep = pp_onnx_attr_i(c->node, "keepdims", 1) != 0;
    bool last = pp_onnx_attr_i(c->node, "select_last_index", 0) != 0;
    uint64_t dim[PP_ONNX_DIMS];
    uint32_t axis = 0, ndim = 0;
    void *data = NULL;
    if (!x)
        return pp_onnx_fail(c->path, c->node, PP_EFORMAT, "no input");
    PP_TRY(pp_onnx_axis(c, pp_onnx_attr_i(c->node, "axis", 0), x->ndim, &axis));
    for (uint32_t d = 0; d < x->ndim; d++)
        if (d != axis || keep)
            dim[ndim++] = d == axis ? 1 : x->dim[d];
    PP_TRY(pp_onnx_result(c, 0, PP_ONNX_INT64, ndim, dim, &data));
    lines l = lines_of(x, axis, false);
    for (uint64_t r = 0; r < l.outer * l.inner; r++) {
        uint64_t at = r / l.inner * l.n * l.inner + r % l.inner, best = 0;
        for (uint64_t k = 1; k < l.n; k++) {
            double a = pp_onnx_f64(x, at + k * l.inner), b = pp_onnx_f64(x, at + best * l.inner);
            if ((max ? a > b : a < b) || (last && a == b))
                best = k;
        }
        pp_onnx_store(data, PP_ONNX_INT64, r, (double)best);
    }
    return PP_OK;
}

/* ---- normalisations ---- */

static pp_status run_layer_norm(pp_onnx_call *c)
{
    const pp_onnx_tensor *x = pp_onnx_in(c, 0), *scale = pp_onnx_in(c, 1), *bias = pp_onnx_in(c, 2);
    double epsilon = pp_onnx_attr_f(c->node, "epsilon", 1e-5);
    uint32_t axis = 0;
    uint64_t dim[PP_ONNX_DIMS];
    void *data = NULL, *mean_to = NULL, *inverse_to = NULL;
    if (!x || !scale)
        return pp_onnx_fail(c->path, c->node, PP_EFORMAT, "needs a value and a scale");
    PP_TRY(pp_onnx_axis(c, pp_onnx_attr_i(c->node, "axis", -1), x->ndim, &axis));
    lines l = lines_of(x, axis, true);
    if (pp_onnx_count(scale) != l.n || (bias && pp_onnx_count(bias) != l.n))
        return pp_onnx_fail(c->path, c->node, PP_EUNSUPPORTED, "scale and bias must have the normalised shape");
    for (uint32_t d = 0; d < x->ndim; d++)
        dim[d] = d < axis ? x->dim[d] : 1;
    PP_TRY(pp_onnx_result(c, 0, x->type, x->ndim, x->dim, &data));
    if (c->node->n_out > 1)
        PP_TRY(pp_onnx_result(c, 1, PP_ONNX_FLOAT, x->ndim, dim, &mean_to));
    if (c->node->n_out > 2)
        PP_TRY(pp_onnx_result(c, 2, PP_ONNX_FLOAT, x->ndim, dim, &inverse_to));
    for (uint64_t o = 0; o < l.outer; o++) {
        double mean = 0, square = 0;
        for (uint64_t k = 0; k < l.n; k++)
            mean += pp_onnx_f64(x, o * l.n + k) / (double)l.n;
        for (uint64_t k = 0; k < l.n; k++)
            square += pow(pp_onnx_f64(x, o * l.n + k) - mean, 2) / (double)l.n;
        double inverse = 1 / sqrt(square + epsilon);
        for (uint64_t k = 0; k < l.n; k++)
            pp_onnx_store(data, x->type, o * l.n + k,
                          (pp_onnx_f64(x, o * l.n + k) - mean) * inverse * pp_onnx_f64(scale, k) +
                              (bias ? pp_onnx_f64(bias, k) : 0));
        if (mean_to)
            pp_onnx_store(mean_to, PP_ONNX_FLOAT, o, mean);
        if (inverse_to)
            pp_onnx_store(inverse_to, PP_ONNX_FLOAT, o, inverse);
    }
    return PP_OK;
}

static pp_status run_batch_norm(pp_onnx_call *c)
{
    const pp_onnx_tensor *x = pp_onnx_in(c, 0);
    double epsilon = pp_onnx_attr_f(c->node, "epsilon", 1e-5);
    void *data = NULL;
    if (pp_onnx_attr_i(c->node, "training_mode", 0) || (c->node->n_out > 1 && c->opset >= 14))
        return pp_onnx_fail(c->path, c->node, PP_EUNSUPPORTED, "training mode");
    if (!x || x->ndim < 2)
        return pp_onnx_fail(c->path, c->node, PP_EFORMAT, "its input must be a map [N,C,...]");
    for (uint32_t k = 1; k < 5; k++)
        if (!pp_onnx_in(c, k) || pp_onnx_count(c->in[k]) != x->dim[1])
            return pp_onnx_fail(c->path, c->node, PP_EINVAL, "input %u must have one number a channel", k);
    PP_TRY(pp_onnx_result(c, 0, x->type, x->ndim, x->dim, &data));
    lines l = lines_of(x, 1, false);
    uint64_t n = pp_onnx_count(x);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t ch = i / l.inner % l.n;
        double v = (pp_onnx_f64(x, i) - pp_onnx_f64(c->in[3], ch)) / sqrt(pp_onnx_f64(c->in[4], ch) + epsilon);
        pp_onnx_store(data, x->type, i, v * pp_onnx_f64(c->in[1], ch) + pp_onnx_f64(c->in[2], ch));
    }
    return PP_OK;
}

static pp_status run_instance_norm(pp_onnx_call *c)
{
    const pp_onnx_tensor *x = pp_onnx_in(c, 0), *scale = pp_onnx_in(c, 1), *bias = pp_onnx_in(c, 2);
    double epsilon = pp_onnx_attr_f(c->node, "epsilon", 1e-5);
    void *data = NULL;
    if (!x || x->ndim < 3 || !scale || !bias || pp_onnx_count(scale) != x->dim[1] || pp_onnx_count(bias) != x->dim[1])
        return pp_onnx_fail(c->path, c->node, PP_EFORMAT, "needs a map [N,C,...], and scale and bias of C numbers");
    PP_TRY(pp_onnx_result(c, 0, x->type, x->ndim, x->dim, &data));
    lines l = lines_of(x, 2, true);
    for (uint64_t o = 0; o < l.outer; o++) {
        double mean = 0, square = 0;
        for (uint64_t k = 0; k < l.n; k++)
            mean += pp_onnx_f64(x, o * l.n + k) / (double)l.n;
        for (uint64_t k = 0; k < l.n; k++)
            square += pow(pp_onnx_f64(x, o * l.n + k) - mean, 2) / (double)l.n;
        double factor = pp_onnx_f64(scale, o % x->dim[1]) / sqrt(square + epsilon);
        for (uint64_t k = 0; k < l.n; k++)
            pp_onnx_store(data, x->type, o * l.n + k,
                          (pp_onnx_f64(x, o * l.n + k) - mean) * factor + pp_onnx_f64(bias, o % x->dim[1]));
    }
    return PP_OK;
}

/* Over all elements of a group of channels. scale, bias: one a channel, or (before operator set 21) one a group. */
static pp_status run_group_norm(pp_onnx_call *c)
{
    const pp_onnx_tensor *x = pp_onnx_in(c, 0), *scale = pp_onnx_in(c, 1), *bias = pp_onnx_in(c, 2);
    const int64_t groups = pp_onnx_attr_i(c->node, "num_groups", 0);
    double epsilon = pp_onnx_attr_f(c->node, "epsilon", 1e-5);
    void *data = NULL;
    const uint64_t channels = x && x->ndim > 1 ? x->dim[1] : 0, have = scale ? pp_onnx_count(scale) : 0;
    if (groups < 1 || channels == 0 || channels % (uint64_t)groups != 0 || !bias || pp_onnx_count(bias) != have ||
        (have != channels && have != (uint64_t)groups))
        return pp_onnx_fail(c->path, c->node, PP_EFORMAT, "needs a map [N,C,...], and scale and bias of C numbers");
    PP_TRY(pp_onnx_result(c, 0, x->type, x->ndim, x->dim, &data));
    const uint64_t n = pp_onnx_count(x), images = x->dim[0] ? x->dim[0] : 1;
    const uint64_t each = n / images / (uint64_t)groups, pixels = n / images / channels;
    for (uint64_t first = 0; first < n; first += each) {
        double mean = 0, square = 0;
        for (uint64_t k = 0; k < each; k++)
            mean += pp_onnx_f64(x, first + k) / (double)each;
        for (uint64_t k = 0; k < each; k++)
            square += pow(pp_onnx_f64(x, first + k) - mean, 2) / (double)each;
        for (uint64_t i = first; i < first + each; i++) {
            const uint64_t k = i / pixels % channels / (channels / have);
            const double v = (pp_onnx_f64(x, i) - mean) / sqrt(square + epsilon);
            pp_onnx_store(data, x->type, i, v * pp_onnx_f64(scale, k) + pp_onnx_f64(bias, k));
        }
    }
    return PP_OK;
}

/* Over dimension 1, whatever stands behind it. */
static pp_status run_lrn(pp_onnx_call *c)
{
    const pp_onnx_tensor *x = pp_onnx_in(c, 0);
    const int64_t size = pp_onnx_attr_i(c->node, "size", 0);
    const double alpha = pp_onnx_attr_f(c->node, "alpha", 1e-4), beta = pp_onnx_attr_f(c->node, "beta", 0.75), bias = pp_onnx_attr_f(c->node, "bias", 1);
    void *data = NULL;
    if (!x || x->ndim < 2)
        return pp_onnx_fail(c->path, c->node, PP_EFORMAT, "its input must be a map [N,C,...]");
    if (size < 1 || size > PP_DIM_MAX)
        return pp_onnx_fail(c->path, c->node, PP_ERANGE, "size %lld, expected 1 to %u", (long long)size, (unsigned)PP_DIM_MAX);
    PP_TRY(pp_onnx_result(c, 0, x->type, x->ndim, x->dim, &data));
    const lines l = lines_of(x, 1, false);
    PP_TRY(pp_onnx_charge(c, pp_onnx_count(x) * (l.n < (uint64_t)size ? l.n : (uint64_t)size)));
    const int64_t n = (int64_t)l.n, before = (size - 1) / 2;
    const uint64_t count = pp_onnx_count(x);
    for (uint64_t i = 0; i < count; i++) {
        const int64_t ch = (int64_t)(i / l.inner % l.n);
        double sum = 0;
        for (int64_t k = ch > before ? ch - before : 0; k < n && k < ch - before + size; k++)
            sum += pow(pp_onnx_f64(x, i + (uint64_t)(k - ch) * l.inner), 2);
        pp_onnx_store(data, x->type, i, pp_onnx_f64(x, i) / pow(bias + alpha / (double)size * sum, beta));
    }
    return PP_OK;
}

const pp_onnx_row pp_onnx_ops_reduce_[] = {
    {"LRN", run_lrn},
    {"ReduceSum", run_reduce},
    {"ReduceMean", run_reduce},
    {"ReduceMax", run_reduce},
    {"ReduceMin", run_reduce},
    {"ReduceProd", run_reduce},
    {"ReduceL1", run_reduce},
    {"ReduceL2", run_reduce},
    {"ReduceSumSquare", run_reduce},
    {"ReduceLogSum", run_reduce},
    {"Softmax", run_softmax},
    {"LogSoftmax", run_softmax},
    {"ArgMax", run_arg},
    {"ArgMin", run_arg},
    {"LayerNormalization", run_layer_norm},
    {"BatchNormalization", run_batch_norm},
    {"InstanceNormalization", run_instance_norm},
    {"GroupNormalization", run_group_norm},
    {NULL, NULL},
};

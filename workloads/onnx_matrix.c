/* ONNX matrix products. */
#include "workloads/onnx_internal.h"

#include <string.h>

/* a, b as stacks of matrices: a vector gets a row or column of its own that the result loses again. */
typedef struct stack {
    const pp_onnx_tensor *t;
    uint64_t rows, cols;
    uint32_t batch; /* dimensions before the matrix */
} stack;

static stack stack_of(const pp_onnx_tensor *t, bool left)
{
    if (t->ndim == 1)
        return (stack){t, left ? 1 : t->dim[0], left ? t->dim[0] : 1, 0};
    return (stack){t, t->dim[t->ndim - 2], t->dim[t->ndim - 1], t->ndim - 2};
}

/* First element of matrix m of the broadcast batch. */
static uint64_t matrix_at(const stack *s, uint32_t batch, const uint64_t *dim, uint64_t m)
{
    uint64_t at = 0, stride = s->rows * s->cols;
    for (uint32_t d = 0; d < batch; d++) {
        uint64_t whole = dim[batch - 1 - d], own = d < s->batch ? s->t->dim[s->batch - 1 - d] : 1;
        if (own != 1)
            at += m % whole * stride;
        m /= whole;
        stride *= own;
    }
    return at;
}

static pp_status batch_shape(pp_onnx_call *c, const stack *a, const stack *b, uint32_t *batch, uint64_t *dim)
{
    *batch = a->batch > b->batch ? a->batch : b->batch;
    for (uint32_t d = 0; d < *batch; d++) {
        uint64_t x = d < a->batch ? a->t->dim[a->batch - 1 - d] : 1, y = d < b->batch ? b->t->dim[b->batch - 1 - d] : 1;
        if (x != y && x != 1 && y != 1)
            return pp_onnx_fail(c->path, c->node, PP_EINVAL, "its stacks of matrices do not go together");
        dim[*batch - 1 - d] = x == 1 ? y : x;
    }
    return PP_OK;
}

static pp_status run_matmul(pp_onnx_call *c)
{
    const pp_onnx_tensor *x = pp_onnx_in(c, 0), *y = pp_onnx_in(c, 1);
    uint64_t dim[PP_ONNX_DIMS + 2], n = 1;
    uint32_t batch = 0, ndim;
    void *data = NULL;
    if (!x || !y || x->ndim < 1 || y->ndim < 1)
        return pp_onnx_fail(c->path, c->node, PP_EFORMAT, "needs two tensors of at least one dimension");
    stack a = stack_of(x, true), b = stack_of(y, false);
    if (a.cols != b.rows)
        return pp_onnx_fail(c->path, c->node, PP_EINVAL, "%llu columns times %llu rows", (unsigned long long)a.cols,
                            (unsigned long long)b.rows);
    PP_TRY(batch_shape(c, &a, &b, &batch, dim));
    ndim = batch;
    if (x->ndim > 1)
        dim[ndim++] = a.rows;
    if (y->ndim > 1)
        dim[ndim++] = b.cols;
    PP_TRY(pp_onnx_result(c, 0, x->type, ndim, dim, &data));
    for (uint32_t d = 0; d < batch; d++)
        n *= dim[d];
    for (uint64_t m = 0, i = 0; m < n; m++) {
        uint64_t ax = matrix_at(&a, batch, dim, m), bx = matrix_at(&b, batch, dim, m);
        for (uint64_t r = 0; r < a.rows; r++)
            for (uint64_t k = 0; k < b.cols; k++, i++) {
                double sum = 0;
                PP_TRY(pp_onnx_charge(c, a.cols));
                for (uint64_t j = 0; j < a.cols; j++)
                    sum += pp_onnx_f64(x, ax + r * a.cols + j) * pp_onnx_f64(y, bx + j * b.cols + k);
                pp_onnx_store(data, x->type, i, sum);
            }
    }
    return PP_OK;
}

/* Element of C for (row, column): C broadcasts to the result from its last dimensions. */
static double bias_at(const pp_onnx_tensor *t, uint64_t row, uint64_t col)
{
    uint64_t cols = t->ndim > 0 ? t->dim[t->ndim - 1] : 1, rows = t->ndim > 1 ? t->dim[0] : 1;
    return pp_onnx_f64(t, (rows > 1 ? row : 0) * cols + (cols > 1 ? col : 0));
}

static pp_status run_gemm(pp_onnx_call *c)
{
    const pp_onnx_tensor *a = pp_onnx_in(c, 0), *b = pp_onnx_in(c, 1), *bias = pp_onnx_in(c, 2);
    bool ta = pp_onnx_attr_i(c->node, "transA", 0) != 0, tb = pp_onnx_attr_i(c->node, "transB", 0) != 0;
    double alpha = pp_onnx_attr_f(c->node, "alpha", 1), beta = pp_onnx_attr_f(c->node, "beta", 1);
    void *data = NULL;
    if (!a || !b || a->ndim != 2 || b->ndim != 2)
        return pp_onnx_fail(c->path, c->node, PP_EFORMAT, "needs two matrices");
    uint64_t dim[2] = {a->dim[ta ? 1 : 0], b->dim[tb ? 0 : 1]}, inner = a->dim[ta ? 0 : 1];
    if (inner != b->dim[tb ? 1 : 0])
        return pp_onnx_fail(c->path, c->node, PP_EINVAL, "%llu columns times %llu rows", (unsigned long long)inner,
                            (unsigned long long)b->dim[tb ? 1 : 0]);
    if (bias &&
        (bias->ndim > 2 || (bias->ndim > 0 && bias->dim[bias->ndim - 1] != 1 && bias->dim[bias->ndim - 1] != dim[1]) ||
         (bias->ndim > 1 && bias->dim[0] != 1 && bias->dim[0] != dim[0])))
        return pp_onnx_fail(c->path, c->node, PP_EINVAL, "the shape of its third input does not fit");
    PP_TRY(pp_onnx_result(c, 0, a->type, 2, dim, &data));
    for (uint64_t r = 0, i = 0; r < dim[0]; r++)
        for (uint64_t k = 0; k < dim[1]; k++, i++) {
            double sum = 0;
            PP_TRY(pp_onnx_charge(c, inner));
            for (uint64_t j = 0; j < inner; j++)
                sum += pp_onnx_f64(a, ta ? j * dim[0] + r : r * inner + j) *
                       pp_onnx_f64(b, tb ? k * inner + j : j * dim[1] + k);
            pp_onnx_store(data, a->type, i, alpha * sum + (bias ? beta * bias_at(bias, r, k) : 0));
        }
    return PP_OK;
}

const pp_onnx_row pp_onnx_ops_matrix_[] = {{"MatMul", run_matmul}, {"Gemm", run_gemm}, {NULL, NULL}};

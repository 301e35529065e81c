/* Reading tensors of a model on disk as float. */
#include "workloads/lm_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void convert_bf16(float *restrict out, const uint8_t *restrict data, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, data + 2 * i, sizeof half);
        const uint32_t bits = (uint32_t)half << 16;
        memcpy(&out[i], &bits, sizeof bits);
    }
}

/* Exponent and fraction are moved to their places in a float whose exponent is 112 too small, which a
 * multiplication by 2^112 puts right, subnormals included; infinities and NaN get the top exponent. */
static void convert_f16(float *restrict out, const uint8_t *restrict data, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, data + 2 * i, sizeof half);
        uint32_t bits = (uint32_t)(half & 0x7fffu) << 13;
        float value;
        memcpy(&value, &bits, sizeof bits);
        value *= 0x1p112f;
        memcpy(&bits, &value, sizeof bits);
        bits |= (half & 0x7c00u) == 0x7c00u ? 0x7f800000u : 0u;
        bits |= (uint32_t)(half & 0x8000u) << 16;
        memcpy(&out[i], &bits, sizeof bits);
    }
}

void pp_lm_convert_(float *out, const uint8_t *data, pp_dtype dtype, uint64_t first, uint64_t n)
{
    data += first * pp_dtype_size(dtype);
    switch (dtype) {
    case PP_DTYPE_F32:
        memcpy(out, data, n * sizeof *out);
        return;
    case PP_DTYPE_BF16:
        convert_bf16(out, data, n);
        return;
    case PP_DTYPE_F16:
        convert_f16(out, data, n);
        return;
    case PP_DTYPE_I8:
        for (uint64_t i = 0; i < n; i++)
            out[i] = (float)(int8_t)data[i];
        return;
    default: /* refused when the model was opened */
        memset(out, 0, n * sizeof *out);
    }
}

static pp_status check_finite(const pp_lm_view *v, uint64_t first, const float *x, uint64_t n)
{
    /* 0 x is 0 for finite values, and anything else sticks. */
    float sum = 0;
    for (uint64_t i = 0; i < n; i++)
        sum += 0.0f * x[i];
    if (sum == 0)
        return PP_OK;
    for (uint64_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return pp_fail(PP_EFORMAT, "%s: tensor '%s': element [%llu,%llu] is %s", v->file, v->name,
                           (unsigned long long)(v->row0 + first + i / v->cols), (unsigned long long)(i % v->cols),
                           isnan(x[i]) ? "NaN" : "infinite");
    return PP_OK;
}

/* Rows stand on disk as columns: [cols][stride]. Read in rows of the file, so that pages are touched in
 * order. */
static pp_status load_transposed(const pp_lm_view *v, uint64_t first, uint64_t n, float *out)
{
    float *line = pp_alloc(n, sizeof *line);
    if (!line)
        return PP_ENOMEM;
    for (uint64_t c = 0; c < v->cols; c++) {
        pp_lm_convert_(line, v->data, v->dtype, c * v->stride + v->row0 + first, n);
        for (uint64_t r = 0; r < n; r++)
            out[r * v->cols + c] = line[r];
    }
    free(line);
    pp_lm_drop_pages_(v->data, v->cols * v->stride * pp_dtype_size(v->dtype));
    return PP_OK;
}

static void load_plain(const pp_lm_view *v, uint64_t first, uint64_t n, float *out)
{
    const uint64_t at = (v->row0 + first) * v->stride, count = n * v->cols;
    const size_t size = pp_dtype_size(v->dtype);
    /* In pieces, so that at most one piece of the map is resident beside the result. */
    const uint64_t piece = UINT64_C(1) << 22;
    for (uint64_t i = 0; i < count; i += piece) {
        const uint64_t m = count - i < piece ? count - i : piece;
        pp_lm_convert_(out + i, v->data, v->dtype, at + i, m);
        pp_lm_drop_pages_(v->data + (at + i) * size, m * size);
    }
    for (uint64_t i = 0; v->scales && i < count; i++) {
        float scale;
        memcpy(&scale, v->scales + (at + i) / v->group * sizeof scale, sizeof scale);
        out[i] *= scale;
    }
}

pp_status pp_lm_load_rows(const pp_lm *lm, uint32_t layer, pp_lm_kind kind, uint64_t first, uint64_t n, float *out)
{
    if (!pp_lm_is_global(kind) && layer >= lm->config.layers)
        return pp_fail(PP_EINVAL, "%s: no layer %u; there are %u", lm->config.name, layer, lm->config.layers);
    const pp_lm_view *v = pp_lm_view_(lm, layer, kind);
    if (!v->data)
        return pp_fail(PP_ENOTFOUND, "%s: the model has no tensor %s", lm->config.name, pp_lm_kind_name(kind));
    if (first > v->rows || n > v->rows - first)
        return pp_fail(PP_EINVAL, "%s: rows %llu to %llu of %s, which has %llu", lm->config.name,
                       (unsigned long long)first, (unsigned long long)(first + n), v->name,
                       (unsigned long long)v->rows);
    if (v->transposed)
        PP_TRY(load_transposed(v, first, n, out));
    else
        load_plain(v, first, n, out);
    return check_finite(v, first, out, n * v->cols);
}

pp_status pp_lm_load(const pp_lm *lm, uint32_t layer, pp_lm_kind kind, float *out)
{
    uint64_t rows, cols;
    pp_lm_dims(&lm->config, kind, &rows, &cols);
    return pp_lm_load_rows(lm, layer, kind, 0, rows, out);
}

static pp_status load_from_model(void *payload, uint32_t layer, pp_lm_kind kind, uint64_t first, uint64_t n,
                                 float *out)
{
    return pp_lm_load_rows(payload, layer, kind, first, n, out);
}

pp_lm_source pp_lm_source_of(const pp_lm *lm)
{
    return (pp_lm_source){load_from_model, (void *)(uintptr_t)lm};
}

/* One tensor, in slices of rows of about 16 MiB. */
static pp_status check_tensor(const pp_lm *lm, uint32_t layer, pp_lm_kind kind, float **buffer, uint64_t *room)
{
    uint64_t rows, cols;
    if (!pp_lm_dims(&lm->config, kind, &rows, &cols) || (kind == PP_LM_HEAD && lm->config.tied))
        return PP_OK;
    const uint64_t slice = (UINT64_C(1) << 22) / cols + 1;
    if (slice * cols > *room) {
        float *grown = pp_realloc(*buffer, slice * cols, sizeof *grown);
        if (!grown)
            return PP_ENOMEM;
        *buffer = grown;
        *room = slice * cols;
    }
    for (uint64_t r = 0; r < rows; r += slice)
        PP_TRY(pp_lm_load_rows(lm, layer, kind, r, rows - r < slice ? rows - r : slice, *buffer));
    return PP_OK;
}

pp_status pp_lm_check(const pp_lm *lm, pp_progress *progress)
{
    float *buffer = NULL;
    uint64_t room = 0;
    pp_status status = PP_OK;
    for (uint32_t l = 0; l <= lm->config.layers && status == PP_OK; l++) {
        const pp_lm_kind begin = l < lm->config.layers ? 0 : PP_LM_EMBED;
        const pp_lm_kind end = l < lm->config.layers ? PP_LM_EMBED : PP_LM_KIND_COUNT;
        for (pp_lm_kind k = begin; k < end && status == PP_OK; k++)
            status = check_tensor(lm, l, k, &buffer, &room);
        if (progress)
            pp_progress_step(progress, 1);
    }
    free(buffer);
    return status;
}

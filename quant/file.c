/* What both directions of the file format share (docs/quantization.md): names, dtypes and shapes of the
 * tensors of a stage, and the packing of 4-bit codes. */
#include "quant/file_internal.h"

#include <stdio.h>

/* Codes of up to 4 bits go two to a byte. */
static bool packs(const pp_qstage *s)
{
    return s->wbits <= 4;
}

static pp_tensor vector(pp_dtype dtype, const void *data, uint32_t n)
{
    return (pp_tensor){.dtype = dtype, .ndim = 1, .dim = {n}, .data = data};
}

static size_t add(pp_qentry *list, size_t n, uint32_t stage, const char *part, pp_tensor tensor)
{
    snprintf(list[n].name, sizeof list[n].name, "stage.%u.%s", stage, part);
    list[n].tensor = tensor;
    return n + 1;
}

size_t pp_qstage_entries(const pp_qnetwork *q, uint32_t stage, pp_qentry list[PP_QENTRIES])
{
    const pp_qstage *s = &q->stage[stage];
    size_t n = 0;
    if (s->code) {
        pp_tensor code = {.dtype = packs(s) ? PP_DTYPE_U8 : PP_DTYPE_I8, .ndim = 2, .data = s->code,
                          .dim = {s->cout, packs(s) ? (s->krows + 1) / 2 : s->krows}};
        n = add(list, n, stage, "code", code);
        n = add(list, n, stage, "w_scale", vector(PP_DTYPE_F32, s->w_scale, s->cout));
        n = add(list, n, stage, "bias", vector(PP_DTYPE_I64, s->bias, s->cout));
    }
    if (s->add_mult)
        n = add(list, n, stage, "add_mult", vector(PP_DTYPE_I64, s->add_mult, s->cout));
    if (s->in_mult)
        n = add(list, n, stage, "in_mult", vector(PP_DTYPE_I64, s->in_mult, q->stages->stage[stage].n_inputs));
    if (s->scale_mult) {
        n = add(list, n, stage, "scale_mult", vector(PP_DTYPE_I64, s->scale_mult, s->cout));
        n = add(list, n, stage, "scale_bias", vector(PP_DTYPE_I64, s->scale_bias, s->cout));
    }
    if (s->out_mult)
        n = add(list, n, stage, "out_mult", vector(PP_DTYPE_I64, s->out_mult, s->cout));
    return n;
}

void pp_pack_codes(const int8_t *code, uint32_t rows, uint32_t columns, uint8_t *bytes)
{
    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t c = 0; c < columns; c += 2) {
            uint32_t low = (uint32_t)code[(size_t)r * columns + c] & 15;
            uint32_t high = c + 1 < columns ? (uint32_t)code[(size_t)r * columns + c + 1] & 15 : 0;
            *bytes++ = (uint8_t)(low | high << 4);
        }
}

static int8_t nibble(uint32_t v)
{
    return (int8_t)(v < 8 ? (int)v : (int)v - 16);
}

void pp_unpack_codes(const uint8_t *bytes, uint32_t rows, uint32_t columns, int8_t *code)
{
    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t c = 0; c < columns; c += 2, bytes++) {
            code[(size_t)r * columns + c] = nibble(*bytes & 15u);
            if (c + 1 < columns)
                code[(size_t)r * columns + c + 1] = nibble(*bytes >> 4);
        }
}

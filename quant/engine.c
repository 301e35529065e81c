/* One stage on byte maps with the fast kernels. */
#include "quant/rotate_internal.h"
#include "quant/scale_stage.h"

#include <stdlib.h>

pp_status pp_qengine_convs(const pp_qnetwork *q, pp_qconv ***convs)
{
    *convs = NULL;
    pp_qconv **all = pp_calloc(q->stages->n, sizeof *all);
    if (!all)
        return PP_ENOMEM;
    for (uint32_t s = 0; s < q->stages->n; s++) {
        const pp_stage *st = &q->stages->stage[s];
        if (st->matrix == PP_NONE)
            continue;
        pp_status status = pp_qconv_new(&all[s], q, s, 0, pp_qgeom_of(q->net, st).cin_g);
        if (status != PP_OK) {
            pp_qengine_convs_free(q, all);
            return status;
        }
    }
    *convs = all;
    return PP_OK;
}

void pp_qengine_convs_free(const pp_qnetwork *q, pp_qconv **convs)
{
    for (uint32_t s = 0; convs && s < q->stages->n; s++)
        pp_qconv_free(convs[s]);
    free(convs);
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

size_t pp_qengine_scratch(const pp_qnetwork *q, pp_qconv *const *convs)
{
    size_t bytes = 0;
    for (uint32_t s = 0; s < q->stages->n; s++) {
        if (q->stages->stage[s].matrix == PP_NONE)
            bytes = larger(bytes, pp_qstage_data_scratch(q, s));
        else
            bytes = larger(bytes, larger(pp_qconv_scratch(convs[s]), pp_qstage_finish_scratch(q, s)));
    }
    return bytes;
}

size_t pp_qengine_sums(const pp_qnetwork *q)
{
    size_t n = 0;
    for (uint32_t s = 0; s < q->stages->n; s++)
        n = larger(n, pp_shape_count(q->stages->stage[s].fire));
    return n;
}

/* Whether no sum of the stage can be changed by shift and saturation. */
static bool psum_is_identity(const pp_qnetwork *q, uint32_t stage)
{
    const pp_qstage *s = &q->stage[stage];
    const pp_qformat *f = pp_qstage_input(q, stage);
    int64_t worst = (int64_t)s->krows * pp_wmax(s->wbits) * f->qmax;
    return s->psum_shift == 0 && worst < INT64_C(1) << (q->psum_bits - 1);
}

void pp_qengine_stage(const pp_qnetwork *q, uint32_t stage, const pp_qconv *conv, const uint8_t *const *inputs,
                      int32_t *acc, uint8_t *out, double *logits, void *scratch)
{
    const pp_stage *st = &q->stages->stage[stage];
    if (st->matrix == PP_NONE) {
        pp_qstage_data(q, stage, inputs, out, logits, scratch);
        return;
    }
    uint32_t k = pp_stage_residual(st);
    pp_qconv_run(conv, inputs[0], acc, scratch);
    if (pp_qrescales(q, stage))
        pp_qstage_psum_scaled_map(q, stage, acc, pp_qconv_factors(conv, scratch), (size_t)st->fire.h * st->fire.w);
    else if (!psum_is_identity(q, stage))
        pp_qstage_psum_map(q, stage, acc, pp_shape_count(st->fire));
    pp_qstage_finish(q, stage, acc, k == PP_NONE ? NULL : inputs[k], out, logits, scratch);
}

void pp_qengine_input(const pp_qnetwork *q, const pp_dataset *data, uint32_t i, uint8_t *out, float *image,
                      int16_t *codes)
{
    pp_dataset_normalise(data, q->net, i, image);
    pp_quantize_input(q, image, codes);
    pp_codes_to_bytes(&q->stream[0], codes, out, pp_shape_count(q->net->ops[0].out));
}

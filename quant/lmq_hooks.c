/* What happens to activations: online Hadamards, then quantizers. */
#include "quant/lmq_internal.h"

#include <string.h>

pp_act_options pp_lmq_act_options_(const pp_lmq *q, uint32_t layer, unsigned place)
{
    const pp_lmq_options *o = &q->o;
    pp_act_options a = {.bits = o->abits < 16 ? o->abits : 0, .asymmetric = o->act_asymmetric, .group = o->agroup,
                        .clip = o->act_clip};
    if (place == 3 && !o->online && a.bits > 0 && o->method != PP_LMQ_RTN)
        a.bits = 8;
    if (q->static_top != NULL)
        a.static_top = q->static_top[(size_t)layer * PP_LMQ_PLACES + place] * (float)o->act_clip;
    return a;
}

pp_status pp_lmq_rotate_place_(const pp_lmq *q, uint32_t layer, unsigned place, float *x, size_t rows)
{
    const pp_lm_config *c = &q->config;
    if (place == 3) {
        if (q->r4 != NULL)
            pp_hadamard_apply(q->r4, x, rows, false);
        return PP_OK;
    }
    if (place != 1 && q->smooth != NULL)
        for (size_t i = 0; i < rows * c->hidden; i++)
            x[i] /= q->smooth[((size_t)layer * 2 + (place == 2)) * c->hidden + i % c->hidden];
    if (place != 1)
        return q->r1 != NULL ? pp_rotation_apply(q->r1, q->pool, x, rows, false) : PP_OK;
    for (size_t r = 0; r < rows && q->r2 != NULL; r++)
        for (uint32_t h = 0; h < c->heads; h++)
            PP_TRY(pp_rotation_apply(q->r2[(size_t)layer * c->kv_heads + h / (c->heads / c->kv_heads)], NULL,
                                     x + (r * c->heads + h) * c->head_dim, 1, false));
    return PP_OK;
}

void pp_lmq_quantize_place_(const pp_lmq *q, uint32_t layer, unsigned place, float *x, size_t rows)
{
    const pp_act_options a = pp_lmq_act_options_(q, layer, place);
    pp_quantize_rows(&a, x, rows, pp_lmq_width_(&q->config, place));
}

void pp_lmq_cache_(const pp_lmq *q, const pp_lm_activation *a)
{
    const pp_act_options kv = {.bits = q->o.kvbits < 16 ? q->o.kvbits : 0, .asymmetric = true, .group = q->o.kvgroup,
                               .clip = q->o.kv_clip};
    pp_quantize_rows(&kv, a->x, (size_t)a->rows * a->heads, q->config.head_dim);
}

static pp_status online(const pp_lmq *q, const pp_lm_activation *a)
{
    if ((a->site == PP_LM_SITE_Q || a->site == PP_LM_SITE_K) && q->r3 != NULL)
        pp_hadamard_apply(q->r3, a->x, (size_t)a->rows * a->heads, false);
    if (a->site == PP_LM_SITE_DOWN_IN && q->r4 != NULL)
        pp_hadamard_apply(q->r4, a->x, a->rows, false);
    return PP_OK;
}

static pp_status rotate_only(void *payload, const pp_lm_activation *a)
{
    return online(payload, a);
}

static pp_status rotate_and_round(void *payload, const pp_lm_activation *a)
{
    const pp_lmq *q = payload;
    PP_TRY(online(q, a));
    switch (a->site) {
    case PP_LM_SITE_K_CACHE:
    case PP_LM_SITE_V_CACHE:
        pp_lmq_cache_(q, a);
        break;
    case PP_LM_SITE_ATTN_IN:
        pp_lmq_quantize_place_(q, a->layer, 0, a->x, a->rows);
        break;
    case PP_LM_SITE_O_IN:
        pp_lmq_quantize_place_(q, a->layer, 1, a->x, a->rows);
        break;
    case PP_LM_SITE_FFN_IN:
        pp_lmq_quantize_place_(q, a->layer, 2, a->x, a->rows);
        break;
    case PP_LM_SITE_DOWN_IN:
        pp_lmq_quantize_place_(q, a->layer, 3, a->x, a->rows);
        break;
    default:
        break;
    }
    return PP_OK;
}

pp_lm_hooks pp_lmq_hooks_(const pp_lmq *q, bool quantizers)
{
    const uint32_t rotations =
        PP_LM_SITE_BIT(PP_LM_SITE_Q) | PP_LM_SITE_BIT(PP_LM_SITE_K) | PP_LM_SITE_BIT(PP_LM_SITE_DOWN_IN);
    const uint32_t rounding = PP_LM_SITE_BIT(PP_LM_SITE_ATTN_IN) | PP_LM_SITE_BIT(PP_LM_SITE_K_CACHE) |
                              PP_LM_SITE_BIT(PP_LM_SITE_V_CACHE) | PP_LM_SITE_BIT(PP_LM_SITE_O_IN) |
                              PP_LM_SITE_BIT(PP_LM_SITE_FFN_IN);
    return (pp_lm_hooks){.activation = quantizers ? rotate_and_round : rotate_only,
                         .sites = quantizers ? rotations | rounding : rotations,
                         .payload = (void *)(uintptr_t)q};
}

pp_lm_hooks pp_lmq_hooks(const pp_lmq *q)
{
    return pp_lmq_hooks_(q, true);
}

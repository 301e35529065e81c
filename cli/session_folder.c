/* A quantized network's folder as workload.model: its float model is opened, its codes and settings are read. */
#include "cli/session.h"

/* Settings that a folder has made: said again, they must not say something else. */
static pp_status same_settings(const pp_session *s, const pp_quant_options *o)
{
    const struct { const char *key; int64_t now, then; } whole[] = {
        {"wbits", s->quant.wbits, o->wbits}, {"abits", s->quant.abits, o->abits}, {"psum_bits", s->quant.psum_bits, o->psum_bits},
        {"weights", s->quant.weights, o->weights}, {"activations", s->quant.activations, o->activations},
        {"activation_scale", s->quant.activation_scale, o->activation_scale},
        {"stream_bits", s->quant.stream_bits, o->stream_bits}, {"rotate", s->quant.rotate, o->rotate},
        {"rotate_at", s->quant.rotate_at, o->rotate_at}};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (pp_config_is_set(s->config, "quant", whole[i].key) && whole[i].now != whole[i].then)
            return pp_fail(PP_EINVAL, "quant.%s: %s is quantized already, with another setting: leave it out, or quantize anew",
                           whole[i].key, s->workload.model);
    if (s->arch.weights == PP_WEIGHTS_FLOAT)
        return pp_fail(PP_EINVAL, "arch.weights: %s holds codes: expected codes, or the float model", s->workload.model);
    if (pp_config_is_set(s->config, "arch", "psum_bits") && s->arch.psum_bits != o->psum_bits)
        return pp_fail(PP_EINVAL, "arch.psum_bits is %lld, %s was quantized for %lld", (long long)s->arch.psum_bits,
                       s->workload.model, (long long)o->psum_bits);
    return PP_OK;
}

pp_status pp_session_folder(pp_session *s)
{
    if (s->folder != NULL || !pp_qnetwork_is_folder(s->workload.model))
        return PP_OK;
    PP_TRY(pp_qfolder_open(&s->folder, s->workload.model));
    const pp_quant_options *o = &s->folder->options;
    PP_TRY(same_settings(s, o));
    s->quant_given = s->quant;
    s->quant = *o;
    if (pp_config_is_set(s->config, "quant", "calib"))
        s->quant.calib = s->quant_given.calib;
    if (pp_config_is_set(s->config, "quant", "calib_images"))
        s->quant.calib_images = s->quant_given.calib_images;
    s->arch.psum_bits = o->psum_bits;
    s->workload.model = s->folder->model;
    return PP_OK;
}

void pp_session_leave_folder(pp_session *s)
{
    if (s->folder == NULL)
        return;
    s->quant = s->quant_given;
    pp_qfolder_free(s->folder);
    s->folder = NULL;
}

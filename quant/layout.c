/* The quantized network before it has values: formats, shapes, arrays; and the multipliers that follow
 * from scales. */
#include "quant/rotate_internal.h"
#include "quant/scale_stage.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void pp_format_set(pp_qformat *f, uint32_t bits, bool is_signed)
{
    f->bits = bits;
    f->is_signed = is_signed;
    f->qmax = (1 << (bits - is_signed)) - 1;
    f->qmin = is_signed ? -f->qmax : 0;
    f->scale = 1.0 / f->qmax;
}

/* The input is never negative when no channel's mean lies above zero. */
static bool input_signed(const pp_network *net)
{
    for (uint32_t c = 0; c < net->ops[0].out.c && c < 4; c++)
        if (net->mean[c] > 0)
            return true;
    return false;
}

/* A stream is unsigned when it ends in a ReLU or comes, by operators that keep signs, from unsigned ones. */
static bool stream_signed(const pp_qnetwork *q, const pp_stage *stage)
{
    if (stage->softmax != PP_NONE)
        return false;
    if (stage->act != PP_ACT_NONE)
        return pp_act_is_signed(stage->act);
    pp_op_kind kind = q->net->ops[stage->first_op].kind;
    if (stage->matrix != PP_NONE || stage->scale != PP_NONE || stage->offset != PP_NONE || kind == PP_OP_NORM || kind == PP_OP_GROUP_NORM ||
        (kind == PP_OP_ARRANGE && q->net->ops[stage->first_op].weight.ndim > 0))
        return true;
    if (kind == PP_OP_SOFTMAX)
        return false;
    for (uint32_t k = 0; k < stage->n_inputs; k++)
        if (q->stream[stage->inputs[k].stream].is_signed)
            return true;
    return false;
}

static pp_status check_options(const pp_quant_options *o)
{
    if (o->wbits < 2 || o->wbits > 8)
        return pp_fail(PP_ERANGE, "quant.wbits is %lld, expected 2 to 8", (long long)o->wbits);
    if (o->abits < 4 || o->abits > 8)
        return pp_fail(PP_ERANGE, "quant.abits is %lld, expected 4 to 8", (long long)o->abits);
    if (o->stream_bits != 0 && (o->stream_bits < o->abits || o->stream_bits > 8))
        return pp_fail(PP_ERANGE, "quant.stream_bits is %lld, expected quant.abits (%lld) to 8", (long long)o->stream_bits,
                       (long long)o->abits);
    if (o->psum_bits < 8 || o->psum_bits > 32)
        return pp_fail(PP_ERANGE, "quant.psum_bits is %lld, expected 8 to 32", (long long)o->psum_bits);
    return PP_OK;
}

/* Bits of a stream. */
static uint32_t stream_bits(const pp_quant_options *o)
{
    return (uint32_t)(o->stream_bits > 0 ? o->stream_bits : o->activation_scale != PP_QSCALE_STATIC ? 8 : o->abits);
}

/* The exact sum of a matrix column must fit 32 bits, bytes of signed inputs (up to 255) included. */
static pp_status check_sum(const pp_stage *stage, uint64_t krows, uint32_t wbits)
{
    uint64_t worst = krows * (uint64_t)pp_wmax(wbits) * 255;
    if (worst > INT32_MAX)
        return pp_fail(PP_EUNSUPPORTED, "stage '%s': %llu rows of %u-bit weights overflow a 32-bit sum", stage->name,
                       (unsigned long long)krows, wbits);
    return PP_OK;
}

/* Arrays of values; the tail of a data stage needs units and output multipliers only. */
static pp_status allocate_values(pp_qnetwork *q, uint32_t index)
{
    pp_arena *arena = ((pp_qowner *)q->owner)->arena;
    const pp_stage *stage = &q->stages->stage[index];
    pp_qstage *s = &q->stage[index];
    bool matrix = stage->matrix != PP_NONE, last = index == q->stages->output;
    bool residual = matrix && pp_stage_residual(stage) != PP_NONE;
    s->unit = pp_arena_get(arena, s->cout, sizeof *s->unit);
    s->out_mult = last ? NULL : pp_arena_get(arena, s->cout, sizeof *s->out_mult);
    bool good = s->unit && (last || s->out_mult);
    if (matrix) {
        s->code = pp_arena_get(arena, (size_t)s->cout * s->krows, sizeof *s->code);
        s->w_scale = pp_arena_get(arena, s->cout, sizeof *s->w_scale);
        s->bias = pp_arena_get(arena, s->cout, sizeof *s->bias);
        good = good && s->code && s->w_scale && s->bias;
        if (residual)
            good = (s->add_mult = pp_arena_get(arena, s->cout, sizeof *s->add_mult)) && good;
    } else {
        good = (s->in_mult = pp_arena_get(arena, stage->n_inputs, sizeof *s->in_mult)) && good;
    }
    if (!matrix && stage->scale != PP_NONE) {
        good = (s->scale_mult = pp_arena_get(arena, s->cout, sizeof *s->scale_mult)) && good;
        good = (s->scale_bias = pp_arena_get(arena, s->cout, sizeof *s->scale_bias)) && good;
    }
    return good ? PP_OK : PP_ENOMEM;
}

static pp_status layout_stage(pp_qnetwork *q, uint32_t index, bool values)
{
    const pp_stage *stage = &q->stages->stage[index];
    pp_qstage *s = &q->stage[index];
    for (uint32_t k = 0; k < stage->n_inputs; k++)
        if (stage->inputs[k].stream == q->stages->output + 1)
            return pp_fail(PP_EUNSUPPORTED, "stage '%s' reads the network's output, which has no integer stream",
                           stage->name);
    s->cout = stage->fire.c;
    if (stage->matrix != PP_NONE) {
        pp_qgeom g = pp_qgeom_of(q->net, stage);
        uint64_t krows = (uint64_t)g.cin_g * g.win.kh * g.win.kw;
        s->wbits = (uint32_t)q->options.wbits;
        if (values)
            PP_TRY(check_sum(stage, krows, s->wbits));
        s->krows = (uint32_t)krows;
        if (pp_stage_rotates(q, index, &s->not_rotated))
            PP_TRY(pp_qrotate_new(&s->rotate, q, index));
        if (s->not_rotated && q->options.rotate_layers[0] != '\0')
            return pp_fail(PP_EUNSUPPORTED, "quant.rotate_layers: layer '%s' cannot be rotated: %s", stage->name, s->not_rotated);
    }
    pp_format_set(&q->stream[index + 1], stream_bits(&q->options), stream_signed(q, stage));
    const pp_op *op = &q->net->ops[stage->first_op];
    if (op->kind == PP_OP_TASK) /* no values: its units are as wide as the graph says */
        q->stream[index + 1].bits = op->work.unit_bits;
    return values ? allocate_values(q, index) : PP_OK;
}

static pp_status fill_layout(pp_qnetwork *q, bool values)
{
    pp_arena *arena = ((pp_qowner *)q->owner)->arena;
    q->stream = pp_arena_get(arena, (size_t)q->stages->n + 1, sizeof *q->stream);
    q->stage = pp_arena_get(arena, q->stages->n, sizeof *q->stage);
    q->options.calib = pp_arena_strdup(arena, q->options.calib ? q->options.calib : "");
    if (!q->stream || !q->stage || !q->options.calib)
        return PP_ENOMEM;
    q->options.rotation_block = pp_arena_strdup(arena, q->options.rotation_block ? q->options.rotation_block : "full");
    q->options.rotate_layers = pp_arena_strdup(arena, q->options.rotate_layers ? q->options.rotate_layers : "");
    if (!q->options.rotation_block || !q->options.rotate_layers)
        return PP_ENOMEM;
    PP_TRY(pp_qrotate_check_names(q));
    pp_format_set(&q->stream[0], stream_bits(&q->options), input_signed(q->net));
    for (uint32_t i = 0; i < q->stages->n; i++)
        PP_TRY(layout_stage(q, i, values));
    return pp_qrotate_place(q);
}

pp_status pp_qnetwork_layout(pp_qnetwork **out, const pp_network *net, const pp_stages *stages,
                             const pp_quant_options *options, bool values)
{
    *out = NULL;
    PP_TRY(check_options(options));
    pp_status status = PP_ENOMEM;
    pp_qnetwork *q = pp_calloc(1, sizeof *q);
    pp_qowner *owner = pp_calloc(1, sizeof *owner);
    if (!q || !owner)
        goto done;
    *q = (pp_qnetwork){.net = net, .stages = stages, .options = *options, .has_values = values, .owner = owner,
                       .psum_bits = (uint32_t)options->psum_bits};
    owner = NULL;
    PP_GOTO(done, status, pp_arena_new(&((pp_qowner *)q->owner)->arena));
    q->rescales = options->activation_scale != PP_QSCALE_STATIC || stream_bits(options) > options->abits;
    q->options.stream_bits = stream_bits(options);
    PP_GOTO(done, status, pp_qrescale_tables(q));
    PP_GOTO(done, status, fill_layout(q, values));
    *out = q;
    q = NULL;
done:
    free(owner);
    pp_qnetwork_free(q);
    return status;
}

void pp_qnetwork_free(pp_qnetwork *q)
{
    if (!q)
        return;
    pp_qowner *owner = q->owner;
    for (uint32_t s = 0; q->stage && s < q->stages->n; s++)
        pp_qrotate_free(q->stage[s].rotate);
    if (owner)
        pp_arena_free(owner->arena);
    free(owner);
    free(q);
}

static bool is_normalised(const pp_qnetwork *q, const pp_stage *stage)
{
    pp_op_kind kind = q->net->ops[stage->first_op].kind;
    return kind == PP_OP_NORM || kind == PP_OP_GROUP_NORM || kind == PP_OP_RESPONSE_NORM || kind == PP_OP_SOFTMAX || stage->softmax != PP_NONE;
}

/* The coarsest input's code is 2^PP_DATA_FRACTION units, so that nothing is lost before the one
 * requantization; products of two codes are exact as they are. */
double pp_qstage_first_unit(const pp_qnetwork *q, const pp_stage *stage)
{
    const pp_op *op = &q->net->ops[stage->first_op];
    double top = 0, product = op->kind == PP_OP_PRODUCT ? op->factor : 1;
    for (uint32_t k = 0; k < stage->n_inputs; k++) {
        double scale = q->stream[stage->inputs[k].stream].scale;
        top = scale > top ? scale : top;
        product *= scale;
    }
    return op->kind == PP_OP_MUL || op->kind == PP_OP_PRODUCT ? product : top / (1 << PP_DATA_FRACTION);
}

static double input_unit(const pp_qnetwork *q, const pp_stage *stage)
{
    if (!is_normalised(q, stage))
        return pp_qstage_first_unit(q, stage);
    /* Results do not follow from the inputs' scale: from that of their own stream. */
    const size_t index = (size_t)(stage - q->stages->stage);
    return index == q->stages->output ? 0x1p-16 : q->stream[index + 1].scale / (1 << PP_DATA_FRACTION);
}

/* Largest |weight| of the stage's SCALE; 1 when there is none or all are 0. */
static double largest_factor(const pp_qnetwork *q, const pp_stage *stage)
{
    double top = 0;
    if (stage->scale == PP_NONE)
        return 1;
    const pp_tensor *w = &q->net->ops[stage->scale].weight;
    for (uint32_t c = 0; c < stage->fire.c; c++)
        top = fmax(top, fabs((double)pp_tensor_f32(w, c)));
    return top > 0 ? top : 1;
}

void pp_qstage_units(pp_qnetwork *q, uint32_t index)
{
    const pp_stage *stage = &q->stages->stage[index];
    pp_qstage *s = &q->stage[index];
    double in = pp_qstage_dac(q, index).scale;
    double data = stage->matrix == PP_NONE ? input_unit(q, stage) * largest_factor(q, stage) : 0;
    for (uint32_t c = 0; c < s->cout; c++)
        s->unit[c] = stage->matrix == PP_NONE ? data : s->w_scale[c] * in * (double)(UINT64_C(1) << s->psum_shift);
}

static pp_status input_multipliers(pp_qnetwork *q, uint32_t index)
{
    const pp_stage *stage = &q->stages->stage[index];
    pp_qstage *s = &q->stage[index];
    const pp_op_kind kind = q->net->ops[stage->first_op].kind;
    if (kind == PP_OP_MUL || kind == PP_OP_PRODUCT || is_normalised(q, stage)) {
        for (uint32_t k = 0; k < stage->n_inputs; k++)
            s->in_mult[k] = 1;
        return PP_OK;
    }
    double *ratio = pp_alloc(stage->n_inputs, sizeof *ratio), unit = input_unit(q, stage);
    if (!ratio)
        return PP_ENOMEM;
    for (uint32_t k = 0; k < stage->n_inputs; k++)
        ratio[k] = q->stream[stage->inputs[k].stream].scale / unit;
    pp_status status = pp_multipliers(ratio, stage->n_inputs, s->in_mult, &s->in_shift);
    free(ratio);
    return status;
}

/* weight[c] / largest |weight| as a multiplier with a sign; bias in units. */
static pp_status scale_multipliers(pp_qnetwork *q, uint32_t index)
{
    const pp_stage *stage = &q->stages->stage[index];
    pp_qstage *s = &q->stage[index];
    const pp_op *op = &q->net->ops[stage->scale];
    double *ratio = pp_alloc(s->cout, sizeof *ratio), top = largest_factor(q, stage);
    if (!ratio)
        return PP_ENOMEM;
    bool any = false;
    for (uint32_t c = 0; c < s->cout; c++) {
        ratio[c] = fabs((double)pp_tensor_f32(&op->weight, c)) / top;
        any |= ratio[c] > 0;
    }
    pp_status status = any ? pp_multipliers(ratio, s->cout, s->scale_mult, &s->scale_shift) : PP_OK;
    for (uint32_t c = 0; c < s->cout && status == PP_OK; c++) {
        double units = nearbyint((double)pp_tensor_f32(&op->bias, c) / s->unit[c]);
        if (pp_tensor_f32(&op->weight, c) < 0)
            s->scale_mult[c] = -s->scale_mult[c];
        if (!(fabs(units) < 0x1p52))
            status = pp_fail(PP_ERANGE, "stage '%s': shift of channel %u is %g times its unit", stage->name, c, units);
        else
            s->scale_bias[c] = (int64_t)units;
    }
    free(ratio);
    return status;
}

pp_status pp_qstage_multipliers(pp_qnetwork *q, uint32_t index)
{
    const pp_stage *stage = &q->stages->stage[index];
    pp_qstage *s = &q->stage[index];
    pp_qstage_units(q, index);
    if (stage->matrix == PP_NONE)
        PP_TRY(input_multipliers(q, index));
    if (s->scale_mult)
        PP_TRY(scale_multipliers(q, index));
    double *ratio = pp_alloc(s->cout, sizeof *ratio);
    if (!ratio)
        return PP_ENOMEM;
    pp_status status = PP_OK;
    if (s->add_mult) {
        double scale = q->stream[stage->inputs[pp_stage_residual(stage)].stream].scale;
        for (uint32_t c = 0; c < s->cout; c++)
            ratio[c] = scale / s->unit[c];
        PP_GOTO(done, status, pp_multipliers(ratio, s->cout, s->add_mult, &s->add_shift));
    }
    if (s->out_mult) {
        const pp_op *pool = pp_stage_any_pool(q->net, stage);
        double divisor = pool ? pp_pool_full(pool) : 1, fraction = s->rotate_out ? 1 << PP_ROTATE_FRACTION : 1;
        for (uint32_t c = 0; c < s->cout; c++)
            ratio[c] = s->unit[c] * fraction / (q->stream[index + 1].scale * divisor);
        PP_GOTO(done, status, pp_multipliers(ratio, s->cout, s->out_mult, &s->out_shift));
    }
done:
    free(ratio);
    if (status != PP_OK && status != PP_ENOMEM)
        pp_fail_in(status, stage->name);
    return status;
}

/* What passes through: identities, casts, rounding to codes and back. */
#include "workloads/onnx_net_internal.h"

static pp_status convert_identity(pp_onnx_net *v)
{
    const pp_onnx_stream *x = pp_net_any(v, 0);
    int64_t to = pp_onnx_attr_i(v->node, "to", PP_ONNX_FLOAT);
    if (v->node->op[0] == 'C' && (to < 0 || to > 64 || !pp_onnx_is_float((pp_onnx_type)to)))
        return pp_net_fail(v, PP_EUNSUPPORTED, "a cast to %s", pp_onnx_type_name((pp_onnx_type)(to & 63)));
    if (!x)
        return pp_net_fail(v, PP_EUNSUPPORTED, "no input");
    return pp_net_give_view(v, *x);
}

static int64_t lowest_code(pp_onnx_type type)
{
    return type == PP_ONNX_INT4    ? -8
           : type == PP_ONNX_INT8  ? -128
           : type == PP_ONNX_INT16 ? -32768
           : type == PP_ONNX_INT32 ? INT32_MIN
                                   : 0;
}

/* Rounding to codes is the quantizer's work. What must stay is a range that begins at zero: a ReLU. */
static pp_status convert_quantize(pp_onnx_net *v)
{
    const pp_onnx_stream *x;
    const pp_onnx_tensor *zero = pp_net_constant(v, 2);
    PP_TRY(pp_net_stream(v, 0, &x));
    if (zero && !zero->data)
        return pp_net_fail(v, PP_EUNSUPPORTED, "codes of type %s", pp_onnx_type_name(zero->type));
    if (!pp_net_constant(v, 1) || (v->node->n_in > 2 && v->node->in[2] != PP_NONE && !zero))
        return pp_net_fail(v, PP_EUNSUPPORTED, "its scale and zero point must be constant");
    pp_onnx_stream out = *x;
    const int64_t asked = pp_onnx_attr_i(v->node, "output_dtype", 0); /* counts without a zero point */
    pp_onnx_type type = zero ? zero->type : asked > 0 && asked < 64 ? (pp_onnx_type)asked : PP_ONNX_UINT8;
    const int64_t lowest = lowest_code(type);
    bool from_zero = zero || lowest == 0;
    for (uint64_t i = 0; zero && i < pp_onnx_count(zero); i++)
        from_zero = from_zero && pp_onnx_i64(zero, i) == lowest;
    bool clamps = from_zero && !pp_net_not_negative(v, x->op) && x->op != 0;
    if (clamps)
        PP_TRY(pp_net_act(v, x, x->op, PP_ACT_RELU, &out));
    out.coded = true;
    return clamps ? pp_net_give(v, 0, &out) : pp_net_give_view(v, out);
}

static pp_status convert_dequantize(pp_onnx_net *v)
{
    const pp_onnx_stream *x;
    PP_TRY(pp_net_view(v, 0, &x));
    if (!x->coded)
        return pp_net_fail(v, PP_EUNSUPPORTED, "its input is no code");
    pp_onnx_stream out = *x;
    out.coded = false;
    return pp_net_give_view(v, out);
}

const pp_net_row pp_net_ops_quantize_[] = {
    {"Identity", convert_identity},
    {"Dropout", convert_identity},
    {"Cast", convert_identity},
    {"QuantizeLinear", convert_quantize},
    {"DequantizeLinear", convert_dequantize},
    {NULL, NULL},
};

/* Activation functions by their definitions. PAPER: howard2019 sec. 5.2 (hard swish, hard sigmoid);
 * hendrycks2016 sec. 2 (GELU); clevert2015 eq. 1 (ELU); misra2019 sec. 2 (Mish). */
#include "workloads/network.h"

#include <math.h>

static const struct {
    const char *name;
    bool clamp, is_signed;
} acts[PP_ACT_COUNT] = {
    [PP_ACT_NONE] = {"none", true, true},
    [PP_ACT_RELU] = {"relu", true, false},
    [PP_ACT_RELU6] = {"relu6", true, false},
    [PP_ACT_LEAKY] = {"leaky_relu", false, true},
    [PP_ACT_SIGMOID] = {"sigmoid", false, false},
    [PP_ACT_HARD_SIGMOID] = {"hard_sigmoid", false, false},
    [PP_ACT_HARD_SWISH] = {"hard_swish", false, true},
    [PP_ACT_SILU] = {"silu", false, true},
    [PP_ACT_TANH] = {"tanh", false, true},
    [PP_ACT_GELU] = {"gelu", false, true},
    [PP_ACT_GELU_TANH] = {"gelu_tanh", false, true},
    [PP_ACT_LEAKY_01] = {"leaky_relu_0.01", false, true},
    [PP_ACT_ELU] = {"elu", false, true},
    [PP_ACT_SOFTPLUS] = {"softplus", false, false},
    [PP_ACT_MISH] = {"mish", false, true},
};

const char *pp_act_name(pp_act act)
{
    return acts[act].name;
}

bool pp_act_is_clamp(pp_act act)
{
    return acts[act].clamp;
}

bool pp_act_is_signed(pp_act act)
{
    return acts[act].is_signed;
}

static double clamp(double x, double lo, double hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

/* log(1 + exp(x)), without overflow. */
static double softplus(double x)
{
    return log1p(exp(-fabs(x))) + (x > 0 ? x : 0);
}

double pp_act_value(pp_act act, double x)
{
    switch (act) {
    case PP_ACT_RELU:
        return x > 0 ? x : 0;
    case PP_ACT_RELU6:
        return clamp(x, 0, 6);
    case PP_ACT_LEAKY:
        return x > 0 ? x : 0.1 * x;
    case PP_ACT_SIGMOID:
        return 1 / (1 + exp(-x));
    case PP_ACT_HARD_SIGMOID:
        return clamp(x + 3, 0, 6) / 6;
    case PP_ACT_HARD_SWISH:
        return x * clamp(x + 3, 0, 6) / 6;
    case PP_ACT_SILU:
        return x / (1 + exp(-x));
    case PP_ACT_TANH:
        return tanh(x);
    case PP_ACT_GELU:
        return 0.5 * x * (1 + erf(x * 0.70710678118654752440));
    case PP_ACT_GELU_TANH:
        return 0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
    case PP_ACT_LEAKY_01:
        return x > 0 ? x : 0.01 * x;
    case PP_ACT_ELU:
        return x > 0 ? x : expm1(x);
    case PP_ACT_SOFTPLUS:
        return softplus(x);
    case PP_ACT_MISH:
        return x * tanh(softplus(x));
    case PP_ACT_NONE:
    case PP_ACT_COUNT:
        break;
    }
    return x;
}

/* Dimensions of language models: names, checks, counts. */
#include "workloads/lm_internal.h"

#include <assert.h>

static const struct {
    const char *name;
    bool linear;
} kinds[PP_LM_KIND_COUNT] = {
    [PP_LM_ATTN_NORM] = {"attn_norm", false},
    [PP_LM_ATTN_NORM_BIAS] = {"attn_norm.bias", false},
    [PP_LM_Q] = {"q_proj", true},
    [PP_LM_K] = {"k_proj", true},
    [PP_LM_V] = {"v_proj", true},
    [PP_LM_O] = {"o_proj", true},
    [PP_LM_Q_BIAS] = {"q_proj.bias", false},
    [PP_LM_K_BIAS] = {"k_proj.bias", false},
    [PP_LM_V_BIAS] = {"v_proj.bias", false},
    [PP_LM_O_BIAS] = {"o_proj.bias", false},
    [PP_LM_Q_NORM] = {"q_norm", false},
    [PP_LM_K_NORM] = {"k_norm", false},
    [PP_LM_FFN_NORM] = {"ffn_norm", false},
    [PP_LM_FFN_NORM_BIAS] = {"ffn_norm.bias", false},
    [PP_LM_GATE] = {"gate_proj", true},
    [PP_LM_UP] = {"up_proj", true},
    [PP_LM_DOWN] = {"down_proj", true},
    [PP_LM_GATE_BIAS] = {"gate_proj.bias", false},
    [PP_LM_UP_BIAS] = {"up_proj.bias", false},
    [PP_LM_DOWN_BIAS] = {"down_proj.bias", false},
    [PP_LM_EMBED] = {"embed_tokens", false},
    [PP_LM_POSITION] = {"embed_positions", false},
    [PP_LM_FINAL_NORM] = {"final_norm", false},
    [PP_LM_FINAL_NORM_BIAS] = {"final_norm.bias", false},
    [PP_LM_HEAD] = {"lm_head", true},
    [PP_LM_HEAD_BIAS] = {"lm_head.bias", false},
};

static const char *const sites[PP_LM_SITE_COUNT] = {
    [PP_LM_SITE_EMBED] = "embed",     [PP_LM_SITE_ATTN_IN] = "attn_in",   [PP_LM_SITE_Q] = "q",
    [PP_LM_SITE_K] = "k",             [PP_LM_SITE_V] = "v",               [PP_LM_SITE_K_CACHE] = "k_cache",
    [PP_LM_SITE_V_CACHE] = "v_cache", [PP_LM_SITE_O_IN] = "o_in",         [PP_LM_SITE_FFN_IN] = "ffn_in",
    [PP_LM_SITE_DOWN_IN] = "down_in", [PP_LM_SITE_RESIDUAL] = "residual", [PP_LM_SITE_HEAD_IN] = "head_in",
};

const char *pp_lm_site_name(pp_lm_site site)
{
    return sites[site];
}

const char *pp_lm_kind_name(pp_lm_kind kind)
{
    return kinds[kind].name;
}

bool pp_lm_is_linear(pp_lm_kind kind)
{
    return kinds[kind].linear;
}

bool pp_lm_is_global(pp_lm_kind kind)
{
    return kind >= PP_LM_EMBED;
}

pp_lm_kind pp_lm_bias_of(pp_lm_kind linear)
{
    static const pp_lm_kind bias[PP_LM_KIND_COUNT] = {
        [PP_LM_Q] = PP_LM_Q_BIAS,       [PP_LM_K] = PP_LM_K_BIAS,   [PP_LM_V] = PP_LM_V_BIAS,
        [PP_LM_O] = PP_LM_O_BIAS,       [PP_LM_GATE] = PP_LM_GATE_BIAS, [PP_LM_UP] = PP_LM_UP_BIAS,
        [PP_LM_DOWN] = PP_LM_DOWN_BIAS, [PP_LM_HEAD] = PP_LM_HEAD_BIAS,
    };
    assert(kinds[linear].linear);
    return bias[linear];
}

static bool has_bias(const pp_lm_config *c, pp_lm_kind kind)
{
    return (c->biases & PP_LM_KIND_BIT(kind)) != 0;
}

static bool present(const pp_lm_config *c, pp_lm_kind kind)
{
    switch (kind) {
    case PP_LM_ATTN_NORM:
    case PP_LM_FINAL_NORM:
        return c->norm_terms != PP_LM_NORM_PLAIN;
    case PP_LM_FFN_NORM:
        return c->norm_terms != PP_LM_NORM_PLAIN && c->parallel != PP_LM_PARALLEL;
    case PP_LM_ATTN_NORM_BIAS:
    case PP_LM_FINAL_NORM_BIAS:
        return c->norm == PP_LM_NORM_LAYER && c->norm_terms == PP_LM_NORM_GAIN_BIAS;
    case PP_LM_FFN_NORM_BIAS:
        return c->norm == PP_LM_NORM_LAYER && c->norm_terms == PP_LM_NORM_GAIN_BIAS && c->parallel != PP_LM_PARALLEL;
    case PP_LM_Q_NORM:
    case PP_LM_K_NORM:
        return c->qk_norm;
    case PP_LM_GATE:
        return c->gated;
    case PP_LM_POSITION:
        return c->position_kind == PP_LM_POSITIONS_LEARNED;
    case PP_LM_EMBED:
        return c->vocab > 0;
    case PP_LM_HEAD:
        return c->vocab > 0 && (c->causal || c->masked_head);
    case PP_LM_Q_BIAS:
    case PP_LM_K_BIAS:
    case PP_LM_V_BIAS:
    case PP_LM_O_BIAS:
    case PP_LM_GATE_BIAS:
    case PP_LM_UP_BIAS:
    case PP_LM_DOWN_BIAS:
    case PP_LM_HEAD_BIAS:
        return has_bias(c, kind);
    default:
        return true;
    }
}

bool pp_lm_dims(const pp_lm_config *c, pp_lm_kind kind, uint64_t *rows, uint64_t *cols)
{
    const uint64_t d = c->hidden, f = c->ffn, q = (uint64_t)c->heads * c->head_dim;
    const uint64_t kv = (uint64_t)c->kv_heads * c->head_dim, e = c->embed_width > 0 ? c->embed_width : d;
    const uint64_t final = c->norm_place == PP_LM_NORMS_AFTER ? e : d; /* behind the embedding */
    const uint64_t dims[PP_LM_KIND_COUNT][2] = {
        [PP_LM_ATTN_NORM] = {1, d}, [PP_LM_ATTN_NORM_BIAS] = {1, d}, [PP_LM_Q] = {q, d},
        [PP_LM_K] = {kv, d},        [PP_LM_V] = {kv, d},             [PP_LM_O] = {d, q},
        [PP_LM_Q_BIAS] = {1, q},    [PP_LM_K_BIAS] = {1, kv},        [PP_LM_V_BIAS] = {1, kv},
        [PP_LM_O_BIAS] = {1, d},    [PP_LM_Q_NORM] = {1, c->qk_norm_whole ? q : c->head_dim},
        [PP_LM_K_NORM] = {1, c->qk_norm_whole ? kv : c->head_dim},
        [PP_LM_FFN_NORM] = {1, d},  [PP_LM_FFN_NORM_BIAS] = {1, d},  [PP_LM_GATE] = {f, d},
        [PP_LM_UP] = {f, d},        [PP_LM_DOWN] = {d, f},           [PP_LM_GATE_BIAS] = {1, f},
        [PP_LM_UP_BIAS] = {1, f},   [PP_LM_DOWN_BIAS] = {1, d},      [PP_LM_EMBED] = {c->vocab, e},
        [PP_LM_POSITION] = {c->positions, e}, [PP_LM_FINAL_NORM] = {1, final}, [PP_LM_FINAL_NORM_BIAS] = {1, final},
        [PP_LM_HEAD] = {c->vocab, c->masked_head ? e : d}, [PP_LM_HEAD_BIAS] = {1, c->vocab},
    };
    const bool here = present(c, kind);
    *rows = here ? dims[kind][0] : 0;
    *cols = here ? dims[kind][1] : 0;
    return here;
}

static uint64_t count(const pp_lm_config *c, pp_lm_kind kind)
{
    uint64_t rows, cols;
    pp_lm_dims(c, kind, &rows, &cols);
    return rows * cols;
}

static bool is_expert(pp_lm_kind kind)
{
    return kind == PP_LM_GATE || kind == PP_LM_UP || kind == PP_LM_DOWN;
}

/* Products a token of what stands beside the experts, and as many parameters. */
static uint64_t beside_experts(const pp_lm_config *c)
{
    return (uint64_t)c->experts * c->hidden + 3 * (uint64_t)c->shared_ffn * c->hidden + (c->shared_gate ? c->hidden : 0);
}

uint64_t pp_lm_parameters(const pp_lm_config *c)
{
    uint64_t layer = beside_experts(c) + (c->norm_place == PP_LM_NORMS_SANDWICH ? 2 * (uint64_t)c->hidden : 0);
    uint64_t n = c->other_parameters + (c->embed_norm ? 2 * (uint64_t)c->hidden : 0);
    for (pp_lm_kind k = 0; k < PP_LM_KIND_COUNT; k++) {
        if (pp_lm_is_global(k))
            n += c->tied && k == PP_LM_HEAD ? 0 : count(c, k);
        else
            layer += count(c, k) * (is_expert(k) && c->experts > 0 ? c->experts : 1);
    }
    return n + layer * (c->shared_layers ? 1 : c->layers);
}

uint64_t pp_lm_linear_macs(const pp_lm_config *c)
{
    uint64_t layer = beside_experts(c);
    for (pp_lm_kind k = 0; k < PP_LM_EMBED; k++)
        if (kinds[k].linear)
            layer += count(c, k) * (is_expert(k) && c->experts > 0 ? c->experts_per_token : 1);
    return layer * c->layers + count(c, PP_LM_HEAD);
}

uint32_t pp_lm_layer_window_(const pp_lm_config *c, uint32_t layer)
{
    const bool all = layer < c->window_first_layer || (c->window_period > 0 && (layer + 1) % c->window_period == 0);
    return all ? 0 : c->window;
}

uint64_t pp_lm_attention_macs(const pp_lm_config *c, uint64_t context)
{
    uint64_t tokens = 0;
    for (uint32_t l = 0; l < c->layers; l++) {
        const uint32_t window = pp_lm_layer_window_(c, l);
        tokens += window > 0 && window < context ? window : context;
    }
    return 2 * tokens * c->heads * c->head_dim;
}

uint64_t pp_lm_kv_bytes(const pp_lm_config *c, uint32_t bits)
{
    return (2 * (uint64_t)c->layers * c->kv_heads * c->head_dim * bits + 7) / 8;
}

/* ---- checks ---- */

static pp_status check_size(const pp_lm_config *c, const char *what, uint32_t value, uint32_t max)
{
    if (value >= 1 && value <= max)
        return PP_OK;
    return pp_fail(PP_ERANGE, "%s: %s is %u; expected 1 to %u", c->name, what, value, max);
}

static pp_status check_heads(const pp_lm_config *c)
{
    if (c->heads % c->kv_heads != 0)
        return pp_fail(PP_EFORMAT, "%s: %u attention heads are not a multiple of %u key and value heads", c->name,
                       c->heads, c->kv_heads);
    const uint32_t dim = c->rope.rotary_dim;
    if (c->position_kind == PP_LM_POSITIONS_ROPE && (dim == 0 || dim % 2 != 0 || dim > c->head_dim))
        return pp_fail(PP_EFORMAT, "%s: RoPE over %u dimensions of heads of %u; expected an even number up to that",
                       c->name, dim, c->head_dim);
    if (c->position_kind == PP_LM_POSITIONS_ROPE && !(c->rope.theta > 0))
        return pp_fail(PP_EFORMAT, "%s: rope_theta is %g; expected a positive number", c->name, c->rope.theta);
    if (c->rope.kind == PP_LM_ROPE_DYNAMIC && dim <= 2)
        return pp_fail(PP_EFORMAT, "%s: dynamic RoPE needs more than %u dimensions", c->name, dim);
    if (c->shared_ffn > PP_DIM_MAX || c->embed_width > PP_DIM_MAX)
        return pp_fail(PP_ERANGE, "%s: a shared expert of %u, an embedding of %u values; at most %u", c->name, c->shared_ffn,
                       c->embed_width, PP_DIM_MAX);
    if (c->experts > 0 && (c->experts_per_token < 1 || c->experts_per_token > c->experts))
        return pp_fail(PP_EFORMAT, "%s: %u experts a token of %u experts", c->name, c->experts_per_token, c->experts);
    return PP_OK;
}

pp_status pp_lm_config_check(const pp_lm_config *c)
{
    PP_TRY(check_size(c, "number of layers", c->layers, PP_LM_LAYERS_MAX));
    PP_TRY(check_size(c, "hidden size", c->hidden, PP_DIM_MAX));
    PP_TRY(check_size(c, "feed-forward size", c->ffn, PP_DIM_MAX));
    PP_TRY(check_size(c, "number of attention heads", c->heads, 65536));
    PP_TRY(check_size(c, "number of key and value heads", c->kv_heads, 65536));
    PP_TRY(check_size(c, "head size", c->head_dim, 65536));
    PP_TRY(check_size(c, "longest context", c->positions, 1u << 30));
    if (c->vocab > (1u << 24))
        PP_TRY(check_size(c, "vocabulary", c->vocab, 1u << 24));
    if ((uint64_t)c->heads * c->head_dim > PP_DIM_MAX)
        return pp_fail(PP_ERANGE, "%s: %u heads of %u dimensions are too many", c->name, c->heads, c->head_dim);
    if (!(c->norm_eps >= 0 && c->norm_eps < 1))
        return pp_fail(PP_ERANGE, "%s: epsilon of the norms is %g; expected 0 to 1", c->name, c->norm_eps);
    return check_heads(c);
}

/* Settings that the program wrote itself, read back: of quantized language models. */
#include "workloads/settings.h"

#include <string.h>

int64_t pp_settings_whole(pp_settings *r, const char *key, int64_t most)
{
    const pp_node *node = NULL;
    int64_t v = 0;
    if (r->status == PP_OK)
        r->status = pp_node_need(r->node, key, &node);
    if (r->status == PP_OK)
        r->status = pp_node_i64(node, key, 0, most, &v);
    return v;
}

double pp_settings_real(pp_settings *r, const char *key)
{
    const pp_node *node = NULL;
    double v = 0;
    if (r->status == PP_OK)
        r->status = pp_node_need(r->node, key, &node);
    if (r->status == PP_OK)
        r->status = pp_node_f64(node, key, &v);
    return v;
}

bool pp_settings_truth(pp_settings *r, const char *key)
{
    const pp_node *node = NULL;
    bool v = false;
    if (r->status == PP_OK)
        r->status = pp_node_need(r->node, key, &node);
    if (r->status == PP_OK)
        r->status = pp_node_bool(node, key, &v);
    return v;
}

void pp_settings_text(pp_settings *r, const char *key, char *out, size_t size)
{
    const pp_node *node = NULL;
    const char *v = "";
    if (r->status == PP_OK)
        r->status = pp_node_need(r->node, key, &node);
    if (r->status == PP_OK && node->kind == PP_DOC_SCALAR)
        r->status = pp_node_text(node, key, &v);
    if (v != NULL)
        strncpy(out, v, size - 1);
}

pp_status pp_lm_config_parse(pp_lm_config *c, const pp_node *node)
{
    pp_settings r = {node, PP_OK};
    *c = (pp_lm_config){0};
    const int64_t size = 1 << 20;
    pp_settings_text(&r, "name", c->name, sizeof c->name);
    pp_settings_text(&r, "model_type", c->model_type, sizeof c->model_type);
    c->layers = (uint32_t)pp_settings_whole(&r, "layers", 4096);
    c->hidden = (uint32_t)pp_settings_whole(&r, "hidden", size);
    c->ffn = (uint32_t)pp_settings_whole(&r, "ffn", size);
    c->heads = (uint32_t)pp_settings_whole(&r, "heads", size);
    c->kv_heads = (uint32_t)pp_settings_whole(&r, "kv_heads", size);
    c->head_dim = (uint32_t)pp_settings_whole(&r, "head_dim", size);
    c->vocab = (uint32_t)pp_settings_whole(&r, "vocab", size);
    c->positions = (uint32_t)pp_settings_whole(&r, "positions", UINT32_MAX);
    c->norm = (pp_lm_norm)pp_settings_whole(&r, "norm", 1);
    c->act = (pp_lm_act)pp_settings_whole(&r, "act", PP_LM_ACT_COUNT - 1);
    c->position_kind = (pp_lm_positions)pp_settings_whole(&r, "position_kind", 1);
    c->biases = (uint32_t)pp_settings_whole(&r, "biases", UINT32_MAX);
    c->window = (uint32_t)pp_settings_whole(&r, "window", UINT32_MAX);
    c->window_first_layer = (uint32_t)pp_settings_whole(&r, "window_first_layer", UINT32_MAX);
    c->rope.kind = (pp_lm_rope_kind)pp_settings_whole(&r, "rope_kind", PP_LM_ROPE_COUNT - 1);
    c->rope.rotary_dim = (uint32_t)pp_settings_whole(&r, "rotary_dim", size);
    c->gated = pp_settings_truth(&r, "gated");
    c->qk_norm = pp_settings_truth(&r, "qk_norm");
    c->causal = true;
    c->rope.interleaved = pp_settings_truth(&r, "rope_interleaved");
    c->rope.truncate = pp_settings_truth(&r, "rope_truncate");
    c->norm_eps = pp_settings_real(&r, "norm_eps");
    c->rope.theta = pp_settings_real(&r, "rope_theta");
    c->rope.factor = pp_settings_real(&r, "rope_factor");
    c->rope.original_positions = pp_settings_real(&r, "rope_original_positions");
    c->rope.low_freq_factor = pp_settings_real(&r, "rope_low_freq_factor");
    c->rope.high_freq_factor = pp_settings_real(&r, "rope_high_freq_factor");
    c->rope.beta_fast = pp_settings_real(&r, "rope_beta_fast");
    c->rope.beta_slow = pp_settings_real(&r, "rope_beta_slow");
    c->rope.attention_factor = pp_settings_real(&r, "rope_attention_factor");
    return r.status == PP_OK ? pp_lm_config_check(c) : r.status;
}

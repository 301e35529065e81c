/* Values of a config.json by key. */
#include "workloads/hf_internal.h"

#include <string.h>

static bool is_there(const pp_node *node)
{
    return node != NULL && node->kind != PP_DOC_NULL;
}

pp_status pp_hf_u32_(const pp_node *root, const char *key, bool required, uint32_t *out)
{
    const pp_node *node = pp_node_get(root, key);
    int64_t value = 0;
    if (!is_there(node)) {
        if (!required)
            return PP_OK;
        PP_TRY(pp_node_need(root, key, &node));
        return pp_fail_at(PP_EFORMAT, root->file, node->line, "'%s' is null; expected a number", key);
    }
    PP_TRY(pp_node_i64(node, key, 1, INT64_C(1) << 30, &value));
    *out = (uint32_t)value;
    return PP_OK;
}

pp_status pp_hf_u32_of_(const pp_node *root, const char *key, const char *older, uint32_t *out)
{
    return pp_hf_u32_(root, !is_there(pp_node_get(root, key)) && is_there(pp_node_get(root, older)) ? older : key, true, out);
}

pp_status pp_hf_f64_(const pp_node *root, const char *key, double *out)
{
    const pp_node *node = pp_node_get(root, key);
    return is_there(node) ? pp_node_f64(node, key, out) : PP_OK;
}

pp_status pp_hf_bool_(const pp_node *root, const char *key, bool *out)
{
    const pp_node *node = pp_node_get(root, key);
    return is_there(node) ? pp_node_bool(node, key, out) : PP_OK;
}

pp_status pp_hf_act_(const pp_node *root, const char *key, pp_lm_act *out)
{
    static const struct {
        const char *name;
        pp_lm_act act;
    } acts[] = {{"silu", PP_LM_ACT_SILU},          {"swish", PP_LM_ACT_SILU},
                {"gelu", PP_LM_ACT_GELU},          {"gelu_new", PP_LM_ACT_GELU_TANH},
                {"gelu_pytorch_tanh", PP_LM_ACT_GELU_TANH}, {"gelu_fast", PP_LM_ACT_GELU_TANH},
                {"relu", PP_LM_ACT_RELU}};
    const pp_node *node = pp_node_get(root, key);
    const char *text = NULL;
    if (!is_there(node))
        return PP_OK;
    PP_TRY(pp_node_text(node, key, &text));
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        if (strcmp(acts[i].name, text) == 0) {
            *out = acts[i].act;
            return PP_OK;
        }
    }
    return pp_fail_at(PP_EUNSUPPORTED, root->file, node->line,
                      "%s '%s' is not supported; expected silu, gelu, gelu_new, gelu_pytorch_tanh or relu", key, text);
}

pp_status pp_hf_refuse_(const pp_node *root, const char *key, bool unsupported)
{
    bool set = !unsupported;
    PP_TRY(pp_hf_bool_(root, key, &set));
    return set != unsupported ? PP_OK
                              : pp_fail_at(PP_EUNSUPPORTED, root->file, pp_node_get(root, key)->line, "%s%s is not supported", key,
                                           unsupported ? "" : ": false");
}

pp_status pp_hf_split_heads_(pp_lm_config *out, const pp_node *root, const char *key)
{
    if (out->hidden % out->heads != 0)
        return pp_fail_at(PP_EFORMAT, root->file, 0, "%s %u is not a multiple of %u heads", key, out->hidden, out->heads);
    out->head_dim = out->hidden / out->heads;
    return PP_OK;
}

pp_status pp_hf_turn_(pp_lm_config *out, const pp_node *root, const char *part_key, double part)
{
    const pp_node *map = pp_node_get(root, "rope_parameters");
    out->position_kind = PP_LM_POSITIONS_ROPE;
    out->rope = (pp_lm_rope){.theta = 10000, .factor = 1, .attention_factor = 1};
    PP_TRY(pp_hf_f64_(root, "rope_theta", &out->rope.theta));
    PP_TRY(pp_hf_f64_(root, part_key, &part));
    if (map != NULL && map->kind == PP_DOC_MAP) {
        PP_TRY(pp_hf_f64_(map, "rope_theta", &out->rope.theta));
        PP_TRY(pp_hf_f64_(map, part_key, &part));
    }
    if (!(part > 0 && part <= 1))
        return pp_fail_at(PP_EFORMAT, root->file, 0, "%s is %g; expected above 0 up to 1", part_key, part);
    out->rope.rotary_dim = (uint32_t)((double)out->head_dim * part);
    return PP_OK;
}

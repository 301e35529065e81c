/* Scaled rotary positions in config.json: rope_theta and rope_scaling, or rope_parameters. */
#include "workloads/lm_internal.h"

#include <math.h>
#include <string.h>

static pp_status need_f64(const pp_node *map, const char *key, double *out)
{
    const pp_node *node = NULL;
    PP_TRY(pp_node_need(map, key, &node));
    return pp_node_f64(node, key, out);
}

static pp_status may_f64(const pp_node *map, const char *key, double *out)
{
    const pp_node *node = pp_node_get(map, key);
    return !node || node->kind == PP_DOC_NULL ? PP_OK : pp_node_f64(node, key, out);
}

static double mscale(double factor, double weight)
{
    return factor <= 1 ? 1 : 0.1 * weight * log(factor) + 1;
}

/* PAPER: yarn2023 sec. 3.4: attention temperature 0.1 ln(s) + 1 unless the file gives its own. */
static pp_status read_yarn(pp_lm_rope *rope, const pp_node *map)
{
    double all = 0, own = 0, given = 0;
    rope->beta_fast = 32;
    rope->beta_slow = 1;
    rope->truncate = true;
    PP_TRY(may_f64(map, "beta_fast", &rope->beta_fast));
    PP_TRY(may_f64(map, "beta_slow", &rope->beta_slow));
    PP_TRY(may_f64(map, "mscale", &own));
    PP_TRY(may_f64(map, "mscale_all_dim", &all));
    PP_TRY(may_f64(map, "attention_factor", &given));
    const pp_node *truncate = pp_node_get(map, "truncate");
    if (truncate)
        PP_TRY(pp_node_bool(truncate, "truncate", &rope->truncate));
    if (given > 0)
        rope->attention_factor = given;
    else if (own > 0 && all > 0)
        rope->attention_factor = mscale(rope->factor, own) / mscale(rope->factor, all);
    else
        rope->attention_factor = mscale(rope->factor, 1);
    return PP_OK;
}

static pp_status read_llama3(pp_lm_rope *rope, const pp_node *map)
{
    PP_TRY(need_f64(map, "low_freq_factor", &rope->low_freq_factor));
    PP_TRY(need_f64(map, "high_freq_factor", &rope->high_freq_factor));
    if (!(rope->low_freq_factor > 0 && rope->high_freq_factor > rope->low_freq_factor))
        return pp_fail_at(PP_EFORMAT, map->file, map->line,
                          "low_freq_factor %g and high_freq_factor %g: expected 0 < low < high", rope->low_freq_factor,
                          rope->high_freq_factor);
    return PP_OK;
}

static pp_status read_kind(pp_lm_rope *rope, const pp_node *map)
{
    static const struct {
        const char *name;
        pp_lm_rope_kind kind;
    } kinds[] = {{"default", PP_LM_ROPE_PLAIN}, {"linear", PP_LM_ROPE_LINEAR}, {"dynamic", PP_LM_ROPE_DYNAMIC},
                 {"llama3", PP_LM_ROPE_LLAMA3}, {"yarn", PP_LM_ROPE_YARN}};
    const char *text = NULL;
    const pp_node *node = pp_node_get(map, "rope_type");
    if (!node)
        PP_TRY(pp_node_need(map, "type", &node));
    PP_TRY(pp_node_text(node, "rope_type", &text));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, text) == 0) {
            rope->kind = kinds[i].kind;
            return PP_OK;
        }
    }
    return pp_fail_at(PP_EUNSUPPORTED, map->file, node->line, "RoPE scaling '%s' is not supported; expected default, "
                      "linear, dynamic, llama3 or yarn", text);
}

static pp_status read_scaling(pp_lm_rope *rope, const pp_node *map, uint32_t positions)
{
    PP_TRY(read_kind(rope, map));
    if (rope->kind == PP_LM_ROPE_PLAIN)
        return PP_OK;
    PP_TRY(need_f64(map, "factor", &rope->factor));
    if (!(rope->factor >= 1))
        return pp_fail_at(PP_EFORMAT, map->file, map->line, "RoPE factor is %g; expected at least 1", rope->factor);
    /* Dynamic scaling begins where the model's own context ends, whatever the map says. */
    rope->original_positions = positions;
    if (rope->kind != PP_LM_ROPE_DYNAMIC)
        PP_TRY(may_f64(map, "original_max_position_embeddings", &rope->original_positions));
    if (!(rope->original_positions >= 1))
        return pp_fail_at(PP_EFORMAT, map->file, map->line, "original_max_position_embeddings is %g",
                          rope->original_positions);
    if (rope->kind == PP_LM_ROPE_LLAMA3)
        return read_llama3(rope, map);
    return rope->kind == PP_LM_ROPE_YARN ? read_yarn(rope, map) : PP_OK;
}

pp_status pp_hf_rope_(pp_lm_config *out, const pp_node *root)
{
    pp_lm_rope *rope = &out->rope;
    const pp_node *map = pp_node_get(root, "rope_parameters");
    double part = 1;
    rope->theta = 10000;
    rope->factor = 1;
    rope->attention_factor = 1;
    if (!map)
        map = pp_node_get(root, "rope_scaling");
    PP_TRY(may_f64(root, "rope_theta", &rope->theta));
    PP_TRY(may_f64(root, "partial_rotary_factor", &part));
    if (map && map->kind == PP_DOC_MAP) {
        PP_TRY(may_f64(map, "rope_theta", &rope->theta));
        PP_TRY(read_scaling(rope, map, out->positions));
    }
    if (!(part > 0 && part <= 1))
        return pp_fail_at(PP_EFORMAT, root->file, 0, "partial_rotary_factor is %g; expected above 0 up to 1", part);
    rope->rotary_dim = (uint32_t)((double)out->head_dim * part);
    return PP_OK;
}

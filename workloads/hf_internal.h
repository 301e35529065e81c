/* Shared by the files that read config.json of Hugging Face models. */
#ifndef PP_WORKLOADS_HF_INTERNAL_H
#define PP_WORKLOADS_HF_INTERNAL_H

#include "workloads/lm_internal.h"

#define PP_HF_QKV_BIASES (PP_LM_KIND_BIT(PP_LM_Q_BIAS) | PP_LM_KIND_BIT(PP_LM_K_BIAS) | PP_LM_KIND_BIT(PP_LM_V_BIAS))
#define PP_HF_ATTENTION_BIASES (PP_HF_QKV_BIASES | PP_LM_KIND_BIT(PP_LM_O_BIAS))
#define PP_HF_PLAIN_BIASES (PP_LM_KIND_BIT(PP_LM_UP_BIAS) | PP_LM_KIND_BIT(PP_LM_DOWN_BIAS)) /* no gate */
#define PP_HF_GATED_BIASES (PP_HF_PLAIN_BIASES | PP_LM_KIND_BIT(PP_LM_GATE_BIAS))

/* A model type, with what its code has that config.json may leave out. */
typedef struct pp_hf_type {
    const char *model_type;
    pp_status (*read)(pp_lm_config *out, const pp_node *root, const struct pp_hf_type *type);
    uint32_t kv_heads;   /* when the key is absent; 0: one for each head */
    uint32_t head_dim;   /* the same; 0: hidden / heads */
    uint32_t biases;     /* always there */
    bool bias_key;       /* attention_bias and mlp_bias are looked at */
    bool qk_norm, qk_norm_whole;
    bool tied;           /* when tie_word_embeddings is absent */
    uint32_t window;     /* sliding_window when the key is absent */
    bool window_key;     /* sliding_window counts where it stands */
    bool window_switch;  /* needs use_sliding_window */
    uint32_t window_period;
    pp_lm_norm_place norm_place;
    bool weights;        /* can be read, quantized and executed */
} pp_hf_type;

/* Values by key; an absent key or null leaves *out alone unless required. Whole numbers from 1. */
pp_status pp_hf_u32_(const pp_node *root, const char *key, bool required, uint32_t *out);
/* The first of two keys that is there; required. Messages name the first. */
pp_status pp_hf_u32_of_(const pp_node *root, const char *key, const char *older, uint32_t *out);
pp_status pp_hf_f64_(const pp_node *root, const char *key, double *out);
pp_status pp_hf_bool_(const pp_node *root, const char *key, bool *out);
pp_status pp_hf_act_(const pp_node *root, const char *key, pp_lm_act *out);
/* One line when the flag is set to what is not supported. */
pp_status pp_hf_refuse_(const pp_node *root, const char *key, bool unsupported);
/* head_dim = hidden / heads, or one line that names the key of `hidden`. */
pp_status pp_hf_split_heads_(pp_lm_config *out, const pp_node *root, const char *key);
/* Rotary positions without their scaling, which costs no time: rope_theta, and which part of a head turns. */
pp_status pp_hf_turn_(pp_lm_config *out, const pp_node *root, const char *part_key, double part);

/* ---- families ---- */

pp_status pp_hf_gpt2_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type);
pp_status pp_hf_bigcode_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type);
pp_status pp_hf_gptj_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type);
pp_status pp_hf_neox_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type);
pp_status pp_hf_opt_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type);
pp_status pp_hf_falcon_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type);
pp_status pp_hf_bloom_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type);
pp_status pp_hf_phi_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type);
pp_status pp_hf_cohere_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type);
pp_status pp_hf_olmo_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type);
pp_status pp_hf_mpt_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type);
pp_status pp_hf_stablelm_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type);
pp_status pp_hf_starcoder2_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type);
pp_status pp_hf_bert_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type);
pp_status pp_hf_roberta_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type);
pp_status pp_hf_distilbert_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type);
pp_status pp_hf_albert_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type);
pp_status pp_hf_vit_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type);
pp_status pp_hf_dinov2_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type);
pp_status pp_hf_deit_(pp_lm_config *out, const pp_node *root, const pp_hf_type *type);

#endif

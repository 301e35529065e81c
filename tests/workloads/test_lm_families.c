/* config.json of families that are timed and not executed: published counts of their heads and variants, what their
 * blocks are made of, and what is refused. */
#include "test_workloads.h"

#include "workloads/lm_graph.h"

#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "lm_family.json"

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static pp_status read_text(pp_lm_config *c, const char *text)
{
    write_text(FILE_NAME, text);
    const pp_status status = pp_lm_config_read(c, FILE_NAME);
    unlink(FILE_NAME);
    return status;
}

#define ENCODER(type, n, d, f, h, v, p)                                                                                \
    "\"model_type\":\"" type "\",\"num_hidden_layers\":" #n ",\"hidden_size\":" #d ",\"intermediate_size\":" #f        \
    ",\"num_attention_heads\":" #h ",\"vocab_size\":" #v ",\"max_position_embeddings\":" #p
#define BASE(type, v, p) ENCODER(type, 12, 768, 3072, 12, v, p)
#define TOP(name) ",\"architectures\":[\"" name "\"]"
#define ONE_TYPE ",\"type_vocab_size\":1"
#define DISTIL                                                                                                         \
    "\"model_type\":\"distilbert\",\"n_layers\":6,\"dim\":768,\"hidden_dim\":3072,\"n_heads\":12,\"vocab_size\":30522,\"max_position_embeddings\":512"
#define VISION(type, d, f, h)                                                                                         \
    "\"model_type\":\"" type "\",\"num_hidden_layers\":12,\"hidden_size\":" #d ",\"intermediate_size\":" #f ",\"num_attention_heads\":" #h
#define FALCON "\"model_type\":\"falcon\",\"n_layer\":24,\"hidden_size\":2048,\"n_head\":32,\"vocab_size\":50304"

/* Counts of the checkpoints: tensors that are tied count once. */
static void heads_and_variants_have_the_published_counts(void **state)
{
    (void)state;
    static const struct {
        const char *config;
        uint64_t parameters;
    } row[] = {
        {BASE("bert", 30522, 512), 109482240},                                          /* no class named: BertModel */
        {BASE("bert", 30522, 512) TOP("BertForMaskedLM"), 109514298},
        {BASE("bert", 28996, 512) TOP("BertForMaskedLM"), 108340804},                   /* cased */
        {BASE("bert", 30522, 512) TOP("BertForPreTraining"), 110106428},
        {BASE("bert", 30522, 512) TOP("BertForSequenceClassification"), 109483778},
        {BASE("bert", 30522, 512) TOP("BertForQuestionAnswering"), 108893186},
        {ENCODER("bert", 24, 1024, 4096, 16, 30522, 512) TOP("BertForMaskedLM"), 335174458},
        {BASE("roberta", 50265, 514) ONE_TYPE TOP("RobertaForMaskedLM"), 124697433},
        {BASE("roberta", 50265, 514) ONE_TYPE TOP("RobertaForSequenceClassification"), 124647170},
        {BASE("xlm-roberta", 250002, 514) ONE_TYPE TOP("XLMRobertaForMaskedLM"), 278295186},
        {ENCODER("xlm-roberta", 24, 1024, 4096, 16, 250002, 514) ONE_TYPE TOP("XLMRobertaForMaskedLM"), 560142482},
        {DISTIL TOP("DistilBertForMaskedLM"), 66985530},
        {DISTIL TOP("DistilBertForSequenceClassification"), 66955010},
        {BASE("albert", 30000, 512) ",\"embedding_size\":128" TOP("AlbertForMaskedLM"), 11221680},
        {VISION("vit", 768, 3072, 12) TOP("ViTModel"), 86389248},
        {VISION("vit", 768, 3072, 12) TOP("ViTForImageClassification") ",\"image_size\":[384,384],\"num_labels\":1000", 86859496},
        {VISION("deit", 192, 768, 3) TOP("DeiTForImageClassificationWithTeacher") ",\"num_labels\":1000", 5910800},
        {VISION("deit", 384, 1536, 6) TOP("DeiTForImageClassificationWithTeacher") ",\"num_labels\":1000", 22436432},
        {FALCON ",\"multi_query\":false,\"parallel_attn\":false,\"bias\":true,\"alibi\":true", 1311625216}, /* falcon-rw-1b */
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        const pp_lm_graph_options o = {.abits = 8, .slice = 256, .kvbits = 8, .residual_bits = 16, .experts = "uniform"};
        char *text = pp_strf("{%s}", row[i].config);
        pp_lm_config c;
        pp_lm_graph *g = NULL;
        if (read_text(&c, text) != PP_OK || pp_lm_graph_new(&g, &c, &o, 1) != PP_OK || pp_lm_graph_check(g) != PP_OK)
            fail_msg("%s: %s", text, pp_error_text());
        if (pp_lm_parameters(&c) != row[i].parameters)
            fail_msg("%s: %" PRIu64 " parameters, published are %" PRIu64, text, pp_lm_parameters(&c), row[i].parameters);
        pp_lm_graph_free(g);
        free(text);
    }
}

/* Operators of the part that most instances are of, in order, "name ..."; `end`: of the last part. */
static void list_ops(char *out, size_t size, const pp_lm_graph *g, bool end)
{
    const pp_lm_part *part = &g->part[end ? g->n_parts - 1 : 1];
    size_t at = 0;
    for (uint32_t k = 0; k < part->n_ops && at < size; k++)
        at += (size_t)snprintf(out + at, size - at, "%s%s", k ? " " : "", g->op[part->first_op + k].name);
}

static const pp_lm_op *find(const pp_lm_graph *g, const char *name)
{
    for (uint32_t k = 0; k < g->n_ops; k++)
        if (strcmp(g->op[k].name, name) == 0)
            return &g->op[k];
    fail_msg("no operator %s", name);
    return NULL;
}

static pp_lm_graph *graph_of(const char *name)
{
    const pp_lm_graph_options o = {.abits = 8, .slice = 256, .kvbits = 4, .residual_bits = 16, .experts = "uniform"};
    pp_lm_config c;
    pp_lm_graph *g = NULL;
    assert_ok(pp_lm_shape(&c, name));
    assert_ok(pp_lm_graph_new(&g, &c, &o, 1));
    return g;
}

static void blocks_are_those_of_the_family(void **state)
{
    (void)state;
#define QKV "q_proj k_proj v_proj "
    static const struct {
        const char *name, *ops;
        bool end;
    } row[] = {
        {"falcon-7b", "attn_norm up_proj " QKV "attention rope o_proj attn_add gelu down_proj ffn_add", false},
        {"pythia-1b", "attn_norm ffn_norm up_proj " QKV "attention rope o_proj attn_add gelu down_proj ffn_add", false},
        {"bloom-560m", "attn_norm " QKV "attention o_proj attn_add ffn_norm up_proj gelu down_proj ffn_add", false},
        {"opt-125m", "attn_norm " QKV "attention o_proj attn_add ffn_norm up_proj relu down_proj ffn_add", false},
        {"olmo2-1b", QKV "attention qk_norm rope o_proj attn_post_norm attn_add gate_proj up_proj silu_mul down_proj ffn_post_norm "
                     "ffn_add", false},
        {"gemma2-2b", QKV "attn_norm attention rope o_proj attn_post_norm attn_add gate_proj up_proj ffn_norm gelu_mul down_proj "
                      "ffn_post_norm ffn_add", false},
        {"command-r-35b", "attn_norm gate_proj up_proj " QKV "attention rope o_proj attn_add silu_mul down_proj ffn_add", false},
        {"dinov2-base", "final_norm output", true},
        {"roberta-base", QKV "attention o_proj attn_add attn_norm up_proj gelu down_proj ffn_add ffn_norm", false},
        {"deit-base-distilled", "final_norm classifier distillation_classifier argmax output", true},
        {"gpt-j-6b", "final_norm lm_head argmax", true},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        char ops[512];
        pp_lm_graph *g = graph_of(row[i].name);
        list_ops(ops, sizeof ops, g, row[i].end);
        if (strcmp(ops, row[i].ops) != 0)
            fail_msg("%s: %s", row[i].name, ops);
        pp_lm_graph_free(g);
    }
}

static void words_behind_masks_are_a_matrix(void **state)
{
    (void)state;
    const pp_lm_graph_options o = {.abits = 8, .slice = 256, .kvbits = 4, .residual_bits = 16};
    char ops[128];
    pp_lm_config c;
    pp_lm_graph *g = NULL;
    assert_ok(read_text(&c, "{" BASE("albert", 30000, 512) TOP("AlbertForMaskedLM") "}"));
    assert_ok(pp_lm_graph_new(&g, &c, &o, 1));
    list_ops(ops, sizeof ops, g, true);
    assert_string_equal(ops, "masked_dense masked_gelu masked_norm lm_head argmax");
    assert_int_equal(find(g, "masked_dense")->macs, 768 * 128);
    assert_int_equal(find(g, "lm_head")->macs, 30000 * 128);
    assert_int_equal(find(g, "lm_head")->ops, 30000); /* its bias */
    assert_int_equal(find(g, "embed_proj")->macs, 128 * 768);
    assert_int_equal(find(g, "embed_norm")->in, 128);
    pp_lm_graph_free(g);
}

static void costs_by_hand(void **state)
{
    (void)state;
    pp_lm_graph *g = graph_of("gemma2-2b"); /* windows in layers 0, 2, ...; caps */
    assert_int_equal(g->n_parts, 4);
    assert_int_equal(g->part[1].instances, 13);
    for (uint32_t i = 0; i < 26; i++)
        assert_int_equal(g->op[g->part[g->instance[1 + i]].first_op + g->part[g->instance[1 + i]].attention].window, i % 2 == 0 ? 4096 : 0);
    assert_int_equal(find(g, "argmax")->ops, 256000 * 6); /* a comparison, and the cap's five */
    assert_int_equal(find(g, "attn_post_norm")->ops, 4 * 2304);
    assert_int_equal(find(g, "attn_post_norm")->out, 2304);
    pp_lm_graph_free(g);
    g = graph_of("gemma3-1b"); /* layers 5, 11, 17, 23 see all */
    assert_int_equal(g->part[1].instances, 4);
    assert_int_equal(g->part[2].instances, 22);
    pp_lm_graph_free(g);
    g = graph_of("qwen1.5-moe-a2.7b");
    assert_int_equal(find(g, "router")->macs, 61 * 2048);
    assert_int_equal(find(g, "shared.down_proj")->macs, 5632 * 2048);
    assert_int_equal(find(g, "expert59.up_proj")->macs, 1408 * 2048);
    assert_int_equal(find(g, "experts_add")->ops, 2 * 6 * 2048); /* four experts, the shared one, the stream */
    pp_lm_graph_free(g);
    g = graph_of("pythia-1b"); /* rotary_pct 0.25 of heads of 256 */
    assert_int_equal(find(g, "rope")->ops, 3 * 2 * 8 * 64);
    assert_int_equal(find(g, "ffn_norm")->ops, 2 * 2048); /* gain and bias alone */
    pp_lm_graph_free(g);
    g = graph_of("olmo-7b");
    assert_int_equal(find(g, "attn_norm")->ops, 5 * 4096);
    pp_lm_graph_free(g);
    g = graph_of("olmo2-1b");
    assert_int_equal(find(g, "qk_norm")->ops, 3 * 2 * 2048);
    assert_int_equal(find(g, "rope")->ops, 3 * 2 * 2048);
    pp_lm_graph_free(g);
}

/* ---- one line each ---- */

#define LLAMA(type, rest)                                                                                              \
    "{\"model_type\":\"" type "\",\"hidden_size\":64,\"intermediate_size\":128,\"num_hidden_layers\":2,\"num_attention_heads\":4,\"vocab_size\":100" rest "}"

static void wrong_files_are_one_line(void **state)
{
    (void)state;
    static const struct {
        const char *config, *says;
    } row[] = {
        {"{\"model_type\":\"deepseek_v3\"}", "architecture 'deepseek_v3' is not supported; "},
        {"{\"model_type\":\"qwen2-moe\"}", "did you mean 'qwen2_moe'? expected one of llama, mistral"},
        {"{\"model_type\":7}", "architecture '7' is not supported"},
        {"{\"model_type\":[\"vit\"]}", "model_type"},
        {LLAMA("phi3", ",\"num_key_value_heads\":3"), "4 attention heads are not a multiple of 3 key and value heads"},
        {LLAMA("phi3", ",\"num_key_value_heads\":0"), "num_key_value_heads"},
        {LLAMA("phi3", ",\"num_key_value_heads\":-4"), "num_key_value_heads"},
        {LLAMA("phi3", ",\"num_key_value_heads\":\"4\""), "num_key_value_heads"},
        {LLAMA("phi3", ",\"partial_rotary_factor\":1.5"), "partial_rotary_factor is 1.5"},
        {LLAMA("phi3", ",\"head_dim\":15"), "RoPE over 15 dimensions"},
        {LLAMA("gemma2", ",\"attn_logit_softcapping\":-1"), "attn_logit_softcapping is -1; expected a positive number or null"},
        {LLAMA("gemma2", ",\"final_logit_softcapping\":\"x\""), "final_logit_softcapping"},
        {LLAMA("gemma3_text", ",\"sliding_window_pattern\":0"), "sliding_window_pattern"},
        {LLAMA("qwen2_moe", ""), "num_experts"},
        {LLAMA("qwen2_moe", ",\"num_experts\":4,\"num_experts_per_tok\":2,\"moe_intermediate_size\":32"), "shared_expert_intermediate_size"},
        {LLAMA("qwen3_moe", ",\"num_experts\":4,\"num_experts_per_tok\":5,\"moe_intermediate_size\":32"), "5 experts a token of 4"},
        {LLAMA("qwen3_moe", ",\"num_experts\":4,\"num_experts_per_tok\":2,\"moe_intermediate_size\":32,\"decoder_sparse_step\":2"),
         "decoder_sparse_step 2 is not supported"},
        {LLAMA("qwen3_moe", ",\"num_experts\":4,\"num_experts_per_tok\":2,\"moe_intermediate_size\":32,\"mlp_only_layers\":[0]"),
         "mlp_only_layers is not supported"},
        {LLAMA("opt", ""), "ffn_dim"},
        {LLAMA("opt", ",\"ffn_dim\":128,\"do_layer_norm_before\":false"), "do_layer_norm_before: false is not supported"},
        {LLAMA("opt", ",\"ffn_dim\":128,\"word_embed_proj_dim\":32"), "word_embed_proj_dim 32 is not supported; expected the hidden_size, 64"},
        {LLAMA("phi", ",\"qk_layernorm\":true"), "qk_layernorm is not supported"},
        {LLAMA("gpt_neox", ",\"rotary_pct\":0"), "rotary_pct is 0"},
        {LLAMA("falcon", ",\"new_decoder_architecture\":true,\"num_kv_heads\":3"), "4 attention heads are not a multiple of 3"},
        {"{\"model_type\":\"falcon\",\"hidden_size\":65,\"n_layer\":1,\"n_head\":4,\"vocab_size\":9}", "hidden_size 65 is not a multiple of 4 heads"},
        {LLAMA("cohere", ",\"use_qk_norm\":true"), "use_qk_norm is not supported"},
        {LLAMA("dinov2", ",\"use_swiglu_ffn\":true"), "use_swiglu_ffn is not supported"},
        {LLAMA("dinov2", ",\"mlp_ratio\":1000000"), "mlp_ratio 1000000 of hidden_size 64"},
        {LLAMA("dinov2", TOP("Dinov2ForImageClassification")), "'Dinov2ForImageClassification' is not supported; expected a name that ends in Model"},
        {"{\"model_type\":\"mpt\",\"d_model\":64,\"n_layers\":2,\"n_heads\":4,\"vocab_size\":9,\"max_seq_len\":16,\"attn_config\":{\"qk_ln\":true}}",
         "qk_ln is not supported"},
        {"{\"model_type\":\"bloom\",\"n_layer\":1,\"n_head\":4,\"vocab_size\":9}", "hidden_size"},
        {"{\"model_type\":\"gptj\",\"n_layer\":1,\"n_head\":4,\"n_embd\":64,\"n_positions\":8,\"vocab_size\":9,\"rotary_dim\":17}", "RoPE over 17 dimensions"},
        {LLAMA("roberta", ",\"max_position_embeddings\":2"), "max_position_embeddings is 2; expected more than the 2"},
        {LLAMA("bert", TOP("BertForNextSentence")), "architectures: 'BertForNextSentence' is not supported; expected a name that ends in Model"},
        {LLAMA("bert", ",\"is_decoder\":true"), "is_decoder is not supported"},
        {LLAMA("bert", TOP("BertForSequenceClassification") ",\"num_labels\":0"), "num_labels"},
        {LLAMA("albert", ",\"num_hidden_groups\":2"), "num_hidden_groups 2 is not supported; expected 1"},
        {LLAMA("distilbert", ""), "dim"},
        {LLAMA("vit", ",\"patch_size\":0"), "patch_size"},
        {LLAMA("vit", ",\"patch_size\":\"16\""), "patch_size"},
        {LLAMA("vit", ",\"image_size\":225"), "image_size 225 is not a multiple of patch_size 16"},
        {LLAMA("vit", ",\"image_size\":[224]"), "image_size: expected a number or two, found 1"},
        {LLAMA("vit", ",\"image_size\":[224,-224]"), "image_size"},
        {LLAMA("vit", ",\"num_channels\":100000"), "values a patch"},
        {LLAMA("vit", ",\"image_size\":1073741824,\"patch_size\":1"), "2^30 patches"},
        {LLAMA("vit", TOP("ViTForMaskedImageModeling")), "'ViTForMaskedImageModeling' is not supported"},
        {"{\"model_type\":\"vit\",\"hidden_size\":64,\"num_hidden_layers\":2,\"num_attention_heads\":3,\"intermediate_size\":128}",
         "hidden_size 64 is not a multiple of 3 heads"},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        pp_lm_config c;
        if (read_text(&c, row[i].config) == PP_OK || strstr(pp_error_text(), row[i].says) == NULL || strchr(pp_error_text(), '\n') != NULL)
            fail_msg("%s: expected '%s', found '%s'", row[i].config, row[i].says, pp_error_text());
    }
}

/* A folder of such a family, or one without weights, is a shape; reading weights is refused. */
static void folders_without_readable_weights_are_shapes(void **state)
{
    (void)state;
    static const struct {
        const char *config, *says;
    } row[] = {{LLAMA("phi3", ""), "weights of a phi3 model cannot be read, only its shape"},
               {LLAMA("llama", ""), "holds neither model.safetensors"}};
    for (size_t i = 0; i < 2; i++) {
        pp_lm_config c;
        pp_lm *lm = NULL;
        bool weights = true;
        mkdir("lm_family", 0777);
        write_text("lm_family/config.json", row[i].config);
        assert_ok(pp_lm_find(&c, &weights, "lm_family/"));
        assert_false(weights);
        assert_string_equal(c.name, "lm_family");
        assert_int_equal(c.hidden, 64);
        assert_fails(pp_lm_open(&lm, "lm_family"), row[i].says);
        unlink("lm_family/config.json");
        rmdir("lm_family");
    }
    pp_lm_config c;
    pp_lm_exec *exec = NULL;
    const pp_lm_source none = {0};
    assert_ok(pp_lm_shape(&c, "falcon-7b"));
    assert_fails(pp_lm_exec_new(&exec, &c, &none, NULL, NULL), "the executor does not run falcon models");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_and_variants_have_the_published_counts), cmocka_unit_test(blocks_are_those_of_the_family),
        cmocka_unit_test(words_behind_masks_are_a_matrix),              cmocka_unit_test(costs_by_hand),
        cmocka_unit_test(wrong_files_are_one_line),                     cmocka_unit_test(folders_without_readable_weights_are_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

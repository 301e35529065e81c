/* Models on disk that are damaged or not supported: one clear line each. */
#include "test_lm_models.h"

#define DIR "lm_bad"

static void refused(const char *says)
{
    pp_lm *lm = NULL;
    assert_fails(pp_lm_open(&lm, DIR), says);
    assert_null(lm);
    assert_null(strchr(pp_error_text(), '\n'));
}

static void good(size_t shards)
{
    const pp_lm_config c = small_llama("llama");
    lm_tensors t = {0};
    pp_lm *lm = NULL;
    char *json = lm_llama_json(&c, "");
    lm_llama_tensors(&t, &c, PP_DTYPE_F32, "model.");
    lm_write(DIR, json, &t, shards);
    lm_tensors_free(&t);
    free(json);
    assert_ok(pp_lm_open(&lm, DIR));
    pp_lm_close(lm);
}

static void missing_files_are_named(void **state)
{
    (void)state;
    pp_lm *lm = NULL;
    assert_fails(pp_lm_open(&lm, "no-such-model"), "'no-such-model' is neither");
    good(3);
    remove(DIR "/model-1.safetensors");
    refused("shard 'model-1.safetensors', which holds '");
    good(1);
    remove(DIR "/model.safetensors");
    refused("holds neither model.safetensors nor");
    remove(DIR "/config.json");
    refused("holds no config.json");
    assert_fails(pp_lm_open(&lm, "no-such.bin"), "no-such.bin");
}

static void wrong_indices_are_refused(void **state)
{
    (void)state;
    good(2);
    write_in(DIR, "model.safetensors.index.json", "{\"weight_map\":{\"model.ghost.weight\":\"model-0.safetensors\"}}");
    refused("names tensor 'model.ghost.weight', which shard 'model-0.safetensors' does not hold");
    write_in(DIR, "model.safetensors.index.json", "{\"weight_map\":{\"lm_head.weight\":\"../model-0.safetensors\"}}");
    refused("'../model-0.safetensors' is not the name of a file");
    write_in(DIR, "model.safetensors.index.json", "{\"weight_map\":{}}");
    refused("weight_map must be");
    write_in(DIR, "model.safetensors.index.json", "{}");
    refused("weight_map");
    write_in(DIR, "model.safetensors.index.json", "{\"weight_map\":");
    refused("model.safetensors.index.json:1");
    good(2); /* the other shard is not named: its tensors are missing */
    write_in(DIR, "model.safetensors.index.json",
             "{\"weight_map\":{\"model.layers.0.input_layernorm.weight\":\"model-0.safetensors\"}}");
    refused("no file holds tensor 'model.");
}

/* Tensors of `have`, configuration of `want`. */
static void mismatch(const pp_lm_config *have, const pp_lm_config *want, pp_dtype dtype, const char *more,
                     const char *says)
{
    lm_tensors t = {0};
    char *json = lm_llama_json(want, more);
    lm_llama_tensors(&t, have, dtype, "model.");
    lm_write(DIR, json, &t, 1);
    refused(says);
    lm_tensors_free(&t);
    free(json);
}

static void tensors_that_do_not_fit_are_named(void **state)
{
    (void)state;
    const pp_lm_config have = small_llama("llama");
    pp_lm_config want = have;
    want.kv_heads = 4;
    mismatch(&have, &want, PP_DTYPE_F32, "", "tensor 'model.layers.0.self_attn.k_proj.weight' has shape [12,24]; "
                                             "config.json asks for [24,24]");
    want = have;
    want.layers = 3;
    mismatch(&have, &want, PP_DTYPE_F32, "", "no file holds tensor 'model.layers.2.input_layernorm.weight', which a "
                                             "llama model of 3 layers needs");
    want = have;
    want.vocab = 20;
    mismatch(&have, &want, PP_DTYPE_F32, "", "'model.embed_tokens.weight' has shape [19,24]");
    mismatch(&have, &have, PP_DTYPE_F32, "\"attention_bias\":true,", "'model.layers.0.self_attn.q_proj.bias'");
    want = have;
    want.tied = true;
    mismatch(&want, &have, PP_DTYPE_F32, "", "no file holds tensor 'lm_head.weight'");
}

static void other_dtypes_are_refused(void **state)
{
    (void)state;
    const pp_lm_config c = small_llama("llama");
    lm_tensors t = {0};
    char *json = lm_llama_json(&c, "");
    lm_llama_tensors(&t, &c, PP_DTYPE_F32, "model.");
    t.tensor[4].dtype = PP_DTYPE_I32; /* of the same size */
    lm_write(DIR, json, &t, 1);
    refused("is I32; expected F32, F16 or BF16");
    lm_tensors_free(&t);
    free(json);
}

static void unsupported_architectures_are_named(void **state)
{
    (void)state;
    good(1);
    write_in(DIR, "config.json", "{\"model_type\":\"mamba\"}");
    refused("architecture 'mamba' is not supported; expected one of llama, mistral, qwen2");
    write_in(DIR, "config.json", "{}");
    refused("model_type");
    write_in(DIR, "config.json", "[]");
    refused("expected a map");
    write_in(DIR, "config.json", "{\"model_type\":\"llama\"}");
    refused("hidden_size");
    const pp_lm_config c = small_llama("llama");
    static const struct {
        const char *more, *says;
    } cases[] = {
        {"\"rope_scaling\":{\"rope_type\":\"longrope\",\"factor\":2},", "RoPE scaling 'longrope' is not supported"},
        {"\"rope_scaling\":{\"rope_type\":\"linear\"},", "factor"},
        {"\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":0.5},", "RoPE factor is 0.5"},
        {"\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":4,\"high_freq_factor\":1},",
         "expected 0 < low < high"},
        {"\"partial_rotary_factor\":2,", "partial_rotary_factor is 2"},
        {"\"attention_bias\":3,", "attention_bias"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *json = lm_llama_json(&c, cases[i].more);
        write_in(DIR, "config.json", json);
        refused(cases[i].says);
        free(json);
    }
    pp_lm_config odd = c;
    odd.act = PP_LM_ACT_COUNT;
    odd.kv_heads = 3;
    odd.act = PP_LM_ACT_SILU;
    char *json = lm_llama_json(&odd, "");
    write_in(DIR, "config.json", json);
    refused("4 attention heads are not a multiple of 3");
    free(json);
    snprintf(odd.model_type, sizeof odd.model_type, "mixtral");
    odd.kv_heads = 2;
    json = lm_llama_json(&odd, "\"num_local_experts\":4,");
    write_in(DIR, "config.json", json);
    refused("weights of a mixtral model cannot be read");
    pp_lm_config shape;
    assert_ok(pp_lm_config_read(&shape, DIR "/config.json")); /* its shape can */
    assert_int_equal(shape.experts, 4);
    assert_int_equal(shape.experts_per_token, 2);
    free(json);
}

/* Open does not read values; loading does. */
static void values_that_are_not_finite_are_named(void **state)
{
    (void)state;
    static const pp_dtype dtypes[] = {PP_DTYPE_F32, PP_DTYPE_F16, PP_DTYPE_BF16};
    const pp_lm_config c = small_llama("llama");
    char *json = lm_llama_json(&c, "");
    for (size_t i = 0; i < 6; i++) {
        lm_tensors t = {0};
        pp_lm *lm = NULL;
        float row[40 * 24];
        const pp_dtype dtype = dtypes[i / 2];
        lm_llama_tensors(&t, &c, dtype, "model.");
        size_t at = 0;
        while (strcmp(t.name[at], "model.layers.1.mlp.up_proj.weight") != 0)
            at++;
        const float bad = i % 2 ? (float)INFINITY : (float)NAN;
        const uint16_t half = dtype == PP_DTYPE_F16 ? (i % 2 ? 0x7c00 : 0x7e01) : (i % 2 ? 0x7f80 : 0x7fc1);
        if (dtype == PP_DTYPE_F32)
            memcpy((uint8_t *)t.data[at] + 4 * (5 * 24 + 3), &bad, 4);
        else
            memcpy((uint8_t *)t.data[at] + 2 * (5 * 24 + 3), &half, 2);
        lm_write(DIR, json, &t, 1);
        assert_ok(pp_lm_open(&lm, DIR));
        assert_ok(pp_lm_load(lm, 0, PP_LM_UP, row));
        const char *says = i % 2 ? "tensor 'model.layers.1.mlp.up_proj.weight': element [5,3] is infinite"
                                 : "tensor 'model.layers.1.mlp.up_proj.weight': element [5,3] is NaN";
        assert_fails(pp_lm_load(lm, 1, PP_LM_UP, row), says);
        assert_fails(pp_lm_check(lm, NULL), says);
        assert_ok(pp_lm_load_rows(lm, 1, PP_LM_UP, 6, 34, row));
        assert_fails(pp_lm_load_rows(lm, 1, PP_LM_UP, 30, 11, row), "rows 30 to 41");
        assert_fails(pp_lm_load(lm, 2, PP_LM_UP, row), "no layer 2");
        assert_fails(pp_lm_load(lm, 0, PP_LM_Q_NORM, row), "no tensor q_norm");
        pp_lm_close(lm);
        lm_tensors_free(&t);
    }
    free(json);
}

static void a_good_model_passes_its_check_and_hash(void **state)
{
    (void)state;
    pp_lm *lm = NULL;
    char a[65], b[65];
    good(3);
    assert_ok(pp_lm_open(&lm, DIR));
    assert_ok(pp_lm_check(lm, NULL));
    assert_ok(pp_lm_sha256(lm, a));
    assert_true(pp_lm_is_model(DIR));
    assert_true(pp_lm_is_model("bytellama-7m"));
    assert_false(pp_lm_is_model("resnet20"));
    pp_lm_close(lm);
    good(2);
    assert_ok(pp_lm_open(&lm, DIR "/"));
    assert_ok(pp_lm_sha256(lm, b));
    assert_int_equal(strlen(b), 64);
    assert_string_not_equal(a, b);
    assert_string_equal(pp_lm_config_of(lm)->name, DIR);
    pp_lm_close(lm);
}

/* A file with holes: 336 MiB of zeros that take no room on the disk. */
static void write_sparse(const char *folder, const pp_lm_config *c)
{
    char *json = lm_llama_json(c, ""), *path = pp_path_join(folder, "model.safetensors"), *head = pp_strdup("{");
    static const struct {
        const char *name;
        pp_lm_kind kind;
    } names[] = {{"embed_tokens", PP_LM_EMBED}, {"norm", PP_LM_FINAL_NORM},
                 {"layers.0.input_layernorm", PP_LM_ATTN_NORM}, {"layers.0.post_attention_layernorm", PP_LM_FFN_NORM},
                 {"layers.0.self_attn.q_proj", PP_LM_Q}, {"layers.0.self_attn.k_proj", PP_LM_K},
                 {"layers.0.self_attn.v_proj", PP_LM_V}, {"layers.0.self_attn.o_proj", PP_LM_O},
                 {"layers.0.mlp.gate_proj", PP_LM_GATE}, {"layers.0.mlp.up_proj", PP_LM_UP},
                 {"layers.0.mlp.down_proj", PP_LM_DOWN}};
    uint64_t at = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        uint64_t rows, cols;
        pp_lm_dims(c, names[i].kind, &rows, &cols);
        char shape[64];
        if (rows == 1)
            snprintf(shape, sizeof shape, "[%llu]", (unsigned long long)cols);
        else
            snprintf(shape, sizeof shape, "[%llu,%llu]", (unsigned long long)rows, (unsigned long long)cols);
        char *longer = pp_strf("%s%s\"model.%s.weight\":{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":[%llu,%llu]}",
                               head, i ? "," : "", names[i].name, shape, (unsigned long long)at,
                               (unsigned long long)(at + 4 * rows * cols));
        free(head);
        head = longer;
        at += 4 * rows * cols;
    }
    char *all = pp_strf("12345678%s}", head);
    const uint64_t length = strlen(all) - 8;
    for (unsigned i = 0; i < 8; i++)
        all[i] = (char)(length >> (8 * i) & 0xff);
    (void)mkdir(folder, 0777);
    write_in(folder, "config.json", json);
    write_file(path, all, 8 + length);
    assert_int_equal(truncate(path, (off_t)(8 + length + at)), 0);
    free(all);
    free(head);
    free(path);
    free(json);
}

static void walking_a_large_model_keeps_little_of_it_in_memory(void **state)
{
    (void)state;
    pp_lm_config c = small_llama("llama");
    pp_lm *lm = NULL;
    c.layers = 1;
    c.hidden = 2048;
    c.ffn = 8192;
    c.heads = c.kv_heads = 16;
    c.head_dim = c.rope.rotary_dim = 128;
    c.vocab = 10240;
    c.tied = true;
    write_sparse("lm_sparse", &c);
    const double before = pp_peak_rss_mb();
    assert_ok(pp_lm_open(&lm, "lm_sparse"));
    assert_ok(pp_lm_check(lm, NULL));
    pp_lm_close(lm);
    remove("lm_sparse/model.safetensors");
    if (!(pp_peak_rss_mb() - before < 100)) /* weights: 336 MiB; a slice of 16 MiB and its source */
        fail_msg("resident memory grew by %.0f MiB", pp_peak_rss_mb() - before);
}

static void running_out_of_memory_is_an_error(void **state)
{
    (void)state;
    bool done = false;
    good(2);
    for (long n = 0; !done && n < 2000; n++) {
        pp_lm *lm = NULL;
        pp_lm_exec *exec = NULL;
        float logits[4 * 19];
        static const uint32_t tokens[4] = {1, 2, 3, 4};
        const pp_lm_window w = {0, 0, 4};
        const pp_lm_batch batch = {tokens, &w, 1, 4};
        pp_alloc_fail_after(n);
        pp_status status = pp_lm_open(&lm, DIR);
        if (status == PP_OK) {
            const pp_lm_source source = pp_lm_source_of(lm);
            status = pp_lm_exec_new(&exec, pp_lm_config_of(lm), &source, NULL, NULL);
        }
        if (status == PP_OK)
            status = pp_lm_exec_logits(exec, &batch, logits);
        pp_alloc_fail_after(-1);
        if (status != PP_OK && status != PP_ENOMEM)
            fail_msg("allocation %ld: %s", n, pp_error_text());
        done = status == PP_OK;
        pp_lm_exec_free(exec);
        pp_lm_close(lm);
    }
    assert_true(done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_files_are_named),
        cmocka_unit_test(wrong_indices_are_refused),
        cmocka_unit_test(tensors_that_do_not_fit_are_named),
        cmocka_unit_test(other_dtypes_are_refused),
        cmocka_unit_test(unsupported_architectures_are_named),
        cmocka_unit_test(values_that_are_not_finite_are_named),
        cmocka_unit_test(a_good_model_passes_its_check_and_hash),
        cmocka_unit_test(walking_a_large_model_keeps_little_of_it_in_memory),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Every variant of the architectures: a small random model is written to disk, opened and run, and the
 * logits compared with the reference in double, which gets configuration and values from the test. */
#include "test_lm_models.h"

#define N 80u /* more than a block of attention */

static void fill_tokens(uint32_t *tokens, uint32_t n, uint32_t vocab)
{
    pp_rng rng = pp_rng_make(3, 3);
    for (uint32_t i = 0; i < n; i++)
        tokens[i] = pp_rng_below(&rng, vocab);
}

static void compare(const pp_lm_config *c, const char *model, uint32_t n)
{
    uint32_t tokens[N];
    float *got = malloc((size_t)n * c->vocab * sizeof *got), *want = malloc((size_t)n * c->vocab * sizeof *want);
    pp_lm *lm = NULL;
    pp_lm_exec *exec = NULL;
    const pp_lm_source random = {random_load, (void *)(uintptr_t)c};
    const pp_lm_window w = {0, 0, n};
    const pp_lm_batch batch = {tokens, &w, 1, n};
    const pp_lm_exec_options tight = {.weight_bytes = 1};
    double worst = 0, largest = 0;
    fill_tokens(tokens, n, c->vocab);
    assert_ok(pp_lm_ref_logits(c, &random, tokens, n, want));
    assert_ok(pp_lm_open(&lm, model));
    const pp_lm_source source = pp_lm_source_of(lm);
    assert_ok(pp_lm_exec_new(&exec, pp_lm_config_of(lm), &source, NULL, &tight));
    assert_ok(pp_lm_exec_logits(exec, &batch, got));
    for (size_t i = 0; i < (size_t)n * c->vocab; i++) {
        worst = fmax(worst, fabs((double)(got[i] - want[i])));
        largest = fmax(largest, fabs((double)want[i]));
    }
    if (!(worst < 3e-5 * largest) || !(largest > 0.5))
        fail_msg("%s: logits up to %g differ by %g", c->model_type, largest, worst);
    assert_int_equal(pp_lm_parameters(pp_lm_config_of(lm)), pp_lm_parameters(c));
    pp_lm_exec_free(exec);
    pp_lm_close(lm);
    free(got);
    free(want);
}

static void llama_like(const pp_lm_config *c, const char *more, pp_dtype dtype, size_t shards, uint32_t n)
{
    lm_tensors t = {0};
    char *json = lm_llama_json(c, more);
    lm_llama_tensors(&t, c, dtype, "model.");
    lm_write("lm_variant", json, &t, shards);
    compare(c, "lm_variant", n);
    lm_tensors_free(&t);
    free(json);
}

static void llama_with_grouped_heads(void **state)
{
    (void)state;
    pp_lm_config c = small_llama("llama");
    llama_like(&c, "", PP_DTYPE_F32, 1, N);
    c.kv_heads = 4; /* one for each head */
    llama_like(&c, "", PP_DTYPE_BF16, 1, N);
    c.kv_heads = 1; /* one for all, head size not hidden / heads */
    c.head_dim = c.rope.rotary_dim = 10;
    llama_like(&c, "", PP_DTYPE_F16, 1, N);
    c.act = PP_LM_ACT_GELU_TANH;
    llama_like(&c, "", PP_DTYPE_F32, 1, 3);
}

static void tied_and_sharded(void **state)
{
    (void)state;
    pp_lm_config c = small_llama("llama");
    llama_like(&c, "", PP_DTYPE_BF16, 3, N);
    c.tied = true;
    llama_like(&c, "", PP_DTYPE_F32, 2, N);
}

static void checkpoint_without_the_class_around_it(void **state)
{
    (void)state;
    pp_lm_config c = small_llama("llama");
    lm_tensors t = {0};
    c.tied = true;
    char *json = lm_llama_json(&c, "");
    lm_llama_tensors(&t, &c, PP_DTYPE_F32, "");
    lm_write("lm_variant", json, &t, 1);
    compare(&c, "lm_variant", 9);
    lm_tensors_free(&t);
    free(json);
}

static void biases_and_head_norms(void **state)
{
    (void)state;
    const uint32_t qkv = PP_LM_KIND_BIT(PP_LM_Q_BIAS) | PP_LM_KIND_BIT(PP_LM_K_BIAS) | PP_LM_KIND_BIT(PP_LM_V_BIAS);
    pp_lm_config c = small_llama("llama");
    c.biases = qkv | PP_LM_KIND_BIT(PP_LM_O_BIAS);
    llama_like(&c, "\"attention_bias\":true,", PP_DTYPE_F32, 1, N);
    c.biases |= PP_LM_KIND_BIT(PP_LM_GATE_BIAS) | PP_LM_KIND_BIT(PP_LM_UP_BIAS) | PP_LM_KIND_BIT(PP_LM_DOWN_BIAS);
    llama_like(&c, "\"attention_bias\":true,\"mlp_bias\":true,", PP_DTYPE_F32, 1, N);
    c = small_llama("qwen2");
    c.biases = qkv;
    llama_like(&c, "\"use_sliding_window\":false,\"sliding_window\":4,", PP_DTYPE_BF16, 1, N);
    c = small_llama("qwen3");
    c.qk_norm = true;
    llama_like(&c, "", PP_DTYPE_BF16, 1, N);
}

static void sliding_windows(void **state)
{
    (void)state;
    pp_lm_config c = small_llama("mistral");
    c.window = 7;
    llama_like(&c, "\"sliding_window\":7,", PP_DTYPE_F32, 1, N);
    c.window = 70; /* reaches over two blocks */
    llama_like(&c, "\"sliding_window\":70,", PP_DTYPE_F32, 1, N);
    c.window = 1; /* itself only */
    llama_like(&c, "\"sliding_window\":1,", PP_DTYPE_F32, 1, N);
    c.window = 0;
    llama_like(&c, "\"sliding_window\":null,", PP_DTYPE_F32, 1, N);
    c = small_llama("qwen2");
    c.biases = PP_LM_KIND_BIT(PP_LM_Q_BIAS) | PP_LM_KIND_BIT(PP_LM_K_BIAS) | PP_LM_KIND_BIT(PP_LM_V_BIAS);
    c.window = 5;
    c.window_first_layer = 1;
    llama_like(&c, "\"use_sliding_window\":true,\"sliding_window\":5,\"max_window_layers\":1,", PP_DTYPE_F32, 1, N);
}

static void scaled_positions(void **state)
{
    (void)state;
    pp_lm_config c = small_llama("llama");
    c.rope.theta = 500000;
    llama_like(&c, "\"rope_scaling\":null,", PP_DTYPE_F32, 1, N);
    llama_like(&c, "\"rope_scaling\":{\"rope_type\":\"default\"},", PP_DTYPE_F32, 1, N);
    c.rope.kind = PP_LM_ROPE_LINEAR;
    c.rope.factor = 2.5;
    llama_like(&c, "\"rope_scaling\":{\"type\":\"linear\",\"factor\":2.5},", PP_DTYPE_F32, 1, N);
    c.rope.kind = PP_LM_ROPE_DYNAMIC;
    c.rope.original_positions = c.positions = 32;
    llama_like(&c, "\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2.5},", PP_DTYPE_F32, 1, N);
    llama_like(&c, "\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2.5},", PP_DTYPE_F32, 1, 30);
    c = small_llama("llama");
    c.head_dim = c.rope.rotary_dim = 16;
    c.rope.kind = PP_LM_ROPE_LLAMA3;
    c.rope.factor = 8;
    c.rope.low_freq_factor = 1;
    c.rope.high_freq_factor = 4;
    c.rope.original_positions = 32; /* waves below 8, between, and above 32 */
    llama_like(&c, "\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0,\"low_freq_factor\":1.0,"
                   "\"high_freq_factor\":4.0,\"original_max_position_embeddings\":32},", PP_DTYPE_F32, 1, N);
}

static void yarn_and_partial_positions(void **state)
{
    (void)state;
    pp_lm_config c = small_llama("llama");
    c.head_dim = c.rope.rotary_dim = 16;
    c.rope.kind = PP_LM_ROPE_YARN;
    c.rope.factor = 4;
    c.rope.original_positions = 64;
    c.rope.beta_fast = 32;
    c.rope.beta_slow = 1;
    c.rope.truncate = true;
    c.rope.attention_factor = 0.1 * log(4) + 1;
    llama_like(&c, "\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4.0,"
                   "\"original_max_position_embeddings\":64},", PP_DTYPE_F32, 1, N);
    c.rope.beta_fast = 4;
    c.rope.beta_slow = 0.5;
    c.rope.attention_factor = 1.25;
    llama_like(&c, "\"rope_parameters\":{\"rope_type\":\"yarn\",\"factor\":4.0,\"beta_fast\":4,\"beta_slow\":0.5,"
                   "\"attention_factor\":1.25,\"rope_theta\":10000,\"original_max_position_embeddings\":64},",
               PP_DTYPE_F32, 1, N);
    c = small_llama("llama");
    c.head_dim = 8;
    c.rope.rotary_dim = 4;
    llama_like(&c, "\"partial_rotary_factor\":0.5,", PP_DTYPE_F32, 1, N);
}

static void gpt2(void **state)
{
    (void)state;
    static const pp_lm_act acts[] = {PP_LM_ACT_GELU_TANH, PP_LM_ACT_GELU, PP_LM_ACT_RELU};
    static const pp_dtype dtypes[] = {PP_DTYPE_F32, PP_DTYPE_F16, PP_DTYPE_BF16};
    for (size_t i = 0; i < 3; i++) {
        pp_lm_config c = small_gpt2();
        lm_tensors t = {0};
        c.act = acts[i];
        c.ffn = i == 0 ? 96 : 50;
        char *json = lm_gpt2_json(&c);
        lm_gpt2_tensors(&t, &c, dtypes[i]);
        lm_write("lm_variant", json, &t, 1 + i);
        compare(&c, "lm_variant", N);
        lm_tensors_free(&t);
        free(json);
    }
}

/* ---- llama2.c ---- */

static void put(FILE *f, const void *data, size_t size)
{
    assert_int_equal(fwrite(data, 1, size, f), size);
}

/* Groups of `group`: codes in -127 .. 127, then scales. Values k / 64 with |k| <= 127 are exact when the
 * scale of every group is a power of two over 64, which the test writes by hand. */
static void put_tensor(FILE *f, const pp_lm_config *c, uint32_t layer, pp_lm_kind kind, uint32_t group)
{
    uint64_t rows, cols;
    pp_lm_dims(c, kind, &rows, &cols);
    float *x = lm_values(c, layer, kind);
    if (group == 0) {
        put(f, x, rows * cols * sizeof *x);
        free(x);
        return;
    }
    const float scale = ldexpf(1.0f / 64, -(int)lround(log2(sqrt((double)cols))));
    for (uint64_t i = 0; i < rows * cols; i++) {
        const int8_t code = (int8_t)lroundf(x[i] / scale);
        put(f, &code, 1);
    }
    for (uint64_t i = 0; i < rows * cols / group; i++)
        put(f, &scale, sizeof scale);
    free(x);
}

static void put_kind(FILE *f, const pp_lm_config *c, pp_lm_kind kind, uint32_t group)
{
    for (uint32_t l = 0; l < (pp_lm_is_global(kind) ? 1 : c->layers); l++)
        put_tensor(f, c, l, kind, group);
}

static void write_bin(const pp_lm_config *c, int version, uint32_t group)
{
    static const pp_lm_kind v0[] = {PP_LM_EMBED, PP_LM_ATTN_NORM, PP_LM_Q, PP_LM_K, PP_LM_V, PP_LM_O, PP_LM_FFN_NORM,
                                    PP_LM_GATE, PP_LM_DOWN, PP_LM_UP, PP_LM_FINAL_NORM};
    static const pp_lm_kind v1[] = {PP_LM_ATTN_NORM, PP_LM_FFN_NORM, PP_LM_FINAL_NORM, PP_LM_EMBED, PP_LM_Q, PP_LM_K,
                                    PP_LM_V, PP_LM_O, PP_LM_GATE, PP_LM_DOWN, PP_LM_UP};
    const pp_lm_kind *order = version == 0 ? v0 : v1;
    int32_t h[7] = {(int32_t)c->hidden, (int32_t)c->ffn, (int32_t)c->layers, (int32_t)c->heads,
                    (int32_t)c->kv_heads, (int32_t)c->vocab, (int32_t)c->positions};
    const uint8_t zeros[256] = {0}, tied = c->tied;
    FILE *f = fopen("small.bin", "wb");
    assert_non_null(f);
    if (version == 0) {
        h[5] = c->tied ? h[5] : -h[5];
        put(f, h, sizeof h);
    } else {
        const uint32_t magic[2] = {0x616b3432u, (uint32_t)version};
        put(f, magic, sizeof magic);
        put(f, h, sizeof h);
        put(f, &tied, 1);
        put(f, &group, version == 2 ? 4 : 0);
        put(f, zeros, 256 - 37 - (version == 2 ? 4u : 0u));
    }
    for (size_t i = 0; i < 11; i++)
        put_kind(f, c, order[i], version == 2 && i >= 3 ? group : 0);
    for (uint32_t i = 0; version == 0 && i < c->positions * c->head_dim; i++)
        put(f, zeros, sizeof(float));
    if (!c->tied)
        put_kind(f, c, PP_LM_HEAD, version == 2 ? group : 0);
    assert_int_equal(fclose(f), 0);
}

static void llama2_c_files(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        pp_lm_config c = small_llama("llama2.c");
        c.rope.interleaved = true;
        c.tied = i % 2 == 0;
        write_bin(&c, i / 2, 8);
        compare(&c, "small.bin", N);
    }
}

static void damaged_llama2_c_files_are_refused(void **state)
{
    (void)state;
    pp_lm *lm = NULL;
    pp_lm_config c = small_llama("llama2.c");
    write_bin(&c, 1, 0);
    assert_int_equal(truncate("small.bin", 2000), 0);
    assert_fails(pp_lm_open(&lm, "small.bin"), "small.bin: 2000 bytes; a llama2.c checkpoint");
    assert_int_equal(truncate("small.bin", 100), 0);
    assert_fails(pp_lm_open(&lm, "small.bin"), "too short");
    write_bin(&c, 3, 0);
    assert_fails(pp_lm_open(&lm, "small.bin"), "version 3");
    write_bin(&c, 2, 7);
    assert_fails(pp_lm_open(&lm, "small.bin"), "groups of 7");
    write_bin(&c, 0, 0);
    FILE *f = fopen("small.bin", "ab");
    put(f, "x", 1);
    fclose(f);
    assert_fails(pp_lm_open(&lm, "small.bin"), "1 bytes after the last tensor");
    write_file("small.bin", (const uint8_t[300]){1}, 300);
    assert_fails(pp_lm_open(&lm, "small.bin"), "not a llama2.c checkpoint");
    assert_null(lm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(llama_with_grouped_heads),
        cmocka_unit_test(tied_and_sharded),
        cmocka_unit_test(checkpoint_without_the_class_around_it),
        cmocka_unit_test(biases_and_head_norms),
        cmocka_unit_test(sliding_windows),
        cmocka_unit_test(scaled_positions),
        cmocka_unit_test(yarn_and_partial_positions),
        cmocka_unit_test(gpt2),
        cmocka_unit_test(llama2_c_files),
        cmocka_unit_test(damaged_llama2_c_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

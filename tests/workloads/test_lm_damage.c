/* Random damage of the files that people bring: any outcome but a crash, and one line of text. */
#include "test_lm_models.h"

#include "workloads/tokenizer.h"

/* Copies `good` over `path` with a few bytes changed; n == 0: cut short. */
static void damage(const char *path, const uint8_t *good, size_t size, pp_rng *rng)
{
    uint8_t *copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, good, size);
    const uint32_t changes = pp_rng_below(rng, 4);
    for (uint32_t i = 0; i < changes; i++)
        copy[pp_rng_below(rng, (uint32_t)size)] = (uint8_t)(1 + pp_rng_below(rng, 126));
    write_file(path, copy, changes == 0 ? pp_rng_below(rng, (uint32_t)size) : size);
    free(copy);
}

static size_t opened;

static void run_if_it_opens(const char *model)
{
    pp_lm *lm = NULL;
    pp_lm_exec *exec = NULL;
    static const uint32_t tokens[3] = {1, 2, 3};
    const pp_lm_window w = {0, 0, 3};
    const pp_lm_batch batch = {tokens, &w, 1, 3};
    if (pp_lm_open(&lm, model) != PP_OK) {
        assert_true(strlen(pp_error_text()) > 0);
        assert_null(strchr(pp_error_text(), '\n'));
        return;
    }
    opened++;
    const pp_lm_config *c = pp_lm_config_of(lm);
    const pp_lm_source source = pp_lm_source_of(lm);
    float *logits = c->vocab < 100000 ? malloc(3 * c->vocab * sizeof *logits) : NULL;
    if (logits && pp_lm_exec_new(&exec, c, &source, NULL, NULL) == PP_OK)
        (void)pp_lm_exec_logits(exec, &batch, logits);
    free(logits);
    pp_lm_exec_free(exec);
    pp_lm_close(lm);
}

static void damaged_configurations_and_indices(void **state)
{
    (void)state;
    static const char *const files[] = {"lm_damage/config.json", "lm_damage/model.safetensors.index.json",
                                        "lm_damage/model-1.safetensors"};
    pp_lm_config c = small_llama("qwen2");
    lm_tensors t = {0};
    pp_rng rng = pp_rng_make(1, 1);
    c.biases = PP_LM_KIND_BIT(PP_LM_Q_BIAS) | PP_LM_KIND_BIT(PP_LM_K_BIAS) | PP_LM_KIND_BIT(PP_LM_V_BIAS);
    char *json = lm_llama_json(&c, "\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4.0,"
                                   "\"original_max_position_embeddings\":64},\"use_sliding_window\":true,"
                                   "\"sliding_window\":5,\"max_window_layers\":1,");
    lm_llama_tensors(&t, &c, PP_DTYPE_F16, "model.");
    lm_write("lm_damage", json, &t, 2);
    for (size_t f = 0; f < 3; f++) {
        pp_file *map = NULL;
        assert_ok(pp_file_map(&map, files[f]));
        uint8_t *good = malloc(map->size);
        const size_t size = map->size;
        memcpy(good, map->data, size);
        pp_file_unmap(map);
        for (int i = 0; i < 150; i++) {
            damage(files[f], good, f == 2 ? 1200 : size, &rng); /* the header of the shard, which is then short */
            run_if_it_opens("lm_damage");
        }
        write_file(files[f], good, size);
        free(good);
    }
    opened = 0;
    run_if_it_opens("lm_damage");
    assert_int_equal(opened, 1);
    lm_tensors_free(&t);
    free(json);
}

static void damaged_llama2_c_headers(void **state)
{
    (void)state;
    uint8_t good[6000] = {0};
    static const int32_t sizes[7] = {8, 12, 1, 2, 1, 5, 16};
    pp_rng rng = pp_rng_make(2, 2);
    memcpy(good, sizes, sizeof sizes);
    opened = 0;
    for (int i = 0; i < 600; i++) {
        uint8_t copy[6000];
        memcpy(copy, good, sizeof copy);
        if (i % 2) {
            memcpy(copy, "24ka\1\0\0\0", 8);
            memcpy(copy + 8, sizes, sizeof sizes);
            copy[4] = (uint8_t)(1 + i % 4 / 2);
            copy[37] = 4;
        }
        for (uint32_t k = pp_rng_below(&rng, 3); k-- > 0;)
            copy[pp_rng_below(&rng, 42)] = (uint8_t)pp_rng_below(&rng, 256);
        write_file("damage.bin", copy, i % 3 ? 1000 + pp_rng_below(&rng, 5000) : i % 2 ? 2592 : 2460);
        run_if_it_opens("damage.bin");
    }
    assert_true(opened > 20); /* those without damage */
}

static void damaged_tokenizers(void **state)
{
    (void)state;
    static const char json[] =
        "{\"added_tokens\":[{\"id\":9,\"content\":\"<s>\"}],\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":["
        "{\"type\":\"Prepend\",\"prepend\":\"\xe2\x96\x81\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},"
        "\"content\":\"\xe2\x96\x81\"}]},\"pre_tokenizer\":{\"type\":\"Digits\",\"individual_digits\":true},\"model\":{"
        "\"type\":\"BPE\",\"unk_token\":\"u\",\"fuse_unk\":true,\"vocab\":{\"u\":0,\"a\":1,\"b\":2,\"ab\":3,"
        "\"\xe2\x96\x81\":4,\"\xe2\x96\x81" "ab\":5},\"merges\":[\"a b\",[\"\xe2\x96\x81\",\"ab\"]]}}";
    pp_rng rng = pp_rng_make(3, 3);
    for (int i = 0; i < 400; i++) {
        pp_tokenizer *t = NULL;
        pp_tokens tokens;
        char *text = NULL;
        damage("damage.json", (const uint8_t *)json, strlen(json), &rng);
        if (pp_tokenizer_open(&t, "damage.json") != PP_OK) {
            assert_true(strlen(pp_error_text()) > 0);
            continue;
        }
        if (pp_tokenizer_encode(t, &tokens, "ab<s>  12\xc3\xa9 ba\xff", 15) == PP_OK) {
            (void)pp_tokenizer_decode(t, &text, NULL, tokens.ids, tokens.n);
            pp_tokens_free(&tokens);
        }
        free(text);
        pp_tokenizer_free(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_configurations_and_indices),
        cmocka_unit_test(damaged_llama2_c_headers),
        cmocka_unit_test(damaged_tokenizers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

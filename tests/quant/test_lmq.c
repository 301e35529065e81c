/* Quantized language models: rotations leave every architecture's logits alone; folders read back to the bit;
 * a killed run goes on where it stopped. */
#include "../workloads/test_lm_models.h"

#include "quant/lmq_internal.h"

#include <sys/stat.h>
#include <unistd.h>

enum { TOKENS = 600 };

static void fill(uint32_t *tokens, uint32_t vocab)
{
    pp_rng rng = pp_rng_make(3, 3);
    for (uint32_t i = 0; i < TOKENS; i++)
        tokens[i] = pp_rng_below(&rng, vocab);
}

static pp_lmq_options small_options(int method)
{
    pp_lmq_options o = pp_lmq_defaults();
    o.method = method;
    o.learn.steps = 4;
    o.window = 32;
    o.calib_windows = 8;
    return o;
}

static double invariance(const char *model, int method)
{
    pp_lm *lm = NULL;
    pp_lmq *q = NULL;
    pp_lmq_calib *calib = NULL;
    uint32_t tokens[TOKENS];
    double error;
    const pp_lmq_options o = small_options(method);
    assert_ok(pp_lm_open(&lm, model));
    fill(tokens, pp_lm_config_of(lm)->vocab);
    assert_ok(pp_lmq_calibrate(&calib, lm, &o, tokens, TOKENS, NULL, NULL));
    assert_ok(pp_lmq_new(&q, lm, &o, calib, NULL, NULL));
    assert_ok(pp_lmq_invariance(q, tokens, 24, NULL, &error));
    pp_lmq_free(q);
    pp_lmq_calib_free(calib);
    pp_lm_close(lm);
    return error;
}

static void check_invariance(const char *what, const char *model)
{
    for (int method = PP_LMQ_RTN; method <= PP_LMQ_KURTAIL; method++) {
        const double error = invariance(model, method);
        if (!(error < 2e-5))
            fail_msg("%s, method %d: logits move by %g", what, method, error);
    }
}

static void llama(const char *what, const pp_lm_config *c, const char *more)
{
    lm_tensors t = {0};
    char *json = lm_llama_json(c, more);
    lm_llama_tensors(&t, c, PP_DTYPE_F32, "model.");
    lm_write("lmq_variant", json, &t, 1);
    check_invariance(what, "lmq_variant");
    lm_tensors_free(&t);
    free(json);
}

static void rotations_change_no_llama(void **state)
{
    (void)state;
    pp_lm_config c = small_llama("llama");
    llama("grouped heads", &c, "");
    c.tied = true;
    llama("tied", &c, "");
    c = small_llama("llama");
    c.kv_heads = 1;
    c.head_dim = c.rope.rotary_dim = 10; /* no Hadamard matrix of 10 */
    llama("one KV head of 10", &c, "");
}

static void rotations_change_no_biases_and_norms(void **state)
{
    (void)state;
    const uint32_t qkv = PP_LM_KIND_BIT(PP_LM_Q_BIAS) | PP_LM_KIND_BIT(PP_LM_K_BIAS) | PP_LM_KIND_BIT(PP_LM_V_BIAS);
    pp_lm_config c = small_llama("qwen2");
    c.biases = qkv;
    llama("q, k, v biases", &c, "");
    c = small_llama("qwen3");
    c.qk_norm = true;
    llama("q and k norms", &c, "");
    c = small_llama("llama");
    c.biases = qkv | PP_LM_KIND_BIT(PP_LM_O_BIAS) | PP_LM_KIND_BIT(PP_LM_GATE_BIAS) | PP_LM_KIND_BIT(PP_LM_UP_BIAS) |
               PP_LM_KIND_BIT(PP_LM_DOWN_BIAS);
    llama("all biases", &c, "\"attention_bias\":true,\"mlp_bias\":true,");
}

static void rotations_change_no_layer_norm_model(void **state)
{
    (void)state;
    lm_tensors t = {0};
    const pp_lm_config c = small_gpt2();
    char *json = lm_gpt2_json(&c);
    lm_gpt2_tensors(&t, &c, PP_DTYPE_F32);
    lm_write("lmq_gpt2", json, &t, 1);
    check_invariance("gpt2", "lmq_gpt2");
    lm_tensors_free(&t);
    free(json);
}

/* ---- folders ---- */

static double nll(const pp_lmq *q, const uint32_t *tokens)
{
    pp_lm_exec *exec = NULL;
    pp_lm_eval e;
    const pp_lm_source source = pp_lmq_source(q);
    const pp_lm_hooks hooks = pp_lmq_hooks(q);
    const pp_lm_eval_options o = {.window = 32};
    assert_ok(pp_lm_exec_new(&exec, pp_lmq_config(q), &source, &hooks, NULL));
    assert_ok(pp_lm_evaluate(&e, exec, tokens, NULL, 128, &o));
    pp_lm_exec_free(exec);
    return e.nll;
}

static void remove_folder(const char *dir)
{
    static const char *const names[] = {"settings.json", "quant.json", "rotations.safetensors"};
    char path[256];
    for (unsigned i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        (void)remove(path);
    }
    for (unsigned i = 0; i < 20; i++) {
        snprintf(path, sizeof path, "%s/layer-%05u.safetensors", dir, i);
        (void)remove(path);
        snprintf(path, sizeof path, "%s/tables-%05u.safetensors", dir, i);
        (void)remove(path);
    }
    (void)rmdir(dir);
}

/* Shape and widths of a folder without its weights. */
static void folder_is_known(const char *dir, const pp_lm *lm)
{
    pp_lm_config c;
    pp_lm *wrong = NULL;
    uint32_t w = 0, a = 0, kv = 0;
    bool weights = false;
    assert_true(pp_lm_is_known(dir));
    assert_ok(pp_lm_find(&c, &weights, dir));
    assert_true(weights);
    assert_true(pp_lm_linear_macs(&c) == pp_lm_linear_macs(pp_lm_config_of(lm)));
    assert_int_equal(c.kv_heads, pp_lm_config_of(lm)->kv_heads);
    assert_ok(pp_lmq_bits(dir, &w, &a, &kv, NULL));
    assert_true(w == 4 && a == 4 && kv == 4);
    assert_int_equal(pp_lm_open(&wrong, dir), PP_EUNSUPPORTED);
}

static void folder_equals_memory(const pp_lmq_options *o)
{
    pp_lm *lm = NULL;
    pp_lmq *memory = NULL, *written = NULL, *read = NULL;
    pp_lmq_calib *calib = NULL;
    uint32_t tokens[TOKENS];
    struct stat before, after;
    assert_ok(pp_lm_open(&lm, "bytellama-odd"));
    fill(tokens, 128);
    remove_folder("lmq_folder");
    assert_ok(pp_lmq_calibrate(&calib, lm, o, tokens, TOKENS, NULL, NULL));
    assert_ok(pp_lmq_new(&memory, lm, o, calib, NULL, NULL));
    assert_ok(pp_lmq_quantize(memory, tokens, TOKENS, NULL, false, NULL));
    assert_ok(pp_lmq_new(&written, lm, o, calib, NULL, NULL));
    assert_ok(pp_lmq_quantize(written, tokens, TOKENS, "lmq_folder", false, NULL));
    assert_true(pp_lmq_is_folder("lmq_folder"));
    folder_is_known("lmq_folder", lm);
    assert_ok(pp_lmq_open(&read, "lmq_folder", NULL));
    assert_true(nll(memory, tokens) == nll(read, tokens));
    assert_int_equal(pp_lmq_quantize(written, tokens, TOKENS, "lmq_folder", false, NULL), PP_EEXIST);
    pp_lmq_free(read);
    pp_lmq_free(written);
    /* A kill after three layers: the three stay as they are, the rest is made, and all equals the whole run. */
    assert_int_equal(remove("lmq_folder/quant.json"), 0);
    assert_int_equal(remove("lmq_folder/layer-00003.safetensors"), 0);
    assert_int_equal(stat("lmq_folder/layer-00002.safetensors", &before), 0);
    assert_int_equal(pp_lmq_open(&read, "lmq_folder", NULL), PP_ENOTFOUND);
    pp_lm_config unfinished;
    assert_int_equal(pp_lm_find(&unfinished, NULL, "lmq_folder"), PP_ENOTFOUND);
    pp_lmq_options again = *o;
    again.resume = "lmq_folder";
    assert_ok(pp_lmq_new(&written, lm, &again, calib, NULL, NULL));
    assert_ok(pp_lmq_quantize(written, tokens, TOKENS, "lmq_folder", false, NULL));
    assert_int_equal(stat("lmq_folder/layer-00002.safetensors", &after), 0);
    assert_true(before.st_ino == after.st_ino && before.st_mtime == after.st_mtime);
    assert_ok(pp_lmq_open(&read, "lmq_folder", NULL));
    assert_true(nll(memory, tokens) == nll(read, tokens));
    pp_lmq_free(read);
    pp_lmq_free(written);
    pp_lmq_free(memory);
    pp_lmq_calib_free(calib);
    pp_lm_close(lm);
    remove_folder("lmq_folder");
}

static void folders_read_back_and_go_on(void **state)
{
    (void)state;
    pp_lmq_options o = small_options(PP_LMQ_KURTAIL);
    folder_equals_memory(&o);
    o = small_options(PP_LMQ_QUAROT);
    o.gptq = true;
    o.wgroup = 64;
    folder_equals_memory(&o);
    o = small_options(PP_LMQ_RTN);
    o.format = "mxfp4";
    o.act_static = true;
    folder_equals_memory(&o);
}

/* The calibration's sample and R1 of a run that did not finish: taken when all is the same, and only then. */
static void what_is_kept_is_taken(void **state)
{
    (void)state;
    char dir[] = "/tmp/pp_keep_XXXXXX", command[64];
    uint32_t tokens[TOKENS];
    pp_lm *lm = NULL;
    pp_lmq_calib *first = NULL, *again = NULL;
    pp_lmq *q[3] = {0};
    bool kept, taken;
    pp_lmq_options o = small_options(PP_LMQ_KURTAIL);
    assert_non_null(mkdtemp(dir));
    assert_ok(pp_lm_open(&lm, "bytellama-odd"));
    fill(tokens, 128);
    assert_ok(pp_lmq_calibrate_in(&first, &kept, lm, &o, tokens, TOKENS, dir, NULL, NULL));
    assert_false(kept);
    assert_ok(pp_lmq_calibrate_in(&again, &kept, lm, &o, tokens, TOKENS, dir, NULL, NULL));
    assert_true(kept && again->text == first->text && again->rows == first->rows);
    for (unsigned p = 0; p < PP_LMQ_PLACES; p++)
        assert_memory_equal(first->place[p], again->place[p], (p == 3 ? first->down_rows : first->rows) * 192 * sizeof(float));
    pp_lmq_calib_free(again);
    tokens[5] ^= 1;
    assert_ok(pp_lmq_calibrate_in(&again, &kept, lm, &o, tokens, TOKENS, dir, NULL, NULL));
    assert_false(kept);
    pp_lmq_calib_free(again);
    o.resume = dir;
    assert_ok(pp_lmq_new(&q[0], lm, &o, first, NULL, NULL));
    pp_lmq_keep_r1_(q[0]); /* forgotten when all rotations were written: as if it had been killed before */
    assert_ok(pp_lmq_new(&q[1], lm, &o, first, NULL, NULL));
    pp_rotation_free(q[1]->r1);
    q[1]->r1 = NULL;
    assert_ok(pp_lmq_kept_r1_(q[1], &taken));
    assert_false(taken); /* forgotten again */
    pp_lmq_keep_r1_(q[0]);
    assert_ok(pp_lmq_kept_r1_(q[1], &taken));
    assert_true(taken);
    float *a, *b;
    assert_ok(pp_rotation_to_dense(q[0]->r1, &a));
    assert_ok(pp_rotation_to_dense(q[1]->r1, &b));
    assert_memory_equal(a, b, 192 * 192 * sizeof *a);
    o.seed = 99;
    q[1]->o.seed = 99;
    assert_ok(pp_lmq_kept_r1_(q[1], &taken));
    assert_false(taken);
    free(a);
    free(b);
    pp_lmq_free(q[0]);
    pp_lmq_free(q[1]);
    pp_lmq_calib_free(first);
    pp_lm_close(lm);
    snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

/* ---- options ---- */

static void settings_that_cannot_be_are_refused(void **state)
{
    (void)state;
    pp_lm *lm = NULL;
    pp_lmq *q = NULL;
    pp_lmq_calib *calib = NULL;
    uint32_t one = 1;
    pp_lmq_options o = small_options(PP_LMQ_KURTAIL);
    assert_ok(pp_lm_open(&lm, "bytellama-odd"));
    assert_int_equal(pp_lmq_calibrate(&calib, lm, &o, &one, 0, NULL, NULL), PP_EINVAL);
    assert_non_null(strstr(pp_error_text(), "empty"));
    assert_int_equal(pp_lmq_new(&q, lm, &o, NULL, NULL, NULL), PP_EINVAL);
    o.method = PP_LMQ_QUAROT;
    o.smooth = 0.5;
    assert_int_equal(pp_lmq_new(&q, lm, &o, NULL, NULL, NULL), PP_EINVAL);
    o.smooth = 0;
    o.wbits = 9;
    assert_int_equal(pp_lmq_new(&q, lm, &o, NULL, NULL, NULL), PP_ERANGE);
    o.wbits = 4;
    o.format = "int9";
    assert_int_equal(pp_lmq_new(&q, lm, &o, NULL, NULL, NULL), PP_ENOTFOUND);
    assert_null(q);
    pp_lm_close(lm);
}

static void smoothing_and_no_online_rotation_keep_the_logits(void **state)
{
    (void)state;
    pp_lm *lm = NULL;
    pp_lmq_calib *calib = NULL;
    uint32_t tokens[TOKENS];
    pp_lmq_options o = small_options(PP_LMQ_RTN);
    assert_ok(pp_lm_open(&lm, "bytellama-odd"));
    fill(tokens, 128);
    assert_ok(pp_lmq_calibrate(&calib, lm, &o, tokens, TOKENS, NULL, NULL));
    for (unsigned i = 0; i < 2; i++) {
        pp_lmq *q = NULL;
        double error;
        o.method = i == 0 ? PP_LMQ_RTN : PP_LMQ_QUAROT;
        o.smooth = i == 0 ? 0.5 : 0;
        o.online = i == 0;
        assert_ok(pp_lmq_new(&q, lm, &o, calib, NULL, NULL));
        assert_ok(pp_lmq_invariance(q, tokens, 24, NULL, &error));
        assert_true(error < 2e-5);
        if (i == 1) {
            size_t n;
            assert_ok(pp_lmq_quantize(q, tokens, TOKENS, NULL, false, NULL));
            assert_string_equal(pp_lmq_online(q, 4), "");
            assert_int_equal(pp_lmq_layers(q, &n)[6].bits, 8); /* down_proj */
            assert_int_equal(pp_lmq_layers(q, &n)[0].bits, 4);
        }
        pp_lmq_free(q);
    }
    pp_lmq_calib_free(calib);
    pp_lm_close(lm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rotations_change_no_llama),
        cmocka_unit_test(rotations_change_no_biases_and_norms),
        cmocka_unit_test(rotations_change_no_layer_norm_model),
        cmocka_unit_test(folders_read_back_and_go_on),   cmocka_unit_test(what_is_kept_is_taken),
        cmocka_unit_test(settings_that_cannot_be_are_refused),
        cmocka_unit_test(smoothing_and_no_online_rotation_keep_the_logits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Language models of the zoo: logits and bits per byte against what the training framework gave. */
#include "test_workloads.h"

#include "workloads/blas.h"
#include "workloads/lm_internal.h"

#include <math.h>

static uint32_t *tokens_of(const char *file, size_t *n)
{
    char *path = NULL;
    pp_file *map = NULL;
    assert_ok(pp_zoo_path(&path, file));
    assert_ok(pp_file_map(&map, path));
    uint32_t *tokens = malloc(map->size * sizeof *tokens);
    assert_non_null(tokens);
    for (size_t i = 0; i < map->size; i++)
        tokens[i] = map->data[i];
    *n = map->size;
    pp_file_unmap(map);
    free(path);
    return tokens;
}

static void compare_logits(const float *logits, const char *path, size_t rows)
{
    pp_file *map = NULL;
    double worst = 0;
    assert_ok(pp_file_map(&map, path));
    assert_true(map->size >= rows * 256 * sizeof(float));
    for (size_t i = 0; i < rows * 256; i++) {
        float want;
        memcpy(&want, map->data + i * sizeof want, sizeof want);
        worst = fmax(worst, fabs((double)(want - logits[i])));
    }
    pp_file_unmap(map);
    if (!(worst < 2e-4))
        fail_msg("%s: logits differ by %g", path, worst);
}

static void logits_equal(const char *model)
{
    pp_lm *lm = NULL;
    pp_lm_exec *exec = NULL;
    size_t n;
    uint32_t *tokens = tokens_of("text-valid.txt", &n);
    float *logits = malloc(256 * 256 * sizeof *logits);
    const pp_lm_window w = {0, 0, 256};
    const pp_lm_batch batch = {tokens, &w, 1, 256};
    assert_ok(pp_lm_open(&lm, model));
    const pp_lm_source source = pp_lm_source_of(lm);
    assert_ok(pp_lm_exec_new(&exec, pp_lm_config_of(lm), &source, NULL, NULL));
    assert_ok(pp_lm_exec_logits(exec, &batch, logits));
    char *path = pp_path_join(pp_lm_folder(lm), "logits.f32");
    compare_logits(logits, path, 64);
    free(path);
    path = pp_strf("%s/data/%s.logits.f32", PP_TEST_SHARED_DIR, model);
    if (pp_file_exists(path))
        compare_logits(logits, path, 256);
    else
        print_message("%s is absent: only the first 64 rows of logits were compared\n", path);
    free(path);
    free(logits);
    free(tokens);
    pp_lm_exec_free(exec);
    pp_lm_close(lm);
}

static void logits_equal_those_of_the_training_framework(void **state)
{
    (void)state;
    logits_equal("bytellama-7m");
    logits_equal("bytellama-odd");
}

static pp_lm_eval evaluate(const char *model, const uint32_t *tokens, size_t n, unsigned threads,
                           const pp_lm_exec_options *base, const pp_lm_eval_options *options)
{
    pp_lm *lm = NULL;
    pp_lm_exec *exec = NULL;
    pp_lm_eval e;
    pp_lm_exec_options o = *base;
    assert_ok(pp_pool_new(&o.pool, threads));
    assert_ok(pp_lm_open(&lm, model));
    const pp_lm_source source = pp_lm_source_of(lm);
    assert_ok(pp_lm_exec_new(&exec, pp_lm_config_of(lm), &source, NULL, &o));
    assert_ok(pp_lm_evaluate(&e, exec, tokens, NULL, n, options));
    pp_lm_exec_free(exec);
    pp_lm_close(lm);
    pp_pool_free(o.pool);
    return e;
}

/* The whole text is evaluated by bench/bench_lm; here its first windows, for any number of threads, with
 * all weights in memory and with a layer at a time. */
static void bits_per_byte_do_not_depend_on_threads_or_memory(void **state)
{
    (void)state;
    size_t n;
    uint32_t *tokens = tokens_of("text-valid.txt", &n);
    const pp_lm_exec_options all = {0}, tight = {.weight_bytes = 1};
    const pp_lm_eval_options one_batch = {0}, small = {.hidden_bytes = 1200 * 192 * 8};
    const pp_lm_eval a = evaluate("bytellama-odd", tokens, 5 * 512 + 100, 1, &all, &one_batch);
    const pp_lm_eval b = evaluate("bytellama-odd", tokens, 5 * 512 + 100, 3, &tight, &small);
    assert_int_equal(a.scored_tokens, 5 * 511 + 99);
    assert_int_equal(a.scored_bytes, a.scored_tokens);
    assert_true(a.nll == b.nll);
    assert_true(a.bits_per_byte > 1.4 && a.bits_per_byte < 2.0);
    assert_true(fabs(log2(a.perplexity) - a.bits_per_byte) < 1e-12);
    free(tokens);
}

/* Levels above that of this processor cannot run. */
static void vectors_of_any_width_give_the_same_bits(void **state)
{
    (void)state;
    pp_rng rng = pp_rng_make(8, 8);
    for (pp_cpu level = PP_CPU_AVX2; level <= pp_cpu_level(); level++) {
        for (uint32_t n = 1; n < 80; n++) {
            float a[80], b[80], gate[80];
            for (uint32_t i = 0; i < n; i++) {
                a[i] = b[i] = (float)(10 * pp_rng_normal(&rng));
                gate[i] = (float)(10 * pp_rng_normal(&rng));
            }
            const pp_lm_simd *plain = pp_lm_simd_(PP_CPU_PLAIN), *wide = pp_lm_simd_(level);
            plain->activate(n % PP_LM_ACT_COUNT, n % 3 ? gate : NULL, a, n);
            wide->activate(n % PP_LM_ACT_COUNT, n % 3 ? gate : NULL, b, n);
            assert_memory_equal(a, b, n * sizeof *a);
            plain->softmax(a, n, 0.3f);
            wide->softmax(b, n, 0.3f);
            assert_memory_equal(a, b, n * sizeof *a);
        }
    }
}

static void softmax_and_activations_follow_their_definitions(void **state)
{
    (void)state;
    const pp_lm_simd *simd = pp_lm_simd_(pp_cpu_level());
    for (int i = -3000; i <= 3000; i++) {
        const double x = i / 25.0, u = sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x);
        float silu = (float)x, gelu = (float)x, new = (float)x, pair[2] = {(float)x, 0};
        simd->activate(PP_LM_ACT_SILU, NULL, &silu, 1);
        simd->activate(PP_LM_ACT_GELU, NULL, &gelu, 1);
        simd->activate(PP_LM_ACT_GELU_TANH, NULL, &new, 1);
        simd->softmax(pair, 2, 1);
        assert_true(fabs((double)silu - x / (1 + exp(-x))) < 1e-6 * (1 + fabs(x)));
        assert_true(fabs((double)gelu - x / 2 * (1 + erf(x / sqrt(2)))) < 1e-6 * (1 + fabs(x)));
        assert_true(fabs((double)new - x / 2 * (1 + tanh(u))) < 1e-6 * (1 + fabs(x)));
        assert_true(fabs((double)pair[0] - 1 / (1 + exp(-x))) < 1e-6);
    }
}

/* A library that does not know the processor would run at a fifth of its speed. */
static void blas_uses_kernels_of_this_processor(void **state)
{
    (void)state;
    const char *name = pp_blas_prepare();
    assert_ptr_equal(name, pp_blas_prepare());
    if (pp_cpu_level() > PP_CPU_PLAIN && !getenv("OPENBLAS_CORETYPE"))
        assert_string_not_equal(name, "Prescott");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_equal_those_of_the_training_framework),
        cmocka_unit_test(vectors_of_any_width_give_the_same_bits),
        cmocka_unit_test(softmax_and_activations_follow_their_definitions),
        cmocka_unit_test(blas_uses_kernels_of_this_processor),
        cmocka_unit_test(bits_per_byte_do_not_depend_on_threads_or_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

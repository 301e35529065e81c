/* Language models of the zoo: logits and bits per byte against what the training framework gave. */
#include "test_workloads.h"

#include "workloads/lm.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_equal_those_of_the_training_framework),
        cmocka_unit_test(bits_per_byte_do_not_depend_on_threads_or_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

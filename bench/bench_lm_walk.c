/* Reads all weights of a model, a tensor at a time, then runs one window with a layer in memory at a time;
 * prints rates and the peak of resident memory, beside the size of the weights.
 *
 * usage: pp_bench_lm_walk MODEL [TOKENS]   (make one: workloads/training/make_llama_shape.py) */
#include "workloads/lm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static pp_status walk(const pp_lm *lm)
{
    pp_progress progress;
    const double begin = pp_clock_s();
    pp_progress_begin(&progress, "reading", pp_lm_config_of(lm)->layers + 1);
    pp_status status = pp_lm_check(lm, &progress);
    pp_progress_end(&progress);
    PP_TRY(status);
    const double seconds = pp_clock_s() - begin;
    const double billion = 1e-9 * (double)pp_lm_parameters(pp_lm_config_of(lm));
    printf("%s: %.3f billion parameters read in %.1f s, %.2f billion/s, peak %.0f MiB\n", pp_lm_config_of(lm)->name,
           billion, seconds, billion / seconds, pp_peak_rss_mb());
    return PP_OK;
}

static pp_status evaluate(const pp_lm *lm, pp_pool *pool, uint32_t n)
{
    const pp_lm_exec_options options = {.pool = pool, .weight_bytes = 1};
    const pp_lm_source source = pp_lm_source_of(lm);
    pp_lm_exec *exec = NULL;
    pp_progress progress;
    pp_lm_eval e;
    uint32_t *tokens = pp_alloc(n, sizeof *tokens);
    pp_rng rng = pp_rng_make(1, 1);
    for (uint32_t i = 0; tokens && i < n; i++)
        tokens[i] = pp_rng_below(&rng, pp_lm_config_of(lm)->vocab);
    pp_status status = tokens ? PP_OK : PP_ENOMEM;
    if (status == PP_OK)
        status = pp_lm_exec_new(&exec, pp_lm_config_of(lm), &source, NULL, &options);
    const double begin = pp_clock_s();
    pp_progress_begin(&progress, "layers", (size_t)pp_lm_config_of(lm)->layers * ((n + 511) / 512));
    const pp_lm_eval_options eval = {.progress = &progress};
    if (status == PP_OK)
        status = pp_lm_evaluate(&e, exec, tokens, NULL, n, &eval);
    pp_progress_end(&progress);
    if (status == PP_OK)
        printf("%u tokens in %.1f s, a layer at a time, peak %.0f MiB\n", n, pp_clock_s() - begin, pp_peak_rss_mb());
    pp_lm_exec_free(exec);
    free(tokens);
    return status;
}

static pp_status run(const char *model, uint32_t n)
{
    pp_lm *lm = NULL;
    pp_pool *pool = NULL;
    pp_status status;
    PP_GOTO(done, status, pp_pool_new(&pool, pp_cpu_count()));
    PP_GOTO(done, status, pp_lm_open(&lm, model));
    PP_GOTO(done, status, walk(lm));
    status = evaluate(lm, pool, n);
done:
    pp_lm_close(lm);
    pp_pool_free(pool);
    return status;
}

int main(int argc, char **argv)
{
    const char *model = argc > 1 ? argv[1] : "bytellama-7m";
    const uint32_t tokens = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 512;
    if (run(model, tokens) == PP_OK)
        return 0;
    fprintf(stderr, "pp_bench_lm_walk: %s\n", pp_error_text());
    return 1;
}

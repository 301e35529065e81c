/* Evaluation of a language model against the same number of floating-point operations in sgemm.
 *
 * Prints tokens per second of pp_lm_evaluate, and the time that OpenBLAS takes for the model's own linear
 * layers at the same window length on as many threads, in the same process; the ratio is what everything
 * else (attention, norms, softmax, head scoring) costs. Bits per byte come with it.
 *
 * usage: pp_bench_lm [MODEL [THREADS [TOKENS]]]   (bytellama-7m, all processors, the whole text) */
#include "workloads/blas.h"
#include "workloads/lm.h"
#include "workloads/workloads.h"

#include <cblas.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define WINDOW 512u

typedef struct products {
    const pp_lm_config *config;
    float *weights, *in, *out; /* in, out: for each worker */
    size_t width;
} products;

/* All linear layers on one window. */
static pp_status multiply(void *payload, size_t item, unsigned worker)
{
    const products *p = payload;
    (void)item;
    const float *in = p->in + worker * p->width * WINDOW;
    float *out = p->out + worker * p->width * WINDOW;
    for (uint32_t l = 0; l <= p->config->layers; l++) {
        for (pp_lm_kind k = 0; k < PP_LM_KIND_COUNT; k++) {
            uint64_t rows, cols;
            if (!pp_lm_is_linear(k) || pp_lm_is_global(k) != (l == p->config->layers) ||
                !pp_lm_dims(p->config, k, &rows, &cols))
                continue;
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, WINDOW, (blasint)rows, (blasint)cols, 1, in,
                        (blasint)cols, p->weights, (blasint)cols, 0, out, (blasint)rows);
        }
    }
    return PP_OK;
}

static pp_status time_products(const pp_lm_config *c, pp_pool *pool, size_t windows, double *seconds)
{
    products p = {.config = c};
    p.width = c->hidden > c->ffn ? c->hidden : c->ffn;
    p.width = p.width > c->vocab ? p.width : c->vocab;
    const size_t threads = pp_pool_threads(pool);
    p.weights = pp_alloc_aligned(p.width * p.width, sizeof *p.weights);
    p.in = pp_alloc_aligned(threads * p.width * WINDOW, sizeof *p.in);
    p.out = pp_alloc_aligned(threads * p.width * WINDOW, sizeof *p.out);
    pp_status status = p.weights && p.in && p.out ? PP_OK : PP_ENOMEM;
    if (status == PP_OK)
        status = pp_pool_run(pool, threads, multiply, &p); /* warm up */
    const double begin = pp_clock_s();
    if (status == PP_OK)
        status = pp_pool_run(pool, windows, multiply, &p);
    *seconds = pp_clock_s() - begin;
    free(p.weights);
    free(p.in);
    free(p.out);
    return status;
}

static pp_status read_bytes(uint32_t **tokens, size_t *n)
{
    char *path = NULL;
    pp_file *map = NULL;
    PP_TRY(pp_zoo_path(&path, "text-valid.txt"));
    pp_status status = pp_file_map(&map, path);
    free(path);
    PP_TRY(status);
    *n = map->size;
    *tokens = pp_alloc(map->size, sizeof **tokens);
    for (size_t i = 0; *tokens && i < map->size; i++)
        (*tokens)[i] = map->data[i];
    pp_file_unmap(map);
    return *tokens ? PP_OK : PP_ENOMEM;
}

static pp_status run(const char *model, unsigned threads, size_t limit)
{
    pp_lm *lm = NULL;
    pp_lm_exec *exec = NULL;
    uint32_t *tokens = NULL;
    size_t n = 0;
    double blas_s = 0;
    pp_lm_eval e;
    pp_lm_exec_options o = {0};
    pp_status status;
    PP_GOTO(done, status, pp_pool_new(&o.pool, threads));
    PP_GOTO(done, status, pp_lm_open(&lm, model));
    PP_GOTO(done, status, read_bytes(&tokens, &n));
    n = limit > 0 && limit < n ? limit : n;
    const pp_lm_source source = pp_lm_source_of(lm);
    PP_GOTO(done, status, pp_lm_exec_new(&exec, pp_lm_config_of(lm), &source, NULL, &o));
    PP_GOTO(done, status, pp_lm_evaluate(&e, exec, tokens, NULL, n < 1024 ? n : 1024, NULL)); /* loads weights */
    const double begin = pp_clock_s();
    PP_GOTO(done, status, pp_lm_evaluate(&e, exec, tokens, NULL, n, NULL));
    const double seconds = pp_clock_s() - begin;
    PP_GOTO(done, status, time_products(pp_lm_config_of(lm), o.pool, (n + WINDOW - 1) / WINDOW, &blas_s));
    printf("%s, %u threads: %zu tokens, %.4f bits per byte, perplexity %.4f\n", model, threads, n, e.bits_per_byte,
           e.perplexity);
    printf("evaluation %.2f s, %.0f tokens/s\n", seconds, (double)n / seconds);
    printf("sgemm (%s) of the linear layers alone %.2f s (%.1f GFLOP/s); ratio %.2f\n", pp_blas_prepare(), blas_s,
           2e-9 * (double)pp_lm_linear_macs(pp_lm_config_of(lm)) * (double)n / blas_s, seconds / blas_s);
done:
    free(tokens);
    pp_lm_exec_free(exec);
    pp_lm_close(lm);
    pp_pool_free(o.pool);
    return status;
}

int main(int argc, char **argv)
{
    const char *model = argc > 1 ? argv[1] : "bytellama-7m";
    const unsigned threads = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : pp_cpu_count();
    const size_t limit = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
    if (run(model, threads, limit) == PP_OK)
        return 0;
    fprintf(stderr, "pp_bench_lm: %s\n", pp_error_text());
    return 1;
}

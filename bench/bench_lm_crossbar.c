/* A language model on noisy crossbars against its float executor, in the same process.
 *
 * Prints tokens per second of pp_lm_evaluate with float weights, and through crossbars of 256 x 256 with 8-bit converters:
 * frozen PCM noise, and with read noise drawn in every read as well; the ratios; devices programmed a second.
 *
 * usage: pp_bench_lm_crossbar [MODEL [THREADS [TOKENS]]]   (bytellama-7m, all processors, 4096) */
#include "sim/lm_crossbar.h"
#include "workloads/tokenizer.h"
#include "workloads/workloads.h"

#include <stdio.h>
#include <stdlib.h>

#define WINDOW 512u

typedef struct bench {
    pp_lm *lm;
    pp_lmq *q;
    pp_pool *pool;
    pp_tokenizer *tokenizer;
    pp_tokens text;
    double float_rate;
} bench;

static pp_status time_text(bench *b, pp_lm_exec *exec, double *rate, double *bits)
{
    pp_lm_eval e;
    const pp_lm_eval_options o = {.window = WINDOW};
    PP_TRY(pp_lm_evaluate(&e, exec, b->text.ids, b->text.bytes, WINDOW, &o)); /* warm up: weights are loaded */
    const double begin = pp_clock_s();
    PP_TRY(pp_lm_evaluate(&e, exec, b->text.ids, b->text.bytes, b->text.n, &o));
    *rate = (double)b->text.n / (pp_clock_s() - begin);
    *bits = e.bits_per_byte;
    return PP_OK;
}

static pp_status time_float(bench *b)
{
    pp_lm_exec *exec = NULL;
    const pp_lm_source source = pp_lm_source_of(b->lm);
    const pp_lm_exec_options o = {.pool = b->pool};
    double bits;
    PP_TRY(pp_lm_exec_new(&exec, pp_lm_config_of(b->lm), &source, NULL, &o));
    const pp_status status = time_text(b, exec, &b->float_rate, &bits);
    pp_lm_exec_free(exec);
    if (status == PP_OK)
        printf("float executor             %8.0f tokens/s           %.4f bits per byte\n", b->float_rate, bits);
    return status;
}

static pp_status time_crossbars(bench *b, const char *what, int read)
{
    pp_lm_crossbars *x = NULL;
    pp_arch arch;
    pp_device device;
    pp_analog_counts counts;
    double rate = 0, bits = 0;
    const pp_device_options d = {.model = "aihwkit-pcm", .times_s = "25", .yield = 1, .verify_reads = 1, .program_poly = "",
                                 .nu_mean_poly = "", .nu_std_poly = "", .read_poly = ""};
    const pp_noise_options n = {.seeds = 1, .read = read, .compensation = "none", .compensation_reads = 64, .calib_images = 16};
    PP_TRY(pp_arch_from_preset(&arch, "none"));
    PP_TRY(pp_device_resolve(&device, &d));
    arch.rows = arch.cols = 256;
    arch.adc_bits = 8;
    arch.adc_range = PP_ADC_RANGE_PERCENTILE;
    arch.weight_scaling = PP_SCALE_COLUMN;
    const pp_lm_crossbars_input in = {.q = b->q, .arch = &arch, .device = &device, .noise = &n, .calib = b->text.ids,
                                      .n_calib = b->text.n, .window = WINDOW, .pool = b->pool};
    PP_TRY(pp_lm_crossbars_new(&x, &in));
    const double begin = pp_clock_s();
    pp_status status = pp_lm_crossbars_program(x, 7, 86420); /* at t0 for the reference, and after a day */
    const double programming_s = pp_clock_s() - begin;
    if (status == PP_OK)
        status = time_text(b, pp_lm_crossbars_exec(x), &rate, &bits);
    pp_lm_crossbars_count(x, &counts);
    pp_lm_crossbars_free(x);
    if (status == PP_OK)
        printf("%-26s %8.0f tokens/s  %5.2f x  %.4f bits per byte; %.2f million devices a second programmed\n", what, rate,
               rate / b->float_rate, bits, 2e-6 * (double)counts.devices / programming_s);
    return status;
}

static pp_status run(bench *b, const char *model, unsigned threads, size_t tokens)
{
    char *path = NULL;
    pp_lmq_options o = pp_lmq_defaults();
    o.method = PP_LMQ_QUAROT;
    PP_TRY(pp_pool_new(&b->pool, threads));
    PP_TRY(pp_lm_open(&b->lm, model));
    PP_TRY(pp_tokenizer_for(&b->tokenizer, b->lm));
    PP_TRY(pp_zoo_path(&path, "text-valid.txt"));
    const pp_status status = pp_tokenizer_encode_file(b->tokenizer, &b->text, path);
    free(path);
    PP_TRY(status);
    b->text.n = tokens < b->text.n ? tokens : b->text.n;
    PP_TRY(pp_lmq_new(&b->q, b->lm, &o, NULL, b->pool, NULL));
    PP_TRY(pp_lmq_quantize(b->q, b->text.ids, b->text.n, NULL, false, NULL));
    printf("%s, %u thread%s, %zu tokens in windows of %u\n", model, threads, threads == 1 ? "" : "s", b->text.n, WINDOW);
    PP_TRY(time_float(b));
    PP_TRY(time_crossbars(b, "crossbars, frozen noise", PP_READ_ACCUMULATED));
    return time_crossbars(b, "and noise in every read", PP_READ_BOTH);
}

int main(int argc, char **argv)
{
    bench b = {0};
    const unsigned threads = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : pp_cpu_count();
    const size_t tokens = argc > 3 ? strtoul(argv[3], NULL, 10) : 4096;
    const pp_status status = run(&b, argc > 1 ? argv[1] : "bytellama-7m", threads, tokens);
    if (status != PP_OK)
        fprintf(stderr, "pp_bench_lm_crossbar: %s\n", pp_error_text());
    pp_lmq_free(b.q);
    pp_tokens_free(&b.text);
    pp_tokenizer_free(b.tokenizer);
    pp_lm_close(b.lm);
    pp_pool_free(b.pool);
    return status == PP_OK ? 0 : 1;
}

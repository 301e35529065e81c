/* Noisy inference against the float matrix products of the same network in OpenBLAS, in the same process.
 *
 * usage: pp_bench_accuracy [IMAGES [SECTION]]   SECTION: networks, mvm, devices; all without it
 *
 * networks  ResNet-32 (trained) and ResNet-20 (random weights: speed alone) on 256 x 256 crossbars, float weights on PCM, 8-bit
 *           ADCs: images a second with frozen noise and with read noise drawn in every read as well, on one thread and two;
 *           sgemm of all layers (im2col not counted, 16 images a product, one BLAS thread a worker) beside it. The ratio is
 *           what inputs, converters, noise and the digital end cost.
 * mvm       reads of one 256 x 256 array with read noise, a second, one thread: two products, a normal number a column, ADC
 * devices   a million devices at 11 levels and 5 times: mean and variance against numerical integration */
#include "sim/crossbar_analog_internal.h"
#include "tests/sim/device_moments.h"

#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void openblas_set_num_threads(int n);

#define BATCH 16u

typedef struct setup {
    pp_network *net;
    pp_stages *stages;
    pp_dataset *calib, *data;
    pp_qnetwork *q;
    pp_arch arch;
    pp_mapping *m;
    pp_device device;
    pp_noise_options noise;
    float *random;
} setup;

static const pp_device_options pcm = {.model = "aihwkit-pcm", .times_s = "25", .program_poly = "", .nu_mean_poly = "",
                                      .nu_std_poly = "", .read_poly = "", .yield = 1, .verify_reads = 1};

/* Weights as a network starts with: good enough to be timed. */
static pp_status random_weights(setup *s)
{
    pp_rng r = pp_rng_make(1, 1);
    size_t total = 0, at = 0;
    for (uint32_t i = 0; i < s->net->n_ops; i++)
        total += s->net->ops[i].weight.ndim > 0 ? pp_tensor_count(&s->net->ops[i].weight) : 0;
    s->random = pp_calloc(total, sizeof *s->random);
    if (s->random == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < s->net->n_ops; i++) {
        pp_op *op = &s->net->ops[i];
        if (op->weight.ndim == 0)
            continue;
        const size_t n = pp_tensor_count(&op->weight), rows = n / op->out.c;
        op->weight.data = s->random + at;
        op->weight.dtype = PP_DTYPE_F32;
        for (size_t k = 0; k < n; k++)
            s->random[at++] = (float)(sqrt(2.0 / (double)rows) * pp_rng_normal(&r));
        op->bias.ndim = 0;
    }
    s->net->has_weights = true;
    return PP_OK;
}

static pp_status make(setup *s, const char *model)
{
    *s = (setup){0};
    PP_TRY(pp_model_open(&s->net, model));
    if (!s->net->has_weights)
        PP_TRY(random_weights(s));
    PP_TRY(pp_stages_build(&s->stages, s->net));
    PP_TRY(pp_dataset_open(&s->calib, "cifar10-calib", 32));
    PP_TRY(pp_dataset_open(&s->data, "cifar10-test-1000", 0));
    const pp_quant_options quant = {.wbits = 8, .abits = 8, .weights = PP_WQUANT_MAX, .activations = PP_AQUANT_MSE,
                                    .percentile = 99.99, .calib_images = 32, .calib = "", .psum_bits = 16};
    PP_TRY(pp_quantize(&s->q, s->net, s->stages, &quant, s->calib, NULL));
    PP_TRY(pp_arch_from_preset(&s->arch, "none"));
    s->arch.weights = PP_WEIGHTS_FLOAT;
    PP_TRY(pp_device_resolve(&s->device, &pcm));
    s->noise = (pp_noise_options){.seeds = 1, .compensation = "none", .compensation_reads = 16, .calib_images = 16};
    const pp_channel channel = {.lanes = 1, .lane_gbps = 5};
    const pp_map_options map = {.placement = "auto", .unroll = "none", .copies = "1", .buffers = "unlimited",
                                .reduction = PP_REDUCE_CHAIN};
    return pp_map_plan(&s->m, s->q, &s->arch, &channel, 0, &map);
}

static void unmake(setup *s)
{
    pp_mapping_free(s->m);
    pp_qnetwork_free(s->q);
    pp_stages_free(s->stages);
    pp_network_free(s->net);
    pp_dataset_free(s->data);
    pp_dataset_free(s->calib);
    free(s->random);
}

/* ---- the products alone ---- */

typedef struct products {
    const setup *s;
    float **in, *weight, *out; /* in: [worker] */
    size_t in_size, out_size;
} products;

static pp_status multiply(void *payload, size_t item, unsigned worker)
{
    const products *p = payload;
    (void)item;
    for (uint32_t i = 0; i < p->s->stages->n; i++) {
        const pp_stage *st = &p->s->stages->stage[i];
        if (st->matrix == PP_NONE)
            continue;
        const blasint m = (blasint)(BATCH * st->fire.h * st->fire.w), n = (blasint)st->fire.c, k = (blasint)p->s->q->stage[i].krows;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1, p->in[worker], k, p->weight, n, 0,
                    p->out + worker * p->out_size, n);
    }
    return PP_OK;
}

static pp_status products_rate(const setup *s, pp_pool *pool, uint32_t images, double *rate)
{
    const unsigned threads = pp_pool_threads(pool);
    products p = {.s = s};
    size_t weight = 1;
    for (uint32_t i = 0; i < s->stages->n; i++) {
        const pp_stage *st = &s->stages->stage[i];
        const size_t pixels = (size_t)BATCH * st->fire.h * st->fire.w, k = s->q->stage[i].krows;
        p.in_size = pixels * k > p.in_size ? pixels * k : p.in_size;
        p.out_size = pixels * st->fire.c > p.out_size ? pixels * st->fire.c : p.out_size;
        weight = k * st->fire.c > weight ? k * st->fire.c : weight;
    }
    p.in = pp_calloc(threads, sizeof *p.in);
    p.weight = pp_alloc_aligned(weight, sizeof *p.weight);
    p.out = pp_alloc_aligned(threads * p.out_size, sizeof *p.out);
    pp_status status = p.in && p.weight && p.out ? PP_OK : PP_ENOMEM;
    for (unsigned w = 0; w < threads && status == PP_OK; w++)
        status = (p.in[w] = pp_alloc_aligned(p.in_size, sizeof **p.in)) != NULL ? PP_OK : PP_ENOMEM;
    const size_t batches = (images + BATCH - 1) / BATCH;
    if (status == PP_OK)
        status = pp_pool_run(pool, threads, multiply, &p); /* warm up */
    const double begin = pp_clock_s();
    if (status == PP_OK)
        status = pp_pool_run(pool, batches, multiply, &p);
    *rate = (double)batches * BATCH / (pp_clock_s() - begin);
    for (unsigned w = 0; w < threads && p.in != NULL; w++)
        free(p.in[w]);
    free(p.in);
    free(p.weight);
    free(p.out);
    return status;
}

static pp_status noisy_rate(setup *s, pp_pool *pool, uint32_t images, int read, double *rate)
{
    pp_analog *x = NULL;
    float *logits = pp_calloc((size_t)images * s->data->classes, sizeof *logits);
    s->noise.read = read;
    pp_status status = logits != NULL ? PP_OK : PP_ENOMEM;
    if (status == PP_OK)
        status = pp_analog_new(&x, s->q, &s->arch, s->m, &s->device, &s->noise, s->calib, pool);
    if (status == PP_OK)
        status = pp_analog_run(x, pool, s->data, 0, 16, logits); /* warm up */
    const double begin = pp_clock_s();
    if (status == PP_OK)
        status = pp_analog_run(x, pool, s->data, 0, images, logits);
    *rate = images / (pp_clock_s() - begin);
    pp_analog_free(x);
    free(logits);
    return status;
}

static pp_status network(const char *model, uint32_t images)
{
    setup s;
    pp_status status = make(&s, model);
    for (unsigned threads = 1; threads <= 2 && status == PP_OK; threads++) {
        pp_pool *pool = NULL;
        double blas = 0, frozen = 0, read = 0, again = 0;
        status = pp_pool_new(&pool, threads);
        if (status == PP_OK)
            status = products_rate(&s, pool, images, &blas);
        if (status == PP_OK)
            status = noisy_rate(&s, pool, images, PP_READ_ACCUMULATED, &frozen);
        if (status == PP_OK)
            status = noisy_rate(&s, pool, images, PP_READ_BOTH, &read);
        if (status == PP_OK)
            status = products_rate(&s, pool, images, &again);
        if (status == PP_OK)
            printf("%-18s %u thread%s  sgemm %7.0f and %7.0f  frozen %7.0f (%.2f x)  with read noise %7.0f (%.2f x)  images/s\n",
                   model, threads, threads > 1 ? "s" : " ", blas, again, frozen, 2 * frozen / (blas + again), read,
                   2 * read / (blas + again));
        pp_pool_free(pool);
    }
    unmake(&s);
    return status;
}

/* ---- one array ---- */

static pp_status mvm(void)
{
    enum { R = 256, C = 256, ROUNDS = 4000 };
    const pp_akernel kernel = pp_akernel_choose();
    float *x = pp_alloc_aligned(PP_AGROUP * R, sizeof *x), *x2 = pp_alloc_aligned(PP_AGROUP * R, sizeof *x2);
    float *w = pp_alloc_aligned(R * C, sizeof *w), *s2 = pp_alloc_aligned(R * C, sizeof *s2);
    float *acc = pp_alloc_aligned(PP_AGROUP * C, sizeof *acc), *var = pp_alloc_aligned(PP_AGROUP * C, sizeof *var);
    float *z = pp_alloc_aligned(PP_AGROUP * C, sizeof *z), *one = pp_alloc_aligned(C, sizeof *one), *zero = pp_alloc_aligned(C, sizeof *zero);
    int32_t *psum = pp_alloc_aligned(PP_AGROUP * C, sizeof *psum);
    if (!x || !x2 || !w || !s2 || !acc || !var || !z || !one || !zero || !psum)
        return PP_ENOMEM;
    for (int i = 0; i < R * C; i++) {
        w[i] = (float)(i % 31 - 15);
        s2[i] = (float)(i % 5);
    }
    for (int i = 0; i < C; i++)
        one[i] = 0.01f;
    const pp_aconvert convert = {.inverse = one, .offset = zero, .gain = one, .extra = zero, .code_max = 127, .psum_low = -32768,
                                 .psum_high = 32767, .plane = 1, .padded = C};
    const uint32_t key[2] = {1, 2};
    uint32_t counter[4] = {0, 0, 0, 0};
    double begin = pp_clock_s();
    for (int n = 0; n < ROUNDS; n++) {
        counter[1] = (uint32_t)n;
        for (int i = 0; i < PP_AGROUP * R; i++) {
            x[i] = (float)((i * 7 + n) % 256);
            x2[i] = x[i] * x[i];
        }
        kernel.product(acc, x, w, R, C / PP_ALANES);
        kernel.product(var, x2, s2, R, C / PP_ALANES);
        kernel.normals(z, PP_AGROUP * C, key, counter);
        kernel.add_noise(acc, var, zero, z, C);
        kernel.convert(&convert, acc, psum, NULL);
    }
    printf("256 x 256 with read noise: %.0f MVM/s, one thread (check %d)\n", ROUNDS * PP_AGROUP / (pp_clock_s() - begin), psum[7] % 10);
    begin = pp_clock_s();
    for (int n = 0; n < 10 * ROUNDS; n++) {
        counter[1] = (uint32_t)n;
        kernel.normals(z, PP_AGROUP * C, key, counter);
    }
    printf("normal numbers: %.2f ns each\n", 1e9 * (pp_clock_s() - begin) / (10.0 * ROUNDS * PP_AGROUP * C));
    void *all[] = {x, x2, w, s2, acc, var, z, one, zero, psum};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    return PP_OK;
}

/* ---- devices ---- */

static double worst(double *total, double so_far, double got_mean, double got_square, const double *want)
{
    const double variance = want[1] - want[0] * want[0];
    const double e = fabs(got_mean / want[0] - 1), v = fabs((got_square - got_mean * got_mean) / variance - 1);
    *total = fmax(*total, e);
    return fmax(so_far, v);
}

static pp_status devices(void)
{
    enum { N = 1000000 };
    static const char *const models[] = {"aihwkit-pcm", "hermes", "hermes-1"};
    static const double times[] = {25, 3600, 86400, 2592000, 31536000};
    for (size_t m = 0; m < 3; m++) {
        pp_device_options o = pcm;
        pp_device d;
        double mean_off = 0, var_off = 0;
        o.model = models[m];
        PP_TRY(pp_device_resolve(&d, &o));
        for (size_t t = 0; t < 5; t++) {
            for (int level = 0; level <= 10; level++) {
                const double since = d.t0_s + times[t];
                const moments want = integrate(&d, level / 10.0, since);
                double p[2] = {0}, a[2] = {0}, r[2] = {0};
                for (uint32_t i = 0; i < N; i++) {
                    pp_device_state s;
                    pp_device_state_of(&s, &d, 1, (uint32_t)level, i, level / 10.0, since);
                    p[0] += s.programmed / N;
                    p[1] += s.programmed * s.programmed / N;
                    a[0] += s.drifted / N;
                    a[1] += s.drifted * s.drifted / N;
                    r[0] += s.read / N;
                    r[1] += s.read * s.read / N;
                }
                var_off = worst(&mean_off, var_off, p[0], p[1], want.programmed);
                var_off = worst(&mean_off, var_off, a[0], a[1], want.drifted);
                var_off = worst(&mean_off, var_off, r[0], r[1], want.read);
            }
        }
        printf("%-12s %d devices, 11 levels, 5 times: largest error of the mean %.3f %%, of the variance %.3f %%\n", models[m], N,
               100 * mean_off, 100 * var_off);
    }
    return PP_OK;
}

int main(int argc, char **argv)
{
    const uint32_t images = argc > 1 ? (uint32_t)atoi(argv[1]) : 256;
    const char *section = argc > 2 ? argv[2] : "";
    pp_status status = images >= 1 && images <= 1000 ? PP_OK : pp_fail(PP_EUSAGE, "usage: pp_bench_accuracy [IMAGES [SECTION]]");
    openblas_set_num_threads(1);
    if (status == PP_OK && (section[0] == 0 || strcmp(section, "mvm") == 0))
        status = mvm();
    if (status == PP_OK && (section[0] == 0 || strcmp(section, "networks") == 0))
        status = network("resnet32-cifar10", images);
    if (status == PP_OK && (section[0] == 0 || strcmp(section, "networks") == 0))
        status = network("resnet20", images);
    if (status == PP_OK && (section[0] == 0 || strcmp(section, "devices") == 0))
        status = devices();
    if (status != PP_OK)
        fprintf(stderr, "pp_bench_accuracy: %s\n", pp_error_text());
    return status != PP_OK;
}

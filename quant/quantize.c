/* Quantization, stage by stage in order: the inputs of a stage are those of the quantized network so far,
 * so that biases (and refined weights) answer to the errors made before. */
#include "base/term.h"
#include "quant/rotate_internal.h"
#include "quant/scale_stage.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* PAPER: gptq2022: error norm of the clip search. */
static const double clip_norm = 2.4;
/* Scale of a channel, as a share of the stage's coarsest, below which it counts as empty. */
static const double dead_share = 0x1p-16;

/* ---- weights ---- */

typedef struct weight_job {
    const float *weight;
    pp_qstage *stage;
    int method;
} weight_job;

static pp_status quantize_channel(void *payload, size_t c, unsigned worker)
{
    (void)worker;
    weight_job *j = payload;
    pp_qstage *s = j->stage;
    int method = j->method == PP_WQUANT_MAX ? PP_WQUANT_MAX : PP_WQUANT_MSE;
    s->w_scale[c] = pp_quantize_row(j->weight + c * s->krows, s->krows, s->wbits, method, clip_norm,
                                    s->code + c * s->krows);
    return PP_OK;
}

/* Channels (nearly) without weights keep a bias only. They take the coarsest scale of the stage (1 when
 * there is none), so that they cost the common shift of the multipliers no precision. Folded batch norms
 * leave such channels: two in the first layer of ResNet-32. */
static void fill_dead_scales(pp_qstage *s)
{
    double top = 0;
    for (uint32_t c = 0; c < s->cout; c++)
        top = fmax(top, s->w_scale[c]);
    for (uint32_t c = 0; c < s->cout; c++) {
        if (s->w_scale[c] > top * dead_share)
            continue;
        s->w_scale[c] = top > 0 ? top : 1;
        memset(s->code + (size_t)c * s->krows, 0, s->krows);
    }
}

static double decibel(double signal, double noise)
{
    return noise > 0 && signal > 0 ? 10 * log10(signal / noise) : noise > 0 ? 0 : 200;
}

static double weight_sqnr(const pp_qstage *s, const float *weight)
{
    double signal = 0, noise = 0;
    for (uint32_t c = 0; c < s->cout; c++) {
        for (size_t i = (size_t)c * s->krows; i < (size_t)(c + 1) * s->krows; i++) {
            double w = weight[i], e = w - s->code[i] * s->w_scale[c];
            signal += w * w;
            noise += e * e;
        }
    }
    return decibel(signal, noise);
}

static pp_status quantize_weights(pp_qrun *run, uint32_t stage, const float *weight)
{
    pp_qstage *s = &run->q->stage[stage];
    weight_job j = {.weight = weight, .stage = s, .method = run->q->options.weights};
    PP_TRY(pp_pool_run(run->pool, s->cout, quantize_channel, &j));
    fill_dead_scales(s);
    if (j.method == PP_WQUANT_OUTPUT)
        PP_TRY(pp_refine_stage(run, stage, weight));
    for (uint32_t c = 0; c < s->cout; c++)
        s->w_scale[c] = (double)(float)s->w_scale[c]; /* as the file keeps it */
    s->weight_sqnr_db = weight_sqnr(s, weight);
    return PP_OK;
}

/* ---- one pass over the calibration images ---- */

typedef struct pass {
    pp_qrun *run;
    uint32_t stage;
    const pp_qconv *conv;
    int32_t **acc;          /* [workers] */
    void **scratch;         /* [workers] */
    double **logits;        /* [workers], last stage only */
    int64_t *column;        /* [images][cout] sums of acc */
    int64_t *residual;      /* [images][cout] sums of residual codes */
    int64_t *most;          /* [images] largest |acc| */
    double *square;         /* [images] squares of acc */
    double *signal, *noise; /* [images] squares against float; of kept images */
} pass;

static const uint8_t *input_of(const pass *p, uint32_t k, size_t image)
{
    return p->run->stream[p->run->q->stages->stage[p->stage].inputs[k].stream][image];
}

/* First pass: what the raw sums are. */
static pp_status measure_image(void *payload, size_t image, unsigned worker)
{
    const pass *p = payload;
    const pp_qnetwork *q = p->run->q;
    const pp_stage *st = &q->stages->stage[p->stage];
    uint32_t cout = st->fire.c, k = pp_stage_residual(st);
    size_t pixels = (size_t)st->fire.h * st->fire.w;
    int32_t *acc = p->acc[worker];
    int64_t *column = p->column + image * cout, *residual = p->residual + image * cout, most = 0;
    double square = 0;
    pp_qconv_run(p->conv, input_of(p, 0, image), acc, p->scratch[worker]);
    const uint8_t *m = pp_qconv_factors(p->conv, p->scratch[worker]);
    const uint32_t groups = m ? pp_qgeom_of(q->net, st).groups : 1, cout_g = cout / groups;
    for (size_t i = 0; i < pixels; i++)
        for (uint32_t c = 0; c < cout; c++) {
            int64_t v = (int64_t)acc[i * cout + c] * (m ? m[i * groups + c / cout_g] : 1);
            column[c] += v;
            most = v > most ? v : -v > most ? -v : most;
            square += (double)v * (double)v;
        }
    p->most[image] = most;
    p->square[image] = square;
    if (k == PP_NONE)
        return PP_OK;
    int32_t zero = pp_format_zero(&q->stream[st->inputs[k].stream]);
    const uint8_t *codes = input_of(p, k, image);
    for (size_t i = 0; i < pixels; i++)
        for (uint32_t c = 0; c < cout; c++)
            residual[c] += codes[i * cout + c] - zero;
    return PP_OK;
}

static void compare(const pass *p, size_t image, const uint8_t *bytes, const double *logits)
{
    const pp_qnetwork *q = p->run->q;
    const pp_qformat *f = &q->stream[p->stage + 1];
    const float *target = p->run->calib->keep[image][p->stage + 1];
    size_t n = pp_shape_count(q->stages->stage[p->stage].out);
    int32_t zero = pp_format_zero(f);
    for (size_t i = 0; i < n; i++) {
        double value = logits ? logits[i] : (bytes[i] - zero) * f->scale, e = target[i] - value;
        p->signal[image] += (double)target[i] * target[i];
        p->noise[image] += e * e;
    }
}

/* Second pass: the stage's stream. */
static pp_status run_image(void *payload, size_t image, unsigned worker)
{
    const pass *p = payload;
    const pp_qnetwork *q = p->run->q;
    const pp_stage *st = &q->stages->stage[p->stage];
    bool last = p->stage == q->stages->output;
    uint8_t *out = last ? NULL : p->run->stream[p->stage + 1][image];
    const uint8_t **inputs = pp_alloc(st->n_inputs, sizeof *inputs);
    if (!inputs)
        return PP_ENOMEM;
    for (uint32_t k = 0; k < st->n_inputs; k++)
        inputs[k] = input_of(p, k, image);
    pp_qengine_stage(q, p->stage, p->conv, inputs, p->acc[worker], out, last ? p->logits[worker] : NULL,
                     p->scratch[worker]);
    free(inputs);
    if (image < p->run->calib->kept)
        compare(p, image, out, last ? p->logits[worker] : NULL);
    return PP_OK;
}

/* ---- between the passes: shift, units, bias ---- */

/* Smallest shift with which twice the largest sum seen fits psum_bits. */
static uint32_t choose_shift(double acc_max, uint32_t psum_bits)
{
    uint32_t shift = 0;
    while (ldexp(2 * acc_max, -(int)shift) > ldexp(1, (int)psum_bits - 1) - 1)
        shift++;
    return shift;
}

/* Mean over the positions of the matrix's input window, float network: [groups][krows] in row order. */
static void mean_rows(const pp_qgeom *g, const double *map, double *rows)
{
    size_t at = 0;
    for (uint32_t c = 0; c < g->in.c; c++)
        for (uint32_t ky = 0; ky < g->win.kh; ky++)
            for (uint32_t kx = 0; kx < g->win.kw; kx++) {
                double sum = 0;
                for (uint32_t y = 0; y < g->fire.h; y++)
                    for (uint32_t x = 0; x < g->fire.w; x++) {
                        int64_t iy = (int64_t)y * g->win.sh + (int64_t)ky * g->win.dh - g->win.top;
                        int64_t ix = (int64_t)x * g->win.sw + (int64_t)kx * g->win.dw - g->win.left;
                        if (iy >= 0 && ix >= 0 && iy < g->in.h && ix < g->in.w)
                            sum += map[((size_t)iy * g->in.w + (size_t)ix) * g->in.c + c];
                    }
                rows[at++] = sum / ((double)g->fire.h * g->fire.w);
            }
}

static double mean_channel(const double *map, pp_shape shape, uint32_t c)
{
    double sum = 0;
    size_t pixels = (size_t)shape.h * shape.w;
    for (size_t p = 0; p < pixels; p++)
        sum += map[p * shape.c + c];
    return sum / (double)pixels;
}

/* Adds to bias[c] (float) the mean error of what enters the digital end: float network less quantized. */
static void correct_bias(const pass *p, const float *weight, const double *rows, double *bias)
{
    const pp_qnetwork *q = p->run->q;
    const pp_stage *st = &q->stages->stage[p->stage];
    const pp_qstage *s = &q->stage[p->stage];
    pp_qgeom g = pp_qgeom_of(q->net, st);
    uint32_t k = pp_stage_residual(st);
    double in = pp_qstage_dac(q, p->stage).scale;
    double count = (double)p->run->images * g.fire.h * g.fire.w;
    for (uint32_t c = 0; c < s->cout; c++) {
        double exact = 0;
        int64_t column = 0, residual = 0;
        for (uint32_t i = 0; i < s->krows; i++)
            exact += (double)weight[(size_t)c * s->krows + i] * rows[(size_t)(c / g.cout_g) * s->krows + i];
        for (size_t i = 0; i < p->run->images; i++) {
            column += p->column[i * s->cout + c];
            residual += p->residual[i * s->cout + c];
        }
        bias[c] += exact - (double)column / count * s->w_scale[c] * in;
        if (k != PP_NONE)
            bias[c] += mean_channel(p->run->calib->mean[st->inputs[k].stream], st->fire, c) -
                       (double)residual / count * q->stream[st->inputs[k].stream].scale;
    }
}

static pp_status set_bias(const pass *p, const float *weight)
{
    const pp_qnetwork *q = p->run->q;
    const pp_stage *st = &q->stages->stage[p->stage];
    const pp_op *op = &q->net->ops[st->matrix];
    pp_qstage *s = &q->stage[p->stage];
    pp_qgeom g = pp_qgeom_of(q->net, st);
    pp_status status = PP_ENOMEM;
    double *bias = pp_calloc(s->cout, sizeof *bias);
    double *rows = pp_alloc((size_t)g.groups * s->krows, sizeof *rows);
    if (!bias || !rows)
        goto done;
    for (uint32_t c = 0; c < s->cout; c++)
        bias[c] = op->bias.ndim ? (double)pp_tensor_f32(&op->bias, c) : 0;
    if (q->options.bias_correction) {
        mean_rows(&g, p->run->calib->mean[st->inputs[0].stream], rows);
        correct_bias(p, weight, rows, bias);
    }
    status = PP_OK;
    for (uint32_t c = 0; c < s->cout && status == PP_OK; c++) {
        double units = nearbyint(bias[c] / s->unit[c]);
        if (!(fabs(units) < 0x1p52))
            status = pp_fail(PP_ERANGE, "stage '%s': bias of channel %u is %g times its weights' unit", st->name, c,
                             units);
        else
            s->bias[c] = (int64_t)units;
    }
done:
    free(bias);
    free(rows);
    return status;
}

/* ---- a stage ---- */

static void free_workers(pass *p)
{
    for (unsigned i = 0; i < pp_pool_threads(p->run->pool); i++) {
        if (p->acc)
            free(p->acc[i]);
        if (p->scratch)
            free(p->scratch[i]);
        if (p->logits)
            free(p->logits[i]);
    }
    free(p->acc);
    free(p->scratch);
    free(p->logits);
}

static pp_status make_workers(pass *p, size_t scratch)
{
    const pp_stage *st = &p->run->q->stages->stage[p->stage];
    unsigned n = pp_pool_threads(p->run->pool);
    p->acc = pp_calloc(n, sizeof *p->acc);
    p->scratch = pp_calloc(n, sizeof *p->scratch);
    p->logits = pp_calloc(n, sizeof *p->logits);
    bool good = p->acc && p->scratch && p->logits;
    for (unsigned i = 0; good && i < n; i++) {
        p->acc[i] = pp_alloc_aligned(pp_shape_count(st->fire), sizeof **p->acc);
        p->scratch[i] = pp_alloc_aligned(scratch, 1);
        p->logits[i] = pp_alloc(pp_shape_count(st->out), sizeof **p->logits);
        good = p->acc[i] && p->scratch[i] && p->logits[i];
    }
    return good ? PP_OK : PP_ENOMEM;
}

static pp_status measure(pass *p)
{
    const pp_stage *st = &p->run->q->stages->stage[p->stage];
    pp_qstage *s = &p->run->q->stage[p->stage];
    uint32_t images = p->run->images;
    p->column = pp_calloc((size_t)images * st->fire.c, sizeof *p->column);
    p->residual = pp_calloc((size_t)images * st->fire.c, sizeof *p->residual);
    p->most = pp_calloc(images, sizeof *p->most);
    p->square = pp_calloc(images, sizeof *p->square);
    if (!p->column || !p->residual || !p->most || !p->square)
        return PP_ENOMEM;
    PP_TRY(pp_pool_run(p->run->pool, images, measure_image, p));
    double square = 0;
    for (uint32_t i = 0; i < images; i++) {
        s->acc_max = fmax(s->acc_max, (double)p->most[i]);
        square += p->square[i];
    }
    s->acc_rms = sqrt(square / ((double)images * (double)pp_shape_count(st->fire)));
    s->psum_shift = choose_shift(s->acc_max, p->run->q->psum_bits);
    return PP_OK;
}

static pp_status quantize_matrix(pass *p, pp_qconv **conv)
{
    pp_qrun *run = p->run;
    const pp_stage *st = &run->q->stages->stage[p->stage];
    const pp_op *op = &run->q->net->ops[st->matrix];
    pp_status status = PP_ENOMEM;
    float *weight = pp_alloc(pp_tensor_count(&op->weight), sizeof *weight);
    if (!weight)
        goto done;
    pp_tensor_read_f32(&op->weight, weight);
    const pp_qrotate *rotate = run->q->stage[p->stage].rotate;
    if (rotate) {
        PP_GOTO(done, status, pp_qrotate_load_weights(run->q, p->stage));
        if (!rotate->at_producer)
            PP_GOTO(done, status, pp_qrotate_calibrate(run, p->stage));
    }
    if (!rotate)
        pp_qrescale_choose(run->q, p->stage, &run->calib->stream[st->inputs[0].stream]);
    PP_GOTO(done, status, quantize_weights(run, p->stage, rotate ? rotate->weight : weight));
    PP_GOTO(done, status, pp_qconv_new(conv, run->q, p->stage, 0, pp_qgeom_of(run->q->net, st).cin_g));
    p->conv = *conv;
    PP_GOTO(done, status, make_workers(p, pp_qconv_scratch(*conv)));
    PP_GOTO(done, status, measure(p));
    PP_GOTO(done, status, pp_qstage_multipliers(run->q, p->stage));
    PP_GOTO(done, status, set_bias(p, weight));
    free_workers(p);
    p->acc = NULL;
    p->scratch = NULL;
    p->logits = NULL;
    size_t finish = pp_qstage_finish_scratch(run->q, p->stage), first = pp_qconv_scratch(*conv);
    PP_GOTO(done, status, make_workers(p, finish > first ? finish : first));
done:
    free(weight);
    return status;
}

static pp_status make_stream(pp_qrun *run, uint32_t stream)
{
    size_t n = pp_shape_count(pp_stream_shape(run->q->net, run->q->stages, stream));
    if (!(run->stream[stream] = pp_calloc(run->images, sizeof **run->stream)))
        return PP_ENOMEM;
    for (uint32_t i = 0; i < run->images; i++)
        if (!(run->stream[stream][i] = pp_alloc(n, 1)))
            return PP_ENOMEM;
    return PP_OK;
}

static void drop_stream(pp_qrun *run, uint32_t stream)
{
    for (uint32_t i = 0; run->stream[stream] && i < run->images; i++)
        free(run->stream[stream][i]);
    free(run->stream[stream]);
    run->stream[stream] = NULL;
}

/* Frees the streams that no stage after `stage` reads. */
static void drop_read_streams(pp_qrun *run, uint32_t stage)
{
    const pp_stages *stages = run->q->stages;
    for (uint32_t k = 0; k < stages->stage[stage].n_inputs; k++) {
        uint32_t stream = stages->stage[stage].inputs[k].stream;
        bool needed = false;
        for (uint32_t s = stage + 1; s < stages->n; s++)
            for (uint32_t i = 0; i < stages->stage[s].n_inputs; i++)
                needed |= stages->stage[s].inputs[i].stream == stream;
        if (!needed)
            drop_stream(run, stream);
    }
}

static pp_status quantize_stage(pp_qrun *run, uint32_t stage)
{
    const pp_stage *st = &run->q->stages->stage[stage];
    pass p = {.run = run, .stage = stage};
    pp_qconv *conv = NULL;
    pp_status status = PP_OK;
    if (stage != run->q->stages->output)
        PP_GOTO(done, status, make_stream(run, stage + 1));
    if (run->q->stage[stage].rotate_out)
        PP_GOTO(done, status, pp_qrotate_calibrate_out(run, stage));
    if (st->matrix != PP_NONE) {
        PP_GOTO(done, status, quantize_matrix(&p, &conv));
    } else {
        PP_GOTO(done, status, pp_qstage_multipliers(run->q, stage));
        PP_GOTO(done, status, make_workers(&p, pp_qstage_data_scratch(run->q, stage)));
    }
    status = PP_ENOMEM;
    p.signal = pp_calloc(run->images, sizeof *p.signal);
    p.noise = pp_calloc(run->images, sizeof *p.noise);
    if (!p.signal || !p.noise)
        goto done;
    PP_GOTO(done, status, pp_pool_run(run->pool, run->images, run_image, &p));
    double signal = 0, noise = 0;
    for (uint32_t i = 0; i < run->calib->kept; i++) {
        signal += p.signal[i];
        noise += p.noise[i];
    }
    run->q->stage[stage].out_sqnr_db = decibel(signal, noise);
    run->q->stage[stage].kurtosis = pp_histogram_kurtosis(&run->calib->stream[st->inputs[0].stream]);
    drop_read_streams(run, stage);
done:
    pp_qconv_free(conv);
    free_workers(&p);
    free(p.column);
    free(p.residual);
    free(p.most);
    free(p.square);
    free(p.signal);
    free(p.noise);
    return status;
}

/* ---- the network ---- */

static pp_status set_scale(void *payload, size_t stream, unsigned worker)
{
    (void)worker;
    const pp_qrun *run = payload;
    const pp_quant_options *o = &run->q->options;
    pp_qformat *f = &run->q->stream[stream];
    f->scale = pp_activation_scale(&run->calib->stream[stream], f, o->activations, o->percentile);
    return PP_OK;
}

/* Streams of stages that only select values take the format of their input: nothing is lost. */
static void inherit_formats(pp_qnetwork *q)
{
    for (uint32_t s = 0; s < q->stages->n; s++)
        if (pp_stage_selects(q->net, &q->stages->stage[s]))
            q->stream[s + 1] = q->stream[q->stages->stage[s].inputs[0].stream];
}

static pp_status quantize_inputs(pp_qrun *run)
{
    size_t n = pp_shape_count(run->q->net->ops[0].out);
    PP_TRY(make_stream(run, 0));
    pp_status status = PP_ENOMEM;
    float *image = pp_alloc(n, sizeof *image);
    int16_t *codes = pp_alloc(n, sizeof *codes);
    if (!image || !codes)
        goto done;
    for (uint32_t i = 0; i < run->images; i++)
        pp_qengine_input(run->q, run->data, i, run->stream[0][i], image, codes);
    status = PP_OK;
done:
    free(image);
    free(codes);
    return status;
}

static pp_status quantize_stages(pp_qrun *run)
{
    pp_progress bar;
    pp_status status = PP_OK;
    pp_progress_begin(&bar, "quantizing", run->q->stages->n);
    for (uint32_t s = 0; s < run->q->stages->n && status == PP_OK; s++) {
        status = quantize_stage(run, s);
        pp_progress_step(&bar, 1);
    }
    pp_progress_end(&bar);
    return status;
}

static pp_status quantize_values(pp_qrun *run)
{
    pp_qnetwork *q = run->q;
    run->images = (uint32_t)q->options.calib_images;
    if (run->images > run->data->n)
        run->images = run->data->n;
    PP_TRY(pp_dataset_feeds(run->data, q->net));
    PP_TRY(pp_calibrate(&run->calib, q->net, q->stages, run->data, run->images, run->pool));
    PP_TRY(pp_pool_run(run->pool, (size_t)q->stages->n + 1, set_scale, run));
    inherit_formats(q);
    PP_TRY(quantize_inputs(run));
    PP_TRY(quantize_stages(run));
    q->calib_images = run->images;
    snprintf(q->calib_name, sizeof q->calib_name, "%s", run->data->name);
    memcpy(q->calib_sha256, run->data->sha256, sizeof q->calib_sha256);
    return PP_OK;
}

pp_status pp_quantize(pp_qnetwork **out, const pp_network *net, const pp_stages *stages,
                      const pp_quant_options *options, const pp_dataset *calib, pp_pool *pool)
{
    bool values = calib && net->has_weights;
    *out = NULL;
    if (options->weights < 0 || options->weights > PP_WQUANT_OUTPUT || options->activations < 0 ||
        options->activations > PP_AQUANT_MSE || !(options->percentile > 0 && options->percentile <= 100) ||
        options->calib_images < 1)
        return pp_fail(PP_ERANGE, "quantization options are out of range");
    pp_qrun run = {.data = calib, .pool = pool};
    PP_TRY(pp_qnetwork_layout(&run.q, net, stages, options, values));
    pp_status status = PP_OK;
    if (values) {
        run.stream = pp_calloc((size_t)stages->n + 1, sizeof *run.stream);
        status = run.stream ? quantize_values(&run) : PP_ENOMEM;
    } else {
        inherit_formats(run.q);
    }
    for (uint32_t s = 0; run.stream && s <= stages->n; s++)
        drop_stream(&run, s);
    free(run.stream);
    pp_calibration_free(run.calib);
    if (status == PP_OK)
        *out = run.q;
    else
        pp_qnetwork_free(run.q);
    return status;
}

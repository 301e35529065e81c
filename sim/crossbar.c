/* The numeric path: the network's values through the tiles of the mapping. */
#include "sim/crossbar_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- construction ---- */

/* Column tiles of a grouped convolution hold other input channels: one pass takes those of all groups. */
static pp_status build_row(pp_crossbar *x, uint32_t stage, pp_xrow *row, const pp_tile *tile)
{
    uint32_t cout = x->q->stage[stage].cout;
    const pp_op *op = &x->q->net->ops[x->q->stages->stage[stage].matrix];
    const bool grouped = op->groups > 1 && x->m->plan[stage].row_tiles == 1;
    row->lo = grouped ? 0 : tile->in_lo;
    row->hi = grouped ? op->in.c / op->groups : tile->in_hi;
    row->inverse = pp_calloc(cout, sizeof *row->inverse);
    row->gain = pp_calloc(cout, sizeof *row->gain);
    row->full_scale = pp_calloc(cout, sizeof *row->full_scale);
    if (row->inverse == NULL || row->gain == NULL || row->full_scale == NULL)
        return PP_ENOMEM;
    PP_TRY(pp_qconv_new(&row->conv, x->q, stage, row->lo, row->hi));
    pp_qconv_patch(row->conv, x->m->plan[stage].patch.y, x->m->plan[stage].patch.x);
    return PP_OK;
}

/* Row tiles of a stage are the same in every copy and column: those of the first column tell. */
static pp_status build_stage(pp_crossbar *x, uint32_t stage)
{
    const pp_plan *plan = &x->m->plan[stage];
    pp_xstage *s = &x->stage[stage];
    if (x->q->stages->stage[stage].matrix == PP_NONE)
        return PP_OK;
    s->row = pp_calloc(plan->row_tiles, sizeof *s->row);
    if (s->row == NULL)
        return PP_ENOMEM;
    s->rows = plan->row_tiles;
    for (uint32_t r = 0; r < plan->row_tiles; r++)
        PP_TRY(build_row(x, stage, &s->row[r], &x->m->tile[plan->first_tile + r]));
    return PP_OK;
}

static pp_status build(pp_crossbar *x)
{
    uint32_t n = x->q->stages->n;
    x->stage = pp_calloc(n, sizeof *x->stage);
    x->adc = pp_calloc(x->m->n_tiles, sizeof *x->adc);
    if (x->stage == NULL || x->adc == NULL)
        return PP_ENOMEM;
    for (uint32_t s = 0; s < n; s++)
        PP_TRY(build_stage(x, s));
    return PP_OK;
}

pp_status pp_crossbar_new(pp_crossbar **out, const pp_qnetwork *q, const pp_arch *arch, const pp_mapping *m,
                          const pp_dataset *calib, pp_pool *pool)
{
    *out = NULL;
    if (!q->has_values)
        return pp_fail(PP_EINVAL, "%s: the crossbars need weights, the network has shapes only", q->net->name);
    pp_crossbar *x = pp_calloc(1, sizeof *x);
    if (x == NULL)
        return PP_ENOMEM;
    x->q = q;
    x->arch = arch;
    x->m = m;
    x->code_max = arch->adc_bits > 0 ? (float)((UINT64_C(1) << (arch->adc_bits - 1)) - 1) : 0;
    x->psum_max = (float)((UINT64_C(1) << (q->psum_bits - 1)) - 1);
    pp_status status;
    PP_GOTO(done, status, build(x));
    PP_GOTO(done, status, pp_xscratch_grow(x, pp_pool_threads(pool)));
    if (x->code_max > 0)
        PP_GOTO(done, status, pp_xcalibrate(x, calib, pool));
done:
    if (status != PP_OK)
        pp_crossbar_free(x);
    else
        *out = x;
    return status;
}

static void free_scratch(pp_crossbar *x, pp_xscratch *w)
{
    for (uint32_t i = 0; w->stream != NULL && i <= x->q->stages->n; i++)
        free(w->stream[i]);
    free(w->stream);
    free(w->acc);
    free(w->sum);
    free(w->conv);
    free(w->finish);
    free(w->image);
    free(w->input);
    free(w->in);
    free(w->logits);
}

void pp_crossbar_free(pp_crossbar *x)
{
    if (x == NULL)
        return;
    for (uint32_t i = 0; i < x->n_scratch; i++)
        free_scratch(x, &x->scratch[i]);
    free(x->scratch);
    for (uint32_t s = 0; x->stage != NULL && s < x->q->stages->n; s++) {
        for (uint32_t r = 0; r < x->stage[s].rows; r++) {
            pp_xrow *row = &x->stage[s].row[r];
            pp_qconv_free(row->conv);
            free(row->inverse);
            free(row->gain);
            free(row->full_scale);
        }
        free(x->stage[s].row);
    }
    free(x->stage);
    free(x->adc);
    free(x);
}

const pp_tile_adc *pp_crossbar_adc(const pp_crossbar *x, uint32_t tile)
{
    return x->code_max > 0 && x->stage[x->m->tile[tile].stage].rows > 0 ? &x->adc[tile] : NULL;
}

/* ---- scratch ---- */

static size_t map_size(pp_shape s)
{
    return (size_t)s.h * s.w * s.c;
}

static pp_status new_scratch(const pp_crossbar *x, pp_xscratch *w)
{
    const pp_stages *stages = x->q->stages;
    size_t map = 0, conv = 0, finish = 0, inputs = 1;
    w->stream = pp_calloc(stages->n + 1, sizeof *w->stream);
    if (w->stream == NULL)
        return PP_ENOMEM;
    for (uint32_t s = 0; s <= stages->n; s++) {
        w->stream[s] = pp_alloc_aligned(map_size(pp_stream_shape(x->q->net, stages, s)) + 64, 1);
        if (w->stream[s] == NULL)
            return PP_ENOMEM;
    }
    for (uint32_t s = 0; s < stages->n; s++) {
        bool matrix = stages->stage[s].matrix != PP_NONE;
        size_t here = map_size(stages->stage[s].fire);
        size_t f = matrix ? pp_qstage_finish_scratch(x->q, s) : pp_qstage_data_scratch(x->q, s);
        inputs = stages->stage[s].n_inputs > inputs ? stages->stage[s].n_inputs : inputs;
        map = here > map ? here : map;
        finish = f > finish ? f : finish;
        for (uint32_t r = 0; r < x->stage[s].rows; r++) {
            size_t c = pp_qconv_scratch(x->stage[s].row[r].conv);
            conv = c > conv ? c : conv;
        }
    }
    size_t in = map_size(x->q->net->ops[0].out);
    w->acc = pp_alloc_aligned(map, sizeof *w->acc);
    w->sum = pp_alloc_aligned(map, sizeof *w->sum);
    w->conv = pp_alloc_aligned(conv + 64, 1);
    w->finish = pp_alloc_aligned(finish + 64, 1);
    w->image = pp_alloc_aligned(in, sizeof *w->image);
    w->input = pp_alloc_aligned(in, sizeof *w->input);
    w->in = pp_calloc(inputs, sizeof *w->in);
    w->logits = pp_calloc(map_size(stages->stage[stages->output].out), sizeof *w->logits);
    bool ok = w->acc && w->sum && w->conv && w->finish && w->image && w->input && w->in && w->logits;
    return ok ? PP_OK : PP_ENOMEM;
}

pp_status pp_xscratch_grow(pp_crossbar *x, unsigned workers)
{
    if (workers <= x->n_scratch)
        return PP_OK;
    pp_xscratch *grown = pp_realloc(x->scratch, workers, sizeof *grown);
    if (grown == NULL)
        return PP_ENOMEM;
    x->scratch = grown;
    while (x->n_scratch < workers) {
        x->scratch[x->n_scratch] = (pp_xscratch){0};
        x->n_scratch++;
        PP_TRY(new_scratch(x, &x->scratch[x->n_scratch - 1]));
    }
    return PP_OK;
}

/* ---- one image ---- */

static void saturate_sums(int32_t *sum, size_t n, uint32_t bits)
{
    const int32_t high = (int32_t)((INT64_C(1) << (bits - 1)) - 1), low = -high - 1;
    for (size_t i = 0; i < n; i++)
        sum[i] = sum[i] > high ? high : sum[i] < low ? low : sum[i];
}

typedef struct image_run {
    pp_crossbar *x;
    pp_xscratch *w;
    uint32_t image;
    unsigned worker;
    bool ideal;
    double *logits;
    pp_xtap tap;
    void *payload;
} image_run;

static void run_matrix(const image_run *r, uint32_t stage)
{
    pp_crossbar *x = r->x;
    const pp_stage *s = &x->q->stages->stage[stage];
    const pp_qstage *q = &x->q->stage[stage];
    size_t pixels = (size_t)s->fire.h * s->fire.w, n = pixels * q->cout;
    const uint8_t *residual = NULL;
    memset(r->w->sum, 0, n * sizeof *r->w->sum);
    for (uint32_t t = 0; t < x->stage[stage].rows; t++) {
        const pp_xrow *row = &x->stage[stage].row[t];
        pp_qconv_run(row->conv, r->w->stream[s->inputs[0].stream], r->w->acc, r->w->conv);
        const uint8_t *m = pp_qconv_factors(row->conv, r->w->conv);
        if (r->tap != NULL)
            r->tap(r->payload, r->image, r->worker, stage, t, r->w->acc, m, pixels);
        pp_xconvert(x, stage, row, r->ideal || x->code_max == 0, r->w->acc, m, r->w->sum, pixels);
    }
    saturate_sums(r->w->sum, n, x->q->psum_bits);
    for (uint32_t k = 1; k < s->n_inputs; k++) {
        if (s->inputs[k].role == PP_ROLE_ADD)
            residual = r->w->stream[s->inputs[k].stream];
    }
    pp_qstage_finish(x->q, stage, r->w->sum, residual, r->w->stream[stage + 1],
                     stage == x->q->stages->output ? r->logits : NULL, r->w->finish);
}

static void run_digital(const image_run *r, uint32_t stage)
{
    const pp_stage *s = &r->x->q->stages->stage[stage];
    for (uint32_t k = 0; k < s->n_inputs; k++)
        r->w->in[k] = r->w->stream[s->inputs[k].stream];
    pp_qstage_data(r->x->q, stage, r->w->in, r->w->stream[stage + 1],
                   stage == r->x->q->stages->output ? r->logits : NULL, r->w->finish);
}

static void load_input(const image_run *r, const int16_t *codes)
{
    const pp_qformat *f = &r->x->q->stream[0];
    size_t n = map_size(r->x->q->net->ops[0].out);
    for (size_t i = 0; i < n; i++)
        r->w->stream[0][i] = (uint8_t)(codes[i] + (f->is_signed ? 128 : 0));
}

pp_status pp_xrun_image(pp_crossbar *x, unsigned worker, const pp_dataset *data, uint32_t image, bool ideal,
                        double *logits, pp_xtap tap, void *payload)
{
    pp_xscratch *w = &x->scratch[worker];
    image_run r = {x, w, image, worker, ideal, logits, tap, payload};
    pp_dataset_normalise(data, x->q->net, image, w->image);
    pp_quantize_input(x->q, w->image, w->input);
    load_input(&r, w->input);
    for (uint32_t s = 0; s < x->q->stages->n; s++) {
        if (x->stage[s].rows > 0)
            run_matrix(&r, s);
        else
            run_digital(&r, s);
    }
    return PP_OK;
}

/* ---- batches ---- */

typedef struct batch {
    pp_crossbar *x;
    const pp_dataset *data;
    uint32_t first, classes;
    float *logits;
} batch;

static pp_status batch_image(void *payload, size_t index, unsigned worker)
{
    batch *b = payload;
    double *logits = b->x->scratch[worker].logits;
    PP_TRY(pp_xrun_image(b->x, worker, b->data, b->first + (uint32_t)index, false, logits, NULL, NULL));
    for (uint32_t c = 0; c < b->classes; c++)
        b->logits[index * b->classes + c] = (float)logits[c];
    return PP_OK;
}

pp_status pp_crossbar_run(pp_crossbar *x, pp_pool *pool, const pp_dataset *data, uint32_t first, uint32_t n,
                          float *logits)
{
    PP_TRY(pp_xscratch_grow(x, pp_pool_threads(pool)));
    uint32_t classes = (uint32_t)map_size(x->q->stages->stage[x->q->stages->output].out);
    batch b = {x, data, first, classes, logits};
    return pp_pool_run(pool, n, batch_image, &b);
}

/* Language models on crossbars: making one, blocks of tokens through arrays, ranges of converters. */
#include "sim/lm_crossbar_internal.h"

#include <stdlib.h>
#include <string.h>

enum { PLACES = 4 };

/* ---- one block ---- */

static void keep_sums(const pp_aarray *a, const pp_ascratch *w, const pp_lmq_block *b, uint32_t row_tile, uint32_t group)
{
    const uint32_t first = group * PP_AGROUP, n = b->rows - first < PP_AGROUP ? b->rows - first : PP_AGROUP;
    for (uint32_t i = 0; i < n; i++)
        memcpy(b->psum + ((size_t)row_tile * PP_LMQ_BLOCK + first + i) * b->matrix->out + a->out_lo,
               w->psum + (size_t)i * a->padded, a->cols * sizeof *w->psum);
}

pp_status pp_lm_read_block_(const pp_analog *x, const pp_lmq_block *b)
{
    const pp_astage *s = &x->stage[b->index];
    pp_ascratch *w = &x->scratch[b->worker];
    pp_analog_map_(x, b->index, b->codes, w);
    for (uint32_t i = 0; i < s->n_arrays; i++) {
        const pp_aarray *a = &x->array[s->first_array + i];
        for (uint32_t g = 0; g * PP_AGROUP < b->rows; g++) {
            const pp_aread r = {(uint32_t)b->first, g, -1};
            pp_analog_read_(x, a, w, &r, b->worker);
            keep_sums(a, w, b, x->m->tile[a->tile].row, g);
        }
    }
    return PP_OK;
}

static pp_status read_block(void *payload, const pp_lmq_block *b)
{
    const pp_lm_crossbars *x = payload;
    return pp_lm_read_block_(x->analog, b);
}

/* ---- one token ---- */

/* Reads the group of rows that the token is in, all others of them empty, and takes its row. */
static pp_status read_row(const pp_analog *a, const pp_lmq_block *b, const pp_lmq_block *whole, uint32_t row)
{
    const pp_astage *s = &a->stage[b->index];
    pp_ascratch *w = &a->scratch[b->worker];
    pp_analog_map_(a, b->index, whole->codes, w);
    for (uint32_t i = 0; i < s->n_arrays; i++) {
        const pp_aarray *array = &a->array[s->first_array + i];
        const pp_aread r = {(uint32_t)whole->first, row / PP_AGROUP, -1};
        pp_analog_read_(a, array, w, &r, b->worker);
        memcpy(b->psum + (size_t)a->m->tile[array->tile].row * PP_LMQ_BLOCK * b->matrix->out + array->out_lo,
               w->psum + (size_t)(row % PP_AGROUP) * array->padded, array->cols * sizeof *w->psum);
    }
    return PP_OK;
}

static pp_status read_token(void *payload, const pp_lmq_block *b)
{
    const pp_lm_crossbars *x = payload;
    uint32_t window = 0;
    if (b->rows > 1)
        return pp_lm_read_block_(x->analog, b);
    while (window + 1 < x->n_first && x->first[window + 1] <= b->first)
        window++;
    const size_t at = b->first - x->first[window], in = b->matrix->in;
    const uint32_t row = (uint32_t)(at % PP_LMQ_BLOCK);
    uint8_t *codes = pp_alloc_aligned((size_t)PP_LMQ_BLOCK * in, 1);
    if (codes == NULL)
        return PP_ENOMEM;
    memset(codes, 128, PP_LMQ_BLOCK * in);
    memcpy(codes + row * in, b->codes, in);
    pp_lmq_block whole = *b;
    whole.first = b->first - row;
    whole.codes = codes;
    const pp_status status = read_row(x->analog, b, &whole, row);
    free(codes);
    return status;
}

void pp_lm_crossbars_tokens(pp_lm_crossbars *x, const size_t *first, uint32_t n)
{
    x->first = first;
    x->n_first = n;
    pp_lmq_integer_set(x->integer, first != NULL ? read_token : read_block, NULL, x);
}

static pp_status read_slowly(void *payload, const pp_lmq_block *b)
{
    const pp_analog *x = ((const pp_lm_crossbars *)payload)->analog;
    const pp_astage *s = &x->stage[b->index];
    const pp_lmq_matrix *m = b->matrix;
    int16_t *in = pp_alloc((size_t)PP_LMQ_BLOCK * m->in, sizeof *in);
    if (in == NULL)
        return PP_ENOMEM;
    for (size_t i = 0; i < (size_t)PP_LMQ_BLOCK * m->in; i++)
        in[i] = (int16_t)(b->codes[i] - 128);
    for (uint32_t i = 0; i < s->n_arrays; i++) {
        const pp_aarray *a = &x->array[s->first_array + i];
        for (uint32_t r = 0; r < b->rows; r++)
            for (uint32_t c = 0; c < a->cols; c++)
                b->psum[((size_t)x->m->tile[a->tile].row * PP_LMQ_BLOCK + r) * m->out + a->out_lo + c] =
                    (int32_t)pp_analog_partial_sum_(x, a, in, (uint32_t)b->first, r, c);
    }
    free(in);
    return PP_OK;
}

void pp_lm_crossbars_slow(pp_lm_crossbars *x, bool slow)
{
    pp_lmq_integer_set(x->integer, slow ? read_slowly : read_block, NULL, x);
}

void pp_lm_attach_(pp_lm_crossbars *x)
{
    pp_lmq_integer_set(x->integer, read_block, NULL, x);
}

/* ---- passes over the calibration text ---- */

pp_status pp_lm_walk_(pp_lm_crossbars *x, size_t tokens)
{
    pp_lm_window *windows = NULL;
    size_t n = 0;
    const uint32_t width = pp_lmq_config(x->in.q)->hidden, layers = pp_lmq_config(x->in.q)->layers;
    PP_TRY(pp_lm_windows(&windows, &n, tokens, x->in.window, x->in.window));
    const pp_lm_batch batch = {x->in.calib, windows, n, tokens};
    float *hidden = pp_alloc(tokens * width, sizeof *hidden);
    pp_status status = hidden != NULL ? pp_lm_exec_embed(x->exec, &batch, hidden) : PP_ENOMEM;
    for (uint32_t l = 0; l < layers && status == PP_OK; l++)
        status = pp_lm_exec_layer(x->exec, l, &batch, hidden, hidden);
    free(hidden);
    free(windows);
    return status;
}

static unsigned place_of(pp_lm_kind kind)
{
    return kind == PP_LM_O ? 1 : kind == PP_LM_GATE || kind == PP_LM_UP ? 2 : kind == PP_LM_DOWN ? 3 : 0;
}

static bool first_of_place(pp_lm_kind kind)
{
    return kind == PP_LM_Q || kind == PP_LM_O || kind == PP_LM_UP || kind == PP_LM_DOWN;
}

static pp_status keep_codes(void *payload, const pp_lmq_block *b)
{
    pp_lm_crossbars *x = payload;
    const pp_lmq_matrix *m = b->matrix;
    if (first_of_place(m->kind))
        memcpy(x->seen[(size_t)m->layer * PLACES + place_of(m->kind)] + b->first * m->in, b->codes, (size_t)b->rows * m->in);
    return PP_OK;
}

static size_t n_blocks(const pp_lm_crossbars *x)
{
    return (x->tokens + PP_LMQ_BLOCK - 1) / PP_LMQ_BLOCK;
}

static pp_status make_seen(pp_lm_crossbars *x)
{
    const size_t n = (size_t)pp_lmq_config(x->in.q)->layers * PLACES;
    x->seen = pp_calloc(n, sizeof *x->seen);
    for (size_t i = 0; x->seen != NULL && i < x->bank.n; i++) {
        const pp_lmq_matrix *m = pp_lmq_integer_matrix(x->integer, i);
        uint8_t **to = &x->seen[(size_t)m->layer * PLACES + place_of(m->kind)];
        const size_t bytes = n_blocks(x) * PP_LMQ_BLOCK * m->in;
        if (*to == NULL && (*to = pp_alloc(bytes, 1)) == NULL)
            return PP_ENOMEM;
        memset(*to, 128, bytes);
    }
    return x->seen != NULL ? PP_OK : PP_ENOMEM;
}

static void free_seen(pp_lm_crossbars *x)
{
    for (size_t i = 0; x->seen != NULL && i < (size_t)pp_lmq_config(x->in.q)->layers * PLACES; i++)
        free(x->seen[i]);
    free(x->seen);
    x->seen = NULL;
}

typedef struct stage_pass {
    pp_lm_crossbars *x;
    uint32_t stage;
} stage_pass;

static pp_status show_block(void *payload, size_t block, unsigned worker)
{
    const stage_pass *p = payload;
    const pp_analog *a = p->x->analog;
    const pp_lmq_matrix *m = pp_lmq_integer_matrix(p->x->integer, p->stage);
    const pp_astage *s = &a->stage[p->stage];
    pp_ascratch *w = &a->scratch[worker];
    pp_analog_map_(a, p->stage, p->x->seen[(size_t)m->layer * PLACES + place_of(m->kind)] + block * PP_LMQ_BLOCK * m->in, w);
    for (uint32_t i = 0; i < s->n_arrays; i++) {
        for (uint32_t g = 0; g * PP_AGROUP < PP_LMQ_BLOCK; g++) {
            const pp_aread r = {(uint32_t)block, g, -1};
            pp_analog_read_(a, &a->array[s->first_array + i], w, &r, worker);
        }
    }
    return PP_OK;
}

/* A matrix at a time: histograms of all columns of all matrices together would not fit. */
static pp_status choose_ranges(pp_lm_crossbars *x)
{
    pp_analog *a = x->analog;
    PP_TRY(make_seen(x));
    pp_lmq_integer_set(x->integer, read_block, keep_codes, x);
    PP_TRY(pp_lm_walk_(x, x->tokens));
    pp_lm_attach_(x);
    for (uint32_t i = 0; i < x->bank.n; i++) {
        stage_pass p = {x, i};
        const uint32_t lo = a->stage[i].first_array;
        PP_TRY(pp_analog_ranges_(a, lo, lo + a->stage[i].n_arrays, show_block, &p, n_blocks(x), x->in.pool));
    }
    return PP_OK;
}

static pp_status calibrate(pp_lm_crossbars *x)
{
    const pp_status status = choose_ranges(x);
    free_seen(x);
    return status;
}

pp_status pp_lm_crossbars_recalibrate(pp_lm_crossbars *x)
{
    pp_analog *a = x->analog;
    pp_analog_again saved;
    if (a->code_max == 0)
        return PP_OK;
    PP_TRY(pp_analog_again_begin_(a, &saved));
    const pp_status status = calibrate(x);
    pp_analog_again_end_(a, &saved);
    return status;
}

/* ---- making one ---- */

static pp_status check(const pp_lm_crossbars_input *in)
{
    const char *name = pp_lmq_config(in->q)->name;
    if (in->n_calib < 2)
        return pp_fail(PP_EINVAL, "%s: the crossbars need a calibration text of at least 2 tokens", name);
    if (in->arch->dac_levels_bits != 0)
        return pp_fail(PP_EUNSUPPORTED, "%s: arch.dac_levels_bits: the converters of a language model's inputs have quant.abits", name);
    if (in->noise->batch_norm)
        return pp_fail(PP_EUNSUPPORTED, "%s: noise.batch_norm: a language model has no batch norms", name);
    if (in->arch->cell_bits > 0 && in->arch->weights == PP_WEIGHTS_FLOAT)
        return pp_fail(PP_EINVAL, "arch.weights: float weights need analog devices (arch.cell_bits 0, not %lld)",
                       (long long)in->arch->cell_bits);
    return PP_OK;
}

static pp_status build(pp_lm_crossbars *x)
{
    const pp_lm_crossbars_input *in = &x->in;
    const pp_lmq_integer_options o = {.rows = (uint32_t)in->arch->rows, .psum_bits = (uint32_t)in->arch->psum_bits,
                                      .act_scale = in->act_scale, .float_weights = in->arch->weights == PP_WEIGHTS_FLOAT};
    PP_TRY(pp_lmq_integer_new(&x->integer, in->q, &o, pp_pool_threads(in->pool)));
    PP_TRY(pp_lm_bank_new_(&x->bank, x->integer));
    PP_TRY(pp_map_tiles(&x->mapping, &x->bank.q, in->arch));
    PP_TRY(pp_analog_begin_(&x->analog, &x->bank.q, in->arch, x->mapping, in->device, in->noise, (uint32_t)n_blocks(x), in->pool));
    const pp_lm_source source = pp_lmq_source(in->q);
    const pp_lm_hooks hooks = pp_lmq_integer_hooks(x->integer);
    const pp_lm_exec_options e = {.pool = in->pool};
    PP_TRY(pp_lm_exec_new(&x->exec, pp_lmq_config(in->q), &source, &hooks, &e));
    PP_TRY(calibrate(x));
    x->analog->exact = false;
    return pp_lm_crossbars_program(x, 1, in->device->t0_s);
}

pp_status pp_lm_crossbars_new(pp_lm_crossbars **out, const pp_lm_crossbars_input *in)
{
    *out = NULL;
    PP_TRY(check(in));
    pp_lm_crossbars *x = pp_calloc(1, sizeof *x);
    if (x == NULL)
        return PP_ENOMEM;
    x->in = *in;
    const size_t most = (size_t)in->noise->calib_images * PP_LMQ_BLOCK;
    x->tokens = in->n_calib < most ? in->n_calib : most;
    const pp_status status = build(x);
    if (status == PP_OK)
        *out = x;
    else
        pp_lm_crossbars_free(x);
    return status;
}

void pp_lm_crossbars_free(pp_lm_crossbars *x)
{
    if (x == NULL)
        return;
    free_seen(x);
    pp_lm_exec_free(x->exec);
    pp_analog_free(x->analog);
    pp_mapping_free(x->mapping);
    pp_lm_bank_free_(&x->bank);
    pp_lmq_integer_free(x->integer);
    free(x);
}

/* ---- the engine's functions ---- */

pp_lm_exec *pp_lm_crossbars_exec(pp_lm_crossbars *x)
{
    return x->exec;
}

pp_lm_hooks pp_lm_crossbars_hooks(pp_lm_crossbars *x)
{
    return pp_lmq_integer_hooks(x->integer);
}

const pp_lmq_integer *pp_lm_crossbars_integer(const pp_lm_crossbars *x)
{
    return x->integer;
}

const pp_mapping *pp_lm_crossbars_mapping(const pp_lm_crossbars *x)
{
    return x->mapping;
}

const char *pp_lm_crossbars_warning(const pp_lm_crossbars *x, size_t i)
{
    return pp_analog_warning(x->analog, i);
}

pp_status pp_lm_crossbars_program(pp_lm_crossbars *x, uint64_t seed, double t)
{
    return pp_analog_program(x->analog, seed, t, x->in.pool);
}

pp_status pp_lm_crossbars_compensate(pp_lm_crossbars *x, pp_compensation c)
{
    return pp_analog_compensate(x->analog, c, x->in.pool);
}

void pp_lm_crossbars_ideal(pp_lm_crossbars *x, uint32_t matrix)
{
    pp_analog_ideal_stage(x->analog, matrix);
}

double pp_lm_crossbars_clipped(const pp_lm_crossbars *x, uint32_t matrix)
{
    return pp_analog_clipped(x->analog, matrix);
}

void pp_lm_crossbars_count(const pp_lm_crossbars *x, pp_analog_counts *out)
{
    pp_analog_count(x->analog, out);
    out->reads /= PP_LMQ_BLOCK;
    out->conversions /= PP_LMQ_BLOCK;
}

/* Perplexity and bits per byte of a text. */
#include "workloads/lm_internal.h"

#include <math.h>
#include <stdlib.h>

#define HIDDEN_BYTES_DEFAULT ((size_t)256 << 20)

pp_status pp_lm_windows(pp_lm_window **out, size_t *n, size_t n_tokens, uint32_t window, uint32_t stride)
{
    *out = NULL;
    *n = 0;
    if (window < 2 || stride < 1 || stride > window)
        return pp_fail(PP_ERANGE, "window %u and stride %u: expected a window of at least 2 tokens and a stride of 1 "
                       "to the window", window, stride);
    const size_t room = n_tokens / stride + 1;
    pp_lm_window *w = pp_alloc(room, sizeof *w);
    if (!w)
        return PP_ENOMEM;
    size_t row = 0;
    for (size_t first = 0; first < n_tokens; first += stride) {
        const size_t left = n_tokens - first;
        w[(*n)++] = (pp_lm_window){first, row, left < window ? (uint32_t)left : window};
        row += w[*n - 1].n;
        if (left <= window)
            break;
    }
    *out = w;
    return PP_OK;
}

/* Windows [begin, end) as a batch of their own: rows are counted from 0 again. */
static pp_lm_batch make_batch(const uint32_t *tokens, pp_lm_window *windows, size_t begin, size_t end)
{
    size_t row = 0;
    for (size_t i = begin; i < end; i++) {
        windows[i].row = row;
        row += windows[i].n;
    }
    return (pp_lm_batch){.tokens = tokens, .windows = windows + begin, .n_windows = end - begin, .n_rows = row};
}

static pp_status run_batch(pp_lm_exec *e, const pp_lm_batch *batch, double *nll, pp_progress *progress)
{
    float *hidden = pp_alloc(batch->n_rows * e->config.hidden, sizeof *hidden);
    pp_status status;
    if (!hidden)
        return PP_ENOMEM;
    PP_GOTO(done, status, pp_lm_exec_embed(e, batch, hidden));
    for (uint32_t l = 0; l < e->config.layers; l++) {
        PP_GOTO(done, status, pp_lm_exec_layer(e, l, batch, hidden, hidden));
        if (progress)
            pp_progress_step(progress, batch->n_windows);
    }
    status = pp_lm_exec_nll(e, batch, hidden, nll);
done:
    free(hidden);
    return status;
}

/* Row r of a window predicts token first + r + 1, which counts unless an earlier window had it. */
static void add_scores(pp_lm_eval *out, const pp_lm_batch *b, const double *nll, const uint16_t *bytes, size_t *scored)
{
    for (size_t i = 0; i < b->n_windows; i++) {
        const pp_lm_window *w = &b->windows[i];
        for (uint32_t r = 0; r + 1 < w->n; r++) {
            const size_t token = w->first + r + 1;
            if (token < *scored)
                continue;
            out->nll += nll[w->row + r];
            out->scored_tokens++;
            out->scored_bytes += bytes ? bytes[token] : 1;
        }
        *scored = w->first + w->n;
    }
}

static pp_status run_all(pp_lm_eval *out, pp_lm_exec *e, const uint32_t *tokens, const uint16_t *bytes,
                         pp_lm_window *windows, size_t n, const pp_lm_eval_options *o)
{
    const size_t limit = (o->hidden_bytes > 0 ? o->hidden_bytes : HIDDEN_BYTES_DEFAULT) /
                         (2 * sizeof(float) * e->config.hidden); /* hidden states and their norm */
    size_t scored = 0;
    for (size_t begin = 0, end; begin < n; begin = end) {
        size_t rows = windows[begin].n;
        for (end = begin + 1; end < n && rows + windows[end].n <= limit; end++)
            rows += windows[end].n;
        const pp_lm_batch batch = make_batch(tokens, windows, begin, end);
        double *nll = pp_alloc(batch.n_rows, sizeof *nll);
        pp_status status = nll ? run_batch(e, &batch, nll, o->progress) : PP_ENOMEM;
        if (status == PP_OK)
            add_scores(out, &batch, nll, bytes, &scored);
        free(nll);
        PP_TRY(status);
    }
    return PP_OK;
}

pp_status pp_lm_evaluate(pp_lm_eval *out, pp_lm_exec *e, const uint32_t *tokens, const uint16_t *bytes,
                         size_t n_tokens, const pp_lm_eval_options *options)
{
    const pp_lm_eval_options o = options ? *options : (pp_lm_eval_options){0};
    const uint32_t window = o.window > 0 ? o.window : 512, stride = o.stride > 0 ? o.stride : window;
    pp_lm_window *windows = NULL;
    size_t n = 0;
    *out = (pp_lm_eval){.tokens = n_tokens};
    if (n_tokens < 2)
        return pp_fail(PP_EINVAL, "a text of %zu tokens cannot be evaluated; expected at least 2", n_tokens);
    PP_TRY(pp_lm_windows(&windows, &n, n_tokens, window, stride));
    pp_status status = run_all(out, e, tokens, bytes, windows, n, &o);
    free(windows);
    if (status == PP_OK && !isfinite(out->nll))
        status = pp_fail(PP_EINVAL, "%s: the model gives values that are not finite", e->config.name);
    out->perplexity = exp(out->nll / (double)out->scored_tokens);
    out->bits_per_byte = out->scored_bytes > 0 ? out->nll / log(2) / (double)out->scored_bytes : 0;
    return status;
}

/* Hooks, sources and passes of the executor on a small random model. */
#include "test_lm_models.h"

#define N 12u

typedef struct fixture {
    pp_lm_config c;
    pp_lm_source source;
    pp_lm_exec *exec;
    uint32_t tokens[2 * N];
    pp_lm_window windows[2]; /* N tokens, then 7 */
    pp_lm_batch batch;
    float *hidden, *logits;
} fixture;

static fixture *make(const pp_lm_hooks *hooks)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->c = small_llama("llama");
    f->source = (pp_lm_source){random_load, &f->c};
    for (uint32_t i = 0; i < 2 * N; i++)
        f->tokens[i] = i * 7 % f->c.vocab;
    f->windows[0] = (pp_lm_window){0, 0, N};
    f->windows[1] = (pp_lm_window){N, N, 7};
    f->batch = (pp_lm_batch){f->tokens, f->windows, 2, N + 7};
    f->hidden = malloc(f->batch.n_rows * f->c.hidden * sizeof(float));
    f->logits = malloc(f->batch.n_rows * f->c.vocab * sizeof(float));
    assert_ok(pp_lm_exec_new(&f->exec, &f->c, &f->source, hooks, NULL));
    return f;
}

static void drop(fixture *f)
{
    pp_lm_exec_free(f->exec);
    free(f->hidden);
    free(f->logits);
    free(f);
}

static double difference(const float *a, const float *b, size_t n)
{
    double worst = 0;
    for (size_t i = 0; i < n; i++)
        worst = fmax(worst, fabs((double)(a[i] - b[i])));
    return worst;
}

/* ---- observation ---- */

typedef struct record {
    size_t n;
    pp_lm_activation seen[64];
} record;

static pp_status see(void *payload, const pp_lm_activation *a)
{
    record *r = payload;
    assert_true(r->n < 64);
    r->seen[r->n++] = *a;
    return PP_OK;
}

static void sites_come_in_order_with_their_shapes(void **state)
{
    (void)state;
    record r = {0};
    const pp_lm_hooks hooks = {.activation = see, .sites = UINT32_MAX, .payload = &r};
    fixture *f = make(&hooks);
    f->batch.n_windows = 1;
    f->batch.n_rows = N;
    assert_ok(pp_lm_exec_logits(f->exec, &f->batch, f->logits));
    assert_int_equal(r.n, 1 + 2 * 10 + 1);
    assert_int_equal(r.seen[0].site, PP_LM_SITE_EMBED);
    for (uint32_t l = 0; l < 2; l++)
        for (uint32_t i = 0; i < 10; i++) {
            const pp_lm_activation *a = &r.seen[1 + 10 * l + i];
            assert_int_equal(a->site, PP_LM_SITE_ATTN_IN + i);
            assert_int_equal(a->layer, l);
            assert_int_equal(a->rows, N);
        }
    assert_int_equal(r.seen[2].width, 24); /* q: 4 heads of 6 */
    assert_int_equal(r.seen[2].heads, 4);
    assert_int_equal(r.seen[3].width, 12); /* k: 2 heads */
    assert_int_equal(r.seen[3].heads, 2);
    assert_int_equal(r.seen[9].width, 40);
    assert_int_equal(r.seen[21].site, PP_LM_SITE_HEAD_IN);
    assert_int_equal(r.seen[21].layer, 2);
    assert_string_equal(pp_lm_site_name(PP_LM_SITE_DOWN_IN), "down_in");
    drop(f);
}

/* ---- change in place ---- */

/* Values doubled, o_proj's input halved; queries and keys negated: the logits stay to the bit. */
static pp_status undo_each_other(void *payload, const pp_lm_activation *a)
{
    (void)payload;
    const float factor = a->site == PP_LM_SITE_V_CACHE ? 2.0f : a->site == PP_LM_SITE_O_IN ? 0.5f : -1.0f;
    for (size_t i = 0; i < (size_t)a->rows * a->width; i++)
        a->x[i] *= factor;
    return PP_OK;
}

static pp_status clear(void *payload, const pp_lm_activation *a)
{
    (void)payload;
    memset(a->x, 0, (size_t)a->rows * a->width * sizeof *a->x);
    return PP_OK;
}

static void changes_take_effect(void **state)
{
    (void)state;
    fixture *plain = make(NULL);
    const size_t n = plain->batch.n_rows * plain->c.vocab;
    pp_lm_hooks hooks = {.activation = undo_each_other,
                         .sites = PP_LM_SITE_BIT(PP_LM_SITE_V_CACHE) | PP_LM_SITE_BIT(PP_LM_SITE_O_IN) |
                                  PP_LM_SITE_BIT(PP_LM_SITE_Q) | PP_LM_SITE_BIT(PP_LM_SITE_K)};
    fixture *f = make(&hooks);
    assert_ok(pp_lm_exec_logits(plain->exec, &plain->batch, plain->logits));
    assert_ok(pp_lm_exec_logits(f->exec, &f->batch, f->logits));
    assert_true(difference(f->logits, plain->logits, n) == 0);
    for (pp_lm_site site = 0; site < PP_LM_SITE_COUNT; site++) { /* each one counts */
        hooks.activation = clear;
        hooks.sites = PP_LM_SITE_BIT(site);
        pp_lm_exec_set_hooks(f->exec, &hooks);
        assert_ok(pp_lm_exec_logits(f->exec, &f->batch, f->logits));
        if (!(difference(f->logits, plain->logits, n) > 1e-3))
            fail_msg("site %s has no effect", pp_lm_site_name(site));
    }
    pp_lm_exec_set_hooks(f->exec, NULL);
    assert_ok(pp_lm_exec_logits(f->exec, &f->batch, f->logits));
    assert_true(difference(f->logits, plain->logits, n) == 0);
    drop(f);
    drop(plain);
}

static pp_status refuse(void *payload, const pp_lm_activation *a)
{
    (void)payload;
    return a->window == 1 ? pp_fail(PP_ERANGE, "the hook says no to window %zu", a->window) : PP_OK;
}

static void an_error_of_a_hook_comes_back(void **state)
{
    (void)state;
    const pp_lm_hooks hooks = {.activation = refuse, .sites = PP_LM_SITE_BIT(PP_LM_SITE_DOWN_IN)};
    fixture *f = make(&hooks);
    assert_fails(pp_lm_exec_logits(f->exec, &f->batch, f->logits), "no to window 1");
    drop(f);
}

/* ---- products ---- */

static pp_status multiply(void *payload, uint32_t layer, pp_lm_kind kind, unsigned worker, const float *x,
                          uint32_t rows, float *y)
{
    const pp_lm_config *c = payload;
    uint64_t out, in;
    (void)worker;
    pp_lm_dims(c, kind, &out, &in);
    float *w = lm_values(c, layer, kind);
    for (uint32_t t = 0; t < rows; t++)
        for (uint64_t o = 0; o < out; o++) {
            double sum = 0;
            for (uint64_t i = 0; i < in; i++)
                sum += (double)w[o * in + i] * (double)x[t * in + i];
            y[t * out + o] = (float)sum;
        }
    free(w);
    return PP_OK;
}

static pp_status load_no_matrices(void *payload, uint32_t layer, pp_lm_kind kind, uint64_t first, uint64_t n,
                                  float *out)
{
    assert_false(pp_lm_is_linear(kind));
    return random_load(payload, layer, kind, first, n, out);
}

static void products_can_be_taken_over(void **state)
{
    (void)state;
    fixture *plain = make(NULL), *f = make(NULL);
    const pp_lm_hooks hooks = {.product = multiply, .products = UINT32_MAX, .payload = &f->c};
    pp_lm_exec_free(f->exec);
    f->source.load = load_no_matrices;
    assert_ok(pp_lm_exec_new(&f->exec, &f->c, &f->source, &hooks, NULL));
    assert_ok(pp_lm_exec_logits(plain->exec, &plain->batch, plain->logits));
    assert_ok(pp_lm_exec_logits(f->exec, &f->batch, f->logits));
    assert_true(difference(f->logits, plain->logits, f->batch.n_rows * f->c.vocab) < 1e-4);
    f->source.load = random_load;
    drop(f);
    drop(plain);
}

static void weights_come_back_when_products_are_given_back(void **state)
{
    (void)state;
    fixture *f = make(NULL);
    float *first = malloc(f->batch.n_rows * f->c.vocab * sizeof *first);
    const pp_lm_hooks hooks = {.product = multiply, .products = UINT32_MAX, .payload = &f->c};
    assert_ok(pp_lm_exec_logits(f->exec, &f->batch, first));
    pp_lm_exec_drop(f->exec, 0);
    pp_lm_exec_set_hooks(f->exec, &hooks);
    assert_ok(pp_lm_exec_logits(f->exec, &f->batch, f->logits));
    pp_lm_exec_set_hooks(f->exec, NULL);
    assert_ok(pp_lm_exec_logits(f->exec, &f->batch, f->logits));
    assert_true(difference(f->logits, first, f->batch.n_rows * f->c.vocab) == 0);
    free(first);
    drop(f);
}

/* ---- passes ---- */

static int loads;
static pp_status count_loads(void *payload, uint32_t layer, pp_lm_kind kind, uint64_t first, uint64_t n, float *out)
{
    loads += kind == PP_LM_DOWN && layer == 1;
    return random_load(payload, layer, kind, first, n, out);
}

static void layers_run_one_by_one(void **state)
{
    (void)state;
    fixture *f = make(NULL);
    const size_t n = f->batch.n_rows * f->c.hidden;
    float *other = malloc(n * sizeof *other), *logits = malloc(f->batch.n_rows * f->c.vocab * sizeof *logits);
    pp_lm_exec_free(f->exec);
    f->source.load = count_loads;
    loads = 0;
    assert_ok(pp_lm_exec_new(&f->exec, &f->c, &f->source, NULL, NULL));
    assert_ok(pp_lm_exec_logits(f->exec, &f->batch, f->logits));
    assert_ok(pp_lm_exec_embed(f->exec, &f->batch, f->hidden));
    memcpy(other, f->hidden, n * sizeof *other);
    assert_ok(pp_lm_exec_layer(f->exec, 0, &f->batch, f->hidden, NULL)); /* leaves its input alone */
    assert_true(difference(f->hidden, other, n) == 0);
    assert_ok(pp_lm_exec_layer(f->exec, 0, &f->batch, f->hidden, other));
    assert_ok(pp_lm_exec_layer(f->exec, 1, &f->batch, other, other));
    assert_ok(pp_lm_exec_head(f->exec, &f->batch, other, logits));
    assert_true(difference(f->logits, logits, f->batch.n_rows * f->c.vocab) == 0);
    assert_int_equal(loads, 1);
    pp_lm_exec_drop(f->exec, 1);
    assert_ok(pp_lm_exec_layer(f->exec, 1, &f->batch, other, NULL));
    assert_int_equal(loads, 2);
    assert_fails(pp_lm_exec_layer(f->exec, 2, &f->batch, other, NULL), "no layer 2");
    free(other);
    free(logits);
    drop(f);
}

/* Three slices of the head, kept and loaded one by one: the same bits, and what the logits say. */
static void scores_equal_those_of_the_logits(void **state)
{
    (void)state;
    fixture *f = make(NULL);
    const pp_lm_exec_options tight = {.weight_bytes = 1};
    double nll[2][N + 7];
    f->c.vocab = 2 * 8192 + 5;
    float *logits = malloc(f->batch.n_rows * f->c.vocab * sizeof *logits);
    for (uint32_t i = 0; i < 2 * N; i++)
        f->tokens[i] = i * 1367 % f->c.vocab;
    for (int i = 0; i < 2; i++) {
        pp_lm_exec_free(f->exec);
        assert_ok(pp_lm_exec_new(&f->exec, &f->c, &f->source, NULL, i ? &tight : NULL));
        assert_ok(pp_lm_exec_logits(f->exec, &f->batch, logits));
        assert_ok(pp_lm_exec_embed(f->exec, &f->batch, f->hidden));
        for (uint32_t l = 0; l < 2; l++)
            assert_ok(pp_lm_exec_layer(f->exec, l, &f->batch, f->hidden, f->hidden));
        assert_ok(pp_lm_exec_nll(f->exec, &f->batch, f->hidden, nll[i]));
    }
    assert_memory_equal(nll[0], nll[1], sizeof nll[0]);
    for (size_t r = 0; r < N + 7; r++) {
        double sum = 0, want = 0;
        for (uint32_t v = 0; v < f->c.vocab; v++)
            sum += exp((double)logits[r * f->c.vocab + v]);
        if (r != N - 1 && r != N + 6)
            want = log(sum) - (double)logits[r * f->c.vocab + f->tokens[r + 1]];
        assert_true(fabs(nll[0][r] - want) < 1e-4);
    }
    free(logits);
    drop(f);
}

static void a_stride_below_the_window_scores_each_token_once(void **state)
{
    (void)state;
    fixture *f = make(NULL);
    pp_lm_window *w = NULL;
    size_t n;
    pp_lm_eval e;
    const pp_lm_eval_options options = {.window = 8, .stride = 3};
    assert_ok(pp_lm_windows(&w, &n, 20, 8, 3));
    assert_int_equal(n, 5); /* 0 3 6 9 12 */
    assert_int_equal(w[4].first, 12);
    assert_int_equal(w[4].n, 8);
    free(w);
    assert_ok(pp_lm_evaluate(&e, f->exec, f->tokens, NULL, 20, &options));
    assert_int_equal(e.scored_tokens, 19);
    assert_int_equal(e.scored_bytes, 19);
    static const uint16_t bytes[20] = {1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2};
    assert_ok(pp_lm_evaluate(&e, f->exec, f->tokens, bytes, 20, &options));
    assert_int_equal(e.scored_bytes, 38);
    assert_true(fabs(e.bits_per_byte * 2 - log2(e.perplexity)) < 1e-12);
    drop(f);
}

static void wrong_calls_are_refused(void **state)
{
    (void)state;
    fixture *f = make(NULL);
    pp_lm_window *w = NULL;
    size_t n;
    pp_lm_eval e;
    pp_lm_exec *exec = NULL;
    pp_lm_config gpt = small_gpt2(), moe = f->c, encoder = f->c;
    const pp_lm_eval_options odd = {.window = 8, .stride = 9};
    assert_fails(pp_lm_windows(&w, &n, 20, 1, 1), "window of at least 2");
    assert_fails(pp_lm_evaluate(&e, f->exec, f->tokens, NULL, 20, &odd), "stride 9");
    assert_fails(pp_lm_evaluate(&e, f->exec, f->tokens, NULL, 1, NULL), "text of 1 tokens");
    assert_fails(pp_lm_evaluate(&e, f->exec, f->tokens, NULL, 0, NULL), "text of 0 tokens");
    f->tokens[3] = f->c.vocab;
    assert_fails(pp_lm_evaluate(&e, f->exec, f->tokens, NULL, 20, NULL), "token 19 at position 3");
    f->tokens[3] = 0;
    gpt.positions = 10;
    const pp_lm_source source = {random_load, &gpt};
    assert_ok(pp_lm_exec_new(&exec, &gpt, &source, NULL, NULL));
    assert_fails(pp_lm_evaluate(&e, exec, f->tokens, NULL, 20, NULL), "10 positions");
    pp_lm_exec_free(exec);
    moe.experts = 4;
    moe.experts_per_token = 2;
    assert_fails(pp_lm_exec_new(&exec, &moe, &source, NULL, NULL), "mixtures of experts");
    encoder.causal = false;
    assert_fails(pp_lm_exec_new(&exec, &encoder, &source, NULL, NULL), "decoders");
    assert_null(exec);
    drop(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sites_come_in_order_with_their_shapes),
        cmocka_unit_test(changes_take_effect),
        cmocka_unit_test(an_error_of_a_hook_comes_back),
        cmocka_unit_test(products_can_be_taken_over),
        cmocka_unit_test(weights_come_back_when_products_are_given_back),
        cmocka_unit_test(layers_run_one_by_one),
        cmocka_unit_test(scores_equal_those_of_the_logits),
        cmocka_unit_test(a_stride_below_the_window_scores_each_token_once),
        cmocka_unit_test(wrong_calls_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

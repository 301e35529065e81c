/* Values that move with a language model's tokens: equal to the executor to the bit on every schedule; schedules that no
 * pipeline may take are found; token by token equals windows but for the order of sums. */
#include "../workloads/test_lm_models.h"

#include "sim/lm_execute.h"
#include "workloads/lm_step.h"

enum { TEXT = 50, VOCAB = 19 };

typedef struct fixture {
    pp_lm *lm;
    pp_lmq_options o;
    pp_lmq *q;
    pp_arch arch;
    pp_arena *arena;
    pp_config *config;
    pp_fabric_options fabric;
    pp_map_options map;
    pp_quant_options quant;
    pp_lm_mapping *m;
    pp_lm_actors *actors;
    uint32_t text[TEXT];
    pp_lm_execute_input in;
} fixture;

static void bind(fixture *f, pp_knob_table table, void *options)
{
    assert_ok(pp_config_bind(f->config, &table, options));
}

static void map_model(fixture *f, const char *fabric)
{
    pp_knob_table tables[] = {pp_fabric_knobs(), pp_map_knobs(), pp_quant_knobs(), pp_lm_graph_knobs(), pp_lm_map_knobs()};
    pp_lm_map_input in = {.config = pp_lmq_config(f->q), .arch = &f->arch, .quant = &f->quant, .fabric = &f->fabric, .map = &f->map, .seed = 1};
    assert_ok(pp_arena_new(&f->arena));
    assert_ok(pp_config_new(&f->config, tables, sizeof tables / sizeof *tables));
    bind(f, tables[0], &f->fabric);
    bind(f, tables[1], &f->map);
    bind(f, tables[2], &f->quant);
    bind(f, tables[3], &in.graph);
    bind(f, tables[4], &in.lm);
    f->quant.abits = 4;
    assert_ok(pp_fabric_parse(&f->fabric, f->arena, fabric));
    assert_ok(pp_arch_from_preset(&f->arch, "none"));
    f->arch.rows = 16;
    f->arch.cols = 12;
    assert_ok(pp_lm_map(&f->m, &in));
    assert_ok(pp_lm_actors_new(&f->actors, f->m, 64));
}

static void begin(fixture *f, const char *fabric, bool gpt2)
{
    *f = (fixture){.o = pp_lmq_defaults()};
    lm_tensors t = {0};
    const pp_lm_config c = gpt2 ? small_gpt2() : small_llama("llama");
    char *json = gpt2 ? lm_gpt2_json(&c) : lm_llama_json(&c, "");
    if (gpt2)
        lm_gpt2_tensors(&t, &c, PP_DTYPE_F32);
    else
        lm_llama_tensors(&t, &c, PP_DTYPE_F32, "model.");
    lm_write("lm_execute_model", json, &t, 1);
    lm_tensors_free(&t);
    free(json);
    pp_rng rng = pp_rng_make(9, 1);
    for (int i = 0; i < TEXT; i++)
        f->text[i] = pp_rng_below(&rng, VOCAB);
    f->o.method = PP_LMQ_QUAROT;
    f->o.window = 16;
    f->o.calib_windows = 2;
    assert_ok(pp_lm_open(&f->lm, "lm_execute_model"));
    assert_ok(pp_lmq_new(&f->q, f->lm, &f->o, NULL, NULL, NULL));
    assert_ok(pp_lmq_quantize(f->q, f->text, TEXT, NULL, false, NULL));
    map_model(f, fabric);
    f->in = (pp_lm_execute_input){.q = f->q, .m = f->m, .actors = f->actors, .text = f->text, .n_text = TEXT, .rows = 16, .psum_bits = 16, .seed = 1};
}

static void end(fixture *f)
{
    pp_lm_actors_free(f->actors);
    pp_lm_mapping_free(f->m);
    pp_config_free(f->config);
    pp_arena_free(f->arena);
    pp_lmq_free(f->q);
    pp_lm_close(f->lm);
    remove_in("lm_execute_model", "model.safetensors");
    remove_in("lm_execute_model", "config.json");
    (void)rmdir("lm_execute_model");
}

static const pp_token_sequence three[] = {{0, 7, 5}, {0, 1, 6}, {2000000, 12, 0}};

/* What was sampled is the largest logit of the token before; prompts are the text. */
static void check_ids(const fixture *f, const pp_lm_execution *x)
{
    size_t at = 0;
    for (uint32_t s = 0; s < 3; s++) {
        for (uint32_t p = 0; p < three[s].prompt + three[s].decode; p++) {
            const uint32_t t = x->first[s] + p;
            if (p < three[s].prompt) {
                assert_int_equal(x->ids[t], f->text[at++]);
                continue;
            }
            for (uint32_t v = 0; v < VOCAB; v++)
                assert_true(x->logits[(size_t)(t - 1) * VOCAB + v] <= x->logits[(size_t)(t - 1) * VOCAB + x->ids[t]]);
        }
    }
}

static void logits_do_not_depend_on_the_schedule(void **state)
{
    (void)state;
    static const struct {
        uint32_t chunk;
        uint64_t in_flight;
        int scale;
    } run[] = {{0, 0, PP_ACT_SCALE_TOKEN}, {3, 0, PP_ACT_SCALE_TOKEN}, {0, 1, PP_ACT_SCALE_TOKEN}, {2, 4, PP_ACT_SCALE_TILE}};
    static const char *const fabrics[] = {"5pp", "mesh"};
    pp_lm_execution *first = NULL;
    for (size_t k = 0; k < 5; k++) {
        fixture f;
        pp_lm_execution *x = NULL;
        begin(&f, fabrics[k == 4], false);
        f.in.sequence = three;
        f.in.n_sequences = 3;
        f.in.prefill_chunk = run[k % 4].chunk;
        f.in.in_flight = run[k % 4].in_flight;
        f.in.act_scale = run[k % 4].scale;
        assert_ok(pp_lm_execute(&x, &f.in)); /* compares with the executor itself */
        assert_int_equal(x->tokens, 12 + 7 + 12);
        assert_int_equal(x->generated, 11);
        assert_int_equal(x->operators, 31 * (2 + 2 * 11)); /* embedding, head; 2 blocks of 7 matrices, 2 adds, attention, act */
        assert_true(x->timing->end_ps > 0);
        check_ids(&f, x);
        if (first != NULL && run[k % 4].scale == PP_ACT_SCALE_TOKEN)
            assert_memory_equal(first->logits, x->logits, x->tokens * VOCAB * sizeof(float));
        if (first == NULL)
            first = x;
        else
            pp_lm_execution_free(x);
        end(&f);
    }
    pp_lm_execution_free(first);
}

/* Sequences end while others enter: the memory for keys and values that codes take is that of the timing model (compared in
 * pp_lm_execute), although a token is sampled before it has left. */
static void sequences_that_end_among_others_free_their_memory(void **state)
{
    (void)state;
    enum { N = 24 };
    pp_token_sequence q[N];
    for (uint32_t i = 0; i < N; i++)
        q[i] = (pp_token_sequence){(uint64_t)i * 1200000, 1 + i % 3, 1 + i % 4};
    fixture f;
    pp_lm_execution *x = NULL;
    begin(&f, "ring", false);
    f.in.sequence = q;
    f.in.n_sequences = N;
    f.in.act_scale = PP_ACT_SCALE_TOKEN;
    assert_ok(pp_lm_execute(&x, &f.in));
    assert_true(x->kv_code_bytes > 0);
    pp_lm_execution_free(x);
    end(&f);
}

static void layer_norm_models_run_too(void **state)
{
    (void)state;
    fixture f;
    pp_lm_execution *x = NULL;
    begin(&f, "5pp", true);
    f.in.sequence = three;
    f.in.n_sequences = 3;
    assert_ok(pp_lm_execute(&x, &f.in));
    check_ids(&f, x);
    pp_lm_execution_free(x);
    end(&f);
}

/* Prompts are run before the time begins: the same tokens, logits and codes; what goes through the pipeline is decoded. */
static void decoding_alone_begins_with_the_prompts_cached(void **state)
{
    (void)state;
    static const pp_token_sequence decoding[] = {{0, 7, 5}, {0, 1, 6}, {2000000, 12, 1}};
    pp_lm_execution *x[2] = {NULL, NULL};
    fixture f;
    begin(&f, "mesh", false);
    f.in.sequence = decoding;
    f.in.n_sequences = 3;
    for (int k = 0; k < 2; k++) {
        f.in.scenario = k == 0 ? PP_SCENARIO_MIXED : PP_SCENARIO_DECODE;
        assert_ok(pp_lm_execute(&x[k], &f.in));
        assert_int_equal(x[k]->tokens, 32);
        assert_int_equal(x[k]->executed, k == 0 ? 32 : 12);
        assert_int_equal(x[k]->generated, 12);
    }
    assert_memory_equal(x[0]->ids, x[1]->ids, 32 * sizeof *x[0]->ids);
    assert_memory_equal(x[0]->logits, x[1]->logits, 32 * VOCAB * sizeof(float));
    /* 4 bits a key and value of every head and block, and a scale and a zero point a head */
    const pp_lm_config *c = pp_lmq_config(f.q);
    assert_int_equal(x[0]->kv_code_bytes, x[0]->timing->kv_tokens_high * 2 * c->layers * c->kv_heads * c->head_dim * 4 / 8);
    assert_int_equal(x[0]->kv_scale_bytes, x[0]->timing->kv_tokens_high * 2 * c->layers * c->kv_heads * 8);
    assert_int_equal(x[0]->kv_code_bytes, x[0]->timing->kv_tokens_high * f.actors->net.kv_bytes_token);
    pp_lm_execution_free(x[0]);
    pp_lm_execution_free(x[1]);
    end(&f);
}

/* ---- devices that err ---- */

/* Equal to the executor on the same devices, to the bit (pp_lm_execute compares); with the noise of whole windows, as
 * accuracy studies have it: their executor's logits, but for the order of float sums. */
static void noisy_devices_are_read_as_in_windows(void **state)
{
    (void)state;
    fixture f;
    pp_lm_execution *x = NULL, *again = NULL, *exact = NULL;
    begin(&f, "mesh", false);
    const pp_noise_options noise = {.seeds = 1, .read = PP_READ_ACCUMULATED, .compensation = "none", .compensation_reads = 16, .calib_images = 2};
    const pp_device_options options = {.model = "aihwkit-pcm", .times_s = "25", .yield = 1, .sigma = 0.038, .verify_reads = 1,
                                       .verify_window = 0.01, .program_poly = "", .nu_mean_poly = "", .nu_std_poly = "", .read_poly = ""};
    pp_device device;
    pp_lm_crossbars *crossbars = NULL;
    f.arch.psum_bits = 16;
    f.arch.adc_bits = 0;
    assert_ok(pp_device_resolve(&device, &options));
    const pp_lm_crossbars_input in = {.q = f.q, .arch = &f.arch, .device = &device, .noise = &noise, .calib = f.text, .n_calib = TEXT, .window = 25};
    assert_ok(pp_lm_crossbars_new(&crossbars, &in));
    static const pp_token_sequence two[] = {{0, 7, 3}, {0, 38, 2}}; /* blocks of 32 tokens: the second one goes into another */
    f.in.sequence = two;
    f.in.n_sequences = 2;
    assert_ok(pp_lm_execute(&exact, &f.in));
    f.in.crossbars = crossbars;
    assert_ok(pp_lm_execute(&x, &f.in));
    f.in.in_flight = 2;
    assert_ok(pp_lm_execute(&again, &f.in));
    assert_memory_equal(x->logits, again->logits, x->tokens * VOCAB * sizeof(float));
    assert_memory_not_equal(x->logits, exact->logits, x->tokens * VOCAB * sizeof(float));
    const pp_lm_window windows[] = {{0, 0, 10}, {10, 10, 40}};
    const pp_lm_batch batch = {x->ids, windows, 2, 50};
    float *want = malloc(50 * VOCAB * sizeof *want);
    assert_ok(pp_lm_exec_logits(pp_lm_crossbars_exec(crossbars), &batch, want));
    int near = 0;
    for (int i = 0; i < 50 * VOCAB; i++)
        near += fabsf(want[i] - x->logits[i]) < 1e-4f;
    assert_true(near > 50 * VOCAB * 95 / 100);
    free(want);
    pp_lm_execution_free(x);
    pp_lm_execution_free(again);
    pp_lm_execution_free(exact);
    pp_lm_crossbars_free(crossbars);
    end(&f);
}

/* ---- token by token ---- */

static void stepwise_is_the_executor_but_for_the_order_of_sums(void **state)
{
    (void)state;
    fixture f;
    pp_lm_exec *exec[2] = {NULL, NULL};
    float logits[2][TEXT * VOCAB];
    pp_lm_window *windows = NULL;
    size_t n;
    begin(&f, "5pp", false);
    const pp_lm_source source = pp_lm_source_of(f.lm);
    assert_ok(pp_lm_windows(&windows, &n, TEXT, 25, 25));
    const pp_lm_batch batch = {f.text, windows, n, TEXT};
    for (int k = 0; k < 2; k++) {
        const pp_lm_exec_options o = {.stepwise = k == 1};
        assert_ok(pp_lm_exec_new(&exec[k], pp_lm_config_of(f.lm), &source, NULL, &o));
        assert_ok(pp_lm_exec_logits(exec[k], &batch, logits[k]));
    }
    for (int i = 0; i < TEXT * VOCAB; i++)
        assert_true(fabsf(logits[0][i] - logits[1][i]) < 1e-4f);
    pp_lm_exec_free(exec[0]);
    pp_lm_exec_free(exec[1]);
    free(windows);
    end(&f);
}

static void refuse(pp_lm_exec *e, pp_lm_token *t, pp_lm_cache *c, uint32_t layer, pp_lm_step step, const char *word)
{
    assert_int_equal(pp_lm_token_step(e, t, c, layer, step), PP_EINTERNAL);
    if (strstr(pp_error_text(), word) == NULL)
        fail_msg("'%s' does not say '%s'", pp_error_text(), word);
}

static void orders_that_no_pipeline_may_take_are_found(void **state)
{
    (void)state;
    fixture f;
    pp_lm_exec *e = NULL;
    pp_lm_cache *c = NULL;
    pp_lm_token *a = NULL, *b = NULL;
    begin(&f, "5pp", false);
    const pp_lm_source source = pp_lm_source_of(f.lm);
    assert_ok(pp_lm_exec_new(&e, pp_lm_config_of(f.lm), &source, NULL, NULL));
    assert_ok(pp_lm_cache_new(&c, pp_lm_config_of(f.lm), 4, NULL));
    assert_ok(pp_lm_token_new(&a, e, 3, 0, 0, 0));
    assert_ok(pp_lm_token_new(&b, e, 4, 0, 1, 1));
    refuse(e, a, c, 0, PP_LM_STEP_Q, "block before");
    assert_ok(pp_lm_token_step(e, a, c, 0, PP_LM_STEP_EMBED));
    assert_ok(pp_lm_token_step(e, b, c, 0, PP_LM_STEP_EMBED));
    refuse(e, a, c, 1, PP_LM_STEP_Q, "block before");
    refuse(e, a, c, 0, PP_LM_STEP_ATTENTION, "q_proj");
    refuse(e, a, c, 0, PP_LM_STEP_FFN_ADD, "down_proj");
    refuse(e, a, c, 0, PP_LM_STEP_HEAD, "block before");
    assert_null(pp_lm_token_logits(a));
    for (int k = PP_LM_STEP_Q; k <= PP_LM_STEP_V; k++)
        assert_ok(pp_lm_token_step(e, b, c, 0, (pp_lm_step)k));
    refuse(e, b, c, 0, PP_LM_STEP_V, "twice");
    refuse(e, b, c, 0, PP_LM_STEP_ATTENTION, "cache");
    pp_lm_token_free(a);
    assert_int_equal(pp_lm_token_new(&a, e, VOCAB, 0, 0, 0), PP_ERANGE);
    assert_null(a);
    pp_lm_token_free(b);
    pp_lm_cache_free(c);
    pp_lm_exec_free(e);
    end(&f);
}

/* A timing model that lets an addition fire with the residual alone is found. */
static void a_timing_model_that_fires_too_early_is_found(void **state)
{
    (void)state;
    fixture f;
    pp_lm_execution *x = NULL;
    bool changed = false;
    begin(&f, "5pp", false);
    f.in.sequence = three;
    f.in.n_sequences = 3;
    for (uint32_t a = 0; a < f.actors->net.n_actors && !changed; a++) {
        const pp_lm_actor *at = &f.actors->actor[a];
        if (at->stage == PP_NONE || strcmp(f.m->stage[at->stage].name, "attn_add") != 0 || f.actors->net.actor[a].inputs < 2)
            continue;
        f.actors->net.actor[a].inputs--;
        changed = true;
    }
    assert_true(changed);
    assert_int_equal(pp_lm_execute(&x, &f.in), PP_EINTERNAL);
    assert_non_null(strstr(pp_error_text(), "o_proj is missing"));
    end(&f);
}

static void what_cannot_run_is_refused(void **state)
{
    (void)state;
    fixture f;
    pp_lm_execution *x = NULL;
    begin(&f, "5pp", false);
    f.in.sequence = three;
    f.in.n_sequences = 3;
    f.in.scenario = PP_SCENARIO_DECODE;
    assert_int_equal(pp_lm_execute(&x, &f.in), PP_EINVAL);
    f.in.scenario = PP_SCENARIO_MIXED;
    f.in.n_text = 0;
    assert_int_equal(pp_lm_execute(&x, &f.in), PP_EINVAL);
    f.in.n_text = TEXT;
    f.text[3] = VOCAB;
    assert_int_equal(pp_lm_execute(&x, &f.in), PP_ERANGE);
    assert_null(x);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_do_not_depend_on_the_schedule),
        cmocka_unit_test(sequences_that_end_among_others_free_their_memory),
        cmocka_unit_test(layer_norm_models_run_too),
        cmocka_unit_test(decoding_alone_begins_with_the_prompts_cached),
        cmocka_unit_test(noisy_devices_are_read_as_in_windows),
        cmocka_unit_test(stepwise_is_the_executor_but_for_the_order_of_sums),
        cmocka_unit_test(orders_that_no_pipeline_may_take_are_found),
        cmocka_unit_test(a_timing_model_that_fires_too_early_is_found),
        cmocka_unit_test(what_cannot_run_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

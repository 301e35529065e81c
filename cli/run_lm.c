#include "cli/run_lm.h"

#include "cli/lm_values.h"
#include "report/lm_report.h"
#include "sim/lm_execute.h"
#include "sim/tokens_sample.h"
#include "sim/tokens_way.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOPS UINT64_C(800000000) /* of all tokens in lockstep; more only if its coarsest needs more */

typedef struct lm_run {
    pp_session *s;
    pp_lm_config config;
    pp_lm_way way;
    pp_lm_sampler *sampler;
    pp_lm_sample sample;
    pp_lm_lockstep_options lockstep;
    pp_lm_actors *actors, *coarsest; /* coarsest: lockstep */
    pp_token_sequence *sequence;
    pp_token_setup setup;
    pp_token_result *result;
    pp_lm_energy *energy;
    pp_lm_pipeline *pipeline;
    pp_lm_run all;        /* for report and trace: borrows from here */
    pp_lm_summary summary;
    pp_lm_tables tables;
    double map_s;
    uint64_t executed, generated; /* tokens whose values moved; sampled ones */
    uint64_t kv_code_bytes, kv_scale_bytes;
    pp_lm_crossbars *crossbars;   /* NULL: exact */
} lm_run;

/* ---- steps ---- */

static pp_status map_model(lm_run *r)
{
    const double start_s = pp_clock_s();
    PP_TRY(pp_session_lm_map(r->s));
    r->map_s = pp_clock_s() - start_s;
    return PP_OK;
}

/* Decoding alone of an encoder, or its decoding at all, is refused by the simulator; the default scenario is not. An image is
 * all of its patches, with the tokens in front of them. */
static void settle_scenario(lm_run *r)
{
    pp_session *s = r->s;
    if (!r->config.causal && !pp_config_is_set(s->config, "workload", "scenario"))
        s->tokens.scenario = PP_SCENARIO_PREFILL;
    if (r->config.patch_values > 0 && !pp_config_is_set(s->config, "workload", "prompt_tokens"))
        s->tokens.prompt_tokens = r->config.positions;
}

static pp_status set_up(lm_run *r)
{
    pp_session *s = r->s;
    settle_scenario(r);
    r->setup = (pp_token_setup){.scenario = s->tokens.scenario, .prefill_chunk = (uint32_t)s->tokens.prefill_chunk,
                                .in_flight = (uint64_t)s->tokens.in_flight, .seed = (uint64_t)s->run_options.seed,
                                .exact = s->sim_options.exact == PP_EXACT_TRUE || s->trace != NULL};
    if (s->sim_options.kernel != PP_KERNEL_NATIVE)
        r->setup.kernel = 1 + s->sim_options.kernel;
    PP_TRY(pp_token_sequences(&r->sequence, &r->setup.n_sequences, &s->tokens, r->setup.seed));
    r->setup.sequence = r->sequence;
    return PP_OK;
}

static uint64_t tokens_of(const pp_token_setup *setup)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < setup->n_sequences; i++)
        n += setup->sequence[i].decode + (setup->scenario == PP_SCENARIO_DECODE ? 0 : setup->sequence[i].prompt);
    return n;
}

static void watch(void *run, const pp_token_busy *busy)
{
    lm_run *r = run;
    if (r->s->trace != NULL)
        pp_trace_token(r->s->trace, busy);
    pp_lm_pipeline_take(r->pipeline, busy);
}

/* The pipeline's picture shows tokens that enter when it is full, or half of them have. A trace sees all. */
static pp_status watch_tokens(lm_run *r)
{
    const uint64_t all = tokens_of(&r->setup), sequences = r->setup.n_sequences;
    uint32_t longest = 1;
    uint64_t first;
    for (uint32_t i = 0; i < sequences; i++) {
        const uint32_t n = r->sequence[i].prompt + r->sequence[i].decode;
        longest = n > longest ? n : longest;
    }
    if (longest > r->actors->net.max_context)
        return PP_OK; /* refused by the simulator, in its words */
    PP_TRY(pp_token_fill(&first, &r->actors->net, longest));
    first = first > all / 2 ? all / 2 : first;
    if (r->setup.scenario == PP_SCENARIO_DECODE && first > sequences)
        first = sequences;
    PP_TRY(pp_lm_pipeline_new(&r->pipeline, r->s->lm, r->actors, first));
    r->setup.watch = watch;
    r->setup.watcher = r;
    r->setup.watch_from = r->s->trace != NULL ? 0 : first;
    r->setup.watch_to = r->s->trace != NULL ? UINT64_MAX : first + PP_LM_PIPELINE_TOKENS;
    return PP_OK;
}

static pp_status pace(lm_run *r, const pp_lm_actors *actors)
{
    pp_token_bounds b;
    if (r->s->tokens.entry != PP_ENTRY_PACED)
        return PP_OK;
    PP_TRY(pp_token_bounds_at(&b, &actors->net, 1));
    r->setup.entry_ps = b.interval_ps;
    return PP_OK;
}

/* With the coarsest lockstep, whatever is simulated afterwards: it takes least time, and all ways are comparable. */
static pp_status fill_pipeline(lm_run *r)
{
    const pp_lm_lockstep_options coarsest = {.grain = PP_LM_GRAINS};
    if (r->way.tiles && r->setup.in_flight > 0)
        return PP_OK;
    PP_TRY(pp_lm_actors_lockstep(&r->coarsest, r->s->lm, 0, &coarsest));
    PP_TRY(pace(r, r->coarsest));
    return r->setup.in_flight > 0 ? PP_OK : pp_token_fill_loaded(&r->setup.in_flight, &r->coarsest->net, &r->setup);
}

/* Lockstep as near to every tile as some seconds allow, by a sample of this mapping; without one as fine as they do. */
static pp_status lockstep(lm_run *r)
{
    const uint64_t tokens = tokens_of(&r->setup), most = tokens > 0 ? HOPS / tokens : HOPS;
    const pp_lm_sample_input in = {.m = r->s->lm, .setup = &r->setup, .paced = r->s->tokens.entry == PP_ENTRY_PACED,
                                   .services_token = r->way.services / (double)(tokens > 0 ? tokens : 1),
                                   .pool = r->s->pool};
    pp_lm_lockstep_options *o = &r->lockstep;
    *o = (pp_lm_lockstep_options){.hops_most = most > 0 ? most : 1};
    PP_TRY(pp_lm_sampler_new(&r->sampler, &in));
    PP_TRY(pp_lm_sampler_lockstep(&r->actors, o, r->sampler, &r->coarsest->net));
    o->grain = 1 + r->actors->grain;
    return PP_OK;
}

static pp_status take_way(lm_run *r)
{
    const pp_session *s = r->s;
    PP_TRY(pp_lm_choose_way(&r->way, s->lm, s->sim_options.exact, tokens_of(&r->setup)));
    PP_TRY(fill_pipeline(r));
    return r->way.tiles ? pp_lm_actors_exact(&r->actors, s->lm, &s->arch, (uint32_t)s->quant.psum_bits, 0, 0) : lockstep(r);
}

static pp_status simulate(lm_run *r)
{
    pp_session *s = r->s;
    pp_progress bar;
    PP_TRY(take_way(r));
    PP_TRY(pace(r, r->actors));
    if (!r->way.tiles)
        PP_TRY(pp_lm_sampler_take(&r->sample, r->sampler, &r->lockstep));
    PP_TRY(watch_tokens(r));
    pp_progress_begin(&bar, "tokens", tokens_of(&r->setup));
    r->setup.progress = &bar;
    pp_status status = pp_simulate_tokens(&r->result, &r->actors->net, &r->setup);
    pp_progress_end(&bar);
    r->setup.progress = NULL;
    PP_TRY(status);
    return pp_lm_energy_new(&r->energy, &s->cost, &s->arch, (uint32_t)s->quant.wbits, r->s->lm, r->actors, &r->setup, r->result);
}

/* Devices that err: programmed with the run's seed, at the first time, with the first compensation that is asked for. */
static pp_status settle_devices(pp_session *s, pp_lm_crossbars *x)
{
    double *times = NULL, since = 0;
    pp_compensation *c = NULL;
    size_t n_times = 0, n_c = 0;
    pp_status status = pp_number_list(&times, &n_times, s->device_options.times_s, "device.times_s");
    if (status == PP_OK && n_times == 0)
        status = pp_fail(PP_EINVAL, "device.times_s: expected at least one time");
    if (status == PP_OK)
        status = pp_compensation_list(&c, &n_c, s->noise.compensation);
    if (status == PP_OK)
        status = pp_device_time(&s->device, times[0], &since);
    if (status == PP_OK)
        status = pp_lm_crossbars_program(x, (uint64_t)s->run_options.seed, since);
    if (status == PP_OK && n_c > 0)
        status = pp_lm_crossbars_compensate(x, c[0]);
    if (status == PP_OK && s->noise.adc_ranges == 1)
        status = pp_lm_crossbars_recalibrate(x);
    free(times);
    free(c);
    return status;
}

static pp_status make_devices(lm_run *r, const pp_lm_values *v)
{
    const pp_session *s = r->s;
    if (strcmp(s->device_options.model, "ideal") == 0 || strcmp(s->device_options.model, "sram") == 0)
        return PP_OK;
    const pp_lm_crossbars_input in = {.q = v->q, .arch = &s->arch, .device = &s->device, .noise = &s->noise,
                                      .act_scale = pp_lm_values_scale(s), .calib = v->calib_text.ids, .n_calib = v->calib_text.n,
                                      .window = (uint32_t)s->workload.window, .pool = s->pool};
    PP_TRY(pp_lm_crossbars_new(&r->crossbars, &in));
    return settle_devices(r->s, r->crossbars);
}

/* The same scenario with values: every token, one event after the other; logits must be the quantized executor's. */
static pp_status execute_with(lm_run *r, pp_lm_values *v)
{
    pp_session *s = r->s;
    pp_lm_execution *x = NULL;
    PP_TRY(pp_lm_values_open(v, s, s->workload.model, true));
    PP_TRY(make_devices(r, v));
    const pp_lm_execute_input in = {.q = v->q, .m = s->lm, .actors = r->actors, .sequence = r->sequence,
                                    .n_sequences = r->setup.n_sequences, .text = v->text.ids, .n_text = v->text.n,
                                    .scenario = r->setup.scenario, .prefill_chunk = r->setup.prefill_chunk,
                                    .in_flight = r->setup.in_flight, .entry_ps = r->setup.entry_ps,
                                    .act_scale = pp_lm_values_scale(s),
                                    .rows = (uint32_t)s->arch.rows, .psum_bits = (uint32_t)s->arch.psum_bits, .seed = r->setup.seed,
                                    .crossbars = r->crossbars};
    PP_TRY(pp_lm_execute(&x, &in));
    r->executed = x->executed;
    r->generated = x->generated;
    r->kv_code_bytes = x->kv_code_bytes;
    r->kv_scale_bytes = x->kv_scale_bytes;
    pp_lm_execution_free(x);
    return PP_OK;
}

static pp_status execute(lm_run *r)
{
    pp_lm_values v = {0};
    if (r->s->sim_options.execute == 0)
        return PP_OK;
    const pp_status status = execute_with(r, &v);
    pp_lm_crossbars_free(r->crossbars);
    pp_lm_values_free(&v);
    return status;
}

/* ---- results ---- */

static pp_status print(lm_run *r, const char *path)
{
    const double wall_s = pp_clock_s() - r->s->start_s;
    if (pp_args_has(r->s->args, "json")) {
        pp_json *json = pp_json_object();
        pp_lm_summary_json(&r->summary, json);
        pp_lm_tables_json(&r->tables, json);
        if (r->executed > 0) {
            pp_json_add_i64(json, "executed_tokens", (int64_t)r->executed);
            pp_json_add_i64(json, "generated_tokens", (int64_t)r->generated);
            pp_json_add_i64(json, "kv_code_bytes", (int64_t)r->kv_code_bytes);
            pp_json_add_i64(json, "kv_scale_bytes", (int64_t)r->kv_scale_bytes);
            pp_json_add_text(json, "executed_devices", r->s->device_options.model);
        }
        pp_json_add_f64(json, "wall_s", wall_s);
        pp_json_add_f64(json, "map_s", r->map_s);
        pp_json_add_f64(json, "simulate_s", r->result->simulate_s);
        pp_json_add_text(json, "report", path);
        pp_session_trace_json(r->s, json);
        return pp_print_json(json);
    }
    PP_TRY(pp_lm_report_print(&r->summary, &r->tables, stdout, isatty(1) && getenv("NO_COLOR") == NULL));
    if (r->executed > 0)
        printf("\nexecuted    %llu tokens with real values on devices '%s', %llu sampled: logits equal to the quantized executor's to the bit\n"
               "            keys and values held as codes: %llu bytes, %llu of scales beside them\n",
               (unsigned long long)r->executed, r->s->device_options.model, (unsigned long long)r->generated,
               (unsigned long long)r->kv_code_bytes, (unsigned long long)r->kv_scale_bytes);
    printf("\nreport      %s\n", path);
    pp_session_trace_print(r->s);
    printf("time taken  %.2f s, of which mapping %.2f s, simulation %.2f s (%.3g million events a second)\n", wall_s,
           r->map_s, r->result->simulate_s, (double)r->result->events * 1e-6 / (r->result->simulate_s > 0 ? r->result->simulate_s : 1));
    return fflush(stdout) == 0 ? PP_OK : pp_fail(PP_EIO, "stdout: cannot be written");
}

static pp_status report(lm_run *r, const char *path, bool force)
{
    pp_session *s = r->s;
    static const char *const names[] = {"mixed", "prefill", "decode"};
    r->all = (pp_lm_run){.config = s->config, .command = s->command, .seed = (uint64_t)s->run_options.seed,
                         .wbits = (uint32_t)s->quant.wbits, .arch = &s->arch, .mapping = r->s->lm, .actors = r->actors,
                         .setup = &r->setup, .result = r->result, .energy = r->energy, .pipeline = r->pipeline,
                         .scenario = names[r->setup.scenario],
                         .switching = r->way.tiles ? "exact" : "lockstep", .way = &r->way, .sample = &r->sample};
    PP_TRY(pp_lm_summary_fill(&r->summary, &r->all));
    PP_TRY(pp_lm_tables_fill(&r->tables, &r->all));
    PP_TRY(pp_session_trace_write(s, &r->all));
    PP_TRY(pp_lm_report_write(path, &r->all, &r->summary, &r->tables, force));
    const char *plot = pp_args_get(s->args, "plot");
    return plot != NULL ? pp_lm_report_draw(&r->summary, &r->tables, plot, force) : PP_OK;
}

static pp_status run_steps(lm_run *r, const char *path, bool force)
{
    PP_TRY(pp_lm_find(&r->config, NULL, r->s->workload.model));
    PP_TRY(set_up(r));
    PP_TRY(map_model(r));
    PP_TRY(simulate(r));
    PP_TRY(execute(r));
    PP_TRY(report(r, path, force));
    return print(r, path);
}

pp_status pp_run_lm(pp_session *s, const char *path, bool force)
{
    lm_run r = {.s = s};
    const pp_status status = run_steps(&r, path, force);
    pp_lm_tables_free(&r.tables);
    pp_lm_energy_free(r.energy);
    pp_lm_pipeline_free(r.pipeline);
    pp_lm_sampler_free(r.sampler);
    pp_lm_actors_free(r.coarsest);
    pp_token_result_free(r.result);
    pp_lm_actors_free(r.actors);
    free(r.sequence);
    return status;
}

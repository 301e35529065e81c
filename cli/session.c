#include "cli/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- opening: configuration from defaults, preset, file and overrides ---- */

static pp_status apply_overrides(pp_session *s)
{
    for (size_t i = 0; i < s->args->n_options; i++) {
        if (strcmp(s->args->option_name[i], "set") == 0)
            PP_TRY(pp_config_set(s->config, s->args->option_value[i]));
    }
    const char *seed = pp_args_get(s->args, "seed");
    if (seed == NULL)
        return PP_OK;
    char text[96];
    snprintf(text, sizeof text, "simulate.seed=%.60s", seed);
    return pp_config_set(s->config, text);
}

/* fabric.channel in place of the width and clock that nobody set. */
static pp_status apply_channel(pp_session *s)
{
    static const char *const names[] = {[PP_CHANNEL_CUSTOM] = "custom", [PP_CHANNEL_5G] = "5g", [PP_CHANNEL_LLM] = "llm"};
    const char *chosen = pp_config_text(s->config, "fabric", "channel"), *name, *value;
    for (int k = 0; k <= PP_CHANNEL_LLM; k++) {
        for (size_t i = 0; strcmp(chosen, names[k]) == 0 &&
                           (name = pp_channel_preset_value((pp_channel_preset)k, i, &value)) != NULL; i++) {
            char text[96];
            snprintf(text, sizeof text, "fabric.%s=%s", name, value);
            if (!pp_config_is_set(s->config, "fabric", name))
                PP_TRY(pp_config_set(s->config, text));
        }
    }
    return PP_OK;
}

/* Values of a preset are defaults below what the user set. They go through the configuration, so that
 * reports hold what was used. */
static pp_status apply_preset(pp_session *s)
{
    const char *preset = pp_config_text(s->config, "arch", "preset");
    const char *section, *name, *value;
    for (size_t i = 0; pp_arch_preset_value(preset, i, &section, &name, &value); i++) {
        if (pp_config_is_set(s->config, section, name))
            continue;
        char text[160];
        snprintf(text, sizeof text, "%s.%s=%s", section, name, value);
        PP_TRY(pp_config_set(s->config, text));
    }
    return PP_OK;
}

/* Float weights on the devices: the quantized network lends its digital end only, as fine as it gets. */
static void float_weights(pp_session *s)
{
    if (s->arch.weights != PP_WEIGHTS_FLOAT)
        return;
    if (!pp_config_is_set(s->config, "quant", "wbits"))
        s->quant.wbits = 8;
    if (!pp_config_is_set(s->config, "quant", "weights"))
        s->quant.weights = PP_WQUANT_MAX;
    if (!pp_config_is_set(s->config, "quant", "bias_correction"))
        s->quant.bias_correction = false;
}

_Static_assert((int)PP_LM_SCALE_TILE == PP_QSCALE_TILE && (int)PP_LM_SCALE_TOKEN == PP_QSCALE_TOKEN, "one knob");

static pp_status bind_all(pp_session *s)
{
    pp_knob_table table = pp_workload_knobs();
    PP_TRY(pp_config_bind(s->config, &table, &s->workload));
    table = pp_run_knobs();
    PP_TRY(pp_config_bind(s->config, &table, &s->run_options));
    table = pp_quant_knobs();
    PP_TRY(pp_config_bind(s->config, &table, &s->quant));
    table = pp_lmq_knobs();
    PP_TRY(pp_config_bind(s->config, &table, &s->lm_quant));
    table = pp_lm_graph_knobs();
    PP_TRY(pp_config_bind(s->config, &table, &s->lm_graph));
    table = pp_token_knobs();
    PP_TRY(pp_config_bind(s->config, &table, &s->tokens));
    table = pp_map_knobs();
    PP_TRY(pp_config_bind(s->config, &table, &s->map_options));
    table = pp_lm_map_knobs();
    PP_TRY(pp_config_bind(s->config, &table, &s->lm_map_options));
    table = pp_sim_knobs();
    PP_TRY(pp_config_bind(s->config, &table, &s->sim_options));
    table = pp_device_knobs();
    PP_TRY(pp_config_bind(s->config, &table, &s->device_options));
    table = pp_noise_knobs();
    PP_TRY(pp_config_bind(s->config, &table, &s->noise));
    PP_TRY(pp_device_resolve(&s->device, &s->device_options));
    table = pp_fabric_knobs();
    PP_TRY(pp_config_bind(s->config, &table, &s->fabric_options));
    PP_TRY(pp_arch_resolve(&s->arch, s->config));
    PP_TRY(pp_cost_resolve(&s->cost, s->config, &s->arch));
    if (!pp_config_is_set(s->config, "quant", "psum_bits"))
        s->quant.psum_bits = s->arch.psum_bits;
    if (!pp_config_is_set(s->config, "quant", "rotation_rows"))
        s->quant.rotation_rows = s->arch.rows;
    if (!pp_config_is_set(s->config, "quant", "rotation_cols"))
        s->quant.rotation_cols = s->arch.cols / pp_arch_slices(&s->arch, (uint32_t)s->quant.wbits);
    s->quant.activation_scale = s->lm_graph.act_scale; /* one knob for both */
    float_weights(s);
    /* Patches that somebody chose by hand are not mixed with copies that the mapper chooses. */
    if (pp_config_is_set(s->config, "mapping", "unroll") && strcmp(s->map_options.unroll, "auto") != 0 &&
        !pp_config_is_set(s->config, "mapping", "copies"))
        s->map_options.copies = "1";
    const pp_status status = pp_fabric_parse(&s->fabric_options, s->arena, s->fabric_options.kind);
    const bool by_kind = pp_config_is_set(s->config, "fabric", "kind") && s->fabric_options.level_list == NULL;
    return status != PP_OK && by_kind ? pp_fail_in(status, pp_config_place(s->config, "fabric", "kind")) : status;
}

/* Whether there is such a file, options behind it (FILE:input=..., FOLDER:size=...) aside. */
static pp_status file_named(const char *value, bool *found)
{
    char *path;
    PP_TRY(pp_path_named(&path, value));
    *found = path != NULL;
    free(path);
    return PP_OK;
}

/* A file that a run file names is looked for where we are, then beside the run file. */
static pp_status find_beside(pp_session *s, const char *run_file, const char **value)
{
    bool found = false;
    if (run_file == NULL || *value == NULL || (*value)[0] == 0)
        return PP_OK;
    PP_TRY(file_named(*value, &found));
    if (found)
        return PP_OK;
    char *dir = pp_path_dir(run_file), *joined = dir != NULL ? pp_path_join(dir, *value) : NULL;
    pp_status status = joined != NULL ? file_named(joined, &found) : PP_ENOMEM;
    if (found) {
        *value = pp_arena_strdup(s->arena, joined);
        status = *value != NULL ? PP_OK : PP_ENOMEM;
    }
    free(dir);
    free(joined);
    return status;
}

static pp_status find_files(pp_session *s, const char *run_file)
{
    PP_TRY(find_beside(s, run_file, &s->workload.model));
    PP_TRY(find_beside(s, run_file, &s->workload.data));
    PP_TRY(find_beside(s, run_file, &s->tokens.trace));
    PP_TRY(find_beside(s, run_file, &s->quant.calib));
    PP_TRY(find_beside(s, run_file, &s->fabric_options.file));
    const char *const read[] = {s->workload.model, s->workload.data, s->tokens.trace, s->quant.calib, s->fabric_options.file};
    for (size_t i = 0; i < sizeof read / sizeof *read; i++)
        PP_TRY(pp_output_spares(s->args, read[i]));
    return PP_OK;
}

/* A model where the run file should be is a likely mistake: the line says how a run takes it. */
static pp_status read_run_file(pp_session *s, const char *file)
{
    if (pp_qnetwork_is_folder(file) || pp_lmq_is_folder(file) || pp_lm_is_known(file))
        return pp_fail(PP_EINVAL, "%s: not a run file; a run file names its model, or: FILE.yaml --set workload.model=%s", file, file);
    return pp_config_load(s->config, file);
}

pp_status pp_session_open(pp_session *s, const pp_parsed *args, const char *file)
{
    *s = (pp_session){.args = args, .start_s = pp_clock_s()};
    int64_t threads;
    PP_TRY(pp_args_i64(args, "threads", pp_cpu_count(), 1, 1024, &threads));
    pp_term_set_quiet(pp_args_has(args, "quiet"));
    size_t n;
    const pp_knob_table *tables = pp_all_knobs(&n);
    PP_TRY(pp_arena_new(&s->arena));
    PP_TRY(pp_config_new(&s->config, tables, n));
    if (file != NULL)
        PP_TRY(read_run_file(s, file));
    PP_TRY(apply_overrides(s));
    PP_TRY(apply_channel(s));
    PP_TRY(apply_preset(s));
    PP_TRY(pp_session_settle_files(s));
    PP_TRY(bind_all(s));
    PP_TRY(pp_session_check_words(s));
    PP_TRY(find_files(s, file));
    s->command = pp_canonical_command(s->args);
    if (s->command == NULL)
        return PP_ENOMEM;
    return pp_pool_new(&s->pool, (unsigned)threads);
}

void pp_session_reset(pp_session *s)
{
    free(s->adc);
    pp_crossbar_free(s->crossbar);
    pp_energy_free(s->energy);
    pp_run_result_free(s->run);
    pp_mapping_free(s->mapping);
    pp_lm_mapping_free(s->lm);
    pp_fabric_free(s->fabric);
    pp_qnetwork_free(s->q);
    pp_dataset_free(s->data);
    pp_dataset_free(s->calib);
    pp_stages_free(s->stages);
    pp_network_free(s->net);
    pp_session_leave_folder(s);
    s->adc = NULL;
    s->crossbar = NULL;
    s->run = NULL;
    s->mapping = NULL;
    s->lm = NULL;
    s->fabric = NULL;
    s->q = NULL;
    s->data = s->calib = NULL;
    s->stages = NULL;
    s->net = NULL;
    s->energy = NULL;
    s->accuracy = (pp_accuracy){0};
}

void pp_session_close(pp_session *s)
{
    pp_session_reset(s);
    pp_trace_free(s->trace);
    pp_pool_free(s->pool);
    pp_config_free(s->config);
    pp_arena_free(s->arena);
    free(s->command);
}

/* ---- steps ---- */

pp_status pp_session_network(pp_session *s)
{
    PP_TRY(pp_session_folder(s));
    PP_TRY(pp_model_open(&s->net, s->workload.model));
    return pp_stages_build(&s->stages, s->net);
}

/* Data that goes with a network when the user names none. NULL: none is known. */
static const char *usual_data(const pp_network *net, bool calibration)
{
    pp_shape in = net->ops[0].out;
    if (in.h != 32 || in.w != 32 || in.c != 3)
        return NULL;
    return calibration ? "cifar10-calib" : "cifar10-test-1000";
}

static pp_status open_data(const pp_session *s, const char *name, bool calibration, int64_t limit, pp_dataset **out)
{
    if (strcmp(name, "auto") == 0 || (calibration && strcmp(name, "cifar10-calib") == 0))
        name = usual_data(s->net, calibration);
    if (name == NULL)
        return pp_fail(PP_ENOTFOUND, "%s: no data set goes with %s by itself: set %s", s->workload.model, s->net->name,
                       calibration ? "quant.calib (a folder of images will do, without labels)" : "workload.data (or workload.images=0)");
    PP_TRY(pp_dataset_open(out, name, (uint32_t)limit));
    return calibration ? pp_dataset_feeds(*out, s->net) : pp_dataset_fits(*out, s->net);
}

/* Timing reads shapes and widths alone: without values there is nothing to calibrate. */
static bool needs_values(const pp_session *s)
{
    return s->net->has_weights && (s->values || s->sim_options.execute > 0);
}

static pp_status need_data(pp_session *s)
{
    return s->data != NULL ? PP_OK : open_data(s, s->workload.data, false, s->workload.images, &s->data);
}

/* What is evaluated later is opened first: a data set that is not there, or does not fit, is said before the work. */
pp_status pp_session_quantize(pp_session *s)
{
    if (needs_values(s) && (s->sim_options.execute > 0 || pp_session_evaluates(s)))
        PP_TRY(need_data(s));
    if (needs_values(s))
        PP_TRY(open_data(s, s->quant.calib, true, s->quant.calib_images, &s->calib));
    if (s->folder != NULL && needs_values(s))
        return pp_qnetwork_read(&s->q, s->net, s->stages, s->folder->dir);
    return pp_quantize(&s->q, s->net, s->stages, &s->quant, s->calib, s->pool);
}

pp_status pp_session_map(pp_session *s)
{
    return pp_map(&s->mapping, &s->fabric, s->q, &s->arch, &s->fabric_options, &s->map_options,
                  (uint64_t)s->run_options.seed, s->pool);
}

/* A folder that `quantize` wrote says its widths and rotations itself. */
static pp_status widths_of_folder(pp_session *s)
{
    uint32_t wbits, abits, kvbits;
    bool online;
    if (!pp_lmq_is_folder(s->workload.model))
        return PP_OK;
    PP_TRY(pp_lmq_bits(s->workload.model, &wbits, &abits, &kvbits, &online));
    if (wbits > 8 || abits > 8)
        return pp_fail(PP_EUNSUPPORTED, "%s: W%uA%u: arrays and converters take 2 to 8 bits", s->workload.model, wbits, abits);
    s->quant.wbits = wbits;
    s->quant.abits = abits;
    s->lm_graph.kvbits = kvbits;
    if (!pp_config_is_set(s->config, "quant", "online_rotations"))
        s->lm_graph.online = online ? PP_LM_ONLINE_BOTH : PP_LM_ONLINE_NONE;
    if (!pp_config_is_set(s->config, "quant", "online_block"))
        s->lm_graph.online_block = "full"; /* as the folder has it */
    return PP_OK;
}

pp_status pp_session_lm_map(pp_session *s)
{
    pp_lm_config config;
    pp_progress progress;
    PP_TRY(widths_of_folder(s));
    PP_TRY(pp_lm_find(&config, NULL, s->workload.model));
    pp_progress_begin(&progress, "map", (size_t)config.layers + 2);
    const bool given = pp_config_is_set(s->config, "mapping", "attention_context");
    const pp_lm_map_input input = {.config = &config,
                                   .arch = &s->arch,
                                   .quant = &s->quant,
                                   .graph = s->lm_graph,
                                   .fabric = &s->fabric_options,
                                   .map = &s->map_options,
                                   .lm = s->lm_map_options,
                                   .longest = given ? 0 : (uint64_t)(s->tokens.prompt_tokens + s->tokens.decode_tokens),
                                   .seed = (uint64_t)s->run_options.seed,
                                   .progress = &progress};
    const pp_status status = pp_lm_map(&s->lm, &input);
    pp_progress_end(&progress);
    return status;
}

/* One inference whose values moved through the simulated buffers: the integer reference must agree. */
static pp_status check_executed(const pp_session *s, const pp_row_tiles *tiles, uint32_t image, float *pixels,
                                int16_t *codes, double *logits)
{
    const pp_run_result *r = s->run;
    int16_t **streams = NULL;
    pp_dataset_normalise(s->data, s->net, image, pixels);
    pp_quantize_input(s->q, pixels, codes);
    PP_TRY(pp_qref_run(s->q, tiles, codes, &streams, logits));
    pp_qref_free(s->q, streams);
    if (memcmp(logits, r->logits + (size_t)image * r->classes, r->classes * sizeof *logits) != 0)
        return pp_fail(PP_EINTERNAL, "execution-driven simulation: inference %u differs from the integer reference",
                       image);
    return PP_OK;
}

static pp_status check_all_executed(const pp_session *s)
{
    pp_shape in = s->net->ops[0].out;
    size_t n = (size_t)in.h * in.w * in.c;
    pp_row_tiles tiles;
    void *owner = NULL;
    float *pixels = pp_calloc(n, sizeof *pixels);
    int16_t *codes = pp_calloc(n, sizeof *codes);
    double *logits = pp_calloc(s->run->classes, sizeof *logits);
    pp_status status = pixels != NULL && codes != NULL && logits != NULL ? PP_OK : PP_ENOMEM;
    if (status == PP_OK)
        status = pp_mapping_row_tiles(&tiles, &owner, s->mapping, s->q);
    for (uint32_t i = 0; i < s->run->executed && status == PP_OK; i++)
        status = check_executed(s, &tiles, i, pixels, codes, logits);
    free(pixels);
    free(codes);
    free(logits);
    free(owner);
    return status;
}

pp_status pp_session_simulate(pp_session *s)
{
    if (s->sim_options.execute > 0)
        PP_TRY(need_data(s));
    PP_TRY(pp_simulate(&s->run, s->q, &s->arch, s->fabric, s->mapping, &s->sim_options, s->data,
                       s->trace != NULL ? &pp_trace_sink : NULL, s->trace));
    PP_TRY(pp_energy_new(&s->energy, &s->cost, s->q, &s->arch, s->fabric, s->mapping, s->run));
    return s->run->executed > 0 ? check_all_executed(s) : PP_OK;
}

pp_status pp_session_price(pp_session *s)
{
    return pp_energy_new(&s->energy, &s->cost, s->q, &s->arch, s->fabric, s->mapping, NULL);
}

bool pp_session_evaluates(const pp_session *s)
{
    return s->workload.images > 0 && s->net != NULL && s->net->has_weights;
}

static pp_status keep_adc(pp_session *s)
{
    s->adc = pp_calloc(s->mapping->n_tiles, sizeof *s->adc);
    if (s->adc == NULL)
        return PP_ENOMEM;
    for (uint32_t t = 0; t < s->mapping->n_tiles; t++) {
        const pp_tile_adc *adc = pp_crossbar_adc(s->crossbar, t);
        if (adc != NULL)
            s->adc[t] = *adc;
    }
    s->accuracy.adc = s->adc;
    return PP_OK;
}

/* Runs `run` over the data in chunks, so that the progress bar moves; fills *top1. */
typedef pp_status (*run_fn)(pp_session *s, void *engine, uint32_t first, uint32_t n, float *logits);

static pp_status run_float(pp_session *s, void *engine, uint32_t first, uint32_t n, float *logits)
{
    return pp_float_exec_run(engine, s->pool, s->data, first, n, logits, NULL, NULL);
}

static pp_status run_int(pp_session *s, void *engine, uint32_t first, uint32_t n, float *logits)
{
    return pp_int_exec_run(engine, s->pool, s->data, first, n, logits);
}

static pp_status run_crossbar(pp_session *s, void *engine, uint32_t first, uint32_t n, float *logits)
{
    return pp_crossbar_run(engine, s->pool, s->data, first, n, logits);
}

static pp_status evaluate(pp_session *s, const char *label, run_fn run, void *engine, double *top1)
{
    uint32_t n = s->data->n, classes = s->net->ops[s->net->output].out.c; /* the data may have fewer */
    float *logits = pp_calloc((size_t)n * classes, sizeof *logits);
    if (logits == NULL)
        return PP_ENOMEM;
    pp_progress bar;
    pp_progress_begin(&bar, label, n);
    pp_status status = PP_OK;
    for (uint32_t first = 0; first < n && status == PP_OK; first += 128) {
        uint32_t count = n - first < 128 ? n - first : 128;
        status = run(s, engine, first, count, logits + (size_t)first * classes);
        pp_progress_step(&bar, count);
    }
    pp_progress_end(&bar);
    if (status == PP_OK)
        *top1 = pp_top1(logits, s->data->labels, n, classes);
    free(logits);
    return status;
}

pp_status pp_session_evaluate_quantized(pp_session *s)
{
    PP_TRY(need_data(s));
    double start = pp_clock_s();
    pp_float_exec *f = NULL;
    pp_int_exec *i = NULL;
    pp_accuracy *a = &s->accuracy;
    pp_status status;
    PP_GOTO(done, status, pp_float_exec_new(&f, s->net, s->stages));
    PP_GOTO(done, status, evaluate(s, "float", run_float, f, &a->top1_float));
    PP_GOTO(done, status, pp_int_exec_new(&i, s->q));
    PP_GOTO(done, status, evaluate(s, "quantized", run_int, i, &a->top1_quant));
    a->has_float = a->has_quant = true;
    a->images = s->data->n;
    a->data_name = s->data->name;
    a->data_sha256 = s->data->sha256;
done:
    pp_float_exec_free(f);
    pp_int_exec_free(i);
    s->evaluate_s += pp_clock_s() - start;
    return status;
}

pp_status pp_session_evaluate(pp_session *s)
{
    PP_TRY(pp_session_evaluate_quantized(s));
    double start = pp_clock_s();
    PP_TRY(pp_crossbar_new(&s->crossbar, s->q, &s->arch, s->mapping, s->calib, s->pool));
    PP_TRY(evaluate(s, "crossbars", run_crossbar, s->crossbar, &s->accuracy.top1_crossbar));
    PP_TRY(keep_adc(s));
    s->accuracy.has_crossbar = true;
    s->crossbar_s = pp_clock_s() - start;
    s->evaluate_s += s->crossbar_s;
    return PP_OK;
}

pp_report_input pp_session_report(const pp_session *s)
{
    return (pp_report_input){
        .config = s->config,
        .command = s->command,
        .seed = (uint64_t)s->run_options.seed,
        .model = s->workload.model,
        .net = s->net,
        .stages = s->stages,
        .q = s->q,
        .arch = &s->arch,
        .fabric = s->fabric,
        .mapping = s->mapping,
        .run = s->run,
        .energy = s->energy,
        .accuracy = s->accuracy.has_float ? &s->accuracy : NULL,
        .lm = s->lm_config.layers > 0 ? &s->lm_config : NULL,
        .lm_wbits = s->lm_wbits,
        .lm_abits = s->lm_abits,
    };
}

pp_status pp_print_json(pp_json *json)
{
    char *text = NULL;
    pp_status status = pp_json_print(&text, json, true);
    if (status == PP_OK && (puts(text) == EOF || fflush(stdout) != 0))
        status = pp_fail(PP_EIO, "stdout: cannot be written");
    free(text);
    pp_json_free(json);
    return status;
}

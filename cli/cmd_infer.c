/* infer: accuracy of networks and language models on the tiled crossbars, exact or with devices, noise and time. */
#include "cli/commands.h"
#include "cli/infer_lm.h"
#include "cli/session.h"

#include "report/plot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- exact devices: the integer path of `run` ---- */

static pp_status print_exact_json(const pp_session *s)
{
    const pp_accuracy *a = &s->accuracy;
    pp_json *json = pp_json_object();
    pp_json_add_text(json, "network", s->net->name);
    pp_json_add_i64(json, "images", a->images);
    pp_json_add_i64(json, "seeds", 1);
    pp_json *times = pp_json_add_list(json, "times_s");
    pp_json_add_f64(times, NULL, 0);
    pp_json_add_text(json, "device", "ideal");
    pp_json_add_i64(json, "adc_bits", s->arch.adc_bits);
    pp_json_add_f64(json, "top1_float", a->top1_float);
    pp_json_add_f64(json, "top1_quant", a->top1_quant);
    pp_json *row = pp_json_add_object(pp_json_add_list(json, "rows"), NULL);
    pp_json_add_text(row, "model", s->net->name);
    pp_json_add_f64(row, "time_s", 0);
    pp_json_add_text(row, "compensation", "none");
    pp_json_add_f64(row, "top1_mean", a->top1_crossbar);
    pp_json_add_f64(row, "top1_std", 0);
    pp_json_add_f64(json, "images_per_s", a->images / s->crossbar_s);
    return pp_print_json(json);
}

static pp_status tile_row(const pp_session *s, pp_table *t, uint32_t i)
{
    const pp_tile *tile = &s->mapping->tile[i];
    const pp_tile_adc *adc = &s->adc[i];
    char index[48], scale[48], clipped[24], sqnr[24];
    snprintf(index, sizeof index, "%u.%u.%u", tile->copy, tile->col, tile->row);
    snprintf(scale, sizeof scale, "%.0f to %.0f", adc->full_scale_min, adc->full_scale_max);
    snprintf(clipped, sizeof clipped, "%.4f", 100 * adc->clipped_share);
    snprintf(sqnr, sizeof sqnr, "%.2f", adc->sqnr_db);
    const char *cells[] = {s->stages->stage[tile->stage].name, index, scale, clipped, sqnr};
    return pp_table_row(t, cells);
}

static pp_status print_exact(const pp_session *s)
{
    const pp_accuracy *a = &s->accuracy;
    const char *headers[] = {"layer", "tile", "ADC full scale", "clipped %", "partial sums dB"};
    pp_table *t = NULL;
    pp_status status = pp_table_new(&t, headers, 5);
    for (uint32_t i = 0; i < s->mapping->n_tiles && status == PP_OK; i++) {
        if (s->stages->stage[s->mapping->tile[i].stage].matrix != PP_NONE)
            status = tile_row(s, t, i);
    }
    if (status == PP_OK)
        pp_table_print(t, stdout);
    pp_table_free(t);
    printf("\ntop-1 on %u images of %s: float %.2f %%, quantized %.2f %%, crossbars %.2f %% (%.0f images/s)\n",
           a->images, a->data_name, 100 * a->top1_float, 100 * a->top1_quant, 100 * a->top1_crossbar,
           a->images / s->crossbar_s);
    return status;
}

/* What `run` computes in integers; anything else takes the analog engine. */
static bool is_exact(const pp_session *s)
{
    const pp_arch *a = &s->arch;
    const pp_noise_options *n = &s->noise;
    if (s->workload.models[0] == 0 && pp_infer_is_lm(s->workload.model))
        return false;
    return pp_device_is_ideal(&s->device) && s->workload.models[0] == 0 && a->weights == PP_WEIGHTS_CODES &&
           a->cell_bits == 0 && a->cells == PP_CELLS_DIFFERENTIAL && a->input != PP_INPUT_BIT_SERIAL &&
           a->dac_levels_bits == 0 && a->subtract == PP_SUBTRACT_ANALOG && a->ir_drop == PP_IR_DROP_NONE &&
           n->read_std == 0 && n->out_std == 0 && n->adc_noise_lsb == 0 && n->adc_offset_lsb == 0 &&
           n->adc_gain_std == 0 && n->leave_one_out == 0 && !n->batch_norm;
}

/* ---- devices, noise, time ---- */

/* The float model of a quantized folder is not there. */
static void add_bits(pp_json *row, const pp_study_model *m)
{
    if (m->top1_float > 0)
        pp_json_add_f64(row, "bits_per_byte_float", m->top1_float);
    pp_json_add_f64(row, "bits_per_byte_quant", m->quantized);
}

static pp_status print_study_json(const pp_study *st)
{
    pp_json *json = pp_json_object();
    pp_json_add_i64(json, st->bits_per_byte ? "tokens" : "images", st->images);
    pp_json_add_i64(json, "seeds", st->seeds);
    pp_json *times = pp_json_add_list(json, "times_s");
    for (size_t i = 0; i < st->n_times; i++)
        pp_json_add_f64(times, NULL, st->times_s[i]);
    pp_json_add_text(json, "device", st->device);
    pp_json *models = pp_json_add_list(json, "models");
    for (size_t i = 0; i < st->models.len; i++) {
        const pp_study_model *m = &st->models.data[i];
        pp_json *row = pp_json_add_object(models, NULL);
        pp_json_add_text(row, "model", m->model);
        if (!st->bits_per_byte)
            pp_json_add_f64(row, "top1_float", m->top1_float);
        else
            add_bits(row, m);
        pp_json_add_i64(row, "arrays", (int64_t)m->counts.arrays);
        pp_json_add_i64(row, "cells", (int64_t)m->counts.cells);
        pp_json_add_i64(row, "useful_cells", (int64_t)m->counts.useful_cells);
        pp_json_add_i64(row, "devices", (int64_t)m->counts.devices);
        pp_json_add_i64(row, "reads", (int64_t)m->counts.reads);
        pp_json_add_i64(row, "conversions", (int64_t)m->counts.conversions);
        pp_json_add_i64(row, "compensation_reads", (int64_t)m->counts.compensation_reads);
    }
    pp_study_rows_json(st, json);
    pp_json *snr = pp_json_add_list(json, "snr");
    for (size_t i = 0; i < st->snr.len; i++) {
        pp_json *row = pp_json_add_object(snr, NULL);
        pp_json_add_text(row, "model", st->snr.data[i].model);
        pp_json_add_text(row, "layer", st->snr.data[i].layer);
        pp_json_add_f64(row, "time_s", st->snr.data[i].time_s);
        pp_json_add_f64(row, "local_db", st->snr.data[i].local_db);
        pp_json_add_f64(row, "total_db", st->snr.data[i].total_db);
    }
    pp_json *leave = pp_json_add_list(json, "leave_one_ideal");
    for (size_t i = 0; i < st->leave.len; i++) {
        pp_json *row = pp_json_add_object(leave, NULL);
        pp_json_add_text(row, "model", st->leave.data[i].model);
        pp_json_add_text(row, "layer", st->leave.data[i].layer);
        pp_json_add_f64(row, "time_s", st->leave.data[i].time_s);
        pp_json_add_f64(row, st->bits_per_byte ? "bits_per_byte" : "top1", st->leave.data[i].top1);
        pp_json_add_f64(row, "gain", st->leave.data[i].gain);
    }
    pp_json_add_f64(json, st->bits_per_byte ? "tokens_per_s" : "images_per_s", st->run_s > 0 ? (double)st->run_images / st->run_s : 0);
    return pp_print_json(json);
}

static pp_status print_study(const pp_study *st)
{
    PP_TRY(pp_study_print(st, stdout));
    for (size_t i = 0; i < st->models.len; i++) {
        const pp_study_model *m = &st->models.data[i];
        char before[96];
        if (!st->bits_per_byte)
            snprintf(before, sizeof before, "float %.2f %%", 100 * m->top1_float);
        else if (m->top1_float > 0)
            snprintf(before, sizeof before, "float %.4f bits per byte, quantized %.4f", m->top1_float, m->quantized);
        else
            snprintf(before, sizeof before, "quantized %.4f bits per byte", m->quantized);
        printf("%s%s: %s, %llu crossbars, %llu of %llu cells useful, %llu devices\n", i == 0 ? "\n" : "", m->model,
               before, (unsigned long long)m->counts.arrays, (unsigned long long)m->counts.useful_cells,
               (unsigned long long)m->counts.cells, (unsigned long long)m->counts.devices);
    }
    const char *what = st->bits_per_byte ? "tokens" : "images";
    printf("%s, %u %s x %u seeds, %.0f %s/s\n", st->device, st->images, what, st->seeds,
           st->run_s > 0 ? (double)st->run_images / st->run_s : 0, what);
    return fflush(stdout) == 0 ? PP_OK : pp_fail(PP_EIO, "stdout: cannot be written");
}

static pp_status prepare(pp_session *s)
{
    PP_TRY(pp_session_network(s));
    if (!pp_session_evaluates(s))
        return pp_fail(PP_EINVAL, "infer: %s", s->net->has_weights ? "workload.images is 0: nothing to evaluate"
                                                                   : "the network has shapes only, no weights");
    s->values = true;
    PP_TRY(pp_session_quantize(s));
    PP_TRY(pp_session_map(s));
    return pp_session_price(s);
}

/* One model of the study; the session holds it until the next one. */
static pp_status study_model(pp_session *s, pp_study *study, const char *model)
{
    const bool lm = pp_infer_is_lm(model);
    if (study->models.len > 0 && lm != study->bits_per_byte)
        return pp_fail(PP_EINVAL, "workload.models: language models and networks of images do not stand side by side");
    if (lm)
        return pp_infer_lm(s, study, model);
    const pp_fabric_options asked = s->fabric_options; /* mapping fills in sizes that were left free */
    pp_session_reset(s);
    s->workload.model = model;
    pp_status status = prepare(s);
    s->fabric_options = asked;
    PP_TRY(status);
    PP_TRY(pp_session_evaluate_quantized(s));
    study->images = s->data->n;
    const pp_study_input in = {.model = s->net->name, .q = s->q, .arch = &s->arch, .m = s->mapping, .device = &s->device,
                               .noise = &s->noise, .calib = s->calib, .data = s->data,
                               .seed = (uint64_t)s->run_options.seed, .pool = s->pool, .top1_float = s->accuracy.top1_float};
    return pp_study_model_run(study, &in);
}

/* The next word of a list of names; NULL at its end. New text in the session's arena. */
static const char *next_name(pp_session *s, const char **at)
{
    *at += strspn(*at, ", \t");
    const size_t n = strcspn(*at, ", \t");
    if (n == 0)
        return NULL;
    char *name = pp_arena_get(s->arena, n + 1, 1);
    if (name != NULL)
        memcpy(name, *at, n);
    *at += n;
    return name;
}

static pp_status run_study(pp_session *s, pp_study *study)
{
    PP_TRY(pp_study_begin(study, &s->device, &s->device_options, &s->noise, (uint32_t)s->workload.images));
    const char *at = s->workload.models, *name;
    if (at[0] == 0)
        return study_model(s, study, s->workload.model);
    while ((name = next_name(s, &at)) != NULL)
        PP_TRY(study_model(s, study, name));
    return study->models.len > 0 ? PP_OK : pp_fail(PP_EINVAL, "workload.models: expected names of networks");
}

static pp_status write_study(pp_session *s, const pp_study *study)
{
    const bool force = pp_args_has(s->args, "force");
    const char *path = pp_args_get(s->args, "output"), *plot = pp_args_get(s->args, "plot"),
               *snr = pp_args_get(s->args, "plot-snr");
    if (path != NULL) {
        pp_report_input in = pp_session_report(s);
        in.study = study;
        PP_TRY(pp_report_write(path, &in, force));
    }
    if (plot != NULL)
        PP_TRY(pp_study_plot(study, plot, s->command, force));
    if (snr != NULL)
        PP_TRY(pp_study_plot_snr(study, snr, s->command, force));
    for (size_t i = 0; i < study->warnings.len; i++)
        pp_warn("%s", study->warnings.data[i]);
    return pp_args_has(s->args, "json") ? print_study_json(study) : print_study(study);
}

/* Whether figures may be written is asked before minutes of work, not after. */
static pp_status check_outputs(const pp_session *s)
{
    static const char *const options[] = {"output", "plot", "plot-snr"};
    for (size_t i = 0; i < 3; i++) {
        const char *path = pp_args_get(s->args, options[i]);
        if (path == NULL)
            continue;
        if (i > 0)
            PP_TRY(pp_plot_check_path(path));
        PP_TRY(pp_output_check(path, pp_args_has(s->args, "force")));
    }
    if (pp_args_has(s->args, "plot-snr") && !s->noise.snr)
        return pp_fail(PP_EUSAGE, "--plot-snr needs noise.snr=true");
    return PP_OK;
}

static pp_status infer_exact(pp_session *s)
{
    if (pp_args_has(s->args, "plot") || pp_args_has(s->args, "plot-snr"))
        return pp_fail(PP_EUSAGE, "infer: exact devices have nothing to plot (device.model is ideal)");
    PP_TRY(prepare(s));
    PP_TRY(pp_session_evaluate(s));
    const char *path = pp_args_get(s->args, "output");
    if (path != NULL) {
        const pp_report_input in = pp_session_report(s);
        PP_TRY(pp_report_write(path, &in, pp_args_has(s->args, "force")));
    }
    return pp_args_has(s->args, "json") ? print_exact_json(s) : print_exact(s);
}

static pp_status infer_study(pp_session *s)
{
    pp_study study = {0};
    pp_status status = run_study(s, &study);
    if (status == PP_OK)
        status = write_study(s, &study);
    pp_study_free(&study);
    return status;
}

static int run(const pp_parsed *p)
{
    pp_session s;
    pp_status status = pp_session_open(&s, p, p->operand[0]);
    if (status == PP_OK)
        status = check_outputs(&s);
    if (status == PP_OK)
        status = is_exact(&s) ? infer_exact(&s) : infer_study(&s);
    pp_session_close(&s);
    return pp_finish(status);
}

static const pp_arg args[] = {
    {0, "plot", "FILE", "figure of accuracy against time (.svg or .png)"},
    {0, "plot-snr", "FILE", "figure of each layer's signal-to-noise ratio (.svg or .png)"},
    {0, NULL, NULL, NULL},
};

const pp_command pp_cmd_infer = {
    .name = "infer",
    .operands = "FILE.yaml",
    .min_operands = 1,
    .max_operands = 1,
    .args = args,
    .text = "evaluate accuracy on the tiled crossbars: devices, noise, converters, drift over time\n\n"
            "The tiles are those of the mapping that `run` simulates. Sections device, noise and arch say what\n"
            "the devices do (docs/devices.md); with ideal ones and no noise this is the integer path of `run`.\n"
            "Language models (a name, a Hugging Face folder, or one that `quantize` wrote) give bits per byte.\n"
            "workload.models puts several networks side by side; each is evaluated for every seed, time and\n"
            "drift compensation: mean, standard deviation and confidence interval. -o writes a report.",
    .examples = "  pentaprism infer examples/resnet32-5pp.yaml\n"
                "  pentaprism infer examples/resnet32-pcm.yaml --plot accuracy.svg --plot-snr snr.svg\n"
                "  pentaprism infer examples/bytellama-pcm.yaml --plot bits.svg\n"
                "  pentaprism infer examples/resnet32-pcm.yaml --set noise.read=both --set noise.leave_one_out=1000\n",
    .run = run,
};

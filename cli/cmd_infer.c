/* infer: accuracy of the network on the tiled crossbars. */
#include "cli/commands.h"
#include "cli/session.h"

#include <stdio.h>

static pp_status print_json(const pp_session *s)
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

static pp_status print_text(const pp_session *s)
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

static pp_status infer(pp_session *s)
{
    PP_TRY(pp_session_network(s));
    if (!pp_session_evaluates(s))
        return pp_fail(PP_EINVAL, "infer: %s", s->net->has_weights ? "workload.images is 0: nothing to evaluate"
                                                                   : "the network has shapes only, no weights");
    s->values = true;
    PP_TRY(pp_session_quantize(s));
    PP_TRY(pp_session_map(s));
    return pp_session_evaluate(s);
}

static int run(const pp_parsed *p)
{
    pp_session s;
    pp_status status = pp_session_open(&s, p, p->operand[0]);
    if (status == PP_OK)
        status = infer(&s);
    const char *path = pp_args_get(p, "output");
    if (status == PP_OK && path != NULL) {
        pp_report_input in = pp_session_report(&s);
        status = pp_report_write(path, &in, pp_args_has(p, "force"));
    }
    if (status == PP_OK)
        status = pp_args_has(p, "json") ? print_json(&s) : print_text(&s);
    pp_session_close(&s);
    return pp_finish(status);
}

const pp_command pp_cmd_infer = {
    .name = "infer",
    .operands = "FILE.yaml",
    .min_operands = 1,
    .max_operands = 1,
    .text = "evaluate top-1: float, quantized, and through the tiled crossbars with their ADCs\n\n"
            "The tiles are those of the mapping that `run` simulates. Devices are ideal; converters are\n"
            "those of the run file (arch.adc_bits, arch.adc_range, arch.adc_scope). -o writes a report.",
    .examples = "  pentaprism infer examples/resnet32-5pp.yaml\n"
                "  pentaprism infer examples/resnet32-8x8.yaml --set arch.adc_bits=6 --json\n",
    .run = run,
};

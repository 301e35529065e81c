/* quantize: a network to integer codes, with the error of each layer. */
#include "cli/commands.h"
#include "cli/quantize_lm.h"
#include "cli/session.h"
#include "quant/rotate_stage.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Command-line short forms of the quant knobs. */
static pp_status apply_options(pp_session *s, const pp_parsed *p)
{
    const char *method = pp_args_get(p, "method");
    if (method != NULL && strcmp(method, "rtn") != 0)
        PP_TRY(pp_session_network(s)); /* what is no network at all says so */
    if (method != NULL && strcmp(method, "rtn") != 0)
        return pp_fail(PP_EUSAGE, "quantize: --method %s is not available for this network: expected rtn%s", method, pp_hint(method, "rtn", (char[PP_HINT_MAX]){0}));
    int64_t v;
    PP_TRY(pp_args_i64(p, "wbits", s->quant.wbits, 2, 8, &v));
    s->quant.wbits = v;
    PP_TRY(pp_args_i64(p, "abits", s->quant.abits, 4, 8, &v));
    s->quant.abits = v;
    if (pp_args_has(p, "calib"))
        s->quant.calib = pp_args_get(p, "calib");
    if (pp_args_has(p, "eval"))
        s->workload.data = pp_args_get(p, "eval");
    return PP_OK;
}

static double mean_kurtosis(const pp_qnetwork *q)
{
    double sum = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < q->stages->n; i++) {
        if (q->stages->stage[i].matrix != PP_NONE) {
            sum += q->stage[i].kurtosis;
            n++;
        }
    }
    return n > 0 ? sum / n : NAN;
}

static const char *clip_name(const pp_session *s)
{
    const char *text = pp_config_text(s->config, "quant", "weights");
    return text != NULL ? text : "";
}

/* Layers whose inputs are rotated, and those that are not although quant.rotate asks for it. */
static void add_rotated(pp_json *json, const pp_qnetwork *q)
{
    int64_t rotated = 0;
    if (q->options.rotate == PP_ROTATE_NONE)
        return;
    pp_json *left = pp_json_add_list(json, "not_rotated");
    for (uint32_t i = 0; i < q->stages->n; i++) {
        rotated += q->stage[i].rotate != NULL;
        if (q->stage[i].not_rotated == NULL)
            continue;
        pp_json *j = pp_json_add_object(left, NULL);
        pp_json_add_text(j, "layer", q->stages->stage[i].name);
        pp_json_add_text(j, "reason", q->stage[i].not_rotated);
    }
    pp_json_add_i64(json, "rotated", rotated);
}

static pp_status print_json(const pp_session *s)
{
    pp_json *json = pp_json_object();
    pp_json_add_text(json, "network", s->net->name);
    pp_json_add_text(json, "method", "rtn");
    pp_json_add_text(json, "weights", clip_name(s));
    pp_json_add_i64(json, "wbits", s->quant.wbits);
    pp_json_add_i64(json, "abits", s->quant.abits);
    pp_json_add_text(json, "kvbits", NULL);
    pp_json_add_i64(json, "seed", s->run_options.seed);
    pp_json_add_f64(json, "invariance_error", 0); /* nothing is rotated */
    add_rotated(json, s->q);
    pp_json_add_f64(json, "kurtosis_before", mean_kurtosis(s->q));
    pp_json_add_f64(json, "kurtosis_after", mean_kurtosis(s->q));
    if (s->accuracy.has_quant) {
        pp_json_add_f64(json, "top1_float", s->accuracy.top1_float);
        pp_json_add_f64(json, "top1", s->accuracy.top1_quant);
        pp_json_add_i64(json, "images", s->accuracy.images);
    }
    pp_json_add_f64(json, "wall_s", pp_clock_s() - s->start_s);
    pp_json_add_f64(json, "peak_rss_mb", pp_peak_rss_mb());
    return pp_print_json(json);
}

static pp_status layer_row(const pp_session *s, pp_table *t, uint32_t i)
{
    const pp_qstage *q = &s->q->stage[i];
    char bits[16], weights[24], out[24], kurtosis[24], acc[24], shift[16], scale[24];
    snprintf(bits, sizeof bits, "%u", q->wbits);
    snprintf(weights, sizeof weights, "%.2f", q->weight_sqnr_db);
    snprintf(out, sizeof out, "%.2f", q->out_sqnr_db);
    snprintf(kurtosis, sizeof kurtosis, "%.2f", q->kurtosis);
    snprintf(acc, sizeof acc, "%.0f", q->acc_max);
    snprintf(shift, sizeof shift, "%u", q->psum_shift);
    snprintf(scale, sizeof scale, "%.5g", s->q->stream[i + 1].scale);
    const char *cells[] = {s->stages->stage[i].name, bits, weights, out, kurtosis, acc, shift, scale};
    return pp_table_row(t, cells);
}

static pp_status rotation_row(const pp_session *s, const pp_qnetwork *plain, pp_table *t, uint32_t i)
{
    const pp_qstage *q = &s->q->stage[i], *p = &plain->stage[i];
    const pp_qrotate *r = q->rotate;
    char both[5][48];
    const double value[5][2] = {{q->kurtosis, r->rotated_kurtosis}, {r->plain_max_rms, r->rotated_max_rms},
                                {r->plain_sqnr_db, r->rotated_sqnr_db}, {p->out_sqnr_db, q->out_sqnr_db},
                                {100 * p->acc_rms / p->acc_max, 100 * q->acc_rms / q->acc_max}};
    for (int k = 0; k < 5; k++)
        snprintf(both[k], sizeof both[k], "%.2f -> %.2f", value[k][0], value[k][1]);
    const char *cells[] = {s->stages->stage[i].name, both[0], both[1], both[2], both[3], both[4]};
    return pp_table_row(t, cells);
}

/* The same network without rotations beside the one with them. */
static pp_status print_rotations(const pp_session *s)
{
    const char *headers[] = {"before -> after", "kurtosis", "max / rms", "input dB", "output dB", "ADC range %"};
    pp_quant_options options = s->quant;
    pp_qnetwork *plain = NULL;
    pp_table *t = NULL;
    options.rotate = PP_ROTATE_NONE;
    PP_TRY(pp_quantize(&plain, s->net, s->stages, &options, s->calib, s->pool));
    pp_status status = pp_table_new(&t, headers, 6);
    for (uint32_t i = 0; i < s->stages->n && status == PP_OK; i++)
        if (s->q->stage[i].rotate != NULL)
            status = rotation_row(s, plain, t, i);
    if (status == PP_OK) {
        printf("\nrotated inputs; ADC range: rms of the column sums as a share of the largest\n\n");
        pp_table_print(t, stdout);
    }
    for (uint32_t i = 0; i < s->stages->n && status == PP_OK; i++)
        if (s->q->stage[i].not_rotated != NULL)
            printf("not rotated: %s: %s\n", s->stages->stage[i].name, s->q->stage[i].not_rotated);
    pp_table_free(t);
    pp_qnetwork_free(plain);
    return status;
}

static pp_status print_text(const pp_session *s)
{
    const char *headers[] = {"layer", "bits", "weights dB", "output dB", "kurtosis", "max |acc|", "shift", "output step"};
    pp_table *t = NULL;
    pp_status status = pp_table_new(&t, headers, 8);
    for (uint32_t i = 0; i < s->stages->n && status == PP_OK; i++) {
        if (s->stages->stage[i].matrix != PP_NONE)
            status = layer_row(s, t, i);
    }
    if (status == PP_OK)
        pp_table_print(t, stdout);
    pp_table_free(t);
    if (status == PP_OK && s->quant.rotate != PP_ROTATE_NONE)
        status = print_rotations(s);
    if (s->accuracy.has_quant)
        printf("\ntop-1 on %u images of %s: float %.2f %%, W%dA%d %.2f %%\n", s->accuracy.images,
               s->accuracy.data_name, 100 * s->accuracy.top1_float, (int)s->quant.wbits, (int)s->quant.abits,
               100 * s->accuracy.top1_quant);
    return status;
}

static pp_status quantize(pp_session *s, const pp_parsed *p)
{
    s->workload.model = p->operand[0];
    PP_TRY(apply_options(s, p));
    if (pp_qnetwork_is_folder(p->operand[0]) && (pp_args_has(p, "wbits") || pp_args_has(p, "abits") || pp_args_has(p, "output")))
        return pp_fail(PP_EUSAGE, "quantize: %s is quantized already: it is evaluated as it is, without --wbits, --abits and -o",
                       p->operand[0]);
    PP_TRY(pp_session_network(s));
    if (!s->net->has_weights)
        return pp_fail(PP_EUNSUPPORTED, "quantize: %s has shapes only, no weights", p->operand[0]);
    s->values = true;
    const char *dir = pp_args_get(p, "output");
    if (dir != NULL)
        PP_TRY(pp_qnetwork_may_write(dir, pp_args_has(p, "force")));
    PP_TRY(pp_session_quantize(s));
    if (dir != NULL)
        s->q->model = p->operand[0];
    if (dir != NULL)
        PP_TRY(pp_qnetwork_write(s->q, dir, pp_args_has(p, "force")));
    if (pp_session_evaluates(s))
        PP_TRY(pp_session_evaluate_quantized(s));
    return pp_args_has(p, "json") ? print_json(s) : print_text(s);
}

static pp_status no_language_model(const char *name)
{
    pp_network *net = NULL;
    PP_TRY(pp_model_open(&net, name)); /* what is no model at all says so */
    pp_network_free(net);
    return pp_fail(PP_EUSAGE, "quantize compare: %s is not a language model", name);
}

static int run(const pp_parsed *p)
{
    if (p->n_operands == 1 && strcmp(p->operand[0], "compare") == 0)
        return pp_finish(pp_fail(PP_EUSAGE, "quantize compare: expected MODEL behind it"));
    if (p->n_operands == 2 && strcmp(p->operand[0], "compare") == 0) {
        if (!pp_quantize_is_lm(p->operand[1]))
            return pp_finish(no_language_model(p->operand[1]));
        return pp_finish(pp_quantize_lm_compare(p, p->operand[1]));
    }
    if (p->n_operands != 1)
        return pp_finish(pp_fail(PP_EUSAGE, "quantize: expected `quantize MODEL` or `quantize compare MODEL`%s",
                                 pp_hint(p->operand[0], "compare", (char[PP_HINT_MAX]){0})));
    if (pp_quantize_is_lm(p->operand[0]))
        return pp_finish(pp_quantize_lm(p, p->operand[0]));
    pp_session s;
    pp_status status = pp_session_open(&s, p, NULL);
    if (status == PP_OK)
        status = quantize(&s, p);
    pp_session_close(&s);
    return pp_finish(status);
}

static const pp_arg args[] = {
    {0, "method", "rtn|gptq|quarot|kurtail|quarot-gptq|kurtail-gptq", "networks: rtn alone. Language models: default kurtail"},
    {0, "weights", "rtn|gptq", "language models: quantizer of weights (default rtn)"},
    {0, "wbits", "N", "bits of a weight, 2 to 8, language models also 16: float (default 4)"},
    {0, "abits", "N", "bits of an activation: networks 4 to 8 (default 8), language models 2 to 8 or 16 (default 4)"},
    {0, "kvbits", "N", "language models: bits of the KV cache, 2 to 8 or 16 (default 4)"},
    {0, "format", "fp4|nf4|mxfp4|fp8-e4m3|fp8-e5m2", "language models: number format of weights in place of integers"},
    {0, "wgroup", "N", "language models: columns that share a weight scale (default: the row)"},
    {0, "agroup", "N", "language models: activations of a token that share a scale (default: all)"},
    {0, "act-clip", "X", "language models: share of the largest activation that is the range (default 0.9)"},
    {0, "kv-clip", "X", "language models: the same for keys and values (default 0.95)"},
    {0, "act-asymmetric", NULL, "language models: activations with a zero point"},
    {0, "act-static", NULL, "language models: one range a layer and place, from the calibration text"},
    {0, "act-order", NULL, "GPTQ: columns in the order of falling diagonal"},
    {0, "static-groups", NULL, "GPTQ: scales of all groups from the original weights"},
    {0, "smooth", "ALPHA", "SmoothQuant's scales, for methods without rotation"},
    {0, "no-online", NULL, "no rotation at run time: R3 and R4 left out, down_proj keeps 8 bits"},
    {0, "learner", "sgd|cayley|qr", "KurTail: how rotations are learned (default sgd)"},
    {0, "loss", "pooled|token|channel", "KurTail: kurtosis of all values (default), of each token, of each channel"},
    {0, "steps", "N", "KurTail: steps of learning (default 300)"},
    {0, "rate", "X", "KurTail: angle of a step (default 0.05)"},
    {0, "calib-windows", "N", "language models: windows of calibration text (default 64)"},
    {0, "window", "N", "language models: tokens of a window (default 512)"},
    {0, "eval-tokens", "N", "language models: evaluate on the first N tokens only (default: all)"},
    {0, "random-tokens", "N", "language models: N random tokens in place of both texts, for checkpoints without a tokenizer"},
    {0, "no-eval", NULL, "language models: quantize only"},
    {0, "methods", "A,B,...", "compare: rows of the table (default: all six)"},
    {0, "seeds", "N", "compare: seeds from --seed on (default 3)"},
    {0, "plot", "FILE", "compare: a figure, .svg or .png"},
    {0, "calib", "DATA", "calibration images or text (default: what comes with the network)"},
    {0, "eval", "DATA", "labelled images for top-1, or text (default: what comes with the network)"},
    {0, NULL, NULL, NULL},
};

const pp_command pp_cmd_quantize = {
    .name = "quantize",
    .operands = "MODEL | compare MODEL",
    .min_operands = 1,
    .max_operands = 2,
    .text = "quantize a network or a language model and print the error of each layer\n\n"
            "Networks: for each layer the signal-to-quantization-noise ratio of its weights and of its output\n"
            "against float, and top-1 of both. -o DIR writes the codes (docs/quantization.md).\n"
            "Language models (a name, a Hugging Face folder, a llama2.c file, or a folder that this command has\n"
            "written): weights, activations and KV cache in few bits behind rotations; bits per byte of both.\n"
            "-o DIR writes codes, scales and rotations layer by layer; the same command goes on after a kill.\n"
            "compare: a table of methods over seeds; -o FILE.h5 and --plot keep it (docs/rotations.md).",
    .examples = "  pentaprism quantize resnet32-cifar10\n"
                "  pentaprism quantize resnet32-cifar10 --wbits 3 --abits 6 --json\n"
                "  pentaprism quantize resnet32-cifar10 -o resnet32-w4a8\n"
                "  pentaprism quantize bytellama-7m --method kurtail --weights gptq -o bytellama-w4\n"
                "  pentaprism quantize compare bytellama-odd --methods rtn,quarot,kurtail --seeds 5 --plot c.svg\n",
    .args = args,
    .run = run,
};

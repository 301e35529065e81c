/* model: what networks there are, and what is inside one. */
#include "cli/commands.h"
#include "cli/model_lm.h"
#include "cli/session.h"
#include "workloads/lm.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static pp_status list(const pp_parsed *p)
{
    const char *name, *summary;
    bool has_weights;
    if (pp_args_has(p, "json")) {
        pp_json *json = pp_json_object();
        pp_json *models = pp_json_add_list(json, "models");
        for (size_t i = 0; (name = pp_model_name(i, &summary, &has_weights)) != NULL; i++)
            pp_json_add_text(models, NULL, name);
        for (size_t i = 0; (name = pp_lm_name(i, &summary, &has_weights)) != NULL; i++)
            pp_json_add_text(models, NULL, name);
        return pp_print_json(json);
    }
    const char *headers[] = {"model", "weights", "what it is"};
    pp_table *t = NULL;
    pp_status status = pp_table_new(&t, headers, 3);
    for (size_t i = 0; status == PP_OK && (name = pp_model_name(i, &summary, &has_weights)) != NULL; i++) {
        const char *cells[] = {name, has_weights ? "yes" : "shapes", summary};
        status = pp_table_row(t, cells);
    }
    for (size_t i = 0; status == PP_OK && (name = pp_lm_name(i, &summary, &has_weights)) != NULL; i++) {
        const char *cells[] = {name, has_weights ? "yes" : "shapes", summary};
        status = pp_table_row(t, cells);
    }
    if (status == PP_OK)
        pp_table_print(t, stdout);
    pp_table_free(t);
    return status;
}

static void add_shape(pp_json *parent, const char *key, pp_shape s)
{
    pp_json *list = pp_json_add_list(parent, key);
    pp_json_add_i64(list, NULL, s.h);
    pp_json_add_i64(list, NULL, s.w);
    pp_json_add_i64(list, NULL, s.c);
}

static pp_status show_json(const pp_network *net, uint32_t layers)
{
    pp_json *json = pp_json_object();
    pp_json_add_text(json, "name", net->name);
    pp_json_add_i64(json, "parameters", (int64_t)pp_network_parameters(net));
    pp_json_add_i64(json, "macs", (int64_t)pp_network_macs(net));
    pp_json_add_i64(json, "layers", layers);
    add_shape(json, "input", net->ops[0].out);
    if (net->note != NULL && net->note[0] != 0)
        pp_json_add_text(json, "note", net->note);
    pp_json *ops = pp_json_add_list(json, "operators");
    for (uint32_t i = 0; i < net->n_ops; i++) {
        const pp_op *op = &net->ops[i];
        pp_json *o = pp_json_add_object(ops, NULL);
        pp_json_add_text(o, "name", op->name);
        pp_json_add_text(o, "kind", pp_op_kind_name(op->kind));
        add_shape(o, "in", op->in);
        add_shape(o, "out", op->out);
        if (op->kind == PP_OP_TASK) {
            pp_json_add_i64(o, "ops", (int64_t)op->work.ops);
            pp_json_add_i64(o, "ps", (int64_t)op->work.ps);
            pp_json_add_i64(o, "unit_bits", op->work.unit_bits);
        }
        pp_json_add_i64(o, "parameters", (int64_t)pp_op_parameters(op));
        pp_json_add_i64(o, "macs", (int64_t)pp_op_macs(op));
    }
    return pp_print_json(json);
}

static pp_status show_row(pp_table *t, const pp_op *op)
{
    char in[40], out[40], window[40], parameters[24], macs[24];
    snprintf(in, sizeof in, "%ux%ux%u", op->in.h, op->in.w, op->in.c);
    snprintf(out, sizeof out, "%ux%ux%u", op->out.h, op->out.w, op->out.c);
    bool windowed = op->kind == PP_OP_CONV || op->kind == PP_OP_MAX_POOL || op->kind == PP_OP_AVG_POOL;
    snprintf(window, sizeof window, windowed ? "%ux%u/%u" : "", op->window.kh, op->window.kw, op->window.sh);
    if (op->kind == PP_OP_PRODUCT)
        snprintf(window, sizeof window, "%u head%s", op->groups, op->groups > 1 ? "s" : "");
    if (op->kind == PP_OP_TASK)
        snprintf(window, sizeof window, "%" PRIu64 " %s", op->work.ops ? op->work.ops : op->work.ps,
                 op->work.ops ? "ops" : "ps");
    snprintf(parameters, sizeof parameters, "%" PRIu64, pp_op_parameters(op));
    snprintf(macs, sizeof macs, "%" PRIu64, pp_op_macs(op));
    const char *cells[] = {op->name, pp_op_kind_name(op->kind), window, in, out, parameters, macs};
    return pp_table_row(t, cells);
}

static pp_status show_text(const pp_network *net, uint32_t layers)
{
    printf("%s: %" PRIu64 " parameters, %" PRIu64 " multiply-accumulates, %u matrix layers, input %ux%ux%u%s\n\n",
           net->name, pp_network_parameters(net), pp_network_macs(net), layers, net->ops[0].out.h, net->ops[0].out.w,
           net->ops[0].out.c, net->has_weights ? "" : " (shapes only)");
    if (net->note != NULL && net->note[0] != 0)
        printf("note: %s\n\n", net->note);
    const char *headers[] = {"operator", "kind", "window", "in", "out", "parameters", "MACs"};
    pp_table *t = NULL;
    pp_status status = pp_table_new(&t, headers, 7);
    for (uint32_t i = 0; i < net->n_ops && status == PP_OK; i++)
        status = show_row(t, &net->ops[i]);
    if (status == PP_OK)
        pp_table_print(t, stdout);
    pp_table_free(t);
    return status;
}

static pp_status show(const pp_parsed *p, const char *model)
{
    pp_network *net = NULL;
    if (pp_lm_is_known(model))
        return pp_model_lm_show(model, pp_args_has(p, "json"));
    PP_TRY(pp_model_open(&net, model));
    uint32_t layers = 0;
    for (uint32_t i = 0; i < net->n_ops; i++)
        layers += net->ops[i].kind == PP_OP_CONV || net->ops[i].kind == PP_OP_LINEAR;
    pp_status status = pp_args_has(p, "json") ? show_json(net, layers) : show_text(net, layers);
    pp_network_free(net);
    return status;
}

static int run(const pp_parsed *p)
{
    pp_status status;
    if (strcmp(p->operand[0], "list") == 0 && p->n_operands == 1)
        status = list(p);
    else if (strcmp(p->operand[0], "show") == 0 && p->n_operands == 2)
        status = show(p, p->operand[1]);
    else
        status = pp_fail(PP_EUSAGE, "model: expected `model list` or `model show MODEL`");
    return pp_finish(status);
}

const pp_command pp_cmd_model = {
    .name = "model",
    .operands = "list | show MODEL",
    .min_operands = 1,
    .max_operands = 2,
    .text = "list the built-in networks, or show what is inside one\n\n"
            "MODEL is a built-in name, a path to an .onnx or .tflite file (docs/onnx.md; PATH.onnx:input=HxWxC,output=NAME\n"
            "where it leaves a choice), to a task graph (.graphml: docs/task-graphs.md), or to a .safetensors file whose\n"
            "card (NAME.json, the layers in order of execution) stands beside it: docs/models.md.\n"
            "Built-in networks of shapes take options: NAME:input=HxWxC,classes=N,relays=N. Language models:\n"
            "a built-in name, a Hugging Face folder, a config.json alone, or a llama2.c file (.bin): docs/language-models.md.",
    .examples = "  pentaprism model list\n  pentaprism model show resnet32-cifar10\n"
                "  pentaprism model show resnet18:input=32x32x3,classes=10\n"
                "  pentaprism model show my-network.safetensors --json\n  pentaprism model show llama3-8b\n",
    .run = run,
};

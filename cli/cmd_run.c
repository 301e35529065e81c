/* run and simulate: the whole way from a run file to a report and a printed summary. */
#include "cli/commands.h"
#include "cli/run_lm.h"
#include "cli/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Name of the report when -o is not given: FILE.yaml -> FILE.h5 in the current folder. */
static char *default_output(const char *file)
{
    char *base = pp_path_base(file);
    if (base == NULL)
        return NULL;
    char *dot = strrchr(base, '.');
    if (dot != NULL && dot != base)
        *dot = 0;
    char *name = pp_strf("%s.h5", base);
    free(base);
    return name;
}

static pp_status print_result(pp_session *s, const char *path)
{
    pp_report_input in = pp_session_report(s);
    pp_summary summary;
    PP_TRY(pp_summary_fill(&summary, &in));
    double wall_s = pp_clock_s() - s->start_s;
    if (pp_args_has(s->args, "json")) {
        pp_json *json = pp_json_object();
        pp_summary_json(&summary, json);
        pp_json_add_f64(json, "wall_s", wall_s);
        pp_json_add_f64(json, "simulate_s", s->run->simulate_s);
        pp_json_add_text(json, "report", path);
        pp_session_trace_json(s, json);
        return pp_print_json(json);
    }
    pp_summary_print(&summary, stdout, pp_term_colour());
    printf("\nreport      %s\n", path);
    pp_session_trace_print(s);
    printf("time taken  %.2f s, of which simulation %.3f s\n", wall_s, s->run->simulate_s);
    return fflush(stdout) == 0 ? PP_OK : pp_fail(PP_EIO, "stdout: cannot be written");
}

static pp_status run_steps(pp_session *s, bool values)
{
    PP_TRY(pp_session_network(s));
    s->values = values && pp_session_evaluates(s);
    PP_TRY(pp_session_quantize(s));
    PP_TRY(pp_session_map(s));
    PP_TRY(pp_session_simulate(s));
    return s->values ? pp_session_evaluate(s) : PP_OK;
}

static int run_with(const pp_parsed *p, bool values)
{
    pp_session s;
    const char *file = p->operand[0];
    char *path = NULL;
    pp_status status = pp_session_open(&s, p, file);
    bool force = pp_args_has(p, "force");
    if (status != PP_OK)
        goto done;
    path = pp_args_has(p, "output") ? pp_strdup(pp_args_get(p, "output")) : default_output(file);
    PP_GOTO(done, status, path != NULL ? PP_OK : PP_ENOMEM);
    PP_GOTO(done, status, pp_output_check(path, force));
    const bool tokens = pp_lm_is_known(s.workload.model);
    PP_GOTO(done, status, pp_session_trace(&s, tokens));
    if (tokens) {
        status = pp_run_lm(&s, path, force);
        goto done;
    }
    PP_GOTO(done, status, run_steps(&s, values));
    pp_report_input in = pp_session_report(&s);
    PP_GOTO(done, status, pp_session_trace_write(&s, NULL));
    PP_GOTO(done, status, pp_report_write(path, &in, force));
    status = print_result(&s, path);
done:
    free(path);
    pp_session_close(&s);
    return pp_finish(status);
}

static int run(const pp_parsed *p)
{
    return run_with(p, true);
}

static int simulate(const pp_parsed *p)
{
    return run_with(p, false);
}

static const pp_arg args[] = {
    PP_TRACE_ARGS,
    {0, "plot", "FILE", "language models: figures FILE-progress and FILE-contexts, .svg or .png"},
    {0, NULL, NULL, NULL},
};

const pp_command pp_cmd_run = {
    .name = "run",
    .operands = "FILE.yaml",
    .min_operands = 1,
    .max_operands = 1,
    .text = "quantize, map, simulate and evaluate a network; write a report\n\n"
            "FILE.yaml has the sections workload, quant, arch, fabric, mapping, simulate, cost; whatever it\n"
            "leaves out takes its default (`pentaprism knobs`). The report is HDF5 (docs/report-format.md);\n"
            "without -o it is FILE.h5 in the current folder. The same input, seed and build give the same\n"
            "bytes for any number of threads.",
    .examples = "  pentaprism run examples/resnet32-5pp.yaml -o out.h5\n"
                "  pentaprism run examples/joshi2020-resnet32.yaml --set fabric.lanes=1 --json\n"
                "  pentaprism run examples/resnet32-5pp.yaml --set quant.wbits=3 --set arch.adc_bits=6\n",
    .args = args,
    .run = run,
};

const pp_command pp_cmd_simulate = {
    .name = "simulate",
    .operands = "FILE.yaml",
    .min_operands = 1,
    .max_operands = 1,
    .text = "map and simulate the pipeline's timing alone; write a report\n\n"
            "Like `run` without the evaluation of top-1: throughput, latency, utilisation and the\n"
            "bandwidth of every channel.",
    .examples = "  pentaprism simulate examples/joshi2020-resnet32.yaml --set mapping.unroll=auto\n"
                "  pentaprism simulate examples/joshi2020-resnet32.yaml --set simulate.kernel=systemc --json\n"
                "  pentaprism simulate examples/joshi2020-resnet32.yaml --trace trace.json --trace-to 60\n"
                "  pentaprism simulate examples/llama3-8b-5pp.yaml --trace trace.json --trace-to 300\n",
    .args = args,
    .run = simulate,
};

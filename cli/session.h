/* A session: what the commands share. From options and run file to network, quantized network,
 * hardware, fabric, mapping, simulation, accuracy; each step builds what it needs and keeps it. */
#ifndef PP_CLI_SESSION_H
#define PP_CLI_SESSION_H

#include "cli/args.h"
#include "mapper/lm_map.h"
#include "report/accuracy.h"
#include "quant/lmq.h"
#include "report/report.h"
#include "sim/tokens.h"
#include "report/trace.h"

/* Section "workload", and the run's own knobs in other sections (cli/knobs.c). */
typedef struct pp_workload_options {
    const char *model;
    const char *models;  /* infer: list of networks side by side; empty: `model` */
    const char *data;    /* "auto": what fits the network */
    int64_t images;      /* evaluated for top-1; 0 = timing alone */
    int64_t tokens, window; /* language models: scored text, and windows it is cut into */
} pp_workload_options;

typedef struct pp_run_options {
    int64_t seed;
} pp_run_options;

typedef struct pp_session {
    const pp_parsed *args;
    double start_s;
    pp_config *config;
    pp_arena *arena;
    pp_pool *pool;
    char *command;               /* canonical reproducing command */
    pp_workload_options workload;
    pp_run_options run_options;
    pp_quant_options quant;
    pp_quant_options quant_given; /* while workload.model is a quantized folder: the settings as given */
    pp_qfolder *folder;          /* NULL: the model is no such folder */
    pp_lmq_settings lm_quant;
    pp_lm_graph_options lm_graph;
    pp_token_options tokens;
    pp_fabric_options fabric_options;
    pp_map_options map_options;
    pp_lm_map_options lm_map_options;
    pp_sim_options sim_options;
    pp_device_options device_options;
    pp_noise_options noise;
    pp_device device;
    pp_arch arch;
    pp_cost cost;
    pp_network *net;
    pp_stages *stages;
    pp_dataset *calib, *data;
    pp_qnetwork *q;
    pp_fabric *fabric;
    pp_mapping *mapping;
    pp_lm_mapping *lm;           /* of a language model, in place of net, stages, q, fabric and mapping */
    pp_run_result *run;
    pp_trace *trace;             /* NULL: nobody watches */
    pp_energy *energy;
    pp_crossbar *crossbar;
    pp_lm_config lm_config;      /* infer: of the last language model; layers 0: none */
    uint32_t lm_wbits, lm_abits;
    bool values;                 /* set before pp_session_quantize: weights are quantized, not widths alone */
    pp_accuracy accuracy;
    pp_tile_adc *adc;
    double evaluate_s, crossbar_s; /* wall clock of the evaluation, and of its crossbar part */
} pp_session;

/* Reads options and the run file (`file` may be NULL: defaults and --set), binds every section. */
pp_status pp_session_open(pp_session *s, const pp_parsed *args, const char *file);
/* Words of settings that this run may never look at. */
pp_status pp_session_check_words(const pp_session *s);
/* fabric.file and workload.trace: alone they set fabric.kind and workload.arrivals; what these would leave unread is
 * PP_EINVAL with file and line, unless --set chose otherwise. Before the sections are bound. */
pp_status pp_session_settle_files(pp_session *s);
void pp_session_close(pp_session *s);

/* Frees what the steps made, so that they can run for another model. */
void pp_session_reset(pp_session *s);

/* A quantized network's folder as workload.model: its settings and its float model take their places; pp_session_network does
 * it. One line where given settings say something else. */
pp_status pp_session_folder(pp_session *s);
void pp_session_leave_folder(pp_session *s);
/* Steps, in this order; each needs the ones before it. */
pp_status pp_session_network(pp_session *s);
pp_status pp_session_quantize(pp_session *s);
pp_status pp_session_map(pp_session *s);
/* In place of network, quantize and map when workload.model is a language model (pp_lm_is_known). */
pp_status pp_session_lm_map(pp_session *s);
/* Executed inferences (simulate.execute) are compared with the integer reference: unequal is an error. */
pp_status pp_session_simulate(pp_session *s);
/* Energy of an inference from the mapping alone, at the bound of the interval. */
pp_status pp_session_price(pp_session *s);
/* Top-1 of float, quantized and crossbar networks on workload.images images. */
pp_status pp_session_evaluate(pp_session *s);
/* The same without crossbars: needs no mapping. */
pp_status pp_session_evaluate_quantized(pp_session *s);

/* Whether an evaluation was asked for and the network has weights. */
bool pp_session_evaluates(const pp_session *s);
pp_report_input pp_session_report(const pp_session *s);

/* Tables of all rooms, for `knobs` and the configuration. */
const pp_knob_table *pp_all_knobs(size_t *n);
pp_knob_table pp_workload_knobs(void);
pp_knob_table pp_run_knobs(void);

/* The options --trace... of run and simulate (cli/trace_options.c). pp_session_trace: after opening, before the first
 * step; leaves s->trace NULL without --trace. What is extrapolated cannot be seen: sets simulate.exact, which has another
 * meaning for language models (`tokens`); those set pp_token_setup.exact. pp_session_trace_write: the files, of a
 * language model's run with `run`, else NULL. */
#define PP_TRACE_ARGS                                                                                                  \
    {0, "trace", "FILE", "write who was busy when: .json (Perfetto), .csv, .vcd (GTKWave); repeatable"},               \
    {0, "trace-from", "US", "events that start at this time or later, in microseconds; default 0"},                    \
    {0, "trace-to", "US", "events that start before this time; default: to the end"},                                  \
    {0, "trace-limit", "N", "most events in a trace; beyond it every 2nd, 4th ... inference is kept; default 250000"}, \
    {0, "trace-every", "N", "only inferences 0, N, 2N ...; default 1"}
pp_status pp_session_trace(pp_session *s, bool tokens);
pp_status pp_session_trace_write(const pp_session *s, const struct pp_lm_run *run);
/* Adds `trace`: {files, events, kept, every, statement}; nothing without --trace. */
void pp_session_trace_json(const pp_session *s, pp_json *object);
void pp_session_trace_print(const pp_session *s); /* the same for people */

/* Prints `json` (pretty) to stdout and frees it. */
pp_status pp_print_json(pp_json *json);

#endif

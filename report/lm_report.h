/* report/lm_report.h: a run of a language model's tokens: its figures, tables, text, file and pictures. */
#ifndef PP_REPORT_LM_REPORT_H
#define PP_REPORT_LM_REPORT_H

#include "report/report.h"
#include "sim/tokens_energy.h"
#include "sim/tokens_lm.h"
#include "sim/tokens_sample.h"
#include "sim/tokens_way.h"

/* Watches some tokens on their way through one block: the one in the middle of the model, tokens [first, first +
 * PP_LM_PIPELINE_TOKENS) in the order of entry. pp_lm_pipeline_take is for pp_token_setup.watch. Tiles of an operator are
 * one: from the first that starts to the last that ends. What is extrapolated is not seen. */
#define PP_LM_PIPELINE_TOKENS 24
typedef struct pp_lm_pipeline pp_lm_pipeline;
pp_status pp_lm_pipeline_new(pp_lm_pipeline **out, const pp_lm_mapping *m, const pp_lm_actors *actors, uint64_t first);
void pp_lm_pipeline_take(void *pipeline, const pp_token_busy *busy);
void pp_lm_pipeline_free(pp_lm_pipeline *p); /* NULL allowed */

/* Everything that a run made; all borrowed. */
typedef struct pp_lm_run {
    const pp_config *config;
    const char *command;     /* canonical, without -o and -j */
    uint64_t seed;
    uint32_t wbits;
    const pp_arch *arch;
    const pp_lm_mapping *mapping;
    const pp_lm_actors *actors;
    const pp_token_setup *setup;
    const pp_token_result *result;
    const pp_lm_energy *energy;
    const pp_lm_pipeline *pipeline; /* NULL: nobody watched */
    const char *scenario;    /* "mixed" ... */
    const char *switching;   /* "lockstep" or "exact": every tile and channel on its own */
    const pp_lm_way *way;    /* why */
    const pp_lm_sample *sample; /* of lockstep against every tile */
} pp_lm_run;

typedef struct pp_lm_summary {
    char network[256], fabric[1024], preset[64], certificate[16], placement[256], scenario[16], model_of_time[16], kv_tier[16];
    char model_of_time_why[192], lockstep_sample[256];
    uint64_t parameters, macs;
    int64_t wbits, abits, kvbits, array_rows, array_cols;
    uint32_t blocks;
    uint64_t tiles, tiles_head;
    uint32_t cores_used, n_cores, unroll_max, copies_max, max_hops;
    uint64_t n_flows, single_channel_flows;
    double channel_gbps;     /* of the innermost level */
    double max_channel_required_gbps, mean_channel_required_gbps, max_port_required_gbps; /* at the bound of the interval */
    uint64_t bound_initiation_interval_ps, bound_attention_ps, initiation_interval_ps;
    double bound_latency_us, latency_first_us;
    char bound_by[256], slowest[256];
    uint32_t sequences, exact_edges, bound_edges, lockstep_grain;
    uint64_t prefill_tokens, decode_tokens;
    double throughput_tokens_s, prefill_tokens_s, decode_tokens_s;
    double time_to_first_token_s, time_to_first_token_p50_s, time_to_first_token_p95_s, time_to_first_token_p99_s;
    double time_per_output_token_s, time_per_output_token_p50_s, time_per_output_token_p95_s, time_per_output_token_p99_s;
    double time_s, bound_time_s; /* first arrival to last token; no run of these tokens is shorter */
    double max_channel_utilisation, max_core_utilisation;
    uint64_t kv_cache_bytes, kv_cache_end_bytes, kv_capacity_bytes, kv_token_bytes;
    uint64_t kv_context_limit;   /* tokens a sequence at which that many sequences no longer fit at once; 0: no limit */
    uint64_t kv_sequences_limit; /* sequences of that length that fit at once; 0: no limit */
    double kv_read_gbps, kv_limit_gbps; /* traffic of all units over the run; what all of them could read */
    uint64_t pipeline_tokens, in_flight_limit, in_flight_high; /* that fill it at the longest context */
    uint32_t sequences_high;
    uint64_t events;
    double lockstep_margin;      /* lockstep: times are longer by as much */
    double lockstep_deviation;   /* measured on lockstep_tokens of a part of the model; 0 tokens: not */
    uint32_t lockstep_tokens;
    double services_expected, services_limit; /* tile by tile; with which auto takes that at most */
    double extrapolated_share;
    char cost_preset[32], energy_boundary[16], energy_unpriced[512];
    double energy_per_token_nj, mvm_nj, digital_nj, buffer_nj, router_nj, wire_nj, static_nj, dram_nj, kv_nj;
    double power_w, tops, tops_per_w;
} pp_lm_summary;
pp_status pp_lm_summary_fill(pp_lm_summary *out, const pp_lm_run *run);
/* PP_ENOTFOUND: the report is not one of a language model; PP_EFORMAT: it is, and something is missing. */
pp_status pp_lm_summary_read(pp_lm_summary *out, const pp_report *r);
void pp_lm_summary_json(const pp_lm_summary *s, pp_json *object);

/* An operator of one kind of instance, over all of them. */
typedef struct pp_lm_operator_row {
    char part[16], name[96], kind[16], binding[16];
    uint32_t instances, row_tiles, col_tiles, copies, cores;
    uint64_t tiles;
    uint64_t interval_ps, latency_ps; /* attention: at the longest context of the run */
    uint64_t bound_interval_ps;       /* with its channels */
    double utilisation_mean, utilisation_max; /* of its servers, over the run and the instances */
    double wait_ns;                   /* a token, ready and its server not free */
    uint64_t served;
    double energy_pj;                 /* a token of the run, all instances */
} pp_lm_operator_row;
typedef struct pp_lm_level_row {
    char name[128], fabric[256];
    uint32_t groups_used, size, gateways, channels_used;
    double channel_gbps, max_bits, mean_bits, up_bits;
    double max_ps;                    /* most loaded channel, a token */
    double utilisation;               /* of it, at the run's throughput */
} pp_lm_level_row;
typedef struct pp_lm_sequence_row {
    uint32_t sequence, prompt_tokens, decode_tokens;
    double arrival_s, enter_s, first_token_s, done_s;
    double time_to_first_token_s, time_per_output_token_s;
} pp_lm_sequence_row;
typedef struct pp_lm_progress_row {
    double time_s;                    /* end of the slice */
    uint64_t prefill_tokens, decode_tokens; /* left in the slice */
    uint32_t in_flight;               /* when its last token left */
    uint64_t kv_bytes;
    double tokens_s;
} pp_lm_progress_row;
typedef struct pp_lm_context_row {
    uint32_t context;
    uint64_t interval_ps, latency_ps, attention_ps; /* bounds: tokens together; one alone, way back included; slowest unit */
    char bound_by[256];
    uint64_t fill_sequences;          /* decoding sequences of that context that fill the pipeline */
    uint64_t fit_sequences;           /* that the KV memory holds; 0: no limit */
    uint64_t kv_bytes_sequence;
} pp_lm_context_row;
/* A token in an operator of one block. */
typedef struct pp_lm_pipeline_row {
    uint32_t token, sequence, position;
    char part[24], name[96];
    uint64_t ready_ps, start_ps, end_ps; /* inputs there; server taken from start to end */
} pp_lm_pipeline_row;
typedef struct pp_lm_tables {
    pp_lm_operator_row *operators;
    pp_lm_level_row *level;
    pp_lm_sequence_row *sequence;
    pp_lm_progress_row *progress;
    pp_lm_context_row *context;
    pp_lm_pipeline_row *pipeline;     /* empty when nobody watched */
    size_t n_operators, n_levels, n_sequences, n_progress, n_contexts, n_pipeline;
} pp_lm_tables;
pp_status pp_lm_tables_fill(pp_lm_tables *out, const pp_lm_run *run);
pp_status pp_lm_tables_read(pp_lm_tables *out, const pp_report *r);
void pp_lm_tables_free(pp_lm_tables *t);

/* Text for people, and `operators`, `levels` of the JSON object. */
pp_status pp_lm_report_print(const pp_lm_summary *s, const pp_lm_tables *t, void *stdio_file, bool colour);
void pp_lm_tables_json(const pp_lm_tables *t, pp_json *object);
/* HDF5, as pp_report_write. */
pp_status pp_lm_report_write(const char *path, const pp_lm_run *run, const pp_lm_summary *s, const pp_lm_tables *t, bool force);
/* PREFIX-progress and PREFIX-contexts with the ending of `path`: tokens a second and in flight over time; time of a
 * token by context. .svg or .png. */
pp_status pp_lm_report_draw(const pp_lm_summary *s, const pp_lm_tables *t, const char *path, bool force);

#endif

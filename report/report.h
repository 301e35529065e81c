/* report/: the HDF5 report (docs/report-format.md), its reader, tables for people, CSV.
 * HDF5 is seen nowhere else. */
#ifndef PP_REPORT_REPORT_H
#define PP_REPORT_REPORT_H

#include "sim/energy.h"
#include "sim/noise_study.h"
#include "sim/sim.h"

#define PP_REPORT_SCHEMA "pentaprism-report/1"

/* Accuracy of one evaluation; has_* false leaves the figures out. */
typedef struct pp_accuracy {
    const char *data_name;
    const char *data_sha256;
    uint32_t images;
    double top1_float, top1_quant, top1_crossbar;
    bool has_float, has_quant, has_crossbar;
    const pp_tile_adc *adc;  /* [n_tiles] or NULL */
} pp_accuracy;

/* Everything that a run made; all borrowed; NULL: that part was not run (its group stays empty but is
 * there). */
typedef struct pp_report_input {
    const pp_config *config;
    const char *command;     /* canonical reproducing command, without -o and -j */
    uint64_t seed;
    const char *model;       /* as named by the user */
    const pp_network *net;
    const pp_stages *stages;
    const pp_qnetwork *q;
    const pp_arch *arch;
    const pp_fabric *fabric;
    const pp_mapping *mapping;
    const pp_run_result *run;
    const pp_energy *energy;
    const pp_accuracy *accuracy;
    const pp_lm_config *lm;  /* a language model in place of net, stages and q: these are NULL then */
    uint32_t lm_wbits, lm_abits;
    const pp_study *study;   /* accuracy on analog crossbars */
} pp_report_input;

/* Writes the whole report atomically (temporary file, fsync, rename). Byte-identical for identical
 * runs: no times, host, threads, absolute paths or kernel statistics. An existing file is kept unless
 * force; a failing write (disk full) leaves nothing behind. */
pp_status pp_report_write(const char *path, const pp_report_input *in, bool force);

/* Reader. Values of the summary by name, tables by path. */
typedef struct pp_report pp_report;
pp_status pp_report_open(pp_report **out, const char *path);
void pp_report_close(pp_report *r);

/* The summary: one struct, filled from a finished run or from a report file, printed the same way. */
typedef struct pp_summary {
    char network[256], fabric[512], certificate[16], placement[256], data[256], kernel[16], switching[16], preset[64];
    uint64_t parameters, macs;
    int64_t wbits, abits, adc_bits, array_rows, array_cols, lanes;
    uint32_t n_stages, n_tiles, cores_used, n_cores, unroll_max, copies_max, n_flows, single_channel_flows, max_hops, images, executed;
    double throughput_ips, latency_first_us, bound_latency_us;
    uint64_t initiation_interval_ps, bound_initiation_interval_ps, events;
    double max_channel_required_gbps, mean_channel_required_gbps, max_port_required_gbps, channel_gbps;
    double max_channel_utilisation;
    char bound_by[512];      /* what sets the interval: "core of conv1", "channel r0c1 -> r0c2" ... */
    char slowest_stage[256];
    char cost_preset[32], energy_boundary[16], energy_unpriced[512]; /* actions that nobody priced: "router wire" */
    double energy_per_inference_pj, power_w, tops, tops_per_w, tops_peak, array_utilisation;
    double mvm_pj, digital_pj, buffer_pj, router_pj, wire_pj, static_pj, dram_pj;
    double area_mm2, tops_per_mm2;
    bool has_energy, has_area;
    char congested_channel[512]; /* the channel that packets waited longest for; "" when nobody waited */
    char congested_by[1024];    /* whose packets it served meanwhile: "conv2 61 %, conv3 39 %" */
    double congested_wait_us;   /* an inference, summed over its packets */
    bool has_timing, has_float, has_quant, has_crossbar;
    uint32_t eval_images;
    double top1_float, top1_quant, top1_crossbar;
} pp_summary;
pp_status pp_summary_fill(pp_summary *out, const pp_report_input *in);
pp_status pp_summary_read(pp_summary *out, const pp_report *r);
/* People's text (aligned, sections, units) to a stream; colour only when asked. */
void pp_summary_print(const pp_summary *s, void *stdio_file, bool colour);
/* The keys of docs/cli.md (the contract) added to a JSON object; wall-clock keys are the caller's. */
void pp_summary_json(const pp_summary *s, pp_json *object);

/* Short names of the tables ("stages", "cores", "channels", "flows", "images" ...) in no order, NULL behind the last;
 * text and path (both may be NULL) say what it is and where it stands. CSV: report/content.h. */
const char *pp_report_table_name(size_t i, const char **text, const char **path);

/* Aligned text table for people: columns right-aligned when numeric. */
typedef struct pp_table pp_table;
pp_status pp_table_new(pp_table **out, const char *const *headers, size_t n_columns);
pp_status pp_table_row(pp_table *t, const char *const *cells);
void pp_table_print(const pp_table *t, void *stdio_file);
void pp_table_free(pp_table *t);

/* Library versions for `version`: HDF5. */
void pp_hdf5_version(char buffer[32]);

#endif

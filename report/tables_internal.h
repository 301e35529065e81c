/* The tables of a report: each fills rows from the run's structs and writes itself. */
#ifndef PP_REPORT_TABLES_INTERNAL_H
#define PP_REPORT_TABLES_INTERNAL_H

#include "report/h5_internal.h"
#include "report/report.h"

/* The groups that every report has, each with its description. */
pp_status pp_write_groups(hid_t file);
pp_status pp_write_config_table(hid_t file, const pp_report_input *in);
pp_status pp_write_workload_tables(hid_t file, const pp_report_input *in);
pp_status pp_write_quant_tables(hid_t file, const pp_report_input *in);
pp_status pp_write_fabric_tables(hid_t file, const pp_report_input *in);
pp_status pp_write_mapping_tables(hid_t file, const pp_report_input *in);
pp_status pp_write_timing_tables(hid_t file, const pp_report_input *in);
pp_status pp_write_energy_tables(hid_t file, const pp_report_input *in);
pp_status pp_write_accuracy_tables(hid_t file, const pp_report_input *in);
pp_status pp_write_study_tables(hid_t file, const pp_study *study);

/* Waiting by channel and stage, in that order; the caller frees. */
typedef struct pp_congestion {
    uint32_t channel, stage;
    uint64_t bits, waited_ps, caused_ps;
} pp_congestion;
pp_status pp_congestion_of(pp_congestion **out, size_t *n, const pp_report_input *in);

/* Text into a fixed field, rest zeroed. */
void pp_put_text(char *field, size_t size, const char *text);
#define PP_PUT(field, text) pp_put_text(field, sizeof(field), text)

#endif

/* What the parts of a language model's report share. */
#ifndef PP_REPORT_LM_REPORT_INTERNAL_H
#define PP_REPORT_LM_REPORT_INTERNAL_H

#include "report/lm_report.h"
#include "report/summary_internal.h"
#include "report/tables_internal.h"

typedef struct pp_lm_field {
    const char *group;
    pp_h5_column column;
} pp_lm_field;
extern const pp_lm_field pp_lm_fields[];
extern const size_t pp_lm_n_fields;

/* Longest sequence of a setup. */
uint32_t pp_lm_longest(const pp_token_setup *setup);
/* Busy share of a server over the run, of all its copies. */
double pp_lm_server_share(const pp_lm_run *r, uint32_t server);
/* A bound of lockstep's network as it is without the margin that all its times have. */
uint64_t pp_lm_without_margin(const pp_lm_run *r, uint64_t time_ps);
/* "attention of block 3", "q_proj -> attention of block 0". */
void pp_lm_server_name(const pp_lm_run *r, uint32_t server, char *out, size_t size);
/* Rows of what was watched, in the order of tokens and operators. */
pp_status pp_lm_pipeline_rows(pp_lm_pipeline_row **out, size_t *n, const pp_lm_pipeline *p);
/* "embedding", "block" or "end". */
const char *pp_lm_part_name(const pp_lm_mapping *m, uint32_t part);

#endif

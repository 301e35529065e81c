/* The one table of summary figures: place in the report, JSON key, field, unit, meaning. */
#ifndef PP_REPORT_SUMMARY_INTERNAL_H
#define PP_REPORT_SUMMARY_INTERNAL_H

#include "report/h5_internal.h"
#include "report/report.h"

typedef enum pp_summary_part { PP_PART_ALWAYS, PP_PART_TIMING, PP_PART_ENERGY, PP_PART_AREA, PP_PART_FLOAT, PP_PART_QUANT, PP_PART_CROSSBAR } pp_summary_part;

typedef struct pp_summary_field {
    const char *group;      /* "/timing" */
    pp_h5_column column;
    pp_summary_part part;   /* written only when that part was run */
    bool in_json;
} pp_summary_field;

extern const pp_summary_field pp_summary_fields[];
extern const size_t pp_summary_n_fields;

/* One field of a struct as a key of its own. */
void pp_summary_add_json(pp_json *object, const pp_h5_column *c, const void *row);

bool pp_summary_has(const pp_summary *s, pp_summary_part part);

#endif

/* What `traffic` prints and writes. */
#ifndef PP_CLI_TRAFFIC_OUTPUT_H
#define PP_CLI_TRAFFIC_OUTPUT_H

#include "report/report.h"
#include "sim/traffic.h"

/* Results on one fabric. */
typedef struct pp_traffic_result {
    const char *fabric, *routing; /* borrowed */
    size_t n;
    pp_traffic_point *point;      /* [n], owned by the command */
    double saturation;            /* NAN: not looked for */
} pp_traffic_result;

typedef struct pp_traffic_study {
    const char *pattern, *command;
    bool sweep;
    size_t n;
    pp_traffic_result *result;
    const pp_noc_options *network;
    const pp_traffic_options *traffic;
} pp_traffic_study;

pp_status pp_traffic_print(const pp_traffic_study *s);
pp_status pp_traffic_print_json(const pp_traffic_study *s);
/* By the ending: .csv, .h5, .svg or .png. */
pp_status pp_traffic_check_path(const char *path);
pp_status pp_traffic_write(const pp_traffic_study *s, const char *path, bool force);

#endif

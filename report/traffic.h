/* report/traffic.h: latency-load curves as HDF5 (schema pentaprism-traffic/1, docs/report-format.md). */
#ifndef PP_REPORT_TRAFFIC_H
#define PP_REPORT_TRAFFIC_H

#include "sim/traffic.h"

typedef struct pp_traffic_curve {
    const char *fabric, *routing, *pattern;
    size_t n;
    const pp_traffic_point *point;
    double saturation; /* NAN: not looked for */
} pp_traffic_curve;

/* Whole or not at all; the same study gives the same bytes. */
pp_status pp_traffic_report(const char *path, bool force, const char *command, const pp_traffic_options *traffic,
                            const pp_noc_options *network, const pp_traffic_curve *curves, size_t n);

#endif

/* The comparison behind `compare`: networks x array sizes x fabrics, in parallel over pairs. */
#ifndef PP_CLI_COMPARE_H
#define PP_CLI_COMPARE_H

#include "cli/session.h"
#include "report/compare.h"

typedef struct pp_compare_options {
    const char **network;
    size_t n_networks;
    const char **fabric; /* FABRIC strings */
    size_t n_fabrics;
    const int64_t (*array)[2]; /* rows, columns */
    size_t n_arrays;
    pp_normalise normalise;
    double wire_pitch_um;
    const char *certificates; /* folder for the certificate of each pair's best placement, or NULL */
    bool force;
} pp_compare_options;

/* Every pair with the session's hardware, quantization, mapping and simulation settings; on its pool, results in the
 * order of the lists whatever the number of threads. out->command and seed come from the session. */
pp_status pp_compare_run(pp_comparison *out, pp_session *s, const pp_compare_options *options);

#endif

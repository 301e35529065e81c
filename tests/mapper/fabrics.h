/* Fabrics for tests, from a kind and a few settings. */
#ifndef PP_TEST_MAPPER_FABRICS_H
#define PP_TEST_MAPPER_FABRICS_H

#include "topology/topology.h"

static inline pp_fabric *test_fabric(const char *kind, int64_t rows, int64_t cols, const char *ports,
                                     const char *routing)
{
    const pp_fabric_options options = {.kind = kind,
                                       .rows = rows,
                                       .cols = cols,
                                       .reach = 2,
                                       .row_direction = "both",
                                       .width_bits = 8,
                                       .clock_hz = 625e6,
                                       .lanes = 1,
                                       .header_bits = 24,
                                       .local_ports = ports,
                                       .routing = routing};
    pp_fabric *fabric = NULL;
    assert_int_equal(pp_fabric_build(&fabric, &options), PP_OK);
    return fabric;
}

#endif

/* Two small knob tables for the tests of the configuration. */
#ifndef PP_TEST_BASE_KNOBS_H
#define PP_TEST_BASE_KNOBS_H

#include "base/knob.h"

#include <math.h>

typedef struct arch_options {
    int64_t rows, seed;
    double drift;
    bool differential;
    const char *name;
    int kernel;
} arch_options;

typedef struct workload_options {
    const char *model;
    int64_t images;
} workload_options;

#define ARCH(field) offsetof(arch_options, field)
#define WORKLOAD(field) offsetof(workload_options, field)

static const pp_knob arch_knobs[] = {
    {"arch", "rows", PP_KNOB_INT, "", "256", 1, 65536, NULL, "Rows of a crossbar.", ARCH(rows)},
    {"arch", "seed", PP_KNOB_INT, "", "0", 0, 0x1p63, NULL, "Seed.", ARCH(seed)},
    {"arch", "drift", PP_KNOB_REAL, "", "0.05", 0, 0.5, NULL, "Drift exponent.", ARCH(drift)},
    {"arch", "differential", PP_KNOB_BOOL, "", "true", 0, 0, NULL, "Two cells a weight.", ARCH(differential)},
    {"arch", "name", PP_KNOB_TEXT, "", "", 0, 0, NULL, "Name.", ARCH(name)},
    {"arch", "kernel", PP_KNOB_CHOICE, "", "native", 0, 0, "native|systemc|auto", "Kernel.", ARCH(kernel)},
};
static const pp_knob workload_knobs[] = {
    {"workload", "model", PP_KNOB_TEXT, "", "lenet5", 0, 0, NULL, "Network.", WORKLOAD(model)},
    {"workload", "images", PP_KNOB_INT, "", "-1", -INFINITY, 100, NULL, "Images.", WORKLOAD(images)},
};
static const pp_knob_table tables[] = {{arch_knobs, 6}, {workload_knobs, 2}};

#endif

/* Placement against the optimum: twelve small cases in which every placement is tried. Prints the busiest channel
 * of both and their ratio. */
#include "tests/mapper/gaps.h"

#include <stdio.h>

static pp_status fabric_of(pp_fabric **out, const char *kind, int64_t rows, int64_t cols)
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
                                       .local_ports = "per_link",
                                       .routing = "xy"};
    return pp_fabric_build(out, &options);
}

static pp_status run(const char *kind, int64_t rows, int64_t cols, const char *what, pp_guest guest, double *worst)
{
    pp_fabric *fabric = NULL;
    pp_gap_problem p;
    uint64_t found = 0;
    pp_status status;
    PP_GOTO(done, status, fabric_of(&fabric, kind, rows, cols));
    PP_GOTO(done, status, gap_open(&p, guest, fabric));
    PP_GOTO(done, status, gap_search(&p, 1, &found));
    uint64_t best = gap_optimum(&p);
    double ratio = (double)found / (double)best;
    *worst = ratio > *worst ? ratio : *worst;
    printf("%-24s %-24s %9llu %9llu %6.3f\n", fabric->name, what, (unsigned long long)best, (unsigned long long)found,
           ratio);
done:
    pp_fabric_free(fabric);
    return status;
}

int main(void)
{
    const uint32_t ones[4] = {1, 1, 1, 1};
    const struct {
        const char *kind;
        int64_t rows, cols;
    } fabric[] = {{"mesh", 2, 4}, {"5pp", 2, 4}, {"torus", 2, 4}};
    const struct {
        const char *what;
        pp_guest guest;
    } guest[] = {{"3 basic blocks", guest_residual(3, 2, 0)},
                 {"2 bottleneck blocks", guest_residual(2, 3, 0)},
                 {"row-split block", guest_row_split(1)},
                 {"module of 4 branches", guest_inception(1, ones, 0)}};
    double worst = 0;
    printf("%-24s %-24s %9s %9s %6s\n", "fabric", "network", "optimum", "search", "ratio");
    for (size_t f = 0; f < 3; f++)
        for (size_t g = 0; g < 4; g++)
            if (run(fabric[f].kind, fabric[f].rows, fabric[f].cols, guest[g].what, guest[g].guest, &worst) != PP_OK) {
                fprintf(stderr, "%s\n", pp_error_text());
                return 1;
            }
    printf("worst ratio %.3f\n", worst);
    return 0;
}

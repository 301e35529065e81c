/* report/compare.h: a comparison of fabrics: its rows, and how they are shown, written and read back.
 *
 * A pair is a network, an array size and a fabric; it has one row for each port model and placement. Every
 * fabric of a network carries the same tiles and flows, planned for a channel before normalisation. */
#ifndef PP_REPORT_COMPARE_H
#define PP_REPORT_COMPARE_H

#include "report/report.h"
#include "topology/normalise.h"

typedef struct pp_compare_row {
    uint32_t pair; /* rows of one pair stand together */
    bool main;     /* the pair's row in short tables: own port model, best placement */
    char network[256], fabric[256];
    uint32_t array_rows, array_cols;
    char ports[16]; /* per_link, or the number of ports a core */
    char effort[8]; /* best or naive */
    char placement[256], routing[16];
    uint32_t tiles, cores_used, cores;
    char certificate[16];
    uint32_t flows, single_channel_flows, max_hops;
    double mean_hops;    /* channels that a bit crosses, payload-weighted mean over flows' trees */
    double channel_gbps; /* all lanes, after normalisation */
    uint32_t channels, radix_max;
    double wire_budget_mm; /* bits x mm of all network channels at their normalised width */
    double pins_per_core;  /* bits in and out at the normalised width */
    double bisection_gbps; /* both ways, normalised */
    bool bisection_exact;
    double switch_mm2, wire_mm2;                                  /* normalised */
    uint64_t unthrottled_interval_ps;                             /* busiest core: what no fabric can better */
    double max_channel_required_gbps, mean_channel_required_gbps; /* at the unthrottled interval */
    double p50_channel_required_gbps, p95_channel_required_gbps, p99_channel_required_gbps; /* network channels */
    double max_port_required_gbps;
    double lowest_channel_gbps; /* lowest rate of the network channels at which none is slower than the busiest core;
                                   ports and pixel feed apart */
    uint64_t bound_initiation_interval_ps, initiation_interval_ps; /* at channel_gbps; bound and simulated */
    double bound_latency_us, latency_first_us;
    double wire_gbit_mm;               /* sum of bits x length over an inference */
    double wire_energy_uj;             /* that, at the cost table's energy of a wire */
    double factor[PP_NORMALISE_COUNT]; /* width of its channels when this is held equal, relative to given */
} pp_compare_row;

/* Fabrics of a network from lightest to heaviest load of the busiest channel (required / rate), one order for
 * each normalisation; port model and placement of the main rows. */
typedef struct pp_compare_order {
    char network[256];
    uint32_t array_rows, array_cols;
    char normalise[16];
    char order[4096]; /* "5pp 0.51 < torus 0.77 < mesh 1.02": share of the channel's rate that is needed */
} pp_compare_order;

typedef struct pp_comparison {
    char normalise[16];
    char reference[256]; /* fabric whose budget the others are brought to: the first of the list */
    char *command; /* owned; NULL once read back */
    uint64_t seed;
    uint32_t n_rows, n_orders;
    pp_compare_row *row;
    pp_compare_order *order;
} pp_comparison;

void pp_comparison_free(pp_comparison *c);
/* Fills order[] from the rows. */
pp_status pp_comparison_rank(pp_comparison *c);

/* Text for people: first what changes with the normalisation, then the main rows, then port models and placements. */
pp_status pp_comparison_print(const pp_comparison *c, void *stdio_file);
/* Keys "normalise" and "rows" (one object a pair, with its "variants") of the command-line contract. */
void pp_comparison_json(const pp_comparison *c, pp_json *object);
/* All rows as CSV, one line each. */
pp_status pp_comparison_csv(const pp_comparison *c, void *stdio_file);
/* HDF5 with the usual groups; tables /compare/rows and /compare/orders. */
pp_status pp_comparison_write(const char *path, const pp_comparison *c, const pp_config *config, bool force);
/* The same back; PP_ENOTFOUND when the report holds no comparison. The caller frees with pp_comparison_free. */
pp_status pp_comparison_read(pp_comparison *out, const pp_report *r);
/* Heat map, networks by fabrics: the largest required rate of a channel, Gbit/s. .svg or .png. */
pp_status pp_comparison_draw(const pp_comparison *c, const char *path, bool force);

#endif

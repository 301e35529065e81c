/* What the traffic files share. */
#ifndef PP_SIM_TRAFFIC_INTERNAL_H
#define PP_SIM_TRAFFIC_INTERNAL_H

#include "sim/traffic.h"

typedef struct pp_trace_packet {
    uint64_t time;
    uint32_t dst, flits;
} pp_trace_packet;

typedef enum pp_pattern_kind { PP_PATTERN_UNIFORM, PP_PATTERN_MAP, PP_PATTERN_HOTSPOT, PP_PATTERN_MATRIX, PP_PATTERN_TRACE } pp_pattern_kind;

struct pp_pattern {
    pp_pattern_kind kind;
    char *name;
    uint32_t n_cores;
    uint32_t *map;          /* MAP: destination of each core */
    uint32_t *hot, n_hot;   /* HOTSPOT */
    double hot_share;
    uint32_t *first, *dst;  /* MATRIX: rows in CSR by source; TRACE: packets in CSR by source */
    double *cumulative, *weight;
    pp_trace_packet *packet;
    uint64_t trace_end;     /* TRACE: time of the last packet */
};

pp_status pp_pattern_read_map(pp_pattern *p, const char *path);
pp_status pp_pattern_read_trace(pp_pattern *p, const char *path);

/* Packets of one core in order of time. */
typedef struct pp_generator {
    pp_rng rng;
    double clock;       /* Poisson: continuous time of the last arrival */
    uint64_t next, on_end; /* next cycle that may have a packet; on-off: end of the burst */
    double p;           /* packets a cycle (in a burst) */
    double inverse_log; /* 1 / log(1 - p) */
    uint64_t at;        /* time of the packet handed out last */
    uint32_t trace_at;
    uint64_t limit_at;
} pp_generator;

typedef struct pp_sources {
    const pp_pattern *pattern;
    const pp_traffic_options *o;
    pp_generator *of_core;
    double mean_flits;
    uint32_t n_cores;
} pp_sources;
pp_status pp_sources_new(pp_sources *s, const pp_fabric *fabric, const pp_pattern *pattern,
                         const pp_traffic_options *o, uint64_t seed);
void pp_sources_free(pp_sources *s);
/* One load with one seed; the mean of n runs with different seeds. */
pp_status pp_traffic_once(pp_traffic_point *out, const pp_fabric *fabric, const pp_noc_options *network,
                          const pp_noc_routing *routing, const pp_pattern *pattern, const pp_traffic_options *options,
                          uint64_t seed);
void pp_traffic_mean(pp_traffic_point *out, const pp_traffic_point *run, uint32_t n);
bool pp_sources_next(pp_sources *s, uint32_t core, pp_noc_packet *p);

#endif

/* Mapped networks for timing tests: the mapper's fixtures, placed on a fabric. */
#ifndef PP_TEST_SIM_FIXTURE_H
#define PP_TEST_SIM_FIXTURE_H

#include "tests/mapper/fixture.h"

#include "sim/sim.h"

typedef struct mapped {
    fixture f;
    pp_arch arch;
    pp_mapping *m;
    pp_fabric *fabric;
} mapped;

static inline pp_fabric_options sim_fabric(const char *kind, int64_t rows, int64_t cols, int64_t lanes)
{
    return (pp_fabric_options){.kind = kind,
                               .file = "",
                               .rows = rows,
                               .cols = cols,
                               .reach = 2,
                               .row_direction = "both",
                               .width_bits = 8,
                               .clock_hz = 625e6,
                               .lanes = lanes,
                               .local_ports = "auto",
                               .routing = "auto"};
}

/* x->f and x->arch are set. */
static inline void sim_map(mapped *x, pp_fabric_options fabric, const pp_map_options *options)
{
    must(pp_map(&x->m, &x->fabric, &x->f.q, &x->arch, &fabric, options, 1, NULL));
    must(pp_mapping_check(x->m, &x->f.q, &x->arch, x->fabric));
}

static inline void sim_unmap(mapped *x)
{
    pp_mapping_free(x->m);
    pp_fabric_free(x->fabric);
    fixture_free(&x->f);
}

static inline pp_sim_options sim_options(int64_t images, int switching)
{
    return (pp_sim_options){.images = images, .switching = switching, .exact = true};
}

static inline pp_run_result *sim_run(const mapped *x, const pp_sim_options *options)
{
    pp_run_result *r;
    must(pp_simulate(&r, &x->f.q, &x->arch, x->fabric, x->m, options, NULL, NULL, NULL));
    return r;
}

/* Whoever waits, waits for somebody: on every channel the waiting of its edges is what edges caused and what a lack of
 * room behind it did. */
static inline void sim_waiting_adds_up(const mapped *x, const pp_run_result *r)
{
    for (uint32_t c = 0; c < x->m->n_channels; c++) {
        uint64_t waited = 0, caused = r->channel[c].blocked_ps;
        for (uint32_t e = 0; e < r->n_edges; e++) {
            if (x->m->edge[e].channel != c)
                continue;
            waited += r->edge[e].waited_ps;
            caused += r->edge[e].caused_ps;
        }
        assert_int_equal(waited, r->channel[c].wait_ps);
        assert_int_equal(caused, r->channel[c].wait_ps);
    }
}

/* What must hold after every run: nothing lost, nothing invented, no bound beaten. On private paths (ideal
 * switching) channels are not shared, so their bounds say nothing. */
static inline void sim_conserves(const mapped *x, const pp_run_result *r, bool ideal)
{
    uint64_t n = r->images;
    for (uint32_t f = 0; f < x->m->n_flows; f++) {
        assert_int_equal(r->flow[f].packets, n * x->m->flow[f].positions);
        if (x->m->flow[f].buffer)
            assert_true(r->flow[f].buffer_high <= x->m->flow[f].buffer);
    }
    for (uint32_t c = 0; c < x->m->n_channels; c++) {
        assert_int_equal(r->channel[c].bits, n * x->m->channel_bits[c]);
        assert_true(r->channel[c].utilisation >= 0 && (ideal || r->channel[c].utilisation <= 1));
    }
    sim_waiting_adds_up(x, r);
    for (uint32_t s = 0; s < x->m->n_stages; s++)
        assert_int_equal(r->stage[s].firings, n * x->m->plan[s].positions);
    for (uint32_t t = 0; t < x->m->n_tiles; t++)
        assert_true(r->core[t].utilisation >= 0 && r->core[t].utilisation <= 1);
    for (uint32_t i = 1; i < n; i++)
        assert_true(r->done_ps[i] > r->done_ps[i - 1]);
    assert_true(r->latency_first_ps >= x->m->bounds.latency_ps);
    uint64_t bound = ideal ? x->m->bounds.core_ps : x->m->bounds.interval_ps;
    bound = bound > x->m->bounds.input_ps ? bound : x->m->bounds.input_ps;
    assert_true(r->interval_ps >= bound);
    assert_true(r->end_ps >= n * bound);
}

#endif

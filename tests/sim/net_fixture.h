/* Small networks for the tests of the network engines. */
#ifndef PP_TESTS_NET_FIXTURE_H
#define PP_TESTS_NET_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/net.h"
#include "sim/net_route.h"
#include "sim/traffic.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define must(expr)                                                                                                     \
    do {                                                                                                               \
        if ((expr) != PP_OK) {                                                                                         \
            print_error("%s\n", pp_error_text());                                                                     \
            fail();                                                                                                    \
        }                                                                                                              \
    } while (0)

typedef struct net_case {
    pp_arena *arena;
    pp_fabric *fabric;
    pp_noc_router *router;
    pp_noc_routing routing;
    pp_noc_options o;
} net_case;

static inline void case_open(net_case *c, const char *fabric, const char *routing)
{
    pp_config *config = NULL;
    pp_fabric_options options;
    const pp_knob_table table = pp_fabric_knobs();
    *c = (net_case){0};
    must(pp_arena_new(&c->arena));
    must(pp_config_new(&config, &table, 1));
    must(pp_config_bind(config, &table, &options));
    must(pp_fabric_parse(&options, c->arena, fabric));
    must(pp_fabric_build(&c->fabric, &options));
    pp_config_free(config);
    must(pp_noc_router_new(&c->router, c->fabric, routing));
    c->routing = pp_noc_router_function(c->router);
    pp_noc_defaults(&c->o);
}

static inline void case_close(net_case *c)
{
    pp_noc_router_free(c->router);
    pp_fabric_free(c->fabric);
    pp_arena_free(c->arena);
}

static inline pp_noc_packet packet_of(uint64_t time, uint32_t src, uint32_t dst, uint32_t flits)
{
    return (pp_noc_packet){.time = time, .src = src, .dst = dst, .flits = flits, .tree = PP_NOC_TREE_NONE};
}

/* Random packets in order of time: about `rate` flits a core and cycle over `cycles`. */
static inline pp_noc_packet *random_packets(const pp_fabric *f, double rate, uint32_t cycles, uint32_t flits_max,
                                            uint64_t seed, int *count)
{
    pp_rng rng = pp_rng_make(seed, 1);
    pp_noc_packet *p = calloc((size_t)cycles * f->n_cores + 1, sizeof *p);
    int n = 0;
    for (uint32_t t = 0; t < cycles; t++)
        for (uint32_t c = 0; c < f->n_cores; c++)
            if (pp_rng_uniform(&rng) < rate * 2 / (1 + flits_max)) {
                p[n] = packet_of(t, c, pp_rng_below(&rng, f->n_cores), 1 + pp_rng_below(&rng, flits_max));
                p[n].tag = (uint64_t)n;
                n++;
            }
    *count = n;
    return p;
}

#endif

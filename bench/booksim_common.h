/* A network as the arguments of `pentaprism traffic` describe it, for the benches. */
#ifndef PP_BENCH_BOOKSIM_COMMON_H
#define PP_BENCH_BOOKSIM_COMMON_H

#include "sim/net_route.h"
#include "sim/traffic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct bench_net {
    pp_arena *arena;
    pp_config *config;
    pp_fabric *fabric;
    pp_noc_router *router;
    pp_noc_routing routing;
    pp_noc_options network;
    pp_traffic_options traffic;
    pp_pattern *pattern;
} bench_net;

static void bench_close(bench_net *b)
{
    pp_pattern_free(b->pattern);
    pp_noc_router_free(b->router);
    pp_fabric_free(b->fabric);
    pp_config_free(b->config);
    pp_arena_free(b->arena);
}

static pp_status bench_option(bench_net *b, const char *key, const char *value, const char **pattern, const char **routing)
{
    if (strcmp(key, "--pattern") == 0)
        *pattern = value;
    else if (strcmp(key, "--routing") == 0)
        *routing = value;
    else if (strcmp(key, "--packet-flits") == 0)
        return pp_traffic_sizes(&b->traffic, value);
    else if (strcmp(key, "--vcs") == 0)
        b->network.vcs = (uint32_t)atoi(value);
    else if (strcmp(key, "--buffer") == 0)
        b->network.buffer_flits = (uint32_t)atoi(value);
    else if (strcmp(key, "--router") == 0)
        return pp_noc_preset(&b->network, value);
    else
        return pp_fail(PP_EINVAL, "unknown argument %s", key);
    return PP_OK;
}

/* text: "FABRIC --key value ...", cut up in place. */
static pp_status bench_open(bench_net *b, char *text)
{
    const pp_knob_table table = pp_fabric_knobs();
    pp_fabric_options options;
    const char *pattern = "uniform", *routing = "auto";
    char *save = NULL, *fabric = strtok_r(text, " \r\n", &save);
    *b = (bench_net){0};
    pp_noc_defaults(&b->network);
    pp_traffic_defaults(&b->traffic);
    b->traffic.booksim = true;
    PP_TRY(pp_arena_new(&b->arena));
    PP_TRY(pp_config_new(&b->config, &table, 1));
    PP_TRY(pp_config_bind(b->config, &table, &options));
    for (char *key; (key = strtok_r(NULL, " \r\n", &save)) != NULL;) {
        char *value = strtok_r(NULL, " \r\n", &save);
        PP_TRY(bench_option(b, key, value ? value : "", &pattern, &routing));
    }
    PP_TRY(pp_fabric_parse(&options, b->arena, fabric ? fabric : ""));
    PP_TRY(pp_fabric_build(&b->fabric, &options));
    PP_TRY(pp_noc_router_new(&b->router, b->fabric, routing));
    b->routing = pp_noc_router_function(b->router);
    return pp_pattern_new(&b->pattern, b->fabric, pattern, 1);
}

#endif

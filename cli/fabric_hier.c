/* fabric show of a fabric of several levels: each level as it is, and ways through all of them. */
#include "cli/fabric_hier.h"

#include "topology/hier.h"

#include <stdio.h>

#define PAIRS_MAX 65536u
#define WAY_MAX 16384

typedef struct hier_figures {
    pp_fabric_metrics level[PP_HIER_MAX_LEVELS];
    uint64_t network;          /* channels of all levels without ports, gateways included */
    double mean_hops;          /* over ordered pairs of different cores */
    uint32_t max_hops;
    uint64_t pairs;
    bool sampled;
} hier_figures;

static uint32_t network_hops(const pp_hier *h, const uint32_t *path, size_t n)
{
    uint32_t hops = 0;
    for (size_t i = 0; i < n; i++)
        hops += pp_hier_channel(h, path[i])->kind == PP_CHANNEL_NETWORK;
    return hops;
}

/* All ordered pairs, or every stride-th of them; the stride is odd, so that it does not stay on the cores of one column. */
static pp_status measure_ways(hier_figures *g, const pp_hier *h)
{
    const uint64_t n = h->n_cores, all = n * n;
    const uint64_t stride = all <= PAIRS_MAX ? 1 : all / PAIRS_MAX | 1;
    uint32_t path[WAY_MAX];
    uint64_t sum = 0;
    g->sampled = stride > 1;
    for (uint64_t k = 0; k < all; k += stride) {
        size_t hops = 0;
        if (k / n == k % n)
            continue;
        PP_TRY(pp_hier_route(h, (uint32_t)(k / n), (uint32_t)(k % n), path, WAY_MAX, &hops));
        const uint32_t network = network_hops(h, path, hops);
        sum += network;
        g->max_hops = network > g->max_hops ? network : g->max_hops;
        g->pairs++;
    }
    g->mean_hops = g->pairs > 0 ? (double)sum / (double)g->pairs : 0.0;
    return PP_OK;
}

static pp_status measure(hier_figures *g, const pp_hier *h)
{
    for (uint32_t l = 0; l < h->n_levels; l++) {
        PP_TRY(pp_fabric_measure(h->level[l].unit, &g->level[l]));
        g->network += (uint64_t)(h->level[l].unit->n_network + 2 * h->level[l].gateways) * h->level[l].groups;
    }
    return measure_ways(g, h);
}

static void level_json(pp_json *list, const pp_hier *h, const hier_figures *g, uint32_t l)
{
    const pp_hier_level *v = &h->level[l];
    pp_json *o = pp_json_add_object(list, NULL);
    pp_json_add_text(o, "name", v->name);
    pp_json_add_text(o, "fabric", v->unit->name);
    pp_json_add_i64(o, "groups", v->groups);
    pp_json_add_i64(o, "members", v->size);
    pp_json_add_i64(o, "gateways", v->gateways);
    pp_json_add_i64(o, "channels", g->level[l].channels);
    pp_json_add_i64(o, "degree_min", g->level[l].degree_min);
    pp_json_add_i64(o, "degree_max", g->level[l].degree_max);
    pp_json_add_i64(o, "diameter", g->level[l].diameter);
    pp_json_add_f64(o, "mean_distance", g->level[l].mean_distance);
    pp_json_add_i64(o, "bisection_channels", g->level[l].bisection_channels);
    pp_json_add_bool(o, "bisection_exact", g->level[l].bisection_exact);
    if (v->unit->n_network > 0)
        pp_json_add_f64(o, "channel_gbps", pp_channel_rate_gbps(&v->unit->channel[0]));
}

static pp_status print_json(const pp_hier *h, const hier_figures *g)
{
    pp_json *json = pp_json_object();
    pp_json_add_text(json, "kind", "levels");
    pp_json_add_text(json, "fabric", h->name);
    pp_json_add_i64(json, "cores", h->n_cores);
    pp_json_add_i64(json, "channels", (int64_t)g->network);
    pp_json_add_i64(json, "diameter", g->max_hops);
    pp_json_add_f64(json, "mean_distance", g->mean_hops);
    pp_json_add_bool(json, "sampled", g->sampled);
    pp_json *list = pp_json_add_list(json, "levels");
    for (uint32_t l = 0; l < h->n_levels; l++)
        level_json(list, h, g, l);
    return pp_print_json(json);
}

static pp_status level_row(pp_table *t, const pp_hier *h, const hier_figures *g, uint32_t l)
{
    const pp_hier_level *v = &h->level[l];
    char groups[24], members[24], ways[24], rate[24] = "-", diameter[24], bisection[32];
    snprintf(groups, sizeof groups, "%u", v->groups);
    snprintf(members, sizeof members, "%u", v->size);
    snprintf(ways, sizeof ways, "%u", v->gateways);
    if (v->unit->n_network > 0)
        snprintf(rate, sizeof rate, "%.4g", pp_channel_rate_gbps(&v->unit->channel[0]));
    snprintf(diameter, sizeof diameter, "%u", g->level[l].diameter);
    snprintf(bisection, sizeof bisection, "%u%s", g->level[l].bisection_channels, g->level[l].bisection_exact ? "" : " (found)");
    const char *cells[] = {v->name, v->unit->name, groups, members, ways, rate, diameter, bisection};
    return pp_table_row(t, cells);
}

static pp_status print_text(const pp_hier *h, const hier_figures *g)
{
    const char *headers[] = {"level", "fabric", "groups", "members", "gateways", "Gbit/s", "diameter", "bisection"};
    pp_table *t = NULL;
    pp_status status = pp_table_new(&t, headers, 8);
    for (uint32_t l = 0; l < h->n_levels && status == PP_OK; l++)
        status = level_row(t, h, g, l);
    if (status == PP_OK)
        pp_table_print(t, stdout);
    pp_table_free(t);
    printf("\n%s: %u cores, %llu channels; a way takes %.4f channels in the mean, at most %u%s\n", h->name, h->n_cores,
           (unsigned long long)g->network, g->mean_hops, g->max_hops, g->sampled ? " (sampled)" : "");
    return status;
}

pp_status pp_show_hier(pp_session *s)
{
    pp_hier_options options;
    pp_hier *h = NULL;
    hier_figures g = {0};
    PP_TRY(pp_hier_parse(&options, s->arena, &s->fabric_options));
    PP_TRY(pp_hier_build(&h, &options));
    pp_status status = measure(&g, h);
    if (status == PP_OK)
        status = pp_args_has(s->args, "json") ? print_json(h, &g) : print_text(h, &g);
    pp_hier_free(h);
    return status;
}

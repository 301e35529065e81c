/* Networks x fabrics: plan once, place and simulate for each port model and placement. */
#include "cli/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VARIANTS 4u /* own ports best, own ports naive, other ports best, other ports naive */

typedef struct pair {
    const char *network, *fabric, *reference;
    const int64_t *array;
} pair;

typedef struct job {
    const pp_session *s;
    const pp_compare_options *options;
    pair *pair;
    pp_fabric_options *fabric; /* parsed, one a fabric of the list */
    pp_comparison *out;
    pp_progress bar;
} job;

/* What the variants of a pair share. */
typedef struct work {
    const job *j;
    const pair *p;
    pp_arch arch;
    pp_network *net;
    pp_stages *stages;
    pp_qnetwork *q;
    pp_mapping *mapping;
    pp_fabric *fabric, *reference;
    pp_run_result *run;
} work;

static void work_free(work *w)
{
    pp_run_result_free(w->run);
    pp_mapping_free(w->mapping);
    pp_fabric_free(w->fabric);
    pp_fabric_free(w->reference);
    pp_qnetwork_free(w->q);
    pp_stages_free(w->stages);
    pp_network_free(w->net);
}

/* A cut is seen: the text ends in three points. */
static void put_text(char *field, size_t size, const char *text)
{
    memset(field, 0, size);
    if (snprintf(field, size, "%s", text != NULL ? text : "") >= (int)size)
        memcpy(field + size - 4, "...", 3);
}
#define PUT(field, text) put_text(field, sizeof(field), text)

/* ---- fabrics ---- */

static const pp_fabric_options *options_of(const job *j, const char *text)
{
    for (size_t i = 0; i < j->options->n_fabrics; i++)
        if (strcmp(j->options->fabric[i], text) == 0)
            return &j->fabric[i];
    return NULL;
}

static pp_status build(pp_fabric **out, const pp_fabric_options *given, const char *ports, const char *routing,
                       const pp_mapping *m)
{
    pp_fabric_options o = *given;
    if (ports != NULL)
        o.local_ports = ports;
    if (routing != NULL)
        o.routing = routing;
    return strncmp(o.kind, "file", 4) == 0 ? pp_fabric_build(out, &o) : pp_map_fabric(out, &o, m);
}

static const char *other_ports(const pp_fabric *f)
{
    return f->ports == 0 ? "1" : "per_link";
}

/* What somebody would do without a mapper: rows to and fro, along the row first. Elsewhere cores in their order
 * and the fabric's shortest way. */
static const char *naive_routing(const pp_fabric *f)
{
    pp_routing routing;
    return f->rows > 0 && pp_routing_parse(&routing, "xy", f) == PP_OK ? "xy" : "shortest";
}

static const char *naive_placement(const pp_fabric *f)
{
    return f->rows > 1 ? "snake" : "linear";
}

/* ---- figures of a row ---- */

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The smallest value that `share` of all do not exceed. */
static double percentile(const double *sorted, uint32_t n, double share)
{
    if (n == 0)
        return 0.0;
    const uint32_t at = (uint32_t)ceil(share * (double)n);
    return sorted[at > 0 ? at - 1 : 0];
}

static pp_status required(pp_compare_row *row, const pp_mapping *m, const pp_fabric *f)
{
    double *gbps = pp_calloc(f->n_network, sizeof *gbps), sum = 0.0;
    if (gbps == NULL)
        return PP_ENOMEM;
    const double per_bit = row->unthrottled_interval_ps > 0 ? 1000.0 / (double)row->unthrottled_interval_ps : 0.0;
    for (uint32_t c = 0; c < f->n_network; c++) {
        gbps[c] = (double)m->channel_bits[c] * per_bit;
        sum += gbps[c];
    }
    qsort(gbps, f->n_network, sizeof *gbps, by_value);
    row->max_channel_required_gbps = percentile(gbps, f->n_network, 1.0);
    row->mean_channel_required_gbps = f->n_network > 0 ? sum / (double)f->n_network : 0.0;
    row->p50_channel_required_gbps = percentile(gbps, f->n_network, 0.5);
    row->p95_channel_required_gbps = percentile(gbps, f->n_network, 0.95);
    row->p99_channel_required_gbps = percentile(gbps, f->n_network, 0.99);
    free(gbps);
    return PP_OK;
}

static void budgets(pp_compare_row *row, const work *w, const pp_fabric_budget *own, double factor)
{
    const pp_fabric *f = w->fabric;
    row->channels = f->n_network;
    row->radix_max = own->radix_max;
    row->channel_gbps = f->n_network > 0 ? pp_channel_rate_gbps(&f->channel[0]) : 0.0;
    row->wire_budget_mm = own->wire_bit_mm * factor;
    row->pins_per_core = own->pins_per_core * factor;
    row->bisection_gbps = own->bisection_gbps * factor;
    row->bisection_exact = own->bisection_exact;
    row->switch_mm2 = own->switch_mm2 * factor * factor;
    row->wire_mm2 = own->wire_mm2 * factor;
}

static double mean_hops(const pp_mapping *m)
{
    double bits = 0.0, root = 0.0; /* over all channels, and over the first channel of each net */
    for (uint32_t e = 0; e < m->n_edges; e++) {
        bits += (double)m->edge[e].bits;
        root += m->edge[e].parent == PP_NONE ? (double)m->edge[e].bits : 0.0;
    }
    return root > 0.0 ? bits / root : 0.0;
}

static pp_status figures(pp_compare_row *row, const work *w)
{
    const pp_mapping *m = w->mapping;
    const pp_bounds *b = &m->bounds;
    row->tiles = m->n_tiles;
    row->cores_used = m->cores_used;
    row->cores = w->fabric->n_cores;
    row->flows = m->n_flows;
    row->single_channel_flows = m->single_channel_flows;
    row->max_hops = m->max_hops;
    row->mean_hops = mean_hops(m);
    PUT(row->certificate, pp_certificate_name(m->certificate));
    PUT(row->placement, m->placement);
    row->unthrottled_interval_ps = b->core_ps;
    row->bound_initiation_interval_ps = b->interval_ps;
    row->bound_latency_us = (double)b->latency_ps * 1e-6;
    row->initiation_interval_ps = w->run->interval_ps;
    row->latency_first_us = (double)w->run->latency_first_ps * 1e-6;
    row->lowest_channel_gbps = b->core_ps > 0 ? row->channel_gbps * (double)b->channel_ps / (double)b->core_ps : 0.0;
    row->max_port_required_gbps = b->core_ps > 0 ? b->max_port_gbps * (double)b->interval_ps / (double)b->core_ps : 0.0;
    row->wire_gbit_mm = b->wire_bit_pitches * w->arch.core_pitch_mm * 1e-9;
    row->wire_energy_uj = row->wire_gbit_mm * w->j->s->cost.energy[PP_ACTION_WIRE].value; /* 1e9 fJ = 1 uJ */
    return required(row, m, w->fabric);
}

/* ---- one variant ---- */

static pp_status plan(work *w)
{
    const pp_session *s = w->j->s;
    const pp_fabric_options *o = options_of(w->j, w->p->fabric);
    const double gbps = o->rate_gbps > 0.0 ? o->rate_gbps : (double)o->width_bits * o->clock_hz * 1e-9;
    const pp_channel channel = {.lanes = (uint32_t)o->lanes,
                                .lane_gbps = gbps,
                                .length = 1.0F,
                                .latency_ps = (uint32_t)(o->wire_ps + o->router_ps)};
    pp_mapping_free(w->mapping);
    w->mapping = NULL;
    return pp_map_plan(&w->mapping, w->q, &w->arch, &channel, (uint32_t)o->header_bits, &s->map_options);
}

/* Builds the fabric with these ports and the reference with its own, and widens the channels of the first. */
static pp_status prepare(work *w, pp_compare_row *row, const char *ports, const char *routing)
{
    const job *j = w->j;
    const pp_compare_options *o = j->options;
    const pp_fabric_options *own = options_of(j, w->p->fabric), *reference = options_of(j, w->p->reference);
    pp_fabric_budget a, b;
    pp_fabric_free(w->fabric);
    pp_fabric_free(w->reference);
    w->fabric = w->reference = NULL;
    PP_TRY(build(&w->fabric, own, ports, routing, w->mapping));
    PP_TRY(build(&w->reference, reference, NULL, NULL, w->mapping));
    PP_TRY(pp_fabric_budget_of(&a, w->fabric, own->clock_hz, w->arch.core_pitch_mm, o->wire_pitch_um));
    PP_TRY(pp_fabric_budget_of(&b, w->reference, reference->clock_hz, w->arch.core_pitch_mm, o->wire_pitch_um));
    if (w->fabric->n_cores < w->mapping->n_tiles)
        return pp_fail(PP_EINFEASIBLE, "fabric %s has %u cores, %s takes %u", w->fabric->name, w->fabric->n_cores,
                       w->p->network, w->mapping->n_tiles);
    for (pp_normalise n = 0; n < PP_NORMALISE_COUNT; n++)
        row->factor[n] = pp_normalise_factor(n, &a, &b);
    pp_fabric_scale_channels(w->fabric, row->factor[o->normalise]);
    budgets(row, w, &a, row->factor[o->normalise]);
    return PP_OK;
}

static pp_status place_and_simulate(work *w, const pp_map_options *options)
{
    const pp_session *s = w->j->s;
    pp_sim_options sim = s->sim_options;
    sim.execute = 0;
    pp_run_result_free(w->run);
    w->run = NULL;
    PP_TRY(pp_map_place(w->mapping, w->fabric, options, (uint64_t)s->run_options.seed, NULL));
    PP_TRY(pp_map_analyse(w->mapping, w->q, &w->arch, w->fabric, options));
    return pp_simulate(&w->run, w->q, &w->arch, w->fabric, w->mapping, &sim, NULL, NULL, NULL);
}

static pp_status certificate(const work *w, const pp_compare_row *row)
{
    const pp_compare_options *o = w->j->options;
    if (o->certificates == NULL || !row->main)
        return PP_OK;
    char name[256];
    snprintf(name, sizeof name, "%.60s-%ux%u-%.80s.json", row->network, row->array_rows, row->array_cols, row->fabric);
    for (char *c = name; *c != 0; c++)
        *c = strchr(":,=/", *c) != NULL ? '_' : *c;
    char *path = pp_path_join(o->certificates, name);
    if (path == NULL)
        return PP_ENOMEM;
    const pp_status status = pp_certificate_write(path, w->mapping, w->q, &w->arch, w->fabric, o->force);
    free(path);
    return status;
}

static pp_status variant(work *w, pp_compare_row *row, const char *ports, bool naive)
{
    pp_map_options options = w->j->s->map_options;
    PP_TRY(plan(w));
    PP_TRY(prepare(w, row, ports, NULL));
    if (naive) {
        const char *routing = naive_routing(w->fabric);
        options.placement = naive_placement(w->fabric);
        PP_TRY(prepare(w, row, ports, routing));
    }
    PUT(row->fabric, w->fabric->name);
    PUT(row->effort, naive ? "naive" : "best");
    PUT(row->routing, w->fabric->routing);
    if (w->fabric->ports == 0)
        PUT(row->ports, "per_link");
    else
        snprintf(row->ports, sizeof row->ports, "%u", w->fabric->ports);
    PP_TRY(place_and_simulate(w, &options));
    PP_TRY(figures(row, w));
    return certificate(w, row);
}

/* ---- one pair ---- */

static pp_status open_network(work *w)
{
    const pp_session *s = w->j->s;
    PP_TRY(pp_model_open(&w->net, w->p->network));
    PP_TRY(pp_stages_build(&w->stages, w->net));
    w->arch = s->arch;
    w->arch.rows = w->p->array[0];
    w->arch.cols = w->p->array[1];
    return pp_quantize(&w->q, w->net, w->stages, &s->quant, NULL, NULL);
}

/* A network's file without its folder, unless another one of the comparison is called the same. */
static void put_network(pp_compare_row *row, const pp_compare_options *o, const char *network)
{
    char *bare = pp_without_folders(network);
    bool alone = bare != NULL;
    for (size_t i = 0; alone && i < o->n_networks; i++) {
        char *other = pp_without_folders(o->network[i]);
        alone = other != NULL && (strcmp(o->network[i], network) == 0 || strcmp(other, bare) != 0);
        free(other);
    }
    PUT(row->network, alone ? bare : network);
    free(bare);
}

static pp_status run_variants(work *w, pp_compare_row *row)
{
    const char *ports[2] = {NULL, NULL};
    for (uint32_t v = 0; v < VARIANTS; v++) {
        put_network(&row[v], w->j->options, w->p->network);
        row[v].array_rows = (uint32_t)w->arch.rows;
        row[v].array_cols = (uint32_t)w->arch.cols;
        row[v].main = v == 0;
        PP_TRY(variant(w, &row[v], ports[v / 2], v % 2 != 0));
        if (v == 0)
            ports[1] = other_ports(w->fabric);
    }
    return PP_OK;
}

static pp_status run_pair(void *payload, size_t index, unsigned worker)
{
    job *j = payload;
    (void)worker;
    work w = {.j = j, .p = &j->pair[index]};
    pp_compare_row *row = &j->out->row[index * VARIANTS];
    for (uint32_t v = 0; v < VARIANTS; v++)
        row[v].pair = (uint32_t)index;
    pp_status status = open_network(&w);
    if (status == PP_OK)
        status = run_variants(&w, row);
    work_free(&w);
    pp_progress_step(&j->bar, 1);
    if (status != PP_OK) {
        char where[200];
        snprintf(where, sizeof where, "%.60s on %.100s", j->pair[index].network, j->pair[index].fabric);
        pp_fail_in(status, where);
    }
    return status;
}

static void list_pairs(const pp_compare_options *o, pair *p)
{
    for (size_t n = 0; n < o->n_networks; n++)
        for (size_t a = 0; a < o->n_arrays; a++)
            for (size_t f = 0; f < o->n_fabrics; f++)
                *p++ = (pair){o->network[n], o->fabric[f], o->fabric[0], o->array[a]};
}

static pp_status parse_fabrics(job *j, pp_session *s)
{
    for (size_t i = 0; i < j->options->n_fabrics; i++) {
        j->fabric[i] = s->fabric_options;
        PP_TRY(pp_fabric_parse(&j->fabric[i], s->arena, j->options->fabric[i]));
    }
    return PP_OK;
}

pp_status pp_compare_run(pp_comparison *out, pp_session *s, const pp_compare_options *options)
{
    const size_t n = options->n_networks * options->n_arrays * options->n_fabrics;
    job j = {.s = s, .options = options, .out = out};
    pp_status status = PP_ENOMEM;
    *out = (pp_comparison){.seed = (uint64_t)s->run_options.seed, .n_rows = (uint32_t)(n * VARIANTS)};
    PUT(out->normalise, pp_normalise_name(options->normalise));
    PUT(out->reference, options->fabric[0]);
    out->command = pp_strdup(s->command);
    out->row = pp_calloc(out->n_rows, sizeof *out->row);
    j.pair = pp_calloc(n, sizeof *j.pair);
    j.fabric = pp_calloc(options->n_fabrics, sizeof *j.fabric);
    if (out->command == NULL || out->row == NULL || j.pair == NULL || j.fabric == NULL)
        goto done;
    PP_GOTO(done, status, parse_fabrics(&j, s));
    list_pairs(options, j.pair);
    pp_progress_begin(&j.bar, "comparing", n);
    status = pp_pool_run(s->pool, n, run_pair, &j);
    pp_progress_end(&j.bar);
    if (status == PP_OK)
        status = pp_comparison_rank(out);
done:
    free(j.fabric);
    free(j.pair);
    if (status != PP_OK)
        pp_comparison_free(out);
    return status;
}

/* From options to a fabric: the kind's generator, then ports and indices. */
#include "topology/topology_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

pp_status pp_builder_vertex(pp_fabric_builder *b, pp_vertex_kind kind, const int32_t coord[3], float x, float y)
{
    if (b->vertices.len >= PP_FABRIC_MAX_CORES)
        return pp_fail(PP_ERANGE, "fabric %s: more than %d vertices", b->options->kind, PP_FABRIC_MAX_CORES);
    pp_vertex v = {.core = PP_NO_VERTEX, .kind = (uint8_t)kind, .x = x, .y = y, .name = NULL};
    memcpy(v.coord, coord, sizeof v.coord);
    return pp_push(&b->vertices, v) ? PP_OK : PP_ENOMEM;
}

static pp_status channel_latency(const pp_fabric_options *o, float length, uint32_t *latency_ps)
{
    const double ps = nearbyint((double)o->wire_ps * (double)length) + (double)o->router_ps;
    if (ps > (double)UINT32_MAX)
        return pp_fail(PP_ERANGE, "fabric %s: a channel of %g pitches takes more than 4 ms", o->kind, (double)length);
    *latency_ps = (uint32_t)ps;
    return PP_OK;
}

pp_status pp_builder_channel(pp_fabric_builder *b, uint32_t src, uint32_t dst, float length)
{
    if (b->channels.len >= PP_FABRIC_MAX_CHANNELS)
        return pp_fail(PP_ERANGE, "fabric %s: more than %u channels", b->options->kind, PP_FABRIC_MAX_CHANNELS);
    pp_channel c = {.src = src,
                    .dst = dst,
                    .kind = PP_CHANNEL_NETWORK,
                    .lanes = (uint32_t)b->options->lanes,
                    .lane_gbps = b->lane_gbps,
                    .length = length};
    PP_TRY(channel_latency(b->options, length, &c.latency_ps));
    return pp_push(&b->channels, c) ? PP_OK : PP_ENOMEM;
}

pp_status pp_builder_link(pp_fabric_builder *b, uint32_t u, uint32_t v, float length)
{
    PP_TRY(pp_builder_channel(b, u, v, length));
    return pp_builder_channel(b, v, u, length);
}

pp_status pp_builder_attach(pp_fabric_builder *b, uint32_t core, uint32_t at, float length)
{
    const pp_home home = {.core = core, .at = at, .length = length};
    return pp_push(&b->homes, home) ? PP_OK : PP_ENOMEM;
}

pp_status pp_builder_core(pp_fabric_builder *b, pp_vertex_kind kind, uint32_t row, uint32_t col)
{
    const int32_t coord[3] = {(int32_t)row, (int32_t)col, 0};
    b->core_rows = row + 1 > b->core_rows ? row + 1 : b->core_rows;
    b->core_cols = col + 1 > b->core_cols ? col + 1 : b->core_cols;
    return pp_builder_vertex(b, kind, coord, (float)col, (float)row);
}

pp_status pp_builder_square(pp_fabric_builder *b, pp_vertex_kind kind, uint32_t n)
{
    const uint32_t rows = pp_root(n), cols = (n + rows - 1) / rows;
    for (uint32_t i = 0; i < n; i++)
        PP_TRY(pp_builder_core(b, kind, i / cols, i % cols));
    return PP_OK;
}

/* ---- Ports ---- */

/* A receiver for each link that ends at the core's switch, and for each other core there. The largest
 * number counts for all. */
static uint32_t links_of_switches(const pp_fabric *f)
{
    uint32_t most = 1, *links = pp_calloc(f->n_vertices, sizeof *links);
    if (!links)
        return 0;
    for (uint32_t c = 0; c < f->n_network; c++)
        links[f->channel[c].dst]++;
    for (uint32_t i = 0; i < f->n_cores; i++)
        links[f->core_switch[i]]++;
    for (uint32_t i = 0; i < f->n_cores; i++)
        if (links[f->core_switch[i]] > most + 1)
            most = links[f->core_switch[i]] - 1;
    free(links);
    return most;
}

/* Number of ports from local_ports; 0 = per_link. */
static pp_status parse_ports(const char *text, int64_t automatic, uint32_t *ports)
{
    int64_t n = 0;
    if (strcmp(text, "auto") == 0)
        n = automatic;
    else if (strcmp(text, "per_link") != 0 && (!pp_parse_i64(text, &n) || n < 1 || n > PP_FABRIC_MAX_PORTS))
        return pp_fail(PP_ERANGE, "fabric.local_ports: expected auto, per_link or an integer from 1 to %d, found %.40s%s",
                       PP_FABRIC_MAX_PORTS, text, pp_hint(text, "auto per_link", (char[PP_HINT_MAX]){0}));
    *ports = (uint32_t)n;
    return PP_OK;
}

/* Injection and ejection channels behind the network's, core by core. */
static pp_status add_ports(pp_fabric *f, pp_fabric_builder *b)
{
    const uint64_t total = f->n_network + 2 * (uint64_t)f->n_cores * f->ports;
    if (total > PP_FABRIC_MAX_CHANNELS)
        return pp_fail(PP_ERANGE, "fabric %s: more than %u channels with its ports", f->kind, PP_FABRIC_MAX_CHANNELS);
    f->inject = pp_alloc((size_t)f->n_cores * f->ports, sizeof *f->inject);
    f->eject = pp_alloc((size_t)f->n_cores * f->ports, sizeof *f->eject);
    if (!f->inject || !f->eject)
        return PP_ENOMEM;
    const int64_t lanes = b->options->local_lanes > 0 ? b->options->local_lanes : b->options->lanes;
    for (size_t i = 0; i < (size_t)2 * f->n_cores * f->ports; i++) {
        const uint32_t core = (uint32_t)(i / (2 * f->ports)), k = (uint32_t)(i % (2 * f->ports));
        const bool out = k >= f->ports;
        const uint32_t port = out ? k - f->ports : k, vertex = f->core_vertex[core], home = f->core_switch[core];
        const float length = b->homes.len > 0 ? b->homes.data[core].length : 0.0F;
        const pp_channel c = {.src = out ? home : vertex,
                              .dst = out ? vertex : home,
                              .length = length,
                              .latency_ps = (uint32_t)nearbyint((double)b->options->wire_ps * (double)length),
                              .kind = out ? PP_CHANNEL_EJECT : PP_CHANNEL_INJECT,
                              .port = (uint8_t)port,
                              .lanes = (uint32_t)lanes,
                              .lane_gbps = b->lane_gbps};
        (out ? f->eject : f->inject)[(size_t)core * f->ports + port] = (uint32_t)b->channels.len;
        if (!pp_push(&b->channels, c))
            return PP_ENOMEM;
    }
    return PP_OK;
}

/* ---- Indices ---- */

/* CSR of the network channels by source (or destination); channels of a vertex stand in index order. */
static pp_status make_csr(const pp_fabric *f, bool by_source, uint32_t **out_first, uint32_t **out_list)
{
    uint32_t *first = *out_first = pp_calloc((size_t)f->n_vertices + 1, sizeof *first);
    uint32_t *list = *out_list = pp_alloc(f->n_network, sizeof *list);
    if (!first || !list)
        return PP_ENOMEM;
    for (uint32_t c = 0; c < f->n_network; c++)
        first[(by_source ? f->channel[c].src : f->channel[c].dst) + 1]++;
    for (uint32_t v = 0; v < f->n_vertices; v++)
        first[v + 1] += first[v];
    /* first[v] runs through its range and ends at first[v + 1]; shifted back afterwards. */
    for (uint32_t c = 0; c < f->n_network; c++)
        list[first[by_source ? f->channel[c].src : f->channel[c].dst]++] = c;
    for (uint32_t v = f->n_vertices; v > 0; v--)
        first[v] = first[v - 1];
    first[0] = 0;
    return PP_OK;
}

static pp_status number_cores(pp_fabric *f)
{
    for (uint32_t v = 0; v < f->n_vertices; v++)
        if (f->vertex[v].kind != PP_VERTEX_SWITCH)
            f->vertex[v].core = f->n_cores++;
    if (f->n_cores == 0)
        return pp_fail(PP_EINVAL, "fabric %s: no vertex is a core", f->name);
    f->core_vertex = pp_alloc(f->n_cores, sizeof *f->core_vertex);
    if (!f->core_vertex)
        return PP_ENOMEM;
    for (uint32_t v = 0; v < f->n_vertices; v++)
        if (f->vertex[v].core != PP_NO_VERTEX)
            f->core_vertex[f->vertex[v].core] = v;
    return PP_OK;
}

static int by_core(const void *a, const void *b)
{
    const pp_home *x = a, *y = b;
    return x->core < y->core ? -1 : x->core > y->core;
}

/* Switches of the cores. On fabrics with switches of their own every core has a home; the homes are
 * left in the order of the cores. */
static pp_status find_switches(pp_fabric *f, pp_fabric_builder *b)
{
    f->core_switch = pp_alloc(f->n_cores, sizeof *f->core_switch);
    if (!f->core_switch)
        return PP_ENOMEM;
    memcpy(f->core_switch, f->core_vertex, f->n_cores * sizeof *f->core_switch);
    for (size_t i = 0; i < b->homes.len; i++)
        f->core_switch[f->vertex[b->homes.data[i].core].core] = b->homes.data[i].at;
    for (uint32_t i = 0; b->homes.len > 0 && b->homes.len < f->n_cores && i < f->n_cores; i++)
        if (f->core_switch[i] == f->core_vertex[i])
            PP_TRY(pp_builder_attach(b, f->core_vertex[i], f->core_vertex[i], 0.0F));
    if (b->homes.len > 0)
        qsort(b->homes.data, b->homes.len, sizeof *b->homes.data, by_core);
    return PP_OK;
}

/* Takes what the builder holds. */
static pp_status assemble(pp_fabric *f, pp_fabric_builder *b)
{
    const pp_fabric_options *o = b->options;
    f->n_vertices = (uint32_t)b->vertices.len;
    f->n_network = (uint32_t)b->channels.len;
    f->vertex = b->vertices.data;
    f->names = b->names;
    b->vertices.data = NULL;
    b->names = NULL;
    f->rows = b->grid.rows;
    f->cols = b->grid.cols;
    f->reach = b->grid.reach;
    f->row_direction = (uint8_t)b->grid.row_direction;
    f->wrap = b->grid.wrap;
    f->header_bits = (uint32_t)o->header_bits;
    f->fifo_packets = (uint32_t)o->fifo_packets;
    f->credit_ps = (uint32_t)o->credit_ps;
    memcpy(f->source_sha256, b->sha256, sizeof f->source_sha256);
    f->shape = b->shape;
    f->core_rows = b->core_rows;
    f->core_cols = b->core_cols;
    PP_TRY(number_cores(f));
    PP_TRY(parse_ports(o->local_ports, b->ports, &f->ports));
    f->n_channels = f->n_network;
    f->channel = b->channels.data; /* lent until the ports are there */
    pp_status status = find_switches(f, b);
    if (status == PP_OK && f->ports == 0 && b->homes.len > 0 && (f->ports = links_of_switches(f)) == 0)
        status = PP_ENOMEM;
    f->channel = NULL;
    PP_TRY(status);
    if (f->ports > PP_FABRIC_MAX_PORTS)
        return pp_fail(PP_ERANGE, "fabric %s: a port for each of %u links; at most %d ports can be built, set local_ports",
                       f->name, f->ports, PP_FABRIC_MAX_PORTS);
    if (f->ports > 0)
        PP_TRY(add_ports(f, b));
    f->n_channels = (uint32_t)b->channels.len;
    f->channel = b->channels.data ? b->channels.data : pp_alloc(0, sizeof *f->channel);
    b->channels.data = NULL;
    if (!f->channel)
        return PP_ENOMEM;
    PP_TRY(make_csr(f, true, &f->out_first, &f->out_channel));
    return make_csr(f, false, &f->in_first, &f->in_channel);
}

static pp_status resolve_routing(pp_fabric *f, const pp_fabric_kind_row *row, const char *text)
{
    f->routing = row->routing;
    pp_routing routing = PP_ROUTING_BALANCED;
    PP_TRY(pp_routing_parse(&routing, text, f));
    f->routing = pp_routing_name(routing);
    return PP_OK;
}

/* Ranges that the knobs have already checked, for callers that fill the options by hand. */
static pp_status check_options(const pp_fabric_options *o, double *lane_gbps)
{
    *lane_gbps = o->rate_gbps > 0.0 ? o->rate_gbps : (double)o->width_bits * o->clock_hz / 1e9;
    if (!(*lane_gbps > 0.0) || !isfinite(*lane_gbps))
        return pp_fail(PP_ERANGE, "fabric %.80s: expected a rate above 0 Gbit/s", o->kind);
    if (o->lanes < 1 || o->lanes > UINT32_MAX || o->local_lanes < 0 || o->local_lanes > UINT32_MAX)
        return pp_fail(PP_ERANGE, "fabric %.80s: lanes: expected an integer of at least 1", o->kind);
    const int64_t rest[] = {o->header_bits, o->fifo_packets, o->credit_ps, o->wire_ps, o->router_ps};
    for (size_t i = 0; i < sizeof rest / sizeof rest[0]; i++)
        if (rest[i] < 0 || rest[i] > UINT32_MAX)
            return pp_fail(PP_ERANGE, "fabric %.80s: header, FIFO, credit, wire and router figures go from 0 to %u",
                           o->kind, UINT32_MAX);
    return PP_OK;
}

pp_status pp_fabric_build(pp_fabric **out, const pp_fabric_options *options)
{
    *out = NULL;
    pp_fabric_options o = *options;
    const pp_fabric_kind_row *row = NULL;
    pp_fabric_builder b = {.options = &o};
    PP_TRY(pp_fabric_expand(&o));
    PP_TRY(pp_kind_find(&row, o.kind));
    PP_TRY(check_options(&o, &b.lane_gbps));
    if (row->defaults)
        row->defaults(&o);
    b.ports = row->ports;
    pp_status status = PP_ENOMEM;
    pp_fabric *f = pp_calloc(1, sizeof *f);
    if (!f || !(f->kind = pp_strdup(row->name)) || !(f->name = pp_fabric_name(row, &o)))
        goto done;
    PP_GOTO(done, status, row->build(&b));
    PP_GOTO(done, status, assemble(f, &b));
    PP_GOTO(done, status, resolve_routing(f, row, o.routing));
    *out = f;
    f = NULL;
done:
    free(b.vertices.data);
    free(b.channels.data);
    free(b.homes.data);
    free(b.names);
    pp_fabric_free(f);
    return status;
}

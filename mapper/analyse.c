/* Bounds and required bandwidth of a placed mapping, before any simulation (hardware model sec. 10). */
#include "mapper/mapper_internal.h"

#include <stdlib.h>

/* bits in a picosecond -> Gbit/s */
#define GBPS_PER_BIT_PS 1000.0

/* Time that an inference's packets keep each channel busy. */
static void add_busy(uint64_t *busy_ps, const pp_mapping *m, const pp_qnetwork *q, const pp_fabric *fabric)
{
    for (uint32_t n = 0; n < m->n_nets; n++) {
        const pp_net *net = &m->net[n];
        const pp_tile *src = &m->tile[net->src];
        pp_shape map;
        pp_patch patch;
        pp_packet_sizes sizes;
        pp_flow_cut(m, q, &m->flow[m->net_flow[net->first_flow]], &map, &patch);
        pp_packet_sizes_of(&sizes, map, patch, src->copy, m->plan[src->stage].copies);
        for (uint32_t e = net->first_edge; e < net->first_edge + net->n_edges; e++)
            busy_ps[m->edge[e].channel] += pp_packets_ps(&sizes, &fabric->channel[m->edge[e].channel],
                                                         m->edge[e].bits_per_pixel, fabric->header_bits);
    }
}

static void bound_cores(pp_bounds *b, const pp_mapping *m)
{
    for (uint32_t s = 0; s < m->n_stages; s++)
        if (m->plan[s].busy_ps > b->core_ps) {
            b->core_ps = m->plan[s].busy_ps;
            b->core_tile = m->plan[s].first_tile;
        }
}

static void bound_channels(pp_bounds *b, const uint64_t *busy_ps, const pp_fabric *fabric)
{
    for (uint32_t c = 0; c < fabric->n_channels; c++) {
        bool port = fabric->channel[c].kind != PP_CHANNEL_NETWORK;
        uint64_t *most = port ? &b->port_ps : &b->channel_ps;
        if (busy_ps[c] <= *most)
            continue;
        *most = busy_ps[c];
        *(port ? &b->port : &b->channel) = c;
    }
}

static uint64_t largest(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static double gbps(uint64_t bits, uint64_t interval_ps)
{
    return interval_ps ? (double)bits / (double)interval_ps * GBPS_PER_BIT_PS : 0;
}

static void network_bandwidth(pp_bounds *b, const pp_mapping *m, const pp_fabric *fabric)
{
    uint64_t most = 0;
    double sum = 0;
    b->wire_bit_pitches = 0;
    for (uint32_t c = 0; c < fabric->n_network; c++) {
        most = largest(m->channel_bits[c], most);
        sum += gbps(m->channel_bits[c], b->interval_ps);
        b->wire_bit_pitches += (double)m->channel_bits[c] * (double)fabric->channel[c].length;
    }
    b->max_channel_gbps = gbps(most, b->interval_ps);
    b->mean_channel_gbps = fabric->n_network ? sum / fabric->n_network : 0;
    b->max_channel_utilisation = b->interval_ps ? (double)b->channel_ps / (double)b->interval_ps : 0;
}

/* Ports proper; with a port a link, what one link's receiver takes in, or its sender puts on, itself:
 * edges where flows end, and roots of nets. Traffic that only passes through counts in neither. */
static pp_status port_bandwidth(pp_bounds *b, const pp_mapping *m, const pp_fabric *fabric)
{
    uint64_t most = 0;
    if (fabric->ports) {
        for (uint32_t c = fabric->n_network; c < fabric->n_channels; c++)
            most = largest(m->channel_bits[c], most);
    } else {
        uint64_t *in = pp_calloc(2 * (size_t)fabric->n_channels, sizeof *in);
        if (!in)
            return PP_ENOMEM;
        uint64_t *out = in + fabric->n_channels;
        for (uint32_t e = 0; e < m->n_edges; e++) {
            if (m->edge[e].n_end)
                in[m->edge[e].channel] += m->edge[e].bits;
            if (m->edge[e].parent == PP_NONE)
                out[m->edge[e].channel] += m->edge[e].bits;
        }
        for (uint32_t c = 0; c < fabric->n_network; c++)
            most = largest(most, largest(in[c], out[c]));
        free(in);
    }
    b->max_port_gbps = gbps(most, b->interval_ps);
    return PP_OK;
}

static pp_status bound_interval(pp_bounds *b, const pp_timing_input *in)
{
    const pp_fabric *fabric = in->fabric;
    uint64_t *busy_ps = pp_calloc(fabric->n_channels, sizeof *busy_ps);
    if (!busy_ps)
        return PP_ENOMEM;
    *b = (pp_bounds){.core_tile = PP_NONE, .channel = PP_NONE, .port = PP_NONE};
    add_busy(busy_ps, in->m, in->q, fabric);
    bound_cores(b, in->m);
    bound_channels(b, busy_ps, fabric);
    b->input_ps = pp_feed_pixels(in->q) * pp_feed_pixel_ps(in->q, in->channel);
    b->interval_ps = largest(largest(b->core_ps, b->channel_ps), largest(b->port_ps, b->input_ps));
    free(busy_ps);
    network_bandwidth(b, in->m, fabric);
    return port_bandwidth(b, in->m, fabric);
}

pp_status pp_map_analyse(pp_mapping *m, const pp_qnetwork *q, const pp_arch *arch, const pp_fabric *fabric,
                         const pp_map_options *options)
{
    pp_timing timing = {0};
    pp_timing_input in = {
        .m = m, .q = q, .arch = arch, .fabric = fabric, .header_bits = fabric->header_bits, .inferences = 1};
    pp_status status;
    if (!m->channel_bits)
        return pp_fail(PP_EINVAL, "a mapping must be placed before it is analysed");
    if (fabric->n_channels)
        in.channel = &fabric->channel[0];
    PP_TRY(pp_tables_new(&in.tables, q));
    PP_GOTO(done, status, bound_interval(&m->bounds, &in));
    PP_GOTO(done, status, pp_timing_run(&timing, &in));
    m->bounds.latency_ps = timing.latency_ps;
    PP_GOTO(done, status, pp_buffers_fill(m, &in, options->buffers));
    pp_buffers_limit_psums(m, options->psum_window);
done:
    pp_tables_free(in.tables);
    return status;
}

/* ---- how traffic is spread ---- */

static int by_bits(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Bits of the channel that `percent` of all channels do not exceed. */
static uint64_t percentile(const uint64_t *sorted, uint32_t n, uint32_t percent)
{
    uint64_t at = ((uint64_t)n * percent + 99) / 100;
    return n ? sorted[at ? at - 1 : 0] : 0;
}

pp_status pp_mapping_traffic(pp_traffic *out, const pp_mapping *m, const pp_fabric *fabric)
{
    uint32_t n = fabric->n_network;
    uint64_t *bits = pp_alloc(n, sizeof *bits);
    *out = (pp_traffic){.mean_hops = m->n_flows ? (double)m->n_hops / m->n_flows : 0};
    if (!bits)
        return PP_ENOMEM;
    for (uint32_t c = 0; c < n; c++) {
        bits[c] = m->channel_bits[c];
        out->channels_used += bits[c] > 0;
    }
    if (n)
        qsort(bits, n, sizeof *bits, by_bits);
    out->p50_gbps = gbps(percentile(bits, n, 50), m->bounds.interval_ps);
    out->p95_gbps = gbps(percentile(bits, n, 95), m->bounds.interval_ps);
    out->p99_gbps = gbps(percentile(bits, n, 99), m->bounds.interval_ps);
    out->wire_bit_pitches = m->bounds.wire_bit_pitches;
    free(bits);
    return PP_OK;
}

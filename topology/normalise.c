/* Budgets of fabrics, and channel widths that make them equal. */
#include "topology/normalise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[PP_NORMALISE_COUNT] = {
    [PP_NORMALISE_CHANNEL] = "channel",     [PP_NORMALISE_PINS] = "pins", [PP_NORMALISE_WIRE] = "wire",
    [PP_NORMALISE_BISECTION] = "bisection", [PP_NORMALISE_AREA] = "area",
};

const char *pp_normalise_name(pp_normalise n)
{
    return names[n];
}

pp_status pp_normalise_parse(pp_normalise *out, const char *text)
{
    for (pp_normalise n = 0; n < PP_NORMALISE_COUNT; n++) {
        if (strcmp(text, names[n]) == 0) {
            *out = n;
            return PP_OK;
        }
    }
    return pp_fail(PP_EINVAL, "fabric.normalise: expected channel, pins, wire, bisection or area, found %.40s%s", text, pp_hint(text, "channel pins wire bisection area", (char[PP_HINT_MAX]){0}));
}

/* What ends at each vertex: the sums that radix, pins and area are made of. */
typedef struct vertex_sum {
    uint32_t out, in, local, cores;
    double bits; /* of network channels that begin or end here */
} vertex_sum;

static double width_bits(const pp_channel *c, double clock_hz)
{
    return pp_channel_rate_gbps(c) * 1e9 / clock_hz;
}

static void sum_channels(vertex_sum *sum, const pp_fabric *f, double clock_hz)
{
    for (uint32_t i = 0; i < f->n_channels; i++) {
        const pp_channel *c = &f->channel[i];
        if (c->kind == PP_CHANNEL_NETWORK) {
            sum[c->src].out++;
            sum[c->dst].in++;
            sum[c->src].bits += width_bits(c, clock_hz);
            sum[c->dst].bits += width_bits(c, clock_hz);
        } else if (c->kind == PP_CHANNEL_EJECT) {
            sum[c->src].local++;
            sum[c->src].cores += c->port == 0;
        }
    }
    for (uint32_t i = 0; f->ports == 0 && i < f->n_cores; i++) {
        vertex_sum *v = &sum[f->core_vertex[i]];
        v->local = v->in;
        v->cores = 1;
    }
}

static uint32_t radix(const vertex_sum *v)
{
    const uint32_t network = v->in > v->out ? v->in : v->out;
    return network + v->local;
}

/* Mean width of the channels at a switch; its matrix has that many wires a port. */
static double port_bits(const vertex_sum *v)
{
    const uint32_t ends = v->in + v->out;
    return ends > 0 ? v->bits / (double)ends : 0.0;
}

static void add_switches(pp_fabric_budget *b, const vertex_sum *sum, const pp_fabric *f, double pitch_mm)
{
    double shared = 0.0;
    for (uint32_t v = 0; v < f->n_vertices; v++) {
        const uint32_t r = radix(&sum[v]);
        if (sum[v].in + sum[v].out == 0)
            continue;
        b->radix_max = r > b->radix_max ? r : b->radix_max;
        const double side_mm = (double)r * port_bits(&sum[v]) * pitch_mm;
        b->switch_mm2 += side_mm * side_mm;
        if (sum[v].cores > 0)
            b->pins_per_core = fmax(b->pins_per_core, sum[v].bits / (double)sum[v].cores);
        else
            shared += sum[v].bits;
    }
    b->pins_per_core += f->n_cores > 0 ? shared / (double)f->n_cores : 0.0;
}

pp_status pp_fabric_budget_from(pp_fabric_budget *out, const pp_fabric *f, const pp_fabric_metrics *metrics,
                                double clock_hz, double core_pitch_mm, double wire_pitch_um)
{
    vertex_sum *sum = pp_calloc(f->n_vertices, sizeof *sum);
    if (sum == NULL)
        return PP_ENOMEM;
    *out = (pp_fabric_budget){.bisection_exact = metrics->bisection_exact, .bisection_gbps = metrics->bisection_gbps};
    sum_channels(sum, f, clock_hz);
    for (uint32_t c = 0; c < f->n_network; c++)
        out->wire_bit_mm += width_bits(&f->channel[c], clock_hz) * (double)f->channel[c].length * core_pitch_mm;
    out->bisection_bits = out->bisection_gbps * 1e9 / clock_hz;
    add_switches(out, sum, f, wire_pitch_um * 1e-3);
    out->wire_mm2 = out->wire_bit_mm * wire_pitch_um * 1e-3;
    free(sum);
    return PP_OK;
}

pp_status pp_fabric_budget_of(pp_fabric_budget *out, const pp_fabric *f, double clock_hz, double core_pitch_mm,
                              double wire_pitch_um)
{
    pp_fabric_metrics metrics;
    PP_TRY(pp_fabric_measure(f, &metrics));
    return pp_fabric_budget_from(out, f, &metrics, clock_hz, core_pitch_mm, wire_pitch_um);
}

static double ratio(double reference, double own)
{
    return reference > 0.0 && own > 0.0 ? reference / own : 1.0;
}

static double area_factor(const pp_fabric_budget *own, const pp_fabric_budget *reference)
{
    const double a = own->switch_mm2, b = own->wire_mm2, total = reference->switch_mm2 + reference->wire_mm2;
    if (a + b <= 0.0 || total <= 0.0)
        return 1.0;
    return a > 0.0 ? 2.0 * total / (b + sqrt(b * b + 4.0 * a * total)) : total / b;
}

double pp_normalise_factor(pp_normalise n, const pp_fabric_budget *own, const pp_fabric_budget *reference)
{
    switch (n) {
    case PP_NORMALISE_PINS:
        return ratio(reference->pins_per_core, own->pins_per_core);
    case PP_NORMALISE_WIRE:
        return ratio(reference->wire_bit_mm, own->wire_bit_mm);
    case PP_NORMALISE_BISECTION:
        return ratio(reference->bisection_bits, own->bisection_bits);
    case PP_NORMALISE_AREA:
        return area_factor(own, reference);
    default:
        return 1.0;
    }
}

void pp_fabric_scale_channels(pp_fabric *f, double factor)
{
    for (uint32_t c = 0; c < f->n_network; c++)
        f->channel[c].lane_gbps *= factor;
}

/* The summary's figures: filled from a finished run, written to and read from reports, as JSON. */
#include "report/summary_internal.h"
#include "report/tables_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(group_, field, kind_, part_, json_, units_, text_) \
    {group_, PP_H5_COLUMN(pp_summary, field, kind_, units_, text_), part_, json_}

const pp_summary_field pp_summary_fields[] = {
    FIELD("/workload", network, PP_H5_TEXT, PP_PART_ALWAYS, true, "", "name of the network"),
    FIELD("/workload", parameters, PP_H5_U64, PP_PART_ALWAYS, true, "", "learned parameters"),
    FIELD("/workload", macs, PP_H5_U64, PP_PART_ALWAYS, true, "", "multiply-accumulates an inference"),
    FIELD("/workload", n_stages, PP_H5_U32, PP_PART_ALWAYS, true, "", "stages: matrix operators with their digital tail"),
    FIELD("/quant", wbits, PP_H5_I64, PP_PART_ALWAYS, true, "bit", "bits of a weight"),
    FIELD("/quant", abits, PP_H5_I64, PP_PART_ALWAYS, true, "bit", "bits of an activation"),
    FIELD("/arch", preset, PP_H5_TEXT, PP_PART_ALWAYS, true, "", "hardware preset that the settings start from"),
    FIELD("/arch", array_rows, PP_H5_I64, PP_PART_ALWAYS, true, "", "rows of a crossbar"),
    FIELD("/arch", array_cols, PP_H5_I64, PP_PART_ALWAYS, true, "", "columns of a crossbar"),
    FIELD("/arch", adc_bits, PP_H5_I64, PP_PART_ALWAYS, true, "bit", "bits of an ADC; 0: ideal"),
    FIELD("/fabric", fabric, PP_H5_TEXT, PP_PART_ALWAYS, true, "", "the fabric, in the form that the command line takes"),
    FIELD("/fabric", n_cores, PP_H5_U32, PP_PART_ALWAYS, true, "", "cores of the fabric"),
    FIELD("/fabric", lanes, PP_H5_I64, PP_PART_ALWAYS, true, "", "parallel lanes of a network channel"),
    FIELD("/fabric", channel_gbps, PP_H5_F64, PP_PART_ALWAYS, true, "Gbit/s", "rate of a network channel, all lanes"),
    FIELD("/mapping", n_tiles, PP_H5_U32, PP_PART_ALWAYS, true, "", "tiles"),
    FIELD("/mapping", cores_used, PP_H5_U32, PP_PART_ALWAYS, true, "", "cores that hold a tile"),
    FIELD("/mapping", unroll_max, PP_H5_U32, PP_PART_ALWAYS, true, "pixel", "most output pixels of one MVM"),
    FIELD("/mapping", copies_max, PP_H5_U32, PP_PART_ALWAYS, true, "", "most copies of a stage"),
    FIELD("/mapping", certificate, PP_H5_TEXT, PP_PART_ALWAYS, true, "",
          "embedding: every flow on one channel; disjoint: no channel carries two flows; routed"),
    FIELD("/mapping", placement, PP_H5_TEXT, PP_PART_ALWAYS, true, "", "how tiles were placed"),
    FIELD("/mapping", n_flows, PP_H5_U32, PP_PART_ALWAYS, true, "", "flows between tiles"),
    FIELD("/mapping", single_channel_flows, PP_H5_U32, PP_PART_ALWAYS, true, "", "flows that ride one channel"),
    FIELD("/mapping", max_hops, PP_H5_U32, PP_PART_ALWAYS, true, "", "most channels of a flow's way"),
    FIELD("/mapping", bound_initiation_interval_ps, PP_H5_U64, PP_PART_ALWAYS, true, "ps",
          "bound: busy time of the most loaded core, channel or port an inference"),
    FIELD("/mapping", bound_latency_us, PP_H5_F64, PP_PART_ALWAYS, true, "us", "bound: longest weighted path of one inference"),
    FIELD("/mapping", bound_by, PP_H5_TEXT, PP_PART_ALWAYS, true, "", "what sets the bound of the interval"),
    FIELD("/bandwidth", max_channel_required_gbps, PP_H5_F64, PP_PART_ALWAYS, true, "Gbit/s",
          "largest rate that a network channel must carry at the bound of the interval"),
    FIELD("/bandwidth", mean_channel_required_gbps, PP_H5_F64, PP_PART_ALWAYS, true, "Gbit/s", "mean over all network channels"),
    FIELD("/bandwidth", max_port_required_gbps, PP_H5_F64, PP_PART_ALWAYS, true, "Gbit/s", "the same for ports of cores"),
    FIELD("/timing", images, PP_H5_U32, PP_PART_TIMING, true, "", "inferences simulated"),
    FIELD("/timing", executed, PP_H5_U32, PP_PART_TIMING, true, "",
          "inferences whose values moved through the buffers and equal the integer reference to the bit"),
    FIELD("/timing", throughput_ips, PP_H5_F64, PP_PART_TIMING, true, "1/s", "inferences a second, steady state"),
    FIELD("/timing", latency_first_us, PP_H5_F64, PP_PART_TIMING, true, "us", "first pixel in to last output of the first inference"),
    FIELD("/timing", initiation_interval_ps, PP_H5_U64, PP_PART_TIMING, true, "ps", "time between inferences, steady state"),
    FIELD("/timing", max_channel_utilisation, PP_H5_F64, PP_PART_TIMING, true, "", "busy share of the busiest network channel"),
    FIELD("/timing", events, PP_H5_U64, PP_PART_TIMING, true, "", "events of the simulation"),
    FIELD("/timing", switching, PP_H5_TEXT, PP_PART_TIMING, true, "", "switching model"),
    FIELD("/timing", slowest_stage, PP_H5_TEXT, PP_PART_TIMING, true, "", "stage with the busiest core"),
    FIELD("/energy", cost_preset, PP_H5_TEXT, PP_PART_ENERGY, true, "", "table of energies and areas that the figures start from"),
    FIELD("/energy", energy_boundary, PP_H5_TEXT, PP_PART_ENERGY, true, "", "what the totals include: mvm, core, chip or chip_dram"),
    FIELD("/energy", energy_per_inference_pj, PP_H5_F64, PP_PART_ENERGY, true, "pJ", "energy of an inference inside the boundary"),
    FIELD("/energy", mvm_pj, PP_H5_F64, PP_PART_ENERGY, true, "pJ", "of it, analog MVMs with their converters"),
    FIELD("/energy", digital_pj, PP_H5_F64, PP_PART_ENERGY, true, "pJ", "of it, digital operations"),
    FIELD("/energy", buffer_pj, PP_H5_F64, PP_PART_ENERGY, true, "pJ", "of it, reads and writes of core memory"),
    FIELD("/energy", router_pj, PP_H5_F64, PP_PART_ENERGY, true, "pJ", "of it, switching onto channels"),
    FIELD("/energy", wire_pj, PP_H5_F64, PP_PART_ENERGY, true, "pJ", "of it, wires"),
    FIELD("/energy", static_pj, PP_H5_F64, PP_PART_ENERGY, true, "pJ", "of it, static power over the interval"),
    FIELD("/energy", dram_pj, PP_H5_F64, PP_PART_ENERGY, true, "pJ", "of it, bits across the chip's edge"),
    FIELD("/energy", energy_unpriced, PP_H5_TEXT, PP_PART_ENERGY, true, "", "actions inside the boundary to which nobody gives a figure"),
    FIELD("/energy", power_w, PP_H5_F64, PP_PART_ENERGY, true, "W", "energy of an inference over the interval"),
    FIELD("/energy", tops, PP_H5_F64, PP_PART_ENERGY, true, "10^12/s", "operations a second: twice the useful multiply-accumulates"),
    FIELD("/energy", tops_per_w, PP_H5_F64, PP_PART_ENERGY, true, "10^12/J", "operations a joule inside the boundary"),
    FIELD("/energy", tops_peak, PP_H5_F64, PP_PART_ENERGY, true, "10^12/s", "all cores of the fabric, whole arrays, MVM after MVM"),
    FIELD("/energy", array_utilisation, PP_H5_F64, PP_PART_ENERGY, true, "", "useful share of the whole arrays that MVMs ran over"),
    FIELD("/energy", area_mm2, PP_H5_F64, PP_PART_AREA, true, "mm2", "area of all cores of the fabric and the chip around them"),
    FIELD("/energy", tops_per_mm2, PP_H5_F64, PP_PART_AREA, true, "10^12/s/mm2", "operations a second and area"),
    FIELD("/timing", congested_channel, PP_H5_TEXT, PP_PART_TIMING, true, "", "channel that packets waited longest for; empty: nobody waited"),
    FIELD("/timing", congested_by, PP_H5_TEXT, PP_PART_TIMING, true, "", "stages whose packets it served meanwhile, with their shares"),
    FIELD("/timing", congested_wait_us, PP_H5_F64, PP_PART_TIMING, true, "us", "waiting for it, an inference, summed over packets"),
    FIELD("/accuracy", eval_images, PP_H5_U32, PP_PART_FLOAT, true, "", "images evaluated"),
    FIELD("/accuracy", data, PP_H5_TEXT, PP_PART_FLOAT, true, "", "data set"),
    FIELD("/accuracy", top1_float, PP_H5_F64, PP_PART_FLOAT, true, "", "top-1 share, float network"),
    FIELD("/accuracy", top1_quant, PP_H5_F64, PP_PART_QUANT, true, "", "top-1 share, quantized network"),
    FIELD("/accuracy", top1_crossbar, PP_H5_F64, PP_PART_CROSSBAR, true, "", "top-1 share through the tiled crossbars and their ADCs"),
};
const size_t pp_summary_n_fields = sizeof pp_summary_fields / sizeof *pp_summary_fields;

bool pp_summary_has(const pp_summary *s, pp_summary_part part)
{
    switch (part) {
    case PP_PART_TIMING:
        return s->has_timing;
    case PP_PART_ENERGY:
        return s->has_energy;
    case PP_PART_AREA:
        return s->has_area;
    case PP_PART_FLOAT:
        return s->has_float;
    case PP_PART_QUANT:
        return s->has_quant;
    case PP_PART_CROSSBAR:
        return s->has_crossbar;
    default:
        return true;
    }
}

#define COPY(field, text) pp_put_text(field, sizeof field, text)

static void name_channel(const pp_fabric *f, uint32_t channel, char *out, size_t size)
{
    char from[240], to[240];
    pp_vertex_label(f, f->channel[channel].src, from, sizeof from);
    pp_vertex_label(f, f->channel[channel].dst, to, sizeof to);
    const pp_channel_kind kind = f->channel[channel].kind;
    if (kind != PP_CHANNEL_NETWORK && strcmp(from, to) == 0) /* core and switch are one vertex */
        snprintf(out, size, kind == PP_CHANNEL_INJECT ? "port out of %s" : "port into %s", from);
    else
        snprintf(out, size, "%s %s -> %s", kind == PP_CHANNEL_NETWORK ? "channel" : "port", from, to);
}

static void fill_bound(pp_summary *out, const pp_report_input *in)
{
    const pp_bounds *b = &in->mapping->bounds;
    char text[512] = "input feed";
    if (b->interval_ps == b->core_ps && b->core_tile != PP_NONE)
        snprintf(text, sizeof text, "core of %s", in->stages->stage[in->mapping->tile[b->core_tile].stage].name);
    else if (b->interval_ps == b->channel_ps && b->channel != PP_NONE)
        name_channel(in->fabric, b->channel, text, sizeof text);
    else if (b->interval_ps == b->port_ps && b->port != PP_NONE)
        name_channel(in->fabric, b->port, text, sizeof text);
    COPY(out->bound_by, text);
}

static void fill_mapping(pp_summary *out, const pp_report_input *in)
{
    const pp_mapping *m = in->mapping;
    const pp_channel *channel = &in->fabric->channel[0];
    COPY(out->fabric, in->fabric->name);
    COPY(out->certificate, pp_certificate_name(m->certificate));
    COPY(out->placement, m->placement);
    out->n_cores = in->fabric->n_cores;
    out->lanes = in->fabric->n_network > 0 ? channel->lanes : 0;
    out->channel_gbps = in->fabric->n_network > 0 ? pp_channel_rate_gbps(channel) : 0;
    out->n_tiles = m->n_tiles;
    out->cores_used = m->cores_used;
    out->unroll_max = m->unroll_max;
    out->copies_max = m->copies_max;
    out->n_flows = m->n_flows;
    out->single_channel_flows = m->single_channel_flows;
    out->max_hops = m->max_hops;
    out->bound_initiation_interval_ps = m->bounds.interval_ps;
    out->bound_latency_us = (double)m->bounds.latency_ps * 1e-6;
    out->max_channel_required_gbps = m->bounds.max_channel_gbps;
    out->mean_channel_required_gbps = m->bounds.mean_channel_gbps;
    out->max_port_required_gbps = m->bounds.max_port_gbps;
    fill_bound(out, in);
}

/* Equal shares stand in the order of the stages. */
static bool causes_less(const pp_congestion *a, const pp_congestion *b)
{
    return a->caused_ps != b->caused_ps ? a->caused_ps < b->caused_ps : a->stage > b->stage;
}

/* The three stages that cause most of the waiting for a channel, most first. */
static void name_causes(pp_summary *out, const pp_report_input *in, const pp_congestion *c, size_t n, uint32_t channel)
{
    const double wait_ps = (double)in->run->channel[channel].wait_ps;
    const pp_congestion *last = NULL;
    size_t used = 0;
    for (int k = 0; k < 3; k++) {
        const pp_congestion *most = NULL;
        for (size_t i = 0; i < n; i++)
            if (c[i].channel == channel && (last == NULL || causes_less(&c[i], last)) && (most == NULL || causes_less(most, &c[i])))
                most = &c[i];
        if (most == NULL || most->caused_ps == 0 || used >= sizeof out->congested_by)
            return;
        last = most;
        const int m = snprintf(out->congested_by + used, sizeof out->congested_by - used, "%s%s %.0f %%", k > 0 ? ", " : "",
                               in->stages->stage[most->stage].name, 100.0 * (double)most->caused_ps / wait_ps);
        used += m > 0 ? (size_t)m : 0;
    }
}

static pp_status fill_congestion(pp_summary *out, const pp_report_input *in)
{
    const pp_run_result *r = in->run;
    uint32_t worst = 0;
    for (uint32_t c = 1; c < r->n_channels; c++)
        worst = r->channel[c].wait_ps > r->channel[worst].wait_ps ? c : worst;
    if (r->n_channels == 0 || r->channel[worst].wait_ps == 0)
        return PP_OK;
    pp_congestion *c = NULL;
    size_t n = 0;
    PP_TRY(pp_congestion_of(&c, &n, in));
    name_channel(in->fabric, worst, out->congested_channel, sizeof out->congested_channel);
    out->congested_wait_us = (double)r->channel[worst].wait_ps * 1e-6 / (double)r->images;
    name_causes(out, in, c, n, worst);
    free(c);
    return PP_OK;
}

static void fill_timing(pp_summary *out, const pp_report_input *in)
{
    const pp_run_result *r = in->run;
    out->has_timing = true;
    out->images = r->images;
    out->executed = r->executed;
    out->throughput_ips = r->throughput_ips;
    out->latency_first_us = (double)r->latency_first_ps * 1e-6;
    out->initiation_interval_ps = r->interval_ps;
    out->max_channel_utilisation = r->max_channel_utilisation;
    out->events = r->events;
    uint32_t slowest = 0;
    for (uint32_t s = 1; s < r->n_stages; s++) {
        if (r->stage[s].utilisation > r->stage[slowest].utilisation)
            slowest = s;
    }
    COPY(out->slowest_stage, in->stages->stage[slowest].name);
    COPY(out->kernel, pp_config_text(in->config, "simulate", "kernel"));
    COPY(out->switching, pp_config_text(in->config, "simulate", "switching"));
}

static void name_unpriced(pp_summary *out, const pp_energy *e)
{
    size_t used = 0;
    for (int a = 0; a < PP_ACTION_COUNT && used < sizeof out->energy_unpriced; a++)
        if (e->unpriced[a])
            used += (size_t)snprintf(out->energy_unpriced + used, sizeof out->energy_unpriced - used, "%s%s",
                                     used > 0 ? " " : "", pp_action_name((pp_action)a));
}

static void fill_energy(pp_summary *out, const pp_report_input *in)
{
    const pp_energy *e = in->energy;
    double *const of_class[PP_CLASS_COUNT] = {&out->mvm_pj, &out->digital_pj, &out->buffer_pj, &out->router_pj,
                                              &out->wire_pj, &out->static_pj, &out->dram_pj};
    out->has_energy = true;
    out->has_area = e->has_area;
    COPY(out->cost_preset, e->cost->preset);
    COPY(out->energy_boundary, pp_boundary_name((pp_boundary)e->cost->boundary));
    out->energy_per_inference_pj = 1e-3 * e->total.energy_fj;
    for (int k = 0; k < PP_CLASS_COUNT; k++)
        *of_class[k] = 1e-3 * e->total.class_fj[k];
    name_unpriced(out, e);
    out->power_w = e->power_w;
    out->tops = e->tops;
    out->tops_per_w = e->tops_per_w;
    out->tops_peak = pp_cost_peak(e->cost, in->arch, (uint32_t)out->abits, (uint32_t)out->wbits, in->fabric->n_cores).tops;
    out->array_utilisation = e->utilisation;
    out->area_mm2 = e->area_mm2;
    out->tops_per_mm2 = e->tops_per_mm2;
}

static void fill_accuracy(pp_summary *out, const pp_accuracy *a)
{
    out->has_float = a->has_float;
    out->has_quant = a->has_quant;
    out->has_crossbar = a->has_crossbar;
    out->eval_images = a->images;
    out->top1_float = a->top1_float;
    out->top1_quant = a->top1_quant;
    out->top1_crossbar = a->top1_crossbar;
    COPY(out->data, a->data_name);
}

static void fill_network(pp_summary *out, const pp_report_input *in)
{
    COPY(out->network, in->net->name);
    out->parameters = pp_network_parameters(in->net);
    out->macs = pp_network_macs(in->net);
    out->n_stages = in->stages->n;
    out->wbits = in->q->options.wbits;
    out->abits = in->q->options.abits;
}

/* Multiply-accumulates of a token in the linear layers. */
static void fill_lm(pp_summary *out, const pp_report_input *in)
{
    COPY(out->network, in->lm->name);
    out->parameters = pp_lm_parameters(in->lm);
    out->macs = pp_lm_linear_macs(in->lm);
    out->wbits = in->lm_wbits;
    out->abits = in->lm_abits;
}

pp_status pp_summary_fill(pp_summary *out, const pp_report_input *in)
{
    memset(out, 0, sizeof *out);
    if (in->lm != NULL)
        fill_lm(out, in);
    else
        fill_network(out, in);
    COPY(out->preset, in->arch->preset);
    out->array_rows = in->arch->rows;
    out->array_cols = in->arch->cols;
    out->adc_bits = in->arch->adc_bits;
    if (in->mapping != NULL)
        fill_mapping(out, in);
    if (in->run != NULL) {
        fill_timing(out, in);
        PP_TRY(fill_congestion(out, in));
    }
    if (in->energy != NULL)
        fill_energy(out, in);
    if (in->accuracy != NULL)
        fill_accuracy(out, in->accuracy);
    return PP_OK;
}

void pp_summary_add_json(pp_json *object, const pp_h5_column *c, const void *row)
{
    const char *field = (const char *)row + c->offset;
    if (c->kind == PP_H5_TEXT) {
        pp_json_add_text(object, c->name, field);
    } else if (c->kind == PP_H5_F64) {
        double v;
        memcpy(&v, field, sizeof v);
        pp_json_add_f64(object, c->name, v);
    } else if (c->kind == PP_H5_U32) {
        uint32_t v;
        memcpy(&v, field, sizeof v);
        pp_json_add_i64(object, c->name, v);
    } else {
        int64_t v;
        memcpy(&v, field, sizeof v);
        pp_json_add_i64(object, c->name, v);
    }
}

void pp_summary_json(const pp_summary *s, pp_json *object)
{
    for (size_t i = 0; i < pp_summary_n_fields; i++) {
        const pp_summary_field *f = &pp_summary_fields[i];
        if (f->in_json && pp_summary_has(s, f->part))
            pp_summary_add_json(object, &f->column, s);
    }
    if (s->has_timing && s->kernel[0] != 0)
        pp_json_add_text(object, "kernel", s->kernel);
}

/* The figures of a language model's run. */
#include "report/lm_report.h"
#include "report/lm_report_internal.h"
#include "report/read_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define FIELD(group_, field, kind_, units_, text_) {group_, PP_H5_COLUMN(pp_lm_summary, field, kind_, units_, text_)}

const pp_lm_field pp_lm_fields[] = {
    FIELD("/workload", network, PP_H5_TEXT, "", "name of the model"),
    FIELD("/workload", parameters, PP_H5_U64, "", "learned parameters"),
    FIELD("/workload", macs, PP_H5_U64, "", "multiply-accumulates of a token in the linear layers"),
    FIELD("/workload", blocks, PP_H5_U32, "", "transformer blocks"),
    FIELD("/workload", scenario, PP_H5_TEXT, "", "mixed, prefill or decode"),
    FIELD("/workload", sequences, PP_H5_U32, "", "sequences"),
    FIELD("/workload", prefill_tokens, PP_H5_U64, "token", "prompt tokens that went through"),
    FIELD("/workload", decode_tokens, PP_H5_U64, "token", "decoded tokens that went through"),
    FIELD("/quant", wbits, PP_H5_I64, "bit", "bits of a weight"),
    FIELD("/quant", abits, PP_H5_I64, "bit", "bits of an activation"),
    FIELD("/quant", kvbits, PP_H5_I64, "bit", "bits of a cached key or value"),
    FIELD("/arch", preset, PP_H5_TEXT, "", "hardware preset that the settings start from"),
    FIELD("/arch", array_rows, PP_H5_I64, "", "rows of a crossbar"),
    FIELD("/arch", array_cols, PP_H5_I64, "", "columns of a crossbar"),
    FIELD("/fabric", fabric, PP_H5_TEXT, "", "the fabric, levels from the innermost on"),
    FIELD("/fabric", n_cores, PP_H5_U32, "", "cores of the fabric"),
    FIELD("/fabric", channel_gbps, PP_H5_F64, "Gbit/s", "rate of a network channel of the innermost level"),
    FIELD("/mapping", tiles, PP_H5_U64, "", "crossbars"),
    FIELD("/mapping", tiles_head, PP_H5_U64, "", "of them, the head's"),
    FIELD("/mapping", cores_used, PP_H5_U32, "", "cores that do something"),
    FIELD("/mapping", unroll_max, PP_H5_U32, "pixel", "positions of one MVM: tokens go one by one"),
    FIELD("/mapping", copies_max, PP_H5_U32, "", "most copies of an operator"),
    FIELD("/mapping", certificate, PP_H5_TEXT, "", "embedding, disjoint or routed"),
    FIELD("/mapping", placement, PP_H5_TEXT, "", "how tiles were placed"),
    FIELD("/mapping", n_flows, PP_H5_U64, "", "flows between tiles"),
    FIELD("/mapping", single_channel_flows, PP_H5_U64, "", "flows that ride one channel"),
    FIELD("/mapping", max_hops, PP_H5_U32, "", "most channels of a flow's way"),
    FIELD("/mapping", exact_edges, PP_H5_U32, "", "edges whose packets never meet: lockstep is exact"),
    FIELD("/mapping", bound_edges, PP_H5_U32, "", "edges whose packets meet others on the way"),
    FIELD("/mapping", bound_initiation_interval_ps, PP_H5_U64, "ps",
          "bound: busy time a token of the most loaded stage or channel, attention at one token of context"),
    FIELD("/mapping", bound_attention_ps, PP_H5_U64, "ps", "the same at the longest context of the run"),
    FIELD("/mapping", bound_latency_us, PP_H5_F64, "us", "bound: longest path of the first token"),
    FIELD("/mapping", bound_by, PP_H5_TEXT, "", "what sets the interval at the longest context"),
    FIELD("/bandwidth", max_channel_required_gbps, PP_H5_F64, "Gbit/s",
          "largest rate that a network channel must carry at the bound of the interval"),
    FIELD("/bandwidth", mean_channel_required_gbps, PP_H5_F64, "Gbit/s", "mean over all network channels"),
    FIELD("/bandwidth", max_port_required_gbps, PP_H5_F64, "Gbit/s", "the same for ports of cores"),
    FIELD("/timing", throughput_tokens_s, PP_H5_F64, "1/s", "all tokens over the whole run"),
    FIELD("/timing", prefill_tokens_s, PP_H5_F64, "1/s", "prompt tokens, first arrival to last prompt token; 0: none"),
    FIELD("/timing", decode_tokens_s, PP_H5_F64, "1/s", "decoded tokens, first sampled token to the end; 0: none"),
    FIELD("/timing", time_to_first_token_s, PP_H5_F64, "s", "arrival to first sampled token, mean over sequences"),
    FIELD("/timing", time_to_first_token_p50_s, PP_H5_F64, "s", "median"),
    FIELD("/timing", time_to_first_token_p95_s, PP_H5_F64, "s", "95th percentile"),
    FIELD("/timing", time_to_first_token_p99_s, PP_H5_F64, "s", "99th percentile"),
    FIELD("/timing", time_per_output_token_s, PP_H5_F64, "s", "between sampled tokens of a sequence, mean over sequences"),
    FIELD("/timing", time_per_output_token_p50_s, PP_H5_F64, "s", "median"),
    FIELD("/timing", time_per_output_token_p95_s, PP_H5_F64, "s", "95th percentile"),
    FIELD("/timing", time_per_output_token_p99_s, PP_H5_F64, "s", "99th percentile"),
    FIELD("/timing", initiation_interval_ps, PP_H5_U64, "ps", "mean time between tokens over the whole run"),
    FIELD("/timing", latency_first_us, PP_H5_F64, "us", "the first token, in to out"),
    FIELD("/timing", time_s, PP_H5_F64, "s", "first arrival to last token"),
    FIELD("/timing", bound_time_s, PP_H5_F64, "s", "bound: busy time of the busiest server for all tokens; 0 with experts"),
    FIELD("/timing", slowest, PP_H5_TEXT, "", "what was busy most of the run"),
    FIELD("/timing", max_channel_utilisation, PP_H5_F64, "", "busy share of the busiest network channel, at the mean load"),
    FIELD("/timing", max_core_utilisation, PP_H5_F64, "", "busy share of the busiest stage or shared channel"),
    FIELD("/timing", kv_cache_bytes, PP_H5_U64, "B", "keys and values, most at once"),
    FIELD("/timing", kv_cache_end_bytes, PP_H5_U64, "B", "keys and values when the last token leaves"),
    FIELD("/timing", kv_capacity_bytes, PP_H5_U64, "B", "room for keys and values of whole tokens; 0: no limit"),
    FIELD("/timing", kv_token_bytes, PP_H5_U64, "B", "keys and values of one token in all blocks"),
    FIELD("/timing", kv_tier, PP_H5_TEXT, "", "memory of keys and values"),
    FIELD("/timing", kv_context_limit, PP_H5_U64, "token", "context at which the run's sequences no longer fit at once; 0: no limit"),
    FIELD("/timing", kv_sequences_limit, PP_H5_U64, "", "sequences of the run's longest context that fit at once; 0: no limit"),
    FIELD("/timing", kv_read_gbps, PP_H5_F64, "Gbit/s", "keys and values read, all units, mean over the run"),
    FIELD("/timing", kv_limit_gbps, PP_H5_F64, "Gbit/s", "what all units could read"),
    FIELD("/timing", pipeline_tokens, PP_H5_U64, "token", "tokens that fill the pipeline at the longest context"),
    FIELD("/timing", in_flight_limit, PP_H5_U64, "token", "most tokens that were let in at once"),
    FIELD("/timing", in_flight_high, PP_H5_U64, "token", "most tokens in the pipeline"),
    FIELD("/timing", sequences_high, PP_H5_U32, "", "most sequences at work at once"),
    FIELD("/timing", events, PP_H5_U64, "", "events of the simulation"),
    FIELD("/timing", extrapolated_share, PP_H5_F64, "", "tokens that were put in as exact repetitions, of all"),
    FIELD("/timing", lockstep_grain, PP_H5_U32, "", "how fine lockstep is: 0 finest, 14 coarsest"),
    FIELD("/timing", lockstep_margin, PP_H5_F64, "", "all times in lockstep are longer by this share, so as not to be below those tile by tile"),
    FIELD("/timing", lockstep_deviation, PP_H5_F64, "", "time of a sample in lockstep over that tile by tile, less 1; 0 where time is exact or nothing was sampled"),
    FIELD("/timing", lockstep_tokens, PP_H5_U32, "token", "tokens of that sample; 0: none"),
    FIELD("/timing", lockstep_sample, PP_H5_TEXT, "", "what was sampled, or why nothing was"),
    FIELD("/timing", model_of_time, PP_H5_TEXT, "", "lockstep: tiles of an operator that are done together fire together; exact: one by one"),
    FIELD("/timing", model_of_time_why, PP_H5_TEXT, "", "why that one: asked for, or found (simulate.exact: auto)"),
    FIELD("/timing", services_expected, PP_H5_F64, "", "starts of tiles and packets on channels that the run has tile by tile, about"),
    FIELD("/timing", services_limit, PP_H5_F64, "", "most of them with which simulate.exact: auto goes tile by tile"),
    FIELD("/energy", cost_preset, PP_H5_TEXT, "", "table of energies that the figures start from"),
    FIELD("/energy", energy_boundary, PP_H5_TEXT, "", "what the totals include: mvm, core, chip or chip_dram"),
    FIELD("/energy", energy_per_token_nj, PP_H5_F64, "nJ", "energy of a token inside the boundary, mean over the run"),
    FIELD("/energy", mvm_nj, PP_H5_F64, "nJ", "of it, analog MVMs with their converters"),
    FIELD("/energy", digital_nj, PP_H5_F64, "nJ", "of it, digital operations, attention's included"),
    FIELD("/energy", buffer_nj, PP_H5_F64, "nJ", "of it, local memory"),
    FIELD("/energy", router_nj, PP_H5_F64, "nJ", "of it, switches"),
    FIELD("/energy", wire_nj, PP_H5_F64, "nJ", "of it, wires"),
    FIELD("/energy", static_nj, PP_H5_F64, "nJ", "of it, static power"),
    FIELD("/energy", dram_nj, PP_H5_F64, "nJ", "of it, input and output across the chip's edge"),
    FIELD("/energy", kv_nj, PP_H5_F64, "nJ", "of it, KV memory"),
    FIELD("/energy", power_w, PP_H5_F64, "W", "total energy over the time of the run"),
    FIELD("/energy", tops, PP_H5_F64, "10^12/s", "useful operations, two a multiply-accumulate"),
    FIELD("/energy", tops_per_w, PP_H5_F64, "10^12/J", "the same for a watt"),
    FIELD("/energy", energy_unpriced, PP_H5_TEXT, "", "actions inside the boundary that nobody priced"),
};
const size_t pp_lm_n_fields = sizeof pp_lm_fields / sizeof *pp_lm_fields;

#define COPY(field, text) pp_put_text(field, sizeof(field), text)

/* ---- parts of the summary ---- */

/* Empty where every tile is simulated. */
static void fill_sample(pp_lm_summary *s, const pp_lm_sample *x)
{
    s->lockstep_deviation = x->deviation;
    s->lockstep_tokens = x->tokens;
    if (x->tokens > 0)
        (void)snprintf(s->lockstep_sample, sizeof s->lockstep_sample, "%u tokens through %u of %u parts of the model: %.3f us, %.3f us tile by tile",
                       x->tokens, x->instances, x->instances_of, (double)x->lockstep_ps * 1e-6, (double)x->tiles_ps * 1e-6);
    else if (x->why_not[0] != 0)
        (void)snprintf(s->lockstep_sample, sizeof s->lockstep_sample, "not sampled: %s", x->why_not);
}

static void fill_model(pp_lm_summary *s, const pp_lm_run *r)
{
    const pp_lm_config *c = &r->mapping->graph->config;
    COPY(s->network, c->name);
    s->parameters = pp_lm_parameters(c);
    s->macs = pp_lm_linear_macs(c);
    s->blocks = c->layers;
    s->wbits = r->wbits;
    s->abits = r->mapping->graph->abits;
    s->kvbits = r->mapping->graph->kvbits;
    COPY(s->preset, r->arch->preset);
    s->array_rows = r->arch->rows;
    s->array_cols = r->arch->cols;
    COPY(s->scenario, r->scenario);
    COPY(s->model_of_time, r->switching);
    COPY(s->model_of_time_why, r->way->why);
    fill_sample(s, r->sample);
    s->services_expected = r->way->services;
    s->services_limit = PP_LM_SERVICES_MAX;
}

/* Means and maxima of the channels' loads; of all network channels, gateways included. */
static void fill_loads(pp_lm_summary *s, const pp_lm_run *r)
{
    const pp_lm_mapping *m = r->mapping;
    double max_busy = 0, max_port = 0, max_bits = 0, sum = 0;
    uint64_t n = 0;
    for (uint32_t c = 0; c < m->fabric->n_channels; c++) {
        const pp_channel *ch = pp_hier_channel(m->fabric, c);
        const double bits = m->load[c];
        if (ch->kind != PP_CHANNEL_NETWORK) {
            max_port = fmax(max_port, bits);
            continue;
        }
        n++;
        sum += bits;
        max_bits = fmax(max_bits, bits);
        max_busy = fmax(max_busy, bits * 1e3 / pp_channel_rate_gbps(ch));
    }
    const double interval_ps = (double)s->bound_initiation_interval_ps;
    s->max_channel_required_gbps = interval_ps > 0 ? max_bits * 1e3 / interval_ps : 0;
    s->mean_channel_required_gbps = interval_ps > 0 && n > 0 ? sum * 1e3 / interval_ps / (double)n : 0;
    s->max_port_required_gbps = interval_ps > 0 ? max_port * 1e3 / interval_ps : 0;
    s->max_channel_utilisation = max_busy * 1e-12 * s->throughput_tokens_s;
    s->channel_gbps = m->fabric->n_channels > 0 ? pp_channel_rate_gbps(&m->fabric->level[0].unit->channel[0]) : 0;
}

static void fill_mapping(pp_lm_summary *s, const pp_lm_run *r)
{
    const pp_lm_mapping *m = r->mapping;
    COPY(s->fabric, m->fabric->name);
    COPY(s->certificate, pp_certificate_name(m->certificate));
    COPY(s->placement, m->placement);
    s->n_cores = m->fabric->n_cores;
    s->tiles = m->tiles;
    s->tiles_head = m->tiles_head;
    s->cores_used = m->cores_used;
    s->unroll_max = 1;
    s->copies_max = m->copies_max;
    s->n_flows = m->flows;
    s->single_channel_flows = m->single_channel_flows;
    s->max_hops = m->max_hops;
    s->exact_edges = r->actors->exact_edges;
    s->bound_edges = r->actors->bound_edges;
    s->lockstep_grain = r->actors->grain;
    s->lockstep_margin = r->actors->margin;
}

uint64_t pp_lm_without_margin(const pp_lm_run *r, uint64_t time_ps)
{
    return (uint64_t)floor((double)time_ps / (1 + r->actors->margin) + 1e-6);
}

static pp_status fill_bounds(pp_lm_summary *s, const pp_lm_run *r)
{
    const pp_token_net *net = &r->actors->net;
    const uint32_t longest = pp_lm_longest(r->setup);
    const bool cached = r->setup->scenario == PP_SCENARIO_DECODE;
    const uint32_t first = net->encoder ? r->setup->sequence[0].prompt : cached ? r->setup->sequence[0].prompt + 1 : 1;
    pp_token_bounds b;
    uint64_t latency_ps, alone_ps;
    PP_TRY(pp_lm_latency(&latency_ps, &alone_ps, r->mapping, first));
    s->bound_latency_us = (double)latency_ps * 1e-6;
    PP_TRY(pp_token_bounds_at(&b, net, 1));
    s->bound_initiation_interval_ps = pp_lm_without_margin(r, b.interval_ps);
    PP_TRY(pp_token_bounds_at(&b, net, longest));
    s->bound_attention_ps = pp_lm_without_margin(r, b.interval_ps);
    pp_lm_server_name(r, b.server, s->bound_by, sizeof s->bound_by);
    const uint64_t interval_ps = b.interval_ps > 0 ? b.interval_ps : 1;
    s->pipeline_tokens = (b.latency_ps + interval_ps - 1) / interval_ps;
    return PP_OK;
}

static void fill_timing(pp_lm_summary *s, const pp_lm_run *r)
{
    const pp_token_result *t = r->result;
    const pp_token_spread *first = &t->first_token_s, *next = &t->output_token_s;
    s->sequences = t->n_sequences;
    s->prefill_tokens = t->prefill_tokens;
    s->decode_tokens = t->decode_tokens;
    s->throughput_tokens_s = t->tokens_s;
    s->prefill_tokens_s = t->prefill_tokens_s;
    s->decode_tokens_s = t->decode_tokens_s;
    s->time_to_first_token_s = first->mean;
    s->time_to_first_token_p50_s = first->p50;
    s->time_to_first_token_p95_s = first->p95;
    s->time_to_first_token_p99_s = first->p99;
    s->time_per_output_token_s = next->mean;
    s->time_per_output_token_p50_s = next->p50;
    s->time_per_output_token_p95_s = next->p95;
    s->time_per_output_token_p99_s = next->p99;
    s->time_s = (double)(t->end_ps - t->first_arrival_ps) * 1e-12;
    s->bound_time_s = (double)pp_lm_without_margin(r, t->bound_ps) * 1e-12;
    s->initiation_interval_ps = t->tokens_s > 0 ? (uint64_t)llround(1e12 / t->tokens_s) : 0;
    s->latency_first_us = (double)(t->leave[0].time_ps - t->sequence[t->leave[0].sequence].enter_ps) * 1e-6;
    s->in_flight_limit = t->in_flight_limit;
    s->in_flight_high = t->in_flight_high;
    s->sequences_high = t->sequences_high;
    s->events = t->events;
    s->extrapolated_share = t->extrapolated_share;
}

static void fill_busiest(pp_lm_summary *s, const pp_lm_run *r)
{
    uint32_t busiest = 0;
    double most = -1;
    for (uint32_t v = 0; v < r->result->n_servers; v++) {
        const double share = pp_lm_server_share(r, v);
        if (share > most) {
            most = share;
            busiest = v;
        }
    }
    s->max_core_utilisation = most;
    pp_lm_server_name(r, busiest, s->slowest, sizeof s->slowest);
}

static void fill_kv(pp_lm_summary *s, const pp_lm_run *r)
{
    const pp_token_net *net = &r->actors->net;
    COPY(s->kv_tier, r->actors->tier);
    s->kv_token_bytes = net->kv_bytes_token;
    s->kv_cache_bytes = r->result->kv_tokens_high * net->kv_bytes_token;
    s->kv_cache_end_bytes = r->result->kv_tokens_end * net->kv_bytes_token;
    s->kv_capacity_bytes = net->kv_tokens_max * net->kv_bytes_token;
    s->kv_context_limit = net->kv_tokens_max > 0 ? net->kv_tokens_max / r->result->n_sequences + 1 : 0;
    s->kv_sequences_limit = net->kv_tokens_max > 0 ? net->kv_tokens_max / pp_lm_longest(r->setup) : 0;
    for (uint32_t p = 0; p < r->mapping->graph->n_parts; p++)
        s->kv_limit_gbps += r->mapping->attention[p].kv_gbps * r->mapping->attention[p].units * r->mapping->graph->part[p].instances;
    s->kv_read_gbps = s->time_s > 0 ? r->energy->kv_bits_read * 1e-9 / s->time_s : 0;
}

static void name_unpriced(pp_lm_summary *s, const pp_lm_energy *e)
{
    size_t used = 0;
    for (int a = 0; a < PP_ACTION_COUNT && used < sizeof s->energy_unpriced; a++) {
        if (e->unpriced[a])
            used += (size_t)snprintf(s->energy_unpriced + used, sizeof s->energy_unpriced - used, "%s%s", used > 0 ? " " : "",
                                     pp_action_name((pp_action)a));
    }
}

static void fill_energy(pp_lm_summary *s, const pp_lm_run *r)
{
    const pp_lm_energy *e = r->energy;
    double *const of_class[PP_CLASS_COUNT] = {&s->mvm_nj, &s->digital_nj, &s->buffer_nj, &s->router_nj,
                                              &s->wire_nj, &s->static_nj, &s->dram_nj};
    const double per_token = 1e-6 / (double)r->result->n_leaves;
    COPY(s->cost_preset, e->cost->preset);
    COPY(s->energy_boundary, pp_boundary_name((pp_boundary)e->cost->boundary));
    s->energy_per_token_nj = 1e-6 * e->token_fj;
    for (int k = 0; k < PP_CLASS_COUNT; k++)
        *of_class[k] = e->class_fj[k] * per_token;
    s->kv_nj = e->kv_fj * per_token;
    s->power_w = e->power_w;
    s->tops = s->time_s > 0 ? 2e-12 * e->macs / s->time_s : 0;
    s->tops_per_w = e->power_w > 0 ? s->tops / e->power_w : 0;
    name_unpriced(s, e);
}

pp_status pp_lm_summary_fill(pp_lm_summary *out, const pp_lm_run *run)
{
    memset(out, 0, sizeof *out);
    fill_model(out, run);
    fill_mapping(out, run);
    fill_timing(out, run);
    PP_TRY(fill_bounds(out, run));
    fill_loads(out, run);
    fill_busiest(out, run);
    fill_energy(out, run);
    fill_kv(out, run);
    return PP_OK;
}

/* No other report has it: where it is and something else is not, the report is damaged, or of another version. */
static bool is_of_a_language_model(const pp_report *r)
{
    return H5Lexists(r->file, "/timing", H5P_DEFAULT) > 0 && H5Lexists(r->file, "/timing/throughput_tokens_s", H5P_DEFAULT) > 0;
}

/* Reports from before there was a margin have none. */
static bool may_be_missing(const pp_report *r, const char *path)
{
    return strcmp(path, "/timing/lockstep_margin") == 0 && H5Lexists(r->file, path, H5P_DEFAULT) == 0;
}

pp_status pp_lm_summary_read(pp_lm_summary *out, const pp_report *r)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < pp_lm_n_fields; i++) {
        const pp_lm_field *f = &pp_lm_fields[i];
        char path[96];
        snprintf(path, sizeof path, "%s/%s", f->group, f->column.name);
        if (!pp_h5_read_scalar(r->file, path, &f->column, out) && !may_be_missing(r, path))
            return pp_fail(is_of_a_language_model(r) ? PP_EFORMAT : PP_ENOTFOUND, "%s: %s is missing or damaged", r->path, path);
    }
    return PP_OK;
}

void pp_lm_summary_json(const pp_lm_summary *s, pp_json *object)
{
    for (size_t i = 0; i < pp_lm_n_fields; i++)
        pp_summary_add_json(object, &pp_lm_fields[i].column, s);
}

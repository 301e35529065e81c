/* A language model's run as people read it, and its tables as JSON. */
#include "report/lm_report_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void heading(FILE *f, const char *text, bool colour)
{
    fprintf(f, colour ? "\n\033[1m%s\033[0m\n" : "\n%s\n", text);
}

/* 1234567 -> "1.2 MB". */
static const char *bytes(char buffer[32], double n)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    int u = 0;
    for (; n >= 1000 && u < 4; u++)
        n /= 1000;
    snprintf(buffer, 32, u == 0 ? "%.0f %s" : "%.2f %s", n, units[u]);
    return buffer;
}

static const char *seconds(char buffer[32], double s)
{
    if (s >= 1)
        snprintf(buffer, 32, "%.3f s", s);
    else if (s >= 1e-3)
        snprintf(buffer, 32, "%.3f ms", s * 1e3);
    else
        snprintf(buffer, 32, "%.3f us", s * 1e6);
    return buffer;
}

static void print_way(const pp_lm_summary *s, FILE *f)
{
    const bool exact = strcmp(s->model_of_time, "exact") == 0;
    if (exact)
        fprintf(f, "  time            every tile and channel on its own\n");
    else if (s->bound_edges == 0)
        fprintf(f, "  time            lockstep, exact: no packets of an operator meet\n");
    else
        fprintf(f, "  time            lockstep, grain %u (0 finest, 14 coarsest); on %u edges no packets meet, on %u some do\n", s->lockstep_grain,
                s->exact_edges, s->bound_edges);
    if (s->model_of_time_why[0] != 0)
        fprintf(f, "                  (%s)\n", s->model_of_time_why);
    if (s->lockstep_margin > 0)
        fprintf(f, "  margin          all times %.2f %% longer, so as not to be below those tile by tile\n", 100 * s->lockstep_margin);
    if (s->lockstep_tokens > 0)
        fprintf(f, "  deviation       %+.2f %% of the time tile by tile, on a sample: %s\n", 100 * s->lockstep_deviation, s->lockstep_sample);
    else if (!exact && s->lockstep_sample[0] != 0)
        fprintf(f, "  deviation       %s\n", s->lockstep_sample);
}

static void print_mapping(const pp_lm_summary *s, FILE *f, bool colour)
{
    heading(f, "mapping", colour);
    fprintf(f, "  model           %" PRIu64 " parameters, %u blocks; weights %d bit, activations %d bit, cache %d bit\n", s->parameters,
            s->blocks, (int)s->wbits, (int)s->abits, (int)s->kvbits);
    fprintf(f, "  crossbars       %" PRIu64 " of %d x %d (%" PRIu64 " of the head) on %u cores of %u, up to %u cop%s\n", s->tiles,
            (int)s->array_rows, (int)s->array_cols, s->tiles_head, s->cores_used, s->n_cores, s->copies_max,
            s->copies_max == 1 ? "y" : "ies");
    fprintf(f, "  flows           %" PRIu64 ", %" PRIu64 " on one channel, at most %u (%s); %s\n", s->n_flows, s->single_channel_flows,
            s->max_hops, s->certificate, s->placement);
    fprintf(f, "  channels        %.4g Gbit/s inside; required: busiest %.3f, mean %.3f", s->channel_gbps, s->max_channel_required_gbps,
            s->mean_channel_required_gbps);
    if (s->max_port_required_gbps > 0) /* with a port a link the channels are the ports */
        fprintf(f, ", busiest port %.3f", s->max_port_required_gbps);
    fprintf(f, " Gbit/s\n");
    print_way(s, f);
}

static void print_timing(const pp_lm_summary *s, FILE *f, bool colour)
{
    char a[32], b[32], c[32];
    heading(f, "timing", colour);
    fprintf(f, "  scenario        %s: %u sequences, %" PRIu64 " prompt and %" PRIu64 " decoded tokens in %s\n", s->scenario, s->sequences,
            s->prefill_tokens, s->decode_tokens, seconds(a, s->time_s));
    fprintf(f, "  throughput      %.0f tokens/s", s->throughput_tokens_s);
    if (s->prefill_tokens > 0)
        fprintf(f, "; prompts %.0f tokens/s", s->prefill_tokens_s);
    if (s->decode_tokens > 0)
        fprintf(f, "; decoding %.0f tokens/s", s->decode_tokens_s);
    fprintf(f, "\n  first token     %s mean, %s median, %s at 99 %%\n", seconds(a, s->time_to_first_token_s),
            seconds(b, s->time_to_first_token_p50_s), seconds(c, s->time_to_first_token_p99_s));
    if (s->time_per_output_token_s > 0)
        fprintf(f, "  output token    %s mean, %s median, %s at 99 %%\n", seconds(a, s->time_per_output_token_s),
                seconds(b, s->time_per_output_token_p50_s), seconds(c, s->time_per_output_token_p99_s));
    fprintf(f, "  bounds          interval %.3f us at short, %.3f us at the longest context, set by %s;\n"
               "                  first token through in %.3f us (bound %.3f); run %s (bound %s)\n",
            (double)s->bound_initiation_interval_ps * 1e-6, (double)s->bound_attention_ps * 1e-6, s->bound_by, s->latency_first_us,
            s->bound_latency_us, seconds(a, s->time_s), seconds(b, s->bound_time_s));
    fprintf(f, "  busiest         %s, %.1f %%\n", s->slowest, 100 * s->max_core_utilisation);
    fprintf(f, "  pipeline        %" PRIu64 " tokens fill it; %" PRIu64 " let in at most, %" PRIu64 " seen; %u sequences at once\n",
            s->pipeline_tokens, s->in_flight_limit, s->in_flight_high, s->sequences_high);
    fprintf(f, "  simulation      %" PRIu64 " events, %.1f %% of the tokens exact repetitions\n", s->events, 100 * s->extrapolated_share);
}

static void print_kv(const pp_lm_summary *s, FILE *f, bool colour)
{
    char a[32], b[32], c[32];
    if (s->kv_token_bytes == 0)
        return;
    heading(f, "keys and values", colour);
    fprintf(f, "  size            %s most, %s at the end; a token %s; room in %s for %s\n", bytes(a, (double)s->kv_cache_bytes),
            bytes(b, (double)s->kv_cache_end_bytes), bytes(c, (double)s->kv_token_bytes), s->kv_tier,
            s->kv_capacity_bytes > 0 ? bytes((char[32]){0}, (double)s->kv_capacity_bytes) : "any number");
    fprintf(f, "  traffic         %.4g Gbit/s read, of %.4g that all units could\n", s->kv_read_gbps, s->kv_limit_gbps);
    if (s->kv_context_limit > 0)
        fprintf(f, "  limits          %u sequences no longer fit at %" PRIu64 " tokens each; of the run's longest %" PRIu64 " fit at once\n",
                s->sequences, s->kv_context_limit, s->kv_sequences_limit);
}

static void print_energy(const pp_lm_summary *s, FILE *f, bool colour)
{
    const struct {
        const char *name;
        double nj;
    } part[] = {{"mvm", s->mvm_nj}, {"digital", s->digital_nj}, {"buffer", s->buffer_nj}, {"router", s->router_nj},
                {"wire", s->wire_nj}, {"static", s->static_nj}, {"dram", s->dram_nj}, {"keys and values", s->kv_nj}};
    const char *comma = "";
    heading(f, "energy", colour);
    fprintf(f, "  a token         %.4g uJ, boundary %s, costs of %s: ", s->energy_per_token_nj * 1e-3, s->energy_boundary, s->cost_preset);
    for (size_t i = 0; i < sizeof part / sizeof *part && s->energy_per_token_nj > 0; i++) {
        if (part[i].nj <= 0)
            continue;
        fprintf(f, "%s%s %.1f %%", comma, part[i].name, 100 * part[i].nj / s->energy_per_token_nj);
        comma = ", ";
    }
    fprintf(f, "\n  power           %.4g W, %.4g TOPS of useful operations, %.4g TOPS/W\n", s->power_w, s->tops, s->tops_per_w);
    if (s->energy_unpriced[0] != 0)
        fprintf(f, "  not priced      %s\n", s->energy_unpriced);
}

static pp_status print_operators(const pp_lm_tables *t, FILE *f)
{
    static const char *const headers[] = {"part", "operator", "crossbars", "interval us", "bound us", "bound by", "busy %", "busiest %", "waits us", "nJ/token"};
    pp_table *table = NULL;
    pp_status status = pp_table_new(&table, headers, sizeof headers / sizeof *headers);
    for (size_t i = 0; i < t->n_operators && status == PP_OK; i++) {
        const pp_lm_operator_row *r = &t->operators[i];
        char cell[9][24];
        snprintf(cell[0], sizeof cell[0], "%" PRIu64, r->tiles);
        snprintf(cell[1], sizeof cell[1], "%.3f", (double)r->interval_ps * 1e-6);
        snprintf(cell[2], sizeof cell[2], "%.3f", (double)r->bound_interval_ps * 1e-6);
        snprintf(cell[3], sizeof cell[3], "%.1f", 100 * r->utilisation_mean);
        snprintf(cell[4], sizeof cell[4], "%.1f", 100 * r->utilisation_max);
        snprintf(cell[5], sizeof cell[5], "%.3f", r->wait_ns * 1e-3);
        snprintf(cell[6], sizeof cell[6], "%.4g", r->energy_pj * 1e-3);
        const char *const cells[] = {r->part, r->name, cell[0], cell[1], cell[2], r->binding, cell[3], cell[4], cell[5], cell[6]};
        status = pp_table_row(table, cells);
    }
    if (status == PP_OK)
        pp_table_print(table, f);
    pp_table_free(table);
    return status;
}

static pp_status print_levels(const pp_lm_tables *t, FILE *f)
{
    static const char *const headers[] = {"level", "fabric", "groups used", "Gbit/s", "busiest kbit/token", "mean", "busiest us/token", "busy %"};
    pp_table *table = NULL;
    pp_status status = pp_table_new(&table, headers, sizeof headers / sizeof *headers);
    for (size_t i = 0; i < t->n_levels && status == PP_OK; i++) {
        const pp_lm_level_row *r = &t->level[i];
        char cell[6][24];
        snprintf(cell[0], sizeof cell[0], "%u", r->groups_used);
        snprintf(cell[1], sizeof cell[1], "%.4g", r->channel_gbps);
        snprintf(cell[2], sizeof cell[2], "%.3f", r->max_bits * 1e-3);
        snprintf(cell[3], sizeof cell[3], "%.3f", r->mean_bits * 1e-3);
        snprintf(cell[4], sizeof cell[4], "%.3f", r->max_ps * 1e-6);
        snprintf(cell[5], sizeof cell[5], "%.1f", 100 * r->utilisation);
        const char *const cells[] = {r->name, r->fabric, cell[0], cell[1], cell[2], cell[3], cell[4], cell[5]};
        status = pp_table_row(table, cells);
    }
    if (status == PP_OK)
        pp_table_print(table, f);
    pp_table_free(table);
    return status;
}

pp_status pp_lm_report_print(const pp_lm_summary *s, const pp_lm_tables *t, void *stdio_file, bool colour)
{
    FILE *f = stdio_file;
    fprintf(f, colour ? "\033[1m%s\033[0m on %s\n" : "%s on %s\n", s->network, s->fabric);
    print_mapping(s, f, colour);
    print_timing(s, f, colour);
    print_kv(s, f, colour);
    print_energy(s, f, colour);
    heading(f, "operators: what binds each, and how busy it was", colour);
    PP_TRY(print_operators(t, f));
    heading(f, "levels of the fabric", colour);
    return print_levels(t, f);
}

void pp_lm_tables_json(const pp_lm_tables *t, pp_json *object)
{
    pp_json *list = pp_json_add_list(object, "operators");
    for (size_t i = 0; i < t->n_operators; i++) {
        const pp_lm_operator_row *r = &t->operators[i];
        pp_json *row = pp_json_add_object(list, NULL);
        pp_json_add_text(row, "part", r->part);
        pp_json_add_text(row, "name", r->name);
        pp_json_add_text(row, "kind", r->kind);
        pp_json_add_text(row, "binding", r->binding);
        pp_json_add_i64(row, "tiles", (int64_t)r->tiles);
        pp_json_add_i64(row, "copies", r->copies);
        pp_json_add_i64(row, "interval_ps", (int64_t)r->interval_ps);
        pp_json_add_i64(row, "bound_interval_ps", (int64_t)r->bound_interval_ps);
        pp_json_add_f64(row, "utilisation", r->utilisation_mean);
        pp_json_add_f64(row, "energy_pj", r->energy_pj);
    }
    list = pp_json_add_list(object, "levels");
    for (size_t i = 0; i < t->n_levels; i++) {
        const pp_lm_level_row *r = &t->level[i];
        pp_json *row = pp_json_add_object(list, NULL);
        pp_json_add_text(row, "name", r->name);
        pp_json_add_text(row, "fabric", r->fabric);
        pp_json_add_i64(row, "groups_used", r->groups_used);
        pp_json_add_f64(row, "channel_gbps", r->channel_gbps);
        pp_json_add_f64(row, "max_bits", r->max_bits);
        pp_json_add_f64(row, "max_ps", r->max_ps);
        pp_json_add_f64(row, "utilisation", r->utilisation);
    }
}

/* Rows of a language model's report, from mapping and run. */
#include "report/lm_report_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t pp_lm_longest(const pp_token_setup *setup)
{
    uint32_t most = 1;
    for (uint32_t i = 0; i < setup->n_sequences; i++) {
        const uint32_t n = setup->sequence[i].prompt + setup->sequence[i].decode;
        most = n > most ? n : most;
    }
    return most;
}

double pp_lm_server_share(const pp_lm_run *r, uint32_t server)
{
    const double time_ps = (double)(r->result->end_ps - r->result->first_arrival_ps);
    return time_ps > 0 ? (double)r->result->server[server].busy_ps / time_ps / r->actors->net.server_copies[server] : 0;
}

/* ---- names ---- */

static void place_name(const pp_lm_run *r, uint32_t instance, char *out, size_t size)
{
    const pp_lm_instance *d = &r->mapping->instance[instance];
    if (d->layer != PP_NONE)
        snprintf(out, size, "block %u", d->layer);
    else
        snprintf(out, size, "%s", instance == 0 ? "the embedding" : "the end");
}

/* Edge of instance `at` (or, with previous set, of the one behind it) that uses a server of `instance`. */
static bool edge_uses(const pp_lm_mapping *m, const pp_lm_edge *e, uint32_t local, bool previous)
{
    for (uint32_t k = e->first_share; k < e->first_share + e->n_shares; k++) {
        if (m->share[k].server == local && m->share[k].previous == previous)
            return true;
    }
    return false;
}

static const pp_lm_edge *edge_of_server(const pp_lm_mapping *m, uint32_t instance, uint32_t local)
{
    const pp_lm_template *t = &m->template_[m->instance[instance].template_];
    for (uint32_t e = t->first_edge; e < t->first_edge + t->n_edges; e++) {
        if (edge_uses(m, &m->edge[e], local, false))
            return &m->edge[e];
    }
    const pp_lm_instance *here = &m->instance[instance], *next = &m->instance[(instance + 1) % m->n_instances];
    for (uint32_t e = here->first_in; e < here->first_in + here->n_in; e++) {
        if (edge_uses(m, &m->edge[e], local, false))
            return &m->edge[e];
    }
    for (uint32_t e = next->first_in; e < next->first_in + next->n_in; e++) {
        if (edge_uses(m, &m->edge[e], local, true))
            return &m->edge[e];
    }
    return NULL;
}

static void channel_name(const pp_lm_run *r, const pp_lm_channel_user *u, char *out, size_t size)
{
    const pp_lm_stage *stage = r->mapping->stage;
    char place[32];
    place_name(r, u->instance, place, sizeof place);
    if (u->to == PP_NONE)
        snprintf(out, size, "a channel of %s, %s", stage[u->from].name, place);
    else if (u->to == u->from)
        snprintf(out, size, "channels: partial sums of %s, %s", stage[u->from].name, place);
    else
        snprintf(out, size, "channels: %s to %s, %s", stage[u->from].name, stage[u->to].name, place);
}

void pp_lm_server_name(const pp_lm_run *r, uint32_t server, char *out, size_t size)
{
    const pp_lm_actors *x = r->actors;
    const pp_lm_mapping *m = r->mapping;
    char place[32];
    for (uint32_t a = 0; a < x->net.n_actors; a++) {
        if (x->net.actor[a].server != server || x->actor[a].stage == PP_NONE)
            continue;
        place_name(r, x->actor[a].instance, place, sizeof place);
        snprintf(out, size, "%s of %s", m->stage[x->actor[a].stage].name, place);
        return;
    }
    if (x->user != NULL && server >= x->first_channel && server - x->first_channel < x->n_channels) {
        channel_name(r, &x->user[server - x->first_channel], out, size);
        return;
    }
    const uint32_t instance = x->server_instance[server];
    if (x->first_server == NULL || x->user != NULL) {
        snprintf(out, size, "a channel");
        return;
    }
    const pp_lm_edge *e = edge_of_server(m, instance, server - x->first_server[instance]);
    place_name(r, instance, place, sizeof place);
    if (e == NULL)
        snprintf(out, size, "a channel of %s", place);
    else if (e->link == PP_NONE)
        snprintf(out, size, "channels: partial sums of %s, %s", m->stage[e->from].name, place);
    else
        snprintf(out, size, "channels: %s to %s, %s", m->stage[e->from].name, m->stage[m->target[e->first_target].stage].name, place);
}

/* ---- operators ---- */

const char *pp_lm_part_name(const pp_lm_mapping *m, uint32_t part)
{
    static const char *const names[] = {"embedding", "block", "end"};
    return names[m->graph->part[part].kind];
}

static void describe(pp_lm_operator_row *row, const pp_lm_run *r, uint32_t part, uint32_t stage)
{
    const pp_lm_mapping *m = r->mapping;
    const pp_lm_stage *s = &m->stage[stage];
    PP_PUT(row->part, pp_lm_part_name(m, part));
    PP_PUT(row->name, s->name);
    PP_PUT(row->kind, pp_lm_op_kind_name((pp_lm_op_kind)s->kind));
    PP_PUT(row->binding, pp_lm_binding_name((pp_lm_binding)s->binding));
    row->row_tiles = s->row_tiles;
    row->col_tiles = s->col_tiles;
    row->copies = s->copies;
    row->interval_ps = s->interval_ps;
    row->latency_ps = s->latency_ps;
    row->bound_interval_ps = s->bound_interval_ps;
    if (s->kind == PP_LM_OP_ATTENTION) {
        const pp_lm_attention_time t = pp_lm_attention_work(&m->attention[part], pp_lm_longest(r->setup), 1);
        row->interval_ps = row->latency_ps = t.total_ps;
        if (t.total_ps > row->bound_interval_ps)
            row->bound_interval_ps = t.total_ps;
        if (row->bound_interval_ps == t.total_ps)
            PP_PUT(row->binding, pp_lm_binding_name(t.memory_ps > t.compute_ps ? PP_LM_BIND_KV : PP_LM_BIND_ATTENTION));
    }
}

/* Row of operator k of a part: rows stand part by part. */
static uint32_t row_of(const pp_lm_mapping *m, uint32_t stage, uint32_t template_)
{
    const pp_lm_template *t = &m->template_[template_];
    uint32_t row = 0;
    for (uint32_t p = 0; p < t->part; p++)
        row += m->graph->part[p].n_ops;
    return row + stage - t->first_stage;
}

static void add_actor(pp_lm_tables *t, const pp_lm_run *r, uint32_t actor, double *actors)
{
    const pp_lm_actor *a = &r->actors->actor[actor];
    if (a->stage == PP_NONE)
        return;
    const uint32_t template_ = r->mapping->instance[a->instance].template_;
    pp_lm_operator_row *row = &t->operators[row_of(r->mapping, a->stage, template_)];
    const pp_token_counters *c = &r->result->actor[actor];
    const double share = (double)c->busy_ps / (double)(r->result->end_ps - r->result->first_arrival_ps) /
                         r->actors->net.server_copies[r->actors->net.actor[actor].server];
    actors[row - t->operators]++;
    row->served += c->served;
    row->wait_ns += (double)c->wait_ps * 1e-3;
    row->utilisation_mean += share;
    row->utilisation_max = share > row->utilisation_max ? share : row->utilisation_max;
}

static void add_template(pp_lm_tables *t, const pp_lm_run *r, uint32_t template_)
{
    const pp_lm_template *d = &r->mapping->template_[template_];
    for (uint32_t s = d->first_stage; s < d->first_stage + d->n_stages; s++) {
        pp_lm_operator_row *row = &t->operators[row_of(r->mapping, s, template_)];
        if (row->instances == 0)
            describe(row, r, d->part, s);
        row->instances += d->instances;
        row->tiles += (uint64_t)r->mapping->stage[s].tiles * d->instances;
        row->cores += r->mapping->stage[s].cores * d->instances;
        row->energy_pj += 1e-3 * r->energy->stage_fj[s] / (double)r->result->n_leaves;
    }
}

static pp_status fill_operators(pp_lm_tables *t, const pp_lm_run *r)
{
    const pp_lm_mapping *m = r->mapping;
    for (uint32_t p = 0; p < m->graph->n_parts; p++)
        t->n_operators += m->graph->part[p].n_ops;
    double *actors = pp_calloc(t->n_operators, sizeof *actors);
    t->operators = pp_calloc(t->n_operators, sizeof *t->operators);
    const bool ok = t->operators != NULL && actors != NULL;
    for (uint32_t k = 0; ok && k < m->n_templates; k++)
        add_template(t, r, k);
    for (uint32_t a = 0; ok && a < r->actors->net.n_actors; a++)
        add_actor(t, r, a, actors);
    for (size_t i = 0; ok && i < t->n_operators; i++) {
        pp_lm_operator_row *row = &t->operators[i];
        row->utilisation_mean /= actors[i] > 0 ? actors[i] : 1;
        row->wait_ns /= row->served > 0 ? (double)row->served : 1;
    }
    free(actors);
    return ok ? PP_OK : PP_ENOMEM;
}

/* ---- levels, sequences ---- */

static pp_status fill_levels(pp_lm_tables *t, const pp_lm_run *r)
{
    const pp_lm_mapping *m = r->mapping;
    t->n_levels = m->fabric->n_levels;
    t->level = pp_calloc(t->n_levels, sizeof *t->level);
    if (t->level == NULL)
        return PP_ENOMEM;
    for (uint32_t l = 0; l < t->n_levels; l++) {
        const pp_hier_level *d = &m->fabric->level[l];
        const pp_lm_level_load *load = &m->level[l];
        pp_lm_level_row *row = &t->level[l];
        PP_PUT(row->name, d->name);
        PP_PUT(row->fabric, d->unit->name);
        row->groups_used = m->groups_used[l];
        row->size = d->size;
        row->gateways = d->gateways;
        row->channels_used = load->channels_used;
        row->channel_gbps = d->unit->n_channels > 0 ? pp_channel_rate_gbps(&d->unit->channel[0]) : 0;
        row->max_bits = load->max_bits;
        row->mean_bits = load->mean_bits;
        row->up_bits = load->up_bits;
        row->max_ps = load->max_ps;
        row->utilisation = load->max_ps * 1e-12 * r->result->tokens_s;
    }
    return PP_OK;
}

static pp_status fill_sequences(pp_lm_tables *t, const pp_lm_run *r)
{
    const bool cached = r->setup->scenario == PP_SCENARIO_DECODE;
    t->n_sequences = r->result->n_sequences;
    t->sequence = pp_calloc(t->n_sequences, sizeof *t->sequence);
    if (t->sequence == NULL)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < t->n_sequences; i++) {
        const pp_token_sequence *q = &r->setup->sequence[i];
        const pp_token_times *times = &r->result->sequence[i];
        pp_lm_sequence_row *row = &t->sequence[i];
        const uint32_t after = q->decode - (cached && q->decode > 0);
        *row = (pp_lm_sequence_row){.sequence = i, .prompt_tokens = q->prompt, .decode_tokens = q->decode};
        row->arrival_s = (double)q->arrival_ps * 1e-12;
        row->enter_s = (double)times->enter_ps * 1e-12;
        row->first_token_s = (double)times->first_token_ps * 1e-12;
        row->done_s = (double)times->done_ps * 1e-12;
        row->time_to_first_token_s = (double)(times->first_token_ps - q->arrival_ps) * 1e-12;
        row->time_per_output_token_s = after > 0 ? (double)(times->done_ps - times->first_token_ps) * 1e-12 / after : 0;
    }
    return PP_OK;
}

/* ---- over time, by context ---- */

enum { SLICES = 200 };

static pp_status fill_progress(pp_lm_tables *t, const pp_lm_run *r)
{
    const pp_token_result *run = r->result;
    const double first_s = (double)run->first_arrival_ps * 1e-12, step_s = ((double)run->end_ps * 1e-12 - first_s) / SLICES;
    t->n_progress = SLICES;
    t->progress = pp_calloc(SLICES, sizeof *t->progress);
    if (t->progress == NULL)
        return PP_ENOMEM;
    uint64_t at = 0;
    for (uint32_t k = 0; k < SLICES; k++) {
        pp_lm_progress_row *row = &t->progress[k];
        row->time_s = first_s + step_s * (k + 1);
        row->in_flight = k > 0 ? row[-1].in_flight : 0;
        row->kv_bytes = k > 0 ? row[-1].kv_bytes : 0;
        for (; at < run->n_leaves && (k + 1 == SLICES || (double)run->leave[at].time_ps * 1e-12 <= row->time_s); at++) {
            const pp_token_leave *l = &run->leave[at];
            const bool prompt = l->position < r->setup->sequence[l->sequence].prompt;
            row->prefill_tokens += prompt;
            row->decode_tokens += !prompt;
            row->in_flight = l->in_flight;
            row->kv_bytes = l->kv_tokens * r->actors->net.kv_bytes_token;
        }
        row->tokens_s = step_s > 0 ? (double)(row->prefill_tokens + row->decode_tokens) / step_s : 0;
    }
    return PP_OK;
}

static pp_status context_row(pp_lm_context_row *row, const pp_lm_run *r, uint32_t context)
{
    const pp_token_net *net = &r->actors->net;
    pp_token_bounds b;
    PP_TRY(pp_token_bounds_at(&b, net, context));
    const uint64_t interval_ps = b.interval_ps > 0 ? b.interval_ps : 1, turn_ps = b.latency_ps + b.back_ps;
    *row = (pp_lm_context_row){.context = context, .interval_ps = pp_lm_without_margin(r, b.interval_ps),
                               .latency_ps = pp_lm_without_margin(r, turn_ps)};
    for (uint32_t w = 0; w < net->n_works; w++) {
        const uint64_t ps = net->work_ps[(size_t)w * (net->max_context + 1) + context];
        row->attention_ps = ps > row->attention_ps ? ps : row->attention_ps;
    }
    row->attention_ps = pp_lm_without_margin(r, row->attention_ps);
    pp_lm_server_name(r, b.server, row->bound_by, sizeof row->bound_by);
    row->fill_sequences = (turn_ps + interval_ps - 1) / interval_ps;
    row->fit_sequences = net->kv_tokens_max / context;
    row->kv_bytes_sequence = context * net->kv_bytes_token;
    return PP_OK;
}

/* Powers of two, the run's longest context, and the model's own. */
static pp_status fill_contexts(pp_lm_tables *t, const pp_lm_run *r)
{
    const uint32_t top = r->actors->net.max_context, longest = pp_lm_longest(r->setup);
    uint64_t context = 1;
    t->context = pp_calloc(40, sizeof *t->context);
    if (t->context == NULL)
        return PP_ENOMEM;
    for (;; context *= 2) {
        const uint32_t at = context < top ? (uint32_t)context : top;
        const uint32_t before = t->n_contexts > 0 ? t->context[t->n_contexts - 1].context : 0;
        if (before < longest && longest < at)
            PP_TRY(context_row(&t->context[t->n_contexts++], r, longest));
        PP_TRY(context_row(&t->context[t->n_contexts++], r, at));
        if (at == top)
            return PP_OK;
    }
}

pp_status pp_lm_tables_fill(pp_lm_tables *out, const pp_lm_run *run)
{
    *out = (pp_lm_tables){0};
    pp_status status = fill_operators(out, run);
    if (status == PP_OK)
        status = fill_levels(out, run);
    if (status == PP_OK)
        status = fill_sequences(out, run);
    if (status == PP_OK)
        status = fill_progress(out, run);
    if (status == PP_OK)
        status = fill_contexts(out, run);
    if (status == PP_OK && run->pipeline != NULL)
        status = pp_lm_pipeline_rows(&out->pipeline, &out->n_pipeline, run->pipeline);
    if (status != PP_OK)
        pp_lm_tables_free(out);
    return status;
}

void pp_lm_tables_free(pp_lm_tables *t)
{
    free(t->operators);
    free(t->level);
    free(t->sequence);
    free(t->progress);
    free(t->context);
    free(t->pipeline);
    *t = (pp_lm_tables){0};
}

/* Counting the actions of a run of tokens, and pricing them. */
#include "sim/tokens_energy.h"

#include <stdlib.h>

typedef struct counter {
    pp_lm_energy *e;
    const pp_arch *arch;
    uint32_t wbits;
    const pp_lm_mapping *m;
    const pp_lm_actors *x;
    const pp_token_setup *setup;
    const pp_token_result *r;
    uint64_t *context;      /* [max_context + 1] tokens that attend to so many */
    double *served;         /* [n_stages] firings of all instances */
} counter;

/* ---- one firing of a stage ---- */

static double part_of(double whole, double slice, double index)
{
    const double left = whole - slice * index;
    return left < slice ? left : slice;
}

static void count_crossbars(const counter *c, const pp_lm_stage *s, const pp_lm_op *op, double *count)
{
    const uint32_t slices = pp_arch_slices(c->arch, c->wbits), in_bits = c->m->graph->abits;
    const double rows = (double)c->arch->rows, cols = (double)(c->arch->cols / slices);
    for (uint32_t r = 0; r < s->row_tiles; r++) {
        for (uint32_t k = 0; k < s->col_tiles; k++) {
            const double used_rows = part_of(op->in, rows, r), used_cols = part_of(op->out, cols, k);
            if (used_rows <= 0 || used_cols <= 0)
                continue;
            pp_cost_count_mvm(count, c->e->cost, c->arch, (uint32_t)used_rows, (uint32_t)used_cols * slices, in_bits,
                              c->wbits, 1);
            count[PP_ACTION_SCALE] += used_cols;
            count[PP_ACTION_BUFFER_READ] += used_rows * in_bits;
            count[PP_ACTION_BUFFER_WRITE] += used_rows * in_bits;
        }
    }
}

static void count_firing(const counter *c, const pp_lm_stage *s, double *count)
{
    const pp_lm_op *op = &c->m->graph->op[s->op];
    if (s->tiles > 0)
        count_crossbars(c, s, op, count);
    count[PP_ACTION_ADD] += (double)s->digital_ops;
    count[PP_ACTION_REQUANTIZE] += op->out;
}

/* ---- attention, over all contexts ---- */

static void count_attention(counter *c, uint32_t stage, uint32_t part, double *count)
{
    const pp_lm_attention whole = pp_lm_attention_whole(&c->m->attention[part]), *a = &whole;
    const double units = a->units;
    double bits = 0, steps = 0;
    for (uint32_t n = 1; n <= c->x->net.max_context; n++) {
        if (c->context[n] == 0)
            continue;
        const pp_lm_attention_time t = pp_lm_attention_work(a, n, 1);
        const double times = (double)c->context[n];
        steps += times;
        bits += times * (double)t.kv_bits * units;
        count[PP_ACTION_SCALE] += times * (double)t.macs * units;
        count[PP_ACTION_ADD] += times * (double)t.macs * units;
        count[PP_ACTION_ACTIVATION] += times * (double)t.scores * units;
        c->e->macs += times * (double)t.macs * units * c->m->graph->part[part].instances;
    }
    const double instances = c->m->graph->part[part].instances;
    const bool inside = c->e->cost->boundary >= (c->arch->attention_memory == PP_KV_DRAM ? PP_BOUNDARY_CHIP_DRAM : PP_BOUNDARY_CHIP);
    const double written = steps * a->kv_bits_token * units;
    c->e->kv_bits_read += bits * instances;
    c->e->kv_bits_written += written * instances;
    if (!inside)
        return;
    c->e->kv_fj += (bits + written) * a->kv_fj_bit * instances;
    c->e->stage_fj[stage] += (bits + written) * a->kv_fj_bit * instances;
}

/* ---- sums ---- */

static void add_counts(counter *c, uint32_t stage, const double *count, double times)
{
    double scaled[PP_ACTION_COUNT];
    for (int a = 0; a < PP_ACTION_COUNT; a++) {
        scaled[a] = times * count[a];
        c->e->count[a] += scaled[a];
    }
    c->e->stage_fj[stage] += pp_cost_price_fj(c->e->cost, scaled);
}

/* Templates of one part share its attention; each instance fires once a token. */
static void count_stages(counter *c)
{
    for (uint32_t t = 0; t < c->m->n_templates; t++) {
        const pp_lm_template *d = &c->m->template_[t];
        for (uint32_t s = d->first_stage; s < d->first_stage + d->n_stages; s++) {
            double count[PP_ACTION_COUNT] = {0};
            count_firing(c, &c->m->stage[s], count);
            add_counts(c, s, count, c->served[s]);
            c->e->macs += c->served[s] * (double)c->m->stage[s].macs;
        }
    }
}

static uint32_t template_of_part(const pp_lm_mapping *m, uint32_t part)
{
    for (uint32_t t = 0; t < m->n_templates; t++) {
        if (m->template_[t].part == part)
            return t;
    }
    return PP_NONE;
}

static void count_all_attention(counter *c)
{
    for (uint32_t p = 0; p < c->m->graph->n_parts; p++) {
        const uint32_t t = template_of_part(c->m, p);
        if (c->m->attention[p].units == 0 || t == PP_NONE)
            continue;
        double count[PP_ACTION_COUNT] = {0};
        const uint32_t stage = c->m->template_[t].first_stage + c->m->graph->part[p].attention;
        count_attention(c, stage, p, count);
        add_counts(c, stage, count, c->m->graph->part[p].instances);
    }
}

/* Loads are means a token, headers included; a token passes every channel's load once. */
static void count_channels(counter *c)
{
    const double tokens = (double)c->r->n_leaves;
    for (uint32_t k = 0; k < c->m->fabric->n_channels; k++) {
        const double bits = tokens * c->m->load[k];
        if (!(bits > 0))
            continue;
        const pp_channel *ch = pp_hier_channel(c->m->fabric, k);
        c->e->count[PP_ACTION_ROUTER] += ch->kind == PP_CHANNEL_NETWORK ? bits : 0;
        c->e->count[PP_ACTION_WIRE] += bits * (double)ch->length * c->arch->core_pitch_mm;
    }
}

static void price(counter *c)
{
    pp_lm_energy *e = c->e;
    const double time_s = (double)(c->r->end_ps - c->r->first_arrival_ps) * 1e-12;
    e->count[PP_ACTION_STATIC_CORE] = time_s * 1e9 * c->m->fabric->n_cores;
    e->count[PP_ACTION_STATIC_CHIP] = time_s * 1e9;
    for (int a = 0; a < PP_ACTION_COUNT; a++) {
        double one[PP_ACTION_COUNT] = {0};
        one[a] = e->count[a];
        e->class_fj[pp_action_class((pp_action)a)] += pp_cost_price_fj(e->cost, one);
        e->unpriced[a] = e->count[a] > 0 && e->cost->energy[a].source == NULL &&
                         (int)pp_action_boundary((pp_action)a) <= e->cost->boundary;
    }
    e->total_fj = pp_cost_price_fj(e->cost, e->count) + e->kv_fj;
    e->token_fj = e->total_fj / (double)c->r->n_leaves;
    e->power_w = e->total_fj * 1e-15 / time_s;
}

/* Either the MVM as a whole or its parts have a price; the other way is not missing. */
static void forget_other_way(pp_lm_energy *e)
{
    static const pp_action parts[] = {PP_ACTION_ARRAY, PP_ACTION_DAC, PP_ACTION_ADC, PP_ACTION_SHIFT_ADD};
    bool any = false;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        any |= e->cost->energy[parts[i]].source != NULL;
    for (size_t i = 0; i < sizeof parts / sizeof *parts && !any; i++)
        e->unpriced[parts[i]] = false;
    if (any)
        e->unpriced[PP_ACTION_MVM] = false;
}

/* Tiles of a stage that are actors of their own count as one: a stage fires when they do. */
static pp_status count_firings(counter *c)
{
    double *actors = pp_calloc(c->m->n_stages, sizeof *actors);
    if (actors == NULL)
        return PP_ENOMEM;
    for (uint32_t a = 0; a < c->x->net.n_actors; a++) {
        const uint32_t s = c->x->actor[a].stage;
        if (s == PP_NONE)
            continue;
        c->served[s] += (double)c->r->actor[a].served;
        actors[s]++;
    }
    for (uint32_t t = 0; t < c->m->n_templates; t++) {
        const pp_lm_template *d = &c->m->template_[t];
        for (uint32_t s = d->first_stage; s < d->first_stage + d->n_stages; s++)
            c->served[s] *= actors[s] > 0 ? d->instances / actors[s] : 0;
    }
    free(actors);
    return PP_OK;
}

static pp_status count_everything(counter *c)
{
    c->e->n_stages = c->m->n_stages;
    c->e->stage_fj = pp_calloc(c->m->n_stages, sizeof *c->e->stage_fj);
    c->context = pp_calloc((size_t)c->x->net.max_context + 1, sizeof *c->context);
    c->served = pp_calloc(c->m->n_stages, sizeof *c->served);
    if (c->e->stage_fj == NULL || c->context == NULL || c->served == NULL)
        return PP_ENOMEM;
    pp_token_contexts(c->context, &c->x->net, c->setup);
    PP_TRY(count_firings(c));
    count_stages(c);
    count_all_attention(c);
    count_channels(c);
    price(c);
    forget_other_way(c->e);
    return PP_OK;
}

pp_status pp_lm_energy_new(pp_lm_energy **out, const pp_cost *cost, const pp_arch *arch, uint32_t wbits,
                           const pp_lm_mapping *m, const pp_lm_actors *x, const pp_token_setup *setup,
                           const pp_token_result *r)
{
    *out = NULL;
    pp_lm_energy *e = pp_calloc(1, sizeof *e);
    if (e == NULL)
        return PP_ENOMEM;
    e->cost = cost;
    counter c = {.e = e, .arch = arch, .wbits = wbits, .m = m, .x = x, .setup = setup, .r = r};
    const pp_status status = count_everything(&c);
    free(c.context);
    free(c.served);
    if (status != PP_OK) {
        pp_lm_energy_free(e);
        return status;
    }
    *out = e;
    return PP_OK;
}

void pp_lm_energy_free(pp_lm_energy *e)
{
    if (e == NULL)
        return;
    free(e->stage_fj);
    free(e);
}

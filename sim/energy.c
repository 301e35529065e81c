/* Counting the actions of an inference, and pricing them. */
#include "sim/energy.h"

#include "quant/rotate_stage.h"
#include "quant/scale_stage.h"

#include <stdlib.h>

typedef struct counter {
    pp_energy *e;
    const pp_cost *cost;
    const pp_qnetwork *q;
    const pp_arch *arch;
    const pp_fabric *fabric;
    const pp_mapping *m;
    const pp_run_result *run;
} counter;

static double map_size(pp_shape s)
{
    return (double)s.h * s.w * s.c;
}

/* ---- the analog part and its digital end ---- */

/* Firings of a tile in one inference: the run's own count, or every copies-th position. */
static double firings(const counter *c, uint32_t tile)
{
    const pp_tile *t = &c->m->tile[tile];
    const pp_plan *plan = &c->m->plan[t->stage];
    if (c->run != NULL)
        return (double)c->run->core[tile].firings / c->run->images;
    return (double)((plan->positions + plan->copies - 1 - t->copy) / plan->copies);
}

/* Every core of the stage transforms the positions that come, on the channels of its rows (with one scale for all row tiles
 * on all channels). */
static void count_rotation(pp_energy_row *row, const pp_qrotate *rotate, const pp_tile *t, pp_shape in, bool token)
{
    const uint32_t lo = token ? 0 : t->in_lo, hi = token ? in.c : t->in_hi;
    const double positions = (double)in.h * in.w;
    row->count[PP_ACTION_ADD] += positions * (double)pp_qrotate_adds(rotate, lo, hi);
    row->count[PP_ACTION_REQUANTIZE] += positions * (hi - lo);
}

/* Codes made anew: comparisons, a product and a rounding a row, a product a column, every firing. */
static void count_rescaling(const counter *c, pp_energy_row *row, const pp_tile *t, uint32_t slices, double firings)
{
    const pp_qrescale_work w = pp_qrescale_count(c->q, t->stage, t->rows_used, t->in_hi - t->in_lo, t->cols_used / slices);
    row->count[PP_ACTION_ADD] += firings * (double)w.compared;
    row->count[PP_ACTION_REQUANTIZE] += firings * (double)w.rescaled;
    row->count[PP_ACTION_SCALE] += firings * (double)w.scaled;
}

static void count_mvms(const counter *c, uint32_t tile)
{
    const pp_tile *t = &c->m->tile[tile];
    const pp_stage *s = &c->q->stages->stage[t->stage];
    pp_energy_row *row = &c->e->stage[t->stage];
    if (s->matrix == PP_NONE)
        return;
    const double n = firings(c, tile);
    const uint32_t in_bits = pp_qstage_dac(c->q, t->stage).bits, wbits = c->q->stage[t->stage].wbits;
    const uint32_t slices = pp_arch_slices(c->arch, wbits);
    const pp_qrotate *rotate = c->q->stage[t->stage].rotate;
    const pp_arch arch = rotate != NULL ? pp_arch_rotated(c->arch) : *c->arch;
    if (pp_qrotates_here(c->q, t->stage))
        count_rotation(row, rotate, t, s->in, c->q->options.activation_scale == PP_QSCALE_TOKEN);
    pp_cost_count_mvm(row->count, c->cost, &arch, t->rows_used, t->cols_used, in_bits, wbits, n);
    row->count[PP_ACTION_SCALE] += n * (t->cols_used / slices);
    row->count[PP_ACTION_BUFFER_READ] += n * t->rows_used * pp_qstage_input(c->q, t->stage)->bits;
    count_rescaling(c, row, t, slices, n);
    row->cells += n * (double)c->arch->rows * (double)(c->arch->cols / slices);
}

/* Pixels that a windowed operator takes into all of its outputs; padding is not read. */
static double window_pixels(const pp_network *net, uint32_t op, uint32_t input, pp_shape out)
{
    double sum = 0;
    for (uint32_t y = 0; y < out.h; y++)
        for (uint32_t x = 0; x < out.w; x++) {
            pp_rect in;
            if (pp_op_reads(net, op, input, (pp_rect){y, x, y, x}, &in))
                sum += (double)(in.y1 - in.y0 + 1) * (in.x1 - in.x0 + 1);
        }
    return sum;
}

static bool pools(pp_op_kind kind)
{
    return kind == PP_OP_MAX_POOL || kind == PP_OP_AVG_POOL || kind == PP_OP_GLOBAL_POOL;
}

/* Rows of the left factor that fire together: the right one is read once for all. */
static double product_queries(const counter *c, uint32_t stage)
{
    const pp_stage *s = &c->q->stages->stage[stage];
    return (double)s->fire.h * s->fire.w / c->m->plan[stage].positions;
}

/* A stage without a matrix reads its inputs through its operator; additions, products and pooling are its work. */
static void count_data(const counter *c, uint32_t stage, pp_energy_row *row)
{
    const pp_stage *s = &c->q->stages->stage[stage];
    const pp_op *op = &c->q->net->ops[s->first_op];
    for (uint32_t k = 0; k < s->n_inputs; k++) {
        const uint32_t stream = s->inputs[k].stream;
        const pp_shape in = pp_stream_shape(c->q->net, c->q->stages, stream);
        const uint32_t channels = op->kind == PP_OP_SLICE ? op->out.c : op->part ? op->part[k][1] - op->part[k][0] : in.c;
        const double values = op->kind == PP_OP_GROUP_NORM ? 2 * map_size(in) /* for its moments, and for its results */
                                                           : window_pixels(c->q->net, s->first_op, k, op->out) * channels;
        if (op->kind == PP_OP_PRODUCT && k == 1) { /* the memory of attention units */
            row->kv_bits += values / product_queries(c, stage) * c->q->stream[stream].bits;
            continue;
        }
        row->count[PP_ACTION_BUFFER_READ] += values * c->q->stream[stream].bits;
        if (pools(op->kind))
            row->count[PP_ACTION_POOL] += values;
        if (op->kind == PP_OP_ADD)
            row->count[PP_ACTION_RESIDUAL] += k > 0 ? values : 0;
        if (op->kind == PP_OP_GROUP_NORM)
            row->count[PP_ACTION_SCALE] += values;
        if (op->kind == PP_OP_NORM || op->kind == PP_OP_SOFTMAX) /* two operations an element: shift, and factor */
            row->count[PP_ACTION_SCALE] += 2 * values;
        if (op->kind == PP_OP_RESPONSE_NORM) { /* a square, a power and a product an element; a sum that slides over the channels */
            row->count[PP_ACTION_SCALE] += 2 * values;
            row->count[PP_ACTION_ADD] += 2 * values;
            row->count[PP_ACTION_ACTIVATION] += values;
        }
        if (op->kind == PP_OP_MUL)
            row->count[PP_ACTION_SCALE] += k > 0 ? map_size(op->out) : 0;
    }
    if (op->kind == PP_OP_PRODUCT) { /* as in the attention of language models: a product and an addition each */
        row->digital_macs = (double)pp_op_macs(op);
        row->macs = row->digital_macs;
        row->count[PP_ACTION_SCALE] += row->digital_macs;
        row->count[PP_ACTION_ADD] += row->digital_macs;
    }
    row->count[PP_ACTION_ACTIVATION] += s->softmax != PP_NONE ? map_size(s->fire) : 0;
    row->count[PP_ACTION_ADD] += s->offset != PP_NONE ? map_size(s->fire) : 0;
}

static void count_digital(const counter *c, uint32_t stage)
{
    const pp_stage *s = &c->q->stages->stage[stage];
    pp_energy_row *row = &c->e->stage[stage];
    const double fired = map_size(s->fire);
    if (s->matrix != PP_NONE) {
        const pp_op *op = &c->q->net->ops[s->matrix];
        row->count[PP_ACTION_ADD] += op->bias.ndim > 0 || op->batch_norm ? fired : 0;
        row->macs = (double)pp_op_macs(op);
    } else {
        count_data(c, stage, row);
        row->count[PP_ACTION_SCALE] += s->scale != PP_NONE ? fired : 0;
    }
    for (uint32_t k = 0; k < s->n_inputs; k++)
        if (s->inputs[k].role == PP_ROLE_ADD) {
            row->count[PP_ACTION_RESIDUAL] += fired;
            row->count[PP_ACTION_BUFFER_READ] += fired * c->q->stream[s->inputs[k].stream].bits;
        }
    if (s->act != PP_ACT_NONE)
        row->count[PP_ACTION_ACTIVATION] += fired;
    if (s->pool != PP_NONE && s->pool != s->first_op)
        row->count[PP_ACTION_POOL] += window_pixels(c->q->net, s->pool, 0, c->q->net->ops[s->pool].out) * s->fire.c;
    if (c->q->stage[stage].rotate_out != NULL) { /* each word to the common unit, then the transform */
        row->count[PP_ACTION_SCALE] += map_size(s->out);
        row->count[PP_ACTION_ADD] += (double)s->out.h * s->out.w * (double)pp_qrotate_adds(c->q->stage[stage].rotate_out, 0, s->out.c);
    }
    if (c->q->net->ops[s->first_op].kind != PP_OP_TASK) /* units without values */
        row->count[PP_ACTION_REQUANTIZE] += map_size(s->out);
}

/* ---- what moves ---- */

static void count_flows(const counter *c)
{
    for (uint32_t f = 0; f < c->m->n_flows; f++) {
        const pp_flow *flow = &c->m->flow[f];
        pp_energy_row *row = &c->e->stage[c->m->tile[flow->dst].stage];
        row->count[PP_ACTION_BUFFER_WRITE] += (double)flow->bits;
        if (flow->kind == PP_FLOW_PSUM) {
            row->count[PP_ACTION_BUFFER_READ] += (double)flow->bits;
            row->count[PP_ACTION_ADD] += (double)flow->bits / c->q->psum_bits;
        }
    }
}

/* Channels of stream 0 that a tile takes; residuals end at heads. */
static double input_channels(const counter *c, const pp_tile *t, uint32_t k)
{
    switch (c->q->stages->stage[t->stage].inputs[k].role) {
    case PP_ROLE_MATRIX:
        if (c->q->options.activation_scale == PP_QSCALE_TOKEN)
            return c->q->net->ops[0].out.c; /* groups of the input do not occur */
        return t->in_hi - t->in_lo;
    case PP_ROLE_ADD:
        return t->head ? t->out_hi - t->out_lo : 0;
    default:
        return c->q->net->ops[0].out.c;
    }
}

/* The network's input is no flow: its pixels are written to every tile that reads them. */
static void count_input(const counter *c)
{
    const pp_shape in = c->q->net->ops[0].out;
    for (uint32_t i = 0; i < c->m->n_tiles; i++) {
        const pp_tile *t = &c->m->tile[i];
        const pp_stage *s = &c->q->stages->stage[t->stage];
        for (uint32_t k = 0; k < s->n_inputs; k++)
            if (s->inputs[k].stream == 0)
                c->e->stage[t->stage].count[PP_ACTION_BUFFER_WRITE] +=
                    (double)in.h * in.w * input_channels(c, t, k) * c->q->stream[0].bits;
    }
}

/* Every edge of a multicast tree, under the stage that sends. */
static void count_channels(const counter *c)
{
    for (uint32_t n = 0; n < c->m->n_nets; n++) {
        const pp_net *net = &c->m->net[n];
        pp_energy_row *row = &c->e->stage[c->m->tile[net->src].stage];
        for (uint32_t i = net->first_edge; i < net->first_edge + net->n_edges; i++) {
            const pp_channel *ch = &c->fabric->channel[c->m->edge[i].channel];
            const double bits = (double)c->m->edge[i].bits;
            row->count[PP_ACTION_ROUTER] += ch->kind == PP_CHANNEL_NETWORK ? bits : 0;
            row->count[PP_ACTION_WIRE] += bits * (double)ch->length * c->arch->core_pitch_mm;
        }
    }
}

static void count_chip(const counter *c)
{
    pp_energy_row *row = &c->e->stage[c->e->n_stages];
    const pp_stage *last = &c->q->stages->stage[c->q->stages->output];
    const double ns = (double)c->e->interval_ps * 1e-3;
    row->count[PP_ACTION_STATIC_CORE] = ns * c->fabric->n_cores;
    row->count[PP_ACTION_STATIC_CHIP] = ns;
    row->count[PP_ACTION_DRAM] = map_size(c->q->net->ops[0].out) * c->q->stream[0].bits +
                                 map_size(last->out) * c->q->psum_bits;
}

static void count_all(const counter *c)
{
    for (uint32_t t = 0; t < c->m->n_tiles; t++)
        count_mvms(c, t);
    for (uint32_t s = 0; s < c->e->n_stages; s++)
        count_digital(c, s);
    count_flows(c);
    count_input(c);
    count_channels(c);
    count_chip(c);
}

/* ---- pricing ---- */

static void price_row(pp_energy_row *row, const pp_cost *cost, const pp_arch *arch)
{
    const bool dram = arch->attention_memory == PP_KV_DRAM;
    row->energy_fj = pp_cost_price_fj(cost, row->count);
    if (row->kv_bits > 0 && cost->boundary >= (dram ? PP_BOUNDARY_CHIP_DRAM : PP_BOUNDARY_CHIP)) {
        const double fj = row->kv_bits * pp_arch_kv(arch).fj_bit;
        row->energy_fj += fj;
        row->class_fj[dram ? PP_CLASS_DRAM : PP_CLASS_BUFFER] += fj;
    }
    for (int a = 0; a < PP_ACTION_COUNT; a++)
        if ((int)pp_action_boundary((pp_action)a) <= cost->boundary)
            row->class_fj[pp_action_class((pp_action)a)] += row->count[a] * cost->energy[a].value;
}

static void add_row(pp_energy_row *total, const pp_energy_row *row)
{
    for (int a = 0; a < PP_ACTION_COUNT; a++)
        total->count[a] += row->count[a];
    for (int k = 0; k < PP_CLASS_COUNT; k++)
        total->class_fj[k] += row->class_fj[k];
    total->energy_fj += row->energy_fj;
    total->macs += row->macs;
    total->digital_macs += row->digital_macs;
    total->kv_bits += row->kv_bits;
    total->cells += row->cells;
}

/* An MVM is priced in one of two ways: the other's actions are not missing. */
static bool other_way(const pp_cost *cost, pp_action a)
{
    if (pp_action_class(a) != PP_CLASS_MVM)
        return false;
    bool lumped = cost->energy[PP_ACTION_MVM].source != NULL && cost->energy[PP_ACTION_MVM].value > 0;
    return lumped != (a == PP_ACTION_MVM);
}

static void price(pp_energy *e, const pp_arch *arch, uint32_t cores)
{
    const pp_cost *cost = e->cost;
    for (uint32_t s = 0; s <= e->n_stages; s++) {
        price_row(&e->stage[s], cost, arch);
        add_row(&e->total, &e->stage[s]);
    }
    for (int a = 0; a < PP_ACTION_COUNT; a++)
        e->unpriced[a] = e->total.count[a] > 0 && cost->energy[a].source == NULL && !other_way(cost, (pp_action)a) &&
                         (int)pp_action_boundary((pp_action)a) <= cost->boundary;
    const double s = (double)e->interval_ps * 1e-12, joule = e->total.energy_fj * 1e-15;
    e->power_w = s > 0 ? joule / s : 0;
    e->tops = s > 0 ? 2e-12 * e->total.macs / s : 0;
    e->tops_per_w = joule > 0 ? 2e-12 * e->total.macs / joule : 0;
    e->utilisation = e->total.cells > 0 ? (e->total.macs - e->total.digital_macs) / e->total.cells : 0;
    e->has_area = pp_cost_has_area(cost);
    e->area_mm2 = 1e-6 * pp_cost_area_um2(cost, arch, cores);
    e->tops_per_mm2 = e->has_area ? e->tops / e->area_mm2 : 0;
}

pp_status pp_energy_new(pp_energy **out, const pp_cost *cost, const pp_qnetwork *q, const pp_arch *arch,
                        const pp_fabric *fabric, const pp_mapping *m, const pp_run_result *run)
{
    pp_energy *e = *out = pp_calloc(1, sizeof *e);
    if (e == NULL)
        return PP_ENOMEM;
    e->cost = cost;
    e->n_stages = m->n_stages;
    e->interval_ps = run != NULL ? run->interval_ps : m->bounds.interval_ps;
    e->stage = pp_calloc((size_t)m->n_stages + 1, sizeof *e->stage);
    if (e->stage == NULL) {
        pp_energy_free(e);
        *out = NULL;
        return PP_ENOMEM;
    }
    const counter c = {e, cost, q, arch, fabric, m, run};
    count_all(&c);
    price(e, arch, fabric->n_cores);
    return PP_OK;
}

void pp_energy_free(pp_energy *e)
{
    if (e == NULL)
        return;
    free(e->stage);
    free(e);
}

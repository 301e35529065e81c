/* Feed-forward layers: gate, up, activation, [r4,] down; and mixtures of them. */
#include "workloads/lm_graph_internal.h"

#include <stdio.h>
#include <string.h>

/* A matrix of the layer, which has a width of its own where experts are shared. */
static pp_lm_op matrix(const pp_lm_maker *m, pp_lm_kind kind, uint32_t expert, uint32_t width)
{
    pp_lm_op op = pp_lm_of_expert(pp_lm_linear_op(m, kind), expert);
    const bool bias = op.ops > 0;
    if (kind == PP_LM_DOWN)
        op.in = width;
    else
        op.out = width;
    op.macs = (uint64_t)op.in * op.out;
    op.ops = bias ? op.out : 0;
    return op;
}

pp_lm_ffn pp_lm_ffn_begin(pp_lm_maker *m, uint32_t expert, uint32_t width, const char *prefix)
{
    pp_lm_ffn f = {.gate = PP_NONE, .width = width, .expert = expert, .prefix = prefix};
    if (m->config->gated)
        f.gate = pp_lm_add(m, matrix(m, PP_LM_GATE, expert, width), "%sgate_proj", prefix);
    f.up = pp_lm_add(m, matrix(m, PP_LM_UP, expert, width), "%sup_proj", prefix);
    return f;
}

static uint32_t rotate(pp_lm_maker *m, const pp_lm_ffn *x, uint32_t act)
{
    const uint32_t f = x->width, slice = (uint32_t)m->options->slice;
    if (m->online_block == 0)
        return act;
    pp_lm_op op = pp_lm_digital_op(PP_LM_OP_HADAMARD, f, f, pp_lm_hadamard_ops(f, m->online_block), act);
    op.block = m->online_block;
    op.expert = x->expert;
    const bool local = slice % m->online_block == 0;
    if (!local) {
        op.at = PP_NONE;
        op.units = 1;
        op.gathers = true;
    }
    const uint32_t r4 = pp_lm_add(m, op, "%sr4", x->prefix);
    pp_lm_link in = pp_lm_link_of(m, act, f);
    in.expert = x->expert;
    pp_lm_join(m, in, PP_LM_TO(r4));
    return r4;
}

static const char *act_name(pp_lm_act act)
{
    return act == PP_LM_ACT_SILU ? "silu" : act == PP_LM_ACT_RELU ? "relu" : "gelu";
}

/* At the outputs of up, with the product of a gated layer and the norm's scalar for each input. */
static uint32_t activation(pp_lm_maker *m, const pp_lm_ffn *f, uint32_t norm)
{
    const pp_lm_config *c = m->config;
    const uint32_t inputs = f->gate != PP_NONE ? 2 : 1;
    const uint64_t each = pp_lm_ops_act(c->act) + (inputs - 1) + (norm != PP_NONE ? PP_LM_OPS_SCALE * inputs : 0);
    pp_lm_op op = pp_lm_digital_op(PP_LM_OP_ACT, f->width * inputs, f->width, each * f->width, f->up);
    const uint32_t act = pp_lm_add(m, pp_lm_of_expert(op, f->expert), "%s%s%s", f->prefix, act_name(c->act), inputs > 1 ? "_mul" : "");
    for (uint32_t i = 0; i < 2; i++) {
        pp_lm_link l = pp_lm_link_of(m, i == 0 ? f->gate : f->up, f->width);
        l.expert = f->expert;
        if (l.from != PP_NONE)
            pp_lm_join(m, l, PP_LM_TO(act));
    }
    if (norm != PP_NONE) {
        pp_lm_link l = pp_lm_scalar_of(norm, 1);
        l.expert = f->expert;
        pp_lm_join(m, l, PP_LM_TO(act));
    }
    return act;
}

uint32_t pp_lm_ffn_end(pp_lm_maker *m, const pp_lm_ffn *f, uint32_t norm)
{
    char label[48];
    const uint32_t last = rotate(m, f, activation(m, f, norm));
    const uint32_t down = pp_lm_add(m, matrix(m, PP_LM_DOWN, f->expert, f->width), "%sdown_proj", f->prefix);
    pp_lm_link l = pp_lm_link_of(m, last, f->width);
    l.expert = f->expert;
    (void)snprintf(label, sizeof label, "%sdown_scale", f->prefix);
    pp_lm_feed(m, l, label, 1, PP_LM_TO(down));
    return down;
}

/* Feeds the layer, with a norm of its own if asked for: its operator, or `norm`. */
static uint32_t feed_layer(pp_lm_maker *m, const pp_lm_ffn *f, const pp_lm_link *input, uint32_t norm, bool own_norm)
{
    uint32_t to[3], n = 0;
    char label[48];
    if (f->gate != PP_NONE)
        to[n++] = f->gate;
    to[n++] = f->up;
    const uint32_t n_linear = n;
    if (own_norm)
        to[n++] = norm = pp_lm_add(m, pp_lm_rms_op(m, to[0], true), "%sffn_norm", f->prefix);
    (void)snprintf(label, sizeof label, "%sffn_scale", f->prefix);
    pp_lm_feed(m, *input, label, n_linear, n, to);
    return norm;
}

uint32_t pp_lm_feed_forward(pp_lm_maker *m, const pp_lm_link *input, uint32_t norm)
{
    const bool own = norm == PP_NONE && pp_lm_is_rms(m) && pp_lm_norms_before(m->config);
    const pp_lm_ffn f = pp_lm_ffn_begin(m, PP_NONE, m->config->ffn, "");
    return pp_lm_ffn_end(m, &f, feed_layer(m, &f, input, norm, own));
}

/* ---- mixtures ---- */

/* An expert, or the shared one, to the sum. */
static void expert(pp_lm_maker *m, pp_lm_link input, uint32_t norm, uint32_t sum, uint32_t number, uint32_t width)
{
    char prefix[24];
    (void)snprintf(prefix, sizeof prefix, number == PP_NONE ? "shared." : "expert%u.", number);
    input.expert = number;
    const pp_lm_ffn f = pp_lm_ffn_begin(m, number, width, prefix);
    pp_lm_link out = pp_lm_residual_of(m, pp_lm_ffn_end(m, &f, feed_layer(m, &f, &input, norm, false)));
    out.expert = number;
    pp_lm_join(m, out, PP_LM_TO(sum));
}

uint32_t pp_lm_mixture(pp_lm_maker *m, uint32_t add, uint32_t source)
{
    const pp_lm_config *c = m->config;
    const uint32_t e = c->experts, d = c->hidden;
    uint32_t norm = PP_NONE;
    if (pp_lm_is_rms(m)) {
        norm = pp_lm_add(m, pp_lm_rms_op(m, add, false), "ffn_norm");
        pp_lm_join(m, pp_lm_link_of(m, source, d), PP_LM_TO(norm));
    }
    /* Each slice has its part of every score; the scores meet in one core, and its choice goes back. The gate of a
     * shared expert is one score more. */
    const uint32_t scores = e + (c->shared_gate ? 1 : 0);
    pp_lm_op op = pp_lm_digital_op(PP_LM_OP_ROUTER, d, d, 2 * (uint64_t)d * scores, source);
    op.macs = (uint64_t)d * scores;
    op.gathers = op.spreads = true;
    op.gathered = scores;
    const uint32_t router = pp_lm_add(m, op, "router");
    pp_lm_join(m, pp_lm_link_of(m, source, d), PP_LM_TO(router));
    if (norm != PP_NONE)
        pp_lm_join(m, pp_lm_scalar_of(norm, 1), PP_LM_TO(router));
    const uint32_t summands = c->experts_per_token + 1 + (c->shared_ffn > 0 ? 1 : 0);
    op = pp_lm_digital_op(PP_LM_OP_ADD, d, d, 2 * (uint64_t)summands * d, PP_NONE);
    const uint32_t sum = pp_lm_add(m, op, "experts_add");
    for (uint32_t i = 0; i < e; i++)
        expert(m, pp_lm_link_of(m, router, d), norm, sum, i, c->ffn);
    if (c->shared_ffn > 0) /* does not wait for the router */
        expert(m, pp_lm_link_of(m, source, d), norm, sum, PP_NONE, c->shared_ffn);
    pp_lm_join(m, pp_lm_residual_of(m, add), PP_LM_TO(sum));
    pp_lm_join(m, pp_lm_scalar_of(router, c->experts_per_token), PP_LM_TO(sum));
    return sum;
}

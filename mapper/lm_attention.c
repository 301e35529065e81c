/* Attention units: work that grows with the context. */
#include "mapper/lm_internal.h"

#include <math.h>

static const char *const binding_names[] = {
    [PP_LM_BIND_MVM] = "mvm",         [PP_LM_BIND_ADC] = "adc",         [PP_LM_BIND_CHANNEL] = "channel",
    [PP_LM_BIND_PORT] = "port",       [PP_LM_BIND_DIGITAL] = "digital", [PP_LM_BIND_ATTENTION] = "attention",
    [PP_LM_BIND_KV] = "kv_bandwidth",
};

const char *pp_lm_binding_name(pp_lm_binding b)
{
    return binding_names[b];
}

static uint64_t divide_up(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

/* Tokens that a query with `context` tokens before and including it sees. */
static uint64_t seen_by(const pp_lm_attention *a, uint64_t context)
{
    return a->window > 0 && a->window < context ? a->window : context;
}

/* Of these, tokens that lie in the fullest unit. */
static uint64_t held_of(const pp_lm_attention *a, uint64_t seen)
{
    return a->split > 1 ? divide_up(seen, a->split) : seen;
}

/* Scores of a query, each as often as it goes through the lanes. */
static uint64_t scores_of(const pp_lm_attention *a, uint64_t seen)
{
    return seen * a->group * (a->score_passes > 0 ? a->score_passes : 1);
}

static uint64_t query_cycles(const pp_lm_attention *a, uint64_t seen)
{
    return 2 * divide_up(seen * a->group * a->head_dim, a->macs) + divide_up(scores_of(a, seen), a->softmax_lanes);
}

static uint64_t cycles_ps(const pp_lm_attention *a, uint64_t cycles)
{
    return (uint64_t)((double)cycles * (1e12 / a->clock_hz) + 0.5);
}

pp_lm_attention_time pp_lm_attention_work(const pp_lm_attention *a, uint64_t context, uint32_t queries)
{
    pp_lm_attention_time t = {0};
    uint64_t cycles = 0, most = 0;
    for (uint32_t i = 0; i < queries; i++) {
        const uint64_t own = a->causal ? (context > queries - 1 - i ? context - (queries - 1 - i) : 1) : context;
        const uint64_t seen = held_of(a, seen_by(a, own));
        cycles += query_cycles(a, seen);
        t.macs += 2 * seen * a->group * a->head_dim;
        t.scores += scores_of(a, seen);
    }
    /* Keys and values are read once for all queries: what the first query sees to what the last one does. */
    if (queries > 0) {
        most = seen_by(a, context) + (a->causal && a->window > 0 && context > a->window ? queries - 1 : 0);
        most = most < context ? most : context;
    }
    t.kv_bits = held_of(a, most) * a->kv_bits_token;
    t.compute_ps = cycles_ps(a, cycles);
    t.memory_ps = (uint64_t)ceil((double)t.kv_bits * 1000.0 / a->kv_gbps);
    t.total_ps = t.compute_ps > t.memory_ps ? t.compute_ps : t.memory_ps;
    return t;
}

uint64_t pp_lm_attention_step(const pp_lm_attention *a, uint64_t context)
{
    const uint64_t now = pp_lm_attention_work(a, context, 1).total_ps;
    if (a->window > 0 && context >= a->window)
        return UINT64_MAX;
    uint64_t lo = context, hi = context;
    for (uint64_t step = 1; pp_lm_attention_work(a, hi + step, 1).total_ps == now; step *= 2) {
        hi += step;
        if (a->window > 0 && hi >= a->window)
            return UINT64_MAX;
    }
    /* The end lies between hi and twice as far: halve the way. */
    for (uint64_t end = 2 * hi + 2 - lo; lo < end;) {
        const uint64_t mid = lo + (end - lo + 1) / 2;
        if (pp_lm_attention_work(a, mid, 1).total_ps == now)
            lo = mid;
        else
            end = mid - 1;
    }
    return a->window > 0 && lo >= a->window ? UINT64_MAX : lo;
}

pp_lm_attention pp_lm_attention_whole(const pp_lm_attention *a)
{
    pp_lm_attention whole = *a;
    whole.split = 1;
    whole.units = a->split > 1 ? a->units / a->split : a->units;
    return whole;
}

/* ---- context split over several units ---- */

/* PAPER: milakov2018 sec. 3.1: m = max(m1, m2), d = d1 e^(m1 - m) + d2 e^(m2 - m), and the values alike. */
#define OPS_MERGE 12      /* a query head: maximum, two differences, two exponentials of three, the sum of two products */
#define OPS_MERGE_VALUE 3 /* two products and a sum */

bool pp_lm_is_split(const pp_lm_op *op, const pp_lm_op_plan *plan)
{
    return op->kind == PP_LM_OP_ATTENTION && plan->row_tiles > 1;
}

static uint32_t group_of(const pp_lm_graph *g)
{
    return g->config.heads / g->config.kv_heads;
}

uint64_t pp_lm_merge_ops(const pp_lm_graph *g)
{
    return group_of(g) * (OPS_MERGE + OPS_MERGE_VALUE * (uint64_t)g->config.head_dim);
}

uint32_t pp_lm_merge_bits(const pp_lm_graph *g)
{
    return group_of(g) * (g->config.head_dim * g->residual_bits + 2 * 32); /* maximum and sum as scalars */
}

pp_lm_attention pp_lm_attention_of(const pp_lm_ctx *x, uint32_t part, uint32_t split)
{
    const pp_lm_graph *g = x->graph;
    const pp_arch *a = x->in->arch;
    const pp_kv_memory kv = pp_arch_kv(a);
    const pp_lm_config *c = &g->config;
    return (pp_lm_attention){.units = c->kv_heads * split,
                             .split = split,
                             .group = group_of(g),
                             .head_dim = c->head_dim,
                             .window = pp_lm_op_of(x, part, g->part[part].attention)->window,
                             .causal = c->causal,
                             .macs = (uint32_t)a->attention_macs,
                             .softmax_lanes = (uint32_t)a->attention_softmax_lanes,
                             .score_passes = 1u + (c->cap_scores ? 1u : 0u) + (c->position_kind == PP_LM_POSITIONS_ALIBI ? 1u : 0u),
                             .clock_hz = a->clock_hz,
                             .kv_gbps = kv.gbps,
                             .kv_bytes = kv.bytes,
                             .kv_bits_token = g->kv_bits_token / c->kv_heads,
                             .tier = kv.tier,
                             .kv_fj_bit = kv.fj_bit};
}

/* The parts of a language model: embedding, block, end. What each operator costs in digital operations stands
 * beside it; docs/llm-mapping.md lists them. */
#include "workloads/lm_graph_internal.h"

#include <stdio.h>
#include <string.h>

#define SCALAR_BITS 32 /* sums of squares, maxima, scores on channels */

/* Operations a value: products, additions, comparisons, one look-up in a table counted as one. */
#define OPS_SQUARE_SUM 2 /* x x, and the sum */
#define OPS_LAYER_NORM 6 /* sum, square, sum of squares; minus mean, times 1/sigma and gain, plus bias */
#define OPS_ROPE 3       /* two products and a sum */
#define OPS_QK_NORM 3
#define OPS_SCALE 1
#define OPS_TANH 3       /* piecewise linear: look-up, product, sum */

static uint32_t ops_act(pp_lm_act act)
{
    return act == PP_LM_ACT_RELU ? 1 : 3; /* piecewise linear: look-up, product, sum */
}

static uint64_t hadamard_ops(uint64_t values, uint32_t block)
{
    uint32_t adds = 0; /* a value: log2 for the power of two, odd factor - 1 for the rest */
    for (; block % 2 == 0 && block > 1; block /= 2)
        adds++;
    return values * (adds + (block > 1 ? block - 1 : 0));
}

static uint32_t heads_values(const pp_lm_config *c)
{
    return c->heads * c->head_dim;
}

static uint32_t kv_values(const pp_lm_config *c)
{
    return c->kv_heads * c->head_dim;
}

static pp_lm_link link_of(const pp_lm_maker *m, uint32_t from, uint32_t values)
{
    return (pp_lm_link){.from = from, .values = values, .bits = (uint32_t)m->options->abits, .expert = PP_NONE};
}

static pp_lm_link residual_of(const pp_lm_maker *m, uint32_t from)
{
    return (pp_lm_link){.from = from, .values = m->config->hidden, .bits = (uint32_t)m->options->residual_bits,
                        .expert = PP_NONE};
}

static pp_lm_link scalar_of(uint32_t from, uint32_t values)
{
    return (pp_lm_link){.from = from, .values = values, .bits = SCALAR_BITS, .expert = PP_NONE, .scalar = true};
}

static bool is_rms(const pp_lm_maker *m)
{
    return m->config->norm == PP_LM_NORM_RMS;
}

/* RMSNorm: slices add up their squares; one scalar leaves. */
static pp_lm_op rms_op(const pp_lm_maker *m, uint32_t at, bool at_inputs)
{
    const uint32_t d = m->config->hidden;
    pp_lm_op op = pp_lm_digital_op(PP_LM_OP_NORM, d, 1, (uint64_t)OPS_SQUARE_SUM * d, at);
    op.at_inputs = at_inputs;
    op.gathers = true;
    op.gathered = 1;
    return op;
}

/* LayerNorm: sum and sum of squares to one core and back; then the vector itself. */
static pp_lm_op layer_norm_op(const pp_lm_maker *m, uint32_t at)
{
    const uint32_t d = m->config->hidden;
    pp_lm_op op = pp_lm_digital_op(PP_LM_OP_NORM, d, d, (uint64_t)OPS_LAYER_NORM * d, at);
    op.gathers = op.spreads = true;
    op.gathered = 2;
    return op;
}

/* Hands a link to matrices (and what else reads it). With activation scales of a token the largest magnitude of the
 * inputs is looked for first, where they arrive at the first of them, and the matrices wait for it. */
static void feed(pp_lm_maker *m, pp_lm_link input, const char *name, uint32_t n_linear, uint32_t n, const uint32_t *to)
{
    uint32_t all[8];
    for (uint32_t i = 0; i < n; i++)
        all[i] = to[i];
    if (m->options->act_scale == PP_LM_SCALE_TOKEN) {
        pp_lm_op op = pp_lm_digital_op(PP_LM_OP_SCALE, input.values, 1, 2 * (uint64_t)input.values, to[0]);
        op.at_inputs = op.gathers = true;
        op.gathered = 1;
        op.expert = input.expert;
        const uint32_t scale = pp_lm_add(m, op, "%s", name);
        all[n++] = scale;
        pp_lm_link back = scalar_of(scale, 1);
        back.expert = input.expert;
        pp_lm_join(m, back, n_linear, to);
    }
    pp_lm_join(m, input, n, all);
}

/* ---- attention ---- */

typedef struct qkv {
    uint32_t q, k, v, norm; /* norm: the scalar's operator; PP_NONE */
} qkv;

/* q, k, v read `from` (the instance before, or a norm of its own). */
static qkv projections(pp_lm_maker *m, uint32_t from)
{
    qkv x = {.norm = PP_NONE};
    x.q = pp_lm_add(m, pp_lm_linear_op(m, PP_LM_Q), "q_proj");
    x.k = pp_lm_add(m, pp_lm_linear_op(m, PP_LM_K), "k_proj");
    x.v = pp_lm_add(m, pp_lm_linear_op(m, PP_LM_V), "v_proj");
    const pp_lm_link in = link_of(m, from, m->config->hidden);
    if (is_rms(m)) {
        x.norm = pp_lm_add(m, rms_op(m, x.q, true), "attn_norm");
        feed(m, in, "attn_scale", 3, PP_LM_TO(x.q, x.k, x.v, x.norm));
    } else {
        feed(m, in, "attn_scale", 3, PP_LM_TO(x.q, x.k, x.v));
    }
    return x;
}

static pp_lm_op unit_op(const pp_lm_maker *m, pp_lm_op_kind kind, uint32_t in, uint32_t out, uint64_t ops, uint32_t at)
{
    pp_lm_op op = pp_lm_digital_op(kind, in, out, ops, at);
    op.units = m->config->kv_heads;
    return op;
}

/* What the attention units do to queries and keys before they attend: the norm's scalar, norms of heads, RoPE. */
static uint32_t before_attention(pp_lm_maker *m, uint32_t attention)
{
    const pp_lm_config *c = m->config;
    const uint32_t values = heads_values(c) + kv_values(c), rotary = (c->heads + c->kv_heads) * c->rope.rotary_dim;
    const bool rope = c->position_kind == PP_LM_POSITIONS_ROPE;
    uint64_t ops = is_rms(m) ? (uint64_t)OPS_SCALE * (values + kv_values(c)) : 0;
    ops += (c->qk_norm ? (uint64_t)OPS_QK_NORM * values : 0) + (rope ? (uint64_t)OPS_ROPE * rotary : 0);
    uint32_t last = PP_NONE;
    if (ops > 0)
        last = pp_lm_add(m, unit_op(m, PP_LM_OP_ROPE, values, values, ops, attention), rope ? "rope" : "qk_scale");
    if (m->r3) {
        pp_lm_op op = unit_op(m, PP_LM_OP_HADAMARD, values, values, hadamard_ops(values, c->head_dim), attention);
        op.block = c->head_dim;
        const uint32_t r3 = pp_lm_add(m, op, "r3");
        if (last != PP_NONE)
            pp_lm_join(m, link_of(m, last, values), PP_LM_TO(r3));
        last = last == PP_NONE ? r3 : last;
        pp_lm_join(m, link_of(m, r3, values), PP_LM_TO(attention));
    } else if (last != PP_NONE) {
        pp_lm_join(m, link_of(m, last, values), PP_LM_TO(attention));
    }
    return last;
}

static uint32_t attention(pp_lm_maker *m, const qkv *x, uint32_t window)
{
    const pp_lm_config *c = m->config;
    pp_lm_op op = unit_op(m, PP_LM_OP_ATTENTION, heads_values(c) + 2 * kv_values(c), heads_values(c), 0, PP_NONE);
    op.window = window;
    const uint32_t a = pp_lm_add(m, op, "attention");
    const uint32_t first = before_attention(m, a);
    const uint32_t qk = first != PP_NONE ? first : a;
    pp_lm_join(m, link_of(m, x->q, heads_values(c)), PP_LM_TO(qk));
    pp_lm_join(m, link_of(m, x->k, kv_values(c)), PP_LM_TO(qk));
    pp_lm_join(m, link_of(m, x->v, kv_values(c)), PP_LM_TO(a));
    if (x->norm != PP_NONE) {
        if (first != PP_NONE)
            pp_lm_join(m, scalar_of(x->norm, 1), PP_LM_TO(first, a));
        else
            pp_lm_join(m, scalar_of(x->norm, 1), PP_LM_TO(a));
    }
    if (m->status == PP_OK)
        m->parts.data[m->parts.len - 1].attention = a;
    return a;
}

/* ---- feed-forward ---- */

/* One feed-forward layer: gate, up, activation, [r4,] down. `from`: its input; `norm`: operator of the scalar,
 * made here when PP_NONE and the norm is at gate's (or up's) inputs. */
typedef struct ffn {
    uint32_t first, act, down;
} ffn;

static void name_expert(char prefix[24], uint32_t expert)
{
    (void)snprintf(prefix, 24, expert == PP_NONE ? "" : "expert%u.", expert);
}

static uint32_t rotate_ffn(pp_lm_maker *m, uint32_t act, uint32_t expert, const char *prefix)
{
    const uint32_t f = m->config->ffn, slice = (uint32_t)m->options->slice;
    if (m->online_block == 0)
        return act;
    pp_lm_op op = pp_lm_digital_op(PP_LM_OP_HADAMARD, f, f, hadamard_ops(f, m->online_block), act);
    op.block = m->online_block;
    op.expert = expert;
    const bool local = slice % m->online_block == 0;
    if (!local) {
        op.at = PP_NONE;
        op.units = 1;
        op.gathers = true;
    }
    const uint32_t r4 = pp_lm_add(m, op, "%sr4", prefix);
    pp_lm_link in = link_of(m, act, f);
    in.expert = expert;
    pp_lm_join(m, in, PP_LM_TO(r4));
    return r4;
}

static pp_lm_op of_expert(pp_lm_op op, uint32_t expert)
{
    op.expert = expert;
    return op;
}

static ffn feed_forward(pp_lm_maker *m, const pp_lm_link *input, uint32_t norm, uint32_t expert)
{
    const pp_lm_config *c = m->config;
    char prefix[24];
    name_expert(prefix, expert);
    ffn x = {0};
    const uint32_t gate = c->gated ? pp_lm_add(m, of_expert(pp_lm_linear_op(m, PP_LM_GATE), expert), "%sgate_proj", prefix)
                                   : PP_NONE;
    const uint32_t up = pp_lm_add(m, of_expert(pp_lm_linear_op(m, PP_LM_UP), expert), "%sup_proj", prefix);
    x.first = c->gated ? gate : up;
    const bool own_norm = norm == PP_NONE && is_rms(m);
    if (own_norm)
        norm = pp_lm_add(m, rms_op(m, x.first, true), "%sffn_norm", prefix);
    uint32_t to[3], n = 0;
    to[n++] = x.first;
    if (c->gated)
        to[n++] = up;
    if (own_norm)
        to[n++] = norm;
    char label[48];
    (void)snprintf(label, sizeof label, "%sffn_scale", prefix);
    feed(m, *input, label, c->gated ? 2 : 1, n, to);
    const uint64_t each = ops_act(c->act) + (c->gated ? 1 : 0) + (is_rms(m) ? OPS_SCALE * (c->gated ? 2u : 1u) : 0);
    pp_lm_op act = pp_lm_digital_op(PP_LM_OP_ACT, c->ffn * (c->gated ? 2 : 1), c->ffn, each * c->ffn, up);
    x.act = pp_lm_add(m, of_expert(act, expert), "%s%s%s", prefix,
                      c->act == PP_LM_ACT_SILU ? "silu" : c->act == PP_LM_ACT_RELU ? "relu" : "gelu", c->gated ? "_mul" : "");
    for (uint32_t i = 0; i < 2; i++) {
        pp_lm_link l = link_of(m, i == 0 ? gate : up, c->ffn);
        l.expert = expert;
        if (l.from != PP_NONE)
            pp_lm_join(m, l, PP_LM_TO(x.act));
    }
    if (norm != PP_NONE) {
        pp_lm_link l = scalar_of(norm, 1);
        l.expert = expert;
        pp_lm_join(m, l, PP_LM_TO(x.act));
    }
    const uint32_t last = rotate_ffn(m, x.act, expert, prefix);
    x.down = pp_lm_add(m, of_expert(pp_lm_linear_op(m, PP_LM_DOWN), expert), "%sdown_proj", prefix);
    pp_lm_link l = link_of(m, last, c->ffn);
    l.expert = expert;
    (void)snprintf(label, sizeof label, "%sdown_scale", prefix);
    feed(m, l, label, 1, PP_LM_TO(x.down));
    return x;
}

/* Router, experts, and the sum of those that a token chose with the residual stream. */
static uint32_t mixture(pp_lm_maker *m, uint32_t add, uint32_t source)
{
    const pp_lm_config *c = m->config;
    const uint32_t e = c->experts, d = c->hidden;
    uint32_t norm = PP_NONE;
    if (is_rms(m)) {
        norm = pp_lm_add(m, rms_op(m, add, false), "ffn_norm");
        pp_lm_join(m, link_of(m, source, d), PP_LM_TO(norm));
    }
    /* Each slice has its part of every score; the scores meet in one core, and its choice goes back. */
    pp_lm_op op = pp_lm_digital_op(PP_LM_OP_ROUTER, d, d, 2 * (uint64_t)d * e, source);
    op.macs = (uint64_t)d * e;
    op.gathers = op.spreads = true;
    op.gathered = e;
    const uint32_t router = pp_lm_add(m, op, "router");
    pp_lm_join(m, link_of(m, source, d), PP_LM_TO(router));
    if (norm != PP_NONE)
        pp_lm_join(m, scalar_of(norm, 1), PP_LM_TO(router));
    op = pp_lm_digital_op(PP_LM_OP_ADD, d, d, 2 * (uint64_t)(c->experts_per_token + 1) * d, PP_NONE);
    const uint32_t sum = pp_lm_add(m, op, "experts_add");
    for (uint32_t i = 0; i < e; i++) {
        pp_lm_link in = link_of(m, router, d);
        in.expert = i;
        const ffn x = feed_forward(m, &in, norm, i);
        pp_lm_link out = residual_of(m, x.down);
        out.expert = i;
        pp_lm_join(m, out, PP_LM_TO(sum));
    }
    pp_lm_join(m, residual_of(m, add), PP_LM_TO(sum));
    pp_lm_join(m, scalar_of(router, c->experts_per_token), PP_LM_TO(sum));
    return sum;
}

/* ---- parts ---- */

static uint32_t residual_add(pp_lm_maker *m, uint32_t linear, uint32_t skip, const char *name)
{
    const uint32_t d = m->config->hidden;
    const uint32_t add = pp_lm_add(m, pp_lm_digital_op(PP_LM_OP_ADD, d, d, d, linear), "%s", name);
    pp_lm_join(m, residual_of(m, linear), PP_LM_TO(add));
    pp_lm_join(m, residual_of(m, skip), PP_LM_TO(add));
    return add;
}

/* A LayerNorm at the slices of `at` whose vector goes on. */
static uint32_t layer_norm(pp_lm_maker *m, uint32_t from, uint32_t at, const char *name)
{
    const uint32_t norm = pp_lm_add(m, layer_norm_op(m, at), "%s", name);
    pp_lm_join(m, residual_of(m, from), PP_LM_TO(norm));
    return norm;
}

/* Norms stand behind the additions (BERT) instead of in front of the matrices. */
static bool is_post_norm(const pp_lm_config *c)
{
    return strcmp(c->model_type, "bert") == 0;
}

void pp_lm_block_part(pp_lm_maker *m, uint32_t window)
{
    const pp_lm_config *c = m->config;
    const bool post = is_post_norm(c);
    pp_lm_part_begin(m, PP_LM_PART_BLOCK);
    uint32_t in = PP_LM_PREVIOUS;
    if (!is_rms(m) && !post)
        in = layer_norm(m, PP_LM_PREVIOUS, PP_NONE, "attn_norm");
    const qkv x = projections(m, in);
    const uint32_t a = attention(m, &x, window);
    const uint32_t o = pp_lm_add(m, pp_lm_linear_op(m, PP_LM_O), "o_proj");
    feed(m, link_of(m, a, heads_values(c)), "o_scale", 1, PP_LM_TO(o));
    const uint32_t add = residual_add(m, o, PP_LM_PREVIOUS, "attn_add");
    uint32_t stream = add, source = add;
    if (!is_rms(m))
        source = layer_norm(m, add, add, post ? "attn_norm" : "ffn_norm");
    if (post)
        stream = source;
    uint32_t result;
    if (c->experts > 0) {
        result = mixture(m, add, source);
    } else {
        const pp_lm_link input = link_of(m, source, c->hidden);
        const ffn f = feed_forward(m, &input, PP_NONE, PP_NONE);
        result = residual_add(m, f.down, stream, "ffn_add");
    }
    if (post)
        result = layer_norm(m, result, result, "ffn_norm");
    pp_lm_part_end(m, result);
}

void pp_lm_embed_part(pp_lm_maker *m)
{
    const pp_lm_config *c = m->config;
    const uint64_t positions = c->position_kind == PP_LM_POSITIONS_LEARNED ? c->hidden : 0;
    pp_lm_part_begin(m, PP_LM_PART_EMBED);
    uint32_t result;
    if (c->patch_values > 0) {
        pp_lm_op op = {.kind = PP_LM_OP_LINEAR, .weight = PP_LM_KIND_COUNT, .expert = PP_NONE, .in = c->patch_values,
                       .out = c->hidden, .at = PP_NONE, .macs = (uint64_t)c->patch_values * c->hidden, .ops = c->hidden};
        const uint32_t patch = pp_lm_add(m, op, "patch_embed");
        result = pp_lm_add(m, pp_lm_digital_op(PP_LM_OP_ADD, c->hidden, c->hidden, positions, patch), "positions");
        pp_lm_join(m, residual_of(m, patch), PP_LM_TO(result));
    } else {
        result = pp_lm_add(m, pp_lm_digital_op(PP_LM_OP_EMBED, 1, c->hidden, positions, PP_NONE), "embed_tokens");
        if (c->causal)
            pp_lm_join(m, scalar_of(PP_LM_PREVIOUS, 1), PP_LM_TO(result));
    }
    if (is_post_norm(c))
        result = layer_norm(m, result, result, "embed_norm");
    pp_lm_part_end(m, result);
}

/* ---- the end ---- */

bool pp_lm_has_first_token_head(const pp_lm_config *c)
{
    return !c->causal && (c->pooler || (c->classes > 0 && !c->classify_each));
}

static pp_lm_op matrix_op(uint32_t in, uint32_t out)
{
    return (pp_lm_op){.kind = PP_LM_OP_LINEAR, .weight = PP_LM_KIND_COUNT, .expert = PP_NONE, .in = in, .out = out, .at = PP_NONE,
                      .macs = (uint64_t)in * out, .ops = out};
}

/* Largest logit of a matrix: slices find theirs, one core the largest of all. */
static uint32_t largest_logit(pp_lm_maker *m, uint32_t linear, uint32_t width, uint32_t choice)
{
    pp_lm_op op = pp_lm_digital_op(PP_LM_OP_SAMPLE, width, 1, width, linear);
    op.gathers = true;
    op.gathered = 2; /* the largest logit and its number */
    return pp_lm_add(m, of_expert(op, choice), "argmax");
}

static pp_lm_link logits_of(const pp_lm_maker *m, uint32_t linear, uint32_t width, uint32_t choice)
{
    pp_lm_link logits = residual_of(m, linear);
    logits.values = width;
    logits.expert = choice;
    return logits;
}

/* Head or classifier of every token. */
static uint32_t every_token(pp_lm_maker *m, uint32_t in)
{
    const pp_lm_config *c = m->config;
    const bool head = c->causal && c->vocab > 0;
    const uint32_t linear = head ? pp_lm_add(m, pp_lm_linear_op(m, PP_LM_HEAD), "lm_head")
                                 : pp_lm_add(m, matrix_op(c->hidden, c->classes), "classifier");
    const uint32_t width = head ? c->vocab : c->classes, sample = largest_logit(m, linear, width, PP_NONE);
    const pp_lm_link input = link_of(m, in, c->hidden);
    if (is_rms(m)) {
        const uint32_t norm = pp_lm_add(m, rms_op(m, linear, true), "final_norm");
        feed(m, input, "head_scale", 1, PP_LM_TO(linear, norm));
        pp_lm_join(m, scalar_of(norm, 1), PP_LM_TO(sample));
    } else {
        feed(m, input, "head_scale", 1, PP_LM_TO(linear));
    }
    pp_lm_join(m, logits_of(m, linear, width, PP_NONE), PP_LM_TO(sample));
    return sample;
}

/* A matrix that the first token of a sequence takes alone. */
static uint32_t first_token_matrix(pp_lm_maker *m, uint32_t in, uint32_t out, const char *name)
{
    char scale[48];
    (void)snprintf(scale, sizeof scale, "%s_scale", name);
    const uint32_t linear = pp_lm_add(m, of_expert(matrix_op(m->config->hidden, out), 0), "%s", name);
    pp_lm_link input = link_of(m, in, m->config->hidden);
    input.expert = 0;
    feed(m, input, scale, 1, PP_LM_TO(linear));
    return linear;
}

/* Pooler and classifier read the first token; the others are done, which a bit says. Where nobody classifies, the
 * vectors themselves leave, too. */
static uint32_t first_token(pp_lm_maker *m, uint32_t in)
{
    const pp_lm_config *c = m->config;
    const uint32_t d = c->hidden;
    uint32_t last = in, linear = PP_NONE;
    if (c->pooler) {
        linear = first_token_matrix(m, in, d, "pooler");
        last = pp_lm_add(m, of_expert(pp_lm_digital_op(PP_LM_OP_ACT, d, d, (uint64_t)OPS_TANH * d, linear), 0), "pooler_tanh");
        pp_lm_link sums = link_of(m, linear, d);
        sums.expert = 0;
        pp_lm_join(m, sums, PP_LM_TO(last));
    }
    if (c->classes > 0) {
        linear = first_token_matrix(m, last, c->classes, "classifier");
        last = largest_logit(m, linear, c->classes, 0);
        pp_lm_join(m, logits_of(m, linear, c->classes, 0), PP_LM_TO(last));
    }
    const uint32_t values = c->classes > 0 ? 1 : d;
    pp_lm_op op = pp_lm_digital_op(PP_LM_OP_SAMPLE, values, values, 0, PP_NONE);
    op.units = c->classes > 0 ? 1 : 0;
    const uint32_t output = pp_lm_add(m, op, "output");
    pp_lm_link result = c->classes > 0 ? scalar_of(last, 1) : link_of(m, last, d), rest = scalar_of(in, 1);
    result.expert = 0;
    rest.expert = 1;
    rest.bits = 1;
    pp_lm_join(m, result, PP_LM_TO(output));
    pp_lm_join(m, rest, PP_LM_TO(output));
    if (c->classes == 0)
        pp_lm_join(m, link_of(m, in, d), PP_LM_TO(output));
    return output;
}

/* Final norm, head, largest logit; a pooler or classifier; or, where there is none, the vector as it comes. */
void pp_lm_end_part(pp_lm_maker *m)
{
    const pp_lm_config *c = m->config;
    uint32_t in = PP_LM_PREVIOUS, result;
    pp_lm_part_begin(m, PP_LM_PART_END);
    if (!is_rms(m) && !is_post_norm(c))
        in = layer_norm(m, PP_LM_PREVIOUS, PP_NONE, "final_norm");
    if (pp_lm_has_first_token_head(c)) {
        result = first_token(m, in);
    } else if ((c->causal && c->vocab > 0) || c->classes > 0) {
        result = every_token(m, in);
    } else {
        result = pp_lm_add(m, pp_lm_digital_op(PP_LM_OP_SAMPLE, c->hidden, c->hidden, c->hidden, PP_NONE), "output");
        pp_lm_join(m, link_of(m, in, c->hidden), PP_LM_TO(result));
    }
    pp_lm_part_end(m, result);
}

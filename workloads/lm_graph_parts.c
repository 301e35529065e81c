/* The parts of a language model: embedding and block. What each operator costs in digital operations stands
 * beside it; docs/llm-mapping.md lists them. */
#include "workloads/lm_graph_internal.h"

#include <stdio.h>
#include <string.h>

/* Operations a value: products, additions, comparisons, one look-up in a table counted as one. */
#define OPS_SQUARE_SUM 2 /* x x, and the sum */
#define OPS_LAYER_NORM 6 /* sum, square, sum of squares; minus mean, times 1/sigma and gain, plus bias */
#define OPS_ROPE 3       /* two products and a sum */
#define OPS_QK_NORM 3
#define OPS_RMS_NORM 4   /* of a vector that goes on: x x, and the sum; times 1/rms and gain */

uint32_t pp_lm_ops_act(pp_lm_act act)
{
    return act == PP_LM_ACT_RELU ? 1 : 3; /* piecewise linear: look-up, product, sum */
}

uint64_t pp_lm_hadamard_ops(uint64_t values, uint32_t block)
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

pp_lm_link pp_lm_link_of(const pp_lm_maker *m, uint32_t from, uint32_t values)
{
    return (pp_lm_link){.from = from, .values = values, .bits = (uint32_t)m->options->abits, .expert = PP_NONE};
}

pp_lm_link pp_lm_residual_of(const pp_lm_maker *m, uint32_t from)
{
    return (pp_lm_link){.from = from, .values = m->config->hidden, .bits = (uint32_t)m->options->residual_bits,
                        .expert = PP_NONE};
}

pp_lm_link pp_lm_scalar_of(uint32_t from, uint32_t values)
{
    return (pp_lm_link){.from = from, .values = values, .bits = PP_LM_SCALAR_BITS, .expert = PP_NONE, .scalar = true};
}

bool pp_lm_is_rms(const pp_lm_maker *m)
{
    return m->config->norm == PP_LM_NORM_RMS;
}

bool pp_lm_norms_before(const pp_lm_config *c)
{
    return c->norm_place == PP_LM_NORMS_BEFORE || c->norm_place == PP_LM_NORMS_SANDWICH;
}

pp_lm_op pp_lm_of_expert(pp_lm_op op, uint32_t expert)
{
    op.expert = expert;
    return op;
}

/* RMSNorm: slices add up their squares; one scalar leaves. */
pp_lm_op pp_lm_rms_op(const pp_lm_maker *m, uint32_t at, bool at_inputs)
{
    const uint32_t d = m->config->hidden;
    pp_lm_op op = pp_lm_digital_op(PP_LM_OP_NORM, d, 1, (uint64_t)OPS_SQUARE_SUM * d, at);
    op.at_inputs = at_inputs;
    op.gathers = true;
    op.gathered = 1;
    return op;
}

/* LayerNorm: sum and sum of squares to one core and back, RMSNorm the squares; then the vector itself. */
static pp_lm_op vector_norm_op(const pp_lm_maker *m, uint32_t width, uint32_t at)
{
    const uint32_t terms = m->config->norm_terms == PP_LM_NORM_GAIN_BIAS ? 0 : 1; /* a bias less; the gain is one product with 1/sigma */
    const uint32_t ops = pp_lm_is_rms(m) ? OPS_RMS_NORM : OPS_LAYER_NORM - terms;
    pp_lm_op op = pp_lm_digital_op(PP_LM_OP_NORM, width, width, (uint64_t)ops * width, at);
    op.gathers = op.spreads = true;
    op.gathered = pp_lm_is_rms(m) ? 1 : 2;
    return op;
}

uint32_t pp_lm_vector_norm(pp_lm_maker *m, uint32_t from, uint32_t at, uint32_t width, const char *name)
{
    const uint32_t norm = pp_lm_add(m, vector_norm_op(m, width, at), "%s", name);
    pp_lm_link in = pp_lm_residual_of(m, from);
    in.values = width;
    pp_lm_join(m, in, PP_LM_TO(norm));
    return norm;
}

/* Hands a link to matrices (and what else reads it). With activation scales of a token the largest magnitude of the
 * inputs is looked for first, where they arrive at the first of them, and the matrices wait for it. */
void pp_lm_feed(pp_lm_maker *m, pp_lm_link input, const char *name, uint32_t n_linear, uint32_t n, const uint32_t *to)
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
        pp_lm_link back = pp_lm_scalar_of(scale, 1);
        back.expert = input.expert;
        pp_lm_join(m, back, n_linear, to);
    }
    pp_lm_join(m, input, n, all);
}

/* ---- attention ---- */

typedef struct qkv {
    uint32_t q, k, v, norm; /* norm: the scalar's operator; PP_NONE */
} qkv;

/* q, k, v read `from` (the instance before, or a norm of its own), and with them a feed-forward layer that stands
 * beside attention. */
static qkv projections(pp_lm_maker *m, uint32_t from, const pp_lm_ffn *beside)
{
    qkv x = {.norm = PP_NONE};
    uint32_t to[8], n = 3;
    x.q = to[0] = pp_lm_add(m, pp_lm_linear_op(m, PP_LM_Q), "q_proj");
    x.k = to[1] = pp_lm_add(m, pp_lm_linear_op(m, PP_LM_K), "k_proj");
    x.v = to[2] = pp_lm_add(m, pp_lm_linear_op(m, PP_LM_V), "v_proj");
    if (beside != NULL && beside->gate != PP_NONE)
        to[n++] = beside->gate;
    if (beside != NULL)
        to[n++] = beside->up;
    const uint32_t n_linear = n;
    if (pp_lm_is_rms(m) && pp_lm_norms_before(m->config))
        x.norm = to[n++] = pp_lm_add(m, pp_lm_rms_op(m, x.q, true), "attn_norm");
    pp_lm_feed(m, pp_lm_link_of(m, from, m->config->hidden), "attn_scale", n_linear, n, to);
    return x;
}

static pp_lm_op unit_op(const pp_lm_maker *m, pp_lm_op_kind kind, uint32_t in, uint32_t out, uint64_t ops, uint32_t at)
{
    pp_lm_op op = pp_lm_digital_op(kind, in, out, ops, at);
    op.units = m->config->kv_heads;
    return op;
}

/* What the attention units do to queries and keys before they attend, one after the other. */
typedef struct preparation {
    uint32_t n, op[4];
} preparation;

/* A norm over all heads needs the sums of all units. */
static void add_whole_norm(pp_lm_maker *m, preparation *p, uint32_t values, uint32_t attention)
{
    pp_lm_op op = unit_op(m, PP_LM_OP_NORM, values, values, (uint64_t)OPS_QK_NORM * values, attention);
    op.gathers = op.spreads = true;
    op.gathered = 2; /* of the queries, of the keys */
    p->op[p->n++] = pp_lm_add(m, op, "qk_norm");
}

/* The norm's scalar, norms of heads, RoPE, R3: the first of them; PP_NONE where there are none. */
static uint32_t before_attention(pp_lm_maker *m, uint32_t attention, bool scalar)
{
    const pp_lm_config *c = m->config;
    const uint32_t values = heads_values(c) + kv_values(c), rotary = (c->heads + c->kv_heads) * c->rope.rotary_dim;
    const bool rope = c->position_kind == PP_LM_POSITIONS_ROPE;
    preparation p = {0};
    uint64_t ops = scalar ? (uint64_t)PP_LM_OPS_SCALE * (values + kv_values(c)) : 0;
    ops += (c->qk_norm && !c->qk_norm_whole ? (uint64_t)OPS_QK_NORM * values : 0) + (rope ? (uint64_t)OPS_ROPE * rotary : 0);
    if (c->qk_norm_whole)
        add_whole_norm(m, &p, values, attention);
    if (ops > 0)
        p.op[p.n++] = pp_lm_add(m, unit_op(m, PP_LM_OP_ROPE, values, values, ops, attention), rope ? "rope" : "qk_scale");
    if (m->r3) {
        pp_lm_op op = unit_op(m, PP_LM_OP_HADAMARD, values, values, pp_lm_hadamard_ops(values, c->head_dim), attention);
        op.block = c->head_dim;
        p.op[p.n++] = pp_lm_add(m, op, "r3");
    }
    for (uint32_t i = 0; i < p.n; i++)
        pp_lm_join(m, pp_lm_link_of(m, p.op[i], values), PP_LM_TO(i + 1 < p.n ? p.op[i + 1] : attention));
    return p.n > 0 ? p.op[0] : PP_NONE;
}

static uint32_t attention(pp_lm_maker *m, const qkv *x, uint32_t window)
{
    const pp_lm_config *c = m->config;
    pp_lm_op op = unit_op(m, PP_LM_OP_ATTENTION, heads_values(c) + 2 * kv_values(c), heads_values(c), 0, PP_NONE);
    op.window = window;
    const uint32_t a = pp_lm_add(m, op, "attention");
    const uint32_t first = before_attention(m, a, x->norm != PP_NONE);
    const uint32_t qk = first != PP_NONE ? first : a;
    pp_lm_join(m, pp_lm_link_of(m, x->q, heads_values(c)), PP_LM_TO(qk));
    pp_lm_join(m, pp_lm_link_of(m, x->k, kv_values(c)), PP_LM_TO(qk));
    pp_lm_join(m, pp_lm_link_of(m, x->v, kv_values(c)), PP_LM_TO(a));
    if (x->norm != PP_NONE) {
        if (first != PP_NONE)
            pp_lm_join(m, pp_lm_scalar_of(x->norm, 1), PP_LM_TO(first, a));
        else
            pp_lm_join(m, pp_lm_scalar_of(x->norm, 1), PP_LM_TO(a));
    }
    if (m->status == PP_OK)
        m->parts.data[m->parts.len - 1].attention = a;
    return a;
}

/* ---- parts ---- */

uint32_t pp_lm_residual_add(pp_lm_maker *m, uint32_t at, uint32_t from, uint32_t skip, const char *name)
{
    const uint32_t d = m->config->hidden;
    const uint32_t add = pp_lm_add(m, pp_lm_digital_op(PP_LM_OP_ADD, d, d, d, at), "%s", name);
    pp_lm_join(m, pp_lm_residual_of(m, from), PP_LM_TO(add));
    pp_lm_join(m, pp_lm_residual_of(m, skip), PP_LM_TO(add));
    return add;
}

/* What a matrix adds to the stream, normed before where such norms stand (OLMo 2, Gemma 2). */
static uint32_t branch(pp_lm_maker *m, uint32_t matrix, uint32_t skip, const char *norm, const char *add)
{
    const pp_lm_norm_place place = m->config->norm_place;
    const bool normed = place == PP_LM_NORMS_BRANCH || place == PP_LM_NORMS_SANDWICH;
    const uint32_t from = normed ? pp_lm_vector_norm(m, matrix, matrix, m->config->hidden, norm) : matrix;
    return pp_lm_residual_add(m, matrix, from, skip, add);
}

/* The second norm of a block whose halves stand side by side: mean and deviation are those of the first, in its cores;
 * gain and bias are its own. */
static uint32_t second_norm(pp_lm_maker *m, uint32_t first)
{
    const uint32_t d = m->config->hidden;
    const uint32_t norm = pp_lm_add(m, pp_lm_digital_op(PP_LM_OP_NORM, d, d, 2 * (uint64_t)d, first), "ffn_norm");
    pp_lm_join(m, pp_lm_residual_of(m, first), PP_LM_TO(norm));
    return norm;
}

/* A vector that is normed in front of a matrix, where this is no scalar. */
static bool vector_before(const pp_lm_maker *m)
{
    return !pp_lm_is_rms(m) && pp_lm_norms_before(m->config);
}

static void parallel_block(pp_lm_maker *m, uint32_t window)
{
    const pp_lm_config *c = m->config;
    const bool two = c->parallel == PP_LM_PARALLEL_TWO_NORMS;
    const uint32_t in = vector_before(m) ? pp_lm_vector_norm(m, PP_LM_PREVIOUS, PP_NONE, c->hidden, "attn_norm") : PP_LM_PREVIOUS;
    const uint32_t source = two && in != PP_LM_PREVIOUS ? second_norm(m, in) : in;
    const pp_lm_ffn f = pp_lm_ffn_begin(m, PP_NONE, c->ffn, "");
    const qkv x = projections(m, in, source == in ? &f : NULL);
    if (source != in) {
        const uint32_t first = f.gate != PP_NONE ? f.gate : f.up, to[] = {first, f.up};
        const uint32_t n = f.gate != PP_NONE ? 2 : 1;
        pp_lm_feed(m, pp_lm_link_of(m, source, c->hidden), "ffn_scale", n, n, to);
    }
    const uint32_t a = attention(m, &x, window);
    const uint32_t o = pp_lm_add(m, pp_lm_linear_op(m, PP_LM_O), "o_proj");
    pp_lm_feed(m, pp_lm_link_of(m, a, heads_values(c)), "o_scale", 1, PP_LM_TO(o));
    const uint32_t add = branch(m, o, PP_LM_PREVIOUS, "attn_post_norm", "attn_add");
    const uint32_t down = pp_lm_ffn_end(m, &f, x.norm);
    pp_lm_part_end(m, branch(m, down, add, "ffn_post_norm", "ffn_add"));
}

static void serial_block(pp_lm_maker *m, uint32_t window)
{
    const pp_lm_config *c = m->config;
    const bool after = c->norm_place == PP_LM_NORMS_AFTER;
    const uint32_t in = vector_before(m) ? pp_lm_vector_norm(m, PP_LM_PREVIOUS, PP_NONE, c->hidden, "attn_norm") : PP_LM_PREVIOUS;
    const qkv x = projections(m, in, NULL);
    const uint32_t a = attention(m, &x, window);
    const uint32_t o = pp_lm_add(m, pp_lm_linear_op(m, PP_LM_O), "o_proj");
    pp_lm_feed(m, pp_lm_link_of(m, a, heads_values(c)), "o_scale", 1, PP_LM_TO(o));
    const uint32_t add = branch(m, o, PP_LM_PREVIOUS, "attn_post_norm", "attn_add");
    uint32_t source = add, result;
    if (vector_before(m) || after)
        source = pp_lm_vector_norm(m, add, add, c->hidden, after ? "attn_norm" : "ffn_norm");
    if (c->experts > 0) {
        result = pp_lm_mixture(m, add, source);
    } else {
        const pp_lm_link input = pp_lm_link_of(m, source, c->hidden);
        result = branch(m, pp_lm_feed_forward(m, &input, PP_NONE), after ? source : add, "ffn_post_norm", "ffn_add");
    }
    if (after)
        result = pp_lm_vector_norm(m, result, result, c->hidden, "ffn_norm");
    pp_lm_part_end(m, result);
}

void pp_lm_block_part(pp_lm_maker *m, uint32_t window)
{
    pp_lm_part_begin(m, PP_LM_PART_BLOCK);
    if (m->config->parallel != PP_LM_SERIAL && m->config->experts == 0)
        parallel_block(m, window);
    else
        serial_block(m, window);
}

static uint32_t embed_patches(pp_lm_maker *m, uint64_t positions)
{
    const pp_lm_config *c = m->config;
    pp_lm_op op = {.kind = PP_LM_OP_LINEAR, .weight = PP_LM_KIND_COUNT, .expert = PP_NONE, .in = c->patch_values, .out = c->hidden,
                   .at = PP_NONE, .macs = (uint64_t)c->patch_values * c->hidden, .ops = c->hidden};
    const uint32_t patch = pp_lm_add(m, op, "patch_embed");
    const uint32_t result = pp_lm_add(m, pp_lm_digital_op(PP_LM_OP_ADD, c->hidden, c->hidden, positions, patch), "positions");
    pp_lm_join(m, pp_lm_residual_of(m, patch), PP_LM_TO(result));
    return result;
}

/* A narrow embedding goes through a matrix (ALBERT). */
static uint32_t widen(pp_lm_maker *m, uint32_t from, uint32_t width)
{
    const uint32_t d = m->config->hidden;
    const pp_lm_op op = {.kind = PP_LM_OP_LINEAR, .weight = PP_LM_KIND_COUNT, .expert = PP_NONE, .in = width, .out = d, .at = PP_NONE,
                         .macs = (uint64_t)width * d, .ops = d};
    const uint32_t matrix = pp_lm_add(m, op, "embed_proj");
    pp_lm_feed(m, pp_lm_link_of(m, from, width), "embed_scale", 1, PP_LM_TO(matrix));
    return matrix;
}

void pp_lm_embed_part(pp_lm_maker *m)
{
    const pp_lm_config *c = m->config;
    const uint32_t width = c->embed_width > 0 ? c->embed_width : c->hidden;
    const uint64_t positions = c->position_kind == PP_LM_POSITIONS_LEARNED ? width : 0;
    uint32_t result;
    pp_lm_part_begin(m, PP_LM_PART_EMBED);
    if (c->patch_values > 0) {
        result = embed_patches(m, positions);
    } else {
        result = pp_lm_add(m, pp_lm_digital_op(PP_LM_OP_EMBED, 1, width, positions, PP_NONE), "embed_tokens");
        if (c->causal)
            pp_lm_join(m, pp_lm_scalar_of(PP_LM_PREVIOUS, 1), PP_LM_TO(result));
    }
    if (c->norm_place == PP_LM_NORMS_AFTER || c->embed_norm)
        result = pp_lm_vector_norm(m, result, result, width, "embed_norm");
    if (c->embed_width > 0)
        result = widen(m, result, width);
    pp_lm_part_end(m, result);
}

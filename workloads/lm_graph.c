/* Operator graphs of language models: making them from a configuration, checks, text. */
#include "workloads/lm_graph_internal.h"
#include "workloads/lm_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[PP_LM_OP_KIND_COUNT] = {
    [PP_LM_OP_EMBED] = "embed",         [PP_LM_OP_LINEAR] = "linear",       [PP_LM_OP_NORM] = "norm",
    [PP_LM_OP_SCALE] = "scale",         [PP_LM_OP_ROPE] = "rope",           [PP_LM_OP_HADAMARD] = "hadamard",
    [PP_LM_OP_ATTENTION] = "attention", [PP_LM_OP_ACT] = "activation",      [PP_LM_OP_ROUTER] = "router",
    [PP_LM_OP_ADD] = "add",             [PP_LM_OP_SAMPLE] = "sample",
};

const char *pp_lm_op_kind_name(pp_lm_op_kind kind)
{
    return kind_names[kind];
}

/* ---- steps of a maker ---- */

void pp_lm_part_begin(pp_lm_maker *m, pp_lm_part_kind kind)
{
    const pp_lm_part part = {.kind = (uint8_t)kind, .first_op = (uint32_t)m->ops.len, .attention = PP_NONE,
                             .first_link = (uint32_t)m->links.len};
    if (m->status == PP_OK && !pp_push(&m->parts, part))
        m->status = PP_ENOMEM;
}

void pp_lm_part_end(pp_lm_maker *m, uint32_t result)
{
    if (m->status != PP_OK)
        return;
    pp_lm_part *part = &m->parts.data[m->parts.len - 1];
    part->n_ops = (uint32_t)m->ops.len - part->first_op;
    part->n_links = (uint32_t)m->links.len - part->first_link;
    part->result = result;
}

uint32_t pp_lm_add(pp_lm_maker *m, pp_lm_op op, const char *format, ...)
{
    if (m->status != PP_OK)
        return 0;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(op.name, sizeof op.name, format, args);
    va_end(args);
    if (!pp_push(&m->ops, op))
        m->status = PP_ENOMEM;
    return (uint32_t)m->ops.len - 1 - m->parts.data[m->parts.len - 1].first_op;
}

void pp_lm_join(pp_lm_maker *m, pp_lm_link link, uint32_t n, const uint32_t *to)
{
    link.first_to = (uint32_t)m->link_to.len;
    link.n_to = n;
    for (uint32_t i = 0; m->status == PP_OK && i < n; i++)
        if (!pp_push(&m->link_to, to[i]))
            m->status = PP_ENOMEM;
    if (m->status == PP_OK && !pp_push(&m->links, link))
        m->status = PP_ENOMEM;
}

pp_lm_op pp_lm_linear_op(const pp_lm_maker *m, pp_lm_kind weight)
{
    uint64_t out = 0, in = 0;
    (void)pp_lm_dims(m->config, weight, &out, &in);
    const bool bias = (m->config->biases & PP_LM_KIND_BIT(pp_lm_bias_of(weight))) != 0;
    return (pp_lm_op){.kind = PP_LM_OP_LINEAR, .weight = (uint8_t)weight, .expert = PP_NONE, .in = (uint32_t)in,
                      .out = (uint32_t)out, .at = PP_NONE, .macs = in * out, .ops = bias ? out : 0};
}

pp_lm_op pp_lm_digital_op(pp_lm_op_kind kind, uint32_t in, uint32_t out, uint64_t ops, uint32_t at)
{
    return (pp_lm_op){.kind = (uint8_t)kind, .weight = PP_LM_KIND_COUNT, .expert = PP_NONE, .in = in, .out = out,
                      .at = at, .ops = ops};
}

/* ---- options ---- */

static pp_status block_of_r4(uint32_t *out, const pp_lm_config *c, const pp_lm_graph_options *o)
{
    const char *text = o->online_block ? o->online_block : "array_rows";
    int64_t n = o->slice;
    *out = 0;
    if (o->online != PP_LM_ONLINE_R4 && o->online != PP_LM_ONLINE_BOTH)
        return PP_OK;
    if (strcmp(text, "full") == 0)
        n = c->ffn;
    else if (strcmp(text, "head") == 0)
        n = c->head_dim;
    else if (strcmp(text, "array_rows") != 0 && (!pp_parse_i64(text, &n) || n < 2))
        return pp_fail(PP_EFORMAT, "quant.online_block: expected array_rows, head, full or a number from 2, found %.40s", text);
    if (n > c->ffn || c->ffn % n != 0)
        return pp_fail(PP_EFORMAT, "quant.online_block: %" PRId64 " values do not divide the %u of %s's feed-forward layer", n,
                       c->ffn, c->name);
    *out = (uint32_t)n;
    return PP_OK;
}

static pp_status prepare(pp_lm_maker *m)
{
    PP_TRY(pp_lm_config_check(m->config));
    m->r3 = m->options->online == PP_LM_ONLINE_R3 || m->options->online == PP_LM_ONLINE_BOTH;
    if (m->config->experts > 256)
        return pp_fail(PP_ERANGE, "%s: %u experts; at most 256", m->config->name, m->config->experts);
    return block_of_r4(&m->online_block, m->config, m->options);
}

/* ---- the graph ---- */

/* Embedding, blocks that see all tokens, blocks with a window, end. */
static void make_parts(pp_lm_maker *m, uint32_t block_part[2])
{
    const pp_lm_config *c = m->config;
    bool some_full = false, some_window = false;
    for (uint32_t l = 0; l < c->layers; l++) {
        some_full = some_full || pp_lm_layer_window_(c, l) == 0;
        some_window = some_window || pp_lm_layer_window_(c, l) > 0;
    }
    pp_lm_embed_part(m);
    block_part[0] = block_part[1] = (uint32_t)m->parts.len;
    if (some_full)
        pp_lm_block_part(m, 0);
    block_part[1] = (uint32_t)m->parts.len;
    if (some_window)
        pp_lm_block_part(m, c->window);
    pp_lm_end_part(m);
}

static pp_status make_instances(pp_lm_graph *g, const uint32_t block_part[2])
{
    const pp_lm_config *c = &g->config;
    g->n_instances = c->layers + 2;
    g->instance = pp_calloc(g->n_instances, sizeof *g->instance);
    if (!g->instance)
        return PP_ENOMEM;
    for (uint32_t l = 0; l < c->layers; l++)
        g->instance[1 + l] = block_part[pp_lm_layer_window_(c, l) > 0];
    g->instance[g->n_instances - 1] = g->n_parts - 1;
    for (uint32_t i = 0; i < g->n_instances; i++)
        g->part[g->instance[i]].instances++;
    return PP_OK;
}

static void take_arrays(pp_lm_graph *g, pp_lm_maker *m)
{
    g->part = m->parts.data;
    g->n_parts = (uint32_t)m->parts.len;
    g->op = m->ops.data;
    g->n_ops = (uint32_t)m->ops.len;
    g->link = m->links.data;
    g->n_links = (uint32_t)m->links.len;
    g->link_to = m->link_to.data;
    g->n_link_to = (uint32_t)m->link_to.len;
}

static pp_status make_experts(pp_lm_graph *g, const pp_lm_graph_options *o, uint64_t seed)
{
    g->first_token = pp_lm_has_first_token_head(&g->config);
    g->choices = g->first_token ? 2 : g->config.experts;
    g->choices_per_token = g->first_token ? 1 : g->config.experts_per_token;
    if (g->config.experts == 0)
        return PP_OK;
    g->expert_share = pp_calloc(g->config.experts, sizeof *g->expert_share);
    return g->expert_share ? pp_lm_expert_shares(g->expert_share, &g->config, o->experts, seed) : PP_ENOMEM;
}

pp_status pp_lm_graph_new(pp_lm_graph **out, const pp_lm_config *config, const pp_lm_graph_options *options, uint64_t seed)
{
    pp_lm_maker m = {.config = config, .options = options};
    uint32_t block_part[2] = {0};
    *out = NULL;
    PP_TRY(prepare(&m));
    pp_lm_graph *g = pp_calloc(1, sizeof *g);
    if (!g)
        return PP_ENOMEM;
    g->config = *config;
    g->kvbits = (uint32_t)options->kvbits;
    g->abits = (uint32_t)options->abits;
    g->residual_bits = (uint32_t)options->residual_bits;
    g->kv_bits_token = 2 * config->kv_heads * config->head_dim * g->kvbits;
    make_parts(&m, block_part);
    take_arrays(g, &m);
    pp_status status = m.status;
    if (status == PP_OK)
        status = make_instances(g, block_part);
    if (status == PP_OK)
        status = make_experts(g, options, seed);
    if (status == PP_OK)
        *out = g;
    else
        pp_lm_graph_free(g);
    return status;
}

double pp_lm_graph_share(const pp_lm_graph *g, uint32_t choice)
{
    if (choice == PP_NONE)
        return 1.0;
    if (g->first_token)
        return choice == 0 ? 1.0 / g->config.positions : 0.0;
    return g->choices_per_token * g->expert_share[choice];
}

void pp_lm_graph_free(pp_lm_graph *g)
{
    if (!g)
        return;
    free(g->part);
    free(g->op);
    free(g->link);
    free(g->link_to);
    free(g->instance);
    free(g->expert_share);
    free(g);
}

/* ---- invariants ---- */

static pp_status check_link(const pp_lm_graph *g, const pp_lm_part *part, const pp_lm_link *l)
{
    if (l->from != PP_LM_PREVIOUS && l->from >= part->n_ops)
        return pp_fail(PP_EINTERNAL, "%s: a link begins at no operator", g->config.name);
    if (l->n_to == 0 || l->first_to + l->n_to > g->n_link_to || l->values == 0 || l->bits == 0)
        return pp_fail(PP_EINTERNAL, "%s: a link carries nothing", g->config.name);
    for (uint32_t i = 0; i < l->n_to; i++)
        if (g->link_to[l->first_to + i] >= part->n_ops)
            return pp_fail(PP_EINTERNAL, "%s: a link ends at no operator", g->config.name);
    return PP_OK;
}

/* Every operator but the embedding is fed, and the values that reach a matrix are those that it multiplies. */
static pp_status check_part(const pp_lm_graph *g, const pp_lm_part *part)
{
    for (uint32_t k = 0; k < part->n_ops; k++) {
        const pp_lm_op *op = &g->op[part->first_op + k];
        uint32_t fed = 0, values = 0;
        for (uint32_t i = 0; i < part->n_links; i++) {
            const pp_lm_link *l = &g->link[part->first_link + i];
            for (uint32_t j = 0; j < l->n_to; j++)
                if (g->link_to[l->first_to + j] == k) {
                    fed++;
                    values += l->scalar ? 0 : l->values;
                }
        }
        if (op->kind == PP_LM_OP_LINEAR && part->kind != PP_LM_PART_EMBED && values != op->in)
            return pp_fail(PP_EINTERNAL, "%s: %s multiplies %u values and gets %u", g->config.name, op->name, op->in, values);
        if (fed == 0 && part->kind != PP_LM_PART_EMBED)
            return pp_fail(PP_EINTERNAL, "%s: nothing reaches %s", g->config.name, op->name);
        if (op->at != PP_NONE && op->at >= part->n_ops)
            return pp_fail(PP_EINTERNAL, "%s: %s is computed nowhere", g->config.name, op->name);
    }
    return part->result < part->n_ops ? PP_OK : pp_fail(PP_EINTERNAL, "%s: a part has no result", g->config.name);
}

pp_status pp_lm_graph_check(const pp_lm_graph *g)
{
    for (uint32_t p = 0; p < g->n_parts; p++) {
        for (uint32_t i = 0; i < g->part[p].n_links; i++)
            PP_TRY(check_link(g, &g->part[p], &g->link[g->part[p].first_link + i]));
        PP_TRY(check_part(g, &g->part[p]));
    }
    uint64_t macs = 0;
    for (uint32_t i = 0; i < g->n_instances; i++) {
        const pp_lm_part *part = &g->part[g->instance[i]];
        for (uint32_t k = 0; k < part->n_ops; k++) {
            const pp_lm_op *op = &g->op[part->first_op + k];
            const bool counted = op->kind == PP_LM_OP_ROUTER || op->weight != PP_LM_KIND_COUNT;
            if (counted && (op->expert == PP_NONE || op->expert < g->config.experts_per_token))
                macs += op->macs;
        }
    }
    if (macs != pp_lm_linear_macs(&g->config))
        return pp_fail(PP_EINTERNAL, "%s: operators have %" PRIu64 " products a token, the model has %" PRIu64,
                       g->config.name, macs, pp_lm_linear_macs(&g->config));
    return PP_OK;
}

/* ---- text ---- */

static const char *from_name(const pp_lm_graph *g, const pp_lm_part *part, uint32_t from)
{
    return from == PP_LM_PREVIOUS ? "previous" : g->op[part->first_op + from].name;
}

static void dump_part(FILE *f, const pp_lm_graph *g, const pp_lm_part *part)
{
    static const char *const kinds[] = {"embedding", "block", "end"};
    fprintf(f, "part %s x %u, result %s\n", kinds[part->kind], part->instances, g->op[part->first_op + part->result].name);
    for (uint32_t k = 0; k < part->n_ops; k++) {
        const pp_lm_op *op = &g->op[part->first_op + k];
        fprintf(f, "  %-10s %-20s %u -> %u, macs %" PRIu64 ", ops %" PRIu64 "%s%s\n", kind_names[op->kind], op->name, op->in,
                op->out, op->macs, op->ops, op->at == PP_NONE ? "" : op->at_inputs ? ", where its inputs reach " : ", at ",
                op->at == PP_NONE ? "" : g->op[part->first_op + op->at].name);
    }
    for (uint32_t i = 0; i < part->n_links; i++) {
        const pp_lm_link *l = &g->link[part->first_link + i];
        fprintf(f, "  %s%s -> ", l->scalar ? "scalar " : "", from_name(g, part, l->from));
        for (uint32_t j = 0; j < l->n_to; j++)
            fprintf(f, "%s%s", j ? ", " : "", g->op[part->first_op + g->link_to[l->first_to + j]].name);
        fprintf(f, ": %u x %u bit\n", l->values, l->bits);
    }
}

pp_status pp_lm_graph_dump(char **out, const pp_lm_graph *g)
{
    size_t size = 0;
    *out = NULL;
    FILE *f = open_memstream(out, &size);
    if (!f)
        return pp_fail(PP_ENOMEM, "out of memory");
    fprintf(f, "%s: %u instances, %u bits of keys and values a token and block\n", g->config.name, g->n_instances,
            g->kv_bits_token);
    for (uint32_t p = 0; p < g->n_parts; p++)
        dump_part(f, g, &g->part[p]);
    for (uint32_t e = 0; g->expert_share && e < g->config.experts; e++)
        fprintf(f, "expert %u: %.6f of the choices\n", e, g->expert_share[e]);
    return fclose(f) == 0 ? PP_OK : pp_fail(PP_ENOMEM, "out of memory");
}

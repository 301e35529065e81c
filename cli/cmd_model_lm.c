/* model show, of language models: one row for each tensor kind, with how often it occurs. Multiply-
 * accumulates are those of one token; attention's grow with the context and stand apart. */
#include "cli/model_lm.h"
#include "cli/session.h"
#include "workloads/lm.h"

#include <inttypes.h>
#include <stdio.h>

/* A tensor kind in the order of the forward pass. */
typedef struct row {
    const char *kind;
    uint64_t in, out, count, active; /* active: how many of `count` a token uses */
    uint64_t parameters, macs;       /* of all of them; of those that a token uses */
} row;

static bool is_expert(const pp_lm_config *c, pp_lm_kind k)
{
    return c->experts > 0 && (k == PP_LM_GATE || k == PP_LM_UP || k == PP_LM_DOWN);
}

static bool make_row(row *r, const pp_lm_config *c, pp_lm_kind k)
{
    uint64_t rows, cols;
    if (!pp_lm_dims(c, k, &rows, &cols))
        return false;
    const uint64_t layers = pp_lm_is_global(k) ? 1 : c->layers, own = c->shared_layers ? 1 : layers;
    const bool table = k == PP_LM_EMBED || k == PP_LM_POSITION;
    *r = (row){.kind = pp_lm_is_linear(k) ? "linear" : table ? "embedding" : rows == 1 ? "vector" : "matrix"};
    r->in = table ? 1 : cols;
    r->out = table || rows == 1 ? cols : rows;
    r->count = layers * (is_expert(c, k) ? c->experts : 1);
    r->active = layers * (is_expert(c, k) ? c->experts_per_token : 1);
    r->parameters = k == PP_LM_HEAD && c->tied ? 0 : rows * cols * own * (is_expert(c, k) ? c->experts : 1);
    r->macs = pp_lm_is_linear(k) ? rows * cols * r->active : 0;
    return true;
}

/* With the gate of a shared expert, which is one score more. */
static row router_row(const pp_lm_config *c)
{
    const uint64_t scores = c->experts + (c->shared_gate ? 1u : 0u), size = scores * c->hidden * c->layers;
    return (row){"linear", c->hidden, scores, c->layers, c->layers, size, size};
}

/* gate, up and down of the expert that every token takes. */
static row shared_row(const pp_lm_config *c)
{
    const uint64_t size = (uint64_t)c->shared_ffn * c->hidden * 3 * c->layers, count = 3 * (uint64_t)c->layers;
    return (row){"linear", c->hidden, c->shared_ffn, count, count, size, size};
}

/* What has no row of its own: pooler, classifier, patches, types of tokens, norms beyond two a layer. Layers that share
 * their parameters count once. */
static row other_row(const pp_lm_config *c)
{
    uint64_t listed = c->experts > 0 ? router_row(c).parameters + (c->shared_ffn > 0 ? shared_row(c).parameters : 0) : 0;
    row r;
    for (pp_lm_kind k = 0; k < PP_LM_KIND_COUNT; k++)
        if (make_row(&r, c, k))
            listed += r.parameters;
    return (row){"other", 0, 0, 1, 1, pp_lm_parameters(c) - listed, 0};
}

static void add_shape(pp_json *parent, const char *key, uint64_t channels)
{
    pp_json *list = pp_json_add_list(parent, key);
    pp_json_add_i64(list, NULL, 1);
    pp_json_add_i64(list, NULL, 1);
    pp_json_add_i64(list, NULL, (int64_t)channels);
}

static void add_operator(pp_json *ops, const char *name, const row *r)
{
    pp_json *o = pp_json_add_object(ops, NULL);
    pp_json_add_text(o, "name", name);
    pp_json_add_text(o, "kind", r->kind);
    add_shape(o, "in", r->in);
    add_shape(o, "out", r->out);
    pp_json_add_i64(o, "count", (int64_t)r->count);
    pp_json_add_i64(o, "parameters", (int64_t)r->parameters);
    pp_json_add_i64(o, "macs", (int64_t)r->macs);
}

static void add_operators(pp_json *json, const pp_lm_config *c)
{
    pp_json *ops = pp_json_add_list(json, "operators");
    row r;
    for (pp_lm_kind k = 0; k < PP_LM_KIND_COUNT; k++)
        if (make_row(&r, c, k))
            add_operator(ops, pp_lm_kind_name(k), &r);
    if (c->experts > 0) {
        r = router_row(c);
        add_operator(ops, "router", &r);
    }
    if (c->shared_ffn > 0) {
        r = shared_row(c);
        add_operator(ops, "shared_expert", &r);
    }
    r = other_row(c);
    if (r.parameters > 0)
        add_operator(ops, "other", &r);
}

static pp_status show_json(const pp_lm_config *c, bool has_weights)
{
    pp_json *json = pp_json_object();
    const struct {
        const char *key;
        uint64_t value;
    } numbers[] = {{"parameters", pp_lm_parameters(c)},
                   {"macs", pp_lm_linear_macs(c)},
                   {"attention_macs_per_context_token", pp_lm_attention_macs(c, 1)},
                   {"kv_cache_bytes_per_token_at_16_bits", pp_lm_kv_bytes(c, 16)},
                   {"layers", c->layers},
                   {"hidden", c->hidden},
                   {"ffn", c->ffn},
                   {"heads", c->heads},
                   {"kv_heads", c->kv_heads},
                   {"head_dim", c->head_dim},
                   {"vocab", c->vocab},
                   {"positions", c->positions},
                   {"window", c->window},
                   {"experts", c->experts},
                   {"experts_per_token", c->experts_per_token}};
    pp_json_add_text(json, "name", c->name);
    pp_json_add_text(json, "model_type", c->model_type);
    pp_json_add_bool(json, "has_weights", has_weights);
    pp_json_add_bool(json, "tied", c->tied);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        pp_json_add_i64(json, numbers[i].key, (int64_t)numbers[i].value);
    add_shape(json, "input", c->hidden);
    add_operators(json, c);
    return pp_print_json(json);
}

static pp_status add_line(pp_table *t, const char *name, const row *r)
{
    char in[24], out[24], count[24], parameters[24], macs[24];
    snprintf(in, sizeof in, "%" PRIu64, r->in);
    snprintf(out, sizeof out, "%" PRIu64, r->out);
    snprintf(count, sizeof count, "%" PRIu64, r->count);
    snprintf(parameters, sizeof parameters, "%" PRIu64, r->parameters);
    snprintf(macs, sizeof macs, "%" PRIu64, r->macs);
    const char *cells[] = {name, r->kind, in, out, count, parameters, macs};
    return pp_table_row(t, cells);
}

static pp_status add_lines(pp_table *t, const pp_lm_config *c)
{
    row r;
    for (pp_lm_kind k = 0; k < PP_LM_KIND_COUNT; k++)
        if (make_row(&r, c, k))
            PP_TRY(add_line(t, pp_lm_kind_name(k), &r));
    if (c->experts > 0) {
        r = router_row(c);
        PP_TRY(add_line(t, "router", &r));
    }
    if (c->shared_ffn > 0) {
        r = shared_row(c);
        PP_TRY(add_line(t, "shared_expert", &r));
    }
    r = other_row(c);
    return r.parameters > 0 ? add_line(t, "other", &r) : PP_OK;
}

static pp_status show_text(const pp_lm_config *c, bool has_weights)
{
    printf("%s (%s): %" PRIu64 " parameters, %u layers, hidden %u, feed-forward %u, %u heads of %u, %u key and value "
           "heads, vocabulary %u, context %u%s\n",
           c->name, c->model_type, pp_lm_parameters(c), c->layers, c->hidden, c->ffn, c->heads, c->head_dim,
           c->kv_heads, c->vocab, c->positions, has_weights ? "" : " (shapes only)");
    printf("a token: %" PRIu64 " multiply-accumulates in linear layers, %" PRIu64 " in attention for each token of "
           "context, %" PRIu64 " bytes of keys and values at 16 bits\n\n",
           pp_lm_linear_macs(c), pp_lm_attention_macs(c, 1), pp_lm_kv_bytes(c, 16));
    const char *headers[] = {"tensor", "kind", "in", "out", "count", "parameters", "MACs a token"};
    pp_table *t = NULL;
    pp_status status = pp_table_new(&t, headers, 7);
    if (status == PP_OK)
        status = add_lines(t, c);
    if (status == PP_OK)
        pp_table_print(t, stdout);
    pp_table_free(t);
    return status;
}

pp_status pp_model_lm_show(const char *model, bool json)
{
    pp_lm_config c;
    bool has_weights = false;
    PP_TRY(pp_lm_find(&c, &has_weights, model));
    return json ? show_json(&c, has_weights) : show_text(&c, has_weights);
}

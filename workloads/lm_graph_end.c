/* The end of a language model: final norm, head, pooler, classifier, choice. */
#include "workloads/lm_graph_internal.h"

#include <stdio.h>

#define OPS_CAP 5 /* c tanh(x / c): a product, tanh, a product */

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
    const uint32_t each = 1 + (m->config->cap_logits ? OPS_CAP : 0);
    pp_lm_op op = pp_lm_digital_op(PP_LM_OP_SAMPLE, width, 1, (uint64_t)each * width, linear);
    op.gathers = true;
    op.gathered = 2; /* the largest logit and its number */
    return pp_lm_add(m, pp_lm_of_expert(op, choice), "argmax");
}

static pp_lm_link logits_of(const pp_lm_maker *m, uint32_t linear, uint32_t width, uint32_t choice)
{
    pp_lm_link logits = pp_lm_residual_of(m, linear);
    logits.values = width;
    logits.expert = choice;
    return logits;
}

/* ---- every token ---- */

static uint32_t masked_width(const pp_lm_config *c)
{
    return c->embed_width > 0 ? c->embed_width : c->hidden;
}

/* In front of the words of an encoder's masked tokens: a matrix, GELU and a norm. */
static uint32_t masked_vector(pp_lm_maker *m, uint32_t in)
{
    const pp_lm_config *c = m->config;
    const uint32_t e = masked_width(c), linear = pp_lm_add(m, matrix_op(c->hidden, e), "masked_dense");
    pp_lm_feed(m, pp_lm_link_of(m, in, c->hidden), "masked_scale", 1, PP_LM_TO(linear));
    const pp_lm_op op = pp_lm_digital_op(PP_LM_OP_ACT, e, e, (uint64_t)pp_lm_ops_act(c->act) * e, linear);
    const uint32_t act = pp_lm_add(m, op, "masked_gelu");
    pp_lm_join(m, pp_lm_link_of(m, linear, e), PP_LM_TO(act));
    return pp_lm_vector_norm(m, act, linear, e, "masked_norm");
}

/* Head or classifier of every token. */
static uint32_t every_token(pp_lm_maker *m, uint32_t in)
{
    const pp_lm_config *c = m->config;
    const bool head = c->vocab > 0 && (c->causal || c->masked_head);
    const uint32_t linear = head ? pp_lm_add(m, pp_lm_linear_op(m, PP_LM_HEAD), "lm_head")
                                 : pp_lm_add(m, matrix_op(c->hidden, c->classes), "classifier");
    const uint32_t width = head ? c->vocab : c->classes, sample = largest_logit(m, linear, width, PP_NONE);
    const pp_lm_link input = pp_lm_link_of(m, in, c->masked_head ? masked_width(c) : c->hidden);
    if (pp_lm_is_rms(m)) {
        const uint32_t norm = pp_lm_add(m, pp_lm_rms_op(m, linear, true), "final_norm");
        pp_lm_feed(m, input, "head_scale", 1, PP_LM_TO(linear, norm));
        pp_lm_join(m, pp_lm_scalar_of(norm, 1), PP_LM_TO(sample));
    } else {
        pp_lm_feed(m, input, "head_scale", 1, PP_LM_TO(linear));
    }
    pp_lm_join(m, logits_of(m, linear, width, PP_NONE), PP_LM_TO(sample));
    return sample;
}

/* ---- the first token ---- */

/* A matrix that the first token of a sequence takes alone. */
static uint32_t first_token_matrix(pp_lm_maker *m, uint32_t in, uint32_t out, const char *name)
{
    char scale[48];
    (void)snprintf(scale, sizeof scale, "%s_scale", name);
    const uint32_t linear = pp_lm_add(m, pp_lm_of_expert(matrix_op(m->config->hidden, out), 0), "%s", name);
    pp_lm_link input = pp_lm_link_of(m, in, m->config->hidden);
    input.expert = 0;
    pp_lm_feed(m, input, scale, 1, PP_LM_TO(linear));
    return linear;
}

/* The class of a sequence. With a distillation token, whose classifier stands beside the other one and is taken with
 * it, the mean of the two. */
static uint32_t classified(pp_lm_maker *m, uint32_t in)
{
    const uint32_t classes = m->config->classes;
    const uint32_t linear = first_token_matrix(m, in, classes, "classifier");
    const uint32_t second = m->config->two_classifiers ? first_token_matrix(m, in, classes, "distillation_classifier") : PP_NONE;
    const uint32_t best = largest_logit(m, linear, classes, 0);
    if (second != PP_NONE && m->status == PP_OK)
        m->ops.data[m->ops.len - 1].ops += 2 * (uint64_t)classes;
    pp_lm_join(m, logits_of(m, linear, classes, 0), PP_LM_TO(best));
    if (second != PP_NONE)
        pp_lm_join(m, logits_of(m, second, classes, 0), PP_LM_TO(best));
    return best;
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
        const pp_lm_op act = pp_lm_digital_op(PP_LM_OP_ACT, d, d, (uint64_t)(c->pooler_relu ? 1 : PP_LM_OPS_TANH) * d, linear);
        last = pp_lm_add(m, pp_lm_of_expert(act, 0), c->pooler_relu ? "pooler_relu" : "pooler_tanh");
        pp_lm_link sums = pp_lm_link_of(m, linear, d);
        sums.expert = 0;
        pp_lm_join(m, sums, PP_LM_TO(last));
    }
    if (c->classes > 0)
        last = classified(m, last);
    const uint32_t values = c->classes > 0 ? 1 : d;
    pp_lm_op op = pp_lm_digital_op(PP_LM_OP_SAMPLE, values, values, 0, PP_NONE);
    op.units = c->classes > 0 ? 1 : 0;
    const uint32_t output = pp_lm_add(m, op, "output");
    pp_lm_link result = c->classes > 0 ? pp_lm_scalar_of(last, 1) : pp_lm_link_of(m, last, d), rest = pp_lm_scalar_of(in, 1);
    result.expert = 0;
    rest.expert = 1;
    rest.bits = 1;
    pp_lm_join(m, result, PP_LM_TO(output));
    pp_lm_join(m, rest, PP_LM_TO(output));
    if (c->classes == 0)
        pp_lm_join(m, pp_lm_link_of(m, in, d), PP_LM_TO(output));
    return output;
}

/* Final norm, head, largest logit; a pooler or classifier; or, where there is none, the vector as it comes. */
void pp_lm_end_part(pp_lm_maker *m)
{
    const pp_lm_config *c = m->config;
    uint32_t in = PP_LM_PREVIOUS, result;
    pp_lm_part_begin(m, PP_LM_PART_END);
    if (!pp_lm_is_rms(m) && c->norm_place != PP_LM_NORMS_AFTER)
        in = pp_lm_vector_norm(m, PP_LM_PREVIOUS, PP_NONE, c->hidden, "final_norm");
    if (c->masked_head)
        in = masked_vector(m, in);
    if (pp_lm_has_first_token_head(c)) {
        result = first_token(m, in);
    } else if ((c->vocab > 0 && (c->causal || c->masked_head)) || c->classes > 0) {
        result = every_token(m, in);
    } else {
        result = pp_lm_add(m, pp_lm_digital_op(PP_LM_OP_SAMPLE, c->hidden, c->hidden, c->hidden, PP_NONE), "output");
        pp_lm_join(m, pp_lm_link_of(m, in, c->hidden), PP_LM_TO(result));
    }
    pp_lm_part_end(m, result);
}

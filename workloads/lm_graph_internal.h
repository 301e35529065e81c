/* Shared by the files that build operator graphs of language models. */
#ifndef PP_WORKLOADS_LM_GRAPH_INTERNAL_H
#define PP_WORKLOADS_LM_GRAPH_INTERNAL_H

#include "workloads/lm_graph.h"

/* A graph in the making. The part that is being built is the last one. */
typedef struct pp_lm_maker {
    const pp_lm_config *config;
    const pp_lm_graph_options *options;
    uint32_t online_block;      /* values mixed by R4; 0: no R4 */
    bool r3;
    PP_VEC(pp_lm_part) parts;
    PP_VEC(pp_lm_op) ops;
    PP_VEC(pp_lm_link) links;
    PP_VEC(uint32_t) link_to;
    pp_status status;           /* of the first step that failed; later ones do nothing */
} pp_lm_maker;

void pp_lm_part_begin(pp_lm_maker *m, pp_lm_part_kind kind);
/* Appends an operator to the part: its index there. */
uint32_t pp_lm_add(pp_lm_maker *m, pp_lm_op op, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* `values` of `bits` from an operator (or PP_LM_PREVIOUS) to n others. */
void pp_lm_join(pp_lm_maker *m, pp_lm_link link, uint32_t n, const uint32_t *to);
#define PP_LM_TO(...) (uint32_t)(sizeof(uint32_t[]){__VA_ARGS__} / sizeof(uint32_t)), (const uint32_t[]){__VA_ARGS__}
void pp_lm_part_end(pp_lm_maker *m, uint32_t result);

/* Operators with their costs. A linear layer without bias takes no digital operations of its own. */
pp_lm_op pp_lm_linear_op(const pp_lm_maker *m, pp_lm_kind weight);
pp_lm_op pp_lm_digital_op(pp_lm_op_kind kind, uint32_t in, uint32_t out, uint64_t ops, uint32_t at);

/* ---- pieces of parts (lm_graph_parts.c) ---- */

#define PP_LM_SCALAR_BITS 32 /* sums of squares, maxima, scores on channels */
#define PP_LM_OPS_SCALE 1    /* operations a value: one product */
#define PP_LM_OPS_TANH 3     /* piecewise linear: look-up, product, sum */

uint32_t pp_lm_ops_act(pp_lm_act act);
uint64_t pp_lm_hadamard_ops(uint64_t values, uint32_t block);
pp_lm_op pp_lm_of_expert(pp_lm_op op, uint32_t expert);
/* Inputs of matrices, values of the residual stream (hidden wide), and one value for everybody. */
pp_lm_link pp_lm_link_of(const pp_lm_maker *m, uint32_t from, uint32_t values);
pp_lm_link pp_lm_residual_of(const pp_lm_maker *m, uint32_t from);
pp_lm_link pp_lm_scalar_of(uint32_t from, uint32_t values);
/* Whether norms in front of matrices are scalars that commute with them, and whether a block has such norms. */
bool pp_lm_is_rms(const pp_lm_maker *m);
bool pp_lm_norms_before(const pp_lm_config *config);
/* RMSNorm: slices add up their squares; one scalar leaves. */
pp_lm_op pp_lm_rms_op(const pp_lm_maker *m, uint32_t at, bool at_inputs);
/* A norm at the slices of `at` (PP_NONE: in cores of its own) whose vector of `width` goes on. */
uint32_t pp_lm_vector_norm(pp_lm_maker *m, uint32_t from, uint32_t at, uint32_t width, const char *name);
/* Hands a link to n operators, the first n_linear of which are matrices, with the activation scale that they wait for. */
void pp_lm_feed(pp_lm_maker *m, pp_lm_link input, const char *name, uint32_t n_linear, uint32_t n, const uint32_t *to);
/* `from` plus `skip` in the cores of `at`. */
uint32_t pp_lm_residual_add(pp_lm_maker *m, uint32_t at, uint32_t from, uint32_t skip, const char *name);

/* ---- feed-forward layers (lm_graph_ffn.c) ---- */

typedef struct pp_lm_ffn {
    uint32_t gate, up;    /* gate PP_NONE: not gated */
    uint32_t width, expert;
    const char *prefix;
} pp_lm_ffn;
/* The matrices that read the layer's input, which the caller feeds. */
pp_lm_ffn pp_lm_ffn_begin(pp_lm_maker *m, uint32_t expert, uint32_t width, const char *prefix);
/* The rest: activation, [r4,] down, whose number it returns. norm: of the scalar; PP_NONE: none. */
uint32_t pp_lm_ffn_end(pp_lm_maker *m, const pp_lm_ffn *f, uint32_t norm);
/* The whole layer; a norm of its own where blocks have scalars and `norm` is PP_NONE. */
uint32_t pp_lm_feed_forward(pp_lm_maker *m, const pp_lm_link *input, uint32_t norm);
/* Router, experts, and the sum of those that a token chose with the residual stream. */
uint32_t pp_lm_mixture(pp_lm_maker *m, uint32_t add, uint32_t source);

/* ---- parts ---- */

void pp_lm_embed_part(pp_lm_maker *m);
void pp_lm_block_part(pp_lm_maker *m, uint32_t window);
void pp_lm_end_part(pp_lm_maker *m);

/* Whether only a sequence's first token goes through pooler and classifier. */
bool pp_lm_has_first_token_head(const pp_lm_config *config);

/* Shares of the experts from the text of the knob (lm_experts.c). */
pp_status pp_lm_expert_shares(double *share, const pp_lm_config *config, const char *text, uint64_t seed);

#endif

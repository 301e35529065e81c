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

void pp_lm_embed_part(pp_lm_maker *m);
void pp_lm_block_part(pp_lm_maker *m, uint32_t window);
void pp_lm_end_part(pp_lm_maker *m);

/* Whether only a sequence's first token goes through pooler and classifier. */
bool pp_lm_has_first_token_head(const pp_lm_config *config);

/* Shares of the experts from the text of the knob (lm_experts.c). */
pp_status pp_lm_expert_shares(double *share, const pp_lm_config *config, const char *text, uint64_t seed);

#endif

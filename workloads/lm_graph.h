/* Operators and edges of a language model, blocks described once.
 *
 * A model is a chain of instances: embedding, its blocks, the end (final norm, head, choice of a token; patch
 * projection and classifier of vision encoders). Equal instances share one part. Inside a part every
 * operator does its work once a token; an edge says what it hands on. The residual stream lives in slices
 * where it was last added to; an RMSNorm gives one scalar that commutes with the matrices and is applied
 * behind them, a LayerNorm passes the whole vector.
 *
 *   Llama block:   in -> q, k, v -> rope -> [r3] -> attention -> o -> add
 *                  in -> attn_norm (a scalar) -> rope;  in -> add
 *                  add -> gate, up -> silu_mul -> [r4] -> down -> add2;  add -> ffn_norm (a scalar) -> silu_mul
 *
 * docs/llm-mapping.md has all of them. */
#ifndef PP_WORKLOADS_LM_GRAPH_H
#define PP_WORKLOADS_LM_GRAPH_H

#include "workloads/lm.h"

typedef enum pp_lm_op_kind {
    PP_LM_OP_EMBED,     /* row of a table */
    PP_LM_OP_LINEAR,    /* matrix on crossbars */
    PP_LM_OP_NORM,      /* RMSNorm: sum of squares to one scalar; LayerNorm: the vector */
    PP_LM_OP_SCALE,     /* largest magnitude over all slices, for activation scales of a token */
    PP_LM_OP_ROPE,
    PP_LM_OP_HADAMARD,  /* online rotation: R3 on heads, R4 in front of down_proj */
    PP_LM_OP_ATTENTION, /* QK^T, softmax, AV over the KV cache; work grows with the context */
    PP_LM_OP_ACT,       /* activation, with the product of a gated layer */
    PP_LM_OP_ROUTER,    /* scores of the experts and the choice of the best */
    PP_LM_OP_ADD,       /* residual; sum of the experts' results */
    PP_LM_OP_SAMPLE,    /* largest logit */
    PP_LM_OP_KIND_COUNT
} pp_lm_op_kind;
const char *pp_lm_op_kind_name(pp_lm_op_kind kind); /* "linear" ... */

#define PP_LM_NAME_MAX 32

typedef struct pp_lm_op {
    char name[PP_LM_NAME_MAX]; /* "q_proj", "silu_mul", "expert3.down_proj" */
    uint8_t kind;              /* pp_lm_op_kind */
    uint8_t weight;            /* LINEAR: pp_lm_kind; else PP_LM_KIND_COUNT */
    uint32_t expert;           /* PP_NONE: every token passes */
    uint32_t in, out;          /* values a token */
    uint32_t units;            /* ATTENTION, ROPE and what stands at them: key and value heads; 0: slices */
    uint32_t block;            /* HADAMARD: values that are mixed */
    uint32_t window;           /* ATTENTION: tokens seen; 0: all */
    uint32_t at;               /* operator of the part in whose cores it is computed; PP_NONE: it has its own */
    bool at_inputs;            /* `at` is a matrix, and it is computed where the matrix's inputs arrive */
    bool gathers;              /* needs the vector as a whole: its slices are added up in one core (NORM, SCALE, ROUTER,
                                  SAMPLE: a few values each; HADAMARD of more than a slice: all of them) */
    uint32_t gathered;         /* values that a slice hands to that core, of 32 bits; 0: none */
    bool spreads;              /* and what comes out there goes back to every slice */
    uint64_t macs;             /* LINEAR, ROUTER */
    uint64_t ops;              /* additions, products, comparisons a token in digital units; ATTENTION: 0 (context) */
} pp_lm_op;

#define PP_LM_PREVIOUS (PP_NONE - 1) /* edge from the result of the instance before */

/* What one operator hands to others. Targets that read the same values stand in one edge: the values are
 * sent once and branch. */
typedef struct pp_lm_link {
    uint32_t from;             /* operator of the part, or PP_LM_PREVIOUS */
    uint32_t first_to, n_to;   /* link_to[first_to ..]: operators of the part */
    uint32_t values, bits;     /* a token; bits of a value on channels */
    uint32_t expert;           /* taken only by tokens that this expert serves; PP_NONE: by all */
    bool scalar;               /* one value for every slice of the target (norm, scale, router's choice) */
} pp_lm_link;

typedef enum pp_lm_part_kind { PP_LM_PART_EMBED, PP_LM_PART_BLOCK, PP_LM_PART_END } pp_lm_part_kind;

typedef struct pp_lm_part {
    uint8_t kind;              /* pp_lm_part_kind */
    uint32_t first_op, n_ops;  /* op[first_op ..]; indices in `at`, `from`, `link_to` count from first_op */
    uint32_t first_link, n_links;
    uint32_t result;           /* operator whose output is the instance's */
    uint32_t attention;        /* operator; PP_NONE */
    uint32_t instances;
} pp_lm_part;

typedef enum pp_lm_act_scale { PP_LM_SCALE_STATIC, PP_LM_SCALE_TILE, PP_LM_SCALE_TOKEN } pp_lm_act_scale;
typedef enum pp_lm_online { PP_LM_ONLINE_NONE, PP_LM_ONLINE_R3, PP_LM_ONLINE_R4, PP_LM_ONLINE_BOTH } pp_lm_online;

/* Knobs: sections quant and workload (lm_graph_knobs.c). Widths of weights and inputs come from quant.wbits
 * and quant.abits: `abits` is filled by the caller. */
typedef struct pp_lm_graph_options {
    int64_t abits;             /* not a knob of this table */
    int64_t slice;             /* not a knob: values that one core puts out, for block-diagonal rotations */
    int64_t kvbits;            /* quant.kvbits: bits of a cached key or value */
    int64_t residual_bits;     /* quant.residual_bits: of the residual stream on channels */
    int online;                /* pp_lm_online, quant.online_rotations */
    int act_scale;             /* pp_lm_act_scale, quant.activation_scale */
    const char *online_block;  /* quant.online_block: array_rows (the slice) | head | full | N values */
    const char *experts;       /* workload.experts: uniform | seeded | N1,N2,... tokens or shares, one an expert */
} pp_lm_graph_options;
pp_knob_table pp_lm_graph_knobs(void);

typedef struct pp_lm_graph {
    pp_lm_config config;
    uint32_t n_parts, n_ops, n_links, n_link_to, n_instances;
    pp_lm_part *part;
    pp_lm_op *op;
    pp_lm_link *link;
    uint32_t *link_to;
    uint32_t *instance;        /* [n_instances] part of each, in order of the pipeline */
    uint32_t choices, choices_per_token; /* ways of which a token takes some: experts, or (first_token) 0 for the first
                                  token of a sequence, which pooler and classifier read, and 1 for the others; 0: none */
    bool first_token;
    double *expert_share;      /* [choices] share of the choices; sums to 1. NULL: dense, or first_token */
    uint32_t kvbits, abits, residual_bits;
    uint32_t kv_bits_token;    /* bits of keys and values that a token leaves in one block */
} pp_lm_graph;

/* config: any that pp_lm_config_check accepts. seed: of a seeded histogram. One line when the histogram has
 * the wrong length, a rotation's block does not divide, or heads do not fit. O(operators + blocks). */
pp_status pp_lm_graph_new(pp_lm_graph **out, const pp_lm_config *config, const pp_lm_graph_options *options,
                          uint64_t seed);
void pp_lm_graph_free(pp_lm_graph *graph);
/* Share of the tokens that take a choice (PP_NONE: 1): of experts the mean; of the first token the least, one in as many
 * as a sequence may have; of the others, whose links carry a mark without content, none. */
double pp_lm_graph_share(const pp_lm_graph *graph, uint32_t choice);
pp_status pp_lm_graph_check(const pp_lm_graph *graph);
pp_status pp_lm_graph_dump(char **out, const pp_lm_graph *graph);

#endif

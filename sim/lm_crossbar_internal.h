/* Shared by the files of language models on crossbars (sim/lm_crossbar*.c). */
#ifndef PP_SIM_LM_CROSSBAR_INTERNAL_H
#define PP_SIM_LM_CROSSBAR_INTERNAL_H

#include "sim/crossbar_analog_internal.h"
#include "sim/lm_crossbar.h"

/* The matrices as a network. Its codes, scales and weights are borrowed from a pp_lmq_integer. */
typedef struct pp_lm_bank {
    uint32_t n;
    pp_op *op;
    pp_stage *stage;
    pp_stage_input *input;
    pp_qformat *stream;
    pp_qstage *qstage;
    int64_t *zeros;
    pp_network net;
    pp_stages stages;
    pp_qnetwork q;
} pp_lm_bank;
pp_status pp_lm_bank_new_(pp_lm_bank *b, const pp_lmq_integer *integer);
void pp_lm_bank_free_(pp_lm_bank *b);

struct pp_lm_crossbars {
    pp_lm_crossbars_input in;
    size_t tokens;           /* of the calibration text that are used */
    pp_lmq_integer *integer;
    pp_lm_bank bank;
    pp_mapping *mapping;
    pp_analog *analog;
    pp_lm_exec *exec;
    const size_t *first;     /* [n_first + 1] windows of tokens that come one by one; NULL */
    uint32_t n_first;
    uint8_t **seen;          /* [layers][4 places] codes of the calibration text; NULL outside calibration */
};

/* Sums of one block by the arrays of `a`, which may be a view of x->analog. */
pp_status pp_lm_read_block_(const pp_analog *a, const pp_lmq_block *b);
/* One pass over the first `tokens` tokens of the calibration text. */
pp_status pp_lm_walk_(pp_lm_crossbars *x, size_t tokens);
/* The arrays of x->analog compute from now on. */
void pp_lm_attach_(pp_lm_crossbars *x);

#endif

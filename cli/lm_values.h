/* A language model with values: opened, or opened and quantized, with its texts. */
#ifndef PP_CLI_LM_VALUES_H
#define PP_CLI_LM_VALUES_H

#include "cli/session.h"

#include "quant/lmq_integer.h"
#include "workloads/tokenizer.h"

typedef struct pp_lm_values {
    pp_session *s;
    const char *model;
    bool as_timed;          /* widths are those of section quant; false: those that nobody set are 4 */
    pp_lm *lm;              /* NULL: from a folder that `quantize` wrote */
    pp_lmq_calib *calib;
    pp_lmq *q;
    pp_tokenizer *tokenizer;
    pp_tokens calib_text, text; /* text: its first workload.tokens tokens */
} pp_lm_values;

/* On failure, too, pp_lm_values_free gives back what was taken. */
pp_status pp_lm_values_open(pp_lm_values *v, pp_session *s, const char *model, bool as_timed);
void pp_lm_values_free(pp_lm_values *v);
/* pp_act_scale of quant.activation_scale. */
int pp_lm_values_scale(const pp_session *s);

#endif

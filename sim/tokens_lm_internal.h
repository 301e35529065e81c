/* What the lockstep and the exact actors of a language model share. */
#ifndef PP_SIM_TOKENS_LM_INTERNAL_H
#define PP_SIM_TOKENS_LM_INTERNAL_H

#include "sim/tokens_lm.h"

/* Experts of a mixture, their number a token and their shares; the caller frees net->expert_weight. */
pp_status pp_token_net_experts(pp_token_net *net, const pp_lm_graph *graph);

#endif

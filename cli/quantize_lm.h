/* quantize for language models (cmd_quantize.c decides). */
#ifndef PP_CLI_QUANTIZE_LM_H
#define PP_CLI_QUANTIZE_LM_H

#include "cli/args.h"

/* Whether MODEL is a language model, or a folder that quantize has made of one. */
bool pp_quantize_is_lm(const char *model);
pp_status pp_quantize_lm(const pp_parsed *p, const char *model);
/* `quantize compare MODEL`. */
pp_status pp_quantize_lm_compare(const pp_parsed *p, const char *model);

#endif

/* `infer` for language models (cmd_infer.c decides). */
#ifndef PP_CLI_INFER_LM_H
#define PP_CLI_INFER_LM_H

#include "cli/session.h"

/* Whether MODEL is a language model (a folder that `quantize` wrote, too). */
bool pp_infer_is_lm(const char *model);
/* Adds the rows of a language model; study as pp_study_begin left it. */
pp_status pp_infer_lm(pp_session *s, pp_study *study, const char *model);

#endif

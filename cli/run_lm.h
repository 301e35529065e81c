/* run and simulate of a language model: mapping, tokens, report. */
#ifndef PP_CLI_RUN_LM_H
#define PP_CLI_RUN_LM_H

#include "cli/session.h"

/* The session is open; `path` is the report's. */
pp_status pp_run_lm(pp_session *s, const char *path, bool force);

#endif

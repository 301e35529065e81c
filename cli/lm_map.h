/* map of a language model: figures of the whole, a row for each operator. */
#ifndef PP_CLI_LM_MAP_H
#define PP_CLI_LM_MAP_H

#include "cli/session.h"

pp_status pp_map_lm(pp_session *s, const pp_parsed *p);

#endif

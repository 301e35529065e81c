/* `model show` of a language model. */
#ifndef PP_CLI_MODEL_LM_H
#define PP_CLI_MODEL_LM_H

#include "base/status.h"

#include <stdbool.h>

pp_status pp_model_lm_show(const char *model, bool json);

#endif

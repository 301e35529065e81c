/* Reading back settings that the program wrote itself (JSON objects). The first error stays; later reads give 0. */
#ifndef PP_WORKLOADS_SETTINGS_H
#define PP_WORKLOADS_SETTINGS_H

#include "workloads/lm.h"

typedef struct pp_settings {
    const pp_node *node;
    pp_status status;
} pp_settings;

int64_t pp_settings_whole(pp_settings *r, const char *key, int64_t most); /* 0..most */
double pp_settings_real(pp_settings *r, const char *key);
bool pp_settings_truth(pp_settings *r, const char *key);
/* Into out[size], which must hold zeros; JSON's null leaves it empty. */
void pp_settings_text(pp_settings *r, const char *key, char *out, size_t size);

/* Object "config" of a quantized language model's folder. */
pp_status pp_lm_config_parse(pp_lm_config *out, const pp_node *config);

#endif

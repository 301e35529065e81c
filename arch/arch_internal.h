/* What the files of arch/ share with each other only. */
#ifndef PP_ARCH_ARCH_INTERNAL_H
#define PP_ARCH_ARCH_INTERNAL_H

#include "arch/arch.h"

/* A value that a preset gives to a knob. */
typedef struct pp_preset_value {
    const char *section, *name, *value;
} pp_preset_value;

typedef struct pp_preset {
    const char *name, *source;
    const pp_preset_value *value; /* ends with a row of NULLs */
} pp_preset;

/* Row of the table, NULL for an unknown name. */
const pp_preset *pp_preset_find(const char *name);
/* Checks that go across fields. `config` gives the places in messages; NULL: none. */
pp_status pp_arch_check(const pp_arch *arch, const pp_config *config);

#endif

/* From settings and a preset to a hardware description. */
#include "arch/arch_internal.h"

#include <stdlib.h>
#include <string.h>

#define NONE "none"

static pp_status unknown_preset(const char *name, const pp_config *config)
{
    const char *names[16] = {NONE};
    size_t n = 1;
    for (const char *p; n < 16 && (p = pp_arch_preset(n - 1, NULL)) != NULL; n++)
        names[n] = p;
    const char *place = config ? pp_config_place(config, "arch", "preset") : "preset";
    const char *near = pp_nearest(name, names, n);
    if (near)
        return pp_fail(PP_EINVAL, "%s: unknown preset %.40s; did you mean %s?", place, name, near);
    return pp_fail(PP_EINVAL, "%s: unknown preset %.40s; expected none, 5pp-2019, hermes64, hermes64-4phase, bruschi2023 or isaac", place, name);
}

/* Index of `word` in "a|b|c"; -1 when it is none of them. */
static int choice_index(const char *choices, const char *word)
{
    const size_t length = strlen(word);
    int index = 0;
    for (const char *c = choices; *c != '\0'; index++) {
        const size_t span = strcspn(c, "|");
        if (span == length && memcmp(c, word, length) == 0)
            return index;
        c += span + (c[span] == '|');
    }
    return -1;
}

/* Stores a preset's value in the knob's field. The table of presets is ours, so that a value that does
 * not fit its knob is our mistake. */
static pp_status assign(const pp_knob *knob, const char *value, void *options)
{
    char *field = (char *)options + knob->offset;
    int64_t integer = 0;
    double real = 0.0;
    const bool truth = strcmp(value, "true") == 0;
    const int choice = knob->type == PP_KNOB_CHOICE ? choice_index(knob->choices, value) : -1;
    bool good = true;
    if (knob->type == PP_KNOB_INT && (good = pp_parse_i64(value, &integer)))
        memcpy(field, &integer, sizeof integer);
    else if (knob->type == PP_KNOB_REAL && (good = pp_parse_f64(value, &real)))
        memcpy(field, &real, sizeof real);
    else if (knob->type == PP_KNOB_BOOL)
        memcpy(field, &truth, sizeof truth);
    else if (knob->type == PP_KNOB_TEXT)
        memcpy(field, &value, sizeof value);
    else if (knob->type == PP_KNOB_CHOICE && (good = choice >= 0))
        memcpy(field, &choice, sizeof choice);
    return good ? PP_OK : pp_fail(PP_EINTERNAL, "preset value %s does not fit %s.%s", value, knob->section, knob->name);
}

static const pp_knob *find_knob(const pp_knob_table *table, const pp_preset_value *v)
{
    for (size_t i = 0; i < table->n; i++)
        if (strcmp(table->knobs[i].section, v->section) == 0 && strcmp(table->knobs[i].name, v->name) == 0)
            return &table->knobs[i];
    return NULL;
}

pp_status pp_arch_preset_apply(const char *preset, const pp_config *config, const pp_knob_table *table,
                               void *options)
{
    if (strcmp(preset, NONE) == 0)
        return PP_OK;
    const pp_preset *p = pp_preset_find(preset);
    if (!p)
        return unknown_preset(preset, config);
    for (const pp_preset_value *v = p->value; v->section; v++) {
        const pp_knob *knob = find_knob(table, v);
        if (knob && !pp_config_is_set(config, v->section, v->name))
            PP_TRY(assign(knob, v->value, options));
    }
    return PP_OK;
}

pp_status pp_arch_check(const pp_arch *arch, const pp_config *config)
{
    const char *weights = config ? pp_config_place(config, "arch", "weights") : "preset";
    const char *adc = config ? pp_config_place(config, "arch", "adc_bits") : "preset";
    if (arch->weights == PP_WEIGHTS_FLOAT && arch->cell_bits > 0)
        return pp_fail(PP_EINVAL, "%s: arch.weights: float weights need analog devices (arch.cell_bits 0, not %lld)",
                       weights, (long long)arch->cell_bits);
    if (arch->adc_bits > arch->psum_bits)
        return pp_fail(PP_EINVAL,
                       "%s: arch.adc_bits: codes of %lld bits do not fit partial sums of %lld (arch.psum_bits)", adc,
                       (long long)arch->adc_bits, (long long)arch->psum_bits);
    return PP_OK;
}

/* `preset` lies in `config` or with the caller; the one of our table, or "none", outlives both. */
static void own_preset(pp_arch *out, const char *preset)
{
    const pp_preset *p = pp_preset_find(preset);
    out->preset = p ? p->name : NONE;
}

pp_status pp_arch_resolve(pp_arch *out, const pp_config *config)
{
    const pp_knob_table table = pp_arch_knobs();
    pp_arch arch = {0};
    PP_TRY(pp_config_bind(config, &table, &arch));
    PP_TRY(pp_arch_preset_apply(arch.preset, config, &table, &arch));
    own_preset(&arch, arch.preset);
    PP_TRY(pp_arch_check(&arch, config));
    *out = arch;
    return PP_OK;
}

pp_status pp_arch_from_preset(pp_arch *out, const char *preset)
{
    const pp_knob_table table = pp_arch_knobs();
    pp_config *config = NULL;
    pp_arch arch = {0};
    PP_TRY(pp_config_new(&config, &table, 1));
    pp_status status = pp_config_bind(config, &table, &arch);
    if (status == PP_OK)
        status = pp_arch_preset_apply(preset, config, &table, &arch);
    own_preset(&arch, preset);
    pp_config_free(config);
    if (status == PP_OK)
        status = pp_arch_check(&arch, NULL);
    if (status == PP_OK)
        *out = arch;
    return status;
}

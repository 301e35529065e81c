/* The cost table: preset, overrides, rules, and what follows from it for a whole array. */
#include "arch/cost_internal.h"

#include <math.h>
#include <string.h>

#define OVERRIDE "run file"

/* ---- resolving ---- */

static bool fits(const pp_cost_preset_table *p, const pp_arch *arch)
{
    return p->rows == 0 || ((int64_t)p->rows == arch->rows && (int64_t)p->cols == arch->cols);
}

/* The costs published for the hardware of arch.preset, as long as its arrays are still those. */
static const pp_cost_preset_table *automatic(const pp_arch *arch)
{
    static const char *const pair[][2] = {{"hermes64", "legallo2023"},
                                          {"hermes64-4phase", "legallo2023-4phase"},
                                          {"isaac", "isaac2016"},
                                          {"bruschi2023", "bruschi2023"}};
    for (size_t i = 0; i < sizeof pair / sizeof pair[0]; i++) {
        const pp_cost_preset_table *p = pp_cost_preset_find(pair[i][1]);
        if (strcmp(arch->preset, pair[i][0]) == 0 && fits(p, arch))
            return p;
    }
    return pp_cost_preset_find("generic");
}

static pp_status unknown_preset(const char *name, const char *place)
{
    const char *names[16] = {"auto"};
    size_t n = 1;
    for (const char *p; n < 16 && (p = pp_cost_preset(n - 1, NULL)) != NULL; n++)
        names[n] = p;
    const char *near = pp_nearest(name, names, n);
    if (near != NULL)
        return pp_fail(PP_EINVAL, "%s: unknown cost preset %.40s; did you mean %s?", place, name, near);
    return pp_fail(PP_EINVAL, "%s: unknown cost preset %.40s; expected auto, none, generic, legallo2023, "
                   "legallo2023-4phase, isaac2016 or bruschi2023", place, name);
}

/* A conversion costs about twice as much for each bit (figure of merit an effective level); areas stay. */
static void scale_converter(pp_cost *out, const pp_cost_preset_table *p, const pp_arch *arch)
{
    if (p->adc_bits > 0 && arch->adc_bits > 0)
        out->energy[PP_ACTION_ADC].value *= exp2((double)(arch->adc_bits - p->adc_bits));
}

static void fill(pp_cost *out, const pp_cost_preset_table *p)
{
    *out = (pp_cost){.preset = p->name, .source = p->source, .boundary = p->boundary, .scope = p->scope};
    for (size_t i = 0; i < p->n; i++) {
        const pp_cost_row *r = &p->row[i];
        pp_figure *f = r->area ? &out->area[r->what] : &out->energy[r->what];
        *f = (pp_figure){r->value, r->source, r->year, r->node_nm};
    }
}

static pp_status open_preset(pp_cost *out, const char *name, const pp_arch *arch, const char *place, bool own_mvm)
{
    const pp_cost_preset_table *p = strcmp(name, "auto") == 0 ? automatic(arch) : pp_cost_preset_find(name);
    if (p == NULL)
        return unknown_preset(name, place);
    if (!fits(p, arch) && !own_mvm)
        return pp_fail(PP_EINVAL, "%s: %s prices an MVM on arrays of %u x %u, arch.rows x arch.cols is %lld x %lld: "
                       "set cost.mvm_fj", place, p->name, p->rows, p->cols, (long long)arch->rows, (long long)arch->cols);
    fill(out, p);
    scale_converter(out, p, arch);
    return PP_OK;
}

pp_status pp_cost_from_preset(pp_cost *out, const char *preset, const pp_arch *arch)
{
    return open_preset(out, preset, arch, "cost preset", false);
}

static pp_figure own(double value)
{
    return (pp_figure){value, OVERRIDE, 0, 0};
}

static void apply(pp_cost *out, const pp_config *config, const pp_cost_options *o)
{
    for (int a = 0; a < PP_ACTION_COUNT; a++)
        if (pp_config_is_set(config, "cost", pp_cost_energy_knob((pp_action)a)))
            out->energy[a] = own(o->energy[a]);
    for (int c = 0; c < PP_COMPONENT_COUNT; c++)
        if (pp_config_is_set(config, "cost", pp_cost_area_knob((pp_component)c)))
            out->area[c] = own(o->area[c]);
    if (o->boundary > 0)
        out->boundary = o->boundary - 1;
    if (o->scope > 0)
        out->scope = o->scope - 1;
}

/* Whole and parts: the line names the figure that the user set, its place, and what it stands against. */
static pp_status twice(const pp_config *config, const pp_cost *cost, const char *whole, const char *part, const char *what)
{
    const char *named = pp_config_is_set(config, "cost", part) ? part : whole, *other = named == part ? whole : part;
    const char *from = pp_config_is_set(config, "cost", other) ? "also set" : cost->preset;
    return pp_fail(PP_EINVAL, "%s: cost.%s beside cost.%s (%s): the %s of an MVM is given as a whole or in parts, never both; "
                   "0 turns a figure off", pp_config_place(config, "cost", named), named, other, from, what);
}

static pp_status check(const pp_cost *cost, const pp_config *config)
{
    static const pp_action energy_part[] = {PP_ACTION_ARRAY, PP_ACTION_DAC, PP_ACTION_ADC, PP_ACTION_SHIFT_ADD};
    static const pp_component area_part[] = {PP_COMPONENT_CELL, PP_COMPONENT_DAC, PP_COMPONENT_ADC};
    for (size_t i = 0; i < sizeof energy_part / sizeof energy_part[0]; i++)
        if (cost->energy[PP_ACTION_MVM].value > 0 && cost->energy[energy_part[i]].value > 0)
            return twice(config, cost, "mvm_fj", pp_cost_energy_knob(energy_part[i]), "energy");
    for (size_t i = 0; i < sizeof area_part / sizeof area_part[0]; i++)
        if (cost->area[PP_COMPONENT_MVM].value > 0 && cost->area[area_part[i]].value > 0)
            return twice(config, cost, "mvm_um2", pp_cost_area_knob(area_part[i]), "area");
    return PP_OK;
}

pp_status pp_cost_resolve(pp_cost *out, const pp_config *config, const pp_arch *arch)
{
    const pp_knob_table table = pp_cost_knobs();
    pp_cost_options o = {0};
    pp_cost cost;
    PP_TRY(pp_config_bind(config, &table, &o));
    PP_TRY(open_preset(&cost, o.preset, arch, pp_config_place(config, "cost", "preset"),
                       pp_config_is_set(config, "cost", "mvm_fj")));
    apply(&cost, config, &o);
    PP_TRY(check(&cost, config));
    *out = cost;
    return PP_OK;
}

/* ---- area ---- */

bool pp_cost_has_area(const pp_cost *cost)
{
    for (int c = 0; c < PP_COMPONENT_COUNT; c++)
        if (cost->area[c].value > 0)
            return true;
    return false;
}

uint64_t pp_component_count(pp_component c, const pp_arch *arch, uint32_t cores)
{
    const uint64_t rows = (uint64_t)arch->rows, cols = (uint64_t)arch->cols;
    switch (c) {
    case PP_COMPONENT_CELL:
        return cores * rows * cols;
    case PP_COMPONENT_DAC:
        return cores * rows;
    case PP_COMPONENT_ADC:
        return cores * (arch->adcs > 0 ? (uint64_t)arch->adcs : cols);
    case PP_COMPONENT_CHIP:
        return 1;
    default:
        return cores;
    }
}

double pp_cost_area_um2(const pp_cost *cost, const pp_arch *arch, uint32_t cores)
{
    double sum = 0;
    for (int c = 0; c < PP_COMPONENT_COUNT; c++)
        sum += cost->area[c].value * (double)pp_component_count((pp_component)c, arch, cores);
    return sum;
}

/* ---- energy ---- */

void pp_cost_count_mvm(double count[PP_ACTION_COUNT], const pp_cost *cost, const pp_arch *arch, uint32_t rows_used,
                       uint32_t cols_used, uint32_t in_bits, uint32_t wbits, double mvms)
{
    const bool whole = cost->scope == PP_SCOPE_WHOLE;
    const double rows = whole ? (double)arch->rows : rows_used, cols = whole ? (double)arch->cols : cols_used;
    const pp_mvm_time t = pp_arch_mvm(arch, cols_used, in_bits, wbits);
    const double reads = mvms * t.reads;
    /* A lumped read of part of an array, where only what is used is charged, costs that part. */
    count[PP_ACTION_MVM] += reads * (rows * cols / ((double)arch->rows * (double)arch->cols));
    count[PP_ACTION_ARRAY] += reads * rows * cols;
    count[PP_ACTION_DAC] += reads * rows;
    count[PP_ACTION_ADC] += reads * cols;
    if (t.reads > 1 || pp_arch_slices(arch, wbits) > 1)
        count[PP_ACTION_SHIFT_ADD] += reads * cols;
}

double pp_cost_price_fj(const pp_cost *cost, const double count[PP_ACTION_COUNT])
{
    double sum = 0;
    for (int a = 0; a < PP_ACTION_COUNT; a++)
        if ((int)pp_action_boundary((pp_action)a) <= cost->boundary)
            sum += count[a] * cost->energy[a].value;
    return sum;
}

pp_peak pp_cost_peak(const pp_cost *cost, const pp_arch *arch, uint32_t in_bits, uint32_t wbits, uint32_t cores)
{
    pp_peak p = {0};
    double count[PP_ACTION_COUNT] = {0};
    const uint32_t rows = (uint32_t)arch->rows, cols = (uint32_t)arch->cols;
    const double interval_ns = (double)pp_arch_mvm(arch, cols, in_bits, wbits).interval_ps * 1e-3;
    const double weights = (double)rows * (double)(cols / pp_arch_slices(arch, wbits));
    pp_cost_count_mvm(count, cost, arch, rows, cols, in_bits, wbits, cores);
    p.mvm_fj = pp_cost_price_fj(cost, count) / cores;
    count[PP_ACTION_STATIC_CORE] = interval_ns * cores;
    count[PP_ACTION_STATIC_CHIP] = interval_ns;
    for (int a = 0; a < PP_ACTION_COUNT; a++)
        if ((int)pp_action_boundary((pp_action)a) <= cost->boundary)
            p.watt_of[a] = 1e-6 * count[a] * cost->energy[a].value / interval_ns;
    p.watt = 1e-6 * pp_cost_price_fj(cost, count) / interval_ns;
    p.tops = 1e-3 * 2 * weights * cores / interval_ns;
    p.tops_per_w = p.watt > 0 ? p.tops / p.watt : 0;
    p.area_mm2 = 1e-6 * pp_cost_area_um2(cost, arch, cores);
    p.tops_per_mm2 = p.area_mm2 > 0 ? p.tops / p.area_mm2 : 0;
    return p;
}

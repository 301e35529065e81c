/* Published chips as the cost presets make them: every core starts an MVM on its whole array as soon as it can.
 * No timing: the figures that papers/ quotes, beside those that the papers print.
 *
 * usage: pp_bench_costs */
#include "arch/cost.h"

#include <stdio.h>

typedef struct chip {
    const char *name, *arch;
    uint32_t in_bits, wbits, cores, tiles;
    const char *published;
} chip;

static const chip chips[] = {
    {"legallo2023, one phase", "hermes64", 8, 4, 64, 0, "63.1 TOPS, 9.76 TOPS/W, 13.44 nJ an MVM"},
    {"legallo2023, four phases", "hermes64-4phase", 8, 4, 64, 0, "16.1 TOPS, 2.48 TOPS/W"},
    {"isaac2016", "isaac", 16, 16, 168 * 96, 168,
     "41.3 TOPS, 65.8 W, 85.4 mm2, 627 GOPS/W, 483 GOPS/mm2; tile 330 mW, ADCs 58 %"},
    {"bruschi2023", "bruschi2023", 8, 4, 512, 0, "480 mm2; khaddam2022: 1.008 TOPS an array, 10.5 TOPS/W"},
};

static pp_status print_chip(const chip *c)
{
    pp_arch arch;
    pp_cost cost;
    PP_TRY(pp_arch_from_preset(&arch, c->arch));
    PP_TRY(pp_cost_from_preset(&cost, "auto", &arch));
    const pp_peak p = pp_cost_peak(&cost, &arch, c->in_bits, c->wbits, c->cores);
    printf("%s: %u arrays of %lld x %lld, boundary %s\n", c->name, c->cores, (long long)arch.rows, (long long)arch.cols,
           pp_boundary_name((pp_boundary)cost.boundary));
    printf("  ours       %.2f TOPS, %.2f W, %.3f TOPS/W, %.3f nJ an MVM", p.tops, p.watt, p.tops_per_w, 1e-6 * p.mvm_fj);
    if (p.area_mm2 > 0)
        printf(", %.2f mm2, %.1f GOPS/mm2", p.area_mm2, 1e3 * p.tops_per_mm2);
    if (c->tiles > 0) {
        const double tile_w = (p.watt - p.watt_of[PP_ACTION_STATIC_CHIP]) / c->tiles;
        printf("; tile %.1f mW, ADCs %.1f %%", 1e3 * tile_w, 100 * p.watt_of[PP_ACTION_ADC] / c->tiles / tile_w);
    }
    printf("\n  published  %s\n", c->published);
    return PP_OK;
}

int main(void)
{
    for (size_t i = 0; i < sizeof chips / sizeof chips[0]; i++)
        if (print_chip(&chips[i]) != PP_OK) {
            fprintf(stderr, "pp_bench_costs: %s\n", pp_error_text());
            return 1;
        }
    return 0;
}

/* Published hardware as defaults. Every figure has its source beside it. */
#include "arch/arch_internal.h"

#include <string.h>

/* PAPER: joshi2020 p. 11: ResNet-32 on 5PP, 100 ns crossbar cycle, 5 Gbit/s channels, 8-bit
 * activations. 512 x 512 and four lanes are our reading (facts: widths 16-28-56 need 504 rows; only
 * 20 Gbit/s a link reaches the published rate), not printed there. */
static const pp_preset_value values_5pp_2019[] = {
    {"arch", "rows", "512"},
    {"arch", "cols", "512"},
    {"arch", "cells", "differential"},
    {"arch", "cell_bits", "0"},
    {"arch", "input", "parallel"},
    {"arch", "mvm_ps", "100000"},
    {"arch", "phases", "1"},
    {"arch", "adcs", "0"},
    {"arch", "adc_bits", "8"},
    {"fabric", "kind", "5pp"},
    {"fabric", "width_bits", "8"}, /* 8 bit x 625 MHz = 5 Gbit/s a lane */
    {"fabric", "clock_hz", "625000000"},
    {"fabric", "lanes", "4"},
    {NULL, NULL, NULL},
};

/* PAPER: legallo2023: 8 x 8 cores of 256 x 256, 256 ADCs each, 8-bit PWM inputs at 1 ns a step, MVM of
 * 133 ns in one phase: 127 steps + 6 ns. Four phases take 520 ns there; 4 x 133 is 532, because the
 * fixed part is not paid four times: knob phases = 4 is 2 % slow. Links: 8 bit at 400 MHz. */
static const pp_preset_value values_hermes64[] = {
    {"arch", "rows", "256"},
    {"arch", "cols", "256"},
    {"arch", "cells", "differential"},
    {"arch", "cell_bits", "0"},
    {"arch", "input", "pwm"},
    {"arch", "t_lsb_ps", "1000"},
    {"arch", "t_fix_ps", "6000"},
    {"arch", "phases", "1"},
    {"arch", "adcs", "256"},
    {"arch", "adc_bits", "8"},
    {"arch", "psum_bits", "16"},
    {"fabric", "kind", "5pp"},
    {"fabric", "rows", "8"},
    {"fabric", "cols", "8"},
    {"fabric", "width_bits", "8"},
    {"fabric", "clock_hz", "400000000"},
    {"fabric", "lanes", "1"},
    {NULL, NULL, NULL},
};

/* PAPER: legallo2023: MVM of 520 ns in four phases. The fixed part of a read is 6 ns in one phase; 3 ns a read is what
 * 520 = 4 x (127 + 3) leaves. */
static const pp_preset_value values_hermes64_4phase[] = {
    {"arch", "rows", "256"},
    {"arch", "cols", "256"},
    {"arch", "cells", "differential"},
    {"arch", "cell_bits", "0"},
    {"arch", "input", "pwm"},
    {"arch", "t_lsb_ps", "1000"},
    {"arch", "t_fix_ps", "3000"},
    {"arch", "phases", "4"},
    {"arch", "adcs", "256"},
    {"arch", "adc_bits", "8"},
    {"arch", "psum_bits", "16"},
    {"fabric", "kind", "5pp"},
    {"fabric", "rows", "8"},
    {"fabric", "cols", "8"},
    {"fabric", "width_bits", "8"},
    {"fabric", "clock_hz", "400000000"},
    {"fabric", "lanes", "1"},
    {NULL, NULL, NULL},
};

/* PAPER: bruschi2023: clusters around a 256 x 256 array whose MVM takes 130 ns. Its converters are those of khaddam2022,
 * one a column. Its network of clusters is not described here: fabric and channels stay free. */
static const pp_preset_value values_bruschi2023[] = {
    {"arch", "rows", "256"},
    {"arch", "cols", "256"},
    {"arch", "cells", "differential"},
    {"arch", "cell_bits", "0"},
    {"arch", "input", "parallel"},
    {"arch", "mvm_ps", "130000"},
    {"arch", "phases", "1"},
    {"arch", "adcs", "256"},
    {"arch", "adc_bits", "8"},
    {NULL, NULL, NULL},
};

/* PAPER: shafiee2016 (ISAAC): 128 x 128 arrays of 2-bit cells, 16-bit weights as 8 slices with an
 * offset, 16-bit inputs bit by bit in cycles of 100 ns, one 8-bit ADC at 1.28 GS/s for the 128 columns.
 * Its pipeline (from memory of the figure): cycle 1 eDRAM read and input register, 2-17 crossbar, 18 ADC
 * of the last bit, 19 shift and add, 20 output register, 21 sigmoid, 22 eDRAM write. Crossbar and ADC
 * come from the MVM; the other five cycles are pipeline_ps. 128 conversions of 781 ps end 32 ps before
 * the cycle does, and the next stage waits for the clock: 5 x 100 ns + 32 ps. */
static const pp_preset_value values_isaac[] = {
    {"arch", "rows", "128"},
    {"arch", "cols", "128"},
    {"arch", "cells", "offset"},
    {"arch", "cell_bits", "2"},
    {"arch", "weights", "codes"},
    {"arch", "input", "bit_serial"},
    {"arch", "bit_ps", "100000"},
    {"arch", "dac_bits", "1"},
    {"arch", "phases", "1"},
    {"arch", "adcs", "1"},
    {"arch", "adc_ps", "781"},
    {"arch", "adc_bits", "8"},
    {"arch", "pipeline_ps", "500032"},
    {"arch", "psum_bits", "16"},
    {"arch", "clock_hz", "10000000"}, /* its "cycle" is the crossbar's */
    {NULL, NULL, NULL},
};

static const pp_preset presets[] = {
    {"5pp-2019", "joshi2020 p. 11; array size and four lanes inferred", values_5pp_2019},
    {"hermes64", "legallo2023, main text and link controller", values_hermes64},
    {"hermes64-4phase", "legallo2023, four-phase MVM of 520 ns", values_hermes64_4phase},
    {"bruschi2023", "bruschi2023, cluster of 256 x 256 with an MVM of 130 ns", values_bruschi2023},
    {"isaac", "shafiee2016, tile pipeline of the ISCA paper", values_isaac},
};
#define N_PRESETS (sizeof presets / sizeof presets[0])

const char *pp_arch_preset(size_t i, const char **source)
{
    if (source)
        *source = i < N_PRESETS ? presets[i].source : NULL;
    return i < N_PRESETS ? presets[i].name : NULL;
}

const pp_preset *pp_preset_find(const char *name)
{
    for (size_t i = 0; i < N_PRESETS; i++)
        if (strcmp(presets[i].name, name) == 0)
            return &presets[i];
    return NULL;
}

bool pp_arch_preset_value(const char *preset, size_t i, const char **section, const char **name, const char **value)
{
    const pp_preset *p = pp_preset_find(preset);
    if (!p)
        return false;
    size_t n = 0;
    while (p->value[n].section)
        n++;
    if (i >= n)
        return false;
    *section = p->value[i].section;
    *name = p->value[i].name;
    *value = p->value[i].value;
    return true;
}

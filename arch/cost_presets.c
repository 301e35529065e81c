/* Published energies and areas. Every figure has its source beside it; "derived" is our arithmetic on what the source
 * prints, and the papers/ pages show it. */
#include "arch/cost_internal.h"

#include <string.h>

#define E(action_, value_, source_, year_, node_) {false, PP_ACTION_##action_, value_, source_, year_, node_}
#define A(component_, value_, source_, year_, node_) {true, PP_COMPONENT_##component_, value_, source_, year_, node_}

/* PAPER: legallo2023: one-phase MVM of 256 x 256 on the 64-core chip. */
static const pp_cost_row legallo2023[] = {
    E(MVM, 13.44e6, "legallo2023: 13.44 nJ an MVM of 256 x 256 in one phase", 2023, 14),
};

/* PAPER: legallo2023: 2.48 TOPS/W in four phases: 131072 operations / 2.48 = 52.85 nJ, a quarter for each read. */
static const pp_cost_row legallo2023_4phase[] = {
    E(MVM, 131072.0 / 2.48 * 1e3 / 4, "legallo2023: 2.48 TOPS/W in four phases, derived a read", 2023, 14),
};

/* PAPER: shafiee2016 table I. Powers there are at full load. What follows the MVMs is turned into energy an action
 * (an array makes a read of 100 ns with 128 rows and 16384 cells, and 128 conversions at 1.28 GS/s); buffers, bus,
 * router and the tile's digital units are charged as constant power, divided over the 96 arrays of a tile. */
#define READ_NS 100.0
#define IMA_ARRAYS 8.0
#define TILE_ARRAYS 96.0
#define ROWS 128.0
#define CELLS (ROWS * 128.0)
#define GSPS 1.28
#define MM2 1e6
static const pp_cost_row isaac2016[] = {
    E(ARRAY, 2.4e3 / IMA_ARRAYS * READ_NS / CELLS, "shafiee2016 table I: 8 arrays 2.4 mW, derived", 2016, 32),
    E(DAC, 4e3 / IMA_ARRAYS * READ_NS / ROWS, "shafiee2016 table I: 8 x 128 DACs 4 mW, derived", 2016, 32),
    E(ADC, 16e3 / IMA_ARRAYS / GSPS, "shafiee2016 table I: 8 ADCs 16 mW at 1.28 GS/s, derived; x 2 a bit from 8", 2016, 32),
    E(SHIFT_ADD, 0.2e3 / IMA_ARRAYS / GSPS, "shafiee2016 table I: 4 shift-and-add 0.2 mW, derived", 2016, 32),
    E(STATIC_CORE,
      (0.01 + 1.24 + 0.23) * 1e3 / IMA_ARRAYS + (20.7 + 7 + 42 / 4.0 + 0.52 + 0.05 + 0.4 + 1.68) * 1e3 / TILE_ARRAYS,
      "shafiee2016 table I: S+H, registers, eDRAM, bus, router / 4, sigmoid, S+A, pool; derived an array", 2016, 32),
    E(STATIC_CHIP, 10.4e6, "shafiee2016 table I: HyperTransport 10.4 W", 2016, 32),
    A(CELL, 0.0002 * MM2 / IMA_ARRAYS / CELLS, "shafiee2016 table I: 8 arrays 0.0002 mm2, derived", 2016, 32),
    A(DAC, 0.00017 * MM2 / IMA_ARRAYS / ROWS, "shafiee2016 table I: 8 x 128 DACs 0.00017 mm2, derived", 2016, 32),
    A(ADC, 0.0096 * MM2 / IMA_ARRAYS, "shafiee2016 table I: 8 ADCs 0.0096 mm2, derived", 2016, 32),
    A(DIGITAL, (0.00024 + 0.00004) * MM2 / IMA_ARRAYS + (0.0006 + 0.00006 + 0.00024) * MM2 / TILE_ARRAYS,
      "shafiee2016 table I: S+A, S+H, sigmoid, pool; derived an array", 2016, 32),
    A(BUFFER, (0.0021 + 0.00077) * MM2 / IMA_ARRAYS + (0.083 + 0.0032) * MM2 / TILE_ARRAYS,
      "shafiee2016 table I: registers, eDRAM; derived an array", 2016, 32),
    A(ROUTER, 0.151 / 4 * MM2 / TILE_ARRAYS, "shafiee2016 table I: router 0.151 mm2 for 4 tiles, derived an array", 2016, 32),
    A(CORE, 0.090 * MM2 / TILE_ARRAYS, "shafiee2016 table I: bus 0.090 mm2 a tile, derived an array", 2016, 32),
    A(CHIP, 22.88 * MM2, "shafiee2016 table I: HyperTransport 22.88 mm2", 2016, 32),
};

/* PAPER: bruschi2023: 480 mm2 for 512 clusters, each around the array of khaddam2022: 1.008 TOPS (256 x 256 in 130 ns),
 * 10.5 TOPS/W, 1.59 TOPS/mm2. The rest of a cluster's energy is not published an action. */
static const pp_cost_row bruschi2023[] = {
    E(MVM, 131072.0 / 10.5 * 1e3, "khaddam2022: 10.5 TOPS/W on 256 x 256, derived", 2022, 14),
    A(MVM, 131072.0 / 130e3 / 1.59 * MM2, "khaddam2022: 1.59 TOPS/mm2, derived at 130 ns", 2022, 14),
    A(CORE, 480.0 / 512 * MM2 - 131072.0 / 130e3 / 1.59 * MM2,
      "bruschi2023: 480 mm2 / 512 clusters less the array, derived", 2023, 0),
};

/* No chip: single figures from several sources and nodes, for orders of magnitude and for comparing mappings. */
static const pp_cost_row generic[] = {
    E(ARRAY, 20, "derived: V^2 G t = (0.2 V)^2 x 5 uS x 100 ns", 0, 0),
    E(DAC, 4e3 / IMA_ARRAYS * READ_NS / ROWS, "shafiee2016 table I: row driver, derived", 2016, 32),
    E(ADC, 3.1e3 / 1.2, "kull2013: 8 bit, 1.2 GS/s, 3.1 mW; derived; x 2 a bit from 8", 2013, 32),
    E(SHIFT_ADD, 50, "horowitz2014: 16-bit addition", 2014, 45),
    E(SCALE, 250, "horowitz2014: 8-bit multiplication, 16-bit addition", 2014, 45),
    E(ADD, 50, "horowitz2014: 16-bit addition", 2014, 45),
    E(RESIDUAL, 250, "horowitz2014: 8-bit multiplication, 16-bit addition", 2014, 45),
    E(ACTIVATION, 30, "horowitz2014: 8-bit addition, for a comparison", 2014, 45),
    E(POOL, 30, "horowitz2014: 8-bit addition", 2014, 45),
    E(REQUANTIZE, 230, "horowitz2014: 8-bit multiplication, 8-bit addition", 2014, 45),
    E(BUFFER_WRITE, 10e3 / 64, "horowitz2014: 8 kB cache, 10 pJ for 64 bits; writing taken as reading", 2014, 45),
    E(BUFFER_READ, 10e3 / 64, "horowitz2014: 8 kB cache, 10 pJ for 64 bits", 2014, 45),
    E(ROUTER, 42e3 / (8 * 32 * 1.2), "shafiee2016 table I: router of 8 ports x 32 bit 42 mW, derived at 1.2 GHz", 2016, 32),
    E(WIRE, 310e3 / 2560, "keckler2011: 310 pJ for 256 bits over 10 mm, derived", 2011, 40),
    E(DRAM, 1.3e6 / 64, "horowitz2014: 1.3 nJ for 64 bits, the lower end", 2014, 45),
    A(CELL, 0.0002 * MM2 / IMA_ARRAYS / CELLS, "shafiee2016 table I: 8 arrays 0.0002 mm2, derived", 2016, 32),
    A(DAC, 0.00017 * MM2 / IMA_ARRAYS / ROWS, "shafiee2016 table I: 8 x 128 DACs 0.00017 mm2, derived", 2016, 32),
    A(ADC, 1500, "kull2013: 0.0015 mm2", 2013, 32),
    A(BUFFER, 83000, "shafiee2016 table I: 64 kB of eDRAM 0.083 mm2", 2016, 32),
    A(ROUTER, 151000, "shafiee2016 table I: router of 8 ports x 32 bit 0.151 mm2", 2016, 32),
};

#define PRESET(name_, source_, boundary_, scope_, rows_, cols_, adc_bits_, table_)                                                \
    {name_, source_, PP_BOUNDARY_##boundary_, PP_SCOPE_##scope_, rows_, cols_, adc_bits_, table_, sizeof table_ / sizeof table_[0]}

static const pp_cost_preset_table preset[] = {
    PRESET("generic", "several, papers/README.md", CHIP, USED, 0, 0, 8, generic),
    PRESET("legallo2023", "legallo2023, one-phase MVM", MVM, WHOLE, 256, 256, 0, legallo2023),
    PRESET("legallo2023-4phase", "legallo2023, four-phase MVM", MVM, WHOLE, 256, 256, 0, legallo2023_4phase),
    PRESET("isaac2016", "shafiee2016 table I", CHIP, WHOLE, 0, 0, 8, isaac2016),
    PRESET("bruschi2023", "bruschi2023, array of khaddam2022", MVM, WHOLE, 256, 256, 0, bruschi2023),
    {"none", "nothing is priced", PP_BOUNDARY_CHIP, PP_SCOPE_WHOLE, 0, 0, 0, NULL, 0},
};

const pp_cost_preset_table *pp_cost_preset_at(size_t i)
{
    return i < sizeof preset / sizeof preset[0] ? &preset[i] : NULL;
}

const pp_cost_preset_table *pp_cost_preset_find(const char *name)
{
    for (size_t i = 0; pp_cost_preset_at(i) != NULL; i++)
        if (strcmp(preset[i].name, name) == 0)
            return &preset[i];
    return NULL;
}

const char *pp_cost_preset(size_t i, const char **source)
{
    const pp_cost_preset_table *p = pp_cost_preset_at(i);
    if (source != NULL)
        *source = p != NULL ? p->source : NULL;
    return p != NULL ? p->name : NULL;
}

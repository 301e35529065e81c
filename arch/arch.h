/* arch/: the hardware description, resolved (no default left open).
 *
 * One options struct, one knob table (section "arch"), presets with sources. What a number means is in
 * docs/hardware.md; the knob's sentence is the short form. */
#ifndef PP_ARCH_ARCH_H
#define PP_ARCH_ARCH_H

#include "base/base.h"

typedef enum pp_cells { PP_CELLS_DIFFERENTIAL, PP_CELLS_OFFSET, PP_CELLS_REFERENCE_COLUMN } pp_cells;
typedef enum pp_input_mode { PP_INPUT_PARALLEL, PP_INPUT_PWM, PP_INPUT_BIT_SERIAL } pp_input_mode;
typedef enum pp_weights_kind { PP_WEIGHTS_CODES, PP_WEIGHTS_FLOAT } pp_weights_kind;
typedef enum pp_adc_range { PP_ADC_RANGE_MAX, PP_ADC_RANGE_PERCENTILE, PP_ADC_RANGE_MSE } pp_adc_range;
/* How the numeric path treats the resistance of a crossbar's wires (models: sim/irdrop.h). */
typedef enum pp_ir_drop { PP_IR_DROP_NONE, PP_IR_DROP_FIRST_ORDER, PP_IR_DROP_LINES, PP_IR_DROP_NODAL } pp_ir_drop;
/* Which largest weight takes the largest conductance. */
typedef enum pp_weight_scaling { PP_SCALE_LAYER, PP_SCALE_TILE, PP_SCALE_COLUMN } pp_weight_scaling;
typedef enum pp_subtract { PP_SUBTRACT_ANALOG, PP_SUBTRACT_DIGITAL } pp_subtract;
typedef enum pp_zero_cells { PP_ZERO_PROGRAMMED, PP_ZERO_UNPROGRAMMED } pp_zero_cells;
/* Where an attention unit keeps keys and values. */
typedef enum pp_kv_tier { PP_KV_SRAM, PP_KV_EDRAM, PP_KV_DRAM } pp_kv_tier;
typedef enum pp_adc_scope { PP_ADC_PER_TILE, PP_ADC_PER_COLUMN } pp_adc_scope;

/* Fields follow the knobs of section "arch" one to one (name, unit, default and range: arch/knobs.c). */
typedef struct pp_arch {
    const char *preset;        /* knob arch.preset; its values are defaults below what is set */
    int64_t rows, cols;        /* weights a crossbar holds */
    int cells;                 /* pp_cells */
    int64_t cell_bits;         /* 0 = analog (any value), 1..8 */
    int weights;               /* pp_weights_kind */
    int input;                 /* pp_input_mode */
    int64_t mvm_ps;            /* parallel: one read */
    int64_t t_lsb_ps, t_fix_ps;/* pwm: read = t_lsb (2^(b-1) - 1) + t_fix */
    int64_t bit_ps;            /* bit_serial: one input slice of dac_bits bits */
    int64_t dac_bits;          /* bits converted at once in bit_serial mode; else all input bits */
    int64_t phases;            /* reads for each MVM: 1, 2 (signed inputs), 4 (legallo2023) */
    int64_t adcs;              /* ADCs a crossbar; 0 = one a column */
    int64_t adc_ps;            /* one conversion */
    int64_t adc_bits;          /* 0 = ideal (as wide as needed) */
    int adc_range;             /* pp_adc_range */
    int adc_scope;             /* pp_adc_scope */
    double adc_percentile;
    int64_t pipeline_ps;       /* fill of the tile's pipeline on top of an MVM (latency only): sample
                                  and hold, shift and add, registers */
    int64_t psum_bits;
    int64_t digital_ps;        /* digital unit: latency from the MVM's end to the packet, per position */
    int64_t digital_interval_ps; /* digital unit: time it is busy with a position (stages without matrix) */
    int64_t memory_bytes;      /* local memory a core; 0 = unlimited */
    int ir_drop;               /* pp_ir_drop */
    double wire_row_ohm, wire_col_ohm; /* wire of one cell along a row, along a column */
    double driver_ohm, sense_ohm; /* in series at the driven end of a row, at the sensed end of a column */
    int weight_scaling;        /* pp_weight_scaling */
    int subtract;              /* pp_subtract: sides of a pair before or behind the converter */
    int zero_cells;            /* pp_zero_cells: cells that no weight needs (unrolling, groups) */
    double gmin_ratio;         /* conductance of a zero / largest conductance */
    int64_t dac_levels_bits;   /* resolution of the DACs; 0: that of the stream */
    double dac_percentile;     /* range of a DAC narrower than its stream */
    double core_pitch_mm;
    int64_t rotated_phases;    /* reads for the signed inputs of a rotated stage, at least phases */
    int64_t rotate_lanes;      /* adders of a core's digital unit for rotations */
    double clock_hz;           /* digital clock, for "cycles" in reports */
    int64_t digital_lanes;     /* operations a clock cycle of a core's digital unit (language models: norms,
                                  activations, additions of partial sums) */
    int64_t attention_macs;    /* attention unit (one a key and value head): products a clock cycle */
    int64_t attention_softmax_lanes; /* scores a clock cycle */
    int attention_memory;      /* pp_kv_tier */
    double attention_kv_gbps;  /* bandwidth of a unit's KV memory; 0: the tier's (pp_arch_kv) */
    int64_t attention_kv_bytes; /* capacity of a unit's KV memory; 0: the tier's */
    double attention_kv_fj_bit; /* energy of a bit; 0: the tier's */
} pp_arch;

/* Table of section "arch". */
pp_knob_table pp_arch_knobs(void);
/* Binds the section from `config` (preset first, then what file and --set give), checks across fields
 * (cell_bits against weights, adc_bits ...). `out` borrows text from config. */
pp_status pp_arch_resolve(pp_arch *out, const pp_config *config);

/* Presets: 5pp-2019, hermes64, isaac ...: name, source (papers/ key and where), NULL past the end. */
const char *pp_arch_preset(size_t i, const char **source);
/* Sets the fields of a preset on `out` (all others: knob defaults). The text fields are static. */
pp_status pp_arch_from_preset(pp_arch *out, const char *preset);
/* Values that a preset gives, of every section ("arch", and "fabric" for its channels): the i-th as
 * texts that live as long as the program. False past the end and for unknown presets. Each is a
 * default below what the user set: apply it where pp_config_is_set says no. pp_arch_resolve does so
 * for section "arch". */
bool pp_arch_preset_value(const char *preset, size_t i, const char **section, const char **name, const char **value);
/* The same for the settings of another room: overwrites the fields of `options`, filled from `table`
 * by pp_config_bind, that preset `preset` gives and `config` has not set. */
pp_status pp_arch_preset_apply(const char *preset, const pp_config *config, const pp_knob_table *table,
                               void *options);

/* Column positions that one weight of `wbits` takes: slices of a weight.
 * Hardware model sec. 1: ceil((b-1)/cell_bits) differential, ceil(b/cell_bits) otherwise, 1 analog. */
uint32_t pp_arch_slices(const pp_arch *arch, uint32_t wbits);

/* Time of one MVM that uses `cols` column positions (slices counted), inputs of `in_bits`, weights of
 * `wbits` (slices stand side by side, so that weight passes is 1):
 *   interval = phases x input slices x weight passes x max(read, ceil(cols / ADCs) x adc)
 *   latency  = interval + the pipeline's fill (last conversion, pipeline_ps).
 * Hardware model sec. 2. */
typedef struct pp_mvm_time {
    uint64_t interval_ps, latency_ps, read_ps, convert_ps;
    uint32_t reads; /* phases x input slices x weight passes */
} pp_mvm_time;
pp_mvm_time pp_arch_mvm(const pp_arch *arch, uint32_t cols, uint32_t in_bits, uint32_t wbits);

/* KV memory of an attention unit: what the tier gives where the knobs are 0. `source` says where its figures are
 * from; those without one are assumptions and say so. Static texts. */
typedef struct pp_kv_memory {
    const char *tier, *source;
    double gbps, fj_bit;
    uint64_t bytes;
} pp_kv_memory;
pp_kv_memory pp_arch_kv(const pp_arch *arch);
/* A matrix product of activations in attention units, one a head, all at the same time: `queries` rows of its left factor take
 * `macs` products and `scores` values through softmax each (of one head), and its right factor, `bits` of one head, is read
 * once for all of them. The longer of computing and reading. */
typedef struct pp_product_work {
    uint64_t macs, scores, bits;
    uint32_t queries;
} pp_product_work;
uint64_t pp_arch_product_ps(const pp_arch *arch, const pp_product_work *work);
/* Time of `ops` operations in a core's digital unit: digital_lanes each clock. */
uint64_t pp_arch_digital_ps(const pp_arch *arch, uint64_t ops);

/* The core as a stage behind a rotation sees it: its inputs are signed, so phases is at least rotated_phases. */
pp_arch pp_arch_rotated(const pp_arch *arch);
/* Time of `ops` additions and requantizations in the digital unit: rotate_lanes of them each clock. */
uint64_t pp_arch_rotate_ps(const pp_arch *arch, uint64_t ops);

/* Stable text of all fields, one "name = value" a line; new string. */
pp_status pp_arch_dump(char **out, const pp_arch *arch);

#endif

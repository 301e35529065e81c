/* Names of actions, components and boundaries, and the knobs of section "cost". */
#include "arch/cost_internal.h"

typedef struct action_info {
    const char *name, *unit, *knob;
    pp_energy_class class;
    pp_boundary boundary;
} action_info;

static const action_info action[PP_ACTION_COUNT] = {
    [PP_ACTION_MVM] = {"mvm", "read", "mvm_fj", PP_CLASS_MVM, PP_BOUNDARY_MVM},
    [PP_ACTION_ARRAY] = {"array", "cell read", "array_fj", PP_CLASS_MVM, PP_BOUNDARY_MVM},
    [PP_ACTION_DAC] = {"dac", "row read", "dac_fj", PP_CLASS_MVM, PP_BOUNDARY_MVM},
    [PP_ACTION_ADC] = {"adc", "conversion", "adc_fj", PP_CLASS_MVM, PP_BOUNDARY_MVM},
    [PP_ACTION_SHIFT_ADD] = {"shift_add", "conversion", "shift_add_fj", PP_CLASS_MVM, PP_BOUNDARY_MVM},
    [PP_ACTION_SCALE] = {"scale", "value", "scale_fj", PP_CLASS_DIGITAL, PP_BOUNDARY_CORE},
    [PP_ACTION_ADD] = {"add", "value", "add_fj", PP_CLASS_DIGITAL, PP_BOUNDARY_CORE},
    [PP_ACTION_RESIDUAL] = {"residual", "value", "residual_fj", PP_CLASS_DIGITAL, PP_BOUNDARY_CORE},
    [PP_ACTION_ACTIVATION] = {"activation", "value", "activation_fj", PP_CLASS_DIGITAL, PP_BOUNDARY_CORE},
    [PP_ACTION_POOL] = {"pool", "value", "pool_fj", PP_CLASS_DIGITAL, PP_BOUNDARY_CORE},
    [PP_ACTION_REQUANTIZE] = {"requantize", "value", "requantize_fj", PP_CLASS_DIGITAL, PP_BOUNDARY_CORE},
    [PP_ACTION_BUFFER_WRITE] = {"buffer_write", "bit", "buffer_write_fj", PP_CLASS_BUFFER, PP_BOUNDARY_CORE},
    [PP_ACTION_BUFFER_READ] = {"buffer_read", "bit", "buffer_read_fj", PP_CLASS_BUFFER, PP_BOUNDARY_CORE},
    [PP_ACTION_ROUTER] = {"router", "bit", "router_fj", PP_CLASS_ROUTER, PP_BOUNDARY_CHIP},
    [PP_ACTION_WIRE] = {"wire", "bit mm", "wire_fj", PP_CLASS_WIRE, PP_BOUNDARY_CHIP},
    [PP_ACTION_STATIC_CORE] = {"static_core", "core ns", "static_core_uw", PP_CLASS_STATIC, PP_BOUNDARY_CORE},
    [PP_ACTION_STATIC_CHIP] = {"static_chip", "ns", "static_chip_uw", PP_CLASS_STATIC, PP_BOUNDARY_CHIP},
    [PP_ACTION_DRAM] = {"dram", "bit", "dram_fj", PP_CLASS_DRAM, PP_BOUNDARY_CHIP_DRAM},
};

static const char *const component[PP_COMPONENT_COUNT][2] = {
    [PP_COMPONENT_MVM] = {"mvm", "mvm_um2"},         [PP_COMPONENT_CELL] = {"cell", "cell_um2"},
    [PP_COMPONENT_DAC] = {"dac", "dac_um2"},         [PP_COMPONENT_ADC] = {"adc", "adc_um2"},
    [PP_COMPONENT_DIGITAL] = {"digital", "digital_um2"}, [PP_COMPONENT_BUFFER] = {"buffer", "buffer_um2"},
    [PP_COMPONENT_ROUTER] = {"router", "router_um2"}, [PP_COMPONENT_CORE] = {"core", "core_um2"},
    [PP_COMPONENT_CHIP] = {"chip", "chip_um2"},
};

static const char *const class_name[PP_CLASS_COUNT] = {"mvm", "digital", "buffer", "router", "wire", "static", "dram"};
static const char *const boundary_name[PP_BOUNDARY_COUNT] = {"mvm", "core", "chip", "chip_dram"};

const char *pp_action_name(pp_action a)
{
    return action[a].name;
}

const char *pp_action_unit(pp_action a)
{
    return action[a].unit;
}

pp_energy_class pp_action_class(pp_action a)
{
    return action[a].class;
}

pp_boundary pp_action_boundary(pp_action a)
{
    return action[a].boundary;
}

const char *pp_energy_class_name(pp_energy_class c)
{
    return class_name[c];
}

const char *pp_component_name(pp_component c)
{
    return component[c][0];
}

const char *pp_boundary_name(pp_boundary b)
{
    return boundary_name[b];
}

const char *pp_cost_energy_knob(pp_action a)
{
    return action[a].knob;
}

const char *pp_cost_area_knob(pp_component c)
{
    return component[c][1];
}

/* ---- knobs ---- */

#define MAX_FIGURE 1e18
#define E(action_, name_, unit_, text_)                                                                                \
    {.section = "cost", .name = name_, .type = PP_KNOB_REAL, .unit = unit_, .def = "0", .min = 0, .max = MAX_FIGURE,    \
     .text = text_, .offset = offsetof(pp_cost_options, energy[PP_ACTION_##action_])}
#define A(component_, name_, text_)                                                                                    \
    {.section = "cost", .name = name_, .type = PP_KNOB_REAL, .unit = "um2", .def = "0", .min = 0, .max = MAX_FIGURE,    \
     .text = text_, .offset = offsetof(pp_cost_options, area[PP_COMPONENT_##component_])}

static const pp_knob knobs[] = {
    {.section = "cost", .name = "preset", .type = PP_KNOB_TEXT, .unit = "", .def = "auto",
     .text = "published energies and areas; figures that are set go over them, those that are not are the preset's: "
             "auto (that of arch.preset, else generic), none, generic, legallo2023, legallo2023-4phase, isaac2016, "
             "bruschi2023",
     .offset = offsetof(pp_cost_options, preset)},
    {.section = "cost", .name = "boundary", .type = PP_KNOB_CHOICE, .unit = "", .def = "auto",
     .choices = "auto|mvm|core|chip|chip_dram", .text = "what totals include; auto: the preset's",
     .offset = offsetof(pp_cost_options, boundary)},
    {.section = "cost", .name = "scope", .type = PP_KNOB_CHOICE, .unit = "", .def = "auto", .choices = "auto|whole|used",
     .text = "rows and columns that a read is charged for: all of the array or those that the tile uses; auto: the "
             "preset's",
     .offset = offsetof(pp_cost_options, scope)},
    E(MVM, "mvm_fj", "fJ", "read of a whole array with its converters; excludes array_fj, dac_fj, adc_fj and shift_add_fj"),
    E(ARRAY, "array_fj", "fJ", "one cell (column position) in one read"),
    E(DAC, "dac_fj", "fJ", "one row driven in one read"),
    E(ADC, "adc_fj", "fJ", "one conversion at arch.adc_bits"),
    E(SHIFT_ADD, "shift_add_fj", "fJ", "one conversion combined with those of other slices or phases"),
    E(SCALE, "scale_fj", "fJ", "one value scaled and offset: a converted column of an MVM, a batch norm alone, a product of streams"),
    E(ADD, "add_fj", "fJ", "one partial sum or bias added"),
    E(RESIDUAL, "residual_fj", "fJ", "one residual value rescaled and added"),
    E(ACTIVATION, "activation_fj", "fJ", "one value through the activation"),
    E(POOL, "pool_fj", "fJ", "one value taken into a pooling window"),
    E(REQUANTIZE, "requantize_fj", "fJ", "one value brought to its stream's format"),
    E(BUFFER_WRITE, "buffer_write_fj", "fJ/bit", "one bit written to a core's memory"),
    E(BUFFER_READ, "buffer_read_fj", "fJ/bit", "one bit read from a core's memory"),
    E(ROUTER, "router_fj", "fJ/bit", "one bit switched onto a network channel"),
    E(WIRE, "wire_fj", "fJ/bit/mm", "one bit moved by one millimetre"),
    E(STATIC_CORE, "static_core_uw", "uW", "power of a core of the fabric, whatever it does"),
    E(STATIC_CHIP, "static_chip_uw", "uW", "power of the chip besides its cores"),
    E(DRAM, "dram_fj", "fJ/bit", "one bit of the network's input or output across the chip's edge"),
    A(MVM, "mvm_um2", "array with its converters; excludes cell_um2, dac_um2 and adc_um2"),
    A(CELL, "cell_um2", "one cell (column position)"),
    A(DAC, "dac_um2", "driver of one row"),
    A(ADC, "adc_um2", "one converter"),
    A(DIGITAL, "digital_um2", "digital unit of a core"),
    A(BUFFER, "buffer_um2", "memory of a core"),
    A(ROUTER, "router_um2", "switch of a core"),
    A(CORE, "core_um2", "rest of a core"),
    A(CHIP, "chip_um2", "rest of the chip"),
};

pp_knob_table pp_cost_knobs(void)
{
    return (pp_knob_table){.knobs = knobs, .n = sizeof knobs / sizeof knobs[0]};
}

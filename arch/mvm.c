/* Slices of weights and time of an MVM: hardware model sections 1 and 2 (docs/hardware.md). */
#include "arch/arch_internal.h"

static uint64_t divide_up(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

uint32_t pp_arch_slices(const pp_arch *arch, uint32_t wbits)
{
    if (arch->cell_bits == 0)
        return 1;
    /* A pair of devices carries the sign, so that only b - 1 bits of magnitude are sliced. */
    const bool sign_in_pair = arch->cells == PP_CELLS_DIFFERENTIAL;
    const uint32_t bits = sign_in_pair && wbits > 1 ? wbits - 1 : wbits;
    return (uint32_t)divide_up(bits > 0 ? bits : 1, (uint64_t)arch->cell_bits);
}

/* Time that the rows are driven, for one slice of the input. */
static uint64_t read_ps(const pp_arch *arch, uint32_t in_bits)
{
    switch ((pp_input_mode)arch->input) {
    case PP_INPUT_PWM: {
        /* PAPER: legallo2023, 8-bit PWM inputs at 1 ns a step: sign and magnitude, the longest pulse
         * is 2^(b-1) - 1 steps. Beyond 32 bits no pulse is meant. */
        const uint32_t magnitude = in_bits > 32 ? 31 : in_bits > 1 ? in_bits - 1 : 1;
        return (uint64_t)arch->t_lsb_ps * ((UINT64_C(1) << magnitude) - 1) + (uint64_t)arch->t_fix_ps;
    }
    case PP_INPUT_BIT_SERIAL:
        return (uint64_t)arch->bit_ps;
    default:
        return (uint64_t)arch->mvm_ps;
    }
}

static uint64_t input_slices(const pp_arch *arch, uint32_t in_bits)
{
    if (arch->input != PP_INPUT_BIT_SERIAL)
        return 1;
    return divide_up(in_bits > 0 ? in_bits : 1, (uint64_t)arch->dac_bits);
}

pp_mvm_time pp_arch_mvm(const pp_arch *arch, uint32_t cols, uint32_t in_bits, uint32_t wbits)
{
    /* The slices of a weight stand side by side in the array and are read together: one weight pass
     * whatever wbits is. A matrix too wide for the array takes further tiles, not further passes. */
    (void)wbits;
    const uint64_t weight_passes = 1;
    const uint64_t adcs = arch->adcs > 0 ? (uint64_t)arch->adcs : cols > 0 ? cols : 1;
    pp_mvm_time t = {
        .read_ps = read_ps(arch, in_bits),
        .convert_ps = divide_up(cols, adcs) * (uint64_t)arch->adc_ps,
        .reads = (uint32_t)((uint64_t)arch->phases * input_slices(arch, in_bits) * weight_passes),
    };
    const uint64_t slower = t.read_ps > t.convert_ps ? t.read_ps : t.convert_ps;
    t.interval_ps = t.reads * slower;
    /* Conversion overlaps the next read: the last read's own conversion comes on top. */
    t.latency_ps = t.interval_ps + t.convert_ps + (uint64_t)arch->pipeline_ps;
    return t;
}

pp_arch pp_arch_rotated(const pp_arch *arch)
{
    pp_arch a = *arch;
    a.phases = a.phases > a.rotated_phases ? a.phases : a.rotated_phases;
    return a;
}

uint64_t pp_arch_rotate_ps(const pp_arch *arch, uint64_t ops)
{
    const double clocks = (double)divide_up(ops, (uint64_t)arch->rotate_lanes);
    return (uint64_t)(clocks * (1e12 / arch->clock_hz) + 0.5);
}

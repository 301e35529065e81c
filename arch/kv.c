/* Digital units and KV memories. */
#include "arch/arch_internal.h"

#include <math.h>

/* Energies: PAPER: horowitz2014, 1 MB cache 100 pJ and DRAM 1.3 nJ (the lower end) for 64 bits, 45 nm. Bandwidths and
 * capacities are assumptions of ours: a 1 MiB SRAM 1024 bits wide at 1 GHz; an eDRAM of 16 MiB half as wide; a share of
 * a stack of DRAM, such that 256 units draw 2 TB/s. */
static const pp_kv_memory tiers[] = {
    [PP_KV_SRAM] = {"sram", "energy: horowitz2014, 1 MB cache; bandwidth and capacity assumed", 1024.0, 100e3 / 64, 1 << 20},
    [PP_KV_EDRAM] = {"edram", "all assumed; energy as the 1 MB SRAM of horowitz2014", 512.0, 100e3 / 64, 16 << 20},
    [PP_KV_DRAM] = {"dram", "energy: horowitz2014, DRAM; bandwidth and capacity assumed", 64.0, 1.3e6 / 64, 256 << 20},
};

pp_kv_memory pp_arch_kv(const pp_arch *arch)
{
    pp_kv_memory m = tiers[arch->attention_memory];
    if (arch->attention_kv_gbps > 0.0)
        m.gbps = arch->attention_kv_gbps;
    if (arch->attention_kv_bytes > 0)
        m.bytes = (uint64_t)arch->attention_kv_bytes;
    if (arch->attention_kv_fj_bit > 0.0)
        m.fj_bit = arch->attention_kv_fj_bit;
    return m;
}

static uint64_t divide_up(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

uint64_t pp_arch_product_ps(const pp_arch *arch, const pp_product_work *work)
{
    const uint64_t cycles = divide_up(work->macs, (uint64_t)arch->attention_macs) +
                            divide_up(work->scores, (uint64_t)arch->attention_softmax_lanes);
    const uint64_t compute_ps = (uint64_t)((double)cycles * work->queries * (1e12 / arch->clock_hz) + 0.5);
    const uint64_t memory_ps = (uint64_t)ceil((double)work->bits * 1000.0 / pp_arch_kv(arch).gbps);
    return compute_ps > memory_ps ? compute_ps : memory_ps;
}

uint64_t pp_arch_digital_ps(const pp_arch *arch, uint64_t ops)
{
    const uint64_t lanes = (uint64_t)arch->digital_lanes, cycles = ops / lanes + (ops % lanes != 0);
    return (uint64_t)((double)cycles * (1e12 / arch->clock_hz) + 0.5);
}

/* Size rules that the kinds share. */
#include "topology/topology_internal.h"

uint32_t pp_root(uint64_t n)
{
    uint32_t root = n > 0;
    while ((uint64_t)(root + 1) * (root + 1) <= n)
        root++;
    return root;
}

uint64_t pp_power(uint64_t base, uint64_t exponent)
{
    uint64_t power = 1;
    for (uint64_t i = 0; i < exponent; i++) {
        power *= base;
        if (power > PP_FABRIC_MAX_CORES)
            return UINT64_MAX;
    }
    return power;
}

int64_t pp_divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

pp_status pp_size_check(const pp_fabric_options *o, const char *key, int64_t value, int64_t min, int64_t max)
{
    if (value >= min && value <= max)
        return PP_OK;
    return pp_fail(PP_ERANGE, "fabric %s: %s: expected an integer from %lld to %lld, found %lld", o->kind, key,
                   (long long)min, (long long)max, (long long)value);
}

pp_status pp_size_missing(const pp_fabric_options *o, const char *form)
{
    return pp_fail(PP_EINVAL, "fabric %s: no size given; expected %s:%s", o->kind, o->kind, form);
}

pp_status pp_size_total(const pp_fabric_options *o, uint64_t total)
{
    if (total <= PP_FABRIC_MAX_CORES)
        return PP_OK;
    return pp_fail(PP_ERANGE, "fabric %s: these sizes give more than the %d vertices that can be built", o->kind,
                   PP_FABRIC_MAX_CORES);
}

pp_status pp_size_holds(const pp_fabric_options *o, uint64_t have, uint64_t need)
{
    if (have >= need)
        return PP_OK;
    return pp_fail(PP_EINFEASIBLE, "fabric %s: these sizes have %llu cores, %llu are needed", o->kind,
                   (unsigned long long)have, (unsigned long long)need);
}

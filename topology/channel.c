/* Time on a channel. */
#include "topology/topology_internal.h"

#include <math.h>

double pp_channel_rate_gbps(const pp_channel *channel)
{
    return channel->lane_gbps * (double)channel->lanes;
}

/* ceil(bits x 1000 / gbps) where a bit does not last whole femtoseconds. A quotient within rounding of
 * a whole number counts as that number. */
static uint64_t inexact_ps(uint64_t bits, double lane_gbps)
{
    const double ps = (double)bits * 1000.0 / lane_gbps, near = nearbyint(ps);
    const double whole = fabs(ps - near) <= ps * 1e-14 ? near : ceil(ps);
    return whole < 0x1p64 ? (uint64_t)whole : UINT64_MAX;
}

uint64_t pp_channel_serialise_ps(const pp_channel *channel, uint64_t bits)
{
    const uint64_t share = bits / channel->lanes + (bits % channel->lanes != 0); /* of the fullest lane */
    const double bit_fs = 1e6 / channel->lane_gbps, near = nearbyint(bit_fs);
    /* A rate such as 3.2 has no exact double: the bit time within rounding of a whole femtosecond. */
    if (near < 1.0 || near >= 0x1p53 || fabs(bit_fs - near) > near * 1e-15)
        return inexact_ps(share, channel->lane_gbps);
    const uint64_t fs = (uint64_t)near;
    if (share > UINT64_MAX / fs)
        return inexact_ps(share, channel->lane_gbps);
    return share * fs / 1000 + (share * fs % 1000 != 0);
}

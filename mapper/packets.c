/* How large the packets of a flow are: patches at the edges of a map are partial. */
#include "mapper/mapper_internal.h"

static uint32_t cuts(uint32_t size, uint32_t patch)
{
    return (size + patch - 1) / patch;
}

/* Bit 0: last column and narrower than the others; bit 1: last row and lower. */
uint32_t pp_packet_kind(pp_shape map, pp_patch patch, uint32_t p)
{
    uint32_t nx = cuts(map.w, patch.x), y = p / nx, x = p % nx;
    return (uint32_t)((x + 1) * patch.x > map.w) | (uint32_t)((y + 1) * patch.y > map.h) << 1;
}

void pp_packet_sizes_of(pp_packet_sizes *out, pp_shape map, pp_patch patch, uint32_t copy, uint32_t copies)
{
    uint32_t y[2] = {patch.y, map.h % patch.y}, x[2] = {patch.x, map.w % patch.x};
    *out = (pp_packet_sizes){{0}, {0}};
    for (uint32_t kind = 0; kind < 4; kind++)
        out->pixels[kind] = x[kind & 1] * y[kind >> 1];
    if (copies == 1) {
        uint32_t full_y = map.h / patch.y, full_x = map.w / patch.x;
        out->count[0] = full_y * full_x;
        out->count[1] = x[1] ? full_y : 0;
        out->count[2] = y[1] ? full_x : 0;
        out->count[3] = x[1] && y[1];
        return;
    }
    uint32_t n = cuts(map.h, patch.y) * cuts(map.w, patch.x);
    for (uint32_t p = copy; p < n; p += copies)
        out->count[pp_packet_kind(map, patch, p)]++;
}

uint64_t pp_packets_ps(const pp_packet_sizes *sizes, const pp_channel *channel, uint32_t bits_per_pixel,
                       uint32_t header_bits)
{
    uint64_t ps = 0;
    for (uint32_t kind = 0; kind < 4; kind++)
        if (sizes->count[kind])
            ps += sizes->count[kind] *
                  pp_channel_serialise_ps(channel, (uint64_t)sizes->pixels[kind] * bits_per_pixel + header_bits);
    return ps;
}

uint64_t pp_feed_pixel_ps(const pp_qnetwork *q, const pp_channel *channel)
{
    uint64_t bits = (uint64_t)q->net->ops[0].out.c * q->stream[0].bits;
    return channel ? pp_channel_serialise_ps(channel, bits) : 0;
}

uint32_t pp_feed_pixels(const pp_qnetwork *q)
{
    return q->net->ops[0].out.h * q->net->ops[0].out.w;
}

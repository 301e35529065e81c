/* Keys and values of a token as codes: kvbits each, packed; behind them a scale and a zero point of each group. */
#include "quant/lmq_internal.h"

#include "workloads/lm_step.h"

#include <string.h>

typedef struct layout {
    pp_act_options o;
    size_t width, head, group, n_groups; /* values of all heads, of one, of a group; groups of all heads */
} layout;

static layout layout_of(const pp_lmq *q)
{
    const uint32_t head = q->config.head_dim, group = q->o.kvgroup > 0 && q->o.kvgroup < head ? q->o.kvgroup : head;
    return (layout){.o = {.bits = q->o.kvbits, .asymmetric = true, .group = group, .clip = q->o.kv_clip},
                    .width = (size_t)q->config.kv_heads * head, .head = head, .group = group,
                    .n_groups = (size_t)q->config.kv_heads * ((head + group - 1) / group)};
}

static size_t code_bytes(const layout *l)
{
    return (l->width * l->o.bits + 7) / 8;
}

static void put_bits(uint8_t *to, size_t at, uint32_t bits, uint32_t code)
{
    for (uint32_t b = 0; b < bits; b++, at++)
        to[at / 8] = (uint8_t)((to[at / 8] & ~(1u << at % 8)) | (code >> b & 1) << at % 8);
}

static uint32_t get_bits(const uint8_t *from, size_t at, uint32_t bits)
{
    uint32_t code = 0;
    for (uint32_t b = 0; b < bits; b++, at++)
        code |= (uint32_t)(from[at / 8] >> at % 8 & 1) << b;
    return code;
}

static void encode(const void *payload, const float *x, uint8_t *to)
{
    const layout l = layout_of(payload);
    uint8_t *behind = to + code_bytes(&l);
    for (size_t h = 0; h < l.width; h += l.head)
        for (size_t g = 0; g < l.head; g += l.group) {
            const size_t n = l.head - g < l.group ? l.head - g : l.group;
            float pair[2];
            pp_group_range(&l.o, x + h + g, n, &pair[0], &pair[1]);
            for (size_t i = 0; i < n; i++)
                put_bits(to, (h + g + i) * l.o.bits, l.o.bits, pp_group_code(&l.o, x[h + g + i], pair[0], pair[1]));
            memcpy(behind, pair, sizeof pair);
            behind += sizeof pair;
        }
}

static void decode(const void *payload, const uint8_t *from, float *x)
{
    const layout l = layout_of(payload);
    const uint8_t *behind = from + code_bytes(&l);
    for (size_t h = 0; h < l.width; h += l.head)
        for (size_t g = 0; g < l.head; g += l.group) {
            const size_t n = l.head - g < l.group ? l.head - g : l.group;
            float pair[2];
            memcpy(pair, behind, sizeof pair);
            behind += sizeof pair;
            for (size_t i = 0; i < n; i++)
                x[h + g + i] = ((float)get_bits(from, (h + g + i) * l.o.bits, l.o.bits) - pair[1]) * pair[0];
        }
}

void pp_lmq_cache_codec(const pp_lmq *q, struct pp_lm_cache_codec *out)
{
    const layout l = layout_of(q);
    *out = (pp_lm_cache_codec){0};
    if (q->o.kvbits >= 16)
        return;
    *out = (pp_lm_cache_codec){.code_bytes = code_bytes(&l), .bytes = code_bytes(&l) + l.n_groups * 2 * sizeof(float),
                               .encode = encode, .decode = decode, .payload = q};
}

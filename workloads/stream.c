/* Stream functions of a stage: which positions of its inputs a firing waits for and still needs, and
 * which positions of its own stream are out after it. */
#include "workloads/network_internal.h"

static uint32_t patch_columns(pp_shape map, pp_patch patch)
{
    return (map.w + patch.x - 1) / patch.x;
}

uint32_t pp_positions(pp_shape map, pp_patch patch)
{
    return patch_columns(map, patch) * ((map.h + patch.y - 1) / patch.y);
}

/* Pixels of patch p, clipped at the lower and right edge. */
static pp_rect patch_rect(pp_shape map, pp_patch patch, uint32_t p)
{
    uint32_t columns = patch_columns(map, patch);
    uint32_t y0 = p / columns * patch.y, x0 = p % columns * patch.x;
    uint32_t y1 = y0 + patch.y - 1, x1 = x0 + patch.x - 1;
    return (pp_rect){.y0 = y0, .x0 = x0, .y1 = y1 < map.h ? y1 : map.h - 1, .x1 = x1 < map.w ? x1 : map.w - 1};
}

uint32_t pp_patch_pixels(pp_shape map, pp_patch patch, uint32_t p)
{
    pp_rect r = patch_rect(map, patch, p);
    return (r.y1 - r.y0 + 1) * (r.x1 - r.x0 + 1);
}

static uint32_t position_of(pp_shape map, pp_patch patch, uint32_t y, uint32_t x)
{
    return y / patch.y * patch_columns(map, patch) + x / patch.x;
}

static bool stage_reads(const pp_network *net, const pp_stage *s, uint32_t k, pp_shape in, pp_rect out, pp_rect *rect)
{
    if (s->inputs[k].role == PP_ROLE_ADD) {
        *rect = out;
        return true;
    }
    const pp_op *op = &net->ops[s->first_op];
    return pp_op_traits_(op->kind)->reads(op, k, in, out, rect);
}

/* Positions of input k that hold the first and the last pixel read by `out`; false: none is. */
static bool stage_span(const pp_network *net, const pp_stage *s, uint32_t k, pp_shape map, pp_patch in, pp_rect out,
                       uint32_t *lo, uint32_t *hi)
{
    pp_rect r;
    if (net->ops[s->first_op].kind != PP_OP_ARRANGE) {
        if (!stage_reads(net, s, k, map, out, &r))
            return false;
        /* The positions read are rows times columns, so both corners are among them. */
        *lo = position_of(map, in, r.y0, r.x0);
        *hi = position_of(map, in, r.y1, r.x1);
        return true;
    }
    bool any = false;
    for (uint32_t y = out.y0; y <= out.y1; y++) /* pixels from anywhere */
        for (uint32_t x = out.x0; x <= out.x1; x++) {
            if (!stage_reads(net, s, k, map, (pp_rect){y, x, y, x}, &r))
                continue;
            const uint32_t at = position_of(map, in, r.y0, r.x0);
            *lo = any && *lo < at ? *lo : at;
            *hi = any && *hi > at ? *hi : at;
            any = true;
        }
    return any;
}

void pp_stage_tables(const pp_network *net, const pp_stages *stages, uint32_t stage, uint32_t k, pp_patch fire,
                     pp_patch in, uint32_t *last, uint32_t *first)
{
    const pp_stage *s = &stages->stage[stage];
    pp_shape map = pp_stream_shape(net, stages, s->inputs[k].stream);
    uint32_t n = pp_positions(s->fire, fire), most = 0;
    for (uint32_t p = 0; p < n; p++) {
        uint32_t hi = 0;
        first[p] = PP_NONE;
        if (stage_span(net, s, k, map, in, patch_rect(s->fire, fire, p), &first[p], &hi))
            most = hi > most ? hi : most;
        last[p] = most;
    }
    uint32_t least = most;
    for (uint32_t p = n; p-- > 0;) {
        least = first[p] < least ? first[p] : least;
        first[p] = least;
    }
}

void pp_stage_emission(const pp_network *net, const pp_stages *stages, uint32_t stage, pp_patch fire,
                       uint32_t *emitted)
{
    const pp_stage *s = &stages->stage[stage];
    uint32_t n = pp_positions(s->fire, fire);
    if (s->pool == PP_NONE) {
        for (uint32_t p = 0; p < n; p++)
            emitted[p] = p + 1;
        return;
    }
    const pp_op *pool = &net->ops[s->pool];
    uint32_t done = 0; /* firings after which pixel q is complete, running maximum */
    for (uint32_t p = 0; p < n; p++)
        emitted[p] = 0;
    for (uint32_t q = 0; q < s->out.h * s->out.w; q++) {
        uint32_t y = q / s->out.w, x = q % s->out.w, at = 0;
        pp_rect r;
        if (pp_op_traits_(pool->kind)->reads(pool, 0, s->fire, (pp_rect){.y0 = y, .x0 = x, .y1 = y, .x1 = x}, &r))
            at = position_of(s->fire, fire, r.y1, r.x1);
        done = at > done ? at : done;
        emitted[done]++;
    }
    for (uint32_t p = 1; p < n; p++)
        emitted[p] += emitted[p - 1];
}

pp_patch pp_stage_out_patch(const pp_stages *stages, uint32_t stage, pp_patch fire)
{
    return stages->stage[stage].pool == PP_NONE ? fire : (pp_patch){1, 1};
}

uint32_t pp_stage_work(const pp_stages *stages, uint32_t stage, uint32_t p)
{
    (void)stages;
    (void)stage;
    (void)p;
    return 1;
}

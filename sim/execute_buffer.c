/* Buffers with values: rings of records, one record a position, poisoned when released. */
#include "sim/execute_buffer_internal.h"

#include <stdlib.h>

#define POISON INT64_MIN

typedef struct pp_exec_flow {
    pp_sim_ring way;   /* packets that have left and not arrived */
    pp_sim_ring held;  /* packets [head, tail) counted from the start of the run */
    uint64_t released; /* packets below are not needed, also those still to come */
    uint32_t channels;
    size_t values; /* of a record */
} pp_exec_flow;

struct pp_exec_buffers {
    const pp_sim *s;
    pp_exec_flow *flow;
    int16_t *input; /* [images][h][w][c] codes */
    uint32_t images;
};

static uint32_t patch_pixels_max(const pp_sim *s, uint32_t flow)
{
    const pp_flow *f = &s->m->flow[flow];
    uint32_t stage = s->m->tile[f->src].stage;
    bool psum = f->kind == PP_FLOW_PSUM;
    pp_patch patch = psum ? s->m->plan[stage].patch : s->m->plan[stage].out_patch;
    pp_shape map = psum ? s->q->stages->stage[stage].fire : s->q->stages->stage[stage].out;
    return (patch.y < map.h ? patch.y : map.h) * (patch.x < map.w ? patch.x : map.w);
}

static pp_status quantize_inputs(pp_exec_buffers *b, const pp_dataset *data)
{
    pp_shape in = b->s->q->net->ops[0].out;
    size_t values = (size_t)in.h * in.w * in.c;
    PP_TRY(pp_dataset_feeds(data, b->s->q->net));
    b->input = pp_calloc(values * b->images, sizeof *b->input);
    float *image = pp_calloc(values, sizeof *image);
    for (uint32_t i = 0; b->input && image && i < b->images; i++) {
        pp_dataset_normalise(data, b->s->q->net, i, image);
        pp_quantize_input(b->s->q, image, b->input + values * i);
    }
    pp_status status = b->input && image ? PP_OK : PP_ENOMEM;
    free(image);
    return status;
}

pp_status pp_exec_buffers_new(pp_exec_buffers **out, const pp_sim *s, const pp_dataset *data, uint32_t images)
{
    pp_exec_buffers *b = pp_calloc(1, sizeof *b);
    if (!b)
        return PP_ENOMEM;
    *out = b; /* the caller frees it also when the rest fails */
    b->s = s;
    b->images = images;
    b->flow = pp_calloc(s->m->n_flows, sizeof *b->flow);
    if (!b->flow)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < s->m->n_flows; i++) {
        pp_exec_flow *f = &b->flow[i];
        f->channels = s->m->flow[i].ch_hi - s->m->flow[i].ch_lo;
        f->values = (size_t)f->channels * patch_pixels_max(s, i);
        pp_sim_ring_init(&f->way, f->values * sizeof(int64_t));
        pp_sim_ring_init(&f->held, f->values * sizeof(int64_t));
    }
    return quantize_inputs(b, data);
}

void pp_exec_buffers_free(pp_exec_buffers *b)
{
    if (!b)
        return;
    for (uint32_t i = 0; b->flow && i < b->s->m->n_flows; i++) {
        free(b->flow[i].way.data);
        free(b->flow[i].held.data);
    }
    free(b->flow);
    free(b->input);
    free(b);
}

/* ---- packets ---- */

pp_status pp_exec_depart(pp_exec_buffers *b, uint32_t flow, const int64_t *values, uint32_t columns, uint32_t column_lo,
                         size_t pixels)
{
    pp_exec_flow *f = &b->flow[flow];
    uint32_t lo = b->s->m->flow[flow].ch_lo - column_lo;
    if (pp_sim_ring_full(&f->way))
        PP_TRY(pp_sim_ring_grow(&f->way));
    int64_t *record = pp_sim_ring_at(&f->way, f->way.tail++);
    for (size_t i = 0; i < pixels; i++)
        for (uint32_t c = 0; c < f->channels; c++)
            record[i * f->channels + c] = values[i * columns + lo + c];
    return PP_OK;
}

static pp_status misses(const pp_exec_buffers *b, uint32_t flow, uint64_t packet, const char *what)
{
    const pp_flow *f = &b->s->m->flow[flow];
    const pp_stage *stage = b->s->q->stages->stage;
    uint32_t positions = b->s->flow[flow].positions;
    return pp_fail(PP_EINTERNAL, "flow '%s' -> '%s': position %llu of inference %llu %s",
                   stage[b->s->m->tile[f->src].stage].name, stage[b->s->m->tile[f->dst].stage].name,
                   (unsigned long long)(packet % positions), (unsigned long long)(packet / positions), what);
}

static void forget(pp_exec_flow *f)
{
    for (; f->held.head < f->released && f->held.head < f->held.tail; f->held.head++) {
        int64_t *record = pp_sim_ring_at(&f->held, f->held.head);
        for (size_t i = 0; i < f->values; i++)
            record[i] = POISON;
    }
}

pp_status pp_exec_buffers_arrive(pp_exec_buffers *b, uint32_t flow)
{
    pp_exec_flow *f = &b->flow[flow];
    uint32_t capacity = b->s->flow[flow].capacity;
    if (f->way.head == f->way.tail)
        return misses(b, flow, f->held.tail, "arrives before it has left");
    if (capacity && f->held.tail - f->held.head >= capacity)
        return misses(b, flow, f->held.tail, "arrives at a full buffer");
    if (pp_sim_ring_full(&f->held))
        PP_TRY(pp_sim_ring_grow(&f->held));
    const int64_t *from = pp_sim_ring_at(&f->way, f->way.head++);
    int64_t *to = pp_sim_ring_at(&f->held, f->held.tail++);
    for (size_t i = 0; i < f->values; i++)
        to[i] = from[i];
    forget(f);
    return PP_OK;
}

void pp_exec_buffers_release(pp_exec_buffers *b, uint32_t flow, uint64_t until)
{
    b->flow[flow].released = until;
    forget(&b->flow[flow]);
}

pp_status pp_exec_read(const pp_exec_buffers *b, uint32_t flow, uint64_t packet, const int64_t **values)
{
    const pp_exec_flow *f = &b->flow[flow];
    if (packet < f->held.head)
        return misses(b, flow, packet, "is read after its release");
    if (packet >= f->held.tail)
        return misses(b, flow, packet, "is read before it has arrived");
    *values = pp_sim_ring_at(&f->held, packet);
    return PP_OK;
}

/* ---- gathering a window ---- */

/* Where a pixel stands in a stream that comes in patches. */
typedef struct pp_place {
    uint32_t position, pixel; /* pixel inside the (possibly partial) patch */
} pp_place;

static pp_place place_of(pp_shape map, pp_patch patch, uint32_t y, uint32_t x)
{
    uint32_t columns = (map.w + patch.x - 1) / patch.x;
    uint32_t x0 = x / patch.x * patch.x;
    uint32_t width = map.w - x0 < patch.x ? map.w - x0 : patch.x;
    return (pp_place){y / patch.y * columns + x / patch.x, y % patch.y * width + (x - x0)};
}

static pp_status pixel_missing(const pp_exec_buffers *b, uint32_t tile, uint64_t pixel)
{
    return pp_fail(PP_EINTERNAL, "stage '%s': reads pixel %llu of the input, which is not there at %llu ps",
                   b->s->q->stages->stage[b->s->m->tile[tile].stage].name, (unsigned long long)pixel,
                   (unsigned long long)b->s->now_ps);
}

/* Whether the feed has brought pixel n of the run and the tile's tap still holds it. */
static bool pixel_held(const pp_sim *s, uint32_t tile, uint32_t k, uint64_t n)
{
    const pp_sim_feed *f = &s->feed;
    uint32_t tap = s->tile[tile].first_tap;
    for (uint32_t i = 0; i < k; i++)
        tap += s->q->stages->stage[s->tile[tile].stage].inputs[i].stream == 0;
    if (n < f->tap[tap].released)
        return false;
    if (!f->capacity)
        return (n + 1) * f->pixel_ps <= s->now_ps;
    return n < f->granted && f->arrival_ps[n & f->mask] <= s->now_ps;
}

static pp_status gather_input(const pp_exec_buffers *b, uint32_t tile, uint32_t k, uint32_t image, uint32_t y,
                              uint32_t x, uint32_t c_lo, uint32_t c_hi, int64_t *out)
{
    pp_shape in = b->s->q->net->ops[0].out;
    uint32_t pixel = y * in.w + x;
    uint64_t n = (uint64_t)image * b->s->feed.pixels + pixel;
    if (!pixel_held(b->s, tile, k, n))
        return pixel_missing(b, tile, n);
    const int16_t *codes = b->input + ((size_t)n) * in.c;
    for (uint32_t c = c_lo; c < c_hi; c++)
        out[c - c_lo] = codes[c];
    return PP_OK;
}

/* One pixel from all flows that bring a part of it. */
static pp_status gather_pixel(const pp_exec_buffers *b, uint32_t tile, uint32_t k, uint32_t image, pp_place at,
                              uint32_t c_lo, uint32_t c_hi, int64_t *out)
{
    const pp_sim *s = b->s;
    uint32_t found = 0;
    for (uint32_t i = 0; i < s->tile[tile].n_in; i++) {
        uint32_t index = s->in_flow[s->tile[tile].first_in + i];
        const pp_flow *f = &s->m->flow[index];
        uint32_t copies = s->tile[f->src].copies, lo = f->ch_lo > c_lo ? f->ch_lo : c_lo;
        uint32_t hi = f->ch_hi < c_hi ? f->ch_hi : c_hi;
        if (f->input != k || at.position % copies != s->tile[f->src].copy || lo >= hi)
            continue;
        const int64_t *values;
        PP_TRY(pp_exec_read(b, index, (uint64_t)image * f->positions + at.position / copies, &values));
        for (uint32_t c = lo; c < hi; c++)
            out[c - c_lo] = values[(size_t)at.pixel * (f->ch_hi - f->ch_lo) + c - f->ch_lo];
        found += hi - lo;
    }
    if (found != c_hi - c_lo)
        return pp_fail(PP_EINTERNAL, "stage '%s': flows bring %u of the %u channels that a tile reads",
                       s->q->stages->stage[s->tile[tile].stage].name, found, c_hi - c_lo);
    return PP_OK;
}

pp_status pp_exec_gather(const pp_exec_buffers *b, uint32_t tile, uint32_t k, uint32_t image, pp_rect r, uint32_t c_lo,
                         uint32_t c_hi, int64_t *out)
{
    const pp_sim *s = b->s;
    uint32_t stream = s->q->stages->stage[s->tile[tile].stage].inputs[k].stream;
    pp_shape map = pp_stream_shape(s->q->net, s->q->stages, stream);
    pp_patch patch = pp_sim_stream_patch(s, stream);
    for (uint32_t y = r.y0; y <= r.y1; y++)
        for (uint32_t x = r.x0; x <= r.x1; x++, out += c_hi - c_lo) {
            if (stream == 0)
                PP_TRY(gather_input(b, tile, k, image, y, x, c_lo, c_hi, out));
            else
                PP_TRY(gather_pixel(b, tile, k, image, place_of(map, patch, y, x), c_lo, c_hi, out));
        }
    return PP_OK;
}

/* Direct convolution in registers, for one vector extension. The including file defines
 *   KERNEL     name of the function that is made
 *   TARGET     function attribute that allows the instructions
 *   VEC, LANES vector type and its floats
 *   LOAD, STORE, ALL (broadcast), FMA, ADD, MAX, MIN
 *   PIXELS     output pixels of a tile: 4 or 8
 * No include guard: a template. */

#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

/* `p` neighbouring output pixels by `v` vectors of channels (at most 3); p and v are constants after inlining, so
 * that the sums stay in p * v registers. */
TARGET static inline __attribute__((always_inline)) void tile(const pp_conv_job *job, const float *in, float *out,
                                                              const float *add, const float *weight,
                                                              const float *bias, const int p, const int v)
{
    VEC sum[PIXELS][3];
    const size_t step = (size_t)job->sw * job->in_pixel;
    UNROLL
    for (int i = 0; i < p; i++) {
        UNROLL
        for (int j = 0; j < v; j++)
            sum[i][j] = LOAD(bias + j * LANES);
    }
    for (uint32_t ky = 0; ky < job->kh; ky++) {
        for (uint32_t kx = 0; kx < job->kw; kx++) {
            const float *tap = in + (size_t)ky * job->dh * job->in_row + (size_t)kx * job->dw * job->in_pixel;
            for (uint32_t c = 0; c < job->cin; c++) {
                VEC w[3];
                UNROLL
                for (int j = 0; j < v; j++)
                    w[j] = LOAD(weight + j * LANES);
                weight += v * LANES;
                UNROLL
                for (int i = 0; i < p; i++) {
                    VEC x = ALL(tap[(size_t)i * step + c]);
                    UNROLL
                    for (int j = 0; j < v; j++)
                        sum[i][j] = FMA(x, w[j], sum[i][j]);
                }
            }
        }
    }
    const VEC lo = ALL(job->lo), hi = ALL(job->hi);
    UNROLL
    for (int i = 0; i < p; i++) {
        UNROLL
        for (int j = 0; j < v; j++) {
            VEC r = sum[i][j];
            if (add)
                r = ADD(r, LOAD(add + (size_t)i * job->add_pixel + (size_t)(j * LANES)));
            STORE(out + (size_t)i * job->out_pixel + (size_t)(j * LANES), MIN(MAX(r, lo), hi));
        }
    }
}

#define TILE(P, V) tile(job, in, out, add, weight, bias, P, V)
#define TILES(V)                                        \
    TARGET static void tile_##V(const pp_conv_job *job, const float *in, float *out, const float *add, \
                                const float *weight, const float *bias, uint32_t p)                    \
    {                                                   \
        switch (p) {                                    \
        case 8: TILE(PIXELS, V); break;                 \
        case 7: TILE(PIXELS > 4 ? 7 : 1, V); break;     \
        case 6: TILE(PIXELS > 4 ? 6 : 1, V); break;     \
        case 5: TILE(PIXELS > 4 ? 5 : 1, V); break;     \
        case 4: TILE(4, V); break;                      \
        case 3: TILE(3, V); break;                      \
        case 2: TILE(2, V); break;                      \
        default: TILE(1, V); break;                     \
        }                                               \
    }

TILES(1)
TILES(2)
TILES(3)

typedef void (*tile_fn)(const pp_conv_job *job, const float *in, float *out, const float *add, const float *weight,
                        const float *bias, uint32_t p);

/* One block of channels of one row, PIXELS at a time. */
static void row(const pp_conv_job *job, tile_fn fn, uint32_t y, size_t channel, const float *weight)
{
    const float *in = job->in + (size_t)y * job->sh * job->in_row;
    float *out = job->out + (size_t)y * job->out_row + channel;
    const float *add = job->add ? job->add + (size_t)y * job->add_row + channel : NULL;
    for (uint32_t x = 0; x < job->out_w; x += PIXELS) {
        uint32_t left = job->out_w - x;
        fn(job, in + (size_t)x * job->sw * job->in_pixel, out + (size_t)x * job->out_pixel,
           add ? add + (size_t)x * job->add_pixel : NULL, weight, job->bias + channel, left < PIXELS ? left : PIXELS);
    }
}

void KERNEL(const pp_conv_job *job)
{
    static const tile_fn tiles[] = {NULL, tile_1, tile_2, tile_3};
    const float *weight = job->weight;
    size_t channel = 0, taps = (size_t)job->kh * job->kw * job->cin;
    for (uint32_t b = 0; b < job->blocks; b++) {
        uint32_t v = job->vectors / job->blocks + (b < job->vectors % job->blocks);
        for (uint32_t y = 0; y < job->out_h; y++)
            row(job, tiles[v], y, channel, weight);
        channel += (size_t)v * LANES;
        weight += taps * v * LANES;
    }
}

/* Traffic patterns: destinations. PAPER: dally2004 table 3.1, booksim2013 */
#include "sim/traffic_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- permutations by the core's number ---- */

typedef struct pp_grid_size {
    uint32_t n, bits, rows, cols;
} pp_grid_size;

static uint32_t transpose(const pp_grid_size *g, uint32_t s)
{
    const uint32_t half = g->bits / 2, low = s & ((1u << half) - 1);
    return low << half | s >> half;
}

static uint32_t bitcomp(const pp_grid_size *g, uint32_t s)
{
    return ~s & (g->n - 1);
}

static uint32_t bitrev(const pp_grid_size *g, uint32_t s)
{
    uint32_t r = 0;
    for (uint32_t i = 0; i < g->bits; i++)
        r |= (s >> i & 1) << (g->bits - 1 - i);
    return r;
}

static uint32_t shuffle(const pp_grid_size *g, uint32_t s)
{
    return g->bits == 0 ? s : ((s << 1 | s >> (g->bits - 1)) & (g->n - 1));
}

/* Nearly half way round, in each dimension. */
static uint32_t tornado(const pp_grid_size *g, uint32_t s)
{
    const uint32_t x = (s % g->cols + (g->cols - 1) / 2) % g->cols, y = (s / g->cols + (g->rows - 1) / 2) % g->rows;
    return y * g->cols + x;
}

static uint32_t neighbor(const pp_grid_size *g, uint32_t s)
{
    return (s / g->cols + 1) % g->rows * g->cols + (s % g->cols + 1) % g->cols;
}

typedef enum pp_needs { NEEDS_NOTHING, NEEDS_POWER, NEEDS_SQUARE_POWER } pp_needs;
typedef struct pp_builtin {
    const char *name, *text;
    uint32_t (*map)(const pp_grid_size *g, uint32_t s);
    pp_needs needs;
} pp_builtin;

static const pp_builtin builtins[] = {
    {"uniform", "every core alike, the sender included", NULL, NEEDS_NOTHING},
    {"transpose", "swaps the upper and lower half of the number's bits", transpose, NEEDS_SQUARE_POWER},
    {"bitcomp", "complements all bits", bitcomp, NEEDS_POWER},
    {"bitrev", "reverses the bits", bitrev, NEEDS_POWER},
    {"shuffle", "rotates the bits left by one", shuffle, NEEDS_POWER},
    {"tornado", "nearly half way round in each dimension", tornado, NEEDS_NOTHING},
    {"neighbor", "one on in each dimension, around the edge", neighbor, NEEDS_NOTHING},
    {"hotspot1", "all to the core in the middle", NULL, NEEDS_NOTHING},
    {"hotspot4", "all to the four cores in the middle", NULL, NEEDS_NOTHING},
    {"random-permutation", "a random one, by the seed", NULL, NEEDS_NOTHING},
};
#define N_BUILTINS (sizeof builtins / sizeof *builtins)

const char *pp_pattern_builtin(size_t i, const char **text)
{
    if (text)
        *text = i < N_BUILTINS ? builtins[i].text : NULL;
    return i < N_BUILTINS ? builtins[i].name : NULL;
}

/* Cores as rows and columns: those of the chip when their numbers run along rows, else one row. */
static pp_grid_size grid_of(const pp_fabric *f)
{
    pp_grid_size g = {.n = f->n_cores, .rows = 1, .cols = f->n_cores};
    uint32_t cols = 0;
    while (cols < f->n_cores && f->vertex[f->core_vertex[cols]].coord[0] == f->vertex[f->core_vertex[0]].coord[0])
        cols++;
    bool regular = cols > 0 && f->n_cores % cols == 0;
    for (uint32_t c = 0; regular && c < f->n_cores; c++) {
        const int32_t *at = f->vertex[f->core_vertex[c]].coord;
        regular = at[0] == (int32_t)(c / cols) && at[1] == (int32_t)(c % cols) && at[2] == 0;
    }
    if (regular) {
        g.cols = cols;
        g.rows = f->n_cores / cols;
    }
    while ((2u << g.bits) <= g.n)
        g.bits++;
    return g;
}

static pp_status check_needs(const pp_builtin *b, const pp_grid_size *g, const char *fabric)
{
    const bool power = g->n == 1u << g->bits;
    if (b->needs != NEEDS_NOTHING && !power)
        return pp_fail(PP_EINVAL, "pattern %s needs a power of two of cores; fabric %s has %u", b->name, fabric, g->n);
    if (b->needs == NEEDS_SQUARE_POWER && g->bits % 2 != 0)
        return pp_fail(PP_EINVAL, "pattern %s needs a square of cores (a power of four); fabric %s has %u", b->name,
                       fabric, g->n);
    return PP_OK;
}

static pp_status make_map(pp_pattern *p, const pp_builtin *b, const pp_grid_size *g)
{
    p->kind = PP_PATTERN_MAP;
    p->map = pp_alloc(p->n_cores, sizeof *p->map);
    for (uint32_t s = 0; p->map && s < p->n_cores; s++)
        p->map[s] = b->map(g, s);
    return p->map ? PP_OK : PP_ENOMEM;
}

static pp_status make_random(pp_pattern *p, uint64_t seed)
{
    p->kind = PP_PATTERN_MAP;
    p->map = pp_alloc(p->n_cores, sizeof *p->map);
    if (!p->map)
        return PP_ENOMEM;
    pp_rng rng = pp_rng_make(seed, UINT64_C(0x7065726d));
    for (uint32_t s = 0; s < p->n_cores; s++) {
        const uint32_t k = pp_rng_below(&rng, s + 1);
        p->map[s] = p->map[k];
        p->map[k] = s;
    }
    return PP_OK;
}

/* The middle: the core at or before it, and with 4 the square behind that. */
static pp_status make_middle(pp_pattern *p, const pp_grid_size *g, uint32_t count)
{
    const uint32_t y = g->rows > 1 ? g->rows / 2 - 1 : 0, x = g->cols > 1 ? g->cols / 2 - 1 : 0;
    p->kind = PP_PATTERN_HOTSPOT;
    p->hot_share = 1;
    p->hot = pp_alloc(4, sizeof *p->hot);
    if (!p->hot)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t yy = y + i / 2, xx = x + i % 2;
        if (yy < g->rows && xx < g->cols)
            p->hot[p->n_hot++] = yy * g->cols + xx;
    }
    return PP_OK;
}

/* "27,28@0.2" */
static pp_status read_hotspot(pp_pattern *p, const char *text)
{
    p->kind = PP_PATTERN_HOTSPOT;
    p->hot_share = 1;
    p->hot = pp_calloc(strlen(text) / 2 + 2, sizeof *p->hot);
    if (!p->hot)
        return PP_ENOMEM;
    const char *at = text;
    for (;;) {
        char *end;
        const unsigned long core = strtoul(at, &end, 10);
        if (end == at || core >= p->n_cores)
            return pp_fail(PP_EINVAL, "pattern hotspot:%.60s: expected cores below %u, as in hotspot:27,28@0.2", text,
                           p->n_cores);
        p->hot[p->n_hot++] = (uint32_t)core;
        at = end + (*end == ',');
        if (*end != ',')
            break;
    }
    if (*at == '@' && pp_parse_f64(at + 1, &p->hot_share) && p->hot_share > 0 && p->hot_share <= 1)
        return PP_OK;
    if (*at == '\0')
        return PP_OK;
    return pp_fail(PP_EINVAL, "pattern hotspot:%.60s: expected a share from 0 to 1 behind @", text);
}

static pp_status unknown_pattern(const char *text)
{
    const char *names[N_BUILTINS];
    for (size_t i = 0; i < N_BUILTINS; i++)
        names[i] = builtins[i].name;
    const char *near = pp_nearest(text, names, N_BUILTINS);
    if (near)
        return pp_fail(PP_EINVAL, "pattern %.80s: unknown; did you mean %s?", text, near);
    return pp_fail(PP_EINVAL, "pattern %.80s: unknown; expected uniform, transpose, bitcomp, bitrev, shuffle, tornado, "
                              "neighbor, hotspot1, hotspot4, hotspot:CORES, random-permutation, permutation:FILE, "
                              "trace:FILE or flows:RUN.yaml", text);
}

static pp_status make(pp_pattern *p, const pp_fabric *f, const char *text, uint64_t seed)
{
    const pp_grid_size g = grid_of(f);
    if (strncmp(text, "hotspot:", 8) == 0)
        return read_hotspot(p, text + 8);
    if (strncmp(text, "permutation:", 12) == 0)
        return pp_pattern_read_map(p, text + 12);
    if (strncmp(text, "trace:", 6) == 0)
        return pp_pattern_read_trace(p, text + 6);
    if (strcmp(text, "random-permutation") == 0)
        return make_random(p, seed);
    if (strcmp(text, "hotspot1") == 0 || strcmp(text, "hotspot4") == 0)
        return make_middle(p, &g, text[7] == '1' ? 1 : 4);
    for (size_t i = 0; i < N_BUILTINS; i++)
        if (strcmp(text, builtins[i].name) == 0) {
            PP_TRY(check_needs(&builtins[i], &g, f->name));
            return builtins[i].map ? make_map(p, &builtins[i], &g) : PP_OK;
        }
    return unknown_pattern(text);
}

pp_status pp_pattern_new(pp_pattern **out, const pp_fabric *fabric, const char *text, uint64_t seed)
{
    *out = NULL;
    pp_pattern *p = pp_calloc(1, sizeof *p);
    if (!p)
        return PP_ENOMEM;
    p->n_cores = fabric->n_cores;
    p->name = pp_strdup(text);
    const pp_status status = p->name ? make(p, fabric, text, seed) : PP_ENOMEM;
    if (status == PP_OK)
        *out = p;
    else
        pp_pattern_free(p);
    return status;
}

/* ---- matrices ---- */

static pp_status fill_rows(pp_pattern *p, const uint32_t *src, const uint32_t *dst, const double *weight, size_t n)
{
    double total = 0;
    for (size_t i = 0; i < n; i++) {
        p->first[src[i] + 1]++;
        p->weight[src[i]] += weight[i];
        total += weight[i];
    }
    for (uint32_t c = 0; c < p->n_cores; c++) {
        p->first[c + 1] += p->first[c];
        p->weight[c] *= total > 0 ? p->n_cores / total : 0;
    }
    uint32_t *at = pp_alloc(p->n_cores, sizeof *at);
    if (!at)
        return PP_ENOMEM;
    memcpy(at, p->first, p->n_cores * sizeof *at);
    for (size_t i = 0; i < n; i++) {
        const uint32_t k = at[src[i]]++;
        p->dst[k] = dst[i];
        p->cumulative[k] = weight[i] + (k > p->first[src[i]] ? p->cumulative[k - 1] : 0);
    }
    free(at);
    return PP_OK;
}

pp_status pp_pattern_matrix(pp_pattern **out, const pp_fabric *fabric, const char *name, const uint32_t *src,
                            const uint32_t *dst, const double *weight, size_t n)
{
    *out = NULL;
    pp_pattern *p = pp_calloc(1, sizeof *p);
    if (!p)
        return PP_ENOMEM;
    *p = (pp_pattern){.kind = PP_PATTERN_MATRIX, .n_cores = fabric->n_cores, .name = pp_strdup(name),
                      .first = pp_calloc((size_t)fabric->n_cores + 1, sizeof *p->first),
                      .dst = pp_calloc(n, sizeof *p->dst), .cumulative = pp_calloc(n, sizeof *p->cumulative),
                      .weight = pp_calloc(fabric->n_cores, sizeof *p->weight)};
    pp_status status = p->name && p->first && p->dst && p->cumulative && p->weight ? PP_OK : PP_ENOMEM;
    if (status == PP_OK && n == 0)
        status = pp_fail(PP_EINVAL, "traffic matrix %s: it is empty", name);
    for (size_t i = 0; status == PP_OK && i < n; i++)
        if (src[i] >= fabric->n_cores || dst[i] >= fabric->n_cores || !(weight[i] > 0))
            status = pp_fail(PP_EINVAL, "traffic matrix %s: entry %zu: core %u to %u of %u, weight %g", name, i, src[i],
                             dst[i], fabric->n_cores, weight[i]);
    if (status == PP_OK)
        status = fill_rows(p, src, dst, weight, n);
    if (status == PP_OK)
        *out = p;
    else
        pp_pattern_free(p);
    return status;
}

/* ---- use ---- */

void pp_pattern_free(pp_pattern *p)
{
    if (!p)
        return;
    void *all[] = {p->name, p->map, p->hot, p->first, p->dst, p->cumulative, p->weight, p->packet};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    free(p);
}

const char *pp_pattern_name(const pp_pattern *p)
{
    return p->name;
}

static uint32_t from_row(const pp_pattern *p, uint32_t src, pp_rng *rng)
{
    uint32_t lo = p->first[src], hi = p->first[src + 1];
    if (lo == hi)
        return PP_NOC_TREE_NONE;
    const double u = pp_rng_uniform(rng) * p->cumulative[hi - 1];
    while (lo + 1 < hi) {
        const uint32_t mid = lo + (hi - lo) / 2;
        if (p->cumulative[mid - 1] <= u)
            lo = mid;
        else
            hi = mid;
    }
    return p->dst[lo];
}

uint32_t pp_pattern_destination(const pp_pattern *p, uint32_t src, pp_rng *rng)
{
    switch (p->kind) {
    case PP_PATTERN_MAP:
        return p->map[src];
    case PP_PATTERN_HOTSPOT:
        if (p->hot_share >= 1 || pp_rng_uniform(rng) < p->hot_share)
            return p->hot[p->n_hot > 1 ? pp_rng_below(rng, p->n_hot) : 0];
        break;
    case PP_PATTERN_MATRIX:
        return from_row(p, src, rng);
    case PP_PATTERN_UNIFORM:
    case PP_PATTERN_TRACE:
        break;
    }
    return pp_rng_below(rng, p->n_cores);
}

double pp_pattern_weight(const pp_pattern *p, uint32_t src)
{
    if (p->kind == PP_PATTERN_MAP)
        return p->map[src] == PP_NOC_TREE_NONE ? 0 : 1;
    return p->kind == PP_PATTERN_MATRIX ? p->weight[src] : 1;
}

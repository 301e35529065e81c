/* Trees: plain (tree), fat (fattree, k-ary n-tree) and the H-tree. Cores come first, then the switches from
 * the leaves to the root. On the chip a switch stands in the middle of the block of cores below it. */
#include "topology/topology_internal.h"

#include <math.h>

void pp_defaults_tree(pp_fabric_options *o)
{
    if (o->arity == 0)
        o->arity = 4;
    if (o->taper == 0)
        o->taper = 1;
}

void pp_defaults_htree(pp_fabric_options *o)
{
    o->arity = 2;
    if (o->taper == 0)
        o->taper = 1;
}

static pp_status check_tree(const pp_fabric_options *o)
{
    if (o->levels == 0)
        return pp_size_missing(o, o->kind[0] == 'h' ? "levels=L" : "arity=K,levels=L");
    PP_TRY(pp_size_check(o, "arity", o->arity, 2, PP_FABRIC_MAX_RADIX));
    PP_TRY(pp_size_check(o, "levels", o->levels, 1, PP_FABRIC_MAX_LEVELS));
    return pp_size_total(o, pp_power((uint64_t)o->arity, (uint64_t)o->levels));
}

/* ---- Places on the chip ---- */

/* Blocks nest: a block of level h (h = 0: a core) is `high` x `wide` cores, and arity[h] of them make one
 * of level h + 1. */
typedef struct blocks {
    uint32_t arity, levels;
    uint32_t high[PP_FABRIC_MAX_LEVELS + 1], wide[PP_FABRIC_MAX_LEVELS + 1];
} blocks;

/* Children stand in a near-square pattern, lying across the longer side of the block so far. */
static blocks make_blocks(uint32_t arity, uint32_t levels)
{
    blocks k = {.arity = arity, .levels = levels, .high = {1}, .wide = {1}};
    uint32_t few = pp_root(arity);
    while (arity % few != 0)
        few--;
    for (uint32_t h = 0; h < levels; h++) {
        const bool tall = k.high[h] < k.wide[h];
        k.high[h + 1] = k.high[h] * (tall ? arity / few : few);
        k.wide[h + 1] = k.wide[h] * (tall ? few : arity / few);
    }
    return k;
}

/* Upper left core of the block number g of level h. */
static void block_corner(const blocks *k, uint32_t h, uint32_t g, uint32_t *row, uint32_t *col)
{
    *row = *col = 0;
    for (; h < k->levels; h++) {
        const uint32_t across = k->wide[h + 1] / k->wide[h], child = g % k->arity;
        *row += child / across * k->high[h];
        *col += child % across * k->wide[h];
        g /= k->arity;
    }
}

typedef struct place {
    float x, y;
} place;

static place block_middle(const blocks *k, uint32_t h, uint32_t g)
{
    uint32_t row = 0, col = 0;
    block_corner(k, h, g, &row, &col);
    return (place){(float)col + ((float)k->wide[h] - 1.0F) / 2, (float)row + ((float)k->high[h] - 1.0F) / 2};
}

static float way(const blocks *k, uint32_t h, uint32_t child, uint32_t parent)
{
    const place a = block_middle(k, h, child), b = block_middle(k, h + 1, parent);
    return fabsf(a.x - b.x) + fabsf(a.y - b.y);
}

/* ---- Vertices ---- */

/* Cores at their places of the chip; drawn in a row below their tree, or (flat) where they stand. */
static pp_status add_cores(pp_fabric_builder *b, const blocks *k, uint32_t n, bool flat)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t row = 0, col = 0;
        block_corner(k, 0, i, &row, &col);
        PP_TRY(pp_builder_core(b, PP_VERTEX_CORE, row, col));
        if (!flat) {
            b->vertices.data[i].x = (float)i;
            b->vertices.data[i].y = 0.0F;
        }
    }
    return PP_OK;
}

/* Switches of height h (1: above the cores): groups of `each` switches that share the block below. */
static pp_status add_switches(pp_fabric_builder *b, const blocks *k, uint32_t h, bool fat, bool flat)
{
    const uint32_t groups = (uint32_t)pp_power(k->arity, k->levels - h);
    const uint32_t each = fat ? (uint32_t)pp_power(k->arity, h - 1) : 1, span = (uint32_t)pp_power(k->arity, h);
    for (uint32_t g = 0; g < groups; g++)
        for (uint32_t i = 0; i < each; i++) {
            const int32_t coord[3] = {(int32_t)(h - 1), (int32_t)(g * each + i), 0};
            const float share = ((float)i + 0.5F) / (float)each * (float)span - 0.5F;
            const place at = flat ? block_middle(k, h, g) : (place){(float)(g * span) + share, -(float)h};
            PP_TRY(pp_builder_vertex(b, PP_VERTEX_SWITCH, coord, at.x, at.y));
        }
    return PP_OK;
}

/* First switch of height h >= 1. */
static uint32_t first_switch(const blocks *k, uint32_t h, bool fat)
{
    uint32_t first = (uint32_t)pp_power(k->arity, k->levels);
    for (uint32_t i = 1; i < h; i++)
        first += (uint32_t)pp_power(k->arity, fat ? k->levels - 1 : k->levels - i);
    return first;
}

static pp_status begin(pp_fabric_builder *b, blocks *k, bool fat, bool flat)
{
    const pp_fabric_options *o = b->options;
    PP_TRY(check_tree(o));
    const uint32_t arity = (uint32_t)o->arity, levels = (uint32_t)o->levels;
    const uint64_t cores = pp_power(arity, levels);
    PP_TRY(pp_size_total(o, fat ? cores + (uint64_t)levels * (cores / arity) : 2 * cores));
    *k = make_blocks(arity, levels);
    b->shape.arity = arity;
    b->shape.levels = levels;
    b->shape.nodes = arity;
    PP_TRY(add_cores(b, k, (uint32_t)cores, flat));
    for (uint32_t h = 1; h <= levels; h++)
        PP_TRY(add_switches(b, k, h, fat, flat));
    for (uint32_t i = 0; i < (uint32_t)cores; i++)
        PP_TRY(pp_builder_attach(b, i, (uint32_t)cores + i / arity, way(k, 0, i, i / arity)));
    return PP_OK;
}

/* ---- Channels ---- */

/* Channels between a switch of height h and one of height h + 1, both ways; `lanes` times the usual
 * number. A switch's channels come in the order down, then up, since lower heights are linked first. */
static pp_status link_up(pp_fabric_builder *b, uint32_t low, uint32_t high, float length, uint64_t lanes)
{
    if (lanes * (uint64_t)b->options->lanes > UINT32_MAX)
        return pp_fail(PP_ERANGE, "fabric %s: taper: too many lanes at the root", b->options->kind);
    PP_TRY(pp_builder_link(b, low, high, length));
    for (int i = 1; i <= 2; i++)
        b->channels.data[b->channels.len - (size_t)i].lanes *= (uint32_t)lanes;
    return PP_OK;
}

static pp_status build_plain(pp_fabric_builder *b, bool flat)
{
    blocks k;
    PP_TRY(begin(b, &k, false, flat));
    PP_TRY(pp_size_check(b->options, "taper", b->options->taper, 1, PP_FABRIC_MAX_RADIX));
    b->shape.taper = (uint32_t)b->options->taper;
    uint64_t lanes = 1;
    for (uint32_t h = 1; h < k.levels; h++) {
        const uint32_t low = first_switch(&k, h, false), high = first_switch(&k, h + 1, false);
        lanes = lanes > UINT32_MAX ? lanes : lanes * b->shape.taper; /* refused beyond */
        for (uint32_t g = 0; g < high - low; g++)
            PP_TRY(link_up(b, low + g, high + g / k.arity, way(&k, h, g, g / k.arity), lanes));
    }
    return PP_OK;
}

pp_status pp_build_tree(pp_fabric_builder *b)
{
    return build_plain(b, false);
}

pp_status pp_build_htree(pp_fabric_builder *b)
{
    return build_plain(b, true);
}

/* Switch (g, i) of height h + 1 (group g, i < arity^h): its down port p leads to the switch of group
 * g x arity + p with index i mod arity^(h-1), which reaches it by its up port i div arity^(h-1).
 * PAPER: petrini1997 sec. 2 (k-ary n-trees). */
pp_status pp_build_fattree(pp_fabric_builder *b)
{
    blocks k;
    PP_TRY(begin(b, &k, true, false));
    const uint32_t a = k.arity;
    for (uint32_t h = 1; h < k.levels; h++) {
        const uint32_t low = first_switch(&k, h, true), high = first_switch(&k, h + 1, true);
        const uint32_t each = (uint32_t)pp_power(a, h - 1), groups = (uint32_t)pp_power(a, k.levels - h);
        for (uint32_t g = 0; g < groups; g++)
            for (uint32_t i = 0; i < each; i++)
                for (uint32_t up = 0; up < a; up++)
                    PP_TRY(link_up(b, low + g * each + i, high + g / a * (each * a) + up * each + i,
                                   way(&k, h, g, g / a), 1));
    }
    return PP_OK;
}

/* Levels when they are free; or, with levels given and arity left at its default, that arity. */
static pp_status fit_tree(pp_fabric_options *o, uint32_t cores)
{
    if (o->levels == 0)
        for (o->levels = 1; o->levels < PP_FABRIC_MAX_LEVELS &&
                            pp_power((uint64_t)o->arity, (uint64_t)o->levels) < cores && o->arity > 1;)
            o->levels++;
    PP_TRY(check_tree(o));
    return pp_size_holds(o, pp_power((uint64_t)o->arity, (uint64_t)o->levels), cores);
}

pp_status pp_fit_tree(pp_fabric_options *o, uint32_t cores)
{
    return fit_tree(o, cores);
}

pp_status pp_fit_fattree(pp_fabric_options *o, uint32_t cores)
{
    return fit_tree(o, cores);
}

pp_status pp_fit_htree(pp_fabric_options *o, uint32_t cores)
{
    return fit_tree(o, cores);
}

/* ---- Bisection widths; the cores of a leaf switch stay together ---- */

/* Cutting m links of a tree leaves a set of leaf switches whose number is a sum of m terms +-arity^j. Half
 * of arity^(levels-1) takes arity/2 such terms when arity is even; (arity^(levels-1) - 1)/2 takes
 * (arity-1)/2 for each power when it is odd. */
bool pp_bisection_tree(const pp_fabric *f, uint32_t *links)
{
    const uint32_t a = f->shape.arity, levels = f->shape.levels;
    *links = levels == 1 ? 0 : a % 2 == 0 ? a / 2 : (levels - 1) * (a - 1) / 2;
    return true;
}

/* Arity even: half of the top switches' down links, N / 2. No cut is smaller: a fat tree routes every
 * permutation without sharing a channel (it is a folded Clos network), also one that swaps the halves. */
bool pp_bisection_fattree(const pp_fabric *f, uint32_t *links)
{
    *links = f->shape.levels == 1 ? 0 : f->n_cores / 2;
    return f->shape.arity % 2 == 0 || f->shape.levels == 1;
}

/* Ways through a hierarchy, computed hop by hop: up by the source's gateways, across, down by the destination's. */
#include "topology/topology_internal.h"

#include <stdlib.h>

/* A way in the making. */
typedef struct way {
    const pp_hier *h;
    uint32_t *path;
    size_t cap, n;
} way;

static pp_status take(way *w, uint32_t level, uint32_t group, uint32_t local)
{
    const pp_hier_level *v = &w->h->level[level];
    if (w->n >= w->cap)
        return pp_fail(PP_ERANGE, "fabric %s: a route has more than %zu channels", w->h->name, w->cap);
    w->path[w->n++] = v->first_channel + group * v->channels + local;
    return PP_OK;
}

/* Along the row by the longest steps, then along the column. */
static pp_status step_by_step(way *w, const pp_hier_level *v, uint32_t base, uint32_t from, uint32_t to)
{
    const uint32_t cols = v->unit->cols, reach = v->unit->reach, n = 2 * reach + 2;
    while (from != to) {
        const uint32_t a = from % cols, b = to % cols, far = a < b ? b - a : a - b, s = far < reach ? far : reach;
        const bool along = far > 0, back = along ? b < a : to < from;
        const uint32_t k = along ? (back ? reach : 0) + s - 1 : 2 * reach + back;
        const uint32_t hop = along ? s : cols;
        if (w->n >= w->cap)
            return pp_fail(PP_ERANGE, "fabric %s: a route has more than %zu channels", w->h->name, w->cap);
        w->path[w->n++] = base + v->step[(size_t)from * n + k];
        from = back ? from - hop : from + hop;
    }
    return PP_OK;
}

/* From member a to member b of one group. */
static pp_status across(way *w, uint32_t level, uint32_t group, uint32_t a, uint32_t b)
{
    const pp_hier_level *v = &w->h->level[level];
    const uint32_t base = v->first_channel + group * v->channels;
    size_t n = 0;
    if (a == b)
        return PP_OK;
    if (v->step)
        return step_by_step(w, v, base, v->unit->core_switch[a], v->unit->core_switch[b]);
    PP_TRY(pp_route(v->unit, (pp_routing)v->routing, v->unit->core_switch[a], v->unit->core_switch[b],
                    w->path + w->n, w->cap - w->n, &n));
    for (size_t i = 0; i < n; i++)
        w->path[w->n + i] += base;
    w->n += n;
    return PP_OK;
}

static pp_status port(way *w, uint32_t core, uint32_t other, bool out)
{
    const pp_fabric *f = w->h->level[0].unit;
    if (f->ports == 0)
        return PP_OK;
    const uint32_t member = core % f->n_cores, k = other % f->ports;
    const uint32_t channel = (out ? f->eject : f->inject)[(size_t)member * f->ports + k];
    return take(w, 0, core / f->n_cores, channel);
}

/* Climbs from (core, level 0) until the group of level `top` is reached; *member stands there. */
static pp_status climb(way *w, uint32_t core, uint32_t top, uint32_t *member)
{
    uint32_t at = core % w->h->level[0].size, group = core / w->h->level[0].size;
    for (uint32_t l = 0; l < top; l++) {
        const pp_hier_level *v = &w->h->level[l];
        const uint32_t g = v->exit_of[at];
        PP_TRY(across(w, l, group, at, v->gateway[g]));
        PP_TRY(take(w, l, group, v->unit->n_channels + g));
        at = group % w->h->level[l + 1].size;
        group /= w->h->level[l + 1].size;
    }
    *member = at;
    return PP_OK;
}

/* Gateway by which packets of a source come into other groups: sources spread over all of them. `src`: relative to the
 * group that holds both ends, so that what lies alike in two of them goes alike. */
static uint32_t entry_of(uint32_t src, uint32_t gateways)
{
    return (uint32_t)((src * UINT64_C(0x9E3779B97F4A7C15)) >> 40) % gateways;
}

/* From the group below level `top` that holds the core, down to it: packets of one source enter a group once, whatever
 * they go to there. */
static pp_status descend(way *w, uint32_t src, uint32_t core, uint32_t top)
{
    uint32_t member[PP_HIER_MAX_LEVELS], group[PP_HIER_MAX_LEVELS], at = core;
    for (uint32_t l = 0; l < top; l++) {
        member[l] = at % w->h->level[l].size;
        at = group[l] = at / w->h->level[l].size;
    }
    for (uint32_t l = top; l-- > 0;) {
        const pp_hier_level *v = &w->h->level[l];
        const uint32_t g = entry_of(src % (uint32_t)w->h->level[top].cores, v->gateways);
        PP_TRY(take(w, l, group[l], v->unit->n_channels + v->gateways + g));
        PP_TRY(across(w, l, group[l], v->gateway[g], member[l]));
    }
    return PP_OK;
}

pp_status pp_hier_route(const pp_hier *h, uint32_t src, uint32_t dst, uint32_t *path, size_t cap, size_t *n)
{
    way w = {.h = h, .path = path, .cap = cap};
    uint32_t top = 0, from = 0;
    *n = 0;
    if (src == dst)
        return PP_OK;
    while (pp_hier_group(h, top, src) != pp_hier_group(h, top, dst))
        top++;
    const uint32_t to = top > 0 ? pp_hier_group(h, top - 1, dst) % h->level[top].size : dst % h->level[0].size;
    PP_TRY(port(&w, src, dst, false));
    PP_TRY(climb(&w, src, top, &from));
    PP_TRY(across(&w, top, pp_hier_group(h, top, src), from, to));
    PP_TRY(descend(&w, src, dst, top));
    PP_TRY(port(&w, dst, src, true));
    *n = w.n;
    return PP_OK;
}

/* ---- trees ---- */

/* Where a channel ends, as one number: switches of all groups of all levels, and cores behind their ports. */
static uint64_t end_of(const pp_hier *h, uint32_t channel)
{
    const pp_hier_place p = pp_hier_place_of(h, channel);
    const pp_hier_level *v = &h->level[p.level];
    const pp_fabric *f = v->unit;
    uint32_t level = p.level, group = p.group, at;
    if (p.local < f->n_channels) {
        const pp_channel *c = &f->channel[p.local];
        at = c->kind == PP_CHANNEL_EJECT ? f->n_vertices + f->vertex[c->dst].core : c->dst;
    } else if (p.local - f->n_channels < v->gateways) {
        const pp_fabric *above = h->level[++level].unit;
        at = above->core_switch[group % above->n_cores];
        group /= above->n_cores;
    } else {
        at = f->core_switch[v->gateway[p.local - f->n_channels - v->gateways]];
    }
    return ((uint64_t)level << 60) + (uint64_t)group * (2 * (uint64_t)h->level[level].unit->n_vertices) + at;
}

/* Edge that reaches a place: open addressing. */
typedef struct reach {
    uint64_t *key; /* UINT64_MAX: free */
    uint32_t *edge;
    size_t mask, used;
} reach;

static size_t slot(const reach *r, uint64_t key)
{
    size_t i = (size_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & r->mask;
    while (r->key[i] != UINT64_MAX && r->key[i] != key)
        i = (i + 1) & r->mask;
    return i;
}

static pp_status resize(reach *r, size_t size)
{
    const reach old = *r;
    r->mask = size - 1;
    r->key = pp_alloc(size, sizeof *r->key);
    r->edge = pp_alloc(size, sizeof *r->edge);
    const bool good = r->key && r->edge;
    for (size_t i = 0; good && i < size; i++)
        r->key[i] = UINT64_MAX;
    for (size_t i = 0; good && old.key && i <= old.mask; i++)
        if (old.key[i] != UINT64_MAX) {
            const size_t k = slot(r, old.key[i]);
            r->key[k] = old.key[i];
            r->edge[k] = old.edge[i];
        }
    free(old.key);
    free(old.edge);
    return good ? PP_OK : PP_ENOMEM;
}

static pp_status put(reach *r, uint64_t key, uint32_t edge)
{
    if (2 * (r->used + 1) > r->mask)
        PP_TRY(resize(r, 2 * (r->mask + 1)));
    const size_t i = slot(r, key);
    r->used += r->key[i] == UINT64_MAX;
    r->key[i] = key;
    r->edge[i] = edge;
    return PP_OK;
}

static pp_status grow(pp_hier_tree *t, size_t more)
{
    size_t cap = t->cap > 0 ? t->cap : 16;
    while (cap < t->n + more)
        cap *= 2;
    if (cap == t->cap)
        return PP_OK;
    uint32_t *edge = pp_realloc(t->edge, cap, sizeof *edge);
    t->edge = edge ? edge : t->edge;
    uint32_t *parent = edge ? pp_realloc(t->parent, cap, sizeof *parent) : NULL;
    t->parent = parent ? parent : t->parent;
    t->cap = parent ? (uint32_t)cap : t->cap;
    return parent ? PP_OK : PP_ENOMEM;
}

/* The part of a way behind the last place that the tree has reached. */
static pp_status add_way(pp_hier_tree *t, reach *r, const pp_hier *h, const uint32_t *path, size_t n, uint32_t *end)
{
    size_t begin = n;
    uint32_t parent = PP_NO_EDGE;
    for (; begin > 0 && parent == PP_NO_EDGE; begin--) {
        const size_t i = slot(r, end_of(h, path[begin - 1]));
        if (r->key[i] != UINT64_MAX) {
            parent = r->edge[i];
            break;
        }
    }
    PP_TRY(grow(t, n - begin));
    for (size_t i = begin; i < n; i++) {
        t->edge[t->n] = path[i];
        t->parent[t->n] = parent;
        parent = t->n++;
        PP_TRY(put(r, end_of(h, path[i]), parent));
    }
    *end = parent;
    return PP_OK;
}

#define WAY_MAX 16384

pp_status pp_hier_route_tree(pp_hier_tree *t, const pp_hier *h, uint32_t src, const uint32_t *dst, uint32_t n_dst,
                             uint32_t *end)
{
    reach r = {0};
    uint32_t path[WAY_MAX];
    size_t n = 0;
    t->n = 0;
    pp_status status = resize(&r, 64);
    for (uint32_t i = 0; status == PP_OK && i < n_dst; i++) {
        status = pp_hier_route(h, src, dst[i], path, WAY_MAX, &n);
        if (status == PP_OK)
            status = add_way(t, &r, h, path, n, &end[i]);
    }
    free(r.key);
    free(r.edge);
    return status;
}

void pp_hier_tree_free(pp_hier_tree *t)
{
    free(t->edge);
    free(t->parent);
    *t = (pp_hier_tree){0};
}

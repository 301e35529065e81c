/* Hierarchies of fabrics as a value: building, gateways, numbers of channels. */
#include "topology/topology_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const usual_name[] = {"cluster", "chip", "board"};

void pp_hier_free(pp_hier *h)
{
    if (!h)
        return;
    for (uint32_t l = 0; l < h->n_levels; l++) {
        free(h->level[l].name);
        free(h->level[l].gateway);
        free(h->level[l].exit_of);
        free(h->level[l].step);
        pp_fabric_free(h->level[l].unit);
    }
    free(h->name);
    free(h);
}

pp_status pp_hier_fit(pp_hier_options *o, uint64_t cores)
{
    uint64_t below = 1;
    for (uint32_t l = 0; l + 1 < o->n_levels; l++) {
        pp_fabric *unit = NULL;
        PP_TRY(pp_fabric_build(&unit, &o->level[l]));
        below *= unit->n_cores;
        pp_fabric_free(unit);
    }
    const uint64_t members = cores / below + (cores % below != 0);
    if (members > PP_FABRIC_MAX_CORES)
        return pp_fail(PP_EINFEASIBLE, "fabric: %llu groups of %llu cores are needed, at most %d can be built",
                       (unsigned long long)members, (unsigned long long)below, PP_FABRIC_MAX_CORES);
    pp_fabric_options *top = &o->level[o->n_levels - 1];
    const uint32_t n = (uint32_t)(members > 0 ? members : 1);
    const pp_fabric_kind_row *row = NULL;
    PP_TRY(pp_kind_find(&row, top->kind));
    if (row->fit == pp_fit_5pp && top->rows == 0 && top->cols == 0) { /* one row is for pipelines of few tiles */
        top->rows = pp_root(n) + (pp_root(n) * pp_root(n) < n);
        top->cols = pp_divide_up(n, top->rows);
    }
    const pp_status status = pp_fabric_fit(top, n);
    return status == PP_OK || o->n_levels == 1 ? status : pp_fail_in(status, "groups on the top level");
}

/* ---- gateways ---- */

/* Members of a grid along its edge, clockwise from the upper left corner; else all of them. */
static uint32_t edge_members(const pp_fabric *f, uint32_t *member)
{
    const int32_t rows = (int32_t)f->core_rows, cols = (int32_t)f->core_cols;
    const bool grid = rows > 1 && cols > 1 && (uint64_t)rows * (uint64_t)cols == f->n_cores;
    uint32_t n = 0;
    if (!grid) {
        for (uint32_t i = 0; i < f->n_cores; i++)
            member[n++] = i;
        return n;
    }
    uint32_t *at = pp_alloc(f->n_cores, sizeof *at);
    if (!at)
        return 0;
    for (uint32_t i = 0; i < f->n_cores; i++) {
        const int32_t *c = f->vertex[f->core_vertex[i]].coord;
        at[c[0] * cols + c[1]] = i;
    }
    for (int32_t c = 0; c < cols; c++)
        member[n++] = at[c];
    for (int32_t r = 1; r < rows; r++)
        member[n++] = at[r * cols + cols - 1];
    for (int32_t c = cols - 2; c >= 0; c--)
        member[n++] = at[(rows - 1) * cols + c];
    for (int32_t r = rows - 2; r > 0; r--)
        member[n++] = at[r * cols];
    free(at);
    return n;
}

/* Evenly along the edge, from the middle of the first stretch. */
static pp_status place_gateways(pp_hier_level *v, uint32_t l)
{
    uint32_t *member = pp_alloc(v->size, sizeof *member);
    v->gateway = pp_calloc(v->gateways, sizeof *v->gateway);
    const uint32_t n = member && v->gateway ? edge_members(v->unit, member) : 0;
    if (n > 0 && v->gateways > n) {
        free(member);
        return pp_fail(PP_ERANGE, "fabric.levels[%u]: %u gateways, but %s has room for %u", l, v->gateways,
                       v->unit->name, n);
    }
    for (uint32_t g = 0; n > 0 && g < v->gateways; g++)
        v->gateway[g] = member[((2 * (uint64_t)g + 1) * n / (2 * (uint64_t)v->gateways))];
    free(member);
    return n > 0 ? PP_OK : PP_ENOMEM;
}

/* The nearest gateway of each member; of equally near ones the one that serves the fewest so far. */
static pp_status choose_exits(pp_hier_level *v)
{
    const pp_fabric *f = v->unit;
    uint32_t *distance = pp_alloc((size_t)v->gateways * f->n_vertices, sizeof *distance);
    uint32_t *served = pp_calloc(v->gateways, sizeof *served);
    v->exit_of = pp_alloc(v->size, sizeof *v->exit_of);
    pp_status status = distance && served && v->exit_of ? PP_OK : PP_ENOMEM;
    for (uint32_t g = 0; status == PP_OK && g < v->gateways; g++)
        status = pp_distances(f, f->core_vertex[v->gateway[g]], distance + (size_t)g * f->n_vertices);
    for (uint32_t m = 0; status == PP_OK && m < v->size; m++) {
        uint32_t best = 0;
        for (uint32_t g = 1; g < v->gateways; g++) {
            const uint32_t d = distance[(size_t)g * f->n_vertices + f->core_vertex[m]];
            const uint32_t least = distance[(size_t)best * f->n_vertices + f->core_vertex[m]];
            if (d < least || (d == least && served[g] < served[best]))
                best = g;
        }
        v->exit_of[m] = best;
        served[best]++;
    }
    free(distance);
    free(served);
    return status;
}

/* A gateway's channels are of the kind of the level that it leads to. */
static pp_channel gateway_channel(const pp_fabric_options *above)
{
    const double rate = above->rate_gbps > 0.0 ? above->rate_gbps : (double)above->width_bits * above->clock_hz * 1e-9;
    return (pp_channel){.src = PP_NO_VERTEX,
                        .dst = PP_NO_VERTEX,
                        .kind = PP_CHANNEL_NETWORK,
                        .lanes = (uint32_t)above->lanes,
                        .lane_gbps = rate,
                        .latency_ps = (uint32_t)(above->wire_ps + above->router_ps),
                        .length = 1.0F};
}

static pp_status make_gateways(pp_hier *h, uint32_t l, const pp_hier_options *o)
{
    pp_hier_level *v = &h->level[l];
    v->gateways = o->gateways[l] > 0 ? (uint32_t)o->gateways[l] : 1;
    PP_TRY(place_gateways(v, l));
    PP_TRY(choose_exits(v));
    v->up = v->down = gateway_channel(&o->level[l + 1]);
    return PP_OK;
}

/* ---- building ---- */

static pp_status make_name(pp_hier *h)
{
    char *name = pp_strdup("");
    for (uint32_t l = 0; name && l < h->n_levels; l++) {
        const pp_hier_level *v = &h->level[l];
        char ways[40] = "";
        if (v->gateways > 1)
            (void)snprintf(ways, sizeof ways, "%cgateways=%u", strchr(v->unit->name, ':') ? ',' : ':', v->gateways);
        char *longer = pp_strf("%s%s%s%s", name, l > 0 ? "/" : "", v->unit->name, ways);
        free(name);
        name = longer;
    }
    h->name = name;
    return name ? PP_OK : PP_ENOMEM;
}

/* Dimension order on an open grid is two divisions and a table of steps: the routing function asks the fabric for each
 * hop, and mappings take millions of them. */
static pp_status make_steps(pp_hier_level *v)
{
    const pp_fabric *f = v->unit;
    const uint32_t n = 2 * f->reach + 2;
    const bool grid = f->rows > 0 && !f->wrap && f->row_direction == PP_ROWS_BOTH && f->n_vertices == f->rows * f->cols;
    if (!grid || (v->routing != PP_ROUTING_NATIVE && v->routing != PP_ROUTING_XY))
        return PP_OK;
    v->step = pp_alloc((size_t)f->n_vertices * n, sizeof *v->step);
    if (!v->step)
        return PP_ENOMEM;
    for (size_t i = 0; i < (size_t)f->n_vertices * n; i++)
        v->step[i] = PP_NO_CHANNEL;
    for (uint32_t c = f->n_network; c-- > 0;) {
        const uint32_t src = f->channel[c].src, dst = f->channel[c].dst;
        const int64_t across = (int64_t)(dst % f->cols) - (int64_t)(src % f->cols);
        const int64_t k = src / f->cols != dst / f->cols ? 2 * (int64_t)f->reach + (dst < src)
                          : across > 0                   ? across - 1
                                                         : (int64_t)f->reach - across - 1;
        v->step[(size_t)src * n + (size_t)k] = c;
    }
    return PP_OK;
}

static pp_status make_level(pp_hier *h, uint32_t l, const pp_hier_options *o)
{
    pp_hier_level *v = &h->level[l];
    const char *routing = o->level[l].routing;
    pp_routing r = PP_ROUTING_NATIVE;
    PP_TRY(pp_fabric_build(&v->unit, &o->level[l]));
    const char *usual = o->n_levels == 1 || l >= 3 ? "level" : usual_name[l];
    v->name = pp_strdup(o->name[l] ? o->name[l] : o->n_levels == 1 ? "fabric" : usual);
    if (routing && strcmp(routing, "auto") != 0)
        PP_TRY(pp_routing_parse(&r, routing, v->unit));
    v->routing = (uint8_t)(r == PP_ROUTING_BALANCED ? PP_ROUTING_NATIVE : r);
    PP_TRY(make_steps(v));
    v->size = v->unit->n_cores;
    v->cores = l > 0 ? h->level[l - 1].cores * v->size : v->size;
    v->header_bits = v->unit->header_bits;
    if (v->cores > PP_HIER_MAX_CORES)
        return pp_fail(PP_ERANGE, "fabric.levels[%u]: %llu cores; at most %u", l, (unsigned long long)v->cores,
                       PP_HIER_MAX_CORES);
    return v->name ? PP_OK : PP_ENOMEM;
}

static pp_status number_channels(pp_hier *h)
{
    uint64_t next = 0, groups = 1;
    for (uint32_t l = h->n_levels; l-- > 0;) {
        h->level[l].groups = (uint32_t)groups;
        groups *= h->level[l].size;
    }
    for (uint32_t l = 0; l < h->n_levels; l++) {
        pp_hier_level *v = &h->level[l];
        v->first_channel = (uint32_t)next;
        v->channels = v->unit->n_channels + 2 * v->gateways;
        next += (uint64_t)v->channels * v->groups;
        if (next >= PP_HIER_MAX_CHANNELS)
            return pp_fail(PP_ERANGE, "fabric %s: more than %u channels", h->name, PP_HIER_MAX_CHANNELS);
    }
    h->n_channels = (uint32_t)next;
    h->n_cores = (uint32_t)h->level[h->n_levels - 1].cores;
    return PP_OK;
}

pp_status pp_hier_build(pp_hier **out, const pp_hier_options *o)
{
    pp_status status = PP_OK;
    *out = NULL;
    pp_hier *h = pp_calloc(1, sizeof *h);
    if (!h)
        return PP_ENOMEM;
    h->n_levels = o->n_levels;
    for (uint32_t l = 0; l < o->n_levels && status == PP_OK; l++)
        status = make_level(h, l, o);
    for (uint32_t l = 0; l + 1 < o->n_levels && status == PP_OK; l++)
        status = make_gateways(h, l, o);
    if (status == PP_OK)
        status = make_name(h);
    if (status == PP_OK)
        status = number_channels(h);
    if (status == PP_OK)
        *out = h;
    else
        pp_hier_free(h);
    return status;
}

/* ---- channels by number ---- */

pp_hier_place pp_hier_place_of(const pp_hier *h, uint32_t channel)
{
    uint32_t l = h->n_levels - 1;
    while (l > 0 && channel < h->level[l].first_channel)
        l--;
    const uint32_t at = channel - h->level[l].first_channel;
    return (pp_hier_place){.level = l, .group = at / h->level[l].channels, .local = at % h->level[l].channels};
}

const pp_channel *pp_hier_channel(const pp_hier *h, uint32_t channel)
{
    const pp_hier_place p = pp_hier_place_of(h, channel);
    const pp_hier_level *v = &h->level[p.level];
    if (p.local < v->unit->n_channels)
        return &v->unit->channel[p.local];
    return p.local - v->unit->n_channels < v->gateways ? &v->up : &v->down;
}

uint32_t pp_hier_header_bits(const pp_hier *h, uint32_t channel)
{
    const pp_hier_place p = pp_hier_place_of(h, channel);
    const bool gateway = p.local >= h->level[p.level].unit->n_channels;
    return h->level[p.level + gateway].header_bits;
}

uint32_t pp_hier_group(const pp_hier *h, uint32_t level, uint32_t core)
{
    return (uint32_t)(core / h->level[level].cores);
}

const char *pp_hier_channel_label(const pp_hier *h, uint32_t channel, char *buffer, size_t size)
{
    const pp_hier_place p = pp_hier_place_of(h, channel);
    const pp_hier_level *v = &h->level[p.level];
    char from[32], to[32];
    if (p.local >= v->unit->n_channels) {
        const uint32_t k = p.local - v->unit->n_channels;
        (void)snprintf(buffer, size, "%s %u gateway %u %s", v->name, p.group, k % v->gateways,
                       k < v->gateways ? "up" : "down");
        return buffer;
    }
    const pp_channel *c = &v->unit->channel[p.local];
    static const char *const what[] = {[PP_CHANNEL_NETWORK] = "->", [PP_CHANNEL_INJECT] = "in to", [PP_CHANNEL_EJECT] = "out to"};
    (void)snprintf(buffer, size, "%s %u %s %s %s", v->name, p.group,
                   pp_vertex_label(v->unit, c->src, from, sizeof from), what[c->kind],
                   pp_vertex_label(v->unit, c->dst, to, sizeof to));
    return buffer;
}

/* ---- invariants ---- */

static pp_status check_level(const pp_hier *h, uint32_t l)
{
    const pp_hier_level *v = &h->level[l];
    const bool top = l + 1 == h->n_levels;
    PP_TRY(pp_fabric_check(v->unit));
    if (v->size != v->unit->n_cores || v->channels != v->unit->n_channels + 2 * v->gateways || top != (v->gateways == 0))
        return pp_fail(PP_EINTERNAL, "level %u: sizes do not agree", l);
    const uint64_t end = v->first_channel + (uint64_t)v->channels * v->groups;
    if (end != (top ? h->n_channels : h->level[l + 1].first_channel))
        return pp_fail(PP_EINTERNAL, "level %u: channels are not numbered one by one", l);
    for (uint32_t g = 0; g < v->gateways; g++)
        if (v->gateway[g] >= v->size || (g > 0 && v->gateway[g] == v->gateway[g - 1]))
            return pp_fail(PP_EINTERNAL, "level %u: gateway %u stands at no member of its own", l, g);
    for (uint32_t m = 0; !top && m < v->size; m++)
        if (v->exit_of[m] >= v->gateways)
            return pp_fail(PP_EINTERNAL, "level %u: member %u has no gateway", l, m);
    return PP_OK;
}

pp_status pp_hier_check(const pp_hier *h)
{
    uint64_t cores = 1;
    for (uint32_t l = 0; l < h->n_levels; l++) {
        PP_TRY(check_level(h, l));
        cores *= h->level[l].size;
    }
    return cores == h->n_cores ? PP_OK : pp_fail(PP_EINTERNAL, "fabric %s: %u cores, %llu counted", h->name, h->n_cores,
                                                 (unsigned long long)cores);
}

/* From a fabric to routers with numbered ports. */
#include "sim/net_internal.h"

#include <stdlib.h>

static bool is_router(const pp_fabric *f, uint32_t v)
{
    return f->vertex[v].kind != PP_VERTEX_CORE;
}

/* The vertex whose switch serves a core; the core's own when it is a core only that hangs on several. */
static uint32_t home(const pp_fabric *f, uint32_t core)
{
    return f->core_switch[core];
}

static bool has_home(const pp_fabric *f, uint32_t core)
{
    return is_router(f, home(f, core));
}

static uint32_t at_least_one(uint32_t n)
{
    return n > 0 ? n : 1;
}

/* Ports of a core at its switch: N, or one for each link of the switch. A core without a home has its channels. */
static uint32_t core_sources(const pp_fabric *f, uint32_t core)
{
    const uint32_t v = home(f, core);
    return has_home(f, core) && f->ports > 0 ? f->ports : at_least_one(f->out_first[v + 1] - f->out_first[v]);
}

static uint32_t core_ejects(const pp_fabric *f, uint32_t core)
{
    const uint32_t v = home(f, core);
    return has_home(f, core) && f->ports > 0 ? f->ports : at_least_one(f->in_first[v + 1] - f->in_first[v]);
}

static pp_status number_routers(pp_noc_graph *g)
{
    const pp_fabric *f = g->fabric;
    g->router_of_vertex = pp_alloc(f->n_vertices, sizeof *g->router_of_vertex);
    g->vertex = pp_alloc(f->n_vertices, sizeof *g->vertex);
    if (!g->router_of_vertex || !g->vertex)
        return PP_ENOMEM;
    for (uint32_t v = 0; v < f->n_vertices; v++) {
        g->router_of_vertex[v] = is_router(f, v) ? g->n_routers : PP_NOC_NO;
        if (is_router(f, v))
            g->vertex[g->n_routers++] = v;
    }
    return PP_OK;
}

static void sum_up(uint32_t *first, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        first[i + 1] += first[i];
}

/* Ports: network channels first, in the fabric's order, then those of the cores at home here. */
static void count_router_ports(pp_noc_graph *g)
{
    const pp_fabric *f = g->fabric;
    for (uint32_t r = 0; r < g->n_routers; r++) {
        const uint32_t v = g->vertex[r];
        g->ip_first[r + 1] = f->in_first[v + 1] - f->in_first[v];
        g->op_first[r + 1] = f->out_first[v + 1] - f->out_first[v];
    }
    for (uint32_t c = 0; c < f->n_cores; c++) {
        g->src_first[c + 1] = core_sources(f, c);
        g->out_first[c + 1] = core_ejects(f, c);
        if (!has_home(f, c))
            continue;
        const uint32_t r = g->router_of_vertex[home(f, c)];
        g->ip_first[r + 1] += g->src_first[c + 1];
        g->op_first[r + 1] += g->out_first[c + 1];
    }
}

static pp_status count_ports(pp_noc_graph *g)
{
    const pp_fabric *f = g->fabric;
    g->ip_first = pp_calloc((size_t)g->n_routers + 1, sizeof *g->ip_first);
    g->op_first = pp_calloc((size_t)g->n_routers + 1, sizeof *g->op_first);
    g->src_first = pp_calloc((size_t)f->n_cores + 1, sizeof *g->src_first);
    g->out_first = pp_calloc((size_t)f->n_cores + 1, sizeof *g->out_first);
    if (!g->ip_first || !g->op_first || !g->src_first || !g->out_first)
        return PP_ENOMEM;
    count_router_ports(g);
    for (uint32_t r = 1; r <= g->n_routers; r++) {
        g->ins_max = g->ip_first[r] > g->ins_max ? g->ip_first[r] : g->ins_max;
        g->outs_max = g->op_first[r] > g->outs_max ? g->op_first[r] : g->outs_max;
    }
    sum_up(g->ip_first, g->n_routers);
    sum_up(g->op_first, g->n_routers);
    sum_up(g->src_first, f->n_cores);
    sum_up(g->out_first, f->n_cores);
    g->n_ip = g->ip_first[g->n_routers];
    g->n_op = g->op_first[g->n_routers];
    g->n_src = g->src_first[f->n_cores];
    return PP_OK;
}

static uint32_t *filled(size_t n)
{
    uint32_t *a = pp_alloc(n, sizeof *a);
    for (size_t i = 0; a && i < n; i++)
        a[i] = PP_NOC_NO;
    return a;
}

static pp_status allocate(pp_noc_graph *g)
{
    const size_t outs = (size_t)g->n_op + g->n_src;
    g->ip_router = filled(g->n_ip);
    g->ip_channel = filled(g->n_ip);
    g->ip_up = filled(g->n_ip);
    g->op_router = filled(outs);
    g->op_channel = filled(outs);
    g->op_ip = filled(outs);
    g->op_core = filled(outs);
    g->op_of_channel = filled(g->fabric->n_channels);
    g->src_channel = filled(g->n_src);
    g->src_core = filled(g->n_src);
    g->out_op = filled(g->out_first[g->fabric->n_cores]);
    return g->ip_router && g->ip_channel && g->ip_up && g->op_router && g->op_channel && g->op_ip && g->op_core &&
                   g->op_of_channel && g->src_channel && g->src_core && g->out_op
               ? PP_OK
               : PP_ENOMEM;
}

/* Output ports of the channels out of a router. */
static void place_outputs(pp_noc_graph *g, uint32_t r)
{
    const pp_fabric *f = g->fabric;
    const uint32_t v = g->vertex[r];
    uint32_t op = g->op_first[r];
    for (uint32_t i = f->out_first[v]; i < f->out_first[v + 1]; i++, op++) {
        g->op_channel[op] = f->out_channel[i];
        g->op_of_channel[f->out_channel[i]] = op;
        const pp_vertex *to = &f->vertex[f->channel[f->out_channel[i]].dst];
        if (to->kind == PP_VERTEX_CORE)
            g->op_core[op] = to->core;
    }
    for (op = g->op_first[r]; op < g->op_first[r + 1]; op++)
        g->op_router[op] = r;
}

/* Ejection ports of a core behind what its router has so far. */
static void place_ejects(pp_noc_graph *g, uint32_t core, uint32_t *next_op)
{
    const pp_fabric *f = g->fabric;
    uint32_t *next = &next_op[g->router_of_vertex[home(f, core)]];
    for (uint32_t i = g->out_first[core]; i < g->out_first[core + 1]; i++, (*next)++) {
        g->op_core[*next] = core;
        g->out_op[i] = *next;
        if (f->ports > 0) {
            g->op_channel[*next] = f->eject[core * f->ports + (i - g->out_first[core])];
            g->op_of_channel[g->op_channel[*next]] = *next;
        }
    }
}

static void place_source(pp_noc_graph *g, uint32_t s, uint32_t core, uint32_t ip, uint32_t channel)
{
    g->src_core[s] = core;
    g->op_core[g->n_op + s] = core;
    g->op_ip[g->n_op + s] = ip;
    g->op_router[g->n_op + s] = g->ip_router[ip];
    g->op_channel[g->n_op + s] = channel;
    g->ip_up[ip] = g->n_op + s;
}

/* Input ports of the channels into a router; those from cores without a home are sources, too. */
static void place_inputs(pp_noc_graph *g, uint32_t r, uint32_t *used)
{
    const pp_fabric *f = g->fabric;
    const uint32_t v = g->vertex[r];
    uint32_t ip = g->ip_first[r];
    for (uint32_t i = ip; i < g->ip_first[r + 1]; i++)
        g->ip_router[i] = r;
    for (uint32_t i = f->in_first[v]; i < f->in_first[v + 1]; i++, ip++) {
        const uint32_t c = f->in_channel[i];
        const pp_vertex *from = &f->vertex[f->channel[c].src];
        if (from->kind == PP_VERTEX_CORE) {
            place_source(g, g->src_first[from->core] + used[from->core]++, from->core, ip, c);
            continue;
        }
        g->ip_channel[ip] = c;
        g->ip_up[ip] = g->op_of_channel[c];
        g->op_ip[g->op_of_channel[c]] = ip;
    }
}

static void place_sources(pp_noc_graph *g, uint32_t core, uint32_t *next_ip)
{
    const pp_fabric *f = g->fabric;
    const uint32_t v = home(f, core);
    uint32_t *next = &next_ip[g->router_of_vertex[v]];
    for (uint32_t s = g->src_first[core], k = 0; s < g->src_first[core + 1]; s++, k++, (*next)++) {
        place_source(g, s, core, *next, f->ports > 0 ? f->inject[core * f->ports + k] : PP_NO_CHANNEL);
        if (f->ports > 0)
            g->op_of_channel[f->inject[core * f->ports + k]] = g->n_op + s;
        else if (f->out_first[v] + k < f->out_first[v + 1])
            g->src_channel[s] = f->out_channel[f->out_first[v] + k];
    }
}

/* Ejection ports of a core without a home, in the order of the channels into it. */
static void place_core_ejects(pp_noc_graph *g, uint32_t core)
{
    const pp_fabric *f = g->fabric;
    const uint32_t v = f->core_vertex[core];
    for (uint32_t i = f->in_first[v]; i < f->in_first[v + 1]; i++)
        g->out_op[g->out_first[core] + (i - f->in_first[v])] = g->op_of_channel[f->in_channel[i]];
}

static pp_status check_cores(const pp_noc_graph *g)
{
    for (uint32_t s = 0; s < g->n_src; s++)
        if (g->op_ip[g->n_op + s] == PP_NOC_NO)
            return pp_fail(PP_EINFEASIBLE, "fabric %s: a core has no channel to a switch", g->fabric->name);
    for (uint32_t i = 0; i < g->out_first[g->n_cores]; i++)
        if (g->out_op[i] == PP_NOC_NO)
            return pp_fail(PP_EINFEASIBLE, "fabric %s: a core has no channel from a switch", g->fabric->name);
    return PP_OK;
}

static void place_cores(pp_noc_graph *g, uint32_t *next_ip, uint32_t *next_op)
{
    const pp_fabric *f = g->fabric;
    for (uint32_t r = 0; r < g->n_routers; r++) {
        const uint32_t v = g->vertex[r];
        next_ip[r] = g->ip_first[r] + (f->in_first[v + 1] - f->in_first[v]);
        next_op[r] = g->op_first[r] + (f->out_first[v + 1] - f->out_first[v]);
    }
    for (uint32_t c = 0; c < g->n_cores; c++) {
        for (uint32_t s = g->src_first[c]; s < g->src_first[c + 1]; s++)
            g->src_core[s] = c;
        if (has_home(f, c)) {
            place_ejects(g, c, next_op);
            place_sources(g, c, next_ip);
        } else {
            place_core_ejects(g, c);
        }
    }
}

static pp_status place(pp_noc_graph *g)
{
    uint32_t *used = pp_calloc(g->n_cores, sizeof *used);
    uint32_t *next = pp_calloc(2 * (size_t)g->n_routers, sizeof *next);
    const bool room = used && next;
    if (room) {
        for (uint32_t r = 0; r < g->n_routers; r++)
            place_outputs(g, r);
        for (uint32_t r = 0; r < g->n_routers; r++)
            place_inputs(g, r, used);
        place_cores(g, next, next + g->n_routers);
    }
    free(used);
    free(next);
    return room ? check_cores(g) : PP_ENOMEM;
}

pp_status pp_noc_graph_new(pp_noc_graph *g, const pp_fabric *f)
{
    *g = (pp_noc_graph){.fabric = f, .n_cores = f->n_cores};
    PP_TRY(number_routers(g));
    if (g->n_routers == 0)
        return pp_fail(PP_EINFEASIBLE, "fabric %s: it has no switch", f->name);
    PP_TRY(count_ports(g));
    PP_TRY(allocate(g));
    return place(g);
}

void pp_noc_graph_free(pp_noc_graph *g)
{
    uint32_t **all[] = {&g->router_of_vertex, &g->vertex, &g->ip_first, &g->op_first, &g->ip_router, &g->ip_channel,
                        &g->ip_up, &g->op_router, &g->op_channel, &g->op_ip, &g->op_core, &g->op_of_channel,
                        &g->src_first, &g->src_channel, &g->src_core, &g->out_first, &g->out_op};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free(*all[i]);
        *all[i] = NULL;
    }
}

uint32_t pp_noc_eject_port(const pp_noc_graph *g, uint32_t router, uint32_t core, uint32_t ip, uint32_t src_core)
{
    const uint32_t first = g->out_first[core], n = g->out_first[core + 1] - first;
    if (n == 1)
        return g->op_router[g->out_op[first]] == router ? g->out_op[first] : PP_NOC_NO;
    uint32_t here = 0;
    for (uint32_t i = 0; i < n; i++)
        here += g->op_router[g->out_op[first + i]] == router;
    if (here == 0)
        return PP_NOC_NO;
    /* per_link: a receiver for each incoming link. */
    uint32_t want = src_core % here;
    if (g->fabric->ports == 0 && has_home(g->fabric, core))
        want = ip != PP_NOC_NO && g->ip_channel[ip] != PP_NO_CHANNEL ? ip - g->ip_first[router] : 0;
    for (uint32_t i = 0; i < n; i++)
        if (g->op_router[g->out_op[first + i]] == router && want-- == 0)
            return g->out_op[first + i];
    return PP_NOC_NO;
}

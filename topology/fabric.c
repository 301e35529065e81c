/* The fabric as a value: release, labels, invariants. */
#include "topology/topology_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pp_fabric_free(pp_fabric *f)
{
    if (!f)
        return;
    free(f->kind);
    free(f->name);
    free(f->vertex);
    free(f->core_vertex);
    free(f->core_switch);
    free(f->channel);
    free(f->out_first);
    free(f->out_channel);
    free(f->in_first);
    free(f->in_channel);
    free(f->inject);
    free(f->eject);
    free(f->names);
    free(f);
}

/* As much of a name as fits, in whole characters, those that steer terminals as '?': a label is one line. */
static void put_name(char *buffer, size_t size, const char *name)
{
    size_t n = strlen(name);
    if (n >= size)
        for (n = size - 1; n > 0 && ((unsigned char)name[n] & 0xC0) == 0x80;)
            n--;
    pp_utf8_clean(buffer, (const unsigned char *)name, n);
}

const char *pp_vertex_label(const pp_fabric *fabric, uint32_t vertex, char *buffer, size_t size)
{
    const pp_vertex *v = &fabric->vertex[vertex];
    if (v->name)
        put_name(buffer, size, v->name);
    else if (v->kind == PP_VERTEX_SWITCH)
        (void)snprintf(buffer, size, "s%d.%d", v->coord[0], v->coord[1]);
    else if (fabric->shape.planes > 1)
        (void)snprintf(buffer, size, "r%dc%dp%d", v->coord[0], v->coord[1], v->coord[2]);
    else
        (void)snprintf(buffer, size, "r%dc%d", v->coord[0], v->coord[1]);
    return buffer;
}

static pp_status check_channel(const pp_fabric *f, uint32_t i)
{
    const pp_channel *c = &f->channel[i];
    if (c->src >= f->n_vertices || c->dst >= f->n_vertices)
        return pp_fail(PP_EINTERNAL, "fabric %s: channel %u ends at no vertex", f->name, i);
    if ((i < f->n_network) != (c->kind == PP_CHANNEL_NETWORK))
        return pp_fail(PP_EINTERNAL, "fabric %s: channel %u stands among the wrong kind", f->name, i);
    if (c->kind == PP_CHANNEL_NETWORK && c->src == c->dst)
        return pp_fail(PP_EINTERNAL, "fabric %s: channel %u ends where it begins", f->name, i);
    if (c->lanes == 0 || !(c->lane_gbps > 0.0) || !isfinite(c->lane_gbps) || !(c->length >= 0.0F))
        return pp_fail(PP_EINTERNAL, "fabric %s: channel %u has no rate or a negative length", f->name, i);
    return PP_OK;
}

static pp_status check_cores(const pp_fabric *f)
{
    uint32_t cores = 0;
    for (uint32_t v = 0; v < f->n_vertices; v++) {
        const bool core = f->vertex[v].kind != PP_VERTEX_SWITCH;
        if (f->vertex[v].core != (core ? cores : PP_NO_VERTEX) || (core && f->core_vertex[cores] != v))
            return pp_fail(PP_EINTERNAL, "fabric %s: vertex %u has the wrong core number", f->name, v);
        if (core && f->core_switch[cores] >= f->n_vertices)
            return pp_fail(PP_EINTERNAL, "fabric %s: core %u hangs at no vertex", f->name, cores);
        cores += core;
    }
    if (cores != f->n_cores)
        return pp_fail(PP_EINTERNAL, "fabric %s: %u cores, %u counted", f->name, f->n_cores, cores);
    return PP_OK;
}

static pp_status check_csr(const pp_fabric *f, bool by_source)
{
    const uint32_t *first = by_source ? f->out_first : f->in_first;
    const uint32_t *list = by_source ? f->out_channel : f->in_channel;
    if (first[0] != 0 || first[f->n_vertices] != f->n_network)
        return pp_fail(PP_EINTERNAL, "fabric %s: channel lists do not hold every channel", f->name);
    for (uint32_t v = 0; v < f->n_vertices; v++)
        for (uint32_t i = first[v]; i < first[v + 1]; i++) {
            const bool mine = list[i] < f->n_network &&
                              (by_source ? f->channel[list[i]].src : f->channel[list[i]].dst) == v;
            if (!mine || (i > first[v] && list[i - 1] >= list[i]))
                return pp_fail(PP_EINTERNAL, "fabric %s: channel list of vertex %u is wrong", f->name, v);
        }
    return PP_OK;
}

static pp_status check_port(const pp_fabric *f, uint32_t channel, pp_channel_kind kind, uint32_t core, uint32_t port)
{
    const bool inside = channel >= f->n_network && channel < f->n_channels, out = kind == PP_CHANNEL_EJECT;
    const pp_channel *c = &f->channel[inside ? channel : 0];
    const bool good = inside && c->kind == kind && c->port == port &&
                      (out ? c->dst : c->src) == f->core_vertex[core] &&
                      (out ? c->src : c->dst) == f->core_switch[core];
    return good ? PP_OK : pp_fail(PP_EINTERNAL, "fabric %s: port %u of core %u is wrong", f->name, port, core);
}

pp_status pp_fabric_check(const pp_fabric *f)
{
    if (f->n_channels != f->n_network + 2 * (uint64_t)f->n_cores * f->ports)
        return pp_fail(PP_EINTERNAL, "fabric %s: ports do not add up", f->name);
    for (uint32_t c = 0; c < f->n_channels; c++)
        PP_TRY(check_channel(f, c));
    PP_TRY(check_cores(f));
    PP_TRY(check_csr(f, true));
    PP_TRY(check_csr(f, false));
    for (uint32_t core = 0; core < f->n_cores; core++)
        for (uint32_t p = 0; p < f->ports; p++) {
            PP_TRY(check_port(f, f->inject[(size_t)core * f->ports + p], PP_CHANNEL_INJECT, core, p));
            PP_TRY(check_port(f, f->eject[(size_t)core * f->ports + p], PP_CHANNEL_EJECT, core, p));
        }
    return PP_OK;
}

/* Invariants of a language model's mapping, and its text. */
#include "mapper/lm_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static pp_status broken(const pp_lm_mapping *m, const char *what, uint32_t index)
{
    return pp_fail(PP_EINTERNAL, "mapping of %s: %s (%u)", m->graph->config.name, what, index);
}

static pp_status check_edge(const pp_lm_mapping *m, uint32_t i, uint32_t first, uint32_t end)
{
    const pp_lm_edge *e = &m->edge[i];
    uint64_t busiest = 0;
    if (e->n_targets == 0 || e->first_target + e->n_targets > m->n_targets || e->first_share + e->n_shares > m->n_shares)
        return broken(m, "an edge has no targets or shares", i);
    for (uint32_t k = 0; k < e->n_targets; k++)
        if (m->target[e->first_target + k].stage < first || m->target[e->first_target + k].stage >= end)
            return broken(m, "an edge leaves its instance", i);
    for (uint32_t k = 0; k < e->n_shares; k++)
        busiest = m->share[e->first_share + k].busy_ps > busiest ? m->share[e->first_share + k].busy_ps : busiest;
    if (e->serialisation_ps > 0 && busiest == 0)
        return broken(m, "an edge with packets has no server", i);
    return PP_OK;
}

static pp_status check_servers(const pp_lm_mapping *m, uint32_t i, uint32_t own, uint32_t before)
{
    const pp_lm_edge *e = &m->edge[i];
    for (uint32_t k = 0; k < e->n_shares; k++) {
        const pp_lm_share *s = &m->share[e->first_share + k];
        if (s->server >= (s->previous ? before : own))
            return broken(m, "a share names no server", i);
    }
    return PP_OK;
}

static pp_status check_instances(const pp_lm_mapping *m)
{
    for (uint32_t i = 0; i < m->n_instances; i++) {
        const pp_lm_instance *x = &m->instance[i];
        const pp_lm_template *t = &m->template_[x->template_];
        const pp_lm_template *before = &m->template_[m->instance[i > 0 ? i - 1 : m->n_instances - 1].template_];
        if (t->part != x->part || x->first_place + x->n_places > m->n_places)
            return broken(m, "an instance lies nowhere", i);
        for (uint32_t k = 0; k < t->n_edges + x->n_in; k++) {
            const uint32_t e = k < t->n_edges ? t->first_edge + k : x->first_in + k - t->n_edges;
            PP_TRY(check_edge(m, e, t->first_stage, t->first_stage + t->n_stages));
            PP_TRY(check_servers(m, e, t->n_servers, before->n_servers));
        }
    }
    return PP_OK;
}

/* One tile a core: places go to different cores. */
static pp_status check_cores(const pp_lm_mapping *m)
{
    uint8_t *used = pp_calloc(m->fabric->n_cores, sizeof *used);
    pp_status status = used ? PP_OK : PP_ENOMEM;
    for (uint32_t p = 0; status == PP_OK && p < m->n_places; p++) {
        if (m->order[p] >= m->fabric->n_cores || used[m->order[p]]++)
            status = broken(m, "two places share a core", p);
    }
    free(used);
    return status;
}

/* Bits of every net on every channel, one by one. */
static pp_status check_loads(const pp_lm_mapping *m)
{
    pp_lm_expanded *x = NULL;
    PP_TRY(pp_lm_mapping_expand(&x, m, 0));
    double *load = pp_calloc(m->fabric->n_channels, sizeof *load);
    pp_status status = load ? PP_OK : PP_ENOMEM;
    for (uint32_t n = 0; load && n < x->n_nets; n++) {
        const pp_lm_net *net = &x->net[n];
        const uint32_t expert = m->edge[net->edge].expert;
        const double share = pp_lm_graph_share(m->graph, expert);
        for (uint32_t h = net->first_hop; h < net->first_hop + net->n_hops; h++)
            load[x->hop[h].channel] += share * (net->bits + pp_hier_header_bits(m->fabric, x->hop[h].channel)) / net->phases;
    }
    for (uint32_t c = 0; status == PP_OK && c < m->fabric->n_channels; c++)
        if (fabs(load[c] - m->load[c]) > 1e-9 * (load[c] + 1.0))
            status = broken(m, "loads do not add up on a channel", c);
    free(load);
    pp_lm_expanded_free(x);
    return status;
}

pp_status pp_lm_mapping_check(const pp_lm_mapping *m)
{
    PP_TRY(pp_lm_graph_check(m->graph));
    PP_TRY(pp_hier_check(m->fabric));
    PP_TRY(check_instances(m));
    PP_TRY(check_cores(m));
    return m->cores_used <= 65536 ? check_loads(m) : PP_OK;
}

/* ---- text ---- */

static void dump_edge(FILE *f, const pp_lm_mapping *m, const pp_lm_edge *e)
{
    fprintf(f, "  edge %s ->", m->stage[e->from].name);
    for (uint32_t k = 0; k < e->n_targets; k++) {
        const pp_lm_target *t = &m->target[e->first_target + k];
        fprintf(f, " %s (%u hops, %" PRIu64 " ps)", m->stage[t->stage].name, t->hops, t->latency_ps);
    }
    fprintf(f, ": %u packets, %" PRIu64 " bits, %" PRIu64 " ps, %s;", e->packets, e->bits, e->serialisation_ps,
            e->exact ? "exact" : "upper bound");
    for (uint32_t k = 0; k < e->n_shares; k++) {
        const pp_lm_share *s = &m->share[e->first_share + k];
        fprintf(f, " %s%u:%" PRIu64, s->previous ? "before." : "", s->server, s->busy_ps);
    }
    fprintf(f, "\n");
}

static void dump_template(FILE *f, const pp_lm_mapping *m, uint32_t i)
{
    const pp_lm_template *t = &m->template_[i];
    fprintf(f, "template %u: part %u, %u instances, %u cores, %u servers, %" PRIu64 " ps\n", i, t->part, t->instances, t->cores,
            t->n_servers, t->latency_ps);
    for (uint32_t k = t->first_stage; k < t->first_stage + t->n_stages; k++) {
        const pp_lm_stage *s = &m->stage[k];
        fprintf(f, "  stage %s: %u x %u x %u tiles, %u cores, server %u, %" PRIu64 " / %" PRIu64 " ps, bound %" PRIu64 " by %s\n",
                s->name, s->row_tiles, s->col_tiles, s->copies, s->cores, s->server, s->interval_ps, s->latency_ps,
                s->bound_interval_ps, pp_lm_binding_name((pp_lm_binding)s->binding));
    }
    for (uint32_t e = 0; e < t->n_edges; e++)
        dump_edge(f, m, &m->edge[t->first_edge + e]);
}

pp_status pp_lm_mapping_dump(char **out, const pp_lm_mapping *m)
{
    size_t size = 0;
    *out = NULL;
    FILE *f = open_memstream(out, &size);
    if (!f)
        return pp_fail(PP_ENOMEM, "out of memory");
    fprintf(f, "%s on %s: %" PRIu64 " tiles, %u cores, %s\n", m->graph->config.name, m->fabric->name, m->tiles, m->cores_used,
            m->placement);
    for (uint32_t t = 0; t < m->n_templates; t++)
        dump_template(f, m, t);
    for (uint32_t i = 0; i < m->n_instances; i++) {
        fprintf(f, "instance %u: template %u, places from %u\n", i, m->instance[i].template_, m->instance[i].first_place);
        for (uint32_t e = 0; e < m->instance[i].n_in; e++)
            dump_edge(f, m, &m->edge[m->instance[i].first_in + e]);
    }
    return fclose(f) == 0 ? PP_OK : pp_fail(PP_ENOMEM, "out of memory");
}

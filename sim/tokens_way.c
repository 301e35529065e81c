#include "sim/tokens_way.h"

#include "workloads/network.h" /* PP_NONE */

#include <stdio.h>

/* ---- services of a token ---- */

/* Share of the tokens that an expert takes, if all take as many. */
static double share_of(const pp_lm_mapping *m, uint32_t expert)
{
    const pp_lm_graph *g = m->graph;
    return expert == PP_NONE || g->choices == 0 ? 1 : (double)g->choices_per_token / g->choices;
}

/* Channels that a packet takes, and the additions at its ends. */
static double net_services(const pp_lm_expanded *e, const pp_lm_mapping *m, const pp_lm_net *n)
{
    double sum = 0;
    for (uint32_t h = n->first_hop; h < n->first_hop + n->n_hops; h++)
        sum += e->hop[h].channel != PP_NONE;
    return share_of(m, m->edge[n->edge].expert) * (sum + (n->sum ? n->n_ends : 0)) / n->phases;
}

static double all_services(const pp_lm_expanded *e, const pp_lm_mapping *m, uint32_t instance)
{
    double sum = 0;
    for (uint32_t t = 0; t < e->n_tiles; t++)
        if (e->tile[t].instance == instance)
            sum += share_of(m, m->stage[e->tile[t].stage].expert) / m->stage[e->tile[t].stage].copies;
    for (uint32_t i = 0; i < e->n_nets; i++)
        sum += net_services(e, m, &e->net[i]);
    return sum;
}

static uint32_t instances_of(const pp_lm_mapping *m, uint32_t template_, uint32_t *first)
{
    uint32_t n = 0;
    for (uint32_t i = m->n_instances; i-- > 0;) {
        if (m->instance[i].template_ != template_)
            continue;
        *first = i;
        n++;
    }
    return n;
}

pp_status pp_lm_services(double *out, const pp_lm_mapping *m)
{
    *out = 0;
    for (uint32_t t = 0; t < m->n_templates; t++) {
        uint32_t first;
        const uint32_t n = instances_of(m, t, &first);
        pp_lm_expanded *e = NULL;
        if (n == 0)
            continue;
        PP_TRY(pp_lm_mapping_expand_some(&e, m, first, 1));
        *out += n * all_services(e, m, first);
        pp_lm_expanded_free(e);
    }
    return PP_OK;
}

/* ---- the choice ---- */

#define SAY(...) (void)snprintf(out->why, sizeof out->why, __VA_ARGS__)

static void choose(pp_lm_way *out, const pp_lm_mapping *m)
{
    if (m->copies_max > 1)
        SAY("auto: operators have copies, which lockstep alone takes in turn");
    else if (m->cores_used > PP_LM_TILES_MAX)
        SAY("auto: %u cores; at most %d are taken one by one", m->cores_used, PP_LM_TILES_MAX);
    else {
        out->tiles = out->services <= PP_LM_SERVICES_MAX;
        SAY("auto: tile by tile takes some %.3g million starts of tiles and packets; %s %.3g million", out->services * 1e-6,
            out->tiles ? "fewer than" : "at most", PP_LM_SERVICES_MAX * 1e-6);
    }
}

pp_status pp_lm_choose_way(pp_lm_way *out, const pp_lm_mapping *m, int asked, uint64_t tokens)
{
    *out = (pp_lm_way){.tiles = asked == PP_EXACT_TRUE};
    PP_TRY(pp_lm_services(&out->services, m));
    out->services *= (double)tokens;
    if (asked == PP_EXACT_AUTO)
        choose(out, m);
    else
        SAY("simulate.exact: %s", out->tiles ? "true" : "false");
    return PP_OK;
}

/* Virtual layers: nets whose routes would wait for each other in a cycle are kept apart by virtual channels.
 *
 * A packet that holds channel a and asks for channel b makes b a condition of a. Where these conditions form no cycle
 * nobody waits for himself. PAPER: dally1987 (acyclic channel dependencies); layers one after another as in
 * skeie2002 (layered routing): each net goes into the first layer that stays free of cycles with it. */
#include "sim/pipeline_internal.h"

#include <stdlib.h>
#include <string.h>

#define MAX_LAYERS 64u

/* Conditions of one layer: for each channel a list of the channels behind it, with how many nets want it. */
typedef struct layer_graph {
    PP_VEC(uint32_t) *next; /* [n_channels] */
    uint32_t *degree, *queue;
    uint32_t n;
} layer_graph;

static pp_status graph_new(layer_graph *g, uint32_t n)
{
    g->n = n;
    g->next = pp_calloc(n, sizeof *g->next);
    g->degree = pp_calloc(n, sizeof *g->degree);
    g->queue = pp_calloc(n, sizeof *g->queue);
    return g->next != NULL && g->degree != NULL && g->queue != NULL ? PP_OK : PP_ENOMEM;
}

static void graph_free(layer_graph *g)
{
    for (uint32_t i = 0; g->next != NULL && i < g->n; i++)
        free(g->next[i].data);
    free(g->next);
    free(g->degree);
    free(g->queue);
}

/* Kahn: channels without conditions go first; all go where there is no cycle. */
static bool acyclic(layer_graph *g)
{
    uint32_t head = 0, tail = 0;
    memset(g->degree, 0, g->n * sizeof *g->degree);
    for (uint32_t i = 0; i < g->n; i++)
        for (size_t k = 0; k < g->next[i].len; k++)
            g->degree[g->next[i].data[k]]++;
    for (uint32_t i = 0; i < g->n; i++)
        if (g->degree[i] == 0)
            g->queue[tail++] = i;
    while (head < tail) {
        const uint32_t at = g->queue[head++];
        for (size_t k = 0; k < g->next[at].len; k++)
            if (--g->degree[g->next[at].data[k]] == 0)
                g->queue[tail++] = g->next[at].data[k];
    }
    return tail == g->n;
}

static bool has(const layer_graph *g, uint32_t from, uint32_t to)
{
    for (size_t k = 0; k < g->next[from].len; k++)
        if (g->next[from].data[k] == to)
            return true;
    return false;
}

/* Adds the conditions of a net that are not there; how many, each at the end of its list. */
static pp_status add_net(layer_graph *g, const pp_mapping *m, const pp_net *net, uint32_t *from, uint32_t *added)
{
    *added = 0;
    for (uint32_t i = net->first_edge; i < net->first_edge + net->n_edges; i++) {
        const pp_net_edge *e = &m->edge[i];
        if (e->parent == PP_NONE || has(g, m->edge[e->parent].channel, e->channel))
            continue;
        from[(*added)++] = m->edge[e->parent].channel;
        if (!pp_push(&g->next[m->edge[e->parent].channel], e->channel))
            return PP_ENOMEM;
    }
    return PP_OK;
}

static void take_back(layer_graph *g, const uint32_t *from, uint32_t added)
{
    while (added-- > 0)
        g->next[from[added]].len--;
}

static pp_status place_net(layer_graph *g, uint32_t *n_layers, const pp_mapping *m, uint32_t net, uint32_t *from,
                           uint8_t *layer)
{
    for (uint32_t l = 0; l < MAX_LAYERS; l++) {
        uint32_t added;
        if (l == *n_layers) {
            PP_TRY(graph_new(&g[l], g[0].n));
            ++*n_layers;
        }
        PP_TRY(add_net(&g[l], m, &m->net[net], from, &added));
        if (added == 0 || acyclic(&g[l])) {
            layer[net] = (uint8_t)l;
            return PP_OK;
        }
        take_back(&g[l], from, added);
    }
    return pp_fail(PP_EINFEASIBLE, "flit switching: the routes of this mapping wait for each other in cycles that %u "
                                   "virtual channels do not break", MAX_LAYERS);
}

pp_status pp_flits_layers(const pp_mapping *m, uint32_t n_channels, uint8_t *layer, uint32_t *n_layers)
{
    layer_graph g[MAX_LAYERS] = {0};
    uint32_t *from = pp_calloc(m->n_edges, sizeof *from);
    pp_status status = from != NULL ? graph_new(&g[0], n_channels) : PP_ENOMEM;
    *n_layers = 1;
    for (uint32_t i = 0; i < m->n_nets && status == PP_OK; i++)
        status = place_net(g, n_layers, m, i, from, layer);
    for (uint32_t l = 0; l < *n_layers; l++)
        graph_free(&g[l]);
    free(from);
    return status;
}

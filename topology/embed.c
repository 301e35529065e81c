/* Exact search for embeddings: igraph's LAD subgraph isomorphism (PAPER: solnon2010). */
#include "topology/topology_internal.h"

#include <igraph.h>
#include <math.h>
#include <stdlib.h>

/* LAD holds a matrix of host x host. */
#define MAX_HOST 4096

static int compare_pairs(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Directed graph of n vertices from pairs (u << 32 | v); a pair that is there twice counts once, or
 * LAD would ask for two edges where one channel serves. Sorts `pair`. */
static int make_graph(igraph_t *g, uint32_t n, uint64_t *pair, size_t n_pairs)
{
    igraph_vector_int_t edges;
    qsort(pair, n_pairs, sizeof *pair, compare_pairs);
    int code = igraph_vector_int_init(&edges, 0);
    if (code != IGRAPH_SUCCESS)
        return code;
    for (size_t i = 0; code == IGRAPH_SUCCESS && i < n_pairs; i++) {
        if (i > 0 && pair[i] == pair[i - 1])
            continue;
        code = igraph_vector_int_push_back(&edges, (igraph_integer_t)(pair[i] >> 32));
        if (code == IGRAPH_SUCCESS)
            code = igraph_vector_int_push_back(&edges, (igraph_integer_t)(pair[i] & UINT32_MAX));
    }
    if (code == IGRAPH_SUCCESS)
        code = igraph_create(g, &edges, (igraph_integer_t)n, IGRAPH_DIRECTED);
    igraph_vector_int_destroy(&edges);
    return code;
}

/* The cores and the network channels between them. */
static int make_host(igraph_t *g, const pp_fabric *f, uint64_t *pair)
{
    size_t n = 0;
    for (uint32_t c = 0; c < f->n_network; c++) {
        const uint32_t u = f->vertex[f->channel[c].src].core, v = f->vertex[f->channel[c].dst].core;
        if (u != PP_NO_VERTEX && v != PP_NO_VERTEX)
            pair[n++] = (uint64_t)u << 32 | v;
    }
    return make_graph(g, f->n_cores, pair, n);
}

/* Allowed cores of each guest vertex. */
static int make_domains(igraph_vector_int_list_t *list, uint32_t n, uint32_t n_cores, const uint32_t *const *domain,
                        const uint32_t *n_domain)
{
    int code = igraph_vector_int_list_init(list, (igraph_integer_t)n);
    if (code != IGRAPH_SUCCESS)
        return code;
    for (uint32_t v = 0; code == IGRAPH_SUCCESS && v < n; v++) {
        igraph_vector_int_t *allowed = igraph_vector_int_list_get_ptr(list, (igraph_integer_t)v);
        const uint32_t count = domain[v] ? n_domain[v] : n_cores;
        for (uint32_t i = 0; code == IGRAPH_SUCCESS && i < count; i++)
            code = igraph_vector_int_push_back(allowed, (igraph_integer_t)(domain[v] ? domain[v][i] : i));
    }
    if (code != IGRAPH_SUCCESS)
        igraph_vector_int_list_destroy(list);
    return code;
}

/* What the search is given and what it finds. */
typedef struct search {
    igraph_t guest, host;
    igraph_vector_int_list_t domains;
    igraph_vector_int_t map;
    bool has_domains;
    igraph_bool_t found;
} search;

static int run(search *s, double time_s)
{
    const igraph_integer_t limit = time_s > 0.0 ? (igraph_integer_t)ceil(fmin(time_s, 1e9)) : 0;
    return igraph_subisomorphic_lad(&s->guest, &s->host, s->has_domains ? &s->domains : NULL, &s->found, &s->map,
                                     NULL, false, limit);
}

static int build_and_run(search *s, const pp_fabric *f, uint32_t n, uint64_t *guest_pair, uint32_t n_edges,
                         uint64_t *host_pair, const uint32_t *const *domain, const uint32_t *n_domain, double time_s)
{
    int code = make_graph(&s->guest, n, guest_pair, n_edges);
    if (code != IGRAPH_SUCCESS)
        return code;
    code = make_host(&s->host, f, host_pair);
    if (code == IGRAPH_SUCCESS) {
        s->has_domains = domain != NULL;
        code = domain ? make_domains(&s->domains, n, f->n_cores, domain, n_domain) : IGRAPH_SUCCESS;
        if (code == IGRAPH_SUCCESS) {
            code = run(s, time_s);
            if (domain)
                igraph_vector_int_list_destroy(&s->domains);
        }
        igraph_destroy(&s->host);
    }
    igraph_destroy(&s->guest);
    return code;
}

static pp_status check_guest(const pp_fabric *f, uint32_t n, const uint32_t *from, const uint32_t *to,
                             uint32_t n_edges)
{
    if (f->n_cores > MAX_HOST)
        return pp_fail(PP_EUNSUPPORTED, "fabric %s: the exact search takes at most %d cores", f->name, MAX_HOST);
    for (uint32_t e = 0; e < n_edges; e++)
        if (from[e] >= n || to[e] >= n || from[e] == to[e])
            return pp_fail(PP_EINVAL, "embedding: edge %u does not join two of the %u vertices", e, n);
    return PP_OK;
}

pp_status pp_graph_embed(const pp_fabric *fabric, uint32_t n, const uint32_t *from, const uint32_t *to,
                         uint32_t n_edges, const uint32_t *const *domain, const uint32_t *n_domain, double time_s,
                         bool *found, bool *exhausted, uint32_t *core)
{
    *found = false;
    *exhausted = n > fabric->n_cores;
    PP_TRY(check_guest(fabric, n, from, to, n_edges));
    if (n == 0 || n > fabric->n_cores) {
        *found = n == 0;
        *exhausted = true;
        return PP_OK;
    }
    uint64_t *guest = pp_alloc(n_edges, sizeof *guest), *host = pp_alloc(fabric->n_network, sizeof *host);
    pp_status status = guest && host ? PP_OK : PP_ENOMEM;
    search s = {0};
    pp_igraph_enter();
    for (uint32_t e = 0; status == PP_OK && e < n_edges; e++)
        guest[e] = (uint64_t)from[e] << 32 | to[e];
    if (status == PP_OK && igraph_vector_int_init(&s.map, 0) == IGRAPH_SUCCESS) {
        const int code = build_and_run(&s, fabric, n, guest, n_edges, host, domain, n_domain, time_s);
        if (code != IGRAPH_SUCCESS && code != IGRAPH_CPUTIME)
            status = pp_igraph_fail(PP_EINTERNAL, code, "embedding");
        *exhausted = code == IGRAPH_SUCCESS;
        *found = code == IGRAPH_SUCCESS && s.found;
        for (uint32_t v = 0; *found && v < n; v++)
            core[v] = (uint32_t)VECTOR(s.map)[v];
        igraph_vector_int_destroy(&s.map);
    } else {
        status = PP_ENOMEM;
    }
    pp_igraph_leave();
    free(guest);
    free(host);
    return status;
}

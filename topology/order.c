/* Spectral order: vertices by their entry in the Fiedler vector, so that strongly joined ones stand
 * near each other. PAPER: fiedler1973. */
#include "topology/topology_internal.h"

#include <igraph.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Up to this size the Laplacian is dense (LAPACK); beyond it ARPACK multiplies by it. */
#define DENSE_MAX 400
#define ARPACK_COLUMNS 40
/* Restarts cost about 4 x columns^2 x n operations; beyond this many in all (about a second) a graph
 * counts as one that does not settle. Counted, not timed: the order must not depend on the machine. */
#define ARPACK_OPERATIONS 2e9
/* Entries nearer to each other than this share of the largest are ties: a degenerate or symmetric
 * graph must not be ordered by rounding. */
#define TIE 1e-7

/* Weighted graph as CSR, each edge both ways. */
typedef struct graph {
    uint32_t n;
    uint32_t *first, *end;
    double *weight;
} graph;

/* One component: its vertices in the order of a breadth-first search from the lowest index. */
typedef struct component {
    const graph *g;
    const uint32_t *vertex;
    uint32_t n;
    const uint32_t *place; /* vertex -> place in `vertex` */
    double bound;          /* at least the largest eigenvalue of the Laplacian */
} component;

static pp_status check_edges(uint32_t n, const uint32_t *from, const uint32_t *to, const double *weight,
                             uint32_t n_edges)
{
    for (uint32_t e = 0; e < n_edges; e++) {
        if (from[e] >= n || to[e] >= n)
            return pp_fail(PP_EINVAL, "spectral order: edge %u does not join two of the %u vertices", e, n);
        if (weight && !(weight[e] > 0.0 && isfinite(weight[e])))
            return pp_fail(PP_EINVAL, "spectral order: edge %u has a weight that is not positive", e);
    }
    return PP_OK;
}

static pp_status graph_init(graph *g, uint32_t n, const uint32_t *from, const uint32_t *to, const double *weight,
                            uint32_t n_edges)
{
    g->n = n;
    g->first = pp_calloc((size_t)n + 1, sizeof *g->first);
    g->end = pp_alloc((size_t)2 * n_edges, sizeof *g->end);
    g->weight = pp_alloc((size_t)2 * n_edges, sizeof *g->weight);
    if (!g->first || !g->end || !g->weight)
        return PP_ENOMEM;
    for (uint32_t e = 0; e < n_edges; e++) {
        g->first[from[e] + 1]++;
        g->first[to[e] + 1]++;
    }
    for (uint32_t v = 0; v < n; v++)
        g->first[v + 1] += g->first[v];
    for (uint32_t e = 0; e < n_edges; e++)
        for (int way = 0; way < 2; way++) {
            const uint32_t at = g->first[way ? to[e] : from[e]]++;
            g->end[at] = way ? from[e] : to[e];
            g->weight[at] = weight ? weight[e] : 1.0;
        }
    for (uint32_t v = n; v > 0; v--)
        g->first[v] = g->first[v - 1];
    g->first[0] = 0;
    return PP_OK;
}

/* Breadth-first search over the vertices whose seen[] is not `mark`; returns how many. */
static uint32_t search(const graph *g, uint32_t start, uint32_t *list, uint32_t *seen, uint32_t mark)
{
    uint32_t head = 0, tail = 0;
    list[tail++] = start;
    seen[start] = mark;
    while (head < tail) {
        const uint32_t v = list[head++];
        for (uint32_t i = g->first[v]; i < g->first[v + 1]; i++)
            if (seen[g->end[i]] != mark) {
                seen[g->end[i]] = mark;
                list[tail++] = g->end[i];
            }
    }
    return tail;
}

/* to = (bound - L) from, for entries in the component's order. */
static void multiply(const component *c, double *to, const double *from)
{
    for (uint32_t i = 0; i < c->n; i++) {
        const uint32_t v = c->vertex[i];
        double sum = c->bound * from[i];
        for (uint32_t k = c->g->first[v]; k < c->g->first[v + 1]; k++)
            sum -= c->g->weight[k] * (from[i] - from[c->place[c->g->end[k]]]);
        to[i] = sum;
    }
}

/* The product with the constant vector, L's own null vector, moved down to 0: the largest eigenvalue
 * left belongs to the Fiedler vector. */
static igraph_error_t multiply_deflated(double *to, const double *from, int n, void *extra)
{
    const component *c = extra;
    double mean = 0.0;
    for (int i = 0; i < n; i++)
        mean += from[i];
    mean *= c->bound / (double)n;
    multiply(c, to, from);
    for (int i = 0; i < n; i++)
        to[i] -= mean;
    return IGRAPH_SUCCESS;
}

static void set_bound(component *c)
{
    double most = 0.0;
    for (uint32_t i = 0; i < c->n; i++) {
        const uint32_t v = c->vertex[i];
        double degree = 0.0;
        for (uint32_t k = c->g->first[v]; k < c->g->first[v + 1]; k++)
            degree += c->g->weight[k];
        most = degree > most ? degree : most;
    }
    c->bound = 2.0 * most; /* Gershgorin */
}

/* ---- Eigensolvers: value[n] in the component's order; igraph's code ---- */

static int solve_dense(const component *c, double *value)
{
    igraph_matrix_t laplacian, vectors;
    int code = igraph_matrix_init(&laplacian, (igraph_integer_t)c->n, (igraph_integer_t)c->n);
    if (code != IGRAPH_SUCCESS)
        return code;
    for (uint32_t i = 0; i < c->n; i++) {
        const uint32_t v = c->vertex[i];
        for (uint32_t k = c->g->first[v]; k < c->g->first[v + 1]; k++) {
            MATRIX(laplacian, i, i) += c->g->weight[k];
            MATRIX(laplacian, i, c->place[c->g->end[k]]) -= c->g->weight[k];
        }
    }
    code = igraph_matrix_init(&vectors, 0, 0);
    if (code == IGRAPH_SUCCESS) {
        code = igraph_lapack_dsyevr(&laplacian, IGRAPH_LAPACK_DSYEV_SELECT, 0.0, 0.0, 0, 2, 2, 0.0, NULL, &vectors,
                                    NULL);
        for (uint32_t i = 0; code == IGRAPH_SUCCESS && i < c->n; i++)
            value[i] = MATRIX(vectors, i, 0);
        igraph_matrix_destroy(&vectors);
    }
    igraph_matrix_destroy(&laplacian);
    return code;
}

static int solve_sparse(component *c, double *value)
{
    igraph_arpack_options_t options;
    igraph_matrix_t vectors;
    int code = igraph_matrix_init(&vectors, (igraph_integer_t)c->n, 1);
    if (code != IGRAPH_SUCCESS)
        return code;
    igraph_arpack_options_init(&options);
    options.n = (int)c->n;
    options.nev = 1;
    options.ncv = ARPACK_COLUMNS;
    options.which[0] = 'L';
    options.which[1] = 'A';
    options.tol = 1e-10;
    options.mxiter = (int)(ARPACK_OPERATIONS / (4.0 * ARPACK_COLUMNS * ARPACK_COLUMNS * (double)c->n)) + 1;
    options.start = 1;
    /* The breadth-first order is near the answer on chains, which are slow otherwise; the remainder keeps
     * the start from lying in a symmetry's null space. */
    for (uint32_t i = 0; i < c->n; i++)
        MATRIX(vectors, i, 0) = (double)i - 0.5 * (double)(c->n - 1) + 0.01 * (double)(c->vertex[i] * 37U % 101U);
    code = igraph_arpack_rssolve(multiply_deflated, c, &options, NULL, NULL, &vectors);
    if (code == IGRAPH_SUCCESS && options.nconv < 1)
        code = IGRAPH_ARPACK_MAXIT;
    for (uint32_t i = 0; code == IGRAPH_SUCCESS && i < c->n; i++)
        value[i] = MATRIX(vectors, i, 0);
    igraph_matrix_destroy(&vectors);
    return code;
}

/* ---- Order of a component ---- */

typedef struct ranked {
    double value;
    uint32_t vertex;
} ranked;

static int compare(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return x->vertex < y->vertex ? -1 : x->vertex > y->vertex;
}

/* Rounds to ties and fixes the sign: the lowest vertex that is not at 0 comes on the low side. The
 * vertices stand in breadth-first order from the lowest index, so that is the first. */
static void canonical(const component *c, const double *value, ranked *out)
{
    double most = 0.0, sign = 0.0;
    for (uint32_t i = 0; i < c->n; i++)
        most = fabs(value[i]) > most ? fabs(value[i]) : most;
    for (uint32_t i = 0; i < c->n; i++) {
        const double rounded = most > 0.0 ? nearbyint(value[i] / (most * TIE)) : 0.0;
        if (sign == 0.0 && rounded != 0.0)
            sign = rounded > 0.0 ? -1.0 : 1.0;
        /* + 0.0 makes -0 and 0 the same. */
        out[i] = (ranked){.value = rounded * sign + 0.0, .vertex = c->vertex[i]};
    }
}

/* Scratch of one call, [n] each. */
typedef struct scratch {
    uint32_t *list, *seen, *place;
    double *value;
    ranked *rank;
} scratch;

/* Component of `start` into order[0 .. returned n). */
static pp_status order_component(const graph *g, uint32_t start, scratch *s, uint32_t *order, uint32_t *n)
{
    component c = {.g = g, .vertex = s->list, .place = s->place};
    c.n = *n = search(g, start, s->list, s->seen, 1);
    for (uint32_t i = 0; i < c.n; i++)
        s->place[s->list[i]] = i;
    if (c.n <= 2) {
        memcpy(order, s->list, c.n * sizeof *order);
        return PP_OK;
    }
    set_bound(&c);
    const int code = c.n <= DENSE_MAX ? solve_dense(&c, s->value) : solve_sparse(&c, s->value);
    if (code == IGRAPH_ENOMEM)
        return pp_igraph_fail(PP_EINTERNAL, code, "spectral order");
    if (code != IGRAPH_SUCCESS) {
        /* Not settled: breadth first from the vertex that the first search found last, backwards, so
         * that the lowest vertex is on the low side here too. */
        const uint32_t far = s->list[c.n - 1];
        (void)search(g, far, s->list, s->seen, 2);
        for (uint32_t i = 0; i < c.n; i++)
            order[i] = s->list[c.n - 1 - i];
        return PP_OK;
    }
    canonical(&c, s->value, s->rank);
    qsort(s->rank, c.n, sizeof *s->rank, compare);
    for (uint32_t i = 0; i < c.n; i++)
        order[i] = s->rank[i].vertex;
    return PP_OK;
}

static pp_status order_all(const graph *g, scratch *s, uint32_t *order)
{
    pp_status status = PP_OK;
    pp_igraph_enter();
    for (uint32_t v = 0, done = 0, n = 0; status == PP_OK && v < g->n; v++)
        if (s->seen[v] == 0) {
            status = order_component(g, v, s, order + done, &n);
            done += n;
        }
    pp_igraph_leave();
    return status;
}

pp_status pp_graph_order(uint32_t n, const uint32_t *from, const uint32_t *to, const double *weight,
                         uint32_t n_edges, uint32_t *order)
{
    PP_TRY(check_edges(n, from, to, weight, n_edges));
    graph g = {0};
    scratch s = {.list = pp_alloc(n, sizeof *s.list),
                 .seen = pp_calloc(n, sizeof *s.seen),
                 .place = pp_alloc(n, sizeof *s.place),
                 .value = pp_alloc(n, sizeof *s.value),
                 .rank = pp_alloc(n, sizeof *s.rank)};
    pp_status status = PP_ENOMEM;
    if (s.list && s.seen && s.place && s.value && s.rank)
        status = graph_init(&g, n, from, to, weight, n_edges);
    if (status == PP_OK)
        status = order_all(&g, &s, order);
    free(g.first);
    free(g.end);
    free(g.weight);
    free(s.list);
    free(s.seen);
    free(s.place);
    free(s.value);
    free(s.rank);
    return status;
}

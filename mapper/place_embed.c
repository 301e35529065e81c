/* Embeddings by construction: one tile a core and every flow on one channel of its own.
 *
 * A network of blocks (residual, dense, Inception) is a chain of biconnected parts that share single
 * tiles. The parts are laid out one after the other along the rows of the fabric: in a part the tile with
 * the fewest places left goes first, to the leftmost of them, and whatever leaves an unplaced tile
 * without a place, or a placed one with fewer free neighbours than partners to come, is taken back at once.
 * A part that does not fit makes the parts before it move. docs/mapping.md sec. 7. */
#include "mapper/place_internal.h"

#include <stdlib.h>
#include <string.h>

/* Places tried in all before the search gives up: it proves nothing then. */
#define TRIES UINT64_C(400000)
#define MAX_DEGREE 64u
/* Tiles placed last whose partners are looked at, as long as they have any. */
#define LOOK_BACK 64u

/* A neighbour in the undirected view: bit 0 this -> other, bit 1 other -> this. */
typedef struct pp_link {
    uint32_t to;
    uint8_t ways;
} pp_link;

typedef struct pp_links {
    uint32_t *first; /* [n + 1] */
    pp_link *link;   /* sorted by `to` */
} pp_links;

typedef struct pp_embedder {
    const pp_task *task;
    uint32_t n, n_cores;
    pp_links guest, host;
    uint32_t *part;       /* [n] number of the earliest part of a tile */
    uint32_t *core;       /* [n] PP_NONE: not placed */
    uint32_t *tile_of;    /* [n_cores] PP_NONE: free */
    uint32_t *missing;    /* [n] partners not placed */
    uint32_t *room;       /* [n_cores] free neighbours */
    uint32_t *rank;       /* [n_cores] the lower the sooner a core is taken */
    uint32_t *placed;     /* [n] tiles in the order in which they were placed */
    uint32_t n_placed;
    uint64_t tries;
} pp_embedder;

static void links_free(pp_links *l)
{
    free(l->first);
    free(l->link);
}

/* ---- guest and host as undirected graphs with directions on their links ---- */

typedef struct pp_arc {
    uint32_t from, to;
} pp_arc;

static int by_arc(const void *a, const void *b)
{
    const pp_arc *x = a, *y = b;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return (x->to > y->to) - (x->to < y->to);
}

/* `arc` holds each pair both ways round, 2n of them: the first n lead from -> to. */
static pp_status links_new(pp_links *l, uint32_t n, const pp_arc *arc, size_t n_arcs)
{
    pp_status status = PP_ENOMEM;
    pp_arc *both = pp_alloc(2 * n_arcs, sizeof *both), *forward = pp_alloc(n_arcs, sizeof *forward);
    l->first = pp_calloc(n + 1u, sizeof *l->first);
    l->link = pp_alloc(2 * n_arcs, sizeof *l->link);
    if (!both || !forward || !l->first || !l->link)
        goto done;
    for (size_t i = 0; i < n_arcs; i++) {
        forward[i] = both[2 * i] = arc[i];
        both[2 * i + 1] = (pp_arc){arc[i].to, arc[i].from};
    }
    qsort(both, 2 * n_arcs, sizeof *both, by_arc);
    qsort(forward, n_arcs, sizeof *forward, by_arc);
    uint32_t links = 0;
    for (size_t i = 0; i < 2 * n_arcs; i++) {
        if (i && by_arc(&both[i], &both[i - 1]) == 0)
            continue;
        pp_arc back = {both[i].to, both[i].from};
        uint8_t ways = bsearch(&both[i], forward, n_arcs, sizeof *forward, by_arc) ? 1 : 0;
        ways |= bsearch(&back, forward, n_arcs, sizeof *forward, by_arc) ? 2 : 0;
        l->link[links++] = (pp_link){both[i].to, ways};
        l->first[both[i].from + 1]++;
    }
    for (uint32_t v = 0; v < n; v++)
        l->first[v + 1] += l->first[v];
    status = PP_OK;
done:
    free(both);
    free(forward);
    return status;
}

/* False in *can when two nets join the same two tiles the same way, which one channel cannot carry. */
static pp_status guest_links(pp_embedder *e, bool *can)
{
    const pp_task *task = e->task;
    pp_arc *arc = pp_alloc(task->n_sinks, sizeof *arc);
    if (!arc)
        return PP_ENOMEM;
    size_t n = 0;
    for (uint32_t i = 0; i < task->n_nets; i++)
        for (uint32_t s = 0; s < task->net[i].n_sinks; s++)
            arc[n++] = (pp_arc){task->net[i].src, task->sink_tile[task->net[i].first_sink + s]};
    qsort(arc, n, sizeof *arc, by_arc);
    for (size_t i = 1; i < n; i++)
        *can = *can && by_arc(&arc[i], &arc[i - 1]) != 0;
    pp_status status = *can ? links_new(&e->guest, e->n, arc, n) : PP_OK;
    free(arc);
    return status;
}

/* Cores and the channels between them; a core that shares its switch has none of its own. */
static pp_status host_links(pp_embedder *e)
{
    const pp_fabric *f = e->task->fabric;
    const pp_metric *m = e->task->metric;
    pp_arc *arc = pp_alloc(f->n_network, sizeof *arc);
    if (!arc)
        return PP_ENOMEM;
    size_t n = 0;
    for (uint32_t c = 0; c < f->n_network; c++) {
        uint32_t a = m->home_at[f->channel[c].src], b = m->home_at[f->channel[c].dst];
        if (a != PP_NONE && b != PP_NONE && a != b)
            arc[n++] = (pp_arc){m->core[m->core_first[a]], m->core[m->core_first[b]]};
    }
    pp_status status = links_new(&e->host, e->n_cores, arc, n);
    free(arc);
    return status;
}

static uint8_t ways_between(const pp_links *l, uint32_t a, uint32_t b)
{
    for (uint32_t i = l->first[a]; i < l->first[a + 1]; i++)
        if (l->link[i].to == b)
            return l->link[i].ways;
    return 0;
}

/* ---- parts ---- */

/* Depth-first search for biconnected parts, without recursion. PAPER: hopcroft1973. */
typedef struct pp_parts {
    uint32_t *number, *low, *parent, *next, *stack, *members;
    uint32_t count, n_stack, n_members;
} pp_parts;

/* A part hangs below `top`: its tiles get the smallest tile among them as their part's number, unless an
 * earlier part has them already. */
static void close_part(pp_embedder *e, pp_parts *p, uint32_t below)
{
    uint32_t first = UINT32_MAX, at = p->n_members, v;
    do {
        v = p->members[--at];
        first = v < first ? v : first;
    } while (v != below);
    for (uint32_t i = at; i < p->n_members; i++)
        e->part[p->members[i]] = first;
    p->n_members = at;
}

static void walk_parts(pp_embedder *e, pp_parts *p, uint32_t root)
{
    p->stack[p->n_stack++] = root;
    p->number[root] = p->low[root] = ++p->count;
    p->parent[root] = PP_NONE;
    e->part[root] = root;
    while (p->n_stack) {
        uint32_t v = p->stack[p->n_stack - 1];
        if (p->next[v] < e->guest.first[v + 1]) {
            uint32_t u = e->guest.link[p->next[v]++].to;
            if (!p->number[u]) {
                p->number[u] = p->low[u] = ++p->count;
                p->parent[u] = v;
                p->stack[p->n_stack++] = u;
                p->members[p->n_members++] = u;
            } else if (u != p->parent[v] && p->number[u] < p->low[v]) {
                p->low[v] = p->number[u];
            }
            continue;
        }
        p->n_stack--;
        uint32_t up = p->parent[v];
        if (up == PP_NONE)
            continue;
        p->low[up] = p->low[v] < p->low[up] ? p->low[v] : p->low[up];
        if (p->low[v] >= p->number[up])
            close_part(e, p, v);
    }
}

static pp_status find_parts(pp_embedder *e)
{
    uint32_t n = e->n, *store = pp_calloc(6 * (size_t)n, sizeof *store);
    if (!store)
        return PP_ENOMEM;
    pp_parts p = {store, store + n, store + 2 * n, store + 3 * n, store + 4 * n, store + 5 * n, 0, 0, 0};
    memcpy(p.next, e->guest.first, n * sizeof *p.next);
    for (uint32_t v = 0; v < n; v++)
        if (!p.number[v])
            walk_parts(e, &p, v);
    free(store);
    return PP_OK;
}

/* ---- places ---- */

static bool free_for(const pp_embedder *e, uint32_t tile, uint32_t core)
{
    if (e->tile_of[core] != PP_NONE || e->room[core] < e->missing[tile])
        return false;
    for (uint32_t i = e->guest.first[tile]; i < e->guest.first[tile + 1]; i++) {
        uint32_t other = e->core[e->guest.link[i].to];
        uint8_t need = e->guest.link[i].ways;
        if (other != PP_NONE && (ways_between(&e->host, core, other) & need) != need)
            return false;
    }
    return true;
}

/* Cores where `tile`, which has a placed partner, may go, into place[MAX_DEGREE] by rank. */
static uint32_t list_places(const pp_embedder *e, uint32_t tile, uint32_t *place)
{
    uint32_t n = 0, near = PP_NONE;
    for (uint32_t i = e->guest.first[tile]; i < e->guest.first[tile + 1] && near == PP_NONE; i++)
        near = e->core[e->guest.link[i].to];
    for (uint32_t i = e->host.first[near]; i < e->host.first[near + 1] && n < MAX_DEGREE; i++) {
        uint32_t core = e->host.link[i].to, at = n;
        if (!free_for(e, tile, core))
            continue;
        for (; at && e->rank[place[at - 1]] > e->rank[core]; at--)
            place[at] = place[at - 1];
        place[at] = core;
        n++;
    }
    return n;
}

static void put(pp_embedder *e, uint32_t tile, uint32_t core)
{
    e->core[tile] = core;
    e->tile_of[core] = tile;
    e->placed[e->n_placed++] = tile;
    for (uint32_t i = e->guest.first[tile]; i < e->guest.first[tile + 1]; i++)
        e->missing[e->guest.link[i].to]--;
    for (uint32_t i = e->host.first[core]; i < e->host.first[core + 1]; i++)
        e->room[e->host.link[i].to]--;
}

static void take_back(pp_embedder *e)
{
    uint32_t tile = e->placed[--e->n_placed], core = e->core[tile];
    for (uint32_t i = e->guest.first[tile]; i < e->guest.first[tile + 1]; i++)
        e->missing[e->guest.link[i].to]++;
    for (uint32_t i = e->host.first[core]; i < e->host.first[core + 1]; i++)
        e->room[e->host.link[i].to]++;
    e->core[tile] = PP_NONE;
    e->tile_of[core] = PP_NONE;
}

static bool has_place(const pp_embedder *e, uint32_t tile)
{
    uint32_t place[MAX_DEGREE];
    return list_places(e, tile, place) > 0;
}

/* After `core` was taken: tiles around it still have free neighbours for their partners, and every
 * unplaced partner of a tile near by still has a place. */
static bool still_open(const pp_embedder *e, uint32_t core)
{
    for (uint32_t i = e->host.first[core]; i <= e->host.first[core + 1]; i++) {
        uint32_t at = i < e->host.first[core + 1] ? e->host.link[i].to : core, tile = e->tile_of[at];
        if (tile == PP_NONE)
            continue;
        if (e->room[at] < e->missing[tile])
            return false;
        for (uint32_t k = e->guest.first[tile]; k < e->guest.first[tile + 1]; k++) {
            uint32_t u = e->guest.link[k].to;
            if (e->core[u] == PP_NONE && !has_place(e, u))
                return false;
        }
    }
    return true;
}

/* ---- search ---- */

/* Next tile: in the earliest part that is begun, the one with the fewest places; PP_NONE: a new piece of
 * the network begins with the lowest tile. Partners of the last tiles placed are near enough to look at. */
static uint32_t next_tile(const pp_embedder *e)
{
    uint32_t best = PP_NONE, fewest = UINT32_MAX, place[MAX_DEGREE];
    for (uint32_t i = e->n_placed; i-- > 0 && (best == PP_NONE || e->n_placed - i < LOOK_BACK);) {
        uint32_t t = e->placed[i];
        for (uint32_t k = e->missing[t] ? e->guest.first[t] : e->guest.first[t + 1]; k < e->guest.first[t + 1]; k++) {
            uint32_t u = e->guest.link[k].to;
            if (e->core[u] != PP_NONE || (best != PP_NONE && e->part[u] > e->part[best]))
                continue;
            uint32_t n = list_places(e, u, place);
            bool earlier = best == PP_NONE || e->part[u] < e->part[best];
            if (earlier || n < fewest || (n == fewest && u < best)) {
                best = u;
                fewest = n;
            }
        }
    }
    return best;
}

/* A choice that may be taken back: the tile, its places and the next of them to try. */
typedef struct pp_choice_point {
    uint32_t tile, n, next, place[MAX_DEGREE];
} pp_choice_point;

static bool open_choice(pp_embedder *e, pp_choice_point *c)
{
    c->tile = next_tile(e);
    c->next = 0;
    if (c->tile == PP_NONE)
        return false;
    c->n = list_places(e, c->tile, c->place);
    return true;
}

/* From the first tile at `core` on. */
static bool search_from(pp_embedder *e, uint32_t core, pp_choice_point *stack)
{
    uint32_t depth = 0;
    put(e, 0, core);
    if (e->n == 1)
        return true;
    bool open = open_choice(e, &stack[0]);
    while (open && e->tries < TRIES) {
        pp_choice_point *c = &stack[depth];
        if (c->next == c->n) {
            if (depth-- == 0)
                break;
            take_back(e);
            continue;
        }
        put(e, c->tile, c->place[c->next++]);
        e->tries++;
        if (!still_open(e, e->core[c->tile])) {
            take_back(e);
            continue;
        }
        if (e->n_placed == e->n)
            return true;
        if (!open_choice(e, &stack[++depth]))
            return false; /* the network is in pieces: not this way */
    }
    while (e->n_placed)
        take_back(e);
    return false;
}

typedef struct pp_ranked {
    float x, off;
    uint32_t core;
} pp_ranked;

static int by_rank(const void *a, const void *b)
{
    const pp_ranked *p = a, *q = b;
    if (p->x < q->x || p->x > q->x)
        return p->x < q->x ? -1 : 1;
    if (p->off < q->off || p->off > q->off)
        return p->off < q->off ? -1 : 1;
    return (p->core > q->core) - (p->core < q->core);
}

/* Left to right, from the middle row outwards. */
static pp_status rank_cores(pp_embedder *e, uint32_t *order)
{
    const pp_fabric *f = e->task->fabric;
    pp_ranked *list = pp_alloc(e->n_cores, sizeof *list);
    float top = 0;
    if (!list)
        return PP_ENOMEM;
    for (uint32_t c = 0; c < e->n_cores; c++)
        top = f->vertex[f->core_vertex[c]].y > top ? f->vertex[f->core_vertex[c]].y : top;
    for (uint32_t c = 0; c < e->n_cores; c++) {
        const pp_vertex *v = &f->vertex[f->core_vertex[c]];
        float off = v->y - (float)(int)(top / 2);
        list[c] = (pp_ranked){v->x, off < 0 ? -off : off, c};
    }
    qsort(list, e->n_cores, sizeof *list, by_rank);
    for (uint32_t i = 0; i < e->n_cores; i++) {
        e->rank[list[i].core] = i;
        order[i] = list[i].core;
    }
    free(list);
    return PP_OK;
}

static pp_status run(pp_embedder *e, uint32_t *core, bool *found)
{
    uint32_t *order = pp_alloc(e->n_cores, sizeof *order);
    pp_choice_point *stack = pp_alloc(e->n, sizeof *stack);
    pp_status status = order && stack ? rank_cores(e, order) : PP_ENOMEM;
    for (uint32_t i = 0; status == PP_OK && i < e->n_cores && !*found && e->tries < TRIES; i++)
        *found = free_for(e, 0, order[i]) && search_from(e, order[i], stack);
    if (*found)
        memcpy(core, e->core, e->n * sizeof *core);
    free(order);
    free(stack);
    return status;
}

/* ---- all of it ---- */

static pp_status allocate(pp_embedder *e)
{
    e->part = pp_calloc(e->n, sizeof *e->part);
    e->core = pp_alloc(e->n, sizeof *e->core);
    e->missing = pp_calloc(e->n, sizeof *e->missing);
    e->placed = pp_calloc(e->n, sizeof *e->placed);
    e->tile_of = pp_alloc(e->n_cores, sizeof *e->tile_of);
    e->room = pp_calloc(e->n_cores, sizeof *e->room);
    e->rank = pp_calloc(e->n_cores, sizeof *e->rank);
    return e->part && e->core && e->missing && e->placed && e->tile_of && e->room && e->rank ? PP_OK : PP_ENOMEM;
}

/* False when some tile has more partners than any core has neighbours. */
static bool degrees_fit(pp_embedder *e)
{
    uint32_t most = 0;
    for (uint32_t c = 0; c < e->n_cores; c++) {
        e->tile_of[c] = PP_NONE;
        e->room[c] = e->host.first[c + 1] - e->host.first[c];
        most = e->room[c] > most ? e->room[c] : most;
    }
    bool fit = most <= MAX_DEGREE;
    for (uint32_t t = 0; t < e->n; t++) {
        e->core[t] = PP_NONE;
        e->missing[t] = e->guest.first[t + 1] - e->guest.first[t];
        fit = fit && e->missing[t] <= most;
    }
    return fit;
}

pp_status pp_embed(const pp_task *task, uint32_t *core, bool *found)
{
    pp_embedder e = {.task = task, .n = task->n_tiles, .n_cores = task->fabric->n_cores};
    pp_status status = PP_OK;
    bool can = task->metric->n_homes == e.n_cores && e.n > 0;
    *found = false;
    if (!can)
        return PP_OK;
    PP_GOTO(done, status, guest_links(&e, &can));
    if (!can)
        goto done;
    PP_GOTO(done, status, host_links(&e));
    PP_GOTO(done, status, allocate(&e));
    if (!degrees_fit(&e))
        goto done;
    PP_GOTO(done, status, find_parts(&e));
    status = run(&e, core, found);
done:
    links_free(&e.guest);
    links_free(&e.host);
    free(e.part);
    free(e.core);
    free(e.missing);
    free(e.placed);
    free(e.tile_of);
    free(e.room);
    free(e.rank);
    return status;
}

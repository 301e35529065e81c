/* Routing relations: the registry of their names, and what they share. */
#include "topology/routefn_internal.h"

#include <stdlib.h>
#include <string.h>

uint32_t pp_channel_between(const pp_fabric *f, uint32_t u, uint32_t v)
{
    for (uint32_t i = f->out_first[u]; i < f->out_first[u + 1]; i++)
        if (f->channel[f->out_channel[i]].dst == v)
            return f->out_channel[i];
    return PP_NO_CHANNEL;
}

/* ---- One set-up function a name. They return false when the name does not fit the fabric. ---- */

static void set(pp_routefn *fn, pp_next_function *next, uint32_t classes, uint32_t max_hops, const char *text,
                const char *proof)
{
    fn->next = next;
    fn->base_classes = classes;
    fn->info.max_hops = max_hops;
    fn->info.text = text;
    fn->info.proof = proof;
}

/* Candidates of products: every step of every dimension both ways, and two escapes. */
static uint32_t most_steps(const pp_routefn *fn)
{
    uint32_t n = 2;
    for (uint32_t d = 0; d < fn->n_dims; d++)
        n += 2 * (fn->dim[d].kind == PP_DIM_LINE || fn->dim[d].kind == PP_DIM_RING ? fn->dim[d].reach : 1);
    return n;
}

static bool set_order(pp_routefn *fn, bool reverse)
{
    if (!pp_product_of(fn))
        return false;
    fn->dor_classes = fn->rings ? 2 : 1;
    fn->reverse = reverse;
    set(fn, pp_next_dimension_order, fn->dor_classes, 2,
        reverse ? "dimension order, the last dimension first" : "dimension order, the first dimension first",
        fn->rings ? "dimensions are an order; within a ring, the channels that a class uses one way leave a gap"
                  : "dimensions are an order, and a line is passed one way");
    fn->info.minimal = pp_product_minimal(fn) && !fn->alternate;
    fn->info.table_free = true;
    fn->info.select = fn->rings ? PP_SELECT_RANDOM : PP_SELECT_FIRST;
    return true;
}

static bool set_xy(pp_routefn *fn)
{
    return set_order(fn, false);
}

static bool set_yx(pp_routefn *fn)
{
    return set_order(fn, true);
}

static bool is_kind(const pp_routefn *fn, const char *kind)
{
    return strcmp(fn->f->kind, kind) == 0;
}

static bool is_tree(const pp_routefn *fn)
{
    return is_kind(fn, "tree") || is_kind(fn, "htree");
}

static bool set_tree(pp_routefn *fn, bool spread)
{
    const bool fat = is_kind(fn, "fattree");
    if (!fat && !is_tree(fn))
        return false;
    set(fn, fat ? pp_next_fattree : pp_next_tree, 1, fat && spread ? fn->f->shape.arity : 1,
        !fat     ? "up to the nearest common ancestor, then down"
        : spread ? "up to a nearest common ancestor by any up port, then down"
                 : "up to a nearest common ancestor by the up ports that the destination's digits name, then down",
        "channels up are ordered by height, those down follow in the opposite order, and no way turns up again");
    fn->spread = spread;
    fn->info.minimal = fn->info.table_free = true;
    fn->info.select = fat && spread ? PP_SELECT_RANDOM : PP_SELECT_FIRST;
    return true;
}

static bool set_nca(pp_routefn *fn)
{
    return set_tree(fn, true);
}

static bool set_dmodk(pp_routefn *fn)
{
    return set_tree(fn, false);
}

static bool set_one(pp_routefn *fn, pp_next_function *next, uint32_t classes, const char *text, const char *proof)
{
    set(fn, next, classes, 1, text, proof);
    fn->info.minimal = fn->info.table_free = true;
    return true;
}

static bool set_lattice(pp_routefn *fn)
{
    const pp_fabric *f = fn->f;
    if (is_kind(fn, "hex"))
        return set_one(fn, pp_next_hex, 2, "rows first with single steps to the side, then along the row",
                       "ways down and ways up have a class each, ordered by row and along the last row");
    if (is_kind(fn, "tri"))
        return set_one(fn, pp_next_tri, 1, "rows first by slanted channels, then along the row",
                       "no way turns from a row to a slanted channel or back");
    if (is_kind(fn, "5pp") && f->row_direction == PP_ROWS_ALTERNATE && f->rows > 1 && !f->wrap)
        return set_one(fn, pp_next_one_way_rows, 2, "a step to a row that leads the right way, along it, then the column",
                       "column channels before the row have class 0, behind it class 1");
    return false;
}

static bool set_group(pp_routefn *fn)
{
    if (is_kind(fn, "dragonfly")) {
        (void)set_one(fn, pp_next_dragonfly, 2, "local, global, local",
                      "local channels of the first group (class 0), global ones, local ones of the last group (class 1)");
        fn->info.minimal = false; /* two global channels may be shorter */
        return true;
    }
    if (is_kind(fn, "star"))
        return set_one(fn, pp_next_star, 1, "by the hub", "channels to the hub come before those from it");
    if (is_kind(fn, "kautz"))
        return set_one(fn, pp_next_kautz, fn->f->shape.diameter / 2 + 1, "shifts in the missing letters",
                       "a class has rising channels, then falling ones; the class grows where a way rises again");
    return false;
}

/* The kind's own. */
static bool set_own(pp_routefn *fn)
{
    return set_lattice(fn) || set_group(fn) || set_dmodk(fn) || set_xy(fn);
}

static bool set_minimal(pp_routefn *fn)
{
    /* "minimal" on a dragonfly means at most one global channel. */
    return !is_kind(fn, "file") && set_own(fn) && (fn->info.minimal || is_kind(fn, "dragonfly"));
}

static bool set_adaptive(pp_routefn *fn)
{
    if (!set_xy(fn) || fn->dim[0].sign != 0) /* on one-way rings the escape's class would not tell who has crossed */
        return false;
    set(fn, pp_next_adaptive, fn->dor_classes + 1, most_steps(fn), "any channel that leads nearer",
        "dimension order in classes of its own is an escape from every place");
    fn->info.select = PP_SELECT_ADAPTIVE;
    fn->info.has_escape = true;
    return true;
}

/* Two open lines, channels both ways. */
static bool two_lines(pp_routefn *fn)
{
    return set_xy(fn) && fn->n_dims == 2 && !fn->rings && fn->dim[0].sign == 0 && fn->dim[0].kind == PP_DIM_LINE &&
           fn->dim[1].kind == PP_DIM_LINE;
}

static bool set_west_first(pp_routefn *fn)
{
    if (!two_lines(fn))
        return false;
    set(fn, pp_next_west_first, 1, most_steps(fn), "to the west first, else any channel that leads nearer",
        "no turn leads west, and a cycle would have to");
    fn->info.select = PP_SELECT_ADAPTIVE;
    return true;
}

static bool set_odd_even(pp_routefn *fn)
{
    if (!two_lines(fn) || fn->dim[0].reach > 1)
        return false;
    set(fn, pp_next_odd_even, 1, most_steps(fn), "any channel that leads nearer, but for turns that depend on the column",
        "the rightmost column of a cycle would need two turns that no column has both");
    fn->info.select = PP_SELECT_ADAPTIVE;
    fn->info.uses_source = true;
    return true;
}

/* Two ways one behind the other, each in classes of its own. */
static bool set_two_phase(pp_routefn *fn, bool box)
{
    if (box ? !set_xy(fn) || fn->alternate : !set_own(fn))
        return false;
    fn->info.text = box ? "by a random vertex inside the box between source and destination"
                        : "by a random vertex anywhere";
    fn->info.two_phase = true;
    fn->info.minimal = box && fn->info.minimal;
    fn->box = box;
    return true;
}

static bool set_valiant(pp_routefn *fn)
{
    return set_two_phase(fn, false);
}

static bool set_romm(pp_routefn *fn)
{
    return set_two_phase(fn, true);
}

static pp_status set_shortest(pp_routefn *fn)
{
    if (set_minimal(fn) && fn->info.minimal)
        return PP_OK;
    set(fn, pp_next_shortest, 1, 1, "fewest channels, the lowest of those that lead nearer",
        "a class has rising channels, then falling ones; the class grows where a way rises again");
    fn->info.minimal = true;
    fn->info.table_free = false;
    fn->info.select = PP_SELECT_FIRST;
    return pp_table_shortest(fn);
}

static pp_status set_updown(pp_routefn *fn)
{
    set(fn, pp_next_updown, 1, 1, "towards the root of a breadth-first order, then away from it",
        "channels up are ordered by rank, those down follow, and no way turns up again");
    return pp_table_updown(fn);
}

/* ---- Registry ---- */

static const struct {
    const char *name;
    bool (*set)(pp_routefn *fn);
    pp_status (*make)(pp_routefn *fn); /* for any fabric */
} rows[] = {
    {"xy", set_xy, NULL},
    {"yx", set_yx, NULL},
    {"minimal", set_minimal, NULL},
    {"shortest", NULL, set_shortest},
    {"updown", NULL, set_updown},
    {"nca", set_nca, NULL},
    {"dmodk", set_dmodk, NULL},
    {"west_first", set_west_first, NULL},
    {"odd_even", set_odd_even, NULL},
    {"adaptive", set_adaptive, NULL},
    {"valiant", set_valiant, NULL},
    {"romm", set_romm, NULL},
};
#define N_ROWS (sizeof rows / sizeof rows[0])

const char *pp_routefn_name(size_t i)
{
    return i < N_ROWS ? rows[i].name : NULL;
}

static pp_status unknown(const char *name)
{
    const char *names[N_ROWS];
    for (size_t i = 0; i < N_ROWS; i++)
        names[i] = rows[i].name;
    const char *near = pp_nearest(name, names, N_ROWS);
    if (near)
        return pp_fail(PP_EINVAL, "routing %.40s: unknown; did you mean %s?", name, near);
    return pp_fail(PP_EINVAL, "routing %.40s: unknown; expected auto, xy, yx, minimal, shortest, updown, nca, dmodk, "
                              "west_first, odd_even, adaptive, valiant or romm", name);
}

static pp_status apply(pp_routefn *fn, const char *name)
{
    for (size_t i = 0; i < N_ROWS; i++) {
        if (strcmp(name, rows[i].name) != 0)
            continue;
        fn->info.name = rows[i].name;
        if (rows[i].make)
            return rows[i].make(fn);
        return rows[i].set(fn) ? PP_OK
                               : pp_fail(PP_EINVAL, "routing %s does not fit fabric %s", rows[i].name, fn->f->name);
    }
    return unknown(name);
}

/* Files and the odd kind without a rule of its own go by table. */
static pp_status apply_auto(pp_routefn *fn)
{
    if (is_kind(fn, "file") || !set_own(fn))
        return apply(fn, "shortest");
    fn->info.name = fn->next == pp_next_dimension_order ? "xy" : fn->next == pp_next_fattree ? "dmodk"
                    : fn->next == pp_next_tree          ? "nca"
                                                        : "minimal";
    return PP_OK;
}

bool pp_routefn_plain(pp_routefn *fn, const char *name)
{
    fn->info.name = name;
    if (strcmp(name, "native") == 0)
        return !is_kind(fn, "file") && set_own(fn);
    return strcmp(name, "xy") == 0 ? set_xy(fn) : strcmp(name, "yx") == 0 && set_yx(fn);
}

/* Vertices that serve cores, each once, in the order of the first of their cores. */
static pp_status find_ends(pp_routefn *fn)
{
    const pp_fabric *f = fn->f;
    bool *seen = pp_calloc(f->n_vertices, sizeof *seen);
    fn->end = pp_alloc(f->n_cores, sizeof *fn->end);
    for (uint32_t i = 0; seen && fn->end && i < f->n_cores; i++)
        if (!seen[f->core_switch[i]]) {
            seen[f->core_switch[i]] = true;
            fn->end[fn->n_ends++] = f->core_switch[i];
        }
    free(seen);
    return seen && fn->end ? PP_OK : PP_ENOMEM;
}

pp_status pp_routefn_new(pp_routefn **out, const pp_fabric *fabric, const char *name)
{
    *out = NULL;
    pp_routefn *fn = pp_calloc(1, sizeof *fn);
    if (!fn)
        return PP_ENOMEM;
    fn->f = fabric;
    pp_status status = find_ends(fn);
    if (status == PP_OK)
        status = strcmp(name, "auto") == 0 ? apply_auto(fn) : apply(fn, name);
    fn->info.classes = fn->base_classes * (fn->info.two_phase ? 2 : 1);
    if (status == PP_OK && fn->info.classes > PP_ROUTE_MAX_CLASSES)
        status = pp_fail(PP_EUNSUPPORTED, "routing %s on fabric %s needs %u classes of virtual channels, at most %d",
                         name, fabric->name, fn->info.classes, PP_ROUTE_MAX_CLASSES);
    if (status != PP_OK) {
        pp_routefn_free(fn);
        return status;
    }
    *out = fn;
    return PP_OK;
}

void pp_routefn_free(pp_routefn *fn)
{
    if (!fn)
        return;
    free(fn->table[0]);
    free(fn->table[1]);
    free(fn->rank);
    free(fn->end);
    free(fn);
}

const pp_routefn_info *pp_routefn_about(const pp_routefn *fn)
{
    return &fn->info;
}

/* ---- Steps ---- */

/* The first phase ends at the intermediate vertex; classes of the second one stand above those of the first. */
static uint32_t next_two_phase(const pp_routefn *fn, const pp_route_head *head, pp_hop *hop)
{
    const uint32_t base = fn->base_classes;
    const bool injected = head->channel == PP_NO_CHANNEL;
    pp_route_head h = *head;
    if (!injected && h.vc_class >= base) {
        h.vc_class -= base;
    } else if (h.at == h.mid || h.mid == PP_NO_VERTEX) {
        h.channel = PP_NO_CHANNEL; /* as if injected here */
        h.vc_class = 0;
    } else {
        h.dst = h.mid;
        return fn->next(fn, &h, hop);
    }
    const uint32_t n = fn->next(fn, &h, hop);
    for (uint32_t i = 0; i < n; i++)
        hop[i].classes <<= base;
    return n;
}

uint32_t pp_routefn_next(const pp_routefn *fn, const pp_route_head *head, pp_hop *hop)
{
    return fn->info.two_phase ? next_two_phase(fn, head, hop) : fn->next(fn, head, hop);
}

void pp_route_take(const pp_routefn *fn, pp_route_head *head, uint32_t channel, uint32_t vc_class)
{
    head->at = fn->f->channel[channel].dst;
    head->channel = channel;
    head->vc_class = vc_class;
}

uint32_t pp_routefn_mid(const pp_routefn *fn, uint32_t src, uint32_t dst, uint64_t random)
{
    if (!fn->info.two_phase)
        return PP_NO_VERTEX;
    if (fn->box)
        return pp_product_mid(fn, src, dst, random);
    return fn->end[(uint32_t)(((random >> 32) * fn->n_ends) >> 32)];
}

static uint32_t lowest_class(uint32_t mask)
{
    uint32_t k = 0;
    while (k < 31 && !(mask >> k & 1U))
        k++;
    return k;
}

static pp_status no_way(const pp_routefn *fn, uint32_t src, uint32_t dst)
{
    char from[64], to[64];
    return pp_fail(PP_EINFEASIBLE, "fabric %s: no way from %s to %s by %s routing", fn->f->name,
                   pp_vertex_label(fn->f, src, from, sizeof from), pp_vertex_label(fn->f, dst, to, sizeof to),
                   fn->info.name);
}

/* The way of first candidates; hop: room for max_hops. */
static pp_status walk(const pp_routefn *fn, uint32_t src, uint32_t dst, pp_hop *hop, uint32_t *path, size_t cap,
                      size_t *n)
{
    const pp_fabric *f = fn->f;
    pp_route_head h = {.at = pp_switch_of(f, src), .channel = PP_NO_CHANNEL, .dst = pp_switch_of(f, dst)};
    size_t hops = 0;
    h.src = h.mid = h.at;
    *n = 0;
    while (h.at != h.dst) {
        if (pp_routefn_next(fn, &h, hop) == 0)
            return no_way(fn, src, dst);
        if (hops >= cap)
            return pp_fail(PP_ERANGE, "fabric %s: a route has more than %zu channels", f->name, cap);
        path[hops++] = hop[0].channel;
        pp_route_take(fn, &h, hop[0].channel, lowest_class(hop[0].classes));
    }
    *n = hops;
    return PP_OK;
}

pp_status pp_routefn_walk(const pp_routefn *fn, uint32_t src, uint32_t dst, uint32_t *path, size_t cap, size_t *n)
{
    pp_hop hop[PP_PLAIN_HOPS];
    return walk(fn, src, dst, hop, path, cap, n);
}

pp_status pp_routefn_path(const pp_routefn *fn, uint32_t src, uint32_t dst, uint32_t *path, size_t cap, size_t *n)
{
    *n = 0;
    pp_hop *hop = pp_alloc(fn->info.max_hops, sizeof *hop);
    if (!hop)
        return PP_ENOMEM;
    const pp_status status = walk(fn, src, dst, hop, path, cap, n);
    free(hop);
    return status;
}

#define CONNECTED_MAX 4096

pp_status pp_routefn_connected(const pp_routefn *fn)
{
    const pp_fabric *f = fn->f;
    if (fn->n_ends > CONNECTED_MAX)
        return pp_fail(PP_EUNSUPPORTED, "fabric %s: the check of all pairs takes at most %d switches", f->name,
                       CONNECTED_MAX);
    const size_t cap = (size_t)4 * f->n_vertices + 4;
    uint32_t *path = pp_alloc(cap, sizeof *path);
    pp_status status = path ? PP_OK : PP_ENOMEM;
    for (uint32_t s = 0; status == PP_OK && s < fn->n_ends; s++)
        for (uint32_t t = 0; status == PP_OK && t < fn->n_ends; t++) {
            size_t n = 0;
            status = pp_routefn_path(fn, fn->end[s], fn->end[t], path, cap, &n);
        }
    free(path);
    return status;
}

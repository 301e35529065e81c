/* Network engines: options, packets, and what all of them share. */
#include "sim/net_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *pp_noc_switching_name(pp_noc_switching s)
{
    static const char *const names[] = {"ideal", "saf", "vct", "flit"};
    return names[s];
}

/* ---- options ---- */

void pp_noc_defaults(pp_noc_options *o)
{
    *o = (pp_noc_options){.switching = PP_NOC_FLIT, .vcs = 4, .buffer_flits = 8, .vc_alloc_delay = 1,
                          .sw_alloc_delay = 1, .switch_delay = 1, .link_delay = 1, .local_delay = 1,
                          .credit_delay = 1, .iterations = 1, .input_speedup = 1, .internal_speedup = 1,
                          .output_buffer = 8, .message_classes = 1, .watchdog = 10000, .threads = 1};
}

typedef struct pp_preset_key {
    const char *name;
    size_t offset;
    int64_t min, max;
} pp_preset_key;
#define KEY(name, field, min, max) {name, offsetof(pp_noc_options, field), min, max}

static const pp_preset_key number_keys[] = {
    KEY("rd", routing_delay, 0, 1000),   KEY("va", vc_alloc_delay, 1, 1000), KEY("sa", sw_alloc_delay, 1, 1000),
    KEY("st", switch_delay, 1, 1000),    KEY("link", link_delay, 1, 100000), KEY("local", local_delay, 1, 100000),
    KEY("cd", credit_delay, 0, 1000),    KEY("iters", iterations, 1, 16),    KEY("insp", input_speedup, 1, 64),
    KEY("intsp", internal_speedup, 1, 8), KEY("outbuf", output_buffer, 1, 1024),
};
#define N_NUMBERS (sizeof number_keys / sizeof *number_keys)
#define ALL_KEYS "rd, va, sa, st, link, local, cd, iters, insp, intsp, outbuf, arbiter, alloc, spec, atomic, shared"

static bool set_flag(bool *flag, const char *value)
{
    const bool one = strcmp(value, "1") == 0;
    *flag = one;
    return one || strcmp(value, "0") == 0;
}

static bool set_word(pp_noc_options *o, const char *key, const char *value, bool *known)
{
    *known = true;
    if (strcmp(key, "arbiter") == 0) {
        o->arbiter = strcmp(value, "matrix") == 0 ? PP_NOC_MATRIX : PP_NOC_ROUND_ROBIN;
        return o->arbiter == PP_NOC_MATRIX || strcmp(value, "rr") == 0;
    }
    if (strcmp(key, "alloc") == 0) {
        o->allocator = strcmp(value, "input") == 0 ? PP_NOC_INPUT_FIRST : PP_NOC_OUTPUT_FIRST;
        return o->allocator == PP_NOC_INPUT_FIRST || strcmp(value, "output") == 0;
    }
    if (strcmp(key, "spec") == 0)
        return set_flag(&o->speculative, value);
    if (strcmp(key, "atomic") == 0)
        return set_flag(&o->atomic_vcs, value);
    if (strcmp(key, "shared") == 0)
        return set_flag(&o->shared_buffer, value);
    *known = false;
    return false;
}

static pp_status set_key(pp_noc_options *o, const char *key, const char *value)
{
    for (size_t i = 0; i < N_NUMBERS; i++) {
        const pp_preset_key *k = &number_keys[i];
        int64_t n = 0;
        if (strcmp(key, k->name) != 0)
            continue;
        if (!pp_parse_i64(value, &n) || n < k->min || n > k->max)
            return pp_fail(PP_ERANGE, "router: %s: expected an integer from %lld to %lld, found %.40s", key,
                           (long long)k->min, (long long)k->max, value);
        *(uint32_t *)((char *)o + k->offset) = (uint32_t)n;
        return PP_OK;
    }
    bool known = false;
    if (set_word(o, key, value, &known))
        return PP_OK;
    if (known)
        return pp_fail(PP_EINVAL, "router: %s: value %.40s is not known (arbiter: rr, matrix; alloc: output, input; "
                                  "spec, atomic, shared: 0, 1)", key, value);
    return pp_fail(PP_EINVAL, "router: unknown key %.40s; expected one of " ALL_KEYS "%s", key,
                   pp_hint(key, ALL_KEYS, (char[PP_HINT_MAX]){0}));
}

pp_status pp_noc_preset(pp_noc_options *o, const char *text)
{
    const size_t name = strcspn(text, ":");
    if (strncmp(text, "booksim", name) != 0 || name != strlen("booksim"))
        return pp_fail(PP_EINVAL, "router: unknown preset %.80s; expected booksim[:KEY=VALUE,...] with " ALL_KEYS "%s", text,
                       pp_hint(text, "booksim", (char[PP_HINT_MAX]){0}));
    const char *rest = text + name;
    while (*rest == ':' || *rest == ',') {
        char word[96], *equals;
        const size_t length = strcspn(++rest, ",");
        if (length >= sizeof word)
            return pp_fail(PP_EINVAL, "router: %.40s...: expected KEY=VALUE", rest);
        memcpy(word, rest, length);
        word[length] = '\0';
        equals = strchr(word, '=');
        if (!equals)
            return pp_fail(PP_EINVAL, "router: %s: expected KEY=VALUE", word);
        *equals = '\0';
        PP_TRY(set_key(o, word, equals + 1));
        rest += length;
    }
    return PP_OK;
}

static pp_status check_options(const pp_noc_options *o, const pp_noc_routing *routing)
{
    if (o->vcs < 1 || o->vcs > PP_NOC_VCS_MAX)
        return pp_fail(PP_ERANGE, "router: expected 1 to %u VCs, found %u", PP_NOC_VCS_MAX, o->vcs);
    if (o->buffer_flits < 1)
        return pp_fail(PP_ERANGE, "router: expected buffers of at least 1 flit, found %u", o->buffer_flits);
    if (o->vc_alloc_delay < 1 || o->sw_alloc_delay < 1 || o->switch_delay < 1 || o->link_delay < 1 || o->local_delay < 1)
        return pp_fail(PP_ERANGE, "router: stage and link delays must be at least 1 cycle (routing and credit: 0)");
    if (o->iterations < 1 || o->input_speedup < 1 || o->internal_speedup < 1 || o->output_buffer < 1)
        return pp_fail(PP_ERANGE, "router: iterations, speed-ups and output buffer must be at least 1");
    if (o->message_classes < 1 || o->message_classes > o->vcs)
        return pp_fail(PP_ERANGE, "router: %u message classes need as many VCs, found %u", o->message_classes, o->vcs);
    if (o->switching == PP_NOC_FLIT && o->vcs / o->message_classes < routing->n_classes)
        return pp_fail(PP_ERANGE, "router: the routing needs %u VCs (classes that break cycles) for each of %u message "
                                  "classes, found %u in all", routing->n_classes, o->message_classes, o->vcs);
    if (o->speculative && o->sw_alloc_delay > 1)
        return pp_fail(PP_EINVAL, "router: speculative allocation needs sa=1, found %u", o->sw_alloc_delay);
    if (o->threads < 1 || o->threads > PP_POOL_MAX)
        return pp_fail(PP_ERANGE, "expected 1 to %d threads, found %u", PP_POOL_MAX, o->threads);
    return PP_OK;
}

/* ---- slots ---- */

pp_status pp_noc_items_new(pp_noc_items *items)
{
    items->chunk = pp_calloc(PP_NOC_CHUNKS, sizeof *items->chunk);
    atomic_init(&items->n, 0);
    return items->chunk ? PP_OK : PP_ENOMEM;
}

void pp_noc_items_free(pp_noc_items *items)
{
    const uint32_t n = atomic_load(&items->n);
    for (uint32_t i = 0; items->chunk && i < n && i < PP_NOC_CHUNKS; i++)
        free(items->chunk[i]);
    free(items->chunk);
    items->chunk = NULL;
}

uint32_t pp_noc_items_take(pp_noc_items *items, uint32_t *free_list)
{
    if (*free_list == PP_NOC_NO) {
        const uint32_t c = atomic_fetch_add(&items->n, 1);
        if (c >= PP_NOC_CHUNKS) {
            (void)pp_fail(PP_ERANGE, "network: more than %u packets wait at once", PP_NOC_CHUNKS * PP_NOC_CHUNK);
            return PP_NOC_NO;
        }
        pp_noc_item *chunk = pp_calloc(PP_NOC_CHUNK, sizeof *chunk);
        if (!chunk)
            return PP_NOC_NO;
        items->chunk[c] = chunk;
        for (uint32_t i = 0; i < PP_NOC_CHUNK; i++)
            chunk[i].next = i + 1 < PP_NOC_CHUNK ? c * PP_NOC_CHUNK + i + 1 : PP_NOC_NO;
        *free_list = c * PP_NOC_CHUNK;
    }
    const uint32_t index = *free_list;
    *free_list = pp_noc_at(items, index)->next;
    return index;
}

void pp_noc_item_set(pp_noc *n, pp_noc_item *item, const pp_noc_packet *p)
{
    *item = (pp_noc_item){.created = p->time, .entered = p->time, .tag = p->tag, .src = p->src, .dst = p->dst,
                          .flits = p->flits, .tree = p->tree, .next = PP_NOC_NO, .message_class = p->message_class};
    item->random = pp_noc_mix(n->o.seed, p->src, ++n->serial[p->src]);
    const uint32_t left = p->tree == PP_NOC_TREE_NONE ? 1 : n->trees.data[p->tree].n_dst;
    atomic_init(&item->left, left);
}

pp_status pp_noc_queue_push(pp_noc_queue *q, const pp_noc_delivery *d)
{
    if (q->head + q->len == q->cap) {
        if (q->head > q->len) {
            memmove(q->data, q->data + q->head, q->len * sizeof *q->data);
            q->head = 0;
        } else {
            const size_t cap = q->cap ? 2 * q->cap : 64;
            pp_noc_delivery *data = pp_realloc(q->data, cap, sizeof *data);
            if (!data)
                return PP_ENOMEM;
            q->data = data;
            q->cap = cap;
        }
    }
    q->data[q->head + q->len++] = *d;
    return PP_OK;
}

/* ---- routing ---- */

uint64_t pp_noc_random_here(const pp_noc_head *head)
{
    return pp_noc_mix(head->random, head->vertex, 1);
}

uint32_t pp_noc_candidates(const pp_noc *n, pp_noc_item *item, uint32_t router, uint32_t in_channel,
                           uint8_t in_class, pp_noc_hop hop[PP_NOC_HOPS_MAX])
{
    const pp_noc_head head = {.vertex = n->g.vertex[router], .src_core = item->src, .dst_core = item->dst,
                              .in_channel = in_channel, .in_class = in_class,
                              .random = item->random, .state = &item->state};
    return n->routing.route(n->routing.context, &head, hop);
}

static uint32_t source_of_channel(const pp_noc_graph *g, uint32_t core, uint32_t channel)
{
    for (uint32_t s = g->src_first[core]; s < g->src_first[core + 1]; s++)
        if (g->src_channel[s] == channel)
            return s;
    return g->src_first[core];
}

uint32_t pp_noc_source_of(const pp_noc *n, const pp_noc_item *item)
{
    const pp_noc_graph *g = &n->g;
    const uint32_t first = g->src_first[item->src], count = g->src_first[item->src + 1] - first;
    if (count == 1)
        return first;
    if (item->tree != PP_NOC_TREE_NONE && n->trees.data[item->tree].inject != PP_NO_CHANNEL) {
        for (uint32_t s = first; s < first + count; s++)
            if (g->op_channel[g->n_op + s] == n->trees.data[item->tree].inject)
                return s;
    }
    if (g->src_channel[first] == PP_NOC_NO)
        return first + item->dst % count;
    if (item->tree != PP_NOC_TREE_NONE)
        return source_of_channel(g, item->src, g->op_channel[n->trees.data[item->tree].op[0]]);
    const uint32_t router = g->op_router[g->n_op + first];
    if (pp_noc_eject_port(g, router, item->dst, PP_NOC_NO, item->src) != PP_NOC_NO)
        return first;
    pp_noc_item copy = *item; /* the routing function's word must not change here */
    pp_noc_hop hop[PP_NOC_HOPS_MAX];
    const uint32_t n_hops = pp_noc_candidates(n, &copy, router, PP_NO_CHANNEL, 0, hop);
    return n_hops > 0 ? source_of_channel(g, item->src, hop[0].channel) : PP_NOC_NO;
}

pp_status pp_noc_unreachable(const pp_noc *n, const pp_noc_item *item, uint32_t router)
{
    char at[64];
    return pp_fail(PP_EINFEASIBLE, "routing: no way from core %u to core %u at %s of fabric %s", item->src, item->dst,
                   pp_vertex_label(n->g.fabric, n->g.vertex[router], at, sizeof at), n->g.fabric->name);
}

/* ---- the engine ---- */

static pp_status link_delays(pp_noc *n)
{
    const pp_noc_graph *g = &n->g;
    const size_t ports = (size_t)g->n_op + g->n_src;
    n->delay = pp_calloc(ports, sizeof *n->delay);
    n->period = pp_calloc(ports, sizeof *n->period);
    n->serial = pp_calloc(g->n_cores, sizeof *n->serial);
    if (!n->delay || !n->period || !n->serial)
        return PP_ENOMEM;
    for (size_t op = 0; op < ports; op++) {
        const uint32_t c = g->op_channel[op];
        const bool local = op >= g->n_op || g->op_ip[op] == PP_NOC_NO;
        n->delay[op] = local ? n->o.local_delay : n->o.link_delay;
        n->period[op] = 1;
        if (c != PP_NO_CHANNEL && n->o.channel_delay)
            n->delay[op] += n->o.channel_delay[c];
        if (c != PP_NO_CHANNEL && n->o.channel_period)
            n->period[op] = n->o.channel_period[c];
        if (n->period[op] < 1 || n->period[op] > 4096 || n->delay[op] > 1000000)
            return pp_fail(PP_ERANGE, "network: channel %u: a flit takes 1 to 4096 cycles, a wire at most a million", c);
    }
    return PP_OK;
}

static pp_status start(pp_noc *n, const pp_fabric *fabric)
{
    PP_TRY(pp_noc_graph_new(&n->g, fabric));
    PP_TRY(link_delays(n));
    PP_TRY(pp_noc_items_new(&n->items));
    n->o.channel_delay = n->o.channel_period = NULL;
    return n->o.switching == PP_NOC_FLIT ? pp_noc_flit_start(n) : pp_noc_packet_start(n);
}

pp_status pp_noc_new(pp_noc **out, const pp_fabric *fabric, const pp_noc_options *options,
                     const pp_noc_routing *routing)
{
    pp_noc *n = NULL;
    *out = NULL;
    PP_TRY(check_options(options, routing));
    PP_TRY(options->switching == PP_NOC_FLIT ? pp_noc_flit_new(&n) : pp_noc_packet_new(&n));
    n->o = *options;
    n->routing = *routing;
    n->observe = options->observe;
    const pp_status status = start(n, fabric);
    if (status == PP_OK)
        *out = n;
    else
        pp_noc_free(n);
    return status;
}

pp_status pp_noc_watch(pp_noc *n, pp_noc_watch_fn watch, void *context)
{
    if (n->ops->watch == NULL || !n->observe || n->o.threads > 1)
        return pp_fail(PP_EUNSUPPORTED, "crossings are told by the flit engine on one thread, with observe");
    n->watch = watch;
    n->watch_context = context;
    return n->ops->watch(n);
}

void pp_noc_free(pp_noc *n)
{
    if (!n)
        return;
    pp_noc_graph_free(&n->g);
    pp_noc_items_free(&n->items);
    for (size_t i = 0; i < n->trees.len; i++)
        pp_noc_tree_free(&n->trees.data[i]);
    free(n->trees.data);
    free(n->delay);
    free(n->period);
    free(n->serial);
    free(n->delivered.data);
    n->ops->free(n);
}

pp_status pp_noc_add_tree(pp_noc *n, uint32_t *tree, uint32_t src_core, uint32_t inject, const pp_tree *edges,
                          const uint32_t *dst_core, const uint32_t *eject, uint32_t n_dst)
{
    pp_noc_tree t;
    if (n->ops->tree)
        PP_TRY(n->ops->tree(n));
    if (src_core >= n->g.n_cores)
        return pp_fail(PP_EINVAL, "multicast tree: core %u of %u", src_core, n->g.n_cores);
    for (uint32_t i = 0; i < n_dst; i++)
        if (dst_core[i] >= n->g.n_cores)
            return pp_fail(PP_EINVAL, "multicast tree: core %u of %u", dst_core[i], n->g.n_cores);
    PP_TRY(pp_noc_tree_new(&t, &n->g, src_core, edges, dst_core, eject, n_dst));
    t.inject = inject;
    if (!pp_push(&n->trees, t)) {
        pp_noc_tree_free(&t);
        return PP_ENOMEM;
    }
    *tree = (uint32_t)n->trees.len - 1;
    return PP_OK;
}

pp_status pp_noc_packet_check(const pp_noc *n, const pp_noc_packet *p)
{
    const bool multicast = p->tree != PP_NOC_TREE_NONE;
    if (p->src >= n->g.n_cores || (!multicast && p->dst >= n->g.n_cores))
        return pp_fail(PP_EINVAL, "packet from core %u to core %u: the fabric has %u cores", p->src, p->dst, n->g.n_cores);
    if (multicast && (p->tree >= n->trees.len || n->trees.data[p->tree].src != p->src))
        return pp_fail(PP_EINVAL, "packet from core %u: tree %u is not one of this core", p->src, p->tree);
    if (p->flits < 1)
        return pp_fail(PP_EINVAL, "packet from core %u: it has no flits", p->src);
    if (p->message_class >= n->o.message_classes)
        return pp_fail(PP_EINVAL, "packet from core %u: message class %u of %u", p->src, p->message_class,
                       n->o.message_classes);
    if (n->o.switching == PP_NOC_FLIT && multicast && p->flits > n->o.buffer_flits)
        return pp_fail(PP_EINVAL, "packet of %u flits on a multicast tree: buffers of %u flits cannot hold it, so that a "
                                  "blocked branch would hold the others", p->flits, n->o.buffer_flits);
    if ((n->o.switching == PP_NOC_VCT || n->o.switching == PP_NOC_SAF) && p->flits > n->o.buffer_flits)
        return pp_fail(PP_EINVAL, "%s: buffers of %u flits cannot hold a packet of %u",
                       n->o.switching == PP_NOC_VCT ? "virtual cut-through" : "store and forward", n->o.buffer_flits, p->flits);
    return PP_OK;
}

pp_status pp_noc_inject(pp_noc *n, const pp_noc_packet *p)
{
    PP_TRY(pp_noc_packet_check(n, p));
    return n->ops->inject(n, p);
}

pp_status pp_noc_reply(pp_noc *n, const pp_noc_packet *p)
{
    return pp_noc_inject(n, p);
}

pp_status pp_noc_run(pp_noc *n, uint64_t until, bool stop)
{
    return n->ops->run(n, until, stop);
}

bool pp_noc_pop(pp_noc *n, pp_noc_delivery *out)
{
    pp_noc_queue *q = &n->delivered;
    if (q->len == 0)
        return false;
    *out = q->data[q->head++];
    if (--q->len == 0)
        q->head = 0;
    return true;
}

uint64_t pp_noc_now(const pp_noc *n)
{
    return n->now;
}

uint64_t pp_noc_next(const pp_noc *n)
{
    return n->ops->next(n);
}

void pp_noc_open_loop(pp_noc *n, pp_noc_source_fn source, pp_noc_sink_fn sink, void *context)
{
    n->source = source;
    n->sink = sink;
    n->context = context;
    if (source)
        n->ops->open_loop(n);
}

void pp_noc_get_stats(const pp_noc *n, pp_noc_stats *out)
{
    n->ops->stats(n, out);
}

pp_status pp_noc_get_channel(const pp_noc *n, uint32_t channel, pp_noc_channel_stats *out)
{
    if (channel >= n->g.fabric->n_channels)
        return pp_fail(PP_EINVAL, "channel %u: the fabric has %u", channel, n->g.fabric->n_channels);
    n->ops->channel(n, channel, out);
    return PP_OK;
}

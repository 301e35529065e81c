/* Layouts: tiles on cores, trees on channels, and the accounts of every channel. */
#include "mapper/route_internal.h"

#include <stdlib.h>
#include <string.h>

void pp_layout_free(pp_layout *layout)
{
    if (!layout)
        return;
    for (uint32_t n = 0; layout->tree && n < layout->task->n_nets; n++)
        free(layout->tree[n].data);
    free(layout->core);
    free(layout->tile_of_core);
    free(layout->tree);
    free(layout->sink_end);
    free(layout->load);
    free(layout->count);
    free(layout->history);
    pp_route_scratch_free(layout->scratch);
    free(layout);
}

pp_status pp_layout_new(pp_layout **out, const pp_task *task)
{
    const pp_fabric *fabric = task->fabric;
    pp_layout *layout = *out = pp_calloc(1, sizeof *layout);
    if (!layout)
        return PP_ENOMEM;
    layout->task = task;
    layout->core = pp_alloc(task->n_tiles, sizeof *layout->core);
    layout->tile_of_core = pp_alloc(fabric->n_cores, sizeof *layout->tile_of_core);
    layout->tree = pp_calloc(task->n_nets, sizeof *layout->tree);
    layout->sink_end = pp_alloc(task->n_sinks, sizeof *layout->sink_end);
    layout->load = pp_calloc(fabric->n_network, sizeof *layout->load);
    layout->count = pp_calloc(fabric->n_network, sizeof *layout->count);
    layout->history = pp_calloc(fabric->n_network, sizeof *layout->history);
    if (!layout->core || !layout->tile_of_core || !layout->tree || !layout->sink_end || !layout->load ||
        !layout->count || !layout->history || pp_route_scratch_new(&layout->scratch, fabric) != PP_OK) {
        pp_layout_free(layout);
        *out = NULL;
        return PP_ENOMEM;
    }
    for (uint32_t t = 0; t < task->n_tiles; t++)
        layout->core[t] = PP_NONE;
    for (uint32_t c = 0; c < fabric->n_cores; c++)
        layout->tile_of_core[c] = PP_NONE;
    return PP_OK;
}

static pp_status copy_tree(pp_net_tree *to, const pp_net_tree *from)
{
    if (to->cap < from->len) {
        pp_branch *data = pp_realloc(to->data, from->len, sizeof *data);
        if (!data)
            return PP_ENOMEM;
        to->data = data;
        to->cap = from->len;
    }
    if (from->len)
        memcpy(to->data, from->data, from->len * sizeof *from->data);
    to->len = from->len;
    to->unreached = from->unreached;
    to->self = from->self;
    return PP_OK;
}

pp_status pp_layout_copy(pp_layout *to, const pp_layout *from)
{
    const pp_task *task = from->task;
    uint32_t channels = task->fabric->n_network;
    for (uint32_t n = 0; n < task->n_nets; n++)
        PP_TRY(copy_tree(&to->tree[n], &from->tree[n]));
    memcpy(to->core, from->core, task->n_tiles * sizeof *to->core);
    memcpy(to->tile_of_core, from->tile_of_core, task->fabric->n_cores * sizeof *to->tile_of_core);
    memcpy(to->sink_end, from->sink_end, task->n_sinks * sizeof *to->sink_end);
    memcpy(to->load, from->load, channels * sizeof *to->load);
    memcpy(to->count, from->count, channels * sizeof *to->count);
    memcpy(to->history, from->history, channels * sizeof *to->history);
    to->congestion = from->congestion;
    to->energy = from->energy;
    to->score = from->score;
    return PP_OK;
}

void pp_layout_put(pp_layout *layout, const uint32_t *core)
{
    const pp_task *task = layout->task;
    uint32_t channels = task->fabric->n_network;
    for (uint32_t c = 0; c < task->fabric->n_cores; c++)
        layout->tile_of_core[c] = PP_NONE;
    for (uint32_t t = 0; t < task->n_tiles; t++) {
        layout->core[t] = core[t];
        layout->tile_of_core[core[t]] = t;
    }
    for (uint32_t n = 0; n < task->n_nets; n++) {
        layout->tree[n].len = 0;
        layout->tree[n].unreached = 0;
        layout->tree[n].self = 0;
    }
    memset(layout->load, 0, channels * sizeof *layout->load);
    memset(layout->count, 0, channels * sizeof *layout->count);
    memset(layout->history, 0, channels * sizeof *layout->history);
    layout->energy = 0;
}

void pp_layout_price(pp_layout *layout, pp_congestion congestion)
{
    const pp_task *task = layout->task;
    layout->congestion = congestion;
    layout->energy = 0;
    for (uint32_t n = 0; n < task->n_nets; n++)
        layout->energy += layout->tree[n].self;
    for (uint32_t c = 0; c < task->fabric->n_network; c++) {
        int64_t count = layout->count[c], over = layout->load[c] - congestion.cap;
        layout->energy +=
            congestion.count_cost * count * (count - 1) / 2 + congestion.load_cost * (over > 0 ? over : 0);
    }
}

static void account(pp_layout *layout, uint32_t net)
{
    const pp_net_tree *tree = &layout->tree[net];
    layout->energy += tree->self;
    for (size_t e = 0; e < tree->len; e++) {
        uint32_t c = tree->data[e].channel;
        int64_t w = tree->data[e].weight;
        layout->energy += pp_congestion_step(&layout->congestion, layout->count[c]++, layout->load[c], w);
        layout->load[c] += w;
    }
}

static void unaccount(pp_layout *layout, uint32_t net)
{
    const pp_net_tree *tree = &layout->tree[net];
    layout->energy -= tree->self;
    for (size_t e = 0; e < tree->len; e++) {
        uint32_t c = tree->data[e].channel;
        int64_t w = tree->data[e].weight;
        layout->load[c] -= w;
        layout->energy -= pp_congestion_step(&layout->congestion, --layout->count[c], layout->load[c], w);
    }
}

pp_status pp_layout_route(pp_layout *layout, uint32_t net)
{
    PP_TRY(pp_tree_grow(layout, net));
    account(layout, net);
    return PP_OK;
}

void pp_layout_rip(pp_layout *layout, uint32_t net)
{
    pp_net_tree *tree = &layout->tree[net];
    unaccount(layout, net);
    tree->len = 0;
    tree->unreached = 0;
    tree->self = 0;
}

void pp_layout_take(pp_layout *layout, uint32_t net, pp_net_tree *tree, uint32_t *sink_end)
{
    const pp_task_net *n = &layout->task->net[net];
    unaccount(layout, net);
    pp_net_tree spare = *tree;
    *tree = layout->tree[net];
    layout->tree[net] = (pp_net_tree){.data = spare.data, .cap = spare.cap};
    memcpy(sink_end, &layout->sink_end[n->first_sink], n->n_sinks * sizeof *sink_end);
}

void pp_layout_give(pp_layout *layout, uint32_t net, pp_net_tree *tree, const uint32_t *sink_end)
{
    const pp_task_net *n = &layout->task->net[net];
    pp_net_tree spare = layout->tree[net];
    layout->tree[net] = *tree;
    *tree = spare;
    memcpy(&layout->sink_end[n->first_sink], sink_end, n->n_sinks * sizeof *sink_end);
    account(layout, net);
}

/* ---- score ---- */

int pp_score_compare(const pp_score *a, const pp_score *b)
{
#define FIELD(f)                                                                                                       \
    if (a->f != b->f)                                                                                                  \
    return a->f < b->f ? -1 : 1
    FIELD(unreached);
    FIELD(certificate);
    FIELD(max_load);
    FIELD(flow_hops);
    FIELD(bit_hops);
#undef FIELD
    return 0;
}

static void score_net(const pp_layout *layout, uint32_t net, pp_score *score, bool *single)
{
    const pp_task *task = layout->task;
    const pp_task_net *n = &task->net[net];
    const pp_net_tree *tree = &layout->tree[net];
    score->unreached += tree->unreached;
    for (size_t e = 0; e < tree->len; e++) {
        const pp_branch *b = &tree->data[e];
        uint64_t bits = n->n_atoms == 1 ? n->bits : pp_task_bits(task, n, b->mask);
        layout->scratch->bits[b->channel] += bits;
        score->bit_hops += bits;
    }
    for (uint32_t i = n->first_sink; i < n->first_sink + n->n_sinks; i++) {
        uint32_t end = layout->sink_end[i], hops = end == PP_NONE ? 0 : tree->data[end].depth;
        score->flow_hops += hops;
        *single = *single && hops == 1;
    }
}

pp_score pp_layout_score(pp_layout *layout)
{
    const pp_task *task = layout->task;
    uint32_t channels = task->fabric->n_network;
    uint64_t *bits = layout->scratch->bits;
    pp_score score = {0};
    bool single = true, disjoint = true;
    memset(bits, 0, channels * sizeof *bits);
    for (uint32_t n = 0; n < task->n_nets; n++)
        score_net(layout, n, &score, &single);
    for (uint32_t c = 0; c < channels; c++) {
        uint64_t load = bits[c] / 256 * task->slow[c] + bits[c] % 256 * task->slow[c] / 256;
        score.max_load = load > score.max_load ? load : score.max_load;
        disjoint = disjoint && layout->count[c] <= 1;
    }
    score.certificate = !disjoint ? PP_CERT_ROUTED : single ? PP_CERT_EMBEDDING : PP_CERT_DISJOINT;
    layout->score = score;
    return score;
}

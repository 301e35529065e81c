/* Routes of all nets at once, by negotiation: everybody takes the cheapest tree, channels that are
 * fought over get dearer from round to round, and whoever has a way around takes it.
 * PAPER: mcmurchie1995 ("PathFinder: a negotiation-based performance-driven router for FPGAs", FPGA'95):
 * here a channel's capacity is first one net (channel-disjoint routes), then, when that fails, a load
 * that is lowered by bisection. */
#include "mapper/route_internal.h"

#include <string.h>

/* Vertices that the negotiations of a large task visit at most. */
#define NEGOTIATION_WORK UINT64_C(4000000)

enum { DISJOINT_ROUNDS = 40, LOAD_ROUNDS = 12, BISECTIONS = 5, PATIENCE = 8 };

/* One negotiation: a channel is fought over when it has more than one net (by_load false), or a load
 * above congestion.cap. */
typedef struct pp_negotiation {
    bool by_load;
    int rounds;
    int64_t history_step;
} pp_negotiation;

static bool contested(const pp_layout *layout, const pp_negotiation *n, uint32_t channel)
{
    return n->by_load ? layout->load[channel] > layout->congestion.cap : layout->count[channel] > 1;
}

static bool net_contested(const pp_layout *layout, const pp_negotiation *n, uint32_t net)
{
    const pp_net_tree *tree = &layout->tree[net];
    for (size_t e = 0; e < tree->len; e++)
        if (contested(layout, n, tree->data[e].channel))
            return true;
    return false;
}

/* Prices rise where nets still meet; the number of such channels. */
static uint32_t raise_prices(pp_layout *layout, const pp_negotiation *n)
{
    uint32_t any = 0;
    for (uint32_t c = 0; c < layout->task->fabric->n_network; c++)
        if (contested(layout, n, c)) {
            layout->history[c] += n->history_step;
            any++;
        }
    pp_congestion g = layout->congestion;
    g.count_cost += g.count_cost / 8;
    g.load_cost += n->by_load;
    layout->congestion = g;
    return any;
}

static pp_status keep_better(pp_layout *best, pp_layout *layout)
{
    pp_layout_score(layout);
    return pp_score_compare(&layout->score, &best->score) < 0 ? pp_layout_copy(best, layout) : PP_OK;
}

static bool spent(const pp_layout *layout)
{
    return layout->scratch->work > layout->work_end;
}

/* From whatever is routed in `layout`; `best` keeps the best score seen. Ends when nobody meets, or when
 * some rounds in turn have not made the channels fewer at which nets meet. */
static pp_status negotiate(pp_layout *layout, pp_layout *best, const pp_negotiation *n)
{
    uint32_t fewest = UINT32_MAX;
    int idle = 0;
    memset(layout->history, 0, layout->task->fabric->n_network * sizeof *layout->history);
    for (int round = 0; round < n->rounds; round++) {
        uint32_t meetings = raise_prices(layout, n);
        idle = meetings < fewest ? 0 : idle + 1;
        fewest = meetings < fewest ? meetings : fewest;
        if (!meetings || (layout->task->large && (idle >= PATIENCE || spent(layout))))
            break;
        for (uint32_t i = 0; i < layout->task->n_nets; i++) {
            if (!net_contested(layout, n, i))
                continue;
            pp_layout_rip(layout, i);
            PP_TRY(pp_layout_route(layout, i));
        }
        PP_TRY(keep_better(best, layout));
    }
    return PP_OK;
}

static int64_t max_load(const pp_layout *layout)
{
    int64_t max = 0;
    for (uint32_t c = 0; c < layout->task->fabric->n_network; c++)
        max = layout->load[c] > max ? layout->load[c] : max;
    return max;
}

/* Halves the distance between the load that every layout has and the best one found. */
static pp_status lower_load(pp_layout *layout, pp_layout *best)
{
    const pp_negotiation by_load = {.by_load = true, .rounds = LOAD_ROUNDS, .history_step = 32};
    int64_t low = PP_WEIGHT_FULL - 1;
    for (int i = 0; i < BISECTIONS; i++) {
        int64_t high = max_load(best);
        int64_t cap = i == 0 ? PP_WEIGHT_FULL : low + (high - low) / 2;
        if (cap >= high || (layout->task->large && spent(layout)))
            return PP_OK;
        PP_TRY(pp_layout_copy(layout, best));
        pp_layout_price(layout, (pp_congestion){.count_cost = 8, .load_cost = 2, .cap = cap});
        PP_TRY(negotiate(layout, best, &by_load));
        if (max_load(best) > cap)
            low = cap;
    }
    return PP_OK;
}

static pp_status route_each(pp_layout *layout)
{
    for (uint32_t n = 0; n < layout->task->n_nets; n++)
        PP_TRY(pp_layout_route(layout, n));
    pp_layout_score(layout);
    return PP_OK;
}

static void forget_routes(pp_layout *layout)
{
    for (uint32_t n = 0; n < layout->task->n_nets; n++)
        pp_layout_rip(layout, n);
    memset(layout->history, 0, layout->task->fabric->n_network * sizeof *layout->history);
}

/* Whether channel-disjoint ways are worth a try: always in small tasks, in large ones when nets meet on
 * hardly a channel. */
static bool few_meet(const pp_layout *layout)
{
    const pp_negotiation one_net = {.by_load = false};
    uint32_t meetings = 0, used = 0;
    for (uint32_t c = 0; c < layout->task->fabric->n_network; c++) {
        used += layout->count[c] > 0;
        meetings += contested(layout, &one_net, c);
    }
    return !layout->task->large || meetings <= used / 50;
}

pp_status pp_layout_route_all(pp_layout *layout)
{
    const pp_negotiation one_net = {.by_load = false, .rounds = DISJOINT_ROUNDS, .history_step = 64};
    pp_layout *best = NULL;
    pp_status status;
    forget_routes(layout);
    layout->work_end = layout->scratch->work + NEGOTIATION_WORK;
    pp_layout_price(layout, layout->task->large
                                ? (pp_congestion){.count_cost = 4, .load_cost = 2, .cap = PP_WEIGHT_FULL}
                                : (pp_congestion){.count_cost = 64, .load_cost = 0, .cap = PP_WEIGHT_FULL});
    PP_TRY(route_each(layout));
    if (layout->task->routing != PP_ROUTING_BALANCED || layout->score.certificate != PP_CERT_ROUTED)
        return PP_OK;
    PP_TRY(pp_layout_new(&best, layout->task));
    PP_GOTO(done, status, pp_layout_copy(best, layout));
    if (few_meet(layout))
        PP_GOTO(done, status, negotiate(layout, best, &one_net));
    if (best->score.certificate == PP_CERT_ROUTED)
        PP_GOTO(done, status, lower_load(layout, best));
    PP_GOTO(done, status, pp_layout_copy(layout, best));
done:
    pp_layout_free(best);
    return status;
}

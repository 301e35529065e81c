/* Copies of matrices, and units that share the context of a head: given by hand, or of the slowest ones as long as a budget
 * of cores allows. */
#include "mapper/lm_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- how often tokens come to the same copies again ---- */

static uint64_t common(uint64_t a, uint64_t b)
{
    uint64_t x = a, y = b;
    while (y > 0) {
        const uint64_t rest = x % y;
        x = y;
        y = rest;
    }
    return a / x * b;
}

static uint32_t copies_of(const pp_lm_ctx *x, uint32_t part, uint32_t k)
{
    return pp_lm_plan_of(x, part, pp_lm_plan_of(x, part, k)->host)->copies;
}

uint64_t pp_lm_phases(const pp_lm_ctx *x, uint32_t part, uint32_t previous, const pp_lm_link *link)
{
    const bool before = link->from == PP_LM_PREVIOUS;
    uint64_t n = before ? copies_of(x, previous, x->graph->part[previous].result) : copies_of(x, part, link->from);
    for (uint32_t j = 0; j < link->n_to && n <= PP_LM_PHASES_MAX; j++)
        n = common(n, copies_of(x, part, x->graph->link_to[link->first_to + j]));
    return n;
}

/* Whatever instance comes before. */
static bool phases_fit(const pp_lm_ctx *x)
{
    for (uint32_t part = 0; part < x->graph->n_parts; part++)
        for (uint32_t l = 0; l < x->graph->part[part].n_links; l++)
            for (uint32_t previous = 0; previous < x->graph->n_parts; previous++)
                if (pp_lm_phases(x, part, previous, &x->graph->link[x->graph->part[part].first_link + l]) > PP_LM_PHASES_MAX)
                    return false;
    return true;
}

/* ---- greedy on the maximum ---- */

double pp_lm_copy_ps(const pp_lm_copy *c)
{
    double merge = 0.0;
    for (uint32_t n = c->copies; n > 1 && c->merge_ps > 0.0; n = (n + 1) / 2)
        merge += c->merge_ps;
    const double own = c->token_ps / c->copies;
    return own > merge ? own : merge;
}

/* Units of attention double: halves of a tree, and rows that divide a run of the walk. */
static uint32_t next_copies(const pp_lm_copy *c)
{
    return c->merge_ps > 0.0 ? 2 * c->copies : c->copies + 1;
}

/* Whether the next step makes it quicker. */
static bool gains(const pp_lm_copy *c)
{
    pp_lm_copy more = *c;
    more.copies = next_copies(c);
    return more.copies <= PP_LM_COPIES_MAX && pp_lm_copy_ps(&more) < pp_lm_copy_ps(c);
}

/* Attention that merging keeps from getting quicker is what it is at that context; with fewer tokens before
 * it matrices may still be the slowest, and they go on. */
static bool is_out(const pp_lm_copy *c)
{
    return c->merge_ps > 0.0 && !gains(c);
}

static double slowest(const pp_lm_copy *c, uint32_t n)
{
    double most = 0.0;
    for (uint32_t i = 0; i < n; i++)
        most = !is_out(&c[i]) && pp_lm_copy_ps(&c[i]) > most ? pp_lm_copy_ps(&c[i]) : most;
    return most;
}

static bool is_next(const pp_lm_copy *c, double most)
{
    return !is_out(c) && pp_lm_copy_ps(c) >= most;
}

bool pp_lm_copy_slowest(pp_lm_copy *c, uint32_t n, uint64_t *cores, uint64_t budget)
{
    const double most = slowest(c, n) * (1.0 - 1e-9);
    uint64_t more = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!is_next(&c[i], most))
            continue;
        if (!gains(&c[i]))
            return false;
        more += (next_copies(&c[i]) - c[i].copies) * c[i].cores;
    }
    if (most <= 0.0 || *cores + more > budget)
        return false;
    for (uint32_t i = 0; i < n; i++)
        c[i].copies = is_next(&c[i], most) ? next_copies(&c[i]) : c[i].copies;
    *cores += more;
    return true;
}

static pp_channel channel_of(const pp_lm_ctx *x)
{
    const pp_fabric_options *f = x->in->fabric;
    return (pp_channel){.lanes = (uint32_t)f->lanes,
                        .lane_gbps = f->rate_gbps > 0.0 ? f->rate_gbps : (double)f->width_bits * f->clock_hz * 1e-9};
}

/* Time between tokens of one copy: its crossbars, and the partial sums of one column on a channel. The tokens of an
 * expert come by its share only. */
static double token_ps(const pp_lm_ctx *x, const pp_lm_op *op, const pp_lm_op_plan *p)
{
    const pp_channel channel = channel_of(x);
    const uint32_t outs = p->col_tiles > 1 ? x->slice : op->out;
    const uint64_t bits = (uint64_t)outs * x->psum_bits + (uint64_t)x->in->fabric->header_bits;
    const uint64_t sums = p->row_tiles > 1 ? pp_channel_serialise_ps(&channel, bits) : 0, mvm = pp_lm_op_mvm(x, op, p).interval_ps;
    const double share = pp_lm_graph_share(x->graph, op->expert);
    return share * (double)(sums > mvm ? sums : mvm);
}

static bool is_matrix(const pp_lm_ctx *x, uint32_t op)
{
    return x->graph->op[op].kind == PP_LM_OP_LINEAR;
}

/* Attention of a part: its time at the end of the longest sequence with one unit a head, and a step of merging on a channel or in
 * the digital unit. */
static pp_lm_copy attention_copy(const pp_lm_ctx *x, uint32_t part)
{
    const pp_lm_part *p = &x->graph->part[part];
    const pp_lm_attention a = pp_lm_attention_of(x, part, 1);
    const pp_channel channel = channel_of(x);
    const uint64_t bits = pp_lm_merge_bits(x->graph) + (uint64_t)x->in->fabric->header_bits;
    const uint64_t sent = pp_channel_serialise_ps(&channel, bits), added = pp_arch_digital_ps(x->in->arch, pp_lm_merge_ops(x->graph));
    const uint64_t usual = (uint64_t)x->in->lm.attention_context, context = x->in->longest > usual ? x->in->longest : usual;
    const uint64_t whole = pp_lm_attention_work(&a, context, 1).total_ps;
    return (pp_lm_copy){.op = p->first_op + p->attention, .copies = 1, .token_ps = (double)whole,
                        .merge_ps = (double)(sent > added ? sent : added), .cores = (uint64_t)a.units * p->instances};
}

static void set_copies(pp_lm_op_plan *p, uint32_t copies)
{
    p->copies = copies;
    p->tiles = p->row_tiles * p->col_tiles * copies;
}

static void set_split(pp_lm_op_plan *p, uint32_t split)
{
    p->row_tiles = split;
    p->tiles = split * p->col_tiles;
}

/* Matrices of all parts, and attention unless its split is given; list[] is the caller's, with as many places as
 * operators. */
static uint32_t list_candidates(pp_lm_copy *list, const pp_lm_ctx *x, bool split)
{
    uint32_t n = 0;
    for (uint32_t part = 0; part < x->graph->n_parts; part++) {
        if (split && x->graph->part[part].attention != PP_NONE)
            list[n++] = attention_copy(x, part);
        for (uint32_t k = 0; k < x->graph->part[part].n_ops; k++) {
            const uint32_t op = x->graph->part[part].first_op + k;
            if (is_matrix(x, op))
                list[n++] = (pp_lm_copy){.op = op, .copies = 1, .token_ps = token_ps(x, &x->graph->op[op], &x->plan[op]),
                                         .cores = (uint64_t)x->plan[op].tiles * x->graph->part[part].instances};
        }
    }
    return n;
}

static void take_over(const pp_lm_ctx *x, const pp_lm_copy *list, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (is_matrix(x, list[i].op))
            set_copies(&x->plan[list[i].op], list[i].copies);
        else
            set_split(&x->plan[list[i].op], list[i].copies);
    }
}

static pp_status spend(pp_lm_ctx *x, uint64_t budget, bool split)
{
    pp_lm_copy *list = pp_calloc(x->graph->n_ops, sizeof *list), *before = pp_calloc(x->graph->n_ops, sizeof *before);
    uint64_t cores = pp_lm_cores(x);
    if (!list || !before) {
        free(list);
        free(before);
        return PP_ENOMEM;
    }
    const uint32_t n = list_candidates(list, x, split);
    for (bool more = n > 0; more;) {
        memcpy(before, list, n * sizeof *list);
        more = pp_lm_copy_slowest(list, n, &cores, budget);
        take_over(x, list, n);
        if (!phases_fit(x)) {
            take_over(x, before, n);
            more = false;
        }
    }
    free(list);
    free(before);
    return PP_OK;
}

/* ---- by hand ---- */

static pp_status bad_copies(const char *text)
{
    return pp_fail(PP_EINVAL, "mapping.copies: expected auto, a number from 1 to %d, or operators with numbers (up_proj:3,down_proj:2), "
                   "got '%.60s'", PP_LM_COPIES_MAX, text);
}

static bool take_number(const char **at, uint32_t *out)
{
    char *end;
    const unsigned long n = **at >= '0' && **at <= '9' ? strtoul(*at, &end, 10) : 0;
    if (n < 1 || n > PP_LM_COPIES_MAX)
        return false;
    *at = end;
    *out = (uint32_t)n;
    return true;
}

static pp_status copy_matrix(pp_lm_ctx *x, uint32_t op, uint32_t copies)
{
    const pp_lm_op_plan *p = &x->plan[op];
    if ((uint64_t)p->row_tiles * p->col_tiles * copies > PP_HIER_MAX_CORES)
        return pp_fail(PP_ERANGE, "mapping.copies: %u copies of %s take more than %u cores", copies, x->graph->op[op].name,
                       PP_HIER_MAX_CORES);
    set_copies(&x->plan[op], copies);
    return PP_OK;
}

static pp_status copy_operator(pp_lm_ctx *x, const char *name, size_t length, uint32_t copies)
{
    bool found = false;
    for (uint32_t i = 0; i < x->graph->n_ops; i++) {
        const char *own = x->graph->op[i].name;
        if (!is_matrix(x, i) || strlen(own) != length || memcmp(own, name, length) != 0)
            continue;
        PP_TRY(copy_matrix(x, i, copies));
        found = true;
    }
    return found ? PP_OK : pp_fail(PP_EINVAL, "mapping.copies: %s has no matrix named '%.*s'", x->graph->config.name, (int)length, name);
}

static pp_status copy_listed(pp_lm_ctx *x, const char *text)
{
    for (const char *at = text;;) {
        const char *name = at;
        const size_t length = strcspn(at, ":,");
        uint32_t copies = 0;
        at += length;
        if (length == 0 || *at++ != ':' || !take_number(&at, &copies) || (*at != ',' && *at != 0))
            return bad_copies(text);
        PP_TRY(copy_operator(x, name, length, copies));
        if (*at++ == 0)
            return PP_OK;
    }
}

static pp_status copy_all(pp_lm_ctx *x, const char *text)
{
    const char *at = text;
    uint32_t copies = 0;
    if (!take_number(&at, &copies) || *at != 0)
        return bad_copies(text);
    for (uint32_t i = 0; i < x->graph->n_ops; i++)
        if (is_matrix(x, i))
            PP_TRY(copy_matrix(x, i, copies));
    return PP_OK;
}

static pp_status copy_by_hand(pp_lm_ctx *x, const char *text)
{
    PP_TRY(strchr(text, ':') != NULL ? copy_listed(x, text) : copy_all(x, text));
    if (phases_fit(x))
        return PP_OK;
    return pp_fail(PP_EINVAL, "mapping.copies: operators that send to each other are the same copies again after more than %d tokens "
                   "only: give them numbers with common factors", PP_LM_PHASES_MAX);
}

static pp_status split_by_hand(pp_lm_ctx *x, const char *text)
{
    const char *at = text;
    uint32_t split = 0;
    if (!take_number(&at, &split) || *at != 0)
        return pp_fail(PP_EINVAL, "mapping.attention_split: expected auto or a number from 1 to %d, got '%.60s'", PP_LM_COPIES_MAX, text);
    for (uint32_t part = 0; part < x->graph->n_parts; part++)
        if (x->graph->part[part].attention != PP_NONE)
            set_split(pp_lm_plan_of(x, part, x->graph->part[part].attention), split);
    return PP_OK;
}

pp_status pp_lm_plan_copies(pp_lm_ctx *x)
{
    const char *split = x->in->lm.attention_split;
    const bool given = split != NULL && strcmp(split, "auto") != 0;
    if (given)
        PP_TRY(split_by_hand(x, split));
    const uint64_t budget = (uint64_t)x->in->map->core_budget, one = pp_lm_cores(x);
    const char *copies = x->in->map->copies;
    const bool by_hand = copies != NULL && strcmp(copies, "auto") != 0;
    if (budget > 0 && budget < one)
        return pp_fail(PP_EINFEASIBLE, "mapping.core_budget: one copy of %s takes %" PRIu64 " cores, the budget is %" PRIu64,
                       x->graph->config.name, one, budget);
    if (!by_hand)
        return budget > 0 ? spend(x, budget, !given) : PP_OK;
    PP_TRY(copy_by_hand(x, copies));
    if (budget > 0 && pp_lm_cores(x) > budget)
        return pp_fail(PP_EINFEASIBLE, "mapping.core_budget: with mapping.copies=%.60s %s takes %" PRIu64 " cores, the budget is %" PRIu64,
                       copies, x->graph->config.name, pp_lm_cores(x), budget);
    return PP_OK;
}

/* The order of the fabrics under each normalisation: by the share of its rate that the busiest channel needs. */
#include "report/compare_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t pp_compare_next_main(const pp_comparison *c, uint32_t row)
{
    while (row < c->n_rows && !c->row[row].main)
        row++;
    return row;
}

bool pp_compare_same_network(const pp_compare_row *a, const pp_compare_row *b)
{
    return strcmp(a->network, b->network) == 0 && a->array_rows == b->array_rows && a->array_cols == b->array_cols;
}

typedef struct entry {
    const pp_compare_row *row;
    double share;
} entry;

/* Equal shares stand in the order of the list. */
static int lighter(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->share != y->share)
        return x->share < y->share ? -1 : 1;
    return x->row->pair < y->row->pair ? -1 : x->row->pair > y->row->pair;
}

/* Share of a channel's rate when normalisation n holds instead of the one that the row was made with. */
static double share_under(const pp_compare_row *row, pp_normalise made_with, pp_normalise n)
{
    const double rate = row->channel_gbps / row->factor[made_with] * row->factor[n];
    /* to seven digits, so that equal loads stay equal whatever they were scaled by */
    return rate > 0.0 ? (double)(float)(row->max_channel_required_gbps / rate) : 0.0;
}

static void write_order(pp_compare_order *o, const entry *e, uint32_t n)
{
    size_t used = 0;
    for (uint32_t i = 0; i < n && used < sizeof o->order - 1; i++) {
        const int kind = (int)strcspn(e[i].row->fabric, ":");
        const int k = snprintf(o->order + used, sizeof o->order - used, "%s%.*s %.3g",
                               i == 0                        ? ""
                               : e[i].share > e[i - 1].share ? " < "
                                                             : " = ",
                               kind, e[i].row->fabric, e[i].share);
        used += k > 0 ? (size_t)k : 0;
    }
}

static uint32_t collect(const pp_comparison *c, uint32_t first, entry *e)
{
    uint32_t n = 0;
    for (uint32_t r = first; r < c->n_rows; r = pp_compare_next_main(c, r + 1))
        if (pp_compare_same_network(&c->row[r], &c->row[first]))
            e[n++].row = &c->row[r];
    return n;
}

static bool seen_before(const pp_comparison *c, uint32_t row)
{
    for (uint32_t r = pp_compare_next_main(c, 0); r < row; r = pp_compare_next_main(c, r + 1))
        if (pp_compare_same_network(&c->row[r], &c->row[row]))
            return true;
    return false;
}

pp_status pp_comparison_rank(pp_comparison *c)
{
    pp_normalise made_with;
    PP_TRY(pp_normalise_parse(&made_with, c->normalise));
    entry *e = pp_calloc(c->n_rows, sizeof *e);
    free(c->order);
    c->order = pp_calloc((size_t)c->n_rows * PP_NORMALISE_COUNT, sizeof *c->order);
    c->n_orders = 0;
    if (e == NULL || c->order == NULL) {
        free(e);
        return PP_ENOMEM;
    }
    for (uint32_t r = pp_compare_next_main(c, 0); r < c->n_rows; r = pp_compare_next_main(c, r + 1)) {
        if (seen_before(c, r))
            continue;
        const uint32_t n = collect(c, r, e);
        for (pp_normalise k = 0; k < PP_NORMALISE_COUNT; k++) {
            pp_compare_order *o = &c->order[c->n_orders++];
            for (uint32_t i = 0; i < n; i++)
                e[i].share = share_under(e[i].row, made_with, k);
            qsort(e, n, sizeof *e, lighter);
            snprintf(o->network, sizeof o->network, "%s", c->row[r].network);
            snprintf(o->normalise, sizeof o->normalise, "%s", pp_normalise_name(k));
            o->array_rows = c->row[r].array_rows;
            o->array_cols = c->row[r].array_cols;
            write_order(o, e, n);
        }
    }
    free(e);
    return PP_OK;
}

/* Which channels must be kept apart as servers: many channels of a block carry the same edges, or less of them. */
#include "mapper/lm_internal.h"

#include <stdlib.h>
#include <string.h>

/* What one channel is asked for: demand[first .. first + n), edges ascending. */
typedef struct row {
    size_t first;
    uint32_t n;
    uint64_t sum;
} row;

static int compare_demands(const void *pa, const void *pb)
{
    const pp_lm_demand *a = pa, *b = pb;
    if (a->channel != b->channel)
        return a->channel < b->channel ? -1 : 1;
    if (a->edge != b->edge)
        return a->edge < b->edge ? -1 : 1;
    return a->busy_ps > b->busy_ps ? -1 : a->busy_ps < b->busy_ps;
}

typedef struct search {
    pp_lm_demand *demand;
    row *rows;
    size_t n;
} search;

/* qsort has no payload: rows are compared by index through this pointer, one search of a thread at a time. */
static _Thread_local const pp_lm_demand *sorted;

/* The same edges beside each other (fewer edges later), then by what they ask. */
static int compare_rows(const void *pa, const void *pb)
{
    const row *a = pa, *b = pb;
    if (a->n != b->n)
        return a->n > b->n ? -1 : 1;
    for (uint32_t i = 0; i < a->n; i++) {
        const pp_lm_demand *x = &sorted[a->first + i], *y = &sorted[b->first + i];
        if (x->edge != y->edge)
            return x->edge < y->edge ? -1 : 1;
    }
    for (uint32_t i = 0; i < a->n; i++) {
        const pp_lm_demand *x = &sorted[a->first + i], *y = &sorted[b->first + i];
        if (x->busy_ps != y->busy_ps)
            return x->busy_ps > y->busy_ps ? -1 : 1;
    }
    return a->first < b->first ? -1 : a->first > b->first;
}

/* Sorts the demands, keeps the largest of each (channel, edge), and finds the rows. */
static pp_status make_rows(search *s, size_t n)
{
    size_t kept = 0;
    qsort(s->demand, n, sizeof *s->demand, compare_demands);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || s->demand[i].channel != s->demand[kept - 1].channel || s->demand[i].edge != s->demand[kept - 1].edge)
            s->demand[kept++] = s->demand[i];
    PP_VEC(row) rows = {0};
    for (size_t i = 0; i < kept; i++) {
        if (i == 0 || s->demand[i].channel != s->demand[i - 1].channel) {
            if (!pp_push(&rows, (row){.first = i})) {
                free(rows.data);
                return PP_ENOMEM;
            }
        }
        row *r = &rows.data[rows.len - 1];
        r->n++;
        r->sum += s->demand[i].busy_ps;
    }
    s->rows = rows.data;
    s->n = rows.len;
    return PP_OK;
}

/* Every demand of `a` is met by one of `b` that is at least as large. */
static bool covered(const search *s, const row *a, const row *b)
{
    uint32_t j = 0;
    if (a->n > b->n || a->sum > b->sum)
        return false;
    for (uint32_t i = 0; i < a->n; i++) {
        const pp_lm_demand *x = &s->demand[a->first + i];
        while (j < b->n && s->demand[b->first + j].edge < x->edge)
            j++;
        if (j == b->n || s->demand[b->first + j].edge != x->edge || s->demand[b->first + j].busy_ps < x->busy_ps)
            return false;
    }
    return true;
}

static bool same_edges(const search *s, const row *a, const row *b)
{
    if (a->n != b->n)
        return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (s->demand[a->first + i].edge != s->demand[b->first + i].edge)
            return false;
    return true;
}

/* Rows that no earlier row covers stay. Rows are sorted so that a cover stands before what it covers, equal ones
 * aside. */
static void leave_out_covered(search *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->n; i++) {
        bool is = false;
        for (size_t j = kept; j-- > 0 && !is;)
            is = covered(s, &s->rows[i], &s->rows[j]);
        if (!is)
            s->rows[kept++] = s->rows[i];
    }
    s->n = kept;
}

/* Rows of the same edges stand beside each other: one with the largest of each demand. */
static void join_same_edges(search *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (kept == 0 || !same_edges(s, &s->rows[i], &s->rows[kept - 1])) {
            s->rows[kept++] = s->rows[i];
            continue;
        }
        row *to = &s->rows[kept - 1];
        to->sum = 0;
        for (uint32_t k = 0; k < to->n; k++) {
            pp_lm_demand *d = &s->demand[to->first + k];
            const uint64_t busy = s->demand[s->rows[i].first + k].busy_ps;
            d->busy_ps = busy > d->busy_ps ? busy : d->busy_ps;
            to->sum += d->busy_ps;
        }
    }
    s->n = kept;
}

/* Equal rows, which stand beside each other, count once. */
static void leave_out_equal(search *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->n; i++)
        if (kept == 0 || s->rows[i].sum != s->rows[kept - 1].sum || !covered(s, &s->rows[i], &s->rows[kept - 1]))
            s->rows[kept++] = s->rows[i];
    s->n = kept;
}

static pp_status give_out(pp_lm_server_use **out, uint32_t *n_out, const search *s)
{
    PP_VEC(pp_lm_server_use) uses = {0};
    for (size_t i = 0; i < s->n; i++)
        for (uint32_t k = 0; k < s->rows[i].n; k++) {
            const pp_lm_demand *d = &s->demand[s->rows[i].first + k];
            if (!pp_push(&uses, (pp_lm_server_use){.server = (uint32_t)i, .edge = d->edge, .busy_ps = d->busy_ps})) {
                free(uses.data);
                return PP_ENOMEM;
            }
        }
    *out = uses.data;
    *n_out = (uint32_t)uses.len;
    return PP_OK;
}

#define PAIRS_MAX 4096 /* rows that are compared pair by pair */

pp_status pp_lm_find_servers(pp_lm_server_use **out, uint32_t *n_out, uint32_t *n_servers, pp_lm_demand *demand, size_t n,
                             uint32_t most)
{
    search s = {.demand = demand};
    *out = NULL;
    *n_out = *n_servers = 0;
    PP_TRY(make_rows(&s, n));
    sorted = demand;
    qsort(s.rows, s.n, sizeof *s.rows, compare_rows);
    leave_out_equal(&s);
    if (s.n > PAIRS_MAX)
        join_same_edges(&s);
    leave_out_covered(&s);
    if (s.n > most) {
        join_same_edges(&s);
        leave_out_covered(&s);
    }
    const pp_status status = give_out(out, n_out, &s);
    *n_servers = (uint32_t)s.n;
    free(s.rows);
    return status;
}

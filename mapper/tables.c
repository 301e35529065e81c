/* Stream tables, computed once for each (stage, input, patches) that somebody asks for. */
#include "mapper/mapper_internal.h"

#include <stdlib.h>

#define EMISSION UINT32_MAX

typedef struct pp_table_entry {
    struct pp_table_entry *next;
    uint32_t k; /* input, or EMISSION */
    pp_patch fire, in;
    uint32_t *a, *b; /* last and first; or emitted and NULL */
} pp_table_entry;

struct pp_tables {
    const pp_qnetwork *q;
    pp_arena *arena;
    pp_table_entry **of_stage;
};

void pp_tables_free(pp_tables *tables)
{
    if (!tables)
        return;
    pp_arena_free(tables->arena);
    free(tables);
}

pp_status pp_tables_new(pp_tables **out, const pp_qnetwork *q)
{
    *out = NULL;
    pp_tables *t = pp_calloc(1, sizeof *t);
    pp_status status = t ? pp_arena_new(&t->arena) : PP_ENOMEM;
    if (status == PP_OK) {
        t->q = q;
        t->of_stage = pp_arena_get(t->arena, q->stages->n, sizeof *t->of_stage);
        status = t->of_stage ? PP_OK : PP_ENOMEM;
    }
    if (status != PP_OK) {
        pp_tables_free(t);
        return status;
    }
    *out = t;
    return PP_OK;
}

static bool same(pp_patch a, pp_patch b)
{
    return a.y == b.y && a.x == b.x;
}

/* The entry, new ones with arrays that `*fresh` asks the caller to fill. */
static pp_status entry_of(pp_table_entry **out, bool *fresh, pp_tables *t, uint32_t stage, uint32_t k, pp_patch fire,
                          pp_patch in)
{
    *fresh = false;
    for (pp_table_entry *e = t->of_stage[stage]; e; e = e->next)
        if (e->k == k && same(e->fire, fire) && same(e->in, in)) {
            *out = e;
            return PP_OK;
        }
    uint32_t n = pp_positions(t->q->stages->stage[stage].fire, fire);
    pp_table_entry *e = pp_arena_get(t->arena, 1, sizeof *e);
    uint32_t *values = pp_arena_get(t->arena, 2 * (size_t)n, sizeof *values);
    if (!e || !values)
        return PP_ENOMEM;
    *e = (pp_table_entry){t->of_stage[stage], k, fire, in, values, values + n};
    t->of_stage[stage] = *out = e;
    *fresh = true;
    return PP_OK;
}

pp_status pp_tables_get(pp_tables *tables, uint32_t stage, uint32_t k, pp_patch fire, pp_patch in,
                        const uint32_t **last, const uint32_t **first)
{
    pp_table_entry *e;
    bool fresh;
    PP_TRY(entry_of(&e, &fresh, tables, stage, k, fire, in));
    if (fresh)
        pp_stage_tables(tables->q->net, tables->q->stages, stage, k, fire, in, e->a, e->b);
    *last = e->a;
    *first = e->b;
    return PP_OK;
}

pp_status pp_tables_emission(pp_tables *tables, uint32_t stage, pp_patch fire, const uint32_t **emitted)
{
    pp_table_entry *e;
    bool fresh;
    PP_TRY(entry_of(&e, &fresh, tables, stage, EMISSION, fire, fire));
    if (fresh)
        pp_stage_emission(tables->q->net, tables->q->stages, stage, fire, e->a);
    *emitted = e->a;
    return PP_OK;
}

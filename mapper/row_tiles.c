/* Row tiles as the integer reference wants them. */
#include "mapper/mapper_internal.h"

#include <stdlib.h>

/* One block: the outer arrays, then all bounds. */
typedef struct pp_row_block {
    const uint32_t **lo;
    uint32_t (*patch)[2], *n, *bound;
} pp_row_block;

static void fill_stage(pp_row_block *b, const pp_mapping *m, uint32_t stage, uint32_t *next)
{
    const pp_plan *plan = &m->plan[stage];
    const pp_tile *tile = &m->tile[plan->first_tile];
    b->n[stage] = plan->row_tiles;
    b->patch[stage][0] = plan->patch.y;
    b->patch[stage][1] = plan->patch.x;
    b->lo[stage] = &b->bound[*next];
    /* Column 0 of a grouped stage starts at channel 0, so these count inside a group. */
    for (uint32_t row = 0; row < plan->row_tiles; row++)
        b->bound[(*next)++] = tile[row].in_lo;
    b->bound[(*next)++] = tile[plan->row_tiles - 1].in_hi;
}

pp_status pp_mapping_row_tiles(pp_row_tiles *out, void **owner, const pp_mapping *m, const pp_qnetwork *q)
{
    size_t bounds = 0;
    uint32_t next = 0;
    pp_row_block b;
    *owner = NULL;
    for (uint32_t s = 0; s < m->n_stages; s++)
        bounds += m->plan[s].row_tiles + 1u;
    void *block = pp_alloc(m->n_stages * (sizeof *b.lo + sizeof *b.patch) + (m->n_stages + bounds) * sizeof *b.n, 1);
    if (!block)
        return PP_ENOMEM;
    b.lo = block;
    b.patch = (uint32_t (*)[2])(b.lo + m->n_stages);
    b.n = (uint32_t *)(b.patch + m->n_stages);
    b.bound = b.n + m->n_stages;
    for (uint32_t s = 0; s < m->n_stages; s++) {
        uint32_t *bound = &b.bound[next];
        fill_stage(&b, m, s, &next);
        const pp_stage *stage = &q->stages->stage[s];
        /* Whole groups in one tile: inside a group that is one tile with all its channels. */
        if (stage->matrix != PP_NONE && m->plan[s].row_tiles == 1)
            bound[1] =
                stage->in.c / (q->net->ops[stage->matrix].kind == PP_OP_CONV ? q->net->ops[stage->matrix].groups : 1);
    }
    *out = (pp_row_tiles){.n = b.n, .lo = b.lo, .patch = (const uint32_t (*)[2])b.patch};
    *owner = block;
    return PP_OK;
}

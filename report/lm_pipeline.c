/* Some tokens in the operators of one block: what the pipeline's picture shows. */
#include "report/lm_report_internal.h"

#include <stdlib.h>

typedef struct cell {
    uint64_t ready_ps, start_ps, end_ps;
    bool seen;
} cell;

struct pp_lm_pipeline {
    const pp_lm_mapping *m;
    const pp_lm_actors *actors;
    uint32_t instance;
    uint64_t first;
    uint32_t sequence[PP_LM_PIPELINE_TOKENS], position[PP_LM_PIPELINE_TOKENS];
    uint32_t n_stages;
    cell *cell; /* [PP_LM_PIPELINE_TOKENS][n_stages] */
};

static const pp_lm_template *watched(const pp_lm_pipeline *p)
{
    return &p->m->template_[p->m->instance[p->instance].template_];
}

pp_status pp_lm_pipeline_new(pp_lm_pipeline **out, const pp_lm_mapping *m, const pp_lm_actors *actors, uint64_t first)
{
    pp_lm_pipeline *p = *out = pp_calloc(1, sizeof *p);
    if (p == NULL)
        return PP_ENOMEM;
    p->m = m;
    p->actors = actors;
    p->first = first;
    p->instance = m->n_instances / 2;
    p->n_stages = watched(p)->n_stages;
    p->cell = pp_calloc((size_t)PP_LM_PIPELINE_TOKENS * p->n_stages, sizeof *p->cell);
    if (p->cell != NULL)
        return PP_OK;
    free(p);
    *out = NULL;
    return PP_ENOMEM;
}

void pp_lm_pipeline_take(void *pipeline, const pp_token_busy *b)
{
    pp_lm_pipeline *p = pipeline;
    const uint64_t k = b->token - p->first;
    if (k >= PP_LM_PIPELINE_TOKENS || b->actor == PP_NONE)
        return;
    const pp_lm_actor *a = &p->actors->actor[b->actor];
    if (a->stage == PP_NONE || a->instance != p->instance)
        return;
    cell *c = &p->cell[k * p->n_stages + a->stage - watched(p)->first_stage];
    c->ready_ps = !c->seen || b->ready_ps < c->ready_ps ? b->ready_ps : c->ready_ps;
    c->start_ps = !c->seen || b->start_ps < c->start_ps ? b->start_ps : c->start_ps;
    c->end_ps = b->end_ps > c->end_ps ? b->end_ps : c->end_ps;
    c->seen = true;
    p->sequence[k] = b->sequence;
    p->position[k] = b->position;
}

static void put_row(pp_lm_pipeline_row *row, const pp_lm_pipeline *p, uint32_t token, uint32_t stage)
{
    const pp_lm_template *t = watched(p);
    const pp_lm_instance *d = &p->m->instance[p->instance];
    const cell *c = &p->cell[(size_t)token * p->n_stages + stage];
    *row = (pp_lm_pipeline_row){.token = (uint32_t)(p->first + token), .sequence = p->sequence[token], .position = p->position[token],
                                .ready_ps = c->ready_ps, .start_ps = c->start_ps, .end_ps = c->end_ps};
    if (d->layer != PP_NONE)
        snprintf(row->part, sizeof row->part, "block %u", d->layer);
    else
        PP_PUT(row->part, pp_lm_part_name(p->m, t->part));
    PP_PUT(row->name, p->m->stage[t->first_stage + stage].name);
}

pp_status pp_lm_pipeline_rows(pp_lm_pipeline_row **out, size_t *n, const pp_lm_pipeline *p)
{
    *n = 0;
    *out = pp_calloc((size_t)PP_LM_PIPELINE_TOKENS * p->n_stages, sizeof **out);
    if (*out == NULL)
        return PP_ENOMEM;
    for (uint32_t k = 0; k < PP_LM_PIPELINE_TOKENS; k++)
        for (uint32_t s = 0; s < p->n_stages; s++)
            if (p->cell[(size_t)k * p->n_stages + s].seen)
                put_row(&(*out)[(*n)++], p, k, s);
    return PP_OK;
}

void pp_lm_pipeline_free(pp_lm_pipeline *p)
{
    if (p == NULL)
        return;
    free(p->cell);
    free(p);
}

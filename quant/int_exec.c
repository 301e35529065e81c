/* Integer executor of the whole network: one image a worker, streams in slots that are used again when
 * their last reader is done. */
#include "quant/quant_internal.h"

#include <stdlib.h>

typedef struct worker {
    uint8_t **slot;          /* [n_slots] */
    const uint8_t **inputs;  /* [most inputs of a stage] */
    int32_t *acc;
    void *scratch;
    float *image;
    int16_t *codes;
    double *logits;
} worker;

struct pp_int_exec {
    const pp_qnetwork *q;
    pp_qconv **convs;
    uint32_t *slot_of;       /* [streams] */
    size_t *slot_size;       /* [n_slots] */
    uint32_t n_slots, most_inputs;
    size_t scratch, sums;
    worker *workers;
    unsigned n_workers;
};

static uint32_t last_reader(const pp_stages *stages, uint32_t stream)
{
    uint32_t last = 0;
    for (uint32_t s = 0; s < stages->n; s++)
        for (uint32_t k = 0; k < stages->stage[s].n_inputs; k++)
            if (stages->stage[s].inputs[k].stream == stream)
                last = s;
    return last;
}

/* Stream t (made by stage t - 1) may take slot i when every stream there was read for the last time before
 * stage t - 1. free_from[i]: first stage that may write the slot. */
static pp_status assign_slots(pp_int_exec *e)
{
    const pp_stages *stages = e->q->stages;
    uint32_t *free_from = pp_calloc((size_t)stages->n + 1, sizeof *free_from);
    e->slot_of = pp_calloc((size_t)stages->n + 1, sizeof *e->slot_of);
    e->slot_size = pp_calloc((size_t)stages->n + 1, sizeof *e->slot_size);
    if (!free_from || !e->slot_of || !e->slot_size) {
        free(free_from);
        return PP_ENOMEM;
    }
    for (uint32_t t = 0; t <= stages->n; t++) {
        size_t size = pp_shape_count(pp_stream_shape(e->q->net, stages, t));
        uint32_t i = 0, writer = t == 0 ? 0 : t - 1;
        while (i < e->n_slots && (t == 0 || free_from[i] > writer))
            i++;
        e->n_slots += i == e->n_slots;
        e->slot_of[t] = i;
        e->slot_size[i] = size > e->slot_size[i] ? size : e->slot_size[i];
        uint32_t last = last_reader(stages, t);
        free_from[i] = (last > writer ? last : writer) + 1;
    }
    free(free_from);
    return PP_OK;
}

pp_status pp_int_exec_new(pp_int_exec **out, const pp_qnetwork *q)
{
    *out = NULL;
    if (!q->has_values)
        return pp_fail(PP_EINVAL, "network '%s' was quantized without values", q->net->name);
    pp_int_exec *e = pp_calloc(1, sizeof *e);
    if (!e)
        return PP_ENOMEM;
    e->q = q;
    pp_status status;
    PP_GOTO(done, status, pp_qengine_convs(q, &e->convs));
    PP_GOTO(done, status, assign_slots(e));
    e->scratch = pp_qengine_scratch(q, e->convs);
    e->sums = pp_qengine_sums(q);
    for (uint32_t s = 0; s < q->stages->n; s++)
        if (q->stages->stage[s].n_inputs > e->most_inputs)
            e->most_inputs = q->stages->stage[s].n_inputs;
    *out = e;
    e = NULL;
done:
    pp_int_exec_free(e);
    return status;
}

static void free_worker(const pp_int_exec *e, worker *w)
{
    for (uint32_t i = 0; w->slot && i < e->n_slots; i++)
        free(w->slot[i]);
    free(w->slot);
    free(w->inputs);
    free(w->acc);
    free(w->scratch);
    free(w->image);
    free(w->codes);
    free(w->logits);
}

void pp_int_exec_free(pp_int_exec *e)
{
    if (!e)
        return;
    for (unsigned i = 0; i < e->n_workers; i++)
        free_worker(e, &e->workers[i]);
    free(e->workers);
    pp_qengine_convs_free(e->q, e->convs);
    free(e->slot_of);
    free(e->slot_size);
    free(e);
}

static pp_status make_worker(const pp_int_exec *e, worker *w)
{
    const pp_qnetwork *q = e->q;
    size_t input = pp_shape_count(q->net->ops[0].out);
    *w = (worker){.slot = pp_calloc(e->n_slots, sizeof *w->slot), .inputs = pp_calloc(e->most_inputs, sizeof *w->inputs),
                  .acc = pp_alloc_aligned(e->sums, sizeof *w->acc), .scratch = pp_alloc_aligned(e->scratch, 1),
                  .image = pp_alloc(input, sizeof *w->image), .codes = pp_alloc(input, sizeof *w->codes),
                  .logits = pp_alloc(pp_shape_count(q->stages->stage[q->stages->output].out), sizeof *w->logits)};
    bool good = w->slot && w->inputs && w->acc && w->scratch && w->image && w->codes && w->logits;
    for (uint32_t i = 0; good && i < e->n_slots; i++)
        good = (w->slot[i] = pp_alloc_aligned(e->slot_size[i], 1)) != NULL;
    return good ? PP_OK : PP_ENOMEM;
}

/* Workers stay for later runs. */
static pp_status need_workers(pp_int_exec *e, unsigned n)
{
    if (n <= e->n_workers)
        return PP_OK;
    worker *grown = pp_realloc(e->workers, n, sizeof *grown);
    if (!grown)
        return PP_ENOMEM;
    e->workers = grown;
    while (e->n_workers < n)
        PP_TRY(make_worker(e, &e->workers[e->n_workers++]));
    return PP_OK;
}

typedef struct job {
    const pp_int_exec *exec;
    const pp_dataset *data;
    uint32_t first;
    size_t classes;
    float *logits;
} job;

static pp_status run_image(void *payload, size_t index, unsigned id)
{
    const job *j = payload;
    const pp_int_exec *e = j->exec;
    const pp_qnetwork *q = e->q;
    worker *w = &e->workers[id];
    pp_qengine_input(q, j->data, j->first + (uint32_t)index, w->slot[e->slot_of[0]], w->image, w->codes);
    for (uint32_t s = 0; s < q->stages->n; s++) {
        const pp_stage *st = &q->stages->stage[s];
        for (uint32_t k = 0; k < st->n_inputs; k++)
            w->inputs[k] = w->slot[e->slot_of[st->inputs[k].stream]];
        pp_qengine_stage(q, s, e->convs[s], w->inputs, w->acc, w->slot[e->slot_of[s + 1]], w->logits, w->scratch);
    }
    for (size_t c = 0; c < j->classes; c++)
        j->logits[index * j->classes + c] = (float)w->logits[c];
    return PP_OK;
}

pp_status pp_int_exec_run(pp_int_exec *e, pp_pool *pool, const pp_dataset *data, uint32_t first, uint32_t n,
                          float *logits)
{
    PP_TRY(pp_dataset_feeds(data, e->q->net));
    if (first > data->n || n > data->n - first)
        return pp_fail(PP_ERANGE, "images %u to %u of %u", first, first + n, data->n);
    PP_TRY(need_workers(e, pp_pool_threads(pool)));
    job j = {.exec = e, .data = data, .first = first, .logits = logits,
             .classes = pp_shape_count(e->q->stages->stage[e->q->stages->output].out)};
    return pp_pool_run(pool, n, run_image, &j);
}

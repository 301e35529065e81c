/* A language model's report as HDF5, and back. */
#include "report/lm_fabric_internal.h"
#include "report/lm_report_internal.h"
#include "report/read_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define OP(field, kind, units, text) PP_H5_COLUMN(pp_lm_operator_row, field, kind, units, text)
static const pp_h5_column operator_columns[] = {
    OP(part, PP_H5_TEXT, "", "embedding, block or end"),
    PP_H5_TEXT_COLUMN(pp_lm_operator_row, name, 40, "operator"),
    OP(kind, PP_H5_TEXT, "", "linear (on crossbars), attention, or digital"),
    OP(instances, PP_H5_U32, "", "instances of the part"),
    OP(row_tiles, PP_H5_U32, "", "crossbars that a column of the matrix is cut into"),
    OP(col_tiles, PP_H5_U32, "", "crossbars that a row of the matrix is cut into"),
    OP(copies, PP_H5_U32, "", "copies that take tokens in turn"),
    OP(tiles, PP_H5_U64, "", "crossbars of all instances"),
    OP(cores, PP_H5_U32, "", "cores of its own, all instances"),
    OP(interval_ps, PP_H5_U64, "ps", "its server is taken for a token; attention: at the longest context of the run"),
    OP(latency_ps, PP_H5_U64, "ps", "start to result"),
    OP(bound_interval_ps, PP_H5_U64, "ps", "least time between tokens, its channels included"),
    OP(binding, PP_H5_TEXT, "", "resource that sets it: mvm, adc, channel, port, digital, attention or kv_bandwidth"),
    OP(utilisation_mean, PP_H5_F64, "", "busy share of its server over the run, mean over instances and copies"),
    OP(utilisation_max, PP_H5_F64, "", "the busiest instance"),
    OP(wait_ns, PP_H5_F64, "ns", "a token: ready and the server not free"),
    OP(served, PP_H5_U64, "", "firings of all instances"),
    OP(energy_pj, PP_H5_F64, "pJ", "a token of the run, all instances"),
};
#define LEVEL(field, kind, units, text) PP_H5_COLUMN(pp_lm_level_row, field, kind, units, text)
static const pp_h5_column level_columns[] = {
    PP_H5_TEXT_COLUMN(pp_lm_level_row, name, 24, "level, from the innermost on"),
    PP_H5_TEXT_COLUMN(pp_lm_level_row, fabric, 96, "fabric inside one group"),
    LEVEL(groups_used, PP_H5_U32, "", "groups with a used core"),
    LEVEL(size, PP_H5_U32, "", "members of a group"),
    LEVEL(gateways, PP_H5_U32, "", "ways up of a group"),
    LEVEL(channels_used, PP_H5_U32, "", "channels that carry something"),
    LEVEL(channel_gbps, PP_H5_F64, "Gbit/s", "rate of a channel"),
    LEVEL(max_bits, PP_H5_F64, "bit", "a token on the most loaded channel, headers included"),
    LEVEL(mean_bits, PP_H5_F64, "bit", "mean over the channels used"),
    LEVEL(up_bits, PP_H5_F64, "bit", "a token that leaves groups of this level, all together"),
    LEVEL(max_ps, PP_H5_F64, "ps", "time of a token on the most loaded channel"),
    LEVEL(utilisation, PP_H5_F64, "", "busy share of that channel at the run's throughput"),
};
#define SEQ(field, kind, units, text) PP_H5_COLUMN(pp_lm_sequence_row, field, kind, units, text)
static const pp_h5_column sequence_columns[] = {
    SEQ(sequence, PP_H5_U32, "", "in the order of arrival"),
    SEQ(prompt_tokens, PP_H5_U32, "token", "prompt"),
    SEQ(decode_tokens, PP_H5_U32, "token", "decoded"),
    SEQ(arrival_s, PP_H5_F64, "s", "arrives"),
    SEQ(enter_s, PP_H5_F64, "s", "its first token enters"),
    SEQ(first_token_s, PP_H5_F64, "s", "its first sampled token is there"),
    SEQ(done_s, PP_H5_F64, "s", "its last token has left"),
    SEQ(time_to_first_token_s, PP_H5_F64, "s", "first sampled token after its arrival"),
    SEQ(time_per_output_token_s, PP_H5_F64, "s", "between sampled tokens, mean; 0: fewer than two"),
};
#define SLICE(field, kind, units, text) PP_H5_COLUMN(pp_lm_progress_row, field, kind, units, text)
static const pp_h5_column progress_columns[] = {
    SLICE(time_s, PP_H5_F64, "s", "end of the slice of time"),
    SLICE(prefill_tokens, PP_H5_U64, "token", "prompt tokens that left in it"),
    SLICE(decode_tokens, PP_H5_U64, "token", "decoded tokens that left in it"),
    SLICE(in_flight, PP_H5_U32, "token", "in the pipeline when its last token left"),
    SLICE(kv_bytes, PP_H5_U64, "B", "keys and values at that moment"),
    SLICE(tokens_s, PP_H5_F64, "1/s", "tokens a second"),
};
#define CONTEXT(field, kind, units, text) PP_H5_COLUMN(pp_lm_context_row, field, kind, units, text)
static const pp_h5_column context_columns[] = {
    CONTEXT(context, PP_H5_U32, "token", "tokens that a token attends to"),
    CONTEXT(interval_ps, PP_H5_U64, "ps", "bound: time between tokens of that context"),
    CONTEXT(latency_ps, PP_H5_U64, "ps", "bound: decode time per token of one sequence, way back included"),
    CONTEXT(attention_ps, PP_H5_U64, "ps", "slowest attention unit"),
    PP_H5_TEXT_COLUMN(pp_lm_context_row, bound_by, 96, "what sets the interval"),
    CONTEXT(fill_sequences, PP_H5_U64, "", "decoding sequences that fill the pipeline"),
    CONTEXT(fit_sequences, PP_H5_U64, "", "sequences of that context that the KV memory holds; 0: no limit"),
    CONTEXT(kv_bytes_sequence, PP_H5_U64, "B", "keys and values of one sequence"),
};
#define PIPE(field, kind, units, text) PP_H5_COLUMN(pp_lm_pipeline_row, field, kind, units, text)
static const pp_h5_column pipeline_columns[] = {
    PIPE(token, PP_H5_U32, "", "in the order of entry"),
    PIPE(sequence, PP_H5_U32, "", "its sequence"),
    PIPE(position, PP_H5_U32, "", "its place in the sequence"),
    PIPE(part, PP_H5_TEXT, "", "block that is watched"),
    PIPE(name, PP_H5_TEXT, "", "operator"),
    PIPE(ready_ps, PP_H5_U64, "ps", "its inputs are there"),
    PIPE(start_ps, PP_H5_U64, "ps", "the operator takes it"),
    PIPE(end_ps, PP_H5_U64, "ps", "the operator is free again"),
};
#define COUNT(a) (sizeof(a) / sizeof *(a))

static pp_status write_tables(hid_t file, const pp_lm_tables *t)
{
    PP_TRY(pp_h5_table(file, "/timing/operators", "operators of each part: use, waiting, binding resource", operator_columns,
                       COUNT(operator_columns), t->operators, sizeof *t->operators, t->n_operators));
    PP_TRY(pp_h5_table(file, "/bandwidth/levels", "channels of each level of the fabric", level_columns, COUNT(level_columns),
                       t->level, sizeof *t->level, t->n_levels));
    PP_TRY(pp_h5_table(file, "/timing/sequences", "when each sequence got its tokens", sequence_columns, COUNT(sequence_columns),
                       t->sequence, sizeof *t->sequence, t->n_sequences));
    PP_TRY(pp_h5_table(file, "/timing/progress", "the run in slices of equal time", progress_columns, COUNT(progress_columns),
                       t->progress, sizeof *t->progress, t->n_progress));
    PP_TRY(pp_h5_table(file, "/timing/contexts", "bounds by context", context_columns, COUNT(context_columns), t->context,
                       sizeof *t->context, t->n_contexts));
    if (t->n_pipeline == 0)
        return PP_OK;
    return pp_h5_table(file, "/timing/pipeline", "some tokens in the operators of one block", pipeline_columns,
                       COUNT(pipeline_columns), t->pipeline, sizeof *t->pipeline, t->n_pipeline);
}

typedef struct seed_row {
    uint64_t seed;
} seed_row;
static const pp_h5_column seed_column = PP_H5_COLUMN(seed_row, seed, PP_H5_U64, "", "seed of everything random");

static pp_status write_run(hid_t file, const pp_lm_run *run)
{
    const seed_row seed = {run->seed};
    const pp_report_input in = {.config = run->config};
    char *text = NULL;
    PP_TRY(pp_h5_text(file, "/run/command", run->command, "command that makes this report again"));
    PP_TRY(pp_h5_scalar(file, "/run/seed", &seed_column, &seed));
    PP_TRY(pp_write_config_table(file, &in));
    PP_TRY(pp_arch_dump(&text, run->arch));
    const pp_status status = pp_h5_text(file, "/arch/description", text, "every field of the hardware description");
    free(text);
    return status;
}

typedef struct block_row {
    uint32_t drawn_block;
} block_row;
static const pp_h5_column block_column = PP_H5_COLUMN(block_row, drawn_block, PP_H5_U32, "", "block that the tables block_... show");

/* Block 1: the first one is fed by the embedding, which others are not. */
static pp_status write_drawings(hid_t file, const pp_lm_run *run, const pp_lm_summary *s)
{
    const block_row block = {run->mapping->graph->config.layers > 1 ? 1 : 0};
    pp_arena *arena = NULL;
    pp_lm_drawn d = {0};
    PP_TRY(pp_arena_new(&arena));
    pp_status status = pp_h5_scalar(file, "/mapping/drawn_block", &block_column, &block);
    if (status == PP_OK)
        status = pp_lm_draw_block(&d, run->mapping, block.drawn_block, s->throughput_tokens_s, arena);
    if (status == PP_OK)
        status = pp_lm_drawn_write(file, &d, "block", "one block on its cores");
    pp_lm_drawn_free(&d);
    if (status == PP_OK)
        status = pp_lm_draw_levels(&d, run->mapping, s->throughput_tokens_s, arena);
    if (status == PP_OK)
        status = pp_lm_drawn_write(file, &d, "level", "groups of all levels");
    pp_lm_drawn_free(&d);
    pp_arena_free(arena);
    return status;
}

typedef struct content {
    const pp_lm_run *run;
    const pp_lm_summary *s;
    const pp_lm_tables *t;
} content;

static pp_status write_all(hid_t file, const void *what)
{
    const content *all = what;
    const pp_lm_run *run = all->run;
    const pp_lm_summary *s = all->s;
    const pp_lm_tables *t = all->t;
    PP_TRY(pp_h5_text_attribute(file, "schema", PP_REPORT_SCHEMA));
    PP_TRY(pp_write_groups(file));
    PP_TRY(write_run(file, run));
    for (size_t i = 0; i < pp_lm_n_fields; i++) {
        char path[96];
        snprintf(path, sizeof path, "%s/%s", pp_lm_fields[i].group, pp_lm_fields[i].column.name);
        PP_TRY(pp_h5_scalar(file, path, &pp_lm_fields[i].column, s));
    }
    PP_TRY(write_tables(file, t));
    return write_drawings(file, run, s);
}

pp_status pp_lm_report_write(const char *path, const pp_lm_run *run, const pp_lm_summary *s, const pp_lm_tables *t, bool force)
{
    const content all = {run, s, t};
    return pp_h5_write(path, force, write_all, &all);
}

pp_status pp_lm_tables_read(pp_lm_tables *out, const pp_report *r)
{
    void *rows[5] = {0};
    size_t n[5] = {0};
    const struct {
        const char *path;
        const pp_h5_column *columns;
        size_t n_columns, stride;
    } table[5] = {
        {"/timing/operators", operator_columns, COUNT(operator_columns), sizeof *out->operators},
        {"/bandwidth/levels", level_columns, COUNT(level_columns), sizeof *out->level},
        {"/timing/sequences", sequence_columns, COUNT(sequence_columns), sizeof *out->sequence},
        {"/timing/progress", progress_columns, COUNT(progress_columns), sizeof *out->progress},
        {"/timing/contexts", context_columns, COUNT(context_columns), sizeof *out->context},
    };
    *out = (pp_lm_tables){0};
    for (int i = 0; i < 5; i++) {
        if (pp_h5_read_table(r->file, table[i].path, table[i].columns, table[i].n_columns, table[i].stride, &rows[i], &n[i]))
            continue;
        for (int k = 0; k < i; k++)
            free(rows[k]);
        return pp_fail(PP_EFORMAT, "%s: %s is missing or damaged", r->path, table[i].path);
    }
    *out = (pp_lm_tables){.operators = rows[0], .level = rows[1], .sequence = rows[2], .progress = rows[3], .context = rows[4],
                          .n_operators = n[0], .n_levels = n[1], .n_sequences = n[2], .n_progress = n[3], .n_contexts = n[4]};
    return PP_OK;
}

/* Matrices of a language model as the stages of a network that the analog engine takes: each a 1 x 1 convolution over
 * PP_LMQ_BLOCK positions that reads a stream of its own. Nothing connects them; the executor does. */
#include "sim/lm_crossbar_internal.h"

#include <stdlib.h>
#include <string.h>

static pp_window one_by_one(void)
{
    return (pp_window){.kh = 1, .kw = 1, .sh = 1, .sw = 1, .dh = 1, .dw = 1};
}

static void set_op(pp_lm_bank *b, uint32_t i, const pp_lmq_matrix *m)
{
    const pp_shape in = {1, PP_LMQ_BLOCK, m->in}, out = {1, PP_LMQ_BLOCK, m->out};
    static const uint32_t input = 0;
    b->op[1 + i] = (pp_op){.name = m->name, .kind = PP_OP_CONV, .n_inputs = 1, .inputs = &input, .in = in, .out = out,
                           .window = one_by_one(), .groups = 1};
    b->op[1 + i].weight = (pp_tensor){.dtype = PP_DTYPE_F32, .ndim = 4, .dim = {m->out, m->in, 1, 1}, .data = m->weight};
    b->input[i] = (pp_stage_input){i + 1, PP_ROLE_MATRIX};
    b->stage[i] = (pp_stage){.name = m->name, .matrix = 1 + i, .first_op = 1 + i, .add = PP_NONE, .scale = PP_NONE, .offset = PP_NONE, .softmax = PP_NONE,
                             .pool = PP_NONE, .act = PP_ACT_NONE, .result = 1 + i, .n_inputs = 1, .inputs = &b->input[i],
                             .in = in, .fire = out, .out = out};
}

/* Stream i + 1 carries what matrix i reads. */
static void set_formats(pp_lm_bank *b, uint32_t i, const pp_lmq_matrix *m)
{
    const int32_t top = (1 << (m->abits - 1)) - 1;
    b->stream[i + 1] = (pp_qformat){.bits = m->abits, .is_signed = true, .qmin = -top - 1, .qmax = top, .scale = 1};
    b->qstage[i] = (pp_qstage){.wbits = m->wbits, .cout = m->out, .krows = m->in, .code = m->code, .w_scale = m->scale,
                               .unit = m->unit, .psum_shift = m->psum_shift, .bias = b->zeros};
}

pp_status pp_lm_bank_new_(pp_lm_bank *b, const pp_lmq_integer *integer)
{
    const uint32_t n = (uint32_t)pp_lmq_integer_n(integer);
    uint32_t widest = 1;
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t out = pp_lmq_integer_matrix(integer, i)->out;
        widest = out > widest ? out : widest;
    }
    *b = (pp_lm_bank){.n = n};
    b->op = pp_calloc(n + 1, sizeof *b->op);
    b->stage = pp_calloc(n, sizeof *b->stage);
    b->input = pp_calloc(n, sizeof *b->input);
    b->stream = pp_calloc(n + 1, sizeof *b->stream);
    b->qstage = pp_calloc(n, sizeof *b->qstage);
    b->zeros = pp_calloc(widest, sizeof *b->zeros);
    if (!b->op || !b->stage || !b->input || !b->stream || !b->qstage || !b->zeros)
        return PP_ENOMEM;
    b->op[0] = (pp_op){.name = "input", .kind = PP_OP_INPUT, .out = {1, PP_LMQ_BLOCK, 1}, .groups = 1};
    for (uint32_t i = 0; i < n; i++) {
        set_op(b, i, pp_lmq_integer_matrix(integer, i));
        set_formats(b, i, pp_lmq_integer_matrix(integer, i));
    }
    b->stream[0] = b->stream[1];
    b->net = (pp_network){.name = "language model", .n_ops = n + 1, .ops = b->op, .output = n, .has_weights = true};
    b->stages = (pp_stages){.n = n, .stage = b->stage, .output = n - 1};
    b->q = (pp_qnetwork){.net = &b->net, .stages = &b->stages, .psum_bits = pp_lmq_integer_psum_bits(integer),
                         .stream = b->stream, .stage = b->qstage, .has_values = true};
    return PP_OK;
}

void pp_lm_bank_free_(pp_lm_bank *b)
{
    free(b->op);
    free(b->stage);
    free(b->input);
    free(b->stream);
    free(b->qstage);
    free(b->zeros);
}

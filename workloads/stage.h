/* Stages and streams: what the mapper places and the simulator fires.
 *
 * A stage is what one pass of a core's datapath computes: a matrix operator (convolution, linear) and
 * the digital operators that follow it before the one requantization (residual add, activation,
 * pooling, flatten), or a digital operator with those that follow it. Every stage ends in one stream; stream
 * 0 is the network's input, stream s + 1 the result of stage s.
 *
 * A stream is a sequence of positions (raster order) of one vector of channels each. A stage *fires*
 * once for each patch of its matrix result (before pooling) and *emits* positions of its stream. When
 * a stage has no pooling, the positions that it emits are its firing patches; after pooling they are
 * single pixels. A patch is py x px pixels; patches at the right and lower edge may be partial.
 *
 * For input k at firing p (all positions counted from 0 within one inference):
 *   last(p)  the last position of the input's stream that must have arrived, running maximum;
 *   first(p) the first position that is still needed at p or later, minimum over the rest.
 * Both are non-decreasing. That is all that timing needs: design, section 1. A firing that reads
 * padding alone adds nothing to either: last is then that of the firing before it (0 at the start),
 * first that of the one after it (the largest last when none follows). */
#ifndef PP_WORKLOADS_STAGE_H
#define PP_WORKLOADS_STAGE_H

#include "workloads/network.h"

typedef struct pp_patch {
    uint32_t y, x;
} pp_patch;

typedef enum pp_role {
    PP_ROLE_MATRIX, /* goes through DAC and crossbar */
    PP_ROLE_ADD,    /* residual, added in the digital unit of the receiving core */
    PP_ROLE_DATA    /* input of a stage without a matrix (pool, concat, add, activation alone) */
} pp_role;

typedef struct pp_stage_input {
    uint32_t stream;
    pp_role role;
} pp_stage_input;

typedef struct pp_stage {
    const char *name;        /* of its matrix operator, or of its first operator */
    uint32_t matrix;         /* operator index, or PP_NONE */
    uint32_t first_op;       /* == matrix when there is one: the operator that reads the inputs */
    uint32_t add;            /* fused residual add, or PP_NONE */
    uint32_t scale;          /* stages without a matrix: the SCALE (first operator or behind it), or PP_NONE */
    uint32_t offset;         /* stages without a matrix: the OFFSET (first operator, or before scale and softmax), or PP_NONE */
    uint32_t softmax;        /* behind a product (and its offset): nothing else follows then; PP_NONE: none */
    uint32_t pool;           /* fused pooling (MAX, AVG, GLOBAL) after the activation, or PP_NONE */
    pp_act act;              /* fused activation (after the add when there is one) */
    uint32_t result;         /* last operator of the stage */
    uint32_t n_inputs;
    pp_stage_input *inputs;  /* matrix input first */
    pp_shape in;             /* shape of inputs[0]'s stream */
    pp_shape fire;           /* map that it fires over: matrix (or digital) result before pooling */
    pp_shape out;            /* shape of its stream */
} pp_stage;

typedef struct pp_stages {
    uint32_t n;
    pp_stage *stage;
    uint32_t *stage_of_op;   /* [n_ops] stage that computes the operator; PP_NONE for the input (and its views) */
    uint32_t output;         /* stage whose stream leaves the network */
    void *owner;
} pp_stages;

/* Fusion. A matrix operator takes the chain of digital operators behind it as long as each is the
 * sole consumer: add (when its other operand is computed by an earlier stage; of two matrix operands
 * the later one takes it), activation, one pooling, flatten. Order inside a stage is that of the
 * datapath: matrix, bias, add, activation, pooling. Whatever is not taken begins a stage without a
 * matrix; add, concat, mul, shuffle, slice, upsample, product, arrange, offset and scale take an offset, a scale, an activation and a pooling
 * in this order, a product instead an offset and a softmax; the others stand alone (an activation alone sets `act`).
 * A flatten is only a way to look at its stream, and costs nothing, when the map is one pixel or when
 * linear operators alone read it: it then belongs to the stage (or, with PP_NONE, the network's
 * input) that makes the stream, which keeps its shape and comes pixel by pixel; a linear stage reads
 * a stream of any shape `in` in C,H,W order. Any other flatten is a stage. */
pp_status pp_stages_build(pp_stages **out, const pp_network *net);
void pp_stages_free(pp_stages *stages);
pp_shape pp_stream_shape(const pp_network *net, const pp_stages *stages, uint32_t stream);

/* ---- stream functions ---- */

/* Number of patches of a map. */
uint32_t pp_positions(pp_shape map, pp_patch patch);
/* Pixels of patch p (edge patches are partial). */
uint32_t pp_patch_pixels(pp_shape map, pp_patch patch, uint32_t p);

/* Operator level, pixels: rectangle [y0,y1] x [x0,x1] (inclusive) of input `k` that the output
 * rectangle reads, clipped to the map. False when it reads padding only. One row of a table a kind. */
typedef struct pp_rect {
    uint32_t y0, x0, y1, x1;
} pp_rect;
bool pp_op_reads(const pp_network *net, uint32_t op, uint32_t k, pp_rect out, pp_rect *in);

/* Stage level: tables for input k when the stage fires by patches `fire` and that input's stream
 * comes in patches `in`. last[n], first[n], n = pp_positions(stage.fire, fire); caller's arrays. */
void pp_stage_tables(const pp_network *net, const pp_stages *stages, uint32_t stage, uint32_t k, pp_patch fire,
                     pp_patch in, uint32_t *last, uint32_t *first);
/* emitted[p] = positions of the stage's stream that are complete after firing p (cumulative,
 * emitted[n-1] = all). Without pooling emitted[p] = p + 1. Pooled positions are pixels (patch 1x1). */
void pp_stage_emission(const pp_network *net, const pp_stages *stages, uint32_t stage, pp_patch fire,
                       uint32_t *emitted);
/* Patch in which the stage's stream leaves when it fires by `fire`: the same, or 1x1 after pooling. */
pp_patch pp_stage_out_patch(const pp_stages *stages, uint32_t stage, pp_patch fire);
/* Work of firing p in MVMs a tile (1 for everything but attention). */
uint32_t pp_stage_work(const pp_stages *stages, uint32_t stage, uint32_t p);

#endif

/* The fast float executor: plan, buffers, kernels.
 *
 * Every stream of an image lives in a buffer [top + H + bottom][left + W + right][stride] of floats:
 * channels are padded to a stride of 16, and the border holds zeros wide enough for every convolution
 * that reads the stream, so that kernels know no edges. Border and padding are zeroed once; nobody
 * writes them anything but zeros. Buffers of one geometry are used again when their stream is dead. */
#ifndef PP_WORKLOADS_EXEC_INTERNAL_H
#define PP_WORKLOADS_EXEC_INTERNAL_H

#include "workloads/cpu.h"
#include "workloads/network_internal.h"
#include "workloads/workloads.h"

#define PP_CHANNEL_STEP 16u

typedef struct pp_geometry {
    pp_shape shape;
    uint32_t top, left, bottom, right;
} pp_geometry;

/* One image's stream, or a part of it: pixel (y, x) begins at at + y * row + x * pixel. */
typedef struct pp_view {
    float *at;
    size_t row, pixel;
    pp_shape shape;
} pp_view;

size_t pp_geometry_floats_(const pp_geometry *g);
pp_view pp_geometry_view_(const pp_geometry *g, float *buffer);

/* A convolution (or linear: a kernel as large as its map) ready to run on one image. */
typedef struct pp_conv_job {
    const float *in;    /* first tap of output pixel (0, 0) */
    size_t in_row, in_pixel;
    float *out;
    size_t out_row, out_pixel;
    const float *add;   /* residual at output pixel (0, 0); NULL: none */
    size_t add_row, add_pixel;
    const float *weight, *bias; /* packed, see pp_conv_plan */
    uint32_t out_h, out_w, cin, cout, kh, kw, dh, dw, sh, sw;
    uint32_t vectors, blocks;
    float lo, hi;       /* activation: the result is clamped to [lo, hi] */
} pp_conv_job;

/* Computes all output pixels. Sums run over ky, kx, cin in this order for every output, so results
 * do not depend on how pixels are grouped. Writes whole vectors of channels (padding: zeros). */
typedef void (*pp_conv_kernel)(const pp_conv_job *job);
void pp_conv_plain_(const pp_conv_job *job);
void pp_conv_avx2_(const pp_conv_job *job);
void pp_conv_avx512_(const pp_conv_job *job);

/* Kernel and weights of a stage. Output channels of a group are cut into `vectors` of `lanes`, those
 * into `blocks` of vectors / blocks (the first vectors % blocks of them one more); weights lie
 * [group][block][ky][kx][cin][lanes of the block], biases [group][vectors * lanes], padded by zeros. */
typedef struct pp_conv_plan {
    pp_conv_kernel kernel;
    pp_window window;   /* linear: kernel = map, no padding */
    uint32_t groups, cin, cout; /* cin, cout: of one group */
    uint32_t lanes, vectors, blocks;
    float *weight, *bias;       /* owned */
} pp_conv_plan;

/* `in`: shape of the stream that the operator reads. */
pp_status pp_conv_plan_make_(pp_conv_plan *plan, const pp_op *op, pp_shape in, pp_cpu level);
void pp_conv_plan_free_(pp_conv_plan *plan);
void pp_conv_run_(const pp_conv_plan *plan, pp_view in, pp_view out, const pp_view *add, pp_act act);

/* Operators without weights: inputs, result. */
void pp_data_run_(const pp_op *op, const pp_view *in, pp_view out);
void pp_act_run_(pp_act act, pp_view in, pp_view out); /* in place when both are the same */

typedef struct pp_stage_plan {
    pp_conv_plan conv;  /* matrix stages */
    uint32_t fire_slot; /* pooled stages: where the result lies before pooling; else PP_NONE */
} pp_stage_plan;

typedef struct pp_exec_plan {
    const pp_network *net;
    const pp_stages *stages;
    pp_stage_plan *stage;   /* [stages->n] */
    pp_geometry *slots;     /* [n_slots] */
    uint32_t n_slots;
    uint32_t *stream_slot;  /* [stages->n + 1] */
    size_t largest;         /* elements of the largest stream */
    uint32_t most_inputs;   /* of a stage */
} pp_exec_plan;

pp_status pp_exec_plan_make_(pp_exec_plan *plan, const pp_network *net, const pp_stages *stages, pp_cpu level);
void pp_exec_plan_free_(pp_exec_plan *plan);

#endif

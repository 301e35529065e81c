/* The network graph: operators, shapes, weight views.
 *
 * A feature map is [H][W][C] (a token sequence is 1 x T x d). Operator 0 is the input. Operators
 * stand in topological order: every input of operator i has an index below i. The network owns its
 * strings, arrays and the memory-mapped files that weights are views into. Const once built. */
#ifndef PP_WORKLOADS_NETWORK_H
#define PP_WORKLOADS_NETWORK_H

#include "base/base.h"

#define PP_NONE UINT32_MAX

typedef struct pp_shape {
    uint32_t h, w, c;
} pp_shape;

typedef enum pp_dtype { PP_DTYPE_F32, PP_DTYPE_F16, PP_DTYPE_BF16, PP_DTYPE_I8, PP_DTYPE_U8, PP_DTYPE_I32, PP_DTYPE_I64 } pp_dtype;

/* A view of a tensor, row-major. data == NULL: the shape is known, the values are not (a network
 * built from its shape alone). Not owned here; may be unaligned (a view into a mapped file). */
typedef struct pp_tensor {
    pp_dtype dtype;
    uint32_t ndim;
    uint64_t dim[4];
    const void *data;
    /* How elements follow from data where that is not plain: element = (datum - row_zero[r]) row_scale[r], r its index
     * along dim[0]. NULL: factor 1, zero 0. Integer data are weights only with a row_scale. transposed: data is
     * [dim[1] dim[2] dim[3]][dim[0]]. So batch norms, codes and matrices of other orders need no copy. */
    const float *row_scale, *row_zero;
    bool transposed;
    uint64_t pitch; /* transposed: elements of data from one column to the next, when these are rows of a larger matrix; 0: dim[0] */
    bool last; /* data is [dim[0]][dim[2] dim[3]][dim[1]]: channels last; not both */
} pp_tensor;

/* Elements of a tensor; bytes of one element; element i as float. */
uint64_t pp_tensor_count(const pp_tensor *t);
size_t pp_dtype_size(pp_dtype dtype);
float pp_tensor_f32(const pp_tensor *t, uint64_t i);
/* All elements as float into out[count]. */
void pp_tensor_read_f32(const pp_tensor *t, float *out);

typedef enum pp_op_kind {
    PP_OP_INPUT,
    PP_OP_CONV,        /* weight [Cout][Cin/groups][kh][kw], optional bias [Cout] */
    PP_OP_LINEAR,      /* weight [out][in]; in = H*W*C of its input (any shape), read in C,H,W order */
    PP_OP_MAX_POOL,
    PP_OP_AVG_POOL,
    PP_OP_GLOBAL_POOL, /* mean over H x W */
    PP_OP_ADD,         /* two inputs of one shape */
    PP_OP_CONCAT,      /* along channels */
    PP_OP_FLATTEN,     /* H x W x C -> 1 x 1 x HWC in C,H,W order (that of PyTorch) */
    PP_OP_ACT,
    PP_OP_SUBSAMPLE,   /* pixel (y sh, x sw), channels above those of the input are zero */
    PP_OP_SCALE,       /* x weight[c] + bias[c]: a batch norm that no convolution can take in */
    PP_OP_MUL,         /* two inputs of one shape, or the second 1 x 1 x C: one factor a channel for the whole map */
    PP_OP_SHUFFLE,     /* channels as [groups][n] -> [n][groups]: channel c comes from (c % groups) n + c / groups */
    PP_OP_SLICE,       /* the part of the input that begins at `offset` (crop of the map, split of channels) */
    PP_OP_UPSAMPLE,    /* nearest: pixel (y / sh, x / sw) */
    PP_OP_PIXEL_SHUFFLE, /* sh sw C channels of pixel (y / sh, x / sw) become C of sh x sw pixels: channel
                            (c sh + y % sh) sw + x % sw. Behind a convolution: a transposed convolution */
    PP_OP_NORM,        /* layer norm: the channels of each pixel to mean 0 and variance 1, times weight[c], plus bias[c] */
    PP_OP_GROUP_NORM,  /* the same over all pixels and the channels of one of `groups` parts */
    PP_OP_RESPONSE_NORM, /* local response norm over the channels of each pixel: see pp_response */
    PP_OP_SOFTMAX,     /* over the channels of each pixel, in `groups` parts of their own */
    PP_OP_PRODUCT,     /* matrix product of two maps, by heads: see pp_op.transposed */
    PP_OP_OFFSET,      /* x + weight[pixel][c]: numbers that never change (embeddings of positions, masks) */
    PP_OP_ARRANGE,     /* pixels in other places, of one or several maps: pp_op.from */
    PP_OP_TASK,        /* work without values: reads a part of each input's channels, sends 1 x 1 x units */
    PP_OP_KIND_COUNT
} pp_op_kind;

/* LEAKY: slope 0.1 below zero. HARD_SIGMOID: clamp(x + 3, 0, 6) / 6. HARD_SWISH: x times that. SILU: x sigmoid(x).
 * GELU: x times the normal distribution's Phi(x); GELU_TANH: its approximation by tanh. LEAKY_01: slope 0.01.
 * ELU: exp(x) - 1 below zero. SOFTPLUS: log(1 + exp(x)). MISH: x tanh(softplus(x)). */
typedef enum pp_act {
    PP_ACT_NONE,
    PP_ACT_RELU,
    PP_ACT_RELU6,
    PP_ACT_LEAKY,
    PP_ACT_SIGMOID,
    PP_ACT_HARD_SIGMOID,
    PP_ACT_HARD_SWISH,
    PP_ACT_SILU,
    PP_ACT_TANH,
    PP_ACT_GELU,
    PP_ACT_GELU_TANH,
    PP_ACT_LEAKY_01,
    PP_ACT_ELU,
    PP_ACT_SOFTPLUS,
    PP_ACT_MISH,
    PP_ACT_COUNT
} pp_act;

const char *pp_op_kind_name(pp_op_kind kind); /* "conv" ... */
const char *pp_act_name(pp_act act); /* "none", "relu", ... */
double pp_act_value(pp_act act, double x);
bool pp_act_is_clamp(pp_act act);    /* NONE, RELU, RELU6: a range is all there is to it */
bool pp_act_is_signed(pp_act act);   /* whether its result can be below zero */

/* Window of a convolution or pooling. Output size along y: (H + top + bottom - dh (kh - 1) - 1) / sh + 1. */
typedef struct pp_window {
    uint32_t kh, kw, sh, sw, dh, dw;
    uint32_t top, left, bottom, right; /* zero padding */
    bool count_padding;                /* average pooling: divisor counts padded positions */
} pp_window;

/* Work of a task: in operations of a core's digital unit, or in time. */
typedef struct pp_task_work {
    uint64_t ops, ps;
    uint32_t unit_bits; /* bits of one channel of its result */
} pp_task_work;

/* Local response norm: channel c of a pixel over (bias + alpha / size x sum of the squares of `size` channels around it, from
 * c - (size - 1) / 2 on, those that there are)^beta. PAPER: krizhevsky2012 sec. 3.3. */
typedef struct pp_response {
    uint32_t size;            /* 1 to 2^20 */
    double alpha, beta, bias; /* alpha at least 0, bias above 0, beta any number */
} pp_response;
/* Channels [*from, *to) whose squares the response norm of channel c of n takes. */
void pp_response_window(const pp_response *r, uint32_t c, uint32_t n, uint32_t *from, uint32_t *to);
/* What a value is multiplied with, of the sum of their squares. */
double pp_response_factor(const pp_response *r, double squares);

/* Where a pixel comes from: pixel (raster order) of input k; k = n_inputs: row `pixel` of the weight, which never changes. */
typedef struct pp_source {
    uint32_t input, pixel;
} pp_source;

typedef struct pp_op {
    const char *name;
    pp_op_kind kind;
    pp_act act;              /* PP_OP_ACT only: fusion happens in stages, not here */
    uint32_t n_inputs;
    const uint32_t *inputs;  /* operator indices */
    pp_shape in, out;        /* in: shape of inputs[0] */
    pp_window window;        /* conv, pools; linear and others: 1x1 */
    uint32_t groups;         /* conv, shuffle, softmax, group norm, product (heads): >= 1 */
    /* Product of a [h][w][groups K] and b [h][T][...], a sequence of T pixels in each row (`whole`: one sequence, all pixels of
     * b for every pixel of a), times factor. transposed: b has groups K channels, and channel g T + t of the result is the sum
     * over k of a[g K + k] b[pixel t][g K + k] (queries and keys). Else K = T, b has groups N channels, and channel g N + n is the sum over t
     * of a[g T + t] b[pixel t][g N + n] (attention weights and values). PAPER: vaswani2017 eq. 1. */
    bool transposed, whole;
    double factor;           /* above 0 */
    const pp_source *from;   /* arrange: [out.h out.w]; weight [n][C], or ndim 0 */
    pp_shape offset;         /* slice: where the part begins (h, w, c) */
    pp_tensor weight, bias;  /* bias.ndim == 0: none; scale, norms: [C] both */
    double epsilon;          /* norm, group norm: added to the variance */
    pp_response response;    /* response norm */
    bool batch_norm;         /* followed by a batch norm folded into it: counts 2 Cout parameters */
    uint64_t absent;         /* weights that do not exist (zero for ever): neither parameters nor MACs */
    bool fixed;              /* weights are given, not learned: no parameters */
    pp_task_work work;       /* task */
    const uint32_t (*part)[2]; /* task: channels [from, to) of each input that it takes; NULL: all */
} pp_op;

typedef struct pp_network {
    const char *name;
    uint32_t n_ops;
    pp_op *ops;
    uint32_t output;         /* operator whose result leaves the network */
    bool has_weights;
    float mean[4], std[4];   /* input: (pixel / 255 - mean[c]) / std[c], c < C <= 4 */
    const char *weights_file;    /* base name of the weights ("" when none) */
    char weights_sha256[65];     /* of that file's content ("" when none) */
    const char *note;            /* what the network leaves out of the file that it comes from; "" */
    void *owner;                 /* arena, mapped files: private */
} pp_network;

void pp_network_free(pp_network *net);
/* Verifies every invariant above (shapes, order, weight sizes, finite weights when present), and that
 * every result is read or is the output. The message names the operator. */
pp_status pp_network_check(const pp_network *net);
/* Stable text of the graph for diffs; new string. */
pp_status pp_network_dump(char **out, const pp_network *net);

/* Learned parameters (weights, biases, batch-norm scale and shift: the published count) and
 * multiply-accumulates of one inference. */
uint64_t pp_op_parameters(const pp_op *op);
uint64_t pp_op_macs(const pp_op *op);
uint64_t pp_network_parameters(const pp_network *net);
uint64_t pp_network_macs(const pp_network *net);

/* ---- building ---- */

/* A network under construction; strings and arrays are copied. Each pp_build_* adds one operator and
 * gives its index through `out` (NULL allowed). Shape errors are reported with the operator's name. */
typedef struct pp_builder pp_builder;
pp_status pp_builder_new(pp_builder **out, const char *name, pp_shape input);
pp_shape pp_builder_shape(const pp_builder *b, uint32_t op); /* of an operator's result */
void pp_builder_free(pp_builder *b); /* NULL allowed; not needed after pp_builder_finish */
/* weight, bias may be NULL (shape only). batch_norm: see pp_op. */
pp_status pp_build_conv(pp_builder *b, const char *name, uint32_t input, uint32_t cout, const pp_window *window,
                        uint32_t groups, bool has_bias, bool batch_norm, const pp_tensor *weight,
                        const pp_tensor *bias, uint32_t *out);
pp_status pp_build_linear(pp_builder *b, const char *name, uint32_t input, uint32_t features, bool has_bias,
                          const pp_tensor *weight, const pp_tensor *bias, uint32_t *out);
pp_status pp_build_pool(pp_builder *b, const char *name, pp_op_kind kind, uint32_t input, const pp_window *window,
                        uint32_t *out); /* window NULL for PP_OP_GLOBAL_POOL */
pp_status pp_build_join(pp_builder *b, const char *name, pp_op_kind kind, const uint32_t *inputs, uint32_t n,
                        uint32_t *out); /* add, concat, mul */
pp_status pp_build_subsample(pp_builder *b, const char *name, uint32_t input, uint32_t stride, uint32_t channels,
                             uint32_t *out);
pp_status pp_build_act(pp_builder *b, const char *name, uint32_t input, pp_act act, uint32_t *out);
pp_status pp_build_flatten(pp_builder *b, const char *name, uint32_t input, uint32_t *out);
/* weight, bias [C] may be NULL (shape only). */
pp_status pp_build_scale(pp_builder *b, const char *name, uint32_t input, const pp_tensor *weight,
                         const pp_tensor *bias, uint32_t *out);
/* Layer norm; weight, bias [C] may be NULL (shape only). PAPER: ba2016 eq. 4. */
pp_status pp_build_norm(pp_builder *b, const char *name, uint32_t input, double epsilon, const pp_tensor *weight,
                        const pp_tensor *bias, uint32_t *out);
/* Group norm (groups 1: layer norm of the map; C: instance norm). PAPER: wu2018 eq. 1 to 7. */
pp_status pp_build_group_norm(pp_builder *b, const char *name, uint32_t input, uint32_t groups, double epsilon,
                              const pp_tensor *weight, const pp_tensor *bias, uint32_t *out);
pp_status pp_build_response_norm(pp_builder *b, const char *name, uint32_t input, const pp_response *response, uint32_t *out);
pp_status pp_build_softmax(pp_builder *b, const char *name, uint32_t input, uint32_t groups, uint32_t *out);
/* `like`: groups, transposed, whole, factor. */
pp_status pp_build_product(pp_builder *b, const char *name, uint32_t left, uint32_t right, const pp_op *like,
                           uint32_t *out);
/* weight [h w][C]; NULL: shape only. */
pp_status pp_build_offset(pp_builder *b, const char *name, uint32_t input, const pp_tensor *weight, uint32_t *out);
/* from[h w] is copied; weight [n][C] when some pixels never change, else NULL. */
pp_status pp_build_arrange(pp_builder *b, const char *name, const uint32_t *inputs, uint32_t n, uint32_t h, uint32_t w,
                           const pp_source *from, const pp_tensor *weight, uint32_t *out);
pp_status pp_build_shuffle(pp_builder *b, const char *name, uint32_t input, uint32_t groups, uint32_t *out);
/* The part of `size` that begins at `offset`. */
pp_status pp_build_slice(pp_builder *b, const char *name, uint32_t input, pp_shape offset, pp_shape size,
                         uint32_t *out);
pp_status pp_build_upsample(pp_builder *b, const char *name, uint32_t input, uint32_t factor_y, uint32_t factor_x,
                            uint32_t *out);
pp_status pp_build_pixel_shuffle(pp_builder *b, const char *name, uint32_t input, uint32_t factor_y, uint32_t factor_x,
                                 uint32_t *out);
/* part[n]: channels of each input; the result has `units` channels of work->unit_bits bits. */
pp_status pp_build_task(pp_builder *b, const char *name, const uint32_t *inputs, const uint32_t (*part)[2], uint32_t n,
                        uint32_t units, const pp_task_work *work, uint32_t *out);
/* Weights of conv or linear `op` that do not exist, and whether the rest is given instead of learned. */
void pp_build_note_weights(pp_builder *b, uint32_t op, uint64_t absent, bool fixed);
/* Scaling of the input's first four channels: (pixel / 255 - mean[c]) / std[c]; default 0 and 1. */
void pp_builder_normalise(pp_builder *b, const float *mean, const float *std);
/* Checks the network, takes the builder, and frees it (also on failure). Output: last operator. */
pp_status pp_builder_finish(pp_network **out, pp_builder *b);

#endif

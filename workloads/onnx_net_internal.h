/* From ONNX graphs to networks: constants are folded, everything else is a stream of the network under some shape. */
#ifndef PP_WORKLOADS_ONNX_NET_INTERNAL_H
#define PP_WORKLOADS_ONNX_NET_INTERNAL_H

#include "workloads/onnx_internal.h"

#include <math.h>

enum { PP_ONNX_H, PP_ONNX_W, PP_ONNX_C, PP_ONNX_AXES };
#define PP_ONNX_FACTORS 16u

/* A part of one axis of a network's map: `size` steps of `stride` along it. */
typedef struct pp_factor {
    uint8_t axis; /* PP_ONNX_H ... */
    uint8_t dim;  /* the tensor's dimension that it belongs to */
    uint32_t size, stride;
} pp_factor;

/* Steps of x 0.5 (1 + erf(x / sqrt 2)) and x 0.5 (1 + tanh(.7978846 (x + .044715 x^3))), each one activation of x. */
enum {
    PP_NET_GELU_ERF = 1,    /* erf(x / sqrt 2) */
    PP_NET_GELU_ONE_ERF,    /* 1 + that */
    PP_NET_GELU_CUBE,       /* x^3 */
    PP_NET_GELU_SMALL_CUBE, /* .044715 of that */
    PP_NET_GELU_SUM,        /* x + that */
    PP_NET_GELU_SCALED,     /* .7978846 of that */
    PP_NET_GELU_TANH,       /* its tanh */
    PP_NET_GELU_ONE_TANH,   /* 1 + that */
    PP_NET_IS_NAN           /* of a softmax that may have nothing to share: never here */
};

/* A value of the graph that an operator of the network computes: the elements of its map [H][W][C] in the order that
 * the tensor's dimensions give them. Each dimension is a product of factors, the first the slowest; sizes of 1 have
 * none. */
typedef struct pp_onnx_stream {
    uint32_t op;
    uint32_t ndim, n_factors;
    uint64_t dim[PP_ONNX_DIMS];
    pp_factor f[PP_ONNX_FACTORS];
    uint32_t pad[4];    /* zeros around the map that no operator holds yet: top, left, bottom, right */
    bool shared;        /* another value has the same operator, and other readers */
    bool coded;         /* between QuantizeLinear and DequantizeLinear */
    bool probabilities; /* behind a Softmax that was left out */
    /* Not 0: a step of Gelu (PP_NET_GELU_ERF ...), which is one activation of `base`. */
    uint32_t gelu, base;
    /* Not 0: nothing but this stream reads that operator, which gives `scaled_times` numbers for each channel of it:
     * what scales the channels may scale there. */
    uint32_t scaled, scaled_times;
} pp_onnx_stream;

typedef struct pp_onnx_slot {
    const pp_onnx_tensor *constant; /* or */
    const pp_onnx_stream *stream;
} pp_onnx_slot;

/* What stands behind the colon of MODEL. NULL, h == 0: left out. */
typedef struct pp_onnx_options {
    char *path, *output, *from, *ones;
    pp_shape input;
} pp_onnx_options;

typedef struct pp_onnx_net {
    pp_onnx *m;
    pp_builder *b;
    pp_arena *arena;          /* lives until the network is made */
    pp_onnx_slot *value;      /* [n_values] */
    const pp_onnx_node *node; /* being converted */
    bool *skip;               /* [n_nodes] taken in by a node before it */
    uint32_t output;          /* value that leaves the network */
    uint32_t from;            /* value inside the graph that it begins with; PP_NONE: an input */
    bool batched;             /* the file was made for several images, or any number */
    uint64_t images;          /* how many, when it says so */
    uint32_t made;            /* operators that it has made */
    uint64_t room, work;      /* what folding may still take */
} pp_onnx_net;

/* Failure of the node at hand. */
#define pp_net_fail(v, status, ...) pp_onnx_fail((v)->m->path, (v)->node, status, __VA_ARGS__)

/* Refuses the node at hand, and names what of the model can be had. */
pp_status pp_net_refuse(pp_onnx_net *v, const char *why);

/* ---- values (onnx_net.c) ---- */

/* Input k as a constant; NULL: it is left out or a stream. */
const pp_onnx_tensor *pp_net_constant(const pp_onnx_net *v, uint32_t k);
/* Input k as a stream, with nothing pending; fails otherwise. */
pp_status pp_net_stream(pp_onnx_net *v, uint32_t k, const pp_onnx_stream **out);
/* The same with zeros around it allowed (convolutions, pools). */
pp_status pp_net_padded(pp_onnx_net *v, uint32_t k, const pp_onnx_stream **out);
/* The same with codes and left-out probabilities allowed (views). */
pp_status pp_net_view(pp_onnx_net *v, uint32_t k, const pp_onnx_stream **out);
/* Input k when it is a stream, whatever is pending; else NULL. */
const pp_onnx_stream *pp_net_any(const pp_onnx_net *v, uint32_t k);
/* Whether nothing but the node at hand reads the operator of its input k. */
bool pp_net_sole(const pp_onnx_net *v, uint32_t k);
/* Result 0 is `s`, a view of input 0. */
pp_status pp_net_give_view(pp_onnx_net *v, pp_onnx_stream s);
pp_status pp_net_give(pp_onnx_net *v, uint32_t output, const pp_onnx_stream *s);
/* A name for the next operator of the node. NULL: out of memory. */
const char *pp_net_name(pp_onnx_net *v);
/* Numbers of input k (or attribute), which must be constant. */
pp_status pp_net_ints(pp_onnx_net *v, const char *name, uint32_t k, const int64_t **list, uint32_t *n);

/* ---- input (onnx_net_input.c) ---- */

/* Value of options' from=; PP_NONE: none. */
pp_status pp_net_from(const pp_onnx *m, const pp_onnx_options *o, uint32_t *from);
/* The one input that the output depends on; that of ones= becomes a constant. */
pp_status pp_net_choose_input(pp_onnx_net *v, const pp_onnx_options *o, const bool *needed, pp_onnx_info *input);
/* Its map and layout. */
pp_status pp_net_input(const pp_onnx *m, const pp_onnx_info *in, const pp_onnx_options *o, pp_shape *shape,
                       pp_onnx_stream *s);

/* ---- layouts (onnx_net_layout.c) ---- */

pp_shape pp_net_shape(const pp_onnx_net *v, const pp_onnx_stream *s);
/* The result of `op` as [1,C,H,W] (rank 4), [1,C,W] (rank 3) or [1,C] (rank 2). */
pp_onnx_stream pp_net_map(const pp_onnx_net *v, uint32_t op, uint32_t rank);
/* Whether it is [1,C,H,W], or [1,C,W] with H = 1. */
bool pp_net_is_map(const pp_onnx_net *v, const pp_onnx_stream *s);
/* Axis that dimension d is as a whole; PP_ONNX_AXES: none. A dimension of 1 is the axis that stands there in a map. */
uint32_t pp_net_axis_of(const pp_onnx_net *v, const pp_onnx_stream *s, uint32_t d);
bool pp_net_same_layout(const pp_onnx_stream *a, const pp_onnx_stream *b);
/* The same elements under another shape; false: dimensions cut through factors. */
bool pp_net_reshape(pp_onnx_stream *s, uint32_t ndim, const uint64_t *dim);
bool pp_net_transpose(pp_onnx_stream *s, const uint32_t *axis);
/* Makes shuffles and flattens real: a stream whose dimensions are whole axes where that can be had. */
pp_status pp_net_settle(pp_onnx_net *v, pp_onnx_stream *s);
/* A vector [1,C H W] that was cut into [1,C,H,W] (or [1,C,W]) becomes that map; others stay. */
pp_status pp_net_vector_to_map(pp_onnx_net *v, pp_onnx_stream *s);
/* After operator `op` on stream s (same map but C): layout of s with its C axis of the new size. */
pp_onnx_stream pp_net_after(const pp_onnx_net *v, const pp_onnx_stream *s, uint32_t op);
/* h, w, c of element i of dimensions [first, ndim). */
void pp_net_place(const pp_onnx_stream *s, uint32_t first, uint64_t i, uint32_t at[PP_ONNX_AXES]);

/* The same elements with sizes of 1 in front, `ndim` dimensions. */
void pp_net_raise(pp_onnx_stream *s, uint32_t ndim);
/* Whether dimension d holds nothing but pixels, or channels (sizes of 1: neither). */
bool pp_net_holds_pixels(const pp_onnx_stream *s, uint32_t d);
bool pp_net_holds_channels(const pp_onnx_stream *s, uint32_t d);

/* ---- tokens (onnx_net_token.c) ---- */

/* Takes bytes from what constants may take. */
pp_status pp_net_take_room(pp_onnx_net *v, uint64_t bytes);
/* PP_ERANGE where a map of h x w pixels is larger than any; before anything is done for each of them. */
pp_status pp_net_check_pixels(pp_onnx_net *v, uint64_t h, uint64_t w);
/* A map whose W is dimension `token` (PP_NONE: the last that holds pixels) and whose H all that hold pixels before it; pixels
 * move where they have to. false in *done: a dimension mixes pixels and channels, or others are behind `token`. */
pp_status pp_net_arrange(pp_onnx_net *v, pp_onnx_stream *s, uint32_t token, bool *done);
/* A stream [1,C,H,W] or [1,C,W] whose pixels do not lie so, or that is one vector, becomes a map, others stay. */
pp_status pp_net_to_map(pp_onnx_net *v, pp_onnx_stream *s);
/* Elements [start, start + size) of dimension d, which holds pixels. */
pp_status pp_net_tokens_part(pp_onnx_net *v, const pp_onnx_stream *x, uint32_t d, uint32_t start, uint32_t size,
                             pp_onnx_stream *out);
/* Result 0 of a Concat along `axis`, which holds pixels: streams and constants; first: the first stream. */
pp_status pp_net_join_tokens(pp_onnx_net *v, uint32_t axis, const pp_onnx_stream *first);
/* x + factor t, t any constant of its shape (or sizes of 1); false in *done: it is not. */
pp_status pp_net_offset(pp_onnx_net *v, const pp_onnx_stream *x, const pp_onnx_tensor *t, double factor, bool *done,
                        pp_onnx_stream *out);

/* ---- products of two streams (onnx_net_product.c) ---- */

/* x [.., M, K] times y [.., K, N]. */
pp_status pp_net_product(pp_onnx_net *v, const pp_onnx_stream *x, const pp_onnx_stream *y, pp_onnx_stream *out);
/* Result 0 of the node at hand: its input `left` times its input `right`. */
pp_status pp_net_give_product(pp_onnx_net *v, uint32_t left, uint32_t right);
pp_status pp_net_einsum(pp_onnx_net *v);
/* Result 0 of the node at hand: the last dimension of x times a constant matrix. */
pp_status pp_net_give_linear(pp_onnx_net *v, const pp_onnx_stream *x, const pp_onnx_tensor *w);
/* ---- elements (onnx_net_element.c, onnx_net_act.c) ---- */

static inline bool pp_net_about(double a, double b)
{
    return fabs(a - b) <= 1e-6 * fmax(1, fabs(b));
}

/* Activation of operator `input`, whose result lies as `like`. */
pp_status pp_net_act(pp_onnx_net *v, const pp_onnx_stream *like, uint32_t input, pp_act act, pp_onnx_stream *out);
/* max(x, lo), min(x, hi) or both, by the activations that there are; sole: nothing else reads x. */
pp_status pp_net_clamp(pp_onnx_net *v, const pp_onnx_stream *x, bool sole, double lo, double hi, pp_onnx_stream *out);
/* Sum or product of operators a and b, whose results lie as `like`. */
pp_status pp_net_join_two(pp_onnx_net *v, pp_op_kind kind, const pp_onnx_stream *like, uint32_t a, uint32_t b,
                          pp_onnx_stream *out);
/* pp_net_scale with one factor and one shift for all channels. */
pp_status pp_net_uniform_scale(pp_onnx_net *v, const pp_onnx_stream *x, bool sole, double scale, double shift,
                               pp_onnx_stream *out);
/* Number of constant t for each channel of x; fails where it varies along another axis, or not along all channels. */
pp_status pp_net_by_channel(pp_onnx_net *v, const pp_onnx_stream *x, const pp_onnx_tensor *t, double *out);
/* The factor that all channels of a SCALE share, when they do and all its shifts are `shift`. */
bool pp_net_uniform(const pp_op *op, double *factor, double shift);

/* ---- operators: false in *known when there is none of that name ---- */

typedef pp_status (*pp_net_op)(pp_onnx_net *v);
typedef struct pp_net_row {
    const char *name;
    pp_net_op convert;
} pp_net_row;
extern const pp_net_row pp_net_ops_matrix_[], pp_net_ops_element_[], pp_net_ops_act_[], pp_net_ops_norm_[],
    pp_net_ops_quantize_[], pp_net_ops_move_[], pp_net_ops_window_[], pp_net_ops_up_[];

/* x scale[c] + shift[c]: into operator x where it alone makes what only this node reads, else an operator of its own.
 */
pp_status pp_net_scale(pp_onnx_net *v, const pp_onnx_stream *x, bool sole, const double *scale, const double *shift,
                       pp_onnx_stream *out);
/* Window of a convolution or pool on a map, zeros around it included. */
pp_status pp_net_window(pp_onnx_net *v, const pp_onnx_stream *x, const int64_t *kernel, pp_window *out);
/* How many nodes the layer norm has that the node at hand, a ReduceMean, begins, the last of them its quotient; 0: none.
 */
uint32_t pp_net_match_norm(const pp_onnx_net *v, uint32_t part[8], double *epsilon);
/* Result 0 of the node at hand: the layer norm of x over its channels. scale, bias: NULL for 1 and 0. */
pp_status pp_net_give_norm(pp_onnx_net *v, const pp_onnx_stream *x, double epsilon, const pp_onnx_tensor *scale,
                           const pp_onnx_tensor *bias);
/* Whether dimensions [first, end) are the channels, all of them and nothing else. */
bool pp_net_are_channels(const pp_onnx_net *v, const pp_onnx_stream *s, uint32_t first, uint32_t end);
/* Whether no element of the operator's result is below zero. */
bool pp_net_not_negative(const pp_onnx_net *v, uint32_t op);

#endif

/* Shared by the files that make, check and read networks. */
#ifndef PP_WORKLOADS_NETWORK_INTERNAL_H
#define PP_WORKLOADS_NETWORK_INTERNAL_H

#include "workloads/network.h"
#include "workloads/stage.h"

/* Limits that keep every product of a shape far below 64 bits. */
#define PP_DIM_MAX 1048576u
#define PP_ELEMENTS_MAX (UINT64_C(1) << 31)

/* What a network keeps alive: its arena, and the file that its weights are views into (closed by
 * `close_file`, so that the graph does not depend on any file format). */
typedef struct pp_network_owner {
    pp_arena *arena;
    void *file;
    void (*close_file)(void *file);
} pp_network_owner;

/* One row an operator kind, in op.c. */
typedef struct pp_op_traits {
    const char *name;
    bool matrix;           /* has a weight, goes through a crossbar */
    bool learned;          /* has a weight */
    bool pool;             /* a stage can end in it */
    bool window;           /* op->window matters (else 1x1) */
    uint32_t min_in, max_in;
    /* Rectangle of an input of shape `in` (input k) that output rectangle `out` reads; false: none. */
    bool (*reads)(const pp_op *op, uint32_t k, pp_shape in, pp_rect out, pp_rect *rect);
} pp_op_traits;

const pp_op_traits *pp_op_traits_(pp_op_kind kind);

/* Shape of the result of `op` (name, kind, inputs, window, weight.dim, out.c where the operator
 * chooses it) from the shapes of its inputs; fails with the operator's name. Sets op->in, op->out. */
pp_status pp_op_infer_(pp_op *op, const pp_op *ops);

/* "F32" ... as in safetensors headers, and back. */
const char *pp_dtype_name_(pp_dtype dtype);
bool pp_dtype_find_(const char *name, pp_dtype *out);
/* Whether its elements are numbers of a network: of a floating-point type, or codes with a scale. */
bool pp_tensor_is_real_(const pp_tensor *t);
/* Rows [first, first + n) of a tensor: a view of the same data. */
pp_tensor pp_tensor_rows_(const pp_tensor *t, uint64_t first, uint64_t n);
/* "[16,3,3,3]". */
void pp_tensor_shape_text_(char *text, size_t size, const pp_tensor *t);

/* First element that is not finite; false when all are. */
bool pp_tensor_not_finite_(const pp_tensor *t, uint64_t *index, float *value);

/* Builder, for the importers: the file that the weights are views into (the builder closes it, also
 * on failure), its name and hash, and the scaling of the input. */
void pp_builder_take_file_(pp_builder *b, void *file, void (*close_file)(void *file));
pp_status pp_builder_source_(pp_builder *b, const char *weights_file, const char *sha256);
/* Index of the operator of that name; PP_NONE when there is none. */
uint32_t pp_builder_find_(const pp_builder *b, const char *name);
const pp_op *pp_builder_op_(const pp_builder *b, uint32_t op);
/* Memory that lives as long as the network. */
pp_arena *pp_builder_arena_(pp_builder *b);
/* Result of conv, linear, scale or norm `op` becomes scale[c] times what it is, plus shift[c]. */
pp_status pp_builder_fold_(pp_builder *b, uint32_t op, const double *scale, const double *shift);
/* Result of product `op` becomes `times` as large. */
void pp_builder_times_(pp_builder *b, uint32_t op, double times);
/* A convolution that nothing but slices of its channels read (queries, keys and values of one layer) becomes one convolution a
 * slice, with views of its weights. The output is the last operator. */
pp_status pp_builder_split_(pp_builder *b);
/* Leaves out the operators that `output` does not need; it becomes the last. */
pp_status pp_builder_prune_(pp_builder *b, uint32_t output);
pp_status pp_builder_annotate_(pp_builder *b, const char *note);

#endif

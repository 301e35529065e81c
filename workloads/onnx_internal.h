/* An ONNX file as it is read, and the tensors that its operators are evaluated on. */
#ifndef PP_WORKLOADS_ONNX_INTERNAL_H
#define PP_WORKLOADS_ONNX_INTERNAL_H

#include "workloads/network_internal.h"
#include "workloads/onnx.h"
#include "workloads/onnx_wire_internal.h"

#define PP_ONNX_DIMS 8u

typedef enum pp_onnx_type {
    PP_ONNX_NO_TYPE = 0,
    PP_ONNX_FLOAT = 1,
    PP_ONNX_UINT8 = 2,
    PP_ONNX_INT8 = 3,
    PP_ONNX_UINT16 = 4,
    PP_ONNX_INT16 = 5,
    PP_ONNX_INT32 = 6,
    PP_ONNX_INT64 = 7,
    PP_ONNX_STRING = 8,
    PP_ONNX_BOOL = 9,
    PP_ONNX_FLOAT16 = 10,
    PP_ONNX_DOUBLE = 11,
    PP_ONNX_UINT32 = 12,
    PP_ONNX_UINT64 = 13,
    PP_ONNX_BFLOAT16 = 16,
    PP_ONNX_UINT4 = 21, /* unpacked to bytes when they are read */
    PP_ONNX_INT4 = 22
} pp_onnx_type;

/* A tensor, row-major, little-endian elements, possibly unaligned (a view into a file). */
typedef struct pp_onnx_tensor {
    const char *name;
    pp_onnx_type type; /* of the elements that an operator sees */
    uint32_t ndim;
    uint64_t dim[PP_ONNX_DIMS];
    const void *data;
    bool transposed; /* data is row-major [dim[1]][dim[2]]...[dim[0]] */
    bool last;       /* data is row-major [dim[0]][dim[2]]...[dim[1]]: channels last; not both */
    /* Set: element = (data - zero) scale, both one a slice along `axis` (count 1: one for all), data of `codes`. */
    pp_onnx_type codes;
    uint32_t axis;
    const struct pp_onnx_tensor *scale, *zero;
} pp_onnx_tensor;

uint64_t pp_onnx_count(const pp_onnx_tensor *t);
size_t pp_onnx_type_size(pp_onnx_type type);      /* 0: not read here */
const char *pp_onnx_type_name(pp_onnx_type type); /* "FLOAT" ... */
bool pp_onnx_is_float(pp_onnx_type type);
/* Whether element i is datum i. */
bool pp_onnx_is_plain(const pp_onnx_tensor *t);
/* Element i as a number: exact for all but 64-bit integers beyond 2^53. */
double pp_onnx_f64(const pp_onnx_tensor *t, uint64_t i);
/* Element i of an integer tensor, exact; of others truncated. */
int64_t pp_onnx_i64(const pp_onnx_tensor *t, uint64_t i);
/* Stores `v` as element i of data of type `type`: rounded to it (integers: truncated, wrapped like casts in C). */
void pp_onnx_store(void *data, pp_onnx_type type, uint64_t i, double v);
void pp_onnx_shape_text(char *text, size_t size, const pp_onnx_tensor *t); /* "[1,3,8,8]" */

typedef struct pp_onnx_attr {
    const char *name;
    uint32_t n; /* ints, floats */
    int64_t i;
    float f;
    const char *s; /* NULL: none */
    const pp_onnx_tensor *t;
    const int64_t *ints;
    const float *floats;
} pp_onnx_attr;

typedef struct pp_onnx_node {
    const char *name, *op; /* never empty: a node without a name carries that of its first result */
    const char *domain;    /* "" for the standard operators */
    uint32_t n_in, n_out, n_attrs;
    const uint32_t *in, *out; /* values; PP_NONE: left out */
    const pp_onnx_attr *attr;
} pp_onnx_node;

typedef struct pp_onnx_value {
    const char *name;
    const pp_onnx_tensor *init; /* initialiser, or NULL */
    uint32_t uses;              /* node inputs and graph outputs that read it */
} pp_onnx_value;

/* A graph input or output; dimensions of 0 and below: not given (symbolic). */
typedef struct pp_onnx_info {
    uint32_t value;
    pp_onnx_type type; /* PP_ONNX_NO_TYPE: not a tensor */
    bool has_shape;
    uint32_t ndim;
    int64_t dim[PP_ONNX_DIMS];
} pp_onnx_info;

typedef struct pp_onnx_files pp_onnx_files;

struct pp_onnx {
    pp_arena *arena;
    pp_file *file;
    pp_onnx_files *external;
    const char *path;
    int64_t ir_version, opset;
    const char *graph; /* name of the graph, "" when it has none */
    bool has_functions; /* operators made of others, which are not expanded */
    bool channels_last; /* its maps are [N,H,W,C] (TensorFlow Lite) */
    uint32_t n_nodes, n_values, n_inputs, n_outputs, n_metadata;
    const pp_onnx_node *node; /* in an order of execution */
    pp_onnx_value *value;
    const pp_onnx_info *input; /* without initialisers */
    const pp_onnx_info *output;
    const char *const (*metadata)[2];
};

/* ---- reading (onnx_read.c, onnx_tensor.c, onnx_external.c) ---- */

/* A new model that `read` fills from the file. */
typedef pp_status pp_onnx_reader(pp_onnx *m, const char *path);
pp_status pp_onnx_open_by_(pp_onnx **out, const char *path, pp_onnx_reader *read);

/* A name or text of the file: control characters and what is no UTF-8 become '?', so that messages stay one line and
 * reports are read. NULL: out of memory. */
const char *pp_onnx_text_(pp_arena *arena, const pp_wire *bytes);
pp_status pp_onnx_read_tensor_(pp_onnx *m, pp_wire w, pp_onnx_tensor *t);
/* Bytes [offset, offset + size) of a file in the model's folder; size UINT64_MAX: to its end (then *size is set). */
pp_status pp_onnx_external_(pp_onnx *m, const char *tensor, const char *location, uint64_t offset, uint64_t *size,
                            const uint8_t **data);
void pp_onnx_files_free_(pp_onnx_files *files);
/* External files in the order in which they were opened; NULL past the end. */
const pp_file *pp_onnx_file_(const pp_onnx *m, size_t i);

/* ---- evaluation (onnx_eval*.c) ---- */

/* One node at work. */
typedef struct pp_onnx_call {
    pp_arena *arena; /* results live here */
    const char *path;
    const pp_onnx_node *node;
    int64_t opset;
    const pp_onnx_tensor *const *in; /* [node->n_in]; NULL: left out */
    pp_onnx_tensor *out;             /* [node->n_out] */
    uint64_t room;                   /* bytes that results may take, less with each */
    uint64_t work;                   /* elements that may be read, written or multiplied, less with each */
} pp_onnx_call;

typedef pp_status (*pp_onnx_op)(pp_onnx_call *c);
/* The function of a standard operator; NULL: none. */
pp_onnx_op pp_onnx_find_op(const char *op);
/* Evaluates a node whose inputs are all known. */
pp_status pp_onnx_eval(pp_onnx_call *c);
const pp_onnx_attr *pp_onnx_attr_find(const pp_onnx_node *node, const char *name);
int64_t pp_onnx_attr_i(const pp_onnx_node *node, const char *name, int64_t absent);
double pp_onnx_attr_f(const pp_onnx_node *node, const char *name, double absent);
const char *pp_onnx_attr_s(const pp_onnx_node *node, const char *name, const char *absent);
/* Input k, or NULL when it is left out. */
const pp_onnx_tensor *pp_onnx_in(const pp_onnx_call *c, uint32_t k);
/* "FILE: node 'n' (Conv): text" */
pp_status pp_onnx_fail(const char *path, const pp_onnx_node *node, pp_status status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Result k with that type and shape: its bytes, zeroed; *data NULL when there are none. */
pp_status pp_onnx_result(pp_onnx_call *c, uint32_t k, pp_onnx_type type, uint32_t ndim, const uint64_t *dim,
                         void **data);
/* Takes `n` from the work that is left; fails when there is none. */
pp_status pp_onnx_charge(pp_onnx_call *c, uint64_t n);
/* Axis of a tensor of `ndim` dimensions, negative from the end. */
pp_status pp_onnx_axis(const pp_onnx_call *c, int64_t axis, uint32_t ndim, uint32_t *out);
/* List of integers from attribute `name` (old opsets) or input k; *n = 0 and *list NULL when neither is there. */
pp_status pp_onnx_ints(pp_onnx_call *c, const char *name, uint32_t k, const int64_t **list, uint32_t *n);

/* Rows of the table of operators, by file. */
typedef struct pp_onnx_row {
    const char *name;
    pp_onnx_op run;
} pp_onnx_row;
extern const pp_onnx_row pp_onnx_ops_math_[], pp_onnx_ops_matrix_[], pp_onnx_ops_shape_[], pp_onnx_ops_move_[],
    pp_onnx_ops_window_[], pp_onnx_ops_reduce_[], pp_onnx_ops_einsum_[];

/* Equation "abc,abd->acd" of an Einsum: letters of both operands and of the result, each once in a part. */
typedef struct pp_onnx_equation {
    char part[3][PP_ONNX_DIMS + 1];
} pp_onnx_equation;
bool pp_onnx_read_equation(pp_onnx_equation *e, const char *text);

/* Window of Conv and pools along one axis, from attributes. */
typedef struct pp_onnx_window {
    uint32_t n; /* spatial axes */
    int64_t kernel[PP_ONNX_DIMS], stride[PP_ONNX_DIMS], dilation[PP_ONNX_DIMS];
    int64_t before[PP_ONNX_DIMS], after[PP_ONNX_DIMS], out[PP_ONNX_DIMS];
    int64_t beyond[PP_ONNX_DIMS]; /* ceil_mode: rows behind the padding that the last window reaches */
} pp_onnx_window;
/* kernel: of the weights, NULL: attribute kernel_shape. size[n]: of the input. */
pp_status pp_onnx_window_of(const char *path, const pp_onnx_node *node, uint32_t n, const int64_t *kernel,
                            const int64_t *size, pp_onnx_window *w);
/* The same of ConvTranspose: out and before, by pads, output_padding or output_shape. */
pp_status pp_onnx_transposed_of(const char *path, const pp_onnx_node *node, uint32_t n, const int64_t *kernel,
                                const int64_t *size, pp_onnx_window *w);
/* Where output coordinate `o` of a Resize reads along one axis: nearest (index) or linear (position). */
typedef struct pp_onnx_resize {
    const char *mode, *coordinates, *nearest;
    double cubic;
    uint32_t ndim;
    uint64_t in[PP_ONNX_DIMS], out[PP_ONNX_DIMS];
    double scale[PP_ONNX_DIMS];
} pp_onnx_resize;
double pp_onnx_resize_at(const pp_onnx_resize *r, uint32_t axis, uint64_t o);
uint64_t pp_onnx_resize_nearest(const pp_onnx_resize *r, uint32_t axis, uint64_t o);
/* From attributes and the inputs `sizes` and `scales` (NULL: absent) of an input of shape `in`. */
pp_status pp_onnx_resize_of(const char *path, const pp_onnx_node *node, int64_t opset, const pp_onnx_tensor *const *in,
                            uint32_t ndim, const uint64_t *dim, pp_onnx_resize *r);

#endif

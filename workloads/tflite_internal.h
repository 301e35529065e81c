/* TensorFlow Lite graphs while they become ONNX graphs. Private to this room. */
#ifndef PP_WORKLOADS_TFLITE_INTERNAL_H
#define PP_WORKLOADS_TFLITE_INTERNAL_H

#include "workloads/flat_internal.h"
#include "workloads/onnx_internal.h"
#include "workloads/tflite.h"

#define PP_LITE_ATTRS 8u
#define PP_LITE_INPUTS 16u

typedef struct pp_lite_tensor {
    const char *name;
    uint32_t ndim;
    int64_t dim[PP_ONNX_DIMS], open[PP_ONNX_DIMS]; /* sizes; the same with -1 for those left open */
    pp_onnx_tensor t;                              /* type FLOAT for numbers and their codes; data: constants only */
    uint32_t twin;                                 /* value of the map with channels first; PP_NONE: not made yet */
    bool made, variable, sparse;
} pp_lite_tensor;

/* Tensor k of the file is value k of the graph. Maps have a second value, [N,C,H,W]: convolutions and such are written
 * on those, and Transposes, which cost nothing, stand between them and whatever reads [N,H,W,C]. */
typedef struct pp_lite {
    pp_onnx *m;
    pp_flat flat;
    uint32_t n_tensors;
    pp_lite_tensor *tensor;
    PP_VEC(pp_onnx_node) node;
    PP_VEC(pp_onnx_value) value;
    uint64_t left; /* of what tables may make: bytes */
    pp_status why; /* of the last pp_lite_get that failed */
    /* the operator at hand */
    uint32_t index;
    const char *kind;
    pp_flat_table options;
    pp_flat_list custom;
    uint32_t n_in, n_out;
    uint32_t in[PP_LITE_INPUTS], out[PP_LITE_INPUTS]; /* tensors; PP_NONE: left out */
} pp_lite;

typedef pp_status (*pp_lite_op)(pp_lite *l);
/* The function and the name of a builtin operator; *name NULL: not known. */
pp_lite_op pp_lite_find(int64_t code, const char **name);
/* An operator of a name of its own. */
pp_lite_op pp_lite_find_custom(const char *name);

/* ---- building (tflite_build.c) ---- */

/* Failure of the operator at hand. */
pp_status pp_lite_fail(const pp_lite *l, pp_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Memory that the file is charged for; NULL: none left, or too much for a file of this size (then `why` says which). */
void *pp_lite_get(pp_lite *l, uint64_t count, uint64_t size);

/* Tensor of input k; fails when it is left out. */
pp_status pp_lite_input(pp_lite *l, uint32_t k, pp_lite_tensor **out);
bool pp_lite_has(const pp_lite *l, uint32_t k);
/* Numbers of input k, which must be a constant list. */
pp_status pp_lite_ints(pp_lite *l, uint32_t k, uint32_t most, int64_t *out, uint32_t *n);

pp_status pp_lite_value(pp_lite *l, const char *name, const pp_onnx_tensor *init, uint32_t *value);
/* A constant list of integers. */
pp_status pp_lite_list(pp_lite *l, const int64_t *list, uint32_t n, uint32_t *value);
/* One number. */
pp_status pp_lite_number(pp_lite *l, float number, uint32_t *value);

pp_onnx_attr pp_lite_int(const char *name, int64_t v);
pp_onnx_attr pp_lite_float(const char *name, float v);
pp_onnx_attr pp_lite_text(const char *name, const char *v);
pp_onnx_attr pp_lite_numbers(const char *name, const int64_t *list, uint32_t n); /* copied with the node */

typedef struct pp_lite_node {
    const char *op;
    uint32_t n_in, n_out, n_attrs;
    uint32_t in[PP_LITE_INPUTS], out[PP_LITE_INPUTS];
    pp_onnx_attr attr[PP_LITE_ATTRS];
} pp_lite_node;
pp_status pp_lite_add(pp_lite *l, const pp_lite_node *n);
/* op(in[0] ... in[n - 1]) as a new value. */
pp_status pp_lite_apply(pp_lite *l, const char *op, const uint32_t *in, uint32_t n, uint32_t *value);

/* Whether a tensor is a map [N,H,W,C]. */
bool pp_lite_is_map(const pp_lite_tensor *t);
/* Axis of [N,C,H,W] that axis `a` of [N,H,W,C] is. */
uint32_t pp_lite_axis(uint32_t a);
/* Value of tensor k with channels first; smaller constants are seen as [1,...,C] first. */
pp_status pp_lite_map(pp_lite *l, uint32_t tensor, uint32_t *value);
/* Result k of the operator is `value`, behind the activation `act` of the operator's options (0: none); `map`: value
 * has its channels first. */
pp_status pp_lite_give(pp_lite *l, uint32_t k, uint32_t value, bool map, uint8_t act);

#endif

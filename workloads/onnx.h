/* ONNX files: read, evaluated by their definition, and turned into a network.
 *
 * The file is memory-mapped and stays so: weights in it, and in external data files beside it, are views. Opsets 11 to
 * 21 (older ones where an operator did not change). What is supported: docs/onnx.md. */
#ifndef PP_WORKLOADS_ONNX_H
#define PP_WORKLOADS_ONNX_H

#include "workloads/network.h"

/* PATH.onnx[:input=HxWxC][,output=NAME][,from=NAME][,ones=NAME] as a network; PATH.tflite the same (workloads/tflite.h). input: sizes of an input that the file leaves open; output: the
 * result to compute when the graph has several. from: a value inside the graph that the network begins with, of that size.
 * ones: an input all of whose elements are 1 (an attention mask). mean and std of the input come from NAME.json beside NAME.onnx
 * (fields input.mean, input.std of a model card) when there is one. The message of a failure names node and operator.
 */
pp_status pp_network_from_onnx(pp_network **out, const char *model);
/* Whether MODEL names such a file. */
bool pp_model_is_onnx(const char *model);

/* An ONNX file, read and checked: names resolved, nodes in an order of execution. Memory beside the map: at most 100
 * times the size of the file (names, node tables; weights are views), a small share of it when it holds weights. */
typedef struct pp_onnx pp_onnx;
pp_status pp_onnx_open(pp_onnx **out, const char *path);
void pp_onnx_close(pp_onnx *m); /* NULL allowed */
int64_t pp_onnx_opset(const pp_onnx *m);

/* The slow and obvious evaluator: every node by its definition, in double, results rounded to their type. Sizes are
 * limited by `room` bytes for all results together. It is the reference for the networks made from such files. */
typedef struct pp_onnx_array {
    int type; /* as TensorProto.DataType: 1 float, 7 int64 ... */
    uint32_t ndim;
    uint64_t dim[8];
    const void *data; /* row-major */
} pp_onnx_array;
typedef struct pp_onnx_run pp_onnx_run;
/* inputs: one for each graph input that is no initialiser, in order. */
pp_status pp_onnx_run_new(pp_onnx_run **out, const pp_onnx *m, const pp_onnx_array *inputs, uint32_t n, uint64_t room);
void pp_onnx_run_free(pp_onnx_run *run);
/* Result i of the graph; false: there is none. The view lives as long as the run (and the model). */
bool pp_onnx_run_output(const pp_onnx_run *run, uint32_t i, pp_onnx_array *out);

#endif

/* TensorFlow Lite files.
 *
 * The file is memory-mapped and its operators are written as ONNX nodes, so that evaluation, folding and networks are
 * those of workloads/onnx.h. Weights stay views of the map, also quantized ones and those whose channels come last.
 * Activations are numbers: scales and zero points of quantized activations are left to the program's own quantizer.
 * What is supported: docs/onnx.md. */
#ifndef PP_WORKLOADS_TFLITE_H
#define PP_WORKLOADS_TFLITE_H

#include "workloads/onnx.h"

/* The first graph of a .tflite file. Memory beside the map: at most 100 times the size of the file. An operator that is
 * not known becomes a node of its own name, which pp_onnx_run_new and networks refuse when they need it. */
pp_status pp_tflite_open(pp_onnx **out, const char *path);

#endif

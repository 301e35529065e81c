/* workloads/: where networks and data come from, and the float reference. */
#ifndef PP_WORKLOADS_WORKLOADS_H
#define PP_WORKLOADS_WORKLOADS_H

#include "workloads/cpu.h"
#include "workloads/network.h"
#include "workloads/onnx.h"
#include "workloads/stage.h"

/* ---- networks ---- */

/* Any MODEL of the command line: a built-in name, a path to `.onnx` (workloads/onnx.h), to `.safetensors` (its card is NAME.json
 * beside it) or to a card `.json`. Unknown names list the nearest one. A built-in network of shapes takes
 * options: `NAME:input=HxWxC,classes=N,relays=N`; its name then carries those that differ from its own. relays:
 * stages that hand a stream on, so that no stage has more than N neighbours. */
pp_status pp_model_open(pp_network **out, const char *model);
/* Built-in names with a word on each; NULL past the end. has_weights: shipped in the zoo. */
const char *pp_model_name(size_t i, const char **summary, bool *has_weights);
/* Folder of the zoo: $PENTAPRISM_ZOO, or the source tree, or the installed share folder. New string. */
pp_status pp_zoo_path(char **out, const char *file);

/* CIFAR ResNet, depth 6n + 2 (20, 32, 44, 56, 110), 32x32x3 input, 10 classes, shapes only.
 * widths[3]: channels of the stages. projection: shortcuts are 1x1 convolutions of stride 2 where the
 * shape changes; otherwise they are PP_OP_SUBSAMPLE (every second pixel, new channels zero: option A
 * of the paper, no parameters). batch_norm: count batch-norm parameters (convolutions then have no
 * bias). PAPER: he2015 sec. 4.2. */
pp_status pp_resnet_cifar(pp_network **out, const char *name, uint32_t depth, const uint32_t widths[3],
                          bool projection, bool batch_norm);

/* Safetensors file: header checked whole (sizes, offsets inside the file, neither overlaps nor holes,
 * dtypes, at most 4 dimensions). */
typedef struct pp_safetensors pp_safetensors;
pp_status pp_safetensors_open(pp_safetensors **out, const char *path);
void pp_safetensors_close(pp_safetensors *st);
size_t pp_safetensors_count(const pp_safetensors *st);
const char *pp_safetensors_name(const pp_safetensors *st, size_t i);
/* View of a tensor by name; valid until close. */
pp_status pp_safetensors_get(const pp_safetensors *st, const char *name, pp_tensor *out);
const char *pp_safetensors_metadata(const pp_safetensors *st, const char *key); /* NULL when absent */
/* SHA-256 of the whole file. */
void pp_safetensors_sha256(const pp_safetensors *st, char hex[65]);
/* Writes tensors (names[n], tensors[n], optional metadata pairs) atomically. */
pp_status pp_safetensors_write(const char *path, const char *const *names, const pp_tensor *tensors, size_t n,
                               const char *const (*metadata)[2], size_t n_metadata, bool force);

/* Safetensors + model card (layers, in order of execution; docs of its fields: card.c). The card names
 * the weights file beside it; without one the network has its shape only. */
pp_status pp_network_from_card(pp_network **out, const char *card_path);
/* The same with the weights of another file; weights_path NULL: the one that the card names. */
pp_status pp_network_from_card_weights(pp_network **out, const char *card_path, const char *weights_path);

/* GraphML task graph (docs/task-graphs.md): nodes with work, edges with bits. A network of PP_OP_TASK alone, which has no
 * values: it maps and simulates. Its input starts the tasks that wait for none; its output is the last task, or one
 * without work behind several last ones. The message of a failure names the line. */
pp_status pp_network_from_tasks(pp_network **out, const char *path);

/* ---- data ---- */

/* Images [n][h][w][c] as bytes, labels [n] below classes; classes 0: no labels (all are 0). */
typedef struct pp_dataset {
    char *name;       /* base name of the file */
    char sha256[65];  /* of the file content read */
    uint32_t n, h, w, c, classes;
    uint8_t *pixels;
    uint16_t *labels;
} pp_dataset;
/* DATA: "cifar10-test-1000", "cifar10-calib" (zoo), or a path: CIFAR-10 binary (.bin: a file, or a
 * folder holding test_batch.bin), IDX pair (`...-images-idx3-ubyte[.gz]`; labels beside it), and
 * "fashion-mnist[-train]" from Debian's dataset-fashion-mnist; or a folder of images (.png .jpg .ppm): a folder a
 * class, numbered by their names, which may be numbers; or images alone, which have no labels. `FOLDER:size=HxW`
 * brings images to one size. Images of the classes come in turn. limit 0: all. */
pp_status pp_dataset_open(pp_dataset **out, const char *data, uint32_t limit);
void pp_dataset_free(pp_dataset *data);
/* Images must fit the input of the network; one line otherwise. */
pp_status pp_dataset_feeds(const pp_dataset *data, const pp_network *net);
/* And labels its output: for accuracy. */
pp_status pp_dataset_fits(const pp_dataset *data, const pp_network *net);
/* Image i normalised for the network: float [h][w][c]. */
void pp_dataset_normalise(const pp_dataset *data, const pp_network *net, uint32_t i, float *out);

/* ---- float reference ---- */

/* Slow and obvious: every operator by its definition, all results kept. in [h][w][c]; out: the
 * results of all operators, results[op] = new array of its shape (caller frees each and the list). */
pp_status pp_ref_run(const pp_network *net, const float *in, float ***results);
void pp_ref_free(const pp_network *net, float **results);

/* Fast: stage by stage, fused, SIMD (AVX2/FMA when the processor has it, plain C otherwise, chosen at
 * run time), one image a worker. Equal to the reference within float rounding. */
typedef struct pp_float_exec pp_float_exec;
pp_status pp_float_exec_new(pp_float_exec **out, const pp_network *net, const pp_stages *stages);
void pp_float_exec_free(pp_float_exec *exec);
/* Called for each stage's stream of each image (stream 0 too); data [h][w][c], valid in the call
 * only. Calls come from several workers at once, one image by one worker. */
typedef pp_status (*pp_stream_tap)(void *payload, uint32_t stream, uint32_t image, const float *data);
/* Images [first, first + n) of `data` -> logits[n][outputs of the network]. tap may be NULL. Results of
 * an image do not depend on threads or on the batch; between processors with different kernels
 * (workloads/cpu.h) they differ by rounding. One run at a time on one executor. */
pp_status pp_float_exec_run(pp_float_exec *exec, pp_pool *pool, const pp_dataset *data, uint32_t first, uint32_t n,
                            float *logits, pp_stream_tap tap, void *payload);
/* Share of rows whose largest logit (lowest index on ties) is the label. */
double pp_top1(const float *logits, const uint16_t *labels, uint32_t n, uint32_t classes);

#endif

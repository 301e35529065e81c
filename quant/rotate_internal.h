/* The rotation of stages, inside quant/. */
#ifndef PP_QUANT_ROTATE_INTERNAL_H
#define PP_QUANT_ROTATE_INTERNAL_H

#include "quant/quant_internal.h"
#include "quant/rotate_stage.h"

/* Whether the options rotate the input of this stage: a matrix without groups, at least 4 channels, listed. */
bool pp_stage_rotates(const pp_qnetwork *q, uint32_t stage);
/* Blocks and format, no scale yet. *out is set, for pp_qrotate_free, also on failure. */
pp_status pp_qrotate_new(pp_qrotate **out, const pp_qnetwork *q, uint32_t stage);
void pp_qrotate_free(pp_qrotate *r); /* NULL allowed */
/* Step of the rotated codes: multipliers and tables follow from it and the stream's. */
pp_status pp_qrotate_scale(const pp_qnetwork *q, uint32_t stage, double scale);
/* rotate->weight from the network's. */
pp_status pp_qrotate_load_weights(const pp_qnetwork *q, uint32_t stage);
/* Sums x H of one block, in x or in spare (both [h->n]). */
const int32_t *pp_qrotate_sums(const pp_hadamard *h, int32_t *x, int32_t *spare);
/* Scale and quality of a stage's rotation from its input on the calibration images. */
pp_status pp_qrotate_calibrate(const pp_qrun *run, uint32_t stage);

#endif

/* The rotation of stages, inside quant/. */
#ifndef PP_QUANT_ROTATE_INTERNAL_H
#define PP_QUANT_ROTATE_INTERNAL_H

#include "quant/quant_internal.h"
#include "quant/rotate_stage.h"

/* Whether the options rotate the input of this stage: a matrix without groups, at least 4 channels, listed. *why: what stands
 * in the way where they ask for it, else NULL. */
bool pp_stage_rotates(const pp_qnetwork *q, uint32_t stage, const char **why);
/* PP_EINVAL: quant.rotate_layers has a name that no layer with a matrix has. */
pp_status pp_qrotate_check_names(const pp_qnetwork *q);
/* Fraction bits and width of a producer's words before the transform; the most channels that one transforms. */
enum { PP_ROTATE_FRACTION = 8, PP_ROTATE_WORD = 24, PP_ROTATE_OUT_MAX = 4096 };
/* Gives the rotations to the stages that write their streams, where the options say so. What cannot be rotated there stays
 * plain, with its reason; PP_EUNSUPPORTED names the layer and the reason when quant.rotate_layers asks for it. */
pp_status pp_qrotate_place(pp_qnetwork *q);
/* pp_qstage_tail with one of the two transforms. */
typedef void pp_qrotate_out_fn(const pp_qnetwork *q, uint32_t stage, uint32_t lo, uint32_t hi, int64_t *x);
void pp_qstage_tail_by(const pp_qnetwork *q, uint32_t stage, const int64_t *act, int16_t *codes, double *logits,
                       pp_qrotate_out_fn *rotate);
/* Scale of a producer's rotated stream and its quality, from the float streams that the calibration kept, which are rotated
 * in place. */
pp_status pp_qrotate_calibrate_out(const pp_qrun *run, uint32_t stage);
/* Blocks and format, no scale yet. *out is set, for pp_qrotate_free, also on failure. */
pp_status pp_qrotate_new(pp_qrotate **out, const pp_qnetwork *q, uint32_t stage);
void pp_qrotate_free(pp_qrotate *r); /* NULL allowed */
/* Step of the rotated codes: multipliers (and at the consumer tables) follow from it and the stream's. */
pp_status pp_qrotate_scale(const pp_qnetwork *q, uint32_t stage, double scale);
/* rotate->weight from the network's. */
pp_status pp_qrotate_load_weights(const pp_qnetwork *q, uint32_t stage);
/* Sums x H of one block, in x or in spare (both [h->n]). */
const int32_t *pp_qrotate_sums(const pp_hadamard *h, int32_t *x, int32_t *spare);
/* Scale and quality of a stage's rotation from its input on the calibration images. */
pp_status pp_qrotate_calibrate(const pp_qrun *run, uint32_t stage);

#endif

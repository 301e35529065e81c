/* A picture of one transformer block on its fabric: cores by operator, channels by load. */
#ifndef PP_REPORT_LM_PICTURE_H
#define PP_REPORT_LM_PICTURE_H

#include "mapper/lm_map.h"

/* Draws the groups of level 0 that block `layer` uses, side by side as they stand on the levels above, to .svg or .png.
 * A channel's colour and width are the time that a token keeps it busy, whoever sends. PP_ERANGE: no such block, or more
 * than 65,536 cores to draw. */
pp_status pp_lm_picture_write(const pp_lm_mapping *m, uint32_t layer, const char *path, bool force);

#endif

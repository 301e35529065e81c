/* Image files as bytes. Private to this room. */
#ifndef PP_WORKLOADS_IMAGE_INTERNAL_H
#define PP_WORKLOADS_IMAGE_INTERNAL_H

#include "base/base.h"

/* Pixels [h][w][c], c 1 (gray) or 3 (red, green, blue); transparency is dropped. Owned: pixels. */
typedef struct pp_image {
    uint32_t h, w, c;
    uint8_t *pixels;
} pp_image;

#define PP_IMAGE_SIDE 16384u

/* A PNG (8 bits a sample and less, 16 cut to 8), a JPEG (gray, colour, CMYK as colour; EXIF, with its rotations, is not
 * looked at), or PGM/PPM (P5, P6 of 8 bits), by its content. */
pp_status pp_image_read_(pp_image *out, const char *path);
pp_status pp_jpeg_read_(pp_image *out, const pp_file *file);
pp_status pp_png_read_(pp_image *out, const pp_file *file);
void pp_image_free_(pp_image *image);
/* Another size: each pixel the mean of the area that it covers, and where the image grows, the pixel it lies in. */
pp_status pp_image_resize_(pp_image *image, uint32_t h, uint32_t w);

#endif

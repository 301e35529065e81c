/* Image files by their content; other sizes. */
#include "workloads/image_internal.h"

#include <stdlib.h>
#include <string.h>

void pp_image_free_(pp_image *image)
{
    free(image->pixels);
    *image = (pp_image){0};
}

/* ---- PGM and PPM ---- */

/* The next number of a header, behind space and comments. */
static bool header_number(const pp_file *f, size_t *at, uint32_t *out)
{
    while (*at < f->size && (f->data[*at] == '#' || f->data[*at] == ' ' || f->data[*at] == '\n' || f->data[*at] == '\r' ||
                             f->data[*at] == '\t')) {
        bool comment = f->data[*at] == '#';
        do
            ++*at;
        while (comment && *at < f->size && f->data[*at] != '\n');
    }
    *out = 0;
    size_t first = *at;
    for (; *at < f->size && *at - first < 6 && f->data[*at] >= '0' && f->data[*at] <= '9'; ++*at)
        *out = *out * 10 + (uint32_t)(f->data[*at] - '0');
    return *at > first;
}

static pp_status pnm_read(pp_image *out, const pp_file *f)
{
    uint32_t n[3] = {0}, c = f->data[1] == '6' ? 3 : 1;
    size_t at = 2;
    for (uint32_t i = 0; i < 3; i++)
        if (!header_number(f, &at, &n[i]))
            return pp_fail_at(PP_EFORMAT, f->path, 0, "a wrong header; expected P5 or P6, width, height, 255");
    at++; /* one space */
    if (n[0] < 1 || n[1] < 1 || n[0] > PP_IMAGE_SIDE || n[1] > PP_IMAGE_SIDE || n[2] != 255)
        return pp_fail_at(PP_ERANGE, f->path, 0, "%u x %u pixels up to %u; sides of 1 to %u and 255 are read", n[0], n[1],
                          n[2], PP_IMAGE_SIDE);
    size_t size = (size_t)n[0] * n[1] * c;
    if (at > f->size || f->size - at < size)
        return pp_fail_at(PP_EFORMAT, f->path, 0, "truncated");
    *out = (pp_image){.h = n[1], .w = n[0], .c = c, .pixels = pp_alloc(size, 1)};
    if (!out->pixels)
        return PP_ENOMEM;
    memcpy(out->pixels, f->data + at, size);
    return PP_OK;
}

pp_status pp_image_read_(pp_image *out, const char *path)
{
    static const uint8_t png[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    pp_file *file = NULL;
    *out = (pp_image){0};
    PP_TRY(pp_file_map(&file, path));
    pp_status status;
    if (file->size > 8 && memcmp(file->data, png, 8) == 0)
        status = pp_png_read_(out, file);
    else if (file->size > 8 && file->data[0] == 'P' && (file->data[1] == '5' || file->data[1] == '6'))
        status = pnm_read(out, file);
    else if (file->size > 8 && file->data[0] == 0xff && file->data[1] == 0xd8)
        status = pp_jpeg_read_(out, file);
    else
        status = pp_fail_at(PP_EFORMAT, path, 0, "neither PNG nor JPEG nor binary PGM or PPM");
    pp_file_unmap(file);
    return status;
}

/* ---- sizes ---- */

/* Overlap of [i, i + 1) of n new pixels with old pixel k of m, in parts of m n. */
static uint64_t overlap(uint32_t i, uint32_t n, uint32_t k, uint32_t m)
{
    uint64_t a = (uint64_t)i * m, b = a + m, c = (uint64_t)k * n, d = c + n;
    uint64_t lo = a > c ? a : c, hi = b < d ? b : d;
    return hi > lo ? hi - lo : 0;
}

/* The mean of what pixel (y, x) of the new image covers of the old one. */
static uint8_t covered(const pp_image *from, uint32_t y, uint32_t x, uint32_t h, uint32_t w, uint32_t c)
{
    uint64_t sum = 0, all = (uint64_t)from->h * from->w;
    uint32_t y0 = (uint32_t)((uint64_t)y * from->h / h), y1 = (uint32_t)(((uint64_t)(y + 1) * from->h - 1) / h);
    uint32_t x0 = (uint32_t)((uint64_t)x * from->w / w), x1 = (uint32_t)(((uint64_t)(x + 1) * from->w - 1) / w);
    for (uint32_t i = y0; i <= y1; i++)
        for (uint32_t k = x0; k <= x1; k++)
            sum += overlap(y, h, i, from->h) * overlap(x, w, k, from->w) * from->pixels[((size_t)i * from->w + k) * from->c + c];
    return (uint8_t)((sum + all / 2) / all);
}

pp_status pp_image_resize_(pp_image *image, uint32_t h, uint32_t w)
{
    if (image->h == h && image->w == w)
        return PP_OK;
    uint8_t *to = pp_alloc((size_t)h * w, image->c);
    if (!to)
        return PP_ENOMEM;
    for (uint32_t y = 0; y < h; y++)
        for (uint32_t x = 0; x < w; x++)
            for (uint32_t c = 0; c < image->c; c++)
                to[((size_t)y * w + x) * image->c + c] = covered(image, y, x, h, w, c);
    free(image->pixels);
    *image = (pp_image){.h = h, .w = w, .c = image->c, .pixels = to};
    return PP_OK;
}

/* JPEG through libjpeg: gray and colour, baseline and progressive; CMYK becomes colour. The library ends by a jump when a
 * file is damaged, and warns where data are lost: both are one line here. */
#include "workloads/image_internal.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

enum { SCANS = 100 }; /* of a progressive file; encoders write about ten */

typedef struct jpeg {
    struct jpeg_error_mgr error; /* first: the library hands it back */
    struct jpeg_decompress_struct d;
    struct jpeg_progress_mgr progress;
    const pp_file *file;
    jmp_buf out;
    pp_status status;
    uint8_t *line; /* CMYK: one line */
    pp_image image;
} jpeg;

static _Noreturn void leave(jpeg *j, pp_status status)
{
    j->status = status;
    longjmp(j->out, 1);
}

static void on_error(j_common_ptr d)
{
    jpeg *j = (jpeg *)(void *)d->err;
    char text[JMSG_LENGTH_MAX];
    if (j->error.msg_code == JERR_OUT_OF_MEMORY)
        leave(j, PP_ENOMEM);
    j->error.format_message(d, text);
    leave(j, pp_fail_at(PP_EFORMAT, j->file->path, 0, "damaged JPEG: %s", text));
}

/* Bytes that nobody needs are passed over, as everywhere; what is lost is not. */
static void on_message(j_common_ptr d, int level)
{
    const int code = d->err->msg_code;
    if (level < 0 && code != JWRN_EXTRANEOUS_DATA && code != JWRN_ADOBE_XFORM && code != JWRN_JFIF_MAJOR)
        on_error(d);
}

static void on_progress(j_common_ptr d)
{
    jpeg *j = (jpeg *)(void *)d->err;
    if (j->d.input_scan_number > SCANS)
        leave(j, pp_fail_at(PP_EUNSUPPORTED, j->file->path, 0, "a JPEG of more than %d scans", SCANS));
}

static void check_header(jpeg *j)
{
    const uint32_t w = j->d.image_width, h = j->d.image_height;
    if (w < 1 || h < 1 || w > PP_IMAGE_SIDE || h > PP_IMAGE_SIDE)
        leave(j, pp_fail_at(PP_ERANGE, j->file->path, 0, "%u x %u pixels; sides of 1 to %u are read", w, h, PP_IMAGE_SIDE));
    if (j->d.arith_code)
        leave(j, pp_fail_at(PP_EUNSUPPORTED, j->file->path, 0, "a JPEG with arithmetic coding; store it with Huffman's"));
    /* A bit for 64 pixels at least: a small file cannot ask for much. */
    if ((uint64_t)w * h > ((uint64_t)j->file->size + 64) * 512)
        leave(j, pp_fail_at(PP_EFORMAT, j->file->path, 0, "more pixels than its data can hold"));
}

/* Inks as Adobe stores them, 255 for none, or the other way. */
static void colour_of_inks(const jpeg *j, uint8_t *to)
{
    const uint8_t flip = j->d.saw_Adobe_marker ? 0 : 255;
    for (uint32_t x = 0; x < j->image.w; x++)
        for (uint32_t c = 0; c < 3; c++) {
            const uint32_t ink = j->line[4 * x + c] ^ flip, key = j->line[4 * x + 3] ^ flip;
            to[3 * x + c] = (uint8_t)((ink * key + 127) / 255);
        }
}

static void read_lines(jpeg *j)
{
    const bool inks = j->d.out_color_space == JCS_CMYK;
    const size_t line = (size_t)j->image.w * j->image.c;
    while (j->d.output_scanline < j->image.h) {
        uint8_t *to = j->image.pixels + j->d.output_scanline * line;
        JSAMPROW row = inks ? j->line : to;
        jpeg_read_scanlines(&j->d, &row, 1);
        if (inks)
            colour_of_inks(j, to);
    }
}

static void read_all(jpeg *j)
{
    jpeg_mem_src(&j->d, j->file->data, (unsigned long)j->file->size);
    jpeg_read_header(&j->d, TRUE);
    check_header(j);
    const J_COLOR_SPACE stored = j->d.jpeg_color_space;
    j->d.out_color_space = stored == JCS_GRAYSCALE ? JCS_GRAYSCALE : stored == JCS_CMYK || stored == JCS_YCCK ? JCS_CMYK : JCS_RGB;
    j->d.dct_method = JDCT_ISLOW; /* the same values on every machine */
    jpeg_start_decompress(&j->d);
    j->image = (pp_image){.h = j->d.output_height, .w = j->d.output_width, .c = stored == JCS_GRAYSCALE ? 1 : 3};
    j->image.pixels = pp_alloc((size_t)j->image.h * j->image.w, j->image.c);
    j->line = j->d.out_color_space == JCS_CMYK ? pp_alloc(j->image.w, 4) : NULL;
    if (!j->image.pixels || (j->d.out_color_space == JCS_CMYK && !j->line))
        leave(j, PP_ENOMEM);
    read_lines(j);
    jpeg_finish_decompress(&j->d);
}

pp_status pp_jpeg_read_(pp_image *out, const pp_file *file)
{
    jpeg *j = pp_calloc(1, sizeof *j);
    *out = (pp_image){0};
    if (!j)
        return PP_ENOMEM;
    j->file = file;
    j->d.err = jpeg_std_error(&j->error);
    j->error.error_exit = on_error;
    j->error.emit_message = on_message;
    j->progress.progress_monitor = on_progress;
    if (setjmp(j->out) == 0) {
        jpeg_create_decompress(&j->d);
        j->d.progress = &j->progress;
        read_all(j);
    }
    jpeg_destroy_decompress(&j->d);
    free(j->line);
    const pp_status status = j->status;
    if (status == PP_OK)
        *out = j->image;
    else
        pp_image_free_(&j->image);
    free(j);
    return status;
}

/* JPEG files of every kind, encoded here by libjpeg: what comes back is the picture, damaged files are one line. */
#include "test_workloads.h"
#include "workloads/image_internal.h"

#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jpeglib.h>

enum { W = 37, H = 21, PIXELS = W * H };

/* A smooth picture of c samples a pixel, so that little is lost. */
static void paint(uint8_t *to, uint32_t c)
{
    for (uint32_t y = 0; y < H; y++)
        for (uint32_t x = 0; x < W; x++)
            for (uint32_t s = 0; s < c; s++)
                to[(y * W + x) * c + s] = (uint8_t)(40 + 3 * x + (s + 1) * y);
}

typedef struct kind {
    J_COLOR_SPACE space;
    uint32_t samples;
    bool progressive, arithmetic, adobe;
} kind;

static unsigned char *encode(const kind *k, unsigned long *size)
{
    struct jpeg_compress_struct e;
    struct jpeg_error_mgr error;
    static uint8_t picture[PIXELS * 4];
    unsigned char *out = NULL;
    *size = 0;
    paint(picture, k->samples);
    e.err = jpeg_std_error(&error);
    jpeg_create_compress(&e);
    jpeg_mem_dest(&e, &out, size);
    e.image_width = W;
    e.image_height = H;
    e.input_components = (int)k->samples;
    e.in_color_space = k->space;
    jpeg_set_defaults(&e);
    jpeg_set_quality(&e, 97, TRUE);
    e.arith_code = k->arithmetic;
    e.write_Adobe_marker = k->adobe;
    if (k->progressive)
        jpeg_simple_progression(&e);
    jpeg_start_compress(&e, TRUE);
    for (uint32_t y = 0; y < H; y++) {
        JSAMPROW row = picture + y * W * k->samples;
        jpeg_write_scanlines(&e, &row, 1);
    }
    jpeg_finish_compress(&e);
    jpeg_destroy_compress(&e);
    return out;
}

static void write_jpeg(const char *path, const kind *k)
{
    unsigned long size;
    unsigned char *data = encode(k, &size);
    write_file(path, data, size);
    free(data);
}

static const kind gray = {.space = JCS_GRAYSCALE, .samples = 1}, colour = {.space = JCS_RGB, .samples = 3},
                  progressive = {.space = JCS_RGB, .samples = 3, .progressive = true},
                  inks = {.space = JCS_CMYK, .samples = 4}, adobe = {.space = JCS_CMYK, .samples = 4, .adobe = true},
                  arithmetic = {.space = JCS_RGB, .samples = 3, .arithmetic = true};

/* What sample c of a pixel of the picture is as colour. */
static double wanted(const kind *k, const uint8_t *pixel, uint32_t c)
{
    if (k->samples < 4)
        return pixel[c];
    return k->adobe ? pixel[c] * pixel[3] / 255.0 : (255 - pixel[c]) * (255 - pixel[3]) / 255.0;
}

static void the_picture_comes_back(void **state)
{
    (void)state;
    const kind *kinds[] = {&gray, &colour, &progressive, &inks, &adobe};
    uint8_t picture[PIXELS * 4];
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        pp_image image;
        double error = 0;
        write_jpeg("t.jpg", kinds[i]);
        assert_ok(pp_image_read_(&image, "t.jpg"));
        assert_true(image.w == W && image.h == H && image.c == (kinds[i]->samples == 1 ? 1u : 3u));
        paint(picture, kinds[i]->samples);
        for (uint32_t p = 0; p < PIXELS; p++)
            for (uint32_t c = 0; c < image.c; c++)
                error += fabs(image.pixels[p * image.c + c] - wanted(kinds[i], picture + p * kinds[i]->samples, c));
        assert_true(error / (PIXELS * image.c) < 2);
        pp_image_free_(&image);
    }
}

static void read_anyway(const uint8_t *data, size_t n)
{
    pp_image image;
    write_file("t.jpg", data, n);
    if (pp_image_read_(&image, "t.jpg") != PP_OK) {
        assert_null(image.pixels);
        assert_non_null(strstr(pp_error_text(), "t.jpg"));
    }
    pp_image_free_(&image);
}

static void damaged_files_are_one_line(void **state)
{
    (void)state;
    const kind *kinds[] = {&colour, &progressive};
    pp_image image;
    for (size_t i = 0; i < 2; i++) {
        unsigned long size;
        unsigned char *data = encode(kinds[i], &size);
        for (size_t n = 3; n < size; n += 29) {
            write_file("t.jpg", data, n);
            assert_fails(pp_image_read_(&image, "t.jpg"), n < 9 ? "t.jpg" : "t.jpg: damaged JPEG: ");
            assert_null(image.pixels);
        }
        for (size_t at = 2; at < size; at += 7) {
            data[at] ^= (uint8_t)(1 + at * 37 % 255);
            read_anyway(data, size);
            data[at] ^= (uint8_t)(1 + at * 37 % 255);
        }
        free(data);
    }
    write_jpeg("t.jpg", &arithmetic);
    assert_fails(pp_image_read_(&image, "t.jpg"), "arithmetic coding");
}

/* A frame of another size in front of the same data. */
static void sizes_that_cannot_be(void **state)
{
    (void)state;
    unsigned long size;
    unsigned char *data = encode(&gray, &size);
    pp_image image;
    size_t at = 2;
    while (!(data[at] == 0xff && data[at + 1] == 0xc0))
        at += 2 + ((size_t)data[at + 2] << 8 | data[at + 3]);
    memcpy(data + at + 5, "\x3f\xff\x3f\xff", 4);
    write_file("t.jpg", data, size);
    assert_fails(pp_image_read_(&image, "t.jpg"), "more pixels than its data can hold");
    memcpy(data + at + 5, "\x7f\xff\x00\x01", 4);
    write_file("t.jpg", data, size);
    assert_fails(pp_image_read_(&image, "t.jpg"), "1 x 32767 pixels");
    free(data);
}

static void folders_hold_them(void **state)
{
    (void)state;
    pp_dataset *d = NULL;
    mkdir("photos", 0777);
    write_jpeg("photos/a.JPEG", &colour);
    write_jpeg("photos/b.jpg", &gray); /* gray among colour takes three equal ones */
    assert_ok(pp_dataset_open(&d, "photos:size=7x5", 0));
    assert_true(d->n == 2 && d->h == 7 && d->w == 5 && d->c == 3);
    assert_true(d->pixels[105] == d->pixels[106] && d->pixels[106] == d->pixels[107]);
    pp_dataset_free(d);
    remove("photos/a.JPEG");
    remove("photos/b.jpg");
    rmdir("photos");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_picture_comes_back), cmocka_unit_test(damaged_files_are_one_line),
                                       cmocka_unit_test(sizes_that_cannot_be), cmocka_unit_test(folders_hold_them)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

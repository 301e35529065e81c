/* PNG, PGM and PPM files of every kind, damaged ones, sizes by hand, folders as data sets. */
#include "test_workloads.h"
#include "workloads/image_internal.h"

#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

typedef struct file {
    uint8_t data[1 << 14];
    size_t n;
} file;

static void add(file *f, const void *data, size_t n)
{
    assert_true(f->n + n <= sizeof f->data);
    memcpy(f->data + f->n, data, n);
    f->n += n;
}

static void add_big(file *f, uint32_t v)
{
    add(f, (const uint8_t[]){(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v}, 4);
}

static void add_chunk(file *f, const char *type, const void *data, uint32_t n)
{
    add_big(f, n);
    size_t at = f->n;
    add(f, type, 4);
    add(f, data, n);
    add_big(f, (uint32_t)crc32(crc32(0, NULL, 0), f->data + at, n + 4));
}

/* A sample of the picture: any byte. */
static uint8_t byte_at(uint32_t y, uint32_t i)
{
    return (uint8_t)(y * 37 + i * 11 + (y * i) % 13);
}

static uint8_t predicted(uint8_t kind, int a, int b, int c)
{
    int p = a + b - c, pa = abs(p - a), pb = abs(p - b), pc = abs(p - c);
    const int guess[5] = {0, a, b, (a + b) / 2, pa <= pb && pa <= pc ? a : pb <= pc ? b : c};
    return (uint8_t)guess[kind];
}

/* A PNG of w x h whose bytes are byte_at, filters 0 to 4 in turn, in two IDAT chunks. */
static void make_png(file *f, uint32_t w, uint32_t h, uint8_t depth, uint8_t kind, uint8_t interlace)
{
    static const uint32_t samples[7] = {1, 0, 3, 1, 2, 0, 4};
    uint8_t raw[4096], packed[4096], header[13] = {0}, palette[768];
    size_t line = ((size_t)w * samples[kind] * depth + 7) / 8, step = samples[kind] * depth / 8, n = 0;
    step = step ? step : 1;
    for (uint32_t y = 0; y < h; y++) {
        raw[n++] = (uint8_t)(y % 5);
        for (size_t i = 0; i < line; i++) {
            uint8_t a = i >= step ? byte_at(y, (uint32_t)(i - step)) : 0, b = y ? byte_at(y - 1, (uint32_t)i) : 0;
            uint8_t c = y && i >= step ? byte_at(y - 1, (uint32_t)(i - step)) : 0;
            raw[n++] = (uint8_t)(byte_at(y, (uint32_t)i) - predicted((uint8_t)(y % 5), a, b, c));
        }
    }
    uLongf size = sizeof packed;
    assert_int_equal(compress(packed, &size, raw, n), Z_OK);
    header[3] = (uint8_t)w;
    header[7] = (uint8_t)h;
    header[8] = depth;
    header[9] = kind;
    header[12] = interlace;
    for (uint32_t i = 0; i < 768; i++)
        palette[i] = (uint8_t)(255 - i / 3 + i % 3);
    f->n = 0;
    add(f, "\x89PNG\r\n\x1a\n", 8);
    add_chunk(f, "IHDR", header, 13);
    add_chunk(f, "tEXt", "Title\0x", 7);
    if (kind == 3)
        add_chunk(f, "PLTE", palette, 768);
    add_chunk(f, "IDAT", packed, 5);
    add_chunk(f, "IDAT", packed + 5, (uint32_t)size - 5);
    add_chunk(f, "IEND", "", 0);
}

/* The same picture of 8 bits a sample in the seven passes of an interlaced file, whose lines are predicted from their own pass. */
static void make_interlaced(file *f, uint32_t w, uint32_t h, uint8_t kind)
{
    static const uint8_t passes[7][4] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
    const uint32_t samples = kind == 2 ? 3 : 1;
    uint8_t raw[4096], packed[4096], header[13] = {0, 0, 0, (uint8_t)w, 0, 0, 0, (uint8_t)h, 8, kind, 0, 0, 1};
    size_t n = 0;
    for (size_t p = 0; p < 7; p++) {
        const uint32_t x0 = passes[p][0], y0 = passes[p][1], dx = passes[p][2], dy = passes[p][3];
        for (uint32_t y = y0; y < h && x0 < w; y += dy) {
            const uint8_t filter = (uint8_t)((y + p) % 5);
            raw[n++] = filter;
            for (uint32_t x = x0; x < w; x += dx)
                for (uint32_t s = 0; s < samples; s++) {
                    const uint32_t i = x * samples + s, left = i - dx * samples;
                    const bool first = x == x0, top = y == y0;
                    raw[n++] = (uint8_t)(byte_at(y, i) - predicted(filter, first ? 0 : byte_at(y, left), top ? 0 : byte_at(y - dy, i),
                                                                   first || top ? 0 : byte_at(y - dy, left)));
                }
        }
    }
    uLongf size = sizeof packed;
    assert_int_equal(compress(packed, &size, raw, n), Z_OK);
    f->n = 0;
    add(f, "\x89PNG\r\n\x1a\n", 8);
    add_chunk(f, "IHDR", header, 13);
    add_chunk(f, "IDAT", packed, (uint32_t)size);
    add_chunk(f, "IEND", "", 0);
}

static void interlaced_png(void **state)
{
    (void)state;
    static file f;
    for (uint32_t w = 1; w < 20; w += w < 10 ? 1 : 4)
        for (uint32_t h = 1; h < 20; h += h < 10 ? 1 : 4)
            for (uint8_t kind = 0; kind <= 2; kind = (uint8_t)(kind + 2)) {
                pp_image image;
                make_interlaced(&f, w, h, kind);
                write_file("t.png", f.data, f.n);
                assert_ok(pp_image_read_(&image, "t.png"));
                assert_true(image.w == w && image.h == h && image.c == (kind == 2 ? 3u : 1u));
                for (uint32_t y = 0; y < h; y++)
                    for (uint32_t i = 0; i < w * image.c; i++)
                        assert_int_equal(image.pixels[y * w * image.c + i], byte_at(y, i));
                pp_image_free_(&image);
            }
}

/* What sample s of line y is, as a byte. */
static uint8_t expected(uint32_t y, uint32_t s, uint8_t depth, bool palette)
{
    if (depth >= 8)
        return byte_at(y, s * depth / 8);
    uint32_t each = 8u / depth, most = (1u << depth) - 1;
    uint32_t v = (uint32_t)byte_at(y, s / each) >> (8 - depth * (s % each + 1)) & most;
    return (uint8_t)(palette ? v : v * 255 / most);
}

static void png_of_every_kind(void **state)
{
    (void)state;
    static const uint8_t kinds[][2] = {{8, 0}, {8, 2}, {8, 3}, {8, 4}, {8, 6}, {16, 0}, {16, 2}, {16, 4},
                                       {16, 6}, {1, 0}, {2, 0}, {4, 0}, {1, 3}, {2, 3}, {4, 3}};
    static const uint32_t samples[7] = {1, 0, 3, 1, 2, 0, 4};
    static file f;
    for (size_t t = 0; t < sizeof kinds / sizeof *kinds; t++) {
        uint8_t depth = kinds[t][0], kind = kinds[t][1];
        pp_image image;
        make_png(&f, 9, 11, depth, kind, 0);
        write_file("t.png", f.data, f.n);
        assert_ok(pp_image_read_(&image, "t.png"));
        assert_true(image.w == 9 && image.h == 11 && image.c == (kind == 0 || kind == 4 ? 1u : 3u));
        for (uint32_t y = 0; y < 11; y++)
            for (uint32_t x = 0; x < 9; x++)
                for (uint32_t c = 0; c < image.c; c++) {
                    uint8_t have = image.pixels[(y * 9 + x) * image.c + c];
                    uint8_t v = expected(y, x * samples[kind] + (kind == 3 ? 0 : c), depth, kind == 3);
                    assert_int_equal(have, kind == 3 ? (uint8_t)(255 - v + c) : v);
                }
        pp_image_free_(&image);
    }
}

static void refused_file(const file *f, const char *says)
{
    pp_image image;
    write_file("t.png", f->data, f->n);
    assert_fails(pp_image_read_(&image, "t.png"), says);
    assert_null(image.pixels);
}

static void damaged_png(void **state)
{
    (void)state;
    static file f, whole;
    pp_image image;
    make_png(&f, 9, 11, 8, 2, 1); /* its data are those of one that is not */
    refused_file(&f, "size says");
    make_png(&f, 9, 11, 8, 2, 2);
    refused_file(&f, "interlace method");
    make_png(&f, 9, 11, 8, 2, 0);
    whole = f;
    f.n = 20;
    refused_file(&f, "t.png: truncated");
    f = whole;
    f.data[f.n - 20] ^= 1;
    refused_file(&f, "a checksum is wrong");
    make_png(&f, 9, 0, 8, 2, 0);
    refused_file(&f, "9 x 0 pixels");
    make_png(&f, 9, 11, 3, 2, 0);
    refused_file(&f, "a kind of pixel that PNG does not have");
    f.n = 8; /* a header that promises more than can follow */
    add_chunk(&f, "IHDR", "\0\0\x40\0\0\0\x40\0\x10\x06\0\0\0", 13);
    refused_file(&f, "more pixels than its data can hold");
    f.n = 0;
    add(&f, "GIF89a..........", 16);
    refused_file(&f, "neither PNG nor JPEG nor binary PGM or PPM");
    /* With right checksums, anything may be in the parts. */
    const size_t first = 8 + 25 + 19 + 4, second = first + 4 + 5 + 4 + 4; /* types of the two IDAT */
    const uint32_t more = (uint32_t)(whole.n - 12 - 4 - second - 4);
    for (uint32_t i = 0; i < 5 + more; i++) {
        const size_t at = i < 5 ? first : second, n = i < 5 ? 5 : more;
        f = whole;
        f.data[at + 4 + (i < 5 ? i : i - 5)] ^= (uint8_t)(1 + i * 37);
        f.n = at + 4 + n;
        add_big(&f, (uint32_t)crc32(crc32(0, NULL, 0), f.data + at, (uInt)n + 4));
        f.n = whole.n;
        write_file("t.png", f.data, f.n);
        if (pp_image_read_(&image, "t.png") != PP_OK)
            assert_null(image.pixels);
        pp_image_free_(&image);
    }
}

static void pgm_and_ppm(void **state)
{
    (void)state;
    pp_image image;
    write_file("t.ppm", "P6 # by hand\n2 1\n255\nabcdef", 27);
    assert_ok(pp_image_read_(&image, "t.ppm"));
    assert_true(image.w == 2 && image.h == 1 && image.c == 3);
    assert_memory_equal(image.pixels, "abcdef", 6);
    pp_image_free_(&image);
    write_file("t.pgm", "P5\n1 2 255 xy", 13);
    assert_ok(pp_image_read_(&image, "t.pgm"));
    assert_true(image.w == 1 && image.h == 2 && image.c == 1);
    assert_memory_equal(image.pixels, "xy", 2);
    pp_image_free_(&image);
    write_file("t.pgm", "P5\n1 3 255 xy", 13);
    assert_fails(pp_image_read_(&image, "t.pgm"), "truncated");
    write_file("t.pgm", "P5\n1 1 65535 xy", 15);
    assert_fails(pp_image_read_(&image, "t.pgm"), "up to 65535");
    write_file("t.pgm", "P5\nwide     ", 12);
    assert_fails(pp_image_read_(&image, "t.pgm"), "a wrong header");
}

static void sizes_by_hand(void **state)
{
    (void)state;
    pp_image image = {.h = 2, .w = 4, .c = 1, .pixels = malloc(8)};
    memcpy(image.pixels, (const uint8_t[]){0, 10, 20, 30, 40, 50, 60, 70}, 8);
    assert_ok(pp_image_resize_(&image, 1, 2));
    assert_memory_equal(image.pixels, ((const uint8_t[]){25, 45}), 2);
    assert_ok(pp_image_resize_(&image, 2, 4)); /* twice as large: each pixel four times */
    assert_memory_equal(image.pixels, ((const uint8_t[]){25, 25, 45, 45, 25, 25, 45, 45}), 8);
    assert_ok(pp_image_resize_(&image, 1, 3)); /* 25, and a third of 25 with a third of 45 of the pixel between */
    assert_memory_equal(image.pixels, ((const uint8_t[]){25, 35, 45}), 3);
    pp_image_free_(&image);
}

static void put_gray(const char *path, uint8_t value)
{
    uint8_t data[14] = "P5 2 1 255 ";
    data[11] = data[12] = value;
    write_file(path, data, 13);
}

static void folders_as_data(void **state)
{
    (void)state;
    pp_dataset *d = NULL;
    mkdir("imgs", 0777);
    mkdir("imgs/cat", 0777);
    mkdir("imgs/ant", 0777);
    mkdir("imgs/.git", 0777);
    put_gray("imgs/cat/1.pgm", 10);
    put_gray("imgs/ant/b.pgm", 21);
    put_gray("imgs/ant/a.pgm", 20);
    put_gray("imgs/ant/c.pgm", 22);
    write_file("imgs/ant/readme.txt", "x", 1);
    /* Classes by name, one image of each in turn. */
    assert_ok(pp_dataset_open(&d, "imgs", 0));
    assert_true(d->n == 4 && d->classes == 2 && d->h == 1 && d->w == 2 && d->c == 1);
    assert_memory_equal(d->labels, ((const uint16_t[]){0, 1, 0, 0}), 8);
    assert_memory_equal(d->pixels, ((const uint8_t[]){20, 20, 10, 10, 21, 21, 22, 22}), 8);
    assert_string_equal(d->name, "imgs");
    pp_dataset_free(d);
    assert_ok(pp_dataset_open(&d, "imgs:size=2x3", 2));
    assert_true(d->n == 2 && d->h == 2 && d->w == 3);
    assert_memory_equal(d->pixels, ((const uint8_t[]){20, 20, 20, 20, 20, 20, 10, 10, 10, 10, 10, 10}), 12);
    pp_dataset_free(d);
    assert_fails(pp_dataset_open(&d, "imgs:size=2", 0), "expected size=HxW");
    assert_fails(pp_dataset_open(&d, "imgs:size=0x3", 0), "expected size=HxW");
    /* Folders called by numbers are those classes. */
    rename("imgs/cat", "imgs/712");
    rename("imgs/ant", "imgs/4");
    assert_ok(pp_dataset_open(&d, "imgs", 2));
    assert_int_equal(d->classes, 713);
    assert_memory_equal(d->labels, ((const uint16_t[]){4, 712}), 4); /* in the order of their digits */
    pp_dataset_free(d);
    /* Images alone have no labels: for calibration only. */
    pp_network *net = NULL;
    pp_builder *b = NULL;
    assert_ok(pp_dataset_open(&d, "imgs/4", 0));
    assert_int_equal(d->classes, 0);
    assert_ok(pp_builder_new(&b, "n", (pp_shape){1, 2, 1}));
    assert_ok(pp_build_flatten(b, "f", 0, NULL));
    assert_ok(pp_builder_finish(&net, b));
    assert_ok(pp_dataset_feeds(d, net));
    assert_fails(pp_dataset_fits(d, net), "has no labels");
    pp_dataset_free(d);
    pp_network_free(net);
    /* Sizes and colours must agree. */
    write_file("imgs/4/d.ppm", "P6 2 1 255 abcdef", 17);
    assert_fails(pp_dataset_open(&d, "imgs/4", 0), "d.ppm: in colour");
    write_file("imgs/4/d.ppm", "P5 1 1 255 a", 12);
    assert_fails(pp_dataset_open(&d, "imgs/4", 0), "1x1 pixels, the first image has 1x2; DATA:size=HxW");
    write_file("imgs/4/d.ppm", "JPEG", 4);
    assert_fails(pp_dataset_open(&d, "imgs/4", 0), "d.ppm: neither PNG");
    assert_fails(pp_dataset_open(&d, "imgs/.git", 0), "holds no test_batch.bin and no images");
    static const char *const files[] = {"4/a.pgm", "4/b.pgm", "4/c.pgm", "4/d.ppm", "4/readme.txt", "712/1.pgm"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[64];
        snprintf(path, sizeof path, "imgs/%s", files[i]);
        remove(path);
    }
    rmdir("imgs/4");
    rmdir("imgs/712");
    rmdir("imgs/.git");
    rmdir("imgs");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(png_of_every_kind), cmocka_unit_test(interlaced_png), cmocka_unit_test(damaged_png),
                                       cmocka_unit_test(pgm_and_ppm), cmocka_unit_test(sizes_by_hand),
                                       cmocka_unit_test(folders_as_data)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "test_workloads.h"

#include <zlib.h>

#define IMAGES "t-images-idx3-ubyte"
#define LABELS "t-labels-idx1-ubyte"

/* Two images of 2 x 3 pixels. */
static const uint8_t images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3,
                                 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
static const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 4, 1};

static void write_gz(const char *path, const void *data, size_t size)
{
    gzFile f = gzopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(gzwrite(f, data, (unsigned)size), size);
    assert_int_equal(gzclose(f), Z_OK);
}

static void clean(void)
{
    remove(IMAGES);
    remove(LABELS);
    remove(IMAGES ".gz");
    remove(LABELS ".gz");
}

static void check(const char *path)
{
    pp_dataset *d = NULL;
    assert_ok(pp_dataset_open(&d, path, 0));
    assert_int_equal(d->n, 2);
    assert_int_equal(d->h, 2);
    assert_int_equal(d->w, 3);
    assert_int_equal(d->c, 1);
    assert_int_equal(d->classes, 5);
    assert_int_equal(d->labels[1], 1);
    assert_memory_equal(d->pixels, images + 16, 12);
    pp_dataset_free(d);
    assert_ok(pp_dataset_open(&d, path, 1));
    assert_int_equal(d->n, 1);
    assert_int_equal(d->classes, 5);
    pp_dataset_free(d);
}

static void plain_gzip_and_mixed(void **state)
{
    (void)state;
    clean();
    write_file(IMAGES, images, sizeof images);
    write_file(LABELS, labels, sizeof labels);
    check(IMAGES);
    write_gz(IMAGES ".gz", images, sizeof images);
    check(IMAGES ".gz"); /* labels not compressed */
    remove(LABELS);
    write_gz(LABELS ".gz", labels, sizeof labels);
    check(IMAGES ".gz");
    check(IMAGES); /* labels compressed */
}

static void refused(const void *image_bytes, size_t n_images, const void *label_bytes, size_t n_labels,
                    const char *says)
{
    pp_dataset *d = NULL;
    clean();
    write_file(IMAGES, image_bytes, n_images);
    write_file(LABELS, label_bytes, n_labels);
    assert_fails(pp_dataset_open(&d, IMAGES, 0), says);
    assert_null(d);
}

static void damaged_files_are_refused(void **state)
{
    (void)state;
    uint8_t copy[sizeof images], few[sizeof labels];
    refused(images, 10, labels, sizeof labels, "not an IDX file");
    refused(images, sizeof images - 1, labels, sizeof labels, "11 bytes of data");
    refused(images, sizeof images, labels, 9, "1 bytes of data");
    refused(labels, sizeof labels, labels, sizeof labels, "3 dimensions");
    memcpy(copy, images, sizeof images);
    copy[4] = copy[8] = copy[12] = 0xff;
    refused(copy, sizeof copy, labels, sizeof labels, "too large");
    memcpy(copy, images, sizeof images);
    copy[7] = 0;
    refused(copy, sizeof copy, labels, sizeof labels, "dimension 0 is 0");
    memcpy(few, labels, sizeof labels);
    few[7] = 1;
    refused(images, sizeof images, few, sizeof few - 1, "1 labels, 2 images");
    refused("", 0, labels, sizeof labels, "not an IDX file");
    pp_dataset *d = NULL;
    assert_fails(pp_dataset_open(&d, "x-idx3-ubyte", 0), "images-idx3");
    clean();
    write_file(IMAGES, images, sizeof images);
    assert_fails(pp_dataset_open(&d, IMAGES, 0), LABELS);
}

static void damaged_gzip_is_refused(void **state)
{
    (void)state;
    pp_file *map = NULL;
    pp_dataset *d = NULL;
    uint8_t copy[256];
    clean();
    write_file(LABELS, labels, sizeof labels);
    write_gz(IMAGES ".gz", images, sizeof images);
    assert_ok(pp_file_map(&map, IMAGES ".gz"));
    size_t n = map->size;
    assert_true(n < sizeof copy);
    memcpy(copy, map->data, n);
    pp_file_unmap(map);
    write_file(IMAGES ".gz", copy, n - 6);
    assert_fails(pp_dataset_open(&d, IMAGES ".gz", 0), "truncated gzip");
    copy[n - 6] ^= 0x55; /* checksum */
    write_file(IMAGES ".gz", copy, n);
    assert_fails(pp_dataset_open(&d, IMAGES ".gz", 0), "damaged gzip");
}

static void fashion_mnist_of_debian(void **state)
{
    (void)state;
    pp_dataset *d = NULL;
    if (pp_dataset_open(&d, "fashion-mnist", 0) == PP_ENOTFOUND) {
        print_message("dataset-fashion-mnist is not installed\n");
        assert_non_null(strstr(pp_error_text(), "dataset-fashion-mnist"));
        skip();
    }
    /* 10,000 images, 1,000 of each class; first labels as published: ankle boot, pullover, trouser */
    uint32_t count[10] = {0};
    assert_int_equal(d->n, 10000);
    assert_int_equal(d->h, 28);
    assert_int_equal(d->classes, 10);
    for (uint32_t i = 0; i < d->n; i++)
        count[d->labels[i]]++;
    for (int c = 0; c < 10; c++)
        assert_int_equal(count[c], 1000);
    assert_int_equal(d->labels[0], 9);
    assert_int_equal(d->labels[1], 2);
    assert_int_equal(d->labels[2], 1);
    pp_dataset_free(d);
    assert_ok(pp_dataset_open(&d, "fashion-mnist-train", 7));
    assert_int_equal(d->n, 7);
    assert_int_equal(d->labels[0], 9);
    pp_dataset_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_gzip_and_mixed),    cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(damaged_gzip_is_refused), cmocka_unit_test(fashion_mnist_of_debian),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

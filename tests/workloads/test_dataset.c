#include "test_workloads.h"

static uint8_t record[2 * 3073];

static void pixels_are_interleaved(void **state)
{
    (void)state;
    pp_dataset *d = NULL;
    for (size_t i = 0; i < sizeof record; i++)
        record[i] = (uint8_t)(i * 7);
    record[0] = 9;
    record[3073] = 2;
    write_file("two.bin", record, sizeof record);
    assert_ok(pp_dataset_open(&d, "two.bin", 0));
    assert_int_equal(d->n, 2);
    assert_int_equal(d->classes, 10);
    assert_string_equal(d->name, "two.bin");
    assert_int_equal(d->labels[1], 2);
    /* image 1, row 3, column 5: red, green, blue */
    for (size_t c = 0; c < 3; c++)
        assert_int_equal(d->pixels[3072 + (3 * 32 + 5) * 3 + c], record[3073 + 1 + c * 1024 + 3 * 32 + 5]);
    pp_dataset_free(d);
    assert_ok(pp_dataset_open(&d, "two.bin", 1));
    assert_int_equal(d->n, 1);
    pp_dataset_free(d);
    assert_ok(pp_dataset_open(&d, "two.bin", 50));
    assert_int_equal(d->n, 2);
    pp_dataset_free(d);
}

static void damaged_files_are_refused(void **state)
{
    (void)state;
    pp_dataset *d = NULL;
    write_file("short.bin", record, 3072);
    assert_fails(pp_dataset_open(&d, "short.bin", 0), "3073");
    write_file("empty.bin", record, 0);
    assert_fails(pp_dataset_open(&d, "empty.bin", 0), "3073");
    record[3073] = 10;
    write_file("label.bin", record, sizeof record);
    assert_fails(pp_dataset_open(&d, "label.bin", 0), "image 1 has label 10");
    record[3073] = 2;
    assert_fails(pp_dataset_open(&d, "missing.bin", 0), "missing.bin");
    assert_fails(pp_dataset_open(&d, "picture.png", 0), "'picture.png' is neither");
    assert_fails(pp_dataset_open(&d, ".", 0), "test_batch.bin");
    assert_null(d);
}

static void the_zoo_has_test_and_calibration_images(void **state)
{
    (void)state;
    /* First labels of the official files test_batch.bin and data_batch_1.bin. */
    static const uint16_t test[10] = {3, 8, 8, 0, 6, 6, 1, 6, 3, 1}, train[10] = {6, 9, 9, 4, 1, 1, 2, 7, 8, 3};
    pp_dataset *d = NULL;
    assert_ok(pp_dataset_open(&d, "cifar10-test-1000", 0));
    assert_int_equal(d->n, 1000);
    assert_memory_equal(d->labels, test, sizeof test);
    assert_string_equal(d->name, "cifar10-test-1000.bin");
    char whole[65];
    memcpy(whole, d->sha256, sizeof whole);
    pp_dataset_free(d);
    assert_ok(pp_dataset_open(&d, "cifar10-test-1000", 10));
    assert_string_equal(d->sha256, whole);
    pp_dataset_free(d);
    assert_ok(pp_dataset_open(&d, "cifar10-calib", 0));
    assert_int_equal(d->n, 512);
    assert_memory_equal(d->labels, train, sizeof train);
    assert_string_not_equal(d->sha256, whole);
    pp_dataset_free(d);
}

static void data_must_fit_the_network(void **state)
{
    (void)state;
    pp_network *net = NULL;
    uint8_t pixels[3072] = {0};
    uint16_t label = 0;
    pp_dataset d = {.name = "d", .n = 1, .h = 32, .w = 32, .c = 3, .classes = 10, .pixels = pixels, .labels = &label};
    assert_ok(pp_model_open(&net, "resnet20"));
    assert_ok(pp_dataset_fits(&d, net));
    d.classes = 11;
    assert_fails(pp_dataset_fits(&d, net), "11 classes");
    d.classes = 10;
    d.c = 1;
    assert_fails(pp_dataset_fits(&d, net), "32x32x1");
    pp_network_free(net);
}

static void normalising_by_hand(void **state)
{
    (void)state;
    pp_network *net = NULL;
    static const uint32_t widths[3] = {1, 1, 1};
    uint8_t pixels[2 * 3072] = {0};
    uint16_t labels[2] = {0};
    float out[3072];
    pp_dataset d = {.name = "d", .n = 2, .h = 32, .w = 32, .c = 3, .classes = 10, .pixels = pixels, .labels = labels};
    pixels[3072 + 4] = 255;
    assert_ok(pp_resnet_cifar(&net, "r", 8, widths, true, true));
    net->mean[1] = 0.5f;
    net->std[1] = 0.25f;
    pp_dataset_normalise(&d, net, 1, out);
    assert_true(out[4] == 2.0f && out[1] == -2.0f && out[0] == 0.0f);
    pp_network_free(net);
}

static void top1_takes_the_lowest_index_on_ties(void **state)
{
    (void)state;
    static const float logits[] = {0, 1, 1, 2, 2, 1, -1, -2, -3, 5, 6, 7};
    static const uint16_t labels[] = {1, 1, 0, 2};
    assert_true(pp_top1(logits, labels, 4, 3) == 0.75);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_are_interleaved),
        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(the_zoo_has_test_and_calibration_images),
        cmocka_unit_test(data_must_fit_the_network),
        cmocka_unit_test(normalising_by_hand),
        cmocka_unit_test(top1_takes_the_lowest_index_on_ties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

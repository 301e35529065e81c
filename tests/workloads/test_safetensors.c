#include "test_workloads.h"

static const char path[] = "bad.safetensors";

/* Writes header length, header and `data` bytes of tensors. */
static void write_st(uint64_t length, const char *header, size_t data)
{
    uint8_t raw[4096] = {0};
    size_t n = strlen(header);
    assert_true(8 + n + data <= sizeof raw);
    for (unsigned i = 0; i < 8; i++)
        raw[i] = (uint8_t)(length >> (8 * i));
    memcpy(raw + 8, header, n);
    write_file(path, raw, 8 + n + data);
}

static void refused(const char *header, size_t data, const char *says)
{
    pp_safetensors *st = NULL;
    write_st(strlen(header), header, data);
    assert_fails(pp_safetensors_open(&st, path), says);
    assert_null(st);
    assert_non_null(strstr(pp_error_text(), path));
}

static void damaged_files_are_refused(void **state)
{
    (void)state;
    pp_safetensors *st = NULL;
    write_file(path, "", 0);
    assert_fails(pp_safetensors_open(&st, path), "too short");
    write_file(path, "abc", 3);
    assert_fails(pp_safetensors_open(&st, path), "too short");
    write_st(UINT64_MAX, "{}", 0);
    assert_fails(pp_safetensors_open(&st, path), "truncated");
    write_st(100, "{}", 0);
    assert_fails(pp_safetensors_open(&st, path), "truncated");
    assert_fails(pp_safetensors_open(&st, "missing.safetensors"), "missing.safetensors");
    refused("", 0, path);
    refused("{\"a\":", 0, path);
    refused("[1]", 0, "map");
    refused("{\"a\":7}", 0, "'a'");
}

static void damaged_headers_are_refused(void **state)
{
    (void)state;
#define ONE(dtype, shape, offsets) "{\"a\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
    refused(ONE("F32", "[2]", "[0,8]"), 4, "outside the file");
    refused(ONE("F32", "[2]", "[0,9223372036854775807]"), 8, "outside the file");
    refused(ONE("F32", "[2]", "[8,0]"), 8, "outside the file");
    refused(ONE("F32", "[2]", "[-8,0]"), 8, "a");
    refused(ONE("F32", "[3]", "[0,8]"), 8, "need 12");
    refused(ONE("F32", "[2]", "[0,8,9]"), 8, "data_offsets");
    refused(ONE("F32", "[2,-1]", "[0,8]"), 8, "a");
    refused(ONE("F32", "[1.5]", "[0,8]"), 8, "a");
    refused(ONE("F32", "[1099511627776,1099511627776]", "[0,8]"), 8, "too large");
    refused(ONE("F32", "[1,1,1,1,2]", "[0,8]"), 8, "at most 4");
    refused(ONE("F32", "2", "[0,8]"), 8, "shape");
    refused(ONE("F8_X", "[8]", "[0,8]"), 8, "'F8_X'");
    refused(ONE("F32", "[2]", "[4,12]"), 12, "belong to no tensor");
    refused(ONE("F32", "[2]", "[0,8]"), 12, "at the end");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "data_offsets");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
            "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
            3, "overlap");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
            "\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]}}",
            4, "a");
    refused("{\"__metadata__\":{\"k\":1}}", 0, "'k'");
    refused("{\"__metadata__\":[]}", 0, "__metadata__");
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    static const float a[6] = {1, 2, 3, 4, 5, 6};
    static const uint16_t h[2] = {0x3c00, 0xc000};
    static const int64_t big[1] = {1234567890123};
    static const char *const names[] = {"weights", "half \"x\"", "scalar", "empty"};
    pp_tensor tensors[] = {{.dtype = PP_DTYPE_F32, .ndim = 2, .dim = {2, 3}, .data = a},
                           {.dtype = PP_DTYPE_BF16, .ndim = 1, .dim = {2}, .data = h},
                           {.dtype = PP_DTYPE_I64, .ndim = 0, .data = big},
                           {.dtype = PP_DTYPE_I8, .ndim = 1, .dim = {0}, .data = big}};
    static const char *const metadata[][2] = {{"format", "test"}, {"bits", "4"}};
    pp_safetensors *st = NULL;
    pp_tensor t;
    remove("good.safetensors");
    assert_ok(pp_safetensors_write("good.safetensors", names, tensors, 4, metadata, 2, false));
    assert_fails(pp_safetensors_write("good.safetensors", names, tensors, 4, NULL, 0, false), "good.safetensors");
    assert_ok(pp_safetensors_write("good.safetensors", names, tensors, 4, metadata, 2, true));
    assert_ok(pp_safetensors_open(&st, "good.safetensors"));
    assert_int_equal(pp_safetensors_count(st), 4);
    assert_string_equal(pp_safetensors_name(st, 1), "half \"x\"");
    assert_string_equal(pp_safetensors_metadata(st, "bits"), "4");
    assert_null(pp_safetensors_metadata(st, "other"));
    for (size_t i = 0; i < 4; i++) {
        assert_ok(pp_safetensors_get(st, names[i], &t));
        assert_int_equal(t.dtype, tensors[i].dtype);
        assert_int_equal(t.ndim, tensors[i].ndim);
        assert_int_equal(pp_tensor_count(&t), pp_tensor_count(&tensors[i]));
        assert_memory_equal(t.data, tensors[i].data, pp_tensor_count(&t) * pp_dtype_size(t.dtype));
    }
    assert_ok(pp_safetensors_get(st, "weights", &t));
    assert_int_equal((uintptr_t)t.data % 4, 0); /* header padded to 8 bytes */
    assert_fails(pp_safetensors_get(st, "weight", &t), "'weight'");
    pp_safetensors_close(st);
}

static void cutting_a_real_file_anywhere_is_noticed(void **state)
{
    (void)state;
    char *file = NULL;
    pp_file *map = NULL;
    pp_safetensors *st = NULL;
    assert_ok(pp_zoo_path(&file, "resnet32-cifar10.safetensors"));
    assert_ok(pp_file_map(&map, file));
    for (size_t keep = 0; keep < map->size; keep += map->size / 23 + 1) {
        write_file(path, map->data, keep);
        assert_true(pp_safetensors_open(&st, path) != PP_OK);
    }
    pp_file_unmap(map);
    free(file);
}

/* Random single-byte damage of the header: any outcome but a crash. */
static void damage_never_crashes(void **state)
{
    (void)state;
    static const char header[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]},"
                                 "\"b\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":[8,14]}}";
    pp_rng rng = pp_rng_make(9, 9);
    for (int i = 0; i < 2000; i++) {
        char copy[sizeof header];
        memcpy(copy, header, sizeof header);
        for (uint32_t k = pp_rng_below(&rng, 3) + 1; k-- > 0;)
            copy[pp_rng_below(&rng, sizeof header - 1)] = (char)(1 + pp_rng_below(&rng, 126));
        pp_safetensors *st = NULL;
        write_st(sizeof header - 1, copy, 14);
        (void)pp_safetensors_open(&st, path);
        pp_safetensors_close(st);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(damaged_headers_are_refused),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(cutting_a_real_file_anywhere_is_noticed),
        cmocka_unit_test(damage_never_crashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Hadamard matrices of every named size, and the fast transform against the definition. */
#include "quant/rotation.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define assert_ok(expr) assert_string_equal(pp_status_text(expr), pp_status_text(PP_OK))

/* H H^T = n I in integers: for the core by products, for the rest by structure and by random rows. */
static void check_core(const pp_hadamard *h)
{
    const uint32_t k = h->core_n;
    for (uint32_t i = 0; i < k; i++)
        for (uint32_t j = 0; j <= i; j++) {
            int64_t sum = 0;
            for (uint32_t c = 0; c < k; c++)
                sum += h->core[(size_t)i * k + c] * h->core[(size_t)j * k + c];
            assert_int_equal(sum, i == j ? k : 0);
        }
    for (size_t i = 0; i < (size_t)k * k; i++)
        assert_true(h->core[i] == 1 || h->core[i] == -1);
}

static void check_rows(const pp_hadamard *h, unsigned pairs)
{
    pp_rng rng = pp_rng_make(1, h->n);
    for (unsigned t = 0; t < pairs; t++) {
        const uint32_t i = pp_rng_below(&rng, h->n), j = t == 0 ? i : pp_rng_below(&rng, h->n);
        int64_t sum = 0;
        for (uint32_t c = 0; c < h->n; c++)
            sum += pp_hadamard_at(h, i, c) * pp_hadamard_at(h, j, c);
        assert_int_equal(sum, i == j ? h->size : 0);
    }
}

static void named_sizes_are_hadamard_matrices(void **state)
{
    (void)state;
    static const uint32_t core[] = {1, 12, 20, 28, 36, 44, 52, 60, 76, 84, 100, 108, 116, 140, 148, 156, 172, 188,
                                    260, 268, 292, 324, 372, 684, 900, 924};
    static const uint32_t whole[] = {2, 4, 64, 192, 448, 768, 2560, 3072, 3584, 4096, 4864, 5120, 5632, 6912, 8960, 9728, 10944,
                                     11008, 13824, 14336, 17920, 18944, 25600, 28672, 29568};
    for (unsigned i = 0; i < sizeof core / sizeof *core; i++) {
        pp_hadamard *h;
        assert_ok(pp_hadamard_new(&h, core[i]));
        assert_int_equal(h->core_n * h->chunk, core[i]);
        assert_int_equal(h->blocks, 1);
        check_core(h);
        check_rows(h, 8);
        pp_hadamard_free(h);
    }
    for (unsigned i = 0; i < sizeof whole / sizeof *whole; i++) {
        pp_hadamard *h;
        assert_ok(pp_hadamard_new(&h, whole[i]));
        assert_int_equal((uint64_t)h->core_n * h->chunk, whole[i]);
        check_rows(h, 12);
        pp_hadamard_free(h);
    }
}

static void all_small_multiples_of_four(void **state)
{
    (void)state;
    unsigned missing = 0;
    for (uint32_t n = 4; n <= 152; n += 4) {
        pp_hadamard *h;
        const pp_status status = pp_hadamard_new(&h, n);
        if (status == PP_OK)
            check_core(h);
        else
            assert_int_equal(status, PP_ENOTFOUND);
        missing += status != PP_OK;
        pp_hadamard_free(h);
    }
    assert_int_equal(missing, 0);
}

static void sizes_without_one_fall_back(void **state)
{
    (void)state;
    pp_hadamard *h;
    assert_int_equal(pp_hadamard_new(&h, 70), PP_ENOTFOUND);
    assert_non_null(strstr(pp_error_text(), "70"));
    assert_null(h);
    assert_int_equal(pp_hadamard_new(&h, 0), PP_ERANGE);
    assert_ok(pp_hadamard_new_blocks(&h, 70));
    assert_int_equal(h->blocks, 35);
    assert_int_equal(h->size, 2);
    check_rows(h, 8);
    pp_hadamard_free(h);
    assert_ok(pp_hadamard_new_blocks(&h, 236)); /* 4 x 59 */
    assert_true(h->blocks > 1 && h->size * h->blocks == 236);
    check_rows(h, 8);
    pp_hadamard_free(h);
    assert_int_equal(pp_hadamard_padded(70), 72);
    assert_int_equal(pp_hadamard_padded(4096), 4096);
    assert_int_equal(pp_hadamard_padded(3), 4);
}

static float *random_rows(size_t count, uint64_t object)
{
    float *x = malloc(count * sizeof *x);
    pp_rng rng = pp_rng_make(3, object);
    for (size_t i = 0; i < count; i++)
        x[i] = (float)pp_rng_normal(&rng);
    return x;
}

/* Vector kernel = plain kernel to the bit; both = definition within rounding; H^T undoes H. */
static void fast_equals_definition(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 12, 24, 96, 192, 448, 768, 172, 344, 1376, 1216, 188,
                                     2048, 4096};
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const uint32_t n = sizes[i];
        const size_t bytes = 3 * (size_t)n * sizeof(float);
        pp_hadamard *h;
        assert_ok(pp_hadamard_new_blocks(&h, n));
        const int level = h->level;
        for (unsigned t = 0; t < 2; t++) {
            float *x = random_rows(3 * (size_t)n, n), *fast = malloc(bytes), *plain = malloc(bytes), *slow = malloc(bytes);
            memcpy(plain, x, bytes);
            memcpy(slow, x, bytes);
            pp_hadamard_apply_plain(h, plain, 3, t == 1);
            assert_ok(pp_hadamard_apply_dense(h, slow, n > 1024 ? 1 : 3, t == 1));
            for (h->level = 0; h->level <= level; h->level++) {
                memcpy(fast, x, bytes);
                pp_hadamard_apply(h, fast, 3, t == 1);
                assert_memory_equal(fast, plain, bytes);
            }
            h->level = level;
            for (size_t k = 0; k < (n > 1024 ? 1 : 3) * (size_t)n; k++) /* the definition takes n^2 */
                assert_true(fabsf(fast[k] - slow[k]) < 2e-5f);
            pp_hadamard_apply(h, fast, 3, t == 0);
            for (size_t k = 0; k < 3 * (size_t)n; k++)
                assert_true(fabsf(fast[k] - x[k]) < 2e-5f);
            free(x);
            free(fast);
            free(plain);
            free(slow);
        }
        pp_hadamard_free(h);
    }
}

static void check_rotation(pp_rotation *r)
{
    const uint32_t n = r->n;
    double defect;
    float *d = NULL, *x = random_rows((size_t)n * 5, 9), *y = malloc((size_t)n * 5 * sizeof *y);
    assert_ok(pp_rotation_defect(r, NULL, &defect));
    assert_true(defect < 1e-5);
    assert_ok(pp_rotation_to_dense(r, &d));
    memcpy(y, x, (size_t)n * 5 * sizeof *y);
    assert_ok(pp_rotation_apply(r, NULL, y, 5, false)); /* rows x R */
    for (unsigned i = 0; i < 5; i++)
        for (uint32_t j = 0; j < n; j++) {
            double want = 0;
            for (uint32_t k = 0; k < n; k++)
                want += (double)x[i * n + k] * (double)d[(size_t)k * n + j];
            assert_true(fabs(want - (double)y[i * n + j]) < 2e-5);
        }
    memcpy(y, x, (size_t)n * 5 * sizeof *y);
    assert_ok(pp_rotation_apply_left(r, NULL, y, 5)); /* R^T w, w [n][5] */
    for (uint32_t i = 0; i < n; i++)
        for (unsigned j = 0; j < 5; j++) {
            double want = 0;
            for (uint32_t k = 0; k < n; k++)
                want += (double)d[(size_t)k * n + i] * (double)x[k * 5 + j];
            assert_true(fabs(want - (double)y[i * 5 + j]) < 2e-5);
        }
    free(d);
    free(x);
    free(y);
    pp_rotation_free(r);
}

static void rotations_are_orthogonal_and_apply_as_matrices(void **state)
{
    (void)state;
    pp_rotation *r;
    assert_ok(pp_rotation_random_hadamard(&r, 192, 5, 1));
    assert_non_null(r->hadamard);
    check_rotation(r);
    assert_ok(pp_rotation_random_hadamard(&r, 54, 5, 1)); /* no Hadamard matrix: random orthogonal */
    assert_null(r->hadamard);
    check_rotation(r);
    assert_ok(pp_rotation_random_orthogonal(&r, 100, 5, 2));
    check_rotation(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(named_sizes_are_hadamard_matrices), cmocka_unit_test(all_small_multiples_of_four),
        cmocka_unit_test(sizes_without_one_fall_back),       cmocka_unit_test(fast_equals_definition),
        cmocka_unit_test(rotations_are_orthogonal_and_apply_as_matrices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "test_base.h"

static void sizes_that_overflow_are_refused(void **state)
{
    (void)state;
    assert_null(pp_alloc(SIZE_MAX / 2, 4));
    assert_string_equal(pp_error_text() + strlen(pp_error_text()) - strlen("elements of 4 bytes)"),
                        "elements of 4 bytes)");
    assert_null(pp_calloc(SIZE_MAX / 8 + 2, 8));
    assert_null(pp_realloc(NULL, SIZE_MAX, SIZE_MAX));
    assert_null(pp_alloc_aligned(SIZE_MAX - 8, 1));
}

static void no_elements_give_a_pointer(void **state)
{
    (void)state;
    void *pointers[] = {pp_alloc(0, 8), pp_calloc(8, 0), pp_realloc(NULL, 0, 0), pp_alloc_aligned(0, 4)};
    for (size_t i = 0; i < 4; i++) {
        assert_non_null(pointers[i]);
        free(pointers[i]);
    }
}

static void aligned_memory_is_zeroed_and_aligned(void **state)
{
    (void)state;
    for (size_t size = 1; size < 300; size += 37) {
        unsigned char *memory = pp_alloc_aligned(size, 3);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % 64, 0);
        for (size_t i = 0; i < 3 * size; i++)
            assert_int_equal(memory[i], 0);
        free(memory);
    }
}

static void the_nth_allocation_fails_on_request(void **state)
{
    (void)state;
    pp_alloc_fail_after(2);
    char *a = pp_strdup("a"), *b = pp_strf("%d", 42), *c = pp_strdup("c"), *d = pp_strdup("d");
    pp_alloc_fail_after(-1);
    assert_string_equal(a, "a");
    assert_string_equal(b, "42");
    assert_null(c);
    assert_string_equal(d, "d");
    free(a);
    free(b);
    free(d);
}

static void a_vector_grows_and_keeps_its_elements(void **state)
{
    (void)state;
    PP_VEC(uint32_t) v = {0};
    for (uint32_t i = 0; i < 10000; i++)
        assert_true(pp_push(&v, i * 3));
    assert_int_equal(v.len, 10000);
    for (uint32_t i = 0; i < 10000; i++)
        assert_int_equal(v.data[i], i * 3);
    free(v.data);
}

typedef struct pair {
    int a;
    double b;
} pair;

static void a_vector_takes_structures_and_its_own_length(void **state)
{
    (void)state;
    PP_VEC(pair) v = {0};
    assert_true(pp_push(&v, (pair){1, 2.0}));
    assert_true(pp_push(&v, (pair){.a = (int)v.len, .b = v.data[0].b}));
    assert_int_equal(v.data[1].a, 1);
    assert_true(v.data[1].b == 2.0);
    free(v.data);
}

static void a_failed_push_leaves_the_vector_alone(void **state)
{
    (void)state;
    PP_VEC(int) v = {0};
    while (v.len == 0 || v.len < v.cap)
        assert_true(pp_push(&v, (int)v.len));
    const size_t len = v.len, cap = v.cap;
    pp_alloc_fail_after(0);
    assert_false(pp_push(&v, -1));
    pp_alloc_fail_after(-1);
    assert_int_equal(v.len, len);
    assert_int_equal(v.cap, cap);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(v.data[i], (int)i);
    assert_true(pp_push(&v, 99));
    assert_int_equal(v.data[len], 99);
    free(v.data);
}

/* Small and large blocks, written in full: overlap would break an earlier one. */
static void arena_blocks_are_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    enum { N = 600 };
    static unsigned char *blocks[N];
    pp_arena *arena = NULL;
    assert_int_equal(pp_arena_new(&arena), PP_OK);
    for (size_t i = 0; i < N; i++) {
        const size_t size = i % 50 == 0 ? 70000 : i % 97;
        blocks[i] = pp_arena_get(arena, size, 1);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        for (size_t j = 0; j < size; j++)
            assert_int_equal(blocks[i][j], 0);
        memset(blocks[i], (int)(i % 255 + 1), size);
    }
    for (size_t i = 0; i < N; i++) {
        const size_t size = i % 50 == 0 ? 70000 : i % 97;
        for (size_t j = 0; j < size; j++)
            assert_int_equal(blocks[i][j], i % 255 + 1);
    }
    assert_string_equal(pp_arena_strdup(arena, "text"), "text");
    assert_null(pp_arena_get(arena, SIZE_MAX / 2, 3));
    pp_arena_free(arena);
    pp_arena_free(NULL);
}

static void arena_without_memory_says_so(void **state)
{
    (void)state;
    pp_arena *arena = NULL;
    pp_alloc_fail_after(0);
    assert_int_equal(pp_arena_new(&arena), PP_ENOMEM);
    pp_alloc_fail_after(-1);
    assert_int_equal(pp_arena_new(&arena), PP_OK);
    pp_alloc_fail_after(0);
    assert_null(pp_arena_get(arena, 8, 1));
    pp_alloc_fail_after(0);
    assert_null(pp_arena_get(arena, 1 << 20, 1));
    pp_alloc_fail_after(-1);
    assert_non_null(pp_arena_get(arena, 8, 1));
    pp_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(no_elements_give_a_pointer),
        cmocka_unit_test(aligned_memory_is_zeroed_and_aligned),
        cmocka_unit_test(the_nth_allocation_fails_on_request),
        cmocka_unit_test(a_vector_grows_and_keeps_its_elements),
        cmocka_unit_test(a_vector_takes_structures_and_its_own_length),
        cmocka_unit_test(a_failed_push_leaves_the_vector_alone),
        cmocka_unit_test(arena_blocks_are_zeroed_aligned_and_apart),
        cmocka_unit_test(arena_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

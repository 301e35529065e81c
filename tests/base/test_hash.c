#include "test_base.h"

#include "base/base_internal.h"

static void check_sha256(const char *text, const char *hex)
{
    pp_sha256 h;
    char got[65];
    pp_sha256_begin(&h);
    pp_sha256_add(&h, text, strlen(text));
    pp_sha256_end(&h, got);
    assert_string_equal(got, hex);
}

/* The examples of FIPS 180-4 ("abc", 448 bits) and the empty text. */
static void sha256_gives_the_known_answers(void **state)
{
    (void)state;
    check_sha256("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check_sha256("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check_sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void sha256_of_a_million_letters(void **state)
{
    (void)state;
    char letters[1000], got[65];
    memset(letters, 'a', sizeof letters);
    pp_sha256 h;
    pp_sha256_begin(&h);
    for (int i = 0; i < 1000; i++)
        pp_sha256_add(&h, letters, sizeof letters);
    pp_sha256_end(&h, got);
    assert_string_equal(got, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* Pieces of any size give the hash of the whole, for all lengths around the block size. */
static void sha256_does_not_depend_on_the_pieces(void **state)
{
    (void)state;
    unsigned char data[200];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 7 + 1);
    for (size_t size = 0; size <= sizeof data; size++) {
        char whole[65], pieces[65];
        pp_sha256 h;
        pp_sha256_begin(&h);
        pp_sha256_add(&h, data, size);
        pp_sha256_end(&h, whole);
        pp_sha256_begin(&h);
        for (size_t at = 0, piece = 1; at < size; at += piece, piece = piece % 13 + 1) {
            piece = piece < size - at ? piece : size - at;
            pp_sha256_add(&h, data + at, piece);
        }
        pp_sha256_end(&h, pieces);
        assert_string_equal(whole, pieces);
    }
}

/* The processor's instructions against plain C, on any number of blocks. */
static void sha256_is_the_same_on_both_ways(void **state)
{
    (void)state;
    if (!pp_sha256_has_fast_())
        skip();
    uint8_t data[64 * 9];
    pp_rng r = pp_rng_make(7, 1);
    for (int round = 0; round < 200; round++) {
        uint32_t plain[8], fast[8];
        for (size_t i = 0; i < sizeof data; i++)
            data[i] = (uint8_t)pp_rng_u32(&r);
        for (int i = 0; i < 8; i++)
            plain[i] = fast[i] = pp_rng_u32(&r);
        pp_sha256_plain_(plain, data, (size_t)(round % 10));
        pp_sha256_fast_(fast, data, (size_t)(round % 10));
        assert_memory_equal(plain, fast, sizeof plain);
    }
}

/* From the authors' test suite. */
static void fnv1a_gives_the_known_answers(void **state)
{
    (void)state;
    assert_true(pp_fnv1a(PP_FNV_START, "", 0) == UINT64_C(0xcbf29ce484222325));
    assert_true(pp_fnv1a(PP_FNV_START, "a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(pp_fnv1a(PP_FNV_START, "foobar", 6) == UINT64_C(0x85944171f73967e8));
    assert_true(pp_fnv1a(pp_fnv1a(PP_FNV_START, "foo", 3), "bar", 3) == UINT64_C(0x85944171f73967e8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_known_answers),
        cmocka_unit_test(sha256_of_a_million_letters),
        cmocka_unit_test(sha256_does_not_depend_on_the_pieces), cmocka_unit_test(sha256_is_the_same_on_both_ways),
        cmocka_unit_test(fnv1a_gives_the_known_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

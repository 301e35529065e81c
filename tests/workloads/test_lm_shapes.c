/* Shapes by name against the published counts, and configurations that are refused. */
#include "test_workloads.h"

#include "workloads/lm.h"

static void parameters_are_the_published_ones(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t parameters;
    } want[] = {
        {"llama2-7b", 6738415616},   {"llama2-13b", 13015864320}, {"llama2-70b", 68976648192},
        {"llama3.2-1b", 1235814400}, {"llama3.2-3b", 3212749824}, {"llama3-8b", 8030261248},
        {"llama3-70b", 70553706496}, {"mistral-7b", 7241732096},  {"qwen2.5-7b", 7615616512},
        {"mixtral-8x7b", 46702792704}, {"gpt2", 124439808},       {"bert-base", 109482240},
        {"vit-b16", 86567656},
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        pp_lm_config c;
        assert_ok(pp_lm_shape(&c, want[i].name));
        assert_ok(pp_lm_config_check(&c));
        assert_int_equal(pp_lm_parameters(&c), want[i].parameters);
    }
    size_t n = 0;
    for (const char *text; pp_lm_shape_name(n, &text) != NULL; n++)
        assert_true(strlen(text) > 0);
    assert_int_equal(n, sizeof want / sizeof *want);
}

/* By hand: a layer of Llama 3 8B has 4096 (4096 + 1024 + 1024 + 4096 + 3 14336) products. */
static void work_and_cache_of_llama3_8b(void **state)
{
    (void)state;
    pp_lm_config c;
    assert_ok(pp_lm_shape(&c, "llama3-8b"));
    const uint64_t layer = UINT64_C(4096) * (4096 + 1024 + 1024 + 4096 + 3 * 14336);
    assert_int_equal(pp_lm_linear_macs(&c), 32 * layer + UINT64_C(128256) * 4096);
    assert_int_equal(pp_lm_attention_macs(&c, 100), UINT64_C(2) * 32 * 32 * 128 * 100);
    assert_int_equal(pp_lm_kv_bytes(&c, 4), 32 * 1024); /* 1,024 bytes a token and layer */
    assert_ok(pp_lm_shape(&c, "mistral-7b"));
    assert_int_equal(pp_lm_attention_macs(&c, 10000), UINT64_C(2) * 32 * 32 * 128 * 4096);
    assert_ok(pp_lm_shape(&c, "mixtral-8x7b"));
    const uint64_t expert = UINT64_C(3) * 4096 * 14336, attention = UINT64_C(4096) * (2 * 4096 + 2 * 1024);
    assert_int_equal(pp_lm_linear_macs(&c), 32 * (attention + 8 * 4096 + 2 * expert) + UINT64_C(32000) * 4096);
}

static void unknown_names_get_the_nearest(void **state)
{
    (void)state;
    pp_lm_config c;
    assert_fails(pp_lm_shape(&c, "llama3-8"), "did you mean 'llama3-8b'");
    assert_fails(pp_lm_shape(&c, "zzzzzzzzzz"), "'zzzzzzzzzz' is not known");
}

static void wrong_configurations_are_refused(void **state)
{
    (void)state;
    pp_lm_config good, c;
    assert_ok(pp_lm_shape(&good, "llama3-8b"));
#define REFUSED(change, text)                                                                                          \
    do {                                                                                                               \
        c = good;                                                                                                      \
        change;                                                                                                        \
        assert_fails(pp_lm_config_check(&c), text);                                                                    \
    } while (0)
    REFUSED(c.layers = 0, "number of layers is 0");
    REFUSED(c.kv_heads = 5, "not a multiple of 5");
    REFUSED(c.hidden = 1u << 21, "hidden size");
    REFUSED(c.rope.rotary_dim = 7, "RoPE over 7");
    REFUSED(c.rope.theta = -1, "rope_theta");
    REFUSED(c.norm_eps = -1, "epsilon");
    REFUSED(c.vocab = 1u << 25, "vocabulary");
    REFUSED((c.experts = 4, c.experts_per_token = 5), "5 experts a token of 4");
    REFUSED((c.rope.kind = PP_LM_ROPE_DYNAMIC, c.rope.rotary_dim = 2), "dynamic");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_the_published_ones),
        cmocka_unit_test(work_and_cache_of_llama3_8b),
        cmocka_unit_test(unknown_names_get_the_nearest),
        cmocka_unit_test(wrong_configurations_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Shapes by name against the published counts, and configurations that are refused. */
#include "test_workloads.h"

#include "workloads/lm.h"

#include <inttypes.h>

static void parameters_are_the_published_ones(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t parameters;
    } want[] = {
        {"llama2-7b", 6738415616}, {"llama2-13b", 13015864320}, {"llama2-70b", 68976648192},
        {"llama3-8b", 8030261248}, {"llama3-70b", 70553706496}, {"llama3.1-8b", 8030261248},
        {"llama3.1-70b", 70553706496}, {"llama3.1-405b", 405853388800}, {"llama3.2-1b", 1235814400},
        {"llama3.2-3b", 3212749824}, {"tinyllama-1.1b", 1100048384}, {"smollm2-135m", 134515008},
        {"smollm2-360m", 361821120}, {"smollm2-1.7b", 1711376384}, {"mistral-7b", 7241732096},
        {"mistral-nemo-12b", 12247782400}, {"mixtral-8x7b", 46702792704}, {"mixtral-8x22b", 140620634112},
        {"qwen2.5-0.5b", 494032768}, {"qwen2.5-1.5b", 1543714304}, {"qwen2.5-3b", 3085938688},
        {"qwen2.5-7b", 7615616512}, {"qwen2.5-14b", 14770033664}, {"qwen2.5-32b", 32763876352},
        {"qwen2.5-72b", 72706203648}, {"qwen3-0.6b", 596049920}, {"qwen3-1.7b", 1720574976},
        {"qwen3-4b", 4022468096}, {"qwen3-8b", 8190735360}, {"qwen3-14b", 14768307200}, {"qwen3-32b", 32762123264},
        {"qwen1.5-moe-a2.7b", 14315784192}, {"qwen3-30b-a3b", 30532122624}, {"olmoe-1b-7b", 6919161856},
        {"olmo2-1b", 1484916736}, {"olmo2-7b", 7298617344}, {"olmo2-13b", 13716198400}, {"granite3-2b", 2533531648}, {"phi3-mini", 3821079552},
        {"starcoder-15b", 15517456384}, {"mpt-7b", 6649286656}, {"command-r-35b", 34980831232}, {"olmo-7b", 6888095744},
        {"dinov2-base", 86580480},
        {"phi3-medium", 13960238080}, {"phi4", 14659507200}, {"phi4-mini", 3836021760}, {"gemma-2b", 2506172416},
        {"gemma-7b", 8537680896}, {"gemma2-2b", 2614341888}, {"gemma2-9b", 9241705984}, {"gemma2-27b", 27227128320},
        {"gemma3-1b", 999885952}, {"gpt2", 124439808}, {"gpt2-medium", 354823168}, {"gpt2-large", 774030080},
        {"gpt2-xl", 1557611200}, {"gpt-j-6b", 6050882784}, {"gpt-neox-20b", 20554567680},
        {"pythia-160m", 162322944}, {"pythia-410m", 405334016}, {"pythia-1b", 1011781632},
        {"pythia-1.4b", 1414647808}, {"pythia-2.8b", 2775208960}, {"pythia-6.9b", 6857302016},
        {"pythia-12b", 11846072320}, {"opt-125m", 125239296}, {"opt-1.3b", 1315758080}, {"opt-2.7b", 2651596800},
        {"opt-6.7b", 6658473984}, {"opt-13b", 12853473280}, {"opt-30b", 29974540288},
        {"falcon-7b", 6921720704}, {"falcon-40b", 41303293952}, {"bloom-560m", 559214592},
        {"bloom-1b1", 1065314304}, {"bloom-3b", 3002557440}, {"bloom-7b1", 7069016064},
        {"bloom-176b", 176247271424}, {"phi2", 2779683840}, {"stablelm-3b", 2795443200},
        {"stablelm2-1.6b", 1644515328}, {"starcoder2-3b", 3030371328}, {"starcoder2-7b", 7173923840},
        {"starcoder2-15b", 15957889024}, {"bert-base", 109482240}, {"bert-large", 335141888},
        {"roberta-base", 124645632}, {"roberta-large", 355359744}, {"xlm-roberta-base", 278043648},
        {"xlm-roberta-large", 559890432}, {"camembert-base", 110621952}, {"distilbert-base", 66362880},
        {"albert-base", 11683584}, {"vit-b16", 86567656}, {"vit-b32", 88224232}, {"vit-l16", 304326632},
        {"vit-h14", 632045800}, {"deit-tiny", 5717416}, {"deit-small", 22050664}, {"deit-base", 86567656},
        {"deit-base-distilled", 87338192},
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        pp_lm_config c;
        assert_ok(pp_lm_shape(&c, want[i].name));
        assert_ok(pp_lm_config_check(&c));
        if (pp_lm_parameters(&c) != want[i].parameters)
            fail_msg("%s: %" PRIu64 " parameters, published are %" PRIu64, want[i].name, pp_lm_parameters(&c), want[i].parameters);
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

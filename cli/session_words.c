/* Settings that some runs never look at: a word misspelt there would be ignored without a sound, so every run reads them. */
#include "cli/session.h"
#include "quant/lmq.h"
#include "sim/net.h"
#include "topology/normalise.h"

#include <ctype.h>
#include <string.h>

static bool is_one_of(const char *value, const char *words)
{
    const size_t n = strlen(value);
    for (const char *w = words; *w != 0; w += strcspn(w, " ") + (w[strcspn(w, " ")] == ' '))
        if (strcspn(w, " ") == n && strncmp(w, value, n) == 0)
            return true;
    return false;
}

static pp_status bad_word(const char *setting, const char *value, const char *words, const char *expected)
{
    return pp_fail(PP_EINVAL, "%s: expected %s, found '%.60s'%s", setting, expected, value,
                   pp_hint(value, words, (char[PP_HINT_MAX]){0}));
}

/* One of `words`, or what begins like a number, which those who use it read closer. */
static pp_status word_or_number(const char *setting, const char *value, const char *words, const char *expected)
{
    const bool good = isdigit((unsigned char)value[0]) || value[0] == '.' || is_one_of(value, words);
    return good ? PP_OK : bad_word(setting, value, words, expected);
}

static pp_status check_router(const char *text)
{
    pp_noc_options o;
    if (text == NULL || text[0] == 0)
        return PP_OK;
    pp_noc_defaults(&o);
    return pp_noc_preset(&o, text);
}

pp_status pp_session_check_words(const pp_session *s)
{
    pp_normalise normalise;
    int method;
    bool gptq;
    PP_TRY(pp_normalise_parse(&normalise, s->fabric_options.normalise));
    PP_TRY(check_router(s->sim_options.router));
    PP_TRY(word_or_number("quant.rotation_block", s->quant.rotation_block, "full array_rows", "full, array_rows or a number"));
    PP_TRY(word_or_number("quant.online_block", s->lm_graph.online_block, "array_rows head full", "array_rows, head, full or a number"));
    PP_TRY(word_or_number("workload.experts", s->lm_graph.experts, "uniform seeded", "uniform, seeded or numbers set apart by commas"));
    if (pp_lmq_method_parse(s->lm_quant.method, &method, &gptq) == PP_OK)
        return PP_OK;
    return bad_word("quant.method", s->lm_quant.method, "rtn gptq quarot kurtail quarot-gptq kurtail-gptq",
                    "rtn, gptq, quarot, kurtail, quarot-gptq or kurtail-gptq");
}

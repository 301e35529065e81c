/* Settings that some runs never look at: a word misspelt there would be ignored without a sound, so every run reads them. */
#include "cli/session.h"
#include "quant/lmq.h"
#include "sim/net.h"
#include "topology/normalise.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool is_one_of(const char *value, const char *words)
{
    const size_t n = strlen(value);
    for (const char *w = words; *w != 0; w += strcspn(w, " ") + (w[strcspn(w, " ")] == ' '))
        if (strcspn(w, " ") == n && strncmp(w, value, n) == 0)
            return true;
    return false;
}

typedef struct setting {
    const char *section, *name, *value;
} setting;

/* "run.yaml:4: quant.method: expected ...", "--set quant.method: expected ..." */
static pp_status bad_word(const pp_session *s, setting x, const char *words, const char *expected)
{
    const char *place = pp_config_place(s->config, x.section, x.name);
    char named[64] = "";
    if (strncmp(place, "--set", 5) != 0)
        (void)snprintf(named, sizeof named, ": %s.%s", x.section, x.name);
    return pp_fail(PP_EINVAL, "%s%s: expected %s, found '%.60s'%s", place, named, expected, x.value,
                   pp_hint(x.value, words, (char[PP_HINT_MAX]){0}));
}

/* One of `words`, or what begins like a number, which those who use it read closer. */
static pp_status word_or_number(const pp_session *s, setting x, const char *words, const char *expected)
{
    const bool good = isdigit((unsigned char)x.value[0]) || x.value[0] == '.' || is_one_of(x.value, words);
    return good ? PP_OK : bad_word(s, x, words, expected);
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
    PP_TRY(word_or_number(s, (setting){"quant", "rotation_block", s->quant.rotation_block}, "full array_rows", "full, array_rows or a number"));
    PP_TRY(word_or_number(s, (setting){"quant", "online_block", s->lm_graph.online_block}, "array_rows head full", "array_rows, head, full or a number"));
    PP_TRY(word_or_number(s, (setting){"workload", "experts", s->lm_graph.experts}, "uniform seeded", "uniform, seeded or numbers set apart by commas"));
    if (pp_lmq_method_parse(s->lm_quant.method, &method, &gptq) == PP_OK)
        return PP_OK;
    return bad_word(s, (setting){"quant", "method", s->lm_quant.method}, "rtn gptq quarot kurtail quarot-gptq kurtail-gptq",
                    "rtn, gptq, quarot, kurtail, quarot-gptq or kurtail-gptq");
}

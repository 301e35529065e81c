/* Language models small enough to be simulated tile by tile, laid on a fabric. */
#ifndef PP_TESTS_SIM_LM_FIXTURE_H
#define PP_TESTS_SIM_LM_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/tokens_lm.h"

#define SETS(...) (const char *const[]){__VA_ARGS__, NULL}
#define CHEAP "fabric.channel=llm", "arch.rows=32", "arch.cols=32"

static void bind(const pp_config *c, pp_knob_table table, void *out)
{
    if (pp_config_bind(c, &table, out) != PP_OK)
        fail_msg("%s", pp_error_text());
}

static pp_lm_mapping *map_on(const pp_lm_config *model, const char *fabric, const char *const *sets)
{
    const pp_knob_table tables[] = {pp_arch_knobs(), pp_quant_knobs(), pp_fabric_knobs(), pp_map_knobs(), pp_lm_graph_knobs(),
                                    pp_lm_map_knobs()};
    pp_config *config = NULL;
    pp_arena *arena = NULL;
    pp_arch arch;
    pp_quant_options quant = {0};
    pp_fabric_options options = {0};
    pp_map_options map = {0};
    pp_lm_map_input in = {.config = model, .arch = &arch, .quant = &quant, .fabric = &options, .map = &map, .seed = 3};
    pp_lm_mapping *m = NULL;
    assert_int_equal(pp_config_new(&config, tables, 6), PP_OK);
    assert_int_equal(pp_arena_new(&arena), PP_OK);
    for (; *sets; sets++)
        if (pp_config_set(config, *sets) != PP_OK)
            fail_msg("%s", pp_error_text());
    assert_int_equal(pp_arch_resolve(&arch, config), PP_OK);
    bind(config, pp_quant_knobs(), &quant);
    bind(config, pp_fabric_knobs(), &options);
    bind(config, pp_map_knobs(), &map);
    bind(config, pp_lm_graph_knobs(), &in.graph);
    bind(config, pp_lm_map_knobs(), &in.lm);
    assert_int_equal(pp_fabric_parse(&options, arena, fabric), PP_OK);
    if (pp_lm_map(&m, &in) != PP_OK)
        fail_msg("%s: %s", fabric, pp_error_text());
    pp_config_free(config);
    pp_arena_free(arena);
    return m;
}

/* Odd sizes; several row tiles; groups of query heads. */
static pp_lm_config small(const char *like)
{
    pp_lm_config c;
    assert_int_equal(pp_lm_shape(&c, like), PP_OK);
    c.layers = 3;
    c.hidden = 72;
    c.ffn = 160;
    c.heads = 6;
    c.kv_heads = c.gated ? 2 : 6;
    c.head_dim = 12;
    c.rope.rotary_dim = c.rope.rotary_dim > 0 ? 12 : 0;
    c.vocab = 100;
    return c;
}

#endif

/* What the tests of topology/ share. */
#ifndef PP_TEST_TOPOLOGY_H
#define PP_TEST_TOPOLOGY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "topology/topology.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Options at their defaults, with what belongs to them. */
typedef struct bench {
    pp_config *config;
    pp_arena *arena;
    pp_fabric_options options;
} bench;

static inline bench bench_new(void)
{
    bench b = {0};
    const pp_knob_table table = pp_fabric_knobs();
    assert_int_equal(pp_config_new(&b.config, &table, 1), PP_OK);
    assert_int_equal(pp_config_bind(b.config, &table, &b.options), PP_OK);
    assert_int_equal(pp_arena_new(&b.arena), PP_OK);
    return b;
}

static inline void bench_free(bench *b)
{
    pp_config_free(b->config);
    pp_arena_free(b->arena);
}

/* The fabric of a FABRIC string with options as in `b`, checked. */
static inline pp_fabric *bench_build(bench *b, const char *text)
{
    pp_fabric *f = NULL;
    if (pp_fabric_parse(&b->options, b->arena, text) != PP_OK || pp_fabric_build(&f, &b->options) != PP_OK ||
        pp_fabric_check(f) != PP_OK)
        fail_msg("%s: %s", text, pp_error_text());
    return f;
}

/* The fabric of a FABRIC string, everything else at its default. */
static inline pp_fabric *build(const char *text)
{
    bench b = bench_new();
    pp_fabric *f = bench_build(&b, text);
    bench_free(&b);
    return f;
}

/* Number of network channels u -> v. */
static inline uint32_t channels_between(const pp_fabric *f, uint32_t u, uint32_t v)
{
    uint32_t n = 0;
    for (uint32_t c = 0; c < f->n_network; c++)
        n += f->channel[c].src == u && f->channel[c].dst == v;
    return n;
}

/* The call failed, and its text has this in it. */
#define assert_failed_with(status, expected_status, part)                                    \
    do {                                                                                     \
        assert_int_equal(status, expected_status);                                           \
        if (!strstr(pp_error_text(), part))                                                  \
            fail_msg("expected \"%s\" in \"%s\"", part, pp_error_text());                    \
    } while (0)

static inline void put_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

/* Whole file; the caller frees it. */
static inline char *get_text(const char *path)
{
    char *text = NULL;
    size_t size = 0;
    assert_int_equal(pp_file_read_text(&text, &size, path, (size_t)1 << 26), PP_OK);
    return text;
}

#endif

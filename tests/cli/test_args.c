/* The argument parser against command lines written out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int never(const pp_parsed *p)
{
    (void)p;
    return 99;
}

static const pp_arg own[] = {
    {'x', "extra", NULL, "a flag of its own"},
    {0, "depth", "N", "an option with a value"},
    {0, NULL, NULL, NULL},
};
static const pp_command command = {.name = "try", .operands = "A [B]", .min_operands = 1, .max_operands = 2,
                                   .text = "tries", .examples = "  pentaprism try a\n", .args = own, .run = never};

#define MAX_WORDS 16

/* Splits `line` at blanks; words stay in `copy`. "_" stands for an empty word. */
static pp_status parse(pp_parsed *p, char *copy, const char *line)
{
    char *argv[MAX_WORDS], *save = NULL;
    int n = 0;
    strcpy(copy, line);
    for (char *w = strtok_r(copy, " ", &save); w != NULL && n < MAX_WORDS; w = strtok_r(NULL, " ", &save))
        argv[n++] = strcmp(w, "_") == 0 ? w + 1 : w;
    return pp_args_parse(p, &command, n, argv);
}

static void takes(void **state)
{
    (void)state;
    char copy[200];
    pp_parsed p;
    assert_int_equal(parse(&p, copy, "first -x --depth 3 -o out.h5 second"), PP_OK);
    assert_int_equal(p.n_operands, 2);
    assert_string_equal(p.operand[0], "first");
    assert_string_equal(p.operand[1], "second");
    assert_true(pp_args_has(&p, "extra"));
    assert_string_equal(pp_args_get(&p, "extra"), "");
    assert_string_equal(pp_args_get(&p, "depth"), "3");
    assert_string_equal(pp_args_get(&p, "output"), "out.h5");
    assert_null(pp_args_get(&p, "seed"));
    assert_false(pp_args_has(&p, "json"));
    pp_args_free(&p);
}

static void command_that_makes_it_again(void **state)
{
    (void)state;
    char copy[200];
    pp_parsed p;
    assert_int_equal(parse(&p, copy, "mesh:rows=2/5pp -x --depth 3 -o out.h5 -j 2 --set a.b=it's --force --seed 7 --json"), PP_OK);
    char *text = pp_canonical_command(&p);
    assert_non_null(text);
    assert_string_equal(text, "pentaprism try mesh:rows=2/5pp --extra --depth 3 --set 'a.b=it'\\''s' --seed 7");
    free(text);
    pp_args_free(&p);
    FILE *f = fopen("args-here.yaml", "w");
    assert_non_null(f);
    fclose(f);
    assert_int_equal(parse(&p, copy, "./args-here.yaml _"), PP_OK); /* files go without their folder */
    text = pp_canonical_command(&p);
    assert_non_null(text);
    assert_string_equal(text, "pentaprism try args-here.yaml ''");
    free(text);
    pp_args_free(&p);
    assert_int_equal(parse(&p, copy, "./args-here.yaml --set a.b=./args-here.yaml --set c.d=file:./args-here.yaml --set e.f=x,./args-here.yaml:output=y"), PP_OK);
    text = pp_canonical_command(&p);
    assert_non_null(text);
    assert_string_equal(text, "pentaprism try args-here.yaml --set a.b=args-here.yaml --set c.d=file:args-here.yaml --set e.f=x,args-here.yaml:output=y");
    free(text);
    pp_args_free(&p);
    remove("args-here.yaml");
}

static void spellings_of_a_value(void **state)
{
    (void)state;
    static const char *const lines[] = {"a --depth 7", "a --depth=7", "--depth=7 a", "a --depth 1 --depth 7"};
    char copy[200];
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        pp_parsed p;
        assert_int_equal(parse(&p, copy, lines[i]), PP_OK);
        assert_string_equal(pp_args_get(&p, "depth"), "7");
        pp_args_free(&p);
    }
    pp_parsed p;
    assert_int_equal(parse(&p, copy, "a -j4 --depth="), PP_OK);
    assert_string_equal(pp_args_get(&p, "threads"), "4");
    assert_string_equal(pp_args_get(&p, "depth"), "");
    pp_args_free(&p);
}

static void repeats_keep_their_order(void **state)
{
    (void)state;
    char copy[200];
    pp_parsed p;
    assert_int_equal(parse(&p, copy, "a --set x.y=1 --json --set x.y=2"), PP_OK);
    assert_int_equal(p.n_options, 3);
    assert_string_equal(p.option_name[0], "set");
    assert_string_equal(p.option_value[0], "x.y=1");
    assert_string_equal(p.option_name[1], "json");
    assert_string_equal(p.option_value[2], "x.y=2");
    assert_string_equal(pp_args_get(&p, "set"), "x.y=2");
    pp_args_free(&p);
}

static void operands_that_look_like_options(void **state)
{
    (void)state;
    char copy[200];
    pp_parsed p;
    assert_int_equal(parse(&p, copy, "- -- --json"), PP_OK);
    assert_int_equal(p.n_operands, 2);
    assert_string_equal(p.operand[0], "-");
    assert_string_equal(p.operand[1], "--json");
    assert_false(pp_args_has(&p, "json"));
    pp_args_free(&p);
    assert_int_equal(parse(&p, copy, "_"), PP_OK); /* an empty word is an operand */
    assert_string_equal(p.operand[0], "");
    pp_args_free(&p);
}

static void refuses(void **state)
{
    (void)state;
    static const struct {
        const char *line, *words;
    } bad[] = {
        {"", "expected A [B]"},          {"a b c", "unexpected argument 'c'"}, {"a --dept 3", "did you mean --depth?"},
        {"a --nothinglikeit", "--nothinglikeit"}, {"a -q", "'-q'"},            {"a --depth", "needs a value (N)"},
        {"a --json=1", "takes no value"}, {"a -xy", "takes no value"},         {"a -o", "needs a value (FILE)"},
        {"a --", "" /* fine: no more words */},
    };
    char copy[200];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pp_parsed p;
        pp_status status = parse(&p, copy, bad[i].line);
        if (bad[i].words[0] == 0) {
            assert_int_equal(status, PP_OK);
        } else {
            assert_int_equal(status, PP_EUSAGE);
            assert_non_null(strstr(pp_error_text(), bad[i].words));
            assert_ptr_equal(strstr(pp_error_text(), "try: "), pp_error_text());
        }
        pp_args_free(&p);
    }
}

static void help_needs_no_operand(void **state)
{
    (void)state;
    char copy[200];
    pp_parsed p;
    assert_int_equal(parse(&p, copy, "--help"), PP_OK);
    assert_true(pp_args_has(&p, "help"));
    pp_args_free(&p);
}

static void integers(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        pp_status status;
        int64_t value;
    } rows[] = {
        {"a", PP_OK, 5},           {"a --depth 1", PP_OK, 1},        {"a --depth 9", PP_OK, 9},
        {"a --depth 0", PP_EUSAGE, 0}, {"a --depth 10", PP_EUSAGE, 0}, {"a --depth -3", PP_EUSAGE, 0},
        {"a --depth 3x", PP_EUSAGE, 0}, {"a --depth=", PP_EUSAGE, 0},  {"a --depth 99999999999999999999", PP_EUSAGE, 0},
    };
    char copy[200];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        pp_parsed p;
        int64_t v;
        assert_int_equal(parse(&p, copy, rows[i].line), PP_OK);
        assert_int_equal(pp_args_i64(&p, "depth", 5, 1, 9, &v), rows[i].status);
        if (rows[i].status == PP_OK)
            assert_int_equal(v, rows[i].value);
        else
            assert_non_null(strstr(pp_error_text(), "--depth: expected an integer from 1 to 9"));
        pp_args_free(&p);
    }
}

static void help_shows_every_option(void **state)
{
    (void)state;
    FILE *f = tmpfile();
    assert_non_null(f);
    pp_command_help(&command, f);
    rewind(f);
    char text[4096];
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = 0;
    fclose(f);
    assert_ptr_equal(strstr(text, "usage: pentaprism try A [B] [options]"), text);
    assert_non_null(strstr(text, "-x, --extra"));
    assert_non_null(strstr(text, "--depth N"));
    for (const pp_arg *a = pp_common_args; a->name != NULL; a++) {
        assert_non_null(strstr(text, a->name));
        assert_non_null(strstr(text, a->text));
    }
    assert_non_null(strstr(text, "pentaprism try a\n"));
}

static void memory_that_runs_out(void **state)
{
    (void)state;
    char copy[200];
    for (long n = 0; n < 3; n++) {
        pp_parsed p;
        pp_alloc_fail_after(n);
        pp_status status = parse(&p, copy, "a --depth 3");
        pp_alloc_fail_after(-1);
        assert_int_equal(status, PP_ENOMEM);
        pp_args_free(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes), cmocka_unit_test(command_that_makes_it_again),
        cmocka_unit_test(spellings_of_a_value),
        cmocka_unit_test(repeats_keep_their_order),
        cmocka_unit_test(operands_that_look_like_options),
        cmocka_unit_test(refuses),
        cmocka_unit_test(help_needs_no_operand),
        cmocka_unit_test(integers),
        cmocka_unit_test(help_shows_every_option),
        cmocka_unit_test(memory_that_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

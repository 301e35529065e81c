/* Lets every single allocation of the readers fail in turn. The address sanitizer then sees leaks. */
#include "test_base.h"

#include "knobs.h"

#include <unistd.h>

#define RUN "test_oom.yaml"

static const char run_text[] = "arch:\n  rows: 128\n  name: a\n  kernel: auto\nworkload: {images: 3, model: \"x\"}\n";

static pp_status read_yaml(void)
{
    pp_doc *doc = NULL;
    const pp_status status = pp_doc_read_yaml(&doc, RUN);
    assert_true((status == PP_OK) == (doc != NULL));
    pp_doc_free(doc);
    return status;
}

/* Larger than a chunk of the arena, so that chunks within the document fail as well. */
static pp_status parse_json(void)
{
    static char text[200000];
    if (text[0] == '\0') {
        size_t at = (size_t)sprintf(text, "{\"list\": [");
        for (int i = 0; i < 2000; i++)
            at += (size_t)sprintf(text + at, "%s{\"a\": %d, \"b\": [\"text %d\", null, true]}", i ? "," : "", i, i);
        (void)sprintf(text + at, "]}");
    }
    pp_doc *doc = NULL;
    const pp_status status = pp_doc_parse_json(&doc, "f.json", text, strlen(text));
    assert_true((status == PP_OK) == (doc != NULL));
    pp_doc_free(doc);
    return status;
}

static pp_status configure(void)
{
    pp_config *config = NULL;
    pp_status status = PP_OK;
    PP_GOTO(done, status, pp_config_new(&config, tables, 2));
    PP_GOTO(done, status, pp_config_load(config, RUN));
    PP_GOTO(done, status, pp_config_set(config, "arch.drift=0.25"));
    PP_GOTO(done, status, pp_config_set(config, "arch.name=other"));
    assert_string_equal(pp_config_text(config, "arch", "rows"), "128");
done:
    pp_config_free(config);
    return status;
}

/* These end in an error in any case; it must not hide that memory ran out before. */
static pp_status fail_to_configure(void)
{
    pp_config *config = NULL;
    pp_status status = PP_OK;
    PP_GOTO(done, status, pp_config_new(&config, tables, 2));
    PP_GOTO(done, status, pp_config_load(config, RUN));
done:
    pp_config_free(config);
    return status;
}

/* Runs `act` with the n-th allocation failing, n = 0, 1 ..., until it ends as it does with memory. */
static void fail_each(pp_status (*act)(void), pp_status expected)
{
    long n = 0;
    for (bool through = false; !through; n++) {
        pp_alloc_fail_after(n);
        pp_error_clear();
        const pp_status status = act();
        pp_alloc_fail_after(-1);
        through = status == expected;
        if (!through) {
            assert_int_equal(status, PP_ENOMEM);
            assert_non_null(strstr(pp_error_text(), "out of memory"));
        }
        assert_true(n < 100000);
    }
    assert_true(n > 3);
}

static void the_yaml_reader(void **state)
{
    (void)state;
    put_text(RUN, run_text);
    fail_each(read_yaml, PP_OK);
}

static void the_json_reader(void **state)
{
    (void)state;
    fail_each(parse_json, PP_OK);
}

static void the_configuration(void **state)
{
    (void)state;
    put_text(RUN, run_text);
    fail_each(configure, PP_OK);
}

static void the_messages_of_the_configuration(void **state)
{
    (void)state;
    put_text(RUN, "arch:\n  rowz: 3\n");
    fail_each(fail_to_configure, PP_EFORMAT);
    put_text(RUN, "arhc:\n  rows: 3\n");
    fail_each(fail_to_configure, PP_EFORMAT);
    put_text(RUN, "arch:\n  kernel: none\n");
    fail_each(fail_to_configure, PP_EFORMAT);
    put_text(RUN, "arch:\n  rows: 1\n  rows: 2\n");
    fail_each(fail_to_configure, PP_EFORMAT);
    (void)unlink(RUN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_yaml_reader),
        cmocka_unit_test(the_json_reader),
        cmocka_unit_test(the_configuration),
        cmocka_unit_test(the_messages_of_the_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

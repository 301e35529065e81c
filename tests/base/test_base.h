/* What the tests of base/ share. */
#ifndef PP_TEST_BASE_H
#define PP_TEST_BASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The call failed with this status and this very text. */
#define assert_failed(status, expected_status, expected_text)                                                          \
    do {                                                                                                               \
        assert_int_equal(status, expected_status);                                                                     \
        assert_string_equal(pp_error_text(), expected_text);                                                           \
    } while (0)

/* Writes a file for a test, in the working folder. */
static inline void put_file(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static inline void put_text(const char *path, const char *text)
{
    put_file(path, text, strlen(text));
}

/* The file holds exactly this text. */
static inline void assert_file_text(const char *path, const char *text)
{
    char buffer[4096];
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    const size_t size = fread(buffer, 1, sizeof buffer - 1, f);
    assert_int_equal(fclose(f), 0);
    buffer[size] = '\0';
    assert_string_equal(buffer, text);
}

#endif

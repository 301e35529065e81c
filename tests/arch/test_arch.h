/* What the tests of arch/ share. */
#ifndef PP_TEST_ARCH_H
#define PP_TEST_ARCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arch/arch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The call failed, and its text has this in it. */
#define assert_failed_with(status, expected_status, part)                                    \
    do {                                                                                     \
        assert_int_equal(status, expected_status);                                           \
        if (!strstr(pp_error_text(), part))                                                  \
            fail_msg("expected \"%s\" in \"%s\"", part, pp_error_text());                    \
    } while (0)

static inline pp_arch preset(const char *name)
{
    pp_arch arch;
    if (pp_arch_from_preset(&arch, name) != PP_OK)
        fail_msg("%s: %s", name, pp_error_text());
    return arch;
}

#endif

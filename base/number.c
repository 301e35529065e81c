#include "base/base_internal.h"
#include "base/doc.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *skip_sign(const char *c)
{
    return *c == '+' || *c == '-' ? c + 1 : c;
}

static const char *skip_digits(const char *c)
{
    while (*c >= '0' && *c <= '9')
        c++;
    return c;
}

bool pp_parse_i64(const char *text, int64_t *out)
{
    const char *digits = skip_sign(text);
    const char *end = skip_digits(digits);
    if (end == digits || *end != '\0')
        return false;
    errno = 0;
    const intmax_t value = strtoimax(text, NULL, 10);
    if (errno != 0 || value < INT64_MIN || value > INT64_MAX)
        return false;
    *out = (int64_t)value;
    return true;
}

/* The form is checked here: strtod alone takes spaces, hexadecimals, "nan" and "infinity", too. */
static bool is_decimal(const char *text)
{
    const char *c = skip_sign(text);
    const char *whole = c;
    c = skip_digits(c);
    size_t digits = (size_t)(c - whole);
    if (*c == '.') {
        const char *fraction = ++c;
        c = skip_digits(c);
        digits += (size_t)(c - fraction);
    }
    if (digits == 0)
        return false;
    if (*c == 'e' || *c == 'E') {
        const char *exponent = skip_sign(c + 1);
        c = skip_digits(exponent);
        if (c == exponent)
            return false;
    }
    return *c == '\0';
}

bool pp_parse_f64(const char *text, double *out)
{
    if (!is_decimal(text))
        return false;
    char *end = NULL;
    const double value = strtod(text, &end);
    if (*end != '\0' || !isfinite(value))
        return false;
    *out = value;
    return true;
}

void pp_f64_text(double value, char text[PP_F64_TEXT_MAX])
{
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, PP_F64_TEXT_MAX, "%.*g", digits, value);
        const double back = strtod(text, NULL);
        if (memcmp(&back, &value, sizeof value) == 0)
            return;
    }
}

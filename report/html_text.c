/* Text from reports, made harmless; numbers for people. */
#include "report/html_internal.h"

#include <math.h>
#include <string.h>

/* Bytes of the well-formed UTF-8 character at `s`; 0: none. No overlong forms, no surrogates. */
static size_t utf8_length(const unsigned char *s)
{
    if (s[0] < 0x80)
        return 1;
    size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
        (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

static const char *html_entity(unsigned char c)
{
    switch (c) {
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '&':
        return "&amp;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ? " " : NULL;
    }
}

void pp_html_text(FILE *f, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    while (*s != 0) {
        size_t n = utf8_length(s);
        const char *entity = n == 1 ? html_entity(*s) : n == 0 ? "\xEF\xBF\xBD" : NULL;
        if (entity != NULL)
            fputs(entity, f);
        else
            fwrite(s, 1, n, f);
        s += n > 0 ? n : 1;
    }
}

void pp_html_json_text(FILE *f, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    fputc('"', f);
    while (*s != 0) {
        size_t n = utf8_length(s);
        if (n == 0)
            fputs("\\ufffd", f);
        else if (n == 1 && (*s < 0x20 || *s == 0x7f || strchr("<>&\"\\'", *s) != NULL))
            fprintf(f, "\\u%04x", *s);
        else
            fwrite(s, 1, n, f);
        s += n > 0 ? n : 1;
    }
    fputc('"', f);
}

void pp_html_si(char *buffer, size_t size, double value, const char *unit)
{
    static const char *const prefix[] = {"f", "p", "n", "µ", "m", "", "k", "M", "G", "T", "P"};
    int k = 5;
    double v = value;
    if (!isfinite(value)) { /* the report lacks it, or holds none */
        snprintf(buffer, size, "\xE2\x80\x93");
        return;
    }
    while (fabs(v) >= 999.95 && k < 10) {
        v /= 1000;
        k++;
    }
    while (v != 0 && fabs(v) < 0.99995 && k > 0) {
        v *= 1000;
        k--;
    }
    snprintf(buffer, size, "%.4g %s%s", v, prefix[k], unit);
}

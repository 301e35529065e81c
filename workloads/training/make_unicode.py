#!/usr/bin/env python3
"""Writes ../tokenizer_unicode.c: ranges of letters (general categories L*) and numbers (N*) of Unicode,
from the tables that come with Python."""
import sys
import unicodedata


def ranges(first):
    out = []
    for c in range(0x80, sys.maxunicode + 1):
        if unicodedata.category(chr(c))[0] == first:
            if out and out[-1][1] == c - 1:
                out[-1][1] = c
            else:
                out.append([c, c])
    return out


def table(name, first):
    cells = ["{0x%x, 0x%x}" % (a, b) for a, b in ranges(first)]
    lines, line = [], ""
    for cell in cells:
        if len(line) + len(cell) > 112:
            lines.append(line.rstrip())
            line = ""
        line += cell + ", "
    lines.append(line.rstrip())
    return "static const range %s[] = {\n    %s\n};\n" % (name, "\n    ".join(lines))


print("""/* Letters and numbers of Unicode %s above ASCII. Written by training/make_unicode.py; do not edit. */
#include "workloads/tokenizer_internal.h"

typedef struct range {
    uint32_t first, last;
} range;

%s
%s
static bool within(const range *r, size_t n, uint32_t c)
{
    while (n > 0) {
        const size_t half = n / 2;
        if (c > r[half].last) {
            r += half + 1;
            n -= half + 1;
        } else if (c < r[half].first)
            n = half;
        else
            return true;
    }
    return false;
}

bool pp_unicode_letter_(uint32_t c)
{
    if (c < 0x80)
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return within(letters, sizeof letters / sizeof *letters, c);
}

bool pp_unicode_number_(uint32_t c)
{
    if (c < 0x80)
        return c >= '0' && c <= '9';
    return within(numbers, sizeof numbers / sizeof *numbers, c);
}

bool pp_unicode_space_(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
           c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}""" % (unicodedata.unidata_version, table("letters", "L"), table("numbers", "N")))

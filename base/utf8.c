#include "base/doc.h"

#include <string.h>

/* The second byte's range carries all exceptions: overlong forms, surrogates, beyond U+10FFFF. */
size_t pp_utf8_length(const unsigned char *text, size_t size)
{
    if (size == 0)
        return 0;
    const unsigned char lead = text[0];
    if (lead < 0x80)
        return 1;
    const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || length > size)
        return 0;
    const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

void pp_utf8_clean(char *to, const unsigned char *text, size_t n)
{
    for (size_t i = 0, length; i < n; i += length) {
        length = pp_utf8_length(text + i, n - i);
        if (length > 1)
            memcpy(to + i, text + i, length);
        else
            to[i] = length == 0 || text[i] < 0x20 || text[i] == 0x7f ? '?' : (char)text[i];
        length += length == 0;
    }
    to[n] = '\0';
}

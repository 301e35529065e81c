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

/* U+202A to U+202E and U+2066 to U+2069 turn the order of what is written behind them, beyond the name. */
static bool turns_text(const unsigned char *text, size_t length)
{
    return length == 3 && text[0] == 0xE2 && ((text[1] == 0x80 && text[2] >= 0xAA && text[2] <= 0xAE) || (text[1] == 0x81 && text[2] >= 0xA6 && text[2] <= 0xA9));
}

void pp_utf8_clean(char *to, const unsigned char *text, size_t n)
{
    for (size_t i = 0, length; i < n; i += length) {
        length = pp_utf8_length(text + i, n - i);
        if (turns_text(text + i, length))
            memset(to + i, '?', length);
        else if (length > 1)
            memcpy(to + i, text + i, length);
        else
            to[i] = length == 0 || text[i] < 0x20 || text[i] == 0x7f ? '?' : (char)text[i];
        length += length == 0;
    }
    to[n] = '\0';
}

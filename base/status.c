#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Room for a long path, a place and a sentence; longer texts are cut. */
#define TEXT_MAX 2048

/* Aligned as the sections behind it: lld otherwise may begin the read-only part of the program one page too early,
 * and the loader refuses the program. */
static _Alignas(16) _Thread_local char error_text[TEXT_MAX];

const char *pp_status_text(pp_status status)
{
    static const char *const texts[] = {
#define TEXT_ROW(code, text) [code] = text,
        PP_STATUS_LIST(TEXT_ROW)
#undef TEXT_ROW
    };
    if ((unsigned)status >= PP_STATUS_COUNT)
        return "unknown status";
    return texts[status];
}

/* A cut text must not end within a UTF-8 character. */
static void drop_partial_character(char *text, size_t len)
{
    size_t start = len;
    while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0xC0)
        text[start - 1] = '\0';
}

/* Messages echo input; one message stays one line and cannot steer a terminal. */
static void make_one_line(char *text)
{
    for (char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = '?';
}

/* `text` (TEXT_MAX bytes) becomes the text of the thread. Arguments of the message may point into
 * the old text, which is why messages are made in a buffer of their own. */
static void record(char *text, int wanted)
{
    if (wanted < 0)
        text[0] = '\0';
    if (wanted >= TEXT_MAX)
        drop_partial_character(text, TEXT_MAX - 1);
    make_one_line(text);
    memcpy(error_text, text, TEXT_MAX);
}

pp_status pp_fail(pp_status status, const char *format, ...)
{
    char text[TEXT_MAX] = "";
    va_list args;
    va_start(args, format);
    const int wanted = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    record(text, wanted);
    return status;
}

pp_status pp_fail_at(pp_status status, const char *file, unsigned line, const char *format, ...)
{
    char message[TEXT_MAX] = "", text[TEXT_MAX] = "";
    va_list args;
    va_start(args, format);
    const int made = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (made < 0)
        message[0] = '\0';
    const int wanted = line > 0 ? snprintf(text, sizeof text, "%s:%u: %s", file, line, message)
                                : snprintf(text, sizeof text, "%s: %s", file, message);
    record(text, wanted);
    return status;
}

pp_status pp_fail_in(pp_status status, const char *prefix)
{
    char text[TEXT_MAX] = "";
    const int wanted =
        snprintf(text, sizeof text, "%s: %s", prefix, error_text[0] != '\0' ? error_text : pp_status_text(status));
    record(text, wanted);
    return status;
}

const char *pp_error_text(void)
{
    return error_text;
}

void pp_error_clear(void)
{
    error_text[0] = '\0';
}

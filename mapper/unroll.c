/* What the user says about patches and copies: "32:1x4,16:1x1" and "32:2,16:1", by height of the output map. */
#include "mapper/mapper_internal.h"

#include <stdio.h>
#include <string.h>

#define MAX_ENTRIES (sizeof((pp_by_height *)0)->entry / sizeof((pp_by_height *)0)->entry[0])
#define MAX_SIZE 65536u

static void skip_spaces(const char **text)
{
    while (**text == ' ')
        ++*text;
}

/* A decimal number from 1 to MAX_SIZE; moves *text behind it and the spaces around it. */
static bool number(const char **text, uint32_t *out)
{
    skip_spaces(text);
    const char *at = *text;
    uint32_t value = 0;
    while (*at >= '0' && *at <= '9' && value <= MAX_SIZE)
        value = value * 10 + (uint32_t)(*at++ - '0');
    if (at == *text || value < 1 || value > MAX_SIZE)
        return false;
    *text = at;
    *out = value;
    skip_spaces(text);
    return true;
}

static bool skip(const char **text, char c)
{
    if (**text != c)
        return false;
    ++*text;
    return true;
}

/* One "HEIGHT:YxX" or "HEIGHT:N". */
static bool entry(const char **text, bool patches, uint32_t *height, pp_choice *value)
{
    *value = (pp_choice){{1, 1}, 1};
    if (!number(text, height) || !skip(text, ':'))
        return false;
    if (!patches)
        return number(text, &value->copies);
    return number(text, &value->patch.y) && skip(text, 'x') && number(text, &value->patch.x);
}

/* Heights of the firing maps, "32, 16, 8, 1", for messages. */
static const char *heights_of(const pp_qnetwork *q, char *buffer, size_t size)
{
    size_t used = 0;
    buffer[0] = 0;
    for (uint32_t s = 0; s < q->stages->n; s++) {
        uint32_t h = q->stages->stage[s].fire.h;
        bool seen = false;
        for (uint32_t t = 0; t < s && !seen; t++)
            seen = q->stages->stage[t].fire.h == h;
        if (seen || used >= size)
            continue;
        int n = snprintf(buffer + used, size - used, "%s%u", used ? ", " : "", h);
        used += n > 0 ? (size_t)n : 0;
    }
    return buffer;
}

static bool height_exists(const pp_qnetwork *q, uint32_t height)
{
    for (uint32_t s = 0; s < q->stages->n; s++)
        if (q->stages->stage[s].fire.h == height)
            return true;
    return false;
}

static pp_status add_entry(pp_by_height *out, const pp_qnetwork *q, const char *knob, uint32_t height, pp_choice value)
{
    char heights[256];
    for (uint32_t i = 0; i < out->n; i++)
        if (out->entry[i].height == height)
            return pp_fail(PP_EINVAL, "%s: expected each height once, found %u twice", knob, height);
    if (!height_exists(q, height))
        return pp_fail(PP_EINVAL, "%s: expected heights of output maps of %s (%s), found %u", knob, q->net->name,
                       heights_of(q, heights, sizeof heights), height);
    if (out->n == MAX_ENTRIES)
        return pp_fail(PP_EINVAL, "%s: expected at most %zu heights", knob, MAX_ENTRIES);
    out->entry[out->n].height = height;
    out->entry[out->n++].value = value;
    return PP_OK;
}

static pp_status parse_list(pp_by_height *out, const pp_qnetwork *q, const char *knob, const char *form,
                            const char *text, bool patches)
{
    const char *at = text;
    out->n = 0;
    do {
        uint32_t height;
        pp_choice value;
        if (!entry(&at, patches, &height, &value))
            return pp_fail(PP_EINVAL, "%s: expected %s, found '%s'%s", knob, form, text,
                           pp_hint(text, "auto none", (char[PP_HINT_MAX]){0}));
        PP_TRY(add_entry(out, q, knob, height, value));
    } while (skip(&at, ','));
    if (*at != 0)
        return pp_fail(PP_EINVAL, "%s: expected %s, found '%s'", knob, form, text);
    return PP_OK;
}

static pp_status parse_copies(pp_unroll_spec *out, const pp_qnetwork *q, const char *text)
{
    const char *at = text;
    out->copies = 1;
    out->auto_copies = strcmp(text, "auto") == 0;
    if (out->auto_copies)
        return PP_OK;
    if (number(&at, &out->copies) && *at == 0)
        return PP_OK;
    out->copies = 1;
    return parse_list(&out->by_copies, q, "mapping.copies",
                      "auto, a number, or numbers by height of the output map like 32:2,16:1", text, false);
}

pp_status pp_unroll_parse(pp_unroll_spec *out, const pp_qnetwork *q, const pp_map_options *options)
{
    memset(out, 0, sizeof *out);
    out->auto_patch = strcmp(options->unroll, "auto") == 0;
    PP_TRY(parse_copies(out, q, options->copies));
    if (out->auto_patch || strcmp(options->unroll, "none") == 0)
        return PP_OK;
    return parse_list(&out->patches, q, "mapping.unroll",
                      "auto, none, or patches by height of the output map like 32:1x4,16:1x1", options->unroll, true);
}

pp_choice pp_unroll_of(const pp_unroll_spec *spec, uint32_t height)
{
    pp_choice value = {{1, 1}, spec->copies};
    for (uint32_t i = 0; i < spec->patches.n; i++)
        if (spec->patches.entry[i].height == height)
            value.patch = spec->patches.entry[i].value.patch;
    for (uint32_t i = 0; i < spec->by_copies.n; i++)
        if (spec->by_copies.entry[i].height == height)
            value.copies = spec->by_copies.entry[i].value.copies;
    return value;
}

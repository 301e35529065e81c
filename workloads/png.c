/* PNG: chunks, one deflated stream of filtered lines, palettes. PAPER: ISO/IEC 15948 (PNG), second edition */
#include "workloads/image_internal.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* Every dx-th pixel of every dy-th line: all of them, or one of the seven passes of an interlaced file. */
typedef struct pass {
    uint32_t x, y, dx, dy, w, h;
    size_t line, at; /* bytes of a line with its filter; where the first one is */
} pass;

typedef struct png {
    const pp_file *file;
    uint32_t w, h, depth, samples; /* bits of a sample, samples a pixel */
    bool palette, alpha, gray;
    const uint8_t *colours; /* red, green, blue each */
    uint32_t n_colours;
    pass pass[7];
    uint32_t passes;
    uint8_t *lines; /* of all passes: a filter byte and the bytes of a line */
    size_t size, filled;
    z_stream stream;
    bool open, done;
} png;

static pp_status fail(const png *p, const char *says)
{
    return pp_fail_at(PP_EFORMAT, p->file->path, 0, "%s", says);
}

static uint32_t big(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void add_pass(png *p, uint32_t x, uint32_t y, uint32_t dx, uint32_t dy)
{
    pass *a = &p->pass[p->passes];
    if (x >= p->w || y >= p->h)
        return; /* nothing of a small picture */
    *a = (pass){.x = x, .y = y, .dx = dx, .dy = dy, .w = (p->w - x + dx - 1) / dx, .h = (p->h - y + dy - 1) / dy, .at = p->size};
    a->line = ((size_t)a->w * p->samples * p->depth + 7) / 8 + 1;
    p->size += a->line * a->h;
    p->passes++;
}

static void find_passes(png *p, bool interlaced)
{
    static const uint8_t adam7[7][4] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
    if (!interlaced)
        add_pass(p, 0, 0, 1, 1);
    for (size_t i = 0; interlaced && i < 7; i++)
        add_pass(p, adam7[i][0], adam7[i][1], adam7[i][2], adam7[i][3]);
}

static pp_status read_header(png *p, const uint8_t *d, uint32_t n)
{
    static const uint8_t samples[7] = {1, 0, 3, 1, 2, 0, 4};
    if (n != 13 || p->w)
        return fail(p, "a wrong header");
    p->w = big(d);
    p->h = big(d + 4);
    p->depth = d[8];
    p->samples = d[9] < 7 ? samples[d[9]] : 0;
    p->palette = d[9] == 3;
    p->alpha = d[9] == 4 || d[9] == 6;
    p->gray = d[9] == 0 || d[9] == 4;
    bool small = p->depth == 1 || p->depth == 2 || p->depth == 4, whole = p->depth == 8 || p->depth == 16;
    if (!p->samples || !(whole || (small && p->samples == 1 && !p->alpha)) || (p->palette && p->depth == 16))
        return fail(p, "a kind of pixel that PNG does not have");
    if (d[10] || d[11] || d[12] > 1)
        return fail(p, "an unknown compression, filter or interlace method");
    if (p->w < 1 || p->h < 1 || p->w > PP_IMAGE_SIDE || p->h > PP_IMAGE_SIDE)
        return pp_fail_at(PP_ERANGE, p->file->path, 0, "%u x %u pixels; sides of 1 to %u are read", p->w, p->h, PP_IMAGE_SIDE);
    find_passes(p, d[12] == 1);
    /* Deflate packs at most 1032 to 1: a small file cannot ask for much. */
    if (p->size > (p->file->size + 64) * 1040)
        return fail(p, "more pixels than its data can hold");
    p->lines = pp_alloc(p->size, 1);
    return p->lines ? PP_OK : PP_ENOMEM;
}

static pp_status inflate_part(png *p, const uint8_t *d, uint32_t n)
{
    if (!p->open) {
        if (inflateInit(&p->stream) != Z_OK)
            return pp_fail(PP_ENOMEM, "out of memory");
        p->open = true;
    }
    p->stream.next_in = (uint8_t *)(uintptr_t)d;
    p->stream.avail_in = n;
    while (!p->done && p->stream.avail_in > 0) {
        size_t room = p->size - p->filled;
        uint8_t spare[1];
        p->stream.next_out = room ? p->lines + p->filled : spare;
        p->stream.avail_out = room > 1u << 30 ? 1u << 30 : room ? (uInt)room : 1;
        uInt before = p->stream.avail_out;
        int rc = inflate(&p->stream, Z_NO_FLUSH);
        if (rc != Z_OK && rc != Z_STREAM_END)
            return fail(p, "its compressed data are damaged");
        if (!room && p->stream.avail_out < before)
            return fail(p, "more data than its size says");
        p->filled += room ? before - p->stream.avail_out : 0;
        p->done = rc == Z_STREAM_END;
    }
    return PP_OK;
}

static pp_status read_chunk(png *p, const uint8_t *type, const uint8_t *d, uint32_t n, bool *end)
{
    if (memcmp(type, "IHDR", 4) == 0)
        return read_header(p, d, n);
    if (!p->w)
        return fail(p, "no header at its beginning");
    if (memcmp(type, "PLTE", 4) == 0) {
        if (n % 3 || n > 768)
            return fail(p, "a wrong palette");
        p->colours = d;
        p->n_colours = n / 3;
    } else if (memcmp(type, "IDAT", 4) == 0) {
        return inflate_part(p, d, n);
    } else if (memcmp(type, "IEND", 4) == 0) {
        *end = true;
    } else if (!(type[0] & 0x20)) {
        return pp_fail_at(PP_EUNSUPPORTED, p->file->path, 0, "a chunk that must be understood and is not known");
    }
    return PP_OK;
}

static pp_status read_chunks(png *p)
{
    const uint8_t *at = p->file->data + 8;
    size_t left = p->file->size - 8;
    for (bool end = false; !end;) {
        uint32_t n = left >= 12 ? big(at) : 0;
        if (left < 12 || n > left - 12)
            return fail(p, "truncated");
        if (crc32(crc32(0, NULL, 0), at + 4, n + 4) != big(at + 8 + n))
            return fail(p, "damaged: a checksum is wrong");
        PP_TRY(read_chunk(p, at + 4, at + 8, n, &end));
        at += n + 12;
        left -= n + 12;
    }
    if (p->filled != p->size)
        return fail(p, "fewer data than its size says");
    return p->palette && !p->colours ? fail(p, "no palette") : PP_OK;
}

static uint8_t nearest(uint8_t left, uint8_t up, uint8_t corner)
{
    int sum = left + up - corner, a = abs(sum - left), b = abs(sum - up), c = abs(sum - corner);
    return a <= b && a <= c ? left : b <= c ? up : corner;
}

/* Each line is what is left after a prediction from its neighbours. */
static pp_status unfilter(png *p, const pass *a)
{
    size_t step = (size_t)p->samples * p->depth / 8;
    step = step ? step : 1;
    for (uint32_t y = 0; y < a->h; y++) {
        uint8_t *line = p->lines + a->at + y * a->line + 1, *up = y ? line - a->line : line, kind = line[-1];
        if (kind > 4)
            return fail(p, "a line of an unknown filter");
        for (size_t i = 0; i + 1 < a->line; i++) {
            uint8_t left = i >= step ? line[i - step] : 0, b = y ? up[i] : 0, c = y && i >= step ? up[i - step] : 0;
            const uint8_t guess[5] = {0, left, b, (uint8_t)((left + b) / 2), nearest(left, b, c)};
            line[i] = (uint8_t)(line[i] + guess[kind]);
        }
    }
    return PP_OK;
}

/* Sample s of a line, as a byte; of a palette, its number. */
static uint8_t sample(const png *p, const uint8_t *line, size_t s)
{
    if (p->depth >= 8)
        return line[s * (p->depth / 8)];
    uint32_t each = 8 / p->depth, most = (1u << p->depth) - 1;
    uint32_t v = (uint32_t)line[s / each] >> (8 - p->depth * (s % each + 1)) & most;
    return (uint8_t)(p->palette ? v : v * 255 / most);
}

static pp_status to_pixels(const png *p, const pass *a, pp_image *out)
{
    for (uint32_t y = 0; y < a->h; y++) {
        const uint8_t *line = p->lines + a->at + y * a->line + 1;
        for (uint32_t x = 0; x < a->w; x++) {
            const size_t pixel = (size_t)(a->y + y * a->dy) * p->w + a->x + x * a->dx;
            uint8_t *to = out->pixels + pixel * out->c, first = sample(p, line, (size_t)x * p->samples);
            if (p->palette && first >= p->n_colours)
                return fail(p, "a colour that its palette does not have");
            for (uint32_t c = 0; c < out->c; c++)
                to[c] = p->palette ? p->colours[3 * first + c] : sample(p, line, (size_t)x * p->samples + c);
        }
    }
    return PP_OK;
}

static pp_status draw(png *p, pp_image *out)
{
    *out = (pp_image){.h = p->h, .w = p->w, .c = p->gray ? 1 : 3};
    out->pixels = pp_alloc((size_t)p->h * p->w, out->c);
    if (!out->pixels)
        return PP_ENOMEM;
    for (uint32_t i = 0; i < p->passes; i++) {
        PP_TRY(unfilter(p, &p->pass[i]));
        PP_TRY(to_pixels(p, &p->pass[i], out));
    }
    return PP_OK;
}

pp_status pp_png_read_(pp_image *out, const pp_file *file)
{
    png p = {.file = file};
    *out = (pp_image){0};
    pp_status status = read_chunks(&p);
    if (status == PP_OK)
        status = draw(&p, out);
    if (p.open)
        inflateEnd(&p.stream);
    free(p.lines);
    if (status != PP_OK)
        pp_image_free_(out);
    return status;
}

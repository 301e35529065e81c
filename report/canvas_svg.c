/* A figure as SVG text. */
#include "report/plot_internal.h"

#include <stdio.h>
#include <stdlib.h>

static void points(FILE *f, const double *xy, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fprintf(f, "%s%.1f,%.1f", i > 0 ? " " : "", xy[2 * i], xy[2 * i + 1]);
}

static void svg_line(canvas *c, const double *xy, size_t n, canvas_pen pen)
{
    FILE *f = c->to;
    fputs("<polyline points=\"", f);
    points(f, xy, n);
    fprintf(f, "\" fill=\"none\" stroke=\"#%06x\" stroke-width=\"%.2g\"", pen.rgb, pen.width);
    if (pen.opacity < 1.0)
        fprintf(f, " stroke-opacity=\"%.2g\"", pen.opacity);
    fputs(pen.dashed ? " stroke-dasharray=\"6 4\"/>\n" : "/>\n", f);
}

static void svg_area(canvas *c, const double *xy, size_t n, uint32_t rgb, double opacity)
{
    FILE *f = c->to;
    fputs("<polygon points=\"", f);
    points(f, xy, n);
    fprintf(f, "\" fill=\"#%06x\"", rgb);
    if (opacity < 1.0)
        fprintf(f, " fill-opacity=\"%.2g\"", opacity);
    fputs("/>\n", f);
}

static void svg_mark(canvas *c, double x, double y, double r, unsigned shape, uint32_t rgb)
{
    double xy[16];
    if (shape % PLOT_SHAPES == 0) {
        fprintf((FILE *)c->to, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"#%06x\"/>\n", x, y, r, rgb);
        return;
    }
    svg_area(c, xy, pp_plot_mark_points(shape, x, y, r, xy), rgb, 1.0);
}

static void escaped(FILE *f, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", f);
            break;
        case '>':
            fputs("&gt;", f);
            break;
        case '&':
            fputs("&amp;", f);
            break;
        default:
            fputc(*text, f);
        }
    }
}

static void svg_text(canvas *c, double x, double y, const char *text, canvas_font font)
{
    static const char *const anchor[] = {"start", "middle", "end"};
    FILE *f = c->to;
    fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%.3g\" text-anchor=\"%s\" fill=\"#%06x\"", x, y, font.size,
            anchor[font.align], font.rgb);
    if (font.bold)
        fputs(" font-weight=\"600\"", f);
    if (font.turn != 0.0)
        fprintf(f, " transform=\"rotate(%.3g %.1f %.1f)\"", font.turn, x, y);
    fputc('>', f);
    escaped(f, text);
    fputs("</text>\n", f);
}

static void svg_clip(canvas *c, double x, double y, double w, double h)
{
    FILE *f = c->to;
    if (w <= 0.0) {
        fputs("</svg>\n", f);
        return;
    }
    /* a nested svg clips without an id, so that several figures can stand on one page */
    fprintf(f, "<svg x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" viewBox=\"%.1f %.1f %.1f %.1f\">\n", x, y, w,
            h, x, y, w, h);
}

pp_status pp_canvas_svg(const canvas_drawing *d, char **out, size_t *size)
{
    char *text = NULL;
    size_t bytes = 0;
    *out = NULL;
    FILE *f = open_memstream(&text, &bytes);
    if (f == NULL)
        return pp_fail(PP_ENOMEM, "out of memory");
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" "
            "font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\">\n<rect width=\"100%%\" height=\"100%%\" "
            "fill=\"#ffffff\"/>\n",
            d->width, d->height, d->width, d->height);
    canvas c = {.line = svg_line, .area = svg_area, .mark = svg_mark, .text = svg_text, .clip = svg_clip, .to = f};
    d->draw(d->payload, &c);
    fputs("</svg>\n", f);
    const bool bad = ferror(f) != 0;
    if (fclose(f) != 0 || bad) {
        free(text);
        return pp_fail(PP_ENOMEM, "out of memory");
    }
    *out = text;
    if (size != NULL)
        *size = bytes;
    return PP_OK;
}

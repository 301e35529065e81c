/* A figure as PNG, two pixels a unit, by cairo. */
#include "report/plot_internal.h"

#include <cairo.h>
#include <math.h>

#define PIXELS 2.0 /* a unit: sharp on paper and on dense screens */

static void set_rgb(cairo_t *to, uint32_t rgb, double opacity)
{
    cairo_set_source_rgba(to, (double)(rgb >> 16 & 255) / 255.0, (double)(rgb >> 8 & 255) / 255.0,
                          (double)(rgb & 255) / 255.0, opacity);
}

static void path(cairo_t *to, const double *xy, size_t n)
{
    cairo_new_path(to);
    for (size_t i = 0; i < n; i++)
        cairo_line_to(to, xy[2 * i], xy[2 * i + 1]);
}

static void png_line(canvas *c, const double *xy, size_t n, canvas_pen pen)
{
    static const double dash[] = {6.0, 4.0};
    path(c->to, xy, n);
    set_rgb(c->to, pen.rgb, pen.opacity);
    cairo_set_line_width(c->to, pen.width);
    cairo_set_dash(c->to, dash, pen.dashed ? 2 : 0, 0.0);
    cairo_stroke(c->to);
}

static void png_area(canvas *c, const double *xy, size_t n, uint32_t rgb, double opacity)
{
    path(c->to, xy, n);
    cairo_close_path(c->to);
    set_rgb(c->to, rgb, opacity);
    cairo_fill(c->to);
}

static void png_mark(canvas *c, double x, double y, double r, unsigned shape, uint32_t rgb)
{
    double xy[16];
    if (shape % PLOT_SHAPES != 0) {
        png_area(c, xy, pp_plot_mark_points(shape, x, y, r, xy), rgb, 1.0);
        return;
    }
    cairo_new_path(c->to);
    cairo_arc(c->to, x, y, r, 0.0, 6.283185307179586);
    set_rgb(c->to, rgb, 1.0);
    cairo_fill(c->to);
}

static void png_text(canvas *c, double x, double y, const char *text, canvas_font font)
{
    cairo_t *to = c->to;
    cairo_text_extents_t e;
    cairo_save(to);
    cairo_select_font_face(to, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           font.bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(to, font.size * 0.93); /* the usual sans-serif of Linux is wider than Helvetica */
    cairo_text_extents(to, text, &e);
    cairo_translate(to, x, y);
    cairo_rotate(to, font.turn * 3.141592653589793 / 180.0);
    cairo_move_to(to,
                  font.align == CANVAS_START ? 0.0
                  : font.align == CANVAS_END ? -e.x_advance
                                             : -e.x_advance / 2.0,
                  0.0);
    set_rgb(to, font.rgb, 1.0);
    cairo_show_text(to, text);
    cairo_restore(to);
}

static void png_clip(canvas *c, double x, double y, double w, double h)
{
    if (w <= 0.0) {
        cairo_restore(c->to);
        return;
    }
    cairo_save(c->to);
    cairo_rectangle(c->to, x, y, w, h);
    cairo_clip(c->to);
}

pp_status pp_canvas_png(const canvas_drawing *d, const char *file)
{
    cairo_surface_t *s =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)ceil(d->width * PIXELS), (int)ceil(d->height * PIXELS));
    cairo_t *to = cairo_create(s);
    cairo_scale(to, PIXELS, PIXELS);
    set_rgb(to, 0xffffff, 1.0);
    cairo_paint(to);
    canvas c = {.line = png_line, .area = png_area, .mark = png_mark, .text = png_text, .clip = png_clip, .to = to};
    d->draw(d->payload, &c);
    cairo_status_t state = cairo_status(to);
    cairo_destroy(to);
    if (state == CAIRO_STATUS_SUCCESS)
        state = cairo_surface_write_to_png(s, file);
    cairo_surface_destroy(s);
    return state == CAIRO_STATUS_SUCCESS ? PP_OK : pp_fail(PP_EIO, "%s: %s", file, cairo_status_to_string(state));
}

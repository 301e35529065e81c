/* What a figure holds (plot.c), how values become pixels (plot_axis.c), what is drawn (plot_draw.c) and on what
 * (canvas_svg.c, canvas_png.c). */
#ifndef PP_REPORT_PLOT_INTERNAL_H
#define PP_REPORT_PLOT_INTERNAL_H

#include "report/plot.h"

typedef struct plot_axis {
    pp_plot_scale scale;
    double low, high; /* asked for; NAN: fitted */
    size_t n_named;   /* named ticks */
    double *named_at;
    char **named_text;
} plot_axis;

typedef struct plot_series {
    char *name;
    unsigned style, colour;
    size_t n;
    double *x, *y, *low, *high; /* low, high NULL: no band */
} plot_series;

/* Bars: rows are series and columns groups. Heat map: rows and columns as they say. */
typedef struct plot_matrix {
    size_t n_rows, n_cols;
    char **row, **col;
    double *value, *error;
    int decimals;
    pp_plot_scale colour;
} plot_matrix;

struct pp_plot {
    char *title, *note, *x_label, *y_label;
    double width, height;
    plot_axis x, y;
    PP_VEC(plot_series) series;
    plot_matrix bars, heat; /* n_rows 0: none */
};

/* ---- scales ---- */

/* An axis that is resolved: value -> pixel. On log scales low and high are logarithms. */
typedef struct plot_scale {
    bool log;
    double low, high, from, to; /* values and the pixels they stand at */
} plot_scale;
typedef struct plot_tick {
    double at; /* value */
    bool minor;
    char text[24];
} plot_tick;
#define PLOT_MAX_TICKS 64

/* Widens [*low, *high] by the finite values of v that the scale can show. Start with +inf, -inf. */
void pp_plot_range(double *low, double *high, bool log, const double *v, size_t n);
/* Limits of an axis from its data's range: what was asked for, else the range with a margin. `zero`: a linear
 * axis that starts at 0 when it would start close to it. */
plot_scale pp_plot_scale_of(const plot_axis *axis, double low, double high, bool zero);
bool pp_plot_shown(const plot_scale *s, double v); /* can be drawn at all */
double pp_plot_pixel(const plot_scale *s, double v);
/* Ticks at 1, 2, 5 x 10^k, or at decades: about `want` of them; the count. */
size_t pp_plot_ticks(const plot_scale *s, unsigned want, plot_tick tick[PLOT_MAX_TICKS]);

/* ---- canvas ---- */

typedef struct canvas_pen {
    uint32_t rgb;
    double width, opacity;
    bool dashed;
} canvas_pen;
typedef enum canvas_align { CANVAS_START, CANVAS_MIDDLE, CANVAS_END } canvas_align;
typedef struct canvas_font {
    double size, turn; /* pixels, degrees clockwise about the anchor */
    bool bold;
    canvas_align align;
    uint32_t rgb;
} canvas_font;
/* All REQUIRED. Errors are kept by the canvas and told by its end function. */
typedef struct canvas {
    void (*line)(struct canvas *c, const double *xy, size_t n, canvas_pen pen);               /* open polyline */
    void (*area)(struct canvas *c, const double *xy, size_t n, uint32_t rgb, double opacity); /* filled polygon */
    void (*mark)(struct canvas *c, double x, double y, double r, unsigned shape, uint32_t rgb);
    void (*text)(struct canvas *c, double x, double y, const char *text, canvas_font font);
    void (*clip)(struct canvas *c, double x, double y, double w, double h); /* w 0: clip off */
    void *to;
} canvas;

/* Corners of the mark of a shape (0 .. PLOT_SHAPES - 1) at x, y: how many points. Shape 0 is drawn as a circle. */
#define PLOT_SHAPES 4u
size_t pp_plot_mark_points(unsigned shape, double x, double y, double r, double xy[16]);

/* Width of a text in pixels, estimated the same for both canvases. */
double pp_plot_text_width(const char *text, double size);
/* Size that the drawing takes (heat maps may need more than was asked for). */
void pp_plot_extent(const pp_plot *p, double *width, double *height);
void pp_plot_draw(const pp_plot *p, canvas *c);

/* Anything that draws itself: size in pixels, and what to call with a canvas. */
typedef struct canvas_drawing {
    double width, height;
    void (*draw)(const void *payload, canvas *c);
    const void *payload;
} canvas_drawing;
pp_status pp_canvas_svg(const canvas_drawing *d, char **out, size_t *size);
pp_status pp_canvas_png(const canvas_drawing *d, const char *path);
/* As pp_plot_write. */
pp_status pp_drawing_write(const canvas_drawing *d, const char *path, bool force);

#endif

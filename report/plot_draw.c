/* What a figure looks like: frame, axes, series, bars, legend. The canvas does not matter here. */
#include "report/plot_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define INK 0x222222u
#define GREY 0x6b7280u
#define GRID 0xe5e7ebu
#define FONT 12.0
#define TITLE 15.0
#define NOTE 10.5

/* Told apart by colour-blind readers, and in print. */
static const uint32_t colours[] = {0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7, 0x8b6d00, 0x56b4e9, 0x5b3a8c, 0x555555};
#define N_COLOURS (sizeof colours / sizeof *colours)

typedef struct layout {
    double left, top, right, bottom; /* the frame */
    double legend_x;                 /* where the legend stands; 0: no legend */
} layout;

double pp_plot_text_width(const char *text, double size)
{
    size_t n = 0; /* characters, not bytes */
    for (const char *c = text != NULL ? text : ""; *c != '\0'; c++)
        n += ((unsigned char)*c & 0xc0) != 0x80;
    return 0.56 * size * (double)n;
}

size_t pp_plot_mark_points(unsigned shape, double x, double y, double r, double xy[16])
{
    static const double square[] = {-0.9, -0.9, 0.9, -0.9, 0.9, 0.9, -0.9, 0.9};
    static const double up[] = {0.0, -1.2, 1.1, 0.8, -1.1, 0.8};
    static const double diamond[] = {0.0, -1.3, 1.3, 0.0, 0.0, 1.3, -1.3, 0.0};
    const double *from = shape % PLOT_SHAPES == 1 ? square : shape % PLOT_SHAPES == 2 ? up : diamond;
    const size_t n = shape % PLOT_SHAPES == 2 ? 3 : 4;
    for (size_t i = 0; i < n; i++) {
        xy[2 * i] = x + r * from[2 * i];
        xy[2 * i + 1] = y + r * from[2 * i + 1];
    }
    return n;
}

static void rectangle(canvas *c, double x, double y, double w, double h, uint32_t rgb)
{
    const double xy[] = {x, y, x + w, y, x + w, y + h, x, y + h};
    c->area(c, xy, 4, rgb, 1.0);
}

static void segment(canvas *c, double x0, double y0, double x1, double y1, canvas_pen pen)
{
    const double xy[] = {x0, y0, x1, y1};
    c->line(c, xy, 2, pen);
}

static void frame(canvas *c, const layout *l)
{
    const double xy[] = {l->left, l->top, l->right, l->top, l->right, l->bottom, l->left, l->bottom, l->left, l->top};
    c->line(c, xy, 5, (canvas_pen){.rgb = INK, .width = 1.0, .opacity = 1.0});
}

/* ---- title, labels, legend ---- */

/* As much of a line as fits into `room`. */
#define LINE_BYTES 1024
static const char *cut_line(char buffer[LINE_BYTES], const char *text, double size, double room)
{
    size_t n = strlen(text);
    if (pp_plot_text_width(text, size) <= room || n + 8 > LINE_BYTES)
        return text;
    memcpy(buffer, text, n + 1);
    while (n > 0 && pp_plot_text_width(buffer, size) > room - size) {
        while (n > 0 && ((unsigned char)buffer[--n] & 0xc0) == 0x80)
            ;
        buffer[n] = '\0';
    }
    memcpy(buffer + n, "\xE2\x80\xA6", 4);
    return buffer;
}

static void titles(const pp_plot *p, canvas *c, const layout *l, double height)
{
    double width, ignored;
    pp_plot_extent(p, &width, &ignored);
    const double room = width - l->left - 10.0;
    if (p->title != NULL)
        c->text(c, l->left, 26.0, cut_line((char[LINE_BYTES]){0}, p->title, TITLE, room), (canvas_font){.size = TITLE, .bold = true, .rgb = INK});
    if (p->note != NULL)
        c->text(c, l->left, 43.0, cut_line((char[LINE_BYTES]){0}, p->note, NOTE, room), (canvas_font){.size = NOTE, .rgb = GREY});
    const canvas_font middle = {.size = FONT, .align = CANVAS_MIDDLE, .rgb = INK};
    if (p->x_label != NULL)
        c->text(c, (l->left + l->right) / 2.0, height - 12.0, p->x_label, middle);
    canvas_font turned = middle;
    turned.turn = -90.0;
    if (p->y_label != NULL)
        c->text(c, 18.0, (l->top + l->bottom) / 2.0, p->y_label, turned);
}

static size_t legend_entries(const pp_plot *p, double *widest)
{
    size_t n = 0;
    *widest = 0.0;
    const plot_matrix *b = &p->bars;
    for (size_t i = 0; i < b->n_rows; i++, n++)
        *widest = fmax(*widest, pp_plot_text_width(b->row[i], FONT));
    for (size_t i = 0; i < p->series.len; i++) {
        if (p->series.data[i].name == NULL)
            continue;
        *widest = fmax(*widest, pp_plot_text_width(p->series.data[i].name, FONT));
        n++;
    }
    *widest = fmin(*widest, 0.4 * p->width);
    return n;
}

static void legend(const pp_plot *p, canvas *c, const layout *l)
{
    double y = l->top + 8.0;
    const double room = p->width - 14.0 - l->legend_x - 26.0;
    const canvas_font font = {.size = FONT, .rgb = INK};
    for (size_t i = 0; i < p->bars.n_rows && l->legend_x > 0.0; i++, y += 19.0) {
        rectangle(c, l->legend_x, y - 5.0, 18.0, 10.0, colours[i % N_COLOURS]);
        c->text(c, l->legend_x + 26.0, y + 4.0, cut_line((char[LINE_BYTES]){0}, p->bars.row[i], FONT, room), font);
    }
    for (size_t i = 0; i < p->series.len && l->legend_x > 0.0; i++) {
        const plot_series *s = &p->series.data[i];
        if (s->name == NULL)
            continue;
        if (y > l->bottom) { /* more lines than fit beside the frame */
            c->text(c, l->legend_x + 26.0, y + 4.0, "\xE2\x80\xA6", font);
            return;
        }
        const canvas_pen pen = {colours[s->colour], 2.0, 1.0, (s->style & PP_PLOT_DASHED) != 0};
        if ((s->style & (PP_PLOT_LINE | PP_PLOT_DASHED)) != 0)
            segment(c, l->legend_x, y, l->legend_x + 20.0, y, pen);
        if ((s->style & PP_PLOT_MARKERS) != 0)
            c->mark(c, l->legend_x + 10.0, y, 3.6, s->colour, colours[s->colour]);
        c->text(c, l->legend_x + 26.0, y + 4.0, cut_line((char[LINE_BYTES]){0}, s->name, FONT, room), font);
        y += 19.0;
    }
}

/* ---- axes ---- */

static double widest_tick(const plot_tick *tick, size_t n)
{
    double w = 0.0;
    for (size_t i = 0; i < n; i++)
        w = fmax(w, pp_plot_text_width(tick[i].text, FONT));
    return w;
}

static void y_axis(canvas *c, const layout *l, const plot_scale *s)
{
    plot_tick tick[PLOT_MAX_TICKS];
    const size_t n = pp_plot_ticks(s, 6, tick);
    for (size_t i = 0; i < n; i++) {
        const double y = pp_plot_pixel(s, tick[i].at);
        segment(c, l->left, y, l->right, y, (canvas_pen){GRID, tick[i].minor ? 0.6 : 1.0, 1.0, false});
        if (!tick[i].minor)
            c->text(c, l->left - 7.0, y + 4.0, tick[i].text,
                    (canvas_font){.size = FONT, .align = CANVAS_END, .rgb = INK});
    }
}

/* Names along an axis are at most this long: longer ones keep their end, which tells layers apart. */
#define NAME_CHARS 26
#define NAME_BYTES (4 * NAME_CHARS + 4)
static const char *short_name(char buffer[NAME_BYTES], const char *name)
{
    size_t n = 0, skip = 0;
    for (const char *at = name; *at != '\0'; at++)
        n += ((unsigned char)*at & 0xc0) != 0x80;
    if (n <= NAME_CHARS)
        return name;
    for (; n > NAME_CHARS - 1 || ((unsigned char)name[skip] & 0xc0) == 0x80; skip++)
        n -= ((unsigned char)name[skip] & 0xc0) != 0x80;
    snprintf(buffer, NAME_BYTES, "\xE2\x80\xA6%s", name + skip);
    return buffer;
}

static double longest(char *const *name, size_t n, double size)
{
    double w = 0.0;
    for (size_t i = 0; i < n; i++)
        w = fmax(w, pp_plot_text_width(short_name((char[NAME_BYTES]){0}, name[i]), size));
    return w;
}

/* A name below the axis, upright or slanted. */
static void name_below(canvas *c, const layout *l, double x, const char *name, double size, bool slanted)
{
    const canvas_font font = {size, slanted ? -40.0 : 0.0, false, slanted ? CANVAS_END : CANVAS_MIDDLE, INK};
    c->text(c, x + (slanted ? 4.0 : 0.0), l->bottom + (slanted ? 13.0 : 17.0), short_name((char[NAME_BYTES]){0}, name), font);
}

static void x_tick(canvas *c, const layout *l, double x, const char *text, bool minor)
{
    segment(c, x, l->top, x, l->bottom, (canvas_pen){GRID, minor ? 0.6 : 1.0, 1.0, false});
    if (!minor)
        c->text(c, x, l->bottom + 17.0, text, (canvas_font){.size = FONT, .align = CANVAS_MIDDLE, .rgb = INK});
}

static void x_axis(const plot_axis *a, canvas *c, const layout *l, const plot_scale *s, bool slanted)
{
    plot_tick tick[PLOT_MAX_TICKS];
    double last = -INFINITY;
    for (size_t i = 0; i < a->n_named; i++) {
        const double x = pp_plot_shown(s, a->named_at[i]) ? pp_plot_pixel(s, a->named_at[i]) : -1.0;
        if (x < l->left - 0.5 || x > l->right + 0.5 || (slanted && x < last + 13.0)) /* too tight: some names stand for all */
            continue;
        x_tick(c, l, x, "", true);
        name_below(c, l, x, a->named_text[i], slanted ? FONT - 1.0 : FONT, slanted);
        last = x;
    }
    const size_t n = a->n_named > 0 ? 0 : pp_plot_ticks(s, 8, tick);
    for (size_t i = 0; i < n; i++)
        x_tick(c, l, pp_plot_pixel(s, tick[i].at), tick[i].text, tick[i].minor);
}

/* ---- series ---- */

/* Runs of points that can be shown: [*from, returned end), empty at the end of the series. */
static size_t next_run(const plot_series *s, const plot_scale *x, const plot_scale *y, size_t *from)
{
    while (*from < s->n && !(pp_plot_shown(x, s->x[*from]) && pp_plot_shown(y, s->y[*from])))
        (*from)++;
    size_t end = *from;
    while (end < s->n && pp_plot_shown(x, s->x[end]) && pp_plot_shown(y, s->y[end]))
        end++;
    return end;
}

static double bounded(const plot_scale *y, double v, double fallback)
{
    return pp_plot_pixel(y, pp_plot_shown(y, v) ? v : fallback);
}

/* xy of a run: the points, and for bands the upper edge forth and the lower edge back. */
static size_t trace(const plot_series *s, const plot_scale *x, const plot_scale *y, size_t from, size_t end, bool band,
                    double *xy)
{
    size_t n = 0;
    for (size_t i = from; i < end; i++, n++) {
        xy[2 * n] = pp_plot_pixel(x, s->x[i]);
        xy[2 * n + 1] = band ? bounded(y, s->high[i], s->y[i]) : pp_plot_pixel(y, s->y[i]);
    }
    for (size_t i = end; band && i-- > from; n++) {
        xy[2 * n] = pp_plot_pixel(x, s->x[i]);
        xy[2 * n + 1] = bounded(y, s->low[i], s->y[i]);
    }
    return n;
}

static void whiskers(const plot_series *s, canvas *c, const plot_scale *x, const plot_scale *y, size_t i)
{
    const canvas_pen pen = {colours[s->colour], 1.2, 1.0, false};
    const double at = pp_plot_pixel(x, s->x[i]), lo = bounded(y, s->low[i], s->y[i]),
                 hi = bounded(y, s->high[i], s->y[i]);
    segment(c, at, lo, at, hi, pen);
    segment(c, at - 3.0, lo, at + 3.0, lo, pen);
    segment(c, at - 3.0, hi, at + 3.0, hi, pen);
}

/* Long runs are drawn in pieces of this many points that overlap by one: no memory is asked for. */
#define PIECE 512u

static void draw_run(const plot_series *s, canvas *c, const plot_scale *x, const plot_scale *y, size_t from, size_t end)
{
    double xy[4 * PIECE];
    const bool joined = (s->style & (PP_PLOT_LINE | PP_PLOT_DASHED)) != 0;
    for (size_t a = from; a < end; a += PIECE - 1) {
        const size_t b = end - a < PIECE ? end : a + PIECE;
        if (joined && s->low != NULL)
            c->area(c, xy, trace(s, x, y, a, b, true, xy), colours[s->colour], 0.18);
        if (joined)
            c->line(c, xy, trace(s, x, y, a, b, false, xy),
                    (canvas_pen){colours[s->colour], 2.0, 1.0, (s->style & PP_PLOT_DASHED) != 0});
        if (b == end)
            break;
    }
    for (size_t i = from; i < end && (s->style & PP_PLOT_MARKERS) != 0; i++) {
        if (!joined && s->low != NULL)
            whiskers(s, c, x, y, i);
        c->mark(c, pp_plot_pixel(x, s->x[i]), pp_plot_pixel(y, s->y[i]), 3.6, s->colour, colours[s->colour]);
    }
}

static void all_series(const pp_plot *p, canvas *c, const plot_scale *x, const plot_scale *y)
{
    for (size_t k = 0; k < p->series.len; k++) {
        const plot_series *s = &p->series.data[k];
        size_t from = 0, end;
        while ((end = next_run(s, x, y, &from)) > from) {
            draw_run(s, c, x, y, from, end);
            from = end;
        }
    }
}

/* ---- bars ---- */

static double group_x(const layout *l, size_t n, size_t g)
{
    return l->left + (l->right - l->left) * ((double)g + 0.5) / (double)n;
}

static void one_bar(const plot_matrix *b, canvas *c, const layout *l, const plot_scale *y, size_t s, size_t g)
{
    const double wide = (l->right - l->left) / (double)b->n_cols * 0.8 / (double)b->n_rows;
    const double x = group_x(l, b->n_cols, g) + ((double)s - (double)b->n_rows / 2.0) * wide;
    const double v = b->value[s * b->n_cols + g], e = b->error != NULL ? b->error[s * b->n_cols + g] : 0.0;
    if (!pp_plot_shown(y, v))
        return;
    const double base = y->log ? l->bottom : pp_plot_pixel(y, fmax(0.0, y->low)), top = pp_plot_pixel(y, v);
    rectangle(c, x + 0.06 * wide, fmin(base, top), 0.88 * wide, fabs(base - top), colours[s % N_COLOURS]);
    if (e > 0.0 && pp_plot_shown(y, v - e))
        segment(c, x + wide / 2.0, pp_plot_pixel(y, v - e), x + wide / 2.0, pp_plot_pixel(y, v + e),
                (canvas_pen){INK, 1.3, 1.0, false});
}

/* Names stand upright while they fit, else slanted; when even that is too tight, every k-th is shown. */
static void group_names(const plot_matrix *b, canvas *c, const layout *l, bool slanted)
{
    const double room = (l->right - l->left) / (double)b->n_cols;
    const size_t every = (size_t)fmax(1.0, ceil(13.0 / room));
    for (size_t g = 0; g < b->n_cols; g += slanted ? every : 1)
        name_below(c, l, group_x(l, b->n_cols, g), b->col[g], FONT - 1.0, slanted);
}

/* ---- heat map ---- */

static uint32_t heat_colour(double share)
{
    /* stops of a perceptually even blue-green-yellow ramp */
    static const uint8_t stop[6][3] = {{68, 1, 84},    {65, 68, 135},  {42, 120, 142},
                                       {34, 168, 132}, {122, 209, 81}, {253, 231, 37}};
    const double at = 5.0 * fmin(1.0, fmax(0.0, share));
    const size_t i = at >= 5.0 ? 4 : (size_t)at;
    uint32_t rgb = 0;
    for (size_t k = 0; k < 3; k++) {
        const double v = (double)stop[i][k] + (at - (double)i) * ((double)stop[i + 1][k] - (double)stop[i][k]);
        rgb = rgb << 8 | (uint32_t)lround(v);
    }
    return rgb;
}

static void cell_text(char text[32], double v, int decimals)
{
    if (decimals < 0)
        snprintf(text, 32, "%.*g", -decimals, v);
    else
        snprintf(text, 32, "%.*f", decimals, v);
}

static double cell_width(const plot_matrix *m)
{
    double w = 34.0;
    char text[32];
    for (size_t i = 0; i < m->n_rows * m->n_cols; i++) {
        if (isfinite(m->value[i])) {
            cell_text(text, m->value[i], m->decimals);
            w = fmax(w, pp_plot_text_width(text, FONT - 1.0) + 12.0);
        }
    }
    return w;
}

static double heat_top(const plot_matrix *m)
{
    return 66.0 + 0.64 * longest(m->col, m->n_cols, FONT);
}

/* Room for the last column's name, which leans out to the right. */
static double heat_right(const plot_matrix *m)
{
    return fmax(60.0, 0.77 * longest(m->col, m->n_cols, FONT));
}

static void heat_cells(const plot_matrix *m, canvas *c, double left, double top, double w, double h)
{
    double low = INFINITY, high = -INFINITY;
    pp_plot_range(&low, &high, m->colour == PP_PLOT_LOG, m->value, m->n_rows * m->n_cols);
    const plot_axis axis = {.scale = m->colour, .low = low, .high = high};
    plot_scale s = pp_plot_scale_of(&axis, low, high, false);
    s.from = 0.0;
    s.to = 1.0;
    for (size_t i = 0; i < m->n_rows * m->n_cols; i++) {
        const double x = left + (double)(i % m->n_cols) * w, y = top + (double)(i / m->n_cols) * h;
        if (!pp_plot_shown(&s, m->value[i]))
            continue;
        const double share = pp_plot_pixel(&s, m->value[i]);
        char text[32];
        cell_text(text, m->value[i], m->decimals);
        rectangle(c, x + 0.5, y + 0.5, w - 1.0, h - 1.0, heat_colour(share));
        c->text(c, x + w / 2.0, y + h / 2.0 + 4.0, text,
                (canvas_font){.size = FONT - 1.0, .align = CANVAS_MIDDLE, .rgb = share > 0.55 ? 0x111111u : 0xffffffu});
    }
}

static void heat(const pp_plot *p, canvas *c)
{
    const plot_matrix *m = &p->heat;
    double width, height;
    pp_plot_extent(p, &width, &height);
    const double left = 30.0 + longest(m->row, m->n_rows, FONT), top = heat_top(m);
    const double w = (width - left - heat_right(m)) / (double)m->n_cols, h = (height - top - 40.0) / (double)m->n_rows;
    const layout l = {
        .left = left, .top = top, .right = left + w * (double)m->n_cols, .bottom = top + h * (double)m->n_rows};
    layout head = l;
    head.left = 20.0;
    titles(p, c, &head, height);
    for (size_t r = 0; r < m->n_rows; r++)
        c->text(c, left - 8.0, top + ((double)r + 0.5) * h + 4.0, m->row[r],
                (canvas_font){.size = FONT, .align = CANVAS_END, .rgb = INK});
    for (size_t k = 0; k < m->n_cols; k++)
        c->text(c, left + ((double)k + 0.5) * w, top - 8.0, m->col[k],
                (canvas_font){.size = FONT, .turn = -40.0, .rgb = INK});
    heat_cells(m, c, left, top, w, h);
}

void pp_plot_extent(const pp_plot *p, double *width, double *height)
{
    const plot_matrix *m = &p->heat;
    *width = p->width;
    *height = p->height;
    if (m->n_rows == 0 || m->n_cols == 0)
        return;
    *width = fmax(fmax(pp_plot_text_width(p->title, TITLE), pp_plot_text_width(p->note, NOTE)) + 60.0,
                  30.0 + longest(m->row, m->n_rows, FONT) + cell_width(m) * (double)m->n_cols + heat_right(m));
    *height = heat_top(m) + 40.0 + 26.0 * (double)m->n_rows;
}

/* ---- the whole ---- */

static void data_range(const pp_plot *p, bool horizontal, bool log, double *low, double *high)
{
    *low = INFINITY;
    *high = -INFINITY;
    for (size_t i = 0; i < p->series.len; i++) {
        const plot_series *s = &p->series.data[i];
        pp_plot_range(low, high, log, horizontal ? s->x : s->y, s->n);
        if (!horizontal) {
            pp_plot_range(low, high, log, s->low, s->n);
            pp_plot_range(low, high, log, s->high, s->n);
        }
    }
    const plot_matrix *b = &p->bars;
    for (size_t i = 0; !horizontal && i < b->n_rows * b->n_cols; i++) {
        const double e = b->error != NULL && isfinite(b->error[i]) ? b->error[i] : 0.0;
        const double ends[3] = {b->value[i] - e, b->value[i] + e, log ? b->value[i] : 0.0};
        pp_plot_range(low, high, log, ends, 3);
    }
}

static layout arrange(const pp_plot *p, const plot_scale *y, bool slanted)
{
    plot_tick tick[PLOT_MAX_TICKS];
    double widest;
    const size_t entries = legend_entries(p, &widest);
    layout l = {.left = (p->y_label != NULL ? 34.0 : 14.0) + widest_tick(tick, pp_plot_ticks(y, 6, tick)) + 10.0,
                .top = p->note != NULL ? 58.0 : 44.0,
                .right = p->width - 20.0,
                .bottom = p->height - (p->x_label != NULL ? 52.0 : 32.0)};
    if (entries > 1 || (entries == 1 && p->bars.n_rows == 0)) {
        l.right -= widest + 42.0;
        l.legend_x = l.right + 14.0;
    }
    if (slanted)
        l.bottom -= 0.64 * (p->bars.n_rows > 0 ? longest(p->bars.col, p->bars.n_cols, FONT - 1.0) : longest(p->x.named_text, p->x.n_named, FONT - 1.0)) - 6.0;
    return l;
}

static void chart(const pp_plot *p, canvas *c)
{
    double low, high;
    const plot_matrix *b = &p->bars;
    const bool bars = b->n_rows > 0 && b->n_cols > 0;
    data_range(p, false, p->y.scale == PP_PLOT_LOG, &low, &high);
    plot_scale y = pp_plot_scale_of(&p->y, low, high, true), x;
    data_range(p, true, p->x.scale == PP_PLOT_LOG, &low, &high);
    x = pp_plot_scale_of(&p->x, low, high, true);
    char *const *name = bars ? b->col : p->x.named_text;
    const size_t n_names = bars ? b->n_cols : p->x.n_named;
    const bool slanted = n_names > 0 && longest(name, n_names, FONT) > (p->width - 200.0) / (double)n_names;
    const layout l = arrange(p, &y, slanted);
    x.from = l.left;
    x.to = l.right;
    y.from = l.bottom;
    y.to = l.top;
    titles(p, c, &l, p->height);
    y_axis(c, &l, &y);
    if (bars)
        group_names(b, c, &l, slanted);
    else
        x_axis(&p->x, c, &l, &x, slanted);
    c->clip(c, l.left, l.top, l.right - l.left, l.bottom - l.top);
    for (size_t s = 0; bars && s < b->n_rows; s++)
        for (size_t g = 0; g < b->n_cols; g++)
            one_bar(b, c, &l, &y, s, g);
    all_series(p, c, &x, &y);
    c->clip(c, 0.0, 0.0, 0.0, 0.0);
    frame(c, &l);
    legend(p, c, &l);
}

void pp_plot_draw(const pp_plot *p, canvas *c)
{
    if (p->heat.n_rows > 0 && p->heat.n_cols > 0)
        heat(p, c);
    else
        chart(p, c);
}

/* Fabrics as drawings. Cores are rounded squares; a pair of opposite channels is one line, a channel
 * without its opposite has an arrow head. Neighbours are joined by straight lines; longer links inside
 * a row or column swing out into the gap beside it, so that they cross no core. */
#include "topology/topology_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CORES 16384
#define PITCH 92.0 /* pixels a core pitch */
#define HALF 23.0  /* half a core's side */
#define MARGIN 64.0
#define HEADER 64.0
#define MIN_WIDTH 470.0
#define TITLE_CHAR 11.5 /* pixels a character of the title */

typedef enum link_class { LINK_NEIGHBOUR, LINK_LONG, LINK_WRAP, N_CLASSES } link_class;

static const struct {
    const char *style, *text; /* CSS class, legend */
} classes[N_CLASSES] = {
    [LINK_NEIGHBOUR] = {"near", "neighbours"},
    [LINK_LONG] = {"long", "longer links"},
    [LINK_WRAP] = {"wrap", "wrap-around links"},
};

typedef struct drawing {
    const pp_fabric *f;
    pp_text text;
    double left, top, width, height; /* left, top: least x and y of the vertices, pitches */
    uint32_t lines[N_CLASSES];
    bool one_way;
} drawing;

typedef struct point {
    double x, y;
} point;

static point place(const drawing *d, uint32_t v)
{
    const pp_vertex *p = &d->f->vertex[v];
    return (point){.x = MARGIN + ((double)p->x - d->left + 0.5) * PITCH,
                   .y = HEADER + MARGIN + ((double)p->y - d->top) * PITCH};
}

/* ---- Lines ---- */

static link_class classify(const pp_fabric *f, uint32_t u, uint32_t v)
{
    const double dx = fabs((double)f->vertex[u].x - (double)f->vertex[v].x);
    const double dy = fabs((double)f->vertex[u].y - (double)f->vertex[v].y);
    const bool loop = f->wrap && f->rows == 1 && f->vertex[f->n_vertices - 1].y > 0.5F; /* ring: no long links */
    if (loop || dx + dy <= 1.0 || (dx > 0.0 && dy > 0.0))
        return LINK_NEIGHBOUR;
    if (f->wrap && (dx > (double)f->reach || dy > 1.0))
        return LINK_WRAP;
    return LINK_LONG;
}

/* A straight line between the borders of two cores. */
static void add_straight(drawing *d, point a, point b, const char *style, const char *arrow)
{
    const double dx = b.x - a.x, dy = b.y - a.y, most = fmax(fabs(dx), fabs(dy));
    const double cut = most > 0.0 ? HALF / most : 0.0; /* share of the line inside a square */
    pp_text_add(&d->text, "<path class=\"%s\" d=\"M%.1f %.1fL%.1f %.1f\"%s/>\n", style, a.x + dx * cut, a.y + dy * cut,
                b.x - dx * cut, b.y - dy * cut, arrow);
}

/* A link along a line of cores, drawn beside it: up to `height` pixels from the cores' borders.
 * `across`: the line runs down a column; `side`: -1 above or left, +1 below or right. */
static void add_beside(drawing *d, point a, point b, bool across, int side, double height, link_class kind,
                       const char *arrow)
{
    /* Leaves the middle of the border to the neighbours' line, and each class its own place. */
    const double inset = kind == LINK_WRAP ? 15.0 : 9.0;
    const double along_a = (across ? a.y : a.x), along_b = (across ? b.y : b.x);
    const double border = (across ? a.x : a.y) + side * HALF, peak = border + side * height;
    const double toward = along_b > along_a ? 1.0 : -1.0;
    const double s = along_a + toward * inset, e = along_b - toward * inset;
    const double bend = toward * fmin(26.0, fabs(e - s) / 2);
    const point p[6] = {{s, border}, {s, peak}, {s + bend, peak}, {e - bend, peak}, {e, peak}, {e, border}};
    double q[12];
    for (int i = 0; i < 6; i++) {
        q[2 * i] = across ? p[i].y : p[i].x;
        q[2 * i + 1] = across ? p[i].x : p[i].y;
    }
    pp_text_add(&d->text, "<path class=\"%s\" d=\"M%.1f %.1fQ%.1f %.1f %.1f %.1fL%.1f %.1fQ%.1f %.1f %.1f %.1f\"%s/>\n",
                classes[kind].style, q[0], q[1], q[2], q[3], q[4], q[5], q[6], q[7], q[8], q[9], q[10], q[11], arrow);
}

static void add_line(drawing *d, uint32_t u, uint32_t v, bool both)
{
    const pp_fabric *f = d->f;
    const link_class kind = classify(f, u, v);
    const point a = place(d, u), b = place(d, v);
    const char *arrow = both ? "" : " marker-end=\"url(#arrow)\"";
    const bool across = fabs(a.x - b.x) < 1e-6;
    d->lines[kind]++;
    d->one_way = d->one_way || !both;
    if (kind == LINK_NEIGHBOUR) {
        add_straight(d, a, b, classes[kind].style, arrow);
        return;
    }
    /* Links that begin at even places swing one way, those at odd places the other: two that overlap
     * along the row are then on different sides of it. Each side takes less than half of the gap. */
    const pp_vertex *first = (across ? a.y < b.y : a.x < b.x) ? &f->vertex[u] : &f->vertex[v];
    const int odd = first->coord[across ? 0 : 1] % 2 != 0;
    const double steps = fabs(across ? a.y - b.y : a.x - b.x) / PITCH;
    if (kind == LINK_WRAP)
        add_beside(d, a, b, across, -1, f->reach > 1 ? 20.5 : 18.0, kind, arrow);
    else
        add_beside(d, a, b, across, odd ? 1 : -1, fmin(8.0 + 3.5 * steps, 18.0), kind, arrow);
}

/* Whether a channel leads back; then the line is drawn for the one from the lower vertex. Several
 * channels between the same vertices are one line. */
static bool has_channel(const pp_fabric *f, uint32_t u, uint32_t v)
{
    for (uint32_t i = f->out_first[u]; i < f->out_first[u + 1]; i++)
        if (f->channel[f->out_channel[i]].dst == v)
            return true;
    return false;
}

static bool first_of_pair(const pp_fabric *f, uint32_t channel)
{
    const pp_channel *c = &f->channel[channel];
    for (uint32_t i = f->out_first[c->src]; i < f->out_first[c->src + 1]; i++)
        if (f->channel[f->out_channel[i]].dst == c->dst)
            return f->out_channel[i] == channel;
    return true;
}

static void add_lines(drawing *d)
{
    const pp_fabric *f = d->f;
    for (uint32_t c = 0; c < f->n_network; c++) {
        const uint32_t u = f->channel[c].src, v = f->channel[c].dst;
        const bool both = has_channel(f, v, u);
        if (first_of_pair(f, c) && (!both || u < v))
            add_line(d, u, v, both);
    }
}

/* ---- Cores ---- */

static void add_vertices(drawing *d)
{
    const pp_fabric *f = d->f;
    for (uint32_t v = 0; v < f->n_vertices; v++) {
        const point p = place(d, v);
        char buffer[64];
        const char *label = pp_vertex_label(f, v, buffer, sizeof buffer);
        if (f->vertex[v].kind == PP_VERTEX_SWITCH)
            pp_text_add(&d->text, "<circle class=\"switch\" cx=\"%.1f\" cy=\"%.1f\" r=\"15\"/>\n", p.x, p.y);
        else
            pp_text_add(&d->text,
                        "<rect class=\"core\" x=\"%.1f\" y=\"%.1f\" width=\"%.0f\" height=\"%.0f\" rx=\"7\"/>\n",
                        p.x - HALF, p.y - HALF, 2 * HALF, 2 * HALF);
        /* Long names shrink to the core's width. */
        pp_text_add(&d->text, "<text class=\"label\" x=\"%.1f\" y=\"%.1f\"%s>", p.x, p.y + 4.0,
                    strlen(label) > 7 ? " textLength=\"42\" lengthAdjust=\"spacingAndGlyphs\"" : "");
        pp_text_add_xml(&d->text, label);
        pp_text_add(&d->text, "</text>\n");
    }
}

/* ---- Page ---- */

static void add_style(drawing *d)
{
    pp_text_add(&d->text,
                "<style>text{font-family:Helvetica,Arial,sans-serif;fill:#1f2d3d}"
                ".title{font-size:18px;font-weight:bold}.sub{font-size:13px;fill:#52606d}"
                ".label{font-size:12px;text-anchor:middle}.caption{font-size:11px;fill:#52606d}"
                ".core{fill:#eaf1fb;stroke:#2f5d9b;stroke-width:1.4}.switch{fill:#fff;stroke:#2f5d9b;stroke-width:1.4}"
                "path{fill:none;stroke-width:1.7}.near{stroke:#2f5d9b}.long{stroke:#c8641b}"
                ".wrap{stroke:#5d8a3a}</style>\n"
                "<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7.5\" refY=\"4\" markerWidth=\"5.5\" "
                "markerHeight=\"5.5\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" style=\"fill:#1f2d3d;stroke:none\"/>"
                "</marker></defs>\n");
}

static void add_title(drawing *d)
{
    const pp_fabric *f = d->f;
    pp_text_add(&d->text, "<text class=\"title\" x=\"32\" y=\"38\">");
    pp_text_add_xml(&d->text, f->name);
    pp_text_add(&d->text,
                "</text>\n<text class=\"sub\" x=\"32\" y=\"60\">%u cores, %u channels of %u lane%s at %.4g Gbit/s</text>\n",
                f->n_cores, f->n_network, f->n_network > 0 ? f->channel[0].lanes : 0,
                f->n_network > 0 && f->channel[0].lanes == 1 ? "" : "s",
                f->n_network > 0 ? f->channel[0].lane_gbps : 0.0);
}

static const char *class_text(const pp_fabric *f, link_class kind)
{
    return kind == LINK_LONG && f->reach == 2 ? "links over two columns" : classes[kind].text;
}

/* Returns where the next line stands. */
static double add_legend(drawing *d, double y)
{
    for (int k = 0; k < N_CLASSES; k++) {
        if (d->lines[k] == 0)
            continue;
        pp_text_add(&d->text,
                    "<path class=\"%s\" d=\"M32 %.1fL60 %.1f\"/>"
                    "<text class=\"sub\" x=\"70\" y=\"%.1f\">%s (%u)</text>\n",
                    classes[k].style, y - 4.5, y - 4.5, y, class_text(d->f, (link_class)k), d->lines[k]);
        y += 20.0;
    }
    pp_text_add(&d->text, "<text class=\"caption\" x=\"32\" y=\"%.1f\">%s</text>\n", y,
                d->one_way ? "A line is a channel each way, an arrow one channel." : "A line is a channel each way.");
    return y + 26.0;
}

/* The caption breaks at its semicolon: drawings may be narrow. */
static double add_caption(drawing *d, const char *caption, double y)
{
    const char *split = strstr(caption, "; ");
    const int first = split ? (int)(split - caption) + 1 : (int)strlen(caption);
    pp_text_add(&d->text, "<text class=\"caption\" x=\"32\" y=\"%.1f\">%.*s</text>\n", y, first, caption);
    if (split)
        pp_text_add(&d->text, "<text class=\"caption\" x=\"32\" y=\"%.1f\">%s</text>\n", y + 15.0, split + 2);
    return y + (split ? 31.0 : 16.0);
}

static void measure(drawing *d)
{
    const pp_fabric *f = d->f;
    double right = -HUGE_VAL, bottom = -HUGE_VAL;
    d->left = d->top = HUGE_VAL;
    for (uint32_t v = 0; v < f->n_vertices; v++) {
        d->left = fmin(d->left, (double)f->vertex[v].x);
        d->top = fmin(d->top, (double)f->vertex[v].y);
        right = fmax(right, (double)f->vertex[v].x);
        bottom = fmax(bottom, (double)f->vertex[v].y);
    }
    d->width = fmax((right - d->left + 1.0) * PITCH + 2 * MARGIN, MIN_WIDTH);
    d->width = fmax(d->width, 64.0 + TITLE_CHAR * (double)strlen(f->name));
    d->height = (bottom - d->top) * PITCH + HEADER + 2 * MARGIN;
}

pp_status pp_fabric_write_svg(const pp_fabric *fabric, const char *path, bool force)
{
    const pp_fabric_kind_row *row = NULL;
    PP_TRY(pp_kind_find(&row, fabric->kind));
    if (fabric->n_vertices > MAX_CORES)
        return pp_fail(PP_EUNSUPPORTED, "fabric %s: a drawing takes at most %d vertices", fabric->name, MAX_CORES);
    drawing body = {.f = fabric};
    measure(&body);
    add_lines(&body);
    add_vertices(&body);
    double y = add_legend(&body, body.height + 10.0);
    if (row->caption)
        y = add_caption(&body, row->caption, y);
    drawing page = body;
    page.text = (pp_text){0};
    pp_text_add(&page.text,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\">\n"
                "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
                body.width, y, body.width, y);
    add_style(&page);
    add_title(&page);
    pp_text_add(&page.text, "%s</svg>\n", body.text.data ? body.text.data : "");
    page.text.failed = page.text.failed || body.text.failed;
    free(body.text.data);
    return pp_text_write(&page.text, path, force);
}

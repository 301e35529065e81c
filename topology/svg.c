/* Fabrics as drawings, for papers. Cores are rounded squares, switches circles; a pair of opposite channels is one
 * line, a channel without its opposite has an arrow head; grey lines are ports. */
#include "topology/svg_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARGIN 40.0
#define HEADER 84.0
#define MIN_WIDTH 470.0
#define TITLE_CHAR 11.5 /* pixels a character of the title */
#define TEXT_CHAR 6.2

/* ---- Vertices ---- */

static void add_label(pp_drawing *d, pp_point p, double half, const char *label)
{
    const double width = 0.62 * (double)strlen(label);
    /* Long names shrink to the core's width. */
    const double size = fmin(12.0, (2 * half - 3.0) / width);
    if (size < 6.0)
        return;
    pp_text_add(&d->text, "<text class=\"label\" x=\"%.1f\" y=\"%.1f\" style=\"font-size:%.1fpx\">", p.x, p.y + 0.35 * size,
                size);
    pp_text_add_xml(&d->text, label);
    pp_text_add(&d->text, "</text>\n");
}

/* The word of a Kautz vertex. */
static const char *kautz_label(const pp_fabric *f, uint32_t v, char buffer[PP_FABRIC_MAX_LEVELS + 1])
{
    uint32_t word[PP_FABRIC_MAX_LEVELS];
    pp_kautz_word(&f->shape, v, word);
    for (uint32_t i = 0; i < f->shape.diameter; i++)
        buffer[i] = (char)('0' + word[i]);
    buffer[f->shape.diameter] = '\0';
    return buffer;
}

static void add_vertex(pp_drawing *d, uint32_t v)
{
    const pp_fabric *f = d->f;
    const pp_point p = d->at[v];
    const bool is_switch = f->vertex[v].kind == PP_VERTEX_SWITCH;
    const double half = is_switch ? d->switch_half : d->core_half;
    char buffer[64];
    if (is_switch)
        pp_text_add(&d->text, "<circle class=\"switch\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>\n", p.x, p.y, half);
    else
        pp_text_add(&d->text, "<rect class=\"core\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"%.1f\"/>\n",
                    p.x - half, p.y - half, 2 * half, 2 * half, 0.3 * half);
    const bool circle = d->layout == PP_LAYOUT_CIRCLE;
    if (f->vertex[v].name || (half >= 15.0 && !circle)) {
        add_label(d, p, half, f->vertex[v].name ? f->vertex[v].name : pp_vertex_label(f, v, buffer, sizeof buffer));
    } else if (f->shape.degree > 0 && f->shape.degree < 10 && half >= 9.0) {
        add_label(d, p, half, kautz_label(f, v, buffer));
    } else if (!is_switch && half >= 9.0) {
        (void)snprintf(buffer, sizeof buffer, "%u", f->vertex[v].core);
        add_label(d, p, half, buffer);
    }
}

/* Ports of cores on switches of their own. */
static void add_ports(pp_drawing *d)
{
    const pp_fabric *f = d->f;
    for (uint32_t i = 0; i < f->n_cores; i++) {
        const uint32_t u = f->core_vertex[i], v = f->core_switch[i];
        if (u != v && d->shown[u] && d->shown[v])
            pp_text_add(&d->text, "<line class=\"port\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", d->at[u].x,
                        d->at[u].y, d->at[v].x, d->at[v].y);
    }
}

/* ---- Page ---- */

static void add_style(pp_drawing *d, bool dense)
{
    pp_text_add(&d->text,
                "<style>text{font-family:Helvetica,Arial,sans-serif;fill:#1f2d3d}"
                ".title{font-size:18px;font-weight:bold}.sub{font-size:13px;fill:#52606d}"
                ".label{font-size:12px;text-anchor:middle}.caption{font-size:11px;fill:#52606d}"
                ".core{fill:#eaf1fb;stroke:#2f5d9b;stroke-width:1.4}.switch{fill:#fff;stroke:#2f5d9b;stroke-width:1.4}"
                "path{fill:none;stroke-width:%.1f}.near{stroke:#2f5d9b}.long{stroke:#c8641b}"
                ".wrap{stroke:#5d8a3a}.port{stroke:#9aa5b1;stroke-width:1.2}</style>\n"
                "<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7.5\" refY=\"4\" markerWidth=\"5.5\" "
                "markerHeight=\"5.5\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" style=\"fill:#1f2d3d;stroke:none\"/>"
                "</marker></defs>\n",
                dense ? 0.8 : 1.7);
}

static void add_title(pp_drawing *d)
{
    const pp_fabric *f = d->f;
    pp_text_add(&d->text, "<text class=\"title\" x=\"32\" y=\"38\">");
    pp_text_add_xml(&d->text, f->name);
    pp_text_add(&d->text, "</text>\n<text class=\"sub\" x=\"32\" y=\"60\">%u cores, %u channels", f->n_cores, f->n_network);
    if (f->n_network > 0)
        pp_text_add(&d->text, " of %u lane%s at %.4g Gbit/s%s", f->channel[0].lanes, f->channel[0].lanes == 1 ? "" : "s",
                    f->channel[0].lane_gbps, f->shape.taper > 1 ? ", more towards the root" : "");
    pp_text_add(&d->text, "</text>\n");
}

static const char *class_text(const pp_drawing *d, pp_link_class kind)
{
    const pp_fabric *f = d->f;
    const bool dragonfly = strcmp(f->kind, "dragonfly") == 0;
    if (kind == PP_LINK_WRAP)
        return d->stubs ? "wrap-around links, a stub at each end" : "wrap-around links";
    if (kind == PP_LINK_LONG)
        return dragonfly ? "global links" : f->rows > 0 && f->reach == 2 ? "links over two columns" : "longer links";
    return dragonfly ? "local links" : d->layout == PP_LAYOUT_GRID ? "neighbours" : "links";
}

static void add_line_of_text(pp_drawing *d, const char *text, int n, double *y)
{
    pp_text_add(&d->text, "<text class=\"caption\" x=\"32\" y=\"%.1f\">%.*s</text>\n", *y, n, text);
    *y += 16.0;
}

/* Returns where the next line stands. */
static double add_legend(pp_drawing *d, double y)
{
    const pp_fabric *f = d->f;
    for (int k = 0; k < PP_LINK_CLASSES; k++) {
        static const char *const styles[] = {"near", "long", "wrap"};
        if (d->lines[k] == 0)
            continue;
        pp_text_add(&d->text,
                    "<path class=\"%s\" d=\"M32 %.1fL60 %.1f\"/>"
                    "<text class=\"sub\" x=\"70\" y=\"%.1f\">%s (%u)</text>\n",
                    styles[k], y - 4.5, y - 4.5, y, class_text(d, (pp_link_class)k), d->lines[k]);
        y += 20.0;
    }
    const char *what = d->one_way ? "A line is a channel each way, an arrow one channel." : "A line is a channel each way.";
    add_line_of_text(d, what, (int)strlen(what), &y);
    if (f->core_switch[0] != f->core_vertex[0])
        add_line_of_text(d, "Circles are switches, squares cores; grey lines are ports.", 58, &y);
    if (d->note)
        add_line_of_text(d, d->note, (int)strlen(d->note), &y);
    return y + 10.0;
}

/* The caption breaks at its semicolon: drawings may be narrow. */
static double add_caption(pp_drawing *d, const char *caption, double y)
{
    const char *split = strstr(caption, "; ");
    add_line_of_text(d, caption, split ? (int)(split - caption) + 1 : (int)strlen(caption), &y);
    if (split)
        add_line_of_text(d, split + 2, (int)strlen(split + 2), &y);
    return y;
}

static pp_status make_body(pp_drawing *d)
{
    PP_TRY(pp_drawing_begin(d));
    PP_TRY(pp_drawing_links(d));
    PP_TRY(pp_drawing_place(d));
    add_ports(d);
    pp_drawing_add_links(d);
    for (uint32_t v = 0; v < d->f->n_vertices; v++)
        if (d->shown[v])
            add_vertex(d, v);
    return PP_OK;
}

/* The body stands in the middle of the page, below the title. */
static pp_status write_page(pp_drawing *body, const char *caption, const char *path, bool force)
{
    const pp_fabric *f = body->f;
    const double most = fmax(64.0 + TITLE_CHAR * (double)strlen(f->name),
                             64.0 + TEXT_CHAR * (double)(body->note ? strlen(body->note) : 0));
    const double width = fmax(fmax(body->width + 2 * MARGIN, MIN_WIDTH), most);
    pp_drawing page = *body;
    page.text = (pp_text){0};
    page.links.data = NULL;
    pp_drawing feet = page;
    double y = add_legend(&feet, HEADER + body->height + 44.0);
    if (caption)
        y = add_caption(&feet, caption, y);
    pp_text_add(&page.text,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\">\n"
                "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
                width, y, width, y);
    add_style(&page, body->layout == PP_LAYOUT_CIRCLE && body->links.len > 150);
    add_title(&page);
    pp_text_add(&page.text, "<g transform=\"translate(%.1f %.1f)\">\n%s</g>\n%s</svg>\n", (width - body->width) / 2, HEADER,
                body->text.data ? body->text.data : "", feet.text.data ? feet.text.data : "");
    page.text.failed = page.text.failed || body->text.failed || feet.text.failed;
    free(feet.text.data);
    return pp_text_write(&page.text, path, force);
}

pp_status pp_fabric_write_svg(const pp_fabric *fabric, const char *path, bool force)
{
    const pp_fabric_kind_row *row = NULL;
    PP_TRY(pp_kind_find(&row, fabric->kind));
    pp_drawing body = {.f = fabric};
    pp_status status = make_body(&body);
    if (status == PP_OK)
        status = write_page(&body, row->caption, path, force);
    free(body.at);
    free(body.shown);
    free(body.cell);
    free(body.links.data);
    free(body.text.data);
    return status;
}

/* A report as one page that needs nothing else: style, figures and drawing as markup, all data as JSON, a script. */
#include "report/html_internal.h"

#include <stdlib.h>
#include <string.h>

static unsigned hex_digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* The script's SHA-256 in base 64, for the page's policy: no other script may run. */
static void script_hash(char out[48])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    pp_sha256 h;
    char hex[65];
    unsigned char b[33] = {0};
    pp_sha256_begin(&h);
    pp_sha256_add(&h, pp_html_script, pp_html_script_size);
    pp_sha256_end(&h, hex);
    for (size_t i = 0; i < 32; i++)
        b[i] = (unsigned char)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
    for (size_t i = 0, o = 0; i < 33; i += 3, o += 4) {
        unsigned v = (unsigned)b[i] << 16 | (unsigned)b[i + 1] << 8 | b[i + 2];
        for (unsigned k = 0; k < 4; k++)
            out[o + k] = digits[v >> (18 - 6 * k) & 63];
    }
    out[43] = '='; /* 32 bytes: one of padding */
    out[44] = 0;
}

static void put_head(FILE *f, const pp_content *c)
{
    char hash[48];
    script_hash(hash);
    fprintf(f, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
               "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
               "img-src data:; script-src 'sha256-%s'; base-uri 'none'; form-action 'none'\">\n"
               "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
               "<meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n<title>", hash);
    pp_html_title(f, c, false);
    fputs(" · pentaprism</title>\n<style>\n", f);
    fwrite(pp_html_style, 1, pp_html_style_size, f);
    fputs("</style>\n</head>\n<body>\n", f);
}

static const char *command_of(const pp_content *c)
{
    static const char *const paths[] = {"/run/command", "/traffic/command", "/quantize/command", "/sweep/command"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const pp_content_set *set = pp_content_find(c, paths[i]);
        if (set != NULL && set->scalar)
            return pp_content_text(&set->column[0], 0);
    }
    return "";
}

static void put_header(FILE *f, const pp_content *c)
{
    const char *command = command_of(c);
    fputs("<a class=\"skip\" href=\"#content\">to the content</a>\n<header class=\"top\"><div class=\"bar\">"
          "<span class=\"brand\">pentaprism</span><nav id=\"nav\" aria-label=\"Sections\"></nav>"
          "<button id=\"theme\" type=\"button\" hidden></button></div></header>\n<main id=\"content\">\n<h1>", f);
    pp_html_title(f, c, true);
    fputs("</h1>\n", f);
    if (command[0] != 0) {
        fputs("<div class=\"command\"><code id=\"command\">", f);
        pp_html_text(f, command);
        fputs("</code><button id=\"copy\" type=\"button\" hidden>Copy</button></div>\n", f);
    }
}

static void put_drawing(FILE *f, pp_html_drawing *d)
{
    fprintf(f, "<section id=\"%s\" class=\"panel\"><h2>%s</h2>\n", d->id, d->heading);
    if (d->note[0] != 0) {
        fputs("<p class=\"note\">", f);
        pp_html_text(f, d->note);
        fputs("</p>\n", f);
    }
    pp_html_drawing_svg(f, d);
    fputs("</section>\n", f);
}

/* The drawings that a report has room for: of a network's fabric, or of a language model's block and levels. */
#define MAX_DRAWINGS 3
static pp_status make_drawings(pp_html_drawing *d, size_t *n, const pp_content *c)
{
    *n = 0;
    pp_status status = pp_html_drawing_fabric(&d[0], c);
    *n += status == PP_OK;
    for (int k = 0; k < 2 && (status == PP_OK || status == PP_ENOTFOUND); k++) {
        status = pp_html_drawing_lm(&d[*n], c, k == 0 ? "level" : "block");
        *n += status == PP_OK;
    }
    return status == PP_ENOTFOUND ? PP_OK : status;
}

static void put_geometry(FILE *f, const pp_html_drawing *d, size_t n)
{
    const bool fabric = n > 0 && strcmp(d[0].id, "fabric") == 0;
    fputs("<script type=\"application/json\" id=\"geometry\">", f);
    if (fabric)
        pp_html_drawing_json(f, &d[0]);
    else
        fputs("null", f);
    fputs("</script>\n", f);
    for (size_t i = fabric; i < n; i++) {
        fprintf(f, "<script type=\"application/json\" id=\"geometry-%s\">", d[i].id);
        pp_html_drawing_json(f, &d[i]);
        fputs("</script>\n", f);
    }
}

static void put_page(FILE *f, const pp_content *c, pp_html_drawing *d, size_t n)
{
    put_head(f, c);
    put_header(f, c);
    pp_html_figures(f, c);
    for (size_t i = 0; i < n; i++)
        put_drawing(f, &d[i]);
    fputs("<div id=\"views\"></div>\n<noscript><p class=\"note\">Charts and tables need JavaScript; the figures above and the drawing "
          "do not.</p></noscript>\n</main>\n<div id=\"tip\" role=\"status\" aria-live=\"polite\" hidden></div>\n"
          "<script type=\"application/json\" id=\"data\">", f);
    pp_html_data(f, c);
    fputs("</script>\n", f);
    put_geometry(f, d, n);
    fputs("<script>", f);
    fwrite(pp_html_script, 1, pp_html_script_size, f);
    fputs("</script>\n</body>\n</html>\n", f);
}

pp_status pp_report_html(const pp_content *c, void *stdio_file)
{
    FILE *f = stdio_file;
    pp_html_drawing d[MAX_DRAWINGS] = {{0}};
    size_t n = 0;
    const pp_status status = make_drawings(d, &n, c);
    if (status == PP_OK)
        put_page(f, c, d, n);
    for (size_t i = 0; i < MAX_DRAWINGS; i++)
        pp_html_drawing_free(&d[i]);
    if (status != PP_OK)
        return status;
    return ferror(f) ? pp_fail(PP_EIO, "the page cannot be written (disk full?)") : PP_OK;
}

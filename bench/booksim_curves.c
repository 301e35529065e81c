/* Latency-load curves against curves measured with BookSim2.
 *   booksim_curves FILE.csv... [--seeds N] [--draw FOLDER]
 * The first line of a file holds the arguments: "# pentaprism: FABRIC --pattern ...". Prints a row a load with what is
 * allowed, draws both curves, and fails when a load is outside. Allowed: 3 % or 3 standard errors up to 80 % of
 * the highest stable load, 10 % up to 96 % (3 standard errors where that is more, and not above the channels' bound or
 * where the reference itself spreads by more than 5 %), throughput beyond saturation 3 %, or 15 % where the
 * reference says that it falls; hops 1 %. */
#include "bench/booksim_common.h"
#include "report/plot.h"

#include <math.h>

#define ROWS 64

typedef struct row {
    double rate, latency, sd, accepted, hops, hops_sd;
    uint64_t period;
    bool saturated, above_bound;
    pp_traffic_point p;
} row;

static int read_rows(FILE *f, row *rows)
{
    char line[1024];
    int n = 0;
    while (n < ROWS && fgets(line, sizeof line, f)) {
        double v[18];
        int k = 0;
        if (line[0] < '0' || line[0] > '9')
            continue;
        for (char *at = line; k < 18; k++) {
            char *end;
            v[k] = strtod(at, &end);
            if (end == at)
                v[k] = NAN;
            at = strchr(end, ',');
            if (!at) {
                k++;
                break;
            }
            at++;
        }
        if (k == 18)
            rows[n++] = (row){.rate = v[0], .latency = v[2], .sd = v[3], .accepted = v[8], .hops = v[10], .hops_sd = v[11],
                              .period = (uint64_t)v[13], .saturated = v[16] > 0, .above_bound = v[17] > 0};
    }
    return n;
}

/* Highest stable load of a curve; whether the throughput of its saturated points falls or stands. */
static double highest(const row *rows, int n)
{
    double top = 0;
    for (int i = 0; i < n; i++)
        if (!rows[i].saturated && rows[i].rate > top)
            top = rows[i].rate;
    return top;
}

static bool falls(const row *rows, int n, bool above)
{
    double most = 0;
    for (int i = 0; i < n; i++)
        most = fmax(most, rows[i].accepted);
    for (int i = 0; i < n; i++)
        if (rows[i].saturated && rows[i].accepted < 0.93 * most)
            return true;
    return above;
}

static bool judge(const row *r, double top, bool falling, uint32_t seeds, double *off, double *allowed, const char **what)
{
    const double share = r->rate / top;
    if (r->saturated) {
        *what = "accepted";
        *off = fabs(r->p.accepted / r->accepted - 1);
        *allowed = falling ? 0.15 : 0.03;
        return *off <= *allowed;
    }
    *what = "latency";
    *off = fabs(r->p.packet_latency / r->latency - 1);
    const double error = 3 * r->sd * sqrt(1.0 / 3 + 1.0 / seeds) / r->latency;
    *allowed = fmax(share <= 0.8 ? 0.03 : 0.1, error);
    if (r->above_bound || r->sd > 0.05 * r->latency || share > 0.961) {
        *what = "accepted";
        *off = fabs(r->p.accepted / r->accepted - 1);
        *allowed = 0.03;
    }
    return *off <= *allowed;
}

static bool hops_hold(const row *r, uint32_t seeds)
{
    if (r->saturated || r->above_bound)
        return true;
    /* A share of 1 %, or 3 standard errors where few packets were measured. */
    return fabs(r->p.routers / r->hops - 1) <= fmax(0.01, 3 * r->hops_sd * sqrt(1.0 / 3 + 1.0 / seeds) / r->hops);
}

static pp_status draw(const char *folder, const char *name, const char *note, const row *rows, int n)
{
    double x[ROWS], a[ROWS], b[ROWS], low[ROWS], high[ROWS], most = 0;
    int k = 0;
    for (int i = 0; i < n; i++) {
        if (rows[i].saturated)
            continue;
        x[k] = rows[i].rate;
        a[k] = rows[i].latency;
        low[k] = rows[i].latency - rows[i].sd;
        high[k] = rows[i].latency + rows[i].sd;
        b[k++] = rows[i].p.packet_latency;
        most = fmax(most, 5 * rows[0].latency);
    }
    pp_plot *plot = NULL;
    char *path = pp_strf("%s/%s.svg", folder, name);
    pp_status status = path ? pp_plot_new(&plot, name, "offered load, flits a core and cycle", "packet latency, cycles") : PP_ENOMEM;
    if (status == PP_OK)
        status = pp_plot_note(plot, note);
    if (status == PP_OK)
        status = pp_plot_series(plot, "BookSim2, three seeds", PP_PLOT_LINE | PP_PLOT_DASHED, x, a, low, high, (size_t)k);
    if (status == PP_OK)
        status = pp_plot_series(plot, "pentaprism", PP_PLOT_MARKERS, x, b, NULL, NULL, (size_t)k);
    if (status == PP_OK) {
        pp_plot_x_axis(plot, PP_PLOT_LINEAR, 0, NAN);
        pp_plot_y_axis(plot, PP_PLOT_LINEAR, 0, most);
        status = pp_plot_write(plot, path, true);
    }
    pp_plot_free(plot);
    free(path);
    return status;
}

static pp_status one_file(const char *path, uint32_t seeds, const char *folder, int *bad, int *points)
{
    char arguments[1024] = "", note[1024], name[128];
    row rows[ROWS];
    bench_net b = {0};
    FILE *f = fopen(path, "r");
    if (!f)
        return pp_fail(PP_EIO, "%s: cannot be read", path);
    const bool good = fgets(arguments, sizeof arguments, f) && strncmp(arguments, "# pentaprism: ", 14) == 0;
    const int n = good ? read_rows(f, rows) : 0;
    fclose(f);
    if (!good)
        return PP_OK; /* not a curve */
    arguments[strcspn(arguments, "\r\n")] = '\0';
    snprintf(note, sizeof note, "%s", arguments + 14);
    const char *slash = strrchr(path, '/');
    snprintf(name, sizeof name, "%.*s", (int)strcspn(slash ? slash + 1 : path, "."), slash ? slash + 1 : path);
    pp_status status = bench_open(&b, arguments + 14);
    b.traffic.seeds = seeds;
    const double top = highest(rows, n);
    bool above = false;
    for (int i = 0; i < n; i++)
        above |= rows[i].above_bound && !rows[i].saturated;
    printf("%s: %s\n  rate      latency  BookSim2   +-     accepted BookSim2  hops   BookSim2  compared  off     allowed\n", name, note);
    for (int i = 0; status == PP_OK && i < n; i++) {
        row *r = &rows[i];
        b.traffic.rate = r->rate;
        b.traffic.period = r->period; /* how long a run lasts decides near and beyond saturation */
        status = pp_traffic_run(&r->p, b.fabric, &b.network, &b.routing, b.pattern, &b.traffic, NULL);
        if (status != PP_OK)
            break;
        double off, allowed;
        const char *what;
        const bool holds = judge(r, top, falls(rows, n, above), seeds, &off, &allowed, &what) && hops_hold(r, seeds);
        printf("  %-8.4g %8.2f %8.2f %6.2f  %8.4f %8.4f  %6.3f %6.3f   %-8s %6.2f%% %6.2f%%%s\n", r->rate, r->p.packet_latency,
               r->latency, r->sd, r->p.accepted, r->accepted, r->p.routers, r->hops, what, 100 * off, 100 * allowed,
               holds ? "" : "  OUTSIDE");
        fflush(stdout);
        *bad += !holds;
        ++*points;
    }
    if (status == PP_OK && folder)
        status = draw(folder, name, note, rows, n);
    bench_close(&b);
    return status;
}

int main(int argc, char **argv)
{
    const char *folder = NULL;
    uint32_t seeds = 4;
    int bad = 0, points = 0;
    pp_status status = PP_OK;
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--draw") == 0)
            folder = argv[i + 1];
        if (strcmp(argv[i], "--seeds") == 0)
            seeds = (uint32_t)atoi(argv[i + 1]);
    }
    for (int i = 1; status == PP_OK && i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0)
            i++;
        else
            status = one_file(argv[i], seeds > 0 ? seeds : 1, folder, &bad, &points);
    }
    if (status != PP_OK)
        fprintf(stderr, "booksim_curves: %s\n", pp_error_text());
    if (points == 0)
        fprintf(stderr, "usage: booksim_curves FILE.csv... [--seeds N] [--draw FOLDER]\n");
    else
        printf("%d loads, %d outside\n", points, bad);
    return status != PP_OK || points == 0 || bad > 0;
}

/* Scales of a figure: limits, pixels, ticks. */
#include "report/plot_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void pp_plot_range(double *low, double *high, bool log, const double *v, size_t n)
{
    for (size_t i = 0; v != NULL && i < n; i++) {
        if (!isfinite(v[i]) || (log && v[i] <= 0.0))
            continue;
        *low = fmin(*low, v[i]);
        *high = fmax(*high, v[i]);
    }
}

/* A range that has a width, whatever the data. */
static void open_up(double *low, double *high)
{
    if (!(*low <= *high)) {
        *low = 0.0;
        *high = 1.0;
    }
    if (*high - *low < 1e-12 * fmax(1e-290, fabs(*high))) {
        const double half = *high != 0.0 ? 0.05 * fabs(*high) : 0.5;
        *low -= half;
        *high += half;
    }
}

static plot_scale log_scale(const plot_axis *a, double low, double high)
{
    double l = a->low > 0.0 ? a->low : low, h = a->high > 0.0 ? a->high : high;
    if (!(l <= h)) {
        l = 1.0;
        h = 10.0;
    }
    l = log10(l);
    h = log10(h);
    if (h - l < 1e-9) {
        l -= 0.5;
        h += 0.5;
    }
    const double margin = 0.03 * (h - l);
    return (plot_scale){.log = true, .low = a->low > 0.0 ? l : l - margin, .high = a->high > 0.0 ? h : h + margin};
}

plot_scale pp_plot_scale_of(const plot_axis *a, double low, double high, bool zero)
{
    if (a->scale == PP_PLOT_LOG)
        return log_scale(a, low, high);
    open_up(&low, &high);
    if (zero && low > 0.0 && low < 0.5 * high)
        low = 0.0;
    const double margin = 0.04 * (high - low);
    plot_scale s = {.low = low == 0.0 ? 0.0 : low - margin, .high = high == 0.0 ? 0.0 : high + margin};
    s.low = isfinite(a->low) ? a->low : s.low;
    s.high = isfinite(a->high) ? a->high : s.high;
    open_up(&s.low, &s.high);
    return s;
}

bool pp_plot_shown(const plot_scale *s, double v)
{
    return isfinite(v) && (!s->log || v > 0.0);
}

double pp_plot_pixel(const plot_scale *s, double v)
{
    const double u = s->log ? log10(v) : v;
    /* far outside is as good as outside: keeps coordinates printable */
    const double share = fmin(50.0, fmax(-50.0, (u - s->low) / (s->high - s->low)));
    return s->from + share * (s->to - s->from);
}

static double nice_step(double span, unsigned want)
{
    const double raw = span / (double)want, base = pow(10.0, floor(log10(raw))), r = raw / base;
    return base * (r <= 1.0 ? 1.0 : r <= 2.0 ? 2.0 : r <= 5.0 ? 5.0 : 10.0);
}

static void number_text(char text[24], double v)
{
    if (fabs(v) >= 1e6 || (v != 0.0 && fabs(v) < 1e-4))
        snprintf(text, 24, "%.3g", v);
    else
        snprintf(text, 24, "%.6g", v);
}

static size_t linear_ticks(const plot_scale *s, unsigned want, plot_tick *tick)
{
    const double step = nice_step(s->high - s->low, want), first = ceil(s->low / step - 1e-9);
    size_t n = 0;
    for (double k = first; k * step <= s->high + 1e-9 * step && n < PLOT_MAX_TICKS; k += 1.0) {
        tick[n] = (plot_tick){.at = k == 0.0 ? 0.0 : k * step};
        number_text(tick[n].text, tick[n].at);
        n++;
    }
    return n;
}

/* Decades with their text; between few decades also 2 and 5, else plain marks at 2 .. 9. */
static size_t log_ticks(const plot_scale *s, unsigned want, plot_tick *tick)
{
    const double decades = s->high - s->low, every = fmax(1.0, ceil(decades / (double)want));
    size_t n = 0;
    for (double k = floor(s->low); k <= s->high && n + 10 < PLOT_MAX_TICKS; k += every) {
        for (unsigned m = 1; m <= (every > 1.0 || decades > 4.0 ? 1u : 9u); m++) {
            const double at = (double)m * pow(10.0, k);
            if (log10(at) < s->low - 1e-9 || log10(at) > s->high + 1e-9)
                continue;
            tick[n] = (plot_tick){.at = at, .minor = m != 1 && !(decades < 2.0 && (m == 2 || m == 5))};
            if (!tick[n].minor)
                number_text(tick[n].text, at);
            n++;
        }
    }
    return n;
}

size_t pp_plot_ticks(const plot_scale *s, unsigned want, plot_tick tick[PLOT_MAX_TICKS])
{
    return s->log ? log_ticks(s, want, tick) : linear_ticks(s, want, tick);
}

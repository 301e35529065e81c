/* Knobs of sections "device" and "noise". */
#include "sim/noise.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#define D(name) offsetof(pp_device_options, name)
#define N(name) offsetof(pp_noise_options, name)

static const pp_knob device_knobs[] = {
    {"device", "model", PP_KNOB_TEXT, "", "ideal", 0, 0, NULL,
     "device: ideal, aihwkit-pcm, hermes, hermes-1, rram, rram-state, sram, gaussian, custom (docs/devices.md)", D(model)},
    {"device", "times_s", PP_KNOB_TEXT, "s", "25", 0, 0, NULL, "times of the evaluations: a list, \"25, 86400, 31536000\"",
     D(times_s)},
    {"device", "time_origin", PP_KNOB_CHOICE, "", "t0", 0, 0, "t0|programming",
     "where times count from: the first read (t0 after programming) or programming itself", D(time_origin)},
    {"device", "g_max_us", PP_KNOB_REAL, "uS", "0", 0, 1e6, NULL, "largest conductance; 0: the model's own", D(g_max_us)},
    {"device", "t0_s", PP_KNOB_REAL, "s", "0", 0, 1e9, NULL, "time of the first read, where drift starts; 0: the model's own",
     D(t0_s)},
    {"device", "t_read_s", PP_KNOB_REAL, "s", "0", 0, 1, NULL, "duration of a read in the 1/f noise; 0: the model's own",
     D(t_read_s)},
    {"device", "sigma", PP_KNOB_REAL, "", "0.038", 0, 10, NULL,
     "programming error of models rram, rram-state and gaussian, share of the maximum", D(sigma)},
    {"device", "read_sigma", PP_KNOB_REAL, "", "0", 0, 10, NULL, "read noise of models rram and rram-state, share of the conductance",
     D(read_sigma)},
    {"device", "program_poly", PP_KNOB_TEXT, "uS", "", 0, 0, NULL,
     "model custom: programming error, coefficients of the normalised target from the constant up", D(program_poly)},
    {"device", "nu_mean_poly", PP_KNOB_TEXT, "", "", 0, 0, NULL, "model custom: mean drift exponent, coefficients as above",
     D(nu_mean_poly)},
    {"device", "nu_std_poly", PP_KNOB_TEXT, "", "", 0, 0, NULL, "model custom: spread of the drift exponent, coefficients as above",
     D(nu_std_poly)},
    {"device", "read_poly", PP_KNOB_TEXT, "", "", 0, 0, NULL, "model custom: factor Q of the 1/f noise, coefficients as above",
     D(read_poly)},
    {"device", "stuck_low", PP_KNOB_REAL, "", "0", 0, 1, NULL, "share of devices stuck at zero conductance", D(stuck_low)},
    {"device", "stuck_high", PP_KNOB_REAL, "", "0", 0, 1, NULL, "share of devices stuck at the largest conductance", D(stuck_high)},
    {"device", "yield", PP_KNOB_REAL, "", "1", 0, 1, NULL, "share of devices that work; the others conduct nothing", D(yield)},
    {"device", "verify_reads", PP_KNOB_INT, "", "1", 1, 1000, NULL, "write-verify: most programming attempts a device; 1: none",
     D(verify_reads)},
    {"device", "verify_window", PP_KNOB_REAL, "", "0.01", 0, 1, NULL,
     "write-verify: a device within this share of the maximum of its target is left alone", D(verify_window)},
};

static const pp_knob noise_knobs[] = {
    {"noise", "seeds", PP_KNOB_INT, "", "1", 1, 1000, NULL, "draws of all devices, from seed simulate.seed on", N(seeds)},
    {"noise", "read", PP_KNOB_CHOICE, "", "accumulated", 0, 0, "none|accumulated|per_read|both",
     "read noise of the device model: frozen at each time (the 1/f noise since programming), anew in every read, or both", N(read)},
    {"noise", "read_std", PP_KNOB_REAL, "", "0", 0, 10, NULL,
     "further short-term noise of every weight in every read, share of the largest weight", N(read_std)},
    {"noise", "out_std", PP_KNOB_REAL, "", "0", 0, 1000, NULL,
     "noise of a column in every read: share of what the largest weight gives at full input", N(out_std)},
    {"noise", "adc_noise_lsb", PP_KNOB_REAL, "LSB", "0", 0, 1e6, NULL, "noise of a conversion, standard deviation", N(adc_noise_lsb)},
    {"noise", "adc_offset_lsb", PP_KNOB_REAL, "LSB", "0", 0, 1e6, NULL, "offset of a converter, standard deviation over converters",
     N(adc_offset_lsb)},
    {"noise", "adc_gain_std", PP_KNOB_REAL, "", "0", 0, 1, NULL, "gain error of a converter, standard deviation over converters",
     N(adc_gain_std)},
    {"noise", "compensation", PP_KNOB_TEXT, "", "tile", 0, 0, NULL,
     "drift compensation: a list of none, global, tile, layer, column", N(compensation)},
    {"noise", "compensation_reads", PP_KNOB_INT, "", "64", 1, 4096, NULL, "known inputs of a crossbar that measure its drift",
     N(compensation_reads)},
    {"noise", "adc_ranges", PP_KNOB_CHOICE, "", "fixed", 0, 0, "fixed|recalibrated",
     "ranges of the converters over time: those of the exact devices, or chosen anew at each time behind the compensation", N(adc_ranges)},
    {"noise", "batch_norm", PP_KNOB_BOOL, "", "false", 0, 0, NULL,
     "re-estimates scale and offset of each channel at each time from the calibration images (AdaBS)", N(batch_norm)},
    {"noise", "calib_images", PP_KNOB_INT, "", "64", 1, 1024, NULL,
     "images for converter ranges, drift compensation and batch-norm statistics", N(calib_images)},
    {"noise", "snr", PP_KNOB_BOOL, "", "true", 0, 0, NULL, "measures the signal-to-noise ratio of each layer", N(snr)},
    {"noise", "leave_one_out", PP_KNOB_INT, "images", "0", 0, 1000000, NULL,
     "images of the table that makes one layer ideal at a time; 0: no table", N(leave_one_out)},
};

pp_knob_table pp_device_knobs(void)
{
    return (pp_knob_table){device_knobs, sizeof device_knobs / sizeof *device_knobs};
}

pp_knob_table pp_noise_knobs(void)
{
    return (pp_knob_table){noise_knobs, sizeof noise_knobs / sizeof *noise_knobs};
}

/* ---- lists ---- */

static const char *skip(const char *c)
{
    while (*c == ',' || *c == '[' || *c == ']' || isspace((unsigned char)*c))
        c++;
    return c;
}

pp_status pp_number_list(double **out, size_t *n, const char *text, const char *what)
{
    PP_VEC(double) list = {0};
    *out = NULL;
    *n = 0;
    for (const char *c = skip(text); *c != 0; c = skip(c)) {
        char *end = NULL;
        const double v = strtod(c, &end);
        if (end == c || !isfinite(v) || list.len >= 1024) {
            free(list.data);
            return pp_fail(PP_EINVAL, "%s: '%.40s' is no list of numbers (expected for instance \"25, 86400\")", what, text);
        }
        if (!pp_push(&list, v)) {
            free(list.data);
            return PP_ENOMEM;
        }
        c = end;
    }
    *out = list.data;
    *n = list.len;
    return PP_OK;
}

static const char *const compensations[] = {"none", "global", "tile", "layer", "column"};

const char *pp_compensation_name(pp_compensation c)
{
    return compensations[c];
}

static int find_compensation(const char *word, size_t length)
{
    for (int i = 0; i < 5; i++)
        if (strlen(compensations[i]) == length && memcmp(compensations[i], word, length) == 0)
            return i;
    return -1;
}

pp_status pp_compensation_list(pp_compensation **out, size_t *n, const char *text)
{
    PP_VEC(pp_compensation) list = {0};
    *out = NULL;
    *n = 0;
    for (const char *c = skip(text); *c != 0; c = skip(c)) {
        const size_t length = strcspn(c, ",[] \t");
        const int found = find_compensation(c, length);
        char word[41];
        (void)snprintf(word, sizeof word, "%.*s", (int)length, c);
        pp_status status = found >= 0 ? PP_OK
                                      : pp_fail(PP_EINVAL, "noise.compensation: '%.*s' is unknown; expected none, global, tile, layer or column%s",
                                                (int)(length < 40 ? length : 40), c, pp_hint(word, "none global tile layer column", (char[PP_HINT_MAX]){0}));
        if (status == PP_OK && !pp_push(&list, (pp_compensation)found))
            status = PP_ENOMEM;
        if (status != PP_OK) {
            free(list.data);
            return status;
        }
        c += length;
    }
    if (list.len == 0) {
        free(list.data);
        return pp_fail(PP_EINVAL, "noise.compensation: expected none, global, tile, layer or column");
    }
    *out = list.data;
    *n = list.len;
    return PP_OK;
}

/* Tolerances of some figures in place of that of all. */
#include "report/diff_internal.h"

#include <string.h>

static bool is(const pp_diff_tolerance *t, const char *text)
{
    return strlen(text) == t->name_length && strncmp(text, t->name, t->name_length) == 0;
}

/* "/timing", "timing", "/timing/stages", "/timing/stages/busy_ps", "stages", "busy_ps" */
static bool names(const pp_diff_tolerance *t, const char *path, const char *column)
{
    const size_t slash = t->name_length > 0 && t->name[0] == '/' ? 0 : 1, n = t->name_length;
    const char *last = strrchr(path, '/');
    if ((column != NULL && is(t, column)) || (last != NULL && is(t, last + 1)))
        return true;
    if (strlen(path) < n + slash || strncmp(path + slash, t->name, n) != 0) {
        const size_t whole = strlen(path) - slash;
        return column != NULL && n == whole + 1 + strlen(column) && strncmp(t->name, path + slash, whole) == 0 && t->name[whole] == '/' &&
               strncmp(t->name + whole + 1, column, strlen(column)) == 0;
    }
    return path[slash + n] == '\0' || path[slash + n] == '/';
}

pp_diff_limits pp_diff_limits_of(const pp_diff_options *o, const char *path, const char *column)
{
    pp_diff_limits limits = o->limits;
    for (size_t i = 0; i < o->n_of; i++)
        if (names(&o->of[i], path, column))
            *(o->of[i].absolute ? &limits.absolute : &limits.relative) = o->of[i].value;
    return limits;
}

static bool names_any(const pp_diff_tolerance *t, const pp_content *c)
{
    for (size_t i = 0; i < c->n_sets; i++)
        for (size_t k = 0; k < c->set[i].n_columns; k++)
            if (names(t, c->set[i].path, c->set[i].scalar ? NULL : c->set[i].column[k].name))
                return true;
    return false;
}

pp_status pp_diff_check_tolerances(const pp_diff_options *o, const pp_content *a, const pp_content *b)
{
    for (size_t i = 0; i < o->n_of; i++)
        if (!names_any(&o->of[i], a) && !names_any(&o->of[i], b))
            return pp_fail(PP_EUSAGE, "--%s %.*s: neither report has a group, dataset or column of that name", o->of[i].absolute ? "absolute" : "tolerance", (int)o->of[i].name_length, o->of[i].name);
    return PP_OK;
}

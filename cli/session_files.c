/* Files that are read with one choice only: a file that is named alone chooses it, and one that the choice would leave
 * unread is an error rather than passed over. */
#include "cli/session.h"

#include <stdio.h>
#include <string.h>

typedef struct file_of {
    const char *section, *name, *by, *choice; /* section.name is read when section.by is `choice` */
} file_of;

static const file_of files[] = {
    {"fabric", "file", "kind", "file"},
    {"workload", "trace", "arrivals", "trace"},
};

static bool from_command_line(const pp_config *config, const char *section, const char *name)
{
    return strncmp(pp_config_place(config, section, name), "--set", 5) == 0;
}

static pp_status settle(pp_session *s, const file_of *f)
{
    const char *file = pp_config_text(s->config, f->section, f->name), *choice = pp_config_text(s->config, f->section, f->by);
    char text[64];
    if (file == NULL || file[0] == 0 || strcmp(choice, f->choice) == 0)
        return PP_OK;
    const bool asked_now = from_command_line(s->config, f->section, f->name);
    if (!pp_config_is_set(s->config, f->section, f->by) || (asked_now && !from_command_line(s->config, f->section, f->by))) {
        (void)snprintf(text, sizeof text, "%s.%s=%s", f->section, f->by, f->choice);
        return pp_config_set(s->config, text);
    }
    /* --set fabric.kind=mesh tries another fabric in place of the run file's; a sweep may try both. */
    if (from_command_line(s->config, f->section, f->by))
        return PP_OK;
    return pp_fail(PP_EINVAL, "%s: %s.%s is read with %s.%s: %s alone, which is %.40s here: leave one of them out",
                   pp_config_place(s->config, f->section, f->name), f->section, f->name, f->section, f->by, f->choice, choice);
}

pp_status pp_session_settle_files(pp_session *s)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        PP_TRY(settle(s, &files[i]));
    return PP_OK;
}

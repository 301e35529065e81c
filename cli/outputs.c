/* Outputs that would replace an input of the same command, or each other: refused before the work, with --force, too. */
#include "cli/args.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool pp_option_is_output(const char *name)
{
    static const char *const names[] = {"output", "csv", "draw", "certificate", "picture", "plot", "plot-snr", "trace"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* Whether option i writes its value: the last of a name does, every --trace does. */
static bool writes(const pp_parsed *p, size_t i)
{
    if (!pp_option_is_output(p->option_name[i]) || p->option_value[i][0] == 0)
        return false;
    return strcmp(p->option_name[i], "trace") == 0 || p->option_value[i] == pp_args_get(p, p->option_name[i]);
}

/* Files that are there by what they are, others by their folder and name. */
static bool same_file(const char *a, const char *b)
{
    struct stat sa, sb;
    const bool there = stat(a, &sa) == 0;
    if (there != (stat(b, &sb) == 0))
        return false;
    if (there)
        return sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino && (S_ISREG(sa.st_mode) || S_ISDIR(sa.st_mode));
    char *folder[2] = {pp_path_dir(a), pp_path_dir(b)}, *name[2] = {pp_path_base(a), pp_path_base(b)};
    const bool same = folder[0] != NULL && folder[1] != NULL && name[0] != NULL && name[1] != NULL && strcmp(name[0], name[1]) == 0 &&
                      stat(folder[0], &sa) == 0 && stat(folder[1], &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
    for (int i = 0; i < 2; i++) {
        free(folder[i]);
        free(name[i]);
    }
    return same;
}

pp_status pp_output_spares(const pp_parsed *p, const char *input)
{
    if (input == NULL || input[0] == 0)
        return PP_OK;
    char *file; /* of MODEL:output=NAME */
    pp_status status = pp_path_named(&file, input);
    for (size_t i = 0; status == PP_OK && file != NULL && i < p->n_options; i++)
        if (writes(p, i) && same_file(file, p->option_value[i]))
            status = pp_fail(PP_EEXIST, "%s: is read by this command, so it is not overwritten", p->option_value[i]);
    free(file);
    return status;
}

/* file:FILE, section.key=FILE */
static const char *file_in(const char *text)
{
    const size_t key = pp_file_exists(text) ? 0 : strcspn(text, "=/:"); /* FILE:output=NAME has none */
    text = text[key] == '=' && key > 0 ? text + key + 1 : text;
    return strncmp(text, "file:", 5) == 0 ? text + 5 : text;
}

pp_status pp_outputs_check(const pp_parsed *p)
{
    for (size_t i = 0; i < p->n_options; i++)
        for (size_t j = 0; j < i; j++)
            if (writes(p, i) && writes(p, j) && same_file(p->option_value[i], p->option_value[j]))
                return strcmp(p->option_name[i], p->option_name[j]) == 0 ? pp_fail(PP_EUSAGE, "%s: --%s %s is given twice", p->command->name, p->option_name[i], p->option_value[i]) : pp_fail(PP_EUSAGE, "%s: --%s and --%s name the same file: %s", p->command->name, p->option_name[j], p->option_name[i], p->option_value[i]);
    for (size_t i = 0; i < p->n_operands; i++)
        PP_TRY(pp_output_spares(p, file_in(p->operand[i])));
    for (size_t i = 0; i < p->n_options; i++)
        if (!pp_option_is_output(p->option_name[i]))
            PP_TRY(pp_output_spares(p, file_in(p->option_value[i])));
    return PP_OK;
}

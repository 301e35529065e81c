/* man: manual pages from the tables of commands, options and settings. */
#include "cli/completion.h"
#include "cli/session.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- roff ---- */

/* One line of text. What roff would read as its own is escaped; `like this` is bold. */
static void put_text(FILE *f, const char *text, size_t length)
{
    bool bold = false;
    if (length > 0 && (text[0] == '.' || text[0] == '\''))
        fputs("\\&", f);
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '`') {
            bold = !bold;
            fputs(bold ? "\\fB" : "\\fR", f);
        } else if (text[i] == '\\')
            fputs("\\e", f);
        else if (text[i] == '-')
            fputs("\\-", f);
        else if (text[i] == '~')
            fputs("\\(ti", f);
        else if (text[i] == '^')
            fputs("\\(ha", f);
        else
            fputc(text[i], f);
    }
    if (bold)
        fputs("\\fR", f);
}

static void put_line(FILE *f, const char *text)
{
    put_text(f, text, strlen(text));
    fputc('\n', f);
}

/* Lines of `text`, an empty one begins a paragraph. */
static void put_paragraphs(FILE *f, const char *text)
{
    while (*text != 0) {
        const size_t length = strcspn(text, "\n");
        if (length == 0)
            fputs(".PP\n", f);
        else {
            put_text(f, text, length);
            fputc('\n', f);
        }
        text += length + (text[length] == '\n');
    }
}

static void put_title(FILE *f, const char *name, int section)
{
    fputs(".TH \"", f);
    for (; *name != 0; name++)
        fputc(toupper((unsigned char)*name), f);
    fprintf(f, "\" %d \"%s\" \"pentaprism %s\" \"pentaprism\"\n", section, PP_COMMIT_DATE, PP_VERSION);
}

static void put_name(FILE *f, const char *name, const char *text)
{
    fputs(".SH NAME\n", f);
    put_text(f, name, strlen(name));
    fputs(" \\- ", f);
    put_text(f, text, (size_t)pp_first_line(text));
    fputc('\n', f);
}

/* ---- commands ---- */

static void put_option(FILE *f, const pp_arg *a)
{
    fputs(".TP\n", f);
    if (a->letter != 0)
        fprintf(f, "\\fB\\-%c\\fR, ", a->letter);
    fputs("\\fB\\-\\-", f);
    put_text(f, a->name, strlen(a->name));
    fputs("\\fR", f);
    if (a->value != NULL) {
        fputs(" \\fI", f);
        put_text(f, a->value, strlen(a->value));
        fputs("\\fR", f);
    }
    fputc('\n', f);
    put_line(f, a->text);
}

static void put_options(FILE *f, const char *title, const pp_arg *args)
{
    if (args == NULL || args->name == NULL)
        return;
    fprintf(f, ".SH %s\n", title);
    for (; args->name != NULL; args++)
        put_option(f, args);
}

/* Lines that are shown as they are. */
static void put_examples(FILE *f, const char *text)
{
    if (text == NULL)
        return;
    fputs(".SH EXAMPLES\n.nf\n", f);
    while (*text != 0) {
        const char *line = text + strspn(text, " ");
        const size_t length = strcspn(line, "\n");
        put_text(f, line, length);
        fputc('\n', f);
        text = line + length + (line[length] == '\n');
    }
    fputs(".fi\n", f);
}

static void put_command(FILE *f, const pp_command *c)
{
    char name[64];
    (void)snprintf(name, sizeof name, "pentaprism-%s", c->name);
    put_title(f, name, 1);
    put_name(f, name, c->text);
    fprintf(f, ".SH SYNOPSIS\n\\fBpentaprism %s\\fR%s", c->name, c->operands[0] != 0 ? " " : "");
    put_text(f, c->operands, strlen(c->operands));
    fputs(" [options]\n.SH DESCRIPTION\n", f);
    const char *rest = c->text + pp_first_line(c->text);
    put_paragraphs(f, rest[0] != 0 ? rest + strspn(rest, "\n") : c->text);
    put_options(f, "OPTIONS", c->args);
    put_options(f, "COMMON OPTIONS", pp_common_args);
    put_examples(f, c->examples);
    fputs(".SH SEE ALSO\n\\fBpentaprism\\fR(1), \\fBpentaprism\\-knobs\\fR(7)\n", f);
}

static void put_main(FILE *f)
{
    put_title(f, "pentaprism", 1);
    put_name(f, "pentaprism", "architecture simulator for in-memory computing");
    fputs(".SH SYNOPSIS\n\\fBpentaprism\\fR \\fICOMMAND\\fR [arguments] [options]\n.SH DESCRIPTION\n", f);
    put_paragraphs(f, "A network is quantized, mapped onto crossbar cores, placed on a fabric and simulated as a\n"
                      "pipeline of discrete events: throughput, latency, the load of every core and channel,\n"
                      "energy, and what the network still gets right behind real converters and devices.\n\n"
                      "Each command has a page of its own, pentaprism-COMMAND(1). Settings of a run file are in\n"
                      "pentaprism-knobs(7).");
    fputs(".SH COMMANDS\n", f);
    const pp_command *c;
    for (size_t i = 0; (c = pp_command_at(i)) != NULL; i++) {
        fprintf(f, ".TP\n\\fB%s\\fR\n", c->name);
        put_text(f, c->text, (size_t)pp_first_line(c->text));
        fputc('\n', f);
    }
    put_options(f, "COMMON OPTIONS", pp_common_args);
    fputs(".SH EXIT STATUS\n0: done. 1: the input or the run failed, with one line on standard error. 2: wrong usage.\n"
          ".SH ENVIRONMENT\n.TP\n\\fBNO_COLOR\\fR\nwhen set, nothing is coloured; without a terminal nothing ever is\n"
          ".TP\n\\fBPENTAPRISM_ZOO\\fR\nfolder of the built-in networks and data, in place of the installed one\n"
          ".TP\n\\fBPENTAPRISM_CPU\\fR\nplain, avx2 or avx512: instructions that may be used at most\n"
          ".SH FILES\nFiles in docs/ and examples/ that these pages name are in /usr/share/doc/pentaprism\n"
          "(share/doc/pentaprism below another prefix).\n"
          ".SH SEE ALSO\n\\fBpentaprism\\-run\\fR(1), \\fBpentaprism\\-knobs\\fR(7)\n", f);
}

/* ---- knobs ---- */

static void put_bounds(FILE *f, const pp_knob *k)
{
    const double whole = 9.2e18;
    if (k->type == PP_KNOB_CHOICE) {
        fputs("One of ", f);
        put_text(f, k->choices, strlen(k->choices));
        fputs(".\n", f);
    } else if (k->type == PP_KNOB_BOOL)
        fputs("true or false.\n", f);
    else if (k->type == PP_KNOB_INT || k->type == PP_KNOB_REAL) {
        const bool low = isfinite(k->min) && k->min > -whole, high = isfinite(k->max) && k->max < whole;
        char text[96];
        if (low && high)
            (void)snprintf(text, sizeof text, "From %.10g to %.10g.", k->min, k->max);
        else if (low)
            (void)snprintf(text, sizeof text, "At least %.10g.", k->min);
        else
            (void)snprintf(text, sizeof text, high ? "At most %.10g." : "Any number.", k->max);
        put_line(f, text);
    }
}

static void put_knob(FILE *f, const pp_knob *k)
{
    fputs(".TP\n\\fB", f);
    put_text(f, k->section, strlen(k->section));
    fputc('.', f);
    put_text(f, k->name, strlen(k->name));
    fputs("\\fR = ", f);
    put_text(f, k->def[0] != 0 ? k->def : "\"\"", strlen(k->def[0] != 0 ? k->def : "\"\""));
    if (k->unit[0] != 0) {
        fputc(' ', f);
        put_text(f, k->unit, strlen(k->unit));
    }
    fputc('\n', f);
    put_text(f, k->text, strlen(k->text));
    fputs(".\n", f);
    put_bounds(f, k);
}

static void put_knobs(FILE *f)
{
    put_title(f, "pentaprism-knobs", 7);
    put_name(f, "pentaprism-knobs", "settings of a run file");
    fputs(".SH DESCRIPTION\n", f);
    put_paragraphs(f, "A run file is YAML: sections of settings. What it leaves out takes the default that stands\n"
                      "behind the = below; `--set section.key=value` overrides both. `arch.preset` and `cost.preset`\n"
                      "put published figures between default and file.");
    const char *section = "";
    const pp_knob *k;
    for (size_t i = 0; (k = pp_words_knob(i)) != NULL; i++) {
        if (strcmp(k->section, section) != 0) {
            fputs(".SH ", f);
            for (const char *c = k->section; *c != 0; c++)
                fputc(toupper((unsigned char)*c), f);
            fputc('\n', f);
        }
        section = k->section;
        put_knob(f, k);
    }
    fputs(".SH SEE ALSO\n\\fBpentaprism\\fR(1), \\fBpentaprism\\-run\\fR(1), \\fBpentaprism\\-knobs\\fR(1)\n", f);
}

/* ---- the command ---- */

/* Every page into a folder that is there: NAME.SECTION. */
static pp_status write_page(const char *dir, const char *page, bool force, void (*put)(FILE *f), const pp_command *c)
{
    char *path = pp_path_join(dir, page);
    pp_output o;
    if (path == NULL)
        return PP_ENOMEM;
    pp_status status = pp_output_begin(&o, path, force);
    FILE *f = status == PP_OK ? fopen(o.temporary, "w") : NULL;
    if (f != NULL) {
        if (c != NULL)
            put_command(f, c);
        else
            put(f);
        const bool bad = ferror(f) != 0;
        if (fclose(f) == 0 && !bad)
            status = pp_output_commit(&o);
        else
            status = pp_fail(PP_EIO, "%s: cannot be written (disk full?)", path);
    } else if (status == PP_OK)
        status = pp_fail(PP_EIO, "%s: cannot be written", path);
    pp_output_abort(&o);
    free(path);
    return status;
}

static pp_status write_all(const char *dir, bool force)
{
    char page[64];
    const pp_command *c;
    PP_TRY(write_page(dir, "pentaprism.1", force, put_main, NULL));
    PP_TRY(write_page(dir, "pentaprism-knobs.7", force, put_knobs, NULL));
    for (size_t i = 0; (c = pp_command_at(i)) != NULL; i++) {
        (void)snprintf(page, sizeof page, "pentaprism-%s.1", c->name);
        PP_TRY(write_page(dir, page, force, NULL, c));
    }
    return PP_OK;
}

static pp_status unknown(const char *name)
{
    char list[512] = "settings";
    const pp_command *c;
    for (size_t i = 0; (c = pp_command_at(i)) != NULL; i++)
        (void)snprintf(list + strlen(list), sizeof list - strlen(list), ", %s", c->name);
    return pp_fail(PP_EUSAGE, "man: there is no page '%s'; expected a command or settings%s", name,
                   pp_hint(name, list, (char[PP_HINT_MAX]){0}));
}

static pp_status print(const char *name)
{
    const pp_command *c = name != NULL ? pp_command_find(name) : NULL;
    if (name == NULL)
        put_main(stdout);
    else if (strcmp(name, "settings") == 0)
        put_knobs(stdout);
    else if (c == NULL)
        return unknown(name);
    else
        put_command(stdout, c);
    return fflush(stdout) == 0 && !ferror(stdout) ? PP_OK : pp_fail(PP_EIO, "stdout: cannot be written");
}

static int run(const pp_parsed *p)
{
    const char *dir = pp_args_get(p, "output");
    if (dir == NULL)
        return pp_finish(print(p->n_operands > 0 ? p->operand[0] : NULL));
    if (p->n_operands > 0)
        return pp_finish(pp_fail(PP_EUSAGE, "man: -o DIR writes every page; a single one goes to stdout"));
    return pp_finish(write_all(dir, pp_args_has(p, "force")));
}

const pp_command pp_cmd_man = {
    .name = "man",
    .operands = "[COMMAND]",
    .min_operands = 0,
    .max_operands = 1,
    .text = "print a manual page: of the program, a command, or `settings`\n\n"
            "The pages are made from the tables that parse arguments and run files. With -o DIR every page\n"
            "goes into that folder. `cmake --install` and the Debian package put them where man looks.",
    .examples = "  pentaprism man run >pentaprism-run.1\n"
                "  pentaprism man settings >pentaprism-knobs.7\n",
    .run = run,
};

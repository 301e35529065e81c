/* The command that makes the same result again, as reports hold it. */
#include "cli/args.h"

#include <stdlib.h>
#include <string.h>

/* Options that say where results go or how fast, not what they are. */
static bool changes_nothing(const char *name)
{
    static const char *const names[] = {"output", "json", "threads", "force", "quiet", "help", "csv", "draw", "certificates", "certificate", "picture", "jobs"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return strncmp(name, "plot", 4) == 0 || strncmp(name, "trace", 5) == 0;
}

typedef PP_VEC(char) letters; /* of the command so far */

static bool put(letters *to, const char *text)
{
    for (; *text != 0; text++)
        if (!pp_push(to, *text))
            return false;
    return true;
}

/* A word as a shell takes it. */
static bool put_word(letters *to, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=,%+@-";
    if (word[0] != 0 && word[strspn(word, plain)] == 0)
        return put(to, word);
    bool ok = put(to, "'");
    for (; ok && *word != 0; word++)
        ok = *word == '\'' ? put(to, "'\\''") : pp_push(to, *word);
    return ok && put(to, "'");
}

/* ---- files go without their folder: a report knows nothing of the machine ---- */

/* The file that `text` names, up to a ':' behind its name (MODEL:output=NAME), without its folder; false: it names none.
 * *ok false: no memory. */
static bool put_file(letters *to, const char *text, bool *ok)
{
    char *path;
    *ok = pp_path_named(&path, text) == PP_OK;
    char *base = path != NULL ? pp_path_base(path) : NULL;
    const bool taken = path != NULL || !*ok;
    if (path != NULL)
        *ok = base != NULL && put(to, base) && put(to, text + strlen(path));
    free(base);
    free(path);
    return taken;
}

/* A file, file:FILE, or a list of these and others. */
static bool put_files(letters *to, const char *text)
{
    const size_t scheme = strncmp(text, "file:", 5) == 0 ? 5 : 0, n = strcspn(text, ",|");
    bool ok = put(to, scheme > 0 ? "file:" : "");
    if (!ok || put_file(to, text + scheme, &ok))
        return ok;
    if (text[n] == 0)
        return put(to, text + scheme);
    char *first = pp_strf("%.*s", (int)(n - scheme), text + scheme);
    ok = first != NULL && (put_file(to, first, &ok) ? ok : put(to, first)) && pp_push(to, text[n]) && put_files(to, text + n + 1);
    free(first);
    return ok;
}

char *pp_without_folders(const char *text)
{
    letters bare = {0};
    if (put_files(&bare, text) && pp_push(&bare, 0))
        return bare.data;
    free(bare.data);
    return NULL;
}

/* Also section.key=FILE. */
static bool put_value(letters *to, const char *value)
{
    letters bare = {0};
    const char *equals = strchr(value, '=');
    const size_t key = equals != NULL && !pp_file_exists(value) && strcspn(value, "/") > (size_t)(equals - value) ? (size_t)(equals - value) + 1 : 0;
    bool ok = true;
    for (size_t i = 0; ok && i < key; i++)
        ok = pp_push(&bare, value[i]);
    ok = ok && put_files(&bare, value + key) && pp_push(&bare, 0) && put(to, " ") && put_word(to, bare.data);
    free(bare.data);
    return ok;
}

char *pp_canonical_command(const pp_parsed *p)
{
    letters text = {0};
    bool ok = put(&text, "pentaprism ") && put(&text, p->command->name);
    for (size_t i = 0; ok && i < p->n_operands; i++)
        ok = put_value(&text, p->operand[i]);
    for (size_t i = 0; ok && i < p->n_options; i++) {
        if (changes_nothing(p->option_name[i]))
            continue;
        ok = put(&text, " --") && put(&text, p->option_name[i]);
        if (ok && p->option_value[i][0] != 0)
            ok = put_value(&text, p->option_value[i]);
    }
    if (ok && pp_push(&text, 0))
        return text.data;
    free(text.data);
    return NULL;
}

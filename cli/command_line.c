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

/* Files go without their folder: a report knows nothing of the machine. */
static bool put_value(letters *to, const char *value)
{
    if (!pp_file_exists(value))
        return put(to, " ") && put_word(to, value);
    char *base = pp_path_base(value);
    bool ok = base != NULL && put(to, " ") && put_word(to, base);
    free(base);
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

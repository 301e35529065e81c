/* completion: prints the completion of a shell, made from the tables that also parse the arguments. */
#include "cli/completion.h"
#include "cli/session.h"

#include <string.h>

static const struct {
    const char *name;
    void (*print)(FILE *f);
} shells[] = {{"bash", pp_completion_bash}, {"zsh", pp_completion_zsh}, {"fish", pp_completion_fish}};

static int run(const pp_parsed *p)
{
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++) {
        if (strcmp(p->operand[0], shells[i].name) != 0)
            continue;
        shells[i].print(stdout);
        return pp_finish(fflush(stdout) == 0 && !ferror(stdout) ? PP_OK : pp_fail(PP_EIO, "stdout: cannot be written"));
    }
    return pp_finish(pp_fail(PP_EINTERNAL, "completion: %s", p->operand[0])); /* the parser lets only verbs through */
}

const pp_command pp_cmd_completion = {
    .name = "completion",
    .operands = "bash | zsh | fish",
    .min_operands = 1,
    .max_operands = 1,
    .text = "print the completion of a shell: commands, options, settings, models, fabrics\n\n"
            "`cmake --install` and the Debian package put it where the shells look. By hand:\n"
            "bash: source <(pentaprism completion bash); fish: pentaprism completion fish | source;\n"
            "zsh: pentaprism completion zsh >~/.zfunc/_pentaprism, with ~/.zfunc in fpath.",
    .examples = "  pentaprism completion bash >pentaprism.bash\n"
                "  pentaprism completion fish >pentaprism.fish\n",
    .run = run,
};

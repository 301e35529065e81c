/* sweep: a run file over a grid of settings. Each point is a process of its own, this program again with `simulate`
 * or `run`; what it prints is kept in a file of its own, so that a sweep that was stopped goes on where it was. */
#include "cli/commands.h"
#include "cli/session.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define POINTS_MAX 1000000u
#define AXES_MAX 16u

typedef struct axis {
    const char *key; /* section.name */
    const char *value[256];
    size_t n;
} axis;

typedef struct sweep {
    const pp_parsed *args;
    pp_arena *arena;
    axis axis[AXES_MAX];
    size_t n_axes, n_points;
    const char *command; /* simulate, run */
    char *folder;        /* of the points: NAME.csv.points */
    char file_sha256[65];
    size_t failed, kept;
} sweep;

/* ---- the grid ---- */

static pp_status parse_axis(sweep *s, const char *text)
{
    char *copy = pp_arena_strdup(s->arena, text), *save = NULL;
    if (copy == NULL)
        return PP_ENOMEM;
    char *equals = strchr(copy, '=');
    if (equals == NULL || equals == copy || equals[1] == 0 || s->n_axes == AXES_MAX)
        return pp_fail(PP_EUSAGE, "sweep: --grid %s: expected section.key=value,value,... (or with | between), at most %u times", text,
                       AXES_MAX);
    *equals = 0;
    axis *a = &s->axis[s->n_axes++];
    *a = (axis){.key = copy};
    const char *between = strchr(equals + 1, '|') != NULL ? "|" : ",";
    for (char *v = strtok_r(equals + 1, between, &save); v != NULL; v = strtok_r(NULL, between, &save)) {
        if (a->n == sizeof a->value / sizeof *a->value)
            return pp_fail(PP_ERANGE, "sweep: --grid %s: more than %zu values", copy, a->n);
        a->value[a->n++] = v;
    }
    s->n_points *= a->n;
    if (s->n_points == 0 || s->n_points > POINTS_MAX)
        return pp_fail(PP_ERANGE, "sweep: the grid must have 1 to %u points", POINTS_MAX);
    return PP_OK;
}

/* Value of an axis at a point; the last axis runs fastest. */
static const char *value_at(const sweep *s, size_t point, size_t which)
{
    for (size_t i = s->n_axes; i-- > which + 1;)
        point /= s->axis[i].n;
    return s->axis[which].value[point % s->axis[which].n];
}

static bool passed_on(const char *option)
{
    return strcmp(option, "set") == 0 || strcmp(option, "seed") == 0;
}

/* Name of a point's file: from everything that its result depends on. */
static char *point_file(const sweep *s, size_t point, const char *ending)
{
    uint64_t h = pp_fnv1a(PP_FNV_START, s->file_sha256, 64);
    h = pp_fnv1a(h, PP_COMMIT PP_VERSION, sizeof PP_COMMIT PP_VERSION);
    h = pp_fnv1a(h, s->command, strlen(s->command) + 1);
    for (size_t i = 0; i < s->args->n_options; i++) {
        if (!passed_on(s->args->option_name[i]))
            continue;
        h = pp_fnv1a(h, s->args->option_name[i], strlen(s->args->option_name[i]) + 1);
        h = pp_fnv1a(h, s->args->option_value[i], strlen(s->args->option_value[i]) + 1);
    }
    for (size_t i = 0; i < s->n_axes; i++) {
        const char *value = value_at(s, point, i);
        h = pp_fnv1a(h, s->axis[i].key, strlen(s->axis[i].key) + 1);
        h = pp_fnv1a(h, value, strlen(value) + 1);
    }
    return pp_strf("%s/%016" PRIx64 "%s", s->folder, h, ending);
}

/* ---- one point: a process ---- */

typedef struct words {
    char **word;
    size_t n;
} words;

static void add_word(words *w, char *text)
{
    w->word[w->n++] = text; /* NULL when out of memory: seen at the end */
}

/* The command line of a point; all words are new strings. */
static pp_status command_line(const sweep *s, size_t point, words *w)
{
    w->word = pp_calloc(16 + 2 * s->args->n_options + 2 * s->n_axes, sizeof *w->word);
    if (w->word == NULL)
        return PP_ENOMEM;
    add_word(w, pp_strdup("pentaprism"));
    add_word(w, pp_strdup(s->command));
    add_word(w, pp_strdup(s->args->operand[0]));
    for (size_t i = 0; i < s->args->n_options; i++)
        if (passed_on(s->args->option_name[i])) {
            add_word(w, pp_strf("--%s", s->args->option_name[i]));
            add_word(w, pp_strdup(s->args->option_value[i]));
        }
    for (size_t i = 0; i < s->n_axes; i++) {
        add_word(w, pp_strdup("--set"));
        add_word(w, pp_strf("%s=%s", s->axis[i].key, value_at(s, point, i)));
    }
    const char *rest[] = {"-j", "1", "--json", "--quiet", "--force", "-o"};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
        add_word(w, pp_strdup(rest[i]));
    add_word(w, point_file(s, point, ".h5"));
    for (size_t i = 0; i < w->n; i++)
        if (w->word[i] == NULL)
            return PP_ENOMEM;
    return PP_OK;
}

static void free_words(words *w)
{
    for (size_t i = 0; w->word != NULL && i < w->n; i++)
        free(w->word[i]);
    free(w->word);
}

/* In the child: stdout and stderr into files, then this program again. */
_Noreturn static void become(char **word, const char *out, const char *err)
{
    const int to = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0666), errors = open(err, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (to >= 0 && errors >= 0 && dup2(to, STDOUT_FILENO) >= 0 && dup2(errors, STDERR_FILENO) >= 0)
        execv("/proc/self/exe", word);
    _exit(127);
}

static pp_status start(const sweep *s, size_t point, pid_t *pid)
{
    words w = {0};
    char *out = point_file(s, point, ".part"), *err = point_file(s, point, ".err");
    pp_status status = out != NULL && err != NULL ? command_line(s, point, &w) : PP_ENOMEM;
    if (status == PP_OK) {
        *pid = fork();
        if (*pid == 0)
            become(w.word, out, err);
        if (*pid < 0)
            status = pp_fail(PP_EIO, "sweep: no further process can be started: %s", strerror(errno));
    }
    free_words(&w);
    free(out);
    free(err);
    return status;
}

/* A point has ended: a good one gets its name, so that it is there for ever. */
static pp_status finish(sweep *s, size_t point, int wait_status)
{
    char *part = point_file(s, point, ".part"), *done = point_file(s, point, ".json"), *err = point_file(s, point, ".err");
    pp_status status = part != NULL && done != NULL && err != NULL ? PP_OK : PP_ENOMEM;
    const bool good = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;
    if (status == PP_OK && !good) {
        s->failed++;
        (void)remove(part);
    } else if (status == PP_OK) {
        (void)remove(err);
        if (rename(part, done) != 0)
            status = pp_fail(PP_EIO, "%s: %s", done, strerror(errno));
    }
    free(part);
    free(done);
    free(err);
    return status;
}

static bool is_done(const sweep *s, size_t point)
{
    char *done = point_file(s, point, ".json");
    const bool there = done != NULL && pp_file_exists(done);
    free(done);
    return there;
}

/* ---- all points ---- */

typedef struct slots {
    pid_t *pid;
    size_t *point;
    size_t n, most;
} slots;

static pp_status reap(sweep *s, slots *c, pp_progress *bar)
{
    int wait_status;
    const pid_t pid = waitpid(-1, &wait_status, 0);
    for (size_t i = 0; pid > 0 && i < c->n; i++) {
        if (c->pid[i] != pid)
            continue;
        const size_t point = c->point[i];
        c->n--;
        c->pid[i] = c->pid[c->n];
        c->point[i] = c->point[c->n];
        pp_progress_step(bar, 1);
        return finish(s, point, wait_status);
    }
    return pid > 0 ? PP_OK : pp_fail(PP_EINTERNAL, "sweep: a point's process is lost: %s", strerror(errno));
}

static pp_status run_all(sweep *s, slots *c)
{
    pp_progress bar;
    pp_status status = PP_OK;
    pp_progress_begin(&bar, "sweep", s->n_points);
    for (size_t point = 0; point < s->n_points && status == PP_OK; point++) {
        if (is_done(s, point)) {
            s->kept++;
            pp_progress_step(&bar, 1);
            continue;
        }
        if (c->n == c->most)
            status = reap(s, c, &bar);
        if (status == PP_OK)
            status = start(s, point, &c->pid[c->n]);
        if (status == PP_OK)
            c->point[c->n++] = point;
    }
    while (c->n > 0) { /* those under way are waited for, whatever happened */
        const pp_status last = reap(s, c, &bar);
        if (last != PP_OK && status == PP_OK)
            status = last;
        if (last == PP_EINTERNAL)
            break;
    }
    pp_progress_end(&bar);
    return status;
}

/* ---- the table ---- */

/* What differs between two runs of the same point, or only says where it ran. */
static bool left_out(const char *key)
{
    return strcmp(key, "wall_s") == 0 || strcmp(key, "simulate_s") == 0 || strcmp(key, "report") == 0;
}

static void put_field(FILE *f, const char *text)
{
    const bool quote = strpbrk(text, ",\"\n") != NULL;
    if (quote)
        fputc('"', f);
    for (; *text != 0 && *text != '\n'; text++)
        fprintf(f, *text == '"' ? "\"\"" : "%c", *text);
    if (quote)
        fputc('"', f);
}

/* First line of a failed point's stderr. */
static void put_error(const sweep *s, size_t point, FILE *f)
{
    char *err = point_file(s, point, ".err"), *text = NULL;
    if (err != NULL && pp_file_read_text(&text, NULL, err, 1 << 20) == PP_OK)
        put_field(f, strncmp(text, "pentaprism: ", 12) == 0 ? text + 12 : text);
    else
        put_field(f, "the process ended without a word");
    free(text);
    free(err);
}

static pp_doc *read_point(const sweep *s, size_t point)
{
    pp_doc *doc = NULL;
    char *done = point_file(s, point, ".json");
    if (done != NULL && pp_file_exists(done))
        (void)pp_doc_read_json(&doc, done);
    free(done);
    return doc;
}

/* Columns are the plain values of the first point that was done. */
static void put_row(const sweep *s, const pp_node *columns, size_t point, FILE *f)
{
    pp_doc *doc = read_point(s, point);
    const pp_node *root = doc != NULL ? pp_doc_root(doc) : NULL;
    for (size_t i = 0; i < s->n_axes; i++) {
        put_field(f, value_at(s, point, i));
        fputc(',', f);
    }
    for (size_t i = 0; columns != NULL && i < columns->n; i++) {
        if (columns->child[i]->kind != PP_DOC_SCALAR || left_out(columns->key[i]))
            continue;
        const pp_node *v = pp_node_get(root, columns->key[i]);
        if (v != NULL && v->kind == PP_DOC_SCALAR)
            put_field(f, v->text);
        fputc(',', f);
    }
    if (doc == NULL)
        put_error(s, point, f);
    fputc('\n', f);
    pp_doc_free(doc);
}

static void put_table(const sweep *s, FILE *f)
{
    pp_doc *first = NULL;
    for (size_t point = 0; point < s->n_points && first == NULL; point++)
        first = read_point(s, point);
    const pp_node *columns = first != NULL ? pp_doc_root(first) : NULL;
    for (size_t i = 0; i < s->n_axes; i++)
        fprintf(f, "%s,", s->axis[i].key);
    for (size_t i = 0; columns != NULL && i < columns->n; i++)
        if (columns->child[i]->kind == PP_DOC_SCALAR && !left_out(columns->key[i]))
            fprintf(f, "%s,", columns->key[i]);
    fputs("error\n", f);
    for (size_t point = 0; point < s->n_points; point++)
        put_row(s, columns, point, f);
    pp_doc_free(first);
}

static pp_status write_table(const sweep *s, const char *path, bool force)
{
    pp_output o;
    pp_status status = pp_output_begin(&o, path, force);
    FILE *f = status == PP_OK ? fopen(o.temporary, "w") : NULL;
    if (f != NULL) {
        put_table(s, f);
        const bool bad = ferror(f) != 0;
        if (fclose(f) == 0 && !bad)
            status = pp_output_commit(&o);
        else
            status = pp_fail(PP_EIO, "%s: cannot be written (disk full?)", path);
    } else if (status == PP_OK)
        status = pp_fail(PP_EIO, "%s: %s", path, strerror(errno));
    pp_output_abort(&o);
    return status;
}

/* ---- the command ---- */

/* The settings that all points share must be right, and those of the grid must be there; their values are a point's own. */
static pp_status check_settings(const sweep *s)
{
    pp_session session;
    pp_status status = pp_session_open(&session, s->args, s->args->operand[0]);
    for (size_t i = 0; i < s->n_axes && status == PP_OK; i++) {
        char section[64];
        const char *dot = strchr(s->axis[i].key, '.');
        (void)snprintf(section, sizeof section, "%.*s", dot != NULL ? (int)(dot - s->axis[i].key) : 0, s->axis[i].key);
        if (dot != NULL && pp_config_text(session.config, section, dot + 1) != NULL)
            continue;
        char *assignment = pp_strf("%s=%s", s->axis[i].key, s->axis[i].value[0]);
        status = assignment != NULL ? pp_config_set(session.config, assignment) : PP_ENOMEM; /* says what is wrong with it */
        free(assignment);
    }
    pp_session_close(&session);
    return status;
}

static pp_status identify(sweep *s)
{
    pp_file *file;
    pp_sha256 h;
    PP_TRY(pp_file_map(&file, s->args->operand[0]));
    pp_sha256_begin(&h);
    pp_sha256_add(&h, file->data, file->size);
    pp_sha256_end(&h, s->file_sha256);
    pp_file_unmap(file);
    return PP_OK;
}

static pp_status prepare(sweep *s, const char *path, bool force)
{
    pp_output probe;
    const char *command = pp_args_get(s->args, "command");
    s->command = command != NULL ? command : "simulate";
    if (strcmp(s->command, "simulate") != 0 && strcmp(s->command, "run") != 0)
        return pp_fail(PP_EUSAGE, "sweep: --command %s: expected simulate or run%s", s->command,
                       pp_hint(s->command, "simulate run", (char[PP_HINT_MAX]){0}));
    for (size_t i = 0; i < s->args->n_options; i++)
        if (strcmp(s->args->option_name[i], "grid") == 0)
            PP_TRY(parse_axis(s, s->args->option_value[i]));
    if (s->n_axes == 0)
        return pp_fail(PP_EUSAGE, "sweep: expected --grid section.key=value,value,...");
    PP_TRY(identify(s));
    PP_TRY(check_settings(s));
    pp_status status = pp_output_begin(&probe, path, force);
    pp_output_abort(&probe);
    PP_TRY(status);
    s->folder = pp_strf("%s.points", path);
    if (s->folder == NULL)
        return PP_ENOMEM;
    if (mkdir(s->folder, 0777) != 0 && errno != EEXIST)
        return pp_fail(PP_EIO, "%s: %s", s->folder, strerror(errno));
    return PP_OK;
}

static pp_status report(const sweep *s, const char *path)
{
    if (pp_args_has(s->args, "json")) {
        pp_json *json = pp_json_object();
        pp_json_add_i64(json, "points", (int64_t)s->n_points);
        pp_json_add_i64(json, "kept", (int64_t)s->kept);
        pp_json_add_i64(json, "failed", (int64_t)s->failed);
        pp_json_add_text(json, "table", path);
        PP_TRY(pp_print_json(json));
    } else
        printf("%zu points, %zu of them from before; %s\n", s->n_points, s->kept, path);
    return s->failed == 0 ? PP_OK
                          : pp_fail(PP_EINVAL, "sweep: %zu of %zu points failed; the column `error` of %s says why", s->failed,
                                    s->n_points, path);
}

static pp_status sweep_all(sweep *s)
{
    const char *path = pp_args_get(s->args, "output");
    const bool force = pp_args_has(s->args, "force");
    int64_t threads;
    if (path == NULL)
        return pp_fail(PP_EUSAGE, "sweep: expected -o FILE.csv");
    pp_term_set_quiet(pp_args_has(s->args, "quiet"));
    PP_TRY(pp_args_i64(s->args, "threads", pp_cpu_count(), 1, 1024, &threads));
    PP_TRY(prepare(s, path, force));
    slots c = {.most = (size_t)threads};
    c.pid = pp_calloc(c.most, sizeof *c.pid);
    c.point = pp_calloc(c.most, sizeof *c.point);
    pp_status status = c.pid != NULL && c.point != NULL ? run_all(s, &c) : PP_ENOMEM;
    free(c.pid);
    free(c.point);
    PP_TRY(status);
    PP_TRY(write_table(s, path, force));
    return report(s, path);
}

static int run(const pp_parsed *p)
{
    sweep s = {.args = p, .n_points = 1};
    pp_status status = pp_arena_new(&s.arena);
    if (status == PP_OK)
        status = sweep_all(&s);
    free(s.folder);
    pp_arena_free(s.arena);
    return pp_finish(status);
}

static const pp_arg args[] = {
    {0, "grid", "SECTION.KEY=V,V,...", "values of a setting; repeatable, every combination is a point (| between values that hold commas)"},
    {0, "command", "simulate|run", "what each point is (default simulate)"},
    {0, NULL, NULL, NULL},
};

const pp_command pp_cmd_sweep = {
    .name = "sweep",
    .operands = "FILE.yaml",
    .min_operands = 1,
    .max_operands = 1,
    .text = "simulate a run file over a grid of settings; one row a point\n\n"
            "Each point is a process of its own, -j of them at a time. What a point gave is kept in\n"
            "FILE.csv.points, its report beside it, so that a sweep that was stopped goes on where it was and\n"
            "a larger grid runs only what is new. A point that fails has its line in the column `error`.\n"
            "The table is the same for any -j.",
    .examples = "  pentaprism sweep examples/joshi2020-resnet32.yaml --grid fabric.lanes=1,2,4 --grid fabric.kind=5pp,mesh -o lanes.csv\n",
    .args = args,
    .run = run,
};

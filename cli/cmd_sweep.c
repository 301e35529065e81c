/* sweep: a run file over a grid of settings. Each point is a process of its own, this program again with `simulate`
 * or `run`; what it prints is kept in a file of its own, so that a sweep that was stopped goes on where it was. */
#include "cli/commands.h"
#include "cli/session.h"
#include "report/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define POINTS_MAX 1000000u
#define AXES_MAX 16u

typedef struct axis {
    const char *key, *units; /* section.name */
    const char *value[256];
    const char *shown[256]; /* without folders, unless two would be the same then */
    size_t n;
} axis;

typedef struct sweep {
    const pp_parsed *args;
    pp_arena *arena;
    axis axis[AXES_MAX];
    size_t n_axes, n_points;
    const char *command; /* simulate, run */
    char *folder;        /* of the points: NAME.csv.points */
    const char *model;   /* of the run file */
    char file_sha256[65];
    size_t failed, kept;
} sweep;

/* ---- the grid ---- */

static pp_status name_values(sweep *s, axis *a)
{
    bool distinct = true;
    for (size_t i = 0; i < a->n; i++) {
        char *bare = pp_without_folders(a->value[i]);
        a->shown[i] = bare != NULL ? pp_arena_strdup(s->arena, bare) : NULL;
        free(bare);
        if (a->shown[i] == NULL)
            return PP_ENOMEM;
        for (size_t k = 0; k < i; k++)
            distinct = distinct && (strcmp(a->shown[k], a->shown[i]) != 0 || strcmp(a->value[k], a->value[i]) == 0);
    }
    if (!distinct)
        memcpy(a->shown, a->value, sizeof a->shown);
    return PP_OK;
}

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
    return name_values(s, a);
}

/* The last axis runs fastest. */
static size_t index_at(const sweep *s, size_t point, size_t which)
{
    for (size_t i = s->n_axes; i-- > which + 1;)
        point /= s->axis[i].n;
    return point % s->axis[which].n;
}

/* Value of an axis at a point. */
static const char *value_at(const sweep *s, size_t point, size_t which)
{
    return s->axis[which].value[index_at(s, point, which)];
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

/* ---- being told to end ---- */

static volatile sig_atomic_t stopped_by; /* a signal; 0: go on */

static void on_stop(int number)
{
    stopped_by = number;
}

/* The points under way are ended, those that are done stay. */
static void watch_for_stop(void)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct sigaction old, now = {.sa_handler = on_stop}; /* waiting ends, too: no SA_RESTART */
        sigemptyset(&now.sa_mask);
        if (sigaction(ends[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            (void)sigaction(ends[i], &now, NULL);
    }
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
        (void)remove(part);
        if (stopped_by != 0)
            (void)remove(err);
        else
            s->failed++;
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
    return pid > 0 || errno == EINTR ? PP_OK : pp_fail(PP_EINTERNAL, "sweep: a point's process is lost: %s", strerror(errno));
}

static pp_status run_all(sweep *s, slots *c)
{
    pp_progress bar;
    pp_status status = PP_OK;
    pp_progress_begin(&bar, "sweep", s->n_points);
    watch_for_stop();
    for (size_t point = 0; point < s->n_points && status == PP_OK && stopped_by == 0; point++) {
        if (is_done(s, point)) {
            s->kept++;
            pp_progress_step(&bar, 1);
            continue;
        }
        while (c->n == c->most && status == PP_OK && stopped_by == 0)
            status = reap(s, c, &bar);
        if (status != PP_OK || stopped_by != 0)
            break;
        status = start(s, point, &c->pid[c->n]);
        if (status == PP_OK)
            c->point[c->n++] = point;
    }
    bool told = false;
    while (c->n > 0) { /* those under way are waited for, whatever happened */
        for (size_t i = 0; i < c->n && stopped_by != 0 && !told; i++)
            (void)kill(c->pid[i], SIGTERM);
        told = stopped_by != 0;
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

/* First line of a failed point's stderr. */
static const char *error_of(const sweep *s, size_t point)
{
    char *err = point_file(s, point, ".err"), *text = NULL;
    const char *line = "the process ended without a word";
    if (err != NULL && pp_file_read_text(&text, NULL, err, 1 << 20) == PP_OK) {
        text[strcspn(text, "\n")] = 0;
        line = pp_arena_strdup(s->arena, strncmp(text, "pentaprism: ", 12) == 0 ? text + 12 : text);
    }
    free(text);
    free(err);
    return line;
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

static pp_status add_column(const sweep *s, pp_sweep_table *t, const pp_sweep_column *column)
{
    pp_sweep_column *to = &t->column[t->n_columns++];
    *to = *column;
    to->name = pp_arena_strdup(s->arena, column->name);
    to->value = pp_arena_get(s->arena, t->n_rows, sizeof *to->value);
    return to->name != NULL && to->value != NULL ? PP_OK : PP_ENOMEM;
}

/* A column a setting, one for each plain value of the first point that was done, and the error. */
static pp_status make_columns(const sweep *s, pp_sweep_table *t)
{
    pp_doc *first = NULL;
    for (size_t point = 0; point < s->n_points && first == NULL; point++)
        first = read_point(s, point);
    const pp_node *root = first != NULL ? pp_doc_root(first) : NULL;
    t->column = pp_calloc(s->n_axes + (root != NULL ? root->n : 0) + 1, sizeof *t->column);
    pp_status status = t->column != NULL ? PP_OK : PP_ENOMEM;
    for (size_t i = 0; i < s->n_axes && status == PP_OK; i++)
        status = add_column(s, t, &(pp_sweep_column){.name = s->axis[i].key, .units = s->axis[i].units, .text = "setting of the grid",
                                                     .n_values = (uint32_t)s->axis[i].n});
    for (size_t i = 0; root != NULL && i < root->n && status == PP_OK; i++)
        if (root->child[i]->kind == PP_DOC_SCALAR && !left_out(root->key[i]))
            status = add_column(s, t, &(pp_sweep_column){.name = root->key[i]});
    if (status == PP_OK)
        status = add_column(s, t, &(pp_sweep_column){.name = "error", .text = "why the run failed; empty: it did not"});
    pp_doc_free(first);
    return status;
}

static pp_status fill_row(const sweep *s, pp_sweep_table *t, size_t point)
{
    pp_doc *doc = read_point(s, point);
    const pp_node *root = doc != NULL ? pp_doc_root(doc) : NULL;
    pp_status status = PP_OK;
    for (size_t i = 0; i < s->n_axes; i++)
        t->column[i].value[point] = s->axis[i].shown[index_at(s, point, i)];
    for (size_t c = s->n_axes; c + 1 < t->n_columns && status == PP_OK; c++) {
        const pp_node *v = root != NULL ? pp_node_get(root, t->column[c].name) : NULL;
        if (v == NULL || v->kind != PP_DOC_SCALAR || v->text == NULL)
            continue;
        t->column[c].value[point] = pp_arena_strdup(s->arena, v->text);
        status = t->column[c].value[point] != NULL ? PP_OK : PP_ENOMEM;
    }
    if (doc == NULL)
        t->column[t->n_columns - 1].value[point] = error_of(s, point);
    pp_doc_free(doc);
    return status;
}

static bool is_hdf5(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot != NULL && strcmp(dot, ".h5") == 0;
}

static pp_status write_tables(const sweep *s, const char *path, const char *csv, bool force)
{
    pp_sweep_table t = {.model = s->model, .command = pp_canonical_command(s->args), .n_rows = s->n_points, .n_failed = s->failed};
    pp_status status = t.command != NULL ? make_columns(s, &t) : PP_ENOMEM;
    for (size_t point = 0; point < s->n_points && status == PP_OK; point++)
        status = fill_row(s, &t, point);
    if (status == PP_OK)
        status = is_hdf5(path) ? pp_sweep_write(path, &t, force) : pp_sweep_csv(path, &t, force);
    if (status == PP_OK && csv != NULL)
        status = pp_sweep_csv(csv, &t, force);
    free(t.column);
    free((void *)t.command);
    return status;
}

/* ---- the command ---- */

/* A setting of the grid must be there; its values are the points' own. */
static pp_status check_axis(pp_session *session, axis *a)
{
    for (size_t i = 0; i < pp_config_count(session->config); i++) {
        const pp_knob *k = pp_config_knob(session->config, i);
        const size_t n = strlen(k->section);
        if (strncmp(a->key, k->section, n) == 0 && a->key[n] == '.' && strcmp(a->key + n + 1, k->name) == 0) {
            a->units = k->unit;
            return PP_OK;
        }
    }
    char *assignment = pp_strf("%s=%s", a->key, a->value[0]);
    const pp_status status = assignment != NULL ? pp_config_set(session->config, assignment) : PP_ENOMEM; /* says what is wrong */
    free(assignment);
    return status;
}

/* The settings that all points share must be right. */
static pp_status check_settings(sweep *s)
{
    pp_session session;
    pp_status status = pp_session_open(&session, s->args, s->args->operand[0]);
    for (size_t i = 0; i < s->n_axes && status == PP_OK; i++)
        status = check_axis(&session, &s->axis[i]);
    if (status == PP_OK) {
        char *base = pp_path_base(session.workload.model);
        s->model = base != NULL ? pp_arena_strdup(s->arena, base) : NULL;
        free(base);
        status = s->model != NULL ? PP_OK : PP_ENOMEM;
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

static pp_status prepare(sweep *s, const char *path, const char *csv, bool force)
{
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
    PP_TRY(pp_output_check(path, force));
    if (csv != NULL)
        PP_TRY(pp_output_check(csv, force));
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
    const char *path = pp_args_get(s->args, "output"), *csv = pp_args_get(s->args, "csv");
    const bool force = pp_args_has(s->args, "force");
    int64_t threads;
    if (path == NULL)
        return pp_fail(PP_EUSAGE, "sweep: expected -o FILE.csv or FILE.h5");
    pp_term_set_quiet(pp_args_has(s->args, "quiet"));
    PP_TRY(pp_args_i64(s->args, "threads", pp_cpu_count(), 1, 1024, &threads));
    PP_TRY(pp_args_i64(s->args, "jobs", threads, 1, 1024, &threads));
    PP_TRY(prepare(s, path, csv, force));
    slots c = {.most = (size_t)threads};
    c.pid = pp_calloc(c.most, sizeof *c.pid);
    c.point = pp_calloc(c.most, sizeof *c.point);
    pp_status status = c.pid != NULL && c.point != NULL ? run_all(s, &c) : PP_ENOMEM;
    free(c.pid);
    free(c.point);
    PP_TRY(status);
    if (stopped_by != 0) {
        size_t done = 0;
        for (size_t point = 0; point < s->n_points; point++)
            done += is_done(s, point);
        return pp_fail(PP_EINVAL, "sweep: interrupted; %zu of %zu points are kept in %s, the same command goes on from there", done, s->n_points,
                       s->folder);
    }
    PP_TRY(write_tables(s, path, csv, force));
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
    const int rc = pp_finish(status);
    if (stopped_by != 0) { /* the shell sees which signal it was */
        (void)signal(stopped_by, SIG_DFL);
        (void)raise(stopped_by);
    }
    return rc;
}

static const pp_arg args[] = {
    {0, "jobs", "N", "points at a time, each a process (default: -j)"},
    {0, "csv", "FILE", "the table as CSV beside an HDF5 output"},
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
            "Each point is a process of its own, --jobs of them at a time. -o FILE.csv or FILE.h5 takes the\n"
            "table (report html and report plot make a page and figures of an .h5). What a point gave is kept\n"
            "in FILE.points, its report beside it, so that a sweep that was stopped (Ctrl-C, a kill) goes on\n"
            "where it was and a larger grid runs only what is new. A point that fails has its line in the\n"
            "column `error`. The table is the same for any number of jobs.",
    .examples = "  pentaprism sweep examples/joshi2020-resnet32.yaml --grid fabric.lanes=1,2,4 --grid fabric.kind=5pp,mesh -o lanes.csv\n"
                "  pentaprism sweep examples/joshi2020-resnet32.yaml --grid fabric.lanes=1,2,4 --jobs 2 -o sweep.h5 --csv sweep.csv\n",
    .args = args,
    .run = run,
};

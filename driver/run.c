/* run.c: the life of a run: words, plan, folder, one launch of tgbench for each (launch, rank
 * count), summary. Nothing is written before every word has been found right. */
#include "driver/run.h"

#include "bench/case.h"
#include "driver/child.h"
#include "driver/folder.h"
#include "driver/paths.h"
#include "driver/plan.h"
#include "driver/progress.h"
#include "driver/provenance.h"
#include "driver/summary.h"

#include <argp.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GOOD = 0, FAILED = 1, PARTLY = 3 };

/* A launch of n cells gets at least n times this, also when the budget is used up. */
static const double least_cell_s = 0.02;

/* ---- words ---- */

/* Options by their place in the rows below; the first SETTINGS of them replace the campaign's
 * setting that has the option's name. argp's keys begin at FIRST, so that no option has a short
 * form. */
enum { FIRST = 256, SETTINGS = 10, OUTPUT = SETTINGS, BUILDS, LAUNCHER, DRY_RUN, HELP, OPTIONS };

static const struct argp_option rows[] = {
    {"ranks", FIRST, "LIST", 0, "rank counts, such as 1,2,4", 1},
    {"sizes", FIRST + 1, "LIST", 0, "sizes, such as 8B,64KiB or 1KiB:16MiB:x4", 1},
    {"direction", FIRST + 2, "LIST", 0, "forward,adjoint (adjoint is backward for layers)", 1},
    {"dtype", FIRST + 3, "LIST", 0, "element types, such as f32,f64", 1},
    {"algorithm", FIRST + 4, "LIST", 0, "algorithms, such as mpi,reference", 1},
    {"scaling", FIRST + 5, "WORD", 0, "strong, weak or size", 1},
    {"budget", FIRST + 6, "TIME", 0, "time for the whole campaign, such as 90s", 1},
    {"launches", FIRST + 7, "K", 0, "fresh launches of every cell", 1},
    {"seed", FIRST + 8, "N", 0, "of the inputs", 1},
    {"name", FIRST + 9, "NAME", 0, "last word of the run folder's name", 1},
    {"output", FIRST + OUTPUT, "DIR", 0, "where run folders are made (results)", 2},
    {"builds", FIRST + BUILDS, "DIR", 0, "folder that holds tgbench or bin/tgbench", 2},
    {"launcher", FIRST + LAUNCHER, "WORDS", 0,
     "MPI launcher with its words, such as 'srun --mpi=pmix'", 2},
    {"dry-run", FIRST + DRY_RUN, NULL, 0, "print the cells and measure nothing", 2},
    {"help", FIRST + HELP, NULL, 0, "print this help", 3},
    {0},
};

typedef struct {
    const char *campaign;
    const char *option[OPTIONS]; /* its text, "" when it takes none, NULL when it is not given */
    tg_status status;            /* what was wrong with a word */
} words;

static error_t take_word(int key, char *text, struct argp_state *state)
{
    words *w = state->input;
    if (key >= FIRST && key < FIRST + OPTIONS) {
        w->option[key - FIRST] = text ? text : "";
        return 0;
    }
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    if (w->campaign) {
        w->status =
            tg_fail(TG_BAD_INPUT, "run: '%.80s' is one word too many; expected one CAMPAIGN", text);
        return EINVAL;
    }
    w->campaign = text;
    return 0;
}

static const struct argp grammar = {
    .options = rows,
    .parser = take_word,
    .args_doc = "CAMPAIGN",
    .doc = "Measures a campaign: a name in the folder campaigns, or a path of an INI file.\v"
           "The options of the first group replace settings of the campaign. The run folder is "
           "printed at the end. Exit status: 0 good, 1 a cell is wrong or missing, 2 wrong "
           "words or files, 3 stopped by a signal.",
};

/* Is it one of our options, or the beginning of one? With *value: it takes a value that does not
 * stand in it. */
static bool is_option(const char *word, bool *value)
{
    const size_t length = strcspn(word, "=");
    for (int i = 0; i < OPTIONS && length > 2; i++) {
        if (strncmp(word + 2, rows[i].name, length - 2) == 0 &&
            (rows[i].arg || word[length] == '\0')) {
            *value = rows[i].arg && word[length] == '\0';
            return true;
        }
    }
    return false;
}

/* argp stops at a wrong option but does not say at which: it is the first unknown one, or else the
 * last word. */
static const char *wrong_option(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        bool value = false;
        if (*argv[i] == '-' && !is_option(argv[i], &value))
            return argv[i];
        i += value;
    }
    return argv[argc - 1];
}

/* The words of the command line, or what is wrong with them. */
static tg_status read_words(int argc, char **argv, words *w)
{
    *w = (words){.status = tg_success()};
    const unsigned flags = ARGP_NO_ERRS | ARGP_NO_EXIT | ARGP_NO_HELP;
    const error_t error = argp_parse(&grammar, argc, argv, flags, NULL, w);
    if (error != 0 && w->status.code == TG_OK) {
        w->status = tg_fail(TG_BAD_INPUT,
                            "run: '%.80s' is no option or has no value; `tensorgauge run --help` "
                            "shows all of them",
                            wrong_option(argc, argv));
    }
    if (w->status.code == TG_OK && !w->campaign && !w->option[HELP]) {
        w->status = tg_fail(TG_BAD_INPUT, "run: expected the name of a campaign, such as quick; "
                                          "`tensorgauge list` shows them");
    }
    return w->status;
}

/* ---- everything a run has ---- */

typedef struct {
    words words;
    tgd_campaign campaign;
    tgd_bench bench;
    tgd_machine machine;
    tgd_launcher launcher;
    tgd_plan plan;
    char *folder, *plan_path; /* plan_path: absolute */
    FILE *log;
    json_t *record; /* run.json */
    tgd_progress progress;
    tgd_words said;  /* warnings that were printed: each once */
    int launch_done; /* cells of the launch that is running */
    bool missing;    /* a launch ended before its last cell */
} run;

static volatile sig_atomic_t stop; /* the signal that asked us to end */

static void on_signal(int signal)
{
    stop = signal;
}

static void watch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

static tg_status read_campaign(run *r)
{
    const char *name = r->words.campaign;
    const size_t length = strlen(name);
    const bool is_path =
        strchr(name, '/') || (length > 4 && strcmp(name + length - 4, ".ini") == 0);
    char *data = tgd_data_folder();
    char *path = is_path ? tgd_copy(name) : tgd_format("%s/campaigns/%s.ini", data, name);
    tg_status status = tg_success();
    if (!is_path && access(path, R_OK) != 0) {
        status = tg_fail(TG_BAD_INPUT,
                         "campaign '%.60s': expected a name in '%.100s/campaigns' or the path of "
                         "an INI file",
                         name, data);
    } else {
        status = tgd_campaign_read(path, &r->campaign);
    }
    free(path);
    free(data);
    for (int i = 0; i < SETTINGS && status.code == TG_OK; i++) {
        if (r->words.option[i]) {
            char *what = tgd_format("--%s", rows[i].name);
            status = tgd_campaign_set(&r->campaign, what, rows[i].name, r->words.option[i]);
            free(what);
        }
    }
    return status;
}

/* Everything that is known before something is written. */
static tg_status prepare(run *r)
{
    tg_status status = read_campaign(r);
    if (status.code == TG_OK)
        status = tgd_bench_open(r->words.option[BUILDS], &r->bench);
    if (status.code == TG_OK) {
        tgd_machine_read(&r->machine);
        status = tgd_launcher_make(&r->bench, &r->machine, r->words.option[LAUNCHER], &r->launcher);
    }
    if (status.code == TG_OK)
        status = tgd_plan_make(&r->campaign, &r->bench, &r->plan);
    return status;
}

static void release(run *r)
{
    if (r->log)
        fclose(r->log);
    json_decref(r->record);
    free(r->folder);
    free(r->plan_path);
    tgd_words_free(&r->said);
    tgd_plan_free(&r->plan);
    tgd_launcher_free(&r->launcher);
    tgd_machine_free(&r->machine);
    tgd_bench_close(&r->bench);
    tgd_campaign_free(&r->campaign);
}

/* ---- the run folder ---- */

static tg_status write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    const bool written = file && fputs(text, file) >= 0;
    if ((file && fclose(file) != 0) || !written) {
        return tg_fail(TG_BAD_INPUT, "'%.150s': %s; expected a file that can be written", path,
                       strerror(errno));
    }
    return tg_success();
}

static tg_status write_record(run *r)
{
    char *path = tgd_format("%s/run.json", r->folder);
    const tg_status status = tgd_json_write(r->record, path);
    free(path);
    return status;
}

/* run.json has the command line as it was typed. */
static tg_status open_folder(run *r, int argc, char *const *argv)
{
    tg_status status =
        tgd_folder_make(r->words.option[OUTPUT] ? r->words.option[OUTPUT] : "results",
                        r->machine.host, r->campaign.name, &r->folder);
    if (status.code != TG_OK)
        return status;
    char *absolute = realpath(r->folder, NULL);
    r->plan_path = tgd_format("%s/plan.tsv", absolute ? absolute : r->folder);
    free(absolute);
    char *campaign = tgd_format("%s/campaign.ini", r->folder);
    char *log = tgd_format("%s/log.txt", r->folder);
    status = tgd_plan_write(&r->plan, r->plan_path);
    if (status.code == TG_OK)
        status = write_text(campaign, r->campaign.text);
    r->log = status.code == TG_OK ? fopen(log, "w") : NULL;
    if (status.code == TG_OK && !r->log)
        status = tg_fail(TG_BAD_INPUT, "'%.150s': %s", log, strerror(errno));
    free(campaign);
    free(log);
    const char *slash = strrchr(r->folder, '/');
    r->record =
        tgd_provenance(&r->campaign, &r->launcher, slash ? slash + 1 : r->folder, argc, argv);
    json_object_set_new(r->record, "cells_planned", json_integer(r->plan.count));
    return status.code == TG_OK ? write_record(r) : status;
}

/* ---- launches ---- */

static void on_line(void *context, bool is_error, const char *line)
{
    run *r = context;
    fprintf(r->log, "%s\n", line);
    if (!is_error && strncmp(line, "cell ", 5) == 0) {
        r->launch_done++;
        tgd_progress_cell(&r->progress);
    }
    if (is_error && strncmp(line, "tgbench: ", 9) == 0 && !tgd_words_have(&r->said, line)) {
        tgd_words_add(&r->said, line);
        tgd_progress_say(&r->progress, "%s", line);
    }
}

static void on_tick(void *context)
{
    run *r = context;
    fflush(r->log);
    tgd_progress_show(&r->progress);
}

static json_t *words_json(const tgd_words *list)
{
    json_t *array = json_array();
    for (int i = 0; i < list->count; i++)
        json_array_append_new(array, json_string(list->word[i]));
    return array;
}

static void log_words(const run *r, const tgd_words *list, char end)
{
    for (int i = 0; i < list->count; i++)
        fprintf(r->log, "%s%c", list->word[i], i + 1 < list->count ? ' ' : end);
}

/* The launcher's words, tgbench's words: time --cells ... */
static void launch_words(const run *r, const tgd_cell *first, double budget_s, tgd_words *list,
                         tgd_words *environment)
{
    char *folder = tgd_copy(r->plan_path);
    *strrchr(folder, '/') = '\0';
    char *values[] = {tgd_copy(r->plan_path), tgd_format("%d", first->launch),
                      tgd_format("%.0fms", 1e3 * budget_s), tgd_format("%ld", r->campaign.seed),
                      folder};
    const char *const names[] = {"--cells", "--launch", "--budget", "--seed", "--output"};
    tgd_launch_words(&r->launcher, first->ranks, list, environment);
    tgd_words_add(list, "time");
    for (int i = 0; i < 5; i++) {
        tgd_words_add(list, names[i]);
        tgd_words_add(list, values[i]);
        free(values[i]);
    }
}

/* One launch of tgbench: `count` cells from `first` on, which agree in launch and ranks. */
static void launch_cells(run *r, const tgd_cell *first, int count, double budget_s)
{
    tgd_words list, environment;
    launch_words(r, first, budget_s, &list, &environment);
    tgd_progress_say(&r->progress, "launch %d with %d rank%s: %d cells, at most %.1f s",
                     first->launch, first->ranks, first->ranks > 1 ? "s" : "", count, budget_s);
    log_words(r, &environment, ' ');
    log_words(r, &list, '\n');
    r->launch_done = 0;
    const double start_s = tgd_now_s();
    const tgd_child child = {.arguments = &list,
                             .environment = &environment,
                             .on_line = on_line,
                             .on_tick = on_tick,
                             .context = r,
                             .stop = &stop};
    const int status = tgd_child_run(&child);
    fprintf(r->log, "exit status %d\n", status);
    fflush(r->log);

    json_array_append_new(json_object_get(r->record, "launches"),
                          json_pack("{s:i, s:i, s:i, s:i, s:f, s:f, s:i, s:o, s:o}", "launch",
                                    first->launch, "ranks", first->ranks, "cells", count,
                                    "cells_done", r->launch_done, "budget_s", budget_s, "time_s",
                                    tgd_now_s() - start_s, "exit_status", status, "environment",
                                    words_json(&environment), "command", words_json(&list)));
    if (r->launch_done < count && !stop) {
        r->missing = true;
        tgd_progress_say(&r->progress,
                         "tensorgauge: launch %d with %d rank%s ended with status %d after %d of "
                         "%d cells; %s/log.txt has what it printed",
                         first->launch, first->ranks, first->ranks > 1 ? "s" : "", status,
                         r->launch_done, count, r->folder);
    }
    tgd_words_free(&list);
    tgd_words_free(&environment);
}

/* Every launch gets the time left x its cells / the cells left. */
static void launch_all(run *r)
{
    const tgd_plan *plan = &r->plan;
    const double end_s = tgd_now_s() + r->campaign.budget_s;
    tgd_progress_start(&r->progress, plan->count, r->campaign.budget_s);
    for (int i = 0; i < plan->count && !stop;) {
        const tgd_cell *first = &plan->cell[i];
        int count = 0;
        while (i + count < plan->count && first[count].launch == first->launch &&
               first[count].ranks == first->ranks)
            count++;
        const double share_s = (end_s - tgd_now_s()) * count / (plan->count - i);
        launch_cells(r, first, count, fmax(share_s, least_cell_s * count));
        i += count;
    }
    tgd_progress_end(&r->progress);
}

/* ---- the end ---- */

/* Writes summary.csv and prints the lines for a person; cells.csv may be missing when no cell was
 * done. */
static tg_status conclude(run *r, double time_s, tgd_counts *counts)
{
    char *cells_path = tgd_format("%s/cells.csv", r->folder);
    char *summary_path = tgd_format("%s/summary.csv", r->folder);
    tgd_table cells = {0};
    tg_status status = tg_success();
    *counts = (tgd_counts){0, 0, 0};
    if (access(cells_path, R_OK) == 0)
        status = tgd_table_read(cells_path, &cells);
    if (status.code == TG_OK && cells.name)
        status = tgd_summary_count(&cells, counts);
    if (status.code == TG_OK && cells.name)
        status = tgd_summary_write(&cells, summary_path);
    if (status.code == TG_OK) {
        printf("run folder: %s\n", r->folder);
        printf("%d of %d cells measured in %.0f s, %d wrong", counts->rows - counts->other,
               r->plan.count, time_s, counts->wrong);
        printf(counts->other > 0 ? ", %d with another status than ok\n" : "\n", counts->other);
        if (cells.name)
            tgd_summary_print(&cells, stdout);
    }
    tgd_table_free(&cells);
    free(cells_path);
    free(summary_path);
    return status;
}

static int finish(run *r, double time_s)
{
    tgd_counts counts;
    tg_status status = conclude(r, time_s, &counts);
    char *now = tgd_utc(false);
    json_object_set_new(r->record, "ended", json_string(now));
    json_object_set_new(r->record, "cells_done", json_integer(counts.rows));
    json_object_set_new(r->record, "cells_wrong", json_integer(counts.wrong));
    json_object_set_new(r->record, "stopped_by_signal", json_integer(stop));
    free(now);
    const tg_status written = write_record(r);
    if (status.code == TG_OK)
        status = written;
    if (status.code != TG_OK)
        return tgd_report(status);
    if (stop) {
        fprintf(stderr, "tensorgauge: stopped by signal %d; %d of %d cells are in %s\n", (int)stop,
                counts.rows, r->plan.count, r->folder);
        return PARTLY;
    }
    return counts.wrong > 0 || r->missing || counts.rows < r->plan.count ? FAILED : GOOD;
}

static int measure(run *r, int argc, char *const *argv)
{
    watch_signals();
    tg_status status = open_folder(r, argc, argv);
    if (status.code != TG_OK)
        return tgd_report(status);
    if (r->launcher.blas_core) {
        fprintf(stderr,
                "BLAS kernel %s is below what this CPU allows; launches get "
                "OPENBLAS_CORETYPE=%s\n",
                tgd_bench_build(&r->bench, "blas_core"), r->launcher.blas_core);
    }
    const double start_s = tgd_now_s();
    launch_all(r);
    return finish(r, tgd_now_s() - start_s);
}

static int show_cells(run *r)
{
    char *output = NULL;
    const tg_status status = tgd_plan_dry_run(&r->plan, &r->campaign, &r->bench, false, &output);
    if (status.code != TG_OK)
        return tgd_report(status);
    fputs(output, stdout);
    printf("%d cells, budget %.3g s\n", r->plan.count, r->campaign.budget_s);
    free(output);
    return GOOD;
}

int tgd_run(int argc, char **argv)
{
    run r = {0};
    tgd_words typed = {NULL, 0}; /* argp changes the order of argv */
    tgd_words_add(&typed, "tensorgauge");
    for (int i = 0; i < argc; i++)
        tgd_words_add(&typed, argv[i]);
    tg_status status = read_words(argc, argv, &r.words);
    int result = GOOD;
    if (status.code == TG_OK && r.words.option[HELP]) {
        char name[] = "tensorgauge run";
        argp_help(&grammar, stdout, ARGP_HELP_STD_HELP, name);
    } else {
        if (status.code == TG_OK)
            status = prepare(&r);
        if (status.code != TG_OK) {
            result = tgd_report(status);
        } else {
            result =
                r.words.option[DRY_RUN] ? show_cells(&r) : measure(&r, typed.count, typed.word);
        }
    }
    tgd_words_free(&typed);
    release(&r);
    return result;
}

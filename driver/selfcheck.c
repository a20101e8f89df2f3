/* selfcheck.c: verb selfcheck: launches cells several times, kind by kind in turns: the same ones in
 * four ways, and two kinds in which operators, raw calls and copies make their repetitions in turns;
 * prints each check with its figure and its verdict. The verbs that judge and draw are run over large runs, too. */
#include "driver/selfcheck.h"

#include "bench/case.h"
#include "driver/checks.h"
#include "driver/checks_turns.h"
#include "driver/folder.h"
#include "driver/options.h"
#include "driver/paths.h"
#include "driver/twosample.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GOOD = 0, FAILED = 1, PARTLY = 3 };
enum { MOST_ROWS = 10000000, RANKS = 2 };

/* ---- words ---- */

enum { BUILDS = TGD_FIRST_KEY, LAUNCHER, OVERSUBSCRIBE, LAUNCHES, BUDGET, ROWS, OUTPUT };

static const struct argp_option rows[] = {
    {"builds", BUILDS, "DIR", 0, "folder that holds tgbench or bin/tgbench", 1},
    {"launcher", LAUNCHER, "WORDS", 0, "MPI launcher with its words, such as 'srun --mpi=pmix'", 1},
    {"oversubscribe", OVERSUBSCRIBE, NULL, 0, TGD_OVERSUBSCRIBE_HELP, 1},
    {"launches", LAUNCHES, "K", 0, "launches of each kind, 1 to 64 (8)", 1},
    {"budget", BUDGET, "TIME", 0, "for all launches together, such as 90s (120s)", 1},
    {"rows", ROWS, "N", 0, "rows of the runs that verbs are timed over; 0: none (100000)", 1},
    {"output", OUTPUT, "DIR", 0, "keep all rows in a new folder in DIR", 1},
    TGD_HELP_ROW,
    {0},
};

typedef struct {
    tgd_options options;
    const char *builds, *output;
    tgd_launcher_choice launcher;
    long launches, rows;
    double budget_s;
} words;

static error_t take_word(int key, char *text, struct argp_state *state)
{
    words *w = state->input;
    switch (key) {
    case BUILDS:
        w->builds = text;
        return 0;
    case LAUNCHER:
        w->launcher.words = text;
        return 0;
    case OVERSUBSCRIBE:
        w->launcher.oversubscribe = true;
        return 0;
    case LAUNCHES:
        return tgd_options_keep(
            &w->options, tgb_parse_int("--launches", text, 1, TGD_MOST_VALUES, &w->launches));
    case BUDGET:
        return tgd_options_keep(&w->options, tgb_parse_seconds("--budget", text, &w->budget_s));
    case ROWS:
        return tgd_options_keep(&w->options, tgb_parse_int("--rows", text, 0, MOST_ROWS, &w->rows));
    case OUTPUT:
        w->output = text;
        return 0;
    case ARGP_KEY_ARG:
        return tgd_options_keep(&w->options,
                                tg_fail(TG_BAD_INPUT,
                                        "selfcheck: '%.80s' is one word too many; expected options",
                                        text));
    default:
        return tgd_options_common(key, state);
    }
}

static const struct argp grammar = {
    .options = rows,
    .parser = take_word,
    .doc = "Measures the measurement, on at most two ranks: each line is a check with what is "
           "expected, its figure and its verdict.\vVerdicts: ok; look: not as expected, which a "
           "disturbed machine can cause; n.a.: not to be had here; wrong: noise cannot cause it. "
           "Exit status: 0 nothing is wrong, 1 something is, 2 wrong words or files, 3 stopped by "
           "a signal.",
};

static tg_status read_words(int argc, char **argv, words *w)
{
    *w = (words){.launches = 8, .rows = 100000, .budget_s = 120};
    tg_status status = tgd_options_read(&grammar, argc, argv, &w->options);
    return status;
}

/* ---- the folder ---- */

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    stop = number;
}

static void watch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

static tg_status make_folder(const words *w, const char *host, char **folder)
{
    if (w->output)
        return tgd_folder_make(w->output, host, "selfcheck", folder);
    const char *place = getenv("TMPDIR");
    *folder = tgd_format("%s/tensorgauge-selfcheck-XXXXXX", place ? place : "/tmp");
    if (mkdtemp(*folder))
        return tg_success();
    const tg_status status = tg_fail(
        TG_BAD_INPUT, "'%.120s': %s; expected a folder that can be made", *folder, strerror(errno));
    free(*folder);
    *folder = NULL;
    return status;
}

/* ---- launches ---- */

/* Another order of the cells for each launch, the same ones in every selfcheck. Source: Fisher and
 * Yates; the generator is Knuth's MMIX. */
static void shuffle(int *order, int count, int launch)
{
    uint64_t state = UINT64_C(88172645463325252) + (uint64_t)launch;
    for (int i = 0; i < count; i++)
        order[i] = i;
    for (int i = count - 1; i > 0; i--) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const int other = (int)((state >> 33) % (uint64_t)(i + 1)), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
}

/* The smallest thing that can be timed: a no-op where tgbench has one. */
static const char *noop_of(const tgd_bench *bench)
{
    return tgd_bench_operation(bench, "raw:noop") ? "raw:noop shape=1" : "raw:memcpy shape=1";
}

static char *family_cells(const tgd_trial *trial, tgd_kind kind, int launch)
{
    int order[TGD_FAMILY];
    shuffle(order, TGD_FAMILY, launch);
    return tgd_family_cells(launch, trial->ranks, kind == TGD_SHUFFLED ? order : NULL);
}

static char *beside_cells(const tgd_trial *trial, tgd_kind kind, int launch)
{
    (void)kind;
    return tgd_beside_cells(launch, trial->ranks, noop_of(trial->launcher->bench));
}

static char *fastest_cells(const tgd_trial *trial, tgd_kind kind, int launch)
{
    (void)kind;
    return tgd_fastest_cells(launch, trial->ranks);
}

static const double start_s = 0.4; /* about what the start of a launch takes */
static const double least_s = 0.1;

static const struct {
    char *(*cells)(const tgd_trial *trial, tgd_kind kind, int launch);
    const char *options;
    double share;  /* of the budget */
    double wanted; /* s; with less time for a launch it is left out */
} kinds[TGD_KINDS] = {
    [TGD_FIRST_HALF] = {family_cells, NULL, 0.1, 0},
    [TGD_SECOND_HALF] = {family_cells, NULL, 0.1, 0},
    [TGD_SHUFFLED] = {family_cells, NULL, 0.1, 0},
    [TGD_COUNTED] = {family_cells, "--counters own,memory,flops,perf::TASK-CLOCK", 0.1, 0},
    [TGD_BESIDE] = {beside_cells, NULL, 0.25, 0},
    [TGD_FASTEST] = {fastest_cells, NULL, 0.35, 2},
};

static tg_status launch_kind(tgd_trial *trial, tgd_kind kind, int launch, const words *w)
{
    const double time_s =
        fmax(kinds[kind].share * w->budget_s / (double)w->launches - start_s, least_s);
    if (time_s < kinds[kind].wanted)
        return tg_success();
    char *cells = kinds[kind].cells(trial, kind, launch);
    const tg_status status =
        tgd_trial_launch(trial, tgd_kind_names[kind], launch, cells, time_s, kinds[kind].options);
    free(cells);
    return status;
}

/* In turns, so that what drifts touches all kinds; each round begins with another kind. */
static tg_status launch_all(tgd_trial *trial, const words *w)
{
    tg_status status = tg_success();
    for (int i = 0; i < w->launches && status.code == TG_OK; i++) {
        fprintf(stderr, "selfcheck: round %d of %ld\n", i + 1, w->launches);
        for (int k = 0; k < TGD_KINDS && status.code == TG_OK && !stop; k++)
            status = launch_kind(trial, (tgd_kind)((i + k) % TGD_KINDS), i, w);
    }
    return status;
}

/* ---- verdicts ---- */

static const char *const verdict_names[] = {"ok", "look", "n.a.", "wrong"};

/* Returns how many checks are wrong. */
static int print_checks(const tgd_evidence *e)
{
    int count[4] = {0};
    const char *group = "";
    for (const tgd_check *c = tgd_checks; c->name; c++) {
        char figure[TGD_FIGURE] = "";
        if (strcmp(c->group, group) != 0)
            printf("%s\n", group = c->group);
        tgd_verdict verdict = c->look(e, c->argument, figure);
        if (c->judges_time && e->crowded && verdict == TGD_LOOK)
            verdict = TGD_NONE;
        printf("  %-5s %-31s %s (%s)\n", verdict_names[verdict], c->name, figure, c->expected);
        count[verdict]++;
    }
    if (e->crowded)
        puts("ranks share a core here: what depends on time is not judged");
    printf("%d ok, %d look, %d n.a., %d wrong\n", count[TGD_OK], count[TGD_LOOK], count[TGD_NONE],
           count[TGD_WRONG]);
    return count[TGD_WRONG];
}

static tg_status judge(const tgd_trial *trial, const words *w, int *wrong)
{
    tgd_evidence e = {.cells = TGD_FAMILY,
                      .launches = (int)w->launches,
                      .crowded = trial->ranks > trial->launcher->machine->cores,
                      .trial = trial,
                      .rows = w->rows};
    tg_status status = tg_success();
    for (int k = 0; k < TGD_KINDS && status.code == TG_OK; k++)
        status = tgd_trial_rows(trial, tgd_kind_names[k], &e.kind[k]);
    if (status.code == TG_OK && e.rows > 0)
        status = tgd_verbs_measure(trial->folder, e.rows, trial->stop, e.verb);
    if (status.code == TG_OK && !stop)
        *wrong = print_checks(&e);
    for (int k = 0; k < TGD_KINDS; k++)
        tgd_table_free(&e.kind[k]);
    return status;
}

/* Without --output the folder is kept only when something is wrong: its log says what. */
static int finish(const tgd_trial *trial, const words *w, tg_status status, int wrong)
{
    const bool keeps = w->output || wrong > 0;
    if (status.code == TG_OK && keeps && !stop)
        printf("rows: %s\n", trial->folder);
    if (!keeps || (stop && !w->output))
        tgd_remove_folder(trial->folder);
    if (status.code != TG_OK)
        return tgd_report(status);
    if (stop) {
        fprintf(stderr, "tensorgauge: selfcheck was stopped by signal %d\n", (int)stop);
        return PARTLY;
    }
    return wrong > 0 ? FAILED : GOOD;
}

static int check_all(const words *w, tgd_trial *trial)
{
    int wrong = 0;
    char *log = tgd_format("%s/log.txt", trial->folder);
    tg_status status = tg_success();
    trial->log = fopen(log, "w");
    if (!trial->log)
        status = tg_fail(TG_BAD_INPUT, "'%.150s': %s", log, strerror(errno));
    free(log);
    if (status.code == TG_OK) {
        watch_signals();
        status = launch_all(trial, w);
        fclose(trial->log);
    }
    if (status.code == TG_OK && !stop)
        status = judge(trial, w, &wrong);
    return finish(trial, w, status, wrong);
}

static int prepare_and_check(const words *w)
{
    tgd_bench bench;
    tgd_machine machine;
    tgd_launcher launcher;
    char *folder = NULL;
    tg_status status = tgd_bench_open(w->builds, NULL, &bench);
    if (status.code != TG_OK)
        return tgd_report(status);
    tgd_machine_read(&machine);
    int result = GOOD;
    status = tgd_launcher_make(&bench, &machine, &w->launcher, &launcher);
    if (status.code == TG_OK) {
        status = tgd_launch_try(&launcher, RANKS, TGD_TRY_S);
        if (status.code == TG_OK)
            status = make_folder(w, machine.host, &folder);
        tgd_trial trial = {.launcher = &launcher, .folder = folder, .ranks = RANKS, .stop = &stop};
        if (status.code == TG_OK)
            result = check_all(w, &trial);
        tgd_launcher_free(&launcher);
    }
    if (status.code != TG_OK)
        result = tgd_report(status);
    free(folder);
    tgd_machine_free(&machine);
    tgd_bench_close(&bench);
    return result;
}

int tgd_selfcheck(int argc, char **argv)
{
    words w;
    const tg_status status = read_words(argc, argv, &w);
    if (status.code != TG_OK)
        return tgd_report(status);
    if (w.options.help) {
        tgd_options_help(&grammar, "selfcheck");
        return GOOD;
    }
    return prepare_and_check(&w);
}

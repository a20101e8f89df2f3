/* check.c: verb check: values and adjoint of each case, with every algorithm that it does not
 * choose itself. Values are compared exactly; the adjoint by |<F x, y> - <x, F* y>|, relative. A
 * check that checks nothing fails. */
#include "bench/auto_cache.h"
#include "bench/cell.h"
#include "bench/measure.h"
#include "bench/verbs.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { RANKS = TGB_FIRST_OPTION, SIZES, SEED_OPTION, AUTO_CACHE };

static const struct argp_option options[] = {
    {"ranks", RANKS, "LIST", 0, "rank counts P (default: all ranks)", 0},
    {"sizes", SIZES, "LIST", 0, "bytes for N, as in 8B,64KiB (default: 1KiB)", 0},
    {"seed", SEED_OPTION, "N", 0, "of the inputs (default: 1)", 0},
    TGB_AUTO_CACHE_ROW(AUTO_CACHE, 0),
    TGB_HELP_ROW,
    {NULL, 0, NULL, 0, NULL, 0},
};

typedef struct {
    tgb_words words;
    tgb_sweep sweep;
    long seed;
    char **cases; /* not owned */
    int ncases;
    const char *auto_cache;
} check_words;

static error_t parse(int key, char *text, struct argp_state *state)
{
    check_words *w = state->input;
    switch (key) {
    case RANKS:
        free(w->sweep.ranks);
        return tgb_keep(&w->words, tgb_parse_ints("--ranks", text, 1, INT_MAX / 4, &w->sweep.ranks,
                                                  &w->sweep.nranks));
    case SIZES:
        free(w->sweep.sizes);
        return tgb_keep(&w->words,
                        tgb_parse_sizes("--sizes", text, &w->sweep.sizes, &w->sweep.nsizes));
    case SEED_OPTION:
        return tgb_keep(&w->words, tgb_parse_int("--seed", text, 0, LONG_MAX, &w->seed));
    case AUTO_CACHE:
        w->auto_cache = text;
        return 0;
    case ARGP_KEY_ARG:
        w->cases[w->ncases++] = text;
        return 0;
    default:
        return tgb_common_option(key, text, state);
    }
}

/* ---- cells ---- */

static tg_status set_defaults(const tgb_launch *launch, tgb_sweep *sweep)
{
    const long all = launch->size;
    tg_status status = tg_success();
    sweep->all_algorithms = true;
    sweep->scaling = TGB_SIZE;
    if (sweep->nsizes == 0)
        status = tgb_parse_sizes("--sizes", "1KiB", &sweep->sizes, &sweep->nsizes);
    if (sweep->nranks == 0 && status.code == TG_OK) {
        sweep->ranks = malloc(sizeof *sweep->ranks);
        status = sweep->ranks ? status : tg_fail(TG_NO_MEMORY, "no memory for a list");
        if (sweep->ranks)
            sweep->ranks[sweep->nranks++] = all;
    }
    for (int i = 0; i < sweep->nranks && status.code == TG_OK; i++)
        if (sweep->ranks[i] > all)
            status = tg_fail(TG_BAD_INPUT,
                             "--ranks %ld: only %ld were launched; expected at most as many",
                             sweep->ranks[i], all);
    return status;
}

static tg_status make_cells(check_words *w, tgb_cells *cells)
{
    tg_status status = tg_success();
    if (w->ncases == 0)
        status = tg_fail(
            TG_BAD_INPUT,
            "check: no case; expected one or more, as in \"broadcast shape=8 from=1 to=Pc\"");
    for (int i = 0; i < w->ncases && status.code == TG_OK; i++)
        status = tgb_cells_of_case(w->cases[i], &w->sweep, cells);
    return status;
}

/* ---- checking ---- */

/* On the team: wrong entries and gap of one cell; what was planned is freed. */
static tg_status check_cell(const tgb_team *team, const tgb_cell *cell, uint64_t seed,
                            long long *wrong, double *gap)
{
    tgb_work work;
    tg_status status = tgb_plan(team->comm, &cell->setup, cell->direction, seed, &work);
    if (status.code != TG_OK)
        return status;
    *wrong = tgb_validate(&work);
    *gap = cell->setup.operation->adjoint_gap ? cell->setup.operation->adjoint_gap(&work) : 0;
    tgb_work_free(&work);
    return status;
}

/* What was found, on rank 0. */
typedef struct {
    int checks, failed;
} found;

/* One line a cell. An algorithm that cannot run a case (the plan says why) is neither good nor
 * wrong. */
static void report(const tgb_cell *cell, tg_status status, long long wrong, double gap, found *f)
{
    const bool can = status.code != TG_BAD_INPUT;
    const bool good = status.code == TG_OK && wrong == 0 && gap <= TGB_MAX_GAP;
    printf("%-5s P=%-3d %-8s %-9s ",
           !can   ? "n/a"
           : good ? "ok"
                  : "WRONG",
           cell->setup.ranks, cell->direction->name, cell->setup.algorithm);
    if (status.code == TG_OK)
        printf("wrong %lld gap %.1e  %s\n", wrong, gap, cell->setup.text);
    else
        printf("%s  %s\n", status.text, cell->setup.text);
    f->checks += can;
    f->failed += can && !good;
}

static found check_cells(const tgb_cells *cells, uint64_t seed)
{
    tgb_team team = {.comm = MPI_COMM_NULL};
    found f = {0, 0};
    for (int i = 0, ranks = 0; i < cells->count; i++) {
        const tgb_cell *cell = &cells->cell[i];
        if (cell->setup.ranks != ranks) {
            tgb_team_free(&team);
            ranks = cell->setup.ranks;
            tgb_team_make(ranks, &team);
        }
        if (team.comm != MPI_COMM_NULL) {
            long long wrong = 0;
            double gap = 0;
            tg_status status = check_cell(&team, cell, seed, &wrong, &gap);
            if (team.rank == 0)
                report(cell, status, wrong, gap, &f);
        }
        tgb_rest();
    }
    tgb_team_free(&team);
    return f;
}

static int check_all(const tgb_launch *launch, const check_words *w, const tgb_cells *cells)
{
    found f = check_cells(cells, (uint64_t)w->seed);
    const tg_status status = tg_agree(MPI_COMM_WORLD, tgb_auto_cache_write(launch, w->auto_cache));
    if (status.code != TG_OK)
        return tgb_complain(launch, status);
    int result = f.failed > 0 || f.checks == 0 ? TGB_FAILED : TGB_GOOD;
    MPI_Bcast(&result, 1, MPI_INT, 0, MPI_COMM_WORLD);
    if (launch->speaks)
        printf("%d checks, %d failed\n", f.checks, f.failed);
    return result;
}

int tgb_check(tgb_launch *launch, int argc, char **argv)
{
    const struct argp rows = {
        options, parse, "CASE...", "Values and adjoint of each case, all algorithms.",
        NULL,    NULL,  NULL};
    check_words w = {.seed = 1};
    tgb_cells cells = {.count = 0};
    int result = TGB_GOOD;
    w.cases = calloc((size_t)argc, sizeof *w.cases);
    tg_status status = w.cases ? tgb_parse_options(&rows, argc, argv, &w.words)
                               : tg_fail(TG_NO_MEMORY, "no memory for words");
    if (status.code == TG_OK && !w.words.help) {
        status = tgb_launch_start(launch);
        if (status.code == TG_OK)
            status = set_defaults(launch, &w.sweep);
        if (status.code == TG_OK)
            status = make_cells(&w, &cells);
        if (status.code == TG_OK)
            status = tgb_auto_cache_read(launch, w.auto_cache, true);
        if (launch->started)
            status = tg_agree(MPI_COMM_WORLD, status);
    }
    if (status.code != TG_OK)
        result = tgb_complain(launch, status);
    else
        result =
            w.words.help ? tgb_show_help(launch, &rows, argv[0]) : check_all(launch, &w, &cells);
    tgb_cells_free(&cells);
    tgb_sweep_free(&w.sweep);
    free(w.cases);
    return result;
}

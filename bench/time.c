/* time.c: verb time: words -> cells -> measurements -> rows. Every word of every cell is looked at
 * before the first measurement and before anything is written; with --dry-run that is all, and no
 * MPI is needed. */
#include "bench/cell.h"
#include "bench/json.h"
#include "bench/measure.h"
#include "bench/output.h"
#include "bench/row.h"
#include "bench/verbs.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- options ---- */

enum {
    SIZES = TGB_FIRST_OPTION,
    RANKS,
    DIRECTION,
    DTYPE,
    ALGORITHM,
    SCALING,
    BUDGET,
    CI,
    MIN_REPS,
    MAX_REPS,
    SEED,
    OUTPUT,
    LAUNCH,
    CELLS,
    DRY_RUN,
    JSON
};
enum { MOST_REPS = 10000000, MIN_REPETITIONS = 6 /* the fewest that have an interval */ };

static const struct argp_option options[] = {
    {"sizes", SIZES, "LIST", 0, "bytes for N, as in 8B,64KiB or 1KiB:16MiB:x4", 1},
    {"ranks", RANKS, "LIST", 0, "rank counts P (default: all ranks); the others sleep", 1},
    {"direction", DIRECTION, "LIST", 0, "forward,adjoint or forward,backward (default: all)", 1},
    {"dtype", DTYPE, "LIST", 0, "element types, as in f32,f64; replaces the case's own", 1},
    {"algorithm", ALGORITHM, "LIST", 0, "as in mpi,reference; replaces the case's own", 1},
    {"scaling", SCALING, "KIND", 0,
     "what --sizes means: strong or size (default): bytes of the whole tensor; weak: bytes held "
     "per rank",
     1},
    {"cells", CELLS, "FILE", 0,
     "cells instead of cases: launch cell ranks scaling direction size_bytes case", 2},
    {"launch", LAUNCH, "K", 0, "number of this launch (default: 0)", 2},
    {"budget", BUDGET, "TIME", 0, "for all cells together, as in 90s (default: 1 s a cell)", 3},
    {"ci", CI, "PERCENT", 0, "stop when the interval of the median is within +- this (default: 5%)",
     3},
    {"min-reps", MIN_REPS, "N", 0, "repetitions at least (default: 6)", 3},
    {"max-reps", MAX_REPS, "N", 0, "repetitions at most (default: 1000)", 3},
    {"seed", SEED, "N", 0, "of the inputs (default: 1)", 3},
    {"output", OUTPUT, "DIR", 0,
     "append to DIR/cells.csv and DIR/samples.csv (default: rows on standard output)", 4},
    {"dry-run", DRY_RUN, NULL, 0, "print the cells; measure nothing, write nothing", 4},
    {"json", JSON, NULL, 0, "with --dry-run: as JSON", 4},
    TGB_HELP_ROW,
    {NULL, 0, NULL, 0, NULL, 0},
};

typedef struct {
    tgb_words words;
    tgb_sweep sweep;
    tgb_rules rules;
    char **cases; /* not owned, as all texts here */
    int ncases;
    const char *swept; /* an option that shapes cases was given */
    const char *cells_file, *output;
    long launch;
    double budget_s; /* negative: not given */
    bool dry_run, json;
} time_words;

static tg_status parse_percent(const char *text, double *share)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || strcmp(end, "%") != 0 || !(value > 0 && value <= 100))
        return tg_fail(TG_BAD_INPUT, "--ci '%.40s': expected a percentage above 0, as in 5%%",
                       text);
    *share = value / 100;
    return tg_success();
}

static tg_status parse_count(const char *what, const char *text, int *count)
{
    long value;
    tg_status status = tgb_parse_int(what, text, 1, MOST_REPS, &value);
    if (status.code == TG_OK)
        *count = (int)value;
    return status;
}

static tg_status parse_seed(const char *text, uint64_t *seed)
{
    long value;
    tg_status status = tgb_parse_int("--seed", text, 0, LONG_MAX, &value);
    if (status.code == TG_OK)
        *seed = (uint64_t)value;
    return status;
}

static tg_status replace_words(const char *what, const char *text, char ***words, int *count)
{
    tgb_free_words(*words, *count);
    return tgb_parse_words(what, text, words, count);
}

/* Options that shape the cells of cases. */
static error_t parse_sweep(int key, char *text, struct argp_state *state)
{
    time_words *w = state->input;
    tgb_sweep *s = &w->sweep;
    switch (key) {
    case SIZES:
        free(s->sizes);
        w->swept = "--sizes";
        return tgb_keep(&w->words, tgb_parse_sizes("--sizes", text, &s->sizes, &s->nsizes));
    case RANKS:
        free(s->ranks);
        w->swept = "--ranks";
        return tgb_keep(&w->words,
                        tgb_parse_ints("--ranks", text, 1, INT_MAX / 4, &s->ranks, &s->nranks));
    case DIRECTION:
        w->swept = "--direction";
        return tgb_keep(&w->words,
                        replace_words("--direction", text, &s->directions, &s->ndirections));
    case DTYPE:
        w->swept = "--dtype";
        return tgb_keep(&w->words, replace_words("--dtype", text, &s->dtypes, &s->ndtypes));
    case ALGORITHM:
        w->swept = "--algorithm";
        return tgb_keep(&w->words,
                        replace_words("--algorithm", text, &s->algorithms, &s->nalgorithms));
    case SCALING:
        w->swept = "--scaling";
        return tgb_keep(&w->words, tgb_scaling_parse(text, &s->scaling));
    default:
        return tgb_common_option(key, text, state);
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    time_words *w = state->input;
    switch (key) {
    case BUDGET:
        return tgb_keep(&w->words, tgb_parse_seconds("--budget", text, &w->budget_s));
    case CI:
        return tgb_keep(&w->words, parse_percent(text, &w->rules.ci));
    case MIN_REPS:
        return tgb_keep(&w->words, parse_count("--min-reps", text, &w->rules.min_reps));
    case MAX_REPS:
        return tgb_keep(&w->words, parse_count("--max-reps", text, &w->rules.max_reps));
    case SEED:
        return tgb_keep(&w->words, parse_seed(text, &w->rules.seed));
    case LAUNCH:
        return tgb_keep(&w->words, tgb_parse_int("--launch", text, 0, INT_MAX, &w->launch));
    case OUTPUT:
        w->output = text;
        return 0;
    case CELLS:
        w->cells_file = text;
        return 0;
    case DRY_RUN:
        w->dry_run = true;
        return 0;
    case JSON:
        w->json = true;
        return 0;
    case ARGP_KEY_ARG:
        w->cases[w->ncases++] = text;
        return 0;
    default:
        return parse_sweep(key, text, state);
    }
}

/* ---- cells ---- */

static tg_status check_words(time_words *w)
{
    if (w->cells_file && (w->ncases > 0 || w->swept))
        return tg_fail(TG_BAD_INPUT, "time: --cells and %s; expected one of them",
                       w->ncases > 0 ? "a case" : w->swept);
    if (!w->cells_file && w->ncases == 0)
        return tg_fail(
            TG_BAD_INPUT,
            "time: no case; expected one or more, as in \"broadcast shape=8 from=1 to=Pc\", "
            "or --cells FILE");
    if (w->json && !w->dry_run)
        return tg_fail(TG_BAD_INPUT, "time: --json without --dry-run; expected both");
    if (w->rules.min_reps == 0) /* not given */
        w->rules.min_reps =
            w->rules.max_reps < MIN_REPETITIONS ? w->rules.max_reps : MIN_REPETITIONS;
    if (w->rules.min_reps > w->rules.max_reps)
        return tg_fail(TG_BAD_INPUT, "--min-reps %d: expected at most --max-reps %d",
                       w->rules.min_reps, w->rules.max_reps);
    return tg_success();
}

static tg_status set_ranks(const tgb_launch *launch, bool dry_run, tgb_sweep *sweep)
{
    if (sweep->nranks == 0) {
        sweep->ranks = malloc(sizeof *sweep->ranks);
        if (!sweep->ranks)
            return tg_fail(TG_NO_MEMORY, "no memory for a list");
        sweep->ranks[sweep->nranks++] = launch->size;
    }
    for (int i = 0; i < sweep->nranks && !dry_run; i++)
        if (sweep->ranks[i] > launch->size)
            return tg_fail(TG_BAD_INPUT,
                           "--ranks %ld: only %d were launched; expected at most as many",
                           sweep->ranks[i], launch->size);
    return tg_success();
}

static tg_status make_cells(const tgb_launch *launch, time_words *w, tgb_cells *cells)
{
    if (w->cells_file && w->dry_run)
        return tgb_cells_of_file(w->cells_file, -1, -1, cells);
    if (w->cells_file)
        return tgb_cells_of_file(w->cells_file, w->launch, launch->size, cells);
    tg_status status = set_ranks(launch, w->dry_run, &w->sweep);
    for (int i = 0; i < w->ncases && status.code == TG_OK; i++)
        status = tgb_cells_of_case(w->cases[i], &w->sweep, cells);
    return status;
}

static void number_cells(tgb_cells *cells, long next)
{
    for (int i = 0; i < cells->count; i++)
        if (cells->cell[i].number < 0)
            cells->cell[i].number = next + i;
}

/* ---- --dry-run ---- */

static void print_table(const tgb_cells *cells)
{
    printf("%5s %5s %-8s %-9s %12s %12s %10s  %-16s %-8s %-8s %s\n", "cell", "ranks", "scaling",
           "direction", "size_bytes", "held_bytes", "flops", "shape", "grid_x", "grid_y", "case");
    for (int i = 0; i < cells->count; i++) {
        const tgb_cell *c = &cells->cell[i];
        const tgb_setup *s = &c->setup;
        char shape[32 * TG_MAX_NDIM], x[16 * TG_MAX_NDIM], y[16 * TG_MAX_NDIM], flops[32] = "-";
        tg_layout_print_shape(&s->problem.x, shape, sizeof shape);
        tg_layout_print_grid(&s->problem.x, x, sizeof x);
        tg_layout_print_grid(&s->problem.y, y, sizeof y);
        if (s->flops > 0)
            snprintf(flops, sizeof flops, "%.4g", s->flops * c->direction->work_factor);
        printf("%5ld %5d %-8s %-9s %12td %12td %10s  %-16s %-8s %-8s %s\n", c->number, s->ranks,
               tgb_scaling_name(c->scaling), c->direction->name, s->size_bytes, tgb_held_bytes(s),
               flops, shape, x, y, s->text);
    }
}

static int dry_run(const tgb_launch *launch, const time_words *w, tgb_cells *cells)
{
    bool good = true;
    number_cells(cells, 0);
    if (launch->speaks && w->json)
        good = tgb_print_cells(cells);
    else if (launch->speaks)
        print_table(cells);
    return good ? TGB_GOOD : TGB_FAILED;
}

/* ---- measuring ---- */

/* What rank 0 has seen so far. */
typedef struct {
    int wrong, skipped;
    bool warned; /* of oversubscription */
} tally;

static void count_status(const tgb_cell *cell, const tgb_measurement *m, tally *t)
{
    const char *status = tgb_status_of(m);
    if (strcmp(status, "ok") == 0)
        return;
    if (m->status.code != TG_OK) {
        fprintf(stderr, "tgbench: cell %ld is %s: %s\n", cell->number, status, m->status.text);
        t->skipped++;
    } else {
        fprintf(stderr, "tgbench: cell %ld is wrong: %lld entries, adjoint gap %.1e: %s\n",
                cell->number, m->wrong, m->adjoint_gap, cell->setup.text);
        t->wrong++;
    }
}

static void show_progress(const tgb_cell *cell, const tgb_measurement *m, int done, int count)
{
    char median[32] = "-";
    if (m->samples > 0)
        snprintf(median, sizeof median, "%.3f", m->times.median);
    printf("cell %ld %d/%d %s %s us (%d reps) %s %s\n", cell->number, done, count, tgb_status_of(m),
           median, m->samples, cell->setup.text, cell->direction->name);
    fflush(stdout);
}

/* On rank 0: the row of a measured cell. */
static tg_status write_cell(const time_words *w, const tgb_team *team, const tgb_cell *cell,
                            const tgb_measurement *m, tgb_output *output)
{
    tgb_record row = {{NULL}};
    tgb_fill_row(cell, team, m, &w->rules, w->launch, output->run_id, &row);
    tg_status status = tgb_output_cell(output, w->launch, &row, m);
    tgb_record_clear(&row);
    return status;
}

static double share_of(double budget_s, uint64_t start, int left)
{
    return (budget_s - (double)(tgb_now_ns() - start) / 1e9) / left;
}

static void warn_of(const tgb_team *team, tally *t)
{
    if (t->warned || team->comm == MPI_COMM_NULL || team->rank != 0 ||
        !team->machine.oversubscribed)
        return;
    fprintf(stderr, "tgbench: %d ranks are more than the cores; rows are marked oversubscribed\n",
            team->size);
    t->warned = true;
}

/* All cells, one after another, on all ranks. */
static tg_status measure_cells(const time_words *w, const tgb_cells *cells, tgb_output *output,
                               tally *t)
{
    const double budget_s = w->budget_s >= 0 ? w->budget_s : cells->count;
    const uint64_t start = tgb_now_ns();
    tgb_team team = {.comm = MPI_COMM_NULL};
    tg_status status = tg_success();
    for (int i = 0, ranks = 0; i < cells->count && status.code == TG_OK; i++) {
        const tgb_cell *cell = &cells->cell[i];
        if (cell->setup.ranks != ranks) {
            tgb_team_free(&team);
            ranks = cell->setup.ranks;
            tgb_team_make(ranks, &team);
            warn_of(&team, t);
        }
        if (team.comm != MPI_COMM_NULL) {
            tgb_measurement m;
            tgb_measure(&team, cell, &w->rules, share_of(budget_s, start, cells->count - i), &m);
            if (team.rank == 0) {
                status = write_cell(w, &team, cell, &m, output);
                count_status(cell, &m, t);
                if (w->output)
                    show_progress(cell, &m, i + 1, cells->count);
            }
            tgb_measurement_free(&m);
        }
        tgb_rest();
        status = tg_agree(MPI_COMM_WORLD, status);
    }
    tgb_team_free(&team);
    return status;
}

static int measure(const tgb_launch *launch, const time_words *w, tgb_cells *cells)
{
    tgb_output output = {.cells = NULL};
    tally t = {.wrong = 0};
    tg_status status = launch->rank == 0 ? tgb_output_open(w->output, &output) : tg_success();
    status = tg_agree(MPI_COMM_WORLD, status);
    if (status.code != TG_OK)
        return tgb_complain(launch, status);
    number_cells(cells, output.next_cell);
    status = measure_cells(w, cells, &output, &t);
    if (launch->rank == 0) {
        tg_status closed = tgb_output_close(&output);
        status = status.code == TG_OK ? closed : status;
    }
    status = tg_agree(MPI_COMM_WORLD, status);
    if (status.code != TG_OK)
        return tgb_complain(launch, status);
    int result = t.wrong > 0 ? TGB_FAILED : t.skipped > 0 ? TGB_PARTLY : TGB_GOOD;
    MPI_Bcast(&result, 1, MPI_INT, 0, MPI_COMM_WORLD);
    return result;
}

/* ---- the verb ---- */

int tgb_time(tgb_launch *launch, int argc, char **argv)
{
    const struct argp rows = {
        options, parse, "CASE...", "Measure cases, and write a row for each cell.",
        NULL,    NULL,  NULL};
    time_words w = {.sweep.scaling = TGB_SIZE,
                    .rules = {.ci = 0.05, .max_reps = 1000, .seed = 1},
                    .budget_s = -1};
    tgb_cells cells = {.count = 0};
    int result = TGB_GOOD;
    w.cases = calloc((size_t)argc, sizeof *w.cases);
    tg_status status = w.cases ? tgb_parse_options(&rows, argc, argv, &w.words)
                               : tg_fail(TG_NO_MEMORY, "no memory for words");
    if (status.code == TG_OK && !w.words.help) {
        status = check_words(&w);
        if (status.code == TG_OK && !w.dry_run)
            status = tgb_launch_start(launch);
        if (status.code == TG_OK)
            status = make_cells(launch, &w, &cells);
        if (launch->started)
            status = tg_agree(MPI_COMM_WORLD, status);
    }
    if (status.code != TG_OK)
        result = tgb_complain(launch, status);
    else if (w.words.help)
        result = tgb_show_help(launch, &rows, argv[0]);
    else
        result = w.dry_run ? dry_run(launch, &w, &cells) : measure(launch, &w, &cells);
    tgb_cells_free(&cells);
    tgb_sweep_free(&w.sweep);
    free(w.cases);
    return result;
}

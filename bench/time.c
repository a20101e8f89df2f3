/* time.c: verb time: words -> cells -> measurements -> rows. Every word of every cell is looked at
 * before the first measurement and before anything is written; with --dry-run that is all, and no
 * MPI is needed. */
#include "bench/auto_cache.h"
#include "bench/facts.h"
#include "bench/json.h"
#include "bench/osu.h"
#include "bench/output.h"
#include "bench/phases.h"
#include "bench/row.h"
#include "bench/stop.h"
#include "bench/time_words.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- cells ---- */

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

static tg_status make_cells(const tgb_launch *launch, tgb_time_words *w, tgb_cells *cells)
{
    if (w->cells_file && w->dry_run)
        return tgb_cells_of_file(w->cells_file, -1, -1, cells);
    if (w->cells_file)
        return tgb_cells_of_file(w->cells_file, w->launch, launch->size, cells);
    tg_status status = set_ranks(launch, w->dry_run, &w->sweep);
    for (int i = 0; i < w->ncases && status.code == TG_OK; i++)
        status = tgb_cells_of_case(w->cases[i], &w->sweep, cells);
    return status.code == TG_OK && w->turns ? tgb_cells_take_turns(cells) : status;
}

static tg_status check_cells(const tgb_time_words *w, const tgb_cells *cells)
{
    tg_status status = tg_success();
    for (int i = 0; w->rules.osu && i < cells->count && status.code == TG_OK; i++) {
        status = tgb_osu_check(&cells->cell[i].setup);
        if (status.code == TG_OK && tgb_cells_in_turn(cells, i) > 1)
            status = tg_fail(TG_BAD_INPUT, "--compat osu: cells take turns, which OSU's loop does "
                                           "not know; expected one of them");
    }
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

static int dry_run(const tgb_launch *launch, const tgb_time_words *w, tgb_cells *cells)
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
    int left;    /* cells that a signal kept from being measured */
    bool warned; /* of oversubscription */
    bool said_why_not;
    double timer_ns; /* of the team with the slowest clock */
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

/* Repetitions that are late often say that the machine is disturbed. */
static void warn_of_late(const tgb_cell *cell, const tgb_measurement *m)
{
    if (m->status.code == TG_OK && m->redone * 10 > m->redone + m->samples)
        fprintf(stderr, "tgbench: cell %ld: %d of %d repetitions were late and made again\n",
                cell->number, m->redone, m->redone + m->samples);
}

/* Who reads these lines knows which cell is being measured, and how long nothing was heard. */
static void show_begin(const tgb_cell *cell, int number, int count)
{
    printf("begin %ld %d/%d %s %s\n", cell->number, number, count, cell->setup.text,
           cell->direction->name);
    fflush(stdout);
}

static void show_end(const tgb_cell *cell, const tgb_measurement *m, int number, int count)
{
    const tgb_summary *t = &m->times;
    char median[32] = "-", interval[32] = "-";
    if (m->samples > 0)
        snprintf(median, sizeof median, "%.3f", t->median);
    if (m->samples > 0 && t->median > 0 && !isnan(t->ci_lo))
        snprintf(interval, sizeof interval, "%.1f",
                 100 * fmax(t->ci_hi - t->median, t->median - t->ci_lo) / t->median);
    printf("cell %ld %d/%d %s %s us +-%s%% (%d reps) %s %s\n", cell->number, number, count,
           tgb_status_of(m), median, interval, m->samples, cell->setup.text, cell->direction->name);
    fflush(stdout);
}

/* On rank 0: the row of a measured cell. */
static tg_status write_cell(const tgb_time_words *w, const tgb_team *team, const tgb_cell *cell,
                            const tgb_measurement *m, tgb_output *output)
{
    tgb_record row = {{NULL}};
    tgb_fill_row(cell, team, m, &w->rules, w->launch, output->run_id, &row);
    tgb_put_bound(&w->calibration, cell, &row);
    tg_status status = tg_success();
    if (output->counters && m->samples > 0)
        status = tgb_output_counts(output, w->launch, cell->number, w->rules.counting);
    if (status.code == TG_OK && output->overlap && m->samples > 0)
        status = tgb_output_overlap(output, w->launch, cell->number, &m->overlap);
    if (status.code == TG_OK && output->phases && m->samples > 0)
        status = tgb_output_phases(output, w->launch, cell->number, &m->breakdown);
    if (status.code == TG_OK)
        status = tgb_output_cell(output, w->launch, &row, m);
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

/* Of the first cell that has no phases; the lines of all of them are empty in phases.csv. */
static void say_why_not(const tgb_measurement *m, tally *t)
{
    if (m->breakdown.reason && !t->said_why_not)
        fprintf(stderr, "tgbench: --phases: no numbers for some cells: %s\n", m->breakdown.reason);
    t->said_why_not = t->said_why_not || m->breakdown.reason;
}

/* What the end of a cell needs. */
typedef struct {
    const tgb_time_words *w;
    const tgb_cells *cells;
    tgb_team *team;
    tgb_output *output;
    tally *tally;
    tg_status status; /* rank 0: of writing */
} ending;

static void end_cell(void *context, const tgb_cell *cell, tgb_measurement *m)
{
    ending *e = context;
    if (e->w->rules.raw_all)
        tgb_output_raw(e->output, e->team, e->w->launch, cell->number, m);
    if (e->team->rank != 0 || e->status.code != TG_OK)
        return;
    e->status = write_cell(e->w, e->team, cell, m, e->output);
    count_status(cell, m, e->tally);
    warn_of_late(cell, m);
    say_why_not(m, e->tally);
    if (e->w->output)
        show_end(cell, m, (int)(cell - e->cells->cell) + 1, e->cells->count);
}

/* The cells from number `at` on that take turns; mostly one. */
static tg_status measure_turn(ending *e, int at, int count, double budget_s)
{
    const tgb_cell *first = &e->cells->cell[at];
    e->status = tg_success();
    for (int i = 0; i < count && e->team->rank == 0 && e->w->output; i++)
        show_begin(&first[i], at + i + 1, e->cells->count);
    tgb_measure(e->team, first, count, &e->w->rules, budget_s, end_cell, e);
    return e->status;
}

/* All cells, one after another or in turns, on all ranks. */
static tg_status measure_cells(const tgb_time_words *w, const tgb_cells *cells, tgb_output *output,
                               tally *t)
{
    const double budget_s = w->budget_s >= 0 ? w->budget_s : cells->count;
    const uint64_t start = tgb_now_ns();
    tgb_team team = {.comm = MPI_COMM_NULL};
    ending e = {.w = w, .cells = cells, .team = &team, .output = output, .tally = t};
    tg_status status = tg_success();
    for (int i = 0, n, ranks = 0; i < cells->count && status.code == TG_OK; i += n) {
        n = tgb_cells_in_turn(cells, i);
        if (cells->cell[i].setup.ranks != ranks) {
            tgb_team_free(&team);
            ranks = cells->cell[i].setup.ranks;
            tgb_team_make(ranks, &team);
            warn_of(&team, t);
            t->timer_ns = fmax(t->timer_ns, team.timer_ns);
        }
        if (team.comm != MPI_COMM_NULL)
            status = measure_turn(&e, i, n, n * share_of(budget_s, start, cells->count - i));
        tgb_rest();
        status = tg_agree(MPI_COMM_WORLD, status);
        if (tgb_stop_asked()) {
            t->left = cells->count - i - n;
            break;
        }
    }
    tgb_team_free(&team);
    return status;
}

static int measure(const tgb_launch *launch, const tgb_time_words *w, tgb_cells *cells)
{
    tgb_output output = {.cells = NULL};
    tally t = {.wrong = 0};
    tg_status status = tg_success();
    if (launch->rank == 0 && w->facts)
        status = tgb_facts_check(w->facts);
    if (launch->rank == 0 && status.code == TG_OK)
        status = tgb_output_open(w->output, w->rules.raw_all, &output);
    if (launch->rank == 0 && status.code == TG_OK && w->rules.counting)
        status = tgb_output_open_counters(w->output, &output);
    if (launch->rank == 0 && status.code == TG_OK && w->rules.overlap)
        status = tgb_output_open_overlap(w->output, &output);
    if (launch->rank == 0 && status.code == TG_OK && w->rules.phases)
        status = tgb_output_open_phases(w->output, &output);
    status = tg_agree(MPI_COMM_WORLD, status);
    if (status.code != TG_OK)
        return tgb_complain(launch, status);
    number_cells(cells, output.next_cell);
    tgb_stop_watch();
    status = measure_cells(w, cells, &output, &t);
    if (w->facts && status.code == TG_OK)
        status = tgb_facts_write(w->facts, t.timer_ns);
    if (launch->rank == 0) {
        if (w->output)
            tgb_phases_print(stdout, cells->count - t.left);
        tg_status closed = tgb_output_close(&output);
        status = status.code == TG_OK ? closed : status;
        closed = tgb_auto_cache_write(launch, w->auto_cache);
        status = status.code == TG_OK ? closed : status;
    }
    status = tg_agree(MPI_COMM_WORLD, status);
    if (status.code != TG_OK)
        return tgb_complain(launch, status);
    if (t.left > 0 && launch->speaks)
        fprintf(stderr, "tgbench: ended by a signal before %d of %d cells\n", t.left, cells->count);
    int result = t.left > 0      ? TGB_PARTLY
                 : t.wrong > 0   ? TGB_FAILED
                 : t.skipped > 0 ? TGB_PARTLY
                                 : TGB_GOOD;
    MPI_Bcast(&result, 1, MPI_INT, 0, MPI_COMM_WORLD);
    return result;
}

/* ---- the verb ---- */

int tgb_time(tgb_launch *launch, int argc, char **argv)
{
    tgb_time_words w;
    tgb_cells cells = {.count = 0};
    int result = TGB_GOOD;
    tg_status status = tgb_time_words_read(argc, argv, &w);
    if (status.code == TG_OK && !w.words.help) {
        if (!w.dry_run)
            status = tgb_launch_start(launch);
        if (status.code == TG_OK)
            status = make_cells(launch, &w, &cells);
        if (status.code == TG_OK)
            status = check_cells(&w, &cells);
        if (status.code == TG_OK && w.calibration_file && launch->rank == 0)
            status = tgb_calibration_read(w.calibration_file, &w.calibration);
        if (status.code == TG_OK)
            status = tgb_auto_cache_read(launch, w.auto_cache, !w.dry_run);
        if (launch->started)
            status = tg_agree(MPI_COMM_WORLD, status);
    }
    if (status.code != TG_OK)
        result = tgb_complain(launch, status);
    else if (w.words.help)
        result = tgb_time_help(launch, argv[0]);
    else
        result = w.dry_run ? dry_run(launch, &w, &cells) : measure(launch, &w, &cells);
    tgb_cells_free(&cells);
    tgb_time_words_free(&w);
    return result;
}

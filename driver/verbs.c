/* verbs.c: runs that are made up, and the verbs over them. Six operators forward and adjoint, sizes from 8 B
 * to 16 MiB, rank counts from 2 to 1,024 and twenty launches; a time is a latency and a rate with 3 % of
 * noise, the second run 4 % slower. */
#include "driver/verbs.h"

#include "bench/record.h"
#include "driver/child.h"
#include "driver/paths.h"
#include "driver/provenance.h"
#include "driver/random.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LAUNCHES = 20, RANK_COUNTS = 10, DIRECTIONS = 2 };
static const char *const operations[] = {"broadcast",   "sum_reduce", "all_sum_reduce",
                                         "repartition", "scatter",    "all_gather"};
enum { OPERATIONS = sizeof operations / sizeof *operations };
static const char *const directions[DIRECTIONS] = {"forward", "adjoint"};

/* ---- a run ---- */

/* One cell of the sweep. */
typedef struct {
    int launch, operation, direction;
    long ranks, extent;
} spot;

static void set_texts(tgb_record *r, const spot *s)
{
    const struct {
        tgb_column_id column;
        const char *text;
    } same[] = {{TGB_COL_run_id, "20261128T120000Z_made_large"},
                {TGB_COL_build, "release"},
                {TGB_COL_mpi, "Made MPI 1.0"},
                {TGB_COL_op, operations[s->operation]},
                {TGB_COL_direction, directions[s->direction]},
                {TGB_COL_algorithm, "mpi"},
                {TGB_COL_dtype, "f32"},
                {TGB_COL_grid_x, "1"},
                {TGB_COL_scaling, "size"},
                {TGB_COL_cache, "warm"},
                {TGB_COL_sync, "barrier"},
                {TGB_COL_start, "own"},
                {TGB_COL_estimator, "median_of_max"},
                {TGB_COL_clock, "raw"},
                {TGB_COL_stop_reason, "interval"},
                {TGB_COL_status, "ok"}};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        tgb_record_text(r, same[i].column, same[i].text);
    char *text =
        tgd_format("%s shape=%ld from=1 to=%ldc from-ranks=0 to-ranks=0-%ld from-order=0 "
                   "to-order=0 from-parts=* to-parts=* dtype=f32 algorithm=mpi in-place=no "
                   "accumulate=no store-x=row store-y=row",
                   operations[s->operation], s->extent, s->ranks, s->ranks - 1);
    tgb_record_text(r, TGB_COL_case, text);
    free(text);
    text = tgd_format("%ldc", s->ranks);
    tgb_record_text(r, TGB_COL_grid_y, text);
    free(text);
    text = tgd_format("2026-11-28T12:%02d:00Z", s->launch);
    tgb_record_text(r, TGB_COL_t_start_iso, text);
    free(text);
}

static void set_numbers(tgb_record *r, const spot *s, long cell, double time_us)
{
    const long bytes = 4 * s->extent;
    const struct {
        tgb_column_id column;
        long value;
    } whole[] = {{TGB_COL_schema, TGB_SCHEMA},
                 {TGB_COL_launch, s->launch},
                 {TGB_COL_cell, cell},
                 {TGB_COL_shape, s->extent},
                 {TGB_COL_in_place, 0},
                 {TGB_COL_ranks, s->ranks},
                 {TGB_COL_world_size, s->ranks},
                 {TGB_COL_nodes, s->ranks > 32 ? s->ranks / 32 : 1},
                 {TGB_COL_ppn, s->ranks > 32 ? 32 : s->ranks},
                 {TGB_COL_threads, 1},
                 {TGB_COL_oversubscribed, 0},
                 {TGB_COL_size_bytes, bytes},
                 {TGB_COL_held_x_bytes, bytes},
                 {TGB_COL_held_y_bytes, bytes},
                 {TGB_COL_moved_bytes, bytes * (s->ranks - 1)},
                 {TGB_COL_max_rank_bytes, bytes},
                 {TGB_COL_flops, 0},
                 {TGB_COL_batch, 1},
                 {TGB_COL_samples, 20},
                 {TGB_COL_wrong, 0}};
    const struct {
        tgb_column_id column;
        double value;
    } real[] = {{TGB_COL_t_median_us, time_us},
                {TGB_COL_ci_lo_us, 0.98 * time_us},
                {TGB_COL_ci_hi_us, 1.02 * time_us},
                {TGB_COL_t_min_us, 0.95 * time_us},
                {TGB_COL_t_mean_us, time_us},
                {TGB_COL_algbw_GBps, 1e-3 * (double)bytes / time_us},
                {TGB_COL_busbw_GBps, 1e-3 * (double)bytes / time_us},
                {TGB_COL_bound_us, 0.4 * time_us}};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        tgb_record_int(r, whole[i].column, whole[i].value);
    for (size_t i = 0; i < sizeof real / sizeof *real; i++)
        tgb_record_real(r, real[i].column, real[i].value);
}

static bool write_row(FILE *file, const spot *s, long cell, double time_us)
{
    tgb_record row = {{NULL}};
    set_texts(&row, s);
    set_numbers(&row, s, cell, time_us);
    char *line = tgb_record_line(&row);
    const bool good = fputs(line, file) >= 0;
    free(line);
    tgb_record_clear(&row);
    return good;
}

static long extent_of(long size, long sizes)
{
    return 2 * lround(exp2(21.0 * (double)size / (double)(sizes - 1)));
}

/* Returns how many rows, negative when they could not be written. */
static long write_rows(FILE *file, long rows, double factor, uint64_t seed)
{
    enum { GROUP = OPERATIONS * DIRECTIONS * RANK_COUNTS };
    const long sizes = rows > 3 * GROUP * LAUNCHES ? rows / (GROUP * LAUNCHES) : 2;
    long cell = 0;
    char *header = tgb_header_line();
    bool good = fputs(header, file) >= 0;
    free(header);
    for (long i = 0; i < GROUP * sizes * LAUNCHES && good; i++) {
        const long group = i % GROUP, size = i / GROUP % sizes;
        const spot s = {.launch = (int)(i / (GROUP * sizes)),
                        .operation = (int)(group % OPERATIONS),
                        .direction = (int)(group / OPERATIONS % DIRECTIONS),
                        .ranks = 2L << group / (OPERATIONS * DIRECTIONS),
                        .extent = extent_of(size, sizes)};
        if (size > 0 && s.extent == extent_of(size - 1, sizes))
            continue; /* sizes so dense that two are the same */
        const double time_us = factor * (log2((double)s.ranks) + 4e-4 * (double)s.extent) *
                               exp(0.03 * tgd_random_normal(&seed));
        good = write_row(file, &s, ++cell, time_us);
    }
    return good ? cell : -1;
}

static tg_status make_run(const char *folder, long rows, double factor, uint64_t seed)
{
    tg_status status = tgd_make_folders(folder);
    if (status.code != TG_OK)
        return status;
    char *cells = tgd_format("%s/cells.csv", folder), *record = tgd_format("%s/run.json", folder);
    FILE *file = fopen(cells, "w");
    const long made = file ? write_rows(file, rows, factor, seed) : -1;
    if ((file && fclose(file) != 0) || made < 0) {
        status = tg_fail(TG_BAD_INPUT, "'%.150s': %s; expected a file that can be written", cells,
                         strerror(errno));
    } else {
        json_t *object =
            json_pack("{s:{s:s, s:s, s:i}, s:I}", "machine", "host", "made", "cpu_model", "made",
                      "cores", 32, "cells_planned", (json_int_t)made);
        status = tgd_json_write(object, record);
        json_decref(object);
    }
    free(cells);
    free(record);
    return status;
}

/* ---- the verbs ---- */

static const struct {
    const char *name;
    bool takes_two; /* runs */
    bool draws;
} verbs[TGD_VERBS] = {[TGD_COMPARE] = {"compare", true, false},
                      [TGD_ACCEPT] = {"accept", false, false},
                      [TGD_PLOT] = {"plot", false, true},
                      [TGD_REPORT] = {"report", false, true}};

static void forget_line(void *context, bool is_error, const char *line)
{
    (void)context, (void)is_error, (void)line;
}

static tgd_verb_use run_verb(tgd_verb verb, char *const runs[2], const volatile sig_atomic_t *stop)
{
    tgd_words words = {NULL, 0};
    char *here = tgd_program_folder(), *program = tgd_format("%s/tensorgauge", here);
    tgd_verb_use use = {.ran = true};
    tgd_words_add(&words, program);
    tgd_words_add(&words, verbs[verb].name);
    tgd_words_add(&words, runs[0]);
    if (verbs[verb].takes_two)
        tgd_words_add(&words, runs[1]);
    const tgd_child child = {
        .arguments = &words, .on_line = forget_line, .stop = stop, .memory_MB = &use.memory_MB};
    const double begin_s = tgd_now_s();
    use.status = tgd_child_run(&child);
    use.wall_s = tgd_now_s() - begin_s;
    tgd_words_free(&words);
    free(program);
    free(here);
    return use;
}

tg_status tgd_verbs_measure(const char *folder, long rows, const volatile sig_atomic_t *stop,
                            tgd_verb_use use[TGD_VERBS])
{
    char *runs[2];
    tg_status status = tg_success();
    for (int i = 0; i < 2; i++) {
        runs[i] = tgd_format("%s/made-%d", folder, i + 1);
        if (status.code == TG_OK)
            status = make_run(runs[i], rows, i == 0 ? 1 : 1.04, (uint64_t)i + 1);
    }
    char *gnuplot = tgd_find_program("gnuplot");
    for (int v = 0; v < TGD_VERBS && status.code == TG_OK && !*stop; v++)
        if (gnuplot || !verbs[v].draws)
            use[v] = run_verb((tgd_verb)v, runs, stop);
    free(gnuplot);
    for (int i = 0; i < 2; i++) {
        tgd_remove_folder(runs[i]);
        free(runs[i]);
    }
    return status;
}

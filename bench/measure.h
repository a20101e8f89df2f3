/* measure.h: one cell, or several that take turns, timed. A repetition is one synchronised start, one operation and the time of
 * each rank, its end minus the start that the row of sync.h says; its value is the maximum over ranks, and the cell's value
 * the median over repetitions. Source: Hoefler and Belli, SC'15; Hunold and Carpen-Amarie,
 * "Reproducible MPI Benchmarking", 2016. */
#ifndef TGB_MEASURE_H
#define TGB_MEASURE_H

#include "bench/breakdown.h"
#include "bench/cell.h"
#include "bench/counting.h"
#include "bench/overlap.h"
#include "bench/stats.h"
#include "bench/sync.h"
#include "bench/team.h"

enum { TGB_MAX_REPS = 1000 }; /* of rules->max_reps, where nothing else is said */

typedef struct {
    tgb_counting *counting; /* events to be counted as well; NULL: none */
    double ci;              /* stop when the interval of the median is within +- ci of it; 0.05 */
    int min_reps, max_reps;
    uint64_t seed; /* of the inputs */
    const tgb_sync *sync;
    bool cold;    /* nothing that the operation needs is in a cache when a repetition starts */
    bool raw_all; /* keep each rank's own times */
    bool overlap; /* measure how much hides behind computing, too */
    bool phases;  /* and how the time of a run divides */
    bool osu;     /* repetitions and their number as OSU has them: the rows of osu.h */
    double max_mem_bytes; /* a rank may use for a cell; 0: what is free on its machine */
} tgb_rules;

/* A repetition: largest and smallest time of one operation over ranks, and whose they are. */
typedef struct {
    double t_max_us, t_min_us;
    int slowest, fastest;
} tgb_sample;

typedef struct {
    /* On every rank. */
    tg_status status; /* of planning; when not TG_OK nothing below is set */
    long long wrong;  /* entries; -1: no memory to compare */
    int samples, batch;
    uint64_t
        *took_ns; /* rules->raw_all: this rank's times, each of `batch` operations; malloc'ed */
    /* On rank 0. */
    tgb_sample *sample; /* malloc'ed */
    int redone;         /* late repetitions beside the samples */
    const char *stop_reason;
    tgb_summary times;       /* us */
    tgb_overlap overlap;     /* rules->overlap */
    tgb_breakdown breakdown; /* rules->phases */
    double t_plan_us, t_first_us, osu_avg_us, osu_min_us, osu_max_us;
    double skew_us;            /* on rank 0's clock */
    double adjoint_gap, flops; /* NAN: none */
    double steal_ms, peak_rss_MB;
    double repeated_s,
        cell_s;         /* all repetitions; the cells from planning to this one's last check */
    long long messages; /* -1: not known */
    long long nivcsw;   /* as repeated_s, of all cells that take turns, divided by their number */
    const char *algorithm_chosen; /* by algorithm=auto; NULL: another one was asked for */
    int slowest_rank;
    char started[32]; /* UTC */
} tgb_measurement;

/* What is done with a measurement, on every rank of the team. */
typedef void tgb_measured(void *context, const tgb_cell *cell, tgb_measurement *m);

/* Calls: Collective on the team. Plan, validate, warm up, repeat, validate again. Where there are
 * several cells, all of them are planned at the same time and each makes one repetition in turn, so
 * that what disturbs one disturbs all: the same number of a sample is the same round. Another cell
 * begins in each round. The repetitions end for all together: when the rule is met for each, or the
 * time is used up. A cell that cannot be planned is left out.
 *
 * budget_s, read on rank 0: the time that all these cells may take; repetitions stop at the first look
 * behind it, though not below rules->min_reps, unless nearly all repetitions are late. Where samples
 * is 0 at the end there are no times. done is called for each cell, in their order, as soon as all is
 * known of it; the measurement is gone when it returns. */
void tgb_measure(tgb_team *team, const tgb_cell *cells, int count, const tgb_rules *rules,
                 double budget_s, tgb_measured *done, void *context);

#endif

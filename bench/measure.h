/* measure.h: one cell, timed. A repetition is one synchronised start, one operation and the time of
 * each rank, its end minus its own start; its value is the maximum over ranks, and the cell's value
 * the median over repetitions. Source: Hoefler and Belli, SC'15; Hunold and Carpen-Amarie,
 * "Reproducible MPI Benchmarking", 2016. */
#ifndef TGB_MEASURE_H
#define TGB_MEASURE_H

#include "bench/cell.h"
#include "bench/machine.h"
#include "bench/stats.h"

/* The ranks that take part in a cell: the first P of the world. */
typedef struct {
    MPI_Comm comm;
    int rank, size;
    tgb_machine machine;
    double timer_ns; /* cost of reading the clock; largest rank */
} tgb_team;

/* Calls: Collective on MPI_COMM_WORLD. A team of the first `ranks`; comm is MPI_COMM_NULL on the
 * others. */
void tgb_team_make(int ranks, tgb_team *team);
void tgb_team_free(tgb_team *team);

/* Calls: Collective on MPI_COMM_WORLD. Wait for all others asleep: a rank that spins would take a
 * core from those that are timed. */
void tgb_rest(void);

/* Calls: Local. CLOCK_MONOTONIC_RAW in ns: one clock a machine, free of corrections. */
uint64_t tgb_now_ns(void);

typedef struct {
    double ci; /* stop when the interval of the median is within +- ci of it; 0.05 */
    int min_reps, max_reps;
    uint64_t seed; /* of the inputs */
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
    /* On rank 0. */
    tgb_sample *sample; /* malloc'ed */
    int samples, batch;
    const char *stop_reason;
    tgb_summary times; /* us */
    double t_plan_us, t_first_us, osu_avg_us, osu_min_us, osu_max_us;
    double skew_us;            /* NAN: ranks on several machines have no common clock */
    double adjoint_gap, flops; /* NAN: none */
    double steal_ms, peak_rss_MB;
    long long messages; /* -1: not known */
    long long nivcsw;
    int slowest_rank;
    char started[32]; /* UTC */
} tgb_measurement;

/* Calls: Collective on the team. Plan, validate, warm up, repeat, validate again. budget_s, read on
 * rank 0: the time that the cell may take; repetitions stop at the first look behind it, though not
 * below rules->min_reps. */
void tgb_measure(const tgb_team *team, const tgb_cell *cell, const tgb_rules *rules,
                 double budget_s, tgb_measurement *m);
void tgb_measurement_free(tgb_measurement *m);

#endif

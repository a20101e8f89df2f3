/* stats.h: order statistics of repetitions. No MPI. Source: Hoefler and Belli, "Scientific
 * Benchmarking of Parallel Computing Systems", SC'15, rules 5 - 8. */
#ifndef TGB_STATS_H
#define TGB_STATS_H

#include <stdbool.h>

/* Calls: Local, all. `sorted` is ascending, n >= 1. */
void tgb_sort(double *values, int n);
double tgb_quantile(const double *sorted, int n,
                    double p); /* linear between order statistics; p = 0.5: the median */

/* 95 % interval of the median by exact binomial ranks, counted from 1: sorted[*lo - 1] ..
 * sorted[*hi - 1]. False below n = 6, where no such ranks exist. */
bool tgb_median_ranks(int n, int *lo, int *hi);

/* The sequential rule. After how many values to look at the interval the first time (look = 0), and
 * the next time after `look` of them: 10, 15, 23, 35, ..., each time half as many again, and at most
 * `most`. */
int tgb_next_look(int look, int most);
/* Is there an interval, and does it lie within +- share of the median? */
bool tgb_interval_is_small(const double *sorted, int n, double share);

/* What took the cores away from the ranks while a cell was measured. */
typedef struct {
    double switches; /* involuntary context switches during the repetitions, sum over ranks */
    int samples, ranks;
    double repeated_s;      /* time that the repetitions took, with all that is between them */
    double steal_ms;        /* that a hypervisor took from a machine, all its CPUs together */
    double cell_s;          /* time in which it did */
    int ranks_on_a_machine; /* most */
} tgb_disturbance;
/* Is that much? Flag noisy: switches in more than every tenth repetition, and more than ten a second
 * and rank; or more than 1 % of the ranks' time stolen, and more than 20 ms: the kernel counts it in
 * ticks of 10 ms. */
bool tgb_is_noisy(const tgb_disturbance *d);

typedef struct {
    int n;
    double min, p25, median, p75, p95, p99, max, mean, sd;
    double ci_lo, ci_hi; /* NAN below n = 6 */
    double lag1; /* autocorrelation of successive values; NAN below n = 3 or without spread */
} tgb_summary;

/* Values in the order they were measured; p95 is NAN below 20 values, p99 below 100. scratch holds
 * n doubles. */
tgb_summary tgb_summarise(const double *values, int n, double *scratch);

#endif

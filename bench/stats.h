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

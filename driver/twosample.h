/* twosample.h: are two samples different? Without any assumption on how the values are distributed. */
#ifndef TGD_TWOSAMPLE_H
#define TGD_TWOSAMPLE_H

enum { TGD_MOST_VALUES = 24 }; /* in a sample: counts of arrangements stay exact */

/* Calls: Local. The two-sided p of the exact Mann-Whitney test; equal values count half, which makes
 * p larger, never smaller. 1 when a sample is empty. 1 <= n, m <= TGD_MOST_VALUES. Source: Mann and
 * Whitney, 1947. */
double tgd_rank_test(const double *a, int n, const double *b, int m);

/* The smallest p that samples of n values each can have. */
double tgd_smallest_p(int n);

/* Calls: Local. Replaces p values by Holm's adjusted ones, each in its place. Source: Holm, 1979. */
void tgd_holm(double *p, int count);

#endif

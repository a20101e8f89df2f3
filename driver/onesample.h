/* onesample.h: where is the centre of paired differences? Without any assumption on how the values are
 * distributed, but that they lie symmetrically. Of logarithms of ratios it is the logarithm of a ratio.
 */
#ifndef TGD_ONESAMPLE_H
#define TGD_ONESAMPLE_H

#include <stdbool.h>

typedef struct {
    double estimate, lo,
        hi; /* NAN without values; lo and hi NAN below 6, where there is no interval */
} tgd_centre;

/* Calls: Local. The estimate of Hodges and Lehmann: the median of all averages of two values, each
 * with itself too; and its interval of at least 95 % by the exact distribution of Wilcoxon's signed
 * ranks. n <= TGD_MOST_VALUES of twosample.h. Source: Hodges and Lehmann, 1963; Tukey, 1949. */
tgd_centre tgd_centre_of(const double *values, int n);

/* Calls: Local. The ranks of that interval, from 1, among the n (n + 1) / 2 averages in order: the lo-th
 * and the lo-th from the end; 0: there is none. */
int tgd_signed_rank(int n);

#endif

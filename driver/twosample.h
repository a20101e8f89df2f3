/* twosample.h: are two samples different, by how much, and what could have been found? The tests
 * need no assumption on how the values are distributed. */
#ifndef TGD_TWOSAMPLE_H
#define TGD_TWOSAMPLE_H

enum { TGD_MOST_VALUES = 64 }; /* in a sample: counts of arrangements stay right to 15 digits */

/* Calls: Local. The two-sided p of the exact Mann-Whitney test; equal values count half, which makes
 * p larger, never smaller. 1 when a sample is empty. 1 <= n, m <= TGD_MOST_VALUES. Source: Mann and
 * Whitney, 1947. */
double tgd_rank_test(const double *a, int n, const double *b, int m);

/* The smallest p that samples of n values each can have. */
double tgd_smallest_p(int n);

/* By how much the values of b lie above those of a. */
typedef struct {
    double shift;  /* Hodges-Lehmann estimate: the median of all differences b - a */
    double lo, hi; /* its exact interval; NAN when the samples are too small to have one */
} tgd_shift;

/* Calls: Local. The interval holds the values of the shift that the rank test does not reject: from
 * the k-th smallest to the k-th largest of the n m differences, k the largest with
 * 2 P(U <= k - 1) <= 1 - confidence. n, m >= 1. Source: Hodges and Lehmann, 1963; Moses' interval as
 * in Hollander and Wolfe, "Nonparametric Statistical Methods", 1999, section 4.3. */
tgd_shift tgd_shift_between(const double *a, int n, const double *b, int m, double confidence);

/* Many tests at once. adjust replaces p values by adjusted ones, each in its place; level_of is what
 * the p of one more test has to reach when so many of the family have reached theirs. */
typedef struct {
    const char *name;
    void (*adjust)(double *p, int count);
    double (*level_of)(double level, int family, int decided);
} tgd_adjustment;

/* The chance of at least one false finding is at most the level. Source: Holm, 1979. */
extern const tgd_adjustment tgd_holm;
/* The expected share of false findings among all findings is at most the level. Source: Benjamini
 * and Hochberg, 1995. */
extern const tgd_adjustment tgd_benjamini_hochberg;

/* Calls: Local. The smallest number of values in each sample that could ever reach so small a p. */
int tgd_least_values(double p);

enum { TGD_TRIALS = 2000 };

/* How large a shift samples of n and m values find with p or less: what it took in trials with
 * normal values of standard deviation 1. */
typedef struct {
    int n, m;
    double p;
    double found[TGD_TRIALS]; /* ascending; INFINITY: no shift could be found */
} tgd_power;

/* Calls: Local. make: the same numbers everywhere, from a fixed seed. of: the probability to find a
 * shift of so many standard deviations. */
void tgd_power_make(tgd_power *power, int n, int m, double p);
double tgd_power_of(const tgd_power *power, double shift);

/* Calls: Local. How many values each sample needs so that a shift of so many standard deviations is
 * found with p or less in four of five cases: a formula that asks for some more than that where the
 * shift is large, and never fewer than
 * could ever do, which is enough for a shift of INFINITY. INFINITY when there is no shift. Source: Noether, "Sample Size Determination for
 * Some Common Nonparametric Tests", 1987. */
double tgd_values_needed(double shift, double p);

#endif

/* stats.c: order statistics of repetitions.
 * The interval of the median is [x(lo), x(hi)] with lo the largest rank for which P(B <= lo - 1) <=
 * 0.025, B binomial (n, 1/2), and hi = n + 1 - lo: it covers the median with at least 95 % for any
 * distribution. Source: Le Boudec, "Performance Evaluation of Computer and Communication Systems",
 * 2010, section 2.2. */
#include "bench/stats.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

void tgb_sort(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, ascending);
}

double tgb_quantile(const double *sorted, int n, double p)
{
    assert(n >= 1 && p >= 0 && p <= 1);
    const double place = p * (n - 1);
    const int below = (int)place;
    if (below >= n - 1)
        return sorted[n - 1];
    return sorted[below] + (place - below) * (sorted[below + 1] - sorted[below]);
}

/* Binomial weights relative to the largest one, which stands in the middle: w(k - 1) = w(k) k / (n
 * - k + 1). All are at most 1 and they are added, never divided by 2^n, so that no n is too large.
 */
bool tgb_median_ranks(int n, int *lo, int *hi)
{
    if (n < 6)
        return false;
    const int middle = n / 2;
    double below = 0; /* sum of w(k) over k < middle */
    double weight = 1;
    for (int k = middle; k > 0 && weight > 0; k--) {
        weight *= (double)k / (n - k + 1);
        below += weight;
    }
    /* Even n: one middle weight. Odd n: w(middle) and w(middle + 1) are equal, both 1. */
    const double total = n % 2 == 0 ? 2 * below + 1 : 2 * (below + 1);
    double tail = below; /* of ranks up to middle: P(B <= middle - 1) total */
    int rank = middle;
    weight = 1;
    while (tail > 0.025 * total) {
        weight *= (double)rank / (n - rank + 1);
        tail -= weight;
        rank--;
    }
    *lo = rank;
    *hi = n + 1 - rank;
    return true;
}

int tgb_next_look(int look, int most)
{
    enum { FIRST_LOOK = 10 };
    const int next = look == 0 ? FIRST_LOOK : look + (look + 1) / 2;
    return next < most ? next : most;
}

bool tgb_interval_is_small(const double *sorted, int n, double share)
{
    int lo, hi;
    if (!tgb_median_ranks(n, &lo, &hi))
        return false;
    const double median = tgb_quantile(sorted, n, 0.5);
    return sorted[hi - 1] <= median * (1 + share) && sorted[lo - 1] >= median * (1 - share);
}

bool tgb_is_noisy(const tgb_disturbance *d)
{
    const bool switched =
        d->switches > 0.1 * d->samples && d->switches > 10 * d->ranks * d->repeated_s;
    return switched || d->steal_ms > fmax(20, 0.01 * 1e3 * d->cell_s * d->ranks_on_a_machine);
}

static double autocorrelation(const double *values, int n, double mean)
{
    double products = 0, squares = 0;
    for (int i = 0; i < n; i++) {
        squares += (values[i] - mean) * (values[i] - mean);
        if (i > 0)
            products += (values[i] - mean) * (values[i - 1] - mean);
    }
    return n >= 3 && squares > 0 ? products / squares : (double)NAN;
}

static double deviation(const double *values, int n, double mean)
{
    double squares = 0;
    for (int i = 0; i < n; i++)
        squares += (values[i] - mean) * (values[i] - mean);
    return n >= 2 ? sqrt(squares / (n - 1)) : (double)NAN;
}

tgb_summary tgb_summarise(const double *values, int n, double *scratch)
{
    assert(n >= 1);
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += values[i];
    memcpy(scratch, values, (size_t)n * sizeof *scratch);
    tgb_sort(scratch, n);
    int lo, hi;
    const bool interval = tgb_median_ranks(n, &lo, &hi);
    const double mean = sum / n;
    return (tgb_summary){
        .n = n,
        .min = scratch[0],
        .p25 = tgb_quantile(scratch, n, 0.25),
        .median = tgb_quantile(scratch, n, 0.5),
        .p75 = tgb_quantile(scratch, n, 0.75),
        .p95 = n >= 20 ? tgb_quantile(scratch, n, 0.95) : (double)NAN,
        .p99 = n >= 100 ? tgb_quantile(scratch, n, 0.99) : (double)NAN,
        .max = scratch[n - 1],
        .mean = mean,
        .sd = deviation(values, n, mean),
        .ci_lo = interval ? scratch[lo - 1] : (double)NAN,
        .ci_hi = interval ? scratch[hi - 1] : (double)NAN,
        .lag1 = autocorrelation(values, n, mean),
    };
}

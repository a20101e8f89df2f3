/* onesample.c: the averages of pairs (Walsh's), and the distribution of W = the sum of the ranks of
 * the positive values when each sign is equally likely: its counts are the coefficients of the product
 * over i = 1 .. n of (1 + q^i). Of the averages, the k-th in order is below the centre unless W < k. */
#include "driver/onesample.h"

#include "bench/stats.h"
#include "driver/twosample.h"

#include <math.h>

enum { MOST_AVERAGES = TGD_MOST_VALUES * (TGD_MOST_VALUES + 1) / 2 };
static const double OUTSIDE = 0.05; /* of both ends together */

int tgd_signed_rank(int n)
{
    double sums[MOST_AVERAGES + 1] = {1}, below = 0;
    const int most = n * (n + 1) / 2;
    int k = 0;
    for (int i = 1; i <= n; i++)
        for (int w = most; w >= i; w--)
            sums[w] += sums[w - i];
    while (k < most && 2 * (below + sums[k]) <= OUTSIDE * ldexp(1, n))
        below += sums[k++];
    return k;
}

tgd_centre tgd_centre_of(const double *values, int n)
{
    double average[MOST_AVERAGES];
    tgd_centre c = {NAN, NAN, NAN};
    int count = 0;
    for (int i = 0; i < n; i++)
        for (int j = i; j < n; j++)
            average[count++] = (values[i] + values[j]) / 2;
    if (n < 1)
        return c;
    tgb_sort(average, count);
    c.estimate = tgb_quantile(average, count, 0.5);
    const int k = tgd_signed_rank(n);
    if (k > 0) {
        c.lo = average[k - 1];
        c.hi = average[count - k];
    }
    return c;
}

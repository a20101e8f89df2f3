/* twosample.c: the distribution of U = how many pairs (a, b) have a above b, when all arrangements
 * of both samples are equally likely: its counts are the coefficients of the Gaussian binomial
 * product over i = 1 .. n of (1 - q^(m + i)) / (1 - q^i). */
#include "driver/twosample.h"

#include <math.h>

enum { MOST_PAIRS = TGD_MOST_VALUES * TGD_MOST_VALUES };

/* arrangements[u], and their sum. */
static double count_arrangements(int n, int m, double *arrangements)
{
    double sum = 0;
    for (int u = 0; u <= n * m; u++)
        arrangements[u] = u == 0;
    for (int i = 1; i <= n; i++) {
        for (int u = n * m; u >= m + i; u--)
            arrangements[u] -= arrangements[u - m - i];
        for (int u = i; u <= n * m; u++)
            arrangements[u] += arrangements[u - i];
    }
    for (int u = 0; u <= n * m; u++)
        sum += arrangements[u];
    return sum;
}

/* Two-sided p of a U that lies `least` from the nearer end. */
static double p_of(int n, int m, int least)
{
    double arrangements[MOST_PAIRS + 1], below = 0;
    const double all = count_arrangements(n, m, arrangements);
    for (int u = 0; u <= least; u++)
        below += arrangements[u];
    return fmin(1, 2 * below / all);
}

double tgd_rank_test(const double *a, int n, const double *b, int m)
{
    double above = 0;
    if (n < 1 || m < 1)
        return 1;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < m; j++)
            above += a[i] > b[j] ? 1 : a[i] < b[j] ? 0 : 0.5;
    return p_of(n, m, (int)ceil(fmin(above, n * m - above)));
}

double tgd_smallest_p(int n)
{
    return n < 1 ? 1 : p_of(n, n, 0);
}

void tgd_holm(double *p, int count)
{
    double at_least = 0, last = -1;
    for (int done = 0; done < count;) {
        double next = INFINITY;
        for (int i = 0; i < count; i++) /* adjusted ones are negative until the end */
            if (p[i] >= 0 && p[i] < next)
                next = p[i];
        at_least = fmax(at_least, fmin(1, next * (count - done)));
        last = -1 - at_least;
        for (int i = 0; i < count; i++)
            if (p[i] == next) {
                p[i] = last;
                done++;
            }
    }
    for (int i = 0; i < count; i++)
        p[i] = -1 - p[i];
}

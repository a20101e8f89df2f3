/* twosample.c: the distribution of U = how many pairs (a, b) have a above b, when all arrangements
 * of both samples are equally likely: its counts are the coefficients of the Gaussian binomial
 * product over i = 1 .. n of (1 - q^(m + i)) / (1 - q^i). */
#include "driver/twosample.h"

#include "bench/stats.h"
#include "driver/random.h"
#include "driver/text.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_PAIRS = TGD_MOST_VALUES * TGD_MOST_VALUES };

/* ---- the rank test ---- */

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

/* P(U <= u) for each u. The sizes asked for last are kept: most cells of a run have the same. */
static const double *law_of(int n, int m)
{
    static double below[MOST_PAIRS + 1];
    static int last_n, last_m;
    if (n != last_n || m != last_m) {
        const double all = count_arrangements(n, m, below);
        double sum = 0;
        for (int u = 0; u <= n * m; u++) {
            sum += below[u];
            below[u] = sum / all;
        }
        last_n = n;
        last_m = m;
    }
    return below;
}

/* Two-sided p of a U that lies `least` from the nearer end. */
static double p_of(int n, int m, int least)
{
    return fmin(1, 2 * law_of(n, m)[least]);
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
    double p = n < 1 ? 1 : 2; /* of 2 n over n arrangements, two are at the ends */
    for (int i = 1; i <= n; i++)
        p *= (double)i / (n + i);
    return p;
}

int tgd_least_values(double p)
{
    int n = 1;
    while (n < TGD_MOST_VALUES && tgd_smallest_p(n) > p)
        n++;
    return n;
}

/* How many of the smallest values of U have a p of at most this: 0, 1, ... */
static int rejected(int n, int m, double p)
{
    int k = 0;
    while (k <= n * m / 2 && p_of(n, m, k) <= p)
        k++;
    return k;
}

/* ---- the shift ---- */

/* All b - a, ascending. */
static void sort_differences(const double *a, int n, const double *b, int m, double *differences)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < m; j++)
            differences[i * m + j] = b[j] - a[i];
    tgb_sort(differences, n * m);
}

tgd_shift tgd_shift_between(const double *a, int n, const double *b, int m, double confidence)
{
    double differences[MOST_PAIRS];
    sort_differences(a, n, b, m, differences);
    const int k = rejected(n, m, 1 - confidence);
    return (tgd_shift){.shift = tgb_quantile(differences, n * m, 0.5),
                       .lo = k > 0 ? differences[k - 1] : (double)NAN,
                       .hi = k > 0 ? differences[n * m - k] : (double)NAN};
}

/* ---- many tests ---- */

/* Where the first value that is not below p stands among the sorted ones. */
static int place_of(double p, const double *sorted, int count)
{
    int lo = 0, hi = count - 1;
    while (lo < hi) {
        const int middle = (lo + hi) / 2;
        if (sorted[middle] < p)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo;
}

static double *sorted_copy(const double *p, int count)
{
    double *sorted = tgd_resize(NULL, count, sizeof *sorted);
    for (int i = 0; i < count; i++)
        sorted[i] = p[i];
    tgb_sort(sorted, count);
    return sorted;
}

/* Gives each p the adjusted value of its place. */
static void replace(double *p, int count, const double *sorted, const double *adjusted)
{
    for (int i = 0; i < count; i++)
        p[i] = adjusted[place_of(p[i], sorted, count)];
}

static void adjust_holm(double *p, int count)
{
    double *sorted = sorted_copy(p, count), *adjusted = tgd_resize(NULL, count, sizeof *adjusted);
    double at_least = 0;
    for (int i = 0; i < count; i++)
        adjusted[i] = at_least = fmax(at_least, fmin(1, sorted[i] * (count - i)));
    replace(p, count, sorted, adjusted);
    free(sorted);
    free(adjusted);
}

static double level_holm(double level, int family, int decided)
{
    return level / (family - decided > 1 ? family - decided : 1);
}

static void adjust_benjamini_hochberg(double *p, int count)
{
    double *sorted = sorted_copy(p, count), *adjusted = tgd_resize(NULL, count, sizeof *adjusted);
    double at_most = 1;
    for (int i = count - 1; i >= 0; i--)
        adjusted[i] = at_most = fmin(at_most, sorted[i] * count / (i + 1));
    replace(p, count, sorted, adjusted);
    free(sorted);
    free(adjusted);
}

static double level_benjamini_hochberg(double level, int family, int decided)
{
    return level * (decided < family ? decided + 1 : family) / (family > 1 ? family : 1);
}

const tgd_adjustment tgd_holm = {"Holm", adjust_holm, level_holm};
const tgd_adjustment tgd_benjamini_hochberg = {"Benjamini-Hochberg", adjust_benjamini_hochberg,
                                               level_benjamini_hochberg};

/* ---- what can be found ---- */

/* b lies above a by so much that the test says so: all but the `allowed` largest of the differences
 * a - b are below the shift. So each trial finds from one shift on. */
void tgd_power_make(tgd_power *power, int n, int m, double p)
{
    double a[TGD_MOST_VALUES], b[TGD_MOST_VALUES], differences[MOST_PAIRS];
    const int allowed = rejected(n, m, p);
    uint64_t state = 1;
    power->n = n;
    power->m = m;
    power->p = p;
    for (int trial = 0; trial < TGD_TRIALS; trial++) {
        for (int i = 0; i < n + m; i++)
            *(i < n ? &a[i] : &b[i - n]) = tgd_random_normal(&state);
        if (allowed > 0)
            sort_differences(b, m, a, n, differences);
        power->found[trial] = allowed > 0 ? differences[n * m - allowed] : (double)INFINITY;
    }
    tgb_sort(power->found, TGD_TRIALS);
}

double tgd_power_of(const tgd_power *power, double shift)
{
    int lo = 0, hi = TGD_TRIALS; /* trials before lo find it, those from hi on do not */
    while (lo < hi) {
        const int middle = (lo + hi) / 2;
        if (power->found[middle] <= shift)
            lo = middle + 1;
        else
            hi = middle;
    }
    return (double)lo / TGD_TRIALS;
}

/* The z that a normal deviate exceeds with this probability, by halving. */
static double exceeded_with(double probability)
{
    double lo = -40, hi = 40;
    for (int i = 0; i < 100; i++) {
        const double middle = (lo + hi) / 2;
        *(0.5 * erfc(middle * sqrt(0.5)) > probability ? &lo : &hi) = middle;
    }
    return lo;
}

/* P(a < b) - 1/2 of two normal deviates whose means differ by the shift is erf(shift / 2) / 2. */
double tgd_values_needed(double shift, double p)
{
    const double z = exceeded_with(p / 2) + exceeded_with(0.2), half = 0.5 * erf(fabs(shift) / 2);
    const double by_formula = isinf(shift) ? 0 : ceil(z * z / (6 * half * half));
    return fmax(tgd_least_values(p), by_formula);
}

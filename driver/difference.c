/* difference.c: the statistics of twosample.h on logarithms of launch medians: a launch is the unit, for
 * repetitions within one are not independent. */
#include "driver/difference.h"

#include "bench/stats.h"
#include "driver/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const tgd_outcome_name[TGD_OUTCOMES] = {"slower", "faster", "undecided", "same",
                                                    "unmatched"};
const double tgd_effects[TGD_EFFECTS] = {1.05, 1.10, 1.20};

static double median_of(const double *values, int n)
{
    double sorted[TGD_MOST_VALUES];
    if (n < 1)
        return (double)NAN;
    memcpy(sorted, values, (size_t)n * sizeof *sorted);
    tgb_sort(sorted, n);
    return tgb_quantile(sorted, n, 0.5);
}

static double squares(const double *values, int n)
{
    double mean = 0, sum = 0;
    for (int i = 0; i < n; i++)
        mean += values[i] / n;
    for (int i = 0; i < n; i++)
        sum += (values[i] - mean) * (values[i] - mean);
    return sum;
}

static bool is_tested(const tgd_difference *c)
{
    return c->n >= TGD_LEAST_LAUNCHES && c->m >= TGD_LEAST_LAUNCHES;
}

/* Everything that the other cells have no part in. */
static void look_at(tgd_difference *c, const tgd_terms *terms)
{
    double a[TGD_MOST_VALUES], b[TGD_MOST_VALUES];
    c->a_median_us = median_of(c->a_us, c->n);
    c->b_median_us = median_of(c->b_us, c->m);
    c->ratio = c->lo = c->hi = c->sd = c->launches_needed = (double)NAN;
    c->p = c->p_adjusted = 1;
    for (int i = 0; i < TGD_EFFECTS; i++)
        c->found[i] = (double)NAN;
    c->outcome = c->n > 0 && c->m > 0 ? TGD_UNDECIDED : TGD_UNMATCHED;
    if (c->outcome == TGD_UNMATCHED)
        return;
    for (int i = 0; i < c->n; i++)
        a[i] = log(c->a_us[i]);
    for (int i = 0; i < c->m; i++)
        b[i] = log(c->b_us[i]);
    const tgd_shift shift = tgd_shift_between(a, c->n, b, c->m, 1 - terms->level);
    c->ratio = exp(shift.shift);
    if (is_tested(c)) {
        c->lo = exp(shift.lo);
        c->hi = exp(shift.hi);
        c->p = tgd_rank_test(a, c->n, b, c->m);
    }
    if (c->n + c->m > 2)
        c->sd = sqrt((squares(a, c->n) + squares(b, c->m)) / (c->n + c->m - 2));
}

static void decide(tgd_difference *c, const tgd_terms *terms)
{
    if (!is_tested(c))
        return;
    if (c->lo >= 1 / (1 + terms->tolerance) && c->hi <= 1 + terms->tolerance)
        c->outcome = TGD_SAME;
    else if (c->p_adjusted <= terms->level && c->ratio != 1)
        c->outcome = c->ratio > 1 ? TGD_SLOWER : TGD_FASTER;
}

int tgd_decide(tgd_difference *cells, int count, const tgd_terms *terms)
{
    double *p = tgd_resize(NULL, count, sizeof *p);
    int family = 0;
    for (int i = 0; i < count; i++) {
        look_at(&cells[i], terms);
        if (cells[i].outcome != TGD_UNMATCHED)
            p[family++] = cells[i].p;
    }
    terms->adjustment->adjust(p, family);
    for (int i = 0, k = 0; i < count; i++) {
        if (cells[i].outcome != TGD_UNMATCHED) {
            cells[i].p_adjusted = p[k++];
            decide(&cells[i], terms);
        }
    }
    free(p);
    return family;
}

/* ---- what could be found ---- */

/* The trials of samples of each size, made when they are asked for first. */
typedef struct {
    tgd_power **at;
    int count;
    double p;
} powers;

static const tgd_power *power_for(powers *all, int n, int m)
{
    for (int i = 0; i < all->count; i++)
        if (all->at[i]->n == n && all->at[i]->m == m)
            return all->at[i];
    tgd_power *fresh = tgd_resize(NULL, 1, sizeof *fresh);
    tgd_power_make(fresh, n, m, all->p);
    all->at = tgd_resize(all->at, all->count + 1, sizeof(tgd_power *));
    all->at[all->count++] = fresh;
    return fresh;
}

static void predict(tgd_difference *c, powers *all, const tgd_terms *terms)
{
    if (is_tested(c)) {
        const tgd_power *power = power_for(all, c->n, c->m);
        for (int i = 0; i < TGD_EFFECTS; i++)
            c->found[i] =
                tgd_power_of(power, c->sd > 0 ? log(tgd_effects[i]) / c->sd : (double)INFINITY);
    }
    if (c->outcome == TGD_UNDECIDED) {
        const double shift = c->sd > 0 ? log1p(terms->tolerance) / c->sd : (double)INFINITY;
        c->launches_needed = fmax(TGD_LEAST_LAUNCHES, tgd_values_needed(shift, all->p));
    }
}

void tgd_predict(tgd_difference *cells, int count, const tgd_terms *terms)
{
    int family = 0, decided = 0;
    for (int i = 0; i < count; i++) {
        family += cells[i].outcome != TGD_UNMATCHED;
        decided += cells[i].outcome != TGD_UNMATCHED && cells[i].p_adjusted <= terms->level;
    }
    powers all = {.p = terms->adjustment->level_of(terms->level, family, decided)};
    for (int i = 0; i < count; i++)
        predict(&cells[i], &all, terms);
    for (int i = 0; i < all.count; i++)
        free(all.at[i]);
    free(all.at);
}

int tgd_least_launches(int family, const tgd_terms *terms)
{
    const int least = tgd_least_values(terms->adjustment->level_of(terms->level, family, 0));
    return least > TGD_LEAST_LAUNCHES ? least : TGD_LEAST_LAUNCHES;
}

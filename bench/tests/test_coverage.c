/* test_coverage.c: how often does the interval hold the median? On times whose median is known:
 * 100 exp(0.1 z), z normal, independent or each one like the one before (z' = rho z + sqrt(1 -
 * rho^2) e). For a fixed number of repetitions and for the rule that ends a cell. The shares that
 * results/README.md states are printed, and must come out again; the seed is fixed. */
#include "bench/stats.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TRIALS = 10000, MOST = 1000, FIXED = 100 };
static const double MEDIAN = 100, SPREAD = 0.1, SHARE = 0.05;

/* ---- times ---- */

/* Source: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014. */
static uint64_t next_bits(uint64_t *state)
{
    uint64_t bits = *state += UINT64_C(0x9e3779b97f4a7c15);
    bits = (bits ^ (bits >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    bits = (bits ^ (bits >> 27)) * UINT64_C(0x94d049bb133111eb);
    return bits ^ (bits >> 31);
}

static double next_uniform(uint64_t *state) /* in (0, 1) */
{
    return ((double)(next_bits(state) >> 12) + 0.5) / 4503599627370496.0; /* 2^52 */
}

/* Box and Muller, 1958. */
static double next_normal(uint64_t *state)
{
    const double two_pi = 6.283185307179586, radius = sqrt(-2 * log(next_uniform(state)));
    return radius * cos(two_pi * next_uniform(state));
}

typedef struct {
    uint64_t state;
    double rho, z;
} source;

static double next_time(source *s)
{
    s->z = s->rho * s->z + sqrt(1 - s->rho * s->rho) * next_normal(&s->state);
    return MEDIAN * exp(SPREAD * s->z);
}

/* ---- one cell: values that are sorted, and how many ---- */

static void sort_copy(const double *values, int n, double *sorted)
{
    memcpy(sorted, values, (size_t)n * sizeof *values);
    tgb_sort(sorted, n);
}

static int fixed_cell(source *s, double *sorted)
{
    for (int i = 0; i < FIXED; i++)
        sorted[i] = next_time(s);
    tgb_sort(sorted, FIXED);
    return FIXED;
}

static int sequential_cell(source *s, double *sorted)
{
    double values[MOST];
    for (int n = 0, look = tgb_next_look(0, MOST);; look = tgb_next_look(look, MOST)) {
        for (; n < look; n++)
            values[n] = next_time(s);
        sort_copy(values, n, sorted);
        if (n == MOST || tgb_interval_is_small(sorted, n, SHARE))
            return n;
    }
}

/* ---- coverage ---- */

typedef struct {
    double covered, mean_n; /* share of the trials; repetitions of a cell */
} outcome;

static outcome try_cells(int (*cell)(source *, double *), double rho)
{
    source s = {.state = 20221122, .rho = rho};
    double sorted[MOST];
    outcome sum = {0, 0};
    for (int i = 0; i < TRIALS; i++) {
        int lo, hi;
        s.z = next_normal(&s.state);
        const int n = cell(&s, sorted);
        assert_true(tgb_median_ranks(n, &lo, &hi));
        sum.covered += sorted[lo - 1] <= MEDIAN && MEDIAN <= sorted[hi - 1];
        sum.mean_n += n;
    }
    return (outcome){sum.covered / TRIALS, sum.mean_n / TRIALS};
}

static const struct {
    const char *what;
    int (*cell)(source *, double *);
    double rho, stated; /* as in results/README.md */
} rows[] = {
    {"fixed", fixed_cell, 0, 0.965},
    {"fixed", fixed_cell, 0.5, 0.83},
    {"fixed", fixed_cell, 0.9, 0.43},
    {"sequential", sequential_cell, 0, 0.94},
    {"sequential", sequential_cell, 0.5, 0.78},
    {"sequential", sequential_cell, 0.9, 0.34},
};

static void coverage_as_stated(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const outcome o = try_cells(rows[i].cell, rows[i].rho);
        printf("%-10s rho %.1f: the interval holds the median in %.1f %% of %d cells of %.1f "
               "repetitions\n",
               rows[i].what, rows[i].rho, 100 * o.covered, TRIALS, o.mean_n);
        assert_true(fabs(o.covered - rows[i].stated) <= 0.01);
        if (rows[i].cell == fixed_cell && rows[i].rho == 0) /* exact: 96.5 % */
            assert_true(o.covered >= 0.95);
    }
}

/* ---- the rule ---- */

static void looks(void **state)
{
    (void)state;
    static const int known[] = {10, 15, 23, 35, 53, 80, 120, 180, 270, 405, 608, 912, 1000, 1000};
    for (size_t i = 0, look = 0; i < sizeof known / sizeof *known; i++) {
        look = (size_t)tgb_next_look((int)look, MOST);
        assert_int_equal(look, known[i]);
    }
    assert_int_equal(tgb_next_look(0, 7), 7);
    assert_int_equal(tgb_next_look(0, 10), 10);
}

static void small_intervals(void **state)
{
    (void)state;
    double values[10] = {0, 95, 99, 99, 100, 100, 101, 101, 105, 900};
    assert_true(tgb_interval_is_small(values, 10, 0.05)); /* the 2nd and the 9th are just inside */
    assert_false(tgb_interval_is_small(values, 10, 0.0499));
    values[1] = 94.9;
    assert_false(tgb_interval_is_small(values, 10, 0.05));
    values[1] = 95;
    values[8] = 105.1;
    assert_false(tgb_interval_is_small(values, 10, 0.05));
    const double equal[6] = {7, 7, 7, 7, 7, 7};
    assert_false(tgb_interval_is_small(equal, 5, 0.5)); /* too few for an interval */
    assert_true(tgb_interval_is_small(equal, 6, 0.001));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looks),
        cmocka_unit_test(small_intervals),
        cmocka_unit_test(coverage_as_stated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

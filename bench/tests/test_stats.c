/* test_stats.c: order statistics against values worked out by hand, and the ranks of the median's
 * interval against the binomial sum computed in another way (logarithms of factorials, from the
 * tail's end). */
#include "bench/stats.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void known_ranks(void **state)
{
    (void)state;
    static const int known[][3] = {{6, 1, 6},    {7, 1, 7},     {8, 1, 8},       {9, 2, 8},
                                   {10, 2, 9},   {15, 4, 12},   {20, 6, 15},     {23, 7, 17},
                                   {50, 18, 33}, {100, 40, 61}, {1000, 469, 532}};
    int lo = 0, hi = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        assert_true(tgb_median_ranks(known[i][0], &lo, &hi));
        assert_int_equal(lo, known[i][1]);
        assert_int_equal(hi, known[i][2]);
    }
    for (int n = 0; n < 6; n++)
        assert_false(tgb_median_ranks(n, &lo, &hi));
}

/* P(B <= k) for B binomial (n, 1/2), from k = 0 upwards in compensated sums of exponentials. */
static long double binomial_cdf(int n, int k)
{
    long double sum = 0;
    for (int j = k; j >= 0; j--) {
        const long double term =
            expl(lgammal(n + 1.0L) - lgammal(j + 1.0L) - lgammal(n - j + 1.0L) - n * logl(2));
        sum += term;
        if (term < 1e-25L * sum)
            break;
    }
    return sum;
}

static void expect_exact_ranks(int n)
{
    int lo, hi;
    assert_true(tgb_median_ranks(n, &lo, &hi));
    assert_int_equal(lo + hi, n + 1);
    assert_true(lo >= 1);
    assert_true(binomial_cdf(n, lo - 1) <= 0.025L); /* covers at least 95 % */
    assert_true(binomial_cdf(n, lo) > 0.025L);      /* and the next interval would not */
}

static void ranks_for_many_n(void **state)
{
    (void)state;
    for (int n = 6; n <= 1200; n++)
        expect_exact_ranks(n);
    static const int large[] = {4999, 5000, 33333, 65536, 99999, 100000};
    for (size_t i = 0; i < sizeof large / sizeof *large; i++)
        expect_exact_ranks(large[i]);
}

static void quantiles(void **state)
{
    (void)state;
    double values[] = {4, 1, 3, 2, 10};
    tgb_sort(values, 5);
    assert_true(values[0] == 1 && values[4] == 10);
    assert_true(tgb_quantile(values, 5, 0.5) == 3);
    assert_true(tgb_quantile(values, 4, 0.5) == 2.5);
    assert_true(tgb_quantile(values, 5, 0) == 1);
    assert_true(tgb_quantile(values, 5, 1) == 10);
    assert_true(tgb_quantile(values, 5, 0.25) == 2);
    assert_true(tgb_quantile(values, 1, 0.5) == 1);
}

static void summary_of_few(void **state)
{
    (void)state;
    const double values[] = {2, 4, 4, 4, 5, 5, 7, 9}; /* mean 5, squares of deviations 32 */
    double scratch[8];
    const tgb_summary s = tgb_summarise(values, 8, scratch);
    assert_int_equal(s.n, 8);
    assert_true(s.min == 2 && s.max == 9 && s.median == 4.5 && s.mean == 5);
    assert_true(fabs(s.sd - sqrt(32.0 / 7)) < 1e-14);
    assert_true(s.ci_lo == 2 && s.ci_hi == 9);
    assert_true(isnan(s.p95) && isnan(s.p99));
    /* products of neighbours' deviations: 3 + 1 + 1 + 0 + 0 + 0 + 8 = 13 */
    assert_true(fabs(s.lag1 - 13.0 / 32) < 1e-14);
    const tgb_summary one = tgb_summarise(values, 1, scratch);
    assert_true(one.median == 2 && one.p25 == 2 && one.mean == 2);
    assert_true(isnan(one.sd) && isnan(one.ci_lo) && isnan(one.ci_hi) && isnan(one.lag1));
    const double flat[] = {3, 3, 3, 3};
    assert_true(isnan(tgb_summarise(flat, 4, scratch).lag1));
    assert_true(tgb_summarise(flat, 4, scratch).sd == 0);
}

static void summary_of_many(void **state)
{
    (void)state;
    double values[100], scratch[100];
    for (int i = 0; i < 100; i++)
        values[i] = (double)((37 * i) % 100); /* 0 .. 99, each once */
    const tgb_summary s = tgb_summarise(values, 100, scratch);
    assert_true(s.ci_lo == 39 && s.ci_hi == 60); /* the 40th and the 61st */
    assert_true(s.median == 49.5);
    assert_true(fabs(s.p95 - 94.05) < 1e-12 && fabs(s.p99 - 98.01) < 1e-12);
    assert_true(values[1] == 37); /* the order measured is kept */
    assert_true(isnan(tgb_summarise(values, 19, scratch).p95));
    assert_true(!isnan(tgb_summarise(values, 20, scratch).p95));
    assert_true(isnan(tgb_summarise(values, 99, scratch).p99));
}

static void noisy(void **state)
{
    (void)state;
    const tgb_disturbance quiet = {
        .samples = 100, .ranks = 4, .repeated_s = 0.01, .cell_s = 1, .ranks_on_a_machine = 4};
    const struct {
        double switches, repeated_s, steal_ms;
        bool noisy;
    } rows[] = {
        {0, 0.01, 0, false},  {10, 0.01, 0, false},  /* in every tenth repetition, not more */
        {11, 0.01, 0, true},  {11, 0.275, 0, false}, /* ten a second and rank, not more */
        {1000, 25, 0, false}, {1001, 25, 0, true},
        {0, 0.01, 40, false}, {0, 0.01, 50, true}, /* 1 % of four ranks' second: 40 ms */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tgb_disturbance d = quiet;
        d.switches = rows[i].switches;
        d.repeated_s = rows[i].repeated_s;
        d.steal_ms = rows[i].steal_ms;
        assert_int_equal(tgb_is_noisy(&d), rows[i].noisy);
    }
    tgb_disturbance ticks = quiet;
    ticks.cell_s = 0.1;
    ticks.steal_ms = 20; /* two ticks may be one moment */
    assert_false(tgb_is_noisy(&ticks));
    ticks.steal_ms = 30;
    assert_true(tgb_is_noisy(&ticks));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_ranks),     cmocka_unit_test(ranks_for_many_n),
        cmocka_unit_test(quantiles),       cmocka_unit_test(summary_of_few),
        cmocka_unit_test(summary_of_many), cmocka_unit_test(noisy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_twosample.c: the exact rank test against the counting of all arrangements, against published
 * critical values, and on relabelled samples; the interval against the test that it inverts;
 * adjustments by hand; chances to find a shift against trials of their own. */
#include "driver/random.h"
#include "driver/twosample.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_close(double a, double b)
{
    if (fabs(a - b) > 1e-12)
        fail_msg("%.15g, expected %.15g", a, b);
}

/* Two-sided p by going through all ways to call n of n + m values the first sample. */
static double p_by_counting(const double *values, int n, int m, int chosen)
{
    int total = 0, as_extreme = 0;
    double seen = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int set = 0; set < 1 << (n + m); set++) {
            double u = 0;
            int size = 0;
            for (int i = 0; i < n + m; i++)
                size += set >> i & 1;
            for (int i = 0; i < n + m; i++)
                for (int j = 0; j < n + m; j++)
                    u += (set >> i & 1) && !(set >> j & 1) && values[i] > values[j];
            if (pass == 0 && set == chosen)
                seen = fmin(u, n * m - u);
            total += pass == 1 && size == n;
            as_extreme += pass == 1 && size == n && (u <= seen || u >= n * m - seen);
        }
    return fmin(1, (double)as_extreme / total);
}

static void test_all_arrangements(void **state)
{
    (void)state;
    const double values[] = {3, 14, 15, 92, 65, 35, 89, 79};
    int checked = 0;
    for (int set = 1; set < 255; set++) {
        double a[8], b[8];
        int n = 0, m = 0;
        for (int i = 0; i < 8; i++)
            if (set >> i & 1)
                a[n++] = values[i];
            else
                b[m++] = values[i];
        if (set % 5 != 0)
            continue;
        const double p = p_by_counting(values, n, m, set);
        /* the middle of an even number of pairs is counted from both sides */
        assert_close(fmin(1, tgd_rank_test(a, n, b, m)), p);
        checked++;
    }
    assert_true(checked > 40);
}

/* Critical values of U at 5 %, two-sided: the largest U that is significant (Mann and Whitney's
 * tables). Samples are made so that U is as wanted. */
static void test_table(void **state)
{
    (void)state;
    static const struct {
        int n, critical;
    } rows[] = {{4, 0}, {5, 2}, {6, 5}, {7, 8}, {8, 13}, {9, 17}, {10, 23}, {20, 127}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const int n = rows[i].n;
        for (int u = rows[i].critical; u <= rows[i].critical + 1; u++) {
            double a[TGD_MOST_VALUES], b[TGD_MOST_VALUES];
            for (int k = 0; k < n; k++) {
                b[k] = k + 1;
                a[k] = 0.01 * k; /* below all of b */
            }
            for (int k = 0; k < u / n; k++)
                a[n - 1 - k] = 100 + k; /* above all of b */
            a[0] = u % n + 0.5;         /* above so many */
            assert_true((tgd_rank_test(a, n, b, n) <= 0.05) == (u == rows[i].critical));
        }
    }
}

static void test_ends(void **state)
{
    (void)state;
    const double a[] = {1, 2, 3, 4}, b[] = {5, 6, 7, 8}, same[] = {2, 2, 2, 2};
    assert_close(tgd_rank_test(a, 4, b, 4), 2.0 / 70);
    assert_close(tgd_rank_test(b, 4, a, 4), 2.0 / 70);
    assert_close(tgd_rank_test(same, 4, same, 4), 1);
    assert_close(tgd_rank_test(a, 0, b, 4), 1);
    assert_close(tgd_smallest_p(8), 2.0 / 12870);
    assert_close(tgd_smallest_p(1), 1);
    assert_close(tgd_smallest_p(24) * 32247603683100.0, 2); /* 48 over 24 */
    double low[24], high[24];
    for (int i = 0; i < 24; i++)
        high[i] = 100 + (low[i] = i);
    assert_close(tgd_rank_test(low, 24, high, 24) * 32247603683100.0, 2);
}

/* Samples from one distribution: at most 5 % of relabellings are called different, and not much
 * fewer; a shift of all values is found. */
static void test_rates(void **state)
{
    (void)state;
    uint64_t random = 1;
    int different = 0;
    for (int trial = 0; trial < 2000; trial++) {
        double a[8], b[8], shifted[8];
        for (int i = 0; i < 16; i++) {
            random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            *(i < 8 ? &a[i] : &b[i - 8]) = (double)(random >> 11);
        }
        different += tgd_rank_test(a, 8, b, 8) <= 0.05;
        for (int i = 0; i < 8; i++)
            shifted[i] = b[i] + 1e16;
        assert_true(tgd_rank_test(a, 8, shifted, 8) < 0.001);
    }
    assert_in_range(different, 2000 * 3 / 100, 2000 * 6 / 100);
}

static void test_holm(void **state)
{
    (void)state;
    double p[] = {0.01, 0.04, 0.03, 0.005, 0}, tied[] = {0.02, 0.02, 0.9, 0.9};
    const double expected[] = {0.03, 0.06, 0.06, 0.02, 0};
    tgd_holm.adjust(p, 5);
    for (int i = 0; i < 5; i++)
        assert_close(p[i], expected[i]);
    tgd_holm.adjust(tied, 4);
    assert_close(tied[0], 0.08);
    assert_close(tied[1], 0.08);
    assert_close(tied[2], 1);
    assert_close(tied[3], 1);
}

/* The shifts that the interval holds are those that the test does not reject, looked at between all
 * neighbouring differences; the estimate is the middle of the differences. */
static void test_interval(void **state)
{
    (void)state;
    uint64_t random = 7;
    int with = 0, without = 0;
    for (int trial = 0; trial < 200; trial++) {
        const int n = 2 + trial % 7, m = 2 + trial / 7 % 6;
        double a[8], b[8], all[64], moved[8];
        int pairs = 0, below = 0;
        for (int i = 0; i < n; i++)
            a[i] = (double)(tgd_random(&random) >> 40);
        for (int j = 0; j < m; j++)
            b[j] =
                0.25 + (double)(tgd_random(&random) >> 40); /* no difference is another's, or 0 */
        const tgd_shift s = tgd_shift_between(a, n, b, m, 0.95);
        for (int i = 0; i < n; i++)
            for (int j = 0; j < m; j++)
                all[pairs++] = b[j] - a[i];
        for (int i = 0; i < pairs; i++) {
            below += all[i] < s.shift;
            for (int side = -1; side <= 1; side += 2) {
                const double shift = all[i] + 0.125 * side;
                for (int j = 0; j < m; j++)
                    moved[j] = b[j] - shift;
                const bool rejected = tgd_rank_test(a, n, moved, m) <= 0.05;
                assert_true(rejected == !(isnan(s.lo) || (s.lo <= shift && shift <= s.hi)));
            }
        }
        assert_true(below <= pairs / 2 && below >= (pairs - 1) / 2);
        with += !isnan(s.lo);
        without += isnan(s.lo);
    }
    assert_true(with > 50 && without > 20);
}

static void test_benjamini_hochberg(void **state)
{
    (void)state;
    double p[] = {0.01, 0.04, 0.03, 0.005, 0}, tied[] = {0.02, 0.9, 0.02, 0.9};
    const double expected[] = {0.05 / 3, 0.04, 0.0375, 0.0125, 0};
    tgd_benjamini_hochberg.adjust(p, 5);
    for (int i = 0; i < 5; i++)
        assert_close(p[i], expected[i]);
    tgd_benjamini_hochberg.adjust(tied, 4);
    assert_close(tied[0], 0.04);
    assert_close(tied[2], 0.04);
    assert_close(tied[1], 0.9);
    assert_close(tied[3], 0.9);
    tgd_benjamini_hochberg.adjust(NULL, 0);
}

/* What one more test has to reach is what the adjustment then calls significant, and no more. */
static void test_levels(void **state)
{
    (void)state;
    static const tgd_adjustment *const rows[] = {&tgd_holm, &tgd_benjamini_hochberg};
    for (int r = 0; r < 2; r++) {
        for (int decided = 0; decided < 20; decided++) {
            const double level = rows[r]->level_of(0.05, 20, decided);
            for (int side = 0; side < 2; side++) {
                double p[20];
                for (int i = 0; i < 20; i++)
                    p[i] = i < decided ? 0 : 1;
                p[decided] = level * (side ? 1.001 : 0.999);
                rows[r]->adjust(p, 20);
                assert_true((p[decided] <= 0.05) == (side == 0));
            }
        }
    }
    assert_int_equal(tgd_least_values(tgd_holm.level_of(0.05, 200, 0)), 8);
    assert_int_equal(tgd_least_values(tgd_benjamini_hochberg.level_of(0.05, 200, 0)), 8);
    assert_int_equal(tgd_least_values(tgd_benjamini_hochberg.level_of(0.05, 200, 199)), 4);
    assert_int_equal(tgd_least_values(0.05), 4);
}

/* The chance to find a shift against the share of other trials in which the test finds it. */
static void test_power(void **state)
{
    (void)state;
    static tgd_power power;
    uint64_t random = 99;
    static const struct {
        int n, m;
        double p, shift;
    } rows[] = {{8, 8, 0.05, 1}, {8, 8, 0.001, 2}, {10, 6, 0.05, 1.5}, {20, 20, 0.001, 1}};
    for (int r = 0; r < 4; r++) {
        int found = 0;
        for (int trial = 0; trial < 2000; trial++) {
            double a[20], b[20];
            for (int i = 0; i < rows[r].n; i++)
                a[i] = tgd_random_normal(&random);
            for (int i = 0; i < rows[r].m; i++)
                b[i] = tgd_random_normal(&random) + rows[r].shift;
            found += tgd_rank_test(a, rows[r].n, b, rows[r].m) <= rows[r].p;
        }
        tgd_power_make(&power, rows[r].n, rows[r].m, rows[r].p);
        const double expected = tgd_power_of(&power, rows[r].shift);
        assert_true(expected > 0.2 && expected < 0.98);
        assert_true(fabs(found / 2000.0 - expected) < 0.05);
        /* so many launches for a chance of 0.8: the formula against the trials */
        const double n = tgd_values_needed(rows[r].shift, rows[r].p);
        assert_true(n >= 2 && n <= TGD_MOST_VALUES);
        tgd_power_make(&power, (int)n, (int)n, rows[r].p);
        const double reached = tgd_power_of(&power, rows[r].shift);
        assert_true(reached > 0.74 && (reached < 0.92 || rows[r].shift > 1.5));
    }
    tgd_power_make(&power, 3, 3, 0.05); /* too few to find anything */
    assert_close(tgd_power_of(&power, 1e9), 0);
    assert_true(isinf(tgd_values_needed(0, 0.05)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_arrangements),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_holm),
        cmocka_unit_test(test_interval),
        cmocka_unit_test(test_benjamini_hochberg),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_power),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

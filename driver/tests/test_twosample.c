/* test_twosample.c: the exact rank test against the counting of all arrangements, against published
 * critical values, and on relabelled samples; Holm's adjustment by hand. */
#include "driver/twosample.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
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
    assert_close(tgd_smallest_p(TGD_MOST_VALUES) * 32247603683100.0, 2); /* 48 over 24 */
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
    tgd_holm(p, 5);
    for (int i = 0; i < 5; i++)
        assert_close(p[i], expected[i]);
    tgd_holm(tied, 4);
    assert_close(tied[0], 0.08);
    assert_close(tied[1], 0.08);
    assert_close(tied[2], 1);
    assert_close(tied[3], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_arrangements),
                                       cmocka_unit_test(test_table), cmocka_unit_test(test_ends),
                                       cmocka_unit_test(test_rates), cmocka_unit_test(test_holm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

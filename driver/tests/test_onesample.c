/* test_onesample.c: the interval of the signed ranks against going through all signs, against published
 * critical values, and on values whose centre is known. */
#include "driver/onesample.h"
#include "driver/twosample.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* How many of the 2^n choices of signs give ranks of positive values with a sum of at most w. */
static int choices_up_to(int n, int w)
{
    int count = 0;
    for (int signs = 0; signs < 1 << n; signs++) {
        int sum = 0;
        for (int i = 0; i < n; i++)
            sum += signs >> i & 1 ? i + 1 : 0;
        count += sum <= w;
    }
    return count;
}

/* k is the largest with 2 P(W < k) <= 5 %. */
static void test_all_signs(void **state)
{
    (void)state;
    for (int n = 1; n <= 14; n++) {
        const int k = tgd_signed_rank(n);
        if (k > 0)
            assert_true(2 * 100 * choices_up_to(n, k - 1) <= 5 << n);
        assert_true(2 * 100 * choices_up_to(n, k) > 5 << n);
    }
}

/* Critical values of the signed rank test at 5 %, two-sided (Wilcoxon's table): the largest sum that is
 * significant is k - 1. */
static void test_table(void **state)
{
    (void)state;
    static const int critical[][2] = {{6, 0},   {7, 2},   {8, 3},   {9, 5},  {10, 8},
                                      {12, 13}, {15, 25}, {20, 52}, {24, 81}};
    for (int n = 1; n < 6; n++)
        assert_int_equal(tgd_signed_rank(n), 0);
    for (size_t i = 0; i < sizeof critical / sizeof *critical; i++)
        assert_int_equal(tgd_signed_rank(critical[i][0]), critical[i][1] + 1);
}

static int ascending(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* The interval holds exactly the centres at which the test of all signs finds nothing: walk over a fine
 * grid of centres and ask the signs. */
static void test_by_tests(void **state)
{
    (void)state;
    const double values[] = {3, 14.5, -2, 8.25, 30, 5.125, 11, 17.75};
    enum { N = sizeof values / sizeof *values };
    const tgd_centre c = tgd_centre_of(values, N);
    int inside = 0, outside = 0;
    for (double centre = -10; centre < 40; centre += 0.0371) {
        double size[N], up = 0, down = 0;
        for (int i = 0; i < N; i++)
            size[i] = fabs(values[i] - centre);
        qsort(size, N, sizeof *size, ascending);
        for (int i = 0; i < N; i++)
            for (int r = 0; r < N; r++)
                if (size[r] == fabs(values[i] - centre))
                    *(values[i] > centre ? &up : &down) += r + 1;
        const double p = 2.0 * choices_up_to(N, (int)fmin(up, down)) / (1 << N);
        const bool held = centre > c.lo && centre < c.hi;
        assert_true(held == (p > 0.05));
        inside += held;
        outside += !held;
    }
    assert_true(inside > 100 && outside > 100);
}

static void test_estimate(void **state)
{
    (void)state;
    const double even[] = {1, 2, 3, 4, 5, 6, 7, 100}, one[] = {-4}, odd[] = {5, 1, 3};
    tgd_centre c = tgd_centre_of(odd, 3); /* averages 1 2 3 3 4 5 */
    assert_true(c.estimate == 3 && isnan(c.lo) && isnan(c.hi));
    c = tgd_centre_of(one, 1);
    assert_true(c.estimate == -4);
    assert_true(isnan(tgd_centre_of(NULL, 0).estimate));
    c = tgd_centre_of(even, 8); /* one outlier moves the mean to 16 */
    assert_true(c.estimate > 4 && c.estimate < 6 && c.lo == 2 && c.hi == 52.5);
}

/* Values from one distribution around 0: about one interval in twenty misses it; a shift moves both
 * ends. */
static void test_rates(void **state)
{
    (void)state;
    uint64_t random = 1;
    int missed = 0;
    for (int trial = 0; trial < 2000; trial++) {
        double values[8], shifted[8];
        for (int i = 0; i < 8; i++) {
            random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            values[i] = (double)(random >> 40) - 8388607.5;
            shifted[i] = values[i] + 0x1p30;
        }
        const tgd_centre c = tgd_centre_of(values, 8), s = tgd_centre_of(shifted, 8);
        missed += c.lo > 0 || c.hi < 0;
        assert_true(s.lo == c.lo + 0x1p30 && s.hi == c.hi + 0x1p30 &&
                    s.estimate == c.estimate + 0x1p30);
    }
    assert_in_range(missed, 2000 * 2 / 100, 2000 * 6 / 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_signs), cmocka_unit_test(test_table),
        cmocka_unit_test(test_by_tests), cmocka_unit_test(test_estimate),
        cmocka_unit_test(test_rates)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

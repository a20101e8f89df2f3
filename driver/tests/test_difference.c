/* test_difference.c: verdicts on made launches: the rate of false ones when launches of one run are
 * relabelled, slow-downs found as often as predicted, and the ends. */
#include "driver/difference.h"
#include "driver/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CELLS = 40, LAUNCHES = 20, HALF = LAUNCHES / 2 };

static const tgd_terms rows[] = {{0.05, 0.05, &tgd_benjamini_hochberg}, {0.05, 0.05, &tgd_holm}};

/* Launch medians of a cell: log-normal with so much spread. */
static void make_launches(double *us, int n, double median_us, double sd, uint64_t *random)
{
    for (int i = 0; i < n; i++)
        us[i] = median_us * exp(sd * tgd_random_normal(random));
}

static int count(const tgd_difference *cells, int n, tgd_outcome outcome)
{
    int found = 0;
    for (int i = 0; i < n; i++)
        found += cells[i].outcome == outcome;
    return found;
}

/* 20 launches of one run, called A and B at random 1,000 times: a relabelling with any verdict of
 * faster or slower is a false one, and at most 5 % may have one. Three standard deviations of a
 * count of 1,000 are 21. */
static void test_relabelling(void **state)
{
    (void)state;
    static double all[CELLS][LAUNCHES], a[CELLS][HALF], b[CELLS][HALF];
    static tgd_difference cells[CELLS];
    for (int r = 0; r < 2; r++) {
        uint64_t random = 5;
        int false_ones = 0, same = 0;
        for (int c = 0; c < CELLS; c++)
            make_launches(all[c], LAUNCHES, c + 1, 0.01 * (1 + c % 10), &random);
        for (int trial = 0; trial < 1000; trial++) {
            int order[LAUNCHES];
            for (int i = 0; i < LAUNCHES; i++)
                order[i] = i;
            for (int i = LAUNCHES - 1; i > 0; i--) {
                const int j = (int)(tgd_random(&random) % (uint64_t)(i + 1)), kept = order[i];
                order[i] = order[j];
                order[j] = kept;
            }
            for (int c = 0; c < CELLS; c++) {
                for (int i = 0; i < LAUNCHES; i++)
                    *(i < HALF ? &a[c][i] : &b[c][i - HALF]) = all[c][order[i]];
                cells[c] = (tgd_difference){.a_us = a[c], .b_us = b[c], .n = HALF, .m = HALF};
            }
            assert_int_equal(tgd_decide(cells, CELLS, &rows[r]), CELLS);
            false_ones += count(cells, CELLS, TGD_FASTER) + count(cells, CELLS, TGD_SLOWER) > 0;
            same += count(cells, CELLS, TGD_SAME);
        }
        assert_in_range(false_ones, 1, 50 + 21);
        assert_true(same > 1000); /* the quiet cells can be told to be the same */
    }
}

/* Slow-downs of 5, 10 and 20 % in a third of the cells are found as often as tgd_decide says. What it
 * says of the cells without one holds for these, as they have the same spread. */
static void test_planted(void **state)
{
    (void)state;
    static double a[CELLS][HALF], b[CELLS][HALF];
    static tgd_difference cells[CELLS];
    uint64_t random = 11;
    for (int e = 0; e < TGD_EFFECTS; e++) {
        double predicted = 0;
        int planted = 0, slower = 0, faster = 0;
        for (int trial = 0; trial < 60; trial++) {
            for (int c = 0; c < CELLS; c++) {
                const double sd = log(tgd_effects[e]) / 2;
                make_launches(a[c], HALF, 10, sd, &random);
                make_launches(b[c], HALF, c % 3 == 0 ? 10 * tgd_effects[e] : 10, sd, &random);
                cells[c] = (tgd_difference){.a_us = a[c], .b_us = b[c], .n = HALF, .m = HALF};
            }
            tgd_decide(cells, CELLS, &rows[0]);
            tgd_predict(cells, CELLS, &rows[0]);
            for (int c = 0; c < CELLS; c += 3) {
                planted++;
                predicted += cells[c].found[e];
                slower += cells[c].p_adjusted <= 0.05 && cells[c].ratio > 1;
            }
            faster += count(cells, CELLS, TGD_FASTER);
        }
        assert_true(predicted > 0.3 * planted && predicted < 0.98 * planted);
        if (fabs(predicted - slower) > 0.06 * planted)
            fail_msg("%d of %d found, predicted %.1f", slower, planted, predicted);
        assert_true(faster < planted / 40);
    }
}

static void test_ends(void **state)
{
    (void)state;
    double a[8] = {10, 10.1, 10.2, 9.9, 10.05, 9.95, 10.15, 9.85}, b[8], far[8];
    for (int i = 0; i < 8; i++) {
        b[i] = 1.2 * a[i];
        far[i] = a[i] * (i % 2 ? 3 : 0.3);
    }
    tgd_difference cells[] = {
        {.a_us = a, .b_us = b, .n = 8, .m = 8},   {.a_us = b, .b_us = a, .n = 8, .m = 8},
        {.a_us = a, .b_us = a, .n = 8, .m = 8},   {.a_us = far, .b_us = far, .n = 8, .m = 8},
        {.a_us = a, .b_us = b, .n = 5, .m = 8},   {.a_us = a, .b_us = b, .n = 1, .m = 1},
        {.a_us = a, .b_us = NULL, .n = 8, .m = 0}};
    const tgd_outcome expected[] = {TGD_SLOWER,    TGD_FASTER,    TGD_SAME,     TGD_UNDECIDED,
                                    TGD_UNDECIDED, TGD_UNDECIDED, TGD_UNMATCHED};
    assert_int_equal(tgd_decide(cells, 7, &rows[0]), 6);
    tgd_predict(cells, 7, &rows[0]);
    for (int i = 0; i < 7; i++)
        assert_int_equal(cells[i].outcome, expected[i]);
    assert_true(fabs(cells[0].ratio - 1.2) < 1e-9 && cells[0].lo > 1.1 && cells[0].hi < 1.3);
    assert_true(fabs(cells[0].p - 2.0 / 12870) < 1e-12);
    assert_true(fabs(cells[1].ratio - 1 / 1.2) < 1e-9);
    assert_true(cells[2].p == 1 && cells[2].ratio == 1);
    assert_true(cells[3].launches_needed > 100); /* such a spread hides 5 % */
    assert_true(isnan(cells[4].lo) && cells[4].p == 1 && fabs(cells[4].ratio - 1.2) < 0.02);
    assert_true(cells[5].launches_needed == 6 && isnan(cells[6].ratio));
    assert_int_equal(tgd_least_launches(200, &rows[1]), 8);
    assert_int_equal(tgd_least_launches(1, &rows[0]), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_relabelling),
                                       cmocka_unit_test(test_planted), cmocka_unit_test(test_ends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_pairs.c: rounds of pairs: each two ranks meet once, in a round a rank meets one, the first two
 * rounds are the ring. */
#include "bench/pairs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MOST = 65 };

static void each_two_meet_once(void **state)
{
    (void)state;
    for (int ranks = 2; ranks <= MOST; ranks++) {
        int met[MOST][MOST] = {{0}}, idle[MOST] = {0};
        assert_int_equal(tgb_pair_rounds(ranks), ranks - 1 + ranks % 2);
        for (int round = 1; round <= tgb_pair_rounds(ranks); round++) {
            for (int a = 0; a < ranks; a++) {
                const int b = tgb_pair_partner(ranks, round, a);
                idle[a] += b < 0;
                if (b < 0)
                    continue;
                assert_in_range(b, 0, ranks - 1);
                assert_int_equal(tgb_pair_partner(ranks, round, b), a);
                met[a][b]++;
            }
        }
        for (int a = 0; a < ranks; a++) {
            assert_int_equal(idle[a], ranks % 2); /* in one round, or never */
            for (int b = 0; b < ranks; b++)
                assert_int_equal(met[a][b], a != b);
        }
    }
}

static void ring(void **state)
{
    (void)state;
    for (int ranks = 2; ranks <= MOST; ranks++) {
        const int last = ranks - 1;
        for (int a = 0; a < ranks; a++) {
            const int first = tgb_pair_partner(ranks, 1, a);
            assert_int_equal(first, (a ^ 1) < ranks ? a ^ 1 : -1);
            if (ranks == 2)
                continue;
            const int second = tgb_pair_partner(ranks, 2, a);
            const int next = a % 2 == 1 ? a + 1 : a - 1;
            const int odd_end = a == 0 ? -1 : next, even_end = a == 0 ? last : next % ranks;
            assert_int_equal(second, ranks % 2 == 1 ? odd_end : even_end);
        }
    }
}

static void too_few(void **state)
{
    (void)state;
    assert_int_equal(tgb_pair_rounds(1), 0);
    assert_int_equal(tgb_pair_rounds(0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_two_meet_once), cmocka_unit_test(ring),
                                       cmocka_unit_test(too_few)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

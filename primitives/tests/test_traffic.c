/* test_traffic.c: the unavoidable traffic of operators, counted by hand.
 *
 * The largest of one rank reproduces the bus bandwidth factors of nccl-tests in groups of n ranks:
 * 1 for broadcast and sum_reduce, 2 (n - 1) / n for all_sum_reduce, (n - 1) / n for all_gather and
 * reduce_scatter, and for scatter and gather when the root takes part. */
#include "primitives/tests/checks.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

typedef struct {
    const char *line;
    ptrdiff_t moved, max_rank;
} row;

static const row rows[] = {
    {"send_recv shape=12 from-ranks=0 to-ranks=1", 12, 12},
    {"send_recv shape=12 from-ranks=0 to-ranks=0", 0, 0},
    {"broadcast shape=12 from=1 to=1c", 0, 0},
    {"broadcast shape=12 from=1 to=4c", 36, 12},
    {"broadcast shape=12 from=1 from-ranks=4 to=4c", 48, 12},
    {"broadcast shape=4x3 from=2x1 from-ranks=0,3 to=2x3c", 24, 6},
    {"sum_reduce shape=12 from=4c to=1", 36, 12},
    {"sum_reduce shape=12 from=4c to=1 to-ranks=4", 48, 12},
    {"all_sum_reduce shape=12 grid=1c", 0, 0},
    {"all_sum_reduce shape=12 grid=4c", 72, 18},
    {"all_sum_reduce shape=4x3 grid=2x3c", 48, 8},
    {"scatter shape=12 from=1 to=4", 9, 9},
    {"scatter shape=12 from=1 from-ranks=4 to=4", 12, 12},
    {"gather shape=12 from=4 to=1", 9, 9},
    {"gather shape=12 from=4 to=1 to-ranks=4", 12, 12},
    {"all_gather shape=12 from=4 to=4c", 36, 9},
    {"reduce_scatter shape=12 from=4c to=4", 36, 9},
    {"repartition shape=4x4 from=4x1 to=4x1", 0, 0},
    {"repartition shape=4x4 from=4x1 to=2x2", 8, 2},
    {"repartition shape=4x4 from=4x1 to=1x4", 12, 3},
    {"repartition shape=12 from=1 to=3", 8, 8},
    {"halo shape=12 grid=4 kernel=3 padding=1", 6, 2},
    {"halo shape=12 grid=4 kernel=3 padding=1 periodic=1", 8, 2},
    {"halo shape=12 grid=4 kernel=1", 0, 0},
    {"halo_transposed shape=8 grid=4 kernel=4 stride=2 padding=1", 6, 2},
    {"halo_transposed shape=8 grid=4 kernel=2 stride=2", 0, 0},
    {"halo_upsample shape=8 grid=4 kernel=2 stride=2", 6, 2},
    {"halo_upsample shape=8 grid=4 kernel=1 stride=2", 0, 0},
    {"allocate shape=1x12 grid=1x4", 0, 0},
    {"move shape=2x12 grid=1x4", 0, 0},
};

static void test_traffic(void **state)
{
    static test_case c;
    int wrong = 0;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[256];
        tg_traffic traffic = {-1, -1};
        if (!case_words(rows[i].line, 0, 6, &c, text))
            fail_msg("%s: %s", rows[i].line, text);
        tg_status status = c.problem.primitive->traffic(&c.problem.x, &c.problem.y, &traffic);
        if (status.code != TG_OK || traffic.moved != rows[i].moved ||
            traffic.max_rank != rows[i].max_rank) {
            print_error("%s: moved %td, largest %td; expected %td, %td\n", rows[i].line,
                        traffic.moved, traffic.max_rank, rows[i].moved, rows[i].max_rank);
            wrong++;
        }
        case_free(&c);
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_traffic)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

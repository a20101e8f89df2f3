/* test_traffic.c: the unavoidable traffic of operators, counted by hand.
 *
 * The largest of one rank reproduces the bus bandwidth factors of nccl-tests in groups of n ranks:
 * 1 for broadcast and sum_reduce, 2 (n - 1) / n for all_sum_reduce, (n - 1) / n for all_gather and
 * reduce_scatter, and for scatter and gather when the root takes part. Then random layouts, counted
 * entry by entry, and layouts of 4,096 ranks. */
#include "primitives/tests/checks.h"
#include "primitives/tests/random_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

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

/* ---- entry by entry ---- */

/* Is an entry of the tensor, or an image of it on periodic axes, in a box? */
static bool is_inside(const tg_layout *layout, const tg_box *box, const ptrdiff_t *entry)
{
    for (int a = 0; a < layout->ndim; a++) {
        const ptrdiff_t n = layout->axis[a].extent;
        bool inside = false;
        for (ptrdiff_t at = box->lo[a]; at < box->hi[a]; at++)
            inside = inside || (at % n + n) % n == entry[a];
        if (!inside)
            return false;
    }
    return true;
}

/* Entries that come into a rank (of y), or go out of it (of x). */
static ptrdiff_t count_entries(const tg_layout *x, const tg_layout *y, int rank, int ranks, bool in)
{
    ptrdiff_t counted = 0;
    for (ptrdiff_t i = tg_layout_count(x) - 1; i >= 0; i--) {
        ptrdiff_t entry[TG_MAX_NDIM], rest = i;
        for (int a = x->ndim - 1; a >= 0; a--) {
            entry[a] = rest % x->axis[a].extent;
            rest /= x->axis[a].extent;
        }
        const tg_box owned = tg_layout_owned(x, rank), held = tg_layout_held(y, rank);
        const bool owns = is_inside(x, &owned, entry);
        bool others = false;
        for (int r = 0; r < ranks && owns; r++) {
            const tg_box box = tg_layout_held(y, r);
            others = others || (r != rank && is_inside(y, &box, entry));
        }
        counted += in ? !owns && is_inside(y, &held, entry) : owns && others;
    }
    return counted;
}

static tg_traffic count_all(const tg_problem *p, int ranks)
{
    const tg_layout *x = p->primitive->sums ? &p->y : &p->x,
                    *y = p->primitive->sums ? &p->x : &p->y;
    tg_traffic counted = {0, 0};
    for (int rank = 0; rank < ranks; rank++) {
        const ptrdiff_t in = count_entries(x, y, rank, ranks, true),
                        out = count_entries(x, y, rank, ranks, false);
        counted.moved += in;
        counted.max_rank = in > counted.max_rank ? in : counted.max_rank;
        counted.max_rank = out > counted.max_rank ? out : counted.max_rank;
    }
    return counted;
}

static void random_layouts(void **state)
{
    enum { RANKS = 12, PROBLEMS = 100 };
    static const char *const operations[] = {
        "broadcast", "sum_reduce",      "scatter",       "gather",      "all_gather",
        "halo",      "halo_transposed", "halo_upsample", "repartition", "reduce_scatter"};
    static test_case c;
    random_source source = {20261128};
    int moving = 0;
    (void)state;
    for (size_t o = 0; o < sizeof operations / sizeof *operations; o++)
        for (int i = 0; i < PROBLEMS; i++) {
            char line[LINE_SIZE], text[256];
            tg_traffic told;
            assert_true(random_problem(&source, operations[o], RANKS, line));
            if (!case_words(line, 0, RANKS, &c, text))
                fail_msg("%s: %s", line, text);
            const tg_problem *p = &c.problem;
            const tg_traffic counted = count_all(p, RANKS);
            assert_int_equal(p->primitive->traffic(&p->x, &p->y, &told).code, TG_OK);
            if (told.moved != counted.moved || told.max_rank != counted.max_rank)
                fail_msg("%s: moved %td, largest %td; counted %td, %td", line, told.moved,
                         told.max_rank, counted.moved, counted.max_rank);
            moving += counted.moved > 0;
            case_free(&c);
        }
    assert_true(moving > (int)(sizeof operations / sizeof *operations) * PROBLEMS / 2);
}

/* ---- many ranks ---- */

/* n = 2^24 entries; k = 4096 ranks. The time is that of a loop over ranks: by pairs of ranks, and more
 * so by triples, this test would not end. */
static void many_ranks(void **state)
{
    enum { K = 4096 };
    const ptrdiff_t n = 1 << 24, part = n / K;
    const row many[] = {
        {"broadcast shape=16777216 from=1 to=4096c", (K - 1) * n, n},
        {"sum_reduce shape=16777216 from=4096c to=1", (K - 1) * n, n},
        {"all_sum_reduce shape=16777216 grid=4096c", 2 * (K - 1) * n, 2 * (K - 1) * part},
        {"scatter shape=16777216 from=1 to=4096", (K - 1) * part, (K - 1) * part},
        {"gather shape=16777216 from=4096 to=1", (K - 1) * part, (K - 1) * part},
        {"all_gather shape=16777216 from=4096 to=4096c", (K - 1) * n, (K - 1) * part},
        {"reduce_scatter shape=16777216 from=4096c to=4096", (K - 1) * n, (K - 1) * part},
        {"repartition shape=4096x4096 from=4096x1 to=1x4096", (K - 1) * K, K - 1},
        {"repartition shape=4096x4096 from=64x32 to=32x64c to-ranks=2048-4095", 64 * n, n / 32},
        {"halo shape=4096x4096 grid=64x64 kernel=3x3 padding=1x1 periodic=1x1", K * 260, 260},
        {"halo shape=4096x4096 grid=4096x1 kernel=9x9 padding=4x4", (8 * K - 20) * K, 8 * K},
        {"halo_upsample shape=4096x4096 grid=1x4096 kernel=2x2 stride=2x2", (2 * K - 2) * K, 2 * K},
    };
    static test_case c;
    (void)state;
    for (size_t i = 0; i < sizeof many / sizeof *many; i++) {
        char text[256];
        tg_traffic traffic = {-1, -1};
        if (!case_words(many[i].line, 0, K, &c, text))
            fail_msg("%s: %s", many[i].line, text);
        assert_int_equal(c.problem.primitive->traffic(&c.problem.x, &c.problem.y, &traffic).code,
                         TG_OK);
        if (traffic.moved != many[i].moved || traffic.max_rank != many[i].max_rank)
            fail_msg("%s: moved %td, largest %td; expected %td, %td", many[i].line, traffic.moved,
                     traffic.max_rank, many[i].moved, many[i].max_rank);
        case_free(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_traffic),
                                       cmocka_unit_test(random_layouts),
                                       cmocka_unit_test(many_ranks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

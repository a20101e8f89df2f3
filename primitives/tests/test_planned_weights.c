/* test_planned_weights.c: rounds, messages and bytes of the busiest rank at 64, 512 and 4,096 ranks,
 * told without MPI, against formulas: L = log2 P, a vector of 1 MiB in 8 segments of 128 KiB. */
#include "primitives/tests/checks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { VECTOR = 1 << 20, SEGMENTS = 8, NOT_KNOWN = -1 };

typedef struct {
    const char *format;
    long most_ranks; /* above it the test would take too long */
    tg_weight (*forward)(long P, long L), (*adjoint)(long P, long L);
} row;

static tg_weight unknown(long P, long L)
{
    (void)P, (void)L;
    return (tg_weight){NOT_KNOWN, NOT_KNOWN, NOT_KNOWN};
}
static tg_weight one_to_all(long P, long L)
{
    (void)L;
    return (tg_weight){P - 1, P - 1, (P - 1) * VECTOR};
}
static tg_weight tree(long P, long L)
{
    (void)P;
    return (tg_weight){L, L, L * VECTOR};
}
static tg_weight tree_of_sums(long P, long L)
{
    (void)P;
    return (tg_weight){L, L * SEGMENTS, L * VECTOR};
}
static tg_weight chain(long P, long L)
{
    (void)L;
    return (tg_weight){P - 2 + SEGMENTS, SEGMENTS, VECTOR};
}
static tg_weight ring(long P, long L)
{
    (void)L;
    return (tg_weight){P - 1, P - 1, VECTOR / P * (P - 1)};
}
static tg_weight ring_of_sums(long P, long L)
{
    (void)L;
    return (tg_weight){2 * (P - 1), 2 * (P - 1), 2 * (VECTOR / P * (P - 1))};
}
/* Two rows of 256 f32 to two neighbours. */
static tg_weight neighbours(long P, long L)
{
    (void)P, (void)L;
    return (tg_weight){2, 2, 2 * 256 * 4};
}
/* Rows of 256 f32 in 3 partitions of 86. */
static tg_weight neighbours_in_3(long P, long L)
{
    (void)P, (void)L;
    return (tg_weight){2, 2, 2 * 3 * 86 * 4};
}
/* 2 x 2 rows of P x P f32 blocks: all but the own one. */
static tg_weight all_to_all(long P, long L)
{
    (void)L;
    return (tg_weight){P - 1, P - 1, (P - 1) * 4};
}

static const row rows[] = {
    {"broadcast shape=262144 from=1 to=Pc algorithm=mpi", 4096, unknown, unknown},
    {"broadcast shape=262144 from=1 to=Pc algorithm=node", 4096, unknown, unknown},
    {"broadcast shape=262144 from=1 to=Pc algorithm=p2p", 4096, one_to_all, one_to_all},
    {"broadcast shape=262144 from=1 to=Pc algorithm=tree", 4096, tree, tree_of_sums},
    {"broadcast shape=262144 from=1 to=Pc algorithm=chain", 4096, chain, chain},
    {"sum_reduce shape=262144 from=Pc to=1 algorithm=tree", 4096, tree_of_sums, tree},
    {"sum_reduce shape=262144 from=Pc to=1 algorithm=chain", 4096, chain, chain},
    {"all_sum_reduce shape=262144 grid=Pc algorithm=tree", 4096, tree_of_sums, tree_of_sums},
    {"all_sum_reduce shape=262144 grid=Pc algorithm=ring", 512, ring_of_sums, ring_of_sums},
    {"all_gather shape=262144 from=P to=Pc algorithm=ring", 512, ring, ring},
    {"all_gather shape=262144 from=P to=Pc algorithm=p2p", 512, ring, ring},
    {"reduce_scatter shape=262144 from=Pc to=P algorithm=ring", 512, ring, ring},
    {"repartition shape=PxP from=Px1 to=1xP algorithm=p2p", 4096, all_to_all, all_to_all},
    {"halo shape=8192x256 grid=Px1 kernel=3x3 padding=1x1 algorithm=p2p", 4096, neighbours,
     neighbours},
    {"halo shape=8192x256 grid=Px1 kernel=3x3 padding=1x1 algorithm=persistent", 4096, neighbours,
     neighbours},
    {"halo shape=8192x256 grid=Px1 kernel=3x3 padding=1x1 algorithm=partitioned partitions=3", 4096,
     neighbours_in_3, neighbours_in_3},
    {"halo shape=8192x256 grid=Px1 kernel=3x3 padding=1x1 algorithm=partitioned partitions=999",
     512, neighbours, neighbours},
};

static void expect(const char *line, bool adjoint, const tg_weight *want, const tg_weight *told)
{
    if (want->rounds != told->rounds || want->messages != told->messages ||
        want->bytes != told->bytes)
        fail_msg("%s of %s: told %td rounds, %td messages, %td bytes; expected %td, %td, %td",
                 adjoint ? "adjoint" : "forward", line, told->rounds, told->messages, told->bytes,
                 want->rounds, want->messages, want->bytes);
}

static void make(const char *format, int ranks, test_case *c)
{
    char line[512], text[256];
    model_line(format, ranks, line, sizeof line);
    if (!case_words(line, 0, ranks, c, text))
        fail_msg("%s: %s", line, text);
}

static void weights(void **state)
{
    static test_case c;
    (void)state;
    for (long P = 64, L = 6; P <= 4096; P *= 8, L += 3)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            if (P > rows[i].most_ranks)
                continue;
            make(rows[i].format, (int)P, &c);
            for (int adjoint = 0; adjoint < 2; adjoint++) {
                const tg_weight want = (adjoint ? rows[i].adjoint : rows[i].forward)(P, L);
                tg_weight told;
                assert_int_equal(tg_weigh(&c.problem, adjoint, &told).code, TG_OK);
                expect(c.line, adjoint, &want, &told);
            }
            case_free(&c);
        }
}

/* Bytes between the vector's share that must move and twice that; rounds exactly. */
static void halving(void **state)
{
    static const char *const lines[] = {
        "broadcast shape=262144 from=1 to=Pc algorithm=scatter_allgather",
        "sum_reduce shape=262144 from=Pc to=1 algorithm=scatter_allgather",
        "all_sum_reduce shape=262144 grid=Pc algorithm=scatter_allgather"};
    static test_case c;
    (void)state;
    for (long P = 64, L = 6; P <= 4096; P *= 8, L += 3)
        for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
            make(lines[i], (int)P, &c);
            for (int adjoint = 0; adjoint < 2; adjoint++) {
                const ptrdiff_t share = VECTOR / P * (P - 1);
                tg_weight told;
                assert_int_equal(tg_weigh(&c.problem, adjoint, &told).code, TG_OK);
                assert_int_equal(told.rounds, 2 * L);
                assert_true(told.bytes >= share && told.bytes <= 2 * share);
                assert_true(told.messages >= L);
            }
            case_free(&c);
        }
}

/* A rank that is in two groups has them one behind the other: how long that takes is not told. */
static void two_groups(void **state)
{
    static test_case c;
    tg_weight told;
    (void)state;
    make("broadcast shape=40x3 from=2x1 from-ranks=3,0 to=2x3c algorithm=tree", 6, &c);
    assert_int_equal(tg_weigh(&c.problem, false, &told).code, TG_OK);
    assert_int_equal(told.rounds, NOT_KNOWN);
    assert_true(told.messages > 0 && told.bytes > 0);
    case_free(&c);
}

static void expect_both(const char *line, int ranks, tg_weight want)
{
    static test_case c;
    make(line, ranks, &c);
    for (int adjoint = 0; adjoint < 2; adjoint++) {
        tg_weight told;
        assert_int_equal(tg_weigh(&c.problem, adjoint, &told).code, TG_OK);
        expect(line, adjoint, &want, &told);
    }
    case_free(&c);
}

/* Cubes of 4 x 4 x 4 f32 with a ghost on every side: the same bytes come from 26 partners at once, or
 * from 2 on each of 3 axes. Strided, a rank needs fewer than it owns on axis 0, and passes on more. */
static void axis_by_axis(void **state)
{
    const ptrdiff_t ghosts = (6 * 6 * 6 - 4 * 4 * 4) * 4;
    (void)state;
    for (int g = 4; g <= 16; g *= 2) {
        char cube[256], line[512];
        snprintf(cube, sizeof cube,
                 "halo shape=%dx%dx%d grid=%dx%dx%d kernel=3x3x3 padding=1x1x1 algorithm=", 4 * g,
                 4 * g, 4 * g, g, g, g);
        snprintf(line, sizeof line, "%sp2p", cube);
        expect_both(line, g * g * g, (tg_weight){26, 26, ghosts});
        snprintf(line, sizeof line, "%saxes", cube);
        expect_both(line, g * g * g, (tg_weight){6, 6, ghosts});
    }
    /* 4 of 5 rows, and columns for all of them: 2 x 5 without corners; no rows cross */
    expect_both("halo shape=20x20 grid=4x4 kernel=4x3 stride=5x1 padding=0x1 algorithm=p2p", 16,
                (tg_weight){2, 2, 2 * 4 * 4});
    expect_both("halo shape=20x20 grid=4x4 kernel=4x3 stride=5x1 padding=0x1 algorithm=axes", 16,
                (tg_weight){2, 2, 2 * 4 * 4});
    expect_both("halo shape=20x20 grid=4x4 kernel=3x4 stride=1x5 padding=1x0 algorithm=axes", 16,
                (tg_weight){2, 2, 2 * 5 * 4});
}

/* 1 MiB to k copies on other ranks: the sender has k pieces of 1/k instead of the whole k times. */
static void crossing_once(void **state)
{
    (void)state;
    for (int k = 2; k <= 512; k *= 16) {
        const ptrdiff_t segments = VECTOR / k > VECTOR / SEGMENTS ? SEGMENTS / k : 1;
        char line[256];
        snprintf(line, sizeof line,
                 "repartition shape=262144 from=1 to=%dc to-ranks=1-%d algorithm=p2p", k, k);
        expect_both(line, k + 1, (tg_weight){k, k, (ptrdiff_t)k * VECTOR});
        snprintf(line, sizeof line,
                 "repartition shape=262144 from=1 to=%dc to-ranks=1-%d algorithm=resharding", k, k);
        expect_both(line, k + 1, (tg_weight){k + k - 1, k * segments, VECTOR});
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(weights), cmocka_unit_test(halving),
                                       cmocka_unit_test(two_groups), cmocka_unit_test(axis_by_axis),
                                       cmocka_unit_test(crossing_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

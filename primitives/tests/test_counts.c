/* test_counts.c [--leak]: plans are made, used once and freed many times.
 *
 * Each algorithm of each primitive, with flips and chains. A communicator or a datatype that is not
 * freed would end the MPI library's supply in a longer loop. */
#include "primitives/tests/checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOPS = 50 };

static const char *const lines[] = {
    "send_recv shape=6 from-ranks=0 to-ranks=0",
    "broadcast shape=6 from=1 to=Pc",
    "sum_reduce shape=6 from=Pc to=1",
    "all_sum_reduce shape=6 grid=Pc",
    "repartition shape=6x5 from=Px1 to=1xP",
    "halo shape=9x4 grid=Px1 kernel=3x3 padding=1x1",
    "halo_transposed shape=9x4 grid=Px1 kernel=3x3 stride=2x1 padding=1x1",
    "halo_upsample shape=9x4 grid=Px1 kernel=2x2 stride=2x2",
    "copy shape=2x9 grid=1xP",
    "scatter shape=6 from=1 to=P",
    "gather shape=6 from=P to=1",
    "all_gather shape=6 from=P to=Pc",
    "reduce_scatter shape=6 from=Pc to=P",
    "send_recv shape=1x12 from=1x1 to=1x1 from-ranks=0 to-ranks=0 store-x=nchw8c store-y=row:1",
    "broadcast shape=1x12x2 from=1x1x1 to=1x1xPc store-x=nchw8c",
    "all_sum_reduce shape=1x12x2 grid=1x1xPc store-y=nchw8c",
    "all_gather shape=1x12x2 from=1xPx1 to=1xPcx1 store-y=nchw8c",
    "copy shape=2x12x9 grid=1x1xP store-x=nchw8c",
};

/* One plan that is never freed, for the test of leaks.sh. */
static void leak_a_plan(int rank, int size)
{
    test_case *c = malloc(sizeof *c);
    char text[256];
    tg_op *op = NULL;
    if (case_make("all_sum_reduce shape=6 grid=2c", rank, size, c, text))
        tg_plan(MPI_COMM_WORLD, &c->problem, &op);
    case_free(c);
    free(c);
}

/* Plans, applies in both directions, frees: alone, and as F* F. Returns whether the values were
 * right. */
static bool use_once(const test_case *c, MPI_Comm comm, bool chained)
{
    tg_op *op = NULL, *other = NULL, *both = NULL;
    double *x = calloc((size_t)model_room(&c->store_x, &c->x) + 1, sizeof *x);
    double *y = calloc((size_t)model_room(&c->store_y, &c->y) + 1, sizeof *y);
    bool good = tg_plan(comm, &c->problem, &op).code == TG_OK;
    if (good) {
        tg_fill(&c->problem, TG_X, c->rank, 1, x);
        tg_apply(op, x, y);
        good = tg_count_wrong(&c->problem, TG_Y, c->rank, 1, y) == 0;
        tg_fill(&c->problem, TG_Y, c->rank, 1, y);
        tg_apply_adjoint(op, y, x);
        good = good && tg_count_wrong(&c->problem, TG_X, c->rank, 1, x) == 0;
    }
    if (good && chained) {
        good = tg_plan(comm, &c->problem, &other).code == TG_OK &&
               tg_chain(tg_flip(other), op, &both).code == TG_OK;
        op = NULL;
        tg_free(&both);
    }
    tg_free(&op);
    free(x);
    free(y);
    return good;
}

int main(int argc, char **argv)
{
    int rank, size, failed = 0, done = 0;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char word[MODEL_WORD], shared[512], line[1024], text[256];
        model_operation(lines[i], word);
        const tg_primitive *primitive = tg_primitive_find(word);
        for (int a = 0; primitive != NULL && primitive->algorithms[a] != NULL; a++) {
            test_case *c = malloc(sizeof *c);
            int bad = 0, all;
            model_line(lines[i], size, shared, sizeof shared);
            snprintf(line, sizeof line, "%s dtype=f64 algorithm=%s", shared,
                     primitive->algorithms[a]->name);
            if (!case_make(line, rank, size, c, text))
                bad = LOOPS;
            for (int loop = 0; loop < LOOPS && bad < LOOPS; loop++) {
                bad += !use_once(c, MPI_COMM_WORLD, loop % 5 == 0);
                done++;
            }
            MPI_Allreduce(&bad, &all, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
            if (all > 0 && rank == 0)
                printf("FAILED %s\n", line);
            failed += all > 0;
            case_free(c);
            free(c);
        }
    }
    if (argc > 1 && strcmp(argv[1], "--leak") == 0)
        leak_a_plan(rank, size);
    if (rank == 0)
        printf("%d ranks: %d plans made and freed, %d problems failed\n", size, done, failed);
    MPI_Finalize();
    return done > 0 && failed == 0 ? 0 : 1;
}

/* harness.h: checks of a test that runs on several MPI ranks.
 *
 * Each rank counts its checks and failures; the end sums them over the ranks, and a run without a
 * single check fails. main is: harness_begin; tests; return harness_end(). */
#ifndef TGL_TEST_HARNESS_H
#define TGL_TEST_HARNESS_H

#include <mpi.h>
#include <stdio.h>

static long harness_checks, harness_failures;

/* One check; the text says what it was about when it fails. The first few failures of a rank are
 * printed. */
#define CHECK(good, ...)                                                                           \
    do {                                                                                           \
        harness_checks++;                                                                          \
        if (!(good) && harness_failures++ < 5) {                                                   \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #good);                             \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fputc('\n', stderr);                                                                   \
        }                                                                                          \
    } while (0)

static void harness_begin(int *argc, char ***argv, int *P, int *rank)
{
    MPI_Init(argc, argv);
    MPI_Comm_size(MPI_COMM_WORLD, P);
    MPI_Comm_rank(MPI_COMM_WORLD, rank);
}

static int harness_end(void)
{
    long sums[2] = {harness_checks, harness_failures};
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Allreduce(MPI_IN_PLACE, sums, 2, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
    if (rank == 0)
        printf("%ld checks, %ld failures\n", sums[0], sums[1]);
    MPI_Finalize();
    return sums[0] == 0 || sums[1] > 0;
}

#endif

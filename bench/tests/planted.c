/* planted.c: for tests only: a broadcast of the MPI library that is wrong, or late, a barrier that is
 * none, and clocks that differ. Linked with tgbench into a program of its own: what a check that works must find.
 *
 *   PLANT=flip    one bit of the last byte of every block received by the last rank of the group
 *   PLANT=open    MPI_Barrier waits for nobody
 *   PLANT=late    the call takes PLANT_US more on the last rank
 *   PLANT=random  the call takes PLANT_US more on one rank, another one each time
 *   PLANT=before  behind every second call, the first few of warming up apart, the last rank is PLANT_US
 *                 late for the next start
 *   PLANT=within  the last rank is PLANT_US late although it was waiting for the next start in time
 *   PLANT=wave    calls come in waves of PLANT_CALLS; in every second one each takes PLANT_US more
 *   PLANT_LOG     rank 0 notes the count of each call in this file
 *   PLANT=slow    a product of matrices in f32 takes PLANT_US more on rank PLANT_RANK
 *   PLANT_CLOCK   each rank's clock is some seconds away from the others, and goes at another rate
 */
#include <dlfcn.h>
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int reads_until_late; /* of the clock, for PLANT=before and within; 0: not late */
static int calls;
enum { FEW = 6 };

static void delay(void)
{
    const char *text = getenv("PLANT_US");
    const long long ns = 1000 * (text ? strtoll(text, NULL, 10) : 1000);
    nanosleep(&(struct timespec){ns / 1000000000, ns % 1000000000}, NULL);
}

static int plants(const char *what)
{
    const char *plant = getenv("PLANT");
    return plant && strcmp(plant, what) == 0;
}

/* The same number on all ranks (a linear congruence of Knuth's). */
static int next_random(int below)
{
    static uint64_t state = 1;
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int)((state >> 33) % (uint64_t)below);
}

/* In every second wave of calls? */
static int in_wave(void)
{
    const char *text = getenv("PLANT_CALLS");
    const long length = text ? strtol(text, NULL, 10) : 1;
    return calls++ / length % 2;
}

static void note_call(int count)
{
    static FILE *file;
    const char *path = getenv("PLANT_LOG");
    if (!file && path)
        file = fopen(path, "w");
    if (file)
        fprintf(file, "%d\n", count);
}

int MPI_Bcast(void *buffer, int count, MPI_Datatype type, int root, MPI_Comm comm)
{
    int rank, ranks, size, result = PMPI_Bcast(buffer, count, type, root, comm);
    PMPI_Comm_rank(comm, &rank);
    PMPI_Comm_size(comm, &ranks);
    PMPI_Type_size(type, &size);
    if (count < 64) /* decisions of tgbench itself */
        return result;
    const int last = rank == ranks - 1 && rank != root;
    if (rank == 0)
        note_call(count);
    if (plants("wave") && in_wave())
        delay();
    if (plants("flip") && last)
        ((unsigned char *)buffer)[(size_t)count * (size_t)size - 1] ^= 0x40;
    if (plants("late") && last)
        delay();
    if (plants("random") && rank == next_random(ranks))
        delay();
    if (plants("before") && last && ++calls > FEW && calls % 2 == 0)
        reads_until_late = 2; /* the end of this operation, then whether the next start is missed */
    if (plants("within") && last)
        reads_until_late = 3; /* and then the wait for it */
    return result;
}

int MPI_Barrier(MPI_Comm comm)
{
    return plants("open") ? MPI_SUCCESS : PMPI_Barrier(comm);
}

static int world_rank(void)
{
    static int rank = -1;
    int started = 0;
    if (rank < 0)
        PMPI_Initialized(&started);
    if (started)
        PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
    return rank > 0 ? rank : 0;
}

/* As in cblas.h, its enumerations as the numbers that they are. */
typedef void product(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
                     const float *a, int lda, const float *b, int ldb, float beta, float *c,
                     int ldc);
product cblas_sgemm;

void cblas_sgemm(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
                 const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc)
{
    static void *library;
    const char *rank = getenv("PLANT_RANK");
    product *multiply;
    library = library ? library : dlsym(RTLD_NEXT, "cblas_sgemm");
    memcpy(&multiply, &library, sizeof multiply); /* ISO C has no cast from data to functions */
    multiply(order, trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    if (plants("slow") && rank && strtol(rank, NULL, 10) == world_rank())
        delay();
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
    static int64_t begin;
    if (clock != CLOCK_MONOTONIC_RAW)
        return (int)syscall(SYS_clock_gettime, clock, t);
    if (reads_until_late > 0 && --reads_until_late == 0)
        delay();
    const int result = (int)syscall(SYS_clock_gettime, clock, t), rank = world_rank();
    if (!getenv("PLANT_CLOCK") || rank == 0)
        return result;
    int64_t now = t->tv_sec * INT64_C(1000000000) + t->tv_nsec;
    begin = begin ? begin : now;
    now += rank * INT64_C(3000000019) + (now - begin) / (rank % 2 ? 10000 : -10000);
    t->tv_sec = (time_t)(now / 1000000000);
    t->tv_nsec = (long)(now % 1000000000);
    return result;
}
